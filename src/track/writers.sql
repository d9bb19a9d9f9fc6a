-- What the functions that add events have in common: their plans are made for what they meet in a large
-- database, probes of indexes, whatever the size of the tables was when the session first ran them; and no
-- statement of theirs runs long enough to be worth compiling, however much it is thought to cost.

DO $$
DECLARE
    writer regprocedure;
    setting text;
BEGIN
    FOR writer IN
        SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace = 'leadanalytics'::regnamespace AND l.lanname = 'c' AND p.prosecdef
              AND p.proname IN ('track', 'track_session_start', 'track_event', 'track_events', 'track_session_end', 'import_log', 'import_csv')
    LOOP
        FOREACH setting IN ARRAY ARRAY['enable_seqscan = off', 'enable_bitmapscan = off', 'enable_hashjoin = off', 'enable_mergejoin = off',
                                       'enable_material = off', 'plan_cache_mode = force_generic_plan', 'jit = off'] LOOP
            EXECUTE pg_catalog.format('ALTER FUNCTION %s SET %s', writer, setting);
        END LOOP;
    END LOOP;
END
$$;
