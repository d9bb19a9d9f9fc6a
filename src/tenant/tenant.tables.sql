-- Workspaces and who may speak for them. Sequences stand alone (no serial, no identity) so that a dump
-- carries them: see pg_extension_config_dump below.

-- Plans are shared: changing one changes what all its workspaces may do. The built-in one is nobody's to change.
CREATE TABLE leadanalytics.plan (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'),
    events_limit bigint CHECK (events_limit BETWEEN 0 AND 9007199254740991),
    postbacks_limit bigint CHECK (postbacks_limit BETWEEN 0 AND 9007199254740991),
    features text[] COLLATE "C",
    api_limit bigint NOT NULL DEFAULT 999999 CHECK (api_limit BETWEEN 0 AND 9007199254740991),
    builtin boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE leadanalytics.plan IS 'what workspaces may use in a month, and which routes their keys open';
COMMENT ON COLUMN leadanalytics.plan.events_limit IS 'pageviews and custom events of a month (UTC); null: any number';
COMMENT ON COLUMN leadanalytics.plan.postbacks_limit IS 'postbacks of a month (UTC) that an ad platform took; null: any number';
COMMENT ON COLUMN leadanalytics.plan.api_limit IS 'requests of the engagement family in a month (UTC): X-API-Usage-Limit';
COMMENT ON COLUMN leadanalytics.plan.features IS 'those of leadanalytics.route.feature that it has; null: all, and those to come';

CREATE SEQUENCE leadanalytics.workspace_id AS int;
CREATE TABLE leadanalytics.workspace (
    id int NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.workspace_id') PRIMARY KEY,
    slug text COLLATE "C" NOT NULL UNIQUE CHECK (slug ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    domain text,
    timezone text NOT NULL DEFAULT 'UTC',
    currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
    is_default boolean NOT NULL DEFAULT false,
    allowed_origins text[] NOT NULL DEFAULT '{}',
    sandbox_of int UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    plan text COLLATE "C" NOT NULL DEFAULT 'default' REFERENCES leadanalytics.plan (name),
    events_limit bigint CHECK (events_limit BETWEEN 0 AND 9007199254740991),
    postbacks_limit bigint CHECK (postbacks_limit BETWEEN 0 AND 9007199254740991),
    closed_at timestamptz,
    closed_among text[]
);
CREATE UNIQUE INDEX workspace_default ON leadanalytics.workspace (is_default) WHERE is_default;
COMMENT ON TABLE leadanalytics.workspace IS 'one row a tenant: every other row of data belongs to one';
COMMENT ON COLUMN leadanalytics.workspace.slug IS 'its name in URLs and answers (workspaceId, tenantId)';
COMMENT ON COLUMN leadanalytics.workspace.is_default IS 'takes public posts that nothing else assigns; at most one';
COMMENT ON COLUMN leadanalytics.workspace.allowed_origins IS 'origins whose pages may post to it, beside its sites'' domains; empty: any';
COMMENT ON COLUMN leadanalytics.workspace.sandbox_of IS 'the workspace whose sandbox keys see this one''s data; no foreign key, pg_dump warns of a table that refers to itself; see leadanalytics.drop_sandbox()';
COMMENT ON COLUMN leadanalytics.workspace.closed_at IS 'since when it is being deleted: nobody finds it any more, see leadanalytics.delete_workspace()';
COMMENT ON COLUMN leadanalytics.workspace.closed_among IS 'transactions that were under way then, and may have found it before; at first the one that closed it';
COMMENT ON COLUMN leadanalytics.workspace.events_limit IS 'its own, instead of its plan''s; null: its plan''s';
COMMENT ON COLUMN leadanalytics.workspace.postbacks_limit IS 'its own, instead of its plan''s; null: its plan''s';

CREATE TABLE leadanalytics.platform (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    provider text COLLATE "C" NOT NULL CHECK (provider ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    status text COLLATE "C" NOT NULL DEFAULT 'active' CHECK (status ~ '^[a-z][a-z0-9_]{0,62}$'),
    connected_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, provider)
);
COMMENT ON TABLE leadanalytics.platform IS 'where a workspace''s figures and events come from, and its postbacks go: meta, google-ads, tiktok, shopify, stripe, …';

-- Months are counted apart from the facts: erasing somebody, or dropping old months, gives nothing back.
CREATE TABLE leadanalytics.usage_month (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    month date NOT NULL,
    events bigint NOT NULL DEFAULT 0,
    postbacks bigint NOT NULL DEFAULT 0,
    requests bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, month)
);
COMMENT ON TABLE leadanalytics.usage_month IS 'what a workspace used of its plan in a month (UTC): see leadanalytics.usage()';
COMMENT ON COLUMN leadanalytics.usage_month.events IS 'pageviews and custom events that were received then and are folded; those not yet folded stand in leadanalytics.ledger';
COMMENT ON COLUMN leadanalytics.usage_month.requests IS 'requests of the engagement family that are saved; later ones stand in shared memory: see leadanalytics.api_usage()';
COMMENT ON COLUMN leadanalytics.usage_month.postbacks IS 'deliveries an ad platform took under a conversion rule: counted by whoever delivers, leadanalytics.count_postbacks()';

CREATE TABLE leadanalytics.site (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    site_key text COLLATE "C" NOT NULL UNIQUE CHECK (site_key ~ '^[A-Za-z0-9._-]{1,64}$'),
    domains text[] NOT NULL DEFAULT '{}',
    thank_you_url text,
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, site_key)
);
COMMENT ON TABLE leadanalytics.site IS 'a web site of a workspace: its key stands in the page, its domains say who may post';
CREATE INDEX site_domains ON leadanalytics.site USING gin (domains);

CREATE TABLE leadanalytics.form (
    workspace int NOT NULL,
    site_key text COLLATE "C" NOT NULL,
    form_id text COLLATE "C" NOT NULL CHECK (form_id ~ '^[A-Za-z0-9._-]{1,64}$'),
    thank_you_url text,
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, site_key, form_id),
    FOREIGN KEY (workspace, site_key) REFERENCES leadanalytics.site (workspace, site_key) ON DELETE CASCADE
);
COMMENT ON TABLE leadanalytics.form IS 'an enquiry form of a site';

CREATE SEQUENCE leadanalytics.member_id;
CREATE TABLE leadanalytics.member (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.member_id'),
    email text COLLATE "C" NOT NULL CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, email)
);
COMMENT ON TABLE leadanalytics.member IS 'a person who belongs to a workspace';

-- Keys. The text is shown once, by create_key; what is kept is its SHA-256 and the first characters it
-- is found by. Revoking is an UPDATE that the next request already sees.
CREATE TABLE leadanalytics.key_role (
    role text COLLATE "C" PRIMARY KEY,
    prefix text COLLATE "C" NOT NULL UNIQUE,
    opens text NOT NULL
);
COMMENT ON TABLE leadanalytics.key_role IS 'the kinds of keys: what their text starts with and what they open';

CREATE SEQUENCE leadanalytics.key_id;
CREATE TABLE leadanalytics.key (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.key_id'),
    role text NOT NULL,
    prefix text COLLATE "C" NOT NULL UNIQUE,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    name text,
    member bigint,
    pages text[],
    per_minute int CHECK (per_minute >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    PRIMARY KEY (workspace, id),
    FOREIGN KEY (workspace, member) REFERENCES leadanalytics.member (workspace, id) ON DELETE CASCADE,
    CHECK ((role = 'member') = (member IS NOT NULL))
);
COMMENT ON TABLE leadanalytics.key IS 'API keys: one workspace, one role; the secret itself is not kept';
COMMENT ON COLUMN leadanalytics.key.prefix IS 'the part of the text a key is found by: the role''s prefix and 12 hexadecimal digits';
COMMENT ON COLUMN leadanalytics.key.digest IS 'SHA-256 of the whole text';
COMMENT ON COLUMN leadanalytics.key.pages IS 'marketing keys: the pages they may open; null: all';
COMMENT ON COLUMN leadanalytics.key.per_minute IS 'requests a minute instead of the route''s limit; 0: no limit';

-- SQL callers: which database role may ask about which workspace. Names, not oids: they survive a dump.
CREATE TABLE leadanalytics.workspace_role (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    role name NOT NULL,
    as_role text NOT NULL DEFAULT 'admin' CHECK (as_role IN ('admin', 'marketing')),
    PRIMARY KEY (workspace, role)
);
COMMENT ON TABLE leadanalytics.workspace_role IS 'database roles that may ask about a workspace, and whether they see contacts masked (marketing)';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.plan', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.workspace_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.workspace', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.platform', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.usage_month', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.site', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.form', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.member_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.member', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.key_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.key', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.workspace_role', '');
