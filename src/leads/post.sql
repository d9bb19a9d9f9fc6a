-- A posted form as what it means (L1).

CREATE FUNCTION leadanalytics.phone_digits(phone text, dial_code text)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    digits text := regexp_replace(phone, '[^0-9]', '', 'g');
BEGIN
    IF digits = '' THEN
        RETURN NULL;
    END IF;
    -- Written in full, the number says its dial code itself.
    IF phone ~ '^[^0-9]*\+' THEN
        RETURN digits;
    ELSIF digits LIKE '00%' THEN
        RETURN nullif(substr(digits, 3), '');
    END IF;
    RETURN regexp_replace(coalesce(dial_code, ''), '[^0-9]', '', 'g') || digits;
END
$$;
COMMENT ON FUNCTION leadanalytics.phone_digits(text, text) IS 'the digits of a number with its dial code, by which two are the same; null without any';

CREATE FUNCTION leadanalytics.read_lead_post(fields json)
RETURNS leadanalytics.lead_post LANGUAGE plpgsql STABLE AS $$
DECLARE
    f jsonb;
    post leadanalytics.lead_post;
BEGIN
    IF fields IS NULL OR json_typeof(fields) <> 'object' THEN
        RAISE EXCEPTION 'Invalid request body' USING ERRCODE = 'LA400', HINT = 'The fields are members of a JSON object.';
    END IF;
    -- In any case, without the blanks around; what is empty was not said. Of FIRSTNAME and firstname the last counts.
    SELECT jsonb_object_agg(lower(key), value) INTO f
    FROM (SELECT key, btrim(value, E' \t\r\n') AS value FROM json_each_text(fields)) AS m
    WHERE value <> '';
    IF f IS NULL THEN
        RAISE EXCEPTION 'Invalid request body' USING ERRCODE = 'LA400', HINT = 'Every field is empty.';
    END IF;
    post.name := left(f->>'firstname', 200);
    post.email := left(f->>'email', 320);
    post.phone := left(f->>'phone', 50);
    post.dial_code := left(f->>'countrycode', 20);
    post.phone_key := leadanalytics.phone_digits(post.phone, post.dial_code);
    post.project := left(f->>'project', 200);
    post.location := left(f->>'location', 200);
    post.team := left(f->>'team', 200);
    post.domain := left(f->>'domain', 253);
    post.page_url := left(f->>'page_url', 2048);
    post.source := left(f->>'source', 200);
    post.keyword := left(f->>'keyword', 200);
    post.message := f->>'user_message';
    post.cta_name := left(coalesce(f->>'cta', f->>'cta_name', f->>'__pg_cta'), 200);
    post.utm_source := left(f->>'utm_source', 200);
    post.utm_medium := left(f->>'utm_medium', 200);
    post.utm_campaign := left(f->>'utm_campaign', 200);
    post.utm_term := left(f->>'utm_term', 200);
    post.utm_content := left(f->>'utm_content', 200);
    post.visitor_id := left(f->>'__visitor_id', 128);
    post.site_key := left(f->>'sitekey', 64);
    post.form_id := left(f->>'formid', 64);
    post.honeypot := f ? '__pg_hp';
    IF f->>'__pg_tts' ~ '^[0-9]{1,9}(\.[0-9]{1,9})?$' THEN
        post.time_to_submit := (f->>'__pg_tts')::real;
    END IF;
    post.payload := fields;
    RETURN post;
END
$$;
COMMENT ON FUNCTION leadanalytics.read_lead_post(json) IS 'what the fields of a posted form say: their names in any case, cut to what a lead can hold';

-- What a workspace calls a test or a competitor.
CREATE FUNCTION leadanalytics.add_lead_rule(workspace int, kind text, value text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO leadanalytics.lead_rule (workspace, kind, value)
    VALUES (leadanalytics.permitted(add_lead_rule.workspace), add_lead_rule.kind, lower(btrim(add_lead_rule.value)))
    ON CONFLICT DO NOTHING;
EXCEPTION
    WHEN check_violation OR not_null_violation THEN
        RAISE EXCEPTION 'invalid rule' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'kind: test_text or competitor_domain; value: 1 to 200 characters.';
END
$$;
COMMENT ON FUNCTION leadanalytics.add_lead_rule(int, text, text) IS
    'test_text: posts whose name, e-mail address, project or location contains it are tests; competitor_domain: addresses there are suspect';
GRANT EXECUTE ON FUNCTION leadanalytics.add_lead_rule(int, text, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.remove_lead_rule(workspace int, kind text, value text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM leadanalytics.lead_rule r
    WHERE r.workspace = leadanalytics.permitted(remove_lead_rule.workspace) AND r.kind = remove_lead_rule.kind
      AND r.value = lower(btrim(remove_lead_rule.value));
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION leadanalytics.remove_lead_rule(int, text, text) IS 'take a rule back; false when there was none';
GRANT EXECUTE ON FUNCTION leadanalytics.remove_lead_rule(int, text, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.is_test_post(post leadanalytics.lead_post)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM leadanalytics.lead_rule r
        WHERE r.workspace = post.workspace AND r.kind = 'test_text'
          AND strpos(lower(concat_ws(E'\n', post.name, post.email, post.project, post.location)), r.value) > 0);
END
$$;
COMMENT ON FUNCTION leadanalytics.is_test_post(leadanalytics.lead_post) IS 'whether what it says makes it a test (L8)';

CREATE FUNCTION leadanalytics.is_competitor(workspace int, email text)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    host text := lower(substring(email FROM '@([^@]*)$'));
BEGIN
    RETURN host IS NOT NULL AND EXISTS (
        SELECT FROM leadanalytics.lead_rule r
        WHERE r.workspace = is_competitor.workspace AND r.kind = 'competitor_domain'
          AND (host = r.value OR right(host, length(r.value) + 1) = '.' || r.value));
END
$$;
COMMENT ON FUNCTION leadanalytics.is_competitor(int, text) IS 'whether an e-mail address is at a competitor''s domain or below it';
