-- Posts of all leads: the list for marketing (S1-13), and the latest (S1-10).

CREATE FUNCTION leadanalytics.range_bound(name text, value text, is_end boolean)
RETURNS timestamptz LANGUAGE plpgsql STABLE SET timezone = 'UTC' AS $$
DECLARE
    -- A blank where the plus of an offset stood: nobody encoded it.
    written text := replace(regexp_replace(value, ' (\d\d:?\d\d)$', '+\1'), ',', '.');
BEGIN
    IF coalesce(value, '') = '' THEN
        RETURN CASE WHEN is_end THEN 'infinity' ELSE '-infinity' END;
    ELSIF written ~ '^\d{4}-\d\d-\d\d$' THEN
        RETURN written::date::timestamp AT TIME ZONE 'UTC' + CASE WHEN is_end THEN interval '1 day' ELSE '0' END;
    ELSIF written ~ '^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:?\d\d)?$' THEN
        RETURN written::timestamptz + CASE WHEN NOT is_end THEN interval '0' WHEN written ~ '\.' THEN '1 ms' ELSE '1 s' END;
    END IF;
    RAISE EXCEPTION 'Invalid %', name USING ERRCODE = 'LA400', HINT = 'YYYY-MM-DD, or an ISO 8601 time.';
EXCEPTION
    WHEN datetime_field_overflow OR invalid_datetime_format OR invalid_time_zone_displacement_value THEN
        RAISE EXCEPTION 'Invalid %', name USING ERRCODE = 'LA400', HINT = 'YYYY-MM-DD, or an ISO 8601 time.';
END
$$;
COMMENT ON FUNCTION leadanalytics.range_bound(text, text, boolean) IS
    'where a range given by a date or time in UTC begins or, inclusive as it is meant, ends before (D-03); infinite when open';

CREATE FUNCTION leadanalytics.count_lead_submissions(workspace int, "from" timestamptz, "to" timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- Whole days are counted already; what is left of the first and the last is looked at.
    first timestamptz := date_trunc('day', "from", 'UTC');
    last timestamptz := date_trunc('day', "to", 'UTC');
BEGIN
    IF first < "from" THEN
        first := first + interval '24 hours';
    END IF;
    IF first > last OR current_setting('leadanalytics.exact')::boolean THEN
        first := "to";
        last := "to";
    END IF;
    RETURN (SELECT count(*) FROM leadanalytics.lead_submission s
            WHERE s.workspace = count_lead_submissions.workspace AND s.submitted_at >= "from" AND s.submitted_at < first)
         + (SELECT coalesce(sum(t.n), 0) FROM leadanalytics.lead_submission_tally t
            WHERE t.workspace = count_lead_submissions.workspace
              AND t.day >= (first AT TIME ZONE 'UTC')::date AND t.day < (last AT TIME ZONE 'UTC')::date)
         + (SELECT count(*) FROM leadanalytics.lead_submission s
            WHERE s.workspace = count_lead_submissions.workspace AND s.submitted_at >= last AND s.submitted_at < "to");
END
$$;
COMMENT ON FUNCTION leadanalytics.count_lead_submissions(int, timestamptz, timestamptz) IS
    'how many posts of leads there are in [from, to): for functions that asked who calls';

CREATE FUNCTION leadanalytics.submission_matches(s leadanalytics.lead_submission, needle text, see_contacts boolean)
RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    -- Who sees contacts masked cannot find out by searching either.
    SELECT pg_catalog.strpos(pg_catalog.lower(pg_catalog.concat_ws(E'\n', s.project, s.source, s.referer)), needle) > 0
        OR (see_contacts AND pg_catalog.strpos(pg_catalog.lower(pg_catalog.concat_ws(E'\n', s.email, s.phone, s.payload::text)), needle) > 0)
$$;
COMMENT ON FUNCTION leadanalytics.submission_matches(leadanalytics.lead_submission, text, boolean) IS
    'whether a post has the text (in lower case) in project, source, referer or, for who may see them, e-mail address, number or payload';

CREATE FUNCTION leadanalytics.lead_submission_page(
    workspace int,
    "from" timestamptz,
    "to" timestamptz,
    needle text,
    see_contacts boolean,
    sort text,
    descending boolean,
    "limit" int,
    "offset" int)
RETURNS SETOF leadanalytics.lead_submission LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
    IF sort IN ('contact_email', 'project_name', 'source') THEN
        RETURN QUERY
        SELECT s.* FROM leadanalytics.lead_submission s
        CROSS JOIN LATERAL (SELECT lower(CASE sort WHEN 'contact_email' THEN s.email WHEN 'source' THEN s.source ELSE s.project END) COLLATE "C") AS k (key)
        WHERE s.workspace = workspace AND s.submitted_at >= "from" AND s.submitted_at < "to"
          AND (needle IS NULL OR leadanalytics.submission_matches(s, needle, see_contacts))
        ORDER BY CASE WHEN NOT descending THEN k.key END, CASE WHEN descending THEN k.key END DESC NULLS LAST, s.id DESC
        LIMIT "limit" OFFSET "offset";
    ELSIF descending THEN
        RETURN QUERY
        SELECT s.* FROM leadanalytics.lead_submission s
        WHERE s.workspace = workspace AND s.submitted_at >= "from" AND s.submitted_at < "to"
          AND (needle IS NULL OR leadanalytics.submission_matches(s, needle, see_contacts))
        ORDER BY s.submitted_at DESC, s.id DESC
        LIMIT "limit" OFFSET "offset";
    ELSE
        RETURN QUERY
        SELECT s.* FROM leadanalytics.lead_submission s
        WHERE s.workspace = workspace AND s.submitted_at >= "from" AND s.submitted_at < "to"
          AND (needle IS NULL OR leadanalytics.submission_matches(s, needle, see_contacts))
        ORDER BY s.submitted_at, s.id DESC
        LIMIT "limit" OFFSET "offset";
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_submission_page(int, timestamptz, timestamptz, text, boolean, text, boolean, int, int) IS
    'a page of posts in [from, to) in order: for functions that asked who calls';

CREATE FUNCTION leadanalytics.lead_submissions(
    workspace int,
    period text DEFAULT 'today',
    date_from text DEFAULT NULL,
    date_to text DEFAULT NULL,
    q text DEFAULT NULL,
    sort text DEFAULT 'submitted_at',
    "order" text DEFAULT 'desc',
    "limit" int DEFAULT 50,
    "offset" int DEFAULT 0,
    now timestamptz DEFAULT now(),
    as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
    see_contacts boolean := leadanalytics.sees_contacts(allowed, as_role);
    needle text := nullif(lower(q), '');
    today timestamptz := date_trunc('day', now, 'UTC');
    starts timestamptz := today;
    ends timestamptz := today + interval '24 hours';
    total bigint;
BEGIN
    IF period = 'yesterday' THEN
        starts := today - interval '24 hours';
        ends := today;
    ELSIF period = 'range' THEN
        starts := leadanalytics.range_bound('date_from', date_from, false);
        ends := leadanalytics.range_bound('date_to', date_to, true);
    END IF;
    IF needle IS NULL THEN
        total := leadanalytics.count_lead_submissions(allowed, starts, ends);
    ELSE
        total := (SELECT count(*) FROM leadanalytics.lead_submission s
                  WHERE s.workspace = allowed AND s.submitted_at >= starts AND s.submitted_at < ends
                    AND leadanalytics.submission_matches(s, needle, see_contacts));
    END IF;
    RETURN json_build_object(
        'submissions', (
            SELECT coalesce(json_agg(json_build_object(
                'submission_id', s.id,
                'lead_id', s.lead,
                'submitted_at', leadanalytics.utc_text(s.submitted_at),
                'contact_name', s.name,
                'contact_email', CASE WHEN see_contacts THEN s.email ELSE leadanalytics.masked_email(s.email) END,
                'contact_phone', CASE WHEN see_contacts THEN s.phone ELSE leadanalytics.masked_phone(s.phone) END,
                'project_name', s.project,
                'source', s.source,
                'referer', s.referer,
                'cta_name', s.cta_name,
                'is_primary_lead', s.is_primary::int,
                'is_follow_up', NOT s.is_primary,
                'contact_ip', abbrev(s.contact_ip),
                'is_ip_blocked', coalesce(leadanalytics.listed_ip_policy(allowed, s.contact_ip) = 'blocked', false)::int) ORDER BY n), '[]')
            FROM (SELECT p.*, row_number() OVER () AS n FROM leadanalytics.lead_submission_page(
                allowed, starts, ends, needle, see_contacts, sort, "order" IS DISTINCT FROM 'asc',
                least(greatest(coalesce("limit", 50), 1), 100), greatest(coalesce("offset", 0), 0)) AS p) AS s),
        'total', total);
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_submissions(int, text, text, text, text, text, text, int, int, timestamptz, text) IS
    'posts of leads; period: today, yesterday or range (date_from to date_to, either may be missing), in UTC; sort: submitted_at, contact_email, project_name, source; contacts masked for marketing';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_submissions(int, text, text, text, text, text, text, int, int, timestamptz, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.recent_lead_submissions(workspace int, "limit" int DEFAULT 15, as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.require_contacts(workspace, as_role);
BEGIN
    RETURN (
        SELECT coalesce(json_agg(json_build_object(
            'submission_id', s.id, 'lead_id', s.lead, 'submitted_at', leadanalytics.utc_text(s.submitted_at),
            'contact_name', coalesce(s.name, l.name), 'contact_email', coalesce(s.email, l.email), 'contact_phone', coalesce(s.phone, l.phone),
            'project_name', s.project, 'is_primary_lead', s.is_primary::int, 'is_follow_up', NOT s.is_primary)
            ORDER BY s.submitted_at DESC, s.id DESC), '[]')
        FROM (SELECT r.* FROM leadanalytics.lead_submission r WHERE r.workspace = allowed
              ORDER BY r.submitted_at DESC, r.id DESC LIMIT least(greatest(coalesce("limit", 15), 1), 50)) AS s
        JOIN leadanalytics.lead l ON l.workspace = allowed AND l.id = s.lead);
END
$$;
COMMENT ON FUNCTION leadanalytics.recent_lead_submissions(int, int, text) IS
    'the latest posts of all leads, at most 50; what a post did not say is the lead''s';
GRANT EXECUTE ON FUNCTION leadanalytics.recent_lead_submissions(int, int, text) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, summary, example, builtin) VALUES
    ('GET', '/analytics/leads/submissions', 'leadanalytics.lead_submissions', 'dashboard', '{admin,marketing}', true,
     'Posts of leads of a day or a range',
     '{"submissions": [{"submission_id": 501, "lead_id": 42, "submitted_at": "2026-02-23 11:15:00", "contact_name": "Rahul Sharma", "contact_email": "rahul@example.com", "contact_phone": "9876543210", "project_name": "Sky Towers", "source": "WebSite", "referer": "https://example.com/sky-towers", "cta_name": "hero-form", "is_primary_lead": 1, "is_follow_up": false, "contact_ip": "198.51.100.20", "is_ip_blocked": 0}], "total": 1}', true),
    ('GET', '/analytics/leads/recent-submissions', 'leadanalytics.recent_lead_submissions', 'dashboard', '{admin}', true,
     'The latest posts of leads',
     '[{"submission_id": 501, "lead_id": 42, "submitted_at": "2026-02-23 11:15:00", "contact_name": "Rahul Sharma", "contact_email": "rahul@example.com", "contact_phone": "9876543210", "project_name": "Sky Towers", "is_primary_lead": 1, "is_follow_up": false}]', true);
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary) VALUES
    ('GET', '/analytics/leads/submissions', 'period', 'period', 'text', NULL, NULL, true, 'today', 1, 'range', 'today, yesterday or range'),
    ('GET', '/analytics/leads/submissions', 'date_from', 'date_from', 'text', NULL, NULL, true, NULL, 2, '2026-02-01', 'first date or time of the range'),
    ('GET', '/analytics/leads/submissions', 'date_to', 'date_to', 'text', NULL, NULL, true, NULL, 3, '2026-02-28', 'last date or time of the range'),
    ('GET', '/analytics/leads/submissions', 'q', 'q', 'text', NULL, NULL, true, NULL, 4, 'rahul', 'part of e-mail address, number, project, source, referer or payload'),
    ('GET', '/analytics/leads/submissions', 'sort', 'sort', 'text', NULL, NULL, true, 'submitted_at', 5, 'submitted_at', 'submitted_at, contact_email, project_name or source'),
    ('GET', '/analytics/leads/submissions', 'order', 'order', 'text', NULL, NULL, true, 'desc', 6, 'desc', 'asc or desc'),
    ('GET', '/analytics/leads/submissions', 'limit', 'limit', 'int', 1, 100, true, '50', 7, '50', 'how many'),
    ('GET', '/analytics/leads/submissions', 'offset', 'offset', 'int', 0, NULL, true, '0', 8, '0', 'after how many'),
    ('GET', '/analytics/leads/recent-submissions', 'limit', 'limit', 'int', 1, 50, true, '15', 1, '15', 'how many');
