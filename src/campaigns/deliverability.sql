-- S4-03: where mail ended: inbox, spam, bounced; how healthy mailboxes are, and whether a blacklist has us.
--
-- Everything here is a part of the messages sent (D-40), spam too, other than in a campaign's analytics. One reading of
-- the counts by day, mailbox and reason answers all of it.

CREATE FUNCTION leadanalytics.sending_domain_number(workspace int, domain text)
RETURNS int LANGUAGE plpgsql STABLE AS $$
DECLARE
    number CONSTANT int := (SELECT d.id FROM leadanalytics.sending_domain d WHERE d.workspace = sending_domain_number.workspace AND d.key = btrim(sending_domain_number.domain));
BEGIN
    IF number IS NULL THEN
        PERFORM leadanalytics.fail_unknown(workspace, 'Domain', domain);
    END IF;
    RETURN number;
END
$$;
COMMENT ON FUNCTION leadanalytics.sending_domain_number(int, text) IS 'the number of a sending domain; LA404 DOMAIN_NOT_FOUND';

-- In a short time mail can bounce that was sent before it: no part is more than all.
CREATE FUNCTION leadanalytics.inbox_placement(sent numeric, bounced numeric, complained numeric)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT leadanalytics.ratio(greatest(0, sent - bounced - complained) * 100, sent)
$$;
COMMENT ON FUNCTION leadanalytics.inbox_placement(numeric, numeric, numeric) IS 'estimated share of mail that reached an inbox, in per cent: (sent - bounced - complained) / sent';
GRANT EXECUTE ON FUNCTION leadanalytics.inbox_placement(numeric, numeric, numeric) TO leadanalytics_read;

-- One division: of three that do not come out, a half is a little less.
CREATE FUNCTION leadanalytics.health_score(sent numeric, delivered numeric, bounced numeric, complained numeric)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN sent > 0 THEN round((40 * least(sent, delivered) + 30 * (sent - least(sent, bounced)) + 30 * (sent - least(sent, complained))) / sent) ELSE 0 END
$$;
COMMENT ON FUNCTION leadanalytics.health_score(numeric, numeric, numeric, numeric) IS 'the health of a mailbox, 0 to 100, from what it sent (D-45)';
GRANT EXECUTE ON FUNCTION leadanalytics.health_score(numeric, numeric, numeric, numeric) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.deliverability_counts(workspace int, starts timestamptz, ends timestamptz, campaign text, domain text, by_campaign boolean DEFAULT false)
RETURNS SETOF leadanalytics.message_tally LANGUAGE plpgsql STABLE AS $$
DECLARE
    only_campaign CONSTANT int := CASE WHEN campaign IS NOT NULL THEN leadanalytics.campaign_number(workspace, campaign) END;
    only_domain CONSTANT int := CASE WHEN domain IS NOT NULL THEN leadanalytics.sending_domain_number(workspace, domain) END;
BEGIN
    RETURN QUERY SELECT t.* FROM leadanalytics.message_tallies(workspace, CASE WHEN by_campaign OR only_campaign IS NOT NULL THEN 'm'::"char" ELSE 'b' END, starts, ends, only_campaign) t
        WHERE only_domain IS NULL OR t.domain = only_domain;
END
$$;
COMMENT ON FUNCTION leadanalytics.deliverability_counts(int, timestamptz, timestamptz, text, text, boolean) IS
    'counts of messages by day, campaign (where that is told apart), domain, mailbox and reason, to be added up; of one campaign and sending domain, or all. For functions that asked who calls';

CREATE FUNCTION leadanalytics.mailbox_days(counts leadanalytics.message_tally[])
RETURNS TABLE (day timestamptz, mailbox int, sent numeric, delivered numeric, bounced numeric, complained numeric, score numeric) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT c.day, c.mailbox, c.sent, c.delivered, c.bounced, c.complained, coalesce(b.health_score, leadanalytics.health_score(c.sent, c.delivered, c.bounced, c.complained))
    FROM (SELECT t.workspace, t.bucket AS day, t.mailbox, sum(t.sent) AS sent, sum(t.delivered) AS delivered, sum(t.hard + t.soft) AS bounced, sum(t.complained) AS complained
          FROM unnest(counts) t GROUP BY GROUPING SETS ((t.workspace, t.mailbox), (t.workspace, t.mailbox, t.bucket))) AS c
    LEFT JOIN LATERAL (SELECT m.health_score FROM leadanalytics.mailbox m WHERE m.workspace = c.workspace AND m.id = c.mailbox OFFSET 0) AS b ON true;
END
$$;
COMMENT ON FUNCTION leadanalytics.mailbox_days(leadanalytics.message_tally[]) IS
    'what mailboxes sent and how healthy they are, on each day, and (day null) altogether; mail of no mailbox is one mailbox''s, 0';

CREATE FUNCTION leadanalytics.bounce_reasons(counts leadanalytics.message_tally[])
RETURNS TABLE (reason text, count bigint, percentage numeric) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.reason, sum(r.n)::bigint, leadanalytics.ratio(sum(r.n) * 100, sum(sum(r.n)) OVER (), 1)
    FROM (SELECT coalesce(x.text, 'Unknown') COLLATE "C" AS reason, c.n
          FROM (SELECT t.workspace, t.reason, sum(t.hard + t.soft) AS n FROM unnest(counts) t GROUP BY t.workspace, t.reason) AS c
          LEFT JOIN LATERAL (SELECT k.text FROM leadanalytics.message_text k WHERE k.workspace = c.workspace AND k.id = c.reason OFFSET 0) AS x ON true) AS r
    GROUP BY r.reason HAVING sum(r.n) > 0;
END
$$;
COMMENT ON FUNCTION leadanalytics.bounce_reasons(leadanalytics.message_tally[]) IS 'why messages bounced, and which part of all bounces that is, in per cent with one decimal';

CREATE FUNCTION leadanalytics.reputation(counts leadanalytics.message_tally[])
RETURNS TABLE (date date, score numeric) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT (m.day AT TIME ZONE 'UTC')::date, leadanalytics.ratio(sum(m.score * m.sent), sum(m.sent), 0)
    FROM leadanalytics.mailbox_days(counts) m GROUP BY m.day HAVING sum(m.sent) > 0;
END
$$;
COMMENT ON FUNCTION leadanalytics.reputation(leadanalytics.message_tally[]) IS 'the health of each day with sends, and (date null) altogether: of the mailboxes, weighted by what they sent';

-- The same questions as rows.
CREATE FUNCTION leadanalytics.deliverability_rows(workspace int, starts timestamptz, ends timestamptz, campaign text DEFAULT NULL, domain text DEFAULT NULL)
RETURNS TABLE (campaign_id text, domain_id text, sent bigint, delivered bigint, hard_bounces bigint, soft_bounces bigint, spam_complaints bigint,
               estimated_inbox_placement_rate numeric, spam_rate numeric, bounce_rate numeric, hard_bounce_rate numeric, soft_bounce_rate numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(deliverability_rows.workspace);
BEGIN
    RETURN QUERY
    SELECT c.key::text, d.key::text, s.sent, s.delivered, s.hard, s.soft, s.complained,
           leadanalytics.inbox_placement(s.sent, s.hard + s.soft, s.complained), leadanalytics.percent(s.complained, s.sent), leadanalytics.percent(s.hard + s.soft, s.sent),
           leadanalytics.percent(s.hard, s.sent), leadanalytics.percent(s.soft, s.sent)
    FROM (SELECT t.campaign, t.domain, sum(t.sent)::bigint AS sent, sum(t.delivered)::bigint AS delivered, sum(t.hard)::bigint AS hard, sum(t.soft)::bigint AS soft,
                 sum(t.complained)::bigint AS complained
          FROM leadanalytics.deliverability_counts(allowed, starts, ends, deliverability_rows.campaign, deliverability_rows.domain, true) t GROUP BY t.campaign, t.domain) AS s
    LEFT JOIN LATERAL (SELECT k.key FROM leadanalytics.campaign k WHERE k.workspace = allowed AND k.id = s.campaign OFFSET 0) AS c ON true
    LEFT JOIN LATERAL (SELECT k.key FROM leadanalytics.sending_domain k WHERE k.workspace = allowed AND k.id = s.domain OFFSET 0) AS d ON true
    WHERE s.sent + s.delivered + s.hard + s.soft + s.complained > 0
    ORDER BY s.sent DESC, c.key, d.key;
END
$$;
COMMENT ON FUNCTION leadanalytics.deliverability_rows(int, timestamptz, timestamptz, text, text) IS
    'S4-03 as rows: how mail of [starts, ends) arrived, by campaign and sending domain (null: none); rates in per cent of what was sent';

CREATE FUNCTION leadanalytics.mailbox_health_rows(workspace int, starts timestamptz, ends timestamptz, campaign text DEFAULT NULL, domain text DEFAULT NULL)
RETURNS TABLE (mailbox_id text, address text, sent bigint, delivered bigint, bounced bigint, spam_complaints bigint, bounce_rate numeric, spam_rate numeric, health_score numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(mailbox_health_rows.workspace);
BEGIN
    RETURN QUERY
    SELECT b.key::text, b.address, m.sent::bigint, m.delivered::bigint, m.bounced::bigint, m.complained::bigint, leadanalytics.percent(m.bounced, m.sent),
           leadanalytics.percent(m.complained, m.sent), m.score
    FROM leadanalytics.mailbox_days(ARRAY(SELECT t FROM leadanalytics.deliverability_counts(allowed, starts, ends, mailbox_health_rows.campaign, mailbox_health_rows.domain) t)) m
    LEFT JOIN LATERAL (SELECT k.key, k.address FROM leadanalytics.mailbox k WHERE k.workspace = allowed AND k.id = m.mailbox OFFSET 0) AS b ON true
    WHERE m.day IS NULL AND m.sent + m.delivered + m.bounced + m.complained > 0
    ORDER BY m.sent DESC, b.key;
END
$$;
COMMENT ON FUNCTION leadanalytics.mailbox_health_rows(int, timestamptz, timestamptz, text, text) IS
    'S4-03 as rows: what mailboxes sent in [starts, ends) and their health, 0 to 100: as it was put, else as it follows from what they sent (D-45); mailbox null: mail of none';

CREATE FUNCTION leadanalytics.bounce_reasons_rows(workspace int, starts timestamptz, ends timestamptz, campaign text DEFAULT NULL, domain text DEFAULT NULL)
RETURNS TABLE (reason text, count bigint, percentage numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(bounce_reasons_rows.workspace);
BEGIN
    RETURN QUERY
    SELECT r.* FROM leadanalytics.bounce_reasons(ARRAY(SELECT t FROM leadanalytics.deliverability_counts(allowed, starts, ends, bounce_reasons_rows.campaign, bounce_reasons_rows.domain) t)) r
    ORDER BY r.count DESC, r.reason COLLATE "C";
END
$$;
COMMENT ON FUNCTION leadanalytics.bounce_reasons_rows(int, timestamptz, timestamptz, text, text) IS 'S4-03 as rows: why messages bounced in [starts, ends), and which part of all bounces that is';

CREATE FUNCTION leadanalytics.reputation_rows(workspace int, starts timestamptz, ends timestamptz, campaign text DEFAULT NULL, domain text DEFAULT NULL)
RETURNS TABLE (date date, score numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(reputation_rows.workspace);
BEGIN
    RETURN QUERY
    SELECT r.date, r.score
    FROM leadanalytics.reputation(ARRAY(SELECT t FROM leadanalytics.deliverability_counts(allowed, starts, ends, reputation_rows.campaign, reputation_rows.domain) t)) r
    WHERE r.date IS NOT NULL ORDER BY r.date;
END
$$;
COMMENT ON FUNCTION leadanalytics.reputation_rows(int, timestamptz, timestamptz, text, text) IS
    'S4-03 as rows: the health of each UTC day of [starts, ends) with sends: of its mailboxes, weighted by what they sent';

CREATE FUNCTION leadanalytics.deliverability(workspace int, time_range text DEFAULT '30d', campaign text DEFAULT NULL, domain text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    period record;
    counts leadanalytics.message_tally[];
    sums record;
    trend json;
    score numeric;
BEGIN
    IF time_range NOT IN ('7d', '30d', '90d') THEN
        PERFORM leadanalytics.fail(400, 'Invalid timeRange', 'VALIDATION_ERROR');
    END IF;
    SELECT * INTO period FROM leadanalytics.campaign_period(time_range, NULL, NULL, now);
    counts := ARRAY(
        SELECT ROW(allowed, 'm', t.bucket, 0, 0, t.mailbox, t.reason, sum(t.sent), sum(t.delivered), sum(t.hard), sum(t.soft), 0, 0, 0, sum(t.complained), 0)::leadanalytics.message_tally
        FROM leadanalytics.deliverability_counts(allowed, period.starts, period.ends, campaign, domain) t GROUP BY t.bucket, t.mailbox, t.reason);
    SELECT sum(t.sent) AS sent, sum(t.hard) AS hard, sum(t.soft) AS soft, sum(t.complained) AS complained INTO sums FROM unnest(counts) t;
    SELECT coalesce(json_agg(d ORDER BY d.date) FILTER (WHERE d.date IS NOT NULL), '[]'), coalesce(max(d.score) FILTER (WHERE d.date IS NULL), 0) INTO trend, score
    FROM leadanalytics.reputation(counts) d;
    RETURN json_build_object(
        'workspace_id', (SELECT w.slug FROM leadanalytics.workspace w WHERE w.id = allowed),
        'time_range', leadanalytics.time_range_json(period.starts, period.last),
        'overall', json_build_object(
            'estimated_inbox_placement_rate', leadanalytics.inbox_placement(sums.sent, sums.hard + sums.soft, sums.complained),
            'spam_rate', leadanalytics.percent(sums.complained, sums.sent),
            'bounce_rate', leadanalytics.percent(sums.hard + sums.soft, sums.sent),
            'health_score', score),
        'bounce_analysis', json_build_object(
            'hard_bounces', coalesce(sums.hard, 0), 'soft_bounces', coalesce(sums.soft, 0),
            'hard_bounce_rate', leadanalytics.percent(sums.hard, sums.sent), 'soft_bounce_rate', leadanalytics.percent(sums.soft, sums.sent),
            'top_bounce_reasons', (SELECT coalesce(json_agg(r ORDER BY r.count DESC, r.reason COLLATE "C"), '[]')
                                   FROM (SELECT * FROM leadanalytics.bounce_reasons(counts) b ORDER BY b.count DESC, b.reason COLLATE "C" LIMIT 5) AS r)),
        'reputation_trend', trend,
        'blacklist_status', (SELECT json_build_object('any_ip_blacklisted', coalesce(bool_or(p.blacklisted), false), 'ips_checked', count(p.checked_at),
                                                      'last_check', leadanalytics.utc_seconds(max(p.checked_at)))
                             FROM leadanalytics.sending_ip p WHERE p.workspace = allowed));
END
$$;
COMMENT ON FUNCTION leadanalytics.deliverability(int, text, text, text, timestamptz) IS
    'S4-03: where the mail of the last 7, 30 or 90 days ended, the health of the mailboxes it came from, and whether a blacklist has an IP of the workspace';

GRANT EXECUTE ON FUNCTION
    leadanalytics.deliverability(int, text, text, text, timestamptz), leadanalytics.deliverability_rows(int, timestamptz, timestamptz, text, text),
    leadanalytics.mailbox_health_rows(int, timestamptz, timestamptz, text, text), leadanalytics.bounce_reasons_rows(int, timestamptz, timestamptz, text, text),
    leadanalytics.reputation_rows(int, timestamptz, timestamptz, text, text)
TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, rate_class, from_fold, summary, example, builtin) VALUES
    ('GET', '/api/v1/workspaces/:workspaceId/analytics/deliverability', 'leadanalytics.deliverability', 'campaigns', '{tenant}', 'campaign_deliverability', true,
     'Where mail ended, how healthy mailboxes are, and whether a blacklist has an IP',
     '{"workspace_id": "ws_xyz789",
       "time_range": {"start": "2025-10-27T00:00:00Z", "end": "2025-11-26T23:59:59Z"},
       "overall": {"estimated_inbox_placement_rate": 95.5, "spam_rate": 2.5, "bounce_rate": 2.0, "health_score": 92},
       "bounce_analysis": {"hard_bounces": 800, "soft_bounces": 700, "hard_bounce_rate": 1.07, "soft_bounce_rate": 0.93,
           "top_bounce_reasons": [{"reason": "Mailbox full", "count": 350, "percentage": 23.3}, {"reason": "Invalid recipient", "count": 500, "percentage": 33.3}]},
       "reputation_trend": [{"date": "2025-11-01", "score": 90}, {"date": "2025-11-15", "score": 92}],
       "blacklist_status": {"any_ip_blacklisted": false, "ips_checked": 3, "last_check": "2025-11-26T10:00:00Z"}}', true);

INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, choices, fallback, position, example, summary)
SELECT 'GET', '/api/v1/workspaces/:workspaceId/analytics/deliverability', p.*
FROM (VALUES
    ('workspaceId', 'path', 'workspace_slug', 'workspace', NULL::text[], NULL, 0, 'ws_xyz789', 'the workspace''s slug'),
    ('timeRange', 'query', 'time_range', 'text', '{7d,30d,90d}', '30d', 1, '30d', 'today and as many days before, in UTC'),
    ('campaignId', 'query', 'campaign', 'text', NULL, NULL, 2, 'cmp_abc123', 'of one campaign alone'),
    ('domainId', 'query', 'domain', 'text', NULL, NULL, 3, 'dom_1', 'of one sending domain alone')) AS p;
