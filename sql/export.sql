-- Exports: records as lines, and a job from its queue to its end. Time is an argument. What kills its worker, and
-- memory, are in test/fault/export.t; the link over HTTP in test/http/export.t.
SET timezone = 'UTC';
SET client_min_messages = warning;
\set VERBOSITY terse
SELECT leadanalytics.create_workspace('export-a', 'A') AS a, leadanalytics.create_workspace('export-b', 'B') AS b \gset

-- Lines of CSV: RFC 4180, and no formulas.
SELECT leadanalytics.csv_line('{"a": "x", "b": 1, "c": -1.5e3, "d": true, "e": null, "f": ""}') AS line;
SELECT leadanalytics.csv_line('{"plain": 1, "with, comma": 2, "\"": 3, "=1+1": 4, "": 5}', true) AS header;
SELECT v, leadanalytics.csv_line(json_build_object('v', v)) AS line
FROM unnest(ARRAY['a,b', 'say "x"', E'two\nlines', E'two\r\nlines', ' spaces ', 'é€😀', '=1+1', '+1', '-1', '@SUM(A1)', E'\tx', E'\rx', E'\nx', 'a=1', '''', '=cmd|'' /C calc''!A0', '=1,"2"', ';', E'\\']) AS v;
SELECT leadanalytics.csv_line('{"v": "\u0000\ud800"}') AS "no text of PostgreSQL's";
SELECT leadanalytics.csv_line('{"v": [1]}');
SELECT leadanalytics.csv_line('{"v": {}}');
SELECT leadanalytics.csv_line('{}');
SELECT leadanalytics.csv_line('[1]');

-- Types. Their functions run with the owner's rights.
CREATE SCHEMA exports;
GRANT USAGE ON SCHEMA exports TO leadanalytics_owner;
CREATE FUNCTION exports.numbers(workspace int, options jsonb, now timestamptz) RETURNS SETOF json STABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT json_build_object('n', n, 'text', repeat(coalesce(options ->> 'text', 'x'), (options ->> 'width')::int), 'now', now)
                 FROM generate_series(1, (options ->> 'n')::int) AS n;
END $$;
CREATE FUNCTION exports.mixed(workspace int, options jsonb, now timestamptz) RETURNS SETOF json STABLE LANGUAGE sql AS
    $$ VALUES ('{"a": 1, "b": 2}'::json), ('{"b": 1, "a": 2}') $$;
CREATE FUNCTION exports.more(workspace int, options jsonb, now timestamptz) RETURNS SETOF json STABLE LANGUAGE sql AS
    $$ VALUES ('{"a": 1}'::json), ('{"a": 1, "b": 2}') $$;
CREATE FUNCTION exports.fewer(workspace int, options jsonb, now timestamptz) RETURNS SETOF json STABLE LANGUAGE sql AS
    $$ VALUES ('{"a": 1, "b": 2}'::json), ('{"a": 1}') $$;
CREATE FUNCTION exports.nothing(workspace int, options jsonb, now timestamptz) RETURNS SETOF json STABLE LANGUAGE sql AS $$ SELECT NULL::json $$;
CREATE FUNCTION exports.fails(workspace int, options jsonb, now timestamptz) RETURNS SETOF json STABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT '{"a": 1}'::json;
    RAISE EXCEPTION '%', options ->> 'error' USING ERRCODE = options ->> 'code';
END $$;
CREATE FUNCTION exports.volatile(workspace int, options jsonb, now timestamptz) RETURNS SETOF json LANGUAGE sql AS $$ SELECT '{"a": 1}'::json $$;
CREATE FUNCTION exports.one(workspace int, options jsonb, now timestamptz) RETURNS json STABLE LANGUAGE sql AS $$ SELECT '{"a": 1}'::json $$;
CREATE ROLE export_stranger;
CREATE FUNCTION exports.strange(workspace int, options jsonb, now timestamptz) RETURNS SETOF json STABLE LANGUAGE sql AS $$ SELECT '{"a": 1}'::json $$;
ALTER FUNCTION exports.strange(int, jsonb, timestamptz) OWNER TO export_stranger;
INSERT INTO leadanalytics.export_type (name, function, summary)
SELECT t, 'exports.' || t, 'of a test' FROM unnest('{numbers,mixed,more,fewer,nothing,fails,volatile,one,strange,missing}'::text[]) AS t;
SELECT leadanalytics.export_query('numbers');
DO $$
DECLARE
    type text;
BEGIN
    FOREACH type IN ARRAY '{volatile,one,strange,missing,unknown}'::text[] LOOP
        BEGIN
            PERFORM leadanalytics.export_query(type);
            RAISE 'export_query(%) found nothing wrong', type;
        EXCEPTION WHEN undefined_function OR insufficient_privilege OR invalid_function_definition THEN
            RAISE WARNING '%: %', type, SQLERRM;
        END;
    END LOOP;
END $$;

-- Asking.
SELECT leadanalytics.queue_export(:a, 'unknown');
SELECT leadanalytics.queue_export(:a, 'numbers', 'xls');
SELECT leadanalytics.queue_export(-1, 'numbers');
SET ROLE leadanalytics_write;
SELECT leadanalytics.queue_export(1, 'numbers');
SELECT * FROM leadanalytics.export;
RESET ROLE;

-- A function that makes an attempt as the worker's procedure does, and tells what became of the job.
CREATE FUNCTION exports.attempt(at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    job record;
BEGIN
    SELECT * INTO job FROM leadanalytics.claim_export(at);
    IF job.key IS NULL THEN
        RETURN 'nothing to do';
    END IF;
    PERFORM leadanalytics.write_export(job.workspace, job.key, job.attempt, at);
    RETURN (SELECT concat_ws(' ', e.type, e.format, 'attempt', e.attempts, e.status, e.error, e.records, 'records', e.size, 'bytes') FROM leadanalytics.export e WHERE e.key = job.key);
END $$;
CREATE FUNCTION exports.content(key text) RETURNS text LANGUAGE sql AS $$
    SELECT convert_from(leadanalytics.export_bytes(e.workspace, e.key, 0, e.size), 'UTF8') FROM leadanalytics.export e WHERE e.key = content.key
$$;
SELECT exports.attempt('2026-03-01');
SELECT leadanalytics.queue_export(:a, 'numbers', 'csv', '{"n": 2, "width": 1, "text": "a,\""}', '2026-03-01') AS csv,
       leadanalytics.queue_export(:a, 'numbers', 'json', '{"n": 2, "width": 1}', '2026-03-01 00:00:01') AS json,
       leadanalytics.queue_export(:a, 'numbers', 'ndjson', '{"n": 2, "width": 1}', '2026-03-01 00:00:02') AS ndjson \gset
SELECT :'csv' ~ '^exp_[0-9a-f]{24}$' AS named, :'csv' <> :'json' AS apart;
SELECT key = :'csv' AS this, status, attempts, format, options, size, completed_at, expires_at FROM leadanalytics.exports ORDER BY created_at LIMIT 1;
SELECT regexp_replace(leadanalytics.get_export(:a, :'csv', '2026-03-01')::text, 'exp_\w+', 'exp_') AS "S4-07 processing";
SELECT exports.attempt('2026-03-01 00:03') FROM generate_series(1, 4);
SELECT exports.content(:'csv'), exports.content(:'json'), exports.content(:'ndjson');
SELECT exports.content(:'json')::json IS NOT NULL AS "JSON";
SELECT regexp_replace(regexp_replace(regexp_replace(leadanalytics.get_export(:a, :'csv', '2026-03-01 00:03')::text, 'exp_\w+', 'exp_', 'g'), 'signature=[0-9a-f]{64}', 'signature=…'),
    '"http://[^/]+', '"') AS "S4-07 completed"; -- where leadanalytics.public_url is set, the link begins with it
CREATE FUNCTION exports.told(workspace int, key text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    RETURN leadanalytics.get_export(workspace, key)::text;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' ', SQLSTATE, replace(SQLERRM, key, 'exp_…'), detail);
END $$;
SELECT exports.told(:b, :'csv');
SELECT exports.told(:a, 'exp_…');

-- The link: every letter of it counts.
SELECT parts[1] AS expires, parts[2] AS signature FROM leadanalytics.get_export(:a, :'csv', '2026-03-01 00:03') g, regexp_match(g ->> 'download_url', 'expires=(\d+)&signature=(\w+)$') AS parts \gset
SELECT status, headers::text ~ 'exp_' AS named, content_type, convert_from(body, 'UTF8')
FROM leadanalytics.download_export(:'csv', 'export-a', :'expires', :'signature', 'bytes=0-1048575', '2026-03-01 01:02:59');
SELECT status, replace(headers::text, :'csv', 'exp_') AS headers, convert_from(body, 'UTF8')
FROM leadanalytics.download_export(:'csv', 'export-a', :'expires', :'signature', 'bytes=3-6', '2026-03-01 01:02:59');
SELECT convert_from(body, 'UTF8') = exports.content(:'csv') AS "all of it" FROM leadanalytics.download_export(:'csv', 'export-a', :'expires', :'signature', now => '2026-03-01 01:02:59');
SELECT leadanalytics.download_export(:'csv', 'export-a', :'expires', :'signature', 'bytes=1000000-1048575', '2026-03-01 01:02:59');
CREATE FUNCTION exports.refusal(slug text, key text, expires text, signature text, at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM leadanalytics.download_export(key, slug, expires, signature, now => at);
    RETURN 'let in';
EXCEPTION WHEN SQLSTATE 'LA403' THEN
    RETURN SQLERRM;
END $$;
SELECT what, exports.refusal(slug, key, expires, signature, at) FROM (VALUES
    ('in time', 'export-a', :'csv', :'expires', :'signature', timestamptz '2026-03-01 01:02:59'),
    ('over', 'export-a', :'csv', :'expires', :'signature', '2026-03-01 01:03'),
    ('a later end', 'export-a', :'csv', :'expires'::bigint + 9 || '', :'signature', '2026-03-01 01:02:59'),
    ('an earlier end', 'export-a', :'csv', :'expires'::bigint - 1 || '', :'signature', '2026-03-01 00:30'),
    ('another export', 'export-a', :'json', :'expires', :'signature', '2026-03-01 00:30'),
    ('another workspace', 'export-b', :'csv', :'expires', :'signature', '2026-03-01 00:30'),
    ('upper case', 'export-a', :'csv', :'expires', upper(:'signature') || ' ', '2026-03-01 00:30'),
    ('one digit less', 'export-a', :'csv', :'expires', left(:'signature', 63), '2026-03-01 00:30'),
    ('no signature', 'export-a', :'csv', :'expires', NULL, '2026-03-01 00:30'),
    ('an empty one', 'export-a', :'csv', :'expires', '', '2026-03-01 00:30'),
    ('no end', 'export-a', :'csv', NULL, :'signature', '2026-03-01 00:30'),
    ('an end that is no number', 'export-a', :'csv', '1e9', :'signature', '2026-03-01 00:30'),
    ('an end beyond numbers', 'export-a', :'csv', '99999999999999999999', :'signature', '2026-03-01 00:30')) AS t (what, slug, key, expires, signature, at);
SELECT count(*) FROM generate_series(0, 63) AS i
WHERE exports.refusal('export-a', :'csv', :'expires', overlay(:'signature' PLACING CASE substr(:'signature', i + 1, 1) WHEN '0' THEN '1' ELSE '0' END FROM i + 1 FOR 1), '2026-03-01 00:30') = 'let in';
SELECT encode(leadanalytics.hmac_sha256('what do ya want for nothing?', 'Jefe'), 'hex') AS "RFC 4231, 2";
SELECT leadanalytics.same_secret('a', 'a'), leadanalytics.same_secret('a', 'b'), leadanalytics.same_secret('a', 'aa'), leadanalytics.same_secret('', '');

-- The hour is over: by the clock, then by the worker; at last it is forgotten.
SELECT leadanalytics.get_export(:a, :'csv', '2026-03-01 01:03') ->> 'status' AS status, leadanalytics.get_export(:a, :'csv', '2026-03-01 01:03') ->> 'download_url' AS url;
SELECT leadanalytics.remove_exports('2026-03-01 01:02:59');
SELECT count(*) AS chunks FROM leadanalytics.export_chunk;
SELECT leadanalytics.remove_exports('2026-03-01 01:03');
SELECT count(*) AS chunks FROM leadanalytics.export_chunk;
SELECT regexp_replace(leadanalytics.get_export(:a, :'csv', '2026-03-01 02:00')::text, 'exp_\w+', 'exp_') AS "S4-07 expired";
SELECT leadanalytics.remove_exports('2026-03-08 01:03'), leadanalytics.remove_exports('2026-03-08 01:03:01');
SELECT count(*) AS jobs FROM leadanalytics.export;

-- What a job fails of. The client reads what was meant for it, and nothing else.
SELECT leadanalytics.queue_export(:a, type, 'csv', options, '2026-03-02') <> '' AS queued
FROM (VALUES ('numbers', '{"n": 0}'::jsonb), ('mixed', '{}'), ('more', '{}'), ('fewer', '{}'), ('nothing', '{}'), ('volatile', '{}'), ('strange', '{}'), ('missing', '{}'),
             ('fails', '{"error": "table secret_things is gone", "code": "42P01"}'), ('fails', '{"error": "too many of them", "code": "LA422"}')) AS t (type, options);
SELECT exports.attempt('2026-03-02') AS job FROM generate_series(1, 11) ORDER BY 1;
SELECT exports.told(:a, e.key) FROM leadanalytics.export e WHERE e.type = 'numbers' AND e.status = 'failed';
SELECT count(*) AS chunks FROM leadanalytics.export_chunk;
SELECT leadanalytics.remove_exports('2026-03-09'), leadanalytics.remove_exports('2026-03-09 00:00:01');

-- Another attempt may cure it: three of them, with pauses.
SELECT leadanalytics.queue_export(:a, 'fails', 'csv', '{"error": "deadlock", "code": "40P01"}', '2026-03-02') AS job \gset
SELECT exports.attempt('2026-03-02 00:00:00'), exports.attempt('2026-03-02 00:00:14'), exports.attempt('2026-03-02 00:00:15'), exports.attempt('2026-03-02 00:00:44'), exports.attempt('2026-03-02 00:00:45');
-- One that ends its worker each time.
SELECT leadanalytics.queue_export(:a, 'numbers', 'csv', '{"n": 1}', '2026-03-02') AS job \gset
SELECT (leadanalytics.claim_export('2026-03-02')).attempt, (leadanalytics.claim_export('2026-03-02 00:01')).attempt, (leadanalytics.claim_export('2026-03-02 00:02')).attempt;
SELECT exports.attempt('2026-03-02 00:03');
-- What is no JSON is no record.
SELECT leadanalytics.write_file('SELECT 1', :a, 'exp_', 'csv', '{}', '2026-03-02');
SELECT leadanalytics.write_file('SELECT', :a, 'exp_', 'csv', '{}', '2026-03-02');

-- A claim that somebody else repeated is no claim.
SELECT leadanalytics.queue_export(:a, 'numbers', 'csv', '{"n": 1, "width": 1}', '2026-03-02') AS job \gset
SELECT attempt FROM leadanalytics.claim_export('2026-03-02');
SELECT attempt FROM leadanalytics.claim_export('2026-03-02 00:01');
SELECT leadanalytics.write_export(:a, :'job', 1, '2026-03-02 00:01');
SELECT status, attempts FROM leadanalytics.exports WHERE key = :'job';
SELECT leadanalytics.write_export(:a, :'job', 2, '2026-03-02 00:01');
SELECT status, attempts FROM leadanalytics.exports WHERE key = :'job';
SELECT leadanalytics.write_export(:a, :'job', 2, '2026-03-02 00:01'); -- done is done
SELECT count(*) AS chunks FROM leadanalytics.export_chunk WHERE export = :'job';

-- Turns: a workspace that asks for much does not keep another one waiting.
DELETE FROM leadanalytics.export;
SELECT count(leadanalytics.queue_export(:a, 'numbers', 'csv', '{"n": 1, "width": 1}', '2026-03-03 00:00:00'::timestamptz + i * interval '1 second')) FROM generate_series(1, 3) i;
SELECT count(leadanalytics.queue_export(:b, 'numbers', 'csv', '{"n": 1, "width": 1}', '2026-03-03 00:00:10'::timestamptz + i * interval '1 second')) FROM generate_series(1, 2) i;
SELECT CASE (leadanalytics.claim_export('2026-03-03 00:01:00'::timestamptz + i * interval '1 second')).workspace WHEN :a THEN 'a' WHEN :b THEN 'b' END AS turn FROM generate_series(1, 6) i;

-- The worker's procedure, and many pieces: any range of bytes is that of the whole.
DELETE FROM leadanalytics.export;
SELECT leadanalytics.queue_export(:a, 'numbers', f, '{"n": 700, "width": 5000, "text": "é"}', '2026-03-04') <> '' AS queued FROM unnest('{csv,json,ndjson}'::text[]) AS f;
CALL leadanalytics.write_exports('2026-03-04');
SELECT format, status, records, completed_at BETWEEN '2026-03-04' AND '2026-03-04 00:01' AS "on time", size = (SELECT sum(length(data)) FROM leadanalytics.export_chunk c WHERE c.export = e.key) AS whole,
       (SELECT string_agg(length(data)::text, ' ' ORDER BY n) FROM leadanalytics.export_chunk c WHERE c.export = e.key) AS pieces
FROM leadanalytics.exports e ORDER BY format;
-- a second way to the contents
SELECT exports.content(key) = E'n,text,now\r\n' || (SELECT string_agg(format(E'%s,%s,%s\r\n', n, repeat('é', 5000), '2026-03-04T00:00:00+00:00'), '' ORDER BY n) FROM generate_series(1, 700) n) AS same
FROM leadanalytics.exports WHERE format = 'csv';
SELECT (SELECT md5(string_agg(r::text, '' ORDER BY n)) FROM json_array_elements(exports.content(j.key)::json) WITH ORDINALITY AS r (r, n))
       = (SELECT md5(string_agg(r, '' ORDER BY n)) FROM regexp_split_to_table(rtrim(exports.content(n.key), E'\n'), E'\n') WITH ORDINALITY AS r (r, n)) AS same
FROM leadanalytics.exports j, leadanalytics.exports n WHERE j.format = 'json' AND n.format = 'ndjson';
SELECT bool_and(leadanalytics.export_bytes(e.workspace, e.key, s, t) = substring(whole.data FROM s::int + 1 FOR (t - s)::int)) AS same
FROM leadanalytics.exports e,
     LATERAL (SELECT string_agg(data, '' ORDER BY n) AS data FROM leadanalytics.export_chunk c WHERE c.export = e.key) AS whole,
     (VALUES (0, 0), (0, 1), (1048575, 1048576), (1048576, 1048577), (1048575, 1048577), (5, 3000000), (2097152, 2097152), (2097151, 3145729), (1000, 1000)) AS v (s, t)
WHERE e.format = 'csv';

-- A workspace takes its exports with it.
DELETE FROM leadanalytics.workspace WHERE id IN (:a, :b);
SELECT count(*) FROM leadanalytics.export_chunk;
DELETE FROM leadanalytics.export_type WHERE NOT builtin;
DROP SCHEMA exports CASCADE;
DROP ROLE export_stranger;
