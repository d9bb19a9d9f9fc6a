-- GET and PATCH /api/v1/workspace/retention: how long a workspace keeps what.

CREATE FUNCTION leadanalytics.workspace_retention(workspace int)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN json_build_object('retention', (
        SELECT json_agg(json_build_object('kind', r.kind, 'keep_days', (extract(epoch FROM r.keep) / 86400)::int, 'is_own', r.is_own, 'description', r.summary) ORDER BY r.place)
        FROM leadanalytics.retention_of(leadanalytics.permitted(workspace_retention.workspace)) r));
END
$$;
COMMENT ON FUNCTION leadanalytics.workspace_retention(int) IS
    'how long a workspace keeps what, in days (a month of the setting is 30, null: for ever), and whether it says so itself; as rows: the view retentions';
GRANT EXECUTE ON FUNCTION leadanalytics.workspace_retention(int) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.put_retention(workspace int, kind text, keep_days int DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM leadanalytics.set_retention(put_retention.workspace, put_retention.kind, make_interval(days => put_retention.keep_days), put_retention.now);
    RETURN leadanalytics.accepted('{NULL}');
END
$$;
COMMENT ON FUNCTION leadanalytics.put_retention(int, text, int, timestamptz) IS 'leadanalytics.set_retention() by days';
GRANT EXECUTE ON FUNCTION leadanalytics.put_retention(int, text, int, timestamptz) TO leadanalytics_admin;

INSERT INTO leadanalytics.route (method, path, function, family, summary, example, builtin) VALUES
    ('GET', '/api/v1/workspace/retention', 'leadanalytics.workspace_retention', 'public', 'How long the workspace keeps what',
     (SELECT json_build_object('retention', json_agg(json_build_object('kind', k.name, 'keep_days', CASE k.name WHEN 'events' THEN 90 END, 'is_own', k.name = 'events', 'description', k.summary)
                                                     ORDER BY k.place)) FROM leadanalytics.retention_kind k), true),
    ('PATCH', '/api/v1/workspace/retention', 'leadanalytics.put_retention', 'public', 'Say how long the workspace keeps its data of a kind',
     '{"accepted": 1, "rejected": []}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, max, position, example, summary) VALUES
    ('PATCH', '/api/v1/workspace/retention', 'kind', 'body', 'kind', 'text', true, 1, 63, 1, 'events', 'what, as GET lists it'),
    ('PATCH', '/api/v1/workspace/retention', 'keep_days', 'body', 'keep_days', 'int', false, 0, 36500, 2, '90',
     'older data go, for good, from the next 03:00 UTC on; 0: none; absent: as workspaces do that do not say');
