-- Erasing: everything of some visitors and persons goes out of events, sessions, segments and the trail.
--
-- unfold.c does it; here everybody is stopped first who may add something of theirs: in the order in which
-- ingestion takes its locks, so that a batch is seen whole or comes afterwards, as somebody new.

CREATE FUNCTION leadanalytics.unfold(workspace int, visitors int[], persons int[])
RETURNS TABLE (what text, n bigint) LANGUAGE c VOLATILE STRICT
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS 'MODULE_PATHNAME', 'la_rollup_unfold';
COMMENT ON FUNCTION leadanalytics.unfold(int, int[], int[]) IS
    'delete the events and sessions of visitors, and events that name only these persons, and take them out of segments and trail: for leadanalytics.erase_web(), which holds the locks';

CREATE FUNCTION leadanalytics.erase_trail(workspace int, kind "char", numbers bigint[])
RETURNS bigint LANGUAGE c VOLATILE STRICT
SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS 'MODULE_PATHNAME', 'la_trail_erase_numbers';
COMMENT ON FUNCTION leadanalytics.erase_trail(int, "char", bigint[]) IS
    'take all points of these numbers out of a kind''s trail: how many they were; for who lets nobody else write to it until the transaction ends, and takes what is not yet in it away elsewhere';

-- Those of visitors, and the others they took part in, in the order in which batches lock them.
CREATE FUNCTION leadanalytics.lock_sessions_of(workspace int, visitors int[], persons int[])
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    RETURN (SELECT count(*) FROM (
        SELECT FROM leadanalytics.session s
        WHERE s.workspace = lock_sessions_of.workspace AND s.number = ANY (ARRAY(
            SELECT o.number FROM unnest(visitors) AS v (number)
            CROSS JOIN LATERAL (SELECT t.number FROM leadanalytics.session t WHERE t.workspace = lock_sessions_of.workspace AND t.visitor = v.number OFFSET 0) AS o
            UNION
            SELECT g.session FROM unnest(visitors || persons) AS v (number)
            CROSS JOIN LATERAL (SELECT h.session FROM leadanalytics.guest h WHERE h.workspace = lock_sessions_of.workspace AND h.number = v.number OFFSET 0) AS g))
        ORDER BY s.session_id NULLS FIRST, s.number FOR UPDATE) AS l);
END
$$;
COMMENT ON FUNCTION leadanalytics.lock_sessions_of(int, int[], int[]) IS 'lock the sessions that visitors and persons took part in: how many; for leadanalytics.erase_web()';

-- Others may have named a person who goes: what they did stays, and names him no more.
CREATE FUNCTION leadanalytics.forget_naming(workspace int, visitors int[], persons int[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    space CONSTANT int := forget_naming.workspace;
    others CONSTANT int[] := ARRAY(SELECT DISTINCT i.visitor FROM leadanalytics.identity i
                                   WHERE i.workspace = space AND i.person = ANY (persons) AND i.visitor <> ALL (visitors));
    keys CONSTANT bigint[] := ARRAY(
        SELECT -o.number::bigint FROM unnest(others) AS o (number)
        UNION ALL
        SELECT s.number FROM unnest(others) AS o (number)
        CROSS JOIN LATERAL (SELECT t.number FROM leadanalytics.session t WHERE t.workspace = space AND t.visitor = o.number OFFSET 0) AS s
        UNION ALL
        SELECT g.session FROM unnest(others) AS o (number)
        CROSS JOIN LATERAL (SELECT h.session FROM leadanalytics.guest h WHERE h.workspace = space AND h.number = o.number OFFSET 0) AS g);
    root int;
    heir int;
BEGIN
    IF others <> '{}' THEN
        UPDATE leadanalytics.event e SET person = NULL
        WHERE e.workspace = space AND coalesce(e.session, -coalesce(e.visitor, e.person)) = ANY (keys) AND e.visitor IS NOT NULL AND e.person = ANY (persons);
        UPDATE leadanalytics.visitor v
        SET person = (SELECT i.person FROM leadanalytics.identity i
                      WHERE i.workspace = space AND i.visitor = v.number AND i.person <> ALL (persons) ORDER BY i.at DESC, i.person DESC LIMIT 1)
        WHERE v.workspace = space AND v.number = ANY (others) AND v.person = ANY (persons);
    END IF;
    -- Other names of him that stay are names of one of them.
    FOREACH root IN ARRAY persons LOOP
        SELECT min(q.number) INTO heir FROM leadanalytics.person q WHERE q.workspace = space AND q.alias_of = root AND q.number <> ALL (persons);
        UPDATE leadanalytics.person q SET alias_of = nullif(heir, q.number)
        WHERE q.workspace = space AND q.alias_of = root AND q.number <> ALL (persons);
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadanalytics.forget_naming(int, int[], int[]) IS
    'events, visitors and aliases that stay name these persons no more: for leadanalytics.erase_web()';

CREATE FUNCTION leadanalytics.erase_web(workspace int, visitors int[], persons int[], now timestamptz DEFAULT now())
RETURNS TABLE (what text, n bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    space CONSTANT int := erase_web.workspace;
    v CONSTANT int[] := ARRAY(SELECT DISTINCT u.number FROM unnest(erase_web.visitors) AS u (number) WHERE u.number IS NOT NULL ORDER BY 1);
    p CONSTANT int[] := ARRAY(SELECT DISTINCT u.number FROM unnest(erase_web.persons) AS u (number) WHERE u.number IS NOT NULL ORDER BY 1);
    locked int;
    again int := -1;
    guests bigint;
    identities bigint;
    visitors bigint;
    persons bigint;
BEGIN
    -- Who names a person while he goes names somebody new; two who erase come one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('leadanalytics.erase', space));
    PERFORM pg_advisory_xact_lock(hashtextextended('leadanalytics.person', space));
    PERFORM FROM leadanalytics.visitor r WHERE r.workspace = space AND (r.number = ANY (v) OR r.person = ANY (p)) ORDER BY r.visitor_id FOR UPDATE;
    -- An event that names its session alone is its visitor's: who is here already may add a session as a guest.
    LOOP
        locked := leadanalytics.lock_sessions_of(space, v, p);
        EXIT WHEN locked = again;
        again := locked;
    END LOOP;
    IF NOT EXISTS (SELECT FROM leadanalytics.rollup_state s WHERE s.workspace = space) THEN
        PERFORM pg_advisory_xact_lock(hashtext('leadanalytics.rollup_state'), space); -- a first fold does not wait for this one's end
        INSERT INTO leadanalytics.rollup_state AS s (workspace) VALUES (space) ON CONFLICT DO NOTHING;
    END IF;
    PERFORM FROM leadanalytics.rollup_state s WHERE s.workspace = space FOR NO KEY UPDATE;
    LOCK TABLE leadanalytics.event IN ACCESS SHARE MODE; -- what of it is dropped from here on, is dropped afterwards

    RETURN QUERY SELECT u.what, u.n FROM leadanalytics.unfold(space, v, p) u;

    PERFORM leadanalytics.forget_naming(space, v, p);
    DELETE FROM leadanalytics.guest g WHERE g.workspace = space AND g.number = ANY (v || p);
    GET DIAGNOSTICS guests = ROW_COUNT;
    DELETE FROM leadanalytics.identity i WHERE i.workspace = space AND (i.visitor = ANY (v) OR i.person = ANY (p));
    GET DIAGNOSTICS identities = ROW_COUNT;
    DELETE FROM leadanalytics.visitor r WHERE r.workspace = space AND r.number = ANY (v);
    GET DIAGNOSTICS visitors = ROW_COUNT;
    DELETE FROM leadanalytics.person q WHERE q.workspace = space AND q.number = ANY (p);
    GET DIAGNOSTICS persons = ROW_COUNT;
    RETURN QUERY VALUES ('guests', guests), ('identities', identities), ('visitors', visitors), ('persons', persons);
END
$$;
COMMENT ON FUNCTION leadanalytics.erase_web(int, int[], int[], timestamptz) IS
    'erase what visitors did on the web and what was told of persons alone, by their numbers: events, sessions, identities, and all that segments and the trail say of it. '
    'Afterwards every answer is what the rows of the others make it; of time whose rows were dropped, nobody is counted among visitors any more, and sums stay. '
    'A session in which others took part stays theirs. For who has asked who calls, and knows who somebody is';
