-- The doors of what the documents only imply. Who may read the answer is any member; these are for owners and
-- admins of the workspace.

INSERT INTO leadanalytics.route (method, path, function, family, roles, idempotent, summary, example, builtin) VALUES
    ('PUT', '/api/workspaces/:workspaceId/rooms/:name', 'leadanalytics.put_room', 'activity', '{manager}', false,
     'Make a room, or write it anew', '{"accepted": 1, "rejected": []}', true),
    ('DELETE', '/api/workspaces/:workspaceId/rooms/:name', 'leadanalytics.delete_room', 'activity', '{manager}', false,
     'Delete a room and its recordings; its events stay, in no room', '{"deleted": true}', true),
    ('PUT', '/api/workspaces/:workspaceId/recordings/:key', 'leadanalytics.put_recording', 'activity', '{manager}', false,
     'Make a recording, or write it anew', '{"accepted": 1, "rejected": []}', true),
    ('PUT', '/api/workspaces/:workspaceId/booking-pages/:slug', 'leadanalytics.put_booking_page', 'activity', '{manager}', false,
     'Make a booking page, or write it anew', '{"accepted": 1, "rejected": []}', true),
    ('DELETE', '/api/workspaces/:workspaceId/booking-pages/:slug', 'leadanalytics.delete_booking_page', 'activity', '{manager}', false,
     'Delete a booking page; its events stay, on no page', '{"deleted": true}', true),
    ('PUT', '/api/workspaces/:workspaceId/contacts/:email', 'leadanalytics.put_contact', 'activity', '{manager}', false,
     'Make a contact, or write it anew', '{"accepted": 1, "rejected": []}', true),
    ('DELETE', '/api/workspaces/:workspaceId/contacts/:email', 'leadanalytics.delete_contact', 'activity', '{manager}', false,
     'Delete a contact and its events', '{"deleted": true}', true),
    ('POST', '/api/workspaces/:workspaceId/contact-events', 'leadanalytics.add_contact_events', 'activity', '{manager}', true,
     'Store what contacts did: one event, or an array of at most 1 000',
     '{"accepted": 2, "rejected": [{"index": 1, "error": "Room not found"}]}', true);

INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, max, error, position, example, summary)
SELECT r.method, r.path, p.*
FROM leadanalytics.route r
CROSS JOIN LATERAL (VALUES
    ('workspaceId', 'path', 'workspace_slug', 'workspace', false, NULL::int, NULL::bigint, NULL, 0, 'acme', 'the workspace''s slug'),
    ('name', 'path', 'name', 'text', true, 1, 200, NULL, 1, 'team-standup-1234', 'the room''s name'),
    ('key', 'path', 'key', 'text', true, 1, 200, NULL, 1, 'rec-1', 'your key of the recording'),
    ('slug', 'path', 'slug', 'text', true, 1, 200, NULL, 1, 'intro-call', 'the page''s slug'),
    ('email', 'path', 'email', 'text', true, 3, 254, NULL, 1, 'ann@example.com', 'the contact''s address')) AS p (name, place, arg, type, required, min, max, error, position, example, summary)
WHERE r.function IN ('leadanalytics.put_room', 'leadanalytics.delete_room', 'leadanalytics.put_recording', 'leadanalytics.put_booking_page',
                     'leadanalytics.delete_booking_page', 'leadanalytics.put_contact', 'leadanalytics.delete_contact', 'leadanalytics.add_contact_events')
      AND position('/:' || p.name || '/' IN r.path || '/') > 0;

INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, max, error, position, example, summary) VALUES
    ('PUT', '/api/workspaces/:workspaceId/rooms/:name', 'display_name', 'body', 'display_name', 'text', false, 0, 300, NULL, 2, 'Team Standup', 'what it is shown as'),
    ('PUT', '/api/workspaces/:workspaceId/recordings/:key', 'room', 'body', 'room', 'text', true, 1, 200, NULL, 2, 'team-standup-1234', 'the name of its room'),
    ('PUT', '/api/workspaces/:workspaceId/recordings/:key', 'duration_seconds', 'body', 'duration_seconds', 'int', true, 0, 2147483647, NULL, 3, '1800', 'how long it is'),
    ('PUT', '/api/workspaces/:workspaceId/recordings/:key', 'created_at', 'body', 'created_at', 'bigint', false, 0, 253402300799, NULL, 4, '1771900000', 'Unix seconds; default: now, or as it was'),
    ('PUT', '/api/workspaces/:workspaceId/booking-pages/:slug', 'title', 'body', 'title', 'text', true, 1, 300, NULL, 2, '30-min Intro Call', 'its title'),
    ('PUT', '/api/workspaces/:workspaceId/contacts/:email', 'name', 'body', 'name', 'text', false, 0, 300, NULL, 2, 'Ann', 'the person''s name'),
    ('PUT', '/api/workspaces/:workspaceId/contacts/:email', 'created_at', 'body', 'created_at', 'bigint', false, 0, 253402300799, NULL, 3, '1771900000', 'Unix seconds; default: now, or as it was'),
    ('POST', '/api/workspaces/:workspaceId/contact-events', 'body', 'document', 'events', 'json', true, NULL, NULL, 'Invalid request body', 1,
     '[{"contact": "ann@example.com", "event_type": "booking", "booking_page": "intro-call", "created_at": 1771900000, "event_id": "b-1", "metadata": {"source": "mail"}}]',
     'an event {contact, event_type, room, booking_page, metadata, created_at in Unix seconds, event_id}, or an array of at most 1 000');
