-- S4-04: mail by the hour of the week it was sent (D-01, D-42, D-43).
\set QUIET 1
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('heat', 'Heat', timezone => 'America/New_York') AS w \gset
SELECT leadanalytics.create_workspace('cold', 'Cold') AS other \gset

-- By hand. What came of a message counts where it was sent, however much later it came; a machine's open does not; one
-- that nobody says was sent is in no hour.
SELECT leadanalytics.put_message_events(:w, '[
    {"message_id": "a", "event": "sent", "campaign_id": "hand", "timestamp": "2026-03-02T14:59:59Z"}, {"message_id": "a", "event": "opened", "timestamp": "2026-07-01T02:00:00Z"},
    {"message_id": "a", "event": "replied", "timestamp": "2026-07-01T02:00:00Z"},
    {"message_id": "b", "event": "sent", "campaign_id": "hand", "timestamp": "2026-03-02T15:00:00Z"}, {"message_id": "b", "event": "opened", "timestamp": "2026-03-02T15:00:01Z"},
    {"message_id": "c", "event": "sent", "campaign_id": "hand", "timestamp": "2026-03-02T15:59:59Z"}, {"message_id": "c", "event": "clicked", "timestamp": "2026-03-02T16:10:01Z"},
    {"message_id": "d", "event": "opened", "campaign_id": "hand", "timestamp": "2026-03-02T15:10:01Z"}]') ->> 'rejected' AS rejected;
SELECT weekday, day_of_week, hour, time_period, emails_sent, emails_opened, emails_clicked, emails_replied, open_rate, engagement_score
FROM leadanalytics.heatmap_rows(:w, '2026-03-01', '2026-04-01', 'hand') WHERE emails_sent > 0;
SELECT weekday, hour, emails_sent FROM leadanalytics.heatmap_rows(:w, '2026-03-01', '2026-04-01', 'hand', 'asia/kathmandu') WHERE emails_sent > 0;
SELECT count(*), count(DISTINCT (weekday, hour)), min(weekday), max(weekday), min(hour), max(hour) FROM leadanalytics.heatmap_rows(:w, '2026-03-01', '2026-04-01');
SELECT time_period, min(hour), max(hour) FROM leadanalytics.heatmap_rows(:w, '2026-03-01', '2026-04-01') GROUP BY 1 ORDER BY 2;

-- Nights when clocks change, a message every quarter of an hour: the hour that comes twice has eight, that which is leapt
-- over none. Lord Howe's clocks move by half an hour.
SELECT (leadanalytics.put_message_events(:w, (SELECT json_agg(json_build_object('message_id', n.name || i, 'event', 'sent', 'campaign_id', n.name,
    'timestamp', to_char(n.at + i * interval '15 minutes', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) FROM generate_series(0, 23) AS i))) ->> 'accepted' AS accepted
FROM (VALUES ('ny-forward', timestamptz '2026-03-08 05:00Z'), ('ny-back', '2026-11-01 04:00Z'), ('lh-back', '2026-04-04 13:00Z'), ('lh-forward', '2026-10-03 13:30Z')) AS n (name, at);
SELECT n.name, array_agg(r.hour || ': ' || r.emails_sent ORDER BY r.weekday, r.hour) AS hours
FROM (VALUES ('ny-forward', 'America/New_York'), ('ny-back', 'America/New_York'), ('lh-back', 'Australia/Lord_Howe'), ('lh-forward', 'Australia/Lord_Howe')) AS n (name, zone),
     leadanalytics.heatmap_rows(:w, '2026-01-01', '2027-01-01', n.name, n.zone) r WHERE r.emails_sent > 0 GROUP BY n.name ORDER BY 1;

-- Random messages beside plain SQL straight from the events, in zones whose clocks change and one 5:45 off.
SELECT setseed(0.43);
CREATE TEMP TABLE made AS
SELECT n, 'c' || n % 3 AS campaign, timestamptz '2026-10-01 00:00Z' + floor(random() * 45 * 86400) * interval '1 second' AS at, random() AS luck FROM generate_series(1, 3000) AS n;
SELECT (leadanalytics.put_message_events(:other, (
    SELECT json_agg(json_build_object('message_id', 'm' || m.n, 'event', e.event, 'campaign_id', m.campaign, 'timestamp', to_char(m.at + e.later, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
    FROM made m
    CROSS JOIN LATERAL (VALUES ('sent', interval '0', 0.0), ('opened', '3 days', 0.5), ('opened', '1 hour', 0.6), ('clicked', '6 hours', 0.7), ('replied', '20 days', 0.8)) AS e (event, later, above)
    WHERE m.n % 20 = b AND m.luck >= e.above AND (e.event <> 'sent' OR m.n % 50 > 0)))) ->> 'rejected' AS rejected, count(*)
FROM generate_series(0, 19) AS b GROUP BY 1;
CREATE FUNCTION pg_temp.plain(of_workspace int, starts timestamptz, ends timestamptz, of_campaign text, zone text)
RETURNS TABLE (day text, hour int, sent bigint, opened bigint, clicked bigint, replied bigint) LANGUAGE sql AS $$
    SELECT to_char(s.at AT TIME ZONE zone, 'FMDay'), to_char(s.at AT TIME ZONE zone, 'HH24')::int, count(*),
           count(*) FILTER (WHERE EXISTS (SELECT FROM leadanalytics.message_event e WHERE e.message = s.message AND e.kind = 'o')),
           count(*) FILTER (WHERE EXISTS (SELECT FROM leadanalytics.message_event e WHERE e.message = s.message AND e.kind = 'c')),
           count(*) FILTER (WHERE EXISTS (SELECT FROM leadanalytics.message_event e WHERE e.message = s.message AND e.kind = 'r'))
    FROM leadanalytics.message_event s LEFT JOIN leadanalytics.campaign c ON c.workspace = s.workspace AND c.id = s.campaign
    WHERE s.workspace = of_workspace AND s.kind = 's' AND s.at >= starts AND s.at < ends AND (of_campaign IS NULL OR c.key = of_campaign)
    GROUP BY 1, 2 $$;
CREATE FUNCTION pg_temp.differences(of_workspace int, in_zones text DEFAULT '') RETURNS TABLE (asked bigint, rows_seen bigint, sent bigint, opened bigint, differ bigint) LANGUAGE plpgsql AS $$
DECLARE
    q record;
    k record;
BEGIN
    asked := 0; rows_seen := 0; sent := 0; opened := 0; differ := 0;
    FOR q IN SELECT r.starts, r.ends, c.campaign, z.zone
             FROM (VALUES (timestamptz '2026-10-01', timestamptz '2026-11-15'), ('2026-10-03 12:34:56.789', '2026-11-01 07:07:07'), ('2026-11-01', '2026-11-02'), ('-infinity', 'infinity')) AS r (starts, ends),
                  (VALUES (NULL), ('c1')) AS c (campaign),
                  (VALUES ('UTC'), ('Asia/Kathmandu'), ('America/New_York'), ('Australia/Lord_Howe')) AS z (zone) WHERE z.zone ~ in_zones LOOP
        asked := asked + 1;
        FOR k IN SELECT ours.n AS ours, plain.n AS plain, coalesce(ours.n, plain.n) AS n
                 FROM (SELECT day_of_week, hour, ARRAY[emails_sent, emails_opened, emails_clicked, emails_replied] AS n
                       FROM leadanalytics.heatmap_rows(of_workspace, q.starts, q.ends, q.campaign, q.zone) WHERE emails_sent > 0) AS ours
                 FULL JOIN (SELECT p.day, p.hour, ARRAY[p.sent, p.opened, p.clicked, p.replied] AS n FROM pg_temp.plain(of_workspace, q.starts, q.ends, q.campaign, q.zone) p) AS plain
                     ON plain.day = ours.day_of_week AND plain.hour = ours.hour LOOP
            rows_seen := rows_seen + 1;
            sent := sent + k.n[1];
            opened := opened + k.n[2];
            differ := differ + (k.ours IS DISTINCT FROM k.plain)::int;
        END LOOP;
    END LOOP;
    RETURN NEXT;
END $$;
SELECT * FROM pg_temp.differences(:other);
SELECT leadanalytics.sum_messages(now()) > 0 AS summed;
SELECT * FROM pg_temp.differences(:other);
SET leadanalytics.exact = on;
SELECT * FROM pg_temp.differences(:other, 'Lord_Howe');
RESET leadanalytics.exact;
-- Rates and scores of every hour and cell, by the document's formula.
SELECT count(*) FILTER (WHERE open_rate <> round(100.0 * emails_opened / emails_sent, 2)
                              OR engagement_score <> round((emails_opened * 0.3 + emails_clicked * 0.4 + emails_replied * 0.3) / emails_sent * 100, 2)) AS wrong, count(*) AS hours
FROM leadanalytics.heatmap_rows(:other, '2026-10-01', '2026-11-15', NULL, 'Australia/Lord_Howe') WHERE emails_sent > 0;
SET leadanalytics.heatmap_sends = 50;
SELECT leadanalytics.heatmap(:other, '30d', NULL, 'Australia/Lord_Howe', '2026-11-10 12:00Z') AS answer \gset
SELECT count(*) AS cells, count(DISTINCT (c ->> 'day_of_week', c ->> 'time_period')) AS different, sum((c ->> 'emails_sent')::int) > 1000 AS many,
       count(*) FILTER (WHERE p.cell::text IS DISTINCT FROM c::text) AS differ
FROM json_array_elements(:'answer'::json -> 'heatmap') c
LEFT JOIN (SELECT p.day, p.period, json_build_object('day_of_week', p.day, 'time_period', p.period, 'emails_sent', sum(p.sent), 'emails_opened', sum(p.opened),
                  'open_rate', round(100 * sum(p.opened) / sum(p.sent), 2), 'engagement_score', round(100 * (0.3 * sum(p.opened) + 0.4 * sum(p.clicked) + 0.3 * sum(p.replied)) / sum(p.sent), 2)) AS cell
           FROM (SELECT *, CASE WHEN hour IN (0, 1, 2, 3, 4, 5) THEN 'nighttime' WHEN hour IN (6, 7, 8) THEN 'early_morning' WHEN hour > 16 THEN 'evening' ELSE 'office_hours' END AS period
                 FROM pg_temp.plain(:other, '2026-10-11', '2026-11-11', NULL, 'Australia/Lord_Howe')) AS p GROUP BY 1, 2) AS p ON p.day = c ->> 'day_of_week' AND p.period = c ->> 'time_period';
SELECT :'answer'::json -> 'optimal_send_time' ->> 'engagement_score' = max((c ->> 'engagement_score')::numeric)::text AS the_highest, :'answer'::json ->> 'workspace_id' AS workspace, :'answer'::json ->> 'timezone' AS zone
FROM json_array_elements(:'answer'::json -> 'heatmap') c WHERE (c ->> 'emails_sent')::int >= 50;
RESET leadanalytics.heatmap_sends;
-- Monday first, and the parts of a day in their order; a week nobody sent in.
SELECT c ->> 'day_of_week' AS day, string_agg(c ->> 'time_period', ' ' ORDER BY n) AS periods, sum((c ->> 'emails_sent')::int) AS sent, min(c ->> 'open_rate') AS rate
FROM json_array_elements(leadanalytics.heatmap(:other, now => '2025-11-10 12:00Z') -> 'heatmap') WITH ORDINALITY AS h (c, n) GROUP BY 1 ORDER BY min(n);
SELECT leadanalytics.heatmap(:other, now => '2025-11-10 12:00Z') -> 'optimal_send_time' AS none;

-- The best time: the highest score of cells with enough messages; in it the best hour, then that with more, then the earlier.
CREATE FUNCTION pg_temp.send(of_workspace int, campaign text, at timestamptz, n int, opened int, clicked int, replied int) RETURNS text LANGUAGE sql AS $$
    SELECT leadanalytics.put_message_events(of_workspace, (
        SELECT json_agg(json_build_object('message_id', campaign || at::text || i, 'event', e.event, 'campaign_id', campaign, 'timestamp', to_char(at + i * interval '1 second' + e.later, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
        FROM generate_series(1, n) AS i, LATERAL (VALUES ('sent', interval '0', n), ('opened', '1 hour', opened), ('clicked', '1 hour', clicked), ('replied', '1 hour', replied)) AS e (event, later, most)
        WHERE i <= e.most)) ->> 'accepted' $$;
SELECT pg_temp.send(:w, 'best', '2026-06-01 10:00Z', 99, 99, 0, 0), pg_temp.send(:w, 'best', '2026-06-02 10:00Z', 50, 20, 0, 0), pg_temp.send(:w, 'best', '2026-06-02 11:00Z', 50, 10, 5, 0),
       pg_temp.send(:w, 'best', '2026-06-03 03:00Z', 200, 20, 0, 0), pg_temp.send(:w, 'best', '2026-06-06 18:00Z', 10, 10, 10, 10);
SELECT o.* FROM json_to_record(leadanalytics.heatmap(:w, '30d', 'best', 'UTC', '2026-06-10 00:00Z') -> 'optimal_send_time') AS o (day_of_week text, hour int, engagement_score numeric);
SET leadanalytics.heatmap_sends = 99;
SELECT o.* FROM json_to_record(leadanalytics.heatmap(:w, '30d', 'best', 'UTC', '2026-06-10 00:00Z') -> 'optimal_send_time') AS o (day_of_week text, hour int, engagement_score numeric);
SET leadanalytics.heatmap_sends = 10;
SELECT o.* FROM json_to_record(leadanalytics.heatmap(:w, '30d', 'best', 'UTC', '2026-06-10 00:00Z') -> 'optimal_send_time') AS o (day_of_week text, hour int, engagement_score numeric);
SET leadanalytics.heatmap_sends = 201;
SELECT leadanalytics.heatmap(:w, '30d', 'best', 'UTC', '2026-06-10 00:00Z') -> 'optimal_send_time' AS none;
RESET leadanalytics.heatmap_sends;
SELECT pg_temp.send(:w, 'tie', '2026-06-02 09:00Z', 50, 10, 0, 0), pg_temp.send(:w, 'tie', '2026-06-02 12:00Z', 100, 20, 0, 0), pg_temp.send(:w, 'tie', '2026-06-02 14:00Z', 100, 20, 0, 0),
       pg_temp.send(:w, 'tie', '2026-06-01 14:00Z', 200, 40, 0, 0);
SELECT o.* FROM json_to_record(leadanalytics.heatmap(:w, '30d', 'tie', 'UTC', '2026-06-10 00:00Z') -> 'optimal_send_time') AS o (day_of_week text, hour int, engagement_score numeric);

-- Ranges end with today and are of UTC's days, whatever the zone of the hours (D-02).
SELECT pg_temp.send(:w, 'edge', '2026-05-11 00:00:00Z', 2, 0, 0, 0), pg_temp.send(:w, 'edge', '2026-05-10 23:59:50Z', 3, 0, 0, 0), pg_temp.send(:w, 'edge', '2026-06-10 23:59:50Z', 4, 0, 0, 0), pg_temp.send(:w, 'edge', '2026-06-11 00:00:00Z', 8, 0, 0, 0);
SELECT r.range, sum((c ->> 'emails_sent')::int) FROM (VALUES ('30d', timestamptz '2026-06-10 12:00Z'), ('30d', '2026-06-11 12:00Z'), ('90d', '2026-06-10 23:59:59Z')) AS r (range, now),
    json_array_elements(leadanalytics.heatmap(:w, r.range, 'edge', 'Asia/Kathmandu', r.now) -> 'heatmap') c GROUP BY r.range, r.now ORDER BY 1, r.now;
-- The zone: as asked, else the workspace's.
SELECT z.zone, leadanalytics.heatmap(:w, timezone => z.zone, now => '2026-06-10 12:00Z') ->> 'timezone' AS says
FROM (VALUES (1, NULL), (2, ''), (3, 'utc'), (4, 'asia/kathmandu'), (5, ' Europe/Vienna ')) AS z (n, zone) ORDER BY n;
SELECT leadanalytics.heatmap(:other) ->> 'timezone' AS without_one;
\set SHOW_CONTEXT never
SELECT leadanalytics.heatmap(:w, timezone => 'Mars/Olympus');
SELECT leadanalytics.heatmap(:w, timezone => 'EST5EDT4,M3.2.0,M11.1.0');
SELECT leadanalytics.heatmap(:w, campaign => 'nope');
SELECT leadanalytics.heatmap_rows(:other, '2026-01-01', '2027-01-01', 'best');
SELECT leadanalytics.heatmap_rows(:w, '2026-01-01', '2027-01-01', NULL, 'Mars/Olympus');
SELECT leadanalytics.heatmap(-1);
