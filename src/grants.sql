-- The end of the install script: everything belongs to leadanalytics_owner, who is no superuser, and
-- PUBLIC may execute nothing. What each role may do is granted beside each function. The update scripts
-- end with it too; there only what they added is touched: noting the privileges of the rest would note what
-- users granted since, and pg_dump would leave it out.
--
-- First the owner, then the REVOKE: it makes PostgreSQL note the privileges as they are then as the ones the
-- extension came with. In the other order pg_dump finds grants of whoever ran the script, and writes them out
-- for a restore where that role may not exist.
DO $$
DECLARE
    member record;
    kind text;
BEGIN
    FOR member IN
        SELECT d.classid, d.objid, d.classid::pg_catalog.regclass::text AS catalog,
               (pg_catalog.pg_identify_object(d.classid, d.objid, 0)).identity AS name, c.relkind, t.typtype,
               pg_catalog.pg_get_userbyid(coalesce(p.proowner, n.nspowner, c.relowner, t.typowner)) AS owner
        FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'leadanalytics'
        LEFT JOIN pg_catalog.pg_proc p ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.objid
        LEFT JOIN pg_catalog.pg_namespace n ON d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.oid = d.objid
        LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
        LEFT JOIN pg_catalog.pg_type t ON d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.objid
        WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
    LOOP
        kind := CASE
            WHEN member.catalog = 'pg_proc' THEN 'ROUTINE'
            WHEN member.catalog = 'pg_namespace' THEN 'SCHEMA'
            WHEN member.relkind IN ('r', 'p') THEN 'TABLE'
            WHEN member.relkind = 'v' THEN 'VIEW'
            WHEN member.relkind = 'S' THEN 'SEQUENCE'
            WHEN member.catalog = 'pg_type' AND member.typtype IN ('c', 'd', 'e') THEN 'TYPE'
        END;
        -- The rest (casts, implied row types and the like) follows what it belongs to.
        CONTINUE WHEN kind IS NULL OR member.owner = 'leadanalytics_owner';
        EXECUTE pg_catalog.format('ALTER %s %s OWNER TO leadanalytics_owner', kind, member.name);
        -- Types stay PUBLIC's to use: a function of one's own may return leadanalytics.reply.
        CONTINUE WHEN kind = 'TYPE';
        EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM PUBLIC',
                                  CASE kind WHEN 'VIEW' THEN 'TABLE' ELSE kind END, member.name);
    END LOOP;
END
$$;
