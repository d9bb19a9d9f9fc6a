-- The usual questions: totals, a series, a breakdown, over any range.

-- An hour is an hour, also in the night when a clock is set; days, weeks and months are the zone's.
CREATE FUNCTION leadanalytics.steps(starts timestamptz, ends timestamptz, step text, zone text)
RETURNS SETOF timestamptz LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    length CONSTANT interval := '1 ' || step;
BEGIN
    IF step IS NULL OR step NOT IN ('hour', 'day', 'week', 'month') THEN
        RAISE EXCEPTION 'there is no step "%"', step USING ERRCODE = 'invalid_parameter_value', HINT = 'hour, day, week or month.';
    END IF;
    IF NOT isfinite(starts) OR NOT isfinite(ends) THEN
        RAISE EXCEPTION 'a series has a start and an end' USING ERRCODE = 'invalid_parameter_value', HINT = 'Without them, ask leadanalytics.totals().';
    END IF;
    IF step = 'hour' THEN
        RETURN QUERY SELECT h.at FROM generate_series(date_trunc('hour', starts, zone), ends, length) AS h (at) WHERE h.at < ends;
    ELSE
        RETURN QUERY
        SELECT l.at AT TIME ZONE zone
        FROM generate_series(date_trunc(step, starts AT TIME ZONE zone), ends AT TIME ZONE zone, length) AS l (at)
        WHERE l.at AT TIME ZONE zone < ends AND (l.at + length) AT TIME ZONE zone > starts;
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.steps(timestamptz, timestamptz, text, text) IS
    'the starts of the hours, days, weeks (from Monday) or months of a zone that a range touches; that of the first may lie before the range';
GRANT EXECUTE ON FUNCTION leadanalytics.steps(timestamptz, timestamptz, text, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.summary(
    workspace int,
    starts timestamptz,
    ends timestamptz,
    step text DEFAULT NULL,
    zone text DEFAULT 'UTC',
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS TABLE (
    bucket timestamptz, events bigint, pageviews bigint, custom_events bigint, visitors bigint,
    sessions bigint, complete_sessions bigint, duration interval, score numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    steps CONSTANT timestamptz[] := CASE WHEN step IS NOT NULL AND starts < ends THEN ARRAY(SELECT leadanalytics.steps(starts, ends, step, zone)) ELSE '{}' END;
    bounds CONSTANT timestamptz[] := starts || steps[2:] || ends;
BEGIN
    RETURN QUERY
    WITH answer AS MATERIALIZED (
        SELECT a.slot, a.dimension, a.counts, a.members
        FROM leadanalytics.answer(allowed, '{total,session,complete}', bounds, summary.now, summary.include_bots) a
        WHERE starts < ends
    ), slot AS (
        SELECT i.slot, steps[i.slot] AS bucket, CASE WHEN cardinality(bounds) = 2 THEN 0 ELSE i.slot END AS answered FROM generate_series(0, cardinality(steps)) AS i (slot)
    )
    SELECT s.bucket, coalesce(t.counts[1], 0), coalesce(t.counts[2], 0), coalesce(t.counts[3], 0), coalesce(t.members, 0),
           coalesce(o.counts[1], 0), coalesce(c.counts[1], 0), coalesce(c.counts[2], 0) * interval '1 microsecond', c.counts[3]::numeric / c.counts[1]
    FROM slot s
    LEFT JOIN answer t ON t.slot = s.answered AND t.dimension = 'total'
    LEFT JOIN answer o ON o.slot = s.answered AND o.dimension = 'session'
    LEFT JOIN answer c ON c.slot = s.answered AND c.dimension = 'complete'
    ORDER BY s.slot;
END
$$;
COMMENT ON FUNCTION leadanalytics.summary(int, timestamptz, timestamptz, text, text, timestamptz, boolean) IS
    'what happened from starts until before ends: first all of it (bucket null), then every hour, day, week or month (step; null: none) of a zone that the range touches, '
    'those without anything too; bucket is its start, of the first one possibly before the range. Sessions count when they started then; '
    'duration is of the complete ones together, score their mean (null: of none)';
GRANT EXECUTE ON FUNCTION leadanalytics.summary(int, timestamptz, timestamptz, text, text, timestamptz, boolean) TO leadanalytics_read;

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
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.* FROM leadanalytics.summary(series.workspace, series.starts, series.ends, coalesce(series.step, 'day'), series.zone, series.now, series.include_bots) s
    WHERE s.bucket IS NOT NULL
$$;
COMMENT ON FUNCTION leadanalytics.series(int, timestamptz, timestamptz, text, text, timestamptz, boolean) IS 'leadanalytics.summary() without its first row';
GRANT EXECUTE ON FUNCTION leadanalytics.series(int, timestamptz, timestamptz, text, text, timestamptz, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.totals(
    workspace int,
    starts timestamptz,
    ends timestamptz,
    now timestamptz DEFAULT now(),
    include_bots boolean DEFAULT false)
RETURNS TABLE (
    events bigint, pageviews bigint, custom_events bigint, visitors bigint, fingerprints bigint, suspected_fingerprints bigint,
    sessions bigint, complete_sessions bigint, duration interval, score numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    RETURN QUERY
    WITH answer AS MATERIALIZED (
        SELECT a.dimension, a.counts, a.members
        FROM leadanalytics.answer(allowed, '{total,fingerprint,suspected,session,complete}', ARRAY[starts, ends], totals.now, totals.include_bots) a
        WHERE starts < ends
    )
    SELECT coalesce(t.counts[1], 0), coalesce(t.counts[2], 0), coalesce(t.counts[3], 0), coalesce(t.members, 0), coalesce(f.members, 0), coalesce(v.members, 0),
           coalesce(o.counts[1], 0), coalesce(c.counts[1], 0), coalesce(c.counts[2], 0) * interval '1 microsecond', c.counts[3]::numeric / c.counts[1]
    FROM (VALUES (true)) AS one
    LEFT JOIN answer t ON t.dimension = 'total'
    LEFT JOIN answer f ON f.dimension = 'fingerprint'
    LEFT JOIN answer v ON v.dimension = 'suspected'
    LEFT JOIN answer o ON o.dimension = 'session'
    LEFT JOIN answer c ON c.dimension = 'complete';
END
$$;
COMMENT ON FUNCTION leadanalytics.totals(int, timestamptz, timestamptz, timestamptz, boolean) IS
    'the first row of leadanalytics.summary(), and the distinct fingerprints of events and sessions, and of suspected sessions';
GRANT EXECUTE ON FUNCTION leadanalytics.totals(int, timestamptz, timestamptz, timestamptz, boolean) TO leadanalytics_read;

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
