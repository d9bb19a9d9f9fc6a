# Stored sets: the reading and writing of them under AddressSanitizer, with libroaring as the second opinion
# (stored.c here); damaged bytes in the server; and what is left behind by an error in the middle of a union.
use strict;
use warnings;
use File::Temp;
use FindBin;
use lib $FindBin::Bin;
use Fuzz;
use Test::More;

my $seed = seed(20260505);
my $source = "$FindBin::Bin/../..";
my $dir = File::Temp->newdir;
my $gcc = "gcc -std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -I$source/src"
    . " $FindBin::Bin/stored.c $source/src/bitmap/stored.c -lroaring -o $dir/stored";
my $said = qx($gcc 2>&1);
is($?, 0, 'stored.c compiles') or diag($said);
my $rounds = $ENV{LA_LONG} ? 20000 : 400;
$said = qx($dir/stored $seed $rounds 2>&1);
like($said, qr/^ok: (\d{5,}) refused, (\d{3,}) taken, (\d{3,}) compared with libroaring$/, "$rounds sets, each damaged in 180 ways");
note($said);

fresh_database('la_fuzz_bitmap');

# In the server: one number is changed, added or lost, or the bytes are refused; nothing else.
my @answers = run_sql(
    q{CREATE TABLE made AS SELECT leadanalytics.bitmap(ARRAY(SELECT floor(random() ^ 2 * n * 20)::int FROM generate_series(1, n) UNION SELECT generate_series(1, n / 3))) AS stored
      FROM unnest('{1,3,20,300,5000,30000}'::int[]) AS n, generate_series(1, 4)},
    q{CREATE FUNCTION try(stored bytea) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE numbers bigint; distinct_numbers bigint; ordered boolean;
    BEGIN
        SELECT count(*), count(DISTINCT n), coalesce(bool_and(n > before), true) INTO numbers, distinct_numbers, ordered
        FROM (SELECT n, lag(n, 1, -1) OVER (ORDER BY o) AS before FROM leadanalytics.bitmap_numbers(stored) WITH ORDINALITY AS b(n, o)) AS x;
        IF numbers <> distinct_numbers OR NOT ordered OR numbers <> leadanalytics.bitmap_cardinality(stored)
           OR numbers <> leadanalytics.bitmap_cardinality(leadanalytics.bitmap_or(stored, stored)) THEN RETURN 'unsound'; END IF;
        RETURN 'a set';
    EXCEPTION WHEN data_corrupted OR numeric_value_out_of_range THEN RETURN 'refused';
    END $$},
    q{SELECT setseed(0.5)},
    q{SELECT 'flips', string_agg(DISTINCT try(set_bit(stored, floor(random() ^ (1 + i % 4) * 8 * length(stored))::bigint, floor(random() * 2)::int)), ', ') FROM made, generate_series(1, 100) AS i},
    q{SELECT 'cuts', string_agg(DISTINCT try(substr(stored, 1, floor(random() * length(stored))::int)), ', ') FROM made, generate_series(1, 20)},
    q{SELECT 'tails', string_agg(DISTINCT try(stored || '\x00'), ', ') FROM made},
    q{SELECT 'whole', string_agg(DISTINCT try(stored), ', ') FROM made});
is_deeply([ grep { /\|/ } @answers ], [ 'flips|a set, refused', 'cuts|refused', 'tails|refused', 'whole|a set' ], 'damaged bytes: refused, or another sound set') or diag(explain(\@answers));

# Half a union, an error, ten thousand times: the process has as much memory as after the first thousand.
my ($before, $after) = map { /^rss\|(\d+)$/ ? $1 : () } my @rss = run_sql(
    q{CREATE TABLE half AS SELECT leadanalytics.bitmap(ARRAY(SELECT i * 13 FROM generate_series(1, 60000) AS i)) AS stored UNION ALL SELECT NULL},
    q{UPDATE half SET stored = set_byte(leadanalytics.bitmap('{5,70000}'), 0, 2) WHERE stored IS NULL},
    q{CREATE FUNCTION fail(times int) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE good bytea := (SELECT stored FROM half ORDER BY length(stored) DESC LIMIT 1); bad bytea := (SELECT stored FROM half ORDER BY length(stored) LIMIT 1); failed int := 0;
    BEGIN
        FOR i IN 1..times LOOP
            BEGIN PERFORM leadanalytics.bitmap_or(good, bad); EXCEPTION WHEN data_corrupted THEN failed := failed + 1; END;
            BEGIN PERFORM leadanalytics.bitmap_union(s) FROM (VALUES (good), (bad)) AS v(s); EXCEPTION WHEN data_corrupted THEN failed := failed + 1; END;
        END LOOP;
        RETURN failed;
    END $$},
    q{SELECT fail(500)},
    q{SELECT 'rss', substring(pg_read_file('/proc/self/status') FROM 'VmRSS:\s+(\d+)')},
    q{SELECT fail(5000)},
    q{SELECT 'rss', substring(pg_read_file('/proc/self/status') FROM 'VmRSS:\s+(\d+)')});
is_deeply([ grep { /^\d+$/ } @rss ], [ 1000, 10000 ], 'every union failed') or diag(explain(\@rss));
cmp_ok($after // 1e9, '<', ($before // 0) + 2000, "10 000 failed unions leave nothing behind: $before kB, then $after kB");

# With 60 MB more than it has now, the process cannot hold 20 000 pages: an error, and the session goes on.
my @said = run_sql(
    q{CREATE TABLE far AS SELECT leadanalytics.bitmap(ARRAY[i * 65536]) AS stored FROM generate_series(0, 20000) AS i},
    q{SELECT leadanalytics.bitmap_union_cardinality(stored) FROM far WHERE stored < '\x010180'},
    q{COPY (SELECT 1) TO PROGRAM 'prlimit --pid $PPID --as=$(awk "/VmSize/{printf \"%d\", \$2 * 1024 + 60e6}" /proc/$PPID/status)'},
    q{SELECT leadanalytics.bitmap_union_cardinality(stored) FROM far},
    q{SELECT 'still here'});
is_deeply([ map { s/.*ERROR/ERROR/r } grep { !/^DETAIL/ } @said ], [ 1, 'ERROR:  out of memory', 'still here' ], 'out of memory is an error, and the session goes on') or diag(explain(\@said));
done_testing;
