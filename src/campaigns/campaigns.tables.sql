-- Campaigns, whom they send from, messages, and what happened to them.
--
-- Truth is what was said of messages: message_event, which is only ever added to. A message's row is what follows
-- from its events, worked out anew whenever one comes (message.c), so that neither the order in which they come
-- matters nor that some come twice. Of each kind a message has one fact at most (D-42): therefore counts add up over
-- any time, and those below are exact without sets.

-- Keys are unique as (key, workspace), in this order: of two indexes that begin with the workspace the planner takes
-- either for a table that was small when it last looked, and reads all of the workspace.
CREATE SEQUENCE leadanalytics.campaign_id AS int;
CREATE TABLE leadanalytics.campaign (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id int NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.campaign_id'),
    key text COLLATE "C" NOT NULL CHECK (char_length(key) BETWEEN 1 AND 200),
    name text NOT NULL,
    status text COLLATE "C" CHECK (status IN ('draft', 'active', 'sending', 'paused', 'completed')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (key, workspace)
);
COMMENT ON TABLE leadanalytics.campaign IS 'a mailing, called by a key of its sender''s; one that messages name before it was put has its key as name';
COMMENT ON COLUMN leadanalytics.campaign.status IS 'null: not told';

CREATE SEQUENCE leadanalytics.sending_domain_id AS int;
CREATE TABLE leadanalytics.sending_domain (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id int NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.sending_domain_id'),
    key text COLLATE "C" NOT NULL CHECK (char_length(key) BETWEEN 1 AND 200),
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (key, workspace)
);
COMMENT ON TABLE leadanalytics.sending_domain IS 'a domain that messages are sent from';

CREATE SEQUENCE leadanalytics.mailbox_id AS int;
CREATE TABLE leadanalytics.mailbox (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id int NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.mailbox_id'),
    key text COLLATE "C" NOT NULL CHECK (char_length(key) BETWEEN 1 AND 200),
    address text,
    domain int,
    health_score numeric CHECK (health_score BETWEEN 0 AND 100),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (key, workspace),
    FOREIGN KEY (workspace, domain) REFERENCES leadanalytics.sending_domain (workspace, id) ON DELETE SET NULL (domain)
);
COMMENT ON TABLE leadanalytics.mailbox IS 'a mailbox that messages are sent from';
COMMENT ON COLUMN leadanalytics.mailbox.domain IS 'the domain of messages from here that name none; those sent before it was told keep having none';
COMMENT ON COLUMN leadanalytics.mailbox.health_score IS '0 to 100 as its owner has it; null: it is reckoned from what it sent (D-45)';

CREATE SEQUENCE leadanalytics.sending_ip_id AS int;
CREATE TABLE leadanalytics.sending_ip (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id int NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.sending_ip_id'),
    key text COLLATE "C" NOT NULL CHECK (char_length(key) BETWEEN 1 AND 200),
    address inet NOT NULL,
    blacklisted boolean NOT NULL DEFAULT false,
    checked_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (key, workspace)
);
COMMENT ON TABLE leadanalytics.sending_ip IS 'an address that messages are sent from, and whether a blacklist has it';
COMMENT ON COLUMN leadanalytics.sending_ip.checked_at IS 'when blacklists were last asked; null: never';

-- What repeats, by number: addresses of links, agents, reasons of bounces. Found by the first 128 bits of their SHA-256.
CREATE SEQUENCE leadanalytics.message_text_id AS int;
CREATE TABLE leadanalytics.message_text (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id int NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.message_text_id'),
    digest uuid NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (digest, workspace)
);
COMMENT ON TABLE leadanalytics.message_text IS 'texts that events of messages repeat';

-- Numbers of messages: one sequence, no gaps but those of batches that failed.
CREATE SEQUENCE leadanalytics.message_number;
-- A row is added bare, for its lock, and written in the same transaction: so much room that it stays on its page. No
-- foreign key, as with their events: it was asked twice for each message, a sixth of what taking one in costs.
CREATE TABLE leadanalytics.message (
    workspace int NOT NULL,
    id bigint NOT NULL,
    key text COLLATE "C" CHECK (char_length(key) BETWEEN 1 AND 200),
    first_at timestamptz,
    campaign int,
    domain int,
    mailbox int,
    sending_ip inet,
    lead text COLLATE "C",
    lead_number bigint,
    recipient text,
    workflow text COLLATE "C",
    sent_at timestamptz,
    delivered_at timestamptz,
    bounced_at timestamptz,
    is_hard boolean,
    reason int,
    opened_at timestamptz,
    clicked_at timestamptz,
    replied_at timestamptz,
    complained_at timestamptz,
    unsubscribed_at timestamptz,
    is_final boolean NOT NULL DEFAULT false,
    PRIMARY KEY (workspace, id),
    UNIQUE (key, workspace)
) WITH (fillfactor = 30);
COMMENT ON TABLE leadanalytics.message IS
    'messages and the facts that follow from their events: of each kind the first, machines'' opens and clicks left out. Written by leadanalytics.settle_messages() alone';
COMMENT ON COLUMN leadanalytics.message.key IS 'what its sender calls it';
COMMENT ON COLUMN leadanalytics.message.first_at IS 'when its first event was, whatever kind: it has none in the leaves before';
COMMENT ON COLUMN leadanalytics.message.lead IS 'the lead it went to, as its sender calls it';
COMMENT ON COLUMN leadanalytics.message.lead_number IS 'the id of that lead, or the one kept for it in leadanalytics.named_lead';
COMMENT ON COLUMN leadanalytics.message.delivered_at IS 'null for one that bounced; without an event that says so, the time it was sent (D-65)';
COMMENT ON COLUMN leadanalytics.message.is_hard IS 'of one that bounced: for good. A hard bounce wins over soft ones, whose time stays';
COMMENT ON COLUMN leadanalytics.message.is_final IS 'its events went (see leadanalytics.expire_message_events()): what is said of it from then on changes nothing here';
COMMENT ON COLUMN leadanalytics.message.reason IS 'why it bounced, in leadanalytics.message_text';

CREATE SEQUENCE leadanalytics.message_event_id;
CREATE TABLE leadanalytics.message_event (
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.message_event_id'),
    message bigint NOT NULL,
    workspace int NOT NULL,
    campaign int,
    domain int,
    mailbox int,
    url int,
    agent int,
    reason int,
    kind "char" NOT NULL CONSTRAINT message_kind CHECK (kind IN ('s', 'd', 'b', 'o', 'c', 'r', 'p', 'u')),
    is_machine boolean NOT NULL DEFAULT false,
    is_hard boolean,
    event_id uuid,
    sending_ip inet,
    ip inet,
    lead text COLLATE "C",
    recipient text,
    workflow text COLLATE "C",
    bounce_code text
) PARTITION BY RANGE (at);
COMMENT ON TABLE leadanalytics.message_event IS 'what was said of messages, as it came; never changed, and gone when its workspace keeps it no longer';
COMMENT ON COLUMN leadanalytics.message_event.kind IS 's sent, d delivered, b bounced, o opened, c clicked, r replied, p complained, u unsubscribed';
COMMENT ON COLUMN leadanalytics.message_event.is_machine IS 'an open or click of an agent known to be a machine''s; others show when all events of the message are seen together: leadanalytics.message_events_rows()';
COMMENT ON COLUMN leadanalytics.message_event.event_id IS 'what comes again with the same one is the same event; null: neither id nor time was said, and every one is another';

-- Counts of facts. Writers add rows to message_fresh_tally, each its own; leadanalytics.sum_messages() adds them to
-- message_tally, one row a count. A count is the sum of both, and no writer waits for another's. What wrote
-- them (settle_messages) also wrote the rows of message: all three are dumped together.
CREATE TABLE leadanalytics.message_tally (
    workspace int NOT NULL,
    series "char" NOT NULL,
    bucket timestamptz NOT NULL,
    campaign int NOT NULL,
    domain int NOT NULL,
    mailbox int NOT NULL,
    reason int NOT NULL,
    sent bigint NOT NULL,
    delivered bigint NOT NULL,
    hard bigint NOT NULL,
    soft bigint NOT NULL,
    opened bigint NOT NULL,
    clicked bigint NOT NULL,
    replied bigint NOT NULL,
    complained bigint NOT NULL,
    unsubscribed bigint NOT NULL,
    PRIMARY KEY (workspace, series, bucket, campaign, domain, mailbox, reason)
) WITH (fillfactor = 80);
COMMENT ON TABLE leadanalytics.message_tally IS 'how many messages have a fact (or how many events there are) in a bucket of time, together with leadanalytics.message_fresh_tally; leadanalytics.message_series() tells the series';
COMMENT ON COLUMN leadanalytics.message_tally.campaign IS '0: none, or not told apart in this series; so domain, mailbox and reason';

CREATE TABLE leadanalytics.message_fresh_tally (
    LIKE leadanalytics.message_tally,
    since timestamptz NOT NULL DEFAULT pg_catalog.now()
) WITH (autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_scale_factor = 0); -- readers pass its dead rows
CREATE INDEX message_fresh_tally_bucket ON leadanalytics.message_fresh_tally (workspace, series, bucket);
COMMENT ON TABLE leadanalytics.message_fresh_tally IS 'what statements changed in the counts of leadanalytics.message_tally and nobody has summed up yet';

-- Who has which fact when: leadanalytics.trail, kind m, with what is here. Some thousands of points a row, as a statement
-- changed them: they are read as a whole.
CREATE TABLE leadanalytics.message_fresh_point (
    workspace int NOT NULL,
    fact "char" NOT NULL,
    sign smallint NOT NULL CHECK (sign IN (1, -1)),
    n int NOT NULL,
    leads bigint[] NOT NULL,
    times timestamptz[] NOT NULL,
    since timestamptz NOT NULL DEFAULT pg_catalog.now()
) WITH (autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE leadanalytics.message_fresh_point ALTER leads SET STORAGE EXTERNAL, ALTER times SET STORAGE EXTERNAL;
COMMENT ON TABLE leadanalytics.message_fresh_point IS 'facts of leads'' messages that statements added (sign 1) or took back (-1) and that are not in leadanalytics.trail yet';
COMMENT ON COLUMN leadanalytics.message_fresh_point.leads IS 'lead_number of each of n messages; times has when its fact is';

-- What functions hand each other.
CREATE TYPE leadanalytics.message_item AS (
    index int,
    error text,
    key text COLLATE "C",
    kind "char",
    event_id uuid,
    at timestamptz,
    at_receipt boolean,
    campaign text COLLATE "C",
    domain text COLLATE "C",
    mailbox text COLLATE "C",
    sending_ip inet,
    lead text,
    recipient text,
    workflow text,
    is_hard boolean,
    bounce_code text,
    reason text,
    url text,
    agent text COLLATE "C",
    ip inet
);
COMMENT ON TYPE leadanalytics.message_item IS 'an event of a message as it was sent, and what is wrong with it';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.campaign_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.campaign', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.sending_domain_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.sending_domain', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.mailbox_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.mailbox', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.sending_ip_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.sending_ip', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.message_text_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.message_text', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.message_number', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.message', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.message_event_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.message_tally', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.message_fresh_tally', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.message_fresh_point', '');
