-- Handing out: rows, counts of them, one document.

CREATE FUNCTION leadanalytics.rows_of(who leadanalytics.subject)
RETURNS TABLE (kind text, data json) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT * FROM leadanalytics.person_web_rows(who);
    RETURN QUERY SELECT * FROM leadanalytics.person_lead_rows(who);
    RETURN QUERY SELECT * FROM leadanalytics.person_copy_rows(who);
END
$$;
COMMENT ON FUNCTION leadanalytics.rows_of(leadanalytics.subject) IS 'leadanalytics.person_rows() of somebody who was found';

CREATE FUNCTION leadanalytics.person_kinds()
RETURNS TABLE (kind text, place bigint) LANGUAGE sql IMMUTABLE AS $$
    SELECT p.kind, min(p.place) FROM leadanalytics.personal_data() WITH ORDINALITY AS p (relation, kind, holds, place) WHERE p.kind IS NOT NULL GROUP BY p.kind
$$;
COMMENT ON FUNCTION leadanalytics.person_kinds() IS 'the kinds of leadanalytics.person_rows(), in their order';

CREATE FUNCTION leadanalytics.person_rows(workspace int, visitor_id text DEFAULT NULL, user_id text DEFAULT NULL, email text DEFAULT NULL)
RETURNS TABLE (kind text, data json) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY SELECT r.kind, r.data FROM leadanalytics.rows_of(leadanalytics.person_named(leadanalytics.require_contacts(workspace, NULL), visitor_id, user_id, email)) r;
END
$$;
COMMENT ON FUNCTION leadanalytics.person_rows(int, text, text, text) IS 'everything that is kept of a person (leadanalytics.find_person()), row by row: however much it is';
GRANT EXECUTE ON FUNCTION leadanalytics.person_rows(int, text, text, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.person_data_rows(workspace int, visitor_id text DEFAULT NULL, user_id text DEFAULT NULL, email text DEFAULT NULL)
RETURNS TABLE (kind text, n bigint) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT k.kind, count(r.kind)
    FROM leadanalytics.person_kinds() k
    LEFT JOIN leadanalytics.rows_of(leadanalytics.person_named(leadanalytics.permitted(person_data_rows.workspace), person_data_rows.visitor_id,
                                                               person_data_rows.user_id, person_data_rows.email)) r ON r.kind = k.kind
    GROUP BY k.kind, k.place ORDER BY k.place;
END
$$;
COMMENT ON FUNCTION leadanalytics.person_data_rows(int, text, text, text) IS 'how many rows of which kind are kept of a person: what leadanalytics.erase() would take, but for the lists of IPs';
GRANT EXECUTE ON FUNCTION leadanalytics.person_data_rows(int, text, text, text) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.person_document(who leadanalytics.subject, most bigint DEFAULT NULL)
RETURNS json LANGUAGE plpgsql STABLE SET jit = off AS $$
DECLARE
    data json;
    size bigint;
BEGIN
    IF leadanalytics.is_nobody(who) THEN
        RAISE EXCEPTION 'User not found' USING ERRCODE = 'LA404', HINT = 'A visitor id, a user id or an e-mail address.';
    END IF;
    WITH kept AS MATERIALIZED (
        SELECT r.kind, r.data, r.place FROM leadanalytics.rows_of(who) WITH ORDINALITY AS r (kind, data, place)
    )
    SELECT (SELECT sum(octet_length(k.data::text)) FROM kept k),
           CASE WHEN most IS NULL OR (SELECT coalesce(sum(octet_length(k.data::text)), 0) FROM kept k) <= most THEN
               (SELECT json_object_agg(k.kind, coalesce(g.rows, '[]') ORDER BY k.place)
                FROM leadanalytics.person_kinds() k
                LEFT JOIN (SELECT e.kind, json_agg(e.data ORDER BY e.place) AS rows FROM kept e GROUP BY e.kind) AS g ON g.kind = k.kind) END
    INTO size, data;
    IF data IS NULL THEN
        PERFORM leadanalytics.fail(413, format('Too much for one answer (%s MB): leadanalytics.person_rows() tells it row by row', size >> 20));
    END IF;
    RETURN json_build_object('visitor_ids', to_json(who.visitor_ids), 'user_ids', to_json(who.user_ids), 'emails', to_json(who.emails), 'phones', to_json(who.phones),
                             'data', data);
END
$$;
COMMENT ON FUNCTION leadanalytics.person_document(leadanalytics.subject, bigint) IS 'a person and leadanalytics.rows_of() as one document; LA404 for nobody, LA413 for more than so many bytes';

CREATE FUNCTION leadanalytics.export_person(
    workspace int, visitor_id text DEFAULT NULL, user_id text DEFAULT NULL, email text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN leadanalytics.person_document(leadanalytics.person_named(leadanalytics.require_contacts(workspace, NULL), visitor_id, user_id, email));
END
$$;
COMMENT ON FUNCTION leadanalytics.export_person(int, text, text, text, timestamptz) IS
    'everything that is kept of the person of a visitor id, a user id or an e-mail address, by kind, names in place of numbers; LA404: User not found';
GRANT EXECUTE ON FUNCTION leadanalytics.export_person(int, text, text, text, timestamptz) TO leadanalytics_admin;
