-- Who a person is, and who is not: browsers that several use, ids that are digits, addresses inside others; and whose words
-- are taken out of what texts.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('privacy-person', 'P') AS w \gset
CREATE FUNCTION pg_temp.who(w int, v text, u text, e text) RETURNS TABLE (visitors text, users text, emails text, leads text) LANGUAGE sql AS $$
    SELECT array_to_string(f.visitor_ids, ' '), array_to_string(f.user_ids, ' '), array_to_string(f.emails, ' '),
           (SELECT string_agg(coalesce(l.name, '?'), ' ' ORDER BY l.name) FROM leadanalytics.lead l WHERE l.workspace = w AND l.id = ANY (f.leads))
    FROM leadanalytics.find_person(w, v, u, e) f
$$;
-- One browser in a hall: ann, then bea; each has one of her own. Cid never says who he is, and leaves an address.
SELECT leadanalytics.track(:w, '{"events": [
    {"event_name": "page_view", "visitor_id": "hall", "session_id": "hall-1", "timestamp": "2026-02-01T10:00:00Z", "event_data": {"url": "https://a.example/one"}},
    {"event_name": "$identify", "visitor_id": "hall", "session_id": "hall-1", "user_id": "ann", "email": "ann@p.example", "timestamp": "2026-02-01T10:01:00Z"},
    {"event_name": "purchase", "visitor_id": "hall", "session_id": "hall-1", "user_id": "ann", "timestamp": "2026-02-01T10:02:00Z", "event_data": {"value": 5}},
    {"event_name": "$identify", "visitor_id": "hall", "session_id": "hall-2", "user_id": "bea", "email": "bea@p.example", "timestamp": "2026-02-02T10:01:00Z"},
    {"event_name": "$identify", "visitor_id": "anns-own", "user_id": "ann", "timestamp": "2026-02-03T10:01:00Z"},
    {"event_name": "$identify", "visitor_id": "beas-own", "user_id": "bea", "timestamp": "2026-02-03T10:01:00Z"},
    {"event_name": "$identify", "visitor_id": "cids", "email": "cid@p.example", "timestamp": "2026-02-03T10:01:00Z"}]}', now => '2026-02-03 10:05Z') ->> 'accepted' AS accepted;
SELECT * FROM pg_temp.who(:w, NULL, 'ann', NULL);
SELECT * FROM pg_temp.who(:w, NULL, NULL, 'ann@p.example');
SELECT * FROM pg_temp.who(:w, 'hall', NULL, NULL);
SELECT * FROM pg_temp.who(:w, NULL, NULL, ' CID@p.example ');
-- The same by two names, and of nobody.
SELECT * FROM pg_temp.who(:w, 'cids', 'ann', NULL);
SELECT * FROM pg_temp.who(:w, ' ', NULL, '');
-- An address that contains another, or goes on, is somebody else's.
SELECT leadanalytics.capture_lead(:w, json_build_object('FIRSTNAME', n, 'EMAIL', e, 'PHONE', p), client_ip => ip::inet, now => at) IS NOT NULL AS taken
FROM (VALUES ('Joann', 'joann@p.example', NULL, '192.0.2.1', timestamptz '2026-02-05 10:00Z'), ('Ann.org', 'ann@p.example.org', NULL, '192.0.2.2', '2026-02-05 10:00Z'),
             ('Ann', 'ANN@p.example', '+43 1 5550001', '192.0.2.3', '2026-02-05 11:00Z'), ('Called', NULL, '+43 1 5550001', '192.0.2.4', '2026-02-05 12:00Z'),
             ('Office', 'office@p.example', '+43 1 5550001', '192.0.2.5', '2026-02-05 13:00Z')) AS v (n, e, p, ip, at);
SELECT * FROM pg_temp.who(:w, NULL, NULL, 'ann@p.example');
SELECT * FROM pg_temp.who(:w, NULL, NULL, 'office@p.example');
-- Digits: user 900001 is nobody's lead, but for one whose only user it is. Numbers are drawn far from everything else's.
INSERT INTO leadanalytics.lead (workspace, id, enquiry_at, name) VALUES (:w, 9000001, '2026-02-05Z', 'Number one'), (:w, 9000002, '2026-02-05Z', 'Number two');
SELECT leadanalytics.track(:w, '{"events": [{"event_name": "$identify", "visitor_id": "dora", "user_id": "9000001", "timestamp": "2026-02-03T10:01:00Z"},
    {"event_name": "renewal", "user_id": "9000002", "timestamp": "2026-02-03T10:01:00Z"}]}', now => '2026-02-03 10:05Z') ->> 'accepted' AS accepted;
SELECT * FROM pg_temp.who(:w, NULL, '9000001', NULL);
SELECT * FROM pg_temp.who(:w, NULL, '9000002', NULL);
-- Circles: aliases, a lead's id that is a user id, posts that lead back.
SELECT leadanalytics.track(:w, '{"events": [{"event_name": "$alias", "user_id": "eve", "previousId": "eve-old", "timestamp": "2026-02-03T10:01:00Z"},
    {"event_name": "$identify", "visitor_id": "eves", "user_id": "eve-old", "email": "eve@p.example", "timestamp": "2026-02-03T10:02:00Z"},
    {"event_name": "$identify", "visitor_id": "eves-2", "user_id": "crm-eve", "email": "eve@q.example", "timestamp": "2026-02-03T10:02:00Z"}]}', now => '2026-02-03 10:05Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.put_engagement_lead(:w, 'crm-eve', email => 'eve@p.example', name => 'Eve', now => '2026-02-05Z') ->> 'leadId' AS lead;
SELECT leadanalytics.put_message_events(:w, '[{"message_id": "to-fay", "event": "sent", "lead_id": "crm-fay", "recipient": "Fay@p.example", "timestamp": "2026-02-05T10:00:00Z"},
    {"message_id": "to-fay-2", "event": "sent", "lead_id": "crm-fay", "timestamp": "2026-02-06T10:00:00Z"}]', '2026-02-07Z') ->> 'accepted' AS accepted;
SELECT DISTINCT w.* FROM (VALUES ('eves', NULL, NULL), (NULL, 'eve', NULL), (NULL, 'eve-old', NULL), (NULL, 'crm-eve', NULL), (NULL, NULL, 'eve@q.example')) AS n (v, u, e), pg_temp.who(:w, n.v, n.u, n.e) w;
SELECT cardinality(f.messages) AS mails_of_fay, f.user_ids FROM leadanalytics.find_person(:w, email => 'fay@p.example') f;
-- A browser in a shop is no person.
\set ON_ERROR_STOP 0
BEGIN;
INSERT INTO leadanalytics.lead (workspace, enquiry_at, name, email, visitor_id) SELECT :w, '2026-02-05Z', 'N', 'n' || i || '@shop.example', 'shop' FROM generate_series(1, 10001) AS i;
SELECT leadanalytics.find_person(:w, visitor_id => 'shop');
ROLLBACK;
\set ON_ERROR_STOP 1

-- Ann goes. The hall's browser is Bea's: her events stay, Ann's name in them does not.
SELECT u.visitor_id, u.user_id, u.total_events FROM leadanalytics.users_rows(:w, '2026-02-01Z', '2026-02-10Z', now => '2026-02-10Z') u WHERE u.user_id IN ('ann', 'bea') ORDER BY 2;
SELECT (leadanalytics.erase(:w, user_id => 'ann') -> 'erased')::jsonb - 'phones' ->> 'events' AS events;
SELECT u.visitor_id, u.user_id, u.email, u.total_events FROM leadanalytics.users_rows(:w, '2026-02-01Z', '2026-02-10Z', now => '2026-02-10Z') u WHERE u.user_id IN ('ann', 'bea') ORDER BY 2;
SELECT event_name, user_id FROM leadanalytics.events WHERE workspace = :w AND visitor_id = 'hall' ORDER BY at;
SELECT count(*) AS still_named FROM leadanalytics.event e LEFT JOIN leadanalytics.person p USING (workspace) WHERE e.workspace = :w AND e.person IS NOT NULL AND NOT EXISTS (SELECT FROM leadanalytics.person q WHERE q.workspace = :w AND q.number = e.person);
SELECT count(*) AS identities_of_nobody FROM leadanalytics.identity i WHERE i.workspace = :w AND NOT EXISTS (SELECT FROM leadanalytics.person q WHERE q.workspace = :w AND q.number = i.person);
SELECT name FROM leadanalytics.lead WHERE workspace = :w ORDER BY name;

-- Whole words only, however addresses of pages write them.
SELECT text, leadanalytics.without_person(text, leadanalytics.needles(ROW(1, '{}', '{visitor-77}', '{}', '{u9,long.user/id}', '{ann@p.example,a+b@p.example}', '{"+43 1 5550001"}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')::leadanalytics.subject), '*') AS without
FROM unnest('{/?m=ann@p.example,/?m=ANN%40P.example&x=1,/?m%3Dann%40p.example,joann@p.example,ann@p.example.org,"ann@p.example.",mailto:a+b@p.example,/?m=a%2Bb%40p.example,visitor-77,visitor-771,my-visitor-77,/visitor-77/x,u9,/long.user/id,/long.user%2Fid?,longXuser/id,tel:+43 1 5550001,%2B43%201%205550001}'::text[]) WITH ORDINALITY AS t (text, n) ORDER BY n;
-- What reports read of an event's data stays in mode anonymise, its words about the person do not.
SELECT leadanalytics.counted_members('{"value": 7, "currency": "EUR", "note": "of ann@x.example", "tags": ["vip", "for ann@x.example", {"mail": "ann@x.example"}, 3], "tag": "Ann@x.example", "amount": {"of": "ann@x.example"}, "lead_id": "ann-1"}', 's', '{ann@x.example}', 'gone') AS counted,
       leadanalytics.counted_members('{"message_id": "to ann@x.example"}', 's', '{ann@x.example}', 'gone') ->> 'message_id' = leadanalytics.pseudonym('s', 'to ann@x.example') AS message_is_the_same;
SELECT body, leadanalytics.tells_of_person(body, f, leadanalytics.needles(f), leadanalytics.marks(f, leadanalytics.needles(f))) AS tells
FROM (SELECT ROW(1, '{}', '{v1}', '{}', '{"7","a\"b"}', '{}', '{}', '{42}', '{42}', '{}', '{s1}', '{}', '{}', '{}', '{}')::leadanalytics.subject AS f) AS f,
     unnest(ARRAY['{"visitor_id" : "v1"}', '{"visitor_id":"v12"}', '{"visitorId":"v1"}', '{"name":"v1"}', '{"user_id":"7"}', '{"quantity":"7"}', '{"user_id":7}', '{"user_id":"a\"b"}', '{"lead_id" : 42}', '{"lead_id":421}', '{"leadId":"42"}', '{"session_id":"s1"}', 'v1'])
     WITH ORDINALITY AS b (body, n) ORDER BY n;
