-- The trail for SQL: what it says, whether that is right, and its making anew.

CREATE FUNCTION leadanalytics.trail_points(workspace int, kind "char", step int, starts timestamptz, ends timestamptz)
RETURNS TABLE (at timestamptz, number bigint)
LANGUAGE c STABLE STRICT SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS 'MODULE_PATHNAME', 'la_trail_points';
COMMENT ON FUNCTION leadanalytics.trail_points(int, "char", int, timestamptz, timestamptz) IS
    'who did a step from starts until before ends, in the order of time, events that are not folded yet included: for functions that asked who calls';

CREATE FUNCTION leadanalytics.reconcile_trail(workspace int, starts timestamptz, ends timestamptz)
RETURNS TABLE (day timestamptz, step int, what text, in_trail bigint, in_rows bigint)
LANGUAGE c STABLE STRICT SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS 'MODULE_PATHNAME', 'la_trail_reconcile';
COMMENT ON FUNCTION leadanalytics.reconcile_trail(int, timestamptz, timestamptz) IS
    'where the trail of the web differs from the folded rows, of the days that touch a time: part of leadanalytics.reconcile()';

CREATE FUNCTION leadanalytics.make_trail(workspace int, starts timestamptz, ends timestamptz)
RETURNS bigint LANGUAGE c VOLATILE STRICT SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS 'MODULE_PATHNAME', 'la_trail_rebuild';
COMMENT ON FUNCTION leadanalytics.make_trail(int, timestamptz, timestamptz) IS
    'leadanalytics.rebuild_trail() for who holds the workspace''s row of leadanalytics.rollup_state';

CREATE FUNCTION leadanalytics.rebuild_trail(workspace int, starts timestamptz DEFAULT '-infinity', ends timestamptz DEFAULT 'infinity')
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    n bigint;
BEGIN
    PERFORM FROM leadanalytics.rollup_state s WHERE s.workspace = allowed FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 0; -- nothing was ever folded
    END IF;
    LOCK TABLE leadanalytics.event IN ACCESS SHARE MODE; -- what of it is dropped from here on, is dropped afterwards
    n := leadanalytics.make_trail(allowed, starts, ends);
    UPDATE leadanalytics.rollup_state s SET version = s.version + 1 WHERE s.workspace = allowed;
    RETURN n;
END
$$;
COMMENT ON FUNCTION leadanalytics.rebuild_trail(int, timestamptz, timestamptz) IS
    'make the trail of the web anew from the folded rows of the days that touch a time: how many points it has; that of time whose rows were dropped stays';
GRANT EXECUTE ON FUNCTION leadanalytics.rebuild_trail(int, timestamptz, timestamptz) TO leadanalytics_admin;
