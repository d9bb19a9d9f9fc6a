-- What the test of the live counts needs in its database.

-- Batches of made-up events of now: some late, some ahead, of visitors who return, with and without session ids.
-- who: events of different ones meet in no row, so that neither waits for the other's transaction.
CREATE FUNCTION public.send(w int, seed int, n int, who text DEFAULT 'v') RETURNS text LANGUAGE sql AS $$
    SELECT leadanalytics.track(w, json_build_object('events', json_agg(json_strip_nulls(json_build_object(
        'event_name', (ARRAY['page_view', 'scroll', 'buy', 'page_view'])[1 + r % 4],
        'visitor_id', CASE WHEN r % 11 > 0 THEN who || (r / 3) % 60 END,
        'session_id', CASE WHEN r % 3 = 0 THEN 's' || who || (r / 3) % 60 || '-' || (r / 7) % 3 END,
        'timestamp', to_char((clock_timestamp() + age) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'event_data', json_build_object('url', 'https://shop.example/p' || (r / 13) % 12 || '?q=' || who || r % 50,
                                        'referrer', 'https://r' || (r / 5) % 6 || '.example/' || who || r % 4)))), 'batch', seed),
        client_ip => ('192.0.2.' || abs(hashint4(seed)) % 256)::inet, now => clock_timestamp())::text
    FROM (SELECT abs(hashint8(seed::bigint * 1000 + i)) AS r FROM generate_series(1, n) AS i) AS random,
         LATERAL (SELECT CASE WHEN r % 5 > 0 THEN -(r % 120) * interval '1 s' WHEN r % 4 > 0 THEN -(r % 5000) * interval '1 s'
                              WHEN r % 3 > 0 THEN (r % 290) * interval '1 s' ELSE -(r % 600000) * interval '1 s' END AS age) AS t
$$;

-- Transactions of every kind, one after the other.
CREATE PROCEDURE public.load(w int, seed int, seconds int) LANGUAGE plpgsql AS $$
DECLARE
    until CONSTANT timestamptz := clock_timestamp() + seconds * interval '1 s';
    k int := seed * 100000;
    who text;
BEGIN
    WHILE clock_timestamp() < until LOOP
        k := k + 1;
        -- Of several batches each locks its own: only who writes one alone may meet others without a deadlock.
        who := CASE WHEN 0 IN (k % 3, k % 4, k % 5) THEN 'w' || seed || '-' ELSE 'v' END;
        PERFORM public.send(w, k, 1 + k % 20, who);
        IF k % 3 = 0 THEN
            BEGIN
                PERFORM public.send(w, k + 50000, 5, who);
                RAISE EXCEPTION 'taken back';
            EXCEPTION WHEN raise_exception THEN
            END;
        END IF;
        IF k % 4 = 0 THEN
            BEGIN
                PERFORM public.send(w, k + 60000, 5, who);
            EXCEPTION WHEN raise_exception THEN
            END;
        END IF;
        IF k % 5 = 0 THEN
            BEGIN
                PERFORM leadanalytics.track_session_end(w, json_build_object('session_id', 'sw' || seed || '-' || k % 60 || '-' || k % 3), now => clock_timestamp());
            EXCEPTION WHEN OTHERS THEN
            END;
        END IF;
        IF k % 7 = 0 THEN
            PERFORM leadanalytics.track_session_start(w, json_build_object('fingerprint_id', 'f' || k, 'page', 'https://shop.example/start'), now => clock_timestamp());
        END IF;
        IF k % 6 = 0 THEN
            ROLLBACK;
        ELSE
            COMMIT;
        END IF;
    END LOOP;
END
$$;

CREATE FUNCTION public.served(w int) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(sum(s.served), 0)::bigint FROM leadanalytics.live_states() s WHERE s.workspace = w
$$;

CREATE FUNCTION public.answers(w int) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(SELECT m || ': ' || r FROM unnest(ARRAY[1, 37, 60]) AS m, LATERAL leadanalytics.live_rows(w, m) AS r)
        || ARRAY(SELECT 'hour: ' || r FROM leadanalytics.realtime_rows(w) AS r)
        || ARRAY(SELECT 'top 3: ' || r FROM leadanalytics.live_rows(w, 30, 3) AS r);
END
$$;

-- Ask twice in one snapshot, as it comes and by rows alone: memory or rows, and what is not the same.
CREATE FUNCTION public.compare(w int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before CONSTANT bigint := public.served(w);
    told text[];
    rows text[];
    wrong text;
    memory boolean;
BEGIN
    told := public.answers(w);
    memory := public.served(w) >= before + 5;
    PERFORM set_config('leadanalytics.exact', 'on', true);
    rows := public.answers(w);
    PERFORM set_config('leadanalytics.exact', 'off', true);
    SELECT string_agg(d, E'\n' ORDER BY d) INTO wrong FROM (
        (SELECT 'told ' || a AS d FROM unnest(told) AS a EXCEPT ALL SELECT 'told ' || a FROM unnest(rows) AS a) UNION ALL
        (SELECT 'rows ' || a FROM unnest(rows) AS a EXCEPT ALL SELECT 'rows ' || a FROM unnest(told) AS a)) AS different;
    RETURN coalesce(wrong, CASE WHEN memory THEN 'memory' ELSE 'rows' END);
END
$$;
CREATE TABLE public.said (what text, n int);
CREATE PROCEDURE public.watch(w int, seconds int) LANGUAGE plpgsql AS $$
DECLARE
    until CONSTANT timestamptz := clock_timestamp() + seconds * interval '1 s';
    answer text;
BEGIN
    WHILE clock_timestamp() < until LOOP
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
        answer := public.compare(w);
        COMMIT;
        INSERT INTO public.said VALUES (answer, 1);
        COMMIT;
    END LOOP;
END
$$;
