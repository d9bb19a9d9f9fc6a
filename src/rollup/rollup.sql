-- The fold and the buckets: by the worker, by hand, and what can be seen of them.

CREATE FUNCTION leadanalytics.fold_workspace(workspace int, most bigint, now timestamptz)
RETURNS bigint LANGUAGE c VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS 'MODULE_PATHNAME', 'la_rollup_fold';
COMMENT ON FUNCTION leadanalytics.fold_workspace(int, bigint, timestamptz) IS
    'fold what lies unfolded of a workspace, about so many events: how many events, sessions and their ends it were; null: somebody else is at it';

CREATE FUNCTION leadanalytics.build_bucket(workspace int, grain "char", zone text, starts timestamptz, ends timestamptz)
RETURNS boolean LANGUAGE c VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS 'MODULE_PATHNAME', 'la_rollup_build';
COMMENT ON FUNCTION leadanalytics.build_bucket(int, "char", text, timestamptz, timestamptz) IS
    'make the segments of a time from finer ones and from rows, unless they are there; false: somebody else is at the workspace';

CREATE FUNCTION leadanalytics.fold(workspace int DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unfolded record;
    folded bigint;
    sum bigint := 0;
BEGIN
    IF workspace IS NOT NULL THEN
        PERFORM leadanalytics.permitted(workspace);
    END IF;
    FOR unfolded IN
        SELECT w.id FROM leadanalytics.workspace w
        WHERE w.closed_at IS NULL AND (fold.workspace IS NULL OR w.id = fold.workspace) AND leadanalytics.may(w.id)
          AND (EXISTS (SELECT FROM leadanalytics.ledger l WHERE l.workspace = w.id)
               OR EXISTS (SELECT FROM leadanalytics.session_ledger l WHERE l.workspace = w.id))
        ORDER BY w.id
    LOOP
        LOOP
            folded := leadanalytics.fold_workspace(unfolded.id, 50000, fold.now);
            EXIT WHEN coalesce(folded, 0) = 0;
            sum := sum + folded;
        END LOOP;
    END LOOP;
    RETURN sum;
END
$$;
COMMENT ON FUNCTION leadanalytics.fold(int, timestamptz) IS
    'fold what lies unfolded of one workspace or (null) of all the caller may ask about, 50 000 events at a time: how many events, sessions and ends of sessions it were. '
    'Answers are the same before and after; they only get faster';
GRANT EXECUTE ON FUNCTION leadanalytics.fold(int, timestamptz) TO leadanalytics_admin;

-- One workspace that cannot be folded does not stop the others.
CREATE FUNCTION leadanalytics.try_fold(workspace int, now timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce(leadanalytics.fold_workspace(try_fold.workspace, 50000, try_fold.now), 0);
EXCEPTION WHEN OTHERS THEN
    INSERT INTO leadanalytics.rollup_state AS s (workspace, fold_failures, fold_after, fold_error)
    VALUES (try_fold.workspace, 1, try_fold.now + interval '5 seconds', format('%s (SQLSTATE %s)', SQLERRM, SQLSTATE))
    ON CONFLICT ON CONSTRAINT rollup_state_pkey DO UPDATE SET
        fold_failures = least(s.fold_failures, 1000000) + 1,
        fold_after = try_fold.now + least(interval '5 seconds' * 2 ^ least(s.fold_failures, 10), interval '5 minutes'),
        fold_error = excluded.fold_error;
    RETURN 0;
END
$$;
COMMENT ON FUNCTION leadanalytics.try_fold(int, timestamptz) IS
    'leadanalytics.fold_workspace(), and when it fails, why and when it is tried again is written down: after 5 s doubled with each failure up to 5 min';

CREATE FUNCTION leadanalytics.unfolded(now timestamptz)
RETURNS TABLE (workspace int, events bigint) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.workspace, sum(l.n)
    FROM (SELECT l.workspace, count(*) AS rows, sum(l.n) AS n, min(l.since) AS since FROM leadanalytics.ledger l GROUP BY l.workspace
          UNION ALL
          SELECT l.workspace, count(*), 0, min(l.since) FROM leadanalytics.session_ledger l GROUP BY l.workspace) AS l
    LEFT JOIN leadanalytics.rollup_state s ON s.workspace = l.workspace
    -- Whatever pauses the failures say, a clock that was set back must not make them longer.
    WHERE NOT EXISTS (SELECT FROM leadanalytics.workspace w WHERE w.id = l.workspace AND w.closed_at IS NOT NULL)
      AND (s.fold_after IS NULL OR s.fold_after <= unfolded.now OR s.fold_after > unfolded.now + interval '5 minutes')
    GROUP BY l.workspace
    HAVING sum(l.n) >= current_setting('leadanalytics.fold_events')::int OR sum(l.rows) >= 100
        OR min(l.since) <= unfolded.now - current_setting('leadanalytics.fold_after')::interval
    ORDER BY 2 DESC
$$;
COMMENT ON FUNCTION leadanalytics.unfolded(timestamptz) IS
    'workspaces whose events are due to be folded: there are many (leadanalytics.fold_events), or old ones (leadanalytics.fold_after)';

CREATE PROCEDURE leadanalytics.fold_due(now timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    due record;
BEGIN
    FOR due IN SELECT u.workspace FROM leadanalytics.unfolded(fold_due.now) u LOOP
        WHILE leadanalytics.try_fold(due.workspace, fold_due.now) > 0 LOOP
            COMMIT;
        END LOOP;
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE leadanalytics.fold_due(timestamptz) IS 'fold what is due, a transaction for each 50 000 events of a workspace: the worker''s unit';
INSERT INTO leadanalytics.unit (name, function, kind, lane, every, on_poke, builtin, summary)
VALUES ('fold', 'leadanalytics.fold_due', 'procedure', 'fold', '5 seconds', true, true, 'events into segments');

-- Days and months.

CREATE FUNCTION leadanalytics.is_worth_segments(workspace int, starts timestamptz, ends timestamptz)
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) >= current_setting('leadanalytics.segment_events')::int
    FROM (SELECT FROM leadanalytics.event e
          WHERE e.workspace = is_worth_segments.workspace AND e.at >= starts AND e.at < ends
          LIMIT current_setting('leadanalytics.segment_events')::int) AS e
$$;
COMMENT ON FUNCTION leadanalytics.is_worth_segments(int, timestamptz, timestamptz) IS 'whether a time has as many events as leadanalytics.segment_events asks for';

CREATE FUNCTION leadanalytics.rows_since(workspace int, parent text DEFAULT 'event')
RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT d.before::timestamp AT TIME ZONE 'UTC' FROM leadanalytics.dropped d
                     WHERE d.workspace = rows_since.workspace AND d.parent = rows_since.parent), '-infinity')
$$;
COMMENT ON FUNCTION leadanalytics.rows_since(int, text) IS 'since when a partitioned table has all of a workspace''s rows: older ones go';

-- A day may still get events for as long as clients' timestamps are believed; they come into its segments by
-- the fold. So a day is made an hour after its end.
CREATE FUNCTION leadanalytics.buckets_due(workspace int, since timestamptz, now timestamptz)
RETURNS TABLE (grain "char", zone text, starts timestamptz, ends timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH zone AS (
        SELECT 'UTC' AS name UNION SELECT w.timezone FROM leadanalytics.workspace w WHERE w.id = buckets_due.workspace
    ), span AS (
        SELECT g.grain, z.name AS zone, s.local::timestamp AT TIME ZONE z.name AS starts, (s.local + g.length)::timestamp AT TIME ZONE z.name AS ends
        FROM zone z
        CROSS JOIN (VALUES ('d'::"char", 'day', interval '1 day'), ('w', 'week', interval '1 week'), ('m', 'month', interval '1 month')) AS g (grain, unit, length)
        CROSS JOIN LATERAL generate_series(date_trunc(g.unit, buckets_due.since AT TIME ZONE z.name), buckets_due.now AT TIME ZONE z.name, g.length) AS s (local)
    )
    SELECT s.grain, s.zone, s.starts, s.ends
    FROM span s
    WHERE s.ends <= buckets_due.now - interval '1 hour' AND s.ends > s.starts
      AND s.starts >= leadanalytics.rows_since(buckets_due.workspace) -- of what is gone nothing can be made
      AND NOT EXISTS (SELECT FROM leadanalytics.bucket b
                      WHERE b.workspace = buckets_due.workspace AND b.starts = s.starts AND b.grain = s.grain AND b.zone = s.zone)
      AND leadanalytics.is_worth_segments(buckets_due.workspace, s.starts, s.ends)
    ORDER BY s.ends - s.starts, s.starts, s.zone -- each is made of shorter ones
$$;
COMMENT ON FUNCTION leadanalytics.buckets_due(int, timestamptz, timestamptz) IS
    'days, weeks and months, in UTC and in the workspace''s zone, that are over, have segments to be made, and end behind since';

CREATE FUNCTION leadanalytics.build_workspace(workspace int, now timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    since timestamptz;
    home text;
    due record;
    built int := 0;
BEGIN
    SELECT w.timezone, CASE WHEN s.built_zone = w.timezone THEN s.built_to END INTO home, since
    FROM leadanalytics.workspace w LEFT JOIN leadanalytics.rollup_state s ON s.workspace = w.id WHERE w.id = build_workspace.workspace;
    IF since IS NULL THEN -- never yet, or in another zone
        SELECT min(e.at) INTO since FROM leadanalytics.event e WHERE e.workspace = build_workspace.workspace;
    END IF;
    FOR due IN
        SELECT b.* FROM leadanalytics.buckets_due(build_workspace.workspace, since - interval '1 day', build_workspace.now) b LIMIT 31
    LOOP
        IF NOT leadanalytics.build_bucket(build_workspace.workspace, due.grain, due.zone, due.starts, due.ends) THEN
            RETURN built;
        END IF;
        built := built + 1;
    END LOOP;
    IF built = 0 THEN
        UPDATE leadanalytics.rollup_state s SET built_to = build_workspace.now - interval '1 hour', built_zone = home
        WHERE s.workspace = build_workspace.workspace AND least(s.built_to, since) = since;
    END IF;
    RETURN built;
END
$$;
COMMENT ON FUNCTION leadanalytics.build_workspace(int, timestamptz) IS
    'make up to 31 of the workspace''s days, weeks and months that are over and have no segments: how many it were';

CREATE FUNCTION leadanalytics.build(workspace int, now timestamptz DEFAULT now())
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    built int;
    sum int := 0;
BEGIN
    LOOP
        built := leadanalytics.build_workspace(allowed, build.now);
        EXIT WHEN built = 0;
        sum := sum + built;
    END LOOP;
    RETURN sum;
END
$$;
COMMENT ON FUNCTION leadanalytics.build(int, timestamptz) IS 'make all days, weeks and months of a workspace that are over and have no segments: how many it were';
GRANT EXECUTE ON FUNCTION leadanalytics.build(int, timestamptz) TO leadanalytics_admin;

-- A stretch of the primary key for each dimension: with dimension = ANY (...) a plan may look for the time among all
-- segments of the grain.
CREATE FUNCTION leadanalytics.delete_segments(workspace int, grain "char", zone text, starts timestamptz, ends timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one smallint;
BEGIN
    FOREACH one IN ARRAY leadanalytics.stored_dimensions() LOOP
        DELETE FROM leadanalytics.segment s
        WHERE s.workspace = delete_segments.workspace AND s.grain = delete_segments.grain AND s.zone = delete_segments.zone
          AND s.dimension = one AND s.bucket >= delete_segments.starts AND s.bucket < delete_segments.ends;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_segments(int, "char", text, timestamptz, timestamptz) IS
    'delete the segments of a grain and zone whose buckets start in a time; the caller holds the workspace''s row of leadanalytics.rollup_state';

-- Quarters of an hour take more room than days, and are asked for while they are young.
CREATE FUNCTION leadanalytics.drop_quarters(workspace int, now timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old timestamptz[];
    one record;
BEGIN
    SELECT array_agg(b.starts) INTO old
    FROM leadanalytics.bucket b
    WHERE b.workspace = drop_quarters.workspace AND b.grain = 'q'
      AND b.ends <= drop_quarters.now - current_setting('leadanalytics.quarters_keep')::interval
      AND EXISTS (SELECT FROM leadanalytics.bucket d
                  WHERE d.workspace = b.workspace AND d.starts = b.starts AND d.grain = 'd' AND d.zone = 'UTC');
    IF old IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM FROM leadanalytics.rollup_state s WHERE s.workspace = drop_quarters.workspace FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    FOR one IN
        DELETE FROM leadanalytics.bucket b WHERE b.workspace = drop_quarters.workspace AND b.grain = 'q' AND b.starts = ANY (old)
        RETURNING b.*
    LOOP
        PERFORM leadanalytics.delete_segments(drop_quarters.workspace, one.grain, one.zone, one.starts, one.ends);
    END LOOP;
    UPDATE leadanalytics.rollup_state s SET version = s.version + 1 WHERE s.workspace = drop_quarters.workspace;
    RETURN cardinality(old);
END
$$;
COMMENT ON FUNCTION leadanalytics.drop_quarters(int, timestamptz) IS
    'delete the quarters of an hour of days that are older than leadanalytics.quarters_keep and have segments as a whole: of how many days';

CREATE PROCEDURE leadanalytics.build_due(now timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    due record;
BEGIN
    -- Nothing more can be due when the month of the last events is over and was looked at.
    FOR due IN
        SELECT s.workspace FROM leadanalytics.rollup_state s
        WHERE s.fold_failures = 0 AND NOT EXISTS (SELECT FROM leadanalytics.workspace w WHERE w.id = s.workspace AND w.closed_at IS NOT NULL) AND s.built_to <= build_due.now - interval '2 hours'
          AND s.built_to <= date_trunc('month', s.day::timestamp) AT TIME ZONE 'UTC' + interval '33 days'
        ORDER BY s.workspace
    LOOP
        WHILE leadanalytics.build_workspace(due.workspace, build_due.now) > 0 LOOP
            COMMIT;
        END LOOP;
        PERFORM leadanalytics.drop_quarters(due.workspace, build_due.now);
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE leadanalytics.build_due(timestamptz) IS 'segments of the days, weeks and months that are over, and no more of their quarters of an hour when they are old: the worker''s unit';
INSERT INTO leadanalytics.unit (name, function, kind, every, builtin, summary)
VALUES ('build', 'leadanalytics.build_due', 'procedure', '5 minutes', true, 'segments of days, weeks and months');

CREATE FUNCTION leadanalytics.forget_segments(workspace int, starts timestamptz DEFAULT '-infinity', ends timestamptz DEFAULT 'infinity')
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    forgotten int := 0;
    one record;
BEGIN
    PERFORM FROM leadanalytics.rollup_state s WHERE s.workspace = allowed FOR NO KEY UPDATE;
    FOR one IN
        DELETE FROM leadanalytics.bucket b
        WHERE b.workspace = allowed AND b.ends > forget_segments.starts AND b.starts < forget_segments.ends
          AND b.starts >= leadanalytics.rows_since(allowed) -- the others are all there is of their time
        RETURNING b.*
    LOOP
        PERFORM leadanalytics.delete_segments(allowed, one.grain, one.zone, one.starts,
                                              CASE one.grain WHEN 'q' THEN one.ends ELSE one.starts + interval '1 second' END);
        forgotten := forgotten + 1;
        UPDATE leadanalytics.rollup_state s SET built_to = least(s.built_to, one.starts) WHERE s.workspace = allowed;
    END LOOP;
    UPDATE leadanalytics.rollup_state s SET version = s.version + 1 WHERE s.workspace = allowed;
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION leadanalytics.forget_segments(int, timestamptz, timestamptz) IS
    'delete the segments of every bucket that touches a time: how many buckets; those of time whose rows were dropped stay. The answers come from the rows until they are made again, by the worker or leadanalytics.build()';
GRANT EXECUTE ON FUNCTION leadanalytics.forget_segments(int, timestamptz, timestamptz) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.stored_dimensions()
RETURNS smallint[] LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_rollup_stored';
COMMENT ON FUNCTION leadanalytics.stored_dimensions() IS 'what stands in leadanalytics.segment.dimension, robots'' events'' included';

CREATE FUNCTION leadanalytics.dimensions()
RETURNS TABLE (name text, counts text[], members text) LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 30 AS 'MODULE_PATHNAME', 'la_rollup_dimensions';
COMMENT ON FUNCTION leadanalytics.dimensions() IS 'what leadanalytics.answer() can be asked for: what it counts by each value, and whose distinct members';
GRANT EXECUTE ON FUNCTION leadanalytics.dimensions() TO leadanalytics_read;

-- Looking at it.

CREATE FUNCTION leadanalytics.folded_to(workspace int)
RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT least((SELECT min(l.since) FROM leadanalytics.ledger l WHERE l.workspace = folded_to.workspace),
                 (SELECT min(l.since) FROM leadanalytics.session_ledger l WHERE l.workspace = folded_to.workspace), statement_timestamp())
$$;
COMMENT ON FUNCTION leadanalytics.folded_to(int) IS 'leadanalytics.freshness()''s, for who asked who calls';

CREATE FUNCTION leadanalytics.freshness(workspace int DEFAULT NULL)
RETURNS TABLE (slug text, folded_to timestamptz, unfolded_events bigint, unfolded_sessions bigint, failures int, error text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    asked CONSTANT int := CASE WHEN freshness.workspace IS NOT NULL THEN leadanalytics.permitted(freshness.workspace) END;
BEGIN
    RETURN QUERY
    SELECT w.slug, leadanalytics.folded_to(w.id), coalesce(e.n, 0)::bigint, coalesce(s.n, 0)::bigint, coalesce(r.fold_failures, 0), r.fold_error
    FROM leadanalytics.workspace w
    LEFT JOIN leadanalytics.rollup_state r ON r.workspace = w.id
    CROSS JOIN LATERAL (SELECT sum(l.n) AS n FROM leadanalytics.ledger l WHERE l.workspace = w.id) AS e
    CROSS JOIN LATERAL (SELECT sum(cardinality(l.numbers)) AS n FROM leadanalytics.session_ledger l WHERE l.workspace = w.id) AS s
    WHERE (asked IS NULL OR w.id = asked) AND leadanalytics.may(w.id)
    ORDER BY w.slug;
END
$$;
COMMENT ON FUNCTION leadanalytics.freshness(int) IS
    'how current the fold is: all that was written by transactions before folded_to is in segments where there are any. Answers are current regardless';
GRANT EXECUTE ON FUNCTION leadanalytics.freshness(int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.reconcile_buckets(workspace int, starts timestamptz, ends timestamptz)
RETURNS TABLE (grain "char", zone text, bucket timestamptz, dimension int, value int, what text, in_segments bigint, in_rows bigint)
LANGUAGE c STABLE STRICT SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS 'MODULE_PATHNAME', 'la_rollup_reconcile';
COMMENT ON FUNCTION leadanalytics.reconcile_buckets(int, timestamptz, timestamptz) IS 'leadanalytics.reconcile() for who asked who calls';

CREATE FUNCTION leadanalytics.reconcile(workspace int, starts timestamptz DEFAULT '-infinity', ends timestamptz DEFAULT 'infinity')
RETURNS TABLE (grain "char", zone text, bucket timestamptz, dimension int, value int, what text, in_segments bigint, in_rows bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT r.* FROM leadanalytics.reconcile_buckets(leadanalytics.permitted(reconcile.workspace), reconcile.starts, reconcile.ends) r;
    RETURN QUERY
    SELECT 't'::"char", 'UTC', r.day, 0, r.step, r.what, r.in_trail, r.in_rows
    FROM leadanalytics.reconcile_trail(leadanalytics.permitted(reconcile.workspace), reconcile.starts, reconcile.ends) r;
END
$$;
COMMENT ON FUNCTION leadanalytics.reconcile(int, timestamptz, timestamptz) IS
    'compare the segments of every bucket, and the trail of every day, that touches a time with the folded rows of it, both ways: the differences, none when all is well; time whose rows went has nothing to compare. '
    'what: count 1, 2 or 3, members (of which the numbers differ), or other members (as many, but not the same); of the trail (grain t, value: the step) points, or other points';
GRANT EXECUTE ON FUNCTION leadanalytics.reconcile(int, timestamptz, timestamptz) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.rollup_lines()
RETURNS SETOF leadanalytics.status_line LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'fold', coalesce(format('%s events wait in %s workspaces, the oldest since %s', sum(l.n), count(DISTINCT l.workspace),
                                   date_trunc('second', min(l.since))), 'all events are folded'), NULL
    FROM leadanalytics.ledger l
    UNION ALL
    (SELECT 'fold of workspace ' || s.workspace, format('failed %s times, last: %s', s.fold_failures, s.fold_error),
            CASE WHEN s.fold_error LIKE '%(SQLSTATE XX001)'
                 THEN format('SELECT leadanalytics.forget_segments(%s) has its segments made again from the events that are kept; what asks for damaged ones fails until then.', s.workspace)
                 ELSE format('Mend the cause; it is tried again by itself, or at once by SELECT leadanalytics.fold(%s). Answers are exact meanwhile, and slower.', s.workspace) END
     FROM leadanalytics.rollup_state s WHERE s.fold_failures > 0 ORDER BY s.workspace)
$$;
COMMENT ON FUNCTION leadanalytics.rollup_lines() IS 'how far the fold is, and the workspaces whose fold fails, for leadanalytics.status()';
INSERT INTO leadanalytics.status_source VALUES ('rollup', 'leadanalytics.rollup_lines');
