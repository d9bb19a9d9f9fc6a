-- The leads list (S1-09, D-11 … D-14, D-24) and what leads look like wherever they are shown.

-- S1's time formats (D-68).
CREATE FUNCTION leadanalytics.utc_text(at timestamptz)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
$$;
COMMENT ON FUNCTION leadanalytics.utc_text(timestamptz) IS 'YYYY-MM-DD HH:MM:SS in UTC';
CREATE FUNCTION leadanalytics.unix_ms(at timestamptz)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.floor(EXTRACT(epoch FROM at) * 1000)::bigint
$$;
COMMENT ON FUNCTION leadanalytics.unix_ms(timestamptz) IS 'milliseconds since 1970';

CREATE FUNCTION leadanalytics.require_contacts(workspace int, as_role text)
RETURNS int LANGUAGE plpgsql STABLE AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
BEGIN
    IF NOT leadanalytics.sees_contacts(allowed, as_role) THEN
        RAISE EXCEPTION 'Forbidden' USING ERRCODE = 'LA403', HINT = 'Marketing sees submissions, with contacts masked: leadanalytics.lead_submissions().';
    END IF;
    RETURN allowed;
END
$$;
COMMENT ON FUNCTION leadanalytics.require_contacts(int, text) IS 'the workspace''s id, or 403 for one who sees contacts masked only (S1-A3)';

-- D-62: a stored status as this family knows it.
CREATE FUNCTION leadanalytics.shown_status(status text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE status WHEN 'unqualified' THEN 'lost' ELSE status END
$$;
COMMENT ON FUNCTION leadanalytics.shown_status(text) IS 'the dashboard''s word for a stored status';

CREATE FUNCTION leadanalytics.lead_classes(status text, has_follow_ups boolean, seen boolean)
RETURNS smallint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(pg_catalog.array_agg((8 * (n - 1) + bits)::smallint ORDER BY n, bits), '{}')
    FROM pg_catalog.unnest('{new,contacted,qualified,proposal,won,lost,fake,unqualified}'::text[]) WITH ORDINALITY AS s (stored, n),
         pg_catalog.generate_series(0, 7) AS bits
    WHERE (status IS NULL OR leadanalytics.shown_status(stored) = pg_catalog.lower(status))
      AND (has_follow_ups IS NOT TRUE OR bits & 4 > 0)
      AND (seen IS NULL OR bits & CASE WHEN seen THEN 2 ELSE 1 END > 0)
$$;
COMMENT ON FUNCTION leadanalytics.lead_classes(text, boolean, boolean) IS
    'the classes (leadanalytics.lead_class()) that the filters of the leads list let through; seen false: those that need review';

-- The plans are made for what they meet in a large workspace, whatever the tables held when they were made.
CREATE FUNCTION leadanalytics.lead_page(
    workspace int,
    classes smallint[],
    needle text,
    sort text,
    "limit" int,
    "offset" int,
    OUT ids bigint[],
    OUT total bigint)
LANGUAGE c STABLE
SET enable_seqscan = off SET enable_sort = off SET plan_cache_mode = force_generic_plan SET jit = off
AS 'MODULE_PATHNAME', 'la_leads_page';
COMMENT ON FUNCTION leadanalytics.lead_page(int, smallint[], text, text, int, int) IS
    'a page of leads, by id in order, and how many there are: see src/leads/page.c; needle in lower case; for functions that asked who calls';

CREATE FUNCTION leadanalytics.show_lead(l leadanalytics.lead)
RETURNS leadanalytics.lead_row LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ROW(l.id, l.enquiry_at, l.name, l.email, l.phone, l.project, l.location, l.source, l.country, l.city,
               l.visitor_id, l.session_id, l.score::int, leadanalytics.engagement_label(l.score), l.form_submit_count, l.suspicion::int,
               l.follow_ups_count, l.last_follow_up_at, leadanalytics.shown_status(l.status), l.first_seen_at, l.class & 1 = 1,
               l.contact_ip, coalesce(leadanalytics.listed_ip_policy(l.workspace, l.contact_ip) = 'blocked', false));
END
$$;
COMMENT ON FUNCTION leadanalytics.show_lead(leadanalytics.lead) IS 'a stored lead as it is shown; whether its address is blocked is looked up now';

CREATE FUNCTION leadanalytics.lead_json(r leadanalytics.lead_row)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT pg_catalog.json_build_object(
        'lead_id', r.lead_id,
        'enquiry_datetime', leadanalytics.utc_text(r.enquiry_at),
        'contact_name', r.contact_name,
        'contact_email', r.contact_email,
        'contact_phone', r.contact_phone,
        'project_name', r.project_name,
        'project_location', r.project_location,
        'project_source', r.project_source,
        'contact_country_name', r.contact_country_name,
        'contact_city', r.contact_city,
        'visitor_id', r.visitor_id,
        'session_id', r.session_id,
        'engagement_score', r.engagement_score,
        'engagement_label', r.engagement_label,
        'form_submit_count', r.form_submit_count,
        'suspicion_score', r.suspicion_score,
        'follow_ups_count', r.follow_ups_count,
        'last_follow_up_at', leadanalytics.utc_text(r.last_follow_up_at),
        'status', r.status,
        'seen_at', leadanalytics.unix_ms(r.seen_at),
        'needs_review', r.needs_review::int,
        'contact_ip', pg_catalog.abbrev(r.contact_ip),
        'is_ip_blocked', r.is_ip_blocked::int)
$$;
COMMENT ON FUNCTION leadanalytics.lead_json(leadanalytics.lead_row) IS 'a lead as the dashboard reads it';

CREATE FUNCTION leadanalytics.leads_rows(
    workspace int,
    q text DEFAULT NULL,
    status text DEFAULT NULL,
    has_follow_ups boolean DEFAULT NULL,
    seen boolean DEFAULT NULL,
    sort text DEFAULT 'newest',
    "limit" int DEFAULT NULL,
    "offset" int DEFAULT 0)
RETURNS SETOF leadanalytics.lead_row LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.require_contacts(workspace, NULL);
BEGIN
    RETURN QUERY
    SELECT r.* FROM leadanalytics.lead_page(allowed, leadanalytics.lead_classes(status, has_follow_ups, seen), nullif(lower(q), ''), sort,
                                            greatest(coalesce("limit", 2147483647), 0), greatest(coalesce("offset", 0), 0)) AS page,
         unnest(page.ids) WITH ORDINALITY AS p (id, place)
    JOIN leadanalytics.lead l ON l.workspace = allowed AND l.id = p.id
    CROSS JOIN LATERAL leadanalytics.show_lead(l) AS r
    ORDER BY p.place;
END
$$;
COMMENT ON FUNCTION leadanalytics.leads_rows(int, text, text, boolean, boolean, text, int, int) IS
    'the rows leadanalytics.leads() shows, for SQL; limit null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.leads_rows(int, text, text, boolean, boolean, text, int, int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.leads(
    workspace int,
    q text DEFAULT NULL,
    status text DEFAULT NULL,
    has_follow_ups boolean DEFAULT NULL,
    seen boolean DEFAULT NULL,
    sort text DEFAULT 'newest',
    "limit" int DEFAULT 25,
    "offset" int DEFAULT 0,
    as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.require_contacts(workspace, as_role);
    page record := leadanalytics.lead_page(
        allowed, leadanalytics.lead_classes(nullif(status, ''), has_follow_ups, seen), nullif(lower(q), ''), sort,
        least(greatest(coalesce("limit", 25), 1), 100), greatest(coalesce("offset", 0), 0));
BEGIN
    RETURN json_build_object(
        'leads', (
            SELECT coalesce(json_agg(leadanalytics.lead_json(leadanalytics.show_lead(l)) ORDER BY p.place), '[]')
            FROM unnest(page.ids) WITH ORDINALITY AS p (id, place)
            JOIN leadanalytics.lead l ON l.workspace = allowed AND l.id = p.id),
        'total', page.total);
END
$$;
COMMENT ON FUNCTION leadanalytics.leads(int, text, text, boolean, boolean, text, int, int, text) IS
    'a page of leads; q: part of name, e-mail address, number, project or visitor id; seen false: those that need review; '
    'sort: newest, oldest, last_follow_up, score_desc, score_asc, risk_desc, risk_asc, name_asc; at most 100';
GRANT EXECUTE ON FUNCTION leadanalytics.leads(int, text, text, boolean, boolean, text, int, int, text) TO leadanalytics_read;

-- S1-14. From index to index entry: as many probes as there are values, however many leads.
CREATE FUNCTION leadanalytics.lead_projects(workspace int)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
BEGIN
    RETURN (
        WITH RECURSIVE step AS (
            (SELECT l.project FROM leadanalytics.lead l WHERE l.workspace = allowed AND l.project IS NOT NULL ORDER BY l.project LIMIT 1)
            UNION ALL
            SELECT (SELECT l.project FROM leadanalytics.lead l WHERE l.workspace = allowed AND l.project > s.project ORDER BY l.project LIMIT 1)
            FROM step s WHERE s.project IS NOT NULL
        )
        SELECT coalesce(json_agg(s.project ORDER BY s.project), '[]') FROM step s WHERE s.project IS NOT NULL);
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_projects(int) IS 'the projects that leads are for, ascending';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_projects(int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.lead_sources(workspace int)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
BEGIN
    RETURN (
        WITH RECURSIVE step AS (
            (SELECT l.source FROM leadanalytics.lead l WHERE l.workspace = allowed AND l.source IS NOT NULL ORDER BY l.source LIMIT 1)
            UNION ALL
            SELECT (SELECT l.source FROM leadanalytics.lead l WHERE l.workspace = allowed AND l.source > s.source ORDER BY l.source LIMIT 1)
            FROM step s WHERE s.source IS NOT NULL
        )
        SELECT coalesce(json_agg(s.source ORDER BY s.source), '[]') FROM step s WHERE s.source IS NOT NULL);
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_sources(int) IS 'the sources that leads came from, ascending';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_sources(int) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, summary, example, builtin) VALUES
    ('GET', '/analytics/leads', 'leadanalytics.leads', 'dashboard', '{admin}', true, 'Leads, filtered, sorted, by page',
     '{"leads": [{"lead_id": 42, "enquiry_datetime": "2026-02-23 11:15:00", "contact_name": "Rahul Sharma", "contact_email": "rahul@example.com", "contact_phone": "9876543210", "project_name": "Sky Towers", "project_location": "Pune", "project_source": "WebSite", "contact_country_name": "IN", "contact_city": "Pune", "visitor_id": "abc123", "session_id": "session_123", "engagement_score": 74, "engagement_label": "Very Hot", "form_submit_count": 2, "suspicion_score": 10, "follow_ups_count": 1, "last_follow_up_at": "2026-02-24 09:30:00", "status": "contacted", "seen_at": 1771845300000, "needs_review": 1, "contact_ip": "198.51.100.20", "is_ip_blocked": 0}], "total": 187}', true),
    ('GET', '/analytics/leads/projects', 'leadanalytics.lead_projects', 'dashboard', '{admin,marketing}', true,
     'Projects of leads', '["Lake View", "Sky Towers"]', true),
    ('GET', '/analytics/leads/sources', 'leadanalytics.lead_sources', 'dashboard', '{admin,marketing}', true,
     'Sources of leads', '["WebSite", "Whatsapp"]', true);
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary) VALUES
    ('GET', '/analytics/leads', 'limit', 'limit', 'int', 1, 100, true, '25', 1, '25', 'how many'),
    ('GET', '/analytics/leads', 'offset', 'offset', 'int', 0, NULL, true, '0', 2, '0', 'after how many'),
    ('GET', '/analytics/leads', 'q', 'q', 'text', NULL, NULL, true, NULL, 3, 'rahul', 'part of name, e-mail address, number, project or visitor id'),
    ('GET', '/analytics/leads', 'status', 'status', 'text', NULL, NULL, true, NULL, 4, 'contacted', 'new, contacted, qualified, proposal, won, lost or fake'),
    ('GET', '/analytics/leads', 'has_follow_ups', 'has_follow_ups', 'boolean', NULL, NULL, true, NULL, 5, 'true', 'true: only those who came back'),
    ('GET', '/analytics/leads', 'seen', 'seen', 'boolean', NULL, NULL, true, NULL, 6, 'false', 'true: viewed; false: needs review'),
    ('GET', '/analytics/leads', 'sort', 'sort', 'text', NULL, NULL, true, 'newest', 7, 'newest',
     'newest, oldest, last_follow_up, score_desc, score_asc, risk_desc, risk_asc or name_asc');
