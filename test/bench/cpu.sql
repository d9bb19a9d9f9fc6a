-- CPU time of this backend. By the scheduler where it tells, which is exact; else in ticks of 10 ms.
CREATE FUNCTION bench.cpu_us() RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    stat text := pg_read_file('/proc/self/schedstat', 0, 1000, true);
BEGIN
    IF split_part(stat, ' ', 1)::bigint > 0 THEN
        RETURN split_part(stat, ' ', 1)::bigint / 1000.0;
    END IF;
    stat := regexp_replace(pg_read_file('/proc/self/stat', 0, 4000), '^.*\) ', '');
    RETURN (split_part(stat, ' ', 12)::bigint + split_part(stat, ' ', 13)::bigint) * 10000.0;
END
$$;
