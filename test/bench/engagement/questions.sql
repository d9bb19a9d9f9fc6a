-- Each question of the last days by the clock: the best of the rounds after one to warm up, and from the rows alone.
CREATE TABLE bench.asked (place int GENERATED ALWAYS AS IDENTITY, name text, call text);
INSERT INTO bench.asked (name, call)
SELECT name, CASE kind WHEN 'rows' THEN format('(SELECT json_agg(q) FROM leadanalytics.%s AS q)', call) ELSE 'leadanalytics.' || call END
FROM (VALUES
    ('funnel of the web, 3 steps', 'rows', $$funnel_rows(:w, ':starts', ':ends', '{page_view,add_to_cart,purchase}', 30)$$),
    ('funnel of the web, 5 steps', 'rows', $$funnel_rows(:w, ':starts', ':ends', '{page_view,search,view_item,add_to_cart,purchase}', 30)$$),
    ('funnel of statuses', 'rows', $$funnel_rows(:w, ':starts', ':ends', '{new,contacted,qualified,converted}', 30)$$),
    ('funnel of mail', 'rows', $$funnel_rows(:w, ':starts', ':ends', '{email_sent,email_open,link_click,email_reply}', 30)$$),
    ('funnel of mail, web and statuses', 'rows', $$funnel_rows(:w, ':starts', ':ends', '{email_open,page_visit,qualified,converted}', 30)$$),
    ('cohorts by week, engaged', 'rows', $$cohorts_rows(:w, ':starts', ':ends', 'week', 'engaged', ':ends')$$),
    ('cohorts of 90 days by week, engaged', 'rows', $$cohorts_rows(:w, ':begins', ':ends', 'week', 'engaged', ':ends')$$),
    ('cohorts of 90 days by month, converted', 'rows', $$cohorts_rows(:w, ':begins', ':ends', 'month', 'converted', ':ends')$$),
    ('team performance', 'rows', $$team_performance_rows(:w, ':starts', ':ends')$$),
    ('KPIs', 'rows', $$kpis_rows(:w, ':starts', ':ends')$$),
    ('dashboard', 'json', $$dashboard(:w, ':starts', ':to', ':ends')$$),
    ('lead engagement', 'json', $$lead_engagement(:w, 'lead-7', ':begins', ':to', ':ends')$$),
    ('events, first page', 'json', $$engagement_events(:w, "from" => ':starts', "to" => ':to', now => ':ends')$$),
    ('events of a type, page 500', 'json', $$engagement_events(:w, 'email_open', "from" => ':starts', "to" => ':to', page => 500, now => ':ends')$$),
    ('events of a lead', 'json', $$engagement_events(:w, lead_id => 'lead-7', "from" => ':begins', "to" => ':to', now => ':ends')$$)) AS q (name, kind, call)
-- What is not there is not asked.
WHERE EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'leadanalytics'::regnamespace AND p.proname = split_part(q.call, '(', 1));
UPDATE bench.asked SET call = replace(replace(replace(replace(replace(call, ':w', f.workspace::text), ':starts', (:'ends'::timestamptz - :days * interval '24 hours')::text), ':begins', f.starts::text),
                                            ':ends', (:'ends'::timestamptz)::text), ':to', (:'ends'::timestamptz - interval '1 second')::text)
FROM bench.fact f;

CREATE FUNCTION bench.best(call text, rounds int, OUT ms numeric, OUT answer jsonb) LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz;
BEGIN
    FOR round IN 0 .. rounds LOOP
        begun := clock_timestamp();
        EXECUTE format('SELECT (%s)::jsonb', call) INTO answer;
        CONTINUE WHEN round = 0 AND rounds > 1;
        ms := round(least(ms, extract(epoch FROM clock_timestamp() - begun)::numeric * 1000), 2);
    END LOOP;
EXCEPTION WHEN query_canceled THEN
    ms := NULL;
    answer := NULL;
END
$$;
COMMENT ON FUNCTION bench.best(text, int) IS 'milliseconds of the quickest of so many calls, after one to warm up unless it is one; nulls beyond statement_timeout';

\echo leads, messages, their events, events of the web
SELECT (SELECT count(*) FROM leadanalytics.lead WHERE workspace = f.workspace), (SELECT count(*) FROM leadanalytics.message WHERE workspace = f.workspace),
       (SELECT count(*) FROM leadanalytics.message_event WHERE workspace = f.workspace), (SELECT count(*) FROM leadanalytics.event WHERE workspace = f.workspace)
FROM bench.fact f;
CREATE TABLE bench.told (place int, ms numeric, answer jsonb, exact_ms numeric, exact jsonb);
SELECT format('INSERT INTO bench.told (place, ms, answer) SELECT %s, b.ms, b.answer FROM bench.best(%L, %s) b', place, call, :rounds) FROM bench.asked ORDER BY place \gexec
-- Not all of it was written to be quick.
SET leadanalytics.exact = on;
SET statement_timeout = :'exact_limit';
SELECT format('UPDATE bench.told SET exact_ms = b.ms, exact = b.answer FROM bench.best(%L, %s) b WHERE place = %s', call, :exact_rounds, place) FROM bench.asked ORDER BY place \gexec
RESET leadanalytics.exact;
RESET statement_timeout;
\echo what, ms, from the rows ms, times
SELECT a.name, t.ms, coalesce(t.exact_ms::text, 'more than ' || :'exact_limit'), round(t.exact_ms / t.ms) FROM bench.told t JOIN bench.asked a USING (place) ORDER BY place;
DO $$
BEGIN
    IF EXISTS (SELECT FROM bench.told WHERE (answer IS DISTINCT FROM exact AND exact_ms IS NOT NULL) OR answer IS NULL) THEN
        RAISE EXCEPTION 'answers differ: %', (SELECT string_agg(a.name, ', ') FROM bench.told t JOIN bench.asked a USING (place) WHERE (answer IS DISTINCT FROM exact AND exact_ms IS NOT NULL) OR answer IS NULL);
    END IF;
END $$;
