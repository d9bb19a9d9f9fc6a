-- The door, called as PostgREST calls it. What nginx adds is tested over the wire (test/http).
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA door_test;
GRANT USAGE ON SCHEMA door_test TO leadanalytics_owner;
SELECT count(leadanalytics.set_rate_limit(class, 0)) > 0 AS lifted FROM leadanalytics.rate_limits \gset
SELECT leadanalytics.create_workspace('acme', 'Acme') AS acme, leadanalytics.create_workspace('other', 'Other') AS other \gset
SELECT leadanalytics.create_key(:acme, 'admin') AS admin, leadanalytics.create_key(:acme, 'marketing') AS marketing,
       leadanalytics.create_key(:other, 'tenant') AS tenant, leadanalytics.create_key(:acme, 'sdk') AS sdk \gset

-- One request: status, the headers that are not always there, body (times and request ids masked).
CREATE FUNCTION door_test.ask(method text, uri text, key text DEFAULT NULL, body bytea DEFAULT '', more jsonb DEFAULT '{}')
RETURNS TABLE (status text, headers text, answer text) LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    PERFORM set_config('request.headers',
        (jsonb_strip_nulls(jsonb_build_object('x-la-method', method, 'x-la-uri', uri, 'x-la-rid', 'r-1', 'x-la-ip', '192.0.2.1',
                                              'x-la-auth', 'Bearer ' || key)) || more)::text, true);
    answer := convert_from(CASE WHEN method IN ('GET', 'HEAD', 'OPTIONS') THEN leadanalytics_door.handle_ro(body)
                                ELSE leadanalytics_door.handle_rw(body) END, 'UTF8');
    status := current_setting('response.status');
    SELECT string_agg(h.key || ': ' || h.value, E'\n' ORDER BY ordinality) INTO headers
    FROM json_array_elements(current_setting('response.headers')::json) WITH ORDINALITY AS one (header, ordinality),
         json_each_text(header) AS h
    WHERE h.key NOT IN ('X-LA', 'X-LA-Body', 'X-Key-Role') AND h.key NOT LIKE 'X-API-Usage-%' AND NOT (h.key = 'Content-Type' AND h.value IN ('application/json', ''));
    -- The body of an error travels as a header.
    SELECT header->>'X-LA-Body' INTO said FROM json_array_elements(current_setting('response.headers')::json) AS header
    WHERE header->>'X-LA-Body' IS NOT NULL;
    answer := coalesce(said, answer);
    answer := regexp_replace(answer, '\d{4}-\d\d-\d\dT[0-9:.]+Z', 'TIME');
    headers := regexp_replace(headers, '\d{4}-\d\d-\d\dT[0-9:.]+Z', 'TIME');
    RETURN NEXT;
END
$$;
\pset format unaligned
\pset tuples_only on
\pset null -

-- S1-A1, S1-A2: byte for byte
SELECT * FROM door_test.ask('GET', '/analytics/overview');
SELECT * FROM door_test.ask('GET', '/analytics/overview', 'nonsense');
-- S1-A5: Bearer wins, the scheme in any case; X-API-Key alone does; another scheme is no key
SELECT status FROM door_test.ask('GET', '/healthz', more => jsonb_build_object('x-la-auth', 'bEaReR ' || :'admin', 'x-la-key', 'wrong'));
SELECT status FROM door_test.ask('GET', '/healthz', more => jsonb_build_object('x-la-auth', 'Bearer wrong', 'x-la-key', :'admin'));
SELECT status FROM door_test.ask('GET', '/healthz', more => jsonb_build_object('x-la-key', :'admin'));
SELECT status FROM door_test.ask('GET', '/analytics/none', more => '{"x-la-auth": "Basic abc"}');

-- D-66: 401 before 404, 404 before 405, 405 before 403, and the five envelopes of each
SELECT family, a.*
FROM (VALUES ('dashboard', '/analytics/none'), ('dashboard', '/track/none'), ('engagement', '/v1/none'),
             ('activity', '/api/workspaces/acme/none'), ('campaigns', '/api/v1/workspaces/acme/none'),
             ('public', '/api/v1/none'), ('plain', '/none')) AS f (family, path),
     LATERAL door_test.ask('GET', path) AS a;
SELECT a.* FROM unnest('{/analytics/none,/v1/none,/api/workspaces/x,/api/v1/workspaces/x,/api/v1/workspacesx,/api/v1x,/none}'::text[]) AS path,
     LATERAL door_test.ask('GET', path, :'admin') AS a;
SELECT a.* FROM unnest('{/healthz/,//healthz,/./healthz,/healthz%2F,/HEALTHZ,/,/%68ealthz}'::text[]) AS path, LATERAL door_test.ask('GET', path) AS a;
SELECT a.* FROM unnest('{/%00,/analytics/%zz,/analytics/%ff,/v1/%c0%af,/api/v1/workspaces/%ed%a0%80}'::text[]) AS path, LATERAL door_test.ask('GET', path) AS a;
SELECT * FROM door_test.ask('DELETE', '/healthz', :'sdk');

-- A function of everything a route can bind.
CREATE FUNCTION door_test.echo(
    word text DEFAULT 'nothing', "count" int DEFAULT 20, big bigint DEFAULT NULL, num float8 DEFAULT NULL,
    flag boolean DEFAULT false, day date DEFAULT NULL, moment timestamptz DEFAULT NULL, id uuid DEFAULT NULL,
    ip inet DEFAULT NULL, tree json DEFAULT NULL, workspace int DEFAULT NULL, as_role text DEFAULT NULL,
    client_ip inet DEFAULT NULL, actor_key bigint DEFAULT NULL, request_id text DEFAULT NULL, now timestamptz DEFAULT NULL)
RETURNS json LANGUAGE sql STABLE SET timezone = 'UTC' AS $$
    SELECT json_strip_nulls(json_build_object('word', word, 'count', "count", 'big', big, 'num', num, 'flag', flag, 'day', day,
        'moment', moment, 'id', id, 'ip', ip, 'tree', tree, 'workspace', (SELECT slug FROM leadanalytics.workspace w WHERE w.id = workspace),
        'role', as_role, 'client_ip', client_ip, 'key', actor_key IS NOT NULL, 'request', request_id, 'now', now = transaction_timestamp()))
$$;
INSERT INTO leadanalytics.route (method, path, function, family, roles, summary)
SELECT method, path, 'door_test.echo', family, roles, 'echo'
FROM (VALUES ('GET', '/analytics/t/:word', 'dashboard', '{admin,marketing}'::text[]), ('GET', '/v1/t', 'engagement', '{admin}'),
             ('POST', '/analytics/t', 'dashboard', '{admin}'), ('GET', '/analytics/t/fixed', 'dashboard', '{admin,public}')) AS r (method, path, family, roles);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, min, max, lenient, position)
SELECT method, path, arg, CASE WHEN path LIKE '%:' || arg THEN 'path' WHEN method = 'POST' THEN 'body' ELSE 'query' END, arg, type, min, max,
       path = '/analytics/t/:word' AND arg IN ('count', 'flag', 'num'), position
FROM leadanalytics.route,
     (VALUES ('word', 'text', 1, 8, 1), ('count', 'int', 1, 100, 2), ('big', 'bigint', NULL, NULL, 3), ('num', 'number', NULL, NULL, 4),
             ('flag', 'boolean', NULL, NULL, 5), ('day', 'date', NULL, NULL, 6), ('moment', 'timestamp', NULL, NULL, 7), ('id', 'uuid', NULL, NULL, 8),
             ('ip', 'ip', NULL, NULL, 9), ('tree', 'json', NULL, NULL, 10)) AS p (arg, type, min, max, position)
WHERE function = 'door_test.echo';

-- Values: what is read, what is clamped (D-14), what is refused, and in whose words.
SELECT query, a.status, a.answer
FROM unnest(ARRAY['', 'count=7', 'count=7&count=8', 'count=0', 'count=-1', 'count=101', 'count=9223372036854775808', 'count=1e308', 'count=0x1',
                  'count=%201', 'count=', 'count', 'count=%zz', 'num=1e308', 'num=1e309', 'num=nan', 'flag=1', 'flag=false', 'flag=yes',
                  'big=9223372036854775807', 'big=9223372036854775808', 'big=-2147483649', 'day=2024-02-29', 'day=2026-02-29', 'day=infinity',
                  'moment=2026-03-16T14:30:45.123Z', 'moment=2026-03-16T08:30:00-06:00', 'moment=2026-03-16T08:30:00+05:30', 'moment=2026-03-16',
                  'moment=2026-03-16T25:00:00Z', 'moment=epoch', 'id=5f0a4e5c-5a1e-4a7e-9df5-0d8f0f6f8b11', 'id=5f0a', 'ip=::ffff:192.0.2.7',
                  'ip=0:0:0:0:0:0:0:1', 'ip=10.0.0.0/8', 'ip=10.0.0.0/33', 'ip=300.1.1.1', 'tree=[1,{"a":null}]', 'tree=[1', 'unknown=1&other=%ff',
                  'limit=5&offset=1&order=id&select=foo', 'day=''; DROP TABLE x --', 'word=x&workspace=2&as_role=x&now=y']) AS query,
     LATERAL door_test.ask('GET', '/analytics/t/hi?' || query, :'marketing') AS a;
SELECT a.status, a.answer FROM unnest('{J%C3%B6rg,a%2Fb,..,%20,a+b,123456789,%E2%82%AC%E2%82%AC%E2%82%AC,'';DROP}'::text[]) AS word,
     LATERAL door_test.ask('GET', '/analytics/t/' || word, :'admin') AS a;
-- literal segments win; a public route needs no key, but a wrong one is refused
SELECT status, answer FROM door_test.ask('GET', '/analytics/t/fixed?word=w');
SELECT status, answer FROM door_test.ask('GET', '/analytics/t/fixed', 'wrong');
-- D-67: another role's key, another workspace's key
SELECT status, answer FROM door_test.ask('GET', '/analytics/t/hi', :'sdk');
SELECT status, answer FROM door_test.ask('GET', '/analytics/t/hi', :'tenant');
-- engagement lists all faults in a 422
SELECT status, answer FROM door_test.ask('GET', '/v1/t?count=1000&day=x&word=toolongaword', :'admin');
SELECT status, answer FROM door_test.ask('GET', '/v1/t?count=10', :'admin');

-- Bodies
SELECT convert_from(substr(body, 1, 60), 'SQL_ASCII') AS body, a.status, a.answer
FROM unnest(ARRAY['{"word":"w","count":3,"tree":{"b":1,"a":[true]}}', '{"word":null}', '{"count":"4"}', '{"count":4.0}', '{"count":[1]}', '', '{}', '[]', '1', '"x"', 'null',
                  '{', '{"a":1}x', '{"word":"a\u0000b"}', '{"word":"\ud800"}', '{"word":"\ud83d\ude00"}', '{"tree":1e999999}', '{"word":"a","word":"b"}',
                  '{"workspace":2,"now":"x","client_ip":"1.1.1.1","actor_key":1,"request_id":"z","as_role":"owner"}']::text[]) AS given,
     convert_to(given, 'UTF8') AS body, LATERAL door_test.ask('POST', '/analytics/t', :'admin', body) AS a;
SELECT status, answer FROM door_test.ask('POST', '/analytics/t', :'admin', '\x7b22776f7264223a22ff227d');
SELECT status, answer FROM door_test.ask('POST', '/analytics/t', :'admin', '\x7b22776f7264223a226100627d');
SELECT status, answer FROM door_test.ask('POST', '/analytics/t', :'admin', convert_to(repeat('[', 1000) || repeat(']', 1000), 'UTF8'));

-- A context name cannot become a parameter.
INSERT INTO leadanalytics.route_param (method, path, name, arg) VALUES ('GET', '/v1/t', 'w', 'workspace');
-- a body taken whole is JSON: bound as another type, its bytes would be taken for that type's
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type) VALUES ('GET', '/v1/t', 'w', 'document', 'w', 'uuid');

-- Answers and errors of functions
CREATE SEQUENCE door_test.tries;
GRANT USAGE ON SEQUENCE door_test.tries TO leadanalytics_owner;
CREATE TABLE door_test.log (line text);
GRANT ALL ON door_test.log TO leadanalytics_owner;
CREATE FUNCTION door_test.act(what text) RETURNS leadanalytics.reply LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO door_test.log VALUES (what);
    CASE what
        WHEN '302' THEN RETURN leadanalytics.reply(302, '{"Location": "/there"}');
        WHEN 'gif' THEN RETURN leadanalytics.reply(200, '{"Cache-Control": "no-store"}', 'image/gif', 'GIF89a');
        WHEN '201' THEN RETURN leadanalytics.reply(201, '{"Location": "/x/1"}', 'application/json', '{"id":1}');
        WHEN 'accel' THEN RETURN leadanalytics.reply(200, '{"X-Accel-Redirect": "/etc/passwd"}');
        WHEN 'split' THEN RETURN leadanalytics.reply(200, json_build_object('X-A', E'a\r\nSet-Cookie: b'));
        WHEN '999' THEN RETURN leadanalytics.reply(999);
        WHEN '40001' THEN PERFORM nextval('door_test.tries'); RAISE EXCEPTION 'again' USING ERRCODE = '40001';
        WHEN '40P01' THEN IF nextval('door_test.tries') < 3 THEN RAISE EXCEPTION 'again' USING ERRCODE = '40P01'; END IF; RETURN leadanalytics.reply(200);
        WHEN 'LA404' THEN PERFORM leadanalytics.fail(404, 'Campaign not found', 'CAMPAIGN_NOT_FOUND');
        WHEN 'LA422' THEN PERFORM leadanalytics.fail(422, 'Validation failed', NULL, '[{"field":"a","message":"b"}]');
        WHEN 'LA503' THEN PERFORM leadanalytics.fail(503, 'Analytics Engine not configured');
        WHEN 'zero' THEN PERFORM 1 / 0;
        WHEN 'sleep' THEN PERFORM pg_sleep(10);
        WHEN 'none' THEN RETURN NULL;
    END CASE;
    RETURN leadanalytics.reply(200);
END
$$;
INSERT INTO leadanalytics.route (method, path, function, family, writes, timeout_ms, summary)
VALUES ('POST', '/analytics/act', 'door_test.act', 'dashboard', false, 600, 'act'), ('POST', '/v1/act', 'door_test.act', 'engagement', false, 600, 'act'),
       ('POST', '/api/v1/workspaces/:w/act', 'door_test.act', 'campaigns', false, 600, 'act'), ('GET', '/analytics/act', 'door_test.act', 'dashboard', true, 600, 'act');
INSERT INTO leadanalytics.route_param (method, path, name, arg) SELECT method, path, 'what', 'what' FROM leadanalytics.route WHERE function = 'door_test.act';
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type) VALUES ('POST', '/api/v1/workspaces/:w/act', 'w', 'path', 'w', 'workspace');
SELECT what, a.* FROM unnest('{302,gif,201,accel,split,999,40001,LA404,LA422,LA503,zero,sleep,none}'::text[]) AS what,
     LATERAL door_test.ask('POST', '/analytics/act?what=' || what, :'admin') AS a;
SELECT currval('door_test.tries') AS tries;
SELECT setval('door_test.tries', 1);
SELECT status, answer FROM door_test.ask('POST', '/analytics/act?what=40P01', :'admin');
SELECT a.* FROM unnest('{LA422,zero,LA503}'::text[]) AS what, LATERAL door_test.ask('POST', '/v1/act?what=' || what, :'admin') AS a;
SELECT a.* FROM unnest('{LA404,zero}'::text[]) AS what, LATERAL door_test.ask('POST', '/api/v1/workspaces/acme/act?what=' || what, :'admin') AS a;
-- what failed left nothing behind
SELECT line FROM door_test.log ORDER BY line;
-- another workspace answers as none at all
SELECT a.status, a.answer FROM unnest('{other,none,1,acme%27--}'::text[]) AS slug,
     LATERAL door_test.ask('POST', '/api/v1/workspaces/' || slug || '/act?what=302', :'admin') AS a;
-- a GET that writes is sent on; its HEAD is undone
TRUNCATE door_test.log;
SELECT * FROM door_test.ask('GET', '/analytics/act?what=gif', :'admin');
SELECT set_config('request.headers', json_build_object('x-la-method', m, 'x-la-uri', '/analytics/act?what=gif', 'x-la-auth', 'Bearer ' || :'admin')::text, false) IS NOT NULL,
       leadanalytics_door.handle_rw('') FROM unnest('{HEAD,GET}'::text[]) AS m;
SELECT count(*) AS written FROM door_test.log;

-- CORS: D-69
UPDATE leadanalytics.route SET cors = true WHERE path = '/analytics/t/fixed';
UPDATE leadanalytics.workspace SET allowed_origins = '{https://shop.example}';
SELECT origin, a.* FROM (VALUES ('https://shop.example'), ('https://evil.example'), ('null')) AS o (origin),
     LATERAL door_test.ask('OPTIONS', '/analytics/t/fixed', more => jsonb_build_object('x-la-origin', origin, 'x-la-acrm', 'GET')) AS a;
SELECT a.headers FROM door_test.ask('GET', '/analytics/t/fixed?count=x', more => '{"x-la-origin": "https://shop.example"}') AS a;
SELECT * FROM door_test.ask('OPTIONS', '/healthz');
SELECT * FROM door_test.ask('OPTIONS', '/none/at/all');

-- Content-Encoding: what nginx says of the bound is the bound, else 1 MB.
SELECT coding, a.status, a.headers, a.answer
FROM (VALUES ('gzip', '\x1f8b0800000000000203ab562acf2f4a51b252aaca2c28484d51aa0500d5cdee2811000000'::bytea), ('X-Gzip', '\x1f8b0800000000000203ab562acf2f4a51b252aaca2c28484d51aa0500'),
             ('deflate', '\x789cab562acf2f4a51b252aaca2c28484d51aa050035cd0603'), ('deflate', '\xab562acf2f4a51b252aaca2c28484d51aa0500'), ('identity', '{"word":"as is"}'), ('br', '{"word":"as is"}'), ('br', '')) AS b (coding, body),
     LATERAL door_test.ask('POST', '/analytics/t', :'admin', body, jsonb_build_object('x-la-encoding', coding)) AS a;
SELECT most, a.status, a.answer FROM unnest('{16,17,0,-1,x,99999999999999999999}'::text[]) AS most,
     LATERAL door_test.ask('POST', '/analytics/t', :'admin', '\x1f8b0800000000000203ab562acf2f4a51b252aaca2c28484d51aa0500d5cdee2811000000',
                           jsonb_build_object('x-la-encoding', 'gzip', 'x-la-limit', most)) AS a;

-- Idempotency-Key: done once, remembered for a day, gone after it
CREATE TABLE door_test.work (n int GENERATED ALWAYS AS IDENTITY, word text);
GRANT ALL ON door_test.work TO leadanalytics_owner;
CREATE FUNCTION door_test.work(word text DEFAULT 'none') RETURNS json LANGUAGE sql AS $$ INSERT INTO door_test.work (word) VALUES (word) RETURNING json_build_object('n', n) $$;
INSERT INTO leadanalytics.route (method, path, function, roles, idempotent, summary) VALUES ('POST', '/work', 'door_test.work', '{public,sdk}', true, 'work');
INSERT INTO leadanalytics.route_param (method, path, name, place, arg) VALUES ('POST', '/work', 'word', 'body', 'word');
SELECT key IS NOT NULL AS keyed, body, a.*
FROM (VALUES (1, :'admin', '{"word":"a"}'), (2, :'admin', '{"word":"b"}'), (3, :'sdk', '{"word":"a"}'), (4, NULL, '{"word":"a"}'), (5, NULL, '{"word":"b"}'), (6, NULL, '{"word":"a"}')) AS r (i, key, body),
     LATERAL door_test.ask('POST', '/work', key, convert_to(body, 'UTF8'), '{"x-la-idem": "k"}') AS a;
SELECT word, count(*) FROM door_test.work GROUP BY word ORDER BY word;
SELECT workspace IS NOT NULL AS keyed, route, status, content_type, headers, convert_from(answer, 'UTF8') FROM leadanalytics.idempotency ORDER BY keyed, convert_from(answer, 'UTF8');
-- the reading side remembers nothing
SELECT set_config('request.headers', '{"x-la-method": "POST", "x-la-uri": "/work", "x-la-idem": "r"}', false) IS NOT NULL, leadanalytics_door.handle_ro('{}');
SELECT current_setting('leadanalytics.idempotency_keep') AS keep, leadanalytics.sweep_idempotency(now() + interval '23 hours') AS swept_early, leadanalytics.sweep_idempotency(now() + interval '25 hours') AS swept,
       leadanalytics.sweep_idempotency(now() + interval '25 hours') AS swept_again;
SELECT a.answer FROM door_test.ask('POST', '/work', :'admin', '{"word":"c"}', '{"x-la-idem": "k"}') AS a;
-- one that is too old and still there counts as gone
UPDATE leadanalytics.idempotency SET at = at - interval '1 day';
SELECT a.answer FROM door_test.ask('POST', '/work', :'admin', '{"word":"d"}', '{"x-la-idem": "k"}') AS a;
SET leadanalytics.idempotency_keep = '60s';
UPDATE leadanalytics.idempotency SET at = at - interval '59 seconds';
SELECT a.answer FROM door_test.ask('POST', '/work', :'admin', '{"word":"e"}', '{"x-la-idem": "k"}') AS a;
RESET leadanalytics.idempotency_keep;
SELECT leadanalytics.openapi() #> '{paths,/work,post,parameters}';
-- a GET is idempotent anyway
INSERT INTO leadanalytics.route (method, path, function, idempotent, summary) VALUES ('GET', '/work', 'door_test.work', true, 'work');
TRUNCATE leadanalytics.idempotency;

-- A route without its function harms nobody else, and status() says so.
DROP FUNCTION door_test.act(text);
CREATE FUNCTION door_test.words(OUT words text) LANGUAGE sql AS $$ SELECT 'no JSON' $$;
CREATE FUNCTION door_test.outs(OUT x json, w text DEFAULT 'default') LANGUAGE sql STABLE AS $$ SELECT to_json(w) $$;
CREATE ROLE door_test_stranger;
CREATE FUNCTION door_test.foreign_one() RETURNS json LANGUAGE sql AS $$ SELECT '{}'::json $$;
ALTER FUNCTION door_test.foreign_one() OWNER TO door_test_stranger;
INSERT INTO leadanalytics.route (method, path, function, summary)
VALUES ('GET', '/foreign', 'door_test.foreign_one', 'a stranger''s'), ('GET', '/words', 'door_test.words', 'returns text'), ('GET', '/outs', 'door_test.outs', 'OUT arguments first');
INSERT INTO leadanalytics.route_param (method, path, name, arg) VALUES ('GET', '/outs', 'w', 'w');
SELECT status, answer FROM door_test.ask('GET', '/words', :'admin');
SELECT status, answer FROM door_test.ask('GET', '/foreign', :'admin');
ALTER FUNCTION door_test.foreign_one() OWNER TO leadanalytics_owner;
SELECT status, answer FROM door_test.ask('GET', '/foreign', :'admin');
ALTER FUNCTION door_test.foreign_one() OWNER TO door_test_stranger;
SELECT status, answer FROM door_test.ask('GET', '/outs', :'admin');
SELECT status, answer FROM door_test.ask('GET', '/outs?w=given', :'admin');
SELECT status, answer FROM door_test.ask('POST', '/v1/act?what=302', :'admin');
SELECT status FROM door_test.ask('GET', '/healthz');
SELECT part, state FROM leadanalytics.status() WHERE part LIKE 'route %' ORDER BY part;

-- OpenAPI: every route, once
SELECT count(*) = (SELECT count(DISTINCT path) FROM leadanalytics.route) FROM json_object_keys(leadanalytics.openapi() -> 'paths');
SELECT leadanalytics.openapi() #> '{paths,"/analytics/t/{word}",get,parameters}';

-- The functions answer PostgREST only
SELECT leadanalytics_door.handle_ro('') FROM set_config('request.headers', '{}', true);

DELETE FROM leadanalytics.route WHERE NOT builtin;
DROP SCHEMA door_test CASCADE;
DROP ROLE door_test_stranger;
DELETE FROM leadanalytics.workspace;
DELETE FROM leadanalytics.rate_limit;
