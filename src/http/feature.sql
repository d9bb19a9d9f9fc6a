-- Which feature of a plan opens which route of the public family; all others every plan opens: its workspace must
-- see which plan it has, and what it used.

UPDATE leadanalytics.route r SET feature = f.feature
FROM (VALUES
    ('/api/v1/overview', 'overview'),
    ('/api/v1/traffic', 'traffic'),
    ('/api/v1/devices', 'devices'),
    ('/api/v1/locations', 'locations'),
    ('/api/v1/events', 'events'),
    ('/api/v1/event-names', 'event_names'),
    ('/api/v1/realtime', 'realtime'),
    ('/api/v1/attribution', 'attribution'),
    ('/api/v1/users', 'users'),
    ('/api/v1/users/:userId', 'users'),
    ('/api/v1/ads', 'ads'),
    ('/api/v1/tags', 'tags')) AS f (path, feature)
WHERE r.path = f.path AND r.method = 'GET' AND r.builtin;
