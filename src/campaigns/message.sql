-- Events of messages: read, kept, and what follows from them (see campaigns.tables.sql).

INSERT INTO leadanalytics.partitioned (parent, indexes) VALUES ('message_event', ARRAY[
    'UNIQUE (workspace, event_id) WHERE event_id IS NOT NULL', -- retries
    '(message)',                                               -- all of a message
    '(workspace, at)'                                          -- lists, and the ragged ends of a time
]);

CREATE FUNCTION leadanalytics.message_kind(event text)
RETURNS "char" LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE event WHEN 'sent' THEN 's' WHEN 'delivered' THEN 'd' WHEN 'bounced' THEN 'b' WHEN 'opened' THEN 'o' WHEN 'clicked' THEN 'c'
                      WHEN 'replied' THEN 'r' WHEN 'complained' THEN 'p' WHEN 'unsubscribed' THEN 'u' END::"char"
$$;
COMMENT ON FUNCTION leadanalytics.message_kind(text) IS 'the kind of an event of a message, as leadanalytics.message_event has it; null: there is no such event';

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

-- A server says when things happened, however long ago: other than a browser's, its past is believed. Its future is not.
CREATE FUNCTION leadanalytics.message_items(body json, now timestamptz)
RETURNS SETOF leadanalytics.message_item LANGUAGE sql STABLE AS $$
    -- Each step once an item: in one expression it would be worked out wherever it is used.
    WITH given AS MATERIALIZED (
        SELECT i.index, json_typeof(i.item) AS type, leadanalytics.message_kind(r.event #>> '{}') AS kind, leadanalytics.moment(r.timestamp #>> '{}') AS said_at, r.*
        FROM leadanalytics.items(body) i
        CROSS JOIN LATERAL json_to_record(CASE json_typeof(i.item) WHEN 'object' THEN i.item ELSE '{}' END) AS r (
            message_id json, event json, event_id json, "timestamp" json, campaign_id json, domain_id json, mailbox_id json, sending_ip json, lead_id json,
            recipient json, workflow_execution_id json, bounce_type json, bounce_code json, reason json, url json, user_agent json, ip json)
    ), judged AS MATERIALIZED (
        SELECT g.*, coalesce(
            CASE WHEN g.type <> 'object' THEN 'Not an object' END,
            leadanalytics.text_value_fault(g.message_id, 'message_id', true, 200),
            leadanalytics.text_value_fault(g.event, 'event', true, 20),
            CASE WHEN g.kind IS NULL THEN 'Invalid event' END,
            leadanalytics.text_value_fault(g.event_id, 'event_id', false, 200),
            CASE WHEN json_typeof(g.timestamp) <> 'null' AND (json_typeof(g.timestamp) NOT IN ('string', 'number') OR g.said_at IS NULL OR g.said_at < '2000-01-01 00:00Z')
                 THEN 'Invalid timestamp' END,
            leadanalytics.text_value_fault(g.campaign_id, 'campaign_id', false, 200),
            leadanalytics.text_value_fault(g.domain_id, 'domain_id', false, 200),
            leadanalytics.text_value_fault(g.mailbox_id, 'mailbox_id', false, 200),
            leadanalytics.ip_value_fault(g.sending_ip, 'sending_ip'),
            leadanalytics.text_value_fault(g.lead_id, 'lead_id', false, 128),
            leadanalytics.text_value_fault(g.recipient, 'recipient', false, 320),
            leadanalytics.text_value_fault(g.workflow_execution_id, 'workflow_execution_id', false, 128),
            leadanalytics.text_value_fault(g.bounce_type, 'bounce_type', false, 4),
            CASE WHEN g.bounce_type #>> '{}' NOT IN ('hard', 'soft', '') THEN 'Invalid bounce_type' END,
            leadanalytics.text_value_fault(g.bounce_code, 'bounce_code', false, 100),
            leadanalytics.text_value_fault(g.reason, 'reason', false, 500),
            leadanalytics.text_value_fault(g.url, 'url', false, 2048),
            leadanalytics.text_value_fault(g.user_agent, 'user_agent', false, 2000),
            leadanalytics.ip_value_fault(g.ip, 'ip')) AS error
        FROM given g
    ), read AS MATERIALIZED (
        SELECT j.index, btrim(j.message_id #>> '{}') AS key, j.kind, j.said_at, coalesce(j.said_at > now + current_setting('leadanalytics.track_future')::interval, true) AS at_receipt,
               nullif(btrim(j.event_id #>> '{}'), '') AS event_id, nullif(btrim(j.campaign_id #>> '{}'), '') AS campaign, nullif(btrim(j.domain_id #>> '{}'), '') AS domain,
               nullif(btrim(j.mailbox_id #>> '{}'), '') AS mailbox, nullif(j.sending_ip #>> '{}', '')::inet AS sending_ip, nullif(btrim(j.lead_id #>> '{}'), '') AS lead,
               nullif(btrim(j.recipient #>> '{}'), '') AS recipient, nullif(btrim(j.workflow_execution_id #>> '{}'), '') AS workflow,
               nullif(j.bounce_type #>> '{}', '') AS bounce_type, nullif(btrim(j.bounce_code #>> '{}'), '') AS bounce_code, nullif(btrim(j.reason #>> '{}'), '') AS reason,
               nullif(btrim(j.url #>> '{}'), '') AS url, nullif(btrim(left(j.user_agent #>> '{}', 512)), '') AS agent, nullif(j.ip #>> '{}', '')::inet AS ip
        FROM judged j WHERE j.error IS NULL
    )
    SELECT r.index, NULL::text, r.key, r.kind,
           -- One that comes without an id is known again by what it says, if it says when it was.
           CASE WHEN r.event_id ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN r.event_id::uuid
                WHEN r.event_id IS NOT NULL THEN leadanalytics.text_digest(r.event_id)
                WHEN r.said_at IS NOT NULL THEN leadanalytics.text_digest(concat_ws(chr(1), r.key, r.kind, extract(epoch FROM r.said_at), r.url, r.bounce_code)) END,
           CASE WHEN r.at_receipt THEN now ELSE r.said_at END, r.at_receipt, r.campaign, r.domain, r.mailbox, r.sending_ip, r.lead, r.recipient, r.workflow,
           CASE WHEN r.kind = 'b' THEN leadanalytics.bounce_is_hard(r.bounce_type, r.bounce_code, r.reason) END,
           CASE WHEN r.kind = 'b' THEN r.bounce_code END, CASE WHEN r.kind = 'b' THEN coalesce(r.reason, leadanalytics.bounce_reason(r.bounce_code)) END,
           CASE WHEN r.kind = 'c' THEN r.url END, CASE WHEN r.kind IN ('o', 'c') THEN r.agent END, CASE WHEN r.kind IN ('o', 'c') THEN r.ip END
    FROM read r
    UNION ALL
    SELECT j.index, j.error, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM judged j WHERE j.error IS NOT NULL
    ORDER BY 1
$$;
COMMENT ON FUNCTION leadanalytics.message_items(json, timestamptz) IS 'the events of a body, each with what is wrong with it';

CREATE FUNCTION leadanalytics.message_states(
    messages bigint[], since timestamptz,
    OUT id bigint, OUT first_at timestamptz, OUT campaign int, OUT domain int, OUT mailbox int, OUT sending_ip inet, OUT lead text, OUT recipient text, OUT workflow text,
    OUT sent_at timestamptz, OUT delivered_at timestamptz, OUT bounced_at timestamptz, OUT is_hard boolean, OUT reason int, OUT opened_at timestamptz,
    OUT clicked_at timestamptz, OUT replied_at timestamptz, OUT complained_at timestamptz, OUT unsubscribed_at timestamptz)
RETURNS SETOF record LANGUAGE c STABLE STRICT ROWS 10 AS 'MODULE_PATHNAME', 'la_campaigns_message_states';
COMMENT ON FUNCTION leadanalytics.message_states(bigint[], timestamptz) IS
    'what follows from the events of messages, none of which is earlier than since: their columns in leadanalytics.message';

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
    LEFT JOIN LATERAL (SELECT leadanalytics.is_machine_agent(i.agent) AS is_machine WHERE i.agent IS NOT NULL AND i.kind IN ('o', 'c')) AS g ON true
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
