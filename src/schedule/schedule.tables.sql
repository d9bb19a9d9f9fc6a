-- Saved reports: questions of the interface with their parameters, run when somebody says so or by a schedule. A run is
-- an export like any other, whose records are the answer of the question's own function.

-- What can be asked: a GET route whose answer is about the workspace. One that is no row here is no report.
CREATE TABLE leadanalytics.report_type (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    path text COLLATE "C" NOT NULL UNIQUE,
    rows text,
    builtin boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE leadanalytics.report_type IS 'questions that reports are made of: a short name for a GET route';
COMMENT ON COLUMN leadanalytics.report_type.path IS 'of leadanalytics.route; without such a route there is no such report';
COMMENT ON COLUMN leadanalytics.report_type.rows IS 'which member of the answer is the table that CSV has; null: the first array; .: all of the answer in one row';

CREATE TABLE leadanalytics.report (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    key text COLLATE "C" NOT NULL,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200 AND name !~ '[[:cntrl:]]'),
    report text COLLATE "C" NOT NULL,
    parameters jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    period text COLLATE "C",
    rows text,
    format text COLLATE "C" NOT NULL DEFAULT 'csv' CHECK (format IN ('csv', 'json', 'html')),
    as_role text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, key)
);
COMMENT ON TABLE leadanalytics.report IS 'saved reports';
COMMENT ON COLUMN leadanalytics.report.key IS 'what the interface calls it, rep_…';
COMMENT ON COLUMN leadanalytics.report.report IS 'the question, as it was given: a name or path of leadanalytics.report_type';
COMMENT ON COLUMN leadanalytics.report.parameters IS 'of the question, by name, but for those that say the period';
COMMENT ON COLUMN leadanalytics.report.period IS 'which days a run is about, see leadanalytics.report_period(); null: what the parameters say';
COMMENT ON COLUMN leadanalytics.report.rows IS 'as of leadanalytics.report_type, instead of what that says';
COMMENT ON COLUMN leadanalytics.report.as_role IS 'the role of the key that last wrote it: a run asks what such a key may ask, and sees what it sees';

CREATE TABLE leadanalytics.report_schedule (
    workspace int NOT NULL,
    key text COLLATE "C" NOT NULL,
    report text COLLATE "C" NOT NULL,
    frequency text COLLATE "C" NOT NULL CHECK (frequency IN ('daily', 'weekly', 'monthly')),
    day_of_week smallint CHECK (day_of_week BETWEEN 0 AND 6),
    day_of_month smallint CHECK (day_of_month BETWEEN 1 AND 31),
    at_time time NOT NULL CHECK (at_time < '24:00' AND extract(second FROM at_time) = 0),
    timezone text NOT NULL,
    recipients text[] NOT NULL DEFAULT '{}',
    format text COLLATE "C" NOT NULL DEFAULT 'csv' CHECK (format IN ('csv', 'json', 'html')),
    active boolean NOT NULL DEFAULT true,
    next_due timestamptz NOT NULL,
    last_due timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, key),
    FOREIGN KEY (workspace, report) REFERENCES leadanalytics.report (workspace, key) ON DELETE CASCADE,
    CONSTRAINT weekly_has_its_day CHECK ((frequency = 'weekly') = (day_of_week IS NOT NULL)),
    CONSTRAINT monthly_has_its_day CHECK ((frequency = 'monthly') = (day_of_month IS NOT NULL))
);
COMMENT ON TABLE leadanalytics.report_schedule IS 'when saved reports run by themselves, and who gets them';
COMMENT ON COLUMN leadanalytics.report_schedule.key IS 'what the interface calls it, sch_…';
COMMENT ON COLUMN leadanalytics.report_schedule.day_of_week IS '0: Sunday';
COMMENT ON COLUMN leadanalytics.report_schedule.day_of_month IS 'a month that has no such day: its last';
COMMENT ON COLUMN leadanalytics.report_schedule.recipients IS 'e-mail addresses, and keys of webhooks; without a webhook among them all webhooks hear of it that want the topic';
COMMENT ON COLUMN leadanalytics.report_schedule.next_due IS 'the next due time that nothing was run for; it only moves on';
COMMENT ON COLUMN leadanalytics.report_schedule.last_due IS 'the last due time something was run for: nothing at or before it runs again, whatever the clock says';
CREATE INDEX report_schedule_due ON leadanalytics.report_schedule (next_due) WHERE active;
CREATE INDEX report_schedule_of ON leadanalytics.report_schedule (workspace, report);

-- Written in the transaction that queues the export. Two workers at once: the second finds the row.
CREATE TABLE leadanalytics.report_run (
    workspace int NOT NULL,
    export text COLLATE "C" NOT NULL,
    report text COLLATE "C" NOT NULL,
    schedule text COLLATE "C",
    due_at timestamptz,
    format text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'processing' CHECK (status IN ('processing', 'completed', 'failed')),
    told int NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, export),
    FOREIGN KEY (workspace, report) REFERENCES leadanalytics.report (workspace, key) ON DELETE CASCADE,
    CONSTRAINT scheduled_has_a_due_time CHECK ((schedule IS NULL) = (due_at IS NULL))
);
COMMENT ON TABLE leadanalytics.report_run IS 'runs of saved reports, for a year: which export holds the file';
COMMENT ON COLUMN leadanalytics.report_run.schedule IS 'null: somebody asked for it';
COMMENT ON COLUMN leadanalytics.report_run.told IS 'how many mails and messages to webhooks it was the reason of';
CREATE UNIQUE INDEX report_run_once ON leadanalytics.report_run (workspace, schedule, due_at) WHERE schedule IS NOT NULL;
CREATE INDEX report_run_of ON leadanalytics.report_run (workspace, report, created_at);

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.report_type', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.report', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.report_schedule', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.report_run', '');
