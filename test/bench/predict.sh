#!/bin/bash
# What predictions cost (S2-19) among --events N (100 000) leads of one workspace, whose sessions and events they come from:
# writing down what was known of each, learning a model and reckoning all leads by it, in seconds, wall and CPU; then the
# questions, ms of a call, median of LA_BENCH_ROUNDS (11) after one to warm up.
# Run by ./leadanalytics bench predict, which starts the server and sets LA_*. See README.md.
set -euo pipefail
leads=${LA_BENCH_EVENTS:-100000}
rounds=${LA_BENCH_ROUNDS:-11}
sql() { psql -h "$LA_SOCKET" -U postgres -d leadanalytics -X -q -At -F ' ' -v ON_ERROR_STOP=1 "$@"; }
export PGOPTIONS='-c client_min_messages=warning -c jit=off -c synchronous_commit=off'

sql -o /dev/null -c 'UPDATE leadanalytics.unit SET enabled = false'
sql -o /dev/null -v slug=bench-predict -v n="$leads" -v days=400 -v seed=0.5 -v ends=2026-06-01Z -f "$LA_SOURCE/test/predict/generate.sql"
sql -v here="$LA_SOURCE/test/bench" -v rounds="$rounds" <<'SQL'
CREATE SCHEMA bench;
\i :here/call.sql
\i :here/cpu.sql
VACUUM (ANALYZE) leadanalytics.lead, leadanalytics.lead_submission, leadanalytics.lead_status_change, leadanalytics.session, leadanalytics.visitor, leadanalytics.event;
SELECT id AS w FROM leadanalytics.workspace WHERE slug = 'bench-predict' \gset
\echo what seconds cpu-seconds
SELECT clock_timestamp() AS begun, bench.cpu_us() / 1e6 AS cpu \gset
CALL leadanalytics.predict_leads('2026-06-01Z');
SELECT 'facts', round(extract(epoch FROM clock_timestamp() - :'begun'::timestamptz), 2), round((bench.cpu_us() / 1e6 - :cpu)::numeric, 2);
VACUUM (ANALYZE) leadanalytics.lead_fact;
SELECT clock_timestamp() AS begun, bench.cpu_us() / 1e6 AS cpu \gset
SELECT leadanalytics.train_model(:w, '2026-06-01Z') \g /dev/null
SELECT 'training', round(extract(epoch FROM clock_timestamp() - :'begun'::timestamptz), 2), round((bench.cpu_us() / 1e6 - :cpu)::numeric, 2);
VACUUM (ANALYZE) leadanalytics.lead_prediction;
\echo leads conversions auc log_loss
SELECT leads, conversions, round(auc::numeric, 4), round(log_loss::numeric, 4) FROM leadanalytics.prediction_model;
\echo what ms buffers
\set list 'leadanalytics.predictions(' :w ', now => ''2026-06-01Z'')'
\set deep 'leadanalytics.predictions(' :w ', page => 500, now => ''2026-06-01Z'')'
\set forecast 'leadanalytics.forecast(' :w ', now => ''2026-06-01Z'')'
SELECT 'list', (m).ms, (m).buffers FROM bench.measure(:'list', :rounds) AS m;
SELECT 'list, page 500', (m).ms, (m).buffers FROM bench.measure(:'deep', :rounds) AS m;
SELECT 'forecast', (m).ms, (m).buffers FROM bench.measure(:'forecast', :rounds) AS m;
SQL
