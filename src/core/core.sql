-- Errors and answers of route functions.

CREATE FUNCTION leadanalytics.fail(status int, message text, code text DEFAULT NULL, errors json DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF status NOT BETWEEN 400 AND 599 THEN
        RAISE EXCEPTION 'status must be from 400 to 599, not %', status USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'LA' || status,
        MESSAGE = message,
        DETAIL = coalesce(json_strip_nulls(json_build_object('code', code, 'errors', errors))::text, '');
END
$$;
COMMENT ON FUNCTION leadanalytics.fail(int, text, text, json) IS
    'raise an error that the door answers with this HTTP status and text in the family''s envelope; code: campaigns'' machine-readable code; errors: engagement''s [{"field","message"}]';

CREATE FUNCTION leadanalytics.reply(
    status int,
    headers json DEFAULT '{}',
    content_type text DEFAULT NULL,
    body bytea DEFAULT '')
RETURNS leadanalytics.reply LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW(status, headers, content_type, body)::leadanalytics.reply
$$;
COMMENT ON FUNCTION leadanalytics.reply(int, json, text, bytea) IS
    'an answer with its own status (200–399), headers ({"Location": "…"}), content type and bytes; it wears no envelope; with content_type null the body is empty. With status null the body is JSON, answered as if the function returned that alone';

-- Signatures.
CREATE FUNCTION leadanalytics.hmac_sha256(message bytea, key bytea)
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_core_hmac_sha256';
COMMENT ON FUNCTION leadanalytics.hmac_sha256(bytea, bytea) IS 'the HMAC-SHA256 of a message with a key';

CREATE FUNCTION leadanalytics.same_secret(a bytea, b bytea)
RETURNS boolean LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_core_same_secret';
COMMENT ON FUNCTION leadanalytics.same_secret(bytea, bytea) IS 'whether two secrets are the same, in a time that does not tell where they differ';

-- Routes. A name that cannot be resolved must harm its own route only: to_regproc() would raise for a
-- schema that the owner may not use, and take every other route with it.
CREATE FUNCTION leadanalytics.route_function(
    function text,
    OUT id oid, OUT schema name, OUT name name, OUT arguments text[], OUT answers text, OUT problem text, OUT remedy text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH named AS (
        SELECT p.*, n.nspname, n.oid AS namespace,
               o.rolname AS owner,
               -- It runs with the rights of leadanalytics_owner: whoever may replace it could use them.
               o.rolsuper OR o.rolname = 'leadanalytics_owner' AS trusted,
               CASE WHEN p.prokind <> 'f' OR p.proretset THEN NULL
                    WHEN p.prorettype IN ('json'::regtype, 'jsonb'::regtype) THEN 'json'
                    WHEN p.prorettype = 'leadanalytics.reply'::regtype THEN 'reply' END AS answers
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles o ON o.oid = p.proowner
        WHERE n.nspname = split_part(function, '.', 1) AND p.proname = split_part(function, '.', 2)
    )
    SELECT f.oid, f.nspname, f.proname,
           CASE WHEN f.proargmodes IS NULL THEN f.proargnames
                ELSE ARRAY(SELECT a.name FROM unnest(f.proargnames, f.proargmodes) WITH ORDINALITY AS a (name, mode, n)
                           WHERE a.mode IN ('i', 'b', 'v') ORDER BY n) END,
           CASE WHEN f.trusted THEN f.answers END, why.problem, why.remedy
    FROM (SELECT count(*) FROM named) AS c (n)
    LEFT JOIN named f ON c.n = 1
    LEFT JOIN LATERAL (
        SELECT * FROM (VALUES
            (c.n = 0, function || ' does not exist', 'Create the function, or delete the route.'),
            (c.n > 1, function || ' is overloaded', 'Give the route a function whose name is its own.'),
            (NOT f.trusted, function || ' belongs to role ' || quote_ident(f.owner),
             format('ALTER FUNCTION %s OWNER TO leadanalytics_owner;', f.oid::regprocedure)),
            (c.n = 1 AND f.answers IS NULL,
             function || ' returns no JSON', 'It must be a function that returns json, jsonb or leadanalytics.reply.'),
            (NOT has_schema_privilege('leadanalytics_owner', f.namespace, 'USAGE'),
             'leadanalytics_owner may not use schema ' || f.nspname, format('GRANT USAGE ON SCHEMA %I TO leadanalytics_owner;', f.nspname)),
            (NOT has_function_privilege('leadanalytics_owner', f.oid, 'EXECUTE'),
             'leadanalytics_owner may not execute ' || function, format('GRANT EXECUTE ON FUNCTION %s TO leadanalytics_owner;', f.oid::regprocedure))
        ) AS v (applies, problem, remedy)
        WHERE applies
        LIMIT 1
    ) AS why ON true
$$;
COMMENT ON FUNCTION leadanalytics.route_function(text) IS
    'the function "schema.name" of a route the names of its input arguments, and what it answers (json, reply; null when it must not be called); problem: why it cannot be called, null when it can';

CREATE FUNCTION leadanalytics.argument_expression(function text, argument text)
RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_get_function_arg_default(p.oid, array_position(p.proargnames, argument))
    FROM pg_proc p WHERE p.oid = (leadanalytics.route_function(function)).id
$$;
COMMENT ON FUNCTION leadanalytics.argument_expression(text, text) IS
    'the default of a function''s argument as an SQL expression: what an absent parameter of a route means; null without one';

CREATE FUNCTION leadanalytics.argument_default(function text, argument text)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    expression text := leadanalytics.argument_expression(function, argument);
    value text;
BEGIN
    -- Literals alone: the value of anything else may be another one at the next request.
    IF expression ~ '^(true|false|[0-9.]+|\(''?-[0-9.]+''?\)|E?''([^'']|'''')*'')(::[a-z][a-z0-9_ ]*(\[\])?)?$' THEN
        EXECUTE 'SELECT (' || expression || ')::text' INTO value;
    END IF;
    RETURN value;
END
$$;
COMMENT ON FUNCTION leadanalytics.argument_default(text, text) IS
    'the default of a function''s argument as text, when it is a literal; else null';

-- Leaves: see leadanalytics.partitioned.
CREATE FUNCTION leadanalytics.leaf_name(parent text, month date)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT parent || to_char(month, '_YYYY_MM')
$$;
COMMENT ON FUNCTION leadanalytics.leaf_name(text, date) IS 'the table that holds a month of a parent';

CREATE FUNCTION leadanalytics.make_leaf(parent text, month date)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    starts date := date_trunc('month', month);
    ends date := starts + interval '1 month';
    leaf text := leadanalytics.leaf_name(parent, starts);
    definition text;
    kind leadanalytics.partitioned;
BEGIN
    SELECT * INTO kind FROM leadanalytics.partitioned p WHERE p.parent = make_leaf.parent;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no partitioned table "%"', parent USING ERRCODE = 'undefined_table',
            HINT = 'See leadanalytics.partitioned.';
    END IF;
    IF to_regclass(format('leadanalytics.%I', leaf)) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Two first events of a month may come at once: the second waits here and finds the leaf made. By the
    -- table's row: to_regclass() still remembers that there was none, for an advisory lock is no news of tables.
    -- One lock for all leaves of a parent: who makes several holds the parent's from the first ATTACH on.
    PERFORM pg_advisory_xact_lock(hashtextextended('leadanalytics.make_leaf ' || parent, 0));
    IF EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'leadanalytics'::regnamespace AND c.relname = leaf) THEN
        RETURN false;
    END IF;
    -- ATTACH of a finished table waits for no reader; CREATE … PARTITION OF would wait for all of them.
    EXECUTE format('CREATE TABLE leadanalytics.%I (LIKE leadanalytics.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', leaf, parent);
    FOREACH definition IN ARRAY kind.indexes LOOP
        EXECUTE format(regexp_replace(definition, '^(UNIQUE )?', 'CREATE \1INDEX ON leadanalytics.%I '), leaf);
    END LOOP;
    EXECUTE format('ALTER TABLE leadanalytics.%I ATTACH PARTITION leadanalytics.%I FOR VALUES FROM (%L) TO (%L)',
                   parent, leaf, starts::timestamptz, ends::timestamptz);
    RETURN true;
END
$$;
COMMENT ON FUNCTION leadanalytics.make_leaf(text, date) IS
    'make the leaf of a parent for the month of that date (UTC) unless it is there; true when made';

-- Plans. A function that probes indexes gets plans made for a large database, whatever the size of the tables was
-- when a session first ran it; and what never runs long enough is not worth compiling, however much it is
-- thought to cost.
CREATE FUNCTION leadanalytics.plan_for_large(VARIADIC functions text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    planned regproc;
    setting text;
BEGIN
    FOREACH planned IN ARRAY functions::regproc[] LOOP
        FOREACH setting IN ARRAY ARRAY['enable_seqscan = off', 'enable_bitmapscan = off', 'enable_hashjoin = off', 'enable_mergejoin = off',
                                       'plan_cache_mode = force_generic_plan', 'jit = off'] LOOP
            EXECUTE format('ALTER FUNCTION %s SET %s', planned, setting);
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadanalytics.plan_for_large(text[]) IS
    'settings of functions (schema.name, not overloaded) whose statements are probes of indexes: for the end of a room''s SQL';

-- Home.
CREATE FUNCTION leadanalytics.start()
RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM leadanalytics.home;
    INSERT INTO leadanalytics.home (system_identifier, database)
    SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database())
    FROM pg_control_system();
    SELECT 'leadanalytics acts in database ' || quote_ident(current_database()) || ' from now on'
$$;
COMMENT ON FUNCTION leadanalytics.start() IS
    'let workers act in this database: the last step of an installation, a restore, or of giving a clone a life of its own';

CREATE FUNCTION leadanalytics.started()
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM leadanalytics.home h, pg_control_system() c, pg_database d
                   WHERE h.system_identifier = c.system_identifier AND h.database = d.oid AND d.datname = current_database())
$$;
COMMENT ON FUNCTION leadanalytics.started() IS 'whether leadanalytics.start() was called in this database of this cluster';

-- Status.
CREATE FUNCTION leadanalytics.status()
RETURNS SETOF leadanalytics.status_line LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source leadanalytics.status_source;
BEGIN
    FOR source IN SELECT * FROM leadanalytics.status_source ORDER BY name LOOP
        RETURN QUERY EXECUTE format('SELECT * FROM %s()', source.function::regproc);
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadanalytics.status() IS 'what is on, what is off, and how to turn it on, in words';
GRANT EXECUTE ON FUNCTION leadanalytics.status() TO leadanalytics_read;
GRANT EXECUTE ON FUNCTION leadanalytics.start() TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.preloaded()
RETURNS boolean LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'la_core_preloaded';
COMMENT ON FUNCTION leadanalytics.preloaded() IS 'whether the library is in shared_preload_libraries';

CREATE FUNCTION leadanalytics.core_status()
RETURNS SETOF leadanalytics.status_line LANGUAGE sql STABLE AS $$
    SELECT 'version', (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'leadanalytics'), NULL
    UNION ALL
    SELECT 'library',
           CASE WHEN preloaded THEN 'preloaded' ELSE 'not preloaded: no background workers, no shared counters; answers are the same' END,
           CASE WHEN NOT preloaded THEN 'Add leadanalytics to shared_preload_libraries and restart PostgreSQL.' END
    FROM (SELECT leadanalytics.preloaded()) AS p (preloaded)
    UNION ALL
    SELECT 'home',
           CASE WHEN started THEN 'started here' ELSE 'not started here: workers change nothing in this database' END,
           CASE WHEN NOT started THEN 'SELECT leadanalytics.start();' END
    FROM (SELECT leadanalytics.started()) AS s (started)
    UNION ALL
    SELECT 'route ' || r.method || ' ' || r.path, f.problem, f.remedy
    FROM leadanalytics.route r, leadanalytics.route_function(r.function) AS f
    WHERE f.problem IS NOT NULL
$$;
COMMENT ON FUNCTION leadanalytics.core_status() IS 'version, preloading, home and broken routes, for leadanalytics.status()';
INSERT INTO leadanalytics.status_source VALUES ('core', 'leadanalytics.core_status');

-- What clients send as referrer is an address, mostly; "google.com" alone is understood, other words are not. Web
-- servers log bytes that are no ASCII as \xe4: they stay so.
CREATE FUNCTION leadanalytics.host_of(url text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT nullif(regexp_replace(rtrim(lower(coalesce(
        substring(url COLLATE "C" FROM '^\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?//(?:[^/?#@]*@)?(\[[0-9A-Fa-f:.]+\]|[^][/?#@:\s"<>]+)(?::[0-9]*)?(?:[/?#]|\s*$)'),
        substring(url COLLATE "C" FROM '^\s*([^][/?#@:\s"<>\\.]+(?:\.[^][/?#@:\s"<>\\.]+)+\.?)(?::[0-9]*)?(?:[/?#]|\s*$)'))), '.'),
        '^www\.(?=[^.]+\.)', ''), '')
$$;
COMMENT ON FUNCTION leadanalytics.host_of(text) IS
    'the host of an address in lower case, without "www." before it, port and final dot: two addresses of one site have the same; '
    'the scheme may be missing (google.com/search); null when there is no host';
GRANT EXECUTE ON FUNCTION leadanalytics.host_of(text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.event_kind(name text)
RETURNS "char" LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_core_event_kind';
COMMENT ON FUNCTION leadanalytics.event_kind(text) IS 'what an event is by its name: p pageview, a auto (scroll, click, …, $…), c custom';
GRANT EXECUTE ON FUNCTION leadanalytics.event_kind(text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.names_of_kind(kind "char")
RETURNS text[] LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_core_names_of_kind';
COMMENT ON FUNCTION leadanalytics.names_of_kind("char") IS 'the names that are of a kind by themselves: of pageviews (p) all there are';
GRANT EXECUTE ON FUNCTION leadanalytics.names_of_kind("char") TO leadanalytics_read;

-- Half-up, numbers stay numbers (D-07, D-59).
CREATE FUNCTION leadanalytics.ratio(part numeric, whole numeric, digits int DEFAULT 2)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN whole = 0 OR whole IS NULL THEN 0 ELSE round(coalesce(part, 0) / whole, digits) END
$$;
COMMENT ON FUNCTION leadanalytics.ratio(numeric, numeric, int) IS 'part / whole, rounded half away from zero; 0 where whole is';
GRANT EXECUTE ON FUNCTION leadanalytics.ratio(numeric, numeric, int) TO leadanalytics_read;
