-- Medians of the rounds, and what they are to each other.
\set QUIET on
\pset border 0
\pset footer off
\pset null ''
CREATE VIEW bench.middle AS
SELECT way, size, percentile_disc(0.5) WITHIN GROUP (ORDER BY cpu_us / events) AS cpu,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY wall_us / events) AS wall
FROM bench.figure WHERE round > 0 GROUP BY way, size;
CREATE FUNCTION bench.per(float8) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN $1 < 99 THEN round($1::numeric, 1) ELSE round($1::numeric) END::text $$;
CREATE FUNCTION bench.percent(float8) RETURNS text LANGUAGE sql AS $$ SELECT round(100 * $1) || ' %' $$;

\echo
\pset tuples_only on
SELECT format('ingest: %s events a part, seed %s, %s rounds; %s events taken in %s sessions of %s visitors; %s; synchronous_commit = %s, fsync = %s, jit = %s',
              :'events', :'seed', :'rounds', events, sessions, visitors, :'geo', current_setting('synchronous_commit'), current_setting('fsync'), current_setting('jit'))
FROM bench.taken;
\pset tuples_only off
\echo track() beside COPY of the rows that came of it: CPU of the backend, microseconds an event
SELECT t.size AS batch, round(1e6 / t.wall) AS "events/s", bench.per(t.cpu) AS "track µs", bench.per(c.cpu) AS "COPY µs", bench.per(w.cpu) AS "COPY whole µs",
       bench.percent(c.cpu / t.cpu) AS "of COPY", bench.percent(w.cpu / t.cpu) AS "of COPY whole", CASE t.size WHEN 1000 THEN '50 %' END AS bar
FROM bench.middle t JOIN bench.middle c USING (size) JOIN bench.middle w USING (size)
WHERE t.way = 'track' AND c.way = 'copy' AND w.way = 'copy whole' ORDER BY t.size;

\echo HTTP beside the bulk insert of PostgREST into a plain table, :connections connections: CPU of nginx, PostgREST and PostgreSQL, microseconds an event
SELECT p.size AS batch, p.way AS "beside", round(1e6 / t.wall) AS "events/s", round(1e6 / p.wall) AS "its events/s", round((p.wall / t.wall)::numeric, 2) AS "×",
       CASE WHEN p.size = 1000 THEN '1.5' END AS bar, bench.per(t.cpu) AS "CPU µs", bench.per(p.cpu) AS "its CPU µs",
       round((p.cpu / t.cpu)::numeric, 2) AS "× by CPU"
FROM bench.middle t JOIN bench.middle p USING (size) WHERE t.way = 'http' AND p.way LIKE 'plain%' ORDER BY p.size, p.way;
\echo whose CPU that is, microseconds an event
SELECT size AS batch, way, bench.per(percentile_disc(0.5) WITHIN GROUP (ORDER BY split_part(note, ' ', 1)::float8 * 1e6 / events)) AS nginx, bench.per(percentile_disc(0.5) WITHIN GROUP (ORDER BY split_part(note, ' ', 2)::float8 * 1e6 / events)) AS "PostgREST",
       bench.per(percentile_disc(0.5) WITHIN GROUP (ORDER BY split_part(note, ' ', 3)::float8 * 1e6 / events)) AS "PostgreSQL", bench.per(percentile_disc(0.5) WITHIN GROUP (ORDER BY split_part(note, ' ', 4)::float8 * 1e6 / events)) AS "who posts"
FROM bench.figure WHERE (way = 'http' OR way LIKE 'plain%') AND round > 0 GROUP BY size, way ORDER BY size, way;

\echo the fold behind HTTP, batches of 1 000 while the worker folds (bar: caught up within 5 s of the end)
SELECT events, round(events / posted) AS "events/s", behind AS "not folded at the end", round(after::numeric, 1) AS "caught up after, s" FROM bench.caught;
\echo bytes an event, after VACUUM (bar: 350 with segments)
WITH each AS (
    SELECT part, what, bytes::float8 / events AS per FROM bench.bytes, bench.taken
), shown AS (
    SELECT part, what, per, sum(per) OVER (PARTITION BY part) AS whole, sum(per) OVER () AS everything FROM each
)
SELECT part AS "table", what, bench.per(per) AS bytes
FROM (
    SELECT part, what, per, whole FROM shown WHERE whole >= 0.01 * everything
    UNION ALL SELECT 'the rest', '', sum(per), 0 FROM shown WHERE whole < 0.01 * everything
    UNION ALL SELECT 'all', '', sum(per), -1 FROM each
    UNION ALL SELECT 'a row of texts', 'heap', pg_relation_size('bench.as_texts')::float8 / events, -2 FROM bench.taken
    UNION ALL SELECT 'a row of texts', 'and indexes on event_id, visitor_id, session_id, at', pg_total_relation_size('bench.as_texts')::float8 / events, -3 FROM bench.taken
) AS lines ORDER BY whole DESC, part, what LIKE 'index%', what;

\echo batches of 10 into one workspace and into ten thousand: CPU of the backend, microseconds an event
SELECT CASE o.way WHEN 'one 1' THEN 'a site''s first batch' ELSE 'the next ones' END AS "which", round(1e6 / o.wall) AS "one: events/s", round(1e6 / m.wall) AS "many: events/s",
       round((m.wall / o.wall)::numeric, 2) AS "× one", '1.5' AS bar, bench.per(o.cpu) AS "one: CPU µs", bench.per(m.cpu) AS "many: CPU µs",
       round((m.cpu / o.cpu)::numeric, 2) AS "× one by CPU"
FROM bench.middle o JOIN bench.middle m ON m.way = replace(o.way, 'one', 'many') WHERE o.way IN ('one 1', 'one 2') ORDER BY 1;
\echo the units of the worker after them, milliseconds of CPU: until nothing is left, and once more
SELECT note AS unit, max(round(cpu_us / 1000)) FILTER (WHERE way = 'one work') AS "one: work", max(round(cpu_us / 1000)) FILTER (WHERE way = 'many work') AS "many: work",
       max(round((cpu_us / 1000)::numeric, 1)) FILTER (WHERE way = 'one idle') AS "one: idle", max(round((cpu_us / 1000)::numeric, 1)) FILTER (WHERE way = 'many idle') AS "many: idle"
FROM bench.figure WHERE way ~ 'work|idle' GROUP BY note ORDER BY note;
