-- The records of S4's exports (D-48). Options, as leadanalytics.ask_export() made them: starts and ends of the time,
-- campaigns (numbers; null: all), time_series. Each figure is the one that the family's answers have, on the same bases
-- (D-40). Without a message in the time there is no record, and the export fails (insufficient data).

CREATE FUNCTION leadanalytics.export_campaigns(options jsonb)
RETURNS int[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(c.number::int) FROM jsonb_array_elements_text(nullif(options -> 'campaigns', 'null')) AS c (number)
$$;
COMMENT ON FUNCTION leadanalytics.export_campaigns(jsonb) IS 'the campaigns of an export by number, null: all';

CREATE FUNCTION leadanalytics.export_counts(workspace int, options jsonb, series "char", together boolean DEFAULT false)
RETURNS TABLE (campaign int, domain int, day timestamptz, date text, sent bigint, delivered bigint, hard bigint, soft bigint, opened bigint, clicked bigint, replied bigint,
               complained bigint, unsubscribed bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH counted AS MATERIALIZED (
        SELECT CASE WHEN together THEN 0 ELSE t.campaign END AS campaign, t.domain, t.bucket, sum(t.sent) AS sent, sum(t.delivered) AS delivered, sum(t.hard) AS hard,
               sum(t.soft) AS soft, sum(t.opened) AS opened, sum(t.clicked) AS clicked, sum(t.replied) AS replied, sum(t.complained) AS complained, sum(t.unsubscribed) AS unsubscribed
        FROM leadanalytics.message_tallies_of(workspace, series, (options ->> 'starts')::timestamptz, (options ->> 'ends')::timestamptz, leadanalytics.export_campaigns(options)) t
        GROUP BY 1, 2, 3
    ), told AS (
        SELECT k.campaign, k.domain FROM counted k GROUP BY k.campaign, k.domain
        HAVING sum(k.sent + k.delivered + k.hard + k.soft + k.opened + k.clicked + k.replied + k.complained + k.unsubscribed) > 0
    ), days AS (
        SELECT generate_series(date_bin('1 day', (options ->> 'starts')::timestamptz, '2000-01-01 00:00Z'), (options ->> 'ends')::timestamptz - interval '1 microsecond',
                               interval '24 hours') AS day
        WHERE (options ->> 'time_series')::boolean
    )
    SELECT k.campaign, k.domain, NULL::timestamptz, NULL::text, sum(k.sent)::bigint, sum(k.delivered)::bigint, sum(k.hard)::bigint, sum(k.soft)::bigint,
           sum(k.opened)::bigint, sum(k.clicked)::bigint, sum(k.replied)::bigint, sum(k.complained)::bigint, sum(k.unsubscribed)::bigint
    FROM told g JOIN counted k USING (campaign, domain)
    GROUP BY k.campaign, k.domain
    UNION ALL
    SELECT g.campaign, g.domain, d.day, to_char(d.day AT TIME ZONE 'UTC', 'YYYY-MM-DD'), coalesce(k.sent, 0)::bigint, coalesce(k.delivered, 0)::bigint,
           coalesce(k.hard, 0)::bigint, coalesce(k.soft, 0)::bigint, coalesce(k.opened, 0)::bigint, coalesce(k.clicked, 0)::bigint,
           coalesce(k.replied, 0)::bigint, coalesce(k.complained, 0)::bigint, coalesce(k.unsubscribed, 0)::bigint
    FROM told g CROSS JOIN days d
    LEFT JOIN counted k ON k.campaign = g.campaign AND k.domain = g.domain AND k.bucket = d.day;
END
$$;
COMMENT ON FUNCTION leadanalytics.export_counts(int, jsonb, "char", boolean) IS
    'an export''s counts by campaign and domain (0: none, or not told apart in the series), or of all campaigns together: of the whole time (day null), and with a time series of each day (UTC)';

CREATE FUNCTION leadanalytics.campaign_performance_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT json_build_object(
        'campaign_id', p.key, 'campaign_name', p.name, 'date', k.date,
        'emails_sent', k.sent, 'emails_delivered', k.delivered, 'emails_bounced', k.hard + k.soft, 'emails_opened', k.opened,
        'emails_clicked', k.clicked, 'emails_replied', k.replied, 'spam_complaints', k.complained, 'unsubscribes', k.unsubscribed,
        'delivery_rate', r.delivery_rate, 'open_rate', r.open_rate, 'click_rate', r.click_rate, 'click_to_open_rate', r.click_to_open_rate,
        'reply_rate', r.reply_rate, 'bounce_rate', r.bounce_rate, 'spam_rate', r.spam_rate, 'unsubscribe_rate', r.unsubscribe_rate)
    FROM leadanalytics.export_counts(workspace, options, 'd') k
    CROSS JOIN LATERAL leadanalytics.campaign_rates(k.sent, k.delivered, k.hard + k.soft, k.opened, k.clicked, k.replied, k.complained, k.unsubscribed) r
    JOIN leadanalytics.campaign p ON p.workspace = campaign_performance_records.workspace AND p.id = k.campaign
    ORDER BY p.key, k.day NULLS FIRST;
END
$$;
COMMENT ON FUNCTION leadanalytics.campaign_performance_records(int, jsonb, timestamptz) IS
    'a record a campaign that has a message in the time, without a date, and with a time series one for each day';

CREATE FUNCTION leadanalytics.workspace_overview_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
DECLARE
    campaigns CONSTANT int[] := leadanalytics.export_campaigns(options);
    total int;
    active int;
BEGIN
    SELECT count(*), count(*) FILTER (WHERE leadanalytics.is_active_campaign(p.status, coalesce(k.sent, 0)))
    INTO total, active
    FROM leadanalytics.campaign p
    LEFT JOIN leadanalytics.export_counts(workspace_overview_records.workspace, options || '{"time_series": false}', 'd') k ON k.campaign = p.id
    WHERE p.workspace = workspace_overview_records.workspace AND (campaigns IS NULL OR p.id = ANY (campaigns));
    RETURN QUERY
    SELECT json_build_object(
        'date', k.date, 'total_campaigns', CASE WHEN k.day IS NULL THEN total END, 'active_campaigns', CASE WHEN k.day IS NULL THEN active END,
        'emails_sent', k.sent, 'emails_delivered', k.delivered, 'emails_opened', k.opened, 'emails_clicked', k.clicked, 'emails_replied', k.replied,
        'delivery_rate', r.delivery_rate, 'open_rate', r.open_rate, 'click_rate', r.click_rate, 'reply_rate', r.reply_rate)
    FROM leadanalytics.export_counts(workspace, options, 'd', true) k
    CROSS JOIN LATERAL leadanalytics.campaign_rates(k.sent, k.delivered, 0, k.opened, k.clicked, k.replied, 0, 0) r
    ORDER BY k.day NULLS FIRST;
END
$$;
COMMENT ON FUNCTION leadanalytics.workspace_overview_records(int, jsonb, timestamptz) IS
    'a record of all campaigns together, without a date, and with a time series one for each day';

CREATE FUNCTION leadanalytics.deliverability_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT json_build_object(
        'campaign_id', p.key, 'campaign_name', p.name, 'domain_id', m.key, 'domain_name', m.name, 'date', k.date,
        'emails_sent', k.sent, 'hard_bounces', k.hard, 'soft_bounces', k.soft, 'spam_complaints', k.complained,
        'estimated_inbox_placement_rate', leadanalytics.inbox_placement(k.sent, k.hard + k.soft, k.complained),
        'spam_rate', leadanalytics.percent(k.complained, k.sent), 'bounce_rate', leadanalytics.percent(k.hard + k.soft, k.sent),
        'hard_bounce_rate', leadanalytics.percent(k.hard, k.sent), 'soft_bounce_rate', leadanalytics.percent(k.soft, k.sent))
    FROM leadanalytics.export_counts(workspace, options, 'm') k
    LEFT JOIN leadanalytics.campaign p ON p.workspace = deliverability_records.workspace AND p.id = k.campaign
    LEFT JOIN leadanalytics.sending_domain m ON m.workspace = deliverability_records.workspace AND m.id = k.domain
    ORDER BY p.key, m.key, k.day NULLS FIRST;
END
$$;
COMMENT ON FUNCTION leadanalytics.deliverability_records(int, jsonb, timestamptz) IS
    'a record a campaign and sending domain (null: none) that have a message in the time, without a date, and with a time series one for each day';

CREATE FUNCTION leadanalytics.engagement_heatmap_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
DECLARE
    zone CONSTANT text := (SELECT w.timezone FROM leadanalytics.workspace w WHERE w.id = workspace);
BEGIN
    RETURN QUERY
    SELECT json_build_object(
        'timezone', zone, 'day_of_week', c.day_of_week, 'time_period', c.time_period, 'emails_sent', c.emails_sent, 'emails_opened', c.emails_opened,
        'emails_clicked', c.emails_clicked, 'emails_replied', c.emails_replied, 'open_rate', c.open_rate, 'engagement_score', c.engagement_score)
    FROM leadanalytics.heatmap_cells(workspace, (options ->> 'starts')::timestamptz, (options ->> 'ends')::timestamptz,
        leadanalytics.export_campaigns(options), zone) c
    WHERE c.emails_sent > 0
    ORDER BY c.weekday, c.hour;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_heatmap_records(int, jsonb, timestamptz) IS
    'a record a day of the week and part of the day that messages were sent on, in the workspace''s zone';

INSERT INTO leadanalytics.export_type (name, function, builtin, family, contacts, summary) VALUES
    ('campaign_performance', 'leadanalytics.campaign_performance_records', true, 'campaigns', false, 'counts and rates of campaigns'),
    ('workspace_overview', 'leadanalytics.workspace_overview_records', true, 'campaigns', false, 'counts and rates of all campaigns together'),
    ('deliverability', 'leadanalytics.deliverability_records', true, 'campaigns', false, 'bounces and complaints by campaign and sending domain'),
    ('engagement_heatmap', 'leadanalytics.engagement_heatmap_records', true, 'campaigns', false, 'when messages were sent, and what became of them');
