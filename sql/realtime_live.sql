-- What happens now (D-57, D-64, D-71, D-76): leadanalytics.live(), against a reckoning of its own over the views.
-- The same from shared memory, among writers: test/realtime/live.t.
SET timezone = 'Asia/Kathmandu'; -- must not matter
SET leadanalytics.live_after = -1;
SELECT leadanalytics.create_workspace('live', domain => 'shop.example') AS w, leadanalytics.create_workspace('live-empty') AS empty,
       leadanalytics.create_workspace('live-other') AS other \gset
\set now '''2026-03-16 14:32:45Z'''

-- visitor, session, event, seconds before now, path, referrer
CREATE TEMP TABLE said (v text, s text, name text, ago numeric, url text, referrer text, address text DEFAULT '192.0.2.1', agent text);
INSERT INTO said VALUES
    ('v1', 's1', 'page_view', 1500, 'https://shop.example/', 'https://www.google.com/search?q=x'), ('v1', 's1', 'page_view', 765, 'https://shop.example/pricing', 'https://shop.example/'),
    ('v1', 's1', 'scroll', 300, 'https://shop.example/pricing', NULL), ('v1', 's1', 'buy', 0, 'https://shop.example/pricing?step=2', NULL),
    ('v2', NULL, 'page_view', 1300, '/pricing', NULL), ('v2', NULL, 'page_view', 1290, 'https://shop.example/pricing?a=1', 'https://google.com/'),
    ('v3', 's3', 'page_view', 45, 'https://shop.example/features', 'https://shop.example/somewhere'),
    ('v3', 's3', 'page_view', 1785.000001, 'https://shop.example/late', NULL),    -- just before the window of 30 minutes
    ('v4', NULL, 'page_view', 1785, 'https://shop.example/edge', 'https://other.example'), -- just in it
    ('v5', NULL, 'page_view', -290, 'https://shop.example/ahead', NULL),          -- a fast clock
    ('v6', 's6', 'page_view', 3600, 'https://shop.example/', 'https://old.example/'), ('v6', 's6', 'lead', 20, NULL, NULL), -- came an hour ago, is still here
    ('v7', 's7a', 'page_view', 600, 'https://shop.example/a', 'https://one.example/'), ('v7', 's7b', 'page_view', 500, 'https://shop.example/b', 'https://two.example/'),
    (NULL, NULL, 'page_view', 10, 'https://shop.example/nobody', NULL);
INSERT INTO said (v, name, ago, url, agent) VALUES ('robot', 'page_view', 5, 'https://shop.example/', 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)');
SELECT count(leadanalytics.track(:w, json_build_object('events', json_build_array(json_strip_nulls(json_build_object('event_name', name, 'visitor_id', v, 'session_id', s,
    'timestamp', :now::timestamptz - ago * interval '1 s', 'event_data', json_build_object('url', url, 'referrer', referrer))))),
    client_ip => address::inet, user_agent => agent, now => :now, as_role => 'admin'))
FROM (SELECT * FROM said ORDER BY ago DESC) AS s;
SELECT count(leadanalytics.track(:other, '{"event_name": "page_view", "visitor_id": "v1", "event_data": {"path": "/other"}}', now => :now));

\pset null -
SELECT what, minute AT TIME ZONE 'UTC' AS minute, value, count FROM leadanalytics.live_rows(:w, 30, now => :now) WHERE what <> 'minute' OR count > 0;
SELECT count(*), min(minute) = '2026-03-16 14:03:00Z', max(minute) = '2026-03-16 14:32:00Z' AS is_current FROM leadanalytics.live_rows(:w, 30, now => :now) WHERE what = 'minute';
-- minutes clamp to 1 – 60
SELECT m, (SELECT count(*) FROM leadanalytics.live_rows(:w, m, now => :now) WHERE what = 'minute') AS minutes, (SELECT count FROM leadanalytics.live_rows(:w, m, now => :now) WHERE what = 'visitors') AS visitors
FROM unnest(ARRAY[NULL, -1, 0, 1, 2, 60, 61, 1000]) AS m;
-- who is here, with his current session
SELECT visitor_id, current_page, device, browser, referrer, first_seen AT TIME ZONE 'UTC' AS first_seen, last_seen AT TIME ZONE 'UTC' AS last_seen, total_events, session_duration
FROM leadanalytics.live_visitors_rows(:w, 30, now => :now);
SELECT visitor_id FROM leadanalytics.live_visitors_rows(:w, 30, 2, :now);
SELECT visitor_id, current_page, device, total_events FROM leadanalytics.live_visitors_rows(:w, 1, now => :now, include_bots => true) WHERE visitor_id = 'robot';
SELECT what, value, count FROM leadanalytics.live_rows(:w, 1, now => :now, include_bots => true) WHERE what <> 'minute';
-- S5-07 is made of it
\a\t
SELECT leadanalytics.live(:w, 2, :now);
SELECT leadanalytics.live(:empty, 1, :now);
\a\t

-- The same from the views, another way: every minute of an hour as now.
CREATE FUNCTION pg_temp.reckoned(w int, m int, t timestamptz) RETURNS TABLE (what text, value text, count bigint) LANGUAGE sql AS $$
    WITH seen AS (
        SELECT e.* FROM leadanalytics.events e
        WHERE e.workspace = w AND NOT e.is_bot AND e.at >= date_trunc('minute', t) - make_interval(mins => m - 1) AND e.at <= t + interval '5 min'
    ), session AS (
        SELECT DISTINCT ON (s.session_id) s.session_id, s.referrer FROM leadanalytics.sessions s WHERE s.workspace = w
    ), current AS (
        SELECT (array_agg(CASE WHEN e.session_id IS NULL THEN e.referrer ELSE (SELECT s.referrer FROM session s WHERE s.session_id = e.session_id) END ORDER BY e.at DESC, e.id DESC))[1] AS referrer
        FROM seen e WHERE e.visitor_id IS NOT NULL GROUP BY e.visitor_id
    )
    SELECT 'visitors', NULL, count(DISTINCT visitor_id) FROM seen
    UNION ALL SELECT 'pageviews', NULL, count(*) FROM seen WHERE kind = 'p'
    UNION ALL SELECT 'events', NULL, count(*) FROM seen WHERE event_name NOT IN ('page_view', 'scroll')
    UNION ALL SELECT 'minute', i::text, (SELECT count(DISTINCT visitor_id) FROM seen WHERE date_trunc('minute', at) = date_trunc('minute', t) - make_interval(mins => m - i)
        OR i = m AND at >= date_trunc('minute', t)) FROM generate_series(1, m) AS i
    UNION ALL SELECT 'page', page_path, count(DISTINCT visitor_id) FROM seen WHERE kind = 'p' AND visitor_id IS NOT NULL AND page_path IS NOT NULL GROUP BY page_path
    UNION ALL SELECT 'referrer', CASE WHEN referrer IS NULL OR referrer ~ '//shop.example' THEN '(direct)' ELSE substring(referrer FROM '//(?:www\.)?([^/]+)') END, count(*) FROM current GROUP BY 2
    UNION ALL SELECT 'country', NULL, count(*) FROM current HAVING count(*) > 0
$$;
WITH told AS (
    SELECT t, m, r.what, coalesce(r.value, CASE WHEN r.what = 'minute' THEN (row_number() OVER (PARTITION BY t, m, r.what ORDER BY r.minute))::text END) AS value, r.count
    FROM generate_series('2026-03-16 14:10:07.5Z'::timestamptz, '2026-03-16 15:33Z', interval '79 s') AS t, unnest(ARRAY[1, 5, 30, 60]) AS m, leadanalytics.live_rows(:w, m, now => t) AS r
), reckoned AS (
    SELECT t, m, r.* FROM generate_series('2026-03-16 14:10:07.5Z'::timestamptz, '2026-03-16 15:33Z', interval '79 s') AS t, unnest(ARRAY[1, 5, 30, 60]) AS m, pg_temp.reckoned(:w, m, t) AS r
)
SELECT (SELECT count(*) FROM told) > 5000 AS many, (SELECT count(*) FROM (SELECT * FROM told EXCEPT ALL SELECT * FROM reckoned) AS d) AS too_much,
       (SELECT count(*) FROM (SELECT * FROM reckoned EXCEPT ALL SELECT * FROM told) AS d) AS missing;

-- One table, one order, whatever the limit: the 100 seen last of many are found by looking back in steps.
SELECT count(leadanalytics.track(:other, (SELECT json_build_object('events', json_agg(json_build_object('event_name', 'page_view', 'visitor_id', CASE WHEN i < 900 THEN 'busy' ELSE 'x' || i || '-' || k END,
    'timestamp', :now::timestamptz - (i / 3) * interval '100 ms' - k * interval '10 s'))) FROM generate_series(1, 1000) AS i), now => :now)) FROM generate_series(0, 2) AS k;
SELECT count(*), count(*) FILTER (WHERE l IS DISTINCT FROM a) AS wrong
FROM (SELECT row_number() OVER () AS n, r AS l FROM leadanalytics.live_visitors_rows(:other, 30, 100, :now) r) AS l
LEFT JOIN (SELECT row_number() OVER () AS n, r AS a FROM leadanalytics.live_visitors_rows(:other, 30, NULL, :now) r) AS a USING (n);

-- Only the workspaces one may ask about.
\set SHOW_CONTEXT never
SELECT leadanalytics.live(0);
SET ROLE leadanalytics_read;
SELECT leadanalytics.live(:w);
RESET ROLE;
DELETE FROM leadanalytics.event WHERE false; -- the trigger that memory hears of it by
