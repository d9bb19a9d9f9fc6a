-- The questions that reports are made of. What hands out a file, tells what was set up or what became of one thing that
-- was asked for is none.
INSERT INTO leadanalytics.report_type (name, path, rows, builtin)
SELECT q.name, q.path, q.rows, true
FROM (VALUES
    -- engagement
    ('events', '/v1/analytics/events', NULL), ('form_submissions', '/v1/analytics/form-submissions', NULL), ('page_visits', '/v1/analytics/page-visits', NULL),
    ('dashboard', '/v1/analytics/dashboard', 'trend'), ('engagement_overview', '/v1/analytics/overview', 'trend'), ('leads', '/v1/analytics/leads', NULL),
    ('conversion_rate', '/v1/analytics/conversion-rate', NULL), ('lead_engagement', '/v1/analytics/leads/:leadId/engagement', '.'),
    ('lead_timeline', '/v1/leads/:leadId/timeline', NULL), ('kpis', '/v1/analytics/kpis', NULL), ('funnel', '/v1/analytics/funnel', NULL),
    ('cohorts', '/v1/analytics/cohorts', NULL), ('team_performance', '/v1/analytics/team-performance', NULL), ('team_leaderboard', '/v1/teams/leaderboard', NULL),
    ('team_stats', '/v1/teams/:teamId/stats', NULL), ('lead_report', '/v1/reports/leads', NULL),
    ('lead_predictions', '/v1/analytics/predictions/leads', NULL), ('forecast', '/v1/analytics/predictions/forecast', NULL),
    -- dashboard
    ('s1_overview', '/analytics/overview', NULL), ('s1_realtime', '/analytics/realtime', NULL), ('storage', '/analytics/storage', NULL), ('top_pages', '/analytics/pages/top', NULL),
    ('geo', '/analytics/geo', NULL), ('sources', '/analytics/sources', NULL), ('anomalies', '/analytics/anomalies', NULL), ('daily_sessions', '/analytics/sessions/daily', NULL),
    ('engagement_distribution', '/analytics/engagement', NULL), ('captured_leads', '/analytics/leads', NULL), ('lead_projects', '/analytics/leads/projects', NULL),
    ('lead_sources', '/analytics/leads/sources', NULL), ('lead_submissions', '/analytics/leads/submissions', NULL),
    ('recent_lead_submissions', '/analytics/leads/recent-submissions', NULL), ('blocked_ips', '/analytics/blocked-ips', NULL), ('whitelisted_ips', '/analytics/whitelisted-ips', NULL),
    ('blocked_ip_leads', '/analytics/blocked-ip-leads', NULL), ('testing_leads', '/analytics/testing-leads', NULL),
    -- public
    ('site_overview', '/api/v1/overview', NULL), ('traffic', '/api/v1/traffic', NULL), ('devices', '/api/v1/devices', NULL), ('locations', '/api/v1/locations', NULL),
    ('attribution', '/api/v1/attribution', NULL), ('users', '/api/v1/users', NULL), ('user', '/api/v1/users/:userId', '.'), ('site_events', '/api/v1/events', NULL), ('event_names', '/api/v1/event-names', NULL),
    ('tags', '/api/v1/tags', NULL), ('ads', '/api/v1/ads', NULL), ('realtime', '/api/v1/realtime', '.'), ('usage', '/api/v1/usage', NULL),
    -- activity, campaigns
    ('activity', '/api/workspaces/:workspaceId/analytics', NULL),
    ('campaign_overview', '/api/v1/workspaces/:workspaceId/analytics/overview', NULL), ('campaign', '/api/v1/workspaces/:workspaceId/campaigns/:campaignId/analytics', NULL),
    ('deliverability', '/api/v1/workspaces/:workspaceId/analytics/deliverability', NULL), ('heatmap', '/api/v1/workspaces/:workspaceId/analytics/engagement-heatmap', 'heatmap')
) AS q (name, path, rows)
UNION ALL
SELECT 'engine_' || translate(substr(r.path, 19), '-', '_'), r.path, NULL, true FROM leadanalytics.route r WHERE r.method = 'GET' AND r.path LIKE '/analytics/engine/%';

CREATE VIEW leadanalytics.report_types WITH (security_barrier) AS
    SELECT t.name, t.path, r.family, r.roles, r.summary,
           (SELECT coalesce(json_agg(json_build_object('name', p.name, 'type', p.type, 'required', p.required OR p.place = 'path', 'choices', p.choices, 'min', p.min, 'max', p.max,
                                                       'summary', p.summary) ORDER BY p.position, p.name), '[]')
            FROM leadanalytics.route_param p
            WHERE p.method = 'GET' AND p.path = t.path AND p.place IN ('path', 'query') AND p.type <> 'workspace') AS parameters,
           leadanalytics.report_range(t.path) IS NOT NULL AS has_period
    FROM leadanalytics.report_type t JOIN leadanalytics.route r ON r.method = 'GET' AND r.path = t.path;
COMMENT ON VIEW leadanalytics.report_types IS 'the questions that reports can be made of, and their parameters; has_period: its range can move with the run';
GRANT SELECT ON leadanalytics.report_types TO leadanalytics_admin; -- others ask leadanalytics.list_report_types()

CREATE FUNCTION leadanalytics.list_report_types(workspace int, as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM leadanalytics.permitted(workspace);
    RETURN (SELECT coalesce(json_agg(json_build_object(
                'name', t.name, 'path', leadanalytics.openapi_path(t.path), 'summary', t.summary, 'parameters', t.parameters,
                'periods', CASE WHEN t.has_period THEN leadanalytics.report_periods() ELSE '{}' END) ORDER BY t.name COLLATE "C"), '[]')
            FROM leadanalytics.report_types t
            WHERE coalesce(as_role, 'admin') = 'admin' OR as_role = ANY (t.roles));
END
$$;
COMMENT ON FUNCTION leadanalytics.list_report_types(int, text) IS 'S2-20: what reports can be made of, with their parameters, for keys of a role (null: all)';
GRANT EXECUTE ON FUNCTION leadanalytics.list_report_types(int, text) TO leadanalytics_read;
