-- Funnels (S2-15): how many of those who took a first step took the next ones too, in their order and in time.

-- What a step is: a status of a lead, an event of a mail, else an event of the web by its name.
CREATE FUNCTION leadanalytics.funnel_sources(workspace int, steps text[])
RETURNS TABLE (level int, kind "char", number int, text text) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT s.level::int, o.kind, o.number, o.text
    FROM unnest(steps) WITH ORDINALITY AS s (name, level)
    CROSS JOIN LATERAL (
        SELECT 's'::"char" AS kind, 0 AS number, CASE WHEN s.name <> 'new' THEN t.stored END AS text
        FROM unnest('{new,contacted,qualified,proposal,won,lost,fake,unqualified}'::text[]) AS t (stored) WHERE leadanalytics.engagement_status(t.stored) = s.name
        UNION ALL
        SELECT 'm', ascii(t.kind::text), NULL FROM leadanalytics.engagement_types() t WHERE t.type = s.name AND t.kind IS NOT NULL
        UNION ALL
        SELECT 'f', 0, NULL WHERE s.name = 'form_submission'
        UNION ALL
        SELECT 'w', w.number, NULL
        FROM unnest(CASE s.name WHEN 'page_visit' THEN leadanalytics.names_of_kind('p') ELSE ARRAY[s.name] END) AS n (name)
        CROSS JOIN LATERAL (SELECT leadanalytics.text_term(funnel_sources.workspace, n.name) AS number) AS w
        WHERE w.number IS NOT NULL AND NOT leadanalytics.is_step_of_leads(s.name)) AS o;
END
$$;
COMMENT ON FUNCTION leadanalytics.funnel_sources(int, text[]) IS
    'where matches of steps are: s changes of leads to a status (text; null: their creation), m facts of mails (number: the fact), f posts of forms, w events of the web (number: the name''s term)';

CREATE FUNCTION leadanalytics.is_step_of_leads(name text)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT name IN ('new', 'contacted', 'qualified', 'unqualified', 'converted', 'lost')
           OR EXISTS (SELECT FROM leadanalytics.engagement_types() t WHERE t.type = is_step_of_leads.name AND t.kind IS NOT NULL)
$$;
COMMENT ON FUNCTION leadanalytics.is_step_of_leads(text) IS 'whether only leads take a step: it is a status or an event of a mail';

CREATE FUNCTION leadanalytics.walk_funnel(
    workspace int, starts timestamptz, ends timestamptz, window_days int, depth int, of_people boolean, levels int[], kinds "char"[], numbers int[], texts text[])
RETURNS TABLE (level int, count bigint, median double precision)
LANGUAGE c STABLE STRICT SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan
AS 'MODULE_PATHNAME', 'la_engagement_funnel';
COMMENT ON FUNCTION leadanalytics.walk_funnel(int, timestamptz, timestamptz, int, int, boolean, int[], "char"[], int[], text[]) IS
    'leadanalytics.funnel_rows() from what leadanalytics.funnel_sources() says: how many reached each step, and how long after the one before half of them did';

-- The second way: everybody's matches, the earliest next one of each from each start on, and of those ways the longest.
CREATE FUNCTION leadanalytics.funnel_matches(workspace int, starts timestamptz, ends timestamptz, steps text[])
RETURNS TABLE (level int, who text, at timestamptz) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH step AS (
        SELECT s.name, s.level::int AS level, leadanalytics.is_step_of_leads(s.name) AS of_leads FROM unnest(steps) WITH ORDINALITY AS s (name, level)
    ), mail AS (
        SELECT m.id, t.type, t.at, coalesce('lead ' || leadanalytics.find_engagement_lead(m.workspace, m.lead), 'name ' || m.lead) AS who
        FROM leadanalytics.message m
        CROSS JOIN LATERAL (VALUES ('email_sent', m.sent_at), ('email_open', m.opened_at), ('link_click', m.clicked_at), ('email_reply', m.replied_at), ('email_bounce', m.bounced_at)) AS t (type, at)
        WHERE m.workspace = funnel_matches.workspace AND m.lead IS NOT NULL
    )
    SELECT s.level, 'lead ' || c.lead, c.at
    FROM step s JOIN leadanalytics.lead_status_change c ON CASE s.name WHEN 'new' THEN c.from_status IS NULL ELSE leadanalytics.engagement_status(c.to_status) = s.name END
    WHERE c.workspace = funnel_matches.workspace AND s.of_leads AND c.at >= starts AND c.at < ends
    UNION ALL
    SELECT s.level, m.who, m.at FROM step s JOIN mail m ON m.type = s.name WHERE m.at >= starts AND m.at < ends
    UNION ALL
    SELECT s.level, 'lead ' || p.lead, p.submitted_at
    FROM step s JOIN leadanalytics.lead_submission p ON s.name = 'form_submission'
    WHERE p.workspace = funnel_matches.workspace AND p.submitted_at >= starts AND p.submitted_at < ends
    UNION ALL
    SELECT s.level, 'web ' || coalesce(e.visitor, e.person), e.at
    FROM leadanalytics.event e
    JOIN leadanalytics.term t ON t.workspace = e.workspace AND t.id = e.name
    JOIN step s ON NOT s.of_leads AND CASE s.name WHEN 'page_visit' THEN e.kind = 'p' ELSE t.parts[1] = s.name END
    WHERE e.workspace = funnel_matches.workspace AND NOT e.is_bot AND coalesce(e.visitor, e.person) IS NOT NULL AND e.at >= starts AND e.at < ends;
END
$$;
COMMENT ON FUNCTION leadanalytics.funnel_matches(int, timestamptz, timestamptz, text[]) IS
    'who (a number of the web, a lead, the name of one that is not known) took which step when, from the rows: for leadanalytics.exact';

CREATE FUNCTION leadanalytics.funnel_people(workspace int)
RETURNS TABLE (who text, person text) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE pair (a, b) AS (
        SELECT 'web ' || v.number, 'web ' || v.person FROM leadanalytics.visitor v WHERE v.workspace = funnel_people.workspace AND v.person IS NOT NULL
        UNION ALL
        SELECT 'web ' || p.number, 'web ' || p.alias_of FROM leadanalytics.person p WHERE p.workspace = funnel_people.workspace AND p.alias_of IS NOT NULL
        UNION ALL
        SELECT 'lead ' || l.id, 'web ' || v.number
        FROM (SELECT l.id, l.visitor_id FROM leadanalytics.lead l WHERE l.workspace = funnel_people.workspace
              UNION SELECT s.lead, s.visitor_id FROM leadanalytics.lead_submission s WHERE s.workspace = funnel_people.workspace) AS l
        JOIN leadanalytics.visitor v ON v.workspace = funnel_people.workspace AND v.visitor_id = l.visitor_id
        UNION ALL
        SELECT 'lead ' || l.id, 'web ' || p.number
        FROM leadanalytics.lead l JOIN leadanalytics.person p ON p.workspace = l.workspace AND p.user_id = coalesce(l.external_id, l.id::text)
        WHERE l.workspace = funnel_people.workspace
        UNION ALL
        SELECT 'name ' || p.user_id, 'web ' || p.number FROM leadanalytics.person p WHERE p.workspace = funnel_people.workspace
    ), same (a, b) AS (
        SELECT p.a, p.b FROM pair p UNION SELECT p.b, p.a FROM pair p
    ), reached (a, b) AS (
        SELECT s.a, s.a FROM same s UNION SELECT r.a, s.b FROM reached r JOIN same s ON s.a = r.b
    )
    SELECT r.a, min(r.b) FROM reached r GROUP BY r.a;
END
$$;
COMMENT ON FUNCTION leadanalytics.funnel_people(int) IS 'which of leadanalytics.funnel_matches()''s who are one person: for leadanalytics.exact';

CREATE FUNCTION leadanalytics.funnel_exact(workspace int, starts timestamptz, ends timestamptz, window_days int, steps text[])
RETURNS TABLE (level int, count bigint, median double precision) LANGUAGE plpgsql STABLE AS $$
DECLARE
    of_leads CONSTANT boolean := (SELECT bool_and(leadanalytics.is_step_of_leads(s)) FROM unnest(steps) s);
    -- Of a funnel of the web alone, leads join nobody.
    with_leads CONSTANT boolean := (SELECT bool_or(leadanalytics.is_step_of_leads(s) OR s = 'form_submission') FROM unnest(steps) s);
    length CONSTANT interval := interval '24 hours' * window_days;
BEGIN
    RETURN QUERY
    WITH RECURSIVE person AS MATERIALIZED (
        SELECT p.who, p.person FROM leadanalytics.funnel_people(funnel_exact.workspace) p WHERE with_leads AND NOT of_leads
        UNION ALL
        SELECT 'web ' || v.number, 'web ' || coalesce(p.alias_of, p.number)
        FROM leadanalytics.visitor v JOIN leadanalytics.person p ON p.workspace = v.workspace AND p.number = v.person
        WHERE NOT with_leads AND v.workspace = funnel_exact.workspace
        UNION ALL
        SELECT 'web ' || p.number, 'web ' || p.alias_of FROM leadanalytics.person p WHERE NOT with_leads AND p.workspace = funnel_exact.workspace AND p.alias_of IS NOT NULL
    ), matched AS MATERIALIZED (
        SELECT m.level, coalesce(p.person, m.who) AS who, m.at
        FROM leadanalytics.funnel_matches(funnel_exact.workspace, starts, ends + length, steps) m LEFT JOIN person p ON p.who = m.who
    ), chain (who, times) AS (
        SELECT m.who, ARRAY[m.at] FROM matched m WHERE m.level = 1 AND m.at < ends
        UNION
        SELECT c.who, c.times || n.at
        FROM chain c
        CROSS JOIN LATERAL (SELECT min(m.at) AS at FROM matched m
                            WHERE m.who = c.who AND m.level = cardinality(c.times) + 1 AND m.at >= c.times[cardinality(c.times)] AND m.at <= c.times[1] + length) AS n
        WHERE n.at IS NOT NULL
    ), best AS (
        SELECT DISTINCT ON (c.who) c.times FROM chain c ORDER BY c.who, cardinality(c.times) DESC, c.times[cardinality(c.times)], c.times[1] DESC
    )
    SELECT s.level::int, count(b.times), percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM b.times[s.level] - b.times[s.level - 1])::double precision)
    FROM unnest(steps) WITH ORDINALITY AS s (name, level) LEFT JOIN best b ON cardinality(b.times) >= s.level
    GROUP BY s.level;
END
$$;
COMMENT ON FUNCTION leadanalytics.funnel_exact(int, timestamptz, timestamptz, int, text[]) IS 'leadanalytics.walk_funnel()''s answer from the rows alone, by plain SQL';

CREATE FUNCTION leadanalytics.funnel_rows(workspace int, starts timestamptz, ends timestamptz, steps text[] DEFAULT '{new,contacted,qualified,converted}', window_days int DEFAULT 30)
RETURNS TABLE (
    stage text, count bigint, conversion_from_previous numeric, conversion_from_start numeric, drop_off bigint, median_seconds_from_previous double precision)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    of_people CONSTANT boolean := NOT (SELECT bool_and(leadanalytics.is_step_of_leads(s)) FROM unnest(steps) s);
BEGIN
    IF coalesce(cardinality(steps), 0) NOT BETWEEN 2 AND 10 OR (SELECT count(DISTINCT nullif(s, '')) FROM unnest(steps) s) <> cardinality(steps) THEN
        PERFORM leadanalytics.fail_field('steps', 'Must be 2 to 10 different names');
    ELSIF window_days IS NULL OR window_days NOT BETWEEN 1 AND 365 THEN
        PERFORM leadanalytics.fail_field('windowDays', 'Must be between 1 and 365');
    END IF;
    RETURN QUERY
    WITH reached AS (
        SELECT e.* FROM leadanalytics.funnel_exact(allowed, starts, ends, window_days, steps) e WHERE current_setting('leadanalytics.exact')::boolean
        UNION ALL
        SELECT w.*
        FROM (SELECT coalesce(array_agg(s.level), '{}') AS levels, coalesce(array_agg(s.kind), '{}') AS kinds, coalesce(array_agg(s.number), '{}') AS numbers, coalesce(array_agg(s.text), '{}') AS texts
              FROM leadanalytics.funnel_sources(allowed, steps) s WHERE NOT current_setting('leadanalytics.exact')::boolean) AS s,
             leadanalytics.walk_funnel(allowed, starts, ends, window_days, cardinality(steps), of_people, s.levels, s.kinds, s.numbers, s.texts) w
        WHERE NOT current_setting('leadanalytics.exact')::boolean
    ), stepped AS (
        SELECT r.level, r.count, r.median, lag(r.count) OVER o AS before, first_value(r.count) OVER o AS first FROM reached r WINDOW o AS (ORDER BY r.level)
    )
    SELECT steps[s.level], s.count, leadanalytics.ratio(100 * s.count, coalesce(s.before, s.count)), leadanalytics.ratio(100 * s.count, s.first),
           coalesce(s.before - s.count, 0), s.median
    FROM stepped s ORDER BY s.level;
END
$$;
COMMENT ON FUNCTION leadanalytics.funnel_rows(int, timestamptz, timestamptz, text[], int) IS
    'how many took the first step from starts until before ends, and of those how many the next ones, in their order and all within window_days × 24 hours: the longest way of each. '
    'Steps are statuses of leads (new: they came), email_sent, email_open, link_click, email_reply, email_bounce, form_submission, page_visit, or names of web events. '
    'Those who take them are leads, or, as soon as the web is among the steps, persons with their visitors and leads';
GRANT EXECUTE ON FUNCTION leadanalytics.funnel_rows(int, timestamptz, timestamptz, text[], int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.funnel(
    workspace int, steps text DEFAULT NULL, window_days int DEFAULT 30, "from" text DEFAULT NULL, "to" text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    starts timestamptz;
    ends timestamptz;
BEGIN
    SELECT p.starts, p.ends INTO starts, ends FROM leadanalytics.engagement_period("from", "to", now) p;
    RETURN (
        SELECT json_agg(json_build_object(
                   'stage', f.stage, 'count', f.count, 'conversionFromPrevious', f.conversion_from_previous, 'conversionFromStart', f.conversion_from_start,
                   'dropOff', f.drop_off, 'medianSecondsFromPrevious', floor(f.median_seconds_from_previous + 0.5)::bigint))
        FROM leadanalytics.funnel_rows(
            allowed, starts, ends,
            ARRAY(SELECT btrim(s.name) FROM string_to_table(coalesce(nullif(btrim(steps), ''), 'new,contacted,qualified,converted'), ',') WITH ORDINALITY AS s (name, place) ORDER BY s.place),
            window_days) f);
END
$$;
COMMENT ON FUNCTION leadanalytics.funnel(int, text, int, text, text, timestamptz) IS 'leadanalytics.funnel_rows() as S2-15 answers it: steps are names divided by commas, from and to as leadanalytics.engagement_period() reads them';
GRANT EXECUTE ON FUNCTION leadanalytics.funnel(int, text, int, text, text, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, message, summary, example, builtin) VALUES
    ('GET', '/v1/analytics/funnel', 'leadanalytics.funnel', 'engagement', '{live,sandbox}', true, 'Funnel retrieved', 'How many got how far on a way of steps',
     '[{"stage": "new", "count": 200, "conversionFromPrevious": 100.00, "conversionFromStart": 100.00, "dropOff": 0, "medianSecondsFromPrevious": null}, '
     '{"stage": "contacted", "count": 120, "conversionFromPrevious": 60.00, "conversionFromStart": 60.00, "dropOff": 80, "medianSecondsFromPrevious": 5400}]', true);
SELECT leadanalytics.engagement_takes('GET', '/v1/analytics/funnel', 'from', 'to');
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, min, max, fallback, position, example, summary) VALUES
    ('GET', '/v1/analytics/funnel', 'steps', 'query', 'steps', 'text', NULL, 2000, NULL, 3, 'new,contacted',
     '2 to 10 statuses of leads, event types or names of web events, divided by commas; default: new,contacted,qualified,converted'),
    ('GET', '/v1/analytics/funnel', 'windowDays', 'query', 'window_days', 'int', 1, 365, '30', 4, '30', 'how many times 24 hours the whole way may take');
