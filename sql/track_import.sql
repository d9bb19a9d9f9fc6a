-- Imports: web server logs in combined format, CSV of events; D-04, D-70.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT leadanalytics.create_workspace('history', 'History') AS history \gset
SELECT leadanalytics.create_workspace('whole', 'Whole') AS whole \gset
CREATE FUNCTION public.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    EXECUTE statement INTO answer;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
-- Numbers differ with what ran before in this database: not shown.
CREATE VIEW public.seen AS
SELECT workspace, event_name, kind, visitor_id, CASE WHEN session_id ~ '^[0-9]+$' THEN '(server)' ELSE session_id END AS session_id, at, page_url, page_title, referrer, utm_source, source, event_data
FROM leadanalytics.events;
CREATE VIEW public.visits AS
SELECT s.workspace, v.visitor_id, s.session_id, s.started_at, s.last_seen, s.ended_at, s.events, s.pageviews, s.clicks, s.scroll_percent AS scroll, s.returns, s.import
FROM leadanalytics.session s
LEFT JOIN leadanalytics.visitor v ON v.workspace = s.workspace AND v.number = s.visitor;
CREATE VIEW public.came AS
SELECT workspace, source, format, lines, accepted, duplicates, rejected, last_at, finished_at IS NOT NULL AS finished FROM leadanalytics.imports;

-- Lines of a log
SELECT jsonb_pretty(leadanalytics.import_log(:history, 'log', 7, ARRAY[
    '192.0.2.1 - - [17/May/2015:10:05:03 +0200] "GET /a?b=c HTTP/1.1" 200 2326 "http://r.example/" "Agent \"quoted\" 1"',
    '192.0.2.1 - frank [17/May/2015:10:06:03 +0200] "GET /style.CSS?v=1 HTTP/1.1" 200 - "-" "Agent \"quoted\" 1"',
    '192.0.2.1 - - [17/May/2015:10:07:03 +0200] "POST /form HTTP/1.1" 200 5 "-" "Agent \"quoted\" 1"',
    '192.0.2.1 - - [17/May/2015:10:37:03 +0200] "GET /304 HTTP/1.1" 304 0 "-" "Agent \"quoted\" 1" "extra"',
    '192.0.2.1 - - [17/May/2015:11:07:04 +0200] "GET /new/ HTTP/1.1" 204 0 "-" "Agent \"quoted\" 1"',
    '2001:db8::1 - - [17/May/2015:10:05:03 +0000] "GET /404 HTTP/1.1" 404 0 "-" "-"',
    '2001:db8::1 - - [17/May/2015:10:05:04 +0000] "\x16\x03\x01" 400 0 "-" "-"',
    '2001:db8::1 - - [17/May/2015:10:05:05 +0000] "-" 408 0 "-" "-"',
    '2001:db8::1 - - [17/May/2015:10:05:06 +0000] "GET /a b/c.d/e HTTP/1.0" 206 0 "-" "-"',
    NULL, '', 'nonsense', '192.0.2.1 - - 17/May/2015', '192.0.2.1 - - [30/Feb/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "-"',
    '192.0.2.1 - - [17/May/2199:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "-"', '192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 2000 1 "-" "-"',
    '192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 x "-" "-"', '192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1',
    '192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "cut', 'host - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "-"'])::jsonb);
SELECT event_name, kind, at, page_url, referrer, visitor_id = 'log:' || md5('192.0.2.1 Agent \"quoted\" 1') AS first FROM seen WHERE source = 'log' ORDER BY at, page_url;
SELECT started_at::time AS started, last_seen::time AS seen, events, pageviews, returns, import IS NOT NULL AS imported FROM visits WHERE workspace = :history ORDER BY 1;
-- the same source, number and line count once; another number or source is another line
SELECT n, s, leadanalytics.import_log(:history, s, n, ARRAY['192.0.2.1 - - [17/May/2015:10:05:03 +0200] "GET /a?b=c HTTP/1.1" 200 2326 "http://r.example/" "Agent \"quoted\" 1"'])
FROM (VALUES (7, 'log'), (8, 'log'), (7, 'other')) v (n, s);
SELECT attempt('SELECT leadanalytics.import_log(4711, ''x'', 1, ARRAY[''y''])'), attempt('SELECT leadanalytics.import_log(NULL, ''x'', 1, ARRAY[''y''])');
SELECT leadanalytics.import_log(:history, 'log', 1, '{}');


-- How far it has come: a repeated chunk moves nothing, and none may be left out
SELECT source, format, lines, accepted, duplicates, rejected, last_at, finished FROM came WHERE workspace = :history ORDER BY source COLLATE "C";
SELECT attempt(format('SELECT leadanalytics.import_log(%s, ''log'', 28, ARRAY[''x''])', :history)) AS gap,
       attempt(format('SELECT leadanalytics.import_log(%s, ''log'', 0, ARRAY[''x''])', :history)) AS zero,
       attempt(format('SELECT leadanalytics.import_csv(%s, ''log'', ''event_name'', 8, ARRAY[''x''])', :history)) AS other_format;
SELECT leadanalytics.import_begin(:history, 'log')::jsonb - 'id' - 'finished_at';
SELECT leadanalytics.import_finish(:history, 'log')::jsonb - 'id' - 'finished_at';
SELECT attempt(format('SELECT leadanalytics.import_finish(%s, ''none'')', :history)), attempt(format('SELECT leadanalytics.import_begin(%s, ''none'', ''xml'')', :history));
SELECT count(*) AS locks FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
-- the digest is that of a chain, whatever the chunks were
SELECT leadanalytics.import_log(:history, 'chain', 1, ARRAY['a', 'b']) ->> 'lines' AS two, leadanalytics.import_log(:history, 'chain', 3, ARRAY['c']) ->> 'lines' AS three,
       leadanalytics.import_log(:history, 'chain', 2, ARRAY['b', 'c', 'd']) ->> 'lines' AS again;
SELECT digest = md5(decode(md5(decode(md5(decode(md5(decode(repeat('00', 16), 'hex') || 'a'), 'hex') || 'b'), 'hex') || 'c'), 'hex') || 'd')::uuid AS chained, rejected
FROM leadanalytics.import WHERE workspace = :history AND source = 'chain';

-- D-04 What an unfinished import holds, idleness does not close; what a finished one may go on with, for a day
CREATE FUNCTION public.lines_from(minute int, to_minute int) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(format('192.0.2.%s - - [17/May/2015:%s +0000] "GET /%s HTTP/1.1" 200 1 "-" "A"', CASE WHEN m < 5 THEN 9 ELSE m % 3 END, to_char(timestamp '2015-05-17 10:00' + m * interval '7 min', 'HH24:MI:SS'), m) ORDER BY m)
    FROM generate_series(minute, to_minute) m
$$;
SELECT leadanalytics.import_log(:whole, 'l', 1, lines_from(0, 29)) ->> 'accepted' AS accepted;
SELECT leadanalytics.import_finish(:whole, 'l') ->> 'lines' AS lines;
SELECT leadanalytics.create_workspace('parts', 'Parts') AS parts \gset
SELECT leadanalytics.import_log(:parts, 'l', 1, lines_from(0, 9)) ->> 'accepted' AS accepted;
SELECT leadanalytics.close_idle(:parts) AS closed_while_unfinished, leadanalytics.close_idle(:parts, now() + interval '23 hours') AS almost_a_day;
SELECT leadanalytics.import_log(:parts, 'l', 11, lines_from(10, 19)) ->> 'accepted' AS accepted;
SELECT leadanalytics.import_finish(:parts, 'l') ->> 'lines' AS lines;
SELECT count(*) AS sessions, count(ended_at) AS ended FROM visits WHERE workspace = :parts;
SELECT leadanalytics.close_idle(:parts) AS closed_when_finished, leadanalytics.sweep_sessions(now()) >= 0 AS swept;
SELECT visitor_id, started_at, last_seen, ended_at FROM visits WHERE workspace = :parts ORDER BY 2;
SELECT leadanalytics.import_log(:parts, 'l', 21, lines_from(20, 29)) ->> 'accepted' AS grown;
SELECT finished FROM came WHERE workspace = :parts;
SELECT count(*) AS others FROM (SELECT visitor_id, started_at, last_seen, events, pageviews, returns FROM visits WHERE workspace = :parts EXCEPT
       SELECT visitor_id, started_at, last_seen, events, pageviews, returns FROM visits WHERE workspace = :whole) d;
SELECT leadanalytics.close_idle(:parts, now() + interval '25 hours') AS given_up;
SELECT count(*) AS left_open FROM visits WHERE workspace = :parts AND ended_at IS NULL;

-- Rows of a CSV file
\set header '"event_name",visitor_id,session_id,event_id,timestamp,url,title,utm_source,plan,,user_agent,ip,event_data'
SELECT jsonb_pretty(leadanalytics.import_csv(:history, 'csv', U&'\FEFF' || :'header' || E'\r\n', 2, ARRAY[
    'page_view,v1,s1,00000000-0000-4000-8000-000000000001,2019-12-31T23:59:30Z,https://x.example/a,"A, the ""first""",google,pro,1,Firefox,192.0.2.7,"{""k"": [1, 2]}"',
    E'page_view,v1,s1,,2020-01-01 00:05:00+00,https://x.example/b,"two\nlines",,007,2,,2001:db8::1,\r\n',
    'click,v1,s1,,1577837400,,404,,1.50,3,,,', '$auto,v1,,,2020-01-01T00:10:00.25Z,,,,true,4,,,', 'buy,"v,1",,,2020-01-01T01:10:00.25Z,,5" screen,,-12,5,,,"{""plan"": ""of data"", ""url"": ""/c""}"',
    'buy,v9,,,,,,,99999999999999999999999999,6,,,',
    NULL, '', 'a,b', ',v,,,2020-01-01T00:00:00Z,,,,,,,,', 'e,v,,,2020-01-01T00:00:00Z,,,,,,,,,', 'e,"v,,,2020-01-01T00:00:00Z,,,,,,,,', 'e,"v"x,,,2020-01-01T00:00:00Z,,,,,,,,',
    E'e,v\n,,,2020-01-01T00:00:00Z,,,,,,,,', 'e,v,,,yesterday,,,,,,,,', 'e,v,,,1994-12-31T00:00:00Z,,,,,,,,', 'e,v,,,2199-01-01T00:00:00Z,,,,,,,,', 'e,v,,,2020-01-01T00:00:00Z,,,,,,,local,',
    'e,v,,,2020-01-01T00:00:00Z,,,,,,,192.0.2.0/24,', 'e,v,,,2020-01-01T00:00:00Z,,,,,,,,[1]', repeat('n', 201) || ',v,,,2020-01-01T00:00:00Z,,,,,,,,', 'e,' || repeat('v', 270000)])::jsonb);
SELECT event_name, kind, visitor_id, session_id, nullif(at, (SELECT started_at FROM leadanalytics.import WHERE workspace = :history AND source = 'csv')) AS at, page_url, page_title, utm_source, event_data
FROM seen WHERE workspace = :history AND visitor_id NOT LIKE 'log:%' ORDER BY seen.at;
SELECT visitor_id, session_id, started_at, last_seen, events, pageviews, clicks, returns FROM visits WHERE workspace = :history AND visitor_id = 'v1' ORDER BY 3;
SELECT event_id FROM leadanalytics.events WHERE workspace = :history AND visitor_id = 'v1' ORDER BY at LIMIT 1;
-- what has an event_id counts once under any number; what has none, by source, number and text; no timestamp: the import's start, also the second time
SELECT leadanalytics.import_csv(:history, s, h, n, ARRAY[r]) FROM (VALUES
    (1, 'csv', 'event_name,visitor_id,event_id,timestamp', 24, 'page_view,v1,00000000-0000-4000-8000-000000000001,2019-12-31T23:59:30Z'),
    (2, 'csv', :'header', 3, E'page_view,v1,s1,,2020-01-01 00:05:00+00,https://x.example/b,"two\nlines",,007,2,,2001:db8::1,\r\n'),
    (3, 'csv', :'header', 4, E'page_view,v1,s1,,2020-01-01 00:05:00+00,https://x.example/b,"two\nlines",,007,2,,2001:db8::1,\r\n'),
    (4, 'csv', :'header', 7, 'buy,v9,,,,,,,99999999999999999999999999,6,,,')) v (o, s, h, n, r) ORDER BY o;
SELECT h, attempt(format('SELECT leadanalytics.import_csv(%s, ''headers'', %L, 2, ''{}'')', :history, h)) AS answer
FROM unnest(ARRAY['name,visitor_id', 'event_name;visitor_id', '', 'event_name,"x', 'event_name,at,timestamp', 'event_name,x,x', 'event,,']) h;
SELECT attempt(format('SELECT leadanalytics.import_csv(%s, ''headers'', NULL, 2, ''{}'')', :history)),
       attempt(format('SELECT leadanalytics.import_csv(%s, ''headers'', %L, 2, ''{}'')', :history, 'event_name' || repeat(',', 1000))),
       attempt('SELECT leadanalytics.import_csv(4711, ''x'', ''event_name'', 2, ARRAY[''y''])');
-- our own events, written out as CSV, are the same events again (but for the kind of requests in a log, which their name does not tell)
SELECT leadanalytics.create_workspace('copy', 'Copy') AS copy \gset
CREATE FUNCTION public.cell(text) RETURNS text LANGUAGE sql AS $$SELECT coalesce('"' || replace($1, '"', '""') || '"', '')$$;
SELECT leadanalytics.import_csv(:copy, 'events', 'at,event_name,visitor_id,session_id,event_id,page_url,page_title,referrer,utm_source,utm_medium,utm_campaign,source,event_data', 2,
    array_agg(concat_ws(',', cell(at::text), cell(event_name), cell(visitor_id), cell(session_id), cell(event_id::text), cell(page_url), cell(page_title), cell(referrer),
                        cell(utm_source), cell(utm_medium), cell(utm_campaign), cell(source), cell(event_data::text)) ORDER BY at, id)) ->> 'accepted' AS accepted
FROM leadanalytics.events WHERE workspace = :history;
SELECT count(*) AS others FROM (SELECT at, event_name, visitor_id, session_id, event_id, page_url, page_title, referrer, utm_source, source, event_data FROM leadanalytics.events WHERE workspace = :history
                      EXCEPT ALL SELECT at, event_name, visitor_id, session_id, event_id, page_url, page_title, referrer, utm_source, source, event_data FROM leadanalytics.events WHERE workspace = :copy) d;

-- Who may do what
CREATE ROLE test_import_writer;
GRANT leadanalytics_write TO test_import_writer;
SELECT leadanalytics.grant_workspace(:whole, 'test_import_writer');
SET SESSION AUTHORIZATION test_import_writer;
SELECT attempt(format('SELECT leadanalytics.import_begin(%s, ''l'')', :history)) AS not_theirs, attempt(format('SELECT leadanalytics.import_finish(%s, ''l'')', :history)) AS neither,
       attempt('SELECT leadanalytics.import_row(1, ''l'', ''log'')') AS inside, (SELECT count(*) FROM leadanalytics.imports) AS imports;
RESET SESSION AUTHORIZATION;

DROP VIEW came, visits, seen;
DROP FUNCTION attempt, lines_from, cell;
DELETE FROM leadanalytics.workspace_role;
DROP ROLE test_import_writer;
