-- What is told (S2-06, L9, D-74): fan-out, claims, what becomes of attempts, replays; time is an argument and nothing is sent.
-- What goes over the network is in test/webhook/*.t. One transaction, so that a preloaded server's own worker sees nothing of it.
\set VERBOSITY terse
BEGIN;
SET LOCAL timezone = 'UTC';
SELECT leadanalytics.create_workspace('webhook-a', 'a') AS a \gset
SELECT leadanalytics.create_workspace('webhook-b', 'b') AS b \gset
CREATE FUNCTION pg_temp.hook(workspace int, key text, topics text[], platform text DEFAULT NULL, at_once int DEFAULT 4, active boolean DEFAULT true) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO leadanalytics.webhook (workspace, key, url, topics, platform, secret, at_once, active, created_at)
       VALUES (workspace, key, 'https://' || key || '.example/', topics, platform, 'the secret', at_once, active, '2026-01-01') $$;
-- Our rows only, though other tests leave some; waiting ones of others are put off.
UPDATE leadanalytics.delivery SET next_at = '3000-01-01', created_at = '2000-01-01', tried_at = '2000-01-01' WHERE status = 'waiting';
DELETE FROM leadanalytics.outbox;

-- S2-06 who is told what: named, all of them, a platform's own postbacks only, nobody who is off, nobody of another workspace.
SELECT pg_temp.hook(:a, 'named', '{lead.captured,report.completed}'), pg_temp.hook(:a, 'all', '{*}'), pg_temp.hook(:a, 'off', '{*}', active => false),
       pg_temp.hook(:a, 'meta', '{conversion.postback}', 'meta'), pg_temp.hook(:a, 'google', '{*}', 'google'), pg_temp.hook(:a, 'both', '{lead.captured}', 'meta'),
       pg_temp.hook(:b, 'other', '{*}');
SELECT leadanalytics.tell(:a, t, d, '2026-03-01 10:00:00.1239Z')
FROM (VALUES (1, 'lead.captured', json '{"b" : 1.50,  "a":"é \u00e9", "b":[ ]}'), (2, 'conversion.postback', '{"platform": "meta"}'), (3, 'report.completed', '{}'), (4, 'lead.test', json '[1, 2]')) AS v (n, t, d) ORDER BY n;
SELECT leadanalytics.fan_out(3, '2026-03-01 10:00:01Z'), leadanalytics.fan_out(3, '2026-03-01 10:00:01Z'), leadanalytics.fan_out(3, '2026-03-01 10:00:01Z');
SELECT count(*) FROM leadanalytics.outbox;
SELECT topic, string_agg(webhook, ' ' ORDER BY webhook COLLATE "C"), count(DISTINCT occurrence) AS ids, count(DISTINCT body) AS bodies FROM leadanalytics.delivery
WHERE workspace IN (:a, :b) GROUP BY topic ORDER BY min(id);
SELECT DISTINCT replace(body, occurrence, 'evt_…'), occurrence ~ '^evt_[0-9a-f]{24}$' AS id, status, attempts, next_at FROM leadanalytics.delivery WHERE workspace = :a ORDER BY 1;
SET ROLE leadanalytics_read;
SELECT leadanalytics.webhook_signature('what do ya want for nothing?', 'Jefe'); -- RFC 4231, 2
RESET ROLE;

-- L9 a claim: fair to workspaces and webhooks, as many as a webhook takes, each once.
DELETE FROM leadanalytics.delivery WHERE workspace IN (:a, :b);
UPDATE leadanalytics.webhook SET topics = '{x.y}', platform = NULL, at_once = 2 WHERE workspace IN (:a, :b);
SELECT leadanalytics.tell(w, 'x.y', json_build_object('n', n), '2026-03-01') FROM generate_series(1, 5) AS n, unnest(ARRAY[:a, :b]) AS w ORDER BY n, w;
SELECT leadanalytics.fan_out(100, '2026-03-01 10:00Z');
CREATE TEMP TABLE claimed AS SELECT 1 AS turn, c.* FROM leadanalytics.claim_deliveries(4, '{}', '2026-03-01 10:00Z') c;
-- two of each workspace, not four of the one that has more webhooks
SELECT workspace = :b AS b, count(*), count(DISTINCT url) AS webhooks, min(attempt), max(attempt) FROM claimed GROUP BY 1 ORDER BY 1;
INSERT INTO claimed SELECT 2, c.* FROM leadanalytics.claim_deliveries(100, '{}', '2026-03-01 10:00Z') c;
INSERT INTO claimed SELECT 3, c.* FROM leadanalytics.claim_deliveries(100, '{}', '2026-03-01 10:00Z') c;
SELECT url, count(*), count(DISTINCT id) AS distinct FROM claimed GROUP BY url ORDER BY url; -- off has none, others two
SELECT DISTINCT leased_until - '2026-03-01 10:00Z' AS lease, next_at = leased_until AS due FROM leadanalytics.delivery WHERE workspace = :a AND attempts = 1;
SELECT bool_and(mark = leadanalytics.webhook_signature(body, 'the secret')) AS signed FROM claimed;

-- Recorded: taken, refused, no answer; who lost the lease, or is an attempt behind, records nothing.
SELECT id AS one FROM claimed WHERE url = 'https://named.example/' ORDER BY id LIMIT 1 \gset
SELECT leadanalytics.record_delivery(:b, :one, 1, 200, 'ok', NULL, now => '2026-03-01 10:00:01Z') AS foreign,
       leadanalytics.record_delivery(:a, :one, 2, 200, 'ok', NULL, now => '2026-03-01 10:00:01Z') AS never,
       leadanalytics.record_delivery(:a, :one, 1, 500, 'no', NULL, now => '2026-03-01 10:00:01Z') AS failed,
       leadanalytics.record_delivery(:a, :one, 1, 200, 'ok', NULL, now => '2026-03-01 10:00:01Z') AS twice;
SELECT status, attempts, answer_status, answer, error, next_at BETWEEN '2026-03-01 10:00:09Z' AND '2026-03-01 10:00:13Z' AS after_ten_seconds, leased_until, ended_at FROM leadanalytics.delivery WHERE id = :one;
-- Its place is free again, for the next one; itself it is not due.
SELECT id <> :one AS next, attempt FROM leadanalytics.claim_deliveries(100, '{}', '2026-03-01 10:00:02Z');
-- A lease that ran out is taken over, but not by who sends it still; the first one's answer comes too late.
SELECT id AS two FROM claimed WHERE url = 'https://all.example/' ORDER BY id LIMIT 1 \gset
UPDATE leadanalytics.webhook SET at_once = 64 WHERE workspace IN (:a, :b);
SAVEPOINT s;
SELECT count(*) FILTER (WHERE id = :two) AS busy FROM leadanalytics.claim_deliveries(100, ARRAY[:two], '2026-03-01 10:00:41Z');
ROLLBACK TO s;
SELECT count(*) FILTER (WHERE id = :two) AS lost FROM leadanalytics.claim_deliveries(100, '{}', '2026-03-01 10:00:41Z');
SELECT leadanalytics.record_delivery(:a, :two, 1, 200, 'late', NULL, now => '2026-03-01 10:00:42Z') AS late,
       leadanalytics.record_delivery(:a, :two, 2, 204, NULL, NULL, now => '2026-03-01 10:00:42Z') AS ours;
SELECT status, attempts, answer_status, answer, delivered_at, ended_at FROM leadanalytics.delivery WHERE id = :two;

-- Pauses: 10 s, doubled up to 6 h, chance makes them a fifth longer or shorter; what Retry-After says, if it is longer and not too long.
SELECT n, leadanalytics.delivery_pause(n) FROM unnest(ARRAY[1, 2, 3, 8, 12, 13, 16, 1000000]) AS n;
CREATE FUNCTION pg_temp.attempts(delivery bigint, n int, status int, retry_after int DEFAULT NULL) RETURNS TABLE (attempt int, outcome text, pause interval) LANGUAGE plpgsql AS $$
DECLARE at timestamptz := '2026-04-01'; d leadanalytics.delivery;
BEGIN
    FOR i IN 1 .. n LOOP
        UPDATE leadanalytics.delivery x SET attempts = attempts + 1, leased_until = at + interval '1 minute' WHERE x.id = $1 AND x.status = 'waiting' RETURNING * INTO d;
        EXIT WHEN NOT FOUND;
        outcome := leadanalytics.record_delivery(d.workspace, d.id, d.attempts, $3, NULL, NULL, $4, now => at);
        attempt := d.attempts;
        SELECT x.next_at - at, x.next_at INTO pause, at FROM leadanalytics.delivery x WHERE x.id = $1;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT attempt, outcome, CASE outcome WHEN 'waiting' THEN pause BETWEEN 0.8 * leadanalytics.delivery_pause(attempt) AND 1.2 * leadanalytics.delivery_pause(attempt) END AS within
FROM pg_temp.attempts(:one, 20, 500) ORDER BY attempt;
SELECT id AS three FROM claimed WHERE url = 'https://meta.example/' ORDER BY id LIMIT 1 \gset
SELECT pause FROM pg_temp.attempts(:three, 1, 503, 3600);
SELECT pause FROM pg_temp.attempts(:three, 1, 503, 2000000000);
SELECT outcome FROM pg_temp.attempts(:three, 1, 410);
-- Chance: a hundred pauses are not one.
SELECT count(DISTINCT leadanalytics.delivery_pause(3) * (0.8 + 0.4 * random())) > 50 AS jitter FROM generate_series(1, 100);

-- Replays: the same occurrence, as many attempts as a new one; what is sent now is left alone; 404 for what is not there or another's.
SAVEPOINT s;
SELECT leadanalytics.replay_delivery(:b, :one, '2026-04-02Z');
ROLLBACK TO s;
SELECT leadanalytics.replay_delivery(:a, :one, '2026-04-02Z');
SELECT status, attempts, attempts_before, next_at, ended_at, error FROM leadanalytics.delivery WHERE id = :one;
SELECT count(*), max(attempt) FROM pg_temp.attempts(:one, 100, 500);
UPDATE leadanalytics.delivery SET leased_until = '2026-04-03', status = 'waiting' WHERE id = :two;
SELECT leadanalytics.replay_delivery(:a, :two, '2026-04-02Z') AS under_way, leadanalytics.replay_delivery(:a, :two, '2026-04-04Z') AS lost;
SELECT leadanalytics.replay_dead(:a, 'nobody', now => '2026-05-01Z'), leadanalytics.replay_dead(:a, since => '2027-01-01Z', now => '2026-05-01Z'),
       leadanalytics.replay_dead(:b, now => '2026-05-01Z'), leadanalytics.replay_dead(:a, 'meta', now => '2026-05-01Z'), leadanalytics.replay_dead(:a, now => '2026-05-01Z');

-- D-74 a postback counts once: when it is first taken.
INSERT INTO leadanalytics.delivery (workspace, webhook, occurrence, topic, body, next_at, created_at, attempts, leased_until)
VALUES (:b, 'other', 'evt_p', 'conversion.postback', '{}', '2026-03-01', '2026-03-01', 1, '2026-03-02') RETURNING id AS p \gset
SELECT leadanalytics.record_delivery(:b, :p, 1, 200, NULL, NULL, now => '2026-03-01Z'), leadanalytics.replay_delivery(:b, :p, '2026-03-05Z');
UPDATE leadanalytics.delivery SET attempts = 2, leased_until = '2026-03-06' WHERE id = :p;
SELECT leadanalytics.record_delivery(:b, :p, 2, 200, NULL, NULL, now => '2026-03-05Z');
SELECT month, postbacks FROM leadanalytics.usage_month WHERE workspace = :b;
SELECT delivered_at, ended_at FROM leadanalytics.delivery WHERE id = :p;

-- Mails: 5xx is the end, unless it is us whom the server does not know; final is final.
SELECT leadanalytics.send_mail(:a, 'x@example.com', 'Subject', 'Text', 'report.completed', 'evt_m', now => '2026-03-01') AS m \gset
SELECT attempt, recipient, subject, body, url, length(mark) FROM leadanalytics.claim_deliveries(100, '{}', '2026-03-01') WHERE id = :m;
SELECT leadanalytics.record_delivery(:a, :m, 1, 535, NULL, 'Login denied', now => '2026-03-01');
UPDATE leadanalytics.delivery SET attempts = 2, leased_until = '2026-03-06' WHERE id = :m;
SELECT leadanalytics.record_delivery(:a, :m, 2, 451, NULL, 'RCPT failed: 451', now => '2026-03-01');
UPDATE leadanalytics.delivery SET attempts = 3, leased_until = '2026-03-06' WHERE id = :m;
SELECT leadanalytics.record_delivery(:a, :m, 3, 550, NULL, 'RCPT failed: 550', now => '2026-03-01'), leadanalytics.replay_delivery(:a, :m, '2026-03-01');
UPDATE leadanalytics.delivery SET attempts = 4, leased_until = '2026-03-06' WHERE id = :m;
SELECT leadanalytics.record_delivery(:a, :m, 4, NULL, NULL, 'the recipient is no mail address', final => true, now => '2026-03-01');

-- The clock is set back by a day: pauses begin anew, and nobody waits a day.
DELETE FROM leadanalytics.delivery WHERE workspace IN (:a, :b) AND id <> :p;
UPDATE leadanalytics.delivery SET status = 'waiting', tried_at = '2026-03-02 10:00Z', next_at = '2026-03-02 10:00:20Z', leased_until = NULL WHERE id = :p;
SELECT leadanalytics.mend_deliveries('2026-03-01 10:00Z');
SELECT next_at, leadanalytics.next_delivery('2026-03-01 10:00Z') = next_at AS next FROM leadanalytics.delivery WHERE id = :p;

-- What ended longer ago than leadanalytics.delivery_keep goes.
UPDATE leadanalytics.delivery SET status = 'dead', ended_at = '2026-03-01' WHERE id = :p;
SELECT leadanalytics.remove_deliveries('2026-03-30 23:59Z') >= 0 AS kept, (SELECT count(*) FROM leadanalytics.delivery WHERE id = :p) AS n;
SELECT leadanalytics.remove_deliveries('2026-03-31 00:01Z') >= 1 AS gone;
SELECT count(*) FROM leadanalytics.delivery WHERE id = :p;

-- Public addresses and others.
SELECT a, leadanalytics.is_public(a::inet) FROM unnest('{8.8.8.8,10.1.2.3,100.127.0.1,100.128.0.1,127.0.0.1,169.254.169.254,172.15.0.1,172.31.0.1,224.0.0.1,::1,::ffff:8.8.8.8,::ffff:10.0.0.1,64:ff9b::a00:1,64:ff9b::808:808,2002:a00:1::,2001:4860:4860::8888,2001:db8::1,fe80::1,fd00::1,ff02::1}'::text[]) AS a;

-- By hand only at top level, and the files of mails.
SAVEPOINT s;
CALL leadanalytics.deliver('2026-03-01');
ROLLBACK TO s;
SELECT file_name, note, fault, final FROM leadanalytics.mail_attachment(:a, 'exp_none', '2026-03-01');
SELECT has_table_privilege('leadanalytics_admin', 'leadanalytics.delivery', 'SELECT') AS rows, has_table_privilege('leadanalytics_admin', 'leadanalytics.webhook', 'SELECT') AS secrets,
       has_table_privilege('leadanalytics_read', 'leadanalytics.deliveries', 'SELECT') AS view,
       has_function_privilege('leadanalytics_write', 'leadanalytics.replay_delivery(int, bigint, timestamptz)', 'EXECUTE') AS write;
-- Who sees contacts masked (S1-A3) sees so of mails, and neither what was told nor what was answered.
CREATE ROLE webhook_marketing IN ROLE leadanalytics_read;
CREATE ROLE webhook_reader IN ROLE leadanalytics_read;
SELECT leadanalytics.grant_workspace(:a, 'webhook_marketing', 'marketing') IS NOT NULL AS one, leadanalytics.grant_workspace(:a, 'webhook_reader') IS NOT NULL AS other;
DELETE FROM leadanalytics.delivery WHERE workspace IN (:a, :b);
INSERT INTO leadanalytics.delivery (workspace, webhook, recipient, subject, topic, occurrence, body, answer, next_at, created_at)
VALUES (:a, NULL, 'ann@example.com', 'Hello', 'x.y', 'o1', 'Dear Ann', NULL, '3000-01-01', '2026-03-01'), (:a, 'named', NULL, NULL, 'x.y', 'o2', '{"email": "ann@example.com"}', 'thanks, ann@example.com', '3000-01-01', '2026-03-01'),
       (:b, 'other', NULL, NULL, 'x.y', 'o3', '{}', NULL, '3000-01-01', '2026-03-01');
SET LOCAL ROLE webhook_marketing;
SELECT webhook, recipient, subject, occurrence, body, answer FROM leadanalytics.deliveries ORDER BY occurrence;
SET LOCAL ROLE webhook_reader;
SELECT webhook, recipient, subject, occurrence, body, answer FROM leadanalytics.deliveries ORDER BY occurrence;
RESET ROLE;
ROLLBACK;
