-- Events of the engagement family (S2-01, S2-09). Those of mails are kept with all other events of messages, form
-- submissions and page visits with all other events of the web (D-63): there are no others.

CREATE FUNCTION leadanalytics.engagement_types()
RETURNS TABLE (type text, kind "char") LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES ('email_sent', 's'::"char"), ('email_open', 'o'), ('link_click', 'c'), ('email_reply', 'r'), ('email_bounce', 'b'), ('form_submission', NULL), ('page_visit', NULL)
$$;
COMMENT ON FUNCTION leadanalytics.engagement_types() IS 'the types of events of the engagement family, and the kind that leadanalytics.message_event has of those of mails';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_types() TO leadanalytics_read;

CREATE FUNCTION leadanalytics.engagement_event_json(workspace int, event leadanalytics.engagement_event)
RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN json_build_object('id', 'evt_' || replace((event).id::text, '-', ''),
                             'tenantId', (SELECT w.slug FROM leadanalytics.workspace w WHERE w.id = engagement_event_json.workspace),
                             'type', (event).type, 'leadId', (event).lead_id, 'messageId', (event).message_id, 'workflowExecutionId', (event).workflow_execution_id,
                             'timestamp', leadanalytics.utc_milliseconds((event).at));
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_event_json(int, leadanalytics.engagement_event) IS 'an event as the engagement family answers it';

-- A mail that nobody named: a sending is one of its own, whatever else happened is one with the lead's other mails
-- without a name (D-31). No sender's id begins with a blank.
CREATE FUNCTION leadanalytics.add_message_engagement(
    workspace int, event leadanalytics.engagement_event, url text, user_agent text, ip inet, received_at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    item leadanalytics.message_item;
BEGIN
    item.index := 0;
    item.kind := (SELECT t.kind FROM leadanalytics.engagement_types() t WHERE t.type = (event).type);
    item.key := coalesce((event).message_id, CASE WHEN item.kind <> 's' AND (event).lead_id IS NOT NULL THEN ' lead ' || (event).lead_id ELSE ' event ' || (event).id END);
    item.event_id := (event).id;
    item.at := (event).at;
    item.at_receipt := false;
    item.lead := (event).lead_id;
    item.workflow := (event).workflow_execution_id;
    item.url := url;
    item.agent := left(user_agent, 512);
    item.ip := ip;
    IF item.kind = 'b' THEN
        item.is_hard := leadanalytics.bounce_is_hard(NULL, NULL, NULL);
        item.reason := leadanalytics.bounce_reason(NULL);
    END IF;
    PERFORM leadanalytics.append_message_events(workspace, ARRAY[item], received_at);
END
$$;
COMMENT ON FUNCTION leadanalytics.add_message_engagement(int, leadanalytics.engagement_event, text, text, inet, timestamptz) IS 'store an event of a mail: for functions that asked who calls';

-- A lead is a person of the web by its id.
CREATE FUNCTION leadanalytics.add_web_engagement(workspace int, event leadanalytics.engagement_event, received_at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    answer json;
BEGIN
    answer := leadanalytics.track(workspace, json_strip_nulls(json_build_object(
        'event_id', (event).id, 'event_name', (event).type, 'user_id', (event).lead_id, 'timestamp', leadanalytics.utc_milliseconds((event).at), 'source', 'engagement',
        'event_data', json_build_object('lead_id', (event).lead_id, 'message_id', (event).message_id, 'workflow_execution_id', (event).workflow_execution_id))),
        now => received_at, as_role => 'admin');
    IF json_array_length(answer -> 'rejected') > 0 THEN
        PERFORM leadanalytics.fail_field('eventType', answer #>> '{rejected,0,error}');
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.add_web_engagement(int, leadanalytics.engagement_event, timestamptz) IS 'store a form submission or page visit: for functions that asked who calls';

CREATE FUNCTION leadanalytics.add_engagement(
    workspace int, event_type text, lead_id text DEFAULT NULL, message_id text DEFAULT NULL, workflow_execution_id text DEFAULT NULL, "timestamp" timestamptz DEFAULT NULL,
    now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    event leadanalytics.engagement_event;
BEGIN
    IF "timestamp" > now + interval '1 day' OR "timestamp" < '2000-01-01 00:00Z' THEN
        PERFORM leadanalytics.fail_field('timestamp', CASE WHEN "timestamp" > now THEN 'Must not be more than 24 hours ahead' ELSE 'Must not be before 2000' END);
    END IF;
    -- One time (D-70): a clock that runs ahead is the receipt's.
    event := ROW(gen_random_uuid(), event_type, lead_id, message_id, workflow_execution_id,
                 date_trunc('milliseconds', CASE WHEN "timestamp" <= now + current_setting('leadanalytics.track_future')::interval THEN "timestamp" ELSE now END));
    IF event_type IN ('form_submission', 'page_visit') THEN
        PERFORM leadanalytics.add_web_engagement(allowed, event, now);
    ELSE
        PERFORM leadanalytics.add_message_engagement(allowed, event, NULL, NULL, NULL, now);
    END IF;
    RETURN leadanalytics.engagement_event_json(allowed, event);
END
$$;
COMMENT ON FUNCTION leadanalytics.add_engagement(int, text, text, text, text, timestamptz, timestamptz) IS
    'store an event: email_sent, email_open, link_click, email_reply, email_bounce, form_submission or page_visit; timestamp null: now';
GRANT EXECUTE ON FUNCTION leadanalytics.add_engagement(int, text, text, text, text, timestamptz, timestamptz) TO leadanalytics_write;

-- Reading.
CREATE FUNCTION leadanalytics.message_engagement(
    workspace int, starts timestamptz, ends timestamptz, kinds "char"[], lead_id text, message_id text, workflow_execution_id text, most bigint)
RETURNS SETOF leadanalytics.engagement_event LANGUAGE plpgsql STABLE AS $$
DECLARE
    messages bigint[];
BEGIN
    IF coalesce(lead_id, message_id, workflow_execution_id) IS NULL THEN
        RETURN QUERY
        SELECT coalesce(e.event_id, leadanalytics.text_digest('message event ' || e.id)), t.type, m.lead, CASE WHEN m.key !~ '^ ' THEN m.key END, m.workflow, e.at
        FROM leadanalytics.message_event e
        JOIN leadanalytics.engagement_types() t ON t.kind = e.kind
        CROSS JOIN LATERAL (SELECT n.lead, n.key, n.workflow FROM leadanalytics.message n WHERE n.workspace = message_engagement.workspace AND n.id = e.message OFFSET 0) AS m
        WHERE e.workspace = message_engagement.workspace AND e.at >= starts AND e.at < ends AND e.kind = ANY (kinds)
        ORDER BY e.at DESC, e.id DESC LIMIT most;
        RETURN;
    END IF;
    messages := CASE
        WHEN message_id IS NOT NULL THEN ARRAY(SELECT m.id FROM leadanalytics.message m WHERE m.workspace = message_engagement.workspace AND m.key = message_id)
        WHEN lead_id IS NOT NULL THEN ARRAY(SELECT m.id FROM leadanalytics.message m WHERE m.workspace = message_engagement.workspace AND m.lead = lead_id)
        ELSE ARRAY(SELECT m.id FROM leadanalytics.message m WHERE m.workspace = message_engagement.workspace AND m.workflow = workflow_execution_id) END;
    RETURN QUERY
    SELECT coalesce(e.event_id, leadanalytics.text_digest('message event ' || e.id)), t.type, m.lead, CASE WHEN m.key !~ '^ ' THEN m.key END, m.workflow, e.at
    FROM unnest(messages) AS u (id)
    CROSS JOIN LATERAL (SELECT n.lead, n.key, n.workflow FROM leadanalytics.message n WHERE n.workspace = message_engagement.workspace AND n.id = u.id OFFSET 0) AS m
    CROSS JOIN LATERAL (SELECT f.event_id, f.kind, f.at, f.id FROM leadanalytics.message_event f WHERE f.message = u.id AND f.at >= starts AND f.at < ends OFFSET 0) AS e
    JOIN leadanalytics.engagement_types() t ON t.kind = e.kind
    WHERE e.kind = ANY (kinds)
          AND (message_engagement.lead_id IS NULL OR m.lead = message_engagement.lead_id)
          AND (message_engagement.workflow_execution_id IS NULL OR m.workflow = message_engagement.workflow_execution_id)
    ORDER BY e.at DESC, e.id DESC LIMIT most;
END
$$;
COMMENT ON FUNCTION leadanalytics.message_engagement(int, timestamptz, timestamptz, "char"[], text, text, text, bigint) IS
    'events of mails from starts until before ends, the newest so many (null: all), of a lead, a message, a workflow''s run, or all: for functions that asked who calls';

CREATE FUNCTION leadanalytics.web_engagement(
    workspace int, starts timestamptz, ends timestamptz, types text[], lead_id text, message_id text, workflow_execution_id text, most bigint)
RETURNS SETOF leadanalytics.engagement_event LANGUAGE plpgsql STABLE AS $$
DECLARE
    numbers int[];
    posted_by bigint;
BEGIN
    IF lead_id IS NULL THEN
        -- Those that were stored as such; the filter of names counts what is above a page.
        RETURN QUERY
        SELECT r.event_id, r.name, r.data ->> 'lead_id', r.data ->> 'message_id', r.data ->> 'workflow_execution_id', r.at
        FROM (SELECT e.event_id, n.type AS name, e.data, e.at, e.id
              FROM unnest(types) AS n (type)
              CROSS JOIN LATERAL (
                  SELECT f.event_id, f.data, f.at, f.id FROM leadanalytics.event f
                  WHERE f.workspace = web_engagement.workspace AND f.at >= starts AND f.at < ends AND NOT f.is_bot
                        AND f.name = (SELECT leadanalytics.text_term(web_engagement.workspace, n.type))
                        AND (web_engagement.message_id IS NULL OR f.data ->> 'message_id' = web_engagement.message_id)
                        AND (web_engagement.workflow_execution_id IS NULL OR f.data ->> 'workflow_execution_id' = web_engagement.workflow_execution_id)
                  ORDER BY f.at DESC LIMIT most) AS e) AS r
        ORDER BY r.at DESC, r.id DESC LIMIT most;
        RETURN;
    END IF;
    numbers := leadanalytics.lead_numbers(workspace, lead_id);
    posted_by := leadanalytics.find_engagement_lead(workspace, lead_id);
    RETURN QUERY
    WITH place AS MATERIALIZED ( -- in the index of what somebody did
        SELECT s.number FROM leadanalytics.session s WHERE s.workspace = web_engagement.workspace AND s.visitor = ANY (numbers) AND s.events > 0
        UNION SELECT g.session FROM leadanalytics.guest g WHERE g.workspace = web_engagement.workspace AND g.number = ANY (numbers)
        UNION SELECT -n.number FROM unnest(numbers) AS n (number)
    ), done AS (
        SELECT coalesce(e.event_id, leadanalytics.text_digest('event ' || e.id)) AS event_id,
               CASE e.kind WHEN 'p' THEN 'page_visit' ELSE 'form_submission' END AS type, e.data, e.at
        FROM place p
        CROSS JOIN LATERAL (SELECT f.* FROM leadanalytics.event f
                            WHERE coalesce(f.session, -coalesce(f.visitor, f.person)) = p.number AND f.workspace = web_engagement.workspace AND f.at >= starts AND f.at < ends OFFSET 0) AS e
        WHERE coalesce(e.visitor, e.person) = ANY (numbers) AND NOT e.is_bot
              AND (e.kind = 'p' OR e.name = (SELECT leadanalytics.text_term(web_engagement.workspace, 'form_submission')))
        UNION ALL
        SELECT leadanalytics.text_digest('submission ' || s.id), 'form_submission', NULL, s.submitted_at
        FROM leadanalytics.lead_submission s
        WHERE s.workspace = web_engagement.workspace AND s.lead = posted_by AND s.submitted_at >= starts AND s.submitted_at < ends
    )
    SELECT d.event_id, d.type, web_engagement.lead_id, d.data ->> 'message_id', d.data ->> 'workflow_execution_id', d.at
    FROM done d
    WHERE d.type = ANY (types)
          AND (web_engagement.message_id IS NULL OR d.data ->> 'message_id' = web_engagement.message_id)
          AND (web_engagement.workflow_execution_id IS NULL OR d.data ->> 'workflow_execution_id' = web_engagement.workflow_execution_id)
    ORDER BY d.at DESC, d.event_id LIMIT most;
END
$$;
COMMENT ON FUNCTION leadanalytics.web_engagement(int, timestamptz, timestamptz, text[], text, text, text, bigint) IS
    'form submissions and page visits from starts until before ends, the newest so many (null: all): of a lead also its visitors'' page views and its posts of forms; '
    'for functions that asked who calls';

-- Everything is one question for the newest of both kinds; how many there are in all is counted beside it.
CREATE FUNCTION leadanalytics.engagement_events_rows(
    workspace int, starts timestamptz, ends timestamptz, types text[] DEFAULT NULL, lead_id text DEFAULT NULL, message_id text DEFAULT NULL,
    workflow_execution_id text DEFAULT NULL, most bigint DEFAULT NULL)
RETURNS SETOF leadanalytics.engagement_event LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(engagement_events_rows.workspace);
    kinds CONSTANT "char"[] := ARRAY(SELECT t.kind FROM leadanalytics.engagement_types() t WHERE t.kind IS NOT NULL AND (types IS NULL OR t.type = ANY (types)));
    of_web CONSTANT text[] := ARRAY(SELECT t.type FROM leadanalytics.engagement_types() t WHERE t.kind IS NULL AND (types IS NULL OR t.type = ANY (types)));
BEGIN
    RETURN QUERY
    SELECT b.* FROM (
        SELECT m.* FROM leadanalytics.message_engagement(allowed, starts, ends, kinds, lead_id, message_id, workflow_execution_id, most) m WHERE cardinality(kinds) > 0
        UNION ALL
        SELECT w.* FROM leadanalytics.web_engagement(allowed, starts, ends, of_web, lead_id, message_id, workflow_execution_id, most) w WHERE cardinality(of_web) > 0) AS b
    ORDER BY b.at DESC, b.id LIMIT most;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_events_rows(int, timestamptz, timestamptz, text[], text, text, text, bigint) IS
    'events of mails, form submissions and page visits from starts until before ends, the newest so many (null: all), of some types (null: all), a lead, a message, a workflow''s run';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_events_rows(int, timestamptz, timestamptz, text[], text, text, text, bigint) TO leadanalytics_read;
