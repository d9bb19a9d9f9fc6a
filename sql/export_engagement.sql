-- S2-18: what may be asked for, and the records of each type, compared with plain SQL.
SET timezone = 'Asia/Kolkata'; -- nothing may depend on it
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT leadanalytics.create_workspace('export-engagement', 'E', 'America/New_York') AS w, leadanalytics.create_workspace('export-engagement-none', 'N') AS none \gset

-- 400 leads, 60 of them with 10 events each.
SELECT setseed(0.3);
CREATE TEMP TABLE planned AS
SELECT i, 'l' || i AS lead_id, (ARRAY['new', 'contacted', 'qualified', 'unqualified', 'converted', 'lost'])[1 + floor(6 * random())::int] AS status,
       'u' || floor(4 * random())::int AS owner_id, nullif('t' || floor(3 * random())::int, 't2') AS team_id, nullif('s' || i % 3, 's2') AS source,
       timestamptz '2026-03-01Z' + i * interval '3 hours 7 minutes' AS at
FROM generate_series(1, 400) i;
SELECT count(leadanalytics.put_engagement_lead(:w, lead_id, name => 'Lead ' || i, status => status, owner_id => owner_id, team_id => team_id, source => source, created_at => at, now => at)) AS leads
FROM planned;
-- One that a form brought, under its number.
INSERT INTO leadanalytics.lead (workspace, enquiry_at, status, name) VALUES (:w, '2026-03-10 10:00Z', 'proposal', '=1+1');
CREATE TEMP TABLE done AS
SELECT leadanalytics.add_engagement(:w, e.type, e.lead_id, e.message_id, e.run, e.at, e.at) AS event, e.*
FROM (SELECT (SELECT t.type FROM leadanalytics.engagement_types() t ORDER BY t.type OFFSET floor(7 * random()) * (n * 0 + 1) LIMIT 1) AS type,
             'l' || n % 60 + 1 AS lead_id, 'm' || n % 60 AS message_id, 'x' || n % 5 AS run, timestamptz '2026-03-05Z' + n * interval '51 minutes' AS at
      FROM generate_series(1, 600) n) AS e;
SELECT count(*), count(DISTINCT type) AS types FROM done;

-- S2-18 events: those that were sent in, as they were answered.
CREATE FUNCTION pg_temp.records(type text, options jsonb) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE 'SELECT r::jsonb FROM (' || leadanalytics.export_query(type) || ') AS q (r)'
        USING (SELECT id FROM leadanalytics.workspace WHERE slug = 'export-engagement'), options, timestamptz '2026-04-20Z';
END $$;
CREATE TEMP TABLE asked (filter text, value text, starts timestamptz, ends timestamptz);
INSERT INTO asked VALUES (NULL, NULL, '2026-03-01Z', '2026-04-20Z'), (NULL, NULL, '2026-03-10 12:00Z', '2026-03-15 00:00Z'), ('eventType', 'email_open', '2026-03-01Z', '2026-04-20Z'),
    ('eventType', 'page_visit', '2026-03-10Z', '2026-03-20Z'), ('messageId', 'm7', '2026-03-01Z', '2026-04-20Z'), ('workflowExecutionId', 'x3', '2026-03-01Z', '2026-04-20Z');
SELECT a.*, count(r) FROM asked a LEFT JOIN LATERAL pg_temp.records('events', jsonb_strip_nulls(jsonb_build_object('starts', a.starts, 'ends', a.ends, coalesce(a.filter, '-'), a.value))) AS r ON true
GROUP BY 1, 2, 3, 4 ORDER BY 1 NULLS FIRST, 2, 3, 4;
SELECT a.filter, count(*) FILTER (WHERE made IS NULL) AS missing, count(*) FILTER (WHERE plain IS NULL) AS too_many, count(*) > 5 AS many
FROM asked a, LATERAL (
    SELECT made, plain
    FROM (SELECT DISTINCT r ->> 'id' AS made FROM pg_temp.records('events', jsonb_strip_nulls(jsonb_build_object('starts', a.starts, 'ends', a.ends, coalesce(a.filter, '-'), a.value))) AS r) AS m
    FULL JOIN (SELECT d.event ->> 'id' AS plain FROM done d WHERE d.at >= a.starts AND d.at < a.ends
               AND CASE a.filter WHEN 'eventType' THEN d.type = a.value WHEN 'messageId' THEN d.message_id = a.value WHEN 'workflowExecutionId' THEN d.run = a.value ELSE true END) AS p
    ON made = plain) AS both_ways
GROUP BY a.filter, a.value, a.starts ORDER BY a.filter NULLS FIRST, a.value, a.starts;
SELECT count(*) AS unlike FROM pg_temp.records('events', '{"starts": "2026-03-01Z", "ends": "2026-04-20Z"}') r
WHERE NOT EXISTS (SELECT FROM done d WHERE d.event::jsonb = r);
SELECT bool_and(at <= before) AS "the newest first"
FROM (SELECT r ->> 'timestamp' AS at, lag(r ->> 'timestamp') OVER () AS before FROM pg_temp.records('events', '{"starts": "2026-03-01Z", "ends": "2026-04-20Z"}') r) AS o;
SELECT count(*) - (SELECT count(*) FROM pg_temp.records('events', '{"starts": "2000-01-01Z", "ends": "2100-01-01Z"}')) AS "of all time" FROM pg_temp.records('events', '{"starts": "-infinity", "ends": "infinity"}');
SELECT count(*) AS "of a lead, its events and no other's" FROM pg_temp.records('events', '{"starts": "2026-03-01Z", "ends": "2026-04-20Z", "leadId": "l7"}') r WHERE r ->> 'leadId' = 'l7';

-- S2-18 leads.
SELECT r FROM leadanalytics.leads_records(:w, '{"starts": "2026-03-10 09:00Z", "ends": "2026-03-10 10:00:01Z"}', now()) r WHERE r ->> 'name' <> '=1+1';
SELECT r ->> 'leadId' = l.id::text AS "under its number", r ->> 'status' AS status, leadanalytics.csv_line(r) ~ ',''=1\+1,' AS "no formula"
FROM leadanalytics.leads_records(:w, '{"starts": "2026-03-10 09:00Z", "ends": "2026-03-10 10:00:01Z"}', now()) r JOIN leadanalytics.lead l ON l.workspace = :w AND l.name = '=1+1' WHERE r ->> 'name' = '=1+1';
INSERT INTO asked SELECT f, v, '2026-03-01Z', '2026-04-20Z' FROM (VALUES ('status', 'qualified'), ('status', 'converted'), ('ownerId', 'u1'), ('teamId', 't1'), ('source', 's1'), ('leadId', 'l44'), ('leadId', 'nobody')) AS v (f, v);
SELECT a.filter, a.value, count(made) > 0 AS some, count(*) FILTER (WHERE made IS NULL) AS missing, count(*) FILTER (WHERE plain IS NULL) AS too_many
FROM asked a LEFT JOIN LATERAL (
    SELECT made, plain
    FROM (SELECT r - 'email' - 'phone' - 'project' AS made FROM pg_temp.records('leads', jsonb_strip_nulls(jsonb_build_object('starts', a.starts, 'ends', a.ends, coalesce(a.filter, '-'), a.value))) AS r
          WHERE r ->> 'name' <> '=1+1') AS m
    FULL JOIN (SELECT jsonb_build_object('leadId', p.lead_id, 'name', 'Lead ' || p.i, 'source', p.source, 'status', p.status, 'ownerId', p.owner_id, 'teamId', p.team_id,
                                         'createdAt', to_char(p.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) AS plain
               FROM planned p WHERE p.at >= a.starts AND p.at < a.ends
               AND CASE a.filter WHEN 'status' THEN p.status = a.value WHEN 'ownerId' THEN p.owner_id = a.value WHEN 'teamId' THEN p.team_id = a.value WHEN 'source' THEN p.source = a.value
                                 WHEN 'leadId' THEN p.lead_id = a.value ELSE true END) AS p
    ON made = plain) AS both_ways ON true
WHERE coalesce(a.filter, 'status') IN ('status', 'ownerId', 'teamId', 'source', 'leadId')
GROUP BY a.filter, a.value, a.starts ORDER BY a.filter NULLS FIRST, a.value, a.starts;

-- S2-18 analyses: what the family's questions answer, by records.
SELECT type, count(r) AS records, bool_and(r::jsonb = plain) AS same
FROM (SELECT 'funnel' AS type, ordinality, r, (leadanalytics.funnel(:w, 'new,email_open,link_click', 7, '2026-03-01', '2026-04-20', '2026-04-20Z') -> (ordinality::int - 1))::jsonb AS plain
      FROM pg_temp.records('funnel', '{"from": "2026-03-01", "to": "2026-04-20", "steps": "new,email_open,link_click", "windowDays": "7"}') WITH ORDINALITY AS r (r, ordinality)
      UNION ALL
      SELECT 'kpis', ordinality, r, (leadanalytics.kpis(:w, '2026-03-10', '2026-03-20', '2026-04-20Z') -> (ordinality::int - 1))::jsonb
      FROM pg_temp.records('kpis', '{"from": "2026-03-10", "to": "2026-03-20"}') WITH ORDINALITY AS r (r, ordinality)
      UNION ALL
      SELECT 'team_performance', ordinality, r, (leadanalytics.team_performance(:w, '2026-03-10', '2026-03-20', 't1', '2026-04-20Z') -> (ordinality::int - 1))::jsonb
      FROM pg_temp.records('team_performance', '{"from": "2026-03-10", "to": "2026-03-20", "teamId": "t1"}') WITH ORDINALITY AS r (r, ordinality)
      UNION ALL
      SELECT 'cohorts', 1, r, (SELECT jsonb_build_object('cohort', c -> 'cohort', 'size', c -> 'size') || p
                               FROM jsonb_array_elements(leadanalytics.cohorts(:w, 'month', 'converted', '2026-03-01', '2026-04-19', '2026-04-20Z')::jsonb) c, jsonb_array_elements(c -> 'periods') p
                               WHERE c -> 'cohort' = r -> 'cohort' AND p -> 'index' = r -> 'index')
      FROM pg_temp.records('cohorts', '{"starts": "2026-03-01Z", "ends": "2026-04-20Z", "interval": "month", "metric": "converted"}') r) AS t
GROUP BY type ORDER BY type;

-- Nothing of another workspace, and nothing outside the time.
SELECT t.name, count(r) FROM leadanalytics.export_type t LEFT JOIN LATERAL (SELECT 1 WHERE EXISTS (SELECT FROM pg_temp.records(t.name, '{"starts": "2020-01-01Z", "ends": "2020-02-01Z"}'))) AS r ON true
WHERE t.name IN ('events', 'leads') GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM leadanalytics.engagement_events_records(:none, '{"starts": "-infinity", "ends": "infinity"}', now());
SELECT count(*) FROM leadanalytics.engagement_events_records(:none, '{"starts": "2000-01-01Z", "ends": "2100-01-01Z"}', now());
SELECT count(*) FROM leadanalytics.leads_records(:none, '{"starts": "2000-01-01Z", "ends": "2100-01-01Z"}', now());

-- Asking: the time, the filters, and what is wrong with them.
CREATE FUNCTION pg_temp.options(type text, format text, "from" text, "to" text, filters json) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer json;
    detail text;
BEGIN
    answer := leadanalytics.ask_engagement_export((SELECT id FROM leadanalytics.workspace WHERE slug = 'export-engagement'), type, format, "from", "to", filters, '2026-03-20 15:00Z');
    RETURN (SELECT concat_ws(' ', e.type, e.format, jsonb_strip_nulls(e.options - 'starts' - 'ends'), (e.options ->> 'starts')::timestamptz AT TIME ZONE 'UTC', (e.options ->> 'ends')::timestamptz AT TIME ZONE 'UTC')
            FROM leadanalytics.export e WHERE e.key = answer ->> 'id');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' ', SQLSTATE, SQLERRM, detail::json -> 'errors');
END $$;
SELECT pg_temp.options(t, f, "from", "to", filters) AS "S2-18"
FROM (VALUES (1, 'events', 'csv', NULL, NULL, NULL::json), (2, 'events', 'json', '2026-03-01', '2026-03-02', '{"eventType": "email_open", "leadId": "a b"}'),
             (3, 'leads', 'ndjson', '2026-03-01T10:00:00Z', '2026-03-01T10:00:00Z', '{"status": "converted", "ownerId": null}'), (4, 'leads', 'csv', NULL, NULL, 'null'),
             (5, 'deliverability', 'csv', NULL, NULL, NULL), ('6', NULL, 'csv', NULL, NULL, NULL), (7, 'events', 'xls', NULL, NULL, NULL), (8, 'events', NULL, NULL, NULL, NULL),
             (9, 'events', 'csv', 'soon', NULL, NULL), (10, 'events', 'csv', '2026-03-02', '2026-03-01', NULL), (11, 'events', 'csv', NULL, NULL, '[]'),
             (12, 'events', 'csv', NULL, NULL, '{"status": "new"}'), (13, 'events', 'csv', NULL, NULL, '{"eventType": "opened"}'), (14, 'leads', 'csv', NULL, NULL, '{"ownerId": 5}'),
             (15, 'leads', 'csv', NULL, NULL, '{"ownerId": " "}'), (16, 'leads', 'csv', NULL, NULL, '{"starts": "2000-01-01"}'),
             (17, 'funnel', 'csv', NULL, NULL, '{"steps": "new,converted", "windowDays": 7}'), (18, 'funnel', 'csv', NULL, NULL, '{"steps": "new"}'),
             (19, 'funnel', 'csv', NULL, NULL, '{"windowDays": 366}'), (20, 'funnel', 'csv', NULL, NULL, '{"windowDays": "7.5"}'),
             (21, 'cohorts', 'csv', NULL, NULL, '{"interval": "month", "metric": "converted"}'), (22, 'cohorts', 'csv', NULL, NULL, '{"interval": "year"}'),
             (23, 'kpis', 'json', '2026-03-01', '2026-03-02', '{}'), (24, 'kpis', 'json', NULL, NULL, '{"metric": "engaged"}')) AS v (i, t, f, "from", "to", filters)
ORDER BY i;
SELECT leadanalytics.ask_engagement_export(-1, 'events');
SELECT leadanalytics.ask_export(:w, 'events');

-- How it is.
SELECT key FROM leadanalytics.export WHERE workspace = :w AND type = 'leads' AND format = 'csv' ORDER BY key LIMIT 1 \gset
DELETE FROM leadanalytics.export WHERE workspace = :w AND key <> :'key';
SELECT regexp_replace(leadanalytics.engagement_export(:w, :'key', '2026-03-20 15:00Z')::text, 'exp_\w+', 'exp_') AS "S2-18 processing";
SELECT leadanalytics.write_export(:w, :'key', 0, '2026-03-20 15:00Z');
SELECT regexp_replace(regexp_replace(regexp_replace(leadanalytics.engagement_export(:w, :'key', '2026-03-20 15:01Z')::text, 'exp_\w+', 'exp_', 'g'), 'signature=[0-9a-f]{64}', 'signature='),
    '"http://[^/]+', '"') AS "S2-18 completed"; -- where leadanalytics.public_url is set, the link begins with it
SELECT parts[1] AS expires, parts[2] AS signature FROM leadanalytics.engagement_export(:w, :'key', '2026-03-20 15:01Z') g, regexp_match(g ->> 'url', 'expires=(\d+)&signature=(\w+)') parts \gset
SELECT status, headers ->> 'Content-Range' ~ '^bytes 0-\d+/\d+$' AS ranged, content_type, split_part(convert_from(body, 'UTF8'), E'\r\n', 1) AS names
FROM leadanalytics.download_export(:'key', expires => :'expires', signature => :'signature', now => '2026-03-20 15:59:59Z');
SELECT leadanalytics.download_export(:'key', expires => :'expires', signature => :'signature', now => '2026-03-20 16:00Z');
SELECT regexp_replace(leadanalytics.engagement_export(:w, :'key', '2026-03-20 16:00Z')::text, 'exp_\w+', 'exp_') AS "S2-18 expired";
SELECT leadanalytics.fail_export(:w, :'key', 'insufficient data');
SELECT leadanalytics.engagement_export(:w, :'key', '2026-03-20 16:00Z') ->> 'status' AS "S2-18 failed";
SELECT leadanalytics.engagement_export(:w, 'exp_unknown');
SELECT leadanalytics.engagement_export(:none, :'key');
DELETE FROM leadanalytics.export WHERE workspace = :w;
