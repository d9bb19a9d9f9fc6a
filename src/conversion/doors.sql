-- Doors for what reports go by: event categories, rates of exchange, conversion rules (CONTRACT section 0).

CREATE FUNCTION leadanalytics.put_event_categories(workspace int, categories json)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    answer json;
    allowed int := leadanalytics.permitted(put_event_categories.workspace);
BEGIN
    WITH given AS MATERIALIZED (
        SELECT i.index, i.item ->> 'event_name' AS event_name, i.item ->> 'category' AS category,
               coalesce(leadanalytics.text_fault(i.item, 'event_name', true, 200), leadanalytics.text_fault(i.item, 'category', false, 63),
                        CASE WHEN i.item ->> 'category' !~ '^[a-z][a-z0-9_]*$' THEN 'Invalid category' END) AS error
        FROM leadanalytics.items(put_event_categories.categories) i
    ), last AS MATERIALIZED (
        SELECT DISTINCT ON (g.event_name COLLATE "C") g.* FROM given g WHERE g.error IS NULL ORDER BY g.event_name COLLATE "C", g.index DESC
    ), taken_back AS (
        DELETE FROM leadanalytics.event_category c USING last l WHERE c.workspace = allowed AND c.event_name = l.event_name AND l.category IS NULL
    ), written AS (
        INSERT INTO leadanalytics.event_category AS c (workspace, event_name, category)
        SELECT allowed, l.event_name, l.category FROM last l WHERE l.category IS NOT NULL ORDER BY l.event_name COLLATE "C"
        ON CONFLICT (workspace, event_name) DO UPDATE SET category = excluded.category WHERE c.category <> excluded.category
    )
    SELECT leadanalytics.accepted(array_agg(g.error ORDER BY g.index)) INTO answer FROM given g;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.put_event_categories(int, json) IS
    'say what events are: one {event_name, category}, or an array of at most 1 000; category null or absent: as leadanalytics.default_category() has it';
GRANT EXECUTE ON FUNCTION leadanalytics.put_event_categories(int, json) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.list_event_categories(workspace int)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM leadanalytics.permitted(list_event_categories.workspace);
    RETURN (SELECT coalesce(json_agg(json_build_object('event_name', c.event_name, 'category', c.category) ORDER BY c.event_name), '[]')
            FROM leadanalytics.event_category c WHERE c.workspace = list_event_categories.workspace);
END
$$;
COMMENT ON FUNCTION leadanalytics.list_event_categories(int) IS 'what a workspace says its events are, by name, for the door';

CREATE FUNCTION leadanalytics.put_fx_rates(workspace int, rates json)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    answer json;
    allowed int := leadanalytics.permitted(put_fx_rates.workspace);
BEGIN
    WITH given AS MATERIALIZED (
        SELECT i.index, upper(i.item ->> 'currency') AS currency, leadanalytics.day_value(i.item -> 'day') AS day,
               leadanalytics.number_value(i.item -> 'rate') AS rate,
               coalesce(leadanalytics.text_fault(i.item, 'currency', true, 3), leadanalytics.text_fault(i.item, 'day', true, 10),
                        CASE WHEN upper(i.item ->> 'currency') !~ '^[A-Z]{3}$' THEN 'Invalid currency'
                             WHEN leadanalytics.day_value(i.item -> 'day') IS NULL THEN 'Invalid day' END,
                        leadanalytics.number_fault(i.item -> 'rate', 'rate', 1e-12, 999999999)) AS error
        FROM leadanalytics.items(put_fx_rates.rates) i
    ), last AS MATERIALIZED (
        SELECT DISTINCT ON (g.currency COLLATE "C", g.day) g.* FROM given g WHERE g.error IS NULL ORDER BY g.currency COLLATE "C", g.day, g.index DESC
    ), taken_back AS (
        DELETE FROM leadanalytics.fx_rate r USING last l WHERE r.workspace = allowed AND r.currency = l.currency AND r.day = l.day AND l.rate IS NULL
    ), written AS (
        INSERT INTO leadanalytics.fx_rate AS r (workspace, currency, day, rate)
        SELECT allowed, l.currency, l.day, l.rate FROM last l WHERE l.rate IS NOT NULL ORDER BY l.currency COLLATE "C", l.day
        ON CONFLICT (workspace, currency, day) DO UPDATE SET rate = excluded.rate WHERE r.rate <> excluded.rate
    )
    SELECT leadanalytics.accepted(array_agg(g.error ORDER BY g.index)) INTO answer FROM given g;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.put_fx_rates(int, json) IS
    'say rates of exchange: one {currency, day, rate}, or an array of at most 1 000: what one unit is worth in the workspace''s currency; rate null or absent: taken back';
GRANT EXECUTE ON FUNCTION leadanalytics.put_fx_rates(int, json) TO leadanalytics_admin;

INSERT INTO leadanalytics.route (method, path, function, family, summary, example, builtin) VALUES
    ('GET', '/api/v1/workspace/event-categories', 'leadanalytics.list_event_categories', 'public', 'What the workspace says its events are',
     '[{"event_name": "trial", "category": "conversion"}]', true),
    ('POST', '/api/v1/workspace/event-categories', 'leadanalytics.put_event_categories', 'public', 'Say what events are; a category that is null is taken back',
     '{"accepted": 1, "rejected": []}', true),
    ('POST', '/api/v1/workspace/fx-rates', 'leadanalytics.put_fx_rates', 'public', 'Say rates of exchange; a rate that is null is taken back',
     '{"accepted": 1, "rejected": []}', true),
    ('GET', '/api/v1/workspace/conversion-rules', 'leadanalytics.list_conversion_rules', 'public', 'The conversion rules',
     '[{"name": "Purchases to Meta", "trigger_event": "purchase", "platform": "meta", "platform_event": "Purchase", "value_path": "order.total", "active": true}]', true),
    ('POST', '/api/v1/workspace/conversion-rules', 'leadanalytics.put_conversion_rules', 'public', 'Make conversion rules, or write them anew',
     '{"accepted": 1, "rejected": []}', true),
    ('PATCH', '/api/v1/workspace/conversion-rules/:name', 'leadanalytics.change_conversion_rule', 'public', 'Change members of a conversion rule',
     '{"accepted": 1, "rejected": []}', true),
    ('DELETE', '/api/v1/workspace/conversion-rules/:name', 'leadanalytics.delete_conversion_rule', 'public', 'Delete a conversion rule',
     '{"deleted": true}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, max, error, position, example, summary) VALUES
    ('POST', '/api/v1/workspace/event-categories', 'body', 'document', 'categories', 'json', true, NULL, NULL, 'Invalid request body', 1,
     '{"event_name": "trial", "category": "conversion"}', 'an event {event_name, category}, or an array of at most 1 000'),
    ('POST', '/api/v1/workspace/fx-rates', 'body', 'document', 'rates', 'json', true, NULL, NULL, 'Invalid request body', 1,
     '{"currency": "EUR", "day": "2026-03-16", "rate": 1.09}', 'a rate {currency, day, rate}, or an array of at most 1 000'),
    ('POST', '/api/v1/workspace/conversion-rules', 'body', 'document', 'rules', 'json', true, NULL, NULL, 'Invalid request body', 1,
     '{"name": "Purchases to Meta", "trigger_event": "purchase", "platform": "meta", "platform_event": "Purchase", "value_path": "order.total"}',
     'a rule {name, trigger_event, platform, platform_event, value_path, active}, or an array of at most 1 000'),
    ('PATCH', '/api/v1/workspace/conversion-rules/:name', 'name', 'path', 'name', 'text', true, 1, 200, NULL, 1, 'Purchases to Meta', 'the rule''s name'),
    ('PATCH', '/api/v1/workspace/conversion-rules/:name', 'body', 'document', 'changes', 'json', true, NULL, NULL, 'Invalid request body', 2,
     '{"active": false}', 'what is to change'),
    ('DELETE', '/api/v1/workspace/conversion-rules/:name', 'name', 'path', 'name', 'text', true, 1, 200, NULL, 1, 'Purchases to Meta', 'the rule''s name');

-- D-53: without a rate a conversion counts with value 0. The newest events tell what goes on; more of them would cost more.
CREATE FUNCTION leadanalytics.conversion_status()
RETURNS SETOF leadanalytics.status_line LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT 'rates of workspace ' || w.slug,
           format('%s of the newest events are conversions in %s without a rate, and count with value 0', sum(l.n), array_to_string((array_agg(l.currency ORDER BY l.n DESC, l.currency))[1:5], ', ')),
           format('SELECT leadanalytics.set_fx_rate(%s, %L, current_date, …);', w.id, min(l.currency))
    FROM (
        SELECT e.workspace, e.currency, count(*) AS n
        FROM (
            SELECT e.workspace, e.name, e.at, CASE WHEN btrim(e.data ->> 'currency') ~ '^[A-Za-z]{3}$' THEN upper(btrim(e.data ->> 'currency')) ELSE 'no code' END AS currency
            FROM (SELECT * FROM leadanalytics.event e ORDER BY e.id DESC LIMIT 20000) AS e
            WHERE NOT e.is_bot AND e.at > now() - interval '30 days' AND btrim(e.data ->> 'currency') <> ''
        ) AS e
        JOIN leadanalytics.workspace w ON w.id = e.workspace AND w.currency <> e.currency
        JOIN leadanalytics.term t ON t.workspace = e.workspace AND t.id = e.name
        WHERE t.parts[1] IN (SELECT leadanalytics.conversion_names(e.workspace))
          AND leadanalytics.conversion_rate(e.workspace, e.currency, (e.at AT TIME ZONE w.timezone)::date) IS NULL
        GROUP BY e.workspace, e.currency
    ) AS l
    JOIN leadanalytics.workspace w ON w.id = l.workspace AND leadanalytics.may(l.workspace)
    GROUP BY w.id, w.slug;
END
$$;
COMMENT ON FUNCTION leadanalytics.conversion_status() IS 'conversions among the 20 000 newest events whose currency had no rate, for leadanalytics.status()';
INSERT INTO leadanalytics.status_source VALUES ('conversion', 'leadanalytics.conversion_status');
