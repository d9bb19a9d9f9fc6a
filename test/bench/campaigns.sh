#!/bin/bash
# The five endpoints of campaigns among --events N (20 millions) events of messages: in the database and over HTTP, beside
# plain SQL from the rows of messages, whose counts are compared; what counting all anew takes, what summing up takes,
# what readers pay while nobody sums up, and what an event costs to take in. See README.md.
# Run by ./leadanalytics bench campaigns, which starts the servers and sets LA_*.
set -euo pipefail
events=${LA_BENCH_EVENTS:-20000000}
rounds=${LA_BENCH_ROUNDS:-11}
each=${LA_BENCH_SECONDS:-2}
here=$LA_SOURCE/test/bench
# shellcheck source=test/bench/front.sh
. "$here/front.sh"
# Over HTTP it is always now: the dataset ends soon.
ends=$(date -u -d "@$(($(date +%s) / 3600 * 3600 + 3600))" +%FT%TZ)
export PGOPTIONS='-c client_min_messages=warning -c jit=off -c max_parallel_workers_per_gather=0 -c synchronous_commit=off -c maintenance_work_mem=1GB'
sql() { psql -h "$LA_SOCKET" -U postgres -d leadanalytics -X -q -At -F ' ' -v ON_ERROR_STOP=1 -v here="$here" "$@"; }
said() { printf '… %s (%d s)\n' "$*" "$SECONDS" >&2; }

part_dataset() {
    said "writing $events events"
    sql -c "UPDATE leadanalytics.unit SET enabled = false" -c 'CREATE SCHEMA bench' -c 'ALTER SYSTEM SET autovacuum = off' -c "ALTER SYSTEM SET max_wal_size = '3GB'" -c 'SELECT pg_reload_conf()' -o /dev/null
    sql -v ends="$ends" -v messages="$((events * 10 / 39))" -f "$here/campaigns/dataset.sql" -f "$here/cpu.sql" -f "$here/call.sql" -f "$here/campaigns/questions.sql"
}

part_recount() {
    said "counting"
    sql <<'SQL'
\echo events messages, µs of CPU an event to count all anew: the first time, when all rows are written, and once more
SELECT bench.cpu_us() AS begun \gset
SELECT sum(leadanalytics.recount_messages(id)) AS messages FROM bench.workspace \gset
SELECT bench.cpu_us() - :begun AS first, bench.cpu_us() AS begun \gset
VACUUM (ANALYZE) leadanalytics.message, leadanalytics.message_tally, leadanalytics.message_fresh_tally;
SELECT bench.cpu_us() AS begun, count(*) AS events FROM leadanalytics.message_event \gset
SELECT leadanalytics.recount_messages(id) FROM bench.workspace WHERE n = 1 \g /dev/null
SELECT :events, :messages, round((:first / :events)::numeric, 1), round(((bench.cpu_us() - :begun) / (:events / 2))::numeric, 1);
\echo MB: events, their indexes, messages, their indexes, counts
SELECT (SELECT sum(pg_table_size(inhrelid)) / 1048576 FROM pg_inherits WHERE inhparent = 'leadanalytics.message_event'::regclass)::int, (SELECT sum(pg_indexes_size(inhrelid)) / 1048576 FROM pg_inherits WHERE inhparent = 'leadanalytics.message_event'::regclass)::int,
       pg_table_size('leadanalytics.message') / 1048576, pg_indexes_size('leadanalytics.message') / 1048576, pg_total_relation_size('leadanalytics.message_tally') / 1048576;
VACUUM (ANALYZE);
CHECKPOINT;
SQL
}

part_sql() {
    said "in the database"
    sql -v rounds="$rounds" <<'SQL'
CREATE FUNCTION bench.counts(query text) RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
    answer json;
BEGIN
    EXECUTE format('SELECT json_agg(q) FROM (%s) AS q', query) INTO answer;
    RETURN answer;
END
$$;
CREATE VIEW bench.case AS
SELECT q.place, q.name, a.period, format(q.call, a.workspace, a.starts, a.ends, a.period, a.first, a.last) AS call, format(q.path, a.workspace, a.starts, a.ends, a.period, a.first, a.last) AS path,
       format('bench.counts(%L)', format(q.ours, a.workspace, a.starts, a.ends)) AS ours, format('bench.counts(%L)', format(q.plain, a.workspace, a.starts, a.ends)) AS plain
FROM bench.question q, bench.asked a WHERE a.period <> 'custom' OR q.place < 3;
CREATE TABLE bench.figure (place int, period text, ms numeric, buffers bigint, plain_ms numeric, is_same boolean);
CREATE PROCEDURE bench.run(rounds int) LANGUAGE plpgsql AS $$
DECLARE
    c record;
    asked record;
    plain record;
    is_same boolean;
BEGIN
    FOR c IN SELECT * FROM bench.case ORDER BY place, period LOOP
        asked := bench.measure(c.call, rounds);
        plain := bench.measure(c.plain, 2);
        EXECUTE format('SELECT %s::jsonb = %s::jsonb', c.ours, c.plain) INTO is_same;
        INSERT INTO bench.figure VALUES (c.place, c.period, asked.ms, asked.buffers, plain.ms, is_same);
        COMMIT;
    END LOOP;
END
$$;
CALL bench.run(:rounds);
\echo what, period, ms, buffers, plain SQL ms, ratio, same counts
SELECT c.name, c.period, f.ms, f.buffers, f.plain_ms, round(f.plain_ms / f.ms), f.is_same FROM bench.figure f JOIN bench.case c USING (place, period) ORDER BY c.place, c.period;
\echo the same answers from the events alone, of the smallest workspace: what, same, ms
SELECT id AS small FROM bench.workspace WHERE n = 10 \gset
SELECT format($$SELECT %L, a.answer::jsonb = b.answer::jsonb, round(extract(epoch FROM clock_timestamp() - b.begun) * 1000)
    FROM (SELECT %2$s AS answer) AS a, (SELECT clock_timestamp() AS begun, set_config('leadanalytics.exact', 'on', false)) AS s (begun, exact),
         LATERAL (SELECT s.begun, CASE WHEN s.exact = 'on' THEN %2$s END AS answer OFFSET 0) AS b$$, name, replace(format(call, :small, starts, ends, period, first, last), 'campaign-7', 'campaign-2'))
FROM bench.question, bench.asked WHERE period = '30d' AND place <> 5 ORDER BY place \gexec
SQL
}

part_fresh() {
    said "what nobody summed up"
    sql -v rounds="$rounds" <<'SQL'
-- As single events by every campaign and mailbox of the last days leave them.
\echo fresh rows of the workspace: overview ms, deliverability ms
SELECT workspace AS w FROM bench.asked LIMIT 1 \gset
CREATE PROCEDURE bench.fresh(workspace int, n int) LANGUAGE sql AS $$
    INSERT INTO leadanalytics.message_fresh_tally
    SELECT t.workspace, t.series, t.bucket, t.campaign, t.domain, t.mailbox, t.reason, 0, 0, 0, 0, 0, 0, 0, 0, 0
    FROM (SELECT t.*, row_number() OVER (PARTITION BY series ORDER BY bucket DESC) AS place FROM leadanalytics.message_tally t WHERE t.workspace = fresh.workspace) AS t, generate_series(1, n / 400) AS i
    WHERE t.place <= 100
$$;
\set overview 'leadanalytics.campaign_overview(' :w ')'
\set deliverability 'leadanalytics.deliverability(' :w ')'
SELECT 0, (o).ms, (d).ms FROM bench.measure(:'overview', :rounds) AS o, bench.measure(:'deliverability', :rounds) AS d;
BEGIN;
CALL bench.fresh(:w, 20000);
SELECT count(*), (SELECT (o).ms FROM bench.measure(:'overview', :rounds) AS o), (SELECT (d).ms FROM bench.measure(:'deliverability', :rounds) AS d) FROM leadanalytics.message_fresh_tally;
CALL bench.fresh(:w, 80000);
SELECT count(*), (SELECT (o).ms FROM bench.measure(:'overview', :rounds) AS o), (SELECT (d).ms FROM bench.measure(:'deliverability', :rounds) AS d) FROM leadanalytics.message_fresh_tally;
SELECT clock_timestamp() AS begun \gset
\echo summing up: rows, µs each
SELECT leadanalytics.sum_messages(now()) AS rows \gset
SELECT :rows, round((extract(epoch FROM clock_timestamp() - :'begun'::timestamptz) * 1e6 / :rows)::numeric, 1);
ROLLBACK;
VACUUM leadanalytics.message_fresh_tally, leadanalytics.message_tally;
SQL
}

part_http() {
    local key name period path half
    said "over HTTP"
    key=$(sql -c "SELECT leadanalytics.create_key(workspace, 'tenant', per_minute => 0) FROM bench.asked LIMIT 1")
    start_nothing
    printf 'over HTTP: what, period, requests/s by one connection, p50\n'
    ask nothing "http://127.0.0.1:$front_port/" 1 "$each" | cut -d' ' -f1-3
    while IFS=$'\t' read -r name period path; do
        read -r _ rate half _ <<<"$(ask - "$LA_URL/api/v1/workspaces/bench-campaigns-1/$path" 1 "$each" "Authorization: Bearer $key")"
        printf '%s %s %s %s\n' "$name" "$period" "$rate" "$half"
    done < <(sql -F $'\t' -c 'SELECT name, period, path FROM bench.case WHERE path IS NOT NULL ORDER BY place, period')
}

part_ingest() {
    said "taking events in"
    sql -f "$here/campaigns/ingest.sql"
}

part_dataset
part_recount
part_sql
part_fresh
part_http
part_ingest
