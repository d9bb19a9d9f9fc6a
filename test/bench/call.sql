-- What a call takes that answers with JSON: the median of the rounds after one to warm up.
CREATE FUNCTION bench.measure(call text, rounds int, OUT ms numeric, OUT total text, OUT buffers bigint) LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz;
    times numeric[] := '{}';
    answer json;
    plan json;
BEGIN
    FOR round IN 0 .. rounds LOOP
        begun := clock_timestamp();
        EXECUTE format('SELECT %s', call) INTO answer;
        IF round > 0 THEN
            times := times || extract(epoch FROM clock_timestamp() - begun)::numeric * 1000;
        END IF;
    END LOOP;
    ms := (SELECT round(percentile_disc(0.5) WITHIN GROUP (ORDER BY t), 2) FROM unnest(times) AS t);
    total := answer ->> 'total';
    EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) SELECT %s', call) INTO plan;
    buffers := (plan->0->'Plan'->>'Shared Hit Blocks')::bigint + (plan->0->'Plan'->>'Shared Read Blocks')::bigint;
END
$$;
COMMENT ON FUNCTION bench.measure(text, int) IS 'milliseconds, the answer''s total, and the 8 kB buffers that one call looked at';
