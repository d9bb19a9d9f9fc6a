# shellcheck shell=bash
# Finding and stopping our processes. Each server works in a directory of its own in the state directory;
# the kernel tells (/proc/PID/cwd), also after a kill -9, a lost pid file or a pid used again.

# pids PROGRAM DIRECTORY
pids() {
    local found
    # As the servers' user: root in a container may not look into other users' processes.
    for found in $(as_server find /proc -maxdepth 2 -name cwd \( -lname "$2" -o -lname "$2 (deleted)" \) \
        -printf '%h\n' 2>/dev/null); do
        # shellcheck disable=SC2015 # the process may be gone between the two
        [ "$(cat "$found/comm" 2>/dev/null || true)" != "$1" ] || echo "${found#/proc/}"
    done
}

postgres_pids() { pids postgres "$pg"; }
postgrest_pids() { pids postgrest "$homes/$1"; }
nginx_pids() { pids nginx "$homes/nginx"; }

server_pids() {
    case $1 in
        postgresql) postgres_pids ;;
        postgrest-*) postgrest_pids "${1#postgrest-}" ;;
        nginx) nginx_pids ;;
    esac
}

# The master among a server's processes: the one its pid file names, if that one is ours. Children that
# outlive a killed master are no server.
main_pid() {
    local all pid=''
    all=$(server_pids "$1")
    case $1 in
        postgresql) pid=$(head -n 1 "$pg/postmaster.pid" 2>/dev/null || true) ;;
        nginx) pid=$(cat "$run/nginx.pid" 2>/dev/null || true) ;;
        *) pid=${all%%$'\n'*} ;;
    esac
    [ -n "$pid" ] && [[ $'\n'$all$'\n' == *$'\n'"$pid"$'\n'* ]] && echo "$pid"
}

# signal NAME SERVER: to all of its processes
signal() {
    local all
    all=$(server_pids "$2")
    # shellcheck disable=SC2086 # a list
    [ -z "$all" ] || kill -s "$1" $all 2>/dev/null || true
}

# gone SERVER TENTHS: wait until none of it is left
gone() {
    local i
    for ((i = 0; i < $2; i++)); do
        [ -n "$(server_pids "$1")" ] || return 0
        sleep 0.1
    done
    return 1
}

stop_postgrest() {
    signal TERM "postgrest-$1"
    gone "postgrest-$1" 50 || { signal KILL "postgrest-$1"; gone "postgrest-$1" 50; } ||
        fail "PostgREST $1 does not stop" "its processes: $(postgrest_pids "$1" | tr '\n' ' ')"
    rm -f -- "$run/$1.sock"
}

stop_nginx() {
    signal TERM nginx
    gone nginx 50 || { signal KILL nginx; gone nginx 50; } ||
        fail "nginx does not stop" "its processes: $(nginx_pids | tr '\n' ' ')"
}

stop_postgres() {
    [ -n "$(postgres_pids)" ] || return 0
    if main_pid postgresql >/dev/null; then
        as_server "$pgbin/pg_ctl" -D "$pg" -m fast -t 60 -s stop >/dev/null 2>&1 ||
            as_server "$pgbin/pg_ctl" -D "$pg" -m immediate -t 30 -s stop >/dev/null 2>&1 || true
    fi
    # What is left has no master: it ends by itself, or is told to.
    gone postgresql 50 || { signal QUIT postgresql; gone postgresql 50; } || { signal KILL postgresql; gone postgresql 50; } ||
        fail "PostgreSQL does not stop" "its processes: $(postgres_pids | tr '\n' ' ')"
}

stop_servers() {
    stop_nginx
    stop_postgrest ro
    stop_postgrest rw
    stop_postgres
}
