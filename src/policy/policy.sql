-- Blocked and whitelisted IPs (S1-20 … S1-25, D-17, D-19, D-81).

-- Asking.
CREATE FUNCTION leadanalytics.ip_policy(workspace int, ip inet)
RETURNS text LANGUAGE c STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'la_policy_ip_policy';
COMMENT ON FUNCTION leadanalytics.ip_policy(int, inet) IS
    'what holds for an address: blocked, test or internal (whitelisted for that use), null when nothing does; the listed address or network with the longest prefix decides';
GRANT EXECUTE ON FUNCTION leadanalytics.ip_policy(int, inet) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.is_ip_blocked(workspace int, ip inet)
RETURNS boolean LANGUAGE c STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'la_policy_is_blocked';
COMMENT ON FUNCTION leadanalytics.is_ip_blocked(int, inet) IS 'whether an address is blocked; false for null';
GRANT EXECUTE ON FUNCTION leadanalytics.is_ip_blocked(int, inet) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.is_ip_whitelisted(workspace int, ip inet)
RETURNS boolean LANGUAGE c STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'la_policy_is_whitelisted';
COMMENT ON FUNCTION leadanalytics.is_ip_whitelisted(int, inet) IS 'whether an address is whitelisted, for testing or as internal; false for null';
GRANT EXECUTE ON FUNCTION leadanalytics.is_ip_whitelisted(int, inet) TO leadanalytics_read;

-- The rest of the house asks this: the function that calls has seen to the workspace already.
CREATE FUNCTION leadanalytics.listed_ip_policy(workspace int, ip inet)
RETURNS text LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'la_policy_listed_ip_policy';
COMMENT ON FUNCTION leadanalytics.listed_ip_policy(int, inet) IS
    'leadanalytics.ip_policy() without asking whether the caller may: for functions that did';

CREATE FUNCTION leadanalytics.canonical_ip(ip inet)
RETURNS inet LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_policy_canonical_ip';
COMMENT ON FUNCTION leadanalytics.canonical_ip(inet) IS
    'the one way to write an address: ::ffff:192.0.2.1 is 192.0.2.1; a network without its host part';
GRANT EXECUTE ON FUNCTION leadanalytics.canonical_ip(inet) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.checked_ip(ip inet)
RETURNS inet LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_policy_checked_ip';
COMMENT ON FUNCTION leadanalytics.checked_ip(inet) IS
    'the canonical address, or the error for one that may not be listed: a network, unless leadanalytics.policy_cidr is on';

-- Listing.
CREATE FUNCTION leadanalytics.list_ip(
    workspace int,
    ip inet,
    policy text,
    reason text DEFAULT NULL,
    country text DEFAULT NULL,
    referer_url text DEFAULT NULL,
    note text DEFAULT NULL,
    now timestamptz DEFAULT now())
RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- Whoever comes second waits for the first and then judges the row as it is.
    INSERT INTO leadanalytics.listed_ip AS l (workspace, ip, policy, listed_at, reason, country, referer, note)
    VALUES (list_ip.workspace, leadanalytics.checked_ip(list_ip.ip), list_ip.policy, list_ip.now,
            list_ip.reason, list_ip.country, list_ip.referer_url, list_ip.note)
    ON CONFLICT (workspace, ip) DO UPDATE
    SET policy = excluded.policy, listed_at = excluded.listed_at, reason = excluded.reason, country = excluded.country,
        referer = excluded.referer, note = excluded.note
    WHERE (l.policy = 'blocked') = (excluded.policy = 'blocked');
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION leadanalytics.list_ip(int, inet, text, text, text, text, text, timestamptz) IS
    'put an address on the list of its policy, or write it there anew; false when it stands on the other list: for functions that asked who calls';

CREATE FUNCTION leadanalytics.block_ip(
    workspace int,
    ip inet,
    reason text DEFAULT NULL,
    country text DEFAULT NULL,
    referer_url text DEFAULT NULL,
    now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT leadanalytics.list_ip(leadanalytics.permitted(workspace), ip, 'blocked', reason, country, referer_url, NULL, now) THEN
        RAISE EXCEPTION 'IP cannot be both whitelisted and blocked. Remove it from the whitelist first.' USING ERRCODE = 'LA400',
            HINT = 'leadanalytics.unwhitelist_ip() removes it.';
    END IF;
    RETURN json_build_object('blocked', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.block_ip(int, inet, text, text, text, timestamptz) IS
    'block an address; once more: every field is written anew; 400 when it is whitelisted';
GRANT EXECUTE ON FUNCTION leadanalytics.block_ip(int, inet, text, text, text, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.whitelist_ip(
    workspace int,
    ip inet,
    note text DEFAULT NULL,
    usage text DEFAULT 'internal',
    now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
BEGIN
    IF usage NOT IN ('test', 'internal') THEN
        RAISE EXCEPTION 'usage must be "test" or "internal"' USING ERRCODE = 'LA400',
            HINT = 'test: what the address sends is kept apart; internal: it sends real leads.';
    END IF;
    IF NOT leadanalytics.list_ip(allowed, ip, coalesce(usage, 'internal'), note => note, now => now) THEN
        RAISE EXCEPTION 'IP cannot be both whitelisted and blocked. Unblock it first.' USING ERRCODE = 'LA400',
            HINT = 'leadanalytics.unblock_ip() unblocks it.';
    END IF;
    RETURN json_build_object('whitelisted', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.whitelist_ip(int, inet, text, text, timestamptz) IS
    'whitelist an address for testing or as internal; once more: every field is written anew; 400 when it is blocked';
GRANT EXECUTE ON FUNCTION leadanalytics.whitelist_ip(int, inet, text, text, timestamptz) TO leadanalytics_write;

-- Removing. What is not listed is removed already (D-17). A text that is no address is refused all the same
-- (by the door, whose parameter is of type ip): saying "unblocked" to a mistyped address would leave the
-- blocked one blocked unnoticed. A network can be removed whatever leadanalytics.policy_cidr says now.
CREATE FUNCTION leadanalytics.unlist_ip(workspace int, ip inet, blocked boolean)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF ip IS NULL THEN
        RAISE EXCEPTION 'ip is required' USING ERRCODE = 'LA400';
    END IF;
    DELETE FROM leadanalytics.listed_ip l
    WHERE l.workspace = unlist_ip.workspace AND l.ip = leadanalytics.canonical_ip(unlist_ip.ip)
      AND (l.policy = 'blocked') = unlist_ip.blocked;
END
$$;
COMMENT ON FUNCTION leadanalytics.unlist_ip(int, inet, boolean) IS
    'take an address off that list when it is on it: for functions that asked who calls';

CREATE FUNCTION leadanalytics.unblock_ip(workspace int, ip inet)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM leadanalytics.unlist_ip(leadanalytics.permitted(workspace), ip, true);
    RETURN json_build_object('unblocked', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.unblock_ip(int, inet) IS 'take an address off the block list; also when it is not there';
GRANT EXECUTE ON FUNCTION leadanalytics.unblock_ip(int, inet) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.unwhitelist_ip(workspace int, ip inet)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM leadanalytics.unlist_ip(leadanalytics.permitted(workspace), ip, false);
    RETURN json_build_object('removed', true);
END
$$;
COMMENT ON FUNCTION leadanalytics.unwhitelist_ip(int, inet) IS 'take an address off the whitelist; also when it is not there';
GRANT EXECUTE ON FUNCTION leadanalytics.unwhitelist_ip(int, inet) TO leadanalytics_write;

-- Lists, newest first. abbrev() is the text that answers show (a cast would write 192.0.2.1/32); a filter is
-- looked for in that, as it is: it has no wildcards.
CREATE FUNCTION leadanalytics.listed_ips(workspace int, blocked boolean, filter text, "limit" int, "offset" int)
RETURNS SETOF leadanalytics.listed_ip LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT l.* FROM leadanalytics.listed_ip l
    WHERE l.workspace = listed_ips.workspace AND (l.policy = 'blocked') = listed_ips.blocked
      AND (coalesce(filter, '') = '' OR strpos(abbrev(l.ip), lower(filter)) > 0)
    ORDER BY l.listed_at DESC, l.ip
    LIMIT CASE WHEN "limit" IS NOT NULL THEN greatest("limit", 0) END OFFSET greatest("offset", 0);
END
$$;
COMMENT ON FUNCTION leadanalytics.listed_ips(int, boolean, text, int, int) IS
    'a page of a list, newest first; limit null: all of it; filter: part of the address; for functions that asked who calls';

CREATE FUNCTION leadanalytics.count_listed_ips(workspace int, blocked boolean, filter text)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF coalesce(filter, '') = '' THEN
        RETURN (SELECT count(*) FROM leadanalytics.listed_ip l
                WHERE l.workspace = count_listed_ips.workspace AND (l.policy = 'blocked') = count_listed_ips.blocked);
    END IF;
    RETURN (SELECT count(*) FROM leadanalytics.listed_ip l
            WHERE l.workspace = count_listed_ips.workspace AND (l.policy = 'blocked') = count_listed_ips.blocked
              AND strpos(abbrev(l.ip), lower(filter)) > 0);
END
$$;
COMMENT ON FUNCTION leadanalytics.count_listed_ips(int, boolean, text) IS
    'how many of a list the filter finds: for functions that asked who calls';

CREATE FUNCTION leadanalytics.blocked_ips_rows(workspace int, filter text DEFAULT NULL, "limit" int DEFAULT NULL, "offset" int DEFAULT 0)
RETURNS TABLE (ip inet, blocked_at timestamptz, reason text, country text, referer text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT l.ip, l.listed_at, l.reason, l.country, l.referer
    FROM leadanalytics.listed_ips(leadanalytics.permitted(workspace), true, filter, "limit", "offset") l;
END
$$;
COMMENT ON FUNCTION leadanalytics.blocked_ips_rows(int, text, int, int) IS 'the rows leadanalytics.blocked_ips() shows, for SQL; limit null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.blocked_ips_rows(int, text, int, int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.blocked_ips(
    workspace int,
    ip text DEFAULT NULL,
    q text DEFAULT NULL,
    "limit" int DEFAULT 50,
    "offset" int DEFAULT 0)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
    filter text := coalesce(nullif(ip, ''), q);
BEGIN
    RETURN json_build_object(
        'blocked_ips', (
            SELECT coalesce(json_agg(json_build_object(
                'ip', abbrev(r.ip),
                'blocked_at', to_char(r.blocked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
                'reason', r.reason, 'country', r.country, 'referer', r.referer) ORDER BY r.place), '[]')
            FROM leadanalytics.blocked_ips_rows(allowed, filter, least(greatest(coalesce("limit", 50), 1), 100), "offset")
                WITH ORDINALITY AS r (ip, blocked_at, reason, country, referer, place)),
        'total', leadanalytics.count_listed_ips(allowed, true, filter));
END
$$;
COMMENT ON FUNCTION leadanalytics.blocked_ips(int, text, text, int, int) IS
    'a page of the block list, newest first; ip, else q, is part of the address; at most 100';
GRANT EXECUTE ON FUNCTION leadanalytics.blocked_ips(int, text, text, int, int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.whitelisted_ips_rows(workspace int, filter text DEFAULT NULL, "limit" int DEFAULT NULL, "offset" int DEFAULT 0)
RETURNS TABLE (ip inet, whitelisted_at timestamptz, note text, usage text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT l.ip, l.listed_at, l.note, l.policy
    FROM leadanalytics.listed_ips(leadanalytics.permitted(workspace), false, filter, "limit", "offset") l;
END
$$;
COMMENT ON FUNCTION leadanalytics.whitelisted_ips_rows(int, text, int, int) IS 'the rows leadanalytics.whitelisted_ips() shows, for SQL; limit null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.whitelisted_ips_rows(int, text, int, int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.whitelisted_ips(
    workspace int,
    ip text DEFAULT NULL,
    q text DEFAULT NULL,
    "limit" int DEFAULT 50,
    "offset" int DEFAULT 0)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
    filter text := coalesce(nullif(ip, ''), q);
BEGIN
    RETURN json_build_object(
        'whitelisted_ips', (
            SELECT coalesce(json_agg(json_build_object(
                'ip', abbrev(r.ip),
                'whitelisted_at', to_char(r.whitelisted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
                'note', r.note, 'usage', r.usage) ORDER BY r.place), '[]')
            FROM leadanalytics.whitelisted_ips_rows(allowed, filter, least(greatest(coalesce("limit", 50), 1), 100), "offset")
                WITH ORDINALITY AS r (ip, whitelisted_at, note, usage, place)),
        'total', leadanalytics.count_listed_ips(allowed, false, filter));
END
$$;
COMMENT ON FUNCTION leadanalytics.whitelisted_ips(int, text, text, int, int) IS
    'a page of the whitelist, newest first; ip, else q, is part of the address; at most 100';
GRANT EXECUTE ON FUNCTION leadanalytics.whitelisted_ips(int, text, text, int, int) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, success, summary, example, builtin) VALUES
    ('GET', '/analytics/blocked-ips', 'leadanalytics.blocked_ips', 'dashboard', '{admin,marketing}', true, 200,
     'Blocked IPs, newest first',
     '{"blocked_ips": [{"ip": "198.51.100.20", "blocked_at": "2026-02-24 09:30:00", "reason": "Spam", "country": "US", "referer": "https://example.com/page"}], "total": 1}', true),
    ('POST', '/analytics/blocked-ips', 'leadanalytics.block_ip', 'dashboard', '{admin,marketing}', true, 201,
     'Block an IP, or write its entry anew', '{"blocked": true}', true),
    ('DELETE', '/analytics/blocked-ips/:ip', 'leadanalytics.unblock_ip', 'dashboard', '{admin,marketing}', true, 200,
     'Unblock an IP', '{"unblocked": true}', true),
    ('GET', '/analytics/whitelisted-ips', 'leadanalytics.whitelisted_ips', 'dashboard', '{admin,marketing}', true, 200,
     'Whitelisted IPs, newest first',
     '{"whitelisted_ips": [{"ip": "203.0.113.10", "whitelisted_at": "2026-02-24 09:30:00", "note": "Internal office", "usage": "internal"}], "total": 1}', true),
    ('POST', '/analytics/whitelisted-ips', 'leadanalytics.whitelist_ip', 'dashboard', '{admin,marketing}', true, 201,
     'Whitelist an IP, or write its entry anew', '{"whitelisted": true}', true),
    ('DELETE', '/analytics/whitelisted-ips/:ip', 'leadanalytics.unwhitelist_ip', 'dashboard', '{admin,marketing}', true, 200,
     'Remove an IP from the whitelist', '{"removed": true}', true);

INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, min, max, lenient, fallback, position, example, summary)
SELECT 'GET', path, p.*
FROM (VALUES ('/analytics/blocked-ips'), ('/analytics/whitelisted-ips')) AS l (path),
     (VALUES
        ('ip', 'query', 'ip', 'text', NULL, NULL, true, NULL, 1, '198.51', 'part of the address'),
        ('q', 'query', 'q', 'text', NULL, NULL, true, NULL, 2, '198.51', 'the same, when ip is not given'),
        ('limit', 'query', 'limit', 'int', 1, 100, true, '50', 3, '50', 'how many'),
        ('offset', 'query', 'offset', 'int', 0, NULL::int, true, '0', 4, '0', 'after how many')) AS p;
-- The entry's referer is the body's to say: the argument is named otherwise than the request's own.
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, max, choices, error, position, example, summary) VALUES
    ('POST', '/analytics/blocked-ips', 'ip', 'body', 'ip', 'ip', true, NULL, NULL, NULL, 1, '198.51.100.20', 'the address'),
    ('POST', '/analytics/blocked-ips', 'reason', 'body', 'reason', 'text', false, 1000, NULL, NULL, 2, 'Spam', 'why'),
    ('POST', '/analytics/blocked-ips', 'country', 'body', 'country', 'text', false, 100, NULL, NULL, 3, 'US', 'where it is from'),
    ('POST', '/analytics/blocked-ips', 'referer', 'body', 'referer_url', 'text', false, 2048, NULL, NULL, 4, 'https://example.com/page', 'the page it came to'),
    ('DELETE', '/analytics/blocked-ips/:ip', 'ip', 'path', 'ip', 'ip', true, NULL, NULL, NULL, 1, '198.51.100.20', 'the address, URL-encoded'),
    ('POST', '/analytics/whitelisted-ips', 'ip', 'body', 'ip', 'ip', true, NULL, NULL, NULL, 1, '203.0.113.10', 'the address'),
    ('POST', '/analytics/whitelisted-ips', 'note', 'body', 'note', 'text', false, 1000, NULL, NULL, 2, 'Internal office', 'whose it is'),
    ('POST', '/analytics/whitelisted-ips', 'usage', 'body', 'usage', 'text', false, NULL, '{test,internal}', 'usage must be "test" or "internal"', 3,
     'internal', 'test: what it sends is kept apart; internal: it sends real leads'),
    ('DELETE', '/analytics/whitelisted-ips/:ip', 'ip', 'path', 'ip', 'ip', true, NULL, NULL, NULL, 1, '203.0.113.10', 'the address, URL-encoded');
