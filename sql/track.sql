-- Ingestion of web events: S5 "Ingestion", D-04, D-56, D-63, D-69, D-70, D-71.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('shop', 'Shop', domain => 'shop.example', is_default => true) AS shop \gset
SELECT leadanalytics.create_workspace('blog', 'Blog') AS blog \gset
SELECT leadanalytics.create_site(:blog, 'blog-site', ARRAY['blog.example']);

-- What a statement answers: its value, or its SQLSTATE and text.
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
-- Numbers differ with what ran before in this database: not shown.
CREATE VIEW public.seen AS
SELECT workspace, event_name, kind, visitor_id, CASE WHEN session_id ~ '^[0-9]+$' THEN '(server)' ELSE session_id END AS session_id, at, coalesce(page_url, page_path) AS page_url, page_title, referrer, utm_source, source, event_data
FROM leadanalytics.events;
CREATE VIEW public.visits AS
SELECT s.workspace, v.visitor_id, s.session_id, s.started_at::time AS started, s.last_seen::time AS seen, s.ended_at::time AS ended,
       (SELECT coalesce(t.parts[1], t.parts[2]) FROM leadanalytics.term t WHERE t.workspace = s.workspace AND t.id = s.entry_page) AS entry,
       (SELECT coalesce(t.parts[1], t.parts[2]) FROM leadanalytics.term t WHERE t.workspace = s.workspace AND t.id = s.last_page) AS last,
       s.events, s.pageviews, s.clicks, s.scroll_percent AS scroll, s.returns
FROM leadanalytics.session s
LEFT JOIN leadanalytics.visitor v ON v.workspace = s.workspace AND v.number = s.visitor;

-- S5 shape (a): the web SDK's batch
SELECT leadanalytics.track(:shop, '{"batchId": "b1", "timestamp": "2026-05-01T10:00:40Z", "events": [
    {"workspace_id": "shop", "distinct_id": "d1", "anonymous_id": "n1", "visitor_id": "anna", "session_id": "s1", "event_id": "00000000-0000-4000-8000-000000000001",
     "event_name": "page_view", "utm_source": "google", "timestamp": "2026-05-01T10:00:00.250Z", "source": "web", "sdk_version": "1.0",
     "event_data": {"url": "https://shop.example/a?x=1", "path": "/a", "title": "A", "referrer": "https://google.com/", "screen_width": 1920}},
    {"visitor_id": "anna", "session_id": "s1", "event_id": "two", "event_name": "scroll", "timestamp": 1777629610, "event_data": {"scroll_percent": 62.5}},
    {"visitor_id": "anna", "session_id": "s1", "event_id": "three", "event_name": "click", "timestamp": 1777629620123, "event_data": {}},
    {"visitor_id": "anna", "session_id": "s1", "event_name": "page_view", "timestamp": "2026-05-01T12:00:30+02:00", "event_data": {"path": "/b"}},
    {"visitor_id": "anna", "session_id": "s1", "event_name": "purchase", "timestamp": "2026-05-01T10:00:35", "event_data": {"value": 12.5, "utm_source": "x"}}
]}', now => '2026-05-01 10:00:40Z');
SELECT event_name, kind, visitor_id, session_id, at, page_url, page_title, referrer, utm_source, source, event_data FROM seen WHERE workspace = :shop ORDER BY at;
SELECT visitor_id, session_id, started, seen, ended, entry, last, events, pageviews, clicks, scroll, returns FROM visits WHERE workspace = :shop;
-- S5 shape (b): the server SDK
SELECT leadanalytics.track(:shop, '{"event": "$pageview", "userId": "u7", "anonymousId": "bert", "eventId": "srv-1", "timestamp": "2026-05-01T10:01:00Z",
    "properties": {"plan": "pro"}, "context": {"page": {"url": "https://shop.example/c"}}}', now => '2026-05-01 10:01:01Z');
-- S5 shape (c): one event of shape (a)
SELECT leadanalytics.track(:shop, '{"event_name": "signup", "distinct_id": "carl", "event_id": "single"}', now => '2026-05-01 10:02:00Z');
SELECT event_name, kind, visitor_id, session_id, at, page_url, page_title, referrer, utm_source, source, event_data FROM seen WHERE workspace = :shop AND visitor_id <> 'anna' ORDER BY at;

-- Bad events lose nobody else, and say why; index is their place in the batch
SELECT r ->> 'index' AS index, r ->> 'error' AS error
FROM json_array_elements(leadanalytics.track(:shop, '{"events": [
    {"event_name": "ok", "visitor_id": "dora"},
    5, null, "x", [],
    {}, {"event_name": ""}, {"event_name": null}, {"event_name": 7},
    {"event_name": "n", "visitor_id": 7}, {"event_name": "n", "session_id": {}},
    {"event_name": "n", "timestamp": "yesterday"}, {"event_name": "n", "timestamp": "2026-02-30T00:00:00Z"}, {"event_name": "n", "timestamp": 1e308},
    {"event_name": "n", "timestamp": true}, {"event_name": "n", "timestamp": "2026-05-01T25:00:00Z"},
    {"event_name": "n", "event_data": 5}, {"event_name": "n", "event_data": {"deep": [1, {"n": 1e999999}]}},
    {"event_name": "n", "event_data": {"url": 5}}, {"event_name": "n", "event_data": {"scroll_percent": 101}}, {"event_name": "n", "event_id": 12},
    {"event_name": "n", "context": []}
]}', now => '2026-05-01 10:03:00Z') -> 'rejected') r;
SELECT event ->> 'name' AS what, leadanalytics.track(:shop, event -> 'body', now => '2026-05-01 10:03:00Z') AS answer
FROM (VALUES
    (json_build_object('name', 'name of 200', 'body', json_build_object('event_name', repeat('n', 200)))),
    (json_build_object('name', 'name of 201', 'body', json_build_object('event_name', repeat('n', 201)))),
    (json_build_object('name', 'name of 200 wide', 'body', json_build_object('event_name', repeat('€', 200)))),
    (json_build_object('name', 'visitor of 129', 'body', json_build_object('event_name', 'n', 'visitor_id', repeat('v', 129)))),
    (json_build_object('name', 'session of 129', 'body', json_build_object('event_name', 'n', 'session_id', repeat('v', 129)))),
    (json_build_object('name', 'url of 2048', 'body', json_build_object('event_name', 'n', 'event_data', json_build_object('url', repeat('€', 2048))))),
    (json_build_object('name', 'url of 2049', 'body', json_build_object('event_name', 'n', 'event_data', json_build_object('url', repeat('u', 2049))))),
    (json_build_object('name', 'data of 60 k', 'body', json_build_object('event_name', 'n', 'event_data', json_build_object('d', repeat('d', 60000))))),
    (json_build_object('name', 'data of 70 k', 'body', json_build_object('event_name', 'n', 'event_data', json_build_object('d', repeat('d', 70000)))))
) v (event);
SELECT leadanalytics.track(:shop, '{"event_name": "nul \u0000 and \ud800", "visitor_id": "dora"}', now => '2026-05-01 10:03:01Z');
-- so is one that nests deeper than anything is kept
SELECT leadanalytics.track(:blog, ('{"events": [{"event_name": "shallow"}, {"event_name": "deep", "event_data": {"a":' || repeat('[', n) || repeat(']', n) || '}}, {"event_name": "flat"}]}')::json,
    now => '2026-05-01 10:03:00Z') FROM unnest(ARRAY[63, 64, 900]) n;
-- the 1 001st is rejected alone
SELECT a ->> 'accepted' AS accepted, a -> 'rejected' AS rejected
FROM (SELECT leadanalytics.track(:blog, json_build_object('events', json_agg(json_build_object('event_name', 'many'))),
                                 now => '2026-05-01 10:03:00Z') FROM generate_series(1, 1002)) t (a);
SELECT leadanalytics.track(:shop, '{"events": []}'), leadanalytics.track(:shop, '{"events": 5}');
-- so many that the answer would be a burden
SELECT attempt(format('SELECT leadanalytics.track(%s, (''{"events":['' || repeat(''0,'', 10000) || ''0]}'')::json)', :shop));
SELECT n, attempt(format('SELECT leadanalytics.track(%s, ''{"event_name": "n"}'', now => %L)', :shop, n)) FROM unnest('{infinity,-infinity,0044-01-01 BC,0044-01-01,12026-01-01}'::text[]) n;
-- 400 only when the body is no object
SELECT body, attempt(format('SELECT leadanalytics.track(%s, %L)', :shop, body)) FROM unnest(ARRAY['[]', '5', 'null', '"x"', NULL]) body;
SELECT attempt('SELECT leadanalytics.track(4711, ''{"event_name": "n"}'')');

-- D-69 the workspace of a public post
SELECT body, origin, attempt(format('SELECT leadanalytics.track(NULL, %L, origin => %L, now => ''2026-05-01 10:04:00Z'')', body, origin))
FROM (VALUES
    ('{"workspace_id": "blog", "event_name": "public1"}', NULL),
    ('{"events": [{"workspace_id": "blog", "event_name": "public2"}, {"workspace_id": "shop", "event_name": "public3"}, {"event_name": "public4"}]}', NULL),
    ('{"siteKey": "blog-site", "events": [{"event_name": "public5"}, {"workspace_id": "shop", "event_name": "public6"}]}', 'https://blog.example'),
    ('{"event_name": "public7"}', 'https://blog.example'),
    ('{"siteKey": "blog-site", "event_name": "public8"}', 'https://evil.example'),
    ('{"event_name": "public9"}', NULL),
    ('{"workspace_id": "nobody", "event_name": "public10"}', NULL)
) v (body, origin);
SELECT workspace = :blog AS blog, event_name FROM seen WHERE event_name LIKE 'public%' ORDER BY length(event_name), event_name;
-- a database role writes where it may, whatever it names
CREATE ROLE track_writer IN ROLE leadanalytics_write;
GRANT EXECUTE ON FUNCTION public.attempt TO track_writer;
SELECT leadanalytics.grant_workspace(:shop, 'track_writer');
SET ROLE track_writer;
SELECT attempt('SELECT leadanalytics.track(NULL, ''{"workspace_id": "blog", "event_name": "foreign"}'', now => ''2026-05-01 10:04:00Z'')');
SELECT attempt('SELECT leadanalytics.track(NULL, ''{"siteKey": "blog-site", "event_name": "foreign"}'', now => ''2026-05-01 10:04:00Z'')');
SELECT attempt('SELECT leadanalytics.track(NULL, ''{"workspace_id": "shop", "event_name": "granted"}'', now => ''2026-05-01 10:04:00Z'')');
RESET ROLE;
SELECT workspace = :shop AS shop, event_name FROM seen WHERE event_name IN ('foreign', 'granted');
SELECT leadanalytics.revoke_workspace(:shop, 'track_writer');
REVOKE EXECUTE ON FUNCTION public.attempt FROM track_writer;
DROP ROLE track_writer;
-- a key decides, whatever the event says
SELECT leadanalytics.track(:shop, '{"workspace_id": "blog", "event_name": "keyed"}', now => '2026-05-01 10:04:00Z');
SELECT workspace = :shop AS shop FROM seen WHERE event_name = 'keyed';

-- D-70 one time: the client's from 7 days before to 5 minutes after the receipt, else the receipt's
SELECT attempt(format('SELECT leadanalytics.track(%s, %L, now => ''2026-05-09 12:00:00Z'')', :shop,
    json_build_object('event_name', 'time' || n, 'event_id', 'time' || n, 'timestamp', t)))
FROM unnest(ARRAY['2026-05-02T12:00:00Z', '2026-05-02T11:59:59.999Z', '2026-05-09T12:05:00Z', '2026-05-09T12:05:00.001Z',
                  '2026-05-09T11:00:00+05:45', '2026-05-09', '1778328000', '1778328000123', '']) WITH ORDINALITY u (t, n);
SELECT event_name, at FROM seen WHERE event_name LIKE 'time%' ORDER BY 1;

-- (an admin's key may bring what is old)
SELECT leadanalytics.track(:shop, json_build_object('event_name', 'old', 'timestamp', t), as_role => 'admin', now => '2026-05-09 12:00:00Z') ->> 'accepted'
FROM unnest(ARRAY['2019-02-03T04:05:06Z', '1994-01-01T00:00:00Z', '2026-05-10T12:00:00Z']) t;
SELECT at, received_at FROM leadanalytics.events WHERE workspace = :shop AND event_name = 'old' ORDER BY at;

-- Dedupe by event_id: in a batch, and later; per workspace; across the edge of a month
SELECT leadanalytics.track(:shop, '{"events": [{"event_name": "once", "event_id": "e1", "visitor_id": "emil"}, {"event_name": "again", "event_id": "e1", "visitor_id": "emil"},
    {"event_name": "other", "visitor_id": "emil"}, {"event_name": "other", "visitor_id": "emil"}]}', now => '2026-05-10 10:00:00Z');
SELECT leadanalytics.track(:shop, '{"events": [{"event_name": "again", "event_id": "e1", "visitor_id": "emil"}, {"event_name": "new", "event_id": "e2", "visitor_id": "emil"}]}', now => '2026-05-10 10:00:00Z');
SELECT leadanalytics.track(:blog, '{"event_name": "once", "event_id": "e1", "visitor_id": "emil"}', now => '2026-05-10 10:00:00Z');
SELECT events, (SELECT count(*) FROM seen e WHERE e.workspace = v.workspace AND e.visitor_id = v.visitor_id) AS stored
FROM visits v WHERE visitor_id = 'emil' ORDER BY workspace;
SELECT leadanalytics.track(:shop, '{"event_name": "edge", "event_id": "e3"}', now => '2026-05-31 23:59:59Z'),
       leadanalytics.track(:shop, '{"event_name": "edge", "event_id": "e3"}', now => '2026-06-01 05:59:00Z');
SELECT leadanalytics.track(:shop, '{"event_name": "edge", "event_id": "e4", "timestamp": "2026-06-01T00:10:00Z"}', now => '2026-05-31 23:58:00Z'),
       leadanalytics.track(:shop, '{"event_name": "edge", "event_id": "e4", "timestamp": "2026-06-01T00:10:00Z"}', now => '2026-06-01 00:06:00Z');
SELECT leadanalytics.track(:shop, '{"event_name": "edge", "event_id": "e5", "timestamp": "2026-05-28T00:00:00Z"}', now => '2026-06-03 23:00:00Z'),
       leadanalytics.track(:shop, '{"event_name": "edge", "event_id": "e5", "timestamp": "2026-05-28T00:00:00Z"}', now => '2026-06-04 01:00:00Z');

-- a clock that is ahead: too far to be believed at first, believed when it comes again before the month's end
SELECT leadanalytics.track(:shop, '{"event_name": "edge", "event_id": "e6", "timestamp": "2026-07-01T00:00:30Z"}', now => '2026-06-30 23:52:00Z'),
       leadanalytics.track(:shop, '{"event_name": "edge", "event_id": "e6", "timestamp": "2026-07-01T00:00:30Z"}', now => '2026-06-30 23:58:00Z');

-- D-63 kinds
SELECT leadanalytics.track(:blog, json_build_object('events', json_agg(json_build_object('event_name', n, 'visitor_id', 'kind'))), now => '2026-05-11 10:00:00Z') ->> 'accepted'
FROM unnest(ARRAY['page_view', 'pageview', '$pageview', 'page_visit', 'scroll', 'click', 'mousemove', 'navigation', 'visibility_change', '$identify', '$x', 'purchase', 'Pageview']) n;
SELECT kind, string_agg(event_name, ' ' ORDER BY event_name COLLATE "C") FROM seen WHERE visitor_id = 'kind' GROUP BY kind ORDER BY kind;

-- D-56 without session_id: 30 minutes idle
CREATE FUNCTION public.hit(workspace int, visitor text, session text, clock text, receipt text DEFAULT NULL, name text DEFAULT 'page_view') RETURNS text LANGUAGE sql AS $$
    SELECT leadanalytics.track(workspace, json_build_object('event_name', name, 'visitor_id', visitor, 'session_id', session,
        'timestamp', '2026-05-12T' || clock || 'Z', 'event_data', json_build_object('path', '/' || clock)),
        now => ('2026-05-12 ' || coalesce(receipt, clock) || 'Z')::timestamptz) ->> 'accepted'
$$;
SELECT hit(:shop, 'frida', NULL, c) FROM unnest(ARRAY['08:00:00', '08:30:00', '09:00:00', '09:30:01', '09:20:00', '09:00:00.5']) c;
SELECT visitor_id, session_id, started, seen, ended, entry, last, events, pageviews, clicks, scroll, returns FROM visits WHERE visitor_id = 'frida' ORDER BY started;
-- a late one of this morning belongs to no open session: it opens one of its own, and the present one goes on
SELECT hit(:shop, 'frida', NULL, '03:00:00', '09:50:00'), hit(:shop, 'frida', NULL, '09:51:00');
SELECT started, seen, events, returns FROM visits WHERE visitor_id = 'frida' ORDER BY started;
-- a batch that comes late as a whole is judged by its own times
SELECT leadanalytics.track(:shop, '{"events": [
    {"event_name": "page_view", "visitor_id": "gerd", "timestamp": "2026-05-12T06:00:00Z"}, {"event_name": "page_view", "visitor_id": "gerd", "timestamp": "2026-05-12T06:40:00Z"},
    {"event_name": "page_view", "visitor_id": "gerd", "timestamp": "2026-05-12T06:20:00Z"}, {"event_name": "page_view", "visitor_id": "gerd", "timestamp": "2026-05-12T07:40:00Z"}]}',
    now => '2026-05-12 10:00:00Z') ->> 'accepted';
SELECT started, seen, events, returns FROM visits WHERE visitor_id = 'gerd' ORDER BY started;
-- D-56, D-04 with session_id: the client's is trusted, 60 minutes idle, closed is final
SELECT hit(:shop, 'hans', 'h1', '08:00:00'), hit(:shop, 'hans', 'h1', '09:00:00'), hit(:shop, 'hans', 'h1', '10:00:01');
SELECT session_id, started, seen, events FROM visits WHERE visitor_id = 'hans';
SELECT at::time, session_id FROM seen WHERE visitor_id = 'hans' ORDER BY at;
-- received when the session is idle: too late, whatever its own time says
SELECT hit(:shop, 'hans', 'h1', '09:30:00', '10:00:02');
SELECT seen, events FROM visits WHERE visitor_id = 'hans';
-- received in time but of an earlier moment: last_seen and last page stay, it counts
SELECT hit(:shop, 'ida', 'i1', '08:00:00'), hit(:shop, 'ida', 'i1', '08:05:00'), hit(:shop, 'ida', 'i1', '07:59:00', '08:06:00');
SELECT started, seen, entry, last, events FROM visits WHERE visitor_id = 'ida';
-- D-71 events without any id are events only; a session without visitor is one
SELECT hit(:blog, NULL, NULL, '08:00:00'), hit(:blog, NULL, 'nobody', '08:00:00'), hit(:blog, 'late', 'nobody', '08:01:00');
SELECT visitor_id, session_id, events FROM visits WHERE session_id = 'nobody';
SELECT count(*) FROM seen WHERE workspace = :blog AND visitor_id IS NULL AND session_id IS NULL AND at::date = '2026-05-12';
-- returns are the sessions before
SELECT hit(:shop, 'jo', 'j' || n, (7 + n) || ':00:00') FROM generate_series(3, 6) n;
SELECT session_id, returns FROM visits WHERE visitor_id = 'jo' ORDER BY started;
-- a session's fingerprint is that of its first event, an event's its own
SELECT leadanalytics.track(:blog, json_build_object('event_name', 'x', 'visitor_id', 'fp', 'fingerprint_id', f), now => '2026-05-12 08:00:00Z') ->> 'accepted' FROM unnest(ARRAY[NULL, 'f1', 'f2']) f;
SELECT fingerprint_id, length(device_id) AS device FROM leadanalytics.events WHERE visitor_id = 'fp' ORDER BY id;
SELECT fingerprint_id, device_id FROM leadanalytics.sessions WHERE visitor_id = 'fp';

-- D-04 one closing rule
SELECT named, leadanalytics.session_end(named, '2026-05-12 10:00Z', ended::timestamptz, now::timestamptz)
FROM (VALUES (true, NULL, '2026-05-12 11:00Z'), (true, NULL, '2026-05-12 11:00:01Z'), (false, NULL, '2026-05-12 10:30Z'),
             (false, NULL, '2026-05-12 10:30:01Z'), (true, '2026-05-12 10:01Z', '2026-05-12 10:01Z')) v (named, ended, now);
SELECT leadanalytics.close_idle(:shop, '2026-05-12 10:21:00Z') > 0 AS closed;
SELECT visitor_id, seen, ended FROM visits WHERE visitor_id IN ('frida', 'hans') ORDER BY 1, 2;
SELECT leadanalytics.close_idle(:shop, '2026-05-12 10:21:00Z');
-- T5: the worker's unit does the same for all workspaces; the second time there is nothing to do
SELECT count(*) > 0 AS open FROM leadanalytics.session WHERE workspace = :blog AND last_seen < '2026-05-12 09:21:00Z' AND ended_at IS NULL;
SELECT leadanalytics.sweep_sessions('2026-05-12 10:21:00Z') > 0 AS closed, leadanalytics.sweep_sessions('2026-05-12 10:21:00Z') AS again;
SELECT count(*) AS idle FROM leadanalytics.session WHERE ended_at IS NULL AND leadanalytics.session_end(session_id IS NOT NULL, last_seen, ended_at, '2026-05-12 10:21:00Z') IS NOT NULL;
-- a closed one stays closed
SELECT hit(:shop, 'hans', 'h1', '09:00:30', '09:00:31');
SELECT session_id FROM seen WHERE visitor_id = 'hans' AND at::time = '09:00:30';

-- L5 golden cases
SELECT d, s, c, r, leadanalytics.engagement_score(d, s, c, r) AS score, leadanalytics.engagement_label(leadanalytics.engagement_score(d, s, c, r)) AS label
FROM (VALUES (60, 50, 3, 0), (180, 80, 10, 0), (300, 100, 15, 2), (5, 0, 0, 0), (9.999, 3.33, 0, 0), (10, 3.34, 0, 0),
             (350, 100, 20, 3), (99999, 100, 999, 999999999), (0, 0, 0, 0)) v (d, s, c, r);
SELECT string_agg(score || ' ' || leadanalytics.engagement_label(score), ', ' ORDER BY score) FROM unnest(ARRAY[0, 20, 21, 45, 46, 70, 71, 74, 100]) score;

-- The ledger names every event once, ours and those inserted past our functions
CREATE VIEW public.ledger_faults AS
SELECT 'row' AS what, l.id_from FROM leadanalytics.ledger l
CROSS JOIN LATERAL (SELECT count(*) AS n, count(*) FILTER (WHERE e.workspace = l.workspace) AS own, min(e.at) AS at_min, max(e.at) AS at_max
                    FROM leadanalytics.event e WHERE e.id BETWEEN l.id_from AND l.id_to AND e.at >= l.leaf AND e.at < l.leaf + interval '1 month') e
WHERE (l.n, l.n, l.at_min, l.at_max) IS DISTINCT FROM (e.n, e.own, e.at_min, e.at_max)
UNION ALL
SELECT 'event', e.id FROM leadanalytics.event e
LEFT JOIN leadanalytics.ledger l ON l.id_from >> 10 = e.id >> 10 AND l.workspace = e.workspace AND e.id BETWEEN l.id_from AND l.id_to AND e.at BETWEEN l.at_min AND l.at_max
GROUP BY e.id HAVING count(l.id_from) <> 1;
SELECT count(*) > 20 AS rows, sum(n) = (SELECT count(*) FROM leadanalytics.event) AS all_events FROM leadanalytics.ledger;
INSERT INTO leadanalytics.event (at, received_at, workspace, name, kind)
SELECT t, t, :blog, 1, 'c' FROM unnest(ARRAY['2026-05-01', '2026-05-31 23:59Z', '2026-06-01 00:00Z']::timestamptz[]) t;
SELECT * FROM ledger_faults;
SELECT sum(n) = (SELECT count(*) FROM leadanalytics.event) AS all_events FROM leadanalytics.ledger;
-- ids that others cover are refused
SELECT attempt(format('INSERT INTO leadanalytics.event (id, at, received_at, workspace, name, kind) SELECT %s, at, at, workspace, 1, ''c'' FROM leadanalytics.event WHERE id = %s', d, id_from))
    ~ '^23505 events from id [0-9]+ on share' AS refused
FROM (SELECT id_from, unnest(ARRAY[id_from, id_from]) AS d FROM leadanalytics.ledger WHERE n = 1 AND workspace = :shop ORDER BY id_from LIMIT 1) l LIMIT 1;
SELECT attempt(format('INSERT INTO leadanalytics.event (id, at, received_at, workspace, name, kind) SELECT i, at, at, workspace, 1, ''c'' FROM leadanalytics.event, unnest(ARRAY[%s, %s]) i WHERE id = %s',
                      id_from - 1, id_from + 1, id_from)) ~ '^23505' AS refused
FROM (SELECT id_from + 1 AS id_from FROM leadanalytics.ledger WHERE n > 2 AND workspace = :shop ORDER BY id_from LIMIT 1) l;
-- (the check can fail)
BEGIN;
DELETE FROM leadanalytics.ledger WHERE ctid = (SELECT min(ctid) FROM leadanalytics.ledger);
SELECT count(*) > 0 AS found FROM ledger_faults;
ROLLBACK;

-- The dictionary forgets what was rolled back, to a savepoint too
BEGIN;
SAVEPOINT a;
SELECT leadanalytics.track(:blog, '{"event_name": "rolled back", "visitor_id": "k"}', now => '2026-05-13 10:00:00Z') ->> 'accepted';
ROLLBACK TO a;
SELECT leadanalytics.track(:blog, '{"event_name": "rolled back", "visitor_id": "k"}', now => '2026-05-13 10:00:00Z') ->> 'accepted';
COMMIT;
SELECT event_name FROM seen WHERE visitor_id = 'k';

-- D-01 answers are the same in every time zone
SET timezone = 'Asia/Kolkata';
SELECT hit(:blog, 'zone', NULL, '20:00:00');
SET timezone = 'America/New_York';
SELECT hit(:blog, 'zone', NULL, '20:10:00');
SELECT leadanalytics.track(:blog, '{"event_name": "zone", "timestamp": "2026-07-31T23:59:00"}', now => '2026-08-01 00:00:00Z') ->> 'accepted';
SET timezone = 'UTC';
SELECT started, seen, events FROM visits WHERE visitor_id = 'zone';
SELECT tableoid::regclass, at FROM leadanalytics.event e WHERE at > '2026-07-01';
SELECT leaf, n FROM leadanalytics.ledger WHERE at_min > '2026-07-01';

-- Random batches, late, repeated and mixed, with sweeps between: what sessions, visitors and ledger say is what the events say
SELECT leadanalytics.create_workspace('chance', 'Chance') AS chance \gset
SELECT setseed(0.3) IS NOT NULL AS seeded, set_config('chance.workspace', :'chance', false) IS NOT NULL AS told;
CREATE TABLE public.sent (event json);
DO $$
DECLARE
    chance int := current_setting('chance.workspace');
    batch json;
    clock timestamptz := '2026-05-31 20:00:00Z';
BEGIN
    FOR i IN 1 .. 300 LOOP
        clock := clock + random() * interval '6 min';
        SELECT json_build_object('events', json_agg(CASE WHEN random() < 0.2 AND i > 20 THEN (SELECT s.event FROM sent s OFFSET floor(random() * (SELECT count(*) FROM sent)) LIMIT 1)
            ELSE json_build_object('event_name', (ARRAY['page_view', 'click', 'scroll', 'buy'])[1 + floor(random() * 4)::int],
                'visitor_id', CASE WHEN random() < 0.9 THEN 'v' || floor(random() * 8) END,
                'session_id', CASE WHEN random() < 0.5 THEN 's' || i / 40 || '-' || floor(random() * 6) END,
                'event_id', CASE WHEN random() < 0.9 THEN 'e' || i || '-' || g END,
                'timestamp', CASE WHEN random() < 0.8 THEN clock - power(random(), 4) * interval '3 hours' END,
                'event_data', json_build_object('path', '/' || floor(random() * 20), 'scroll_percent', floor(random() * 100))) END)) INTO batch
        FROM generate_series(1, 1 + floor(random() * CASE WHEN i % 10 = 0 THEN 60 ELSE 6 END)::int) g;
        INSERT INTO sent SELECT e FROM json_array_elements(batch -> 'events') e WHERE random() < 0.3;
        PERFORM leadanalytics.track(chance, batch, now => clock);
        IF i % 50 = 0 THEN PERFORM leadanalytics.close_idle(chance, clock); END IF;
    END LOOP;
END
$$;
SELECT count(*) > 1000 AS many, count(DISTINCT event_id) = count(event_id) AS once FROM leadanalytics.event WHERE workspace = :chance;
WITH told AS (
    SELECT e.session, count(*) AS events, count(*) FILTER (WHERE e.kind = 'p') AS pageviews, count(*) FILTER (WHERE t.parts[1] = 'click') AS clicks,
           max((e.data ->> 'scroll_percent')::real) AS scroll_percent, max(e.at) AS last_seen, min(e.at) AS started_at,
           (array_agg(e.page ORDER BY e.at DESC, e.id DESC))[1] AS last_page
    FROM leadanalytics.event e JOIN leadanalytics.term t ON t.workspace = e.workspace AND t.id = e.name
    WHERE e.workspace = :chance AND e.session IS NOT NULL GROUP BY 1
)
SELECT count(*) > 100 AS many, count(*) FILTER (WHERE s.ended_at IS NOT NULL) > 50 AS closed,
       count(*) FILTER (WHERE (t.events, t.pageviews, t.clicks, t.scroll_percent, t.last_seen, t.last_page)
                        IS DISTINCT FROM (s.events, s.pageviews, s.clicks, s.scroll_percent, s.last_seen, s.last_page)) AS faults,
       count(*) FILTER (WHERE s.ended_at <> s.last_seen OR t.started_at > s.started_at) AS wrong_times
FROM leadanalytics.session s FULL JOIN told t ON t.session = s.number WHERE s.workspace = :chance OR s.number IS NULL;
SELECT count(*) AS gaps
FROM (SELECT s.session_id, e.at - lag(e.at) OVER (PARTITION BY s.number ORDER BY e.at) AS gap
      FROM leadanalytics.event e JOIN leadanalytics.session s ON s.workspace = e.workspace AND s.number = e.session WHERE e.workspace = :chance AND e.at >= s.started_at) g
WHERE gap > CASE WHEN session_id IS NULL THEN interval '30 min' ELSE interval '60 min' END;
SELECT count(*) AS faults FROM leadanalytics.visitor v
WHERE workspace = :chance AND sessions <> (SELECT count(*) FROM leadanalytics.session s WHERE s.workspace = v.workspace AND s.visitor = v.number);
SELECT count(*) AS faults FROM (SELECT returns, row_number() OVER (PARTITION BY visitor ORDER BY number) - 1 AS before
                                FROM leadanalytics.session WHERE workspace = :chance AND visitor IS NOT NULL) s WHERE returns <> before;
DROP TABLE sent;

-- The parent's statistics follow its leaves, when they grew
SELECT pg_stat_force_next_flush();
SELECT leadanalytics.analyze_parents(now()) AS analyzed, leadanalytics.analyze_parents(now()) AS again;
SELECT reltuples = (SELECT count(*) FROM leadanalytics.event) AS known FROM pg_class WHERE oid = 'leadanalytics.event'::regclass;

-- Who may do what
CREATE ROLE test_track_stranger;
CREATE ROLE test_track_reader;
GRANT leadanalytics_read TO test_track_reader;
SELECT leadanalytics.grant_workspace(:blog, 'test_track_reader');
SELECT has_function_privilege('test_track_stranger', 'leadanalytics.track(int, json, text, text, inet, text, timestamptz, text)', 'EXECUTE') AS stranger,
       has_function_privilege('test_track_reader', 'leadanalytics.track(int, json, text, text, inet, text, timestamptz, text)', 'EXECUTE') AS reader,
       has_table_privilege('test_track_reader', 'leadanalytics.event', 'SELECT') AS raw;
SET SESSION AUTHORIZATION test_track_reader;
SELECT count(DISTINCT workspace) AS workspaces, count(*) > 1000 AS events FROM leadanalytics.events;
RESET SESSION AUTHORIZATION;

SELECT * FROM ledger_faults;
DROP VIEW ledger_faults, visits, seen;
DROP FUNCTION attempt, hit;
DELETE FROM leadanalytics.workspace_role;
DROP ROLE test_track_stranger, test_track_reader;
