-- Erasing what somebody did on the web: what is left is what the others' rows say, in whatever state it was.
\set VERBOSITY terse
SET timezone = 'UTC';
SET client_min_messages = warning;
SET leadanalytics.segment_events = 1;
SELECT leadanalytics.create_workspace('erase-acme', timezone => 'America/New_York') AS acme \gset
SELECT leadanalytics.create_workspace('erase-twin', timezone => 'America/New_York') AS twin \gset
CREATE TEMP TABLE was_dropped AS TABLE leadanalytics.dropped;
DELETE FROM leadanalytics.dropped;

-- The night in which New York's clocks are set back, and days before and after it.
CREATE FUNCTION story(who text, starts timestamptz, n int, session text DEFAULT NULL, user_id text DEFAULT NULL) RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object('events', json_agg(json_strip_nulls(json_build_object(
        'event_name', (ARRAY['page_view', 'page_view', 'click', 'purchase', 'scroll'])[i % 5 + 1], 'visitor_id', who, 'session_id', session, 'user_id', user_id,
        'timestamp', starts + i * interval '7 minutes',
        'event_data', json_build_object('url', 'https://acme.example/' || coalesce(who, user_id) || i % 3, 'referrer', 'https://' || coalesce(who, 'server') || '.example/', 'utm_campaign', CASE i % 4 WHEN 0 THEN 'spring' END,
                                        'fingerprint_id', CASE i % 3 WHEN 0 THEN 'f-shared' WHEN 1 THEN 'f-' || who END, 'tags', ARRAY['t' || i % 2], 'scroll_percent', i * 5)))))
    FROM generate_series(1, n) AS i
$$;
CREATE FUNCTION tell(w int, body json, now timestamptz, agent text DEFAULT 'Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0') RETURNS text LANGUAGE sql AS $$
    SELECT leadanalytics.track(w, body, client_ip => '198.51.100.7', user_agent => agent, now => now, as_role => 'admin') ->> 'accepted'
$$;
CREATE FUNCTION visitors(w int, VARIADIC ids text[]) RETURNS int[] LANGUAGE sql AS $$ SELECT coalesce(array_agg(v.number), '{}') FROM leadanalytics.visitor v WHERE v.workspace = w AND v.visitor_id = ANY (ids) $$;
CREATE FUNCTION persons(w int, VARIADIC ids text[]) RETURNS int[] LANGUAGE sql AS $$ SELECT coalesce(array_agg(p.number), '{}') FROM leadanalytics.person p WHERE p.workspace = w AND p.user_id = ANY (ids) $$;
-- What is not alike: answers from segments and from rows; the trail, what adds up.
CREATE FUNCTION wrong(w int, b timestamptz[] DEFAULT '{-infinity,infinity}', now timestamptz DEFAULT '2021-12-01') RETURNS TABLE (what text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT 'answer ' || x::text FROM (
        SELECT a.* FROM leadanalytics.dimensions() d, leadanalytics.answer_from_segments(w, ARRAY[d.name], b, now, true, true, 0, false, '{}', '{}') a
        EXCEPT ALL SELECT a.* FROM leadanalytics.dimensions() d, leadanalytics.answer_from_rows(w, ARRAY[d.name], b, now, true, true, 0, false, '{}', '{}') a) x;
    RETURN QUERY SELECT 'row ' || x::text FROM (
        SELECT a.* FROM leadanalytics.dimensions() d, leadanalytics.answer_from_rows(w, ARRAY[d.name], b, now, true, true, 0, false, '{}', '{}') a
        EXCEPT ALL SELECT a.* FROM leadanalytics.dimensions() d, leadanalytics.answer_from_segments(w, ARRAY[d.name], b, now, true, true, 0, false, '{}', '{}') a) x;
    RETURN QUERY SELECT 'bucket ' || r::text FROM leadanalytics.reconcile(w) r;
    RETURN QUERY SELECT 'ledger ' || l::text FROM leadanalytics.ledger l WHERE l.workspace = w
        AND l.n <> (SELECT count(*) FROM leadanalytics.event e WHERE e.id BETWEEN l.id_from AND l.id_to AND e.at BETWEEN l.at_min AND l.at_max AND e.workspace = w);
    RETURN QUERY SELECT 'session ' || s.number FROM leadanalytics.session s LEFT JOIN leadanalytics.event e ON e.workspace = w AND e.session = s.number
        WHERE s.workspace = w GROUP BY s.number, s.events, s.last_seen, s.pageviews HAVING s.events <> count(e.id) OR s.last_seen <> max(e.at) OR s.pageviews <> count(*) FILTER (WHERE e.kind = 'p');
    RETURN QUERY SELECT 'nobody''s ' || e.id FROM leadanalytics.event e WHERE e.workspace = w
        AND (e.visitor IS NOT NULL AND NOT EXISTS (SELECT FROM leadanalytics.visitor v WHERE v.workspace = w AND v.number = e.visitor)
          OR e.session IS NOT NULL AND NOT EXISTS (SELECT FROM leadanalytics.session s WHERE s.workspace = w AND s.number = e.session)
          OR e.person IS NOT NULL AND NOT EXISTS (SELECT FROM leadanalytics.person p WHERE p.workspace = w AND p.number = e.person));
END
$$;
-- Where the two workspaces answer differently.
CREATE FUNCTION differ(b timestamptz[], now timestamptz DEFAULT '2021-12-01') RETURNS SETOF text LANGUAGE sql AS $$
    WITH asked AS (SELECT d.name FROM leadanalytics.dimensions() d WHERE d.name NOT IN ('event_page', 'event_campaign', 'event_place', 'origin', 'tag_source')),
         said AS (SELECT w.slug, a.dimension, a.slot, a.value, a.counts, a.members FROM asked, leadanalytics.workspace w,
                  leadanalytics.answer_from_segments(w.id, ARRAY[asked.name], b, now, true, true, 0, false, '{}', '{}') a WHERE w.slug IN ('erase-acme', 'erase-twin'))
    SELECT s.dimension || ' ' || s.slot || ' ' || coalesce(s.value, 'null') FROM said s
    GROUP BY s.dimension, s.slot, s.value, s.counts, s.members HAVING count(*) <> 2 ORDER BY 1
$$;
CREATE FUNCTION build_all(w int) RETURNS bigint LANGUAGE sql AS $$ SELECT leadanalytics.fold(w, '2021-11-20'); SELECT leadanalytics.build(w, '2021-11-20')::bigint $$;

-- Both hear of bob; acme of anna, too: her two browsers, her user id that has two names, robots by her browser, her server. Some is
-- folded into days, weeks and the month, some into days that are made, some is not folded; a session is open.
SELECT count(tell(w, b, n)) FROM unnest(ARRAY[:acme, :twin]) w, (VALUES
    (story('bob', '2021-10-20 09:00', 9, 'bob-1', 'bob'), '2021-11-09 10:00'::timestamptz), (story('bob', '2021-11-07 03:40', 20), '2021-11-09 10:00')) AS x (b, n);
SELECT tell(:acme, story('anna-1', '2021-10-20 09:03', 9, 'anna-1', 'anna'), '2021-11-09 10:00'), tell(:acme, story('anna-2', '2021-11-07 03:30', 25), '2021-11-09 10:00'),
       tell(:acme, story('anna-1', '2021-10-21 10:00', 5), '2021-11-09 10:00', 'Googlebot/2.1 (+http://www.google.com/bot.html)'),
       tell(:acme, story(NULL, '2021-10-20 12:00', 6, NULL, 'anna-server'), '2021-11-09 10:00');
SELECT tell(:acme, '{"event_name": "alias", "user_id": "anna", "event_data": {"previous_id": "anna-old"}, "timestamp": "2021-11-08T10:00:00Z"}', '2021-11-09 10:00');
SELECT leadanalytics.close_idle(:acme, '2021-11-10') > 0, leadanalytics.close_idle(:twin, '2021-11-10') > 0;
SELECT build_all(:acme) > 0, build_all(:twin) > 0;
SELECT grain, zone, count(*) > 0 AS there_are FROM leadanalytics.bucket WHERE workspace = :acme GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(tell(w, story('bob', '2021-11-19 09:00', 4), '2021-11-20 10:00')) FROM unnest(ARRAY[:acme, :twin]) w;
SELECT tell(:acme, story('anna-1', '2021-10-20 10:00', 4), '2021-11-20 10:00');
SELECT leadanalytics.fold(:acme, '2021-11-20 10:00') > 0;
SELECT tell(:acme, story('anna-2', '2021-11-20 09:00', 7, 'anna-open'), '2021-11-20 10:00');
SELECT count(tell(w, story('carl', '2021-11-20 09:10', 3), '2021-11-20 10:00')) FROM unnest(ARRAY[:acme, :twin]) w;
SELECT * FROM wrong(:acme);
SELECT count(*) > 0 AS unlike FROM differ('{-infinity,infinity}');

SELECT * FROM leadanalytics.erase_web(:acme, visitors(:acme, 'anna-1', 'anna-2'), persons(:acme, 'anna', 'anna-old', 'anna-server'), '2021-11-20 11:00');
SELECT * FROM wrong(:acme);
SELECT * FROM wrong(:acme, '{2021-10-20 09:10,2021-10-25,2021-11-07 04:00,2021-11-07 05:10,2021-11-20 09:20}');
SELECT * FROM differ('{-infinity,infinity}');
SELECT * FROM differ('{2021-10-01 04:00,2021-10-20 09:07,2021-10-21 04:00,2021-11-01 04:00,2021-11-07 04:00,2021-11-07 05:45,2021-11-08 05:00,2021-12-01 05:00}');
SELECT count(*) FROM leadanalytics.visitor WHERE workspace = :acme AND visitor_id LIKE 'anna%';
SELECT user_id FROM leadanalytics.person WHERE workspace = :acme;
-- Not even a page that only she saw is named by a segment, or a step by the trail.
SELECT count(*) FROM leadanalytics.term t, leadanalytics.segment s WHERE t.workspace = :acme AND t.kind = 'page' AND t.parts[1] LIKE '%anna%' AND s.workspace = :acme AND s.dimension IN (4, 5, 6, 18)
    AND position(substring(int4send(t.id) FROM 4 FOR 1) || substring(int4send(t.id) FROM 3 FOR 1) || substring(int4send(t.id) FROM 2 FOR 1) || substring(int4send(t.id) FROM 1 FOR 1) IN s.directory) > 0;
SELECT (SELECT sum(n) FROM leadanalytics.trail WHERE workspace = :acme) = leadanalytics.rebuild_trail(:acme) AS trail_is_rebuilt;
-- Her words are bob's or nobody's: first nobody finds those any more, then they go; one that is used meanwhile is found again.
CREATE VIEW words AS SELECT t.* FROM leadanalytics.term t JOIN leadanalytics.workspace w ON w.id = t.workspace WHERE w.slug = 'erase-acme';
CREATE FUNCTION drop_words(w int, now timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 300 LOOP -- others' transactions of that time may still run
        IF leadanalytics.drop_erased_terms_of(w, now) > 0 THEN
            RETURN true;
        END IF;
        PERFORM pg_sleep(0.1);
    END LOOP;
    RETURN false;
END
$$;
SELECT count(*) FROM words WHERE array_to_string(parts, ' ') ~ 'anna|server';
SELECT leadanalytics.drop_erased_terms_of(:acme, '2021-11-20 11:00');
SELECT count(*) FROM words WHERE array_to_string(parts, ' ') ~ 'anna|server' AND digest <> leadanalytics.term_digest(kind, parts);
SELECT count(*) AS hidden, bool_and(digest <> leadanalytics.term_digest(kind, parts)) AS wholly FROM words WHERE id IN (SELECT id FROM leadanalytics.erased_term WHERE workspace = :acme);
UPDATE leadanalytics.event SET title = (SELECT id FROM words WHERE parts[2] = '/anna-21') WHERE workspace = :acme AND visitor = (visitors(:acme, 'carl'))[1];
SELECT leadanalytics.drop_erased_terms_of(:acme, '2021-11-20 11:30');
SELECT drop_words(:acme, '2021-11-20 12:30');
SELECT kind, parts, digest = leadanalytics.term_digest(kind, parts) AS is_found FROM words WHERE array_to_string(parts, ' ') ~ 'anna|server' ORDER BY 2;
SELECT count(*) FROM leadanalytics.erased_term WHERE workspace = :acme;
SELECT * FROM wrong(:acme);
SELECT * FROM differ('{-infinity,infinity}');
UPDATE leadanalytics.event SET title = NULL WHERE workspace = :acme;
-- Once more, of nobody, and what makes no sense.
SELECT sum(n) FROM leadanalytics.erase_web(:acme, '{2000000000,NULL}', '{}', '2021-11-20 11:00');
SELECT sum(n) FROM leadanalytics.erase_web(:acme, '{}', '{}', '2021-11-20 11:00');
-- What was used of the plan stays.
SELECT leadanalytics.events_used(:acme, '2021-11-01') - leadanalytics.events_used(:twin, '2021-11-01') AS annas;
-- She comes again: somebody new. It folds and builds on.
SELECT count(tell(w, story('anna-1', '2021-11-20 11:00', 6, 'anna-1', 'anna'), '2021-11-20 12:00')) FROM unnest(ARRAY[:acme, :twin]) w;
SELECT count(leadanalytics.close_idle(w, '2021-11-22')) FROM unnest(ARRAY[:acme, :twin]) w;
SELECT leadanalytics.fold(:acme, '2021-11-22') > 0, leadanalytics.build(:acme, '2021-12-02') > 0, leadanalytics.fold(:twin, '2021-11-22') > 0;
SELECT * FROM wrong(:acme);
SELECT * FROM differ('{2021-11-01 04:00,2021-11-20 10:00,2021-12-01}');

-- A session that several share. dora opens it, bob is her guest, a server names its user alone.
SELECT tell(:acme, story('dora', '2021-12-02 10:00', 3, 'shared'), '2021-12-02 10:30'), tell(:acme, story('bob', '2021-12-02 10:10', 4, 'shared'), '2021-12-02 10:40'),
       tell(:acme, story('dora', '2021-12-02 10:40', 2, 'shared'), '2021-12-02 10:56'), tell(:acme, story(NULL, '2021-12-02 10:05', 2, 'servers', 'erik'), '2021-12-02 10:30'),
       tell(:acme, story('bob', '2021-12-02 10:31', 1, 'servers'), '2021-12-02 10:45');
CREATE VIEW shared AS SELECT s.session_id, v.visitor_id, s.started_at::time AS started, s.last_seen::time AS seen, s.ended_at::time AS ended, s.events, s.pageviews AS views, s.clicks, s.scroll_percent AS scroll,
    e.parts[2] AS entry, l.parts[2] AS last, r.parts[1] AS referrer, f.parts[1] AS fingerprint, s.ip, s.returns
    FROM leadanalytics.session s LEFT JOIN leadanalytics.visitor v ON (v.workspace, v.number) = (s.workspace, s.visitor)
    LEFT JOIN leadanalytics.term e ON (e.workspace, e.id) = (s.workspace, s.entry_page) LEFT JOIN leadanalytics.term l ON (l.workspace, l.id) = (s.workspace, s.last_page)
    LEFT JOIN leadanalytics.term r ON (r.workspace, r.id) = (s.workspace, s.referrer) LEFT JOIN leadanalytics.term f ON (f.workspace, f.id) = (s.workspace, s.fingerprint)
    WHERE s.workspace = (SELECT id FROM leadanalytics.workspace WHERE slug = 'erase-acme') AND s.session_id IN ('shared', 'servers') ORDER BY 1;
SELECT leadanalytics.close_idle(:acme, '2021-12-03'), leadanalytics.fold(:acme, '2021-12-03') > 0, leadanalytics.build(:acme, '2021-12-04') > 0;
TABLE shared;
-- The guest goes: it is dora's as hers alone.
BEGIN;
SELECT * FROM leadanalytics.erase_web(:acme, visitors(:acme, 'bob'), '{}');
TABLE shared;
SELECT * FROM wrong(:acme);
-- All of them: nothing is left of it.
SELECT sum(n) > 0 FROM leadanalytics.erase_web(:acme, visitors(:acme, 'dora'), persons(:acme, 'erik'));
TABLE shared;
SELECT * FROM wrong(:acme);
ROLLBACK;
-- She goes: it is nobody's, as what bob did in it.
SELECT * FROM leadanalytics.erase_web(:acme, visitors(:acme, 'dora'), persons(:acme, 'erik'));
TABLE shared;
SELECT * FROM wrong(:acme);
SELECT v.sessions, count(*) FROM leadanalytics.visitor v JOIN leadanalytics.session s ON (s.workspace, s.visitor) = (v.workspace, v.number) WHERE v.workspace = :acme AND v.visitor_id = 'bob' GROUP BY 1;

-- A person goes whose browser stays: it names him no more, but who it was before; other names of his are somebody's.
SELECT tell(:acme, story('tablet', '2021-12-05 10:00', 2, NULL, 'gina'), '2021-12-05 12:00'), tell(:acme, story('tablet', '2021-12-05 11:00', 2, NULL, 'hugo'), '2021-12-05 12:00'),
       tell(:acme, '{"events": [{"event_name": "alias", "user_id": "hugo", "event_data": {"previous_id": "hugo-2"}}, {"event_name": "alias", "user_id": "hugo", "event_data": {"previous_id": "hugo-3"}}]}', '2021-12-05 12:00');
SELECT what, n FROM leadanalytics.erase_web(:acme, '{}', persons(:acme, 'hugo')) WHERE n > 0 ORDER BY 1;
SELECT p.user_id, r.user_id AS alias_of FROM leadanalytics.person p LEFT JOIN leadanalytics.person r ON (r.workspace, r.number) = (p.workspace, p.alias_of) WHERE p.workspace = :acme AND p.user_id LIKE 'hugo%' ORDER BY 1;
SELECT v.visitor_id, p.user_id FROM leadanalytics.visitor v JOIN leadanalytics.person p ON (p.workspace, p.number) = (v.workspace, v.person) WHERE v.workspace = :acme AND v.visitor_id = 'tablet';
SELECT p.user_id, count(*) FROM leadanalytics.event e LEFT JOIN leadanalytics.person p ON (p.workspace, p.number) = (e.workspace, e.person)
WHERE e.workspace = :acme AND e.visitor = (visitors(:acme, 'tablet'))[1] GROUP BY 1 ORDER BY 1;
SELECT * FROM wrong(:acme);

-- Time whose rows were dropped: nobody counts him among visitors any more; sums stay, and none falls below zero.
SET leadanalytics.event_retention = '40d';
SELECT leadanalytics.fold() >= 0 AS folded;
CALL leadanalytics.drop_old_events('2022-01-25');
SELECT leadanalytics.rows_since('event');
SELECT a.dimension, a.value, a.counts, a.members FROM leadanalytics.answer(:acme, '{total,path,person}', '{2021-10-20,2021-10-21}') a WHERE a.slot = 0 ORDER BY 1, 2;
SELECT a.counts, a.members FROM leadanalytics.answer(:acme, '{session}', '{2021-10-20,2021-10-21}') a WHERE a.slot = 0;
SELECT sum(n) > 0 AS some FROM leadanalytics.trail_points(:acme, 'w', leadanalytics.text_term(:acme, 'page_view'), '2021-10-20', '2021-10-21') p (at, n) WHERE n = (visitors(:acme, 'bob'))[1];
SELECT what, n FROM leadanalytics.erase_web(:acme, visitors(:acme, 'bob'), persons(:acme, 'bob')) ORDER BY 1;
SELECT a.dimension, a.value, a.counts, a.members FROM leadanalytics.answer(:acme, '{total,path,person}', '{2021-10-20,2021-10-21}') a WHERE a.slot = 0 ORDER BY 1, 2;
SELECT a.counts, a.members FROM leadanalytics.answer(:acme, '{session}', '{2021-10-20,2021-10-21}') a WHERE a.slot = 0;
SELECT count(*) FROM leadanalytics.trail_points(:acme, 'w', leadanalytics.text_term(:acme, 'page_view'), '2021-10-20', '2021-10-21');
SELECT count(*) FROM leadanalytics.reconcile(:acme, '2022-01-01');

-- A kind's trail, and what is damaged is told.
SELECT leadanalytics.erase_trail(:acme, 'w', '{-1,NULL}');
SELECT leadanalytics.erase_trail(:acme, 'w', visitors(:acme, 'carl')::bigint[]) AS points, leadanalytics.erase_trail(:acme, 'w', visitors(:acme, 'carl')::bigint[]) AS again;
UPDATE leadanalytics.segment SET directory = set_byte(directory, 8, get_byte(directory, 8) # 1) WHERE workspace = :twin AND grain = 'd' AND dimension = 1;
SELECT count(*) FROM leadanalytics.erase_web(:twin, visitors(:twin, 'bob'), '{}');
SELECT leadanalytics.forget_segments(:twin, '2021-12-30') >= 0 AS forgotten;

-- Only its owner calls it: who somebody is, and who may erase him, is asked before.
SELECT r.rolname, f.oid::regprocedure FROM pg_proc f, pg_roles r WHERE f.pronamespace = 'leadanalytics'::regnamespace AND f.proname IN ('erase_web', 'erase_trail', 'unfold', 'forget_naming', 'lock_sessions_of')
    AND r.rolname IN ('leadanalytics_read', 'leadanalytics_write', 'leadanalytics_admin', 'leadanalytics_door') AND has_function_privilege(r.rolname, f.oid, 'EXECUTE');

-- Tests behind this one compare all events with the ledger.
DELETE FROM leadanalytics.event WHERE workspace IN (:acme, :twin);
DELETE FROM leadanalytics.dropped;
INSERT INTO leadanalytics.dropped TABLE was_dropped;
DELETE FROM leadanalytics.erased_term WHERE workspace IN (:acme, :twin);
DROP VIEW shared, words;
DROP FUNCTION story, tell, visitors, persons, wrong, differ, build_all, drop_words;
