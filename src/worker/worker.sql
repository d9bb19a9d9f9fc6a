-- Units of work, by the workers and by hand, and what can be seen of them.

CREATE FUNCTION leadanalytics.unit_plan(now timestamptz)
RETURNS TABLE (name text, lane text, kind text, on_poke boolean, timeout_ms int, keep boolean, failing boolean,
               next_run timestamptz, following timestamptz)
LANGUAGE sql STABLE AS $$
    -- (No setting and no other owner's rights: so it is planned with the query that asks, once.)
    -- A next run that lies further ahead than any pause was written before the clock was set back.
    SELECT u.name, u.lane, u.kind, u.on_poke, u.timeout_ms,
           s.name IS NULL OR s.failures > 0 OR u.every >= interval '1 hour',
           coalesce(s.failures > 0, false),
           CASE WHEN s.next_run <= unit_plan.now + greatest(u.every, interval '5 minutes') THEN s.next_run
                ELSE 'epoch' END,
           unit_plan.now + u.every
    FROM leadanalytics.unit u
    LEFT JOIN leadanalytics.unit_state s USING (name)
    WHERE u.enabled
    ORDER BY u.lane <> 'fold', u.lane, u.name
$$;
COMMENT ON FUNCTION leadanalytics.unit_plan(timestamptz) IS
    'the enabled units, lane fold first: when each is due, whether its last run failed, whether to write down (keep) a run that changed nothing, and when one that starts now is followed by the next';

CREATE FUNCTION leadanalytics.unit_command(unit leadanalytics.unit, now timestamptz)
RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
    routine record;
BEGIN
    SELECT n.nspname, p.proname, p.prokind, r.rolname, r.rolsuper INTO routine
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_roles r ON r.oid = p.proowner
    WHERE p.oid = to_regprocedure(unit.function || '(timestamptz)');
    IF NOT FOUND OR (routine.prokind = 'p') <> (unit.kind = 'procedure') OR routine.prokind NOT IN ('f', 'p') THEN
        RAISE EXCEPTION 'there is no % %(timestamptz)', unit.kind, unit.function USING ERRCODE = 'undefined_function',
            HINT = 'Create it, or correct or delete the row of leadanalytics.unit.';
    END IF;
    -- It runs with the owner's rights: whoever may replace it could use them.
    IF routine.rolname <> 'leadanalytics_owner' AND NOT routine.rolsuper THEN
        RAISE EXCEPTION '% % belongs to role %', unit.kind, unit.function, quote_ident(routine.rolname)
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('ALTER ROUTINE %s(timestamptz) OWNER TO leadanalytics_owner.', unit.function);
    END IF;
    RETURN format('%s %I.%I(%L::pg_catalog.timestamptz)', CASE unit.kind WHEN 'procedure' THEN 'CALL' ELSE 'SELECT' END,
                  routine.nspname, routine.proname, now);
END
$$;
COMMENT ON FUNCTION leadanalytics.unit_command(leadanalytics.unit, timestamptz) IS
    'the statement that runs a unit; an error when its function is missing or belongs to somebody else';

CREATE FUNCTION leadanalytics.unit_ended(name text, now timestamptz, error text, again timestamptz DEFAULT NULL)
RETURNS timestamptz LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO leadanalytics.unit_state AS s (name, next_run, last_start, last_end, failures, last_error)
    SELECT u.name, CASE WHEN error IS NULL THEN least(unit_ended.now + u.every, unit_ended.again) ELSE unit_ended.now + interval '5 seconds' END,
           unit_ended.now, greatest(clock_timestamp(), unit_ended.now), CASE WHEN error IS NULL THEN 0 ELSE 1 END, error
    FROM leadanalytics.unit u
    WHERE u.name = unit_ended.name
    ON CONFLICT (name) DO UPDATE SET
        next_run = CASE WHEN error IS NULL THEN excluded.next_run
                        ELSE unit_ended.now + least(interval '5 seconds' * (2 ^ least(s.failures, 10)), interval '5 minutes') END,
        last_start = excluded.last_start,
        last_end = excluded.last_end,
        failures = CASE WHEN error IS NULL THEN 0 ELSE least(s.failures, 2147483646) + 1 END,
        last_error = error
    RETURNING next_run
$$;
COMMENT ON FUNCTION leadanalytics.unit_ended(text, timestamptz, text, timestamptz) IS
    'write down how a unit''s run ended (error null: well) and return when it is due next: after its pause or when it asked for (again), or after 5 s doubled with each failure up to 5 min';

CREATE FUNCTION leadanalytics.run_unit(name text, now timestamptz DEFAULT now())
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unit leadanalytics.unit;
    command text;
BEGIN
    IF NOT leadanalytics.started() THEN
        RAISE EXCEPTION 'leadanalytics is not started in this database' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'SELECT leadanalytics.start();';
    END IF;
    SELECT * INTO unit FROM leadanalytics.unit u WHERE u.name = run_unit.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no unit "%"', name USING ERRCODE = 'undefined_object', HINT = 'See leadanalytics.unit.';
    END IF;
    BEGIN
        command := leadanalytics.unit_command(unit, now);
        IF unit.kind = 'procedure' THEN
            RETURN 'skipped: ' || command || ' must be run at top level';
        END IF;
        EXECUTE command;
        PERFORM leadanalytics.unit_ended(name, now, NULL);
        RETURN 'done';
    EXCEPTION WHEN OTHERS THEN
        PERFORM leadanalytics.unit_ended(name, now, format('%s (SQLSTATE %s)', SQLERRM, SQLSTATE));
        RETURN 'failed: ' || SQLERRM;
    END;
END
$$;
COMMENT ON FUNCTION leadanalytics.run_unit(text, timestamptz) IS
    'run a unit by hand, due or not, as if it were that time: done, failed: why, or skipped: the CALL for a procedure, which a function cannot do';

CREATE FUNCTION leadanalytics.tick(now timestamptz DEFAULT now())
RETURNS TABLE (unit text, outcome text) LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.name, leadanalytics.run_unit(p.name, tick.now)
    FROM leadanalytics.unit_plan(tick.now) p
    WHERE p.next_run <= tick.now AND leadanalytics.started()
$$;
COMMENT ON FUNCTION leadanalytics.tick(timestamptz) IS
    'run by hand what is due at that time: what the worker does, for servers without it; nothing before leadanalytics.start()';

-- The worker's first unit. Ingest makes the leaf of an event that has none, but it should not have to.
CREATE FUNCTION leadanalytics.make_leaves(now timestamptz DEFAULT now())
RETURNS int LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms' AS $$
DECLARE
    wanted record;
    made int := 0;
BEGIN
    FOR wanted IN
        SELECT p.parent, (date_trunc('month', make_leaves.now) + ahead * interval '1 month')::date AS month
        FROM leadanalytics.partitioned p, generate_series(0, 2) AS ahead
        ORDER BY p.parent, ahead
    LOOP
        BEGIN
            IF leadanalytics.make_leaf(wanted.parent, wanted.month) THEN
                made := made + 1;
            END IF;
        EXCEPTION WHEN lock_not_available THEN
            -- Whoever holds the table has a reason; there are months left to try again.
            RAISE LOG 'leadanalytics: the leaf % waits for the next run: its table is locked',
                leadanalytics.leaf_name(wanted.parent, wanted.month);
        END;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION leadanalytics.make_leaves(timestamptz) IS
    'make the leaves of this and the next two months (UTC) that are missing; how many it made';

-- Autovacuum looks at leaves and never at their parent, whose statistics plan whatever spans months.
CREATE FUNCTION leadanalytics.analyze_parents(now timestamptz DEFAULT now())
RETURNS int LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    grown record;
    analyzed int := 0;
BEGIN
    FOR grown IN
        SELECT p.parent
        FROM leadanalytics.partitioned p
        JOIN pg_class c ON c.oid = ('leadanalytics.' || quote_ident(p.parent))::regclass
        CROSS JOIN LATERAL (SELECT sum(pg_stat_get_live_tuples(i.inhrelid)) FROM pg_inherits i WHERE i.inhparent = c.oid) AS leaves (live)
        WHERE abs(leaves.live - greatest(c.reltuples, 0)) > 1000 + leaves.live / 10
        ORDER BY p.parent
    LOOP
        BEGIN
            EXECUTE format('ANALYZE leadanalytics.%I', grown.parent);
            analyzed := analyzed + 1;
        EXCEPTION WHEN lock_not_available THEN
            RAISE LOG 'leadanalytics: the statistics of % wait for the next run: its table is locked', grown.parent;
        END;
    END LOOP;
    RETURN analyzed;
END
$$;
COMMENT ON FUNCTION leadanalytics.analyze_parents(timestamptz) IS
    'ANALYZE partitioned tables that grew or shrank by a tenth since; how many. now is not looked at: every unit takes it';
INSERT INTO leadanalytics.unit (name, function, every, builtin, summary)
VALUES ('analyze_parents', 'leadanalytics.analyze_parents', '1 hour', true, 'statistics of partitioned tables');

GRANT EXECUTE ON FUNCTION leadanalytics.make_leaves(timestamptz), leadanalytics.analyze_parents(timestamptz), leadanalytics.run_unit(text, timestamptz),
    leadanalytics.tick(timestamptz) TO leadanalytics_admin;
INSERT INTO leadanalytics.unit (name, function, every, builtin, summary)
VALUES ('make_leaves', 'leadanalytics.make_leaves', '1 hour', true, 'makes next months'' partitions');

-- start() writes home; that is what wakes the launcher. A fresh, restored or cloned database has nothing
-- for a worker to do before, so CREATE EXTENSION itself wakes nobody.
CREATE FUNCTION leadanalytics.worker_look()
RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'la_worker_look';
COMMENT ON FUNCTION leadanalytics.worker_look() IS 'when the transaction commits, have the launcher look into this database, and its worker read the units';
CREATE TRIGGER look AFTER INSERT OR UPDATE ON leadanalytics.home
    FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.worker_look();
CREATE TRIGGER look AFTER INSERT OR UPDATE ON leadanalytics.unit
    FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.worker_look();

CREATE FUNCTION leadanalytics.worker_poke()
RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'la_worker_poke_call';
COMMENT ON FUNCTION leadanalytics.worker_poke() IS
    'have the worker run the units marked on_poke soon after this transaction commits; for functions that leave work for them';

CREATE FUNCTION leadanalytics.worker_poke_send()
RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'la_worker_poke_send';
COMMENT ON FUNCTION leadanalytics.worker_poke_send() IS
    'have the send worker run its units marked on_poke soon after this transaction commits; worker_poke() does not';

CREATE FUNCTION leadanalytics.worker_slots()
RETURNS TABLE (database oid, worker text, pid int, state text, unit text, failures int, start_at timestamptz, beat timestamptz)
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'la_worker_slots';
COMMENT ON FUNCTION leadanalytics.worker_slots() IS
    'the workers (fold, job 1, …, send) of all databases of this cluster: state, the unit that runs now, failures in a row, when the next start is due, when it last looked for work; no rows without preloading';

CREATE FUNCTION leadanalytics.worker_memory()
RETURNS TABLE (unit text, next_run timestamptz)
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'la_worker_memory';
COMMENT ON FUNCTION leadanalytics.worker_memory() IS
    'when units of this database run next, as the workers remember it: runs that found nothing to do are not written into leadanalytics.unit_state';

CREATE FUNCTION leadanalytics.worker_launcher()
RETURNS int LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'la_worker_launcher';
COMMENT ON FUNCTION leadanalytics.worker_launcher() IS 'the pid of the launcher, null when it does not run';

CREATE FUNCTION leadanalytics.worker_state()
RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN NOT leadanalytics.preloaded() THEN 'not preloaded'
        WHEN pg_is_in_recovery() THEN 'standby'
        WHEN NOT leadanalytics.started() THEN 'not started'
        ELSE coalesce((SELECT w.state FROM leadanalytics.worker_slots() w
                       WHERE w.worker = 'fold' AND w.database = (SELECT oid FROM pg_database WHERE datname = current_database())),
                      CASE WHEN leadanalytics.worker_launcher() IS NULL THEN 'no launcher' ELSE 'none' END)
    END
$$;
COMMENT ON FUNCTION leadanalytics.worker_state() IS 'this database''s fold worker in one word or a few';

CREATE FUNCTION leadanalytics.worker_status()
RETURNS TABLE (database name, worker text, unit text, lane text, state text, pid int, next_run timestamptz, late interval,
               last_start timestamptz, last_end timestamptz, failures int, last_error text, beat timestamptz)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH here AS MATERIALIZED (
        SELECT w.* FROM leadanalytics.worker_slots() w
        WHERE w.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
    SELECT current_database(), leadanalytics.worker_state(), u.name, u.lane,
           CASE WHEN w.pid IS NOT NULL THEN 'running'
                WHEN NOT u.enabled THEN 'disabled'
                WHEN s.failures > 0 THEN 'failing'
                WHEN s.name IS NULL THEN 'new'
                ELSE 'waiting' END,
           w.pid,
           greatest(s.next_run, m.next_run),
           CASE WHEN u.enabled AND w.pid IS NULL THEN
               greatest(clock_timestamp() - greatest(s.next_run, m.next_run), interval '0') END,
           s.last_start, s.last_end, coalesce(s.failures, 0), s.last_error,
           (SELECT max(beat) FROM here h WHERE split_part(h.worker, ' ', 1) IN (u.lane, CASE u.lane WHEN 'job' THEN 'fold' END))
    FROM leadanalytics.unit u
    LEFT JOIN leadanalytics.unit_state s USING (name)
    LEFT JOIN leadanalytics.worker_memory() m ON m.unit = u.name
    LEFT JOIN here w ON w.unit = u.name
    ORDER BY u.lane <> 'fold', u.lane, u.name
$$;
COMMENT ON FUNCTION leadanalytics.worker_status() IS
    'this database''s units: worker, how the fold worker is; pid, of the worker that runs the unit now; late, how long it has been due; beat, when a worker that may run it last looked for work';
GRANT EXECUTE ON FUNCTION leadanalytics.worker_status() TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.worker_lines()
RETURNS SETOF leadanalytics.status_line LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'worker',
           CASE state
               WHEN 'active' THEN 'active'
               WHEN 'not preloaded' THEN 'off: without preloading, units of work run only by hand'
               WHEN 'standby' THEN 'off: this is a standby; it starts when it is promoted'
               WHEN 'not started' THEN 'idle: not started here'
               WHEN 'no launcher' THEN 'off: the launcher is not running'
               WHEN 'none' THEN 'off: it found nothing to do here'
               ELSE state END,
           CASE state
               WHEN 'not preloaded' THEN 'Preload the library, or have cron run SELECT * FROM leadanalytics.tick().'
               WHEN 'not started' THEN 'SELECT leadanalytics.start();'
               WHEN 'no launcher' THEN 'PostgreSQL starts it again within seconds; if not, the server log says why.'
               WHEN 'none' THEN 'See the server log; SELECT leadanalytics.start() makes it look again.'
               WHEN 'failed' THEN 'See the server log; it is started again with growing pauses.'
               WHEN 'waits for a free background worker' THEN 'Raise max_worker_processes and restart PostgreSQL.'
               END
    FROM leadanalytics.worker_state() AS state
    UNION ALL
    (SELECT 'worker ' || w.worker, w.state,
            CASE w.state
                WHEN 'failed' THEN 'See the server log; it is started again with growing pauses.'
                ELSE 'Raise max_worker_processes and restart PostgreSQL' ||
                     CASE w.worker WHEN 'send' THEN '; until then nothing is sent.' ELSE '; until then the fold worker runs its units.' END END
     FROM leadanalytics.worker_slots() w
     WHERE w.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND w.worker <> 'fold'
       AND w.state IN ('failed', 'waits for a free background worker')
     ORDER BY w.worker)
    UNION ALL
    (SELECT 'unit ' || s.name,
            format('failed %s, last: %s', CASE s.failures WHEN 1 THEN 'once' ELSE s.failures || ' times' END, s.last_error),
            format('Mend the cause; it is tried again by itself, or at once by SELECT leadanalytics.run_unit(%L).', s.name)
     FROM leadanalytics.unit_state s
     WHERE s.failures > 0
     ORDER BY s.name)
$$;
COMMENT ON FUNCTION leadanalytics.worker_lines() IS 'the workers and the units that fail, for leadanalytics.status()';
INSERT INTO leadanalytics.status_source VALUES ('worker', 'leadanalytics.worker_lines');
