-- S1-09 … S1-14, S1-30 … S1-54, L1 … L9: enquiries, from the form to the pipeline.
\set SHOW_CONTEXT never
\set VERBOSITY default
SET client_min_messages = warning;
SET timezone = 'Australia/Lord_Howe';
SELECT leadanalytics.create_workspace('leads', 'Leads') AS w \gset
SELECT leadanalytics.create_workspace('leads-other', 'Other') AS other \gset
SELECT leadanalytics.create_site(:w, 'leads-site', '{example.com}', 'https://example.com/thanks') AS site,
       leadanalytics.create_form(:w, 'leads-site', 'hero') AS hero,
       leadanalytics.create_form(:w, 'leads-site', 'own', 'https://example.com/own') AS own \gset
CREATE FUNCTION pg_temp.capture(fields text, ip inet DEFAULT '198.51.100.20', at timestamptz DEFAULT '2026-02-23 11:15:00Z', w text DEFAULT 'leads')
RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', r.status, r.headers::json ->> 'Location', convert_from(r.body, 'UTF8'))
    FROM leadanalytics.capture_lead((SELECT id FROM leadanalytics.workspaces WHERE slug = w), fields::json, client_ip => ip, user_agent => 'test',
                                    referer => 'https://example.com/sky-towers', now => at) AS r
$$;

-- S1-09, S1-11 the document's example, from rows
SELECT leadanalytics.track(:w, json_build_object('events', json_agg(json_build_object('event_name', CASE WHEN i = 1 THEN 'page_view' WHEN i = 2 THEN 'scroll' ELSE 'click' END,
           'visitor_id', 'abc123', 'session_id', 'session_123', 'timestamp', timestamptz '2026-02-23 11:13:00Z' + (i - 1) * interval '80 s' / 18,
           'event_data', json_build_object('url', CASE WHEN i = 19 THEN 'https://example.com/thank-you' ELSE 'https://example.com/sky-towers' END, 'scroll_percent', CASE WHEN i = 2 THEN 100 END)))),
       now => '2026-02-23 11:15:00Z') ->> 'accepted' AS events
FROM generate_series(1, 19) AS i;
SELECT pg_temp.capture('{"FIRSTNAME":"Rahul Sharma","EMAIL":"rahul@example.com","PHONE":"9876543210","PROJECT":"Sky Towers","LOCATION":"Pune","SOURCE":"WebSite","COUNTRYCODE":"+91","CTA":"hero-form","__visitor_id":"abc123","__pg_tts":"31.5"}');
SELECT min(id) AS rahul FROM leadanalytics.lead WHERE workspace = :w \gset
SELECT pg_temp.capture('{"FIRSTNAME":"Rahul S.","EMAIL":" RAHUL@example.com ","PHONE":"111","PROJECT":" sky towers ","USER_MESSAGE":"still there?","__visitor_id":"abc123"}', '198.51.100.21', '2026-02-24 09:30:00Z');
SELECT jsonb_pretty(leadanalytics.leads(:w)::jsonb - '{}'::text[]) AS leads;
SELECT jsonb_pretty(leadanalytics.lead(:w, :rahul, now => '2026-02-25 00:00:00.1234Z')::jsonb) AS detail;
SELECT topic, created_at AT TIME ZONE 'UTC' AS created_at, body FROM leadanalytics.outbox WHERE workspace = :w ORDER BY id;

-- L4 the visitor's latest session; the address's only for a visitor who is named and has none
SELECT leadanalytics.track(:w, '{"events":[{"event_name":"scroll","visitor_id":"ip-visitor","session_id":"ip-session","event_data":{"scroll_percent":100}}]}', client_ip => '203.0.113.50', now => '2026-02-23 10:00Z') ->> 'accepted' AS event;
UPDATE leadanalytics.session SET vpn_score = 51 WHERE workspace = :w AND session_id = 'ip-session';
SELECT v, ip, s.session_id, s.score, s.vpn_score FROM (VALUES ('abc123', inet '203.0.113.50'), ('ip-visitor', NULL), ('nobody', '203.0.113.50'), (NULL, '203.0.113.50'), ('nobody', '203.0.113.51'), ('nobody', NULL)) AS q (v, ip), leadanalytics.latest_session(:w, v, ip) AS s;
SELECT pg_temp.capture(f, '203.0.113.50', '2026-02-23 10:05Z') FROM unnest(ARRAY['{"FIRSTNAME":"named","PROJECT":"L4","__visitor_id":"nobody"}', '{"FIRSTNAME":"unnamed","EMAIL":"l4@x.example","PROJECT":"L4"}']) AS f;
SELECT name, session_id, score, suspicion FROM leadanalytics.lead WHERE workspace = :w AND project = 'L4' ORDER BY id;
SELECT jsonb_path_query_array(leadanalytics.lead(:w, max(id))::jsonb, '$.sessions[*].session_id') AS by_post FROM leadanalytics.lead WHERE workspace = :w AND project = 'L4' AND name = 'named';
DELETE FROM leadanalytics.lead WHERE workspace = :w AND project = 'L4';

-- S1-11, D-11 … D-13 seen: the first view stays, what comes after the last view needs review again
CREATE FUNCTION pg_temp.seen(w int, lead bigint) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', l ->> 'seen_at', l ->> 'needs_review', l ->> 'follow_ups_count', l ->> 'last_follow_up_at')
    FROM json_array_elements(leadanalytics.leads(w) -> 'leads') AS l WHERE (l ->> 'lead_id')::bigint = lead
$$;
SELECT pg_temp.seen(:w, :rahul);
SELECT pg_temp.capture('{"EMAIL":"rahul@example.com","PROJECT":"Sky Towers"}', at => '2026-02-25 08:00Z');
SELECT pg_temp.seen(:w, :rahul);
SELECT leadanalytics.lead(:w, :rahul, now => '2026-02-26 00:00Z') -> 'lead' ->> 'needs_review' AS needs_review, pg_temp.seen(:w, :rahul);
-- a post that was on its way while somebody looked was not seen
SELECT pg_temp.capture('{"EMAIL":"rahul@example.com","PROJECT":"Sky Towers"}', at => '2026-02-25 23:59:59Z');
SELECT pg_temp.seen(:w, :rahul);
SELECT leadanalytics.lead(:w, 0);
SELECT leadanalytics.lead(:other, :rahul);

-- L3 identity: visitor, then e-mail address, then number, within a project
SELECT pg_temp.capture(f, at => '2026-03-01Z') FROM unnest(ARRAY[
    '{"FIRSTNAME":"a","EMAIL":"a@x.example","__visitor_id":"va","PROJECT":"P"}',
    '{"FIRSTNAME":"b","PHONE":"+49 (170) 1","PROJECT":"P"}',
    '{"FIRSTNAME":"a by visitor","EMAIL":"b@x.example","PHONE":"+491702","__visitor_id":"va","PROJECT":"p"}',
    '{"FIRSTNAME":"a by e-mail","EMAIL":"A@X.example","__visitor_id":"vb","PROJECT":"P"}',
    '{"FIRSTNAME":"b by number","PHONE":"1701","COUNTRYCODE":"+49","PROJECT":"P"}',
    '{"FIRSTNAME":"b by number","PHONE":"00491701","PROJECT":"P"}',
    '{"FIRSTNAME":"another project","EMAIL":"a@x.example","__visitor_id":"va","PROJECT":"Q"}',
    '{"FIRSTNAME":"no project","EMAIL":"a@x.example","__visitor_id":"va"}']) AS f;
SELECT l.name, l.project, l.email, l.phone, l.visitor_id, string_agg(s.name, ', ' ORDER BY s.id) AS posts
FROM leadanalytics.lead l JOIN leadanalytics.lead_submission s ON s.workspace = l.workspace AND s.lead = l.id
WHERE l.workspace = :w AND l.id > :rahul GROUP BY l.workspace, l.id ORDER BY l.id;
-- the address, only for who says nothing else
SELECT pg_temp.capture('{"FIRSTNAME":"nobody","PROJECT":"P"}', '203.0.113.1', '2026-03-01Z');
SELECT pg_temp.capture('{"FIRSTNAME":"nobody again","PROJECT":"P"}', '::ffff:203.0.113.1', '2026-03-01Z');
SELECT pg_temp.capture('{"FIRSTNAME":"somebody","EMAIL":"s@x.example","PROJECT":"P"}', '203.0.113.1', '2026-03-01Z');
SELECT name, follow_ups_count, contact_ip FROM leadanalytics.lead WHERE workspace = :w AND contact_ip = '203.0.113.1' ORDER BY id;
-- D-78 a follow-up fills what is empty and changes nothing that is filled
SELECT pg_temp.capture('{"FIRSTNAME":"later","EMAIL":"late@x.example","PHONE":"5","COUNTRYCODE":"+1","__visitor_id":"vz","LOCATION":"x","SOURCE":"y","PROJECT":"P"}', '203.0.113.1', '2026-03-02Z');
SELECT pg_temp.capture('{"PROJECT":"R","__visitor_id":"vr"}', '203.0.113.2', '2026-03-01 00:00Z');
SELECT pg_temp.capture('{"PROJECT":"R","__visitor_id":"vr","FIRSTNAME":"r","EMAIL":"r@x.example","PHONE":"5","COUNTRYCODE":"+1","LOCATION":"x","SOURCE":"y"}', '203.0.113.3', '2026-03-01 01:00Z');
SELECT pg_temp.capture('{"PROJECT":"R","__visitor_id":"vr","FIRSTNAME":"s","EMAIL":"s@x.example","PHONE":"6","COUNTRYCODE":"+2"}', '203.0.113.3', '2026-03-02 01:00:01Z');
SELECT enquiry_at AT TIME ZONE 'UTC' AS enquiry_at, name, email, phone, phone_key, location, source, contact_ip, form_submit_count, suspicion, follow_ups_count
FROM leadanalytics.lead WHERE workspace = :w AND project = 'R';
-- D-20 within 24 hours of an earlier post no webhook; after them one again
SELECT is_primary, is_duplicate_window, submitted_at AT TIME ZONE 'UTC' AS submitted_at FROM leadanalytics.lead_submission WHERE workspace = :w AND project = 'R' ORDER BY id;
SELECT topic, body -> 'status' ->> 'is_duplicate' AS is_duplicate, body -> 'contact' ->> 'name' AS name FROM leadanalytics.outbox WHERE workspace = :w AND body -> 'project' ->> 'name' = 'R' ORDER BY id;
SELECT body -> 'context' -> 'related_projects' AS related FROM leadanalytics.outbox WHERE workspace = :w AND body -> 'contact' ->> 'name' IN ('another project', 'no project') ORDER BY id;

-- L6
SELECT leadanalytics.suspicion_score(false, NULL, 50, 0, 1, false) AS none,
       leadanalytics.suspicion_score(true, NULL, 50, 0, 1, false) AS honeypot,
       leadanalytics.suspicion_score(false, 4.99, 50, 0, 1, false) AS "4.99 s", leadanalytics.suspicion_score(false, 5, 50, 0, 1, false) AS "5 s",
       leadanalytics.suspicion_score(false, 10, 50, 0, 1, false) AS "10 s", leadanalytics.suspicion_score(false, 10.01, 50, 0, 1, false) AS "10.01 s",
       leadanalytics.suspicion_score(false, NULL, NULL, NULL, 1, false) AS "no session", leadanalytics.suspicion_score(false, NULL, 0, 0, 1, false) AS "score 0",
       leadanalytics.suspicion_score(false, NULL, 50, 20, 1, false) AS "vpn 20", leadanalytics.suspicion_score(false, NULL, 50, 21, 1, false) AS "vpn 21",
       leadanalytics.suspicion_score(false, NULL, 50, 50, 1, false) AS "vpn 50", leadanalytics.suspicion_score(false, NULL, 50, 51, 1, false) AS "vpn 51",
       leadanalytics.suspicion_score(false, NULL, 50, 0, 2, false) AS second, leadanalytics.suspicion_score(false, NULL, 50, 0, 3, false) AS third,
       leadanalytics.suspicion_score(false, NULL, 50, 0, 1, true) AS competitor, leadanalytics.suspicion_score(true, 0, NULL, 100, 9, true) AS everything;
SELECT leadanalytics.add_lead_rule(:w, 'competitor_domain', ' Rival.example '), leadanalytics.add_lead_rule(:w, 'competitor_domain', 'rival.example');
SELECT pg_temp.capture(format('{"FIRSTNAME":"c","PROJECT":"C","__pg_tts":"20","EMAIL":"%s"}', e), ip, '2026-04-01Z')
FROM (VALUES ('a@rival.example', inet '203.0.113.11'), ('a@mail.RIVAL.example', '203.0.113.12'), ('a@notrival.example', '203.0.113.13'), ('rival.example', '203.0.113.14')) AS v (e, ip);
SELECT email, suspicion FROM leadanalytics.lead WHERE workspace = :w AND project = 'C' ORDER BY id;
-- form_submit_count: 24 hours, the same visitor or the same address
SELECT pg_temp.capture(format('{"FIRSTNAME":"d","PROJECT":"D %s","__visitor_id":"%s"}', at, v), ip, at)
FROM (VALUES ('d1', inet '203.0.113.21', timestamptz '2026-04-01 00:00Z'), ('d1', '203.0.113.22', '2026-04-01 12:00Z'), ('d2', '203.0.113.22', '2026-04-01 13:00Z'), ('d1', '203.0.113.23', '2026-04-02 00:00Z')) AS v (v, ip, at);
SELECT visitor_id, contact_ip, form_submit_count FROM leadanalytics.lead WHERE workspace = :w AND project LIKE 'D %' ORDER BY id;

-- D-18, D-19, L8 what is kept apart
SELECT leadanalytics.whitelist_ip(:w, '192.0.2.1', usage => 'test'), leadanalytics.whitelist_ip(:w, '192.0.2.2', usage => 'internal'), leadanalytics.block_ip(:w, '192.0.2.3', 'Spam');
SELECT leadanalytics.add_lead_rule(:w, 'test_text', 'QA-Team');
SELECT pg_temp.capture(format('{"FIRSTNAME":"%s","EMAIL":"k@x.example","PHONE":"7","COUNTRYCODE":"+91","PROJECT":"K","SOURCE":"WebSite"%s}', name, more), ip::inet, '2026-05-01Z')
FROM (VALUES ('test address', '192.0.2.1', ''), ('blocked', '192.0.2.3', ''), ('blocked bot', '192.0.2.3', ',"__pg_hp":"x"'), ('a qa-team post', '192.0.2.4', ''),
             ('qa-team bot', '192.0.2.4', ',"__pg_hp":"x"'), ('blocked qa-team', '192.0.2.3', ''), ('bot', '192.0.2.5', ',"__pg_hp":"x"'), ('internal bot', '192.0.2.2', ',"__pg_hp":"x"'),
             ('again', '192.0.2.5', ''), ('empty honeypot', '192.0.2.6', ',"__pg_hp":" "'), ('internal', '192.0.2.2', '')) AS v (name, ip, more);
SELECT list, name, ip FROM leadanalytics.rejected_lead WHERE workspace = :w ORDER BY id;
SELECT ip, policy, reason, referer, listed_at AT TIME ZONE 'UTC' AS listed_at FROM leadanalytics.listed_ip WHERE workspace = :w AND ip << '192.0.2.0/24' AND reason = 'Honeypot' ORDER BY ip;
SELECT name, contact_ip FROM leadanalytics.lead WHERE workspace = :w AND project = 'K' ORDER BY id;
SELECT topic, body -> 'contact' ->> 'name' AS name, body -> 'status' ->> 'test_lead' AS test_lead FROM leadanalytics.outbox WHERE workspace = :w AND body -> 'project' ->> 'name' = 'K' ORDER BY id;
SET leadanalytics.bot_lead_detection = off;
SELECT pg_temp.capture('{"FIRSTNAME":"bot let in","PROJECT":"B","__pg_hp":"x"}', '192.0.2.9', '2026-05-01Z');
RESET leadanalytics.bot_lead_detection;
SELECT l.name, l.suspicion, s.is_bot, o.body -> 'status' ->> 'is_bot_lead' AS is_bot_lead
FROM leadanalytics.lead l JOIN leadanalytics.lead_submission s ON s.workspace = l.workspace AND s.lead = l.id
JOIN leadanalytics.outbox o ON o.workspace = l.workspace AND (o.body -> 'identity' ->> 'lead_id')::bigint = l.id WHERE l.workspace = :w AND l.project = 'B';
SELECT leadanalytics.remove_lead_rule(:w, 'test_text', 'qa-team'), leadanalytics.remove_lead_rule(:w, 'test_text', 'qa-team');

-- S1-30 … S1-33, D-25, D-26
SELECT leadanalytics.blocked_ip_leads(:w, "limit" => 1);
SELECT leadanalytics.testing_leads(:w, "limit" => 1, as_role => 'marketing');
SELECT f ->> 'total' AS total, (SELECT string_agg(l ->> 'contact_name', ', ') FROM json_array_elements(f -> 'blocked_ip_leads') AS l) AS names
FROM unnest(ARRAY[leadanalytics.blocked_ip_leads(:w), leadanalytics.blocked_ip_leads(:w, ip => '.5'), leadanalytics.blocked_ip_leads(:w, ip => '', q => '.2.3', "offset" => 1),
                  leadanalytics.blocked_ip_leads(:w, ip => '%')]) AS f;
SELECT period, days, leadanalytics.blocked_ip_leads(:w, period => period, now => timestamptz '2026-05-01 23:59:59Z' + days * interval '1 day') ->> 'total' AS total
FROM (VALUES ('today', -1), ('today', 0), ('today', 1), ('yesterday', 0), ('yesterday', 1), ('yesterday', 2), ('past_7_days', 6), ('past_7_days', 7), ('past_14_days', 13), ('past_14_days', 14),
             ('past_30_days', 29), ('past_30_days', 30), ('all', 99), ('what', 99)) AS v (period, days);
SELECT min(id) AS blocked FROM leadanalytics.rejected_lead WHERE workspace = :w AND list = 'blocked' \gset
SELECT leadanalytics.delete_blocked_ip_leads(:w, json_build_array(:blocked, :blocked, :blocked + 1, 0)), leadanalytics.delete_testing_leads(:w, json_build_array(:blocked + 2)),
       leadanalytics.delete_blocked_ip_leads(:other, json_build_array(:blocked + 1));
SELECT leadanalytics.delete_blocked_ip_leads(:w, json_build_array(:blocked)), leadanalytics.blocked_ip_leads(:w) ->> 'total' AS total,
       (SELECT count(*) FROM leadanalytics.rejected_lead WHERE workspace = :w AND list = 'blocked') AS kept;
CREATE FUNCTION pg_temp.error(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT ids, pg_temp.error(format('SELECT leadanalytics.delete_testing_leads(%s, %L)', :w, CASE ids WHEN '101' THEN to_json(array_fill(1, ARRAY[101])) ELSE ids::json END))
FROM unnest(ARRAY['[]', '[1.5]', '["1"]', '[null]', '{}', '1', '101', '[99999999999999999999]', '[1]', '[true]', NULL]) AS ids;

-- S1-12, D-62 status and its history
SELECT status, pg_temp.error(format('SELECT leadanalytics.set_lead_status(%s, %s, %L, 7, %L)', :w, :rahul, status, '2026-03-03Z'))
FROM unnest(ARRAY['Contacted', 'contacted', 'PROPOSAL', 'lost', 'unqualified', 'converted', '', NULL]) AS status;
SELECT pg_temp.error(format('SELECT leadanalytics.set_lead_status(%s, 0, %L)', :w, 'won')) AS nobody, pg_temp.error(format('SELECT leadanalytics.set_lead_status(%s, %s, %L)', :other, :rahul, 'won')) AS foreign;
SELECT from_status, to_status, at AT TIME ZONE 'UTC' AS at, key FROM leadanalytics.lead_status_change WHERE workspace = :w AND lead = :rahul ORDER BY id;
SELECT count(*) = (SELECT count(*) FROM leadanalytics.lead WHERE workspace = :w) AS all_begin FROM leadanalytics.lead_status_change WHERE workspace = :w AND from_status IS NULL;
UPDATE leadanalytics.lead SET status = 'unqualified' WHERE workspace = :w AND id = :rahul;
SELECT leadanalytics.leads(:w, status => 'Lost') -> 'leads' -> 0 ->> 'status' AS shown, leadanalytics.leads(:w, status => 'lost') ->> 'total' AS lost,
       leadanalytics.leads(:w, status => 'unqualified') AS unknown;

-- S1-10, S1-13, S1-14
SELECT leadanalytics.recent_lead_submissions(:w, 2);
SELECT leadanalytics.lead_submissions(:w, now => '2026-02-24 23:59:59Z');
SELECT leadanalytics.lead_submissions(:w, now => '2026-02-24 23:59:59Z', as_role => 'marketing');
SELECT what, s ->> 'total' AS total, (SELECT string_agg(l ->> 'contact_name', ', ') FROM json_array_elements(s -> 'submissions') AS l) AS names FROM (VALUES
    ('yesterday', leadanalytics.lead_submissions(:w, 'yesterday', now => '2026-02-25Z')),
    ('unknown period: today', leadanalytics.lead_submissions(:w, 'week', now => '2026-02-23 00:00Z')),
    ('range, both days in', leadanalytics.lead_submissions(:w, 'range', '2026-02-23', '2026-02-24')),
    ('range, to the second', leadanalytics.lead_submissions(:w, 'range', '2026-02-23T11:15:00Z', '2026-02-24T09:30:00Z')),
    ('range, a second later', leadanalytics.lead_submissions(:w, 'range', '2026-02-23T11:15:01Z', '2026-02-24T09:29:59.999Z')),
    ('range, an offset', leadanalytics.lead_submissions(:w, 'range', '2026-02-23T16:45:00+05:30', '2026-02-23T16:45:00 05:30')),
    ('range, open at its end', leadanalytics.lead_submissions(:w, 'range', '2026-05-01', "limit" => 2)),
    ('range, open at its start', leadanalytics.lead_submissions(:w, 'range', date_to => '2026-02-23')),
    ('range, backwards', leadanalytics.lead_submissions(:w, 'range', '2026-02-24', '2026-02-23')),
    ('payload', leadanalytics.lead_submissions(:w, 'range', q => 'STILL there')),
    ('payload, marketing', leadanalytics.lead_submissions(:w, 'range', q => 'still there', as_role => 'marketing')),
    ('project, marketing', leadanalytics.lead_submissions(:w, 'range', '2026-02-23', '2026-02-24', q => 'sky tow', as_role => 'marketing')),
    ('by project', leadanalytics.lead_submissions(:w, 'range', '2026-04-01', '2026-05-02', sort => 'project_name', "order" => 'asc', "limit" => 6)),
    ('by e-mail, descending', leadanalytics.lead_submissions(:w, 'range', '2026-02-23', '2026-03-01', sort => 'contact_email', "limit" => 4)),
    ('oldest first', leadanalytics.lead_submissions(:w, 'range', "order" => 'asc', "limit" => 3, "offset" => 1))) AS v (what, s);
SELECT bound, pg_temp.error(format('SELECT leadanalytics.lead_submissions(%s, %L, %L)', :w, 'range', bound)) FROM unnest('{x,2026-02-30,2026-2-3,2026-02-03T25:00:00Z,infinity,now,0000-01-01}'::text[]) AS bound;
SELECT leadanalytics.lead_projects(:w), leadanalytics.lead_sources(:w), leadanalytics.lead_projects(:other);

-- D-23, S1-40 … S1-46
SELECT leadanalytics.engine_submissions_daily(:w, 90, now => '2026-05-01 23:00Z');
SELECT leadanalytics.engine_submissions_daily(:w, 30, now => '2026-04-30 00:00Z') AS of_30_days, leadanalytics.engine_submissions_daily(:w, 29, now => '2026-04-30 00:00Z') AS of_29;
SELECT leadanalytics.engine_by_project(:w, 90, now => '2026-03-02Z'), leadanalytics.engine_by_source(:w, 90, now => '2026-03-02Z'), leadanalytics.engine_by_engagement(:w, 90, now => '2026-03-02Z');
SELECT leadanalytics.engine_overview(:w, 7, now => '2026-02-26Z'), leadanalytics.engine_overview(:w, 7, 'SKY towers', 'website', 'hot', now => '2026-02-26Z'), leadanalytics.engine_overview(:other);
SELECT leadanalytics.engine_projects(:w, 90, now => '2026-03-02Z'), leadanalytics.engine_sources(:w, 90, now => '2026-03-02Z'), leadanalytics.engine_sources(:w, 90, engagement_label => 'Lukewarm', now => '2026-03-02Z') AS unknown;
SET leadanalytics.engine_enabled = off;
SELECT pg_temp.error(format('SELECT leadanalytics.engine_%s(%s)', f, :w)) FROM unnest('{submissions_daily,by_project,by_source,by_engagement,overview,projects,sources}'::text[]) AS f;
RESET leadanalytics.engine_enabled;

-- S1-50 … S1-54
SELECT leadanalytics.create_dropdown_option(:w, 'source', 'Website') ->> 'id' AS website \gset
SELECT (leadanalytics.create_dropdown_option(:w, k, v, l, o)::jsonb - 'id') AS option FROM (VALUES ('source', 'JustLead', 'Just Lead', -1), ('source', 'Whatsapp', 'A', 0), ('city', 'Pune', NULL, NULL)) AS v (k, v, l, o);
SELECT regexp_replace(leadanalytics.dropdown_options(:w)::text, '"id" : \d+', '"id" : n', 'g') AS all_of_them, leadanalytics.dropdown_options(:w, 'country') AS one_kind, leadanalytics.dropdown_options(:w, 'x') AS unknown;
SELECT leadanalytics.update_dropdown_option(:w, :website, label => 'Web site', sort_order => 5)::jsonb - 'id' AS changed;
SELECT pg_temp.error(format('SELECT leadanalytics.' || c, :w, :website)) FROM (VALUES
    (1, 'create_dropdown_option(%1$s, ''source'', ''Website'')'), (2, 'create_dropdown_option(%1$s, ''planet'', ''x'')'), (3, 'create_dropdown_option(%1$s, ''city'', NULL)'), (4, 'create_dropdown_option(%1$s, NULL, ''x'')'),
    (5, 'update_dropdown_option(%1$s, %2$s, ''Whatsapp'')'), (6, 'update_dropdown_option(%1$s, %2$s)'), (7, 'update_dropdown_option(%1$s, 0, ''x'')'), (8, 'dropdown_option(%1$s, 0)'), (9, 'delete_dropdown_option(%1$s, 0)'),
    (10, 'delete_dropdown_option(%1$s, %2$s)'), (11, 'delete_dropdown_option(%1$s, %2$s)')) AS v (n, c) ORDER BY n;

-- S1-A3 by SQL: a role granted as marketing is marketing, whatever it says
CREATE ROLE leads_marketing IN ROLE leadanalytics_write;
CREATE ROLE leads_analyst IN ROLE leadanalytics_write;
SELECT leadanalytics.grant_workspace(:w, 'leads_marketing', 'marketing'), leadanalytics.grant_workspace(:w, 'leads_analyst');
SELECT min(id) AS one FROM leadanalytics.lead WHERE workspace = :w \gset
SET ROLE leads_marketing;
SELECT c, pg_temp.error(format('SELECT leadanalytics.' || c, :w, :one)) FROM unnest(ARRAY['leads(%1$s)', 'leads(%1$s, as_role => ''admin'')', 'lead(%1$s, %2$s)', 'lead(%1$s, %2$s, as_role => ''admin'')', 'leads_rows(%1$s)', 'set_lead_status(%1$s, %2$s, ''won'')',
    'recent_lead_submissions(%1$s)', 'dropdown_options(%1$s)', 'create_dropdown_option(%1$s, ''city'', ''x'')', 'dropdown_option(%1$s, 1)', 'lead_projects(%1$s)', 'lead_submissions(%1$s)', 'engine_overview(%1$s)']) AS c;
SELECT s ->> 'contact_email' AS email, s ->> 'contact_phone' AS phone FROM json_array_elements(leadanalytics.lead_submissions(:w, 'range', '2026-02-23', '2026-02-23', as_role => 'admin') -> 'submissions') AS s;
SELECT s ->> 'contact_email' AS email, s ->> 'contact_phone' AS phone, s ->> 'payload_json' AS payload FROM json_array_elements(leadanalytics.blocked_ip_leads(:w, "limit" => 1) -> 'blocked_ip_leads') AS s;
SET ROLE leads_analyst;
SELECT s ->> 'contact_email' AS email FROM json_array_elements(leadanalytics.lead_submissions(:w, 'range', '2026-02-23', '2026-02-23') -> 'submissions') AS s;
SELECT pg_temp.error(format('SELECT leadanalytics.leads(%s)', :w)) AS own, pg_temp.error(format('SELECT leadanalytics.leads(%s)', :other)) AS foreign;
RESET ROLE;
SELECT leadanalytics.masked_email(e) FROM unnest('{rahul@example.com,r@x,@x,nobody,a@b@c.d}'::text[]) AS e;
SELECT leadanalytics.masked_phone(p) FROM unnest('{+91 98765 43210,123,"",x}'::text[]) AS p;

-- Every filter, order, search and page against plain SQL, with ties of everything; the counters too.
SELECT leadanalytics.create_workspace('leads-many') AS many \gset
SELECT setseed(0.5);
INSERT INTO leadanalytics.lead (workspace, enquiry_at, status, name, email, phone, project, visitor_id, score, suspicion, follow_ups_count, last_follow_up_at, first_seen_at, last_viewed_at)
SELECT :many, timestamptz '2026-01-01Z' + floor(random() * 50) * interval '1 day', (ARRAY['new', 'contacted', 'qualified', 'proposal', 'won', 'lost', 'fake', 'unqualified'])[1 + floor(random() * 8)],
       CASE WHEN random() < 0.9 THEN (ARRAY['Ärzte', 'ärzte', 'Zoë', 'Bob', 'bob%', 'B_b', 'Łukasz \'])[1 + floor(random() * 7)] END, 'p' || i % 17 || '@x.example', '0170' || i % 9, 'Haus ' || i % 5, 'v' || i,
       floor(random() * 5) * 25, floor(random() * 5) * 25, f, CASE WHEN f > 0 THEN timestamptz '2026-03-01Z' + f * interval '1 day' END,
       CASE WHEN v IS NOT NULL THEN timestamptz '2026-02-28Z' END, timestamptz '2026-02-28Z' + v * interval '1 day'
FROM (SELECT i, floor(random() * 4)::int AS f, (ARRAY[NULL, 0, 2, 4])[1 + floor(random() * 4)] AS v FROM generate_series(1, 400) AS i) AS r;
UPDATE leadanalytics.lead SET status = 'won' WHERE workspace = :many AND id % 7 = 0;
DELETE FROM leadanalytics.lead WHERE workspace = :many AND id % 11 = 0;
CREATE FUNCTION pg_temp.plain(w int, needle text, stage text, again boolean, viewed boolean, sort text) RETURNS bigint[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(l.id ORDER BY
        CASE WHEN sort = 'newest' THEN -extract(epoch FROM l.enquiry_at) WHEN sort = 'oldest' THEN extract(epoch FROM l.enquiry_at) WHEN sort = 'score_desc' THEN -l.score WHEN sort = 'score_asc' THEN l.score
             WHEN sort = 'risk_desc' THEN -l.suspicion WHEN sort = 'risk_asc' THEN l.suspicion WHEN sort = 'last_follow_up' THEN -extract(epoch FROM l.last_follow_up_at) END NULLS LAST,
        CASE WHEN sort = 'name_asc' THEN lower(l.name) END COLLATE "C", CASE WHEN sort = 'last_follow_up' THEN -extract(epoch FROM l.enquiry_at) END, l.id DESC), '{}')
    FROM leadanalytics.lead l
    WHERE l.workspace = w AND (stage IS NULL OR CASE l.status WHEN 'unqualified' THEN 'lost' ELSE l.status END = stage) AND (NOT again OR l.follow_ups_count > 0)
      AND CASE WHEN viewed THEN l.first_seen_at IS NOT NULL WHEN NOT viewed THEN l.last_viewed_at IS NULL OR l.last_follow_up_at > l.last_viewed_at ELSE true END
      AND (needle IS NULL OR concat_ws(E'\n', l.name, l.email, l.phone, l.project, l.visitor_id) COLLATE "default" ILIKE '%' || replace(replace(replace(needle, '\', '\\'), '%', '\%'), '_', '\_') || '%')
$$;
SELECT count(*) AS asked, count(*) FILTER (WHERE answer.total <> cardinality(plain)) AS wrong_totals, count(*) FILTER (WHERE answer.ids IS DISTINCT FROM plain[4:13]) AS wrong_pages, sum(answer.total) > 0 AS something
FROM unnest(ARRAY['newest', 'oldest', 'last_follow_up', 'score_desc', 'score_asc', 'risk_desc', 'risk_asc', 'name_asc']) AS sort,
     unnest(ARRAY[NULL, 'new', 'lost', 'won', 'fake', 'nothing']) AS status, unnest(ARRAY[false, true]) AS follow_ups, unnest(ARRAY[NULL, true, false]) AS seen,
     unnest(ARRAY[NULL, 'ÄRZTE', 'b', 'b_', '%', '\', 'haus 3', 'p16@', 'v39', '70', 'nowhere', '@', 'zoë' || chr(10)]) AS q
CROSS JOIN LATERAL pg_temp.plain(:many, q, status, follow_ups, seen, sort) AS plain
CROSS JOIN LATERAL leadanalytics.lead_page(:many, leadanalytics.lead_classes(status, follow_ups, seen), lower(q), sort, 10, 3) AS answer;
SELECT sum(n) = (SELECT count(*) FROM leadanalytics.lead) AS counted FROM leadanalytics.lead_tally;
SELECT leadanalytics.sum_tallies(now()) > 0 AS summed, leadanalytics.sum_tallies(now()) AS again;
SELECT leadanalytics.leads(:many, status => 'won') ->> 'total' = count(*)::text AS the_same FROM leadanalytics.lead WHERE workspace = :many AND status = 'won';
SELECT count(*) FROM (SELECT workspace, class, sum(n) FROM leadanalytics.lead_tally GROUP BY 1, 2 EXCEPT SELECT workspace, class, count(*) FROM leadanalytics.lead GROUP BY 1, 2) AS d;
SELECT count(*) FROM (SELECT workspace, day, sum(n) FROM leadanalytics.lead_submission_tally GROUP BY 1, 2 HAVING sum(n) <> 0
                      EXCEPT SELECT workspace, (submitted_at AT TIME ZONE 'UTC')::date, count(*) FROM leadanalytics.lead_submission GROUP BY 1, 2) AS d;
SELECT count(*) AS rows, min(contact_name) IS NOT NULL AS named FROM leadanalytics.leads_rows(:many, sort => 'name_asc', "limit" => 5);

-- L2 whose post it is
SELECT pg_temp.error(format('SELECT leadanalytics.capture_lead(NULL, %L, %L, %L)', f, o, r)) AS answer, f, o, r FROM (VALUES
    ('{"siteKey":"leads-site","formId":"hero"}', 'https://example.com', NULL), ('{"siteKey":"leads-site","formId":"hero"}', NULL, 'https://www.example.com/x?y'),
    ('{"siteKey":"leads-site","formId":"hero"}', NULL, NULL), ('{"siteKey":"leads-site","formId":"hero"}', 'https://evil.example', 'https://example.com/'), ('{"siteKey":"leads-site","formId":"hero"}', NULL, 'https://evil.example/https://example.com'),
    ('{"siteKey":"leads-site"}', 'https://example.com', NULL), ('{"formId":"hero"}', 'https://example.com', NULL), ('{"siteKey":"leads-site","formId":"none"}', 'https://example.com', NULL),
    ('{"siteKey":"none","formId":"hero"}', 'https://example.com', NULL), ('{"siteKey":" ","formId":""}', 'https://example.com', NULL), ('{}', 'https://example.com', NULL), ('[]', 'https://example.com', NULL), (NULL, 'https://example.com', NULL)) AS v (f, o, r);
SELECT leadanalytics.enable_form(:w, 'leads-site', 'own', false);
SELECT pg_temp.error('SELECT leadanalytics.capture_lead(NULL, ''{"siteKey":"leads-site","formId":"own"}'', ''https://example.com'')') AS disabled_form;
-- only stored addresses, the form's before the site's
SELECT pg_temp.capture('{"siteKey":"leads-site","formId":"own","EMAIL":"t@x.example"}'), pg_temp.capture('{"siteKey":"leads-site","EMAIL":"t@x.example","thank_you_url":"https://evil.example"}'),
       pg_temp.capture('{"siteKey":"leads-site","formId":"own","EMAIL":"t@x.example"}', w => 'leads-other');
UPDATE leadanalytics.form SET thank_you_url = u FROM (VALUES ('hero', E'https://example.com/\r\nSet-Cookie: x'), ('own', 'javascript:alert(1)')) AS v (f, u) WHERE workspace = :w AND form_id = f;
SELECT pg_temp.capture(format('{"siteKey":"leads-site","formId":"%s","EMAIL":"t@x.example"}', f)) FROM unnest('{hero,own}'::text[]) AS f;
SELECT (leadanalytics.capture_lead_legacy(:w, '{"EMAIL":"t@x.example"}')).headers;

-- A workspace that goes takes everything along.
DELETE FROM leadanalytics.workspace WHERE slug LIKE 'leads%';
SELECT leadanalytics.sum_tallies(now()) >= 0 AS summed;
SELECT (SELECT count(*) FROM leadanalytics.lead) + (SELECT count(*) FROM leadanalytics.lead_submission) + (SELECT count(*) FROM leadanalytics.lead_status_change) + (SELECT count(*) FROM leadanalytics.rejected_lead)
     + (SELECT count(*) FROM leadanalytics.outbox) + (SELECT count(*) FROM leadanalytics.lead_tally) + (SELECT count(*) FROM leadanalytics.lead_submission_tally) AS left_over;
DROP ROLE leads_marketing, leads_analyst;
