-- How often a question is asked and how two answers are compared.

-- Once to warm up, then so many times, in one session.
CREATE PROCEDURE bench.measure(name text, way text, statements text[], rounds int) LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz;
    statement text;
BEGIN
    FOR round IN 0 .. rounds LOOP
        begun := clock_timestamp();
        FOREACH statement IN ARRAY statements LOOP
            EXECUTE statement; -- without INTO: that would forbid parallel query
        END LOOP;
        IF round > 0 THEN
            INSERT INTO bench.figure VALUES (name, way, round, extract(epoch FROM clock_timestamp() - begun) * 1000);
        END IF;
        COMMIT;
    END LOOP;
END
$$;

-- Both answers are the same, or the run ends here. Of a breakdown: each of its rows is one of plain SQL's, and none of
-- those it left out has more visitors; which of two equals comes first is nobody's business.
CREATE PROCEDURE bench.compare(of_place int, other text, who text) LANGUAGE plpgsql AS $$
DECLARE
    of bench.question;
    wrong text;
BEGIN
    SELECT * INTO of FROM bench.question WHERE place = of_place;
    EXECUTE format('CREATE TEMP TABLE said AS %s', other);
    EXECUTE format('CREATE TEMP TABLE right_one AS %s', coalesce(of.plain_all, of.plain));
    IF of.dimension IS NULL THEN
        SELECT string_agg(side || t::text, E'\n') INTO wrong
        FROM (SELECT '- ' AS side, r::text AS t FROM right_one r EXCEPT ALL SELECT '- ', s::text FROM said s UNION ALL
              (SELECT '+ ', s::text FROM said s EXCEPT ALL SELECT '+ ', r::text FROM right_one r) LIMIT 20) AS d;
    ELSE
        SELECT string_agg(side || t, E'\n') INTO wrong
        FROM (SELECT '+ ' AS side, s::text AS t FROM (SELECT s::text FROM said s EXCEPT ALL SELECT r::text FROM right_one r) AS s
              UNION ALL SELECT '- ', r::text FROM right_one r WHERE r.visitors > (SELECT min(s.visitors) FROM said s) AND NOT EXISTS (SELECT FROM said s WHERE s.value IS NOT DISTINCT FROM r.value)
              UNION ALL SELECT 'rows: ', count(*)::text FROM said HAVING count(*) <> least(20, (SELECT count(*) FROM right_one)) LIMIT 20) AS d;
    END IF;
    IF wrong IS NOT NULL OR NOT EXISTS (SELECT FROM right_one) THEN
        RAISE EXCEPTION '%: % answers otherwise than plain SQL', of.name, who USING DETAIL = coalesce(wrong, 'there is nothing to answer');
    END IF;
    DROP TABLE said, right_one;
END
$$;

-- The reference answer, asked for once, unless it takes longer than statement_timeout.
CREATE PROCEDURE bench.compare_dashboard(of_name text) LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz := clock_timestamp();
    exact jsonb;
    said jsonb;
BEGIN
    BEGIN
        EXECUTE format('SELECT to_jsonb(r) FROM (%s) AS r', (SELECT d.call FROM bench.dashboard d WHERE d.name = of_name)) INTO exact;
    EXCEPTION WHEN query_canceled THEN
        RETURN;
    END;
    INSERT INTO bench.figure VALUES (of_name, 'exact', 1, extract(epoch FROM clock_timestamp() - begun) * 1000);
    EXECUTE format('SELECT to_jsonb(s) FROM bench.said_%s s', of_name) INTO said;
    IF said IS DISTINCT FROM exact THEN
        RAISE EXCEPTION '%: the engine answers otherwise than from the rows', of_name USING DETAIL = format('%s, not %s', left(said::text, 500), left(exact::text, 500));
    END IF;
END
$$;
