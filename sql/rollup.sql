-- The engine by hand: what is in segments when, and that the answers never change by it.
\set VERBOSITY terse
SET timezone = 'UTC';
SET leadanalytics.segment_events = 4;
SELECT leadanalytics.create_workspace('fold-acme', timezone => 'Asia/Kolkata') AS acme \gset
SELECT leadanalytics.create_workspace('fold-other') AS other \gset

CREATE FUNCTION pages(visitor text, day date, n int) RETURNS json LANGUAGE sql AS $$
    SELECT json_build_object('events', json_agg(json_build_object('event_name', 'page_view', 'visitor_id', visitor || i % 3, 'timestamp', day + i * interval '47 minutes',
        'event_data', json_build_object('url', 'https://acme.example/' || i % 4, 'referrer', 'https://www.search.example/q'))))
    FROM generate_series(1, n) AS i
$$;
-- Both ways, and that they agree.
CREATE FUNCTION two_ways(workspace int, dimension text, starts timestamptz, ends timestamptz, now timestamptz)
RETURNS TABLE (value text, count bigint, visitors bigint, same boolean) LANGUAGE plpgsql STABLE AS $$
DECLARE
    exact json;
BEGIN
    SET LOCAL leadanalytics.exact = on;
    exact := (SELECT json_agg(b) FROM leadanalytics.breakdown(workspace, dimension, starts, ends, now => two_ways.now) b);
    SET LOCAL leadanalytics.exact = off;
    RETURN QUERY
    SELECT b.value, b.count, b.visitors, exact::text = (SELECT json_agg(a)::text FROM leadanalytics.breakdown(two_ways.workspace, two_ways.dimension, two_ways.starts, two_ways.ends, now => two_ways.now) a)
    FROM leadanalytics.breakdown(two_ways.workspace, two_ways.dimension, two_ways.starts, two_ways.ends, now => two_ways.now) b;
END
$$;
ALTER FUNCTION two_ways VOLATILE;

-- Nothing yet.
SELECT * FROM leadanalytics.totals(:acme, '2021-03-01', '2021-04-01', now => '2021-03-20');
SELECT * FROM leadanalytics.breakdown(:acme, 'page', '-infinity', 'infinity');
SELECT leadanalytics.fold(:acme);

SELECT leadanalytics.track(:acme, pages('v', '2021-03-10', 14), as_role => 'admin', now => '2021-03-11 12:00');
SELECT leadanalytics.track(:acme, pages('w', '2021-03-11', 2), as_role => 'admin', now => '2021-03-11 12:00');
SELECT leadanalytics.track(:other, pages('x', '2021-03-10', 9), as_role => 'admin', now => '2021-03-11 12:00');
SELECT unfolded_events, unfolded_sessions, failures, error FROM leadanalytics.freshness(:acme);

-- Folding small days writes no segments: their rows are their segments. It folds once.
SELECT * FROM two_ways(:acme, 'page', '2021-03-10', '2021-03-11', '2021-03-12');
SELECT leadanalytics.fold(:acme, '2021-03-11 12:00');
SELECT leadanalytics.fold(:acme, '2021-03-11 12:00');
SELECT unfolded_events, unfolded_sessions FROM leadanalytics.freshness(:acme);
SELECT count(*) FROM leadanalytics.segment;
SELECT * FROM two_ways(:acme, 'page', '2021-03-10', '2021-03-11', '2021-03-12');

-- Days that are over are made, in UTC and in the workspace's zone; the month is not over; the 11th has too few events in UTC.
SELECT leadanalytics.build(:acme, '2021-03-12 12:00');
SELECT leadanalytics.build(:acme, '2021-03-12 12:00');
SELECT grain, zone, starts, ends FROM leadanalytics.bucket ORDER BY 1, 2, 3;
SELECT * FROM two_ways(:acme, 'page', '2021-03-10', '2021-03-11', '2021-03-12');
SELECT * FROM two_ways(:acme, 'country', '2021-03-10 03:07', '2021-03-11 01:02', '2021-03-12');

-- Buckets of another zone are due from the first event on, many runs of the unit or few.
SELECT s.built_to, s.built_zone FROM leadanalytics.rollup_state s WHERE s.workspace = :acme;

-- What comes late comes into all of them, and is answered for before.
SELECT leadanalytics.track(:acme, pages('late', '2021-03-10', 5), now => '2021-03-12 12:00', as_role => 'admin');
SELECT * FROM two_ways(:acme, 'page', '2021-03-10', '2021-03-11', '2021-03-12 13:00');
SELECT leadanalytics.fold(:acme, '2021-03-12 13:00');
SELECT * FROM two_ways(:acme, 'page', '2021-03-10', '2021-03-11', '2021-03-12 13:00');
SELECT * FROM leadanalytics.reconcile(:acme);

-- A day with many events has quarters of an hour, while it is young.
SET leadanalytics.segment_events = 1;
SELECT leadanalytics.track(:acme, pages('m', '2021-03-12', 29), now => '2021-03-13 23:00', as_role => 'admin');
SELECT leadanalytics.fold(:acme, '2021-03-13 23:00');
SELECT grain, zone, starts FROM leadanalytics.bucket WHERE workspace = :acme AND grain = 'q';
SELECT count(DISTINCT bucket) FROM leadanalytics.segment WHERE grain = 'q';
SELECT * FROM two_ways(:acme, 'path', '2021-03-12 04:07', '2021-03-12 19:44', '2021-03-14');
SELECT leadanalytics.build(:acme, '2021-04-02 12:00');
SELECT leadanalytics.drop_quarters(:acme, '2021-04-02'), leadanalytics.drop_quarters(:acme, '2021-04-20'), leadanalytics.drop_quarters(:acme, '2021-04-20');
SELECT grain, zone, count(*), min(starts) FROM leadanalytics.bucket GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM two_ways(:acme, 'path', '2021-03-12 04:07', '2021-03-12 19:44', '2021-03-14');
SELECT * FROM two_ways(:acme, 'utm_source', '2021-03-01', '2021-04-01', '2021-04-20');

-- A series has every step, cut to its range; nights in which clocks are set have 23 or 25 hours.
SELECT bucket, events, visitors, sessions, complete_sessions, duration, round(score, 2) AS score
FROM leadanalytics.summary(:acme, '2021-03-10 06:00', '2021-03-13', 'day', 'Asia/Kolkata', now => '2021-03-20');
SELECT count(*) FROM leadanalytics.series(:acme, '2021-03-14 05:00', '2021-03-15 04:00', 'hour', 'America/New_York');
SELECT leadanalytics.steps('2021-03-28', '2021-04-08', 'week', 'Australia/Lord_Howe');
SELECT leadanalytics.steps('2021-03-14 05:00', '2021-03-15 04:00', 'day', 'America/New_York');
SELECT leadanalytics.steps('2021-03-01', '2021-03-02', 'year', 'UTC');
SELECT leadanalytics.steps('2021-03-01', 'infinity', 'day', 'UTC');
SELECT * FROM leadanalytics.summary(:acme, '2021-03-10', '2021-03-10', 'day');

-- What cannot be asked.
SELECT * FROM leadanalytics.answer(:acme, '{nothing}', '{2021-03-01,2021-04-01}');
SET leadanalytics.exact = on;
SELECT * FROM leadanalytics.answer(:acme, '{nothing}', '{2021-03-01,2021-04-01}');
RESET leadanalytics.exact;
SELECT * FROM leadanalytics.answer(:acme, '{total}', '{2021-03-01}');
SELECT * FROM leadanalytics.answer(:acme, '{total}', '{2021-03-02,2021-03-01}');
SELECT * FROM leadanalytics.answer(:acme, '{total}', '{2021-03-02,NULL}');
SELECT * FROM leadanalytics.answer(999, '{total}', '{2021-03-01,2021-04-01}');
SELECT * FROM leadanalytics.breakdown(:acme, 'page', '2021-03-01', '2021-04-01', by => 'size');
SELECT * FROM leadanalytics.dimensions();

-- Damage is told, and mended from the rows.
UPDATE leadanalytics.segment SET sets = set_byte(sets, 2, get_byte(sets, 2) # 1) WHERE grain = 'd' AND dimension = 4;
SELECT * FROM leadanalytics.breakdown(:acme, 'page', '2021-03-10', '2021-03-11');
\set VERBOSITY default
SELECT * FROM leadanalytics.reconcile(:acme);
\set VERBOSITY terse
SELECT leadanalytics.forget_segments(:acme);
SELECT * FROM two_ways(:acme, 'page', '2021-03-10', '2021-03-11', '2021-03-12');

-- Retention: the month's rows go once its days are made; whole days are answered for as before, parts of one for all of it.
SET leadanalytics.exact = on;
CREATE TABLE before AS SELECT * FROM leadanalytics.summary(:acme, '2021-03-01', '2021-04-01', 'day', now => '2021-06-01') UNION ALL SELECT * FROM leadanalytics.summary(:other, '2021-03-01', '2021-04-01', 'day', now => '2021-06-01');
RESET leadanalytics.exact;
SELECT leadanalytics.track(:acme, pages('new', '2021-05-30', 2), now => '2021-05-30 12:00', as_role => 'admin');
CALL leadanalytics.expire_due('2021-06-01');
SET leadanalytics.event_retention = '40d';
CALL leadanalytics.expire_due('2021-06-01'); -- not folded
SELECT count(*) FROM leadanalytics.event WHERE workspace IN (:acme, :other);
SELECT leadanalytics.fold(:acme) > 0 AS acme_folded, leadanalytics.fold(:other) > 0 AS other_folded;
CALL leadanalytics.expire_due('2021-06-01');
SELECT before, swept FROM leadanalytics.dropped WHERE workspace IN (:acme, :other) ORDER BY workspace;
SELECT count(*) FROM leadanalytics.event WHERE workspace IN (:acme, :other);
CREATE TABLE after AS SELECT * FROM leadanalytics.summary(:acme, '2021-03-01', '2021-04-01', 'day', now => '2021-06-01') UNION ALL SELECT * FROM leadanalytics.summary(:other, '2021-03-01', '2021-04-01', 'day', now => '2021-06-01');
SELECT count(*) AS lost FROM (TABLE before EXCEPT ALL TABLE after) AS x;
SELECT count(*) AS found FROM (TABLE after EXCEPT ALL TABLE before) AS x;
SELECT bucket, events, visitors FROM leadanalytics.summary(:acme, '2021-03-10 06:00', '2021-03-11 04:00', now => '2021-06-01');
-- What comes for a month that is gone is kept and counted.
SELECT leadanalytics.track(:acme, pages('v', '2021-03-20', 3), now => '2021-06-01', as_role => 'admin');
SELECT events FROM leadanalytics.totals(:acme, '2021-03-20', '2021-03-21', now => '2021-06-01');
SELECT leadanalytics.fold(:acme, '2021-06-01');
SELECT events FROM leadanalytics.totals(:acme, '2021-03-20', '2021-03-21', now => '2021-06-01');
SELECT events FROM leadanalytics.totals(:acme, '-infinity', 'infinity', now => '2021-06-01');
-- A zone that came after a month was dropped: days at its edge are not made of the half that is kept.
UPDATE leadanalytics.workspace SET timezone = 'America/St_Johns' WHERE id = :acme;
SELECT leadanalytics.track(:acme, pages('e', '2021-04-01', 30), now => '2021-06-01', as_role => 'admin');
SELECT leadanalytics.track(:acme, pages('e', '2021-03-31', 20), now => '2021-06-01', as_role => 'admin');
SELECT leadanalytics.fold(:acme, '2021-06-01'), leadanalytics.build(:acme, '2021-06-01') > 0 AS built;
SELECT min(starts) FROM leadanalytics.bucket WHERE workspace = :acme AND zone = 'America/St_Johns';
SELECT count(*) FROM leadanalytics.reconcile(:acme, '2021-04-01', 'infinity');
SELECT grain, zone, starts FROM leadanalytics.bucket WHERE workspace = :acme AND starts >= '2021-03-13' AND starts < '2021-04-02' ORDER BY starts;
SELECT events FROM leadanalytics.totals(:acme, '2021-03-31', '2021-04-02', now => '2021-06-01');
SELECT leadanalytics.forget_segments(:acme) AS forgotten, min(starts) AS kept_from FROM leadanalytics.bucket WHERE workspace = :acme;
SELECT events FROM leadanalytics.totals(:acme, '-infinity', 'infinity', now => '2021-06-01');
-- Tests behind this one compare all events with the ledger.
DELETE FROM leadanalytics.event WHERE workspace IN (:acme, :other);
