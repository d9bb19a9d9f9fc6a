-- S5's doors: everything that is kept of a user, and its end.

INSERT INTO leadanalytics.route (method, path, function, family, summary, timeout_ms, open_members, example, builtin) VALUES
    ('GET', '/api/v1/users/:userId/data', 'leadanalytics.user_data', 'public', 'Everything that is kept of a person', 11000,
     '{data.events[].event_data.*,data.events[].campaign?,data.events[].device?,data.events[].tags?,data.sessions[].campaign?,data.sessions[].device?}',
     '{"visitor_ids": ["v_abc123"], "user_ids": ["u_def456"], "emails": ["ann@example.com"], "phones": [], "data": {}}', true),
    ('DELETE', '/api/v1/users/:userId/data', 'leadanalytics.erase_user', 'public', 'Erase a person, or make it anonymous', 11000, '{}',
     '{"mode": "delete", "erased": {"visitors": 1}}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, lenient, fallback, choices, position, example, summary) VALUES
    ('GET', '/api/v1/users/:userId/data', 'userId', 'path', 'id', 'text', true, false, NULL, NULL, 1, 'u_def456', 'a visitor ID, a user ID or an e-mail address'),
    ('DELETE', '/api/v1/users/:userId/data', 'userId', 'path', 'id', 'text', true, false, NULL, NULL, 1, 'u_def456', 'a visitor ID, a user ID or an e-mail address'),
    ('DELETE', '/api/v1/users/:userId/data', 'mode', 'query', 'mode', 'text', false, false, 'delete', '{delete,anonymise}', 2, 'delete',
     'delete: with all that reports count; anonymise: numbers stay as they are, what says who it was goes');
