#!/bin/bash
# What taking a person out costs (leadanalytics.erase_web) among --events N (a million) events of 90 days, folded and in
# segments: seconds, wall and CPU, beside making all of the workspace's segments and its trail anew, in one run. Each is undone.
# Run by ./leadanalytics bench erase, which starts the server and sets LA_*. See README.md.
set -euo pipefail
export LA_BENCH_EVENTS=${LA_BENCH_EVENTS:-1000000}
. "$LA_SOURCE/test/bench/dataset.sh"
part_dataset
part_fold
sql -At -F ' ' <<'SQL'
SET client_min_messages = warning;
SELECT id AS w FROM leadanalytics.workspace WHERE slug = 'bench' \gset
CREATE FUNCTION bench.erase(workspace int, who int[], OUT sessions bigint, OUT days bigint, OUT seconds numeric, OUT cpu_seconds numeric, OUT clean boolean) LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz;
    cpu float8;
BEGIN
    SELECT count(*), count(DISTINCT leadanalytics.utc_date(s.started_at)) INTO sessions, days FROM leadanalytics.session s WHERE s.workspace = erase.workspace AND s.visitor = ANY (who);
    begun := clock_timestamp();
    cpu := bench.cpu_us();
    PERFORM leadanalytics.erase_web(erase.workspace, who, '{}', '2026-06-01Z');
    seconds := round(extract(epoch FROM clock_timestamp() - begun), 2);
    cpu_seconds := round(((bench.cpu_us() - cpu) / 1e6)::numeric, 2);
    clean := NOT EXISTS (SELECT FROM leadanalytics.event e WHERE e.workspace = erase.workspace AND e.visitor = ANY (who));
END
$$;
CREATE TABLE bench.busy AS
SELECT s.visitor, count(*) AS sessions FROM leadanalytics.session s WHERE s.workspace = :w GROUP BY s.visitor ORDER BY count(*) DESC, s.visitor LIMIT 20;
\echo who sessions days seconds cpu-seconds all-gone
BEGIN;
SELECT 'the busiest', (b).* FROM (SELECT bench.erase(:w, ARRAY[(SELECT visitor FROM bench.busy ORDER BY sessions DESC, visitor LIMIT 1)]) AS b) AS x;
ROLLBACK;
BEGIN;
SELECT 'the twenty busiest', (b).* FROM (SELECT bench.erase(:w, ARRAY(SELECT visitor FROM bench.busy)) AS b) AS x;
ROLLBACK;
BEGIN;
SELECT 'somebody', (b).* FROM (SELECT bench.erase(:w, ARRAY[(SELECT min(visitor) FROM leadanalytics.session WHERE workspace = :w AND visitor NOT IN (SELECT visitor FROM bench.busy))]) AS b) AS x;
ROLLBACK;
\echo reconcile after an erase that stays: differences
SELECT bench.erase(:w, ARRAY[(SELECT visitor FROM bench.busy ORDER BY sessions DESC, visitor LIMIT 1)]) \g /dev/null
SELECT count(*) FROM leadanalytics.reconcile(:w);
\echo making all anew: seconds
SELECT clock_timestamp() AS begun \gset
SELECT leadanalytics.forget_segments(:w), leadanalytics.rebuild_trail(:w) \g /dev/null
SELECT leadanalytics.build(:w, '2026-06-01Z') \g /dev/null
SELECT round(extract(epoch FROM clock_timestamp() - :'begun'::timestamptz), 2);
SQL
