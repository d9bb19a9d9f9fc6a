-- Folding everything, as the worker does: a transaction a call, until there is nothing left; then what else the worker
-- does with it (compaction), until that changes nothing either.
CREATE TABLE bench.folded (what text, calls int, events bigint, cpu_us float8, wall_us float8);

CREATE PROCEDURE bench.fold_all() LANGUAGE plpgsql AS $$
DECLARE
    fact bench.fact;
    n bigint;
    events bigint := 0;
    calls int := 0;
    cpu float8 := bench.cpu_us();
    begun timestamptz := clock_timestamp();
BEGIN
    SELECT * INTO fact FROM bench.fact;
    LOOP
        n := leadanalytics.fold(fact.workspace, fact.now);
        COMMIT;
        EXIT WHEN n = 0;
        events := events + n;
        calls := calls + 1;
    END LOOP;
    INSERT INTO bench.folded VALUES ('fold', calls, events, bench.cpu_us() - cpu, extract(epoch FROM clock_timestamp() - begun) * 1e6);
    IF events <> (SELECT count(*) FROM leadanalytics.event WHERE workspace = fact.workspace) THEN
        RAISE EXCEPTION '% events were folded, and there are %', events, (SELECT count(*) FROM leadanalytics.event WHERE workspace = fact.workspace);
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
        INSERT INTO bench.folded VALUES (unit, times, NULL, bench.cpu_us() - cpu, extract(epoch FROM clock_timestamp() - begun) * 1e6);
    END LOOP;
END
$$;

-- What the session's part of the ledger needs when sessions are written past ingestion.
CREATE PROCEDURE bench.ledger_sessions() LANGUAGE plpgsql AS $$
BEGIN
    IF to_regprocedure('leadanalytics.ledger_sessions(integer)') IS NOT NULL THEN
        PERFORM leadanalytics.ledger_sessions((SELECT workspace FROM bench.fact));
    END IF;
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
