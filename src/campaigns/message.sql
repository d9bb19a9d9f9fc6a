-- Events of messages: read, kept, and what follows from them (see campaigns.tables.sql).

INSERT INTO leadanalytics.partitioned (parent, indexes) VALUES ('message_event', ARRAY[
    'UNIQUE (workspace, event_id) WHERE event_id IS NOT NULL', -- retries
    '(message)',                                               -- all of a message
    '(workspace, at)'                                          -- lists, and the ragged ends of a time
]);

-- Agents of security scanners and of Apple's mail privacy, which loads every image as "Mozilla/5.0" alone. Proxies that
-- load an image when somebody looks at the mail (Gmail's, Yahoo's) are people, whatever their agent says.
CREATE FUNCTION leadanalytics.is_machine_agent(user_agent text)
RETURNS boolean LANGUAGE sql STABLE PARALLEL RESTRICTED AS $$
    SELECT CASE WHEN user_agent IS NULL OR user_agent ~* 'GoogleImageProxy|YahooMailProxy' THEN false
                ELSE user_agent = 'Mozilla/5.0'
                     OR user_agent ~* 'barracuda|proofpoint|mimecast|messagelabs|symantec|fireeye|forcepoint|ironport|safelinks|trendmicro|sophos|zscaler|cloudmark|bitdefender'
                     OR (leadanalytics.agent(user_agent)).is_bot IS TRUE END
$$;
COMMENT ON FUNCTION leadanalytics.is_machine_agent(text) IS 'whether an open or click with this User-Agent is a security scanner''s, a privacy proxy''s or a robot''s; false: not known';
GRANT EXECUTE ON FUNCTION leadanalytics.is_machine_agent(text) TO leadanalytics_read;

-- Bounces (D-65). What is said wins; then the code of RFC 3463, of which 5 is for good and x.2.2 a full mailbox, then SMTP's, then words.
CREATE FUNCTION leadanalytics.bounce_is_hard(bounce_type text, bounce_code text, reason text)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN bounce_type IS NOT NULL THEN bounce_type = 'hard'
                WHEN bounce_code ~ '(^|[^0-9.])[245]\.2\.2([^0-9.]|$)' OR reason ~* '(mailbox|inbox) (is )?full|quota' THEN false
                WHEN bounce_code ~ '(^|[^0-9.])[245]\.[0-9]{1,3}\.[0-9]{1,3}([^0-9.]|$)' THEN bounce_code ~ '(^|[^0-9.])5\.[0-9]{1,3}\.[0-9]{1,3}([^0-9.]|$)'
                WHEN bounce_code ~ '^[0-9]{3}([^0-9]|$)' THEN bounce_code ~ '^5'
                ELSE coalesce(reason ~* 'invalid recipient|(unknown|no such|invalid) (user|mailbox|address|recipient)|(user|mailbox|address|recipient) (is )?unknown|does ?n[o'']t exist', false) END
$$;
COMMENT ON FUNCTION leadanalytics.bounce_is_hard(text, text, text) IS
    'whether a bounce is for good: by its type (hard, soft), else by its code (5.1.1, 550), else by the reason''s words; false: nothing says so';
GRANT EXECUTE ON FUNCTION leadanalytics.bounce_is_hard(text, text, text) TO leadanalytics_read;

-- The subject and detail of RFC 3463 and its registry, in the words of the document where it has any.
CREATE FUNCTION leadanalytics.bounce_reason(bounce_code text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE substring(bounce_code FROM '(?:^|[^0-9.])[245]\.([0-9]{1,3}\.[0-9]{1,3})(?:[^0-9.]|$)')
        WHEN '1.0' THEN 'Invalid recipient' WHEN '1.1' THEN 'Invalid recipient' WHEN '1.2' THEN 'Invalid domain' WHEN '1.3' THEN 'Invalid recipient'
        WHEN '1.6' THEN 'Mailbox moved' WHEN '1.8' THEN 'Invalid sender' WHEN '1.10' THEN 'Domain accepts no mail'
        WHEN '2.0' THEN 'Mailbox unavailable' WHEN '2.1' THEN 'Mailbox disabled' WHEN '2.2' THEN 'Mailbox full' WHEN '2.3' THEN 'Message too large'
        WHEN '3.1' THEN 'Mail system full' WHEN '3.4' THEN 'Message too large'
        WHEN '4.1' THEN 'No answer from host' WHEN '4.2' THEN 'Bad connection' WHEN '4.4' THEN 'No route to host' WHEN '4.6' THEN 'Routing loop' WHEN '4.7' THEN 'Delivery time expired'
        WHEN '7.0' THEN 'Rejected by policy' WHEN '7.1' THEN 'Rejected by policy' WHEN '7.23' THEN 'SPF failed' WHEN '7.20' THEN 'DKIM failed' WHEN '7.26' THEN 'Not authenticated'
        ELSE 'Unknown' END
$$;
COMMENT ON FUNCTION leadanalytics.bounce_reason(text) IS 'why a message with that code bounced, in words (RFC 3463): for bounces that come without a reason';
GRANT EXECUTE ON FUNCTION leadanalytics.bounce_reason(text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.message_items(body json, now timestamptz)
RETURNS SETOF leadanalytics.message_item LANGUAGE c STABLE ROWS 1000 AS 'MODULE_PATHNAME', 'la_campaigns_message_items';
COMMENT ON FUNCTION leadanalytics.message_items(json, timestamptz) IS 'the events of a body, each with what is wrong with it';

CREATE FUNCTION leadanalytics.append_message_events(workspace int, items leadanalytics.message_item[], received_at timestamptz DEFAULT now())
RETURNS bigint LANGUAGE c STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'la_campaigns_append_message_events';
COMMENT ON FUNCTION leadanalytics.append_message_events(int, leadanalytics.message_item[], timestamptz) IS
    'add events of messages: how many were new. For loading many at once, from rows instead of JSON (some 10 000 a call); of an item key, kind and at are required, index must tell items apart';
GRANT EXECUTE ON FUNCTION leadanalytics.append_message_events(int, leadanalytics.message_item[], timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.put_message_events(workspace int, events json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(put_message_events.workspace);
    items leadanalytics.message_item[];
BEGIN
    items := ARRAY(SELECT i FROM leadanalytics.message_items(events, now) i);
    PERFORM leadanalytics.append_message_events(allowed, items, now);
    RETURN leadanalytics.accepted(ARRAY(SELECT i.error FROM unnest(items) i ORDER BY i.index));
END
$$;
COMMENT ON FUNCTION leadanalytics.put_message_events(int, json, timestamptz) IS
    'store events of messages: one {message_id, event, event_id, timestamp, campaign_id, domain_id, mailbox_id, sending_ip, lead_id, recipient, workflow_execution_id, bounce_type, '
    'bounce_code, reason, url, user_agent, ip}, or an array of at most 1 000; one that comes again changes nothing';
GRANT EXECUTE ON FUNCTION leadanalytics.put_message_events(int, json, timestamptz) TO leadanalytics_write;
