-- What was kept apart (S1-30 … S1-33): two lists, one body.

CREATE FUNCTION leadanalytics.rejected_leads(
    workspace int,
    list text,
    ip text,
    q text,
    period text,
    "limit" int,
    "offset" int,
    now timestamptz,
    as_role text)
RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
    see_contacts boolean := leadanalytics.sees_contacts(allowed, as_role);
    filter text := lower(coalesce(nullif(ip, ''), q, ''));
    today timestamptz := date_trunc('day', now, 'UTC');
    starts timestamptz := CASE period
        WHEN 'today' THEN today
        WHEN 'yesterday' THEN today - interval '24 hours'
        WHEN 'past_7_days' THEN today - interval '24 hours' * 6
        WHEN 'past_14_days' THEN today - interval '24 hours' * 13
        WHEN 'past_30_days' THEN today - interval '24 hours' * 29
        ELSE '-infinity' END;
    ends timestamptz := CASE WHEN starts = '-infinity' THEN 'infinity' WHEN period = 'yesterday' THEN today ELSE today + interval '24 hours' END;
BEGIN
    RETURN json_build_object(
        list || '_leads', (
            SELECT coalesce(json_agg(json_build_object(
                'id', r.id,
                'ip', abbrev(r.ip),
                'received_at', leadanalytics.utc_text(r.received_at),
                'contact_email', CASE WHEN see_contacts THEN r.email ELSE leadanalytics.masked_email(r.email) END,
                'contact_name', r.name,
                'contact_phone', CASE WHEN see_contacts THEN r.phone ELSE leadanalytics.masked_phone(r.phone) END,
                'contact_country_code', r.dial_code,
                'project_name', r.project,
                'source', r.source,
                'referer', r.referer,
                'payload_json', CASE WHEN see_contacts THEN r.payload::text END,
                'site_key', r.site_key,
                'form_id', r.form_id) ORDER BY r.received_at DESC, r.id DESC), '[]')
            FROM (SELECT * FROM leadanalytics.rejected_lead a
                  WHERE a.workspace = allowed AND a.list = replace(rejected_leads.list, 'blocked_ip', 'blocked') AND a.deleted_at IS NULL
                    AND a.received_at >= starts AND a.received_at < ends
                    AND (filter = '' OR strpos(abbrev(a.ip), filter) > 0)
                  ORDER BY a.received_at DESC, a.id DESC
                  LIMIT least(greatest(coalesce("limit", 50), 1), 100) OFFSET greatest(coalesce("offset", 0), 0)) AS r),
        'total', (
            SELECT count(*) FROM leadanalytics.rejected_lead a
            WHERE a.workspace = allowed AND a.list = replace(rejected_leads.list, 'blocked_ip', 'blocked') AND a.deleted_at IS NULL
              AND a.received_at >= starts AND a.received_at < ends
              AND (filter = '' OR strpos(abbrev(a.ip), filter) > 0)));
END
$$;
COMMENT ON FUNCTION leadanalytics.rejected_leads(int, text, text, text, text, int, int, timestamptz, text) IS
    'a page of the list blocked_ip or testing, newest first; contacts masked for marketing: for the two functions below';

CREATE FUNCTION leadanalytics.blocked_ip_leads(
    workspace int,
    ip text DEFAULT NULL,
    q text DEFAULT NULL,
    period text DEFAULT 'all',
    "limit" int DEFAULT 50,
    "offset" int DEFAULT 0,
    now timestamptz DEFAULT now(),
    as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN leadanalytics.rejected_leads(workspace, 'blocked_ip', ip, q, period, "limit", "offset", now, as_role);
END
$$;
COMMENT ON FUNCTION leadanalytics.blocked_ip_leads(int, text, text, text, int, int, timestamptz, text) IS
    'posts of blocked addresses and of bots, newest first; ip, else q, is part of the address; period: today, yesterday, past_7_days, past_14_days, past_30_days or all, in UTC';
GRANT EXECUTE ON FUNCTION leadanalytics.blocked_ip_leads(int, text, text, text, int, int, timestamptz, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.testing_leads(
    workspace int,
    ip text DEFAULT NULL,
    q text DEFAULT NULL,
    period text DEFAULT 'all',
    "limit" int DEFAULT 50,
    "offset" int DEFAULT 0,
    now timestamptz DEFAULT now(),
    as_role text DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN leadanalytics.rejected_leads(workspace, 'testing', ip, q, period, "limit", "offset", now, as_role);
END
$$;
COMMENT ON FUNCTION leadanalytics.testing_leads(int, text, text, text, int, int, timestamptz, text) IS
    'posts that test, by their address or by what they say, as leadanalytics.blocked_ip_leads()';
GRANT EXECUTE ON FUNCTION leadanalytics.testing_leads(int, text, text, text, int, int, timestamptz, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.delete_rejected_leads(workspace int, list text, ids json, now timestamptz)
RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
    fit boolean := coalesce(json_typeof(ids) = 'array', false);
    deleted int;
BEGIN
    IF fit THEN
        fit := json_array_length(ids) BETWEEN 1 AND 100
           AND NOT EXISTS (SELECT FROM json_array_elements(ids) AS e
                           WHERE json_typeof(e.value) <> 'number' OR e.value::text !~ '^-?[0-9]{1,18}$');
    END IF;
    IF NOT fit THEN
        RAISE EXCEPTION 'ids must be an array of 1 to 100 integers' USING ERRCODE = 'LA400';
    END IF;
    UPDATE leadanalytics.rejected_lead r SET deleted_at = delete_rejected_leads.now
    WHERE r.workspace = allowed AND r.list = delete_rejected_leads.list AND r.deleted_at IS NULL
      AND r.id IN (SELECT e.value::text::bigint FROM json_array_elements(ids) AS e);
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN json_build_object('deleted', deleted);
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_rejected_leads(int, text, json, timestamptz) IS 'hide posts of a list, and how many that were: for the two functions below';

CREATE FUNCTION leadanalytics.delete_blocked_ip_leads(workspace int, ids json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN leadanalytics.delete_rejected_leads(workspace, 'blocked', ids, now);
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_blocked_ip_leads(int, json, timestamptz) IS 'hide posts of blocked addresses from the list: [1, 2, …], at most 100; the rows stay';
GRANT EXECUTE ON FUNCTION leadanalytics.delete_blocked_ip_leads(int, json, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.delete_testing_leads(workspace int, ids json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN leadanalytics.delete_rejected_leads(workspace, 'testing', ids, now);
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_testing_leads(int, json, timestamptz) IS 'hide posts that test from the list, as leadanalytics.delete_blocked_ip_leads()';
GRANT EXECUTE ON FUNCTION leadanalytics.delete_testing_leads(int, json, timestamptz) TO leadanalytics_write;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, summary, example, builtin)
SELECT 'GET', '/analytics/' || path, 'leadanalytics.' || name, 'dashboard', '{admin,marketing}'::text[], true, summary,
       format('{"%s": [{"id": 7, "ip": "198.51.100.20", "received_at": "2026-02-24 09:30:00", "contact_email": "rahul@example.com", "contact_name": "Rahul Sharma", "contact_phone": "9876543210", "contact_country_code": "+91", "project_name": "Sky Towers", "source": "WebSite", "referer": "https://example.com/sky-towers", "payload_json": "{\"FIRSTNAME\":\"Rahul Sharma\"}", "site_key": "demo-site", "form_id": "enquiry"}], "total": 1}', name)::json,
       true
FROM (VALUES ('blocked-ip-leads', 'blocked_ip_leads', 'Posts of blocked addresses and bots'),
             ('testing-leads', 'testing_leads', 'Posts that test')) AS l (path, name, summary)
UNION ALL
SELECT 'POST', '/analytics/' || path || '/bulk-delete', 'leadanalytics.delete_' || name, 'dashboard', '{admin,marketing}'::text[], true, summary,
       '{"deleted": 2}', true
FROM (VALUES ('blocked-ip-leads', 'blocked_ip_leads', 'Hide posts of blocked addresses'),
             ('testing-leads', 'testing_leads', 'Hide posts that test')) AS l (path, name, summary);
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary)
SELECT 'GET', path, p.*
FROM unnest('{/analytics/blocked-ip-leads,/analytics/testing-leads}'::text[]) AS l (path),
     (VALUES
        ('limit', 'limit', 'int', 1, 100, true, '50', 1, '50', 'how many'),
        ('offset', 'offset', 'int', 0, NULL::int, true, '0', 2, '0', 'after how many'),
        ('ip', 'ip', 'text', NULL, NULL, true, NULL, 3, '198.51', 'part of the address'),
        ('q', 'q', 'text', NULL, NULL, true, NULL, 4, '198.51', 'the same, when ip is not given'),
        ('period', 'period', 'text', NULL, NULL, true, 'all', 5, 'all', 'today, yesterday, past_7_days, past_14_days, past_30_days or all')) AS p;
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, error, example, summary)
SELECT 'POST', path, 'ids', 'body', 'ids', 'json', true, 'ids must be an array of 1 to 100 integers', '[7, 8]', 'the posts, at most 100'
FROM unnest('{/analytics/blocked-ip-leads/bulk-delete,/analytics/testing-leads/bulk-delete}'::text[]) AS l (path);
