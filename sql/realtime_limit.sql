-- Rate limits (D-75, reliability 33). Without preloading nothing is counted: what is asked here is true either
-- way. Moments are said, so no clock matters.
SET client_min_messages = warning;

-- What holds, in one place.
SELECT class, per, requests, seconds, family, method, spares_whitelisted FROM leadanalytics.rate_limits ORDER BY class;
SELECT method, CASE WHEN leadanalytics.route_rate_class(r) = family THEN format('of the %s family', family) ELSE path END AS path, leadanalytics.route_rate_class(r) FROM leadanalytics.route r
WHERE builtin AND leadanalytics.route_rate_class(r) IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 2, 1, 3;
BEGIN;
SELECT leadanalytics.set_rate_limit('capture', 3), leadanalytics.set_rate_limit('track', 0);
SELECT class, requests FROM leadanalytics.rate_limits WHERE class IN ('capture', 'track') ORDER BY class;
SELECT leadanalytics.set_rate_limit('capture', 5), leadanalytics.set_rate_limit('track', NULL);
SELECT class, requests FROM leadanalytics.rate_limits WHERE class IN ('capture', 'track') ORDER BY class;
ROLLBACK;
SELECT leadanalytics.set_rate_limit('nonsense', 1);
SELECT leadanalytics.set_rate_limit('capture', -1);
INSERT INTO leadanalytics.route (method, path, function, summary, rate_class) VALUES ('GET', '/limit', 'leadanalytics.health', 'no such class', 'nonsense');

-- A window: the first requests of it, no more than the limit, whatever came before; then the next one.
CREATE FUNCTION pg_temp.spend(at timestamptz, class text DEFAULT 'test_limit', per text DEFAULT 'key', requests int DEFAULT 3, seconds int DEFAULT 60,
                              workspace int DEFAULT 1, key bigint DEFAULT 1, per_minute int DEFAULT NULL, ip inet DEFAULT '192.0.2.1')
RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', CASE WHEN refused THEN 'refused' ELSE 'taken' END, "limit", remaining, to_char(to_timestamp(reset) AT TIME ZONE 'UTC', 'HH24:MI:SS'))
    FROM leadanalytics.spend_rate(class, per, requests, seconds, workspace, key, per_minute, ip, at)
$$;
SELECT what, CASE WHEN said = counted OR (NOT leadanalytics.preloaded() AND said LIKE 'taken 3 3 %') THEN counted ELSE 'not ' || counted || ': ' || said END AS said
FROM (SELECT what, pg_temp.spend(at::timestamptz) AS said, counted FROM (VALUES
    ('first',                           '2001-02-03 04:05:00Z',         'taken 3 2 04:06:00'),
    ('second, a moment before the end', '2001-02-03 04:05:59.999999Z',  'taken 3 1 04:06:00'),
    ('third',                           '2001-02-03 04:05:30Z',         'taken 3 0 04:06:00'),
    ('one too many',                    '2001-02-03 04:05:30Z',         'refused 3 0 04:06:00'),
    ('and another',                     '2001-02-03 04:05:59.999999Z',  'refused 3 0 04:06:00'),
    ('the next window',                 '2001-02-03 04:06:00Z',         'taken 3 2 04:07:00'),
    ('late for the one before',         '2001-02-03 04:05:59.9Z',       'taken 3 1 04:07:00'),
    ('the clock is set back',           '2001-02-03 04:05:10Z',         'taken 3 0 04:07:00'),
    ('… and the window is spent',       '2001-02-03 04:05:20Z',         'refused 3 0 04:07:00'),
    ('the clock was far ahead',         '2001-02-03 03:00:00Z',         'taken 3 2 03:01:00')) AS v (what, at, counted)) AS step;

-- Whose window: two requests of one that takes one. taken, refused: one window; taken, taken: two.
CREATE FUNCTION pg_temp.pair(number int, per text, k1 bigint, w1 int, ip1 inet, k2 bigint, w2 int, ip2 inet) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN b LIKE 'refused%' THEN 'one' WHEN a LIKE 'taken%' THEN 'two' END
    FROM (SELECT pg_temp.spend('2001-03-03Z', 'test_pair_' || number, per, 1, 60, w1, k1, NULL, ip1) AS a OFFSET 0) AS one,
         LATERAL (SELECT pg_temp.spend('2001-03-03Z', 'test_pair_' || number, per, 1, 60, w2, k2, NULL, ip2) AS b WHERE a IS NOT NULL OFFSET 0) AS two
$$;
SELECT n, per, what, NOT leadanalytics.preloaded() OR windows = pg_temp.pair(n, per, k1, w1, ip1::inet, k2, w2, ip2::inet) AS "as it should"
FROM (VALUES
    (1, 'key', 'two keys of a workspace, an address', 1, 1, '192.0.2.1', 2, 1, '192.0.2.1', 'two'),
    (2, 'key', 'a key from two addresses', 1, 1, '192.0.2.1', 1, 1, '192.0.2.2', 'one'),
    (3, 'key', 'no key, one address', NULL, NULL, '192.0.2.1', NULL, NULL, '192.0.2.1', 'one'),
    (4, 'key', 'no key, two addresses', NULL, NULL, '192.0.2.1', NULL, NULL, '192.0.2.2', 'two'),
    (5, 'workspace', 'two keys of a workspace', 1, 1, '192.0.2.1', 2, 1, '192.0.2.2', 'one'),
    (6, 'workspace', 'two workspaces', 1, 1, '192.0.2.1', 2, 2, '192.0.2.1', 'two'),
    (7, 'workspace', 'with and without a key', 1, 1, '192.0.2.1', NULL, 1, '192.0.2.1', 'two'),
    (8, 'ip', 'two workspaces, an address', 1, 1, '192.0.2.1', 2, 2, '192.0.2.1', 'one'),
    (9, 'ip', 'with and without a key, an address', 1, 1, '192.0.2.1', NULL, NULL, '192.0.2.1', 'one'),
    (10, 'ip', 'an IPv4 address in IPv6 clothes', 1, 1, '192.0.2.1', 1, 1, '::ffff:192.0.2.1', 'one'),
    (11, 'ip', 'an IPv6 /64', 1, 1, '2001:db8::1', 1, 1, '2001:db8::ffff:1', 'one'),
    (12, 'ip', 'two IPv6 /64', 1, 1, '2001:db8::1', 1, 1, '2001:db8:0:1::1', 'two'),
    (13, 'ip', 'two neighbours in IPv6 clothes', 1, 1, '::ffff:192.0.2.1', 1, 1, '::ffff:192.0.2.2', 'two'),
    (14, 'workspace_ip', 'two keys of a workspace, an address', 1, 1, '192.0.2.1', 2, 1, '192.0.2.1', 'one'),
    (15, 'workspace_ip', 'two workspaces, an address', 1, 1, '192.0.2.1', 2, 2, '192.0.2.1', 'two'),
    (16, 'workspace_ip', 'two addresses', 1, 1, '192.0.2.1', 1, 1, '192.0.2.2', 'two'),
    (17, 'ip', 'an address that nobody knows', NULL, NULL, NULL, NULL, NULL, NULL, 'one')
) AS v (n, per, what, k1, w1, ip1, k2, w2, ip2, windows);

-- A key's own limit: of a minute, in place of the class's and where there is none; 0 is none.
SELECT pg_temp.spend('2001-04-04 00:10Z', 'test_own', 'ip', 1, 900, per_minute => 5) LIKE 'taken 5 _ 00:11:00' AS own,
       pg_temp.spend('2001-04-04 00:10Z', NULL, per_minute => 5) LIKE 'taken 5 _ 00:11:00' AS own_without_a_class,
       pg_temp.spend('2001-04-04 00:10Z', 'test_own', per_minute => 0) AS none,
       pg_temp.spend('2001-04-04 00:10Z', NULL) AS no_class,
       pg_temp.spend('2001-04-04 00:10Z', 'test_own', requests => 0) AS no_limit,
       pg_temp.spend('2001-04-04 00:10Z', 'test_own', 'ip', 1, 900) LIKE 'taken 1 _ 00:15:00' AS quarter;
SELECT pg_temp.spend('2001-04-04Z', per => 'moon');
SELECT pg_temp.spend('2001-04-04Z', seconds => 0);
SELECT pg_temp.spend('infinity');

-- More windows than there is room for, of one second: some requests are not counted, none is refused, and the windows of
-- the next second find room again.
SELECT coalesce(uncounted, 0) AS before FROM leadanalytics.rate_counters() \gset
SELECT count(*), bool_or(pg_temp.spend('2001-05-05 00:00:00Z', 'test_full', 'key', 1, 1, key => n) LIKE 'refused%') AS refused
FROM generate_series(1, 250000) AS n;
SELECT pg_temp.spend('2001-05-05 00:00:01Z', 'test_full', 'key', 1, 1, key => -1) LIKE 'taken%' AS first,
       NOT leadanalytics.preloaded() OR pg_temp.spend('2001-05-05 00:00:01Z', 'test_full', 'key', 1, 1, key => -1) LIKE 'refused%' AS counted_again,
       NOT leadanalytics.preloaded() OR uncounted - :before > 100000 AS uncounted
FROM leadanalytics.rate_counters();

-- Who reads them, and what the status says.
SELECT count(*) = 1 FROM leadanalytics.status() WHERE part = 'rate limits' AND (state LIKE 'on;%') = leadanalytics.preloaded();
BEGIN READ ONLY;
SELECT bool_and(pg_temp.spend(now(), 'capture', 'ip', 1000, 86400, key => NULL, ip => '192.0.2.77') LIKE 'taken 1000%') FROM generate_series(1, 3);
SELECT count(*) = CASE WHEN leadanalytics.preloaded() THEN 1 ELSE 0 END AS listed, coalesce(bool_and(requests >= 3 AND refused = 0 AND ends > now()), true) AS right
FROM leadanalytics.rate_windows() WHERE class = 'capture' AND ip = '192.0.2.77';
COMMIT;
CREATE ROLE limit_reader IN ROLE leadanalytics_write;
SET ROLE limit_reader;
SELECT * FROM leadanalytics.rate_limits;
SELECT * FROM leadanalytics.rate_windows();
SELECT leadanalytics.set_rate_limit('capture', 0);
RESET ROLE;
DROP ROLE limit_reader;
