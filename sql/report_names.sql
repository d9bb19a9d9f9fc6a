-- What was tracked in the last 30 days (S5-06).
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('names') AS w \gset
SELECT leadanalytics.create_workspace('names-other') AS other \gset
SELECT leadanalytics.event_names(:w, '2026-04-01Z');
SELECT leadanalytics.connect_platform(:w, p, now => at) FROM (VALUES ('meta', timestamptz '2026-01-01Z'), ('google-ads', '2026-01-02Z'), ('tiktok', '2026-01-03Z'),
    ('shopify', '2026-01-04Z'), ('stripe', '2026-01-05Z'), ('hubspot', '2026-01-06Z')) AS v (p, at) WHERE leadanalytics.connect_platform(:w, p, now => at) IS NULL;
-- The document's own example.
SELECT leadanalytics.track(:w, (SELECT json_build_object('events', json_agg(json_build_object('event_name', name, 'source', source, 'visitor_id', 'v'))) FROM (VALUES
    ('pageview', 'web', 5), ('pageview', 'shopify', 2), ('purchase', 'web', 1), ('purchase', 'shopify', 2), ('signup', NULL, 2), ('add_to_cart', 'web', 1), ('add_to_cart', 'a', 1),
    ('payment_intent.succeeded', 'stripe-webhooks', 1), ('scroll', 'web', 1), ('Purchase', 'web', 1), ('refund', 'stripe-webhooks', 1)) AS v (name, source, n), generate_series(1, n)), now => '2026-03-20 12:00Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.track(:w, '{"event_name": "robots", "source": "hubspot"}', user_agent => 'Googlebot/2.1', now => '2026-03-20 12:00Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.track(:other, '{"event_name": "others", "source": "hubspot"}', now => '2026-03-20 12:00Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.put_ads(:w, '[{"date": "2026-03-19", "platform": "google", "account_id": "1", "level": "campaign", "campaign_id": "c", "spend": 1}, {"date": "2026-01-19", "platform": "meta", "account_id": "1", "level": "campaign", "campaign_id": "c", "spend": 1}]');
SELECT * FROM leadanalytics.event_names_rows(:w, '2026-04-01Z');
SELECT * FROM leadanalytics.integrations_rows(:w, '2026-04-01Z');
SELECT leadanalytics.event_names(:w, '2026-04-01Z');
-- Categories of the workspace's own.
SELECT leadanalytics.put_event_categories(:w, '[{"event_name": "Purchase", "category": "conversion"}, {"event_name": "signup", "category": "lead_gen"}]');
SELECT name, category FROM leadanalytics.event_names_rows(:w, '2026-04-01Z') WHERE name IN ('Purchase', 'signup') ORDER BY 1;
-- 30 times 24 hours, both ends included.
SELECT at, count(*) FROM unnest('{2026-03-20 11:59:59Z,2026-03-20 12:00:00Z,2026-04-19 12:00:00Z,2026-04-19 12:00:01Z}'::timestamptz[]) AS at, leadanalytics.event_names_rows(:w, at) GROUP BY 1 ORDER BY 1;
SELECT day, array_agg(provider) FROM unnest('{2026-02-17,2026-02-18,2026-02-19,2026-04-18,2026-04-19}'::timestamptz[]) AS day, leadanalytics.integrations_rows(:w, day) WHERE provider IN ('meta', 'google-ads') GROUP BY 1 ORDER BY 1;

-- A second way, on random events: folded, half folded, from rows.
SELECT setseed(0.25);
DO $$
DECLARE
    w int := (SELECT id FROM leadanalytics.workspace WHERE slug = 'names-other');
    today timestamptz := '2026-05-01Z';
BEGIN
    FOR i IN 1 .. 60 LOOP
        today := today + interval '1 day';
        PERFORM leadanalytics.track(w, (SELECT json_build_object('events', json_agg(json_build_object(
                'event_name', 'n' || floor(random() * random() * 12), 'visitor_id', 'v' || floor(random() * 50),
                'source', (ARRAY['web', 'server', 'shopify', 'stripe-webhooks', NULL])[1 + floor(random() * 5)],
                'timestamp', today - random() * interval '6 days'))) FROM generate_series(1, 40)),
            user_agent => CASE WHEN i % 9 = 0 THEN 'Googlebot/2.1' END, now => today);
    END LOOP;
END
$$;
CREATE FUNCTION public.second_way(at timestamptz) RETURNS TABLE (place bigint, name text, source text, events bigint) LANGUAGE sql AS $$
    WITH e AS (SELECT e.event_name AS name, e.source FROM leadanalytics.events e JOIN leadanalytics.workspace w ON w.id = e.workspace
               WHERE w.slug = 'names-other' AND e.at BETWEEN second_way.at - interval '30 days' AND second_way.at AND NOT e.is_bot)
    SELECT row_number() OVER (ORDER BY count(*) DESC, e.name COLLATE "C"), e.name, mode() WITHIN GROUP (ORDER BY e.source COLLATE "C"), count(*) FROM e GROUP BY e.name
$$;
CREATE FUNCTION public.differences(w int) RETURNS TABLE (at timestamptz, d text) LANGUAGE sql AS $$
    SELECT a.at, d::text FROM generate_series(timestamptz '2026-05-04 03:04:05Z', '2026-07-30Z', interval '9 days 5 hours') AS a (at),
    LATERAL (WITH one AS (SELECT row_number() OVER () AS place, r.name, r.source, r.events FROM leadanalytics.event_names_rows(w, a.at) r), two AS (SELECT * FROM public.second_way(a.at))
             (TABLE one EXCEPT TABLE two) UNION ALL (TABLE two EXCEPT TABLE one)) AS d
$$;
SELECT count(*) > 8 AS names FROM public.second_way('2026-06-01Z');
SELECT count(*) FROM public.differences(:other);
SELECT count(*) > 0 AS "a difference is seen" FROM (SELECT r.name, r.events FROM leadanalytics.event_names_rows(:other, '2026-06-15Z') r EXCEPT SELECT t.name, t.events FROM public.second_way('2026-06-14Z') t) AS d;
SET leadanalytics.segment_events = 10;
SELECT leadanalytics.fold(:other, '2026-08-01Z') > 0 AS folded, leadanalytics.build(:other, '2026-08-01Z') > 0 AS built;
SELECT count(*) FROM public.differences(:other);
SELECT leadanalytics.track(:other, '{"event_name": "n1", "source": "late"}', now => '2026-06-01Z') ->> 'accepted' AS accepted;
SELECT count(*) FROM public.differences(:other);
SET leadanalytics.exact = on;
SELECT count(*) FROM public.differences(:other);
RESET leadanalytics.exact;
SELECT count(*) FROM leadanalytics.reconcile(:other, '-infinity', 'infinity');
SELECT leadanalytics.event_names(0);
DROP FUNCTION public.differences(int), public.second_way(timestamptz);
DELETE FROM leadanalytics.ledger WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.event WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.segment WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.bucket WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.ad_figure WHERE workspace = :w;
DELETE FROM leadanalytics.session WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.session_ledger WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.workspace WHERE id IN (:w, :other);
