-- Figures of ad platforms (S5-11): put, and reported at each level.
\set VERBOSITY terse
SELECT leadanalytics.create_workspace('ads', timezone => 'America/Chicago', currency => 'USD') AS w \gset
-- The document's own row, and its ratios.
SELECT leadanalytics.put_ads(:w, '{"date": "2021-03-16", "platform": "meta", "account_id": "act_1", "level": "campaign", "campaign_id": "123456", "campaign_name": "Spring Sale 2026",
    "status": "ACTIVE", "currency": "USD", "spend": 1200.50, "impressions": 45000, "clicks": 1800, "conversions": 45, "revenue": 8900.00}');
SELECT leadanalytics.ads(:w, '2021-03-01T00:00:00Z', '2021-03-16T23:59:59Z');
SELECT leadanalytics.ads(:w, '2021-03-17', '2021-03-17');

-- What is wrong with an item.
SELECT change, leadanalytics.put_ads(:w, (jsonb '{"date": "2020-01-01", "platform": "meta", "account_id": "x", "level": "ad", "campaign_id": "c", "adset_id": "s", "ad_id": "a"}' || change)::json) #>> '{rejected,0,error}' AS error
FROM unnest(ARRAY['{}', '{"date": null}', '{"date": "2020-02-30"}', '{"date": "2020-02-29"}', '{"date": "2021-02-29"}', '{"date": "2020-01-01T00:00:00Z"}', '{"date": 20200101}',
    '{"platform": "all"}', '{"platform": "Meta"}', '{"platform": ""}', '{"account_id": " "}', '{"account_id": 1}', '{"level": "account"}', '{"level": null}',
    '{"campaign_id": null}', '{"campaign_id": 1}', '{"adset_id": null}', '{"ad_id": ""}', '{"level": "campaign"}', '{"level": "adset"}', '{"level": "adset", "ad_id": ""}',
    '{"campaign_name": 5}', '{"status": {}}', '{"currency": "usd"}', '{"currency": ""}', '{"currency": "dollar"}', '{"spend": "1200.50"}', '{"spend": -1}', '{"spend": "NaN"}', '{"spend": true}',
    '{"spend": 1e11}', '{"spend": 1e12}', '{"spend": 1e99}', '{"impressions": 1.5}', '{"impressions": 1.0}', '{"impressions": "12"}', '{"impressions": -1}', '{"clicks": 1e12}', '{"clicks": 1e13}',
    '{"conversions": 0.25}', '{"conversions": -1}', '{"revenue": -99.5}', '{"revenue": [1]}', '{"revenue": 1e12}', '{"more": 1}']::jsonb[]) AS change;
SELECT leadanalytics.put_ads(:w, json_build_object('date', '2020-01-01', 'platform', 'meta', 'account_id', 'x', 'level', 'campaign', 'campaign_id', repeat('c', n))) #>> '{rejected,0,error}'
FROM unnest('{200,201}'::int[]) AS n;
SELECT leadanalytics.put_ads(:w, '[1, null, {}, "x", [1]]');
SELECT leadanalytics.put_ads(:w, '[]');
SELECT leadanalytics.put_ads(:w, '"x"');
SELECT leadanalytics.put_ads(:w, (SELECT json_agg(i) FROM generate_series(1, 1001) i));
SELECT leadanalytics.put_ads(0, '[]');
DELETE FROM leadanalytics.ad_figure WHERE workspace = :w;
DELETE FROM leadanalytics.ad_object WHERE workspace = :w;

-- A day and a thing at a time: its own figure, else those below it.
CREATE FUNCTION put(workspace int, day text, campaign text, adset text, ad text, spend numeric, more json DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(leadanalytics.put_ads(workspace, json_build_array((jsonb_build_object('date', day, 'platform', 'meta', 'account_id', 'x',
        'level', CASE WHEN ad IS NOT NULL THEN 'ad' WHEN adset IS NOT NULL THEN 'adset' ELSE 'campaign' END, 'campaign_id', campaign, 'adset_id', adset, 'ad_id', ad, 'spend', spend) || more::jsonb)))
        #>> '{rejected,0,error}', 'accepted')
$$;
CREATE FUNCTION spent(workspace int, first text, last text) RETURNS TABLE (level text, rows text, total numeric) LANGUAGE sql AS $$
    SELECT l, string_agg(concat_ws('/', r.campaign_id, r.adset_id, r.ad_id) || '=' || round(r.spend), ' ' ORDER BY r.campaign_id, r.adset_id, r.ad_id), round(min(r.total_spend), 2)
    FROM unnest('{campaign,adset,ad}'::text[]) WITH ORDINALITY AS v (l, n) CROSS JOIN leadanalytics.period(workspace, first, last) p
    CROSS JOIN leadanalytics.ads_rows(workspace, p.starts, p.ends, by_level => l) r GROUP BY l, n ORDER BY n
$$;
SELECT put(:w, '2021-04-01', 'c1', 's1', 'a1', 1), put(:w, '2021-04-01', 'c1', 's1', 'a2', 2), put(:w, '2021-04-01', 'c1', 's2', 'a3', 4);
SELECT * FROM spent(:w, '2021-04-01', '2021-04-01');
-- an ad set that reports itself, another that does not
SELECT put(:w, '2021-04-01', 'c1', 's1', NULL, 10);
SELECT * FROM spent(:w, '2021-04-01', '2021-04-01');
SELECT put(:w, '2021-04-01', 'c1', NULL, NULL, 100);
SELECT * FROM spent(:w, '2021-04-01', '2021-04-01');
-- another day stands for itself
SELECT put(:w, '2021-04-02', 'c1', 's1', 'a1', 1000), put(:w, '2021-04-02', 'c2', NULL, NULL, 7);
SELECT * FROM spent(:w, '2021-04-01', '2021-04-02');
-- of one that is put again the last is what counts, in one batch too, wherever it belongs
SELECT put(:w, '2021-04-02', 'c1', 's1', 'a1', 2000), put(:w, '2021-04-02', 'c1', 's1', 'a1', 2000), put(:w, '2021-04-02', 'c1', 's2', 'a1', 3000);
SELECT * FROM spent(:w, '2021-04-02', '2021-04-02');
SELECT leadanalytics.put_ads(:w, '[{"date": "2021-04-02", "platform": "meta", "account_id": "x", "level": "campaign", "campaign_id": "c2", "spend": 8}, {"date": "2021-04-02", "platform": "meta", "account_id": "x", "level": "campaign", "campaign_id": "c2", "spend": 9}]');
SELECT * FROM spent(:w, '2021-04-02', '2021-04-02');

-- The latest name and status; a status is not a campaign's for being an ad's.
SELECT put(:w, '2021-05-03', 'n', 's', 'a', 1, '{"campaign_name": "Third", "adset_name": "Set", "ad_name": "Ad", "status": "PAUSED"}'), put(:w, '2021-05-01', 'n', 's', 'a', 1, '{"campaign_name": "First", "ad_name": "Old", "status": "ACTIVE"}'),
    put(:w, '2021-05-04', 'n', 's', 'a', 1, '{"campaign_name": " ", "status": ""}');
SELECT l, r.campaign_name, r.adset_name, r.ad_name, r.status, r.spend FROM unnest('{campaign,adset,ad}'::text[]) l CROSS JOIN leadanalytics.ads_rows(:w, '2021-05-01Z', '2021-06-01Z', by_level => l) r;
SELECT put(:w, '2021-05-02', 'n', NULL, NULL, 1, '{"status": "ACTIVE"}'), put(:w, '2021-05-03', 'n', 's', 'a', 1, '{"campaign_name": "Renamed"}');
SELECT r.campaign_name, r.status, r.spend FROM leadanalytics.ads_rows(:w, '2021-05-01Z', '2021-06-01Z') r;

-- Currencies: rows in their own, totals in the workspace's by the day's rate, nothing without one.
SELECT leadanalytics.set_fx_rate(:w, 'EUR', '2021-06-01', 1.25);
SELECT leadanalytics.set_fx_rate(:w, 'EUR', '2021-06-04', 1.5);
SELECT put(:w, '2021-06-01', 'e', NULL, NULL, 100, '{"currency": "eur", "revenue": 400}'), put(:w, '2021-06-04', 'e', NULL, NULL, 100, '{"currency": "EUR", "revenue": -50}'),
    put(:w, '2021-06-04', 'u', NULL, NULL, 10, '{"revenue": 30}'), put(:w, '2021-06-11', 'e', NULL, NULL, 1000, '{"currency": "EUR"}'), put(:w, '2021-06-02', 'e', NULL, NULL, 5),
    put(:w, '2021-06-02', 'g', NULL, NULL, 70, '{"currency": "GBP", "revenue": 70}');
SELECT r.campaign_id, r.currency, r.spend, r.revenue, r.roas, r.total_spend, r.total_revenue FROM leadanalytics.ads_rows(:w, '2021-06-01 12:00Z', '2021-06-20Z') r;
SELECT leadanalytics.ads(:w, '2021-06-01', '2021-06-10') -> 'overall_roas' AS roas, round((400 * 1.25 - 50 * 1.5 + 30) / (100 * 1.25 + 100 * 1.5 + 10 + 5), 2) AS by_hand;
SELECT state FROM leadanalytics.status() WHERE part = 'ads of ads';
SELECT put(:w, to_char(current_date, 'YYYY-MM-DD'), 'g', NULL, NULL, 70, '{"currency": "GBP"}');
SELECT state FROM leadanalytics.status() WHERE part = 'ads of ads';

-- Nothing is divided by nothing.
SELECT put(:w, '2021-07-01', 'z', NULL, NULL, 0, '{"conversions": 1.125}'), put(:w, '2021-07-01', 'y', NULL, NULL, 0, '{"clicks": 1, "revenue": 5}'), put(:w, '2021-07-01', 'x', NULL, NULL, 3);
SELECT leadanalytics.ads(:w, '2021-07-01', '2021-07-01');

-- The dates that a range touches in the workspace's zone (Chicago: UTC-6, from 14 March 2021 UTC-5).
SELECT put(:w, '2021-03-0' || d, 'r', NULL, NULL, 10 ^ d::numeric) FROM generate_series(1, 4) d;
SELECT starts, ends, (SELECT sum(r.spend)::int FROM leadanalytics.period(:w, starts, ends) p CROSS JOIN leadanalytics.ads_rows(:w, p.starts, p.ends) r) AS spend FROM (VALUES
    ('2021-03-02', '2021-03-03'), ('2021-03-02T00:00:00', '2021-03-02T23:59:59'), ('2021-03-02T00:00:00Z', '2021-03-02T05:59:59Z'), ('2021-03-02T06:00:00Z', '2021-03-03T05:59:59Z'),
    ('2021-03-02T06:00:00Z', '2021-03-03T06:00:00Z'), ('2021-03-02T12:00:00-06:00', '2021-03-02T12:00:00-06:00'), ('2021-03-02T23:59:59.999-06:00', '2021-03-03')) AS v (starts, ends);

-- Limits, filters and platforms.
SELECT leadanalytics.put_ads(:w, '[{"date": "2021-08-01", "platform": "tiktok", "account_id": "t", "level": "campaign", "campaign_id": "c1", "spend": 5}, {"date": "2021-08-01", "platform": "meta", "account_id": "t", "level": "campaign", "campaign_id": "c1", "spend": 5}]');
SELECT json_array_length(a -> 'data') AS n, a #>> '{data,0,platform}' AS first, a -> 'total_spend' AS total, a -> 'platforms_connected' AS platforms
FROM (VALUES (leadanalytics.ads(:w, '2021-08-01', '2021-08-01')), (leadanalytics.ads(:w, '2021-08-01', '2021-08-01', platform => 'tiktok')), (leadanalytics.ads(:w, '2021-08-01', '2021-08-01', platform => 'google')),
    (leadanalytics.ads(:w, '2021-08-01', '2021-08-01', 'all', "limit" => 1)), (leadanalytics.ads(:w, '2021-08-01', '2021-08-01', "limit" => 0)), (leadanalytics.ads(:w, '2021-08-01', '2021-08-01', NULL, NULL, NULL))) AS v (a);
SELECT leadanalytics.put_platforms(:w, '[{"provider": "google-ads"}, {"provider": "stripe"}]') IS NOT NULL AS put;
SELECT leadanalytics.ads(:w, '2021-08-01', '2021-08-01', 'google') -> 'platforms_connected' AS connected;
SELECT leadanalytics.ad_platforms(:w, '2021-08-01'), leadanalytics.ad_platforms(:w, '2021-08-02');
SELECT leadanalytics.ads(:w, '2021-08-01', '2021-08-01', level => 'account');
SELECT leadanalytics.ads(:w, '2021-08-02', '2021-08-01');
SELECT leadanalytics.ads(0, '2021-08-01', '2021-08-01');
SELECT leadanalytics.create_workspace('ads-other') AS other \gset
SELECT leadanalytics.ads(:other, '2021-01-01', '2022-01-01');

-- Random figures against a reckoning of its own: each level from the rows as they were put, last one first.
SELECT setseed(0.5);
CREATE TEMP TABLE said AS
SELECT n, date '2021-09-01' + (random() * 9)::int AS day, (ARRAY['meta','google'])[1 + (random() * 1)::int] AS platform, 'acc' || (random() * 1)::int AS account_id,
       (ARRAY['campaign','adset','ad'])[1 + floor(random() * 2.99)::int] AS level, 'c' || s % 3 AS campaign_id, 's' || s AS adset_id, 's' || s || 'a' || (random() * 2)::int AS ad_id,
       (ARRAY['USD', 'EUR', 'GBP'])[1 + floor(random() * 2.3)::int] AS currency, round(random()::numeric * 100, 2) AS spend, (random() * 1000)::int AS impressions, (random() * 100)::int AS clicks,
       round(random()::numeric * 9, 1) AS conversions, round(random()::numeric * 300, 2) AS revenue
FROM (SELECT n, (random() * 8)::int AS s FROM generate_series(1, 1500) n) AS g;
SELECT count(leadanalytics.set_fx_rate(:w, 'EUR', date '2021-08-30' + d, 1 + d / 10.0)) FROM generate_series(0, 3) d;
SELECT leadanalytics.put_ads(:w, (SELECT json_agg(json_build_object('date', s.day, 'platform', s.platform, 'account_id', s.account_id, 'level', s.level, 'campaign_id', s.campaign_id,
    'adset_id', CASE WHEN s.level <> 'campaign' THEN s.adset_id END, 'ad_id', CASE WHEN s.level = 'ad' THEN s.ad_id END, 'currency', s.currency, 'spend', s.spend,
    'impressions', s.impressions, 'clicks', s.clicks, 'conversions', s.conversions, 'revenue', s.revenue) ORDER BY n) FROM said s WHERE s.n BETWEEN 1 + b * 500 AND 500 + b * 500)) ->> 'accepted' AS accepted
FROM generate_series(0, 2) b;
CREATE TEMP VIEW kept AS
SELECT DISTINCT ON (day, platform, account_id, level, id) * FROM (
    SELECT s.*, CASE level WHEN 'campaign' THEN campaign_id WHEN 'adset' THEN adset_id ELSE ad_id END AS id FROM said s) AS s
ORDER BY day, platform, account_id, level, id, n DESC;
-- the recursion, word by word: an ad set's day, a campaign's day
CREATE TEMP VIEW ads_at AS
WITH adset AS (
    SELECT * FROM kept WHERE level = 'adset'
    UNION ALL
    SELECT a.* FROM kept a WHERE a.level = 'ad' AND (a.day, a.platform, a.account_id, a.adset_id) NOT IN (SELECT s.day, s.platform, s.account_id, s.adset_id FROM kept s WHERE s.level = 'adset')
), campaign AS (
    SELECT * FROM kept WHERE level = 'campaign'
    UNION ALL
    SELECT a.* FROM adset a WHERE (a.day, a.platform, a.account_id, a.campaign_id) NOT IN (SELECT c.day, c.platform, c.account_id, c.campaign_id FROM kept c WHERE c.level = 'campaign')
)
SELECT 'campaign' AS at, NULL AS adset, NULL AS ad, * FROM campaign UNION ALL SELECT 'adset', adset_id, NULL, * FROM adset UNION ALL SELECT 'ad', adset_id, ad_id, * FROM kept WHERE level = 'ad';
CREATE TEMP VIEW reckoned AS
SELECT k.at, k.platform, k.account_id, k.campaign_id, k.adset, k.ad, k.currency, sum(k.spend) AS spend, sum(k.impressions)::numeric AS impressions, sum(k.clicks)::numeric AS clicks,
       sum(k.conversions) AS conversions, sum(k.revenue) AS revenue
FROM ads_at k WHERE k.day BETWEEN '2021-09-02' AND '2021-09-09' GROUP BY 1, 2, 3, 4, 5, 6, 7;
CREATE TEMP TABLE answered AS
SELECT l AS at, r.* FROM unnest('{campaign,adset,ad}'::text[]) l CROSS JOIN leadanalytics.ads_rows(:w, '2021-09-02 05:00Z', '2021-09-10 05:00Z', by_level => l) r;
CREATE TEMP VIEW of_answer AS
SELECT a.at, a.platform, a.account_id, a.campaign_id, a.adset_id AS adset, a.ad_id AS ad, a.currency, a.spend, a.impressions, a.clicks, a.conversions, a.revenue FROM answered a;
SELECT count(*) > 100 AS many FROM reckoned;
(TABLE reckoned EXCEPT TABLE of_answer) UNION ALL (TABLE of_answer EXCEPT TABLE reckoned);
SELECT a.at, count(DISTINCT (a.total_spend, a.total_revenue)) AS totals, min(a.total_spend) = (
        SELECT sum(k.spend * CASE k.currency WHEN 'USD' THEN 1 WHEN 'EUR' THEN CASE WHEN k.day <= '2021-09-08' THEN (ARRAY[1.2, 1.3])[1 + (k.day > '2021-09-01')::int] END END) FROM ads_at k
        WHERE k.at = a.at AND k.day BETWEEN '2021-09-02' AND '2021-09-09') AS good
FROM answered a GROUP BY a.at ORDER BY 1;
SELECT count(*) AS rows, count(*) FILTER (WHERE o.before < o.spend) AS misplaced FROM (
    SELECT (e ->> 'spend')::numeric AS spend, lag((e ->> 'spend')::numeric) OVER (ORDER BY n) AS before
    FROM json_array_elements(leadanalytics.ads(:w, '2021-09-02', '2021-09-09', level => 'ad', "limit" => 99) -> 'data') WITH ORDINALITY AS v (e, n)) AS o;
-- ratios
SELECT count(*) FROM answered a WHERE a.roas IS DISTINCT FROM CASE WHEN a.spend = 0 THEN 0 ELSE round(a.revenue / a.spend, 2) END
    OR a.ctr IS DISTINCT FROM CASE WHEN a.impressions = 0 THEN 0 ELSE round(a.clicks * 100 / a.impressions, 2) END
    OR a.cpc IS DISTINCT FROM CASE WHEN a.clicks = 0 THEN 0 ELSE round(a.spend / a.clicks, 2) END
    OR a.cpm IS DISTINCT FROM CASE WHEN a.impressions = 0 THEN 0 ELSE round(a.spend * 1000 / a.impressions, 2) END;
-- Two adjacent ranges are the whole, and a removed workspace leaves nothing.
SELECT count(DISTINCT x) FROM (VALUES ((SELECT sum(spend) FROM leadanalytics.ads_rows(:w, '2021-09-02 05:00Z', '2021-09-10 05:00Z'))),
    ((SELECT sum(spend) FROM leadanalytics.ads_rows(:w, '2021-09-02 05:00Z', '2021-09-05 05:00Z')) + (SELECT sum(spend) FROM leadanalytics.ads_rows(:w, '2021-09-05 05:00Z', '2021-09-10 05:00Z')))) AS v (x);
DELETE FROM leadanalytics.workspace WHERE id IN (:w, :other);
SELECT count(*) FROM leadanalytics.ad_object o FULL JOIN leadanalytics.ad_figure f ON f.workspace = o.workspace WHERE coalesce(o.workspace, f.workspace) IN (:w, :other);
DROP FUNCTION put, spent;
