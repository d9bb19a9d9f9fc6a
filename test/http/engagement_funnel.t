# Funnels (S2-15): every parameter, and the whole body.
use strict;
use warnings;
use Encode ();
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my %key = map { $_ => key($id, $_) } qw(live sandbox admin sdk marketing tenant capture);
my $stranger = key(workspace('other'), 'live');
my $path = '/v1/analytics/funnel';
my $range = 'from=2026-01-01&to=2026-01-02';

sub ask { my ($query, $key) = @_; return request('GET', $query eq '' ? $path : "$path?$query", ['X-API-Key: ' . ($key // $key{live})]) }
sub steps { return Encode::encode('UTF-8', join ' ', map { join '/', $_->{stage}, $_->{count}, $_->{dropOff}, $_->{medianSecondsFromPrevious} // 'null' } @{ json(ask(@_))->{data} || [] }) }
sub faults { return join ',', map { "$_->{field}: $_->{message}" } @{ json($_[0])->{errors} || [] } }
sub is_invalid { my ($query, $faults, $name) = @_; my $r = ask($query); is_error($r, 'engagement', 422, 'Validation failed', $name); is(faults($r), $faults, "$name: which") }
sub put { return request('PUT', "/v1/leads/$_[0]", ["X-API-Key: $key{live}", 'Content-Type: application/json'], $_[1]) }

# Nobody yet: the default steps.
my $none = ask('');
is_success($none, 'engagement', 200, 'S2-15 nothing');
is(steps(''), 'new/0/0/null contacted/0/0/null qualified/0/0/null converted/0/0/null', 'S2-15 the default steps');
ok(defined header($none, $_), "S2-15 $_") for qw(X-Request-Id X-Data-As-Of);

# Leads: three came, two were contacted, one of them was won.
is(put("lead_$_", '{"createdAt":"2026-01-01T10:00:00.000Z"}')->{status}, 200, "a lead, $_") for 1 .. 3;
sql(q(SELECT leadanalytics.patch_engagement_lead($1, 'lead_' || l, status => s, now => at) FROM (VALUES (1, 'contacted', timestamptz '2026-01-01 10:00:30Z'), (2, 'contacted', '2026-01-01 10:01:31Z'), (1, 'converted', '2026-01-11 10:00:30Z')) AS v (l, s, at)), $id);
my $body = ask("$range&steps=new,contacted,converted")->{body};
like($body, qr/^\Q{"success":true,"status":200,"message":"Funnel retrieved","data":[{"stage":"new","count":3,"conversionFromPrevious":100.00,"conversionFromStart":100.00,"dropOff":0,"medianSecondsFromPrevious":null},{"stage":"contacted","count":2,"conversionFromPrevious":66.67,"conversionFromStart":66.67,"dropOff":1,"medianSecondsFromPrevious":61},{"stage":"converted","count":1,"conversionFromPrevious":50.00,"conversionFromStart":33.33,"dropOff":1,"medianSecondsFromPrevious":864000}],"meta":{\E/, 'S2-15 the whole body; half a second is rounded up');
is(ask("$range&steps=%20new%20,contacted,%20converted")->{body} =~ s/"meta".*//r, $body =~ s/"meta".*//r, 'S2-15 blanks around a name');
is(steps($range), 'new/3/0/null contacted/2/1/61 qualified/0/2/null converted/0/0/null', 'S2-15 a step that nobody took ends it');
is(steps("$range&steps=new,contacted,converted", $key{$_}), 'new/3/0/null contacted/2/1/61 converted/1/1/864000', "S2-15 a key of role $_") for qw(live admin);
is(steps("$range&steps=new,contacted", $key{sandbox}), 'new/0/0/null contacted/0/0/null', 'S2-15 a key of role sandbox, which has its own leads');
is(steps("$range&steps=new,contacted", $stranger), 'new/0/0/null contacted/0/0/null', 'S2-15 another workspace');

# windowDays.
is(steps("$range&steps=new,converted&windowDays=$_->[0]"), "new/3/0/null converted/$_->[1]", "S2-15 windowDays=$_->[0]") for [1, '0/3/null'], [10, '0/3/null'], [11, '1/2/864030'], [365, '1/2/864030'];
is_invalid("windowDays=$_", 'windowDays: Invalid windowDays', "S2-15 windowDays=$_") for qw(0 366 x 1.5);

# from, to: when the way began.
is(steps("from=$_->[0]&to=$_->[1]&steps=new,contacted"), "new/$_->[2]", "D-03 $_->[0] to $_->[1]")
    for ['2026-01-01', '2026-01-01', '3/0/null contacted/2/1/61'], ['2026-01-02', '2026-01-09', '0/0/null contacted/0/0/null'],
    ['2026-01-01T10:00:00Z', '2026-01-01T10:00:00Z', '3/0/null contacted/2/1/61'], ['2026-01-01T10:00:01Z', '2026-01-02', '0/0/null contacted/0/0/null'],
    ['2026-01-01T11:00:00%2B01:00', '2026-01-01T11:00:00%2B01:00', '3/0/null contacted/2/1/61'];
is_invalid('from=soon', 'from: Must be a date or time in ISO 8601', 'S2-15 from');
is_invalid('to=2026-02-30', 'to: Must be a date or time in ISO 8601', 'S2-15 to');
is_invalid('from=2026-02-02&to=2026-02-01', 'from: Must not be after to', 'S2-15 order');

# steps.
is_invalid("steps=$_", 'steps: Must be 2 to 10 different names', "S2-15 steps=$_") for 'new', 'new,new', 'new,', ',', 'a,b,c,d,e,f,g,h,i,j,k';
is(steps("$range&steps=a,b,c,d,e,f,g,h,i,j"), join(' ', map { "$_/0/0/null" } 'a' .. 'j'), 'S2-15 ten steps, of names that nobody sent');
is(steps("$range&steps="), steps($range), 'S2-15 steps empty: the default');

# The web: visitors, and the lead that one of them is.
sql(q(SELECT leadanalytics.track($1, '{"events": [
    {"event_name": "page_view", "visitor_id": "v1", "timestamp": "2026-01-01T09:00:00Z"}, {"event_name": "$pageview", "visitor_id": "v2", "timestamp": "2026-01-01T09:00:00Z"},
    {"event_name": "trial ü", "visitor_id": "v1", "timestamp": "2026-01-01T09:00:10Z"}, {"event_name": "trial ü", "visitor_id": "v3", "timestamp": "2026-01-01T09:00:10Z"},
    {"event_name": "$identify", "visitor_id": "v1", "user_id": "lead_1", "timestamp": "2026-01-01T09:30:00Z"}]}', now => '2026-01-02Z', as_role => 'admin')), $id);
for my $when ('not folded', 'folded')
{
    is(steps("$range&steps=page_visit,trial%20%C3%BC"), 'page_visit/2/0/null trial ü/1/1/10', "S2-15 events of the web, $when");
    is(steps("$range&steps=page_view,trial%20%C3%BC"), 'page_view/1/0/null trial ü/1/0/10', "S2-15 one name alone, $when");
    is(steps("$range&steps=page_visit,trial%20%C3%BC,new,contacted"), 'page_visit/2/0/null trial ü/1/1/10 new/1/0/3590 contacted/1/0/30', "S2-15 a visitor who is a lead, $when");
    sql('SELECT leadanalytics.fold($1)', $id);
}

# Mails.
sql(q(SELECT leadanalytics.add_engagement($1, t, 'lead_1', 'm1', NULL, at, '2026-01-05Z') FROM (VALUES ('email_sent', timestamptz '2026-01-01 12:00Z'), ('email_open', '2026-01-01 13:00Z'), ('email_reply', '2026-01-02 13:00Z')) AS v (t, at)), $id);
is(steps("$range&steps=new,email_sent,email_open,link_click"), 'new/3/0/null email_sent/1/2/7200 email_open/1/0/3600 link_click/0/1/null', 'S2-15 mails of leads');
is(steps("$range&steps=page_visit,email_reply"), 'page_visit/2/0/null email_reply/1/1/100800', 'S2-15 a mail of who was a visitor');
sql(q(SELECT leadanalytics.add_engagement($1, 'form_submission', 'lead_2', NULL, NULL, '2026-01-01 11:00Z', '2026-01-05Z')), $id);
is(steps("$range&steps=new,form_submission"), 'new/3/0/null form_submission/1/2/3600', 'S2-15 a form');

# Who may, and how.
is_error(ask('', $key{$_}), 'engagement', 403, 'Forbidden', "S2-15 a key of role $_") for qw(sdk marketing tenant capture);
is_error(request('GET', $path), 'engagement', 401, undef, 'S2-15 no key');
is_error(request('POST', $path, ["X-API-Key: $key{live}"], ''), 'engagement', 405, undef, 'S2-15 no POST');

done_testing();
