-- L9: what the CRM says of leads.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT leadanalytics.create_workspace('crm') AS w \gset
SELECT leadanalytics.create_workspace('crm-other') AS other \gset
-- Who leads are, by a name of ours.
CREATE TEMP TABLE named (name text, workspace int, id bigint);
CREATE FUNCTION pg_temp.who(answer json) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce((SELECT n.name || ' ' FROM named n WHERE n.id = (answer ->> 'lead_id')::bigint), '') || (answer::jsonb - 'lead_id')::text
$$;
CREATE FUNCTION pg_temp.put(name text, w int, fields json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM leadanalytics.capture_lead(w, fields, client_ip => '198.51.100.1', now => '2026-02-01 10:00Z');
    INSERT INTO named SELECT put.name, w, max(l.id) FROM leadanalytics.lead l WHERE l.workspace = w;
END
$$;
SELECT pg_temp.put('ann', :w, '{"FIRSTNAME": "Ann", "EMAIL": "ann@example.com", "PHONE": "98765", "COUNTRYCODE": "+91", "PROJECT": "Sky Towers", "__visitor_id": "v1"}');
SELECT pg_temp.put('ann park', :w, '{"FIRSTNAME": "Ann", "EMAIL": "ann@example.com", "PROJECT": "River Park", "__visitor_id": "v1"}');
SELECT pg_temp.put('bob', :w, '{"FIRSTNAME": "Bob", "EMAIL": "bob@example.com"}');
SELECT pg_temp.put('foreign', :other, '{"FIRSTNAME": "Cid", "EMAIL": "cid@example.com"}');
SELECT leadanalytics.put_engagement_lead(:w, 'ext-1', 'dan@example.com', now => '2026-02-01 10:00Z') ->> 'leadId' AS put;
INSERT INTO named SELECT 'put', :w, l.id FROM leadanalytics.lead l WHERE l.workspace = :w AND l.external_id = 'ext-1';
SELECT id AS ann FROM named WHERE name = 'ann' \gset
SELECT id AS bob FROM named WHERE name = 'bob' \gset
SELECT id AS foreign FROM named WHERE name = 'foreign' \gset

-- Not set up: 503, that says what is to do.
SELECT leadanalytics.add_crm_event(:w, 'crm-1');
SELECT leadanalytics.link_crm_lead(:w, 'crm-1', :'ann');
SELECT leadanalytics.set_crm(:w, '{"Closed Won": "won", " Hot ": "qualified", "new": "contacted"}');
SELECT leadanalytics.set_crm(:w, '{"x": "sold"}');
SELECT leadanalytics.set_crm(:w, '{"": "won"}');
SELECT leadanalytics.set_crm(:w, '{"x": null}');
SELECT leadanalytics.set_crm(:w, '[]');
SELECT statuses FROM leadanalytics.crm WHERE workspace = :w;
SELECT leadanalytics.set_crm(:other);

-- L9 the id is written back: by our id, by the one of another system, or as a form would find the lead.
SELECT c.n, pg_temp.who(leadanalytics.link_crm_lead(:w, c.crm_id, lead_id => c.lead_id, visitor_id => c.visitor_id, email => c.email, phone => c.phone, country_code => c.country_code, project => c.project, now => '2026-02-01 11:00Z'))
FROM (VALUES (1, 'crm-1', :'ann', NULL, NULL, NULL, NULL, NULL),
             (2, 'crm-2', NULL, NULL, 'ANN@example.com ', NULL, NULL, ' river park'),
             (3, 'crm-3', 'ext-1', NULL, NULL, NULL, NULL, NULL),
             (4, 'crm-1', NULL, 'v1', NULL, NULL, NULL, 'Sky Towers'), -- again
             (5, 'crm-1', NULL, NULL, NULL, '+91 98765', NULL, 'sky towers'),
             (6, 'crm-1', NULL, NULL, NULL, '98765', '91', 'sky towers'),
             (7, 'crm-1', NULL, NULL, 'bob@example.com', NULL, NULL, NULL), -- ann's
             (8, 'crm-9', NULL, NULL, 'ann@example.com', NULL, NULL, NULL), -- she has none without a project
             (9, 'crm-9', '999999999999', NULL, 'bob@example.com', NULL, NULL, NULL), -- what is named counts
             (10, 'crm-9', :'foreign', NULL, NULL, NULL, NULL, NULL),
             (11, 'crm-9', NULL, NULL, 'cid@example.com', NULL, NULL, NULL)) AS c (n, crm_id, lead_id, visitor_id, email, phone, country_code, project)
ORDER BY c.n;
SELECT leadanalytics.link_crm_lead(:w, 'crm-9', '', '', ' ', '');
SELECT leadanalytics.link_crm_lead(:w, '', :'ann');
SELECT leadanalytics.link_crm_lead(-1, 'crm-9', :'ann');
SELECT n.name, c.crm_id, c.status, c.linked_at FROM leadanalytics.crm_leads c JOIN named n ON n.id = c.lead WHERE c.workspace IN (:w, :other) ORDER BY c.crm_id;
-- Elsewhere the same id is another lead's.
SELECT pg_temp.who(leadanalytics.link_crm_lead(:other, 'crm-1', email => 'cid@example.com'));

-- L9 a webhook wants to know what becomes of leads.
SELECT count(leadanalytics.create_webhook(:w, 'https://example.com', '{lead.status_changed}'));
-- Statuses: ours in any case, the CRM's, unknown ones, none; old ones; ones that come again.
SELECT c.n, pg_temp.who(leadanalytics.add_crm_event(:w, c.crm_id, coalesce(c.type, 'updated'), c.status, c.event_id, c.at::timestamptz, now => '2026-02-02 12:00Z')) AS answer
FROM (VALUES (1, 'crm-1', NULL, ' Contacted', 'e1', '2026-02-02 10:00Z'),
             (2, 'crm-1', NULL, 'closed WON', 'e2', '2026-02-02 10:10Z'),
             (3, 'crm-1', NULL, 'lost', 'e2', '2026-02-02 10:20Z'), -- again, whatever it says now
             (4, 'crm-1', NULL, 'lost', 'e3', '2026-02-02 10:05Z'), -- older than what is known
             (5, 'crm-1', 'status', 'On hold', NULL, '2026-02-02 10:30Z'), -- not ours
             (6, 'crm-1', 'status', 'On hold', NULL, '2026-02-02 10:30Z'), -- and again
             (7, 'crm-1', 'note', NULL, NULL, NULL),
             (8, 'crm-1', NULL, 'hot', NULL, '2030-01-01Z'), -- a clock that is ahead
             (9, 'crm-1', NULL, 'new', NULL, NULL), -- which they call what we call contacted
             (10, 'crm-1', NULL, 'contacted', NULL, NULL), -- no change
             (11, 'crm-2', NULL, 'converted', 'e1 of park', NULL),
             (12, 'crm-7', NULL, 'won', 'e7', NULL),
             (13, 'crm-3', NULL, '', 'e8', NULL)) AS c (n, crm_id, type, status, event_id, at)
ORDER BY c.n;
SELECT n.name, l.status, c.status AS reported, c.status_at FROM leadanalytics.crm_leads c JOIN named n ON n.id = c.lead JOIN leadanalytics.lead l ON l.workspace = c.workspace AND l.id = c.lead WHERE c.workspace = :w ORDER BY n.name;
SELECT n.name, e.event_type, e.status, e.applied, e.at, e.received_at FROM leadanalytics.crm_events e JOIN named n ON n.id = e.lead WHERE e.workspace = :w ORDER BY e.id;
-- The history has what changed, and the webhook is told of each, once.
SELECT n.name, c.from_status, c.to_status, c.at FROM leadanalytics.lead_status_change c JOIN named n ON n.id = c.lead WHERE c.workspace = :w AND c.from_status IS NOT NULL ORDER BY c.id;
SELECT n.name, o.body ->> 'previous_status' AS previous_status, o.body ->> 'status' AS status, o.body ->> 'changed_at' AS changed_at
FROM leadanalytics.outbox o JOIN named n ON n.id = (o.body ->> 'lead_id')::bigint WHERE o.workspace = :w AND o.topic = 'lead.status_changed' ORDER BY o.id;
-- With its transaction, or not at all.
BEGIN;
SELECT pg_temp.who(leadanalytics.add_crm_event(:w, 'crm-1', status => 'lost', event_id => 'e99', now => '2026-02-03Z'));
ROLLBACK;
SELECT pg_temp.who(leadanalytics.add_crm_event(:w, 'crm-1', status => 'lost', event_id => 'e99', now => '2026-02-03Z'));

-- Another id for a lead: what was reported of the old one is history; the old one is nobody's, and free.
SELECT pg_temp.who(leadanalytics.link_crm_lead(:w, 'crm-1b', :'ann', now => '2026-02-04Z'));
SELECT crm_id, status, status_at, linked_at FROM leadanalytics.crm_leads WHERE workspace = :w AND lead = :ann;
SELECT pg_temp.who(leadanalytics.add_crm_event(:w, 'crm-1', status => 'won')), pg_temp.who(leadanalytics.link_crm_lead(:w, 'crm-1', :'bob', now => '2026-02-04Z'));
-- A lead that goes takes it along.
DELETE FROM leadanalytics.lead WHERE workspace = :w AND id = :ann;
SELECT (SELECT count(*) FROM leadanalytics.crm_lead WHERE workspace = :w AND lead = :ann) AS ids, (SELECT count(*) FROM leadanalytics.crm_event WHERE workspace = :w AND lead = :ann) AS events;
-- Switched off.
SELECT leadanalytics.set_crm(:w, active => false);
SELECT leadanalytics.add_crm_event(:w, 'crm-1');

DELETE FROM leadanalytics.workspace WHERE id IN (:w, :other);
