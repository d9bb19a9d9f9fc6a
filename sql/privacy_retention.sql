-- Retention: what goes when, of whom, and that what whole days count stays.
\set VERBOSITY terse
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('keeps-30', timezone => 'Asia/Kolkata') AS a \gset
SELECT leadanalytics.create_workspace('keeps-all') AS b \gset
CREATE FUNCTION pg_temp.pages(visitor text, day date, n int) RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object('events', json_agg(json_build_object('event_name', CASE i % 5 WHEN 0 THEN 'sign_up' ELSE 'page_view' END, 'visitor_id', visitor || i % 3,
        'timestamp', day + i * interval '97 minutes', 'event_data', json_build_object('url', 'https://acme.example/' || i % 4, 'referrer', 'https://www.search.example/q'))))
    FROM generate_series(1, n) AS i
$$;
SELECT w, sum((t ->> 'accepted')::int) FROM (VALUES (1, :a), (2, :b)) AS v (w, id), generate_series(date '2017-03-02', '2017-04-18', '2 days') AS d (day),
    LATERAL leadanalytics.track(v.id, pg_temp.pages('v' || extract(day FROM d.day)::int / 7, d.day::date, 12 + v.w), now => '2017-04-19', as_role => 'admin') t GROUP BY w ORDER BY w;
-- Everything that is asked here of whole days, of UTC and of the workspace's zone, and of all time.
CREATE FUNCTION pg_temp.answers(workspace int) RETURNS TABLE (what text, answer text) LANGUAGE sql AS $$
    SELECT 'days', s::text FROM leadanalytics.summary(workspace, '2017-03-01', '2017-04-19', 'day', now => '2017-04-20') s
    UNION ALL SELECT 'zone', s::text FROM leadanalytics.summary(workspace, '2017-03-05 00:00 Asia/Kolkata', '2017-03-29 00:00 Asia/Kolkata', 'day', 'Asia/Kolkata', now => '2017-04-20') s
        WHERE workspace = (SELECT w.id FROM leadanalytics.workspaces w WHERE w.slug = 'keeps-30')
    UNION ALL SELECT 'total', t::text FROM leadanalytics.totals(workspace, '-infinity', 'infinity', now => '2017-04-20') t
    UNION ALL SELECT d, b::text FROM unnest('{page,source,visitor_kind,event_name,country}'::text[] || '{}') AS d,
        LATERAL leadanalytics.breakdown(workspace, d, '2017-03-04', '2017-03-17', now => '2017-04-20') b WHERE d IN (SELECT name FROM leadanalytics.dimensions())
$$;
SET leadanalytics.exact = on;
CREATE TEMP TABLE answers_before AS SELECT 1 AS w, x.* FROM pg_temp.answers(:a) x UNION ALL SELECT 2, x.* FROM pg_temp.answers(:b) x;
RESET leadanalytics.exact;
SELECT w, what, count(*) > 0 AS has FROM answers_before GROUP BY 1, 2 ORDER BY 1, 2;

-- Who says what.
SELECT leadanalytics.set_retention(:a, 'nothing', '1 day');
SELECT leadanalytics.set_retention(:a, 'events', '1 hour');
SELECT leadanalytics.set_retention(:a, 'events', '36 hours');
SELECT leadanalytics.set_retention(:a, 'events', '102 years');
SELECT leadanalytics.set_retention(-1, 'events', '1 day');
SELECT leadanalytics.set_retention(:a, 'events', '30 days', '2017-04-20 02:00');
SELECT leadanalytics.set_retention(:b, 'events', '0', '2017-04-20 02:00');
SET leadanalytics.event_retention = '20d';
SELECT w.slug, r.kind, r.keep, r.is_own FROM leadanalytics.retentions r JOIN leadanalytics.workspaces w ON w.id = r.workspace
WHERE w.id IN (:a, :b) AND (r.is_own OR r.kind IN ('events', 'leads')) ORDER BY 1, 2;
RESET leadanalytics.event_retention;

-- Not before 03:00, nor before its events are folded; then by whole days, of one in a month that two share.
CALL leadanalytics.expire_due('2017-04-20 02:59');
SELECT count(*) FROM leadanalytics.event WHERE workspace = :a;
CALL leadanalytics.expire_due('2017-04-20 03:00');
SELECT count(*) FROM leadanalytics.event WHERE workspace = :a;
SELECT leadanalytics.fold(:a) > 0 AS a, leadanalytics.fold(:b) > 0 AS b;
CALL leadanalytics.expire_due('2017-04-20 03:05');
SELECT workspace = :a AS is_a, count(*), min(at) FROM leadanalytics.event WHERE workspace IN (:a, :b) GROUP BY 1 ORDER BY 1;
SELECT before, swept FROM leadanalytics.dropped WHERE workspace IN (:a, :b);
SELECT leadanalytics.rows_since(:a) AS a, leadanalytics.rows_since(:b) AS b;
CREATE TEMP TABLE answers_after AS SELECT 1 AS w, x.* FROM pg_temp.answers(:a) x UNION ALL SELECT 2, x.* FROM pg_temp.answers(:b) x;
TABLE answers_before EXCEPT ALL TABLE answers_after;
TABLE answers_after EXCEPT ALL TABLE answers_before;
-- What only rows could tell is answered for whole days; what is kept, to the minute, and both ways.
SELECT events FROM leadanalytics.totals(:a, '2017-03-10 06:00', '2017-03-10 07:00', now => '2017-04-20');
SELECT events FROM leadanalytics.totals(:b, '2017-03-10 06:00', '2017-03-10 07:00', now => '2017-04-20');
CREATE TEMP TABLE kept AS SELECT * FROM leadanalytics.summary(:a, '2017-03-22 06:00', '2017-04-18 07:00', 'day', now => '2017-04-20');
SET leadanalytics.exact = on;
SELECT count(*) FROM (TABLE kept EXCEPT ALL SELECT * FROM leadanalytics.summary(:a, '2017-03-22 06:00', '2017-04-18 07:00', 'day', now => '2017-04-20')) x;
RESET leadanalytics.exact;
SELECT count(*) FROM leadanalytics.reconcile(:a);
SELECT count(*) FROM leadanalytics.reconcile(:b);

-- Once a night.
CALL leadanalytics.expire_due('2017-04-20 23:00');
SELECT done_at, error FROM leadanalytics.retentions WHERE workspace = :a AND kind = 'events';
-- What comes late, for a day that has segments and for one that has none, counts, and goes the next night.
SELECT leadanalytics.track(:a, pg_temp.pages('late', '2017-03-10', 3), now => '2017-04-20', as_role => 'admin') ->> 'accepted' AS accepted,
       leadanalytics.track(:a, pg_temp.pages('late', '2017-03-11', 3), now => '2017-04-20', as_role => 'admin') ->> 'accepted' AS accepted;
SELECT d, (SELECT events FROM leadanalytics.totals(:a, d, d + '24 hours', now => '2017-04-20')) FROM unnest('{2017-03-10Z,2017-03-11Z}'::timestamptz[]) d;
CALL leadanalytics.expire_due('2017-04-21 03:00');
SELECT d, (SELECT events FROM leadanalytics.totals(:a, d, d + '24 hours', now => '2017-04-20')), (SELECT count(*) FROM leadanalytics.event e WHERE e.workspace = :a AND e.at >= d AND e.at < d + '24 hours') AS rows
FROM unnest('{2017-03-10Z,2017-03-11Z}'::timestamptz[]) d;
SELECT leadanalytics.fold(:a) > 0 AS folded;
CALL leadanalytics.expire_due('2017-04-22 03:00');
SELECT d, (SELECT events FROM leadanalytics.totals(:a, d, d + '24 hours', now => '2017-04-20')), (SELECT count(*) FROM leadanalytics.event e WHERE e.workspace = :a AND e.at >= d AND e.at < d + '24 hours') AS rows
FROM unnest('{2017-03-10Z,2017-03-11Z}'::timestamptz[]) d;
-- Segments of that time are all there is: nobody forgets them.
SET leadanalytics.segment_events = 4;
SELECT leadanalytics.build(:a, '2017-04-22') > 0 AS built;
SELECT leadanalytics.forget_segments(:a) > 0 AS forgotten, (SELECT min(starts) < '2017-03-04' FROM leadanalytics.bucket WHERE workspace = :a) AS kept;
SELECT events FROM leadanalytics.totals(:a, '2017-03-01', '2017-03-20', now => '2017-04-20');

-- A setting for everybody takes whole months: March goes as a whole, once the second has none to say against it.
SELECT leadanalytics.set_retention(:b, 'events', NULL, '2017-05-01');
SET leadanalytics.event_retention = '10d';
CALL leadanalytics.expire_due('2017-05-02 03:00');
RESET leadanalytics.event_retention;
SELECT to_regclass('leadanalytics.event_2017_03') AS march, min(at) FROM leadanalytics.event WHERE workspace = :b;
CREATE TEMP TABLE answers_dropped AS SELECT 2 AS w, x.* FROM pg_temp.answers(:b) x;
SELECT * FROM answers_before WHERE w = 2 EXCEPT ALL TABLE answers_dropped;
TABLE answers_dropped EXCEPT ALL SELECT * FROM answers_before WHERE w = 2;

-- Sessions: those that lost their events.

SELECT count(*) > 0 AS swept FROM leadanalytics.sweep_sessions('2017-06-01'::timestamptz);
SELECT leadanalytics.fold(:a) > 0 AS folded;
CREATE TEMP TABLE sessions_then AS SELECT * FROM leadanalytics.summary(:a, '2017-03-01', '2017-03-20', 'day', now => '2017-06-01');
SELECT leadanalytics.set_retention(:a, 'sessions', '40 days', '2017-05-09 04:00');
SELECT count(*) > 0 AS has_old FROM leadanalytics.session WHERE workspace = :a AND started_at < '2017-03-20';
CALL leadanalytics.expire_due('2017-05-10 04:00');
SELECT count(*) FILTER (WHERE started_at < '2017-03-31') AS old, count(*) FILTER (WHERE started_at >= '2017-04-01') > 0 AS young FROM leadanalytics.session WHERE workspace = :a;
TABLE sessions_then EXCEPT ALL SELECT * FROM leadanalytics.summary(:a, '2017-03-01', '2017-03-20', 'day', now => '2017-06-01');

-- One that fails is told, tried again, and stops nobody.
INSERT INTO leadanalytics.retention_kind (name, place, function, summary) VALUES ('broken', 99, 'public.nowhere', 'broken'), ('posts', 100, 'public.nowhere', 'later');
UPDATE leadanalytics.retention_kind SET function = NULL, relation = 'rejected_lead', condition = 't.received_at < $2' WHERE name = 'posts';
INSERT INTO leadanalytics.rejected_lead (workspace, list, received_at, payload) SELECT :a, 'testing', d, '{}' FROM generate_series(timestamptz '2017-04-01', '2017-05-10', '1 day') d;
SELECT leadanalytics.set_retention(:a, k, '20 days', '2017-05-10 12:00') FROM unnest('{broken,posts}'::text[]) k;
CALL leadanalytics.expire_due('2017-05-11 03:00');
SELECT kind, done_at, error FROM leadanalytics.retentions WHERE workspace = :a AND kind IN ('broken', 'posts') ORDER BY 1;
SELECT state, hint FROM leadanalytics.status() WHERE part = format('retention of workspace %s', :a);
SELECT min(received_at), count(*) FROM leadanalytics.rejected_lead WHERE workspace = :a;
SELECT count(*) FROM leadanalytics.retention_due('2017-05-11 03:59') d WHERE d.workspace = :a;
SELECT count(*) FROM leadanalytics.retention_due('2017-05-11 04:00') d WHERE d.workspace = :a;
SELECT leadanalytics.set_retention(:a, k) FROM unnest('{broken,posts}'::text[]) k;
DELETE FROM leadanalytics.retention_kind WHERE name IN ('broken', 'posts');

-- Leads that are closed, what was posted, and what is done.
SELECT leadanalytics.capture_lead(:b, json_build_object('FIRSTNAME', n, 'EMAIL', n || '@x.example', 'USER_MESSAGE', 'hello'), client_ip => '192.0.2.7', now => at) IS NOT NULL AS captured
FROM (VALUES ('ann', timestamptz '2017-01-05'), ('bea', '2017-01-06'), ('cyd', '2017-01-07')) AS v (n, at);
SELECT count(leadanalytics.set_lead_status(:b, id, CASE email WHEN 'cyd@x.example' THEN 'contacted' ELSE 'lost' END,
                                          now => CASE email WHEN 'bea@x.example' THEN timestamptz '2017-05-01' ELSE '2017-01-10' END)) FROM leadanalytics.lead WHERE workspace = :b;
SELECT leadanalytics.set_retention(:b, k, '60 days', '2017-05-10 12:00') FROM unnest('{leads,lead_payloads}'::text[]) k;
CALL leadanalytics.expire_due('2017-05-11 03:00');
SELECT l.email, l.status, s.payload FROM leadanalytics.lead l JOIN leadanalytics.lead_submission s ON s.workspace = l.workspace AND s.lead = l.id WHERE l.workspace = :b ORDER BY 1;
SELECT count(*) FROM leadanalytics.lead_status_change WHERE workspace = :b;
SELECT sum(n) FROM leadanalytics.lead_tally WHERE workspace = :b;

-- Messages: their events go together, and what is known of them stays.
SELECT leadanalytics.put_campaigns(:b, '{"key": "c", "name": "C"}') ->> 'accepted' AS accepted;
SELECT leadanalytics.put_message_events(:b, '[
    {"message_id": "old", "event": "sent", "timestamp": "2017-01-05T10:00:00Z", "campaign_id": "c"}, {"message_id": "old", "event": "opened", "timestamp": "2017-01-06T10:00:00Z"},
    {"message_id": "young", "event": "sent", "timestamp": "2017-01-05T11:00:00Z", "campaign_id": "c"}, {"message_id": "young", "event": "replied", "timestamp": "2017-05-05T10:00:00Z"}]') ->> 'accepted' AS accepted;
CREATE FUNCTION pg_temp.counts(workspace int) RETURNS TABLE (series "char", bucket timestamptz, campaign boolean, sent numeric, delivered numeric, opened numeric, replied numeric) LANGUAGE sql AS $$
    SELECT s, t.bucket, t.campaign > 0, sum(t.sent), sum(t.delivered), sum(t.opened), sum(t.replied)
    FROM unnest('{d,h,m,e,w}'::"char"[]) s, leadanalytics.message_tallies(workspace, s, '2017-01-01', '2017-06-01') t GROUP BY 1, 2, 3
$$;
CREATE TEMP TABLE counts_before AS SELECT * FROM pg_temp.counts(:b);
SELECT leadanalytics.set_retention(:b, 'message_events', '60 days', '2017-05-10 12:00');
CALL leadanalytics.expire_due('2017-05-11 03:00');
SELECT m.key, m.is_final, m.opened_at, m.replied_at, (SELECT count(*) FROM leadanalytics.message_event e WHERE e.message = m.id) AS events
FROM leadanalytics.message m WHERE m.workspace = :b ORDER BY 1;
TABLE counts_before EXCEPT ALL SELECT * FROM pg_temp.counts(:b);
SELECT leadanalytics.recount_messages(:b);
TABLE counts_before EXCEPT ALL SELECT * FROM pg_temp.counts(:b);
SELECT * FROM pg_temp.counts(:b) EXCEPT ALL TABLE counts_before;
-- What is said of one later is an event, and settles nothing.
SELECT leadanalytics.put_message_events(:b, '[{"message_id": "old", "event": "clicked", "timestamp": "2017-05-06T10:00:00Z"}, {"message_id": "old", "event": "sent", "timestamp": "2017-01-04T10:00:00Z"}]') ->> 'accepted' AS accepted;
SELECT m.sent_at, m.clicked_at, m.opened_at, (SELECT count(*) FROM leadanalytics.message_event e WHERE e.message = m.id) AS events FROM leadanalytics.message m WHERE m.workspace = :b AND m.key = 'old';
SELECT kind, n FROM leadanalytics.message_event_counts(:b, '2017-01-01', '2017-06-01') ORDER BY kind::text;

-- By whom.
CREATE ROLE keeps_reader;
GRANT leadanalytics_read TO keeps_reader;
SET ROLE keeps_reader;
SELECT leadanalytics.set_retention(:a, 'events', '1 day');
RESET ROLE;
DROP ROLE keeps_reader;
SELECT leadanalytics.put_retention(:a, 'events', 45);
SELECT (SELECT e ->> 'keep_days' FROM json_array_elements(leadanalytics.workspace_retention(:a) -> 'retention') e WHERE e ->> 'kind' = 'events') AS days;
DELETE FROM leadanalytics.workspace WHERE id IN (:a, :b);
