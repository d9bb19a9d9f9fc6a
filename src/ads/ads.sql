-- S5-11: what advertising cost and brought.
--
-- Platforms report the same money at each level, and a workspace may be told it at any of them, at several, and at
-- others on other days. So each day and each thing is reckoned by itself: what a campaign spent on a day is its own
-- figure of that day, and without one the sum of its ad sets; what an ad set spent is its own figure, and without
-- one the sum of its ads. Hence a figure counts unless one above it, at the report's level or finer, stands for it
-- that day. What was told at a coarser level only cannot be divided: it is not in a report of a finer one.

CREATE FUNCTION leadanalytics.ad_counting(workspace int, first date, last date, deep int, mixed boolean)
RETURNS SETOF leadanalytics.ad_figure LANGUAGE sql STABLE AS $$
    -- s.depth < 3 is for the planner, which expects fewer rows for it and hashes them; without it it probes an index
    -- for each f, and takes two to three times as long.
    SELECT f.*
    FROM leadanalytics.ad_figure f
    LEFT JOIN leadanalytics.ad_figure c
        ON mixed AND deep = 1 AND f.depth > 1 AND c.workspace = ad_counting.workspace AND c.depth = 1 AND c.day BETWEEN first AND last
           AND c.day = f.day AND c.object = f.campaign
    LEFT JOIN leadanalytics.ad_figure s
        ON mixed AND deep <= 2 AND f.depth = 3 AND s.workspace = ad_counting.workspace AND s.depth < 3 AND s.depth = 2 AND s.day BETWEEN first AND last
           AND s.day = f.day AND s.object = f.adset
    WHERE f.workspace = ad_counting.workspace AND f.day BETWEEN first AND last AND f.depth >= deep AND c.object IS NULL AND s.object IS NULL
$$;
COMMENT ON FUNCTION leadanalytics.ad_counting(int, date, date, int, boolean) IS
    'the figures from first to last that count at a depth: of that depth, and finer ones that none above stands for that day; mixed: there are any above; for reports';

CREATE FUNCTION leadanalytics.ad_days(workspace int, starts timestamptz, ends timestamptz, OUT first date, OUT last date)
LANGUAGE sql STABLE AS $$
    SELECT (starts AT TIME ZONE w.timezone)::date, ((ends - interval '1 microsecond') AT TIME ZONE w.timezone)::date
    FROM leadanalytics.workspace w WHERE w.id = ad_days.workspace
$$;
COMMENT ON FUNCTION leadanalytics.ad_days(int, timestamptz, timestamptz) IS
    'the dates that a range from starts until before ends touches in the workspace''s zone: those of the day buckets of its other reports';

CREATE FUNCTION leadanalytics.ads_rows(
    workspace int, starts timestamptz, ends timestamptz, of_platform text DEFAULT NULL, by_level text DEFAULT 'campaign', "limit" int DEFAULT NULL)
RETURNS TABLE (
    platform text, account_id text, level text, campaign_id text, campaign_name text, adset_id text, adset_name text, ad_id text, ad_name text, status text,
    currency text, spend numeric, impressions numeric, clicks numeric, conversions numeric, revenue numeric, roas numeric, ctr numeric, cpc numeric, cpm numeric,
    total_spend numeric, total_revenue numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- How many have no figure above cannot be estimated, is read as none, and leads to sorting all the rest. Where
-- there is nothing above at all nothing is looked for: only a plan of its own knows. (What is off looks so dear that it would be compiled.)
SET enable_sort = off SET plan_cache_mode = force_custom_plan SET jit = off AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(ads_rows.workspace);
    own CONSTANT text := (SELECT w.currency FROM leadanalytics.workspace w WHERE w.id = allowed);
    deep CONSTANT int := array_position(leadanalytics.ad_levels(), coalesce(by_level, 'campaign'));
    days record;
    campaigns int[];
    mixed boolean;
    foreign_spend numeric;
    foreign_revenue numeric;
BEGIN
    IF deep IS NULL THEN
        RAISE EXCEPTION 'Invalid level' USING ERRCODE = 'LA400', HINT = 'campaign, adset or ad.';
    END IF;
    SELECT d.first, d.last INTO days FROM leadanalytics.ad_days(allowed, ads_rows.starts, ads_rows.ends) d;
    mixed := deep < 3 AND EXISTS (SELECT FROM leadanalytics.ad_figure f WHERE f.workspace = allowed AND f.day BETWEEN days.first AND days.last AND f.depth < 3);
    campaigns := CASE WHEN of_platform IS NOT NULL THEN
        ARRAY(SELECT o.id FROM leadanalytics.ad_object o WHERE o.workspace = allowed AND o.platform = of_platform AND o.level = 'campaign') END;
    -- What another currency is worth is asked for once a day, not once a row.
    SELECT coalesce(sum(d.spend * d.rate), 0), coalesce(sum(d.revenue * d.rate), 0) INTO foreign_spend, foreign_revenue
    FROM (
        SELECT sum(f.spend) AS spend, sum(f.revenue) AS revenue, leadanalytics.conversion_rate(allowed, f.currency, f.day) AS rate
        FROM leadanalytics.ad_counting(allowed, days.first, days.last, deep, mixed) f
        WHERE f.currency <> own AND (campaigns IS NULL OR f.campaign = ANY (campaigns))
        GROUP BY f.currency, f.day
    ) AS d;
    RETURN QUERY
    WITH sums AS MATERIALIZED (
        SELECT f.campaign, CASE WHEN deep >= 2 THEN f.adset END AS adset, CASE WHEN deep = 3 THEN f.object END AS ad, f.currency,
               sum(f.spend) AS spend, sum(f.impressions) AS impressions, sum(f.clicks) AS clicks, sum(f.conversions) AS conversions, sum(f.revenue) AS revenue
        FROM leadanalytics.ad_counting(allowed, days.first, days.last, deep, mixed) f
        WHERE campaigns IS NULL OR f.campaign = ANY (campaigns)
        GROUP BY 1, 2, 3, 4
    ), total AS MATERIALIZED (
        SELECT foreign_spend + coalesce(sum(s.spend) FILTER (WHERE s.currency = own), 0) AS spend,
               foreign_revenue + coalesce(sum(s.revenue) FILTER (WHERE s.currency = own), 0) AS revenue
        FROM sums s
    ), top AS MATERIALIZED (
        SELECT s.* FROM sums s ORDER BY s.spend DESC, s.campaign, s.adset, s.ad, s.currency LIMIT ads_rows."limit"
    )
    SELECT c.platform, c.account_id, (leadanalytics.ad_levels())[deep], c.key, c.name, g.key, g.name, a.key, a.name, CASE deep WHEN 1 THEN c.status WHEN 2 THEN g.status ELSE a.status END,
           s.currency, s.spend, s.impressions, s.clicks, s.conversions, s.revenue,
           leadanalytics.ratio(s.revenue, s.spend), leadanalytics.ratio(s.clicks * 100, s.impressions),
           leadanalytics.ratio(s.spend, s.clicks), leadanalytics.ratio(s.spend * 1000, s.impressions), t.spend, t.revenue
    FROM top s
    CROSS JOIN total t
    JOIN leadanalytics.ad_object c ON c.workspace = allowed AND c.id = s.campaign
    LEFT JOIN leadanalytics.ad_object g ON g.workspace = allowed AND g.id = s.adset
    LEFT JOIN leadanalytics.ad_object a ON a.workspace = allowed AND a.id = s.ad
    ORDER BY s.spend DESC, s.campaign, s.adset, s.ad, s.currency;
END
$$;
COMMENT ON FUNCTION leadanalytics.ads_rows(int, timestamptz, timestamptz, text, text, int) IS
    'figures of ads of the dates the range touches, by campaign, ad set or ad, largest spend first, each in its account''s currency (one of several currencies is several rows); '
    'total_: of all of them, in the workspace''s currency; of_platform null: all; limit null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.ads_rows(int, timestamptz, timestamptz, text, text, int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.ad_platforms(workspace int, since date DEFAULT '-infinity')
RETURNS text[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- An object has a figure: nothing else makes one.
    RETURN ARRAY(
        SELECT s.platform FROM leadanalytics.ad_sources() s
        WHERE EXISTS (SELECT FROM leadanalytics.ad_object o WHERE o.workspace = ad_platforms.workspace AND o.platform = s.platform)
              AND (since = '-infinity' OR EXISTS (
                  SELECT FROM leadanalytics.ad_figure f JOIN leadanalytics.ad_object o ON o.workspace = f.workspace AND o.id = f.object
                  WHERE f.workspace = ad_platforms.workspace AND f.day >= since AND o.platform = s.platform))
        ORDER BY s.place);
END
$$;
COMMENT ON FUNCTION leadanalytics.ad_platforms(int, date) IS 'the ad platforms that a workspace has figures of, since a day or at all; for reports';

CREATE FUNCTION leadanalytics.ads(workspace int, start_date text, end_date text, platform text DEFAULT NULL, level text DEFAULT 'campaign', "limit" int DEFAULT 50)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(ads.workspace);
    range record;
    told CONSTANT text[] := leadanalytics.ad_platforms(allowed);
    -- Said to be connected, or known by its figures.
    connected CONSTANT text[] := ARRAY(
        SELECT s.platform FROM leadanalytics.ad_sources() s
        WHERE s.platform = ANY (told) OR EXISTS (SELECT FROM leadanalytics.platform c WHERE c.workspace = allowed AND c.provider = s.provider)
        ORDER BY s.place);
    -- A body has the members of its level and no more.
    finer CONSTANT text[] := (ARRAY['adset_id', 'adset_name', 'ad_id', 'ad_name'])[CASE ads.level WHEN 'adset' THEN 3 WHEN 'ad' THEN 5 ELSE 1 END:];
    answer json;
BEGIN
    SELECT p.starts, p.ends INTO range FROM leadanalytics.period(allowed, ads.start_date, ads.end_date) p;
    SELECT json_build_object(
        'data', coalesce(json_agg(r.row ORDER BY r.place), '[]'),
        'platforms_connected', to_json(connected),
        'total_spend', round(coalesce(min(r.total_spend), 0), 2),
        'total_revenue', round(coalesce(min(r.total_revenue), 0), 2),
        'overall_roas', leadanalytics.ratio(min(r.total_revenue), min(r.total_spend)))
    INTO answer
    FROM (
        SELECT a.place, a.total_spend, a.total_revenue, (
            SELECT json_object_agg(m.key, m.value ORDER BY m.place)
            FROM json_each(json_build_object(
                'platform', a.platform, 'level', a.level, 'campaign_id', a.campaign_id, 'campaign_name', a.campaign_name,
                'adset_id', a.adset_id, 'adset_name', a.adset_name, 'ad_id', a.ad_id, 'ad_name', a.ad_name, 'status', a.status,
                'spend', round(a.spend, 2), 'impressions', a.impressions, 'clicks', a.clicks, 'conversions', trim_scale(round(a.conversions, 2)), 'revenue', round(a.revenue, 2),
                'roas', a.roas, 'ctr', a.ctr, 'cpc', a.cpc, 'cpm', a.cpm)) WITH ORDINALITY AS m (key, value, place)
            WHERE m.key <> ALL (finer)) AS row
        FROM leadanalytics.ads_rows(allowed, range.starts, range.ends, nullif(ads.platform, 'all'), ads.level, least(greatest(coalesce(ads."limit", 50), 1), 200)) WITH ORDINALITY
             AS a (platform, account_id, level, campaign_id, campaign_name, adset_id, adset_name, ad_id, ad_name, status, currency, spend, impressions, clicks, conversions, revenue,
                   roas, ctr, cpc, cpm, total_spend, total_revenue, place)
    ) AS r;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.ads(int, text, text, text, text, int) IS
    'figures of ads from start_date to end_date, both inclusive, by level: the 1 to 200 with the largest spend, and the totals of all of them';
GRANT EXECUTE ON FUNCTION leadanalytics.ads(int, text, text, text, text, int) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, summary, example, builtin) VALUES
    ('GET', '/api/v1/ads', 'leadanalytics.ads', 'public', '{sdk,agent}', 'What advertising cost and brought, by campaign, ad set or ad',
     '{"data": [{"platform": "meta", "level": "campaign", "campaign_id": "123456", "campaign_name": "Spring Sale 2026", "status": "ACTIVE", "spend": 1200.50, '
     '"impressions": 45000, "clicks": 1800, "conversions": 45, "revenue": 8900.00, "roas": 7.41, "ctr": 4.0, "cpc": 0.67, "cpm": 26.68}], '
     '"platforms_connected": ["meta", "google"], "total_spend": 3500.00, "total_revenue": 15200.00, "overall_roas": 4.34}', true);

SELECT leadanalytics.takes_range('/api/v1/ads', 'ISO 8601; the dates that the range touches in the workspace''s zone are reported whole');
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, fallback, min, max, choices, lenient, position, example, summary) VALUES
    ('GET', '/api/v1/ads', 'platform', 'platform', 'text', 'all', NULL, NULL, '{all,meta,google,tiktok}', false, 3, 'meta', 'only of this platform'),
    ('GET', '/api/v1/ads', 'level', 'level', 'text', NULL, NULL, NULL, '{campaign,adset,ad}', false, 4, 'campaign', 'what a row is'),
    ('GET', '/api/v1/ads', 'limit', 'limit', 'int', NULL, 1, 200, NULL, true, 5, '50', 'rows at most');

-- What is not in totals for want of a rate.
CREATE FUNCTION leadanalytics.ad_lines()
RETURNS SETOF leadanalytics.status_line LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'ads of ' || w.slug, format('no rate of %s on %s of the last 30 days: such figures count 0 in totals', m.currency, m.days),
           'SELECT leadanalytics.set_fx_rate(…).'
    FROM leadanalytics.workspace w
    CROSS JOIN LATERAL (
        SELECT d.currency, count(*) AS days
        FROM (SELECT DISTINCT f.currency, f.day FROM leadanalytics.ad_figure f
              WHERE f.workspace = w.id AND f.day >= current_date - 30 AND f.currency <> w.currency) AS d
        WHERE leadanalytics.conversion_rate(w.id, d.currency, d.day) IS NULL
        GROUP BY d.currency
        ORDER BY 2 DESC, 1 LIMIT 5
    ) AS m
    WHERE leadanalytics.may(w.id)
    ORDER BY 1, 2
$$;
COMMENT ON FUNCTION leadanalytics.ad_lines() IS 'ads, as leadanalytics.status() has it: only what is missing';
INSERT INTO leadanalytics.status_source VALUES ('ads', 'leadanalytics.ad_lines');
