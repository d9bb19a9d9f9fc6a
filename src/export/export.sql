-- Jobs: asked for, written by the worker, handed out for a while, removed.

CREATE FUNCTION leadanalytics.csv_line(record json, header boolean DEFAULT false)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_export_csv_line';
COMMENT ON FUNCTION leadanalytics.csv_line(json, boolean) IS
    'a flat JSON object as a line of CSV (RFC 4180), or the line of its members'' names; a text that a spreadsheet would take for a formula gets an apostrophe before it';
GRANT EXECUTE ON FUNCTION leadanalytics.csv_line(json, boolean) TO leadanalytics_read;

CREATE VIEW leadanalytics.exports WITH (security_barrier) AS
    SELECT workspace, key, type, format, options, status, attempts, tried_at, created_at, completed_at, expires_at, size, records, error
    FROM leadanalytics.export
    WHERE leadanalytics.may(workspace);
COMMENT ON VIEW leadanalytics.exports IS 'the exports of the workspaces the caller may ask about';
GRANT SELECT ON leadanalytics.exports TO leadanalytics_read;

-- The query of a type, checked as a unit's is (src/worker/worker.sql).
CREATE FUNCTION leadanalytics.export_query(type text)
RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    named text;
    routine record;
BEGIN
    SELECT t.function INTO named FROM leadanalytics.export_type t WHERE t.name = export_query.type;
    SELECT n.nspname, p.proname, r.rolname, r.rolsuper, p.provolatile INTO routine
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_roles r ON r.oid = p.proowner
    WHERE p.oid = to_regprocedure(named || '(int, jsonb, timestamptz)') AND p.prokind = 'f' AND p.proretset AND p.prorettype = 'json'::regtype;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no function %(int, jsonb, timestamptz) of json records', coalesce(named, format('of type "%s": ', type))
            USING ERRCODE = 'undefined_function', HINT = 'Create it, or correct the row of leadanalytics.export_type.';
    END IF;
    -- It runs with the owner's rights: whoever may replace it could use them.
    IF routine.rolname <> 'leadanalytics_owner' AND NOT routine.rolsuper THEN
        RAISE EXCEPTION 'function % belongs to role %', named, quote_ident(routine.rolname) USING ERRCODE = 'insufficient_privilege',
            HINT = format('ALTER FUNCTION %s(int, jsonb, timestamptz) OWNER TO leadanalytics_owner.', named);
    END IF;
    IF routine.provolatile = 'v' THEN
        RAISE EXCEPTION 'function % is VOLATILE: its records would not be of one moment', named USING ERRCODE = 'invalid_function_definition',
            HINT = format('ALTER FUNCTION %s(int, jsonb, timestamptz) STABLE.', named);
    END IF;
    RETURN format('SELECT r FROM %I.%I($1, $2, $3) AS r', routine.nspname, routine.proname);
END
$$;
COMMENT ON FUNCTION leadanalytics.export_query(text) IS
    'the query for the records of a type of export; an error when its function is missing, is not STABLE or belongs to somebody else';

CREATE FUNCTION leadanalytics.queue_export(
    workspace int, type text, format text DEFAULT 'csv', options jsonb DEFAULT '{}', now timestamptz DEFAULT now(), keep interval DEFAULT '1 hour')
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made CONSTANT text := 'exp_' || left(leadanalytics.new_secret(), 24);
    formats text[];
BEGIN
    SELECT CASE WHEN t.writes = '{}' THEN '{csv,json,ndjson}' ELSE t.writes END INTO formats FROM leadanalytics.export_type t WHERE t.name = queue_export.type;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no type of export "%"', type USING ERRCODE = 'invalid_parameter_value', HINT = 'See leadanalytics.export_type.';
    ELSIF coalesce(format <> ALL (formats), true) THEN
        RAISE EXCEPTION 'no file format "%"', format USING ERRCODE = 'invalid_parameter_value', HINT = format('It is one of: %s.', array_to_string(formats, ', '));
    END IF;
    INSERT INTO leadanalytics.export (workspace, key, type, format, options, created_at, secret, keep)
    VALUES (leadanalytics.permitted(workspace), made, type, format, coalesce(options, '{}'), queue_export.now, leadanalytics.new_secret(), queue_export.keep);
    PERFORM leadanalytics.worker_poke();
    RETURN made;
END
$$;
COMMENT ON FUNCTION leadanalytics.queue_export(int, text, text, jsonb, timestamptz, interval) IS
    'ask for an export of a type in csv, json or ndjson (or what leadanalytics.export_type.writes says), with the options that its function takes, and its file kept for so long; returns its key. The worker writes it';
GRANT EXECUTE ON FUNCTION leadanalytics.queue_export(int, text, text, jsonb, timestamptz, interval) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.find_export(workspace int, key text, now timestamptz)
RETURNS leadanalytics.export LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    found leadanalytics.export;
BEGIN
    SELECT e.* INTO found FROM leadanalytics.export e WHERE e.workspace = find_export.workspace AND e.key = find_export.key;
    -- Whether or not the worker has removed the file.
    IF found.status = 'completed' AND found.expires_at <= find_export.now THEN
        found.status := 'expired';
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION leadanalytics.find_export(int, text, timestamptz) IS 'an export as it is at that moment, nulls when there is none: for functions that asked who calls';

-- Of the workspaces that wait, the one whose last turn was longest ago: many large ones of one do not keep the
-- others waiting. After each attempt comes a pause, 15 s longer each time.
CREATE FUNCTION leadanalytics.claim_export(
    now timestamptz, OUT workspace int, OUT key text, OUT attempt int)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH turn AS MATERIALIZED ( -- once for each workspace, however many exports of it wait
        SELECT o.workspace, max(o.tried_at) AS at FROM leadanalytics.export o GROUP BY o.workspace
    ), free AS MATERIALIZED ( -- once: asked again after it was taken, it would name another
        SELECT w.workspace, w.key
        FROM leadanalytics.export w JOIN turn t ON t.workspace = w.workspace
        WHERE w.status = 'processing' AND (w.attempts = 0 OR w.tried_at <= claim_export.now - w.attempts * interval '15 seconds')
        ORDER BY t.at NULLS FIRST, w.created_at, w.key
        LIMIT 1
        FOR NO KEY UPDATE OF w SKIP LOCKED
    )
    UPDATE leadanalytics.export e
    SET attempts = e.attempts + 1, tried_at = claim_export.now
    FROM free
    WHERE e.workspace = free.workspace AND e.key = free.key
    RETURNING e.workspace, e.key, e.attempts
$$;
COMMENT ON FUNCTION leadanalytics.claim_export(timestamptz) IS
    'count an attempt at an export that nobody writes now, and which it is; nulls when there is none. To be committed before the attempt: one that ends its worker counts';

CREATE FUNCTION leadanalytics.write_file(
    query text, workspace int, export text, format text, options jsonb, now timestamptz, OUT size bigint, OUT records bigint)
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'la_export_write';
COMMENT ON FUNCTION leadanalytics.write_file(text, int, text, text, jsonb, timestamptz) IS
    'write the records of a query ($1 workspace, $2 options, $3 now) as the file of an export, and how large it is; format pieces: they are JSON strings, written one after the other; LA422 "insufficient data" when there are none';

CREATE FUNCTION leadanalytics.fail_export(workspace int, key text, error text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE leadanalytics.export e SET status = 'failed', error = fail_export.error
    WHERE e.workspace = fail_export.workspace AND e.key = fail_export.key
$$;
COMMENT ON FUNCTION leadanalytics.fail_export(int, text, text) IS 'give an export up, for a reason that the client may read';

CREATE FUNCTION leadanalytics.write_export(workspace int, key text, attempt int, now timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    begun CONSTANT timestamptz := clock_timestamp();
    job leadanalytics.export;
    file record;
    done timestamptz;
BEGIN
    -- Not ours when somebody claimed it since, and not there when it was deleted.
    SELECT * INTO job FROM leadanalytics.export e
    WHERE e.workspace = write_export.workspace AND e.key = write_export.key AND e.status = 'processing' AND e.attempts = attempt
    FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    ELSIF attempt > 3 THEN -- the third ended its worker
        PERFORM leadanalytics.fail_export(job.workspace, job.key, 'internal error');
        RETURN;
    END IF;
    SELECT * INTO file
    FROM leadanalytics.write_file(leadanalytics.export_query(job.type), job.workspace, job.key,
                                  (SELECT CASE WHEN job.format = ANY (t.writes) THEN 'pieces' ELSE job.format END FROM leadanalytics.export_type t WHERE t.name = job.type),
                                  job.options, job.created_at);
    done := date_trunc('second', write_export.now + (clock_timestamp() - begun));
    UPDATE leadanalytics.export e
    SET status = 'completed', completed_at = done, expires_at = done + job.keep, size = file.size, records = file.records
    WHERE e.workspace = job.workspace AND e.key = job.key;
EXCEPTION
    WHEN OTHERS OR query_canceled THEN
        RAISE LOG 'leadanalytics: attempt % at export % of workspace % failed: %', attempt, write_export.key, write_export.workspace, SQLERRM
            USING ERRCODE = SQLSTATE;
        -- What another attempt may cure (locks, memory, disk, the time it may take) is tried again.
        IF SQLSTATE LIKE 'LA4%' THEN
            PERFORM leadanalytics.fail_export(write_export.workspace, write_export.key, SQLERRM);
        ELSIF attempt >= 3 OR (SQLSTATE NOT LIKE '40%' AND SQLSTATE NOT LIKE '53%' AND SQLSTATE NOT LIKE '55%' AND SQLSTATE NOT LIKE '57%') THEN
            PERFORM leadanalytics.fail_export(write_export.workspace, write_export.key, 'internal error');
        END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.write_export(int, text, int, timestamptz) IS
    'make an attempt at an export that was claimed: write its file and complete it, or fail it; an error that another attempt may cure leaves it as it is';

CREATE PROCEDURE leadanalytics.write_exports(now timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    begun CONSTANT timestamptz := clock_timestamp();
    at timestamptz;
    job record;
BEGIN
    LOOP
        at := write_exports.now + (clock_timestamp() - begun);
        IF at > write_exports.now + interval '1 minute' THEN -- the lane's other units have their turn
            PERFORM leadanalytics.worker_poke();
            RETURN;
        END IF;
        SELECT * INTO job FROM leadanalytics.claim_export(at);
        EXIT WHEN job.key IS NULL;
        COMMIT;
        PERFORM leadanalytics.write_export(job.workspace, job.key, job.attempt, at);
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE leadanalytics.write_exports(timestamptz) IS
    'write the exports that were asked for, one after the other for a minute: the worker''s unit. Another row of leadanalytics.unit with this procedure lets another job worker do the same beside it';

CREATE FUNCTION leadanalytics.remove_exports(now timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n int;
BEGIN
    WITH over AS (
        UPDATE leadanalytics.export e SET status = 'expired'
        WHERE e.status = 'completed' AND e.expires_at <= remove_exports.now
        RETURNING e.workspace, e.key
    )
    DELETE FROM leadanalytics.export_chunk c USING over o WHERE c.workspace = o.workspace AND c.export = o.key;
    DELETE FROM leadanalytics.export e
    WHERE e.status IN ('failed', 'expired')
          -- (a session that has not loaded the library has no such setting yet)
          AND coalesce(e.expires_at, e.created_at) < remove_exports.now - coalesce(current_setting('leadanalytics.export_keep', true), '7 days')::interval;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;
COMMENT ON FUNCTION leadanalytics.remove_exports(timestamptz) IS
    'remove the files whose time is over, and forget exports that expired or failed leadanalytics.export_keep ago; how many it forgot';

INSERT INTO leadanalytics.unit (name, function, kind, every, on_poke, timeout_ms, builtin, summary) VALUES
    ('exports', 'leadanalytics.write_exports', 'procedure', '1 minute', true, 3600000, true, 'writes the exports that were asked for'),
    ('exports_over', 'leadanalytics.remove_exports', 'function', '5 minutes', false, 300000, true, 'removes exports that are over');

CREATE FUNCTION leadanalytics.export_status()
RETURNS SETOF leadanalytics.status_line LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'exports', format('%s waiting or being written, since %s', count(*), min(created_at)),
           'They are written by the worker: see its line. Without it: CALL leadanalytics.write_exports(now());'
    FROM leadanalytics.export
    WHERE status = 'processing'
    HAVING min(created_at) < now() - interval '5 minutes'
    UNION ALL
    SELECT 'exports', 'links to files begin without a host', 'Set leadanalytics.public_url to the address where clients reach the service.'
    WHERE coalesce(current_setting('leadanalytics.public_url', true), '') = '' AND EXISTS (SELECT FROM leadanalytics.export)
$$;
COMMENT ON FUNCTION leadanalytics.export_status() IS 'exports that wait for long, for leadanalytics.status()';
INSERT INTO leadanalytics.status_source VALUES ('exports', 'leadanalytics.export_status');
