-- What a User-Agent says.

CREATE FUNCTION leadanalytics.agent(
    user_agent text,
    OUT browser text,
    OUT browser_version text,
    OUT os text,
    OUT os_version text,
    OUT device text,
    OUT device_brand text,
    OUT device_model text,
    OUT device_type text,
    OUT is_bot boolean)
RETURNS record LANGUAGE c STABLE PARALLEL RESTRICTED COST 100 AS 'MODULE_PATHNAME', 'la_agent_agent';
COMMENT ON FUNCTION leadanalytics.agent(text) IS
    'browser, operating system, device (desktop, mobile, tablet, tv, console or bot) and whether it is a robot, as uap-core has it; null: not known; of a long text the first 512 bytes count';
GRANT EXECUTE ON FUNCTION leadanalytics.agent(text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.agent_memory(
    OUT remembered int,
    OUT capacity int,
    OUT parsed bigint,
    OUT recalled bigint)
RETURNS record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'la_agent_memory';
COMMENT ON FUNCTION leadanalytics.agent_memory() IS
    'User-Agents this session remembers and would at most, how many it matched against the regexes, and how often it knew one already';
GRANT EXECUTE ON FUNCTION leadanalytics.agent_memory() TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.agent_regexes(OUT path text, OUT regexes int, OUT problem text)
RETURNS record LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'la_agent_regexes_state';
COMMENT ON FUNCTION leadanalytics.agent_regexes() IS
    'the file that tells User-Agents apart, how many regexes it has, and what is wrong with it (null: nothing)';

CREATE FUNCTION leadanalytics.agent_status()
RETURNS SETOF leadanalytics.status_line LANGUAGE sql STABLE AS $$
    SELECT 'agent',
           CASE WHEN r.problem IS NULL THEN r.regexes || ' regexes of ' || r.path
                WHEN r.path = '' THEN 'off: browsers, devices and bots are not known, leadanalytics.agent_regexes is empty'
                ELSE 'browsers, devices and bots are not known: ' || r.path || ': ' || r.problem END,
           CASE WHEN r.problem IS NOT NULL
                THEN 'Install the Debian package uap-core, or set leadanalytics.agent_regexes to the place of its regexes.yaml.' END
    FROM leadanalytics.agent_regexes() AS r
$$;
COMMENT ON FUNCTION leadanalytics.agent_status() IS 'the regexes of User-Agents, for leadanalytics.status()';
INSERT INTO leadanalytics.status_source VALUES ('agent', 'leadanalytics.agent_status');
