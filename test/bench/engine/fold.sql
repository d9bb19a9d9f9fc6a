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
