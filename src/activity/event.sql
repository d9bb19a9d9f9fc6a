-- What contacts did, as it comes in (CONTRACT section 0, S3-04).
--
-- A contact is called by its address and needs nothing else: who is new is made, as of the event. A room or a
-- page must be there: a page has a title that nobody sent, and an event that comes late must not bring back
-- what was deleted.

CREATE FUNCTION leadanalytics.contact_event_items(body json, now timestamptz)
RETURNS SETOF leadanalytics.contact_event_item LANGUAGE sql STABLE AS $$
    SELECT i.index, leadanalytics.contact_email(i.item ->> 'contact'), i.item ->> 'event_type', i.item ->> 'room', i.item ->> 'booking_page',
           coalesce(to_timestamp(CASE WHEN f.error IS NULL THEN leadanalytics.whole_member(i.item, 'created_at') END), now), i.item ->> 'event_id',
           CASE json_typeof(i.item -> 'metadata') WHEN 'object' THEN i.item -> 'metadata' END, f.error
    FROM leadanalytics.items(body) i
    CROSS JOIN LATERAL (SELECT coalesce(
        leadanalytics.text_fault(i.item, 'contact', true, 1000),
        CASE WHEN leadanalytics.contact_email(i.item ->> 'contact') IS NULL THEN 'Invalid contact' END,
        leadanalytics.text_fault(i.item, 'event_type', true, 100),
        leadanalytics.text_fault(i.item, 'room', false, 200),
        leadanalytics.text_fault(i.item, 'booking_page', false, 200),
        leadanalytics.text_fault(i.item, 'event_id', false, 128),
        CASE WHEN i.item ->> 'event_id' = '' THEN 'Invalid event_id' END,
        CASE WHEN json_typeof(i.item -> 'metadata') NOT IN ('object', 'null') THEN 'Invalid metadata' END,
        leadanalytics.whole_fault(i.item, 'created_at', false, 253402300799)) AS error) AS f
    ORDER BY i.index
$$;
COMMENT ON FUNCTION leadanalytics.contact_event_items(json, timestamptz) IS 'the events of a body, each with what is wrong with it';

CREATE FUNCTION leadanalytics.add_contact_events(workspace int, events json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed int := leadanalytics.permitted(add_contact_events.workspace);
    items leadanalytics.contact_event_item[] := ARRAY(SELECT i FROM leadanalytics.contact_event_items(add_contact_events.events, add_contact_events.now) i);
    rooms text[];
    pages text[];
    held int;
BEGIN
    -- What is named is held until the end, so that it can be referred to.
    rooms := ARRAY(SELECT r.name FROM leadanalytics.room r
                   WHERE r.workspace = allowed AND r.name = ANY (ARRAY(SELECT DISTINCT i.room FROM unnest(items) i WHERE i.error IS NULL))
                   ORDER BY r.id FOR KEY SHARE);
    pages := ARRAY(SELECT p.slug FROM leadanalytics.booking_page p
                   WHERE p.workspace = allowed AND p.slug = ANY (ARRAY(SELECT DISTINCT i.booking_page FROM unnest(items) i WHERE i.error IS NULL))
                   ORDER BY p.id FOR KEY SHARE);
    items := ARRAY(
        SELECT ROW(i.index, i.email, i.event_type, i.room, i.booking_page, i.at, i.event_id, i.metadata, coalesce(i.error,
                   CASE WHEN i.room <> '' AND i.room <> ALL (rooms) THEN 'Room not found'
                        WHEN i.booking_page <> '' AND i.booking_page <> ALL (pages) THEN 'Booking page not found' END)
               )::leadanalytics.contact_event_item
        FROM unnest(items) i ORDER BY i.index);
    -- One that somebody deletes between the two statements is made again.
    LOOP
        INSERT INTO leadanalytics.contact (workspace, email, created_at)
        SELECT allowed, i.email, min(i.at) FROM unnest(items) i
        WHERE i.error IS NULL AND NOT EXISTS (SELECT FROM leadanalytics.contact c WHERE c.workspace = allowed AND c.email = i.email)
        GROUP BY i.email ORDER BY i.email COLLATE "C"
        ON CONFLICT DO NOTHING;
        PERFORM FROM leadanalytics.contact c
        WHERE c.workspace = allowed AND c.email = ANY (ARRAY(SELECT DISTINCT i.email FROM unnest(items) i WHERE i.error IS NULL))
        ORDER BY c.id FOR KEY SHARE;
        GET DIAGNOSTICS held = ROW_COUNT;
        EXIT WHEN held = (SELECT count(DISTINCT i.email) FROM unnest(items) i WHERE i.error IS NULL);
    END LOOP;
    INSERT INTO leadanalytics.contact_event (workspace, contact, at, room, booking_page, event_type, event_id, metadata)
    SELECT allowed, c.id, i.at, r.id, p.id, i.event_type, i.event_id, i.metadata
    FROM unnest(items) i
    JOIN leadanalytics.contact c ON c.workspace = allowed AND c.email = i.email
    LEFT JOIN leadanalytics.room r ON r.workspace = allowed AND r.name = i.room
    LEFT JOIN leadanalytics.booking_page p ON p.workspace = allowed AND p.slug = i.booking_page
    WHERE i.error IS NULL
    ORDER BY i.event_id COLLATE "C", i.index
    ON CONFLICT (workspace, event_id) WHERE event_id IS NOT NULL DO NOTHING;
    RETURN leadanalytics.accepted(ARRAY(SELECT i.error FROM unnest(items) i ORDER BY i.index));
END
$$;
COMMENT ON FUNCTION leadanalytics.add_contact_events(int, json, timestamptz) IS
    'store what contacts did: one {contact, event_type, room, booking_page, metadata, created_at in Unix seconds, event_id}, or an array of at most 1 000; '
    'contacts are made where they are new, rooms and booking pages must be there; one with an event_id counts once';
GRANT EXECUTE ON FUNCTION leadanalytics.add_contact_events(int, json, timestamptz) TO leadanalytics_write;
