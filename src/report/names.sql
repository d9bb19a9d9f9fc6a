-- GET /api/v1/event-names (S5-06): what was tracked in the last 30 days.

CREATE FUNCTION leadanalytics.event_origins(workspace int, now timestamptz)
RETURNS leadanalytics.event_origin[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(
        SELECT (coalesce(t.parts[2], t.parts[1]), t.parts[1], a.counts[1])::leadanalytics.event_origin -- (other) has one part
        FROM leadanalytics.answer(workspace, '{origin}', ARRAY[event_origins.now - interval '30 days', event_origins.now + interval '1 microsecond'],
                                  event_origins.now, uniques => false) a
        JOIN leadanalytics.term t ON t.workspace = event_origins.workspace AND t.id = a.value::int);
END
$$;
COMMENT ON FUNCTION leadanalytics.event_origins(int, timestamptz) IS 'the names of the events of the last 30 days with their sources, and how many of each there were; for reports';

CREATE FUNCTION leadanalytics.names_of(workspace int, origins leadanalytics.event_origin[])
RETURNS TABLE (name text, category text, source text, events bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT n.name, coalesce(c.category, leadanalytics.default_category(n.name, n.source)), n.source, n.events
    FROM (SELECT DISTINCT ON (o.name) o.name, o.source, (sum(o.events) OVER (PARTITION BY o.name))::bigint AS events
          FROM unnest(origins) o
          ORDER BY o.name, o.events DESC, o.source) AS n
    LEFT JOIN leadanalytics.event_category c ON c.workspace = names_of.workspace AND c.event_name = n.name
    ORDER BY n.events DESC, n.name;
END
$$;
COMMENT ON FUNCTION leadanalytics.names_of(int, leadanalytics.event_origin[]) IS 'for leadanalytics.event_names_rows()';

-- A platform's own events come from it or from its webhooks. Which platforms have figures of ads is asked once, if at all.
CREATE FUNCTION leadanalytics.integrations_of(workspace int, origins leadanalytics.event_origin[], now timestamptz)
RETURNS TABLE (provider text, events bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT p.provider, coalesce(t.events, 0)
    FROM leadanalytics.platform p
    LEFT JOIN (SELECT regexp_replace(o.source, '-webhooks$', '') AS provider, sum(o.events)::bigint AS events
               FROM unnest(origins) o GROUP BY 1) AS t ON t.provider = p.provider
    LEFT JOIN leadanalytics.ad_sources() s ON s.provider = p.provider
    WHERE p.workspace = integrations_of.workspace
      AND (t.events > 0 OR coalesce(s.platform, p.provider) = ANY (
               (SELECT leadanalytics.ad_platforms(integrations_of.workspace, (integrations_of.now AT TIME ZONE 'UTC' - interval '30 days')::date))::text[]))
    ORDER BY 2 DESC, p.connected_at, p.provider;
END
$$;
COMMENT ON FUNCTION leadanalytics.integrations_of(int, leadanalytics.event_origin[], timestamptz) IS 'for leadanalytics.integrations_rows()';

CREATE FUNCTION leadanalytics.event_names_rows(workspace int, now timestamptz DEFAULT now())
RETURNS TABLE (name text, category text, source text, events bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(event_names_rows.workspace);
BEGIN
    RETURN QUERY SELECT * FROM leadanalytics.names_of(allowed, leadanalytics.event_origins(allowed, event_names_rows.now));
END
$$;
COMMENT ON FUNCTION leadanalytics.event_names_rows(int, timestamptz) IS
    'the names of the events of the last 30 days, the most frequent first: what such an event is (leadanalytics.set_event_category()), where most of them came from, and how many they are';
GRANT EXECUTE ON FUNCTION leadanalytics.event_names_rows(int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.integrations_rows(workspace int, now timestamptz DEFAULT now())
RETURNS TABLE (provider text, events bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(integrations_rows.workspace);
BEGIN
    RETURN QUERY SELECT * FROM leadanalytics.integrations_of(allowed, leadanalytics.event_origins(allowed, integrations_rows.now), integrations_rows.now);
END
$$;
COMMENT ON FUNCTION leadanalytics.integrations_rows(int, timestamptz) IS
    'the connected platforms (leadanalytics.platforms) that told something in the last 30 days, events or figures of ads; those with the most events first';
GRANT EXECUTE ON FUNCTION leadanalytics.integrations_rows(int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.event_names(workspace int, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(event_names.workspace);
    origins CONSTANT leadanalytics.event_origin[] := leadanalytics.event_origins(allowed, event_names.now);
BEGIN
    RETURN json_build_object(
        'events', (SELECT coalesce(json_agg(json_build_object('name', n.name, 'category', n.category, 'source', n.source)), '[]')
                   FROM leadanalytics.names_of(allowed, origins) n),
        'integrations', (SELECT coalesce(json_agg(i.provider), '[]') FROM leadanalytics.integrations_of(allowed, origins, event_names.now) i));
END
$$;
COMMENT ON FUNCTION leadanalytics.event_names(int, timestamptz) IS 'event_names_rows() and integrations_rows() as GET /api/v1/event-names answers (S5-06)';
GRANT EXECUTE ON FUNCTION leadanalytics.event_names(int, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, summary, example, builtin) VALUES
    ('GET', '/api/v1/event-names', 'leadanalytics.event_names', 'public', '{sdk,agent}', true, 'The names of the events of the last 30 days, and the platforms that told something',
     '{"events": [{"name": "pageview", "category": "web", "source": "web"}, {"name": "purchase", "category": "conversion", "source": "shopify"}, {"name": "signup", "category": "conversion", "source": "web"}, {"name": "add_to_cart", "category": "ecommerce", "source": "web"}, {"name": "payment_intent.succeeded", "category": "payment", "source": "stripe-webhooks"}], "integrations": ["shopify", "stripe", "meta"]}', true);
