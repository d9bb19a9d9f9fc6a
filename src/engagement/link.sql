-- Links and pixels in mails (S2-05). What an open or click says is in its address, signed: nothing is stored when a mail is
-- written, and nobody can make a link that leads elsewhere. An address is good forever, as the mail it stands in is.
--
-- It is URL-safe base64 of the HMAC-SHA256 (32 bytes) and what it signs: kind (o, c), workspace, message, lead, workflow's
-- run and target, in this order, with U+001F between them.

CREATE FUNCTION leadanalytics.link_secret(workspace int)
RETURNS bytea LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    known text;
BEGIN
    SELECT s.secret INTO known FROM leadanalytics.link_secret s WHERE s.workspace = link_secret.workspace;
    IF NOT FOUND THEN
        INSERT INTO leadanalytics.link_secret (workspace, secret) VALUES (link_secret.workspace, leadanalytics.new_secret()) ON CONFLICT DO NOTHING;
        SELECT s.secret INTO known FROM leadanalytics.link_secret s WHERE s.workspace = link_secret.workspace;
    END IF;
    RETURN convert_to(known, 'UTF8');
END
$$;
COMMENT ON FUNCTION leadanalytics.link_secret(int) IS 'what a workspace''s links are signed with, made when it is first asked for: for functions that asked who calls';

CREATE FUNCTION leadanalytics.link_target_is_good(target text)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(target ~* '^https?://[^/?#\\:@][!-~]*$' AND target !~ '[^!-~]' AND octet_length(target) <= 2048, false)
$$;
COMMENT ON FUNCTION leadanalytics.link_target_is_good(text) IS 'whether a link may lead there: http or https, printable ASCII, at most 2 048 characters';

CREATE FUNCTION leadanalytics.link_token(workspace int, kind "char", target text, message_id text, lead_id text, workflow_execution_id text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said bytea;
BEGIN
    IF coalesce(message_id, lead_id) IS NULL THEN
        RAISE EXCEPTION 'a link needs a message or a lead' USING ERRCODE = 'invalid_parameter_value', HINT = 'Say message_id, lead_id or both.';
    END IF;
    PERFORM leadanalytics.check_engagement_ids(lead_id, message_id, workflow_execution_id);
    said := convert_to(array_to_string(ARRAY[kind::text, workspace::text, message_id, lead_id, workflow_execution_id, target], chr(31), ''), 'UTF8');
    RETURN rtrim(translate(encode(leadanalytics.hmac_sha256(said, leadanalytics.link_secret(workspace)) || said, 'base64'), E'+/\n', '-_'), '=');
END
$$;
COMMENT ON FUNCTION leadanalytics.link_token(int, "char", text, text, text, text) IS 'what the address of a pixel (o) or a link (c) ends with: for functions that asked who calls';

CREATE FUNCTION leadanalytics.link_url(path text)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    base CONSTANT text := current_setting('leadanalytics.public_url', true);
BEGIN
    IF coalesce(base, '') = '' THEN
        RAISE EXCEPTION 'links in mails need an address to begin with' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Set leadanalytics.public_url to where clients reach the service.';
    END IF;
    RETURN base || path;
END
$$;
COMMENT ON FUNCTION leadanalytics.link_url(text) IS 'a path of the service as clients reach it';

CREATE FUNCTION leadanalytics.open_pixel_url(workspace int, message_id text, lead_id text DEFAULT NULL, workflow_execution_id text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN leadanalytics.link_url('/v1/t/o/' || leadanalytics.link_token(leadanalytics.permitted(workspace), 'o', NULL, message_id, lead_id, workflow_execution_id) || '.gif');
END
$$;
COMMENT ON FUNCTION leadanalytics.open_pixel_url(int, text, text, text) IS
    'the address of an image for a mail: whoever loads it has opened the message (of the lead, the workflow''s run); begins with leadanalytics.public_url';
GRANT EXECUTE ON FUNCTION leadanalytics.open_pixel_url(int, text, text, text) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.click_url(workspace int, target text, message_id text, lead_id text DEFAULT NULL, workflow_execution_id text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT leadanalytics.link_target_is_good(target) THEN
        RAISE EXCEPTION 'no link can lead to "%"', left(target, 100) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'It must begin with http:// or https://, be printable ASCII (percent-encode the rest) and have at most 2 048 characters.';
    END IF;
    RETURN leadanalytics.link_url('/v1/t/c/' || leadanalytics.link_token(leadanalytics.permitted(workspace), 'c', target, message_id, lead_id, workflow_execution_id));
END
$$;
COMMENT ON FUNCTION leadanalytics.click_url(int, text, text, text, text) IS
    'the address of a link for a mail: whoever follows it has clicked in the message and is led to target; begins with leadanalytics.public_url';
GRANT EXECUTE ON FUNCTION leadanalytics.click_url(int, text, text, text, text) TO leadanalytics_write;

-- Null: not signed by us, or of another kind. The workspace is read before its secret is known, and believed after.
CREATE FUNCTION leadanalytics.link_parts(token text, kind "char")
RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    bytes bytea;
    said bytea;
    digits text;
    secret text;
    parts text[];
BEGIN
    IF octet_length(token) NOT BETWEEN 50 AND 6000 OR octet_length(token) % 4 = 1 OR token ~ '[^A-Za-z0-9_-]' THEN
        RETURN NULL;
    END IF;
    bytes := decode(rpad(translate(token, '-_', '+/'), (octet_length(token) + 3) / 4 * 4, '='), 'base64');
    said := substring(bytes FROM 33);
    digits := substring(encode(said, 'escape') FROM E'^[oc]\x1f([0-9]{1,9})\x1f');
    SELECT s.secret INTO secret FROM leadanalytics.link_secret s WHERE s.workspace = digits::int;
    IF NOT FOUND OR NOT leadanalytics.same_secret(leadanalytics.hmac_sha256(said, convert_to(secret, 'UTF8')), substring(bytes FOR 32)) THEN
        RETURN NULL;
    END IF;
    parts := string_to_array(convert_from(said, 'UTF8'), chr(31), '');
    RETURN CASE WHEN parts[1] = kind::text AND cardinality(parts) = 6 THEN parts END;
END
$$;
COMMENT ON FUNCTION leadanalytics.link_parts(text, "char") IS 'what the address of a pixel (o) or link (c) says: kind, workspace, message, lead, workflow''s run, target; null: it is none of ours';

-- A reader is shown the picture and led on whatever becomes of the count; what is not counted stands in the server's log.
CREATE FUNCTION leadanalytics.count_link(parts text[], user_agent text, ip inet, now timestamptz)
RETURNS void LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    event leadanalytics.engagement_event := ROW(gen_random_uuid(), CASE parts[1] WHEN 'o' THEN 'email_open' ELSE 'link_click' END, parts[4], parts[3], parts[5], date_trunc('milliseconds', now));
BEGIN
    FOR try IN 1 .. 3 LOOP
        BEGIN
            PERFORM leadanalytics.add_message_engagement(leadanalytics.permitted(leadanalytics.signed_workspace(parts[2]::int)), event, parts[6], user_agent, ip, now);
            RETURN;
        EXCEPTION WHEN OTHERS THEN
            CONTINUE WHEN SQLSTATE LIKE '40%' AND try < 3; -- a deadlock
            RAISE LOG '% of message % in workspace % was not counted: %', (event).type, parts[3], parts[2], SQLERRM;
            RETURN;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadanalytics.count_link(text[], text, inet, timestamptz) IS 'store the open or click that the parts of an address say; what cannot be stored is logged';

CREATE FUNCTION leadanalytics.open_pixel(token text, user_agent text DEFAULT NULL, client_ip inet DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS leadanalytics.reply LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts CONSTANT text[] := leadanalytics.link_parts(regexp_replace(token, '\.gif$', ''), 'o');
BEGIN
    IF parts IS NOT NULL THEN
        PERFORM leadanalytics.count_link(parts, user_agent, client_ip, now);
    END IF;
    RETURN leadanalytics.reply(200, '{"Cache-Control": "no-store"}', 'image/gif', decode('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64'));
END
$$;
COMMENT ON FUNCTION leadanalytics.open_pixel(text, text, inet, timestamptz) IS 'a transparent image of one pixel, and the open that its address says; any other address is only shown it';

CREATE FUNCTION leadanalytics.follow_link(token text, user_agent text DEFAULT NULL, client_ip inet DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS leadanalytics.reply LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts CONSTANT text[] := leadanalytics.link_parts(token, 'c');
BEGIN
    IF parts IS NULL OR NOT leadanalytics.link_target_is_good(parts[6]) THEN
        RAISE EXCEPTION 'Link not found' USING ERRCODE = 'LA404', HINT = 'Links are made by leadanalytics.click_url().';
    END IF;
    PERFORM leadanalytics.count_link(parts, user_agent, client_ip, now);
    RETURN leadanalytics.reply(302, json_build_object('Location', parts[6], 'Cache-Control', 'no-store'));
END
$$;
COMMENT ON FUNCTION leadanalytics.follow_link(text, text, inet, timestamptz) IS 'on to where a link leads, and the click that its address says; LA404 for an address that is not signed';

INSERT INTO leadanalytics.route (method, path, function, family, roles, writes, rate_class, summary, builtin) VALUES
    ('GET', '/v1/t/o/:token', 'leadanalytics.open_pixel', 'engagement', '{public,marketing,capture,sdk,agent,live,sandbox,member,tenant}', true, 'link', 'The pixel of a mail: whoever loads it has opened it', true),
    ('GET', '/v1/t/c/:token', 'leadanalytics.follow_link', 'engagement', '{public,marketing,capture,sdk,agent,live,sandbox,member,tenant}', true, 'link', 'A link of a mail: on to its target', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, example, summary) VALUES
    ('GET', '/v1/t/o/:token', 'token', 'path', 'token', 'text', 'q1w2e3r4.gif', 'what leadanalytics.open_pixel_url() ends with'),
    ('GET', '/v1/t/c/:token', 'token', 'path', 'token', 'text', 'q1w2e3r4', 'what leadanalytics.click_url() ends with');
