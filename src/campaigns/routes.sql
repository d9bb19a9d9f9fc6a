-- The doors of what the document only implies: what campaigns are, whom they send from, and what happened to their messages.

INSERT INTO leadanalytics.route (method, path, function, family, roles, idempotent, summary, example, builtin)
SELECT d.method, '/api/v1/workspaces/:workspaceId/' || d.rest, 'leadanalytics.' || d.function, 'campaigns', '{tenant}', d.idempotent, d.summary, d.example::json, true
FROM (VALUES
    ('PUT', 'campaigns/:key', 'put_campaign', false, 'Make a campaign, or write it anew', '{"accepted": 1, "rejected": []}'),
    ('PUT', 'domains/:key', 'put_domain', false, 'Make a sending domain, or write it anew', '{"accepted": 1, "rejected": []}'),
    ('PUT', 'mailboxes/:key', 'put_mailbox', false, 'Make a mailbox, or write it anew; a domain that is not there is made', '{"accepted": 1, "rejected": []}'),
    ('PUT', 'ips/:key', 'put_ip', false, 'Make a sending IP, or write it anew', '{"accepted": 1, "rejected": []}'),
    ('POST', 'messages/events', 'put_message_events', true,
     'Store events of messages: one, or an array of at most 1 000; one that comes again changes nothing, campaigns, domains and mailboxes that are not there are made',
     '{"accepted": 2, "rejected": [{"index": 1, "error": "Invalid event"}]}')) AS d (method, rest, function, idempotent, summary, example);

INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, max, choices, error, position, example, summary)
SELECT r.method, r.path, p.name, p.place, p.arg, p.type, p.required, p.min, p.max, p.choices, p.error, p.position, p.example, p.summary
FROM leadanalytics.route r
JOIN (VALUES
    ('', 'workspaceId', 'path', 'workspace_slug', 'workspace', false, NULL::int, NULL::int, NULL::text[], NULL, 0, 'ws_xyz789', 'the workspace''s slug'),
    ('put_campaign', 'key', 'path', 'key', 'text', true, 1, 200, NULL, NULL, 1, 'cmp_abc123', 'what you call it'),
    ('put_campaign', 'name', 'body', 'name', 'text', false, 0, 500, NULL, NULL, 2, 'Q4 Outreach Campaign', 'its name; default: the key'),
    ('put_campaign', 'status', 'body', 'status', 'text', false, NULL, NULL, '{draft,active,sending,paused,completed}', NULL, 3, 'active', 'how it stands; default: not told'),
    ('put_domain', 'key', 'path', 'key', 'text', true, 1, 200, NULL, NULL, 1, 'dom_1', 'what you call it'),
    ('put_domain', 'name', 'body', 'name', 'text', false, 0, 500, NULL, NULL, 2, 'mail.example.com', 'its name; default: the key'),
    ('put_mailbox', 'key', 'path', 'key', 'text', true, 1, 200, NULL, NULL, 1, 'mbx_1', 'what you call it'),
    ('put_mailbox', 'address', 'body', 'address', 'text', false, 0, 320, NULL, NULL, 2, 'ann@mail.example.com', 'its address'),
    ('put_mailbox', 'domain_id', 'body', 'domain_id', 'text', false, 0, 200, NULL, NULL, 3, 'dom_1', 'the key of its domain, which is that of messages from here that name none'),
    ('put_mailbox', 'health_score', 'body', 'health_score', 'number', false, 0, 100, NULL, NULL, 4, '92', 'from 0 to 100; default: reckoned from what it sent'),
    ('put_ip', 'key', 'path', 'key', 'text', true, 1, 200, NULL, NULL, 1, 'ip_1', 'what you call it'),
    ('put_ip', 'address', 'body', 'address', 'ip', true, NULL, NULL, NULL, NULL, 2, '192.0.2.1', 'the address, IPv4 or IPv6'),
    ('put_ip', 'blacklisted', 'body', 'blacklisted', 'boolean', false, NULL, NULL, NULL, NULL, 3, 'false', 'whether a blacklist has it; default: false'),
    ('put_ip', 'checked_at', 'body', 'checked_at', 'timestamp', false, NULL, NULL, NULL, NULL, 4, '2025-11-26T10:00:00Z', 'when blacklists were last asked; default: never'),
    ('put_message_events', 'body', 'document', 'events', 'json', true, NULL, NULL, NULL, 'Invalid request body', 1,
     '[{"message_id": "msg_1", "event": "sent", "event_id": "evt_1", "timestamp": "2025-11-26T10:00:00Z", "campaign_id": "cmp_abc123", "domain_id": "dom_1", "mailbox_id": "mbx_1", '
     '"recipient": "ann@example.com"}, {"message_id": "msg_1", "event": "read"}, {"message_id": "msg_1", "event": "opened", "timestamp": "2025-11-26T10:05:00Z"}]',
     'an event {message_id, event (sent, delivered, bounced, opened, clicked, replied, complained or unsubscribed), event_id, timestamp, campaign_id, domain_id, mailbox_id, sending_ip, '
     'lead_id, recipient, workflow_execution_id, bounce_type (hard or soft), bounce_code, reason, url, user_agent, ip}, or an array of at most 1 000'))
    AS p (of, name, place, arg, type, required, min, max, choices, error, position, example, summary) ON p.of IN ('', substr(r.function, 15))
WHERE r.function IN ('leadanalytics.put_campaign', 'leadanalytics.put_domain', 'leadanalytics.put_mailbox', 'leadanalytics.put_ip', 'leadanalytics.put_message_events');
