-- Sessions day by day (S1-02), and how engaged they were (S1-05).

CREATE FUNCTION leadanalytics.daily_sessions_rows(
    workspace int,
    days int DEFAULT 30,
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS TABLE (date date, total_sessions bigint, unique_visitors bigint, avg_duration numeric, avg_engagement numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    today CONSTANT date := leadanalytics.utc_date(now);
    first_day CONSTANT timestamptz := leadanalytics.utc_start(today + 1 - least(greatest(coalesce(days, 30), 1), 100000));
BEGIN
    -- A session counts on the day it started, a visitor on every day with an event (D-71).
    RETURN QUERY
    SELECT leadanalytics.utc_date(s.bucket), s.sessions, s.visitors,
           leadanalytics.mean_seconds(s.duration, s.complete_sessions, 1), round(coalesce(s.score, 0), 1)
    FROM leadanalytics.series(allowed, greatest(first_day, leadanalytics.first_day(allowed)), leadanalytics.utc_start(today + 1), 'day', 'UTC',
                              daily_sessions_rows.now, coalesce(daily_sessions_rows.include_bots, false)) s
    WHERE s.sessions > 0 OR s.visitors > 0
    ORDER BY s.bucket;
END
$$;
COMMENT ON FUNCTION leadanalytics.daily_sessions_rows(int, int, timestamptz, boolean) IS
    'a row for each of the last days (UTC, the one of now included) that has anything, oldest first: sessions that started then, visitors with an event, '
    'mean seconds and score of the complete ones';
GRANT EXECUTE ON FUNCTION leadanalytics.daily_sessions_rows(int, int, timestamptz, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.daily_sessions(
    workspace int,
    days int DEFAULT 30,
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(json_agg(r ORDER BY r.date), '[]')
            FROM leadanalytics.daily_sessions_rows(daily_sessions.workspace, least(coalesce(daily_sessions.days, 30), 90), daily_sessions.now,
                                                   daily_sessions.include_bots) r);
END
$$;
COMMENT ON FUNCTION leadanalytics.daily_sessions(int, int, timestamptz, boolean) IS
    'sessions, visitors, mean duration and engagement of each of the last 1 to 90 days (UTC); days without any are left out';
GRANT EXECUTE ON FUNCTION leadanalytics.daily_sessions(int, int, timestamptz, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.engagement_distribution_rows(workspace int, now timestamptz DEFAULT now())
RETURNS TABLE (bucket text, count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY
    WITH found AS (
        SELECT width_bucket(a.value::int, '{0,20,40,60,80}'::int[]) AS place, sum(a.counts[1])::bigint AS n
        FROM leadanalytics.answer(allowed, '{score}', '{-infinity,infinity}', engagement_distribution_rows.now) a
        GROUP BY 1
    )
    SELECT b.name, coalesce(f.n, 0)
    FROM unnest('{0-19,20-39,40-59,60-79,80-100}'::text[]) WITH ORDINALITY AS b (name, place)
    LEFT JOIN found f ON f.place = b.place
    ORDER BY b.place;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_distribution_rows(int, timestamptz) IS
    'always five rows: how many complete sessions have a score from 0 to 19, 20 to 39, 40 to 59, 60 to 79, 80 to 100';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_distribution_rows(int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.engagement_distribution(workspace int, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT json_agg(json_build_object('bucket', r.bucket, 'count', r.count) ORDER BY r.place)
            FROM leadanalytics.engagement_distribution_rows(engagement_distribution.workspace, engagement_distribution.now)
                WITH ORDINALITY AS r (bucket, count, place));
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_distribution(int, timestamptz) IS
    'how many complete sessions have which engagement score, in five buckets';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_distribution(int, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, summary, example, builtin) VALUES
    ('GET', '/analytics/sessions/daily', 'leadanalytics.daily_sessions', 'dashboard', '{admin,marketing}', true,
     'Sessions by day, oldest first',
     '[{"date": "2026-02-22", "total_sessions": 45, "unique_visitors": 38, "avg_duration": 120.5, "avg_engagement": 55.2}]', true),
    ('GET', '/analytics/engagement', 'leadanalytics.engagement_distribution', 'dashboard', '{admin,marketing}', true,
     'Complete sessions by engagement score, in five buckets',
     '[{"bucket": "0-19", "count": 120}, {"bucket": "20-39", "count": 85}, {"bucket": "40-59", "count": 200}, {"bucket": "60-79", "count": 150}, {"bucket": "80-100", "count": 45}]', true);
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary) VALUES
    ('GET', '/analytics/sessions/daily', 'days', 'days', 'int', 1, 90, true, '30', 1, '30', 'how many days (UTC), today included'),
    ('GET', '/analytics/sessions/daily', 'include_bots', 'include_bots', 'boolean', NULL, NULL, true, 'false', 9, 'false', 'true: robots'' events count too');
