#!/bin/bash
# What the door costs: request rates of five ways to ask, in one run and in turn, behind the same nginx.
#
#   nothing    a function that returns {} behind the same front: nginx, PostgREST, transaction, no door
#   health     the door's smallest route
#   overview   /analytics/overview of the workspace bench: 2 000 events, so that its SQL does not hide the rest
#   rpc        the same function as PostgREST's own rpc, typed arguments, no door
#   sql        the same function called in the database (pgbench, one statement, prepared)
#
# Read the ratios: the machine's speed drifts, so each round asks all of them, and medians are shown.
# Run by ./leadanalytics bench door, which starts the servers and sets LA_*.
set -euo pipefail
rounds=${LA_BENCH_ROUNDS:-5}
seconds=${LA_BENCH_SECONDS:-4}
connections=8
database=(-h "$LA_SOCKET" -U postgres -d leadanalytics -X -q)
. "${BASH_SOURCE%/*}/front.sh"

workspace=$(psql "${database[@]}" -At <<'SQL'
SELECT leadanalytics.create_workspace('bench', 'bench') AS id \gset
SELECT leadanalytics.track(:id, json_build_object('events', json_agg(json_build_object(
    'event_name', 'page_view', 'visitor_id', 'v' || n % 200, 'timestamp', now() - n * interval '1 second',
    'event_data', json_build_object('url', 'https://bench.example/' || n % 100)))))
FROM generate_series(1, 2000) AS n GROUP BY n / 1000 \g /dev/null
SELECT :id;
SQL
)
key=$(psql "${database[@]}" -Atc "SELECT leadanalytics.create_key($workspace, 'admin', per_minute => 0)")

# Without the door, the role that asks must be one that may.
psql "${database[@]}" -o /dev/null -v workspace="$workspace" <<'SQL'
SELECT leadanalytics.grant_workspace(:workspace, 'leadanalytics_anon');
CREATE FUNCTION leadanalytics_door.overview(workspace int) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER
    AS $$ SELECT leadanalytics.overview(workspace) $$;
GRANT EXECUTE ON FUNCTION leadanalytics_door.overview(int) TO leadanalytics_anon;
SQL

rpc_port=$(free_port)
start_nothing "    server {
        listen 127.0.0.1:$rpc_port;
        location / { proxy_pass http://la_ro; proxy_http_version 1.1; proxy_set_header Connection \"\"; }
    }"

sql_rate() {
    echo "SELECT leadanalytics.overview($workspace);" >"$front/overview.sql"
    pgbench -h "$LA_SOCKET" -U postgres -n -M prepared -c "$connections" -j 2 -T "$seconds" -f "$front/overview.sql" leadanalytics 2>/dev/null |
        awk '/^tps/ {tps = $3} /latency average/ {avg = $4 "ms"} END {print "sql", tps, avg, "-"}'
}
until curl -fsS "http://127.0.0.1:$rpc_port/rpc/overview?workspace=$workspace" >/dev/null 2>&1; do sleep 0.2; done

for ((round = 0; round <= rounds; round++)); do # the first one warms up
    {
        ask nothing "http://127.0.0.1:$front_port/" $connections "$seconds"
        ask health "$LA_URL/healthz" $connections "$seconds"
        ask overview "$LA_URL/analytics/overview" $connections "$seconds" "Authorization: Bearer $key"
        ask rpc "http://127.0.0.1:$rpc_port/rpc/overview?workspace=$workspace" $connections "$seconds"
        sql_rate
    } | if [ "$round" -eq 0 ]; then cat >/dev/null; else cat; fi
    echo "… round $round of $rounds" >&2
done | sort -k1,1 -k2,2n | awk -v rounds="$rounds" '
    { n[$1]++; rate[$1, n[$1]] = $2; half[$1, n[$1]] = $3; tail[$1, n[$1]] = $4 }
    END {
        middle = int((rounds + 1) / 2); nothing = rate["nothing", middle]
        printf "%-10s %10s %10s %10s %10s\n", "way", "requests/s", "× nothing", "p50", "p99"
        split("nothing health overview rpc sql", order, " ")
        for (i = 1; i <= 5; i++) {
            way = order[i]
            printf "%-10s %10.0f %10.2f %10s %10s\n", way, rate[way, middle], rate[way, middle] / nothing, half[way, middle], tail[way, middle]
        }
        # time of one request on all cores: 1/rate. What HTTP adds to SQL beyond a request that does nothing.
        more = (1 / rate["overview", middle] - 1 / rate["sql", middle] - 1 / nothing) * nothing
        printf "\noverview over HTTP costs its SQL, a do-nothing request, and %.0f %% of one more (bar: 25 %%)\n", 100 * more
    }'
