-- Workspaces, sites, forms, members, keys; who may speak for whom.
\set SHOW_CONTEXT never
SET client_min_messages = warning;

-- What a statement answers: its value, or its SQLSTATE and text.
CREATE FUNCTION public.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE statement INTO answer;
    RETURN coalesce(answer, '(null)');
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE ROLE test_tenant_admin;
CREATE ROLE test_tenant_bi;
CREATE ROLE test_tenant_team;
CREATE ROLE test_tenant_stranger;
CREATE ROLE test_tenant_pool NOINHERIT;
GRANT leadanalytics_admin TO test_tenant_admin;
GRANT leadanalytics_read TO test_tenant_team, test_tenant_stranger;
GRANT test_tenant_team TO test_tenant_bi;
GRANT test_tenant_bi, test_tenant_stranger TO test_tenant_pool;

-- Setting up, as somebody who has no right but membership in leadanalytics_admin.
SET ROLE test_tenant_admin;
SELECT leadanalytics.create_workspace('acme', 'Acme', 'europe/vienna', 'eur', 'WWW.Acme.example.') AS acme \gset
SELECT leadanalytics.create_workspace('Globex-2', allowed_origins => '{https://App.Globex.example:8443}') AS globex \gset
SELECT leadanalytics.create_workspace('open', is_default => true) AS open \gset
SELECT slug, name, domain, timezone, currency, is_default FROM leadanalytics.workspaces ORDER BY id;
SELECT statement, public.attempt(statement) FROM (VALUES
    ($$SELECT leadanalytics.create_workspace('acme')$$),
    ($$SELECT leadanalytics.create_workspace('other', is_default => true)$$),
    ($$SELECT leadanalytics.create_workspace('akmé')$$),
    ($$SELECT leadanalytics.create_workspace('acme​')$$),
    ($$SELECT leadanalytics.create_workspace('аcme')$$),
    ($$SELECT leadanalytics.create_workspace('')$$),
    ($$SELECT leadanalytics.create_workspace('a b')$$),
    ($$SELECT leadanalytics.create_workspace(E'acme\n')$$),
    ($$SELECT leadanalytics.create_workspace('../x')$$),
    ($$SELECT leadanalytics.create_workspace(NULL)$$),
    ($$SELECT leadanalytics.create_workspace(repeat('x', 64))$$),
    ($$SELECT leadanalytics.create_workspace('x', repeat('x', 201))$$),
    ($$SELECT leadanalytics.create_workspace('x', timezone => 'Europe/Atlantis')$$),
    ($$SELECT leadanalytics.create_workspace('x', timezone => '+05')$$),
    ($$SELECT leadanalytics.create_workspace('x', timezone => NULL)$$),
    ($$SELECT leadanalytics.create_workspace('x', currency => 'EURO')$$),
    ($$SELECT leadanalytics.create_workspace('x', domain => 'https://x.example')$$),
    ($$SELECT leadanalytics.create_workspace('x', allowed_origins => '{x.example}')$$),
    ($$SELECT leadanalytics.create_workspace('x', allowed_origins => '{https://x.example/}')$$)
) AS t (statement);
SELECT leadanalytics.create_workspace('x', timezone => 'Europe/Atlantis');
SELECT leadanalytics.create_site(:acme, 'acme-shop', '{Shop.Acme.example, acme.example}');
SELECT leadanalytics.create_site(:acme, 'acme-old', '{old.acme.example}');
SELECT leadanalytics.create_site(:globex, 'globex', '{www.globex.example, "[2001:db8::1]"}');
SELECT leadanalytics.create_form(:acme, 'acme-shop', 'enquiry');
SELECT leadanalytics.create_member(:acme, 'Ann@Acme.example', 'owner') AS ann \gset
SELECT leadanalytics.create_member(:globex, 'gil@globex.example') AS gil \gset
SELECT statement, public.attempt(replace(replace(statement, ':acme', :'acme'), ':ann', :'ann')) FROM (VALUES
    ($$SELECT leadanalytics.create_site(:acme, 'acme-shop')$$),
    ($$SELECT leadanalytics.create_site(:acme, 'steal', '{globex.example}')$$),
    ($$SELECT leadanalytics.create_site(:acme, 'münchen')$$),
    ($$SELECT leadanalytics.create_site(:acme, 'x', '{münchen.example}')$$),
    ($$SELECT leadanalytics.create_site(:acme, 'x', '{NULL}')$$),
    ($$SELECT leadanalytics.create_form(:acme, 'acme-shop', 'enquiry')$$),
    ($$SELECT leadanalytics.create_form(:acme, 'globex', 'enquiry')$$),
    ($$SELECT leadanalytics.create_form(:acme, 'nowhere', 'enquiry')$$),
    ($$SELECT leadanalytics.create_form(:acme, 'acme-shop', 'a/b')$$),
    ($$SELECT leadanalytics.create_member(:acme, 'ann@acme.example')$$),
    ($$SELECT leadanalytics.create_member(:acme, 'nobody')$$),
    ($$SELECT leadanalytics.create_member(:acme, 'bob@acme.example', 'god')$$),
    ($$SELECT leadanalytics.set_member_role(:acme, :ann, 'god')$$),
    ($$SELECT leadanalytics.set_member_role(:acme, :ann, 'admin')$$),
    ($$SELECT leadanalytics.enable_site(:acme, 'nowhere', false)$$),
    ($$SELECT leadanalytics.enable_form(:acme, 'acme-shop', 'enquiry', false)$$)
) AS t (statement);

-- Another workspace's id answers exactly as a nonexistent one, in every function that takes one.
SELECT public.attempt(format('SELECT leadanalytics.set_member_role(%s, %s, ''owner'')', :acme, :gil)) AS anothers_member,
       public.attempt(format('SELECT leadanalytics.set_member_role(%s, 999999, ''owner'')', :acme)) AS no_member;
RESET ROLE;
SELECT role, email LIKE '%@acme.example' AS acme FROM leadanalytics.member ORDER BY id;
SELECT enabled FROM leadanalytics.form;

-- D-67 keys: every role, its prefix, 64 digits; only digest and prefix are kept.
SET ROLE test_tenant_admin;
CREATE TEMP TABLE made AS
SELECT role, leadanalytics.create_key(:acme, role, name => role, member => CASE WHEN role = 'member' THEN :ann END,
                                      per_minute => CASE WHEN role = 'admin' THEN 0 END) AS text
FROM unnest('{admin,marketing,capture,sdk,agent,live,sandbox,member,tenant}'::text[]) AS role;
RESET ROLE;
SELECT m.role, m.text ~ ('^' || r.prefix || '[0-9a-f]{64}$') AS shape, left(m.text, -52) = k.prefix AS found_by,
       sha256(convert_to(m.text, 'UTF8')) = k.digest AS digest, w.slug, k.per_minute
FROM made m JOIN leadanalytics.key k ON k.id = leadanalytics.find_key(m.text)
JOIN leadanalytics.key_role r ON r.role = k.role AND r.role = m.role
JOIN leadanalytics.workspace w ON w.id = k.workspace ORDER BY k.id;
SELECT count(*) AS secrets_kept FROM leadanalytics.key k, made m WHERE k::text LIKE '%' || right(m.text, 52) || '%';
SELECT count(DISTINCT text) FROM made;
-- S2-04: one sandbox for all sandbox keys.
SELECT leadanalytics.create_key(:acme, 'sandbox') <> '' AS second_sandbox_key;
SELECT slug, name, timezone, currency FROM leadanalytics.workspace WHERE sandbox_of = :acme;
SELECT statement, public.attempt(replace(replace(statement, ':acme', :'acme'), ':gil', :'gil')) FROM (VALUES
    ($$SELECT leadanalytics.create_key(:acme, 'root')$$),
    ($$SELECT leadanalytics.create_key(:acme, NULL)$$),
    ($$SELECT leadanalytics.create_key(:acme, 'member')$$),
    ($$SELECT leadanalytics.create_key(:acme, 'member', member => :gil)$$),
    ($$SELECT leadanalytics.create_key(:acme, 'sdk', member => :gil)$$),
    ($$SELECT leadanalytics.create_key(:acme, 'sdk', pages => '{x}')$$),
    ($$SELECT leadanalytics.create_key(:acme, 'sdk', per_minute => -1)$$),
    ($$SELECT leadanalytics.create_key(999999, 'sdk')$$)
) AS t (statement);

-- S1-A2 a text that is no key, however close, is none: every character counts, and so does its length.
SELECT count(*) AS one_off, count(leadanalytics.find_key(overlay(text PLACING translate(substr(text, i, 1),
           '0123456789abcdefghijklmnopqrstuvwxyz_', '123456789abcdef0hijklmnopqrstuvwxyza') FROM i FOR 1))) AS found
FROM made, generate_series(1, length(text)) AS i WHERE role = 'agent';
SELECT left(what, 20) AS what, leadanalytics.find_key(replace(what, 'KEY', text)) FROM made, unnest(ARRAY['KEY', 'KEY0', ' KEY', 'KEY ', 'key',
    '', '-', 'dk_', 'éKEY', repeat('KEY', 100), repeat('0', 52), repeat('0', 53), repeat('0', 116), ''' OR true --']) AS what
WHERE role = 'agent' AND what <> 'KEY';
SELECT count(leadanalytics.find_key(left(text, i))) AS truncated FROM made, generate_series(0, length(text) - 1) AS i;
SELECT count(leadanalytics.find_key(upper(text))) AS upper_case FROM made;
-- The lookup is one statement whatever the text: hit, miss and nonsense read the key table once each.
BEGIN;
SELECT leadanalytics.find_key(text) IS NOT NULL AS hit FROM made WHERE role = 'sdk';
SELECT idx_scan + seq_scan AS hit FROM pg_stat_xact_user_tables WHERE relname = 'key' \gset
SELECT leadanalytics.find_key('dk_' || repeat('0', 64)) IS NOT NULL AS miss;
SELECT idx_scan + seq_scan AS miss FROM pg_stat_xact_user_tables WHERE relname = 'key' \gset
SELECT leadanalytics.find_key('nonsense') IS NOT NULL AS nonsense;
SELECT idx_scan + seq_scan AS nonsense FROM pg_stat_xact_user_tables WHERE relname = 'key' \gset
COMMIT;
SELECT :miss - :hit AS scans_of_a_miss, :nonsense - :miss AS scans_of_nonsense;

-- Revoking is at once; rotating keeps what the key may do.
SET ROLE test_tenant_admin;
SELECT id AS admin_key FROM leadanalytics.keys WHERE workspace = :acme AND role = 'admin' \gset
SELECT id AS sandbox_key FROM leadanalytics.keys WHERE name = 'sandbox' \gset
SELECT id AS agent_key FROM leadanalytics.keys WHERE name = 'agent' \gset
SELECT leadanalytics.rotate_key(:acme, :admin_key) AS rotated \gset
SELECT leadanalytics.rotate_key(:acme, :sandbox_key) AS rotated_sandbox \gset
SELECT leadanalytics.revoke_key(:acme, :agent_key);
SELECT leadanalytics.revoke_key(:acme, :agent_key) AS again;
SELECT public.attempt(format('SELECT leadanalytics.rotate_key(%s, %s)', :acme, :agent_key)) AS rotate_revoked,
       public.attempt(format('SELECT leadanalytics.revoke_key(%s, %s)', :globex, :admin_key)) AS anothers_key,
       public.attempt(format('SELECT leadanalytics.revoke_key(%s, 999999)', :globex)) AS no_key;
RESET ROLE;
SELECT role, leadanalytics.find_key(text) IS NOT NULL AS opens FROM made ORDER BY role;
SELECT k.role, k.name, k.per_minute, w.slug FROM leadanalytics.key k JOIN leadanalytics.workspace w ON w.id = k.workspace
WHERE k.id IN (leadanalytics.find_key(:'rotated'), leadanalytics.find_key(:'rotated_sandbox')) ORDER BY k.id;

-- may(): database roles.
SELECT leadanalytics.may(:acme) AS superuser, leadanalytics.may(999999) AS nothing_there, leadanalytics.may(NULL) AS "null";
SET ROLE leadanalytics_owner;
SELECT leadanalytics.may(:acme) AS owner;
SET ROLE test_tenant_admin;
SELECT leadanalytics.grant_workspace(:acme, 'test_tenant_team');
SELECT public.attempt(format('SELECT leadanalytics.grant_workspace(%s, ''test_tenant_nobody'')', :acme)),
       public.attempt(format('SELECT leadanalytics.grant_workspace(%s, ''test_tenant_team'', ''god'')', :acme));
SET ROLE test_tenant_bi; -- a member of a role that has the grant
SELECT leadanalytics.may(:acme), leadanalytics.may(:globex), leadanalytics.permitted(:acme) = :acme AS permitted;
SELECT slug FROM leadanalytics.workspaces;
SELECT public.attempt(format('SELECT leadanalytics.permitted(%s)', :globex)) AS anothers,
       public.attempt('SELECT leadanalytics.permitted(999999)') AS nonexistent,
       public.attempt('SELECT leadanalytics.permitted(NULL)') AS "null",
       public.attempt('SELECT leadanalytics.permitted(-1)') AS public,
       public.attempt('SELECT leadanalytics.permitted(0)') AS nobody;
SET ROLE test_tenant_stranger;
SELECT leadanalytics.may(:acme), leadanalytics.may(:globex);
SELECT slug FROM leadanalytics.workspaces;
-- … and log-ins. A pool's own log-in has what it inherits: nothing. What it takes by SET ROLE counts.
SET SESSION AUTHORIZATION test_tenant_bi;
SELECT leadanalytics.may(:acme), leadanalytics.may(:globex);
SET SESSION AUTHORIZATION test_tenant_pool;
SELECT public.attempt(format('SELECT leadanalytics.may(%s)', :acme));
SET ROLE test_tenant_bi;
SELECT leadanalytics.may(:acme), leadanalytics.may(:globex);
SET ROLE test_tenant_stranger;
SELECT leadanalytics.may(:acme), leadanalytics.may(:globex);
RESET SESSION AUTHORIZATION;

-- Forging: no setting makes a workspace one's own, nor does a SECURITY DEFINER function of a superuser.
CREATE FUNCTION public.lifted(workspace int) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT leadanalytics.may($1)';
SET SESSION AUTHORIZATION test_tenant_stranger;
SET leadanalytics.workspace = 1;
SET leadanalytics.tenant_current = 1;
SET request.headers = '{"x-api-key": "la_admin_", "x-workspace": "acme"}';
SET request.jwt.claims = '{"role": "leadanalytics_owner", "workspace": 1}';
SET ROLE leadanalytics_owner;
SET ROLE leadanalytics_admin;
SELECT leadanalytics.may(:acme), public.lifted(:acme);
SELECT statement, public.attempt(replace(statement, ':acme', :'acme')) FROM (VALUES
    ($$SELECT count(*) FROM leadanalytics.workspace$$),
    ($$SELECT count(*) FROM leadanalytics.key$$),
    ($$SELECT count(*) FROM leadanalytics.keys$$),
    ($$SELECT count(*) FROM leadanalytics.workspace_role$$),
    ($$INSERT INTO leadanalytics.workspace_role VALUES (:acme, 'test_tenant_stranger')$$),
    ($$SELECT leadanalytics.grant_workspace(:acme, 'test_tenant_stranger')$$),
    ($$SELECT leadanalytics.create_key(:acme, 'admin')$$),
    ($$SELECT leadanalytics.find_key('x')$$),
    ($$SELECT leadanalytics.new_secret()$$),
    ($$SELECT leadanalytics.public_workspace('acme', NULL, NULL, NULL)$$)
) AS t (statement);
-- A leaky condition does not see rows of others through the view.
CREATE FUNCTION pg_temp.leak(slug text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
    $$BEGIN RAISE WARNING 'leaked %', slug; RETURN true; END$$;
SELECT slug FROM leadanalytics.workspaces WHERE pg_temp.leak(slug);
DROP FUNCTION pg_temp.leak(text);
RESET SESSION AUTHORIZATION;
RESET request.headers;
RESET request.jwt.claims;
-- Taking it back holds at once.
SELECT leadanalytics.revoke_workspace(:acme, 'test_tenant_team'), leadanalytics.revoke_workspace(:acme, 'test_tenant_team') AS again;
SET ROLE test_tenant_bi;
SELECT leadanalytics.may(:acme);
RESET ROLE;

-- D-69: whose is a post without a key?
CREATE FUNCTION public.whose(slug text, site_key text, origin text, referer text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN a ~ '^\d+$' THEN (SELECT w.slug FROM leadanalytics.workspace w WHERE w.id = a::int) ELSE a END
    FROM public.attempt(format('SELECT leadanalytics.public_workspace(%L, %L, %L, %L)', $1, $2, $3, $4)) AS a
$$;
SELECT leadanalytics.enable_site(:acme, 'acme-old', false);
SELECT *, public.whose(slug, site, origin, referer) FROM (VALUES
    ('acme', NULL, NULL, NULL),
    ('nowhere', NULL, NULL, NULL),
    ('acme-sandbox', NULL, NULL, NULL),
    (NULL, 'acme-shop', NULL, NULL),
    (NULL, 'nowhere', NULL, NULL),
    (NULL, 'acme-old', NULL, NULL),
    ('acme', 'acme-shop', NULL, NULL),
    ('acme', 'globex', NULL, NULL),
    ('nowhere', 'globex', NULL, NULL),
    ('', '', '', ''),
    (NULL, NULL, 'https://shop.acme.example', NULL),
    (NULL, NULL, 'HTTPS://SHOP.ACME.EXAMPLE.:8443', NULL),
    (NULL, NULL, 'https://www.shop.acme.example', NULL),
    (NULL, NULL, 'https://globex.example', NULL),
    (NULL, NULL, 'http://[2001:db8::1]:8080', NULL),
    (NULL, NULL, 'https://old.acme.example', NULL),
    (NULL, NULL, 'https://pages.shop.acme.example', NULL),
    (NULL, NULL, 'https://evil.example', NULL),
    (NULL, NULL, 'null', NULL),
    (NULL, NULL, 'garbage', NULL),
    (NULL, NULL, NULL, 'https://www.globex.example/a?b=https://shop.acme.example/'),
    (NULL, NULL, NULL, 'https://globex.example@evil.example/'),
    (NULL, NULL, NULL, 'garbage'),
    (NULL, NULL, 'https://globex.example', 'https://shop.acme.example/'),
    ('acme', NULL, 'https://acme.example', NULL),
    ('acme', NULL, 'https://evil.example', NULL),
    ('acme', NULL, 'https://acme.example.evil.example', NULL),
    ('acme', NULL, 'https://evil-acme.example', NULL),
    ('acme', NULL, 'https://acme.example/', NULL),
    ('acme', NULL, 'null', NULL),
    ('acme', NULL, 'https://old.acme.example', NULL),
    (NULL, 'acme-shop', 'https://globex.example', NULL),
    ('Globex-2', NULL, 'https://app.globex.example:8443', NULL),
    ('Globex-2', NULL, 'https://app.globex.example', NULL),
    ('open', NULL, 'https://evil.example', NULL),
    ('open', NULL, 'null', NULL),
    ('open', NULL, 'https://evil.example/x', NULL)
) AS t (slug, site, origin, referer);
-- A switched-off site still stands for its domains: its workspace is not open to all.
SELECT leadanalytics.create_workspace('closed') AS closed \gset
SELECT leadanalytics.create_site(:closed, 'closed', '{closed.example}');
SELECT leadanalytics.enable_site(:closed, 'closed', false);
SELECT public.whose('closed', NULL, 'https://evil.example', NULL), public.whose('closed', NULL, 'https://closed.example', NULL);
DELETE FROM leadanalytics.workspace WHERE is_default;
SELECT public.whose(NULL, NULL, NULL, NULL) AS no_default, public.whose(NULL, NULL, 'https://evil.example', NULL) AS no_default_origin;

-- S1-A4, D-69: whose origins may talk to us. Without a workspace: to anyone here.
SELECT origin, leadanalytics.origin_allowed(origin, :acme) AS acme, leadanalytics.origin_allowed(origin, :globex) AS globex,
       leadanalytics.origin_allowed(origin) AS anyone, leadanalytics.origin_allowed(origin, 999999) AS nonexistent,
       leadanalytics.origin_allowed(origin, 0) AS zero
FROM unnest(ARRAY['https://shop.acme.example', 'https://app.globex.example:8443', 'https://evil.example', 'null', '', NULL]) AS origin;
-- A sandbox, which lists nothing, does not open the house; an open workspace does.
SELECT leadanalytics.origin_allowed('https://evil.example') AS evil;
SELECT leadanalytics.create_workspace('open') AS open \gset
SELECT leadanalytics.origin_allowed('https://evil.example') AS evil, leadanalytics.origin_allowed('evil') AS no_origin;

-- PUBLIC may execute and read nothing.
SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE p.pronamespace = 'leadanalytics'::regnamespace AND a.grantee = 0;
SELECT c.oid::regclass FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'leadanalytics'::regnamespace AND a.grantee = 0;

-- Gone with their workspace, the sandbox too.
DELETE FROM leadanalytics.workspace WHERE slug = 'acme';
SELECT slug FROM leadanalytics.workspace ORDER BY id;
DELETE FROM leadanalytics.workspace;
SELECT (SELECT count(*) FROM leadanalytics.site) + (SELECT count(*) FROM leadanalytics.form) + (SELECT count(*) FROM leadanalytics.member)
     + (SELECT count(*) FROM leadanalytics.key) + (SELECT count(*) FROM leadanalytics.workspace_role) AS left_over;
DROP FUNCTION public.attempt(text), public.whose(text, text, text, text), public.lifted(int);
DROP TABLE made;
DROP ROLE test_tenant_admin, test_tenant_bi, test_tenant_team, test_tenant_stranger, test_tenant_pool;
