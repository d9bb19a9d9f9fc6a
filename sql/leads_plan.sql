-- What is planned while a table is empty stays for as long as the session does: it has to be right for a full one, too.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE DATABASE leadanalytics_plan TEMPLATE template0;
\c leadanalytics_plan
SET client_min_messages = warning;
CREATE EXTENSION leadanalytics;
SELECT leadanalytics.create_workspace('plan') AS w \gset
SELECT leadanalytics.create_webhook(:w, 'https://example.com/hooks', '{lead.captured}') IS NOT NULL AS is_told;
SELECT set_config('plan.w', :'w', false) IS NOT NULL AS noted;
-- How many rows the transaction read by indexes of a table, and one after the other.
CREATE FUNCTION pg_temp.rows_read(tables text[]) RETURNS bigint LANGUAGE sql AS $$
    SELECT sum(greatest(coalesce(i.read, 0), coalesce(t.idx_tup_fetch, 0)) + t.seq_tup_read)::bigint
    FROM pg_stat_xact_user_tables t
    CROSS JOIN LATERAL (SELECT sum(pg_stat_get_xact_tuples_returned(x.indexrelid)) AS read FROM pg_index x WHERE x.indrelid = t.relid) AS i
    WHERE t.schemaname = 'leadanalytics' AND t.relname = ANY (tables)
$$;
BEGIN;
DO $$
BEGIN
    FOR n IN 1 .. 300 LOOP
        PERFORM leadanalytics.capture_lead(
            current_setting('plan.w')::int,
            json_build_object('FIRSTNAME', 'n', 'EMAIL', format('n%s@example.com', n), 'PHONE', 98000 + n, 'PROJECT', 'P' || n % 4, '__visitor_id', 'v' || n),
            client_ip => '10.1.0.0'::inet + n, now => timestamptz '2026-03-01Z' + interval '10 seconds' * n);
        -- a post that says nobody's name
        PERFORM leadanalytics.capture_lead(current_setting('plan.w')::int, '{"FIRSTNAME": "n"}', client_ip => '10.2.0.0'::inet + n,
                                           now => timestamptz '2026-03-01Z' + interval '10 seconds' * n);
    END LOOP;
END
$$;
SELECT count(*) AS leads FROM leadanalytics.lead;
-- 600 posts; one that reads every lead or post makes it 180 000 more
SELECT t AS "table", CASE WHEN pg_temp.rows_read(ARRAY[t]) < 60000 THEN 'few' ELSE pg_temp.rows_read(ARRAY[t])::text END AS rows
FROM unnest('{lead,lead_submission}'::text[]) AS t ORDER BY t;
COMMIT;
-- Deliveries: each is taken and recorded by its id, however many wait.
BEGIN;
DO $$
BEGIN
    FOR n IN 1 .. 10 LOOP -- while nothing waits
        PERFORM leadanalytics.claim_deliveries(4, '{}', '2026-03-02Z');
        PERFORM leadanalytics.record_delivery(current_setting('plan.w')::int, n, 1, 200, 'ok', NULL, now => '2026-03-02Z');
    END LOOP;
    PERFORM leadanalytics.fan_out(1000, '2026-03-02Z');
    FOR n IN 1 .. 50 LOOP
        PERFORM leadanalytics.record_delivery(d.workspace, d.id, d.attempt, 200, 'ok', NULL, now => '2026-03-02Z')
        FROM leadanalytics.claim_deliveries(4, '{}', '2026-03-02Z') AS d;
    END LOOP;
END
$$;
SELECT status, count(*) FROM leadanalytics.delivery GROUP BY status ORDER BY status;
-- 200 of 600 were sent
SELECT CASE WHEN pg_temp.rows_read('{delivery}') < 30000 THEN 'few' ELSE pg_temp.rows_read('{delivery}')::text END AS rows;
COMMIT;
\c contrib_regression
DROP DATABASE leadanalytics_plan;
