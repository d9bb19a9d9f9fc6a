# shellcheck shell=bash
# Our own PostgreSQL cluster: made, configured, started, and the extension in it.

database=leadanalytics

sql() {
    psql_words
    "${psql[@]}" "$@"
}

# The same as words, for a program that runs it.
psql_words() {
    psql=("$pgbin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$run" -U postgres -d "${sql_database:-$database}")
}

make_cluster() {
    [ ! -f "$pg/PG_VERSION" ] || return 0
    step "making a PostgreSQL cluster"
    as_server rm -rf -- "$homes/pg.new"
    logged "$logs/initdb.log" "the cluster cannot be made" "See the log; is the disk full?" \
        as_server "$pgbin/initdb" -D "$homes/pg.new" -U postgres -E UTF8 --locale=C.UTF-8 --data-checksums \
        --auth=peer --no-instructions
    # A half-made cluster never gets its final name.
    if is_root; then mv -T -- "$homes/pg.new" "$pg"; else mv -T -- "$homes/pg.new" "$pg"; fi
}

# Peer authentication: the kernel says who connects. Root could become the servers' user anyway.
configure_postgres() {
    local changed='' user mapping=''
    for user in "$server_user" root; do
        case $mapping in *"\"$user\""*) continue ;; esac
        mapping+="leadanalytics \"$user\" postgres"$'\n'"leadanalytics \"$user\" leadanalytics_authenticator"$'\n'
    done
    put_pg pg_ident.conf < <(printf '%s' "$mapping") && changed=1
    put_pg pg_hba.conf < <(printf '%s\n' 'local all all peer map=leadanalytics' \
        'local replication all peer map=leadanalytics') && changed=1
    put_pg leadanalytics.conf < <(render "$source_dir/src/command/postgresql.conf" RUN "$run" LOGS "$logs" \
        BUFFERS "$(shared_buffers)" FSYNC "$(fsync)" PREPARED "$(prepared)" URL "$(url)") && changed=1
    if ! grep -qx "include 'leadanalytics.conf'" "$pg/postgresql.conf"; then
        echo "include 'leadanalytics.conf'" >>"$pg/postgresql.conf"
        changed=1
    fi
    [ -n "$changed" ]
}

put_pg() {
    write_if_changed "$pg/$1" || return 1
    if is_root; then chown "$server_user:" "$pg/$1"; fi
    chmod 600 "$pg/$1"
}

# A quarter of the memory, from 128 MB to 1 GB: answers read the same segments again and again.
shared_buffers() {
    local mb
    mb=$(awk '/^MemTotal:/ { print int($2 / 4096) }' /proc/meminfo)
    if [ "$mb" -lt 128 ]; then mb=128; elif [ "$mb" -gt 1024 ]; then mb=1024; fi
    echo "${mb}MB"
}

# A check throws its data away.
fsync() { if [ -n "${LEADANALYTICS_CHECK-}" ]; then echo off; else echo on; fi; }

# A check tries them: who uses them may write events by them.
prepared() { if [ -n "${LEADANALYTICS_CHECK-}" ]; then echo 10; else echo 0; fi; }

library_stamp() { sha256sum <"$("$pg_config" --pkglibdir)/leadanalytics.so"; }

postgres_answers() { sql_database=postgres sql -c 'SELECT 1' >/dev/null 2>&1; }

start_postgres() {
    local restart=''
    configure_postgres && restart=1
    if [ "$(cat "$etc/library" 2>/dev/null || true)" != "$(library_stamp)" ]; then restart=1; fi
    if main_pid postgresql >/dev/null; then
        if [ -z "$restart" ] && postgres_answers; then return 0; fi
        step "restarting PostgreSQL"
        stop_postgres
    else
        step "starting PostgreSQL"
        stop_postgres # children that outlive their master keep its memory
    fi
    # None of ours runs now, whatever these say; a pid in them may be a stranger's by now.
    rm -f -- "$pg/postmaster.pid" "$run/.s.PGSQL.5432" "$run/.s.PGSQL.5432.lock"
    logged "$logs/postgresql-start.log" "PostgreSQL does not start" "what it said: $logs/postgresql-*.log" \
        start_postgres_now
    library_stamp >"$etc/library"
}

start_postgres_now() {
    as_server "$pgbin/pg_ctl" -D "$pg" -l "$logs/postgresql-first.log" -w -t 60 -s start 9>&- && return 0
    # Why stands in the newest log.
    find "$logs" -name 'postgresql-*.log' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2- | tr '\n' '\0' |
        xargs -0 grep -hE 'FATAL|HINT|PANIC|ERROR' | tail -n 5
    return 1
}

# The database, the extension in it, and its home.
prepare_database() {
    local have want
    if [ -z "$(sql_database=postgres sql -c "SELECT 1 FROM pg_database WHERE datname = '$database'")" ]; then
        sql_database=postgres sql -c "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'"
    fi
    want=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$build/leadanalytics.control")
    have=$(sql -c "SELECT extversion FROM pg_extension WHERE extname = 'leadanalytics'")
    if [ -z "$have" ]; then
        step "creating the extension"
        logged "$logs/extension.log" "the extension cannot be created" "See the log and $logs/postgresql-*.log" \
            sql -c 'CREATE EXTENSION leadanalytics' -c 'SELECT leadanalytics.start()'
        schema_changed=1
    elif [ "$have" != "$want" ]; then
        step "updating the extension from $have to $want"
        logged "$logs/extension.log" "the extension cannot be updated from $have to $want" \
            "The data is as it was. See the log." sql -c "ALTER EXTENSION leadanalytics UPDATE TO '$want'"
        schema_changed=1
    fi
    if [ -n "${schema_changed-}" ]; then
        sha256sum <"$build/build/leadanalytics--$want.sql" >"$etc/schema"
    elif [ "$(cat "$etc/schema" 2>/dev/null || true)" != "$(sha256sum <"$build/build/leadanalytics--$want.sql")" ]; then
        warn "the extension's SQL changed but its version $want did not: the database keeps the old one" \
            "until ./leadanalytics reset"
    fi
}
