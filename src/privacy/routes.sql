-- S5's doors: everything that is kept of a user, and its end.

INSERT INTO leadanalytics.route (method, path, function, family, summary, timeout_ms, open_members, example, builtin) VALUES
    ('GET', '/api/v1/users/:userId/data', 'leadanalytics.user_data', 'public', 'Everything that is kept of a person', 11000,
     '{data.events[].campaign?,data.events[].device?,data.events[].tags?,data.sessions[].campaign?,data.sessions[].device?,data.contact_events[].metadata?}',
     '{"visitor_ids": ["v_abc123"], "user_ids": ["u_def456"], "emails": ["ann@example.com"], "phones": [], "data": { '
     '"visitors": [{"visitor_id": "v_abc123", "email": null, "sessions": 1}], '
     '"users": [{"user_id": "u_def456", "email": null, "alias_of": null}], '
     '"identities": [{"user_id": "u_def456", "visitor_id": "v_abc123", "since": "2026-03-16T14:00:12.123Z"}], '
     '"sessions": [{"session_id": "s_xxx", "visitor_id": "v_abc123", "started_at": "2026-03-16T14:00:12.123Z", "last_seen": "2026-03-16T14:00:12.123Z", '
     '"ended_at": "2026-03-16T14:05:42.000Z", "events": 1, "pageviews": 1, "clicks": 0, "scroll_percent": 0, "returns": 0, "vpn_score": 0, "ip": "198.51.100.7", '
     '"entry_url": "https://acme.com/?utm_source=google", "exit_url": "https://acme.com/?utm_source=google", "referrer": "https://google.com", "campaign": ["google", "cpc", '
     '"spring_sale", null, null, null], "country": "US", "region": "Texas", "city": "Austin", "network": "Example ISP", "user_agent": "Mozilla/5.0 …", "fingerprint": "fp1", '
     '"device": ["d_1", "fp1", "en", "MacIntel", "8", "8", "24", "2"]}], '
     '"events": [{"event_id": "evt_1024", "event_name": "pageview", "at": "2026-03-16T14:00:12.123Z", "received_at": "2026-03-16T14:32:45.000Z", "visitor_id": "v_abc123", '
     '"user_id": "u_def456", "session_id": "s_xxx", "page_url": "https://acme.com/?utm_source=google", "page_title": "Pricing - Acme", "referrer": "https://google.com", '
     '"source": "web", "campaign": ["google", "cpc", "spring_sale", null, null, null], "country": "US", "region": "Texas", "city": "Austin", "user_agent": "Mozilla/5.0 …", '
     '"fingerprint": null, "device": null, "screen_width": 1920, "screen_height": 1080, "tags": ["pricing_page"], "event_data": {}}], '
     '"leads": [{"lead_id": 42, "external_id": null, "enquiry_at": "2026-03-16T14:40:00.000Z", "status": "new", "name": "Ann", "email": "ann@example.com", "phone": null, '
     '"dial_code": null, "project": null, "location": null, "source": null, "country": null, "city": null, "visitor_id": "v_abc123", "session_id": "s_xxx", '
     '"ip": "198.51.100.7", "score": 0, "suspicion": 10, "form_submit_count": 1, "follow_ups_count": 0, "owner_id": null, "team_id": null}], '
     '"submissions": [{"lead_id": 42, "submitted_at": "2026-03-16T14:40:00.000Z", "name": "Ann", "email": "ann@example.com", "phone": null, "project": null, "source": null, '
     '"referer": null, "cta_name": null, "visitor_id": "v_abc123", "session_id": "s_xxx", "ip": "198.51.100.7", "score": 0, "suspicion": 10, "time_to_submit": null, '
     '"payload": {}}], '
     '"status_changes": [{"lead_id": 42, "from": null, "to": "new", "at": "2026-03-16T14:40:00.000Z"}], '
     '"assignments": [{"lead_id": 42, "owner_id": "usr_1", "team_id": "sales", "at": "2026-03-16T15:00:00.000Z"}], '
     '"named_leads": [{"lead_id": "6789abcdef012345"}], '
     '"rejected_posts": [{"list": "blocked", "received_at": "2026-03-16T14:40:00.000Z", "ip": "198.51.100.20", "email": "ann@example.com", "name": "Ann", "phone": null, '
     '"dial_code": null, "project": null, "source": null, "referer": null, "payload": {}}], '
     '"messages": [{"message_id": "msg_001", "campaign": "Spring", "lead_id": "6789abcdef012345", "recipient": "ann@example.com", "workflow_execution_id": null, '
     '"sent_at": "2026-03-16T14:00:00.000Z", "delivered_at": "2026-03-16T14:00:00.000Z", "bounced_at": null, "opened_at": null, "clicked_at": null, "replied_at": null, '
     '"complained_at": null, "unsubscribed_at": null}], '
     '"message_events": [{"message_id": "msg_001", "event": "sent", "at": "2026-03-16T14:00:00.000Z", "lead_id": "6789abcdef012345", "recipient": "ann@example.com", '
     '"workflow_execution_id": null, "url": null, "user_agent": null, "ip": null, "bounce_code": null, "reason": null}], '
     '"contacts": [{"email": "ann@example.com", "name": "Ann", "created_at": "2026-03-16T14:00:00.000Z"}], '
     '"contact_events": [{"event_type": "booking", "at": "2026-03-16T14:00:00.000Z", "room": null, "booking_page": "intro-call", "event_id": null, "metadata": {}}], '
     '"outbox": [{"topic": "lead.captured", "created_at": "2026-03-16T14:40:00.000Z", "body": {}}], '
     '"deliveries": [{"topic": "lead.captured", "webhook": "whk_1", "recipient": null, "subject": null, "body": "{}", "status": "delivered", '
     '"created_at": "2026-03-16T14:00:00.000Z"}], '
     '"stored_answers": [{"route": "PUT /v1/leads/:leadId", "at": "2026-03-16T14:00:00.000Z", "answer": "{}"}], '
     '"exports": [{"export_id": "exp_1", "type": "events", "created_at": "2026-03-16T14:00:00.000Z", "options": {}}], '
     '"listed_ips": [{"ip": "198.51.100.20", "policy": "blocked", "listed_at": "2026-03-16T14:00:00.000Z"}]}}', true),
    ('DELETE', '/api/v1/users/:userId/data', 'leadanalytics.erase_user', 'public', 'Erase a person, or make it anonymous', 11000, '{}',
     '{"mode": "delete", "erased": {"visitors": 1, "users": 1, "identities": 1, "sessions": 1, "events": 1, "leads": 1, "submissions": 1, "status_changes": 1, "assignments": 1, "named_leads": 1, "rejected_posts": 1, "messages": 1, "message_events": 1, "contacts": 1, "contact_events": 1, "outbox": 1, "deliveries": 1, "stored_answers": 1, "exports": 1}}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, lenient, fallback, choices, position, example, summary) VALUES
    ('GET', '/api/v1/users/:userId/data', 'userId', 'path', 'id', 'text', true, false, NULL, NULL, 1, 'u_def456', 'a visitor ID, a user ID or an e-mail address'),
    ('DELETE', '/api/v1/users/:userId/data', 'userId', 'path', 'id', 'text', true, false, NULL, NULL, 1, 'u_def456', 'a visitor ID, a user ID or an e-mail address'),
    ('DELETE', '/api/v1/users/:userId/data', 'mode', 'query', 'mode', 'text', false, false, 'delete', '{delete,anonymise}', 2, 'delete',
     'delete: with all that reports count; anonymise: numbers stay as they are, what says who it was goes');
