-- S3 activity: the answer whole, its doors, and its kept counts against the rows.
\set SHOW_CONTEXT never
\set VERBOSITY default
SET client_min_messages = warning;
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = ISO;
-- Nobody but this test sums up while it runs.
SELECT pg_advisory_lock(hashtextextended('leadanalytics.sum_activity', 0));
SELECT leadanalytics.create_workspace('activity', 'Activity') AS w \gset
SELECT leadanalytics.create_workspace('activity-other', 'Other') AS other \gset

-- The same answer from the rows alone, in plain SQL.
CREATE FUNCTION pg_temp.raw(workspace int, now timestamptz) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'kpis', jsonb_build_object(
            'rooms', (SELECT count(*) FROM leadanalytics.room r WHERE r.workspace = raw.workspace),
            'recordings', (SELECT count(*) FROM leadanalytics.recording r WHERE r.workspace = raw.workspace),
            'recordingDuration', (SELECT coalesce(sum(duration_seconds), 0) FROM leadanalytics.recording r WHERE r.workspace = raw.workspace),
            'contacts', (SELECT count(*) FROM leadanalytics.contact c WHERE c.workspace = raw.workspace),
            'bookings', (SELECT count(*) FROM leadanalytics.contact_event e WHERE e.workspace = raw.workspace AND event_type = 'booking')),
        'activityTimeline', (SELECT coalesce(jsonb_agg(t ORDER BY t.date), '[]') FROM (
            SELECT (at AT TIME ZONE 'UTC')::date AS date, count(*) FILTER (WHERE event_type = 'booking') AS bookings, count(*) FILTER (WHERE event_type = 'room_join') AS room_joins
            FROM leadanalytics.contact_event e WHERE e.workspace = raw.workspace AND event_type IN ('booking', 'room_join') GROUP BY 1) AS t
            WHERE t.date BETWEEN (now AT TIME ZONE 'UTC')::date - 29 AND (now AT TIME ZONE 'UTC')::date),
        'eventTypeBreakdown', (SELECT coalesce(jsonb_agg(t ORDER BY t.count DESC, t.type), '[]') FROM (
            SELECT event_type AS type, count(*) FROM leadanalytics.contact_event e WHERE e.workspace = raw.workspace GROUP BY 1) AS t),
        'topBookingPages', (SELECT coalesce(jsonb_agg(t ORDER BY t.count DESC, t.id), '[]') FROM (
            SELECT p.id, p.title, p.slug, count(*) FROM leadanalytics.contact_event e JOIN leadanalytics.booking_page p ON p.workspace = e.workspace AND p.id = e.booking_page
            WHERE e.workspace = raw.workspace AND event_type = 'booking' GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1 LIMIT 5) AS t),
        'newContactsTimeline', (SELECT coalesce(jsonb_agg(t ORDER BY t.date), '[]') FROM (
            SELECT (created_at AT TIME ZONE 'UTC')::date AS date, count(*) FROM leadanalytics.contact c WHERE c.workspace = raw.workspace GROUP BY 1) AS t
            WHERE t.date BETWEEN (now AT TIME ZONE 'UTC')::date - 29 AND (now AT TIME ZONE 'UTC')::date),
        'topRooms', (SELECT coalesce(jsonb_agg(t ORDER BY t.count DESC, t.id), '[]') FROM (
            SELECT r.id, r.name, r.display_name, count(*) FROM leadanalytics.contact_event e JOIN leadanalytics.room r ON r.workspace = e.workspace AND r.id = e.room
            WHERE e.workspace = raw.workspace AND event_type = 'room_join' GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1 LIMIT 5) AS t))
$$;
CREATE FUNCTION pg_temp.same(workspace int, now timestamptz DEFAULT '2026-03-25 12:00Z') RETURNS boolean LANGUAGE sql AS $$
    SELECT leadanalytics.activity(workspace, now)::jsonb = pg_temp.raw(workspace, now)
$$;
CREATE FUNCTION pg_temp.unix(at timestamptz) RETURNS bigint LANGUAGE sql AS $$SELECT extract(epoch FROM at)::bigint$$;

-- S3-01 nothing there
SELECT leadanalytics.activity(:w, '2026-03-25Z');

-- S3-01 the document's example, made of rows: what its top lists leave out took place in deleted rooms and on deleted pages
SELECT setval('leadanalytics.room_id', 1, false) + setval('leadanalytics.booking_page_id', 1, false) AS begun;
SELECT count(leadanalytics.put_room(:w, CASE i WHEN 3 THEN 'team-standup-1234' WHEN 7 THEN 'product-demo-5678' ELSE 'room-' || i END,
    CASE i WHEN 3 THEN 'Team Standup' WHEN 7 THEN 'Product Demo' END)::text) FROM generate_series(1, 13) AS i;
SELECT leadanalytics.put_booking_page(:w, 'intro-call', '30-min Intro Call');
SELECT leadanalytics.put_booking_page(:w, 'demo', 'Demo Session');
SELECT leadanalytics.put_booking_page(:w, 'gone', 'Gone');
SELECT leadanalytics.put_recordings(:w, json_agg(json_build_object('key', 'r' || i, 'room', 'room-' || 1 + i % 2, 'duration_seconds', 5400))) FROM generate_series(1, 34) AS i;
SELECT leadanalytics.put_contacts(:w, json_agg(json_build_object('email', 'c' || i || '@example.com', 'created_at', pg_temp.unix(
    CASE WHEN i <= 5 THEN '2026-02-24 00:00Z' WHEN i <= 7 THEN '2026-02-25 23:59:59Z' WHEN i <= 15 THEN '2026-03-25 09:00Z' ELSE '2026-02-23 23:59:59Z' END::timestamptz)))) FROM generate_series(1, 210) AS i;
SELECT leadanalytics.add_contact_events(:w, json_agg(json_build_object('contact', 'c' || 1 + i % 210 || '@example.com', 'event_type', 'booking',
    'booking_page', CASE WHEN i <= 42 THEN 'intro-call' WHEN i <= 69 THEN 'demo' ELSE 'gone' END, 'created_at', pg_temp.unix(
    CASE WHEN i <= 3 THEN '2026-02-24 00:00Z' WHEN i <= 4 THEN '2026-02-25 12:00Z' WHEN i <= 9 THEN '2026-03-25 23:59:59Z' ELSE '2026-02-23 23:59:59Z' END::timestamptz)))) FROM generate_series(1, 87) AS i;
SELECT leadanalytics.add_contact_events(:w, json_agg(json_build_object('contact', 'c' || 1 + i % 210 || '@example.com', 'event_type', 'room_join',
    'room', CASE WHEN i <= 58 THEN 'team-standup-1234' WHEN i <= 89 THEN 'product-demo-5678' ELSE 'room-13' END, 'created_at', pg_temp.unix(
    CASE WHEN i <= 7 THEN '2026-02-24 23:59:59Z' WHEN i <= 11 THEN '2026-02-25 00:00Z' WHEN i <= 23 THEN '2026-03-25 00:00Z' ELSE '2025-02-23Z' END::timestamptz)))) FROM generate_series(1, 163) AS i;
SELECT leadanalytics.delete_room(:w, 'room-13'), leadanalytics.delete_booking_page(:w, 'gone');
SELECT leadanalytics.activity(:w, '2026-03-25 12:00Z');
SELECT leadanalytics.activity(:w, '2026-03-25 12:00Z')::jsonb = '{
"kpis": {"rooms": 12, "recordings": 34, "recordingDuration": 183600, "contacts": 210, "bookings": 87},
"activityTimeline": [
{ "date": "2026-02-24", "bookings": 3, "room_joins": 7 },
{ "date": "2026-02-25", "bookings": 1, "room_joins": 4 },
{ "date": "2026-03-25", "bookings": 5, "room_joins": 12 }
],
"eventTypeBreakdown": [
{ "type": "room_join", "count": 163 },
{ "type": "booking", "count": 87 }
],
"topBookingPages": [
{ "id": 1, "title": "30-min Intro Call", "slug": "intro-call", "count": 42 },
{ "id": 2, "title": "Demo Session", "slug": "demo", "count": 27 }
],
"newContactsTimeline": [
{ "date": "2026-02-24", "count": 5 },
{ "date": "2026-02-25", "count": 2 },
{ "date": "2026-03-25", "count": 8 }
],
"topRooms": [
{ "id": 3, "name": "team-standup-1234", "display_name": "Team Standup", "count": 58 },
{ "id": 7, "name": "product-demo-5678", "display_name": "Product Demo", "count": 31 }
]
}' AS document;
SELECT leadanalytics.activity(:w, '2026-03-25 12:00Z')::text AS before \gset
SELECT leadanalytics.sum_activity(now()) > 0 AS summed;
SELECT leadanalytics.sum_activity(now()) AS again;
SELECT leadanalytics.activity(:w, '2026-03-25 12:00Z')::text = :'before' AS same_when_summed_up, pg_temp.same(:w);
-- The parts, for SQL
SELECT * FROM leadanalytics.activity_kpis(:w);
SELECT * FROM leadanalytics.activity_timeline(:w, '2026-03-25 12:00Z');
SELECT * FROM leadanalytics.activity_event_types(:w);
SELECT * FROM leadanalytics.activity_top_booking_pages(:w);
SELECT * FROM leadanalytics.activity_new_contacts(:w, '2026-03-25 12:00Z');
SELECT * FROM leadanalytics.activity_top_rooms(:w);

-- D-32 the last 30 UTC days: today and the 29 before it, whatever the session's zone
SELECT now, (SELECT string_agg(format('%s %s/%s', t.date, bookings, room_joins), ', ') FROM leadanalytics.activity_timeline(:w, now) t) AS timeline,
       (SELECT string_agg(t.date || ' ' || count, ', ') FROM leadanalytics.activity_new_contacts(:w, now) t) AS contacts
FROM unnest('{2026-02-24 00:00Z,2026-02-23 23:59:59Z,2026-03-24 23:59:59Z,2026-03-25 23:59:59.999Z,2026-03-26 00:00Z,2026-04-24Z}'::timestamptz[]) AS now;
-- D-32 a day with other events alone is left out; a type of its own is a row of the breakdown
SELECT leadanalytics.add_contact_events(:w, '{"contact": "c1@example.com", "event_type": "cancelled", "created_at": 1773000000, "booking_page": "demo", "room": "room-1"}');
SELECT leadanalytics.activity(:w, '2026-03-25 12:00Z')::jsonb - 'eventTypeBreakdown' = :'before'::jsonb - 'eventTypeBreakdown' AS rest_unchanged,
       leadanalytics.activity(:w, '2026-03-25 12:00Z') -> 'eventTypeBreakdown' AS breakdown;
-- D-32 ties: count descending, id ascending; five at most, and as many before they are summed up
SELECT leadanalytics.put_rooms(:other, json_agg(json_build_object('name', 'r' || chr(96 + i)))) FROM generate_series(1, 8) AS i;
SELECT leadanalytics.put_booking_pages(:other, json_agg(json_build_object('slug', 'p' || chr(96 + i), 'title', 'P' || i))) FROM generate_series(1, 8) AS i;
SELECT leadanalytics.add_contact_events(:other, json_agg(json_build_object('contact', 'c@x', 'event_type', t, 'room', 'r' || chr(96 + i), 'booking_page', 'p' || chr(105 - i)))) FROM generate_series(1, 8) AS i, unnest('{room_join,booking}'::text[]) AS t;
SELECT leadanalytics.add_contact_events(:other, '{"contact": "c@x", "event_type": "room_join", "room": "rg"}');
SELECT array_agg(name || count) FROM leadanalytics.activity_top_rooms(:other);
SELECT array_agg(slug || count) FROM leadanalytics.activity_top_booking_pages(:other);
SELECT leadanalytics.sum_activity(now()) > 0 AS summed;
SELECT array_agg(name || count) FROM leadanalytics.activity_top_rooms(:other);
SELECT leadanalytics.add_contact_events(:other, '[{"contact": "c@x", "event_type": "room_join", "room": "rh"}, {"contact": "c@x", "event_type": "room_join", "room": "rf"}, {"contact": "c@x", "event_type": "room_join", "room": "rh"}]');
SELECT array_agg(name || count) FROM leadanalytics.activity_top_rooms(:other);
SELECT array_agg(slug || count) FROM leadanalytics.activity_top_booking_pages(:other);
-- S3-04 deleted: out of the lists, still in the counts, its recordings gone
SELECT leadanalytics.put_recording(:other, 'one', 'rh', 60), leadanalytics.put_recording(:other, 'two', 'rg', 30);
SELECT leadanalytics.delete_room(:other, 'rh'), leadanalytics.delete_booking_page(:other, 'pa');
SELECT leadanalytics.activity(:other, '2026-03-25Z')::jsonb - 'newContactsTimeline' - 'topBookingPages';
SELECT array_agg(slug || count) FROM leadanalytics.activity_top_booking_pages(:other);
SELECT count(*), count(room) AS rooms, count(booking_page) AS pages FROM leadanalytics.contact_events WHERE workspace = :other;
SELECT pg_temp.same(:other), leadanalytics.sum_activity(now()) > 0 AS summed;
SELECT pg_temp.same(:other);
-- A contact goes with its events
SELECT leadanalytics.delete_contact(:other, 'C@X');
SELECT leadanalytics.activity(:other, '2026-03-25Z')::jsonb;
-- S3-04 transactionally fresh: what was just written is there, what was undone is not
BEGIN;
SELECT leadanalytics.add_contact_events(:other, '{"contact": "d@x", "event_type": "booking", "booking_page": "pb"}', '2026-03-25Z');
SELECT leadanalytics.activity(:other, '2026-03-25Z')::jsonb -> 'kpis' AS kpis, pg_temp.same(:other);
SAVEPOINT undone;
SELECT leadanalytics.put_room(:other, 'new'), leadanalytics.delete_contact(:other, 'd@x');
SELECT leadanalytics.activity(:other, '2026-03-25Z')::jsonb -> 'kpis' AS kpis, pg_temp.same(:other);
ROLLBACK TO undone;
SELECT leadanalytics.activity(:other, '2026-03-25Z')::jsonb -> 'kpis' AS kpis, pg_temp.same(:other);
ROLLBACK;
SELECT leadanalytics.activity(:other, '2026-03-25Z')::jsonb -> 'kpis' AS kpis, pg_temp.same(:other);

-- The doors. Rooms: once more writes them anew, and what is omitted is null
SELECT leadanalytics.put_room(:other, 'x', 'X'), leadanalytics.put_room(:other, 'x', 'X'), leadanalytics.put_room(:other, 'y', '');
SELECT name, display_name FROM leadanalytics.room WHERE workspace = :other AND name IN ('x', 'y') ORDER BY name;
SELECT leadanalytics.put_room(:other, 'x');
SELECT name, display_name FROM leadanalytics.room WHERE workspace = :other AND name = 'x';
SELECT leadanalytics.put_rooms(:other, '[{"name": "z", "display_name": "first"}, {"name": "z", "display_name": "last"}, {}, {"name": ""}, {"name": 5}, {"name": "v", "display_name": []}, "z", null, {"name": null}]');
SELECT name, display_name FROM leadanalytics.room WHERE workspace = :other AND name = 'z';
SELECT leadanalytics.put_rooms(:other, '[]');
SELECT leadanalytics.put_rooms(:other, '5');
SELECT leadanalytics.put_rooms(:other, (SELECT json_agg(json_build_object('name', 'x')) FROM generate_series(1, 1001)));
SELECT leadanalytics.put_rooms(:other, NULL);
SELECT leadanalytics.put_room(:other, NULL);
SELECT leadanalytics.put_room(:other, repeat('x', 201));
SELECT leadanalytics.delete_room(:other, 'nowhere');
-- Recordings: of a room that is there; created_at stays unless it is said
SELECT leadanalytics.put_recording(:other, 'k', 'x', 10, 1000), leadanalytics.put_recording(:other, 'k', 'y', 20);
SELECT key, (SELECT name FROM leadanalytics.room r WHERE r.workspace = :other AND r.id = room) AS room, duration_seconds, extract(epoch FROM created_at)::int AS created_at
FROM leadanalytics.recording WHERE workspace = :other AND key = 'k';
SELECT leadanalytics.put_recording(:other, 'k', 'nowhere', 20);
SELECT leadanalytics.put_recordings(:other, '[{"key": "k", "room": "x"}, {"key": "k", "room": "x", "duration_seconds": -1}, {"key": "k", "room": "x", "duration_seconds": 1.5}, {"key": "k", "room": "x", "duration_seconds": 2147483648},
    {"key": "k", "room": "x", "duration_seconds": "1"}, {"key": "k", "duration_seconds": 1}, {"key": "k", "room": "nowhere", "duration_seconds": 1}, {"room": "x", "duration_seconds": 1},
    {"key": "k", "room": "x", "duration_seconds": 1, "created_at": 1e9}, {"key": "k", "room": "x", "duration_seconds": 1, "created_at": 253402300800}, {"key": "l", "room": "x", "duration_seconds": 1.0, "created_at": 253402300799}]');
-- Booking pages
SELECT leadanalytics.put_booking_page(:other, 's', 'One'), leadanalytics.put_booking_page(:other, 's', 'Two');
SELECT slug, title FROM leadanalytics.booking_page WHERE workspace = :other AND slug = 's';
SELECT leadanalytics.put_booking_pages(:other, '[{"slug": "s"}, {"title": "t"}, {"slug": "s", "title": ""}]');
SELECT leadanalytics.put_booking_page(:other, 's', NULL);
SELECT leadanalytics.delete_booking_page(:other, 'nowhere');
-- Contacts: one address however it is written
SELECT leadanalytics.put_contact(:other, ' Ann@Example.COM ', 'Ann', 1000), leadanalytics.put_contact(:other, 'ann@example.com', NULL);
SELECT email, name, extract(epoch FROM created_at)::int AS created_at FROM leadanalytics.contact WHERE workspace = :other;
SELECT leadanalytics.put_contact(:other, 'ann@example.com', 'Ann', 2000);
SELECT email, name, extract(epoch FROM created_at)::int AS created_at FROM leadanalytics.contact WHERE workspace = :other;
SELECT leadanalytics.put_contacts(:other, '[{"email": "x"}, {"email": "a b@c"}, {"email": "a@b@c"}, {"name": "x"}, {"email": "@"}, {"email": "b@c", "created_at": -1}, {"email": "B@c"}, {"email": "b@c", "name": "B"}]');
SELECT leadanalytics.put_contact(:other, repeat('x', 250) || '@x.yz');
SELECT leadanalytics.delete_contact(:other, 'nobody@example.com'), leadanalytics.delete_contact(:other, 'nobody');
SELECT email, name FROM leadanalytics.contact WHERE workspace = :other ORDER BY email;
-- Events: whose contact is new makes it, of the time of its first event; a room or page must be there
SELECT leadanalytics.add_contact_events(:other, '[{"contact": "New@x", "event_type": "booking", "created_at": 1773000000}, {"contact": "new@x", "event_type": "room_join", "room": "x", "created_at": 1772000000, "metadata": {"b": 1, "a": [1.50]}},
    {"contact": "new@x"}, {"event_type": "booking"}, {"contact": "new@x", "event_type": ""}, {"contact": "new@x", "event_type": 5}, {"contact": "new", "event_type": "t"}, {"contact": "new@x", "event_type": "t", "room": "nowhere"},
    {"contact": "new@x", "event_type": "t", "booking_page": "nowhere"}, {"contact": "new@x", "event_type": "t", "room": 5}, {"contact": "new@x", "event_type": "t", "metadata": []}, {"contact": "new@x", "event_type": "t", "created_at": "now"},
    {"contact": "new@x", "event_type": "t", "created_at": 1773000000000}, {"contact": "new@x", "event_type": "t", "event_id": ""}, {"contact": "new@x", "event_type": "t", "room": null, "booking_page": null, "metadata": null, "created_at": null, "event_id": null}, 7]',
    '2026-03-25Z');
SELECT extract(epoch FROM at)::bigint AS at, contact, event_type, room, booking_page, metadata FROM leadanalytics.contact_events WHERE workspace = :other ORDER BY id;
SELECT email, extract(epoch FROM created_at)::int AS created_at FROM leadanalytics.contact WHERE workspace = :other AND email = 'new@x';
SELECT leadanalytics.add_contact_events(:other, '[{"contact": "rejected@x", "event_type": "t", "room": "nowhere"}]') ->> 'accepted' AS accepted, count(*) AS made FROM leadanalytics.contact WHERE email = 'rejected@x';
SELECT leadanalytics.add_contact_events(:other, '"x"');
SELECT leadanalytics.add_contact_events(:other, (SELECT json_agg(json_build_object('contact', 'c@x', 'event_type', 't')) FROM generate_series(1, 1001)));
-- ... and one with an event_id counts once, also within one body, and in each workspace by itself
SELECT leadanalytics.add_contact_events(:other, '[{"contact": "new@x", "event_type": "once", "event_id": "1"}, {"contact": "new@x", "event_type": "once", "event_id": "1"}, {"contact": "new@x", "event_type": "once", "event_id": "2"}]');
SELECT leadanalytics.add_contact_events(:other, '{"contact": "new@x", "event_type": "once", "event_id": "2"}'), leadanalytics.add_contact_events(:w, '{"contact": "new@x", "event_type": "once", "event_id": "2"}');
SELECT type, count FROM leadanalytics.activity_event_types(:other) WHERE type = 'once';
SELECT pg_temp.same(:w), pg_temp.same(:other);

-- S3-02 who is not permitted is told the same of a workspace that is there and of one that is not
CREATE ROLE activity_reader IN ROLE leadanalytics_read;
CREATE ROLE activity_writer IN ROLE leadanalytics_write;
SELECT leadanalytics.grant_workspace(:w, 'activity_reader'), leadanalytics.grant_workspace(:w, 'activity_writer');
SET ROLE activity_reader;
SELECT leadanalytics.activity(:w, '2026-03-25Z') -> 'kpis' AS kpis;
SELECT leadanalytics.activity(:other);
SELECT leadanalytics.activity(2147483647);
SELECT leadanalytics.activity(NULL);
SELECT leadanalytics.put_room(:w, 'mine');
SELECT count(DISTINCT workspace) FROM leadanalytics.contact_events;
SET ROLE activity_writer;
SELECT leadanalytics.put_room(:w, 'mine'), leadanalytics.delete_room(:w, 'mine');
SELECT leadanalytics.add_contact_events(:w, '[]');
SELECT leadanalytics.add_contact_events(:other, '[]');
SELECT leadanalytics.sum_activity(now());
SELECT leadanalytics.recount_activity(:w);
RESET ROLE;

-- Data of chance: answer and rows say the same, whatever was summed up in between
SELECT setseed(0.3);
CREATE FUNCTION pg_temp.churn(workspace int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    day interval := floor(random() * 40) * interval '1 day';
BEGIN
    CASE floor(random() * 9)
    WHEN 0 THEN PERFORM leadanalytics.put_room(workspace, 'room' || floor(random() * 20), 'R');
    WHEN 1 THEN PERFORM leadanalytics.put_booking_page(workspace, 'page' || floor(random() * 20), 'P');
    WHEN 2 THEN PERFORM leadanalytics.put_contact(workspace, 'c' || floor(random() * 30) || '@x', NULL, pg_temp.unix('2026-03-26 12:00Z'::timestamptz - day));
    WHEN 3 THEN PERFORM leadanalytics.put_recordings(workspace, json_build_object('key', floor(random() * 30)::text, 'room', 'room' || floor(random() * 20), 'duration_seconds', floor(random() * 100)));
    WHEN 4 THEN DELETE FROM leadanalytics.room r WHERE r.workspace = churn.workspace AND name = 'room' || floor(random() * 20);
    WHEN 5 THEN DELETE FROM leadanalytics.booking_page p WHERE p.workspace = churn.workspace AND slug = 'page' || floor(random() * 20);
    WHEN 6 THEN DELETE FROM leadanalytics.contact c WHERE c.workspace = churn.workspace AND email = 'c' || floor(random() * 300) || '@x';
    WHEN 7 THEN UPDATE leadanalytics.contact_event e SET event_type = 'room_join', at = at - interval '1 day' WHERE e.workspace = churn.workspace AND id % 50 = floor(random() * 50);
    ELSE PERFORM leadanalytics.add_contact_events(workspace, json_agg(json_build_object('contact', 'c' || floor(random() * 30) || '@x',
             'event_type', (ARRAY['booking', 'room_join', 'room_join', 'cancelled'])[1 + floor(random() * 4)], 'created_at', pg_temp.unix('2026-03-26 12:00Z'::timestamptz - day),
             'room', CASE WHEN random() < 0.7 THEN 'room' || floor(random() * 20) END, 'booking_page', CASE WHEN random() < 0.7 THEN 'page' || floor(random() * 20) END)))
         FROM generate_series(1, 60);
    END CASE;
END
$$;
CREATE FUNCTION pg_temp.differences(workspace int, rounds int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    n int := 0;
BEGIN
    FOR i IN 1 .. rounds LOOP
        PERFORM pg_temp.churn(workspace);
        n := n + CASE WHEN pg_temp.same(workspace) THEN 0 ELSE 1 END;
        IF i % 17 = 0 THEN
            PERFORM leadanalytics.sum_activity(now());
            n := n + CASE WHEN pg_temp.same(workspace) THEN 0 ELSE 1 END;
        END IF;
    END LOOP;
    RETURN n;
END
$$;
SELECT leadanalytics.create_workspace('activity-chance') AS chance \gset
SELECT pg_temp.differences(:chance, 400) AS differences;
SELECT count(*) > 200 AS enough, count(room) > 20 AS rooms, count(booking_page) > 20 AS pages FROM leadanalytics.contact_event WHERE workspace = :chance;
-- The comparison sees a wrong count, and counting anew mends it
INSERT INTO leadanalytics.activity_fresh_tally VALUES (:chance, 'event', 'booking', 0, 1);
SELECT pg_temp.same(:chance), leadanalytics.recount_activity(:chance);
SELECT pg_temp.same(:chance);
ALTER TABLE leadanalytics.contact_event DISABLE TRIGGER tally_deleted;
DELETE FROM leadanalytics.contact_event WHERE workspace = :chance AND room IS NOT NULL;
ALTER TABLE leadanalytics.contact_event ENABLE TRIGGER tally_deleted;
SELECT pg_temp.same(:chance), leadanalytics.recount_activity(:chance);
SELECT pg_temp.same(:chance);

-- Nothing is left of a workspace that is gone
DELETE FROM leadanalytics.workspace WHERE id IN (:w, :other, :chance);
SELECT leadanalytics.sum_activity(now()) > 0 AS summed;
SELECT count(*) FROM leadanalytics.activity_tally UNION ALL SELECT count(*) FROM leadanalytics.activity_fresh_tally;
DROP ROLE activity_reader, activity_writer;
