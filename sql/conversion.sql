-- What an event is worth (D-53).
\set VERBOSITY terse
SELECT leadanalytics.create_workspace('conversion', currency => 'USD', timezone => 'Europe/Vienna') AS w \gset
SELECT leadanalytics.set_fx_rate(:w, 'eur', '2021-03-01', 1.25);
SELECT leadanalytics.set_fx_rate(:w, 'EUR', '2021-03-05', 1.5);
SELECT said, leadanalytics.conversion_value(said), leadanalytics.conversion_amount(:w, said, '2021-03-02Z') FROM unnest(ARRAY[
    '{"value": 99.5}', '{"value": "99.50"}', '{"revenue": 10}', '{"amount": 10}', '{"amount": 1, "revenue": 2, "value": 3}', '{"value": "free", "amount": 5}',
    '{"value": null, "revenue": 7}', '{"value": [1]}', '{"value": -20, "currency": "usd"}', '{"value": 10, "currency": "EUR"}', '{"value": 10, "currency": " eur "}',
    '{"value": 10, "currency": "GBP"}', '{"value": 10, "currency": ""}', '{"value": 10, "currency": "euros"}', '{"value": 1e30}', '{"value": 1e15, "amount": 2}', '{"value": "NaN"}',
    '{"value": "\u30005"}', '{"value": "\u20035", "amount": 6}', '{"value": "\u0663"}', '{"value": true}', '{}', '[1]', '"10"']::jsonb[]) AS said;
SELECT leadanalytics.conversion_value(NULL), leadanalytics.conversion_amount(:w, NULL, now());
-- The day's rate, of the workspace's zone, and six days more.
SELECT at, leadanalytics.conversion_amount(:w, '{"value": 100, "currency": "EUR"}', at) FROM unnest('{2021-02-28 22:59:59Z,2021-02-28 23:00:00Z,2021-03-04 22:59:59Z,2021-03-04 23:00:00Z,2021-03-11 22:59:59Z,2021-03-11 23:00:00Z}'::timestamptz[]) AS at;
SELECT * FROM leadanalytics.conversion_names(:w) AS n ORDER BY 1;
SELECT leadanalytics.set_event_category(:w, 'trial', 'conversion'), leadanalytics.set_event_category(:w, 'lead', 'custom');
SELECT * FROM leadanalytics.conversion_names(:w) AS n ORDER BY 1;
SELECT leadanalytics.set_event_category(:w, 'lead', NULL), leadanalytics.set_event_category(:w, 'signup', 'conversion');
SELECT * FROM leadanalytics.conversion_names(:w) AS n ORDER BY 1;
SELECT leadanalytics.track(:w, '{"events": [
    {"event_name": "purchase", "visitor_id": "v1", "session_id": "s1", "timestamp": "2021-03-02T10:00:00Z", "event_data": {"value": 10, "currency": "EUR"}},
    {"event_name": "purchase", "visitor_id": "v1", "session_id": "s1", "timestamp": "2021-03-02T10:01:00Z", "event_data": {"value": -4}},
    {"event_name": "trial", "visitor_id": "v2", "timestamp": "2021-03-03T00:00:00Z"},
    {"event_name": "pageview", "visitor_id": "v2", "timestamp": "2021-03-02T10:00:00Z", "event_data": {"value": 5}}]}', now => '2021-03-03Z');
SELECT c.at AT TIME ZONE 'UTC' AS at, t.parts[1] AS name, c.amount FROM leadanalytics.conversion_events(:w, '2021-03-01Z', '2021-03-04Z') c JOIN leadanalytics.term t ON t.workspace = :w AND t.id = c.name ORDER BY 1;
SELECT count(*) FROM leadanalytics.conversion_events(:w, '2021-03-02 10:01Z', '2021-03-03Z');
SELECT leadanalytics.text_term(:w, 'never');
SELECT leadanalytics.set_fx_rate(:w, 'EUR', '2021-03-01', NULL);
SELECT leadanalytics.conversion_amount(:w, '{"value": 100, "currency": "EUR"}', '2021-03-02Z');
SELECT leadanalytics.set_fx_rate(:w, 'EURO', '2021-03-01', 1);
SELECT leadanalytics.set_fx_rate(:w, 'EUR', '2021-03-01', 0);
SELECT leadanalytics.set_event_category(:w, '', 'conversion');
SELECT leadanalytics.set_event_category(:w, 'x', 'No Category');
SELECT leadanalytics.set_event_category(0, 'x', 'conversion');
-- Tests behind this one compare all events with the ledger.
DELETE FROM leadanalytics.event WHERE workspace = :w;
