-- S4-06: what may be asked for, and the records of its four types, compared with plain SQL from the messages.
SET timezone = 'Asia/Kolkata'; -- nothing may depend on it
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT leadanalytics.create_workspace('export-campaigns', 'C', 'America/New_York') AS w, leadanalytics.create_workspace('export-none', 'N') AS none \gset

-- 600 messages of three campaigns, one of none, two domains and none, about the end of daylight saving time.
SELECT setseed(0.8);
CREATE TEMP TABLE planned AS
SELECT i, 'm' || i AS message_id, nullif('c' || i % 4, 'c3') AS campaign_id, nullif('d' || i % 3, 'd2') AS domain_id,
       timestamptz '2026-10-20Z' + i * interval '37 minutes' AS sent, random() AS r, random() AS s
FROM generate_series(1, 600) i;
SELECT leadanalytics.put_message_events(:w, (
    SELECT json_agg(json_strip_nulls(json_build_object('message_id', message_id, 'event', 'sent', 'timestamp', sent, 'campaign_id', campaign_id, 'domain_id', domain_id)) ORDER BY i) FROM planned), '2026-11-10Z') ->> 'accepted' AS sent;
SELECT leadanalytics.put_message_events(:w, (
    SELECT json_agg(json_build_object('message_id', message_id, 'event', e.event, 'timestamp', sent + e.after, 'bounce_type', e.hard, 'reason', 'why') ORDER BY i)
    FROM planned, LATERAL (VALUES
        ('bounced', interval '1 minute', 'hard', r < 0.1), ('bounced', '2 minutes', 'soft', r BETWEEN 0.1 AND 0.15),
        ('opened', s * interval '3 days', NULL, r > 0.4), ('clicked', s * interval '3 days' + interval '1 hour', NULL, r > 0.6),
        ('replied', s * interval '5 days' + interval '1 hour', NULL, r > 0.8), ('complained', '1 day', NULL, r > 0.97), ('unsubscribed', '2 days', NULL, r > 0.95)) AS e (event, after, hard, does)
    WHERE e.does), '2026-11-12Z') ->> 'rejected' AS rejected;
UPDATE leadanalytics.campaign SET status = CASE key WHEN 'c0' THEN 'active' WHEN 'c1' THEN 'completed' END, name = CASE key WHEN 'c1' THEN '=evil()' ELSE name END WHERE workspace = :w;

-- What the records are made of, otherwise: each message's own facts.
CREATE TEMP VIEW fact AS
SELECT m.workspace, c.key AS campaign, d.key AS domain, m.sent_at, f.kind, f.at, (f.at AT TIME ZONE 'UTC')::date AS day
FROM leadanalytics.message m
LEFT JOIN leadanalytics.campaign c ON c.workspace = m.workspace AND c.id = m.campaign
LEFT JOIN leadanalytics.sending_domain d ON d.workspace = m.workspace AND d.id = m.domain
CROSS JOIN LATERAL (VALUES ('sent', m.sent_at), ('delivered', m.delivered_at), (CASE WHEN m.is_hard THEN 'hard' ELSE 'soft' END, m.bounced_at), ('opened', m.opened_at),
                           ('clicked', m.clicked_at), ('replied', m.replied_at), ('complained', m.complained_at), ('unsubscribed', m.unsubscribed_at)) AS f (kind, at)
WHERE f.at IS NOT NULL;
CREATE FUNCTION pg_temp.share(part bigint, whole bigint) RETURNS numeric LANGUAGE sql AS
    $$ SELECT CASE WHEN whole = 0 THEN 0 ELSE least(100, round(100.0 * part / whole, 2)) END $$;
CREATE TEMP TABLE asked AS
SELECT row_number() OVER () AS n, jsonb_build_object('starts', s, 'ends', e, 'time_series', t, 'campaigns', c) AS options, s::timestamptz AS starts, e::timestamptz AS ends, t AS series,
       ARRAY(SELECT p.key FROM leadanalytics.campaign p WHERE to_jsonb(p.id) <@ c) AS keys
FROM (VALUES ('2026-10-21Z', '2026-11-06Z'), ('2026-10-25 07:30:00.5Z', '2026-10-28 13:45:10Z'), ('2026-11-01Z', '2026-11-02Z'), ('2026-10-20 10:00Z', '2026-10-20 10:15Z')) AS v (s, e),
     unnest('{f,t}'::boolean[]) AS t,
     (SELECT NULL::jsonb UNION ALL SELECT jsonb_agg(p.id) FROM leadanalytics.campaign p WHERE p.workspace = :w AND p.key IN ('c0', 'c1')
      UNION ALL SELECT jsonb_agg(p.id) FROM leadanalytics.campaign p WHERE p.workspace = :w AND p.key = 'c2') AS k (c);
CREATE TEMP VIEW chosen AS
SELECT a.n, a.series, f.* FROM asked a JOIN fact f ON f.at >= a.starts AND f.at < a.ends AND (a.keys = '{}' OR f.campaign = ANY (a.keys)) WHERE f.workspace = (SELECT id FROM leadanalytics.workspace WHERE slug = 'export-campaigns');
CREATE TEMP VIEW span AS
SELECT a.n, d.day::date FROM asked a CROSS JOIN LATERAL (
    SELECT NULL::date AS day UNION ALL
    SELECT generate_series(date_trunc('day', a.starts AT TIME ZONE 'UTC'), (a.ends - interval '1 microsecond') AT TIME ZONE 'UTC', '1 day')::date WHERE a.series) AS d;

CREATE TEMP TABLE made_performance AS SELECT a.n, r.* FROM asked a, leadanalytics.campaign_performance_records(:w, a.options, '2026-11-12Z') j,
    json_to_record(j) AS r (campaign_id text, campaign_name text, date date, emails_sent bigint, emails_delivered bigint, emails_bounced bigint, emails_opened bigint, emails_clicked bigint,
        emails_replied bigint, spam_complaints bigint, unsubscribes bigint, delivery_rate numeric, open_rate numeric, click_rate numeric, click_to_open_rate numeric, reply_rate numeric,
        bounce_rate numeric, spam_rate numeric, unsubscribe_rate numeric);
CREATE TEMP TABLE plain_performance (LIKE made_performance);
INSERT INTO plain_performance
SELECT n, campaign, CASE campaign WHEN 'c1' THEN '=evil()' ELSE campaign END, day, s, d, h + f, o, c, r, p, u, pg_temp.share(d, s), pg_temp.share(o, d), pg_temp.share(c, d), pg_temp.share(c, o),
       pg_temp.share(r, d), pg_temp.share(h + f, s), pg_temp.share(p, d), pg_temp.share(u, d)
FROM (SELECT x.n, x.campaign, x.day, count(*) FILTER (WHERE k.kind = 'sent') s, count(*) FILTER (WHERE k.kind = 'delivered') d, count(*) FILTER (WHERE k.kind = 'hard') h,
             count(*) FILTER (WHERE k.kind = 'soft') f, count(*) FILTER (WHERE k.kind = 'opened') o, count(*) FILTER (WHERE k.kind = 'clicked') c, count(*) FILTER (WHERE k.kind = 'replied') r,
             count(*) FILTER (WHERE k.kind = 'complained') p, count(*) FILTER (WHERE k.kind = 'unsubscribed') u
      FROM (SELECT DISTINCT c.n, c.campaign, s.day FROM chosen c JOIN span s USING (n) WHERE c.campaign IS NOT NULL) AS x
      LEFT JOIN chosen k ON k.n = x.n AND k.campaign = x.campaign AND (x.day IS NULL OR k.day = x.day)
      GROUP BY 1, 2, 3) AS t;
SELECT count(*) > 100 AS many, count(*) FILTER (WHERE date IS NULL) AS totals FROM made_performance;
(TABLE made_performance EXCEPT ALL TABLE plain_performance) UNION ALL (TABLE plain_performance EXCEPT ALL TABLE made_performance);

CREATE TEMP TABLE made_overview AS SELECT a.n, r.* FROM asked a, leadanalytics.workspace_overview_records(:w, a.options, '2026-11-12Z') j,
    json_to_record(j) AS r (date date, total_campaigns bigint, active_campaigns bigint, emails_sent bigint, emails_delivered bigint, emails_opened bigint, emails_clicked bigint, emails_replied bigint,
        delivery_rate numeric, open_rate numeric, click_rate numeric, reply_rate numeric);
-- c0 is active, c1 completed, of c2 it is not told: active when it sent something
CREATE TEMP TABLE plain_overview (LIKE made_overview);
INSERT INTO plain_overview
SELECT t.n, day, CASE WHEN day IS NULL THEN CASE WHEN keys = '{}' THEN 3 ELSE cardinality(keys) END::bigint END,
       CASE WHEN day IS NULL THEN (SELECT count(*) FROM unnest('{c0,c2}'::text[]) k WHERE (keys = '{}' OR k = ANY (keys)) AND (k = 'c0' OR EXISTS (SELECT FROM chosen x WHERE x.n = t.n AND x.campaign = k AND x.kind = 'sent'))) END,
       s, d, o, c, r, pg_temp.share(d, s), pg_temp.share(o, d), pg_temp.share(c, d), pg_temp.share(r, d)
FROM (SELECT x.n, x.day, count(*) FILTER (WHERE k.kind = 'sent') s, count(*) FILTER (WHERE k.kind = 'delivered') d, count(*) FILTER (WHERE k.kind = 'opened') o,
             count(*) FILTER (WHERE k.kind = 'clicked') c, count(*) FILTER (WHERE k.kind = 'replied') r
      FROM span x LEFT JOIN chosen k ON k.n = x.n AND (x.day IS NULL OR k.day = x.day)
      WHERE x.n IN (SELECT n FROM chosen) GROUP BY 1, 2) AS t JOIN asked a USING (n);
SELECT count(*) > 30 AS many, count(*) FILTER (WHERE date IS NULL) AS totals FROM made_overview;
(TABLE made_overview EXCEPT ALL TABLE plain_overview) UNION ALL (TABLE plain_overview EXCEPT ALL TABLE made_overview);

CREATE TEMP TABLE made_deliverability AS SELECT a.n, r.* FROM asked a, leadanalytics.deliverability_records(:w, a.options, '2026-11-12Z') j,
    json_to_record(j) AS r (campaign_id text, domain_id text, date date, emails_sent bigint, hard_bounces bigint, soft_bounces bigint, spam_complaints bigint,
        estimated_inbox_placement_rate numeric, spam_rate numeric, bounce_rate numeric, hard_bounce_rate numeric, soft_bounce_rate numeric);
CREATE TEMP TABLE plain_deliverability (LIKE made_deliverability);
INSERT INTO plain_deliverability
SELECT n, campaign, domain, day, s, h, f, p, greatest(0, pg_temp.share(s - h - f - p, s)), pg_temp.share(p, s), pg_temp.share(h + f, s), pg_temp.share(h, s), pg_temp.share(f, s)
FROM (SELECT x.n, x.campaign, x.domain, x.day, count(*) FILTER (WHERE k.kind = 'sent') s, count(*) FILTER (WHERE k.kind = 'hard') h, count(*) FILTER (WHERE k.kind = 'soft') f,
             count(*) FILTER (WHERE k.kind = 'complained') p
      FROM (SELECT DISTINCT c.n, c.campaign, c.domain, s.day FROM chosen c JOIN span s USING (n)) AS x
      LEFT JOIN chosen k ON k.n = x.n AND (k.campaign, k.domain) IS NOT DISTINCT FROM (x.campaign, x.domain) AND (x.day IS NULL OR k.day = x.day)
      GROUP BY 1, 2, 3, 4) AS t;
SELECT count(*) > 100 AS many, count(*) FILTER (WHERE date IS NULL) AS totals FROM made_deliverability;
(TABLE made_deliverability EXCEPT ALL TABLE plain_deliverability) UNION ALL (TABLE plain_deliverability EXCEPT ALL TABLE made_deliverability);

CREATE TEMP TABLE made_heatmap AS SELECT a.n, r.* FROM asked a, leadanalytics.engagement_heatmap_records(:w, a.options, '2026-11-12Z') j,
    json_to_record(j) AS r (timezone text, day_of_week text, time_period text, emails_sent bigint, emails_opened bigint, emails_clicked bigint, emails_replied bigint, open_rate numeric, engagement_score numeric);
-- by when they were sent, whatever became of them whenever (D-42)
CREATE TEMP TABLE plain_heatmap (LIKE made_heatmap);
INSERT INTO plain_heatmap
SELECT n, 'America/New_York', dow, period, s, o, c, r, pg_temp.share(o, s), round((0.3 * o + 0.4 * c + 0.3 * r) / s * 100, 2)
FROM (SELECT a.n, trim(to_char(m.sent_at AT TIME ZONE 'America/New_York', 'Day')) AS dow,
             CASE WHEN h.hour < 6 THEN 'nighttime' WHEN h.hour < 9 THEN 'early_morning' WHEN h.hour < 17 THEN 'office_hours' ELSE 'evening' END AS period,
             count(*) AS s, count(m.opened_at) AS o, count(m.clicked_at) AS c, count(m.replied_at) AS r
      FROM asked a JOIN leadanalytics.message m ON m.workspace = :w AND m.sent_at >= a.starts AND m.sent_at < a.ends
      LEFT JOIN leadanalytics.campaign p ON p.workspace = m.workspace AND p.id = m.campaign
      CROSS JOIN LATERAL extract(hour FROM m.sent_at AT TIME ZONE 'America/New_York') AS h (hour)
      WHERE a.keys = '{}' OR p.key = ANY (a.keys) GROUP BY 1, 2, 3) AS t;
SELECT count(*) > 100 AS many FROM made_heatmap;
(TABLE made_heatmap EXCEPT ALL TABLE plain_heatmap) UNION ALL (TABLE plain_heatmap EXCEPT ALL TABLE made_heatmap);

-- Nothing in the time.
SELECT count(*) FROM leadanalytics.export_type t, LATERAL (
    SELECT * FROM leadanalytics.campaign_performance_records(:w, '{"starts": "2020-01-01Z", "ends": "2020-02-01Z", "time_series": true}', now())
    UNION ALL SELECT * FROM leadanalytics.workspace_overview_records(:w, '{"starts": "2020-01-01Z", "ends": "2020-02-01Z", "time_series": true}', now())
    UNION ALL SELECT * FROM leadanalytics.deliverability_records(:w, '{"starts": "2020-01-01Z", "ends": "2020-02-01Z", "time_series": true}', now())
    UNION ALL SELECT * FROM leadanalytics.engagement_heatmap_records(:w, '{"starts": "2020-01-01Z", "ends": "2020-02-01Z", "time_series": true}', now())) AS r;

-- Asking. D-02: thirty days are today and the thirty before; D-03: ends are inclusive as they are written.
SELECT r AS time_range, p.starts AT TIME ZONE 'UTC' AS starts, p.ends AT TIME ZONE 'UTC' AS ends
FROM unnest(ARRAY['"7d"', '"30d"', '"90d"', 'null', '{"start": "2026-10-01", "end": "2026-10-01"}', '{"start": "2026-10-01T10:00:00Z", "end": "2026-10-02T12:00:00+02:00"}']::json[]) AS r,
     leadanalytics.campaign_period_json(r, '2025-11-26 23:30Z') AS p;
CREATE FUNCTION pg_temp.refusal(w int, type text, format text, range text, campaigns text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM leadanalytics.ask_export(w, type, format, range::json, campaigns::json, now => '2026-11-12Z');
    RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' ', SQLSTATE, SQLERRM, detail);
END $$;
SELECT v.*, pg_temp.refusal(:w, v.type, v.format, v.range, v.campaigns)
FROM (VALUES ('campaign_performance', 'csv', NULL, NULL), ('campaign_performance', 'json', '"90d"', '["c0", "c1", "c0"]'), ('deliverability', 'ndjson', 'null', 'null'),
             (NULL, 'csv', NULL, NULL), ('unknown', 'csv', NULL, NULL), ('deliverability', 'xls', NULL, NULL), ('deliverability', NULL, NULL, NULL),
             ('deliverability', 'csv', '"1d"', NULL), ('deliverability', 'csv', '"custom"', NULL), ('deliverability', 'csv', '5', NULL), ('deliverability', 'csv', '[]', NULL),
             ('deliverability', 'csv', '{}', NULL), ('deliverability', 'csv', '{"start": "2026-10-01"}', NULL), ('deliverability', 'csv', '{"start": "2026-10-01", "end": "soon"}', NULL),
             ('deliverability', 'csv', '{"start": 1, "end": 2}', NULL), ('deliverability', 'csv', '{"start": "2026-10-02", "end": "2026-10-01"}', NULL),
             ('deliverability', 'csv', '{"start": "2026-10-01T10:00:00Z", "end": "2026-10-01T10:00:00Z"}', NULL),
             ('deliverability', 'csv', NULL, '[]'), ('deliverability', 'csv', NULL, '"c0"'), ('deliverability', 'csv', NULL, '["c0", 1]'), ('deliverability', 'csv', NULL, '["c0", null]'),
             ('deliverability', 'csv', NULL, '["c0", "cx", "cy"]')) AS v (type, format, range, campaigns);
SELECT regexp_replace(leadanalytics.ask_export(:w, 'workspace_overview', now => '2025-11-26 10:00Z')::text, 'exp_\w+', 'exp_…') AS "S4-06";
SELECT pg_temp.refusal(:none, 'workspace_overview', 'csv', NULL, '["c0"]');
-- Ten thousand years have too many days for a record each, and are no more than others for one record.
SELECT leadanalytics.ask_export(:none, 'workspace_overview', time_range => '{"start": "0001-01-01", "end": "9999-12-31"}', include_time_series => true);
SELECT pg_temp.refusal(:none, 'workspace_overview', 'csv', '{"start": "0001-01-01", "end": "9999-12-31"}', NULL);
SELECT format, options - 'campaigns' AS options, jsonb_array_length(nullif(options -> 'campaigns', 'null')) AS campaigns FROM leadanalytics.exports WHERE workspace = :w ORDER BY created_at, format;
SELECT leadanalytics.ask_export(:none, 'workspace_overview') ->> 'status' AS status;
CALL leadanalytics.write_exports('2026-11-12 00:01Z');
SELECT type, format, status, records, error FROM leadanalytics.exports WHERE workspace IN (:w, :none) ORDER BY workspace, created_at, format;
-- A record for each of a million days would keep the worker from all other exports; without them any time will do.
SELECT leadanalytics.ask_export(:w, 'deliverability', time_range => '{"start": "0001-01-01", "end": "9999-12-31"}', include_time_series => true);
SELECT leadanalytics.ask_export(:w, 'deliverability', time_range => '{"start": "0001-01-01", "end": "9999-12-31"}') ->> 'status' AS status;
DELETE FROM leadanalytics.workspace WHERE id IN (:w, :none);
