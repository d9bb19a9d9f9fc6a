-- What PostgREST sees: a schema with two functions. Only the extension's owner can create anything in it.
CREATE SCHEMA leadanalytics_door;
COMMENT ON SCHEMA leadanalytics_door IS 'the two functions that PostgREST calls for every HTTP request';
GRANT USAGE ON SCHEMA leadanalytics_door TO leadanalytics_anon;

CREATE DOMAIN leadanalytics_door."*/*" AS bytea;
COMMENT ON DOMAIN leadanalytics_door."*/*" IS 'tells PostgREST to send the bytes as they are, whatever the client accepts';

-- Answers to requests that carried an Idempotency-Key, for a day. A row is written before the work and in
-- its transaction: whoever comes with the same key meanwhile waits for that to end. What fails leaves none.
-- No foreign key: its row need not be locked for every request.
CREATE TABLE leadanalytics.idempotency (
    digest uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    workspace int,
    route text NOT NULL,
    status smallint,
    content_type text,
    headers json,
    answer bytea
);
COMMENT ON TABLE leadanalytics.idempotency IS 'what was answered to requests with an Idempotency-Key, for leadanalytics.idempotency_keep';
COMMENT ON COLUMN leadanalytics.idempotency.digest IS
    'of workspace, role, method, path and key; of a request without an API key: of method, URI, key, origin and body';
COMMENT ON COLUMN leadanalytics.idempotency.workspace IS 'null: a request without an API key';
COMMENT ON COLUMN leadanalytics.idempotency.status IS 'null: the work is not done yet, which only its own transaction sees';
CREATE INDEX idempotency_oldest ON leadanalytics.idempotency (at);

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.idempotency', '');
