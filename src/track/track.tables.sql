-- Web events: the dictionary, visitors and persons, sessions, and the events themselves.
--
-- The partitioned parent carries no index, key, identity or default partition, and the install script
-- makes no leaf: leaves are made by leadanalytics.make_leaf() at run time, are no members of the
-- extension, and so are dumped and restored as ordinary tables.

-- What repeats (names, pages, campaigns, places, browsers) is a number in the rows that repeat it. An entry
-- is one text or several that belong together, see the views below. It is found by the first 128 bits of
-- its SHA-256: pages may be longer than an index takes, and nobody can make two of them meet.
CREATE SEQUENCE leadanalytics.term_id AS int;
CREATE TABLE leadanalytics.term (
    workspace int NOT NULL,
    id int NOT NULL,
    digest uuid NOT NULL,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('text', 'page', 'campaign', 'place', 'network', 'agent', 'fingerprint', 'device', 'tag', 'source')),
    parts text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace, id)
);
CREATE UNIQUE INDEX term_digest ON leadanalytics.term (workspace, digest);
-- What filters name; paths may be longer than an index takes.
CREATE INDEX term_by_kind ON leadanalytics.term (workspace, kind, left(parts[2], 64)) WHERE kind IN ('page', 'campaign', 'place');
COMMENT ON TABLE leadanalytics.term IS 'the dictionary: what events repeat, by number; the view leadanalytics.dictionary shows it, the views leadanalytics.term_page, term_campaign, … name its parts';
COMMENT ON COLUMN leadanalytics.term.digest IS 'the first 16 bytes of the SHA-256 of kind and parts, each closed by a NUL';
COMMENT ON COLUMN leadanalytics.term.parts IS 'what the entry is made of, in the order of its kind''s view; null: not known';

-- A visitor and a person draw their numbers from one sequence: the two never meet in leadanalytics.event's
-- index by history. Numbers are drawn for new ones only: sets of visitors are bitmaps, and gaps would swell them.
CREATE SEQUENCE leadanalytics.visitor_number AS int;

-- Most batches only lock their visitors' rows (which is what keeps two batches from opening two sessions
-- for one visit) and change them when a session opens: when somebody was last seen is told by sessions and
-- events.
CREATE TABLE leadanalytics.visitor (
    workspace int NOT NULL,
    number int NOT NULL,
    sessions int NOT NULL DEFAULT 0,
    person int,
    last_session bigint,
    visitor_id text COLLATE "C" NOT NULL,
    email text,
    PRIMARY KEY (workspace, visitor_id)
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX visitor_by_number ON leadanalytics.visitor (workspace, number);
CREATE INDEX visitor_by_person ON leadanalytics.visitor (workspace, person) INCLUDE (number) WHERE person IS NOT NULL;
CREATE INDEX visitor_by_email ON leadanalytics.visitor USING gin (leadanalytics.grams(workspace, lower(email))) WITH (fastupdate = off) WHERE email IS NOT NULL;
COMMENT ON TABLE leadanalytics.visitor IS 'a browser: the id its pages send, and the number its events carry';
COMMENT ON COLUMN leadanalytics.visitor.sessions IS 'how many it has had: the "returns" of its next one';
COMMENT ON COLUMN leadanalytics.visitor.person IS 'who it was last identified as';
COMMENT ON COLUMN leadanalytics.visitor.last_session IS 'the server-made session its next event may belong to';
COMMENT ON COLUMN leadanalytics.visitor.email IS 'of somebody who said it without being identified';

CREATE TABLE leadanalytics.person (
    workspace int NOT NULL,
    number int NOT NULL,
    alias_of int,
    user_id text COLLATE "C" NOT NULL,
    email text,
    PRIMARY KEY (workspace, user_id)
);
CREATE UNIQUE INDEX person_by_number ON leadanalytics.person (workspace, number);
CREATE INDEX person_by_alias ON leadanalytics.person (workspace, alias_of) WHERE alias_of IS NOT NULL;
CREATE INDEX person_by_email ON leadanalytics.person USING gin (leadanalytics.grams(workspace, lower(email))) WITH (fastupdate = off) WHERE email IS NOT NULL;
COMMENT ON TABLE leadanalytics.person IS 'a user id: it joins the visitors that were identified by it';
COMMENT ON COLUMN leadanalytics.person.alias_of IS 'the person this one is: another name of it; never itself an alias';

CREATE TABLE leadanalytics.identity (
    workspace int NOT NULL,
    visitor int NOT NULL,
    person int NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (workspace, visitor, person)
);
COMMENT ON TABLE leadanalytics.identity IS 'every person a visitor was ever identified as, and since when; never changed';

-- A session's first columns are those of its first received event, written once; the middle ones move
-- while it is open; ended_at and what follows is written once, when it closes, and closed is final.
CREATE SEQUENCE leadanalytics.session_number;
CREATE TABLE leadanalytics.session (
    workspace int NOT NULL,
    visitor int,
    number bigint NOT NULL,
    started_at timestamptz NOT NULL,
    entry_page int,
    referrer int,
    campaign int,
    place int,
    network int,
    agent int,
    fingerprint int,
    device int,
    returns int NOT NULL DEFAULT 0,
    vpn_score smallint,
    last_page int,
    last_seen timestamptz NOT NULL,
    events int NOT NULL DEFAULT 0,
    pageviews int NOT NULL DEFAULT 0,
    clicks int NOT NULL DEFAULT 0,
    scroll_percent real NOT NULL DEFAULT 0,
    ended_at timestamptz,
    is_ended boolean NOT NULL DEFAULT false,
    ip inet,
    session_id text COLLATE "C",
    import int,
    PRIMARY KEY (workspace, number)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX session_by_id ON leadanalytics.session (workspace, session_id) WHERE session_id IS NOT NULL;
CREATE INDEX session_by_visitor ON leadanalytics.session (workspace, visitor, started_at) INCLUDE (number, campaign); -- what a journey touched, without its rows
CREATE INDEX session_by_fingerprint ON leadanalytics.session (workspace, fingerprint, started_at) WHERE fingerprint IS NOT NULL;
CREATE INDEX session_by_ip ON leadanalytics.session (workspace, ip) WHERE ip IS NOT NULL; -- leads ask; without a time an address stands there once
CREATE INDEX session_by_start ON leadanalytics.session (workspace, started_at);
CREATE INDEX session_open ON leadanalytics.session (workspace, number) WHERE ended_at IS NULL;
COMMENT ON TABLE leadanalytics.session IS 'a visit: session_id when the client named it, null when the server made it; the view leadanalytics.sessions shows it as text';
COMMENT ON COLUMN leadanalytics.session.returns IS 'sessions of the visitor that were opened before this one';
COMMENT ON COLUMN leadanalytics.session.import IS 'the import that opened it or moved it last: idleness does not close it while that goes on';
COMMENT ON COLUMN leadanalytics.session.vpn_score IS '0 to 100, see leadanalytics.vpn_score(); null: nothing is known of its network';
COMMENT ON COLUMN leadanalytics.session.ended_at IS 'set once, by the client''s end or by idleness; an idle one may be complete before this is written: see leadanalytics.session_end()';
COMMENT ON COLUMN leadanalytics.session.is_ended IS 'its client said so';

-- A session is its first event's visitor's. What somebody else does in it (a page that begins to send another
-- visitor_id, a server that names a user and the session alone) is found by this: few rows, if any.
CREATE TABLE leadanalytics.guest (
    workspace int NOT NULL,
    number int NOT NULL,
    session bigint NOT NULL,
    PRIMARY KEY (workspace, number, session)
);
CREATE INDEX guest_by_session ON leadanalytics.guest (workspace, session);
COMMENT ON TABLE leadanalytics.guest IS 'sessions with events of somebody who is not their visitor';
COMMENT ON COLUMN leadanalytics.guest.number IS 'a visitor, or the person of events that name no visitor';

-- Wide columns first: no padding between them.
CREATE TABLE leadanalytics.event (
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    id bigint NOT NULL,
    session bigint,
    workspace int NOT NULL,
    visitor int,
    person int,
    name int NOT NULL,
    title int,
    referrer int,
    source int,
    page int,
    campaign int,
    place int,
    agent int,
    fingerprint int,
    device int,
    screen_width smallint,
    screen_height smallint,
    kind "char" NOT NULL,
    is_bot boolean NOT NULL DEFAULT false,
    event_id uuid,
    tags int[],
    data jsonb
) PARTITION BY RANGE (at);
COMMENT ON TABLE leadanalytics.event IS 'web events, one row each, never changed; the view leadanalytics.events shows them as text';
COMMENT ON COLUMN leadanalytics.event.at IS 'the client''s time when believable, else received_at: partition key, bucket, and what ranges mean';
COMMENT ON COLUMN leadanalytics.event.person IS 'who the event itself named; the visitor may be known as somebody without it';
COMMENT ON COLUMN leadanalytics.event.kind IS 'p pageview, a auto (scroll, click, …), c custom';
COMMENT ON COLUMN leadanalytics.event.source IS 'its source and its name, as one number of leadanalytics.term_source';
COMMENT ON COLUMN leadanalytics.event.tags IS 'numbers of leadanalytics.term_tag, each once; null: none';
COMMENT ON COLUMN leadanalytics.event.is_bot IS 'a robot''s by its agent, as it was told when the event came: such an event has no session';

-- Ids are drawn in blocks of 1 024: (nextval << 10) and the 1 023 after it.
CREATE SEQUENCE leadanalytics.event_block;
ALTER TABLE leadanalytics.event ALTER id SET DEFAULT pg_catalog.nextval('leadanalytics.event_block') << 10;
COMMENT ON COLUMN leadanalytics.event.id IS 'its upper bits are the block that one statement drew: see leadanalytics.ledger';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.term_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.term', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.visitor_number', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.visitor', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.person', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.identity', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.guest', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.session_number', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.session', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.event_block', '');
