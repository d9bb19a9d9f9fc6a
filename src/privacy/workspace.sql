-- Deleting a workspace, with everything. It is closed first: its keys open nothing, nobody finds it, nobody works for it.
-- Then its rows go, table by table, some thousands at once with a commit behind each. Its own row goes last, in one
-- transaction with a look at all tables. Whoever dies in between leaves it closed, and the worker goes on.
--
-- Who found it before it was closed may still write: so its row waits until all transactions that were under way then
-- are over. Ids are never given twice (nor slugs while the row is there): what sessions remember of it is of no use.

-- All that can have rows of a workspace, those first that refer to others.
CREATE FUNCTION leadanalytics.workspace_tables()
RETURNS TABLE (name name) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE owned AS (
        SELECT c.oid, c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace' AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'leadanalytics'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    ), depth AS (
        SELECT o.oid, 0 AS n FROM owned o
        UNION
        SELECT f.conrelid, d.n + 1 FROM depth d JOIN pg_constraint f ON f.confrelid = d.oid AND f.contype = 'f' AND f.conrelid <> d.oid
    )
    -- What the worker takes rows from comes before all others, in the order in which it does: so nobody waits for us who has what we
    -- wait for, and what is named there is nobody's to fold any more.
    SELECT o.relname FROM owned o JOIN depth d ON d.oid = o.oid
    GROUP BY o.relname
    ORDER BY array_position('{ledger,session_ledger,message_fresh_tally,message_fresh_point,activity_fresh_tally,lead_unpredicted}', o.relname::text) NULLS LAST,
             max(d.n) DESC, o.relname
$$;
COMMENT ON FUNCTION leadanalytics.workspace_tables() IS 'the tables that belong to workspaces row by row (a column named workspace), those first that refer to others';

CREATE FUNCTION leadanalytics.delete_rows_of(workspace int, relation text, most bigint)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    whole CONSTANT regclass := format('leadanalytics.%I', relation);
    part regclass;
    n bigint;
    gone bigint := 0;
BEGIN
    FOR part IN
        SELECT c.oid FROM pg_class c WHERE c.oid = whole AND c.relkind = 'r'
        UNION ALL SELECT t.relid FROM pg_partition_tree(whole) t WHERE t.isleaf
    LOOP
        EXECUTE format('DELETE FROM %1$s WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM %1$s t WHERE t.workspace = $1 LIMIT $2))', part)
        USING delete_rows_of.workspace, most - gone;
        GET DIAGNOSTICS n = ROW_COUNT;
        gone := gone + n;
        EXIT WHEN gone >= most;
    END LOOP;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_rows_of(int, text, bigint) IS 'delete a workspace''s rows from a table, or so many of them: how many';

CREATE FUNCTION leadanalytics.has_rows(workspace int)
RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    one text;
BEGIN
    -- One statement, one snapshot: who moves rows from one table to another is seen in either.
    EXECUTE (SELECT string_agg(format('SELECT %L WHERE EXISTS (SELECT FROM leadanalytics.%I WHERE workspace = $1)', t.name, t.name), ' UNION ALL ')
             FROM leadanalytics.workspace_tables() t) || ' LIMIT 1' INTO one USING has_rows.workspace;
    RETURN one;
END
$$;
COMMENT ON FUNCTION leadanalytics.has_rows(int) IS 'a table that has rows of a workspace; null: none has';

CREATE FUNCTION leadanalytics.closing()
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'closed by ' || pg_catalog.pg_current_xact_id()
$$;
COMMENT ON FUNCTION leadanalytics.closing() IS 'what stands in leadanalytics.workspace.closed_among until it was looked who is under way: which transaction closes it';

CREATE FUNCTION leadanalytics.close_workspace(workspace int, now timestamptz DEFAULT now())
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM leadanalytics.workspace w WHERE w.id = close_workspace.workspace AND leadanalytics.may(w.id) FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Workspace not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.workspaces for those you may ask about.';
    END IF;
    UPDATE leadanalytics.workspace w
    SET closed_at = close_workspace.now, closed_among = ARRAY[leadanalytics.closing()], is_default = false, domain = NULL
    WHERE (w.id = close_workspace.workspace OR w.sandbox_of = close_workspace.workspace) AND w.closed_at IS NULL;
    -- What lets anybody in, and assigns posts to it.
    DELETE FROM leadanalytics.key k USING leadanalytics.workspace w WHERE k.workspace = w.id AND (w.id = close_workspace.workspace OR w.sandbox_of = close_workspace.workspace);
    DELETE FROM leadanalytics.site s USING leadanalytics.workspace w WHERE s.workspace = w.id AND (w.id = close_workspace.workspace OR w.sandbox_of = close_workspace.workspace);
    DELETE FROM leadanalytics.workspace_role r USING leadanalytics.workspace w
    WHERE r.workspace = w.id AND (w.id = close_workspace.workspace OR w.sandbox_of = close_workspace.workspace);
END
$$;
COMMENT ON FUNCTION leadanalytics.close_workspace(int, timestamptz) IS
    'the beginning of leadanalytics.delete_workspace(): from its commit on nobody finds the workspace or its sandbox any more, and there is no way back; the worker does the rest';
GRANT EXECUTE ON FUNCTION leadanalytics.close_workspace(int, timestamptz) TO leadanalytics_admin;

-- One step. Sandboxes before their workspaces: their ids are higher.
CREATE FUNCTION leadanalytics.empty_closed()
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    at_once CONSTANT int := 10000;
    closed leadanalytics.workspace;
    relation name;
    gone bigint;
BEGIN
    FOR closed IN SELECT w.* FROM leadanalytics.workspace w WHERE w.closed_at IS NOT NULL ORDER BY w.id DESC FOR NO KEY UPDATE SKIP LOCKED LOOP
        -- Who is under way can be told once nobody new finds the workspace: not in the transaction that closes it.
        CONTINUE WHEN closed.closed_among = ARRAY[leadanalytics.closing()];
        IF closed.closed_among[1] LIKE 'closed by %' THEN
            UPDATE leadanalytics.workspace w
            SET closed_among = ARRAY(SELECT l.virtualtransaction FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.granted AND l.pid <> pg_backend_pid())
            WHERE w.id = closed.id;
            RETURN 1;
        END IF;
        FOR relation IN SELECT t.name FROM leadanalytics.workspace_tables() t LOOP
            gone := leadanalytics.delete_rows_of(closed.id, relation, at_once);
            IF gone > 0 THEN
                RETURN gone;
            END IF;
        END LOOP;
        IF NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.virtualtransaction = ANY (closed.closed_among))
           AND NOT EXISTS (SELECT FROM pg_prepared_xacts p WHERE p.database = current_database() AND p.prepared <= closed.closed_at)
           AND leadanalytics.has_rows(closed.id) IS NULL THEN
            DELETE FROM leadanalytics.workspace w WHERE w.id = closed.id;
            RETURN 1;
        END IF;
    END LOOP;
    RETURN 0;
END
$$;
COMMENT ON FUNCTION leadanalytics.empty_closed() IS
    'delete some thousands of rows of a workspace that is closed, or at last its own: how many; 0: none is left, or they wait for transactions that began before they were closed';
GRANT EXECUTE ON FUNCTION leadanalytics.empty_closed() TO leadanalytics_admin;

CREATE PROCEDURE leadanalytics.empty_closed_workspaces(now timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
    WHILE leadanalytics.empty_closed() > 0 LOOP
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE leadanalytics.empty_closed_workspaces(timestamptz) IS 'go on with the deletion of workspaces that are closed: the worker''s unit';
INSERT INTO leadanalytics.unit (name, function, kind, every, timeout_ms, builtin, summary)
VALUES ('closed_workspaces', 'leadanalytics.empty_closed_workspaces', 'procedure', '1 minute', 3600000, true, 'deletes what belongs to workspaces that are closed');

CREATE PROCEDURE leadanalytics.delete_workspace(workspace int, now timestamptz DEFAULT now())
LANGUAGE plpgsql AS $$
DECLARE
    patience CONSTANT int := 100;
    gone bigint;
BEGIN
    PERFORM leadanalytics.close_workspace(delete_workspace.workspace, delete_workspace.now);
    COMMIT;
    FOR waited IN 1 .. patience LOOP
        LOOP
            gone := leadanalytics.empty_closed();
            COMMIT;
            EXIT WHEN gone = 0;
        END LOOP;
        IF NOT leadanalytics.is_closed(delete_workspace.workspace) THEN
            RETURN;
        END IF;
        PERFORM pg_sleep(0.1);
        COMMIT;
    END LOOP;
    RAISE NOTICE 'the workspace is closed; what is left of it goes when others are done with it'
        USING HINT = 'The worker does it; without one call leadanalytics.empty_closed_workspaces(now()).';
END
$$;
COMMENT ON PROCEDURE leadanalytics.delete_workspace(int, timestamptz) IS
    'delete a workspace, its sandbox, and all that belongs to them, some thousands of rows a transaction: for CALL outside of a transaction. When it ends early, the worker goes on';
GRANT EXECUTE ON PROCEDURE leadanalytics.delete_workspace(int, timestamptz) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.is_closed(workspace int)
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM leadanalytics.workspace w WHERE w.id = is_closed.workspace AND w.closed_at IS NOT NULL)
$$;
COMMENT ON FUNCTION leadanalytics.is_closed(int) IS 'whether a workspace is being deleted';
GRANT EXECUTE ON FUNCTION leadanalytics.is_closed(int) TO leadanalytics_admin;

-- Whoever deletes the row itself deletes all the same, in one transaction: of little, or when nobody else is there.
CREATE FUNCTION leadanalytics.workspace_deleted()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation name;
BEGIN
    -- Deleting from one table may add to another, which counts: again until nothing is left.
    WHILE leadanalytics.has_rows(OLD.id) IS NOT NULL LOOP
        FOR relation IN SELECT t.name FROM leadanalytics.workspace_tables() t LOOP
            PERFORM leadanalytics.delete_rows_of(OLD.id, relation, 9223372036854775807);
        END LOOP;
    END LOOP;
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION leadanalytics.workspace_deleted() IS 'all that belongs to a workspace goes with its row';
-- Before, not after: what a cascade deletes is counted only when all else is done.
CREATE TRIGGER workspace_deleted BEFORE DELETE ON leadanalytics.workspace
    FOR EACH ROW EXECUTE FUNCTION leadanalytics.workspace_deleted();
