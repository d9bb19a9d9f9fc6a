-- The trail: points of events in columns, beside the rows they were made of.
\set VERBOSITY terse
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('trail-acme') AS w \gset

-- Events of some days, many at the same minute, some of persons alone, some of nobody.
CREATE FUNCTION some_events(w int, seed float8, n int, agent text) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM setseed(seed);
    RETURN (SELECT leadanalytics.track(w, json_build_object('events', json_agg(json_strip_nulls(json_build_object(
        'event_name', (ARRAY['page_view', 'signup', 'purchase', 'scroll'])[1 + floor(random() * random() * 4)::int],
        'visitor_id', CASE WHEN random() < 0.7 THEN 'v' || floor(random() * 20)::int END,
        'user_id', CASE WHEN random() < 0.3 THEN 'u' || floor(random() * 5)::int END,
        'timestamp', '2026-01-30Z'::timestamptz + interval '1 minute' * floor(random() * 4000)::int)))),
        user_agent => agent, now => '2026-02-02Z', as_role => 'admin') FROM generate_series(1, n));
END
$$;
-- What the trail says beyond the rows, and they beyond it.
CREATE FUNCTION trail_differences(w int, starts timestamptz, ends timestamptz) RETURNS TABLE (steps bigint, points bigint, more bigint, missing bigint) LANGUAGE sql AS $$
    WITH step AS (SELECT t.id FROM leadanalytics.term t WHERE t.workspace = w AND t.kind = 'text'),
    trail AS (SELECT s.id, p.at, p.number FROM step s CROSS JOIN LATERAL leadanalytics.trail_points(w, 'w', s.id, starts, ends) p),
    rows AS (SELECT e.name, e.at, coalesce(e.visitor, e.person)::bigint FROM leadanalytics.event e
             WHERE e.workspace = w AND NOT e.is_bot AND coalesce(e.visitor, e.person) IS NOT NULL AND e.at >= starts AND e.at < ends)
    SELECT (SELECT count(DISTINCT id) FROM trail), (SELECT count(*) FROM trail),
           (SELECT count(*) FROM (TABLE trail EXCEPT ALL TABLE rows) AS m), (SELECT count(*) FROM (TABLE rows EXCEPT ALL TABLE trail) AS m)
$$;
SELECT some_events(:w, 0.1, 900, NULL) ->> 'accepted' AS accepted, some_events(:w, 0.2, 50, 'Googlebot/2.1 (+http://www.google.com/bot.html)') ->> 'accepted' AS robots;
-- Nothing, half, and all of it folded: what is read is the same.
SELECT * FROM trail_differences(:w, '-infinity', 'infinity');
SELECT leadanalytics.fold_workspace(:w, 400, '2026-02-02Z') >= 400 AS folded;
SELECT some_events(:w, 0.3, 500, NULL) ->> 'accepted' AS accepted;
SELECT * FROM trail_differences(:w, '-infinity', 'infinity');
SELECT * FROM trail_differences(:w, '2026-01-30 07:30Z', '2026-02-01 12:01Z');
SELECT leadanalytics.fold(:w, '2026-02-02Z') > 0 AS folded;
SELECT * FROM trail_differences(:w, '-infinity', 'infinity');
SELECT * FROM trail_differences(:w, '2026-01-30 07:30Z', '2026-02-01 12:01Z');
-- In order of time; parts of a day are few, however often it is folded.
SELECT count(*) > 300 AS many, bool_and(at >= before) AS ordered FROM (
    SELECT p.at, lag(p.at, 1, '-infinity') OVER () AS before
    FROM leadanalytics.term t, leadanalytics.trail_points(:w, 'w', t.id, '-infinity', 'infinity') p
    WHERE t.workspace = :w AND t.parts = '{page_view}') AS o;
SELECT count(*) FROM (SELECT some_events(:w, s / 100.0, 20, NULL), leadanalytics.fold(:w, '2026-02-02Z') FROM generate_series(1, 30) AS s OFFSET 0) AS o;
SELECT max(parts) <= 8 AS few, sum(n) FROM (SELECT count(*) AS parts, sum(n) AS n FROM leadanalytics.trail WHERE workspace = :w GROUP BY step, day) AS d;
SELECT * FROM trail_differences(:w, '-infinity', 'infinity');
SELECT count(*) FROM leadanalytics.reconcile(:w);
-- What is missing or damaged is told, and made again.
DELETE FROM leadanalytics.trail WHERE workspace = :w AND day = '2026-01-31';
SELECT DISTINCT grain, bucket, what FROM leadanalytics.reconcile(:w);
UPDATE leadanalytics.trail SET points = set_byte(points, 3, get_byte(points, 3) # 1) WHERE workspace = :w AND day = '2026-02-01';
SELECT * FROM trail_differences(:w, '-infinity', 'infinity');
-- Whoever writes goes on beside a damaged part.
SELECT some_events(:w, 0.6, 30, NULL) ->> 'accepted' AS accepted, leadanalytics.fold(:w, '2026-02-02Z') AS folded;
SELECT some_events(:w, 0.5, 30, NULL) ->> 'accepted' AS accepted;
SELECT leadanalytics.rebuild_trail(:w, '2026-01-31 12:00Z', '2026-02-01 12:00Z') > 0 AS rebuilt;
SELECT * FROM trail_differences(:w, '-infinity', 'infinity');
SELECT count(*) FROM leadanalytics.reconcile(:w);
SELECT leadanalytics.rebuild_trail(:w) = sum(n) FROM leadanalytics.trail WHERE workspace = :w;
SELECT * FROM trail_differences(:w, '-infinity', 'infinity');

DROP FUNCTION some_events, trail_differences;
-- Tests behind this one compare all events with the ledger.
SELECT leadanalytics.fold(:w, '2026-02-02Z') > 0 AS folded;
DELETE FROM leadanalytics.event WHERE workspace = :w;
