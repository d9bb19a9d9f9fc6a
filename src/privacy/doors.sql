-- Erasing by SQL and over HTTP, and what is known of it afterwards.

CREATE FUNCTION leadanalytics.erase_found(
    workspace int, visitor_id text, user_id text, email text, mode text, actor_key bigint, now timestamptz)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    who leadanalytics.subject;
    needles text[];
    word CONSTANT text := 'erased_' || left(leadanalytics.new_secret(), 12);
    salt CONSTANT text := leadanalytics.new_secret();
    counts json;
BEGIN
    IF coalesce(mode NOT IN ('delete', 'anonymise'), true) THEN
        RAISE EXCEPTION 'Invalid mode' USING ERRCODE = 'LA400', HINT = 'It is delete or anonymise.';
    END IF;
    -- What was found without locks may be more by now: it is found again.
    who := leadanalytics.person_named(workspace, visitor_id, user_id, email);
    IF leadanalytics.is_nobody(who) THEN
        RAISE EXCEPTION 'User not found' USING ERRCODE = 'LA404', HINT = 'A visitor id, a user id or an e-mail address.';
    END IF;
    PERFORM leadanalytics.lock_person(who);
    who := leadanalytics.person_named(workspace, visitor_id, user_id, email);
    IF leadanalytics.is_nobody(who) THEN
        RAISE EXCEPTION 'User not found' USING ERRCODE = 'LA404', HINT = 'Somebody else erased it in this moment.';
    END IF;
    PERFORM leadanalytics.lock_person(who);
    needles := leadanalytics.needles(who);

    SELECT json_object_agg(k.kind, coalesce(c.n, 0) ORDER BY k.place) INTO counts
    FROM leadanalytics.person_kinds() k
    LEFT JOIN (SELECT r.kind, count(*) AS n FROM leadanalytics.rows_of(who) r GROUP BY r.kind) AS c ON c.kind = k.kind
    WHERE k.kind <> 'listed_ips';
    PERFORM leadanalytics.redact_dictionary(who, needles, word);
    PERFORM leadanalytics.erase_copies(who, needles);
    IF mode = 'delete' THEN
        PERFORM leadanalytics.delete_person(who, erase_found.now);
    ELSE
        PERFORM leadanalytics.anonymise_person(who, needles, word);
    END IF;
    PERFORM leadanalytics.forget_addresses(who);
    INSERT INTO leadanalytics.erasure (workspace, at, mode, key, role, salt, digests, counts)
    VALUES (erase_found.workspace, erase_found.now, erase_found.mode, erase_found.actor_key, session_user, salt,
            leadanalytics.erasure_digests(salt, visitor_id, user_id, email), counts);
    RETURN json_build_object('mode', mode, 'erased', counts);
END
$$;
COMMENT ON FUNCTION leadanalytics.erase_found(int, text, text, text, text, bigint, timestamptz) IS 'leadanalytics.erase() for who asked who calls';

CREATE FUNCTION leadanalytics.erasure_digests(salt text, visitor_id text, user_id text, email text)
RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY(SELECT encode(sha256(convert_to(salt || ' ' || n.kind || ' ' || n.name, 'UTF8')), 'hex')
                 FROM (VALUES ('visitor', btrim(visitor_id)), ('user', btrim(user_id)), ('email', lower(btrim(email)))) AS n (kind, name) WHERE n.name <> '')
$$;
COMMENT ON FUNCTION leadanalytics.erasure_digests(text, text, text, text) IS 'what leadanalytics.erasure keeps of the names that were given';

CREATE FUNCTION leadanalytics.erase(
    workspace int, visitor_id text DEFAULT NULL, user_id text DEFAULT NULL, email text DEFAULT NULL, mode text DEFAULT 'delete', now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN leadanalytics.erase_found(leadanalytics.permitted(workspace), visitor_id, user_id, email, mode, NULL, erase.now);
END
$$;
COMMENT ON FUNCTION leadanalytics.erase(int, text, text, text, text, timestamptz) IS
    'erase the person of a visitor id, a user id or an e-mail address (leadanalytics.find_person()) with all there is of it, and take it out of every report (mode delete), '
    'or leave what reports count and take what says who it was (anonymise): how many rows of which kind. LA404: User not found';
GRANT EXECUTE ON FUNCTION leadanalytics.erase(int, text, text, text, text, timestamptz) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.erased_at(workspace int, visitor_id text DEFAULT NULL, user_id text DEFAULT NULL, email text DEFAULT NULL)
RETURNS timestamptz LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT max(e.at) FROM leadanalytics.erasure e
            WHERE e.workspace = leadanalytics.permitted(erased_at.workspace)
              AND e.digests && leadanalytics.erasure_digests(e.salt, erased_at.visitor_id, erased_at.user_id, erased_at.email));
END
$$;
COMMENT ON FUNCTION leadanalytics.erased_at(int, text, text, text) IS 'when somebody was last erased under one of these names; null: never';
GRANT EXECUTE ON FUNCTION leadanalytics.erased_at(int, text, text, text) TO leadanalytics_admin;

CREATE VIEW leadanalytics.erasures WITH (security_barrier) AS
    SELECT e.workspace, e.id, e.at, e.mode, e.key, k.name AS key_name, e.role, e.counts
    FROM leadanalytics.erasure e LEFT JOIN leadanalytics.key k ON k.workspace = e.workspace AND k.id = e.key
    WHERE leadanalytics.may(e.workspace);
COMMENT ON VIEW leadanalytics.erasures IS 'erasures of the workspaces the caller may ask about: who asked (a key, or a database role), when, and how many rows of what; not of whom';
GRANT SELECT ON leadanalytics.erasures TO leadanalytics_admin;

-- The doors. The name is a visitor id, else a user id, as in GET /users/:userId, else an e-mail address.
CREATE FUNCTION leadanalytics.kind_of_name(workspace int, id text)
RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE WHEN EXISTS (SELECT FROM leadanalytics.visitor v WHERE v.workspace = kind_of_name.workspace AND v.visitor_id = kind_of_name.id) THEN 'visitor'
                WHEN EXISTS (SELECT FROM leadanalytics.person p WHERE p.workspace = kind_of_name.workspace AND p.user_id = kind_of_name.id) THEN 'user'
                WHEN strpos(id, '@') > 0 THEN 'email'
                WHEN EXISTS (SELECT FROM leadanalytics.lead l WHERE l.workspace = kind_of_name.workspace AND l.visitor_id = kind_of_name.id) THEN 'visitor'
                ELSE 'user' END;
END
$$;
COMMENT ON FUNCTION leadanalytics.kind_of_name(int, text) IS 'what a name in a path is: visitor, user or email';

CREATE FUNCTION leadanalytics.user_data(workspace int, id text, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    kind CONSTANT text := leadanalytics.kind_of_name(allowed, id);
BEGIN
    RETURN leadanalytics.person_document(
        leadanalytics.person_named(allowed, CASE kind WHEN 'visitor' THEN id END, CASE kind WHEN 'user' THEN id END, CASE kind WHEN 'email' THEN id END), 16 * 1024 * 1024);
END
$$;
COMMENT ON FUNCTION leadanalytics.user_data(int, text, timestamptz) IS
    'leadanalytics.export_person() of a visitor id, else a user id, else an e-mail address, up to 16 MB; LA413: it is more, LA404: User not found';
GRANT EXECUTE ON FUNCTION leadanalytics.user_data(int, text, timestamptz) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.erase_user(workspace int, id text, mode text DEFAULT 'delete', actor_key bigint DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
    kind CONSTANT text := leadanalytics.kind_of_name(allowed, id);
BEGIN
    RETURN leadanalytics.erase_found(allowed, CASE kind WHEN 'visitor' THEN id END, CASE kind WHEN 'user' THEN id END, CASE kind WHEN 'email' THEN id END, mode,
                                     erase_user.actor_key, erase_user.now);
END
$$;
COMMENT ON FUNCTION leadanalytics.erase_user(int, text, text, bigint, timestamptz) IS 'leadanalytics.erase() of a visitor id, else a user id, else an e-mail address';
GRANT EXECUTE ON FUNCTION leadanalytics.erase_user(int, text, text, bigint, timestamptz) TO leadanalytics_admin;
