#!/bin/bash
# The activity answer among --events N (a million) contact events of one workspace, by SQL: milliseconds of a call,
# median of LA_BENCH_ROUNDS (11) after one to warm up, and the 8 kB buffers that one call looked at, beside the same
# answer from the rows in plain SQL, in the same run.
#
#   summed      all is summed up, as the worker leaves it
#   fresh N     so many events came since, one by one or by hundreds or thousands, and nobody summed up
#   rooms       a workspace of 100 000 rooms and as many pages, each with events
#
# Then what an event costs to add, with the counts and with their triggers off.
# Run by ./leadanalytics bench activity, which starts the server and sets LA_*.
set -euo pipefail
events=${LA_BENCH_EVENTS:-1000000}
rounds=${LA_BENCH_ROUNDS:-11}

psql -h "$LA_SOCKET" -U postgres -d leadanalytics -X -q -At -F ' ' -v ON_ERROR_STOP=1 -v here="$LA_SOURCE/test/bench" -v events="$events" -v rounds="$rounds" <<'SQL'
SET client_min_messages = warning;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
SET synchronous_commit = off;
SELECT setseed(0.5) \g /dev/null
SELECT leadanalytics.create_workspace('bench-activity') AS w \gset
SELECT leadanalytics.create_workspace('bench-activity-rooms') AS many \gset
CREATE SCHEMA bench;

-- Rooms, pages and types as Zipf has them, 400 days, five events a contact, a fifth without room or page.
INSERT INTO leadanalytics.room (workspace, name, display_name, created_at)
SELECT CASE WHEN i <= 500 THEN :w ELSE :many END, 'room-' || i, 'Room ' || i, '2026-01-01Z' FROM generate_series(1, 100500) AS i;
INSERT INTO leadanalytics.booking_page (workspace, slug, title, created_at)
SELECT CASE WHEN i <= 200 THEN :w ELSE :many END, 'page-' || i, 'Page ' || i, '2026-01-01Z' FROM generate_series(1, 100200) AS i;
INSERT INTO leadanalytics.recording (workspace, key, room, duration_seconds, created_at)
SELECT :w, 'rec-' || i, (SELECT min(id) FROM leadanalytics.room WHERE workspace = :w) + i % 500, i % 7200, '2026-01-01Z' FROM generate_series(1, 10000) AS i;
INSERT INTO leadanalytics.contact (workspace, email, created_at)
SELECT :w, 'c' || i || '@example.com', timestamptz '2026-11-01Z' - random() * interval '400 days' FROM generate_series(1, greatest(:events / 5, 1)) AS i;
INSERT INTO leadanalytics.contact (workspace, email, created_at) VALUES (:many, 'c@example.com', '2026-10-01Z');
\echo seconds to add all events by one INSERT
SELECT clock_timestamp() AS begun \gset
INSERT INTO leadanalytics.contact_event (workspace, contact, at, room, booking_page, event_type, metadata)
SELECT :w, c.first + i / 5 % c.n, timestamptz '2026-11-01Z' - (random() ^ 2) * interval '400 days', CASE WHEN random() < 0.8 THEN r.first + floor(random() ^ 3 * 500)::int END,
       CASE WHEN random() < 0.8 THEN p.first + floor(random() ^ 3 * 200)::int END,
       (ARRAY['room_join', 'room_join', 'booking', 'booking', 'cancelled', 'rescheduled', 'no_show', 'email_opened', 'link_clicked', 'form', 'note', 'tag'])[1 + floor(random() ^ 2 * 12)],
       json_build_object('source', 'bench')
FROM generate_series(0, :events - 1) AS i, (SELECT min(id) AS first, count(*) AS n FROM leadanalytics.contact WHERE workspace = :w) AS c,
     (SELECT min(id) AS first FROM leadanalytics.room WHERE workspace = :w) AS r, (SELECT min(id) AS first FROM leadanalytics.booking_page WHERE workspace = :w) AS p;
SELECT round(extract(epoch FROM clock_timestamp() - :'begun'::timestamptz), 1);
INSERT INTO leadanalytics.contact_event (workspace, contact, at, room, booking_page, event_type)
SELECT :many, c.id, '2026-10-20Z', r.id, p.id, t
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM leadanalytics.room WHERE workspace = :many) AS r
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM leadanalytics.booking_page WHERE workspace = :many) AS p USING (n),
     (SELECT id FROM leadanalytics.contact WHERE workspace = :many) AS c, unnest('{room_join,booking}'::text[]) AS t, generate_series(1, 1 + (n % 3)::int);
SELECT leadanalytics.sum_activity(now()) \g /dev/null
VACUUM (FREEZE, ANALYZE) leadanalytics.room, leadanalytics.booking_page, leadanalytics.recording, leadanalytics.contact, leadanalytics.contact_event,
    leadanalytics.activity_tally, leadanalytics.activity_fresh_tally;

CREATE FUNCTION bench.plain(workspace int, now timestamptz) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'kpis', json_build_object('rooms', (SELECT count(*) FROM leadanalytics.room r WHERE r.workspace = plain.workspace),
            'recordings', (SELECT count(*) FROM leadanalytics.recording r WHERE r.workspace = plain.workspace),
            'recordingDuration', (SELECT coalesce(sum(duration_seconds), 0) FROM leadanalytics.recording r WHERE r.workspace = plain.workspace),
            'contacts', (SELECT count(*) FROM leadanalytics.contact c WHERE c.workspace = plain.workspace),
            'bookings', (SELECT count(*) FROM leadanalytics.contact_event e WHERE e.workspace = plain.workspace AND event_type = 'booking')),
        'activityTimeline', (SELECT coalesce(json_agg(t ORDER BY t.date), '[]') FROM (
            SELECT (at AT TIME ZONE 'UTC')::date AS date, count(*) FILTER (WHERE event_type = 'booking') AS bookings, count(*) FILTER (WHERE event_type = 'room_join') AS room_joins
            FROM leadanalytics.contact_event e WHERE e.workspace = plain.workspace AND event_type IN ('booking', 'room_join')
              AND at >= ((now AT TIME ZONE 'UTC')::date - 29)::timestamp AT TIME ZONE 'UTC' AND at < ((now AT TIME ZONE 'UTC')::date + 1)::timestamp AT TIME ZONE 'UTC' GROUP BY 1) AS t),
        'eventTypeBreakdown', (SELECT coalesce(json_agg(t ORDER BY t.count DESC, t.type), '[]') FROM (
            SELECT event_type AS type, count(*) FROM leadanalytics.contact_event e WHERE e.workspace = plain.workspace GROUP BY 1) AS t),
        'topBookingPages', (SELECT coalesce(json_agg(t ORDER BY t.count DESC, t.id), '[]') FROM (
            SELECT p.id, p.title, p.slug, b.count FROM (SELECT booking_page, count(*) FROM leadanalytics.contact_event e WHERE e.workspace = plain.workspace AND event_type = 'booking' GROUP BY 1) AS b
            JOIN leadanalytics.booking_page p ON p.workspace = plain.workspace AND p.id = b.booking_page ORDER BY 4 DESC, 1 LIMIT 5) AS t),
        'newContactsTimeline', (SELECT coalesce(json_agg(t ORDER BY t.date), '[]') FROM (
            SELECT (created_at AT TIME ZONE 'UTC')::date AS date, count(*) FROM leadanalytics.contact c WHERE c.workspace = plain.workspace
              AND created_at >= ((now AT TIME ZONE 'UTC')::date - 29)::timestamp AT TIME ZONE 'UTC' AND created_at < ((now AT TIME ZONE 'UTC')::date + 1)::timestamp AT TIME ZONE 'UTC' GROUP BY 1) AS t),
        'topRooms', (SELECT coalesce(json_agg(t ORDER BY t.count DESC, t.id), '[]') FROM (
            SELECT r.id, r.name, r.display_name, j.count FROM (SELECT room, count(*) FROM leadanalytics.contact_event e WHERE e.workspace = plain.workspace AND event_type = 'room_join' GROUP BY 1) AS j
            JOIN leadanalytics.room r ON r.workspace = plain.workspace AND r.id = j.room ORDER BY 4 DESC, 1 LIMIT 5) AS t))
$$;
\i :here/call.sql
\set answer 'leadanalytics.activity(' :w ', ''2026-11-01 12:00Z'')'
\set plain 'bench.plain(' :w ', ''2026-11-01 12:00Z'')'
\set answer_many 'leadanalytics.activity(' :many ', ''2026-11-01 12:00Z'')'
\set plain_many 'bench.plain(' :many ', ''2026-11-01 12:00Z'')'

\echo the same answer both ways
SELECT leadanalytics.activity(:w, '2026-11-01 12:00Z')::jsonb = bench.plain(:w, '2026-11-01 12:00Z')::jsonb,
       leadanalytics.activity(:many, '2026-11-01 12:00Z')::jsonb = bench.plain(:many, '2026-11-01 12:00Z')::jsonb;
\echo what ms buffers
SELECT 'summed', (m).ms, (m).buffers FROM bench.measure(:'answer', :rounds) AS m;
SELECT 'summed, plain SQL', (m).ms, (m).buffers FROM bench.measure(:'plain', 3) AS m;
SELECT 'rooms', (m).ms, (m).buffers FROM bench.measure(:'answer_many', :rounds) AS m;
SELECT 'rooms, plain SQL', (m).ms, (m).buffers FROM bench.measure(:'plain_many', 3) AS m;

-- In a transaction that is undone: the worker sums up only what is committed.
CREATE PROCEDURE bench.add(workspace int, statements int, size int) LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. statements LOOP
        PERFORM leadanalytics.add_contact_events(workspace, (
            SELECT json_agg(json_build_object('contact', 'c' || 1 + (n * 7919 + i * 31) % 100000 || '@example.com', 'event_type', (ARRAY['room_join', 'booking', 'note'])[1 + (n + i) % 3],
                'room', 'room-' || 1 + (n * i) % 500, 'booking_page', 'page-' || 1 + (n + i) % 200, 'metadata', json_build_object('source', 'bench'))) FROM generate_series(1, size) AS i), '2026-11-01 12:00Z');
    END LOOP;
END
$$;
BEGIN;
CALL bench.add(:w, 1000, 1);
SELECT 'fresh 1 000', (m).ms, (m).buffers FROM bench.measure(:'answer', :rounds) AS m;
CALL bench.add(:w, 90, 100);
SELECT 'fresh 10 000, by hundreds', (m).ms, (m).buffers FROM bench.measure(:'answer', :rounds) AS m;
ROLLBACK;
BEGIN;
CALL bench.add(:w, 50, 1000);
SELECT 'fresh 50 000, by thousands', (m).ms, (m).buffers FROM bench.measure(:'answer', :rounds) AS m;
SELECT clock_timestamp() AS begun \gset
SELECT count(*) AS fresh FROM leadanalytics.activity_fresh_tally \gset
SELECT leadanalytics.sum_activity(now()) \g /dev/null
\echo summing them up: rows ms
SELECT :fresh, round(extract(epoch FROM clock_timestamp() - :'begun'::timestamptz) * 1000, 1);
ROLLBACK;

CREATE FUNCTION bench.cost(workspace int, statements int, size int) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz := clock_timestamp();
BEGIN
    CALL bench.add(workspace, statements, size);
    RETURN round(extract(epoch FROM clock_timestamp() - begun)::numeric * 1000000 / (statements * size), 1);
END
$$;
\echo adding: batch us-an-event us-without-counts
SELECT bench.cost(:w, 200, 1) \g /dev/null
BEGIN;
SELECT bench.cost(:w, 500, 1) AS one, bench.cost(:w, 20, 1000) AS thousand \gset
ROLLBACK;
BEGIN;
ALTER TABLE leadanalytics.contact_event DISABLE TRIGGER tally_inserted;
SELECT bench.cost(:w, 500, 1) AS one_bare, bench.cost(:w, 20, 1000) AS thousand_bare \gset
ROLLBACK;
SELECT 1, :one, :one_bare UNION ALL SELECT 1000, :thousand, :thousand_bare;
SQL
