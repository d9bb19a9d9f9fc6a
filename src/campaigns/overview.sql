-- A workspace's overview (S4-02), and its campaigns one by one.

CREATE FUNCTION leadanalytics.campaigns_rows(workspace int, starts timestamptz, ends timestamptz, campaigns text[] DEFAULT NULL)
RETURNS TABLE (
    campaign_id text, campaign_name text, status text,
    sent bigint, delivered bigint, bounced bigint, opened bigint, clicked bigint, replied bigint, complained bigint, unsubscribed bigint,
    delivery_rate numeric, open_rate numeric, click_rate numeric, click_to_open_rate numeric, reply_rate numeric, bounce_rate numeric, spam_rate numeric,
    unsubscribe_rate numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(campaigns_rows.workspace);
BEGIN
    RETURN QUERY
    WITH counted AS MATERIALIZED (
        SELECT t.campaign, sum(t.sent)::bigint AS sent, sum(t.delivered)::bigint AS delivered, sum(t.hard + t.soft)::bigint AS bounced, sum(t.opened)::bigint AS opened,
               sum(t.clicked)::bigint AS clicked, sum(t.replied)::bigint AS replied, sum(t.complained)::bigint AS complained, sum(t.unsubscribed)::bigint AS unsubscribed
        FROM leadanalytics.message_tallies(allowed, 'd', campaigns_rows.starts, campaigns_rows.ends) t
        GROUP BY t.campaign
    ), known AS MATERIALIZED (
        SELECT c.id, c.key, c.name, c.status FROM leadanalytics.campaign c
        WHERE c.workspace = allowed AND (campaigns_rows.campaigns IS NULL OR c.key = ANY (campaigns_rows.campaigns))
        UNION ALL
        SELECT 0, NULL, NULL, NULL WHERE campaigns_rows.campaigns IS NULL AND EXISTS (SELECT FROM counted n WHERE n.campaign = 0)
    ), figures AS (
        SELECT k.key, k.name, k.status, coalesce(n.sent, 0) AS sent, coalesce(n.delivered, 0) AS delivered, coalesce(n.bounced, 0) AS bounced,
               coalesce(n.opened, 0) AS opened, coalesce(n.clicked, 0) AS clicked, coalesce(n.replied, 0) AS replied, coalesce(n.complained, 0) AS complained,
               coalesce(n.unsubscribed, 0) AS unsubscribed
        FROM known k LEFT JOIN counted n ON n.campaign = k.id
    )
    SELECT f.*, r.*
    FROM figures f
    CROSS JOIN LATERAL leadanalytics.campaign_rates(f.sent, f.delivered, f.bounced, f.opened, f.clicked, f.replied, f.complained, f.unsubscribed) r
    ORDER BY f.key;
END
$$;
COMMENT ON FUNCTION leadanalytics.campaigns_rows(int, timestamptz, timestamptz, text[]) IS
    'every campaign, or those named, by id: how many of its messages have each fact from starts until before ends, and their eight rates; messages of no campaign are one with a null id';
GRANT EXECUTE ON FUNCTION leadanalytics.campaigns_rows(int, timestamptz, timestamptz, text[]) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.campaign_overview(
    workspace int, time_range text DEFAULT '30d', start_date text DEFAULT NULL, end_date text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(campaign_overview.workspace);
    period CONSTANT text := coalesce(time_range, '30d');
    asked CONSTANT record := leadanalytics.campaign_period(period, start_date, end_date, campaign_overview.now);
BEGIN
    RETURN (
        WITH campaigns AS MATERIALIZED (
            SELECT r.* FROM leadanalytics.campaigns_rows(allowed, asked.starts, asked.ends) r
        ), total AS MATERIALIZED (
            SELECT count(c.campaign_id) AS campaigns, count(c.campaign_id) FILTER (WHERE leadanalytics.is_active_campaign(c.status, c.sent)) AS active,
                   coalesce(sum(c.sent), 0) AS sent, coalesce(sum(c.delivered), 0) AS delivered, coalesce(sum(c.opened), 0) AS opened,
                   coalesce(sum(c.clicked), 0) AS clicked, coalesce(sum(c.replied), 0) AS replied
            FROM campaigns c
        ), top AS (
            SELECT c.*, row_number() OVER (ORDER BY c.open_rate DESC, c.sent DESC, c.campaign_id COLLATE "C") AS place
            FROM campaigns c
            WHERE c.campaign_id IS NOT NULL AND c.delivered > 0
            ORDER BY place LIMIT 5
        )
        SELECT json_build_object(
            'workspace_id', w.slug, 'time_range', leadanalytics.time_range_json(asked.starts, asked.last, period),
            'summary', json_build_object(
                'total_campaigns', t.campaigns, 'active_campaigns', t.active, 'emails_sent', t.sent, 'emails_delivered', t.delivered, 'emails_opened', t.opened,
                'emails_clicked', t.clicked, 'emails_replied', t.replied),
            'rates', json_build_object('delivery_rate', r.delivery_rate, 'open_rate', r.open_rate, 'click_rate', r.click_rate, 'reply_rate', r.reply_rate),
            'top_campaigns', (SELECT coalesce(json_agg(json_build_object('campaign_id', c.campaign_id, 'campaign_name', c.campaign_name, 'open_rate', c.open_rate,
                                                                         'reply_rate', c.reply_rate) ORDER BY c.place), '[]')
                              FROM top c))
        FROM total t
        CROSS JOIN LATERAL leadanalytics.campaign_rates(t.sent, t.delivered, 0, t.opened, t.clicked, t.replied, 0, 0) r
        JOIN leadanalytics.workspace w ON w.id = allowed);
END
$$;
COMMENT ON FUNCTION leadanalytics.campaign_overview(int, text, text, text, timestamptz) IS
    'all messages of a workspace of 7d, 30d, 90d or custom (start_date to end_date, both inclusive): how many have each fact, rates, and the five campaigns with the highest open rate; '
    'LA400 INVALID_TIME_RANGE';
GRANT EXECUTE ON FUNCTION leadanalytics.campaign_overview(int, text, text, text, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, rate_class, from_fold, summary, example, builtin) VALUES
    ('GET', '/api/v1/workspaces/:workspaceId/analytics/overview', 'leadanalytics.campaign_overview', 'campaigns', '{tenant}', 'campaign_overview', true,
     'A workspace''s messages: what became of them, rates, and the campaigns with the highest open rate',
     '{"workspace_id": "ws_xyz789", "time_range": {"start": "2025-10-27T00:00:00Z", "end": "2025-11-26T23:59:59Z", "period": "30d"},
       "summary": {"total_campaigns": 15, "active_campaigns": 8, "emails_sent": 75000, "emails_delivered": 73500, "emails_opened": 22050, "emails_clicked": 3675,
                   "emails_replied": 1470},
       "rates": {"delivery_rate": 98.0, "open_rate": 30.0, "click_rate": 5.0, "reply_rate": 2.0},
       "top_campaigns": [{"campaign_id": "cmp_abc123", "campaign_name": "Q4 Outreach", "open_rate": 35.5, "reply_rate": 3.2}]}', true);

-- Both are of one workspace and take any range.
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, fallback, choices, position, example, summary)
SELECT r.method, r.path, p.*
FROM leadanalytics.route r
CROSS JOIN (VALUES
    ('workspaceId', 'path', 'workspace_slug', 'workspace', NULL, NULL::text[], 0, 'acme', 'the workspace''s slug'),
    ('timeRange', 'query', 'time_range', 'text', '30d', '{7d,30d,90d,custom}', 1, '30d', 'so many days before today, and today (UTC); custom: from startDate to endDate'),
    ('startDate', 'query', 'start_date', 'text', NULL, NULL, 2, '2025-10-27', 'of a custom range: ISO 8601, in UTC without an offset'),
    ('endDate', 'query', 'end_date', 'text', NULL, NULL, 3, '2025-11-26', 'of a custom range: ISO 8601, inclusive; a date is its whole day')) AS p
WHERE r.function IN ('leadanalytics.campaign_analytics', 'leadanalytics.campaign_overview');
