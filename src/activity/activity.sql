-- S3: a workspace's activity. Every number is a kept count plus what is not summed up yet, of one snapshot
-- (tally.sql): the same with the worker stopped, and what the caller's own transaction just wrote is in it.

CREATE FUNCTION leadanalytics.activity_sums(workspace int, metric text, since bigint DEFAULT NULL, until bigint DEFAULT NULL)
RETURNS TABLE (label text, ref bigint, n bigint) LANGUAGE sql STABLE AS $$
    SELECT s.label, s.ref, sum(s.n)::bigint
    FROM (SELECT t.label, t.ref, t.n FROM leadanalytics.activity_tally t
          WHERE t.workspace = activity_sums.workspace AND t.metric = activity_sums.metric
          UNION ALL
          SELECT f.label, f.ref, f.n FROM leadanalytics.activity_fresh_tally f
          WHERE f.workspace = activity_sums.workspace AND f.metric = activity_sums.metric) AS s
    WHERE (since IS NULL OR s.ref >= since) AND (until IS NULL OR s.ref <= until)
    GROUP BY s.label, s.ref HAVING sum(s.n) <> 0
$$;
COMMENT ON FUNCTION leadanalytics.activity_sums(int, text, bigint, bigint) IS
    'counts of a metric of leadanalytics.activity_tally, from ref since to until: for functions that asked who calls';

-- Of k refs with counts that are not summed up yet, the first five of all are among themselves and the first
-- 5 + k of those that are: no more is read, however many rooms there are.
CREATE FUNCTION leadanalytics.activity_top(workspace int, metric text)
RETURNS TABLE (ref bigint, n bigint) LANGUAGE sql STABLE AS $$
    WITH fresh AS MATERIALIZED (
        SELECT f.ref, sum(f.n) AS n FROM leadanalytics.activity_fresh_tally f
        WHERE f.workspace = activity_top.workspace AND f.metric = activity_top.metric
        GROUP BY f.ref
    ), counted AS (
        SELECT c.ref, sum(c.fresh) + coalesce(max(c.summed), (
            SELECT a.n FROM leadanalytics.activity_tally a
            WHERE a.workspace = activity_top.workspace AND a.metric = activity_top.metric AND a.label = '' AND a.ref = c.ref), 0) AS n
        FROM (SELECT f.ref, f.n AS fresh, NULL::bigint AS summed FROM fresh f
              UNION ALL
              SELECT t.ref, 0, t.n
              FROM (SELECT a.ref, a.n FROM leadanalytics.activity_tally a
                    WHERE a.workspace = activity_top.workspace AND a.metric = activity_top.metric AND a.metric IN ('in_room', 'on_page')
                    ORDER BY a.n DESC, a.ref LIMIT 5 + (SELECT count(*) FROM fresh)) AS t) AS c
        GROUP BY c.ref
    )
    SELECT c.ref, c.n::bigint FROM counted c WHERE c.n > 0 ORDER BY c.n DESC, c.ref LIMIT 5
$$;
COMMENT ON FUNCTION leadanalytics.activity_top(int, text) IS
    'the five highest counts of in_room or on_page, ties by ref: for functions that asked who calls';

-- The answer's six parts, for SQL.
CREATE FUNCTION leadanalytics.activity_kpis(workspace int)
RETURNS TABLE (rooms bigint, recordings bigint, recording_duration bigint, contacts bigint, bookings bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY SELECT
        coalesce((SELECT s.n FROM leadanalytics.activity_sums(allowed, 'room') s), 0),
        coalesce((SELECT s.n FROM leadanalytics.activity_sums(allowed, 'recording') s), 0),
        coalesce((SELECT s.n FROM leadanalytics.activity_sums(allowed, 'recording_seconds') s), 0),
        coalesce((SELECT s.n FROM leadanalytics.activity_sums(allowed, 'contact') s), 0),
        coalesce((SELECT s.n FROM leadanalytics.activity_sums(allowed, 'event') s WHERE s.label = 'booking'), 0);
END
$$;
COMMENT ON FUNCTION leadanalytics.activity_kpis(int) IS 'how many rooms, recordings (and their seconds), contacts and bookings a workspace ever had and still has';
GRANT EXECUTE ON FUNCTION leadanalytics.activity_kpis(int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.activity_timeline(workspace int, now timestamptz DEFAULT now())
RETURNS TABLE (date date, bookings bigint, room_joins bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today bigint := leadanalytics.utc_day(now);
BEGIN
    RETURN QUERY
    SELECT date '1970-01-01' + s.ref::int, coalesce(sum(s.n) FILTER (WHERE s.label = 'booking'), 0)::bigint,
           coalesce(sum(s.n) FILTER (WHERE s.label = 'room_join'), 0)::bigint
    FROM leadanalytics.activity_sums(leadanalytics.permitted(workspace), 'day', today - 29, today) s
    GROUP BY s.ref ORDER BY s.ref;
END
$$;
COMMENT ON FUNCTION leadanalytics.activity_timeline(int, timestamptz) IS 'bookings and room joins of each of the last 30 UTC days that has one';
GRANT EXECUTE ON FUNCTION leadanalytics.activity_timeline(int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.activity_event_types(workspace int)
RETURNS TABLE (type text, count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT s.label, s.n FROM leadanalytics.activity_sums(leadanalytics.permitted(workspace), 'event') s
    ORDER BY s.n DESC, s.label COLLATE "C";
END
$$;
COMMENT ON FUNCTION leadanalytics.activity_event_types(int) IS 'how many events of each type contacts ever had, most first';
GRANT EXECUTE ON FUNCTION leadanalytics.activity_event_types(int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.activity_top_booking_pages(workspace int)
RETURNS TABLE (id bigint, title text, slug text, count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY SELECT p.id, p.title, p.slug, t.n
    FROM leadanalytics.activity_top(allowed, 'on_page') t JOIN leadanalytics.booking_page p ON p.workspace = allowed AND p.id = t.ref
    ORDER BY t.n DESC, p.id;
END
$$;
COMMENT ON FUNCTION leadanalytics.activity_top_booking_pages(int) IS 'the five booking pages with most bookings, ties by id';
GRANT EXECUTE ON FUNCTION leadanalytics.activity_top_booking_pages(int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.activity_new_contacts(workspace int, now timestamptz DEFAULT now())
RETURNS TABLE (date date, count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    today bigint := leadanalytics.utc_day(now);
BEGIN
    RETURN QUERY SELECT date '1970-01-01' + s.ref::int, s.n
    FROM leadanalytics.activity_sums(leadanalytics.permitted(workspace), 'contact_day', today - 29, today) s ORDER BY s.ref;
END
$$;
COMMENT ON FUNCTION leadanalytics.activity_new_contacts(int, timestamptz) IS 'contacts made on each of the last 30 UTC days that has one';
GRANT EXECUTE ON FUNCTION leadanalytics.activity_new_contacts(int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.activity_top_rooms(workspace int)
RETURNS TABLE (id bigint, name text, display_name text, count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY SELECT r.id, r.name, r.display_name, t.n
    FROM leadanalytics.activity_top(allowed, 'in_room') t JOIN leadanalytics.room r ON r.workspace = allowed AND r.id = t.ref
    ORDER BY t.n DESC, r.id;
END
$$;
COMMENT ON FUNCTION leadanalytics.activity_top_rooms(int) IS 'the five rooms joined most often, ties by id';
GRANT EXECUTE ON FUNCTION leadanalytics.activity_top_rooms(int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.activity(workspace int, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN json_build_object(
        'kpis', (SELECT json_build_object('rooms', k.rooms, 'recordings', k.recordings, 'recordingDuration', k.recording_duration,
                                          'contacts', k.contacts, 'bookings', k.bookings)
                 FROM leadanalytics.activity_kpis(workspace) k),
        'activityTimeline', (SELECT coalesce(json_agg(t ORDER BY t.date), '[]') FROM leadanalytics.activity_timeline(workspace, now) t),
        'eventTypeBreakdown', (SELECT coalesce(json_agg(t ORDER BY t.count DESC, t.type COLLATE "C"), '[]') FROM leadanalytics.activity_event_types(workspace) t),
        'topBookingPages', (SELECT coalesce(json_agg(t ORDER BY t.count DESC, t.id), '[]') FROM leadanalytics.activity_top_booking_pages(workspace) t),
        'newContactsTimeline', (SELECT coalesce(json_agg(t ORDER BY t.date), '[]') FROM leadanalytics.activity_new_contacts(workspace, now) t),
        'topRooms', (SELECT coalesce(json_agg(t ORDER BY t.count DESC, t.id), '[]') FROM leadanalytics.activity_top_rooms(workspace) t));
END
$$;
COMMENT ON FUNCTION leadanalytics.activity(int, timestamptz) IS
    'a workspace''s activity as of now: totals, the last 30 UTC days of bookings, room joins and new contacts, events by type, top rooms and booking pages';
GRANT EXECUTE ON FUNCTION leadanalytics.activity(int, timestamptz) TO leadanalytics_read;

CREATE VIEW leadanalytics.contact_events WITH (security_barrier) AS
SELECT e.workspace, e.id, e.at, c.email AS contact, e.event_type, r.name AS room, p.slug AS booking_page, e.event_id, e.metadata
FROM leadanalytics.contact_event e
JOIN leadanalytics.contact c ON c.workspace = e.workspace AND c.id = e.contact
LEFT JOIN leadanalytics.room r ON r.workspace = e.workspace AND r.id = e.room
LEFT JOIN leadanalytics.booking_page p ON p.workspace = e.workspace AND p.id = e.booking_page
WHERE e.workspace IN (SELECT w.id FROM leadanalytics.workspace w WHERE leadanalytics.may(w.id));
COMMENT ON VIEW leadanalytics.contact_events IS 'what contacts did, of the workspaces the caller may ask about; room and booking_page are null where there was none or it was deleted';
GRANT SELECT ON leadanalytics.contact_events TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, summary, example, builtin) VALUES
    ('GET', '/api/workspaces/:workspaceId/analytics', 'leadanalytics.activity', 'activity', '{member}', 'A workspace''s activity',
     '{"kpis": {"rooms": 12, "recordings": 34, "recordingDuration": 183600, "contacts": 210, "bookings": 87},
       "activityTimeline": [{"date": "2026-02-24", "bookings": 3, "room_joins": 7}],
       "eventTypeBreakdown": [{"type": "room_join", "count": 163}, {"type": "booking", "count": 87}],
       "topBookingPages": [{"id": 1, "title": "30-min Intro Call", "slug": "intro-call", "count": 42}],
       "newContactsTimeline": [{"date": "2026-02-24", "count": 5}],
       "topRooms": [{"id": 3, "name": "team-standup-1234", "display_name": "Team Standup", "count": 58}]}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, example, summary) VALUES
    ('GET', '/api/workspaces/:workspaceId/analytics', 'workspaceId', 'path', 'workspace_slug', 'workspace', 'acme', 'the workspace''s slug');
