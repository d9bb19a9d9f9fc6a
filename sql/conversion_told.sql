-- D-74 from an event to the ad platform, by SQL: a rule's postback goes to the webhooks of its platform, signed, and is
-- used when the platform took it.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT leadanalytics.create_workspace('postbacks') AS w \gset
SELECT leadanalytics.create_workspace('postbacks-other') AS other \gset
SELECT key AS meta FROM leadanalytics.create_webhook(:w, 'https://hooks.invalid/meta', '{lead.test}', 'meta') \gset
CREATE TEMP TABLE hook (name text, key text, secret text);
INSERT INTO hook SELECT 'all', key, secret FROM leadanalytics.create_webhook(:w, 'https://hooks.invalid/all');
INSERT INTO hook SELECT 'tiktok', key, secret FROM leadanalytics.create_webhook(:w, 'https://hooks.invalid/tiktok', platform => 'tiktok');
INSERT INTO hook SELECT 'meta again', key, secret FROM leadanalytics.create_webhook(:w, 'https://hooks.invalid/meta', '{conversion.postback}', 'meta');
INSERT INTO hook SELECT 'meta, off', key, secret FROM leadanalytics.create_webhook(:w, 'https://hooks.invalid/meta', '{conversion.postback}', 'meta', active => false);
INSERT INTO hook SELECT 'elsewhere', key, secret FROM leadanalytics.create_webhook(:other, 'https://hooks.invalid/meta', '{conversion.postback}', 'meta');
INSERT INTO hook VALUES ('meta', :'meta', leadanalytics.rotate_webhook_secret(:w, :'meta'));
SELECT leadanalytics.put_conversion_rules(:w, '[{"name": "meta", "trigger_event": "purchase", "platform": "meta", "platform_event": "Purchase"}, {"name": "tiktok", "trigger_event": "signup", "platform": "tiktok", "platform_event": "CompleteRegistration"},
    {"name": "nobody", "trigger_event": "purchase", "platform": "google", "platform_event": "purchase"}]') ->> 'accepted' AS rules;
SELECT leadanalytics.track(:w, '{"events": [{"event_name": "purchase", "event_id": "11111111-1111-4111-8111-111111111111", "visitor_id": "v", "event_data": {"value": 99.5}}, {"event_name": "page_view", "visitor_id": "v"}]}', now => '2026-02-01 12:00Z') ->> 'accepted' AS events;
SELECT leadanalytics.fan_out(100000, '2026-02-01 12:00:01Z') >= 2 AS fanned_out;
SELECT count(*) AS left_over FROM leadanalytics.outbox WHERE workspace = :w;
SELECT h.name, d.topic, b.type, b."createdAt", b.data ->> 'platform' AS platform, b.data ->> 'platform_event' AS event, b.data ->> 'value' AS value, b.data ->> 'event_id' AS event_id, b.id = d.occurrence AS known_by_id, d.status, d.next_at
FROM leadanalytics.delivery d JOIN hook h ON h.key = d.webhook, json_to_record(d.body::json) AS b (id text, type text, "createdAt" text, data json)
WHERE d.workspace IN (:w, :other) ORDER BY h.name COLLATE "C";
SELECT count(DISTINCT occurrence) AS occurrences, count(*) AS deliveries FROM leadanalytics.delivery WHERE workspace = :w;
-- S2-06 what each is sent is signed with its own secret; the second way: HMAC as RFC 2104 writes it.
CREATE FUNCTION pg_temp.hmac(message bytea, key bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    padded CONSTANT bytea := CASE WHEN length(key) > 64 THEN sha256(key) ELSE key END || decode(repeat('00', 64 - CASE WHEN length(key) > 64 THEN 32 ELSE length(key) END), 'hex');
    inner_pad bytea := padded;
    outer_pad bytea := padded;
BEGIN
    FOR i IN 0..63 LOOP
        inner_pad := set_byte(inner_pad, i, get_byte(padded, i) # 54);
        outer_pad := set_byte(outer_pad, i, get_byte(padded, i) # 92);
    END LOOP;
    RETURN encode(sha256(outer_pad || sha256(inner_pad || message)), 'hex');
END
$$;
SELECT h.name, c.attempt, c.url, c.mark = 'sha256=' || pg_temp.hmac(convert_to(c.body, 'UTF8'), convert_to(h.secret, 'UTF8')) AS signed
FROM leadanalytics.claim_deliveries(1000, '{}', '2026-02-01 12:00:02Z') c JOIN leadanalytics.delivery d ON d.workspace = c.workspace AND d.id = c.id JOIN hook h ON h.key = d.webhook WHERE c.workspace = :w ORDER BY h.name COLLATE "C";
-- Used is what the platform took, once, whatever is replayed; failures are free.
SELECT id AS first FROM leadanalytics.delivery WHERE workspace = :w AND webhook = :'meta' \gset
SELECT leadanalytics.record_delivery(:w, :first, 1, 500, 'no', NULL, now => '2026-02-01 12:00:03Z') AS outcome;
SELECT postbacks_used FROM leadanalytics.usage_rows(:w, '2026-02-01 13:00Z');
SELECT leadanalytics.replay_delivery(:w, :first, '2026-02-01 12:01Z') AS replayed;
SELECT count(*) AS claimed FROM leadanalytics.claim_deliveries(1000, '{}', '2026-02-01 12:01Z') c WHERE c.workspace = :w AND c.id = :first;
SELECT leadanalytics.record_delivery(:w, :first, 2, 204, '', NULL, now => '2026-02-01 12:01:01Z') AS outcome;
SELECT postbacks_used FROM leadanalytics.usage_rows(:w, '2026-02-01 13:00Z');
SELECT leadanalytics.replay_webhook_delivery(:w, :'meta', 'dlv_' || :first, '2026-02-01 12:02Z') ->> 'status' AS replayed;
SELECT count(*) AS claimed FROM leadanalytics.claim_deliveries(1000, '{}', '2026-02-01 12:02Z') c WHERE c.workspace = :w AND c.id = :first;
SELECT leadanalytics.record_delivery(:w, :first, 3, 200, 'ok', NULL, now => '2026-02-01 12:02:01Z') AS outcome;
SELECT postbacks_used FROM leadanalytics.usage_rows(:w, '2026-02-01 13:00Z');
SELECT e - 'id' - 'eventId' AS shown FROM jsonb_array_elements((leadanalytics.list_webhook_deliveries(:w, :'meta') -> 'data')::jsonb) e;
-- lead.captured goes the same way, to whom it concerns.
SELECT (leadanalytics.capture_lead(:w, '{"FIRSTNAME": "Ann", "EMAIL": "ann@example.com"}', now => '2026-02-01 14:00Z')).status;
SELECT leadanalytics.fan_out(100000, '2026-02-01 14:00Z') >= 1 AS fanned_out;
SELECT h.name, d.topic FROM leadanalytics.delivery d JOIN hook h ON h.key = d.webhook WHERE d.workspace = :w AND d.topic LIKE 'lead.%' ORDER BY 1;

DELETE FROM leadanalytics.workspace WHERE id IN (:w, :other);
