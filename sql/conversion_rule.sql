-- Conversion rules: what ad platforms are told of (D-74), and the doors of room conversion.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT leadanalytics.create_workspace('rules', currency => 'EUR') AS w \gset
SELECT leadanalytics.create_workspace('rules-none') AS other \gset
CREATE VIEW public.told AS SELECT o.id, w.slug, o.topic, o.created_at, o.body FROM leadanalytics.outbox o JOIN leadanalytics.workspace w ON w.id = o.workspace WHERE w.slug LIKE 'rules%';

-- Without rules nothing is told; and nobody else's rules are ours.
SELECT leadanalytics.track(:w, '{"event_name": "purchase"}', now => '2026-02-01Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.put_conversion_rule(:w, 'meta purchases', 'purchase', 'meta', 'Purchase', 'order.total');
SELECT leadanalytics.track(:other, '{"event_name": "purchase"}', now => '2026-02-01Z') ->> 'accepted' AS accepted;
SELECT count(*) FROM public.told;

-- The whole body; only what is new, and no robot's.
SELECT leadanalytics.track(:w, '{"events": [
    {"event_id": "11111111-1111-4111-8111-111111111111", "event_name": "page_view", "visitor_id": "v", "session_id": "s", "timestamp": "2026-02-01T11:00:00Z",
     "event_data": {"url": "https://shop.example/?utm_source=fb&utm_medium=paid&utm_campaign=spring&fbclid=IwAR-1_x&a=1"}},
    {"event_id": "22222222-2222-4222-8222-222222222222", "event_name": "purchase", "visitor_id": "v", "session_id": "s", "user_id": "u", "timestamp": "2026-02-01T11:30:00.5Z",
     "event_data": {"url": "https://shop.example/thanks", "order": {"total": "99.50"}, "currency": "usd", "value": 1}}]}', now => '2026-02-01 12:00Z') ->> 'accepted' AS accepted;
SELECT slug, topic, created_at, body FROM public.told ORDER BY id;
SELECT leadanalytics.track(:w, '{"events": [{"event_id": "22222222-2222-4222-8222-222222222222", "event_name": "purchase", "timestamp": "2026-02-01T11:30:00.5Z"},
    {"event_name": ""}]}', now => '2026-02-01 12:00Z') ->> 'duplicates' AS duplicates;
SELECT leadanalytics.track(:w, '{"event_name": "purchase"}', user_agent => 'Googlebot/2.1', now => '2026-02-01 12:00Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.import_csv(:w, 'history', 'event_name,visitor_id,timestamp', 2, '{"purchase,v3,2026-02-05T12:00:00Z"}') ->> 'accepted' AS accepted;
SELECT count(*) FROM public.told;
-- A batch that has a known one among new ones is written twice, and tells once.
SELECT leadanalytics.track(:w, '{"events": [{"event_id": "22222222-2222-4222-8222-222222222222", "event_name": "purchase", "timestamp": "2026-02-01T11:30:00.5Z"},
    {"event_name": "purchase", "event_id": "e3", "timestamp": "2026-02-01T11:31:00Z", "event_data": {"order": {"total": 5}}}, {"event_name": "purchase", "timestamp": "2026-01-31T11:31:00Z"}]}', now => '2026-02-01 12:00Z');
SELECT body ->> 'timestamp' AS at, body ->> 'value' AS value, body ->> 'currency' AS currency, body ->> 'visitor_id' AS visitor FROM public.told WHERE id > (SELECT min(id) FROM public.told) ORDER BY id;
DELETE FROM leadanalytics.outbox WHERE workspace = :w;
-- In the same transaction, or not at all.
BEGIN;
SELECT leadanalytics.track(:w, '{"event_name": "purchase"}', now => '2026-02-01Z') ->> 'accepted' AS accepted;
SELECT count(*) FROM public.told;
ROLLBACK;
SELECT count(*) FROM public.told;

-- Several rules of one event; values; rules change between events.
SELECT leadanalytics.put_conversion_rules(:w, '[{"name": "tiktok", "trigger_event": "purchase", "platform": "tiktok", "platform_event": "CompletePayment"},
    {"name": "lead", "trigger_event": "lead", "platform": "google", "platform_event": "lead", "value_path": "a.0", "active": true}, {"name": "off", "trigger_event": "lead", "platform": "x", "platform_event": "y", "active": false},
    {"name": "last wins", "trigger_event": "a", "platform": "x", "platform_event": "y"}, {"name": "last wins", "trigger_event": "b", "platform": "x", "platform_event": "y"},
    {"name": "no platform", "trigger_event": "a", "platform_event": "y"}, {"name": "bad", "trigger_event": "a", "platform": "A B", "platform_event": "y"},
    {"name": "bad", "trigger_event": "a", "platform": "x", "platform_event": "y", "value_path": "a..b"}, {"name": "bad", "trigger_event": "a", "platform": "x", "platform_event": "y", "active": 1}, 7]');
SELECT leadanalytics.track(:w, '{"events": [{"event_name": "purchase", "event_data": {"order": {"total": "free"}, "revenue": 7}}, {"event_name": "lead", "event_data": {"a": [3, 4]}}, {"event_name": "a"}]}', now => '2026-02-02Z') ->> 'accepted' AS accepted;
SELECT body ->> 'rule' AS rule, body ->> 'platform_event' AS platform_event, body ->> 'value' AS value, body ->> 'currency' AS currency FROM public.told ORDER BY id;
DELETE FROM leadanalytics.outbox WHERE workspace = :w;
SELECT leadanalytics.change_conversion_rule(:w, 'tiktok', '{"active": false}'), leadanalytics.change_conversion_rule(:w, 'lead', '{"value_path": null, "trigger_event": "b", "name": "another"}');
SELECT leadanalytics.track(:w, '{"events": [{"event_name": "purchase"}, {"event_name": "b", "event_data": {"amount": 2}}]}', now => '2026-02-02Z') ->> 'accepted' AS accepted;
SELECT body ->> 'rule' AS rule, body ->> 'value' AS value FROM public.told ORDER BY id;
BEGIN;
SELECT leadanalytics.delete_conversion_rule(:w, 'meta purchases');
SELECT leadanalytics.track(:w, '{"event_name": "purchase"}', now => '2026-02-02Z') ->> 'accepted' AS accepted;
SELECT count(*) FROM public.told;
ROLLBACK;
SELECT leadanalytics.track(:w, '{"event_name": "purchase"}', now => '2026-02-02Z') ->> 'accepted' AS accepted;
SELECT count(*) FROM public.told;
SELECT name, trigger_event, platform, platform_event, value_path, active FROM leadanalytics.conversion_rules WHERE workspace = :w ORDER BY name;
SELECT leadanalytics.list_conversion_rules(:w), leadanalytics.list_conversion_rules(:other);
SELECT leadanalytics.change_conversion_rule(:w, 'none', '{}');
SELECT leadanalytics.change_conversion_rule(:w, 'lead', '[]');
SELECT leadanalytics.change_conversion_rule(:w, 'lead', '{"platform": 1}');
SELECT leadanalytics.change_conversion_rule(:w, 'lead', '{"trigger_event": null}');
SELECT leadanalytics.delete_conversion_rule(:other, 'lead');
SELECT leadanalytics.put_conversion_rules(0, '{}');

-- Event categories and rates.
SELECT leadanalytics.put_event_categories(:w, '[{"event_name": "trial", "category": "conversion"}, {"event_name": "lead", "category": "custom"}, {"event_name": "x", "category": "Bad"}, {"category": "custom"}, 1,
    {"event_name": "gone", "category": "custom"}, {"event_name": "gone"}]');
SELECT leadanalytics.list_event_categories(:w);
SELECT leadanalytics.put_event_categories(:w, '{"event_name": "lead", "category": null}'), leadanalytics.put_event_categories(:w, '{"event_name": "trial", "category": "conversion"}');
SELECT leadanalytics.list_event_categories(:w);
SELECT leadanalytics.put_fx_rates(:w, '[{"currency": "usd", "day": "2026-02-01", "rate": 0.9}, {"currency": "GBP", "day": "2026-02-01", "rate": "1.15"}, {"currency": "GBP", "day": "2026-02-30", "rate": 1},
    {"currency": "GBP", "day": "2026-02-01", "rate": 0}, {"currency": "EURO", "day": "2026-02-01", "rate": 1}, {"day": "2026-02-01", "rate": 1}, {"currency": "GBP", "rate": 1}, {"currency": "GBP", "day": "2026-02-01", "rate": "x"}, null,
    {"currency": "CHF", "day": "2026-02-01", "rate": 1}, {"currency": "CHF", "day": "2026-02-01"}]');
SELECT currency, day, rate FROM leadanalytics.fx_rate WHERE workspace = :w ORDER BY 1, 2;
-- status() says which rates are missing.
SELECT s.* FROM leadanalytics.status() s WHERE part ~ '^rates';
SELECT leadanalytics.track(:w, json_build_object('events', json_build_array(
    json_build_object('event_name', 'purchase', 'event_data', '{"value": 5, "currency": "sek"}'::json), json_build_object('event_name', 'purchase', 'event_data', '{"value": 5, "currency": "EUR"}'::json),
    json_build_object('event_name', 'trial', 'event_data', '{"value": 5, "currency": "NOK"}'::json), json_build_object('event_name', 'view', 'event_data', '{"value": 5, "currency": "DKK"}'::json)))) ->> 'accepted' AS accepted;
SELECT part, state, replace(hint, :'w', 'W') AS hint FROM leadanalytics.status() s WHERE part ~ '^rates';
SELECT leadanalytics.put_fx_rates(:w, json_build_array(json_build_object('currency', 'SEK', 'day', (now() AT TIME ZONE 'UTC')::date, 'rate', 0.1), json_build_object('currency', 'NOK', 'day', (now() AT TIME ZONE 'UTC')::date, 'rate', 0.1)));
SELECT count(*) FROM leadanalytics.status() s WHERE part ~ '^rates';

-- What click ids are called, and how an address writes them.
SELECT said, leadanalytics.url_decoded(said) FROM unnest('{AB%2FCD%3D,IMP%2B1,100%,%zz%41,%C3%A4,a+b}'::text[]) AS said;
SELECT leadanalytics.put_conversion_rule(:w, 'clicks', 'purchase', 'meta', 'Purchase') ->> 'accepted' AS accepted;
SELECT count(leadanalytics.track(:w, json_build_object('event_name', 'purchase', 'visitor_id', 'click ' || n, 'session_id', 'click ' || n, 'event_data', said), now => '2026-02-02T12:00:00Z'))
FROM unnest(ARRAY['{"url": "https://shop.example/?ScCid=SNAP123"}', '{"ScCid": "SN2"}', '{"url": "https://shop.example/?irclickid=IMP%2B1"}', '{"url": "https://shop.example/?gclid=AB%2FCD%3D"}']::json[]) WITH ORDINALITY AS u (said, n);
SELECT body ->> 'click_id_type' AS type, body ->> 'click_id' AS id FROM leadanalytics.outbox WHERE workspace = :w AND body ->> 'rule' = 'clicks' AND body ->> 'visitor_id' ~ '^click' ORDER BY body ->> 'visitor_id';
-- Changes that are none, and what jsonb does not take.
SELECT leadanalytics.change_conversion_rule(:w, 'clicks', '{"active": false}') ->> 'accepted' AS accepted;
SELECT leadanalytics.change_conversion_rule(:w, 'clicks', '{"active": null}') ->> 'accepted' AS accepted;
SELECT active FROM leadanalytics.conversion_rules WHERE workspace = :w AND name = 'clicks';
SELECT leadanalytics.change_conversion_rule(:w, 'clicks', '{"x": 1e200000}');

DROP VIEW public.told;
DELETE FROM leadanalytics.ledger WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.event WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.session WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.session_ledger WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.import WHERE workspace IN (:w, :other);
DELETE FROM leadanalytics.workspace WHERE id IN (:w, :other);
