#!/bin/bash
# What the engine's answers cost beside the same answers in plain SQL from the same rows, in one run; see README.md for how
# to read it.
#
#   dataset    --events N (10 000 000) of 90 days in one workspace, written straight into the tables (engine/dataset.sql)
#   fold       all of it, and what the worker does afterwards
#   questions  overview of 30 days with its days, breakdowns by 200 and 2 000 values; the dashboard's own
#   bytes      what an event takes, by what for
#   tail       the same questions while 10 000 events are not folded
#   peers      (--peers) the same rows and questions in DuckDB, and in TimescaleDB and Citus where the server has them
#
# LA_BENCH_VISITORS says among how many visitors (a twentieth of the events), LA_BENCH_DAYS how many days are asked about
# (30), LA_BENCH_SEED draws another dataset, LA_BENCH_ROUNDS (11) and LA_BENCH_PLAIN_ROUNDS (3) are how often each is asked,
# LA_BENCH_EXACT_SECONDS (60) how long a question of the dashboard may take from the rows.
# The run ends as soon as two answers differ; no time is asserted.
# Run by ./leadanalytics bench, which starts the servers and sets LA_*.
set -euo pipefail
plain_rounds=${LA_BENCH_PLAIN_ROUNDS:-3}
exact_seconds=${LA_BENCH_EXACT_SECONDS:-60}
peers=()
. "${BASH_SOURCE%/*}/dataset.sh"

# One session asks everything, one of its calls after the other.
part_questions() {
    said "questions: the same answers?"
    sql -At <<'SQL'
SET search_path = leadanalytics, public;
SELECT format('CALL bench.compare(%s, %L, ''the engine'')', place, same) FROM bench.question ORDER BY place \gexec
SQL
    said "questions: times"
    sql -At <<SQL
SET search_path = leadanalytics, public;
SELECT format('CALL bench.measure(%L, ''plain'', ARRAY[%L], $plain_rounds)', name, plain) FROM bench.question ORDER BY place \gexec
SELECT format('CALL bench.measure(%L, ''engine'', %L, $rounds)', name, engine) FROM bench.question ORDER BY place \gexec
SQL
    said "the dashboard's questions"
    sql -At <<SQL
SELECT format('CALL bench.measure(%L, ''engine'', ARRAY[%L], $rounds)', name, call) FROM bench.dashboard ORDER BY place \gexec
SELECT format('CREATE TABLE bench.said_%s AS %s', name, call) FROM bench.dashboard ORDER BY place \gexec
SET leadanalytics.exact = on;
SET statement_timeout = '${exact_seconds}s';
SELECT format('CALL bench.compare_dashboard(%L)', name) FROM bench.dashboard ORDER BY place \gexec
SQL
}

# What answers cost while the worker is behind.
part_tail() {
    said "10 000 events that are not folded"
    sql -At <<SQL
CALL bench.add_tail(10);
SET search_path = leadanalytics, public;
SELECT format('CALL bench.compare(%s, %L, ''the engine'')', place, same) FROM bench.question ORDER BY place \gexec
SELECT format('CALL bench.measure(%L, ''and 10 000 not folded'', %L, $rounds)', name, engine) FROM bench.question ORDER BY place \gexec
SQL
}

part_peers() {
    local dir=$LA_STATE/bench-engine
    mkdir -p "$dir/rows"
    [ "$(id -u)" -ne 0 ] || chown postgres "$dir/rows"
    said "peers: rows into files"
    sql -v event="$dir/rows/event.csv" -v session="$dir/rows/session.csv" -v term="$dir/rows/term.csv" -f "$here/export.sql"
    peer_duckdb
    # What each is told of the table of events. Distinct visitors are counted where they lie.
    peer timescaledb "SELECT create_hypertable('event', 'at', chunk_time_interval => interval '7 days')"
    peer citus "SELECT create_distributed_table('event', 'visitor'), create_distributed_table('session', 'visitor'), create_reference_table('term')"
    rm -rf -- "$dir/rows"
}

peer_duckdb() {
    said "peers: DuckDB"
    cp "$here/package.json" "$here/package-lock.json" "$here/duckdb.mjs" "$dir"
    if ! npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund >"$dir/npm.log" 2>&1; then
        tail -n 5 "$dir/npm.log" >&2
        peers+=('DuckDB: npm could not fetch it')
        return 0
    fi
    sql -At -v days="$days" -o "$dir/fact.json" <<'SQL'
SELECT json_build_object('workspace', workspace, 'starts', (now - :days * interval '1 day') AT TIME ZONE 'UTC', 'ends', now AT TIME ZONE 'UTC',
    'questions', (SELECT json_agg(json_build_object('place', place, 'name', name) ORDER BY place) FROM bench.question)) FROM bench.fact;
SQL
    node "$dir/duckdb.mjs" "$dir" "$plain_rounds"
    sql -At <<SQL
\copy bench.figure FROM '$dir/figures'
CREATE TABLE bench.answer_duckdb (place int, value text, a bigint, b bigint, c bigint, d bigint, e bigint);
\copy bench.answer_duckdb FROM '$dir/answers'
SET search_path = leadanalytics, public;
SELECT format('CALL bench.compare(%s, %L, ''DuckDB'')', place, format('SELECT %s FROM bench.answer_duckdb WHERE place = %s',
    CASE WHEN dimension IS NULL THEN 'value::timestamp AT TIME ZONE ''UTC'' AS bucket, a, b, c, d, e' ELSE 'value, a AS count, b AS visitors' END, place))
FROM bench.question ORDER BY place \gexec
SQL
    peers+=("DuckDB $(node -p "require('$dir/node_modules/@duckdb/node-api/package.json').version"): $(du -sm "$dir/rows.duckdb" | cut -f1) MB")
}

# peer EXTENSION STATEMENT: another PostgreSQL database with it, asked the same text as plain SQL.
peer() {
    local version
    version=$(sql -Atc "SELECT default_version FROM pg_available_extensions WHERE name = '$1'")
    if [ -z "$version" ]; then
        peers+=("$1: not installed here")
        return 0
    fi
    if [ -z "$(sql -Atc "SELECT 1 WHERE current_setting('shared_preload_libraries') ~ '$1'")" ]; then
        peers+=("$1 $version: installed, but not in shared_preload_libraries")
        return 0
    fi
    said "peers: $1"
    sql -c "CREATE DATABASE bench_$1 TEMPLATE template0"
    sql -At -d "bench_$1" -o /dev/null <<SQL
CREATE EXTENSION $1;
CREATE TABLE event (workspace int, at timestamptz NOT NULL, session bigint, visitor int, person int, name int, title int, referrer int,
    source int, page int, campaign int, place int, agent int, kind "char", is_bot boolean);
CREATE TABLE session (workspace int, number bigint, visitor int, started_at timestamptz, referrer int, campaign int);
CREATE TABLE read_term (workspace int, id int, part1 text, part2 text, part3 text);
CREATE TABLE term (workspace int, id int, parts text[]);
$2;
SET timezone = 'UTC';
\copy event FROM '$dir/rows/event.csv' WITH (FORMAT csv)
\copy session FROM '$dir/rows/session.csv' WITH (FORMAT csv)
\copy read_term FROM '$dir/rows/term.csv' WITH (FORMAT csv)
INSERT INTO term SELECT workspace, id, ARRAY[part1, part2, part3] FROM read_term;
CREATE INDEX ON event (workspace, at);
CREATE INDEX ON session (workspace, started_at);
CREATE INDEX ON term (workspace, id);
VACUUM (ANALYZE);
CREATE SCHEMA bench;
SQL
    pg_dump -h "$LA_SOCKET" -U postgres -t bench.question -t bench.figure -d leadanalytics >"$dir/questions.sql"
    sql -At -d "bench_$1" -o /dev/null -f "$dir/questions.sql" -f "$here/measure.sql"
    sql -At -d "bench_$1" <<SQL
SET search_path = public;
SELECT format('CALL bench.compare(%s, %L, ''$1'')', place, plain) FROM bench.question ORDER BY place \gexec
TRUNCATE bench.figure;
SELECT format('CALL bench.measure(%L, %L, ARRAY[%L], $plain_rounds)', name, '$1', plain) FROM bench.question ORDER BY place \gexec
SQL
    sql -At -d "bench_$1" -c 'COPY bench.figure TO STDOUT' | sql -c 'COPY bench.figure FROM STDIN'
    peers+=("$1 $version: $(sql -Atc "SELECT pg_database_size('bench_$1') >> 20") MB")
}

part_dataset
part_fold
part_questions
[ -z "${LA_BENCH_PEERS-}" ] || part_peers
sql -f "$here/size.sql"
part_tail
sql -v seed="$seed" -v seconds="$seconds" -v exact_seconds="$exact_seconds" -f "$here/report.sql"
[ ${#peers[@]} -eq 0 ] || printf '%s\n' "${peers[@]}"
