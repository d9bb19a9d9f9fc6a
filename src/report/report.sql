-- The dashboard's questions (S1), asked of the engine: what the other files of the room share, and the overview.
--
-- Each question is a function that answers in JSON over a twin, …_rows, that returns the same as rows; the
-- twins do not shorten. They are in PL/pgSQL, which keeps a statement's plan for the session: a function in
-- SQL is planned anew at each call, which costs more than a small answer itself. Days are those of UTC,
-- whatever the session's time zone (D-01). Robots are left out; include_bots brings their events back (D-76).
-- Sessions are people's anyway.

CREATE FUNCTION leadanalytics.utc_date(at timestamptz)
RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (at AT TIME ZONE 'UTC')::date
$$;
COMMENT ON FUNCTION leadanalytics.utc_date(timestamptz) IS 'the date in UTC';
GRANT EXECUTE ON FUNCTION leadanalytics.utc_date(timestamptz) TO leadanalytics_read;

-- AT TIME ZONE looks the zone up for every row: rows are put into days by this, and only days are made dates.
CREATE FUNCTION leadanalytics.utc_midnight(at timestamptz)
RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT date_bin('1 day', at, '2000-01-01 00:00:00Z')
$$;
COMMENT ON FUNCTION leadanalytics.utc_midnight(timestamptz) IS 'the midnight (UTC) before it';
GRANT EXECUTE ON FUNCTION leadanalytics.utc_midnight(timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.utc_start(day date)
RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT day::timestamp AT TIME ZONE 'UTC'
$$;
COMMENT ON FUNCTION leadanalytics.utc_start(date) IS 'midnight in UTC';
GRANT EXECUTE ON FUNCTION leadanalytics.utc_start(date) TO leadanalytics_read;

-- avg(interval) rounds to microseconds, and a half that is none would be rounded up.
CREATE FUNCTION leadanalytics.mean_seconds(total interval, n bigint, digits int)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT round(coalesce(extract(epoch FROM total) / nullif(n, 0), 0), digits)
$$;
COMMENT ON FUNCTION leadanalytics.mean_seconds(interval, bigint, int) IS 'total / n in seconds, half up (D-07); 0 of none; for reports';

-- S1-01
CREATE FUNCTION leadanalytics.overview_rows(workspace int, now timestamptz DEFAULT now(), include_bots boolean DEFAULT false)
RETURNS TABLE (
    total_sessions bigint,
    total_events bigint,
    unique_visitors bigint,
    unique_fingerprints bigint,
    avg_engagement_score numeric,
    avg_session_duration_s int,
    vpn_suspected_count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT t.sessions, t.events, t.visitors, t.fingerprints, round(coalesce(t.score, 0), 1),
           leadanalytics.mean_seconds(t.duration, t.complete_sessions, 0)::int, t.suspected_fingerprints
    FROM leadanalytics.totals(overview_rows.workspace, '-infinity', 'infinity', overview_rows.now, coalesce(overview_rows.include_bots, false)) t;
END
$$;
COMMENT ON FUNCTION leadanalytics.overview_rows(int, timestamptz, boolean) IS 'the one row leadanalytics.overview() shows, for SQL';
GRANT EXECUTE ON FUNCTION leadanalytics.overview_rows(int, timestamptz, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.overview(workspace int, now timestamptz DEFAULT now(), include_bots boolean DEFAULT false)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT row_to_json(r) FROM leadanalytics.overview_rows(overview.workspace, overview.now, overview.include_bots) r);
END
$$;
COMMENT ON FUNCTION leadanalytics.overview(int, timestamptz, boolean) IS
    'sessions, events, visitors and fingerprints of a workspace, and averages over its complete sessions';
GRANT EXECUTE ON FUNCTION leadanalytics.overview(int, timestamptz, boolean) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, from_fold, summary, example, builtin) VALUES
    ('GET', '/analytics/overview', 'leadanalytics.overview', 'dashboard', '{admin,marketing}', true, true,
     'Totals and averages over all time',
     '{"total_sessions": 1234, "total_events": 56789, "unique_visitors": 890, "unique_fingerprints": 750, "avg_engagement_score": 42.5, "avg_session_duration_s": 185, "vpn_suspected_count": 12}', true);
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary) VALUES
    ('GET', '/analytics/overview', 'include_bots', 'include_bots', 'boolean', NULL, NULL, true, 'false', 9, 'false', 'true: robots'' events count too');
