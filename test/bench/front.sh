# shellcheck shell=bash
# Sourced by the benchmarks that ask over HTTP: a second nginx like the first, and how requests are timed.
front=$LA_STATE/bench-front

free_port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'; }
as_server() { if [ "$(id -u)" -eq 0 ]; then setpriv --reuid postgres --regid postgres --clear-groups "$@"; else "$@"; fi; }

# second_front EDIT [SERVER]: an nginx with the same configuration on a port of its own (front_port), edited by sed; SERVER is
# one more server block. It ends with the benchmark.
second_front() {
    mkdir -p "$front"/{run,log,home}
    front_port=$(free_port)
    sed -e "s|127\.0\.0\.1:$LA_PORT|127.0.0.1:$front_port|" -e "s|pid \".*\"|pid \"$front/run/nginx.pid\"|" \
        -e "s|_log \".*/\([a-z]*\.log\)\"|_log \"$front/log/\1\"|" -e "s|_temp_path \".*/\([a-z]*\)\"|_temp_path \"$front/home/\1\"|" \
        -e "$1" "$LA_STATE/etc/nginx.conf" | sed '$d' >"$front/nginx.conf"
    printf '%s\n}\n' "${2-}" >>"$front/nginx.conf"
    cp "$LA_STATE"/etc/nginx-*.conf "$front/"
    [ "$(id -u)" -ne 0 ] || chown -R postgres "$front"
    as_server nginx -e "$front/log/nginx.log" -c "$front/nginx.conf"
    front_nginx=$(cat "$front/run/nginx.pid")
    trap 'kill "$front_nginx"' EXIT
}

# start_nothing [SERVER]: requests to it end in a function that returns {}, past the door.
start_nothing() {
    psql -h "$LA_SOCKET" -U postgres -d leadanalytics -X -q -o /dev/null <<'SQL'
CREATE FUNCTION leadanalytics_door.nothing(bytea) RETURNS leadanalytics_door."*/*" LANGUAGE sql STABLE
    AS $$ SELECT '{}'::leadanalytics_door."*/*" $$;
GRANT EXECUTE ON FUNCTION leadanalytics_door.nothing(bytea) TO leadanalytics_anon;
NOTIFY pgrst, 'reload schema';
SQL
    second_front 's|handle_$la_side?|nothing?|' "${1-}"
    until curl -fsS "http://127.0.0.1:$front_port/" >/dev/null 2>&1; do sleep 0.2; done
}

# ask NAME URL CONNECTIONS SECONDS [HEADER]: "NAME requests/s p50 p99", or the end of the run when not all are answered well.
ask() {
    local out
    out=$(wrk -t"$(($3 > 1 ? 2 : 1))" -c"$3" -d"$4s" --timeout 30s --latency ${5:+-H "$5"} "$2")
    ! grep -q 'Non-2xx\|Socket errors' <<<"$out" || { echo "$1 does not answer 200: $2" >&2; exit 1; }
    awk -v name="$1" '/50%/ {p50 = $2} /99%/ {p99 = $2} /Requests\/sec/ {print name, $2, p50, p99}' <<<"$out"
}
