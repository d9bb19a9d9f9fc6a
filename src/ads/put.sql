-- PUT /api/v1/ads: figures of ad platforms, upserted by day, platform, account, level and id.

CREATE FUNCTION leadanalytics.ad_levels()
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT '{campaign,adset,ad}'::text[] $$;
COMMENT ON FUNCTION leadanalytics.ad_levels() IS 'the levels of ad figures, from coarse to fine: a figure''s depth is its level''s place';

-- A currency that is not said is the workspace's: a platform's account has one and many exports leave it out.
CREATE FUNCTION leadanalytics.ad_items(body json, own_currency text)
RETURNS SETOF leadanalytics.ad_item LANGUAGE sql STABLE AS $$
    SELECT i.index, f.error, leadanalytics.day_member(i.item, 'date'), i.item ->> 'platform', i.item ->> 'account_id', d.depth,
           (ARRAY[i.item ->> 'campaign_id', i.item ->> 'adset_id', i.item ->> 'ad_id'])[:d.depth],
           (ARRAY[nullif(btrim(i.item ->> 'campaign_name'), ''), nullif(btrim(i.item ->> 'adset_name'), ''), nullif(btrim(i.item ->> 'ad_name'), '')])[:d.depth],
           nullif(btrim(i.item ->> 'status'), ''), coalesce(nullif(upper(btrim(i.item ->> 'currency')), ''), own_currency),
           n.spend, n.impressions, n.clicks, n.conversions, n.revenue
    FROM leadanalytics.items(body) i
    CROSS JOIN LATERAL (SELECT array_position(leadanalytics.ad_levels(), i.item ->> 'level')::smallint AS depth) AS d
    CROSS JOIN LATERAL (SELECT coalesce(
        leadanalytics.text_fault(i.item, 'date', true, 10),
        CASE WHEN leadanalytics.day_member(i.item, 'date') IS NULL THEN 'Invalid date' END,
        leadanalytics.text_fault(i.item, 'platform', true, 20),
        CASE WHEN i.item ->> 'platform' NOT IN ('meta', 'google', 'tiktok') THEN 'Invalid platform' END,
        leadanalytics.text_fault(i.item, 'account_id', true, 200),
        leadanalytics.text_fault(i.item, 'level', true, 20),
        CASE WHEN d.depth IS NULL THEN 'Invalid level' END,
        leadanalytics.text_fault(i.item, 'campaign_id', true, 200),
        leadanalytics.text_fault(i.item, 'adset_id', d.depth >= 2, 200),
        leadanalytics.text_fault(i.item, 'ad_id', d.depth = 3, 200),
        -- It would be counted as the coarser one that it is not.
        CASE WHEN d.depth < 2 AND i.item ->> 'adset_id' <> '' THEN 'adset_id is finer than the level'
             WHEN d.depth < 3 AND i.item ->> 'ad_id' <> '' THEN 'ad_id is finer than the level' END,
        leadanalytics.text_fault(i.item, 'campaign_name', false, 500),
        leadanalytics.text_fault(i.item, 'adset_name', false, 500),
        leadanalytics.text_fault(i.item, 'ad_name', false, 500),
        leadanalytics.text_fault(i.item, 'status', false, 100),
        leadanalytics.text_fault(i.item, 'currency', false, 20),
        CASE WHEN nullif(upper(btrim(i.item ->> 'currency')), '') !~ '^[A-Z]{3}$' THEN 'Invalid currency' END,
        leadanalytics.number_fault(i.item, 'spend', 0, 1e11),
        leadanalytics.number_fault(i.item, 'impressions', 0, 1e15, true),
        leadanalytics.number_fault(i.item, 'clicks', 0, 1e15, true),
        leadanalytics.number_fault(i.item, 'conversions', 0, 1e11),
        leadanalytics.number_fault(i.item, 'revenue', -1e11, 1e11)) AS error) AS f
    CROSS JOIN LATERAL (SELECT
        CASE WHEN f.error IS NULL THEN coalesce(leadanalytics.number_member(i.item, 'spend'), 0) END AS spend,
        CASE WHEN f.error IS NULL THEN coalesce(leadanalytics.number_member(i.item, 'impressions'), 0)::bigint END AS impressions,
        CASE WHEN f.error IS NULL THEN coalesce(leadanalytics.number_member(i.item, 'clicks'), 0)::bigint END AS clicks,
        CASE WHEN f.error IS NULL THEN coalesce(leadanalytics.number_member(i.item, 'conversions'), 0) END AS conversions,
        CASE WHEN f.error IS NULL THEN coalesce(leadanalytics.number_member(i.item, 'revenue'), 0) END AS revenue) AS n
    ORDER BY i.index
$$;
COMMENT ON FUNCTION leadanalytics.ad_items(json, text) IS 'the figures of a body, each with what is wrong with it';

-- Two batches at once wait for each other and never in a circle: objects are made in the order of their keys, then
-- locked in the order of their numbers, and figures belong to locked objects.
CREATE FUNCTION leadanalytics.put_ads(workspace int, figures json)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(put_ads.workspace);
    items leadanalytics.ad_item[];
BEGIN
    items := ARRAY(SELECT i FROM leadanalytics.ad_items(put_ads.figures, (SELECT w.currency FROM leadanalytics.workspace w WHERE w.id = allowed)) i);

    INSERT INTO leadanalytics.ad_object (workspace, platform, account_id, level, key)
    SELECT DISTINCT allowed, i.platform COLLATE "C", i.account_id COLLATE "C", l.level COLLATE "C", l.key COLLATE "C"
    FROM unnest(items) i, unnest((leadanalytics.ad_levels())[:i.depth], i.keys) AS l (level, key)
    WHERE i.error IS NULL AND NOT EXISTS (
        SELECT FROM leadanalytics.ad_object o
        WHERE o.workspace = allowed AND o.platform = i.platform AND o.account_id = i.account_id AND o.level = l.level AND o.key = l.key)
    ORDER BY 2, 3, 4, 5
    ON CONFLICT DO NOTHING;

    PERFORM FROM leadanalytics.ad_object o
    WHERE o.workspace = allowed AND (o.platform, o.account_id, o.level, o.key) IN (
        SELECT i.platform, i.account_id, l.level, l.key
        FROM unnest(items) i, unnest((leadanalytics.ad_levels())[:i.depth], i.keys) AS l (level, key)
        WHERE i.error IS NULL)
    ORDER BY o.id FOR NO KEY UPDATE;

    -- A name is said of what a figure belongs to, too; a status is the figure's own.
    UPDATE leadanalytics.ad_object o
    SET name = CASE WHEN s.named_on >= coalesce(o.named_on, '-infinity') THEN s.name ELSE o.name END,
        named_on = greatest(s.named_on, o.named_on),
        status = CASE WHEN s.status_on >= coalesce(o.status_on, '-infinity') THEN s.status ELSE o.status END,
        status_on = greatest(s.status_on, o.status_on)
    FROM (
        SELECT i.platform, i.account_id, l.level, l.key,
               max(i.day) FILTER (WHERE l.name IS NOT NULL) AS named_on,
               (array_agg(l.name ORDER BY i.day DESC, i.index DESC) FILTER (WHERE l.name IS NOT NULL))[1] AS name,
               max(i.day) FILTER (WHERE l.depth = i.depth AND i.status IS NOT NULL) AS status_on,
               (array_agg(i.status ORDER BY i.day DESC, i.index DESC) FILTER (WHERE l.depth = i.depth AND i.status IS NOT NULL))[1] AS status
        FROM unnest(items) i, unnest((leadanalytics.ad_levels())[:i.depth], i.keys, i.names) WITH ORDINALITY AS l (level, key, name, depth)
        WHERE i.error IS NULL
        GROUP BY 1, 2, 3, 4
    ) AS s
    WHERE o.workspace = allowed AND o.platform = s.platform AND o.account_id = s.account_id AND o.level = s.level AND o.key = s.key
          AND (s.named_on > o.named_on OR s.status_on > o.status_on OR (o.named_on IS NULL AND s.named_on IS NOT NULL)
               OR (o.status_on IS NULL AND s.status_on IS NOT NULL) OR (s.named_on = o.named_on AND s.name <> o.name)
               OR (s.status_on = o.status_on AND s.status <> o.status));

    INSERT INTO leadanalytics.ad_figure AS f (workspace, day, object, depth, campaign, adset, currency, spend, impressions, clicks, conversions, revenue)
    SELECT DISTINCT ON (i.day, o.id) allowed, i.day, o.id, i.depth, c.id, s.id, i.currency, i.spend, i.impressions, i.clicks, i.conversions, i.revenue
    FROM unnest(items) i
    JOIN leadanalytics.ad_object o ON o.workspace = allowed AND o.platform = i.platform AND o.account_id = i.account_id
                                      AND o.level = (leadanalytics.ad_levels())[i.depth] AND o.key = i.keys[i.depth]
    JOIN leadanalytics.ad_object c ON c.workspace = allowed AND c.platform = i.platform AND c.account_id = i.account_id
                                      AND c.level = 'campaign' AND c.key = i.keys[1]
    LEFT JOIN leadanalytics.ad_object s ON s.workspace = allowed AND s.platform = i.platform AND s.account_id = i.account_id
                                           AND s.level = 'adset' AND s.key = i.keys[2]
    WHERE i.error IS NULL
    ORDER BY i.day, o.id, i.index DESC
    ON CONFLICT (workspace, day, object) DO UPDATE
    SET campaign = excluded.campaign, adset = excluded.adset, currency = excluded.currency, spend = excluded.spend,
        impressions = excluded.impressions, clicks = excluded.clicks, conversions = excluded.conversions, revenue = excluded.revenue
    WHERE f IS DISTINCT FROM excluded;
    RETURN leadanalytics.accepted(ARRAY(SELECT i.error FROM unnest(items) i ORDER BY i.index));
END
$$;
COMMENT ON FUNCTION leadanalytics.put_ads(int, json) IS
    'store figures of ad platforms: one {date, platform, account_id, level, campaign_id, campaign_name, adset_id, adset_name, ad_id, ad_name, status, currency, spend, '
    'impressions, clicks, conversions, revenue}, or an array of at most 1 000; one of the same date, platform, account, level and id is written anew, what is omitted is 0';
GRANT EXECUTE ON FUNCTION leadanalytics.put_ads(int, json) TO leadanalytics_write;

INSERT INTO leadanalytics.route (method, path, function, family, roles, summary, example, builtin) VALUES
    ('PUT', '/api/v1/ads', 'leadanalytics.put_ads', 'public', '{admin}',
     'Store figures of ad platforms: one, or an array of at most 1 000; one of the same date, platform, account, level and id is written anew',
     '{"accepted": 1, "rejected": [{"index": 1, "error": "Invalid platform"}]}', true);

INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, error, example, summary) VALUES
    ('PUT', '/api/v1/ads', 'body', 'document', 'figures', 'json', true, 'Invalid request body',
     '[{"date": "2026-03-16", "platform": "meta", "account_id": "act_1", "level": "campaign", "campaign_id": "123456", "campaign_name": "Spring Sale 2026", "status": "ACTIVE", "currency": "USD", '
     '"spend": 1200.50, "impressions": 45000, "clicks": 1800, "conversions": 45, "revenue": 8900.00}]',
     'figures {date, platform (meta, google or tiktok), account_id, level (campaign, adset or ad), campaign_id, campaign_name, adset_id, adset_name, ad_id, ad_name, status, '
     'currency (default: the workspace''s), spend, impressions, clicks, conversions, revenue (default: 0)}; the ids down to the level are required');
