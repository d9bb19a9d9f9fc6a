-- Bytes of the tables of the schema leadanalytics after VACUUM, by what they are for.
CREATE TABLE bench.bytes AS
SELECT CASE WHEN c.relname ~ '^event_\d' THEN CASE p.part WHEN 'indexes' THEN '2 events, indexes' ELSE '1 events, heap' END
            WHEN c.relname = 'session' THEN '3 sessions'
            WHEN c.relname IN ('visitor', 'person', 'identity') THEN '4 visitors, persons'
            WHEN c.relname = 'term' THEN '5 dictionary'
            WHEN c.relname ~ 'ledger' THEN '6 ledger'
            WHEN c.relname IN ('segment', 'bucket', 'rollup_state') THEN '7 segments'
            ELSE '8 the rest' END AS part,
       sum(p.bytes)::float8 AS bytes
FROM pg_class c,
     LATERAL (VALUES ('heap', pg_table_size(c.oid)), ('indexes', pg_indexes_size(c.oid))) AS p (part, bytes)
WHERE c.relnamespace = 'leadanalytics'::regnamespace AND c.relkind = 'r' AND p.bytes > 0
GROUP BY 1;
CREATE TABLE bench.taken AS SELECT count(*) AS events FROM leadanalytics.event WHERE workspace = (SELECT workspace FROM bench.fact);
