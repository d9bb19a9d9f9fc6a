-- Conversion rules (D-74): which events an ad platform is told of, and what it is told.

CREATE FUNCTION leadanalytics.conversion_rule_changed()
RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'la_conversion_rule_changed';
COMMENT ON FUNCTION leadanalytics.conversion_rule_changed() IS 'tell every session to look at the rules again';
CREATE TRIGGER conversion_rule_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadanalytics.conversion_rule
    FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.conversion_rule_changed();

-- Of what is no ASCII nothing is decoded: click ids have none, and an address may say bytes that are no text.
CREATE FUNCTION leadanalytics.url_decoded(part text)
RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT string_agg(CASE WHEN r.m[1] ~ '^%.' THEN chr(('x' || substr(r.m[1], 2))::bit(8)::int) ELSE r.m[1] END, '' ORDER BY r.n)
    FROM regexp_matches(part, '%[2-7][0-9A-Fa-f]|[^%]+|%', 'g') WITH ORDINALITY AS r (m, n)
$$;
COMMENT ON FUNCTION leadanalytics.url_decoded(text) IS 'a part of an address with its %xx of ASCII decoded';

CREATE FUNCTION leadanalytics.write_postbacks(workspace int, ids bigint[], first timestamptz, last timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO leadanalytics.outbox (workspace, topic, created_at, body)
    SELECT e.workspace, 'conversion.postback', e.received_at, json_build_object(
        'rule', r.name, 'platform', r.platform, 'platform_event', r.platform_event,
        'event_id', coalesce(e.event_id::text, 'evt_' || e.id), 'event_name', r.trigger_event,
        'timestamp', leadanalytics.utc_milliseconds(e.at), 'received_at', leadanalytics.utc_milliseconds(e.received_at),
        'value', CASE WHEN r.value_path IS NULL THEN leadanalytics.conversion_value(e.data)
                      ELSE leadanalytics.money(e.data #> string_to_array(r.value_path, '.')) END,
        'currency', coalesce(nullif(upper(btrim(e.data ->> 'currency')), ''), w.currency),
        'visitor_id', v.visitor_id, 'user_id', coalesce(root.user_id, p.user_id), 'email', coalesce(root.email, p.email, v.email),
        'session_id', coalesce(s.session_id, s.number::text), 'page_url', page.parts[1],
        -- as it was said, or as it stands in the address of the page, or of the visit's first page
        'click_id', coalesce((SELECT e.data ->> n.name FROM unnest(click.names) AS n (name) WHERE e.data ->> n.name <> '' LIMIT 1),
                             leadanalytics.url_decoded(substring(page.parts[1] FROM '[?&](?:' || array_to_string(click.names, '|') || ')=([^&#]+)')),
                             leadanalytics.url_decoded(substring(entry.parts[1] FROM '[?&](?:' || array_to_string(click.names, '|') || ')=([^&#]+)'))),
        'click_id_type', click.type,
        'utm_source', coalesce(own.parts[1], visit.parts[1]), 'utm_medium', coalesce(own.parts[2], visit.parts[2]),
        'utm_campaign', coalesce(own.parts[3], visit.parts[3]))
    FROM leadanalytics.event e
    JOIN leadanalytics.workspace w ON w.id = e.workspace
    JOIN leadanalytics.term name ON name.workspace = e.workspace AND name.id = e.name
    JOIN leadanalytics.conversion_rule r ON r.workspace = e.workspace AND r.active AND r.trigger_event = name.parts[1]
    LEFT JOIN leadanalytics.visitor v ON v.workspace = e.workspace AND v.number = e.visitor
    LEFT JOIN leadanalytics.person p ON p.workspace = e.workspace AND p.number = coalesce(e.person, v.person)
    LEFT JOIN leadanalytics.person root ON root.workspace = p.workspace AND root.number = p.alias_of
    LEFT JOIN leadanalytics.session s ON s.workspace = e.workspace AND s.number = e.session
    LEFT JOIN leadanalytics.term page ON page.workspace = e.workspace AND page.id = e.page
    LEFT JOIN leadanalytics.term own ON own.workspace = e.workspace AND own.id = e.campaign
    LEFT JOIN leadanalytics.term visit ON visit.workspace = e.workspace AND visit.id = s.campaign
    LEFT JOIN leadanalytics.term entry ON entry.workspace = s.workspace AND entry.id = s.entry_page
    CROSS JOIN LATERAL (
        SELECT t.type, leadanalytics.click_id_names(t.type) AS names
        FROM (SELECT coalesce(own.parts[6], visit.parts[6])) AS t (type)) AS click
    WHERE e.id = ANY (ids) AND e.at BETWEEN first AND last AND e.workspace = write_postbacks.workspace
    ORDER BY e.id, r.name;
END
$$;
COMMENT ON FUNCTION leadanalytics.write_postbacks(int, bigint[], timestamptz, timestamptz) IS
    'write what the rules tell of these events, whose times are from first to last, into the outbox: topic conversion.postback, a row for each rule an event triggers';

INSERT INTO leadanalytics.topic (name, summary, example, builtin) VALUES
    ('conversion.postback', 'an event triggered a conversion rule; only webhooks of the rule''s platform are told of it',
     '{"rule": "Purchases to Meta", "platform": "meta", "platform_event": "Purchase", "event_id": "22222222-2222-4222-8222-222222222222", "event_name": "purchase",
       "timestamp": "2026-02-09T10:30:00.000Z", "received_at": "2026-02-09T10:30:01.000Z", "value": 99.5, "currency": "USD", "visitor_id": "abc123", "user_id": null,
       "email": "ann@example.com", "session_id": "session_123", "page_url": "https://example.com/thanks", "click_id": "IwAR-1_x", "click_id_type": "fbclid",
       "utm_source": "fb", "utm_medium": "paid", "utm_campaign": "spring"}', true);

CREATE VIEW leadanalytics.conversion_rules WITH (security_barrier) AS
    SELECT r.workspace, r.name, r.trigger_event, r.platform, r.platform_event, r.value_path, r.active
    FROM leadanalytics.conversion_rule r WHERE leadanalytics.may(r.workspace);
COMMENT ON VIEW leadanalytics.conversion_rules IS 'the conversion rules of the workspaces the caller may ask about';
GRANT SELECT ON leadanalytics.conversion_rules TO leadanalytics_read;

CREATE FUNCTION leadanalytics.put_conversion_rules(workspace int, rules json)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    answer json;
    allowed int := leadanalytics.permitted(put_conversion_rules.workspace);
BEGIN
    WITH given AS MATERIALIZED (
        SELECT i.index, i.item ->> 'name' AS name, i.item ->> 'trigger_event' AS trigger_event, i.item ->> 'platform' AS platform,
               i.item ->> 'platform_event' AS platform_event, nullif(i.item ->> 'value_path', '') AS value_path,
               coalesce(i.item ->> 'active', 'true') AS active,
               coalesce(leadanalytics.text_fault(i.item, 'name', true, 200), leadanalytics.text_fault(i.item, 'trigger_event', true, 200),
                        leadanalytics.text_fault(i.item, 'platform', true, 63), leadanalytics.text_fault(i.item, 'platform_event', true, 200),
                        leadanalytics.text_fault(i.item, 'value_path', false, 200),
                        CASE WHEN i.item ->> 'platform' !~ '^[a-z0-9][a-z0-9._-]*$' THEN 'Invalid platform'
                             WHEN i.item ->> 'value_path' !~ '^([^.]+(\.[^.]+)*)?$' THEN 'Invalid value_path'
                             WHEN json_typeof(i.item -> 'active') NOT IN ('boolean', 'null') THEN 'Invalid active' END) AS error
        FROM leadanalytics.items(put_conversion_rules.rules) i
    ), written AS (
        INSERT INTO leadanalytics.conversion_rule AS r (workspace, name, trigger_event, platform, platform_event, value_path, active)
        SELECT DISTINCT ON (g.name COLLATE "C") allowed, g.name, g.trigger_event, g.platform, g.platform_event, g.value_path, g.active::boolean
        FROM given g WHERE g.error IS NULL ORDER BY g.name COLLATE "C", g.index DESC
        ON CONFLICT (workspace, name) DO UPDATE SET trigger_event = excluded.trigger_event, platform = excluded.platform,
            platform_event = excluded.platform_event, value_path = excluded.value_path, active = excluded.active
    )
    SELECT leadanalytics.accepted(array_agg(g.error ORDER BY g.index)) INTO answer FROM given g;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.put_conversion_rules(int, json) IS
    'make conversion rules, or write them anew: one {name, trigger_event, platform, platform_event, value_path, active}, or an array of at most 1 000; '
    'active unless said otherwise; value_path: where in event_data the value is (order.total), absent: value, revenue or amount';
GRANT EXECUTE ON FUNCTION leadanalytics.put_conversion_rules(int, json) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.put_conversion_rule(
    workspace int, name text, trigger_event text, platform text, platform_event text, value_path text DEFAULT NULL, active boolean DEFAULT true)
RETURNS json LANGUAGE sql VOLATILE AS $$
    SELECT leadanalytics.accepted_one(leadanalytics.put_conversion_rules(workspace, json_build_object('name', name,
        'trigger_event', trigger_event, 'platform', platform, 'platform_event', platform_event, 'value_path', value_path, 'active', active)))
$$;
COMMENT ON FUNCTION leadanalytics.put_conversion_rule(int, text, text, text, text, text, boolean) IS 'make a conversion rule, or write it anew';
GRANT EXECUTE ON FUNCTION leadanalytics.put_conversion_rule(int, text, text, text, text, text, boolean) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.change_conversion_rule(workspace int, name text, changes json)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old json;
    said jsonb;
BEGIN
    BEGIN
        said := CASE WHEN json_typeof(changes) = 'object' THEN changes::jsonb END;
    EXCEPTION WHEN data_exception THEN -- numbers and texts that only json takes
    END;
    IF said IS NULL THEN
        RAISE EXCEPTION 'Invalid request body' USING ERRCODE = 'LA400', HINT = 'An object of what is to change.';
    ELSIF said ->> 'active' IS NULL THEN
        said := said - 'active'; -- null is as good as absent
    END IF;
    SELECT row_to_json(r) INTO old FROM leadanalytics.conversion_rule r
    WHERE r.workspace = leadanalytics.permitted(change_conversion_rule.workspace) AND r.name = change_conversion_rule.name FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Conversion rule not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.conversion_rules.';
    END IF;
    RETURN leadanalytics.accepted_one(leadanalytics.put_conversion_rules(change_conversion_rule.workspace,
        (old::jsonb || said || jsonb_build_object('name', change_conversion_rule.name))::json));
END
$$;
COMMENT ON FUNCTION leadanalytics.change_conversion_rule(int, text, json) IS 'change members of a conversion rule: {"active": false}; what is absent stays as it is';
GRANT EXECUTE ON FUNCTION leadanalytics.change_conversion_rule(int, text, json) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.delete_conversion_rule(workspace int, name text)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM leadanalytics.conversion_rule r
    WHERE r.workspace = leadanalytics.permitted(delete_conversion_rule.workspace) AND r.name = delete_conversion_rule.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Conversion rule not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.conversion_rules.';
    END IF;
    RETURN json_build_object('deleted', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_conversion_rule(int, text) IS 'delete a conversion rule; what it wrote into the outbox stays';
GRANT EXECUTE ON FUNCTION leadanalytics.delete_conversion_rule(int, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.list_conversion_rules(workspace int)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM leadanalytics.permitted(list_conversion_rules.workspace);
    RETURN (SELECT coalesce(json_agg(json_build_object('name', r.name, 'trigger_event', r.trigger_event, 'platform', r.platform,
                'platform_event', r.platform_event, 'value_path', r.value_path, 'active', r.active) ORDER BY r.name), '[]')
            FROM leadanalytics.conversion_rule r WHERE r.workspace = list_conversion_rules.workspace);
END
$$;
COMMENT ON FUNCTION leadanalytics.list_conversion_rules(int) IS 'the conversion rules of a workspace, by name, for the door; as rows: the view conversion_rules';
