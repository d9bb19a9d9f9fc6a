-- The usual questions: totals, a series, a breakdown, over any range.

-- Rounding of an average of seconds is the report's business.
CREATE FUNCTION leadanalytics.totals(
    workspace int,
    starts timestamptz,
    ends timestamptz,
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS TABLE (
    events bigint, pageviews bigint, custom_events bigint, visitors bigint, fingerprints bigint, suspected_fingerprints bigint,
    sessions bigint, complete_sessions bigint, duration interval, score numeric)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH answer AS MATERIALIZED (
        SELECT a.* FROM leadanalytics.answer(totals.workspace, '{total,fingerprint,suspected,session,score}', ARRAY[starts, ends], totals.now, totals.include_bots) a
        WHERE starts < ends
    )
    SELECT coalesce(sum(a.counts[1]) FILTER (WHERE a.dimension = 'total'), 0)::bigint,
           coalesce(sum(a.counts[2]) FILTER (WHERE a.dimension = 'total'), 0)::bigint,
           coalesce(sum(a.counts[3]) FILTER (WHERE a.dimension = 'total'), 0)::bigint,
           coalesce(sum(a.members) FILTER (WHERE a.dimension = 'total'), 0)::bigint,
           coalesce(sum(a.members) FILTER (WHERE a.dimension = 'fingerprint'), 0)::bigint,
           coalesce(sum(a.members) FILTER (WHERE a.dimension = 'suspected'), 0)::bigint,
           coalesce(sum(a.counts[1]) FILTER (WHERE a.dimension = 'session'), 0)::bigint,
           coalesce(sum(a.counts[1]) FILTER (WHERE a.dimension = 'score'), 0)::bigint,
           make_interval(secs => 0) + coalesce(sum(a.counts[2]) FILTER (WHERE a.dimension = 'score'), 0)::bigint * interval '1 microsecond',
           sum(a.value::int * a.counts[1]) FILTER (WHERE a.dimension = 'score')
               / nullif(sum(a.counts[1]) FILTER (WHERE a.dimension = 'score'), 0)
    FROM answer a
$$;
COMMENT ON FUNCTION leadanalytics.totals(int, timestamptz, timestamptz, timestamptz, boolean) IS
    'what happened from starts until before ends: sessions count when they started then; duration is of the complete ones together, score their mean (null: of none)';
GRANT EXECUTE ON FUNCTION leadanalytics.totals(int, timestamptz, timestamptz, timestamptz, boolean) TO leadanalytics_read;

-- An hour is an hour, also in the night when a clock is set; days, weeks and months are the zone's.
CREATE FUNCTION leadanalytics.steps(starts timestamptz, ends timestamptz, step text, zone text)
RETURNS TABLE (slot int, label timestamptz, starts_at timestamptz, ends_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF step IS NULL OR step NOT IN ('hour', 'day', 'week', 'month') THEN
        RAISE EXCEPTION 'there is no step "%"', step USING ERRCODE = 'invalid_parameter_value', HINT = 'hour, day, week or month.';
    END IF;
    IF NOT isfinite(starts) OR NOT isfinite(ends) THEN
        RAISE EXCEPTION 'a series has a start and an end' USING ERRCODE = 'invalid_parameter_value', HINT = 'Without them, ask leadanalytics.totals().';
    END IF;
    RETURN QUERY
    WITH local AS (
        SELECT s.at AS label, lead(s.at) OVER (ORDER BY s.at) AS next
        FROM (
            SELECT DISTINCT CASE step WHEN 'hour' THEN g.hour ELSE g.local AT TIME ZONE zone END AS at
            FROM (
                SELECT i.at AS hour, NULL::timestamp AS local
                FROM generate_series(date_trunc('hour', starts, zone), ends + interval '1 hour', interval '1 hour') AS i (at) WHERE step = 'hour'
                UNION ALL
                SELECT NULL, i.at
                FROM generate_series(date_trunc(step, starts AT TIME ZONE zone), (ends AT TIME ZONE zone) + ('1 ' || step)::interval, ('1 ' || step)::interval) AS i (at)
                WHERE step <> 'hour'
            ) AS g
        ) AS s
    )
    SELECT (row_number() OVER (ORDER BY l.label))::int, l.label, greatest(l.label, starts), least(l.next, ends)
    FROM local l
    WHERE l.next > starts AND l.label < ends;
END
$$;
COMMENT ON FUNCTION leadanalytics.steps(timestamptz, timestamptz, text, text) IS
    'the hours, days, weeks (from Monday) or months of a zone that a range touches, the first and last cut to it';
GRANT EXECUTE ON FUNCTION leadanalytics.steps(timestamptz, timestamptz, text, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.series(
    workspace int,
    starts timestamptz,
    ends timestamptz,
    step text DEFAULT 'day',
    zone text DEFAULT 'UTC',
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS TABLE (
    bucket timestamptz, events bigint, pageviews bigint, custom_events bigint, visitors bigint,
    sessions bigint, complete_sessions bigint, duration interval, score numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bounds timestamptz[];
    labels timestamptz[];
BEGIN
    SELECT array_agg(s.starts_at ORDER BY s.slot) || max(s.ends_at), array_agg(s.label ORDER BY s.slot)
    INTO bounds, labels FROM leadanalytics.steps(series.starts, series.ends, series.step, series.zone) s;
    IF labels IS NULL THEN
        PERFORM leadanalytics.permitted(series.workspace);
        RETURN;
    END IF;
    RETURN QUERY
    WITH answer AS MATERIALIZED (
        SELECT CASE WHEN cardinality(labels) = 1 THEN 1 ELSE a.slot END AS slot, a.dimension, a.value, a.counts, a.members
        FROM leadanalytics.answer(series.workspace, '{total,session,score}', bounds, series.now, series.include_bots) a
        WHERE a.slot > 0 OR cardinality(labels) = 1
    ), total AS (
        SELECT a.slot, a.counts, a.members FROM answer a WHERE a.dimension = 'total'
    ), session AS (
        SELECT a.slot, a.counts FROM answer a WHERE a.dimension = 'session'
    ), score AS (
        SELECT a.slot, sum(a.counts[1]) AS n, sum(a.counts[2]) AS duration, sum(a.value::int * a.counts[1]) AS score
        FROM answer a WHERE a.dimension = 'score' GROUP BY a.slot
    )
    SELECT l.label, coalesce(t.counts[1], 0), coalesce(t.counts[2], 0), coalesce(t.counts[3], 0), coalesce(t.members, 0),
           coalesce(s.counts[1], 0), coalesce(c.n, 0)::bigint, coalesce(c.duration, 0)::bigint * interval '1 microsecond', c.score / nullif(c.n, 0)
    FROM unnest(labels) WITH ORDINALITY AS l (label, slot)
    LEFT JOIN total t ON t.slot = l.slot
    LEFT JOIN session s ON s.slot = l.slot
    LEFT JOIN score c ON c.slot = l.slot
    ORDER BY l.slot;
END
$$;
COMMENT ON FUNCTION leadanalytics.series(int, timestamptz, timestamptz, text, text, timestamptz, boolean) IS
    'leadanalytics.totals() of every hour, day, week or month (step) of a zone that the range touches, those without anything too; bucket is its start, '
    'which of the first one may lie before the range';
GRANT EXECUTE ON FUNCTION leadanalytics.series(int, timestamptz, timestamptz, text, text, timestamptz, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.breakdown(
    workspace int,
    dimension text,
    starts timestamptz,
    ends timestamptz,
    "limit" int DEFAULT NULL,
    by text DEFAULT 'visitors',
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false,
    as_none text[] DEFAULT '{}')
RETURNS TABLE (value text, count bigint, visitors bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF by IS NULL OR by NOT IN ('visitors', 'count') THEN
        RAISE EXCEPTION 'a breakdown is not ordered by "%"', by USING ERRCODE = 'invalid_parameter_value', HINT = 'visitors or count.';
    END IF;
    IF starts >= ends OR "limit" <= 0 THEN
        PERFORM leadanalytics.permitted(breakdown.workspace);
        RETURN;
    END IF;
    RETURN QUERY
    SELECT a.value, a.counts[1], a.members
    FROM leadanalytics.answer(breakdown.workspace, ARRAY[breakdown.dimension], ARRAY[starts, ends], breakdown.now, breakdown.include_bots, true,
                              coalesce(breakdown."limit", 0), breakdown.by = 'visitors', breakdown.as_none) a;
END
$$;
COMMENT ON FUNCTION leadanalytics.breakdown(int, text, timestamptz, timestamptz, int, text, timestamptz, boolean, text[]) IS
    'the values of a dimension (see leadanalytics.dimensions()) from starts until before ends, most visitors (or highest count) first; value null: none';
GRANT EXECUTE ON FUNCTION leadanalytics.breakdown(int, text, timestamptz, timestamptz, int, text, timestamptz, boolean, text[]) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.first_day(workspace int)
RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT date_trunc('day', least(
        (SELECT min(b.starts) FROM leadanalytics.bucket b WHERE b.workspace = allowed.id),
        (SELECT min(e.at) FROM leadanalytics.event e WHERE e.workspace = allowed.id),
        (SELECT min(s.started_at) FROM leadanalytics.session s WHERE s.workspace = allowed.id)), 'UTC')
    FROM (SELECT leadanalytics.permitted(first_day.workspace) AS id) AS allowed
$$;
COMMENT ON FUNCTION leadanalytics.first_day(int) IS 'the start of the first day (UTC) that there is anything of, null: there is nothing';
GRANT EXECUTE ON FUNCTION leadanalytics.first_day(int) TO leadanalytics_read;
