-- S2-21: when a schedule is due, beside a reckoning that knows nothing but what the clocks show: every quarter of an
-- hour of years is looked at, and the first is taken at which a zone's clocks have come to the day and time.
SET timezone = 'Asia/Kolkata'; -- nothing may depend on it
SET jit = off;
CREATE TEMP TABLE zones (zone text, first date, years int);
INSERT INTO zones VALUES ('America/New_York', '2022-01-01', 2), ('Europe/London', '2022-01-01', 2), ('Australia/Sydney', '2022-01-01', 2), ('Australia/Lord_Howe', '2022-01-01', 2),
    ('Asia/Amman', '2021-01-01', 2), ('Africa/Cairo', '2022-01-01', 2), ('Asia/Kathmandu', '2022-01-01', 2), ('Pacific/Apia', '2011-01-01', 2), ('America/Nuuk', '2023-01-01', 2),
    ('America/Havana', '2022-01-01', 2), ('Africa/Casablanca', '2022-01-01', 2);
CREATE TEMP TABLE shown AS
SELECT zone, t, t AT TIME ZONE zone AS local, max(t AT TIME ZONE zone) OVER (PARTITION BY zone ORDER BY t) AS highest
FROM zones, generate_series(first::timestamp AT TIME ZONE 'UTC' - interval '72 hours', (first + years * 366)::timestamp AT TIME ZONE 'UTC' + interval '72 hours', interval '15 minutes') AS t;
CREATE INDEX ON shown (zone, highest, t);
ANALYZE shown;
CREATE TEMP TABLE wanted AS
SELECT z.zone, z.first + n AS day, at_time, e.t AS at, EXISTS (SELECT FROM shown s WHERE s.zone = z.zone AND s.highest >= z.first + n AND s.highest < z.first + n + 1) AS there
FROM zones z, generate_series(0, z.years * 366 - 5) AS n, unnest('{00:00,00:15,01:30,02:00,02:15,02:30,03:00,09:00,23:00,23:30}'::time[]) AS at_time
CROSS JOIN LATERAL (SELECT s.t FROM shown s WHERE s.zone = z.zone AND s.highest >= z.first + n + at_time ORDER BY s.highest, s.t LIMIT 1) AS e;
-- There is something to get wrong: days and times that are not, and that are twice.
SELECT w.zone, count(*) FILTER (WHERE w.at AT TIME ZONE w.zone <> w.day + w.at_time) AS "jumped over", count(*) FILTER (WHERE NOT w.there) AS "of no day",
       (SELECT count(*) FROM (SELECT FROM shown s WHERE s.zone = w.zone GROUP BY s.local HAVING count(*) > 1) AS d) AS "quarters shown twice"
FROM wanted w GROUP BY w.zone ORDER BY w.zone;
SELECT count(*) > 100000 AS many, count(*) FILTER (WHERE leadanalytics.local_moment(w.day, w.at_time, w.zone) IS DISTINCT FROM w.at) AS wrong FROM wanted w;
SELECT w.day, w.at_time, w.at AT TIME ZONE 'UTC' AS at FROM wanted w WHERE w.zone = 'America/New_York' AND w.day IN ('2024-03-10', '2024-11-03') AND w.at_time IN ('01:30', '02:30') ORDER BY 1, 2;

-- Each run asks for the next: all days of years, each once.
CREATE FUNCTION pg_temp.chain(frequency text, dow int, dom int, at_time time, zone text, first timestamptz, until timestamptz) RETURNS SETOF timestamptz LANGUAGE plpgsql AS $$
DECLARE
    due timestamptz := first;
BEGIN
    LOOP
        due := leadanalytics.next_due(frequency, dow, dom, at_time, zone, due);
        EXIT WHEN due >= until;
        RETURN NEXT due;
    END LOOP;
END $$;
CREATE TEMP TABLE plans (frequency text, dow int, dom int, at_time time);
INSERT INTO plans VALUES ('daily', NULL, NULL, '00:00'), ('daily', NULL, NULL, '02:15'), ('daily', NULL, NULL, '23:30'), ('weekly', 0, NULL, '02:30'), ('weekly', 5, NULL, '00:00'), ('monthly', NULL, 31, '00:00'),
    ('monthly', NULL, 30, '09:00'), ('monthly', NULL, 1, '01:30');
SELECT p.frequency, p.dow, p.dom, p.at_time, count(w.at) AS runs, count(*) FILTER (WHERE w.at IS NULL) AS "too many", count(*) FILTER (WHERE c.at IS NULL) AS missed
FROM plans p CROSS JOIN zones z
CROSS JOIN LATERAL (
    SELECT c.at, w.at AS plain
    FROM pg_temp.chain(p.frequency, p.dow, p.dom, p.at_time, z.zone, (z.first + 5)::timestamp AT TIME ZONE 'UTC', (z.first + z.years * 366 - 10)::timestamp AT TIME ZONE 'UTC') WITH ORDINALITY AS c (at, n)
    FULL JOIN (SELECT w.at, row_number() OVER (ORDER BY w.at) AS n
               FROM wanted w
               WHERE w.zone = z.zone AND w.at_time = p.at_time AND w.at > (z.first + 5)::timestamp AT TIME ZONE 'UTC' AND w.at < (z.first + z.years * 366 - 10)::timestamp AT TIME ZONE 'UTC'
                 AND CASE p.frequency WHEN 'daily' THEN w.there WHEN 'weekly' THEN extract(dow FROM w.day) = p.dow
                     ELSE extract(day FROM w.day) = least(p.dom, extract(day FROM date_trunc('month', w.day::timestamp) + interval '1 month' - interval '1 day')) END) AS w
    ON c.at = w.at AND c.n = w.n) AS both_ways (c_at, w_at)
CROSS JOIN LATERAL (SELECT both_ways.c_at AS at) AS c CROSS JOIN LATERAL (SELECT both_ways.w_at AS at) AS w
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;
-- Strictly after, and of the zone whatever the session's is.
SELECT leadanalytics.next_due('daily', NULL, NULL, '08:00', 'Europe/London', '2026-03-28 08:00Z') = '2026-03-29 07:00Z' AS a, leadanalytics.next_due('daily', NULL, NULL, '08:00', 'Europe/London', '2026-03-28 07:59:59Z') = '2026-03-28 08:00Z' AS b,
       leadanalytics.next_due('monthly', NULL, 31, '08:00', 'UTC', '2026-02-01Z') = '2026-02-28 08:00Z' AS c, leadanalytics.next_due('monthly', NULL, 31, '08:00', 'UTC', '2026-02-28 08:00Z') = '2026-03-31 08:00Z' AS d,
       leadanalytics.next_due('weekly', 0, NULL, '00:00', 'UTC', '2026-03-01 00:00Z') = '2026-03-08 00:00Z' AS e, leadanalytics.next_due('monthly', NULL, 29, '00:00', 'UTC', '2028-02-10Z') = '2028-02-29 00:00Z' AS f;

-- Periods: days of the zone, whole ones; beside a calendar of days.
SELECT p.period, d.today, d.today - r.first AS "from days ago", d.today - r.last AS "to days ago", r.first, r.last
FROM unnest(leadanalytics.report_periods()) WITH ORDINALITY AS p (period, n), unnest('{2026-03-01,2026-03-02,2024-03-31}'::date[]) AS d (today), leadanalytics.report_period(p.period, d.today) r ORDER BY p.n, d.today;
SELECT count(*) AS wrong
FROM generate_series('2023-12-20'::timestamp, '2026-01-10', '1 day') AS t (day), unnest(leadanalytics.report_periods()) AS p, leadanalytics.report_period(p, t.day::date) r
CROSS JOIN LATERAL (
    SELECT min(c.day)::date AS first, max(c.day)::date AS last
    FROM generate_series(t.day - interval '100 days', t.day, '1 day') AS c (day)
    WHERE CASE p WHEN 'today' THEN c.day = t.day WHEN 'yesterday' THEN c.day = t.day - interval '1 day' WHEN 'last_7_days' THEN c.day >= t.day - interval '7 days' AND c.day < t.day
              WHEN 'last_30_days' THEN c.day >= t.day - interval '30 days' AND c.day < t.day WHEN 'last_90_days' THEN c.day >= t.day - interval '90 days' AND c.day < t.day
              WHEN 'this_week' THEN to_char(c.day, 'IYYY-IW') = to_char(t.day, 'IYYY-IW') WHEN 'last_week' THEN to_char(c.day, 'IYYY-IW') = to_char(t.day - interval '7 days', 'IYYY-IW')
              WHEN 'this_month' THEN to_char(c.day, 'YYYY-MM') = to_char(t.day, 'YYYY-MM')
              ELSE to_char(c.day, 'YYYY-MM') = to_char(date_trunc('month', t.day) - interval '1 day', 'YYYY-MM') END) AS plain
WHERE (r.first, r.last) IS DISTINCT FROM (plain.first, plain.last);
SELECT leadanalytics.report_period('fortnight', '2026-03-01') AS none, leadanalytics.report_period(NULL, '2026-03-01') AS neither;
-- As each family is told it; days of a question that counts them back are UTC's, with now at their end.
SELECT v.path, v.period, r.parameters, r.as_of AT TIME ZONE 'UTC' AS as_of
FROM (VALUES ('/v1/analytics/funnel', 'last_week'), ('/api/v1/overview', 'yesterday'), ('/api/v1/workspaces/:workspaceId/analytics/overview', 'last_month'), ('/analytics/leads/submissions', 'this_month'),
             ('/analytics/sessions/daily', 'last_7_days'), ('/analytics/sessions/daily', 'today'), ('/analytics/sessions/daily', 'this_week'), ('/v1/analytics/funnel', NULL)) AS v (path, period),
     leadanalytics.report_range_values(v.path, v.period, 'America/New_York', '2026-03-17 02:30Z') r;
\set VERBOSITY terse
SELECT leadanalytics.report_range_values('/analytics/sources', 'last_week', 'UTC', '2026-03-17 02:30Z');
SELECT leadanalytics.report_range_values('/analytics/anomalies', 'last_90_days', 'UTC', '2026-03-17 02:30Z');
SELECT leadanalytics.report_range_values('/analytics/engine/overview', 'last_month', 'Pacific/Kiritimati', '2026-03-31 23:30Z');
