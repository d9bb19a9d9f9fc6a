# shellcheck shell=bash
# up, down, status, psql, reset.

# Two commands at once on one state directory wait for each other. The lock is file descriptor 9, which
# no server inherits.
lock_state() {
    exec 9>"$state/lock"
    if ! flock -n 9; then
        step "waiting for another leadanalytics command on $state"
        flock -w 600 9 || fail "another leadanalytics command still works on $state" "lock: $state/lock"
    fi
}

make_state() {
    local dir
    if [ -d "$state" ] && [ ! -e "$mark" ] && [ -n "$(ls -A -- "$state")" ]; then
        fail "$state is not empty and not ours" "choose another: --state-dir DIR"
    fi
    mkdir -p -- "$state" || fail "cannot make $state" "choose another: --state-dir DIR"
    : >"$mark"
    mkdir -p -- "$etc" "$homes" "$run" "$logs"
}

# After the packages: they bring the servers' user.
own_state() {
    local dir
    mkdir -p -- "$homes/ro" "$homes/rw" "$homes/nginx"
    if is_root; then
        chown "$server_user:" "$run" "$logs" "$homes" "$homes/ro" "$homes/rw" "$homes/nginx"
        as_server test -x "$state" ||
            fail "user $server_user cannot enter $state" "a directory above it is closed; choose another: --state-dir DIR"
    fi
    chmod 750 "$run" "$logs" "$homes"
}

cmd_up() {
    schema_changed=''
    choose_port
    make_state
    lock_state
    check_port
    echo "$port" >"$etc/port"
    need_packages < <(packages_up)
    own_state
    need_postgrest
    build_extension
    install_extension
    make_cluster
    start_postgres
    prepare_database
    start_postgrest ro
    start_postgrest rw
    start_nginx
    wait_until_healthy
    make_demo
    greet
}

# A workspace to try, once: with a key of each kind that has a use by itself, some events and two campaigns.
make_demo() {
    [ -s "$keys" ] || {
        step "making the workspace demo"
        (umask 077 && : >"$keys.new")
        sql -1 -F " " -f "$source_dir/src/command/demo.sql" >"$keys.new" 2>"$logs/demo.log" ||
            fail "the demo workspace cannot be made" "log: $logs/demo.log" "$(tail -n 3 "$logs/demo.log")"
        mv -f -- "$keys.new" "$keys"
    }
}

# key ROLE
key() { sed -n "s/^$1 //p" "$keys"; }

greet() {
    local base self=leadanalytics where=''
    base=$(url)
    [ "$state" = "$(default_state)" ] || where=" --state-dir '$state'"
    case $PWD in "$source_dir") self=./leadanalytics ;; *) self="'$source_dir/leadanalytics'" ;; esac
    say "leadanalytics answers at $base"
    say ''
    say 'Keys of the workspace demo:'
    sed 's/^/  /' "$keys"
    say ''
    say 'Send an event, ask a question:'
    say "  curl -s $base/api/v1/track -H 'Authorization: Bearer $(key sdk)' -H 'Content-Type: application/json' \\"
    say "    -d '{\"event_name\":\"page_view\",\"visitor_id\":\"me\",\"event_data\":{\"url\":\"https://demo.example/pricing\"}}'"
    say "  curl -s $base/analytics/overview -H 'Authorization: Bearer $(key admin)'"
    say "  curl -s $base/api/v1/workspaces/demo/analytics/overview -H 'Authorization: Bearer $(key tenant)'"
    say "  curl -s $base/v1/analytics/funnel -H 'X-API-Key: $(key live)'"
    say ''
    say "SQL:   $self psql$where -c \"SELECT leadanalytics.overview((SELECT id FROM leadanalytics.workspace WHERE slug = 'demo'))\""
    say "Logs:  $logs"
    say "Stop:  $self down$where"
}

cmd_down() {
    [ -e "$mark" ] || { say "nothing of ours in $state"; return 0; }
    lock_state
    stop_servers
    say "stopped; the data stays in $state"
}

cmd_reset() {
    local answer
    [ -e "$mark" ] || { say "nothing of ours in $state"; return 0; }
    if [ -z "$yes" ]; then
        [ -t 0 ] || fail "reset deletes all data in $state" "say so: leadanalytics reset --yes"
        read -r -p "Delete all data in $state? [y/N] " answer
        [[ $answer == [yY]* ]] || { say 'nothing deleted'; return 1; }
    fi
    lock_state
    stop_servers
    rm -rf -- "$state"
    say "deleted $state"
}

cmd_status() {
    local server pid bad='' told
    [ -e "$mark" ] || { say "not set up: $state does not exist"; say 'Start it: leadanalytics up'; return 1; }
    choose_port
    for server in postgresql postgrest-ro postgrest-rw nginx; do
        if pid=$(main_pid "$server"); then
            printf '%-13s up    pid %-8s %s\n' "$server" "$pid" "$(place_of "$server")"
        else
            printf '%-13s down\n' "$server"
            bad=1
        fi
    done
    if healthy; then
        printf '%-13s ok    %s\n' healthz "$(url)/healthz"
    else
        printf '%-13s bad   %s\n' healthz "$(url)/healthz"
        bad=1
    fi
    say ''
    if told=$("$pgbin/psql" -X -q -h "$run" -U postgres -d "$database" -P footer=off \
        -c 'SELECT * FROM leadanalytics.status()' 2>&1); then
        say "$told"
    else
        say 'leadanalytics.status() cannot be asked:'
        say "$told"
        bad=1
    fi
    say ''
    say "data:  $pg"
    say "logs:  $logs"
    say "keys:  $keys"
    if [ -n "$bad" ]; then
        say 'Bring back what is down: leadanalytics up'
        return 1
    fi
}

place_of() {
    case $1 in
        postgresql) echo "$run/.s.PGSQL.5432" ;;
        postgrest-*) echo "$run/${1#postgrest-}.sock" ;;
        nginx) url ;;
    esac
}

cmd_psql() {
    [ -e "$mark" ] || fail "not set up: $state does not exist" "start it: leadanalytics up"
    exec "$pgbin/psql" -h "$run" -U postgres -d "$database" "$@"
}
