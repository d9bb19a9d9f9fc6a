# Predictions (S2-19): the doors. What models are worth: test/predict.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Door;
use Test::More;

my $id = workspace();
my %key = map { $_ => key($id, $_) } qw(live sandbox admin marketing sdk tenant capture);
sub ask { my ($path, $role) = @_; return request('GET', "/v1/analytics/predictions/$path", ['X-API-Key: ' . $key{ $role // 'live' }]) }
sub of { my ($r) = @_; return $r->{status} == 200 && $r->{body} =~ /"data":(.*?),"(?:meta|pagination)":\{/s ? $1 : "$r->{status} $r->{body}" }
sub data { return of(ask(@_)) }

# Nothing yet.
my $empty = '{"version":null,"status":"not enough data","trainedAt":null,"horizonDays":90,"leads":0,"conversions":0,"required":{"converted":50,"notConverted":50},"auc":null,"logLoss":null,"brier":null,"calibration":[],"features":[]}';
is(data('leads'), '[]', 'S2-19 no leads');
is(data('model'), $empty, 'S2-19 no model: not enough data, and how much is');
is(data('forecast'), '{"days":30,"expected":null,"low":null,"high":null,"confidence":80,"fromOpenLeads":null,"fromNewLeads":null,"modelVersion":null}', 'S2-19 no model, no forecast');

# Without a model: the engagement score, and its rules' points.
sql(q{SELECT leadanalytics.track($1, '{"events": [
    {"event_name": "page_view", "visitor_id": "v1", "session_id": "s1", "timestamp": "2026-03-01T09:58:00Z"}, {"event_name": "click", "visitor_id": "v1", "session_id": "s1", "timestamp": "2026-03-01T09:59:00Z"},
    {"event_name": "scroll", "visitor_id": "v1", "session_id": "s1", "timestamp": "2026-03-01T10:00:00Z", "event_data": {"scroll_percent": 50}}]}', now => '2026-03-01T10:00:00Z')}, $id);
sql(q{SELECT leadanalytics.capture_lead($1, '{"EMAIL": "ann@x.example", "__visitor_id": "v1"}', now => '2026-03-01T10:00:30Z')}, $id);
my $ann = sql('SELECT id FROM leadanalytics.lead WHERE workspace = $1', $id);
my $rule = qq({"leadId":"$ann","score":28,"probability":null,"label":"Warm","factors":[{"name":"scroll_percent","value":50,"effect":15.0000,"direction":"up"},{"name":"session_seconds","value":120,"effect":12.0000,"direction":"up"},)
    . '{"name":"clicks","value":1,"effect":1.0000,"direction":"up"}],"modelVersion":null}';
is(data("leads/$ann"), $rule, 'S2-19 without a model: the score of the rules, these keys (D-80)');
is(data('leads'), "[$rule]", 'S2-19 the same in the list');

# Leads of five months ago and today; those of "good" are converted by and large.
sql(q{SELECT count(leadanalytics.put_engagement_lead($1, 'p' || i, source => CASE WHEN i % 3 = 0 THEN 'good' ELSE 'bad' END, created_at => now() - make_interval(secs => (200 - i / 3) * 86400.0))) FROM generate_series(1, 600) AS i}, $id);
sql(q{SELECT count(leadanalytics.patch_engagement_lead($1, 'p' || i, status => CASE WHEN (i % 3 = 0) = (i % 10 > 1) THEN 'converted' ELSE 'lost' END, now => now() - make_interval(secs => (195 - i / 3) * 86400.0))) FROM generate_series(1, 500) AS i}, $id);
my $version = sql('SELECT leadanalytics.train_model($1)', $id);
my $detail = ask('leads/p3');
is_success($detail, 'engagement', 200, 'S2-02 the envelope of one');
is(json($detail)->{message}, 'Prediction retrieved', 'S2-02 its message');
my $p3 = json($detail)->{data};
is_deeply([sort keys %$p3], [qw(factors label leadId modelVersion probability score)], 'S2-19 these keys');
is($p3->{modelVersion}, $version, 'S2-19 the model');
is($p3->{score}, sprintf('%.0f', 100 * sql(q{SELECT leadanalytics.odds_probability(p.log_odds) FROM leadanalytics.lead_prediction p JOIN leadanalytics.lead l ON l.workspace = p.workspace AND l.id = p.lead WHERE p.workspace = $1 AND l.external_id = 'p3'}, $id)), 'S2-19 the score is the probability in percent');
ok($p3->{probability} > 0.5 && $p3->{probability} < 1, 'S2-19 a good one');
is_deeply([map { join ' ', sort keys %$_ } @{ $p3->{factors} }], [('direction effect name value') x @{ $p3->{factors} }], 'S2-19 factors: these keys');
is("$p3->{factors}[0]{name} $p3->{factors}[0]{value} $p3->{factors}[0]{direction}", 'source good up', 'S2-19 factors: the strongest first');
is(scalar(grep { ($_->{effect} > 0) != ($_->{direction} eq 'up') } @{ $p3->{factors} }), 0, 'S2-19 factors: direction is the sign');
my $list = ask('leads?limit=100');
is_success($list, 'engagement', 200, 'S2-02 the envelope of the list');
is(json($list)->{message}, 'Predictions retrieved', 'S2-02 its message');
is_deeply(json($list)->{pagination}, { page => 1, limit => 100, total => 601, totalPages => 7, hasNext => JSON::PP::true, hasPrev => JSON::PP::false }, 'S2-02 pages');
my @scores = map { $_->{score} } map { @{ json(ask("leads?limit=100&page=$_"))->{data} } } 1 .. 7;
is(scalar(@scores), 601, 'S2-19 all of them, page by page');
is_deeply(\@scores, [sort { $b <=> $a } @scores], 'S2-19 the likeliest first');
my ($in_list) = grep { $_->{leadId} eq 'p3' } map { @{ json(ask("leads?limit=100&page=$_"))->{data} } } 1 .. 7;
is_deeply($in_list, $p3, 'S2-19 list = detail');
is(data('leads?page=1&limit=20&sort=score_desc'), data('leads'), 'S2-19 what nothing is said means');
is_deeply([map { $_->{score} } @{ json(ask('leads?sort=score_asc&limit=3'))->{data} }], [(sort { $a <=> $b } @scores)[0 .. 2]], 'S2-19 sort=score_asc');
is(json(ask('leads?minScore=50'))->{pagination}{total}, scalar(grep { $_ >= 50 } @scores), 'S2-19 minScore');
is(json(ask('leads?minScore=0'))->{pagination}{total}, 601, 'S2-19 minScore=0');
my %most = (Cold => [0, 20], Warm => [21, 45], Hot => [46, 70], 'Very%20Hot' => [71, 100]);
is(json(ask("leads?label=$_"))->{pagination}{total}, do { my $m = $most{$_}; scalar(grep { $_ >= $m->[0] && $_ <= $m->[1] } @scores) }, "S2-19 label=$_") for sort keys %most;
is(data('leads?page=1000'), '[]', 'S2-19 beyond the last page');

# The model.
my $model = ask('model');
is_success($model, 'engagement', 200, 'S2-02 the envelope of the model');
my $m = json($model)->{data};
is_deeply([sort keys %$m], [qw(auc brier calibration conversions features horizonDays leads logLoss required status trainedAt version)], 'S2-19 the model: these keys');
is("$m->{version} $m->{status} $m->{horizonDays}", "$version trained 90", 'S2-19 the model in use');
is("$m->{leads} $m->{conversions}", sql('SELECT leads, conversions FROM leadanalytics.prediction_models WHERE workspace = $1 AND version = $2', $id, $version) =~ s/\|/ /r, 'S2-19 what it was learned from');
ok($m->{auc} > 0.7 && $m->{auc} < 0.9 && $m->{logLoss} > 0 && $m->{brier} > 0 && $m->{brier} < 0.25, 'S2-19 how good it is');
is(scalar(@{ $m->{calibration} }), 10, 'S2-19 calibration by tenths');
is(eval { my $n = 0; $n += $_->{n} for @{ $m->{calibration} }; $n }, $m->{leads}, 'S2-19 calibration: of all leads');
is($m->{features}[0]{part}, 'intercept', 'S2-19 features: the intercept first');
is_deeply([sort keys %{ $m->{features}[0] }], [qw(mean name part scale weight word)], 'S2-19 features: these keys');

# The forecast.
my $f = json(ask('forecast'))->{data};
is_deeply([sort keys %$f], [qw(confidence days expected fromNewLeads fromOpenLeads high low modelVersion)], 'S2-19 the forecast: these keys');
ok($f->{low} < $f->{expected} && $f->{expected} < $f->{high} && abs($f->{expected} - $f->{fromOpenLeads} - $f->{fromNewLeads}) < 0.011, 'S2-19 the forecast');
is(data('forecast?days=30&confidence=80'), data('forecast'), 'S2-19 what nothing is said means');
my $sure = json(ask('forecast?confidence=95'))->{data};
ok($sure->{high} > $f->{high} && $sure->{expected} == $f->{expected}, 'S2-19 the surer, the wider');
is(json(ask("forecast?days=$_"))->{data}{days}, $_, "S2-19 days=$_") for 1, 365;
is(json(ask('forecast'))->{message}, 'Forecast retrieved', 'S2-02 its message');
is(json($model)->{message}, 'Model retrieved', 'S2-02 its message');

# A lead that came this moment.
sql(q{SELECT leadanalytics.put_engagement_lead($1, 'now', source => 'good')}, $id);
is(json(ask('leads/now'))->{data}{modelVersion}, $version, 'S2-19 a new lead at once');
is(json(ask('leads'))->{pagination}{total}, 602, 'S2-19 and in the list');

is(data('leads/p3', 'admin'), data('leads/p3'), 'S2-19 an admin key');
is(data('leads', 'sandbox'), '[]', 'S2-04 a sandbox key, whose data are others');
is(data('model', 'sandbox'), $empty, 'S2-04 a sandbox key: no model');
for my $path ('leads', 'leads/p3', 'forecast', 'model')
{
    is_error(ask($path, $_), 'engagement', 403, undef, "S2-19 $path: a key of role $_") for qw(marketing sdk tenant capture);
    is_error(request('GET', "/v1/analytics/predictions/$path"), 'engagement', 401, undef, "S2-19 $path: no key");
    is(request('POST', "/v1/analytics/predictions/$path", ["X-API-Key: $key{live}"], '{}')->{status}, 405, "S2-19 $path: no POST");
}
is_error(ask('leads/nobody'), 'engagement', 404, 'Lead not found', 'S2-19 no such lead');
is_error(ask('leads/p3', 'sandbox'), 'engagement', 404, 'Lead not found', 'S2-19 nor another dataset\'s');
for (['leads?limit=0', 'limit'], ['leads?limit=101', 'limit'], ['leads?page=0', 'page'], ['leads?sort=newest', 'sort'], ['leads?minScore=-1', 'minScore'], ['leads?minScore=101', 'minScore'], ['leads?minScore=x', 'minScore'],
    ['leads?label=hot', 'label'], ['forecast?days=0', 'days'], ['forecast?days=366', 'days'], ['forecast?days=1.5', 'days'], ['forecast?confidence=90', 'confidence'], ['forecast?confidence=99', 'confidence'])
{
    my $r = ask($_->[0]);
    is_error($r, 'engagement', 422, 'Validation failed', "S2-02 $_->[0]");
    is(json($r)->{errors}[0]{field}, $_->[1], "S2-02 $_->[0]: which field");
}
finish();
