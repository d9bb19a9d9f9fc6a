-- Telling: what other rooms call.

CREATE FUNCTION leadanalytics.tell(workspace int, topic text, data json, at timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO leadanalytics.outbox (workspace, topic, body, created_at) VALUES (tell.workspace, tell.topic, tell.data, tell.at);
END
$$;
COMMENT ON FUNCTION leadanalytics.tell(int, text, json, timestamptz) IS
    'have the webhooks of a workspace that want the topic told of it once this transaction commits; for rooms: who may is their business';

CREATE FUNCTION leadanalytics.send_mail(
    workspace int, recipient text, subject text, body text, topic text, occurrence text, attachment text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    INSERT INTO leadanalytics.delivery (workspace, recipient, subject, body, topic, occurrence, attachment, next_at, created_at)
    VALUES (send_mail.workspace, send_mail.recipient, send_mail.subject, send_mail.body, send_mail.topic, send_mail.occurrence, send_mail.attachment,
            send_mail.now, send_mail.now)
    RETURNING id INTO made;
    RETURN made;
END
$$;
COMMENT ON FUNCTION leadanalytics.send_mail(int, text, text, text, text, text, text, timestamptz) IS
    'have a mail sent once this transaction commits: a text, and the file of an export with it; its delivery; for rooms: who may is their business';

CREATE FUNCTION leadanalytics.outbox_filled()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM leadanalytics.worker_poke_send();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.outbox_filled() IS 'wake who delivers, when this transaction commits';
CREATE TRIGGER filled AFTER INSERT ON leadanalytics.outbox FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.outbox_filled();
CREATE TRIGGER filled AFTER INSERT ON leadanalytics.delivery FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.outbox_filled();

CREATE FUNCTION leadanalytics.tell_webhook(workspace int, webhook text, topic text, data json, occurrence text, now timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO leadanalytics.delivery (workspace, webhook, topic, occurrence, body, next_at, created_at)
    SELECT h.workspace, h.key, tell_webhook.topic, tell_webhook.occurrence,
           leadanalytics.webhook_envelope(tell_webhook.occurrence, tell_webhook.topic, tell_webhook.now, tell_webhook.data)::text,
           tell_webhook.now, tell_webhook.now
    FROM leadanalytics.webhook h
    WHERE h.workspace = tell_webhook.workspace AND h.key = tell_webhook.webhook AND h.active
    FOR KEY SHARE;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION leadanalytics.tell_webhook(int, text, text, json, text, timestamptz) IS
    'have one webhook told of an occurrence once this transaction commits, whatever topics it wants; false when there is none that is active; for rooms: who may is their business';
CREATE TRIGGER changed AFTER UPDATE ON leadanalytics.webhook FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.outbox_filled();
