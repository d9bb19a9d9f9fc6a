-- Exports: files that a worker writes in the background and that a signed link hands out for a while, an hour mostly.
--
-- A kind of export is a row of export_type. Its function answers with flat records, as JSON objects that all have
-- the same members in the same order; what becomes of them (CSV, JSON, a record a line) is not its business. It
-- must be STABLE: then its records, however many, are of one moment. It runs as leadanalytics_owner for whatever
-- workspace the job says, so who may ask for what is checked before a job is queued, and options are made there,
-- never taken from a request as they come.
CREATE TABLE leadanalytics.export_type (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    function text NOT NULL CHECK (function ~ '^[^.]+\.[^.(]+$'),
    summary text NOT NULL,
    builtin boolean NOT NULL DEFAULT false,
    family text COLLATE "C" CHECK (family IN ('campaigns', 'engagement')),
    writes text[] COLLATE "C" NOT NULL DEFAULT '{}' CHECK (writes <@ '{csv,json,ndjson,html}'),
    contacts boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE leadanalytics.export_type IS 'kinds of exports: what a job''s records come from';
COMMENT ON COLUMN leadanalytics.export_type.family IS 'whose door asks for it, with options of its making; null: leadanalytics.queue_export() alone';
COMMENT ON COLUMN leadanalytics.export_type.writes IS
    'formats that its function writes itself: it answers with JSON strings, the pieces of the file as it is to be. html is one only for such types';
COMMENT ON COLUMN leadanalytics.export_type.contacts IS
    'whether there may be people''s contacts in its files: who sees those masked only gets no link to one (but to one whose options have the role marketing, which was asked as who sees them masked)';
COMMENT ON COLUMN leadanalytics.export_type.function IS
    'schema.name of a STABLE function (workspace int, options jsonb, now timestamptz) RETURNS SETOF json, which belongs to leadanalytics_owner or a superuser; now: when the export was asked for';

-- A job is processing until it is completed or failed. Which worker writes it is told by the lock on its row, so
-- a worker that ends in the middle leaves it free; attempts, counted before the work begins, keep one that
-- ends its worker from doing so for ever.
CREATE TABLE leadanalytics.export (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    key text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    format text COLLATE "C" NOT NULL CHECK (format IN ('csv', 'json', 'ndjson', 'html')),
    options jsonb NOT NULL DEFAULT '{}',
    status text COLLATE "C" NOT NULL DEFAULT 'processing' CHECK (status IN ('processing', 'completed', 'failed', 'expired')),
    attempts int NOT NULL DEFAULT 0,
    tried_at timestamptz,
    created_at timestamptz NOT NULL,
    completed_at timestamptz,
    expires_at timestamptz,
    size bigint,
    records bigint,
    error text,
    secret text NOT NULL,
    keep interval NOT NULL DEFAULT '1 hour' CHECK (keep > '0'),
    PRIMARY KEY (workspace, key),
    CONSTRAINT completed_has_a_file CHECK (status <> 'completed'
        OR (completed_at IS NOT NULL AND expires_at IS NOT NULL AND size IS NOT NULL AND records IS NOT NULL)),
    CONSTRAINT failed_has_a_reason CHECK ((status = 'failed') = (error IS NOT NULL))
);
COMMENT ON TABLE leadanalytics.export IS 'exports that were asked for: jobs, and what became of them';
COMMENT ON COLUMN leadanalytics.export.key IS 'what the interface calls it, exp_…';
COMMENT ON COLUMN leadanalytics.export.options IS 'what its type''s function gets';
COMMENT ON COLUMN leadanalytics.export.tried_at IS 'when the last attempt began';
COMMENT ON COLUMN leadanalytics.export.expires_at IS 'when its file goes';
COMMENT ON COLUMN leadanalytics.export.keep IS 'how long its file is there once it is written';
COMMENT ON COLUMN leadanalytics.export.size IS 'of the file, in bytes';
COMMENT ON COLUMN leadanalytics.export.error IS 'why it failed, as the client may read it';
COMMENT ON COLUMN leadanalytics.export.secret IS 'what its link is signed with';
CREATE INDEX export_by_status ON leadanalytics.export (status, created_at);
CREATE INDEX export_by_key ON leadanalytics.export (key);

-- Pieces of 1 MiB, the last one shorter: a slice of a download is one of them.
CREATE TABLE leadanalytics.export_chunk (
    workspace int NOT NULL,
    export text COLLATE "C" NOT NULL,
    n int NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (workspace, export, n),
    FOREIGN KEY (workspace, export) REFERENCES leadanalytics.export (workspace, key) ON DELETE CASCADE
);
ALTER TABLE leadanalytics.export_chunk ALTER data SET STORAGE EXTERNAL; -- a part of a piece is read without the rest
COMMENT ON TABLE leadanalytics.export_chunk IS 'the files of completed exports, in pieces of 1 MiB';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.export_type', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.export', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.export_chunk', '');
