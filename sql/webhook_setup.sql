-- S2-06: webhooks as they are set up, by SQL and as the doors do it.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT leadanalytics.create_workspace('hooks') AS w \gset
SELECT leadanalytics.create_workspace('hooks-other') AS other \gset
-- What a statement is refused for.
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    EXECUTE statement;
    RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || ' ' || SQLERRM || coalesce(' ' || (SELECT string_agg(format('%s: %s', e ->> 'field', e ->> 'message'), '; ') FROM json_array_elements(nullif(detail, '')::json -> 'errors') e), '');
END
$$;

-- Made: the secret is said once.
SELECT key AS a, secret AS secret_a, key ~ '^whk_[0-9a-f]{24}$' AS key, secret ~ '^whsec_[0-9a-f]{64}$' AS secret
FROM leadanalytics.create_webhook(:w, 'https://example.com/hooks?a=1', '{lead.captured,lead.status_changed}', now => '2026-02-01 10:00Z') \gset a_
SELECT :'a_key' AS key, :'a_secret' AS secret;
SELECT key AS b FROM leadanalytics.create_webhook(:w, 'http://[2001:db8::1]:8080', platform => 'meta', at_once => 1, now => '2026-02-02 10:00Z') \gset
SELECT url, events, platform, active, at_once, created_at FROM leadanalytics.webhooks WHERE workspace = :w ORDER BY created_at;
SELECT count(*) FILTER (WHERE attname = 'secret') AS secrets, count(*) > 5 AS others FROM pg_attribute WHERE attrelid = 'leadanalytics.webhooks'::regclass;
SELECT r.name, has_table_privilege(r.name, 'leadanalytics.webhook', 'SELECT') OR has_column_privilege(r.name, 'leadanalytics.webhook', 'secret', 'SELECT') AS reads_secrets
FROM unnest('{leadanalytics_read,leadanalytics_write,leadanalytics_admin,leadanalytics_anon,leadanalytics_authenticator}'::text[]) AS r (name) ORDER BY 1;

-- S2-06 URLs: all that is wrong, and what is not.
SELECT u.url, leadanalytics.webhook_url_fault(u.url) AS fault
FROM (VALUES (1, 'https://example.com'), (2, 'HTTP://Example.COM./a%20b?c=d&e=@'), (3, 'http://127.0.0.1:8080/x'), (4, 'http://[::1]/'), (5, 'https://xn--bcher-kva.example/'), (6, 'http://a_b-c.example:65535/'),
             (11, ''), (12, NULL), (13, 'ftp://example.com'), (14, 'example.com'), (15, '//example.com/'), (16, 'http://'), (17, 'http:///path'), (18, 'http:/example.com'), (19, 'http://:80/'),
             (20, 'https://user:pass@example.com/'), (21, 'https://user@example.com'), (22, 'http://a@b@c/'), (23, 'https://example.com/#top'), (24, 'https://example.com/#'), (25, 'http://example.com:0/'),
             (26, 'http://example.com:65536/'), (27, 'http://example.com:a/'), (28, 'http://example.com:/'), (29, 'https://exam ple.com/'), (30, E'https://example.com/\n'), (31, E'https://example.com/\u0001'),
             (32, 'https://bücher.example/'), (33, E'http://a.example\\@b.example/'), (34, 'http://-a.example/'), (35, 'http://a..%62/'), (36, ' https://example.com/'), (37, 'javascript:alert(1)'), (38, 'http://[::1/')) AS u (n, url)
ORDER BY u.n;
SELECT leadanalytics.webhook_url_fault('https://a/' || repeat('x', 1990)) AS longest, leadanalytics.webhook_url_fault('https://a/' || repeat('x', 1991)) AS longer;

-- All faulty fields at once, and each by itself.
SELECT pg_temp.refused(format('SELECT leadanalytics.create_webhook(%s, %s)', :w, call)) AS refused
FROM (VALUES (1, $$NULL, NULL, 'A B', at_once => 65$$), (2, $$'', '{}', '-'$$), (3, $$'ftp://a', '{lead.captured,lead.nothing,nothing}'$$), (4, $$'http://a', '{conversion.postback}'$$),
             (5, $$'http://a', '{conversion.postback,lead.captured}', ''$$), (6, $$'http://a', '{NULL}'$$), (7, $$'http://a', ARRAY(SELECT '*' FROM generate_series(1, 101))$$), (8, $$'http://a', at_once => 0$$),
             (9, $$'http://a', '{conversion.postback}', 'meta'$$)) AS c (n, call)
ORDER BY n;
SELECT count(*) FROM leadanalytics.webhooks WHERE workspace = :w AND events = '{conversion.postback}';

-- Changed: what is null stays.
SELECT leadanalytics.change_webhook(:w, :'a_a', active => false);
SELECT leadanalytics.change_webhook(:w, :'b', 'https://example.com/other', '{lead.test}', '', at_once => 9);
SELECT url, events, platform, active, at_once FROM leadanalytics.webhooks WHERE key IN (:'a_a', :'b') ORDER BY created_at;
SELECT pg_temp.refused(format('SELECT leadanalytics.change_webhook(%s, %L, %s)', :w, :'b', call)) AS refused
FROM (VALUES (1, $$'', '{}', 'A B'$$), (2, $$events => '{conversion.postback}'$$), (3, $$events => '{conversion.postback}', platform => 'tiktok'$$), (4, $$platform => ''$$)) AS c (n, call) ORDER BY n;
SELECT leadanalytics.rotate_webhook_secret(:w, :'b') AS renewed \gset
SELECT :'renewed' ~ '^whsec_[0-9a-f]{64}$' AS made, secret = :'renewed' AS kept FROM leadanalytics.webhook WHERE key = :'b';
SELECT secret = :'a_secret_a' AS untouched FROM leadanalytics.webhook WHERE key = :'a_a';

-- Another workspace's is no webhook; nor is what there is not.
SELECT w.name, pg_temp.refused(format(f.call, w.workspace, w.key)) AS refused
FROM (VALUES (1, 'another''s', :other, :'b'), (2, 'nobody''s', :w, 'whk_x')) AS w (n, name, workspace, key)
CROSS JOIN (VALUES (1, 'SELECT leadanalytics.change_webhook(%s, %L, active => true)'), (2, 'SELECT leadanalytics.rotate_webhook_secret(%s, %L)'), (3, 'SELECT leadanalytics.delete_webhook(%s, %L)'),
                   (4, 'SELECT leadanalytics.show_webhook(%s, %L)'), (5, 'SELECT leadanalytics.list_webhook_deliveries(%s, %L)'), (6, 'SELECT leadanalytics.replay_webhook_delivery(%s, %L, ''dlv_1'')')) AS f (n, call)
ORDER BY w.n, f.n;
SELECT pg_temp.refused('SELECT leadanalytics.create_webhook(-1, ''http://a'')') AS refused;

-- Whether anybody wants a topic.
SELECT t.topic, leadanalytics.is_wanted(:w, t.topic) AS wanted, leadanalytics.is_wanted(:other, t.topic) AS elsewhere
FROM unnest('{lead.captured,lead.test,conversion.postback,lead.drought}'::text[]) AS t (topic);
SELECT leadanalytics.change_webhook(:w, :'a_a', events => '{*}', platform => 'meta', active => true);
SELECT leadanalytics.is_wanted(:w, 'lead.drought') AS wanted;
SELECT leadanalytics.change_webhook(:w, :'a_a', platform => '');
SELECT leadanalytics.is_wanted(:w, 'lead.drought') AS wanted;

-- Deleted, with what it was to be told.
INSERT INTO leadanalytics.delivery (workspace, webhook, occurrence, topic, body, next_at, created_at) VALUES (:w, :'a_a', 'evt_1', 'lead.test', '{}', '2026-02-01', '2026-02-01'), (:w, :'b', 'evt_1', 'lead.test', '{}', '2026-02-01', '2026-02-01');
SELECT leadanalytics.delete_webhook(:w, :'a_a');
SELECT webhook = :'b' AS is_b FROM leadanalytics.delivery WHERE workspace = :w;

-- As many as there may be.
DELETE FROM leadanalytics.webhook WHERE workspace = :w;
SELECT count(leadanalytics.create_webhook(:w, 'http://a/' || i)) FROM generate_series(1, 100) i;
SELECT pg_temp.refused(format('SELECT leadanalytics.create_webhook(%s, ''http://a/101'')', :w)) AS refused;

DELETE FROM leadanalytics.workspace WHERE id IN (:w, :other);
