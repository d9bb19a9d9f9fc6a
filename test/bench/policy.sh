#!/bin/bash
# What one look at the lists costs, µs, among LA_BENCH_ROWS (a million) entries of one workspace:
#
#   nothing   a PL/pgSQL function that does nothing: part of every other number
#   row       one row by primary key from PL/pgSQL: what any look at a table costs on this machine
#   room      leadanalytics.listed_ip_policy(): what ingestion and capture pay
#   caller    leadanalytics.ip_policy(): the same for an SQL caller, who is asked who he is
#
# on lists of four kinds: addresses alone; networks as lists of the world have them, half of them /24;
# networks of every length from /9 on, many deep in each other; IPv6 networks. Addresses asked for are random.
# Run by ./leadanalytics bench policy, which starts the server and sets LA_*.
set -euo pipefail
rows=${LA_BENCH_ROWS:-1000000}

psql -h "$LA_SOCKET" -U postgres -d leadanalytics -X -q -At -F ' ' -v rows="$rows" <<'SQL'
SET client_min_messages = warning;
CREATE SCHEMA bench;
CREATE FUNCTION bench.random_ip(v6 boolean) RETURNS inet LANGUAGE sql AS $$
    SELECT CASE WHEN v6 THEN '2001:db8::'::inet + (random() * 4294967295)::bigint * 1048576 + (random() * 1048575)::bigint
                ELSE '0.0.0.0'::inet + (random() * 4294967295)::bigint END
$$;
CREATE FUNCTION bench.one(statement text, v6 boolean) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    asked inet[] := ARRAY(SELECT bench.random_ip(v6) FROM generate_series(1, 30000));
    ip inet;
    begun timestamptz;
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION bench.ask(asked inet) RETURNS text LANGUAGE plpgsql STABLE AS %L', 'BEGIN RETURN ' || statement || '; END');
    FOREACH ip IN ARRAY asked[1:1000] LOOP PERFORM bench.ask(ip); END LOOP;
    begun := clock_timestamp();
    FOREACH ip IN ARRAY asked LOOP PERFORM bench.ask(ip); END LOOP;
    RETURN round(extract(epoch FROM clock_timestamp() - begun) * 1e6 / 30000, 1);
END
$$;
SELECT leadanalytics.create_workspace('bench-policy') AS w \gset
\echo list nothing row room caller
CREATE TABLE bench.kind (name text, v6 boolean, bits int[]);
INSERT INTO bench.kind VALUES ('addresses', false, '{32}'), ('world', false, '{16,19,20,21,22,22,23,23,24,24,24,24,24,24,24,24,24,26,27,28,29,30}'),
    ('nested', false, '{9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31}'), ('ipv6', true, '{56,64,72,80,88,96,104,112,120,128,128,128}');
SELECT format('DELETE FROM leadanalytics.listed_ip WHERE workspace = %s', :w),
       format($$INSERT INTO leadanalytics.listed_ip (workspace, ip, policy, listed_at)
                SELECT %s, leadanalytics.canonical_ip(set_masklen(bench.random_ip(%L), ('%s'::int[])[1 + floor(random() * %s)])), 'blocked', now()
                FROM generate_series(1, %s) ON CONFLICT DO NOTHING$$, :w, v6, bits, cardinality(bits), :rows),
       'VACUUM ANALYZE leadanalytics.listed_ip', 'REINDEX TABLE leadanalytics.listed_ip',
       format($$SELECT %2$L, bench.one('NULL', %3$L),
                       bench.one('(SELECT policy FROM leadanalytics.listed_ip WHERE workspace = %1$s AND ip = asked)', %3$L),
                       bench.one('leadanalytics.listed_ip_policy(%1$s, asked)', %3$L), bench.one('leadanalytics.ip_policy(%1$s, asked)', %3$L)$$, :w, name, v6)
FROM bench.kind \gexec
SQL
