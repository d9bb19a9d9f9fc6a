-- Tags of events (S5-12, D-72): a row a tag and source.

CREATE FUNCTION leadanalytics.tags_rows(
    workspace int, starts timestamptz, ends timestamptz, "limit" int DEFAULT NULL, include_bots boolean DEFAULT false)
RETURNS TABLE (tag text, source text, count bigint, percentage numeric, total bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(workspace);
BEGIN
    IF (starts < ends) IS NOT TRUE THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT t.parts[1], t.parts[2], a.count, leadanalytics.ratio(100 * a.count, a.total, 1), a.total
    FROM (SELECT a.value, a.counts[1] AS count, (sum(a.counts[1]) OVER ())::bigint AS total
          FROM leadanalytics.answer(allowed, '{tag_source}', ARRAY[starts, ends], now(), coalesce(tags_rows.include_bots, false), false) a) AS a
    JOIN leadanalytics.term t ON t.workspace = allowed AND t.id = substring(a.value FROM '[0-9]+$')::int
    ORDER BY 3 DESC, t.parts[1], t.parts[2] NULLS FIRST, t.id
    LIMIT tags_rows."limit";
END
$$;
COMMENT ON FUNCTION leadanalytics.tags_rows(int, timestamptz, timestamptz, int, boolean) IS
    'tags by how many events carry them, most first: of each source apart; percentage of total, which is of all tags before limit (null: all tags)';
GRANT EXECUTE ON FUNCTION leadanalytics.tags_rows(int, timestamptz, timestamptz, int, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.tags(
    workspace int, start_date text, end_date text, "limit" int DEFAULT 20, include_bots boolean DEFAULT false)
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    range CONSTANT record := leadanalytics.period(workspace, start_date, end_date);
BEGIN
    RETURN (
        SELECT json_build_object(
            'data', coalesce(json_agg(json_build_object('tag', r.tag, 'count', r.count, 'percentage', r.percentage, 'source', r.source) ORDER BY r.place), '[]'),
            'total', coalesce(max(r.total), 0))
        FROM leadanalytics.tags_rows(tags.workspace, range.starts, range.ends, least(greatest(coalesce(tags."limit", 20), 1), 100), tags.include_bots)
            WITH ORDINALITY AS r (tag, source, count, percentage, total, place));
END
$$;
COMMENT ON FUNCTION leadanalytics.tags(int, text, text, int, boolean) IS 'the 1 to 100 tags that most events of a range carry';
GRANT EXECUTE ON FUNCTION leadanalytics.tags(int, text, text, int, boolean) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, from_fold, summary, example, builtin) VALUES
    ('GET', '/api/v1/tags', 'leadanalytics.tags', 'public', '{sdk,agent}', true, 'Tags that events carry',
     '{"data": [{"tag": "pricing_page", "count": 450, "percentage": 12.3, "source": "web"}, {"tag": "checkout_flow", "count": 320, "percentage": 8.8, "source": "web"}], "total": 3650}', true);
SELECT leadanalytics.takes_range('/api/v1/tags', 'the first moment, ISO 8601', 'the last one, all of which counts');
INSERT INTO leadanalytics.route_param (method, path, name, arg, type, min, max, lenient, fallback, position, example, summary) VALUES
    ('GET', '/api/v1/tags', 'limit', 'limit', 'int', 1, 100, true, '20', 3, '20', 'how many'),
    ('GET', '/api/v1/tags', 'include_bots', 'include_bots', 'boolean', NULL, NULL, true, 'false', 9, 'false', 'true: robots'' events, too');
