-- What share of a range's visitors came from where (S5-02), with what (S5-03), and are where (S5-04).
--
-- A visitor counts with every value that one of his sessions of the range had, or, by page, that he viewed: shares
-- may come to more than 100 percent of the range's visitors, and to less, as who only went on with a session that
-- started before has none (D-50, D-51, D-71).

CREATE FUNCTION leadanalytics.share_types()
RETURNS TABLE (question text, type text, dimension text, unknown text) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES ('traffic', 'referrer', 'referrer', '(direct)'),
           ('traffic', 'campaign', 'utm_campaign', NULL),
           ('traffic', 'page', 'path', NULL),
           ('devices', 'browser', 'browser', 'Unknown'),
           ('devices', 'os', 'os', 'Unknown'),
           ('devices', 'deviceType', 'device_type', 'Unknown'),
           ('locations', 'country', 'country', 'Unknown'),
           ('locations', 'region', 'country_region', 'Unknown'),
           ('locations', 'city', 'country_city', 'Unknown')
$$;
COMMENT ON FUNCTION leadanalytics.share_types() IS
    'the types of traffic, devices and locations: the dimension of leadanalytics.dimensions(), and how no value is called, null: it is left out; for reports';

CREATE FUNCTION leadanalytics.shares(
    workspace int, question text, type text, starts timestamptz, ends timestamptz, "limit" int, now timestamptz, include_bots boolean,
    OUT place bigint, OUT name text, OUT count bigint, OUT percentage numeric, OUT code text)
RETURNS SETOF record LANGUAGE plpgsql STABLE AS $$
DECLARE
    asked record;
BEGIN
    SELECT t.* INTO asked FROM leadanalytics.share_types() t WHERE t.question = shares.question AND t.type = shares.type;
    IF asked.type IS NULL THEN
        RAISE EXCEPTION 'Invalid type' USING ERRCODE = 'LA400',
            HINT = 'One of ' || (SELECT string_agg(t.type, ', ') FROM leadanalytics.share_types() t WHERE t.question = shares.question) || '.';
    END IF;
    -- One more is asked for where one may be left out.
    RETURN QUERY
    WITH answer AS MATERIALIZED (
        SELECT a.dimension, a.value, a.members, a.place
        FROM leadanalytics.answer(shares.workspace, ARRAY['total', asked.dimension], ARRAY[starts, ends], shares.now, coalesce(shares.include_bots, false), true,
                                  coalesce(least("limit", 2147483646) + (asked.unknown IS NULL)::int, 0), true,
                                  CASE asked.dimension WHEN 'referrer' THEN ARRAY(SELECT o.host FROM leadanalytics.own_hosts(shares.workspace) AS o (host)) ELSE '{}' END)
                 WITH ORDINALITY AS a (dimension, slot, value, counts, members, place)
        WHERE starts < ends
    ), total AS (
        SELECT coalesce((SELECT a.members FROM answer a WHERE a.dimension = 'total'), 0) AS visitors
    )
    SELECT 0::bigint, NULL, t.visitors, NULL::numeric, NULL FROM total t
    UNION ALL
    (SELECT a.place,
            CASE WHEN a.value IS NULL THEN asked.unknown
                 WHEN asked.dimension = 'country' THEN coalesce(leadanalytics.country_name(a.value), a.value)
                 WHEN starts_with(asked.dimension, 'country_') THEN substr(a.value, strpos(a.value, '/') + 1)
                 ELSE a.value END,
            a.members, leadanalytics.ratio(100.0 * a.members, t.visitors, 1),
            CASE WHEN starts_with(asked.dimension, 'country') THEN nullif(split_part(a.value, '/', 1), '') END
     FROM answer a, total t
     WHERE a.dimension <> 'total' AND coalesce(a.value, asked.unknown) IS NOT NULL
     ORDER BY a.place LIMIT "limit");
END
$$;
COMMENT ON FUNCTION leadanalytics.shares(int, text, text, timestamptz, timestamptz, int, timestamptz, boolean) IS
    'first the range''s visitors (place 0), then those of each value of a type, most first, and their share in percent; code: of the country a place is in; for reports, which asked who calls';

CREATE FUNCTION leadanalytics.shares_json(
    workspace int, question text, type text, start_date text, end_date text, "limit" int, now timestamptz, include_bots boolean)
RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
    asked CONSTANT record := leadanalytics.period(shares_json.workspace, start_date, end_date);
BEGIN
    RETURN (
        SELECT json_build_object(
            'data', coalesce(json_agg(CASE question
                        WHEN 'locations' THEN json_build_object('name', s.name, 'count', s.count, 'percentage', s.percentage, 'code', s.code)
                        ELSE json_build_object('name', s.name, 'count', s.count, 'percentage', s.percentage) END ORDER BY s.place) FILTER (WHERE s.place > 0), '[]'),
            'total', max(s.count) FILTER (WHERE s.place = 0),
            'type', shares_json.type)
        FROM leadanalytics.shares(shares_json.workspace, shares_json.question, shares_json.type, asked.starts, asked.ends,
                                  least(greatest(shares_json."limit", 1), 100), shares_json.now, shares_json.include_bots) s);
END
$$;
COMMENT ON FUNCTION leadanalytics.shares_json(int, text, text, text, text, int, timestamptz, boolean) IS
    'the body of traffic, devices and locations; for reports';

CREATE FUNCTION leadanalytics.traffic_rows(
    workspace int,
    starts timestamptz,
    ends timestamptz,
    type text DEFAULT 'referrer',
    "limit" int DEFAULT NULL,
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS TABLE (name text, count bigint, percentage numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY
    SELECT s.name, s.count, s.percentage
    FROM leadanalytics.shares(allowed, 'traffic', traffic_rows.type, starts, ends, traffic_rows."limit", traffic_rows.now, traffic_rows.include_bots) s
    WHERE s.place > 0
    ORDER BY s.place;
END
$$;
COMMENT ON FUNCTION leadanalytics.traffic_rows(int, timestamptz, timestamptz, text, int, timestamptz, boolean) IS
    'distinct visitors from starts until before ends, most first, and their share in percent of all of them (a visitor counts with each value): by referrer, the host that referred '
    'a session''s first event ((direct): none, or the workspace''s own); by campaign (utm_campaign of sessions; those without one are left out); by page, the path viewed. limit null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.traffic_rows(int, timestamptz, timestamptz, text, int, timestamptz, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.traffic(
    workspace int,
    start_date text,
    end_date text,
    type text DEFAULT 'referrer',
    "limit" int DEFAULT 20,
    include_bots boolean DEFAULT false,
    now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN leadanalytics.shares_json(traffic.workspace, 'traffic', coalesce(traffic.type, 'referrer'), start_date, end_date, coalesce(traffic."limit", 20), traffic.now, traffic.include_bots);
END
$$;
COMMENT ON FUNCTION leadanalytics.traffic(int, text, text, text, int, boolean, timestamptz) IS
    'visitors by referrer, campaign or page, the first 1 to 100, with their share of the visitors of the range (total); both dates inclusive';
GRANT EXECUTE ON FUNCTION leadanalytics.traffic(int, text, text, text, int, boolean, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.devices_rows(
    workspace int,
    starts timestamptz,
    ends timestamptz,
    type text DEFAULT 'browser',
    "limit" int DEFAULT NULL,
    now timestamptz DEFAULT now())
RETURNS TABLE (name text, count bigint, percentage numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY
    SELECT s.name, s.count, s.percentage
    FROM leadanalytics.shares(allowed, 'devices', devices_rows.type, starts, ends, devices_rows."limit", devices_rows.now, false) s
    WHERE s.place > 0
    ORDER BY s.place;
END
$$;
COMMENT ON FUNCTION leadanalytics.devices_rows(int, timestamptz, timestamptz, text, int, timestamptz) IS
    'distinct visitors of the sessions that started from starts until before ends, by browser, os or deviceType, most first, and their share in percent of all visitors; limit null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.devices_rows(int, timestamptz, timestamptz, text, int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.devices(
    workspace int,
    start_date text,
    end_date text,
    type text DEFAULT 'browser',
    "limit" int DEFAULT 15,
    now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN leadanalytics.shares_json(devices.workspace, 'devices', coalesce(devices.type, 'browser'), start_date, end_date, coalesce(devices."limit", 15), devices.now, false);
END
$$;
COMMENT ON FUNCTION leadanalytics.devices(int, text, text, text, int, timestamptz) IS
    'visitors by browser, os or deviceType, the first 1 to 100, with their share of the visitors of the range (total); both dates inclusive';
GRANT EXECUTE ON FUNCTION leadanalytics.devices(int, text, text, text, int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.locations_rows(
    workspace int,
    starts timestamptz,
    ends timestamptz,
    type text DEFAULT 'country',
    "limit" int DEFAULT NULL,
    now timestamptz DEFAULT now())
RETURNS TABLE (name text, count bigint, percentage numeric, code text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY
    SELECT s.name, s.count, s.percentage, s.code
    FROM leadanalytics.shares(allowed, 'locations', locations_rows.type, starts, ends, locations_rows."limit", locations_rows.now, false) s
    WHERE s.place > 0
    ORDER BY s.place;
END
$$;
COMMENT ON FUNCTION leadanalytics.locations_rows(int, timestamptz, timestamptz, text, int, timestamptz) IS
    'distinct visitors of the sessions that started from starts until before ends, by country, region or city, most first, and their share in percent of all visitors. code: ISO 3166, '
    'of a region or city its country''s: a row is a name and a code. Where the place is not known: Unknown, code null; limit null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.locations_rows(int, timestamptz, timestamptz, text, int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.locations(
    workspace int,
    start_date text,
    end_date text,
    type text DEFAULT 'country',
    "limit" int DEFAULT 15,
    now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN leadanalytics.shares_json(locations.workspace, 'locations', coalesce(locations.type, 'country'), start_date, end_date, coalesce(locations."limit", 15), locations.now, false);
END
$$;
COMMENT ON FUNCTION leadanalytics.locations(int, text, text, text, int, timestamptz) IS
    'visitors by country, region or city, the first 1 to 100, with their share of the visitors of the range (total); code is the country''s; both dates inclusive';
GRANT EXECUTE ON FUNCTION leadanalytics.locations(int, text, text, text, int, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, summary, example, builtin) VALUES
    ('GET', '/api/v1/traffic', 'leadanalytics.traffic', 'public', '{sdk,agent}', true, 'Visitors by referrer, campaign or page',
     '{"data": [{"name": "google.com", "count": 4500, "percentage": 36.1}, {"name": "twitter.com", "count": 2100, "percentage": 16.8}, {"name": "(direct)", "count": 1800, "percentage": 14.4}], "total": 12450, "type": "referrer"}', true),
    ('GET', '/api/v1/devices', 'leadanalytics.devices', 'public', '{sdk,agent}', true, 'Visitors by browser, OS or device type',
     '{"data": [{"name": "Chrome", "count": 7800, "percentage": 62.6}, {"name": "Safari", "count": 2800, "percentage": 22.5}, {"name": "Firefox", "count": 1200, "percentage": 9.6}], "total": 12450, "type": "browser"}', true),
    ('GET', '/api/v1/locations', 'leadanalytics.locations', 'public', '{sdk,agent}', true, 'Visitors by country, region or city',
     '{"data": [{"name": "United States", "count": 8200, "percentage": 65.8, "code": "US"}, {"name": "United Kingdom", "count": 1500, "percentage": 12.0, "code": "GB"}, {"name": "Germany", "count": 800, "percentage": 6.4, "code": "DE"}], "total": 12450, "type": "country"}', true);
SELECT leadanalytics.takes_range(path) FROM unnest('{/api/v1/traffic,/api/v1/devices,/api/v1/locations}'::text[]) AS u (path);
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, choices, lenient, fallback, position, example, summary)
SELECT 'GET', '/api/v1/' || q.question, p.name, p.name, p.type, p.min, p.max, p.choices, p.lenient, p.fallback, p.position, p.fallback, p.summary
FROM (VALUES ('traffic', 20), ('devices', 15), ('locations', 15)) AS q (question, "limit")
CROSS JOIN LATERAL (SELECT array_agg(t.type) AS types FROM leadanalytics.share_types() t WHERE t.question = q.question) AS s
CROSS JOIN LATERAL (VALUES
    ('type', 'text', NULL::int, NULL::int, s.types, false, s.types[1], 3, 'by what'),
    ('limit', 'int', 1, 100, NULL, true, q."limit"::text, 4, 'how many')
) AS p (name, type, min, max, choices, lenient, fallback, position, summary);
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, lenient, fallback, position, example, summary) VALUES
    ('GET', '/api/v1/traffic', 'include_bots', 'include_bots', 'boolean', true, 'false', 9, 'false', 'true: robots'' events count too (they make no sessions)');
