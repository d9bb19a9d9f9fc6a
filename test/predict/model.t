# What models are worth (S2-19): learned from generated leads of which it is known how likely each converts
# (generate.sql), beside R's glm(); forecasts beside what came to be; and nobody waits while one is learned.
#
#   LA_SOCKET=<socket dir> prove test/predict/model.t
#
# Makes and drops a database of its own. A user with the right to create one is needed (PGUSER).
use strict;
use warnings;
use Test::More;
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Time::HiRes qw(sleep time);

my $socket = $ENV{LA_SOCKET} or plan skip_all => 'LA_SOCKET (the socket directory of a PostgreSQL server) is not set';
my $here = dirname(__FILE__);
my $database = "leadanalytics_predict_$$";
my $dir = tempdir(CLEANUP => 1);
$ENV{PGHOST} = $socket;
$ENV{PGUSER} //= 'postgres';
$ENV{PGOPTIONS} = '-c client_min_messages=warning';

sub run
{
    my ($command, $input) = @_;
    open my $file, '>', "$dir/input" or die $!;
    print $file $input;
    close $file;
    my $out = `timeout 300 $command < $dir/input 2>&1`;
    die "$command failed: $out" if $?;
    chomp $out;
    return $out;
}
sub psql { my ($sql, $db) = @_; return run("psql -XqAt -v ON_ERROR_STOP=1 -d @{[$db // $database]} -f -", $sql) }
sub generate { my %with = @_; return run("psql -XqAt -v ON_ERROR_STOP=1 -d $database @{[map { qq(-v $_='$with{$_}') } sort keys %with]} -f $here/generate.sql", '') }

psql("CREATE DATABASE $database", 'postgres');
END { `psql -Xq -d postgres -c 'DROP DATABASE IF EXISTS $database WITH (FORCE)' 2>&1` if $database }
psql('CREATE EXTENSION leadanalytics');
my $n = 20_000;
generate(slug => 'known', n => $n, days => 400, seed => 0.3, ends => '2026-06-01Z');

# What was known of each lead: no more, no less.
psql('SELECT leadanalytics.keep_facts(1)');
my $truth = 'SELECT lead, seconds::real, scroll::real, clicks, 3, 0, suspicion::smallint, medium, device, mail FROM public.truth';
my $fact = 'SELECT lead, session_seconds, scroll_percent, clicks, pageviews, returns, suspicion, medium, device, email FROM leadanalytics.lead_fact';
is(psql("SELECT count(*) FROM leadanalytics.lead_fact"), $n, 'each lead has its facts');
is(psql("($truth) EXCEPT ($fact)"), '', 'what was known of leads is known');
is(psql("($fact) EXCEPT ($truth)"), '', 'and nothing that came later');
cmp_ok(psql('SELECT count(*) FROM public.truth t JOIN leadanalytics.session s ON s.number = t.session WHERE s.clicks > t.clicks'), '>', $n / 3, '(of many more has come later)');

# Learned from the first three quarters, asked of the rest.
psql("SELECT leadanalytics.train_model(1, '2026-05-01Z')");
my $held = "SELECT t.converts, t.p, leadanalytics.odds_probability(x.log_odds) AS told FROM public.truth t JOIN leadanalytics.lead_prediction x USING (lead) WHERE t.at > timestamptz '2026-05-01Z' - interval '2160 hours'";
my ($true, $told, $leads) = split /\|/, psql("SELECT (leadanalytics.prediction_metrics(array_agg(p), array_agg(converts))).auc, (leadanalytics.prediction_metrics(array_agg(told), array_agg(converts))).auc, count(*) FROM ($held) AS h");
cmp_ok($leads, '>', 5000, 'leads that no model has seen');
cmp_ok(abs($true - $told), '<', 0.02, "the area under the curve ($told) is that of the true model ($true), within 0.02");
cmp_ok($true, '>', 0.75, 'which tells something');
cmp_ok(psql("SELECT avg(abs(p - told)) FROM ($held) AS h"), '<', 0.02, 'probabilities are the true ones, by and large');
my ($seen, $worst) = split /\|/, psql("SELECT auc, (SELECT max(abs((b ->> 'predicted')::float8 - (b ->> 'observed')::float8)) FROM json_array_elements(calibration) AS b) FROM leadanalytics.prediction_models");
cmp_ok(abs($seen - $told), '<', 0.02, 'cross-validation says what it is worth');
cmp_ok($worst, '<', 0.035, 'and that its probabilities are ones');
# The ruler itself: somebody who looks at the whole session knows too much, and it shows.
cmp_ok(psql("SELECT (leadanalytics.prediction_metrics(array_agg(p), array_agg(converts))).auc FROM (SELECT t.converts, 1 - 1 / (1 + s.clicks::float8) AS p FROM public.truth t JOIN leadanalytics.session s ON s.number = t.session WHERE t.goes_on) AS h"), '>', $true + 0.05, '(what came later tells more)');

SKIP: {
    skip 'R (Debian\'s r-base-core) is not installed', 5 if system('Rscript -e 0 >/dev/null 2>&1');
    my $names = join ', ', split /\n/, psql("SELECT format(CASE kind WHEN 'word' THEN '''a word: '' || coalesce(e.words[%1\$s - 14], ''none'') AS %2\$s' ELSE 'e.numbers[%1\$s + 1] AS %2\$s' END, place, name) FROM leadanalytics.prediction_features() WHERE name IN (SELECT feature FROM leadanalytics.prediction_weights WHERE part IN ('n', 'w'))");
    my $csv = psql("COPY (SELECT e.lead, e.fold, e.converted::int, $names FROM leadanalytics.prediction_examples(1, '2160 hours', '2026-05-01Z') e) TO STDOUT (FORMAT csv, HEADER)");
    my ($auc, $loss, $brier, @p) = split /\n/, run("Rscript $here/logistic.R", "$csv\n");
    my ($our_auc, $our_loss, $our_brier) = split /\|/, psql('SELECT auc, log_loss, brier FROM leadanalytics.prediction_models');
    cmp_ok(abs($auc - $our_auc), '<', 0.002, "R's area under the curve ($auc) is ours ($our_auc)");
    cmp_ok(abs($loss - $our_loss), '<', 0.001, "R's log loss ($loss) is ours ($our_loss)");
    cmp_ok(abs($brier - $our_brier), '<', 0.001, "R's Brier score ($brier) is ours ($our_brier)");
    my %ours = map { split /\|/ } split /\n/, psql('SELECT lead, leadanalytics.odds_probability(log_odds) FROM leadanalytics.lead_prediction');
    is(scalar @p, scalar(grep { my ($lead) = split / /; exists $ours{$lead} } @p), 'R answers for leads that we know');
    my @off = sort { $b <=> $a } map { my ($lead, $p) = split / /; abs($p - $ours{$lead}) } @p;
    cmp_ok($off[0], '<', 0.04, "the probabilities of R are ours; the one that differs most, by $off[0] (ours are regularised)");
}

# Forecasts beside what came to be, again and again, each with a model of what was known then. Windows do not overlap.
psql(<<'SQL');
CREATE TABLE public.back AS SELECT d AS at, NULL::float8 AS expected, NULL::float8 AS low, NULL::float8 AS high, NULL::float8 AS low95, NULL::float8 AS high95 FROM generate_series('2025-10-01Z'::timestamptz, '2026-05-20Z', '10 days') AS d;
DO $$
DECLARE
    b record;
BEGIN
    FOR b IN SELECT * FROM public.back LOOP
        PERFORM leadanalytics.train_model(1, b.at);
        UPDATE public.back SET (expected, low, high) = (SELECT f.expected, f.low, f.high FROM leadanalytics.forecast_rows(1, 10, 80, b.at) f),
                               (low95, high95) = (SELECT f.low, f.high FROM leadanalytics.forecast_rows(1, 10, 95, b.at) f) WHERE at = b.at;
    END LOOP;
END
$$;
SQL
my ($windows, $in80, $in95, $share) = split /\|/, psql(<<'SQL');
SELECT count(*), avg((came BETWEEN low AND high)::int), avg((came BETWEEN low95 AND high95)::int), sum(came) / sum(expected)
FROM (SELECT b.*, (SELECT count(*) FROM public.truth t WHERE t.converts AND t.at + make_interval(secs => 86400 * t.took) > b.at AND t.at + make_interval(secs => 86400 * t.took) <= b.at + interval '240 hours') AS came FROM public.back b) AS b
SQL
diag("forecasts of 10 days: $windows, of which $in80 within 80 %, $in95 within 95 %; came/expected $share");
cmp_ok($share, '>', 0.93, 'as many convert as was forecast');
cmp_ok($share, '<', 1.07, 'and no more');
cmp_ok($in80, '>', 0.6, 'intervals of 80 % hold most of the time');
cmp_ok($in80, '<', 0.97, 'and not always');
cmp_ok($in95, '>', 0.85, 'intervals of 95 % nearly always');

# Nobody waits while a model is learned: it holds all that it ever will for five seconds more, and everything goes on.
psql('SELECT leadanalytics.fold(1)'); # (what was generated)
my $training = fork // die $!;
if ($training == 0)
{
    undef $database;
    exec 'psql', '-Xq', '-d', psql_name(), '-c', "BEGIN; SELECT leadanalytics.train_model(1, '2026-05-20Z'); SELECT pg_sleep(6) AS held; COMMIT", '-o', '/dev/null';
}
sub psql_name { return "leadanalytics_predict_" . getppid() }
my $holds = "SELECT count(*) FROM pg_stat_activity WHERE datname = '$database' AND query LIKE '%AS held%' AND wait_event = 'PgSleep'";
for (1 .. 200) { last if psql($holds) == 1; sleep 0.1 }
is(psql($holds), 1, 'a model is learned and not committed yet');
my $quickly = "SET statement_timeout = '3s'; SET lock_timeout = '1s'; ";
psql($quickly . q(SELECT leadanalytics.track(1, '{"event_name": "page_view", "visitor_id": "late", "event_data": {"url": "https://x.example/"}}')));
psql($quickly . 'SELECT leadanalytics.fold(1)');
is(psql('SELECT count(*) FROM leadanalytics.event e JOIN leadanalytics.visitor v ON v.workspace = e.workspace AND v.number = e.visitor WHERE v.visitor_id = $$late$$'), 1, 'an event is taken and folded');
psql($quickly . q(SELECT leadanalytics.capture_lead(1, '{"EMAIL": "late@x.example"}')));
psql($quickly . q(SELECT leadanalytics.set_lead_status(1, min(id), 'qualified') FROM leadanalytics.lead));
psql($quickly . q(SELECT leadanalytics.put_engagement_lead(1, 'late', created_at => '2026-01-01Z')));
psql($quickly . q(SELECT leadanalytics.put_engagement_lead(1, 'late', created_at => '2026-01-02Z')));
psql($quickly . q(SELECT leadanalytics.sum_tallies(now())));
cmp_ok(psql($quickly . 'SELECT (leadanalytics.predictions(1) #>> $${pagination,total}$$)::int'), '==', $n + 2, 'leads come, change, are moved, and are told');
is(psql($holds), 1, 'all while it is learned');
waitpid $training, 0;
is($?, 0, 'and it was');
psql('SELECT leadanalytics.keep_facts(1)');
is(psql('SELECT count(*), count(DISTINCT version), count(*) FILTER (WHERE version = leadanalytics.model_version(1)) FROM leadanalytics.lead_prediction'), $n + 2 . '|1|' . ($n + 2), 'those that came meanwhile are of the new model');

# The worker's unit: a model where there is reason for one, and nothing written where there is none.
psql("SELECT leadanalytics.create_workspace('idle')");
my $models = q(SELECT string_agg(workspace || ':' || version, ' ' ORDER BY workspace, version) FROM leadanalytics.prediction_models);
my $before = psql($models);
psql(q(CALL leadanalytics.train_models('2026-05-21Z')));
is(psql($models), $before, 'nothing is new: no model');
my $written = 'SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables';
is(psql("CALL leadanalytics.train_models('2026-05-21Z'); CALL leadanalytics.predict_leads('2026-05-21Z'); $written"), 0, 'nor is anything written');
my $version = psql('SELECT leadanalytics.model_version(1)');
psql(q(CALL leadanalytics.train_models('2026-08-25Z')));
is(psql('SELECT leadanalytics.model_version(1)'), $version + 1, 'a quarter of the leads are over since: a model');
psql("DROP DATABASE $database WITH (FORCE)", 'postgres');
undef $database;
done_testing();
