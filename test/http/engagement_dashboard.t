# The dashboard by its two names (S2-13, S2-07), leads over time, the conversion rate and the report on leads (S2-07).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP ();
use Test::More;

my $id = workspace();
my %key = map { $_ => key($id, $_) } qw(live sandbox admin marketing sdk tenant capture);

sub ask { my ($path, $role) = @_; return request('GET', "/v1/$path", ['X-API-Key: ' . $key{ $role // 'live' }]) }
# The data of an answer, as it is written.
sub data { my ($path, $role) = @_; my $r = ask($path, $role); return $r->{status} == 200 && $r->{body} =~ /"data":(.*),"meta":/s ? $1 : "$r->{status} $r->{body}" }
sub lead { my ($lead, $at, $source, $status) = @_; sql('SELECT leadanalytics.put_engagement_lead($1, $2, source => $4, status => $5, created_at => $3, now => $3)', $id, $lead, $at, $source, $status) }
sub mail { sql('SELECT leadanalytics.put_message_events($1, $2)', $id, JSON::PP->new->encode([ map { { message_id => $_->[0], event => $_->[1], timestamp => $_->[2], lead_id => 'L1' } } @_ ])) }
sub did { my ($type, $at) = @_; sql('SELECT leadanalytics.add_engagement($1, $2, $3, now => $4)', $id, $type, 'L1', $at) }

# Nothing yet.
is(data('analytics/dashboard?from=2026-02-01&to=2026-02-01'),
    '{"leads":{"total":0,"new":0,"qualified":0,"converted":0,"lost":0},"engagement":{"emailsSent":0,"openRate":0,"clickRate":0,"replyRate":0,"formSubmissions":0,"pageVisits":0},'
        . '"conversionRate":0,"trend":[{"date":"2026-02-01","leads":0,"opens":0,"clicks":0,"replies":0}],"topSources":[],"recentActivity":[]}', 'S2-13 of nothing');

lead(@$_) for ['L1', '2026-02-01T10:00:00Z', 'website', 'converted'], ['L2', '2026-02-01T23:59:59.999Z', 'website', 'new'], ['L3', '2026-02-03T00:00:00Z', 'ads', 'contacted'],
    ['L4', '2026-02-09T12:00:00Z', undef, 'lost'], ['L5', '2026-01-31T23:59:59.999Z', 'website', 'qualified'], ['L6', '2026-02-10T00:00:00Z', 'fair', 'unqualified'];
mail(['m1', 'sent', '2026-02-01T10:00:00Z'], ['m1', 'opened', '2026-02-01T12:00:00Z'], ['m1', 'opened', '2026-02-01T13:00:00Z'], ['m1', 'clicked', '2026-02-02T10:00:00Z'], ['m1', 'replied', '2026-02-03T10:00:00Z'],
    ['m2', 'sent', '2026-02-02T09:00:00Z'], ['m2', 'bounced', '2026-02-02T09:01:00Z'], ['m3', 'sent', '2026-02-02T09:00:00Z'], ['m3', 'opened', '2026-02-09T09:00:00Z'],
    ['m4', 'sent', '2026-02-03T09:00:00Z'], ['m4', 'opened', '2026-02-03T09:00:01Z']); # a machine
did(@$_) for ['page_visit', '2026-02-02T08:00:00Z'], ['page_visit', '2026-02-02T08:01:00Z'], ['form_submission', '2026-02-02T08:02:00Z'];

# S2-13: the whole body but what happened last.
my %day = ('2026-02-01' => [2, 1, 0, 0], '2026-02-02' => [0, 0, 1, 0], '2026-02-03' => [1, 0, 0, 1], '2026-02-09' => [1, 1, 0, 0]);
my $trend = join ',', map { my $d = $day{"2026-02-0$_"} // [ 0, 0, 0, 0 ]; qq({"date":"2026-02-0$_","leads":$d->[0],"opens":$d->[1],"clicks":$d->[2],"replies":$d->[3]}) } 1 .. 9;
my $whole = '{"leads":{"total":4,"new":1,"qualified":0,"converted":1,"lost":1},"engagement":{"emailsSent":4,"openRate":66.67,"clickRate":33.33,"replyRate":33.33,"formSubmissions":1,"pageVisits":2},'
    . qq("conversionRate":25.00,"trend":[$trend],)
    . '"topSources":[{"source":"website","leads":2,"converted":1},{"source":"ads","leads":1,"converted":0},{"source":null,"leads":1,"converted":0}],"recentActivity":';
my $range = 'from=2026-02-01&to=2026-02-09';
my $body = data("analytics/dashboard?$range");
is(substr($body, 0, length $whole), $whole, 'S2-13 the body');
is(data("analytics/overview?$range"), $body, 'S2-07 the overview is the dashboard');
is(data("analytics/dashboard?$range", 'admin'), $body, 'S2-13 an admin key');
is(json(ask("analytics/dashboard?$range", 'sandbox'))->{data}{leads}{total}, 0, 'S2-04 a sandbox key, whose data are others');
is(substr(data("analytics/dashboard?from=2026-02-01T00:00:00Z&to=2026-02-09T23:59:59.999Z"), 0, length $whole), $whole, 'D-03 the same range to the millisecond');
is(substr(data("analytics/dashboard?from=2026-02-01T01:00:00%2B01:00&to=2026-02-09T23:59:59Z"), 0, length $whole), $whole, 'D-01 the same range from another zone');
sql('SELECT leadanalytics.fold($1), leadanalytics.sum_messages(now())', $id);
is(data("analytics/dashboard?$range"), $body, 'S2-13 folded, the same');

my $r = ask("analytics/dashboard?$range");
is_success($r, 'engagement', 200, 'S2-02 the envelope');
is(json($r)->{message}, 'Dashboard retrieved', 'S2-02 its message');
is(join(' ', sort keys %{ json($r)->{data} }), 'conversionRate engagement leads recentActivity topSources trend', 'D-80 no more');
ok(defined header(ask("analytics/$_?$range"), 'X-Data-As-Of'), "D-80 $_ stands on the fold") for qw(dashboard overview);
my $recent = json($r)->{data}{recentActivity};
is($recent->[0]{type} . ' ' . $recent->[0]{messageId} . ' ' . $recent->[0]{leadId} . ' ' . $recent->[0]{timestamp}, 'email_open m3 L1 2026-02-09T09:00:00.000Z', 'S2-13 the newest event first');
is(join(' ', sort keys %{ $recent->[0] }), 'id leadId messageId tenantId timestamp type workflowExecutionId', 'S2-01 events are shown as they are when they come in');
is_deeply([ map { $_->{timestamp} } @$recent ], [ reverse sort map { $_->{timestamp} } @$recent ], 'S2-13 newest first');
did('page_visit', sprintf '2026-03-01T00:00:%02dZ', $_) for 1 .. 25;
is(scalar @{ json(ask('analytics/dashboard?from=2026-03-01&to=2026-03-01'))->{data}{recentActivity} }, 20, 'S2-13 the twenty newest');
lead("S$_", '2026-04-01T00:00:00Z', sprintf('source %02d', $_ % 12), 'new') for 1 .. 14;
is(join(',', map { "$_->{source}=$_->{leads}" } @{ json(ask('analytics/dashboard?from=2026-04-01&to=2026-04-01'))->{data}{topSources} }),
    'source 01=2,source 02=2,' . join(',', map { sprintf 'source %02d=1', $_ } 0, 3 .. 9), 'S2-13 ten sources');

# S2-07: leads over time.
my $status = '"byStatus":{"new":1,"contacted":1,"qualified":0,"unqualified":0,"converted":1,"lost":1}';
my $days = join ',', map { my $d = $day{"2026-02-0$_"} // [0]; qq({"date":"2026-02-0$_","leads":$d->[0],"converted":) . ($_ == 1 ? 1 : 0) . '}' } 1 .. 9;
is(data("analytics/leads?$range"), qq({"total":4,$status,"series":[$days]}), 'S2-07 leads by day');
is(data("analytics/leads?$range&groupBy=day"), qq({"total":4,$status,"series":[$days]}), 'S2-07 leads, groupBy=day is the default');
is(data("analytics/leads?$range&groupBy=week"),
    qq({"total":4,$status,"series":[{"date":"2026-01-26","leads":2,"converted":1},{"date":"2026-02-02","leads":1,"converted":0},{"date":"2026-02-09","leads":1,"converted":0}]}),
    'D-05 weeks from Monday, only what is in the range');
is(data('analytics/leads?from=2026-01-31&to=2026-02-10&groupBy=month'),
    '{"total":6,"byStatus":{"new":1,"contacted":1,"qualified":1,"unqualified":1,"converted":1,"lost":1},"series":[{"date":"2026-01-01","leads":1,"converted":0},{"date":"2026-02-01","leads":5,"converted":1}]}',
    'D-05 months, all six statuses');
is(data("analytics/conversion-rate?$range"), '{"leads":4,"converted":1,"conversionRate":25.00}', 'S2-07 the conversion rate');
is(data('analytics/conversion-rate?from=2020-01-01&to=2020-01-31'), '{"leads":0,"converted":0,"conversionRate":0}', 'D-07 of nothing it is 0');

# S2-07: the report.
my @rows = ('{"date":"2026-01-26","leads":2,"contacted":0,"qualified":0,"converted":1,"lost":0,"conversionRate":50.00}',
    '{"date":"2026-02-02","leads":1,"contacted":1,"qualified":0,"converted":0,"lost":0,"conversionRate":0.00}', '{"date":"2026-02-09","leads":1,"contacted":0,"qualified":0,"converted":0,"lost":1,"conversionRate":0.00}');
is(data("reports/leads?$range&groupBy=week$_"), '[' . join(',', @rows) . ']', "S2-07 the report as JSON '$_'") for '', '&format=json';
$r = ask("reports/leads?$range&groupBy=week");
is_success($r, 'engagement', 200, 'S2-02 the report wears the envelope');
is(json($r)->{message}, 'Report generated', 'S2-02 its message');
$r = ask("reports/leads?$range&groupBy=week&format=csv");
is("$r->{status} " . header($r, 'Content-Type'), '200 text/csv; charset=utf-8', 'S2-07 CSV');
is(header($r, 'Content-Disposition'), 'attachment; filename="leads.csv"', 'S2-07 CSV is a file');
is($r->{body}, "date,leads,contacted,qualified,converted,lost,conversionRate\r\n2026-01-26,2,0,0,1,0,50.00\r\n2026-02-02,1,1,0,0,0,0.00\r\n2026-02-09,1,0,0,0,1,0.00\r\n", 'S2-07 the lines');
is(scalar @{ json(ask("reports/leads?$range"))->{data} }, 9, 'S2-07 by day is the default');

# Ranges: 30 days until today without one; nothing longer than 400 pieces.
lead('now', sql('SELECT now()'), 'now', 'new');
is(scalar @{ json(ask("analytics/$_->[0]"))->{data}{ $_->[1] } }, 30, "S2-08 $_->[0]: the last 30 days") for ['dashboard', 'trend'], ['overview', 'trend'], ['leads', 'series'];
is(json(ask('analytics/leads'))->{data}{total}, 1, 'S2-08 today belongs to them');
is(scalar @{ json(ask('reports/leads'))->{data} }, 30, 'S2-08 the report too');
for my $path (qw(analytics/dashboard analytics/overview analytics/leads reports/leads))
{
    is(ask("$path?from=2025-01-01&to=2026-02-04")->{status}, 200, "S2-08 $path: 400 days");
    $r = ask("$path?from=2025-01-01&to=2026-02-05");
    is_error($r, 'engagement', 422, 'Validation failed', "S2-08 $path: 401 days");
    is_deeply(json($r)->{errors}, [ { field => 'from', message => 'Must be at most 400 days before to' } ], "S2-08 $path: why");
}
is(ask('analytics/leads?from=2019-01-01&to=2026-02-04&groupBy=month')->{status}, 200, 'S2-08 more days, but fewer months');
is(json(ask('analytics/conversion-rate?from=0001-01-01&to=9999-12-31'))->{data}{leads}, 21, 'S2-07 a rate of all time');

# What is wrong with a request, and who may ask.
for my $path (qw(analytics/dashboard analytics/overview analytics/leads analytics/conversion-rate reports/leads))
{
    for (['from=soon', 'from', 'Must be a date or time in ISO 8601'], ['to=2026-02-30', 'to', 'Must be a date or time in ISO 8601'], ['from=2026-02-02&to=2026-02-01', 'from', 'Must not be after to'])
    {
        $r = ask("$path?$_->[0]");
        is_error($r, 'engagement', 422, 'Validation failed', "S2-02 $path?$_->[0]");
        is_deeply(json($r)->{errors}, [ { field => $_->[1], message => $_->[2] } ], "S2-02 $path?$_->[0]: why");
    }
    is_error(request('GET', "/v1/$path"), 'engagement', 401, undef, "S2-04 $path without a key");
    is_error(ask($path, $_), 'engagement', 403, undef, "S2-04 $path with a key of role $_") for qw(marketing sdk tenant capture);
    is(request('POST', "/v1/$path", ["X-API-Key: $key{live}"], '{}')->{status}, 405, "S2-07 no POST $path");
}
is(json(ask("$_->[0]?$_->[1]"))->{errors}[0]{field}, $_->[2], "S2-02 $_->[0]?$_->[1]")
    for ['analytics/leads', 'groupBy=year', 'groupBy'], ['analytics/leads', 'groupBy=Day', 'groupBy'], ['reports/leads', 'groupBy=hour', 'groupBy'], ['reports/leads', 'format=xml', 'format'], ['reports/leads', 'format=CSV', 'format'];

# Another workspace sees nothing of it.
my $other = key(workspace('other'), 'live');
is(json(request('GET', "/v1/analytics/dashboard?$range", ["X-API-Key: $other"]))->{data}{leads}{total}, 0, 'S2-04 a workspace of its own');
finish();
