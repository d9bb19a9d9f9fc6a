-- S1-20 … S1-25 blocked and whitelisted IPs; D-17, D-19, D-81 what holds for an address.
\set SHOW_CONTEXT never
\set VERBOSITY default
SET client_min_messages = warning;
SELECT leadanalytics.create_workspace('policy', 'Policy') AS w \gset
SELECT leadanalytics.create_workspace('policy-other', 'Other') AS other \gset
-- S1-20, S1-23 nothing listed
SELECT leadanalytics.blocked_ips(:w), leadanalytics.whitelisted_ips(:w);
-- S1-21 block; once more writes every field anew, and what is not said is null
SELECT leadanalytics.block_ip(:w, '198.51.100.20', 'Spam', 'US', 'https://example.com/page', now => '2026-02-24 09:30:00Z');
SELECT leadanalytics.blocked_ips(:w);
SELECT leadanalytics.block_ip(:w, '198.51.100.20', country => '', now => '2026-02-24 09:31:59.999Z');
SELECT leadanalytics.blocked_ips(:w);
-- S1-24 whitelist; usage omitted, or null, is internal; once more writes every field anew
SELECT leadanalytics.whitelist_ip(:w, '203.0.113.10', 'Office', 'test', now => '2026-02-24 09:30:00Z');
SELECT leadanalytics.whitelisted_ips(:w);
SELECT leadanalytics.whitelist_ip(:w, '203.0.113.10', now => '2026-02-24 09:31:00Z');
SELECT leadanalytics.whitelisted_ips(:w);
SELECT leadanalytics.whitelist_ip(:w, '203.0.113.10', usage => NULL, now => '2026-02-24 09:31:00Z');
SELECT leadanalytics.whitelist_ip(:w, '203.0.113.10', usage => 'Test');
SELECT leadanalytics.whitelist_ip(:w, '203.0.113.10', usage => 'blocked');
SELECT leadanalytics.whitelist_ip(:w, NULL);
SELECT leadanalytics.block_ip(:w, NULL);
-- S1-21, S1-24 never on both lists
SELECT leadanalytics.block_ip(:w, '203.0.113.10');
SELECT leadanalytics.whitelist_ip(:w, '198.51.100.20');
SELECT leadanalytics.whitelisted_ips(:w), leadanalytics.blocked_ips(:w);
-- S1-22, S1-25 remove; each from its own list; what is not there is removed already (D-17)
SELECT leadanalytics.unblock_ip(:w, '203.0.113.10'), leadanalytics.unwhitelist_ip(:w, '198.51.100.20');
SELECT leadanalytics.whitelisted_ips(:w) ->> 'total' AS white, leadanalytics.blocked_ips(:w) ->> 'total' AS blocked;
SELECT leadanalytics.unblock_ip(:w, '198.51.100.20'), leadanalytics.unwhitelist_ip(:w, '203.0.113.10');
SELECT leadanalytics.unblock_ip(:w, '198.51.100.20'), leadanalytics.unwhitelist_ip(:w, '203.0.113.10');
SELECT leadanalytics.whitelisted_ips(:w) ->> 'total' AS white, leadanalytics.blocked_ips(:w) ->> 'total' AS blocked;
SELECT leadanalytics.unblock_ip(:w, NULL);
-- D-17 the same address is the same entry
SELECT leadanalytics.block_ip(:w, '::1', now => '2026-02-24 10:00:01Z');
SELECT leadanalytics.block_ip(:w, '0:0:0:0:0:0:0:1', 'again', now => '2026-02-24 10:00:02Z');
SELECT leadanalytics.block_ip(:w, '::ffff:192.0.2.7', now => '2026-02-24 10:00:03Z');
SELECT leadanalytics.block_ip(:w, '192.0.2.7', 'again', now => '2026-02-24 10:00:04Z');
SELECT leadanalytics.whitelist_ip(:w, '::ffff:c000:207');
SELECT leadanalytics.blocked_ips(:w);
SELECT ip, leadanalytics.canonical_ip(ip) FROM unnest('{1.2.3.4,1.2.3.4/32,1.2.3.4/9,0.0.0.0/0,::/0,::1,2001:DB8::FF00:1/120,::ffff:1.2.3.4,::ffff:1.2.3.4/128,::ffff:1.2.3.4/104,::ffff:0:0/96,::ffff:0:0/95,::1.2.3.4}'::inet[]) AS ip;
-- D-17 networks only where the setting says so; one that is listed holds, and can be removed, whatever it says
SHOW leadanalytics.policy_cidr;
SELECT leadanalytics.block_ip(:w, '10.0.0.0/8');
SELECT leadanalytics.whitelist_ip(:w, '2001:db8::/32');
SET leadanalytics.policy_cidr = on;
SELECT leadanalytics.block_ip(:w, '10.1.2.3/8', now => '2026-02-24 10:00:05Z');
SELECT leadanalytics.whitelist_ip(:w, '10.0.0.0/8');
RESET leadanalytics.policy_cidr;
SELECT leadanalytics.blocked_ips(:w, '/8'), leadanalytics.ip_policy(:w, '10.9.9.9'), leadanalytics.ip_policy(:w, '11.0.0.0');
SELECT leadanalytics.unblock_ip(:w, '10.0.0.0/8');
SELECT leadanalytics.ip_policy(:w, '10.9.9.9');

-- S1-20 order, pages, filters
DELETE FROM leadanalytics.listed_ip WHERE workspace = :w;
SELECT count(leadanalytics.block_ip(:w, '192.0.2.0'::inet + i, now => '2026-02-24 10:00:00Z'::timestamptz + i / 2 * interval '1 second')::text) FROM generate_series(1, 120) AS i;
SELECT count(leadanalytics.block_ip(:w, ip, now => '2026-02-23 08:00:00Z')::text) FROM unnest('{2001:db8::ab,198.51.100.7}'::inet[]) AS ip;
SELECT count(leadanalytics.whitelist_ip(:w, '198.51.100.8', now => '2026-02-23 08:00:00Z')::text);
CREATE FUNCTION pg_temp.page(list json) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s of %s: %s … %s', json_array_length(list -> 'blocked_ips'), list ->> 'total', list -> 'blocked_ips' -> 0 ->> 'ip', list -> 'blocked_ips' -> -1 ->> 'ip')
$$;
SELECT pg_temp.page(leadanalytics.blocked_ips(:w)) AS defaults,
       pg_temp.page(leadanalytics.blocked_ips(:w, "limit" => 3)) AS newest_tie_by_ip,
       pg_temp.page(leadanalytics.blocked_ips(:w, "limit" => 0)) AS at_least_1,
       pg_temp.page(leadanalytics.blocked_ips(:w, "limit" => 1000)) AS at_most_100,
       pg_temp.page(leadanalytics.blocked_ips(:w, "limit" => NULL, "offset" => -5)) AS nulls,
       pg_temp.page(leadanalytics.blocked_ips(:w, "offset" => 119)) AS last,
       pg_temp.page(leadanalytics.blocked_ips(:w, "offset" => 2147483647)) AS beyond \gx
SELECT filter, pg_temp.page(leadanalytics.blocked_ips(:w, filter)) AS ip, pg_temp.page(leadanalytics.blocked_ips(:w, NULL, filter)) AS q
FROM unnest('{2.1,.100.7,198.51.100.7,2001:DB8,:ab,%,_,\\,/32,"",x}'::text[]) AS filter;
SELECT pg_temp.page(leadanalytics.blocked_ips(:w, 'db8', '198.')) AS ip_wins, pg_temp.page(leadanalytics.blocked_ips(:w, '', '198.')) AS unless_empty;
-- the same as rows
SELECT * FROM leadanalytics.blocked_ips_rows(:w, '2.1', 3);
SELECT * FROM leadanalytics.whitelisted_ips_rows(:w);
SELECT count(*) FROM leadanalytics.blocked_ips_rows(:w);
-- D-68 UTC in every session
SET timezone = 'Asia/Kolkata';
SET datestyle = 'German';
SELECT leadanalytics.whitelisted_ips(:w), leadanalytics.blocked_ips(:w, '100.7');
RESET timezone;
RESET datestyle;
-- another workspace's is not there
SELECT leadanalytics.blocked_ips(:other), leadanalytics.ip_policy(:other, '192.0.2.1'), leadanalytics.unblock_ip(:other, '192.0.2.1');
SELECT leadanalytics.ip_policy(:w, '192.0.2.1'), leadanalytics.ip_policy(:w + 1000, '192.0.2.1');

-- D-19, D-81 what holds for an address: the longest prefix decides
DELETE FROM leadanalytics.listed_ip WHERE workspace = :w;
SET leadanalytics.policy_cidr = on;
SELECT count(leadanalytics.block_ip(:w, ip)::text) FROM unnest('{10.0.0.0/8,10.1.2.0/24,10.1.2.130,0.0.0.0/0,2001:db8::/32,2001:db8::1:0:0:0/100}'::inet[]) AS ip;
SELECT count(leadanalytics.whitelist_ip(:w, ip, usage => 'test')::text) FROM unnest('{10.1.0.0/16,10.1.2.128/25,10.255.255.255,2001:db8:1::/48,2001:db8::1:0:0:0/101}'::inet[]) AS ip;
SELECT count(leadanalytics.whitelist_ip(:w, '10.1.2.129')::text);
SELECT ip, leadanalytics.ip_policy(:w, ip), leadanalytics.is_ip_blocked(:w, ip), leadanalytics.is_ip_whitelisted(:w, ip), leadanalytics.listed_ip_policy(:w, ip)
FROM unnest('{10.1.2.129,10.1.2.130,10.1.2.131,10.1.2.127,10.1.3.0,10.0.255.255,10.2.0.0,10.255.255.255,9.255.255.255,255.255.255.255,::ffff:10.1.2.129,
              ::,2001:db8::,2001:db8:1::,2001:db8:1:ffff:ffff:ffff:ffff:ffff,2001:db8:2::,2001:db7:ffff::,2001:db8::1:0:0:0,2001:db8::1:0:8000:0,2001:db8::1:0:1000:0,2001:db8::1:1:0:0,
              10.1.2.0/24,10.1.2.0/23,10.0.0.0/7,NULL}'::inet[]) AS ip;

-- against brute force, on networks of every length, crowded so that they nest, and addresses in and around them
DELETE FROM leadanalytics.listed_ip WHERE workspace = :w;
SELECT setseed(0.19);
CREATE TEMP TABLE random_ip AS
SELECT CASE WHEN i % 2 = 0 THEN '10.0.0.0'::inet + (random() * 65535)::int + (random() * 3)::int * 16777216::bigint
            ELSE '2001:db8::'::inet + (random() * 65535)::bigint + (random() * 65535)::bigint * 1099511627776 END AS ip, i
FROM generate_series(1, 2400) AS i;
INSERT INTO leadanalytics.listed_ip (workspace, ip, policy, listed_at)
SELECT :w, network(set_masklen(ip, CASE family(ip) WHEN 4 THEN 32 ELSE 128 END - floor(random() ^ 3 * CASE family(ip) WHEN 4 THEN 26 ELSE 90 END)::int)),
       (ARRAY['blocked', 'test', 'internal'])[1 + floor(random() * 3)], 'epoch'
FROM random_ip WHERE i <= 1200
ON CONFLICT DO NOTHING;
-- as much in another workspace, all of it blocked
INSERT INTO leadanalytics.listed_ip (workspace, ip, policy, listed_at)
SELECT :other, ip, 'blocked', 'epoch' FROM leadanalytics.listed_ip WHERE workspace = :w;
CREATE TEMP TABLE judged AS
SELECT r.ip, leadanalytics.ip_policy(:w, r.ip) AS said, brute.*
FROM (SELECT ip FROM random_ip UNION SELECT ip + 16777216::bigint * (i % 200) FROM random_ip UNION SELECT broadcast(ip) - 1 FROM leadanalytics.listed_ip WHERE workspace = :w AND masklen(ip) BETWEEN 1 AND 30
      UNION SELECT ip FROM leadanalytics.listed_ip WHERE workspace = :w) AS r
CROSS JOIN LATERAL (
    SELECT count(*) AS around, (array_agg(l.policy ORDER BY masklen(l.ip) DESC))[1] AS longest, (array_agg(l.policy ORDER BY masklen(l.ip)))[1] AS shortest
    FROM leadanalytics.listed_ip l WHERE l.workspace = :w AND l.ip >>= r.ip) AS brute;
SELECT * FROM judged WHERE said IS DISTINCT FROM longest;
-- enough of everything was asked, and a wrong rule would have been seen
SELECT count(*) > 3000 AS many, count(DISTINCT longest) AS policies, count(*) FILTER (WHERE around = 0) > 100 AS unlisted, max(around) > 5 AS nested,
       count(*) FILTER (WHERE shortest <> longest) > 500 AS shortest_would_differ
FROM judged;
-- the index of networks is one for the question that policy.c asks
ANALYZE leadanalytics.listed_ip;
PREPARE networks_around (int, inet) AS SELECT ip, policy FROM leadanalytics.listed_ip
WHERE leadanalytics.ip_key(workspace, ip) >>= leadanalytics.ip_key($1, $2) AND workspace = $1 AND ip >>= $2
  AND masklen(ip) < CASE family(ip) WHEN 4 THEN 32 ELSE 128 END;
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) EXECUTE networks_around(1, '10.0.0.1');
