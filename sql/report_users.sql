-- Users (S5-09, S5-10), beside plain SQL from the rows: random people, with aliases, robots, several browsers and none.
\set VERBOSITY terse
SET timezone = 'UTC';
SET leadanalytics.segment_events = 5;
SELECT leadanalytics.create_workspace('users', currency => 'USD', timezone => 'Europe/Vienna') AS w \gset
SELECT leadanalytics.create_workspace('users-other') AS other \gset

-- Nobody yet.
SELECT leadanalytics.users(:w, '2021-03-01', '2021-03-31');
SELECT leadanalytics.user_profile(:w, 'v1');
SELECT leadanalytics.users(:w, '2021-03-31', '2021-03-01');
SELECT leadanalytics.users(999, '2021-03-01', '2021-03-31');

-- 1 500 events of 150 visitors and 25 users, by a generator of its own: hash(i, what) is 0 … 1.
CREATE FUNCTION hash(i int, what int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$SELECT ('x' || left(md5(what || ':' || i), 7))::bit(28)::int / 268435456.0$$;
CREATE FUNCTION pick(i int, what int, n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$SELECT floor(hash(i, what) * n)::int$$;
CREATE TEMP TABLE said AS
SELECT i, timestamptz '2021-03-01Z' + hash(i, 1) * 20 * interval '1 day' AS at,
       json_strip_nulls(json_build_object(
           'event_name', (ARRAY['page_view', 'page_view', 'click', 'purchase', '$identify', '$alias'])[1 + pick(i, 2, 4) + CASE WHEN i % 7 = 0 THEN 2 ELSE 0 END],
           'visitor_id', CASE WHEN hash(i, 3) < 0.85 THEN (ARRAY['v', 'V_', 'x%'])[1 + pick(i, 4, 3)] || pick(i, 4, 150) END,
           'session_id', CASE WHEN hash(i, 5) < 0.3 THEN 's' || pick(i, 6, 80) END,
           'user_id', CASE WHEN i % 14 = 0 OR hash(i, 3) > 0.9 THEN 'user-' || pick(i, 7, 25) END,
           'email', CASE WHEN i % 7 = 0 AND hash(i, 8) < 0.5 THEN (ARRAY['Ann', 'bea', 'CARL'])[1 + pick(i, 9, 3)] || pick(i, 7, 25) || '@Example.com' END,
           'previous_id', CASE WHEN i % 7 = 0 AND hash(i, 10) < 0.12 THEN (ARRAY['user-', 'v', 'old-'])[1 + pick(i, 11, 3)] || pick(i, 12, 25) END,
           'timestamp', timestamptz '2021-03-01Z' + hash(i, 1) * 20 * interval '1 day',
           'event_data', json_build_object('url', CASE WHEN i % 5 > 0 THEN 'https://a.example/' || i % 9 END, 'value', CASE WHEN i % 3 > 0 THEN i END))) AS event
FROM generate_series(1, 1500) AS i;
-- In ten posts, every eighth by a robot, every second from another browser; a part is folded, days are made.
SELECT sum((leadanalytics.track(:w, json_build_object('events', t.events), now => '2021-03-20Z', as_role => 'admin',
    user_agent => CASE WHEN n % 8 = 3 THEN 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'
                       WHEN n % 2 = 0 THEN 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36' END) ->> 'accepted')::int)
FROM (SELECT pick(i, 20, 16) AS n, json_agg(event ORDER BY at, i) AS events FROM said WHERE i <= 1200 GROUP BY 1 ORDER BY 1) AS t;
SELECT leadanalytics.fold(:w, '2021-03-22Z') >= 0, leadanalytics.build(:w, '2021-03-22Z') >= 0; -- unless the worker was faster
SELECT sum((leadanalytics.track(:w, json_build_object('events', t.events), now => '2021-03-20Z', as_role => 'admin') ->> 'accepted')::int)
FROM (SELECT json_agg(event ORDER BY at, i) AS events FROM said WHERE i > 1200) AS t;
-- A session that starts without an event, and one that goes on so.
SELECT count(leadanalytics.track_session_start(:w, json_build_object('fingerprint_id', 'f', 'page', 'https://a.example/', 'visitor_id', 'v3'), now => '2021-03-20 01:00Z'));
SELECT leadanalytics.track(:other, '{"event_name": "page_view", "visitor_id": "v1", "user_id": "user-1", "email": "ann1@example.com"}', now => '2021-03-20Z') ->> 'accepted';
SELECT count(*) FILTER (WHERE alias_of IS NOT NULL) > 3 AS aliases, (SELECT count(*) > 10 FROM leadanalytics.guest WHERE workspace = :w) AS guests,
       (SELECT count(*) > 20 FROM leadanalytics.visitor WHERE workspace = :w AND person IS NOT NULL) AS identified FROM leadanalytics.person WHERE workspace = :w;

-- The other way: all events with whose they are.
CREATE VIEW whose AS
SELECT n.workspace, n.number, coalesce(p.alias_of, p.number, n.number) AS owner, n.id, n.email, n.is_visitor
FROM (SELECT workspace, number, person, visitor_id AS id, email, true AS is_visitor FROM leadanalytics.visitor
      UNION ALL SELECT workspace, number, number, user_id, email, false FROM leadanalytics.person) AS n
LEFT JOIN leadanalytics.person p ON p.workspace = n.workspace AND p.number = n.person;
CREATE TABLE deed AS
SELECT w.owner, w.number, w.is_visitor, e.at, e.id, e.session, e.visitor, e.is_bot, e.kind, e.name, e.data
FROM leadanalytics.event e JOIN whose w ON w.workspace = e.workspace AND w.number = coalesce(e.visitor, e.person) WHERE e.workspace = :w;
CREATE TABLE stay AS -- in a session, its visitor's or not; outside of sessions session is null
SELECT w.owner, s.number AS session, s.started_at AS at, false AS is_bot FROM leadanalytics.session s JOIN whose w ON w.workspace = s.workspace AND w.number = s.visitor WHERE s.workspace = :w
UNION ALL SELECT d.owner, d.session, NULL, false FROM deed d WHERE d.session IS NOT NULL
UNION ALL SELECT d.owner, NULL, d.at, d.is_bot FROM deed d LEFT JOIN leadanalytics.session s ON s.number = d.session AND s.visitor = d.number WHERE s.number IS NULL;
CREATE TABLE plain AS
SELECT b.bots, u.owner,
       (SELECT w.id FROM deed d JOIN whose w ON w.number = d.number WHERE d.owner = u.owner AND d.is_visitor AND (bots OR NOT d.is_bot) ORDER BY d.at DESC, d.number DESC LIMIT 1) AS visitor_id,
       (SELECT p.user_id FROM leadanalytics.person p WHERE p.workspace = :w AND p.number = u.owner) AS user_id,
       coalesce((SELECT p.email FROM leadanalytics.person p WHERE p.workspace = :w AND p.number = u.owner),
                (SELECT w.email FROM whose w WHERE w.workspace = :w AND w.owner = u.owner AND w.email IS NOT NULL AND NOT w.is_visitor ORDER BY w.number DESC LIMIT 1),
                (SELECT w.email FROM whose w JOIN deed d ON d.number = w.number WHERE w.workspace = :w AND w.owner = u.owner AND w.email IS NOT NULL AND w.is_visitor AND (bots OR NOT d.is_bot)
                 ORDER BY d.at DESC, d.number DESC LIMIT 1)) AS email,
       least(u.last, (SELECT min(s.at) FROM stay s WHERE s.owner = u.owner AND (bots OR NOT s.is_bot))) AS first_seen, u.last AS last_seen, u.events AS total_events,
       (SELECT count(DISTINCT s.session) FROM stay s WHERE s.owner = u.owner) AS total_sessions
FROM (VALUES (false), (true)) AS b (bots), LATERAL (SELECT d.owner, max(d.at) AS last, count(*) AS events FROM deed d WHERE bots OR NOT d.is_bot GROUP BY d.owner) AS u;
CREATE FUNCTION plain_users(workspace int, starts timestamptz, ends timestamptz, search text, bots boolean)
RETURNS TABLE (visitor_id text, user_id text, email text, first_seen timestamptz, last_seen timestamptz, total_events bigint, total_sessions bigint, total_count bigint, place bigint)
LANGUAGE sql STABLE AS $$
    SELECT p.visitor_id, p.user_id, p.email, p.first_seen, p.last_seen, p.total_events, p.total_sessions, count(*) OVER (), row_number() OVER (ORDER BY p.last_seen DESC, p.owner)
    FROM plain p
    WHERE p.bots = plain_users.bots AND p.owner IN (SELECT d.owner FROM deed d WHERE d.at >= starts AND d.at < ends AND (plain_users.bots OR NOT d.is_bot))
      AND (search IS NULL OR p.owner IN (SELECT w.owner FROM whose w WHERE w.workspace = plain_users.workspace
           AND (left(w.id, length(search)) = search OR w.email ILIKE '%' || replace(replace(search, '%', '\%'), '_', '\_') || '%')))
$$;
CREATE FUNCTION differs(workspace int, starts timestamptz, ends timestamptz, search text, bots boolean, few int, skipped int)
RETURNS SETOF text LANGUAGE sql AS $$
    WITH plain AS MATERIALIZED (
        SELECT p.* FROM plain_users(workspace, starts, ends, search, bots) p WHERE p.place > skipped AND (few IS NULL OR p.place <= skipped + few)
    ), ours AS MATERIALIZED (
        SELECT r.visitor_id, r.user_id, r.email, r.first_seen, r.last_seen, r.total_events, r.total_sessions, r.total_count, skipped + r.place AS place
        FROM leadanalytics.users_rows(workspace, starts, ends, search, few, skipped, '2021-03-22Z', bots)
            WITH ORDINALITY AS r (visitor_id, user_id, email, first_seen, last_seen, total_events, total_sessions, c, ci, d, b, total_count, place)
        WHERE r.total_events IS NOT NULL
    )
    SELECT 'plain ' || p::text FROM (SELECT * FROM plain EXCEPT ALL SELECT * FROM ours) AS p
    UNION ALL SELECT 'ours ' || o::text FROM (SELECT * FROM ours EXCEPT ALL SELECT * FROM plain) AS o
$$;
-- Nothing differs, whatever is asked, either way.
CREATE TABLE asked AS
SELECT row_number() OVER () AS n, s.at AS starts, s.at + l.length AS ends, q.search, b.bots, p.few, p.skipped
FROM (VALUES ('2021-02-20Z'::timestamptz), ('2021-03-04 10:17Z'), ('2021-03-18Z')) AS s (at), (VALUES (interval '3 hours'), ('5 days'), ('40 days')) AS l (length),
     (VALUES (NULL), ('v'), ('V_1'), ('x%'), ('user-1'), ('old-'), ('ANN'), ('@example.c'), ('e'), ('a2'), ('nobody')) AS q (search),
     (VALUES (false), (true)) AS b (bots), (VALUES (NULL::int, 0), (7, 0), (7, 7), (1, 20)) AS p (few, skipped);
DELETE FROM asked WHERE n % 7 > 0;
SELECT count(*) FROM asked;
SELECT a.*, d.* FROM asked a CROSS JOIN LATERAL differs(:w, a.starts, a.ends, a.search, a.bots, a.few, a.skipped) AS d (problem) LIMIT 5;
-- Many are looked for in another way than few.
CREATE TABLE page AS SELECT a.n, f.many, p::text FROM asked a CROSS JOIN (VALUES (0), (7), (1000)) AS f (many)
CROSS JOIN LATERAL leadanalytics.users_page(:w, a.starts, a.ends, a.search, a.few, a.skipped, '2021-03-22Z', a.bots, f.many) p;
SELECT n, array_agg(DISTINCT p) FROM page GROUP BY n HAVING count(DISTINCT p) > 1 LIMIT 3;
SET leadanalytics.exact = on;
SELECT a.*, d.* FROM asked a CROSS JOIN LATERAL differs(:w, a.starts, a.ends, a.search, a.bots, a.few, a.skipped) AS d (problem) WHERE a.n % 3 = 0 LIMIT 5;
RESET leadanalytics.exact;
SELECT count(*) > 30 AS many FROM plain_users(:w, '2021-03-01Z', '2021-04-01Z', NULL, false);
-- The sets the list stands on, whatever is folded.
SELECT d.name FROM leadanalytics.dimensions() d CROSS JOIN LATERAL (
    SELECT leadanalytics.bitmap_numbers(leadanalytics.members_from_segments(:w, d.name, '2021-03-02 11:00Z', '2021-03-19 01:00Z', '2021-03-22Z', true)) AS number
    EXCEPT SELECT f.member::int FROM leadanalytics.facts(:w, d.name, '2021-03-02 11:00Z', '2021-03-19 01:00Z', '2021-03-22Z', true) f) AS more WHERE d.members IS NOT NULL;
SELECT d.name FROM leadanalytics.dimensions() d CROSS JOIN LATERAL (
    SELECT f.member::int FROM leadanalytics.facts(:w, d.name, '2021-03-02 11:00Z', '2021-03-19 01:00Z', '2021-03-22Z', false) f WHERE f.member IS NOT NULL
    EXCEPT SELECT leadanalytics.bitmap_numbers(leadanalytics.members_from_segments(:w, d.name, '2021-03-02 11:00Z', '2021-03-19 01:00Z', '2021-03-22Z', false)) AS number) AS less WHERE d.members IS NOT NULL;
SELECT leadanalytics.members(:w, 'session', '2021-03-01', '2021-04-01');
-- Who sees contacts masked.
BEGIN;
CREATE ROLE regress_users_marketing;
GRANT leadanalytics_read TO regress_users_marketing;
SELECT leadanalytics.grant_workspace(:w, 'regress_users_marketing', 'marketing');
SET LOCAL ROLE regress_users_marketing;
SELECT count(email) > 0 AS some, bool_and(email ~ '^(.?)[*][*][*](@|$)') AS masked FROM leadanalytics.users_rows(:w, '2021-03-01', '2021-04-01');
SELECT bool_and(email ~ '^(.?)[*][*][*](@|$)') AS masked FROM leadanalytics.persons WHERE workspace = :w;
SELECT leadanalytics.users_rows(:w, '2021-03-01', '2021-04-01', search => 'a');
ROLLBACK;

-- One user, by any id: the same user, sessions and conversions as in the rows.
CREATE TABLE id AS SELECT w.id, (SELECT x.owner FROM whose x WHERE x.workspace = w.workspace AND x.id = w.id ORDER BY x.is_visitor DESC LIMIT 1) AS owner FROM whose w WHERE w.workspace = :w;
SELECT i.id, p, u FROM id i LEFT JOIN plain p ON p.owner = i.owner AND NOT p.bots LEFT JOIN LATERAL leadanalytics.user_rows(:w, i.id) u ON true
WHERE (p.visitor_id, p.user_id, p.email, p.first_seen, p.last_seen, p.total_events, p.total_sessions)
    IS DISTINCT FROM (u.visitor_id, u.user_id, u.email, u.first_seen, u.last_seen, u.total_events, u.total_sessions) LIMIT 3;
SELECT i.id, d.* FROM (SELECT * FROM id ORDER BY md5(id) LIMIT 60) i CROSS JOIN LATERAL (
    SELECT s.number, s.started_at, s.ended_at, s.events_count, s.pageviews_count FROM leadanalytics.user_sessions_rows(:w, i.id, 3, '2021-03-20 00:10Z') s
    EXCEPT (SELECT s.number, s.started_at, CASE WHEN s.last_seen < '2021-03-20 00:10Z'::timestamptz - CASE WHEN s.session_id IS NULL THEN interval '30 minutes' ELSE '1 hour' END THEN s.last_seen END,
                   (SELECT count(*) FROM deed d WHERE d.session = s.number AND d.owner = i.owner), (SELECT count(*) FROM deed d WHERE d.session = s.number AND d.owner = i.owner AND d.kind = 'p')
            FROM leadanalytics.session s WHERE s.number IN (SELECT t.session FROM stay t WHERE t.owner = i.owner) ORDER BY s.started_at DESC, s.number DESC LIMIT 3)) AS d LIMIT 3;
SELECT i.id FROM id i WHERE (SELECT count(*) FROM leadanalytics.user_sessions_rows(:w, i.id)) <> (SELECT count(DISTINCT t.session) FROM stay t WHERE t.owner = i.owner) LIMIT 3;
SELECT i.id, c, d FROM id i CROSS JOIN LATERAL (
    SELECT json_agg(c)::jsonb FROM leadanalytics.user_conversions_rows(:w, i.id) c) AS c (said) CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object('event_name', 'purchase', 'value', coalesce((d.data ->> 'value')::numeric, 0), 'at', d.at) ORDER BY d.at DESC, d.id DESC)::jsonb FROM deed d
    WHERE d.owner = i.owner AND NOT d.is_bot AND d.name = leadanalytics.text_term(:w, 'purchase')) AS d (said)
WHERE c.said IS DISTINCT FROM d.said LIMIT 2;

-- What they look like.
SELECT leadanalytics.create_workspace('users-few', currency => 'USD') AS few \gset
SELECT leadanalytics.set_fx_rate(:few, 'EUR', '2021-03-01', 1.25);
SELECT leadanalytics.track(:few, '{"events": [
    {"event_name": "page_view", "visitor_id": "v1", "session_id": "s1", "timestamp": "2021-03-01T10:00:00Z", "event_data": {"url": "https://a.example/?x"}},
    {"event_name": "purchase", "visitor_id": "v1", "session_id": "s1", "timestamp": "2021-03-01T10:00:10.6Z", "event_data": {"value": 80, "currency": "EUR"}},
    {"event_name": "page_view", "visitor_id": "v2", "session_id": "s2", "user_id": "u/1", "timestamp": "2021-03-02T10:00:00Z", "event_data": {"url": "https://a.example/b"}},
    {"event_name": "$identify", "visitor_id": "v1", "user_id": "u/1", "email": "Ann@Example.com", "timestamp": "2021-03-01T10:00:20Z", "session_id": "s1"},
    {"event_name": "lead", "user_id": "u2", "timestamp": "2021-03-02T11:00:00Z"},
    {"event_name": "signup", "user_id": "u2", "session_id": "s1", "timestamp": "2021-03-01T10:00:15Z"}]}', now => '2021-03-02 12:00Z',
    user_agent => 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36') ->> 'accepted';
SELECT leadanalytics.users(:few, '2021-03-01', '2021-03-01', now => '2021-03-03Z');
SELECT leadanalytics.users(:few, '2021-03-02', '2021-03-02', 'example.COM', now => '2021-03-03Z');
SELECT leadanalytics.users(:few, '2021-03-01', '2021-03-02', "limit" => 1, "offset" => 1, now => '2021-03-03Z') -> 'has_more' AS last,
       leadanalytics.users(:few, '2021-03-01', '2021-03-02', "limit" => 1, now => '2021-03-03Z') -> 'has_more' AS first,
       leadanalytics.users(:few, '2021-03-01', '2021-03-02', "offset" => 9, now => '2021-03-03Z') AS behind;
SELECT leadanalytics.user_profile(:few, 'v1', now => '2021-03-02 10:01:00Z');
SELECT leadanalytics.user_profile(:few, 'u2', now => '2021-03-03Z');
SELECT leadanalytics.user_profile(:few, 'u', now => '2021-03-03Z');

-- At most 1 000 events of a session, and 100 sessions.
SELECT sum((leadanalytics.track(:few, json_build_object('events', (SELECT json_agg(json_build_object('event_name', 'click', 'visitor_id', 'long', 'session_id', 'long',
    'timestamp', '2021-03-01 12:00Z'::timestamptz + (b * 600 + i) * interval '1 second')) FROM generate_series(1, 600) AS i)), now => '2021-03-01 12:30Z') ->> 'accepted')::int) FROM generate_series(0, 1) AS b;
SELECT json_array_length(p -> 'sessions' -> 0 -> 'events') AS shown, p -> 'sessions' -> 0 -> 'events' -> 999 ->> 'received_at' AS until, p -> 'sessions' -> 0 ->> 'events_count' AS of
FROM leadanalytics.user_profile(:few, 'long') AS p;
SELECT leadanalytics.track(:few, json_build_object('events', (SELECT json_agg(json_build_object('event_name', 'click', 'visitor_id', 'many', 'session_id', 'n' || i,
    'timestamp', '2021-03-01 15:00Z'::timestamptz + i * interval '1 minute')) FROM generate_series(0, 100) AS i)), now => '2021-03-02Z') ->> 'accepted';
SELECT json_array_length(p -> 'sessions') AS sessions, p -> 'sessions' -> 99 ->> 'session_id' AS last, p -> 'user' ->> 'total_sessions' AS of FROM leadanalytics.user_profile(:few, 'many') AS p;

-- Robots are nobody, unless they are asked for.
SELECT leadanalytics.track(:few, '{"event_name": "page_view", "visitor_id": "robot", "timestamp": "2021-03-01T12:30:00Z"}', user_agent => 'Googlebot/2.1 (+http://www.google.com/bot.html)', now => '2021-03-02Z') ->> 'accepted';
SELECT leadanalytics.user_profile(:few, 'robot');
SELECT leadanalytics.user_profile(:few, 'robot', true);
SELECT leadanalytics.users(:few, '2021-03-01', '2021-03-01', 'rob'), leadanalytics.users(:few, '2021-03-01', '2021-03-01', 'rob', include_bots => true);
