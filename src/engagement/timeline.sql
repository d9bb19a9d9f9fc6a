-- All that happened with a lead, newest first (S2-07): what of it the family knows, in its words.

CREATE FUNCTION leadanalytics.lead_timeline_rows(workspace int, lead_id text)
RETURNS TABLE (type text, at timestamptz, data json) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    found CONSTANT bigint := leadanalytics.find_engagement_lead(allowed, lead_id);
BEGIN
    RETURN QUERY
    SELECT t.type, t.at, t.data
    FROM (SELECT 'status_change' AS type, c.at,
                 json_build_object('from', leadanalytics.engagement_status(c.from_status), 'to', leadanalytics.engagement_status(c.to_status)) AS data, 1 AS place, c.id
          FROM leadanalytics.lead_status_change c
          WHERE c.workspace = allowed AND c.lead = found AND leadanalytics.engagement_status(c.from_status) IS DISTINCT FROM leadanalytics.engagement_status(c.to_status)
          UNION ALL
          SELECT 'assignment', a.at, json_build_object('ownerId', a.owner_id, 'teamId', a.team_id), 2, a.id
          FROM leadanalytics.lead_assignment a WHERE a.workspace = allowed AND a.lead = found
          UNION ALL
          SELECT e.type, e.at, json_build_object('id', leadanalytics.engagement_event_id(e.id), 'messageId', e.message_id, 'workflowExecutionId', e.workflow_execution_id), 3, -e.n
          FROM leadanalytics.lead l
          CROSS JOIN LATERAL leadanalytics.engagement_events_rows(allowed, '-infinity', 'infinity', lead_id => coalesce(l.external_id, l.id::text))
                     WITH ORDINALITY AS e (id, type, lead_id, message_id, workflow_execution_id, at, n)
          WHERE l.workspace = allowed AND l.id = found) AS t
    ORDER BY t.at DESC, t.place DESC, t.id DESC; -- events in the order of lists
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_timeline_rows(int, text) IS
    'all that happened with a lead, newest first: status_change {from, to} (from null: it came), assignment {ownerId, teamId}, and its events email_sent, email_open, …, page_visit '
    '{id, messageId, workflowExecutionId}';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_timeline_rows(int, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.lead_timeline(workspace int, lead_id text, page int DEFAULT 1, "limit" int DEFAULT 20)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    IF leadanalytics.find_engagement_lead(allowed, lead_id) IS NULL THEN
        RAISE EXCEPTION 'Lead not found' USING ERRCODE = 'LA404', HINT = 'PUT makes it.';
    END IF;
    RETURN (
        SELECT json_build_object(
            'data', coalesce(json_agg(json_build_object('type', t.type, 'timestamp', leadanalytics.utc_milliseconds(t.at), 'data', t.data) ORDER BY t.place)
                             FILTER (WHERE t.place > (lead_timeline.page - 1)::bigint * lead_timeline."limit" AND t.place <= lead_timeline.page::bigint * lead_timeline."limit"), '[]'),
            'pagination', leadanalytics.engagement_page(count(*), lead_timeline.page, lead_timeline."limit"))
        FROM leadanalytics.lead_timeline_rows(allowed, lead_timeline.lead_id) WITH ORDINALITY AS t (type, at, data, place));
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_timeline(int, text, int, int) IS 'leadanalytics.lead_timeline_rows() as GET /v1/leads/:leadId/timeline answers, a page of it; LA404';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_timeline(int, text, int, int) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, message, paged, summary, example, builtin) VALUES
    ('GET', '/v1/leads/:leadId/timeline', 'leadanalytics.lead_timeline', 'engagement', '{live,sandbox}', 'Timeline retrieved', true, 'All that happened with a lead, newest first',
     '[{"type": "status_change", "timestamp": "2026-02-10T09:00:00.000Z", "data": {"from": "new", "to": "contacted"}}, '
     '{"type": "email_open", "timestamp": "2026-02-09T10:30:00.000Z", "data": {"id": "evt_0b7e6c1d2f3a4b5c8d9e0f1a2b3c4d5e", "messageId": "msg_001", "workflowExecutionId": null}}]', true);
SELECT leadanalytics.engagement_takes('GET', '/v1/leads/:leadId/timeline', ':leadId', 'page', 'limit');
