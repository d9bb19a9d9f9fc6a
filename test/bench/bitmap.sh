#!/bin/bash
# What exact sets cost, in one run: bytes a number, µs to unite stored ones out of an EXTERNAL column (look-up,
# detoasting and checking included), the same by libroaring out of memory (nothing of that included, nothing
# checked), and making them. LA_BENCH_SEED draws others.
# Run by ./leadanalytics bench bitmap, which starts the server and sets LA_*.
set -euo pipefail

sql() { psql -h "$LA_SOCKET" -U postgres -d leadanalytics -X -q -At -F ' ' -v ON_ERROR_STOP=1 "$@"; }
library=$LA_STATE/bitmap-library
gcc -O2 -o "$library" "$LA_SOURCE/test/bench/bitmap/library.c" -lroaring

sql -v seed="${LA_BENCH_SEED:-0.5}" <<'SQL'
SET client_min_messages = warning;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
CREATE SCHEMA bench;
SELECT setseed(:seed) \g /dev/null
-- Members of a set: each number of the domain with one probability, or rank r with one that falls as 1 / r
-- (the visitors who came first come more often), or a stretch of consecutive ones (a day's new visitors).
CREATE FUNCTION bench.draw(kind text, size int, domain int) RETURNS int[] LANGUAGE sql AS $$
    SELECT CASE kind
        WHEN 'random' THEN ARRAY(SELECT DISTINCT floor(random() * domain)::int FROM generate_series(1, size))
        WHEN 'zipf' THEN ARRAY(SELECT DISTINCT floor(domain ^ random())::int FROM generate_series(1, size))
        WHEN 'new' THEN (SELECT ARRAY(SELECT first + i FROM generate_series(1, size) AS i WHERE random() < 0.9) FROM floor(random() * (domain - size)) AS first)::int[]
    END
$$;
\echo form: kind numbers of bytes/number
SELECT kind, size, domain, round(avg(length(leadanalytics.bitmap(numbers))::numeric / nullif(cardinality(numbers), 0)), 2)
FROM unnest('{random,zipf,new}'::text[]) WITH ORDINALITY AS k(kind, o), unnest('{500000,5000000}'::int[]) AS domain, unnest('{1,16,100,1000,10000,100000,400000}'::int[]) AS size,
     LATERAL (SELECT bench.draw(kind, size, domain) AS numbers FROM generate_series(1, CASE WHEN size <= 16 THEN 100 WHEN size <= 1000 THEN 10 ELSE 1 END) AS i OFFSET 0) AS d
GROUP BY o, kind, domain, size ORDER BY o, domain, size;

-- The least of 21, µs: whatever else runs makes it more.
CREATE FUNCTION bench.time(statement text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz;
    took numeric[] := '{}';
BEGIN
    EXECUTE statement;
    FOR i IN 1..21 LOOP
        begun := clock_timestamp();
        EXECUTE statement;
        took := took || (extract(epoch FROM clock_timestamp() - begun) * 1e6)::numeric;
    END LOOP;
    RETURN round((SELECT min(t) FROM unnest(took) AS t));
END
$$;
CREATE TABLE bench.stored (size int, domain int, i int, stored bytea, PRIMARY KEY (size, domain, i));
ALTER TABLE bench.stored ALTER stored SET STORAGE EXTERNAL;
INSERT INTO bench.stored
SELECT size, domain, i, leadanalytics.bitmap(bench.draw('random', size, domain))
FROM unnest('{500000,5000000}'::int[]) AS domain, unnest('{100,1000,10000,50000,300000}'::int[]) AS size, generate_series(1, CASE WHEN size < 50000 THEN 400 WHEN size = 50000 THEN 90 ELSE 30 END) AS i;
VACUUM ANALYZE bench.stored;
\echo union: sets numbers of MB detoast_us union_us
SELECT many, size, domain, (SELECT round(sum(length(stored)) / 1e6, 2) FROM bench.stored s WHERE (s.size, s.domain) = (c.size, c.domain) AND i <= many),
       bench.time(format('SELECT sum(length(stored || NULL)), sum(get_byte(stored, 0)) FROM bench.stored WHERE size = %s AND domain = %s AND i <= %s', size, domain, many)),
       bench.time(format('SELECT leadanalytics.bitmap_union_cardinality(stored) FROM bench.stored WHERE size = %s AND domain = %s AND i <= %s', size, domain, many))
FROM (SELECT DISTINCT size, domain FROM bench.stored) AS c, unnest('{30,90,400}'::int[]) AS many
WHERE many <= (SELECT max(i) FROM bench.stored s WHERE (s.size, s.domain) = (c.size, c.domain)) ORDER BY domain, size, many;
\echo make: numbers of us_from_array us_cardinality us_andnot
SELECT size, domain, bench.time(format('SELECT leadanalytics.bitmap(%L)', ARRAY(SELECT n FROM leadanalytics.bitmap_numbers(stored) AS n ORDER BY hashint4(n)))),
       bench.time(format('SELECT leadanalytics.bitmap_cardinality(stored) FROM bench.stored WHERE size = %s AND domain = %s AND i = 1', size, domain)),
       bench.time(format('SELECT leadanalytics.bitmap_andnot(a.stored, b.stored) FROM bench.stored a, bench.stored b WHERE (a.size, a.domain, a.i) = (%1$s, %2$s, 1) AND (b.size, b.domain, b.i) = (%1$s, %2$s, 2)', size, domain))
FROM bench.stored WHERE i = 1 ORDER BY domain, size;
SQL
echo "library: sets numbers of MB us_deserialize us_union"
"$library"
