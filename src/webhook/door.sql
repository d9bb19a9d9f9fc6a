-- S2-06: webhooks by HTTP, and what became of their deliveries.

CREATE FUNCTION leadanalytics.webhook_json(webhook leadanalytics.webhook)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', (webhook).key, 'url', (webhook).url, 'events', (webhook).topics, 'platform', (webhook).platform, 'active', (webhook).active,
                             'createdAt', leadanalytics.utc_milliseconds((webhook).created_at))
$$;
COMMENT ON FUNCTION leadanalytics.webhook_json(leadanalytics.webhook) IS 'a webhook as the engagement family answers it';

CREATE FUNCTION leadanalytics.webhook_json(webhook leadanalytics.webhook, secret text)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', (webhook).key, 'url', (webhook).url, 'events', (webhook).topics, 'platform', (webhook).platform, 'active', (webhook).active,
                             'createdAt', leadanalytics.utc_milliseconds((webhook).created_at), 'secret', webhook_json.secret)
$$;
COMMENT ON FUNCTION leadanalytics.webhook_json(leadanalytics.webhook, text) IS 'a webhook as it is answered once: with its secret';

-- Of an array its members as texts; what is none is an empty one, and nothing nothing: leadanalytics.check_webhook() says what is wrong.
CREATE FUNCTION leadanalytics.webhook_events(events json)
RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE coalesce(json_typeof(events), 'null') WHEN 'null' THEN NULL
                WHEN 'array' THEN ARRAY(SELECT e.value #>> '{}' FROM json_array_elements(events) WITH ORDINALITY AS e (value, place)
                                        GROUP BY e.value #>> '{}' ORDER BY min(e.place))
                ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION leadanalytics.webhook_events(json) IS 'the events a client names, each once';

CREATE FUNCTION leadanalytics.post_webhook(
    workspace int, url text, events json, platform text DEFAULT NULL, active boolean DEFAULT true, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made CONSTANT record := leadanalytics.create_webhook(workspace, url, leadanalytics.webhook_events(events), platform, active, now => now);
BEGIN
    RETURN leadanalytics.webhook_json(leadanalytics.find_webhook(workspace, made.key), made.secret);
END
$$;
COMMENT ON FUNCTION leadanalytics.post_webhook(int, text, json, text, boolean, timestamptz) IS 'S2-06: leadanalytics.create_webhook() for the door; LA422';

CREATE FUNCTION leadanalytics.show_webhook(workspace int, webhook_id text)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN leadanalytics.webhook_json(leadanalytics.find_webhook(leadanalytics.permitted(workspace), webhook_id));
END
$$;
COMMENT ON FUNCTION leadanalytics.show_webhook(int, text) IS 'S2-06: a webhook, for the door; as rows: the view webhooks';

CREATE FUNCTION leadanalytics.list_webhooks(workspace int, page int DEFAULT 1, "limit" int DEFAULT 20)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(list_webhooks.workspace);
BEGIN
    RETURN json_build_object(
        'data', (SELECT coalesce(json_agg(leadanalytics.webhook_json(w) ORDER BY w.created_at, w.key), '[]')
                 FROM (SELECT h.* FROM leadanalytics.webhook h WHERE h.workspace = allowed
                       ORDER BY h.created_at, h.key OFFSET (page::bigint - 1) * "limit" LIMIT "limit") AS w),
        'pagination', leadanalytics.engagement_page((SELECT count(*) FROM leadanalytics.webhook h WHERE h.workspace = allowed), page, "limit"));
END
$$;
COMMENT ON FUNCTION leadanalytics.list_webhooks(int, int, int) IS 'S2-06: the webhooks of a workspace, the oldest first, page by page, for the door; as rows: the view webhooks';

CREATE FUNCTION leadanalytics.patch_webhook(
    workspace int, webhook_id text, url text DEFAULT NULL, events json DEFAULT NULL, platform text DEFAULT NULL, active boolean DEFAULT NULL)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    named CONSTANT text[] := leadanalytics.webhook_events(events);
BEGIN
    PERFORM leadanalytics.find_webhook(allowed, webhook_id);
    IF url IS NULL AND named IS NULL AND platform IS NULL AND active IS NULL THEN
        PERFORM leadanalytics.fail_field('body', 'url, events, platform or active is required');
    END IF;
    PERFORM leadanalytics.change_webhook(allowed, webhook_id, url, named, platform, active);
    RETURN leadanalytics.webhook_json(leadanalytics.find_webhook(allowed, webhook_id));
END
$$;
COMMENT ON FUNCTION leadanalytics.patch_webhook(int, text, text, json, text, boolean) IS 'S2-06: leadanalytics.change_webhook() for the door; LA422';

CREATE FUNCTION leadanalytics.renew_webhook_secret(workspace int, webhook_id text)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made CONSTANT text := leadanalytics.rotate_webhook_secret(workspace, webhook_id);
BEGIN
    RETURN leadanalytics.webhook_json(leadanalytics.find_webhook(workspace, webhook_id), made);
END
$$;
COMMENT ON FUNCTION leadanalytics.renew_webhook_secret(int, text) IS 'S2-06: leadanalytics.rotate_webhook_secret() for the door';

-- Deliveries.
CREATE FUNCTION leadanalytics.delivery_json(delivery leadanalytics.delivery)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', 'dlv_' || (delivery).id, 'event', (delivery).topic, 'eventId', (delivery).occurrence, 'status', (delivery).status, 'attempts', (delivery).attempts,
                             'nextAttemptAt', CASE WHEN (delivery).status = 'waiting' THEN leadanalytics.utc_milliseconds((delivery).next_at) END,
                             'responseStatus', (delivery).answer_status, 'response', (delivery).answer, 'error', (delivery).error,
                             'createdAt', leadanalytics.utc_milliseconds((delivery).created_at), 'endedAt', leadanalytics.utc_milliseconds((delivery).ended_at))
$$;
COMMENT ON FUNCTION leadanalytics.delivery_json(leadanalytics.delivery) IS 'a delivery as the engagement family answers it';

CREATE FUNCTION leadanalytics.list_webhook_deliveries(workspace int, webhook_id text, status text DEFAULT NULL, page int DEFAULT 1, "limit" int DEFAULT 20)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    webhook CONSTANT leadanalytics.webhook := leadanalytics.find_webhook(leadanalytics.permitted(list_webhook_deliveries.workspace), webhook_id);
BEGIN
    RETURN json_build_object(
        'data', (SELECT coalesce(json_agg(leadanalytics.delivery_json(d) ORDER BY d.id DESC), '[]')
                 FROM (SELECT e.* FROM leadanalytics.delivery e
                       WHERE e.workspace = webhook.workspace AND e.webhook = webhook.key AND (list_webhook_deliveries.status IS NULL OR e.status = list_webhook_deliveries.status)
                       ORDER BY e.id DESC OFFSET (page::bigint - 1) * "limit" LIMIT "limit") AS d),
        'pagination', leadanalytics.engagement_page(
            (SELECT count(*) FROM leadanalytics.delivery e
             WHERE e.workspace = webhook.workspace AND e.webhook = webhook.key AND (list_webhook_deliveries.status IS NULL OR e.status = list_webhook_deliveries.status)), page, "limit"));
END
$$;
COMMENT ON FUNCTION leadanalytics.list_webhook_deliveries(int, text, text, int, int) IS
    'S2-06: what became of what a webhook was to be told, the newest first, page by page, for the door; as rows: the view deliveries';

CREATE FUNCTION leadanalytics.replay_webhook_delivery(workspace int, webhook_id text, delivery_id text, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    webhook CONSTANT leadanalytics.webhook := leadanalytics.find_webhook(leadanalytics.permitted(replay_webhook_delivery.workspace), webhook_id);
    wanted CONSTANT bigint := substring(delivery_id FROM '^dlv_([1-9][0-9]{0,17})$')::bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM leadanalytics.delivery d WHERE d.workspace = webhook.workspace AND d.id = wanted AND d.webhook = webhook.key) THEN
        RAISE EXCEPTION 'Delivery not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.deliveries.';
    END IF;
    PERFORM leadanalytics.replay_delivery(webhook.workspace, wanted, replay_webhook_delivery.now);
    RETURN (SELECT leadanalytics.delivery_json(d) FROM leadanalytics.delivery d WHERE d.workspace = webhook.workspace AND d.id = wanted);
END
$$;
COMMENT ON FUNCTION leadanalytics.replay_webhook_delivery(int, text, text, timestamptz) IS 'S2-06: leadanalytics.replay_delivery() for the door: of a delivery of this webhook';

INSERT INTO leadanalytics.route (method, path, function, family, roles, success, paged, message, summary, example, builtin) VALUES
    ('GET', '/v1/integrations/webhooks', 'leadanalytics.list_webhooks', 'engagement', '{live,sandbox}', 200, true, NULL, 'Webhooks, the oldest first',
     '{"data": [{"id": "whk_0123456789abcdef01234567", "url": "https://example.com/hooks", "events": ["lead.captured", "lead.status_changed"], "platform": null, "active": true, "createdAt": "2026-02-09T10:30:00.000Z"}], '
     '"pagination": {"page": 1, "limit": 20, "total": 1, "totalPages": 1, "hasNext": false, "hasPrev": false}}', true),
    ('POST', '/v1/integrations/webhooks', 'leadanalytics.post_webhook', 'engagement', '{live,sandbox}', 201, false, 'Webhook created', 'Have a URL told of events; the secret is answered here and never again',
     '{"id": "whk_0123456789abcdef01234567", "url": "https://example.com/hooks", "events": ["lead.captured", "lead.status_changed"], "platform": null, "active": true, "createdAt": "2026-02-09T10:30:00.000Z", '
     '"secret": "whsec_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}', true),
    ('GET', '/v1/integrations/webhooks/:webhookId', 'leadanalytics.show_webhook', 'engagement', '{live,sandbox}', 200, false, NULL, 'A webhook',
     '{"id": "whk_0123456789abcdef01234567", "url": "https://example.com/hooks", "events": ["lead.captured", "lead.status_changed"], "platform": null, "active": true, "createdAt": "2026-02-09T10:30:00.000Z"}', true),
    ('PATCH', '/v1/integrations/webhooks/:webhookId', 'leadanalytics.patch_webhook', 'engagement', '{live,sandbox}', 200, false, 'Webhook updated', 'Change a webhook; what is absent stays as it is',
     '{"id": "whk_0123456789abcdef01234567", "url": "https://example.com/hooks", "events": ["lead.captured", "lead.status_changed"], "platform": null, "active": false, "createdAt": "2026-02-09T10:30:00.000Z"}', true),
    ('DELETE', '/v1/integrations/webhooks/:webhookId', 'leadanalytics.delete_webhook', 'engagement', '{live,sandbox}', 200, false, 'Webhook deleted', 'Delete a webhook with its deliveries',
     '{"deleted": true}', true),
    ('POST', '/v1/integrations/webhooks/:webhookId/rotate-secret', 'leadanalytics.renew_webhook_secret', 'engagement', '{live,sandbox}', 200, false, 'Secret rotated',
     'Another secret, from now on; it is answered here and never again',
     '{"id": "whk_0123456789abcdef01234567", "url": "https://example.com/hooks", "events": ["lead.captured", "lead.status_changed"], "platform": null, "active": true, "createdAt": "2026-02-09T10:30:00.000Z", '
     '"secret": "whsec_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}', true),
    ('GET', '/v1/integrations/webhooks/:webhookId/deliveries', 'leadanalytics.list_webhook_deliveries', 'engagement', '{live,sandbox}', 200, true, NULL, 'What became of what a webhook was to be told, the newest first',
     '{"data": [{"id": "dlv_501", "event": "lead.captured", "eventId": "evt_0123456789abcdef01234567", "status": "waiting", "attempts": 2, "nextAttemptAt": "2026-02-09T10:35:00.000Z", "responseStatus": 503, '
     '"response": "try again later", "error": "HTTP 503", "createdAt": "2026-02-09T10:30:00.000Z", "endedAt": null}], '
     '"pagination": {"page": 1, "limit": 20, "total": 1, "totalPages": 1, "hasNext": false, "hasPrev": false}}', true),
    ('POST', '/v1/integrations/webhooks/:webhookId/deliveries/:deliveryId/replay', 'leadanalytics.replay_webhook_delivery', 'engagement', '{live,sandbox}', 200, false, 'Delivery queued', 'Try a delivery anew',
     '{"id": "dlv_501", "event": "lead.captured", "eventId": "evt_0123456789abcdef01234567", "status": "waiting", "attempts": 0, "nextAttemptAt": "2026-02-09T12:00:00.000Z", "responseStatus": null, '
     '"response": null, "error": null, "createdAt": "2026-02-09T10:30:00.000Z", "endedAt": null}', true);

-- All that is wrong is said at once, so that the function says it: what it needs is never refused by the door.
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, fallback, position, example, summary)
SELECT r.method, r.path, p.name, 'body', p.name, p.type, r.method = 'POST' AND p.name IN ('url', 'events'),
       CASE WHEN r.method = 'POST' THEN CASE p.name WHEN 'url' THEN '' WHEN 'events' THEN 'null' END END, p.position, p.example, p.summary
FROM leadanalytics.route r
CROSS JOIN (VALUES
    ('url', 'text', 1, 'https://example.com/hooks', 'where to post: an absolute URL of http or https, at most 2000 characters, without user and fragment'),
    ('events', 'json', 2, '["lead.captured", "lead.status_changed"]', 'an array of events as the catalog has them; "*": all but postbacks'),
    ('platform', 'text', 3, 'meta', 'the ad platform it stands for, whose postbacks (conversion.postback) it gets, and of the rest what events name; empty: none'),
    ('active', 'boolean', 4, 'true', 'false: it is told of nothing; what waits goes on waiting, of what happens meanwhile it never hears')) AS p (name, type, position, example, summary)
WHERE r.path IN ('/v1/integrations/webhooks', '/v1/integrations/webhooks/:webhookId') AND r.method IN ('POST', 'PATCH');
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, required, min, max, example, summary)
SELECT r.method, r.path, p.name, 'path', p.arg, true, 1, 64, p.example, p.summary
FROM leadanalytics.route r
JOIN (VALUES ('webhookId', 'webhook_id', 'whk_0123456789abcdef01234567', 'the webhook'), ('deliveryId', 'delivery_id', 'dlv_501', 'the delivery')) AS p (name, arg, example, summary)
    ON r.path LIKE '/v1/integrations/webhooks%' AND position('/:' || p.name || '/' IN r.path || '/') > 0;
INSERT INTO leadanalytics.route_param (method, path, name, arg, choices, position, example, summary) VALUES
    ('GET', '/v1/integrations/webhooks/:webhookId/deliveries', 'status', 'status', '{waiting,delivered,dead}', 0, 'waiting', 'only those that are so: waiting for an attempt, delivered, dead (given up)');
SELECT leadanalytics.engagement_takes('GET', p.path, 'page', 'limit')
FROM unnest('{/v1/integrations/webhooks,/v1/integrations/webhooks/:webhookId/deliveries}'::text[]) AS p (path);
