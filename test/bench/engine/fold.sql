-- Folding as the worker would have done while the time passed: the ledgers' rows of a day come, are folded 50 000 events a
-- call, days and months that are over are made, quarters of an hour that are old are dropped; then the next day.
CREATE TABLE bench.folded (place serial, what text UNIQUE, calls int, events bigint, cpu_us float8, wall_us float8);

CREATE PROCEDURE bench.repeat(what text, call text) LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
    calls int := 0;
    cpu float8 := bench.cpu_us();
    begun timestamptz := clock_timestamp();
BEGIN
    LOOP
        EXECUTE call INTO n;
        COMMIT;
        EXIT WHEN coalesce(n, 0) = 0;
        calls := calls + 1;
    END LOOP;
    INSERT INTO bench.folded AS f (what, calls, cpu_us, wall_us)
    VALUES (what, calls, bench.cpu_us() - cpu, extract(epoch FROM clock_timestamp() - begun) * 1e6)
    ON CONFLICT ON CONSTRAINT folded_what_key DO UPDATE
    SET calls = f.calls + excluded.calls, cpu_us = f.cpu_us + excluded.cpu_us, wall_us = f.wall_us + excluded.wall_us;
    COMMIT;
END
$$;
COMMENT ON PROCEDURE bench.repeat(text, text) IS 'a transaction a call, until it says 0; what that took is added up';

CREATE PROCEDURE bench.put_ledgers_aside() LANGUAGE plpgsql AS $$
DECLARE
    fact bench.fact;
BEGIN
    SELECT * INTO fact FROM bench.fact;
    CREATE TABLE bench.waiting AS SELECT * FROM leadanalytics.ledger WHERE workspace = fact.workspace;
    CREATE TABLE bench.waiting_sessions AS
    SELECT l.*, (SELECT s.started_at FROM leadanalytics.session s WHERE s.workspace = l.workspace AND s.number = l.numbers[1]) AS at
    FROM leadanalytics.session_ledger l WHERE workspace = fact.workspace;
    DELETE FROM leadanalytics.ledger WHERE workspace = fact.workspace;
    DELETE FROM leadanalytics.session_ledger WHERE workspace = fact.workspace;
END
$$;

CREATE PROCEDURE bench.fold_all() LANGUAGE plpgsql AS $$
DECLARE
    fact bench.fact;
    all_events bigint;
    day_ends timestamptz;
BEGIN
    SELECT * INTO fact FROM bench.fact;
    SELECT sum(n) INTO all_events FROM bench.waiting;
    IF all_events <> (SELECT count(*) FROM leadanalytics.event WHERE workspace = fact.workspace) THEN
        RAISE EXCEPTION 'the ledger has % events of %', all_events, (SELECT count(*) FROM leadanalytics.event WHERE workspace = fact.workspace);
    END IF;
    FOR day IN 1 .. fact.days LOOP
        day_ends := fact.starts + day * interval '1 day';
        INSERT INTO leadanalytics.ledger SELECT w.* FROM bench.waiting w WHERE w.at_min >= day_ends - interval '1 day' AND w.at_min < day_ends ORDER BY w.id_from;
        INSERT INTO leadanalytics.session_ledger (since, id, workspace, closed, numbers)
        SELECT w.since, w.id, w.workspace, w.closed, w.numbers FROM bench.waiting_sessions w WHERE w.at >= day_ends - interval '1 day' AND w.at < day_ends ORDER BY w.id;
        COMMIT;
        CALL bench.repeat('fold', format('SELECT leadanalytics.fold_workspace(%s, 50000, %L)', fact.workspace, day_ends));
        CALL bench.repeat('make days and months', format('SELECT leadanalytics.build_workspace(%s, %L)', fact.workspace, day_ends + interval '1 hour'));
        CALL bench.repeat('drop old quarters', format('SELECT leadanalytics.drop_quarters(%s, %L)', fact.workspace, day_ends + interval '1 hour'));
    END LOOP;
    UPDATE bench.folded f SET events = all_events WHERE f.what <> 'drop old quarters';
    INSERT INTO bench.folded (what, calls, events, cpu_us, wall_us)
    SELECT 'all of it', sum(f.calls), max(f.events), sum(f.cpu_us), sum(f.wall_us) FROM bench.folded f;
    IF EXISTS (SELECT FROM leadanalytics.ledger WHERE workspace = fact.workspace)
       OR EXISTS (SELECT FROM leadanalytics.session_ledger WHERE workspace = fact.workspace)
       OR (SELECT sum(n) FROM bench.waiting WHERE at_min >= fact.starts AND at_min < fact.now) <> all_events THEN
        RAISE EXCEPTION 'not everything was folded';
    END IF;
    DROP TABLE bench.waiting, bench.waiting_sessions;
END
$$;

CREATE PROCEDURE bench.run_units(times int) LANGUAGE plpgsql AS $$
DECLARE
    ends CONSTANT timestamptz := (SELECT now FROM bench.fact);
    unit text;
    cpu_us float8;
    wall_us float8;
BEGIN
    FOR unit IN SELECT u.name FROM leadanalytics.unit u WHERE u.kind <> 'procedure' ORDER BY u.name LOOP
        CALL bench.run_unit(unit, ends, times, cpu_us, wall_us);
        INSERT INTO bench.folded (what, calls, cpu_us, wall_us) VALUES ('unit ' || unit, times, cpu_us, wall_us);
    END LOOP;
END
$$;

-- The last events once more, as batches of 1 000 that nobody folds.
CREATE PROCEDURE bench.add_tail(batches int) LANGUAGE plpgsql AS $$
DECLARE
    fact bench.fact;
    block bigint := (SELECT last_value + 1 FROM leadanalytics.event_block);
BEGIN
    SELECT * INTO fact FROM bench.fact;
    PERFORM setval('leadanalytics.event_block', block + batches);
    INSERT INTO leadanalytics.event (at, received_at, id, session, workspace, visitor, person, name, title, referrer, source, page, campaign, place, agent,
        fingerprint, device, screen_width, screen_height, kind, is_bot, data)
    SELECT at, received_at, (block + n / 1000) << 10 | n % 1000, session, workspace, visitor, person, name, title, referrer, source, page, campaign, place, agent,
           fingerprint, device, screen_width, screen_height, kind, is_bot, data
    FROM (SELECT *, row_number() OVER (ORDER BY at DESC) - 1 AS n FROM leadanalytics.event WHERE workspace = fact.workspace AND at > fact.now - interval '7 days') AS e
    WHERE n < batches * 1000;
END
$$;
