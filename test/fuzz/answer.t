# Random facts, folds and questions: every answer from segments equals the one from the rows alone. Facts come by
# ingestion and by INSERT, in any order of time; folds are bounded, rolled back and cancelled; buckets are made,
# dropped and forgotten; zones change. LA_SEED replays a run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../lib";
use Fuzz;
use JSON::PP;
use Psql;
use Test::More;

my $seed = seed($ENV{LA_LONG} ? time : 20260329);
my $seconds = $ENV{LA_LONG} ? 1200 : 60;
note("LA_SEED=$seed");
my $json = JSON::PP->new->canonical;
fresh_database('la_fuzz_answer');

# Around the nights in which New York's, Lord Howe's and St. John's clocks are set.
my $begin = 1772323200; # 2026-03-01 00:00 UTC
my $days = 45;
my @zones = qw(UTC Asia/Kolkata Asia/Kathmandu America/St_Johns Australia/Lord_Howe America/New_York);

my $db = session('la_fuzz_answer');
sub say_sql { my ($sql) = @_; my $said = ask($db, $sql); return $said }
for my $statement (
    'SET leadanalytics.segment_events = 4',
    q{SELECT leadanalytics.make_leaf('event', m::date) FROM generate_series(date '2026-02-01', '2026-06-01', '1 month') AS m},
    "SELECT leadanalytics.create_workspace('w' || i, 'Workspace ' || i, timezone => (ARRAY['" . join("','", @zones) . "'])[i]) FROM generate_series(1, 3) AS i",
    q{CREATE FUNCTION compare(w int, d text[], b timestamptz[], n timestamptz, bots boolean, u boolean, t int, m boolean, nothing text[], o text[]) RETURNS text LANGUAGE sql STABLE AS $$
        WITH s AS (SELECT row_number() OVER () AS place, a.* FROM leadanalytics.answer_from_segments(w, d, b, n, bots, u, t, m, nothing, o) a),
             r AS (SELECT row_number() OVER () AS place, a.* FROM leadanalytics.answer_from_rows(w, d, b, n, bots, u, t, m, nothing, o) a)
        SELECT coalesce(string_agg(x.which || ' ' || x.line, E'\n'), 'same ' || (SELECT count(*) FROM r)) FROM (
            (SELECT 'segments:' AS which, s::text AS line FROM (SELECT dimension, slot, value, counts, members FROM s EXCEPT SELECT dimension, slot, value, counts, members FROM r) s LIMIT 5)
            UNION ALL
            (SELECT 'rows:', r::text FROM (SELECT dimension, slot, value, counts, members FROM r EXCEPT SELECT dimension, slot, value, counts, members FROM s) r LIMIT 5)
            UNION ALL
            (SELECT 'order:', s::text || ' ' || r::text FROM s JOIN r USING (dimension, slot, value) WHERE slot = 0 AND s.place <> r.place LIMIT 3)) AS x $$})
{
    my $said = say_sql($statement);
    BAIL_OUT($said) if $said =~ /ERROR/;
}
my @dimensions = split /\n/, say_sql('SELECT name FROM leadanalytics.dimensions()');

# --- Facts ------------------------------------------------------------------------------------------------

my @agents = ('Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0', 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1',
    'Googlebot/2.1 (+http://www.google.com/bot.html)', '');
my @referrers = ('https://www.google.com/', 'https://news.example/a', 'https://news.example/b', 'nothing', '');
my $clock = $begin + 86400;

sub time_of
{
    my ($s) = @_;
    my @p = gmtime $s;
    return sprintf '%04d-%02d-%02dT%02d:%02d:%02d', $p[5] + 1900, $p[4] + 1, @p[3, 2, 1, 0];
}

sub moment
{
    my $at = $begin + number_to($days * 86400);
    $at -= $at % pick(86400, 3600, 900) if chance(20);
    $at = $clock - number_to(7200) if chance(50);
    return $at;
}

sub track_some
{
    my $w = 1 + number_to(3);
    my @events;
    for (1 .. pick(1, 3, 20, 120))
    {
        my $visitor = 'v' . number_to(pick(3, 40, 400));
        my %e = (event_name => pick(qw(page_view page_view page_view click scroll signup purchase)), event_data => { url => 'https://shop.example/' . pick('a' .. 'f', number_to(60)) }, timestamp => time_of(moment()) . 'Z');
        $e{visitor_id} = $visitor if chance(90);
        $e{session_id} = "s$w-$visitor-" . number_to(4) if chance(50);
        $e{event_data}{referrer} = pick(@referrers) if chance(50);
        $e{event_data}{utm_campaign} = pick('spring', 'autumn'), $e{event_data}{utm_source} = pick('mail', 'ads') if chance(20);
        $e{event_data}{tags} = [map { pick(qw(red green blue)) } 0 .. number_to(3)] if chance(20);
        $e{source} = 'shopify' if chance(10);
        $e{event_data}{fingerprint_id} = 'f' . number_to(30) if chance(30);
        $e{event_id} = 'e' . number_to(3000) if chance(30);
        push @events, \%e;
    }
    my $body = $json->encode({ events => \@events });
    return say_sql(sprintf q{SELECT leadanalytics.track(%d, '%s', client_ip => '198.51.100.%d', user_agent => '%s', now => '%sZ', as_role => '%s')->>'accepted'}, $w, $body, number_to(9), pick(@agents), time_of($clock), pick('admin', 'admin', 'sdk'));
}

sub insert_some
{
    my $w = 1 + number_to(3);
    return say_sql(sprintf q{INSERT INTO leadanalytics.event (at, received_at, workspace, visitor, name, page, place, campaign, tags, kind) SELECT timestamptz '%sZ' + i * interval '7 minutes', now(), %d, i %% 5 + 1, t.id, t.id, t.id, t.id, ARRAY[t.id, 1], 'p' FROM generate_series(1, %d) AS i, (SELECT min(id) AS id FROM leadanalytics.term WHERE workspace = %d AND kind = 'page') AS t WHERE t.id IS NOT NULL},
        time_of(moment()), $w, number_to(40), $w);
}

# --- What is done with them -------------------------------------------------------------------------------

my $some = sub { 1 + number_to(3) };
my @deeds = (
    [ 30, \&track_some ],
    [ 3, \&insert_some ],
    [ 20, sub { say_sql(sprintf q{SELECT leadanalytics.fold_workspace(%d, %d, '%sZ')}, $some->(), pick(1, 50, 400, 50000), time_of($clock)) } ],
    [ 5, sub { say_sql(sprintf q{BEGIN; SELECT leadanalytics.fold_workspace(%d, 50000, '%sZ'); ROLLBACK}, $some->(), time_of($clock)) } ],
    [ 4, sub { say_sql(sprintf q{SET statement_timeout = %d; SELECT leadanalytics.fold(now => '%sZ'); SELECT leadanalytics.build(%d, '%sZ'); SET statement_timeout = '30s'}, 1 + number_to(25), time_of($clock), $some->(), time_of($clock)) } ],
    [ 6, sub { say_sql(sprintf q{SELECT leadanalytics.build_workspace(%d, '%sZ')}, $some->(), time_of($clock + pick(0, 0, 40 * 86400))) } ],
    [ 1, sub { say_sql(sprintf q{SELECT leadanalytics.drop_quarters(%d, '%sZ')}, $some->(), time_of($clock + 40 * 86400)) } ],
    [ 1, sub { my $at = moment(); say_sql(sprintf q{SELECT leadanalytics.forget_segments(%d, '%sZ', '%sZ')}, $some->(), time_of($at), time_of($at + number_to(9 * 86400))) } ],
    [ 4, sub { say_sql(sprintf q{SELECT leadanalytics.close_idle(%d, '%sZ')}, $some->(), time_of($clock)) } ],
    [ 4, sub { my $v = number_to(40); say_sql(sprintf q{SELECT leadanalytics.track_session_end(%d, '{"session_id": "s1-v%d-%d"}', now => '%sZ')}, 1, $v, number_to(4), time_of($clock)) } ],
    [ 1, sub { say_sql(sprintf q{UPDATE leadanalytics.workspace SET timezone = '%s' WHERE id = %d}, pick(@zones), $some->()) } ],
    [ 15, sub { $clock += pick(60, 900, 7200, 40000); $clock = $begin + $days * 86400 if $clock > $begin + $days * 86400; return '' } ],
);
my %counted;

sub ask_something
{
    my $w = $some->();
    my ($from, $to) = sort { $a <=> $b } moment(), moment();
    my $zone = pick(@zones);
    my $bounds;
    my $shape = number_to(4);
    if ($shape == 0) { $bounds = sprintf q{ARRAY['%sZ', '%sZ']::timestamptz[]}, time_of($from), time_of($to + 1) }
    elsif ($shape == 1) { $bounds = q{'{-infinity,infinity}'::timestamptz[]} }
    else
    {
        my $step = pick(qw(day day week month));
        ($step, $to) = ('hour', $from + number_to(4 * 86400)) if chance(25);
        $bounds = sprintf q{(SELECT '%sZ'::timestamptz || (array_agg(s ORDER BY s))[2:] || '%sZ'::timestamptz FROM leadanalytics.steps('%sZ', '%sZ', '%s', '%s') s)}, (time_of($from), time_of($to + 1)) x 2, $step, $zone;
    }
    my @asked = map { pick(@dimensions) } 1 .. 1 + number_to(3);
    my %seen;
    @asked = grep { !$seen{$_}++ } @asked;
    my $question = sprintf q{SELECT compare(%d, '{%s}', %s, '%sZ', %s, %s, %d, %s, '%s', '%s')}, $w, join(',', @asked), $bounds, time_of($clock), pick('true', 'false'), pick('true', 'true', 'false'), pick(0, 0, 1, 3, 10), pick('true', 'false'), pick('{}', '{news.example,purchase}'), pick('{}', '{}', '{}', '{1,3,9,10,17,21,-1,x, 2}', '{news.example,click,https://shop.example/a,/b}');
    my $said = say_sql($question);
    return 1 if $said =~ /^same (\d+)$/ && ++$counted{ $1 > 0 ? 'answers' : 'empty answers' };
    fail("seed $seed: $question");
    diag($said);
    return 0;
}

my $until = time + $seconds;
my ($weights, $good) = (0, 1);
$weights += $_->[0] for @deeds;
while (time < $until && $good)
{
    my $at = number_to($weights);
    my $i = 0;
    $at -= $deeds[$i++][0] while $at >= $deeds[$i][0];
    my $said = $deeds[$i][1]->();
    $counted{cancelled}++ if $said =~ /statement timeout/;
    unless ($said !~ /ERROR/ || $said =~ /statement timeout|Session not found/) { fail("seed $seed: $said"); last }
    $good = ask_something() for 1 .. 2;
    if (chance(4))
    {
        my $differ = say_sql(sprintf 'SELECT r FROM leadanalytics.reconcile(%d) r LIMIT 5', $some->());
        $good = is($differ, '', "seed $seed: segments and rows agree") if $differ ne '';
        $counted{reconciled}++;
    }
}
is(say_sql(sprintf 'SELECT count(*) FROM leadanalytics.reconcile(%d)', $_), 0, "workspace $_: segments and rows agree") for 1 .. 3;
my ($segments, $buckets, $events) = split /\|/, say_sql('SELECT (SELECT count(*) FROM leadanalytics.segment), (SELECT string_agg(DISTINCT grain::text, NULL ORDER BY grain::text) FROM leadanalytics.bucket), (SELECT count(*) FROM leadanalytics.event)');
cmp_ok($counted{answers} // 0, '>', 100, 'answers were compared: ' . join(', ', map { "$counted{$_} $_" } sort keys %counted));
is($buckets, 'dmqw', "there were $segments segments of $events events");
leave($db);
done_testing;
