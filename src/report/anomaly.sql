-- What is not as usual (S1-15).
--
-- A day is compared with the same hours of each of the 28 days before it: a day that is over as a whole, today by
-- its full hours so far. As much more as three standard deviations of sessions is a traffic_spike, as much less of
-- submitted forms a submission_drop. More than a fifth of a day's sessions suspected (D-21) is a vpn_ratio, in
-- percent. Twice as far is of high severity. A workspace younger than a week at that day is not judged: nobody
-- knows yet what is usual; days before its first event or form are not among the 28.

CREATE FUNCTION leadanalytics.daily_submissions(workspace int, starts timestamptz, ends timestamptz, hours interval)
RETURNS TABLE (day timestamptz, n bigint, in_hours bigint) LANGUAGE sql STABLE AS $$
    SELECT leadanalytics.utc_midnight(s.submitted_at), count(*),
           count(*) FILTER (WHERE s.submitted_at < leadanalytics.utc_midnight(s.submitted_at) + hours)
    FROM leadanalytics.lead_submission s
    WHERE s.workspace = daily_submissions.workspace AND s.submitted_at >= starts AND s.submitted_at < ends AND NOT s.is_bot
    GROUP BY 1
$$;
COMMENT ON FUNCTION leadanalytics.daily_submissions(int, timestamptz, timestamptz, interval) IS
    'how many forms were submitted on each day (UTC) that had any, and in its first hours; for reports';

CREATE FUNCTION leadanalytics.anomalies_rows(workspace int, days int DEFAULT 7, now timestamptz DEFAULT now())
RETURNS TABLE (type text, date date, value numeric, expected numeric, severity text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    today CONSTANT date := leadanalytics.utc_date(now);
    full_hours CONSTANT interval := date_bin('1 hour', now, leadanalytics.utc_start(today)) - leadanalytics.utc_start(today);
    first_day CONSTANT date := today + 1 - least(greatest(coalesce(days, 7), 1), 100000);
    starts CONSTANT timestamptz := leadanalytics.utc_start(first_day - 28);
    ends CONSTANT timestamptz := leadanalytics.utc_start(today + 1);
    -- Every day, those that today is compared with in two.
    bounds CONSTANT timestamptz[] := ARRAY(
        SELECT b.at
        FROM generate_series(least(greatest(starts, leadanalytics.first_day(allowed)), leadanalytics.utc_start(today)), ends, '24 hours') AS d (day)
        CROSS JOIN LATERAL (SELECT d.day UNION SELECT d.day + full_hours WHERE d.day >= leadanalytics.utc_start(today - 28) AND d.day < ends) AS b (at)
        ORDER BY b.at);
BEGIN
    RETURN QUERY
    WITH answer AS (
        SELECT bounds[greatest(a.slot, 1)] AS at, a.dimension, a.counts[1] AS n
        FROM leadanalytics.answer(allowed, '{session,suspected}', bounds, anomalies_rows.now, uniques => false) a
        WHERE a.slot > 0 OR cardinality(bounds) = 2
    ), session AS (
        SELECT leadanalytics.utc_midnight(a.at) AS day, sum(a.n) FILTER (WHERE a.dimension = 'session') AS n,
               coalesce(sum(a.n) FILTER (WHERE a.dimension = 'session' AND a.at < leadanalytics.utc_midnight(a.at) + full_hours), 0) AS in_hours,
               coalesce(sum(a.n) FILTER (WHERE a.dimension = 'suspected'), 0) AS suspected
        FROM answer a
        GROUP BY 1
    ), counted AS (
        SELECT 'traffic_spike' AS type, s.day, s.n, s.in_hours FROM session s
        UNION ALL
        SELECT 'submission_drop', d.day, d.n, d.in_hours FROM leadanalytics.daily_submissions(allowed, starts, ends, full_hours) d
    ), known AS (
        SELECT greatest(first_day - 28, leadanalytics.utc_date(least(
            (SELECT min(e.at) FROM leadanalytics.event e WHERE e.workspace = allowed),
            (SELECT min(l.submitted_at) FROM leadanalytics.lead_submission l WHERE l.workspace = allowed)))) AS since
    ), every_day AS (
        SELECT k.type, k.since + i.n AS day, k.since + i.n = today AS is_today, coalesce(c.n, 0) AS n, coalesce(c.in_hours, 0) AS in_hours
        FROM (SELECT kind.type, known.since FROM known, unnest('{traffic_spike,submission_drop}'::text[]) AS kind (type)) AS k
        CROSS JOIN LATERAL generate_series(0, today - k.since) AS i (n)
        LEFT JOIN counted c ON c.type = k.type AND c.day = leadanalytics.utc_start(k.since + i.n)
    ), usual AS (
        SELECT e.type, e.day, count(*) OVER before AS days,
               CASE WHEN e.is_today THEN e.in_hours ELSE e.n END::numeric AS value,
               CASE WHEN e.is_today THEN avg(e.in_hours) OVER before ELSE avg(e.n) OVER before END AS mean,
               CASE WHEN e.is_today THEN stddev_samp(e.in_hours) OVER before ELSE stddev_samp(e.n) OVER before END AS deviation
        FROM every_day e
        WINDOW before AS (PARTITION BY e.type ORDER BY e.day ROWS BETWEEN 28 PRECEDING AND 1 PRECEDING)
    ), suspected AS (
        SELECT leadanalytics.utc_date(s.day) AS day, 100.0 * s.suspected / s.n AS percent
        FROM session s
        WHERE s.day >= leadanalytics.utc_start(first_day)
    )
    SELECT u.type, u.day, u.value, round(u.mean, 1),
           CASE WHEN abs(u.value - u.mean) > 6 * u.deviation THEN 'high' ELSE 'low' END
    FROM usual u
    WHERE u.day >= first_day AND u.days >= 7
      AND CASE u.type WHEN 'traffic_spike' THEN u.value - u.mean ELSE u.mean - u.value END > 3 * u.deviation
    UNION ALL
    SELECT 'vpn_ratio', s.day, round(s.percent, 1), 20.0, CASE WHEN s.percent > 40 THEN 'high' ELSE 'low' END
    FROM suspected s
    WHERE s.percent > 20
    ORDER BY 2 DESC, 1;
END
$$;
COMMENT ON FUNCTION leadanalytics.anomalies_rows(int, int, timestamptz) IS
    'what was not as usual on the last days (UTC, the one of now included), newest first: sessions above, submitted forms below the mean of the same hours of the '
    '28 days before by more than three standard deviations, more than 20 percent of sessions suspected of hiding behind a VPN';
GRANT EXECUTE ON FUNCTION leadanalytics.anomalies_rows(int, int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.anomalies(workspace int, days int DEFAULT 7, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(json_agg(r ORDER BY r.date DESC, r.type), '[]')
            FROM leadanalytics.anomalies_rows(anomalies.workspace, least(coalesce(anomalies.days, 7), 30), anomalies.now) r);
END
$$;
COMMENT ON FUNCTION leadanalytics.anomalies(int, int, timestamptz) IS
    'spikes of traffic, drops of submissions and days with many suspected sessions among the last 1 to 30 days (UTC), newest first';
GRANT EXECUTE ON FUNCTION leadanalytics.anomalies(int, int, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, summary, example, builtin) VALUES
    ('GET', '/analytics/anomalies', 'leadanalytics.anomalies', 'dashboard', '{admin,marketing}', true,
     'What is not as usual, newest first',
     '[{"type": "traffic_spike", "date": "2026-02-22", "value": 410, "expected": 120.5, "severity": "high"}]', true);
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary) VALUES
    ('GET', '/analytics/anomalies', 'days', 'days', 'int', 1, 30, true, '7', 1, '7', 'how many days (UTC), today included');
