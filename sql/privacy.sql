-- Privacy: what is handed out, and what is left of reports and tables when somebody is erased. The same world is loaded
-- three times: A with everybody, B with everybody but one, C with everybody again. test/privacy/worlds.t makes other worlds
-- of what stands here up to the line "-- One world".
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
SET timezone = 'UTC';
-- A number that is always the same for a text (and a seed).
CREATE FUNCTION pg_temp.draw(of text, below int) RETURNS int LANGUAGE sql STABLE AS $$ SELECT (('x' || left(md5(of || coalesce(current_setting('privacy.seed', true), '')), 7))::bit(28)::int % below) $$;

-- Twelve people with one to three browsers; most say who they are, some say another name later.
CREATE TEMP TABLE hit AS
SELECT p, timestamptz '2026-01-05 06:00Z' + interval '1 minute' * (pg_temp.draw(format('day %s %s', p, v), 55) * 1440 + pg_temp.draw(format('hour %s %s', p, v), 600)) + interval '50 seconds' * n AS at,
       jsonb_build_object(
           'event_id', format('event-%s-%s-%s', p, v, n),
           'event_name', (ARRAY['page_view', 'page_view', 'page_view', 'scroll', 'purchase', 'signup', '$identify'])[CASE n WHEN 2 THEN 7 ELSE 1 + pg_temp.draw(format('name %s %s %s', p, v, n), 6) END],
           'visitor_id', format('visitor-%s-%s', p, v % 3),
           'event_data', jsonb_build_object('url', format('https://shop.example/%s?mail=person%s%%40mail.example&utm_source=%s&utm_medium=cpc&utm_campaign=c%s',
                                                          (ARRAY['', 'pricing', 'about', 'thanks'])[1 + pg_temp.draw(format('page %s %s %s', p, v, n), 4)], CASE WHEN n % 3 = 0 THEN p END,
                                                          (ARRAY['google', 'news', 'x'])[1 + p % 3], pg_temp.draw(format('c %s %s', p, v), 3)),
                                            'title', format('For visitor-%s-%s', p, v % 3), 'referrer', format('https://ref%s.example/', p % 4), 'value', 10 + n, 'currency', 'USD',
                                            'tags', jsonb_build_array('t' || p % 2), 'note', format('Person %s of person%s@mail.example', p, p)))
       || CASE WHEN v % 4 = 1 THEN jsonb_build_object('session_id', format('session-%s-%s', p, v)) ELSE '{}' END
       || CASE WHEN n = 2 AND p % 4 > 0 THEN jsonb_build_object('user_id', format('user-%s', p), 'email', format('Person%s@mail.example', p)) ELSE '{}' END AS event
FROM generate_series(1, 12) AS p, generate_series(0, 5) AS v, generate_series(1, 9) AS n;
UPDATE hit SET event = event || jsonb_build_object('timestamp', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));

CREATE FUNCTION pg_temp.load_web(w int, without int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE batch record;
BEGIN
    FOR batch IN SELECT date_trunc('day', at) AS day, p, json_build_object('events', json_agg(event ORDER BY at)) AS body, max(at) AS at FROM hit
                 WHERE p IS DISTINCT FROM without GROUP BY 1, 2 ORDER BY 1, 2 LOOP
        PERFORM leadanalytics.track(w, batch.body, client_ip => ('198.18.0.' || batch.p)::inet, user_agent => CASE batch.p WHEN 10 THEN 'Googlebot/2.1 (+http://www.google.com/bot.html)' ELSE 'Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0' END,
                                    now => batch.at + interval '1 minute');
        IF current_setting('privacy.seed', true) <> '' AND pg_temp.draw(format('fold %s %s', batch.day, batch.p), 20) = 0 THEN
            PERFORM leadanalytics.fold(w, batch.at), leadanalytics.build(w, batch.at);
        END IF;
    END LOOP;
    -- An older name of person 3, and one that has no browser.
    IF without IS DISTINCT FROM 3 THEN
        PERFORM leadanalytics.track(w, '{"event_name": "$alias", "user_id": "user-3", "previousId": "older-name-3", "timestamp": "2026-03-05T00:00:00Z"}', now => '2026-03-05Z');
        PERFORM leadanalytics.track(w, '{"event_name": "renewal", "user_id": "older-name-3", "timestamp": "2026-03-05T01:00:00Z", "event_data": {"value": 7}}', now => '2026-03-05 02:00Z');
    END IF;
END $$;

-- Posts, leads that another system knows, mail, bookings: people 1 to 9.
CREATE FUNCTION pg_temp.load_rest(w int, without int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE one record; made bigint;
BEGIN
    PERFORM leadanalytics.put_room(w, 'standup', 'Standup'), leadanalytics.put_booking_page(w, 'intro', 'Intro'), leadanalytics.block_ip(w, '198.18.9.3', 'Spam');
    FOR one IN SELECT * FROM generate_series(1, 9) AS p WHERE p IS DISTINCT FROM without LOOP
        FOR n IN 1 .. 2 + one.p % 2 LOOP
            PERFORM leadanalytics.capture_lead(w, json_build_object('FIRSTNAME', 'Person ' || one.p || ' Surname', 'EMAIL', 'person' || one.p || '@mail.example', 'PHONE', '+43 660 000' || 1000 + one.p,
                        'PROJECT', 'Project ' || n % 2, '__visitor_id', format('visitor-%s-%s', one.p, n % 3), 'USER_MESSAGE', 'I am Person ' || one.p || ' Surname'),
                    client_ip => ('198.18.0.' || one.p)::inet, referer => format('https://shop.example/form?mail=person%s@mail.example', one.p),
                    now => timestamptz '2026-02-01 10:00Z' + interval '3 days' * n + interval '1 hour' * one.p);
        END LOOP;
        PERFORM leadanalytics.capture_lead(w, json_build_object('FIRSTNAME', 'Person ' || one.p || ' Surname', 'EMAIL', 'PERSON' || one.p || '@mail.example', 'PHONE', '+43 660 000' || 1000 + one.p),
                    client_ip => '198.18.9.3', now => '2026-02-20 10:00Z') WHERE one.p % 3 = 0;
        PERFORM leadanalytics.put_engagement_lead(w, 'crm-lead-' || one.p, email => 'person' || one.p || '@mail.example', name => 'Person ' || one.p || ' Surname', project => 'Mail',
                    status => (ARRAY['contacted', 'qualified', 'converted'])[1 + one.p % 3], owner_id => 'staff-' || one.p % 2, team_id => 'team', created_at => timestamptz '2026-02-02Z' + interval '1 day' * one.p,
                    now => timestamptz '2026-02-15Z' + interval '1 hour' * one.p);
        FOR n IN 1 .. 3 LOOP
            PERFORM leadanalytics.put_message_events(w, (SELECT json_agg(json_build_object('message_id', format('message-%s-%s', one.p, n), 'event', k.kind, 'campaign_id', 'c' || n % 2, 'mailbox_id', 'box', 'domain_id', 'dom',
                        'lead_id', CASE WHEN n < 3 THEN 'crm-lead-' || one.p END, 'recipient', format('Person%s@mail.example', one.p), 'url', CASE k.kind WHEN 'clicked' THEN format('https://shop.example/?m=person%s@mail.example', one.p) END,
                        'reason', CASE k.kind WHEN 'bounced' THEN format('550 no mailbox person%s@mail.example here', one.p) END,
                        'ip', '198.18.0.' || one.p, 'timestamp', to_char(timestamp '2026-02-10 08:00' + interval '1 day' * n + interval '1 hour' * (one.p + k.place), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))
                    FROM unnest(CASE one.p % 4 WHEN 0 THEN '{sent,bounced}' WHEN 1 THEN '{sent,delivered,opened}' ELSE '{sent,delivered,opened,clicked,replied}' END::text[]) WITH ORDINALITY AS k (kind, place)));
        END LOOP;
        PERFORM leadanalytics.add_engagement(w, 'page_visit', 'crm-lead-' || one.p, format('message-%s-1', one.p), 'run', timestamptz '2026-02-16Z' + interval '1 hour' * one.p, now => '2026-02-17Z');
        PERFORM leadanalytics.add_contact_events(w, (SELECT json_agg(json_build_object('contact', format('person%s@mail.example', one.p), 'event_type', k.type, 'room', CASE k.type WHEN 'room_join' THEN 'standup' END,
                    'booking_page', CASE k.type WHEN 'booking' THEN 'intro' END, 'created_at', 1770500000 + 86400 * one.p, 'metadata', json_build_object('who', 'Person ' || one.p || ' Surname')))
                FROM unnest('{booking,room_join,chat}'::text[]) AS k (type)), now => '2026-02-20Z');
        INSERT INTO leadanalytics.crm_lead SELECT w, 'user-' || one.p || '-in-crm', l.id, 'Hot', '2026-02-17Z', '2026-02-17Z' FROM leadanalytics.lead l WHERE l.workspace = w AND l.external_id = 'crm-lead-' || one.p;
        INSERT INTO leadanalytics.crm_event (workspace, lead, crm_id, event_id, event_type, status, applied, at, received_at)
        SELECT w, c.lead, c.crm_id, 'user-' || one.p || '-event', 'status', 'Hot', true, '2026-02-17Z', '2026-02-17Z' FROM leadanalytics.crm_lead c WHERE c.workspace = w AND c.crm_id = 'user-' || one.p || '-in-crm';
        INSERT INTO leadanalytics.lead_fact (workspace, lead, at, pageviews) SELECT w, l.id, l.enquiry_at, 7 FROM leadanalytics.lead l WHERE l.workspace = w AND l.external_id = 'crm-lead-' || one.p ON CONFLICT DO NOTHING;
        PERFORM leadanalytics.put_contact(w, format('person%s@mail.example', one.p), 'Person ' || one.p || ' Surname', 1770500000 + 86400 * one.p);
    END LOOP;
END $$;

CREATE FUNCTION pg_temp.load(w int, without int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM leadanalytics.set_event_category(w, 'signup', 'conversion');
    PERFORM leadanalytics.put_team(w, 'team', 'Team', '["staff-0", "staff-1"]');
    PERFORM pg_temp.load_web(w, without);
    PERFORM pg_temp.load_rest(w, without);
END $$;

-- Every report there is, row by row; without numbers that are drawn anew each time.
CREATE TEMP TABLE question (name text, query text);
INSERT INTO question VALUES
    ('S1-01 overview', 'overview_rows(%s, now => ''2026-03-10Z'')'), ('S1-02 daily', 'daily_sessions_rows(%s, 90, now => ''2026-03-10Z'')'),
    ('S1 overview with robots', 'overview_rows(%s, ''2026-03-10Z'', true)'), ('S5 users with robots', 'users_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'', now => ''2026-03-10Z'', include_bots => true)'),
    ('S1 pages', 'top_pages_rows(%s)'), ('S1 geo', 'geo_distribution_rows(%s)'), ('S1 sources', 'traffic_sources_rows(%s)'), ('S1 engagement', 'engagement_distribution_rows(%s, ''2026-03-10Z'')'),
    ('S1 realtime', 'realtime_rows(%s, ''2026-02-01 12:00Z'')'),
    ('S1 leads', 'leads_rows(%s)'), ('S1 posts by day', 'engine_posts(%s, 60, NULL, NULL, NULL, ''2026-03-10Z'')'),
    ('S5 overview', 'site_overview_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'', ''day'')'), ('S5 overview of hours', 'site_overview_rows(%s, ''2026-01-20 03:00Z'', ''2026-02-10 17:00Z'', ''hour'')'),
    ('S5 custom events', 'custom_events_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'', ''day'')'),
    ('S5 referrers', 'traffic_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'', ''referrer'')'), ('S5 campaigns', 'traffic_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'', ''campaign'')'),
    ('S5 pages', 'traffic_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'', ''page'')'), ('S5 browsers', 'devices_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'', ''browser'')'),
    ('S5 locations', 'locations_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'', ''country'')'), ('S5 tags', 'tags_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'')'),
    ('S5 attribution', 'attribution_rows(%s, ''2026-01-20Z'', ''2026-03-10Z'', 30, ''hybrid'', ''2026-03-10Z'')'), ('S5 first touch', 'attribution_rows(%s, ''2026-01-20Z'', ''2026-03-10Z'', 90, ''first_touch'', ''2026-03-10Z'')'),
    ('S5 names', 'event_names_rows(%s, ''2026-03-10Z'')'), ('S5 users', 'users_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'', now => ''2026-03-10Z'')'),
    ('S5 events', 'list_events_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'', "limit" => NULL)'), ('live', 'live_rows(%s, 60, now => ''2026-01-20 12:00Z'')'),
    ('S2 kpis', 'kpis_rows(%s, ''2026-02-01Z'', ''2026-03-01Z'')'), ('S2 dashboard', 'dashboard_rows(%s, ''2026-02-01Z'', ''2026-03-01Z'')'),
    ('S2 leads', 'lead_counts_rows(%s, ''2026-02-01Z'', ''2026-03-01Z'', ''day'')'), ('S2 sources', 'lead_sources_rows(%s, ''2026-02-01Z'', ''2026-03-01Z'')'),
    ('S2 funnel', 'funnel_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'', ''{page_visit,signup,new,converted}'')'), ('S2 funnel of mail', 'funnel_rows(%s, ''2026-01-01Z'', ''2026-03-10Z'', ''{new,email_sent,email_open,link_click}'')'),
    ('S2 cohorts', 'cohorts_rows(%s, ''2026-01-05Z'', ''2026-03-02Z'', ''week'', ''engaged'', ''2026-03-10Z'')'), ('S2 converted', 'cohorts_rows(%s, ''2026-01-05Z'', ''2026-03-02Z'', ''week'', ''converted'', ''2026-03-10Z'')'),
    ('S2 people', 'team_performance_rows(%s, ''2026-01-05Z'', ''2026-03-02Z'')'), ('S2 teams', 'teams_rows(%s, ''2026-01-05Z'', ''2026-03-02Z'')'),
    ('S2 events', 'engagement_events_rows(%s, ''2026-01-05Z'', ''2026-03-02Z'')'), ('S2 counts of events', 'message_event_counts(%s, ''2026-01-05 00:30Z'', ''2026-03-02Z'')'),
    ('S4 campaigns', 'campaigns_rows(%s, ''2026-02-01Z'', ''2026-03-01Z'')'), ('S4 series', 'campaign_series_rows(%s, ''2026-02-01Z'', ''2026-03-01Z'')'),
    ('S4 series of one', 'campaign_series_rows(%s, ''2026-02-01 07:30Z'', ''2026-03-01Z'', ''c1'', ''day'')'), ('S4 heatmap', 'heatmap_rows(%s, ''2026-02-01Z'', ''2026-03-01Z'')'),
    ('S4 deliverability', 'deliverability_rows(%s, ''2026-02-01Z'', ''2026-03-01Z'')'), ('S4 mailboxes', 'mailbox_health_rows(%s, ''2026-02-01Z'', ''2026-03-01Z'')'),
    ('S4 bounces', 'bounce_reasons_rows(%s, ''2026-02-01Z'', ''2026-03-01Z'')'), ('S4 reputation', 'reputation_rows(%s, ''2026-02-01Z'', ''2026-03-01Z'')'),
    ('S4 compare', 'compare_campaigns_rows(%s, ''2026-02-01Z'', ''2026-03-01Z'', ''{c0,c1}'')'), ('S3 numbers', 'activity_kpis(%s)'),
    ('S3 days', 'activity_timeline(%s, ''2026-02-20Z'')'), ('S3 types', 'activity_event_types(%s)'), ('S3 pages', 'activity_top_booking_pages(%s)'), ('S3 rooms', 'activity_top_rooms(%s)'),
    ('S3 contacts', 'activity_new_contacts(%s, ''2026-02-20Z'')');
CREATE FUNCTION pg_temp.answers(w int) RETURNS TABLE (name text, answer text) LANGUAGE plpgsql AS $$
DECLARE q record;
BEGIN
    FOR q IN SELECT * FROM question LOOP
        RETURN QUERY EXECUTE format('SELECT %L, (to_jsonb(r) - ''{id,lead_id,session_id,session,number,visitors_list}''::text[])::text FROM leadanalytics.' || q.query || ' AS r', q.name, w);
    END LOOP;
END $$;
CREATE FUNCTION pg_temp.differ(l text, r text) RETURNS TABLE (name text, n bigint) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT d.name, count(*) FROM ((TABLE %1$I EXCEPT ALL TABLE %2$I) UNION ALL (TABLE %2$I EXCEPT ALL TABLE %1$I)) AS d GROUP BY 1 ORDER BY 1', l, r);
END $$;

-- One world.
SELECT leadanalytics.create_workspace('privacy-a', 'A') AS a \gset
SELECT leadanalytics.create_workspace('privacy-b', 'B') AS b \gset
SELECT leadanalytics.create_workspace('privacy-c', 'C') AS c \gset
SET leadanalytics.segment_events = 1;
SELECT pg_temp.load(:a, NULL), pg_temp.load(:b, 3), pg_temp.load(:c, NULL);
SELECT leadanalytics.fold(w) > 0 AS folded, leadanalytics.build(w, '2026-03-10Z') > 0 AS built FROM unnest(ARRAY[:a, :b, :c]) AS w;
SELECT leadanalytics.sum_messages(now()) > 0 AS summed;

CREATE TEMP TABLE everybody AS SELECT * FROM pg_temp.answers(:a);
CREATE TEMP TABLE others AS SELECT * FROM pg_temp.answers(:b);
-- There is something to see, and A is not B.
SELECT string_agg(q.name, ', ') FILTER (WHERE e.n IS NULL) AS without_an_answer FROM question q LEFT JOIN (SELECT name, count(*) AS n FROM everybody GROUP BY name) AS e USING (name);
SELECT count(*) > 30 AS most_differ FROM pg_temp.differ('everybody', 'others');

-- Who it is, by each of its names.
SELECT who.visitor_ids, who.user_ids, who.emails, cardinality(who.lead_names) AS lead_names, cardinality(who.leads) AS leads, cardinality(who.messages) AS messages, cardinality(who.contacts) AS contacts,
       cardinality(who.rejected) AS rejected, cardinality(who.sessions) AS sessions, who.ips
FROM leadanalytics.find_person(:a, email => ' PERSON3@mail.example ') AS who \gx
SELECT count(DISTINCT f) AS one_and_the_same
FROM (SELECT leadanalytics.find_person(:a, email => 'person3@mail.example') AS f UNION ALL SELECT leadanalytics.find_person(:a, visitor_id => 'visitor-3-1')
      UNION ALL SELECT leadanalytics.find_person(:a, user_id => 'user-3') UNION ALL SELECT leadanalytics.find_person(:a, user_id => 'older-name-3')
      UNION ALL SELECT leadanalytics.find_person(:a, 'visitor-3-2', 'crm-lead-3', 'Person3@mail.example')) AS s;
SELECT * FROM leadanalytics.person_data_rows(:a, user_id => 'user-3');
-- Nobody else is.
SELECT count(*) AS other_people FROM unnest((leadanalytics.find_person(:a, user_id => 'user-3')).visitor_ids) AS v (id) WHERE v.id !~ '^visitor-3-';

-- What was kept before, and is of an hour: an export, a stored answer, a delivery.
INSERT INTO leadanalytics.export (workspace, key, type, format, options, status, attempts, created_at, completed_at, expires_at, size, records, secret)
SELECT w, 'exp_' || w || k.key, 'leads', 'csv', k.options, 'completed', 1, now(), now(), now() + interval '1 hour', 1, 1, 's'
FROM unnest(ARRAY[:a, :c]) AS w, (VALUES ('all', jsonb '{}'), ('one', '{"leadId": "crm-lead-3"}')) AS k (key, options);
INSERT INTO leadanalytics.export_chunk SELECT e.workspace, e.key, 0, 'person3@mail.example' FROM leadanalytics.export e WHERE e.workspace IN (:a, :c);
INSERT INTO leadanalytics.idempotency
SELECT gen_random_uuid(), now(), w, 'PUT /v1/leads/:leadId', 200, 'application/json', '{}', convert_to(json_build_object('data', json_build_object('email', format('person%s@mail.example', p)))::text, 'UTF8')
FROM unnest(ARRAY[:a, :c]) AS w, generate_series(3, 4) AS p;
-- What another workspace answered, is its own, whoever it was about.
INSERT INTO leadanalytics.idempotency SELECT gen_random_uuid(), now(), :b, 'PUT /v1/leads/:leadId', 200, 'application/json', '{}', convert_to('{"email": "person3@mail.example", "of": "another workspace"}', 'UTF8');
INSERT INTO leadanalytics.webhook (workspace, key, url, topics, secret, created_at) SELECT w, 'whk_privacy', 'https://crm.example/', '{*}', 's', now() FROM unnest(ARRAY[:a, :c]) AS w;
INSERT INTO leadanalytics.delivery (workspace, webhook, occurrence, topic, body, next_at, created_at)
SELECT w, 'whk_privacy', 'evt_' || p, 'lead.captured', json_build_object('data', json_build_object('identity', json_build_object('visitor_id', format('visitor-%s-1', p)))), now(), now()
FROM unnest(ARRAY[:a, :c]) AS w, generate_series(3, 4) AS p;

-- Everything that is kept of somebody is handed out, table by table: each word of the person that stands in a row stands
-- in what is handed out. Words are all that look like one of the person's.
CREATE FUNCTION pg_temp.words_in(w int) RETURNS TABLE (relation text, word text) LANGUAGE plpgsql AS $$
DECLARE t record;
BEGIN
    FOR t IN SELECT c.oid, c.relname::text AS name FROM pg_class c JOIN pg_attribute k ON k.attrelid = c.oid AND k.attname = 'workspace' AND NOT k.attisdropped
             WHERE c.relnamespace = 'leadanalytics'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
             UNION ALL SELECT ('leadanalytics.' || p.parent)::regclass, p.parent FROM leadanalytics.partitioned p ORDER BY 2 LOOP
        -- bytea is shown as what it says
        RETURN QUERY EXECUTE format(
            $q$SELECT DISTINCT %L, lower(m[1]) FROM (SELECT lower(r::text) AS row
                      FROM leadanalytics.%I r WHERE r.workspace = %s) AS r,
                 regexp_matches(r.row || coalesce((SELECT string_agg(encode(decode(h[1], 'hex'), 'escape'), ' ') FROM regexp_matches(r.row, '\\x((?:[0-9a-f]{2})+)', 'g') AS h), ''),
                     '((?:person|visitor-|user-|older-name-|crm-lead-|session-)3(?![0-9])[-@a-z0-9.]*|person%%403%%40mail|person3%%40mail\.example|198\.18\.0\.3(?![0-9])|person 3 surname|\+43 660 0001003|436600001003)', 'gi') AS m$q$,
            t.name, t.name, w);
    END LOOP;
END $$;
CREATE TEMP TABLE held AS SELECT * FROM pg_temp.words_in(:a);
SELECT relation, count(*) AS words FROM held GROUP BY relation ORDER BY relation;
CREATE TEMP TABLE handed AS SELECT lower(leadanalytics.export_person(:a, user_id => 'user-3')::text) AS document;
SELECT h.relation, h.word AS not_handed_out FROM held h, handed d WHERE strpos(d.document, h.word) = 0 ORDER BY 1, 2;
SELECT strpos(document, 'another workspace') > 0 AS hands_out_another_workspaces FROM handed;
SELECT count(*) AS words_of_others FROM handed, regexp_matches(document, '(?:person|visitor-|user-|crm-lead-)(?:[12]|[4-9]|1[0-2])(?![0-9])', 'g');
-- A table that is new says what it holds.
SELECT c.relname FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'workspace' AND NOT t.attisdropped
WHERE c.relnamespace = 'leadanalytics'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
EXCEPT SELECT relation FROM leadanalytics.personal_data() ORDER BY 1;
SELECT d.relation, h.name AS no_such_column FROM leadanalytics.personal_data() d, unnest(d.holds) AS h (name)
WHERE NOT EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = to_regclass('leadanalytics.' || d.relation) AND t.attname = h.name AND NOT t.attisdropped) ORDER BY 1, 2;
SELECT d.kind AS no_rows FROM leadanalytics.personal_data() d WHERE d.kind IS NOT NULL
EXCEPT SELECT r.kind FROM leadanalytics.person_rows(:a, user_id => 'user-3') r ORDER BY 1;

-- Erased: A is what B never had.
SELECT leadanalytics.erase(:a, email => 'Person3@mail.example');
CREATE TEMP TABLE after_erase AS SELECT * FROM pg_temp.answers(:a);
SELECT * FROM pg_temp.differ('after_erase', 'others');
SET leadanalytics.exact = on;
CREATE TEMP TABLE after_erase_exact AS SELECT * FROM pg_temp.answers(:a);
RESET leadanalytics.exact;
SELECT * FROM pg_temp.differ('after_erase', 'after_erase_exact');
SELECT * FROM pg_temp.words_in(:a) ORDER BY 1, 2;
SELECT count(*) AS segments_that_differ FROM leadanalytics.reconcile(:a);
SELECT key LIKE '%all' AS of_all, status FROM leadanalytics.export WHERE workspace = :a;
SELECT count(*) AS files FROM leadanalytics.export_chunk WHERE workspace = :a;
SELECT (SELECT count(*) FROM leadanalytics.idempotency WHERE workspace = :a) AS answers, (SELECT count(*) FROM leadanalytics.delivery WHERE workspace = :a) AS deliveries;
SELECT leadanalytics.find_person(:a, user_id => 'user-3') IS NOT NULL AS found, leadanalytics.is_nobody(leadanalytics.find_person(:a, user_id => 'user-3')) AS is_nobody;
\set ON_ERROR_STOP 0
SELECT leadanalytics.erase(:a, email => 'person3@mail.example');
SELECT leadanalytics.export_person(:a, visitor_id => 'visitor-3-1');
SELECT leadanalytics.erase(:a, email => 'person4@mail.example', mode => 'forget');
SELECT leadanalytics.erase(:a);
\set ON_ERROR_STOP 1
-- Counted anew, the messages are as many.
SELECT leadanalytics.recount_messages(:a) > 0 AS recounted;
CREATE TEMP TABLE recounted AS SELECT * FROM pg_temp.answers(:a);
SELECT * FROM pg_temp.differ('after_erase', 'recounted');

-- Who comes again is somebody new.
SELECT leadanalytics.track(:a, '{"event_name": "page_view", "visitor_id": "visitor-3-1", "event_data": {"url": "https://shop.example/pricing"}}', now => '2026-03-20Z') ->> 'accepted' AS accepted;
SELECT cardinality(f.visitors) AS visitors, cardinality(f.persons) AS persons, cardinality(f.leads) AS leads FROM leadanalytics.find_person(:a, visitor_id => 'visitor-3-1') f;
SELECT total_events, total_sessions, email FROM leadanalytics.user_rows(:a, 'visitor-3-1');

-- Anonymous: every number is what it was. Lists show other ids, and nothing where something was said.
SELECT leadanalytics.erase(:c, visitor_id => 'visitor-3-2', mode => 'anonymise') ->> 'mode' AS mode;
CREATE TEMP TABLE anonymous AS SELECT * FROM pg_temp.answers(:c);
SELECT * FROM pg_temp.differ('everybody', 'anonymous');
CREATE FUNCTION pg_temp.numbers_of(list text) RETURNS TABLE (name text, answer text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format($q$SELECT a.name, (a.answer::jsonb - '{page,visitor_id,user_id,email,contact_name,contact_email,contact_phone,contact_ip,is_ip_blocked,event_data,page_url,page_title}'::text[])::text
                                FROM %I a WHERE a.name IN ('S1 leads', 'S1 pages', 'S5 events', 'S5 users', 'S5 users with robots')$q$, list);
END $$;
CREATE TEMP TABLE numbers_before AS SELECT * FROM pg_temp.numbers_of('everybody');
CREATE TEMP TABLE numbers_after AS SELECT * FROM pg_temp.numbers_of('anonymous');
SELECT * FROM pg_temp.differ('numbers_before', 'numbers_after');
SELECT e.event_data, count(*) FROM leadanalytics.events e JOIN leadanalytics.visitor v USING (workspace, visitor_id)
WHERE e.workspace = :c AND v.visitor_id LIKE 'anon%' AND e.event_name IN ('page_view', 'purchase') GROUP BY 1 ORDER BY 1 LIMIT 3;
SELECT * FROM pg_temp.words_in(:c) ORDER BY 1, 2;
SELECT count(*) AS segments_that_differ FROM leadanalytics.reconcile(:c);
SELECT count(*) FILTER (WHERE v.visitor_id ~ '^anon_[0-9a-f]{24}$') AS anonymous, count(*) AS all FROM leadanalytics.visitor v WHERE v.workspace = :c;
SELECT leadanalytics.is_nobody(leadanalytics.find_person(:c, email => 'person3@mail.example')) AS is_nobody;
SELECT leadanalytics.recount_messages(:c) > 0 AS recounted;
CREATE TEMP TABLE recounted_anonymous AS SELECT * FROM pg_temp.answers(:c);
SELECT * FROM pg_temp.differ('anonymous', 'recounted_anonymous');

-- What somebody else sends with the old text is as it was sent, however lately the entry was used.
SELECT count(leadanalytics.track(:c, json_build_object('event_name', 'page_view', 'visitor_id', 'visitor-4-1', 'event_data', json_build_object('url', 'https://shop.example/?mail=person' || p || '%40mail.example')), now => '2026-03-21Z')) AS sent
FROM unnest('{3,4}'::int[]) AS p;
SELECT page_url FROM leadanalytics.events WHERE workspace = :c AND at >= '2026-03-21Z' ORDER BY 1;

-- What is known of it afterwards.
SELECT workspace = :a AS in_a, mode, key, counts ->> 'leads' AS leads FROM leadanalytics.erasures WHERE workspace IN (:a, :c) ORDER BY workspace;
SELECT leadanalytics.erased_at(:a, email => 'PERSON3@mail.example ') IS NOT NULL AS by_that_name, leadanalytics.erased_at(:a, user_id => 'user-3') IS NOT NULL AS by_another,
       leadanalytics.erased_at(:b, email => 'person3@mail.example') IS NOT NULL AS elsewhere;
DELETE FROM leadanalytics.idempotency WHERE workspace IN (:a, :b, :c); -- other tests count them
