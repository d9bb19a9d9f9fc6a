-- The file that goes with a mail.

CREATE FUNCTION leadanalytics.mail_attachment(
    workspace int, export text, now timestamptz, OUT file_name text, OUT file_type text, OUT data bytea, OUT note text, OUT fault text, OUT final boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    most CONSTANT bigint := pg_size_bytes(coalesce(current_setting('leadanalytics.mail_attachment', true), '10MB'));
    file leadanalytics.export := leadanalytics.find_export(workspace, export, now);
BEGIN
    final := file.status IS DISTINCT FROM 'processing';
    CASE coalesce(file.status, 'gone')
        WHEN 'completed' THEN
            IF file.size > most THEN
                note := format(E'The file has %s bytes, which is too much for a mail. Until %s it is here:\n%s', file.size, leadanalytics.utc_seconds(file.expires_at),
                               leadanalytics.export_url(file, coalesce((SELECT t.family FROM leadanalytics.export_type t WHERE t.name = file.type), 'engagement')));
            ELSE
                file_name := format('%s.%s', file.key, file.format);
                file_type := CASE file.format WHEN 'csv' THEN 'text/csv; charset=utf-8' WHEN 'json' THEN 'application/json' ELSE 'application/x-ndjson' END;
                data := leadanalytics.export_bytes(file.workspace, file.key, 0, file.size);
            END IF;
        WHEN 'processing' THEN fault := format('its file is not ready: export %s', export);
        WHEN 'failed' THEN fault := format('there is no file: export %s failed: %s', export, file.error);
        WHEN 'expired' THEN fault := format('its file is gone: export %s has expired', export);
        ELSE fault := format('its file is gone: there is no export %s', export);
    END CASE;
END
$$;
COMMENT ON FUNCTION leadanalytics.mail_attachment(int, text, timestamptz) IS
    'the file that goes with a mail; one larger than leadanalytics.mail_attachment does not, and a note says where it is; fault: why there is none, final: for good';
