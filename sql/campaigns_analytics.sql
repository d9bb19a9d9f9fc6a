-- A campaign's analytics and a workspace's overview (S4-01, S4-02): ranges, rates, the documents' figures, and every
-- number beside plain SQL from the events.
\set QUIET 1
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'America/New_York'; -- which must not matter

-- D-02, D-03: ranges. What a question may ask, and what is wrong with it.
CREATE FUNCTION pg_temp.period(time_range text, start_date text, end_date text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    code text;
BEGIN
    RETURN (SELECT format('[%s, %s) said to end %s', leadanalytics.utc_milliseconds(p.starts), leadanalytics.utc_milliseconds(p.ends), leadanalytics.utc_seconds(p.last))
            FROM leadanalytics.campaign_period(time_range, start_date, end_date, '2025-11-26 23:30:00Z') p);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = PG_EXCEPTION_DETAIL;
    RETURN format('%s %s %s', SQLSTATE, code, SQLERRM);
END $$;
SELECT a.*, pg_temp.period(a.range, a.start, a.end)
FROM (VALUES
    (1, '30d', NULL, NULL), (2, '7d', NULL, NULL), (3, '90d', NULL, NULL), (4, NULL, NULL, NULL), (5, '30d', '2025-01-01', '2025-01-02'), (6, '14d', NULL, NULL),
    (10, 'custom', '2025-11-01', '2025-11-03'), (11, 'custom', '2025-11-01', '2025-11-01'), (12, 'custom', '2025-11-01T00:00:00Z', '2025-11-30T23:59:59Z'),
    (13, 'custom', '2025-11-01T10:00:00Z', '2025-11-01T10:00:01Z'), (14, 'custom', '2025-11-01T10:00:00.250Z', '2025-11-01T10:00:00.251Z'),
    (15, 'custom', '2025-11-01T10:00', '2025-11-01T11:00+00:30'), (16, 'custom', '2025-11-01T23:00:00-05:00', '2025-11-02'), (17, 'custom', ' 2025-11-01 ', '2025-11-01T00:00:01'),
    (20, 'custom', '2025-11-02', '2025-11-01'), (21, 'custom', '2025-11-01T10:00:00Z', '2025-11-01T10:00:00Z'), (22, 'custom', '2025-11-01T10:00:01Z', '2025-11-01T10:00:00Z'),
    (23, 'custom', '2025-11-02T00:00:00Z', '2025-11-01'),
    (30, 'custom', NULL, NULL), (31, 'custom', '2025-11-01', NULL), (32, 'custom', NULL, '2025-11-01'), (33, 'custom', '2025-11-01', ' '),
    (34, 'custom', 'yesterday', '2025-11-01'), (35, 'custom', '2025-11-01', '2025-02-30'), (36, 'custom', '2025-11-01', '2025-11-01T25:00:00Z')) AS a (n, range, start, "end") ORDER BY a.n;

-- D-40, D-42, D-07: the three bases; half up; no rate of nothing, none above all.
SELECT metric, basis, leadanalytics.rate_basis(metric) = basis AS same, part, whole FROM leadanalytics.rate_parts(1, 2, 3, 4, 5, 6, 7, 8);
SELECT leadanalytics.rate_basis('open') AS none;
SELECT r.* FROM (VALUES (1, 5000, 4900, 100, 1470, 245, 98, 5, 12), (2, 0, 0, 0, 0, 0, 0, 0, 0), (3, 0, 0, 1, 1, 1, 1, 1, 1), (4, 1, 3, 2, 4, 5, 6, 7, 8), (5, 20000, 20000, 1, 1, 3, 5, 20000, 19999))
    AS n (n, a, b, c, d, e, f, g, h), LATERAL leadanalytics.campaign_rates(a, b, c, d, e, f, g, h) r ORDER BY n.n;

-- Messages by the thousand: so many of each fact, of which the first of a campaign's messages have them.
CREATE FUNCTION pg_temp.send(workspace int, campaign text, prefix text, starts timestamptz, sent int, bounced int, opened int, clicked int, replied int, complained int, unsubscribed int)
RETURNS bigint LANGUAGE sql AS $$
    SELECT leadanalytics.append_message_events(workspace, array_agg(jsonb_populate_record(NULL::leadanalytics.message_item, jsonb_build_object(
        'index', k.n * 10 + e.place, 'key', prefix || k.n, 'kind', e.kind, 'at', starts + e.place * interval '1 hour', 'campaign', campaign,
        'event_id', leadanalytics.text_digest(prefix || k.n || e.kind), 'is_hard', CASE WHEN e.kind = 'b' THEN k.n % 2 = 0 END))))
    FROM generate_series(1, sent) AS k (n)
    CROSS JOIN LATERAL (VALUES (0, 's', true), (1, 'o', k.n <= opened), (2, 'c', k.n <= clicked), (3, 'r', k.n <= replied), (4, 'p', k.n <= complained), (5, 'u', k.n <= unsubscribed),
                               (6, 'b', k.n > sent - bounced)) AS e (place, kind, applies)
    WHERE e.applies $$;

-- S4-01, the document's campaign: 25 days of 200 each, of which the first is the point it shows; the last has half the readers.
SELECT leadanalytics.create_workspace('ws_xyz789') AS w \gset
SELECT sum(pg_temp.send(:w, 'cmp_abc123', 'd' || d || '-', timestamptz '2025-11-01 09:00Z' + d * interval '1 day', 200, 4, CASE d WHEN 24 THEN 30 ELSE 60 END,
    CASE d WHEN 24 THEN 5 ELSE 10 END, CASE d WHEN 24 THEN 2 ELSE 4 END, (d % 5 = 1)::int, (d % 2 = 1)::int)) AS events FROM generate_series(0, 24) AS d;
UPDATE leadanalytics.campaign SET name = 'Q4 Outreach Campaign', status = 'sending' WHERE key = 'cmp_abc123' AND workspace = :w;
SELECT leadanalytics.campaign_analytics(:w, 'cmp_abc123', now => '2025-11-26 10:00Z') AS body \gset
SELECT m.key, CASE m.key WHEN 'time_series' THEN m.value -> 5 ELSE m.value END AS value FROM json_each(:'body') AS m;
SELECT json_array_length(:'body'::json -> 'time_series') AS days;
-- Summed up it is the same, and by weeks and months.
SELECT leadanalytics.sum_messages(now()) > 0 AS summed;
SELECT leadanalytics.campaign_analytics(:w, 'cmp_abc123', now => '2025-11-26 10:00Z')::text = :'body' AS same;
SELECT d, g.step, d.value FROM unnest('{week,month}'::text[]) AS g (step), json_array_elements(leadanalytics.campaign_analytics(:w, 'cmp_abc123', group_by => g.step, now => '2025-11-26 10:00Z')
    -> 'time_series') AS d;

-- S4-02, the document's workspace: fifteen campaigns, eight at work, one of them the best. What they sent was 30 days ago, and before that nothing counts.
SELECT leadanalytics.create_workspace('fifteen') AS v \gset
CREATE TEMP TABLE plan AS
SELECT n, CASE n WHEN 0 THEN 'cmp_abc123' ELSE 'c' || n END AS key,
       ARRAY(SELECT CASE n WHEN 0 THEN t.first ELSE (t.total - t.first) * n / 14 - (t.total - t.first) * (n - 1) / 14 END
             FROM unnest('{75000,1500,22050,3675,1470}'::int[], '{2000,0,710,100,64}'::int[]) WITH ORDINALITY AS t (total, first, place) ORDER BY t.place) AS m
FROM generate_series(0, 14) AS n;
SELECT sum(pg_temp.send(:v, key, key || '-', '2025-10-27 00:00Z', m[1], m[2], m[3], m[4], m[5], 0, 0)) AS events FROM plan;
UPDATE leadanalytics.campaign c SET status = CASE WHEN p.n < 5 THEN 'active' WHEN p.n < 8 THEN 'sending' WHEN p.n < 10 THEN 'draft' WHEN p.n < 12 THEN 'paused' ELSE 'completed' END,
    name = CASE p.n WHEN 0 THEN 'Q4 Outreach' ELSE c.name END FROM plan p WHERE p.key = c.key AND c.workspace = :v;
SELECT m.key, CASE m.key WHEN 'top_campaigns' THEN m.value -> 0 ELSE m.value END AS value FROM json_each(leadanalytics.campaign_overview(:v, now => '2025-11-26 10:00Z')) AS m;
SELECT leadanalytics.campaign_overview(:v, now => '2025-11-27 10:00Z') -> 'summary' AS a_day_later;
