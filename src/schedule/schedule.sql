-- Schedules of saved reports: made, changed, read, deleted (S2-21).

CREATE FUNCTION leadanalytics.weekday_number(day text)
RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN btrim(day) ~ '^[0-6]$' THEN btrim(day)::int
                ELSE array_position('{sunday,monday,tuesday,wednesday,thursday,friday,saturday}'::text[], lower(btrim(day))) - 1 END::smallint
$$;
COMMENT ON FUNCTION leadanalytics.weekday_number(text) IS 'a day of the week by its English name or number, 0: Sunday; null: it is none';

CREATE FUNCTION leadanalytics.weekday_name(day int)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ('{Sunday,Monday,Tuesday,Wednesday,Thursday,Friday,Saturday}'::text[])[day + 1]
$$;
COMMENT ON FUNCTION leadanalytics.weekday_name(int) IS 'a day of the week as the interface says it, 0: Sunday';

CREATE FUNCTION leadanalytics.known_timezone(timezone text)
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN leadanalytics.checked_timezone(timezone);
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.known_timezone(text) IS 'leadanalytics.checked_timezone(), null instead of an error';

-- The first that is wrong, by its place.
CREATE FUNCTION leadanalytics.recipients_fault(workspace int, recipients json)
RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
    fault text;
BEGIN
    IF json_typeof(recipients) <> 'array' THEN
        RETURN leadanalytics.fault('recipients', 'Must be an array');
    ELSIF json_array_length(recipients) > 50 THEN
        RETURN leadanalytics.fault('recipients', 'Must be 50 at most');
    END IF;
    SELECT leadanalytics.fault(format('recipients[%s]', r.n - 1), CASE WHEN r.text LIKE 'whk\_%' THEN 'No such webhook' ELSE 'Must be an e-mail address or the id of a webhook' END) INTO fault
    FROM (SELECT i.value, i.value #>> '{}' AS text, i.n FROM json_array_elements(recipients) WITH ORDINALITY AS i (value, n)) AS r
    WHERE NOT coalesce(json_typeof(r.value) = 'string'
        AND CASE WHEN r.text LIKE 'whk\_%' THEN EXISTS (SELECT FROM leadanalytics.webhook h WHERE h.workspace = recipients_fault.workspace AND h.key = r.text)
                 ELSE char_length(r.text) <= 254 AND r.text ~ '^[^@[:space:][:cntrl:],;<>"()]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$' END, false)
    ORDER BY r.n LIMIT 1;
    RETURN fault;
END
$$;
COMMENT ON FUNCTION leadanalytics.recipients_fault(int, json) IS 'what is wrong with the recipients of a schedule, null: nothing';

-- What is said goes over what there was; all that is wrong is told at once.
CREATE FUNCTION leadanalytics.check_schedule(
    schedule leadanalytics.report_schedule, report_id text, frequency text, day_of_week text, day_of_month text, "time" text, timezone text, recipients json, format text, active text,
    as_role text)
RETURNS leadanalytics.report_schedule LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
    faults json[] := '{}';
    fault json;
BEGIN
    schedule.report := coalesce(report_id, schedule.report);
    IF schedule.report IS NULL THEN
        faults := faults || leadanalytics.fault('reportId', 'reportId is required');
    ELSIF NOT EXISTS (SELECT FROM leadanalytics.report r
                      WHERE r.workspace = (schedule).workspace AND r.key = (schedule).report AND (leadanalytics.report_type_of(r.report, as_role)).name IS NOT NULL) THEN
        faults := faults || leadanalytics.fault('reportId', 'Report not found');
    END IF;
    IF coalesce(frequency, schedule.frequency) IS NULL THEN
        faults := faults || leadanalytics.fault('frequency', 'frequency is required');
    ELSIF frequency NOT IN ('daily', 'weekly', 'monthly') THEN
        faults := faults || leadanalytics.fault('frequency', 'Must be one of: daily, weekly, monthly');
    END IF;
    schedule.frequency := coalesce(frequency, schedule.frequency);
    IF day_of_week IS NOT NULL AND leadanalytics.weekday_number(day_of_week) IS NULL THEN
        faults := faults || leadanalytics.fault('dayOfWeek', 'Must be Sunday to Saturday, or 0 (Sunday) to 6');
    ELSIF schedule.frequency = 'weekly' AND day_of_week IS NULL AND schedule.day_of_week IS NULL THEN
        faults := faults || leadanalytics.fault('dayOfWeek', 'dayOfWeek is required');
    END IF;
    schedule.day_of_week := CASE schedule.frequency WHEN 'weekly' THEN coalesce(leadanalytics.weekday_number(day_of_week), schedule.day_of_week) END;
    IF day_of_month !~ '^([1-9]|[12][0-9]|3[01])(\.0+)?$' THEN
        faults := faults || leadanalytics.fault('dayOfMonth', 'Must be an integer between 1 and 31');
        day_of_month := NULL;
    ELSIF schedule.frequency = 'monthly' AND day_of_month IS NULL AND schedule.day_of_month IS NULL THEN
        faults := faults || leadanalytics.fault('dayOfMonth', 'dayOfMonth is required');
    END IF;
    schedule.day_of_month := CASE schedule.frequency WHEN 'monthly' THEN coalesce(day_of_month::numeric::smallint, schedule.day_of_month) END;
    IF "time" IS NULL AND schedule.at_time IS NULL THEN
        faults := faults || leadanalytics.fault('time', 'time is required');
    ELSIF "time" !~ '^([01][0-9]|2[0-3]):[0-5][0-9]$' THEN
        faults := faults || leadanalytics.fault('time', 'Must be a time such as 08:30');
    ELSE
        schedule.at_time := coalesce("time"::time, schedule.at_time);
    END IF;
    IF timezone IS NOT NULL AND leadanalytics.known_timezone(timezone) IS NULL THEN
        faults := faults || leadanalytics.fault('timezone', 'Must be the name of a time zone such as Europe/London');
    END IF;
    schedule.timezone := coalesce(leadanalytics.known_timezone(timezone), schedule.timezone);
    IF coalesce(json_typeof(recipients), 'null') <> 'null' THEN
        fault := leadanalytics.recipients_fault(schedule.workspace, recipients);
        IF fault IS NOT NULL THEN
            faults := faults || fault;
        ELSE
            schedule.recipients := ARRAY(SELECT r.name FROM json_array_elements_text(recipients) WITH ORDINALITY AS r (name, n) GROUP BY r.name ORDER BY min(r.n));
        END IF;
    END IF;
    IF format NOT IN ('csv', 'json', 'html') THEN
        faults := faults || leadanalytics.fault('format', 'Must be one of: csv, json, html');
    END IF;
    schedule.format := coalesce(format, schedule.format);
    IF active NOT IN ('true', 'false') THEN
        faults := faults || leadanalytics.fault('active', 'Must be true or false');
    ELSE
        schedule.active := coalesce(active::boolean, schedule.active);
    END IF;
    PERFORM leadanalytics.fail_faults(faults);
    RETURN schedule;
END
$$;
COMMENT ON FUNCTION leadanalytics.check_schedule(leadanalytics.report_schedule, text, text, text, text, text, text, json, text, text, text) IS
    'a schedule with what a client says of it, checked: LA422 with all that is wrong';

CREATE FUNCTION leadanalytics.schedule_json(schedule leadanalytics.report_schedule)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'id', (schedule).key, 'reportId', (schedule).report, 'frequency', (schedule).frequency, 'dayOfWeek', leadanalytics.weekday_name((schedule).day_of_week),
        'dayOfMonth', (schedule).day_of_month, 'time', to_char((schedule).at_time, 'HH24:MI'), 'timezone', (schedule).timezone, 'recipients', (schedule).recipients,
        'format', (schedule).format, 'active', (schedule).active,
        'nextRunAt', CASE WHEN (schedule).active THEN leadanalytics.utc_milliseconds((schedule).next_due) END, 'lastRunAt', leadanalytics.utc_milliseconds((schedule).last_due))
$$;
COMMENT ON FUNCTION leadanalytics.schedule_json(leadanalytics.report_schedule) IS 'a schedule as the interface answers it';

CREATE FUNCTION leadanalytics.find_schedule(workspace int, schedule_id text, as_role text)
RETURNS leadanalytics.report_schedule LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    wanted leadanalytics.report_schedule;
BEGIN
    SELECT s.* INTO wanted
    FROM leadanalytics.report_schedule s JOIN leadanalytics.report r ON r.workspace = s.workspace AND r.key = s.report
    WHERE s.workspace = find_schedule.workspace AND s.key = find_schedule.schedule_id AND (leadanalytics.report_type_of(r.report, find_schedule.as_role)).name IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Schedule not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.report_schedules.';
    END IF;
    RETURN wanted;
END
$$;
COMMENT ON FUNCTION leadanalytics.find_schedule(int, text, text) IS 'a schedule of a report whose question keys of the role may ask; LA404: for functions that asked who calls';

CREATE FUNCTION leadanalytics.put_schedule(
    workspace int, report_id text DEFAULT NULL, frequency text DEFAULT NULL, "time" text DEFAULT NULL, day_of_week text DEFAULT NULL, day_of_month text DEFAULT NULL,
    timezone text DEFAULT NULL, recipients json DEFAULT NULL, format text DEFAULT NULL, active text DEFAULT NULL, as_role text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    made leadanalytics.report_schedule;
BEGIN
    made.workspace := allowed;
    made.key := 'sch_' || left(leadanalytics.new_secret(), 24);
    made.timezone := (SELECT w.timezone FROM leadanalytics.workspace w WHERE w.id = allowed);
    made.recipients := '{}';
    made.format := coalesce((SELECT r.format FROM leadanalytics.report r WHERE r.workspace = allowed AND r.key = report_id), 'csv');
    made.active := true;
    made.created_at := now;
    made := leadanalytics.check_schedule(made, report_id, frequency, day_of_week, day_of_month, "time", timezone, recipients, format, active, as_role);
    made.next_due := leadanalytics.schedule_next(made, now);
    INSERT INTO leadanalytics.report_schedule SELECT made.*;
    RETURN leadanalytics.schedule_json(made);
END
$$;
COMMENT ON FUNCTION leadanalytics.put_schedule(int, text, text, text, text, text, text, json, text, text, text, timestamptz) IS
    'S2-21: have a report run daily, weekly (day_of_week: Monday, or 1) or monthly (day_of_month) at a time (08:30) of a zone (null: the workspace''s), for recipients: an array of e-mail addresses and ids of webhooks; LA422';
GRANT EXECUTE ON FUNCTION leadanalytics.put_schedule(int, text, text, text, text, text, text, json, text, text, text, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.change_schedule(
    workspace int, schedule_id text, report_id text DEFAULT NULL, frequency text DEFAULT NULL, "time" text DEFAULT NULL, day_of_week text DEFAULT NULL, day_of_month text DEFAULT NULL,
    timezone text DEFAULT NULL, recipients json DEFAULT NULL, format text DEFAULT NULL, active text DEFAULT NULL, as_role text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    before leadanalytics.report_schedule := leadanalytics.find_schedule(allowed, schedule_id, as_role);
    changed leadanalytics.report_schedule;
BEGIN
    -- Whoever runs it is done first, or waits until this is.
    SELECT s.* INTO before FROM leadanalytics.report_schedule s WHERE s.workspace = allowed AND s.key = schedule_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Schedule not found' USING ERRCODE = 'LA404';
    END IF;
    changed := leadanalytics.check_schedule(before, report_id, frequency, day_of_week, day_of_month, "time", timezone, recipients, format, active, as_role);
    -- What is due already stays due, unless it is the due times that change.
    IF (changed.frequency, changed.day_of_week, changed.day_of_month, changed.at_time, changed.timezone, changed.active)
       IS DISTINCT FROM (before.frequency, before.day_of_week, before.day_of_month, before.at_time, before.timezone, before.active) THEN
        changed.next_due := leadanalytics.schedule_next(changed, now);
    END IF;
    UPDATE leadanalytics.report_schedule s
    SET report = changed.report, frequency = changed.frequency, day_of_week = changed.day_of_week, day_of_month = changed.day_of_month, at_time = changed.at_time,
        timezone = changed.timezone, recipients = changed.recipients, format = changed.format, active = changed.active, next_due = changed.next_due
    WHERE s.workspace = allowed AND s.key = schedule_id;
    RETURN leadanalytics.schedule_json(changed);
END
$$;
COMMENT ON FUNCTION leadanalytics.change_schedule(int, text, text, text, text, text, text, text, json, text, text, text, timestamptz) IS
    'S2-21: change what is said of a schedule (null: as it was); another time, day, zone or active: the next due time is reckoned anew; LA404, LA422';
GRANT EXECUTE ON FUNCTION leadanalytics.change_schedule(int, text, text, text, text, text, text, text, json, text, text, text, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.delete_schedule(workspace int, schedule_id text, as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found CONSTANT leadanalytics.report_schedule := leadanalytics.find_schedule(leadanalytics.permitted(workspace), schedule_id, as_role);
BEGIN
    DELETE FROM leadanalytics.report_schedule s WHERE s.workspace = found.workspace AND s.key = found.key;
    RETURN json_build_object('deleted', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_schedule(int, text, text) IS 'S2-21: delete a schedule; what is being written for it is told to nobody then; LA404';
GRANT EXECUTE ON FUNCTION leadanalytics.delete_schedule(int, text, text) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.get_schedule(workspace int, schedule_id text, as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN leadanalytics.schedule_json(leadanalytics.find_schedule(leadanalytics.permitted(workspace), schedule_id, as_role));
END
$$;
COMMENT ON FUNCTION leadanalytics.get_schedule(int, text, text) IS 'S2-21: a schedule; LA404';
GRANT EXECUTE ON FUNCTION leadanalytics.get_schedule(int, text, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.list_schedules(workspace int, page int DEFAULT 1, "limit" int DEFAULT 20, as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    answer json;
BEGIN
    WITH visible AS MATERIALIZED (
        SELECT s, row_number() OVER (ORDER BY s.created_at DESC, s.key) AS n
        FROM leadanalytics.report_schedule s JOIN leadanalytics.report r ON r.workspace = s.workspace AND r.key = s.report
        WHERE s.workspace = allowed AND (leadanalytics.report_type_of(r.report, list_schedules.as_role)).name IS NOT NULL
    )
    SELECT json_build_object(
        'data', (SELECT coalesce(json_agg(leadanalytics.schedule_json(v.s) ORDER BY v.n), '[]') FROM visible v WHERE v.n > (page - 1)::bigint * "limit" AND v.n <= page::bigint * "limit"),
        'pagination', leadanalytics.engagement_page((SELECT count(*) FROM visible), page, "limit"))
    INTO answer;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.list_schedules(int, int, int, text) IS 'S2-21: the schedules, the newest first, by page';
GRANT EXECUTE ON FUNCTION leadanalytics.list_schedules(int, int, int, text) TO leadanalytics_read;

CREATE VIEW leadanalytics.report_schedules WITH (security_barrier) AS
    SELECT workspace, key, report, frequency, day_of_week, day_of_month, at_time, timezone, recipients, format, active, next_due, last_due, created_at
    FROM leadanalytics.report_schedule WHERE leadanalytics.may(workspace);
COMMENT ON VIEW leadanalytics.report_schedules IS 'the schedules of the workspaces the caller may ask about; day_of_week 0: Sunday';
GRANT SELECT ON leadanalytics.report_schedules TO leadanalytics_read;
