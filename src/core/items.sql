-- Bodies of many: one item or an array of at most 1 000, each taken or rejected by itself (CONTRACT section 0).

CREATE FUNCTION leadanalytics.items(body json)
RETURNS TABLE (index int, item json) LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF json_typeof(body) = 'object' THEN
        RETURN QUERY SELECT 0, body;
    ELSIF json_typeof(body) = 'array' AND json_array_length(body) <= 1000 THEN
        RETURN QUERY SELECT (e.place - 1)::int, e.value FROM json_array_elements(body) WITH ORDINALITY AS e (value, place);
    ELSE
        RAISE EXCEPTION 'Invalid request body' USING ERRCODE = 'LA400', HINT = 'The body is an object, or an array of at most 1 000.';
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.items(json) IS 'the items of a body: it is one, or an array of at most 1 000';

CREATE FUNCTION leadanalytics.text_fault(item json, name text, required boolean, longest int)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN json_typeof(item) <> 'object' THEN 'Not an object'
                WHEN coalesce(json_typeof(item -> name), 'null') = 'null' THEN CASE WHEN required THEN name || ' is required' END
                WHEN json_typeof(item -> name) <> 'string' OR char_length(item ->> name) > longest OR (required AND item ->> name = '')
                    THEN 'Invalid ' || name END
$$;
COMMENT ON FUNCTION leadanalytics.text_fault(json, text, boolean, int) IS 'what is wrong with a text member of an item, null when nothing is';

CREATE FUNCTION leadanalytics.whole_fault(item json, name text, required boolean, largest bigint)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN coalesce(json_typeof(item -> name), 'null') = 'null' THEN CASE WHEN required THEN name || ' is required' END
                WHEN json_typeof(item -> name) <> 'number' OR item ->> name !~ '^[0-9]{1,12}(\.0+)?$'
                     OR split_part(item ->> name, '.', 1)::bigint > largest THEN 'Invalid ' || name END
$$;
COMMENT ON FUNCTION leadanalytics.whole_fault(json, text, boolean, bigint) IS 'what is wrong with a member that is a whole number from 0 to largest, null when nothing is';

CREATE FUNCTION leadanalytics.whole_member(item json, name text)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT split_part(item ->> name, '.', 1)::bigint
$$;
COMMENT ON FUNCTION leadanalytics.whole_member(json, text) IS 'a whole number that leadanalytics.whole_fault() found good';

-- Of a value, not of an item and a name: an item with many members would be read anew for each.
CREATE FUNCTION leadanalytics.text_value_fault(value json, name text, required boolean, longest int)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN coalesce(json_typeof(value), 'null') = 'null' THEN CASE WHEN required THEN name || ' is required' END
                WHEN json_typeof(value) <> 'string' OR char_length(value #>> '{}') > longest
                     OR (required AND btrim(value #>> '{}') = '') THEN 'Invalid ' || name END
$$;
COMMENT ON FUNCTION leadanalytics.text_value_fault(json, text, boolean, int) IS 'what is wrong with a text, null when nothing is';

CREATE FUNCTION leadanalytics.ip_value_fault(value json, name text)
RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF coalesce(json_typeof(value), 'null') = 'null' OR value #>> '{}' = '' THEN
        RETURN NULL;
    END IF;
    RETURN CASE WHEN json_typeof(value) <> 'string' OR masklen((value #>> '{}')::inet) < CASE family((value #>> '{}')::inet) WHEN 4 THEN 32 ELSE 128 END
                THEN 'Invalid ' || name END;
EXCEPTION WHEN data_exception THEN
    RETURN 'Invalid ' || name;
END
$$;
COMMENT ON FUNCTION leadanalytics.ip_value_fault(json, text) IS 'what is wrong with an IP address that may be left out, null when nothing is';

-- A number may come as a text: interfaces of ad platforms write them so.
CREATE FUNCTION leadanalytics.number_value(value json)
RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN btrim(value::text, '" ') ~ '^-?[0-9]{1,18}(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,2})?$' THEN btrim(value::text, '" ')::numeric END
$$;
COMMENT ON FUNCTION leadanalytics.number_value(json) IS 'a number, or a text that is one; null: it is none';

CREATE FUNCTION leadanalytics.number_fault(value json, name text, smallest numeric, largest numeric, whole boolean DEFAULT false)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN coalesce(json_typeof(value), 'null') = 'null' THEN NULL
                WHEN leadanalytics.number_value(value) BETWEEN smallest AND largest
                     AND (NOT whole OR leadanalytics.number_value(value) = trunc(leadanalytics.number_value(value))) THEN NULL
                ELSE 'Invalid ' || name END
$$;
COMMENT ON FUNCTION leadanalytics.number_fault(json, text, numeric, numeric, boolean) IS 'what is wrong with a number from smallest to largest that may be left out, null when nothing is';

CREATE FUNCTION leadanalytics.day_value(value json)
RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN value::text ~ '^"[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"$'
                     AND substr(value::text, 10, 2)::int <= extract(day FROM (substr(value::text, 2, 8) || '01')::date + interval '1 month - 1 day')
                THEN btrim(value::text, '"')::date END
$$;
COMMENT ON FUNCTION leadanalytics.day_value(json) IS 'a date, YYYY-MM-DD; null: it is none';

CREATE FUNCTION leadanalytics.accepted(errors text[])
RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN (SELECT json_build_object('accepted', count(*) FILTER (WHERE e.error IS NULL),
                'rejected', coalesce(json_agg(json_build_object('index', e.place - 1, 'error', e.error) ORDER BY e.place) FILTER (WHERE e.error IS NOT NULL), '[]'))
            FROM unnest(errors) WITH ORDINALITY AS e (error, place));
END
$$;
COMMENT ON FUNCTION leadanalytics.accepted(text[]) IS 'the answer about items: what is wrong with each, in their order, null where nothing is';

CREATE FUNCTION leadanalytics.accepted_one(answer json)
RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    error text := answer -> 'rejected' -> 0 ->> 'error';
BEGIN
    IF error IS NOT NULL THEN
        RAISE EXCEPTION '%', error USING ERRCODE = CASE WHEN error LIKE '% not found' THEN 'LA404' ELSE 'LA400' END;
    END IF;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.accepted_one(json) IS 'the answer about a single item, which is an error when it was rejected';
GRANT EXECUTE ON FUNCTION leadanalytics.accepted_one(json) TO leadanalytics_write;
