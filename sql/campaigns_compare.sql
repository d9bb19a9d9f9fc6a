-- S4-05: the test of two proportions, and campaigns side by side (D-44).
\set QUIET 1
SET client_min_messages = warning;
SET timezone = 'UTC';

-- Beside R 4.2.2, test/campaigns/proportion.R: p is R's.
CREATE TEMP TABLE reference (x1 bigint, n1 bigint, x2 bigint, n2 bigint, p float8);
INSERT INTO reference VALUES
    (1, 1, 0, 1, 0.15729920705028447),
    (0, 1, 1, 1, 0.15729920705028447),
    (1, 2, 1, 2, 1),
    (0, 10, 10, 10, 7.7442164310440858e-06),
    (10, 10, 0, 10, 7.7442164310440858e-06),
    (0, 10, 1, 10, 0.30490178817878832),
    (9, 10, 10, 10, 0.30490178817878866),
    (1, 100, 0, 100, 0.31609762202891262),
    (50, 100, 50, 100, 1),
    (50, 100, 51, 100, 0.88753149780750784),
    (35, 100, 22, 100, 0.041714997195456294),
    (64, 100, 50, 100, 0.045544342649357007),
    (63, 100, 50, 100, 0.063708765937414077),
    (355, 1000, 283, 1000, 0.00055190964743976017),
    (62, 1000, 48, 1000, 0.16970787438753654),
    (31, 1000, 22, 1000, 0.21022090464248552),
    (985, 1000, 978, 1000, 0.24540295747459001),
    (1, 1000000, 0, 1, 0.99920211517323587),
    (1, 1, 0, 1000000, 0),
    (999999, 1000000, 1, 1, 0.99920211517325586),
    (500000, 1000000, 500001, 1000000, 0.99887162120903017),
    (500000, 1000000, 501000, 1000000, 0.15729899949648313),
    (1, 1000000, 5, 1000000, 0.1024699196827253),
    (0, 1000000, 30, 1000000, 4.3194605200384153e-08),
    (1, 1000000, 100, 1000000, 6.7786428607582465e-23),
    (999999, 1000000, 999990, 1000000, 0.0066554555755338083),
    (123456, 1000000, 654321, 7000000, 0),
    (3, 7, 4, 9, 0.94937467891022775),
    (2, 3, 99, 100, 6.3604171461734062e-05),
    (17, 41, 1009, 2003, 0.25861389623209441),
    (1000, 100000, 1200, 100000, 1.8056382799140142e-05),
    (1000, 100000, 1350, 100000, 3.7931704076040433e-13),
    (2000, 100000, 3000, 100000, 1.5878577910504876e-46),
    (500, 1000, 600, 1000, 6.9679310728498204e-06),
    (500, 1000, 700, 1000, 6.9320796681336786e-20),
    (5, 1000, 40, 1000, 1.3117399886104353e-07),
    (7000, 12000, 6800, 11000, 7.0884349735108565e-08),
    (1000000000, 2000000000, 1000050000, 2000000000, 0.11384629789370673),
    (1000000000, 2000000000, 1000100000, 2000000000, 0.0015654022367516313),
    (500000000000, 1000000000000, 500001000000, 1000000000000, 0.15729920705007658),
    (1, 1000000000000, 20, 1000000000000, 3.3812725629803004e-05),
    (1, 1000000000000, 30, 1000000000000, 1.9031821288030943e-07),
    (45, 108, 7, 14, 0.55302653645273436),
    (1034, 1289, 2343497, 2928921, 0.85406392114314011),
    (1722, 9736, 39, 198, 0.46344097768998116),
    (2724741, 3377470, 622823, 772645, 0.19311350849139475),
    (259, 326, 27249, 37613, 0.0048110288795668978),
    (5, 11, 18413, 27418, 0.12547558780342685),
    (3565, 3787, 10, 12, 0.11264600859641562),
    (185, 282, 1461223, 2556565, 0.0041519111428285271),
    (3775, 6374, 939, 1551, 0.34352359453255038),
    (23, 304, 26292, 605131, 0.0058953168995948572),
    (72, 210, 4727, 9441, 6.0563225245504502e-06),
    (9, 59, 290, 1524, 0.46734768186588382),
    (160, 649, 72295, 226530, 7.3969548653127524e-05),
    (4, 14, 0, 7, 0.11599450663028543),
    (17, 110, 81, 448, 0.5166480050219836),
    (102835, 107745, 2009488, 2106350, 0.52562034743048669),
    (4, 4, 225, 239, 0.61803840458622539),
    (3500939, 4280597, 28017, 34144, 0.19925589924788575),
    (972, 2437, 8, 24, 0.51410111379039813),
    (1, 3, 0, 6, 0.13361440253771517);
SELECT count(*) AS cases, count(*) FILTER (WHERE p < 0.05) > 10 AS of_both_kinds, min(p) FILTER (WHERE p > 0) < 1e-15 AS and_tails FROM reference;
SELECT r.*, leadanalytics.two_proportion_test(x1, n1, x2, n2) AS ours FROM reference r
WHERE NOT (abs(leadanalytics.two_proportion_test(x1, n1, x2, n2) - p) <= 1e-9 * least(p, 1));
-- Whichever comes first, and whether successes are counted or failures.
SELECT count(*) AS differ FROM reference
WHERE leadanalytics.two_proportion_test(x2, n2, x1, n1) <> leadanalytics.two_proportion_test(x1, n1, x2, n2)
      OR abs(leadanalytics.two_proportion_test(n1 - x1, n1, n2 - x2, n2) - p) > 1e-9 * p;
-- Where R has no answer there is nothing to tell apart.
SELECT v.*, leadanalytics.two_proportion_test(v.x1, v.n1, v.x2, v.n2) AS p
FROM (VALUES (0, 0, 0, 0), (0, 0, 5, 10), (5, 10, 0, 0), (0, 10, 0, 20), (10, 10, 20, 20), (0, 9223372036854775807, 0, 9223372036854775807), (0, 0, 0, 9223372036854775807))
    AS v (x1, n1, x2, n2);
SELECT leadanalytics.two_proportion_test(NULL, 1, 1, 1) IS NULL AS of_null;
-- As large as can be, beyond R's numbers: of 2^62 each, one half and z * sqrt(2^62 / 2) more; p is R's 2 * pnorm(-z) of z = 1 and 3.
SELECT abs(leadanalytics.two_proportion_test(2305843009213693952 + 1518500250, 4611686018427387904, 2305843009213693952, 4611686018427387904) - 0.31731050786291415) < 1e-9 AS one,
       abs(leadanalytics.two_proportion_test(2305843009213693952 + 4555500750, 4611686018427387904, 2305843009213693952, 4611686018427387904) - 0.0026997960632601866) < 1e-11 AS three,
       leadanalytics.two_proportion_test(9223372036854775807, 9223372036854775807, 0, 9223372036854775807) AS all_or_nothing,
       leadanalytics.two_proportion_test(9223372036854775807, 9223372036854775807, 9223372036854775806, 9223372036854775807) > 0.3 AS one_less;
-- No shares.
CREATE FUNCTION pg_temp.refused(x1 bigint, n1 bigint, x2 bigint, n2 bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    RETURN leadanalytics.two_proportion_test(x1, n1, x2, n2);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' ', SQLSTATE, SQLERRM || '.', hint);
END $$;
SELECT sqlerror.*
FROM (VALUES (2, 1, 0, 1), (0, 1, 2, 1), (-1, 1, 0, 1), (0, 1, -1, 1), (0, -1, 0, 1), (1, 0, 0, 1), (0, 1, 0, -1)) AS v (x1, n1, x2, n2), pg_temp.refused(v.x1, v.n1, v.x2, v.n2) AS sqlerror;

-- The best against the second best.
SELECT v.what, b.winner, round(b.p_value::numeric, 4) AS p, b.is_significant
FROM (VALUES (1, 'the highest', '{a,b,c}'::text[], '{355,283,300}'::bigint[], '{1000,1000,1000}'::bigint[], false),
             (2, 'the lowest', '{a,b,c}', '{10,40,30}', '{1000,1000,1000}', true),
             (3, 'too few', '{a,b}', '{99,10}', '{99,1000}', false),
             (4, 'just enough', '{a,b}', '{99,10}', '{100,1000}', false),
             (5, 'too few on the other side', '{a,b}', '{900,10}', '{1000,99}', false),
             (6, 'p of 0.05 and more', '{a,b}', '{63,50}', '{100,100}', false),
             (7, 'p below', '{a,b}', '{64,50}', '{100,100}', false),
             (8, 'the same', '{a,b}', '{50,50}', '{100,100}', false),
             (9, 'none has messages', '{a,b}', '{0,0}', '{0,0}', false),
             (10, 'one has none: it is not the lowest', '{a,b,c}', '{0,10,90}', '{0,1000,1000}', true),
             (11, 'one of two has none', '{a,b}', '{0,10}', '{0,1000}', true),
             (12, 'more than all', '{a,b}', '{150,100}', '{120,200}', false),
             (13, 'five', '{a,b,c,d,e}', '{10,20,500,30,40}', '{1000,1000,1000,1000,1000}', false))
    AS v (n, what, keys, parts, wholes, lowest), leadanalytics.best_share(v.keys, v.parts, v.wholes, v.lowest) b
ORDER BY v.n;

-- Campaigns: random messages beside plain SQL straight from the events.
SELECT leadanalytics.create_workspace('compared', 'Compared') AS w \gset
SELECT leadanalytics.create_workspace('elsewhere', 'Elsewhere') AS other \gset
SELECT setseed(0.44);
CREATE TEMP TABLE made AS
SELECT n, 'c' || n % 6 AS campaign, timestamptz '2026-10-01 00:00Z' + floor(random() * 40 * 86400) * interval '1 second' AS at, random() AS luck FROM generate_series(1, 4000) AS n;
SELECT (leadanalytics.put_message_events(:w, (
    SELECT json_agg(json_build_object('message_id', 'm' || m.n, 'event', e.event, 'campaign_id', m.campaign, 'timestamp', to_char(m.at + e.later, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
    FROM made m
    CROSS JOIN LATERAL (VALUES ('sent', interval '0', 0.0), ('bounced', '1 hour', 0.97 - 0.01 * (m.n % 6)), ('opened', '5 hours', 0.5 + 0.05 * (m.n % 6)),
        ('opened', '1 day', 0.7), ('clicked', '6 hours', 0.8 + 0.01 * (m.n % 6)), ('replied', '2 days', 0.85 + 0.02 * (m.n % 6)),
        ('complained', '3 days', 0.96), ('unsubscribed', '3 days', 0.95)) AS e (event, later, above)
    WHERE m.n % 40 = b AND (e.event <> 'bounced' AND m.luck >= e.above OR e.event = 'bounced' AND m.luck BETWEEN e.above - 0.5 AND e.above - 0.45))) ->> 'rejected') AS rejected, count(*)
FROM generate_series(0, 39) AS b GROUP BY 1;
CREATE FUNCTION pg_temp.plain(of_workspace int, starts timestamptz, ends timestamptz)
RETURNS TABLE (campaign text, metric text, part bigint, whole bigint) LANGUAGE sql AS $$
    WITH e AS (
        SELECT e.message, max(c.key) FILTER (WHERE e.kind = 's') AS campaign, min(e.at) FILTER (WHERE e.kind = 's') AS s, min(e.at) FILTER (WHERE e.kind = 'b') AS b,
               min(e.at) FILTER (WHERE e.kind = 'o') AS o, min(e.at) FILTER (WHERE e.kind = 'c') AS c, min(e.at) FILTER (WHERE e.kind = 'r') AS r,
               min(e.at) FILTER (WHERE e.kind = 'p') AS p, min(e.at) FILTER (WHERE e.kind = 'u') AS u
        FROM leadanalytics.message_event e JOIN leadanalytics.campaign c ON c.workspace = e.workspace AND c.id = e.campaign WHERE e.workspace = of_workspace GROUP BY e.message
    ), n AS (
        SELECT e.campaign, count(*) FILTER (WHERE s >= starts AND s < ends) AS s, count(*) FILTER (WHERE s >= starts AND s < ends AND b IS NULL) AS d,
               count(*) FILTER (WHERE b >= starts AND b < ends) AS b, count(*) FILTER (WHERE o >= starts AND o < ends) AS o, count(*) FILTER (WHERE c >= starts AND c < ends) AS c,
               count(*) FILTER (WHERE r >= starts AND r < ends) AS r, count(*) FILTER (WHERE p >= starts AND p < ends) AS p, count(*) FILTER (WHERE u >= starts AND u < ends) AS u
        FROM e GROUP BY e.campaign
    )
    SELECT n.campaign, v.* FROM n, LATERAL (VALUES ('delivery_rate', d, s), ('open_rate', o, d), ('click_rate', c, d), ('click_to_open_rate', c, o), ('reply_rate', r, d),
        ('bounce_rate', b, s), ('spam_rate', p, d), ('unsubscribe_rate', u, d)) AS v $$;
\set keys '{c3,c0,c5,c1,c2}'
\set all '{spam_rate,delivery_rate,open_rate,click_rate,click_to_open_rate,reply_rate,bounce_rate,unsubscribe_rate}'
CREATE FUNCTION pg_temp.differences(of_workspace int, keys text[], metrics text[]) RETURNS TABLE (asked bigint, rows_seen bigint, zeros bigint, over bigint, differ bigint) LANGUAGE plpgsql AS $$
DECLARE
    r record;
    k record;
BEGIN
    asked := 0; rows_seen := 0; zeros := 0; over := 0; differ := 0;
    FOR r IN SELECT a.at AS starts, a.at + floor(power(random(), 2) * 30 * 86400) * interval '1 second' AS ends
             FROM (SELECT timestamptz '2026-09-29 00:00Z' + floor(random() * 45 * 86400) * interval '1 second' AS at FROM generate_series(1, 12)) AS a
             UNION ALL VALUES (timestamptz '-infinity', timestamptz 'infinity') LOOP
        asked := asked + 1;
        FOR k IN SELECT * FROM (SELECT campaign_id, metric, part, whole FROM leadanalytics.compare_campaigns_rows(of_workspace, r.starts, r.ends, keys, metrics)) AS ours
                 FULL JOIN (SELECT campaign, p.metric, p.part, p.whole FROM pg_temp.plain(of_workspace, r.starts, r.ends) p WHERE campaign = ANY (keys)) AS plain
                     ON ours.campaign_id = plain.campaign AND ours.metric = plain.metric AND ours.part = plain.part AND ours.whole = plain.whole LOOP
            rows_seen := rows_seen + 1;
            zeros := zeros + (k.whole = 0)::int;
            over := over + (k.part > k.whole)::int;
            differ := differ + (k.campaign_id IS NULL OR k.campaign IS NULL)::int;
        END LOOP;
    END LOOP;
    RETURN NEXT;
END $$;
SELECT asked, rows_seen, zeros > 0 AS some_empty, over > 0 AS some_over, differ FROM pg_temp.differences(:w, :'keys', :'all');
SELECT leadanalytics.sum_messages(now()) > 0 AS summed;
SELECT asked, rows_seen, differ FROM pg_temp.differences(:w, :'keys', :'all');
SET leadanalytics.exact = on;
SELECT asked, rows_seen, differ FROM pg_temp.differences(:w, '{c3,c4}', :'all');
RESET leadanalytics.exact;

-- The answer: in the orders asked, from the same numbers; ranges (D-02, D-03).
SELECT leadanalytics.compare_campaigns(:w, '["c5", "c0", "c1"]', '"30d"', NULL, '2026-11-02 12:00Z');
SELECT leadanalytics.compare_campaigns(:w, '["c5", "c0"]', NULL, 'null', '2026-11-02 12:00Z')::text
     = leadanalytics.compare_campaigns(:w, '["c5", "c0"]', '{"start": "2026-10-03", "end": "2026-11-02T23:59:59Z"}', '["open_rate", "click_rate", "reply_rate", "delivery_rate"]')::text AS thirty_days;
SELECT leadanalytics.compare_campaigns(:w, '["c5", "c0"]', '"7d"', NULL, '2026-11-02 12:00Z')::text
     = leadanalytics.compare_campaigns(:w, '["c5", "c0"]', '{"start": "2026-10-26", "end": "2026-11-02"}')::text AS seven;
SELECT leadanalytics.compare_campaigns(:w, '["c5", "c0"]', '"90d"', NULL, '2026-11-02 12:00Z')::text
     = leadanalytics.compare_campaigns(:w, '["c5", "c0"]', '{"start": "2026-08-04T00:00:00Z", "end": "2026-11-02"}')::text AS ninety;
SELECT m ->> 'metric' AS metric, m ->> 'winner' AS winner, m ->> 'p_value' AS p, m ->> 'is_significant' AS significant,
       -- by hand: the two best of plain SQL
       (SELECT round(leadanalytics.two_proportion_test((array_agg(least(part, whole) ORDER BY rank))[1], (array_agg(whole ORDER BY rank))[1],
                                                       (array_agg(least(part, whole) ORDER BY rank))[2], (array_agg(whole ORDER BY rank))[2])::numeric, 4)
        FROM (SELECT p.*, row_number() OVER (ORDER BY CASE WHEN m ->> 'metric' IN ('bounce_rate', 'spam_rate', 'unsubscribe_rate') THEN -1 ELSE 1 END * p.part::numeric / p.whole DESC) AS rank
              FROM pg_temp.plain(:w, '2026-10-03', '2026-11-03') p WHERE p.campaign IN ('c0', 'c1', 'c2', 'c4', 'c5') AND p.metric = m ->> 'metric') AS p WHERE rank < 3) = (m ->> 'p_value')::numeric AS same
FROM json_array_elements(leadanalytics.compare_campaigns(:w, '["c0", "c1", "c2", "c4", "c5"]', NULL, to_json(:'all'::text[]), '2026-11-02 12:00Z') -> 'statistical_significance') m;

-- What is refused.
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.says(workspace int, ids json, time_range json DEFAULT NULL, metrics json DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    RETURN leadanalytics.compare_campaigns(workspace, ids, time_range, metrics, '2026-11-02 12:00Z') -> 'comparison' -> 0 ->> 'campaign_id';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || ' ' || SQLERRM || ' ' || coalesce((nullif(detail, '')::json) ->> 'code', '');
END $$;
SELECT v.n, pg_temp.says(:w, v.ids::json, v.time_range::json, v.metrics::json)
FROM (VALUES (1, NULL, NULL, NULL), (2, '[]', NULL, NULL), (3, '["c0"]', NULL, NULL), (4, '["c0", "c0"]', NULL, NULL), (5, '["c0", "c1", "c2", "c3", "c4", "c5"]', NULL, NULL),
    (6, '["c0", 1]', NULL, NULL), (7, '"c0"', NULL, NULL), (8, '{"a": "c0"}', NULL, NULL), (9, '["c0", "nope"]', NULL, NULL), (10, '["c0", null]', NULL, NULL), (11, '["c0", "c1", "c2", "c3", "c4"]', NULL, NULL),
    (20, '["c0", "c1"]', '"1d"', NULL), (21, '["c0", "c1"]', '7', NULL), (22, '["c0", "c1"]', '{}', NULL), (23, '["c0", "c1"]', '{"start": "2026-10-01"}', NULL),
    (24, '["c0", "c1"]', '{"start": "2026-10-01", "end": "soon"}', NULL), (25, '["c0", "c1"]', '{"start": 1, "end": "2026-10-01"}', NULL),
    (26, '["c0", "c1"]', '{"start": "2026-10-02", "end": "2026-10-01"}', NULL), (27, '["c0", "c1"]', '{"start": "2026-10-01", "end": "2026-10-01"}', NULL),
    (28, '["c0", "c1"]', '{"start": "2026-10-01T00:00:00Z", "end": "2026-10-01T00:00:00Z"}', NULL), (29, '["c0", "c1"]', '["7d"]', NULL), (30, '["c0", "c1"]', '"custom"', NULL), (31, '["c0", "c1"]', 'null', NULL),
    (32, '["c0", "c1"]', '{"start": "2026-02-30", "end": "2026-10-01"}', NULL), (33, '["c0", "c1"]', '{"start": " ", "end": "2026-10-01"}', NULL),
    (40, '["c0", "c1"]', NULL, '[]'), (41, '["c0", "c1"]', NULL, '["open_rate", "open_rate"]'), (42, '["c0", "c1"]', NULL, '["opens"]'), (43, '["c0", "c1"]', NULL, '"open_rate"'),
    (44, '["c0", "c1"]', NULL, '[1]'), (45, '["c0", "c1"]', NULL, '["spam_rate"]')) AS v (n, ids, time_range, metrics) ORDER BY v.n;
-- A campaign of another workspace is none.
SELECT leadanalytics.put_message_events(:other, '{"message_id": "m", "event": "sent", "campaign_id": "theirs"}') ->> 'accepted' AS theirs;
SELECT pg_temp.says(:w, '["c0", "theirs"]');
SELECT pg_temp.says(-1, '["c0", "c1"]');
