-- The door, and the routes that belong to no other room.

CREATE FUNCTION leadanalytics_door.handle_ro(bytea)
RETURNS leadanalytics_door."*/*" LANGUAGE c STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'la_http_handle_ro';
COMMENT ON FUNCTION leadanalytics_door.handle_ro(bytea) IS
    'answers GET, HEAD and OPTIONS; the request is in the setting request.headers, as nginx.conf sends it';

CREATE FUNCTION leadanalytics_door.handle_rw(bytea)
RETURNS leadanalytics_door."*/*" LANGUAGE c VOLATILE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'la_http_handle_rw';
COMMENT ON FUNCTION leadanalytics_door.handle_rw(bytea) IS
    'answers every other method, and a GET whose route writes; the body is the argument';

GRANT EXECUTE ON FUNCTION leadanalytics_door.handle_ro(bytea), leadanalytics_door.handle_rw(bytea) TO leadanalytics_anon;

-- A changed route or limit is seen by every session's next transaction.
CREATE FUNCTION leadanalytics.route_changed()
RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'la_http_route_changed';
COMMENT ON FUNCTION leadanalytics.route_changed() IS 'tells all sessions to read the routes and their limits again';

CREATE TRIGGER route_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadanalytics.route
    FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.route_changed();
CREATE TRIGGER route_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadanalytics.route_param
    FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.route_changed();
CREATE TRIGGER route_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadanalytics.rate_class
    FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.route_changed();
CREATE TRIGGER route_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON leadanalytics.rate_limit
    FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.route_changed();

-- Questions from SQL. What a role sees is the caller's to say, so this is for the extension's own functions.
CREATE FUNCTION leadanalytics.ask_route(workspace int, path text, parameters jsonb, as_role text, now timestamptz)
RETURNS json LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'la_http_ask_route';
COMMENT ON FUNCTION leadanalytics.ask_route(int, text, jsonb, text, timestamptz) IS
    'what the function of a GET route (its path as leadanalytics.route has it) answers to parameters by name, read as the door reads them, and to a key of that role: LA422 with errors of parameters.<name>, LA403, LA404 "No such report"';

-- Forms.
CREATE FUNCTION leadanalytics.form_fields(content_type text, body bytea)
RETURNS json LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_http_form_fields';
COMMENT ON FUNCTION leadanalytics.form_fields(text, bytea) IS
    'the fields of a posted form (JSON, urlencoded, multipart/form-data, text/plain) as a JSON object of texts: what a route parameter of type form binds; 400 when the body is no form';

CREATE FUNCTION leadanalytics.health()
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('status', 'ok', 'version', extversion)
    FROM pg_catalog.pg_extension WHERE extname = 'leadanalytics'
$$;
COMMENT ON FUNCTION leadanalytics.health() IS 'that the way from the client to the database works';

INSERT INTO leadanalytics.route (method, path, function, roles, summary, example, builtin) VALUES
    ('GET', '/healthz', 'leadanalytics.health', '{public}', 'Health of the service',
     '{"status":"ok","version":"1.0.0"}', true),
    ('GET', '/openapi.json', 'leadanalytics.openapi', '{public}', 'This interface as OpenAPI 3.1', NULL, true);

NOTIFY pgrst, 'reload schema';
