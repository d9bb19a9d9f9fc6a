-- Teams, and how they and their people do with the leads they get (S2-07, S2-17).
--
-- A lead is counted once in a range: for who had it last in it, of its assignments then. What became of it counts
-- whenever it was: whether somebody took it up (leadanalytics.lead_first_responses()'s sense), whether it is converted
-- now. How long that took is from when there was somebody to do it: from its enquiry or its first assignment to
-- anybody, whichever was later; what was taken up before took no time.

CREATE FUNCTION leadanalytics.put_team(workspace int, team_id text, name text, members json DEFAULT '[]', now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(put_team.workspace);
    people text[];
BEGIN
    IF json_typeof(coalesce(members, '[]')) <> 'array'
       OR EXISTS (SELECT FROM json_array_elements(coalesce(members, '[]')) m WHERE leadanalytics.text_value_fault(m, 'member', true, 128) IS NOT NULL)
       OR json_array_length(coalesce(members, '[]')) > 1000 THEN
        PERFORM leadanalytics.fail_field('members', 'Must be an array of at most 1 000 user ids');
    END IF;
    people := ARRAY(SELECT DISTINCT m #>> '{}' FROM json_array_elements(coalesce(members, '[]')) m ORDER BY 1);
    INSERT INTO leadanalytics.team AS t (workspace, key, name, created_at) VALUES (allowed, put_team.team_id, put_team.name, put_team.now)
    ON CONFLICT (workspace, key) DO UPDATE SET name = excluded.name;
    DELETE FROM leadanalytics.team_member t WHERE t.workspace = allowed AND t.team = put_team.team_id AND t.user_id <> ALL (people);
    INSERT INTO leadanalytics.team_member (workspace, team, user_id) SELECT allowed, put_team.team_id, p FROM unnest(people) p ON CONFLICT DO NOTHING;
    RETURN json_build_object('id', team_id, 'name', name, 'members', people);
END
$$;
COMMENT ON FUNCTION leadanalytics.put_team(int, text, text, json, timestamptz) IS 'make a team, or write it anew: its name and all its members'' user ids';
GRANT EXECUTE ON FUNCTION leadanalytics.put_team(int, text, text, json, timestamptz) TO leadanalytics_write;

CREATE FUNCTION leadanalytics.team_performance_rows(workspace int, starts timestamptz, ends timestamptz, of_team text DEFAULT NULL)
RETURNS TABLE (user_id text, team_id text, assigned bigint, contacted bigint, converted bigint, response_time interval)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET jit = off SET plan_cache_mode = force_custom_plan SET work_mem = '32MB' AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY
    WITH had AS MATERIALIZED (
        SELECT DISTINCT ON (a.lead) a.lead, a.owner_id, a.team_id
        FROM leadanalytics.lead_assignment a
        WHERE a.workspace = allowed AND a.at >= starts AND a.at < ends
        ORDER BY a.lead, a.at DESC, a.id DESC
    )
    SELECT h.owner_id, h.team_id, count(*), count(r.at), count(*) FILTER (WHERE l.status = 'won'),
           sum(greatest(r.at - greatest(l.enquiry_at, f.at), interval '0')) FILTER (WHERE r.at IS NOT NULL)
    FROM had h
    CROSS JOIN LATERAL (SELECT k.status, k.enquiry_at FROM leadanalytics.lead k WHERE k.workspace = allowed AND k.id = h.lead OFFSET 0) AS l
    CROSS JOIN LATERAL (SELECT b.at FROM leadanalytics.lead_assignment b
                        WHERE b.workspace = allowed AND b.lead = h.lead AND coalesce(b.owner_id, b.team_id) IS NOT NULL ORDER BY b.at, b.id LIMIT 1) AS f
    LEFT JOIN LATERAL (SELECT c.at FROM leadanalytics.lead_status_change c
                       WHERE c.workspace = allowed AND c.lead = h.lead AND c.at >= l.enquiry_at AND c.from_status = 'new' AND c.to_status <> 'fake' ORDER BY c.at, c.id LIMIT 1) AS r ON true
    WHERE coalesce(h.owner_id, h.team_id) IS NOT NULL AND (of_team IS NULL OR h.team_id = of_team)
    GROUP BY h.owner_id, h.team_id
    ORDER BY 5 DESC, 3 DESC, h.owner_id COLLATE "C", h.team_id COLLATE "C";
END
$$;
COMMENT ON FUNCTION leadanalytics.team_performance_rows(int, timestamptz, timestamptz, text) IS
    'who had leads (user_id null: a team without one of its people), in which team: assigned: leads whose last assignment from starts until before ends was to them, each lead once; '
    'of these contacted: whose status left "new" after they came (other than for "fake"), converted: that are now; response_time: of all contacted together, from the enquiry, or the first assignment '
    'to anybody if that was later, to when the status left "new", at least 0. of_team null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.team_performance_rows(int, timestamptz, timestamptz, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.mean_seconds(whole interval, n bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN n > 0 THEN round(extract(epoch FROM whole) / n)::bigint END
$$;
COMMENT ON FUNCTION leadanalytics.mean_seconds(interval, bigint) IS 'whole / n in whole seconds; null of none';

CREATE FUNCTION leadanalytics.team_performance(workspace int, "from" text DEFAULT NULL, "to" text DEFAULT NULL, team_id text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    range record;
BEGIN
    SELECT p.starts, p.ends INTO range FROM leadanalytics.engagement_period("from", "to", team_performance.now) p;
    RETURN coalesce(
        (SELECT json_agg(json_build_object('userId', t.user_id, 'teamId', t.team_id, 'assigned', t.assigned, 'contacted', t.contacted, 'converted', t.converted,
                                           'conversionRate', leadanalytics.ratio(100 * t.converted, t.assigned), 'avgFirstResponseSeconds', leadanalytics.mean_seconds(t.response_time, t.contacted))
                         ORDER BY t.place)
         FROM leadanalytics.team_performance_rows(allowed, range.starts, range.ends, team_performance.team_id) WITH ORDINALITY
              AS t (user_id, team_id, assigned, contacted, converted, response_time, place)), '[]');
END
$$;
COMMENT ON FUNCTION leadanalytics.team_performance(int, text, text, text, timestamptz) IS
    'leadanalytics.team_performance_rows() as GET /v1/analytics/team-performance answers (S2-17), most converted first; avgFirstResponseSeconds null: nobody was contacted';
GRANT EXECUTE ON FUNCTION leadanalytics.team_performance(int, text, text, text, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.teams_rows(workspace int, starts timestamptz, ends timestamptz, of_team text DEFAULT NULL)
RETURNS TABLE (team_id text, name text, members text[], assigned bigint, contacted bigint, converted bigint, response_time interval)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY
    SELECT t.key, t.name, ARRAY(SELECT m.user_id FROM leadanalytics.team_member m WHERE m.workspace = allowed AND m.team = t.key ORDER BY m.user_id),
           coalesce(p.assigned, 0), coalesce(p.contacted, 0), coalesce(p.converted, 0), p.response_time
    FROM leadanalytics.team t
    LEFT JOIN (SELECT r.team_id, sum(r.assigned)::bigint AS assigned, sum(r.contacted)::bigint AS contacted, sum(r.converted)::bigint AS converted, sum(r.response_time) AS response_time
               FROM leadanalytics.team_performance_rows(allowed, starts, ends, of_team) r GROUP BY r.team_id) AS p ON p.team_id = t.key
    WHERE t.workspace = allowed AND (of_team IS NULL OR t.key = of_team)
    ORDER BY 6 DESC, 4 DESC, t.key;
END
$$;
COMMENT ON FUNCTION leadanalytics.teams_rows(int, timestamptz, timestamptz, text) IS
    'teams with their members'' user ids, and leadanalytics.team_performance_rows() added up for each, whoever of it had the leads, a member or not; of_team null: all';
GRANT EXECUTE ON FUNCTION leadanalytics.teams_rows(int, timestamptz, timestamptz, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.teams_json(workspace int, starts timestamptz, ends timestamptz, of_team text)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT json_build_object('teamId', t.team_id, 'name', t.name, 'members', t.members, 'assigned', t.assigned, 'contacted', t.contacted, 'converted', t.converted,
                             'conversionRate', leadanalytics.ratio(100 * t.converted, t.assigned), 'avgFirstResponseSeconds', leadanalytics.mean_seconds(t.response_time, t.contacted))
    FROM leadanalytics.teams_rows(teams_json.workspace, starts, ends, of_team) t;
END
$$;
COMMENT ON FUNCTION leadanalytics.teams_json(int, timestamptz, timestamptz, text) IS 'leadanalytics.teams_rows() as the engagement family answers them, in their order';

CREATE FUNCTION leadanalytics.team_leaderboard(workspace int, "from" text DEFAULT NULL, "to" text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN (SELECT coalesce(json_agg(t.team ORDER BY t.place), '[]')
            FROM leadanalytics.engagement_period("from", "to", team_leaderboard.now) p,
                 leadanalytics.teams_json(allowed, p.starts, p.ends, NULL) WITH ORDINALITY AS t (team, place));
END
$$;
COMMENT ON FUNCTION leadanalytics.team_leaderboard(int, text, text, timestamptz) IS 'all teams as GET /v1/teams/leaderboard answers (S2-07), most converted first';
GRANT EXECUTE ON FUNCTION leadanalytics.team_leaderboard(int, text, text, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.team_stats(workspace int, team_id text, "from" text DEFAULT NULL, "to" text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    range record;
BEGIN
    SELECT p.starts, p.ends INTO range FROM leadanalytics.engagement_period("from", "to", team_stats.now) p;
    IF NOT EXISTS (SELECT FROM leadanalytics.team t WHERE t.workspace = allowed AND t.key = team_stats.team_id) THEN
        RAISE EXCEPTION 'Team not found' USING ERRCODE = 'LA404', HINT = 'PUT makes it.';
    END IF;
    RETURN (SELECT t FROM leadanalytics.teams_json(allowed, range.starts, range.ends, team_stats.team_id) t);
END
$$;
COMMENT ON FUNCTION leadanalytics.team_stats(int, text, text, text, timestamptz) IS 'a team as GET /v1/teams/:teamId/stats answers (S2-07); LA404';
GRANT EXECUTE ON FUNCTION leadanalytics.team_stats(int, text, text, text, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, message, summary, example, builtin) VALUES
    ('PUT', '/v1/teams/:teamId', 'leadanalytics.put_team', 'engagement', '{live,sandbox}', 'Team saved', 'Make a team, or write it anew',
     '{"id": "team_1", "name": "Sales", "members": ["user_1", "user_2"]}', true),
    ('GET', '/v1/analytics/team-performance', 'leadanalytics.team_performance', 'engagement', '{live,sandbox}', 'Team performance retrieved', 'Who had how many leads, and what became of them',
     '[{"userId": "user_1", "teamId": "team_1", "assigned": 40, "contacted": 36, "converted": 9, "conversionRate": 22.50, "avgFirstResponseSeconds": 5400}]', true),
    ('GET', '/v1/teams/leaderboard', 'leadanalytics.team_leaderboard', 'engagement', '{live,sandbox}', 'Leaderboard retrieved', 'All teams, most converted first',
     '[{"teamId": "team_1", "name": "Sales", "members": ["user_1", "user_2"], "assigned": 40, "contacted": 36, "converted": 9, "conversionRate": 22.50, "avgFirstResponseSeconds": 5400}]', true),
    ('GET', '/v1/teams/:teamId/stats', 'leadanalytics.team_stats', 'engagement', '{live,sandbox}', 'Team stats retrieved', 'How many leads a team had, and what became of them',
     '{"teamId": "team_1", "name": "Sales", "members": ["user_1", "user_2"], "assigned": 40, "contacted": 36, "converted": 9, "conversionRate": 22.50, "avgFirstResponseSeconds": 5400}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, max, position, example, summary) VALUES
    ('PUT', '/v1/teams/:teamId', 'teamId', 'path', 'team_id', 'text', true, 1, 128, 0, 'team_1', 'your id of the team'),
    ('PUT', '/v1/teams/:teamId', 'name', 'body', 'name', 'text', true, 1, 200, 1, 'Sales', 'its name'),
    ('PUT', '/v1/teams/:teamId', 'members', 'body', 'members', 'json', false, NULL, NULL, 2, '["user_1", "user_2"]', 'user ids of all its members'),
    ('GET', '/v1/teams/:teamId/stats', 'teamId', 'path', 'team_id', 'text', true, 1, 128, 0, 'team_1', 'your id of the team'),
    ('GET', '/v1/analytics/team-performance', 'teamId', 'query', 'team_id', 'text', false, 1, 128, 3, 'team_1', 'only of this team');
SELECT leadanalytics.engagement_takes('GET', path, 'from', 'to') FROM unnest('{/v1/analytics/team-performance,/v1/teams/leaderboard,/v1/teams/:teamId/stats}'::text[]) AS t (path);
