-- The dashboard, the key figures, counts of leads and what one lead did (S2-07, S2-10, S2-13, S2-14), beside plain SQL from
-- the rows, on data drawn at random.
\set QUIET 1
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'America/New_York'; -- which must not matter
SELECT setseed(0.42) \g /dev/null
SELECT leadanalytics.create_workspace('kpis') AS w \gset
SELECT leadanalytics.create_workspace('kpis-other') AS other \gset

-- Leads of three months, most with an id of their own, some with a source; how far they are, and on which way they came there.
INSERT INTO leadanalytics.lead (workspace, enquiry_at, external_id, status, name, source, visitor_id, session_id, score)
SELECT CASE WHEN i < 0 THEN :other ELSE :w END, date_trunc('milliseconds', timestamptz '2026-01-01 00:00Z' + random() * interval '90 days'), CASE WHEN i % 5 <> 4 THEN 'lead-' || i END,
    (ARRAY['new', 'new', 'contacted', 'qualified', 'proposal', 'won', 'won', 'lost', 'fake', 'unqualified'])[1 + floor(random() * 10)], 'Lead ' || i,
    (ARRAY['web', 'Web', 'ads', 'fair', NULL, 'ä'])[1 + floor(random() * 6)] || CASE WHEN i % 9 = 0 THEN ' ' || i % 7 ELSE '' END,
    CASE WHEN i % 3 = 0 THEN 'vis-' || i END, CASE WHEN i % 3 = 0 THEN 'session-' || i END, CASE WHEN i % 3 = 0 THEN floor(random() * 101) ELSE 0 END
FROM generate_series(-20, 299) AS i;
INSERT INTO leadanalytics.lead (workspace, enquiry_at, external_id, status) VALUES
    (:w, '2026-02-01 00:00Z', 'midnight', 'won'), (:w, '2026-01-31 23:59:59.999Z', 'before', 'new'), (:w, '2025-12-28 23:59:59.999Z', 'sunday', 'lost'), (:w, '2025-12-29 00:00Z', 'monday', 'won');
INSERT INTO leadanalytics.lead_status_change (workspace, lead, from_status, to_status, at)
SELECT l.workspace, l.id, NULL, 'new', l.enquiry_at FROM leadanalytics.lead l WHERE l.workspace IN (:w, :other);
INSERT INTO leadanalytics.lead_status_change (workspace, lead, from_status, to_status, at)
SELECT l.workspace, l.id, v.*
FROM leadanalytics.lead l
CROSS JOIN LATERAL (SELECT l.enquiry_at + random() * interval '5 days' + length(l.status) * interval '0 s' AS at) AS r
CROSS JOIN LATERAL (VALUES ('new', 'contacted', r.at), ('contacted', 'new', r.at + interval '1 hour'), ('new', l.status, r.at + interval '3 hours')) AS v
WHERE l.workspace IN (:w, :other) AND l.status <> 'new' AND (ascii(right(l.name, 1)) % 2 = 0 OR v.column1 = 'new' AND v.column2 = l.status);
INSERT INTO leadanalytics.lead_submission (workspace, lead, submitted_at, is_primary, is_duplicate_window, visitor_id, score, suspicion, payload)
SELECT l.workspace, l.id, l.enquiry_at + n * interval '3 days', n = 0, false, l.visitor_id, l.score, 0, '{}'
FROM leadanalytics.lead l, generate_series(0, 1) n WHERE l.workspace IN (:w, :other) AND ascii(right(l.name, 1)) % 2 = 0;

-- Mail: opened at once by machines and later by people, several times; bounced, answered.
SELECT leadanalytics.append_message_events(CASE WHEN n < 0 THEN :other ELSE :w END, array_agg(ROW(1, NULL, 'mail-' || n, e.kind, NULL, date_trunc('milliseconds', m.at + e.later), false, 'campaign-' || n % 3,
    NULL, NULL, NULL, CASE WHEN n % 50 <> 0 THEN 'lead-' || n % 60 END, NULL, NULL, CASE WHEN e.kind = 'b' THEN true END, NULL, NULL, CASE WHEN e.kind = 'c' THEN 'https://x.example/' || e.again END, NULL, NULL)::leadanalytics.message_item)) AS added
FROM generate_series(-10, 500) AS n
CROSS JOIN LATERAL (SELECT timestamptz '2026-01-02 00:00Z' + random() * interval '80 days' + n * interval '0 s' AS at, random() AS fate) AS m
CROSS JOIN LATERAL (
    SELECT 's' AS kind, interval '0' AS later, 0 AS again
    UNION ALL SELECT 'd', interval '10 seconds', 0 WHERE m.fate > 0.1
    UNION ALL SELECT 'b', interval '20 seconds', 0 WHERE m.fate <= 0.1
    UNION ALL SELECT 'o', interval '11 seconds', 0 WHERE m.fate BETWEEN 0.2 AND 0.5 -- a machine
    UNION ALL SELECT 'o', random() * 6 * interval '1 day' + interval '1 hour', k FROM generate_series(1, 3) AS k WHERE m.fate > 0.4
    UNION ALL SELECT 'c', random() * 6 * interval '1 day' + interval '1 hour', k FROM generate_series(1, 2) AS k WHERE m.fate > 0.7
    UNION ALL SELECT 'r', random() * 6 * interval '1 day' + interval '1 hour', 0 WHERE m.fate > 0.8) AS e
GROUP BY n < 0 ORDER BY n < 0 \g /dev/null

-- The web: by the lead's id, by its visitor, by nobody's, by robots; k says whose it is.
SELECT json_array_length(leadanalytics.track(v.workspace, json_build_object('events', (
    SELECT json_agg(json_strip_nulls(json_build_object('event_name', (ARRAY['page_view', 'page_visit', '$pageview', 'form_submission', 'signup', 'click'])[1 + floor(random() * 6)],
        'timestamp', leadanalytics.utc_milliseconds(timestamptz '2026-01-02 00:00Z' + random() * interval '80 days'),
        'user_id', CASE WHEN i % 4 = 0 THEN 'lead-' || i % 60 END, 'visitor_id', CASE i % 4 WHEN 1 THEN 'vis-' || i % 60 WHEN 2 THEN 'visitor-' || i END, 'session_id', CASE i % 4 WHEN 1 THEN 'of-' || i % 60 END,
        'event_data', json_build_object('url', 'https://x.example/', 'k', CASE WHEN i % 4 < 2 THEN i % 60 END)))) FROM generate_series(1, 900) i)),
    user_agent => v.agent, now => '2026-03-24 00:00Z', as_role => 'admin') -> 'rejected') AS rejected
FROM (VALUES (:w, 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36'), (:w, 'Googlebot/2.1 (+http://www.google.com/bot.html)'), (:other, NULL)) AS v (workspace, agent);

-- Ranges: whole days, ragged ones, months, the time clocks are set, nothing.
CREATE TEMP TABLE range AS SELECT row_number() OVER () AS n, starts::timestamptz, ends::timestamptz FROM (VALUES
    ('2026-01-01 00:00Z', '2026-02-01 00:00Z'), ('2026-02-01 00:00Z', '2026-03-01 00:00Z'), ('2026-01-01 00:00Z', '2026-04-01 00:00Z'), ('2025-12-15 00:00Z', '2026-04-15 00:00Z'),
    ('2026-01-10 07:31:12.345Z', '2026-02-17 19:00:00.001Z'), ('2026-02-03 01:00Z', '2026-02-03 02:00Z'), ('2026-03-07 00:00Z', '2026-03-10 00:00Z'), ('2026-02-28 23:00Z', '2026-03-01 01:00Z'),
    ('2026-01-31 23:59:59.999Z', '2026-02-01 00:00:00.001Z'), ('2027-01-01 00:00Z', '2027-01-08 00:00Z'), ('2026-02-01 12:00Z', '2026-02-01 12:00:00.001Z')) AS r (starts, ends);

-- The same from the rows.
CREATE TEMP TABLE said AS
SELECT e.message, m.lead, e.kind, e.at FROM leadanalytics.message_event e JOIN leadanalytics.message m ON m.workspace = e.workspace AND m.id = e.message
WHERE e.workspace = :w AND NOT (e.kind IN ('o', 'c') AND EXISTS (
    SELECT FROM leadanalytics.message_event s WHERE s.message = e.message AND s.kind IN ('s', 'd') AND e.at >= s.at AND e.at - s.at < current_setting('leadanalytics.machine_time')::interval));
CREATE TEMP TABLE fact AS SELECT s.message, s.lead, s.kind, min(s.at) AS at FROM said s GROUP BY s.message, s.lead, s.kind;
CREATE TEMP TABLE seen AS
SELECT e.at, CASE WHEN e.kind = 'p' THEN 'page_visit' ELSE 'form_submission' END AS type, e.data ->> 'k' AS k
FROM leadanalytics.event e JOIN leadanalytics.term t ON t.workspace = e.workspace AND t.id = e.name
WHERE e.workspace = :w AND NOT e.is_bot AND (e.kind = 'p' OR t.parts[1] = 'form_submission');
CREATE TEMP VIEW lead_said AS
SELECT l.*, CASE l.status WHEN 'won' THEN 'converted' WHEN 'fake' THEN 'unqualified' WHEN 'proposal' THEN 'qualified' ELSE l.status END AS said FROM leadanalytics.lead l WHERE l.workspace = :w;
ANALYZE said, fact, seen;
CREATE FUNCTION pg_temp.share(part bigint, whole bigint) RETURNS numeric LANGUAGE sql AS $$ SELECT CASE WHEN whole <= 0 THEN 0 ELSE least(100, round(100.0 * part / whole, 2)) END $$;

CREATE FUNCTION pg_temp.plain_counts(starts timestamptz, ends timestamptz, step text) RETURNS TABLE (d date, a bigint, b bigint, c bigint, d2 bigint, e bigint, f bigint, g bigint, h numeric) LANGUAGE sql AS $$
    SELECT s.d, count(l.id), count(l.id) FILTER (WHERE l.said = 'new'), count(l.id) FILTER (WHERE l.said = 'contacted'), count(l.id) FILTER (WHERE l.said = 'qualified'),
        count(l.id) FILTER (WHERE l.said = 'unqualified'), count(l.id) FILTER (WHERE l.said = 'converted'), count(l.id) FILTER (WHERE l.said = 'lost'),
        pg_temp.share(count(l.id) FILTER (WHERE l.said = 'converted'), count(l.id))
    FROM (SELECT DISTINCT CASE WHEN step IS NOT NULL THEN date_trunc(step, (h.at AT TIME ZONE 'UTC')::date)::date END AS d
          FROM (SELECT starts UNION ALL SELECT generate_series(starts, ends - interval '1 microsecond', '1 hour') UNION ALL SELECT ends - interval '1 microsecond') AS h (at)) AS s
    LEFT JOIN lead_said l ON l.enquiry_at >= starts AND l.enquiry_at < ends AND (step IS NULL OR date_trunc(step, l.enquiry_at AT TIME ZONE 'UTC')::date = s.d)
    GROUP BY s.d $$;
CREATE FUNCTION pg_temp.plain_numbers(starts timestamptz, ends timestamptz) RETURNS TABLE (a bigint, b bigint, c bigint, d bigint, e bigint, f numeric, g numeric, h numeric, i bigint, j bigint) LANGUAGE sql AS $$
    SELECT n.*, pg_temp.share(n.o, n.s - n.b), pg_temp.share(n.c, n.s - n.b), pg_temp.share(n.r, n.s - n.b),
        (SELECT count(*) FROM seen v WHERE v.at >= starts AND v.at < ends AND v.type = 'form_submission')
            + (SELECT count(*) FROM leadanalytics.lead_submission p JOIN lead_said l ON l.workspace = p.workspace AND l.id = p.lead WHERE p.submitted_at >= starts AND p.submitted_at < ends),
        (SELECT count(*) FROM seen v WHERE v.at >= starts AND v.at < ends AND v.type = 'page_visit')
    FROM (SELECT count(*) FILTER (WHERE kind = 's') AS s, count(*) FILTER (WHERE kind = 'b') AS b, count(*) FILTER (WHERE kind = 'o') AS o, count(*) FILTER (WHERE kind = 'c') AS c,
                 count(*) FILTER (WHERE kind = 'r') AS r FROM fact x WHERE x.at >= starts AND x.at < ends) AS n $$;
CREATE FUNCTION pg_temp.plain_kpis(starts timestamptz, ends timestamptz) RETURNS TABLE (key text, value numeric) LANGUAGE sql AS $$
    SELECT k.* FROM pg_temp.plain_counts(starts, ends, NULL) l, pg_temp.plain_numbers(starts, ends) n,
        (SELECT round(avg(extract(epoch FROM c.at - c.enquiry_at))) AS mean
         FROM (SELECT l.enquiry_at, (SELECT min(s.at) FROM leadanalytics.lead_status_change s WHERE s.workspace = l.workspace AND s.lead = l.id AND s.from_status = 'new' AND s.to_status <> 'fake') AS at
               FROM lead_said l WHERE l.enquiry_at >= starts AND l.enquiry_at < ends) AS c) AS f,
        LATERAL (VALUES ('newLeads', l.a), ('conversionRate', l.h), ('emailsSent', n.a), ('openRate', n.f), ('clickRate', n.g), ('replyRate', n.h), ('formSubmissions', n.i), ('pageVisits', n.j),
                        ('avgFirstResponseSeconds', f.mean)) AS k $$;

-- Both ways, whatever is folded and summed up, and from the rows alone.
CREATE PROCEDURE pg_temp.compare(w int, how text) LANGUAGE plpgsql AS $$
DECLARE
    wrong text[] := '{}';
    r record;
    s text;
    n int := 0;
BEGIN
    FOR r IN SELECT * FROM range LOOP
        FOREACH s IN ARRAY '{day,week,month,NULL}'::text[] LOOP
            n := n + 1;
            IF EXISTS (SELECT FROM (
                (SELECT * FROM leadanalytics.lead_counts_rows(w, r.starts, r.ends, s) EXCEPT ALL SELECT * FROM pg_temp.plain_counts(r.starts, r.ends, s))
                UNION ALL (SELECT * FROM pg_temp.plain_counts(r.starts, r.ends, s) EXCEPT ALL SELECT * FROM leadanalytics.lead_counts_rows(w, r.starts, r.ends, s))) AS d) THEN
                wrong := wrong || format('counts by %s of %s', s, r.n);
            END IF;
        END LOOP;
        IF EXISTS ((SELECT * FROM leadanalytics.engagement_numbers(w, r.starts, r.ends) EXCEPT SELECT * FROM pg_temp.plain_numbers(r.starts, r.ends))
                   UNION ALL (SELECT * FROM pg_temp.plain_numbers(r.starts, r.ends) EXCEPT SELECT * FROM leadanalytics.engagement_numbers(w, r.starts, r.ends))) THEN
            wrong := wrong || format('numbers of %s', r.n);
        END IF;
        IF EXISTS (
            WITH ours AS (SELECT * FROM leadanalytics.dashboard_rows(w, r.starts, r.ends)),
            plain AS (SELECT c.d, c.a, c.b, c.d2, c.f, c.g, count(f.at) FILTER (WHERE f.kind = 'o'), count(f.at) FILTER (WHERE f.kind = 'c'), count(f.at) FILTER (WHERE f.kind = 'r')
                      FROM pg_temp.plain_counts(r.starts, r.ends, 'day') c LEFT JOIN fact f ON f.at >= r.starts AND f.at < r.ends AND (f.at AT TIME ZONE 'UTC')::date = c.d GROUP BY 1, 2, 3, 4, 5, 6)
            (TABLE ours EXCEPT ALL TABLE plain) UNION ALL (TABLE plain EXCEPT ALL TABLE ours)) THEN
            wrong := wrong || format('dashboard of %s', r.n);
        END IF;
        IF EXISTS (
            WITH ours AS (SELECT * FROM leadanalytics.lead_sources_rows(w, r.starts, r.ends)),
            plain AS (SELECT l.source, count(*), count(*) FILTER (WHERE l.said = 'converted') FROM lead_said l WHERE l.enquiry_at >= r.starts AND l.enquiry_at < r.ends GROUP BY 1)
            (TABLE ours EXCEPT ALL TABLE plain) UNION ALL (TABLE plain EXCEPT ALL TABLE ours)) THEN
            wrong := wrong || format('sources of %s', r.n);
        END IF;
        IF EXISTS (
            WITH ours AS (SELECT k.key, k.value, k.previous, k.change_percent FROM leadanalytics.kpis_rows(w, r.starts, r.ends) k),
            plain AS (SELECT v.key, v.value, p.value, CASE WHEN p.value <> 0 THEN round(100 * (v.value - p.value) / p.value, 2) END
                      FROM pg_temp.plain_kpis(r.starts, r.ends) v JOIN pg_temp.plain_kpis(r.starts - make_interval(secs => extract(epoch FROM r.ends - r.starts)::float8), r.starts) p USING (key))
            (TABLE ours EXCEPT ALL TABLE plain) UNION ALL (TABLE plain EXCEPT ALL TABLE ours)) THEN
            wrong := wrong || format('kpis of %s', r.n);
        END IF;
    END LOOP;
    RAISE WARNING '% ranges and steps, %: % wrong %', n, how, cardinality(wrong), wrong;
END $$;
CALL pg_temp.compare(:w, 'nothing folded');
SELECT leadanalytics.fold(:w, '2026-12-01 00:00Z') > 0 AS folded, leadanalytics.sum_messages(now()) > 0 AS summed, leadanalytics.sum_tallies(now()) >= 0 AS tallied;
CALL pg_temp.compare(:w, 'folded');
SET leadanalytics.exact = on;
CALL pg_temp.compare(:w, 'from the rows');
RESET leadanalytics.exact;
-- A negative control: one row that the counts do not know of.
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE leadanalytics.lead SET status = 'won' WHERE workspace = :w AND external_id = 'before';
INSERT INTO leadanalytics.lead_submission (workspace, lead, submitted_at, is_primary, is_duplicate_window, score, suspicion, payload)
SELECT :w, l.id, '2026-01-15 12:00Z', false, false, 0, 0, '{}' FROM leadanalytics.lead l WHERE l.workspace = :w AND l.external_id = 'before';
CALL pg_temp.compare(:w, 'a form that is not counted');
ROLLBACK;

-- S2-10: every lead, in every range.
CREATE TEMP TABLE ours AS
SELECT r.n, i.k, e.* FROM range r CROSS JOIN (SELECT k, 'lead-' || k AS id FROM generate_series(0, 59) k) AS i
CROSS JOIN LATERAL leadanalytics.lead_engagement_rows(:w, i.id, r.starts, r.ends) e WHERE r.n IN (1, 4, 5, 6);
CREATE TEMP TABLE plain (LIKE ours);
INSERT INTO plain
SELECT r.n, i.k, 'lead-' || i.k,
    (SELECT l.score::int FROM lead_said l WHERE l.external_id = 'lead-' || i.k AND l.session_id IS NOT NULL),
    (SELECT CASE WHEN l.score <= 20 THEN 'Cold' WHEN l.score <= 45 THEN 'Warm' WHEN l.score <= 70 THEN 'Hot' ELSE 'Very Hot' END FROM lead_said l WHERE l.external_id = 'lead-' || i.k AND l.session_id IS NOT NULL),
    m.s, m.o, m.c, m.r, m.b, w.forms, w.visits, m.opened, pg_temp.share(f.o, f.s - f.b), pg_temp.share(f.c, f.s - f.b), pg_temp.share(f.r, f.s - f.b), least(m.first, w.first), greatest(m.last, w.last)
FROM range r CROSS JOIN generate_series(0, 59) AS i (k)
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE kind = 's') AS s, count(*) FILTER (WHERE kind = 'o') AS o, count(*) FILTER (WHERE kind = 'c') AS c, count(*) FILTER (WHERE kind = 'r') AS r,
        count(*) FILTER (WHERE kind = 'b') AS b, count(DISTINCT message) FILTER (WHERE kind = 'o') AS opened, min(at) FILTER (WHERE kind IN ('o', 'c', 'r')) AS first, max(at) FILTER (WHERE kind IN ('o', 'c', 'r')) AS last
    FROM said WHERE lead = 'lead-' || i.k AND at >= r.starts AND at < r.ends) AS m
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE kind = 's') AS s, count(*) FILTER (WHERE kind = 'o') AS o, count(*) FILTER (WHERE kind = 'c') AS c, count(*) FILTER (WHERE kind = 'r') AS r, count(*) FILTER (WHERE kind = 'b') AS b
    FROM fact WHERE lead = 'lead-' || i.k AND at >= r.starts AND at < r.ends) AS f
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE type = 'form_submission') AS forms, count(*) FILTER (WHERE type = 'page_visit') AS visits, min(at) AS first, max(at) AS last
    FROM (SELECT v.at, v.type FROM seen v
          WHERE v.k = i.k::text AND v.at >= r.starts AND v.at < r.ends
                AND (i.k % 4 = 0 OR EXISTS (SELECT FROM lead_said l WHERE l.external_id = 'lead-' || i.k AND l.visitor_id = 'vis-' || i.k)) -- a visitor whom nobody knows to be the lead is not the lead
          UNION ALL SELECT p.submitted_at, 'form_submission' FROM leadanalytics.lead_submission p JOIN lead_said l ON l.workspace = p.workspace AND l.id = p.lead
          WHERE l.external_id = 'lead-' || i.k AND p.submitted_at >= r.starts AND p.submitted_at < r.ends) AS d) AS w
WHERE r.n IN (1, 4, 5, 6);
SELECT (SELECT count(*) FROM (TABLE ours EXCEPT ALL TABLE plain) d) AS more, (SELECT count(*) FROM (TABLE plain EXCEPT ALL TABLE ours) d) AS less, count(*) AS of,
    sum(email_open) > sum(unique_opens) AS opened_again, count(*) FILTER (WHERE page_visit > 0) > 50 AS visited, count(*) FILTER (WHERE score IS NULL) > 0 AS unscored, max(open_rate) <= 100 AS capped FROM ours;

-- Of a lead without an id of another system, by its number.
SELECT l.id AS number FROM leadanalytics.lead l WHERE l.workspace = :w AND l.external_id IS NULL AND l.session_id IS NOT NULL AND ascii(right(l.name, 1)) % 2 = 0 ORDER BY l.id LIMIT 1 \gset
SELECT e.lead_id = :'number' AS itself, e.score = l.score AS score, e.form_submission >= 2 AS posted, e.email_sent
FROM leadanalytics.lead l, leadanalytics.lead_engagement_rows(:w, :'number', '2026-01-01 00:00Z', '2027-01-01 00:00Z') e WHERE l.workspace = :w AND l.id = :number;
-- Nobody: neither a lead nor an event; an event is enough. A lead of another workspace is nobody.
SELECT leadanalytics.lead_engagement(:w, 'nobody');
SELECT leadanalytics.lead_engagement(:w, 'lead--7');
SELECT leadanalytics.add_engagement(:w, 'email_sent', 'somebody', 'first', now => '2026-02-05 10:00Z') IS NOT NULL AS sent;
SELECT e.value FROM json_each(leadanalytics.lead_engagement(:w, 'somebody', '2026-01-01', '2026-01-31')) e WHERE e.key IN ('leadId', 'counts', 'timeline', 'score');

-- The bodies: what is shown is what the rows say.
SELECT d.value FROM json_each(leadanalytics.dashboard(:w, '2026-02-01', '2026-02-02')) d WHERE d.key IN ('leads', 'trend', 'topSources');
SELECT b.body #>> '{engagement,emailsSent}' = n.emails_sent::text AND b.body #>> '{engagement,formSubmissions}' = n.form_submissions::text AND b.body #>> '{engagement,pageVisits}' = n.page_visits::text
       AND b.body #>> '{engagement,openRate}' = n.open_rate::text AND b.body #>> '{engagement,clickRate}' = n.click_rate::text AND b.body #>> '{engagement,replyRate}' = n.reply_rate::text AS engagement,
       json_array_length(b.body -> 'recentActivity') AS recent, json_array_length(b.body -> 'trend') AS days, b.body ->> 'conversionRate' = c.conversion_rate::text AS rate
FROM leadanalytics.dashboard(:w, '2026-01-01', '2026-02-28') AS b (body), leadanalytics.engagement_numbers(:w, '2026-01-01 00:00Z', '2026-03-01 00:00Z') n, leadanalytics.lead_counts_rows(:w, '2026-01-01 00:00Z', '2026-03-01 00:00Z') c;
SELECT k.value -> 'key' AS key, k.value -> 'label' AS label, k.value -> 'unit' AS unit, k.value ->> 'value' IS NULL AS none, k.value -> 'changePercent' AS change FROM json_array_elements(leadanalytics.kpis(:w, '2027-01-01', '2027-01-31')) k;
SELECT s.* FROM json_each(leadanalytics.lead_analytics(:other, '2027-01-01', '2027-01-10', 'week')) s;
SELECT leadanalytics.lead_conversion_rate(:w, '2026-02-01', '2026-02-01');
SELECT convert_from(body, 'UTF8') FROM leadanalytics.lead_report(:w, '2025-12-28', '2025-12-31', 'week', 'csv');
SELECT status, convert_from(body, 'UTF8') FROM leadanalytics.lead_report(:w, '2025-12-28', '2025-12-31', 'week');

-- How long a series may be, and how far back a comparison goes.
CREATE FUNCTION pg_temp.says(question text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    why text;
BEGIN
    EXECUTE question;
    RETURN 'fine';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS why = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' ', SQLSTATE, SQLERRM, why);
END $$;
SELECT v.*, pg_temp.says(format('SELECT * FROM leadanalytics.lead_analytics(%s, %L, %L, %L)', :w, f, t, s)) AS leads, pg_temp.says(format('SELECT leadanalytics.kpis(%s, %L, %L)', :w, f, t)) AS kpis
FROM (VALUES ('2025-01-01', '2026-02-04', 'day'), ('2025-01-01', '2026-02-05', 'day'), ('2018-01-01', '2025-08-31', 'week'), ('2018-01-01', '2025-09-01', 'week'), ('1990-01-01', '2020-01-01', 'month'), ('0001-01-01', '9999-12-31', 'month'),
    ('2026-01-01', '2025-01-01', 'day'), ('x', NULL, 'day'), ('2026-01-01', '2026-02-30', NULL), ('2026-01-01', '2026-01-02', 'year')) AS v (f, t, s);
