-- What a part took: written down by whoever ran it, read by report.sql. Round 0 warms up and is not counted.
CREATE TABLE bench.figure (way text, size int, round int, events int, cpu_us float8, wall_us float8, note text);

-- Every batch is a transaction. The receipt is the batch's time, not the machine's.
CREATE PROCEDURE bench.run_track(way text, part text, in_round int, of_size int, workspaces int[], from_k int DEFAULT 1, to_k int DEFAULT 2147483647)
LANGUAGE plpgsql AS $$
DECLARE
    batch bench.batch;
    workspace int;
    answer json;
    sent int := 0;
    taken int := 0;
    last int := (SELECT max(b.k) FROM bench.batch b WHERE b.kind = part AND b.round = in_round AND b.size = of_size);
    begun timestamptz := clock_timestamp();
    cpu float8 := bench.cpu_us();
BEGIN
    FOR at IN from_k .. least(last, to_k) LOOP
        SELECT * INTO batch FROM bench.batch b WHERE b.kind = part AND b.round = in_round AND b.size = of_size AND b.k = at;
        workspace := workspaces[1 + coalesce(batch.workspace, 0) % cardinality(workspaces)];
        answer := leadanalytics.track(workspace, batch.body, client_ip => batch.ip, user_agent => batch.user_agent, now => batch.now);
        COMMIT;
        taken := taken + (answer ->> 'accepted')::int;
        sent := sent + batch.n;
    END LOOP;
    INSERT INTO bench.figure VALUES (way, of_size, in_round, sent, bench.cpu_us() - cpu, extract(epoch FROM clock_timestamp() - begun) * 1e6);
    IF taken <> sent THEN
        RAISE EXCEPTION 'of % events % were taken: %', sent, taken, answer;
    END IF;
END
$$;

-- The rows that came of a round, batch by batch and as a whole, for COPY.
CREATE PROCEDURE bench.write_rows(in_round int, leaf regclass, dir text) LANGUAGE plpgsql AS $$
DECLARE
    batch record;
BEGIN
    -- as they lie there: indexes are met in the same order
    EXECUTE format('CREATE TEMP TABLE fresh AS SELECT e.* FROM %s e JOIN bench.batch b ON b.now = e.received_at '
                   'WHERE b.kind = ''sql'' AND b.round = %s ORDER BY e.ctid', leaf, in_round);
    CREATE INDEX ON fresh (received_at);
    ANALYZE fresh;
    FOR batch IN SELECT b.* FROM bench.batch b WHERE b.kind = 'sql' AND b.round = in_round LOOP
        EXECUTE format('COPY (SELECT * FROM fresh WHERE received_at = %L ORDER BY ctid) TO %L', batch.now, format('%s/%s-%s', dir, batch.size, batch.k));
    END LOOP;
    FOR batch IN SELECT b.size, min(b.now) AS first, max(b.now) AS last FROM bench.batch b WHERE b.kind = 'sql' AND b.round = in_round GROUP BY b.size LOOP
        EXECUTE format('COPY (SELECT * FROM fresh WHERE received_at BETWEEN %L AND %L ORDER BY ctid) TO %L', batch.first, batch.last, format('%s/whole-%s', dir, batch.size));
    END LOOP;
    DROP TABLE fresh;
END
$$;

CREATE PROCEDURE bench.run_copy(in_round int, of_size int, dir text) LANGUAGE plpgsql AS $$
DECLARE
    last int := (SELECT max(b.k) FROM bench.batch b WHERE b.kind = 'sql' AND b.round = in_round AND b.size = of_size);
    events int := (SELECT sum(b.n) FROM bench.batch b WHERE b.kind = 'sql' AND b.round = in_round AND b.size = of_size);
    begun timestamptz := clock_timestamp();
    cpu float8 := bench.cpu_us();
BEGIN
    FOR at IN 1 .. last LOOP
        EXECUTE format('COPY bench.copied FROM %L', format('%s/%s-%s', dir, of_size, at));
        COMMIT;
    END LOOP;
    INSERT INTO bench.figure VALUES ('copy', of_size, in_round, events, bench.cpu_us() - cpu, extract(epoch FROM clock_timestamp() - begun) * 1e6);
    COMMIT;
    begun := clock_timestamp();
    cpu := bench.cpu_us();
    EXECUTE format('COPY bench.copied_whole FROM %L', format('%s/whole-%s', dir, of_size));
    COMMIT;
    INSERT INTO bench.figure VALUES ('copy whole', of_size, in_round, events, bench.cpu_us() - cpu, extract(epoch FROM clock_timestamp() - begun) * 1e6);
END
$$;

-- What the worker does, by hand: until there is nothing left, and once more.
CREATE PROCEDURE bench.run_units(way text, now timestamptz, times int) LANGUAGE plpgsql AS $$
DECLARE
    unit text;
    cpu_us float8;
    wall_us float8;
BEGIN
    FOR unit IN SELECT u.name FROM leadanalytics.unit u WHERE u.kind <> 'procedure' ORDER BY u.name LOOP
        CALL bench.run_unit(unit, now, times, cpu_us, wall_us);
        INSERT INTO bench.figure VALUES (way || ' work', NULL, 1, 1, cpu_us, wall_us, unit);
        CALL bench.run_unit(unit, now, 1, cpu_us, wall_us);
        INSERT INTO bench.figure VALUES (way || ' idle', NULL, 1, 1, cpu_us, wall_us, unit);
    END LOOP;
END
$$;

