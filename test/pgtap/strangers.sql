-- Another's workspace is no workspace: every function that takes one, and every view, answers a database
-- role without a grant about a workspace full of data exactly as about one that does not exist.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
SET search_path = pg_catalog, public;

SELECT leadanalytics.create_workspace('strangers-test') AS full \gset
SELECT leadanalytics.create_site(:full, 'strangers-test', '{strangers.example}') \g /dev/null
SELECT leadanalytics.track(:full, '{"events": [
    {"event_name": "page_view", "visitor_id": "v1", "session_id": "s1", "event_data": {"url": "https://strangers.example/"}},
    {"event_name": "sign_up", "visitor_id": "v2"}]}') \g /dev/null
SELECT leadanalytics.put_room(:full, 'r'), leadanalytics.put_booking_page(:full, 'p', 'P'),
       leadanalytics.add_contact_events(:full, '{"contact": "c@strangers.example", "event_type": "booking", "booking_page": "p"}') \g /dev/null
CREATE ROLE strangers_stranger IN ROLE leadanalytics_write;
CREATE ROLE strangers_friend IN ROLE leadanalytics_write;
SELECT leadanalytics.grant_workspace(:full, 'strangers_friend') \g /dev/null

-- A leak, to see that it is seen.
CREATE FUNCTION leadanalytics.leak(workspace int) RETURNS json STABLE SECURITY DEFINER LANGUAGE sql AS
    'SELECT json_build_object(''events'', count(*)) FROM leadanalytics.event e WHERE e.workspace = leak.workspace';
GRANT EXECUTE ON FUNCTION leadanalytics.leak(int) TO leadanalytics_read;

-- One call a function: the workspace named, what has no default null.
CREATE TEMP TABLE call AS
SELECT p.oid::regprocedure::text AS name,
       format('SELECT array_agg(t::text) FROM %s(%s) AS t', p.oid::regproc, string_agg(
           format('%I => %s', arg, CASE arg WHEN 'workspace' THEN '%1$s' ELSE 'NULL::' || proargtypes[i - 1]::regtype END), ', ')) AS statement
FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace, unnest(proargnames[1:pronargs]) WITH ORDINALITY AS a (arg, i)
WHERE nspname = 'leadanalytics' AND 'workspace' = ANY (proargnames[1:pronargs])
      AND (arg = 'workspace' OR i <= pronargs - pronargdefaults) AND prokind = 'f'
      AND has_function_privilege('strangers_stranger', p.oid, 'EXECUTE')
GROUP BY p.oid;
GRANT SELECT ON call TO PUBLIC;

CREATE FUNCTION pg_temp.answer(statement text, workspace int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE format(statement, workspace) INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SET ROLE strangers_stranger;
CREATE TEMP TABLE stranger AS
SELECT name, pg_temp.answer(statement, :full) AS "full", pg_temp.answer(statement, 2147483647) AS nowhere FROM call;
SET ROLE strangers_friend;
CREATE TEMP TABLE friend AS SELECT name, pg_temp.answer(statement, :full) AS "full" FROM call;
RESET ROLE;

-- Inside the door a request speaks for its key's workspace alone, and a public one for none until it is
-- resolved, whoever the connection belongs to: here a superuser, who may everything outside.
SELECT leadanalytics.create_workspace('strangers-home') AS home \gset
SELECT leadanalytics.create_key(:home, 'admin') AS key \gset
CREATE FUNCTION leadanalytics.strangers_reach(target int) RETURNS json STABLE LANGUAGE sql AS 'SELECT to_json(leadanalytics.may(target))';
CREATE FUNCTION leadanalytics.strangers_enter(target int) RETURNS json VOLATILE LANGUAGE sql AS $$
    SELECT to_json(ARRAY[leadanalytics.may(w.id), leadanalytics.public_workspace(w.slug, NULL, NULL, NULL) = w.id, leadanalytics.may(w.id),
                         leadanalytics.public_workspace('strangers-home', NULL, NULL, NULL) <> w.id, leadanalytics.may(w.id)])
    FROM leadanalytics.workspace w WHERE w.id = target
$$;
INSERT INTO leadanalytics.route (method, path, function, family, roles, summary) VALUES
    ('GET', '/analytics/strangers-reach', 'leadanalytics.strangers_reach', 'dashboard', '{admin}', 'test'),
    ('GET', '/analytics/strangers-public', 'leadanalytics.strangers_reach', 'dashboard', '{public}', 'test'),
    ('POST', '/analytics/strangers-enter', 'leadanalytics.strangers_enter', 'dashboard', '{public}', 'test');
INSERT INTO leadanalytics.route_param (method, path, name, arg, type)
SELECT method, path, 'target', 'target', 'int' FROM leadanalytics.route WHERE path LIKE '/analytics/strangers-%';
CREATE FUNCTION pg_temp.ask(method text, uri text, key text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('request.headers', jsonb_strip_nulls(jsonb_build_object('x-la-method', method, 'x-la-uri', uri, 'x-la-rid', 'r',
        'x-la-ip', '192.0.2.1', 'x-la-auth', 'Bearer ' || key))::text, true);
    RETURN convert_from(CASE method WHEN 'GET' THEN leadanalytics_door.handle_ro('') ELSE leadanalytics_door.handle_rw('') END, 'UTF8');
END
$$;

SELECT plan(5 + (SELECT count(*)::int - 1 FROM call) + 3 + (SELECT count(*)::int FROM pg_views WHERE schemaname = 'leadanalytics'));
SELECT is("full", nowhere, name || ' tells a stranger nothing') FROM stranger WHERE name <> 'leadanalytics.leak(integer)' ORDER BY name;
SELECT isnt("full", nowhere, 'negative control: a leak is seen') FROM stranger WHERE name = 'leadanalytics.leak(integer)';
SELECT is("full", :'full', 'a friend is answered') FROM (SELECT btrim("full", '{}') AS "full" FROM friend WHERE name = 'leadanalytics.permitted(integer)') AS f;
SELECT cmp_ok((SELECT count(*)::int FROM stranger WHERE nowhere = 'LA404 Workspace not found'), '>', 1, 'most say 404');
SET ROLE strangers_stranger;
SELECT is(pg_temp.answer(CASE WHEN has_table_privilege(format('%I.%I', schemaname, viewname), 'SELECT')
                              THEN format('SELECT count(*) FROM %I.%I', schemaname, viewname) ELSE 'SELECT 0' END, 0), '0', viewname || ' shows a stranger nothing')
FROM pg_views WHERE schemaname = 'leadanalytics' ORDER BY viewname;
RESET ROLE;
SELECT is(pg_temp.ask('GET', '/analytics/strangers-reach?target=' || :home, :'key'), 'true', 'a key reaches its workspace');
SELECT is(pg_temp.ask('GET', '/analytics/strangers-reach?target=' || :full, :'key'), 'false', '… and no other');
SELECT is(pg_temp.ask('GET', '/analytics/strangers-public?target=' || :full), 'false', 'a public request reaches none');
SELECT is(pg_temp.ask('POST', '/analytics/strangers-enter?target=' || :full), '[false,true,true,true,true]',
          '… but the one that public_workspace() resolved, once and for all');
SELECT is(leadanalytics.may(:full), true, 'outside the door the superuser is one again');
SELECT * FROM finish();
ROLLBACK;
