-- Deleting a workspace: with all of its rows, in every table, and nobody else's.
\set VERBOSITY terse
SET timezone = 'UTC';
SET leadanalytics.segment_events = 2;
-- Every table with a column named workspace, and something in each that a session writes.
CREATE FUNCTION pg_temp.left_over(workspace int) RETURNS TABLE (name text, n bigint) LANGUAGE plpgsql AS $$
DECLARE
    one text;
BEGIN
    FOR one IN SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace' AND NOT a.attisdropped
               WHERE c.relnamespace = 'leadanalytics'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1 LOOP
        RETURN QUERY EXECUTE format('SELECT %L, count(*) FROM leadanalytics.%I WHERE workspace = $1 HAVING count(*) > 0', one, one) USING workspace;
    END LOOP;
END
$$;
CREATE FUNCTION pg_temp.fill(w int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM leadanalytics.create_site(w, 'gone-' || w, ARRAY['gone-' || w || '.example']), leadanalytics.create_form(w, 'gone-' || w, 'f'), leadanalytics.create_member(w, 'ann@x.example', 'owner');
    PERFORM leadanalytics.create_key(w, 'admin'), leadanalytics.create_key(w, 'sandbox');
    PERFORM leadanalytics.track(w, (SELECT json_build_object('events', json_agg(json_build_object('event_name', 'page_view', 'visitor_id', 'v' || i % 3, 'user_id', CASE WHEN i % 4 = 0 THEN 'u' || i END,
        'timestamp', timestamptz '2021-07-05' + i * interval '3 hours', 'event_data', json_build_object('url', 'https://gone.example/' || i % 2)))) FROM generate_series(1, 40) i), now => '2021-07-12', as_role => 'admin');
    PERFORM leadanalytics.fold(w, '2021-07-12'), leadanalytics.build(w, '2021-07-12');
    PERFORM leadanalytics.track(w, '{"event_name": "page_view", "visitor_id": "tail"}', now => '2021-07-12');
    PERFORM leadanalytics.capture_lead(w, '{"FIRSTNAME": "Ann", "EMAIL": "ann@x.example"}', client_ip => '192.0.2.7', now => '2021-07-05');
    PERFORM leadanalytics.add_lead_rule(w, 'test_text', 'qa'), leadanalytics.create_dropdown_option(w, 'source', 'S'), leadanalytics.block_ip(w, '198.51.100.20');
    PERFORM leadanalytics.capture_lead(w, '{"FIRSTNAME": "qa"}', client_ip => '192.0.2.8', now => '2021-07-05');
    PERFORM leadanalytics.put_rooms(w, '{"name": "r"}'), leadanalytics.put_booking_page(w, 'p', 'P'), leadanalytics.put_recording(w, 'rec', 'r', 5);
    PERFORM leadanalytics.add_contact_events(w, '[{"contact": "a@x.example", "event_type": "room_join", "room": "r"}]');
    PERFORM leadanalytics.put_ads(w, '[{"date": "2021-07-01", "platform": "google", "account_id": "1", "level": "campaign", "campaign_id": "c", "campaign_name": "S", "spend": 1}]');
    PERFORM leadanalytics.put_campaigns(w, '{"key": "c", "name": "C"}'), leadanalytics.put_domain(w, 'd', 'd.example'), leadanalytics.put_mailboxes(w, '{"key": "b", "address": "a@d.example", "domain_id": "d"}'),
            leadanalytics.put_ips(w, '{"key": "i", "address": "192.0.2.1"}');
    PERFORM leadanalytics.put_message_events(w, '[{"message_id": "m", "event": "sent", "timestamp": "2021-07-05T10:00:00Z", "campaign_id": "c", "mailbox_id": "b", "lead_id": "l"}, {"message_id": "m", "event": "clicked", "timestamp": "2021-07-05T11:00:00Z", "url": "https://x.example/"}]');
    PERFORM leadanalytics.put_platforms(w, '{"provider": "meta"}'), leadanalytics.set_event_category(w, 'sign_up', 'conversion'), leadanalytics.set_fx_rate(w, 'EUR', '2021-07-01', 1.1);
    PERFORM leadanalytics.import_csv(w, 'history', 'event_name,visitor_id,timestamp', 2, '{"page_view,v3,2021-07-05T12:00:00Z"}');
    PERFORM leadanalytics.set_retention(w, 'leads', '90 days'), leadanalytics.set_retention(w, 'events', '0'), leadanalytics.send_mail(w, 'a@x.example', 'S', 'B', 'report.completed', 'evt_1');
    INSERT INTO leadanalytics.webhook (workspace, key, url, topics, secret, created_at) VALUES (w, 'whk_' || w, 'https://x.example/', '{*}', 's', now());
    INSERT INTO leadanalytics.dropped (workspace, parent, before) VALUES (w, 'event', '2001-01-01');
END
$$;
SELECT leadanalytics.create_workspace('gone', timezone => 'Asia/Kolkata') AS gone \gset
SELECT leadanalytics.create_workspace('stays') AS stays \gset
SELECT leadanalytics.create_workspace('gone-at-once') AS at_once \gset
SELECT pg_temp.fill(w) FROM unnest(ARRAY[:gone, :stays, :at_once]) w;
SELECT leadanalytics.create_key(:gone, 'admin') AS key \gset
SELECT id AS sandbox FROM leadanalytics.workspace WHERE sandbox_of = :gone \gset
SELECT leadanalytics.track(:sandbox, '{"event_name": "page_view", "visitor_id": "tail"}', now => '2021-07-12') ->> 'accepted' AS accepted;
SELECT count(*) >= 55 AS much FROM pg_temp.left_over(:gone);
SELECT leadanalytics.fold(:stays) > 0 AS folded;
CREATE TEMP TABLE stays_before AS SELECT * FROM pg_temp.left_over(:stays);
CREATE TEMP TABLE answer_before AS SELECT * FROM leadanalytics.summary(:stays, '2021-07-01', '2021-08-01', 'day', now => '2021-08-01');

-- A forgotten table would be found here: all that belong to workspaces are taken, those that refer to others first.
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace' AND NOT a.attisdropped
WHERE c.relnamespace = 'leadanalytics'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT IN (SELECT name FROM leadanalytics.workspace_tables());
SELECT f.conrelid::regclass, f.confrelid::regclass FROM pg_constraint f
JOIN (SELECT name, row_number() OVER () AS place FROM leadanalytics.workspace_tables()) a ON a.name = (SELECT relname FROM pg_class WHERE oid = f.conrelid)
JOIN (SELECT name, row_number() OVER () AS place FROM leadanalytics.workspace_tables()) b ON b.name = (SELECT relname FROM pg_class WHERE oid = f.confrelid)
WHERE f.contype = 'f' AND a.place > b.place AND f.connamespace = 'leadanalytics'::regnamespace;
-- And a table that knows workspaces under another name would be, here.
SELECT DISTINCT f.conrelid::regclass FROM pg_constraint f WHERE f.contype = 'f' AND f.confrelid = 'leadanalytics.workspace'::regclass
  AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = f.conrelid AND a.attname = 'workspace');

-- Closed: nobody finds it.
SELECT leadanalytics.close_workspace(-1);
SELECT leadanalytics.close_workspace(:gone);
SELECT leadanalytics.find_key(:'key') IS NULL AS key_is_gone;
SELECT leadanalytics.permitted(:gone);
SELECT leadanalytics.permitted(:sandbox);
SELECT leadanalytics.track(:gone, '{"event_name": "page_view", "visitor_id": "v"}');
SELECT leadanalytics.public_workspace('gone', NULL, NULL, NULL);
SELECT count(*) FROM leadanalytics.workspaces WHERE id IN (:gone, :sandbox);
SELECT leadanalytics.fold(NULL) > 0 AS folded_others, count(*) FROM leadanalytics.ledger WHERE workspace = :gone;
SELECT count(*) FROM leadanalytics.unfolded('2099-01-01') u WHERE u.workspace = :gone;
SELECT leadanalytics.build_bucket(:sandbox, 'd', 'UTC', '2021-07-12', '2021-07-13') AS built;
BEGIN;
SELECT leadanalytics.close_workspace(:stays);
DO $$ BEGIN WHILE leadanalytics.empty_closed() > 0 LOOP END LOOP; END $$;
SELECT closed_among = ARRAY[leadanalytics.closing()] AS not_looked_at FROM leadanalytics.workspace WHERE id = :stays;
ROLLBACK;
-- In steps: whoever dies in between, the next goes on.
SELECT leadanalytics.empty_closed() > 0 AS looked, leadanalytics.empty_closed() > 0 AS deleted;
CALL leadanalytics.delete_workspace(:gone);
SELECT * FROM pg_temp.left_over(:gone);
SELECT * FROM pg_temp.left_over(:sandbox);
SELECT count(*) FROM leadanalytics.workspace WHERE id IN (:gone, :sandbox);
CALL leadanalytics.delete_workspace(:gone);

-- Nobody else lost anything.
(TABLE stays_before EXCEPT ALL SELECT * FROM pg_temp.left_over(:stays)) UNION ALL (SELECT * FROM pg_temp.left_over(:stays) EXCEPT ALL TABLE stays_before);
TABLE answer_before EXCEPT ALL SELECT * FROM leadanalytics.summary(:stays, '2021-07-01', '2021-08-01', 'day', now => '2021-08-01');
SELECT count(*) FROM leadanalytics.reconcile(:stays);

-- The slug may be given again: what this session remembers is of no use to the new one, and no harm.
SELECT leadanalytics.create_workspace('gone') AS again \gset
SELECT :again > :gone AS another_id;
SELECT leadanalytics.track(:again, '{"events": [{"event_name": "page_view", "visitor_id": "v1", "event_data": {"url": "https://gone.example/1"}}]}', now => '2021-07-12') ->> 'accepted' AS accepted;
SELECT value, count FROM leadanalytics.breakdown(:again, 'page', '2021-07-01', '2021-08-01', now => '2021-08-01');
SELECT t.kind, count(*) FROM leadanalytics.event e JOIN leadanalytics.term t ON t.workspace = e.workspace AND t.id IN (e.name, e.page) WHERE e.workspace = :again GROUP BY 1 ORDER BY 1;

-- The row itself takes all along, too.
DELETE FROM leadanalytics.workspace WHERE id IN (:at_once, :again);
SELECT * FROM pg_temp.left_over(:at_once) UNION ALL SELECT * FROM pg_temp.left_over(:again);
-- By whom.
CREATE ROLE gone_reader;
GRANT leadanalytics_read TO gone_reader;
SET ROLE gone_reader;
CALL leadanalytics.delete_workspace(:stays);
RESET ROLE;
GRANT leadanalytics_admin TO gone_reader;
SET ROLE gone_reader;
DELETE FROM leadanalytics.workspace WHERE id = :stays;
CALL leadanalytics.delete_workspace(:stays);
RESET ROLE;
SELECT * FROM pg_temp.left_over(:stays);
DROP ROLE gone_reader;
