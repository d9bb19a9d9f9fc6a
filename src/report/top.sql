-- Pages (S1-03), countries (S1-04) and sources (S1-06), the largest first. What repeats in rows is a number
-- there: it is counted by number and read as text afterwards.

CREATE FUNCTION leadanalytics.top_pages_rows(
    workspace int,
    "limit" int DEFAULT NULL,
    include_bots boolean DEFAULT false)
RETURNS TABLE (page text, views bigint, unique_sessions bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    bots CONSTANT boolean := coalesce(include_bots, false);
    ever CONSTANT timestamptz[] := '{-infinity,infinity}';
BEGIN
    -- First which pages, then their sessions: most pages are not among the first.
    RETURN QUERY
    WITH top AS MATERIALIZED (
        SELECT a.value AS page, a.counts[1] AS views
        FROM leadanalytics.answer(allowed, '{page}', ever, now(), bots, false, coalesce(top_pages_rows."limit", 0)) a
    ), session AS MATERIALIZED (
        SELECT a.value AS page, a.members AS sessions
        FROM leadanalytics.answer(allowed, '{page_session}', ever, now(), bots, only_values => (SELECT array_agg(t.page) FROM top t)) a
    )
    SELECT t.page, t.views, coalesce(s.sessions, 0)
    FROM top t LEFT JOIN session s ON s.page = t.page
    ORDER BY 2 DESC, 1;
END
$$;
COMMENT ON FUNCTION leadanalytics.top_pages_rows(int, int, boolean) IS
    'pages by their views, most viewed first, with the sessions that viewed them; limit null: all pages';
GRANT EXECUTE ON FUNCTION leadanalytics.top_pages_rows(int, int, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.top_pages(workspace int, "limit" int DEFAULT 20, include_bots boolean DEFAULT false)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(json_agg(json_build_object('page', r.page, 'views', r.views, 'unique_sessions', r.unique_sessions) ORDER BY r.place), '[]')
            FROM leadanalytics.top_pages_rows(top_pages.workspace, least(greatest(coalesce(top_pages."limit", 20), 1), 100), top_pages.include_bots)
                WITH ORDINALITY AS r (page, views, unique_sessions, place));
END
$$;
COMMENT ON FUNCTION leadanalytics.top_pages(int, int, boolean) IS 'the 1 to 100 most viewed pages, and the sessions that viewed them';
GRANT EXECUTE ON FUNCTION leadanalytics.top_pages(int, int, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.geo_distribution_rows(workspace int)
RETURNS TABLE (country text, sessions bigint, unique_visitors bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY
    SELECT b.value, b.count, b.visitors
    FROM leadanalytics.breakdown(allowed, 'country', '-infinity', 'infinity', by => 'count') b
    ORDER BY 2 DESC, 1;
END
$$;
COMMENT ON FUNCTION leadanalytics.geo_distribution_rows(int) IS
    'sessions by the country (ISO 3166, null: unknown) they started in, and their visitors: one with sessions in two countries counts in both';
GRANT EXECUTE ON FUNCTION leadanalytics.geo_distribution_rows(int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.geo_distribution(workspace int)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(json_agg(json_build_object('country', r.country, 'sessions', r.sessions, 'unique_visitors', r.unique_visitors) ORDER BY r.place), '[]')
            FROM leadanalytics.geo_distribution_rows(geo_distribution.workspace) WITH ORDINALITY AS r (country, sessions, unique_visitors, place));
END
$$;
COMMENT ON FUNCTION leadanalytics.geo_distribution(int) IS 'sessions and their visitors by country, null where it is not known';
GRANT EXECUTE ON FUNCTION leadanalytics.geo_distribution(int) TO leadanalytics_read;

-- Own pages and what is no address count as direct, as nothing does (D-51).
CREATE FUNCTION leadanalytics.traffic_sources_rows(workspace int, "limit" int DEFAULT NULL)
RETURNS TABLE (referrer_domain text, sessions bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY
    SELECT coalesce(a.value, '(direct)'), a.counts[1]
    FROM leadanalytics.answer(allowed, '{referrer}', '{-infinity,infinity}', now(), false, false,
                              as_none => ARRAY(SELECT o.host FROM leadanalytics.own_hosts(allowed) AS o (host))) a
    ORDER BY 2 DESC, 1
    LIMIT traffic_sources_rows."limit";
END
$$;
COMMENT ON FUNCTION leadanalytics.traffic_sources_rows(int, int) IS
    'sessions by the host (see leadanalytics.host_of) that referred their first event, most first; (direct): none, or the workspace''s own; limit null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.traffic_sources_rows(int, int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.traffic_sources(workspace int, "limit" int DEFAULT 1000)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(json_agg(json_build_object('referrer_domain', r.referrer_domain, 'sessions', r.sessions) ORDER BY r.place), '[]')
            FROM leadanalytics.traffic_sources_rows(traffic_sources.workspace, least(greatest(coalesce(traffic_sources."limit", 1000), 1), 1000))
                WITH ORDINALITY AS r (referrer_domain, sessions, place));
END
$$;
COMMENT ON FUNCTION leadanalytics.traffic_sources(int, int) IS 'the 1 to 1 000 domains that referred most sessions; (direct): none, or the workspace''s own';
GRANT EXECUTE ON FUNCTION leadanalytics.traffic_sources(int, int) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, summary, example, builtin) VALUES
    ('GET', '/analytics/pages/top', 'leadanalytics.top_pages', 'dashboard', '{admin,marketing}', true,
     'Most viewed pages', '[{"page": "https://example.com/home", "views": 234, "unique_sessions": 180}]', true),
    ('GET', '/analytics/geo', 'leadanalytics.geo_distribution', 'dashboard', '{admin,marketing}', true,
     'Sessions by country', '[{"country": "US", "sessions": 500, "unique_visitors": 420}]', true),
    ('GET', '/analytics/sources', 'leadanalytics.traffic_sources', 'dashboard', '{admin,marketing}', true,
     'Sessions by referring domain',
     '[{"referrer_domain": "google.com", "sessions": 300}, {"referrer_domain": "(direct)", "sessions": 200}, {"referrer_domain": "facebook.com", "sessions": 50}]', true);
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary) VALUES
    ('GET', '/analytics/pages/top', 'limit', 'limit', 'int', 1, 100, true, '20', 1, '20', 'how many pages'),
    ('GET', '/analytics/pages/top', 'include_bots', 'include_bots', 'boolean', NULL, NULL, true, 'false', 9, 'false', 'true: robots'' events count too'),
    ('GET', '/analytics/sources', 'limit', 'limit', 'int', 1, 1000, true, '1000', 1, '1000', 'how many domains');
