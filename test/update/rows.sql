-- Every row of every table of ours as one line (table and MD5), and every sequence's next value; not home,
-- which stays where it is.
SELECT format('SELECT %L || '' '' || md5(t::text) FROM %s AS t ORDER BY 1', c.oid::regclass, c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname ~ '^leadanalytics' AND relkind = 'r' AND c.oid <> 'leadanalytics.home'::regclass
ORDER BY c.oid::regclass::text COLLATE "C" \gexec
SELECT format('SELECT ''%s last '' || last_value || '' '' || is_called FROM %s', c.oid::regclass, c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname ~ '^leadanalytics' AND relkind = 'S'
ORDER BY c.oid::regclass::text COLLATE "C" \gexec
