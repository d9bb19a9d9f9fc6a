-- Attribution: which campaigns conversions came from (D-53 … D-55).
--
-- A touch is the start of a session that has a campaign (a click id or any utm part); referrals, searches and direct
-- visits are none, so none overwrites one. Touches and conversions meet in a journey: that of a person, with all visitors
-- and other names of it, or of a visitor that nobody knows.

CREATE FUNCTION leadanalytics.attribution_events(
    workspace int, starts timestamptz, ends timestamptz, window_days int, model text, include_bots boolean)
RETURNS TABLE (at timestamptz, id bigint, name int, amount numeric, session bigint, touched_at timestamptz, campaign int)
LANGUAGE c STABLE SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan -- look up, in the order told
AS 'MODULE_PATHNAME', 'la_report_attribution';
COMMENT ON FUNCTION leadanalytics.attribution_events(int, timestamptz, timestamptz, int, text, boolean) IS
    'leadanalytics.attribution_conversions() by numbers: event, name, session of the touch, and its campaign; for reports';

CREATE FUNCTION leadanalytics.attribution_conversions(
    workspace int,
    starts timestamptz,
    ends timestamptz,
    window_days int DEFAULT 30,
    model text DEFAULT 'hybrid',
    include_bots boolean DEFAULT false)
RETURNS TABLE (
    at timestamptz, id bigint, event_name text, value numeric, touched_at timestamptz, session bigint,
    utm_source text, utm_medium text, utm_campaign text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY
    SELECT e.at, e.id, n.parts[1], e.amount, e.touched_at, e.session, d.touch[1], d.touch[2], d.touch[3]
    FROM leadanalytics.attribution_events(allowed, starts, ends, attribution_conversions.window_days, attribution_conversions.model, attribution_conversions.include_bots) e
    JOIN leadanalytics.term n ON n.workspace = allowed AND n.id = e.name
    LEFT JOIN leadanalytics.term c ON c.workspace = allowed AND c.id = e.campaign
    CROSS JOIN LATERAL (SELECT leadanalytics.touch_of(c.parts)::text[] AS touch OFFSET 0) AS d
    ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION leadanalytics.attribution_conversions(int, timestamptz, timestamptz, int, text, boolean) IS
    'the conversions from starts until before ends (id: of the event; value in the workspace''s currency) and the touch each is attributed to: '
    'a session that started with a click id or a utm part, by the same person, at most window_days (of 24 hours) before; nulls: there is none. '
    'model first_touch, last_touch: the first or last of those; session: only that of the conversion''s own session; hybrid: that, else the first';
GRANT EXECUTE ON FUNCTION leadanalytics.attribution_conversions(int, timestamptz, timestamptz, int, text, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.attribution_rows(
    workspace int,
    starts timestamptz,
    ends timestamptz,
    window_days int DEFAULT 30,
    model text DEFAULT 'hybrid',
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS TABLE (
    utm_source text, utm_medium text, utm_campaign text, visitors bigint, conversions bigint, revenue numeric,
    conversion_rate numeric, avg_order_value numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY
    WITH visited AS MATERIALIZED (
        SELECT a.value AS touch, a.members AS visitors
        FROM leadanalytics.answer(allowed, '{touch}', ARRAY[starts, ends], attribution_rows.now, attribution_rows.include_bots) a
        WHERE starts < ends AND a.value IS NOT NULL
    ), converted AS MATERIALIZED (
        SELECT leadanalytics.touch_of(t.parts) AS touch, sum(e.n)::bigint AS conversions, sum(e.amount) AS revenue
        FROM (SELECT e.campaign, count(*) AS n, sum(e.amount) AS amount
              FROM leadanalytics.attribution_events(allowed, starts, ends, attribution_rows.window_days, attribution_rows.model, attribution_rows.include_bots) e
              WHERE e.campaign IS NOT NULL GROUP BY 1) AS e
        JOIN leadanalytics.term t ON t.workspace = allowed AND t.id = e.campaign
        GROUP BY 1
    )
    SELECT t.parts[1], t.parts[2], t.parts[3], t.visitors, t.conversions, t.revenue,
           leadanalytics.ratio(100 * t.conversions, t.visitors), leadanalytics.ratio(t.revenue, t.conversions)
    FROM (SELECT touch::text[] AS parts, coalesce(v.visitors, 0) AS visitors, coalesce(c.conversions, 0) AS conversions, coalesce(c.revenue, 0) AS revenue
          FROM visited v FULL JOIN converted c USING (touch)) AS t
    ORDER BY t.revenue DESC, t.conversions DESC, t.visitors DESC, t.parts[1] COLLATE "C", t.parts[2] COLLATE "C", t.parts[3] COLLATE "C";
END
$$;
COMMENT ON FUNCTION leadanalytics.attribution_rows(int, timestamptz, timestamptz, int, text, timestamptz, boolean) IS
    'campaigns that had visitors (distinct, with a session that started so) or conversions (see leadanalytics.attribution_conversions) from starts until before ends; '
    'revenue in the workspace''s currency, less refunds; conversion_rate in percent; most revenue first';
GRANT EXECUTE ON FUNCTION leadanalytics.attribution_rows(int, timestamptz, timestamptz, int, text, timestamptz, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.attribution(
    workspace int,
    start_date text,
    end_date text,
    window_days int DEFAULT 30,
    model text DEFAULT 'hybrid',
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    asked record;
BEGIN
    SELECT p.* INTO asked FROM leadanalytics.period(attribution.workspace, attribution.start_date, attribution.end_date) p;
    IF window_days IS NULL OR window_days NOT IN (7, 30, 90) THEN
        RAISE EXCEPTION 'Invalid window_days' USING ERRCODE = 'LA400', HINT = '7, 30 or 90.';
    END IF;
    RETURN (
        SELECT json_build_object(
            'campaigns', coalesce(json_agg(json_build_object(
                'utm_source', r.utm_source, 'utm_medium', r.utm_medium, 'utm_campaign', r.utm_campaign, 'visitors', r.visitors, 'conversions', r.conversions,
                'revenue', round(r.revenue, 2), 'conversion_rate', r.conversion_rate, 'avg_order_value', r.avg_order_value) ORDER BY r.place)
                FILTER (WHERE r.place <= 1000), '[]'),
            'attribution_window_days', attribution.window_days,
            'total_campaigns', count(*),
            'date_range', json_build_object('start', leadanalytics.utc_seconds(asked.starts), 'end', leadanalytics.utc_seconds(asked.ends - interval '1 microsecond')))
        FROM leadanalytics.attribution_rows(attribution.workspace, asked.starts, asked.ends, attribution.window_days, attribution.model, attribution.now, attribution.include_bots)
            WITH ORDINALITY AS r (utm_source, utm_medium, utm_campaign, visitors, conversions, revenue, conversion_rate, avg_order_value, place));
END
$$;
COMMENT ON FUNCTION leadanalytics.attribution(int, text, text, int, text, timestamptz, boolean) IS
    'the 1 000 campaigns that brought most revenue in a range (both ends inclusive); window_days 7, 30 or 90: how long before a conversion its touch may lie; '
    'model hybrid, first_touch, last_touch or session';
GRANT EXECUTE ON FUNCTION leadanalytics.attribution(int, text, text, int, text, timestamptz, boolean) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, summary, example, builtin) VALUES
    ('GET', '/api/v1/attribution', 'leadanalytics.attribution', 'public', '{sdk,agent}', true, 'Which campaigns conversions came from',
     '{"campaigns": [{"utm_source": "google", "utm_medium": "cpc", "utm_campaign": "spring_sale", "visitors": 1200, "conversions": 45, "revenue": 8900.00, "conversion_rate": 3.75, "avg_order_value": 197.78}, '
     '{"utm_source": "facebook", "utm_medium": "paid", "utm_campaign": "retargeting_q1", "visitors": 800, "conversions": 32, "revenue": 5600.00, "conversion_rate": 4.0, "avg_order_value": 175.00}], '
     '"attribution_window_days": 30, "total_campaigns": 12, "date_range": {"start": "2026-03-01T00:00:00Z", "end": "2026-03-16T23:59:59Z"}}', true);
SELECT leadanalytics.takes_range('/api/v1/attribution');
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, fallback, choices, lenient, position, example, summary) VALUES
    ('GET', '/api/v1/attribution', 'window_days', 'window_days', 'int', '30', '{7,30,90}', false, 3, '30', 'how many days before a conversion its touch may lie'),
    ('GET', '/api/v1/attribution', 'model', 'model', 'text', 'hybrid', '{hybrid,first_touch,last_touch,session}', false, 4, 'hybrid',
     'hybrid: the click of the conversion''s own session, else the first of the window; session: only the former; first_touch, last_touch: of the window'),
    ('GET', '/api/v1/attribution', 'include_bots', 'include_bots', 'boolean', 'false', NULL, true, 9, 'false', 'true: robots'' conversions count too');
