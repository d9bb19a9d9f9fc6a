-- S2-20, S2-21: saved reports and schedules, by hand: what is asked, what the files hold, what runs when, who is told.
SET timezone = 'Asia/Kolkata'; -- nothing may depend on it
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT leadanalytics.create_workspace('schedule', 'S', 'America/New_York') AS w, leadanalytics.create_workspace('schedule-other', 'O') AS other \gset
CREATE FUNCTION pg_temp.w() RETURNS int LANGUAGE sql AS $$ SELECT id FROM leadanalytics.workspace WHERE slug = 'schedule' $$;

-- Something to report on, with what files must not take for markup, a formula or a line's end.
SELECT count(leadanalytics.put_engagement_lead(:w, 'l' || i, name => (ARRAY['<b>A</b> & "co"', '=1+1', E'two\nlines, one "cell"', 'plain', E'bell \x07 é'])[1 + i % 5] || i,
       status => (ARRAY['new', 'contacted', 'qualified', 'converted', 'lost'])[1 + i % 5], owner_id => 'u' || i % 3, team_id => 't' || i % 2, source => (ARRAY['=web', '<i>', 'mail'])[1 + i % 3],
       created_at => timestamptz '2026-03-01Z' + i * interval '5 hours 7 minutes', now => timestamptz '2026-03-01Z' + i * interval '5 hours 7 minutes')) AS leads
FROM generate_series(1, 60) i;
SELECT count(leadanalytics.add_engagement(:w, (ARRAY['email_sent', 'email_open', 'link_click', 'form_submission'])[1 + n % 4], 'l' || n % 60 + 1, 'm' || n % 40, 'x', timestamptz '2026-03-02Z' + n * interval '2 hours',
       timestamptz '2026-03-02Z' + n * interval '2 hours')) AS events FROM generate_series(1, 150) n;
SELECT leadanalytics.put_message_events(:w, (SELECT json_agg(json_build_object('message_id', 'm' || n, 'event', (ARRAY['sent', 'opened'])[1 + n % 2], 'campaign_id', 'cmp_1', 'timestamp', to_char(timestamp '2026-03-05 09:00' + n * interval '3 hours', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
                                             FROM generate_series(1, 60) n)) ->> 'accepted' AS messages;
SELECT leadanalytics.put_team(:w, 't1', 'Team & <one>') ->> 'name' AS team;
CREATE FUNCTION pg_temp.id(answer json) RETURNS text LANGUAGE sql AS $$ SELECT answer ->> 'id' $$;
-- The worker's part, for these workspaces alone.
CREATE FUNCTION pg_temp.write(at timestamptz) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(leadanalytics.write_export(e.workspace, e.key, e.attempts, at))
    FROM (SELECT * FROM leadanalytics.export e WHERE e.workspace IN (SELECT id FROM leadanalytics.workspace WHERE slug LIKE 'schedule%') AND e.status = 'processing' ORDER BY e.created_at, e.key) AS e
$$;
CREATE FUNCTION pg_temp.file(export text) RETURNS text LANGUAGE sql AS $$
    SELECT convert_from(string_agg(data, '' ORDER BY n), 'UTF8') FROM leadanalytics.export_chunk WHERE export = file.export
$$;

-- S2-20: every question in every format, the way it is asked for and without parameters that it can do without.
CREATE TEMP TABLE saved AS
SELECT t.name, t.path, pg_temp.id(leadanalytics.create_report(:w, 'All of ' || t.name || ' <&>', CASE WHEN length(t.name) % 2 = 0 THEN t.name ELSE t.path END,
           CASE WHEN t.path LIKE '%:leadId%' THEN '{"leadId": "l7"}' WHEN t.path LIKE '%:teamId%' THEN '{"teamId": "t1"}' WHEN t.path LIKE '%:campaignId%' THEN '{"campaignId": "cmp_1"}' END::json,
           CASE WHEN t.has_period THEN 'last_7_days' END, now => '2026-03-13 12:00Z')) AS report
FROM leadanalytics.report_types t
WHERE t.path NOT IN ('/api/v1/users/:userId');
CREATE TEMP TABLE made AS
SELECT s.*, f.format, pg_temp.id(leadanalytics.run_report(:w, s.report, f.format, now => '2026-03-13 12:00Z')) AS export FROM saved s, unnest('{csv,json,html}'::text[]) AS f (format);
SELECT pg_temp.write('2026-03-13 12:00:10Z') = count(*) AS written, count(DISTINCT name) > 50 AS "many" FROM made;
SELECT m.name, e.error FROM made m JOIN leadanalytics.export e ON e.workspace = :w AND e.key = m.export WHERE e.status <> 'completed' ORDER BY 1;
-- Second ways: the functions themselves, asked by hand for the seven days before 13 March in New York.
SELECT m.name, pg_temp.file(m.export)::jsonb = f.answer::jsonb AS same
FROM made m JOIN (VALUES
    ('funnel', leadanalytics.funnel(:w, NULL, 30, '2026-03-06T00:00:00-05:00', '2026-03-12T23:59:59-04:00', '2026-03-13 12:00Z')),
    ('kpis', leadanalytics.kpis(:w, '2026-03-06T00:00:00-05:00', '2026-03-12T23:59:59-04:00', '2026-03-13 12:00Z')),
    ('team_performance', leadanalytics.team_performance(:w, '2026-03-06T05:00:00Z', '2026-03-13T03:59:59Z', NULL, '2026-03-13 12:00Z')),
    ('lead_projects', leadanalytics.lead_projects(:w)),
    ('campaign_overview', leadanalytics.campaign_overview(:w, 'custom', '2026-03-06T05:00:00Z', '2026-03-13T03:59:59Z', '2026-03-13 12:00Z'))) AS f (name, answer) USING (name)
WHERE m.format = 'json' ORDER BY 1;
-- HTML: well-formed, no script, and each value of the answer stands in a cell or a line's head, no other does.
SELECT count(*) > 50 AS "many", count(*) FILTER (WHERE pg_temp.file(export) ~* '<script|javascript:|onload') AS scripts,
       count(*) FILTER (WHERE (xpath('/html/head/title/text()', xmlparse(document pg_temp.file(export))))[1]::text = 'All of ' || name || ' &lt;&amp;&gt;') = count(*) AS titles
FROM made WHERE format = 'html';
CREATE FUNCTION pg_temp.shown(text text) RETURNS text LANGUAGE sql AS $$ SELECT replace(replace(replace(replace(text, E'\x07', U&'\FFFD'), '&', '&amp;'), '<', '&lt;'), '>', '&gt;') $$;
CREATE TEMP TABLE cells AS
SELECT h.name, ARRAY(SELECT x.cell::text FROM unnest(xpath('//td/text()', xmlparse(document pg_temp.file(h.export)))) AS x (cell) ORDER BY 1) AS cells,
       ARRAY(SELECT pg_temp.shown(p #>> '{}') FROM jsonb_path_query(pg_temp.file(j.export)::jsonb, 'strict $.**') p WHERE jsonb_typeof(p) NOT IN ('object', 'array') AND p #>> '{}' <> '' ORDER BY 1) AS texts
FROM made h JOIN made j ON j.name = h.name AND j.format = 'json' WHERE h.format = 'html';
SELECT * FROM cells WHERE cells IS DISTINCT FROM texts ORDER BY name;
SELECT count(*) FILTER (WHERE cardinality(cells) > 0) > 25 AS "not empty", bool_or(array_to_string(cells, ' ') LIKE '%&lt;b&gt;A&lt;/b&gt; &amp; "co"%') AS markup, bool_or(cells::text ~ U&'bell \FFFD é') AS bell FROM cells;
-- CSV: texts are kept from being formulas; what HTTP hands out is parsed in test/http/engagement_reports.t.
SELECT r.line FROM made m, regexp_split_to_table(pg_temp.file(m.export), '\r\n') WITH ORDINALITY AS r (line, n) WHERE m.name = 'lead_sources' AND m.format = 'csv' ORDER BY r.n;
SELECT leadanalytics.table_columns('[{"a": 1, "b": {"c": [1, {"d": 2}], "e": {}}, "f": []}, {"a": 1, "x": null, "b": {"c": [1, 2, 3]}}]') AS columns;
SELECT leadanalytics.csv_line(r) AS line FROM leadanalytics.table_records('[{"a": 1.50, "b": {"c": ["x", "=y"]}}, {"b": {"c": []}, "z": false}, 7]', '{a,b.c.0,b.c.1,z,value}') r;
SELECT rows, leadanalytics.answer_table(answer::json, rows) AS table
FROM (VALUES ('[1, 2]', NULL), ('{"a": 1, "b": [2], "c": [3]}', NULL), ('{"a": 1, "b": [2], "c": [3]}', 'c'), ('{"a": {"b": [2]}}', 'a.b'), ('{"a": {"b": [2]}}', 'a'), ('{"a": 1}', NULL), ('{"b": [2]}', '.'), ('null', NULL)) AS v (answer, rows);
SELECT leadanalytics.csv_pieces('[]', '[{"a": 1, "b": {"c": 2}}]') AS names, leadanalytics.csv_pieces('[]', '[]') AS nothing;

-- The role a report was written with is the role it asks with.
SELECT pg_temp.id(leadanalytics.create_report(:w, 'Leads', 'captured_leads', as_role => 'admin')) AS people \gset
CREATE ROLE schedule_reader IN ROLE leadanalytics_write;
SELECT leadanalytics.grant_workspace(:w, 'schedule_reader', 'marketing') IS NOT NULL AS granted;
UPDATE leadanalytics.lead SET email = 'ann@example.com' WHERE workspace = :w AND name LIKE 'plain%';
SET ROLE schedule_reader;
SELECT leadanalytics.create_report(:w, 'Mine', 'captured_leads', as_role => 'admin');
SELECT pg_temp.id(leadanalytics.create_report(:w, 'Mine', 'lead_submissions', as_role => 'admin')) IS NOT NULL AS "masked, but open to marketing";
SELECT leadanalytics.run_report(:w, :'people', now => '2026-03-13 13:00Z') ->> 'status' AS ran;
SELECT leadanalytics.put_schedule(:w, :'people', 'daily', '08:00', recipients => '["me@example.com"]');
SELECT leadanalytics.put_schedule(:w, (SELECT key FROM leadanalytics.reports WHERE name = 'Mine'), 'daily', '08:00', now => '2099-01-01Z') ->> 'frequency' AS "its own it may";
SELECT leadanalytics.ask_route(:w, '/analytics/leads', '{}', 'admin', now());
SELECT leadanalytics.create_report(:other, 'Not mine', 'funnel');
SELECT count(*) AS none FROM leadanalytics.reports WHERE workspace <> :w;
SELECT DISTINCT as_role FROM leadanalytics.reports WHERE name = 'Mine';
RESET ROLE;
SELECT pg_temp.write('2026-03-13 13:00:10Z');
SELECT e.status, e.error AS "a marketing key may not ask for leads" FROM leadanalytics.report_runs e WHERE e.workspace = :w AND e.report = :'people';
SELECT leadanalytics.find_report(:other, :'people', NULL);
-- Nor gets it a link to the file of who sees them; what has none in it is everybody's.
CREATE TEMP TABLE file AS
SELECT 'admin''s report' AS of, pg_temp.id(leadanalytics.run_report(:w, :'people', now => '2026-03-13 13:00Z')) AS export
UNION ALL SELECT 'leads', pg_temp.id(leadanalytics.ask_engagement_export(:w, 'leads', now => '2026-03-13 13:00Z'))
UNION ALL SELECT 'kpis', pg_temp.id(leadanalytics.ask_engagement_export(:w, 'kpis', now => '2026-03-13 13:00Z'));
GRANT SELECT, INSERT ON file TO schedule_reader;
SET ROLE schedule_reader;
INSERT INTO file SELECT 'its report', pg_temp.id(leadanalytics.run_report(:w, r.key, now => '2026-03-13 13:00Z')) FROM leadanalytics.reports r WHERE r.name = 'Mine';
INSERT INTO file SELECT 'leads it asked for', pg_temp.id(leadanalytics.ask_engagement_export(:w, 'leads', now => '2026-03-13 13:00Z'));
RESET ROLE;
SELECT count(pg_temp.write('2026-03-13 13:00:10Z'));
CREATE TEMP VIEW link AS
SELECT f.of, leadanalytics.engagement_export(w.id, f.export, '2026-03-13 13:01Z') AS answer, leadanalytics.get_export(w.id, f.export, '2026-03-13 13:01Z') AS other_door
FROM file f, leadanalytics.workspaces w WHERE w.slug = 'schedule';
GRANT SELECT ON link TO schedule_reader;
SELECT l.of, l.answer ->> 'status' AS status, l.answer ->> 'url' IS NOT NULL AND l.other_door ->> 'download_url' IS NOT NULL AS link FROM link l ORDER BY 1;
SET ROLE schedule_reader;
SELECT l.of, l.answer ->> 'status' AS status, l.answer ->> 'url' IS NOT NULL AS link, l.other_door ->> 'download_url' IS NOT NULL AS other_door FROM link l ORDER BY 1;
SELECT l ->> 'email' AS email, l ->> 'phone' AS phone, l ->> 'name' AS name FROM leadanalytics.patch_engagement_lead(:w, 'l3', owner_id => 'u0') AS l;
RESET ROLE;
SELECT l ->> 'email' AS email FROM leadanalytics.patch_engagement_lead(:w, 'l3', owner_id => 'u0') AS l;
DROP VIEW link;
DROP TABLE file;
DROP OWNED BY schedule_reader;
DROP ROLE schedule_reader;

-- S2-21: a day at eight in London. Two addresses, a webhook by name and one that wants all topics, but is not named.
INSERT INTO leadanalytics.webhook (workspace, key, url, topics, secret, active, created_at) VALUES (:w, 'whk_named', 'https://a.example/', '{lead.captured}', 's', true, '2026-01-01Z'),
    (:w, 'whk_all', 'https://b.example/', '{*}', 's', true, '2026-01-01Z'), (:w, 'whk_off', 'https://c.example/', '{*}', 's', false, '2026-01-01Z');
SELECT pg_temp.id(leadanalytics.create_report(:w, 'Daily', 'kpis', NULL, 'yesterday', now => '2026-03-13 12:00Z')) AS report \gset
SELECT leadanalytics.put_schedule(:w, :'report', 'daily', '08:00', timezone => 'europe/london', recipients => '["ann@example.com", "bob@example.com", "whk_named", "whk_off", "ann@example.com"]', format => 'html',
                                  now => '2026-03-27 12:00Z') AS made \gset
SELECT :'made'::jsonb - 'id' - 'reportId' AS made, :'made'::json ->> 'reportId' = :'report' AS of;
SELECT :'made'::json ->> 'id' AS daily \gset
CREATE TEMP VIEW told AS
SELECT d.topic, coalesce(d.webhook, d.recipient) AS who, d.subject, d.occurrence, d.attachment, d.body, d.created_at FROM leadanalytics.delivery d WHERE d.workspace = pg_temp.w()
UNION ALL SELECT o.topic, 'outbox', NULL, NULL, NULL, o.body::text, o.created_at FROM leadanalytics.outbox o WHERE o.workspace = pg_temp.w() AND o.topic LIKE 'report.%';
CREATE TEMP TABLE moment (n int, at timestamptz, why text);
INSERT INTO moment VALUES (1, '2026-03-28 07:59:59Z', 'not yet'), (2, '2026-03-28 08:00Z', 'due'), (3, '2026-03-28 08:00Z', 'once'), (4, '2026-03-28 07:30Z', 'the clock is set back'), (5, '2026-03-28 08:01Z', 'and comes again'),
    (6, '2026-03-29 07:00Z', 'summer time'), (7, '2026-04-10 12:00Z', 'days were missed'), (8, '2026-04-10 12:00Z', 'only the latest');
CREATE FUNCTION pg_temp.runs(at timestamptz) RETURNS int LANGUAGE sql AS $$ SELECT leadanalytics.run_schedules(at) $$;
SELECT m.n, m.why, pg_temp.runs(m.at) AS ran FROM (SELECT * FROM moment ORDER BY n) AS m;
SELECT r.due_at AT TIME ZONE 'UTC' AS due, r.status FROM leadanalytics.report_runs r WHERE r.workspace = :w AND r.schedule = :'daily' ORDER BY 1;
-- Nothing due: nothing written.
SELECT s.xmin AS before, s.next_due AT TIME ZONE 'UTC' AS next, s.last_due AT TIME ZONE 'UTC' AS last FROM leadanalytics.report_schedule s WHERE s.key = :'daily' \gset s_
SELECT pg_temp.runs('2026-04-10 12:30Z') AS ran, pg_temp.runs('2026-04-10 06:30Z') AS back;
SELECT s.xmin::text = :'s_before' AS untouched, :'s_next' AS next, :'s_last' AS last FROM leadanalytics.report_schedule s WHERE s.key = :'daily';
-- Told once, when the file is there.
SELECT count(*) AS "nobody yet" FROM told;
SELECT pg_temp.write('2026-04-10 12:01Z') AS written, pg_temp.write('2026-04-10 12:02Z') AS again;
SELECT t.topic, t.who, count(*), count(DISTINCT occurrence) AS occurrences, bool_and(t.attachment IS NOT NULL) AS attached FROM told t GROUP BY 1, 2 ORDER BY 1, 2;
SELECT t.subject, regexp_replace(t.body, E'Its file(:\n\\S*/exp_[0-9a-f]+/download\\?\\S+\n| is the export exp_[0-9a-f]+\\. )', 'Its file is … ') AS body FROM told t JOIN leadanalytics.report_runs r ON r.export = t.attachment WHERE t.who = 'ann@example.com' ORDER BY r.due_at LIMIT 1;
SELECT t.body::jsonb ->> 'type' AS type, t.body::jsonb ->> 'id' = t.occurrence AS id, t.body::jsonb -> 'createdAt' AS "createdAt",
       (t.body::jsonb -> 'data') - '{reportId,scheduleId,url}'::text[] AS data, t.body::jsonb #>> '{data,url}' ~ '/v1/analytics/exports/exp_[0-9a-f]{24}/download\?expires=[0-9]+&signature=[0-9a-f]{64}$' AS url,
       t.body::jsonb #>> '{data,scheduleId}' = :'daily' AS schedule
FROM told t WHERE t.who = 'whk_named' ORDER BY t.body::jsonb #>> '{data,dueAt}' LIMIT 1;
SELECT r.due_at AT TIME ZONE 'UTC' AS due, r.status, r.told, r.expires_at - r.completed_at AS "there for",
       xpath('//p[@class="about"]/text()', xmlparse(document pg_temp.file(r.export))) AS about
FROM leadanalytics.report_runs r WHERE r.workspace = :w AND r.schedule = :'daily' ORDER BY 1;
SELECT (leadanalytics.find_export(:w, r.export, '2026-04-17 12:00:59Z')).status AS "for a week",
       (leadanalytics.find_export(:w, r.export, '2026-04-17 12:01Z')).status AS "and no longer" FROM leadanalytics.report_runs r WHERE r.workspace = :w AND r.schedule = :'daily' ORDER BY r.due_at DESC LIMIT 1;

-- A clock that is far ahead, and set right: each due time once, and no silence for a year.
SELECT pg_temp.runs('2027-04-10 12:00Z') AS ahead, pg_temp.runs('2026-04-11 06:00Z') AS "set right", pg_temp.runs('2026-04-11 07:00Z') AS due, pg_temp.runs('2026-04-12 07:00Z') AS due, pg_temp.runs('2026-04-12 07:00Z') AS once;
SELECT r.due_at AT TIME ZONE 'UTC' AS due FROM leadanalytics.report_runs r WHERE r.workspace = :w AND r.schedule = :'daily' AND r.due_at > '2026-04-10 12:00Z' ORDER BY 1;
INSERT INTO leadanalytics.report_run (workspace, export, report, schedule, due_at, format, created_at) SELECT workspace, 'exp_twice', report, schedule, due_at, format, created_at FROM leadanalytics.report_run
WHERE schedule = :'daily' AND due_at = '2026-04-12 07:00Z';
-- Changed: another time of the same day is another due time; what only the recipients change leaves what is due.
SELECT leadanalytics.change_schedule(:w, :'daily', recipients => '[]', now => '2026-04-13 07:30Z') -> 'nextRunAt' AS "still due";
SELECT pg_temp.runs('2026-04-13 07:31Z') AS ran;
SELECT leadanalytics.change_schedule(:w, :'daily', "time" => '09:15', now => '2026-04-13 07:40Z') -> 'nextRunAt' AS "later today";
SELECT pg_temp.runs('2026-04-13 08:14Z') AS "not yet", pg_temp.runs('2026-04-13 08:15Z') AS ran;
SELECT leadanalytics.change_schedule(:w, :'daily', "time" => '09:15', active => 'false', now => '2026-04-13 09:00Z') -> 'nextRunAt' AS none;
SELECT pg_temp.runs('2026-04-15 09:00Z') AS off;
SELECT leadanalytics.change_schedule(:w, :'daily', active => 'true', now => '2026-04-15 09:00Z') -> 'nextRunAt' AS "what was due meanwhile is not made up for";
-- Without a webhook among the recipients all hear of it that want the topic.
SELECT pg_temp.write('2026-04-15 10:00Z') > 0 AS written;
SELECT t.topic, t.who, count(*) FROM told t WHERE t.created_at > '2026-04-10 12:01Z' GROUP BY 1, 2 ORDER BY 1, 2;
-- One that fails is told of, too; one that was deleted is not.
SELECT pg_temp.id(leadanalytics.create_report(:w, 'Lead', 'lead_engagement', '{"leadId": "l9"}', now => '2026-04-15 10:00Z')) AS lead \gset
SELECT pg_temp.id(leadanalytics.put_schedule(:w, :'lead', 'monthly', '08:00', day_of_month => '31', timezone => 'UTC', recipients => '["ann@example.com", "whk_named"]', now => '2026-04-15 10:00Z')) AS monthly,
       pg_temp.id(leadanalytics.put_schedule(:w, :'lead', 'weekly', '08:00', day_of_week => 'thursday', timezone => 'UTC', recipients => '["gone@example.com"]', now => '2026-04-15 10:00Z')) AS weekly \gset
UPDATE leadanalytics.report SET parameters = '{"leadId": "nobody"}' WHERE workspace = :w AND key = :'lead'; -- as if it were gone
SELECT pg_temp.runs('2026-04-30 08:00Z') AS "two, and the daily one";
SELECT leadanalytics.delete_schedule(:w, :'weekly') AS deleted;
SELECT pg_temp.write('2026-04-30 08:00:05Z') AS written;
SELECT r.due_at AT TIME ZONE 'UTC' AS due, r.status, r.error, r.told FROM leadanalytics.report_runs r WHERE r.workspace = :w AND r.report = :'lead' ORDER BY r.schedule = :'monthly';
SELECT t.topic, t.who, t.subject, t.attachment, CASE t.who WHEN 'whk_named' THEN ((t.body::jsonb -> 'data') - '{reportId,scheduleId}'::text[])::text ELSE t.body END AS body FROM told t
WHERE t.topic = 'report.failed' ORDER BY t.who;
-- A zone that the server has no more: that schedule waits, the others run.
UPDATE leadanalytics.report_schedule SET timezone = 'Mars/Olympus' WHERE workspace = :w AND key = :'monthly';
SELECT pg_temp.runs('2026-06-30 12:00Z') AS "the daily one";
SELECT pg_temp.write('2026-06-30 12:00:05Z') AS written;
-- A report that is deleted takes its schedules with it, and its runs.
SELECT leadanalytics.delete_report(:w, :'report') AS deleted, leadanalytics.delete_report(:w, :'lead') AS deleted;
SELECT count(*) AS none FROM leadanalytics.report_schedules WHERE workspace = :w AND report IN (:'report', :'lead');
SELECT leadanalytics.delete_report(:w, :'report');
SELECT leadanalytics.get_schedule(:w, :'daily');

-- All that is wrong, at once.
CREATE FUNCTION pg_temp.faults(command text) RETURNS TABLE (field text, message text) LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    EXECUTE command;
    RETURN QUERY SELECT 'nothing', NULL;
EXCEPTION WHEN SQLSTATE 'LA422' THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    RETURN QUERY SELECT e ->> 'field', e ->> 'message' FROM json_array_elements(said::json -> 'errors') e;
END $$;
SELECT * FROM pg_temp.faults('SELECT leadanalytics.create_report(pg_temp.w(), NULL, NULL, ''[]'', ''fortnight'', '''', ''pdf'')');
SELECT * FROM pg_temp.faults($$SELECT leadanalytics.create_report(pg_temp.w(), E'two\nlines', 'funnel', '{"windowDays": 366, "step": 1, "steps": ["new"]}', 'today')$$);
SELECT * FROM pg_temp.faults($$SELECT leadanalytics.create_report(pg_temp.w(), 'a', 'funnel', '{"from": "2026-02-01", "steps": "nonsense"}', 'today', 'rows')$$);
SELECT * FROM pg_temp.faults($$SELECT leadanalytics.create_report(pg_temp.w(), 'a', 'dashboard', '{"from": "soon"}', NULL, 'trends')$$);
SELECT * FROM pg_temp.faults($$SELECT leadanalytics.create_report(pg_temp.w(), 'a', 'dashboard', '{}', NULL, 'trends')$$);
SELECT * FROM pg_temp.faults($$SELECT leadanalytics.create_report(pg_temp.w(), 'a', 'lead_report', '{"format": "csv"}')$$);
SELECT * FROM pg_temp.faults($$SELECT leadanalytics.create_report(pg_temp.w(), 'a', 'lead_engagement', '{"leadId": ""}')$$);
SELECT * FROM pg_temp.faults($$SELECT leadanalytics.create_report(pg_temp.w(), 'a', 'lead_engagement', '{"leadId": "nobody"}', 'last_week')$$);
SELECT * FROM pg_temp.faults($$SELECT leadanalytics.create_report(pg_temp.w(), 'a', 'site_overview', '{"start_date": "2026-01-01"}')$$);
SELECT * FROM pg_temp.faults($$SELECT leadanalytics.create_report(pg_temp.w(), 'a', 'sources', '{}', 'today', as_role => 'live')$$);
SELECT * FROM pg_temp.faults($$SELECT leadanalytics.create_report(pg_temp.w(), 'a', '/v1/analytics/exports/:exportId', '{"exportId": "exp_1"}')$$);
SELECT * FROM pg_temp.faults($$SELECT leadanalytics.put_schedule(pg_temp.w(), 'rep_none', 'hourly', '24:00', 'someday', '32', 'Mars/Olympus', '["ann"]', 'pdf', 'yes')$$);
SELECT * FROM pg_temp.faults($$SELECT leadanalytics.put_schedule(pg_temp.w())$$);
SELECT f, e.* FROM unnest('{weekly,monthly}'::text[]) AS f, pg_temp.faults(format($$SELECT leadanalytics.put_schedule(pg_temp.w(), (SELECT key FROM leadanalytics.reports WHERE name = 'Mine' AND workspace = pg_temp.w()), %L, '8:00', recipients => '["a@b.c", "whk_none"]')$$, f)) e;
SELECT r.said, e.message FROM (VALUES ('{}'), ('[5]'), ('["a@b.c,d@e.f"]'), ('["a b@c.de"]'), ('["<a@b.c>"]'), ('["a@"]'), ('[null]')) AS r (said),
    pg_temp.faults(format($$SELECT leadanalytics.put_schedule(pg_temp.w(), (SELECT key FROM leadanalytics.reports WHERE name = 'Mine' AND workspace = pg_temp.w()), 'daily', '08:00', recipients => %L)$$, r.said)) e;

-- Which GET routes are no reports: a new one belongs here, or into src/schedule/type.sql.
SELECT r.path FROM leadanalytics.route r WHERE r.method = 'GET' AND r.builtin AND NOT EXISTS (SELECT FROM leadanalytics.report_type t WHERE t.path = r.path) ORDER BY r.path COLLATE "C";
SELECT t.path AS "none that writes or is a file" FROM leadanalytics.report_type t JOIN leadanalytics.route r ON r.method = 'GET' AND r.path = t.path WHERE r.writes OR r.sliced OR 'public' = ANY (r.roles);
SELECT t.name, t.path AS "without a summary" FROM leadanalytics.report_types t WHERE t.summary IS NULL OR t.parameters IS NULL;
-- Formats of their own are for types that write them.
SELECT leadanalytics.queue_export(:w, 'leads', 'html');
SELECT leadanalytics.queue_export(:w, 'report', 'ndjson');
