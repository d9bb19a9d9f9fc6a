-- Rate limits: classes, what holds, and the windows in shared memory (limit.h).

INSERT INTO leadanalytics.rate_class (name, per, requests, seconds, family, method, spares_whitelisted, summary, builtin) VALUES
    ('none', 'ip', 0, 60, NULL, NULL, false, 'no limit, for a route of a family that has one', true),
    ('public', 'key', 100, 60, 'public', 'GET', false, 'GET /api/v1/*', true),
    ('engagement', 'ip', 1000, 900, 'engagement', NULL, false, '/v1/*', true),
    ('campaign', 'workspace', 100, 60, NULL, NULL, false, 'a campaign''s analytics', true),
    ('campaign_overview', 'workspace', 60, 60, NULL, NULL, false, 'a workspace''s overview', true),
    ('campaign_deliverability', 'workspace', 30, 60, NULL, NULL, false, 'deliverability', true),
    ('campaign_heatmap', 'workspace', 60, 60, NULL, NULL, false, 'the engagement heatmap', true),
    ('campaign_compare', 'workspace', 60, 60, NULL, NULL, false, 'comparing campaigns', true),
    ('campaign_export', 'workspace', 10, 60, NULL, NULL, false, 'asking for an export', true),
    ('campaign_export_status', 'workspace', 60, 60, NULL, NULL, false, 'an export''s status and file', true),
    ('link', 'ip', 6000, 60, NULL, NULL, false, 'links and pixels of mails: an office is one address', true),
    ('capture', 'ip', 20, 60, NULL, NULL, true, 'POST /lead.capture', true),
    ('track', 'workspace_ip', 6000, 60, NULL, NULL, true, 'POST /track/* and /api/v1/track', true);

CREATE VIEW leadanalytics.rate_limits WITH (security_barrier) AS
    SELECT c.name AS class, c.per, coalesce(l.requests, c.requests) AS requests, c.seconds, c.family, c.method, c.spares_whitelisted, c.summary
    FROM leadanalytics.rate_class c LEFT JOIN leadanalytics.rate_limit l ON l.class = c.name;
COMMENT ON VIEW leadanalytics.rate_limits IS
    'how many requests of each class a window of so many seconds takes (0: any number); a route names its class, and a key may have a limit of its own instead';
GRANT SELECT ON leadanalytics.rate_limits TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.set_rate_limit(class text, requests int)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM leadanalytics.rate_class c WHERE c.name = set_rate_limit.class) THEN
        RAISE EXCEPTION 'no rate class "%"', set_rate_limit.class USING ERRCODE = 'undefined_object',
            HINT = 'See leadanalytics.rate_limits.';
    ELSIF set_rate_limit.requests < 0 THEN
        RAISE EXCEPTION 'requests must not be negative' USING ERRCODE = 'invalid_parameter_value',
            HINT = '0 is no limit, null is the class''s own.';
    ELSIF set_rate_limit.requests IS NULL THEN
        DELETE FROM leadanalytics.rate_limit l WHERE l.class = set_rate_limit.class;
    ELSE
        INSERT INTO leadanalytics.rate_limit AS l VALUES (set_rate_limit.class, set_rate_limit.requests)
        ON CONFLICT ON CONSTRAINT rate_limit_pkey DO UPDATE SET requests = excluded.requests;
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.set_rate_limit(text, int) IS
    'how many requests of the class a window takes, from the next request on; 0: any number; null: what the class says again';
GRANT EXECUTE ON FUNCTION leadanalytics.set_rate_limit(text, int) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.route_rate_class(route leadanalytics.route)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((route).rate_class, (SELECT c.name FROM leadanalytics.rate_class c
                                         WHERE c.family = (route).family AND (c.method IS NULL OR c.method = (route).method)))
$$;
COMMENT ON FUNCTION leadanalytics.route_rate_class(leadanalytics.route) IS 'the class of a route''s requests: its own, else its family''s; null: no limit';

-- What the door does for a request, with everything said by the caller. The windows are those of the door.
CREATE FUNCTION leadanalytics.spend_rate(
    class text,
    per text,
    requests int,
    seconds int,
    workspace int,
    key bigint,
    per_minute int,
    ip inet,
    now timestamptz,
    OUT refused boolean,
    OUT "limit" int,
    OUT remaining int,
    OUT reset bigint)
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'la_limit_spend_rate';
COMMENT ON FUNCTION leadanalytics.spend_rate(text, text, int, int, int, bigint, int, inet, timestamptz) IS
    'count a request of a class at a moment, as the door does: whether it is one too many, and what X-RateLimit-* would say; key null: without a valid one; per_minute null: the key has no limit of its own; limit null: none applies';

CREATE FUNCTION leadanalytics.rate_slots(
    OUT class bigint, OUT workspace int, OUT key bigint, OUT ip inet, OUT seconds int, OUT requests int, OUT refused int, OUT ends timestamptz)
RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'la_limit_rate_slots';
COMMENT ON FUNCTION leadanalytics.rate_slots() IS 'the windows of this database in shared memory that are not over, classes by their numbers';

CREATE FUNCTION leadanalytics.rate_windows(
    OUT class text, OUT workspace int, OUT key bigint, OUT ip inet, OUT requests int, OUT refused int, OUT ends timestamptz)
RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.name, s.workspace, s.key, s.ip, s.requests, s.refused, s.ends
    FROM leadanalytics.rate_slots() s LEFT JOIN leadanalytics.rate_class c ON hashtextextended(c.name, 0) = s.class
$$;
COMMENT ON FUNCTION leadanalytics.rate_windows() IS
    'the windows that run now: whose they are, how many requests they took and refused, when they end; class null: of a key with a limit of its own on routes without one; ip: an IPv6 address stands for its /64';
GRANT EXECUTE ON FUNCTION leadanalytics.rate_windows() TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.rate_counters(OUT refused bigint, OUT uncounted bigint)
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'la_limit_rate_counters';
COMMENT ON FUNCTION leadanalytics.rate_counters() IS
    'since the server started, in all its databases: requests refused, and requests let through because no window was free; null without preloading';

CREATE FUNCTION leadanalytics.rate_lines()
RETURNS SETOF leadanalytics.status_line LANGUAGE sql STABLE AS $$
    SELECT 'rate limits',
           CASE WHEN refused IS NULL THEN 'off: not preloaded; X-RateLimit-* show full windows'
                WHEN uncounted > 0 THEN format('on; requests refused: %s, not counted as all windows were taken: %s', refused, uncounted)
                ELSE format('on; requests refused: %s', refused) END,
           CASE WHEN refused IS NULL THEN 'Add leadanalytics to shared_preload_libraries and restart PostgreSQL.'
                WHEN uncounted > 0 THEN 'SELECT * FROM leadanalytics.rate_windows(); so many addresses at once are an attack, or need a limit in front of nginx.' END
    FROM leadanalytics.rate_counters()
$$;
COMMENT ON FUNCTION leadanalytics.rate_lines() IS 'the rate limits, for leadanalytics.status()';
INSERT INTO leadanalytics.status_source VALUES ('limit', 'leadanalytics.rate_lines');
