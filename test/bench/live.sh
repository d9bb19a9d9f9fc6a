#!/bin/bash
# What the live counts cost, by rows and from shared memory, in one run: a workspace at the rate of ten million events in
# ninety days (4 600 events in the last hour), and one with LA_BENCH_EVENTS (--events, 1 800 000: 500 a second) in the
# last hour. Five events a session, one session in five of a visitor who was here before, 2 000 pages as Zipf has them.
#
#   live_rows     60 minutes, ten pages and referrers
#   live_hour     active sessions and events of the last hour, which realtime() (S1-07) tells
#   visitors      the 100 seen last, always from rows
#   live          all of it as JSON
#   build         the first question after which memory answers
#   track         a batch of 1 000 events with and without somebody counting, µs an event
#
# Milliseconds and 8 kB buffers of EXPLAIN (ANALYZE, BUFFERS), medians of LA_BENCH_ROUNDS (5). Nothing is asserted.
# Run by ./leadanalytics bench live, which starts the servers and sets LA_*.
set -euo pipefail
events=${LA_BENCH_EVENTS:-1800000}
rounds=${LA_BENCH_ROUNDS:-5}
sql() { psql -h "$LA_SOCKET" -U postgres -d leadanalytics -X -q -v ON_ERROR_STOP=1 "$@"; }

sql -c 'ALTER SYSTEM SET leadanalytics.live_memory = 1024' -c 'ALTER SYSTEM SET leadanalytics.live_workspace_memory = 1024'
"$LA_COMMAND" down --state-dir "$LA_STATE" --port "$LA_PORT" >/dev/null
"$LA_COMMAND" up --state-dir "$LA_STATE" --port "$LA_PORT" >"$LA_STATE/log/bench-live-up.log"
sql -At -F ' ' -v events="$events" -v rounds="$rounds" <<'SQL'
SET client_min_messages = warning;
SET leadanalytics.live_after = -1;
UPDATE leadanalytics.unit SET enabled = false;
CREATE SCHEMA bench;
CREATE FUNCTION bench.u(of bigint, what int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT ((hashint8extended(of, what) >> 11) & 4503599627370495) / '4503599627370496'::float8
$$;
SELECT leadanalytics.make_leaf('event', m::date) FROM unnest(ARRAY[now() - interval '2 hours', now()]) AS m \g /dev/null

-- An hour of n events, as ingestion would have left it.
CREATE FUNCTION bench.fill(w int, n int) RETURNS void LANGUAGE plpgsql SET work_mem = '256MB' AS $$
DECLARE
    referrers int[];
    places int[];
BEGIN
    INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts)
    SELECT w, nextval('leadanalytics.term_id'), md5(kind || i)::uuid, kind,
           CASE kind WHEN 'page' THEN ARRAY['https://shop.example/article-' || i, '/article-' || i]
                     WHEN 'place' THEN ARRAY[(ARRAY['US', 'GB', 'DE', 'FR', 'IN'])[1 + i % 5], NULL, 'City ' || i]
                     ELSE ARRAY['https://www.site-' || i || '.example/'] END
    FROM (VALUES ('page', 2000), ('place', 300), ('text', 200)) AS k (kind, many), generate_series(1, many) AS i;
    CREATE TEMP TABLE term AS SELECT kind, (row_number() OVER (PARTITION BY kind ORDER BY id))::int AS i, id FROM leadanalytics.term WHERE workspace = w;
    referrers := ARRAY(SELECT id FROM term WHERE kind = 'text');
    places := ARRAY(SELECT id FROM term WHERE kind = 'place');
    CREATE TEMP TABLE visit AS
    SELECT s, nextval('leadanalytics.session_number') AS number, (1 + floor(bench.u(s, 1) * n / 5 * 0.8))::int AS visitor,
           now() - bench.u(s, 2) * interval '1 hour' AS starts,
           referrers[1 + floor(bench.u(s, 3) * 200)] AS referrer,
           places[1 + floor(bench.u(s, 4) * 300)] AS place
    FROM generate_series(1, n / 5) AS s;
    INSERT INTO leadanalytics.visitor (workspace, number, visitor_id)
    SELECT w, v.visitor + 100000000 * w, md5(w || ' ' || v.visitor) FROM (SELECT DISTINCT visitor FROM visit) AS v;
    INSERT INTO leadanalytics.session (workspace, visitor, number, started_at, last_seen, events, pageviews, referrer, place)
    SELECT w, visitor + 100000000 * w, number, starts, least(now(), starts + interval '2 min'), 5, 3, referrer, place FROM visit;
    INSERT INTO leadanalytics.event (at, received_at, id, session, workspace, visitor, name, referrer, page, place, kind)
    SELECT at, at, (nextval('leadanalytics.event_block') << 10), number, w, visitor + 100000000 * w, term.id, referrer, term.id, place,
           (ARRAY['p', 'a', 'p', 'c', 'p'])[e]::"char"
    FROM (SELECT *, least(now(), starts + e * interval '24 s') AS at FROM visit, generate_series(1, 5) AS e ORDER BY at) AS v
    JOIN term ON term.kind = 'page' AND term.i = floor(exp(bench.u(s * 5 + e, 5) * ln(2001)));
    DROP TABLE term, visit;
END
$$;
CREATE FUNCTION bench.cost(statement text, rounds int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    ms float8[] := '{}';
    buffers bigint[] := '{}';
    plan json;
BEGIN
    FOR round IN 0 .. rounds LOOP
        EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || statement INTO plan;
        CONTINUE WHEN round = 0;
        ms := ms || (plan -> 0 ->> 'Execution Time')::float8;
        buffers := buffers || (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
    END LOOP;
    RETURN format('%s ms %s buffers', (SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY m)::numeric, 1) FROM unnest(ms) m),
                  (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY b) FROM unnest(buffers) b));
END
$$;
CREATE FUNCTION bench.batch(w int, n int) RETURNS json LANGUAGE sql AS $$
    SELECT leadanalytics.track(w, json_build_object('events', json_agg(json_build_object('event_name', 'page_view', 'visitor_id', md5(n || ' ' || i / 5),
        'event_data', json_build_object('url', 'https://shop.example/article-' || i * n % 2000))))) FROM generate_series(1, 1000) AS i
$$;
CREATE PROCEDURE bench.track(w int, what text, from_n int) LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz;
BEGIN
    PERFORM bench.batch(w, from_n);
    COMMIT;
    begun := clock_timestamp();
    FOR n IN from_n + 1 .. from_n + 20 LOOP
        PERFORM bench.batch(w, n);
        COMMIT;
    END LOOP;
    RAISE NOTICE '% % us an event', what, round(extract(epoch FROM clock_timestamp() - begun) * 1e6 / 20000, 1);
END
$$;
-- Rows and memory, one after the other.
CREATE PROCEDURE bench.measure(w int, rounds int) LANGUAGE plpgsql AS $$
DECLARE
    questions CONSTANT text[] := ARRAY[
        'live_rows', format('SELECT * FROM leadanalytics.live_rows(%s, 60, 10)', w),
        'live', format('SELECT leadanalytics.live(%s, 60)', w),
        'visitors', format('SELECT * FROM leadanalytics.live_visitors_rows(%s, 60)', w)];
    begun timestamptz;
BEGIN
    PERFORM set_config('leadanalytics.exact', 'on', false);
    FOR i IN 1 .. 3 LOOP
        RAISE NOTICE 'rows    % %', questions[2 * i - 1], bench.cost(questions[2 * i], rounds);
    END LOOP;
    RAISE NOTICE 'rows    live_hour %', bench.cost(format($q$
        WITH recent AS MATERIALIZED (SELECT e.session, count(*) AS events FROM leadanalytics.event e
            WHERE e.workspace = %1$s AND e.at >= now() - interval '1 hour' AND e.at <= now() + interval '5 min' AND NOT e.is_bot GROUP BY e.session),
        met AS (SELECT r.session AS number FROM recent r WHERE r.session IS NOT NULL UNION
            SELECT s.number FROM leadanalytics.session s WHERE s.workspace = %1$s AND s.started_at >= now() - interval '1 hour' AND s.started_at <= now() + interval '5 min')
        SELECT (SELECT count(*) FROM met m JOIN leadanalytics.session s ON s.workspace = %1$s AND s.number = m.number WHERE NOT s.is_ended OR s.ended_at > now()),
               (SELECT sum(r.events) FROM recent r)$q$, w), rounds);
    COMMIT;
    CALL bench.track(w, 'rows    track', 1000 * w);
    PERFORM set_config('leadanalytics.exact', 'off', false), set_config('leadanalytics.live_after', '0', false);
    PERFORM count(*) FROM leadanalytics.live_rows(w, 60, 10);
    COMMIT;
    begun := clock_timestamp();
    PERFORM count(*) FROM leadanalytics.live_rows(w, 60, 10);
    RAISE NOTICE 'memory  build % ms', round(extract(epoch FROM clock_timestamp() - begun) * 1000);
    COMMIT;
    FOR i IN 1 .. 3 LOOP
        RAISE NOTICE 'memory  % %', questions[2 * i - 1], bench.cost(questions[2 * i], rounds);
    END LOOP;
    RAISE NOTICE 'memory  live_hour %', bench.cost(format('SELECT * FROM leadanalytics.live_hour(%s, now())', w), rounds);
    COMMIT;
    CALL bench.track(w, 'memory  track', 1000 * w + 100);
    begun := clock_timestamp();
    PERFORM count(*) FROM leadanalytics.live_rows(w, 60, 10);
    RAISE NOTICE 'memory  live_rows after these batches % ms', round(extract(epoch FROM clock_timestamp() - begun) * 1000, 1);
    RAISE NOTICE 'memory  % MB of one workspace, % answers, % from rows', (SELECT round(bytes / 1048576.0, 1) FROM leadanalytics.live_states() WHERE workspace = w),
        (SELECT served FROM leadanalytics.live_states() WHERE workspace = w), (SELECT from_rows FROM leadanalytics.live_states() WHERE workspace = w);
    PERFORM set_config('leadanalytics.live_after', '-1', false);
END
$$;
SELECT leadanalytics.create_workspace('bench-slow') AS slow, leadanalytics.create_workspace('bench-busy') AS busy \gset
SET session_replication_role = replica; -- no ledger: nobody folds here
SELECT bench.fill(:slow, 4600) \g /dev/null
SELECT bench.fill(:busy, :events) \g /dev/null
RESET session_replication_role;
VACUUM ANALYZE leadanalytics.event;
VACUUM ANALYZE leadanalytics.session;
VACUUM ANALYZE leadanalytics.visitor;
VACUUM ANALYZE leadanalytics.term;
SET client_min_messages = notice;
\echo 4600 events in the hour
CALL bench.measure(:slow, :rounds);
\echo :events events in the hour
CALL bench.measure(:busy, :rounds);
SQL
