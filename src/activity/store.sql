-- Rooms, recordings, booking pages and contacts: put and removed (CONTRACT section 0).
--
-- Each has a function for many, {accepted, rejected:[{index, error}]}, and one for one, which the door calls
-- and which fails instead. Putting is an upsert by the key that the caller chose: what is omitted becomes null,
-- but for created_at, which stays as it was. Rows are locked in the order of their keys: two batches at once
-- wait for each other, and never in a circle.

CREATE FUNCTION leadanalytics.contact_email(email text)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN char_length(btrim(email)) <= 254 AND btrim(email) ~ '^[^@[:space:]]+@[^@[:space:]]+$' THEN lower(btrim(email) COLLATE "C") END
$$;
COMMENT ON FUNCTION leadanalytics.contact_email(text) IS 'an e-mail address in the one way that contacts are called by, null for what is none';

-- Rooms.
CREATE FUNCTION leadanalytics.put_rooms(workspace int, rooms json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    answer json;
    allowed int := leadanalytics.permitted(put_rooms.workspace);
BEGIN
    WITH given AS MATERIALIZED (
        SELECT i.index, i.item ->> 'name' AS name, nullif(i.item ->> 'display_name', '') AS display_name,
               coalesce(leadanalytics.text_fault(i.item, 'name', true, 200), leadanalytics.text_fault(i.item, 'display_name', false, 300)) AS error
        FROM leadanalytics.items(put_rooms.rooms) i
    ), written AS (
        INSERT INTO leadanalytics.room AS r (workspace, name, display_name, created_at)
        SELECT DISTINCT ON (g.name COLLATE "C") allowed, g.name, g.display_name, put_rooms.now
        FROM given g WHERE g.error IS NULL ORDER BY g.name COLLATE "C", g.index DESC
        ON CONFLICT (workspace, name) DO UPDATE SET display_name = excluded.display_name
        WHERE r.display_name IS DISTINCT FROM excluded.display_name
    )
    SELECT leadanalytics.accepted(array_agg(g.error ORDER BY g.index)) INTO answer FROM given g;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.put_rooms(int, json, timestamptz) IS 'make rooms, or write them anew: one {name, display_name}, or an array of at most 1 000';
GRANT EXECUTE ON FUNCTION leadanalytics.put_rooms(int, json, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.put_room(workspace int, name text, display_name text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE sql VOLATILE AS $$
    SELECT leadanalytics.accepted_one(leadanalytics.put_rooms(workspace, json_build_object('name', name, 'display_name', display_name), now))
$$;
COMMENT ON FUNCTION leadanalytics.put_room(int, text, text, timestamptz) IS 'make a room, or write it anew';
GRANT EXECUTE ON FUNCTION leadanalytics.put_room(int, text, text, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.delete_room(workspace int, name text)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    DELETE FROM leadanalytics.room r WHERE r.workspace = leadanalytics.permitted(delete_room.workspace) AND r.name = delete_room.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Room not found' USING ERRCODE = 'LA404';
    END IF;
    RETURN json_build_object('deleted', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_room(int, text) IS 'delete a room and its recordings; its events stay, in no room';
GRANT EXECUTE ON FUNCTION leadanalytics.delete_room(int, text) TO leadanalytics_write;

-- Recordings.
CREATE FUNCTION leadanalytics.put_recordings(workspace int, recordings json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    answer json;
    allowed int := leadanalytics.permitted(put_recordings.workspace);
    rooms bigint[];
BEGIN
    -- Held until the end, so that a room found is one to be written into.
    rooms := ARRAY(SELECT r.id FROM leadanalytics.room r
                   WHERE r.workspace = allowed AND r.name IN (SELECT i.item ->> 'room' FROM leadanalytics.items(put_recordings.recordings) i)
                   ORDER BY r.id FOR KEY SHARE OF r);
    WITH given AS MATERIALIZED (
        SELECT i.index, i.item ->> 'key' AS key, r.id AS room, to_timestamp(CASE WHEN f.error IS NULL THEN leadanalytics.whole_member(i.item, 'created_at') END) AS created_at,
               CASE WHEN f.error IS NULL THEN leadanalytics.whole_member(i.item, 'duration_seconds') END AS duration_seconds,
               coalesce(f.error, CASE WHEN r.id IS NULL THEN 'Room not found' END) AS error
        FROM leadanalytics.items(put_recordings.recordings) i
        CROSS JOIN LATERAL (SELECT coalesce(leadanalytics.text_fault(i.item, 'key', true, 200), leadanalytics.text_fault(i.item, 'room', true, 200),
            leadanalytics.whole_fault(i.item, 'duration_seconds', true, 2147483647), leadanalytics.whole_fault(i.item, 'created_at', false, 253402300799)) AS error) AS f
        LEFT JOIN leadanalytics.room r ON r.workspace = allowed AND r.id = ANY (rooms) AND r.name = i.item ->> 'room'
    ), last AS MATERIALIZED (
        SELECT DISTINCT ON (g.key COLLATE "C") g.* FROM given g WHERE g.error IS NULL ORDER BY g.key COLLATE "C", g.index DESC
    ), dated AS (
        INSERT INTO leadanalytics.recording AS r (workspace, key, room, duration_seconds, created_at)
        SELECT allowed, l.key, l.room, l.duration_seconds, l.created_at FROM last l WHERE l.created_at IS NOT NULL ORDER BY l.key COLLATE "C"
        ON CONFLICT (workspace, key) DO UPDATE SET room = excluded.room, duration_seconds = excluded.duration_seconds, created_at = excluded.created_at
        WHERE (r.room, r.duration_seconds, r.created_at) IS DISTINCT FROM (excluded.room, excluded.duration_seconds, excluded.created_at)
    ), undated AS (
        INSERT INTO leadanalytics.recording AS r (workspace, key, room, duration_seconds, created_at)
        SELECT allowed, l.key, l.room, l.duration_seconds, put_recordings.now FROM last l WHERE l.created_at IS NULL ORDER BY l.key COLLATE "C"
        ON CONFLICT (workspace, key) DO UPDATE SET room = excluded.room, duration_seconds = excluded.duration_seconds
        WHERE (r.room, r.duration_seconds) IS DISTINCT FROM (excluded.room, excluded.duration_seconds)
    )
    SELECT leadanalytics.accepted(array_agg(g.error ORDER BY g.index)) INTO answer FROM given g;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.put_recordings(int, json, timestamptz) IS
    'make recordings, or write them anew: one {key, room, duration_seconds, created_at in Unix seconds}, or an array of at most 1 000; the room must be there';
GRANT EXECUTE ON FUNCTION leadanalytics.put_recordings(int, json, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.put_recording(workspace int, key text, room text, duration_seconds int, created_at bigint DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE sql VOLATILE AS $$
    SELECT leadanalytics.accepted_one(leadanalytics.put_recordings(workspace,
        json_build_object('key', key, 'room', room, 'duration_seconds', duration_seconds, 'created_at', created_at), now))
$$;
COMMENT ON FUNCTION leadanalytics.put_recording(int, text, text, int, bigint, timestamptz) IS 'make a recording of a room, or write it anew; created_at in Unix seconds';
GRANT EXECUTE ON FUNCTION leadanalytics.put_recording(int, text, text, int, bigint, timestamptz) TO leadanalytics_write;

-- Booking pages.
CREATE FUNCTION leadanalytics.put_booking_pages(workspace int, booking_pages json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    answer json;
    allowed int := leadanalytics.permitted(put_booking_pages.workspace);
BEGIN
    WITH given AS MATERIALIZED (
        SELECT i.index, i.item ->> 'slug' AS slug, i.item ->> 'title' AS title,
               coalesce(leadanalytics.text_fault(i.item, 'slug', true, 200), leadanalytics.text_fault(i.item, 'title', true, 300)) AS error
        FROM leadanalytics.items(put_booking_pages.booking_pages) i
    ), written AS (
        INSERT INTO leadanalytics.booking_page AS p (workspace, slug, title, created_at)
        SELECT DISTINCT ON (g.slug COLLATE "C") allowed, g.slug, g.title, put_booking_pages.now
        FROM given g WHERE g.error IS NULL ORDER BY g.slug COLLATE "C", g.index DESC
        ON CONFLICT (workspace, slug) DO UPDATE SET title = excluded.title WHERE p.title <> excluded.title
    )
    SELECT leadanalytics.accepted(array_agg(g.error ORDER BY g.index)) INTO answer FROM given g;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.put_booking_pages(int, json, timestamptz) IS 'make booking pages, or write them anew: one {slug, title}, or an array of at most 1 000';
GRANT EXECUTE ON FUNCTION leadanalytics.put_booking_pages(int, json, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.put_booking_page(workspace int, slug text, title text, now timestamptz DEFAULT now())
RETURNS json LANGUAGE sql VOLATILE AS $$
    SELECT leadanalytics.accepted_one(leadanalytics.put_booking_pages(workspace, json_build_object('slug', slug, 'title', title), now))
$$;
COMMENT ON FUNCTION leadanalytics.put_booking_page(int, text, text, timestamptz) IS 'make a booking page, or write it anew';
GRANT EXECUTE ON FUNCTION leadanalytics.put_booking_page(int, text, text, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.delete_booking_page(workspace int, slug text)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    DELETE FROM leadanalytics.booking_page p
    WHERE p.workspace = leadanalytics.permitted(delete_booking_page.workspace) AND p.slug = delete_booking_page.slug;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Booking page not found' USING ERRCODE = 'LA404';
    END IF;
    RETURN json_build_object('deleted', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_booking_page(int, text) IS 'delete a booking page; its events stay, on no page';
GRANT EXECUTE ON FUNCTION leadanalytics.delete_booking_page(int, text) TO leadanalytics_write;

-- Contacts.
CREATE FUNCTION leadanalytics.put_contacts(workspace int, contacts json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    answer json;
    allowed int := leadanalytics.permitted(put_contacts.workspace);
BEGIN
    WITH given AS MATERIALIZED (
        SELECT i.index, leadanalytics.contact_email(i.item ->> 'email') AS email, nullif(i.item ->> 'name', '') AS name,
               to_timestamp(CASE WHEN f.error IS NULL THEN leadanalytics.whole_member(i.item, 'created_at') END) AS created_at, f.error
        FROM leadanalytics.items(put_contacts.contacts) i
        CROSS JOIN LATERAL (SELECT coalesce(leadanalytics.text_fault(i.item, 'email', true, 1000),
            CASE WHEN leadanalytics.contact_email(i.item ->> 'email') IS NULL THEN 'Invalid email' END, leadanalytics.text_fault(i.item, 'name', false, 300),
            leadanalytics.whole_fault(i.item, 'created_at', false, 253402300799)) AS error) AS f
    ), last AS MATERIALIZED (
        SELECT DISTINCT ON (g.email) g.* FROM given g WHERE g.error IS NULL ORDER BY g.email, g.index DESC
    ), dated AS (
        INSERT INTO leadanalytics.contact AS c (workspace, email, name, created_at)
        SELECT allowed, l.email, l.name, l.created_at FROM last l WHERE l.created_at IS NOT NULL ORDER BY l.email
        ON CONFLICT (workspace, email) DO UPDATE SET name = excluded.name, created_at = excluded.created_at
        WHERE (c.name, c.created_at) IS DISTINCT FROM (excluded.name, excluded.created_at)
    ), undated AS (
        INSERT INTO leadanalytics.contact AS c (workspace, email, name, created_at)
        SELECT allowed, l.email, l.name, put_contacts.now FROM last l WHERE l.created_at IS NULL ORDER BY l.email
        ON CONFLICT (workspace, email) DO UPDATE SET name = excluded.name WHERE c.name IS DISTINCT FROM excluded.name
    )
    SELECT leadanalytics.accepted(array_agg(g.error ORDER BY g.index)) INTO answer FROM given g;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.put_contacts(int, json, timestamptz) IS
    'make contacts, or write them anew: one {email, name, created_at in Unix seconds}, or an array of at most 1 000';
GRANT EXECUTE ON FUNCTION leadanalytics.put_contacts(int, json, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.put_contact(workspace int, email text, name text DEFAULT NULL, created_at bigint DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE sql VOLATILE AS $$
    SELECT leadanalytics.accepted_one(leadanalytics.put_contacts(workspace, json_build_object('email', email, 'name', name, 'created_at', created_at), now))
$$;
COMMENT ON FUNCTION leadanalytics.put_contact(int, text, text, bigint, timestamptz) IS 'make a contact, or write it anew; created_at in Unix seconds';
GRANT EXECUTE ON FUNCTION leadanalytics.put_contact(int, text, text, bigint, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.delete_contact(workspace int, email text)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    DELETE FROM leadanalytics.contact c
    WHERE c.workspace = leadanalytics.permitted(delete_contact.workspace) AND c.email = leadanalytics.contact_email(delete_contact.email);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Contact not found' USING ERRCODE = 'LA404';
    END IF;
    RETURN json_build_object('deleted', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_contact(int, text) IS 'delete a contact and its events';
GRANT EXECUTE ON FUNCTION leadanalytics.delete_contact(int, text) TO leadanalytics_write;
