-- The engine's seven questions about posts of leads (S1-40 … S1-46, D-23), from the posts themselves.

CREATE FUNCTION leadanalytics.require_engine(workspace int)
RETURNS int LANGUAGE plpgsql STABLE AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
BEGIN
    IF NOT current_setting('leadanalytics.engine_enabled')::boolean THEN
        RAISE EXCEPTION 'Analytics Engine not configured' USING ERRCODE = 'LA503', HINT = 'Set leadanalytics.engine_enabled.';
    END IF;
    RETURN allowed;
END
$$;
COMMENT ON FUNCTION leadanalytics.require_engine(int) IS 'the workspace''s id, or 503 where leadanalytics.engine_enabled is off';

-- Part of the statement that asks, so that it reads no more than that needs.
CREATE FUNCTION leadanalytics.engine_posts(workspace int, days int, project text, source text, engagement_label text, now timestamptz)
RETURNS TABLE (day date, project_name text, source_name text, score int, suspicion int, time_to_submit real)
LANGUAGE sql STABLE AS $$
    SELECT (s.submitted_at AT TIME ZONE 'UTC')::date, s.project, s.source, s.score, s.suspicion, s.time_to_submit
    FROM leadanalytics.lead_submission s
    WHERE s.workspace = $1
      AND s.submitted_at >= date_trunc('day', $6, 'UTC') - interval '24 hours' * (least(greatest(coalesce($2, 30), 1), 90) - 1)
      AND s.submitted_at < date_trunc('day', $6, 'UTC') + interval '24 hours'
      AND (coalesce($3, '') = '' OR lower(s.project) = lower($3))
      AND (coalesce($4, '') = '' OR lower(s.source) = lower($4))
      AND (coalesce($5, '') = '' OR lower(leadanalytics.engagement_label(s.score)) = lower($5))
$$;
COMMENT ON FUNCTION leadanalytics.engine_posts(int, int, text, text, text, timestamptz) IS
    'the posts of the last days (today included, UTC, at most 90) that the filters let through';

DO $do$
DECLARE
    question record;
BEGIN
    -- Seven functions of one head; what differs is a row.
    FOR question IN SELECT * FROM (VALUES
        ('submissions_daily', 'submissions-daily', 'posts of each day that has any', '[{"day": "2026-02-23", "submissions": 12}]',
         $$SELECT coalesce(json_agg(json_build_object('day', r.day, 'submissions', r.n) ORDER BY r.day), '[]')
           FROM (SELECT p.day, count(*) AS n FROM posts p GROUP BY p.day) AS r$$),
        ('by_project', 'by-project', 'posts by project', '[{"project_name": "Sky Towers", "submissions": 12}]',
         $$SELECT coalesce(json_agg(json_build_object('project_name', r.name, 'submissions', r.n) ORDER BY r.n DESC, r.name), '[]')
           FROM (SELECT p.project_name AS name, count(*) AS n FROM posts p GROUP BY p.project_name) AS r$$),
        ('by_source', 'by-source', 'posts by source', '[{"source": "WebSite", "submissions": 12}]',
         $$SELECT coalesce(json_agg(json_build_object('source', r.name, 'submissions', r.n) ORDER BY r.n DESC, r.name), '[]')
           FROM (SELECT p.source_name AS name, count(*) AS n FROM posts p GROUP BY p.source_name) AS r$$),
        ('by_engagement', 'by-engagement', 'posts by engagement label', '[{"engagement_label": "Very Hot", "submissions": 12, "avg_engagement_score": 81.5}]',
         $$SELECT coalesce(json_agg(json_build_object('engagement_label', r.label, 'submissions', r.n, 'avg_engagement_score', r.score) ORDER BY r.n DESC, r.label), '[]')
           FROM (SELECT leadanalytics.engagement_label(p.score) AS label, count(*) AS n, round(avg(p.score), 1) AS score FROM posts p GROUP BY 1) AS r$$),
        ('overview', 'overview', 'posts and averages over them', '{"total_submissions": 12, "avg_suspicion": 10.5, "avg_engagement": 42.5, "avg_time_to_submit": 31.2}',
         $$SELECT json_build_object('total_submissions', count(*), 'avg_suspicion', coalesce(round(avg(p.suspicion), 1), 0),
                                    'avg_engagement', coalesce(round(avg(p.score), 1), 0),
                                    'avg_time_to_submit', coalesce(round(avg(p.time_to_submit)::numeric, 1), 0)) FROM posts p$$),
        ('projects', 'projects', 'projects with their posts, for filters', '[{"project_name": "Sky Towers", "submissions": 12}]',
         $$SELECT coalesce(json_agg(json_build_object('project_name', r.name, 'submissions', r.n) ORDER BY r.name), '[]')
           FROM (SELECT p.project_name AS name, count(*) AS n FROM posts p WHERE p.project_name IS NOT NULL GROUP BY p.project_name) AS r$$),
        ('sources', 'sources', 'sources with their posts, for filters', '[{"source": "WebSite", "submissions": 12}]',
         $$SELECT coalesce(json_agg(json_build_object('source', r.name, 'submissions', r.n) ORDER BY r.name), '[]')
           FROM (SELECT p.source_name AS name, count(*) AS n FROM posts p WHERE p.source_name IS NOT NULL GROUP BY p.source_name) AS r$$)
        ) AS v (name, path, what, example, answer)
    LOOP
        EXECUTE format($make$
            CREATE FUNCTION leadanalytics.engine_%1$s(
                workspace int,
                days int DEFAULT 30,
                project text DEFAULT NULL,
                source text DEFAULT NULL,
                engagement_label text DEFAULT NULL,
                now timestamptz DEFAULT now())
            RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
            BEGIN
                RETURN (WITH posts AS NOT MATERIALIZED (
                            SELECT * FROM leadanalytics.engine_posts(leadanalytics.require_engine(workspace), days, project, source, engagement_label, now))
                        %2$s);
            END
            $body$;
            COMMENT ON FUNCTION leadanalytics.engine_%1$s(int, int, text, text, text, timestamptz) IS %3$L;
            GRANT EXECUTE ON FUNCTION leadanalytics.engine_%1$s(int, int, text, text, text, timestamptz) TO leadanalytics_read;
            $make$, question.name, question.answer, question.what || ', in the last days (at most 90, UTC), of a project, source or engagement label when named');
        INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, summary, example, builtin)
        VALUES ('GET', '/analytics/engine/' || question.path, 'leadanalytics.engine_' || question.name, 'dashboard', '{admin,marketing}', true,
                upper(left(question.what, 1)) || substr(question.what, 2), question.example::json, true);
        INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary)
        SELECT 'GET', '/analytics/engine/' || question.path, p.* FROM (VALUES
            ('days', 'days', 'int', 1, 90, true, '30', 1, '30', 'how many days, today included'),
            ('project', 'project', 'text', NULL::int, NULL::int, true, NULL, 2, 'Sky Towers', 'only of this project'),
            ('source', 'source', 'text', NULL, NULL, true, NULL, 3, 'WebSite', 'only of this source'),
            ('engagement_label', 'engagement_label', 'text', NULL, NULL, true, NULL, 4, 'Hot', 'Cold, Warm, Hot or Very Hot')) AS p;
    END LOOP;
END
$do$;
