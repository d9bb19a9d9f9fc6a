-- The public list of events (S5-05) and tags (S5-12), beside plain SQL from the rows.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET leadanalytics.segment_events = 2;
\set SHOW_CONTEXT never
SELECT leadanalytics.create_workspace('list', 'List', timezone => 'America/St_Johns') AS w \gset
SELECT leadanalytics.create_workspace('list2', 'List 2') AS other \gset
SELECT leadanalytics.make_leaf('event', m::date) IS NULL FROM generate_series(date '2026-01-01', '2026-06-01', '1 month') AS m LIMIT 0;

-- Five months by ingestion: names, tags, campaigns, paths, users, robots
CREATE FUNCTION pick(n int, what int, VARIADIC texts text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT nullif(texts[1 + (hashint8extended(n, what) & 1048575) % cardinality(texts)], '')
$$;
CREATE FUNCTION events_of(from_n int, to_n int) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('events', json_agg(json_strip_nulls(json_build_object(
        'event_name', pick(n, 1, 'page_view', 'page_view', 'click', 'purchase', 'sign up', 'x,y'),
        'visitor_id', pick(n, 2, 'v1', 'v2', 'v3', 'v4', ''), 'user_id', pick(n, 3, '', '', 'u1', 'u2'),
        'session_id', pick(n, 4, '', '', 's-' || n / 3), 'source', pick(n, 5, '', '', 'shopify'),
        'timestamp', timestamptz '2026-01-03Z' + (hashint8extended(n, 6) & 1048575) * interval '12 s',
        'event_data', json_build_object(
            'url', 'https://x.example' || pick(n, 7, '/', '/a', '/a?q=1', '/B', '/b', '/' || repeat('long', 20) || n % 2),
            'utm_source', pick(n, 8, '', 'Google', 'google', 'mail'), 'utm_medium', pick(n, 9, '', 'cpc'), 'utm_campaign', pick(n, 10, '', 'Spring', 'autumn'),
            'tag', pick(n, 11, '', '', ' red ', 'blue'), 'tags', CASE WHEN n % 5 = 0 THEN json_build_array('red', pick(n, 12, 'green', 'a b', 'a'), n, NULL, '  ') END,
            'screen_width', n % 3 * 100, 'n', n)))))
    FROM generate_series(from_n, to_n) AS n
$$;
SELECT sum((leadanalytics.track(:w, events_of(b * 1000 + 1, b * 1000 + 1000), now => '2026-06-01Z', as_role => 'admin',
    user_agent => CASE b WHEN 2 THEN 'Googlebot/2.1 (+http://www.google.com/bot.html)' ELSE '' END) ->> 'accepted')::int) FROM generate_series(0, 3) AS b;
-- and a busy day by INSERT, with places; many at one time
INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts)
SELECT :w, nextval('leadanalytics.term_id'), md5(p::text)::uuid, 'place', p
FROM (VALUES (ARRAY['US', 'Texas', 'Austin']), ('{US,Texas,Dallas}'), ('{US,Ohio,NULL}'), ('{DE,Hessen,NULL}'), ('{de,NULL,NULL}')) AS v (p);
SELECT array_agg(id ORDER BY id) AS places FROM leadanalytics.term WHERE workspace = :w AND kind = 'place' \gset
INSERT INTO leadanalytics.event (at, received_at, workspace, name, page, place, kind, data, id)
SELECT timestamptz '2026-05-20Z' + (hashint8extended(n, 20) & 1048575) % 86400 / 600 * interval '10 min', now(), :w, e.name, e.page,
       (:'places'::int[])[1 + n % 7], e.kind, '{"n": 1}', (b.block << 10) + n
FROM (SELECT nextval('leadanalytics.event_block') AS block) AS b, generate_series(1, 900) AS n
JOIN LATERAL (SELECT * FROM leadanalytics.event e WHERE e.workspace = :w ORDER BY e.id OFFSET n LIMIT 1) AS e ON true;
INSERT INTO leadanalytics.event (at, received_at, workspace, name, kind) SELECT '2026-05-20Z', now(), :other, min(name), 'c' FROM leadanalytics.event WHERE workspace = :w;

-- Every page and total as plain SQL has them: offsets at all ends
CREATE TEMP VIEW plain_rows AS
SELECT e.*, ROW('evt_' || e.id, e.event_name, e.visitor_id, e.session_id, e.user_id, e.at, e.page_path, e.page_title, e.page_url, e.referrer, e.geo_country,
                e.geo_country, e.geo_region, e.geo_city, e.utm_source, e.utm_medium, e.utm_campaign, e.browser, e.os, e.device_type, e.screen_width,
                e.screen_height, e.source, e.event_data)::text AS line
FROM leadanalytics.events e;
CREATE TEMP TABLE plain AS SELECT * FROM plain_rows;
CREATE FUNCTION compare_events(w int, lo timestamptz, hi timestamptz, names text[], f text[], path text, lim int, off bigint, bots boolean) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    said text;
    total bigint;
    rows text;
    picked leadanalytics.events_found;
BEGIN
    SELECT count(*), (array_agg(p.line ORDER BY p.at DESC, p.id DESC))[off + 1 : off + lim]::text INTO total, rows
    FROM plain p
    WHERE p.workspace = w AND p.at >= lo AND p.at < hi AND (bots OR NOT p.is_bot) AND (names = '{}' OR p.event_name = ANY (names))
      AND (f[1] IS NULL OR lower(p.utm_source) = lower(f[1])) AND (f[2] IS NULL OR lower(p.utm_medium) = lower(f[2])) AND (f[3] IS NULL OR lower(p.utm_campaign) = lower(f[3]))
      AND (f[4] IS NULL OR lower(p.geo_country) = lower(f[4])) AND (f[5] IS NULL OR lower(p.geo_region) = lower(f[5])) AND (f[6] IS NULL OR lower(p.geo_city) = lower(f[6]))
      AND (path IS NULL OR p.page_path = path);
    picked := leadanalytics.find_events(w, lo, hi, names, f[1], f[2], f[3], f[4], f[5], f[6], path, lim, off, bots);
    SELECT array_agg(r::text ORDER BY r.place)::text INTO said
    FROM (SELECT ROW(r.id, r.event_name, r.visitor_id, r.session_id, r.user_id, r.received_at, r.page_path, r.page_title, r.page_url, r.referrer, r.geo_country,
                     r.geo_country_code, r.geo_region, r.geo_city, r.utm_source, r.utm_medium, r.utm_campaign, r.browser, r.os, r.device_type, r.screen_width,
                     r.screen_height, r.source, r.event_data)::text AS r, place
          FROM leadanalytics.list_events_rows(w, lo, hi, names, f[1], f[2], f[3], f[4], f[5], f[6], path, lim, off, bots) WITH ORDINALITY AS r (
              id, event_name, visitor_id, session_id, user_id, received_at, page_path, page_title, page_url, referrer, geo_country, geo_country_code,
              geo_region, geo_city, utm_source, utm_medium, utm_campaign, browser, os, device_type, screen_width, screen_height, source, event_data, place)) AS r;
    IF picked.total <> total OR coalesce(said, '{}') <> coalesce(rows, '{}') THEN
        RETURN format('w %s, %s to %s, names %s, filter %s, path %s, limit %s, offset %s, bots %s: total %s of %s', w, lo, hi, names, f, path, lim, off, bots, picked.total, total);
    END IF;
    RETURN CASE WHEN said IS NULL THEN 'same, empty' ELSE 'same' END;
END
$$;
CREATE FUNCTION compare_many(w int, seed int, n int) RETURNS TABLE (said text, often bigint) LANGUAGE sql STABLE AS $$
    SELECT c.said, CASE WHEN c.said = 'same' THEN NULL ELSE count(*) END
    FROM generate_series(1, n) AS i
    CROSS JOIN LATERAL (SELECT pick(i, seed, '2026-01-01Z', '2026-02-01Z', '2026-05-20Z', '2026-05-19 12:07Z', '-infinity')::timestamptz AS lo,
                               pick(i, seed + 1, '2026-05-20 12:00Z', '2026-05-21Z', '2026-06-01Z', '2026-05-20 02:30Z', 'infinity')::timestamptz AS hi,
                               pick(i, seed + 2, '', '', '', 'purchase', 'purchase,click', 'sign up', 'nothing', 'sign up,page_view') AS names,
                               pick(i, seed + 3, 'all', 'utm_source', 'utm_medium', 'utm_campaign', 'country', 'region', 'city', 'path', 'place', 'utm', 'many') AS filter) AS q
    CROSS JOIN LATERAL (SELECT compare_events(w, q.lo, q.hi, coalesce(CASE WHEN q.filter IN ('all', 'many') THEN string_to_array(q.names, ',') END, '{}'), ARRAY[
        CASE WHEN filter IN ('utm_source', 'utm', 'many') THEN pick(i, seed + 4, 'GOOGLE', 'mail', 'none') END, CASE WHEN filter = 'utm_medium' THEN 'CPC' END,
        CASE WHEN filter IN ('utm_campaign', 'utm', 'many') THEN pick(i, seed + 5, 'spring', 'autumn') END, CASE WHEN filter IN ('country', 'place') THEN pick(i, seed + 6, 'us', 'DE') END,
        CASE WHEN filter IN ('region', 'place') THEN pick(i, seed + 7, 'texas', 'ohio') END, CASE WHEN filter = 'city' THEN pick(i, seed + 8, 'Austin', 'DALLAS', 'Rome') END],
        CASE WHEN filter IN ('path', 'many') THEN pick(i, seed + 9, '/a', '/b', '/B', '/c', '/' || repeat('long', 20) || '1') END,
        pick(i, seed + 10, '1', '7', '100', '1000')::int, pick(i, seed + 11, '0', '0', '1', '5', '6', '99', '540', '1000', '2999', '3600', '3999', '6000')::bigint,
        pick(i, seed + 12, 'false', 'true')::boolean) AS said) AS c
    GROUP BY c.said ORDER BY 1
$$;
SELECT said FROM compare_many(:w, 100, 80) WHERE said NOT LIKE 'same%';
SELECT leadanalytics.fold_workspace(:w, 1500, '2026-05-25Z') > 0 AS folded, leadanalytics.build(:w, '2026-05-25Z') > 0 AS built;
SELECT said FROM compare_many(:w, 200, 80) WHERE said NOT LIKE 'same%';
SELECT leadanalytics.fold(:w, '2026-06-01Z') > 0 AS folded, leadanalytics.build(:w, '2026-06-05Z') > 0 AS built;
SELECT string_agg(DISTINCT grain::text, '' ORDER BY grain::text) AS grains FROM leadanalytics.bucket WHERE workspace = :w;
SELECT said, often > 10 AS some FROM compare_many(:w, 300, 300);
-- names may be custom events' and, by INSERT, others' too
INSERT INTO leadanalytics.event (at, received_at, workspace, name, page, kind) SELECT e.at, e.at, :w, e.name, e.page, 'p' FROM leadanalytics.event e
WHERE e.workspace = :w AND e.name IN (leadanalytics.text_term(:w, 'purchase'), leadanalytics.text_term(:w, 'sign up')) AND e.page IS NOT NULL ORDER BY e.id LIMIT 3;
TRUNCATE plain;
INSERT INTO plain SELECT * FROM plain_rows;
SELECT said, often > 5 AS some FROM compare_many(:w, 500, 100);
-- the twin
SET leadanalytics.exact = on;
SELECT said FROM compare_many(:w, 400, 30) WHERE said NOT LIKE 'same%';
RESET leadanalytics.exact;

-- All pages together are all events, each once
SELECT count(*) = (SELECT count(*) FROM leadanalytics.events e WHERE e.workspace = :w AND NOT is_bot) AS all_of_them, count(DISTINCT r.id) = count(*) AS once
FROM generate_series(0, 5000, 137) AS o, leadanalytics.list_events_rows(:w, '2026-01-01Z', '2026-06-01Z', "limit" => 137, "offset" => o) r;
SELECT count(*) = (SELECT count(*) FROM leadanalytics.events e WHERE e.workspace = :w AND event_name = 'purchase') AS all_of_them, count(DISTINCT r.id) = count(*) AS once
FROM generate_series(0, 5000, 137) AS o, leadanalytics.list_events_rows(:w, '2026-01-01Z', '2026-06-01Z', '{purchase}', "limit" => 137, "offset" => o, include_bots => true) r;
-- An event that comes late moves what is older, and nothing that is newer
CREATE TEMP TABLE before AS SELECT * FROM leadanalytics.list_events_rows(:w, '2026-05-01Z', '2026-06-01Z', "limit" => NULL) WITH ORDINALITY AS r;
SELECT leadanalytics.track(:w, '{"event_name": "late", "timestamp": "2026-05-20T12:00:30Z"}', now => '2026-05-21Z') ->> 'accepted' AS accepted;
SELECT DISTINCT a.ordinality - b.ordinality AS moved, b.received_at < '2026-05-20 12:00:30Z' AS older
FROM before b JOIN leadanalytics.list_events_rows(:w, '2026-05-01Z', '2026-06-01Z', "limit" => NULL) WITH ORDINALITY AS a USING (id) ORDER BY 1;

-- The body
SELECT leadanalytics.track(:other, '{"events": [{"event_name": "page_view", "visitor_id": "v", "session_id": "s", "user_id": "u", "timestamp": "2026-03-16T14:32:45.1239Z", "source": "shop",
    "event_data": {"url": "https://acme.example/pricing?a=1", "title": "Pricing", "referrer": "https://google.com", "utm_source": "google", "utm_medium": "cpc", "utm_campaign": "spring_sale",
    "screen_width": 1920, "screen_height": 1080, "tag": "  pricing ", "k": [1.50]}}]}', now => '2026-03-16T15:00Z') ->> 'accepted' AS accepted;
SELECT regexp_replace(leadanalytics.list_events(:other, '2026-03-16', '2026-03-16')::text, 'evt_\d+', 'evt_…');
SELECT leadanalytics.list_events(:other, '2026-03-17', '2026-03-17', "limit" => 0, "offset" => -5);
SELECT e -> 'limit' AS "limit", e -> 'offset' AS "offset", e -> 'has_more' AS has_more FROM (
    SELECT leadanalytics.list_events(:w, '2026-05-20', '2026-05-21', "limit" => l, "offset" => o) AS e FROM (VALUES (1, 0), (5000, 0), (NULL, NULL), (1000, 99999)) AS v (l, o)) AS s;
SELECT (leadanalytics.list_events(:w, '2026-05-01', '2026-05-31', "offset" => 9223372036854775807) -> 'events')::text AS events;
SELECT leadanalytics.list_events(:w, '2026-05-20', '');
SELECT leadanalytics.list_events(:w, '2026-05-21', '2026-05-20');

-- Tags beside the texts that events said
SELECT tag, source, count, percentage, total FROM leadanalytics.tags_rows(:w, '2026-01-01Z', '2026-06-01Z');
CREATE FUNCTION plain_tags(w int, lo timestamptz, hi timestamptz, bots boolean) RETURNS TABLE (tag text, source text, count bigint) LANGUAGE sql STABLE AS $$
    SELECT t.tag, e.source, count(*) FROM leadanalytics.events e
    CROSS JOIN LATERAL (
        SELECT DISTINCT btrim(s.tag) AS tag
        FROM (SELECT e.event_data ->> 'tag' AS tag WHERE jsonb_typeof(e.event_data -> 'tag') = 'string'
              UNION ALL SELECT a.tag #>> '{}' FROM jsonb_array_elements(CASE WHEN jsonb_typeof(e.event_data -> 'tags') = 'array' THEN e.event_data -> 'tags' END) AS a (tag) WHERE jsonb_typeof(a.tag) = 'string') AS s
        WHERE btrim(s.tag) <> '') AS t
    WHERE e.workspace = w AND e.at >= lo AND e.at < hi AND (bots OR NOT e.is_bot) GROUP BY 1, 2
$$;
SELECT lo, hi, bots, d.* FROM (VALUES ('-infinity'::timestamptz, 'infinity'::timestamptz), ('2026-02-03 04:05Z', '2026-05-06 07:08Z'), ('2026-05-20Z', '2026-05-21Z')) AS v (lo, hi), (VALUES (true), (false)) AS b (bots),
    LATERAL ((SELECT 'plain' AS which, p.* FROM (SELECT * FROM plain_tags(:w, lo, hi, bots) EXCEPT SELECT tag, source, count FROM leadanalytics.tags_rows(:w, lo, hi, include_bots => bots)) AS p)
             UNION ALL (SELECT 'engine', r.* FROM (SELECT tag, source, count FROM leadanalytics.tags_rows(:w, lo, hi, include_bots => bots) EXCEPT SELECT * FROM plain_tags(:w, lo, hi, bots)) AS r)) AS d;
SELECT leadanalytics.tags(:w, '2026-01-01', '2026-06-01', 2);
SELECT leadanalytics.tags(:w, '2027-01-01', '2027-06-01');
-- D-72: at most 20 of at most 100 characters
SELECT leadanalytics.track(:other, json_build_object('event_name', 'x', 'timestamp', '2026-04-01T00:00:00Z', 'event_data', json_build_object(
    'tags', (SELECT json_agg('t' || n) FROM generate_series(1, 30) AS n))), now => '2026-04-01Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.track(:other, json_build_object('event_name', 'x', 'timestamp', '2026-04-01T00:00:01Z', 'event_data', json_build_object(
    'tags', ARRAY[repeat('ü', 100), ' ' || repeat('é', 100) || ' ', repeat('x', 101)])), now => '2026-04-01Z') ->> 'accepted' AS accepted;
SELECT count(*) AS tags, max(char_length(tag)) AS longest, count(*) FILTER (WHERE tag ~ '^t\d+$') AS numbered FROM leadanalytics.tags_rows(:other, '2026-04-01Z', '2026-04-02Z');
-- by files
SELECT leadanalytics.import_csv(:other, 'tags.csv', 'event_name,visitor_id,timestamp,tag', 2, ARRAY['sale,v1,2020-01-01T10:00:00Z,007', 'sale,v1,2020-01-01T10:00:00Z,']) IS NOT NULL AS imported;
SELECT leadanalytics.tags(:other, '2020-01-01', '2020-01-02');
