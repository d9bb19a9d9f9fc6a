-- The end of the install script: everything belongs to leadanalytics_owner, who is no superuser, and
-- PUBLIC may execute nothing. What each role may do is granted beside each function.
DO $$
DECLARE
    member record;
BEGIN
    FOR member IN
        SELECT d.classid, d.objid, d.classid::pg_catalog.regclass::text AS catalog,
               (pg_catalog.pg_identify_object(d.classid, d.objid, 0)).identity AS name, c.relkind, t.typtype
        FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'leadanalytics'
        LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
        LEFT JOIN pg_catalog.pg_type t ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.objid
        WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
    LOOP
        CASE
            WHEN member.catalog = 'pg_proc' THEN
                EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', member.objid::pg_catalog.regprocedure);
                EXECUTE pg_catalog.format('ALTER ROUTINE %s OWNER TO leadanalytics_owner', member.objid::pg_catalog.regprocedure);
            WHEN member.catalog = 'pg_namespace' THEN
                EXECUTE pg_catalog.format('ALTER SCHEMA %s OWNER TO leadanalytics_owner', member.name);
            WHEN member.relkind IN ('r', 'p') THEN
                EXECUTE pg_catalog.format('ALTER TABLE %s OWNER TO leadanalytics_owner', member.name);
            WHEN member.relkind = 'v' THEN
                EXECUTE pg_catalog.format('ALTER VIEW %s OWNER TO leadanalytics_owner', member.name);
            WHEN member.relkind = 'S' THEN
                EXECUTE pg_catalog.format('ALTER SEQUENCE %s OWNER TO leadanalytics_owner', member.name);
            WHEN member.catalog = 'pg_type' AND member.typtype IN ('c', 'd', 'e') THEN
                EXECUTE pg_catalog.format('ALTER TYPE %s OWNER TO leadanalytics_owner', member.name);
            ELSE
                NULL; -- casts, implied row types and the like follow what they belong to
        END CASE;
    END LOOP;
END
$$;
