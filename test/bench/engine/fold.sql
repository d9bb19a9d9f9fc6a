-- Folding everything as the worker does, a transaction for each 50 000 events, until there is nothing left; then days and
-- months. Events of the past would only be counted when their day is made: leadanalytics.quarters_keep is set so that each
-- comes into its quarter of an hour, as it would have while the time passed.
CREATE TABLE bench.folded (place serial, what text, calls int, events bigint, cpu_us float8, wall_us float8);

CREATE PROCEDURE bench.repeat(what text, call text, events bigint) LANGUAGE plpgsql AS $$
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
    INSERT INTO bench.folded (what, calls, events, cpu_us, wall_us)
    VALUES (what, calls, events, bench.cpu_us() - cpu, extract(epoch FROM clock_timestamp() - begun) * 1e6);
END
$$;
COMMENT ON PROCEDURE bench.repeat(text, text, bigint) IS 'a transaction a call, until it says 0';

CREATE PROCEDURE bench.fold_all() LANGUAGE plpgsql AS $$
DECLARE
    fact bench.fact;
    events bigint;
BEGIN
    SELECT * INTO fact FROM bench.fact;
    SELECT sum(n) INTO events FROM leadanalytics.ledger WHERE workspace = fact.workspace;
    IF events <> (SELECT count(*) FROM leadanalytics.event WHERE workspace = fact.workspace) THEN
        RAISE EXCEPTION 'the ledger has % events of %', events, (SELECT count(*) FROM leadanalytics.event WHERE workspace = fact.workspace);
    END IF;
    SET leadanalytics.quarters_keep = '100d';
    CALL bench.repeat('fold: quarters of an hour', format('SELECT leadanalytics.fold_workspace(%s, 50000, %L)', fact.workspace, fact.now), events);
    RESET leadanalytics.quarters_keep;
    CALL bench.repeat('build: days and months', format('SELECT leadanalytics.build_workspace(%s, %L)', fact.workspace, fact.now), events);
    CALL bench.repeat('drop quarters that are old', format('SELECT leadanalytics.drop_quarters(%s, %L)', fact.workspace, fact.now), NULL);
    INSERT INTO bench.folded (what, calls, events, cpu_us, wall_us)
    SELECT 'all of it', sum(calls), max(f.events), sum(cpu_us), sum(wall_us) FROM bench.folded f;
    IF EXISTS (SELECT FROM leadanalytics.ledger WHERE workspace = fact.workspace) THEN
        RAISE EXCEPTION 'not everything was folded';
    END IF;
END
$$;

CREATE PROCEDURE bench.run_units(times int) LANGUAGE plpgsql AS $$
DECLARE
    unit text;
    outcome text;
    cpu float8;
    begun timestamptz;
BEGIN
    FOR unit IN SELECT u.name FROM leadanalytics.unit u WHERE u.kind <> 'procedure' ORDER BY u.name LOOP
        begun := clock_timestamp();
        cpu := bench.cpu_us();
        FOR i IN 1 .. times LOOP
            outcome := leadanalytics.run_unit(unit, (SELECT now FROM bench.fact));
            COMMIT;
            IF outcome <> 'done' THEN
                RAISE EXCEPTION '% %', unit, outcome;
            END IF;
        END LOOP;
        INSERT INTO bench.folded (what, calls, cpu_us, wall_us) VALUES ('unit ' || unit, times, bench.cpu_us() - cpu, extract(epoch FROM clock_timestamp() - begun) * 1e6);
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
