-- What README's page on BI tools says: a log-in with leadanalytics_read and one workspace granted to it.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'Europe/Vienna';
SELECT leadanalytics.create_workspace('bi', 'BI') AS w \gset
SELECT leadanalytics.create_workspace('bi-other', 'Other') AS other \gset
SELECT leadanalytics.track(:w, '{"events": [
    {"event_name": "page_view", "visitor_id": "a", "session_id": "bi1", "timestamp": "2026-05-01T22:30:00Z", "event_data": {"url": "https://shop.example/", "referrer": "https://www.google.com/"}},
    {"event_name": "signup", "visitor_id": "a", "session_id": "bi1", "timestamp": "2026-05-01T22:31:00Z"}]}', now => '2026-05-01 23:00Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.track(:other, '{"event_name": "page_view", "visitor_id": "a"}') ->> 'accepted' AS accepted;
CREATE ROLE regress_metabase LOGIN;
GRANT leadanalytics_read TO regress_metabase;
SELECT leadanalytics.grant_workspace(:w, 'regress_metabase');

SET SESSION AUTHORIZATION regress_metabase;
SELECT slug, leadanalytics.may(id) FROM leadanalytics.workspaces;
SELECT leadanalytics.may(:other) AS other;
-- tiles
SELECT * FROM leadanalytics.overview_rows(:w, '2026-05-02 12:00Z');
SELECT r.date, r.total_sessions, r.unique_visitors FROM leadanalytics.daily_sessions_rows(:w, 365, '2026-05-02 12:00Z') r;
SELECT * FROM leadanalytics.top_pages_rows(:w, 10);
SELECT * FROM leadanalytics.geo_distribution_rows(:w);
SELECT * FROM leadanalytics.engagement_distribution_rows(:w, '2026-05-02 12:00Z');
SELECT * FROM leadanalytics.traffic_sources_rows(:w, 10);
SELECT * FROM leadanalytics.realtime_rows(:w, '2026-05-01 23:00Z');
SELECT * FROM leadanalytics.storage_rows(:w);
SELECT * FROM leadanalytics.anomalies_rows(:w, 7, '2026-05-02 12:00Z');
SELECT w.slug, r.total_sessions FROM leadanalytics.workspaces w, leadanalytics.overview_rows(w.id, '2026-05-02 12:00Z') r ORDER BY w.slug;
-- questions of one's own
SELECT date_trunc('day', e.at) AS day, count(DISTINCT e.visitor_id) AS visitors
FROM leadanalytics.events e
WHERE e.workspace = :w AND e.event_name = 'signup' AND e.at >= '2026-05-01' AND NOT e.is_bot
GROUP BY 1 ORDER BY 1;
SELECT leadanalytics.host_of(s.referrer) AS source, count(*) AS sessions, sum(s.pageviews) AS pages
FROM leadanalytics.sessions s WHERE s.workspace = :w GROUP BY 1;
-- not another's, no table, nothing but reading
SELECT count(*) AS workspaces FROM (SELECT workspace FROM leadanalytics.events UNION SELECT workspace FROM leadanalytics.sessions) AS w;
SELECT * FROM leadanalytics.daily_sessions_rows(:other);
SELECT count(*) FROM leadanalytics.event;
SELECT * FROM leadanalytics.facts(:other, 'total', '-infinity', 'infinity', now(), true);
SELECT leadanalytics.track(:w, '{"event_name": "page_view"}');
RESET SESSION AUTHORIZATION;
SELECT leadanalytics.revoke_workspace(:w, 'regress_metabase');
SET SESSION AUTHORIZATION regress_metabase;
SELECT count(*) AS workspaces FROM leadanalytics.workspaces;
RESET SESSION AUTHORIZATION;
DROP ROLE regress_metabase;
