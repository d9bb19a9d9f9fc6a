#!/bin/bash
# What each endpoint of the public family costs at ten million events, in the database and over HTTP, in one run; see README.md.
#
#   dataset   as bench engine has it (--events), folded; conversions, tags, people with e-mail addresses, a year of ad figures
#   sql       the endpoint's function, warm, the median of LA_BENCH_ROUNDS (11) calls in one session
#   http      the same question over HTTP, one connection: the median of LA_BENCH_SECONDS (2) seconds
#   nothing   a function that returns {} behind the same front, asked as often
#
# Nothing is asserted. Run by ./leadanalytics bench public, which starts the servers and sets LA_*.
set -euo pipefail
each=${LA_BENCH_SECONDS:-2}
. "${BASH_SOURCE%/*}/dataset.sh"
. "${BASH_SOURCE%/*}/front.sh"
# Over HTTP it is always now: the dataset ends soon.
ends=$(date -u -d "@$(($(date +%s) / 3600 * 3600 + 3600))" +%FT%TZ)

part_more() {
    said "what the public family asks beside"
    sql -o /dev/null -v events="$events" -f "$here/../public/dataset.sql"
    sql -o /dev/null -f "$here/../public/endpoints.sql"
}

part_sql() {
    said "in the database"
    sql -At <<SQL
SELECT format('CALL bench.measure(%L, ''sql'', ARRAY[%L], $rounds)', name, call) FROM bench.endpoint ORDER BY place \gexec
SQL
}

part_http() {
    local key name path
    said "over HTTP"
    key=$(sql -Atc "SELECT leadanalytics.create_key(workspace, 'agent', per_minute => 0) FROM bench.fact")
    start_nothing
    sql -c 'CREATE TABLE bench.http (name text, rate float8, half text, most text)'
    while IFS=$'\t' read -r name path; do
        time_http "$name" "$LA_URL$path" "$each" "Authorization: Bearer $key"
        time_http nothing "http://127.0.0.1:$front_port$path" 1
    done < <(sql -At -F $'\t' -c 'SELECT name, path FROM bench.endpoint ORDER BY place')
}

time_http() { # NAME URL SECONDS [HEADER]
    local said rate half most
    said=$(ask - "$2" 1 "$3" "${4-}")
    read -r _ rate half most <<<"$said"
    sql -v name="$1" -v rate="$rate" -v half="$half" -v most="$most" <<<"INSERT INTO bench.http VALUES (:'name', :rate, :'half', :'most')"
}

part_dataset
part_fold
part_more
part_sql
part_http
sql -v seed="$seed" -v rounds="$rounds" -f "$here/../public/report.sql"
