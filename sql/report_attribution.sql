-- Which campaigns conversions came from (S5-08, D-53 … D-55).
\set VERBOSITY terse
\pset null -
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('attribution', currency => 'USD', timezone => 'America/Chicago') AS w \gset
SELECT leadanalytics.set_fx_rate(:w, 'EUR', '2021-03-01', 1.25);

-- Every click id that ingestion knows has a source; two are other spellings.
SELECT (leadanalytics.track(:w, json_build_object('events', json_agg(json_build_object('event_name', 'pageview', 'visitor_id', 'click-' || n, 'session_id', 'click-' || n,
    'timestamp', '2021-01-01T00:00:00Z', 'event_data', json_build_object('url', 'https://shop.example/?' || id || '=x')))), now => '2021-01-01Z'))
FROM unnest('{gclid,gbraid,wbraid,dclid,fbclid,msclkid,ttclid,twclid,li_fat_id,sclid,ScCid,epik,rdt_cid,irclid,irclickid,obclid,tblci,qclid,GCLID,clickid}'::text[]) WITH ORDINALITY AS c (id, n);
SELECT parts[6] AS click_id, leadanalytics.touch_of(parts) FROM leadanalytics.dictionary WHERE workspace = :w AND kind = 'campaign' ORDER BY 1;
SELECT parts, leadanalytics.touch_of(parts) FROM (VALUES (1, '{a,b,c,d,e,gclid}'::text[]), (2, '{a,NULL,NULL,NULL,NULL,fbclid}'), (3, '{NULL,email,NULL,NULL,NULL,fbclid}'), (4, '{NULL,NULL,c,NULL,NULL,NULL}'),
    (5, '{NULL,NULL,NULL,d,NULL,NULL}'), (6, '{"a,b","\"",c d,NULL,NULL,NULL}'), (7, NULL)) AS t (n, parts) ORDER BY n;

-- Journeys. told(): who, when, and what came along.
CREATE FUNCTION pg_temp.told(w int, visitor text, session text, at text, campaign text DEFAULT NULL, event text DEFAULT 'pageview', data json DEFAULT NULL, usr text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    ASSERT leadanalytics.track(w, json_strip_nulls(json_build_object('event_name', event, 'visitor_id', visitor, 'session_id', session, 'user_id', usr, 'timestamp', at,
        'utm_source', split_part(campaign, '/', 1), 'utm_campaign', nullif(split_part(campaign, '/', 2), ''), 'event_data', data)), now => at::timestamptz) ->> 'accepted' = '1';
END
$$;
CREATE FUNCTION pg_temp.models(w int, starts timestamptz, ends timestamptz, window_days int DEFAULT 30)
RETURNS TABLE (at timestamp, event_name text, value numeric, hybrid text, first_touch text, last_touch text, session text) LANGUAGE sql AS $$
    SELECT h.at AT TIME ZONE 'UTC', h.event_name, h.value, h.utm_source, f.utm_source, l.utm_source, s.utm_source
    FROM leadanalytics.attribution_conversions(w, starts, ends, window_days) h
    JOIN leadanalytics.attribution_conversions(w, starts, ends, window_days, 'first_touch') f USING (id)
    JOIN leadanalytics.attribution_conversions(w, starts, ends, window_days, 'last_touch') l USING (id)
    JOIN leadanalytics.attribution_conversions(w, starts, ends, window_days, 'session') s USING (id)
    ORDER BY h.at, h.id
$$;
-- D-54 one, two, direct, then a purchase; another in the session of a third click
SELECT pg_temp.told(:w, 'a', 'a1', '2021-02-01T10:00:00Z', 'one') \gset
SELECT pg_temp.told(:w, 'a', 'a2', '2021-02-03T10:00:00Z', 'two') \gset
SELECT pg_temp.told(:w, 'a', 'a3', '2021-02-05T10:00:00Z') \gset
SELECT pg_temp.told(:w, 'a', 'a3', '2021-02-05T10:05:00Z', NULL, 'purchase', '{"value": 100}') \gset
SELECT pg_temp.told(:w, 'a', 'a4', '2021-02-06T10:00:00Z', 'three') \gset
SELECT pg_temp.told(:w, 'a', 'a4', '2021-02-06T10:05:00Z', NULL, 'signup') \gset
SELECT * FROM pg_temp.models(:w, '2021-02-01Z', '2021-02-07Z');
-- a campaign of a later page of a session is no touch; any utm part is one (source, medium and campaign empty, not null)
SELECT pg_temp.told(:w, 'b', 'b1', '2021-02-08T10:00:00Z') \gset
SELECT pg_temp.told(:w, 'b', 'b1', '2021-02-08T10:01:00Z', 'late') \gset
SELECT pg_temp.told(:w, 'b', 'b1', '2021-02-08T10:05:00Z', NULL, 'lead') \gset
SELECT leadanalytics.track(:w, '{"event_name": "lead", "visitor_id": "b2", "session_id": "b2", "timestamp": "2021-02-08T11:00:00Z", "utm_content": "x"}', now => '2021-02-08 11:00Z') ->> 'accepted';
SELECT * FROM pg_temp.models(:w, '2021-02-08Z', '2021-02-09Z');
-- the window: both ends belong to it, of 24 hours each, whatever the clocks did meanwhile
SELECT pg_temp.told(:w, 'c', 'c1', '2021-03-10T12:00:00Z', 'edge') \gset
SELECT pg_temp.told(:w, 'c', 'c2', '2021-03-17T12:00:00Z', NULL, 'purchase') \gset
SELECT pg_temp.told(:w, 'c', 'c2', '2021-03-17T12:00:00.001Z', NULL, 'purchase') \gset
SELECT pg_temp.told(:w, 'c', 'c3', '2021-04-09T12:00:00Z', NULL, 'purchase') \gset
SELECT pg_temp.told(:w, 'c', 'c3', '2021-04-09T12:00:00.001Z', NULL, 'purchase') \gset
SELECT pg_temp.told(:w, 'c', 'c4', '2021-06-08T12:00:00Z', NULL, 'purchase') \gset
SELECT pg_temp.told(:w, 'c', 'c4', '2021-06-08T12:00:00.001Z', NULL, 'purchase') \gset
-- a touch of the same moment in another session, and one a moment later
SELECT pg_temp.told(:w, 'd', 'd1', '2021-03-10T12:00:00Z', NULL, 'purchase') \gset
SELECT pg_temp.told(:w, 'd', 'd2', '2021-03-10T12:00:00Z', 'at once') \gset
SELECT pg_temp.told(:w, 'd', 'd3', '2021-03-10T12:00:00.001Z', 'too late') \gset
SET timezone = 'America/Chicago';
SELECT days, m.at, m.hybrid, m.first_touch, m.last_touch FROM unnest('{7,30,90}'::int[]) AS days, pg_temp.models(:w, '2021-03-10Z', '2021-07-01Z', days) m ORDER BY 1, 2, 3;
SET timezone = 'UTC';
-- a session that opened with a later event of it
SELECT pg_temp.told(:w, 'e', 'e1', '2021-02-10T12:00:00Z', 'own') \gset
SELECT leadanalytics.track(:w, '{"event_name": "signup", "visitor_id": "e", "session_id": "e1", "timestamp": "2021-02-10T11:59:00Z"}', now => '2021-02-10 12:01Z') ->> 'accepted';
SELECT * FROM pg_temp.models(:w, '2021-02-10Z', '2021-02-11Z');

-- D-60 persons: two visitors of one user, a user id that is another name, and an event of a server
SELECT pg_temp.told(:w, 'f1', 'f1', '2021-02-12T10:00:00Z', 'phone') \gset
SELECT pg_temp.told(:w, 'f2', 'f2', '2021-02-13T10:00:00Z', 'desk') \gset
SELECT pg_temp.told(:w, 'f3', 'f3', '2021-02-14T10:00:00Z') \gset
SELECT pg_temp.told(:w, 'f3', 'f3', '2021-02-14T10:05:00Z', NULL, 'purchase', '{"value": 8}') \gset
SELECT pg_temp.told(:w, NULL, NULL, '2021-02-14T11:00:00Z', NULL, 'subscribe', '{"amount": "2.50"}', 'anna') \gset
SELECT * FROM pg_temp.models(:w, '2021-02-12Z', '2021-02-15Z');
SELECT pg_temp.told(:w, 'f3', 'f3', '2021-02-14T10:06:00Z', NULL, '$identify', NULL, 'anna') \gset
SELECT pg_temp.told(:w, 'f2', 'f2', '2021-02-14T12:00:00Z', NULL, '$identify', NULL, 'anna') \gset
SELECT * FROM pg_temp.models(:w, '2021-02-12Z', '2021-02-15Z');
SELECT pg_temp.told(:w, 'f1', 'f1', '2021-02-14T13:00:00Z', NULL, '$identify', NULL, 'anna@work') \gset
SELECT leadanalytics.track(:w, '{"event_name": "$alias", "visitor_id": "f1", "session_id": "f1", "user_id": "anna", "event_data": {"previous_id": "anna@work"}, "timestamp": "2021-02-14T14:00:00Z"}', now => '2021-02-14 14:00Z') ->> 'accepted';
SELECT * FROM pg_temp.models(:w, '2021-02-12Z', '2021-02-15Z');

-- D-53 currencies; refunds are conversions of a negative value; D-76 robots
SELECT pg_temp.told(:w, 'g', 'g1', '2021-03-02T10:00:00Z', 'euro/spring') \gset
SELECT pg_temp.told(:w, 'g', 'g1', '2021-03-02T10:01:00Z', NULL, 'purchase', '{"value": 40, "currency": "EUR"}') \gset
SELECT pg_temp.told(:w, 'g', 'g1', '2021-03-02T10:02:00Z', NULL, 'purchase', '{"value": -20.004, "currency": "usd"}') \gset
SELECT pg_temp.told(:w, 'g', 'g1', '2021-03-02T10:03:00Z', NULL, 'purchase', '{"value": 1, "currency": "XXX"}') \gset
SELECT leadanalytics.track(:w, '{"event_name": "purchase", "visitor_id": "g", "session_id": "g1", "event_data": {"value": 5}, "timestamp": "2021-03-02T10:04:00Z"}', now => '2021-03-02 10:04Z', user_agent => 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)') ->> 'accepted';
SELECT pg_temp.told(:w, 'h', 'h1', '2021-03-02T12:00:00Z', 'euro/spring') \gset
SELECT pg_temp.told(:w, 'i', 'i1', '2021-03-02T12:00:00Z', 'none/autumn') \gset
SELECT pg_temp.told(:w, 'k', 'k1', '2021-02-27T12:00:00Z', 'early') \gset
SELECT pg_temp.told(:w, 'k', 'k2', '2021-03-02T13:00:00Z', NULL, 'lead') \gset
SELECT bots, r.* FROM unnest('{false,true}'::boolean[]) AS bots, leadanalytics.attribution_rows(:w, '2021-03-02Z', '2021-03-03Z', include_bots => bots) r;
SELECT leadanalytics.attribution(:w, '2021-03-02', '2021-03-02T17:59:59-06:00');
SELECT leadanalytics.attribution(:w, '2021-03-02T00:00:00Z', '2021-03-02T23:59:59Z', model => 'session');
SELECT leadanalytics.attribution(:w, '2021-01-20T00:00:00Z', '2021-01-20T12:00:00.500Z', 90);
-- a click is what a workspace says it is
SELECT leadanalytics.set_event_category(:w, 'click', 'conversion');
SELECT pg_temp.told(:w, 'h', 'h1', '2021-03-02T12:01:00Z', NULL, 'click', '{"value": 3}') \gset
SELECT * FROM leadanalytics.attribution_rows(:w, '2021-03-02Z', '2021-03-03Z') WHERE utm_source = 'euro';
SELECT count(*) FROM leadanalytics.attribution_rows(:w, '2021-03-03Z', '2021-03-02Z');

-- Visitors of the engine and of the rows.
SELECT r.* FROM leadanalytics.attribution_rows(:w, '2021-01-01Z', '2021-07-01Z') r ORDER BY 1, 2, 3;
SELECT leadanalytics.fold(:w) > 0;
CREATE TEMP TABLE folded AS SELECT r.* FROM leadanalytics.attribution_rows(:w, '2021-01-01Z', '2021-07-01Z') r;
SET leadanalytics.exact = on;
(TABLE folded EXCEPT SELECT r.* FROM leadanalytics.attribution_rows(:w, '2021-01-01Z', '2021-07-01Z') r)
UNION ALL
(SELECT r.* FROM leadanalytics.attribution_rows(:w, '2021-01-01Z', '2021-07-01Z') r EXCEPT TABLE folded);
RESET leadanalytics.exact;

SELECT leadanalytics.attribution(:w, '2021-03-02', '2021-03-02', 31);
SELECT leadanalytics.attribution(:w, '2021-03-02', '2021-03-02', NULL);
SELECT leadanalytics.attribution(:w, '2021-03-02', '2021-03-02', model => 'linear');
SELECT leadanalytics.attribution(:w, '2021-03-02', '2021-03-02', model => NULL);
SELECT leadanalytics.attribution(:w, '2021-03-02', '');
SELECT leadanalytics.attribution_rows(:w, '2021-03-02Z', '2021-03-03Z', 0);
SELECT leadanalytics.attribution_rows(0, '2021-03-02Z', '2021-03-03Z');
SELECT leadanalytics.attribution_conversions(0, '2021-03-02Z', '2021-03-03Z');
-- Tests behind this one compare all events with the ledger.
DELETE FROM leadanalytics.event WHERE workspace = :w;
