# Worlds of sql/privacy.sql with other dice, folded and built now and then while they grow, or not at all: whoever is
# erased, the reports are those of a world that never had them; whoever is made anonymous, every number stays.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../fuzz";
use Fuzz;
use Test::More;

my $worlds = $ENV{LA_LONG} ? 40 : 4;
my $seed = seed(20260201);
open my $in, '<', "$FindBin::Bin/../../sql/privacy.sql" or die "sql/privacy.sql: $!";
my $text = do { local $/; <$in> };
my ($world) = $text =~ /\A(.*)^-- One world/ms or die 'sql/privacy.sql has no line "-- One world"';
$world =~ s/^\\.*$//mg;

for my $n (1 .. $worlds)
{
    my ($who, $after) = map { pick(1, 2, 3, 5, 6, 7, 9, 10, 11) } 1 .. 2; # those whom one name leads to all they have
    my $settled = chance(50) ? 'leadanalytics.fold(w), leadanalytics.build(w)' : 'NULL, NULL';
    my $dice = number_to(1_000_000);
    fresh_database('la_privacy_worlds');
    my @said = run_sql(
        "SET privacy.seed = '$dice'", $world, 'SET leadanalytics.segment_events = 1',
        map({ "SELECT 'workspace', leadanalytics.create_workspace('$_')" } qw(a b c)),
        "SELECT pg_temp.load(1, NULL), pg_temp.load(2, $who), pg_temp.load(3, NULL)",
        "SELECT $settled FROM generate_series(1, 3) AS w",
        'CREATE TEMP TABLE everybody AS SELECT * FROM pg_temp.answers(3)', 'CREATE TEMP TABLE others AS SELECT * FROM pg_temp.answers(2)',
        "SELECT 'differ before', count(*) > 0 FROM pg_temp.differ('everybody', 'others')",
        "SELECT 'erased', leadanalytics.erase(1, visitor_id => 'visitor-$who-1') ->> 'mode'",
        'CREATE TEMP TABLE erased AS SELECT * FROM pg_temp.answers(1)',
        "SELECT 'differs', name, n FROM pg_temp.differ('erased', 'others')",
        "SELECT 'segments', r FROM leadanalytics.reconcile(1) r LIMIT 3",
        "SELECT 'erased', leadanalytics.erase(3, visitor_id => 'visitor-$after-1', mode => 'anonymise') ->> 'mode'",
        'CREATE TEMP TABLE anonymous AS SELECT * FROM pg_temp.answers(3)',
        "SELECT 'differs', name, n FROM pg_temp.differ('everybody', 'anonymous') WHERE name NOT IN ('S1 leads', 'S1 pages', 'S5 events', 'S5 users', 'S5 users with robots')",
        # what is folded now is folded without them
        "SELECT 'folded', leadanalytics.fold(1) >= 0, leadanalytics.build(1) >= 0",
        'CREATE TEMP TABLE folded AS SELECT * FROM pg_temp.answers(1)',
        "SELECT 'differs', name, n FROM pg_temp.differ('folded', 'others')",
        "SELECT 'segments', r FROM leadanalytics.reconcile(1) r LIMIT 3", "SELECT 'segments', r FROM leadanalytics.reconcile(3) r LIMIT 3");
    is_deeply([grep { /^(differ|erased|folded|segments|ERROR|psql)/ } @said], ['differ before|t', 'erased|delete', 'erased|anonymise', 'folded|t|t'],
        "world $n (seed $seed, dice $dice): person $who is erased, $after anonymous, " . ($settled =~ /NULL/ ? 'with a tail' : 'all folded')) or diag(join "\n", @said);
}
done_testing;
