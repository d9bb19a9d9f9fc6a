-- A site's overview (S5-01): totals of a range, and the same hour by hour, day by day, week by week or month by
-- month of the workspace's zone, with every custom event by name.

-- D-06. The clock on the wall is asked: a day on which clocks are set is a day.
CREATE FUNCTION leadanalytics.aggregation_level(starts timestamptz, ends timestamptz, zone text, asked text DEFAULT 'auto')
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    days CONSTANT numeric := CASE WHEN isfinite(starts) AND isfinite(ends) THEN extract(epoch FROM (ends AT TIME ZONE zone) - (starts AT TIME ZONE zone)) / 86400 END;
    level CONSTANT text := CASE WHEN asked <> 'auto' THEN asked
                                WHEN days <= 1 THEN 'hour' WHEN days <= 60 THEN 'day' WHEN days <= 180 THEN 'week' ELSE 'month' END;
BEGIN
    IF days IS NULL THEN
        RAISE EXCEPTION 'a series has a start and an end' USING ERRCODE = 'invalid_parameter_value', HINT = 'Without them, ask leadanalytics.totals().';
    END IF;
    IF days > (CASE level WHEN 'hour' THEN 100 WHEN 'day' THEN 10000 WHEN 'week' THEN 70000 ELSE 300000 END) THEN
        RAISE EXCEPTION 'Range is too long for aggregation "%"', level USING ERRCODE = 'LA400', HINT = 'A series has the hours of up to 100 days, or about 10 000 days, weeks or months.';
    END IF;
    RETURN level;
END
$$;
COMMENT ON FUNCTION leadanalytics.aggregation_level(timestamptz, timestamptz, text, text) IS
    'hour, day, week or month as asked; auto: hour up to 24 hours by the zone''s clock, day up to 60 days, week up to 180, else month. '
    'LA400 "Range is too long for aggregation …" beyond 100 days by hour, and about 10 000 days, weeks or months; for reports';

-- One question to the engine: what has to be read from rows, as hours of long ago, is read once.
CREATE FUNCTION leadanalytics.site_answer(
    workspace int, dimensions text[], starts timestamptz, ends timestamptz, aggregation text, names int, now timestamptz, include_bots boolean)
RETURNS TABLE (bucket timestamptz, name text, visitors bigint, pageviews bigint, sessions bigint, custom_events bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
    zone CONSTANT text := (SELECT w.timezone FROM leadanalytics.workspace w WHERE w.id = site_answer.workspace);
    steps CONSTANT timestamptz[] := ARRAY(
        SELECT leadanalytics.steps(starts, ends, leadanalytics.aggregation_level(starts, ends, zone, coalesce(aggregation, 'auto')), zone) WHERE starts < ends);
BEGIN
    RETURN QUERY
    WITH answer AS MATERIALIZED (
        SELECT a.dimension, shown.slot, a.value, a.counts, a.members
        FROM leadanalytics.answer(site_answer.workspace, dimensions, starts || steps[2:] || ends, site_answer.now, coalesce(site_answer.include_bots, false),
                                  'total' = ANY (dimensions), coalesce(names, 0)) a
        CROSS JOIN LATERAL (SELECT a.slot UNION ALL SELECT 1 WHERE cardinality(steps) = 1) AS shown (slot)
        WHERE starts < ends
    )
    SELECT steps[i.slot], NULL::text, coalesce(t.members, 0), coalesce(t.counts[2], 0), coalesce(s.counts[1], 0), coalesce(t.counts[3], 0)
    FROM generate_series(0, cardinality(steps)) AS i (slot)
    LEFT JOIN answer t ON t.slot = i.slot AND t.dimension = 'total'
    LEFT JOIN answer s ON s.slot = i.slot AND s.dimension = 'session'
    WHERE 'total' = ANY (dimensions)
    UNION ALL
    SELECT steps[a.slot], a.value, NULL, NULL, NULL, a.counts[1] FROM answer a WHERE a.dimension = 'custom_event';
END
$$;
COMMENT ON FUNCTION leadanalytics.site_answer(int, text[], timestamptz, timestamptz, text, int, timestamptz, boolean) IS
    'what leadanalytics.site_overview_rows() (name null) and custom_events_rows() tell, in any order; dimensions: total and session, custom_event, or all three; for reports, which asked who calls';

CREATE FUNCTION leadanalytics.site_overview_rows(
    workspace int,
    starts timestamptz,
    ends timestamptz,
    aggregation text DEFAULT 'auto',
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS TABLE (bucket timestamptz, visitors bigint, pageviews bigint, sessions bigint, custom_events bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT a.bucket, a.visitors, a.pageviews, a.sessions, a.custom_events
    FROM leadanalytics.site_answer(leadanalytics.permitted(site_overview_rows.workspace), '{total,session}', starts, ends, aggregation, NULL,
                                   site_overview_rows.now, site_overview_rows.include_bots) a
    ORDER BY a.bucket NULLS FIRST;
END
$$;
COMMENT ON FUNCTION leadanalytics.site_overview_rows(int, timestamptz, timestamptz, text, timestamptz, boolean) IS
    'from starts until before ends, first all of it (bucket null), then every hour, day, week or month (aggregation; auto: by the length of the range) of the workspace''s zone '
    'that the range touches: distinct visitors, pageviews, sessions that started, custom events. bucket is where the hour, day, week (Monday) or month starts: the first '
    'may start before the range, and counts only what is in the range, as the last does';
GRANT EXECUTE ON FUNCTION leadanalytics.site_overview_rows(int, timestamptz, timestamptz, text, timestamptz, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.custom_events_rows(
    workspace int,
    starts timestamptz,
    ends timestamptz,
    aggregation text DEFAULT 'auto',
    "limit" int DEFAULT NULL,
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS TABLE (bucket timestamptz, name text, count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT a.bucket, a.name, a.custom_events
    FROM leadanalytics.site_answer(leadanalytics.permitted(custom_events_rows.workspace), '{custom_event}', starts, ends, aggregation, custom_events_rows."limit",
                                   custom_events_rows.now, custom_events_rows.include_bots) a
    WHERE custom_events_rows."limit" > 0 IS NOT FALSE
    ORDER BY a.bucket NULLS FIRST, a.custom_events DESC, a.name COLLATE "C";
END
$$;
COMMENT ON FUNCTION leadanalytics.custom_events_rows(int, timestamptz, timestamptz, text, int, timestamptz, boolean) IS
    'custom events by name, the most frequent first, of the buckets of leadanalytics.site_overview_rows(): of the range (bucket null), then of each that has any. '
    'limit: only so many names, the most frequent of the range; null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.custom_events_rows(int, timestamptz, timestamptz, text, int, timestamptz, boolean) TO leadanalytics_read;

-- A point of the series is made of pairs: fixed fields, and events by name that are not called as one of them
-- (D-52). Names are what anybody may send: how many of them a body has is bounded.
CREATE FUNCTION leadanalytics.site_overview(
    workspace int,
    start_date text,
    end_date text,
    aggregation text DEFAULT 'auto',
    include_bots boolean DEFAULT false,
    now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    asked CONSTANT record := leadanalytics.period(workspace, start_date, end_date);
    level CONSTANT text := leadanalytics.aggregation_level(asked.starts, asked.ends, asked.zone, coalesce(aggregation, 'auto'));
BEGIN
    RETURN (
        WITH answer AS MATERIALIZED (
            SELECT a.* FROM leadanalytics.site_answer(leadanalytics.permitted(site_overview.workspace), '{total,session,custom_event}', asked.starts, asked.ends, level, 10000,
                                                      site_overview.now, site_overview.include_bots) a
        ), overview AS (
            SELECT a.* FROM answer a WHERE a.name IS NULL
        ), custom AS (
            SELECT a.bucket, a.name, a.custom_events AS count FROM answer a WHERE a.name IS NOT NULL
        ), name AS (
            SELECT c.name, c.count, row_number() OVER (ORDER BY c.count DESC, c.name COLLATE "C") AS place FROM custom c WHERE c.bucket IS NULL
        ), pair AS (
            SELECT o.bucket, f.place, f.key, f.value
            FROM overview o
            CROSS JOIN LATERAL (VALUES
                (-4, 'timestamp', to_json(leadanalytics.utc_seconds(o.bucket))), (-3, 'visitors', to_json(o.visitors)), (-2, 'pageviews', to_json(o.pageviews)),
                (-1, 'sessions', to_json(o.sessions)), (0, 'custom_events', to_json(o.custom_events))) AS f (place, key, value)
            WHERE o.bucket IS NOT NULL
            UNION ALL
            SELECT o.bucket, n.place, n.name, to_json(coalesce(c.count, 0))
            FROM overview o
            CROSS JOIN name n
            LEFT JOIN custom c ON c.bucket = o.bucket AND c.name = n.name
            WHERE o.bucket IS NOT NULL AND n.name NOT IN ('timestamp', 'visitors', 'pageviews', 'sessions', 'custom_events')
              AND n.place <= 250000 / (SELECT count(*) FROM overview)
        ), point AS (
            SELECT p.bucket, json_object_agg(p.key, p.value ORDER BY p.place) AS point FROM pair p GROUP BY p.bucket
        )
        SELECT json_build_object(
            'visitors_total', o.visitors, 'pageviews_total', o.pageviews, 'sessions_total', o.sessions, 'custom_events_total', o.custom_events,
            'custom_event_counts', (SELECT coalesce(json_object_agg(n.name, n.count ORDER BY n.place), '{}') FROM name n),
            'time_series', (SELECT json_agg(p.point ORDER BY p.bucket) FROM point p),
            'aggregation_level', level, 'timezone', asked.zone)
        FROM overview o WHERE o.bucket IS NULL);
END
$$;
COMMENT ON FUNCTION leadanalytics.site_overview(int, text, text, text, boolean, timestamptz) IS
    'visitors, pageviews, sessions and custom events (by name) of a range, both ends inclusive, and its time_series in the workspace''s zone, buckets without anything too. '
    'timestamp is where the bucket starts in that zone, of the first one possibly before start_date; only what is in the range counts. custom_event_counts has the 10 000 most frequent names, '
    'a point of time_series all of them but those called like a field of its own, and of a series that would have more than 250 000 counts the most frequent';
GRANT EXECUTE ON FUNCTION leadanalytics.site_overview(int, text, text, text, boolean, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, summary, example, builtin) VALUES
    ('GET', '/api/v1/overview', 'leadanalytics.site_overview', 'public', '{sdk,agent}', true,
     'Visitors, pageviews, sessions and custom events of a range, and over time',
     '{"visitors_total": 12450, "pageviews_total": 34200, "sessions_total": 18300, "custom_events_total": 890, "custom_event_counts": {"signup": 120, "purchase": 45, "add_to_cart": 310}, "time_series": [{"timestamp": "2026-03-16T00:00:00Z", "visitors": 450, "pageviews": 1200, "sessions": 680, "custom_events": 35, "signup": 5, "purchase": 2}], "aggregation_level": "hour", "timezone": "America/Chicago"}', true);
UPDATE leadanalytics.route
SET open_members = '{custom_event_counts.signup,custom_event_counts.purchase,custom_event_counts.add_to_cart,time_series[].signup,time_series[].purchase}'
WHERE function = 'leadanalytics.site_overview';

SELECT leadanalytics.takes_range('/api/v1/overview', example => '2026-03-10T00:00:00Z');
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, choices, lenient, fallback, position, example, summary) VALUES
    ('GET', '/api/v1/overview', 'aggregation', 'aggregation', 'text', '{auto,hour,day,week,month}', false, 'auto', 3, 'auto', 'auto: hour up to a day, day up to 60 days, week up to 180, else month'),
    ('GET', '/api/v1/overview', 'include_bots', 'include_bots', 'boolean', NULL, true, 'false', 9, 'false', 'true: robots'' events count too');
