-- Web events as text, then the answers of every built-in GET route whose function can be asked with a workspace alone, for every
-- workspace, at a fixed "now" where it takes one.
SELECT e.*, w.slug FROM leadanalytics.events e JOIN leadanalytics.workspaces w ON w.id = e.workspace ORDER BY e.workspace, e.id;
SELECT format('SELECT %L || '' %s '' || %s(%s)::text', r.path, w.slug, r.function,
              (SELECT string_agg(CASE name WHEN 'workspace' THEN 'workspace => ' || w.id
                                           WHEN 'now' THEN 'now => ''2026-02-06Z''' WHEN 'as_role' THEN 'as_role => ''admin''' END, ', ')
               FROM unnest(p.proargnames[1:p.pronargs]) AS name WHERE name IN ('workspace', 'now', 'as_role')))
FROM leadanalytics.route r
JOIN pg_proc p ON p.oid = to_regproc(r.function) AND 'workspace' = ANY (p.proargnames[1:p.pronargs])
CROSS JOIN leadanalytics.workspace w
WHERE r.method = 'GET' AND NOT r.writes AND r.builtin AND NOT p.proretset AND p.provolatile <> 'v'
      AND NOT EXISTS (SELECT FROM unnest(p.proargnames[1:p.pronargs - p.pronargdefaults]) AS needed
                      WHERE needed NOT IN ('workspace', 'now', 'as_role'))
ORDER BY r.path, w.slug \gexec
-- The engine beside the rows, of every dimension: what differs, and how much there is.
SELECT 'engine', w.slug, d.name, c.differ, c.n, (SELECT count(*) FROM leadanalytics.reconcile(w.id))
FROM leadanalytics.workspace w CROSS JOIN leadanalytics.dimensions() d CROSS JOIN LATERAL (
    WITH s AS (SELECT * FROM leadanalytics.answer_from_segments(w.id, ARRAY[d.name], '{-infinity,infinity}', '2026-02-06Z', true, true, 0, false, '{}', '{}')),
         r AS (SELECT * FROM leadanalytics.answer_from_rows(w.id, ARRAY[d.name], '{-infinity,infinity}', '2026-02-06Z', true, true, 0, false, '{}', '{}'))
    SELECT (SELECT count(*) FROM (SELECT * FROM s EXCEPT ALL SELECT * FROM r) x) + (SELECT count(*) FROM (SELECT * FROM r EXCEPT ALL SELECT * FROM s) x) AS differ, (SELECT count(*) FROM r) AS n) AS c
ORDER BY 2, 3;
-- Users, by sets and by rows.
SELECT 'users', w.slug, u.* FROM leadanalytics.workspace w CROSS JOIN LATERAL leadanalytics.users_rows(w.id, '2026-01-01', '2026-03-01') u;
SELECT 'user', w.slug, leadanalytics.user_profile(w.id, 'v1', now => '2026-02-06Z') FROM leadanalytics.workspace w WHERE w.slug IN ('acme', 'globex') ORDER BY w.slug;
-- Counts of messages beside their events: what differs, and how much there is.
SELECT 'messages', w.slug, s.s, count(*) FILTER (WHERE d.differ), count(*)
FROM leadanalytics.workspace w CROSS JOIN unnest('{d,h,m,b,s,w}'::"char"[]) AS s (s) CROSS JOIN LATERAL (
    SELECT a.n IS DISTINCT FROM b.n AS differ
    FROM (SELECT bucket, campaign, domain, mailbox, reason, ARRAY[sum(sent), sum(delivered), sum(hard), sum(soft), sum(opened), sum(clicked), sum(complained)] AS n
          FROM leadanalytics.message_tallies(w.id, s.s, '-infinity', 'infinity') GROUP BY 1, 2, 3, 4, 5) AS a
    FULL JOIN (SELECT bucket, campaign, domain, mailbox, reason, ARRAY[sum(sent), sum(delivered), sum(hard), sum(soft), sum(opened), sum(clicked), sum(complained)] AS n
               FROM leadanalytics.exact_message_tallies(w.id, s.s, '-infinity', 'infinity', NULL) GROUP BY 1, 2, 3, 4, 5) AS b USING (bucket, campaign, domain, mailbox, reason)) AS d
GROUP BY 1, 2, 3 ORDER BY 2, 3;
