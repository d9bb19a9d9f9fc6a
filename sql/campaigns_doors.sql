-- Campaigns, sending domains, mailboxes and sending IPs (CONTRACT section 0): put one by one and many at once.
\set QUIET 1
\set VERBOSITY terse
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('doors', 'Doors') AS w \gset
SELECT leadanalytics.create_workspace('doors-other', 'Other') AS other \gset
CREATE FUNCTION pg_temp.tried(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE statement INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- One of each; what is omitted is what it is without being said.
SELECT leadanalytics.put_campaign(:w, 'cmp_1', 'Spring', 'active', '2026-01-01Z'), leadanalytics.put_campaign(:w, 'cmp_2', now => '2026-01-01Z');
SELECT leadanalytics.put_domain(:w, 'dom_1', 'mail.example.com', '2026-01-01Z'), leadanalytics.put_domain(:w, 'dom_2', now => '2026-01-01Z');
SELECT leadanalytics.put_mailbox(:w, 'mbx_1', 'ann@mail.example.com', 'dom_1', 91.5, '2026-01-01Z'), leadanalytics.put_mailbox(:w, 'mbx_2', now => '2026-01-01Z');
SELECT leadanalytics.put_ip(:w, 'ip_1', '192.0.2.1', true, '2026-01-01T10:00:00.5Z', '2026-01-01Z'), leadanalytics.put_ip(:w, 'ip_2', '2001:db8::1', now => '2026-01-01Z');
-- A domain that is not there is made, its key its name.
SELECT leadanalytics.put_mailbox(:w, 'mbx_3', domain_id => 'dom_3', now => '2026-01-01Z');
CREATE FUNCTION pg_temp.all_of(workspace int) RETURNS TABLE (what text, key text, says text, created_at timestamptz) LANGUAGE sql AS $$
    SELECT 'campaign', key, concat_ws(' | ', name, coalesce(status, 'no status')), created_at FROM leadanalytics.campaign c WHERE c.workspace = all_of.workspace
    UNION ALL SELECT 'domain', key, name, created_at FROM leadanalytics.sending_domain d WHERE d.workspace = all_of.workspace
    UNION ALL SELECT 'mailbox', b.key, concat_ws(' | ', coalesce(address, 'no address'), coalesce(d.key, 'no domain'), coalesce(health_score::text, 'no score')), b.created_at
    FROM leadanalytics.mailbox b LEFT JOIN leadanalytics.sending_domain d ON (d.workspace, d.id) = (b.workspace, b.domain) WHERE b.workspace = all_of.workspace
    UNION ALL SELECT 'ip', key, concat_ws(' | ', address, blacklisted, coalesce(checked_at::text, 'never')), created_at FROM leadanalytics.sending_ip i WHERE i.workspace = all_of.workspace
    ORDER BY 1, 2 $$;
SELECT * FROM pg_temp.all_of(:w);
-- Put again: anew, but made when they were; the same again writes nothing.
SELECT leadanalytics.put_campaign(:w, 'cmp_1', status => 'paused'), leadanalytics.put_domain(:w, 'dom_1'), leadanalytics.put_mailbox(:w, 'mbx_1', domain_id => 'dom_2'), leadanalytics.put_ip(:w, 'ip_1', '192.0.2.9');
SELECT * FROM pg_temp.all_of(:w) WHERE key ~ '1$';
CREATE TEMP TABLE places AS SELECT 'c' || key AS key, ctid AS place FROM leadanalytics.campaign UNION ALL SELECT 'd' || key, ctid FROM leadanalytics.sending_domain
    UNION ALL SELECT 'm' || key, ctid FROM leadanalytics.mailbox UNION ALL SELECT 'i' || key, ctid FROM leadanalytics.sending_ip;
SELECT leadanalytics.put_campaign(:w, 'cmp_1', status => 'paused'), leadanalytics.put_domain(:w, 'dom_1'), leadanalytics.put_mailbox(:w, 'mbx_1', domain_id => 'dom_2'), leadanalytics.put_ip(:w, 'ip_1', '192.0.2.9');
SELECT count(*) FROM (SELECT 'c' || key, ctid FROM leadanalytics.campaign UNION ALL SELECT 'd' || key, ctid FROM leadanalytics.sending_domain
    UNION ALL SELECT 'm' || key, ctid FROM leadanalytics.mailbox UNION ALL SELECT 'i' || key, ctid FROM leadanalytics.sending_ip EXCEPT TABLE places) AS written;

-- What is wrong with an item is told by its index, and loses no other; of two of a key the last counts.
SELECT error ->> 'index' AS index, error ->> 'error' AS error FROM json_array_elements(leadanalytics.put_campaigns(:w, json_build_array(json_build_object('key', 'a'), json_build_object('key', 'b', 'name', 'first'), 7, '{}'::json,
    json_build_object('key', ' '), json_build_object('key', 7), json_build_object('key', 'x', 'name', 7), json_build_object('key', 'x', 'name', repeat('n', 501)), json_build_object('key', 'x', 'status', 'Active'),
    json_build_object('key', 'x', 'status', true), json_build_object('key', repeat('k', 201)), json_build_object('key', ' b ', 'name', ' last ', 'status', ''))) -> 'rejected') AS error;
SELECT error ->> 'index' AS index, error ->> 'error' AS error FROM json_array_elements(leadanalytics.put_domains(:w, '[{"key": "a"}, {"name": "no key"}, {"key": "x", "name": {}}, null, {"key": null}]') -> 'rejected') AS error;
SELECT error ->> 'index' AS index, error ->> 'error' AS error FROM json_array_elements(leadanalytics.put_mailboxes(:w, '[{"key": "a", "health_score": 0}, {"key": "b", "health_score": "100", "domain_id": ""}, {"key": "x", "health_score": -1, "domain_id": "not made"},
    {"key": "x", "health_score": 100.01}, {"key": "x", "health_score": "good"}, {"key": "x", "health_score": true}, {"key": "x", "address": 7}, {"key": "x", "domain_id": 7}, {}, []]') -> 'rejected') AS error;
SELECT error ->> 'index' AS index, error ->> 'error' AS error FROM json_array_elements(leadanalytics.put_ips(:w, '[{"key": "a", "address": "192.0.2.2", "checked_at": "2026-02-01T00:00:00+01:00", "blacklisted": null}, {"key": "b", "address": "::ffff:1", "checked_at": 1772362800},
    {"key": "x"}, {"key": "x", "address": ""}, {"key": "x", "address": "192.0.2.0/24"}, {"key": "x", "address": "mail.example.com"}, {"key": "x", "address": 7}, {"key": "x", "address": "192.0.2.2", "blacklisted": "yes"},
    {"key": "x", "address": "192.0.2.2", "blacklisted": 1}, {"key": "x", "address": "192.0.2.2", "checked_at": "yesterday"}, {"key": "x", "address": "192.0.2.2", "checked_at": ""}, {"key": "x", "address": "192.0.2.2", "checked_at": {}}, 7]')
    -> 'rejected') AS error;
SELECT what, key, says FROM pg_temp.all_of(:w) WHERE key !~ '_' ORDER BY 1, 2;
SELECT pg_temp.tried(format('SELECT leadanalytics.%s(%s, %L)', f, :w, body))
FROM unnest('{put_campaigns,put_domains,put_mailboxes,put_ips}'::text[]) WITH ORDINALITY AS f (f, n), unnest(ARRAY['[]', '7', (SELECT json_agg(i)::text FROM generate_series(1, 1001) i)]) WITH ORDINALITY AS b (body, m) ORDER BY n, m;
SELECT leadanalytics.put_campaigns(:w, (SELECT json_agg(json_build_object('key', 'many' || i)) FROM generate_series(1, 1000) i)) ->> 'accepted' AS many;
-- One that is wrong is an error.
SELECT pg_temp.tried(format(statement, :w)) FROM unnest(ARRAY['SELECT leadanalytics.put_campaign(%s, ''x'', status => ''gone'')', 'SELECT leadanalytics.put_campaign(%s, NULL)', 'SELECT leadanalytics.put_domain(%s, '''')',
    'SELECT leadanalytics.put_mailbox(%s, ''x'', health_score => 101)', 'SELECT leadanalytics.put_ip(%s, ''x'', ''10.0.0.0/8'')', 'SELECT leadanalytics.put_ip(%s, ''x'', NULL)']) AS statement;
-- Nobody else's.
SELECT pg_temp.tried(format('SELECT leadanalytics.%s(-1, ''[]'')', f)) FROM unnest('{put_campaigns,put_domains,put_mailboxes,put_ips}'::text[]) AS f;
SELECT count(*) FROM pg_temp.all_of(:other);

-- What events of messages made is what is put afterwards, and the other way round; a mailbox tells the domain of messages that name none.
SELECT leadanalytics.put_message_events(:w, '[{"message_id": "m1", "event": "sent", "campaign_id": "late", "mailbox_id": "mbx_late", "timestamp": "2026-03-01T10:00:00Z"}]');
SELECT leadanalytics.put_campaign(:w, 'late', 'Put later', 'completed'), leadanalytics.put_mailbox(:w, 'mbx_late', 'late@mail.example.com', 'dom_late');
SELECT leadanalytics.put_message_events(:w, '[{"message_id": "m2", "event": "sent", "campaign_id": " late ", "mailbox_id": "mbx_late", "timestamp": "2026-03-01T10:00:00Z"}]');
SELECT m.key, c.name AS campaign, b.address AS mailbox, d.key AS domain
FROM leadanalytics.message m JOIN leadanalytics.campaign c ON (c.workspace, c.id) = (m.workspace, m.campaign) JOIN leadanalytics.mailbox b ON (b.workspace, b.id) = (m.workspace, m.mailbox)
LEFT JOIN leadanalytics.sending_domain d ON (d.workspace, d.id) = (m.workspace, m.domain) WHERE m.workspace = :w ORDER BY m.key;
