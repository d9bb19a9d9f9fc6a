# shellcheck shell=bash
# PostgREST and nginx: configured from the templates in src/http, started, and asked until they answer.

# True when something changed.
configure_postgrest() {
    render "$source_dir/src/http/postgrest.conf" SIDE "$1" RUN "$run" | write_if_changed "$etc/postgrest-$1.conf"
}

start_postgrest() {
    local changed=''
    configure_postgrest "$1" && changed=1
    if [ -n "$(postgrest_pids "$1")" ]; then
        if [ -z "$changed$schema_changed" ] && [ -S "$run/$1.sock" ]; then return 0; fi
        stop_postgrest "$1"
    fi
    rm -f -- "$run/$1.sock"
    in_home "$1" setsid -f "$postgrest" "$etc/postgrest-$1.conf" >>"$logs/postgrest-$1.log" 2>&1 </dev/null 9>&-
}

# in_home NAME COMMAND...: as the servers' user, in the directory that makes the process ours.
in_home() {
    local home=$homes/$1
    shift
    as_server bash -c 'cd -- "$1" && shift && exec "$@"' in_home "$home" "$@"
}

configure_nginx() {
    local file changed=''
    for file in nginx nginx-door nginx-said; do
        render "$source_dir/src/http/$file.conf" RUN "$run" LOGS "$logs" HOME "$homes/nginx" PORT "$port" |
            write_if_changed "$etc/$file.conf" && changed=1
    done
    [ -n "$changed" ]
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

# Nothing is begun when the port is somebody else's.
check_port() {
    if [ "$port" -lt 1024 ] && [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start 2>/dev/null || echo 1024)" -gt "$port" ]; then
        fail "port $port is for root, and no server runs as root here" "choose one from 1024: leadanalytics up --port 8080"
    fi
    if listening && ! is_our_port; then
        fail "port $port is in use by another program" "choose another: leadanalytics up --port $((port < 65535 ? port + 1 : port - 1))"
    fi
}

is_our_port() {
    [ -d "$homes/nginx" ] && [ -n "$(nginx_pids)" ] && grep -q "listen 127\.0\.0\.1:$port " "$etc/nginx.conf" 2>/dev/null
}

start_nginx() {
    local changed=''
    configure_nginx && changed=1
    if [ -z "$changed" ] && main_pid nginx >/dev/null && listening; then return 0; fi
    stop_nginx # also workers that outlived their master: they hold the port
    logged "$logs/nginx-start.log" "nginx does not start" "If port $port is taken: leadanalytics up --port N" \
        in_home nginx env TZ=UTC nginx -p "$homes/nginx/" -e "$logs/nginx.log" -c "$etc/nginx.conf" 9>&-
}

url() { echo "http://127.0.0.1:$port"; }

healthy() { [ "$(curl -s -m 5 -o /dev/null -w '%{http_code}' "$(url)/healthz" 2>/dev/null || true)" = 200 ]; }

# PostgREST tries PostgreSQL again after 1, 2, 4 … 32 s.
wait_until_healthy() {
    local i
    for ((i = 0; i < 400; i++)); do
        ! healthy || return 0
        [ "$i" -ne 20 ] || step "waiting for $(url)/healthz"
        sleep 0.1
    done
    curl -s -m 5 -i "$(url)/healthz" 2>&1 | sed 's/^/  | /' >&2 || true
    fail "$(url)/healthz does not answer 200" "logs: $logs/postgrest-ro.log, $logs/nginx.log, $logs/postgresql-*.log"
}
