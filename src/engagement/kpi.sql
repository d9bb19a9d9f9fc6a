-- Key figures of a range beside those of the equally long one right before it (S2-14).

CREATE FUNCTION leadanalytics.kpis_rows(workspace int, starts timestamptz, ends timestamptz)
RETURNS TABLE (key text, label text, value numeric, previous numeric, change_percent numeric, unit text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(kpis_rows.workspace);
    -- Seconds: days would be those of the session's zone. Time begins with year 1.
    first CONSTANT timestamptz := '0001-01-01 00:00Z';
    length CONSTANT interval := make_interval(secs => extract(epoch FROM ends - starts)::float8);
    before CONSTANT timestamptz := CASE WHEN starts - first <= length THEN least(starts, first) ELSE starts - length END;
BEGIN
    RETURN QUERY
    WITH response AS MATERIALIZED ( -- of both at once: what follows a lead lies in no range
        SELECT r.enquired_at >= kpis_rows.starts AS is_asked, round(avg(extract(epoch FROM r.responded_at - r.enquired_at))) AS seconds
        FROM leadanalytics.lead_first_responses(allowed, before, kpis_rows.ends) r
        GROUP BY 1
    ), figure AS ( -- the one table of them: a KPI is a row
        SELECT p.is_asked, k.*
        FROM (VALUES (true, kpis_rows.starts, kpis_rows.ends), (false, before, kpis_rows.starts)) AS p (is_asked, starts, ends)
        CROSS JOIN LATERAL leadanalytics.lead_counts_rows(allowed, p.starts, p.ends) l
        CROSS JOIN LATERAL leadanalytics.engagement_numbers(allowed, p.starts, p.ends) n
        LEFT JOIN response f ON f.is_asked = p.is_asked
        CROSS JOIN LATERAL (VALUES
            (1, 'newLeads', 'New leads', 'count', l.leads::numeric),
            (2, 'conversionRate', 'Conversion rate', 'percent', l.conversion_rate),
            (3, 'emailsSent', 'Emails sent', 'count', n.emails_sent),
            (4, 'openRate', 'Open rate', 'percent', n.open_rate),
            (5, 'clickRate', 'Click rate', 'percent', n.click_rate),
            (6, 'replyRate', 'Reply rate', 'percent', n.reply_rate),
            (7, 'formSubmissions', 'Form submissions', 'count', n.form_submissions),
            (8, 'pageVisits', 'Page visits', 'count', n.page_visits),
            (9, 'avgFirstResponseSeconds', 'Average first response', 'seconds', f.seconds)) AS k (place, key, label, unit, value)
    )
    SELECT v.key, v.label, v.value, p.value, CASE WHEN p.value <> 0 AND v.value IS NOT NULL THEN leadanalytics.ratio(100 * (v.value - p.value), p.value) END, v.unit
    FROM figure v JOIN figure p ON p.place = v.place AND NOT p.is_asked
    WHERE v.is_asked
    ORDER BY v.place;
END
$$;
COMMENT ON FUNCTION leadanalytics.kpis_rows(int, timestamptz, timestamptz) IS
    'key figures of leads, mail, forms, visits and first responses from starts until before ends, the same of the equally long time right before, '
    'and by how many percent they changed (null where there was nothing, or is nothing to compare); unit: count, percent, seconds';
GRANT EXECUTE ON FUNCTION leadanalytics.kpis_rows(int, timestamptz, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.kpis(workspace int, "from" text DEFAULT NULL, "to" text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(kpis.workspace);
    asked CONSTANT record := leadanalytics.engagement_period("from", "to", kpis.now);
BEGIN
    RETURN (SELECT json_agg(json_build_object('key', r.key, 'label', r.label, 'value', r.value, 'previous', r.previous, 'changePercent', r.change_percent, 'unit', r.unit) ORDER BY r.place)
            FROM leadanalytics.kpis_rows(allowed, asked.starts, asked.ends) WITH ORDINALITY AS r (key, label, value, previous, change_percent, unit, place));
END
$$;
COMMENT ON FUNCTION leadanalytics.kpis(int, text, text, timestamptz) IS 'key figures of a range beside those of the equally long one right before it; LA422';
GRANT EXECUTE ON FUNCTION leadanalytics.kpis(int, text, text, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, message, summary, example, builtin) VALUES
    ('GET', '/v1/analytics/kpis', 'leadanalytics.kpis', 'engagement', '{live,sandbox}', true, 'KPIs retrieved', 'Key figures of a range beside those of the equally long one before it',
     '[{"key": "newLeads", "label": "New leads", "value": 120, "previous": 96, "changePercent": 25.00, "unit": "count"}]', true);
SELECT leadanalytics.engagement_takes('GET', '/v1/analytics/kpis', 'from', 'to');
