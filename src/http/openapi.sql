-- The interface as OpenAPI 3.1, from the rows of leadanalytics.route: what is not a row does not exist.

CREATE FUNCTION leadanalytics.openapi_path(path text)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(path, ':([A-Za-z][A-Za-z0-9_]*)', '{\1}', 'g')
$$;
COMMENT ON FUNCTION leadanalytics.openapi_path(text) IS '/leads/:id as OpenAPI writes it, /leads/{id}';

-- JSON's own type for a value written as text in a route's row.
CREATE FUNCTION leadanalytics.openapi_value(type text, value text)
RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN type IN ('int', 'bigint', 'number', 'boolean', 'json', 'form') THEN value::json ELSE to_json(value) END
$$;
COMMENT ON FUNCTION leadanalytics.openapi_value(text, text) IS 'a default or an example in the JSON type of the parameter';

-- json_strip_nulls() would take them out of the examples, too.
CREATE FUNCTION leadanalytics.openapi_object(object json)
RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(json_object_agg(key, value ORDER BY ordinality), '{}')
    FROM json_each(object) WITH ORDINALITY WHERE json_typeof(value) <> 'null'
$$;
COMMENT ON FUNCTION leadanalytics.openapi_object(json) IS 'the object without those of its own members that are null';

CREATE FUNCTION leadanalytics.openapi_schema(param leadanalytics.route_param, function text)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT leadanalytics.openapi_object(json_build_object(
        'type', CASE param.type
                    WHEN 'int' THEN 'integer' WHEN 'bigint' THEN 'integer' WHEN 'number' THEN 'number'
                    WHEN 'boolean' THEN 'boolean' WHEN 'json' THEN NULL WHEN 'form' THEN NULL ELSE 'string' END,
        'format', CASE param.type
                    WHEN 'int' THEN 'int32' WHEN 'bigint' THEN 'int64' WHEN 'date' THEN 'date'
                    WHEN 'timestamp' THEN 'date-time' WHEN 'uuid' THEN 'uuid' END,
        'minimum', CASE WHEN param.type <> 'text' THEN param.min END,
        'maximum', CASE WHEN param.type <> 'text' THEN param.max END,
        'minLength', CASE WHEN param.type = 'text' THEN param.min END,
        'maxLength', CASE WHEN param.type = 'text' THEN param.max END,
        'enum', param.choices,
        'default', CASE WHEN NOT param.required AND param.place <> 'path' THEN leadanalytics.openapi_value(
            param.type, coalesce(param.fallback, leadanalytics.argument_default(function, param.arg))) END,
        'description', CASE WHEN param.place IN ('body', 'document') THEN param.summary END))
$$;
COMMENT ON FUNCTION leadanalytics.openapi_schema(leadanalytics.route_param, text) IS 'the JSON schema of a parameter';

CREATE FUNCTION leadanalytics.openapi_parameters(route leadanalytics.route)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_agg(parameter ORDER BY header, position, name)
    FROM (
        SELECT false, p.position, p.name, leadanalytics.openapi_object(json_build_object(
            'name', p.name, 'in', p.place, 'required', p.required OR p.place = 'path',
            'description', p.summary,
            'schema', leadanalytics.openapi_schema(p, (route).function),
            'example', leadanalytics.openapi_value(p.type, p.example)))
        FROM leadanalytics.route_param p
        WHERE p.method = (route).method AND p.path = (route).path AND p.place IN ('path', 'query')
        UNION ALL
        SELECT true, NULL, NULL, json_build_object(
            'name', 'Idempotency-Key', 'in', 'header', 'required', false,
            'description', 'a request with the key of an earlier one is answered as that was, and not done again',
            'schema', json_build_object('type', 'string', 'minLength', 1, 'maxLength', 256))
        WHERE (route).idempotent
    ) AS p (header, position, name, parameter)
$$;
COMMENT ON FUNCTION leadanalytics.openapi_parameters(leadanalytics.route) IS 'the parameters of a route in path, query and headers; null without any';

CREATE FUNCTION leadanalytics.openapi_body(route leadanalytics.route)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('required', b.required, 'content', (
        SELECT json_object_agg(t.type, b.content ORDER BY t.n)
        FROM unnest(CASE WHEN b.form THEN '{application/json,application/x-www-form-urlencoded,multipart/form-data,text/plain}'
                         ELSE '{application/json}' END::text[]) WITH ORDINALITY AS t (type, n)))
    FROM (
        SELECT bool_or(p.required) AS required, bool_or(p.type = 'form') AS form,
               leadanalytics.openapi_object(json_build_object(
            'schema', CASE WHEN bool_or(p.place = 'document') THEN json_build_object('type', 'object')
                ELSE leadanalytics.openapi_object(json_build_object(
                    'type', 'object',
                    'required', json_agg(p.name ORDER BY p.position, p.name) FILTER (WHERE p.required),
                    'properties', json_object_agg(p.name, leadanalytics.openapi_schema(p, (route).function)
                                                  ORDER BY p.position, p.name))) END,
            'example', CASE WHEN bool_or(p.place = 'document') THEN min(p.example)::json
                ELSE json_object_agg(p.name, leadanalytics.openapi_value(p.type, p.example) ORDER BY p.position, p.name)
                         FILTER (WHERE p.example IS NOT NULL) END)) AS content
        FROM leadanalytics.route_param p
        WHERE p.method = (route).method AND p.path = (route).path AND p.place IN ('body', 'document')
        HAVING count(*) > 0
    ) AS b
$$;
COMMENT ON FUNCTION leadanalytics.openapi_body(leadanalytics.route) IS 'the request body of a route; null without one';

CREATE FUNCTION leadanalytics.openapi_responses(route leadanalytics.route)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_object_agg(status, leadanalytics.openapi_object(json_build_object('description', description, 'content', content))
                           ORDER BY status)
    FROM (
        SELECT (route).success::text, (route).summary,
               json_build_object('application/json', leadanalytics.openapi_object(json_build_object('example', (route).example)))
        UNION ALL
        SELECT e.status, e.description,
               json_build_object('application/json', json_build_object('schema',
                   json_build_object('$ref', '#/components/schemas/error_' || (route).family)))
        FROM (VALUES ('400', 'a parameter or the body is not as described', (route).family <> 'engagement'),
                     ('401', 'no key, or an invalid one', NOT 'public' = ANY ((route).roles)),
                     ('403', CASE WHEN (route).feature IS NULL THEN 'the key''s role does not open this'
                             ELSE 'the key''s role does not open this, or the workspace''s plan does not have the feature ' || (route).feature END, true),
                     ('404', 'no such object', true),
                     ('413', 'the body is too large', leadanalytics.openapi_body(route) IS NOT NULL),
                     ('415', 'the body''s Content-Encoding is not gzip, deflate or identity', leadanalytics.openapi_body(route) IS NOT NULL),
                     ('422', 'a parameter or the body is not as described', (route).family = 'engagement'),
                     ('429', 'too many requests in this window; Retry-After says when the next begins, X-RateLimit-Limit, -Remaining and -Reset on every answer how it is',
                      EXISTS (SELECT FROM leadanalytics.rate_limits l WHERE l.class = leadanalytics.route_rate_class(route) AND l.requests > 0)),
                     ('500', 'a fault of the server, named in its log by X-Request-Id', true),
                     ('503', 'try again later', true)) AS e (status, description, applies)
        WHERE e.applies
    ) AS r (status, description, content)
$$;
COMMENT ON FUNCTION leadanalytics.openapi_responses(leadanalytics.route) IS 'the answers of a route by status';

CREATE FUNCTION leadanalytics.openapi_error_schema()
RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT '{"type":"object","required":["error"],"properties":{"error":{"type":"string"}}}'::json
$$;
COMMENT ON FUNCTION leadanalytics.openapi_error_schema() IS 'the error of the families that answer {"error": text}';

CREATE FUNCTION leadanalytics.openapi()
RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT json_build_object(
        'openapi', '3.1.0',
        'info', json_build_object(
            'title', 'leadanalytics',
            'version', (SELECT extversion FROM pg_extension WHERE extname = 'leadanalytics'),
            'license', json_build_object('name', 'PostgreSQL', 'identifier', 'PostgreSQL')),
        'paths', (SELECT json_object_agg(leadanalytics.openapi_path(path), operations ORDER BY path) FROM (
            SELECT r.path, json_object_agg(lower(r.method), leadanalytics.openapi_object(json_build_object(
                'summary', r.summary,
                'operationId', lower(r.method) || regexp_replace(r.path, '[^A-Za-z0-9]+', '_', 'g'),
                'tags', json_build_array(r.family),
                'security', CASE WHEN 'public' = ANY (r.roles) THEN '[]'::json
                                 ELSE '[{"bearer":[]},{"apiKey":[]}]'::json END,
                'parameters', leadanalytics.openapi_parameters(r),
                'requestBody', leadanalytics.openapi_body(r),
                'responses', leadanalytics.openapi_responses(r))) ORDER BY r.method) AS operations
            FROM leadanalytics.route r GROUP BY r.path) AS p),
        'components', json_build_object(
            'securitySchemes', json_build_object(
                'bearer', json_build_object('type', 'http', 'scheme', 'bearer'),
                'apiKey', json_build_object('type', 'apiKey', 'in', 'header', 'name', 'X-API-Key')),
            'schemas', (SELECT json_object_agg('error_' || family, schema ORDER BY family) FROM (VALUES
                ('dashboard', leadanalytics.openapi_error_schema()),
                ('activity', leadanalytics.openapi_error_schema()),
                ('public', leadanalytics.openapi_error_schema()),
                ('plain', leadanalytics.openapi_error_schema()),
                ('engagement', '{"type":"object","required":["success","status","message","meta"],"properties":{"success":{"const":false},"status":{"type":"integer"},"message":{"type":"string"},"errors":{"type":"array","items":{"type":"object","properties":{"field":{"type":"string"},"message":{"type":"string"}}}},"meta":{"type":"object"}}}'::json),
                ('campaigns', '{"type":"object","required":["success","error"],"properties":{"success":{"const":false},"error":{"type":"object","required":["code","message"],"properties":{"code":{"type":"string"},"message":{"type":"string"}}}}}'::json)
            ) AS s (family, schema))))
$$;
COMMENT ON FUNCTION leadanalytics.openapi() IS 'the HTTP interface as an OpenAPI 3.1 document, made from leadanalytics.route';
GRANT EXECUTE ON FUNCTION leadanalytics.openapi() TO leadanalytics_read;
