-- From the outbox to what became of each delivery. The worker's unit deliver() (deliver.c) goes round and round in these
-- functions, each in a transaction of its own: fan_out(), claim_deliveries(), then it sends, outside of any, and
-- record_delivery().
--
-- Each delivery is sent at least once: whoever ends between sending and recording leaves a lease that runs out, and
-- the same bytes with the same id are sent again. A lease outlives the longest sending, so nothing else does that.

CREATE FUNCTION leadanalytics.webhook_signature(body text, secret text)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'sha256=' || encode(leadanalytics.hmac_sha256(convert_to(body, 'UTF8'), convert_to(secret, 'UTF8')), 'hex')
$$;
COMMENT ON FUNCTION leadanalytics.webhook_signature(text, text) IS
    'the header X-Leadron-Signature of a body: sha256= and the hexadecimal digits of its HMAC-SHA256 with the webhook''s secret';
GRANT EXECUTE ON FUNCTION leadanalytics.webhook_signature(text, text) TO leadanalytics_read;

-- Data goes as it is, byte by byte.
CREATE FUNCTION leadanalytics.webhook_envelope(occurrence text, topic text, at timestamptz, data json)
RETURNS json LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT format('{"id":%s,"type":%s,"createdAt":"%s","data":%s}', to_json(occurrence), to_json(topic), leadanalytics.utc_milliseconds(at), coalesce(data, 'null'))::json
$$;
COMMENT ON FUNCTION leadanalytics.webhook_envelope(text, text, timestamptz, json) IS 'the body that webhooks are told of an occurrence with';

CREATE FUNCTION leadanalytics.is_public(address inet)
RETURNS boolean LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_webhook_address_public';
COMMENT ON FUNCTION leadanalytics.is_public(inet) IS
    'whether it is an address of the public internet, where a webhook may lead: not of a machine, a network or a registry''s own use, nor one that stands for such an address';
GRANT EXECUTE ON FUNCTION leadanalytics.is_public(inet) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.fan_out(n int, now timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    taken int;
BEGIN
    WITH first AS MATERIALIZED (
        SELECT o.workspace, o.id FROM leadanalytics.outbox o ORDER BY o.id LIMIT fan_out.n FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM leadanalytics.outbox o USING first f WHERE o.workspace = f.workspace AND o.id = f.id
        RETURNING o.*
    ), occurrence AS MATERIALIZED (
        -- not made of the row's number: a database restored from yesterday's dump gives the same ones again
        SELECT g.workspace, g.id, g.topic, g.body, g.created_at, 'evt_' || left(leadanalytics.new_secret(), 24) AS key FROM gone g
    ), told AS (
        INSERT INTO leadanalytics.delivery (workspace, webhook, occurrence, topic, body, next_at, created_at)
        SELECT o.workspace, w.key, o.key, o.topic,
               leadanalytics.webhook_envelope(o.key, o.topic, o.created_at, o.body)::text,
               fan_out.now, fan_out.now
        FROM occurrence o
        JOIN leadanalytics.webhook w ON w.workspace = o.workspace AND w.active
            AND CASE WHEN o.topic = 'conversion.postback' THEN w.platform = o.body ->> 'platform'
                     ELSE o.topic = ANY (w.topics) OR ('*' = ANY (w.topics) AND w.platform IS NULL) END
        ORDER BY o.id, w.key
        FOR KEY SHARE OF w -- one that is being deleted takes no delivery: waiting for it is better than to fail with all the others'
    )
    SELECT count(*) INTO taken FROM occurrence;
    RETURN taken;
END
$$;
COMMENT ON FUNCTION leadanalytics.fan_out(int, timestamptz) IS
    'make deliveries of the first n occurrences of the outbox, one for each active webhook that wants the topic, and take them out; how many occurrences it took';

-- What nobody counted on when it was written: a time after this one, because the clock was set back since.
CREATE FUNCTION leadanalytics.mend_deliveries(now timestamptz)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE leadanalytics.delivery d
    SET next_at = mend_deliveries.now + (d.next_at - coalesce(d.tried_at, d.created_at)), tried_at = mend_deliveries.now,
        leased_until = mend_deliveries.now + (d.leased_until - coalesce(d.tried_at, d.created_at))
    WHERE d.status = 'waiting' AND coalesce(d.tried_at, d.created_at) > mend_deliveries.now
$$;
COMMENT ON FUNCTION leadanalytics.mend_deliveries(timestamptz) IS 'after the clock was set back: have pauses begin now that began in the future';

CREATE FUNCTION leadanalytics.delivery_lease(mail boolean)
RETURNS interval LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN mail THEN interval '120 seconds' ELSE coalesce(current_setting('leadanalytics.webhook_timeout', true), '10s')::interval END
           + interval '30 seconds'
$$;
COMMENT ON FUNCTION leadanalytics.delivery_lease(boolean) IS 'how long who sends a delivery may be silent: longer than sending takes';

-- Fair to workspaces, then to webhooks: each one's first delivery comes before anybody's second, those that are being
-- sent counted. So a receiver that hangs fills its own places and nobody else's.
CREATE FUNCTION leadanalytics.next_deliveries(places int, busy bigint[], now timestamptz)
RETURNS TABLE (workspace int, id bigint) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE queue AS (
        (SELECT d.workspace, coalesce(d.webhook, '') AS webhook FROM leadanalytics.delivery d WHERE d.status = 'waiting'
         ORDER BY d.workspace, coalesce(d.webhook, '') LIMIT 1)
        UNION ALL
        SELECT next.* FROM queue q
        CROSS JOIN LATERAL (
            SELECT d.workspace, coalesce(d.webhook, '') FROM leadanalytics.delivery d
            WHERE d.status = 'waiting' AND (d.workspace, coalesce(d.webhook, '')) > (q.workspace, q.webhook)
            ORDER BY d.workspace, coalesce(d.webhook, '') LIMIT 1) AS next
    ), sent AS MATERIALIZED ( -- now
        SELECT d.workspace, coalesce(d.webhook, '') AS webhook, count(*)::int AS n FROM leadanalytics.delivery d
        WHERE d.leased_until > next_deliveries.now GROUP BY 1, 2
    ), candidate AS (
        SELECT q.workspace, d.id, d.next_at, coalesce(s.n, 0) + row_number() OVER (PARTITION BY q.workspace, q.webhook ORDER BY d.next_at, d.id) AS turn
        FROM queue q
        LEFT JOIN leadanalytics.webhook w ON w.workspace = q.workspace AND w.key = q.webhook
        LEFT JOIN sent s ON s.workspace = q.workspace AND s.webhook = q.webhook
        CROSS JOIN LATERAL (
            SELECT d.id, d.next_at FROM leadanalytics.delivery d
            WHERE d.workspace = q.workspace AND coalesce(d.webhook, '') = q.webhook AND d.status = 'waiting' AND d.next_at <= next_deliveries.now
                  AND d.id <> ALL (busy)
            ORDER BY d.next_at, d.id
            LIMIT greatest(coalesce(w.at_once, 2) - coalesce(s.n, 0), 0)) AS d
        WHERE q.webhook = '' OR w.active
    ), ranked AS (
        SELECT c.workspace, c.id, c.next_at,
               coalesce((SELECT sum(s.n) FROM sent s WHERE s.workspace = c.workspace), 0)
               + row_number() OVER (PARTITION BY c.workspace ORDER BY c.turn, c.next_at, c.id) AS turn
        FROM candidate c
    )
    SELECT r.workspace, r.id FROM ranked r ORDER BY r.turn, r.next_at, r.id LIMIT places
$$;
COMMENT ON FUNCTION leadanalytics.next_deliveries(int, bigint[], timestamptz) IS
    'which deliveries are to be sent now, first things first, places of them at the most and none that is in busy: as many of each webhook as may be under way at once (of a workspace''s mails two)';

CREATE FUNCTION leadanalytics.claim_deliveries(places int, busy bigint[], now timestamptz)
RETURNS TABLE (workspace int, id bigint, attempt int, url text, mark text, recipient text, subject text, body text, topic text,
               occurrence text, attachment text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off AS $$
#variable_conflict use_column
BEGIN
    -- Two who claim at once would both count what neither has taken yet.
    PERFORM pg_advisory_xact_lock(hashtextextended('leadanalytics.claim_deliveries', 0));
    RETURN QUERY
    WITH free AS MATERIALIZED (
        -- each by its id: a plan of when nothing waited would go through all that waits
        SELECT d.workspace, d.id FROM leadanalytics.next_deliveries(places, busy, claim_deliveries.now) n
        CROSS JOIN LATERAL (
            SELECT w.* FROM leadanalytics.delivery w WHERE w.workspace = n.workspace AND w.id = n.id OFFSET 0
            FOR NO KEY UPDATE SKIP LOCKED) AS d
        WHERE d.status = 'waiting' AND d.next_at <= claim_deliveries.now
    ), claimed AS (
        UPDATE leadanalytics.delivery d
        SET attempts = d.attempts + 1, tried_at = claim_deliveries.now,
            leased_until = claim_deliveries.now + leadanalytics.delivery_lease(d.webhook IS NULL),
            next_at = claim_deliveries.now + leadanalytics.delivery_lease(d.webhook IS NULL)
        FROM free f WHERE d.workspace = f.workspace AND d.id = f.id
        RETURNING d.*
    )
    SELECT c.workspace, c.id, c.attempts, w.url,
           CASE WHEN c.webhook IS NULL THEN left(encode(sha256(convert_to(concat_ws(' ', c.workspace, c.id, c.occurrence, extract(epoch FROM c.created_at)), 'UTF8')), 'hex'), 32)
                ELSE leadanalytics.webhook_signature(c.body, w.secret) END,
           c.recipient, c.subject, c.body, c.topic, c.occurrence,
           c.attachment
    FROM claimed c LEFT JOIN leadanalytics.webhook w ON w.workspace = c.workspace AND w.key = c.webhook
    ORDER BY c.id;
END
$$;
COMMENT ON FUNCTION leadanalytics.claim_deliveries(int, bigint[], timestamptz) IS
    'take deliveries that are due to send them: each is ours until its lease runs out or the attempt is recorded; mark: a webhook''s signature, or what makes a mail''s Message-ID. To be committed before they are sent';

CREATE FUNCTION leadanalytics.delivery_pause(attempts int)
RETURNS interval LANGUAGE sql STABLE AS $$
    SELECT least(coalesce(current_setting('leadanalytics.webhook_retry', true), '10s')::interval * (2 ^ least(greatest(attempts, 1) - 1, 20)),
                 coalesce(current_setting('leadanalytics.webhook_retry_max', true), '6h')::interval)
$$;
COMMENT ON FUNCTION leadanalytics.delivery_pause(int) IS 'the pause after so many failed attempts, before chance makes it up to a fifth longer or shorter';

CREATE FUNCTION leadanalytics.record_delivery(
    workspace int, delivery bigint, attempt int, answer_status int, answer text, error text, retry_after int DEFAULT NULL, final boolean DEFAULT false,
    now timestamptz DEFAULT now())
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    sent leadanalytics.delivery;
    outcome text;
    pause interval;
    why text := error;
BEGIN
    -- Not ours any more when the lease ran out and somebody else took it, when it was replayed, or when it is gone.
    SELECT * INTO sent FROM leadanalytics.delivery d
    WHERE d.workspace = record_delivery.workspace AND d.id = record_delivery.delivery
    FOR NO KEY UPDATE;
    IF NOT FOUND OR sent.status <> 'waiting' OR sent.attempts <> attempt OR sent.leased_until IS NULL THEN
        RETURN NULL;
    END IF;
    IF why IS NULL AND sent.webhook IS NOT NULL AND answer_status NOT BETWEEN 200 AND 299 THEN
        why := format('the receiver answered %s', answer_status);
    END IF;
    -- Gone (410) is gone; what the mail server takes for wrong stays wrong, unless it is we whom it does not know.
    outcome := CASE
        WHEN why IS NULL THEN 'delivered'
        WHEN final OR (sent.webhook IS NOT NULL AND answer_status = 410)
             OR (sent.webhook IS NULL AND answer_status BETWEEN 500 AND 599 AND answer_status NOT IN (530, 534, 535, 538)) THEN 'dead'
        WHEN attempt - sent.attempts_before >= coalesce(current_setting('leadanalytics.webhook_attempts', true), '16')::int THEN 'dead'
        ELSE 'waiting' END;
    pause := leadanalytics.delivery_pause(attempt - sent.attempts_before) * (0.8 + 0.4 * random());
    IF retry_after > 0 THEN
        pause := greatest(pause, least(make_interval(secs => retry_after), coalesce(current_setting('leadanalytics.webhook_retry_max', true), '6h')::interval));
    END IF;
    UPDATE leadanalytics.delivery d
    SET status = outcome, leased_until = NULL, answer_status = record_delivery.answer_status, answer = record_delivery.answer, error = why,
        next_at = CASE outcome WHEN 'waiting' THEN record_delivery.now + pause ELSE record_delivery.now END,
        -- the pause begins now, see mend_deliveries()
        tried_at = record_delivery.now,
        delivered_at = CASE outcome WHEN 'delivered' THEN coalesce(d.delivered_at, record_delivery.now) ELSE d.delivered_at END,
        ended_at = CASE outcome WHEN 'waiting' THEN NULL ELSE record_delivery.now END
    WHERE d.workspace = sent.workspace AND d.id = sent.id;
    IF outcome = 'delivered' AND sent.delivered_at IS NULL AND sent.topic = 'conversion.postback' THEN
        PERFORM leadanalytics.count_postbacks(sent.workspace, 1, record_delivery.now);
    END IF;
    RETURN outcome;
END
$$;
COMMENT ON FUNCTION leadanalytics.record_delivery(int, bigint, int, int, text, text, int, boolean, timestamptz) IS
    'write down what an attempt came to (error null: the receiver answered): delivered, dead, or waiting for the next one; null when the delivery is not the sender''s any more. final: another attempt would not help';

CREATE FUNCTION leadanalytics.next_delivery(now timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.next_at FROM leadanalytics.delivery d WHERE d.status = 'waiting' AND d.next_at > next_delivery.now ORDER BY d.next_at LIMIT 1
$$;
COMMENT ON FUNCTION leadanalytics.next_delivery(timestamptz) IS 'when the next delivery is due after that time, null: none is';

CREATE FUNCTION leadanalytics.remove_deliveries(now timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n int;
BEGIN
    DELETE FROM leadanalytics.delivery d
    WHERE d.ended_at < remove_deliveries.now - coalesce(current_setting('leadanalytics.delivery_keep', true), '30d')::interval;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;
COMMENT ON FUNCTION leadanalytics.remove_deliveries(timestamptz) IS 'remove deliveries that ended longer ago than leadanalytics.delivery_keep, dead ones too; how many';

CREATE PROCEDURE leadanalytics.deliver(now timestamptz)
LANGUAGE c AS 'MODULE_PATHNAME', 'la_webhook_deliver';
COMMENT ON PROCEDURE leadanalytics.deliver(timestamptz) IS
    'send what is due to webhooks and mail recipients, and what becomes due meanwhile: the worker''s unit. It commits as it goes, and holds nothing while it waits for receivers';
INSERT INTO leadanalytics.unit (name, function, kind, lane, every, on_poke, timeout_ms, builtin, summary) VALUES
    ('deliver', 'leadanalytics.deliver', 'procedure', 'send', '5 minutes', true, 600000, true, 'sends what webhooks and mail recipients are to be told'),
    ('remove_deliveries', 'leadanalytics.remove_deliveries', 'function', 'job', '1 hour', false, 300000, true, 'removes deliveries that ended long ago');
