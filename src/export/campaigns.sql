-- S4-06 and S4-07: asking for an export and asking after it.

CREATE FUNCTION leadanalytics.ask_export(
    workspace int, export_type text, format text DEFAULT 'csv', time_range json DEFAULT NULL, campaign_ids json DEFAULT NULL,
    include_time_series boolean DEFAULT false, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    most CONSTANT bigint := 10000000; -- records: some 3 GB
    range record;
    campaigns int[];
BEGIN
    IF coalesce(NOT EXISTS (SELECT FROM leadanalytics.export_type t WHERE t.name = export_type AND t.family = 'campaigns'), true) THEN
        PERFORM leadanalytics.fail(400, 'Invalid export_type', 'VALIDATION_ERROR');
    ELSIF coalesce(format NOT IN ('csv', 'json', 'ndjson'), true) THEN
        PERFORM leadanalytics.fail(400, 'Invalid format', 'VALIDATION_ERROR');
    END IF;
    SELECT * INTO range FROM leadanalytics.campaign_period_json(time_range, ask_export.now);
    IF coalesce(json_typeof(campaign_ids), 'null') <> 'null' THEN
        IF json_typeof(campaign_ids) <> 'array' OR json_array_length(campaign_ids) = 0
           OR EXISTS (SELECT FROM json_array_elements(campaign_ids) i WHERE json_typeof(i) <> 'string') THEN
            PERFORM leadanalytics.fail(400, 'Invalid campaign_ids', 'VALIDATION_ERROR');
        END IF;
        campaigns := ARRAY(SELECT DISTINCT leadanalytics.campaign_number(allowed, k.key) FROM json_array_elements_text(campaign_ids) AS k (key));
    END IF;
    IF include_time_series THEN
        PERFORM leadanalytics.aggregation_level(range.starts, range.ends, 'UTC', 'day'); -- is it too long?
        IF most < extract(epoch FROM range.ends - range.starts) / 86400
                  * coalesce(cardinality(campaigns), (SELECT count(*) FROM leadanalytics.campaign c WHERE c.workspace = allowed)) THEN
            PERFORM leadanalytics.fail(400, 'Range is too long for so many campaigns', 'VALIDATION_ERROR');
        END IF;
    END IF;
    RETURN json_build_object(
        'export_id', leadanalytics.queue_export(allowed, export_type, ask_export.format,
            jsonb_build_object('starts', range.starts, 'ends', range.ends, 'campaigns', campaigns, 'time_series', coalesce(include_time_series, false)), ask_export.now),
        'status', 'processing',
        'estimated_completion', leadanalytics.utc_seconds(ask_export.now + interval '5 minutes'),
        'download_url', NULL);
END
$$;
COMMENT ON FUNCTION leadanalytics.ask_export(int, text, text, json, json, boolean, timestamptz) IS
    'S4-06: ask for an export of a time (null: the last 30 days) and of campaigns by their keys (null: all), with a record a day on demand; leadanalytics.get_export() tells what became of it';
GRANT EXECUTE ON FUNCTION leadanalytics.ask_export(int, text, text, json, json, boolean, timestamptz) TO leadanalytics_write;

INSERT INTO leadanalytics.route (method, path, function, family, roles, idempotent, rate_class, summary, example, builtin) VALUES
    ('POST', '/api/v1/workspaces/:workspaceId/analytics/export', 'leadanalytics.ask_export', 'campaigns', '{tenant}', true, 'campaign_export',
     'Ask for an export, which the worker writes', '{
    "export_id": "exp_xyz123",
    "status": "processing",
    "estimated_completion": "2025-11-26T10:05:00Z",
    "download_url": null
  }', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, choices, position, example, summary)
SELECT 'POST', '/api/v1/workspaces/:workspaceId/analytics/export', p.*
FROM (VALUES
    ('workspaceId', 'path', 'workspace_slug', 'workspace', false, NULL::text[], 0, 'acme', 'the workspace''s slug'),
    ('export_type', 'body', 'export_type', 'text', true, '{campaign_performance,workspace_overview,deliverability,engagement_heatmap}', 1, 'campaign_performance', 'what of'),
    ('format', 'body', 'format', 'text', false, '{csv,json,ndjson}', 2, 'csv', 'how'),
    ('time_range', 'body', 'time_range', 'json', false, NULL, 3, '"30d"', '"7d", "30d", "90d", or {"start": …, "end": …}'),
    ('campaign_ids', 'body', 'campaign_ids', 'json', false, NULL, 4, '["cmp_abc123"]', 'of which campaigns; absent: of all'),
    ('include_time_series', 'body', 'include_time_series', 'boolean', false, NULL, 5, 'true', 'with a record a day')) AS p;

CREATE FUNCTION leadanalytics.get_export(workspace int, export_id text, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    e leadanalytics.export;
BEGIN
    e := leadanalytics.find_export(allowed, export_id, get_export.now);
    IF e.key IS NULL THEN
        PERFORM leadanalytics.fail_unknown(allowed, 'Export', export_id);
    ELSIF e.status = 'failed' THEN
        PERFORM leadanalytics.fail(422, 'Failed to generate export: ' || e.error, 'EXPORT_FAILED');
    END IF;
    RETURN json_build_object(
        'export_id', e.key,
        'status', e.status,
        'format', e.format,
        'file_size_bytes', e.size,
        'created_at', leadanalytics.utc_seconds(e.created_at),
        'completed_at', leadanalytics.utc_seconds(e.completed_at),
        'download_url', leadanalytics.shown_export_url(e, 'campaigns'),
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
