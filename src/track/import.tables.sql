-- Imports of files: how far each has come.
CREATE SEQUENCE leadanalytics.import_id AS int;
CREATE TABLE leadanalytics.import (
    workspace int NOT NULL,
    id int NOT NULL,
    source text COLLATE "C" NOT NULL,
    format text NOT NULL CHECK (format IN ('log', 'csv')),
    lines bigint NOT NULL DEFAULT 0,
    digest uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    accepted bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    last_at timestamptz,
    started_at timestamptz NOT NULL,
    touched_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (workspace, id),
    CONSTRAINT import_source UNIQUE (workspace, source)
) WITH (fillfactor = 50);
COMMENT ON TABLE leadanalytics.import IS 'files that were imported, or are being: written by each chunk together with its events; the view leadanalytics.imports shows them';
COMMENT ON COLUMN leadanalytics.import.source IS 'what the file is known by; part of the event_ids of its lines';
COMMENT ON COLUMN leadanalytics.import.lines IS 'the number of the last line taken: it goes on behind it';
COMMENT ON COLUMN leadanalytics.import.digest IS 'of the lines taken: md5(digest of those before, line). It tells a file that has grown from another one';
COMMENT ON COLUMN leadanalytics.import.last_at IS 'the time of its latest event: how far the file''s own clock has come';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.import_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.import', '');
