-- Plans: what a workspace may use in a month, and which routes its keys open (D-74).

INSERT INTO leadanalytics.plan (name, builtin) VALUES ('default', true);

CREATE VIEW leadanalytics.plans WITH (security_barrier) AS
    SELECT p.name, p.events_limit, p.postbacks_limit, p.features, p.builtin, p.api_limit FROM leadanalytics.plan p;
COMMENT ON VIEW leadanalytics.plans IS 'the plans; a limit that is null is none, features that are null are all';
GRANT SELECT ON leadanalytics.plans TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.create_plan(
    name text, events_limit bigint DEFAULT NULL, postbacks_limit bigint DEFAULT NULL, features text[] DEFAULT NULL, api_limit bigint DEFAULT 999999)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unknown text := (SELECT f.name FROM unnest(create_plan.features) AS f (name)
                     WHERE NOT EXISTS (SELECT FROM leadanalytics.route r WHERE r.feature = f.name) LIMIT 1);
BEGIN
    IF unknown IS NOT NULL OR array_position(create_plan.features, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'there is no feature "%"', coalesce(unknown, 'null') USING ERRCODE = 'invalid_parameter_value',
            HINT = format('Features are those of routes: %s.', (SELECT string_agg(DISTINCT r.feature, ', ' ORDER BY r.feature) FROM leadanalytics.route r));
    END IF;
    INSERT INTO leadanalytics.plan AS p (name, events_limit, postbacks_limit, features, api_limit)
    VALUES (create_plan.name, create_plan.events_limit, create_plan.postbacks_limit, create_plan.features, create_plan.api_limit)
    ON CONFLICT ON CONSTRAINT plan_pkey DO UPDATE
    SET events_limit = excluded.events_limit, postbacks_limit = excluded.postbacks_limit, features = excluded.features, api_limit = excluded.api_limit
    WHERE NOT p.builtin;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'plan "%" is built in', create_plan.name USING ERRCODE = 'invalid_parameter_value', HINT = 'Choose another name.';
    END IF;
EXCEPTION WHEN check_violation OR not_null_violation THEN
    RAISE EXCEPTION 'invalid name or limit of a plan' USING ERRCODE = 'invalid_parameter_value',
        HINT = 'The name: 1 to 63 of A–Z, a–z, 0–9, _ and -, not beginning with _ or -. A limit: from 0, null: none, but api_limit is a number.';
END
$$;
COMMENT ON FUNCTION leadanalytics.create_plan(text, bigint, bigint, text[], bigint) IS
    'make a plan, or write it anew for all workspaces that have it: events and postbacks of a month (null: any number), features (null: all), and requests of the engagement family in a month';
GRANT EXECUTE ON FUNCTION leadanalytics.create_plan(text, bigint, bigint, text[], bigint) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.drop_plan(name text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM leadanalytics.plan p WHERE p.name = drop_plan.name AND NOT p.builtin;
    RETURN FOUND;
EXCEPTION WHEN foreign_key_violation THEN
    RAISE EXCEPTION 'plan "%" is a workspace''s', drop_plan.name USING ERRCODE = 'foreign_key_violation',
        HINT = 'leadanalytics.set_plan() gives it another: SELECT slug FROM leadanalytics.workspaces WHERE plan = …';
END
$$;
COMMENT ON FUNCTION leadanalytics.drop_plan(text) IS 'delete a plan that no workspace has; false when there is none, or it is built in';
GRANT EXECUTE ON FUNCTION leadanalytics.drop_plan(text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.set_plan(workspace int, plan text, events_limit bigint DEFAULT NULL, postbacks_limit bigint DEFAULT NULL)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM leadanalytics.permitted(set_plan.workspace);
    UPDATE leadanalytics.workspace w
    SET plan = coalesce(set_plan.plan, 'default'), events_limit = set_plan.events_limit, postbacks_limit = set_plan.postbacks_limit
    WHERE w.id = set_plan.workspace;
    RETURN leadanalytics.accepted('{NULL}');
EXCEPTION
    WHEN foreign_key_violation THEN
        RAISE EXCEPTION 'Plan not found' USING ERRCODE = 'LA404', HINT = 'leadanalytics.create_plan() makes one.';
    WHEN check_violation THEN
        RAISE EXCEPTION 'Invalid limit' USING ERRCODE = 'LA400', HINT = 'From 0; null: the plan''s.';
END
$$;
COMMENT ON FUNCTION leadanalytics.set_plan(int, text, bigint, bigint) IS
    'give a workspace a plan, and limits of its own in place of the plan''s (null: the plan''s); keys see it with their next request';
GRANT EXECUTE ON FUNCTION leadanalytics.set_plan(int, text, bigint, bigint) TO leadanalytics_admin;

INSERT INTO leadanalytics.route (method, path, function, family, summary, example, builtin) VALUES
    ('PATCH', '/api/v1/workspace/plan', 'leadanalytics.set_plan', 'public', 'Give the workspace a plan, and limits of its own in place of the plan''s',
     '{"accepted": 1, "rejected": []}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, max, position, example, summary) VALUES
    ('PATCH', '/api/v1/workspace/plan', 'plan', 'body', 'plan', 'text', true, 1, 63, 1, 'default', 'the plan''s name'),
    ('PATCH', '/api/v1/workspace/plan', 'events_limit', 'body', 'events_limit', 'bigint', false, 0, 9007199254740991, 2, '100000',
     'events of a month instead of the plan''s; absent: the plan''s'),
    ('PATCH', '/api/v1/workspace/plan', 'postbacks_limit', 'body', 'postbacks_limit', 'bigint', false, 0, 9007199254740991, 3, '5000',
     'postbacks of a month instead of the plan''s; absent: the plan''s');
