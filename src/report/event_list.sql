-- The public list of events (S5-05), newest first: received_at (which is "at", D-70) desc, id desc. That order is
-- total, and an event's place in it never changes; so a page can only be moved by events that come in above it.
--
-- How many there are, and where an offset falls, is the engine's to say while one dimension answers for the filter:
-- counts by day, then by quarter of an hour, tell the stretches of time that have the page, and only their rows are
-- read. Filters of several dimensions are counted row by row.

CREATE TYPE leadanalytics.events_found AS (
    total bigint, skip bigint, froms timestamptz[], tos timestamptz[], names int[], is_custom boolean, pages int[], campaigns int[], places int[]);
COMMENT ON TYPE leadanalytics.events_found IS
    'which events a list has: how many in all; the stretches of time that have the page, the latest first, and how many to skip there; '
    'the numbers of the dictionary that its filters mean (null: no filter), and whether all of the names are custom events there';

CREATE FUNCTION leadanalytics.find_events(
    workspace int, starts timestamptz, ends timestamptz, event_names text[], utm_source text, utm_medium text, utm_campaign text,
    country text, region text, city text, page_path text, "limit" int, "offset" bigint, include_bots boolean)
RETURNS leadanalytics.events_found
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    picked leadanalytics.events_found;
    since timestamptz := greatest(starts, leadanalytics.rows_since(workspace)); -- of what is gone there is nothing to list
    until timestamptz := ends;
    zone CONSTANT text := (SELECT w.timezone FROM leadanalytics.workspace w WHERE w.id = find_events.workspace);
    -- what each filter asks of, and which part of the dictionary's entry that is
    filters CONSTANT text[] := array_remove(ARRAY[
        CASE WHEN cardinality(event_names) > 0 THEN 'event_name' END, CASE WHEN page_path <> '' THEN 'event_path' END,
        CASE WHEN utm_source <> '' THEN 'event_utm_source' END, CASE WHEN utm_medium <> '' THEN 'event_utm_medium' END,
        CASE WHEN utm_campaign <> '' THEN 'event_utm_campaign' END,
        CASE WHEN country <> '' THEN 'event_country' END, CASE WHEN region <> '' THEN 'event_region' END, CASE WHEN city <> '' THEN 'event_city' END], NULL);
    part CONSTANT int := CASE WHEN filters[1] IN ('event_utm_source', 'event_country') THEN 1
                              WHEN filters[1] IN ('event_utm_medium', 'event_region') THEN 2 ELSE 3 END;
    -- by number: a path is a part of many addresses, and several filters of one entry are one
    dimension CONSTANT text := CASE WHEN cardinality(filters) = 0 THEN 'total' WHEN filters = '{event_path}' THEN 'event_page' WHEN cardinality(filters) = 1 THEN filters[1]
                                    WHEN filters <@ '{event_utm_source,event_utm_medium,event_utm_campaign}' THEN 'event_campaign'
                                    WHEN filters <@ '{event_country,event_region,event_city}' THEN 'event_place' END;
    most CONSTANT bigint := coalesce("limit", 2147483647);
    only_values text[] := '{}';
    steps text[];
    step text;
    cuts timestamptz[];
    counted bigint;
    within bigint;
BEGIN
    picked.total := 0;
    picked.skip := least(greatest("offset", 0), 1000000000000);
    IF NOT isfinite(since) THEN
        since := (SELECT min(e.at) FROM leadanalytics.event e WHERE e.workspace = find_events.workspace);
    END IF;
    IF NOT isfinite(until) THEN
        until := (SELECT max(e.at) FROM leadanalytics.event e WHERE e.workspace = find_events.workspace) + interval '1 microsecond';
    END IF;
    IF (since < until) IS NOT TRUE THEN
        RETURN picked;
    END IF;
    IF 'event_name' = ANY (filters) THEN
        picked.names := ARRAY(SELECT t.id FROM unnest(event_names) AS n (name), leadanalytics.text_term(find_events.workspace, n.name) AS t (id) WHERE t.id IS NOT NULL);
    END IF;
    IF 'event_path' = ANY (filters) THEN
        picked.pages := ARRAY(
            SELECT t.id FROM leadanalytics.term t
            WHERE t.workspace = find_events.workspace AND t.kind = 'page'
              AND left(t.parts[2], 64) = left(find_events.page_path, 64) AND t.parts[2] = find_events.page_path);
    END IF;
    IF filters && '{event_utm_source,event_utm_medium,event_utm_campaign}' THEN
        picked.campaigns := ARRAY(
            SELECT t.id FROM leadanalytics.term t
            WHERE t.workspace = find_events.workspace AND t.kind = 'campaign'
              AND (coalesce(find_events.utm_source, '') = '' OR lower(t.parts[1]) = lower(find_events.utm_source))
              AND (coalesce(find_events.utm_medium, '') = '' OR lower(t.parts[2]) = lower(find_events.utm_medium))
              AND (coalesce(find_events.utm_campaign, '') = '' OR lower(t.parts[3]) = lower(find_events.utm_campaign)));
    END IF;
    IF filters && '{event_country,event_region,event_city}' THEN
        picked.places := ARRAY(
            SELECT t.id FROM leadanalytics.term t
            WHERE t.workspace = find_events.workspace AND t.kind = 'place'
              AND (coalesce(find_events.country, '') = '' OR lower(t.parts[1]) = lower(find_events.country))
              AND (coalesce(find_events.region, '') = '' OR lower(t.parts[2]) = lower(find_events.region))
              AND (coalesce(find_events.city, '') = '' OR lower(t.parts[3]) = lower(find_events.city)));
    END IF;
    IF '{}' IN (picked.names, picked.pages, picked.campaigns, picked.places) THEN
        RETURN picked;
    END IF;

    IF dimension IS NULL THEN
        IF picked.names IS NOT NULL THEN -- custom events have an index of their own
            within := (SELECT sum(a.counts[1]) FROM leadanalytics.answer(
                find_events.workspace, '{event_name}', ARRAY[since, until], now(), include_bots, false, only_values => event_names) a);
            SELECT count(*) = within INTO picked.is_custom
            FROM leadanalytics.event e
            WHERE e.workspace = find_events.workspace AND e.name = ANY (picked.names) AND e.kind = 'c' AND e.at >= since AND e.at < until AND (include_bots OR NOT e.is_bot);
        END IF;
        IF picked.is_custom THEN
            SELECT count(*) INTO picked.total
            FROM leadanalytics.event e
            WHERE e.workspace = find_events.workspace AND e.name = ANY (picked.names) AND e.kind = 'c'
              AND e.at >= since AND e.at < until AND (include_bots OR NOT e.is_bot) AND (picked.pages IS NULL OR e.page = ANY (picked.pages))
              AND (picked.campaigns IS NULL OR e.campaign = ANY (picked.campaigns)) AND (picked.places IS NULL OR e.place = ANY (picked.places));
        ELSE
            SELECT count(*) INTO picked.total
            FROM leadanalytics.event e
            WHERE e.workspace = find_events.workspace AND e.at >= since AND e.at < until AND (include_bots OR NOT e.is_bot)
              AND (picked.names IS NULL OR e.name = ANY (picked.names)) AND (picked.pages IS NULL OR e.page = ANY (picked.pages))
              AND (picked.campaigns IS NULL OR e.campaign = ANY (picked.campaigns)) AND (picked.places IS NULL OR e.place = ANY (picked.places));
        END IF;
        IF picked.skip < picked.total THEN
            picked.froms := ARRAY[since];
            picked.tos := ARRAY[until];
        END IF;
        RETURN picked;
    END IF;

    IF dimension <> 'total' THEN -- the texts as they are stored: more than one when they differ in case
        only_values := CASE
            WHEN dimension = 'event_name' THEN event_names
            WHEN dimension IN ('event_page', 'event_campaign', 'event_place') THEN coalesce(picked.pages, picked.campaigns, picked.places)::text[]
            ELSE ARRAY(SELECT DISTINCT t.parts[part] FROM leadanalytics.term t
                       WHERE t.workspace = find_events.workspace AND t.id = ANY (coalesce(picked.campaigns, picked.places))) END;
    END IF;
    picked.froms := ARRAY[since];
    picked.tos := ARRAY[until];
    -- The first rows of all are the first of the index; and each of these answers is one of a few hundred stretches.
    steps := CASE WHEN dimension = 'total' AND picked.skip + most <= 5000 THEN '{whole}'
                  WHEN until - since > interval '100 days' THEN '{month,day,quarter}' ELSE '{day,quarter}' END;
    FOREACH step IN ARRAY steps
    LOOP
        IF step = 'quarter' THEN -- of days that have them; in others, rows would have to be read to tell
            SELECT array_agg(DISTINCT c.at ORDER BY c.at) INTO cuts
            FROM unnest(picked.froms, picked.tos) AS w (lo, hi)
            CROSS JOIN LATERAL (
                SELECT bool_and(EXISTS (SELECT FROM leadanalytics.bucket b
                                        WHERE b.workspace = find_events.workspace AND b.starts = d.day AND b.grain = 'q' AND b.zone = '')) AS has
                FROM generate_series(date_trunc('day', w.lo, 'UTC'), w.hi - interval '1 microsecond', '1 day') AS d (day)) AS quarters
            CROSS JOIN LATERAL (
                SELECT w.lo UNION ALL SELECT w.hi UNION ALL
                SELECT q.at FROM generate_series(date_bin('15 minutes', w.lo, '2000-01-01Z') + interval '15 minutes', w.hi, '15 minutes') AS q (at) WHERE quarters.has AND q.at < w.hi
            ) AS c (at);
        ELSIF step = 'whole' THEN
            cuts := ARRAY[since, until];
        ELSE
            SELECT array_agg(DISTINCT c.at ORDER BY c.at) INTO cuts
            FROM unnest(picked.froms, picked.tos) AS w (lo, hi)
            CROSS JOIN LATERAL (
                SELECT w.lo UNION ALL SELECT w.hi UNION ALL SELECT s.at FROM leadanalytics.steps(w.lo, w.hi, step, zone) AS s (at) WHERE s.at > w.lo AND s.at < w.hi
            ) AS c (at);
        END IF;
        WITH answer AS MATERIALIZED (
            SELECT a.slot, sum(a.counts[1])::bigint AS n
            FROM leadanalytics.answer(find_events.workspace, ARRAY[dimension], cuts, now(), include_bots, false, only_values => only_values) a
            GROUP BY a.slot
        ), slot AS ( -- the only one is not told apart
            SELECT a.slot, a.n, (sum(a.n) OVER (ORDER BY a.slot DESC) - a.n)::bigint AS above
            FROM (SELECT slot, n FROM answer WHERE slot > 0 UNION ALL SELECT 1, n FROM answer WHERE cardinality(cuts) = 2) AS a
        ), needed AS (
            SELECT s.n, cuts[s.slot] AS lo, cuts[s.slot + 1] AS hi, s.above, s.slot
            FROM slot s WHERE s.n > 0 AND s.above < picked.skip + most AND s.above + s.n > picked.skip
        )
        SELECT coalesce((SELECT a.n FROM answer a WHERE a.slot = 0), 0),
               array_agg(n.lo ORDER BY n.slot DESC), array_agg(n.hi ORDER BY n.slot DESC), picked.skip - min(n.above), sum(n.n)
        INTO counted, picked.froms, picked.tos, picked.skip, within FROM needed n;
        IF step = steps[1] THEN
            picked.total := counted;
        END IF;
        EXIT WHEN picked.froms IS NULL;
    END LOOP;
    -- Stretches that meet are one.
    SELECT array_agg(m.lo ORDER BY m.lo DESC), array_agg(m.hi ORDER BY m.lo DESC) INTO picked.froms, picked.tos
    FROM (SELECT min(g.lo) AS lo, max(g.hi) AS hi
          FROM (SELECT b.lo, b.hi, count(*) FILTER (WHERE b.breaks) OVER (ORDER BY b.lo DESC) AS nth
                FROM (SELECT w.lo, w.hi, w.hi IS DISTINCT FROM lag(w.lo) OVER (ORDER BY w.lo DESC) AS breaks
                      FROM unnest(picked.froms, picked.tos) AS w (lo, hi)) AS b) AS g
          GROUP BY g.nth) AS m;
    IF picked.names IS NOT NULL THEN -- custom events have an index of their own
        SELECT count(*) = within INTO picked.is_custom
        FROM leadanalytics.event e
        WHERE e.workspace = find_events.workspace AND e.name = ANY (picked.names) AND e.kind = 'c'
          AND e.at >= picked.froms[cardinality(picked.froms)] AND e.at < picked.tos[1] AND (include_bots OR NOT e.is_bot);
    END IF;
    RETURN picked;
END
$$;
COMMENT ON FUNCTION leadanalytics.find_events(int, timestamptz, timestamptz, text[], text, text, text, text, text, text, text, int, bigint, boolean) IS
    'how many events a list has, and where a page of it lies; for who asked who calls';

CREATE FUNCTION leadanalytics.read_events(workspace int, picked leadanalytics.events_found, "limit" int, include_bots boolean)
RETURNS TABLE (
    id text, event_name text, visitor_id text, session_id text, user_id text, received_at timestamptz, page_path text, page_title text, page_url text,
    referrer text, geo_country text, geo_country_code text, geo_region text, geo_city text, utm_source text, utm_medium text, utm_campaign text,
    browser text, os text, device_type text, screen_width int, screen_height int, source text, event_data jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    missing bigint := coalesce("limit", 2147483647);
    n CONSTANT int := coalesce(cardinality(picked.froms), 0);
    events leadanalytics.event[] := '{}';
BEGIN
    IF picked.is_custom THEN -- by name
        events := ARRAY(
            SELECT e FROM leadanalytics.event e
            WHERE e.workspace = read_events.workspace AND e.name = ANY (picked.names) AND e.kind = 'c'
              AND e.at >= picked.froms[n] AND e.at < picked.tos[1] AND (include_bots OR NOT e.is_bot) AND (picked.pages IS NULL OR e.page = ANY (picked.pages))
              AND (picked.campaigns IS NULL OR e.campaign = ANY (picked.campaigns)) AND (picked.places IS NULL OR e.place = ANY (picked.places))
            ORDER BY e.at DESC, e.id DESC OFFSET picked.skip LIMIT missing);
    ELSE
        FOR i IN 1 .. n LOOP
            events := events || ARRAY(
                SELECT e FROM leadanalytics.event e
                WHERE e.workspace = read_events.workspace AND e.at >= picked.froms[i] AND e.at < picked.tos[i] AND (include_bots OR NOT e.is_bot)
                  AND (picked.names IS NULL OR e.name = ANY (picked.names)) AND (picked.pages IS NULL OR e.page = ANY (picked.pages))
                  AND (picked.campaigns IS NULL OR e.campaign = ANY (picked.campaigns)) AND (picked.places IS NULL OR e.place = ANY (picked.places))
                ORDER BY e.at DESC, e.id DESC OFFSET CASE WHEN i = 1 THEN picked.skip ELSE 0 END LIMIT missing - cardinality(events));
            EXIT WHEN cardinality(events) >= missing;
        END LOOP;
    END IF;
    -- Texts for those that are shown.
    RETURN QUERY
    SELECT 'evt_' || e.id, name.parts[1], v.visitor_id, coalesce(s.session_id, s.number::text), coalesce(root.user_id, named.user_id), e.at,
           page.parts[2], title.parts[1], page.parts[1], referrer.parts[1], place.parts[1], place.parts[1], place.parts[2], place.parts[3],
           campaign.parts[1], campaign.parts[2], campaign.parts[3], agent.parts[2], agent.parts[4], agent.parts[7],
           e.screen_width::int, e.screen_height::int, source.parts[1], coalesce(e.data, '{}')
    FROM unnest(events) WITH ORDINALITY AS e
    LEFT JOIN LATERAL (SELECT t.parts FROM leadanalytics.term t WHERE t.workspace = e.workspace AND t.id = e.name OFFSET 0) AS name ON true
    LEFT JOIN LATERAL (SELECT t.parts FROM leadanalytics.term t WHERE t.workspace = e.workspace AND t.id = e.page OFFSET 0) AS page ON true
    LEFT JOIN LATERAL (SELECT t.parts FROM leadanalytics.term t WHERE t.workspace = e.workspace AND t.id = e.title OFFSET 0) AS title ON true
    LEFT JOIN LATERAL (SELECT t.parts FROM leadanalytics.term t WHERE t.workspace = e.workspace AND t.id = e.referrer OFFSET 0) AS referrer ON true
    LEFT JOIN LATERAL (SELECT t.parts FROM leadanalytics.term t WHERE t.workspace = e.workspace AND t.id = e.place OFFSET 0) AS place ON true
    LEFT JOIN LATERAL (SELECT t.parts FROM leadanalytics.term t WHERE t.workspace = e.workspace AND t.id = e.campaign OFFSET 0) AS campaign ON true
    LEFT JOIN LATERAL (SELECT t.parts FROM leadanalytics.term t WHERE t.workspace = e.workspace AND t.id = e.agent OFFSET 0) AS agent ON true
    LEFT JOIN LATERAL (SELECT t.parts FROM leadanalytics.term t WHERE t.workspace = e.workspace AND t.id = e.source OFFSET 0) AS source ON true
    LEFT JOIN LATERAL (SELECT v.visitor_id, v.person FROM leadanalytics.visitor v WHERE v.workspace = e.workspace AND v.number = e.visitor OFFSET 0) AS v ON true
    LEFT JOIN LATERAL (SELECT s.session_id, s.number FROM leadanalytics.session s WHERE s.workspace = e.workspace AND s.number = e.session OFFSET 0) AS s ON true
    LEFT JOIN LATERAL (SELECT p.user_id, p.alias_of FROM leadanalytics.person p
                           WHERE p.workspace = e.workspace AND p.number = coalesce(e.person, v.person) OFFSET 0) AS named ON true
    LEFT JOIN LATERAL (SELECT p.user_id FROM leadanalytics.person p WHERE p.workspace = e.workspace AND p.number = named.alias_of OFFSET 0) AS root ON true
    ORDER BY e.ordinality;
END
$$;
COMMENT ON FUNCTION leadanalytics.read_events(int, leadanalytics.events_found, int, boolean) IS 'the page of a list that leadanalytics.find_events() found; for who asked who calls';

CREATE FUNCTION leadanalytics.list_events_rows(
    workspace int, starts timestamptz, ends timestamptz, event_names text[] DEFAULT '{}', of_source text DEFAULT NULL, of_medium text DEFAULT NULL,
    of_campaign text DEFAULT NULL, country text DEFAULT NULL, region text DEFAULT NULL, city text DEFAULT NULL, path text DEFAULT NULL,
    "limit" int DEFAULT 100, "offset" bigint DEFAULT 0, include_bots boolean DEFAULT false)
RETURNS TABLE (
    id text, event_name text, visitor_id text, session_id text, user_id text, received_at timestamptz, page_path text, page_title text, page_url text,
    referrer text, geo_country text, geo_country_code text, geo_region text, geo_city text, utm_source text, utm_medium text, utm_campaign text,
    browser text, os text, device_type text, screen_width int, screen_height int, source text, event_data jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY
    SELECT r.* FROM leadanalytics.read_events(allowed, leadanalytics.find_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14), $12, $14) r;
END
$$;
COMMENT ON FUNCTION leadanalytics.list_events_rows(int, timestamptz, timestamptz, text[], text, text, text, text, text, text, text, int, bigint, boolean) IS
    'web events from starts until before ends, newest first (at, then id): those of any of the names ({}: all), and of the campaign, the place (whatever their case) '
    'and the path that are named (null: any); limit null: all; exact and current, whatever is folded';
GRANT EXECUTE ON FUNCTION leadanalytics.list_events_rows(int, timestamptz, timestamptz, text[], text, text, text, text, text, text, text, int, bigint, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.list_events(
    workspace int, start_date text, end_date text, event_name text DEFAULT NULL, utm_source text DEFAULT NULL, utm_medium text DEFAULT NULL,
    utm_campaign text DEFAULT NULL, country text DEFAULT NULL, region text DEFAULT NULL, city text DEFAULT NULL, page_path text DEFAULT NULL,
    "limit" int DEFAULT 100, "offset" bigint DEFAULT 0, include_bots boolean DEFAULT false)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    range CONSTANT record := leadanalytics.period(allowed, start_date, end_date);
    most CONSTANT int := least(greatest(coalesce("limit", 100), 1), 1000);
    skipped CONSTANT bigint := greatest(coalesce("offset", 0), 0);
    bots CONSTANT boolean := coalesce(include_bots, false);
    picked leadanalytics.events_found;
BEGIN
    picked := leadanalytics.find_events(
        allowed, range.starts, range.ends, ARRAY(SELECT DISTINCT btrim(n.name) FROM string_to_table(event_name, ',') AS n (name) WHERE btrim(n.name) <> ''),
        utm_source, utm_medium, utm_campaign, country, region, city, page_path, most, skipped, bots);
    RETURN (
        SELECT json_build_object(
            'events', coalesce(json_agg(r), '[]'),
            'total_count', picked.total, 'has_more', skipped + count(r.id) < picked.total, 'limit', most, 'offset', skipped)
        FROM (
            SELECT e.id, e.event_name, e.visitor_id, e.session_id, e.user_id, leadanalytics.utc_milliseconds(e.received_at) AS received_at, e.page_path,
                   e.page_title, e.page_url, e.referrer, e.geo_country, e.geo_country_code, e.geo_region, e.geo_city, e.utm_source, e.utm_medium,
                   e.utm_campaign, e.browser, e.os, e.device_type, e.screen_width::text, e.screen_height::text, e.source, e.event_data
            FROM leadanalytics.read_events(allowed, picked, most, bots) e) AS r);
END
$$;
COMMENT ON FUNCTION leadanalytics.list_events(int, text, text, text, text, text, text, text, text, text, text, int, bigint, boolean) IS
    'a page of a range''s web events, newest first, and how many there are: see leadanalytics.list_events_rows(); event_name: names between commas';
GRANT EXECUTE ON FUNCTION leadanalytics.list_events(int, text, text, text, text, text, text, text, text, text, text, int, bigint, boolean) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, summary, example, builtin) VALUES
    ('GET', '/api/v1/events', 'leadanalytics.list_events', 'public', '{sdk,agent}', true, 'Events, newest first, page by page',
     '{"events": [{"id": "evt_abc123", "event_name": "pageview", "visitor_id": "v_xxx", "session_id": "s_xxx", "user_id": "u_xxx", "received_at": "2026-03-16T14:32:45.123Z", '
     '"page_path": "/pricing", "page_title": "Pricing - Acme", "page_url": "https://acme.com/pricing", "referrer": "https://google.com", "geo_country": "US", '
     '"geo_country_code": "US", "geo_region": "Texas", "geo_city": "Austin", "utm_source": "google", "utm_medium": "cpc", "utm_campaign": "spring_sale", '
     '"browser": "Chrome", "os": "macOS", "device_type": "desktop", "screen_width": "1920", "screen_height": "1080", "source": "web", "event_data": {}}], '
     '"total_count": 34200, "has_more": true, "limit": 100, "offset": 0}', true);
SELECT leadanalytics.takes_range('/api/v1/events', 'the first moment, ISO 8601', 'the last one, all of which counts');
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary) VALUES
    ('GET', '/api/v1/events', 'event_name', 'event_name', 'text', NULL, NULL, false, NULL, 3, 'purchase', 'names, with commas between'),
    ('GET', '/api/v1/events', 'utm_source', 'utm_source', 'text', NULL, NULL, false, NULL, 4, 'google', 'whatever its case'),
    ('GET', '/api/v1/events', 'utm_medium', 'utm_medium', 'text', NULL, NULL, false, NULL, 5, 'cpc', 'whatever its case'),
    ('GET', '/api/v1/events', 'utm_campaign', 'utm_campaign', 'text', NULL, NULL, false, NULL, 6, 'spring_sale', 'whatever its case'),
    ('GET', '/api/v1/events', 'country', 'country', 'text', NULL, NULL, false, NULL, 7, 'US', 'ISO 3166 code, whatever its case'),
    ('GET', '/api/v1/events', 'region', 'region', 'text', NULL, NULL, false, NULL, 8, 'Texas', 'in English, whatever its case'),
    ('GET', '/api/v1/events', 'city', 'city', 'text', NULL, NULL, false, NULL, 9, 'Austin', 'in English, whatever its case'),
    ('GET', '/api/v1/events', 'page_path', 'page_path', 'text', NULL, NULL, false, NULL, 10, '/pricing', 'exactly'),
    ('GET', '/api/v1/events', 'limit', 'limit', 'int', 1, 1000, true, '100', 11, '100', 'how many'),
    ('GET', '/api/v1/events', 'offset', 'offset', 'bigint', 0, 1000000000, true, '0', 12, '0', 'after how many of the newest'),
    ('GET', '/api/v1/events', 'include_bots', 'include_bots', 'boolean', NULL, NULL, true, 'false', 13, 'false', 'true: robots'' events, too');
