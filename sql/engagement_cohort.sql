-- Cohorts (S2-16), beside plain SQL from the rows: random leads with several visitors, aliases, robots, mails.
\set VERBOSITY terse
SET timezone = 'America/New_York'; -- nothing depends on it
SET leadanalytics.segment_events = 5;
SELECT leadanalytics.create_workspace('cohorts', timezone => 'Asia/Kolkata') AS w \gset
SELECT leadanalytics.create_workspace('cohorts-other') AS other \gset

-- Nothing yet.
SELECT leadanalytics.cohorts(:w, now => '2021-03-20Z');
SELECT leadanalytics.cohorts(:w, 'month', 'converted', '2021-01-01', '2021-03-31', '2021-03-20Z');
SELECT * FROM leadanalytics.cohorts_rows(:w, '2021-03-01Z', '2021-03-01Z');

-- By hand. Ann came on a Sunday at 23:59:59.9, which is Monday in Kolkata and still Sunday in New York; Bob a moment later.
SELECT leadanalytics.put_engagement_lead(:other, 'ann', created_at => '2021-02-28 23:59:59.9Z', now => '2021-02-28 23:59:59.9Z') ->> 'leadId',
       leadanalytics.put_engagement_lead(:other, 'bob', created_at => '2021-03-01 00:00Z', now => '2021-03-01 00:00Z') ->> 'leadId',
       leadanalytics.put_engagement_lead(:other, 'cid', created_at => '2021-03-07 12:00Z', now => '2021-03-07 12:00Z') ->> 'leadId',
       leadanalytics.put_engagement_lead(:other, 'dan', created_at => '2021-03-30 12:00Z', now => '2021-03-30 12:00Z') ->> 'leadId';
CREATE FUNCTION says(what text, who text, at timestamptz) RETURNS text LANGUAGE sql AS
    $$SELECT leadanalytics.add_engagement((SELECT w.id FROM leadanalytics.workspace w WHERE w.slug = 'cohorts-other'), what, who, CASE WHEN what ~ 'mail|link' THEN 'm-' || who END, NULL, at, at) ->> 'type'$$;
SELECT says('page_visit', 'bob', '2021-03-01 09:00Z'), says('page_visit', 'bob', '2021-03-07 23:59:59.999Z'), -- a week, once
       says('form_submission', 'bob', '2021-03-08 00:00Z'), says('email_sent', 'cid', '2021-03-08 08:00Z'), says('email_bounce', 'cid', '2021-03-15 08:00Z'), -- neither engages
       says('email_open', 'ann', '2021-03-16 08:00Z'), says('email_open', 'ann', '2021-03-24 08:00Z'), -- the fact is the first one's (D-42)
       says('link_click', 'ann', '2021-03-18 08:00Z'), says('email_reply', 'cid', '2021-03-17 08:00Z'), says('page_visit', 'nobody', '2021-03-17 08:00Z'),
       says('page_visit', 'cid', '2021-03-01 00:00Z'); -- before it came, in the week that it came in
SELECT leadanalytics.track(:other, '{"event_name": "add_to_cart", "user_id": "bob", "timestamp": "2021-03-16T10:00:00Z"}', now => '2021-03-16 10:00Z') ->> 'accepted' AS "no page";
SELECT leadanalytics.patch_engagement_lead(:other, 'bob', status => 'converted', now => '2021-03-09 01:00Z') ->> 'status',
       leadanalytics.patch_engagement_lead(:other, 'bob', status => 'new', now => '2021-03-10 01:00Z') ->> 'status',
       leadanalytics.patch_engagement_lead(:other, 'bob', status => 'converted', now => '2021-03-16 01:00Z') ->> 'status',
       leadanalytics.put_engagement_lead(:other, 'eve', status => 'converted', created_at => '2021-03-02 12:00Z', now => '2021-03-20Z') ->> 'status';
SELECT cohort, size, string_agg(index || ':' || count, ' ' ORDER BY index) AS "S2-16 engaged" FROM leadanalytics.cohorts_rows(:other, '2021-02-22Z', '2021-04-05Z', now => '2021-03-20Z') GROUP BY 1, 2 ORDER BY 1;
SELECT cohort, size, string_agg(index || ':' || count, ' ' ORDER BY index) AS "S2-16 converted" FROM leadanalytics.cohorts_rows(:other, '2021-02-22Z', '2021-04-05Z', metric => 'converted', now => '2021-03-20Z') GROUP BY 1, 2 ORDER BY 1;
SELECT cohort, size, string_agg(index || ':' || count, ' ' ORDER BY index) AS "S2-16 by month" FROM leadanalytics.cohorts_rows(:other, '2021-02-22Z', '2021-04-05Z', 'month', now => '2021-03-20Z') GROUP BY 1, 2 ORDER BY 1;
SELECT leadanalytics.cohorts(:other, "from" => '2021-03-01', "to" => '2021-03-07', now => '2021-03-21 23:59Z');
SELECT leadanalytics.cohorts(:other, metric => 'converted', "from" => '2021-03-01T00:00:00.001Z', "to" => '2021-03-02', now => '2021-03-22 00:00Z');
SELECT leadanalytics.cohorts(:other, "from" => '2021-03-28', "to" => '2021-03-31', now => '2021-03-22Z');
-- Thirty days, as everywhere.
SELECT leadanalytics.cohorts(:other, metric => 'converted', now => '2021-03-30 12:00Z')::jsonb = leadanalytics.cohorts(:other, 'week', 'converted', '2021-03-01', '2021-03-30', '2021-03-30 12:00Z')::jsonb AS thirty;

-- How much may be asked.
\set ON_ERROR_STOP 0
SELECT count(*) FROM leadanalytics.cohorts_rows(:other, '2012-01-02Z', '2021-12-20Z', now => '2021-12-20Z');
SELECT leadanalytics.cohorts_rows(:other, '2012-01-02Z', '2021-12-20 00:00:00.001Z', now => '2021-12-20Z');
SELECT leadanalytics.cohorts_rows(:other, '-infinity', '2021-12-20Z');
SELECT leadanalytics.cohorts_rows(:other, '2021-12-20Z', 'infinity');
SELECT leadanalytics.cohorts(:other, "from" => '0001-01-01', "to" => '9999-12-31');
SELECT leadanalytics.cohorts_rows(:other, '2021-12-13Z', '2021-12-20Z', 'day');
SELECT leadanalytics.cohorts_rows(:other, '2021-12-13Z', '2021-12-20Z', metric => 'lost');
SELECT leadanalytics.cohorts_rows(0, '2021-12-13Z', '2021-12-20Z');
SELECT min(index), max(index), count(*) FROM leadanalytics.cohorts_rows(:other, '2021-03-01Z', '2021-03-08Z', now => '2050-01-01Z'); -- 120 periods
SELECT min(index), max(index), count(*) FROM leadanalytics.cohorts_rows(:other, '2021-03-01Z', '2021-03-08Z', 'month', now => '2031-02-28Z');
\set ON_ERROR_STOP 1

-- At random: 160 leads of forms and of another system, who share browsers, have several, and other names.
CREATE FUNCTION cohort_hash(i int, what int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$SELECT ('x' || left(md5(what || ':' || i), 7))::bit(28)::int / 268435456.0$$;
CREATE FUNCTION cohort_pick(i int, what int, n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$SELECT floor(cohort_hash(i, what) * n)::int$$;
INSERT INTO leadanalytics.lead (workspace, external_id, enquiry_at, status, visitor_id)
SELECT :w, CASE WHEN i % 2 = 0 THEN CASE WHEN i % 10 = 0 THEN 'v' || cohort_pick(i, 1, 120) || '-' || i ELSE 'user-' || i END END, timestamptz '2021-01-11Z' + cohort_hash(i, 2) * 60 * interval '24 hours', 'new',
       CASE WHEN i % 3 > 0 THEN 'v' || cohort_pick(i, 3, 120) END
FROM generate_series(1, 160) AS i;
CREATE TEMP TABLE someone AS SELECT row_number() OVER (ORDER BY id)::int AS i, id, coalesce(external_id, id::text) AS key, enquiry_at FROM leadanalytics.lead WHERE workspace = :w;
INSERT INTO leadanalytics.lead_submission (workspace, lead, submitted_at, is_primary, is_duplicate_window, visitor_id, score, suspicion, payload)
SELECT :w, s.id, s.enquiry_at + (n - 1) * cohort_hash(s.i, 4 + n) * 30 * interval '24 hours', n = 1, false, CASE WHEN cohort_pick(s.i, 10 + n, 3) > 0 THEN 'v' || cohort_pick(s.i, 20 + n, 120) END, 0, 0, '{}'
FROM someone s, generate_series(1, 4) AS n WHERE n <= cohort_pick(s.i, 9, 5);
INSERT INTO leadanalytics.lead_status_change (workspace, lead, from_status, to_status, at)
SELECT :w, s.id, CASE WHEN n > 1 THEN 'new' END, (ARRAY['new', 'contacted', 'won', 'lost'])[1 + cohort_pick(s.i, 30 + n, 4)], s.enquiry_at + (n - 2) * cohort_hash(s.i, 40 + n) * 20 * interval '24 hours'
FROM someone s, generate_series(1, 5) AS n;
CREATE TEMP TABLE said AS
SELECT i, json_strip_nulls(json_build_object(
           'event_name', (ARRAY['page_view', 'pageview', '$pageview', 'page_visit', 'form_submission', 'click', 'purchase', '$identify', '$alias'])[1 + cohort_pick(i, 50, 7) + CASE WHEN i % 9 = 0 THEN 2 ELSE 0 END],
           'visitor_id', CASE WHEN cohort_hash(i, 51) < 0.8 THEN 'v' || cohort_pick(i, 52, 120) END,
           'session_id', CASE WHEN cohort_hash(i, 53) < 0.3 THEN 's' || cohort_pick(i, 54, 200) END,
           'user_id', CASE WHEN i % 9 = 0 OR cohort_hash(i, 51) > 0.85 THEN (SELECT s.key FROM someone s WHERE s.i = 1 + cohort_pick(said.i, 55, 160)) END,
           'previous_id', CASE WHEN i % 9 = 0 AND cohort_hash(i, 56) < 0.3 THEN CASE WHEN i % 2 = 0 THEN 'v' || cohort_pick(i, 57, 120) ELSE (SELECT s.key FROM someone s WHERE s.i = 1 + cohort_pick(said.i, 58, 160)) END END,
           'timestamp', timestamptz '2021-01-05Z' + cohort_hash(i, 59) * 85 * interval '24 hours')) AS event
FROM generate_series(1, 3000) AS said (i);
CREATE FUNCTION tell(workspace int, first int, last int) RETURNS bigint LANGUAGE sql AS $$
    SELECT sum((leadanalytics.track(workspace, json_build_object('events', t.events), now => '2021-03-31 12:00Z', as_role => 'admin',
        user_agent => CASE WHEN n % 8 = 3 THEN 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)' END) ->> 'accepted')::int)
    FROM (SELECT cohort_pick(i, 60, 16) AS n, json_agg(event ORDER BY i) AS events FROM said WHERE i BETWEEN first AND last GROUP BY 1 ORDER BY 1) AS t
$$;
SELECT count(leadanalytics.add_engagement(:w, (ARRAY['email_sent', 'email_open', 'link_click', 'email_reply', 'email_bounce'])[1 + cohort_pick(n, 70, 5)],
    (SELECT s.key FROM someone s WHERE s.i = 1 + cohort_pick(n, 71, 160)), 'mail-' || cohort_pick(n, 71, 160) || '-' || n % 3, NULL, timestamptz '2021-01-11Z' + cohort_hash(n, 72) * 79 * interval '24 hours', '2021-03-31Z'))
FROM generate_series(1, 600) AS n;

CREATE FUNCTION differences(workspace int) RETURNS TABLE (asked bigint, rows bigint, counted bigint, different bigint) LANGUAGE plpgsql AS $$
DECLARE
    ask record;
    same bigint;
BEGIN
    asked := 0; rows := 0; counted := 0; different := 0;
    FOR ask IN SELECT i.name AS interval, m.name AS metric, r.*
               FROM unnest('{week,month}'::text[]) AS i (name), unnest('{engaged,converted}'::text[]) AS m (name),
                    (VALUES (timestamptz '2021-01-01Z', timestamptz '2021-04-01Z', timestamptz '2021-03-31 12:00Z'), ('2021-01-20 03:00Z', '2021-02-17 22:00Z', '2021-03-07 23:59:59.999Z'),
                            ('2021-02-01Z', '2021-02-02Z', '2021-06-01Z'), ('2021-02-01Z', '2021-03-10Z', '2021-02-15 00:00Z'), ('2021-02-01Z', '2021-03-10Z', '2021-01-15Z')) AS r (starts, ends, now)
    LOOP
        SET LOCAL leadanalytics.exact = on;
        CREATE TEMP TABLE plain ON COMMIT DROP AS SELECT * FROM leadanalytics.cohorts_rows(workspace, ask.starts, ask.ends, ask.interval, ask.metric, ask.now);
        SET LOCAL leadanalytics.exact = off;
        CREATE TEMP TABLE engine ON COMMIT DROP AS SELECT * FROM leadanalytics.cohorts_rows(workspace, ask.starts, ask.ends, ask.interval, ask.metric, ask.now);
        asked := asked + 1;
        SELECT rows + count(*), counted + coalesce(sum(p.count), 0) INTO rows, counted FROM plain p;
        SELECT count(*) INTO same FROM ((TABLE plain EXCEPT TABLE engine) UNION ALL (TABLE engine EXCEPT TABLE plain)) AS d;
        different := different + same;
        DROP TABLE plain, engine;
    END LOOP;
    RETURN NEXT;
END
$$;
SELECT tell(:w, 1, 1500) > 1000 AS told;
SELECT asked, rows > 200 AS enough, counted > 400 AS counted, different AS "S2-16 nothing folded" FROM differences(:w);
SELECT leadanalytics.fold(:w, '2021-03-22Z') >= 0, leadanalytics.build(:w, '2021-03-22Z') >= 0; -- unless the worker was faster
SELECT different AS "S2-16 folded" FROM differences(:w);
SELECT tell(:w, 1501, 3000) > 1000 AS told;
SELECT asked, rows > 200 AS enough, counted > 800 AS counted, different AS "S2-16 partly folded" FROM differences(:w);
SELECT leadanalytics.fold(:w, '2021-03-31Z') >= 0;
SELECT different AS "S2-16 all folded" FROM differences(:w);
SELECT count(*) FILTER (WHERE alias_of IS NOT NULL) > 5 AS aliases, (SELECT count(*) > 20 FROM leadanalytics.visitor WHERE workspace = :w AND person IS NOT NULL) AS identified,
       (SELECT count(*) > 50 FROM leadanalytics.event WHERE workspace = :w AND visitor IS NULL AND person IS NOT NULL AND kind = 'p') AS "without a browser",
       (SELECT count(*) > 20 FROM (SELECT FROM leadanalytics.lead_web_numbers(:w, '2021-01-01Z', '2021-04-01Z') GROUP BY number HAVING count(*) > 1) AS n) AS shared,
       (SELECT count(*) > 20 FROM (SELECT FROM leadanalytics.lead_web_numbers(:w, '2021-01-01Z', '2021-04-01Z') GROUP BY lead HAVING count(*) > 2) AS n) AS several
FROM leadanalytics.person WHERE workspace = :w;
-- All leads at once are what each is alone.
SELECT count(*) AS "other numbers" FROM (
    SELECT s.id, (SELECT array_agg(n.number ORDER BY n.number) FROM unnest(leadanalytics.lead_numbers(:w, s.key)) AS n (number)) AS alone,
           (SELECT array_agg(DISTINCT n.number ORDER BY n.number) FROM leadanalytics.lead_web_numbers(:w, '2021-01-01Z', '2021-04-01Z') n WHERE n.lead = s.id) AS together FROM someone s) AS b
WHERE alone IS DISTINCT FROM together;

-- The names that pages are visited by.
SELECT DISTINCT leadanalytics.event_kind(n) FROM unnest('{page_view,pageview,$pageview,page_visit}'::text[]) AS n;

DROP TABLE said, someone;
DROP FUNCTION says, tell, differences, cohort_hash, cohort_pick;
