-- Events of the engagement family (S2-01, S2-05, S2-09, S2-11, S2-12): stored, listed, counted, asked for; links and pixels.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('engagement-events', 'Engagement', timezone => 'America/New_York') AS w \gset
SELECT leadanalytics.create_workspace('engagement-events-2', 'Other') AS other \gset

-- A list as text, and the same from the rows.
CREATE FUNCTION ids(list json) RETURNS text[] LANGUAGE sql AS $$ SELECT ARRAY(SELECT e ->> 'id' FROM json_array_elements(list -> 'data') e) $$;
CREATE FUNCTION shown(event json) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', event ->> 'tenantId', event ->> 'type', coalesce(event ->> 'leadId', '-'), coalesce(event ->> 'messageId', '-'), coalesce(event ->> 'workflowExecutionId', '-'), event ->> 'timestamp')
$$;

-- S2-01: one of each type. What is answered is what is listed.
CREATE TEMP TABLE told AS
SELECT t.type, t.n, leadanalytics.add_engagement(:w, t.type, 'lead_1', 'msg_1', 'exec_1', timestamptz '2026-02-09 10:30Z' + t.n * interval '1 minute', now => '2026-02-10 12:00Z') AS answer
FROM leadanalytics.engagement_types() WITH ORDINALITY AS t (type, kind, n);
SELECT shown(answer), answer ->> 'id' ~ '^evt_[0-9a-f]{32}$' AS id, ARRAY(SELECT json_object_keys(answer)) AS keys FROM told ORDER BY n;
SELECT shown(e.event) FROM json_array_elements(leadanalytics.engagement_events(:w, now => '2026-02-10 12:00Z') -> 'data') WITH ORDINALITY AS e (event, n) ORDER BY n;
SELECT ids(leadanalytics.engagement_events(:w, now => '2026-02-10 12:00Z')) = ARRAY(SELECT t.answer ->> 'id' FROM told t ORDER BY t.n DESC) AS same,
       leadanalytics.engagement_events(:w, now => '2026-02-10 12:00Z') -> 'pagination' AS pagination;
-- With nothing but a type: dated now, everything else null, and not one message with other nameless ones that are nobody's.
SELECT shown(leadanalytics.add_engagement(:w, t.type, now => '2026-02-10 12:00:00.123456Z')) FROM leadanalytics.engagement_types() t;
SELECT shown(e.event) FROM json_array_elements(leadanalytics.engagement_events(:w, "from" => '2026-02-10', now => '2026-02-10 12:01Z') -> 'data') WITH ORDINALITY AS e (event, n) ORDER BY shown(e.event);
-- D-31: sendings without a name are each one; what else happened to a lead's mails without a name is of one.
SELECT count(leadanalytics.add_engagement(:w, t, 'lead_2', now => '2026-02-10 12:02Z')) FROM unnest('{email_sent,email_sent,email_open,email_open,link_click}'::text[]) t;
SELECT m.key ~ '^ event ' AS own, count(*), count(m.sent_at) AS sent, count(m.opened_at) AS opened, count(m.clicked_at) AS clicked
FROM leadanalytics.message m WHERE m.workspace = :w AND m.lead = 'lead_2' GROUP BY 1 ORDER BY 1;
-- D-30, D-70: too far ahead or before 2000 is refused, a little ahead is a clock's fault, anything older is believed.
SELECT shown(leadanalytics.add_engagement(:w, 'email_open', message_id => 'msg_t', "timestamp" => a, now => '2026-02-10 12:00Z'))
FROM unnest('{2026-02-10 12:05Z,2026-02-10 12:05:00.001Z,2026-02-11 12:00Z,2026-01-01 00:00Z,2026-02-10 13:59:59.9996+02}'::timestamptz[]) a;
SELECT shown(leadanalytics.add_engagement(:w, 'page_visit', 'lead_t', "timestamp" => a, now => '2026-02-10 12:00Z'))
FROM unnest('{2026-02-10 12:05Z,2026-02-11 12:00Z,2026-01-01 00:00Z}'::timestamptz[]) a;
SELECT shown(e) FROM json_array_elements(leadanalytics.engagement_events(:w, lead_id => 'lead_t', "from" => '2026-01-01', now => '2026-02-10 12:00Z') -> 'data') e;
CREATE FUNCTION fault(workspace int, type text, lead text, message text, run text, at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    RETURN shown(leadanalytics.add_engagement(workspace, type, lead, message, run, at, now => '2026-02-10 12:00Z'));
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' ', SQLSTATE, SQLERRM, detail);
END
$$;
SELECT fault(:w, f.type, f.lead, f.message, f.run, f.at)
FROM (VALUES ('email_opened', NULL, NULL, NULL, NULL::timestamptz), (NULL, NULL, NULL, NULL, NULL), ('email_open', '', NULL, NULL, NULL), ('email_open', ' lead_1', NULL, NULL, NULL),
             ('email_open', repeat('x', 129), ' ', E'a\u001fb', NULL), ('email_open', NULL, NULL, NULL, '2026-02-11 12:00:00.001Z'), ('page_visit', NULL, NULL, NULL, '1999-12-31 23:59:59Z'),
             ('email_open', NULL, NULL, NULL, 'infinity'), ('email_open', NULL, NULL, NULL, '-infinity')) AS f (type, lead, message, run, at);
SELECT shown(leadanalytics.add_engagement(:w, 'form_submission', repeat('é', 128), repeat('ü', 128), repeat('ß', 128), now => '2026-02-10 13:00Z')) = concat_ws(' ', 'engagement-events form_submission', repeat('é', 128), repeat('ü', 128), repeat('ß', 128), '2026-02-10T13:00:00.000Z') AS long,
       ids(leadanalytics.engagement_events(:w, workflow_execution_id => repeat('ß', 128), now => '2026-02-10 13:00Z')) = ids(leadanalytics.engagement_events(:w, message_id => repeat('ü', 128), now => '2026-02-10 13:00Z')) AS found;
-- D-63: on the web they are events as all others: in S1 and S5 once, no session, no robot.
SELECT t.parts[1] AS name, e.kind, count(*), count(e.session) AS sessions, count(e.visitor) AS visitors, bool_or(e.is_bot) AS bots, count(e.person) AS persons
FROM leadanalytics.event e JOIN leadanalytics.term t ON t.workspace = e.workspace AND t.id = e.name WHERE e.workspace = :w GROUP BY 1, 2 ORDER BY 1;
SELECT counts FROM leadanalytics.answer(:w, '{total}', ARRAY['2026-01-01', '2026-03-01']::timestamptz[]);
SELECT count(*) AS sessions FROM leadanalytics.session WHERE workspace = :w;
SELECT sent_at IS NOT NULL AS sent, bounced_at IS NOT NULL AS bounced, is_hard, opened_at FROM leadanalytics.message WHERE workspace = :w AND key = 'msg_1';
SELECT leadanalytics.add_engagement(0, 'email_open');
SELECT leadanalytics.engagement_events(0);

-- S2-05: links and pixels.
SELECT leadanalytics.link_token(:w, 'o', NULL, 'mail_1', 'lead_1', 'exec_1') AS pixel, leadanalytics.link_token(:w, 'c', 'https://example.com/a?b=c&d=%C3%A9#e', 'mail_1', NULL, NULL) AS link,
       leadanalytics.link_token(:other, 'c', 'http://EXAMPLE.com', NULL, 'lead_9', NULL) AS foreign \gset
SELECT :'pixel' ~ '^[A-Za-z0-9_-]+$' AS pixel, :'link' ~ '^[A-Za-z0-9_-]+$' AS link, :'pixel' = leadanalytics.link_token(:w, 'o', NULL, 'mail_1', 'lead_1', 'exec_1') AS again,
       (SELECT count(*) FROM leadanalytics.link_secret WHERE workspace IN (:w, :other)) AS secrets;
CREATE FUNCTION followed(token text, now timestamptz DEFAULT '2026-02-11 09:00Z', agent text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT r.status || ' ' || coalesce(r.headers ->> 'Location', '-') FROM leadanalytics.follow_link(token, agent, '192.0.2.1', now) r);
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT status, headers, content_type, length(body), substring(body FOR 6) FROM leadanalytics.open_pixel(:'pixel', 'Thunderbird', '192.0.2.1', '2026-02-11 09:00Z');
SELECT followed(:'link'), followed(:'foreign');
SELECT shown(e) FROM json_array_elements(leadanalytics.engagement_events(:w, message_id => 'mail_1', now => '2026-02-11 12:00Z') -> 'data') e;
SELECT e.kind, u.text AS url, a.text AS agent, e.ip FROM leadanalytics.message_event e JOIN leadanalytics.message m ON m.id = e.message AND m.key = 'mail_1'
LEFT JOIN leadanalytics.message_text u ON u.workspace = e.workspace AND u.id = e.url LEFT JOIN leadanalytics.message_text a ON a.workspace = e.workspace AND a.id = e.agent WHERE e.workspace = :w ORDER BY e.kind;
SELECT shown(e) FROM json_array_elements(leadanalytics.engagement_events(:other, now => '2026-02-11 12:00Z') -> 'data') e;
-- Nothing but what was signed, for what it was signed.
SELECT count(*) AS events FROM leadanalytics.message_event WHERE workspace IN (:w, :other) \gset
SELECT bad.why, followed(bad.token), (SELECT r.status || ' ' || length(r.body) FROM leadanalytics.open_pixel(bad.token) r) AS pixel
FROM (VALUES ('empty', ''), ('short', 'abc'), ('long', repeat('A', 6001)), ('all A', repeat('A', 200)), ('a letter too many', repeat('A', 201)), ('other letters', repeat('ä!', 50)),
             ('blanks', :'link' || E'\n')) AS bad (why, token);
SELECT followed(replace(:'pixel', '.gif', '')) AS pixel_as_link, followed(:'pixel') AS pixel_as_link, (SELECT r.status FROM leadanalytics.open_pixel(:'link') r) AS link_as_pixel;
-- Any letter changed, or cut.
SELECT followed(l.token), count(*) > 100 AS each FROM (SELECT overlay(:'link' PLACING CASE substr(:'link', i, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM i FOR 1) AS token FROM generate_series(1, length(:'link') - 1) i) AS l GROUP BY 1;
SELECT followed(l.token), count(*) > 100 AS each FROM (SELECT left(:'link', i) AS token FROM generate_series(0, length(:'link') - 1) i) AS l GROUP BY 1;
SELECT count(*) = :events AS none_was_counted FROM leadanalytics.message_event WHERE workspace IN (:w, :other);
-- Another workspace's secret signs nothing here; and one that signs what we would not is not followed either.
CREATE FUNCTION forged(said text, secret text) RETURNS text LANGUAGE sql AS $$
    SELECT rtrim(translate(encode(leadanalytics.hmac_sha256(convert_to(said, 'UTF8'), convert_to(secret, 'UTF8')) || convert_to(said, 'UTF8'), 'base64'), E'+/\n', '-_'), '=')
$$;
SELECT f.what, followed(forged(concat_ws(chr(31), 'c', f.w, 'm', '', '', f.target), s.secret))
FROM (VALUES ('ours', :w, :w, 'https://example.com/'), ('another''s', :w, :other, 'https://example.com/'), ('javascript', :w, :w, 'javascript:alert(1)'), ('relative', :w, :w, '//example.com/'),
             ('line', :w, :w, E'https://example.com/\r\nSet-Cookie: a=b'), ('no host', :w, :w, 'https:///x'), ('user', :w, :w, 'https://@example.com')) AS f (what, w, signer, target)
JOIN leadanalytics.link_secret s ON s.workspace = f.signer
ORDER BY f.what COLLATE "C";
SELECT followed(forged('c' || chr(31) || '999999999' || chr(31) || 'm', 'x')), followed(forged('c' || chr(31) || '99999999999999' || chr(31) || 'm', 'x'));
-- What is not signed.
SELECT leadanalytics.click_url(:w, t, 'm') FROM (VALUES ('ftp://example.com')) AS v (t);
SELECT leadanalytics.click_url(:w, t, 'm') FROM (VALUES ('https://exämple.com')) AS v (t);
SELECT leadanalytics.click_url(:w, NULL, 'm');
SELECT leadanalytics.click_url(:w, 'https://example.com/' || repeat('x', 2029), 'm');
SELECT length(leadanalytics.link_token(:w, 'c', 'https://example.com/' || repeat('x', 2028), repeat('ü', 128), repeat('😀', 128), repeat('ß', 128))) < 6000 AS long;
SELECT followed(leadanalytics.link_token(:w, 'c', 'https://example.com/' || repeat('x', 2028), repeat('ü', 128), repeat('😀', 128), repeat('ß', 128))) = '302 https://example.com/' || repeat('x', 2028) AS long;
SELECT leadanalytics.link_token(:w, 'c', 'https://example.com', NULL, NULL, 'exec_1');
SELECT leadanalytics.link_token(:w, 'o', NULL, repeat('x', 129), NULL, NULL);
SELECT leadanalytics.open_pixel_url(0, 'm');
-- A machine's open and click are kept, and count for nothing: Apple's proxy, a scanner.
SELECT status FROM leadanalytics.open_pixel(leadanalytics.link_token(:w, 'o', NULL, 'mail_2', NULL, NULL) || '.gif', 'Mozilla/5.0', '192.0.2.1', '2026-02-11 09:00Z');
SELECT followed(leadanalytics.link_token(:w, 'c', 'https://example.com/', 'mail_2', NULL, NULL), agent => 'Barracuda Sentinel');
SELECT m.key, m.opened_at, m.clicked_at FROM leadanalytics.message m WHERE m.workspace = :w AND m.key IN ('mail_1', 'mail_2') ORDER BY 1;
-- What cannot be counted does not stop a reader.
ALTER TABLE leadanalytics.message_event ADD CONSTRAINT broken CHECK (workspace <> :w) NOT VALID;
SELECT followed(:'link'), (SELECT status FROM leadanalytics.open_pixel(:'pixel')) AS pixel;
ALTER TABLE leadanalytics.message_event DROP CONSTRAINT broken;

-- has_engagement(): machines' are none.
SELECT h.*, leadanalytics.has_engagement(:w, h.type, h.lead, h.message, h.run, h.since) AS has
FROM (VALUES ('email_open', NULL, 'mail_1', NULL, NULL::timestamptz), ('email_open', NULL, 'mail_2', NULL, NULL), ('link_click', NULL, 'mail_1', NULL, NULL), ('link_click', NULL, 'mail_2', NULL, NULL),
             ('email_reply', NULL, 'mail_1', NULL, NULL), ('email_open', 'lead_1', NULL, NULL, NULL), ('email_open', 'lead_1', NULL, NULL, '2026-02-11 09:00Z'), ('email_open', 'lead_1', NULL, NULL, '2026-02-11 09:00:00.001Z'),
             ('email_open', NULL, NULL, 'exec_1', '2026-02-11 00:00Z'), ('email_open', NULL, NULL, 'exec_2', NULL), ('email_open', 'lead_1', 'mail_1', 'exec_1', NULL), ('email_open', 'lead_2', 'mail_1', NULL, NULL),
             ('page_visit', 'lead_1', NULL, NULL, NULL), ('page_visit', 'lead_1', NULL, NULL, '2026-02-09 11:00Z'), ('page_visit', NULL, 'msg_1', NULL, NULL), ('page_visit', NULL, NULL, 'exec_1', NULL), ('page_visit', NULL, 'msg_2', NULL, NULL),
             ('form_submission', 'lead_1', 'msg_1', 'exec_1', NULL), ('form_submission', 'nobody', NULL, NULL, NULL), ('email_sent', NULL, NULL, NULL, NULL), ('email_sent', NULL, NULL, NULL, '2026-03-01'),
             ('email_open', NULL, NULL, NULL, NULL), ('email_open', NULL, NULL, NULL, '2026-02-11 08:00Z'), ('email_open', NULL, NULL, NULL, '2026-02-11 09:01Z'), ('page_visit', NULL, NULL, NULL, NULL), ('page_visit', NULL, NULL, NULL, '2026-03-01')
    ) AS h (type, lead, message, run, since);
SELECT leadanalytics.has_engagement(:w, 'opened');
SELECT leadanalytics.has_engagement(:other, 'email_sent'), leadanalytics.has_engagement(:other, 'link_click');
SELECT leadanalytics.has_engagement(0, 'email_open');

-- Random data, against plain SQL: every list and every total, in any combination of filters, page by page.
CREATE FUNCTION random_engagement(workspace int, n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    base CONSTANT timestamptz := '2026-03-01 00:00Z';
BEGIN
    PERFORM setseed(0.42);
    -- Leads of forms, of the other system, of both; visitors that became somebody.
    PERFORM leadanalytics.put_engagement_lead(workspace, 'r' || i, email => format('r%s@example.com', i), created_at => base + i * interval '1 hour', now => base) FROM generate_series(1, 8) i;
    INSERT INTO leadanalytics.lead (workspace, enquiry_at, name, visitor_id, external_id)
    SELECT workspace, base + i * interval '90 minutes', 'form ' || i, CASE WHEN i % 3 > 0 THEN 'v' || i % 5 END, CASE WHEN i % 4 = 0 THEN 'both' || i END FROM generate_series(1, 12) i;
    INSERT INTO leadanalytics.lead_submission (workspace, lead, submitted_at, is_primary, is_duplicate_window, visitor_id, score, suspicion, payload)
    SELECT workspace, (SELECT l.id FROM leadanalytics.lead l WHERE l.workspace = random_engagement.workspace ORDER BY md5(l.id::text || i) LIMIT 1), base + floor(random() * 240) * interval '1 hour', true, false,
           CASE WHEN random() < 0.5 THEN 'v' || (random() * 9)::int END, 0, 0, '{}' FROM generate_series(1, n / 5) i;
    PERFORM leadanalytics.track(workspace, (SELECT json_build_object('events', json_agg(json_build_object('event_name', (ARRAY['page_view', '$pageview', 'page_visit', 'form_submission', 'scroll', 'signup'])[1 + floor(random() * 6)],
        'visitor_id', CASE WHEN random() < 0.8 THEN 'v' || (random() * 9)::int END, 'user_id', CASE WHEN random() < 0.2 THEN 'r' || (random() * 10)::int END,
        'session_id', CASE WHEN random() < 0.7 THEN 's' || (random() * 30)::int END, 'timestamp', leadanalytics.utc_milliseconds(base + floor(random() * 240) * interval '1 hour'),
        'event_data', CASE WHEN random() < 0.2 THEN json_build_object('message_id', 'm' || (random() * 5)::int, 'workflow_execution_id', 'x' || (random() * 5)::int, 'lead_id', 'r' || (random() * 5)::int) ELSE '{}' END)))
        FROM generate_series(1, n)), now => '2026-03-12', as_role => 'admin');
    PERFORM leadanalytics.track(workspace, (SELECT json_build_object('events', json_agg(json_build_object('event_name', 'page_view', 'visitor_id', 'bot', 'timestamp', leadanalytics.utc_milliseconds(base + i * interval '1 hour'))))
        FROM generate_series(1, 20) i), user_agent => 'Googlebot/2.1 (+http://www.google.com/bot.html)', now => '2026-03-12', as_role => 'admin');
    PERFORM leadanalytics.add_engagement(workspace, t.type, CASE WHEN random() < 0.7 THEN 'r' || (random() * 10)::int END, CASE WHEN random() < 0.6 THEN 'm' || (random() * 5)::int END,
                                         CASE WHEN random() < 0.6 THEN 'x' || (random() * 5)::int END, base + floor(random() * 240) * interval '1 hour', now => '2026-03-12')
    FROM generate_series(1, n / 4) i, leadanalytics.engagement_types() t;
    PERFORM leadanalytics.put_message_events(workspace, (SELECT json_agg(json_build_object('message_id', 'm' || (random() * 40)::int, 'event', (ARRAY['sent', 'delivered', 'opened', 'clicked', 'complained', 'replied'])[1 + floor(random() * 6)],
        'timestamp', leadanalytics.utc_milliseconds(base + floor(random() * 240) * interval '1 hour'), 'lead_id', CASE WHEN random() < 0.5 THEN 'r' || (random() * 10)::int END)) FROM generate_series(1, n)), now => '2026-03-12');
END
$$;
SELECT leadanalytics.create_workspace('engagement-random') AS r \gset
SELECT random_engagement(:r, 300);
SELECT count(*) > 800 AS events FROM leadanalytics.engagement_events_rows(:r, '2026-03-01', '2026-03-12');

-- The second way: who somebody is from the tables of visitors and persons alone, everything else from the rows.
CREATE TEMP TABLE name_of AS
SELECT coalesce(p.alias_of, p.number, v.number) AS owner, v.number, v.visitor_id AS id, 1 AS place FROM leadanalytics.visitor v LEFT JOIN leadanalytics.person p ON p.workspace = v.workspace AND p.number = v.person WHERE v.workspace = :r
UNION ALL SELECT coalesce(alias_of, number), number, user_id, 2 FROM leadanalytics.person WHERE workspace = :r;
CREATE TEMP TABLE lead_name AS
SELECT l.id, coalesce(l.external_id, l.id::text) AS lead, l.enquiry_at, n.owner
FROM leadanalytics.lead l
CROSS JOIN LATERAL (SELECT coalesce(l.external_id, l.id::text) AS id UNION SELECT l.visitor_id UNION SELECT s.visitor_id FROM leadanalytics.lead_submission s WHERE s.workspace = :r AND s.lead = l.id) AS i
CROSS JOIN LATERAL (SELECT m.owner FROM name_of m WHERE m.id = i.id ORDER BY m.place LIMIT 1) AS n
WHERE l.workspace = :r;
CREATE TEMP TABLE plain AS
SELECT 'm' AS origin, e.id AS number, 'evt_' || replace(coalesce(e.event_id, leadanalytics.text_digest('message event ' || e.id))::text, '-', '') AS id, k.type, m.lead, NULL::int AS owner, CASE WHEN m.key !~ '^ ' THEN m.key END AS message, m.workflow, e.at
FROM leadanalytics.message_event e JOIN leadanalytics.message m ON m.id = e.message AND m.workspace = e.workspace JOIN leadanalytics.engagement_types() k ON k.kind = e.kind WHERE e.workspace = :r
UNION ALL
SELECT 'w', e.id, 'evt_' || replace(coalesce(e.event_id, leadanalytics.text_digest('event ' || e.id))::text, '-', ''), CASE e.kind WHEN 'p' THEN 'page_visit' ELSE 'form_submission' END,
       coalesce((SELECT q.user_id FROM leadanalytics.person q WHERE q.workspace = :r AND q.number = e.person AND q.user_id = e.data ->> 'lead_id'),
                (SELECT l.lead FROM lead_name l WHERE l.owner = n.owner ORDER BY l.enquiry_at DESC, l.id DESC LIMIT 1)),
       n.owner, e.data ->> 'message_id', e.data ->> 'workflow_execution_id', e.at
FROM leadanalytics.event e JOIN leadanalytics.term t ON t.workspace = e.workspace AND t.id = e.name LEFT JOIN name_of n ON n.number = coalesce(e.visitor, e.person)
WHERE e.workspace = :r AND NOT e.is_bot AND (e.kind = 'p' OR t.parts[1] = 'form_submission')
UNION ALL
SELECT 'f', s.id, 'evt_' || replace(leadanalytics.text_digest('submission ' || s.id)::text, '-', ''), 'form_submission', coalesce(l.external_id, l.id::text), NULL, NULL, NULL, s.submitted_at
FROM leadanalytics.lead_submission s JOIN leadanalytics.lead l ON l.workspace = s.workspace AND l.id = s.lead WHERE s.workspace = :r;
SELECT type, count(*) > 20 AS some, count(DISTINCT lead) > 5 AS leads, count(lead) < count(*) AS some_nobodys FROM plain GROUP BY 1 ORDER BY 1;
SELECT count(*) AS differ FROM (
    (SELECT type, lead_id, message_id, workflow_execution_id, at FROM leadanalytics.engagement_events_rows(:r, '2026-03-01', '2026-03-12') EXCEPT ALL SELECT type, lead, message, workflow, at FROM plain)
    UNION ALL
    (SELECT type, lead, message, workflow, at FROM plain EXCEPT ALL SELECT type, lead_id, message_id, workflow_execution_id, at FROM leadanalytics.engagement_events_rows(:r, '2026-03-01', '2026-03-12'))) AS d;

CREATE TEMP TABLE asked AS
SELECT row_number() OVER () AS n, t.type, l.lead, m.message, x.workflow, p.starts, p.ends
FROM (SELECT NULL AS type UNION ALL SELECT k.type FROM leadanalytics.engagement_types() k) AS t,
     (VALUES (NULL), ('r1'), ('r9'), ('both4'), ('nobody'), ((SELECT min(lead) FROM lead_name WHERE lead ~ '^[0-9]+$'))) AS l (lead),
     (VALUES (NULL), ('m2')) AS m (message), (VALUES (NULL), ('x3')) AS x (workflow),
     (VALUES ('2026-03-01', '2026-03-11'), ('2026-03-03T05:00:00Z', '2026-03-07T04:59:59Z')) AS p (starts, ends)
WHERE coalesce(l.lead, m.message, x.workflow) IS NULL OR t.type IS NULL OR t.type IN ('page_visit', 'form_submission', 'link_click');
CREATE FUNCTION plainly(a asked) RETURNS TABLE (origin text, number bigint, at timestamptz, id text) LANGUAGE sql AS $$
    SELECT p.origin, p.number, p.at, p.id FROM plain p
    WHERE (a.type IS NULL OR p.type = a.type) AND (a.message IS NULL OR p.message = a.message) AND (a.workflow IS NULL OR p.workflow = a.workflow)
          AND p.at >= (SELECT i.at FROM leadanalytics.instant(a.starts, 'UTC') i) AND p.at < (SELECT i.after FROM leadanalytics.instant(a.ends, 'UTC') i)
          AND (a.lead IS NULL OR CASE p.origin WHEN 'w' THEN p.owner IN (SELECT l.owner FROM lead_name l WHERE l.lead = a.lead UNION ALL (SELECT n.owner FROM name_of n WHERE n.id = a.lead ORDER BY n.place LIMIT 1)) ELSE p.lead = a.lead END)
    ORDER BY p.at DESC, CASE p.origin WHEN 'f' THEN 1 WHEN 'm' THEN 2 ELSE 3 END, p.number DESC
$$;
-- Totals, and all pages together; lists that stand on counts with both ways of counting.
CREATE FUNCTION lists_that_differ(r int, filtered boolean) RETURNS TABLE (asked text, plain bigint, total text, pages bigint) LANGUAGE plpgsql AS $$
DECLARE
    a asked;
    want text[];
    got text[];
    body json;
    page int;
BEGIN
    FOR a IN SELECT * FROM asked q WHERE filtered OR coalesce(q.lead, q.message, q.workflow) IS NULL LOOP
        want := ARRAY(SELECT p.id FROM plainly(a) p);
        got := '{}';
        page := 1;
        LOOP
            body := leadanalytics.engagement_events(r, a.type, a.lead, a.message, a.workflow, a.starts, a.ends, page, CASE WHEN cardinality(want) > 300 THEN 100 ELSE 30 END, now => '2026-03-12');
            got := got || ids(body);
            EXIT WHEN NOT (body #>> '{pagination,hasNext}')::boolean;
            page := page + 1;
        END LOOP;
        IF got <> want OR (body #>> '{pagination,total}')::bigint <> cardinality(want) THEN
            RETURN QUERY SELECT a::text, cardinality(want)::bigint, body #>> '{pagination,total}', cardinality(got)::bigint;
        END IF;
    END LOOP;
END
$$;
SELECT count(*) AS asked, (SELECT count(*) FROM asked a WHERE EXISTS (SELECT FROM plainly(a.*))) > 50 AS some FROM asked;
SELECT * FROM lists_that_differ(:r, true);
SET leadanalytics.exact = on;
SELECT * FROM lists_that_differ(:r, false);
RESET leadanalytics.exact;
-- A page past the end is empty; deep ones are found by halving time: as those that are not.
SELECT leadanalytics.engagement_events(:r, page => 1000000, "limit" => 100, "from" => '2026-03-01', now => '2026-03-12')::jsonb - 'data' #- '{pagination,total}' #- '{pagination,totalPages}' AS beyond;
SELECT count(*) AS pages, count(*) FILTER (WHERE p.until > '2026-03-01' AND p.until < '2026-03-12' AND p.skipped > 0) AS halved,
       count(*) FILTER (WHERE p.skipped <> (SELECT count(*) FROM plain x WHERE x.at >= p.until AND x.at < '2026-03-12') OR p.skipped > s) AS wrong
FROM generate_series(0, (SELECT count(*) FROM plain), 50) s, leadanalytics.engagement_page_time(:r, '2026-03-01', '2026-03-12', ARRAY(SELECT t.type FROM leadanalytics.engagement_types() t), s, '2026-03-12', 30) p;
-- has_engagement() by the rows.
CREATE TEMP TABLE machine AS SELECT k.id FROM leadanalytics.marked_message_events(:r) k WHERE k.is_machine;
SELECT count(*) AS asked, count(*) FILTER (WHERE h.has) > 40 AS has, count(*) FILTER (WHERE h.has IS DISTINCT FROM w.has) AS differ
FROM (SELECT DISTINCT a.type, a.lead, a.message, a.workflow, s.since FROM asked a, (VALUES (NULL::timestamptz), ('2026-03-08 12:00Z'), ('2026-03-10 20:00Z')) AS s (since) WHERE a.type IS NOT NULL) AS q
CROSS JOIN LATERAL (SELECT leadanalytics.has_engagement(:r, q.type, q.lead, q.message, q.workflow, q.since) AS has) AS h
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM plainly((0, q.type, q.lead, q.message, q.workflow, '2026-03-01', '2026-03-12')::asked) p
                                   WHERE (q.since IS NULL OR p.at >= q.since)
                                         AND (p.origin <> 'm' OR p.number NOT IN (SELECT k.id FROM machine k))) AS has) AS w;
