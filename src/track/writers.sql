-- What the functions that add events have in common: their plans are made for what they meet in a large database.

DO $$
DECLARE
    writers CONSTANT text[] := ARRAY['leadanalytics.track', 'leadanalytics.track_session_start', 'leadanalytics.track_event', 'leadanalytics.track_events',
                                     'leadanalytics.track_session_end', 'leadanalytics.import_log', 'leadanalytics.import_csv'];
    writer regproc;
BEGIN
    PERFORM leadanalytics.plan_for_large(VARIADIC writers);
    -- A batch's rows stand in one list already; keeping them a second time is work for nothing.
    FOREACH writer IN ARRAY writers::regproc[] LOOP
        EXECUTE format('ALTER FUNCTION %s SET enable_material = off', writer);
    END LOOP;
END
$$;
