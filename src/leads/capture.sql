-- POST /lead.capture (L1–L3, L8, D-18 … D-20, D-78).

-- Whose post it is (L2). With a key its workspace, and a site or form it names only chooses where to send the
-- browser. Without one both must be named, enabled, and the page must stand on a domain of the site.
CREATE FUNCTION leadanalytics.capture_workspace(
    workspace int,
    site_key text,
    form_id text,
    origin text,
    referer text,
    OUT id int,
    OUT thank_you_url text)
LANGUAGE plpgsql AS $$
DECLARE
    page text := coalesce(origin, substring(referer FROM '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]+'));
    site leadanalytics.site;
    form leadanalytics.form;
BEGIN
    IF workspace IS NOT NULL THEN
        id := leadanalytics.permitted(workspace);
    ELSE
        IF site_key IS NULL OR form_id IS NULL THEN
            RAISE EXCEPTION 'Forbidden' USING ERRCODE = 'LA403', HINT = 'Without a key a form names its siteKey and formId.';
        END IF;
        id := leadanalytics.public_workspace(NULL, site_key, page, NULL);
    END IF;
    SELECT s.* INTO site FROM leadanalytics.site s
    WHERE s.workspace = capture_workspace.id AND s.site_key = capture_workspace.site_key;
    SELECT f.* INTO form FROM leadanalytics.form f
    WHERE f.workspace = capture_workspace.id AND f.site_key = capture_workspace.site_key AND f.form_id = capture_workspace.form_id;
    IF workspace IS NULL AND (form.enabled IS NOT TRUE OR (page IS NULL AND site.domains <> '{}')) THEN
        RAISE EXCEPTION 'Forbidden' USING ERRCODE = 'LA403',
            HINT = 'The form must exist and be enabled, and the post come from a page of the site''s domains (Origin or Referer).';
    END IF;
    -- Only what we store, and only what a header can hold.
    thank_you_url := coalesce(form.thank_you_url, site.thank_you_url);
    IF thank_you_url !~ '^https?://[!-~]+$' OR length(thank_you_url) > 2048 THEN
        thank_you_url := NULL;
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.capture_workspace(int, text, text, text, text) IS
    'the workspace of a posted form and where to send its browser; 403 when a post without a key is not of an enabled form of a site';

-- What becomes of it (D-19). An address that tests is heard before one that is blocked, for it is listed itself.
CREATE FUNCTION leadanalytics.post_verdict(post leadanalytics.lead_post)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    policy text := leadanalytics.listed_ip_policy(post.workspace, post.ip);
BEGIN
    RETURN CASE
        WHEN policy = 'test' THEN 'testing'
        WHEN policy = 'blocked' THEN 'blocked'
        WHEN leadanalytics.is_test_post(post) THEN 'testing'
        WHEN post.honeypot AND current_setting('leadanalytics.bot_lead_detection')::boolean THEN 'honeypot'
        ELSE 'lead'
    END;
END
$$;
COMMENT ON FUNCTION leadanalytics.post_verdict(leadanalytics.lead_post) IS 'testing, blocked, honeypot, or lead: where a post goes';

CREATE FUNCTION leadanalytics.reject_post(post leadanalytics.lead_post, verdict text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO leadanalytics.rejected_lead (workspace, list, received_at, ip, email, name, phone, dial_code, project, source,
                                             referer, site_key, form_id, payload)
    VALUES (post.workspace, CASE verdict WHEN 'testing' THEN 'testing' ELSE 'blocked' END, post.received_at, post.ip, post.email,
            post.name, post.phone, post.dial_code, post.project, post.source, post.referer, post.site_key, post.form_id, post.payload);
    IF verdict = 'honeypot' AND post.ip IS NOT NULL THEN
        PERFORM leadanalytics.list_ip(post.workspace, post.ip, 'blocked', 'Honeypot', post.country, post.referer, now => post.received_at);
    ELSIF verdict = 'testing' THEN
        PERFORM leadanalytics.announce_lead(post, 'lead.test', NULL, NULL);
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.reject_post(leadanalytics.lead_post, text) IS
    'keep a post apart; a bot''s address is blocked unless it is whitelisted; a test is announced as one';

CREATE FUNCTION leadanalytics.capture_lead(
    workspace int DEFAULT NULL,
    fields json DEFAULT NULL,
    origin text DEFAULT NULL,
    referer text DEFAULT NULL,
    client_ip inet DEFAULT NULL,
    user_agent text DEFAULT NULL,
    now timestamptz DEFAULT now())
RETURNS leadanalytics.reply LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    post leadanalytics.lead_post := leadanalytics.read_lead_post(fields);
    target record := leadanalytics.capture_workspace(workspace, post.site_key, post.form_id, origin, referer);
    verdict text;
BEGIN
    post.workspace := target.id;
    post.received_at := now;
    post.ip := leadanalytics.canonical_ip(client_ip);
    post.user_agent := user_agent;
    post.referer := coalesce(referer, post.page_url);
    SELECT g.country, g.region, g.city INTO post.country, post.region, post.city FROM leadanalytics.geo(client_ip) AS g;
    verdict := leadanalytics.post_verdict(post);
    IF verdict = 'lead' THEN
        PERFORM leadanalytics.store_lead(post);
    ELSE
        PERFORM leadanalytics.reject_post(post, verdict);
    END IF;
    -- The same for all of them.
    IF target.thank_you_url IS NULL THEN
        RETURN leadanalytics.reply(200, '{"Cache-Control": "no-store"}', 'application/json', '{"ok":true}');
    END IF;
    RETURN leadanalytics.reply(301, json_build_object('Location', target.thank_you_url, 'Cache-Control', 'no-store'));
END
$$;
COMMENT ON FUNCTION leadanalytics.capture_lead(int, json, text, text, inet, text, timestamptz) IS
    'take a posted form: a lead, a follow-up of one, or a post kept apart, with the same answer for all: 301 to the thank-you page of its form or site, 200 without one; '
    'fields: {"FIRSTNAME": …, "EMAIL": …, "PHONE": …, "PROJECT": …}; workspace null: by siteKey and formId, from a page of the site';
GRANT EXECUTE ON FUNCTION leadanalytics.capture_lead(int, json, text, text, inet, text, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.capture_lead_legacy(
    workspace int DEFAULT NULL,
    fields json DEFAULT NULL,
    origin text DEFAULT NULL,
    referer text DEFAULT NULL,
    client_ip inet DEFAULT NULL,
    user_agent text DEFAULT NULL,
    now timestamptz DEFAULT now())
RETURNS leadanalytics.reply LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer leadanalytics.reply := leadanalytics.capture_lead(workspace, fields, origin, referer, client_ip, user_agent, now);
BEGIN
    answer.headers := (answer.headers::jsonb || '{"X-Deprecated": "true", "Sunset": "Fri, 31 Dec 2027 23:59:59 GMT"}')::json;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.capture_lead_legacy(int, json, text, text, inet, text, timestamptz) IS
    'leadanalytics.capture_lead() under its old addresses: the answer says that they end';
GRANT EXECUTE ON FUNCTION leadanalytics.capture_lead_legacy(int, json, text, text, inet, text, timestamptz) TO leadanalytics_write;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, idempotent, rate_class, success, summary, example, builtin) VALUES
    ('POST', '/lead.capture', 'leadanalytics.capture_lead', 'dashboard', '{public,capture}', true, true, 'capture', 200,
     'Take a posted form; 301 to its thank-you page where one is stored', '{"ok": true}', true),
    ('POST', '/lead', 'leadanalytics.capture_lead_legacy', 'dashboard', '{public,capture}', true, true, 'capture', 200,
     'The old address of /lead.capture', '{"ok": true}', true),
    ('POST', '/', 'leadanalytics.capture_lead_legacy', 'dashboard', '{public,capture}', true, true, 'capture', 200,
     'The oldest address of /lead.capture', '{"ok": true}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, error, example, summary)
SELECT 'POST', path, 'fields', 'document', 'fields', 'form', true, 'Invalid request body',
       '{"FIRSTNAME": "Rahul Sharma", "EMAIL": "rahul@example.com", "PHONE": "9876543210", "PROJECT": "Sky Towers", "siteKey": "demo-site", "formId": "enquiry"}',
       'FIRSTNAME, EMAIL, PHONE, PROJECT, LOCATION, TEAM, DOMAIN, PAGE_URL, SOURCE, COUNTRYCODE, KEYWORD, USER_MESSAGE, CTA, utm_*, __visitor_id, __pg_hp, __pg_tts, siteKey, formId'
FROM unnest('{/lead.capture,/lead,/}'::text[]) AS path;
