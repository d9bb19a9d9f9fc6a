-- Who visitors are.

CREATE FUNCTION leadanalytics.alias_person(workspace int, person int, previous_id text, at timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    space CONSTANT int := alias_person.workspace;
    target int;
    source int;
    known int;
    crowd CONSTANT int := 100;
BEGIN
    LOOP
        -- Locked in one order, then read again: two aliases at once see each other, and no circle comes of it.
        PERFORM FROM leadanalytics.person p
        WHERE p.workspace = space AND p.number IN (alias_person.person,
            (SELECT q.number FROM leadanalytics.person q WHERE q.workspace = space AND q.user_id = alias_person.previous_id))
        ORDER BY p.number FOR UPDATE;
        SELECT coalesce(p.alias_of, p.number) INTO STRICT target FROM leadanalytics.person p
        WHERE p.workspace = space AND p.number = alias_person.person;
        SELECT coalesce(p.alias_of, p.number) INTO source FROM leadanalytics.person p
        WHERE p.workspace = space AND p.user_id = alias_person.previous_id;
        IF FOUND THEN
            IF source <> target THEN
                PERFORM FROM leadanalytics.person p WHERE p.workspace = space AND p.number IN (source, target) ORDER BY p.number FOR UPDATE;
                CONTINUE WHEN EXISTS (SELECT FROM leadanalytics.person p
                                      WHERE p.workspace = space AND p.number IN (source, target) AND p.alias_of IS NOT NULL);
                -- A crowd is not moved for one more name: who makes a chain of names would make it move each time.
                IF (SELECT count(*) FROM (SELECT FROM leadanalytics.person p WHERE p.workspace = space AND p.alias_of = source LIMIT crowd) n) = crowd
                    AND (SELECT count(*) FROM (SELECT FROM leadanalytics.person p WHERE p.workspace = space AND p.alias_of = target LIMIT crowd) n) < crowd THEN
                    SELECT source, target INTO STRICT target, source;
                END IF;
                -- (two statements: track() has no plan for an OR but to go through the workspace)
                UPDATE leadanalytics.person p SET alias_of = target WHERE p.workspace = space AND p.alias_of = source;
                UPDATE leadanalytics.person p SET alias_of = target WHERE p.workspace = space AND p.number = source;
            END IF;
            RETURN;
        END IF;
        -- An id that was no user's is a visitor's, or will be a user's.
        UPDATE leadanalytics.visitor v SET person = alias_person.person
        WHERE v.workspace = space AND v.visitor_id = alias_person.previous_id RETURNING v.number INTO known;
        IF FOUND THEN
            INSERT INTO leadanalytics.identity AS i (workspace, visitor, person, at)
            VALUES (space, known, alias_person.person, alias_person.at) ON CONFLICT DO NOTHING;
            RETURN;
        END IF;
        INSERT INTO leadanalytics.person AS p (workspace, number, alias_of, user_id)
        VALUES (space, nextval('leadanalytics.visitor_number'), target, alias_person.previous_id) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadanalytics.alias_person(int, int, text, timestamptz) IS
    'previous_id is another name of the person: a user id becomes its alias (the other way round when that one has 100 names or more, and the person has not), a visitor id a visitor of it; for track()';

CREATE VIEW leadanalytics.persons WITH (security_barrier) AS
SELECT p.workspace, p.number, p.user_id, CASE WHEN leadanalytics.sees_contacts(p.workspace) THEN p.email ELSE leadanalytics.masked_email(p.email) END AS email, root.user_id AS alias_of,
       ARRAY(SELECT v.visitor_id FROM leadanalytics.identity i
             JOIN leadanalytics.visitor v ON v.workspace = i.workspace AND v.number = i.visitor
             WHERE i.workspace = p.workspace AND i.person = p.number ORDER BY i.at, v.visitor_id) AS visitor_ids
FROM leadanalytics.person p
LEFT JOIN leadanalytics.person root ON root.workspace = p.workspace AND root.number = p.alias_of
WHERE p.workspace IN (SELECT w.id FROM leadanalytics.workspace w WHERE leadanalytics.may(w.id));
COMMENT ON VIEW leadanalytics.persons IS 'user ids with the visitors that were identified by them, of the workspaces the caller may ask about';
GRANT SELECT ON leadanalytics.persons TO leadanalytics_read;
