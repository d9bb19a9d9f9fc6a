-- The list of users (S5-09): persons and visitors who did something in a range, latest first.

-- Ids that begin like the search, e-mail addresses that have it in them.
CREATE FUNCTION leadanalytics.users_like(workspace int, search text)
RETURNS TABLE (owner int, is_person boolean) LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- the least text behind all that begin like it, but for those that go on with the last character there is
    behind CONSTANT text := search || U&'\+10FFFF';
    needle CONSTANT text := lower(search);
BEGIN
    RETURN QUERY
    SELECT coalesce(a.alias_of, found.person, found.number), found.person IS NOT NULL
    FROM (
        SELECT v.number, v.person FROM leadanalytics.visitor v
        WHERE v.workspace = users_like.workspace AND v.visitor_id >= search AND v.visitor_id < behind
        UNION ALL
        SELECT p.number, p.number FROM leadanalytics.person p
        WHERE p.workspace = users_like.workspace AND p.user_id >= search AND p.user_id < behind
        UNION ALL
        SELECT v.number, v.person FROM leadanalytics.visitor v
        WHERE v.workspace = users_like.workspace AND v.email IS NOT NULL AND strpos(lower(v.email), needle) > 0
          AND leadanalytics.grams(v.workspace, lower(v.email)) @> leadanalytics.needle_grams(users_like.workspace, needle)
        UNION ALL
        SELECT p.number, p.number FROM leadanalytics.person p
        WHERE p.workspace = users_like.workspace AND p.email IS NOT NULL AND strpos(lower(p.email), needle) > 0
          AND leadanalytics.grams(p.workspace, lower(p.email)) @> leadanalytics.needle_grams(users_like.workspace, needle)) AS found
    LEFT JOIN leadanalytics.person a ON a.workspace = users_like.workspace AND a.number = found.person AND a.alias_of IS NOT NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.users_like(int, text) IS
    'persons, and visitors that are nobody''s, an id of whom begins with a text, or whose e-mail address contains it whatever its case; repeats are possible; for reports';

CREATE FUNCTION leadanalytics.active_numbers(workspace int, starts timestamptz, ends timestamptz, now timestamptz, include_bots boolean, with_persons boolean DEFAULT true)
RETURNS bytea LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT with_persons THEN
        RETURN leadanalytics.members(workspace, 'total', starts, ends, now, include_bots);
    END IF;
    RETURN leadanalytics.bitmap_or(
        leadanalytics.members(workspace, 'total', starts, ends, now, include_bots),
        leadanalytics.members(workspace, 'person', starts, ends, now, include_bots));
END
$$;
COMMENT ON FUNCTION leadanalytics.active_numbers(int, timestamptz, timestamptz, timestamptz, boolean, boolean) IS
    'visitors with events in a range, and (with_persons) persons named by events of it that have no visitor, as one set; for reports';

CREATE FUNCTION leadanalytics.users_from_rows(
    workspace int, starts timestamptz, ends timestamptz, search text, include_bots boolean)
RETURNS TABLE (owner int, last_seen timestamptz)
LANGUAGE sql STABLE AS $$
    WITH known AS MATERIALIZED (
        SELECT coalesce(p.alias_of, p.number, v.number) AS owner, v.number, v.visitor_id AS id, v.email
        FROM leadanalytics.visitor v LEFT JOIN leadanalytics.person p ON p.workspace = v.workspace AND p.number = v.person
        WHERE v.workspace = users_from_rows.workspace
        UNION ALL
        SELECT coalesce(p.alias_of, p.number), p.number, p.user_id, p.email FROM leadanalytics.person p WHERE p.workspace = users_from_rows.workspace
    )
    SELECT k.owner, max(e.at)
    FROM leadanalytics.event e JOIN known k ON k.number = coalesce(e.visitor, e.person)
    WHERE e.workspace = users_from_rows.workspace AND (include_bots OR NOT e.is_bot)
      AND (search IS NULL OR k.owner IN (SELECT n.owner FROM known n WHERE starts_with(n.id, search) OR strpos(lower(n.email), lower(search)) > 0))
    GROUP BY k.owner
    HAVING bool_or(e.at >= starts AND e.at < ends)
$$;
COMMENT ON FUNCTION leadanalytics.users_from_rows(int, timestamptz, timestamptz, text, boolean) IS
    'all that leadanalytics.users_page() chooses from, and when each was last seen, from the rows alone';

/*
 * Which users, from sets. A page is of those last seen, so only somewhat more than its users are looked up: those
 * active since a time that is moved back until they are enough.
 */
CREATE FUNCTION leadanalytics.users_page(
    workspace int, starts timestamptz, ends timestamptz, search text, "limit" int, "offset" int, now timestamptz, include_bots boolean, few int DEFAULT 1000,
    OUT owners int[], OUT last_seen timestamptz[], OUT total bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    needed CONSTANT bigint := coalesce("limit", 2147483647)::bigint + "offset";
    persons bytea;   -- of whom there are events without a visitor, ever
    alone boolean;   -- whether there are any
    active bytea;    -- numbers with events in the range
    lone bytea;      -- visitors that are nobody's among those found
    found_persons bytea;
    concerned int[]; -- the persons, if they are few
    there bytea;     -- persons that are asked for
    asked bytea;     -- numbers of the users that are asked for
    newest timestamptz;
    width interval := '1 minute';
    since timestamptz;
    recent bytea;   -- those of asked who were active since then
    is_all boolean;
    n bigint;
    found bigint;
BEGIN
    IF current_setting('leadanalytics.exact')::boolean THEN
        SELECT array_agg(p.owner ORDER BY p.place) FILTER (WHERE p.place > "offset" AND p.place <= needed),
               array_agg(p.last_seen ORDER BY p.place) FILTER (WHERE p.place > "offset" AND p.place <= needed), count(*)
        INTO owners, last_seen, total
        FROM (SELECT r.owner, r.last_seen, row_number() OVER (ORDER BY r.last_seen DESC, r.owner) AS place
              FROM leadanalytics.users_from_rows(users_page.workspace, starts, ends, search, include_bots) r) AS p;
        RETURN;
    END IF;

    persons := leadanalytics.members(workspace, 'person', '-infinity', 'infinity', users_page.now, include_bots);
    alone := leadanalytics.bitmap_cardinality(persons) > 0;
    active := leadanalytics.active_numbers(workspace, starts, ends, users_page.now, include_bots, alone);
    IF search IS NOT NULL THEN
        SELECT leadanalytics.bitmap(coalesce(array_agg(l.owner) FILTER (WHERE NOT l.is_person), '{}')), leadanalytics.bitmap(coalesce(array_agg(l.owner) FILTER (WHERE l.is_person), '{}'))
        INTO lone, found_persons FROM leadanalytics.users_like(users_page.workspace, search) l;
        IF leadanalytics.bitmap_cardinality(found_persons) <= few THEN
            concerned := ARRAY(SELECT leadanalytics.bitmap_numbers(found_persons));
        END IF;
    END IF;
    -- A person was there when any of its numbers was; then all of them tell when it was seen last.
    SELECT leadanalytics.bitmap(coalesce(array_agg(p.owner), '{}')), count(*), coalesce(sum(p.active), 0)
    INTO there, total, n
    FROM (SELECT k.owner, count(*) AS active
          FROM leadanalytics.known_numbers(users_page.workspace, concerned, persons) k
          WHERE leadanalytics.bitmap_contains(active, k.number) AND (search IS NULL OR leadanalytics.bitmap_contains(found_persons, k.owner))
          GROUP BY k.owner) AS p;
    asked := CASE WHEN search IS NULL THEN active ELSE leadanalytics.bitmap_and(active, lone) END;
    total := total + leadanalytics.bitmap_cardinality(asked) - CASE WHEN search IS NULL THEN n ELSE 0 END;
    asked := leadanalytics.bitmap_or(asked, leadanalytics.bitmap(ARRAY(
        SELECT k.number FROM leadanalytics.known_numbers(users_page.workspace, concerned, persons) k WHERE leadanalytics.bitmap_contains(there, k.owner))));
    IF total <= "offset" OR "limit" = 0 THEN
        RETURN;
    END IF;

    SELECT coalesce(max(e.at), starts) INTO newest FROM leadanalytics.event e WHERE e.workspace = users_page.workspace;
    LOOP
        since := newest - width;
        since := CASE WHEN width >= interval '1 day' THEN date_trunc('day', since, 'UTC')
                      WHEN width >= interval '15 minutes' THEN date_bin('15 minutes', since, '2000-01-01Z') ELSE since END;
        is_all := total <= few OR needed >= total OR since <= starts;
        IF is_all THEN
            since := starts;
            recent := asked;
        ELSE
            recent := leadanalytics.bitmap_and(asked, leadanalytics.active_numbers(workspace, since, 'infinity', users_page.now, include_bots, alone));
        END IF;
        n := leadanalytics.bitmap_cardinality(recent);
        width := width * 4;
        CONTINUE WHEN NOT is_all AND n < needed;
        SELECT array_agg(p.owner ORDER BY p.place) FILTER (WHERE p.place > "offset"), array_agg(p.at ORDER BY p.place) FILTER (WHERE p.place > "offset"), count(*)
        INTO owners, last_seen, found
        FROM (
            SELECT s.owner, s.at, row_number() OVER (ORDER BY s.at DESC NULLS LAST, s.owner) AS place
            FROM (SELECT coalesce(p.owner, l.number) AS owner, max(l.at) AS at
                  FROM leadanalytics.last_of(users_page.workspace, recent, since, include_bots) l
                  LEFT JOIN leadanalytics.known_numbers(users_page.workspace, CASE WHEN n <= 10 * few THEN ARRAY(SELECT leadanalytics.bitmap_numbers(recent)) END, persons) p
                      ON p.number = l.number
                  GROUP BY 1) AS s
            ORDER BY 3 LIMIT needed) AS p;
        EXIT WHEN is_all OR found >= needed;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadanalytics.users_page(int, timestamptz, timestamptz, text, int, int, timestamptz, boolean, int) IS
    'a page of the users of a range, last seen first, and how many there are; few: so many are just looked up; for reports';

CREATE FUNCTION leadanalytics.users_rows(
    workspace int,
    starts timestamptz,
    ends timestamptz,
    search text DEFAULT NULL,
    "limit" int DEFAULT NULL,
    "offset" int DEFAULT 0,
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS TABLE (
    visitor_id text, user_id text, email text, first_seen timestamptz, last_seen timestamptz, total_events bigint, total_sessions bigint,
    country text, city text, device text, browser text, total_count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    see_contacts CONSTANT boolean := leadanalytics.sees_contacts(allowed);
BEGIN
    -- Who sees contacts masked cannot find out by searching either.
    IF search <> '' AND NOT see_contacts THEN
        RAISE EXCEPTION 'Forbidden' USING ERRCODE = 'LA403', HINT = 'Marketing sees users, with addresses masked, and searches for none.';
    END IF;
    RETURN QUERY
    WITH page AS MATERIALIZED (
        SELECT p.* FROM leadanalytics.users_page(
            allowed, starts, ends, nullif(search, ''), users_rows."limit", coalesce(users_rows."offset", 0), users_rows.now, coalesce(users_rows.include_bots, false)) p
    )
    SELECT f.visitor_id, f.user_id, CASE WHEN see_contacts THEN f.email ELSE leadanalytics.masked_email(f.email) END, least(f.first_seen, u.last_seen), u.last_seen, f.total_events, f.total_sessions,
           f.country, f.city, f.device, f.browser, p.total
    FROM page p
    LEFT JOIN LATERAL unnest(p.owners, p.last_seen) WITH ORDINALITY AS u (owner, last_seen, place) ON true
    LEFT JOIN leadanalytics.person_facts(allowed, (SELECT q.owners FROM page q), coalesce(users_rows.include_bots, false)) f ON f.owner = u.owner
    ORDER BY u.place;
END
$$;
COMMENT ON FUNCTION leadanalytics.users_rows(int, timestamptz, timestamptz, text, int, int, timestamptz, boolean) IS
    'persons, and visitors that are nobody''s, with events from starts until before ends, last seen first; what is told of them is of all time. '
    'search: an id of theirs begins like it, or an e-mail address contains it; limit null: all. total_count: how many there are; a page without any is one row of nulls and it';
GRANT EXECUTE ON FUNCTION leadanalytics.users_rows(int, timestamptz, timestamptz, text, int, int, timestamptz, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.users(
    workspace int,
    start_date text,
    end_date text,
    search text DEFAULT NULL,
    "limit" int DEFAULT 100,
    "offset" int DEFAULT 0,
    include_bots boolean DEFAULT false,
    now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    period record;
    shown CONSTANT int := least(greatest(coalesce("limit", 100), 1), 1000);
    skipped CONSTANT int := greatest(coalesce("offset", 0), 0);
BEGIN
    SELECT * INTO period FROM leadanalytics.period(users.workspace, start_date, end_date);
    RETURN (
        SELECT json_build_object(
            'users', coalesce(json_agg(json_build_object(
                'visitor_id', r.visitor_id, 'user_id', r.user_id, 'email', r.email,
                'first_seen', leadanalytics.utc_seconds(r.first_seen), 'last_seen', leadanalytics.utc_seconds(r.last_seen),
                'total_events', r.total_events, 'total_sessions', r.total_sessions,
                'country', r.country, 'city', r.city, 'device', r.device, 'browser', r.browser) ORDER BY r.place) FILTER (WHERE r.total_events IS NOT NULL), '[]'),
            'total_count', min(r.total_count),
            'has_more', min(r.total_count) > skipped + count(r.total_events))
        FROM leadanalytics.users_rows(users.workspace, period.starts, period.ends, search, shown, skipped, users.now, include_bots)
            WITH ORDINALITY AS r (visitor_id, user_id, email, first_seen, last_seen, total_events, total_sessions, country, city, device, browser, total_count, place));
END
$$;
COMMENT ON FUNCTION leadanalytics.users(int, text, text, text, int, int, boolean, timestamptz) IS
    'users active in a range, last seen first: leadanalytics.users_rows() as the public API says it; limit 1 to 1 000';
GRANT EXECUTE ON FUNCTION leadanalytics.users(int, text, text, text, int, int, boolean, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, summary, example, builtin) VALUES
    ('GET', '/api/v1/users', 'leadanalytics.users', 'public', '{sdk,agent}', true, 'Users active in a range, last seen first',
     '{"users": [{"visitor_id": "v_abc123", "user_id": "u_def456", "email": "user@example.com", "first_seen": "2026-03-10T08:15:30Z", "last_seen": "2026-03-16T14:30:00Z", '
     '"total_events": 45, "total_sessions": 8, "country": "US", "city": "Austin", "device": "desktop", "browser": "Chrome"}], "total_count": 1250, "has_more": true}', true);
SELECT leadanalytics.takes_range('/api/v1/users', 'start of the range, inclusive', 'end of the range, inclusive');
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary) VALUES
    ('GET', '/api/v1/users', 'search', 'search', 'text', NULL, NULL, false, NULL, 3, 'user@example.com', 'how a visitor ID or user ID begins, or a part of an e-mail address'),
    ('GET', '/api/v1/users', 'limit', 'limit', 'int', 1, 1000, true, '100', 4, '100', 'how many users'),
    ('GET', '/api/v1/users', 'offset', 'offset', 'int', 0, 1000000000, true, '0', 5, '0', 'how many are left out before them'),
    ('GET', '/api/v1/users', 'include_bots', 'include_bots', 'boolean', NULL, NULL, true, 'false', 9, 'false', 'true: robots'' events count too');
