-- L10: droughts, as a question, and told by webhook and mail.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT leadanalytics.create_workspace('drought') AS w \gset
SELECT leadanalytics.create_workspace('drought-other') AS other \gset
SELECT leadanalytics.create_workspace('drought-quiet') AS quiet \gset
CREATE FUNCTION pg_temp.told() RETURNS TABLE (slug text, at text, minutes text, previous text) LANGUAGE sql AS $$
    WITH gone AS (DELETE FROM leadanalytics.outbox o USING leadanalytics.workspace w
                  WHERE w.id = o.workspace AND w.slug LIKE 'drought%' AND o.topic = 'lead.drought' RETURNING w.slug, o.created_at, o.body)
    SELECT g.slug, to_char(g.created_at, 'HH24:MI:SS'), g.body ->> 'minutes', g.body ->> 'previous_alert_at' FROM gone g ORDER BY g.slug, g.created_at
$$;
-- How many of our alerts and mails a look makes: other workspaces are none of our business.
CREATE FUNCTION pg_temp.ours() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM leadanalytics.workspace w
    JOIN (SELECT o.workspace FROM leadanalytics.outbox o WHERE o.topic = 'lead.drought' UNION ALL SELECT d.workspace FROM leadanalytics.delivery d) AS t ON t.workspace = w.id
    WHERE w.slug LIKE 'drought%'
$$;
CREATE FUNCTION pg_temp.look(at timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before CONSTANT bigint := pg_temp.ours();
BEGIN
    PERFORM leadanalytics.tell_lead_droughts(at);
    RETURN pg_temp.ours() - before;
END
$$;

-- The question. Where no lead ever came there is no drought; leads to come do not count yet.
SELECT * FROM leadanalytics.lead_drought(:w, '2026-02-01 12:00Z');
INSERT INTO leadanalytics.lead (workspace, enquiry_at) VALUES (:w, '2026-02-01 12:00Z'), (:w, '2026-02-01 11:00Z'), (:w, '2026-02-01 20:00Z'), (:other, '2026-02-01 12:00Z'), (:quiet, '2026-02-01 12:00Z');
SELECT n.now, d.* FROM unnest('{2026-02-01 12:00Z,2026-02-01 12:29:59.999Z,2026-02-01 12:30Z,2026-02-01 19:59Z,2026-02-01 20:29Z}'::timestamptz[]) AS n (now), leadanalytics.lead_drought(:w, n.now) d ORDER BY 1;
-- The second way.
SELECT count(*) AS differ FROM generate_series('2026-02-01 10:50Z'::timestamptz, '2026-02-01 21:10Z', '37 seconds') AS n (now), leadanalytics.lead_drought(:w, n.now) d
WHERE d.is_drought IS DISTINCT FROM (EXISTS (SELECT FROM leadanalytics.lead l WHERE l.workspace = :w AND l.enquiry_at <= n.now)
                                     AND NOT EXISTS (SELECT FROM leadanalytics.lead l WHERE l.workspace = :w AND l.enquiry_at <= n.now AND l.enquiry_at > n.now - interval '30 minutes'));

-- Nobody wants to know.
SELECT count(*) FROM leadanalytics.lead_drought_alert a JOIN leadanalytics.workspace w ON w.id = a.workspace WHERE w.slug LIKE 'drought%';
SELECT pg_temp.look('2026-02-01 13:00Z') AS told;
-- Webhooks want to know, in two workspaces.
SELECT count(leadanalytics.create_webhook(w, 'https://example.com', topics::text[])) FROM (VALUES (:w, '{*}'), (:other, '{lead.drought}'), (:quiet, '{lead.captured}')) AS v (w, topics);
SELECT pg_temp.look('2026-02-01 12:29Z') AS early;
SELECT pg_temp.look('2026-02-01 12:30Z') AS told;
SELECT * FROM pg_temp.told();
-- Once, whoever looks how often, until two hours have passed; L10 then again, while it lasts.
SELECT n.now, pg_temp.look(n.now) AS told FROM unnest('{2026-02-01 12:30Z,2026-02-01 12:40Z,2026-02-01 14:29:59Z,2026-02-01 14:30Z,2026-02-01 14:40Z}'::timestamptz[]) AS n (now) ORDER BY 1;
SELECT * FROM pg_temp.told();
-- A lead ends it, and its alerts; the next drought waits for the cooldown of the last alert.
INSERT INTO leadanalytics.lead (workspace, enquiry_at) VALUES (:other, '2026-02-01 15:00Z'), (:other, '2026-02-01 15:20Z');
SELECT n.now, pg_temp.look(n.now) AS told FROM unnest('{2026-02-01 15:30Z,2026-02-01 15:50Z,2026-02-01 16:29Z,2026-02-01 16:30Z}'::timestamptz[]) AS n (now) ORDER BY 1;
SELECT * FROM pg_temp.told();
-- The clock is set back by less than the cooldown: nothing is told twice. By more: it is told by the new time.
SELECT n.now, pg_temp.look(n.now) AS told FROM unnest('{2026-02-01 16:20Z,2026-02-01 14:30Z}'::timestamptz[]) AS n (now) ORDER BY 1 DESC;
SELECT n.now, pg_temp.look(n.now) AS told FROM unnest('{2026-02-01 14:00Z,2026-02-01 14:10Z}'::timestamptz[]) AS n (now) ORDER BY 1;
SELECT * FROM pg_temp.told();

-- Set up: thresholds, mails, off.
SELECT leadanalytics.set_lead_drought(:quiet, 60, 240, '{ann@example.com,bob@example.com}');
SELECT d.* FROM leadanalytics.lead_drought(:quiet, '2026-02-01 12:59Z') d;
SELECT leadanalytics.set_lead_drought(:w, active => false), leadanalytics.set_lead_drought(:other, active => false);
SELECT n.now, pg_temp.look(n.now) AS told FROM unnest('{2026-02-01 12:59Z,2026-02-01 13:00Z,2026-02-01 16:59Z,2026-02-01 17:00Z}'::timestamptz[]) AS n (now) ORDER BY 1;
SELECT * FROM pg_temp.told();
SELECT recipient, subject, body, topic, next_at, created_at FROM leadanalytics.delivery WHERE workspace = :quiet ORDER BY id;
SELECT count(DISTINCT occurrence) AS occurrences FROM leadanalytics.delivery WHERE workspace = :quiet;
SELECT leadanalytics.set_lead_drought(:w, 0);
SELECT leadanalytics.set_lead_drought(:w, 30, NULL);
SELECT leadanalytics.set_lead_drought(:w, recipients => '{nobody}');
SELECT leadanalytics.set_lead_drought(:w, recipients => E'{"a@b\nBcc:c@d"}');
SELECT leadanalytics.set_lead_drought(-1);
SELECT minutes, cooldown_minutes, recipients, active FROM leadanalytics.lead_drought_rule WHERE workspace = :w;

DELETE FROM leadanalytics.workspace WHERE id IN (:w, :other, :quiet);
