-- One campaign's analytics (S4-01). A message has one fact of a kind at most, dated by its own time (D-42): what its
-- days count adds up to the total, and a day at either end counts what lies in the range.

CREATE FUNCTION leadanalytics.campaign_series_rows(
    workspace int, starts timestamptz, ends timestamptz, campaign text DEFAULT NULL, group_by text DEFAULT 'day')
RETURNS TABLE (date date, sent bigint, delivered bigint, bounced bigint, opened bigint, clicked bigint, replied bigint, complained bigint, unsubscribed bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(campaign_series_rows.workspace);
    step CONSTANT text := coalesce(group_by, 'day');
    number int;
BEGIN
    IF step NOT IN ('day', 'week', 'month') THEN
        PERFORM leadanalytics.fail(400, 'Invalid groupBy', 'VALIDATION_ERROR');
    END IF;
    PERFORM leadanalytics.aggregation_level(campaign_series_rows.starts, campaign_series_rows.ends, 'UTC', step); -- is it too long?
    IF campaign_series_rows.campaign IS NOT NULL THEN
        number := leadanalytics.campaign_number(allowed, campaign_series_rows.campaign);
    END IF;
    RETURN QUERY
    WITH counted AS MATERIALIZED (
        SELECT date_trunc(step, t.bucket, 'UTC') AS at, sum(t.sent) AS sent, sum(t.delivered) AS delivered, sum(t.hard + t.soft) AS bounced, sum(t.opened) AS opened,
               sum(t.clicked) AS clicked, sum(t.replied) AS replied, sum(t.complained) AS complained, sum(t.unsubscribed) AS unsubscribed
        FROM leadanalytics.message_tallies(allowed, 'd', campaign_series_rows.starts, campaign_series_rows.ends, number) t
        GROUP BY 1
    )
    SELECT leadanalytics.utc_date(s.at), coalesce(c.sent, 0)::bigint, coalesce(c.delivered, 0)::bigint, coalesce(c.bounced, 0)::bigint, coalesce(c.opened, 0)::bigint,
           coalesce(c.clicked, 0)::bigint, coalesce(c.replied, 0)::bigint, coalesce(c.complained, 0)::bigint, coalesce(c.unsubscribed, 0)::bigint
    FROM leadanalytics.steps(campaign_series_rows.starts, campaign_series_rows.ends, step, 'UTC') AS s (at)
    LEFT JOIN counted c ON c.at = s.at
    ORDER BY s.at;
END
$$;
COMMENT ON FUNCTION leadanalytics.campaign_series_rows(int, timestamptz, timestamptz, text, text) IS
    'messages of one campaign or (null) of all from starts until before ends, a row for each day, week (its Monday) or month (its first) in UTC that the range touches: '
    'how many have each fact in it. The first may begin before the range and counts what lies in it, as the last does; LA404 CAMPAIGN_NOT_FOUND';
GRANT EXECUTE ON FUNCTION leadanalytics.campaign_series_rows(int, timestamptz, timestamptz, text, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.campaign_analytics(
    workspace int, campaign_id text, time_range text DEFAULT '30d', start_date text DEFAULT NULL, end_date text DEFAULT NULL, group_by text DEFAULT 'day',
    now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(campaign_analytics.workspace);
    period CONSTANT text := coalesce(time_range, '30d');
    asked CONSTANT record := leadanalytics.campaign_period(period, start_date, end_date, campaign_analytics.now);
BEGIN
    RETURN (
        WITH series AS MATERIALIZED (
            SELECT r.* FROM leadanalytics.campaign_series_rows(allowed, asked.starts, asked.ends, coalesce(campaign_analytics.campaign_id, ''), group_by) r
        ), total AS MATERIALIZED (
            SELECT sum(s.sent) AS sent, sum(s.delivered) AS delivered, sum(s.bounced) AS bounced, sum(s.opened) AS opened, sum(s.clicked) AS clicked,
                   sum(s.replied) AS replied, sum(s.complained) AS complained, sum(s.unsubscribed) AS unsubscribed
            FROM series s
        )
        SELECT json_build_object(
            'campaign_id', c.key, 'campaign_name', c.name, 'time_range', leadanalytics.time_range_json(asked.starts, asked.last, period),
            'summary', json_build_object(
                'emails_sent', t.sent, 'emails_delivered', t.delivered, 'emails_bounced', t.bounced, 'emails_opened', t.opened, 'emails_clicked', t.clicked,
                'emails_replied', t.replied, 'spam_complaints', t.complained, 'unsubscribes', t.unsubscribed),
            'rates', row_to_json(r),
            'time_series', (SELECT json_agg(json_build_object('date', s.date, 'sent', s.sent, 'delivered', s.delivered, 'opened', s.opened, 'clicked', s.clicked,
                                                              'replied', s.replied, 'bounced', s.bounced, 'spam_complaints', s.complained) ORDER BY s.date)
                            FROM series s))
        FROM total t
        CROSS JOIN LATERAL leadanalytics.campaign_rates(t.sent, t.delivered, t.bounced, t.opened, t.clicked, t.replied, t.complained, t.unsubscribed) r
        JOIN leadanalytics.campaign c ON c.workspace = allowed AND c.key = btrim(campaign_analytics.campaign_id));
END
$$;
COMMENT ON FUNCTION leadanalytics.campaign_analytics(int, text, text, text, text, text, timestamptz) IS
    'a campaign''s messages of 7d, 30d, 90d or custom (start_date to end_date, both inclusive): how many have each fact, the eight rates, and a series by day, week or month; '
    'LA404 CAMPAIGN_NOT_FOUND, LA400 INVALID_TIME_RANGE';
GRANT EXECUTE ON FUNCTION leadanalytics.campaign_analytics(int, text, text, text, text, text, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, rate_class, from_fold, summary, example, builtin) VALUES
    ('GET', '/api/v1/workspaces/:workspaceId/campaigns/:campaignId/analytics', 'leadanalytics.campaign_analytics', 'campaigns', '{tenant}', 'campaign', true,
     'A campaign''s messages: what became of them, rates, and a series by day, week or month',
     '{"campaign_id": "cmp_abc123", "campaign_name": "Q4 Outreach Campaign",
       "time_range": {"start": "2025-10-27T00:00:00Z", "end": "2025-11-26T23:59:59Z", "period": "30d"},
       "summary": {"emails_sent": 5000, "emails_delivered": 4900, "emails_bounced": 100, "emails_opened": 1470, "emails_clicked": 245, "emails_replied": 98,
                   "spam_complaints": 5, "unsubscribes": 12},
       "rates": {"delivery_rate": 98.0, "open_rate": 30.0, "click_rate": 5.0, "click_to_open_rate": 16.67, "reply_rate": 2.0, "bounce_rate": 2.0, "spam_rate": 0.1,
                 "unsubscribe_rate": 0.24},
       "time_series": [{"date": "2025-11-01", "sent": 200, "delivered": 196, "opened": 60, "clicked": 10, "replied": 4, "bounced": 4, "spam_complaints": 0}]}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, fallback, choices, position, example, summary) VALUES
    ('GET', '/api/v1/workspaces/:workspaceId/campaigns/:campaignId/analytics', 'campaignId', 'path', 'campaign_id', NULL, NULL, 0, 'cmp_abc123', 'the campaign''s key'),
    ('GET', '/api/v1/workspaces/:workspaceId/campaigns/:campaignId/analytics', 'groupBy', 'query', 'group_by', 'day', '{day,week,month}', 4, 'day',
     'what a point of the series is: a day, a week from Monday or a month (UTC)');
