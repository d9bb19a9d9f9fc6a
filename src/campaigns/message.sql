-- Events of messages: read, kept, and what follows from them (see campaigns.tables.sql).

INSERT INTO leadanalytics.partitioned (parent, indexes) VALUES ('message_event', ARRAY[
    'UNIQUE (workspace, event_id) WHERE event_id IS NOT NULL', -- retries
    '(message)',                                               -- all of a message
    '(workspace, at)'                                          -- lists, and the ragged ends of a time
]);

CREATE FUNCTION leadanalytics.text_digest(text text)
RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT encode(substring(sha256(convert_to(text, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid
$$;
COMMENT ON FUNCTION leadanalytics.text_digest(text) IS 'the first 16 bytes of a text''s SHA-256';

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
RETURNS SETOF leadanalytics.message_item LANGUAGE c STABLE STRICT ROWS 1000 AS 'MODULE_PATHNAME', 'la_campaigns_message_items';
COMMENT ON FUNCTION leadanalytics.message_items(json, timestamptz) IS 'the events of a body, each with what is wrong with it';

-- Two batches at once wait for each other and never in a circle: campaigns and the like are made in the order of their
-- keys, messages are locked in the order of theirs, and whoever adds to a message holds it until the end.
CREATE FUNCTION leadanalytics.append_message_events(workspace int, items leadanalytics.message_item[], received_at timestamptz DEFAULT now())
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(append_message_events.workspace);
    received CONSTANT timestamptz := append_message_events.received_at;
    by_the_edge CONSTANT boolean := date_trunc('month', received AT TIME ZONE 'UTC') <> date_trunc('month', (received - interval '1 day') AT TIME ZONE 'UTC');
    month date;
    added bigint;
BEGIN
    -- Every look-up is a probe of its own (OFFSET 0): joined, a plan made while tables were small would read all of a workspace.
    INSERT INTO leadanalytics.campaign (workspace, key, name, created_at)
    SELECT allowed, k.key, k.key, received FROM (SELECT DISTINCT i.campaign AS key FROM unnest(items) i WHERE i.error IS NULL AND i.campaign IS NOT NULL) AS k
    WHERE NOT EXISTS (SELECT FROM leadanalytics.campaign c WHERE c.workspace = allowed AND c.key = k.key OFFSET 0)
    ORDER BY k.key ON CONFLICT DO NOTHING;

    INSERT INTO leadanalytics.sending_domain (workspace, key, name, created_at)
    SELECT allowed, k.key, k.key, received FROM (SELECT DISTINCT i.domain AS key FROM unnest(items) i WHERE i.error IS NULL AND i.domain IS NOT NULL) AS k
    WHERE NOT EXISTS (SELECT FROM leadanalytics.sending_domain d WHERE d.workspace = allowed AND d.key = k.key OFFSET 0)
    ORDER BY k.key ON CONFLICT DO NOTHING;

    INSERT INTO leadanalytics.mailbox (workspace, key, created_at)
    SELECT allowed, k.key, received FROM (SELECT DISTINCT i.mailbox AS key FROM unnest(items) i WHERE i.error IS NULL AND i.mailbox IS NOT NULL) AS k
    WHERE NOT EXISTS (SELECT FROM leadanalytics.mailbox b WHERE b.workspace = allowed AND b.key = k.key OFFSET 0)
    ORDER BY k.key ON CONFLICT DO NOTHING;

    INSERT INTO leadanalytics.message_text (workspace, digest, text)
    SELECT allowed, t.digest, t.text
    FROM (SELECT leadanalytics.text_digest(d.text) AS digest, d.text
          FROM (SELECT DISTINCT v.text COLLATE "C" AS text FROM unnest(items) i, LATERAL (VALUES (i.url), (i.agent), (i.reason)) AS v (text)
                WHERE i.error IS NULL AND v.text IS NOT NULL) AS d OFFSET 0) AS t
    WHERE NOT EXISTS (SELECT FROM leadanalytics.message_text k WHERE k.workspace = allowed AND k.digest = t.digest OFFSET 0)
    ORDER BY t.digest ON CONFLICT DO NOTHING;

    FOR month IN SELECT DISTINCT date_trunc('month', i.at AT TIME ZONE 'UTC')::date FROM unnest(items) i WHERE i.error IS NULL ORDER BY 1 LOOP
        PERFORM leadanalytics.make_leaf('message_event', month);
    END LOOP;

    INSERT INTO leadanalytics.message (workspace, id, key)
    SELECT allowed, nextval('leadanalytics.message_number'), k.key
    FROM (SELECT k.key FROM (SELECT DISTINCT i.key FROM unnest(items) i WHERE i.error IS NULL) AS k
          WHERE NOT EXISTS (SELECT FROM leadanalytics.message m WHERE m.workspace = allowed AND m.key = k.key OFFSET 0) ORDER BY 1) AS k
    ON CONFLICT DO NOTHING;
    PERFORM FROM (SELECT DISTINCT i.key FROM unnest(items) i WHERE i.error IS NULL ORDER BY 1) AS k
    CROSS JOIN LATERAL (SELECT FROM leadanalytics.message m WHERE m.workspace = allowed AND m.key = k.key OFFSET 0 FOR NO KEY UPDATE) AS m;

    INSERT INTO leadanalytics.message_event (at, received_at, message, workspace, campaign, domain, mailbox, url, agent, reason, kind, is_machine, is_hard, event_id,
                                             sending_ip, ip, lead, recipient, workflow, bounce_code)
    SELECT i.at, received, m.id, allowed, c.id, coalesce(d.id, b.domain), b.id, u.id, a.id, r.id, i.kind,
           coalesce(g.is_machine, false), i.is_hard, i.event_id, i.sending_ip, i.ip, i.lead, i.recipient, i.workflow, i.bounce_code
    FROM unnest(items) i
    CROSS JOIN LATERAL (SELECT m.id FROM leadanalytics.message m WHERE m.workspace = allowed AND m.key = i.key OFFSET 0) AS m
    LEFT JOIN LATERAL (SELECT c.id FROM leadanalytics.campaign c WHERE c.workspace = allowed AND c.key = i.campaign OFFSET 0) AS c ON true
    LEFT JOIN LATERAL (SELECT d.id FROM leadanalytics.sending_domain d WHERE d.workspace = allowed AND d.key = i.domain OFFSET 0) AS d ON true
    LEFT JOIN LATERAL (SELECT b.id, b.domain FROM leadanalytics.mailbox b WHERE b.workspace = allowed AND b.key = i.mailbox OFFSET 0) AS b ON true
    LEFT JOIN LATERAL (SELECT t.id FROM leadanalytics.message_text t WHERE t.workspace = allowed AND t.digest = leadanalytics.text_digest(i.url) OFFSET 0) AS u ON true
    LEFT JOIN LATERAL (SELECT t.id FROM leadanalytics.message_text t WHERE t.workspace = allowed AND t.digest = leadanalytics.text_digest(i.agent) OFFSET 0) AS a ON true
    LEFT JOIN LATERAL (SELECT t.id FROM leadanalytics.message_text t WHERE t.workspace = allowed AND t.digest = leadanalytics.text_digest(i.reason) OFFSET 0) AS r ON true
    LEFT JOIN LATERAL (SELECT leadanalytics.is_machine_agent(i.agent) AS is_machine WHERE i.agent IS NOT NULL) AS g ON true
    WHERE i.error IS NULL
          -- A month's leaf knows nothing of the one before: what comes without a time may come again on the other side.
          AND NOT (by_the_edge AND i.at_receipt
                   AND EXISTS (SELECT FROM leadanalytics.message_event e
                               WHERE e.workspace = allowed AND e.event_id = i.event_id AND e.at BETWEEN received - interval '1 day' AND received OFFSET 0))
    ORDER BY i.event_id, i.index
    ON CONFLICT DO NOTHING; -- and the trigger settles their messages
    GET DIAGNOSTICS added = ROW_COUNT;

    RETURN added;
END
$$;
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
