-- Retention: months of events that are older than leadanalytics.event_retention are dropped, once everything of them
-- is in segments. What segments tell stays: any range of whole days. What only rows can tell is gone with them: a
-- range that begins or ends inside such a day is answered for the whole day (of UTC), with a notice.

-- How much of a month has to be made before its rows may go: days of UTC, which answer for any range, and of the
-- workspace's zone, which answer for its own.
CREATE FUNCTION leadanalytics.build_for_drop(workspace int, starts timestamptz, ends timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    due record;
    built int := 0;
BEGIN
    FOR due IN
        SELECT d.zone, d.starts, d.ends
        FROM (SELECT z.name AS zone, s.local AT TIME ZONE z.name AS starts, (s.local + interval '1 day') AT TIME ZONE z.name AS ends
              FROM (SELECT 'UTC' AS name UNION SELECT w.timezone FROM leadanalytics.workspace w WHERE w.id = build_for_drop.workspace) AS z
              CROSS JOIN LATERAL generate_series(date_trunc('day', build_for_drop.starts AT TIME ZONE z.name), build_for_drop.ends AT TIME ZONE z.name, '1 day') AS s (local)) AS d
        WHERE d.ends > build_for_drop.starts AND d.starts < build_for_drop.ends
          AND d.starts >= leadanalytics.rows_since('event') -- a day at the edge, of a zone that came later: UTC answers for it
          AND EXISTS (SELECT FROM leadanalytics.event e WHERE e.workspace = build_for_drop.workspace AND e.at >= d.starts AND e.at < d.ends)
          AND NOT EXISTS (SELECT FROM leadanalytics.bucket b
                          WHERE b.workspace = build_for_drop.workspace AND b.starts = d.starts AND b.grain = 'd' AND b.zone = d.zone)
        ORDER BY d.starts
    LOOP
        IF NOT leadanalytics.build_bucket(build_for_drop.workspace, 'd', due.zone, due.starts, due.ends) THEN
            RETURN -1;
        END IF;
        built := built + 1;
    END LOOP;
    RETURN built;
END
$$;
COMMENT ON FUNCTION leadanalytics.build_for_drop(int, timestamptz, timestamptz) IS
    'make every day of a time that has events and no segments, however few: how many it were; -1: somebody else is at the workspace';

CREATE FUNCTION leadanalytics.drop_leaf(month date, last_id bigint)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    leaf CONSTANT text := leadanalytics.leaf_name('event', month);
    now_last bigint;
BEGIN
    EXECUTE format('LOCK TABLE leadanalytics.event, leadanalytics.%I IN ACCESS EXCLUSIVE MODE', leaf);
    EXECUTE format('SELECT max(id) FROM leadanalytics.%I', leaf) INTO now_last;
    IF now_last IS DISTINCT FROM last_id OR EXISTS (SELECT FROM leadanalytics.ledger l WHERE l.leaf = month) THEN
        RETURN false; -- somebody added to it meanwhile
    END IF;
    EXECUTE format('DROP TABLE leadanalytics.%I', leaf);
    INSERT INTO leadanalytics.dropped AS d (parent, before) VALUES ('event', (month + interval '1 month')::date)
    ON CONFLICT ON CONSTRAINT dropped_pkey DO UPDATE SET before = greatest(d.before, excluded.before);
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION leadanalytics.drop_leaf(date, bigint) IS 'drop a month of events whose last id is still that, and which is folded; false: it was not to be had, or changed';

CREATE PROCEDURE leadanalytics.drop_old_events(now timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    kept CONSTANT interval := current_setting('leadanalytics.event_retention')::interval;
    old record;
    one record;
    last_id bigint;
    ready boolean;
BEGIN
    IF kept = interval '0' THEN
        RETURN;
    END IF;
    FOR old IN
        SELECT l.month, l.month::timestamp AT TIME ZONE 'UTC' AS starts, (l.month + interval '1 month')::timestamp AT TIME ZONE 'UTC' AS ends
        FROM (SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS month
              FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'leadanalytics.event'::regclass) AS l
        WHERE (l.month + interval '1 month')::timestamp AT TIME ZONE 'UTC' <= drop_old_events.now - kept
        ORDER BY l.month
    LOOP
        ready := NOT EXISTS (SELECT FROM leadanalytics.ledger l WHERE l.leaf = old.month);
        EXECUTE format('SELECT max(id) FROM leadanalytics.%I', leadanalytics.leaf_name('event', old.month)) INTO last_id;
        FOR one IN SELECT w.id FROM leadanalytics.workspace w ORDER BY w.id LOOP
            EXIT WHEN NOT ready;
            ready := leadanalytics.build_for_drop(one.id, old.starts, old.ends) >= 0;
            COMMIT;
        END LOOP;
        ready := ready AND leadanalytics.drop_leaf(old.month, last_id);
        COMMIT;
        EXIT WHEN NOT ready; -- older months first
    END LOOP;
END
$$;
COMMENT ON PROCEDURE leadanalytics.drop_old_events(timestamptz) IS
    'drop the months of events that are older than leadanalytics.event_retention (0: none) and have become segments: the worker''s unit';
INSERT INTO leadanalytics.unit (name, function, kind, every, timeout_ms, builtin, summary)
VALUES ('drop_old_events', 'leadanalytics.drop_old_events', 'procedure', '1 hour', 3600000, true, 'months of events beyond leadanalytics.event_retention');
