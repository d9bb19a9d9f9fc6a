-- Saved reports: made, changed, read, deleted (S2-20). What is wrong with one is told by asking its question.

CREATE FUNCTION leadanalytics.fault(field text, message text)
RETURNS json LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT json_build_object('field', field, 'message', message)
$$;
COMMENT ON FUNCTION leadanalytics.fault(text, text) IS 'one of the errors of an LA422';

CREATE FUNCTION leadanalytics.fail_faults(faults json[])
RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF cardinality(faults) > 0 THEN
        PERFORM leadanalytics.fail(422, 'Validation failed', errors => array_to_json(faults));
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.fail_faults(json[]) IS 'LA422 "Validation failed" with all of these errors, unless there are none';

CREATE FUNCTION leadanalytics.report_type_of(report text, as_role text DEFAULT NULL)
RETURNS leadanalytics.report_type LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t
    FROM leadanalytics.report_type t JOIN leadanalytics.route r ON r.method = 'GET' AND r.path = t.path
    WHERE report IN (t.name, t.path, leadanalytics.openapi_path(t.path)) AND (coalesce(as_role, 'admin') = 'admin' OR as_role = ANY (r.roles))
$$;
COMMENT ON FUNCTION leadanalytics.report_type_of(text, text) IS 'the question that a short name or a path names, when keys of the role may ask it (null: whoever); null: there is none';

CREATE FUNCTION leadanalytics.ask_report(workspace int, report text, parameters jsonb, period text, zone text, as_role text, now timestamptz)
RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
    path CONSTANT text := (leadanalytics.report_type_of(report)).path;
    range record;
BEGIN
    IF path IS NULL THEN
        RAISE EXCEPTION 'No such report' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.list_report_types().';
    END IF;
    SELECT * INTO range FROM leadanalytics.report_range_values(path, period, zone, now);
    RETURN leadanalytics.ask_route(workspace, path, parameters || range.parameters, as_role, range.as_of);
END
$$;
COMMENT ON FUNCTION leadanalytics.ask_report(int, text, jsonb, text, text, text, timestamptz) IS
    'what a report''s question answers, asked at a time by a role about a period: for functions that asked who calls';

-- Errors of the question are errors of its parameters.
CREATE FUNCTION leadanalytics.question_faults(report leadanalytics.report, zone text, now timestamptz)
RETURNS json[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    said text;
    errors json;
    answer json;
BEGIN
    answer := leadanalytics.ask_report((report).workspace, (report).report, (report).parameters, (report).period, zone, (report).as_role, now);
    IF coalesce((report).rows, '.') <> '.' AND answer #> string_to_array((report).rows, '.') IS NULL THEN
        RETURN ARRAY[leadanalytics.fault('rows', 'Not a member of the answer')];
    END IF;
    RETURN '{}';
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE NOT LIKE 'LA4%' THEN
        RAISE;
    END IF;
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    errors := CASE WHEN said LIKE '{%' THEN said::json -> 'errors' END;
    RETURN coalesce(ARRAY(SELECT leadanalytics.fault(CASE WHEN e ->> 'field' ~ '^(parameters\.|period$)' THEN e ->> 'field' ELSE 'parameters.' || (e ->> 'field') END, e ->> 'message')
                          FROM json_array_elements(errors) e WHERE errors IS NOT NULL),
                    '{}') || CASE WHEN errors IS NULL THEN ARRAY[leadanalytics.fault('parameters', SQLERRM)] ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION leadanalytics.question_faults(leadanalytics.report, text, timestamptz) IS 'what a report''s question says is wrong with its parameters';

CREATE FUNCTION leadanalytics.check_report(report leadanalytics.report, parameters json, now timestamptz)
RETURNS leadanalytics.report LANGUAGE plpgsql STABLE AS $$
DECLARE
    faults json[] := '{}';
    kind CONSTANT leadanalytics.report_type := leadanalytics.report_type_of((report).report, (report).as_role);
    given CONSTANT text := coalesce(json_typeof(parameters), 'null');
    can_ask boolean := true;
BEGIN
    report.parameters := CASE given WHEN 'object' THEN jsonb_strip_nulls(parameters::jsonb) ELSE '{}' END;
    IF coalesce(btrim((report).name), '') = '' THEN
        faults := faults || leadanalytics.fault('name', 'name is required');
    ELSIF char_length((report).name) > 200 OR (report).name ~ '[[:cntrl:]]' THEN
        faults := faults || leadanalytics.fault('name', 'Must be a line of 1 to 200 characters');
    END IF;
    IF (report).format IS NULL OR (report).format NOT IN ('csv', 'json', 'html') THEN
        faults := faults || leadanalytics.fault('format', 'Must be one of: csv, json, html');
    END IF;
    IF (report).rows = '' OR char_length((report).rows) > 200 THEN
        faults := faults || leadanalytics.fault('rows', 'Must be a text of 1 to 200 characters');
    END IF;
    IF (report).report IS NULL THEN
        faults := faults || leadanalytics.fault('report', 'report is required');
        can_ask := false;
    ELSIF kind.name IS NULL THEN
        faults := faults || leadanalytics.fault('report', 'Must be one of those of /v1/reports/types');
        can_ask := false;
    END IF;
    IF given NOT IN ('object', 'null') THEN
        faults := faults || leadanalytics.fault('parameters', 'Must be an object');
        can_ask := false;
    END IF;
    IF (report).period <> ALL (leadanalytics.report_periods()) THEN
        faults := faults || leadanalytics.fault('period', 'Must be one of: ' || array_to_string(leadanalytics.report_periods(), ', '));
        can_ask := false;
    ELSIF can_ask AND (report).period IS NOT NULL THEN
        faults := faults || ARRAY(SELECT leadanalytics.fault('parameters.' || n.name, 'The period says it')
                                  FROM unnest(leadanalytics.report_range(kind.path)) AS n (name) WHERE (report).parameters ? n.name);
    END IF;
    IF can_ask THEN
        faults := faults || leadanalytics.question_faults(report, (SELECT w.timezone FROM leadanalytics.workspace w WHERE w.id = (report).workspace), now);
    END IF;
    PERFORM leadanalytics.fail_faults(faults);
    RETURN report;
END
$$;
COMMENT ON FUNCTION leadanalytics.check_report(leadanalytics.report, json, timestamptz) IS 'a report with parameters as a client sends them, checked: LA422 with all that is wrong';

-- A key sees the reports whose question it may ask; what it sees of people, the role says that a report is written with.
CREATE FUNCTION leadanalytics.report_role(workspace int, as_role text)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN leadanalytics.sees_contacts(workspace, as_role) THEN coalesce(as_role, 'admin') ELSE 'marketing' END
$$;
COMMENT ON FUNCTION leadanalytics.report_role(int, text) IS 'the role that a caller''s reports are asked with: that of the key, or of SQL admin, but marketing for who sees contacts masked';

CREATE FUNCTION leadanalytics.find_report(workspace int, report_id text, as_role text)
RETURNS leadanalytics.report LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    wanted leadanalytics.report;
BEGIN
    SELECT r.* INTO wanted FROM leadanalytics.report r WHERE r.workspace = find_report.workspace AND r.key = find_report.report_id;
    IF NOT FOUND OR (find_report.as_role IS NOT NULL AND (leadanalytics.report_type_of(wanted.report, find_report.as_role)).name IS NULL) THEN
        RAISE EXCEPTION 'Report not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.reports.';
    END IF;
    RETURN wanted;
END
$$;
COMMENT ON FUNCTION leadanalytics.find_report(int, text, text) IS 'a report whose question keys of the role may ask; LA404: for functions that asked who calls';

CREATE FUNCTION leadanalytics.report_json(report leadanalytics.report)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', (report).key, 'name', (report).name, 'report', (report).report, 'parameters', (report).parameters, 'period', (report).period,
                             'rows', (report).rows, 'format', (report).format, 'createdAt', leadanalytics.utc_milliseconds((report).created_at),
                             'updatedAt', leadanalytics.utc_milliseconds((report).updated_at))
$$;
COMMENT ON FUNCTION leadanalytics.report_json(leadanalytics.report) IS 'a report as the interface answers it';

CREATE FUNCTION leadanalytics.create_report(
    workspace int, name text, report text, parameters json DEFAULT NULL, period text DEFAULT NULL, "rows" text DEFAULT NULL, format text DEFAULT 'csv',
    as_role text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    made leadanalytics.report;
BEGIN
    made := leadanalytics.check_report(
        ROW(allowed, 'rep_' || left(leadanalytics.new_secret(), 24), name, report, '{}', period, "rows", coalesce(format, 'csv'), leadanalytics.report_role(allowed, as_role),
            now, now)::leadanalytics.report, parameters, now);
    INSERT INTO leadanalytics.report SELECT made.*;
    RETURN leadanalytics.report_json(made);
END
$$;
COMMENT ON FUNCTION leadanalytics.create_report(int, text, text, json, text, text, text, text, timestamptz) IS
    'S2-20: save a report: a question by its short name or path (leadanalytics.list_report_types()), its parameters, the period it is about, and the format of its file; LA422. The question is asked once to find out';
GRANT EXECUTE ON FUNCTION leadanalytics.create_report(int, text, text, json, text, text, text, text, timestamptz) TO leadanalytics_write;

-- Of what is said: an empty text says none.
CREATE FUNCTION leadanalytics.change_report(
    workspace int, report_id text, name text DEFAULT NULL, report text DEFAULT NULL, parameters json DEFAULT NULL, period text DEFAULT NULL, "rows" text DEFAULT NULL,
    format text DEFAULT NULL, as_role text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    changed leadanalytics.report := leadanalytics.find_report(allowed, report_id, as_role);
BEGIN
    PERFORM FROM leadanalytics.report r WHERE r.workspace = allowed AND r.key = report_id FOR NO KEY UPDATE; -- one change after the other
    changed := leadanalytics.find_report(allowed, report_id, as_role);
    changed.name := coalesce(name, changed.name);
    changed.report := coalesce(report, changed.report);
    changed.period := nullif(coalesce(period, changed.period), '');
    changed.rows := nullif(coalesce("rows", changed.rows), '');
    changed.format := coalesce(format, changed.format);
    changed.as_role := leadanalytics.report_role(allowed, as_role);
    changed.updated_at := now;
    changed := leadanalytics.check_report(changed, CASE WHEN coalesce(json_typeof(parameters), 'null') = 'null' THEN changed.parameters::json ELSE parameters END, now);
    UPDATE leadanalytics.report r
    SET name = changed.name, report = changed.report, parameters = changed.parameters, period = changed.period, rows = changed.rows, format = changed.format,
        as_role = changed.as_role, updated_at = changed.updated_at
    WHERE r.workspace = allowed AND r.key = report_id;
    RETURN leadanalytics.report_json(changed);
END
$$;
COMMENT ON FUNCTION leadanalytics.change_report(int, text, text, text, json, text, text, text, text, timestamptz) IS
    'S2-20: change what is said of a report (null: as it was; of period and rows an empty text: none); parameters are all of them; LA404, LA422';
GRANT EXECUTE ON FUNCTION leadanalytics.change_report(int, text, text, text, json, text, text, text, text, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.delete_report(workspace int, report_id text, as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found CONSTANT leadanalytics.report := leadanalytics.find_report(leadanalytics.permitted(workspace), report_id, as_role);
BEGIN
    DELETE FROM leadanalytics.report r WHERE r.workspace = found.workspace AND r.key = found.key;
    RETURN json_build_object('deleted', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_report(int, text, text) IS 'S2-20: delete a report with its schedules; what is being written is told to nobody then; LA404';
GRANT EXECUTE ON FUNCTION leadanalytics.delete_report(int, text, text) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.get_report(workspace int, report_id text, as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN leadanalytics.report_json(leadanalytics.find_report(leadanalytics.permitted(workspace), report_id, as_role));
END
$$;
COMMENT ON FUNCTION leadanalytics.get_report(int, text, text) IS 'S2-20: a report; LA404';
GRANT EXECUTE ON FUNCTION leadanalytics.get_report(int, text, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.list_reports(workspace int, page int DEFAULT 1, "limit" int DEFAULT 20, as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    answer json;
BEGIN
    WITH visible AS MATERIALIZED (
        SELECT r, row_number() OVER (ORDER BY r.created_at DESC, r.key) AS n
        FROM leadanalytics.report r
        WHERE r.workspace = allowed AND (leadanalytics.report_type_of(r.report, list_reports.as_role)).name IS NOT NULL
    )
    SELECT json_build_object(
        'data', (SELECT coalesce(json_agg(leadanalytics.report_json(v.r) ORDER BY v.n), '[]') FROM visible v WHERE v.n > (page - 1)::bigint * "limit" AND v.n <= page::bigint * "limit"),
        'pagination', leadanalytics.engagement_page((SELECT count(*) FROM visible), page, "limit"))
    INTO answer;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.list_reports(int, int, int, text) IS 'S2-20: the reports, the newest first, by page';
GRANT EXECUTE ON FUNCTION leadanalytics.list_reports(int, int, int, text) TO leadanalytics_read;

CREATE VIEW leadanalytics.reports WITH (security_barrier) AS
    SELECT workspace, key, name, report, parameters, period, rows, format, as_role, created_at, updated_at FROM leadanalytics.report WHERE leadanalytics.may(workspace);
COMMENT ON VIEW leadanalytics.reports IS 'the saved reports of the workspaces the caller may ask about';
GRANT SELECT ON leadanalytics.reports TO leadanalytics_read;
