# shellcheck shell=bash
# check and bench: on a state directory, servers and a port of their own, removed at the end however it
# comes. A part is a kind of test; what counts is each single test in it.

passed=0 failed=0 skipped=0

# The state directory is thrown away, so it must be new.
make_own_state() {
    local dir=$state
    if [ -z "$dir" ]; then
        dir=$(mktemp -d "${TMPDIR:-/tmp}/leadanalytics-$command.XXXXXX")
        chmod 755 "$dir"
    fi
    place_state "$dir"
    if [ -d "$state" ] && [ -n "$(ls -A -- "$state")" ]; then
        fail "$state is not empty: $command deletes its state directory at the end" "name a new one: --state-dir DIR"
    fi
    at_exit remove_own_state
    make_state
    tests=$state/test
    if [ -z "$port" ]; then find_free_port; fi
}

find_free_port() {
    for port in $(shuf -i 20000-29999 -n 50); do
        listening || return 0
    done
    fail "no free port found between 20000 and 29999" "name one: --port N"
}

remove_own_state() {
    [ -e "$mark" ] || return 0
    (stop_servers) || true
    # Interrupted (run_undo has the status): nobody waits for the logs.
    if [ "$failed" -gt 0 ] || { [ -n "${keep_logs-}" ] && [ "${status-0}" -le 128 ]; }; then
        find "$state" -mindepth 1 -maxdepth 1 ! -name log -exec rm -rf -- {} +
        say "logs: $logs"
    else
        rm -rf -- "$state"
    fi
}

# Ourselves on the state directory of the check.
self() { "$source_dir/leadanalytics" "$1" --state-dir "$state" --port "$port" 9>&-; }

export_test_environment() {
    PATH=$pgbin:$PATH
    export LA_URL LA_STATE=$state LA_SOCKET=$run LA_PORT=$port LA_KEYS=$keys LA_LONG=${long:-} LA_SOURCE=$source_dir \
        LA_COMMAND=$source_dir/leadanalytics PGHOST=$run PGUSER=postgres PGDATABASE=$database
    LA_URL=$(url)
}

cmd_check() {
    export LEADANALYTICS_CHECK=1 # build.sh: warnings are errors; postgres.sh: no fsync
    need_packages < <(packages_up; packages_check)
    make_own_state
    keep_logs=1 # until it is known that all went well
    part build part_build
    if [ "$failed" -eq 0 ]; then
        part lint part_lint
        part servers part_servers
    fi
    if [ -x "$postgrest" ] && main_pid nginx >/dev/null; then
        export_test_environment
        copy_sources "$tests"
        if is_root; then chown -R "$server_user:" "$tests"; fi
        part regress part_regress
        part isolation part_isolation
        part pgtap part_pgtap
        for kind in $(perl_parts); do
            part "$kind" part_tap "$kind"
        done
    fi
    [ "$failed" -gt 0 ] || [ "$passed" -eq 0 ] || keep_logs=''
    remove_own_state
    say "$passed passed, $failed failed$([ "$skipped" -eq 0 ] || echo ", $skipped skipped")"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# part NAME FUNCTION...: run it with $log its log, say what it added and how long it took.
part() {
    local name=$1 before_passed=$passed before_failed=$failed before_skipped=$skipped begun=$EPOCHREALTIME took
    shift
    log=$logs/check-$name.log
    : >"$log"
    step "$name"
    "$@"
    took=$(((${EPOCHREALTIME/[.,]/} - ${begun/[.,]/}) / 100000))
    if [ "$passed$failed$skipped" = "$before_passed$before_failed$before_skipped" ]; then
        printf '%-10s none\n' "$name"
        return 0
    fi
    printf '%-10s %4d passed %3d failed %s %7s s\n' "$name" $((passed - before_passed)) $((failed - before_failed)) \
        "$([ "$skipped" -eq "$before_skipped" ] || printf '%3d skipped' $((skipped - before_skipped)))" \
        "$((took / 10)).$((took % 10))"
}

pass() { passed=$((passed + 1)); }
miss() { failed=$((failed + 1)); printf '  FAILED %s\n' "$1"; }

part_build() {
    if self build >"$log" 2>&1 && ! grep -qi 'warning:' "$logs/build.log"; then
        pass
    else
        miss "the build, see below"
        tail -n 30 "$log" | sed 's/^/  | /'
    fi
}

# A lint is a script that says what is wrong and fails; 77: what it needs is not installed.
part_lint() {
    local script status
    for script in "$source_dir"/test/lint/*.sh; do
        [ -f "$script" ] || continue
        status=0
        echo "== ${script##*/}" >>"$log"
        (cd -- "$source_dir" && bash "$script") >"$log.one" 2>&1 </dev/null || status=$?
        cat "$log.one" >>"$log"
        case $status in
            0) pass ;;
            77) skipped=$((skipped + 1)) ;;
            *) miss "lint ${script##*/}"; tail -n 20 "$log.one" | sed 's/^/  | /' ;;
        esac
    done
    rm -f -- "$log.one"
}

part_servers() {
    if self up >"$log" 2>&1 && self status >>"$log" 2>&1; then
        pass
    else
        miss "up, see below"
        tail -n 20 "$log" | sed 's/^/  | /'
    fi
}

# pg_regress does not run as root.
installcheck() {
    local status=0 line bad=0
    as_server env PGHOST="$run" PGUSER=postgres PATH="$PATH" \
        make -s -C "$tests" PG_CONFIG="$pg_config" with_llvm=no installcheck "$@" >"$log" 2>&1 </dev/null || status=$?
    while read -r line; do
        case $line in
            *' ... ok '*) pass ;;
            *' ... '*) miss "${line%% ...*}"; bad=1 ;;
        esac
    done < <(grep -E '^(test)? +[^ ]+ +\.\.\. ' "$log")
    if [ "$status" -ne 0 ]; then
        [ "$bad" -eq 1 ] || { miss "make installcheck"; tail -n 5 "$log" | sed 's/^/  | /'; }
        keep_diffs
    fi
}

keep_diffs() {
    local diffs
    for diffs in "$tests"/regression.diffs "$tests"/output_iso/regression.diffs "$tests"/test/isolation/output_iso/regression.diffs; do
        [ -s "$diffs" ] || continue
        cp -- "$diffs" "${log%.log}.diffs"
        head -n 60 "$diffs" | sed 's/^/  | /'
    done
}

part_regress() { ! compgen -G "$tests/sql/*.sql" >/dev/null || installcheck ISOLATION=; }
part_isolation() { ! compgen -G "$tests/test/isolation/specs/*.spec" >/dev/null || installcheck REGRESS=; }

part_pgtap() {
    local file
    compgen -G "$tests/test/pgtap/*.sql" >/dev/null || return 0
    if ! {
        sql_database=postgres sql -c 'DROP DATABASE IF EXISTS pgtap' -c "CREATE DATABASE pgtap TEMPLATE template0 ENCODING 'UTF8'"
        sql_database=pgtap sql -c 'CREATE EXTENSION leadanalytics' -c 'CREATE EXTENSION pgtap' -c 'SELECT leadanalytics.start()'
    } >>"$log" 2>&1; then
        miss "the database for pgTAP: $(tail -n 1 "$log")"
        return 0
    fi
    for file in "$tests"/test/pgtap/*.sql; do
        tap "$file" pg_prove -v -h "$run" -U postgres -d pgtap "$file"
    done
}

# Tests in Perl run as the caller: some start and stop servers with the command.
# Every folder of test/ with Perl tests is a part. The last two kill and stop servers.
perl_parts() {
    local file kinds=()
    for file in "$source_dir"/test/*/*.t; do
        file=${file%/*}
        kinds+=("${file##*/}")
    done
    printf '%s\n' "${kinds[@]}" | sort -u | grep -vx -e fault -e command || true
    printf '%s\n' fault command
}

part_tap() {
    local file
    for file in "$source_dir/test/$1"/*.t; do
        [ ! -f "$file" ] || tap "$file" prove -v -I "$source_dir/test/lib" "$file"
    done
}

# tap FILE COMMAND...: count its lines; a file that dies without a failed test is one failure.
tap() {
    local file=$1 name=${1##*/test/} status=0 line bad=0
    shift
    echo "== $name" >>"$log"
    "$@" >"$log.one" 2>&1 </dev/null || status=$?
    cat "$log.one" >>"$log"
    while read -r line; do
        case $line in
            *'# SKIP'* | *'# skip'* | *'# TODO'* | *'# todo'*) skipped=$((skipped + 1)) ;;
            ok*) pass ;;
            *) miss "$name: $line"; bad=1 ;;
        esac
    done < <(grep -E '^(not )?ok [0-9]' "$log.one")
    if [ "$status" -ne 0 ]; then
        [ "$bad" -eq 1 ] || miss "$name ends badly"
        # what failed inside subtests, and why
        grep -E '^ *(not ok|#)|^[^ ]+ at .* line|Dubious|Parse errors|psql:' "$log.one" | grep -v '# Subtest' | tail -n 30 | sed 's/^/  | /'
    fi
    rm -f -- "$log.one"
}

cmd_bench() {
    local script=$source_dir/test/bench/${arguments[0]}.sh status=0
    if ! [[ ${arguments[0]} =~ ^[A-Za-z0-9_-]+$ ]] || [ ! -f "$script" ]; then
        fail "no benchmark \"${arguments[0]}\"" "there are: $(cd -- "$source_dir/test/bench" 2>/dev/null && printf '%s ' *.sh | sed 's/\.sh\b//g')"
    fi
    need_packages < <(packages_up; packages_bench)
    make_own_state
    keep_logs=1
    self up >"$logs/bench-up.log" || fail "the servers for the benchmark do not start" "log: $logs/bench-up.log"
    export_test_environment
    LA_BENCH_EVENTS=${bench_events:-${LA_BENCH_EVENTS-}} LA_BENCH_PEERS=$peers bash "$script" || status=$?
    [ "$status" -ne 0 ] || keep_logs=''
    return "$status"
}
