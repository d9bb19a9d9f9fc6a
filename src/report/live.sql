-- What happens now (S1-07), and what is kept (S1-08).

-- A fast clock dates its events ahead; those that were believed are of the last hour. An event of the last hour
-- and "last seen in it" are the same thing as long as now is now; asked about the past, only the first is known.
CREATE FUNCTION leadanalytics.realtime_rows(workspace int, now timestamptz DEFAULT now(), include_bots boolean DEFAULT false)
RETURNS TABLE (active_sessions bigint, events_last_hour bigint, unique_visitors_today bigint, total_sessions_today bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    people CONSTANT boolean := NOT coalesce(include_bots, false);
    hour_ago CONSTANT timestamptz := now - interval '1 hour';
    ahead CONSTANT timestamptz := now + current_setting('leadanalytics.track_future')::interval;
    today CONSTANT timestamptz := leadanalytics.utc_start(leadanalytics.utc_date(now));
    tomorrow CONSTANT timestamptz := leadanalytics.utc_start(leadanalytics.utc_date(now) + 1);
    begun CONSTANT timestamptz := clock_timestamp();
    active bigint;
    seen bigint;
    since timestamptz;
BEGIN
    IF people THEN
        SELECT l.active_sessions, l.events, l.since INTO active, seen, since FROM leadanalytics.live_hour(allowed, realtime_rows.now) l;
    END IF;
    IF since IS NOT NULL THEN
        -- memory knows seconds; the first one of the hour is mostly not a whole one
        seen := seen + (SELECT count(*) FROM leadanalytics.event e
                                      WHERE e.workspace = allowed AND e.at >= hour_ago AND e.at < since AND NOT e.is_bot);
    ELSE
        WITH recent AS MATERIALIZED (
            SELECT e.session, count(*) AS events
            FROM leadanalytics.event e
            WHERE e.workspace = allowed AND e.at >= hour_ago AND e.at <= ahead AND NOT (e.is_bot AND people)
            GROUP BY e.session
        ), met AS (
            SELECT r.session AS number FROM recent r WHERE r.session IS NOT NULL
            UNION -- one that started without an event
            SELECT s.number FROM leadanalytics.session s WHERE s.workspace = allowed AND s.started_at >= hour_ago AND s.started_at <= ahead
        )
        SELECT (SELECT count(*) FROM met m JOIN leadanalytics.session s ON s.workspace = allowed AND s.number = m.number
                -- D-09: what idleness closed is active still
                WHERE NOT s.is_ended OR s.ended_at > realtime_rows.now),
               (SELECT coalesce(sum(r.events), 0)::bigint FROM recent r)
        INTO active, seen;
        IF people THEN
            PERFORM leadanalytics.live_watch(allowed, begun);
        END IF;
    END IF;
    RETURN QUERY
    SELECT active, seen, t.visitors, t.sessions
    FROM leadanalytics.summary(allowed, today, tomorrow, now => realtime_rows.now, include_bots => NOT people) t;
END
$$;
COMMENT ON FUNCTION leadanalytics.realtime_rows(int, timestamptz, boolean) IS 'the one row leadanalytics.realtime() shows, for SQL';
GRANT EXECUTE ON FUNCTION leadanalytics.realtime_rows(int, timestamptz, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.realtime(workspace int, now timestamptz DEFAULT now(), include_bots boolean DEFAULT false)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT row_to_json(r) FROM leadanalytics.realtime_rows(realtime.workspace, realtime.now, realtime.include_bots) r);
END
$$;
COMMENT ON FUNCTION leadanalytics.realtime(int, timestamptz, boolean) IS
    'sessions seen in the last hour that their client has not ended, events of that hour, visitors and new sessions of today (UTC)';
GRANT EXECUTE ON FUNCTION leadanalytics.realtime(int, timestamptz, boolean) TO leadanalytics_read;

-- Asking the planner itself (EXPLAIN) would do the same, but may not be done in a function that changes nothing.
CREATE FUNCTION leadanalytics.planned_rows(relation regclass, workspace int)
RETURNS float8 LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(c.reltuples / greatest(c.relpages, 1) * (pg_relation_size(c.oid) / current_setting('block_size')::int)
        * coalesce((SELECT m.share FROM unnest(s.most_common_vals::text::int[], s.most_common_freqs) AS m (workspace, share)
                    WHERE m.workspace = planned_rows.workspace),
                   -- none of the frequent ones: the others share what is left
                   (1 - (SELECT coalesce(sum(share), 0) FROM unnest(s.most_common_freqs) AS share))
                   / greatest((CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * c.reltuples ELSE s.n_distinct END)
                              - coalesce(cardinality(s.most_common_freqs), 0), 1))), 0)
    FROM (SELECT planned_rows.relation AS relid UNION SELECT t.relid FROM pg_partition_tree(planned_rows.relation) t WHERE t.isleaf) AS part
    JOIN pg_class c ON c.oid = part.relid AND c.relkind = 'r' AND c.reltuples > 0
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = 'workspace' AND NOT s.inherited
$$;
COMMENT ON FUNCTION leadanalytics.planned_rows(regclass, int) IS
    'how many rows of a table the planner''s statistics say the workspace has; 0 where there are none yet; for reports';

-- Up to this many, things are counted. Beyond, the planner's statistics tell the rows (as exact as the last ANALYZE,
-- a few percent), and some of the events, taken from all over their time, in what batches events come.
CREATE FUNCTION leadanalytics.storage_rows(workspace int, counted int DEFAULT 10000)
RETURNS TABLE (total_objects bigint, estimated_sessions bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    sessions bigint;
    events bigint;
    batches bigint;
BEGIN
    SELECT count(*) INTO sessions
    FROM (SELECT FROM leadanalytics.session s WHERE s.workspace = allowed LIMIT counted + 1) AS few;
    -- A statement that adds events draws a block of ids: its number is the batch's.
    SELECT count(*), count(DISTINCT few.id >> 10) INTO events, batches
    FROM (SELECT e.id FROM leadanalytics.event e WHERE e.workspace = allowed LIMIT counted + 1) AS few;
    IF sessions > counted THEN
        sessions := greatest(sessions, leadanalytics.planned_rows('leadanalytics.session', allowed)::bigint);
    END IF;
    IF events > counted THEN
        events := greatest(events, leadanalytics.planned_rows('leadanalytics.event', allowed)::bigint);
        -- as many batches as events that are the first of theirs
        SELECT events * count(*) FILTER (WHERE few.id & 1023 = 0) / count(*) INTO batches
        FROM (SELECT min(e.at) AS first, max(e.at) AS last FROM leadanalytics.event e WHERE e.workspace = allowed) AS span
        CROSS JOIN generate_series(0, 19) AS step
        CROSS JOIN LATERAL (
            SELECT e.id FROM leadanalytics.event e
            WHERE e.workspace = allowed AND e.at >= span.first + (span.last - span.first) * step / 20
            ORDER BY e.at LIMIT greatest(counted / 20, 1)) AS few;
    END IF;
    RETURN QUERY SELECT sessions + batches, sessions;
END
$$;
COMMENT ON FUNCTION leadanalytics.storage_rows(int, int) IS
    'the one row leadanalytics.storage() shows, for SQL; counted: up to how many sessions, and events, are counted';
GRANT EXECUTE ON FUNCTION leadanalytics.storage_rows(int, int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.storage(workspace int)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT row_to_json(r) FROM leadanalytics.storage_rows(storage.workspace) r);
END
$$;
COMMENT ON FUNCTION leadanalytics.storage(int) IS
    'how many things are stored (sessions, and batches of events, robots'' too), and how many sessions; exact up to 10 000 sessions or events, '
    'beyond by the planner''s statistics and a sample';
GRANT EXECUTE ON FUNCTION leadanalytics.storage(int) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, from_fold, summary, example, builtin) VALUES
    ('GET', '/analytics/realtime', 'leadanalytics.realtime', 'dashboard', '{admin,marketing}', true, true,
     'Active sessions, events of the last hour, visitors and sessions of today (UTC)',
     '{"active_sessions": 12, "events_last_hour": 456, "unique_visitors_today": 89, "total_sessions_today": 95}', true),
    ('GET', '/analytics/storage', 'leadanalytics.storage', 'dashboard', '{admin,marketing}', true, false,
     'How much is stored', '{"total_objects": 15234, "estimated_sessions": 1200}', true);
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary) VALUES
    ('GET', '/analytics/realtime', 'include_bots', 'include_bots', 'boolean', NULL, NULL, true, 'false', 9, 'false', 'true: robots'' events count too');
