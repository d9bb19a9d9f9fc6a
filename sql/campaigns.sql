-- Events of messages, what follows from them, and their counts (D-41, D-42, D-63, D-65).
\set QUIET 1
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('mail', 'Mail') AS w \gset
SELECT leadanalytics.create_workspace('other-mail', 'Other') AS other \gset

-- What is wrong with an event is told by its index; the others are taken.
SELECT leadanalytics.put_message_events(:w, '[
    {"message_id": "m1", "event": "sent", "timestamp": "2026-03-01T10:00:00Z", "campaign_id": "c1", "domain_id": "d1", "mailbox_id": "b1", "sending_ip": "192.0.2.1",
     "lead_id": "l1", "recipient": "a@example.com", "workflow_execution_id": "x1"},
    {"event": "sent"}, {"message_id": "m1"}, {"message_id": "m1", "event": "read"}, {"message_id": "", "event": "sent"}, {"message_id": 7, "event": "sent"}, 7,
    {"message_id": "m1", "event": "opened", "timestamp": "yesterday"}, {"message_id": "m1", "event": "opened", "timestamp": "1999-12-31T23:59:59Z"},
    {"message_id": "m1", "event": "opened", "ip": "300.1.1.1"}, {"message_id": "m1", "event": "sent", "sending_ip": "10.0.0.0/8"},
    {"message_id": "m1", "event": "bounced", "bounce_type": "firm"}, {"message_id": "m1", "event": "opened", "campaign_id": 7},
    {"message_id": "m1", "event": "opened", "timestamp": 1772362800}]', '2026-03-02 00:00Z');
SELECT leadanalytics.put_message_events(:w, '7');
SELECT leadanalytics.put_message_events(-1, '[]');
-- Everything that its sending told is the message's; later events need not say it again.
SELECT c.key AS campaign, d.key AS domain, b.key AS mailbox, m.sending_ip, m.lead, m.recipient, m.workflow, m.sent_at, m.delivered_at, m.opened_at
FROM leadanalytics.message m JOIN leadanalytics.campaign c ON c.id = m.campaign JOIN leadanalytics.sending_domain d ON d.id = m.domain JOIN leadanalytics.mailbox b ON b.id = m.mailbox;
-- An unknown campaign is made with its key as name.
SELECT key, name, status FROM leadanalytics.campaign;

-- Retries: the same event_id, or the same words, is the same event; without id and time every one is another.
SELECT leadanalytics.put_message_events(:w, '[{"message_id": "m1", "event": "clicked", "event_id": "e1", "timestamp": "2026-03-01T12:00:00Z", "url": "https://a.example/"},
    {"message_id": "m1", "event": "clicked", "event_id": "e1", "timestamp": "2026-03-01T12:00:00Z", "url": "https://a.example/"},
    {"message_id": "m1", "event": "replied", "timestamp": "2026-03-01T13:00:00Z"}, {"message_id": "m1", "event": "replied", "timestamp": "2026-03-01T13:00:00Z"},
    {"message_id": "m1", "event": "opened"}, {"message_id": "m1", "event": "opened"}]', '2026-03-02 00:00Z');
SELECT leadanalytics.put_message_events(:w, '{"message_id": "m1", "event": "clicked", "event_id": "e1", "timestamp": "2026-03-01T12:00:00Z"}', '2026-03-02 00:01Z');
SELECT kind, count(*) FROM leadanalytics.message_event GROUP BY kind ORDER BY kind;
-- Of one second: a scanner's open and a person's, a soft bounce and a hard one, whichever comes first; a blank member says nothing.
SELECT leadanalytics.put_message_events(:w, '[{"message_id": "t1", "event": "opened", "timestamp": "2026-03-01T12:00:00Z", "user_agent": "Mozilla/5.0"},
    {"message_id": "t1", "event": "opened", "timestamp": "2026-03-01T12:00:00Z"}, {"message_id": "t1", "event": "opened", "timestamp": 1772366400, "user_agent": ""},
    {"message_id": "t2", "event": "bounced", "timestamp": "2026-03-01T12:00:00Z", "bounce_type": "soft", "reason": "busy"},
    {"message_id": "t2", "event": "bounced", "timestamp": "2026-03-01T12:00:00Z", "bounce_type": "hard", "reason": "gone"}]', '2026-03-02 00:00Z');
SELECT m.key, (SELECT count(*) FROM leadanalytics.message_event e WHERE e.message = m.id) AS events, m.opened_at IS NOT NULL AS opened, m.is_hard,
       (SELECT t.text FROM leadanalytics.message_text t WHERE t.id = m.reason) AS reason
FROM leadanalytics.message m WHERE m.key IN ('t1', 't2') ORDER BY m.key;
-- An event without a time that comes again in the next month.
SELECT leadanalytics.put_message_events(:w, '{"message_id": "m2", "event": "replied", "event_id": "edge"}', '2026-03-31 23:59:59Z');
SELECT leadanalytics.put_message_events(:w, '{"message_id": "m2", "event": "replied", "event_id": "edge"}', '2026-04-01 00:00:01Z');
SELECT count(*) FROM leadanalytics.message_event e JOIN leadanalytics.message m ON m.id = e.message WHERE m.key = 'm2';
-- A time that lies ahead is the receipt's; one long ago is believed.
SELECT leadanalytics.put_message_events(:w, '[{"message_id": "m3", "event": "sent", "timestamp": "2030-01-01T00:00:00Z"}, {"message_id": "m4", "event": "sent", "timestamp": "2020-01-01T00:00:00Z"}]',
    '2026-04-02 00:00Z');
SELECT key, sent_at FROM leadanalytics.message WHERE key IN ('m3', 'm4') ORDER BY key;

-- Each month is a table: they are not made by the hundred.
SELECT leadanalytics.put_message_events(:w, json_agg(json_build_object('message_id', 'old', 'event', 'opened', 'timestamp', to_char(date '2005-01-01' + n * interval '1 month', 'YYYY-MM-DD')))) FROM generate_series(1, 61) AS n;

-- D-65: bounces. Hard wins over soft and keeps the first one's time; a bounced message is never delivered.
SELECT leadanalytics.put_message_events(:w, '[{"message_id": "b1", "event": "sent", "timestamp": "2026-05-01T10:00:00Z"},
    {"message_id": "b1", "event": "delivered", "timestamp": "2026-05-01T10:01:00Z"},
    {"message_id": "b1", "event": "bounced", "timestamp": "2026-05-01T11:00:00Z", "bounce_code": "4.2.2"},
    {"message_id": "b1", "event": "bounced", "timestamp": "2026-05-02T11:00:00Z", "bounce_code": "5.1.1"}]');
SELECT m.sent_at, m.delivered_at, m.bounced_at, m.is_hard, t.text FROM leadanalytics.message m JOIN leadanalytics.message_text t ON t.id = m.reason WHERE m.key = 'b1';
SELECT v.*, leadanalytics.bounce_is_hard(v.type, v.code, v.reason) AS hard, coalesce(v.reason, leadanalytics.bounce_reason(v.code)) AS words
FROM (VALUES (1, 'hard', '4.2.2', NULL), (2, 'soft', '5.1.1', NULL), (3, NULL, '5.1.1', NULL), (4, NULL, '4.4.1', NULL), (5, NULL, '5.2.2', NULL), (6, NULL, '550', NULL), (7, NULL, '421', NULL),
    (8, NULL, '550 5.7.1 no', NULL), (9, NULL, NULL, 'Mailbox full'), (10, NULL, NULL, 'Invalid recipient'), (11, NULL, NULL, 'User unknown'), (12, NULL, NULL, NULL), (13, NULL, '15.1.1', NULL))
    AS v (n, type, code, reason) ORDER BY n;

-- D-41: machines. Too soon after the sending or the delivery, three links at once, known agents.
SELECT leadanalytics.put_message_events(:w, '[{"message_id": "s1", "event": "sent", "timestamp": "2026-06-01T10:00:00Z"},
    {"message_id": "s1", "event": "opened", "timestamp": "2026-06-01T10:00:04.9Z"}, {"message_id": "s1", "event": "opened", "timestamp": "2026-06-01T10:00:05Z"},
    {"message_id": "s2", "event": "sent", "timestamp": "2026-06-01T10:00:00Z"}, {"message_id": "s2", "event": "delivered", "timestamp": "2026-06-01T10:10:00Z"},
    {"message_id": "s2", "event": "opened", "timestamp": "2026-06-01T10:10:01Z"}, {"message_id": "s2", "event": "opened", "timestamp": "2026-06-01T11:00:00Z"},
    {"message_id": "s3", "event": "clicked", "timestamp": "2026-06-01T12:00:00Z", "url": "a"}, {"message_id": "s3", "event": "clicked", "timestamp": "2026-06-01T12:00:02Z", "url": "b"},
    {"message_id": "s3", "event": "clicked", "timestamp": "2026-06-01T12:00:05Z", "url": "c"}, {"message_id": "s3", "event": "clicked", "timestamp": "2026-06-01T12:00:11Z", "url": "c"},
    {"message_id": "s4", "event": "clicked", "timestamp": "2026-06-01T12:00:00Z", "url": "a"}, {"message_id": "s4", "event": "clicked", "timestamp": "2026-06-01T12:00:01Z", "url": "b"},
    {"message_id": "s4", "event": "clicked", "timestamp": "2026-06-01T12:00:02Z", "url": "a"},
    {"message_id": "s5", "event": "opened", "timestamp": "2026-06-01T13:00:00Z", "user_agent": "Mozilla/5.0"},
    {"message_id": "s6", "event": "opened", "timestamp": "2026-06-01T13:00:00Z", "user_agent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"},
    {"message_id": "s7", "event": "clicked", "timestamp": "2026-06-01T13:00:00Z", "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36"},
    {"message_id": "s8", "event": "clicked", "timestamp": "2026-06-01T13:00:00Z", "user_agent": "Mozilla/5.0 (compatible; Barracuda Sentinel)"}]');
SELECT key, opened_at, clicked_at FROM leadanalytics.message WHERE key ~ '^s[0-9]' ORDER BY key;

-- Why an open counts, and why it does not.
SELECT at, event, is_machine, url, user_agent FROM leadanalytics.message_events_rows(:w, 's3') UNION ALL SELECT at, event, is_machine, url, user_agent FROM leadanalytics.message_events_rows(:w, 's5');
SELECT event, is_hard, bounce_code, reason FROM leadanalytics.message_events_rows(:w, 'b1') WHERE event = 'bounced';
SELECT * FROM leadanalytics.message_events_rows(:w, 'nobody');

-- The same whatever the order of events: random ones, put in random order and batches of random size, beside plain SQL
-- from the events, before and after the counts are summed up, for any time and campaign.
SELECT setseed(0.42);
CREATE TEMP TABLE made AS
SELECT n, 'r' || (random() * 400)::int AS message_id,
       (ARRAY['sent', 'sent', 'delivered', 'delivered', 'bounced', 'opened', 'opened', 'clicked', 'clicked', 'replied', 'complained', 'unsubscribed'])[1 + floor(random() * 12)] AS event,
       'c' || (random() * 3)::int AS campaign_id, 'd' || (random() * 2)::int AS domain_id, 'b' || (random() * 4)::int AS mailbox_id,
       timestamptz '2026-10-20 00:00Z' + floor(random() * 86400)::int * interval '1 second' + floor(random() * 20)::int * interval '1 day' AS at,
       'http://x/' || (random() * 6)::int AS url, (ARRAY['hard', 'soft', NULL])[1 + floor(random() * 3)] AS bounce_type, 'r' || (random() * 3)::int AS reason
FROM generate_series(1, 2500) AS n;
INSERT INTO made SELECT n + 10000 * k, message_id, 'clicked', campaign_id, domain_id, mailbox_id, at + k * interval '1 second', 'http://x/' || k FROM made, generate_series(1, 4) AS k WHERE n % 7 = 0;
INSERT INTO made SELECT n + 100000 * k, message_id, CASE WHEN k > 2 THEN 'opened' ELSE 'clicked' END, campaign_id, domain_id, mailbox_id, at + k * 2 * interval '1 second', 'http://x/' || k
FROM made, generate_series(1, 4) AS k WHERE n % 5 = 0 AND event = 'sent';
SELECT leadanalytics.put_message_events(:w, j) ->> 'rejected' AS rejected, count(*) AS batches
FROM (SELECT json_agg(json_strip_nulls(json_build_object('message_id', message_id, 'event', event, 'campaign_id', campaign_id, 'domain_id', domain_id, 'mailbox_id', mailbox_id,
          'timestamp', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'url', url, 'bounce_type', bounce_type, 'reason', reason))) AS j
      FROM (SELECT *, floor(random() * 12) AS batch FROM made ORDER BY md5(n::text)) AS r GROUP BY batch) AS b GROUP BY 1;
CREATE FUNCTION pg_temp.states(workspace int) RETURNS SETOF record LANGUAGE sql AS $$
    SELECT id, campaign, domain, mailbox, sent_at, delivered_at, bounced_at, is_hard, reason, opened_at, clicked_at, replied_at, complained_at, unsubscribed_at
    FROM leadanalytics.message m WHERE m.workspace = states.workspace $$;
CREATE FUNCTION pg_temp.state_differences(workspace int) RETURNS bigint LANGUAGE sql AS $$
    WITH kept AS (SELECT * FROM pg_temp.states(workspace) AS (id bigint, campaign int, domain int, mailbox int, sent_at timestamptz, delivered_at timestamptz, bounced_at timestamptz,
                      is_hard boolean, reason int, opened_at timestamptz, clicked_at timestamptz, replied_at timestamptz, complained_at timestamptz, unsubscribed_at timestamptz)),
         plain AS (SELECT * FROM leadanalytics.exact_message_states(workspace))
    SELECT count(*) FROM ((TABLE kept EXCEPT TABLE plain) UNION ALL (TABLE plain EXCEPT TABLE kept)) AS d $$;
SELECT pg_temp.state_differences(:w) AS differences, count(*) > 300 AS messages FROM leadanalytics.message WHERE workspace = :w;
CREATE FUNCTION pg_temp.sums(exact boolean, workspace int, series "char", starts timestamptz, ends timestamptz, campaign int)
RETURNS TABLE (bucket timestamptz, campaign_id int, domain int, mailbox int, reason int, n bigint[]) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('leadanalytics.exact', exact::text, true);
    RETURN QUERY
    SELECT * FROM (
        SELECT t.bucket, t.campaign, t.domain, t.mailbox, t.reason,
               ARRAY[sum(sent), sum(delivered), sum(hard), sum(soft), sum(opened), sum(clicked), sum(replied), sum(complained), sum(unsubscribed)]::bigint[] AS n
        FROM leadanalytics.message_tallies(workspace, series, starts, ends, campaign) t GROUP BY 1, 2, 3, 4, 5) AS s
    WHERE 0 <> ANY (s.n);
END $$;
CREATE FUNCTION pg_temp.count_differences(workspace int, questions int) RETURNS TABLE (asked bigint, rows_seen bigint, differ bigint) LANGUAGE plpgsql AS $$
DECLARE
    q record;
BEGIN
    asked := 0; rows_seen := 0; differ := 0;
    FOR q IN SELECT s.s::"char" AS series, a.at AS starts, a.at + (random() * 12 * 86400)::int * interval '1 second' AS ends,
                    CASE WHEN s.s NOT IN ('b', 'w', 'e') AND random() < 0.4 THEN (SELECT c.id FROM leadanalytics.campaign c WHERE c.workspace = count_differences.workspace AND c.key = 'c' || (1 + n % 3)) END AS campaign
             FROM unnest('{d,h,m,b,s,w,e}'::text[]) AS s (s), generate_series(1, questions) AS n,
                  LATERAL (SELECT timestamptz '2026-10-19 00:00Z' + (random() * 25 * 86400 + n * 0)::int * interval '1 second' AS at) AS a LOOP
        asked := asked + 1;
        rows_seen := rows_seen + (SELECT count(*) FROM pg_temp.sums(false, workspace, q.series, q.starts, q.ends, q.campaign));
        differ := differ + (SELECT count(*) FROM (
            (SELECT * FROM pg_temp.sums(true, workspace, q.series, q.starts, q.ends, q.campaign) EXCEPT SELECT * FROM pg_temp.sums(false, workspace, q.series, q.starts, q.ends, q.campaign))
            UNION ALL
            (SELECT * FROM pg_temp.sums(false, workspace, q.series, q.starts, q.ends, q.campaign) EXCEPT SELECT * FROM pg_temp.sums(true, workspace, q.series, q.starts, q.ends, q.campaign))) AS d);
    END LOOP;
    RETURN NEXT;
END $$;
SELECT asked, rows_seen > 1000 AS many, differ FROM pg_temp.count_differences(:w, 10);
SELECT leadanalytics.sum_messages(now()) > 1000 AS summed, leadanalytics.sum_messages(now()) AS again;
SELECT asked, rows_seen > 1000 AS many, differ FROM pg_temp.count_differences(:w, 10);
-- Late events change facts, and with them counts: some of both kinds.
SELECT leadanalytics.put_message_events(:w, (SELECT json_agg(json_build_object('message_id', 'r' || n, 'event', (ARRAY['sent', 'opened', 'bounced', 'clicked'])[1 + n % 4], 'campaign_id', 'c' || n % 3,
    'timestamp', to_char(timestamptz '2026-10-19 12:00Z' + n * interval '3 hours', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) FROM generate_series(1, 100) AS n)) ->> 'accepted' AS late;
SELECT pg_temp.state_differences(:w) AS differences;
SELECT asked, rows_seen > 1000 AS many, differ FROM pg_temp.count_differences(:w, 10);
-- Counted anew it is the same.
SELECT leadanalytics.recount_messages(:w) = (SELECT count(*) FROM leadanalytics.message WHERE workspace = :w) AS all_messages;
SELECT asked, rows_seen > 1000 AS many, differ FROM pg_temp.count_differences(:w, 5);
-- Other rules for machines: what was counted stays until it is counted anew.
SET leadanalytics.machine_time = '1min';
SELECT pg_temp.state_differences(:w) > 0 AS differs;
SELECT leadanalytics.recount_messages(:w) > 0 AS recounted;
SELECT pg_temp.state_differences(:w) AS differences;
RESET leadanalytics.machine_time;
SELECT leadanalytics.recount_messages(:w) > 0 AS recounted;

-- Events that come past our functions are counted too.
INSERT INTO leadanalytics.message_event (at, received_at, message, workspace, kind) SELECT '2026-10-25 10:00Z', now(), id, workspace, 'u' FROM leadanalytics.message WHERE key = 'm1';
SELECT unsubscribed_at FROM leadanalytics.message WHERE key = 'm1';
SELECT asked, differ FROM pg_temp.count_differences(:w, 2);
-- Another workspace's message of the same name is another message.
SELECT leadanalytics.put_message_events(:other, '{"message_id": "m1", "event": "sent", "timestamp": "2026-03-01T10:00:00Z"}') ->> 'accepted' AS accepted;
SELECT count(*), count(opened_at) FROM leadanalytics.message WHERE key = 'm1';
SELECT count(*) FROM leadanalytics.message_tallies(:other, 'd', '-infinity', 'infinity');

-- Without a worker: what nobody summed up does not grow beyond bounds.
INSERT INTO leadanalytics.message_fresh_tally SELECT :other, 'd', timestamptz '2026-03-01 00:00Z' + n * interval '1 day', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM generate_series(1, 25000) AS n;
SELECT leadanalytics.put_message_events(:other, json_agg(json_build_object('message_id', 'n' || n, 'event', 'sent', 'timestamp', '2026-03-02T00:00:00Z'))) ->> 'accepted' AS put FROM generate_series(1, 2000) AS n GROUP BY n % 2;
SELECT count(*) < 10000 AS bounded FROM leadanalytics.message_fresh_tally;
SELECT sum(sent) FROM leadanalytics.message_tallies(:other, 'd', '-infinity', 'infinity');
