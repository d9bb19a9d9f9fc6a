-- Counts of messages: what each fact counts for, settling (which writes both facts and counts), summing up, reading.

-- The series a fact is counted in. Whole days of a campaign answer nearly everything; hours are for the ragged ends of a
-- time; deliverability asks by whom it was sent (and why it bounced), of days alone; the heatmap asks when it was sent, in
-- any zone. What asks about all campaigns need not read those of each. Lists of events ask how many there are, of every
-- kind, as they came: machines' too, and each as often as it was said.
CREATE FUNCTION leadanalytics.message_series()
RETURNS TABLE (series "char", length interval, of_events boolean, by_sending boolean, by_campaign boolean, by_sender boolean) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES ('d'::"char", interval '24 hours', false, false, true, false), -- a day of the session's zone may have 23
           ('h', interval '1 hour', false, false, true, false),
           ('m', interval '24 hours', false, false, true, true),
           ('b', interval '24 hours', false, false, false, true),
           ('s', interval '15 minutes', false, true, true, false),
           ('w', interval '15 minutes', false, true, false, false),
           ('e', interval '1 hour', true, false, false, false)
$$;
COMMENT ON FUNCTION leadanalytics.message_series() IS
    'the series that facts of messages, or their events, are counted in: how long a bucket is (UTC), whether its time is the sending''s or the fact''s own, and whether campaigns, and domains, mailboxes and reasons of bounces, are told apart';

CREATE FUNCTION leadanalytics.message_buckets(hour timestamptz, slot timestamptz, campaign int, domain int, mailbox int, reason int)
RETURNS TABLE (series "char", bucket timestamptz, campaign int, domain int, mailbox int, reason int) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT s.series, date_bin(s.length, CASE WHEN s.by_sending THEN slot ELSE hour END, '2000-01-01 00:00Z'), CASE WHEN s.by_campaign THEN coalesce(campaign, 0) ELSE 0 END,
           CASE WHEN s.by_sender THEN coalesce(domain, 0) ELSE 0 END, CASE WHEN s.by_sender THEN coalesce(mailbox, 0) ELSE 0 END, CASE WHEN s.by_sender THEN coalesce(reason, 0) ELSE 0 END
    FROM leadanalytics.message_series() s
    WHERE NOT s.of_events AND (NOT s.by_sending OR slot IS NOT NULL)
$$;
COMMENT ON FUNCTION leadanalytics.message_buckets(timestamptz, timestamptz, int, int, int, int) IS 'where a fact of that hour, of a message sent in that quarter of an hour, is counted (UTC)';

CREATE FUNCTION leadanalytics.message_facts(
    sent_at timestamptz, delivered_at timestamptz, bounced_at timestamptz, is_hard boolean, reason int, opened_at timestamptz, clicked_at timestamptz,
    replied_at timestamptz, complained_at timestamptz, unsubscribed_at timestamptz)
RETURNS TABLE (fact "char", at timestamptz, reason int) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT f.fact::"char", f.at, f.reason
    FROM (VALUES ('s', sent_at, NULL::int), ('d', delivered_at, NULL), (CASE WHEN is_hard THEN 'h' ELSE 'f' END, bounced_at, reason), ('o', opened_at, NULL),
                 ('c', clicked_at, NULL), ('r', replied_at, NULL), ('p', complained_at, NULL), ('u', unsubscribed_at, NULL)) AS f (fact, at, reason)
    WHERE f.at IS NOT NULL
$$;
COMMENT ON FUNCTION leadanalytics.message_facts(timestamptz, timestamptz, timestamptz, boolean, int, timestamptz, timestamptz, timestamptz, timestamptz, timestamptz) IS
    'the facts of a message, from its row: s sent, d delivered, h bounced hard, f bounced soft, o opened, c clicked, r replied, p complained, u unsubscribed';

CREATE FUNCTION leadanalytics.message_count(fact "char", n bigint)
RETURNS TABLE (sent bigint, delivered bigint, hard bigint, soft bigint, opened bigint, clicked bigint, replied bigint, complained bigint, unsubscribed bigint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE fact WHEN 's' THEN n ELSE 0 END, CASE fact WHEN 'd' THEN n ELSE 0 END, CASE fact WHEN 'h' THEN n ELSE 0 END, CASE fact WHEN 'f' THEN n ELSE 0 END,
           CASE fact WHEN 'o' THEN n ELSE 0 END, CASE fact WHEN 'c' THEN n ELSE 0 END, CASE fact WHEN 'r' THEN n ELSE 0 END, CASE fact WHEN 'p' THEN n ELSE 0 END,
           CASE fact WHEN 'u' THEN n ELSE 0 END
$$;
COMMENT ON FUNCTION leadanalytics.message_count("char", bigint) IS 'n messages with a fact, as a row of counts';

CREATE FUNCTION leadanalytics.settle_messages(workspace int, messages bigint[], since timestamptz, counted boolean DEFAULT true)
RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'la_campaigns_settle_messages';
COMMENT ON FUNCTION leadanalytics.settle_messages(int, bigint[], timestamptz, boolean) IS
    'write what follows from the events of messages, and (counted) what that changes in the counts; since: no event is earlier that their rows do not know of';

-- Whoever adds events, by our functions or past them, settles their messages. Without a worker nobody sums up, and
-- readers would have ever more rows to add: every 2 000 events or so whoever adds looks how many there are, and sums up.
CREATE FUNCTION leadanalytics.settle_added()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    every CONSTANT int := 2000;
    most CONSTANT int := 20000;
    added record;
BEGIN
    FOR added IN SELECT f.workspace, array_agg(DISTINCT f.message) AS messages, min(f.at) AS since, max(f.id) / every > (min(f.id) - 1) / every AS looks
                 FROM fresh f GROUP BY f.workspace ORDER BY 1 LOOP
        PERFORM leadanalytics.settle_messages(added.workspace, added.messages, added.since);
        IF added.looks AND ((SELECT count(*) FROM (SELECT FROM leadanalytics.message_fresh_tally LIMIT most) AS f) = most
                            OR (SELECT sum(p.n) FROM leadanalytics.message_fresh_point p) >= most) THEN
            BEGIN
                PERFORM leadanalytics.sum_messages(now());
            EXCEPTION WHEN transaction_rollback OR lock_not_available THEN
                NULL; -- somebody else did
            END;
        END IF;
    END LOOP;
    INSERT INTO leadanalytics.message_fresh_tally (workspace, series, bucket, campaign, domain, mailbox, reason, sent, delivered, hard, soft, opened, clicked, replied, complained, unsubscribed)
    SELECT f.workspace, 'e', date_bin('1 hour', f.at, '2000-01-01 00:00Z'), 0, 0, 0, 0,
           count(*) FILTER (WHERE f.kind = 's'), count(*) FILTER (WHERE f.kind = 'd'), count(*) FILTER (WHERE f.kind = 'b' AND f.is_hard),
           count(*) FILTER (WHERE f.kind = 'b' AND f.is_hard IS NOT TRUE), count(*) FILTER (WHERE f.kind = 'o'), count(*) FILTER (WHERE f.kind = 'c'),
           count(*) FILTER (WHERE f.kind = 'r'), count(*) FILTER (WHERE f.kind = 'p'), count(*) FILTER (WHERE f.kind = 'u')
    FROM fresh f
    GROUP BY f.workspace, 3;
    PERFORM leadanalytics.worker_poke();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.settle_added() IS 'settle the messages whose events a statement added';
CREATE TRIGGER settle_added AFTER INSERT ON leadanalytics.message_event
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.settle_added();

-- Summing up. One at a time (who comes second leaves it to the first), so rows of message_tally are locked by nobody
-- else; what is written meanwhile is left for the next time.
CREATE FUNCTION leadanalytics.sum_messages(now timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    at_once CONSTANT int := 50000;
    summed int;
    packed int;
BEGIN
    IF NOT EXISTS (SELECT FROM leadanalytics.message_fresh_tally) AND NOT EXISTS (SELECT FROM leadanalytics.message_fresh_point)
       OR NOT pg_try_advisory_xact_lock(hashtextextended('leadanalytics.sum_messages', 0)) THEN
        RETURN 0;
    END IF;
    WITH taken AS (
        DELETE FROM leadanalytics.message_fresh_tally f
        WHERE f.ctid = ANY (ARRAY(SELECT t.ctid FROM leadanalytics.message_fresh_tally t LIMIT at_once)) RETURNING f.*
    ), kept AS (
        INSERT INTO leadanalytics.message_tally AS t
        SELECT g.workspace, g.series, g.bucket, g.campaign, g.domain, g.mailbox, g.reason, sum(g.sent), sum(g.delivered), sum(g.hard), sum(g.soft),
               sum(g.opened), sum(g.clicked), sum(g.replied), sum(g.complained), sum(g.unsubscribed)
        FROM taken g
        GROUP BY g.workspace, g.series, g.bucket, g.campaign, g.domain, g.mailbox, g.reason
        ORDER BY g.workspace, g.series, g.bucket, g.campaign
        ON CONFLICT (workspace, series, bucket, campaign, domain, mailbox, reason) DO UPDATE
        SET sent = t.sent + excluded.sent, delivered = t.delivered + excluded.delivered, hard = t.hard + excluded.hard, soft = t.soft + excluded.soft,
            opened = t.opened + excluded.opened, clicked = t.clicked + excluded.clicked, replied = t.replied + excluded.replied,
            complained = t.complained + excluded.complained, unsubscribed = t.unsubscribed + excluded.unsubscribed
    )
    SELECT count(*) INTO summed FROM taken;
    packed := leadanalytics.pack_message_points(at_once);
    IF summed = at_once OR packed >= at_once THEN
        PERFORM leadanalytics.worker_poke();
    END IF;
    RETURN summed + packed;
END
$$;
COMMENT ON FUNCTION leadanalytics.sum_messages(timestamptz) IS
    'sum up counts of messages and pack points of their leads, 50 000 of each at once, and return how many it were: the worker''s unit; answers are the same before and after';
INSERT INTO leadanalytics.unit (name, function, lane, every, on_poke, builtin, summary) VALUES
    ('sum_messages', 'leadanalytics.sum_messages', 'fold', '1 minute', true, true, 'sum up the counts of messages');

CREATE FUNCTION leadanalytics.messages_summed_to(workspace int)
RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT min(f.since) FROM leadanalytics.message_fresh_tally f WHERE f.workspace = messages_summed_to.workspace), statement_timestamp())
$$;
COMMENT ON FUNCTION leadanalytics.messages_summed_to(int) IS 'until when all counts of messages are summed up; answers are current regardless';

-- Reading: whole buckets from the counts, ragged ends of days by the hour, what is left from the messages themselves.
-- Everybody is asked who calls by the function that asks here.
CREATE FUNCTION leadanalytics.message_tallies_of_rows(workspace int, series "char", starts timestamptz, ends timestamptz, campaign int DEFAULT NULL)
RETURNS SETOF leadanalytics.message_tally LANGUAGE plpgsql STABLE SET jit = off AS $$
DECLARE
    kind CONSTANT record := (SELECT k FROM leadanalytics.message_series() k WHERE k.series = message_tallies_of_rows.series);
    by_sending CONSTANT boolean := kind.by_sending;
BEGIN
    IF kind.of_events THEN
        RETURN QUERY
        SELECT message_tallies_of_rows.workspace, message_tallies_of_rows.series, date_bin(kind.length, e.at, '2000-01-01 00:00Z'), 0, 0, 0, 0,
               count(*) FILTER (WHERE e.kind = 's'), count(*) FILTER (WHERE e.kind = 'd'), count(*) FILTER (WHERE e.kind = 'b' AND e.is_hard),
               count(*) FILTER (WHERE e.kind = 'b' AND e.is_hard IS NOT TRUE), count(*) FILTER (WHERE e.kind = 'o'), count(*) FILTER (WHERE e.kind = 'c'),
               count(*) FILTER (WHERE e.kind = 'r'), count(*) FILTER (WHERE e.kind = 'p'), count(*) FILTER (WHERE e.kind = 'u')
        FROM leadanalytics.message_event e
        WHERE e.workspace = message_tallies_of_rows.workspace AND e.at >= starts AND e.at < ends
        GROUP BY 3;
        RETURN;
    END IF;
    RETURN QUERY
    WITH touched AS MATERIALIZED (
        SELECT DISTINCT e.message FROM leadanalytics.message_event e
        WHERE e.workspace = message_tallies_of_rows.workspace AND e.at >= starts AND e.at < ends
              AND (NOT by_sending OR e.kind = 's')
    )
    SELECT m.workspace, b.series, b.bucket, b.campaign, b.domain, b.mailbox, b.reason,
           sum(k.sent)::bigint, sum(k.delivered)::bigint, sum(k.hard)::bigint, sum(k.soft)::bigint, sum(k.opened)::bigint, sum(k.clicked)::bigint, sum(k.replied)::bigint,
           sum(k.complained)::bigint, sum(k.unsubscribed)::bigint
    FROM touched t
    CROSS JOIN LATERAL (SELECT m.* FROM leadanalytics.message m
                        WHERE m.workspace = message_tallies_of_rows.workspace AND m.id = t.message
                              AND (message_tallies_of_rows.campaign IS NULL OR m.campaign = message_tallies_of_rows.campaign) OFFSET 0) AS m,
         leadanalytics.message_facts(m.sent_at, m.delivered_at, m.bounced_at, m.is_hard, m.reason, m.opened_at, m.clicked_at, m.replied_at, m.complained_at, m.unsubscribed_at) f,
         leadanalytics.message_buckets(date_bin('1 hour', f.at, '2000-01-01 00:00Z'), date_bin('15 minutes', m.sent_at, '2000-01-01 00:00Z'), m.campaign, m.domain, m.mailbox, f.reason) b,
         leadanalytics.message_count(f.fact, 1) k
    WHERE b.series = message_tallies_of_rows.series
          AND CASE WHEN by_sending THEN m.sent_at >= starts AND m.sent_at < ends ELSE f.at >= starts AND f.at < ends END
    GROUP BY m.workspace, b.series, b.bucket, b.campaign, b.domain, b.mailbox, b.reason;
END
$$;
COMMENT ON FUNCTION leadanalytics.message_tallies_of_rows(int, "char", timestamptz, timestamptz, int) IS
    'leadanalytics.message_tallies() from the messages that have an event in that time: every fact''s time is an event''s';

CREATE FUNCTION leadanalytics.message_tallies(workspace int, series "char", starts timestamptz, ends timestamptz, campaign int DEFAULT NULL)
RETURNS SETOF leadanalytics.message_tally LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind CONSTANT record := (SELECT k FROM leadanalytics.message_series() k WHERE k.series = message_tallies.series);
    length CONSTANT interval := kind.length;
    origin CONSTANT timestamptz := '2000-01-01 00:00Z';
    probes CONSTANT int := 4000; -- of the longest time whose buckets are looked up one by one
    since CONSTANT timestamptz := greatest(starts, origin); -- nothing is older
    until CONSTANT timestamptz := least(ends, '9999-01-01 00:00Z');
    whole_from timestamptz;
    whole_to timestamptz;
    finer CONSTANT "char" := CASE series WHEN 'd' THEN 'h' ELSE series END;
    edge record;
BEGIN
    IF NOT kind.by_campaign THEN
        campaign := NULL;
    END IF;
    IF since >= until THEN
        RETURN;
    END IF;
    IF current_setting('leadanalytics.exact')::boolean THEN
        RETURN QUERY SELECT * FROM leadanalytics.exact_message_tallies(workspace, series, since, until, campaign);
        RETURN;
    END IF;
    whole_to := date_bin(length, until, origin);
    whole_from := least(date_bin(length, since + length - interval '1 microsecond', origin), greatest(whole_to, since));
    -- One campaign is looked up bucket by bucket: between two of its counts are those of all others.
    IF campaign IS NOT NULL AND whole_to - whole_from <= length * probes THEN
        RETURN QUERY
            SELECT t.* FROM generate_series(whole_from, whole_to - length, length) AS b (bucket)
            CROSS JOIN LATERAL (SELECT t.* FROM leadanalytics.message_tally t
                                WHERE t.workspace = message_tallies.workspace AND t.series = message_tallies.series AND t.bucket = b.bucket
                                      AND t.campaign = message_tallies.campaign OFFSET 0) AS t;
    ELSE
        RETURN QUERY
            SELECT t.* FROM leadanalytics.message_tally t
            WHERE t.workspace = message_tallies.workspace AND t.series = message_tallies.series AND t.bucket >= whole_from AND t.bucket < whole_to
                  AND (message_tallies.campaign IS NULL OR t.campaign = message_tallies.campaign);
    END IF;
    RETURN QUERY
        SELECT t.workspace, t.series, t.bucket, t.campaign, t.domain, t.mailbox, t.reason,
               t.sent, t.delivered, t.hard, t.soft, t.opened, t.clicked, t.replied, t.complained, t.unsubscribed
        FROM leadanalytics.message_fresh_tally t
        WHERE t.workspace = message_tallies.workspace AND t.series = message_tallies.series AND t.bucket >= whole_from AND t.bucket < whole_to
              AND (message_tallies.campaign IS NULL OR t.campaign = message_tallies.campaign);
    FOR edge IN SELECT * FROM (VALUES (since, least(whole_from, until)), (greatest(whole_to, whole_from), until)) AS e (starts, ends) WHERE e.starts < e.ends LOOP
        IF finer <> series THEN
            RETURN QUERY SELECT h.workspace, message_tallies.series, date_bin(length, h.bucket, origin), h.campaign, h.domain, h.mailbox, h.reason,
                                h.sent, h.delivered, h.hard, h.soft, h.opened, h.clicked, h.replied, h.complained, h.unsubscribed
                         FROM leadanalytics.message_tallies(workspace, finer, edge.starts, edge.ends, campaign) h;
        ELSE
            RETURN QUERY SELECT * FROM leadanalytics.message_tallies_of_rows(workspace, series, edge.starts, edge.ends, campaign);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadanalytics.message_tallies(int, "char", timestamptz, timestamptz, int) IS
    'counts of messages in [starts, ends), of one campaign or all: rows to be added up, several of one bucket perhaps; a series that tells no campaigns apart is of all, whatever campaign says';

CREATE FUNCTION leadanalytics.message_tallies_of(workspace int, series "char", starts timestamptz, ends timestamptz, campaigns int[])
RETURNS SETOF leadanalytics.message_tally LANGUAGE plpgsql STABLE AS $$
DECLARE
    only_one CONSTANT int := CASE cardinality(campaigns) WHEN 1 THEN campaigns[1] END;
BEGIN
    RETURN QUERY
    SELECT t.* FROM leadanalytics.message_tallies(workspace, series, starts, ends, only_one) t
    WHERE campaigns IS NULL OR t.campaign = ANY (campaigns);
END
$$;
COMMENT ON FUNCTION leadanalytics.message_tallies_of(int, "char", timestamptz, timestamptz, int[]) IS 'leadanalytics.message_tallies() of some campaigns (null: all)';

CREATE FUNCTION leadanalytics.message_event_counts(workspace int, starts timestamptz, ends timestamptz)
RETURNS TABLE (kind "char", n bigint) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT k.kind, k.n::bigint
    FROM (SELECT sum(t.sent) AS s, sum(t.delivered) AS d, sum(t.hard + t.soft) AS b, sum(t.opened) AS o, sum(t.clicked) AS c, sum(t.replied) AS r, sum(t.complained) AS p,
                 sum(t.unsubscribed) AS u
          FROM leadanalytics.message_tallies(workspace, 'e', starts, ends) t) AS a,
         LATERAL (VALUES ('s'::"char", a.s), ('d', a.d), ('b', a.b), ('o', a.o), ('c', a.c), ('r', a.r), ('p', a.p), ('u', a.u)) AS k (kind, n)
    WHERE k.n > 0;
END
$$;
COMMENT ON FUNCTION leadanalytics.message_event_counts(int, timestamptz, timestamptz) IS
    'how many rows leadanalytics.message_event has of each kind from starts until before ends (kinds that it has): for functions that asked who calls';

-- For rules that changed (which opens are machines'), and events that came past the trigger.
CREATE FUNCTION leadanalytics.recount_messages(workspace int)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET work_mem = '256MB' AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(recount_messages.workspace);
    kept_since CONSTANT timestamptz := leadanalytics.rows_since(allowed, 'message_event');
    of_events CONSTANT "char"[] := ARRAY(SELECT s.series FROM leadanalytics.message_series() s WHERE s.of_events);
    at_once CONSTANT int := 10000;
    last bigint := 0;
    ids bigint[];
    settled bigint := 0;
BEGIN
    LOCK TABLE leadanalytics.message_event IN SHARE ROW EXCLUSIVE MODE;
    LOOP
        ids := ARRAY(SELECT m.id FROM leadanalytics.message m WHERE m.workspace = allowed AND m.id > last ORDER BY m.id LIMIT at_once);
        EXIT WHEN cardinality(ids) = 0;
        PERFORM leadanalytics.settle_messages(allowed, ids, '-infinity', false);
        settled := settled + cardinality(ids);
        last := ids[cardinality(ids)];
    END LOOP;
    PERFORM pg_advisory_xact_lock(hashtextextended('leadanalytics.sum_messages', 0));
    DELETE FROM leadanalytics.message_fresh_point p WHERE p.workspace = allowed;
    DELETE FROM leadanalytics.trail t WHERE t.workspace = allowed AND t.kind = 'm';
    INSERT INTO leadanalytics.message_fresh_point (workspace, fact, sign, n, leads, times)
    SELECT allowed, f.fact, 1, count(*), array_agg(f.lead), array_agg(f.at)
    FROM ( -- sorted: arrays of all hours at once may not fit into memory
        SELECT m.lead_number AS lead, f.fact, f.at, date_bin('1 hour', f.at, '2000-01-01 00:00Z') AS hour
        FROM leadanalytics.message m
        CROSS JOIN LATERAL (VALUES ('s'::"char", m.sent_at), ('d', m.delivered_at), ('b', m.bounced_at), ('o', m.opened_at), ('c', m.clicked_at), ('r', m.replied_at), ('p', m.complained_at),
                                   ('u', m.unsubscribed_at)) AS f (fact, at)
        WHERE m.workspace = allowed AND m.lead_number IS NOT NULL AND f.at IS NOT NULL
        ORDER BY f.fact, hour OFFSET 0) AS f
    GROUP BY f.fact, f.hour;
    WHILE leadanalytics.pack_message_points(1000000) > 0 LOOP
    END LOOP;
    -- Where events went, how many there were stays as it was counted.
    DELETE FROM leadanalytics.message_fresh_tally t WHERE t.workspace = allowed AND (t.bucket >= kept_since OR NOT t.series = ANY (of_events));
    DELETE FROM leadanalytics.message_tally t WHERE t.workspace = allowed AND (t.bucket >= kept_since OR NOT t.series = ANY (of_events));
    INSERT INTO leadanalytics.message_tally
    SELECT allowed, b.series, b.bucket, b.campaign, b.domain, b.mailbox, b.reason,
           sum(k.sent), sum(k.delivered), sum(k.hard), sum(k.soft), sum(k.opened), sum(k.clicked), sum(k.replied), sum(k.complained), sum(k.unsubscribed)
    FROM (
        SELECT f.fact, date_bin('1 hour', f.at, '2000-01-01 00:00Z') AS hour, date_bin('15 minutes', m.sent_at, '2000-01-01 00:00Z') AS slot, m.campaign, m.domain, m.mailbox,
               f.reason, count(*) AS n
        FROM leadanalytics.message m,
             leadanalytics.message_facts(m.sent_at, m.delivered_at, m.bounced_at, m.is_hard, m.reason, m.opened_at, m.clicked_at, m.replied_at, m.complained_at, m.unsubscribed_at) f
        WHERE m.workspace = allowed
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    ) AS c, leadanalytics.message_buckets(c.hour, c.slot, c.campaign, c.domain, c.mailbox, c.reason) b, leadanalytics.message_count(c.fact, c.n) k
    GROUP BY b.series, b.bucket, b.campaign, b.domain, b.mailbox, b.reason;
    INSERT INTO leadanalytics.message_tally
    SELECT t.* FROM leadanalytics.message_series() s, leadanalytics.message_tallies_of_rows(allowed, s.series, kept_since, 'infinity') t WHERE s.of_events;
    RETURN settled;
END
$$;
COMMENT ON FUNCTION leadanalytics.recount_messages(int) IS
    'settle all messages of a workspace and count them anew, while nobody adds events: after leadanalytics.machine_time or machine_links changed, or events came past the trigger; how many messages';
GRANT EXECUTE ON FUNCTION leadanalytics.recount_messages(int) TO leadanalytics_admin;
