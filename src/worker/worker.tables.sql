-- Units of work: what the background workers of a database do, one row each. A room adds a row beside
-- its function; so may you (as the extension's owner).
--
-- A unit is a function of one timestamptz, the time it shall believe it is: one transaction. Or a
-- procedure of that kind, called at top level, which may commit as it goes. It must bear to run twice at
-- once (by hand beside the worker) and again at any time (after a restart): it takes what is to be done
-- from tables, and doing nothing must write nothing.
CREATE TABLE leadanalytics.unit (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    function text NOT NULL CHECK (function ~ '^[^.]+\.[^.(]+$'),
    kind text NOT NULL DEFAULT 'function' CHECK (kind IN ('function', 'procedure')),
    lane text NOT NULL DEFAULT 'job' CHECK (lane IN ('fold', 'job', 'send')),
    every interval NOT NULL CHECK (every BETWEEN '1 second' AND '31 days'),
    on_poke boolean NOT NULL DEFAULT false,
    timeout_ms int NOT NULL DEFAULT 300000 CHECK (timeout_ms BETWEEN 1 AND 86400000),
    enabled boolean NOT NULL DEFAULT true,
    builtin boolean NOT NULL DEFAULT false,
    summary text NOT NULL DEFAULT ''
);
COMMENT ON TABLE leadanalytics.unit IS 'what the background workers do: functions and procedures of the current time';
COMMENT ON COLUMN leadanalytics.unit.function IS 'schema.name of the function or procedure; it takes one timestamptz and belongs to leadanalytics_owner or a superuser';
COMMENT ON COLUMN leadanalytics.unit.lane IS 'fold: short and frequent, run by the fold worker; job: anything else, shared by the job workers, so that it never holds up the fold; send: what waits for other machines, run by the send worker, so that it holds up nothing else';
COMMENT ON COLUMN leadanalytics.unit.every IS 'the pause after a run that went well, 1 second at least; after failures it is 5 s, 10 s … 5 min';
COMMENT ON COLUMN leadanalytics.unit.on_poke IS 'also runs soon after a commit that gave it work';
COMMENT ON COLUMN leadanalytics.unit.timeout_ms IS 'a run that takes longer is cancelled: a failure';

-- How each unit fares. Not dumped: a restored database starts without the failures of the other one.
CREATE TABLE leadanalytics.unit_state (
    name text COLLATE "C" PRIMARY KEY REFERENCES leadanalytics.unit (name) ON UPDATE CASCADE ON DELETE CASCADE,
    next_run timestamptz NOT NULL,
    last_start timestamptz NOT NULL,
    last_end timestamptz NOT NULL,
    failures int NOT NULL DEFAULT 0,
    last_error text
);
COMMENT ON TABLE leadanalytics.unit_state IS
    'the last run of each unit that changed something or failed; runs that found nothing to do leave no trace unless they are an hour apart';
COMMENT ON COLUMN leadanalytics.unit_state.failures IS 'runs that failed since the last good one';
COMMENT ON COLUMN leadanalytics.unit_state.last_error IS 'why the last run failed, null when it did not';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.unit', 'WHERE NOT builtin');
