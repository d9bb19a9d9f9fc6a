-- Roles, schemas, and the tables that every room adds rows to.
--
-- Roles belong to the cluster, not to the database: they are made once, survive DROP EXTENSION (another
-- database may use them) and are never altered when they exist, but for one check: the owner of the
-- SECURITY DEFINER functions must not be able to do more than own them.
DO $$
DECLARE
    wanted record;
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'leadanalytics needs a database in UTF8, this one is in %', pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'CREATE DATABASE … ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
    FOR wanted IN
        SELECT * FROM (VALUES
            ('leadanalytics_owner', 'NOLOGIN', 'owns everything of the extension leadanalytics'),
            ('leadanalytics_read', 'NOLOGIN', 'may ask leadanalytics about the workspaces granted to it'),
            ('leadanalytics_write', 'NOLOGIN', 'may also add events to them'),
            ('leadanalytics_admin', 'NOLOGIN', 'may also set up workspaces, sites and keys'),
            ('leadanalytics_anon', 'NOLOGIN', 'every HTTP request of leadanalytics runs as this'),
            ('leadanalytics_authenticator', 'LOGIN NOINHERIT', 'PostgREST connects as this')
        ) AS w (name, options, comment)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted.name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I %s', wanted.name, wanted.options);
            EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', wanted.name, wanted.comment);
        END IF;
    END LOOP;
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'leadanalytics_owner' AND (rolsuper OR rolcanlogin)) THEN
        RAISE EXCEPTION 'role leadanalytics_owner must be neither a superuser nor able to log in'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'ALTER ROLE leadanalytics_owner NOSUPERUSER NOLOGIN.';
    END IF;
    GRANT leadanalytics_read TO leadanalytics_write;
    GRANT leadanalytics_write TO leadanalytics_admin;
    GRANT leadanalytics_anon TO leadanalytics_authenticator;
    -- One request is one small question: compiling or spreading it costs more than it saves.
    ALTER ROLE leadanalytics_authenticator SET jit = off;
    ALTER ROLE leadanalytics_authenticator SET max_parallel_workers_per_gather = 0;
    ALTER ROLE leadanalytics_authenticator SET statement_timeout = '12s';
    ALTER ROLE leadanalytics_authenticator SET lock_timeout = '5s';
    ALTER ROLE leadanalytics_authenticator SET idle_in_transaction_session_timeout = '20s';
    ALTER ROLE leadanalytics_authenticator SET temp_file_limit = '1GB';
END
$$;

CREATE SCHEMA leadanalytics;
COMMENT ON SCHEMA leadanalytics IS 'web analytics, leads, campaigns and IP policy; start with leadanalytics.status()';
GRANT USAGE ON SCHEMA leadanalytics TO leadanalytics_read;

-- The cluster and database that leadanalytics.start() was last called in. Not dumped, and another
-- database's when copied by a template: a restored or cloned database folds, mails and posts nothing
-- until somebody says start() there.
CREATE TABLE leadanalytics.home (
    system_identifier bigint NOT NULL,
    database oid NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX home_only_one ON leadanalytics.home ((true));
COMMENT ON TABLE leadanalytics.home IS 'where leadanalytics.start() was called: workers act only there';

-- What leadanalytics.status() asks: each room adds a function returning SETOF leadanalytics.status_line.
CREATE TYPE leadanalytics.status_line AS (part text, state text, hint text);
COMMENT ON TYPE leadanalytics.status_line IS 'a part of leadanalytics, how it is, and what to do about it';
CREATE TABLE leadanalytics.status_source (
    name text COLLATE "C" PRIMARY KEY,
    function text NOT NULL
);
COMMENT ON TABLE leadanalytics.status_source IS 'functions that leadanalytics.status() asks, one a room';

-- Leaves. A partitioned parent is a row here with the indexes its leaves get; the parent itself has none.
CREATE TABLE leadanalytics.partitioned (
    parent text COLLATE "C" PRIMARY KEY,
    indexes text[] NOT NULL
);
COMMENT ON TABLE leadanalytics.partitioned IS 'parents partitioned by month of "at", and what stands after CREATE [UNIQUE] INDEX ON leaf';

CREATE TYPE leadanalytics.reply AS (status int, headers json, content_type text, body bytea);
COMMENT ON TYPE leadanalytics.reply IS 'an HTTP answer that is not a plain JSON success: made by leadanalytics.reply()';

-- The HTTP interface, one row an endpoint. The door reads it (cached, see http/route.c), OpenAPI is
-- made from it, and a row of your own is an endpoint of your own. A request never names a function.
CREATE TABLE leadanalytics.route (
    method text COLLATE "C" NOT NULL CHECK (method IN ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')),
    path text COLLATE "C" NOT NULL CHECK (path ~ '^(/|(/(:[A-Za-z][A-Za-z0-9_]*|[^/:?#%[:space:]]+))+)$'),
    function text NOT NULL CHECK (function ~ '^[^.]+\.[^.]+$'),
    family text NOT NULL DEFAULT 'plain'
        CHECK (family IN ('dashboard', 'engagement', 'activity', 'campaigns', 'public', 'plain')),
    roles text[] NOT NULL DEFAULT '{admin}'
        CHECK (roles <@ '{public,admin,marketing,capture,sdk,agent,live,sandbox,member,manager,tenant}'),
    success int NOT NULL DEFAULT 200 CHECK (success BETWEEN 200 AND 299),
    writes boolean NOT NULL DEFAULT false,
    cors boolean NOT NULL DEFAULT false,
    idempotent boolean NOT NULL DEFAULT false CONSTRAINT get_is_idempotent_anyway CHECK (NOT idempotent OR method <> 'GET'),
    timeout_ms int NOT NULL DEFAULT 10000 CHECK (timeout_ms BETWEEN 1 AND 11000),
    message text,
    summary text NOT NULL,
    example json,
    builtin boolean NOT NULL DEFAULT false,
    from_fold boolean NOT NULL DEFAULT false,
    rate_class text COLLATE "C", -- of leadanalytics.rate_class, which room realtime makes
    feature text COLLATE "C" CHECK (feature ~ '^[a-z][a-z0-9_]{0,62}$'),
    open_members text[] NOT NULL DEFAULT '{}',
    paged boolean NOT NULL DEFAULT false,
    sliced boolean NOT NULL DEFAULT false CONSTRAINT what_is_sliced_only_reads CHECK (NOT sliced OR (method = 'GET' AND NOT writes)),
    PRIMARY KEY (path, method)
);
COMMENT ON TABLE leadanalytics.route IS 'the HTTP interface: method and path → SQL function';
COMMENT ON COLUMN leadanalytics.route.path IS 'segments; one that starts with a colon is a parameter; a literal segment wins over a parameter';
COMMENT ON COLUMN leadanalytics.route.function IS 'schema.name of a function that is not overloaded; it returns json, jsonb or leadanalytics.reply';
COMMENT ON COLUMN leadanalytics.route.family IS 'whose envelope answers and errors wear';
COMMENT ON COLUMN leadanalytics.route.roles IS 'roles of keys that may call it (admin always may); public: no key needed; manager: a member''s key whose member is an owner or admin';
COMMENT ON COLUMN leadanalytics.route.success IS 'the status when the function returns JSON';
COMMENT ON COLUMN leadanalytics.route.writes IS 'for a GET that changes something: it runs on the writing side; everything else always knows its side';
COMMENT ON COLUMN leadanalytics.route.cors IS 'a browser on another origin may call it';
COMMENT ON COLUMN leadanalytics.route.from_fold IS 'its answer stands on the fold: the header X-Data-As-Of says until when all is folded. The answer is current regardless';
COMMENT ON COLUMN leadanalytics.route.idempotent IS 'it heeds the header Idempotency-Key: a request that comes again is answered as the first was, and not done again';
COMMENT ON COLUMN leadanalytics.route.sliced IS 'its answer is a file, which nginx asks for by slices: the function''s argument slice says which, "bytes=0-1048575", and it replies with 206 and Content-Range';
COMMENT ON COLUMN leadanalytics.route.timeout_ms IS 'after this the request is given up with 503, ms';
COMMENT ON COLUMN leadanalytics.route.message IS 'the message of the engagement envelope';
COMMENT ON COLUMN leadanalytics.route.rate_class IS 'whose limit its requests have (leadanalytics.rate_limits); null: the class of its family, when there is one';
COMMENT ON COLUMN leadanalytics.route.feature IS 'what a workspace''s plan must have to open it; null: every plan does';
COMMENT ON COLUMN leadanalytics.route.example IS 'an answer, for OpenAPI, which takes its schema from it: members that not all elements of an array have are optional';
COMMENT ON COLUMN leadanalytics.route.open_members IS 'members of the example that are data, and may be others or none: paths such as counts.signup or series[].signup; best?: an object that may be null; data*: anything at all';
COMMENT ON COLUMN leadanalytics.route.paged IS 'of the engagement family: its function answers {"data": […], "pagination": {…}}, which stand side by side in the envelope';

CREATE TABLE leadanalytics.route_param (
    method text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    place text COLLATE "C" NOT NULL DEFAULT 'query' CHECK (place IN ('path', 'query', 'body', 'document')),
    arg text NOT NULL,
    type text NOT NULL DEFAULT 'text'
        CHECK (type IN ('text', 'int', 'bigint', 'number', 'boolean', 'date', 'timestamp', 'uuid', 'ip', 'json', 'form', 'workspace')),
    required boolean NOT NULL DEFAULT false,
    fallback text,
    min numeric,
    max numeric,
    choices text[],
    lenient boolean NOT NULL DEFAULT false,
    error text,
    position smallint NOT NULL DEFAULT 0,
    example text,
    summary text,
    PRIMARY KEY (path, method, place, name),
    CONSTRAINT document_is_json CHECK (place <> 'document' OR type IN ('json', 'form')),
    CONSTRAINT form_is_a_document CHECK (type <> 'form' OR place = 'document'),
    FOREIGN KEY (path, method) REFERENCES leadanalytics.route (path, method) ON UPDATE CASCADE ON DELETE CASCADE,
    CONSTRAINT path_has_it CHECK (place <> 'path' OR position('/:' || name || '/' IN path || '/') > 0),
    CONSTRAINT workspace_is_in_the_path CHECK (type <> 'workspace' OR place = 'path'),
    CONSTRAINT context_is_not_a_requests_to_say CHECK (arg NOT IN
        ('workspace', 'as_role', 'actor_key', 'client_ip', 'user_agent', 'origin', 'referer', 'request_id', 'idempotency_key', 'slice', 'now'))
);
COMMENT ON TABLE leadanalytics.route_param IS 'what a request may say to a route''s function: nothing else is bound';
COMMENT ON COLUMN leadanalytics.route_param.place IS 'path segment, query string, member of a JSON body, or the whole body (document)';
COMMENT ON COLUMN leadanalytics.route_param.arg IS 'the function''s argument';
COMMENT ON COLUMN leadanalytics.route_param.type IS 'what the text must be; text up to max characters; form: JSON, urlencoded, multipart or plain text, bound as a JSON object of texts';
COMMENT ON COLUMN leadanalytics.route_param.fallback IS 'the value when absent; null: the default of the function''s argument';
COMMENT ON COLUMN leadanalytics.route_param.lenient IS 'clamp to min and max, and take the fallback for what is unreadable, instead of answering 400';
COMMENT ON COLUMN leadanalytics.route_param.error IS 'the text of the 400; null: "<name> is required", "Invalid <name>"';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.route', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.route_param',
    'WHERE (path, method) IN (SELECT path, method FROM leadanalytics.route WHERE NOT builtin)');
