# Cohorts (S2-16).
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my %key = map { $_ => key($id, $_) } qw(live sandbox admin marketing sdk tenant capture);
sub ask { my ($query, $role) = @_; return request('GET', "/v1/analytics/cohorts$query", ['X-API-Key: ' . $key{ $role // 'live' }]) }
sub data { my $r = ask(@_); return $r->{status} == 200 && $r->{body} =~ /"data":(.*),"meta":/s ? $1 : "$r->{status} $r->{body}" }
sub lead { my ($lead, $at) = @_; sql('SELECT leadanalytics.put_engagement_lead($1, $2, created_at => $3, now => $3)', $id, $lead, $at) }

is(data(''), '[]', 'S2-16 nothing');
# Weeks that are over: by hand, long ago, so that periods go on to now; only the first ones are looked at.
lead('a', '2026-02-02T00:00:00Z');
lead('b', '2026-02-08T23:59:59.999Z');
lead('c', '2026-02-09T00:00:00Z');
sql('SELECT leadanalytics.add_engagement($1, $2, $3, now => $4)', $id, @$_) for ['page_visit', 'a', '2026-02-03T00:00:00Z'], ['page_visit', 'a', '2026-02-04T00:00:00Z'], ['email_open', 'b', '2026-02-10T00:00:00Z'], ['form_submission', 'c', '2026-02-28T00:00:00Z'];
sql('SELECT leadanalytics.patch_engagement_lead($1, $2, status => $3, now => $4)', $id, 'b', 'converted', '2026-03-05T00:00:00Z');
my $range = 'from=2026-02-01&to=2026-02-28';
sub first { my ($body, $n) = @_; return join ' | ', map { my $c = $_; "$c->{cohort} $c->{size} " . join ' ', map { "$_->{index}:$_->{count}:$_->{rate}" } @{ $c->{periods} }[ 0 .. $n - 1 ] } @{ json($body)->{data} } }
is(first(ask("?$range"), 4), '2026-02-02 2 0:1:50 1:1:50 2:0:0 3:0:0 | 2026-02-09 1 0:0:0 1:0:0 2:1:100 3:0:0', 'S2-16 weeks, engaged: what nothing is said means');
is(data("?interval=week&metric=engaged&$range"), data("?$range"), 'S2-16 the same when said');
is(first(ask("?$range&metric=converted"), 5), '2026-02-02 2 0:0:0 1:0:0 2:0:0 3:0:0 4:1:50 | 2026-02-09 1 0:0:0 1:0:0 2:0:0 3:0:0 4:0:0', 'S2-16 converted: once');
is(first(ask("?$range&interval=month"), 2), '2026-02-01 3 0:3:100 1:0:0', 'S2-16 months');
is(first(ask("?$range&interval=month&metric=converted"), 2), '2026-02-01 3 0:0:0 1:1:33.33', 'S2-16 rates have two decimals');
like(data("?$range&interval=month"), qr/^\[\{"cohort":"2026-02-01","size":3,"periods":\[\{"index":0,"count":3,"rate":100\.00\},\{"index":1,"count":0,"rate":0\.00\}/, 'D-80 these keys, in this order');
is(first(ask('?from=2026-02-02T00:00:00.001Z&to=2026-02-08'), 2), '2026-02-02 1 0:0:0 1:1:100', 'D-03 a range to the millisecond');
is(first(ask('?from=2026-02-02T01:00:00%2B01:00&to=2026-02-02'), 1), '2026-02-02 1 0:1:100', 'D-01 an offset');
my $before = data("?$range");
sql('SELECT leadanalytics.fold($1)', $id);
is(data("?$range"), $before, 'S2-16 folded, the same');
my $r = ask("?$range");
is_success($r, 'engagement', 200, 'S2-02 the envelope');
is(json($r)->{message}, 'Cohorts retrieved', 'S2-02 its message');
ok(defined header($r, 'X-Data-As-Of'), 'D-80 it stands on the fold');
is(data("?$range", 'admin'), $before, 'S2-16 an admin key');
is(data("?$range", 'sandbox'), '[]', 'S2-04 a sandbox key, whose data are others');

is_error(ask("?$range", $_), 'engagement', 403, undef, "S2-16 a key of role $_") for qw(marketing sdk tenant capture);
is_error(request('GET', '/v1/analytics/cohorts'), 'engagement', 401, undef, 'S2-16 no key');
is(request('POST', '/v1/analytics/cohorts', ["X-API-Key: $key{live}"], '{}')->{status}, 405, 'S2-16 no POST');
for (['interval=day', 'interval'], ['interval=Week', 'interval'], ['metric=opened', 'metric'], ['from=soon', 'from'], ['to=2026-02-30', 'to'], ['from=2026-03-01&to=2026-02-01', 'from'], ['from=2000-01-01&to=2026-01-01', 'from'])
{
    my $r = ask("?$_->[0]");
    is_error($r, 'engagement', 422, 'Validation failed', "S2-02 $_->[0]");
    is(json($r)->{errors}[0]{field}, $_->[1], "S2-02 $_->[0]: which field");
}
is(json(ask('?from=2000-01-01&to=2026-01-01'))->{errors}[0]{message}, 'Must not be more than 520 cohorts before to', 'S2-16 weeks of 26 years are too many');
is(data('?from=2000-01-01&to=2026-01-01&interval=month'), '[]', 'S2-16 months are not');
finish();
