-- Setting up webhooks. The secret is made here and said once: by what makes it.

-- What a URL must be to be posted to as it stands: names that are not ASCII come in punycode, the rest encoded.
CREATE FUNCTION leadanalytics.webhook_url_fault(url text)
RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    authority CONSTANT text := substring(url FROM '^[Hh][Tt][Tt][Pp][Ss]?://([^/?#]*)');
BEGIN
    RETURN CASE
        WHEN coalesce(url, '') = '' THEN 'url is required'
        WHEN char_length(url) > 2000 THEN 'Must have at most 2000 characters'
        WHEN url !~ '^[!-~]+$' THEN 'Must consist of ASCII without blanks and control characters'
        WHEN position('#' IN url) > 0 THEN 'Must have no fragment'
        WHEN position('@' IN authority) > 0 THEN 'Must name no user'
        WHEN authority ~ '^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$'
             AND coalesce(substring(authority FROM ':([0-9]+)$')::int, 1) BETWEEN 1 AND 65535 THEN NULL
        ELSE 'Must be an absolute URL of http or https' END;
END
$$;
COMMENT ON FUNCTION leadanalytics.webhook_url_fault(text) IS 'what is wrong with the URL of a webhook, null when nothing is';

CREATE FUNCTION leadanalytics.check_webhook(url text, events text[], platform text, at_once int)
RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
    unknown CONSTANT text := (
        SELECT coalesce(e.name, 'null') FROM unnest(events) WITH ORDINALITY AS e (name, place)
        WHERE e.name IS DISTINCT FROM '*' AND NOT EXISTS (SELECT FROM leadanalytics.topic t WHERE t.name = e.name)
        ORDER BY e.place LIMIT 1);
    errors CONSTANT json := (
        SELECT json_agg(json_build_object('field', f.field, 'message', f.message) ORDER BY f.place)
        FROM (VALUES
            (1, 'url', leadanalytics.webhook_url_fault(url)),
            (2, 'events', CASE WHEN events IS NULL THEN 'events is required'
                               WHEN cardinality(events) = 0 THEN 'Must be a non-empty array of events'
                               WHEN unknown IS NOT NULL THEN format('There is no event "%s"', left(unknown, 100))
                               WHEN cardinality(events) > 100 THEN 'Must be at most 100 events' END),
            (3, 'platform', CASE WHEN platform !~ '^[a-z0-9][a-z0-9._-]{0,62}$' THEN 'Must be a word of a-z, 0-9, ".", "_" and "-"'
                                 WHEN platform IS NULL AND 'conversion.postback' = ANY (events) THEN 'Is required for conversion.postback' END),
            (4, 'atOnce', CASE WHEN at_once NOT BETWEEN 1 AND 64 THEN 'Must be from 1 to 64' END)) AS f (place, field, message)
        WHERE f.message IS NOT NULL);
BEGIN
    IF errors IS NOT NULL THEN
        PERFORM leadanalytics.fail(422, 'Validation failed', errors => errors);
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.check_webhook(text, text[], text, int) IS 'LA422, with all that is wrong with a webhook';

CREATE FUNCTION leadanalytics.find_webhook(workspace int, webhook_id text)
RETURNS leadanalytics.webhook LANGUAGE plpgsql STABLE AS $$
DECLARE
    found_webhook leadanalytics.webhook;
BEGIN
    SELECT w.* INTO found_webhook FROM leadanalytics.webhook w WHERE w.workspace = find_webhook.workspace AND w.key = find_webhook.webhook_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Webhook not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.webhooks.';
    END IF;
    RETURN found_webhook;
END
$$;
COMMENT ON FUNCTION leadanalytics.find_webhook(int, text) IS 'a webhook by its key; LA404: for functions that asked who calls';

CREATE FUNCTION leadanalytics.create_webhook(
    workspace int, url text, events text[] DEFAULT '{*}', platform text DEFAULT NULL, active boolean DEFAULT true, at_once int DEFAULT 4, now timestamptz DEFAULT now(),
    OUT key text, OUT secret text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(create_webhook.workspace);
BEGIN
    create_webhook.platform := nullif(create_webhook.platform, '');
    PERFORM leadanalytics.check_webhook(create_webhook.url, create_webhook.events, create_webhook.platform, create_webhook.at_once);
    IF (SELECT count(*) FROM leadanalytics.webhook w WHERE w.workspace = allowed) >= 100 THEN
        PERFORM leadanalytics.fail_field('body', 'There are 100 webhooks, as many as there may be');
    END IF;
    create_webhook.key := 'whk_' || left(leadanalytics.new_secret(), 24);
    create_webhook.secret := 'whsec_' || leadanalytics.new_secret();
    INSERT INTO leadanalytics.webhook (workspace, key, url, topics, platform, secret, active, at_once, created_at)
    VALUES (allowed, create_webhook.key, create_webhook.url, create_webhook.events, create_webhook.platform, create_webhook.secret,
            coalesce(create_webhook.active, true), coalesce(create_webhook.at_once, 4), create_webhook.now);
END
$$;
COMMENT ON FUNCTION leadanalytics.create_webhook(int, text, text[], text, boolean, int, timestamptz) IS
    'S2-06: have a URL told of events (leadanalytics.topic; *: all but postbacks); its key, and the secret that bodies are signed with, which is not said again. '
    'platform: it stands for that ad platform, gets its postbacks, and of the rest what events name; at_once: how many deliveries may be under way at once';
GRANT EXECUTE ON FUNCTION leadanalytics.create_webhook(int, text, text[], text, boolean, int, timestamptz) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.change_webhook(
    workspace int, webhook_id text, url text DEFAULT NULL, events text[] DEFAULT NULL, platform text DEFAULT NULL, active boolean DEFAULT NULL, at_once int DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(change_webhook.workspace);
    changed leadanalytics.webhook;
BEGIN
    PERFORM FROM leadanalytics.webhook w WHERE w.workspace = allowed AND w.key = change_webhook.webhook_id FOR NO KEY UPDATE;
    changed := leadanalytics.find_webhook(allowed, change_webhook.webhook_id);
    changed.url := coalesce(change_webhook.url, changed.url);
    changed.topics := coalesce(change_webhook.events, changed.topics);
    changed.platform := nullif(coalesce(change_webhook.platform, changed.platform), '');
    changed.active := coalesce(change_webhook.active, changed.active);
    PERFORM leadanalytics.check_webhook(changed.url, changed.topics, changed.platform, coalesce(change_webhook.at_once, changed.at_once));
    UPDATE leadanalytics.webhook w
    SET url = changed.url, topics = changed.topics, platform = changed.platform, active = changed.active, at_once = coalesce(change_webhook.at_once, w.at_once)
    WHERE w.workspace = allowed AND w.key = changed.key;
END
$$;
COMMENT ON FUNCTION leadanalytics.change_webhook(int, text, text, text[], text, boolean, int) IS
    'change a webhook; what is null stays as it is, platform '''' is none; one that is not active is told of nothing: what waits goes on waiting, of what happens meanwhile it never hears';
GRANT EXECUTE ON FUNCTION leadanalytics.change_webhook(int, text, text, text[], text, boolean, int) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.rotate_webhook_secret(workspace int, webhook_id text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(rotate_webhook_secret.workspace);
    made CONSTANT text := 'whsec_' || leadanalytics.new_secret();
BEGIN
    UPDATE leadanalytics.webhook w SET secret = made WHERE w.workspace = allowed AND w.key = rotate_webhook_secret.webhook_id;
    IF NOT FOUND THEN
        PERFORM leadanalytics.find_webhook(allowed, webhook_id);
    END IF;
    RETURN made;
END
$$;
COMMENT ON FUNCTION leadanalytics.rotate_webhook_secret(int, text) IS 'another secret for a webhook, which is not said again: every attempt from now on is signed with it';
GRANT EXECUTE ON FUNCTION leadanalytics.rotate_webhook_secret(int, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.delete_webhook(workspace int, webhook_id text)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(delete_webhook.workspace);
BEGIN
    DELETE FROM leadanalytics.webhook w WHERE w.workspace = allowed AND w.key = delete_webhook.webhook_id;
    IF NOT FOUND THEN
        PERFORM leadanalytics.find_webhook(allowed, webhook_id);
    END IF;
    RETURN json_build_object('deleted', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_webhook(int, text) IS 'S2-06: delete a webhook with its deliveries, those that wait too';
GRANT EXECUTE ON FUNCTION leadanalytics.delete_webhook(int, text) TO leadanalytics_admin;

CREATE VIEW leadanalytics.webhooks WITH (security_barrier) AS
    SELECT w.workspace, w.key, w.url, w.topics AS events, w.platform, w.active, w.at_once, w.created_at
    FROM leadanalytics.webhook w WHERE leadanalytics.may(w.workspace);
COMMENT ON VIEW leadanalytics.webhooks IS 'the webhooks of the workspaces the caller may ask about; secrets are not shown';
GRANT SELECT ON leadanalytics.webhooks TO leadanalytics_read;
