-- Everything PostgreSQL knows about the schemas of ours, one line a fact, in an order of its own: two
-- databases have the same extension when these lines are the same. No oid, no time, no name of whoever ran
-- CREATE EXTENSION.
SET search_path = pg_catalog;
WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname ~ '^leadanalytics'),
member AS (SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'leadanalytics'
           WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'),
class AS (SELECT c.*, c.oid::regclass::text AS name FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM ours)),
fact (line) AS (
    SELECT format('extension %s %s', extversion, extnamespace::regnamespace) FROM pg_extension WHERE extname = 'leadanalytics'
    UNION ALL
    SELECT format('dumped %s %s', c::regclass, extcondition[i])
    FROM pg_extension, unnest(extconfig) WITH ORDINALITY AS u (c, i) WHERE extname = 'leadanalytics'
    UNION ALL
    SELECT format('member %s', pg_describe_object(classid, objid, 0)) FROM member
    UNION ALL
    SELECT format('schema %s owner %s', nspname, nspowner::regrole) FROM pg_namespace WHERE oid IN (SELECT oid FROM ours)
    UNION ALL
    SELECT format('%s owner %s: %s', p.oid::regprocedure, proowner::regrole,
                  CASE WHEN prokind = 'a' THEN 'aggregate' ELSE pg_get_functiondef(p.oid) END)
    FROM pg_proc p WHERE pronamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT format('class %s %s owner %s %s %s partition %s bound %s', name, relkind, relowner::regrole, relpersistence, reloptions,
                  relispartition, pg_get_expr(relpartbound, oid)) FROM class WHERE relkind <> 'i'
    UNION ALL
    SELECT format('column %s %s %s %s notnull %s default %s collation %s storage %s compression %s statistics %s', c.name,
                  rank() OVER (PARTITION BY c.oid ORDER BY attnum), attname, format_type(atttypid, atttypmod), attnotnull,
                  pg_get_expr(adbin, adrelid), attcollation::regcollation, attstorage, attcompression, attstattarget)
    FROM class c JOIN pg_attribute a ON attrelid = c.oid LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum
    WHERE attnum > 0 AND NOT attisdropped AND c.relkind IN ('r', 'p', 'v', 'c')
    UNION ALL
    SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(o.oid))
    FROM pg_constraint o JOIN class c ON c.oid = conrelid
    UNION ALL
    SELECT format('index %s', pg_get_indexdef(indexrelid)) FROM pg_index JOIN class c ON c.oid = indrelid
    UNION ALL
    SELECT format('trigger %s', pg_get_triggerdef(t.oid)) FROM pg_trigger t JOIN class c ON c.oid = tgrelid WHERE NOT tgisinternal
    UNION ALL
    SELECT format('view %s %s', name, pg_get_viewdef(oid)) FROM class WHERE relkind = 'v'
    UNION ALL
    SELECT format('sequence %s %s', seqrelid::regclass, row(seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle))
    FROM pg_sequence JOIN class c ON c.oid = seqrelid
    UNION ALL
    SELECT format('type %s %s owner %s', t.oid::regtype, typtype, typowner::regrole)
    FROM pg_type t LEFT JOIN class c ON c.oid = typrelid
    WHERE typnamespace IN (SELECT oid FROM ours) AND typcategory <> 'A' AND (typtype <> 'c' OR relkind = 'c')
    UNION ALL
    SELECT format('label %s %s', enumtypid::regtype, enumlabel) FROM pg_enum e JOIN pg_type t ON t.oid = enumtypid
    WHERE typnamespace IN (SELECT oid FROM ours)
    UNION ALL
    SELECT format('grant %s %s to %s by %s%s', what, privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                  grantor::regrole, CASE WHEN is_grantable THEN ' with grant option' END)
    FROM (SELECT p.oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc p WHERE pronamespace IN (SELECT oid FROM ours)
          UNION ALL
          SELECT name, coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))
          FROM class WHERE relkind IN ('r', 'p', 'v', 'S')
          UNION ALL
          SELECT format('column %s.%s', c.name, attname), attacl FROM class c JOIN pg_attribute ON attrelid = c.oid
          UNION ALL
          SELECT 'schema ' || nspname, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace WHERE oid IN (SELECT oid FROM ours)) AS a (what, acl),
         aclexplode(acl)
    UNION ALL
    SELECT format('came with %s %s', pg_describe_object(classoid, objoid, objsubid), (SELECT array_agg(i::text ORDER BY i::text) FROM unnest(initprivs) AS i))
    FROM pg_init_privs JOIN member ON classid = classoid AND objid = objoid
    UNION ALL
    SELECT format('comment %s: %s', pg_describe_object(classoid, objoid, objsubid), description)
    FROM pg_description
    WHERE (classoid = 'pg_class'::regclass AND objoid IN (SELECT oid FROM class))
       OR (classoid = 'pg_proc'::regclass AND objoid IN (SELECT oid FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours)))
       OR (classoid = 'pg_namespace'::regclass AND objoid IN (SELECT oid FROM ours))
       OR (classoid = 'pg_type'::regclass AND objoid IN (SELECT oid FROM pg_type WHERE typnamespace IN (SELECT oid FROM ours)))
)
SELECT replace(line, E'\n', '⏎') FROM fact ORDER BY line COLLATE "C";
