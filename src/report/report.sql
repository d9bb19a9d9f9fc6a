-- The dashboard's questions (S1), exact from rows. In PL/pgSQL, which keeps a statement's plan for the
-- session: a function in SQL is planned anew at each call, which costs more than a small answer itself.

CREATE FUNCTION leadanalytics.overview_rows(workspace int, now timestamptz DEFAULT now())
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
    WITH asked AS MATERIALIZED (SELECT leadanalytics.permitted(overview_rows.workspace) AS workspace),
    events AS (
        SELECT count(*) AS total, count(DISTINCT e.visitor) AS visitors
        FROM asked a JOIN leadanalytics.event e ON e.workspace = a.workspace
        WHERE NOT e.is_bot
    ),
    -- a session may have started without an event, and an event have come too late for its session
    fingerprints AS (
        SELECT count(DISTINCT f.fingerprint) AS total
        FROM (SELECT s.fingerprint FROM asked a JOIN leadanalytics.session s ON s.workspace = a.workspace
              UNION ALL
              SELECT e.fingerprint FROM asked a JOIN leadanalytics.event e ON e.workspace = a.workspace
              WHERE NOT e.is_bot AND e.fingerprint IS NOT NULL) f
    ),
    -- averages are of complete sessions (D-04), as they are seen at now
    sessions AS (
        SELECT count(*) AS total,
               avg(extract(epoch FROM ended.at - s.started_at)) AS duration_s,
               avg(leadanalytics.engagement_score(extract(epoch FROM ended.at - s.started_at)::float8, s.scroll_percent,
                                                  s.clicks, s.returns)) FILTER (WHERE ended.at IS NOT NULL) AS score,
               count(DISTINCT s.fingerprint) FILTER (WHERE s.vpn_score > 50) AS suspected -- D-21
        FROM asked a JOIN leadanalytics.session s ON s.workspace = a.workspace
        CROSS JOIN LATERAL (SELECT leadanalytics.session_end(s.session_id IS NOT NULL, s.last_seen, s.ended_at,
                                                             overview_rows.now)) AS ended (at)
    )
    SELECT s.total, e.total, e.visitors, f.total,
           round(coalesce(s.score, 0), 1), round(coalesce(s.duration_s, 0))::int,
           s.suspected
    FROM sessions s, events e, fingerprints f;
END
$$;
COMMENT ON FUNCTION leadanalytics.overview_rows(int, timestamptz) IS 'the one row leadanalytics.overview() shows, for SQL';
GRANT EXECUTE ON FUNCTION leadanalytics.overview_rows(int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.overview(workspace int, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT row_to_json(r) FROM leadanalytics.overview_rows(overview.workspace, overview.now) r);
END
$$;
COMMENT ON FUNCTION leadanalytics.overview(int, timestamptz) IS
    'sessions, events, visitors and fingerprints of a workspace, and averages over its complete sessions; bots are left out';
GRANT EXECUTE ON FUNCTION leadanalytics.overview(int, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, summary, example, builtin) VALUES
    ('GET', '/analytics/overview', 'leadanalytics.overview', 'dashboard', '{admin,marketing}', true,
     'Totals and averages over all time',
     '{"total_sessions": 1234, "total_events": 56789, "unique_visitors": 890, "unique_fingerprints": 750, "avg_engagement_score": 42.5, "avg_session_duration_s": 185, "vpn_suspected_count": 12}', true);
