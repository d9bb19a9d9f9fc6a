-- The doors of S2-20 and S2-21.
INSERT INTO leadanalytics.route (method, path, function, family, roles, success, idempotent, paged, message, summary, example, open_members, builtin)
SELECT q.method, q.path, 'leadanalytics.' || q.function, 'engagement', '{live,sandbox}', q.success, q.method = 'POST', q.paged, q.message, q.summary, q.example::json, q.open, true
FROM (VALUES
    ('GET', '/v1/reports/types', 'list_report_types', 200, false, 'Report types retrieved', 'What reports can be made of',
     '[{"name": "funnel", "path": "/v1/analytics/funnel", "summary": "How many got how far on a way of steps", "parameters": [{"name": "windowDays", "type": "int", "required": false, "choices": null, "min": 1, "max": 365, "summary": "how many times 24 hours the whole way may take"}, {"name": "steps", "type": "text", "required": false, "choices": ["day"], "min": null, "max": 2000, "summary": null}], "periods": ["last_week"]}]', '{}'::text[]),
    ('GET', '/v1/reports', 'list_reports', 200, true, 'Reports retrieved', 'The saved reports, the newest first', '{"data": [%1$s], "pagination": %3$s}', '{[].parameters.windowDays,[].parameters.steps}'),
    ('POST', '/v1/reports', 'create_report', 201, false, 'Report saved', 'Save a report: a question of this interface with its parameters', '%1$s', '{parameters.windowDays,parameters.steps}'),
    ('GET', '/v1/reports/:reportId', 'get_report', 200, false, 'Report retrieved', 'A saved report', '%1$s', '{parameters.windowDays,parameters.steps}'),
    ('PATCH', '/v1/reports/:reportId', 'change_report', 200, false, 'Report updated', 'Change a saved report', '%1$s', '{parameters.windowDays,parameters.steps}'),
    ('DELETE', '/v1/reports/:reportId', 'delete_report', 200, false, 'Report deleted', 'Delete a saved report and its schedules', '{"deleted": true}', '{}'),
    ('POST', '/v1/reports/:reportId/run', 'run_report', 202, false, 'Report started', 'Run a saved report now: its file is an export', '{"id": "exp_xyz123", "status": "processing", "url": null, "expiresAt": null}', '{}'),
    ('GET', '/v1/reports/scheduled', 'list_schedules', 200, true, 'Schedules retrieved', 'The schedules of reports, the newest first', '{"data": [%2$s], "pagination": %3$s}', '{}'),
    ('POST', '/v1/reports/scheduled', 'put_schedule', 201, false, 'Schedule saved', 'Have a report run by itself', '%2$s', '{}'),
    ('GET', '/v1/reports/scheduled/:scheduleId', 'get_schedule', 200, false, 'Schedule retrieved', 'A schedule', '%2$s', '{}'),
    ('PATCH', '/v1/reports/scheduled/:scheduleId', 'change_schedule', 200, false, 'Schedule updated', 'Change a schedule', '%2$s', '{}'),
    ('DELETE', '/v1/reports/scheduled/:scheduleId', 'delete_schedule', 200, false, 'Schedule deleted', 'Delete a schedule', '{"deleted": true}', '{}')
) AS t (method, path, function, success, paged, message, summary, example, open)
CROSS JOIN LATERAL (SELECT t.method, t.path, t.function, t.success, t.paged, t.message, t.summary, t.open, replace(replace(replace(t.example,
    '%1$s', '{"id": "rep_abc123", "name": "Weekly funnel", "report": "/v1/analytics/funnel", "parameters": {"steps": "new,contacted", "windowDays": 14}, "period": "last_week", "rows": null, "format": "csv", "createdAt": "2026-02-09T10:30:00.000Z", "updatedAt": "2026-02-09T10:30:00.000Z"}'),
    '%2$s', '{"id": "sch_abc123", "reportId": "rep_abc123", "frequency": "weekly", "dayOfWeek": "Monday", "dayOfMonth": null, "time": "08:00", "timezone": "Europe/London", "recipients": ["ann@example.com"], "format": "csv", "active": true, "nextRunAt": "2026-02-16T08:00:00.000Z", "lastRunAt": null}'),
    '%3$s', '{"page": 1, "limit": 20, "total": 1, "totalPages": 1, "hasNext": false, "hasPrev": false}') AS example) AS q;

SELECT leadanalytics.engagement_takes('GET', n.path, 'page', 'limit') FROM unnest('{/v1/reports,/v1/reports/scheduled}'::text[]) AS n (path);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, required, min, max, position, example, summary)
SELECT r.method, r.path, p.name, 'path', p.arg, true, 1, 128, 0, p.example, p.summary
FROM (VALUES ('reportId', 'report_id', 'rep_abc123', 'the report'), ('scheduleId', 'schedule_id', 'sch_abc123', 'the schedule')) AS p (name, arg, example, summary)
JOIN leadanalytics.route r ON r.path ~ ('^/v1/reports/.*:' || p.name || '(/|$)');

INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, position, example, summary)
SELECT m.method, m.path, p.name, 'body', p.arg, p.type, p.position, p.example, p.summary
FROM (VALUES ('POST', '/v1/reports'), ('PATCH', '/v1/reports/:reportId')) AS m (method, path)
CROSS JOIN (VALUES
    ('name', 'name', 'text', 1, 'Weekly funnel', 'what it is called'),
    ('report', 'report', 'text', 2, '/v1/analytics/funnel', 'what it asks: a name or path of /v1/reports/types'),
    ('parameters', 'parameters', 'json', 3, '{"windowDays": 14}', 'of the question, by name, those of its path too'),
    ('period', 'period', 'text', 4, 'last_week', array_to_string(leadanalytics.report_periods(), ', ') || ': the range moves with each run; instead of parameters that say it'),
    ('rows', 'rows', 'text', 5, NULL, 'which member of the answer is the table of a CSV file: a dotted name, or . for all of it in one row; default: its main array'),
    ('format', 'format', 'text', 6, 'csv', 'csv, json or html')) AS p (name, arg, type, position, example, summary);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, position, example, summary) VALUES
    ('POST', '/v1/reports/:reportId/run', 'format', 'body', 'format', 1, 'json', 'csv, json or html; default: the report''s');
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, position, example, summary)
SELECT m.method, m.path, p.name, 'body', p.arg, p.type, p.position, p.example, p.summary
FROM (VALUES ('POST', '/v1/reports/scheduled'), ('PATCH', '/v1/reports/scheduled/:scheduleId')) AS m (method, path)
CROSS JOIN (VALUES
    ('reportId', 'report_id', 'text', 1, 'rep_abc123', 'which report'),
    ('frequency', 'frequency', 'text', 2, 'weekly', 'daily, weekly or monthly'),
    ('dayOfWeek', 'day_of_week', 'text', 3, 'Monday', 'of a weekly one: Sunday to Saturday, or 0 (Sunday) to 6'),
    ('dayOfMonth', 'day_of_month', 'text', 4, NULL, 'of a monthly one: 1 to 31; in a month that has no such day its last'),
    ('time', 'time', 'text', 5, '08:00', 'HH:MM'),
    ('timezone', 'timezone', 'text', 6, 'Europe/London', 'whose clocks, an IANA name; default: the workspace''s'),
    ('recipients', 'recipients', 'json', 7, '["ann@example.com"]', 'e-mail addresses and ids of webhooks'),
    ('format', 'format', 'text', 8, 'csv', 'csv, json or html; default: the report''s'),
    ('active', 'active', 'text', 9, 'true', 'false: it does not run')) AS p (name, arg, type, position, example, summary);
