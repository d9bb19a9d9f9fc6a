-- Requests of a month by workspace (usage.h), for X-API-Usage-* (S2-03).

CREATE FUNCTION leadanalytics.save_requests()
RETURNS bigint LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'la_usage_save';
COMMENT ON FUNCTION leadanalytics.save_requests() IS 'add the requests that were counted in shared memory since to leadanalytics.usage_month; how many they were';

CREATE FUNCTION leadanalytics.save_requests(now timestamptz)
RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT leadanalytics.save_requests()
$$;
COMMENT ON FUNCTION leadanalytics.save_requests(timestamptz) IS 'the same, as a unit of the worker';
GRANT EXECUTE ON FUNCTION leadanalytics.save_requests(timestamptz) TO leadanalytics_admin;

INSERT INTO leadanalytics.unit (name, function, lane, every, builtin, summary) VALUES
    ('save_requests', 'leadanalytics.save_requests', 'fold', '10 seconds', true, 'requests of the month, out of shared memory');

CREATE FUNCTION leadanalytics.requests_used(workspace int, now timestamptz)
RETURNS bigint LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'la_usage_used';
COMMENT ON FUNCTION leadanalytics.requests_used(int, timestamptz) IS 'requests of a workspace in the month (UTC) of now, saved or not: for functions that asked who calls';

CREATE FUNCTION leadanalytics.api_usage(workspace int, now timestamptz DEFAULT now(), OUT used bigint, OUT "limit" bigint, OUT remaining bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    used := leadanalytics.requests_used(leadanalytics.permitted(workspace), now);
    SELECT p.api_limit, greatest(p.api_limit - used, 0) INTO "limit", remaining
    FROM leadanalytics.workspace w JOIN leadanalytics.plan p ON p.name = w.plan
    WHERE w.id = api_usage.workspace;
END
$$;
COMMENT ON FUNCTION leadanalytics.api_usage(int, timestamptz) IS
    'requests of the engagement family in the month (UTC) of now, as the headers X-API-Usage-Used, -Limit and -Remaining say (S2-03)';
GRANT EXECUTE ON FUNCTION leadanalytics.api_usage(int, timestamptz) TO leadanalytics_read;
