-- Mode anonymise: all rows stay, and with them every number of every report; what says who it was goes. An id becomes
-- another one, the same wherever it stood, made with a secret that nobody keeps.

CREATE FUNCTION leadanalytics.pseudonym(secret text, id text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 'anon_' || left(encode(sha256(convert_to(secret || ' ' || id, 'UTF8')), 'hex'), 24)
$$;
COMMENT ON FUNCTION leadanalytics.pseudonym(text, text) IS 'an id in place of another one';

-- What reports read of an event's data: amounts, and which message and workflow it belongs to.
CREATE FUNCTION leadanalytics.counted_members(data jsonb, secret text, needles text[], word text)
RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT (SELECT jsonb_object_agg(m.key, CASE
                WHEN m.key IN ('lead_id', 'workflow_execution_id') OR jsonb_typeof(m.value) NOT IN ('string', 'array') THEN m.value
                WHEN m.key = 'message_id' THEN to_jsonb(CASE WHEN leadanalytics.names_person(m.value #>> '{}', needles) THEN leadanalytics.pseudonym(secret, m.value #>> '{}') ELSE m.value #>> '{}' END)
                WHEN jsonb_typeof(m.value) = 'string' THEN to_jsonb(leadanalytics.without_person(m.value #>> '{}', needles, word))
                ELSE (SELECT coalesce(jsonb_agg(CASE jsonb_typeof(e.value) WHEN 'string' THEN to_jsonb(leadanalytics.without_person(e.value #>> '{}', needles, word)) ELSE e.value END ORDER BY e.place), '[]')
                      FROM jsonb_array_elements(m.value) WITH ORDINALITY AS e (value, place) WHERE jsonb_typeof(e.value) NOT IN ('object', 'array')) END)
            FROM jsonb_each(data) AS m
            WHERE m.key IN ('value', 'revenue', 'amount', 'currency', 'tag', 'tags', 'message_id', 'workflow_execution_id', 'lead_id') AND jsonb_typeof(m.value) <> 'object')
$$;
COMMENT ON FUNCTION leadanalytics.counted_members(jsonb, text, text[], text) IS 'of an event''s data what reports read, without a person''s words; null: nothing';

CREATE FUNCTION leadanalytics.anonymise_web(who leadanalytics.subject, secret text, kept_names text[], needles text[], word text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE leadanalytics.event e
    SET data = CASE WHEN d.data ? 'lead_id' AND d.data ->> 'lead_id' <> ALL (kept_names)
                    THEN jsonb_set(d.data, '{lead_id}', to_jsonb(leadanalytics.pseudonym(secret, d.data ->> 'lead_id'))) ELSE d.data END
    FROM (SELECT o.id, o.at, leadanalytics.counted_members(o.data, secret, needles, word) AS data FROM leadanalytics.events_of(who) o WHERE o.data IS NOT NULL) AS d
    WHERE e.workspace = who.workspace AND e.at = d.at AND e.id = d.id;
    UPDATE leadanalytics.session s
    SET ip = NULL, session_id = CASE WHEN s.session_id IS NOT NULL THEN leadanalytics.pseudonym(secret, s.session_id) END
    WHERE s.workspace = who.workspace AND s.number = ANY (who.sessions);
    UPDATE leadanalytics.visitor v
    SET visitor_id = leadanalytics.pseudonym(secret, v.visitor_id), email = NULL
    WHERE v.workspace = who.workspace AND v.number = ANY (who.visitors);
    UPDATE leadanalytics.person p
    SET user_id = CASE WHEN p.user_id = ANY (kept_names) THEN p.user_id ELSE leadanalytics.pseudonym(secret, p.user_id) END, email = NULL
    WHERE p.workspace = who.workspace AND p.number = ANY (who.persons);
END
$$;
COMMENT ON FUNCTION leadanalytics.anonymise_web(leadanalytics.subject, text, text[], text[], text) IS 'leadanalytics.anonymise_person() of the web';

CREATE FUNCTION leadanalytics.anonymise_leads(who leadanalytics.subject, secret text, needles text[], word text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE leadanalytics.lead_submission s
    SET name = NULL, email = NULL, phone = NULL, contact_ip = NULL, payload = '{}', referer = leadanalytics.without_person(s.referer, needles, word),
        visitor_id = CASE WHEN s.visitor_id IS NOT NULL THEN leadanalytics.pseudonym(secret, s.visitor_id) END,
        session_id = CASE WHEN s.session_id ~ '^[0-9]+$' AND s.session_id <> ALL (who.session_ids) THEN s.session_id
                          WHEN s.session_id IS NOT NULL THEN leadanalytics.pseudonym(secret, s.session_id) END
    WHERE s.workspace = who.workspace AND s.lead = ANY (who.leads);
    UPDATE leadanalytics.lead l
    SET name = NULL, email = NULL, phone = NULL, phone_key = NULL, dial_code = NULL, contact_ip = NULL,
        external_id = CASE WHEN l.external_id IS NOT NULL THEN leadanalytics.pseudonym(secret, l.external_id) END,
        visitor_id = CASE WHEN l.visitor_id IS NOT NULL THEN leadanalytics.pseudonym(secret, l.visitor_id) END,
        session_id = CASE WHEN l.session_id ~ '^[0-9]+$' AND l.session_id <> ALL (who.session_ids) THEN l.session_id
                          WHEN l.session_id IS NOT NULL THEN leadanalytics.pseudonym(secret, l.session_id) END
    WHERE l.workspace = who.workspace AND l.id = ANY (who.leads);
    UPDATE leadanalytics.crm_lead c SET crm_id = leadanalytics.pseudonym(secret, c.crm_id) WHERE c.workspace = who.workspace AND c.lead = ANY (who.leads);
    UPDATE leadanalytics.crm_event c
    SET crm_id = leadanalytics.pseudonym(secret, c.crm_id), event_id = CASE WHEN c.event_id IS NOT NULL THEN leadanalytics.pseudonym(secret, c.event_id) END
    WHERE c.workspace = who.workspace AND c.lead = ANY (who.leads);
    UPDATE leadanalytics.rejected_lead r
    SET ip = NULL, email = NULL, name = NULL, phone = NULL, dial_code = NULL, payload = '{}', referer = leadanalytics.without_person(r.referer, needles, word)
    WHERE r.workspace = who.workspace AND r.id = ANY (who.rejected);
END
$$;
COMMENT ON FUNCTION leadanalytics.anonymise_leads(leadanalytics.subject, text, text[], text) IS 'leadanalytics.anonymise_person() of leads and posts';

CREATE FUNCTION leadanalytics.anonymise_messages(who leadanalytics.subject, secret text, kept_names text[], needles text[], word text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE leadanalytics.message_event e
    SET recipient = NULL, ip = NULL, bounce_code = leadanalytics.without_person(e.bounce_code, needles, word),
        lead = CASE WHEN e.lead = ANY (kept_names) THEN e.lead WHEN e.lead IS NOT NULL THEN leadanalytics.pseudonym(secret, e.lead) END
    WHERE e.workspace = who.workspace AND e.message = ANY (who.messages);
    UPDATE leadanalytics.message m
    SET recipient = NULL, key = CASE WHEN leadanalytics.names_person(m.key, needles) THEN leadanalytics.pseudonym(secret, m.key) ELSE m.key END,
        lead = CASE WHEN m.lead = ANY (kept_names) THEN m.lead WHEN m.lead IS NOT NULL THEN leadanalytics.pseudonym(secret, m.lead) END
    WHERE m.workspace = who.workspace AND m.id = ANY (who.messages);
    UPDATE leadanalytics.named_lead n
    SET lead_id = leadanalytics.pseudonym(secret, n.lead_id)
    WHERE n.workspace = who.workspace AND n.id = ANY (who.leads) AND n.lead_id <> ALL (kept_names);
END
$$;
COMMENT ON FUNCTION leadanalytics.anonymise_messages(leadanalytics.subject, text, text[], text[], text) IS 'leadanalytics.anonymise_person() of mail';

CREATE FUNCTION leadanalytics.anonymise_person(who leadanalytics.subject, needles text[], word text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    secret CONSTANT text := leadanalytics.new_secret();
    -- A lead's own number is ours, and says nothing.
    kept_names CONSTANT text[] := ARRAY(SELECT l.id::text FROM leadanalytics.lead l WHERE l.workspace = who.workspace AND l.id = ANY (who.leads) AND l.external_id IS NULL);
BEGIN
    PERFORM leadanalytics.anonymise_web(who, secret, kept_names, needles, word);
    PERFORM leadanalytics.anonymise_messages(who, secret, kept_names, needles, word);
    PERFORM leadanalytics.anonymise_leads(who, secret, needles, word);
    UPDATE leadanalytics.contact_event e
    SET metadata = NULL, event_id = CASE WHEN leadanalytics.names_person(e.event_id, needles) THEN leadanalytics.pseudonym(secret, e.event_id) ELSE e.event_id END
    WHERE e.workspace = who.workspace AND e.contact = ANY (who.contacts);
    UPDATE leadanalytics.contact c
    SET email = leadanalytics.pseudonym(secret, c.email) || '@anonymous.invalid', name = NULL
    WHERE c.workspace = who.workspace AND c.id = ANY (who.contacts);
END
$$;
COMMENT ON FUNCTION leadanalytics.anonymise_person(leadanalytics.subject, text[], text) IS 'leadanalytics.erase() in mode anonymise, of who was found and locked';
