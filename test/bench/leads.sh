#!/bin/bash
# The leads list and its like among LA_BENCH_ROWS (a million) leads with half as many posts again, of one
# workspace beside a small one: milliseconds of a call by SQL, median of LA_BENCH_ROUNDS (7) after one to warm up,
# the total it answers, and 8 kB buffers that one call looked at. Statuses, projects and scores are skewed; one lead
# in five has follow-ups, two in three were seen. What a count of three million numbers takes is the yardstick of
# the machine at that moment.
# Run by ./leadanalytics bench leads, which starts the server and sets LA_*.
set -euo pipefail
rows=${LA_BENCH_ROWS:-1000000}
rounds=${LA_BENCH_ROUNDS:-7}

psql -h "$LA_SOCKET" -U postgres -d leadanalytics -X -q -At -F ' ' -v here="$LA_SOURCE/test/bench" -v rows="$rows" -v rounds="$rounds" <<'SQL'
SET client_min_messages = warning;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
SET maintenance_work_mem = '1GB';
SELECT leadanalytics.create_workspace('bench-leads') AS w \gset
SELECT leadanalytics.create_workspace('bench-leads-small') AS small \gset
CREATE SCHEMA bench;
CREATE TABLE bench.index AS
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
    WHERE indrelid IN ('leadanalytics.lead'::regclass, 'leadanalytics.lead_submission'::regclass) AND NOT indisprimary;
SELECT format('DROP INDEX %s', name) FROM bench.index \gexec
INSERT INTO leadanalytics.lead (workspace, enquiry_at, status, name, email, phone, phone_key, project, location, source, country, city, visitor_id,
    session_id, contact_ip, score, suspicion, form_submit_count, follow_ups_count, last_follow_up_at, first_seen_at, last_viewed_at)
SELECT CASE WHEN i % 1000 = 0 THEN :small ELSE :w END, at,
       (ARRAY['new', 'new', 'new', 'new', 'contacted', 'contacted', 'qualified', 'lost', 'lost', 'fake', 'proposal', 'won', 'unqualified'])[1 + floor(random() ^ 2 * 13)],
       first || ' ' || last, lower(first || '.' || last) || i % 100000 || '@' || (ARRAY['gmail.com', 'gmail.com', 'yahoo.com', 'example.com', 'corp' || i % 5000 || '.example'])[1 + floor(random() * 5)],
       phone, '91' || phone, 'Project ' || floor(random() ^ 3 * 200), 'Pune', (ARRAY['WebSite', 'JustLead', 'Whatsapp'])[1 + floor(random() ^ 2 * 3)], 'IN', 'Pune', md5(i::text),
       'session-' || i, '10.0.0.0'::inet + i, floor(random() ^ 2 * 101), floor(random() ^ 3 * 101), 1, follow_ups,
       CASE WHEN follow_ups > 0 THEN at + interval '1 day' END, CASE WHEN seen < 0.66 THEN at + interval '2 hours' END,
       CASE WHEN seen < 0.66 THEN at + CASE WHEN seen < 0.5 THEN interval '30 hours' ELSE '2 hours' END END
FROM (SELECT i, timestamptz '2026-11-01Z' - (:rows - i) * interval '5 seconds' AS at, random() AS seen, CASE WHEN random() < 0.2 THEN 1 + i % 3 ELSE 0 END AS follow_ups,
             (9000000000 + (i::bigint * 7919) % 1000000000)::text AS phone,
             (ARRAY['Rahul', 'Priya', 'Amit', 'Anna', 'John', 'Maria', 'Wei', 'Fatima', 'Lars', 'Olga'])[1 + floor(random() * 10)] AS first,
             (ARRAY['Sharma', 'Patel', 'Singh', 'Smith', 'Garcia', 'Chen', 'Ivanova', 'Khan', 'Berg', 'Kumar'])[1 + floor(random() * 10)] || chr(97 + i % 26) || chr(97 + i / 26 % 26) AS last
      FROM generate_series(1, :rows) AS i) AS r;
INSERT INTO leadanalytics.lead_submission (workspace, lead, submitted_at, is_primary, is_duplicate_window, name, email, phone, project, source, referer, cta_name,
    visitor_id, session_id, contact_ip, score, suspicion, time_to_submit, payload)
SELECT l.workspace, l.id, l.enquiry_at + n * interval '26 hours', n = 0, false, l.name, l.email, l.phone, l.project, l.source, 'https://example.com/', 'hero-form', l.visitor_id,
       l.session_id, l.contact_ip, l.score, l.suspicion, 20, json_build_object('FIRSTNAME', l.name, 'EMAIL', l.email, 'PHONE', l.phone, 'PROJECT', l.project)
FROM leadanalytics.lead l, generate_series(0, CASE WHEN l.id % 2 = 0 THEN 1 ELSE 0 END) AS n;
SELECT definition FROM bench.index \gexec
VACUUM (FREEZE, ANALYZE) leadanalytics.lead;
VACUUM (FREEZE, ANALYZE) leadanalytics.lead_submission;
SELECT leadanalytics.sum_tallies(now()) \g /dev/null
VACUUM ANALYZE leadanalytics.lead_tally;
\echo size of lead, its indexes, of them the search (MB)
SELECT pg_relation_size('leadanalytics.lead') / 1048576, pg_indexes_size('leadanalytics.lead') / 1048576, pg_relation_size('leadanalytics.lead_search') / 1048576;

\i :here/call.sql
CREATE TABLE bench.call (n int GENERATED ALWAYS AS IDENTITY, what text, arguments text);
INSERT INTO bench.call (what, arguments)
SELECT format('%s %s', sort, filter), format(', sort => %L%s', sort, arguments)
FROM unnest('{newest,oldest,last_follow_up,score_desc,score_asc,risk_desc,risk_asc,name_asc}'::text[]) WITH ORDINALITY AS s (sort, i),
     (VALUES (1, '', ''), (2, 'status=new', ', status => ''new'''), (3, 'status=lost', ', status => ''lost'''), (4, 'status=fake', ', status => ''fake'''),
             (5, 'has_follow_ups', ', has_follow_ups => true'), (6, 'seen=true', ', seen => true'), (7, 'seen=false', ', seen => false'),
             (8, 'status=won has_follow_ups seen=false', ', status => ''won'', has_follow_ups => true, seen => false')) AS f (j, filter, arguments)
ORDER BY i, j;
INSERT INTO bench.call (what, arguments)
SELECT format('q=%s %s', q, sort), format(', q => %L, sort => %L', q, sort)
FROM unnest('{9000007919,rahul.sharmaab,sharmaqx,4999,rahul sharma,lars,gmail,ra,a,zzz,@,olga bergzz}'::text[]) WITH ORDINALITY AS s (q, i), unnest('{newest,name_asc,risk_desc}'::text[]) WITH ORDINALITY AS t (sort, j)
ORDER BY i, j;
INSERT INTO bench.call (what, arguments) VALUES ('limit=100', ', "limit" => 100'), ('offset=1000', ', "offset" => 1000'), ('offset=100000', ', "offset" => 100000'),
    ('q=sharmaqx status=new', ', q => ''sharmaqx'', status => ''new'''), ('q=gmail seen=false', ', q => ''gmail'', seen => false');
\echo yardstick ms
SELECT (bench.measure('(SELECT json_build_object(''total'', count(*)) FROM generate_series(1, 3000000))', 3)).ms;
\echo leads: what ms total buffers
SELECT format('SELECT %L, (m).ms, (m).total, (m).buffers FROM bench.measure(%L, %s) AS m', what, format('leadanalytics.leads(%s%s)', :w, arguments), :rounds) FROM bench.call ORDER BY n \gexec
\echo yardstick ms
SELECT (bench.measure('(SELECT json_build_object(''total'', count(*)) FROM generate_series(1, 3000000))', 3)).ms;
\echo capture: what ms of CPU and waiting a post (commits do not wait for the disk)
SET synchronous_commit = off;
CREATE PROCEDURE bench.capture(workspace int, what text, n int) LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz := clock_timestamp();
BEGIN
    FOR i IN 1 .. n LOOP
        PERFORM leadanalytics.capture_lead(workspace, json_build_object('FIRSTNAME', 'Bench ' || i, 'EMAIL', 'bench' || i || '@example.com', 'PHONE', '555' || i, 'PROJECT', 'Project 7',
            '__visitor_id', md5('bench' || i), 'USER_MESSAGE', repeat('word ', 20), 'utm_source', 'mail', '__pg_tts', '25'), client_ip => '172.16.0.0'::inet + i, now => timestamptz '2026-11-10Z');
        COMMIT;
    END LOOP;
    RAISE WARNING '% %', what, round(extract(epoch FROM clock_timestamp() - begun) * 1000 / n, 2);
END
$$;
SET client_min_messages = warning;
SELECT format('CALL bench.capture(%s, %L, 2000)', :w, what) FROM unnest('{new,follow-up}'::text[]) AS what \gexec
\echo submissions: what ms total buffers
SELECT format('SELECT %L, (m).ms, (m).total, (m).buffers FROM bench.measure(%L, %s) AS m', what, format('leadanalytics.lead_submissions(%s%s)', :w, arguments), :rounds)
FROM (VALUES ('today', ', now => ''2026-10-30 12:00Z'''), ('a month', ', period => ''range'', date_from => ''2026-10-01'', date_to => ''2026-10-30'''),
             ('all', ', period => ''range'''), ('all, by email', ', period => ''range'', sort => ''contact_email'''), ('today, q=gmail', ', q => ''gmail'', now => ''2026-10-30 12:00Z''')) AS v (what, arguments) \gexec
SQL
