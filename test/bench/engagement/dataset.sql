-- Leads of the engine's visitors, their way through the pipeline, who works on them, and mail to them: written straight
-- into the tables, as ingestion would have. Everything is told by hashes (../draw.sql).
SELECT workspace AS w, starts AS begins FROM bench.fact \gset
SET jit = off;
SET work_mem = '128MB';
SET synchronous_commit = off;

-- Of a hundred leads sixty are taken up, thirty qualified, ten won.
CREATE TABLE bench.lead AS
SELECT i, bench.u(i, 40) AS fate, date_trunc('milliseconds', :'begins'::timestamptz + bench.u(i, 41) * interval '90 days') AS at
FROM generate_series(1, :leads) AS i ORDER BY 3;
INSERT INTO leadanalytics.lead (workspace, enquiry_at, external_id, status, name, email, source, visitor_id, owner_id, team_id)
SELECT :w, at, 'lead-' || i, CASE WHEN fate < 0.1 THEN 'won' WHEN fate < 0.3 THEN 'qualified' WHEN fate < 0.5 THEN 'contacted' WHEN fate < 0.6 THEN 'lost' ELSE 'new' END, 'Lead ' || i,
       'lead' || i || '@example.com', 'source-' || bench.zipf(bench.u(i, 42), 30), md5('visitor ' || i)::uuid::text, 'user-' || i % 40, 'team-' || i % 8
FROM bench.lead ORDER BY at;
CREATE TABLE bench.step AS
SELECT l.id, b.at + s.place * bench.u(b.i, 43) * interval '3 days' AS at, s.place, s.from_status, s.to_status
FROM bench.lead b JOIN leadanalytics.lead l ON l.workspace = :w AND l.external_id = 'lead-' || b.i
JOIN (VALUES (0, NULL, 'new', 0, 1), (1, 'new', 'contacted', 0, 0.6), (2, 'contacted', 'qualified', 0, 0.3), (3, 'qualified', 'won', 0, 0.1), (4, 'contacted', 'lost', 0.5, 0.6))
    AS s (place, from_status, to_status, low, high) ON b.fate >= s.low AND b.fate < s.high;
INSERT INTO leadanalytics.lead_status_change (workspace, lead, from_status, to_status, at) SELECT :w, id, from_status, to_status, at FROM bench.step ORDER BY at, place;
INSERT INTO leadanalytics.lead_assignment (workspace, lead, owner_id, team_id, at) SELECT :w, l.id, l.owner_id, l.team_id, l.enquiry_at FROM leadanalytics.lead l WHERE l.workspace = :w ORDER BY l.enquiry_at;

-- A message has 4.5 events, or so: sent, delivered or bounced, opened and clicked some times, answered.
SELECT nextval('leadanalytics.message_number') AS first \gset
CREATE UNLOGGED TABLE bench.message AS
SELECT n, date_trunc('milliseconds', :'begins'::timestamptz + bench.u(n, 50) * interval '88 days') AS at, bench.u(n, 51) AS fate, bench.u(n, 52) AS interest
FROM generate_series(:first + 1, :first + :messages) AS n;
SELECT setval('leadanalytics.message_number', :first + :messages);
SELECT leadanalytics.make_leaf('message_event', month::date) FROM generate_series(date_trunc('month', :'begins'::timestamptz, 'UTC'), :'ends'::timestamptz + interval '32 days', '1 month') AS month;
-- What the triggers would have done, leadanalytics.recount_messages() does.
SET session_replication_role = replica;
INSERT INTO leadanalytics.message (workspace, id, key) SELECT :w, n, 'message-' || n FROM bench.message ORDER BY n;
INSERT INTO leadanalytics.message_event (at, received_at, message, workspace, kind, is_hard, event_id, lead, recipient, workflow)
SELECT e.at, e.at, m.n, :w, e.kind::"char", CASE e.kind WHEN 'b' THEN m.fate < 0.02 END, md5(m.n || '-' || e.kind || e.again)::uuid,
       CASE e.kind WHEN 's' THEN 'lead-' || m.n % :leads + 1 END, CASE e.kind WHEN 's' THEN 'lead' || m.n % :leads + 1 || '@example.com' END, CASE e.kind WHEN 's' THEN 'run-' || m.n % 100 END
FROM bench.message m
CROSS JOIN LATERAL (
    SELECT 's' AS kind, 0 AS again, m.at
    UNION ALL SELECT CASE WHEN m.fate < 0.03 THEN 'b' ELSE 'd' END, 0, m.at + m.fate * interval '1 minute'
    UNION ALL SELECT 'o', n, m.at + interval '2 minutes' + (n - 1 + m.fate) * m.interest * interval '30 hours' FROM generate_series(1, (m.interest * 8)::int - 2) AS n WHERE m.fate >= 0.03
    UNION ALL SELECT 'c', n, m.at + interval '3 minutes' + (n - 1 + m.fate) * m.interest * interval '40 hours' FROM generate_series(1, (m.interest * 10)::int - 7) AS n WHERE m.fate >= 0.03
    UNION ALL SELECT 'r', 0, m.at + interval '10 minutes' + m.fate * interval '3 days' WHERE m.fate >= 0.5 AND m.fate < 0.52) AS e
WHERE e.at < :'ends'::timestamptz;
RESET session_replication_role;
SELECT leadanalytics.recount_messages(:w);
