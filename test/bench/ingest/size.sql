-- Bytes of everything in the schema leadanalytics after VACUUM, and of the same events as a table of texts.
-- bench.copied and bench.copied_whole have the leaf's rows once more, and are not ours.
CREATE TABLE bench.bytes (part text, what text, bytes bigint);
INSERT INTO bench.bytes
SELECT c.relname, x.what, x.bytes
FROM pg_class c,
     LATERAL (
         SELECT 'heap', pg_relation_size(c.oid) + coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0)
         UNION ALL
         SELECT 'index ' || substring(pg_get_indexdef(x.indexrelid) FROM ' (\(.*)$') || CASE WHEN x.indisunique THEN ' unique' ELSE '' END,
                pg_relation_size(x.indexrelid)
         FROM pg_index x WHERE x.indrelid = c.oid
     ) AS x (what, bytes)
WHERE c.relnamespace = 'leadanalytics'::regnamespace AND c.relkind = 'r';
CREATE TABLE bench.taken AS SELECT count(*) AS events, count(DISTINCT session) AS sessions, count(DISTINCT visitor) AS visitors
FROM leadanalytics.event WHERE workspace = :workspace;

CREATE TABLE bench.as_texts AS SELECT event_id, event_name, visitor_id, user_id, session_id, at, url, path, title, referrer, screen_width, screen_height,
       utm_source, utm_medium, utm_campaign, utm_term, utm_content, gclid, source, data FROM bench.stream WHERE kind = 'sql';
ALTER TABLE bench.as_texts ADD PRIMARY KEY (event_id);
CREATE INDEX ON bench.as_texts (visitor_id);
CREATE INDEX ON bench.as_texts (session_id);
CREATE INDEX ON bench.as_texts (at);
VACUUM bench.as_texts;
