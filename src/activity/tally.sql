-- Kept counts of activity: what each row counts for, the triggers that note it, and summing up.
--
-- Triggers, not the functions that write: deleting a room changes its events, deleting a workspace everything,
-- and whoever writes by INSERT or COPY counts too.

CREATE FUNCTION leadanalytics.utc_day(at timestamptz)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ((at AT TIME ZONE 'UTC')::date - date '1970-01-01')::bigint
$$;
COMMENT ON FUNCTION leadanalytics.utc_day(timestamptz) IS 'the UTC day of a moment, in days since 1970';

CREATE FUNCTION leadanalytics.counts_of_event(event_type text, at timestamptz, room bigint, booking_page bigint)
RETURNS TABLE (metric text, label text, ref bigint, n bigint) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT c.metric, c.label, c.ref, 1::bigint
    FROM (VALUES ('event', event_type, 0::bigint),
                 ('day', CASE WHEN event_type IN ('booking', 'room_join') THEN event_type END, leadanalytics.utc_day(at)),
                 ('in_room', '', CASE WHEN event_type = 'room_join' THEN room END),
                 ('on_page', '', CASE WHEN event_type = 'booking' THEN booking_page END)) AS c (metric, label, ref)
    WHERE c.label IS NOT NULL AND c.ref IS NOT NULL
$$;
COMMENT ON FUNCTION leadanalytics.counts_of_event(text, timestamptz, bigint, bigint) IS 'what an event of a contact adds to which counts';

CREATE FUNCTION leadanalytics.counts_of_contact(created_at timestamptz)
RETURNS TABLE (metric text, label text, ref bigint, n bigint) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES ('contact', '', 0::bigint, 1::bigint), ('contact_day', '', leadanalytics.utc_day(created_at), 1)
$$;
COMMENT ON FUNCTION leadanalytics.counts_of_contact(timestamptz) IS 'what a contact adds to which counts';

CREATE FUNCTION leadanalytics.counts_of_recording(duration_seconds int)
RETURNS TABLE (metric text, label text, ref bigint, n bigint) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES ('recording', '', 0::bigint, 1::bigint), ('recording_seconds', '', 0, duration_seconds)
$$;
COMMENT ON FUNCTION leadanalytics.counts_of_recording(int) IS 'what a recording adds to which counts';

CREATE FUNCTION leadanalytics.tally_contact_events()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO leadanalytics.activity_fresh_tally (workspace, metric, label, ref, n)
        SELECT f.workspace, c.metric, c.label, c.ref, sum(c.n)
        FROM fresh f, leadanalytics.counts_of_event(f.event_type, f.at, f.room, f.booking_page) c GROUP BY 1, 2, 3, 4;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO leadanalytics.activity_fresh_tally (workspace, metric, label, ref, n)
        SELECT e.workspace, c.metric, c.label, c.ref, sum(e.sign * c.n)
        FROM (SELECT -1 AS sign, s.* FROM stale s UNION ALL SELECT 1, f.* FROM fresh f) AS e,
             leadanalytics.counts_of_event(e.event_type, e.at, e.room, e.booking_page) c
        GROUP BY 1, 2, 3, 4 HAVING sum(e.sign * c.n) <> 0;
    ELSE
        INSERT INTO leadanalytics.activity_fresh_tally (workspace, metric, label, ref, n)
        SELECT s.workspace, c.metric, c.label, c.ref, -sum(c.n)
        FROM stale s, leadanalytics.counts_of_event(s.event_type, s.at, s.room, s.booking_page) c GROUP BY 1, 2, 3, 4;
    END IF;
    PERFORM leadanalytics.worker_poke();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.tally_contact_events() IS 'note what a statement changed in the counts of events';

CREATE FUNCTION leadanalytics.tally_contacts()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO leadanalytics.activity_fresh_tally (workspace, metric, label, ref, n)
        SELECT f.workspace, c.metric, c.label, c.ref, sum(c.n) FROM fresh f, leadanalytics.counts_of_contact(f.created_at) c GROUP BY 1, 2, 3, 4;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO leadanalytics.activity_fresh_tally (workspace, metric, label, ref, n)
        SELECT e.workspace, c.metric, c.label, c.ref, sum(e.sign * c.n)
        FROM (SELECT -1 AS sign, s.* FROM stale s UNION ALL SELECT 1, f.* FROM fresh f) AS e, leadanalytics.counts_of_contact(e.created_at) c
        GROUP BY 1, 2, 3, 4 HAVING sum(e.sign * c.n) <> 0;
    ELSE
        INSERT INTO leadanalytics.activity_fresh_tally (workspace, metric, label, ref, n)
        SELECT s.workspace, c.metric, c.label, c.ref, -sum(c.n) FROM stale s, leadanalytics.counts_of_contact(s.created_at) c GROUP BY 1, 2, 3, 4;
    END IF;
    PERFORM leadanalytics.worker_poke();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.tally_contacts() IS 'note what a statement changed in the counts of contacts';

CREATE FUNCTION leadanalytics.tally_recordings()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO leadanalytics.activity_fresh_tally (workspace, metric, label, ref, n)
        SELECT f.workspace, c.metric, c.label, c.ref, sum(c.n) FROM fresh f, leadanalytics.counts_of_recording(f.duration_seconds) c GROUP BY 1, 2, 3, 4;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO leadanalytics.activity_fresh_tally (workspace, metric, label, ref, n)
        SELECT e.workspace, c.metric, c.label, c.ref, sum(e.sign * c.n)
        FROM (SELECT -1 AS sign, s.* FROM stale s UNION ALL SELECT 1, f.* FROM fresh f) AS e, leadanalytics.counts_of_recording(e.duration_seconds) c
        GROUP BY 1, 2, 3, 4 HAVING sum(e.sign * c.n) <> 0;
    ELSE
        INSERT INTO leadanalytics.activity_fresh_tally (workspace, metric, label, ref, n)
        SELECT s.workspace, c.metric, c.label, c.ref, -sum(c.n) FROM stale s, leadanalytics.counts_of_recording(s.duration_seconds) c GROUP BY 1, 2, 3, 4;
    END IF;
    PERFORM leadanalytics.worker_poke();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.tally_recordings() IS 'note what a statement changed in the counts of recordings';

CREATE FUNCTION leadanalytics.tally_rooms()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO leadanalytics.activity_fresh_tally (workspace, metric, label, ref, n)
        SELECT f.workspace, 'room', '', 0, count(*) FROM fresh f GROUP BY f.workspace;
    ELSE
        INSERT INTO leadanalytics.activity_fresh_tally (workspace, metric, label, ref, n)
        SELECT s.workspace, 'room', '', 0, -count(*) FROM stale s GROUP BY s.workspace;
    END IF;
    PERFORM leadanalytics.worker_poke();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.tally_rooms() IS 'note what a statement changed in the number of rooms';

CREATE TRIGGER tally_inserted AFTER INSERT ON leadanalytics.contact_event
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_contact_events();
CREATE TRIGGER tally_updated AFTER UPDATE ON leadanalytics.contact_event
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_contact_events();
CREATE TRIGGER tally_deleted AFTER DELETE ON leadanalytics.contact_event
    REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_contact_events();
CREATE TRIGGER tally_inserted AFTER INSERT ON leadanalytics.contact
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_contacts();
CREATE TRIGGER tally_updated AFTER UPDATE ON leadanalytics.contact
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_contacts();
CREATE TRIGGER tally_deleted AFTER DELETE ON leadanalytics.contact
    REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_contacts();
CREATE TRIGGER tally_inserted AFTER INSERT ON leadanalytics.recording
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_recordings();
CREATE TRIGGER tally_updated AFTER UPDATE ON leadanalytics.recording
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_recordings();
CREATE TRIGGER tally_deleted AFTER DELETE ON leadanalytics.recording
    REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_recordings();
CREATE TRIGGER tally_inserted AFTER INSERT ON leadanalytics.room
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_rooms();
CREATE TRIGGER tally_deleted AFTER DELETE ON leadanalytics.room
    REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_rooms();

-- Summing up. One at a time (who comes second leaves it to the first), so rows of activity_tally are locked by
-- nobody else; a row that is written meanwhile is left for the next time.
CREATE FUNCTION leadanalytics.sum_activity(now timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    summed int := 0;
    nothing leadanalytics.activity_tally[];
BEGIN
    IF NOT EXISTS (SELECT FROM leadanalytics.activity_fresh_tally)
       OR NOT pg_try_advisory_xact_lock(hashtextextended('leadanalytics.sum_activity', 0)) THEN
        RETURN 0;
    END IF;
    WITH taken AS (
        DELETE FROM leadanalytics.activity_fresh_tally f RETURNING f.*
    ), kept AS (
        INSERT INTO leadanalytics.activity_tally AS t (workspace, metric, label, ref, n)
        SELECT g.workspace, g.metric, g.label, g.ref, sum(g.n) FROM taken g
        GROUP BY 1, 2, 3, 4
        ON CONFLICT (workspace, metric, label, ref) DO UPDATE SET n = t.n + excluded.n
        RETURNING t.*
    )
    SELECT (SELECT count(*) FROM taken), array_agg(k::leadanalytics.activity_tally) FILTER (WHERE k.n = 0) INTO summed, nothing FROM kept k;
    -- A room that is gone, a workspace that is: counts of nothing.
    DELETE FROM leadanalytics.activity_tally t USING unnest(nothing) AS z
    WHERE t.workspace = z.workspace AND t.metric = z.metric AND t.label = z.label AND t.ref = z.ref;
    RETURN summed;
END
$$;
COMMENT ON FUNCTION leadanalytics.sum_activity(timestamptz) IS
    'sum up the counts of activity, and return how many rows were: the worker''s unit; answers are the same before and after';
INSERT INTO leadanalytics.unit (name, function, every, on_poke, builtin, summary) VALUES
    ('sum_activity', 'leadanalytics.sum_activity', '1 minute', true, true, 'sum up the counts of activity');

CREATE FUNCTION leadanalytics.recount_activity(workspace int)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed int := leadanalytics.permitted(recount_activity.workspace);
BEGIN
    LOCK TABLE leadanalytics.room, leadanalytics.recording, leadanalytics.contact, leadanalytics.contact_event IN SHARE MODE;
    PERFORM pg_advisory_xact_lock(hashtextextended('leadanalytics.sum_activity', 0));
    DELETE FROM leadanalytics.activity_fresh_tally f WHERE f.workspace = allowed;
    DELETE FROM leadanalytics.activity_tally t WHERE t.workspace = allowed;
    INSERT INTO leadanalytics.activity_tally (workspace, metric, label, ref, n)
    SELECT allowed, c.metric, c.label, c.ref, sum(c.n)
    FROM (SELECT 'room' AS metric, '' AS label, 0 AS ref, 1 AS n FROM leadanalytics.room r WHERE r.workspace = allowed
          UNION ALL
          SELECT a.* FROM leadanalytics.recording r, leadanalytics.counts_of_recording(r.duration_seconds) a WHERE r.workspace = allowed
          UNION ALL
          SELECT a.* FROM leadanalytics.contact p, leadanalytics.counts_of_contact(p.created_at) a WHERE p.workspace = allowed
          UNION ALL
          SELECT a.* FROM leadanalytics.contact_event e, leadanalytics.counts_of_event(e.event_type, e.at, e.room, e.booking_page) a
          WHERE e.workspace = allowed) AS c
    GROUP BY 2, 3, 4 HAVING sum(c.n) <> 0;
END
$$;
COMMENT ON FUNCTION leadanalytics.recount_activity(int) IS
    'count a workspace''s activity anew from its rows, while nobody writes: for rows that came or went past the triggers (TRUNCATE, pg_restore --disable-triggers)';
GRANT EXECUTE ON FUNCTION leadanalytics.recount_activity(int) TO leadanalytics_admin;
