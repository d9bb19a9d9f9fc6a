-- The rules of the house that the catalogue can tell. A rule is a query that lists its breaches, and a
-- specimen that breaks it: the first must find nothing, and something once the second has run.
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
SET search_path = pg_catalog, public;

CREATE TEMP VIEW proc AS
    SELECT p.oid::regprocedure::text AS name, p.* FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname ~ '^leadanalytics';
CREATE TEMP VIEW class AS
    SELECT c.oid::regclass::text AS name, c.* FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname ~ '^leadanalytics';
-- What a route may bind: its parameters, and what the door knows (core.tables.sql; test/lint/contexts.sh
-- compares that list with the door's).
CREATE TEMP VIEW context AS
    SELECT m[1] AS name FROM pg_constraint, regexp_matches(pg_get_constraintdef(oid), '''([a-z_]+)''', 'g') AS m
    WHERE conname = 'context_is_not_a_requests_to_say';
CREATE TEMP VIEW target AS
    SELECT r.method, r.path, r.function, r.writes, p.oid, p.provolatile, p.proargtypes, p.pronargs, p.pronargdefaults, p.prorettype,
           coalesce(p.proargnames[1:p.pronargs], '{}') AS args
    FROM leadanalytics.route r LEFT JOIN pg_proc p ON p.oid = to_regproc(r.function);
CREATE FUNCTION pg_temp.type_of(param text) RETURNS regtype LANGUAGE sql AS $$
    SELECT CASE param WHEN 'text' THEN 'text' WHEN 'int' THEN 'int4' WHEN 'bigint' THEN 'int8' WHEN 'number' THEN 'float8' WHEN 'boolean' THEN 'bool'
                      WHEN 'date' THEN 'date' WHEN 'timestamp' THEN 'timestamptz' WHEN 'uuid' THEN 'uuid' WHEN 'ip' THEN 'inet' WHEN 'json' THEN 'json' WHEN 'form' THEN 'json' END::regtype
$$;

CREATE TEMP TABLE rule (number int GENERATED ALWAYS AS IDENTITY, name text, breaches text, specimen text);
INSERT INTO rule (name, breaches, specimen) VALUES
-- Who may do what.
('PUBLIC may execute nothing',
 $$SELECT name FROM proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0$$,
 $$CREATE FUNCTION leadanalytics.bad() RETURNS int LANGUAGE sql AS 'SELECT 1'$$),
('everything belongs to leadanalytics_owner',
 $$SELECT name FROM class WHERE relkind NOT IN ('i', 'I') AND relowner <> 'leadanalytics_owner'::regrole
   UNION ALL SELECT name FROM proc WHERE proowner <> 'leadanalytics_owner'::regrole
   UNION ALL SELECT nspname FROM pg_namespace WHERE nspname ~ '^leadanalytics' AND nspowner <> 'leadanalytics_owner'::regrole$$,
 $$CREATE VIEW leadanalytics.bad AS SELECT 1$$),
('leadanalytics_owner is nobody else',
 $$SELECT rolname FROM pg_roles WHERE rolname = 'leadanalytics_owner' AND (rolsuper OR rolcanlogin OR rolcreaterole OR rolbypassrls)
   UNION ALL SELECT roleid::regrole::text FROM pg_auth_members WHERE member = 'leadanalytics_owner'::regrole$$,
 $$GRANT leadanalytics_read TO leadanalytics_owner$$),
('SECURITY DEFINER: search_path pinned, owner no superuser',
 $$SELECT name FROM proc JOIN pg_roles o ON o.oid = proowner
   WHERE prosecdef AND (rolsuper OR NOT coalesce(proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}')$$,
 $$ALTER FUNCTION leadanalytics.may(int) RESET search_path$$),
('only the owner touches tables and sequences',
 $$SELECT name, grantee::regrole FROM class, aclexplode(relacl) WHERE relkind IN ('r', 'p', 'S') AND grantee <> relowner$$,
 $$GRANT SELECT ON leadanalytics.key TO leadanalytics_admin$$),
('views that others read are security barriers',
 $$SELECT name FROM class WHERE relkind = 'v' AND NOT coalesce(reloptions, '{}') @> '{security_barrier=true}'
   AND EXISTS (SELECT FROM aclexplode(relacl) WHERE grantee <> relowner)$$,
 $$ALTER VIEW leadanalytics.workspaces RESET (security_barrier)$$),
('PostgREST''s role executes the two functions of the door, nothing else',
 $$(SELECT name FROM proc WHERE has_function_privilege('leadanalytics_anon', proc.oid, 'EXECUTE')
    EXCEPT VALUES ('leadanalytics_door.handle_ro(bytea)'), ('leadanalytics_door.handle_rw(bytea)'))
   UNION ALL (VALUES ('leadanalytics_door.handle_ro(bytea)'), ('leadanalytics_door.handle_rw(bytea)')
    EXCEPT SELECT name FROM proc WHERE has_function_privilege('leadanalytics_anon', proc.oid, 'EXECUTE'))$$,
 $$GRANT EXECUTE ON FUNCTION leadanalytics.may(int) TO leadanalytics_anon$$),
('… reads nothing, makes nothing, is nobody else',
 $$SELECT name FROM class WHERE relkind IN ('r', 'p', 'v') AND has_table_privilege('leadanalytics_anon', class.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
   UNION ALL SELECT name FROM class WHERE CASE WHEN relkind = 'S' THEN has_sequence_privilege('leadanalytics_anon', class.oid, 'USAGE, SELECT, UPDATE') END
   UNION ALL SELECT nspname FROM pg_namespace WHERE nspname ~ '^leadanalytics' AND (has_schema_privilege('leadanalytics_anon', oid, 'CREATE')
        OR (nspname <> 'leadanalytics_door' AND has_schema_privilege('leadanalytics_anon', oid, 'USAGE')))
   UNION ALL SELECT roleid::regrole::text FROM pg_auth_members WHERE member = 'leadanalytics_anon'::regrole$$,
 $$GRANT leadanalytics_read TO leadanalytics_anon$$),
('PostgREST''s log-in may become that role, no other, and has no right of its own',
 $$SELECT roleid::regrole::text FROM pg_auth_members WHERE member = 'leadanalytics_authenticator'::regrole AND roleid <> 'leadanalytics_anon'::regrole
   UNION ALL SELECT rolname FROM pg_roles WHERE rolname = 'leadanalytics_authenticator' AND (rolinherit OR rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls)
   UNION ALL SELECT refclassid::regclass::text FROM pg_shdepend WHERE refobjid = 'leadanalytics_authenticator'::regrole AND deptype <> 'o' AND classid = 'pg_proc'::regclass$$,
 $$GRANT leadanalytics_owner TO leadanalytics_authenticator$$),
-- What is written beside it.
('every schema, table, view, function and type has a comment',
 $$SELECT name FROM class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relispartition AND obj_description(class.oid, 'pg_class') IS NULL
   UNION ALL SELECT name FROM proc WHERE obj_description(proc.oid, 'pg_proc') IS NULL
   UNION ALL SELECT nspname FROM pg_namespace WHERE nspname ~ '^leadanalytics' AND obj_description(oid, 'pg_namespace') IS NULL
   UNION ALL SELECT t.oid::regtype::text FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace LEFT JOIN pg_class c ON c.oid = typrelid
       WHERE nspname ~ '^leadanalytics' AND typcategory <> 'A' AND (typtype <> 'c' OR relkind = 'c') AND obj_description(t.oid, 'pg_type') IS NULL$$,
 $$CREATE TYPE leadanalytics.bad AS (i int)$$),
-- Tables that restore.
('every table and sequence is dumped, or is listed here with the reason why not',
 $$SELECT name FROM class WHERE relkind IN ('r', 'S') AND NOT relispartition
   AND class.oid <> ALL (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'leadanalytics')
   EXCEPT VALUES ('leadanalytics.home'), -- where this database is: another one's after a restore
                 ('leadanalytics.country'), ('leadanalytics.key_role'), ('leadanalytics.partitioned'), ('leadanalytics.retention_kind'), ('leadanalytics.status_source'), -- built-in rows only
                 ('leadanalytics.lead_tally'), ('leadanalytics.lead_submission_tally'), -- kept by triggers, in a restore too
                 ('leadanalytics.activity_tally'), ('leadanalytics.activity_fresh_tally'), ('leadanalytics.lead_unpredicted'), -- the same
                 ('leadanalytics.unit_state') -- how the workers fared: not the other database's$$,
 $$CREATE TABLE leadanalytics.bad (i int)$$),
('built-in tables, and built-in rows, are not dumped',
 $$SELECT c::regclass::text FROM pg_extension, unnest(extconfig, extcondition) AS u (c, condition)
   WHERE extname = 'leadanalytics' AND (c::regclass::text IN ('leadanalytics.country', 'leadanalytics.home', 'leadanalytics.key_role', 'leadanalytics.partitioned', 'leadanalytics.retention_kind', 'leadanalytics.status_source')
       OR (condition !~ 'NOT builtin' AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c AND attname = 'builtin')))$$,
 $$UPDATE pg_extension SET extconfig = extconfig || 'leadanalytics.home'::regclass::oid, extcondition = extcondition || ''::text WHERE extname = 'leadanalytics'$$),
('no table refers to itself: pg_dump warns of it',
 $$SELECT conname FROM pg_constraint JOIN class ON class.oid = conrelid WHERE contype = 'f' AND confrelid = conrelid$$,
 $$CREATE TABLE leadanalytics.bad (i int PRIMARY KEY, j int REFERENCES leadanalytics.bad)$$),
('a partitioned parent has no index, key, identity or default partition',
 $$SELECT name FROM class WHERE relkind = 'p' AND (relhasindex
       OR EXISTS (SELECT FROM pg_constraint WHERE conrelid = class.oid AND contype IN ('p', 'u', 'x'))
       OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = class.oid AND attidentity <> '')
       OR EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = class.oid AND partdefid <> 0))$$,
 $$CREATE TABLE leadanalytics.bad (at timestamptz, i int GENERATED ALWAYS AS IDENTITY) PARTITION BY RANGE (at)$$),
('every partitioned parent is one of leadanalytics.partitioned, and no leaf is a member of the extension',
 $$SELECT name FROM class WHERE relkind = 'p' AND name NOT IN (SELECT 'leadanalytics.' || parent FROM leadanalytics.partitioned)
   UNION ALL SELECT name FROM class JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = class.oid AND deptype = 'e' WHERE relispartition$$,
 $$CREATE TABLE leadanalytics.bad (at timestamptz) PARTITION BY RANGE (at)$$),
('a text in a key is COLLATE "C": an index outlives the C library''s ideas of order',
 $$SELECT name, attname FROM class JOIN pg_index ON indrelid = class.oid JOIN pg_attribute a ON attrelid = indexrelid
   WHERE attcollation NOT IN (0, 'pg_catalog."C"'::regcollation, 'pg_catalog."POSIX"'::regcollation) AND indisunique$$,
 $$CREATE TABLE leadanalytics.bad (i text PRIMARY KEY)$$),
('no constraint is deferrable: it would fail after the answer was written',
 $$SELECT conname FROM pg_constraint JOIN class ON class.oid = conrelid WHERE condeferrable$$,
 $$CREATE TABLE leadanalytics.bad (i int UNIQUE DEFERRABLE)$$),
-- Routes.
('every route''s function exists, once',
 $$SELECT method, path, function FROM target WHERE oid IS NULL$$,
 $$INSERT INTO leadanalytics.route (method, path, function, summary) VALUES ('GET', '/bad', 'leadanalytics.bad', 'bad')$$),
('… returns json, jsonb or leadanalytics.reply',
 $$SELECT method, path, prorettype::regtype FROM target WHERE prorettype NOT IN ('json'::regtype, 'jsonb'::regtype, 'leadanalytics.reply'::regtype)$$,
 $$INSERT INTO leadanalytics.route (method, path, function, summary) VALUES ('GET', '/bad', 'leadanalytics.may', 'bad')$$),
('… answers from one snapshot: GET is STABLE unless it writes',
 $$SELECT method, path FROM target WHERE method = 'GET' AND NOT writes AND provolatile = 'v'$$,
 $$INSERT INTO leadanalytics.route (method, path, function, summary) VALUES ('GET', '/bad', 'leadanalytics.track', 'bad')$$),
('… has the arguments that its parameters name, with types that take them',
 $$SELECT method, path, p.name, p.arg FROM target JOIN leadanalytics.route_param p USING (method, path)
   LEFT JOIN unnest(args) WITH ORDINALITY AS a (name, i) ON a.name = p.arg
   WHERE p.type <> 'workspace' AND target.oid IS NOT NULL AND (a.name IS NULL OR NOT (pg_temp.type_of(p.type) = proargtypes[i - 1]
       OR EXISTS (SELECT FROM pg_cast WHERE castsource = pg_temp.type_of(p.type) AND casttarget = proargtypes[i - 1] AND castcontext = 'i')))$$,
 $$INSERT INTO leadanalytics.route_param (method, path, name, arg, type) SELECT method, path, 'bad', 'bad', 'int' FROM leadanalytics.route LIMIT 1$$),
('… gets every argument that has no default',
 $$SELECT method, path, needed FROM target, unnest(args[1:pronargs - pronargdefaults]) AS needed
   WHERE needed NOT IN (SELECT name FROM context)
   AND needed NOT IN (SELECT arg FROM leadanalytics.route_param p WHERE p.method = target.method AND p.path = target.path)$$,
 $$INSERT INTO leadanalytics.route (method, path, function, summary) VALUES ('GET', '/bad', 'leadanalytics.find_key', 'bad')$$),
('… tells every parameter once',
 $$SELECT method, path, arg FROM leadanalytics.route_param WHERE type <> 'workspace' GROUP BY method, path, arg HAVING count(*) > 1$$,
 $$INSERT INTO leadanalytics.route_param (method, path, name, arg) SELECT method, path, i, 'bad' FROM (SELECT * FROM leadanalytics.route LIMIT 1) AS r, unnest('{a,b}'::text[]) AS i$$),
('… and what the path names is a parameter, and the other way round',
 $$(SELECT method, path, m[1] FROM leadanalytics.route, regexp_matches(path, ':([A-Za-z][A-Za-z0-9_]*)', 'g') AS m
    EXCEPT SELECT method, path, name FROM leadanalytics.route_param WHERE place = 'path')
   UNION ALL (SELECT method, path, name FROM leadanalytics.route_param WHERE place = 'path'
    EXCEPT SELECT method, path, m[1] FROM leadanalytics.route, regexp_matches(path, ':([A-Za-z][A-Za-z0-9_]*)', 'g') AS m)$$,
 $$INSERT INTO leadanalytics.route (method, path, function, summary) VALUES ('GET', '/bad/:bad', 'leadanalytics.health', 'bad')$$),
('every question of the public family is of a feature (src/http/feature.sql), but for those about the plan itself',
 $$SELECT path FROM leadanalytics.route WHERE family = 'public' AND method = 'GET' AND builtin AND feature IS NULL AND roles <> '{admin}'
   EXCEPT VALUES ('/api/v1/workspace'), ('/api/v1/usage')$$,
 $$INSERT INTO leadanalytics.route (method, path, function, family, roles, builtin, summary) VALUES ('GET', '/api/v1/bad', 'leadanalytics.health', 'public', '{sdk}', true, 'bad')$$);

-- How many breaches there are once the specimen stands; it is gone afterwards.
CREATE FUNCTION pg_temp.caught(breaches text, specimen text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    n int;
BEGIN
    BEGIN
        EXECUTE specimen;
        EXECUTE format(E'SELECT count(*) FROM (%s\n) AS b', breaches) INTO n;
        RAISE EXCEPTION 'back' USING ERRCODE = 'TAP00';
    EXCEPTION WHEN SQLSTATE 'TAP00' THEN
        RETURN n > 0;
    END;
END
$$;

SELECT plan((SELECT 2 * count(*)::int + 1 FROM rule));
SELECT cmp_ok((SELECT count(*)::int FROM context), '>=', 10, 'the names of the context are found');
SELECT is_empty(breaches, name) FROM rule ORDER BY number;
SELECT ok(pg_temp.caught(breaches, specimen), 'a breach is seen: ' || name) FROM rule ORDER BY number;
SELECT * FROM finish();
ROLLBACK;
