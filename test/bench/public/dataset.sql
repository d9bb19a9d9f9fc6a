-- What the public family asks about beside events: people's addresses, and a year of ad figures.
UPDATE leadanalytics.person p SET email = p.user_id || '@mail-' || p.number % 50 || '.example' FROM bench.fact f WHERE p.workspace = f.workspace;
SELECT leadanalytics.put_ads(f.workspace, (
    SELECT json_agg(json_build_object('date', (f.now - day * interval '1 day')::date, 'platform', (ARRAY['meta', 'google', 'tiktok'])[1 + c % 3], 'account_id', 'account', 'level', 'campaign',
        'campaign_id', 'c' || c, 'campaign_name', 'campaign-' || c, 'spend', 10 + c % 90, 'impressions', 1000 * c, 'clicks', 10 * c, 'conversions', c % 7, 'revenue', 5 * c))
    FROM generate_series(1, 200) AS c)) IS NOT NULL
FROM bench.fact f, generate_series(1, 365) AS day;
SELECT leadanalytics.connect_platform(f.workspace, p) FROM bench.fact f, unnest('{meta,google-ads,tiktok}'::text[]) AS p;
VACUUM (ANALYZE) leadanalytics.person, leadanalytics.ad_figure, leadanalytics.ad_object;
