#!/bin/bash
# What taking events costs, in one run and in rounds, medians shown; see README.md for how to read it.
#
#   track      leadanalytics.track() in batches of 1, 10, 100 and 1 000, each a transaction, with client_ip, user_agent,
#              geo files, event_ids, visitors who return, sessions that the client names (70 %) and that it does not
#   copy       COPY of the very rows that came of it, in the same transactions, into a table LIKE the leaf INCLUDING ALL;
#   copy whole the same rows in one COPY a round
#   http       POST /api/v1/track, nginx and PostgREST in front, 4 connections, each a sender with visitors of its own
#   plain      PostgREST's own bulk insert of the same events behind the same nginx: POST /plain?columns=… of a JSON array
#              into a table with a column a field (texts as text) and the primary key event_id; in batches of 1 000 also
#              with three indexes more, and without columns=, where PostgREST reads the keys of every object
#   fold       as http in batches of 1 000, while the worker folds: how far it is behind at the end, and for how long
#   bytes      what an event takes, by table and index
#   one, many  batches of 10 into one workspace, and the same ones spread over 10 000, in two databases; the worker's units
#
# LA_BENCH_EVENTS (--events) says how many events each of the three parts takes, LA_BENCH_OPTIONS which settings the
# sessions of the parts without HTTP have ("-c jit=off"). Nothing is asserted.
# Run by ./leadanalytics bench ingest, which starts the servers and sets LA_*.
set -euo pipefail
events=${LA_BENCH_EVENTS:-200000}
rounds=${LA_BENCH_ROUNDS:-5}
seed=${LA_BENCH_SEED:-1}
connections=4
sizes=(1 10 100 1000)
here=$LA_SOURCE/test/bench/ingest
. "${BASH_SOURCE%/*}/front.sh"
rows=$front/rows
geo=$front/geo
PGOPTIONS="-c bench.seed=$seed -c client_min_messages=warning ${LA_BENCH_OPTIONS-}"
export PGOPTIONS LA_SOURCE
db() { psql -h "$LA_SOCKET" -U postgres -X -q -v ON_ERROR_STOP=1 "$@"; }
sql() { db -d leadanalytics "$@"; }
said() { printf "… %s (%d s)\n" "$*" "$SECONDS" >&2; }

mkdir -p "$rows" "$geo"
[ "$(id -u)" -ne 0 ] || chown -R postgres "$front"

# The worker stays away: what it does is run by hand where it is measured.
begin_database() { # NAME
    db -d "$1" -c 'UPDATE leadanalytics.unit SET enabled = false' -c 'CREATE SCHEMA bench' -f "$here/../draw.sql" -f "$here/../cpu.sql" -f "$here/../units.sql" -f "$here/stream.sql" -f "$here/measure.sql" >/dev/null
}

part_sql() {
    said "making $events events (seed $seed)"
    sql -o /dev/null <<SQL
SELECT bench.make_stream('sql', $events, false);
ANALYZE bench.stream;
SELECT bench.make_batches('sql', $events, $rounds, '{"1": 0.02, "10": 0.08, "100": 0.25, "1000": 0.65}', 1);
ANALYZE bench.batch;
SQL
    for ((round = 0; round <= rounds; round++)); do
        said "track and copy: round $round of $rounds"
        {
            for size in "${sizes[@]}"; do echo "CALL bench.run_track('track', 'sql', $round, $size, ARRAY[$workspace]);"; done
            cat <<SQL
SELECT tableoid::regclass AS leaf FROM leadanalytics.event WHERE workspace = $workspace LIMIT 1 \gset
CREATE TABLE IF NOT EXISTS bench.copied (LIKE :leaf INCLUDING ALL);
CREATE TABLE IF NOT EXISTS bench.copied_whole (LIKE :leaf INCLUDING ALL);
CALL bench.write_rows($round, :'leaf', '$rows');
SQL
            for size in "${sizes[@]}"; do echo "CALL bench.run_copy($round, $size, '$rows');"; done
        } | sql
    done
}

part_bytes() {
    said "bytes"
    sql -v workspace="$workspace" -c VACUUM -f "$here/size.sql"
}

part_http() {
    said "making $events events for HTTP"
    sql -o /dev/null <<SQL
SELECT bench.make_stream('http', $events, true);
ANALYZE bench.stream;
SELECT bench.make_batches('http', $events, $rounds, '{"1": 0.03, "10": 0.12, "100": 0.25, "1000": 0.60}', $connections);
ANALYZE bench.batch;
CREATE TABLE leadanalytics_door.plain AS
SELECT event_id, event_name, visitor_id, user_id, session_id, at, url, path, title, referrer, screen_width, screen_height,
       utm_source, utm_medium, utm_campaign, utm_term, utm_content, gclid, source, data FROM bench.stream WHERE false;
ALTER TABLE leadanalytics_door.plain ADD PRIMARY KEY (event_id);
CREATE TABLE leadanalytics_door.plain_whole (LIKE leadanalytics_door.plain INCLUDING ALL);
CREATE TABLE leadanalytics_door.plain_indexed (LIKE leadanalytics_door.plain INCLUDING ALL);
CREATE INDEX ON leadanalytics_door.plain_indexed (at);
CREATE INDEX ON leadanalytics_door.plain_indexed (visitor_id, at);
CREATE INDEX ON leadanalytics_door.plain_indexed (session_id);
GRANT INSERT ON leadanalytics_door.plain, leadanalytics_door.plain_whole, leadanalytics_door.plain_indexed TO leadanalytics_anon;
NOTIFY pgrst, 'reload schema';
SQL
    local key columns round size way
    key=$(sql -Atc "SELECT leadanalytics.create_key($workspace, 'admin', per_minute => 0)")
    columns=$(sql -Atc "SELECT string_agg(attname, ',') FROM pg_attribute WHERE attrelid = 'leadanalytics_door.plain'::regclass AND attnum > 0")
    begin_front
    for ((round = 0; round <= rounds; round++)); do
        said "HTTP: round $round of $rounds"
        for size in "${sizes[@]}"; do
            for way in body plain; do
                sql -c "\copy (SELECT host(ip), user_agent, $way FROM bench.batch WHERE kind = 'http' AND round = $round AND size = $size ORDER BY k) TO '$front/$way'"
            done
            post http "$front_port" /api/v1/track "$front/body" '^HTTP/1.1 200 .*"rejected":\[\]' "Authorization: Bearer $key"
            post plain "$plain_port" "/plain?columns=$columns" "$front/plain" '^HTTP/1.1 201 ' 'Prefer: return=minimal'
            [ "$size" -eq 1000 ] || continue
            post 'plain, 4 indexes' "$plain_port" "/plain_indexed?columns=$columns" "$front/plain" '^HTTP/1.1 201 ' 'Prefer: return=minimal'
            sql -c "\copy (SELECT host(ip), user_agent, (SELECT json_agg(r) FROM json_populate_recordset(NULL::leadanalytics_door.plain, plain) AS r) FROM bench.batch WHERE kind = 'http' AND round = $round AND size = $size ORDER BY k) TO PROGRAM 'sed s/\\\\\\\\n//g >$front/whole'"
            post 'plain, no columns=' "$plain_port" /plain_whole "$front/whole" '^HTTP/1.1 201 ' 'Prefer: return=minimal'
        done
    done
}

post() { # WAY PORT PATH FILE EXPECT HEADER: uses round and size
    local way=$1 seconds parts
    shift
    parts=$(perl "$here/post.pl" "$1" "$2" "$connections" "$3" "$4" "nginx=$front_nginx postgrest=$postgrest postgres=$postgres" "$5")
    read -r _ seconds nginx_s postgrest_s postgres_s client_s <<<"$parts"
    sql -c "INSERT INTO bench.figure SELECT '$way', $size, $round, sum(n), 1e6 * ($nginx_s + $postgrest_s + $postgres_s), 1e6 * $seconds,
                   '$nginx_s $postgrest_s $postgres_s $client_s' FROM bench.batch WHERE kind = 'http' AND round = $round AND size = $size"
}

# A second nginx, to which addresses come in X-Forwarded-For.
begin_front() {
    plain_port=$(free_port)
    second_front 's|^http {|&\n    set_real_ip_from 127.0.0.1;\n    real_ip_header X-Forwarded-For;|' "    server {
        listen 127.0.0.1:$plain_port;
        client_max_body_size 8m;
        client_body_buffer_size 8m;
        location / { proxy_pass http://la_rw; proxy_http_version 1.1; proxy_set_header Connection \"\"; }
    }"
    postgres=$(head -n 1 "$LA_STATE/pg/postmaster.pid")
    postgrest=$({ as_server find /proc -maxdepth 2 -name cwd -lname "$LA_STATE/home/rw" -printf '%f %h\n' 2>/dev/null || true; } | sed -n '1s|.*/proc/||p')
    until [ "$(curl -s -o /dev/null -w '%{http_code}' -d '[]' -H 'Content-Type: application/json' "http://127.0.0.1:$plain_port/plain")" = 201 ]; do sleep 0.2; done
}

# The same events by HTTP while the worker folds them: how far behind it is at the end, and for how long.
part_caught_up() {
    local key begun behind
    said "making $events events for HTTP and the fold"
    sql -o /dev/null <<SQL
SELECT bench.make_stream('fold', $events, true);
ANALYZE bench.stream;
SELECT bench.make_batches('fold', $events, 0, '{"1000": 1}', $connections);
CREATE TABLE bench.caught (events bigint, posted float8, behind bigint, after float8);
UPDATE leadanalytics.unit SET enabled = true WHERE name = 'fold';
SQL
    key=$(sql -Atc "SELECT leadanalytics.create_key($workspace, 'admin', per_minute => 0)")
    # what the rounds before have left
    until [ "$(unfolded)" = 0 ]; do sleep 0.2; done
    sql -c "\copy (SELECT host(ip), user_agent, body FROM bench.batch WHERE kind = 'fold' ORDER BY k) TO '$front/body'"
    begun=$(date +%s.%N)
    perl "$here/post.pl" "$front_port" /api/v1/track "$connections" "$front/body" '^HTTP/1.1 200 .*"rejected":\[\]' "nginx=$front_nginx postgrest=$postgrest postgres=$postgres" "Authorization: Bearer $key" >/dev/null
    behind=$(unfolded)
    sql -c "INSERT INTO bench.caught SELECT sum(n), extract(epoch FROM clock_timestamp()) - $begun, $behind FROM bench.batch WHERE kind = 'fold'"
    until [ "$(unfolded)" = 0 ]; do sleep 0.05; done
    sql -c "UPDATE bench.caught SET after = extract(epoch FROM clock_timestamp()) - $begun - posted" \
        -c "UPDATE leadanalytics.unit SET enabled = false WHERE name = 'fold'"
}
unfolded() { sql -Atc "SELECT coalesce(sum(n), 0) FROM leadanalytics.ledger WHERE workspace = $workspace"; }

part_small() {
    local sites=10000 way round part last
    [ "$events" -ge 200000 ] || sites=$((events / 20))
    for way in one many; do
        said "making $([ $way = one ] && echo 'one workspace' || echo "$sites workspaces") and batches of 10"
        db -d postgres -c "CREATE DATABASE bench_$way TEMPLATE template0 ENCODING 'UTF8'"
        db -d "bench_$way" -c 'CREATE EXTENSION leadanalytics'
        begin_database "bench_$way"
        db -d "bench_$way" -o /dev/null -v sites="$sites" -c "SELECT bench.make_stream('small', $events, false)" -f "$here/small.sql" \
            -c "INSERT INTO leadanalytics.workspace (slug, name) SELECT 'w' || n, 'w' FROM generate_series(1, $([ $way = one ] && echo 1 || echo "$sites")) AS n" \
            -c 'SELECT leadanalytics.start()' -c 'VACUUM ANALYZE'
    done
    for part in 1 2; do
        last=$(db -d bench_one -Atc "SELECT coalesce(max(k), 0) FROM bench.batch WHERE round = $part")
        for ((round = 1; round <= rounds; round++)); do
            said "small workspaces: part $part of 2, round $round of $rounds"
            for way in one many; do
                db -d "bench_$way" <<SQL
SELECT array_agg(id ORDER BY id) AS workspaces FROM leadanalytics.workspace WHERE slug ~ '^w[0-9]+$' \gset
CALL bench.run_track('$way', 'small', $part, 10, :'workspaces', $((last * (round - 1) / rounds + 1)), $((last * round / rounds)));
SQL
            done
        done
    done
    for way in one many; do
        db -d "bench_$way" <<SQL
SELECT max(now) + interval '1 day' AS later FROM bench.batch \gset
CALL bench.run_units('$way', :'later', $((events / 50000 + 2)));
SQL
        db -d "bench_$way" -c "COPY (SELECT way || CASE WHEN size = 10 THEN ' ' || round ELSE '' END, size, 1, events, cpu_us, wall_us, note FROM bench.figure) TO STDOUT" | sql -c 'COPY bench.figure FROM STDIN'
    done
}

if perl "$here/geo.pl" "$geo" 2>"$front/geo.log"; then
    [ "$(id -u)" -ne 0 ] || chown -R postgres "$geo"
    for file in city asn anonymous; do
        sql -c "ALTER SYSTEM SET leadanalytics.geo_$file = '$geo/$file.mmdb'"
    done
    sql -o /dev/null -c 'SELECT pg_reload_conf()'
    with_geo='geo files of 4 096 networks'
else
    with_geo='no geo files: libmaxmind-db-writer-perl is missing'
fi
workspace=$(sql -Atc "SELECT leadanalytics.create_workspace('bench', 'bench')")
begin_database leadanalytics
part_sql
part_bytes
part_http
part_caught_up
part_small
sql -v events="$events" -v seed="$seed" -v rounds="$rounds" -v geo="$with_geo" -v connections="$connections" -f "$here/report.sql"
