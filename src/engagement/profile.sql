-- What one lead did (S2-10).

-- Events are counted as they came, machines' opens and clicks left out (D-31, D-41); rates are of messages, of which an
-- open, a click or a reply is the first (D-42). An open of a message that was first opened before the range is counted,
-- and is in no rate.
CREATE FUNCTION leadanalytics.lead_engagement_rows(workspace int, lead text, starts timestamptz, ends timestamptz)
RETURNS TABLE (lead_id text, score int, label text, email_sent bigint, email_open bigint, link_click bigint, email_reply bigint, email_bounce bigint, form_submission bigint, page_visit bigint,
               unique_opens bigint, open_rate numeric, click_rate numeric, reply_rate numeric, first_engaged_at timestamptz, last_engaged_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(lead_engagement_rows.workspace);
    stored leadanalytics.lead;
    named text;
    messages bigint[];
BEGIN
    SELECT l.* INTO stored FROM leadanalytics.lead l WHERE l.workspace = allowed AND l.id = (SELECT leadanalytics.find_engagement_lead(allowed, lead_engagement_rows.lead));
    named := coalesce(stored.external_id, stored.id::text, lead_engagement_rows.lead);
    IF stored.id IS NULL AND NOT EXISTS (SELECT FROM leadanalytics.engagement_events_rows(allowed, '-infinity', 'infinity', lead_id => named, most => 1)) THEN
        RAISE EXCEPTION 'Lead not found' USING ERRCODE = 'LA404', HINT = 'Neither a lead has this id, nor any event.';
    END IF;
    messages := ARRAY(SELECT m.id FROM leadanalytics.message m WHERE m.workspace = allowed AND m.lead = named);
    RETURN QUERY
    WITH said AS MATERIALIZED (
        SELECT e.message, e.kind, e.at FROM leadanalytics.marked_message_events(allowed, messages) e WHERE NOT e.is_machine
    ), mail AS (
        SELECT count(*) FILTER (WHERE s.kind = 's') AS sent, count(*) FILTER (WHERE s.kind = 'o') AS opened, count(*) FILTER (WHERE s.kind = 'c') AS clicked,
               count(*) FILTER (WHERE s.kind = 'r') AS replied, count(*) FILTER (WHERE s.kind = 'b') AS bounced, count(DISTINCT s.message) FILTER (WHERE s.kind = 'o') AS messages,
               min(s.at) FILTER (WHERE s.kind IN ('o', 'c', 'r')) AS first, max(s.at) FILTER (WHERE s.kind IN ('o', 'c', 'r')) AS last
        FROM said s WHERE s.at >= lead_engagement_rows.starts AND s.at < lead_engagement_rows.ends
    ), fact AS (
        SELECT count(*) FILTER (WHERE f.kind = 'o') AS opened, count(*) FILTER (WHERE f.kind = 'c') AS clicked, count(*) FILTER (WHERE f.kind = 'r') AS replied,
               greatest(0, count(*) FILTER (WHERE f.kind = 's') - count(*) FILTER (WHERE f.kind = 'b')) AS arrived
        FROM (SELECT s.kind, min(s.at) AS at FROM said s GROUP BY s.message, s.kind) AS f
        WHERE f.at >= lead_engagement_rows.starts AND f.at < lead_engagement_rows.ends
    ), web AS (
        SELECT count(*) FILTER (WHERE e.type = 'form_submission') AS submitted, count(*) FILTER (WHERE e.type = 'page_visit') AS visited, min(e.at) AS first, max(e.at) AS last
        FROM leadanalytics.engagement_events_rows(allowed, lead_engagement_rows.starts, lead_engagement_rows.ends, '{form_submission,page_visit}', named) e
    )
    SELECT named, CASE WHEN stored.session_id IS NOT NULL THEN stored.score::int END, CASE WHEN stored.session_id IS NOT NULL THEN leadanalytics.engagement_label(stored.score) END,
           m.sent, m.opened, m.clicked, m.replied, m.bounced, w.submitted, w.visited,
           m.messages, leadanalytics.percent(f.opened, f.arrived), leadanalytics.percent(f.clicked, f.arrived), leadanalytics.percent(f.replied, f.arrived),
           least(m.first, w.first), greatest(m.last, w.last)
    FROM mail m, fact f, web w;
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_engagement_rows(int, text, timestamptz, timestamptz) IS
    'one row: a lead''s score, its events from starts until before ends by type (machines'' left out), how many messages it opened, rates of its messages that did not bounce, '
    'when it first and last did something; LA404: neither a lead nor an event has that id';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_engagement_rows(int, text, timestamptz, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.lead_engagement(workspace int, lead_id text, "from" text DEFAULT NULL, "to" text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(lead_engagement.workspace);
    asked CONSTANT record := leadanalytics.engagement_period("from", "to", lead_engagement.now);
BEGIN
    RETURN (
        SELECT json_build_object(
            'leadId', r.lead_id, 'score', r.score, 'label', r.label,
            'counts', json_build_object('email_sent', r.email_sent, 'email_open', r.email_open, 'link_click', r.link_click, 'email_reply', r.email_reply, 'email_bounce', r.email_bounce,
                                        'form_submission', r.form_submission, 'page_visit', r.page_visit),
            'uniqueOpens', r.unique_opens, 'openRate', r.open_rate, 'clickRate', r.click_rate, 'replyRate', r.reply_rate,
            'firstEngagedAt', leadanalytics.utc_milliseconds(r.first_engaged_at), 'lastEngagedAt', leadanalytics.utc_milliseconds(r.last_engaged_at),
            'timeline', (SELECT coalesce(json_agg(leadanalytics.engagement_event_json(allowed, e)), '[]') -- in the order of lists
                         FROM leadanalytics.engagement_events_rows(allowed, asked.starts, asked.ends, lead_id => r.lead_id, most => 100) e))
        FROM leadanalytics.lead_engagement_rows(allowed, lead_engagement.lead_id, asked.starts, asked.ends) r);
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_engagement(int, text, text, text, timestamptz) IS
    'how engaged a lead is: its score, what it did in a range, and its 100 newest events there; LA404: Lead not found; LA422';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_engagement(int, text, text, text, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, message, summary, example, builtin) VALUES
    ('GET', '/v1/analytics/leads/:leadId/engagement', 'leadanalytics.lead_engagement', 'engagement', '{live,sandbox}', 'Lead engagement retrieved', 'What a lead did in a range: counts, rates of its mail, its newest events',
     '{"leadId": "6789abcdef012345", "score": 74, "label": "Very Hot",
       "counts": {"email_sent": 4, "email_open": 5, "link_click": 2, "email_reply": 1, "email_bounce": 0, "form_submission": 1, "page_visit": 12},
       "uniqueOpens": 3, "openRate": 75.00, "clickRate": 25.00, "replyRate": 25.00, "firstEngagedAt": "2026-02-09T10:30:00.000Z", "lastEngagedAt": "2026-02-12T08:15:00.000Z",
       "timeline": [{"id": "evt_0190f2d3a4b57c8d9e0f1a2b3c4d5e6f", "tenantId": "acme", "type": "email_open", "leadId": "6789abcdef012345", "messageId": "msg_001",
                     "workflowExecutionId": "exec_001", "timestamp": "2026-02-12T08:15:00.000Z"}]}', true);
SELECT leadanalytics.engagement_takes('GET', '/v1/analytics/leads/:leadId/engagement', ':leadId', 'from', 'to');
