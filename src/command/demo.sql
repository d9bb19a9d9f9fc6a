-- The workspace that `up` makes for a first try: a site, a member and one key of each kind. It takes
-- public posts that name no workspace. Prints "role key", one a line.
\set ON_ERROR_STOP on
SELECT leadanalytics.create_workspace('demo', 'Demo', domain => 'demo.example', is_default => true) AS demo \gset
SELECT leadanalytics.create_site(:demo, 'demo-site', domains => '{demo.example}') AS site \gset
SELECT leadanalytics.create_member(:demo, 'owner@demo.example', 'owner') AS owner \gset

SELECT role, leadanalytics.create_key(:demo, role, name => 'demo ' || role, member => CASE WHEN role = 'member' THEN :owner END)
FROM unnest('{admin,marketing,capture,sdk,agent,live,sandbox,member,tenant}'::text[]) AS role;
