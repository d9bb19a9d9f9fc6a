-- Imports: see src/track/import.h for what a chunk is.

CREATE FUNCTION leadanalytics.import_lock(workspace int, source text)
RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT pg_catalog.hashtextextended(pg_catalog.format('leadanalytics.import %s %s', workspace, source), 0)
$$;
COMMENT ON FUNCTION leadanalytics.import_lock(int, text) IS 'the advisory lock of who imports this source';

CREATE FUNCTION leadanalytics.import_row(workspace int, source text, format text)
RETURNS leadanalytics.import LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    this leadanalytics.import;
BEGIN
    IF source IS NULL OR format IS NULL OR format NOT IN ('log', 'csv') THEN
        RAISE EXCEPTION 'an import has a source, and the format log or csv' USING ERRCODE = 'LA400', HINT = 'The source is any name of the file.';
    END IF;
    IF NOT pg_try_advisory_xact_lock(leadanalytics.import_lock(workspace, source)) THEN
        RAISE EXCEPTION 'this source is being imported by another session'
            USING ERRCODE = 'LA409', HINT = 'Wait until it has finished, or end that session: what it has imported so far stays.';
    END IF;
    SELECT i.* INTO this FROM leadanalytics.import i WHERE i.workspace = import_row.workspace AND i.source = import_row.source;
    IF NOT FOUND THEN
        INSERT INTO leadanalytics.import (workspace, id, source, format, started_at, touched_at)
        VALUES (workspace, nextval('leadanalytics.import_id'), source, format, now(), now())
        RETURNING * INTO this;
    ELSIF this.format <> format THEN
        RAISE EXCEPTION 'this source was imported as %, not as %', this.format, format
            USING ERRCODE = 'LA409', HINT = 'Another format needs another name of the source.';
    END IF;
    RETURN this;
END
$$;
COMMENT ON FUNCTION leadanalytics.import_row(int, text, text) IS
    'the row of the import of a source, made when there is none; nobody else imports it until the end of the transaction';

CREATE FUNCTION leadanalytics.import_json(import leadanalytics.import)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT pg_catalog.json_build_object('id', import.id, 'lines', import.lines, 'digest', pg_catalog.replace(import.digest::text, '-', ''),
        'accepted', import.accepted, 'duplicates', import.duplicates, 'rejected', import.rejected, 'finished_at', import.finished_at)
$$;
COMMENT ON FUNCTION leadanalytics.import_json(leadanalytics.import) IS 'what import_begin and import_finish answer';

CREATE FUNCTION leadanalytics.import_begin(workspace int, source text, format text DEFAULT 'log')
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
    this leadanalytics.import := leadanalytics.import_row(allowed, source, format);
BEGIN
    PERFORM pg_advisory_lock(leadanalytics.import_lock(allowed, source)); -- our transaction has it already
    RETURN leadanalytics.import_json(this);
END
$$;
COMMENT ON FUNCTION leadanalytics.import_begin(int, text, text) IS
    'begin or go on with the import of a file (format log or csv) by this database session alone, until import_finish() or the end of the session: '
    'its next chunk starts at the line after "lines". Optional: chunks find or make the import themselves';
GRANT EXECUTE ON FUNCTION leadanalytics.import_begin(int, text, text) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.import_finish(workspace int, source text)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
    -- by import_begin(), asked before we take the lock ourselves
    begun boolean := EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.pid = pg_backend_pid() AND l.objsubid = 1
                                 AND (l.classid::bigint << 32) | l.objid::bigint = leadanalytics.import_lock(allowed, source));
    this leadanalytics.import;
BEGIN
    IF NOT pg_try_advisory_xact_lock(leadanalytics.import_lock(allowed, source)) THEN
        RAISE EXCEPTION 'this source is being imported by another session' USING ERRCODE = 'LA409', HINT = 'That session finishes it.';
    END IF;
    UPDATE leadanalytics.import i SET finished_at = coalesce(i.finished_at, now()), touched_at = now()
    WHERE i.workspace = allowed AND i.source = import_finish.source
    RETURNING i.* INTO this;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Import not found' USING ERRCODE = 'LA404', HINT = 'leadanalytics.imports shows those there are.';
    END IF;
    IF begun THEN
        PERFORM pg_advisory_unlock(leadanalytics.import_lock(allowed, source));
    END IF;
    RETURN leadanalytics.import_json(this);
END
$$;
COMMENT ON FUNCTION leadanalytics.import_finish(int, text) IS
    'the file is in: idleness may close its sessions again. More lines later make the import go on. One that is never finished counts as given up a day after its last chunk';
GRANT EXECUTE ON FUNCTION leadanalytics.import_finish(int, text) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.import_log(workspace int, source text, first_line bigint, lines text[])
RETURNS json LANGUAGE c VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'la_track_import_log';
COMMENT ON FUNCTION leadanalytics.import_log(int, text, bigint, text[]) IS
    'store lines of a web server''s log in combined format: pages with GET and 2xx or 304 are page_view, all else is request; '
    'first_line is the number of the first of the lines in the file, source a name of the file: a line of the same source, number and text counts once. '
    'Chunks may have any size, in the order of the file, each in a transaction of its own';
GRANT EXECUTE ON FUNCTION leadanalytics.import_log(int, text, bigint, text[]) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.import_csv(workspace int, source text, header text, first_line bigint, rows text[])
RETURNS json LANGUAGE c VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'la_track_import_csv';
COMMENT ON FUNCTION leadanalytics.import_csv(int, text, text, bigint, text[]) IS
    'store rows of a CSV file (RFC 4180) as events: header is its first line, whose names are those an event has in JSON (event_name is needed), '
    'any other becomes a member of event_data; each of rows is a whole row, its line breaks included; the header counts as row 1. '
    'Times are believed as given, else the import''s start counts; source, chunks and counting once are those of import_log';
GRANT EXECUTE ON FUNCTION leadanalytics.import_csv(int, text, text, bigint, text[]) TO leadanalytics_write;

CREATE VIEW leadanalytics.imports WITH (security_barrier) AS
SELECT i.workspace, i.id, i.source, i.format, i.lines, i.accepted, i.duplicates, i.rejected, i.last_at, i.started_at, i.touched_at, i.finished_at
FROM leadanalytics.import i
WHERE i.workspace IN (SELECT w.id FROM leadanalytics.workspace w WHERE leadanalytics.may(w.id));
COMMENT ON VIEW leadanalytics.imports IS 'imports of files, of the workspaces the caller may ask about; finished_at is null while one goes on, or after it was cut off';
GRANT SELECT ON leadanalytics.imports TO leadanalytics_read;
