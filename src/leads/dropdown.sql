-- Choices that forms and filters offer (S1-50 … S1-54).

CREATE FUNCTION leadanalytics.option_json(o leadanalytics.dropdown_option)
RETURNS json LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.json_build_object('id', o.id, 'kind', o.kind, 'value', o.value, 'label', o.label, 'sort_order', o.sort_order)
$$;
COMMENT ON FUNCTION leadanalytics.option_json(leadanalytics.dropdown_option) IS 'an option as the dashboard reads it';

CREATE FUNCTION leadanalytics.dropdown_options(workspace int, kind text DEFAULT NULL, as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.require_contacts(workspace, as_role);
BEGIN
    RETURN (
        SELECT coalesce(json_object_agg(k.kind, (
                   SELECT coalesce(json_agg(leadanalytics.option_json(o) ORDER BY o.sort_order, o.label COLLATE "C", o.id), '[]')
                   FROM leadanalytics.dropdown_option o WHERE o.workspace = allowed AND o.kind = k.kind) ORDER BY k.n), '{}')
        FROM unnest('{source,country,project,city}'::text[]) WITH ORDINALITY AS k (kind, n)
        WHERE coalesce(dropdown_options.kind, '') = '' OR k.kind = dropdown_options.kind);
END
$$;
COMMENT ON FUNCTION leadanalytics.dropdown_options(int, text, text) IS 'the options by kind: source, country, project, city, or that one only';
GRANT EXECUTE ON FUNCTION leadanalytics.dropdown_options(int, text, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.dropdown_option(workspace int, option_id bigint, as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.require_contacts(workspace, as_role);
    answer json := (SELECT leadanalytics.option_json(o) FROM leadanalytics.dropdown_option o WHERE o.workspace = allowed AND o.id = option_id);
BEGIN
    IF answer IS NULL THEN
        RAISE EXCEPTION 'Option not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.dropdown_options().';
    END IF;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.dropdown_option(int, bigint, text) IS 'an option, or 404';
GRANT EXECUTE ON FUNCTION leadanalytics.dropdown_option(int, bigint, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.create_dropdown_option(
    workspace int,
    kind text,
    value text,
    label text DEFAULT NULL,
    sort_order int DEFAULT 0,
    as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made leadanalytics.dropdown_option;
BEGIN
    INSERT INTO leadanalytics.dropdown_option AS o (workspace, kind, value, label, sort_order)
    VALUES (leadanalytics.require_contacts(create_dropdown_option.workspace, as_role), create_dropdown_option.kind,
            create_dropdown_option.value, coalesce(create_dropdown_option.label, create_dropdown_option.value),
            coalesce(create_dropdown_option.sort_order, 0))
    RETURNING o.* INTO made;
    RETURN leadanalytics.option_json(made);
EXCEPTION
    WHEN unique_violation THEN
        RAISE EXCEPTION 'Option already exists' USING ERRCODE = 'LA400', HINT = 'leadanalytics.update_dropdown_option() changes it.';
    WHEN check_violation THEN
        RAISE EXCEPTION 'Invalid kind' USING ERRCODE = 'LA400', HINT = 'source, country, project or city.';
    WHEN not_null_violation THEN
        RAISE EXCEPTION '% is required', CASE WHEN kind IS NULL THEN 'kind' ELSE 'value' END USING ERRCODE = 'LA400';
END
$$;
COMMENT ON FUNCTION leadanalytics.create_dropdown_option(int, text, text, text, int, text) IS 'add an option; 400 when the kind has that value already';
GRANT EXECUTE ON FUNCTION leadanalytics.create_dropdown_option(int, text, text, text, int, text) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.update_dropdown_option(
    workspace int,
    option_id bigint,
    value text DEFAULT NULL,
    label text DEFAULT NULL,
    sort_order int DEFAULT NULL,
    as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.require_contacts(workspace, as_role);
    changed leadanalytics.dropdown_option;
BEGIN
    IF value IS NULL AND label IS NULL AND sort_order IS NULL THEN
        RAISE EXCEPTION 'Invalid request body' USING ERRCODE = 'LA400', HINT = 'Say at least one of value, label and sort_order.';
    END IF;
    UPDATE leadanalytics.dropdown_option o
    SET value = coalesce(update_dropdown_option.value, o.value),
        label = coalesce(update_dropdown_option.label, o.label),
        sort_order = coalesce(update_dropdown_option.sort_order, o.sort_order)
    WHERE o.workspace = allowed AND o.id = option_id
    RETURNING o.* INTO changed;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Option not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.dropdown_options().';
    END IF;
    RETURN leadanalytics.option_json(changed);
EXCEPTION
    WHEN unique_violation THEN
        RAISE EXCEPTION 'Option already exists' USING ERRCODE = 'LA400', HINT = 'Another option of the kind has that value.';
END
$$;
COMMENT ON FUNCTION leadanalytics.update_dropdown_option(int, bigint, text, text, int, text) IS 'change what is said of an option; 404, or 400 when another of the kind has that value';
GRANT EXECUTE ON FUNCTION leadanalytics.update_dropdown_option(int, bigint, text, text, int, text) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.delete_dropdown_option(workspace int, option_id bigint, as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM leadanalytics.dropdown_option o
    WHERE o.workspace = leadanalytics.require_contacts(delete_dropdown_option.workspace, as_role) AND o.id = option_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Option not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.dropdown_options().';
    END IF;
    RETURN json_build_object('deleted', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_dropdown_option(int, bigint, text) IS 'delete an option, or 404';
GRANT EXECUTE ON FUNCTION leadanalytics.delete_dropdown_option(int, bigint, text) TO leadanalytics_write;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, success, summary, example, builtin) VALUES
    ('GET', '/analytics/dropdown-options', 'leadanalytics.dropdown_options', 'dashboard', '{admin}', true, 200, 'Options by kind',
     '{"source": [{"id": 1, "kind": "source", "value": "Website", "label": "Website", "sort_order": 0}], "country": [], "project": [], "city": []}', true),
    ('POST', '/analytics/dropdown-options', 'leadanalytics.create_dropdown_option', 'dashboard', '{admin}', true, 201, 'Add an option',
     '{"id": 1, "kind": "source", "value": "Website", "label": "Website", "sort_order": 0}', true),
    ('GET', '/analytics/dropdown-options/:id', 'leadanalytics.dropdown_option', 'dashboard', '{admin}', true, 200, 'An option',
     '{"id": 1, "kind": "source", "value": "Website", "label": "Website", "sort_order": 0}', true),
    ('PATCH', '/analytics/dropdown-options/:id', 'leadanalytics.update_dropdown_option', 'dashboard', '{admin}', true, 200, 'Change an option',
     '{"id": 1, "kind": "source", "value": "Website", "label": "Web site", "sort_order": 0}', true),
    ('DELETE', '/analytics/dropdown-options/:id', 'leadanalytics.delete_dropdown_option', 'dashboard', '{admin}', true, 200, 'Delete an option',
     '{"deleted": true}', true);
-- With kind there is only that one.
UPDATE leadanalytics.route SET open_members = '{source,country,project,city}' WHERE function = 'leadanalytics.dropdown_options';

INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, max, choices, lenient, error, position, example, summary) VALUES
    ('GET', '/analytics/dropdown-options', 'kind', 'query', 'kind', 'text', false, NULL, NULL, NULL, true, NULL, 1, 'source', 'source, country, project or city'),
    ('POST', '/analytics/dropdown-options', 'kind', 'body', 'kind', 'text', true, NULL, NULL, '{source,country,project,city}', false, NULL, 1, 'source', 'source, country, project or city'),
    ('POST', '/analytics/dropdown-options', 'value', 'body', 'value', 'text', true, 1, 200, NULL, false, NULL, 2, 'Website', 'what is stored'),
    ('POST', '/analytics/dropdown-options', 'label', 'body', 'label', 'text', false, 1, 200, NULL, false, NULL, 3, 'Website', 'what is shown; the value when missing'),
    ('POST', '/analytics/dropdown-options', 'sort_order', 'body', 'sort_order', 'int', false, NULL, NULL, NULL, false, NULL, 4, '0', 'its place'),
    ('GET', '/analytics/dropdown-options/:id', 'id', 'path', 'option_id', 'bigint', true, 1, NULL, NULL, false, 'Invalid option id', 1, '1', 'the option'),
    ('PATCH', '/analytics/dropdown-options/:id', 'id', 'path', 'option_id', 'bigint', true, 1, NULL, NULL, false, 'Invalid option id', 1, '1', 'the option'),
    ('PATCH', '/analytics/dropdown-options/:id', 'value', 'body', 'value', 'text', false, 1, 200, NULL, false, NULL, 2, 'Website', 'what is stored'),
    ('PATCH', '/analytics/dropdown-options/:id', 'label', 'body', 'label', 'text', false, 1, 200, NULL, false, NULL, 3, 'Web site', 'what is shown'),
    ('PATCH', '/analytics/dropdown-options/:id', 'sort_order', 'body', 'sort_order', 'int', false, NULL, NULL, NULL, false, NULL, 4, '0', 'its place'),
    ('DELETE', '/analytics/dropdown-options/:id', 'id', 'path', 'option_id', 'bigint', true, 1, NULL, NULL, false, 'Invalid option id', 1, '1', 'the option');
