-- Medians of the rounds, and what they are to each other.
\set QUIET on
\pset border 0
\pset footer off
\pset null ''
\pset tuples_only on
CREATE VIEW bench.middle AS
SELECT name, way, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS ms FROM bench.figure GROUP BY name, way;
CREATE FUNCTION bench.shown(ms float8) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN ms < 10 THEN round(ms::numeric, 2) WHEN ms < 100 THEN round(ms::numeric, 1) ELSE round(ms::numeric) END::text $$;

\echo
SELECT format('engine: %s events in %s sessions of %s visitors, seed %s; written in %s s; jit = %s, work_mem = %s, parallel workers = %s',
              (SELECT events FROM bench.taken), (SELECT count(*) FROM leadanalytics.session s WHERE s.workspace = f.workspace),
              (SELECT count(*) FROM leadanalytics.visitor v WHERE v.workspace = f.workspace), :'seed', :'seconds',
              current_setting('jit'), current_setting('work_mem'), current_setting('max_parallel_workers_per_gather'))
FROM bench.fact f;
\pset tuples_only off
\echo both ways the same answer; milliseconds, median
-- a column for each of the peers that answered
SELECT format('SELECT q.name AS question, bench.shown(e.ms) AS engine, q.bar_ms AS bar, CASE WHEN e.ms > q.bar_ms THEN ''missed'' END AS " ", '
              'bench.shown(p.ms) AS "plain SQL", round(p.ms / e.ms) AS "×"%s FROM bench.question q JOIN bench.middle p ON p.name = q.name AND p.way = ''plain'' '
              'JOIN bench.middle e ON e.name = q.name AND e.way = ''engine'' ORDER BY q.place',
              (SELECT string_agg(format(', (SELECT bench.shown(m.ms) FROM bench.middle m WHERE m.name = q.name AND m.way = %1$L) AS %1$I', way), '' ORDER BY way)
               FROM (SELECT DISTINCT way FROM bench.figure WHERE way NOT IN ('engine', 'plain', 'exact')) AS w)) \gexec
\echo the questions of the dashboard; milliseconds, median
SELECT d.name AS question, bench.shown(e.ms) AS engine, coalesce(bench.shown(p.ms), '> ' || :exact_seconds || ' s') AS "from the rows", round(p.ms / e.ms) AS "×"
FROM bench.dashboard d JOIN bench.middle e ON e.name = d.name AND e.way = 'engine' LEFT JOIN bench.middle p ON p.name = d.name AND p.way = 'exact' ORDER BY d.place;
\echo the worker: thousands of events a second, CPU and clock (bar: 150 of CPU)
SELECT what, calls, round(events / cpu_us * 1e3) AS "of CPU", round(events / wall_us * 1e3) AS "by clock", round(cpu_us / 1e3) AS "ms of CPU" FROM bench.folded ORDER BY place;
\echo bytes an event after VACUUM (bar: 350)
SELECT coalesce(substring(part FROM 3), 'all') AS "what", round((sum(bytes) / (SELECT events FROM bench.taken))::numeric, 1) AS bytes
FROM bench.bytes GROUP BY ROLLUP (part) ORDER BY part;
\echo the segments by grain (q quarter of an hour, d day, m month)
SELECT grain, count(DISTINCT bucket) AS buckets, count(*) AS parts, round((sum(pg_column_size(directory) + coalesce(pg_column_size(sets), 0) + 60) / (SELECT events FROM bench.taken))::numeric, 1) AS "bytes an event, about"
FROM leadanalytics.segment s WHERE workspace = (SELECT workspace FROM bench.fact) GROUP BY grain ORDER BY grain DESC;
