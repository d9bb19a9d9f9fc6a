-- L9: the CRM that leads are forwarded to says what it calls them, and how far they are.
--
-- Both doors take a capture or admin key: who may bring leads may say what became of them, and a key can be revoked
-- and rotated. What is said of a lead that is not known is no error: a CRM would send it again for days.

CREATE FUNCTION leadanalytics.set_crm(workspace int, statuses json DEFAULT '{}', active boolean DEFAULT true)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(set_crm.workspace);
    kept jsonb;
BEGIN
    IF coalesce(json_typeof(set_crm.statuses), 'null') <> 'object' OR EXISTS (
        SELECT FROM json_each(set_crm.statuses) AS s
        WHERE btrim(s.key) = '' OR char_length(s.key) > 128
              OR coalesce(s.value #>> '{}', '') <> ALL ('{new,contacted,qualified,proposal,won,lost,fake,unqualified}'))
    THEN
        RAISE EXCEPTION 'invalid statuses' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'An object: {"Closed Won": "won", …}; a status of ours is new, contacted, qualified, proposal, won, lost, fake or unqualified.';
    END IF;
    SELECT coalesce(jsonb_object_agg(lower(btrim(s.key)), s.value), '{}') INTO kept FROM json_each(set_crm.statuses) AS s;
    INSERT INTO leadanalytics.crm (workspace, statuses, active) VALUES (allowed, kept, coalesce(set_crm.active, true))
    ON CONFLICT (workspace) DO UPDATE SET statuses = excluded.statuses, active = excluded.active;
END
$$;
COMMENT ON FUNCTION leadanalytics.set_crm(int, json, boolean) IS
    'let the CRM tell of leads (L9). statuses: what it calls ours, {"Closed Won": "won"}; new, contacted, qualified, proposal, won, converted, lost, fake and unqualified it need not say. active false: it may not';
GRANT EXECUTE ON FUNCTION leadanalytics.set_crm(int, json, boolean) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.required_crm(workspace int)
RETURNS leadanalytics.crm LANGUAGE plpgsql STABLE AS $$
DECLARE
    found_crm leadanalytics.crm;
BEGIN
    SELECT c.* INTO found_crm FROM leadanalytics.crm c WHERE c.workspace = required_crm.workspace AND c.active;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'The CRM integration is not set up: leadanalytics.set_crm() does it' USING ERRCODE = 'LA503', HINT = 'SELECT leadanalytics.set_crm(workspace);';
    END IF;
    RETURN found_crm;
END
$$;
COMMENT ON FUNCTION leadanalytics.required_crm(int) IS 'the CRM of a workspace; LA503 when there is none: for functions that asked who calls';

CREATE FUNCTION leadanalytics.crm_status(crm leadanalytics.crm, reported text)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    said CONSTANT text := lower(btrim(reported));
BEGIN
    RETURN coalesce((crm).statuses ->> said,
                    CASE WHEN said = 'converted' THEN 'won'
                         WHEN said IN ('new', 'contacted', 'qualified', 'proposal', 'won', 'lost', 'fake', 'unqualified') THEN said END);
END
$$;
COMMENT ON FUNCTION leadanalytics.crm_status(leadanalytics.crm, text) IS 'which of our statuses the CRM means; null: none that is known';

CREATE FUNCTION leadanalytics.crm_answer(lead bigint, reason text DEFAULT NULL)
RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN reason IS NULL THEN json_build_object('ok', true, 'stored', true, 'lead_id', lead)
                ELSE json_build_object('ok', true, 'stored', false, 'reason', reason) END
$$;
COMMENT ON FUNCTION leadanalytics.crm_answer(bigint, text) IS 'what a CRM is answered: the lead, or why nothing was stored';

CREATE FUNCTION leadanalytics.link_crm_lead(
    workspace int, crm_lead_id text, lead_id text DEFAULT NULL, visitor_id text DEFAULT NULL, email text DEFAULT NULL, phone text DEFAULT NULL,
    country_code text DEFAULT NULL, project text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(link_crm_lead.workspace);
    post leadanalytics.lead_post;
    meant bigint;
BEGIN
    PERFORM leadanalytics.required_crm(allowed);
    IF coalesce(link_crm_lead.crm_lead_id, '') = '' THEN
        RAISE EXCEPTION 'crm_lead_id is required' USING ERRCODE = 'LA400';
    END IF;
    post.workspace := allowed;
    post.visitor_id := nullif(btrim(link_crm_lead.visitor_id), '');
    post.email := nullif(btrim(link_crm_lead.email), '');
    post.phone_key := leadanalytics.phone_digits(link_crm_lead.phone, link_crm_lead.country_code);
    post.project := btrim(link_crm_lead.project);
    IF coalesce(nullif(link_crm_lead.lead_id, ''), post.visitor_id, post.email, post.phone_key) IS NULL THEN
        RAISE EXCEPTION 'lead_id, visitor_id, email or phone is required' USING ERRCODE = 'LA400';
    END IF;
    meant := CASE WHEN link_crm_lead.lead_id <> '' THEN leadanalytics.find_engagement_lead(allowed, link_crm_lead.lead_id) ELSE leadanalytics.find_lead(post) END;
    IF meant IS NULL THEN
        RETURN leadanalytics.crm_answer(NULL, 'lead_not_found');
    END IF;
    -- Another id is a new beginning: what was reported was of another record.
    INSERT INTO leadanalytics.crm_lead AS c (workspace, crm_id, lead, linked_at) VALUES (allowed, link_crm_lead.crm_lead_id, meant, link_crm_lead.now)
    ON CONFLICT (workspace, lead) DO UPDATE SET crm_id = excluded.crm_id, linked_at = excluded.linked_at, status = NULL, status_at = NULL
        WHERE c.crm_id <> excluded.crm_id;
    RETURN leadanalytics.crm_answer(meant);
EXCEPTION WHEN unique_violation THEN
    RETURN leadanalytics.crm_answer(NULL, 'crm_lead_id_taken');
END
$$;
COMMENT ON FUNCTION leadanalytics.link_crm_lead(int, text, text, text, text, text, text, text, timestamptz) IS
    'L9: note what the CRM calls a lead, named by lead_id (ours, or its id in your system) or as a form''s post would be: visitor id, else e-mail address, else number, and the project. '
    'stored false: lead_not_found, or crm_lead_id_taken by another lead';
GRANT EXECUTE ON FUNCTION leadanalytics.link_crm_lead(int, text, text, text, text, text, text, text, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.add_crm_event(
    workspace int, crm_lead_id text, event_type text DEFAULT 'updated', status text DEFAULT NULL, event_id text DEFAULT NULL, occurred_at timestamptz DEFAULT NULL,
    now timestamptz DEFAULT now(), actor_key bigint DEFAULT NULL)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(add_crm_event.workspace);
    crm CONSTANT leadanalytics.crm := leadanalytics.required_crm(allowed);
    reported CONSTANT text := nullif(btrim(add_crm_event.status), '');
    at CONSTANT timestamptz := least(add_crm_event.occurred_at, add_crm_event.now); -- a clock that is ahead must not silence what follows
    known leadanalytics.crm_lead;
    meant text;
BEGIN
    IF coalesce(add_crm_event.crm_lead_id, '') = '' THEN
        RAISE EXCEPTION 'crm_lead_id is required' USING ERRCODE = 'LA400';
    END IF;
    SELECT c.* INTO known FROM leadanalytics.crm_lead c WHERE c.workspace = allowed AND c.crm_id = add_crm_event.crm_lead_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN leadanalytics.crm_answer(NULL, 'lead_not_found');
    END IF;
    IF reported IS NOT NULL AND (known.status_at IS NULL OR at >= known.status_at) THEN
        meant := leadanalytics.crm_status(crm, reported);
    END IF;
    INSERT INTO leadanalytics.crm_event (workspace, lead, crm_id, event_id, event_type, status, applied, at, received_at)
    VALUES (allowed, known.lead, known.crm_id,
            coalesce('id ' || nullif(add_crm_event.event_id, ''),
                     'at ' || leadanalytics.utc_milliseconds(add_crm_event.occurred_at) || ' ' || to_json(ARRAY[known.crm_id, add_crm_event.event_type, reported])),
            coalesce(add_crm_event.event_type, 'updated'), reported, meant IS NOT NULL, at, add_crm_event.now)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN leadanalytics.crm_answer(NULL, 'duplicate_event');
    END IF;
    UPDATE leadanalytics.crm_lead c SET status = reported, status_at = at
    WHERE c.workspace = allowed AND c.crm_id = known.crm_id AND reported IS NOT NULL AND (c.status_at IS NULL OR at >= c.status_at);
    IF meant IS NOT NULL THEN
        PERFORM leadanalytics.change_status(allowed, known.lead, meant, add_crm_event.actor_key, add_crm_event.now);
    END IF;
    RETURN leadanalytics.crm_answer(known.lead);
END
$$;
COMMENT ON FUNCTION leadanalytics.add_crm_event(int, text, text, text, text, timestamptz, timestamptz, bigint) IS
    'L9: what the CRM reports of a lead. A status that is one of ours (leadanalytics.set_crm()) and not older than the last becomes the lead''s; another is kept as reported. '
    'An event that came before, by its id or else its time, changes nothing. stored false: lead_not_found or duplicate_event';
GRANT EXECUTE ON FUNCTION leadanalytics.add_crm_event(int, text, text, text, text, timestamptz, timestamptz, bigint) TO leadanalytics_write;

CREATE VIEW leadanalytics.crm_leads WITH (security_barrier) AS
    SELECT c.workspace, c.lead, c.crm_id, c.status, c.status_at, c.linked_at FROM leadanalytics.crm_lead c WHERE leadanalytics.may(c.workspace);
COMMENT ON VIEW leadanalytics.crm_leads IS 'what the CRM calls leads, and the newest status it reported, in its own words, of the workspaces the caller may ask about';
GRANT SELECT ON leadanalytics.crm_leads TO leadanalytics_read;

CREATE VIEW leadanalytics.crm_events WITH (security_barrier) AS
    SELECT e.workspace, e.id, e.lead, e.crm_id, e.event_type, e.status, e.applied, e.at, e.received_at FROM leadanalytics.crm_event e WHERE leadanalytics.may(e.workspace);
COMMENT ON VIEW leadanalytics.crm_events IS 'what the CRM reported of leads, of the workspaces the caller may ask about';
GRANT SELECT ON leadanalytics.crm_events TO leadanalytics_read;

-- Without a lead there is a reason: lead_id is there or not, and what else is there is open.
INSERT INTO leadanalytics.route (method, path, function, family, roles, summary, example, open_members, builtin) VALUES
    ('POST', '/webhooks/crm/lead', 'leadanalytics.add_crm_event', 'dashboard', '{capture}', 'What the CRM reports of a lead; {"ok", "stored": false, "reason"} when it is of none that is known, or came before',
     '{"ok": true, "stored": true, "lead_id": 42}', '{lead_id,.*}', true),
    ('POST', '/lead.capture/crm-callback', 'leadanalytics.link_crm_lead', 'dashboard', '{capture}', 'Write the CRM''s id back to the lead; {"ok", "stored": false, "reason"} when there is no such lead, or another has the id',
     '{"ok": true, "stored": true, "lead_id": 42}', '{lead_id,.*}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, max, fallback, position, example, summary) VALUES
    ('POST', '/webhooks/crm/lead', 'crm_lead_id', 'body', 'crm_lead_id', 'text', true, 1, 128, NULL, 1, 'crm-42', 'what the CRM calls the lead'),
    ('POST', '/webhooks/crm/lead', 'event_type', 'body', 'event_type', 'text', false, 1, 64, 'updated', 2, 'updated', 'what happened'),
    ('POST', '/webhooks/crm/lead', 'status', 'body', 'status', 'text', false, 0, 128, NULL, 3, 'qualified', 'how far it is, as the CRM calls it'),
    ('POST', '/webhooks/crm/lead', 'event_id', 'body', 'event_id', 'text', false, 0, 128, NULL, 4, 'crm-event-1', 'which event it is: one that comes again changes nothing'),
    ('POST', '/webhooks/crm/lead', 'occurred_at', 'body', 'occurred_at', 'timestamp', false, NULL, NULL, NULL, 5, '2026-02-09T10:30:00Z', 'when it happened; default: now'),
    ('POST', '/lead.capture/crm-callback', 'crm_lead_id', 'body', 'crm_lead_id', 'text', true, 1, 128, NULL, 1, 'crm-42', 'what the CRM calls the lead'),
    ('POST', '/lead.capture/crm-callback', 'lead_id', 'body', 'lead_id', 'text', false, 0, 128, NULL, 2, '42', 'the lead: identity.lead_id of what webhooks were told, or its id in your system'),
    ('POST', '/lead.capture/crm-callback', 'visitor_id', 'body', 'visitor_id', 'text', false, 0, 128, NULL, 3, NULL, 'without lead_id: its visitor'),
    ('POST', '/lead.capture/crm-callback', 'email', 'body', 'email', 'text', false, 0, 320, NULL, 4, NULL, 'else its e-mail address'),
    ('POST', '/lead.capture/crm-callback', 'phone', 'body', 'phone', 'text', false, 0, 50, NULL, 5, NULL, 'else its number'),
    ('POST', '/lead.capture/crm-callback', 'country_code', 'body', 'country_code', 'text', false, 0, 20, NULL, 6, NULL, 'the number''s dial code, where it does not begin with it'),
    ('POST', '/lead.capture/crm-callback', 'project', 'body', 'project', 'text', false, 0, 200, NULL, 7, NULL, 'and its project, as it was posted; absent: the lead without one');
