-- When a schedule is due. A time of day is a time of a zone's clocks, which are set forward and back.

CREATE FUNCTION leadanalytics.local_moment(day date, at_time time, timezone text)
RETURNS timestamptz LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted CONSTANT timestamp := day + at_time;
    shown CONSTANT timestamptz := wanted AT TIME ZONE timezone;
    earlier timestamptz;
    low timestamptz := shown - interval '24 hours';
    high timestamptz := shown + interval '24 hours';
    middle timestamptz;
BEGIN
    IF shown AT TIME ZONE timezone = wanted THEN
        -- With yesterday's offset it may have been shown before.
        earlier := (wanted - ((low AT TIME ZONE timezone) - (low AT TIME ZONE 'UTC'))) AT TIME ZONE 'UTC';
        RETURN CASE WHEN earlier < shown AND earlier AT TIME ZONE timezone = wanted THEN earlier ELSE shown END;
    END IF;
    -- The clocks jump over it: when? Always at a whole second.
    WHILE high - low > interval '1 second' LOOP
        middle := low + floor(extract(epoch FROM high - low) / 2) * interval '1 second';
        IF middle AT TIME ZONE timezone >= wanted THEN
            high := middle;
        ELSE
            low := middle;
        END IF;
    END LOOP;
    RETURN high;
END
$$;
COMMENT ON FUNCTION leadanalytics.local_moment(date, time, text) IS
    'the first moment at which the clocks of a zone show a time of a day, or have jumped past it';
GRANT EXECUTE ON FUNCTION leadanalytics.local_moment(date, time, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.next_due(frequency text, day_of_week int, day_of_month int, at_time time, timezone text, after timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH today (day) AS (SELECT (after AT TIME ZONE timezone)::date),
    wanted (day) AS (
        SELECT t.day + n
        FROM today t, generate_series(-2, CASE frequency WHEN 'daily' THEN 3 ELSE 8 END) AS n
        WHERE CASE frequency
                  -- A day that a zone leaves out (Apia, 30 December 2011) is none; but a week or month still has its run.
                  WHEN 'daily' THEN (leadanalytics.local_moment(t.day + n, '00:00', timezone) AT TIME ZONE timezone)::date = t.day + n
                  WHEN 'weekly' THEN extract(dow FROM t.day + n) = day_of_week
                  ELSE false END
        UNION ALL
        SELECT m.first + least(day_of_month, (m.first + interval '1 month')::date - m.first) - 1
        FROM (SELECT (date_trunc('month', t.day::timestamp) + n * interval '1 month')::date FROM today t, generate_series(-1, 2) AS n) AS m (first)
        WHERE frequency = 'monthly'
    )
    SELECT min(m.at)
    FROM wanted w CROSS JOIN LATERAL (SELECT leadanalytics.local_moment(w.day, at_time, timezone)) AS m (at)
    WHERE m.at > after
$$;
COMMENT ON FUNCTION leadanalytics.next_due(text, int, int, time, text, timestamptz) IS
    'when something is due next: daily, weekly (0: Sunday) or monthly (in a month without the day on its last) at a time of a zone. A time that the clocks jump over is when they do; one that they show twice is the first';
GRANT EXECUTE ON FUNCTION leadanalytics.next_due(text, int, int, time, text, timestamptz) TO leadanalytics_read;
