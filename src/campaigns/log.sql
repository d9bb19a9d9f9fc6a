-- What is known of one message: why an open counts, and why it does not.

CREATE FUNCTION leadanalytics.message_kind_name(kind "char")
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_campaigns_kind_name';
COMMENT ON FUNCTION leadanalytics.message_kind_name("char") IS 'the event that a kind in leadanalytics.message_event is of, as senders call it: sent, delivered, …';
GRANT EXECUTE ON FUNCTION leadanalytics.message_kind_name("char") TO leadanalytics_read;

CREATE FUNCTION leadanalytics.message_events_rows(workspace int, message_id text)
RETURNS TABLE (at timestamptz, received_at timestamptz, event text, is_machine boolean, url text, user_agent text, ip inet, bounce_code text, reason text, is_hard boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(message_events_rows.workspace);
    number CONSTANT bigint := (SELECT m.id FROM leadanalytics.message m WHERE m.workspace = allowed AND m.key = message_events_rows.message_id);
    see_contacts CONSTANT boolean := leadanalytics.sees_contacts(allowed);
BEGIN
    IF number IS NULL THEN
        RAISE EXCEPTION 'Message not found' USING ERRCODE = 'LA404', HINT = 'The message_id its events came with.';
    END IF;
    RETURN QUERY
    SELECT e.at, e.received_at, leadanalytics.message_kind_name(e.kind), m.is_machine, u.text, a.text, CASE WHEN see_contacts THEN e.ip END, e.bounce_code, r.text, e.is_hard
    FROM leadanalytics.marked_message_events(allowed, ARRAY[number]) m
    JOIN (SELECT f.* FROM leadanalytics.message_event f WHERE f.message = number OFFSET 0) AS e ON e.at = m.at AND e.id = m.id
    LEFT JOIN leadanalytics.message_text u ON u.workspace = allowed AND u.id = e.url
    LEFT JOIN leadanalytics.message_text a ON a.workspace = allowed AND a.id = e.agent
    LEFT JOIN leadanalytics.message_text r ON r.workspace = allowed AND r.id = e.reason
    ORDER BY e.at, e.id;
END
$$;
COMMENT ON FUNCTION leadanalytics.message_events_rows(int, text) IS
    'the events of a message in their order; is_machine: an open or click of a scanner or proxy, which counts nowhere; ip for roles that see contacts; LA404: Message not found';
GRANT EXECUTE ON FUNCTION leadanalytics.message_events_rows(int, text) TO leadanalytics_read;
