-- S2-18: exports of the engagement family. What is asked for is a type and a time; filters say the rest, each type
-- having its own. Records have the members of the family's answers.

-- What the family's question of the same things takes.
CREATE FUNCTION leadanalytics.engagement_filters()
RETURNS TABLE (type text, name text, kind text, low numeric, high numeric, choices text[]) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    VALUES ('leads', 'leadId', 'text', 1::numeric, 128::numeric, NULL::text[]), ('leads', 'status', 'text', NULL, NULL, '{new,contacted,qualified,unqualified,converted,lost}'),
           ('leads', 'ownerId', 'text', 1, 128, NULL), ('leads', 'teamId', 'text', 1, 128, NULL), ('leads', 'source', 'text', 1, 200, NULL)
    UNION ALL
    SELECT q.type, p.name, p.type, p.min, p.max, p.choices
    FROM (VALUES ('events', '/v1/analytics/events'), ('funnel', '/v1/analytics/funnel'), ('cohorts', '/v1/analytics/cohorts'), ('team_performance', '/v1/analytics/team-performance'),
                 ('kpis', '/v1/analytics/kpis')) AS q (type, path)
    JOIN leadanalytics.route_param p ON p.method = 'GET' AND p.path = q.path
    WHERE p.place = 'query' AND p.name <> ALL ('{from,to,page,limit}')
$$;
COMMENT ON FUNCTION leadanalytics.engagement_filters() IS 'what exports of the engagement family can be narrowed to, by type; low and high: of a number, or of a text''s characters; choices null: any';

-- The filters as they are kept: known ones, and texts.
CREATE FUNCTION leadanalytics.engagement_filters(type text, filters json)
RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    given record;
    known record;
    fault text;
    kept jsonb := '{}';
BEGIN
    IF json_typeof(coalesce(filters, '{}')) NOT IN ('object', 'null') THEN
        PERFORM leadanalytics.fail_field('filters', 'Must be an object');
    END IF;
    FOR given IN SELECT f.name, f.value, f.value #>> '{}' AS said FROM json_each(CASE json_typeof(filters) WHEN 'object' THEN filters END) AS f (name, value) LOOP
        SELECT * INTO known FROM leadanalytics.engagement_filters() f WHERE f.type = engagement_filters.type AND f.name = given.name;
        IF FOUND AND given.said IS NULL THEN
            CONTINUE;
        END IF;
        fault := CASE WHEN known.name IS NULL THEN 'Not a filter of ' || engagement_filters.type
                      WHEN given.said = ANY (known.choices) THEN NULL
                      WHEN known.choices IS NOT NULL THEN 'Must be one of: ' || array_to_string(known.choices, ', ')
                      WHEN known.kind = 'int' AND given.said ~ '^[0-9]{1,9}$' AND given.said::int BETWEEN known.low AND known.high THEN NULL
                      WHEN known.kind = 'int' THEN format('Must be an integer between %s and %s', known.low, known.high)
                      WHEN leadanalytics.text_value_fault(given.value, given.name, true, known.high::int) IS NOT NULL THEN format('Must be a text of 1 to %s characters', known.high) END;
        IF fault IS NOT NULL THEN
            PERFORM leadanalytics.fail_field('filters.' || given.name, fault);
        END IF;
        kept := kept || jsonb_build_object(given.name, given.said);
    END LOOP;
    RETURN kept;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_filters(text, json) IS 'filters of an export of a type as a client sends them, checked: LA422';

CREATE FUNCTION leadanalytics.engagement_export_json(export leadanalytics.export)
RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN json_build_object(
        'id', (export).key,
        'status', (export).status,
        'url', leadanalytics.shown_export_url(export, 'engagement'),
        'expiresAt', leadanalytics.utc_milliseconds((export).expires_at));
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_export_json(leadanalytics.export) IS 'an export as the engagement family answers it';

CREATE FUNCTION leadanalytics.ask_engagement_export(
    workspace int, type text, format text DEFAULT 'csv', "from" text DEFAULT NULL, "to" text DEFAULT NULL, filters json DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    period record;
    options jsonb;
    key text;
BEGIN
    IF NOT EXISTS (SELECT FROM leadanalytics.export_type t WHERE t.name = ask_engagement_export.type AND t.family = 'engagement') THEN
        PERFORM leadanalytics.fail_field('type', 'Not a type of export');
    ELSIF coalesce(format NOT IN ('csv', 'json', 'ndjson'), true) THEN
        PERFORM leadanalytics.fail_field('format', 'Must be one of: csv, json, ndjson');
    END IF;
    SELECT * INTO period FROM leadanalytics.engagement_period("from", "to", now);
    options := leadanalytics.engagement_filters(type, filters) || jsonb_build_object('starts', period.starts, 'ends', period.ends, 'from', "from", 'to', "to");
    IF type = 'funnel' THEN
        PERFORM leadanalytics.funnel_records(allowed, options || '{"from": "2000-01-01", "to": "2000-01-01"}', now); -- are there such steps?
    END IF;
    key := leadanalytics.queue_export(allowed, type, format, options, now);
    RETURN leadanalytics.engagement_export_json(leadanalytics.find_export(allowed, key, now));
END
$$;
COMMENT ON FUNCTION leadanalytics.ask_engagement_export(int, text, text, text, text, json, timestamptz) IS
    'S2-18: ask for an export of a type (leadanalytics.export_type) and a time (from, to: as in all the family), narrowed to what filters say; leadanalytics.engagement_export() tells what became of it';
GRANT EXECUTE ON FUNCTION leadanalytics.ask_engagement_export(int, text, text, text, text, json, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.engagement_export(workspace int, export_id text, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found CONSTANT leadanalytics.export := leadanalytics.find_export(leadanalytics.permitted(workspace), export_id, now);
BEGIN
    IF found.key IS NULL THEN
        RAISE EXCEPTION 'Export not found' USING ERRCODE = 'LA404';
    END IF;
    RETURN leadanalytics.engagement_export_json(found);
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_export(int, text, timestamptz) IS 'S2-18: how an export is (processing, completed, failed, expired), and the link to its file; LA404';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_export(int, text, timestamptz) TO leadanalytics_read;

-- Records. Options: starts and ends of the time, which from and to were read as, and the filters.
-- Stretch by stretch, of which each fits into memory: all at once may not.
CREATE FUNCTION leadanalytics.engagement_events_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
DECLARE
    slug CONSTANT text := (SELECT w.slug FROM leadanalytics.workspace w WHERE w.id = engagement_events_records.workspace);
    are_few CONSTANT boolean := options ?| '{leadId,messageId,workflowExecutionId}';
    starts timestamptz := options ->> 'starts';
    until timestamptz := options ->> 'ends';
    since timestamptz;
    length interval := '24 hours';
    n bigint;
BEGIN
    SELECT greatest(starts, min(b.at)), least(until, max(b.at) + interval '1 microsecond') INTO starts, until
    FROM (SELECT unnest(ARRAY[(SELECT min(e.at) FROM leadanalytics.event e WHERE e.workspace = engagement_events_records.workspace),
                              (SELECT max(e.at) FROM leadanalytics.event e WHERE e.workspace = engagement_events_records.workspace),
                              (SELECT min(e.at) FROM leadanalytics.message_event e WHERE e.workspace = engagement_events_records.workspace),
                              (SELECT max(e.at) FROM leadanalytics.message_event e WHERE e.workspace = engagement_events_records.workspace),
                              (SELECT min(s.submitted_at) FROM leadanalytics.lead_submission s WHERE s.workspace = engagement_events_records.workspace),
                              (SELECT max(s.submitted_at) FROM leadanalytics.lead_submission s WHERE s.workspace = engagement_events_records.workspace)]) AS at) AS b
    HAVING count(b.at) > 0;
    WHILE until > starts LOOP
        since := CASE WHEN are_few THEN starts ELSE greatest(starts, until - length) END;
        RETURN QUERY
        SELECT json_build_object('id', leadanalytics.engagement_event_id(e.id), 'tenantId', slug, 'type', e.type, 'leadId', e.lead_id, 'messageId', e.message_id,
                                 'workflowExecutionId', e.workflow_execution_id, 'timestamp', leadanalytics.utc_milliseconds(e.at))
        FROM leadanalytics.engagement_events_rows(engagement_events_records.workspace, since, until,
            CASE WHEN options ? 'eventType' THEN ARRAY[options ->> 'eventType'] END, options ->> 'leadId', options ->> 'messageId', options ->> 'workflowExecutionId') e;
        GET DIAGNOSTICS n = ROW_COUNT;
        until := since;
        length := CASE WHEN n > 100000 THEN greatest(length / 2, '15 minutes') WHEN n < 10000 THEN least(length * 2, '768 hours') ELSE length END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_events_records(int, jsonb, timestamptz) IS 'a record an event (S2-09), the newest first';

CREATE FUNCTION leadanalytics.leads_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
DECLARE
    lead CONSTANT bigint := leadanalytics.find_engagement_lead(workspace, options ->> 'leadId');
BEGIN
    RETURN QUERY
    SELECT leadanalytics.engagement_lead_json(leads_records.workspace, l.id)
    FROM leadanalytics.lead l
    WHERE l.workspace = leads_records.workspace AND l.enquiry_at >= (options ->> 'starts')::timestamptz AND l.enquiry_at < (options ->> 'ends')::timestamptz
          AND (NOT options ? 'leadId' OR l.id = lead)
          AND (NOT options ? 'status' OR leadanalytics.engagement_status(l.status) = options ->> 'status')
          AND (NOT options ? 'ownerId' OR l.owner_id = options ->> 'ownerId')
          AND (NOT options ? 'teamId' OR l.team_id = options ->> 'teamId')
          AND (NOT options ? 'source' OR l.source = options ->> 'source')
    ORDER BY l.enquiry_at, l.id;
END
$$;
COMMENT ON FUNCTION leadanalytics.leads_records(int, jsonb, timestamptz) IS 'a record a lead that came in the time, with what it is now, the oldest first';

CREATE FUNCTION leadanalytics.funnel_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT json_array_elements(leadanalytics.funnel(workspace, options ->> 'steps', coalesce((options ->> 'windowDays')::int, 30), options ->> 'from', options ->> 'to', now));
END
$$;
COMMENT ON FUNCTION leadanalytics.funnel_records(int, jsonb, timestamptz) IS 'a record a step of a funnel, in their order (S2-15)';

CREATE FUNCTION leadanalytics.cohorts_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT json_build_object('cohort', c.cohort, 'size', c.size, 'index', c.index, 'count', c.count, 'rate', leadanalytics.ratio(100 * c.count, c.size))
    FROM leadanalytics.cohorts_rows(workspace, (options ->> 'starts')::timestamptz, (options ->> 'ends')::timestamptz, coalesce(options ->> 'interval', 'week'),
                                    coalesce(options ->> 'metric', 'engaged'), cohorts_records.now) c
    ORDER BY c.cohort, c.index;
END
$$;
COMMENT ON FUNCTION leadanalytics.cohorts_records(int, jsonb, timestamptz) IS 'a record a cohort and period (S2-16)';

CREATE FUNCTION leadanalytics.kpis_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT json_array_elements(leadanalytics.kpis(workspace, options ->> 'from', options ->> 'to', now));
END
$$;
COMMENT ON FUNCTION leadanalytics.kpis_records(int, jsonb, timestamptz) IS 'a record a key figure (S2-14)';

CREATE FUNCTION leadanalytics.team_performance_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT json_array_elements(leadanalytics.team_performance(workspace, options ->> 'from', options ->> 'to', options ->> 'teamId', now));
END
$$;
COMMENT ON FUNCTION leadanalytics.team_performance_records(int, jsonb, timestamptz) IS 'a record a person and team (S2-17)';

INSERT INTO leadanalytics.export_type (name, function, builtin, family, contacts, summary) VALUES
    ('events', 'leadanalytics.engagement_events_records', true, 'engagement', false, 'events of mails, form submissions and page visits'),
    ('leads', 'leadanalytics.leads_records', true, 'engagement', true, 'leads, with status, owner and team'),
    ('funnel', 'leadanalytics.funnel_records', true, 'engagement', false, 'how many got how far on a way of steps'),
    ('cohorts', 'leadanalytics.cohorts_records', true, 'engagement', false, 'leads by the week or month they came in, and what became of them since'),
    ('team_performance', 'leadanalytics.team_performance_records', true, 'engagement', false, 'who had how many leads, and what became of them'),
    ('kpis', 'leadanalytics.kpis_records', true, 'engagement', false, 'key figures, and those of the time before');

INSERT INTO leadanalytics.route (method, path, function, family, roles, success, idempotent, message, summary, example, builtin) VALUES
    ('POST', '/v1/analytics/export', 'leadanalytics.ask_engagement_export', 'engagement', '{live,sandbox}', 202, true, 'Export started', 'Ask for an export, which the worker writes',
     '{"id": "exp_xyz123", "status": "processing", "url": null, "expiresAt": null}', true),
    ('GET', '/v1/analytics/exports/:exportId', 'leadanalytics.engagement_export', 'engagement', '{live,sandbox}', 200, false, NULL, 'How an export is, and the link to its file',
     '{"id": "exp_xyz123", "status": "completed", "url": "https://example.com/v1/analytics/exports/exp_xyz123/download?expires=1795000000&signature=5f2b", "expiresAt": "2026-02-09T11:30:00.000Z"}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, choices, position, example, summary)
SELECT 'POST', '/v1/analytics/export', p.*
FROM (VALUES
    ('type', 'body', 'type', 'text', true, ARRAY(SELECT t.name FROM leadanalytics.export_type t WHERE t.family = 'engagement' ORDER BY t.name), 1, 'events', 'what of'),
    ('format', 'body', 'format', 'text', false, '{csv,json,ndjson}', 2, 'csv', 'how'),
    ('from', 'body', 'from', 'text', false, NULL, 3, '2026-02-01', 'ISO 8601, in UTC without an offset; default: 30 days before to'),
    ('to', 'body', 'to', 'text', false, NULL, 4, '2026-02-28', 'ISO 8601, inclusive, a date all its day; default: today'),
    ('filters', 'body', 'filters', 'json', false, NULL, 5, '{"eventType": "email_open"}',
     (SELECT string_agg(t.said, '; ' ORDER BY t.type) FROM (SELECT f.type, f.type || ': ' || string_agg(f.name, ', ' ORDER BY f.name) AS said
                                                          FROM leadanalytics.engagement_filters() f GROUP BY f.type) AS t))) AS p;
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, position, example, summary) VALUES
    ('GET', '/v1/analytics/exports/:exportId', 'exportId', 'path', 'export_id', 'text', true, 0, 'exp_xyz123', 'the export');
