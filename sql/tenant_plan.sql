-- Plans, platforms, and what a workspace used in a month (D-74, S5-13, S5-14).
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT leadanalytics.create_workspace('plan', 'My Site', 'America/Chicago', domain => 'example.com') AS w \gset
SELECT leadanalytics.create_workspace('plan-other') AS other \gset
UPDATE leadanalytics.workspace SET created_at = '2025-11-20 15:30:00.9Z' WHERE id = :w;

-- S5-13
SELECT leadanalytics.workspace_profile(:w);
SELECT leadanalytics.connect_platform(:w, 'meta', now => '2026-01-01Z'), leadanalytics.connect_platform(:w, 'google-ads', 'error', now => '2026-01-02Z'),
       leadanalytics.connect_platform(:w, 'ahrefs', now => '2026-01-03Z');
SELECT leadanalytics.set_platform_status(:w, 'google-ads', 'active'), leadanalytics.disconnect_platform(:w, 'ahrefs');
SELECT leadanalytics.put_platforms(:w, '[{"provider": "stripe"}, {"provider": "shopify", "status": "paused"}, {"provider": "shopify", "status": "active"}, {"provider": "No"}, {"provider": 1},
    {}, [], {"provider": "x", "status": "Not Good"}, {"provider": "x", "status": null}]', now => '2026-01-04Z');
SELECT leadanalytics.workspace_profile(:w);
SELECT provider, status, connected_at FROM leadanalytics.platforms WHERE workspace IN (:w, :other);
SELECT leadanalytics.put_platforms(:w, '"x"');
SELECT leadanalytics.set_platform_status(:w, 'ahrefs', 'active');
SELECT leadanalytics.set_platform_status(:w, 'meta', 'Bad');
SELECT leadanalytics.disconnect_platform(:other, 'meta');

-- Plans.
SELECT name, events_limit, postbacks_limit, features FROM leadanalytics.plans WHERE builtin;
SELECT leadanalytics.create_plan('growth_plan', 100000, 5000);
INSERT INTO leadanalytics.route (method, path, function, summary, feature) VALUES ('GET', '/test-plan', 'leadanalytics.health', 'test', 'test_feature');
SELECT leadanalytics.create_plan('small', 0, 10, '{test_feature}');
SELECT leadanalytics.create_plan('small', 3, 20, '{}');
SELECT * FROM leadanalytics.plans WHERE name IN ('growth_plan', 'small') ORDER BY name;
SELECT leadanalytics.create_plan('default', 1);
SELECT leadanalytics.create_plan('no name');
SELECT leadanalytics.create_plan('less', -1);
SELECT leadanalytics.create_plan('more', features => '{no_such_feature}');
SELECT leadanalytics.create_plan('more', features => '{NULL}');
SELECT leadanalytics.set_plan(:w, 'growth_plan');
SELECT leadanalytics.set_plan(:w, 'never');
SELECT leadanalytics.set_plan(:w, 'small', -1);
SELECT leadanalytics.set_plan(0, 'small');
SELECT leadanalytics.drop_plan('growth_plan');
SELECT leadanalytics.drop_plan('default'), leadanalytics.drop_plan('never');
SELECT slug, plan FROM leadanalytics.workspaces WHERE id IN (:w, :other) ORDER BY id;

-- S5-14
SELECT leadanalytics.usage(:w, '2026-02-28 23:59:59.999Z');
SELECT leadanalytics.usage(:other, '2026-03-01Z');
SELECT * FROM leadanalytics.usage_rows(:other, '2026-03-01Z');
SELECT leadanalytics.set_plan(:w, 'growth_plan', 7, 9);
SELECT leadanalytics.usage(:w, '2024-02-01Z');
SELECT leadanalytics.set_plan(:w, NULL);
SELECT leadanalytics.usage(:w, '2024-02-01Z');

-- What counts: pageviews and custom events; not kind auto, duplicates, what is rejected, robots, imports, starts of sessions.
SELECT leadanalytics.track(:w, '{"events": [{"event_name": "page_view", "visitor_id": "a", "event_id": "e1"}, {"event_name": "purchase", "visitor_id": "a", "event_id": "e2"},
    {"event_name": "scroll", "visitor_id": "a"}, {"event_name": "$identify", "visitor_id": "a", "user_id": "u"}, {"event_name": "page_view", "event_id": "e1"}, {"visitor_id": "a"}]}', now => '2026-02-10Z');
SELECT leadanalytics.track(:w, '{"event_name": "page_view", "event_id": "e1"}', now => '2026-02-10Z') ->> 'duplicates' AS duplicates;
SELECT leadanalytics.track(:w, '{"event_name": "page_view"}', user_agent => 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', now => '2026-02-10Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.import_csv(:w, 'history', 'event_name,visitor_id,timestamp', 2, '{"page_view,v3,2026-02-05T12:00:00Z"}') ->> 'accepted' AS accepted;
SELECT leadanalytics.track_session_start(:w, '{"fingerprint_id": "f", "page": "/"}', now => '2026-02-10Z') IS NOT NULL AS started;
SELECT events_used FROM leadanalytics.usage_rows(:w, '2026-02-11Z');
-- Received in a month: of that month, whatever its own time.
SELECT leadanalytics.track(:w, '{"event_name": "page_view", "timestamp": "2026-02-27T12:00:00Z"}', now => '2026-03-01Z') ->> 'accepted' AS accepted;
SELECT month.at, u.events_used FROM unnest('{2026-01-31 23:59:59.999999Z,2026-02-01Z,2026-02-28 23:59:59Z,2026-03-01Z,2026-03-31 23:59:59Z,2026-04-01Z}'::timestamptz[]) AS month (at), leadanalytics.usage_rows(:w, month.at) u;
-- The same once folded.
SELECT leadanalytics.fold(:w, '2026-03-02Z') > 0 AS folded;
SELECT month, events, postbacks FROM leadanalytics.usage_month WHERE workspace = :w ORDER BY month;
SELECT leadanalytics.track(:w, '{"event_name": "page_view"}', now => '2026-03-02Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.fold(:w, '2026-03-02Z'), (SELECT events_used FROM leadanalytics.usage_rows(:w, '2026-03-02Z'));
SELECT leadanalytics.count_postbacks(:w, 2, '2026-03-31 23:59Z'), leadanalytics.count_postbacks(:w, 3, '2026-03-01Z');
SELECT leadanalytics.usage(:w, '2026-03-02Z');
SELECT events_used, postbacks_used FROM leadanalytics.usage_rows(:other, '2026-03-02Z');

-- A second way: of many batches, folded or not.
SELECT setseed(0.5);
DO $$
DECLARE
    w int := (SELECT id FROM leadanalytics.workspace WHERE slug = 'plan-other');
BEGIN
    FOR i IN 1 .. 60 LOOP
        PERFORM leadanalytics.track(w, (SELECT json_build_object('events', json_agg(json_build_object('event_id', 'r' || floor(random() * 500),
                'event_name', (ARRAY['page_view', '$pageview', 'click', 'buy', '$auto', 'page_visit', ''])[1 + floor(random() * 7)], 'visitor_id', 'v' || floor(random() * 20),
                'timestamp', timestamptz '2026-05-01Z' + (random() - 0.5) * interval '10 days'))) FROM generate_series(1, 1 + floor(random() * 30)::int)),
            user_agent => CASE WHEN random() < 0.2 THEN 'Googlebot/2.1' END, now => timestamptz '2026-05-01Z' + (random() - 0.5) * interval '90 days');
        IF i % 7 = 0 THEN
            PERFORM leadanalytics.fold(w, '2026-06-01Z');
        END IF;
    END LOOP;
END
$$;
CREATE VIEW public.usage_second_way AS
SELECT date_trunc('month', e.received_at, 'UTC') AS month, count(*) AS n FROM leadanalytics.event e
WHERE e.workspace = (SELECT id FROM leadanalytics.workspace WHERE slug = 'plan-other') AND e.kind IN ('p', 'c') AND NOT e.is_bot GROUP BY 1;
CREATE VIEW public.usage_first_way AS
SELECT u.period_start, u.events_used FROM leadanalytics.workspace w, generate_series(timestamptz '2026-03-15Z', '2026-06-15Z', interval '1 month') AS m (at),
     leadanalytics.usage_rows(w.id, m.at) u WHERE w.slug = 'plan-other' AND u.events_used > 0;
SELECT count(*) > 2 AS months, sum(n) > 100 AS many FROM public.usage_second_way;
SELECT count(*) > 0 AS unfolded FROM leadanalytics.ledger WHERE workspace = :other;
(TABLE public.usage_first_way EXCEPT TABLE public.usage_second_way) UNION ALL (TABLE public.usage_second_way EXCEPT TABLE public.usage_first_way);
SELECT leadanalytics.fold(:other, '2026-06-01Z') > 0 AS folded;
(TABLE public.usage_first_way EXCEPT TABLE public.usage_second_way) UNION ALL (TABLE public.usage_second_way EXCEPT TABLE public.usage_first_way);

-- leadanalytics.enforce_limits
SELECT leadanalytics.set_plan(:w, 'small');
SELECT leadanalytics.track(:w, '{"event_name": "page_view"}', now => '2026-07-01Z') ->> 'accepted' AS accepted FROM generate_series(1, 4);
SET leadanalytics.enforce_limits = on;
SELECT leadanalytics.track(:w, '{"event_name": "page_view"}', now => '2026-07-31 23:59:30Z');
\set VERBOSITY verbose
SELECT leadanalytics.track(:w, '{"event_name": "page_view"}', now => '2026-07-31 23:59:30Z');
SELECT leadanalytics.track(:w, '{"event_name": "scroll"}', now => '2026-07-20Z');
\set VERBOSITY terse
SELECT leadanalytics.track(:w, '{"events": [{"event_name": "page_view"}, {"event_name": "page_view"}, {"event_name": "scroll"}]}', now => '2026-08-01Z') ->> 'accepted' AS "a new month";
SELECT leadanalytics.track(:w, '{"events": [{"event_name": "page_view"}, {"event_name": "page_view"}]}', now => '2026-08-01Z') ->> 'accepted' AS "a batch is not split";
SELECT leadanalytics.track(:w, '{"event_name": "page_view"}', now => '2026-08-01Z');
SELECT leadanalytics.set_plan(:w, 'small', 5);
SELECT leadanalytics.track(:w, '{"event_name": "page_view"}', now => '2026-08-01Z') ->> 'accepted' AS "a limit of its own";
SELECT leadanalytics.track(:w, '{"event_name": "page_view"}', now => '2026-08-01Z');
SELECT leadanalytics.track(:other, '{"event_name": "page_view"}', now => '2026-08-01Z') ->> 'accepted' AS "no limit";
RESET leadanalytics.enforce_limits;
SELECT leadanalytics.track(:w, '{"event_name": "page_view"}', now => '2026-08-01Z') ->> 'accepted' AS overage;
SELECT events_used, events_limit FROM leadanalytics.usage_rows(:w, '2026-08-01Z');
SELECT leadanalytics.set_plan(:w, 'default'), leadanalytics.drop_plan('small'), leadanalytics.drop_plan('growth_plan');
DELETE FROM leadanalytics.route WHERE path = '/test-plan';
DROP VIEW public.usage_first_way, public.usage_second_way;
DELETE FROM leadanalytics.ledger WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.event WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.session WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.session_ledger WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.import WHERE workspace = :w;
DELETE FROM leadanalytics.workspace WHERE id IN (:w, :other);
