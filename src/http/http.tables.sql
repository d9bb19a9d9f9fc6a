-- What PostgREST sees: a schema with two functions. Only the extension's owner can create anything in it.
CREATE SCHEMA leadanalytics_door;
COMMENT ON SCHEMA leadanalytics_door IS 'the two functions that PostgREST calls for every HTTP request';
GRANT USAGE ON SCHEMA leadanalytics_door TO leadanalytics_anon;

CREATE DOMAIN leadanalytics_door."*/*" AS bytea;
COMMENT ON DOMAIN leadanalytics_door."*/*" IS 'tells PostgREST to send the bytes as they are, whatever the client accepts';
