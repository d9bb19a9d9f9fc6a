-- One user (S5-10): who it is, the latest sessions with their events, all conversions.

CREATE FUNCTION leadanalytics.find_user(workspace int, id text)
RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- A visitor id comes before a user id.
    RETURN (
        SELECT coalesce(p.alias_of, p.number, n.number)
        FROM (SELECT v.number, v.person, 1 AS place FROM leadanalytics.visitor v WHERE v.workspace = find_user.workspace AND v.visitor_id = find_user.id
              UNION ALL
              SELECT q.number, q.number, 2 FROM leadanalytics.person q WHERE q.workspace = find_user.workspace AND q.user_id = find_user.id) AS n
        LEFT JOIN leadanalytics.person p ON p.workspace = find_user.workspace AND p.number = n.person
        ORDER BY n.place LIMIT 1);
END
$$;
COMMENT ON FUNCTION leadanalytics.find_user(int, text) IS 'the number of the person or visitor that an id is of, null: nobody; for reports';

CREATE FUNCTION leadanalytics.numbers_of(workspace int, owner int)
RETURNS int[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(SELECT owner UNION SELECT p.number FROM leadanalytics.person_numbers(workspace, ARRAY[owner]) p);
END
$$;
COMMENT ON FUNCTION leadanalytics.numbers_of(int, int) IS 'the numbers of a person''s names and visitors, or the visitor''s own; for reports';

CREATE FUNCTION leadanalytics.user_rows(workspace int, id text, include_bots boolean DEFAULT false)
RETURNS TABLE (
    visitor_id text, user_id text, email text, first_seen timestamptz, last_seen timestamptz, total_events bigint, total_sessions bigint,
    country text, city text, device text, browser text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    owner CONSTANT int := leadanalytics.find_user(allowed, user_rows.id);
    see_contacts CONSTANT boolean := leadanalytics.sees_contacts(allowed);
    last timestamptz;
BEGIN
    IF owner IS NULL THEN
        RETURN;
    END IF;
    SELECT max(l.at) INTO last FROM leadanalytics.last_events(allowed, leadanalytics.numbers_of(allowed, owner), coalesce(include_bots, false)) l;
    RETURN QUERY
    SELECT f.visitor_id, f.user_id, CASE WHEN see_contacts THEN f.email ELSE leadanalytics.masked_email(f.email) END, least(f.first_seen, last), coalesce(last, f.first_seen), f.total_events, f.total_sessions,
           f.country, f.city, f.device, f.browser
    FROM leadanalytics.person_facts(allowed, ARRAY[owner], coalesce(include_bots, false)) f
    WHERE f.first_seen IS NOT NULL; -- a robot's only
END
$$;
COMMENT ON FUNCTION leadanalytics.user_rows(int, text, boolean) IS
    'the user that a visitor id, else a user id (also another name of it) is of, as in leadanalytics.users_rows(); no row: there is none, or a robot';
GRANT EXECUTE ON FUNCTION leadanalytics.user_rows(int, text, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.user_sessions_rows(workspace int, id text, "limit" int DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS TABLE (
    number bigint, session_id text, started_at timestamptz, ended_at timestamptz, duration interval, events_count bigint, pageviews_count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    numbers CONSTANT int[] := leadanalytics.numbers_of(allowed, leadanalytics.find_user(allowed, user_sessions_rows.id));
BEGIN
    RETURN QUERY
    WITH latest AS MATERIALIZED (
        SELECT l.number, l.started_at
        FROM (SELECT s.number, s.started_at
              FROM unnest(numbers) AS n (number)
              CROSS JOIN LATERAL (SELECT o.number, o.started_at FROM leadanalytics.session o
                                  WHERE o.workspace = allowed AND o.visitor = n.number ORDER BY o.started_at DESC, o.number DESC LIMIT user_sessions_rows."limit") AS s
              UNION
              SELECT s.number, s.started_at
              FROM leadanalytics.guest g JOIN leadanalytics.session s ON s.workspace = g.workspace AND s.number = g.session
              WHERE g.workspace = allowed AND g.number = ANY (numbers)) AS l
        ORDER BY l.started_at DESC, l.number DESC LIMIT user_sessions_rows."limit"
    )
    SELECT s.number, coalesce(s.session_id, s.number::text), s.started_at, ended.at, coalesce(ended.at, s.last_seen) - s.started_at,
           coalesce(part.events, s.events), coalesce(part.pageviews, s.pageviews)
    FROM latest l
    JOIN leadanalytics.session s ON s.workspace = allowed AND s.number = l.number
    CROSS JOIN LATERAL (SELECT leadanalytics.session_end(s.session_id IS NOT NULL, s.last_seen, s.ended_at, user_sessions_rows.now) AS at) AS ended
    LEFT JOIN LATERAL ( -- in a session with others
        SELECT count(*) AS events, count(*) FILTER (WHERE e.kind = 'p') AS pageviews
        FROM (SELECT f.kind, coalesce(f.visitor, f.person) AS number FROM leadanalytics.event f
              WHERE coalesce(f.session, -coalesce(f.visitor, f.person)) = s.number AND f.workspace = allowed OFFSET 0) AS e
        WHERE e.number = ANY (numbers)) AS part ON EXISTS (SELECT FROM leadanalytics.guest g WHERE g.workspace = allowed AND g.session = s.number)
    ORDER BY s.started_at DESC, s.number DESC;
END
$$;
COMMENT ON FUNCTION leadanalytics.user_sessions_rows(int, text, int, timestamptz) IS
    'sessions of a user, the latest first, those too that are another''s and have events of the user: of which only those are counted. '
    'ended_at null: it is open, and duration until it was last seen; limit null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.user_sessions_rows(int, text, int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.user_conversions_rows(workspace int, id text, include_bots boolean DEFAULT false)
RETURNS TABLE (event_name text, value numeric, at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    numbers CONSTANT int[] := leadanalytics.numbers_of(allowed, leadanalytics.find_user(allowed, user_conversions_rows.id));
    names CONSTANT int[] := ARRAY(SELECT leadanalytics.text_term(allowed, n.name) FROM leadanalytics.conversion_names(allowed) AS n (name));
BEGIN
    RETURN QUERY
    WITH place AS MATERIALIZED ( -- in the index of what somebody did
        SELECT s.number FROM leadanalytics.session s WHERE s.workspace = allowed AND s.visitor = ANY (numbers) AND s.events > 0
        UNION SELECT g.session FROM leadanalytics.guest g WHERE g.workspace = allowed AND g.number = ANY (numbers)
        UNION SELECT -n.number FROM unnest(numbers) AS n (number)
    )
    SELECT t.parts[1], leadanalytics.conversion_amount(allowed, e.data, e.at), e.at
    FROM place p
    CROSS JOIN LATERAL (SELECT f.* FROM leadanalytics.event f
                        WHERE coalesce(f.session, -coalesce(f.visitor, f.person)) = p.number AND f.workspace = allowed OFFSET 0) AS e
    JOIN leadanalytics.term t ON t.workspace = allowed AND t.id = e.name
    WHERE e.name = ANY (names) AND coalesce(e.visitor, e.person) = ANY (numbers) AND (coalesce(include_bots, false) OR NOT e.is_bot)
    ORDER BY e.at DESC, e.id DESC;
END
$$;
COMMENT ON FUNCTION leadanalytics.user_conversions_rows(int, text, boolean) IS
    'conversions of a user, the latest first, value in the workspace''s currency';
GRANT EXECUTE ON FUNCTION leadanalytics.user_conversions_rows(int, text, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.user_profile(workspace int, id text, include_bots boolean DEFAULT false, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    numbers CONSTANT int[] := leadanalytics.numbers_of(allowed, leadanalytics.find_user(allowed, user_profile.id));
    profile record;
    sessions json;
    conversions json;
BEGIN
    SELECT * INTO profile FROM leadanalytics.user_rows(allowed, user_profile.id, include_bots);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'User not found' USING ERRCODE = 'LA404', HINT = 'A visitor id or a user id.';
    END IF;
    SELECT coalesce(json_agg(json_build_object(
               'session_id', s.session_id, 'started_at', leadanalytics.utc_seconds(s.started_at), 'ended_at', leadanalytics.utc_seconds(s.ended_at),
               'duration_seconds', round(extract(epoch FROM s.duration))::bigint, 'events_count', s.events_count, 'pageviews_count', s.pageviews_count,
               'events', e.events) ORDER BY s.place), '[]')
    INTO sessions
    FROM leadanalytics.user_sessions_rows(allowed, user_profile.id, 100, user_profile.now)
        WITH ORDINALITY AS s (number, session_id, started_at, ended_at, duration, events_count, pageviews_count, place)
    CROSS JOIN LATERAL (
        SELECT coalesce(json_agg(CASE WHEN page.parts[2] IS NULL
                   THEN json_build_object('event_name', name.parts[1], 'received_at', leadanalytics.utc_seconds(f.at))
                   ELSE json_build_object('event_name', name.parts[1], 'page_path', page.parts[2], 'received_at', leadanalytics.utc_seconds(f.at)) END
               ORDER BY f.at, f.id), '[]') AS events
        FROM (SELECT h.at, h.id, h.name, h.page
              FROM (SELECT g.at, g.id, g.name, g.page, coalesce(g.visitor, g.person) AS number FROM leadanalytics.event g
                    WHERE coalesce(g.session, -coalesce(g.visitor, g.person)) = s.number AND g.workspace = allowed OFFSET 0) AS h
              WHERE h.number = ANY (numbers) ORDER BY h.at, h.id LIMIT 1000) AS f
        JOIN leadanalytics.term name ON name.workspace = allowed AND name.id = f.name
        LEFT JOIN leadanalytics.term page ON page.workspace = allowed AND page.id = f.page) AS e;
    SELECT coalesce(json_agg(json_build_object(
               'event_name', c.event_name, 'value', round(c.value, 2), 'received_at', leadanalytics.utc_seconds(c.at)) ORDER BY c.place), '[]')
    INTO conversions
    FROM leadanalytics.user_conversions_rows(allowed, user_profile.id, include_bots) WITH ORDINALITY AS c (event_name, value, at, place);
    RETURN json_build_object(
        'user', json_build_object(
            'visitor_id', profile.visitor_id, 'user_id', profile.user_id, 'email', profile.email,
            'first_seen', leadanalytics.utc_seconds(profile.first_seen), 'last_seen', leadanalytics.utc_seconds(profile.last_seen),
            'total_events', profile.total_events, 'total_sessions', profile.total_sessions, 'country', profile.country, 'city', profile.city),
        'sessions', sessions, 'conversions', conversions);
END
$$;
COMMENT ON FUNCTION leadanalytics.user_profile(int, text, boolean, timestamptz) IS
    'the user of a visitor id, else of a user id, with the latest 100 sessions (the first 1 000 events of each) and all conversions, '
    'value in the workspace''s currency; ended_at null: the session is open, its duration until now last seen; LA404: User not found';
GRANT EXECUTE ON FUNCTION leadanalytics.user_profile(int, text, boolean, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, summary, example, builtin) VALUES
    ('GET', '/api/v1/users/:userId', 'leadanalytics.user_profile', 'public', '{sdk,agent}', 'A user with sessions and conversions',
     '{"user": {"visitor_id": "v_abc123", "user_id": "u_def456", "email": "user@example.com", "first_seen": "2026-03-10T08:15:30Z", "last_seen": "2026-03-16T14:30:00Z", '
     '"total_events": 45, "total_sessions": 8, "country": "US", "city": "Austin"}, '
     '"sessions": [{"session_id": "s_xxx", "started_at": "2026-03-16T14:00:12Z", "ended_at": "2026-03-16T14:05:42Z", "duration_seconds": 330, "events_count": 6, "pageviews_count": 4, '
     '"events": [{"event_name": "pageview", "page_path": "/", "received_at": "2026-03-16T14:00:12Z"}, {"event_name": "signup", "received_at": "2026-03-16T14:03:45Z"}]}], '
     '"conversions": [{"event_name": "purchase", "value": 99.00, "received_at": "2026-03-14T10:22:15Z"}]}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, lenient, fallback, position, example, summary) VALUES
    ('GET', '/api/v1/users/:userId', 'userId', 'path', 'id', 'text', true, false, NULL, 1, 'u_def456', 'a visitor ID or a user ID'),
    ('GET', '/api/v1/users/:userId', 'include_bots', 'query', 'include_bots', 'boolean', false, true, 'false', 9, 'false', 'true: robots'' events outside of sessions count too');
