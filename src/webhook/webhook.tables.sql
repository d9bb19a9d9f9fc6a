-- The outbox: what is to be told to other systems, written in the transaction that made it true.
CREATE SEQUENCE leadanalytics.outbox_id;
CREATE TABLE leadanalytics.outbox (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.outbox_id'),
    topic text COLLATE "C" NOT NULL,
    body json NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id)
);
COMMENT ON TABLE leadanalytics.outbox IS 'what webhooks have to tell, one row an occurrence; delivery is not built yet, rows wait';
COMMENT ON COLUMN leadanalytics.outbox.topic IS 'lead.captured, lead.reengaged, lead.test, conversion.postback';
COMMENT ON COLUMN leadanalytics.outbox.body IS 'what is sent';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.outbox_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.outbox', '');
