-- Erasing. Mode delete takes the rows, and what they count for out of every report; mode anonymise leaves what reports
-- count and takes what says who it was. Both take what was told or will be told of the person, and files of exports.
-- Locks are taken as writers take them: persons, visitors, leads, messages; those of sessions and of the fold by
-- erase_web(), which takes persons and visitors again.

CREATE FUNCTION leadanalytics.lock_person(who leadanalytics.subject)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('leadanalytics.erase', who.workspace));
    PERFORM pg_advisory_xact_lock(hashtextextended('leadanalytics.person', who.workspace));
    PERFORM FROM leadanalytics.visitor v WHERE v.workspace = who.workspace AND (v.visitor_id = ANY (who.visitor_ids) OR v.person = ANY (who.persons)) ORDER BY v.visitor_id FOR UPDATE;
    PERFORM FROM leadanalytics.lead l WHERE l.workspace = who.workspace AND l.id = ANY (who.leads) ORDER BY l.id FOR UPDATE;
    PERFORM FROM leadanalytics.message m WHERE m.workspace = who.workspace AND m.id = ANY (who.messages) ORDER BY m.key, m.id FOR UPDATE;
END
$$;
COMMENT ON FUNCTION leadanalytics.lock_person(leadanalytics.subject) IS 'wait for who writes of a person now, and let nobody until this transaction ends';

-- Entries of the dictionary are nobody's: many events may share one, so they stay and lose the words. A fingerprint or a
-- device tells who it is where nobody else has it.
CREATE FUNCTION leadanalytics.redact_dictionary(who leadanalytics.subject, needles text[], word text)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    marks CONSTANT text[] := leadanalytics.marks(NULL, needles);
    devices int[];
    own int[];
    n bigint;
    m bigint;
BEGIN
    devices := ARRAY(SELECT DISTINCT s.device FROM leadanalytics.session s WHERE s.workspace = who.workspace AND s.number = ANY (who.sessions) AND s.device IS NOT NULL);
    own := ARRAY(
        SELECT t.id
        FROM (SELECT DISTINCT s.fingerprint AS id FROM leadanalytics.session s WHERE s.workspace = who.workspace AND s.number = ANY (who.sessions) AND s.fingerprint IS NOT NULL) AS t
        LEFT JOIN LATERAL (SELECT o.number FROM leadanalytics.session o
                           WHERE o.workspace = who.workspace AND o.fingerprint = t.id AND o.number <> ALL (who.sessions) LIMIT 1) AS o ON true
        WHERE o.number IS NULL
        UNION ALL
        SELECT unnest(devices)
        EXCEPT ALL
        SELECT DISTINCT o.device FROM leadanalytics.session o WHERE o.workspace = who.workspace AND o.device = ANY (devices) AND o.number <> ALL (who.sessions));
    UPDATE leadanalytics.term t
    SET parts = c.parts, digest = gen_random_uuid()
    FROM (SELECT o.id, ARRAY(SELECT CASE WHEN o.id = ANY (own) AND p.place <= 2 AND p.part IS NOT NULL THEN word || '_' || o.id ELSE leadanalytics.without_person(p.part, needles, word) END
                             FROM unnest(o.parts) WITH ORDINALITY AS p (part, place) ORDER BY p.place) AS parts
          FROM leadanalytics.term o
          WHERE o.workspace = who.workspace
            AND (o.id = ANY (own) OR o.kind NOT IN ('place', 'network', 'agent') AND lower(array_to_string(o.parts, E'\n') COLLATE "C") LIKE ANY (marks)
                 AND leadanalytics.names_person(array_to_string(o.parts, E'\n'), needles))) AS c
    WHERE t.workspace = who.workspace AND t.id = c.id;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n > 0 THEN
        PERFORM leadanalytics.forget_terms();
    END IF;
    UPDATE leadanalytics.message_text t
    SET text = leadanalytics.without_person(t.text, needles, word), digest = gen_random_uuid()
    WHERE t.workspace = who.workspace AND lower(t.text COLLATE "C") LIKE ANY (marks) AND leadanalytics.names_person(t.text, needles);
    GET DIAGNOSTICS m = ROW_COUNT;
    RETURN n + m;
END
$$;
COMMENT ON FUNCTION leadanalytics.redact_dictionary(leadanalytics.subject, text[], text) IS
    'take a person''s words out of texts that events and messages share, and the fingerprints and devices that are nobody else''s: how many texts. What comes with the old text makes an entry of its own';

-- What is told to others, and kept for them. Whoever writes a file now is waited for: it may be in it.
CREATE FUNCTION leadanalytics.erase_copies(who leadanalytics.subject, needles text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    marks CONSTANT text[] := leadanalytics.marks(who, needles);
BEGIN
    DELETE FROM leadanalytics.outbox o WHERE o.workspace = who.workspace AND leadanalytics.tells_of_person(o.body::text, who, needles, marks);
    DELETE FROM leadanalytics.delivery d WHERE d.workspace = who.workspace AND leadanalytics.delivery_tells(d, who, needles, marks);
    DELETE FROM leadanalytics.idempotency i
    WHERE (i.workspace = who.workspace OR i.workspace IS NULL) AND i.answer IS NOT NULL AND leadanalytics.answer_tells(i, who, needles, marks);
    PERFORM FROM leadanalytics.export e WHERE e.workspace = who.workspace ORDER BY e.key FOR UPDATE;
    DELETE FROM leadanalytics.export e WHERE e.workspace = who.workspace AND leadanalytics.tells_of_person(e.options::text, who, needles, marks);
    UPDATE leadanalytics.export e SET status = 'expired' WHERE e.workspace = who.workspace AND e.status = 'completed';
    DELETE FROM leadanalytics.export_chunk c WHERE c.workspace = who.workspace;
END
$$;
COMMENT ON FUNCTION leadanalytics.erase_copies(leadanalytics.subject, text[]) IS
    'delete what the outbox, deliveries and stored answers tell of a person, and the files of all exports of the workspace';

CREATE FUNCTION leadanalytics.forget_addresses(who leadanalytics.subject)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE leadanalytics.visitor v SET email = NULL
    FROM unnest(who.emails) AS a (email)
    WHERE v.workspace = who.workspace AND v.email IS NOT NULL AND lower(btrim(v.email)) = a.email
      AND leadanalytics.grams(v.workspace, lower(v.email)) @> leadanalytics.needle_grams(who.workspace, a.email);
END
$$;
COMMENT ON FUNCTION leadanalytics.forget_addresses(leadanalytics.subject) IS 'take a person''s e-mail addresses out of browsers that somebody else uses';

-- Of messages everything is counted apart: their facts, their events, and their leads' points.
CREATE FUNCTION leadanalytics.delete_messages(workspace int, messages bigint[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    WITH gone AS (
        DELETE FROM leadanalytics.message_event e WHERE e.workspace = delete_messages.workspace AND e.message = ANY (messages) RETURNING e.at, e.kind, e.is_hard
    )
    INSERT INTO leadanalytics.message_fresh_tally (workspace, series, bucket, campaign, domain, mailbox, reason, sent, delivered, hard, soft, opened, clicked, replied, complained, unsubscribed)
    SELECT delete_messages.workspace, 'e', date_bin('1 hour', g.at, '2000-01-01 00:00Z'), 0, 0, 0, 0,
           -count(*) FILTER (WHERE g.kind = 's'), -count(*) FILTER (WHERE g.kind = 'd'), -count(*) FILTER (WHERE g.kind = 'b' AND g.is_hard),
           -count(*) FILTER (WHERE g.kind = 'b' AND g.is_hard IS NOT TRUE), -count(*) FILTER (WHERE g.kind = 'o'), -count(*) FILTER (WHERE g.kind = 'c'),
           -count(*) FILTER (WHERE g.kind = 'r'), -count(*) FILTER (WHERE g.kind = 'p'), -count(*) FILTER (WHERE g.kind = 'u')
    FROM gone g GROUP BY 3;
    INSERT INTO leadanalytics.message_fresh_tally (workspace, series, bucket, campaign, domain, mailbox, reason, sent, delivered, hard, soft, opened, clicked, replied, complained, unsubscribed)
    SELECT delete_messages.workspace, b.series, b.bucket, b.campaign, b.domain, b.mailbox, b.reason,
           -sum(k.sent), -sum(k.delivered), -sum(k.hard), -sum(k.soft), -sum(k.opened), -sum(k.clicked), -sum(k.replied), -sum(k.complained), -sum(k.unsubscribed)
    FROM leadanalytics.message m
    CROSS JOIN LATERAL leadanalytics.message_facts(m.sent_at, m.delivered_at, m.bounced_at, m.is_hard, m.reason, m.opened_at, m.clicked_at, m.replied_at, m.complained_at, m.unsubscribed_at) f
    CROSS JOIN LATERAL leadanalytics.message_buckets(date_bin('1 hour', f.at, '2000-01-01 00:00Z'), date_bin('15 minutes', m.sent_at, '2000-01-01 00:00Z'), m.campaign, m.domain, m.mailbox, f.reason) b
    CROSS JOIN LATERAL leadanalytics.message_count(f.fact, 1) k
    WHERE m.workspace = delete_messages.workspace AND m.id = ANY (messages)
    GROUP BY b.series, b.bucket, b.campaign, b.domain, b.mailbox, b.reason;
    INSERT INTO leadanalytics.message_fresh_point (workspace, fact, sign, n, leads, times)
    SELECT delete_messages.workspace, f.fact, -1, count(*), array_agg(m.lead_number), array_agg(f.at)
    FROM leadanalytics.message m
    CROSS JOIN LATERAL (VALUES ('s'::"char", m.sent_at), ('d', m.delivered_at), ('b', m.bounced_at), ('o', m.opened_at), ('c', m.clicked_at), ('r', m.replied_at), ('p', m.complained_at),
                               ('u', m.unsubscribed_at)) AS f (fact, at)
    WHERE m.workspace = delete_messages.workspace AND m.id = ANY (messages) AND m.lead_number IS NOT NULL AND f.at IS NOT NULL
    GROUP BY f.fact;
    DELETE FROM leadanalytics.message m WHERE m.workspace = delete_messages.workspace AND m.id = ANY (messages);
    GET DIAGNOSTICS n = ROW_COUNT;
    PERFORM leadanalytics.worker_poke();
    RETURN n;
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_messages(int, bigint[]) IS 'delete messages with their events, and take them out of what is counted: how many; the caller holds their rows';

CREATE FUNCTION leadanalytics.delete_person(who leadanalytics.subject, now timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM leadanalytics.erase_web(who.workspace, who.visitors, who.persons, delete_person.now);
    DELETE FROM leadanalytics.lead l WHERE l.workspace = who.workspace AND l.id = ANY (who.leads); -- submissions, changes and assignments go with it
    DELETE FROM leadanalytics.rejected_lead r WHERE r.workspace = who.workspace AND r.id = ANY (who.rejected);
    PERFORM leadanalytics.delete_messages(who.workspace, who.messages);
    DELETE FROM leadanalytics.named_lead n WHERE n.workspace = who.workspace AND n.id = ANY (who.leads);
    DELETE FROM leadanalytics.contact c WHERE c.workspace = who.workspace AND c.id = ANY (who.contacts); -- its events go with it
END
$$;
COMMENT ON FUNCTION leadanalytics.delete_person(leadanalytics.subject, timestamptz) IS 'leadanalytics.erase() in mode delete, of who was found and locked';
