-- Something in every table that a dump carries, and every sequence moved: through the extension's own
-- functions where they are, then three made-up rows for every table still empty. A table that takes no
-- made-up row is an error here: give it one above.
SELECT leadanalytics.start();
CREATE ROLE bi;
GRANT leadanalytics_read TO bi;
SELECT leadanalytics.create_workspace('acme', 'Acme', 'Europe/Vienna', 'EUR', is_default => true) AS acme \gset
SELECT leadanalytics.create_workspace('globex', allowed_origins => '{https://globex.example}') AS globex \gset
SELECT leadanalytics.create_site(:acme, 'acme-shop', '{acme.example}');
SELECT leadanalytics.create_form(:acme, 'acme-shop', 'enquiry');
SELECT leadanalytics.create_member(:acme, 'ann@acme.example', 'owner') AS ann \gset
SELECT leadanalytics.create_key(:acme, 'member', member => :ann);
SELECT leadanalytics.create_key(:acme, 'marketing', pages => '{/a,/b}');
SELECT leadanalytics.create_key(:acme, 'sandbox', per_minute => 0);
SELECT leadanalytics.grant_workspace(:acme, 'bi', 'marketing');
SELECT leadanalytics.track(:acme, '{"events": [
    {"event_id": "e1", "event_name": "page_view", "visitor_id": "v1", "session_id": "s1", "timestamp": "2026-01-31T23:59:00Z",
     "event_data": {"url": "https://acme.example/", "title": "Home", "referrer": "https://search.example/", "utm_source": "mail"}},
    {"event_id": "e2", "event_name": "scroll", "visitor_id": "v1", "session_id": "s1", "timestamp": "2026-02-01T00:01:00Z",
     "event_data": {"scroll_percent": 80}},
    {"event_id": "e3", "event_name": "sign_up", "visitor_id": "v2", "timestamp": "2026-02-01T00:02:00Z", "event_data": {"plan": "pro", "tag": "vip"}}]}',
    now => '2026-02-01T00:05:00Z');
SELECT leadanalytics.track(:acme, '{"events": [
    {"event_name": "$identify", "visitor_id": "v9", "session_id": "s1", "user_id": "u1", "email": "u1@acme.example", "timestamp": "2026-02-01T00:03:00Z"},
    {"event_name": "$alias", "user_id": "u1", "previousId": "u0", "timestamp": "2026-02-01T00:04:00Z"}]}', now => '2026-02-01T00:05:00Z');
SELECT leadanalytics.track(:globex, '{"event_name": "page_view", "visitor_id": "v1", "event_data": {"url": "https://globex.example/"}}',
    now => '2026-02-02T12:00:00Z');
SET leadanalytics.segment_events = 1;
SELECT leadanalytics.fold(:acme, now => '2026-02-04Z'), leadanalytics.build(:acme, '2026-02-04Z');
RESET leadanalytics.segment_events;
INSERT INTO leadanalytics.erased_term (workspace, id) SELECT :acme, min(t.id) FROM leadanalytics.term t WHERE t.workspace = :acme;
SELECT leadanalytics.import_csv(:acme, 'history', 'event_name,visitor_id,timestamp', 2, '{"page_view,v3,2026-01-05T12:00:00Z","page_view,v3,2026-01-05T12:01:00Z"}');
SELECT leadanalytics.import_log(:globex, 'log', 1, '{"192.0.2.1 - - [05/Feb/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"A\"","no line"}');
SELECT leadanalytics.import_finish(:globex, 'log');
SELECT leadanalytics.block_ip(:acme, '198.51.100.20', 'Spam', 'US', 'https://acme.example/', now => '2026-02-03T12:00:00Z');
SELECT leadanalytics.whitelist_ip(:acme, '2001:db8::10', 'Office', 'test', now => '2026-02-03T12:00:00Z');
SET leadanalytics.policy_cidr = on;
SELECT leadanalytics.block_ip(:globex, '198.51.100.0/24', now => '2026-02-03T12:00:00Z');
RESET leadanalytics.policy_cidr;
SELECT leadanalytics.capture_lead(:acme, f, client_ip => ip, referer => 'https://acme.example/', now => at) FROM (VALUES
    (json_build_object('FIRSTNAME', 'Ann', 'EMAIL', 'ann@x.example', 'PHONE', '1', 'PROJECT', 'P', '__visitor_id', 'v1', 'USER_MESSAGE', E'two\nlines'), inet '192.0.2.7', timestamptz '2026-02-03 12:00Z'),
    (json_build_object('FIRSTNAME', 'Ann', 'EMAIL', 'ANN@x.example', 'PROJECT', 'P'), '192.0.2.8', '2026-02-05 12:00Z'),
    (json_build_object('FIRSTNAME', 'Bea', 'EMAIL', 'bea@x.example'), '192.0.2.9', '2026-02-05 12:00Z'),
    (json_build_object('FIRSTNAME', 'blocked'), '198.51.100.20', '2026-02-05 12:00Z'),
    (json_build_object('FIRSTNAME', 'test'), '2001:db8::10', '2026-02-05 12:00Z')) AS v (f, ip, at);
SELECT leadanalytics.set_lead_status(:acme, min(id), 'contacted', now => '2026-02-06Z'), leadanalytics.lead(:acme, min(id), now => '2026-02-06Z') FROM leadanalytics.lead;
SELECT leadanalytics.create_webhook(:acme, 'https://hooks.invalid/', now => '2026-02-06Z'), leadanalytics.set_lead_drought(:acme, recipients => '{ann@acme.example}'), leadanalytics.set_crm(:acme, '{"sold": "won"}');
SELECT leadanalytics.link_crm_lead(:acme, 'crm-1', min(id)::text, now => '2026-02-06Z'), leadanalytics.add_crm_event(:acme, 'crm-1', status => 'sold', event_id => 'e1', now => '2026-02-06Z') FROM leadanalytics.lead;
SELECT leadanalytics.tell_lead_droughts('2026-02-07Z');
INSERT INTO leadanalytics.anomaly_told (workspace, date, type, severity) VALUES (:acme, '2026-02-06', 'traffic_spike', 'low');
INSERT INTO leadanalytics.topic (name, summary, example) VALUES ('mine.happened', 'of a user', '{"a": 1}');
SELECT leadanalytics.keep_facts(:acme);
INSERT INTO leadanalytics.prediction_model VALUES (:acme, 1, '2026-02-01Z', '2160 hours', 100, 50, 0.1, 0.8, 0.3, 0.1, '[{"predicted": 0.10, "observed": 0.2, "n": 10}]');
INSERT INTO leadanalytics.prediction_weight VALUES (:acme, 1, 0, 'i', NULL, NULL, 0, 1, -1.5), (:acme, 1, 1, 'w', 'source', 'ads', 0, 1, 0.25);
INSERT INTO leadanalytics.lead_prediction SELECT f.workspace, f.lead, 1, 0.1 * f.lead FROM leadanalytics.lead_fact f;
INSERT INTO leadanalytics.unit (name, function, lane, every, enabled) VALUES ('mine', 'public.mine', 'fold', '1 hour', false);
SELECT leadanalytics.add_lead_rule(:acme, 'test_text', 'qa'), leadanalytics.create_dropdown_option(:acme, 'source', 'Website');
SELECT leadanalytics.put_rooms(:acme, '[{"name": "standup", "display_name": "Standup"}, {"name": "demo"}]'), leadanalytics.put_booking_page(:acme, 'intro', 'Intro'),
       leadanalytics.put_recording(:acme, 'rec', 'demo', 60), leadanalytics.put_contact(:acme, 'ann@x.example', 'Ann', 1770000000);
SELECT leadanalytics.add_contact_events(:acme, '[{"contact": "ann@x.example", "event_type": "booking", "booking_page": "intro", "created_at": 1770100000, "metadata": {"a": [1.50]}},
    {"contact": "bea@x.example", "event_type": "room_join", "room": "demo", "created_at": 1770200000, "event_id": "e1"}, {"contact": "bea@x.example", "event_type": "room_join", "room": "standup"}]');
SELECT leadanalytics.put_ads(:acme, '[{"date": "2026-02-01", "platform": "google", "account_id": "a", "level": "ad", "campaign_id": "c", "adset_id": "s", "ad_id": "d", "ad_name": "D", "status": "ACTIVE", "spend": 1.25}]');
SELECT leadanalytics.sum_activity(now());
SELECT leadanalytics.delete_room(:acme, 'standup');
SELECT leadanalytics.create_plan('growth', 100000, 5000, '{event_names}', 5000), leadanalytics.set_plan(:acme, 'growth', 7), leadanalytics.count_postbacks(:acme, 2, '2026-02-01Z');
UPDATE leadanalytics.usage_month SET requests = 12 WHERE workspace = :acme AND month = '2026-02-01';
SELECT leadanalytics.put_platforms(:acme, '[{"provider": "meta"}, {"provider": "stripe", "status": "error"}]'), leadanalytics.put_event_categories(:acme, '{"event_name": "sign_up", "category": "conversion"}'),
       leadanalytics.put_fx_rates(:acme, '{"currency": "USD", "day": "2026-02-01", "rate": 0.92}'), leadanalytics.put_conversion_rule(:acme, 'sign-ups', 'sign_up', 'meta', 'Lead', 'a.b', false);
SELECT leadanalytics.set_retention(:acme, 'events', '90 days', '2026-02-01Z'), leadanalytics.set_retention(:acme, 'leads', '0', '2026-02-01Z');
INSERT INTO leadanalytics.dropped (workspace, parent, before, swept) VALUES (:acme, 'event', '2025-11-01', true);
INSERT INTO leadanalytics.webhook (workspace, key, url, topics, secret, created_at) VALUES (:acme, 'whk_1', 'https://crm.example/hook', '{lead.captured}', 's', '2026-02-01Z');
INSERT INTO leadanalytics.delivery (workspace, webhook, occurrence, topic, body, next_at, created_at) VALUES (:acme, 'whk_1', 'evt_1', 'lead.captured', '{}', '2026-02-01Z', '2026-02-01Z');
SELECT leadanalytics.send_mail(:acme, 'ann@acme.example', 'Report', 'It is attached.', 'report.completed', 'evt_2', now => '2026-02-01Z');
SELECT leadanalytics.put_ads(:acme, '[{"date": "2026-02-01", "platform": "google", "account_id": "1", "level": "campaign", "campaign_id": "c", "campaign_name": "Spring", "spend": 1}]');
SELECT leadanalytics.put_campaigns(:acme, '[{"key": "c1", "name": "Spring", "status": "active"}, {"key": "idle"}]'), leadanalytics.put_domain(:acme, 'd1', 'mail.acme.example'),
       leadanalytics.put_mailboxes(:acme, '[{"key": "b1", "address": "ann@mail.acme.example", "domain_id": "d1", "health_score": 91.5}, {"key": "b2"}]'),
       leadanalytics.put_ips(:acme, '[{"key": "i1", "address": "192.0.2.1", "blacklisted": true, "checked_at": "2026-02-05T10:00:00Z"}, {"key": "i2", "address": "2001:db8::1"}]');
SELECT leadanalytics.put_message_events(:acme, '[
    {"message_id": "m1", "event": "sent", "timestamp": "2026-01-31T23:59:00Z", "campaign_id": "c1", "mailbox_id": "b1", "sending_ip": "192.0.2.1", "lead_id": "l1", "recipient": "x@example.com", "workflow_execution_id": "w1"},
    {"message_id": "m1", "event": "opened", "timestamp": "2026-02-01T00:01:00Z", "user_agent": "Mozilla/5.0 (X11)", "ip": "198.51.100.1"}, {"message_id": "m2", "event": "sent", "timestamp": "2026-02-01T10:00:00Z", "campaign_id": "c2", "mailbox_id": "b2", "domain_id": "d2"},
    {"message_id": "m2", "event": "bounced", "timestamp": "2026-02-01T10:01:00Z", "bounce_code": "5.1.1"}, {"message_id": "m3", "event": "sent", "timestamp": "2026-02-02T10:00:00Z"}]');
-- Counts of both kinds: summed up, and not yet.
SELECT leadanalytics.sum_messages(now());
INSERT INTO leadanalytics.link_secret SELECT :acme, 'secret' WHERE NOT EXISTS (SELECT FROM leadanalytics.link_secret);
SELECT leadanalytics.put_message_events(:acme, '[{"message_id": "m1", "event": "clicked", "timestamp": "2026-02-01T00:02:00Z", "url": "https://acme.example/"}, {"message_id": "m3", "event": "complained", "event_id": "e1", "timestamp": "2026-02-03T10:00:00Z"}]');
INSERT INTO leadanalytics.export_type (name, function, summary) VALUES ('mine', 'public.mine', 'mine');
INSERT INTO leadanalytics.export (workspace, key, type, format, options, status, attempts, tried_at, created_at, completed_at, expires_at, size, records, error, secret) VALUES
    (:acme, 'exp_done', 'mine', 'csv', '{"a": [1.50]}', 'completed', 1, '2026-02-01Z', '2026-02-01Z', '2026-02-01 00:01Z', '2099-01-01Z', 4, 1, NULL, 's'),
    (:acme, 'exp_failed', 'mine', 'json', '{}', 'failed', 3, '2026-02-01Z', '2099-02-01Z', NULL, NULL, NULL, NULL, 'insufficient data', 't');
INSERT INTO leadanalytics.export_chunk VALUES (:acme, 'exp_done', 0, 'a\015\0121');
INSERT INTO leadanalytics.erasure (workspace, at, mode, role, salt, digests, counts) VALUES (:acme, '2026-02-01Z', 'delete', 'officer', 's', '{d}', '{"events": 1}');
INSERT INTO leadanalytics.report_type (name, path) VALUES ('mine', '/hello/:who');
INSERT INTO leadanalytics.report VALUES (:acme, 'rep_1', 'Weekly', '/v1/analytics/funnel', '{"windowDays": 14}', 'last_week', NULL, 'html', 'live', '2026-02-01Z', '2026-02-02Z');
INSERT INTO leadanalytics.report_schedule VALUES
    (:acme, 'sch_1', 'rep_1', 'weekly', 1, NULL, '08:30', 'Europe/London', '{ann@acme.example,whk_1}', 'csv', true, '2099-02-02 08:30Z', '2026-01-26 08:30Z', '2026-01-20Z'),
    (:acme, 'sch_2', 'rep_1', 'monthly', NULL, 31, '00:00', 'Asia/Amman', '{}', 'json', false, '2099-01-31Z', NULL, '2026-01-20Z');
INSERT INTO leadanalytics.report_run VALUES (:acme, 'exp_run', 'rep_1', 'sch_1', '2026-01-26 08:30Z', 'csv', '2026-01-26 08:31Z', 'completed', 2), (:acme, 'exp_now', 'rep_1', NULL, NULL, 'html', '2026-01-27Z', 'processing', 0);
SELECT leadanalytics.set_rate_limit('capture', 7);
INSERT INTO leadanalytics.rate_class (name, per, requests, summary) VALUES ('hello', 'ip', 9, 'hello');
-- A user's own: an endpoint, a view, and grants on ours.
CREATE FUNCTION public.hello(workspace int) RETURNS json STABLE LANGUAGE sql AS $$SELECT json_build_object('hello', workspace)$$;
INSERT INTO leadanalytics.route (method, path, function, summary, roles, rate_class) VALUES ('GET', '/hello/:who', 'public.hello', 'hello', '{public}', 'hello');
INSERT INTO leadanalytics.route_param (method, path, name, place, arg) VALUES ('GET', '/hello/:who', 'who', 'path', 'who');
CREATE VIEW public.mine AS SELECT slug FROM leadanalytics.workspaces;
ALTER FUNCTION public.hello(int) OWNER TO bi;
ALTER VIEW public.mine OWNER TO bi;
GRANT SELECT ON leadanalytics.workspaces, public.mine TO bi;
GRANT EXECUTE ON FUNCTION leadanalytics.origin_allowed(text, int) TO bi;

SELECT leadanalytics.make_leaf(parent, month) FROM leadanalytics.partitioned, unnest('{2026-01-05,2026-02-05}'::date[]) AS month;

DO $$
DECLARE
    wanted record;
    n int;
    names text;
    made text;
BEGIN
    FOR wanted IN
        SELECT c.oid, c.oid::regclass AS name, c.relkind
        FROM pg_class c
        WHERE c.relkind IN ('r', 'p', 'S') AND (c.oid IN (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'leadanalytics')
              OR c.oid IN (SELECT ('leadanalytics.' || parent)::regclass FROM leadanalytics.partitioned))
        ORDER BY c.oid
    LOOP
        IF wanted.relkind = 'S' THEN
            PERFORM nextval(wanted.oid::regclass) FROM generate_series(1, 3);
            CONTINUE;
        END IF;
        EXECUTE format('SELECT count(*) FROM %s', wanted.name) INTO n;
        CONTINUE WHEN n > 0;
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum),
               string_agg(CASE
                   WHEN attname = 'workspace' THEN '(SELECT min(id) FROM leadanalytics.workspace)'
                   WHEN attname IN ('leaf', 'month') OR atttypid = 'date'::regtype THEN '(date ''2026-01-01'' + (i - 1) * 31)'
                   WHEN atttypid = 'timestamptz'::regtype THEN '(timestamptz ''2026-01-05 12:00Z'' + (i - 1) * interval ''30 days'')'
                   WHEN atttypid = 'uuid'::regtype THEN 'md5(i::text)::uuid'
                   WHEN atttypid = 'text'::regtype THEN '(''made up '' || i)'
                   WHEN atttypid = 'name'::regtype THEN '(''made_up_'' || i)::name'
                   WHEN atttypid = '"char"'::regtype THEN '''p'''
                   WHEN atttypid = 'boolean'::regtype THEN '(i = 1)'
                   WHEN atttypid = 'bytea'::regtype THEN 'sha256(i::text::bytea)'
                   WHEN atttypid IN ('json'::regtype, 'jsonb'::regtype) THEN 'json_build_object(''i'', i)'
                   WHEN atttypid = 'inet'::regtype THEN 'inet ''192.0.2.0'' + i'
                   WHEN atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'float4'::regtype, 'float8'::regtype, 'numeric'::regtype) THEN 'i'
                   ELSE 'DEFAULT' END, ', ' ORDER BY attnum)
        INTO names, made
        FROM pg_attribute
        WHERE attrelid = wanted.oid AND attnum > 0 AND NOT attisdropped
              AND (attnotnull OR atttypid IN ('text'::regtype, 'jsonb'::regtype, 'timestamptz'::regtype));
        BEGIN
            EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM generate_series(1, 2) AS i', wanted.name, names, made);
        EXCEPTION WHEN OTHERS THEN
            RAISE EXCEPTION 'test/update/fill.sql has no row for table %: %', wanted.name, SQLERRM;
        END;
    END LOOP;
END
$$;
