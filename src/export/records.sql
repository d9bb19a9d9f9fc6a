-- The records of S4's exports (D-48). Options, as leadanalytics.ask_export() made them: starts and ends of the time,
-- campaigns (numbers; null: all), time_series. Each figure is the one that the family's answers have, on the same bases
-- (D-40). Without a message in the time there is no record, and the export fails (insufficient data).

CREATE FUNCTION leadanalytics.export_tallies(workspace int, options jsonb, series "char")
RETURNS SETOF leadanalytics.message_tally LANGUAGE plpgsql STABLE AS $$
DECLARE
    campaigns CONSTANT int[] := ARRAY(SELECT jsonb_array_elements_text(nullif(options -> 'campaigns', 'null'))::int);
    only_one CONSTANT int := CASE cardinality(campaigns) WHEN 1 THEN campaigns[1] END;
BEGIN
    RETURN QUERY
    SELECT t.*
    FROM leadanalytics.message_tallies(workspace, series, (options ->> 'starts')::timestamptz, (options ->> 'ends')::timestamptz, only_one) t
    WHERE campaigns = '{}' OR t.campaign = ANY (campaigns);
END
$$;
COMMENT ON FUNCTION leadanalytics.export_tallies(int, jsonb, "char") IS 'leadanalytics.message_tallies() of an export''s time and campaigns';

CREATE FUNCTION leadanalytics.export_days(options jsonb)
RETURNS TABLE (day timestamptz) LANGUAGE sql STABLE AS $$
    SELECT NULL::timestamptz
    UNION ALL
    SELECT d FROM generate_series(date_bin('1 day', (options ->> 'starts')::timestamptz, '2000-01-01 00:00Z'),
                                  (options ->> 'ends')::timestamptz - interval '1 microsecond', interval '24 hours') AS d
    WHERE (options ->> 'time_series')::boolean
$$;
COMMENT ON FUNCTION leadanalytics.export_days(jsonb) IS 'what an export has records of: its whole time (null), and with a time series each day of it (UTC)';

CREATE FUNCTION leadanalytics.campaign_performance_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH counted AS MATERIALIZED (
        SELECT t.campaign, t.bucket, sum(t.sent) AS sent, sum(t.delivered) AS delivered, sum(t.hard + t.soft) AS bounced, sum(t.opened) AS opened, sum(t.clicked) AS clicked,
               sum(t.replied) AS replied, sum(t.complained) AS complained, sum(t.unsubscribed) AS unsubscribed
        FROM leadanalytics.export_tallies(workspace, options, 'd') t
        WHERE t.campaign <> 0
        GROUP BY t.campaign, t.bucket
    ), summed AS (
        SELECT c.campaign, d.day, sum(k.sent)::bigint AS sent, sum(k.delivered)::bigint AS delivered, sum(k.bounced)::bigint AS bounced, sum(k.opened)::bigint AS opened,
               sum(k.clicked)::bigint AS clicked, sum(k.replied)::bigint AS replied, sum(k.complained)::bigint AS complained, sum(k.unsubscribed)::bigint AS unsubscribed
        FROM (SELECT k.campaign FROM counted k GROUP BY k.campaign
              HAVING sum(k.sent + k.delivered + k.bounced + k.opened + k.clicked + k.replied + k.complained + k.unsubscribed) > 0) AS c
        CROSS JOIN leadanalytics.export_days(options) d
        LEFT JOIN counted k ON k.campaign = c.campaign AND (d.day IS NULL OR k.bucket = d.day)
        GROUP BY c.campaign, d.day
    )
    SELECT json_build_object(
        'campaign_id', p.key, 'campaign_name', p.name, 'date', to_char(s.day AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
        'emails_sent', coalesce(s.sent, 0), 'emails_delivered', coalesce(s.delivered, 0), 'emails_bounced', coalesce(s.bounced, 0), 'emails_opened', coalesce(s.opened, 0),
        'emails_clicked', coalesce(s.clicked, 0), 'emails_replied', coalesce(s.replied, 0), 'spam_complaints', coalesce(s.complained, 0), 'unsubscribes', coalesce(s.unsubscribed, 0),
        'delivery_rate', leadanalytics.percent(s.delivered, s.sent), 'open_rate', leadanalytics.percent(s.opened, s.delivered),
        'click_rate', leadanalytics.percent(s.clicked, s.delivered), 'click_to_open_rate', leadanalytics.percent(s.clicked, s.opened),
        'reply_rate', leadanalytics.percent(s.replied, s.delivered), 'bounce_rate', leadanalytics.percent(s.bounced, s.sent),
        'spam_rate', leadanalytics.percent(s.complained, s.delivered), 'unsubscribe_rate', leadanalytics.percent(s.unsubscribed, s.delivered))
    FROM summed s
    JOIN leadanalytics.campaign p ON p.workspace = campaign_performance_records.workspace AND p.id = s.campaign
    ORDER BY p.key, s.day NULLS FIRST;
END
$$;
COMMENT ON FUNCTION leadanalytics.campaign_performance_records(int, jsonb, timestamptz) IS
    'a record a campaign that has a message in the time, without a date, and with a time series one for each day';

CREATE FUNCTION leadanalytics.workspace_overview_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH counted AS MATERIALIZED (
        SELECT t.campaign, t.bucket, sum(t.sent) AS sent, sum(t.delivered) AS delivered, sum(t.opened) AS opened, sum(t.clicked) AS clicked, sum(t.replied) AS replied,
               sum(t.hard + t.soft + t.complained + t.unsubscribed) AS others
        FROM leadanalytics.export_tallies(workspace, options, 'd') t
        GROUP BY t.campaign, t.bucket
    ), campaigns AS (
        SELECT count(*) AS total,
               count(*) FILTER (WHERE p.status IN ('active', 'sending')
                                      OR (p.status IS NULL AND (SELECT sum(k.sent) FROM counted k WHERE k.campaign = p.id) > 0)) AS active
        FROM leadanalytics.campaign p
        WHERE p.workspace = workspace_overview_records.workspace
              AND (coalesce(options -> 'campaigns', 'null') = 'null' OR options -> 'campaigns' @> to_jsonb(p.id))
    ), summed AS (
        SELECT d.day, sum(k.sent)::bigint AS sent, sum(k.delivered)::bigint AS delivered, sum(k.opened)::bigint AS opened, sum(k.clicked)::bigint AS clicked,
               sum(k.replied)::bigint AS replied
        FROM leadanalytics.export_days(options) d LEFT JOIN counted k ON d.day IS NULL OR k.bucket = d.day
        GROUP BY d.day
    )
    SELECT json_build_object(
        'date', to_char(s.day AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
        'total_campaigns', CASE WHEN s.day IS NULL THEN c.total END, 'active_campaigns', CASE WHEN s.day IS NULL THEN c.active END,
        'emails_sent', coalesce(s.sent, 0), 'emails_delivered', coalesce(s.delivered, 0), 'emails_opened', coalesce(s.opened, 0),
        'emails_clicked', coalesce(s.clicked, 0), 'emails_replied', coalesce(s.replied, 0),
        'delivery_rate', leadanalytics.percent(s.delivered, s.sent), 'open_rate', leadanalytics.percent(s.opened, s.delivered),
        'click_rate', leadanalytics.percent(s.clicked, s.delivered), 'reply_rate', leadanalytics.percent(s.replied, s.delivered))
    FROM summed s, campaigns c
    WHERE (SELECT sum(k.sent + k.delivered + k.opened + k.clicked + k.replied + k.others) FROM counted k) > 0
    ORDER BY s.day NULLS FIRST;
END
$$;
COMMENT ON FUNCTION leadanalytics.workspace_overview_records(int, jsonb, timestamptz) IS
    'a record of all campaigns together, without a date, and with a time series one for each day';

CREATE FUNCTION leadanalytics.deliverability_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH counted AS MATERIALIZED (
        SELECT t.campaign, t.domain, t.bucket, sum(t.sent) AS sent, sum(t.hard) AS hard, sum(t.soft) AS soft, sum(t.complained) AS complained
        FROM leadanalytics.export_tallies(workspace, options, 'm') t
        GROUP BY t.campaign, t.domain, t.bucket
    ), summed AS (
        SELECT c.campaign, c.domain, d.day, coalesce(sum(k.sent), 0)::bigint AS sent, coalesce(sum(k.hard), 0)::bigint AS hard, coalesce(sum(k.soft), 0)::bigint AS soft,
               coalesce(sum(k.complained), 0)::bigint AS complained
        FROM (SELECT k.campaign, k.domain FROM counted k GROUP BY k.campaign, k.domain HAVING sum(k.sent + k.hard + k.soft + k.complained) > 0) AS c
        CROSS JOIN leadanalytics.export_days(options) d
        LEFT JOIN counted k ON k.campaign = c.campaign AND k.domain = c.domain AND (d.day IS NULL OR k.bucket = d.day)
        GROUP BY c.campaign, c.domain, d.day
    )
    SELECT json_build_object(
        'campaign_id', p.key, 'campaign_name', p.name, 'domain_id', m.key, 'domain_name', m.name, 'date', to_char(s.day AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
        'emails_sent', s.sent, 'hard_bounces', s.hard, 'soft_bounces', s.soft, 'spam_complaints', s.complained,
        'estimated_inbox_placement_rate', greatest(0, leadanalytics.percent(s.sent - s.hard - s.soft - s.complained, s.sent)),
        'spam_rate', leadanalytics.percent(s.complained, s.sent), 'bounce_rate', leadanalytics.percent(s.hard + s.soft, s.sent),
        'hard_bounce_rate', leadanalytics.percent(s.hard, s.sent), 'soft_bounce_rate', leadanalytics.percent(s.soft, s.sent))
    FROM summed s
    LEFT JOIN leadanalytics.campaign p ON p.workspace = deliverability_records.workspace AND p.id = s.campaign
    LEFT JOIN leadanalytics.sending_domain m ON m.workspace = deliverability_records.workspace AND m.id = s.domain
    ORDER BY p.key, m.key, s.day NULLS FIRST;
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
    WITH cell AS (
        SELECT extract(isodow FROM t.bucket AT TIME ZONE zone)::int AS dow, p.n, p.period, sum(t.sent)::bigint AS sent, sum(t.opened)::bigint AS opened,
               sum(t.clicked)::bigint AS clicked, sum(t.replied)::bigint AS replied
        FROM leadanalytics.export_tallies(workspace, options, 's') t
        JOIN (VALUES (1, 'nighttime', 0, 6), (2, 'early_morning', 6, 9), (3, 'office_hours', 9, 17), (4, 'evening', 17, 24)) AS p (n, period, starts, ends)
            ON extract(hour FROM t.bucket AT TIME ZONE zone) >= p.starts AND extract(hour FROM t.bucket AT TIME ZONE zone) < p.ends
        GROUP BY 1, 2, 3
        HAVING sum(t.sent) > 0
    )
    SELECT json_build_object(
        'timezone', zone, 'day_of_week', (ARRAY['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'])[c.dow], 'time_period', c.period,
        'emails_sent', c.sent, 'emails_opened', c.opened, 'emails_clicked', c.clicked, 'emails_replied', c.replied,
        'open_rate', leadanalytics.percent(c.opened, c.sent), 'engagement_score', leadanalytics.ratio(c.opened * 30 + c.clicked * 40 + c.replied * 30, c.sent))
    FROM cell c
    ORDER BY c.dow, c.n;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_heatmap_records(int, jsonb, timestamptz) IS
    'a record a day of the week and part of the day that messages were sent on, in the workspace''s zone';

INSERT INTO leadanalytics.export_type (name, function, builtin, summary) VALUES
    ('campaign_performance', 'leadanalytics.campaign_performance_records', true, 'counts and rates of campaigns'),
    ('workspace_overview', 'leadanalytics.workspace_overview_records', true, 'counts and rates of all campaigns together'),
    ('deliverability', 'leadanalytics.deliverability_records', true, 'bounces and complaints by campaign and sending domain'),
    ('engagement_heatmap', 'leadanalytics.engagement_heatmap_records', true, 'when messages were sent, and what became of them');
