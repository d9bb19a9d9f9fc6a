-- A unit as the worker runs it, by hand.
CREATE PROCEDURE bench.run_unit(unit text, now timestamptz, times int, OUT cpu_us float8, OUT wall_us float8) LANGUAGE plpgsql AS $$
DECLARE
    outcome text;
    begun timestamptz := clock_timestamp();
    cpu float8 := bench.cpu_us();
BEGIN
    FOR i IN 1 .. times LOOP
        outcome := leadanalytics.run_unit(unit, now);
        COMMIT;
        IF outcome <> 'done' THEN
            RAISE EXCEPTION '% %', unit, outcome;
        END IF;
    END LOOP;
    cpu_us := bench.cpu_us() - cpu;
    wall_us := extract(epoch FROM clock_timestamp() - begun) * 1e6;
END
$$;
COMMENT ON PROCEDURE bench.run_unit(text, timestamptz, int) IS 'so many times, a transaction each: what that took';
