-- Leads as the engagement family knows them: by their ids in the other system (D-73), with fewer statuses (D-62).

CREATE FUNCTION leadanalytics.engagement_status(status text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE status WHEN 'proposal' THEN 'qualified' WHEN 'won' THEN 'converted' WHEN 'fake' THEN 'unqualified' ELSE status END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_status(text) IS 'a stored status of a lead as the engagement family shows it';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_status(text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.stored_status(status text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE status WHEN 'converted' THEN 'won' ELSE status END
$$;
COMMENT ON FUNCTION leadanalytics.stored_status(text) IS 'a status as the engagement family says it, as it is stored';

-- Who it is on the web: the person of its id, the visitors of its posts, and all that is known to be the same.
CREATE FUNCTION leadanalytics.lead_numbers(workspace int, lead_id text)
RETURNS int[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    found CONSTANT bigint := leadanalytics.find_engagement_lead(workspace, lead_id);
BEGIN
    RETURN ARRAY(
        SELECT DISTINCT n.number
        FROM (SELECT leadanalytics.find_user(lead_numbers.workspace, i.id) AS owner
              FROM (SELECT lead_id AS id
                    UNION SELECT l.visitor_id FROM leadanalytics.lead l WHERE l.workspace = lead_numbers.workspace AND l.id = found AND l.visitor_id IS NOT NULL
                    UNION SELECT s.visitor_id FROM leadanalytics.lead_submission s WHERE s.workspace = lead_numbers.workspace AND s.lead = found AND s.visitor_id IS NOT NULL) AS i) AS o,
             unnest(leadanalytics.numbers_of(lead_numbers.workspace, o.owner)) AS n (number)
        WHERE o.owner IS NOT NULL);
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_numbers(int, text) IS 'the numbers of a lead''s person and visitors: for functions that asked who calls';

-- A few leads are looked up one by one, many are joined with all changes since: it is planned for the range.
CREATE FUNCTION leadanalytics.lead_first_responses(workspace int, starts timestamptz, ends timestamptz)
RETURNS TABLE (lead bigint, enquired_at timestamptz, responded_at timestamptz) LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan SET max_parallel_workers_per_gather = 0 SET jit = off AS $$
BEGIN
    RETURN QUERY
    SELECT l.id, l.enquiry_at, min(s.at)
    FROM leadanalytics.lead l
    JOIN leadanalytics.lead_status_change s ON s.workspace = l.workspace AND s.lead = l.id AND s.at >= l.enquiry_at
    WHERE l.workspace = lead_first_responses.workspace AND l.enquiry_at >= starts AND l.enquiry_at < ends
          AND s.workspace = lead_first_responses.workspace AND s.at >= starts AND s.from_status = 'new' AND s.to_status <> 'fake'
    GROUP BY l.id, l.enquiry_at;
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_first_responses(int, timestamptz, timestamptz) IS
    'leads that came from starts until before ends and somebody took up: when their status first left "new" after that, other than for "fake"; for functions that asked who calls';

CREATE FUNCTION leadanalytics.engagement_lead_json(workspace int, lead bigint)
RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT json_build_object('leadId', coalesce(l.external_id, l.id::text), 'email', CASE WHEN s.contacts THEN l.email ELSE leadanalytics.masked_email(l.email) END, 'name', l.name,
                                     'phone', CASE WHEN s.contacts THEN l.phone ELSE leadanalytics.masked_phone(l.phone) END, 'project', l.project, 'source', l.source,
                                     'status', leadanalytics.engagement_status(l.status), 'ownerId', l.owner_id, 'teamId', l.team_id,
                                     'createdAt', leadanalytics.utc_milliseconds(l.enquiry_at))
            FROM leadanalytics.lead l, (SELECT leadanalytics.sees_contacts(engagement_lead_json.workspace) AS contacts OFFSET 0) AS s
            WHERE l.workspace = engagement_lead_json.workspace AND l.id = engagement_lead_json.lead);
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_lead_json(int, bigint) IS 'a lead as the engagement family''s doors answer';

-- What is not said stays: a form may have told more than the other system knows. Null says nothing, so nobody is ''.
CREATE FUNCTION leadanalytics.change_engagement_lead(workspace int, lead bigint, owner_id text, team_id text, status text, key bigint, now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    before text;
BEGIN
    WITH changed AS (
        UPDATE leadanalytics.lead l
        SET owner_id = nullif(coalesce(change_engagement_lead.owner_id, l.owner_id), ''), team_id = nullif(coalesce(change_engagement_lead.team_id, l.team_id), '')
        WHERE l.workspace = change_engagement_lead.workspace AND l.id = change_engagement_lead.lead
              AND (coalesce(l.owner_id, ''), coalesce(l.team_id, ''))
                  IS DISTINCT FROM (coalesce(change_engagement_lead.owner_id, l.owner_id, ''), coalesce(change_engagement_lead.team_id, l.team_id, ''))
        RETURNING l.owner_id, l.team_id
    )
    INSERT INTO leadanalytics.lead_assignment (workspace, lead, owner_id, team_id, at, key)
    SELECT change_engagement_lead.workspace, change_engagement_lead.lead, c.owner_id, c.team_id, change_engagement_lead.now, change_engagement_lead.key FROM changed c;
    IF status IS NULL THEN
        RETURN;
    END IF;
    -- "qualified" says no less of a lead that has got a proposal, even one that gets it at this moment.
    SELECT leadanalytics.engagement_status(l.status) INTO before FROM leadanalytics.lead l
    WHERE l.workspace = change_engagement_lead.workspace AND l.id = change_engagement_lead.lead FOR NO KEY UPDATE;
    IF change_engagement_lead.status <> before THEN
        PERFORM leadanalytics.change_status(change_engagement_lead.workspace, change_engagement_lead.lead,
                                            leadanalytics.stored_status(change_engagement_lead.status),
                                            change_engagement_lead.key, change_engagement_lead.now);
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.change_engagement_lead(int, bigint, text, text, text, bigint, timestamptz) IS
    'give a lead another owner, team (of which '''' is none) or status (new, contacted, qualified, unqualified, converted, lost), and note since when; what is null stays';

CREATE FUNCTION leadanalytics.put_engagement_lead(
    workspace int, lead_id text, email text DEFAULT NULL, name text DEFAULT NULL, phone text DEFAULT NULL, project text DEFAULT NULL, source text DEFAULT NULL,
    status text DEFAULT NULL, owner_id text DEFAULT NULL, team_id text DEFAULT NULL, created_at timestamptz DEFAULT NULL, now timestamptz DEFAULT now(), actor_key bigint DEFAULT NULL)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(put_engagement_lead.workspace);
    known bigint;
BEGIN
    PERFORM leadanalytics.check_engagement_ids(put_engagement_lead.lead_id, NULL, NULL); -- or no event could name it
    PERFORM leadanalytics.check_engagement_time('createdAt', put_engagement_lead.created_at, put_engagement_lead.now);
    -- Two first puts of one lead make one.
    PERFORM pg_advisory_xact_lock(hashtextextended(format('leadanalytics lead %s %s', allowed, put_engagement_lead.lead_id), 0));
    known := leadanalytics.find_engagement_lead(allowed, put_engagement_lead.lead_id);
    IF known IS NULL THEN
        -- It may enter the pipeline further on. Mails may have named it before.
        INSERT INTO leadanalytics.lead AS l (workspace, id, external_id, enquiry_at, status, name, email, phone, phone_key, project, source)
        VALUES (allowed, leadanalytics.reserve_lead(allowed, put_engagement_lead.lead_id), put_engagement_lead.lead_id, coalesce(put_engagement_lead.created_at, put_engagement_lead.now),
                coalesce(leadanalytics.stored_status(put_engagement_lead.status), 'new'), put_engagement_lead.name, put_engagement_lead.email,
                put_engagement_lead.phone, leadanalytics.phone_digits(put_engagement_lead.phone, NULL), put_engagement_lead.project, put_engagement_lead.source)
        RETURNING l.id INTO known;
        INSERT INTO leadanalytics.lead_status_change (workspace, lead, from_status, to_status, at, key)
        VALUES (allowed, known, NULL, coalesce(leadanalytics.stored_status(put_engagement_lead.status), 'new'), coalesce(put_engagement_lead.created_at, put_engagement_lead.now), put_engagement_lead.actor_key);
    ELSE
        UPDATE leadanalytics.lead l
        SET external_id = put_engagement_lead.lead_id, enquiry_at = coalesce(put_engagement_lead.created_at, l.enquiry_at), name = coalesce(put_engagement_lead.name, l.name),
            email = coalesce(put_engagement_lead.email, l.email), phone = coalesce(put_engagement_lead.phone, l.phone),
            phone_key = CASE WHEN put_engagement_lead.phone IS NULL THEN l.phone_key ELSE leadanalytics.phone_digits(put_engagement_lead.phone, NULL) END,
            project = coalesce(put_engagement_lead.project, l.project), source = coalesce(put_engagement_lead.source, l.source)
        WHERE l.workspace = allowed AND l.id = known
              AND (l.enquiry_at, l.name, l.email, l.phone, l.project, l.source, l.external_id)
                  IS DISTINCT FROM (coalesce(put_engagement_lead.created_at, l.enquiry_at), coalesce(put_engagement_lead.name, l.name), coalesce(put_engagement_lead.email, l.email),
                                    coalesce(put_engagement_lead.phone, l.phone), coalesce(put_engagement_lead.project, l.project), coalesce(put_engagement_lead.source, l.source),
                                    put_engagement_lead.lead_id);
        -- It came when it came: funnels and timelines read that here.
        UPDATE leadanalytics.lead_status_change s SET at = put_engagement_lead.created_at
        WHERE s.workspace = allowed AND s.lead = known AND s.from_status IS NULL AND s.at <> put_engagement_lead.created_at;
    END IF;
    PERFORM leadanalytics.change_engagement_lead(allowed, known, put_engagement_lead.owner_id, put_engagement_lead.team_id, put_engagement_lead.status,
                                                 put_engagement_lead.actor_key, put_engagement_lead.now);
    RETURN leadanalytics.engagement_lead_json(allowed, known);
END
$$;
COMMENT ON FUNCTION leadanalytics.put_engagement_lead(int, text, text, text, text, text, text, text, text, text, timestamptz, timestamptz, bigint) IS
    'make a lead under its id in another system, or tell more of it: what is null stays as it is, an owner or team '''' is none; status: new, contacted, qualified, unqualified, converted or lost (D-62)';
GRANT EXECUTE ON FUNCTION leadanalytics.put_engagement_lead(int, text, text, text, text, text, text, text, text, text, timestamptz, timestamptz, bigint) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.patch_engagement_lead(
    workspace int, lead_id text, owner_id text DEFAULT NULL, team_id text DEFAULT NULL, status text DEFAULT NULL, now timestamptz DEFAULT now(), actor_key bigint DEFAULT NULL)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(patch_engagement_lead.workspace);
    lead CONSTANT bigint := leadanalytics.find_engagement_lead(allowed, lead_id);
BEGIN
    IF lead IS NULL THEN
        RAISE EXCEPTION 'Lead not found' USING ERRCODE = 'LA404', HINT = 'PUT makes it.';
    ELSIF coalesce(owner_id, team_id, status) IS NULL THEN
        PERFORM leadanalytics.fail_field('body', 'ownerId, teamId or status is required');
    END IF;
    PERFORM leadanalytics.change_engagement_lead(allowed, lead, owner_id, team_id, status, actor_key, now);
    RETURN leadanalytics.engagement_lead_json(allowed, lead);
END
$$;
COMMENT ON FUNCTION leadanalytics.patch_engagement_lead(int, text, text, text, text, timestamptz, bigint) IS 'give a lead another owner, team or status; what is null stays, an owner or team '''' is none';
GRANT EXECUTE ON FUNCTION leadanalytics.patch_engagement_lead(int, text, text, text, text, timestamptz, bigint) TO leadanalytics_write;

INSERT INTO leadanalytics.route (method, path, function, family, roles, message, summary, example, builtin) VALUES
    ('PUT', '/v1/leads/:leadId', 'leadanalytics.put_engagement_lead', 'engagement', '{live,sandbox}', 'Lead saved', 'Make a lead under its id in your system, or tell more of it',
     '{"leadId": "6789abcdef012345", "email": "ann@example.com", "name": "Ann", "phone": null, "project": null, "source": "website", "status": "new", "ownerId": "user_1", "teamId": "team_1", '
     '"createdAt": "2026-02-09T10:30:00.000Z"}', true),
    ('PATCH', '/v1/leads/:leadId', 'leadanalytics.patch_engagement_lead', 'engagement', '{live,sandbox}', 'Lead updated', 'Give a lead another owner, team or status',
     '{"leadId": "6789abcdef012345", "email": "ann@example.com", "name": "Ann", "phone": null, "project": null, "source": "website", "status": "contacted", "ownerId": "user_2", "teamId": "team_1", '
     '"createdAt": "2026-02-09T10:30:00.000Z"}', true);

INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, max, choices, position, example, summary)
SELECT r.method, r.path, p.*
FROM leadanalytics.route r
CROSS JOIN (VALUES
    ('leadId', 'path', 'lead_id', 'text', true, 1, 128, NULL::text[], 0, '6789abcdef012345', 'your id of the lead; or the number of one that came by a form'),
    ('email', 'body', 'email', 'text', false, 3, 254, NULL, 1, 'ann@example.com', 'its address'),
    ('name', 'body', 'name', 'text', false, 1, 300, NULL, 2, 'Ann', 'its name'),
    ('phone', 'body', 'phone', 'text', false, 1, 50, NULL, 3, '+1 555 0100', 'its number'),
    ('project', 'body', 'project', 'text', false, 1, 300, NULL, 4, 'Spring', 'what it is about'),
    ('source', 'body', 'source', 'text', false, 1, 200, NULL, 5, 'website', 'where it came from'),
    ('status', 'body', 'status', 'text', false, NULL, NULL, '{new,contacted,qualified,unqualified,converted,lost}', 6, 'contacted', 'how far it is'),
    ('ownerId', 'body', 'owner_id', 'text', false, 0, 128, NULL, 7, 'user_1', 'who works on it; empty: nobody'),
    ('teamId', 'body', 'team_id', 'text', false, 0, 128, NULL, 8, 'team_1', 'and in which team; empty: none'),
    ('createdAt', 'body', 'created_at', 'timestamp', false, NULL, NULL, NULL, 9, '2026-02-09T10:30:00.000Z', 'when it came; default: now, or as it was')) AS p (name, place, arg, type, required, min, max, choices, position, example, summary)
WHERE r.path = '/v1/leads/:leadId' AND (r.method = 'PUT' OR p.name IN ('leadId', 'status', 'ownerId', 'teamId'));
