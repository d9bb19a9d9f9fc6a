-- Who is meant when somebody's data is asked for, and what was erased.

CREATE TYPE leadanalytics.subject AS (
    workspace int,
    visitors int[],
    visitor_ids text[] COLLATE "C",
    persons int[],
    user_ids text[] COLLATE "C",
    emails text[] COLLATE "C",
    phones text[] COLLATE "C",
    leads bigint[],
    lead_names text[] COLLATE "C",
    sessions bigint[],
    session_ids text[] COLLATE "C",
    messages bigint[],
    contacts bigint[],
    rejected bigint[],
    ips inet[]
);
COMMENT ON TYPE leadanalytics.subject IS
    'all that is known to be one person: numbers and ids of visitors and persons (user ids), e-mail addresses in lower case, phones as they were said and as digits, '
    'leads (also ids kept for them) and what other systems call them, sessions and their clients'' names, messages, contacts, posts kept apart, addresses they came from';

-- What was erased, and nothing of whom: a digest tells only whether somebody who is named again was named then.
CREATE SEQUENCE leadanalytics.erasure_id;
CREATE TABLE leadanalytics.erasure (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.erasure_id'),
    at timestamptz NOT NULL,
    mode text COLLATE "C" NOT NULL CHECK (mode IN ('delete', 'anonymise')),
    key bigint,
    role name NOT NULL,
    salt text NOT NULL,
    digests text[] COLLATE "C" NOT NULL,
    counts json NOT NULL,
    PRIMARY KEY (workspace, id)
);
COMMENT ON TABLE leadanalytics.erasure IS 'erasures: who asked for them, when, and how many rows of what it was';
COMMENT ON COLUMN leadanalytics.erasure.key IS 'the key that asked; null: SQL';
COMMENT ON COLUMN leadanalytics.erasure.role IS 'the database role that asked';
COMMENT ON COLUMN leadanalytics.erasure.digests IS 'SHA-256 of salt, kind of name and name, of each name that was given';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.erasure_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.erasure', '');
