-- Messages and their events as ingestion would have written them: 3.9 events a message in 90 days, 50 campaigns of ten
-- workspaces, the first of which has half of all, from four domains and 32 mailboxes each. What a message is follows from
-- its number: every run makes the same.
CREATE FUNCTION bench.chance(message bigint, salt int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT (hashint8extended(message, salt) & 1048575) / 1048576.0 $$;
CREATE TABLE bench.workspace AS
SELECT n, leadanalytics.create_workspace('bench-campaigns-' || n, timezone => 'America/New_York') AS id, CASE n WHEN 1 THEN 14 ELSE 4 END AS campaigns FROM generate_series(1, 10) AS n;
INSERT INTO leadanalytics.campaign (workspace, key, name, status, created_at)
SELECT w.id, 'campaign-' || c, 'Campaign ' || c, 'active', :'ends'::timestamptz - interval '91 days' FROM bench.workspace w, generate_series(1, w.campaigns) AS c;
INSERT INTO leadanalytics.sending_domain (workspace, key, name, created_at)
SELECT w.id, 'domain-' || d, 'mail' || d || '.example', :'ends'::timestamptz - interval '91 days' FROM bench.workspace w, generate_series(1, 4) AS d;
INSERT INTO leadanalytics.mailbox (workspace, key, address, domain, created_at)
SELECT d.workspace, d.key || '-box-' || b, 'box' || b || '@' || d.name, d.id, d.created_at FROM leadanalytics.sending_domain d, generate_series(1, 8) AS b;
INSERT INTO leadanalytics.message_text (workspace, digest, text)
SELECT w.id, leadanalytics.text_digest(t), t FROM bench.workspace w, unnest('{Invalid recipient,Mailbox full,Rejected by policy,Domain accepts no mail,Unknown}'::text[]) AS t;
INSERT INTO leadanalytics.message_text (workspace, digest, text)
SELECT w.id, leadanalytics.text_digest(t), t FROM bench.workspace w, generate_series(1, 100) AS i, LATERAL (VALUES ('https://example.com/offer/' || i), ('Mozilla/5.0 (X11; Linux x86_64) Chrome/' || i)) AS v (t);

-- A campaign sends on its days, some hours of each. No two workspaces share a message's number, and the demo has some.
SELECT nextval('leadanalytics.message_number') AS first \gset
CREATE TABLE bench.message AS
SELECT i AS n, w.id AS workspace, c.id AS campaign, b.domain, b.id AS mailbox, t.first AS text,
       date_trunc('hour', :'ends'::timestamptz) - interval '90 days' + floor(bench.chance(i / 500, 1) * 88) * interval '1 day' + (7 + floor(bench.chance(i / 50, 2) * 11)) * interval '1 hour'
           + bench.chance(i, 3) * interval '1 hour' AS sent_at,
       bench.chance(i, 4) AS fate, bench.chance(i, 5) AS interest
FROM generate_series(:first + 1, :first + :messages) AS i
JOIN bench.workspace w ON w.n = CASE WHEN i % 2 = 0 THEN 1 ELSE 2 + i % 18 / 2 END
JOIN (SELECT c.*, row_number() OVER (PARTITION BY workspace ORDER BY id) AS n FROM leadanalytics.campaign c) AS c ON c.workspace = w.id AND c.n = 1 + i / 500 % w.campaigns
JOIN (SELECT b.*, row_number() OVER (PARTITION BY workspace ORDER BY id) AS n FROM leadanalytics.mailbox b) AS b ON b.workspace = w.id AND b.n = 1 + i / 3 % 32
JOIN (SELECT workspace, min(id) AS first FROM leadanalytics.message_text GROUP BY 1) AS t ON t.workspace = w.id;
SELECT setval('leadanalytics.message_number', :first + :messages) \g /dev/null

-- Indexes are made at the end, and triggers do not fire: what they would have done, leadanalytics.recount_messages() does.
SELECT leadanalytics.make_leaf('message_event', month::date) FROM generate_series(date_trunc('month', :'ends'::timestamptz - interval '91 days', 'UTC'), :'ends'::timestamptz + interval '32 days', '1 month') AS month \g /dev/null
CREATE TABLE bench.index AS
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
    FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indrelid WHERE h.inhparent = 'leadanalytics.message_event'::regclass;
SELECT format('DROP INDEX %s', name) FROM bench.index \gexec
SET session_replication_role = replica;
INSERT INTO leadanalytics.message (workspace, id, key) SELECT workspace, n, 'message-' || n FROM bench.message ORDER BY n;
INSERT INTO leadanalytics.message_event (at, received_at, message, workspace, campaign, domain, mailbox, url, agent, reason, kind, is_hard, event_id, sending_ip, lead, recipient)
SELECT e.at, e.at, m.n, m.workspace, CASE e.kind WHEN 's' THEN m.campaign END, CASE e.kind WHEN 's' THEN m.domain END, CASE e.kind WHEN 's' THEN m.mailbox END,
       CASE e.kind WHEN 'c' THEN m.text + 5 + 2 * (m.n + e.again) % 100 END, CASE WHEN e.kind IN ('o', 'c') THEN m.text + 6 + 2 * m.n % 100 END,
       CASE e.kind WHEN 'b' THEN m.text + m.n % 5 END, e.kind::"char", CASE e.kind WHEN 'b' THEN m.fate < 0.02 END, md5(m.n || '-' || e.kind || e.again)::uuid,
       CASE e.kind WHEN 's' THEN inet '192.0.2.0' + m.n % 8 END, CASE e.kind WHEN 's' THEN 'lead-' || m.n % 500000 END, CASE e.kind WHEN 's' THEN 'lead' || m.n % 500000 || '@example.com' END
FROM bench.message m
CROSS JOIN LATERAL (
    SELECT 's' AS kind, 0 AS again, m.sent_at AS at
    UNION ALL SELECT CASE WHEN m.fate < 0.03 THEN 'b' ELSE 'd' END, 0, m.sent_at + m.fate * interval '1 minute' WHERE m.fate < 0.99
    UNION ALL SELECT 'o', 0, m.sent_at + m.fate * interval '1 minute' + interval '1 second' WHERE m.fate BETWEEN 0.03 AND 0.1 -- a scanner
    UNION ALL SELECT 'o', n, m.sent_at + interval '2 minutes' + (n - 1 + m.fate) * m.interest * interval '30 hours' FROM generate_series(1, (m.interest * 8)::int - 3) AS n WHERE m.fate >= 0.03
    UNION ALL SELECT 'c', n, m.sent_at + interval '3 minutes' + (n - 1 + m.fate) * m.interest * interval '40 hours' FROM generate_series(1, (m.interest * 16)::int - 13) AS n WHERE m.fate >= 0.03
    UNION ALL SELECT v.kind, 0, m.sent_at + interval '10 minutes' + m.fate * interval '3 days'
    FROM (VALUES ('r', 0.50, 0.52), ('p', 0.60, 0.601), ('u', 0.70, 0.703)) AS v (kind, low, high) WHERE m.fate >= v.low AND m.fate < v.high) AS e
WHERE e.at < :'ends'::timestamptz;
RESET session_replication_role;
SELECT definition FROM bench.index \gexec
VACUUM (ANALYZE) leadanalytics.message_event;
