-- S5-01 … S5-04 in a zone whose clocks are set: bodies by hand, then generated events by the engine, by
-- leadanalytics.exact and by queries of their own.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'Asia/Kathmandu'; -- must not matter
SET leadanalytics.segment_events = 4;
SELECT leadanalytics.create_workspace('public', 'Public', 'America/Chicago', domain => 'shop.example') AS w \gset
SELECT leadanalytics.create_workspace('public-empty', 'Empty', 'America/Chicago') AS empty \gset
SELECT leadanalytics.create_workspace('public-small', 'Small', 'America/Chicago', domain => 'shop.example') AS small \gset
CREATE FUNCTION pg_temp.compact(body json) RETURNS text LANGUAGE sql AS $$ SELECT regexp_replace(body::text, '(?<=[],[{}"0-9]) +(?=[:{}])|(?<=[,:{]) ', '', 'g') $$;

-- D-06: which level a range has, by the zone's clock
SELECT s, e, leadanalytics.aggregation_level(p.starts, p.ends, p.zone), round(extract(epoch FROM p.ends - p.starts) / 3600, 3) AS hours
FROM (VALUES ('2026-03-16', '2026-03-16'), ('2026-03-08', '2026-03-08'), ('2026-11-01', '2026-11-01'), -- the days of 23 and 25 hours
    ('2026-03-16T00:00:00Z', '2026-03-16T23:59:59Z'), ('2026-03-16T10:00', '2026-03-17T09:59'), ('2026-03-16T10:00', '2026-03-17T10:00'),
    ('2026-10-31T12:00:00', '2026-11-01T11:59:59'), ('2026-10-31T12:00:00-05:00', '2026-11-01T11:59:59-05:00'),
    ('2026-03-16', '2026-03-17'), ('2026-03-10T00:00:00Z', '2026-03-16T23:59:59Z'),
    ('2026-01-01', '2026-03-01'), ('2026-01-01', '2026-03-02'), ('2026-01-01', '2026-06-29'), ('2026-01-01', '2026-06-30'), ('2026-01-01', '2026-12-31')) AS r (s, e),
    leadanalytics.period(:w, r.s, r.e) p;
-- a series is bounded
SELECT leadanalytics.site_overview(:empty, '2016-01-01', '2026-01-01', 'hour');
SELECT leadanalytics.site_overview(:empty, '0001-01-01', '9999-01-01');
SELECT json_array_length(leadanalytics.site_overview(:empty, '2025-01-01', '2025-04-10', 'hour') -> 'time_series') AS hours;
SELECT leadanalytics.site_overview(:empty, '2025-01-01', '2025-04-11', 'hour');
SELECT json_array_length(leadanalytics.site_overview(:empty, '2025-01-01', '2025-12-31', a) -> 'time_series') AS buckets FROM unnest('{day,week,month}'::text[]) AS a;
SELECT leadanalytics.site_overview(:empty, '2025-01-01', '2025-12-31', 'minute');

-- Nothing.
SELECT pg_temp.compact(leadanalytics.site_overview(:empty, '2026-03-16T23:00', '2026-03-16T23:59'));
SELECT pg_temp.compact(leadanalytics.site_overview(:empty, '2026-03-16T22:30', '2026-03-17T01:00:00'));
SELECT pg_temp.compact(leadanalytics.traffic(:empty, '2026-03-16', '2026-03-16')), pg_temp.compact(leadanalytics.devices(:empty, '2026-03-16', '2026-03-16', 'os')),
       pg_temp.compact(leadanalytics.locations(:empty, '2026-03-16', '2026-03-16', 'city'));
SELECT count(*) FROM leadanalytics.site_overview_rows(:empty, '2026-03-17', '2026-03-16'), leadanalytics.custom_events_rows(:empty, '2026-03-17', '2026-03-16'), leadanalytics.traffic_rows(:empty, '2026-03-17', '2026-03-16');

-- By hand: two visitors, a name called like a field, robots; the night of 25 hours has two hours from 1.
SELECT leadanalytics.track(:small, '{"events": [
    {"event_name": "page_view", "visitor_id": "a", "session_id": "a1", "timestamp": "2026-11-01T06:30:00Z", "event_data": {"url": "https://shop.example/x", "referrer": "https://www.google.com/search?q=x", "utm_campaign": "spring"}},
    {"event_name": "signup", "visitor_id": "a", "session_id": "a1", "timestamp": "2026-11-01T06:31:00Z"},
    {"event_name": "visitors", "visitor_id": "a", "session_id": "a1", "timestamp": "2026-11-01T07:30:00Z"},
    {"event_name": "scroll", "visitor_id": "a", "session_id": "a1", "timestamp": "2026-11-01T07:30:00Z"},
    {"event_name": "$identify", "visitor_id": "a", "session_id": "a1", "user_id": "u", "timestamp": "2026-11-01T07:30:00Z"},
    {"event_name": "page_view", "visitor_id": "b", "session_id": "b1", "timestamp": "2026-11-01T07:59:59.5Z", "event_data": {"url": "https://shop.example/x?y=1", "referrer": "https://shop.example/y"}},
    {"event_name": "signup", "timestamp": "2026-11-01T08:00:00Z"}]}', as_role => 'admin', now => '2026-12-01') ->> 'accepted' AS accepted;
SELECT leadanalytics.track(:small, '{"event_name": "signup", "visitor_id": "r", "timestamp": "2026-11-01T08:00:00Z"}', user_agent => 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    as_role => 'admin', now => '2026-12-01') ->> 'accepted' AS accepted;
SELECT pg_temp.compact(leadanalytics.site_overview(:small, '2026-11-01T01:00:00-05:00', '2026-11-01T01:59:59-06:00'));
SELECT pg_temp.compact(leadanalytics.site_overview(:small, '2026-11-01T07:00:00Z', '2026-11-01T08:00:00Z', include_bots => true));
-- the first bucket begins before the range and has only what is in it: the week from Monday, the month from its first
SELECT pg_temp.compact(leadanalytics.site_overview(:small, '2026-11-01T07:00:00Z', '2026-11-03', a)) FROM unnest('{day,week,month}'::text[]) AS a;
SELECT pg_temp.compact(leadanalytics.traffic(:small, '2026-11-01', '2026-11-01', t)) FROM unnest('{referrer,campaign,page}'::text[]) AS t;
SELECT pg_temp.compact(leadanalytics.traffic(:small, '2026-11-01', '2026-11-01', 'referrer', "limit" => l)) FROM unnest('{-5,1,2,1000,NULL}'::int[]) AS l;
SELECT pg_temp.compact(leadanalytics.devices(:small, '2026-11-01', '2026-11-01', t)) FROM unnest('{browser,os,deviceType}'::text[]) AS t;
SELECT pg_temp.compact(leadanalytics.locations(:small, '2026-11-01', '2026-11-01', t)) FROM unnest('{country,region,city}'::text[]) AS t;
SELECT leadanalytics.traffic(:small, '2026-11-01', '2026-11-01', 'browser');
SELECT leadanalytics.devices(:small, '2026-11-01', '2026-11-01', 'devicetype');
SELECT leadanalytics.locations(:small, '', '2026-11-01');
SELECT leadanalytics.traffic(:small, '2026-11-01', 'soon');
SELECT leadanalytics.devices(:small, '2026-11-02', '2026-11-01');

-- Generated: 2 000 events around both nights, 97 visitors with some sessions each, four agents of which one is a robot's.
CREATE FUNCTION pg_temp.draw(i int, what text, n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT ((hashtextextended(i || what, 7) >> 3) & 1048575)::int % n $$;
CREATE TEMP TABLE said AS
SELECT i, 'v' || pg_temp.draw(i, 'v', 97) AS v, (ARRAY['2026-03-05 07:00Z', '2026-10-28 03:00Z']::timestamptz[])[1 + pg_temp.draw(i, 'half', 2)] + pg_temp.draw(i, 'at', 9000) * interval '1 min' AS at,
       (ARRAY['page_view', 'page_view', '$pageview', 'page_visit', 'scroll', '$group', 'signup', 'purchase', 'Sign Up', 'visitors', 'timestamp', 'click'])[1 + pg_temp.draw(i, 'name', 12)] AS name,
       pg_temp.draw(i, 'agent', 4) AS agent
FROM generate_series(1, 2000) AS i;
SELECT sum((leadanalytics.track(:w, (SELECT json_build_object('events', json_agg(json_strip_nulls(json_build_object('event_name', s.name, 'visitor_id', CASE WHEN s.i % 50 > 0 THEN s.v END,
        'session_id', CASE WHEN s.i % 50 > 0 THEN s.v || '-' || date_trunc('hour', s.at) || s.agent END, 'timestamp', s.at,
        'utm_campaign', CASE WHEN s.i % 3 = 0 THEN 'c' || s.i % 7 END,
        'event_data', json_build_object('path', '/p' || s.i % 11, 'referrer', (ARRAY['https://www.google.com/', 'https://t.co/' || s.i, 'https://shop.example/', NULL, 'https://r' || s.i % 90 || '.example/'])[1 + s.i % 5])))
        ORDER BY s.at, s.i)) FROM said s WHERE s.agent = a AND s.i BETWEEN k * 500 AND k * 500 + 499)::json,
    user_agent => (ARRAY['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
        'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
        NULL, 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'])[1 + a],
    as_role => 'admin', now => '2026-12-01') ->> 'accepted')::int) AS accepted
FROM generate_series(0, 3) AS a, generate_series(0, 4) AS k;
-- where they are: two towns of one name in two countries, one of one name in two regions of a country, no place, a country alone
WITH place AS (
    INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts)
    SELECT :w, nextval('leadanalytics.term_id'), md5(p::text)::uuid, 'place', p::text[]
    FROM unnest(ARRAY['{FR,Île-de-France,Paris}', '{US,Texas,Paris}', '{US,Maine,Paris}', '{US,NULL,NULL}', '{NULL,NULL,Atlantis}', '{GB,Texas,London/Soho}', '{XX,NULL,NULL}']) AS p
    RETURNING id
), numbered AS (
    SELECT id, row_number() OVER (ORDER BY id) AS n FROM place
)
UPDATE leadanalytics.session s SET place = n.id
FROM numbered n, (SELECT number, row_number() OVER (ORDER BY number) AS nth FROM leadanalytics.session WHERE workspace = :w) AS o
WHERE s.workspace = :w AND o.number = s.number AND n.n = o.nth % 9;
SELECT leadanalytics.fold(:w, '2026-12-01') > 1500 AS folded;
SELECT leadanalytics.build(:w, '2026-12-01') > 0 AS built;
-- and what is not folded
SELECT leadanalytics.track(:w, '{"events": [{"event_name": "purchase", "visitor_id": "late", "timestamp": "2026-11-01T07:10:00Z", "event_data": {"referrer": "https://late.example/"}}]}', as_role => 'admin', now => '2026-12-02') ->> 'accepted' AS accepted;
SELECT count(*) > 10 AS buckets, count(DISTINCT zone) AS zones FROM leadanalytics.bucket WHERE workspace = :w;

CREATE TEMP TABLE range AS
SELECT row_number() OVER () AS range, p.starts, p.ends, r.s, r.e
FROM (VALUES ('2026-03-08', '2026-03-08'), ('2026-11-01', '2026-11-01'), ('2026-03-01', '2026-03-31'), ('2026-03-05', '2026-11-30'), ('2026-03-07T13:07:00Z', '2026-03-10T04:44'),
    ('2026-10-29T00:00:00Z', '2026-11-03T23:59:59Z'), ('2026-11-01T01:15', '2026-11-01T01:45'), ('2025-01-01', '2025-01-02'), ('2026-01-01', '2026-12-31')) AS r (s, e), leadanalytics.period(:w, r.s, r.e) p;

-- S5-01 the long way: every bucket from its minutes, every number from the views.
CREATE TEMP TABLE e AS SELECT * FROM leadanalytics.events WHERE workspace = :w;
CREATE TEMP TABLE s AS SELECT * FROM leadanalytics.sessions WHERE workspace = :w;
CREATE FUNCTION pg_temp.overview(starts timestamptz, ends timestamptz, level text, bots boolean)
RETURNS TABLE (bucket timestamptz, visitors bigint, pageviews bigint, sessions bigint, custom_events bigint, names jsonb) LANGUAGE sql AS $$
    WITH event AS (
        SELECT e.*, b.bucket FROM e CROSS JOIN LATERAL (VALUES (date_trunc(level, e.at, 'America/Chicago')), (NULL)) AS b (bucket)
        WHERE e.at >= starts AND e.at < ends AND (bots OR NOT e.is_bot)
    ), session AS (
        SELECT b.bucket FROM s CROSS JOIN LATERAL (VALUES (date_trunc(level, s.started_at, 'America/Chicago')), (NULL)) AS b (bucket) WHERE s.started_at >= starts AND s.started_at < ends
    ), pair AS (
        SELECT event.bucket, 'visitors' AS what, NULL AS name, count(DISTINCT visitor_id) AS n FROM event GROUP BY 1
        UNION ALL SELECT event.bucket, 'pageviews', NULL, count(*) FROM event WHERE event_name IN ('page_view', '$pageview', 'page_visit') GROUP BY 1
        UNION ALL SELECT event.bucket, 'custom', event_name, count(*) FROM event WHERE event_name IN ('signup', 'purchase', 'Sign Up', 'visitors', 'timestamp') GROUP BY 1, 3
        UNION ALL SELECT session.bucket, 'sessions', NULL, count(*) FROM session GROUP BY 1
    )
    SELECT b.bucket, coalesce(sum(p.n) FILTER (WHERE what = 'visitors'), 0)::bigint, coalesce(sum(p.n) FILTER (WHERE what = 'pageviews'), 0)::bigint,
           coalesce(sum(p.n) FILTER (WHERE what = 'sessions'), 0)::bigint, coalesce(sum(p.n) FILTER (WHERE what = 'custom'), 0)::bigint, jsonb_object_agg(p.name, p.n) FILTER (WHERE what = 'custom')
    FROM (SELECT date_trunc(level, m, 'America/Chicago') AS bucket FROM generate_series(starts, ends - interval '1 us', CASE level WHEN 'hour' THEN interval '15 min' ELSE '12 hours' END) AS m
          UNION SELECT date_trunc(level, ends - interval '1 us', 'America/Chicago') UNION SELECT NULL) AS b
    LEFT JOIN pair p ON p.bucket IS NOT DISTINCT FROM b.bucket
    GROUP BY b.bucket
$$;
CREATE TEMP TABLE asked AS SELECT r.*, l.level, b.bots FROM range r, unnest('{hour,day,week,month}'::text[]) AS l (level), unnest('{false,true}'::boolean[]) AS b (bots)
WHERE r.ends - r.starts < CASE l.level WHEN 'hour' THEN interval '10 days' WHEN 'day' THEN interval '100 days' ELSE interval '1000 days' END;
CREATE TEMP TABLE reckoned AS SELECT a.range, a.level, a.bots, o.* FROM asked a, pg_temp.overview(a.starts, a.ends, a.level, a.bots) o;
CREATE FUNCTION pg_temp.told(w int) RETURNS TABLE (range bigint, level text, bots boolean, bucket timestamptz, visitors bigint, pageviews bigint, sessions bigint, custom_events bigint, names jsonb) LANGUAGE sql AS $$
    WITH custom AS MATERIALIZED (
        SELECT a.range, a.level, a.bots, c.bucket, jsonb_object_agg(c.name, c.count) AS names
        FROM asked a, leadanalytics.custom_events_rows(w, a.starts, a.ends, a.level, include_bots => a.bots) c GROUP BY 1, 2, 3, 4
    )
    SELECT a.range, a.level, a.bots, o.*, c.names
    FROM asked a CROSS JOIN LATERAL leadanalytics.site_overview_rows(w, a.starts, a.ends, a.level, include_bots => a.bots) o
    LEFT JOIN custom c ON (c.range, c.level, c.bots) = (a.range, a.level, a.bots) AND c.bucket IS NOT DISTINCT FROM o.bucket
$$;
CREATE TEMP TABLE told AS SELECT * FROM pg_temp.told(:w);
SELECT (SELECT count(*) FROM told) > 600 AS many, (SELECT count(*) FROM (SELECT * FROM told EXCEPT ALL SELECT * FROM reckoned) AS d) AS too_much,
       (SELECT count(*) FROM (SELECT * FROM reckoned EXCEPT ALL SELECT * FROM told) AS d) AS missing;
SET leadanalytics.exact = on;
SELECT count(*) AS differ FROM (SELECT * FROM pg_temp.told(:w) EXCEPT ALL SELECT * FROM told) AS d;
RESET leadanalytics.exact;
-- The body says what the rows say; every name found in the range is in every point, but those called like a field.
WITH body AS MATERIALIZED (
    SELECT a.range, a.level, a.bots, leadanalytics.site_overview(:w, a.s, a.e, a.level, a.bots)::jsonb AS body FROM asked a WHERE a.level IN ('day', 'week')
), point AS (
    SELECT b.range, b.level, b.bots, p.point FROM body b, jsonb_array_elements(b.body -> 'time_series') AS p (point)
    UNION ALL
    SELECT b.range, b.level, b.bots, b.body - 'time_series' FROM body b
), expected AS (
    SELECT t.range, t.level, t.bots, CASE WHEN t.bucket IS NULL
        THEN jsonb_build_object('visitors_total', t.visitors, 'pageviews_total', t.pageviews, 'sessions_total', t.sessions, 'custom_events_total', t.custom_events,
                                'custom_event_counts', coalesce(t.names, '{}'), 'aggregation_level', t.level, 'timezone', 'America/Chicago')
        ELSE coalesce((SELECT jsonb_object_agg(k, 0) FROM jsonb_object_keys(whole.names) AS k), '{}') || coalesce(t.names, '{}')
             || jsonb_build_object('timestamp', leadanalytics.utc_seconds(t.bucket), 'visitors', t.visitors, 'pageviews', t.pageviews, 'sessions', t.sessions, 'custom_events', t.custom_events) END
    FROM told t JOIN told whole ON (whole.range, whole.level, whole.bots) = (t.range, t.level, t.bots) AND whole.bucket IS NULL
    WHERE t.level IN ('day', 'week')
)
SELECT (SELECT count(*) FROM point) > 100 AS many, (SELECT count(*) FROM (SELECT * FROM point EXCEPT ALL SELECT * FROM expected) AS d) AS too_much,
       (SELECT count(*) FROM (SELECT * FROM expected EXCEPT ALL SELECT * FROM point) AS d) AS missing;

-- S5-02 … S5-04 the long way.
CREATE FUNCTION pg_temp.share(starts timestamptz, ends timestamptz, question text, type text, bots boolean) RETURNS TABLE (name text, count bigint, percentage numeric, code text) LANGUAGE sql AS $$
    WITH fact AS (
        SELECT s.visitor_id, CASE type WHEN 'referrer' THEN CASE WHEN s.referrer LIKE '%shop.example%' OR s.referrer IS NULL THEN '(direct)' ELSE substring(s.referrer FROM '//(?:www\.)?([^/]+)') END
                   WHEN 'campaign' THEN s.utm_campaign
                   WHEN 'browser' THEN coalesce(s.browser, 'Unknown') WHEN 'os' THEN coalesce(s.os, 'Unknown') WHEN 'deviceType' THEN coalesce(s.device_type, 'Unknown')
                   WHEN 'country' THEN coalesce((SELECT c.name FROM leadanalytics.country c WHERE c.code = s.geo_country), s.geo_country, 'Unknown')
                   WHEN 'region' THEN coalesce(s.geo_region, 'Unknown') WHEN 'city' THEN coalesce(s.geo_city, 'Unknown') END AS name,
               CASE type WHEN 'country' THEN s.geo_country WHEN 'region' THEN CASE WHEN s.geo_region IS NOT NULL THEN s.geo_country END WHEN 'city' THEN CASE WHEN s.geo_city IS NOT NULL THEN s.geo_country END END AS code
        FROM s WHERE s.started_at >= starts AND s.started_at < ends AND type <> 'page'
        UNION ALL
        SELECT e.visitor_id, e.page_path, NULL FROM e
        WHERE e.at >= starts AND e.at < ends AND (bots OR NOT e.is_bot) AND type = 'page' AND e.event_name IN ('page_view', '$pageview', 'page_visit')
    ), total AS (
        SELECT count(DISTINCT e.visitor_id) AS n FROM e WHERE e.at >= starts AND e.at < ends AND (bots OR NOT e.is_bot)
    )
    SELECT f.name, count(DISTINCT f.visitor_id), coalesce(round(count(DISTINCT f.visitor_id) * 100.0 / nullif(t.n, 0), 1), 0), f.code FROM fact f, total t WHERE f.name IS NOT NULL GROUP BY f.name, f.code, t.n
$$;
CREATE FUNCTION pg_temp.shares(w int, starts timestamptz, ends timestamptz, question text, type text, bots boolean, top int) RETURNS TABLE (name text, count bigint, percentage numeric, code text) LANGUAGE sql AS $$
    SELECT r.*, NULL FROM leadanalytics.traffic_rows(w, starts, ends, type, top, include_bots => bots) r WHERE question = 'traffic'
    UNION ALL SELECT r.*, NULL FROM leadanalytics.devices_rows(w, starts, ends, type, top) r WHERE question = 'devices'
    UNION ALL SELECT r.* FROM leadanalytics.locations_rows(w, starts, ends, type, top) r WHERE question = 'locations'
$$;
CREATE TEMP TABLE question AS SELECT r.*, t.question, t.type, b.bots FROM range r, leadanalytics.share_types() t, unnest('{false,true}'::boolean[]) AS b (bots) WHERE t.question = 'traffic' OR NOT b.bots;
CREATE TEMP TABLE shared AS SELECT q.range, q.question, q.type, q.bots, s.* FROM question q, pg_temp.shares(:w, q.starts, q.ends, q.question, q.type, q.bots, NULL) s;
CREATE TEMP TABLE shared_reckoned AS SELECT q.range, q.question, q.type, q.bots, s.* FROM question q, pg_temp.share(q.starts, q.ends, q.question, q.type, q.bots) s;
SELECT (SELECT count(*) FROM shared) > 500 AS many, (SELECT count(*) FROM (SELECT * FROM shared EXCEPT ALL SELECT * FROM shared_reckoned) AS d) AS too_much,
       (SELECT count(*) FROM (SELECT * FROM shared_reckoned EXCEPT ALL SELECT * FROM shared) AS d) AS missing;
SELECT question, type, count(*) > 3 AS several, count(*) FILTER (WHERE count > 20) > 0 AS many FROM shared WHERE range = 4 AND NOT bots GROUP BY 1, 2 ORDER BY 1, 2;
-- the first three are the first of all, and the same from the rows
CREATE FUNCTION pg_temp.first(w int, top int) RETURNS TABLE (range bigint, question text, type text, bots boolean, name text, count bigint, percentage numeric, code text, place bigint) LANGUAGE sql AS $$
    SELECT q.range, q.question, q.type, q.bots, s.* FROM question q, pg_temp.shares(w, q.starts, q.ends, q.question, q.type, q.bots, top) WITH ORDINALITY AS s (name, count, percentage, code, place)
    WHERE s.place <= 3
$$;
CREATE TEMP TABLE first_three AS SELECT * FROM pg_temp.first(:w, 3);
SELECT count(*) AS differ FROM (SELECT * FROM pg_temp.first(:w, NULL) EXCEPT ALL SELECT * FROM first_three) AS d;
SET leadanalytics.exact = on;
SELECT count(*) AS differ FROM (SELECT * FROM pg_temp.first(:w, 3) EXCEPT ALL SELECT * FROM first_three) AS d;
RESET leadanalytics.exact;
SELECT count(*) > 100 AS many, count(*) FILTER (WHERE count > before) AS out_of_order FROM (SELECT f.count, lag(f.count) OVER (PARTITION BY range, question, type, bots ORDER BY place) AS before FROM first_three f) AS f;
SELECT * FROM leadanalytics.locations_rows(:w, '2026-03-01', '2026-12-01', 'city');
SELECT * FROM leadanalytics.locations_rows(:w, '2026-03-01', '2026-12-01', 'region');
SELECT * FROM leadanalytics.locations_rows(:w, '2026-03-01', '2026-12-01', 'country', 3);

-- Only the workspaces one may ask about.
SET ROLE leadanalytics_read;
SELECT leadanalytics.site_overview(:w, '2026-03-01', '2026-03-02');
SELECT leadanalytics.traffic_rows(:w, '2026-03-01', '2026-03-02');
SELECT leadanalytics.devices_rows(:w, '2026-03-01', '2026-03-02');
SELECT leadanalytics.locations_rows(:w, '2026-03-01', '2026-03-02');
SELECT leadanalytics.custom_events_rows(:w, '2026-03-01', '2026-03-02');
SELECT leadanalytics.shares(:w, 'traffic', 'referrer', '2026-03-01', '2026-03-02', NULL, now(), false);
RESET ROLE;
