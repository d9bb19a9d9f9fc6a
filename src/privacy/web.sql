-- Until events can be taken out of segments one by one, the segments of the workspace go with them.
CREATE FUNCTION leadanalytics.erase_web(workspace int, visitors int[], persons int[], now timestamptz)
RETURNS TABLE (what text, n bigint) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    numbers CONSTANT int[] := visitors || persons;
    deleted bigint;
BEGIN
    LOOP
        EXIT WHEN coalesce(leadanalytics.fold_workspace(erase_web.workspace, 50000, erase_web.now), 0) = 0;
    END LOOP;
    DELETE FROM leadanalytics.event e WHERE e.workspace = erase_web.workspace AND coalesce(e.visitor, e.person) = ANY (numbers);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN QUERY VALUES ('events', deleted);
    DELETE FROM leadanalytics.session s WHERE s.workspace = erase_web.workspace AND s.visitor = ANY (visitors);
    DELETE FROM leadanalytics.guest g WHERE g.workspace = erase_web.workspace AND g.number = ANY (numbers);
    DELETE FROM leadanalytics.identity i WHERE i.workspace = erase_web.workspace AND (i.visitor = ANY (visitors) OR i.person = ANY (persons));
    DELETE FROM leadanalytics.visitor v WHERE v.workspace = erase_web.workspace AND v.number = ANY (visitors);
    DELETE FROM leadanalytics.person p WHERE p.workspace = erase_web.workspace AND p.number = ANY (persons);
    PERFORM leadanalytics.forget_segments(erase_web.workspace);
    PERFORM leadanalytics.rebuild_trail(erase_web.workspace);
END
$$;
COMMENT ON FUNCTION leadanalytics.erase_web(int, int[], int[], timestamptz) IS 'delete visitors and persons with their sessions and events';
