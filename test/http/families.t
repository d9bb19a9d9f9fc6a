# D-61: one workspace behind all five families. What comes in by one door is what the others tell of.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my $slug = slug();
my $key = 'Authorization: Bearer ' . key($id, 'admin');
my @json = ($key, 'Content-Type: application/json');
my $today = sql("SELECT (now() AT TIME ZONE 'UTC')::date");
my $earlier = sql(q{SELECT leadanalytics.utc_milliseconds(now() - interval '1 minute')}); # who reads a mail at once is a machine

is(json(request('POST', '/api/v1/track', \@json, '{"event_name":"page_view","visitor_id":"v1","session_id":"s1","event_data":{"url":"https://example.com/pricing"}}'))->{accepted}, 1,
    'D-61 a page view by the public door');
like(request('POST', '/lead.capture', \@json, '{"FIRSTNAME":"Ann","EMAIL":"ann@example.com","PROJECT":"North","__visitor_id":"v1"}')->{status}, qr/^(200|301)$/, 'a lead by the dashboard\'s');
my $lead = sql('SELECT id FROM leadanalytics.lead WHERE workspace = $1', $id);
is(json(request('POST', '/v1/analytics/events', \@json, qq({"eventType":"email_sent","leadId":"$lead","messageId":"m1","timestamp":"$earlier"})))->{status}, 201, 'a mail by the engagement family\'s');
is(json(request('POST', "/api/v1/workspaces/$slug/messages/events", \@json, '{"message_id":"m1","event":"opened","user_agent":"Thunderbird"}'))->{data}{accepted}, 1, 'that it was read by the campaigns\'');
is(json(request('PUT', "/api/workspaces/$slug/rooms/demo", \@json, '{"display_name":"Demo"}'))->{accepted}, 1, 'a room by the activity family\'s');
is(json(request('POST', "/api/workspaces/$slug/contact-events", \@json, '{"contact":"ann@example.com","event_type":"room_join","room":"demo"}'))->{accepted}, 1, 'who was in it');

is(json(request('GET', '/analytics/overview', [$key]))->{unique_visitors}, 1, 'the dashboard knows the visitor');
is(json(request('GET', "/api/v1/overview?start_date=$today&end_date=$today", [$key]))->{pageviews_total}, 1, 'the public family the page view');
my $engagement = json(request('GET', "/v1/analytics/leads/$lead/engagement", [$key]))->{data};
is("$engagement->{counts}{page_visit} $engagement->{counts}{form_submission} $engagement->{counts}{email_sent}", '1 1 1', 'the engagement family what the lead did in all of them');
my $mails = json(request('GET', "/api/v1/workspaces/$slug/analytics/overview", [$key]))->{data}{summary};
is_deeply([@{$mails}{qw(emails_sent emails_opened)}], [1, 1], 'the campaigns family of one mail, sent and read, whichever door said which');
is(json(request('GET', "/api/workspaces/$slug/analytics", [$key]))->{topRooms}[0]{count}, 1, 'the activity family who was in the room');
finish();
