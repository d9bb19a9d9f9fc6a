-- The file of a run: the question's answer as it is (JSON), its main table (CSV), or all of it for people (HTML).

-- A value's leaves with their way there: {"a": {"b": [1]}} has a.b.0.
CREATE FUNCTION leadanalytics.json_leaves(value json)
RETURNS TABLE (place int[], name text, leaf json) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH RECURSIVE part (place, name, value) AS (
        SELECT '{}'::int[], NULL::text, json_leaves.value
        UNION ALL
        SELECT p.place || m.n::int, concat_ws('.', p.name, m.name), m.value
        FROM part p
        CROSS JOIN LATERAL (
            SELECT o.n, o.name, o.value FROM json_each(CASE json_typeof(p.value) WHEN 'object' THEN p.value END) WITH ORDINALITY AS o (name, value, n)
            UNION ALL
            SELECT a.n, (a.n - 1)::text, a.value FROM json_array_elements(CASE json_typeof(p.value) WHEN 'array' THEN p.value END) WITH ORDINALITY AS a (value, n)
        ) AS m
    )
    SELECT p.place, coalesce(p.name, 'value'), p.value FROM part p WHERE json_typeof(p.value) NOT IN ('object', 'array')
$$;
COMMENT ON FUNCTION leadanalytics.json_leaves(json) IS 'texts, numbers, booleans and nulls of a value, where they stand and under which dotted name; a value that is one itself is "value"';

CREATE FUNCTION leadanalytics.json_members(value json)
RETURNS TABLE (place int[], name text, member json) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH RECURSIVE part (place, name, value) AS (
        SELECT '{}'::int[], NULL::text, json_members.value
        UNION ALL
        SELECT p.place || o.n::int, concat_ws('.', p.name, o.name), o.value
        FROM part p CROSS JOIN LATERAL json_each(CASE json_typeof(p.value) WHEN 'object' THEN p.value END) WITH ORDINALITY AS o (name, value, n)
    )
    SELECT p.place, p.name, p.value FROM part p WHERE json_typeof(p.value) <> 'object'
$$;
COMMENT ON FUNCTION leadanalytics.json_members(json) IS 'what stands in an object and in the objects in it, under dotted names, arrays as they are';

CREATE FUNCTION leadanalytics.answer_table(answer json, rows text)
RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    main json := answer;
BEGIN
    IF rows IS NULL AND json_typeof(answer) = 'object' THEN
        SELECT m.value INTO main FROM json_each(answer) WITH ORDINALITY AS m (name, value, n) WHERE json_typeof(m.value) = 'array' ORDER BY m.n LIMIT 1;
        main := coalesce(main, answer);
    ELSIF rows <> '.' THEN
        main := coalesce(answer #> string_to_array(rows, '.'), '[]');
    END IF;
    RETURN CASE json_typeof(main) WHEN 'array' THEN main ELSE json_build_array(main) END;
END
$$;
COMMENT ON FUNCTION leadanalytics.answer_table(json, text) IS 'the rows of an answer: it, when it is an array, else the member of that dotted name, or the first array; without one all of it is a row (.: in any case)';

-- The columns of all rows: what not each has is empty elsewhere.
CREATE FUNCTION leadanalytics.table_columns(rows json)
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(c.name ORDER BY c.place, c.name), '{}')
    FROM (SELECT l.name, min(l.place) AS place FROM json_array_elements(rows) AS r (row) CROSS JOIN LATERAL leadanalytics.json_leaves(r.row) l GROUP BY l.name) AS c
$$;
COMMENT ON FUNCTION leadanalytics.table_columns(json) IS 'the names of all leaves of rows, in the order they stand in';

CREATE FUNCTION leadanalytics.table_records(rows json, columns text[])
RETURNS SETOF json LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT flat.record
    FROM json_array_elements(rows) WITH ORDINALITY AS r (row, n)
    CROSS JOIN LATERAL (
        SELECT json_object_agg(c.name, l.leaf ORDER BY c.place) AS record
        FROM unnest(columns) WITH ORDINALITY AS c (name, place) LEFT JOIN leadanalytics.json_leaves(r.row) l ON l.name = c.name
    ) AS flat
    ORDER BY r.n
$$;
COMMENT ON FUNCTION leadanalytics.table_records(json, text[]) IS 'rows as flat records that all have the same members';

CREATE FUNCTION leadanalytics.csv_pieces(rows json, example json)
RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE
    columns text[] := leadanalytics.table_columns(rows);
    record json;
    is_first boolean := true;
BEGIN
    FOR record IN SELECT r FROM leadanalytics.table_records(rows, columns) AS r WHERE cardinality(columns) > 0 LOOP
        RETURN NEXT CASE WHEN is_first THEN leadanalytics.csv_line(record, header => true) ELSE '' END || leadanalytics.csv_line(record);
        is_first := false;
    END LOOP;
    IF is_first THEN -- no rows: the names that they would have
        columns := leadanalytics.table_columns(example);
        RETURN NEXT coalesce((SELECT leadanalytics.csv_line(json_object_agg(c.name, NULL ORDER BY c.n), header => true)
                              FROM unnest(columns) WITH ORDINALITY AS c (name, n) HAVING count(*) > 0), E'\r\n');
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.csv_pieces(json, json) IS 'rows as lines of CSV after a line of names; without rows that line alone, as an example''s rows have it';

-- Well-formed as XML, too.
CREATE FUNCTION leadanalytics.html_text(text text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT replace(replace(replace(replace(replace(
        regexp_replace(text, '[\u0001-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\uFFFE\uFFFF]', U&'\FFFD', 'g'),
        '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;')
$$;
COMMENT ON FUNCTION leadanalytics.html_text(text) IS 'a text for a page: nothing in it is markup';

CREATE FUNCTION leadanalytics.html_table(rows json)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN json_array_length(rows) = 0 THEN E'<p>No rows.</p>\n' ELSE
        '<table><thead><tr>' || coalesce((SELECT string_agg('<th scope="col">' || leadanalytics.html_text(c.name) || '</th>', '' ORDER BY c.n) FROM unnest(k.columns) WITH ORDINALITY AS c (name, n)),
                                         '<th scope="col">value</th>')
        || E'</tr></thead><tbody>\n'
        || (SELECT string_agg('<tr>' || coalesce(cells.line, '<td></td>') || E'</tr>\n', '' ORDER BY r.n)
            FROM json_array_elements(rows) WITH ORDINALITY AS r (row, n)
            CROSS JOIN LATERAL (
                SELECT string_agg(CASE json_typeof(l.leaf) WHEN 'number' THEN '<td class="number">' ELSE '<td>' END || coalesce(leadanalytics.html_text(l.leaf #>> '{}'), '') || '</td>',
                                  '' ORDER BY c.n) AS line
                FROM unnest(k.columns) WITH ORDINALITY AS c (name, n) LEFT JOIN leadanalytics.json_leaves(r.row) l ON l.name = c.name
            ) AS cells)
        || E'</tbody></table>\n' END
    FROM (SELECT leadanalytics.table_columns(rows) AS columns) AS k
$$;
COMMENT ON FUNCTION leadanalytics.html_table(json) IS 'rows as a table of a page';

-- What stands alone is a table of names and values; each array is one of its own, where it stands.
CREATE FUNCTION leadanalytics.html_pieces(title text, about text, answer json)
RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE
    part record;
BEGIN
    RETURN NEXT format(E'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''"/>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>\n<title>%1$s</title>\n<style>\n'
        'body { font: 14px/1.5 sans-serif; color: #222; margin: 2em; }\np.about { color: #666; }\n'
        'table { border-collapse: collapse; margin: 0 0 2em; }\nth, td { border-bottom: 1px solid #ddd; padding: .3em .8em; text-align: left; vertical-align: top; }\n'
        'td.number { text-align: right; font-variant-numeric: tabular-nums; }\nthead { display: table-header-group; }\ntr { break-inside: avoid; }\n'
        '@media print { body { margin: 0; font-size: 11px; } }\n</style>\n</head>\n<body>\n<h1>%1$s</h1>\n<p class="about">%2$s</p>\n',
        leadanalytics.html_text(title), leadanalytics.html_text(about));
    IF json_typeof(answer) = 'object' THEN
        RETURN QUERY
        SELECT E'<table><tbody>\n' || string_agg(format(E'<tr><th scope="row">%s</th><td>%s</td></tr>\n', leadanalytics.html_text(s.name), coalesce(leadanalytics.html_text(s.member #>> '{}'), '')),
                                                 '' ORDER BY s.place) || E'</tbody></table>\n'
        FROM leadanalytics.json_members(answer) s WHERE json_typeof(s.member) <> 'array' HAVING count(*) > 0;
        FOR part IN SELECT m.name, m.member FROM leadanalytics.json_members(answer) m WHERE json_typeof(m.member) = 'array' ORDER BY m.place LOOP
            RETURN NEXT format(E'<h2>%s</h2>\n', leadanalytics.html_text(part.name)) || leadanalytics.html_table(part.member);
        END LOOP;
    ELSE
        RETURN NEXT leadanalytics.html_table(leadanalytics.answer_table(answer, NULL));
    END IF;
    RETURN NEXT E'</body>\n</html>\n';
END
$$;
COMMENT ON FUNCTION leadanalytics.html_pieces(text, text, json) IS 'an answer as a page of its own, for screen and paper, without scripts';

CREATE FUNCTION leadanalytics.report_records(workspace int, options jsonb, now timestamptz)
RETURNS SETOF json LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind CONSTANT leadanalytics.report_type := leadanalytics.report_type_of(options ->> 'report');
    at CONSTANT timestamptz := options ->> 'at';
    zone CONSTANT text := options ->> 'zone';
    rows CONSTANT text := coalesce(options ->> 'rows', kind.rows);
    answer CONSTANT json := leadanalytics.ask_report(workspace, options ->> 'report', options -> 'parameters', options ->> 'period', zone, options ->> 'role', at);
BEGIN
    CASE options ->> 'format'
    WHEN 'csv' THEN
        RETURN QUERY
        SELECT to_json(p)
        FROM leadanalytics.csv_pieces(leadanalytics.answer_table(answer, rows),
                                      (SELECT leadanalytics.answer_table(r.example, rows) FROM leadanalytics.route r WHERE r.method = 'GET' AND r.path = kind.path)) AS p;
    WHEN 'html' THEN
        RETURN QUERY
        SELECT to_json(p)
        FROM leadanalytics.html_pieces(options ->> 'name', concat_ws(' · ', leadanalytics.period_text(options ->> 'period', zone, at),
            'made ' || to_char(report_records.now AT TIME ZONE zone, 'YYYY-MM-DD HH24:MI') || ' ' || zone), answer) AS p;
    ELSE
        RETURN NEXT to_json(answer::text || E'\n');
    END CASE;
END
$$;
COMMENT ON FUNCTION leadanalytics.report_records(int, jsonb, timestamptz) IS 'the pieces of the file of a report''s run';

INSERT INTO leadanalytics.export_type (name, function, builtin, summary, writes) VALUES
    ('report', 'leadanalytics.report_records', true, 'runs of saved reports', '{csv,json,html}');
