-- S4-05: campaigns side by side, and whether the best of them is better than chance (D-44).

CREATE FUNCTION leadanalytics.two_proportion_test(x1 bigint, n1 bigint, x2 bigint, n2 bigint)
RETURNS float8 LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_campaigns_two_proportion_test';
COMMENT ON FUNCTION leadanalytics.two_proportion_test(bigint, bigint, bigint, bigint) IS
    'the p-value of the pooled two-proportion z-test, two-sided, without correction: x1 of n1 against x2 of n2; 1 where there is nothing to tell apart';
GRANT EXECUTE ON FUNCTION leadanalytics.two_proportion_test(bigint, bigint, bigint, bigint) TO leadanalytics_read;

-- One without messages has no rate: it comes last, whether the highest is best or the lowest.
CREATE FUNCTION leadanalytics.best_share(keys text[], parts bigint[], wholes bigint[], lowest boolean, OUT winner text, OUT p_value float8, OUT is_significant boolean)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    p_below CONSTANT float8 := 0.05;
    n_at_least CONSTANT bigint := 100;
    s record;
    first record;
BEGIN
    p_value := 1;
    is_significant := false;
    FOR s IN
        SELECT row_number() OVER (ORDER BY k.whole = 0, CASE WHEN lowest THEN 1 ELSE -1 END * k.part / nullif(k.whole, 0)::numeric, k.whole DESC, k.place) AS rank, k.*
        -- What came of earlier sends can be more than the whole: the rate says all, and so does its share.
        FROM (SELECT u.place, u.key, least(u.part, u.whole) AS part, u.whole FROM unnest(keys, parts, wholes) WITH ORDINALITY AS u (key, part, whole, place)) AS k
        ORDER BY rank LIMIT 2
    LOOP
        IF s.rank = 1 THEN
            first := s;
        ELSE
            p_value := leadanalytics.two_proportion_test(first.part, first.whole, s.part, s.whole);
            is_significant := p_value < p_below AND least(first.whole, s.whole) >= n_at_least;
            winner := CASE WHEN is_significant THEN first.key END;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadanalytics.best_share(text[], bigint[], bigint[], boolean) IS
    'the best of several shares (parts of wholes; the highest, or the lowest) against the second best: p < 0.05 of at least 100 each is significant; winner: null when it is not';
GRANT EXECUTE ON FUNCTION leadanalytics.best_share(text[], bigint[], bigint[], boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.is_lowest_best(metric text)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT metric IN ('bounce_rate', 'spam_rate', 'unsubscribe_rate')
$$;
COMMENT ON FUNCTION leadanalytics.is_lowest_best(text) IS 'whether a rate is the better the lower it is';
GRANT EXECUTE ON FUNCTION leadanalytics.is_lowest_best(text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.compare_campaigns_rows(
    workspace int, starts timestamptz, ends timestamptz, campaigns text[], metrics text[] DEFAULT '{open_rate,click_rate,reply_rate,delivery_rate}')
RETURNS TABLE (campaign_id text, campaign_name text, metric text, part bigint, whole bigint, rate numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(compare_campaigns_rows.workspace);
BEGIN
    RETURN QUERY
    SELECT c.key, c.name, m.metric, r.part::bigint, r.whole::bigint, leadanalytics.percent(r.part, r.whole)
    FROM unnest(campaigns) WITH ORDINALITY AS k (key, place)
    CROSS JOIN LATERAL (SELECT leadanalytics.campaign_number(allowed, k.key) AS number OFFSET 0) AS i
    CROSS JOIN LATERAL (SELECT c.key, c.name FROM leadanalytics.campaign c WHERE c.workspace = allowed AND c.id = i.number OFFSET 0) AS c
    CROSS JOIN LATERAL (SELECT coalesce(sum(t.sent), 0) AS sent, coalesce(sum(t.delivered), 0) AS delivered, coalesce(sum(t.hard + t.soft), 0) AS bounced,
                               coalesce(sum(t.opened), 0) AS opened, coalesce(sum(t.clicked), 0) AS clicked, coalesce(sum(t.replied), 0) AS replied,
                               coalesce(sum(t.complained), 0) AS complained, coalesce(sum(t.unsubscribed), 0) AS unsubscribed
                        FROM leadanalytics.message_tallies(allowed, 'd', starts, ends, i.number) t) AS n
    CROSS JOIN unnest(metrics) WITH ORDINALITY AS m (metric, place)
    JOIN LATERAL leadanalytics.rate_parts(n.sent, n.delivered, n.bounced, n.opened, n.clicked, n.replied, n.complained, n.unsubscribed) AS r ON r.metric = m.metric
    ORDER BY k.place, m.place;
END
$$;
COMMENT ON FUNCTION leadanalytics.compare_campaigns_rows(int, timestamptz, timestamptz, text[], text[]) IS
    'rates of campaigns in [starts, ends), by key, in the order asked: what each is of what, and in per cent; LA404 CAMPAIGN_NOT_FOUND';
GRANT EXECUTE ON FUNCTION leadanalytics.compare_campaigns_rows(int, timestamptz, timestamptz, text[], text[]) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.distinct_texts(list json, fewest int, most int)
RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    texts text[];
BEGIN
    -- One after the other: the elements of what is no array are an error.
    IF json_typeof(list) = 'array' AND json_array_length(list) BETWEEN fewest AND most THEN
        IF NOT EXISTS (SELECT FROM json_array_elements(list) e WHERE json_typeof(e.value) <> 'string') THEN
            texts := ARRAY(SELECT e.value FROM json_array_elements_text(list) WITH ORDINALITY AS e (value, place) ORDER BY e.place);
        END IF;
    END IF;
    RETURN CASE WHEN cardinality(texts) = (SELECT count(DISTINCT t COLLATE "C") FROM unnest(texts) t) THEN texts END;
END
$$;
COMMENT ON FUNCTION leadanalytics.distinct_texts(json, int, int) IS 'an array of so many texts, no two the same; null: it is none';

CREATE FUNCTION leadanalytics.compare_campaigns(
    workspace int, campaign_ids json, time_range json DEFAULT NULL, metrics json DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(compare_campaigns.workspace);
    keys CONSTANT text[] := leadanalytics.distinct_texts(campaign_ids, 2, 5);
    asked text[] := '{open_rate,click_rate,reply_rate,delivery_rate}';
    range record;
BEGIN
    IF keys IS NULL THEN
        PERFORM leadanalytics.fail(400, 'campaign_ids must be 2 to 5 different campaigns', 'VALIDATION_ERROR');
    END IF;
    IF coalesce(json_typeof(metrics), 'null') <> 'null' THEN
        asked := leadanalytics.distinct_texts(metrics, 1, 8);
        IF asked IS NULL OR EXISTS (SELECT FROM unnest(asked) m WHERE leadanalytics.rate_basis(m) IS NULL) THEN
            PERFORM leadanalytics.fail(400, 'metrics must be different ones of '
                || (SELECT string_agg(p.metric, ', ') FROM leadanalytics.rate_parts(0, 0, 0, 0, 0, 0, 0, 0) p), 'VALIDATION_ERROR');
        END IF;
    END IF;
    SELECT * INTO range FROM leadanalytics.campaign_period_json(time_range, now);
    RETURN (
        WITH figures AS MATERIALIZED (
            SELECT r.*, array_position(keys, r.campaign_id) AS place, array_position(asked, r.metric) AS metric_place
            FROM leadanalytics.compare_campaigns_rows(allowed, range.starts, range.ends, keys, asked) r
        ), compared AS (
            SELECT f.place, json_build_object('campaign_id', f.campaign_id, 'campaign_name', f.campaign_name,
                                              'metrics', json_object_agg(f.metric, f.rate ORDER BY f.metric_place)) AS item
            FROM figures f GROUP BY f.place, f.campaign_id, f.campaign_name
        ), tested AS (
            SELECT m.metric_place, json_build_object('metric', m.metric, 'winner', s.winner, 'p_value', round(s.p_value::numeric, 4),
                                                     'is_significant', s.is_significant) AS item
            FROM (SELECT f.metric, f.metric_place, array_agg(f.part ORDER BY f.place) AS parts, array_agg(f.whole ORDER BY f.place) AS wholes
                  FROM figures f GROUP BY f.metric, f.metric_place) AS m,
                 leadanalytics.best_share(keys, m.parts, m.wholes, leadanalytics.is_lowest_best(m.metric)) s
        )
        SELECT json_build_object('comparison', (SELECT json_agg(c.item ORDER BY c.place) FROM compared c),
                                 'statistical_significance', (SELECT json_agg(t.item ORDER BY t.metric_place) FROM tested t)));
END
$$;
COMMENT ON FUNCTION leadanalytics.compare_campaigns(int, json, json, json, timestamptz) IS
    'two to five campaigns side by side, and for each rate which is best, if that is significant; LA404 CAMPAIGN_NOT_FOUND, LA400 VALIDATION_ERROR, INVALID_TIME_RANGE';
GRANT EXECUTE ON FUNCTION leadanalytics.compare_campaigns(int, json, json, json, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, rate_class, from_fold, summary, example, builtin) VALUES
    ('POST', '/api/v1/workspaces/:workspaceId/analytics/compare', 'leadanalytics.compare_campaigns', 'campaigns', '{tenant}', 'campaign_compare', true,
     'Campaigns side by side, and whether the best is better than chance',
     '{"comparison": [{"campaign_id": "cmp_abc123", "campaign_name": "Q4 Outreach", "metrics": {"open_rate": 35.5, "click_rate": 6.2, "reply_rate": 3.1, "delivery_rate": 98.5}}, '
     '{"campaign_id": "cmp_def456", "campaign_name": "Product Launch", "metrics": {"open_rate": 28.3, "click_rate": 4.8, "reply_rate": 2.2, "delivery_rate": 97.8}}], '
     '"statistical_significance": [{"metric": "open_rate", "winner": "cmp_abc123", "p_value": 0.03, "is_significant": true}]}', true);

INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, error, position, example, summary)
SELECT 'POST', '/api/v1/workspaces/:workspaceId/analytics/compare', p.*
FROM (VALUES
    ('workspaceId', 'path', 'workspace_slug', 'workspace', false, NULL, 0, 'acme', 'the workspace''s slug'),
    ('campaign_ids', 'body', 'campaign_ids', 'json', true, 'campaign_ids must be 2 to 5 different campaigns', 1, '["cmp_abc123", "cmp_def456"]', 'two to five campaigns'),
    ('time_range', 'body', 'time_range', 'json', false, NULL, 2, '"30d"', '7d, 30d (default), 90d: today and that many days before, in UTC; or {"start", "end"}, both inclusive'),
    ('metrics', 'body', 'metrics', 'json', false, NULL, 3, '["open_rate", "click_rate", "reply_rate", "delivery_rate"]',
     'delivery_rate, open_rate, click_rate, click_to_open_rate, reply_rate, bounce_rate, spam_rate, unsubscribe_rate; default: those of the example'))
    AS p (name, place, arg, type, required, error, position, example, summary);
