-- S4-06 and S4-07.

CREATE FUNCTION leadanalytics.get_export(workspace int, export_id text, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    e leadanalytics.export;
BEGIN
    SELECT x.* INTO e FROM leadanalytics.export x WHERE x.workspace = leadanalytics.permitted(get_export.workspace) AND x.key = export_id;
    IF NOT FOUND THEN
        PERFORM leadanalytics.fail(404, format('Export with ID %s not found in workspace %s', export_id,
            (SELECT w.slug FROM leadanalytics.workspace w WHERE w.id = get_export.workspace)), 'EXPORT_NOT_FOUND');
    ELSIF e.status = 'failed' THEN
        PERFORM leadanalytics.fail(422, 'Failed to generate export: ' || e.error, 'EXPORT_FAILED');
    END IF;
    -- Whether or not the worker has removed the file.
    IF e.status = 'completed' AND e.expires_at <= get_export.now THEN
        e.status := 'expired';
    END IF;
    RETURN json_build_object(
        'export_id', e.key,
        'status', e.status,
        'format', e.format,
        'file_size_bytes', e.size,
        'created_at', leadanalytics.utc_seconds(e.created_at),
        'completed_at', leadanalytics.utc_seconds(e.completed_at),
        'download_url', CASE WHEN e.status = 'completed' THEN leadanalytics.export_url(e) END,
        'expires_at', leadanalytics.utc_seconds(e.expires_at));
END
$$;
COMMENT ON FUNCTION leadanalytics.get_export(int, text, timestamptz) IS
    'S4-07: how an export is, and the link to its file; LA404 EXPORT_NOT_FOUND; LA422 EXPORT_FAILED with the reason when it failed';
GRANT EXECUTE ON FUNCTION leadanalytics.get_export(int, text, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, rate_class, summary, example, builtin) VALUES
    ('GET', '/api/v1/workspaces/:workspaceId/analytics/exports/:exportId', 'leadanalytics.get_export', 'campaigns', '{tenant}', 'campaign_export_status',
     'How an export is, and the link to its file', '{
    "export_id": "exp_xyz123",
    "status": "completed",
    "format": "csv",
    "file_size_bytes": 524288,
    "created_at": "2025-11-26T10:00:00Z",
    "completed_at": "2025-11-26T10:03:00Z",
    "download_url": "https://s3.amazonaws.com/exports/exp_xyz123.csv?expires=3600",
    "expires_at": "2025-11-26T11:03:00Z"
  }', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, position, example, summary) VALUES
    ('GET', '/api/v1/workspaces/:workspaceId/analytics/exports/:exportId', 'workspaceId', 'path', 'workspace_slug', 'workspace', 0, 'acme', 'the workspace''s slug'),
    ('GET', '/api/v1/workspaces/:workspaceId/analytics/exports/:exportId', 'exportId', 'path', 'export_id', 'text', 1, 'exp_xyz123', 'the export');
