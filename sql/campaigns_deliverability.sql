-- Deliverability (S4-03, D-40, D-45, D-47, D-65): the document's figures, and random ones beside plain SQL from the events.
\set QUIET 1
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('ws_document', 'Document') AS w \gset
CREATE FUNCTION pg_temp.tried(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE statement INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN concat_ws(' ', SQLSTATE, SQLERRM);
END $$;
SELECT leadanalytics.deliverability(:w, now => '2025-11-26 12:00Z');

-- The document's: 75 000 sent, 800 hard and 700 soft bounces, 350 for full mailboxes, 500 for no recipient, 2.5 % spam.
INSERT INTO leadanalytics.message (workspace, id, key) SELECT :w, nextval('leadanalytics.message_number'), 'doc' || i FROM generate_series(1, 75000) AS i;
SELECT leadanalytics.put_message_events(:w, json_build_array(json_build_object('message_id', 'doc1', 'event', 'bounced', 'timestamp', '2025-11-15T10:00:01Z', 'bounce_type', 'soft', 'reason', 'Mailbox full'),
    json_build_object('message_id', 'doc351', 'event', 'bounced', 'timestamp', '2025-11-15T10:00:01Z', 'bounce_code', '5.1.1'),
    json_build_object('message_id', 'doc851', 'event', 'bounced', 'timestamp', '2025-11-15T10:00:01Z', 'bounce_type', 'hard', 'reason', 'Rejected'),
    json_build_object('message_id', 'doc1151', 'event', 'bounced', 'timestamp', '2025-11-15T10:00:01Z', 'bounce_type', 'soft', 'reason', 'Greylisted'))) ->> 'accepted' AS accepted;
WITH doc AS (SELECT m.id, substr(m.key, 4)::int AS n FROM leadanalytics.message m WHERE m.workspace = :w)
INSERT INTO leadanalytics.message_event (at, received_at, message, workspace, kind, is_hard, reason)
SELECT '2025-11-01 10:00Z'::timestamptz + (d.n % 2) * interval '14 days' + interval '1 second' * (k.kind <> 's')::int, now(), d.id, :w, k.kind::"char", k.is_hard, (SELECT t.id FROM leadanalytics.message_text t WHERE t.workspace = :w AND t.text = k.reason)
FROM doc d CROSS JOIN LATERAL (
    SELECT 's', NULL::boolean, NULL UNION ALL
    SELECT 'b', d.n BETWEEN 351 AND 1150, CASE WHEN d.n <= 350 THEN 'Mailbox full' WHEN d.n <= 850 THEN 'Invalid recipient' WHEN d.n <= 1150 THEN 'Rejected' ELSE 'Greylisted' END
    WHERE d.n <= 1500 AND d.n NOT IN (1, 351, 851, 1151) UNION ALL
    SELECT 'p', NULL, NULL WHERE d.n BETWEEN 2001 AND 3875) AS k (kind, is_hard, reason);
SELECT leadanalytics.put_ips(:w, '[{"key": "a", "address": "192.0.2.1", "checked_at": "2025-11-26T10:00:00Z"}, {"key": "b", "address": "192.0.2.2", "checked_at": "2025-11-25T10:00:00Z"},
    {"key": "c", "address": "192.0.2.3", "checked_at": "2025-11-26T09:59:59Z"}, {"key": "d", "address": "192.0.2.4"}]') ->> 'accepted' AS ips;
-- Their mailbox is the one without a name: 40 · 0.98 + 30 · 0.98 + 30 · 0.975 = 97.85.
SELECT leadanalytics.deliverability(:w, now => '2025-11-26 12:00Z') AS d \gset
SELECT key, value FROM json_each(:'d') WHERE key <> 'bounce_analysis';
SELECT key, value FROM json_each(:'d'::json -> 'bounce_analysis') WHERE key <> 'top_bounce_reasons';
SELECT * FROM json_array_elements(:'d'::json #> '{bounce_analysis,top_bounce_reasons}') AS reason;
SELECT leadanalytics.put_ip(:w, 'd', '192.0.2.4', true);
SELECT leadanalytics.deliverability(:w, now => '2025-11-26 12:00Z') -> 'blacklist_status' AS blacklist_status;

-- Ranges (D-02): today and as many days before, whole days of UTC.
SELECT r AS time_range, leadanalytics.deliverability(:w, r, now => n::timestamptz) -> 'time_range' AS is, leadanalytics.deliverability(:w, r, now => n::timestamptz) #>> '{reputation_trend,0,date}' AS first
FROM unnest('{7d,30d,90d}'::text[]) AS r, unnest('{2025-11-22 00:00Z,2025-11-22 23:59:59Z,2025-11-23 00:00Z,2025-12-01 00:00Z,2025-12-02 00:00Z,2026-01-30 12:00Z,2026-01-31 12:00Z}'::text[]) AS n ORDER BY n, length(r), r;
SELECT pg_temp.tried(format('SELECT leadanalytics.deliverability(%s, %L)', :w, r)) FROM unnest('{custom,1d,"",30D}'::text[]) AS r;
SELECT pg_temp.tried(format('SELECT leadanalytics.deliverability(%s, %s)', :w, r)) FROM unnest(ARRAY['campaign => ''nobody''', 'domain => ''nobody''', 'campaign => ''''']) AS r;
SELECT pg_temp.tried(format('SELECT leadanalytics.deliverability(%s)', w)) FROM unnest('{-1,NULL::int}'::text[]) AS w;

-- A mailbox's own score stands before the one that is reckoned; the mean is weighted by sends (D-45).
SELECT leadanalytics.create_workspace('health', 'Health') AS h \gset
SELECT leadanalytics.health_score(12, 9, 3, 2) AS half_up; -- 30 + 22.5 + 25
SELECT leadanalytics.put_mailboxes(:h, '[{"key": "put", "health_score": 40.5}, {"key": "idle", "health_score": 1}]') ->> 'accepted' AS mailboxes;
SELECT leadanalytics.put_message_events(:h, (SELECT json_agg(json_build_object('message_id', b || i, 'event', e, 'mailbox_id', nullif(b, 'none'), 'timestamp', t)) FROM (VALUES
    ('put', 1, 3, 'sent', '2025-11-10T10:00:00Z'), ('reckoned', 1, 4, 'sent', '2025-11-10T10:00:00Z'), ('reckoned', 1, 1, 'bounced', '2025-11-10T11:00:00Z'), ('reckoned', 2, 2, 'complained', '2025-11-11T11:00:00Z'),
    ('none', 1, 1, 'sent', '2025-11-12T23:59:59Z'), ('put', 4, 4, 'sent', '2025-11-13T00:00:00Z'), ('idle', 1, 1, 'complained', '2025-11-13T10:00:00Z')) AS v (b, a, z, e, t), generate_series(a, z) AS i)) ->> 'accepted' AS events;
SELECT * FROM leadanalytics.mailbox_health_rows(:h, '2025-11-01Z', '2025-12-01Z');
SELECT * FROM leadanalytics.reputation_rows(:h, '2025-11-01Z', '2025-12-01Z');
SELECT leadanalytics.deliverability(:h, now => '2025-11-26 12:00Z') -> 'overall' AS overall;
-- Bounces of what was sent before the range: nothing is more than all, and nothing less than none.
SELECT leadanalytics.put_message_events(:h, (SELECT json_agg(json_build_object('message_id', 'late' || i, 'event', e, 'timestamp', t)) FROM (VALUES
    (1, 9, 'sent', '2025-06-01T10:00:00Z'), (1, 3, 'bounced', '2025-07-10T10:00:00Z'), (4, 6, 'complained', '2025-07-10T10:00:00Z'), (10, 11, 'sent', '2025-07-10T10:00:00Z')) AS v (a, z, e, t), generate_series(a, z) AS i)) ->> 'accepted' AS events;
SELECT leadanalytics.deliverability(:h, '7d', now => '2025-07-12 12:00Z') AS d \gset
SELECT :'d'::json -> 'overall' AS overall, :'d'::json #> '{bounce_analysis,soft_bounce_rate}' AS soft, :'d'::json -> 'reputation_trend' AS trend;
-- No sends: no rates, no score; the bounces that there are are told.
SELECT leadanalytics.put_message_events(:h, '{"message_id": "late7", "event": "bounced", "timestamp": "2025-08-10T10:00:00Z"}') ->> 'accepted' AS events;
SELECT leadanalytics.deliverability(:h, '7d', now => '2025-08-12 12:00Z') AS d \gset
SELECT :'d'::json -> 'overall' AS overall, :'d'::json -> 'bounce_analysis' AS bounces, :'d'::json -> 'reputation_trend' AS trend;
-- Five reasons, most first, then by name (D-47).
SELECT leadanalytics.put_message_events(:h, (SELECT json_agg(json_build_object('message_id', 'reason' || n || '-' || i, 'event', 'bounced', 'reason', chr(96 + n), 'timestamp', '2025-09-10T10:00:00Z'))
    FROM generate_series(1, 7) AS n, generate_series(1, CASE n WHEN 5 THEN 3 WHEN 7 THEN 2 ELSE 1 END) AS i)) ->> 'accepted' AS events;
SELECT leadanalytics.deliverability(:h, '7d', now => '2025-09-12 12:00Z') #> '{bounce_analysis,top_bounce_reasons}' AS reasons;
SELECT string_agg(reason || ' ' || count || ' ' || percentage, ', ') FROM leadanalytics.bounce_reasons_rows(:h, '2025-09-01Z', '2025-10-01Z');

-- Random ones, asked for random times, campaigns and domains, before and after the counts are summed up: beside the events.
SELECT leadanalytics.create_workspace('random-mail', 'Random') AS r \gset
SELECT setseed(0.8);
SELECT leadanalytics.put_mailboxes(:r, '[{"key": "b1", "address": "b1@x", "domain_id": "d1", "health_score": 77.7}, {"key": "b2", "domain_id": "d2"}, {"key": "b3"}]') ->> 'accepted' AS mailboxes;
SELECT leadanalytics.put_message_events(:r, j) ->> 'rejected' AS rejected, count(*) AS batches
FROM (SELECT json_agg(json_strip_nulls(json_build_object('message_id', 'r' || (random() * 500)::int, 'timestamp', to_char(timestamptz '2025-10-20 00:00Z' + (random() * 25 * 86400)::int * interval '1 second', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
          'event', (ARRAY['sent', 'sent', 'sent', 'delivered', 'bounced', 'bounced', 'opened', 'complained'])[1 + floor(random() * 8)], 'campaign_id', (ARRAY['c1', 'c2', 'c3', NULL])[1 + floor(random() * 4)],
          'domain_id', (ARRAY['d1', 'd2', NULL])[1 + floor(random() * 3)], 'mailbox_id', (ARRAY['b1', 'b2', 'b3', NULL])[1 + floor(random() * 4)], 'bounce_type', (ARRAY['hard', 'soft', NULL])[1 + floor(random() * 3)],
          'reason', (ARRAY['full', 'gone', 'policy', NULL])[1 + floor(random() * 4)], 'bounce_code', (ARRAY['4.2.2', '5.1.1', NULL])[1 + floor(random() * 3)]))) AS j
      FROM generate_series(1, 3000) AS n GROUP BY n % 5) AS b GROUP BY 1;
-- An event that came past our functions says no reason.
INSERT INTO leadanalytics.message_event (at, received_at, message, workspace, kind, is_hard) SELECT '2025-10-30 10:00Z', now(), max(id), :r, 'b', true FROM leadanalytics.message WHERE workspace = :r;
CREATE TEMP TABLE facts AS
WITH said AS (
    SELECT e.workspace, e.message, min(e.at) FILTER (WHERE e.kind = 's') AS sent, min(e.at) FILTER (WHERE e.kind = 'd') AS delivered, min(e.at) FILTER (WHERE e.kind = 'b') AS bounced,
           min(e.at) FILTER (WHERE e.kind = 'p') AS complained, count(*) FILTER (WHERE e.is_hard) > 0 AS is_hard,
           coalesce((array_agg(coalesce(t.text, '') ORDER BY e.is_hard DESC, e.at, e.id) FILTER (WHERE e.kind = 'b'))[1], '') AS reason,
           (array_agg(c.key ORDER BY e.kind = 's' DESC, e.at, e.id) FILTER (WHERE c.key IS NOT NULL))[1]::text AS campaign,
           (array_agg(d.key ORDER BY e.kind = 's' DESC, e.at, e.id) FILTER (WHERE d.key IS NOT NULL))[1]::text AS domain,
           (array_agg(b.key ORDER BY e.kind = 's' DESC, e.at, e.id) FILTER (WHERE b.key IS NOT NULL))[1]::text AS mailbox
    FROM leadanalytics.message_event e LEFT JOIN leadanalytics.message_text t ON t.id = e.reason LEFT JOIN leadanalytics.campaign c ON c.id = e.campaign
    LEFT JOIN leadanalytics.sending_domain d ON d.id = e.domain LEFT JOIN leadanalytics.mailbox b ON b.id = e.mailbox WHERE e.workspace = :r GROUP BY e.workspace, e.message)
SELECT s.workspace, s.campaign, s.domain, s.mailbox, coalesce(nullif(s.reason, ''), 'Unknown') AS reason, f.*
FROM said s CROSS JOIN LATERAL (VALUES ('sent', s.sent), ('delivered', CASE WHEN s.bounced IS NULL THEN coalesce(s.delivered, s.sent) END), (CASE WHEN s.is_hard THEN 'hard' ELSE 'soft' END, s.bounced),
    ('complained', s.complained)) AS f (fact, at) WHERE f.at IS NOT NULL;
CREATE FUNCTION pg_temp.rate(part numeric, whole numeric, digits int DEFAULT 2) RETURNS numeric LANGUAGE sql AS $$ SELECT CASE WHEN whole > 0 THEN least(100, round(100.0 * part / whole, digits)) ELSE 0 END $$;
CREATE FUNCTION pg_temp.differences(w int, times int) RETURNS TABLE (question text, rows_seen bigint, differ bigint) LANGUAGE plpgsql AS $$
DECLARE
    q record;
BEGIN
    CREATE TEMP TABLE found (question text, way int, line text);
    FOR q IN SELECT a.at AS starts, a.at + (n * 0 + random() * 20 * 86400)::int * interval '1 second' AS ends, (ARRAY['c1', 'c2', 'c3', NULL, NULL, NULL])[1 + floor(random() * 6)] AS c, (ARRAY['d1', 'd2', NULL, NULL])[1 + floor(random() * 4)] AS d
             FROM generate_series(1, times) AS n, LATERAL (SELECT timestamptz '2025-10-18 00:00Z' + (n * 0 + random() * 20 * 86400)::int * interval '1 second' AS at) AS a LOOP
        CREATE TEMP TABLE chosen AS SELECT f.* FROM facts f WHERE f.workspace = w AND f.at >= q.starts AND f.at < q.ends AND (q.c IS NULL OR f.campaign = q.c) AND (q.d IS NULL OR f.domain = q.d);
        CREATE TEMP TABLE scored AS
        SELECT g.*, coalesce(b.health_score, CASE WHEN sent > 0 THEN round((40 * least(delivered, sent) + 30 * greatest(0, sent - bounced) + 30 * greatest(0, sent - complained))::numeric / sent) ELSE 0 END) AS score
        FROM (SELECT mailbox, (at AT TIME ZONE 'UTC')::date AS day, count(*) FILTER (WHERE fact = 'sent') AS sent, count(*) FILTER (WHERE fact = 'delivered') AS delivered, count(*) FILTER (WHERE fact IN ('hard', 'soft')) AS bounced,
                     count(*) FILTER (WHERE fact = 'complained') AS complained FROM chosen GROUP BY GROUPING SETS ((mailbox), (mailbox, 2))) AS g
        LEFT JOIN leadanalytics.mailbox b ON b.workspace = w AND b.key = g.mailbox;
        INSERT INTO found
        SELECT 'rows', 1, format('%s %s %s', q.starts, q.ends, r) FROM leadanalytics.deliverability_rows(w, q.starts, q.ends, q.c, q.d) r UNION ALL
        SELECT 'rows', 2, format('%s %s %s', q.starts, q.ends, r) FROM (
            SELECT campaign, domain, s, d, h, f, p, CASE WHEN s > 0 THEN round(greatest(0, 100.0 * (s - h - f - p)) / s, 2) ELSE 0 END, pg_temp.rate(p, s), pg_temp.rate(h + f, s), pg_temp.rate(h, s), pg_temp.rate(f, s)
            FROM (SELECT campaign, domain, count(*) FILTER (WHERE fact = 'sent') AS s, count(*) FILTER (WHERE fact = 'delivered') AS d, count(*) FILTER (WHERE fact = 'hard') AS h, count(*) FILTER (WHERE fact = 'soft') AS f,
                         count(*) FILTER (WHERE fact = 'complained') AS p FROM chosen GROUP BY campaign, domain) AS c) AS r UNION ALL
        SELECT 'mailboxes', 1, format('%s %s %s', q.starts, q.ends, r) FROM leadanalytics.mailbox_health_rows(w, q.starts, q.ends, q.c, q.d) r UNION ALL
        SELECT 'mailboxes', 2, format('%s %s %s', q.starts, q.ends, r) FROM (
            SELECT mailbox, (SELECT b.address FROM leadanalytics.mailbox b WHERE b.workspace = w AND b.key = mailbox), sent, delivered, bounced, complained, pg_temp.rate(bounced, sent), pg_temp.rate(complained, sent), score
            FROM scored WHERE day IS NULL) AS r UNION ALL
        SELECT 'reasons', 1, format('%s %s %s', q.starts, q.ends, r) FROM leadanalytics.bounce_reasons_rows(w, q.starts, q.ends, q.c, q.d) r UNION ALL
        SELECT 'reasons', 2, format('%s %s %s', q.starts, q.ends, r) FROM (SELECT reason, count(*), pg_temp.rate(count(*), (SELECT count(*) FROM chosen WHERE fact IN ('hard', 'soft')), 1) FROM chosen WHERE fact IN ('hard', 'soft') GROUP BY 1) AS r UNION ALL
        SELECT 'trend', 1, format('%s %s %s', q.starts, q.ends, r) FROM leadanalytics.reputation_rows(w, q.starts, q.ends, q.c, q.d) r UNION ALL
        SELECT 'trend', 2, format('%s %s %s', q.starts, q.ends, r) FROM (SELECT day, round(sum(score * sent) / sum(sent)) FROM scored WHERE day IS NOT NULL GROUP BY day HAVING sum(sent) > 0) AS r UNION ALL
        -- the whole body: of the days that end where the time does
        SELECT 'body', 1, format('%s %s %s %s %s', v.p, d.j -> 'overall', d.j #> '{bounce_analysis,hard_bounces}', d.j #> '{bounce_analysis,soft_bounces}', d.j #> '{bounce_analysis,hard_bounce_rate}')
        FROM (VALUES ('7d'), ('30d')) AS v (p), LATERAL (SELECT leadanalytics.deliverability(w, v.p, q.c, q.d, q.ends) AS j) AS d UNION ALL
        SELECT 'body', 2, format('%s %s %s %s %s', v.p, json_build_object('estimated_inbox_placement_rate', CASE WHEN s > 0 THEN round(greatest(0, 100.0 * (s - h - f - p2)) / s, 2) ELSE 0 END, 'spam_rate', pg_temp.rate(p2, s),
                   'bounce_rate', pg_temp.rate(h + f, s), 'health_score', coalesce(health, 0)), h, f, pg_temp.rate(h, s))
        FROM (VALUES ('7d', 7), ('30d', 30)) AS v (p, days)
        CROSS JOIN LATERAL (SELECT coalesce(sum(s), 0) AS s, coalesce(sum(h), 0) AS h, coalesce(sum(f), 0) AS f, coalesce(sum(p2), 0) AS p2, round(sum(s * score) / nullif(sum(s), 0)) AS health FROM (
            SELECT g.*, coalesce(b.health_score, CASE WHEN s > 0 THEN round((40 * least(g.d, s) + 30 * greatest(0, s - (h + f)) + 30 * greatest(0, s - p2))::numeric / s) ELSE 0 END) AS score
            FROM (SELECT mailbox, count(*) FILTER (WHERE fact = 'sent') AS s, count(*) FILTER (WHERE fact = 'delivered') AS d, count(*) FILTER (WHERE fact = 'hard') AS h, count(*) FILTER (WHERE fact = 'soft') AS f,
                         count(*) FILTER (WHERE fact = 'complained') AS p2
                  FROM facts WHERE workspace = w AND at >= date_trunc('day', q.ends) - v.days * interval '1 day' AND at < date_trunc('day', q.ends) + interval '1 day'
                       AND (q.c IS NULL OR campaign = q.c) AND (q.d IS NULL OR domain = q.d) GROUP BY mailbox) AS g
            LEFT JOIN leadanalytics.mailbox b ON b.workspace = w AND b.key = g.mailbox) AS k) AS k;
        DROP TABLE chosen, scored;
    END LOOP;
    RETURN QUERY SELECT f.question, count(*) FILTER (WHERE f.way = 1), (SELECT count(*) FROM (
        (SELECT line FROM found x WHERE x.way = 1 AND x.question = f.question EXCEPT ALL SELECT line FROM found x WHERE x.way = 2 AND x.question = f.question) UNION ALL
        (SELECT line FROM found x WHERE x.way = 2 AND x.question = f.question EXCEPT ALL SELECT line FROM found x WHERE x.way = 1 AND x.question = f.question)) AS d) FROM found f GROUP BY f.question ORDER BY f.question;
    DROP TABLE found;
END $$;
SELECT question, rows_seen > 20 AS many, differ FROM pg_temp.differences(:r, 12);
SELECT leadanalytics.sum_messages(now()) > 0 AS summed;
SELECT question, rows_seen > 20 AS many, differ FROM pg_temp.differences(:r, 12);
