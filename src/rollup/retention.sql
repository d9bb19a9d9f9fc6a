-- Retention of web events: a workspace's rows of old days (UTC) go once all of them is in segments. What segments tell
-- stays: any range of whole days. What only rows can tell is gone with them: a range that begins or ends inside such a
-- day is answered for the whole day (of UTC), with a notice.
--
-- Months are shared by all workspaces. So it goes in three steps, each to be begun again at any time:
--   1. Days that have rows and no segments are made, and it is written down (leadanalytics.dropped) that rows of the time
--      before are no more to be counted on: expire_events(). From there on leadanalytics.forget_segments() leaves
--      its segments alone, and so does everybody else: they are all there is.
--   2. A month that is over for everybody who has rows in it is dropped as a whole: drop_leaf().
--   3. From other months the workspace's rows are deleted, some thousands at once: sweep_events().
-- A day of UTC without a bucket never lost a row: what comes for it later can be made into one at any time.

-- How much has to be made before rows may go: days of UTC, which answer for any range, and of the workspace's zone, which
-- answer for its own.
CREATE FUNCTION leadanalytics.build_for_drop(workspace int, starts timestamptz, ends timestamptz, most int DEFAULT 8)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept_since CONSTANT timestamptz := leadanalytics.rows_since(build_for_drop.workspace);
    due record;
    built int := 0;
BEGIN
    FOR due IN
        SELECT d.zone, d.starts, d.ends
        FROM (SELECT z.name AS zone, s.local AT TIME ZONE z.name AS starts, (s.local + interval '1 day') AT TIME ZONE z.name AS ends
              FROM (SELECT 'UTC' AS name UNION SELECT w.timezone FROM leadanalytics.workspace w WHERE w.id = build_for_drop.workspace) AS z
              CROSS JOIN LATERAL generate_series(date_trunc('day', build_for_drop.starts AT TIME ZONE z.name), build_for_drop.ends AT TIME ZONE z.name, '1 day') AS s (local)) AS d
        WHERE d.ends > build_for_drop.starts AND d.starts < build_for_drop.ends
          AND (d.zone = 'UTC' OR d.starts >= kept_since) -- a day at the edge, of a zone that came later: UTC answers for it
          AND (EXISTS (SELECT FROM leadanalytics.event e WHERE e.workspace = build_for_drop.workspace AND e.at >= d.starts AND e.at < d.ends)
               OR EXISTS (SELECT FROM leadanalytics.session s WHERE s.workspace = build_for_drop.workspace AND s.started_at >= d.starts AND s.started_at < d.ends))
          AND NOT EXISTS (SELECT FROM leadanalytics.bucket b
                          WHERE b.workspace = build_for_drop.workspace AND b.starts = d.starts AND b.grain = 'd' AND b.zone = d.zone)
        ORDER BY d.starts
        LIMIT build_for_drop.most
    LOOP
        IF NOT leadanalytics.build_bucket(build_for_drop.workspace, 'd', due.zone, due.starts, due.ends) THEN
            RETURN -1;
        END IF;
        built := built + 1;
    END LOOP;
    RETURN built;
END
$$;
COMMENT ON FUNCTION leadanalytics.build_for_drop(int, timestamptz, timestamptz, int) IS
    'make the first days of a time that have events or sessions and no segments, however few: how many it were; -1: somebody else is at the workspace';

CREATE FUNCTION leadanalytics.leaves_before(parent text, before timestamptz)
RETURNS TABLE (month date, starts timestamptz, ends timestamptz) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.month, l.starts, least(l.ends, leaves_before.before)
    FROM (SELECT m.month, m.month::timestamp AT TIME ZONE 'UTC' AS starts, (m.month + interval '1 month')::timestamp AT TIME ZONE 'UTC' AS ends
          FROM (SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS month
                FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                WHERE i.inhparent = format('leadanalytics.%I', leaves_before.parent)::regclass) AS m) AS l
    WHERE l.starts < leaves_before.before
    ORDER BY l.month
$$;
COMMENT ON FUNCTION leadanalytics.leaves_before(text, timestamptz) IS 'the months a table has that begin before a time, and how far they lie before it, the oldest first';

-- The days (UTC) on which a workspace has rows and no segments.
CREATE FUNCTION leadanalytics.has_unmade_days(workspace int, starts timestamptz, ends timestamptz)
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM generate_series(has_unmade_days.starts, has_unmade_days.ends - interval '1 microsecond', interval '24 hours') AS d (starts)
        WHERE EXISTS (SELECT FROM leadanalytics.event e
                      WHERE e.workspace = has_unmade_days.workspace AND e.at >= d.starts AND e.at < least(d.starts + interval '24 hours', has_unmade_days.ends))
          AND NOT EXISTS (SELECT FROM leadanalytics.bucket b
                          WHERE b.workspace = has_unmade_days.workspace AND b.starts = d.starts AND b.grain = 'd' AND b.zone = 'UTC'))
$$;
COMMENT ON FUNCTION leadanalytics.has_unmade_days(int, timestamptz, timestamptz) IS 'whether a workspace has events on a day (UTC) that has no segments';

CREATE FUNCTION leadanalytics.expire_events(workspace int, before timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    leaf record;
    built int;
    rows boolean := false;
BEGIN
    FOR leaf IN
        SELECT l.* FROM leadanalytics.leaves_before('event', expire_events.before) l
        WHERE EXISTS (SELECT FROM leadanalytics.event e WHERE e.workspace = expire_events.workspace AND e.at >= l.starts AND e.at < l.ends)
    LOOP
        built := leadanalytics.build_for_drop(expire_events.workspace, leaf.starts, leaf.ends);
        IF built <> 0 THEN
            RETURN nullif(built, -1);
        END IF;
        rows := true;
    END LOOP;
    IF NOT rows THEN
        RETURN 0;
    END IF;
    -- Who forgets segments holds the same row: from here on it sees what is written here.
    PERFORM FROM leadanalytics.rollup_state s WHERE s.workspace = expire_events.workspace FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT FROM leadanalytics.leaves_before('event', expire_events.before) l
               WHERE leadanalytics.has_unmade_days(expire_events.workspace, l.starts, l.ends)) THEN
        RETURN NULL;
    END IF;
    INSERT INTO leadanalytics.dropped AS d (workspace, parent, before)
    VALUES (expire_events.workspace, 'event', (expire_events.before AT TIME ZONE 'UTC')::date)
    ON CONFLICT ON CONSTRAINT dropped_pkey DO UPDATE SET before = greatest(d.before, excluded.before), swept = false;
    UPDATE leadanalytics.rollup_state s SET version = s.version + 1 WHERE s.workspace = expire_events.workspace;
    RETURN 0;
END
$$;
COMMENT ON FUNCTION leadanalytics.expire_events(int, timestamptz) IS
    'have a workspace''s events before a midnight (UTC) go: some days of theirs are made into segments, and when all are, it is written down for leadanalytics.sweep_events(); '
    'how many were made, 0: nothing is left to do here; null: somebody else is at the workspace';

-- Everybody who has rows in the month: one probe of the index for each.
CREATE FUNCTION leadanalytics.workspaces_in(leaf regclass)
RETURNS SETOF int LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'WITH RECURSIVE one AS (SELECT (SELECT min(e.workspace) FROM %1$s e) AS workspace UNION ALL '
        'SELECT (SELECT min(e.workspace) FROM %1$s e WHERE e.workspace > o.workspace) FROM one o WHERE o.workspace IS NOT NULL) '
        'SELECT o.workspace FROM one o WHERE o.workspace IS NOT NULL', leaf);
END
$$;
COMMENT ON FUNCTION leadanalytics.workspaces_in(regclass) IS 'the workspaces that have rows in a leaf';

CREATE FUNCTION leadanalytics.is_everybodys(month date)
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (SELECT FROM leadanalytics.workspaces_in(format('leadanalytics.%I', leadanalytics.leaf_name('event', is_everybodys.month))::regclass) AS w (id)
                       WHERE leadanalytics.rows_since(w.id) < (is_everybodys.month + interval '1 month')::timestamp AT TIME ZONE 'UTC')
$$;
COMMENT ON FUNCTION leadanalytics.is_everybodys(date) IS 'whether the retention of everybody who has rows in a month of events has passed all of it';

CREATE FUNCTION leadanalytics.is_over(month date)
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT leadanalytics.is_everybodys(is_over.month)
       AND NOT EXISTS (SELECT FROM leadanalytics.ledger l WHERE l.leaf = is_over.month)
       AND NOT EXISTS (SELECT FROM leadanalytics.workspaces_in(format('leadanalytics.%I', leadanalytics.leaf_name('event', is_over.month))::regclass) AS w (id)
                       WHERE leadanalytics.has_unmade_days(w.id, is_over.month::timestamp AT TIME ZONE 'UTC', (is_over.month + interval '1 month')::timestamp AT TIME ZONE 'UTC'))
$$;
COMMENT ON FUNCTION leadanalytics.is_over(date) IS 'whether nobody counts on the rows of a month of events any more: everybody''s retention has passed them, they are folded, and all of their days have segments';

CREATE FUNCTION leadanalytics.drop_leaf(month date)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    leaf CONSTANT text := leadanalytics.leaf_name('event', month);
BEGIN
    IF NOT leadanalytics.is_over(month) THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE leadanalytics.event, leadanalytics.%I IN ACCESS EXCLUSIVE MODE', leaf);
    -- Somebody may have added to it meanwhile. Segments of that time nobody deletes any more.
    IF NOT leadanalytics.is_over(month) THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE leadanalytics.%I', leaf);
    RETURN true;
EXCEPTION WHEN lock_not_available OR undefined_table THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION leadanalytics.drop_leaf(date) IS 'drop a month of events that is over for everybody; false: it is not, or was not to be had';

-- Rows that are folded, of days that have segments: that a row is in neither the one nor the other cannot be, as an event
-- and its row of the ledger come, and go, in one transaction.
CREATE FUNCTION leadanalytics.sweep_leaf(workspace int, month date, ends timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    at_once CONSTANT int := 5000;
    gone bigint;
BEGIN
    EXECUTE format(
        'DELETE FROM leadanalytics.%1$I e WHERE e.ctid = ANY (ARRAY(SELECT o.ctid FROM leadanalytics.%1$I o WHERE o.workspace = $1 AND o.at < $2 '
        'AND EXISTS (SELECT FROM leadanalytics.bucket b WHERE b.workspace = $1 AND b.starts = date_bin(''24 hours'', o.at, ''2000-01-01 00:00Z'') '
        'AND b.grain = ''d'' AND b.zone = ''UTC'') '
        'AND NOT EXISTS (SELECT FROM leadanalytics.ledger l WHERE l.workspace = $1 AND l.id_from BETWEEN o.id - 1024 AND o.id AND l.id_to >= o.id) '
        'LIMIT $3))', leadanalytics.leaf_name('event', month)) USING sweep_leaf.workspace, sweep_leaf.ends, at_once;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
EXCEPTION WHEN undefined_table THEN
    RETURN 0; -- it was dropped meanwhile
END
$$;
COMMENT ON FUNCTION leadanalytics.sweep_leaf(int, date, timestamptz) IS 'delete some thousands of a workspace''s events from a month, of the time before ends: how many';

CREATE FUNCTION leadanalytics.sweep_events(workspace int)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    before CONSTANT timestamptz := leadanalytics.rows_since(workspace);
    leaf record;
    gone bigint;
    waits boolean := false;
BEGIN
    FOR leaf IN SELECT l.* FROM leadanalytics.leaves_before('event', before) l LOOP -- no table is open here that may be dropped
        CONTINUE WHEN NOT EXISTS (SELECT FROM leadanalytics.event e WHERE e.workspace = sweep_events.workspace AND e.at >= leaf.starts AND e.at < leaf.ends);
        waits := true;
        IF leadanalytics.is_everybodys(leaf.month) THEN -- soon, if not now
            CONTINUE WHEN NOT leadanalytics.drop_leaf(leaf.month);
            RETURN 1;
        END IF;
        gone := leadanalytics.sweep_leaf(sweep_events.workspace, leaf.month, leaf.ends);
        IF gone > 0 THEN
            RETURN gone;
        END IF;
    END LOOP;
    IF waits THEN
        RETURN NULL;
    END IF;
    UPDATE leadanalytics.dropped d SET swept = true WHERE d.workspace = sweep_events.workspace AND d.parent = 'event';
    RETURN 0;
END
$$;
COMMENT ON FUNCTION leadanalytics.sweep_events(int) IS
    'take out events that leadanalytics.expire_events() found to be over, some thousands or a whole month: how many, 0: none is left; null: some are not folded, have no segments, or cannot be had';

-- Months that nobody has rows in any more, of the time that somebody's went.
CREATE FUNCTION leadanalytics.drop_empty_leaf(parent text, month date)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    leaf CONSTANT text := leadanalytics.leaf_name(parent, month);
    used boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM leadanalytics.%I)', leaf) INTO used;
    IF used THEN
        RETURN false;
    END IF;
    EXECUTE format('LOCK TABLE leadanalytics.%I, leadanalytics.%I IN ACCESS EXCLUSIVE MODE', parent, leaf);
    EXECUTE format('SELECT EXISTS (SELECT FROM leadanalytics.%I)', leaf) INTO used;
    IF used THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE leadanalytics.%I', leaf);
    RETURN true;
EXCEPTION WHEN lock_not_available OR undefined_table THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION leadanalytics.drop_empty_leaf(text, date) IS 'drop a month of a partitioned table that has no rows; false: it has, or was not to be had';

CREATE PROCEDURE leadanalytics.sweep_dropped(now timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    due record;
BEGIN
    IF NOT EXISTS (SELECT FROM leadanalytics.dropped d WHERE d.parent = 'event' AND NOT d.swept) THEN
        RETURN;
    END IF;
    FOR due IN SELECT d.workspace FROM leadanalytics.dropped d WHERE d.parent = 'event' AND NOT d.swept ORDER BY d.workspace LOOP
        WHILE leadanalytics.sweep_events(due.workspace) > 0 LOOP
            COMMIT;
        END LOOP;
        COMMIT;
    END LOOP;
    FOR due IN
        SELECT l.month FROM leadanalytics.leaves_before('event', (SELECT max(d.before)::timestamp AT TIME ZONE 'UTC' FROM leadanalytics.dropped d WHERE d.parent = 'event')) l
        WHERE l.ends = (l.month + interval '1 month')::timestamp AT TIME ZONE 'UTC'
    LOOP
        PERFORM leadanalytics.drop_empty_leaf('event', due.month);
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE leadanalytics.sweep_dropped(timestamptz) IS 'take out all events that are over: part of leadanalytics.expire_due()';

-- A session goes after its events. One that is open, or not folded yet, stays; so does one of a day without segments.
CREATE FUNCTION leadanalytics.expire_sessions(workspace int, before timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    at_once CONSTANT int := 5000;
    until CONSTANT timestamptz := least(expire_sessions.before, leadanalytics.rows_since(expire_sessions.workspace));
    gone bigint;
BEGIN
    WITH gone AS (
        DELETE FROM leadanalytics.session s
        WHERE s.ctid = ANY (ARRAY(
            SELECT o.ctid FROM leadanalytics.session o
            WHERE o.workspace = expire_sessions.workspace AND o.started_at < until AND o.last_seen < until AND o.ended_at < until
              AND EXISTS (SELECT FROM leadanalytics.bucket b
                          WHERE b.workspace = o.workspace AND b.starts = date_bin('24 hours', o.started_at, '2000-01-01 00:00Z') AND b.grain = 'd' AND b.zone = 'UTC')
              AND NOT EXISTS (SELECT FROM leadanalytics.session_ledger l
                              WHERE l.workspace = o.workspace AND o.number BETWEEN l.number_from AND l.number_to)
            LIMIT at_once))
        RETURNING s.number
    ), left_by AS (
        DELETE FROM leadanalytics.guest g USING gone WHERE g.workspace = expire_sessions.workspace AND g.session = gone.number
    )
    SELECT count(*) INTO gone FROM gone;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION leadanalytics.expire_sessions(int, timestamptz) IS
    'delete some thousands of a workspace''s sessions that ended before a midnight (UTC) and whose events went, too: how many';
