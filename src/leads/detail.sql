-- One lead: its detail, which marks it seen (S1-11, D-13), and its status (S1-12).

CREATE FUNCTION leadanalytics.sessions_of_lead(workspace int, lead bigint)
RETURNS TABLE (
    session_id text,
    visitor_id text,
    entry_page text,
    exit_page text,
    country text,
    started_at timestamptz,
    ended_at timestamptz,
    duration_ms bigint,
    engagement_score int,
    event_count int)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- Of its visitor, and of its posts.
    RETURN QUERY
    WITH wanted AS (
        SELECT s.number FROM leadanalytics.lead l
        JOIN leadanalytics.visitor v ON v.workspace = l.workspace AND v.visitor_id = l.visitor_id
        JOIN leadanalytics.session s ON s.workspace = v.workspace AND s.visitor = v.number
        WHERE l.workspace = sessions_of_lead.workspace AND l.id = sessions_of_lead.lead
        UNION
        SELECT s.number FROM leadanalytics.lead_submission p
        JOIN leadanalytics.session s ON s.workspace = p.workspace AND s.session_id = p.session_id
        WHERE p.workspace = sessions_of_lead.workspace AND p.lead = sessions_of_lead.lead
        UNION
        SELECT s.number FROM leadanalytics.lead_submission p
        JOIN leadanalytics.session s ON s.workspace = p.workspace AND s.number = p.session_id::bigint AND s.session_id IS NULL
        WHERE p.workspace = sessions_of_lead.workspace AND p.lead = sessions_of_lead.lead AND p.session_id ~ '^[0-9]{1,18}$'
    )
    SELECT coalesce(s.session_id, s.number::text), v.visitor_id, entry.parts[1], last.parts[1], place.parts[1], s.started_at, s.ended_at,
           leadanalytics.unix_ms(s.ended_at) - leadanalytics.unix_ms(s.started_at),
           leadanalytics.engagement_score(extract(epoch FROM coalesce(s.ended_at, s.last_seen) - s.started_at)::float8,
                                          s.scroll_percent, s.clicks, s.returns),
           s.events
    FROM wanted w
    JOIN leadanalytics.session s ON s.workspace = sessions_of_lead.workspace AND s.number = w.number
    LEFT JOIN leadanalytics.visitor v ON v.workspace = s.workspace AND v.number = s.visitor
    LEFT JOIN leadanalytics.term entry ON entry.workspace = s.workspace AND entry.id = s.entry_page
    LEFT JOIN leadanalytics.term last ON last.workspace = s.workspace AND last.id = s.last_page
    LEFT JOIN leadanalytics.term place ON place.workspace = s.workspace AND place.id = s.place
    ORDER BY s.started_at DESC, s.number DESC
    LIMIT 100;
END
$$;
COMMENT ON FUNCTION leadanalytics.sessions_of_lead(int, bigint) IS 'the sessions of a lead''s visitor and of its posts, the latest 100: for functions that asked who calls';

CREATE FUNCTION leadanalytics.lead_detail(workspace int, lead bigint)
RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
    stored leadanalytics.lead;
    post leadanalytics.lead_post;
BEGIN
    SELECT l.* INTO stored FROM leadanalytics.lead l WHERE l.workspace = lead_detail.workspace AND l.id = lead_detail.lead;
    -- What only the detail shows stands in the first post.
    SELECT r.* INTO post
    FROM leadanalytics.lead_submission s, leadanalytics.read_lead_post(s.payload) AS r
    WHERE s.workspace = lead_detail.workspace AND s.lead = lead_detail.lead AND s.is_primary
    ORDER BY s.submitted_at, s.id LIMIT 1;
    RETURN json_build_object(
        'lead', (
            SELECT json_object_agg(m.key, m.value ORDER BY m.part, m.ordinality) FROM (
                SELECT 1 AS part, * FROM json_each(leadanalytics.lead_json(leadanalytics.show_lead(stored))) WITH ORDINALITY
                UNION ALL
                SELECT 2, * FROM json_each(json_build_object(
                    'keyword', post.keyword, 'team', post.team, 'domain', post.domain, 'page_url', post.page_url,
                    'utm_source', post.utm_source, 'utm_medium', post.utm_medium, 'utm_campaign', post.utm_campaign,
                    'utm_term', post.utm_term, 'utm_content', post.utm_content,
                    'message', post.message, 'time_to_submit', post.time_to_submit)) WITH ORDINALITY) AS m (part, key, value, ordinality)),
        'sessions', (
            SELECT coalesce(json_agg(json_build_object(
                'session_id', s.session_id, 'visitor_id', s.visitor_id, 'entry_page', s.entry_page, 'exit_page', s.exit_page,
                'country', s.country, 'started_at', leadanalytics.unix_ms(s.started_at), 'ended_at', leadanalytics.unix_ms(s.ended_at),
                'duration', s.duration_ms, 'engagement_score', s.engagement_score, 'event_count', s.event_count) ORDER BY s.place), '[]')
            FROM leadanalytics.sessions_of_lead(lead_detail.workspace, lead_detail.lead) WITH ORDINALITY
                AS s (session_id, visitor_id, entry_page, exit_page, country, started_at, ended_at, duration_ms, engagement_score, event_count, place)),
        'submissions', (
            SELECT coalesce(json_agg(json_build_object(
                'submission_id', s.id, 'lead_id', s.lead, 'submitted_at', leadanalytics.utc_text(s.submitted_at),
                'project_name', s.project, 'visitor_id', s.visitor_id, 'session_id', s.session_id,
                'contact_email', s.email, 'contact_phone', s.phone, 'contact_ip', abbrev(s.contact_ip),
                'source', s.source, 'referer', s.referer, 'cta_name', s.cta_name,
                'is_primary_lead', s.is_primary::int, 'is_duplicate_window', s.is_duplicate_window::int,
                'payload_json', s.payload::text,
                'is_ip_blocked', coalesce(leadanalytics.listed_ip_policy(s.workspace, s.contact_ip) = 'blocked', false)::int)
                ORDER BY s.submitted_at DESC, s.id DESC), '[]')
            FROM leadanalytics.lead_submission s
            WHERE s.workspace = lead_detail.workspace AND s.lead = lead_detail.lead));
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_detail(int, bigint) IS 'a lead, its sessions and its posts: for functions that asked who calls';

CREATE FUNCTION leadanalytics.lead(workspace int, lead_id bigint, now timestamptz DEFAULT now(), as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.require_contacts(workspace, as_role);
BEGIN
    -- A post that came while we wait for the row is seen too: the answer is read after it.
    UPDATE leadanalytics.lead l
    SET first_seen_at = coalesce(l.first_seen_at, lead.now),
        last_viewed_at = greatest(l.last_viewed_at, l.last_follow_up_at, lead.now)
    WHERE l.workspace = allowed AND l.id = lead_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Lead not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.leads().';
    END IF;
    RETURN leadanalytics.lead_detail(allowed, lead_id);
END
$$;
COMMENT ON FUNCTION leadanalytics.lead(int, bigint, timestamptz, text) IS
    'a lead with its sessions and posts; to ask for it is to see it: seen_at is written, and it needs no review until somebody posts again';
GRANT EXECUTE ON FUNCTION leadanalytics.lead(int, bigint, timestamptz, text) TO leadanalytics_write;

-- Every change of a status comes through here.
CREATE FUNCTION leadanalytics.change_status(workspace int, lead bigint, status text, key bigint, now timestamptz)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    before text;
    other_id text;
BEGIN
    -- Locked, so that the history is a chain: what one change leaves, the next one finds.
    SELECT l.status, l.external_id INTO before, other_id FROM leadanalytics.lead l
    WHERE l.workspace = change_status.workspace AND l.id = change_status.lead FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF before <> change_status.status THEN
        UPDATE leadanalytics.lead l SET status = change_status.status
        WHERE l.workspace = change_status.workspace AND l.id = change_status.lead;
        INSERT INTO leadanalytics.lead_status_change (workspace, lead, from_status, to_status, at, key)
        VALUES (change_status.workspace, change_status.lead, before, change_status.status, change_status.now, change_status.key);
        IF leadanalytics.is_wanted(change_status.workspace, 'lead.status_changed') THEN
            PERFORM leadanalytics.tell(change_status.workspace, 'lead.status_changed', json_build_object(
                'lead_id', change_status.lead, 'external_id', other_id, 'status', change_status.status, 'previous_status', before,
                'changed_at', leadanalytics.utc_milliseconds(change_status.now)), change_status.now);
        END IF;
    END IF;
    RETURN true;
END
$$;
COMMENT ON FUNCTION leadanalytics.change_status(int, bigint, text, bigint, timestamptz) IS
    'set a lead''s status, note the change when it is one, and tell webhooks of it; false when there is no such lead: for functions that asked who calls';
INSERT INTO leadanalytics.topic (name, summary, example, builtin) VALUES
    ('lead.status_changed', 'a lead''s status changed, whoever did it: new, contacted, qualified, proposal, won, lost, fake or unqualified',
     '{"lead_id": 42, "external_id": null, "status": "contacted", "previous_status": "new", "changed_at": "2026-02-09T10:30:00.000Z"}', true);

CREATE FUNCTION leadanalytics.set_lead_status(
    workspace int,
    lead_id bigint,
    status text,
    actor_key bigint DEFAULT NULL,
    now timestamptz DEFAULT now(),
    as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.require_contacts(workspace, as_role);
BEGIN
    IF status IS NULL OR status = '' THEN
        RAISE EXCEPTION 'status is required' USING ERRCODE = 'LA400';
    ELSIF lower(status) NOT IN ('new', 'contacted', 'qualified', 'proposal', 'won', 'lost', 'fake') THEN
        RAISE EXCEPTION 'Invalid status' USING ERRCODE = 'LA404', HINT = 'new, contacted, qualified, proposal, won, lost or fake.';
    ELSIF NOT leadanalytics.change_status(allowed, lead_id, lower(status), actor_key, now) THEN
        RAISE EXCEPTION 'Lead not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.leads().';
    END IF;
    RETURN json_build_object('updated', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.set_lead_status(int, bigint, text, bigint, timestamptz, text) IS
    'new, contacted, qualified, proposal, won, lost or fake, in any case; the change is noted in leadanalytics.lead_status_change';
GRANT EXECUTE ON FUNCTION leadanalytics.set_lead_status(int, bigint, text, bigint, timestamptz, text) TO leadanalytics_write;

INSERT INTO leadanalytics.route (method, path, function, family, roles, writes, cors, summary, example, builtin) VALUES
    ('GET', '/analytics/leads/:id', 'leadanalytics.lead', 'dashboard', '{admin}', true, true,
     'A lead with its sessions and posts; marks it seen',
     '{"lead": {"lead_id": 42, "enquiry_datetime": "2026-02-23 11:15:00", "contact_name": "Rahul Sharma", "contact_email": "rahul@example.com", "contact_phone": "9876543210", "project_name": "Sky Towers", "project_location": "Pune", "project_source": "WebSite", "contact_country_name": "IN", "contact_city": "Pune", "visitor_id": "abc123", "session_id": "session_123", "engagement_score": 74, "engagement_label": "Very Hot", "form_submit_count": 2, "suspicion_score": 10, "follow_ups_count": 1, "last_follow_up_at": "2026-02-24 09:30:00", "status": "contacted", "seen_at": 1771845300000, "needs_review": 0, "contact_ip": "198.51.100.20", "is_ip_blocked": 0, "keyword": "flats in pune", "team": "Sales", "domain": "example.com", "page_url": "https://example.com/sky-towers", "utm_source": "google", "utm_medium": "cpc", "utm_campaign": "spring", "utm_term": "flats", "utm_content": "banner", "message": "Please call me", "time_to_submit": 42.5},
       "sessions": [{"session_id": "session_123", "visitor_id": "abc123", "entry_page": "https://example.com/", "exit_page": "https://example.com/sky-towers", "country": "IN", "started_at": 1771845200000, "ended_at": 1771845280000, "duration": 80000, "engagement_score": 38, "event_count": 19}],
       "submissions": [{"submission_id": 501, "lead_id": 42, "submitted_at": "2026-02-23 11:15:00", "project_name": "Sky Towers", "visitor_id": "abc123", "session_id": "session_123", "contact_email": "rahul@example.com", "contact_phone": "9876543210", "contact_ip": "198.51.100.20", "source": "WebSite", "referer": "https://example.com/sky-towers", "cta_name": "Enquire", "is_primary_lead": 1, "is_duplicate_window": 0, "payload_json": "{\"FIRSTNAME\":\"Rahul Sharma\"}", "is_ip_blocked": 0}]}', true),
    ('PATCH', '/analytics/leads/:id', 'leadanalytics.set_lead_status', 'dashboard', '{admin}', false, true,
     'Set a lead''s status', '{"updated": true}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, error, position, example, summary) VALUES
    ('GET', '/analytics/leads/:id', 'id', 'path', 'lead_id', 'bigint', true, 1, 'Invalid lead id', 1, '42', 'the lead'),
    ('PATCH', '/analytics/leads/:id', 'id', 'path', 'lead_id', 'bigint', true, 1, 'Invalid lead id', 1, '42', 'the lead'),
    ('PATCH', '/analytics/leads/:id', 'status', 'body', 'status', 'text', false, NULL, NULL, 2, 'contacted',
     'new, contacted, qualified, proposal, won, lost or fake, in any case');
