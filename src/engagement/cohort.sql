-- Cohorts (S2-16): leads by the week or month (UTC) they came in, and how many of each did something in the weeks or
-- months since.
--
-- Engaged in a period: the lead opened, clicked or answered a message (machines' apart), posted a form or visited a
-- page at any time in it; of the period it came in also before it came. Converted in a period: it was first won then.

-- Who leads are on the web, all at once: what leadanalytics.lead_numbers() says of one. Looked up one by one: for a few
-- of many (many are found by reading all, lead_name.c).
CREATE FUNCTION leadanalytics.lead_web_numbers(workspace int, starts timestamptz, ends timestamptz)
RETURNS TABLE (lead bigint, number int) LANGUAGE sql STABLE AS $$
    WITH came AS MATERIALIZED (
        SELECT l.id, l.visitor_id, coalesce(l.external_id, l.id::text) AS key
        FROM leadanalytics.lead l WHERE l.workspace = lead_web_numbers.workspace AND l.enquiry_at >= starts AND l.enquiry_at < ends
    ), called AS MATERIALIZED (
        SELECT c.id AS lead, c.key AS name FROM came c
        UNION SELECT c.id, c.visitor_id FROM came c WHERE c.visitor_id IS NOT NULL
        UNION SELECT c.id, s.visitor_id FROM came c
              CROSS JOIN LATERAL (SELECT p.visitor_id FROM leadanalytics.lead_submission p
                                  WHERE p.workspace = lead_web_numbers.workspace AND p.lead = c.id AND p.visitor_id IS NOT NULL OFFSET 0) AS s
    ), known AS MATERIALIZED ( -- a visitor id comes before a user id
        SELECT c.lead, coalesce(v.number, p.number) AS number, CASE WHEN v.number IS NULL THEN p.number ELSE v.person END AS person
        FROM called c
        LEFT JOIN LATERAL (SELECT w.number, w.person FROM leadanalytics.visitor w WHERE w.workspace = lead_web_numbers.workspace AND w.visitor_id = c.name OFFSET 0) AS v ON true
        LEFT JOIN LATERAL (SELECT q.number FROM leadanalytics.person q WHERE q.workspace = lead_web_numbers.workspace AND q.user_id = c.name AND v.number IS NULL OFFSET 0) AS p ON true
        WHERE v.number IS NOT NULL OR p.number IS NOT NULL
    ), owner AS MATERIALIZED (
        SELECT DISTINCT k.lead, coalesce(p.alias_of, p.number) AS number
        FROM known k
        CROSS JOIN LATERAL (SELECT q.number, q.alias_of FROM leadanalytics.person q WHERE q.workspace = lead_web_numbers.workspace AND q.number = k.person OFFSET 0) AS p
        WHERE k.person IS NOT NULL
    ), name AS MATERIALIZED (
        SELECT o.lead, o.number FROM owner o
        UNION ALL
        SELECT o.lead, p.number FROM owner o
        CROSS JOIN LATERAL (SELECT q.number FROM leadanalytics.person q WHERE q.workspace = lead_web_numbers.workspace AND q.alias_of = o.number OFFSET 0) AS p
    )
    SELECT k.lead, k.number FROM known k WHERE k.person IS NULL
    UNION ALL
    SELECT n.lead, n.number FROM name n
    UNION ALL
    SELECT n.lead, v.number FROM name n
    CROSS JOIN LATERAL (SELECT w.number FROM leadanalytics.visitor w WHERE w.workspace = lead_web_numbers.workspace AND w.person = n.number OFFSET 0) AS v
$$;
COMMENT ON FUNCTION leadanalytics.lead_web_numbers(int, timestamptz, timestamptz) IS
    'leads that came from starts until before ends, with the numbers of their persons and visitors: for functions that asked who calls';

CREATE FUNCTION leadanalytics.cohort_counts(
    workspace int, starts timestamptz, ends timestamptz, bounds timestamptz[], begun int, converted boolean, names int[])
RETURNS TABLE (cohort timestamptz, size bigint, counts bigint[])
LANGUAGE c STABLE STRICT SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_custom_plan -- any range: another plan
AS 'MODULE_PATHNAME', 'la_engagement_cohorts';
COMMENT ON FUNCTION leadanalytics.cohort_counts(int, timestamptz, timestamptz, timestamptz[], int, boolean, int[]) IS
    'leads that came from starts until before ends, by the stretch of bounds they came in, and in how many of its and the next stretches (of the first begun ones, 120 at most) how many '
    'were first won (converted), else engaged, on the web by events with these names of the dictionary; for functions that asked who calls';

-- The other way: each lead, each period, from the rows.
CREATE FUNCTION leadanalytics.cohort_counts_from_rows(
    workspace int, starts timestamptz, ends timestamptz, bounds timestamptz[], begun int, converted boolean, names int[])
RETURNS TABLE (cohort timestamptz, size bigint, counts bigint[]) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH came AS MATERIALIZED (
        SELECT l.id, width_bucket(l.enquiry_at, bounds) AS cohort, CASE WHEN NOT converted THEN leadanalytics.lead_numbers(l.workspace, coalesce(l.external_id, l.id::text)) END AS numbers,
               coalesce(l.external_id, l.id::text) AS key
        FROM leadanalytics.lead l
        WHERE l.workspace = cohort_counts_from_rows.workspace AND l.enquiry_at >= starts AND l.enquiry_at < ends
    ), visit AS MATERIALIZED (
        SELECT coalesce(e.visitor, e.person) AS number, e.at FROM leadanalytics.event e
        WHERE NOT converted AND e.workspace = cohort_counts_from_rows.workspace AND NOT e.is_bot AND e.name = ANY (names)
              AND e.at >= bounds[1] AND e.at < bounds[cardinality(bounds)]
    ), done AS (
        SELECT c.id, min(s.at) AS at FROM came c
        JOIN leadanalytics.lead_status_change s ON s.workspace = cohort_counts_from_rows.workspace AND s.lead = c.id AND s.to_status = 'won'
        WHERE converted GROUP BY c.id
        UNION ALL
        SELECT c.id, s.submitted_at FROM came c
        JOIN leadanalytics.lead_submission s ON s.workspace = cohort_counts_from_rows.workspace AND s.lead = c.id
        WHERE NOT converted
        UNION ALL
        SELECT c.id, f.at FROM came c
        JOIN leadanalytics.message m ON m.workspace = cohort_counts_from_rows.workspace AND m.lead = c.key
        CROSS JOIN LATERAL (VALUES (m.opened_at), (m.clicked_at), (m.replied_at)) AS f (at)
        WHERE NOT converted
        UNION ALL
        SELECT c.id, e.at
        FROM (SELECT u.id, n.number FROM came u, unnest(u.numbers) AS n (number)) AS c
        JOIN visit e ON e.number = c.number
    ), bit AS MATERIALIZED (
        SELECT DISTINCT c.id, c.cohort, width_bucket(d.at, bounds) - c.cohort AS index
        FROM done d JOIN came c ON c.id = d.id
        WHERE d.at < bounds[begun + 1]
    ), whole AS (
        SELECT c.cohort, count(*) AS size FROM came c GROUP BY c.cohort
    )
    SELECT bounds[w.cohort], w.size,
           ARRAY(SELECT (SELECT count(*) FROM bit b WHERE b.cohort = w.cohort AND b.index = i.index) FROM generate_series(0, least(begun - w.cohort, 119)) AS i (index) ORDER BY i.index)
    FROM whole w ORDER BY w.cohort;
END
$$;
COMMENT ON FUNCTION leadanalytics.cohort_counts_from_rows(int, timestamptz, timestamptz, timestamptz[], int, boolean, int[]) IS 'leadanalytics.cohort_counts() from the rows alone';

CREATE FUNCTION leadanalytics.cohorts_rows(
    workspace int, starts timestamptz, ends timestamptz, "interval" text DEFAULT 'week', metric text DEFAULT 'engaged', now timestamptz DEFAULT now())
RETURNS TABLE (cohort date, size bigint, index int, count bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    most_cohorts CONSTANT int := 520;
    most_periods CONSTANT int := 120;
    cohorts timestamptz[];
    bounds timestamptz[];
    begun int;
    names int[];
BEGIN
    IF coalesce("interval", '') NOT IN ('week', 'month') OR coalesce(metric, '') NOT IN ('engaged', 'converted') THEN
        RAISE EXCEPTION 'there is no interval "%" or metric "%"', "interval", metric USING ERRCODE = 'invalid_parameter_value', HINT = 'week or month; engaged or converted.';
    ELSIF starts >= ends OR starts IS NULL OR ends IS NULL THEN
        RETURN;
    ELSIF starts < ends - pg_catalog.interval '16000 days' THEN -- more than 520 months: not even written out
        PERFORM leadanalytics.fail_field('from', 'Must not be more than 520 cohorts before to');
    END IF;
    cohorts := ARRAY(SELECT leadanalytics.steps(starts, ends, "interval", 'UTC'));
    IF cardinality(cohorts) > most_cohorts THEN
        PERFORM leadanalytics.fail_field('from', 'Must not be more than 520 cohorts before to');
    END IF;
    -- Their periods are those that have begun, and as many of the cohorts as have not.
    bounds := ARRAY(
        SELECT s.at FROM leadanalytics.steps(cohorts[1], greatest(cohorts[cardinality(cohorts)] + pg_catalog.interval '1 microsecond',
                                                                  least(cohorts_rows.now + pg_catalog.interval '1 microsecond', cohorts[cardinality(cohorts)] + pg_catalog.interval '3720 days')),
                                             "interval", 'UTC') AS s (at) ORDER BY s.at);
    bounds := bounds[: cardinality(cohorts) + most_periods];
    begun := (SELECT count(*) FROM unnest(bounds) AS b (at) WHERE b.at <= cohorts_rows.now);
    bounds := bounds || ((bounds[cardinality(bounds)] AT TIME ZONE 'UTC' + ('1 ' || "interval")::interval) AT TIME ZONE 'UTC');
    names := ARRAY(SELECT t.id FROM unnest('{page_view,pageview,$pageview,page_visit,form_submission}'::text[]) AS n (name),
                                    LATERAL (SELECT leadanalytics.text_term(allowed, n.name) AS id) AS t WHERE t.id IS NOT NULL);
    RETURN QUERY
    SELECT (c.cohort AT TIME ZONE 'UTC')::date, c.size, (n.place - 1)::int, n.count
    FROM (SELECT f.* FROM leadanalytics.cohort_counts(allowed, starts, ends, bounds, begun, metric = 'converted', names) f
          WHERE NOT current_setting('leadanalytics.exact')::boolean
          UNION ALL
          SELECT r.* FROM leadanalytics.cohort_counts_from_rows(allowed, starts, ends, bounds, begun, metric = 'converted', names) r
          WHERE current_setting('leadanalytics.exact')::boolean) AS c
    LEFT JOIN LATERAL unnest(c.counts) WITH ORDINALITY AS n (count, place) ON true
    ORDER BY c.cohort, n.place;
END
$$;
COMMENT ON FUNCTION leadanalytics.cohorts_rows(int, timestamptz, timestamptz, text, text, timestamptz) IS
    'leads that came from starts until before ends by the ISO week or month (UTC) they came in (cohort: its first day; size: how many), and of how many of them that is true (count) in that period '
    '(index 0), the next (1), and so on to the one of now, at most 120. engaged: opened, clicked or answered a message, posted a form or visited a page at any time in the period; '
    'converted: first won in it, so that each lead is counted once. A cohort whose time has not come has one row without index';
GRANT EXECUTE ON FUNCTION leadanalytics.cohorts_rows(int, timestamptz, timestamptz, text, text, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.cohorts(
    workspace int, "interval" text DEFAULT 'week', metric text DEFAULT 'engaged', "from" text DEFAULT NULL, "to" text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    range record;
BEGIN
    SELECT p.starts, p.ends INTO range FROM leadanalytics.engagement_period("from", "to", cohorts.now) p;
    RETURN coalesce(
        (SELECT json_agg(json_build_object('cohort', c.cohort, 'size', c.size, 'periods', c.periods) ORDER BY c.cohort)
         FROM (SELECT r.cohort, r.size,
                      coalesce(json_agg(json_build_object('index', r.index, 'count', r.count, 'rate', leadanalytics.ratio(100 * r.count, r.size)) ORDER BY r.index)
                               FILTER (WHERE r.index IS NOT NULL), '[]') AS periods
               FROM leadanalytics.cohorts_rows(allowed, range.starts, range.ends, cohorts."interval", cohorts.metric, cohorts.now) r
               GROUP BY r.cohort, r.size) AS c), '[]');
END
$$;
COMMENT ON FUNCTION leadanalytics.cohorts(int, text, text, text, text, timestamptz) IS
    'leadanalytics.cohorts_rows() as GET /v1/analytics/cohorts answers (S2-16); rate: percent of the cohort. At most 520 cohorts: LA422';
GRANT EXECUTE ON FUNCTION leadanalytics.cohorts(int, text, text, text, text, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, message, from_fold, summary, example, builtin) VALUES
    ('GET', '/v1/analytics/cohorts', 'leadanalytics.cohorts', 'engagement', '{live,sandbox}', 'Cohorts retrieved', true,
     'Leads by the week or month they came in, and how many were engaged or converted in each since',
     '[{"cohort": "2026-02-02", "size": 120, "periods": [{"index": 0, "count": 96, "rate": 80.00}, {"index": 1, "count": 41, "rate": 34.17}]}]', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, fallback, choices, position, example, summary) VALUES
    ('GET', '/v1/analytics/cohorts', 'interval', 'query', 'interval', 'text', false, 'week', '{week,month}', 3, 'week', 'how long cohorts and periods are: ISO weeks or months (UTC)'),
    ('GET', '/v1/analytics/cohorts', 'metric', 'query', 'metric', 'text', false, 'engaged', '{engaged,converted}', 4, 'engaged', 'what is counted');
SELECT leadanalytics.engagement_takes('GET', '/v1/analytics/cohorts', 'from', 'to');
