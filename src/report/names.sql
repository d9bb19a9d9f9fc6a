-- GET /api/v1/event-names (S5-06): what was tracked in the last 30 days.

CREATE FUNCTION leadanalytics.event_names_rows(workspace int, now timestamptz DEFAULT now())
RETURNS TABLE (name text, category text, source text, events bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(event_names_rows.workspace);
BEGIN
    RETURN QUERY
    WITH origin AS (
        SELECT coalesce(t.parts[2], t.parts[1]) AS name, t.parts[1] AS source, sum(a.counts[1])::bigint AS n -- (other) has one part
        FROM leadanalytics.answer(allowed, '{origin}', ARRAY[event_names_rows.now - interval '30 days', event_names_rows.now + interval '1 microsecond'],
                                  event_names_rows.now, uniques => false) a
        JOIN leadanalytics.term t ON t.workspace = allowed AND t.id = a.value::int
        GROUP BY 1, 2
    ), named AS (
        SELECT DISTINCT ON (o.name) o.name, o.source, (sum(o.n) OVER (PARTITION BY o.name))::bigint AS n
        FROM origin o
        ORDER BY o.name, o.n DESC, o.source COLLATE "C"
    )
    SELECT n.name, coalesce(c.category, leadanalytics.default_category(n.name, n.source)), n.source, n.n
    FROM named n
    LEFT JOIN leadanalytics.event_category c ON c.workspace = allowed AND c.event_name = n.name
    ORDER BY n.n DESC, n.name COLLATE "C";
END
$$;
COMMENT ON FUNCTION leadanalytics.event_names_rows(int, timestamptz) IS
    'the names of the events of the last 30 days, the most frequent first: what such an event is (leadanalytics.set_event_category()), where most of them came from, and how many they are';
GRANT EXECUTE ON FUNCTION leadanalytics.event_names_rows(int, timestamptz) TO leadanalytics_read;

-- A platform's own events come from it or from its webhooks; the ads of Google are a part of google-ads.
CREATE FUNCTION leadanalytics.integrations_rows(workspace int, now timestamptz DEFAULT now())
RETURNS TABLE (provider text, events bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(integrations_rows.workspace);
BEGIN
    RETURN QUERY
    WITH told AS (
        SELECT regexp_replace(a.value, '-webhooks$', '') AS provider, sum(a.counts[1])::bigint AS n
        FROM leadanalytics.answer(allowed, '{source}', ARRAY[integrations_rows.now - interval '30 days', integrations_rows.now + interval '1 microsecond'],
                                  integrations_rows.now, uniques => false) a
        GROUP BY 1
    )
    SELECT p.provider, coalesce(t.n, 0)
    FROM leadanalytics.platform p
    LEFT JOIN told t ON t.provider = p.provider
    WHERE p.workspace = allowed AND (t.n > 0 OR CASE p.provider WHEN 'google-ads' THEN 'google' ELSE p.provider END = ANY (
        leadanalytics.ad_platforms(allowed, (integrations_rows.now AT TIME ZONE 'UTC' - interval '30 days')::date)))
    ORDER BY 2 DESC, p.connected_at, p.provider;
END
$$;
COMMENT ON FUNCTION leadanalytics.integrations_rows(int, timestamptz) IS
    'the connected platforms (leadanalytics.platforms) that told something in the last 30 days, events or figures of ads; those with the most events first';
GRANT EXECUTE ON FUNCTION leadanalytics.integrations_rows(int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.event_names(workspace int, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN json_build_object(
        'events', (SELECT coalesce(json_agg(json_build_object('name', n.name, 'category', n.category, 'source', n.source)), '[]')
                   FROM leadanalytics.event_names_rows(event_names.workspace, event_names.now) n),
        'integrations', (SELECT coalesce(json_agg(i.provider), '[]') FROM leadanalytics.integrations_rows(event_names.workspace, event_names.now) i));
END
$$;
COMMENT ON FUNCTION leadanalytics.event_names(int, timestamptz) IS 'event_names_rows() and integrations_rows() as GET /api/v1/event-names answers (S5-06)';
GRANT EXECUTE ON FUNCTION leadanalytics.event_names(int, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, summary, example, builtin) VALUES
    ('GET', '/api/v1/event-names', 'leadanalytics.event_names', 'public', '{sdk,agent}', true, 'The names of the events of the last 30 days, and the platforms that told something',
     '{"events": [{"name": "pageview", "category": "web", "source": "web"}, {"name": "purchase", "category": "conversion", "source": "shopify"}, {"name": "signup", "category": "conversion", "source": "web"}, {"name": "add_to_cart", "category": "ecommerce", "source": "web"}, {"name": "payment_intent.succeeded", "category": "payment", "source": "stripe-webhooks"}], "integrations": ["shopify", "stripe", "meta"]}', true);
