-- What the functions of this room have in common: their plans are made once a session, for what they meet in a
-- large database (probes of indexes, tops read in their order), whatever the size of the tables was then. A few
-- rows are never worth compiling.

DO $$
DECLARE
    tuned regprocedure;
    setting text;
BEGIN
    FOR tuned IN
        SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace = 'leadanalytics'::regnamespace AND l.lanname = 'plpgsql' AND p.prosecdef
              AND p.proname IN ('activity', 'activity_kpis', 'activity_timeline', 'activity_event_types', 'activity_top_booking_pages', 'activity_new_contacts',
                                'activity_top_rooms', 'put_rooms', 'put_recordings', 'put_booking_pages', 'put_contacts', 'add_contact_events',
                                'tally_contact_events', 'tally_contacts', 'tally_recordings', 'tally_rooms')
    LOOP
        FOREACH setting IN ARRAY ARRAY['enable_seqscan = off', 'enable_bitmapscan = off', 'enable_hashjoin = off', 'enable_mergejoin = off',
                                       'plan_cache_mode = force_generic_plan', 'jit = off'] LOOP
            EXECUTE pg_catalog.format('ALTER FUNCTION %s SET %s', tuned, setting);
        END LOOP;
    END LOOP;
    ALTER FUNCTION leadanalytics.sum_activity(timestamptz) SET jit = off;
    ALTER FUNCTION leadanalytics.recount_activity(int) SET jit = off;
END
$$;
