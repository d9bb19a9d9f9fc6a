-- GET /api/v1/workspace (S5-13), and the platforms a workspace is connected with.

CREATE VIEW leadanalytics.platforms WITH (security_barrier) AS
    SELECT p.workspace, p.provider, p.status, p.connected_at FROM leadanalytics.platform p WHERE leadanalytics.may(p.workspace);
COMMENT ON VIEW leadanalytics.platforms IS 'the platforms that workspaces are connected with, of those the caller may ask about';
GRANT SELECT ON leadanalytics.platforms TO leadanalytics_read;

CREATE FUNCTION leadanalytics.workspace_profile(workspace int)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT json_build_object(
        'id', w.slug, 'name', w.name, 'domain', w.domain, 'timezone', w.timezone,
        'connected_platforms', (SELECT coalesce(json_agg(json_build_object('provider', p.provider, 'status', p.status)
                                                         ORDER BY p.connected_at, p.provider), '[]')
                                FROM leadanalytics.platform p WHERE p.workspace = w.id),
        'plan', w.plan, 'created_at', leadanalytics.utc_seconds(w.created_at))
        FROM leadanalytics.workspace w WHERE w.id = leadanalytics.permitted(workspace_profile.workspace));
END
$$;
COMMENT ON FUNCTION leadanalytics.workspace_profile(int) IS 'a workspace, its platforms and plan, as GET /api/v1/workspace answers (S5-13); as rows: the views workspaces and platforms';
GRANT EXECUTE ON FUNCTION leadanalytics.workspace_profile(int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.put_platforms(workspace int, platforms json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    answer json;
    allowed int := leadanalytics.permitted(put_platforms.workspace);
BEGIN
    WITH given AS MATERIALIZED (
        SELECT i.index, i.item ->> 'provider' AS provider, coalesce(i.item ->> 'status', 'active') AS status,
               coalesce(leadanalytics.text_fault(i.item, 'provider', true, 63), leadanalytics.text_fault(i.item, 'status', false, 63),
                        CASE WHEN i.item ->> 'provider' !~ '^[a-z0-9][a-z0-9._-]*$' THEN 'Invalid provider'
                             WHEN i.item ->> 'status' !~ '^[a-z][a-z0-9_]*$' THEN 'Invalid status' END) AS error
        FROM leadanalytics.items(put_platforms.platforms) i
    ), written AS (
        INSERT INTO leadanalytics.platform AS p (workspace, provider, status, connected_at)
        SELECT DISTINCT ON (g.provider COLLATE "C") allowed, g.provider, g.status, put_platforms.now
        FROM given g WHERE g.error IS NULL ORDER BY g.provider COLLATE "C", g.index DESC
        ON CONFLICT (workspace, provider) DO UPDATE SET status = excluded.status WHERE p.status <> excluded.status
    )
    SELECT leadanalytics.accepted(array_agg(g.error ORDER BY g.index)) INTO answer FROM given g;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.put_platforms(int, json, timestamptz) IS
    'connect platforms, or say how the connections are: one {provider, status}, or an array of at most 1 000; status is active unless said';
GRANT EXECUTE ON FUNCTION leadanalytics.put_platforms(int, json, timestamptz) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.connect_platform(workspace int, provider text, status text DEFAULT 'active', now timestamptz DEFAULT now())
RETURNS json LANGUAGE sql VOLATILE AS $$
    SELECT leadanalytics.accepted_one(leadanalytics.put_platforms(workspace, json_build_object('provider', provider, 'status', status), now))
$$;
COMMENT ON FUNCTION leadanalytics.connect_platform(int, text, text, timestamptz) IS 'connect a platform (meta, google-ads, tiktok, shopify, stripe, …), or say how the connection is';
GRANT EXECUTE ON FUNCTION leadanalytics.connect_platform(int, text, text, timestamptz) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.set_platform_status(workspace int, provider text, status text)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM leadanalytics.platform p
    WHERE p.workspace = leadanalytics.permitted(set_platform_status.workspace) AND p.provider = set_platform_status.provider FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Platform not found' USING ERRCODE = 'LA404', HINT = 'leadanalytics.connect_platform() connects one.';
    END IF;
    RETURN leadanalytics.connect_platform(set_platform_status.workspace, set_platform_status.provider, set_platform_status.status);
END
$$;
COMMENT ON FUNCTION leadanalytics.set_platform_status(int, text, text) IS 'say how the connection with a platform is: active, or any other word';
GRANT EXECUTE ON FUNCTION leadanalytics.set_platform_status(int, text, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.disconnect_platform(workspace int, provider text)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM leadanalytics.platform p
    WHERE p.workspace = leadanalytics.permitted(disconnect_platform.workspace) AND p.provider = disconnect_platform.provider;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Platform not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.platforms.';
    END IF;
    RETURN json_build_object('deleted', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.disconnect_platform(int, text) IS 'forget the connection with a platform; what came of it stays';
GRANT EXECUTE ON FUNCTION leadanalytics.disconnect_platform(int, text) TO leadanalytics_admin;

INSERT INTO leadanalytics.route (method, path, function, family, roles, summary, example, builtin) VALUES
    ('GET', '/api/v1/workspace', 'leadanalytics.workspace_profile', 'public', '{sdk,agent}', 'The workspace, its connected platforms and its plan',
     '{"id": "abc123", "name": "My Site", "domain": "example.com", "timezone": "America/Chicago", "connected_platforms": [{"provider": "meta", "status": "active"}, {"provider": "google-ads", "status": "active"}, {"provider": "shopify", "status": "active"}, {"provider": "stripe", "status": "active"}], "plan": "growth_plan", "created_at": "2025-11-20T15:30:00Z"}', true),
    ('POST', '/api/v1/workspace/platforms', 'leadanalytics.put_platforms', 'public', '{admin}', 'Connect platforms, or say how the connections are',
     '{"accepted": 1, "rejected": []}', true),
    ('PATCH', '/api/v1/workspace/platforms/:provider', 'leadanalytics.set_platform_status', 'public', '{admin}', 'Say how the connection with a platform is',
     '{"accepted": 1, "rejected": []}', true),
    ('DELETE', '/api/v1/workspace/platforms/:provider', 'leadanalytics.disconnect_platform', 'public', '{admin}', 'Forget the connection with a platform',
     '{"deleted": true}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, max, error, position, example, summary) VALUES
    ('POST', '/api/v1/workspace/platforms', 'body', 'document', 'platforms', 'json', true, NULL, NULL, 'Invalid request body', 1,
     '{"provider": "google-ads", "status": "active"}', 'a platform {provider, status}, or an array of at most 1 000'),
    ('PATCH', '/api/v1/workspace/platforms/:provider', 'provider', 'path', 'provider', 'text', true, 1, 63, NULL, 1, 'google-ads', 'the platform'),
    ('PATCH', '/api/v1/workspace/platforms/:provider', 'status', 'body', 'status', 'text', true, 1, 63, NULL, 2, 'active', 'active, or any other word of a–z, 0–9 and _'),
    ('DELETE', '/api/v1/workspace/platforms/:provider', 'provider', 'path', 'provider', 'text', true, 1, 63, NULL, 1, 'google-ads', 'the platform');
