-- Runs: asked for, or due. A run is an export, and a row that says of what. Both are written in one transaction, and
-- for a schedule with the next due time, so a due time is either run for or still due.

CREATE FUNCTION leadanalytics.queue_report(report leadanalytics.report, format text, role text, zone text, at timestamptz, keep interval, schedule text, now timestamptz)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    made CONSTANT text := leadanalytics.queue_export((report).workspace, 'report', format,
        jsonb_build_object('report', (report).report, 'parameters', (report).parameters, 'period', (report).period, 'rows', (report).rows, 'name', (report).name,
                           'role', role, 'zone', zone, 'at', at, 'format', format), now, keep);
BEGIN
    DELETE FROM leadanalytics.report_run r WHERE r.workspace = (queue_report.report).workspace AND r.report = (queue_report.report).key AND r.created_at < now - interval '366 days';
    INSERT INTO leadanalytics.report_run (workspace, export, report, schedule, due_at, format, created_at)
    VALUES ((report).workspace, made, (report).key, schedule, CASE WHEN schedule IS NOT NULL THEN at END, format, now);
    RETURN made;
END
$$;
COMMENT ON FUNCTION leadanalytics.queue_report(leadanalytics.report, text, text, text, timestamptz, interval, text, timestamptz) IS
    'have a report run as of a time, in the days of a zone: its export; for functions that asked who calls';

CREATE FUNCTION leadanalytics.run_report(workspace int, report_id text, format text DEFAULT NULL, as_role text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    found CONSTANT leadanalytics.report := leadanalytics.find_report(allowed, report_id, as_role);
    key text;
BEGIN
    IF format NOT IN ('csv', 'json', 'html') THEN
        PERFORM leadanalytics.fail_field('format', 'Must be one of: csv, json, html');
    END IF;
    key := leadanalytics.queue_report(found, coalesce(format, found.format),
        CASE WHEN leadanalytics.sees_contacts(allowed, as_role) THEN found.as_role ELSE 'marketing' END,
        (SELECT w.timezone FROM leadanalytics.workspace w WHERE w.id = allowed), now, '1 hour', NULL, now);
    RETURN leadanalytics.engagement_export_json(leadanalytics.find_export(allowed, key, now));
END
$$;
COMMENT ON FUNCTION leadanalytics.run_report(int, text, text, text, timestamptz) IS
    'S2-20: run a report now, in its format or another: an export, which leadanalytics.engagement_export() tells of; LA404, LA422';
GRANT EXECUTE ON FUNCTION leadanalytics.run_report(int, text, text, text, timestamptz) TO leadanalytics_write;

CREATE VIEW leadanalytics.report_runs WITH (security_barrier) AS
    SELECT r.workspace, r.report, r.schedule, r.due_at, r.export, r.format, r.status, r.created_at, e.completed_at, e.expires_at, e.size, e.error, r.told
    FROM leadanalytics.report_run r LEFT JOIN leadanalytics.export e ON e.workspace = r.workspace AND e.key = r.export
    WHERE leadanalytics.may(r.workspace);
COMMENT ON VIEW leadanalytics.report_runs IS 'the runs of the reports of the workspaces the caller may ask about, for a year; what an export says is null once that is forgotten';
GRANT SELECT ON leadanalytics.report_runs TO leadanalytics_read;

-- The clock may have been set back since: what was run for does not run again.
CREATE FUNCTION leadanalytics.schedule_next(schedule leadanalytics.report_schedule, after timestamptz)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    due timestamptz := after;
BEGIN
    LOOP
        due := leadanalytics.next_due((schedule).frequency, (schedule).day_of_week, (schedule).day_of_month, (schedule).at_time, (schedule).timezone, due);
        EXIT WHEN NOT EXISTS (SELECT FROM leadanalytics.report_run r WHERE r.workspace = (schedule_next.schedule).workspace AND r.schedule = (schedule_next.schedule).key AND r.due_at = due);
    END LOOP;
    RETURN due;
END
$$;
COMMENT ON FUNCTION leadanalytics.schedule_next(leadanalytics.report_schedule, timestamptz) IS 'the first due time of a schedule after a time that nothing was run for';

-- Of several that were missed only the latest: the others would be the same mail again and again.
CREATE FUNCTION leadanalytics.schedule_latest(schedule leadanalytics.report_schedule, now timestamptz)
RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    due timestamptz;
    following timestamptz := (schedule).next_due;
BEGIN
    IF following < now - interval '70 days' THEN
        following := leadanalytics.schedule_next(schedule, now - interval '70 days');
    END IF;
    WHILE following <= now LOOP
        due := following;
        following := leadanalytics.schedule_next(schedule, due);
    END LOOP;
    RETURN due;
END
$$;
COMMENT ON FUNCTION leadanalytics.schedule_latest(leadanalytics.report_schedule, timestamptz) IS 'the last due time of a schedule until now that nothing was run for; null: none';

CREATE FUNCTION leadanalytics.run_schedules(now timestamptz DEFAULT now())
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s leadanalytics.report_schedule;
    report leadanalytics.report;
    due timestamptz;
    following timestamptz;
    n int := 0;
BEGIN
    FOR s IN
        SELECT * FROM leadanalytics.report_schedule c
        WHERE c.active AND (c.next_due <= run_schedules.now OR c.last_due > run_schedules.now) -- due, or the clock was set back
        ORDER BY c.next_due, c.workspace, c.key
        FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        BEGIN
            due := leadanalytics.schedule_latest(s, run_schedules.now);
            following := leadanalytics.schedule_next(s, greatest(due, run_schedules.now));
            IF due IS NOT NULL THEN
                SELECT * INTO report FROM leadanalytics.report r WHERE r.workspace = s.workspace AND r.key = s.report;
                PERFORM leadanalytics.queue_report(report, s.format, report.as_role, s.timezone, due,
                    coalesce(current_setting('leadanalytics.report_keep', true), '7 days')::interval, s.key, run_schedules.now);
            END IF;
            UPDATE leadanalytics.report_schedule c SET next_due = following, last_due = coalesce(due, c.last_due)
            WHERE c.workspace = s.workspace AND c.key = s.key AND (due IS NOT NULL OR c.next_due <> following);
            n := n + (due IS NOT NULL)::int;
        EXCEPTION WHEN OTHERS THEN -- of one schedule: the others go on, and it is tried again
            RAISE LOG 'leadanalytics: schedule % of workspace % could not run: %', s.key, s.workspace, SQLERRM USING ERRCODE = SQLSTATE;
        END;
    END LOOP;
    RETURN n;
END
$$;
COMMENT ON FUNCTION leadanalytics.run_schedules(timestamptz) IS 'have the reports run that are due, each once: for each schedule the latest due time that was not run for; how many';
GRANT EXECUTE ON FUNCTION leadanalytics.run_schedules(timestamptz) TO leadanalytics_admin;
INSERT INTO leadanalytics.unit (name, function, every, builtin, summary)
VALUES ('run_schedules', 'leadanalytics.run_schedules', '1 minute', true, 'runs the saved reports that are due');

INSERT INTO leadanalytics.topic (name, summary, example, builtin) VALUES
    ('report.completed', 'A scheduled report was written',
     '{"reportId": "rep_abc123", "scheduleId": "sch_abc123", "name": "Weekly funnel", "dueAt": "2026-02-09T08:00:00.000Z", "url": "https://example.com/v1/analytics/exports/exp_xyz123/download?expires=1795000000&signature=5f2b", "expiresAt": "2026-02-16T08:00:05.000Z", "format": "csv"}',
     true),
    ('report.failed', 'A scheduled report could not be written',
     '{"reportId": "rep_abc123", "scheduleId": "sch_abc123", "name": "Weekly funnel", "dueAt": "2026-02-09T08:00:00.000Z", "error": "internal error", "format": "csv"}', true);

CREATE FUNCTION leadanalytics.report_attached()
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 10485760::bigint $$;
COMMENT ON FUNCTION leadanalytics.report_attached() IS 'up to how many bytes a report goes with its mail; larger ones are only linked';

CREATE FUNCTION leadanalytics.report_mail(export leadanalytics.export, run leadanalytics.report_run, zone text, url text, OUT subject text, OUT body text)
LANGUAGE sql STABLE AS $$
    SELECT CASE (export).status WHEN 'completed' THEN about.title ELSE 'Failed: ' || about.title END,
           about.title || E'\n\n' || CASE
               WHEN (export).status = 'failed' THEN 'The report could not be made: ' || (export).error || E'.\n'
               ELSE CASE WHEN (export).size <= leadanalytics.report_attached() THEN E'The report is attached.\n' ELSE '' END
                   || format(E'%sIt is there until %s %s.\n',
                             CASE WHEN url LIKE 'http%' THEN E'Its file:\n' || url || E'\n' ELSE 'Its file is the export ' || (export).key || '. ' END,
                             to_char((export).expires_at AT TIME ZONE zone, 'YYYY-MM-DD HH24:MI'), zone) END
    FROM (SELECT concat_ws(', ', (export).options ->> 'name', leadanalytics.period_text((export).options ->> 'period', zone, (run).due_at))) AS about (title)
$$;
COMMENT ON FUNCTION leadanalytics.report_mail(leadanalytics.export, leadanalytics.report_run, text, text) IS 'what those who get a scheduled report by mail read';

-- In the transaction that ends the export, so once. Who gets it, the schedule says as it is then.
CREATE FUNCTION leadanalytics.report_written()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    at CONSTANT timestamptz := coalesce(NEW.completed_at, NEW.tried_at, NEW.created_at);
    topic CONSTANT text := 'report.' || NEW.status;
    occurrence CONSTANT text := 'evt_' || left(leadanalytics.new_secret(), 24);
    run leadanalytics.report_run;
    schedule leadanalytics.report_schedule;
    url text;
    data json;
    mail record;
    recipient text;
    n int := 0;
BEGIN
    UPDATE leadanalytics.report_run r SET status = NEW.status WHERE r.workspace = NEW.workspace AND r.export = NEW.key RETURNING * INTO run;
    SELECT * INTO schedule FROM leadanalytics.report_schedule s WHERE s.workspace = NEW.workspace AND s.key = run.schedule;
    IF schedule.key IS NULL THEN -- somebody asked for it, and looks
        RETURN NULL;
    END IF;
    url := CASE NEW.status WHEN 'completed' THEN leadanalytics.export_url(NEW, 'engagement') END;
    data := CASE NEW.status
        WHEN 'completed' THEN json_build_object('reportId', run.report, 'scheduleId', run.schedule, 'name', NEW.options ->> 'name', 'dueAt', leadanalytics.utc_milliseconds(run.due_at),
                                                'url', url, 'expiresAt', leadanalytics.utc_milliseconds(NEW.expires_at), 'format', NEW.format)
        ELSE json_build_object('reportId', run.report, 'scheduleId', run.schedule, 'name', NEW.options ->> 'name', 'dueAt', leadanalytics.utc_milliseconds(run.due_at),
                               'error', NEW.error, 'format', NEW.format) END;
    SELECT * INTO mail FROM leadanalytics.report_mail(NEW, run, schedule.timezone, url);
    FOREACH recipient IN ARRAY schedule.recipients LOOP
        IF recipient LIKE 'whk\_%' THEN
            n := n + leadanalytics.tell_webhook(NEW.workspace, recipient, topic, data, occurrence, at)::int;
        ELSE
            PERFORM leadanalytics.send_mail(NEW.workspace, recipient, mail.subject, mail.body, topic, occurrence,
                                            CASE WHEN NEW.status = 'completed' AND NEW.size <= leadanalytics.report_attached() THEN NEW.key END, at);
            n := n + 1;
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT FROM unnest(schedule.recipients) AS r (name) WHERE r.name LIKE 'whk\_%') THEN
        PERFORM leadanalytics.tell(NEW.workspace, topic, data, at);
        n := n + 1;
    END IF;
    UPDATE leadanalytics.report_run r SET told = n WHERE r.workspace = NEW.workspace AND r.export = NEW.key;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.report_written() IS 'tell those who get a scheduled report that it is there, or that it failed';
CREATE TRIGGER report_written AFTER UPDATE OF status ON leadanalytics.export
    FOR EACH ROW WHEN (NEW.type = 'report' AND OLD.status = 'processing' AND NEW.status IN ('completed', 'failed'))
    EXECUTE FUNCTION leadanalytics.report_written();
