-- Medians, and what HTTP adds.
\set QUIET on
\pset border 0
\pset footer off
\pset null ''
\pset tuples_only on
CREATE VIEW bench.middle AS
SELECT name, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS ms FROM bench.figure WHERE way = 'sql' GROUP BY name;
CREATE FUNCTION bench.shown(ms float8) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN ms < 10 THEN round(ms::numeric, 2) WHEN ms < 100 THEN round(ms::numeric, 1) ELSE round(ms::numeric) END::text $$;
CREATE FUNCTION bench.ms(wrk text) RETURNS float8 LANGUAGE sql AS $$ SELECT substring(wrk FROM '^[0-9.]+')::float8 * CASE WHEN wrk LIKE '%us' THEN 0.001 WHEN wrk LIKE '%ms' THEN 1 WHEN wrk LIKE '%m' THEN 60000 ELSE 1000 END $$;
COMMENT ON FUNCTION bench.ms(text) IS 'milliseconds of "2.10ms", as wrk says times';

\echo
SELECT format('public family: %s events of %s visitors, seed %s, asked about 30 days of 90', (SELECT count(*) FROM leadanalytics.event e WHERE e.workspace = f.workspace),
              (SELECT count(*) FROM leadanalytics.visitor v WHERE v.workspace = f.workspace), :'seed')
FROM bench.fact f;
\pset tuples_only off
\echo milliseconds, medians: the function in a session, the same over HTTP, a request that does nothing, and what HTTP takes beyond both
SELECT e.name AS endpoint, bench.shown(m.ms) AS sql, bench.shown(bench.ms(h.half)) AS http, bench.shown(n.ms) AS nothing, bench.shown(bench.ms(h.half) - m.ms - n.ms) AS "beyond",
       round((bench.ms(h.half) / n.ms)::numeric, 1) AS "× nothing"
FROM bench.endpoint e
JOIN bench.middle m USING (name)
JOIN bench.http h USING (name)
CROSS JOIN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY bench.ms(half)) AS ms FROM bench.http WHERE name = 'nothing') AS n
ORDER BY e.place;
