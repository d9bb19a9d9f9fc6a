-- The tracker's doors: T1 to T4, and what events say of persons, devices, campaigns and robots.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('tracker', 'Tracker', domain => 'tracker.example') AS w \gset
CREATE FUNCTION public.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE statement INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE VIEW public.visit AS
SELECT CASE WHEN session_id ~ '^[0-9]+$' THEN '(server)' WHEN length(session_id) = 36 THEN '(made)' ELSE session_id END AS session_id, left(visitor_id, 8) AS visitor, started_at::time AS started, last_seen::time AS seen, ended_at::time AS ended,
       events, pageviews, clicks, scroll_percent AS scroll, returns, entry_path AS entry, exit_path AS exit
FROM leadanalytics.sessions WHERE workspace = (SELECT id FROM leadanalytics.workspace WHERE slug = 'tracker');

-- T1: ids are digests that anybody can reckon
SELECT leadanalytics.track_session_start(:w, '{"fingerprint_id": "fp1", "page": "https://tracker.example/a?x=1", "referrer": "https://google.com/",
    "device_info": {"user_agent": "UA/1", "language": "en", "platform": "MacIntel", "hardware_concurrency": 8, "device_memory": 8},
    "screen": {"width": 1920, "height": 1080, "color_depth": 24, "pixel_ratio": 2}}', user_agent => 'header', client_ip => '192.0.2.1', now => '2026-05-01 10:00:00Z') AS t1 \gset
SELECT t ->> 'session_id' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' AS session, t ->> 'visitor_id' = encode(sha256('visitor:fp1'), 'hex') AS visitor,
       t ->> 'device_id' = encode(sha256('device:UA/1|fp1'), 'hex') AS device, t ->> 'timestamp' AS timestamp, (SELECT string_agg(k, ' ') FROM json_object_keys(t) k) AS keys
FROM (SELECT :'t1'::json) AS x (t);
SELECT :'t1'::json ->> 'session_id' AS s \gset
SELECT * FROM visit;
SELECT ip, referrer, fingerprint_id, browser, device_id = encode(sha256('device:UA/1|fp1'), 'hex') AS device, vpn_score FROM leadanalytics.sessions WHERE workspace = :w;
SELECT parts[2:] FROM leadanalytics.dictionary WHERE workspace = :w AND kind = 'device';
SELECT count(*) AS events FROM leadanalytics.events WHERE workspace = :w;
-- a visitor who says his id keeps it; without device_info the agent is the header's
SELECT t ->> 'visitor_id' AS visitor, t ->> 'device_id' = encode(sha256('device:header|fp2'), 'hex') AS device
FROM leadanalytics.track_session_start(:w, '{"fingerprint_id": "fp2", "page": "https://tracker.example/", "visitor_id": "mine"}', user_agent => 'header', now => '2026-05-01 10:00:00Z') t;
SELECT body, attempt(format('SELECT leadanalytics.track_session_start(%s, %L)', :w, body))
FROM unnest(ARRAY['[]', '{}', '{"fingerprint_id": "f"}', '{"page": "/"}', '{"fingerprint_id": "", "page": "/"}', '{"fingerprint_id": 1, "page": "/"}',
                  '{"fingerprint_id": "f", "page": "/", "workspace_id": 5}', NULL]) body;

-- T2: into the session that was started, with its visitor
SELECT t ->> 'event_id' ~ '^evt_[0-9]+$' AS id, t ->> 'timestamp' AS timestamp
FROM leadanalytics.track_event(:w, json_build_object('session_id', :'s', 'event_type', 'scroll', 'page', 'https://tracker.example/a', 'x', 1, 'y', 2.5, 'scroll_percent', 66.6,
    'element', 'div#x', 'timestamp', 1777629605000), now => '2026-05-01 10:00:10Z') t;
SELECT event_name, kind, visitor_id = encode(sha256('visitor:fp1'), 'hex') AS visitor, session_id = :'s' AS session, at, page_path, source, event_data FROM leadanalytics.events WHERE workspace = :w;
-- T2: an unknown id opens a session; one event under one event_id
SELECT leadanalytics.track_event(:w, '{"session_id": "lost", "event_type": "page_view", "event_id": "once", "page": "/lost"}', now => '2026-05-01 10:00:00Z') AS first \gset
SELECT leadanalytics.track_event(:w, '{"session_id": "lost", "event_type": "page_view", "event_id": "once", "page": "/lost"}', now => '2026-05-01 10:00:00Z')::text = :'first' AS same;
SELECT body, attempt(format('SELECT leadanalytics.track_event(%s, %L)', :w, body))
FROM unnest(ARRAY['{}', '{"session_id": "s"}', '{"event_type": "click"}', '{"session_id": "s", "event_type": "purchase"}', '{"session_id": "", "event_type": "click"}', '{"session_id": 5, "event_type": "click"}',
                  '{"session_id": "s", "event_type": "scroll", "scroll_percent": 101}', '{"session_id": "s", "event_type": "click", "timestamp": "never"}']) body;

-- T3: what is wrong with one loses no other
SELECT leadanalytics.track_events(:w, json_build_object('session_id', :'s', 'events', '[{"event_type": "click", "timestamp": "2026-05-01T10:00:20Z"}, {"event_type": "nonsense"}, 5, null, {},
    {"event_type": "page_view", "page": "https://tracker.example/b", "timestamp": "2026-05-01T10:00:30Z"}, {"event_type": "click", "session_id": "other", "timestamp": "2026-05-01T10:00:25Z"}]'::json), now => '2026-05-01 10:00:40Z');
SELECT * FROM visit ORDER BY entry;
SELECT what, attempt(format('SELECT leadanalytics.track_events(%s, %L)', :w, body))
FROM (VALUES ('no session', '{"events": [{"event_type": "click"}]}'::json), ('no events', '{"session_id": "s"}'), ('empty', '{"session_id": "s", "events": []}'), ('object', '{"session_id": "s", "events": {}}'),
             ('101', json_build_object('session_id', 's', 'events', (SELECT json_agg('{"event_type": "click"}'::json) FROM generate_series(1, 101)))),
             ('long', json_build_object('session_id', repeat('s', 129), 'events', '[{}]'::json))) v (what, body);
SELECT leadanalytics.track_events(:w, json_build_object('session_id', 'hundred', 'visitor_id', 'mine', 'events', (SELECT json_agg('{"event_type": "click"}'::json) FROM generate_series(1, 100))), now => '2026-05-01 10:00:40Z');

-- T4: the client's time when it is believable and not before the last event; ended is final
SELECT attempt(format('SELECT leadanalytics.track_session_end(%s, %L)', :w, body)) FROM unnest(ARRAY['{}', '{"session_id": "nobody"}', '{"session_id": "hundred", "timestamp": true}']) body;
SELECT leadanalytics.track_session_end(:w, json_build_object('session_id', :'s', 'exit_page', 'https://tracker.example/thank-you?q', 'timestamp', 1777629660000), now => '2026-05-01 10:01:05Z') ->> 'ended_at' AS ended_at,
       leadanalytics.track_session_end(:w, json_build_object('session_id', :'s', 'exit_page', '/later'), now => '2026-05-01 10:02:00Z') ->> 'ended_at' AS again;
SELECT leadanalytics.track_session_end(:w, '{"session_id": "hundred", "timestamp": "2026-05-01T10:00:00Z"}', now => '2026-05-01 10:01:00Z');
SELECT leadanalytics.track_session_end(:w, '{"session_id": "lost"}', now => '2026-05-01 12:00:00Z') AS idle_long_ago;
SELECT * FROM visit ORDER BY entry;
SELECT session_id = :'s' AS first, is_ended FROM leadanalytics.session WHERE workspace = :w AND ended_at IS NOT NULL ORDER BY number;
-- what comes now is an event of the visitor and of no session
SELECT leadanalytics.track_event(:w, json_build_object('session_id', 'hundred', 'visitor_id', 'mine', 'event_type', 'click'), now => '2026-05-01 10:02:00Z') IS NOT NULL AS taken;
SELECT session_id FROM leadanalytics.events WHERE workspace = :w AND at = '2026-05-01 10:02:00Z';

-- L7 and D-21: points of 24 as 0 to 100
SELECT h, i, a, s, c, b, leadanalytics.vpn_score(h, i, a, s, c, b)
FROM (VALUES (false, 3, 2, 10, false, false), (true, 0, 0, 0, false, false), (false, 4, 0, 0, false, false), (false, 0, 3, 0, false, false), (false, 0, 0, 11, false, false),
             (false, 0, 0, 0, true, false), (false, 0, 0, 0, false, true), (true, 4, 3, 11, true, true), (false, 4, 3, 0, false, true), (true, 4, 3, 0, false, false)) v (h, i, a, s, c, b);
-- eleven sessions in a day (3) from four addresses (5): 8 of 24; a day later none of it counts
SELECT leadanalytics.track_session_start(:w, '{"fingerprint_id": "hopper", "page": "/"}', client_ip => ('192.0.2.' || least(n, 4))::inet, now => '2026-05-02 00:00:00Z'::timestamptz + n * interval '1 hour') IS NOT NULL AS started
FROM generate_series(1, 12) n \g /dev/null
SELECT leadanalytics.track_session_start(:w, '{"fingerprint_id": "hopper", "page": "/"}', client_ip => '192.0.2.1', now => '2026-05-04 00:00:00Z') IS NOT NULL AS started;
SELECT string_agg(vpn_score::text, ' ' ORDER BY started_at) FROM leadanalytics.sessions WHERE workspace = :w AND fingerprint_id = 'hopper';

-- Campaigns and click ids: as sent; else out of the page's address; the id itself stays with the event
SELECT leadanalytics.track(:w, json_build_object('events', (SELECT json_agg(json_build_object('event_name', 'from', 'event_data', d) ORDER BY n) FROM unnest(ARRAY[
    '{"url": "https://tracker.example/?utm_source=a%20b&utm_medium=c+d&utm_campaign=%C3%A9&utm_term=t&utm_content=k#utm_source=no"}', '{"url": "https://tracker.example/?utm_source=%FF&gclid=G1"}',
    '{"url": "https://tracker.example/?utm_source=url", "utm_source": "sent"}', '{"url": "https://tracker.example/?utm_source=url", "ScCid": "S1"}', '{"url": "/p?irclickid=I1&utm_source="}', '{"path": "/only"}']::json[]) WITH ORDINALITY u (d, n))),
    now => '2026-05-05 10:00:00Z') ->> 'accepted';
SELECT page_url, page_path, utm_source, utm_medium, utm_campaign, utm_term, utm_content, click_id, event_data FROM leadanalytics.events WHERE workspace = :w AND event_name = 'from' ORDER BY id;
SELECT leadanalytics.track(:w, '{"event_name": "top", "gclid": "G2", "utm_source": "s", "event_data": {"screen_width": "1280", "screen_height": 720.5}, "context": {"library": {"name": "sdk"}, "page": {"title": "T"}}}', now => '2026-05-05 10:00:00Z') ->> 'accepted';
SELECT utm_source, click_id, page_title, screen_width, screen_height, event_data FROM leadanalytics.events WHERE workspace = :w AND event_name = 'top';
SELECT count(leadanalytics.track(:w, json_build_object('event_name', 'path', 'event_data', json_build_object('url', u)), now => '2026-05-05 11:00:00Z'))
FROM unnest(ARRAY['https://h.example', 'https://h.example?q=/x', 'HTTPS://h.example/a/b/?q#f', '/rel?x=https://y/z', 'rel', '?q', 'mailto:x']) u;
SELECT page_url, page_path FROM leadanalytics.events WHERE workspace = :w AND event_name = 'path' ORDER BY id;

-- D-60 Persons: who a visitor was last identified as; all of his events are this user's
SELECT leadanalytics.track(:w, '{"events": [
    {"event_name": "page_view", "visitor_id": "p1", "event_id": "p1a"},
    {"event_name": "$identify", "visitor_id": "p1", "user_id": "u1", "event_id": "p1b", "event_data": {"traits": {"email": "u1@x.example"}}},
    {"event_name": "$identify", "visitor_id": "p2", "event_data": {"userId": "u1", "email": "later@x.example"}},
    {"event": "paid", "userId": "u1", "eventId": "srv", "properties": {"value": 9}},
    {"event_name": "buy", "visitor_id": "p3", "distinct_id": "u2", "user_id": "u2", "event_data": {"email": "no@identify"}},
    {"event_name": "distinct", "distinct_id": "u3", "user_id": "u3"},
    {"event_name": "$auto_identify", "visitor_id": "p4", "event_data": {"email": "p4@x.example"}}]}', now => '2026-05-06 10:00:00Z') ->> 'accepted';
CREATE VIEW public.who AS SELECT event_name, visitor_id, user_id, source, session_id IS NOT NULL AS in_session FROM leadanalytics.events WHERE workspace = (SELECT id FROM leadanalytics.workspace WHERE slug = 'tracker') AND at >= '2026-05-06' ORDER BY id;
SELECT * FROM who;
SELECT user_id, email, alias_of, visitor_ids FROM leadanalytics.persons WHERE workspace = :w ORDER BY user_id;
SELECT visitor_id, email FROM leadanalytics.visitor WHERE workspace = :w AND email IS NOT NULL;
-- another user at the same browser; the earlier pair is kept, and a second delivery of the first brings nobody back
SELECT leadanalytics.track(:w, '{"event_name": "$identify", "visitor_id": "p1", "user_id": "u9"}', now => '2026-05-06 11:00:00Z') ->> 'accepted',
       leadanalytics.track(:w, '{"event_name": "$identify", "visitor_id": "p1", "user_id": "u1", "event_id": "p1b"}', now => '2026-05-06 10:00:00Z') ->> 'duplicates';
SELECT DISTINCT user_id FROM who WHERE visitor_id = 'p1' ORDER BY 1;
SELECT p.user_id FROM leadanalytics.visitor v JOIN leadanalytics.person p ON (p.workspace, p.number) = (v.workspace, v.person) WHERE v.workspace = :w AND v.visitor_id = 'p1';
SELECT user_id, visitor_ids FROM leadanalytics.persons WHERE workspace = :w AND 'p1' = ANY (visitor_ids) ORDER BY user_id;
-- aliases: of a user, of a visitor, of nobody yet, of itself, in a chain, back again
SELECT a, leadanalytics.track(:w, json_build_object('event_name', '$alias', 'user_id', split_part(a, '<', 1), 'previousId', split_part(a, '<', 2)), now => '2026-05-06 12:00:00Z') ->> 'accepted'
FROM unnest(ARRAY['u1<u2', 'u1<p4', 'u1<u0', 'u1<u1', 'u8<u1', 'u2<u8']) a;
SELECT user_id, alias_of, visitor_ids FROM leadanalytics.persons WHERE workspace = :w ORDER BY user_id;
SELECT DISTINCT visitor_id, user_id FROM who WHERE event_name <> '$alias' ORDER BY 1, 2;
-- a chain of names moves no crowd: its first hundred names decide who is who
SELECT leadanalytics.track(:w, json_build_object('events', json_agg(json_build_object('event_name', '$alias', 'user_id', 'link' || n + 1, 'previous_id', 'link' || n)))) ->> 'accepted' FROM generate_series(1, 300) n;
SELECT alias_of, count(*) FROM leadanalytics.persons WHERE workspace = :w AND user_id LIKE 'link%' GROUP BY 1 ORDER BY 2;

-- an alias of the browser's own id: its new session is not forgotten
SELECT leadanalytics.track(:w, '{"events": [{"event_name": "page_view", "visitor_id": "self"}, {"event_name": "$alias", "visitor_id": "self", "user_id": "u5", "previousId": "self"}]}', now => '2026-05-06 13:00:00Z') ->> 'accepted',
       leadanalytics.track(:w, '{"events": [{"event_name": "page_view", "visitor_id": "self"}, {"event_name": "$alias", "visitor_id": "self", "user_id": "u6", "previousId": "self"}]}', now => '2026-05-06 14:00:00Z') ->> 'accepted';
SELECT v.sessions, s.returns, s.number = v.last_session AS last, p.user_id FROM leadanalytics.visitor v JOIN leadanalytics.session s ON (s.workspace, s.visitor) = (v.workspace, v.number)
LEFT JOIN leadanalytics.person p ON (p.workspace, p.number) = (v.workspace, v.person) WHERE v.workspace = :w AND v.visitor_id = 'self' ORDER BY s.number;

-- Robots (D-76): stored, with their visitor, without a session
SELECT leadanalytics.track(:w, '{"event_name": "page_view", "visitor_id": "robot", "session_id": "robot"}', user_agent => 'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)', now => '2026-05-07 10:00:00Z') ->> 'accepted';
SELECT is_bot, visitor_id, session_id, browser, device_type FROM leadanalytics.events WHERE workspace = :w AND visitor_id = 'robot';
SELECT sessions, (SELECT count(*) FROM leadanalytics.sessions WHERE workspace = :w AND session_id = 'robot') AS stored FROM leadanalytics.visitor WHERE workspace = :w AND visitor_id = 'robot';
-- whom a post with a key was sent for; without a key the connection tells
SELECT leadanalytics.track(:w, '{"event": "relayed", "userId": "u1", "context": {"userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"}}', user_agent => 'curl/8.0', now => '2026-05-07 10:00:00Z') ->> 'accepted',
       leadanalytics.track(NULL, '{"workspace_id": "tracker", "event_name": "own", "context": {"userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"}}', user_agent => 'curl/8.0', now => '2026-05-07 10:00:00Z') ->> 'accepted';
SELECT event_name, browser, source FROM leadanalytics.events WHERE workspace = :w AND event_name IN ('relayed', 'own') ORDER BY 1;

-- A full dictionary keeps the event whole
SELECT leadanalytics.create_workspace('full', 'Full') AS f \gset
SET leadanalytics.track_dictionary = 6;
SELECT leadanalytics.track(:f, json_build_object('events', (SELECT json_agg(json_build_object('event_name', 'view', 'event_data', json_build_object('url', 'https://f.example/' || n, 'title', CASE n WHEN 9 THEN 'T' END, 'k', n))) FROM generate_series(1, 9) n)),
                           now => '2026-05-08 10:00:00Z') ->> 'accepted';
SELECT count(*) AS entries, count(*) FILTER (WHERE parts @> ARRAY['(other)']) AS others FROM leadanalytics.dictionary WHERE workspace = :f;
SELECT count(*) FILTER (WHERE page_path = '(other)') > 3 AS others, count(*) FILTER (WHERE page_path = '(other)' AND event_data #>> '{$other,page,0}' IS NULL) AS lost,
       count(DISTINCT coalesce(page_url, event_data #>> '{$other,page,0}')) AS pages, count(DISTINCT event_data -> 'k') AS data FROM leadanalytics.events WHERE workspace = :f;
SELECT leadanalytics.track(:f, '{"event_name": "new name", "event_data": {"url": "https://f.example/1"}}', now => '2026-05-08 10:00:00Z') ->> 'accepted';
SELECT event_name, event_data #>> '{$other,event_name,0}' AS said FROM leadanalytics.events WHERE workspace = :f AND event_name <> 'view';
RESET leadanalytics.track_dictionary;
SELECT leadanalytics.track(:f, '{"event_name": "new name"}', now => '2026-05-08 10:00:00Z') ->> 'accepted';
SELECT count(*) FROM leadanalytics.events WHERE workspace = :f AND event_name = 'new name';

DROP VIEW visit, who;
DROP FUNCTION attempt;
