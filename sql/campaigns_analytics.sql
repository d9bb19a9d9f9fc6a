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
    (18, 'custom', '2025-11-02Z', '2025-11-02Z'),
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
    SELECT leadanalytics.append_message_events(workspace, array_agg(ROW(k.n * 10 + e.place, NULL, prefix || k.n, e.kind, NULL, starts + e.place * interval '1 hour', false, campaign,
        NULL, NULL, NULL, NULL, NULL, NULL, CASE WHEN e.kind = 'b' THEN k.n % 2 = 0 END, NULL, NULL, NULL, NULL, NULL)::leadanalytics.message_item))
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
SELECT g.step, d.value FROM unnest('{week,month}'::text[]) AS g (step), json_array_elements(leadanalytics.campaign_analytics(:w, 'cmp_abc123', group_by => g.step, now => '2025-11-26 10:00Z')
    -> 'time_series') AS d (value);

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

-- Which campaigns are at work, and which are best: the other rules (D-47).
SELECT leadanalytics.create_workspace('rules') AS r \gset
SELECT sum(pg_temp.send(:r, key, key || '-', '2025-11-20 00:00Z', sent, bounced, opened, 0, replied, 0, 0)) AS events
FROM (VALUES ('b', 10, 0, 5, 1), ('a', 10, 0, 5, 2), ('twice', 20, 0, 10, 0), ('third', 300, 0, 100, 0), ('third2', 3000, 0, 1000, 0), ('all', 1, 0, 1, 0), ('none', 100, 0, 0, 0), ('lost', 4, 4, 4, 0)) AS p
    (key, sent, bounced, opened, replied);
SELECT pg_temp.send(:r, 'before', 'before-', '2025-09-01 00:00Z', 5, 0, 5, 0, 0, 0, 0) AS events, pg_temp.send(:r, NULL, 'of none-', '2025-11-20 00:00Z', 7, 0, 1, 0, 0, 0, 0) AS of_no_campaign;
SELECT leadanalytics.campaign_overview(:r, now => '2025-11-26 10:00Z') AS body \gset
SELECT :'body'::json -> 'summary' AS summary, :'body'::json -> 'rates' AS rates;
SELECT t.value FROM json_array_elements(:'body'::json -> 'top_campaigns') AS t;
UPDATE leadanalytics.campaign SET status = CASE key WHEN 'before' THEN 'active' WHEN 'lost' THEN 'sending' WHEN 'all' THEN 'paused' WHEN 'none' THEN 'completed' WHEN 'a' THEN 'draft' END WHERE workspace = :r;
SELECT leadanalytics.campaign_overview(:r, now => '2025-11-26 10:00Z') #> '{summary,active_campaigns}' AS active;
SELECT campaign_id, status, sent, delivered, bounced, opened, replied, delivery_rate, open_rate, reply_rate, bounce_rate FROM leadanalytics.campaigns_rows(:r, '2025-10-27 00:00Z', '2025-11-27 00:00Z');
SELECT campaign_id, sent, opened FROM leadanalytics.campaigns_rows(:r, '2025-11-20 01:00Z', '2025-11-20 01:00:01Z', '{a,lost,nobody}');

-- D-42: an open counts in its own day, whenever it was sent; a rate of a short range is no more than 100. Both ends are inclusive.
SELECT leadanalytics.create_workspace('late') AS l \gset
SELECT leadanalytics.put_message_events(:l, '[{"message_id": "1", "campaign_id": "c", "event": "sent", "timestamp": "2025-11-01T23:59:59Z"}, {"message_id": "1", "event": "delivered", "timestamp": "2025-11-02T00:00:00Z"},
    {"message_id": "1", "event": "opened", "timestamp": "2025-11-02T23:59:59.999Z"}, {"message_id": "1", "event": "opened", "timestamp": "2025-11-03T01:00:00Z"}, {"message_id": "1", "event": "clicked", "timestamp": "2025-11-03T00:00:00Z"},
    {"message_id": "2", "campaign_id": "c", "event": "sent", "timestamp": "2025-11-03T12:00:00Z"}, {"message_id": "2", "event": "opened", "timestamp": "2025-11-03T12:00:01Z"},
    {"message_id": "3", "event": "clicked", "campaign_id": "c", "timestamp": "2025-11-03T13:00:00Z"}]') ->> 'accepted' AS accepted;
SELECT a.starts, a.ends, j.body -> 'time_range' ->> 'end' AS said, j.body -> 'summary' AS summary, j.body -> 'rates' ->> 'click_rate' AS click_rate, j.body -> 'rates' ->> 'click_to_open_rate' AS click_to_open_rate
FROM (VALUES (1, '2025-11-01', '2025-11-01'), (2, '2025-11-02', '2025-11-02'), (3, '2025-11-02', '2025-11-02T23:59:59Z'), (4, '2025-11-02', '2025-11-02T23:59:58Z'), (5, '2025-11-03', '2025-11-03'),
             (6, '2025-11-03T00:00:00Z', '2025-11-03T00:00:01Z'), (7, '2025-11-01T23:59:59Z', '2025-11-02T00:00:00Z')) AS a (n, starts, ends),
     LATERAL (SELECT leadanalytics.campaign_analytics(:l, 'c', 'custom', a.starts, a.ends) AS body) AS j ORDER BY a.n;

-- What is refused, and in which order: the range and the grouping before the campaign.
CREATE FUNCTION pg_temp.refused(workspace int, campaign text, range text, starts text, ends text, step text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    code text;
BEGIN
    RETURN left(leadanalytics.campaign_analytics(workspace, campaign, range, starts, ends, step, '2025-11-26 10:00Z')::text, 20);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = PG_EXCEPTION_DETAIL;
    RETURN format('%s %s %s', SQLSTATE, code, SQLERRM);
END $$;
SELECT n, pg_temp.refused(w, c, range, starts, ends, step)
FROM (VALUES (1, :l, 'nobody', '30d', NULL, NULL, 'day'), (2, :l, 'nobody', 'custom', '2025-11-02', '2025-11-01', 'day'), (3, :l, 'nobody', '30d', NULL, NULL, 'hour'), (4, :l, 'c', '30d', NULL, NULL, 'auto'),
             (5, :l, NULL, '30d', NULL, NULL, 'day'), (6, :l, 'c', NULL, NULL, NULL, NULL), (7, :l, 'c', 'custom', '0001-01-01', '2025-11-01', 'day'), (8, :l, 'c', 'custom', '1900-01-01', '2025-11-01', 'month'),
             (9, :v, 'c', '30d', NULL, NULL, 'day'), (10, 0, 'c', '30d', NULL, NULL, 'day')) AS a (n, w, c, range, starts, ends, step) ORDER BY n;
SELECT * FROM leadanalytics.campaign_series_rows(:l, '-infinity', 'infinity');
SELECT count(*) FROM leadanalytics.campaign_series_rows(:l, '2025-11-02', '2025-11-02');

-- Any range, beside plain SQL from the events that knows nothing of facts and counts. The clocks of the session's zone
-- are set forward on 2026-03-08, and back on 2025-11-02; days are of UTC all the same.
SELECT leadanalytics.create_workspace('random') AS x \gset
SELECT setseed(0.17);
CREATE TEMP TABLE made AS
SELECT n, floor(random() * 900)::int AS message, (ARRAY['s', 's', 'd', 'b', 'o', 'o', 'o', 'c', 'c', 'r', 'p', 'u'])[1 + floor(random() * 12)] AS kind,
       (CASE WHEN random() < 0.5 THEN timestamptz '2026-02-25 00:00Z' ELSE timestamptz '2026-03-07 18:00Z' END) + floor(random() * 22 * 86400) * interval '1 second'
       + CASE WHEN random() < 0.2 THEN interval '123456 microseconds' ELSE interval '0' END AS at,
       CASE WHEN random() < 0.1 THEN 'Mozilla/5.0' END AS agent
FROM generate_series(1, 6000) AS n;
-- Some at the very edges of days, and opens that come too soon to be a person's.
UPDATE made SET at = date_bin('24 hours', at, '2000-01-01 00:00Z') - CASE WHEN n % 2 = 0 THEN interval '1 microsecond' ELSE interval '0' END WHERE n % 10 = 0;
INSERT INTO made SELECT n + 10000, message, 'o', at + (n % 8) * interval '1 second', NULL FROM made WHERE kind IN ('s', 'd') AND n % 3 = 0;
SELECT leadanalytics.append_message_events(:x, array_agg(jsonb_populate_record(NULL::leadanalytics.message_item, jsonb_build_object(
    'index', n, 'key', 'm' || message, 'kind', kind, 'at', at, 'campaign', CASE message % 4 WHEN 0 THEN NULL ELSE 'c' || message % 4 END, 'event_id', leadanalytics.text_digest(n::text),
    'is_hard', CASE WHEN kind = 'b' THEN n % 2 = 0 END, 'agent', agent)) ORDER BY md5(n::text))) > 6000 AS many FROM made;

-- The first event of a kind that no machine made; a bounced message is not delivered, and one of which nothing else is said is so when it is sent.
CREATE FUNCTION pg_temp.plain_facts(of_workspace int) RETURNS TABLE (campaign text, fact text, at timestamptz) LANGUAGE sql STABLE AS $$
    WITH event AS (
        SELECT e.message, e.kind, e.at, (SELECT k.key FROM leadanalytics.campaign k WHERE k.id = e.campaign) AS campaign,
               e.kind IN ('o', 'c') AND (e.is_machine OR EXISTS (
                   SELECT FROM (SELECT min(f.at) AS at FROM leadanalytics.message_event f WHERE f.message = e.message AND f.kind = 's'
                                UNION ALL SELECT min(f.at) FROM leadanalytics.message_event f WHERE f.message = e.message AND f.kind = 'd') AS before
                   WHERE e.at >= before.at AND e.at < before.at + interval '5 seconds')) AS machine
        FROM leadanalytics.message_event e WHERE e.workspace = of_workspace
    ), first AS (
        SELECT message, min(campaign) AS campaign, kind, min(at) AS at FROM event WHERE NOT machine GROUP BY message, kind
    ), arrived AS (
        SELECT f.message, f.campaign, coalesce(max(f.at) FILTER (WHERE f.kind = 'd'), max(f.at) FILTER (WHERE f.kind = 's')) AS at
        FROM first f GROUP BY f.message, f.campaign HAVING NOT bool_or(f.kind = 'b')
    )
    SELECT f.campaign, f.kind::text, f.at FROM first f WHERE f.kind <> 'd'
    UNION ALL
    SELECT a.campaign, 'd', a.at FROM arrived a WHERE a.at IS NOT NULL $$;
CREATE TEMP TABLE fact AS SELECT * FROM pg_temp.plain_facts(:x);
SELECT count(DISTINCT fact) AS kinds, count(*) > 3000 AS many, count(*) FILTER (WHERE campaign IS NULL) > 500 AS of_none FROM fact;
CREATE FUNCTION pg_temp.plain_series(starts timestamptz, ends timestamptz, of_campaign text, step text)
RETURNS TABLE (date date, sent bigint, delivered bigint, bounced bigint, opened bigint, clicked bigint, replied bigint, complained bigint, unsubscribed bigint) LANGUAGE sql STABLE AS $$
    SELECT b.at::date, count(*) FILTER (WHERE f.fact = 's'), count(*) FILTER (WHERE f.fact = 'd'), count(*) FILTER (WHERE f.fact = 'b'), count(*) FILTER (WHERE f.fact = 'o'),
           count(*) FILTER (WHERE f.fact = 'c'), count(*) FILTER (WHERE f.fact = 'r'), count(*) FILTER (WHERE f.fact = 'p'), count(*) FILTER (WHERE f.fact = 'u')
    FROM generate_series(date_trunc(step, starts AT TIME ZONE 'UTC'), (ends - interval '1 microsecond') AT TIME ZONE 'UTC', ('1 ' || step)::interval) AS b (at)
    LEFT JOIN fact f ON f.at >= starts AND f.at < ends AND date_trunc(step, f.at AT TIME ZONE 'UTC') = b.at AND (of_campaign IS NULL OR f.campaign = of_campaign)
    GROUP BY b.at $$;
CREATE TEMP TABLE question AS
SELECT n, s.at AS starts, s.at + (1 + floor(random() * CASE WHEN n % 4 = 0 THEN 86400 ELSE 20 * 86400 END)) * interval '1 second' AS ends,
       (ARRAY[NULL, 'c1', 'c2', 'c3'])[1 + n % 4] AS campaign, (ARRAY['day', 'week', 'month'])[1 + n % 3] AS step
FROM generate_series(1, 48) AS n,
     LATERAL (SELECT timestamptz '2026-02-24 00:00Z' + floor(random() * 22 * 86400 + n * 0) * interval '1 second' + (n % 3) * interval '100 milliseconds' AS at) AS s;
INSERT INTO question VALUES (101, '2026-02-24 00:00Z', '2026-04-10 00:00Z', NULL, 'day'), (102, '2026-03-01 00:00Z', '2026-04-01 00:00Z', 'c1', 'week'), (103, '2026-03-08 00:30Z', '2026-03-20 00:00Z', NULL, 'day'),
    (104, '2026-03-07 23:30:00.5Z', '2026-03-09 00:00Z', 'c2', 'day'), (105, '2026-03-08 06:59:59Z', '2026-03-09 04:30Z', NULL, 'week'), (106, '2026-03-02 10:15Z', '2026-03-02 10:45Z', NULL, 'month'),
    (107, '2026-03-09 00:00Z', '2026-03-09 00:00:00.000001Z', NULL, 'day');
CREATE FUNCTION pg_temp.plain_rate(part numeric, whole numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN whole = 0 THEN 0 WHEN part >= whole THEN 100 ELSE round(100 * part / whole, 2) END $$;
CREATE FUNCTION pg_temp.differences(workspace int) RETURNS TABLE (questions bigint, series bigint, campaigns bigint, answers bigint, overviews bigint) LANGUAGE plpgsql AS $$
DECLARE
    q record;
    body json;
BEGIN
    questions := 0; series := 0; campaigns := 0; answers := 0; overviews := 0;
    FOR q IN SELECT * FROM question ORDER BY n LOOP
        questions := questions + 1;
        series := series + (SELECT count(*) FROM (
            (SELECT * FROM pg_temp.plain_series(q.starts, q.ends, q.campaign, q.step) EXCEPT ALL SELECT * FROM leadanalytics.campaign_series_rows(workspace, q.starts, q.ends, q.campaign, q.step))
            UNION ALL
            (SELECT * FROM leadanalytics.campaign_series_rows(workspace, q.starts, q.ends, q.campaign, q.step) EXCEPT ALL SELECT * FROM pg_temp.plain_series(q.starts, q.ends, q.campaign, q.step))) AS d);
        campaigns := campaigns + (SELECT count(*) FROM (
            WITH ours AS (SELECT campaign_id, sent, delivered, bounced, opened, clicked, replied, complained, unsubscribed,
                                 delivery_rate, open_rate, click_rate, click_to_open_rate, reply_rate, bounce_rate, spam_rate, unsubscribe_rate
                          FROM leadanalytics.campaigns_rows(workspace, q.starts, q.ends) WHERE campaign_id IS NOT NULL),
                 counted AS (SELECT k.key, n.* FROM (VALUES ('c1'), ('c2'), ('c3')) AS k (key), LATERAL (
                                 SELECT sum(p.sent) AS s, sum(p.delivered) AS d, sum(p.bounced) AS b, sum(p.opened) AS o, sum(p.clicked) AS c, sum(p.replied) AS r, sum(p.complained) AS p, sum(p.unsubscribed) AS u
                                 FROM pg_temp.plain_series(q.starts, q.ends, k.key, 'month') p) AS n),
                 plain AS (SELECT key, s, d, b, o, c, r, p, u, pg_temp.plain_rate(d, s), pg_temp.plain_rate(o, d),
                                  pg_temp.plain_rate(c, d), pg_temp.plain_rate(c, o), pg_temp.plain_rate(r, d),
                                  pg_temp.plain_rate(b, s), pg_temp.plain_rate(p, d), pg_temp.plain_rate(u, d)
                           FROM counted)
            (TABLE ours EXCEPT ALL TABLE plain) UNION ALL (TABLE plain EXCEPT ALL TABLE ours)) AS d);
        -- Over HTTP both ends are inclusive, to the second.
        CONTINUE WHEN date_trunc('second', q.starts) <> q.starts OR date_trunc('second', q.ends) <> q.ends OR q.ends - q.starts < interval '2 seconds';
        body := leadanalytics.campaign_analytics(workspace, coalesce(q.campaign, 'c1'), 'custom', leadanalytics.utc_seconds(q.starts), leadanalytics.utc_seconds(q.ends - interval '1 second'), q.step);
        answers := answers + (SELECT count(*) FROM (
            WITH ours AS (SELECT * FROM json_to_recordset(body -> 'time_series') AS t (date date, sent bigint, delivered bigint, opened bigint, clicked bigint, replied bigint, bounced bigint, spam_complaints bigint)),
                 plain AS (SELECT date, sent, delivered, opened, clicked, replied, bounced, complained FROM pg_temp.plain_series(q.starts, q.ends, coalesce(q.campaign, 'c1'), q.step))
            (TABLE ours EXCEPT ALL TABLE plain) UNION ALL (TABLE plain EXCEPT ALL TABLE ours)) AS d);
        answers := answers + (SELECT (ARRAY(SELECT v.value::bigint FROM json_each_text(body -> 'summary') v)
                   <> ARRAY[sum(p.sent), sum(p.delivered), sum(p.bounced), sum(p.opened), sum(p.clicked), sum(p.replied), sum(p.complained), sum(p.unsubscribed)]::bigint[])::int
            FROM pg_temp.plain_series(q.starts, q.ends, coalesce(q.campaign, 'c1'), 'month') p);
        body := leadanalytics.campaign_overview(workspace, 'custom', leadanalytics.utc_seconds(q.starts), leadanalytics.utc_seconds(q.ends - interval '1 second'));
        overviews := overviews + (SELECT (ARRAY(SELECT v.value::bigint FROM json_each_text(body -> 'summary') WITH ORDINALITY AS v (key, value, place) WHERE v.place > 2)
                   <> ARRAY[sum(p.sent), sum(p.delivered), sum(p.opened), sum(p.clicked), sum(p.replied)]::bigint[])::int
            FROM pg_temp.plain_series(q.starts, q.ends, NULL, 'month') p);
    END LOOP;
    RETURN NEXT;
END $$;
SELECT * FROM pg_temp.differences(:x);
SELECT leadanalytics.sum_messages(now()) > 1000 AS summed;
SELECT * FROM pg_temp.differences(:x);
SET leadanalytics.exact = on;
SELECT leadanalytics.campaign_analytics(:w, 'cmp_abc123', now => '2025-11-26 10:00Z') -> 'summary' AS exact;
