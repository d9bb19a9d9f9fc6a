-- S1-15: each type, at and around its threshold, with made data.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'America/New_York';
SELECT leadanalytics.create_workspace('anomalies', 'Anomalies') AS w \gset

-- So many sessions, at so many hours in turn from the given one on, and so many of them suspected; their first event each.
CREATE FUNCTION pg_temp.traffic(w int, day date, n int, suspected int DEFAULT 0, from_hour int DEFAULT 0, hours int DEFAULT 24) RETURNS void LANGUAGE sql AS $$
    INSERT INTO leadanalytics.session (workspace, number, started_at, last_seen, vpn_score)
    SELECT w, nextval('leadanalytics.session_number'), t.at, t.at, CASE WHEN i <= suspected THEN 51 WHEN i % 2 = 0 THEN 50 END
    FROM generate_series(1, n) AS i, LATERAL (SELECT leadanalytics.utc_start(day) + (from_hour + (i - 1) % hours) * interval '1 hour' AS at) AS t;
$$;
CREATE FUNCTION pg_temp.forms(w int, day date, n int) RETURNS text LANGUAGE sql AS $$
    SELECT leadanalytics.track(w, json_build_object('events', json_agg(json_build_object('event_name', 'form_submission', 'event_id', format('%s-%s', day, i),
        'timestamp', to_char(day, 'YYYY-MM-DD"T"') || to_char((i - 1) % 24, 'FM00') || ':30:00Z'))), now => leadanalytics.utc_start(day) + interval '24 hours') ->> 'accepted'
    FROM generate_series(1, n) AS i
$$;

-- 28 days with 100 and 110 sessions in turn: mean 105, deviation 5.09…; 48 forms, 52 forms: 50, 2.04
SELECT sum(pg_temp.forms(:w, d.day::date, 48 + 4 * (d.i % 2)::int)::int) AS forms FROM generate_series('2026-05-04'::timestamp, '2026-05-31', '1 day') WITH ORDINALITY AS d (day, i);
DO $$
BEGIN
    PERFORM pg_temp.traffic((SELECT id FROM leadanalytics.workspace WHERE slug = 'anomalies'), d.day::date, 100 + 10 * (d.i % 2)::int)
    FROM generate_series('2026-05-04'::timestamp, '2026-05-31', '1 day') WITH ORDINALITY AS d (day, i);
END
$$;
SELECT leadanalytics.anomalies(:w, now => '2026-05-31 23:59:59Z') AS usual;

BEGIN;
-- June 1: 120 is not three deviations more, 121 is; 43 forms is more than three less
SELECT pg_temp.traffic(:w, '2026-06-01', 120), pg_temp.forms(:w, '2026-06-01', 44);
SELECT leadanalytics.anomalies(:w, now => '2026-06-02 00:10Z') AS usual;
SELECT pg_temp.traffic(:w, '2026-06-01', 1);
SELECT leadanalytics.anomalies(:w, now => '2026-06-02 00:10Z') AS spike;
-- six deviations more are high
SELECT pg_temp.traffic(:w, '2026-06-01', 14);
SELECT leadanalytics.anomalies(:w, now => '2026-06-02 00:10Z') ->> 0 AS low;
SELECT pg_temp.traffic(:w, '2026-06-01', 1);
SELECT leadanalytics.anomalies(:w, now => '2026-06-02 00:10Z') ->> 0 AS high;
-- days: the 1st is the eighth last on the 8th, D-14
SELECT days, json_array_length(leadanalytics.anomalies(:w, days, '2026-06-08 00:10Z')) AS found FROM unnest('{NULL,0,1,7,8,30,31}'::int[]) AS days;
ROLLBACK;
BEGIN;
SELECT pg_temp.traffic(:w, '2026-06-01', 105), pg_temp.forms(:w, '2026-06-01', 43);
SELECT leadanalytics.anomalies(:w, now => '2026-06-02 00:10Z') AS drop;
-- a robot's form is none, a page view is none
SELECT leadanalytics.track(:w, '{"events": [{"event_name": "page_view", "timestamp": "2026-06-01T10:00:00Z"}, {"event_name": "form_submit", "timestamp": "2026-06-01T10:00:00Z"}]}', now => '2026-06-02Z') ->> 'accepted' AS other,
       leadanalytics.track(:w, '{"events": [{"event_name": "form_submission", "timestamp": "2026-06-01T10:00:00Z"}, {"event_name": "form_submission", "timestamp": "2026-06-01T10:00:00Z"}]}',
           user_agent => 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', now => '2026-06-02Z') ->> 'accepted' AS robots;
SELECT leadanalytics.anomalies(:w, now => '2026-06-02 00:10Z') AS drop;
ROLLBACK;
BEGIN;
-- none at all, as soon as enough hours have gone by that three deviations fit: on the day itself, by full hours
SELECT at, leadanalytics.anomalies(:w, 1, at::timestamptz) AS today
FROM unnest('{2026-06-01 00:30Z,2026-06-01 00:59:59.999999Z,2026-06-01 01:00Z,2026-06-01 03:00Z,2026-06-01 04:00Z,2026-06-01 23:59Z,2026-06-02 00:00Z}'::text[]) AS at;
-- today's full hours are compared with the same hours: 100 sessions at noon are a spike from one o'clock on, and none in the day as a whole
SELECT pg_temp.forms(:w, '2026-06-01', 50), pg_temp.traffic(:w, '2026-06-01', 100, 0, 12, 1);
SELECT at, leadanalytics.anomalies(:w, 1, at::timestamptz) AS today FROM unnest('{2026-06-01 12:59Z,2026-06-01 13:00Z,2026-06-01 15:00Z,2026-06-01 18:00Z,2026-06-02 00:00Z}'::text[]) AS at;
SELECT leadanalytics.anomalies(:w, 2, '2026-06-02 00:00Z') AS yesterday;
ROLLBACK;
BEGIN;
-- D-21 suspected is above 50; one in five is not too much, more is; two in five is high when exceeded
SELECT pg_temp.traffic(:w, '2026-06-01', 105, 21), pg_temp.forms(:w, '2026-06-01', 50);
SELECT leadanalytics.anomalies(:w, now => '2026-06-02 00:10Z') AS usual;
SELECT pg_temp.traffic(:w, '2026-06-01', 2, 2), pg_temp.traffic(:w, '2026-06-02', 5, 2), pg_temp.traffic(:w, '2026-06-03', 5, 3);
SELECT leadanalytics.anomalies(:w, 3, '2026-06-03 00:00Z') AS ratios;
ROLLBACK;
-- days is 30 at most by JSON, and as many as asked for by rows; 7 when it is not said
BEGIN;
SELECT pg_temp.traffic(:w, '2026-06-01', 500), sum(pg_temp.forms(:w, d.day::date, 50)::int) AS forms FROM generate_series('2026-06-01'::timestamp, '2026-07-05', '1 day') AS d (day);
SELECT at, days, (SELECT count(*) FROM json_array_elements(leadanalytics.anomalies(:w, days, at)) AS a WHERE a ->> 'type' = 'traffic_spike') AS json,
       (SELECT count(*) FROM leadanalytics.anomalies_rows(:w, days, at) AS a WHERE a.type = 'traffic_spike') AS rows
FROM unnest('{2026-06-07 12:00Z,2026-06-08 12:00Z,2026-06-30 12:00Z,2026-07-01 12:00Z}'::timestamptz[]) AS at, unnest('{NULL,7,30,31}'::int[]) AS days;
ROLLBACK;
-- a workspace is not judged in its first week
SELECT leadanalytics.create_workspace('anomalies-new', 'New') AS new \gset
SELECT sum(pg_temp.forms(:new, d.day::date, 1)::int) AS forms FROM generate_series('2026-05-01'::timestamp, '2026-05-08', '1 day') AS d (day);
SELECT pg_temp.traffic(:new, '2026-05-07', 50), pg_temp.traffic(:new, '2026-05-08', 99);
SELECT leadanalytics.anomalies(:new, now => '2026-05-09 00:00Z') AS spike;
