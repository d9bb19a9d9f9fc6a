-- Doors of events: one list and one way in, and the same of form submissions and of page visits alone (S2-01, S2-09, S2-11, S2-12).

INSERT INTO leadanalytics.route (method, path, function, family, roles, success, idempotent, paged, from_fold, message, summary, example, builtin)
SELECT m.method, '/v1/analytics/' || d.path, m.function, 'engagement', '{live,sandbox}', m.success, m.method = 'POST', m.method = 'GET', m.method = 'GET', m.message, format(m.summary, d.things),
       CASE m.method WHEN 'POST' THEN e.event ELSE json_build_object('data', json_build_array(e.event), 'pagination', leadanalytics.engagement_page(1, 1, 20)) END, true
FROM (VALUES ('events', 'events', 'email_open'), ('form-submissions', 'form submissions', 'form_submission'), ('page-visits', 'page visits', 'page_visit')) AS d (path, things, type)
CROSS JOIN (VALUES ('GET', 'leadanalytics.engagement_events', 200, 'OK', 'The %s of a time, newest first'),
                   ('POST', 'leadanalytics.add_engagement', 201, 'Event ingested', 'Tell of one of the %s')) AS m (method, function, success, message, summary)
CROSS JOIN LATERAL (SELECT json_build_object('id', 'evt_0b7c2d9e5f1a4c3e8d6f7a9b0c1d2e3f', 'tenantId', 'acme-corp', 'type', d.type, 'leadId', '6789abcdef012345', 'messageId', 'msg_001',
                                             'workflowExecutionId', 'exec_001', 'timestamp', '2026-02-09T10:30:00.000Z')) AS e (event);

-- Doors of one type take it, and no other, where it is said.
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, fallback, choices, position, example, summary)
SELECT r.method, r.path, 'eventType', CASE r.method WHEN 'GET' THEN 'query' ELSE 'body' END, 'event_type', 'text', r.method = 'POST' AND t.type IS NULL, t.type,
       CASE WHEN t.type IS NULL THEN ARRAY(SELECT e.type FROM leadanalytics.engagement_types() e) ELSE ARRAY[t.type] END, 0, coalesce(t.type, 'email_open'), 'what happened'
FROM leadanalytics.route r
CROSS JOIN LATERAL (SELECT CASE r.path WHEN '/v1/analytics/form-submissions' THEN 'form_submission' WHEN '/v1/analytics/page-visits' THEN 'page_visit' END) AS t (type)
WHERE r.function IN ('leadanalytics.add_engagement', 'leadanalytics.engagement_events');
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, min, max, position, example, summary)
SELECT r.method, r.path, p.*
FROM leadanalytics.route r
CROSS JOIN (VALUES
    ('leadId', 'body', 'lead_id', 'text', 1, 128, 1, '6789abcdef012345', 'your id of the lead, which need not be known yet'),
    ('messageId', 'body', 'message_id', 'text', 1, 128, 2, 'msg_001', 'your id of the message'),
    ('workflowExecutionId', 'body', 'workflow_execution_id', 'text', 1, 128, 3, 'exec_001', 'your id of the workflow''s run'),
    ('timestamp', 'body', 'timestamp', 'timestamp', NULL, NULL, 4, '2026-02-09T10:30:00.000Z', 'when it was, ISO 8601; default: now')) AS p
WHERE r.function = 'leadanalytics.add_engagement';
SELECT leadanalytics.engagement_takes('GET', r.path, 'leadId', 'messageId', 'workflowExecutionId', 'from', 'to', 'page', 'limit')
FROM leadanalytics.route r WHERE r.function = 'leadanalytics.engagement_events';
