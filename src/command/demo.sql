-- The workspace that `up` makes for a first try: a site, a member, one key of each kind, some visits, two campaigns and
-- the leads they were sent to, and a saved report. It takes public posts that name no workspace. Prints "role key", one a line.
\set ON_ERROR_STOP on
SELECT count(*) = 1 AS there FROM leadanalytics.workspace WHERE slug = 'demo' \gset
\if :there
    -- The file with the keys is lost: new ones, the old stay valid.
    SELECT id AS demo FROM leadanalytics.workspace WHERE slug = 'demo' \gset
    SELECT id AS owner FROM leadanalytics.member WHERE workspace = :demo ORDER BY id LIMIT 1 \gset
\else
    SELECT leadanalytics.create_workspace('demo', 'Demo', domain => 'demo.example',
        is_default => NOT EXISTS (SELECT FROM leadanalytics.workspace WHERE is_default)) AS demo \gset
    SELECT leadanalytics.create_site(:demo, 'demo-site', domains => '{demo.example}') AS site \gset
    SELECT leadanalytics.create_member(:demo, 'owner@demo.example', 'owner') AS owner \gset
    SELECT leadanalytics.create_report(:demo, 'Weekly funnel', '/v1/analytics/funnel', '{"windowDays": 14}', 'last_7_days', format => 'html') AS report \gset
\endif

SELECT role, leadanalytics.create_key(:demo, role, name => 'demo ' || role, member => CASE WHEN role = 'member' THEN :owner END)
FROM unnest('{admin,marketing,capture,sdk,agent,live,sandbox,member,tenant}'::text[]) AS role;

-- 12 visits of 8 visitors in the six days before now, 4 events each: always the same shape. Prints nothing.
SELECT leadanalytics.track(:demo, json_build_object('events', json_agg(json_build_object(
           'event_id', md5(format('demo %s %s', visit, step))::uuid,
           'event_name', CASE step WHEN 3 THEN 'scroll' WHEN 4 THEN 'cta_click' ELSE 'page_view' END,
           'visitor_id', 'demo-visitor-' || visit % 8,
           'session_id', 'demo-session-' || visit,
           'timestamp', now() - interval '11 hours' * visit + interval '25 seconds' * step,
           'event_data', json_build_object(
               'url', 'https://demo.example' || (ARRAY['/', '/pricing', '/projects', '/contact'])[1 + (visit + CASE WHEN step = 1 THEN 0 ELSE 1 END) % 4],
               'referrer', (ARRAY['https://www.google.com/', '', 'https://news.example/'])[1 + visit % 3],
               'scroll_percent', CASE step WHEN 3 THEN 10 * (1 + visit % 9) END)) ORDER BY visit, step)))->>'accepted' AS accepted
FROM generate_series(1, 12) AS visit, generate_series(1, 4) AS step \gset

-- Two campaigns, 100 messages each over the ten days before now, and what became of them.
SELECT leadanalytics.put_campaigns(:demo, '[{"key": "spring", "name": "Spring news", "status": "active"}, {"key": "launch", "name": "Product launch", "status": "completed"}]')->>'accepted' AS accepted \gset
SELECT leadanalytics.put_ips(:demo, json_build_object('key', 'ip_1', 'address', '192.0.2.1', 'checked_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))->>'accepted' AS accepted \gset
SELECT leadanalytics.put_message_events(:demo, json_agg(json_build_object(
           'message_id', 'demo-message-' || n, 'event', e.event, 'campaign_id', (ARRAY['spring', 'launch'])[1 + n % 2], 'domain_id', 'mail.demo.example',
           'mailbox_id', 'hello@demo.example', 'lead_id', 'demo-lead-' || n % 40, 'reason', e.reason, 'url', e.url,
           'timestamp', to_char((now() - interval '1 day' - n * interval '65 minutes' + e.after) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) ORDER BY n, e.after))->>'accepted' AS accepted
FROM generate_series(1, 200) AS n,
     LATERAL (VALUES ('sent', interval '0', NULL, NULL, true), ('bounced', '3 seconds', 'Mailbox full', NULL, n % 40 = 0), ('opened', '20 minutes', NULL, NULL, n % 3 = 0 AND n % 40 <> 0),
                     ('clicked', '22 minutes', NULL, 'https://demo.example/pricing', n % 12 = 0 AND n % 40 <> 0), ('replied', '50 minutes', NULL, NULL, n % 36 = 0 AND n % 40 <> 0))
         AS e (event, after, reason, url, happened)
WHERE e.happened \gset

-- The leads they went to: how far each is, and who works on it.
SELECT leadanalytics.put_team(:demo, 'sales', 'Sales', '["ada", "grace"]') AS team \gset
SELECT count(leadanalytics.put_engagement_lead(:demo, 'demo-lead-' || n, name => 'Lead ' || n, email => format('lead%s@demo.example', n), source => (ARRAY['website', 'referral', 'fair'])[1 + n % 3],
           owner_id => (ARRAY['ada', 'grace'])[1 + n % 2], team_id => 'sales', created_at => now() - interval '10 days' - n * interval '5 hours',
           now => now() - interval '9 days' - n * interval '5 hours')) AS leads
FROM generate_series(0, 39) AS n \gset
SELECT count(leadanalytics.patch_engagement_lead(:demo, 'demo-lead-' || n, status => s.status, now => now() - interval '9 days' - n * interval '5 hours' + s.after)) AS changes
FROM generate_series(0, 39) AS n,
     LATERAL (VALUES ('contacted', interval '3 hours', n % 4 <> 3), ('qualified', '2 days', n % 4 IN (0, 1)), ('converted', '5 days', n % 8 = 0), ('lost', '4 days', n % 8 = 5))
         AS s (status, after, happened)
WHERE s.happened \gset
