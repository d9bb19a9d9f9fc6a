-- The tracker's doors: T1 to T4.

CREATE FUNCTION leadanalytics.track_session_start(
    workspace int DEFAULT NULL, body json DEFAULT NULL, origin text DEFAULT NULL, referer text DEFAULT NULL,
    client_ip inet DEFAULT NULL, user_agent text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE c VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'la_track_session_start';
COMMENT ON FUNCTION leadanalytics.track_session_start(int, json, text, text, inet, text, timestamptz) IS
    'start a session: {fingerprint_id*, page*, visitor_id, referrer, device_info, screen} → {session_id, visitor_id, device_id, timestamp (Unix ms)}; '
    'visitor_id, when not sent, is the SHA-256 of "visitor:" and the fingerprint, device_id that of "device:", agent, "|" and fingerprint';
GRANT EXECUTE ON FUNCTION leadanalytics.track_session_start(int, json, text, text, inet, text, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.track_event(
    workspace int DEFAULT NULL, body json DEFAULT NULL, origin text DEFAULT NULL, referer text DEFAULT NULL,
    client_ip inet DEFAULT NULL, user_agent text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE c VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'la_track_event';
COMMENT ON FUNCTION leadanalytics.track_event(int, json, text, text, inet, text, timestamptz) IS
    'store one event of a session: {session_id*, event_type*, visitor_id, page, x, y, scroll_percent, element, timestamp} → {event_id, timestamp (Unix ms)}';
GRANT EXECUTE ON FUNCTION leadanalytics.track_event(int, json, text, text, inet, text, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.track_events(
    workspace int DEFAULT NULL, body json DEFAULT NULL, origin text DEFAULT NULL, referer text DEFAULT NULL,
    client_ip inet DEFAULT NULL, user_agent text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE c VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'la_track_events';
COMMENT ON FUNCTION leadanalytics.track_events(int, json, text, text, inet, text, timestamptz) IS
    'store 1 to 100 events of a session: {session_id*, events*: as for track_event()} → {accepted, timestamp (Unix ms)}; an event that is wrong is left out';
GRANT EXECUTE ON FUNCTION leadanalytics.track_events(int, json, text, text, inet, text, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.track_session_end(
    workspace int DEFAULT NULL, body json DEFAULT NULL, origin text DEFAULT NULL, referer text DEFAULT NULL,
    client_ip inet DEFAULT NULL, user_agent text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE c VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'la_track_session_end_by_client';
COMMENT ON FUNCTION leadanalytics.track_session_end(int, json, text, text, inet, text, timestamptz) IS
    'end a session: {session_id*, exit_page, visitor_id, timestamp} → {session_id, ended_at (Unix ms)}; one that had ended keeps its end; 404 for an unknown one';
GRANT EXECUTE ON FUNCTION leadanalytics.track_session_end(int, json, text, text, inet, text, timestamptz) TO leadanalytics_write;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, idempotent, rate_class, summary, example, builtin) VALUES
    ('POST', '/track/session/start', 'leadanalytics.track_session_start', 'dashboard', '{public,admin}', true, true, 'track', 'Start a session',
     '{"session_id": "6f1c…", "visitor_id": "9a3b…", "device_id": "c0de…", "timestamp": 1771845300000}', true),
    ('POST', '/track/event', 'leadanalytics.track_event', 'dashboard', '{public,admin}', true, true, 'track', 'Store an event of a session',
     '{"event_id": "evt_1024", "timestamp": 1771845300000}', true),
    ('POST', '/track/events/batch', 'leadanalytics.track_events', 'dashboard', '{public,admin}', true, true, 'track', 'Store 1 to 100 events of a session',
     '{"accepted": 12, "timestamp": 1771845300000}', true),
    ('POST', '/track/session/end', 'leadanalytics.track_session_end', 'dashboard', '{public,admin}', true, true, 'track', 'End a session',
     '{"session_id": "6f1c…", "ended_at": 1771845380000}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, error, example, summary) VALUES
    ('POST', '/track/session/start', 'body', 'document', 'body', 'json', true, 'Invalid request body',
     '{"fingerprint_id": "fp1", "page": "https://example.com/", "referrer": "https://google.com/", "device_info": {"user_agent": "Mozilla/5.0 …", "language": "en", "platform": "MacIntel", "hardware_concurrency": 8, "device_memory": 8}, "screen": {"width": 1920, "height": 1080, "color_depth": 24, "pixel_ratio": 2}}',
     'fingerprint_id and page are required'),
    ('POST', '/track/event', 'body', 'document', 'body', 'json', true, 'Invalid request body',
     '{"session_id": "6f1c…", "event_type": "scroll", "page": "https://example.com/", "scroll_percent": 60, "timestamp": 1771845300000}',
     'session_id and event_type (page_view, scroll, click, mousemove, navigation, visibility_change) are required'),
    ('POST', '/track/events/batch', 'body', 'document', 'body', 'json', true, 'Invalid request body',
     '{"session_id": "6f1c…", "events": [{"event_type": "page_view", "page": "https://example.com/"}, {"event_type": "click", "x": 10, "y": 20, "element": "a.buy"}]}',
     'session_id and events (1 to 100) are required'),
    ('POST', '/track/session/end', 'body', 'document', 'body', 'json', true, 'Invalid request body',
     '{"session_id": "6f1c…", "exit_page": "https://example.com/thank-you", "timestamp": 1771845380000}', 'session_id is required');
