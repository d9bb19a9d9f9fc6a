-- PUT /api/v1/ads: figures of ad platforms, upserted by day, platform, account, level and id.

CREATE FUNCTION leadanalytics.ad_levels()
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT '{campaign,adset,ad}'::text[] $$;
COMMENT ON FUNCTION leadanalytics.ad_levels() IS 'the levels of ad figures, from coarse to fine: a figure''s depth is its level''s place';

CREATE FUNCTION leadanalytics.ad_sources()
RETURNS TABLE (platform text, provider text, place int) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES ('meta', 'meta', 1), ('google', 'google-ads', 2), ('tiktok', 'tiktok', 3)
$$;
COMMENT ON FUNCTION leadanalytics.ad_sources() IS 'the platforms of ads in the order answers name them, and which of a workspace''s connected platforms tells of each';

-- A currency that is not said is the workspace's: an account has one, and many exports leave it out.
CREATE FUNCTION leadanalytics.ad_items(body json, own_currency text)
RETURNS SETOF leadanalytics.ad_item LANGUAGE sql STABLE AS $$
    -- Each step once an item: in one expression it would be worked out wherever it is used.
    WITH given AS MATERIALIZED (
        SELECT i.index, json_typeof(i.item) AS kind, array_position(leadanalytics.ad_levels(), btrim(r.level::text, '"'))::smallint AS depth, r.*
        FROM leadanalytics.items(body) i
        CROSS JOIN LATERAL json_to_record(CASE json_typeof(i.item) WHEN 'object' THEN i.item ELSE '{}' END) AS r (
            date json, platform json, account_id json, level json, campaign_id json, campaign_name json, adset_id json, adset_name json, ad_id json, ad_name json,
            status json, currency json, spend json, impressions json, clicks json, conversions json, revenue json)
    ), judged AS MATERIALIZED (
        SELECT g.*, coalesce(
            CASE WHEN g.kind <> 'object' THEN 'Not an object' END,
            leadanalytics.text_value_fault(g.date, 'date', true, 10),
            CASE WHEN leadanalytics.day_value(g.date) IS NULL THEN 'Invalid date' END,
            leadanalytics.text_value_fault(g.platform, 'platform', true, 20),
            CASE WHEN g.platform #>> '{}' NOT IN (SELECT s.platform FROM leadanalytics.ad_sources() s) THEN 'Invalid platform' END,
            leadanalytics.text_value_fault(g.account_id, 'account_id', true, 200),
            leadanalytics.text_value_fault(g.level, 'level', true, 20),
            CASE WHEN g.depth IS NULL THEN 'Invalid level' END,
            leadanalytics.text_value_fault(g.campaign_id, 'campaign_id', true, 200),
            leadanalytics.text_value_fault(g.adset_id, 'adset_id', g.depth >= 2, 200),
            leadanalytics.text_value_fault(g.ad_id, 'ad_id', g.depth = 3, 200),
            -- It would be counted as the coarser one that it is not.
            CASE WHEN g.depth < 2 AND btrim(g.adset_id #>> '{}') <> '' THEN 'adset_id is finer than the level'
                 WHEN g.depth < 3 AND btrim(g.ad_id #>> '{}') <> '' THEN 'ad_id is finer than the level' END,
            leadanalytics.text_value_fault(g.campaign_name, 'campaign_name', false, 500),
            leadanalytics.text_value_fault(g.adset_name, 'adset_name', false, 500),
            leadanalytics.text_value_fault(g.ad_name, 'ad_name', false, 500),
            leadanalytics.text_value_fault(g.status, 'status', false, 100),
            leadanalytics.text_value_fault(g.currency, 'currency', false, 20),
            CASE WHEN nullif(upper(btrim(g.currency #>> '{}')), '') !~ '^[A-Z]{3}$' THEN 'Invalid currency' END,
            leadanalytics.number_fault(g.spend, 'spend', 0, 1e11),
            leadanalytics.number_fault(g.impressions, 'impressions', 0, 1e12, true),
            leadanalytics.number_fault(g.clicks, 'clicks', 0, 1e12, true),
            leadanalytics.number_fault(g.conversions, 'conversions', 0, 1e11),
            -- Refunds.
            leadanalytics.number_fault(g.revenue, 'revenue', -1e11, 1e11)) AS error
        FROM given g
    )
    SELECT j.index, NULL::text, leadanalytics.day_value(j.date), j.platform #>> '{}', btrim(j.account_id #>> '{}'), j.depth,
           (ARRAY[btrim(j.campaign_id #>> '{}'), btrim(j.adset_id #>> '{}'), btrim(j.ad_id #>> '{}')])[:j.depth], NULL::int[],
           (ARRAY[nullif(btrim(j.campaign_name #>> '{}'), ''), nullif(btrim(j.adset_name #>> '{}'), ''), nullif(btrim(j.ad_name #>> '{}'), '')])[:j.depth],
           nullif(btrim(j.status #>> '{}'), ''), coalesce(nullif(upper(btrim(j.currency #>> '{}')), ''), own_currency),
           coalesce(leadanalytics.number_value(j.spend), 0), coalesce(leadanalytics.number_value(j.impressions), 0)::bigint, coalesce(leadanalytics.number_value(j.clicks), 0)::bigint,
           coalesce(leadanalytics.number_value(j.conversions), 0), coalesce(leadanalytics.number_value(j.revenue), 0)
    FROM judged j WHERE j.error IS NULL
    UNION ALL
    SELECT j.index, j.error, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM judged j WHERE j.error IS NOT NULL
    ORDER BY 1
$$;
COMMENT ON FUNCTION leadanalytics.ad_items(json, text) IS 'the figures of a body, each with what is wrong with it';

CREATE FUNCTION leadanalytics.ad_object_number(workspace int, platform text, account_id text, level text, key text)
RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT o.id FROM leadanalytics.ad_object o
            WHERE o.workspace = ad_object_number.workspace AND o.platform = ad_object_number.platform AND o.account_id = ad_object_number.account_id
                  AND o.level = ad_object_number.level AND o.key = ad_object_number.key);
END
$$;
COMMENT ON FUNCTION leadanalytics.ad_object_number(int, text, text, text, text) IS 'the number of a campaign, ad set or ad; null: there is none';

-- Two batches at once wait for each other and never in a circle: objects are made in the order of their keys, then
-- named in the order of their numbers, then figures are written in the order of theirs. Objects are looked up one by
-- one: a join is planned once a session, and the plan of a day without objects is the wrong one for ever after.
CREATE FUNCTION leadanalytics.put_ads(workspace int, figures json)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(put_ads.workspace);
    levels CONSTANT text[] := leadanalytics.ad_levels();
    items leadanalytics.ad_item[];
    said record;
BEGIN
    items := ARRAY(SELECT i FROM leadanalytics.ad_items(put_ads.figures, (SELECT w.currency FROM leadanalytics.workspace w WHERE w.id = allowed)) i);

    INSERT INTO leadanalytics.ad_object (workspace, platform, account_id, level, key)
    SELECT allowed, d.platform, d.account_id, d.level, d.key
    FROM (
        SELECT DISTINCT i.platform COLLATE "C" AS platform, i.account_id COLLATE "C" AS account_id, l.level COLLATE "C" AS level, l.key COLLATE "C" AS key
        FROM unnest(items) i, unnest(levels[:i.depth], i.keys) AS l (level, key)
        WHERE i.error IS NULL
    ) AS d
    WHERE leadanalytics.ad_object_number(allowed, d.platform, d.account_id, d.level, d.key) IS NULL
    ORDER BY 2, 3, 4, 5
    ON CONFLICT DO NOTHING;

    items := ARRAY(
        SELECT ROW(i.index, i.error, i.day, i.platform, i.account_id, i.depth, i.keys,
                   ARRAY(SELECT leadanalytics.ad_object_number(allowed, i.platform, i.account_id, levels[l.place], l.key)
                         FROM unnest(i.keys) WITH ORDINALITY AS l (key, place) ORDER BY l.place),
                   i.names, i.status, i.currency, i.spend, i.impressions, i.clicks, i.conversions, i.revenue)::leadanalytics.ad_item
        FROM unnest(items) i ORDER BY i.index);

    -- A name is said of what a figure belongs to, too; a status is the figure's own.
    FOR said IN
        SELECT l.id,
               max(i.day) FILTER (WHERE l.name IS NOT NULL) AS named_on,
               (array_agg(l.name ORDER BY i.day DESC, i.index DESC) FILTER (WHERE l.name IS NOT NULL))[1] AS name,
               max(i.day) FILTER (WHERE l.depth = i.depth AND i.status IS NOT NULL) AS status_on,
               (array_agg(i.status ORDER BY i.day DESC, i.index DESC) FILTER (WHERE l.depth = i.depth AND i.status IS NOT NULL))[1] AS status
        FROM unnest(items) i, unnest(i.ids, i.names) WITH ORDINALITY AS l (id, name, depth)
        WHERE i.error IS NULL
        GROUP BY l.id ORDER BY l.id
    LOOP
        UPDATE leadanalytics.ad_object o
        SET name = CASE WHEN said.named_on >= coalesce(o.named_on, '-infinity') THEN said.name ELSE o.name END,
            named_on = greatest(said.named_on, o.named_on),
            status = CASE WHEN said.status_on >= coalesce(o.status_on, '-infinity') THEN said.status ELSE o.status END,
            status_on = greatest(said.status_on, o.status_on)
        WHERE o.workspace = allowed AND o.id = said.id
              AND (said.named_on > coalesce(o.named_on, '-infinity') OR said.status_on > coalesce(o.status_on, '-infinity')
                   OR (said.named_on = o.named_on AND said.name <> o.name) OR (said.status_on = o.status_on AND said.status <> o.status));
    END LOOP;

    INSERT INTO leadanalytics.ad_figure AS f (workspace, day, object, depth, campaign, adset, currency, spend, impressions, clicks, conversions, revenue)
    SELECT DISTINCT ON (i.day, i.ids[i.depth]) allowed, i.day, i.ids[i.depth], i.depth, i.ids[1], i.ids[2], i.currency,
           i.spend, i.impressions, i.clicks, i.conversions, i.revenue
    FROM unnest(items) i
    WHERE i.error IS NULL
    ORDER BY i.day, i.ids[i.depth], i.index DESC
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
