-- What happens now: who is here, on which pages, from where, minute by minute (D-57).
--
-- A question is about the last 1 to 60 whole minutes, the current one included. It is answered from rows, in the
-- caller's snapshot; where rows take long, the same counts are kept in shared memory (live.h), and what memory can
-- tell for exactly that snapshot is taken from there. Events that a fast clock dates ahead, as far as that is
-- believed, happen now: in the current minute. A visitor counts once with where he is and came from, as his current
-- session has it, that of his latest event; and on every page he viewed.

CREATE FUNCTION leadanalytics.live_memory(workspace int, starts timestamptz, now timestamptz, "limit" int DEFAULT NULL)
RETURNS TABLE (what text, minute timestamptz, term int, count bigint)
LANGUAGE c STABLE ROWS 100 AS 'MODULE_PATHNAME', 'la_live_memory';
COMMENT ON FUNCTION leadanalytics.live_memory(int, timestamptz, timestamptz, int) IS
    'the counts of leadanalytics.live_rows() from shared memory, pages, referrers and places by number of the dictionary; no row at all: ask the rows. '
    'For functions that asked who calls';

CREATE FUNCTION leadanalytics.live_hour(workspace int, now timestamptz, OUT active_sessions bigint, OUT events bigint, OUT since timestamptz)
RETURNS record LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'la_live_hour';
COMMENT ON FUNCTION leadanalytics.live_hour(int, timestamptz) IS
    'from shared memory: sessions seen within the hour before now that their client has not ended, and events since the first whole second of it; '
    'nulls: ask the rows. For functions that asked who calls';

CREATE FUNCTION leadanalytics.live_watch(workspace int, begun timestamptz)
RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'la_live_watch';
COMMENT ON FUNCTION leadanalytics.live_watch(int, timestamptz) IS
    'the rows were asked, since begun: keep the workspace''s counts in memory from now on when that took longer than leadanalytics.live_after';

CREATE FUNCTION leadanalytics.live_forget()
RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'la_live_forget';
COMMENT ON FUNCTION leadanalytics.live_forget() IS
    'events or sessions changed past leadanalytics.track(): what memory counts of this database is counted anew once that is committed';
CREATE TRIGGER live_forget AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadanalytics.event
    FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.live_forget();
CREATE TRIGGER live_forget AFTER DELETE OR TRUNCATE ON leadanalytics.session
    FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.live_forget();

CREATE FUNCTION leadanalytics.live_states(
    OUT workspace int,
    OUT state text,
    OUT bytes bigint,
    OUT served bigint,
    OUT from_rows bigint,
    OUT built bigint,
    OUT overflowed bigint,
    OUT reason text)
RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'la_live_states';
COMMENT ON FUNCTION leadanalytics.live_states() IS
    'the workspaces of this database whose live counts are kept in shared memory: whether they are ready, their size, how often they answered and how '
    'often the rows had to, how often they were built from rows and did not fit, and why the rows answered last';
GRANT EXECUTE ON FUNCTION leadanalytics.live_states() TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.live_pool(OUT bytes bigint, OUT workspace_bytes bigint, OUT used bigint)
RETURNS record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'la_live_pool';
COMMENT ON FUNCTION leadanalytics.live_pool() IS
    'the shared memory for live counts, how much of it one workspace may have, and how much is used; nulls: none, the library is not preloaded';
GRANT EXECUTE ON FUNCTION leadanalytics.live_pool() TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.live_status()
RETURNS SETOF leadanalytics.status_line LANGUAGE sql STABLE AS $$
    SELECT 'live counts',
           CASE WHEN p.bytes IS NULL THEN 'from rows: there is no shared memory for them'
                ELSE format('%s of %s MB used by %s busy workspaces of this database, %s answers from memory, %s from rows, %s times too much to keep',
                            ceil(p.used / 1048576.0), p.bytes / 1048576, s.n, s.served, s.from_rows, s.overflowed) END,
           CASE WHEN p.bytes IS NULL THEN 'Answers are the same, slower at hundreds of events a second: shared_preload_libraries = ''leadanalytics''.'
                WHEN s.overflowed > 0 THEN 'Raise leadanalytics.live_workspace_memory and leadanalytics.live_memory, and restart.' END
    FROM leadanalytics.live_pool() p,
         (SELECT count(*) AS n, coalesce(sum(s.served), 0) AS served, coalesce(sum(s.from_rows), 0) AS from_rows,
                 coalesce(sum(s.overflowed), 0) AS overflowed FROM leadanalytics.live_states() s) AS s
$$;
COMMENT ON FUNCTION leadanalytics.live_status() IS 'the live counts in shared memory, for leadanalytics.status()';
INSERT INTO leadanalytics.status_source VALUES ('live', 'leadanalytics.live_status');

CREATE FUNCTION leadanalytics.live_start(minutes int, now timestamptz)
RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF NOT isfinite(now) THEN
        RAISE EXCEPTION 'now is a moment' USING ERRCODE = 'invalid_parameter_value', HINT = 'Not infinity.';
    END IF;
    RETURN date_bin('1 minute', now, '2000-01-01 00:00:00Z') - (least(greatest(coalesce(minutes, 30), 1), 60) - 1) * interval '1 minute';
END
$$;
COMMENT ON FUNCTION leadanalytics.live_start(int, timestamptz) IS 'where the window of so many whole minutes (1 to 60) starts that ends with the current one';

-- From memory when it has an answer, otherwise from the rows.
CREATE FUNCTION leadanalytics.live_counted(workspace int, minutes int, "limit" int, now timestamptz, people boolean)
RETURNS TABLE (what text, minute timestamptz, value text, count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    starts CONSTANT timestamptz := leadanalytics.live_start(minutes, now);
    this_minute CONSTANT timestamptz := leadanalytics.live_start(1, now);
    ahead CONSTANT timestamptz := now + current_setting('leadanalytics.track_future')::interval;
    begun timestamptz;
BEGIN
    IF live_counted.people THEN
        RETURN QUERY
        WITH own AS MATERIALIZED (
            SELECT o.host FROM leadanalytics.own_hosts(live_counted.workspace) AS o (host)
        ), memory AS MATERIALIZED (
            SELECT * FROM leadanalytics.live_memory(live_counted.workspace, starts, live_counted.now, live_counted."limit")
        ), named AS (
            SELECT m.what, m.minute, m.count,
                   CASE m.what WHEN 'page' THEN t.parts[2] WHEN 'country' THEN t.parts[1]
                               WHEN 'referrer' THEN leadanalytics.host_of(t.parts[1]) END AS text
            FROM memory m LEFT JOIN leadanalytics.term t ON t.workspace = live_counted.workspace AND t.id = m.term
        )
        SELECT n.what, n.minute,
               CASE WHEN n.what = 'referrer' AND (n.text IS NULL OR n.text IN (SELECT own.host FROM own)) THEN '(direct)' ELSE n.text END,
               sum(n.count)::bigint
        FROM named n GROUP BY 1, 2, 3;
        IF FOUND THEN
            RETURN;
        END IF;
        begun := clock_timestamp();
    END IF;

    RETURN QUERY
    WITH own AS MATERIALIZED (
        SELECT o.host FROM leadanalytics.own_hosts(live_counted.workspace) AS o (host)
    ), seen AS MATERIALIZED (
        SELECT e.at, e.id, e.visitor, e.session, e.kind, e.page, e.referrer, e.place
        FROM leadanalytics.event e
        WHERE e.workspace = live_counted.workspace AND e.at >= starts AND e.at <= ahead AND NOT (e.is_bot AND live_counted.people)
    ), total AS (
        SELECT count(DISTINCT s.visitor) AS visitors, count(*) FILTER (WHERE s.kind = 'p') AS pageviews, count(*) FILTER (WHERE s.kind = 'c') AS events
        FROM seen s
    ), minute AS (
        SELECT least(date_bin('1 minute', s.at, starts), this_minute) AS minute, count(DISTINCT s.visitor) AS visitors FROM seen s GROUP BY 1
    ), page AS (
        -- by page first: its path is looked up once
        SELECT t.parts[2] AS path, count(DISTINCT u.visitor) AS visitors
        FROM (SELECT s.page, array_agg(DISTINCT s.visitor) AS visitors
              FROM seen s WHERE s.kind = 'p' AND s.page IS NOT NULL AND s.visitor IS NOT NULL GROUP BY s.page) AS v
        JOIN leadanalytics.term t ON t.workspace = live_counted.workspace AND t.id = v.page AND t.parts[2] IS NOT NULL
        CROSS JOIN unnest(v.visitors) AS u (visitor)
        GROUP BY 1
    ), latest AS (
        SELECT DISTINCT ON (s.visitor) s.visitor, s.session, s.referrer, s.place
        FROM seen s WHERE s.visitor IS NOT NULL ORDER BY s.visitor, s.at DESC, s.id DESC
    ), here AS MATERIALIZED (
        SELECT CASE WHEN s.number IS NULL THEN l.referrer ELSE s.referrer END AS referrer,
               CASE WHEN s.number IS NULL THEN l.place ELSE s.place END AS place, count(*) AS visitors
        FROM latest l LEFT JOIN leadanalytics.session s ON s.workspace = live_counted.workspace AND s.number = l.session
        GROUP BY 1, 2
    ), referrer AS (
        SELECT CASE WHEN r.host IS NULL OR r.host IN (SELECT own.host FROM own) THEN '(direct)' ELSE r.host END AS name, sum(r.visitors)::bigint AS visitors
        FROM (SELECT leadanalytics.host_of(t.parts[1]) AS host, h.visitors
              FROM (SELECT h.referrer, sum(h.visitors) AS visitors FROM here h GROUP BY 1) AS h
              LEFT JOIN leadanalytics.term t ON t.workspace = live_counted.workspace AND t.id = h.referrer) AS r
        GROUP BY 1
    ), country AS (
        SELECT t.parts[1] AS code, sum(h.visitors)::bigint AS visitors
        FROM here h LEFT JOIN leadanalytics.term t ON t.workspace = live_counted.workspace AND t.id = h.place
        GROUP BY 1
    )
    SELECT 'visitors', NULL::timestamptz, NULL::text, t.visitors FROM total t
    UNION ALL
    SELECT 'pageviews', NULL, NULL, t.pageviews FROM total t
    UNION ALL
    SELECT 'events', NULL, NULL, t.events FROM total t
    UNION ALL
    SELECT 'minute', g.minute, NULL, coalesce(m.visitors, 0)
    FROM generate_series(starts, this_minute, interval '1 minute') AS g (minute) LEFT JOIN minute m ON m.minute = g.minute
    UNION ALL
    SELECT 'page', NULL, p.path, p.visitors FROM page p
    UNION ALL
    SELECT 'referrer', NULL, r.name, r.visitors FROM referrer r
    UNION ALL
    SELECT 'country', NULL, c.code, c.visitors FROM country c;
    IF live_counted.people THEN
        PERFORM leadanalytics.live_watch(live_counted.workspace, begun);
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.live_counted(int, int, int, timestamptz, boolean) IS
    'what leadanalytics.live_rows() ranks, in any order, for who asked who calls; pages that cannot be among the first of limit may be missing';

CREATE FUNCTION leadanalytics.live_rows(
    workspace int,
    minutes int DEFAULT 30,
    "limit" int DEFAULT NULL,
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS TABLE (what text, minute timestamptz, value text, count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    people CONSTANT boolean := NOT coalesce(include_bots, false);
BEGIN
    RETURN QUERY
    SELECT p.what, p.minute, p.value, p.count
    FROM (SELECT c.*, row_number() OVER (PARTITION BY c.what ORDER BY c.minute, c.count DESC, c.value COLLATE "C") AS place
          FROM leadanalytics.live_counted(allowed, minutes, "limit", now, people) c) AS p
    WHERE p.what NOT IN ('page', 'referrer') OR live_rows."limit" IS NULL OR p.place <= live_rows."limit"
    ORDER BY array_position('{visitors,pageviews,events,minute,page,referrer,country}', p.what), p.place;
END
$$;
COMMENT ON FUNCTION leadanalytics.live_rows(int, int, int, timestamptz, boolean) IS
    'what happened in the last 1 to 60 whole minutes, the current one included: visitors, pageviews and events (custom ones); visitors by minute; '
    'and, the most first, by page viewed (path), referrer (host, or (direct)) and country (ISO 3166, null: unknown) of their current session. '
    'limit: of pages and referrers, null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.live_rows(int, int, int, timestamptz, boolean) TO leadanalytics_read;

-- However many there are, those seen last are found by reading back from now.
CREATE FUNCTION leadanalytics.live_visitors_rows(
    workspace int,
    minutes int DEFAULT 30,
    "limit" int DEFAULT 100,
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS TABLE (
    visitor_id text,
    country text,
    city text,
    current_page text,
    device text,
    browser text,
    referrer text,
    first_seen timestamptz,
    last_seen timestamptz,
    total_events bigint,
    session_duration interval)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    people CONSTANT boolean := NOT coalesce(include_bots, false);
    starts CONSTANT timestamptz := leadanalytics.live_start(minutes, now);
    ahead CONSTANT timestamptz := now + current_setting('leadanalytics.track_future')::interval;
    since timestamptz;
    visitors bigint;
    looked bigint;
    n bigint := 1000;
BEGIN
    -- Since when as many visitors were seen as are asked for.
    WHILE live_visitors_rows."limit" IS NOT NULL LOOP
        SELECT min(l.at), count(*), count(DISTINCT l.visitor) INTO since, looked, visitors
        FROM (SELECT e.at, e.visitor FROM leadanalytics.event e
              WHERE e.workspace = allowed AND e.at >= starts AND e.at <= ahead AND e.visitor IS NOT NULL AND NOT (e.is_bot AND people)
              ORDER BY e.at DESC LIMIT n) AS l;
        EXIT WHEN visitors >= live_visitors_rows."limit";
        since := NULL;
        EXIT WHEN looked < n;
        n := n * 10;
    END LOOP;
    RETURN QUERY
    WITH own AS MATERIALIZED (
        SELECT o.host FROM leadanalytics.own_hosts(allowed) AS o (host)
    ), latest AS (
        SELECT DISTINCT ON (e.visitor) e.visitor, e.at, e.id, e.session, e.referrer, e.place, e.agent
        FROM leadanalytics.event e
        WHERE e.workspace = allowed AND e.at >= coalesce(since, starts) AND e.at <= ahead AND e.visitor IS NOT NULL AND NOT (e.is_bot AND people)
        ORDER BY e.visitor, e.at DESC, e.id DESC
    ), listed AS MATERIALIZED (
        SELECT * FROM latest l ORDER BY l.at DESC, l.visitor LIMIT live_visitors_rows."limit"
    )
    SELECT v.visitor_id, place.parts[1], place.parts[3], page.parts[2], agent.parts[7], agent.parts[2],
           CASE WHEN host.of IS NULL OR host.of IN (SELECT own.host FROM own) THEN '(direct)' ELSE host.of END,
           coalesce(s.started_at, own_events.first), l.at, coalesce(s.events, own_events.n),
           greatest(l.at - coalesce(s.started_at, own_events.first), interval '0')
    FROM listed l
    JOIN leadanalytics.visitor v ON v.workspace = allowed AND v.number = l.visitor
    LEFT JOIN leadanalytics.session s ON s.workspace = allowed AND s.number = l.session
    LEFT JOIN LATERAL (
        -- what happened outside of sessions: robots, and what came too late for its own
        SELECT min(e.at) AS first, count(*) AS n FROM leadanalytics.event e
        WHERE s.number IS NULL AND e.workspace = allowed AND e.visitor = l.visitor
          AND coalesce(e.session, -coalesce(e.visitor, e.person)) = -l.visitor
          AND e.at >= starts AND e.at <= ahead AND NOT (e.is_bot AND people)) AS own_events ON true
    LEFT JOIN LATERAL (
        SELECT e.page FROM leadanalytics.event e
        WHERE s.number IS NULL AND e.workspace = allowed AND e.visitor = l.visitor AND e.page IS NOT NULL
          AND coalesce(e.session, -coalesce(e.visitor, e.person)) = -l.visitor
          AND e.at >= starts AND e.at <= ahead AND NOT (e.is_bot AND people)
        ORDER BY e.at DESC, e.id DESC LIMIT 1) AS viewed ON true
    LEFT JOIN leadanalytics.term page ON page.workspace = allowed AND page.id = coalesce(s.last_page, viewed.page)
    LEFT JOIN leadanalytics.term place ON place.workspace = allowed AND place.id = CASE WHEN s.number IS NULL THEN l.place ELSE s.place END
    LEFT JOIN leadanalytics.term agent ON agent.workspace = allowed AND agent.id = CASE WHEN s.number IS NULL THEN l.agent ELSE s.agent END
    LEFT JOIN leadanalytics.term referrer ON referrer.workspace = allowed AND referrer.id = CASE WHEN s.number IS NULL THEN l.referrer ELSE s.referrer END
    CROSS JOIN LATERAL (SELECT leadanalytics.host_of(referrer.parts[1])) AS host (of)
    ORDER BY l.at DESC, l.visitor;
END
$$;
COMMENT ON FUNCTION leadanalytics.live_visitors_rows(int, int, int, timestamptz, boolean) IS
    'the visitors of the last 1 to 60 whole minutes, who was seen last first, each with his current session: place, device, browser, referrer (host, or (direct)), '
    'page, start (first_seen), events and duration of it; limit null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.live_visitors_rows(int, int, int, timestamptz, boolean) TO leadanalytics_read;
