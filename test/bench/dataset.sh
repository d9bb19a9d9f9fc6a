# shellcheck shell=bash
# Sourced by the benchmarks that ask about millions of events: engine/dataset.sql, written and folded. See README.md.
events=${LA_BENCH_EVENTS:-10000000}
visitors=${LA_BENCH_VISITORS:-$((events / 20))}
days=${LA_BENCH_DAYS:-30}
rounds=${LA_BENCH_ROUNDS:-11}
seed=${LA_BENCH_SEED:-1}
here=$LA_SOURCE/test/bench/engine
ends=2026-06-01Z
PGOPTIONS="-c bench.seed=$seed -c client_min_messages=warning"
export PGOPTIONS LA_SOURCE
sql() { psql -h "$LA_SOCKET" -U postgres -d leadanalytics -X -q -v ON_ERROR_STOP=1 "$@"; }
said() { printf '… %s (%d s)\n' "$*" "$SECONDS" >&2; }

part_dataset() {
    local begun=$SECONDS half writers=()
    said "writing $events events of $visitors visitors (seed $seed)"
    sql -At -o /dev/null -v ends="$ends" <<SQL
UPDATE leadanalytics.unit SET enabled = false;
ALTER SYSTEM SET autovacuum = off;
SELECT pg_reload_conf();
SELECT leadanalytics.create_workspace('bench', 'bench') AS workspace \gset
CREATE SCHEMA bench;
\i $here/../draw.sql
\i $here/../cpu.sql
\i $here/../units.sql
\i $here/dataset.sql
\i $here/fold.sql
\set days $days
\i $here/questions.sql
\i $here/measure.sql
CALL bench.make_sessions($events, $visitors);
CALL bench.write_visitors();
SELECT leadanalytics.make_leaf('event', month::date) FROM bench.fact, generate_series(date_trunc('month', starts, 'UTC'), now, '1 month') AS month;
SQL
    # Two writers, each of half of the days.
    for half in '0, 44' '45, 89'; do
        sql -c 'SET synchronous_commit = off' -c "CALL bench.write_days($half)" &
        writers+=($!)
    done
    for half in "${writers[@]}"; do wait "$half"; done
    seconds=$((SECONDS - begun))
    said "vacuum"
    sql -o /dev/null -c 'VACUUM (ANALYZE)'
}

part_fold() {
    said "folding"
    # The ledgers are as large as they would be if nothing had ever waited for long, before and after.
    sql -c 'CALL bench.put_ledgers_aside()' -c 'VACUUM FULL leadanalytics.ledger, leadanalytics.session_ledger' \
        -c 'CALL bench.fold_all()' -c 'CALL bench.run_units(3)' \
        -c 'VACUUM FULL leadanalytics.ledger, leadanalytics.session_ledger' -c 'VACUUM (ANALYZE)' -c CHECKPOINT
}
