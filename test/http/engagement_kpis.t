# Key figures beside those of the time before (S2-14).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP ();
use Test::More;

my $id = workspace();
my %key = map { $_ => key($id, $_) } qw(live sandbox admin marketing);

sub kpis { my ($query, $role) = @_; return request('GET', '/v1/analytics/kpis' . ($query ? "?$query" : ''), ['X-API-Key: ' . $key{ $role // 'live' }]) }
sub data { my $r = kpis(@_); return $r->{status} == 200 && $r->{body} =~ /"data":(.*),"meta":/s ? $1 : "$r->{status} $r->{body}" }
sub lead { my ($lead, $at, $status) = @_; sql('SELECT leadanalytics.put_engagement_lead($1, $2, status => $4, created_at => $3, now => $3)', $id, $lead, $at, $status) }
sub becomes { my ($lead, $at, $status) = @_; sql('SELECT leadanalytics.patch_engagement_lead($1, $2, status => $4, now => $3)', $id, $lead, $at, $status) }
sub mail { sql('SELECT leadanalytics.put_message_events($1, $2)', $id, JSON::PP->new->encode([ map { { message_id => $_->[0], event => $_->[1], timestamp => $_->[2] } } @_ ])) }
sub did { my ($type, $at) = @_; sql('SELECT leadanalytics.add_engagement($1, $2, $3, now => $4)', $id, $type, 'L1', $at) }

my @kpi = (['newLeads', 'New leads', 'count'], ['conversionRate', 'Conversion rate', 'percent'], ['emailsSent', 'Emails sent', 'count'], ['openRate', 'Open rate', 'percent'], ['clickRate', 'Click rate', 'percent'],
    ['replyRate', 'Reply rate', 'percent'], ['formSubmissions', 'Form submissions', 'count'], ['pageVisits', 'Page visits', 'count'], ['avgFirstResponseSeconds', 'Average first response', 'seconds']);
# The whole body: value, previous and change of each, in their order.
sub body { my @of = @_; return '[' . join(',', map { qq({"key":"$kpi[$_][0]","label":"$kpi[$_][1]","value":$of[$_][0],"previous":$of[$_][1],"changePercent":$of[$_][2],"unit":"$kpi[$_][2]"}) } 0 .. 8) . ']' }

is(data('from=2026-02-01&to=2026-02-09'), body((map { [ 0, 0, 'null' ] } 1 .. 8), [ 'null', 'null', 'null' ]), 'S2-14 of nothing');

# Nine days of February, and the nine before.
lead(@$_) for ['L1', '2026-02-01T00:00:00Z', 'new'], ['L2', '2026-02-03T10:00:00Z', 'new'], ['L3', '2026-02-04T10:00:00Z', 'new'], ['L4', '2026-02-09T23:59:59.999Z', 'new'],
    ['before', '2026-01-31T23:59:59.999Z', 'qualified'], ['too early', '2026-01-22T23:59:59.999Z', 'new'], ['too late', '2026-02-10T00:00:00Z', 'new'];
becomes(@$_) for ['L1', '2026-02-01T00:30:00Z', 'converted'], ['L2', '2026-02-03T11:00:00Z', 'contacted'], ['L2', '2026-02-05T11:00:00Z', 'lost'], ['too early', '2026-02-02T00:00:00Z', 'contacted'],
    ['L3', '2026-02-04T10:00:00.9Z', 'unqualified'];
mail(['m1', 'sent', '2026-02-01T10:00:00Z'], ['m1', 'opened', '2026-02-01T12:00:00Z'], ['m1', 'clicked', '2026-02-02T10:00:00Z'], ['m2', 'sent', '2026-02-02T09:00:00Z'], ['m2', 'bounced', '2026-02-02T09:01:00Z'],
    ['m3', 'sent', '2026-02-02T09:00:00Z'], ['m3', 'opened', '2026-02-09T09:00:00Z'], ['m4', 'sent', '2026-02-03T09:00:00Z'], ['m4', 'opened', '2026-02-03T09:00:01Z'],
    ['p1', 'sent', '2026-01-25T09:00:00Z'], ['p1', 'opened', '2026-01-25T10:00:00Z'], ['p1', 'replied', '2026-02-04T10:00:00Z'], ['q1', 'sent', '2026-01-22T09:00:00Z']);
did(@$_) for ['page_visit', '2026-02-02T08:00:00Z'], (map { [ 'page_visit', "2026-01-2${_}T08:01:00Z" ] } 5 .. 8), ['form_submission', '2026-02-02T08:02:00Z'];
# 1 800 s, 3 600 s and 0.9 s: 1 800.3.
my $whole = body([ 4, 1, '300.00' ], [ '25.00', '0.00', 'null' ], [ 4, 1, '300.00' ], [ '66.67', '100', '-33.33' ], [ '33.33', '0.00', 'null' ], [ '33.33', '0.00', 'null' ],
    [ 1, 0, 'null' ], [ 1, 4, '-75.00' ], [ 1800, 'null', 'null' ]);
(my $asked = data('from=2026-02-01&to=2026-02-09')) =~ s/"previous":100(\.0+)?,/"previous":100,/;
is($asked, $whole, 'S2-14 the body');
sql('SELECT leadanalytics.fold($1), leadanalytics.sum_messages(now())', $id);
(my $folded = data('from=2026-02-01&to=2026-02-09')) =~ s/"previous":100(\.0+)?,/"previous":100,/;
is($folded, $whole, 'S2-14 folded, the same');
is(data('from=2026-02-01&to=2026-02-09', 'admin'), data('from=2026-02-01&to=2026-02-09'), 'S2-14 an admin key');
is(json(kpis('from=2026-02-01&to=2026-02-09', 'sandbox'))->{data}[0]{value}, 0, 'S2-04 a sandbox key, whose data are others');

my $r = kpis('from=2026-02-01&to=2026-02-09');
is_success($r, 'engagement', 200, 'S2-02 the envelope');
is(json($r)->{message}, 'KPIs retrieved', 'S2-02 its message');
ok(defined header($r, 'X-Data-As-Of'), 'D-80 stands on the fold');
sub value { my ($query, $kpi, $what) = @_; return (grep { $_->{key} eq $kpi } @{ json(kpis($query))->{data} })[0]{$what} }
is(value('from=2026-01-23&to=2026-01-31', 'newLeads', 'value') . value('from=2026-01-23&to=2026-01-31', 'newLeads', 'previous'), '11', 'S2-14 the time before is as long, and right before');
is(value('from=2026-02-10&to=2026-02-18', 'newLeads', 'previous'), 4, 'S2-14 what is before is the same range asked for');
is(value('from=2026-02-04T10:00:00Z&to=2026-02-04T10:00:00Z', 'newLeads', 'value'), 1, 'D-03 a second');
is(value('from=2026-02-04T10:00:01Z&to=2026-02-04T10:00:01Z', 'newLeads', 'previous'), 1, 'S2-14 and the second before it');
is(value('from=0001-01-01&to=9999-12-31', 'newLeads', 'value'), 7, 'S2-14 all time: nothing was before');
lead('now', sql('SELECT now()'), 'new');
is(value('', 'newLeads', 'value'), 1, 'S2-08 the last 30 days');
is(data('from=2026-02-10&to=2026-02-18') =~ /"key":"avgFirstResponseSeconds","label":"Average first response","value":null,"previous":1800,"changePercent":null/, 1, 'S2-14 no change of what there is none of');

for (['from=soon', 'from', 'Must be a date or time in ISO 8601'], ['to=2026-02-30', 'to', 'Must be a date or time in ISO 8601'], ['from=2026-02-02&to=2026-02-01', 'from', 'Must not be after to'])
{
    $r = kpis($_->[0]);
    is_error($r, 'engagement', 422, 'Validation failed', "S2-02 $_->[0]");
    is_deeply(json($r)->{errors}, [ { field => $_->[1], message => $_->[2] } ], "S2-02 $_->[0]: why");
}
is_error(request('GET', '/v1/analytics/kpis'), 'engagement', 401, undef, 'S2-04 without a key');
is_error(kpis('', 'marketing'), 'engagement', 403, undef, 'S2-04 with a key of another role');
finish();
