# What one lead did (S2-10).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP ();
use Test::More;

my $id = workspace();
my %key = map { $_ => key($id, $_) } qw(live sandbox admin marketing);

sub ask { my ($lead, $query, $role) = @_; return request('GET', "/v1/analytics/leads/$lead/engagement" . ($query ? "?$query" : ''), ['X-API-Key: ' . $key{ $role // 'live' }]) }
sub data { my $r = ask(@_); return $r->{status} == 200 && $r->{body} =~ /"data":(.*),"timeline":/s ? "$1}" : "$r->{status} $r->{body}" }
sub did { my ($type, $at, $message, $lead) = @_; sql('SELECT leadanalytics.add_engagement($1, $2, $3, $4, now => $5)', $id, $type, $lead // 'L1', $message, $at) }
my $none = '"counts":{"email_sent":0,"email_open":0,"link_click":0,"email_reply":0,"email_bounce":0,"form_submission":0,"page_visit":0},"uniqueOpens":0,"openRate":0,"clickRate":0,"replyRate":0,"firstEngagedAt":null,"lastEngagedAt":null';

is_error(ask('L1'), 'engagement', 404, 'Lead not found', 'S2-10 nobody');
sql('SELECT leadanalytics.put_engagement_lead($1, $2)', $id, 'L1');
is(data('L1'), qq({"leadId":"L1","score":null,"label":null,$none}), 'S2-10 a lead that did nothing');
is_deeply(json(ask('L1'))->{data}{timeline}, [], 'S2-10 no events');

# One mail opened twice and clicked, one bounced, one opened by a machine alone.
did(@$_) for ['email_sent', '2026-02-01T10:00:00Z', 'm1'], ['email_open', '2026-02-01T12:00:00Z', 'm1'], ['email_open', '2026-02-02T12:00:00Z', 'm1'], ['link_click', '2026-02-02T12:00:01Z', 'm1'],
    ['email_sent', '2026-02-03T10:00:00Z', 'm2'], ['email_bounce', '2026-02-03T10:00:05Z', 'm2'], ['email_sent', '2026-02-04T10:00:00Z', 'm3'], ['email_open', '2026-02-04T10:00:01Z', 'm3'],
    ['page_visit', '2026-02-01T09:00:00.123Z'], ['form_submission', '2026-02-05T09:00:00Z'], ['email_reply', '2026-02-20T10:00:00Z', 'm1'], ['email_open', '2026-02-01T12:00:00Z', 'x', 'L2'];
my $range = 'from=2026-02-01&to=2026-02-09';
my $whole = '{"leadId":"L1","score":null,"label":null,"counts":{"email_sent":3,"email_open":2,"link_click":1,"email_reply":0,"email_bounce":1,"form_submission":1,"page_visit":1},'
    . '"uniqueOpens":1,"openRate":50.00,"clickRate":50.00,"replyRate":0.00,"firstEngagedAt":"2026-02-01T09:00:00.123Z","lastEngagedAt":"2026-02-05T09:00:00.000Z"}';
is(data('L1', $range), $whole, 'S2-10 the body');
is(data('L1', $range, 'admin'), $whole, 'S2-10 an admin key');
is_error(ask('L1', $range, 'sandbox'), 'engagement', 404, 'Lead not found', 'S2-04 a sandbox key, whose data are others');
sql('SELECT leadanalytics.fold($1), leadanalytics.sum_messages(now())', $id);
is(data('L1', $range), $whole, 'S2-10 folded, the same');
my $r = ask('L1', $range);
is_success($r, 'engagement', 200, 'S2-02 the envelope');
is(json($r)->{message}, 'Lead engagement retrieved', 'S2-02 its message');
is(join(' ', sort keys %{ json($r)->{data} }), 'clickRate counts firstEngagedAt label lastEngagedAt leadId openRate replyRate score timeline uniqueOpens', 'D-80 no more');
my $events = json($r)->{data}{timeline};
is("$events->[0]{type} $events->[0]{leadId} $events->[0]{timestamp}", 'form_submission L1 2026-02-05T09:00:00.000Z', 'S2-10 the newest event first');
is_deeply([ map { $_->{timestamp} } @$events ], [ reverse sort map { $_->{timestamp} } @$events ], 'S2-10 newest first');
is(scalar(grep { $_->{leadId} ne 'L1' } @$events), 0, 'S2-10 nobody else\'s');
is(join(' ', sort keys %{ $events->[0] }), 'id leadId messageId tenantId timestamp type workflowExecutionId', 'S2-01 events are shown as they are when they come in');

# D-31, D-42: a day in which an opened mail was opened again has an open of a message, and no rate.
is(data('L1', 'from=2026-02-02&to=2026-02-02') =~ /"email_open":1.*"uniqueOpens":1,"openRate":0,/, 1, 'D-31 opened again');
is(data('L1', 'from=2026-02-20&to=2026-02-20') =~ /"email_reply":1.*"replyRate":0,"firstEngagedAt":"2026-02-20T10:00:00.000Z","lastEngagedAt":"2026-02-20T10:00:00.000Z"/, 1, 'D-42 a late reply');
is(data('L1', 'from=2026-02-03&to=2026-02-03') =~ /"email_sent":1.*"email_bounce":1.*"firstEngagedAt":null,"lastEngagedAt":null/, 1, 'S2-10 to be sent something is no engagement');
is(data('L2', $range) =~ /"leadId":"L2".*"email_open":1.*"uniqueOpens":1,"openRate":0,/, 1, 'D-30 an id that is only in events');
is_error(ask('L3', $range), 'engagement', 404, 'Lead not found', 'S2-10 still nobody');

# A lead that came by a form, by its number: its score, its visits, its posts.
sql('SELECT leadanalytics.track($1, $2, as_role => $3, now => $4)', $id, '{"events":[{"event_name":"page_view","visitor_id":"v1","session_id":"s1","timestamp":"2026-02-06T09:00:00Z","event_data":{"url":"https://x.example/"}},'
    . '{"event_name":"page_view","visitor_id":"v1","session_id":"s1","timestamp":"2026-02-06T09:03:00Z","event_data":{"url":"https://x.example/a","scroll_percent":80}}]}', 'admin', '2026-02-06T09:03:00Z');
my $number = sql('INSERT INTO leadanalytics.lead (workspace, enquiry_at, name, visitor_id, session_id, score) VALUES ($1, $2, $3, $4, $5, 74) RETURNING id', $id, '2026-02-06T09:04:00Z', 'Ann', 'v1', 's1');
sql('INSERT INTO leadanalytics.lead_submission (workspace, lead, submitted_at, is_primary, is_duplicate_window, visitor_id, score, suspicion, payload) VALUES ($1, $2, $3, true, false, $4, 74, 0, $5)',
    $id, $number, '2026-02-06T09:04:00Z', 'v1', '{}');
is(data($number, $range), qq({"leadId":"$number","score":74,"label":"Very Hot","counts":{"email_sent":0,"email_open":0,"link_click":0,"email_reply":0,"email_bounce":0,"form_submission":1,"page_visit":2},)
    . '"uniqueOpens":0,"openRate":0,"clickRate":0,"replyRate":0,"firstEngagedAt":"2026-02-06T09:00:00.000Z","lastEngagedAt":"2026-02-06T09:04:00.000Z"}', 'D-73 a lead of a form');

# The timeline has an end, and so has the range that nobody says: 30 days.
did('page_visit', sprintf '2026-03-01T00:%02d:%02dZ', $_ / 60, $_ % 60) for 1 .. 101;
$events = json(ask('L1', 'from=2026-03-01&to=2026-03-01'))->{data};
is(scalar @{ $events->{timeline} } . ' ' . $events->{counts}{page_visit}, '100 101', 'S2-10 the hundred newest events');
did('page_visit', sql("SELECT now() - interval '29 days'"), undef, 'L9');
did('page_visit', sql("SELECT now() - interval '31 days'"), undef, 'L9');
like(data('L9'), qr/"page_visit":1\}/, 'S2-08 30 days, today among them');

for (['from=soon', 'from', 'Must be a date or time in ISO 8601'], ['to=2026-02-30', 'to', 'Must be a date or time in ISO 8601'], ['from=2026-02-02&to=2026-02-01', 'from', 'Must not be after to'])
{
    $r = ask('L1', $_->[0]);
    is_error($r, 'engagement', 422, 'Validation failed', "S2-02 $_->[0]");
    is_deeply(json($r)->{errors}, [ { field => $_->[1], message => $_->[2] } ], "S2-02 $_->[0]: why");
}
is(ask('x' x 128)->{status}, 404, 'S2-04 an id of 128 characters');
is(ask('x' x 129)->{status}, 422, 'S2-04 of 129');
is_error(request('GET', '/v1/analytics/leads/L1/engagement'), 'engagement', 401, undef, 'S2-04 without a key');
is_error(ask('L1', '', 'marketing'), 'engagement', 403, undef, 'S2-04 with a key of another role');
my $other = key(workspace('other'), 'live');
is_error(request('GET', '/v1/analytics/leads/L1/engagement', ["X-API-Key: $other"]), 'engagement', 404, 'Lead not found', 'S2-04 a workspace of its own');
finish();
