-- How many leads came, how far they are and where from (S2-07): what the dashboard, the KPIs and the reports say of leads.
-- A lead counts when it came; its status is the one it has now. All of it stands in the index lead_by_enquiry.

-- Monday is the first day of year 1, so one origin is good for days and weeks.
CREATE FUNCTION leadanalytics.lead_counts_rows(workspace int, starts timestamptz, ends timestamptz, step text DEFAULT NULL)
RETURNS TABLE (date date, leads bigint, new bigint, contacted bigint, qualified bigint, unqualified bigint, converted bigint, lost bigint, conversion_rate numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(lead_counts_rows.workspace);
    origin CONSTANT timestamptz := '0001-01-01 00:00Z';
BEGIN
    RETURN QUERY
    WITH bucket AS MATERIALIZED (
        SELECT s.at FROM leadanalytics.steps(lead_counts_rows.starts, lead_counts_rows.ends, lead_counts_rows.step, 'UTC') AS s (at)
        WHERE lead_counts_rows.step IS NOT NULL AND lead_counts_rows.starts < lead_counts_rows.ends
        UNION ALL SELECT NULL WHERE lead_counts_rows.step IS NULL
    ), counted AS MATERIALIZED (
        SELECT CASE lead_counts_rows.step WHEN 'day' THEN date_bin('24 hours', l.enquiry_at, origin) WHEN 'week' THEN date_bin('168 hours', l.enquiry_at, origin)
                                          WHEN 'month' THEN date_trunc('month', l.enquiry_at, 'UTC') END AS at,
               l.status, count(*) AS n
        FROM leadanalytics.lead l
        WHERE l.workspace = allowed AND l.enquiry_at >= lead_counts_rows.starts AND l.enquiry_at < lead_counts_rows.ends
        GROUP BY 1, 2
    ), shown AS (
        SELECT b.at, sum(c.n) AS leads, sum(c.n) FILTER (WHERE s.status = 'new') AS new, sum(c.n) FILTER (WHERE s.status = 'contacted') AS contacted,
               sum(c.n) FILTER (WHERE s.status = 'qualified') AS qualified, sum(c.n) FILTER (WHERE s.status = 'unqualified') AS unqualified,
               sum(c.n) FILTER (WHERE s.status = 'converted') AS converted, sum(c.n) FILTER (WHERE s.status = 'lost') AS lost
        FROM bucket b
        LEFT JOIN counted c ON c.at = b.at OR (c.at IS NULL AND b.at IS NULL)
        CROSS JOIN LATERAL (SELECT leadanalytics.engagement_status(c.status) AS status) AS s
        GROUP BY b.at
    )
    SELECT (s.at AT TIME ZONE 'UTC')::date, coalesce(s.leads, 0)::bigint, coalesce(s.new, 0)::bigint, coalesce(s.contacted, 0)::bigint, coalesce(s.qualified, 0)::bigint,
           coalesce(s.unqualified, 0)::bigint, coalesce(s.converted, 0)::bigint, coalesce(s.lost, 0)::bigint, leadanalytics.ratio(100 * coalesce(s.converted, 0), coalesce(s.leads, 0))
    FROM shown s
    ORDER BY s.at;
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_counts_rows(int, timestamptz, timestamptz, text) IS
    'leads that came from starts until before ends, by the status they have now (D-62), and how many of a hundred are converted: of each day, week (from Monday) or month (UTC) that the range '
    'touches, those without any too; step null: of all of it, date null';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_counts_rows(int, timestamptz, timestamptz, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.lead_sources_rows(workspace int, starts timestamptz, ends timestamptz, "limit" int DEFAULT NULL)
RETURNS TABLE (source text, leads bigint, converted bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(lead_sources_rows.workspace);
BEGIN
    RETURN QUERY
    SELECT l.source, count(*), count(*) FILTER (WHERE leadanalytics.engagement_status(l.status) = 'converted')
    FROM leadanalytics.lead l
    WHERE l.workspace = allowed AND l.enquiry_at >= lead_sources_rows.starts AND l.enquiry_at < lead_sources_rows.ends
    GROUP BY l.source
    ORDER BY 2 DESC, 3 DESC, l.source COLLATE "C"
    LIMIT lead_sources_rows."limit";
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_sources_rows(int, timestamptz, timestamptz, int) IS
    'where leads that came from starts until before ends came from, most first, and how many of them are converted; source null: nobody said; limit null: all sources';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_sources_rows(int, timestamptz, timestamptz, int) TO leadanalytics_read;

-- A series has an entry for each piece of the range, whether anything happened or not: nobody looks at a million.
CREATE FUNCTION leadanalytics.engagement_series_period("from" text, "to" text, step text, now timestamptz, OUT starts timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    most CONSTANT int := 400;
BEGIN
    SELECT p.starts, p.ends INTO engagement_series_period.starts, engagement_series_period.ends
    FROM leadanalytics.engagement_period("from", "to", engagement_series_period.now) p;
    IF step NOT IN ('day', 'week', 'month') THEN
        PERFORM leadanalytics.fail_field('groupBy', 'Invalid groupBy');
    ELSIF ends - starts > (most * CASE step WHEN 'day' THEN interval '24 hours' WHEN 'week' THEN interval '168 hours' ELSE interval '744 hours' END) THEN
        PERFORM leadanalytics.fail_field('from', format('Must be at most %s %ss before to', most, step));
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_series_period(text, text, text, timestamptz) IS
    'leadanalytics.engagement_period() for a series by day, week or month: at most 400 of them; LA422';

CREATE FUNCTION leadanalytics.lead_analytics(workspace int, "from" text DEFAULT NULL, "to" text DEFAULT NULL, group_by text DEFAULT 'day', now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(lead_analytics.workspace);
    asked CONSTANT record := leadanalytics.engagement_series_period("from", "to", coalesce(group_by, 'day'), lead_analytics.now);
BEGIN
    RETURN (
        SELECT json_build_object(
            'total', sum(r.leads),
            'byStatus', json_build_object('new', sum(r.new), 'contacted', sum(r.contacted), 'qualified', sum(r.qualified), 'unqualified', sum(r.unqualified),
                                          'converted', sum(r.converted), 'lost', sum(r.lost)),
            'series', json_agg(json_build_object('date', r.date, 'leads', r.leads, 'converted', r.converted) ORDER BY r.date))
        FROM leadanalytics.lead_counts_rows(allowed, asked.starts, asked.ends, coalesce(group_by, 'day')) r);
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_analytics(int, text, text, text, timestamptz) IS
    'leads that came in a range, by status, and day by day, week by week or month by month (UTC); LA422';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_analytics(int, text, text, text, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.lead_conversion_rate(workspace int, "from" text DEFAULT NULL, "to" text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(lead_conversion_rate.workspace);
    asked CONSTANT record := leadanalytics.engagement_period("from", "to", lead_conversion_rate.now);
BEGIN
    RETURN (SELECT json_build_object('leads', r.leads, 'converted', r.converted, 'conversionRate', r.conversion_rate)
            FROM leadanalytics.lead_counts_rows(allowed, asked.starts, asked.ends) r);
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_conversion_rate(int, text, text, timestamptz) IS 'how many of the leads that came in a range are converted; LA422';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_conversion_rate(int, text, text, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, message, summary, example, builtin) VALUES
    ('GET', '/v1/analytics/leads', 'leadanalytics.lead_analytics', 'engagement', '{live,sandbox}', 'Leads retrieved', 'Leads that came in a range, by status and over time',
     '{"total": 120, "byStatus": {"new": 60, "contacted": 30, "qualified": 12, "unqualified": 4, "converted": 9, "lost": 5}, "series": [{"date": "2026-02-09", "leads": 7, "converted": 1}]}', true),
    ('GET', '/v1/analytics/conversion-rate', 'leadanalytics.lead_conversion_rate', 'engagement', '{live,sandbox}', 'Conversion rate retrieved', 'How many of a range''s leads are converted',
     '{"leads": 120, "converted": 9, "conversionRate": 7.50}', true);
SELECT leadanalytics.engagement_takes('GET', '/v1/analytics/leads', 'from', 'to', 'groupBy');
SELECT leadanalytics.engagement_takes('GET', '/v1/analytics/conversion-rate', 'from', 'to');
