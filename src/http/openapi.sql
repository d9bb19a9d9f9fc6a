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

-- What JSON is like that these are examples of. Any scalar may be null: an example cannot say of what there is none; an
-- object or array may where open_members has its path with a question mark, and with an asterisk it may be anything.
CREATE FUNCTION leadanalytics.openapi_shape(examples json[], path text, open_members text[])
RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
    types CONSTANT text[] := ARRAY(SELECT DISTINCT json_typeof(e) COLLATE "C" FROM unnest(examples) e ORDER BY 1);
    objects CONSTANT json[] := ARRAY(SELECT e FROM unnest(examples) e WHERE json_typeof(e) = 'object');
    elements CONSTANT json[] := ARRAY(SELECT v FROM unnest(examples) e, json_array_elements(CASE json_typeof(e) WHEN 'array' THEN e END) v);
BEGIN
    IF path || '*' = ANY (open_members) THEN
        RETURN '{}';
    END IF;
    RETURN leadanalytics.openapi_object(json_build_object(
        'type', CASE WHEN types <@ '{"null"}' THEN NULL
                     WHEN types <@ '{array,object}' AND path || '?' <> ALL (open_members) THEN CASE cardinality(types) WHEN 1 THEN to_json(types[1]) ELSE to_json(types) END
                     ELSE to_json(array_remove(types, 'null') || 'null'::text) END,
        'items', CASE WHEN cardinality(elements) > 0 THEN leadanalytics.openapi_shape(elements, path || '[]', open_members) END,
        'required', (
            SELECT json_agg(k.key ORDER BY k.place)
            FROM (SELECT m.key, min(m.place) AS place FROM unnest(objects) o, json_object_keys(o) WITH ORDINALITY AS m (key, place)
                  WHERE ltrim(path || '.' || m.key, '.') <> ALL (open_members)
                  GROUP BY m.key HAVING count(*) = cardinality(objects)) AS k),
        'additionalProperties', (
            SELECT leadanalytics.openapi_shape(array_agg(m.value), path || '.', open_members)
            FROM unnest(objects) o, json_each(o) m
            WHERE ltrim(path || '.' || m.key, '.') = ANY (open_members) HAVING count(*) > 0),
        'properties', (
            SELECT json_object_agg(k.key, leadanalytics.openapi_shape(k.members, ltrim(path || '.' || k.key, '.'), open_members) ORDER BY k.place, k.key)
            FROM (SELECT m.key, min(m.place) AS place, array_agg(m.value) AS members FROM unnest(objects) o, json_each(o) WITH ORDINALITY AS m (key, value, place)
                  GROUP BY m.key) AS k)));
END
$$;
COMMENT ON FUNCTION leadanalytics.openapi_shape(json[], text, text[]) IS 'the JSON schema of what examples are of; path: where they stand, open_members: as leadanalytics.route has them';

CREATE FUNCTION leadanalytics.openapi_envelope(route leadanalytics.route, data json)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT CASE (route).family
        WHEN 'engagement' THEN CASE WHEN (route).paged
            THEN json_build_object('success', true, 'status', (route).success, 'message', coalesce((route).message, 'OK'), 'data', data -> 'data', 'pagination', data -> 'pagination',
                                   'meta', json_build_object('timestamp', '2026-03-16T14:32:45.123Z', 'version', 'v1'))
            ELSE json_build_object('success', true, 'status', (route).success, 'message', coalesce((route).message, 'OK'), 'data', data,
                                   'meta', json_build_object('timestamp', '2026-03-16T14:32:45.123Z', 'version', 'v1')) END
        WHEN 'campaigns' THEN json_build_object('success', true, 'data', data)
        ELSE data END
$$;
COMMENT ON FUNCTION leadanalytics.openapi_envelope(leadanalytics.route, json) IS 'an answer as the route''s family wears it';

CREATE FUNCTION leadanalytics.openapi_success(route leadanalytics.route)
RETURNS json LANGUAGE sql STABLE AS $$
    -- a file is of whatever type it says
    SELECT json_build_object(CASE WHEN (route).sliced THEN '*/*' ELSE 'application/json' END, CASE WHEN (route).example IS NULL THEN '{}'::json ELSE json_build_object(
        'schema', leadanalytics.openapi_shape(ARRAY[e.example],
                                              '', ARRAY(SELECT CASE WHEN (route).family NOT IN ('engagement', 'campaigns') THEN '' WHEN o LIKE '[%' THEN 'data' ELSE 'data.' END || o FROM unnest((route).open_members) o)),
        'example', e.example) END)
    FROM leadanalytics.openapi_envelope(route, (route).example) AS e (example)
$$;
COMMENT ON FUNCTION leadanalytics.openapi_success(leadanalytics.route) IS 'what a route answers when all is well, by content type';

CREATE FUNCTION leadanalytics.openapi_responses(route leadanalytics.route)
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_object_agg(status, leadanalytics.openapi_object(json_build_object(
               'description', description,
               'headers', (SELECT json_object_agg(h.name, json_build_object('$ref', '#/components/headers/' || h.name) ORDER BY h.n)
                           FROM (VALUES (1, 'X-Request-Id', true), (2, 'X-RateLimit-Limit', limited), (3, 'X-RateLimit-Remaining', limited), (4, 'X-RateLimit-Reset', limited),
                                        (5, 'X-API-Usage-Used', told), (6, 'X-API-Usage-Limit', told), (7, 'X-API-Usage-Remaining', told),
                                        (8, 'Retry-After', status = '429'), (9, 'X-Data-As-Of', (route).from_fold AND status < '300')) AS h (n, name, applies)
                           WHERE h.applies),
               'content', content)) ORDER BY status)
    FROM (
        SELECT EXISTS (SELECT FROM leadanalytics.rate_limits l WHERE l.class = leadanalytics.route_rate_class(route) AND l.requests > 0) AS limited,
               (route).family = 'engagement' AND NOT 'public' = ANY ((route).roles) AS told
    ) AS r CROSS JOIN LATERAL (
        SELECT (route).success::text, (route).summary, leadanalytics.openapi_success(route)
        UNION ALL
        SELECT '206', 'the part of it that the header Range asks for', leadanalytics.openapi_success(route) WHERE (route).sliced
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
                     ('416', 'it has no such part', (route).sliced),
                     ('422', 'a parameter or the body is not as described', (route).family = 'engagement'),
                     ('429', 'too many requests in this window, or more than the plan has', limited OR told),
                     ('500', 'a fault of the server, named in its log by X-Request-Id', true),
                     ('503', 'try again later', true)) AS e (status, description, applies)
        WHERE e.applies
    ) AS s (status, description, content)
$$;
COMMENT ON FUNCTION leadanalytics.openapi_responses(leadanalytics.route) IS 'the answers of a route by status';

CREATE FUNCTION leadanalytics.openapi_headers()
RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT json_object_agg(name, json_build_object('description', description, 'schema', schema) ORDER BY n)
    FROM (VALUES (1, 'X-Request-Id', 'names the request in the logs', '{"type":"string"}'::json),
                 (2, 'X-RateLimit-Limit', 'requests in a window', '{"type":"integer"}'),
                 (3, 'X-RateLimit-Remaining', 'requests that are left of them', '{"type":"integer"}'),
                 (4, 'X-RateLimit-Reset', 'when the next window begins, Unix seconds', '{"type":"integer"}'),
                 (5, 'X-API-Usage-Used', 'requests of the workspace this month (UTC)', '{"type":"integer"}'),
                 (6, 'X-API-Usage-Limit', 'requests of a month in its plan', '{"type":"integer"}'),
                 (7, 'X-API-Usage-Remaining', 'requests that are left of them', '{"type":"integer"}'),
                 (8, 'Retry-After', 'seconds until another try may succeed', '{"type":"integer"}'),
                 (9, 'X-Data-As-Of', 'until when all is folded; the answer is current regardless', '{"type":"string","format":"date-time"}')) AS h (n, name, description, schema)
$$;
COMMENT ON FUNCTION leadanalytics.openapi_headers() IS 'the headers that answers of many routes have';

CREATE FUNCTION leadanalytics.openapi_error_schema()
RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT '{"type":"object","required":["error"],"properties":{"error":{"type":"string"}}}'::json
$$;
COMMENT ON FUNCTION leadanalytics.openapi_error_schema() IS 'the error of the families that answer {"error": text}';

-- What we ask of others: a topic as the request that tells of it.
CREATE FUNCTION leadanalytics.openapi_webhooks()
RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_object_agg(t.name, json_build_object('post', json_build_object(
        'summary', t.summary,
        'tags', json_build_array('webhooks'),
        'parameters', json_build_array(json_build_object(
            'name', 'X-Leadron-Signature', 'in', 'header', 'required', true, 'schema', json_build_object('type', 'string'),
            'description', 'the HMAC-SHA256 of the body''s bytes with the webhook''s secret: sha256= and 64 hexadecimal digits')),
        'requestBody', json_build_object('required', true, 'content', json_build_object('application/json', json_build_object(
            'schema', leadanalytics.openapi_shape(ARRAY[e.envelope], '', '{}'), 'example', e.envelope))),
        'responses', json_build_object(
            '2XX', json_build_object('description', 'it was taken'),
            'default', json_build_object('description', 'it was not: it comes again, later and later')))) ORDER BY t.name)
    FROM leadanalytics.topic t
    CROSS JOIN LATERAL (SELECT leadanalytics.topic_example(t.name) AS envelope) AS e
$$;
COMMENT ON FUNCTION leadanalytics.openapi_webhooks() IS 'what webhooks are told, from leadanalytics.topic';

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
                                 ELSE json_build_array(json_build_object('bearer', q.roles), json_build_object('apiKey', q.roles)) END,
                'parameters', leadanalytics.openapi_parameters(r),
                'requestBody', leadanalytics.openapi_body(r),
                'responses', leadanalytics.openapi_responses(r))) ORDER BY r.method) AS operations
            FROM leadanalytics.route r
            -- Admin's keys open all.
            CROSS JOIN LATERAL (SELECT to_json(array_remove(r.roles, 'admin') || 'admin'::text) AS roles) AS q
            GROUP BY r.path) AS p),
        'webhooks', leadanalytics.openapi_webhooks(),
        'components', json_build_object(
            'securitySchemes', json_build_object(
                'bearer', json_build_object('type', 'http', 'scheme', 'bearer', 'description', 'an API key; an operation''s security names the roles of keys that open it'),
                'apiKey', json_build_object('type', 'apiKey', 'in', 'header', 'name', 'X-API-Key')),
            'headers', leadanalytics.openapi_headers(),
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
