-- The file of an export and the link to it.
--
-- The link needs no key: whoever has it may read the file until it expires. Its signature is of this cluster and
-- database, too: a clone or a restored dump has the same rows, and still takes no link but its own.

CREATE FUNCTION leadanalytics.export_signature(secret text, workspace int, key text, expires bigint)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(leadanalytics.hmac_sha256(
        convert_to(concat_ws(' ', 'export', c.system_identifier, d.oid, workspace, key, expires), 'UTF8'), convert_to(secret, 'UTF8')), 'hex')
    FROM pg_catalog.pg_control_system() c, pg_catalog.pg_database d
    WHERE d.datname = pg_catalog.current_database()
$$;
COMMENT ON FUNCTION leadanalytics.export_signature(text, int, text, bigint) IS
    'what a link to an export is signed with: HMAC-SHA256, in hexadecimal digits, of this database, workspace, export and the link''s end (Unix seconds)';

-- Each family has a route of its own to the same files.
CREATE FUNCTION leadanalytics.export_url(export leadanalytics.export, family text)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('%s%s?expires=%s&signature=%s', current_setting('leadanalytics.public_url', true),
                  replace(replace(r.path, ':workspaceId', w.slug), ':exportId', (export).key), e.expires,
                  leadanalytics.export_signature((export).secret, (export).workspace, (export).key, e.expires))
    FROM leadanalytics.workspace w, leadanalytics.route r, (SELECT extract(epoch FROM (export).expires_at)::bigint) AS e (expires)
    WHERE w.id = (export).workspace AND r.function = 'leadanalytics.download_export' AND r.family = export_url.family
$$;
COMMENT ON FUNCTION leadanalytics.export_url(leadanalytics.export, text) IS 'the link to the file of a completed export, in a family''s paths';

CREATE FUNCTION leadanalytics.shown_export_url(export leadanalytics.export, family text)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT leadanalytics.export_url(export, family)
    WHERE (export).status = 'completed'
          AND (leadanalytics.sees_contacts((export).workspace) OR (export).options ->> 'role' = 'marketing'
               OR NOT coalesce((SELECT t.contacts FROM leadanalytics.export_type t WHERE t.name = (export).type), true))
$$;
COMMENT ON FUNCTION leadanalytics.shown_export_url(leadanalytics.export, text) IS
    'the link to a file for who asks: null before it is written, and for who sees contacts masked only when there may be any in it';

CREATE FUNCTION leadanalytics.export_bytes(workspace int, key text, starts bigint, ends bigint)
RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(substring(c.data FROM greatest(starts - c.n * 1048576::bigint, 0)::int + 1
                                                FOR (least(ends - c.n * 1048576::bigint, 1048576) - greatest(starts - c.n * 1048576::bigint, 0))::int),
                               '' ORDER BY c.n), '')
    FROM leadanalytics.export_chunk c
    WHERE c.workspace = export_bytes.workspace AND c.export = export_bytes.key
          AND c.n BETWEEN starts / 1048576 AND (ends - 1) / 1048576 AND starts < ends
$$;
COMMENT ON FUNCTION leadanalytics.export_bytes(int, text, bigint, bigint) IS 'bytes of the file of an export, from starts (0 is the first) to before ends';

CREATE FUNCTION leadanalytics.file_media_type(format text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE format WHEN 'csv' THEN 'text/csv; charset=utf-8' WHEN 'json' THEN 'application/json' WHEN 'html' THEN 'text/html; charset=utf-8' ELSE 'application/x-ndjson' END
$$;
COMMENT ON FUNCTION leadanalytics.file_media_type(text) IS 'the media type of an export''s file in a format';

-- One text for all that is wrong, so that nobody learns which exports there are.
CREATE FUNCTION leadanalytics.download_export(
    export_id text, workspace_slug text DEFAULT NULL, expires text DEFAULT NULL, signature text DEFAULT NULL, slice text DEFAULT NULL,
    now timestamptz DEFAULT now())
RETURNS leadanalytics.reply LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts CONSTANT text[] := regexp_match(slice, '^bytes=([0-9]{1,15})-([0-9]{1,15})$');
    until CONSTANT bigint := CASE WHEN expires ~ '^[0-9]{1,15}$' THEN expires::bigint ELSE 0 END;
    starts CONSTANT bigint := coalesce(parts[1]::bigint, 0);
    ends bigint;
    file leadanalytics.export;
BEGIN
    SELECT e.* INTO file
    FROM leadanalytics.export e JOIN leadanalytics.workspace w ON w.id = e.workspace
    WHERE (workspace_slug IS NULL OR w.slug = workspace_slug) AND e.key = export_id AND e.status = 'completed' AND e.expires_at > download_export.now;
    IF NOT FOUND OR until <= extract(epoch FROM download_export.now)
       OR NOT coalesce(leadanalytics.same_secret(convert_to(signature, 'UTF8'),
                           convert_to(leadanalytics.export_signature(file.secret, file.workspace, file.key, until), 'UTF8')), false) THEN
        PERFORM leadanalytics.fail(403, 'The link is not valid or has expired', 'FORBIDDEN');
    ELSIF starts >= file.size THEN
        PERFORM leadanalytics.fail(416, 'Range not satisfiable');
    END IF;
    ends := least(coalesce(parts[2]::bigint + 1, file.size), starts + 1048576, file.size);
    RETURN leadanalytics.reply(206,
        json_build_object('Content-Range', format('bytes %s-%s/%s', starts, ends - 1, file.size),
                          'Content-Disposition', format('attachment; filename="%s.%s"', file.key, file.format),
                          'ETag', format('"%s"', file.key)),
        leadanalytics.file_media_type(file.format),
        leadanalytics.export_bytes(file.workspace, file.key, starts, ends));
END
$$;
COMMENT ON FUNCTION leadanalytics.download_export(text, text, text, text, text, timestamptz) IS
    'a slice of the file of an export, 1 MiB at most, for whoever has the link';

INSERT INTO leadanalytics.route (method, path, function, family, roles, sliced, rate_class, summary, builtin)
SELECT 'GET', f.path, 'leadanalytics.download_export', f.family, '{public,marketing,capture,sdk,agent,live,sandbox,member,tenant}', true, f.rate_class,
       'The file of an export, by its link: no key is needed, the link is signed', true
FROM (VALUES ('campaigns', '/api/v1/workspaces/:workspaceId/analytics/exports/:exportId/download', 'campaign_export_status'),
             ('engagement', '/v1/analytics/exports/:exportId/download', NULL)) AS f (family, path, rate_class);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, position, example, summary)
SELECT r.method, r.path, p.*
FROM leadanalytics.route r
JOIN (VALUES
    ('workspaceId', 'path', 'workspace_slug', 'text', 0, 'acme', 'the workspace''s slug'),
    ('exportId', 'path', 'export_id', 'text', 1, 'exp_xyz123', 'the export'),
    ('expires', 'query', 'expires', 'text', 2, '1795000000', 'until when the link is good, Unix seconds'),
    ('signature', 'query', 'signature', 'text', 3, '5f2b', 'of the link')) AS p (name, place, arg, type, position, example, summary)
    ON p.place = 'query' OR strpos(r.path, ':' || p.name) > 0
WHERE r.function = 'leadanalytics.download_export';
