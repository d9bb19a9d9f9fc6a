-- S2-06: every topic of the catalog really happens, and what is told has the members that its example has.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT leadanalytics.create_workspace('topics', currency => 'EUR') AS w \gset
-- The members of JSON, as paths.
CREATE FUNCTION pg_temp.members(body jsonb, path text DEFAULT '') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    m record;
BEGIN
    FOR m IN SELECT path || '.' || e.key AS path, e.value FROM jsonb_each(CASE jsonb_typeof(body) WHEN 'object' THEN body END) e LOOP
        RETURN NEXT m.path;
        RETURN QUERY SELECT * FROM pg_temp.members(m.value, m.path);
    END LOOP;
END
$$;
CREATE VIEW pg_temp.differs AS
    SELECT t.name,
           (SELECT string_agg(p, ' ' ORDER BY p) FROM (SELECT pg_temp.members(o.body::jsonb) EXCEPT SELECT pg_temp.members(t.example::jsonb)) AS d (p)) AS undescribed,
           (SELECT string_agg(p, ' ' ORDER BY p) FROM (SELECT pg_temp.members(t.example::jsonb) EXCEPT SELECT pg_temp.members(o.body::jsonb)) AS d (p)) AS missing
    FROM leadanalytics.topic t JOIN leadanalytics.outbox o ON o.topic = t.name JOIN leadanalytics.workspace w ON w.id = o.workspace AND w.slug = 'topics';

SELECT key AS hook FROM leadanalytics.create_webhook(:w, 'https://example.com') \gset
-- L9 a lead, who comes again after a day, and within it; a test (L8).
SELECT count(leadanalytics.capture_lead(:w, '{"FIRSTNAME": "Ann", "EMAIL": "ann@example.com", "PROJECT": "Sky"}', client_ip => '198.51.100.1', now => n.now))
FROM (VALUES ('2026-02-01 10:00Z'::timestamptz), ('2026-02-01 11:00Z'), ('2026-02-03 10:00Z')) AS n (now);
SELECT leadanalytics.add_lead_rule(:w, 'test_text', 'testing');
SELECT (leadanalytics.capture_lead(:w, '{"FIRSTNAME": "Testing"}', client_ip => '198.51.100.2', now => '2026-02-03 10:00Z')).status;
-- S1-11 S2-08 L9 a status that changes, by each door, once a change.
SELECT max(id) AS lead FROM leadanalytics.lead WHERE workspace = :w \gset
SELECT leadanalytics.set_lead_status(:w, :lead, 'contacted', now => '2026-02-03 11:00Z'), leadanalytics.set_lead_status(:w, :lead, 'Contacted', now => '2026-02-03 11:01Z');
SELECT leadanalytics.put_engagement_lead(:w, :'lead', status => 'qualified', now => '2026-02-03 11:02Z') ->> 'status' AS put, leadanalytics.patch_engagement_lead(:w, :'lead', status => 'lost', now => '2026-02-03 11:03Z') ->> 'status' AS patched,
       leadanalytics.patch_engagement_lead(:w, :'lead', owner_id => 'u1', now => '2026-02-03 11:04Z') ->> 'status' AS kept;
SELECT leadanalytics.set_crm(:w);
SELECT leadanalytics.link_crm_lead(:w, 'c1', :'lead') ->> 'stored' AS linked, leadanalytics.add_crm_event(:w, 'c1', status => 'converted', now => '2026-02-03 11:05Z') ->> 'stored' AS reported;
SELECT o.body ->> 'previous_status' AS before, o.body ->> 'status' AS after, (o.body ->> 'external_id') = :'lead' AS known_there, o.body ->> 'changed_at' AS changed_at, o.created_at
FROM leadanalytics.outbox o WHERE o.workspace = :w AND o.topic = 'lead.status_changed' ORDER BY o.id;
-- D-74 a conversion rule.
SELECT leadanalytics.put_conversion_rule(:w, 'meta', 'purchase', 'meta', 'Purchase') ->> 'accepted' AS rules;
SELECT leadanalytics.track(:w, '{"event_name": "purchase", "visitor_id": "v", "event_data": {"value": 9}}', now => '2026-02-03 12:00Z') ->> 'accepted' AS events;
-- L10 a drought.
SELECT leadanalytics.tell_lead_droughts('2026-02-03 13:00Z') >= 1 AS told;
-- S2-01 S4 mails: replies, bounces, complaints, unsubscriptions, each as it comes; no opens, and no history.
SELECT leadanalytics.put_message_events(:w, '[{"message_id": "m1", "event": "sent", "campaign_id": "c1", "lead_id": "l1", "recipient": "ann@example.com"}, {"message_id": "m1", "event": "opened"}, {"message_id": "m1", "event": "replied", "event_id": "e1"},
    {"message_id": "m2", "event": "sent", "timestamp": "2026-02-03T09:00:00Z"}, {"message_id": "m2", "event": "bounced", "bounce_type": "hard", "reason": "Invalid recipient", "timestamp": "2026-02-03T10:00:00Z"},
    {"message_id": "m3", "event": "complained"}, {"message_id": "m3", "event": "unsubscribed"}, {"message_id": "m4", "event": "replied", "timestamp": "2026-01-27T12:00:00Z"}, {"message_id": "m5", "event": "replied", "timestamp": "2026-01-27T13:00:01Z"}]',
    now => '2026-02-03 13:00Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.put_message_events(:w, '{"message_id": "m1", "event": "replied", "event_id": "e1"}', now => '2026-02-03 13:05Z') ->> 'accepted' AS again;
SELECT leadanalytics.add_engagement(:w, 'email_bounce', 'l9', NULL, 'exec-1', '2026-02-03T13:10:00Z', now => '2026-02-03 13:10Z') ->> 'type' AS added;
SELECT o.topic, o.body ->> 'message_id' AS message, o.body ->> 'lead_id' AS lead, o.body ->> 'recipient' AS recipient, o.body ->> 'campaign_id' AS campaign, o.body ->> 'workflow_execution_id' AS workflow,
       o.body ->> 'bounce_type' AS bounce, o.body ->> 'reason' AS reason, o.body ->> 'timestamp' AS at
FROM leadanalytics.outbox o WHERE o.workspace = :w AND o.topic LIKE 'email.%' ORDER BY o.id;
-- S1-15 an anomaly: it is told once, and again when it has become severe.
INSERT INTO leadanalytics.session (workspace, number, started_at, last_seen, vpn_score)
SELECT :w, nextval('leadanalytics.session_number'), d.at, d.at, 0
FROM generate_series('2026-02-03 14:00Z'::timestamptz, '2026-02-24 14:00Z', '24 hours') WITH ORDINALITY AS d (at, n), generate_series(1, 50 + (d.n % 2)::int * 5) i;
SELECT leadanalytics.tell_anomalies('2026-02-24 23:00Z') >= 0 AS usual;
SELECT count(*) FROM leadanalytics.outbox WHERE workspace = :w AND topic = 'anomaly.detected';
CREATE FUNCTION pg_temp.more(at timestamptz, n int) RETURNS bigint LANGUAGE sql AS $$
    WITH made AS (INSERT INTO leadanalytics.session (workspace, number, started_at, last_seen, vpn_score)
                  SELECT w.id, nextval('leadanalytics.session_number'), more.at, more.at, 0 FROM leadanalytics.workspace w, generate_series(1, n) i WHERE w.slug = 'topics' RETURNING 1)
    SELECT count(*) FROM made
$$;
SELECT pg_temp.more('2026-02-25 10:00Z', 110);
CREATE VIEW pg_temp.found AS SELECT body ->> 'type' AS type, body ->> 'date' AS date, body ->> 'value' AS value, body ->> 'expected' AS expected, body ->> 'severity' AS severity, to_char(o.created_at, 'MM-DD HH24:MI') AS told_at
    FROM leadanalytics.outbox o JOIN leadanalytics.workspace w ON w.id = o.workspace AND w.slug = 'topics' WHERE topic = 'anomaly.detected' ORDER BY o.id;
SELECT n.now, leadanalytics.tell_anomalies(n.now) >= 0 AS looked FROM unnest('{2026-02-26 00:05Z,2026-02-26 00:20Z}'::timestamptz[]) AS n (now) ORDER BY 1;
SELECT * FROM pg_temp.found;
SELECT pg_temp.more('2026-02-25 11:00Z', 5000);
SELECT n.now, leadanalytics.tell_anomalies(n.now) >= 0 AS looked FROM unnest('{2026-02-26 00:35Z,2026-02-26 00:50Z}'::timestamptz[]) AS n (now) ORDER BY 1;
SELECT * FROM pg_temp.found;
-- The second way.
SELECT count(*) AS differ FROM (
    (SELECT a.type, a.date::text, a.value::text, a.severity FROM leadanalytics.anomalies_rows(:w, 2, '2026-02-26 00:50Z') a EXCEPT SELECT f.type, f.date, f.value, f.severity FROM pg_temp.found f)) AS d;
-- What is older than yesterday is told nobody.
BEGIN;
DELETE FROM leadanalytics.anomaly_told WHERE workspace = :w;
DELETE FROM leadanalytics.outbox WHERE workspace = :w;
SELECT leadanalytics.tell_anomalies('2026-02-27 01:00Z') >= 0 AS looked, (SELECT count(*) FROM leadanalytics.anomalies_rows(:w, 7, '2026-02-27 01:00Z') WHERE date = '2026-02-25') AS there;
SELECT * FROM pg_temp.found;
ROLLBACK;
-- Of what is long gone nothing is kept.
SELECT leadanalytics.tell_anomalies('2026-05-01 00:00Z') >= 0 AS looked;
SELECT count(*) FROM leadanalytics.anomaly_told WHERE workspace = :w AND date < '2026-03-31';
-- Nobody wants to know, nothing is sought, told or noted.
SELECT leadanalytics.change_webhook(:w, :'hook', active => false);
DELETE FROM leadanalytics.anomaly_told WHERE workspace = :w;
SELECT leadanalytics.tell_anomalies('2026-02-26 01:00Z') >= 0 AS looked, leadanalytics.set_lead_status(:w, :lead, 'fake', now => '2026-02-26 01:00Z') ->> 'updated' AS updated;
SELECT (SELECT count(*) FROM leadanalytics.anomaly_told WHERE workspace = :w) AS anomalies, (SELECT count(*) FROM leadanalytics.outbox WHERE workspace = :w AND body ->> 'status' = 'fake') AS changes;

-- Those of all rooms but schedule's, which tests its own.
SELECT t.name, count(d.name) > 0 AS happened, string_agg(DISTINCT d.undescribed, ' ') AS undescribed, string_agg(DISTINCT d.missing, ' ') AS missing
FROM leadanalytics.topic t LEFT JOIN pg_temp.differs d ON d.name = t.name WHERE t.builtin AND t.name NOT LIKE 'report.%' GROUP BY t.name ORDER BY t.name;
-- The catalog has them, and a topic of one's own.
BEGIN;
INSERT INTO leadanalytics.topic (name, summary, example) VALUES ('my.topic', 'mine', '{"a": 1}');
SELECT e ->> 'event' AS event, e -> 'example' AS example FROM json_array_elements(leadanalytics.webhook_catalog()) e WHERE e ->> 'event' = 'my.topic';
SELECT leadanalytics.openapi() -> 'webhooks' -> 'my.topic' -> 'post' -> 'requestBody' -> 'content' -> 'application/json' -> 'example' -> 'data' AS described;
SELECT count(*) = (SELECT count(*) FROM leadanalytics.topic) AS all_there FROM json_array_elements(leadanalytics.webhook_catalog());
ROLLBACK;
-- Control: a member too many is seen, and one that is missing.
INSERT INTO leadanalytics.outbox (workspace, topic, body, created_at) VALUES (:w, 'lead.drought', '{"minutes": 1, "more": {"deep": 1}, "threshold_minutes": 1, "previous_alert_at": null}', now());
SELECT undescribed, missing FROM pg_temp.differs WHERE name = 'lead.drought' AND undescribed IS NOT NULL;

DELETE FROM leadanalytics.workspace WHERE id = :w;
