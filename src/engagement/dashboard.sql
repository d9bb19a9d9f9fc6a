-- All of a workspace at a glance (S2-13), also known as the overview (S2-07).

CREATE FUNCTION leadanalytics.dashboard_rows(workspace int, starts timestamptz, ends timestamptz)
RETURNS TABLE (date date, leads bigint, new bigint, qualified bigint, converted bigint, lost bigint, opens bigint, clicks bigint, replies bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(dashboard_rows.workspace);
BEGIN
    RETURN QUERY
    WITH mail AS MATERIALIZED (
        SELECT (t.bucket AT TIME ZONE 'UTC')::date AS date, sum(t.opened)::bigint AS opened, sum(t.clicked)::bigint AS clicked, sum(t.replied)::bigint AS replied
        FROM leadanalytics.message_tallies(allowed, 'd', dashboard_rows.starts, dashboard_rows.ends) t
        GROUP BY 1
    )
    SELECT l.date, l.leads, l.new, l.qualified, l.converted, l.lost, coalesce(m.opened, 0), coalesce(m.clicked, 0), coalesce(m.replied, 0)
    FROM leadanalytics.lead_counts_rows(allowed, dashboard_rows.starts, dashboard_rows.ends, 'day') l
    LEFT JOIN mail m ON m.date = l.date
    ORDER BY l.date;
END
$$;
COMMENT ON FUNCTION leadanalytics.dashboard_rows(int, timestamptz, timestamptz) IS
    'each day (UTC) from starts until before ends: leads that came and how far they are now, messages opened, clicked, replied to then';
GRANT EXECUTE ON FUNCTION leadanalytics.dashboard_rows(int, timestamptz, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.dashboard(workspace int, "from" text DEFAULT NULL, "to" text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(dashboard.workspace);
    asked CONSTANT record := leadanalytics.engagement_series_period("from", "to", 'day', dashboard.now);
BEGIN
    RETURN (
        SELECT json_build_object(
            'leads', json_build_object('total', d.total, 'new', d.new, 'qualified', d.qualified, 'converted', d.converted, 'lost', d.lost),
            'engagement', json_build_object('emailsSent', n.emails_sent, 'openRate', n.open_rate, 'clickRate', n.click_rate, 'replyRate', n.reply_rate,
                                            'formSubmissions', n.form_submissions, 'pageVisits', n.page_visits),
            'conversionRate', leadanalytics.ratio(100 * d.converted, d.total),
            'trend', d.trend,
            'topSources', (SELECT coalesce(json_agg(json_build_object('source', s.source, 'leads', s.leads, 'converted', s.converted) ORDER BY s.place), '[]')
                           FROM leadanalytics.lead_sources_rows(allowed, asked.starts, asked.ends, 10) WITH ORDINALITY AS s (source, leads, converted, place)),
            'recentActivity', (SELECT coalesce(json_agg(leadanalytics.engagement_event_json(allowed, e)), '[]') -- in the order of lists
                               FROM leadanalytics.engagement_events_rows(allowed, asked.starts, asked.ends, most => 20) e))
        FROM (SELECT sum(r.leads) AS total, sum(r.new) AS new, sum(r.qualified) AS qualified, sum(r.converted) AS converted, sum(r.lost) AS lost,
                     json_agg(json_build_object('date', r.date, 'leads', r.leads, 'opens', r.opens, 'clicks', r.clicks, 'replies', r.replies) ORDER BY r.date) AS trend
              FROM leadanalytics.dashboard_rows(allowed, asked.starts, asked.ends) r) AS d,
             leadanalytics.engagement_numbers(allowed, asked.starts, asked.ends) n);
END
$$;
COMMENT ON FUNCTION leadanalytics.dashboard(int, text, text, timestamptz) IS
    'leads of a range and how far they are, what was done with mail and on the web, day by day, the ten sources with most leads, the 20 newest events; LA422';
GRANT EXECUTE ON FUNCTION leadanalytics.dashboard(int, text, text, timestamptz) TO leadanalytics_read;

-- One dashboard by two names.
INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, message, summary, example, builtin)
SELECT 'GET', '/v1/analytics/' || n.name, 'leadanalytics.dashboard', 'engagement', '{live,sandbox}', true, n.message, n.summary,
       '{"leads": {"total": 120, "new": 60, "qualified": 12, "converted": 9, "lost": 5},
         "engagement": {"emailsSent": 800, "openRate": 42.50, "clickRate": 11.25, "replyRate": 4.00, "formSubmissions": 31, "pageVisits": 5400},
         "conversionRate": 7.50,
         "trend": [{"date": "2026-02-09", "leads": 7, "opens": 12, "clicks": 3, "replies": 1}],
         "topSources": [{"source": "website", "leads": 70, "converted": 6}],
         "recentActivity": [{"id": "evt_0190f2d3a4b57c8d9e0f1a2b3c4d5e6f", "tenantId": "acme", "type": "email_open", "leadId": "6789abcdef012345", "messageId": "msg_001",
                             "workflowExecutionId": "exec_001", "timestamp": "2026-02-12T08:15:00.000Z"}]}', true
FROM (VALUES ('dashboard', 'Dashboard retrieved', 'Leads, mail and visits of a range at a glance'), ('overview', 'Overview retrieved', 'The dashboard by its other name')) AS n (name, message, summary);
SELECT leadanalytics.engagement_takes('GET', '/v1/analytics/' || n.name, 'from', 'to') FROM unnest('{dashboard,overview}'::text[]) AS n (name);
