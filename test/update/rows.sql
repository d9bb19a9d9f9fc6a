-- Every row of every table of ours as one line (table and MD5), and every sequence's next value; not home,
-- which stays where it is. Tallies are the sums of their rows: a restore writes them anew, and what of leads
-- waits for the worker.
SELECT format('SELECT %L || '' '' || md5(t::text) FROM %s AS t ORDER BY 1', c.oid::regclass, c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname ~ '^leadanalytics' AND relkind = 'r' AND c.oid <> 'leadanalytics.home'::regclass AND relname !~ '_tally$' AND relname <> 'lead_unpredicted'
ORDER BY c.oid::regclass::text COLLATE "C" \gexec
SELECT 'leads ' || workspace, class, sum(n) FROM leadanalytics.lead_tally GROUP BY workspace, class HAVING sum(n) <> 0 ORDER BY 1, 2;
SELECT 'posts ' || workspace, day, sum(n) FROM leadanalytics.lead_submission_tally GROUP BY workspace, day HAVING sum(n) <> 0 ORDER BY 1, 2;
SELECT 'activity ' || workspace, metric, label, ref, sum(n)
FROM (SELECT * FROM leadanalytics.activity_tally UNION ALL SELECT * FROM leadanalytics.activity_fresh_tally) AS t
GROUP BY workspace, metric, label, ref HAVING sum(n) <> 0 ORDER BY 1, 2, 3, 4;
SELECT 'messages ' || workspace, series, bucket, campaign, domain, mailbox, reason, sum(sent), sum(delivered), sum(hard), sum(soft), sum(opened), sum(clicked), sum(replied), sum(complained), sum(unsubscribed)
FROM (SELECT * FROM leadanalytics.message_tally
      UNION ALL SELECT workspace, series, bucket, campaign, domain, mailbox, reason, sent, delivered, hard, soft, opened, clicked, replied, complained, unsubscribed FROM leadanalytics.message_fresh_tally) AS t
GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7;
SELECT format('SELECT ''%s last '' || last_value || '' '' || is_called FROM %s', c.oid::regclass, c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname ~ '^leadanalytics' AND relkind = 'S'
ORDER BY c.oid::regclass::text COLLATE "C" \gexec
