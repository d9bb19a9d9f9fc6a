-- Who did what. A person is a user id with its other names (aliases) and the visitors that were last identified as
-- one of them, and is told by its number (the owner); a visitor that never was is his own owner. Visitors and persons
-- share no number. An event is its visitor's; one that names a user and no visitor is the person's.

CREATE FUNCTION leadanalytics.person_numbers(workspace int, numbers int[])
RETURNS TABLE (owner int, number int)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH root AS MATERIALIZED (
        SELECT coalesce(p.alias_of, p.number) AS number
        FROM unnest(numbers) AS n (number)
        CROSS JOIN LATERAL (SELECT v.person AS number FROM leadanalytics.visitor v WHERE v.workspace = person_numbers.workspace AND v.number = n.number OFFSET 0) AS v
        CROSS JOIN LATERAL (SELECT q.* FROM leadanalytics.person q WHERE q.workspace = person_numbers.workspace AND q.number = v.number OFFSET 0) AS p
        UNION
        SELECT coalesce(p.alias_of, p.number)
        FROM unnest(numbers) AS n (number)
        CROSS JOIN LATERAL (SELECT q.* FROM leadanalytics.person q WHERE q.workspace = person_numbers.workspace AND q.number = n.number OFFSET 0) AS p
    ), name AS MATERIALIZED (
        SELECT r.number AS owner, r.number FROM root r
        UNION ALL
        SELECT r.number, p.number FROM root r
        CROSS JOIN LATERAL (SELECT q.number FROM leadanalytics.person q WHERE q.workspace = person_numbers.workspace AND q.alias_of = r.number OFFSET 0) AS p
    )
    SELECT n.owner, n.number FROM name n
    UNION ALL
    SELECT n.owner, v.number FROM name n
    CROSS JOIN LATERAL (SELECT w.number FROM leadanalytics.visitor w WHERE w.workspace = person_numbers.workspace AND w.person = n.number OFFSET 0) AS v;
END
$$;
COMMENT ON FUNCTION leadanalytics.person_numbers(int, int[]) IS
    'the numbers of the persons (of their names and visitors) that any of the given numbers belongs to, with whose they are; for reports';

CREATE FUNCTION leadanalytics.known_numbers(workspace int, concerned int[], persons bytea)
RETURNS TABLE (owner int, number int)
LANGUAGE sql STABLE AS $$
    SELECT coalesce(a.alias_of, v.person), v.number
    FROM leadanalytics.visitor v
    LEFT JOIN leadanalytics.person a ON a.workspace = v.workspace AND a.number = v.person AND a.alias_of IS NOT NULL
    WHERE v.workspace = known_numbers.workspace AND v.person IS NOT NULL AND known_numbers.concerned IS NULL
    UNION ALL
    SELECT coalesce(p.alias_of, p.number), p.number
    FROM leadanalytics.bitmap_numbers(known_numbers.persons) AS n (number)
    CROSS JOIN LATERAL (SELECT q.* FROM leadanalytics.person q WHERE q.workspace = known_numbers.workspace AND q.number = n.number OFFSET 0) AS p
    WHERE known_numbers.concerned IS NULL
    UNION ALL
    SELECT p.owner, p.number FROM leadanalytics.person_numbers(known_numbers.workspace, known_numbers.concerned) p WHERE known_numbers.concerned IS NOT NULL
$$;
COMMENT ON FUNCTION leadanalytics.known_numbers(int, int[], bytea) IS
    'leadanalytics.person_numbers() of those concerned, or (null) of all persons: their visitors, and which of the given persons they are; for reports';

-- A session was mostly seen last by an event of its visitor: then its row tells when.
CREATE FUNCTION leadanalytics.last_events(workspace int, numbers int[], include_bots boolean DEFAULT false)
RETURNS TABLE (number int, at timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    kept CONSTANT timestamptz := leadanalytics.rows_since(workspace); -- older sessions have lost their events
BEGIN
    RETURN QUERY
    SELECT n.number, greatest(own.at, moved.at, visiting.at, outside.at)
    FROM unnest(numbers) AS n (number)
    LEFT JOIN LATERAL (
        SELECT s.last_seen AS at
        FROM (SELECT l.number, l.last_seen FROM leadanalytics.session l
              WHERE l.workspace = last_events.workspace AND l.visitor = n.number AND l.events > 0 ORDER BY l.last_seen DESC OFFSET 0) AS s
        WHERE s.last_seen < kept
           OR EXISTS (SELECT FROM leadanalytics.event e
                      WHERE e.workspace = last_events.workspace AND e.at = s.last_seen AND e.session = s.number AND e.visitor = n.number)
        LIMIT 1) AS own ON true
    LEFT JOIN LATERAL (
        SELECT max(e.at) AS at
        FROM leadanalytics.session s
        CROSS JOIN LATERAL (SELECT f.at, f.visitor FROM leadanalytics.event f
                            WHERE coalesce(f.session, -coalesce(f.visitor, f.person)) = s.number AND f.workspace = last_events.workspace OFFSET 0) AS e
        WHERE s.workspace = last_events.workspace AND s.visitor = n.number AND s.events > 0 AND s.last_seen > coalesce(own.at, '-infinity')
          AND e.visitor = n.number) AS moved ON true
    LEFT JOIN LATERAL (
        SELECT max(e.at) AS at
        FROM leadanalytics.guest g
        CROSS JOIN LATERAL (SELECT f.at, coalesce(f.visitor, f.person) AS number FROM leadanalytics.event f
                            WHERE coalesce(f.session, -coalesce(f.visitor, f.person)) = g.session AND f.workspace = last_events.workspace OFFSET 0) AS e
        WHERE g.workspace = last_events.workspace AND g.number = n.number AND e.number = n.number) AS visiting ON true
    LEFT JOIN LATERAL (
        SELECT max(e.at) AS at
        FROM leadanalytics.event e
        WHERE coalesce(e.session, -coalesce(e.visitor, e.person)) = -n.number AND e.workspace = last_events.workspace
          AND (last_events.include_bots OR NOT e.is_bot)) AS outside ON true;
END
$$;
COMMENT ON FUNCTION leadanalytics.last_events(int, int[], boolean) IS
    'when each of some numbers (of visitors and persons) did something for the last time; null: nothing is known of it; for reports';

-- What is shown of persons. Sessions are their visitors', and those they were guests of.
CREATE FUNCTION leadanalytics.person_facts(workspace int, owners int[], include_bots boolean DEFAULT false)
RETURNS TABLE (
    owner int, visitor_id text, user_id text, email text, first_seen timestamptz, total_events bigint, total_sessions bigint,
    country text, city text, device text, browser text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH owned AS MATERIALIZED (
        SELECT o.owner, o.owner AS number FROM unnest(owners) AS o (owner)
        UNION
        SELECT p.owner, p.number FROM leadanalytics.person_numbers(person_facts.workspace, owners) p
    ), own AS MATERIALIZED (
        SELECT o.owner, s.*, EXISTS (SELECT FROM leadanalytics.guest g WHERE g.workspace = person_facts.workspace AND g.session = s.session) AS is_shared
        FROM owned o
        CROSS JOIN LATERAL (SELECT l.number AS session, l.started_at, l.last_seen, l.events, l.place, l.agent FROM leadanalytics.session l
                            WHERE l.workspace = person_facts.workspace AND l.visitor = o.number OFFSET 0) AS s
    ), shared AS MATERIALIZED (
        SELECT o.owner, o.session FROM own o WHERE o.is_shared
        UNION
        SELECT o.owner, g.session FROM owned o JOIN leadanalytics.guest g ON g.workspace = person_facts.workspace AND g.number = o.number
    ), part AS MATERIALIZED ( -- of the owner in sessions he shares
        SELECT h.owner, h.session, min(e.at) AS first, max(e.at) AS last, count(*) AS events
        FROM shared h
        CROSS JOIN LATERAL (SELECT f.at, coalesce(f.visitor, f.person) AS number FROM leadanalytics.event f
                            WHERE coalesce(f.session, -coalesce(f.visitor, f.person)) = h.session AND f.workspace = person_facts.workspace OFFSET 0) AS e
        JOIN owned o ON o.owner = h.owner AND o.number = e.number
        GROUP BY h.owner, h.session
    ), outside AS MATERIALIZED (
        SELECT o.owner, min(e.at) AS first, count(*) AS events, max(e.at) AS last
        FROM owned o
        CROSS JOIN LATERAL (SELECT f.at, f.is_bot FROM leadanalytics.event f
                            WHERE coalesce(f.session, -coalesce(f.visitor, f.person)) = -o.number AND f.workspace = person_facts.workspace OFFSET 0) AS e
        WHERE include_bots OR NOT e.is_bot
        GROUP BY o.owner
    ), sum AS (
        SELECT s.owner, min(s.first) AS first, sum(s.events)::bigint AS events, count(DISTINCT s.session) AS sessions
        FROM (SELECT o.owner, o.session, o.started_at AS first, CASE WHEN o.is_shared THEN 0 ELSE o.events END AS events FROM own o
              UNION ALL SELECT p.owner, p.session, p.first, p.events FROM part p
              UNION ALL SELECT o.owner, NULL, o.first, o.events FROM outside o) AS s
        GROUP BY s.owner
    ), latest AS ( -- session, else event
        SELECT DISTINCT ON (s.owner) s.owner, s.place, s.agent
        FROM (SELECT o.owner, o.session, o.last_seen AS last, o.place, o.agent FROM own o
              UNION ALL
              SELECT p.owner, p.session, p.last, s.place, s.agent FROM part p JOIN leadanalytics.session s ON s.workspace = person_facts.workspace AND s.number = p.session
              UNION ALL
              SELECT f.owner, NULL, NULL, e.place, e.agent
              FROM (SELECT o.owner, max(o.last) AS last FROM outside o WHERE NOT EXISTS (SELECT FROM own w WHERE w.owner = o.owner) GROUP BY o.owner) AS f
              JOIN owned o ON o.owner = f.owner
              CROSS JOIN LATERAL (SELECT g.id, g.place, g.agent FROM leadanalytics.event g
                                  WHERE g.workspace = person_facts.workspace AND g.at = f.last AND g.session IS NULL AND coalesce(g.visitor, g.person) = o.number
                                    AND (include_bots OR NOT g.is_bot) ORDER BY g.id DESC LIMIT 1) AS e) AS s
        ORDER BY s.owner, s.last DESC NULLS LAST, s.session DESC NULLS LAST
    ), browser AS MATERIALIZED ( -- of several, the one that did something last
        SELECT o.owner, o.number, v.visitor_id, v.email, count(*) OVER (PARTITION BY o.owner) > 1 AS is_one_of_several
        FROM owned o
        CROSS JOIN LATERAL (SELECT w.* FROM leadanalytics.visitor w WHERE w.workspace = person_facts.workspace AND w.number = o.number OFFSET 0) AS v
    ), ranked AS MATERIALIZED (
        SELECT b.*, row_number() OVER (PARTITION BY b.owner ORDER BY l.at DESC NULLS LAST, b.number DESC) AS place
        FROM browser b
        LEFT JOIN leadanalytics.last_events(person_facts.workspace, ARRAY(SELECT c.number FROM browser c WHERE c.is_one_of_several), include_bots) l ON l.number = b.number
    ), address AS ( -- the user id's own, else another name's, else a visitor's
        SELECT DISTINCT ON (a.owner) a.owner, a.email
        FROM (SELECT o.owner, p.email, CASE WHEN o.number = o.owner THEN 1 ELSE 2 END AS kind, -o.number AS place
              FROM owned o
              CROSS JOIN LATERAL (SELECT q.email FROM leadanalytics.person q WHERE q.workspace = person_facts.workspace AND q.number = o.number OFFSET 0) AS p
              UNION ALL
              SELECT r.owner, r.email, 3, r.place FROM ranked r) AS a
        WHERE a.email IS NOT NULL
        ORDER BY a.owner, a.kind, a.place
    ), one AS ( -- of each there is one value an owner
        SELECT f.owner, max(f.visitor_id) AS visitor_id, max(f.email) AS email, min(f.first) AS first, max(f.events) AS events, max(f.sessions) AS sessions,
               max(f.place) AS place, max(f.agent) AS agent
        FROM (SELECT o.owner, NULL::text AS visitor_id, NULL::text AS email, NULL::timestamptz AS first, 0::bigint AS events, 0::bigint AS sessions, NULL::int AS place, NULL::int AS agent
              FROM unnest(owners) AS o (owner)
              UNION ALL SELECT r.owner, r.visitor_id, NULL, NULL, NULL, NULL, NULL, NULL FROM ranked r WHERE r.place = 1
              UNION ALL SELECT a.owner, NULL, a.email, NULL, NULL, NULL, NULL, NULL FROM address a
              UNION ALL SELECT s.owner, NULL, NULL, s.first, s.events, s.sessions, NULL, NULL FROM sum s
              UNION ALL SELECT l.owner, NULL, NULL, NULL, NULL, NULL, l.place, l.agent FROM latest l) AS f
        GROUP BY f.owner
    )
    SELECT o.owner, o.visitor_id, root.user_id, o.email, o.first, o.events, o.sessions, place.parts[1], place.parts[3], agent.parts[7], agent.parts[2]
    FROM one o
    LEFT JOIN leadanalytics.person root ON root.workspace = person_facts.workspace AND root.number = o.owner
    LEFT JOIN leadanalytics.term place ON place.workspace = person_facts.workspace AND place.id = o.place
    LEFT JOIN leadanalytics.term agent ON agent.workspace = person_facts.workspace AND agent.id = o.agent;
END
$$;
COMMENT ON FUNCTION leadanalytics.person_facts(int, int[], boolean) IS
    'what is shown of persons and visitors: visitor_id of the one that did something last, counts of all time, place and browser of the latest session '
    '(of none: of the latest event); for reports';

CREATE FUNCTION leadanalytics.last_of(workspace int, numbers bytea, since timestamptz, include_bots boolean DEFAULT false)
RETURNS TABLE (number int, at timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    few CONSTANT bigint := 25 * leadanalytics.bitmap_cardinality(numbers); -- events are read in the time that looking one up takes
BEGIN
    IF since >= leadanalytics.rows_since(workspace)
       AND (SELECT count(*) FROM (SELECT FROM leadanalytics.event e WHERE e.workspace = last_of.workspace AND e.at >= since LIMIT few + 1) AS e) <= few THEN
        RETURN QUERY
        SELECT l.number, l.at
        FROM (SELECT coalesce(e.visitor, e.person) AS number, max(e.at) AS at
              FROM leadanalytics.event e
              WHERE e.workspace = last_of.workspace AND e.at >= since AND (last_of.include_bots OR NOT e.is_bot)
              GROUP BY 1) AS l
        JOIN leadanalytics.bitmap_numbers(numbers) AS n (number) ON n.number = l.number;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT l.number, l.at FROM leadanalytics.last_events(last_of.workspace, ARRAY(SELECT leadanalytics.bitmap_numbers(numbers)), last_of.include_bots) l;
END
$$;
COMMENT ON FUNCTION leadanalytics.last_of(int, bytea, timestamptz, boolean) IS
    'leadanalytics.last_events() of a set, those who did something since: of others nothing need be told; for reports';
