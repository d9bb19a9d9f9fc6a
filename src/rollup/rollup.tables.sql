-- The engine's state: the ledgers of what is not folded yet, and the segments of what is.
--
-- Facts never change: an event, a session's opening, a session's end. Whoever adds one adds a row of a ledger in
-- the same transaction; the fold deletes that row and adds the fact to the segments of every bucket that has
-- been made of its time, in one transaction; a reader adds the facts of the ledger rows that it sees. Time of
-- which no bucket has been made is read from the rows themselves: so a ledger row of such a time is deleted and
-- that is all.

CREATE TABLE leadanalytics.ledger (
    since timestamptz NOT NULL DEFAULT now(),
    workspace int NOT NULL,
    leaf date NOT NULL,
    id_from bigint NOT NULL,
    id_to bigint NOT NULL,
    n int NOT NULL CHECK (n > 0),
    at_min timestamptz NOT NULL,
    at_max timestamptz NOT NULL,
    used_in date NOT NULL DEFAULT date_trunc('month', now() AT TIME ZONE 'UTC'),
    used int NOT NULL DEFAULT 0,
    CHECK (id_from >> 10 = id_to >> 10)
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.0);
CREATE INDEX ledger_by_workspace ON leadanalytics.ledger (workspace, id_from);
COMMENT ON TABLE leadanalytics.ledger IS
    'what is not folded yet: one row per statement that added events, workspace, leaf and block of ids. '
    'Invariant: the events with id from id_from to id_to and at from at_min to at_max are n, all of this workspace and leaf, '
    'and no other row, earlier or later, names any of them (ids between may be missing: duplicates draw an id too)';
COMMENT ON COLUMN leadanalytics.ledger.since IS 'when the transaction began that added them';
COMMENT ON COLUMN leadanalytics.ledger.leaf IS 'the first day of the leaf''s month (UTC)';

COMMENT ON COLUMN leadanalytics.ledger.used_in IS 'the month (UTC) they were received in';
COMMENT ON COLUMN leadanalytics.ledger.used IS 'how many of them are use of the workspace''s plan: they move to leadanalytics.usage_month when the row goes';

CREATE SEQUENCE leadanalytics.session_ledger_id;
CREATE TABLE leadanalytics.session_ledger (
    since timestamptz NOT NULL DEFAULT now(),
    id bigint NOT NULL DEFAULT nextval('leadanalytics.session_ledger_id'),
    workspace int NOT NULL,
    closed boolean NOT NULL,
    numbers bigint[] NOT NULL,
    number_from bigint GENERATED ALWAYS AS (numbers[1]) STORED,
    number_to bigint GENERATED ALWAYS AS (numbers[array_length(numbers, 1)]) STORED,
    PRIMARY KEY (workspace, id)
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.0);
COMMENT ON TABLE leadanalytics.session_ledger IS 'sessions that were opened (closed false) or closed, and are not folded yet as such';
COMMENT ON COLUMN leadanalytics.session_ledger.numbers IS 'of leadanalytics.session, of one statement, ascending; no other row of the same kind names any of them';

CREATE TABLE leadanalytics.rollup_state (
    workspace int PRIMARY KEY,
    version bigint NOT NULL DEFAULT 0,
    day date,
    day_events bigint NOT NULL DEFAULT 0,
    built_to timestamptz,
    built_zone text,
    fold_failures int NOT NULL DEFAULT 0,
    fold_after timestamptz,
    fold_error text
) WITH (fillfactor = 50);
COMMENT ON TABLE leadanalytics.rollup_state IS 'how far each workspace is folded; who folds or builds buckets of a workspace holds its row';
COMMENT ON COLUMN leadanalytics.rollup_state.version IS 'counts the changes of its buckets: whoever waited with an older snapshot fails instead of writing by it';
COMMENT ON COLUMN leadanalytics.rollup_state.day IS 'the latest day (UTC) with folded events';
COMMENT ON COLUMN leadanalytics.rollup_state.day_events IS 'how many events of that day were folded';
COMMENT ON COLUMN leadanalytics.rollup_state.built_to IS 'days and months that end before are made of what had been folded, or too small to be';
COMMENT ON COLUMN leadanalytics.rollup_state.built_zone IS 'the workspace''s zone at that time: of another one the days and months are still to be made';
COMMENT ON COLUMN leadanalytics.rollup_state.fold_failures IS 'folds of this workspace that failed since the last good one';
COMMENT ON COLUMN leadanalytics.rollup_state.fold_after IS 'not tried again by itself before';

CREATE TABLE leadanalytics.bucket (
    workspace int NOT NULL,
    grain "char" NOT NULL CHECK (grain IN ('q', 'd', 'w', 'm')),
    zone text COLLATE "C" NOT NULL,
    starts timestamptz NOT NULL,
    ends timestamptz NOT NULL CHECK (ends > starts),
    PRIMARY KEY (workspace, starts, grain, zone)
);
COMMENT ON TABLE leadanalytics.bucket IS
    'the times that segments stand for: all folded facts of a bucket are in its segments. They may overlap: an answer takes those that fit its range';
COMMENT ON COLUMN leadanalytics.bucket.grain IS 'd: a day, w: a week (from Monday), m: a month of the zone; q: a day (UTC) whose quarters of an hour each have segments';
COMMENT ON COLUMN leadanalytics.bucket.zone IS 'whose days or months these are; of quarters none';

CREATE TABLE leadanalytics.segment (
    workspace int NOT NULL,
    dimension smallint NOT NULL,
    part int NOT NULL,
    bucket timestamptz NOT NULL,
    weight int NOT NULL,
    grain "char" NOT NULL,
    zone text COLLATE "C" NOT NULL,
    directory bytea NOT NULL,
    sets bytea,
    PRIMARY KEY (workspace, grain, zone, dimension, bucket, part)
);
ALTER TABLE leadanalytics.segment ALTER directory SET STORAGE EXTERNAL, ALTER sets SET STORAGE EXTERNAL;
COMMENT ON TABLE leadanalytics.segment IS
    'what became of events: counts and exact sets, by dimension and value; never updated, the parts of a bucket add up; src/rollup/segment.h says how it is written';
COMMENT ON COLUMN leadanalytics.segment.bucket IS 'its start: of a quarter of an hour (grain q), a day or a month';
COMMENT ON COLUMN leadanalytics.segment.weight IS 'what merging the part costs, all its dimensions: values, and members of sets';
COMMENT ON COLUMN leadanalytics.segment.directory IS 'the values with their counts, and where in sets theirs stands';

CREATE TABLE leadanalytics.trail (
    workspace int NOT NULL,
    step int NOT NULL,
    day date NOT NULL,
    part int NOT NULL,
    n int NOT NULL CHECK (n > 0),
    kind "char" NOT NULL,
    points bytea NOT NULL,
    PRIMARY KEY (workspace, kind, step, day, part)
);
ALTER TABLE leadanalytics.trail ALTER points SET STORAGE EXTERNAL;
COMMENT ON TABLE leadanalytics.trail IS
    'who did what when, in the order of time: what funnels and cohorts read instead of rows; never updated, the parts of a day add up; src/rollup/points.h says how it is written';
COMMENT ON COLUMN leadanalytics.trail.kind IS 'w: all folded events of the web that are no robots''. Steps are terms of their names, numbers visitors or else persons';
COMMENT ON COLUMN leadanalytics.trail.day IS 'of UTC';
COMMENT ON COLUMN leadanalytics.trail.n IS 'how many points there are';

CREATE TABLE leadanalytics.dropped (
    workspace int NOT NULL,
    parent text COLLATE "C" NOT NULL,
    before date NOT NULL,
    swept boolean NOT NULL DEFAULT false,
    PRIMARY KEY (workspace, parent)
);
COMMENT ON TABLE leadanalytics.dropped IS
    'partitioned tables whose old rows go: of the days (UTC) before, a workspace has counts (of events segments) and perhaps no rows, but for what came since';
COMMENT ON COLUMN leadanalytics.dropped.swept IS 'whether its rows of that time were taken out; what comes later is, the next night';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.dropped', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.ledger', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.session_ledger_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.session_ledger', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.rollup_state', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.bucket', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.segment', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.trail', '');
