-- S1-01 overview, exact from rows; what reports share.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT leadanalytics.create_workspace('report', 'Report') AS w \gset
SELECT leadanalytics.create_workspace('report-other', 'Other') AS other \gset
-- S1-01 an empty workspace is zeros
SELECT leadanalytics.overview(:w);
-- two complete sessions, one open as seen at 12:00, a visitor with two, an event of nobody, another workspace's
SELECT leadanalytics.track(:w, '{"events": [
    {"event_name": "page_view", "visitor_id": "a", "fingerprint_id": "f1", "session_id": "s1", "timestamp": "2026-05-01T08:00:00Z"},
    {"event_name": "scroll", "visitor_id": "a", "session_id": "s1", "timestamp": "2026-05-01T08:00:30Z", "event_data": {"scroll_percent": 50}},
    {"event_name": "click", "visitor_id": "a", "session_id": "s1", "timestamp": "2026-05-01T08:00:40Z"},
    {"event_name": "click", "visitor_id": "a", "session_id": "s1", "timestamp": "2026-05-01T08:00:50Z"},
    {"event_name": "click", "visitor_id": "a", "session_id": "s1", "timestamp": "2026-05-01T08:01:00Z"},
    {"event_name": "page_view", "visitor_id": "a", "session_id": "s2", "timestamp": "2026-05-01T09:30:00Z"},
    {"event_name": "page_view", "visitor_id": "a", "session_id": "s2", "timestamp": "2026-05-01T09:30:11Z"},
    {"event_name": "page_view", "visitor_id": "b", "fingerprint_id": "f1", "session_id": "s3", "timestamp": "2026-05-01T11:40:00Z"},
    {"event_name": "page_view", "visitor_id": "b", "session_id": "s3", "timestamp": "2026-05-01T11:59:00Z"},
    {"event_name": "payment"}
]}', now => '2026-05-01 12:00:00Z') ->> 'accepted';
SELECT leadanalytics.track(:other, '{"event_name": "page_view", "visitor_id": "a"}') ->> 'accepted';
-- L5: 60 s, 50 %, 3 clicks: 24; 11 s, one return: 1 + 5; mean 15; (60 + 11) / 2 = 35.5 s rounds up
SELECT leadanalytics.overview(:w, '2026-05-01 12:00:00Z');
-- D-04 the third is complete once it is idle, with nobody having closed it: (24 + 6 + 35) / 3; (60 + 11 + 1140) / 3
SELECT leadanalytics.overview(:w, '2026-05-01 12:59:00Z') ->> 'avg_session_duration_s' AS open,
       leadanalytics.overview(:w, '2026-05-01 12:59:01Z') AS closed;
SELECT leadanalytics.close_idle(:w, '2026-05-01 12:59:01Z');
SELECT leadanalytics.overview(:w, '2026-05-01 12:59:01Z');
-- D-76 bots are left out
SELECT leadanalytics.track(:w, '{"event_name": "page_view", "visitor_id": "bot", "session_id": "bot", "fingerprint_id": "f9"}',
    user_agent => 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', now => '2026-05-01 12:30:00Z') ->> 'accepted' AS accepted;
SELECT e.is_bot, e.session_id, (SELECT count(*) FROM leadanalytics.sessions s WHERE s.workspace = :w AND s.session_id = 'bot') AS sessions
FROM leadanalytics.events e WHERE e.workspace = :w AND e.visitor_id = 'bot';
SELECT leadanalytics.overview(:w, '2026-05-01 12:59:01Z');
-- and brought back when asked for; they make no sessions
SELECT leadanalytics.overview(:w, '2026-05-01 12:59:01Z', true);
-- D-01 the same in every time zone
SET timezone = 'Asia/Kolkata';
SELECT leadanalytics.overview(:w, '2026-05-01 12:59:01Z');
SET timezone = 'America/New_York';
SELECT leadanalytics.overview(:w, '2026-05-01 12:59:01Z');
-- another workspace's is not there
SELECT * FROM leadanalytics.overview_rows(:w + 1000);

-- S1-06 hosts of referrers
SELECT u.url, leadanalytics.host_of(u.url)
FROM unnest(ARRAY[
    'https://www.Google.com/search?q=a', 'http://google.com', 'HTTPS://NEWS.google.com:8443/x', 'https://user:pass@example.com/', '//cdn.example/x',
    'google.com', 'www.google.com/search', 'google.com:80', ' https://padded.example/ ', 'https://example.com.', 'https://example.com?x', 'https://example.com#x',
    'android-app://com.google.android.gm/', 'https://[2001:DB8::1]:8080/', 'http://localhost:3000/', 'http://192.0.2.1/', 'https://www.com/', 'https://www./', 'https://wwwx.example/',
    'https://münchen.example/', 'https://MÜNCHEN.example/', 'https://a_b.example/', 'https://x.example\y', 'https://x.example@evil.example/',
    'https://', 'https:///path', '/path', '/path.html', 'localhost', 'about:blank', 'mailto:a@b.example', 'javascript:alert(1)', 'no host', 'https://a b/', '-', '', '.', '..', 'a..b', NULL]) WITH ORDINALITY AS u (url, n)
ORDER BY u.n;
