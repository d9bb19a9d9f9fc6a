-- Who is here now (S5-07): leadanalytics.live_rows() and live_visitors_rows(), and what conversions were worth.

CREATE FUNCTION leadanalytics.live(workspace int, minutes int DEFAULT 30, now timestamptz DEFAULT now(), include_bots boolean DEFAULT false)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        WITH counted AS MATERIALIZED (
            SELECT r.* FROM leadanalytics.live_rows(live.workspace, live.minutes, 10, live.now, live.include_bots) WITH ORDINALITY
                AS r (what, minute, value, count, place)
        ), page AS (
            SELECT c.* FROM counted c WHERE c.what = 'page' ORDER BY c.place LIMIT 10
        ), referrer AS (
            SELECT c.* FROM counted c WHERE c.what = 'referrer' ORDER BY c.place LIMIT 10
        ), country AS (
            SELECT coalesce(leadanalytics.country_name(c.value), c.value, 'Unknown') AS name, c.count
            FROM counted c WHERE c.what = 'country' ORDER BY 2 DESC, 1 LIMIT 10
        ), visitor AS (
            SELECT v.* FROM leadanalytics.live_visitors_rows(live.workspace, live.minutes, 100, live.now, live.include_bots) WITH ORDINALITY
                AS v (visitor_id, country, city, current_page, device, browser, referrer, first_seen, last_seen, total_events, duration, place)
        )
        SELECT json_build_object(
            'active_visitors', (SELECT c.count FROM counted c WHERE c.what = 'visitors'),
            'pageviews', (SELECT c.count FROM counted c WHERE c.what = 'pageviews'),
            'events', (SELECT c.count FROM counted c WHERE c.what = 'events'),
            'revenue', (SELECT round(coalesce(sum(c.amount), 0), 2)
                        FROM leadanalytics.conversion_events(live.workspace, leadanalytics.live_start(live.minutes, live.now),
                                                             live.now + current_setting('leadanalytics.track_future')::interval + interval '1 microsecond',
                                                             coalesce(live.include_bots, false)) c),
            'top_pages', (SELECT coalesce(json_agg(json_build_object('path', p.value, 'count', p.count) ORDER BY p.place), '[]') FROM page p),
            'top_referrers', (SELECT coalesce(json_agg(json_build_object('name', r.value, 'count', r.count) ORDER BY r.place), '[]') FROM referrer r),
            'top_locations', (SELECT coalesce(json_agg(json_build_object('name', c.name, 'count', c.count) ORDER BY c.count DESC, c.name), '[]') FROM country c),
            'visitors', (SELECT coalesce(json_agg(json_build_object(
                    'visitor_id', v.visitor_id, 'country', v.country, 'city', v.city, 'current_page', v.current_page, 'device', v.device,
                    'browser', v.browser, 'referrer', v.referrer, 'first_seen', leadanalytics.utc_seconds(v.first_seen),
                    'last_seen', leadanalytics.utc_seconds(v.last_seen), 'total_events', v.total_events,
                    'session_duration_seconds', floor(extract(epoch FROM v.duration))::bigint) ORDER BY v.place), '[]') FROM visitor v),
            'timeline', (SELECT json_agg(json_build_object('minute', leadanalytics.utc_seconds(c.minute), 'visitors', c.count) ORDER BY c.minute)
                         FROM counted c WHERE c.what = 'minute'),
            'time_window', least(greatest(coalesce(live.minutes, 30), 1), 60),
            'timestamp', leadanalytics.utc_seconds(live.now)));
END
$$;
COMMENT ON FUNCTION leadanalytics.live(int, int, timestamptz, boolean) IS
    'live visitors of the last 1 to 60 whole minutes, the current one included: counts, what conversions were worth, ten pages, referrers and countries, the 100 visitors seen last, '
    'and visitors minute by minute';
GRANT EXECUTE ON FUNCTION leadanalytics.live(int, int, timestamptz, boolean) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, summary, example, builtin) VALUES
    ('GET', '/api/v1/realtime', 'leadanalytics.live', 'public', '{sdk,agent}',
     'Who is here now, and what happened in the last minutes',
     '{"active_visitors": 23, "pageviews": 156, "events": 42, "revenue": 450.00, "top_pages": [{"path": "/pricing", "count": 12}, {"path": "/", "count": 8}, {"path": "/features", "count": 6}], "top_referrers": [{"name": "google.com", "count": 15}, {"name": "(direct)", "count": 8}], "top_locations": [{"name": "United States", "count": 14}, {"name": "United Kingdom", "count": 4}], "visitors": [{"visitor_id": "v_xxx", "country": "US", "city": "Austin", "current_page": "/pricing", "device": "desktop", "browser": "Chrome", "referrer": "google.com", "first_seen": "2026-03-16T14:20:00Z", "last_seen": "2026-03-16T14:32:45Z", "total_events": 8, "session_duration_seconds": 765}], "timeline": [{"minute": "2026-03-16T14:00:00Z", "visitors": 18}, {"minute": "2026-03-16T14:01:00Z", "visitors": 20}], "time_window": 30, "timestamp": "2026-03-16T14:32:45Z"}', true);
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary) VALUES
    ('GET', '/api/v1/realtime', 'time_window', 'minutes', 'int', 1, 60, true, '30', 1, '30', 'whole minutes, the current one included'),
    ('GET', '/api/v1/realtime', 'include_bots', 'include_bots', 'boolean', NULL, NULL, true, 'false', 9, 'false', 'true: robots'' events count too');
