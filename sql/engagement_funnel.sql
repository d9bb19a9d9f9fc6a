-- Funnels (S2-15): the walk beside plain SQL from the rows, over ways of every kind.
\set VERBOSITY terse
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('funnel-acme') AS w \gset

-- Somebody's story by hand: the numbers can be counted.
SELECT leadanalytics.track(:w, json_build_object('events', json_agg(json_build_object('event_name', name, 'visitor_id', visitor, 'timestamp', at))), now => '2026-01-10Z', as_role => 'admin') ->> 'accepted' AS accepted
FROM (VALUES
    ('a', 'view', '2026-01-01 10:00Z'), ('a', 'sign', '2026-01-01 10:01Z'), ('a', 'pay', '2026-01-01 10:05Z'),
    ('b', 'view', '2026-01-01 10:00Z'), ('b', 'sign', '2026-01-03 10:00Z'), -- more than a day later
    ('c', 'sign', '2026-01-01 10:00Z'), ('c', 'view', '2026-01-01 10:00Z'), -- at once counts
    ('d', 'sign', '2026-01-01 10:00Z'), ('d', 'view', '2026-01-01 11:00Z'), -- not in this order
    ('e', 'view', '2026-01-01 10:00Z'), ('e', 'view', '2026-01-01 12:00Z'), ('e', 'sign', '2026-01-02 10:00Z'), ('e', 'pay', '2026-01-02 11:30Z'), -- from its second start
    ('f', 'view', '2025-12-31 23:59Z'), ('f', 'sign', '2026-01-01 00:01Z'), -- it began before
    ('g', 'view', '2026-01-02 23:00Z'), ('g', 'sign', '2026-01-03 22:00Z')) AS v (visitor, name, at); -- it ends behind the range
SELECT * FROM leadanalytics.funnel_rows(:w, '2026-01-01Z', '2026-01-03Z', '{view,sign,pay}', 1);
SELECT leadanalytics.fold(:w, '2026-01-10Z') AS folded;
SELECT * FROM leadanalytics.funnel_rows(:w, '2026-01-01Z', '2026-01-03Z', '{view,sign,pay}', 1);
SELECT * FROM leadanalytics.funnel_rows(:w, '2026-01-01Z', '2026-01-03Z', '{view,nobody,pay}', 1);
SELECT jsonb_pretty(leadanalytics.funnel(:w, 'view, sign', 1, '2026-01-01', '2026-01-02')::jsonb);
SELECT stage, count FROM leadanalytics.funnel_rows(:w, '2026-01-01Z', '2026-01-03Z');

-- What is refused.
SELECT * FROM leadanalytics.funnel_rows(:w, '2026-01-01Z', '2026-01-03Z', '{view}');
SELECT * FROM leadanalytics.funnel_rows(:w, '2026-01-01Z', '2026-01-03Z', '{view,view}');
SELECT * FROM leadanalytics.funnel_rows(:w, '2026-01-01Z', '2026-01-03Z', '{view,""}');
SELECT * FROM leadanalytics.funnel_rows(:w, '2026-01-01Z', '2026-01-03Z', '{1,2,3,4,5,6,7,8,9,10,11}');
SELECT * FROM leadanalytics.funnel_rows(:w, '2026-01-01Z', '2026-01-03Z', '{view,sign}', 366);
SELECT leadanalytics.funnel(:w, 'view,sign', 0);
SELECT leadanalytics.funnel(:w, ',');
SELECT leadanalytics.funnel(:w, 'view,sign', 30, 'soon');

-- Random ones. Times are whole hours, so that many are the same.
CREATE FUNCTION some_time() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT '2026-02-01Z'::timestamptz + interval '1 hour' * floor(random() * 400)::int
$$;
CREATE FUNCTION some_lives(w int, n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM leadanalytics.track(w, json_build_object('events', json_agg(json_strip_nulls(json_build_object(
        'event_name', (ARRAY['page_view', '$pageview', 'view', 'sign', 'pay', 'form_submission'])[1 + floor(random() * 6)::int],
        'visitor_id', CASE WHEN random() < 0.8 THEN 'v' || floor(random() * 25)::int END,
        'user_id', CASE WHEN random() < 0.15 THEN (ARRAY['u', 'L', 'X'])[1 + floor(random() * 3)::int] || floor(random() * 8)::int END,
        'timestamp', some_time())))), now => '2026-03-01Z', as_role => 'admin') FROM generate_series(1, n);
    PERFORM leadanalytics.track(w, json_build_object('event_name', '$alias', 'user_id', 'u' || floor(random() * 8)::int, 'previousId', 'L' || floor(random() * 8)::int, 'timestamp', '2026-02-01Z'),
                                now => '2026-03-01Z', as_role => 'admin');
    INSERT INTO leadanalytics.lead (workspace, external_id, enquiry_at, visitor_id)
    SELECT w, CASE WHEN random() < 0.6 THEN 'L' || l END, some_time(), CASE WHEN random() < 0.6 THEN 'v' || floor(random() * 30)::int END
    FROM generate_series(1, 12) AS l
    ON CONFLICT DO NOTHING;
    INSERT INTO leadanalytics.lead_submission (workspace, lead, submitted_at, is_primary, is_duplicate_window, visitor_id, score, suspicion, payload)
    SELECT w, l.id, some_time(), false, false, CASE WHEN random() < 0.7 THEN 'v' || floor(random() * 30)::int END, 0, 0, '{}' FROM leadanalytics.lead l WHERE l.workspace = w AND random() < 0.5;
    INSERT INTO leadanalytics.lead_status_change (workspace, lead, from_status, to_status, at)
    SELECT w, l.id, CASE WHEN s > 1 THEN 'new' END, (ARRAY['new', 'contacted', 'qualified', 'proposal', 'won', 'lost', 'fake', 'unqualified'])[1 + floor(random() * 8)::int], some_time()
    FROM leadanalytics.lead l, generate_series(1, 4) AS s WHERE l.workspace = w;
    PERFORM leadanalytics.add_engagement(w, (ARRAY['email_sent', 'email_open', 'link_click', 'email_reply', 'email_bounce'])[1 + floor(random() * 5)::int],
        (SELECT coalesce(l.external_id, l.id::text) FROM leadanalytics.lead l WHERE l.workspace = w AND random() < 0.3 LIMIT 1), 'm' || floor(random() * 40)::int, NULL, some_time(), '2026-03-01Z')
    FROM generate_series(1, 60);
    PERFORM leadanalytics.add_engagement(w, (ARRAY['email_sent', 'email_open', 'email_reply'])[1 + floor(random() * 3)::int],
        'X' || floor(random() * 8)::int, 'x' || floor(random() * 20)::int, NULL, some_time(), '2026-03-01Z')
    FROM generate_series(1, 30);
END
$$;
CREATE FUNCTION some_steps() RETURNS text[] LANGUAGE sql VOLATILE AS $$
    SELECT array_agg(s) FROM (
        SELECT s FROM unnest(CASE floor(random() * 5)::int
            WHEN 0 THEN '{new,contacted,qualified,converted,unqualified,lost}'
            WHEN 1 THEN '{new,email_sent,email_open,link_click,email_reply,email_bounce,qualified,converted}'
            WHEN 2 THEN '{page_view,$pageview,view,sign,pay,page_visit}'
            WHEN 3 THEN '{page_visit,form_submission,new,view,pay,email_open,email_reply,contacted}'
            ELSE '{view,form_submission,pay,nobody,email_sent,qualified}' END::text[]) AS s
        ORDER BY random() LIMIT 2 + floor(random() * random() * 9)::int) AS s
$$;
-- How many funnels were not the same both ways, and how far somebody got.
CREATE FUNCTION compare_funnels(w int, n int) RETURNS TABLE (asked int, different int, reached int, medians int) LANGUAGE plpgsql AS $$
DECLARE
    wanted text[];
    first timestamptz;
    last timestamptz;
    days int;
    differences int;
    steps int;
    timed int;
BEGIN
    asked := n; different := 0; reached := 0; medians := 0;
    FOR i IN 1 .. n LOOP
        wanted := some_steps();
        first := some_time() - interval '3 days';
        last := first + interval '1 hour' * (1 + floor(random() * 500)::int);
        days := 1 + floor(random() * random() * 20)::int;
        SET LOCAL leadanalytics.exact = on;
        CREATE TEMP TABLE exact ON COMMIT DROP AS SELECT * FROM leadanalytics.funnel_rows(w, first, last, wanted, days);
        SET LOCAL leadanalytics.exact = off;
        CREATE TEMP TABLE walked ON COMMIT DROP AS SELECT * FROM leadanalytics.funnel_rows(w, first, last, wanted, days);
        SELECT count(*) INTO differences FROM ((TABLE exact EXCEPT ALL TABLE walked) UNION ALL (TABLE walked EXCEPT ALL TABLE exact)) AS d;
        SELECT count(*) FILTER (WHERE count > 0), count(median_seconds_from_previous) INTO steps, timed FROM walked;
        IF differences > 0 THEN
            different := different + 1;
            RAISE WARNING '% % % %: % not %', wanted, first, last, days, (SELECT json_agg(t) FROM walked t), (SELECT json_agg(t) FROM exact t);
        END IF;
        reached := greatest(reached, steps);
        medians := medians + timed;
        DROP TABLE exact, walked;
    END LOOP;
    RETURN NEXT;
END
$$;
SELECT setseed(0.1);
SELECT some_lives(:w, 400);
SELECT asked, different, reached >= 4 AS far, medians > 20 AS many FROM compare_funnels(:w, 40);
-- Half folded, then all, then with more that is not.
SELECT setseed(0.2);
SELECT leadanalytics.fold_workspace(:w, 200, '2026-03-01Z') > 0 AS folded;
SELECT some_lives(:w, 300);
SELECT asked, different, reached >= 4 AS far, medians > 20 AS many FROM compare_funnels(:w, 40);
SELECT leadanalytics.fold(:w, '2026-03-01Z') > 0 AS folded;
SELECT asked, different, reached >= 4 AS far, medians > 20 AS many FROM compare_funnels(:w, 40);
SELECT some_lives(:w, 30);
SELECT asked, different, reached >= 4 AS far, medians > 20 AS many FROM compare_funnels(:w, 40);
-- Where leads are few among visitors they are looked up one by one.
BEGIN;
UPDATE pg_class SET reltuples = 1e9 WHERE oid = 'leadanalytics.visitor'::regclass;
SELECT asked, different, reached >= 4 AS far, medians > 20 AS many FROM compare_funnels(:w, 40);
ROLLBACK;
SELECT leadanalytics.create_workspace('funnel-few') AS few \gset
SELECT setseed(0.3);
SELECT some_lives(:few, 60);
SELECT asked, different FROM compare_funnels(:few, 60);

-- Many, over some days: every one of them took both steps, the one a day, two in three the other an hour later.
SELECT leadanalytics.create_workspace('funnel-many') AS many \gset
SELECT sum((leadanalytics.track(:many, e.events, now => '2026-01-10Z', as_role => 'admin') ->> 'accepted')::int) AS accepted
FROM (SELECT json_build_object('events', json_agg(json_build_object('event_name', s.name, 'visitor_id', 'v' || i, 'timestamp', '2026-01-01Z'::timestamptz + interval '1 minute' * i + s.after))) AS events
      FROM generate_series(1, 6000) AS i, (VALUES ('one', interval '0'), ('two', '24 hours'), ('three', '25 hours')) AS s (name, after)
      WHERE s.name <> 'three' OR i % 3 > 0 GROUP BY i / 300) AS e;
SELECT stage, count, median_seconds_from_previous FROM leadanalytics.funnel_rows(:many, '2026-01-01Z', '2026-01-10Z', '{one,two,three}', 2);
SELECT leadanalytics.fold(:many, '2026-01-10Z') > 0 AS folded;
SELECT stage, count, median_seconds_from_previous FROM leadanalytics.funnel_rows(:many, '2026-01-01Z', '2026-01-10Z', '{one,two,three}', 2);

DROP FUNCTION compare_funnels, some_steps, some_lives, some_time;
DELETE FROM leadanalytics.event WHERE workspace IN (:w, :few, :many);
