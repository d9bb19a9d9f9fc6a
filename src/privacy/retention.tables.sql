-- How long a workspace keeps what.

-- What can go, one row a kind, in the order in which it goes. Built in, not dumped.
CREATE TABLE leadanalytics.retention_kind (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z][a-z_]{0,62}$'),
    place smallint NOT NULL UNIQUE,
    function text,
    relation text,
    condition text,
    action text,
    setting text,
    summary text NOT NULL,
    CHECK ((function IS NULL) = (relation IS NOT NULL AND condition IS NOT NULL))
);
COMMENT ON TABLE leadanalytics.retention_kind IS 'kinds of data that leadanalytics.set_retention() can limit';
COMMENT ON COLUMN leadanalytics.retention_kind.function IS
    'takes out some thousands of a workspace''s that are older than a midnight (UTC): (workspace int, before timestamptz) RETURNS bigint, how many, 0: none is left, null: some could not go yet';
COMMENT ON COLUMN leadanalytics.retention_kind.relation IS 'without a function: the table whose rows go';
COMMENT ON COLUMN leadanalytics.retention_kind.condition IS 'which of its rows t, $2 being the midnight';
COMMENT ON COLUMN leadanalytics.retention_kind.action IS 'what they are set to; null: they are deleted';
COMMENT ON COLUMN leadanalytics.retention_kind.setting IS 'says how long workspaces keep it that do not say themselves; null: for ever';

CREATE TABLE leadanalytics.retention (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    kind text COLLATE "C" NOT NULL,
    keep interval NOT NULL CONSTRAINT keep_is_in_days CHECK (keep = '0' OR (keep BETWEEN '1 day' AND '36500 days' AND date_trunc('day', keep) = keep)),
    PRIMARY KEY (workspace, kind)
);
COMMENT ON TABLE leadanalytics.retention IS 'how long a workspace keeps its data of a kind, where it says so';
COMMENT ON COLUMN leadanalytics.retention.keep IS '0: for ever';

CREATE TABLE leadanalytics.retention_run (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    kind text COLLATE "C" NOT NULL,
    night date,
    tried_at timestamptz,
    error text,
    PRIMARY KEY (workspace, kind)
);
COMMENT ON TABLE leadanalytics.retention_run IS 'how far leadanalytics.expire_due() came';
COMMENT ON COLUMN leadanalytics.retention_run.night IS 'the last day (UTC) at whose 03:00, or after it, all that was old had gone';
COMMENT ON COLUMN leadanalytics.retention_run.tried_at IS 'when it was found that not all can go yet, or an error; an hour later it is tried again';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.retention', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.retention_run', '');
