-- Events of the engagement family (S2-01, S2-09). Those of mails are kept with all other events of messages, form
-- submissions and page visits with all other events of the web (D-63): there are no others.

CREATE FUNCTION leadanalytics.engagement_types()
RETURNS TABLE (type text, kind "char") LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES ('email_sent', 's'::"char"), ('email_open', 'o'), ('link_click', 'c'), ('email_reply', 'r'), ('email_bounce', 'b'), ('form_submission', NULL), ('page_visit', NULL)
$$;
COMMENT ON FUNCTION leadanalytics.engagement_types() IS 'the types of events of the engagement family, and the kind that leadanalytics.message_event has of those of mails';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_types() TO leadanalytics_read;

CREATE FUNCTION leadanalytics.message_kinds(types text[])
RETURNS "char"[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY(SELECT t.kind FROM leadanalytics.engagement_types() t WHERE t.kind IS NOT NULL AND t.type = ANY (types))
$$;
COMMENT ON FUNCTION leadanalytics.message_kinds(text[]) IS 'the kinds that leadanalytics.message_event has of those of these types that are of mails';

CREATE FUNCTION leadanalytics.engagement_event_id(id uuid)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 'evt_' || replace(id::text, '-', '')
$$;
COMMENT ON FUNCTION leadanalytics.engagement_event_id(uuid) IS 'an event''s id as the engagement family says it';

CREATE FUNCTION leadanalytics.engagement_event_json(workspace int, event leadanalytics.engagement_event)
RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN json_build_object('id', leadanalytics.engagement_event_id((event).id),
                             'tenantId', (SELECT w.slug FROM leadanalytics.workspace w WHERE w.id = engagement_event_json.workspace),
                             'type', (event).type, 'leadId', (event).lead_id, 'messageId', (event).message_id, 'workflowExecutionId', (event).workflow_execution_id,
                             'timestamp', leadanalytics.utc_milliseconds((event).at));
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_event_json(int, leadanalytics.engagement_event) IS 'an event as the engagement family answers it';

-- Ids are others' and stay as they came; but a blank before one is ours (below), and links cannot carry what does not print.
CREATE FUNCTION leadanalytics.check_engagement_ids(lead_id text, message_id text, workflow_execution_id text)
RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
    wrong json;
BEGIN
    SELECT json_agg(json_build_object('field', i.name, 'message', 'Invalid ' || i.name)) INTO wrong
    FROM (VALUES ('leadId', lead_id), ('messageId', message_id), ('workflowExecutionId', workflow_execution_id)) AS i (name, value)
    WHERE char_length(i.value) NOT BETWEEN 1 AND 128 OR i.value <> btrim(i.value) OR i.value ~ E'[\x01-\x1f\x7f]';
    IF wrong IS NOT NULL THEN
        PERFORM leadanalytics.fail(422, 'Validation failed', errors => wrong);
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.check_engagement_ids(text, text, text) IS 'LA422 unless ids are of 1 to 128 characters, with no blank at either end and no control characters';

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
    PERFORM leadanalytics.check_engagement_ids(lead_id, message_id, workflow_execution_id);
    IF NOT EXISTS (SELECT FROM leadanalytics.engagement_types() t WHERE t.type = event_type) THEN
        PERFORM leadanalytics.fail_field('eventType', 'Invalid eventType');
    END IF;
    PERFORM leadanalytics.check_engagement_time('timestamp', "timestamp", now);
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
