# Figures of ad platforms (S5-11): put by an admin's key, read by S5's.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use JSON::PP ();
use Test::More;

my $id = workspace();
my %key = map { $_ => key($id, $_) } qw(admin sdk agent marketing live tenant capture);
my $range = 'start_date=2026-03-01T00:00:00Z&end_date=2026-03-16T23:59:59Z';

sub put { my ($body, $role) = @_; return request('PUT', '/api/v1/ads', ['Authorization: Bearer ' . $key{ $role // 'admin' }, 'Content-Type: application/json'], $body) }
sub ads { my ($query, $role) = @_; return request('GET', "/api/v1/ads?$query", ['Authorization: Bearer ' . $key{ $role // 'sdk' }]) }
sub says { my ($r, $body, $name) = @_; is("$r->{status} $r->{body}", "200 $body", $name) or diag $r->{raw} }
sub figure
{
    my (%of) = @_;
    return JSON::PP->new->canonical->encode({ date => '2026-03-16', platform => 'meta', account_id => 'act_1', level => 'campaign', campaign_id => '123456', %of });
}

says(ads($range), '{"data":[],"platforms_connected":[],"total_spend":0.00,"total_revenue":0.00,"overall_roas":0}', 'S5-11 nothing');

# The document's row, from its figures.
says(put('{"date":"2026-03-16","platform":"meta","account_id":"act_1","level":"campaign","campaign_id":"123456","campaign_name":"Spring Sale 2026","status":"ACTIVE","currency":"USD","spend":1200.50,"impressions":45000,"clicks":1800,"conversions":45,"revenue":8900.00}'),
    '{"accepted":1,"rejected":[]}', 'S5-11 one figure');
my $row = '{"platform":"meta","level":"campaign","campaign_id":"123456","campaign_name":"Spring Sale 2026","status":"ACTIVE","spend":1200.50,"impressions":45000,"clicks":1800,"conversions":45,"revenue":8900.00,"roas":7.41,"ctr":4.00,"cpc":0.67,"cpm":26.68}';
my $whole = qq({"data":[$row],"platforms_connected":["meta"],"total_spend":1200.50,"total_revenue":8900.00,"overall_roas":7.41});
says(ads($range), $whole, 'S5-11 the whole body');
says(ads("$range&platform=meta&level=campaign", 'agent'), $whole, 'S5-11 the sample of the document, an agent key');
says(ads($range, 'admin'), $whole, 'S5-11 an admin key');

# Who may.
is_error(put(figure(), $_), 'public', 403, 'Forbidden', "S5-11 PUT with a key of role $_") for qw(sdk agent marketing live tenant capture);
is_error(ads($range, $_), 'public', 403, 'Forbidden', "S5-11 GET with a key of role $_") for qw(marketing live tenant capture);
is_error(request('GET', "/api/v1/ads?$range"), 'public', 401, undef, 'S5-11 GET without a key');
is_error(request('PUT', '/api/v1/ads', [], figure()), 'public', 401, undef, 'S5-11 PUT without a key');
is(request('POST', '/api/v1/ads', ["Authorization: Bearer $key{admin}"], figure())->{status}, 405, 'S5-11 no POST');

# Parameters.
is_error(ads(''), 'public', 400, 'start_date and end_date are required', 'D-59 no range');
is_error(ads('start_date=2026-03-01'), 'public', 400, 'start_date and end_date are required', 'D-59 no end');
is_error(ads('start_date=soon&end_date=2026-03-01'), 'public', 400, 'Invalid start_date', 'D-59 no date');
is_error(ads('start_date=2026-03-01&end_date=2026-02-30'), 'public', 400, 'Invalid end_date', 'D-59 no such date');
is_error(ads('start_date=2026-03-02&end_date=2026-03-01'), 'public', 400, 'start_date must not be after end_date', 'D-59 order');
is_error(ads("$range&platform=$_"), 'public', 400, 'Invalid platform', "S5-11 platform=$_") for qw(bing Meta), 'meta,google';
is_error(ads("$range&level=$_"), 'public', 400, 'Invalid level', "S5-11 level=$_") for qw(account Campaign);
says(ads("$range&platform=all"), $whole, 'S5-11 platform=all');
says(ads("$range&platform=google"), '{"data":[],"platforms_connected":["meta"],"total_spend":0.00,"total_revenue":0.00,"overall_roas":0}', 'S5-11 platform=google: none, meta stays connected');
says(ads("$range&level=$_"), '{"data":[],"platforms_connected":["meta"],"total_spend":0.00,"total_revenue":0.00,"overall_roas":0}', "S5-11 level=$_: campaigns cannot be divided") for qw(adset ad);

# Dates of the range's zone (D-01, D-03): workspaces are in UTC where they say nothing.
says(ads("start_date=$_->[0]&end_date=$_->[1]"), $_->[2] ? $whole : $whole =~ s/\[\{.*?\}\],"p/[],"p/r =~ s/:(1200.50|8900.00)/:0.00/gr =~ s/7.41/0/r, "D-03 $_->[0] to $_->[1]")
    for ['2026-03-16', '2026-03-16', 1], ['2026-03-16T23:59:59Z', '2026-03-17T00:00:00Z', 1], ['2026-03-17', '2026-03-18', 0], ['2026-03-15', '2026-03-15T23:59:59.999Z', 0], ['2026-03-17T00:30:00%2B01:00', '2026-03-17', 1];

# Put again, and items that are wrong.
says(put(figure(spend => '7.25', campaign_name => 'Renamed')), '{"accepted":1,"rejected":[]}', 'S5-11 put again');
is(json(ads($range))->{total_spend}, 7.25, 'S5-11 counts once, as it was put last');
is(json(ads($range))->{data}[0]{impressions}, 0, 'S5-11 what is omitted is 0');
is(json(ads($range))->{data}[0]{campaign_name}, 'Renamed', 'S5-11 the latest name');
says(put('[' . join(',', figure(date => '2026-02-30'), figure(), '1', figure(platform => 'x'), figure(level => 'ad'), figure(spend => -1)) . ']'),
    '{"accepted":1,"rejected":[{"index":0,"error":"Invalid date"},{"index":2,"error":"Not an object"},{"index":3,"error":"Invalid platform"},{"index":4,"error":"adset_id is required"},{"index":5,"error":"Invalid spend"}]}',
    'S5-11 each by itself');
says(put('[]'), '{"accepted":0,"rejected":[]}', 'S5-11 an empty array');
is_error(put($_->[0]), 'public', 400, 'Invalid request body', "S5-11 $_->[1]") for ['', 'no body'], ['{', 'no JSON'], ['"x"', 'a text'], ['[' . join(',', ('1') x 1001) . ']', '1001 items'];
is(json(put('[' . join(',', map { figure(campaign_id => "n$_", spend => $_) } 1 .. 1000) . ']'))->{accepted}, 1000, 'S5-11 a thousand');

# Limits: 50, from 1 to 200, unreadable: 50 (D-59); totals are of all.
for ([ '', 50 ], [ '&limit=1', 1 ], [ '&limit=200', 200 ], [ '&limit=201', 200 ], [ '&limit=0', 1 ], [ '&limit=-5', 1 ], [ '&limit=many', 50 ], [ '&limit=', 50 ])
{
    my ($query, $rows) = @$_;
    my $body = json(ads($range . $query));
    is(scalar @{ $body->{data} }, $rows, "S5-11 limit '$query'");
    is($body->{total_spend}, 500500, 'S5-11 totals of all matching rows');
    is($body->{data}[0]{spend}, 1000, 'S5-11 the largest first');
}

# Deeper levels tell more, and are summed where a coarser one says nothing.
is(json(put('[' . join(',', map { figure(date => '2026-04-01', platform => 'google', level => 'ad', campaign_id => 'c', campaign_name => 'C', adset_id => "s$_", adset_name => "S$_", ad_id => "a$_", ad_name => "A$_", status => 'PAUSED', spend => $_, conversions => 0.25) } 1, 2) . ']'))->{accepted}, 2, 'ads');
my $april = 'start_date=2026-04-01&end_date=2026-04-30';
my $tail = '"platforms_connected":["meta","google"],"total_spend":3.00,"total_revenue":0.00,"overall_roas":0.00}';
my $zero = '"revenue":0.00,"roas":0.00,"ctr":0,"cpc":0,"cpm":0}';
sub deep { my ($level, $n, $more, $status) = @_; return qq({"platform":"google","level":"$level","campaign_id":"c","campaign_name":"C",$more"status":$status,"spend":$n.00,"impressions":0,"clicks":0,"conversions":) . ($level eq 'campaign' ? 0.5 : 0.25) . ",$zero" }
says(ads($april), '{"data":[' . deep('campaign', 3, '', 'null') . "],$tail", 'S5-11 campaigns of ads');
says(ads("$april&level=adset"), '{"data":[' . join(',', map { deep('adset', $_, qq("adset_id":"s$_","adset_name":"S$_",), 'null') } 2, 1) . "],$tail", 'S5-11 ad sets of ads');
says(ads("$april&level=ad"), '{"data":[' . join(',', map { deep('ad', $_, qq("adset_id":"s$_","adset_name":"S$_","ad_id":"a$_","ad_name":"A$_",), '"PAUSED"') } 2, 1) . "],$tail", 'S5-11 ads');

# The headers that every answer of S5 has.
my $counted = sql('SELECT leadanalytics.create_key($1, $2, per_minute => 1000)', $id, 'sdk');
my $r = request('GET', "/api/v1/ads?$range", ["Authorization: Bearer $counted"]);
ok(defined header($r, $_), "S5 $_") for qw(X-RateLimit-Limit X-RateLimit-Remaining X-RateLimit-Reset);

# Another workspace sees nothing of it.
my $other = key(workspace('other'), 'sdk');
is(request('GET', "/api/v1/ads?$range", ["Authorization: Bearer $other"])->{body}, '{"data":[],"platforms_connected":[],"total_spend":0.00,"total_revenue":0.00,"overall_roas":0}', 'S5-11 another workspace');
finish();
