-- Sets of numbers: against int[] arithmetic in SQL.
\set SHOW_CONTEXT never
\set VERBOSITY default
SET client_min_messages = warning;
-- the stored form, byte by byte: empty, small and dense lists, arrays, runs, bits
SELECT name, leadanalytics.bitmap(numbers) AS stored FROM (VALUES
    ('empty', '{}'::int[]), ('zero', '{0}'), ('one', '{1}'), ('127 128', '{128,127}'), ('most', '{2147483647}'), ('both ends', '{2147483647,0}'),
    ('repeats', '{7,5,7,5,5,6}'), ('two rows', '{{3,1},{2,3}}'), ('a run', ARRAY(SELECT generate_series(1000, 1999)))) AS t(name, numbers);
SELECT name, substr(leadanalytics.bitmap(numbers), 1, 2) AS begins, length(leadanalytics.bitmap(numbers)) FROM (VALUES
    ('bits', ARRAY(SELECT generate_series(0, 65534, 2))), ('runs of two containers', ARRAY(SELECT generate_series(65530, 65540))),
    ('bits and arrays', ARRAY(SELECT CASE WHEN i < 40000 THEN i * 3 / 2 ELSE 65536 + (i - 40000) * 9000 END FROM generate_series(0, 40100) AS i)), ('5 containers', ARRAY(SELECT generate_series(0, 5 * 65536 - 1))), ('16 of 500 000', ARRAY(SELECT i * 31000 FROM generate_series(0, 15) i)),
    ('4 096 of 65 536', ARRAY(SELECT generate_series(0, 65535, 16)))) AS t(name, numbers);
-- what is no set of numbers
SELECT leadanalytics.bitmap('{1,NULL}');
SELECT leadanalytics.bitmap('{1,-1}');
SELECT leadanalytics.bitmap(NULL) IS NULL AS null, leadanalytics.bitmap_or('\x0100', NULL) IS NULL AS or_null;

-- random sets of every size and kind
SELECT setseed(0.4);
CREATE TEMP TABLE kind (id int GENERATED ALWAYS AS IDENTITY, name text, numbers int[]);
INSERT INTO kind (name, numbers)
SELECT format('%s of %s', size, domain), ARRAY(SELECT DISTINCT floor(random() * domain)::int FROM generate_series(1, size) WHERE domain > 0 ORDER BY 1)
FROM unnest('{0,1,2,16,100,4095,4097,20000,66000}'::int[]) AS size, unnest('{16,65536,65537,500000,5000000}'::bigint[]) AS domain;
INSERT INTO kind (name, numbers)
SELECT format('%s up to 2^31', size), ARRAY(SELECT DISTINCT floor(random() * 2147483648)::bigint::int FROM generate_series(1, size) ORDER BY 1)
FROM unnest('{1,50,2000}'::int[]) AS size;
INSERT INTO kind (name, numbers)
SELECT format('%s consecutive from %s', size, first), ARRAY(SELECT generate_series(first, first + size - 1))
FROM unnest('{1,2,4095,4096,4097,65535,65536,65537,131072}'::int[]) AS size, unnest('{0,1,61440,65535}'::int[]) AS first;
INSERT INTO kind (name, numbers)
SELECT format('%s evens', size), ARRAY(SELECT 2 * i FROM generate_series(0, size - 1) AS i) FROM unnest('{4095,4096,4097,32768,32769}'::int[]) AS size;
INSERT INTO kind (name, numbers)
SELECT format('runs of %s in %s', run, domain), ARRAY(SELECT i FROM generate_series(0, domain - 1) AS i WHERE i / run % 3 = 0)
FROM unnest('{2,10,63,64,65,1000}'::int[]) AS run, unnest('{65536,200000}'::int[]) AS domain;
INSERT INTO kind (name, numbers)
SELECT format('half of 65536 and %s of %s', size, domain), ARRAY(SELECT i * 2 + i % 2 FROM generate_series(0, 32767) AS i UNION SELECT 65536 + floor(random() * domain)::int FROM generate_series(1, size) ORDER BY 1)
FROM unnest('{100,4095,4097,20000}'::int[]) AS size, unnest('{65536,500000}'::int[]) AS domain;
INSERT INTO kind (name, numbers) VALUES ('the end of int', ARRAY(SELECT 2147483647 - i FROM generate_series(0, 5000) AS i ORDER BY 1 DESC));
CREATE TEMP TABLE made AS SELECT *, leadanalytics.bitmap(numbers) AS stored FROM kind;
SELECT count(*) AS kinds, count(*) FILTER (WHERE get_byte(stored, 0) = 1) > 20 AS lists, count(*) FILTER (WHERE get_byte(stored, 0) = 58) > 5 AS plain,
       count(*) FILTER (WHERE get_byte(stored, 0) = 59) > 30 AS with_runs FROM made;
-- there and back; order and repeats do not matter; never longer than an array
SELECT name FROM made WHERE ARRAY(SELECT n FROM leadanalytics.bitmap_numbers(stored) AS n) IS DISTINCT FROM coalesce((SELECT array_agg(n ORDER BY n) FROM unnest(numbers) n), '{}');
SELECT name FROM made WHERE leadanalytics.bitmap_cardinality(stored) <> cardinality(numbers);
SELECT name FROM made WHERE CASE WHEN cardinality(numbers) < 21000 THEN leadanalytics.bitmap(ARRAY(SELECT n FROM unnest(numbers || numbers) AS n ORDER BY hashint4(n))) <> stored END;
SELECT name FROM made WHERE length(stored) > 20 + 2.9 * cardinality(numbers) AND name !~ '2\^31';
SELECT name, i FROM made, unnest(numbers[1:40]) AS number, generate_series(-1, 1) AS i
WHERE number < 2147483647 AND leadanalytics.bitmap_contains(stored, number + i) <> (number + i = ANY (numbers));
-- in pairs
SET enable_nestloop = on;
CREATE TEMP TABLE pair AS SELECT a.name || ', ' || b.name AS name, a.numbers AS an, b.numbers AS bn, a.stored AS a, b.stored AS b
FROM made a, made b WHERE (a.id * 7 + b.id * 3) % 53 = 0 AND a.name !~ '2\^31' AND cardinality(a.numbers) + cardinality(b.numbers) < 25000;
SELECT count(*) > 80 AS many FROM pair;
SELECT name FROM pair WHERE leadanalytics.bitmap_or(a, b) <> leadanalytics.bitmap(an || bn);
SELECT name FROM pair WHERE leadanalytics.bitmap_and(a, b) <> leadanalytics.bitmap(ARRAY(SELECT unnest(an) INTERSECT SELECT unnest(bn)));
SELECT name FROM pair WHERE leadanalytics.bitmap_andnot(a, b) <> leadanalytics.bitmap(ARRAY(SELECT unnest(an) EXCEPT SELECT unnest(bn)));
SELECT name FROM pair WHERE leadanalytics.bitmap_and_cardinality(a, b) <> (SELECT count(*) FROM (SELECT unnest(an) INTERSECT SELECT unnest(bn)) AS i);
-- many at once, and in parts
SELECT leadanalytics.bitmap_union(stored) = leadanalytics.bitmap(ARRAY(SELECT unnest(numbers) FROM made)) AS united FROM made;
SELECT leadanalytics.bitmap_union_cardinality(stored) = (SELECT count(DISTINCT n) FROM made, unnest(numbers) AS n) AS counted FROM made;
SELECT leadanalytics.bitmap_union_cardinality(stored) AS nothing FROM made WHERE false;
SELECT leadanalytics.bitmap_union(stored) IS NULL AS none, leadanalytics.bitmap_union(NULL) IS NULL AS nulls FROM made WHERE false;
SELECT leadanalytics.bitmap_union(stored) FROM (VALUES (NULL), ('\x010105'::bytea), (NULL), ('\x010107')) AS t(stored);
SELECT leadanalytics.bitmap_union(stored) OVER (ORDER BY stored) AS so_far FROM (VALUES ('\x010105'::bytea), ('\x010107')) AS t(stored);
CREATE TABLE bitmap_many AS SELECT i % 5 AS bucket, leadanalytics.bitmap(ARRAY[i, i * 7, i * i]) AS stored FROM generate_series(0, 20000) AS i;
INSERT INTO bitmap_many SELECT 9, NULL FROM generate_series(1, 100);
ANALYZE bitmap_many;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT bucket, leadanalytics.bitmap_union(stored) FROM bitmap_many GROUP BY bucket;
CREATE TEMP TABLE parallel AS SELECT bucket, leadanalytics.bitmap_union(stored) AS stored FROM bitmap_many GROUP BY bucket;
SET max_parallel_workers_per_gather = 0;
SELECT bucket, p.stored IS NOT DISTINCT FROM s.stored AS same, leadanalytics.bitmap_cardinality(p.stored) AS many FROM parallel p
FULL JOIN (SELECT bucket, leadanalytics.bitmap_union(stored) AS stored FROM bitmap_many GROUP BY bucket) AS s USING (bucket) ORDER BY 1;
SELECT (SELECT leadanalytics.bitmap_union(stored) FROM parallel) = leadanalytics.bitmap(ARRAY(SELECT unnest(ARRAY[i, i * 7, i * i]) FROM generate_series(0, 20000) AS i)) AS right;
DROP TABLE bitmap_many;
RESET ALL;
SET client_min_messages = warning;

-- bytes that are no set
\set VERBOSITY sqlstate
CREATE FUNCTION pg_temp.read(stored bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
    RETURN leadanalytics.bitmap_cardinality(stored);
EXCEPTION WHEN data_corrupted THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLERRM || CASE WHEN hint = '' THEN ' (no hint)' ELSE '' END;
END
$$;
SELECT stored, pg_temp.read(stored) FROM unnest(ARRAY[
    '', '\x00', '\x01', '\x0101', '\x010100ff', '\x0102ffffffff0f', '\x0102ffffffff0f00', '\x0101ffffffff0f', '\x0101ffffffff1f', '\x01018000', '\x018000', '\x01ffffffff7f05', '\x0101ffffffffff01',
    '\x3a30', '\x3a300000', '\x3a30000000000000', '\x3a300000010001', '\x3a30000001000100', '\x3a30000000000100', '\x3a300000ffffffff',
    '\x3a3000000100000005000000100000000500', '\x3a30000001000000050000001000000005', '\x3a3000000100000005000000110000000500', '\x3a3000000100000005000000100000000500ff',
    '\x3a30000001000000050001001000000005000600', '\x3a30000001000000050001001000000005000500', '\x3a30000001000000050001001000000005000400',
    '\x3a300000020000000500000005000000180000001a00000005000500', '\x3a300000020000000500000006000000180000001a00000005000500', '\x3a300000020000000600000005000000180000001a00000005000500',
    '\x3b30000001000009000100050009', '\x3b3000000100000900010005000900', '\x3b3000000100000800010005000900', '\x3b300000010000090002000500090001000000', '\x3b30000001000009000100f8ff0900',
    '\x3b30000001000009000200050003000900050005', '\x3b3000000100000900020005000300090005000500', '\x3b3000000100000900020005000300080005000500', '\x3b30000001000009000000', '\x3b300000']::bytea[]) AS stored;
-- bits: cut off; one fewer, as many as, one more than the header says
SELECT length, replace, pg_temp.read('\x3a300000010000000000ff7f10000000'::bytea || substr(overlay(decode(repeat('55', 8192), 'hex') PLACING replace FROM 4096), 1, length))
FROM unnest('{8191,8192}'::int[]) AS length, unnest('{"\\x54","\\x55","\\x57"}'::bytea[]) AS replace;
-- a number that is no int can be counted, and united, but not shown
SELECT leadanalytics.bitmap_cardinality('\x0101ffffffff0f'), leadanalytics.bitmap_or('\x0101ffffffff0f', '\x010105'), leadanalytics.bitmap_contains('\x0101ffffffff0f', -1);
SELECT leadanalytics.bitmap_numbers('\x0101ffffffff0f');
-- every other function refuses them as well
SELECT leadanalytics.bitmap_numbers('\x00');
SELECT leadanalytics.bitmap_contains('\x00', 1);
SELECT leadanalytics.bitmap_or('\x0100', '\x00');
SELECT leadanalytics.bitmap_and('\x0100', '\x00');
SELECT leadanalytics.bitmap_andnot('\x0100', '\x00');
SELECT leadanalytics.bitmap_and_cardinality('\x0100', '\x00');
SELECT leadanalytics.bitmap_union(stored) FROM (VALUES ('\x0100'::bytea), ('\x00')) AS t(stored);
-- who may
SET ROLE leadanalytics_read;
SELECT leadanalytics.bitmap_union(leadanalytics.bitmap(ARRAY[i])) FROM generate_series(1, 3) AS i;
RESET ROLE;
