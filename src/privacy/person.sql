-- Who a person is: everything that this product takes for one, followed until nothing more turns up.
--
-- On the web as reports have it (person.sql of room report): user ids with their other names, and the visitors that were
-- last identified as one of them. A browser that somebody else used later is his from then on; what names the earlier one
-- in it is taken out of it (erase.sql), the rest stays. Leads as posts are matched (D-78): by visitor and by e-mail
-- address; by number only those that say nothing else. A lead's id in another system is a user id, and a user id a lead's
-- (D-73). Digits may be anybody's: a user "42" is lead 42 only when there is no visitor behind the user.
--
-- Indexes of addresses are sorted as the database does it, a subject's words are not: hence "default".

CREATE FUNCTION leadanalytics.messages_to(workspace int, emails text[])
RETURNS TABLE (id bigint, lead text) LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
    RETURN QUERY
    SELECT m.id, m.lead FROM unnest(emails) AS i (email)
    CROSS JOIN LATERAL (SELECT g.id, g.lead FROM leadanalytics.message g
                        WHERE g.workspace = messages_to.workspace AND g.recipient IS NOT NULL AND lower(btrim(g.recipient)) = i.email COLLATE "default" OFFSET 0) AS m;
END
$$;
COMMENT ON FUNCTION leadanalytics.messages_to(int, text[]) IS 'messages to any of some e-mail addresses (in lower case), and the lead each names';

-- A follow-up may have said another address than its lead.
CREATE FUNCTION leadanalytics.leads_posted_by(workspace int, emails text[])
RETURNS SETOF bigint LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
    RETURN QUERY
    SELECT DISTINCT s.lead FROM unnest(emails) AS i (email)
    CROSS JOIN LATERAL (SELECT t.lead FROM leadanalytics.lead_submission t
                        WHERE t.workspace = leads_posted_by.workspace AND t.email IS NOT NULL AND lower(btrim(t.email)) = i.email COLLATE "default" OFFSET 0) AS s;
END
$$;
COMMENT ON FUNCTION leadanalytics.leads_posted_by(int, text[]) IS 'leads of posts with any of some e-mail addresses (in lower case)';

CREATE FUNCTION leadanalytics.numbers_named(workspace int, visitor_ids text[], user_ids text[], emails text[])
RETURNS SETOF int LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
    RETURN QUERY
    SELECT v.number FROM unnest(visitor_ids) AS i (id)
    CROSS JOIN LATERAL (SELECT w.number FROM leadanalytics.visitor w WHERE w.workspace = numbers_named.workspace AND w.visitor_id = i.id OFFSET 0) AS v
    UNION
    SELECT p.number FROM unnest(user_ids) AS i (id)
    CROSS JOIN LATERAL (SELECT q.number FROM leadanalytics.person q WHERE q.workspace = numbers_named.workspace AND q.user_id = i.id OFFSET 0) AS p
    UNION
    SELECT p.number FROM unnest(emails) AS i (email)
    CROSS JOIN LATERAL (SELECT q.number FROM leadanalytics.person q
                        WHERE q.workspace = numbers_named.workspace AND q.email IS NOT NULL
                          AND leadanalytics.grams(q.workspace, lower(q.email)) @> leadanalytics.needle_grams(numbers_named.workspace, i.email)
                          AND lower(btrim(q.email)) = i.email OFFSET 0) AS p
    UNION -- who is known by another address is somebody else, who uses the browser now
    SELECT v.number FROM unnest(emails) AS i (email)
    CROSS JOIN LATERAL (SELECT w.number, w.person FROM leadanalytics.visitor w
                        WHERE w.workspace = numbers_named.workspace AND w.email IS NOT NULL
                          AND leadanalytics.grams(w.workspace, lower(w.email)) @> leadanalytics.needle_grams(numbers_named.workspace, i.email)
                          AND lower(btrim(w.email)) = i.email OFFSET 0) AS v
    WHERE NOT EXISTS (SELECT FROM leadanalytics.person q WHERE q.workspace = numbers_named.workspace AND q.number = v.person
                      AND lower(btrim(q.email)) <> ALL (emails));
END
$$;
COMMENT ON FUNCTION leadanalytics.numbers_named(int, text[], text[], text[]) IS 'numbers of the visitors and persons with any of these ids or e-mail addresses (in lower case)';

CREATE FUNCTION leadanalytics.leads_named(workspace int, who leadanalytics.subject)
RETURNS SETOF bigint LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
BEGIN
    RETURN QUERY
    SELECT l.id FROM unnest(who.visitor_ids) AS i (id)
    CROSS JOIN LATERAL (SELECT m.id FROM leadanalytics.lead m WHERE m.workspace = leads_named.workspace AND m.visitor_id = i.id OFFSET 0) AS l
    UNION
    SELECT s.lead FROM unnest(who.visitor_ids) AS i (id)
    CROSS JOIN LATERAL (SELECT t.lead FROM leadanalytics.lead_submission t WHERE t.workspace = leads_named.workspace AND t.visitor_id = i.id OFFSET 0) AS s
    UNION
    SELECT l.id FROM unnest(who.emails) AS i (email)
    CROSS JOIN LATERAL (SELECT m.id FROM leadanalytics.lead m WHERE m.workspace = leads_named.workspace AND lower(m.email) = i.email COLLATE "default" OFFSET 0) AS l
    UNION
    SELECT l.id FROM unnest(who.phones) AS i (key)
    CROSS JOIN LATERAL (SELECT m.id, m.email, m.visitor_id FROM leadanalytics.lead m WHERE m.workspace = leads_named.workspace AND m.phone_key = i.key OFFSET 0) AS l
    WHERE l.email IS NULL AND l.visitor_id IS NULL
    UNION
    SELECT k.id FROM unnest(leadanalytics.known_leads(leads_named.workspace, ARRAY(
        SELECT n.name FROM unnest(who.user_ids || who.visitor_ids || who.lead_names) AS n (name)
        WHERE n.name !~ '^[0-9]+$' OR n.name = ANY (who.lead_names)
           OR EXISTS (SELECT FROM leadanalytics.person p WHERE p.workspace = leads_named.workspace AND p.user_id = n.name
                      AND NOT EXISTS (SELECT FROM leadanalytics.visitor v WHERE v.workspace = p.workspace AND v.person = p.number))))) AS k (id)
    WHERE k.id IS NOT NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.leads_named(int, leadanalytics.subject) IS 'leads, or ids kept for them, that any id, address or number of a person leads to';

CREATE FUNCTION leadanalytics.follow_person(workspace int, who leadanalytics.subject)
RETURNS leadanalytics.subject LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off AS $$
DECLARE
    numbers int[] := ARRAY(SELECT leadanalytics.numbers_named(workspace, who.visitor_ids, who.user_ids, who.emails));
BEGIN
    numbers := ARRAY(SELECT unnest(numbers) UNION SELECT p.number FROM leadanalytics.person_numbers(follow_person.workspace, numbers) p);
    SELECT coalesce(array_agg(v.number ORDER BY v.number), '{}'),
           ARRAY(SELECT unnest(who.visitor_ids) UNION SELECT unnest(array_agg(v.visitor_id)) ORDER BY 1),
           ARRAY(SELECT unnest(who.emails) UNION SELECT lower(btrim(e.email)) FROM unnest(array_agg(v.email)) AS e (email) WHERE btrim(e.email) <> '' ORDER BY 1)
    INTO who.visitors, who.visitor_ids, who.emails
    FROM unnest(numbers) AS n (number)
    CROSS JOIN LATERAL (SELECT w.number, w.visitor_id,
                               CASE WHEN NOT EXISTS (SELECT FROM leadanalytics.person q WHERE q.workspace = w.workspace AND q.number = w.person AND q.email IS NOT NULL) THEN w.email END AS email
                        FROM leadanalytics.visitor w WHERE w.workspace = follow_person.workspace AND w.number = n.number OFFSET 0) AS v;
    SELECT coalesce(array_agg(p.number ORDER BY p.number), '{}'),
           ARRAY(SELECT unnest(who.user_ids) UNION SELECT unnest(array_agg(p.user_id)) ORDER BY 1),
           ARRAY(SELECT unnest(who.emails) UNION SELECT lower(btrim(e.email)) FROM unnest(array_agg(p.email)) AS e (email) WHERE btrim(e.email) <> '' ORDER BY 1)
    INTO who.persons, who.user_ids, who.emails
    FROM unnest(numbers) AS n (number)
    CROSS JOIN LATERAL (SELECT q.number, q.user_id, q.email FROM leadanalytics.person q WHERE q.workspace = follow_person.workspace AND q.number = n.number OFFSET 0) AS p;

    who.leads := ARRAY(SELECT unnest(who.leads) UNION SELECT leadanalytics.leads_named(follow_person.workspace, who) ORDER BY 1);
    WITH said AS MATERIALIZED (
        SELECT l.visitor_id, l.email, l.phone, l.phone_key FROM unnest(who.leads) AS i (id)
        CROSS JOIN LATERAL (SELECT m.* FROM leadanalytics.lead m WHERE m.workspace = follow_person.workspace AND m.id = i.id OFFSET 0) AS l
        UNION ALL
        SELECT s.visitor_id, s.email, s.phone, NULL FROM unnest(who.leads) AS i (id)
        CROSS JOIN LATERAL (SELECT t.* FROM leadanalytics.lead_submission t WHERE t.workspace = follow_person.workspace AND t.lead = i.id OFFSET 0) AS s
    ), called AS MATERIALIZED (
        SELECT coalesce(l.external_id, l.id::text) AS name FROM unnest(who.leads) AS i (id)
        CROSS JOIN LATERAL (SELECT m.id, m.external_id FROM leadanalytics.lead m WHERE m.workspace = follow_person.workspace AND m.id = i.id OFFSET 0) AS l
        UNION
        SELECT n.lead_id FROM leadanalytics.named_lead n WHERE n.workspace = follow_person.workspace AND n.id = ANY (who.leads)
    )
    SELECT ARRAY(SELECT unnest(who.visitor_ids) UNION SELECT s.visitor_id FROM said s WHERE s.visitor_id IS NOT NULL ORDER BY 1),
           ARRAY(SELECT unnest(who.emails) UNION SELECT lower(btrim(s.email)) FROM said s WHERE btrim(s.email) <> '' ORDER BY 1),
           ARRAY(SELECT unnest(who.phones) UNION SELECT p.text FROM said s, unnest(ARRAY[s.phone, s.phone_key]) AS p (text) WHERE p.text <> '' ORDER BY 1),
           ARRAY(SELECT unnest(who.lead_names) UNION SELECT c.name FROM called c ORDER BY 1),
           ARRAY(SELECT unnest(who.user_ids) UNION
                 SELECT c.name FROM called c
                 WHERE c.name !~ '^[0-9]+$'
                    OR EXISTS (SELECT FROM leadanalytics.person p WHERE p.workspace = follow_person.workspace AND p.user_id = c.name
                               AND NOT EXISTS (SELECT FROM leadanalytics.visitor v WHERE v.workspace = p.workspace AND v.person = p.number))
                 ORDER BY 1)
    INTO who.visitor_ids, who.emails, who.phones, who.lead_names, who.user_ids;
    RETURN who;
END
$$;
COMMENT ON FUNCTION leadanalytics.follow_person(int, leadanalytics.subject) IS 'one round of leadanalytics.person_named(): what the ids, addresses and leads found so far lead to';

CREATE FUNCTION leadanalytics.person_named(workspace int, visitor_id text, user_id text, email text)
RETURNS leadanalytics.subject LANGUAGE plpgsql STABLE SET jit = off AS $$
DECLARE
    most CONSTANT int := 10000; -- that one person has so many of anything, nobody believes
    who leadanalytics.subject;
    asked text[]; -- addresses whose messages are known
    size bigint := -1;
    now_size bigint;
BEGIN
    who.workspace := person_named.workspace;
    who.visitor_ids := array_remove(ARRAY[nullif(btrim(person_named.visitor_id), '')], NULL);
    who.user_ids := array_remove(ARRAY[nullif(btrim(person_named.user_id), '')], NULL);
    who.emails := array_remove(ARRAY[nullif(lower(btrim(person_named.email)), '')], NULL);
    who.phones := '{}';
    who.leads := '{}';
    who.lead_names := '{}';
    LOOP
        IF asked IS DISTINCT FROM who.emails AND cardinality(who.emails) > 0 THEN
            asked := who.emails;
            who.lead_names := ARRAY(SELECT unnest(who.lead_names) UNION SELECT m.lead FROM leadanalytics.messages_to(person_named.workspace, asked) m WHERE m.lead IS NOT NULL ORDER BY 1);
            who.leads := ARRAY(SELECT unnest(who.leads) UNION SELECT leadanalytics.leads_posted_by(person_named.workspace, asked) ORDER BY 1);
        END IF;
        who := leadanalytics.follow_person(person_named.workspace, who);
        now_size := cardinality(who.visitor_ids) + cardinality(who.user_ids) + cardinality(who.emails) + cardinality(who.leads) + cardinality(who.phones)
                    + cardinality(who.lead_names) + cardinality(who.visitors) + cardinality(who.persons);
        IF now_size > most THEN
            PERFORM leadanalytics.fail(422, 'Too many visitors, users and leads belong together');
        END IF;
        EXIT WHEN now_size = size AND asked IS NOT DISTINCT FROM who.emails;
        EXIT WHEN now_size = size AND cardinality(who.emails) = 0;
        size := now_size;
    END LOOP;

    SELECT coalesce(array_agg(s.number ORDER BY s.number), '{}'), coalesce(array_agg(s.session_id ORDER BY s.session_id) FILTER (WHERE s.session_id IS NOT NULL), '{}')
    INTO who.sessions, who.session_ids
    FROM (SELECT t.number, t.session_id FROM leadanalytics.session t WHERE t.workspace = person_named.workspace AND t.visitor = ANY (who.visitors)
          UNION -- sessions of nobody that nobody else is in
          SELECT t.number, t.session_id FROM leadanalytics.guest g
          JOIN leadanalytics.session t ON t.workspace = g.workspace AND t.number = g.session AND t.visitor IS NULL
          WHERE g.workspace = person_named.workspace AND g.number = ANY (who.persons || who.visitors)
            AND NOT EXISTS (SELECT FROM leadanalytics.guest o WHERE o.workspace = g.workspace AND o.session = g.session AND o.number <> ALL (who.persons || who.visitors))) AS s;
    who.messages := ARRAY(
        SELECT m.id FROM unnest(who.lead_names) AS n (name)
        CROSS JOIN LATERAL (SELECT g.id FROM leadanalytics.message g WHERE g.workspace = person_named.workspace AND g.lead = n.name OFFSET 0) AS m
        UNION SELECT t.id FROM leadanalytics.messages_to(person_named.workspace, who.emails) t ORDER BY 1);
    who.contacts := ARRAY(SELECT c.id FROM leadanalytics.contact c WHERE c.workspace = person_named.workspace AND c.email = ANY (who.emails) ORDER BY 1);
    who.rejected := ARRAY(
        SELECT r.id FROM leadanalytics.rejected_lead r
        WHERE r.workspace = person_named.workspace
          AND (lower(btrim(r.email)) = ANY (who.emails) OR r.payload ->> '__visitor_id' = ANY (who.visitor_ids)
               OR (r.email IS NULL AND r.phone = ANY (who.phones)))
        ORDER BY 1);
    who.ips := ARRAY(
        SELECT s.ip FROM leadanalytics.session s WHERE s.workspace = person_named.workspace AND s.number = ANY (who.sessions) AND s.ip IS NOT NULL
        UNION SELECT l.contact_ip FROM leadanalytics.lead l WHERE l.workspace = person_named.workspace AND l.id = ANY (who.leads) AND l.contact_ip IS NOT NULL
        UNION SELECT l.contact_ip FROM leadanalytics.lead_submission l WHERE l.workspace = person_named.workspace AND l.lead = ANY (who.leads) AND l.contact_ip IS NOT NULL
        UNION SELECT r.ip FROM leadanalytics.rejected_lead r WHERE r.workspace = person_named.workspace AND r.id = ANY (who.rejected) AND r.ip IS NOT NULL
        ORDER BY 1);
    RETURN who;
END
$$;
COMMENT ON FUNCTION leadanalytics.person_named(int, text, text, text) IS 'leadanalytics.find_person() for who asked who calls';

CREATE FUNCTION leadanalytics.find_person(workspace int, visitor_id text DEFAULT NULL, user_id text DEFAULT NULL, email text DEFAULT NULL)
RETURNS leadanalytics.subject LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN leadanalytics.person_named(leadanalytics.require_contacts(workspace, NULL), visitor_id, user_id, email);
END
$$;
COMMENT ON FUNCTION leadanalytics.find_person(int, text, text, text) IS
    'everything that is taken for the person of a visitor id, a user id or an e-mail address (or of all that are given): look here before leadanalytics.erase(). '
    'LA422 when it is more than 10 000 ids, addresses and leads: a browser in a shop, not a person';
GRANT EXECUTE ON FUNCTION leadanalytics.find_person(int, text, text, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.is_nobody(who leadanalytics.subject)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT cardinality(who.visitors) + cardinality(who.persons) + cardinality(who.leads) + cardinality(who.messages) + cardinality(who.contacts) + cardinality(who.rejected) = 0
$$;
COMMENT ON FUNCTION leadanalytics.is_nobody(leadanalytics.subject) IS 'whether there is no row of them';
