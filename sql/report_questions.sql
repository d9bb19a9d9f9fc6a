-- S1-02 … S1-08, exact from rows: whole bodies, the same in every time zone (D-01).
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT leadanalytics.create_workspace('questions', 'Questions', domain => 'www.shop.example') AS w \gset
SELECT leadanalytics.create_site(:w, 'blog', '{journal.example,www.press.example}');
SELECT leadanalytics.create_workspace('questions-empty', 'Empty') AS empty \gset

-- Every question about a workspace as seen at a time, in three zones: shown once, and complained of where they differ.
CREATE FUNCTION public.asked(w int, at timestamptz) RETURNS TABLE (question text, answer text) LANGUAGE plpgsql AS $$
DECLARE
    zone text;
    this text;
BEGIN
    FOREACH question IN ARRAY ARRAY[
        'overview($1, $2)', 'overview($1, $2, include_bots => true)',
        'daily_sessions($1, now => $2)', 'daily_sessions($1, 2, $2)', 'daily_sessions($1, 2, $2, true)',
        'top_pages($1)', 'top_pages($1, 2)', 'top_pages($1, 2, true)', 'geo_distribution($1)', 'engagement_distribution($1, $2)',
        'traffic_sources($1)', 'traffic_sources($1, 2)', 'realtime($1, $2)', 'realtime($1, $2, true)', 'storage($1)', 'anomalies($1, now => $2)'] LOOP
        answer := NULL;
        FOREACH zone IN ARRAY '{UTC,Asia/Kolkata,America/New_York}'::text[] LOOP
            PERFORM set_config('timezone', zone, true);
            EXECUTE format('SELECT leadanalytics.%s', question) INTO this USING w, at;
            this := regexp_replace(this, '(?<=[],[{}"]) +(?=[:{])|(?<=,) ?\n ?', '', 'g');
            IF answer <> this THEN
                RAISE EXCEPTION '% in %: %, not %', question, zone, this, answer;
            END IF;
            answer := this;
        END LOOP;
        RETURN NEXT;
    END LOOP;
END
$$;

-- An empty workspace answers zeros and empty arrays.
SELECT * FROM public.asked(:empty, '2026-05-03 12:00Z');

-- D-01 a day begins at midnight in UTC: 2026-05-01 has a and b, 2026-05-02 c (23:59:59.999 and on over midnight) and a again.
SELECT leadanalytics.track(:w, '{"events": [
    {"event_name": "page_view", "visitor_id": "a", "session_id": "s1", "timestamp": "2026-05-01T00:00:00Z", "event_data": {"url": "https://www.shop.example/", "referrer": "https://www.google.com/search?q=x"}},
    {"event_name": "scroll", "visitor_id": "a", "session_id": "s1", "timestamp": "2026-05-01T00:00:30Z", "event_data": {"url": "https://www.shop.example/", "scroll_percent": 50}},
    {"event_name": "click", "visitor_id": "a", "session_id": "s1", "timestamp": "2026-05-01T00:00:40Z"},
    {"event_name": "page_view", "visitor_id": "a", "session_id": "s1", "timestamp": "2026-05-01T00:01:00.5Z", "event_data": {"url": "https://www.shop.example/a"}},
    {"event_name": "page_view", "visitor_id": "b", "timestamp": "2026-05-01T08:00:00Z", "event_data": {"url": "https://www.shop.example/a", "referrer": "https://google.com/"}},
    {"event_name": "page_view", "visitor_id": "b", "timestamp": "2026-05-01T08:10:00Z", "event_data": {"url": "https://www.shop.example/a"}},
    {"event_name": "page_view", "visitor_id": "a", "session_id": "s2", "timestamp": "2026-05-02T12:00:00Z", "event_data": {"path": "/only-a-path", "referrer": "https://shop.example/a"}},
    {"event_name": "page_view", "visitor_id": "d", "session_id": "s3", "timestamp": "2026-05-02T13:00:00Z", "event_data": {"url": "https://www.shop.example/", "referrer": "https://www.journal.example/"}},
    {"event_name": "page_view", "visitor_id": "d", "session_id": "s4", "timestamp": "2026-05-02T14:00:00Z", "event_data": {"referrer": "https://press.example/"}},
    {"event_name": "page_view", "visitor_id": "d", "session_id": "s5", "timestamp": "2026-05-02T15:00:00Z", "event_data": {"url": "https://www.shop.example/", "referrer": "not an address"}},
    {"event_name": "page_view", "visitor_id": "c", "timestamp": "2026-05-02T23:59:59.999Z", "event_data": {"url": "https://www.shop.example/b", "referrer": "https://t.example/1"}},
    {"event_name": "click", "visitor_id": "c", "timestamp": "2026-05-03T00:00:00Z"},
    {"event_name": "page_view", "timestamp": "2026-05-03T00:00:00Z", "event_data": {"url": "https://www.shop.example/b"}},
    {"event_name": "page_view", "session_id": "s6", "timestamp": "2026-05-03T11:00:00Z", "event_data": {"url": "https://www.shop.example/b", "referrer": "https://T.EXAMPLE:443/2"}},
    {"event_name": "signup", "visitor_id": "e", "session_id": "s7", "timestamp": "2026-05-03T11:45:00Z", "event_data": {"url": "https://www.shop.example/b"}}
]}', now => '2026-05-03 12:00:00Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.track(:w, '{"event_name": "page_view", "visitor_id": "robot", "timestamp": "2026-05-03T11:50:00Z", "event_data": {"url": "https://www.shop.example/b"}}',
    user_agent => 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', now => '2026-05-03 12:00:00Z') ->> 'accepted' AS accepted;
-- D-09 T1 a session without an event, and T4 one that its client ended
SELECT leadanalytics.track_session_start(:w, '{"fingerprint_id": "f1", "page": "https://www.shop.example/", "visitor_id": "f"}', now => '2026-05-03 11:30:00Z') IS NOT NULL AS started;
SELECT leadanalytics.track_event(:w, '{"session_id": "s8", "visitor_id": "g", "event_type": "page_view", "page": "https://www.shop.example/"}', now => '2026-05-03 11:40:00Z') IS NOT NULL AS seen;
SELECT leadanalytics.track_session_end(:w, '{"session_id": "s8", "visitor_id": "g"}', now => '2026-05-03 11:55:00Z') IS NOT NULL AS ended;
-- D-71 the country is the session's
WITH place AS (
    INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts)
    VALUES (:w, nextval('leadanalytics.term_id'), md5('AT Vienna')::uuid, 'place', '{AT,Vienna,Vienna}'),
           (:w, nextval('leadanalytics.term_id'), md5('AT Graz')::uuid, 'place', '{AT,Styria,Graz}'),
           (:w, nextval('leadanalytics.term_id'), md5('IN')::uuid, 'place', '{IN,NULL,NULL}')
    RETURNING id, parts)
UPDATE leadanalytics.session s SET place = p.id
FROM place p, (VALUES ('s1', 'Vienna'), ('s2', 'Graz'), ('s3', NULL)) AS v (session_id, city)
WHERE s.workspace = :w AND s.session_id = v.session_id AND p.parts[3] IS NOT DISTINCT FROM v.city;

SELECT * FROM public.asked(:w, '2026-05-03 12:00Z');
-- D-09 what idleness closed is still active until an hour has gone by; s8 is not
SELECT r.* FROM (VALUES ('2026-05-03 11:54:59Z'), ('2026-05-03 11:55:00Z'), ('2026-05-03 12:00:00.000001Z'), ('2026-05-03 12:45:00Z'), ('2026-05-03 12:45:00.000001Z'),
    ('2026-05-04 00:00:00Z')) AS t (at), leadanalytics.realtime_rows(:w, t.at::timestamptz) r;
-- D-04 the same once the ends are written
CREATE TEMP TABLE before AS SELECT * FROM public.asked(:w, '2026-05-03 12:30Z');
SELECT leadanalytics.close_idle(:w, '2026-05-03 12:30Z') AS closed;
SELECT * FROM public.asked(:w, '2026-05-03 12:30Z') EXCEPT SELECT * FROM before;
-- D-14 out of bounds
SELECT d.days, leadanalytics.daily_sessions(:w, d.days, '2026-05-03 12:00Z')::text = leadanalytics.daily_sessions(:w, d.same, '2026-05-03 12:00Z')::text AS days,
       leadanalytics.anomalies(:w, d.days, '2026-05-03 12:00Z')::text = leadanalytics.anomalies(:w, least(d.same, 30), '2026-05-03 12:00Z')::text AS anomalies,
       leadanalytics.top_pages(:w, d.days)::text = leadanalytics.top_pages(:w, CASE WHEN d.same = 1 THEN 1 END)::text AS pages,
       leadanalytics.traffic_sources(:w, d.days)::text = leadanalytics.traffic_sources(:w, CASE WHEN d.same = 1 THEN 1 END)::text AS sources
FROM (VALUES (0, 1), (-5, 1), (-2147483648, 1), (2147483647, 90)) AS d (days, same);
-- rows are not clamped, and a number of days that no calendar has is none
SELECT count(*) FROM leadanalytics.daily_sessions_rows(:w, 2147483647, '2026-09-03 12:00Z');
SELECT count(*) FROM leadanalytics.anomalies_rows(:w, 2147483647, '2026-05-03 12:00Z');
SELECT count(*) FROM leadanalytics.daily_sessions_rows(:w, 10, '2026-09-03 12:00Z');
-- S1-05 the edges of the buckets: a score needs 10 s, 3.33 %, a click or a return for each point
SELECT leadanalytics.create_workspace('questions-scores', 'Scores') AS scores \gset
INSERT INTO leadanalytics.session (workspace, number, started_at, last_seen, ended_at, scroll_percent, clicks, returns)
SELECT :scores, nextval('leadanalytics.session_number'), '2026-05-01 10:00Z', '2026-05-01 10:00Z'::timestamptz + t.s * interval '1 s', '2026-05-01 10:00Z'::timestamptz + t.s * interval '1 s', t.scroll, t.clicks, t.returns
FROM (VALUES (0, 0, 0, 0), (190, 0, 0, 0), (199.999999, 0, 0, 0), (200, 0, 0, 0), (350, 0, 4, 0), (350, 0, 5, 0), (350, 0, 20, 0), (350, 15, 20, 0), (350, 85, 19, 0), (350, 85, 20, 0), (350, 100, 20, 3)) AS t (s, scroll, clicks, returns);
SELECT * FROM leadanalytics.engagement_distribution_rows(:scores, '2026-05-02Z');
-- D-07 half up: of 0.1 s and 0.2 s 0.15 → 0.2; and a mean just under a half is no half
UPDATE leadanalytics.session SET ended_at = started_at + interval '100 ms' * (1 + number % 2) WHERE workspace = :scores;
DELETE FROM leadanalytics.session s WHERE s.workspace = :scores AND s.number > (SELECT min(number) + 1 FROM leadanalytics.session WHERE workspace = :scores);
SELECT avg_duration FROM leadanalytics.daily_sessions_rows(:scores, 1, '2026-05-01 20:00Z');
INSERT INTO leadanalytics.session (workspace, number, started_at, last_seen, ended_at)
SELECT :scores, nextval('leadanalytics.session_number'), '2026-05-01 10:00Z', '2026-05-01 10:00Z', '2026-05-01 10:00Z'::timestamptz + CASE WHEN i = 1 THEN interval '149 ms 999 us' ELSE '150 ms' END
FROM generate_series(1, 3000) AS i;
DELETE FROM leadanalytics.session s WHERE s.workspace = :scores AND s.number <= (SELECT min(number) + 1 FROM leadanalytics.session WHERE workspace = :scores);
SELECT avg_duration FROM leadanalytics.daily_sessions_rows(:scores, 1, '2026-05-01 20:00Z');

-- S1-08 beyond what is counted, the planner's statistics tell
SELECT * FROM leadanalytics.storage_rows(:w);
SELECT leadanalytics.create_workspace('questions-storage', 'Storage') AS storage \gset
DO $$
BEGIN
    FOR i IN 1 .. 300 LOOP
        PERFORM leadanalytics.track((SELECT id FROM leadanalytics.workspace WHERE slug = 'questions-storage'),
            (SELECT json_build_object('events', json_agg(json_build_object('event_name', 'page_view', 'visitor_id', format('v%s-%s', i, j)))) FROM generate_series(1, 5) AS j),
            now => '2026-05-01Z'::timestamptz + i * interval '1 minute');
    END LOOP;
END
$$;
ANALYZE leadanalytics.session, leadanalytics.event;
SELECT * FROM leadanalytics.storage_rows(:storage);
SELECT s.total_objects BETWEEN 1710 AND 1890 AS objects, s.estimated_sessions BETWEEN 1425 AND 1575 AS sessions FROM leadanalytics.storage_rows(:storage, 100) s;
SELECT leadanalytics.planned_rows('leadanalytics.session', -1) < 1000 AS a_stranger;

-- Another workspace's is not there.
CREATE FUNCTION pg_temp.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'answered';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT pg_temp.attempt(format('SELECT leadanalytics.%s', replace(replace(question, '$1', '-1'), '$2', 'now()'))), count(*)
FROM public.asked(:empty, '2026-05-03 12:00Z') GROUP BY 1;
DROP FUNCTION public.asked;
