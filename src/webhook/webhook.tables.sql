-- What is told to other systems. A room that has something to tell writes a row of the outbox in the transaction that
-- made it true. Once that is committed, every webhook that wants the topic gets a delivery of its own, and the outbox
-- row goes, in one transaction; mails are deliveries from the beginning. A delivery is sent outside of any transaction
-- and kept with what became of it.

-- Topics: the catalog. A room adds a row beside the function that tells of it.
CREATE TABLE leadanalytics.topic (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$'),
    summary text NOT NULL,
    example json NOT NULL,
    builtin boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE leadanalytics.topic IS 'what webhooks can be told of';
COMMENT ON COLUMN leadanalytics.topic.example IS 'what an envelope''s data is like';

CREATE SEQUENCE leadanalytics.outbox_id;
CREATE TABLE leadanalytics.outbox (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.outbox_id'),
    topic text COLLATE "C" NOT NULL,
    body json NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX outbox_order ON leadanalytics.outbox (id);
COMMENT ON TABLE leadanalytics.outbox IS 'what happened and no webhook has been given yet, one row an occurrence';
COMMENT ON COLUMN leadanalytics.outbox.topic IS 'of leadanalytics.topic';
COMMENT ON COLUMN leadanalytics.outbox.body IS 'the envelope''s data';

CREATE TABLE leadanalytics.webhook (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    key text COLLATE "C" NOT NULL,
    url text NOT NULL CHECK (char_length(url) BETWEEN 1 AND 2000),
    topics text[] COLLATE "C" NOT NULL CHECK (cardinality(topics) BETWEEN 1 AND 100),
    platform text COLLATE "C" CHECK (platform ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    secret text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    at_once smallint NOT NULL DEFAULT 4 CHECK (at_once BETWEEN 1 AND 64),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, key)
);
COMMENT ON TABLE leadanalytics.webhook IS 'where a workspace wants to be told of what happens';
COMMENT ON COLUMN leadanalytics.webhook.key IS 'what the interface calls it, whk_…';
COMMENT ON COLUMN leadanalytics.webhook.topics IS 'of leadanalytics.topic; *: all';
COMMENT ON COLUMN leadanalytics.webhook.platform IS 'the ad platform that stands behind it: it gets that platform''s postbacks (conversion.postback), which nobody else does';
COMMENT ON COLUMN leadanalytics.webhook.secret IS 'what bodies are signed with';
COMMENT ON COLUMN leadanalytics.webhook.at_once IS 'how many deliveries to it may be under way at once';

CREATE SEQUENCE leadanalytics.delivery_id;
CREATE TABLE leadanalytics.delivery (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.delivery_id'),
    webhook text COLLATE "C",
    recipient text,
    occurrence text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    subject text,
    body text NOT NULL,
    attachment text COLLATE "C",
    status text COLLATE "C" NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'delivered', 'dead')),
    attempts int NOT NULL DEFAULT 0,
    attempts_before int NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL,
    tried_at timestamptz,
    leased_until timestamptz,
    answer_status int,
    answer text,
    error text,
    created_at timestamptz NOT NULL,
    delivered_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (workspace, id),
    FOREIGN KEY (workspace, webhook) REFERENCES leadanalytics.webhook (workspace, key) ON DELETE CASCADE,
    CONSTRAINT goes_to_one CHECK ((webhook IS NULL) <> (recipient IS NULL)),
    CONSTRAINT a_mail_has_a_subject CHECK ((recipient IS NULL) = (subject IS NULL))
);
COMMENT ON TABLE leadanalytics.delivery IS 'one occurrence for one webhook, or one mail for one recipient: how often it was tried and what became of it';
COMMENT ON COLUMN leadanalytics.delivery.occurrence IS 'the envelope''s id: the same for all webhooks, attempts and replays';
COMMENT ON COLUMN leadanalytics.delivery.recipient IS 'of a mail: an address';
COMMENT ON COLUMN leadanalytics.delivery.body IS 'what is sent, byte by byte the same at each attempt: the envelope, or a mail''s text';
COMMENT ON COLUMN leadanalytics.delivery.attachment IS 'of a mail: the export whose file goes with it';
COMMENT ON COLUMN leadanalytics.delivery.status IS 'waiting for its next attempt; delivered; dead: given up, leadanalytics.replay_delivery() tries anew';
COMMENT ON COLUMN leadanalytics.delivery.attempts IS 'they only grow: who records an attempt knows by its number that it is still the last one';
COMMENT ON COLUMN leadanalytics.delivery.attempts_before IS 'those before it was last replayed: they are not held against it';
COMMENT ON COLUMN leadanalytics.delivery.next_at IS 'when the next attempt is due; of one that is sent now, when it is due if nothing is heard of it any more';
COMMENT ON COLUMN leadanalytics.delivery.leased_until IS 'somebody sends it now, and is believed to until then';
COMMENT ON COLUMN leadanalytics.delivery.answer IS 'the beginning of what the receiver said at the last attempt';
COMMENT ON COLUMN leadanalytics.delivery.delivered_at IS 'when the receiver took it for the first time';
CREATE INDEX delivery_due ON leadanalytics.delivery (next_at) WHERE status = 'waiting';
-- A queue is what waits for one webhook, or a workspace's mails (webhook '').
CREATE INDEX delivery_queue ON leadanalytics.delivery (workspace, coalesce(webhook, ''), next_at, id) WHERE status = 'waiting';
CREATE INDEX delivery_sent_now ON leadanalytics.delivery (workspace, coalesce(webhook, '')) WHERE leased_until IS NOT NULL;
CREATE INDEX delivery_tried ON leadanalytics.delivery (coalesce(tried_at, created_at)) WHERE status = 'waiting';
CREATE INDEX delivery_dead ON leadanalytics.delivery (workspace, webhook, ended_at) WHERE status = 'dead';
CREATE INDEX delivery_of_webhook ON leadanalytics.delivery (workspace, webhook, id) WHERE webhook IS NOT NULL;
CREATE INDEX delivery_ended ON leadanalytics.delivery (ended_at) WHERE ended_at IS NOT NULL;

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.topic', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.outbox_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.outbox', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.webhook', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.delivery_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.delivery', '');
