-- The worker's units, by hand: time is an argument, nothing sleeps. What the processes do is in
-- test/fault/worker.t. Everything happens in one transaction, so that a preloaded server's own worker
-- never sees this database started.
\set VERBOSITY terse
BEGIN;
SET LOCAL timezone = 'UTC';

-- Before start() nothing runs, and run_unit() says why.
SELECT leadanalytics.started();
SELECT * FROM leadanalytics.tick('2026-01-01');
SAVEPOINT s;
SELECT leadanalytics.run_unit('make_leaves', '2026-01-01');
ROLLBACK TO s;
SELECT count(*) FROM leadanalytics.unit_state;
SELECT count(*) > 0 AS idle FROM leadanalytics.status()
WHERE part = 'worker' AND state IN ('off: without preloading, units of work run only by hand', 'idle: not started here');

SELECT leadanalytics.start() IS NOT NULL AS started;

-- Only our units from here on; the built-in ones are disabled, and disabled units never run.
UPDATE leadanalytics.unit SET enabled = false;
CREATE TABLE public.ran (unit text, at timestamptz);
CREATE FUNCTION public.good(now timestamptz) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO public.ran VALUES ('good ' || current_user, now) $$;
CREATE FUNCTION public.bad(now timestamptz) RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.ran VALUES ('bad', now); RAISE EXCEPTION 'poisoned'; END $$;
CREATE PROCEDURE public.steps(now timestamptz) LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
GRANT INSERT ON public.ran TO leadanalytics_owner;
GRANT EXECUTE ON FUNCTION public.good, public.bad TO leadanalytics_owner;
INSERT INTO leadanalytics.unit (name, function, every) VALUES
    ('a_bad', 'public.bad', '10 seconds'),
    ('b_good', 'public.good', '10 seconds');

-- A unit that fails leaves nothing behind but its failure, and does not stop the next one.
SELECT * FROM leadanalytics.tick('2026-01-01 00:00:00');
SELECT unit, at FROM public.ran;
SELECT name, next_run, last_start, failures, last_error FROM leadanalytics.unit_state ORDER BY name;

-- Not due; the failed one after its back-off of 5 s; the good one after its pause of 10 s; the failed one after 10 s more.
SELECT * FROM leadanalytics.tick('2026-01-01 00:00:04.9');
SELECT * FROM leadanalytics.tick('2026-01-01 00:00:05');
SELECT * FROM leadanalytics.tick('2026-01-01 00:00:10');
SELECT * FROM leadanalytics.tick('2026-01-01 00:00:15');
SELECT name, next_run, failures FROM leadanalytics.unit_state ORDER BY name;

-- The back-off doubles from 5 s to 5 min and stays there.
SELECT n, next_run - '2026-01-02'::timestamptz AS pause
FROM generate_series(4, 12) n, leadanalytics.unit_ended('a_bad', '2026-01-02', 'error ' || n) AS next_run;
UPDATE leadanalytics.unit_state SET failures = 2147483647 WHERE name = 'a_bad';
SELECT leadanalytics.unit_ended('a_bad', '2026-01-02', 'again') - '2026-01-02' AS pause;

-- The status says it in words, with what to do.
SELECT part, state, hint FROM leadanalytics.status() WHERE part LIKE 'unit %';
SELECT unit, state, next_run, failures, last_error FROM leadanalytics.worker_status() WHERE unit LIKE '%\_bad' OR unit LIKE '%\_good';

-- Mended, it runs at once by hand, and its failures are forgotten.
CREATE OR REPLACE FUNCTION public.bad(now timestamptz) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO public.ran VALUES ('mended', now) $$;
SELECT leadanalytics.run_unit('a_bad', '2026-01-02 00:00:01');
SELECT next_run, failures, last_error FROM leadanalytics.unit_state WHERE name = 'a_bad';
SELECT count(*) FROM leadanalytics.status() WHERE part LIKE 'unit %';

-- A clock set back by a year does not stop anything.
SELECT * FROM leadanalytics.tick('2025-01-01');

-- A row of a unit that cannot run is that unit's failure: missing, of the other kind, of somebody else.
INSERT INTO leadanalytics.unit (name, function, kind, every) VALUES
    ('c_missing', 'public.missing', 'function', '1 hour'),
    ('d_steps', 'public.steps', 'procedure', '1 hour'),
    ('e_steps', 'public.steps', 'function', '1 hour'),
    ('f_foreign', 'public.foreign_one', 'function', '1 hour');
CREATE FUNCTION public.foreign_one(now timestamptz) RETURNS void LANGUAGE sql AS $$ $$;
CREATE ROLE regress_worker_stranger;
ALTER FUNCTION public.foreign_one OWNER TO regress_worker_stranger;
SELECT unit, outcome FROM leadanalytics.tick('2026-01-02 00:00:02');

-- The name of a unit is never an SQL text, nor is its function.
SAVEPOINT s;
INSERT INTO leadanalytics.unit (name, function, every) VALUES ('x', 'public.good(now()); DROP TABLE public.ran', '1 hour');
ROLLBACK TO s;
INSERT INTO leadanalytics.unit (name, function, every) VALUES ('Robert"; --', 'public.good', '1 hour');
ROLLBACK TO s;
SELECT leadanalytics.run_unit('nobody', '2026-01-02');
ROLLBACK TO s;

-- By hand lane fold comes first too; a unit is of one of two lanes, job unless it says so.
UPDATE leadanalytics.unit SET enabled = false;
INSERT INTO leadanalytics.unit (name, function, every) VALUES ('a_job', 'public.good', '1 second');
INSERT INTO leadanalytics.unit (name, function, lane, every) VALUES ('z_fold', 'public.good', 'fold', '1 second');
SELECT * FROM leadanalytics.tick('2026-01-03 00:00:00');
SELECT * FROM leadanalytics.tick('2026-01-03 00:00:00.9');
SELECT * FROM leadanalytics.tick('2026-01-03 00:00:01');
SELECT unit, lane, state, pid, next_run, late > '0' AS late FROM leadanalytics.worker_status() WHERE unit IN ('a_job', 'z_fold');
SAVEPOINT s;
UPDATE leadanalytics.unit SET lane = 'fast' WHERE name = 'a_job';
ROLLBACK TO s;

-- make_leaves: this month and the next two, by UTC, once.
CREATE TABLE leadanalytics.test_leaf (workspace int, at timestamptz NOT NULL) PARTITION BY RANGE (at);
ALTER TABLE leadanalytics.test_leaf OWNER TO leadanalytics_owner;
DELETE FROM leadanalytics.partitioned;
INSERT INTO leadanalytics.partitioned VALUES ('test_leaf', '{(workspace)}');
SET LOCAL timezone = 'Pacific/Kiritimati';
SELECT leadanalytics.make_leaves('2026-11-30 23:59:59+00');
SELECT leadanalytics.make_leaves('2026-11-30 23:59:59+00');
SELECT leadanalytics.make_leaves('2026-12-01 00:00:00+00');
SELECT inhrelid::regclass, relowner::regrole FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
WHERE inhparent = 'leadanalytics.test_leaf'::regclass ORDER BY 1::text;

-- What is dumped: units of your own, no state.
SELECT c.relname, condition
FROM pg_extension, unnest(extconfig, extcondition) AS u (table_oid, condition)
JOIN pg_class c ON c.oid = table_oid
WHERE extname = 'leadanalytics' AND relname LIKE 'unit%';

-- Who may: nobody but the admin.
SELECT r, has_function_privilege(r, f, 'EXECUTE')
FROM unnest('{leadanalytics_anon,leadanalytics_read,leadanalytics_write,leadanalytics_admin}'::text[]) r,
     unnest('{leadanalytics.run_unit(text\,timestamptz)}'::text[]) f;
ROLLBACK;
