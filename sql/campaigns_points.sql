-- Which lead has which fact of a mail when, and how many events of mails there are: beside plain SQL from the rows.
\set QUIET 1
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT leadanalytics.create_workspace('mail-points', 'Points') AS w \gset
SELECT leadanalytics.create_workspace('mail-points-2', 'Points') AS other \gset

-- A lead named before it was put has an id kept for it, which it takes; the other workspace's is another.
SELECT leadanalytics.put_message_events(:w, '[{"message_id": "a", "event": "sent", "lead_id": "early", "timestamp": "2026-03-01T10:00:00Z"},
    {"message_id": "b", "event": "opened", "lead_id": "early", "timestamp": "2026-03-02T10:00:00Z"}, {"message_id": "c", "event": "sent", "timestamp": "2026-03-02T10:00:00Z"}]') ->> 'accepted' AS accepted;
SELECT leadanalytics.put_message_events(:other, '{"message_id": "a", "event": "sent", "lead_id": "early", "timestamp": "2026-03-01T10:00:00Z"}') ->> 'accepted' AS accepted;
SELECT lead_number AS early FROM leadanalytics.message WHERE workspace = :w AND key = 'a' \gset
SELECT leadanalytics.find_engagement_lead(:w, 'early') AS nobody_yet;
SELECT leadanalytics.put_engagement_lead(:w, 'early', email => 'e@example.com') ->> 'leadId' AS lead;
SELECT leadanalytics.find_engagement_lead(:w, 'early') = :early AS took_it, leadanalytics.find_engagement_lead(:other, 'early') AS not_there;
SELECT key, lead_number = :early AS early FROM leadanalytics.message WHERE workspace = :w ORDER BY key;
SELECT count(*) AS leads, count(DISTINCT lead_number) AS numbers FROM leadanalytics.message WHERE lead = 'early';
-- One that was put before; its number here is a name, as we write it, while it has no other.
SELECT leadanalytics.put_engagement_lead(:w, 'first') ->> 'leadId' AS lead;
INSERT INTO leadanalytics.lead (workspace, enquiry_at) VALUES (:w, '2026-03-01 00:00Z') RETURNING id AS posted \gset
SELECT leadanalytics.put_message_events(:w, format('[{"message_id": "n", "event": "sent", "lead_id": "%s", "timestamp": "2026-03-01T10:00:00Z"},
    {"message_id": "z", "event": "sent", "lead_id": "0%s", "timestamp": "2026-03-01T10:00:00Z"}, {"message_id": "f", "event": "sent", "lead_id": "first", "timestamp": "2026-03-01T10:00:00Z"},
    {"message_id": "e", "event": "sent", "lead_id": "%s", "timestamp": "2026-03-01T10:00:00Z"}]', :posted, :posted, :early)::json) ->> 'accepted' AS accepted;
SELECT m.key, m.lead_number = l.id AS is_lead, l.id = :posted AS posted, l.external_id
FROM leadanalytics.message m LEFT JOIN leadanalytics.lead l ON l.workspace = m.workspace AND l.id = m.lead_number WHERE m.workspace = :w AND m.key IN ('e', 'f', 'n', 'z') ORDER BY m.key;
-- It keeps its number when it gets a name that is the same.
SELECT leadanalytics.put_engagement_lead(:w, :'posted') ->> 'leadId' = :'posted' AS named, leadanalytics.find_engagement_lead(:w, :'posted') = :posted AS same;
SELECT leadanalytics.find_engagement_lead(:w, '0' || :'posted') AS nobody, leadanalytics.find_engagement_lead(:w, '99999999999999999999') AS too_long, leadanalytics.known_leads(:w, '{}') AS none;

-- Random events in random order: facts move, come twice, are machines', and a message's lead is another once its sending is known.
SELECT setseed(0.17);
CREATE TEMP TABLE made AS
SELECT n, 'p' || (random() * 300)::int AS message_id,
       (ARRAY['sent', 'delivered', 'bounced', 'opened', 'opened', 'opened', 'clicked', 'clicked', 'replied', 'complained', 'unsubscribed'])[1 + floor(random() * 11)] AS event,
       CASE WHEN random() < 0.7 THEN 'lead ' || (random() * 40)::int END AS lead_id,
       timestamptz '2026-04-28 00:00Z' + floor(random() * 6 * 24)::int * interval '1 hour' + floor(random() * 3)::int * interval '7 minutes' AS at, -- many at the same time
       CASE WHEN random() < 0.1 THEN 'Mozilla/5.0' END AS user_agent
FROM generate_series(1, 3000) AS n;
CREATE FUNCTION pg_temp.put(workspace int, first int, last int) RETURNS bigint LANGUAGE sql AS $$
    SELECT sum((leadanalytics.put_message_events(workspace, j) ->> 'accepted')::int)
    FROM (SELECT json_agg(json_strip_nulls(json_build_object('message_id', message_id, 'event', event, 'lead_id', lead_id, 'event_id', 'e' || n, 'user_agent', user_agent,
              'timestamp', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'bounce_type', CASE WHEN event = 'bounced' AND n % 2 = 0 THEN 'hard' END)) ORDER BY md5(n::text)) AS j
          FROM (SELECT *, n / 37 AS batch FROM made WHERE n BETWEEN first AND last) AS r GROUP BY batch ORDER BY batch) AS b $$;
CREATE FUNCTION pg_temp.points(workspace int, exact boolean, starts timestamptz, ends timestamptz) RETURNS TABLE (fact "char", lead bigint, at timestamptz, n bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('leadanalytics.exact', exact::text, true);
    RETURN QUERY SELECT k.k::"char", p.lead, p.at, count(*) FROM unnest('{s,d,b,o,c,r,p,u}'::text[]) AS k (k), leadanalytics.message_points(workspace, k.k::"char", starts, ends) p GROUP BY 1, 2, 3;
END $$;
-- Plain SQL that knows nothing of ours: the events, the lead that its sending told or else the first.
CREATE FUNCTION pg_temp.plain(workspace int, starts timestamptz, ends timestamptz) RETURNS TABLE (fact "char", lead bigint, at timestamptz, n bigint) LANGUAGE sql AS $$
    SELECT f.fact::"char", coalesce(l.id, r.id), f.at, count(*)
    FROM leadanalytics.exact_message_states(plain.workspace) s
    JOIN (SELECT e.message, (array_agg(e.lead ORDER BY e.kind <> 's', e.at, e.id) FILTER (WHERE e.lead IS NOT NULL))[1] AS lead FROM leadanalytics.message_event e
          WHERE e.workspace = plain.workspace GROUP BY 1) AS m ON m.message = s.id AND m.lead IS NOT NULL
    LEFT JOIN leadanalytics.lead l ON l.workspace = plain.workspace AND l.external_id = m.lead
    LEFT JOIN leadanalytics.named_lead r ON r.workspace = plain.workspace AND r.lead_id = m.lead,
    LATERAL (VALUES ('s', s.sent_at), ('d', s.delivered_at), ('b', s.bounced_at), ('o', s.opened_at), ('c', s.clicked_at), ('r', s.replied_at), ('p', s.complained_at), ('u', s.unsubscribed_at)) AS f (fact, at)
    WHERE f.at >= starts AND f.at < ends GROUP BY 1, 2, 3 $$;
CREATE FUNCTION pg_temp.counts(workspace int, exact boolean, starts timestamptz, ends timestamptz) RETURNS TABLE (kind "char", n bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('leadanalytics.exact', exact::text, true);
    RETURN QUERY SELECT c.kind, c.n FROM leadanalytics.message_event_counts(workspace, starts, ends) c;
END $$;
CREATE FUNCTION pg_temp.differences(workspace int) RETURNS TABLE (many boolean, points bigint, exact_points bigint, unordered bigint, counts bigint, exact_counts bigint) LANGUAGE plpgsql AS $$
DECLARE
    q record;
BEGIN
    CREATE TEMP TABLE differ (what text, n bigint);
    FOR q IN SELECT timestamptz '-infinity' AS starts, timestamptz 'infinity' AS ends
             UNION ALL SELECT a.at, a.at + random() * 50 * interval '1 hour' FROM (SELECT timestamptz '2026-04-27 00:00Z' + random() * 190 * interval '1 hour' AS at FROM generate_series(1, 6)) AS a
             UNION ALL SELECT timestamptz '2026-04-29 03:00Z', timestamptz '2026-04-29 03:07Z' UNION ALL SELECT timestamptz '2026-05-01 00:00Z', timestamptz '2026-05-01 00:00Z' LOOP
        CREATE TEMP TABLE kept AS SELECT * FROM pg_temp.points(workspace, false, q.starts, q.ends);
        CREATE TEMP TABLE plain AS SELECT * FROM pg_temp.plain(workspace, q.starts, q.ends);
        CREATE TEMP TABLE exact AS SELECT * FROM pg_temp.points(workspace, true, q.starts, q.ends);
        CREATE TEMP TABLE events AS SELECT e.kind, count(*) AS n FROM leadanalytics.message_event e WHERE e.workspace = differences.workspace AND e.at >= q.starts AND e.at < q.ends GROUP BY 1;
        PERFORM set_config('leadanalytics.exact', 'off', true);
        INSERT INTO differ
            SELECT 'seen', count(*) FROM plain
            UNION ALL SELECT 'points', count(*) FROM ((TABLE kept EXCEPT TABLE plain) UNION ALL (TABLE plain EXCEPT TABLE kept)) AS d
            UNION ALL SELECT 'exact_points', count(*) FROM ((TABLE exact EXCEPT TABLE plain) UNION ALL (TABLE plain EXCEPT TABLE exact)) AS d
            UNION ALL SELECT 'unordered', count(*) FROM (SELECT p.at, lag(p.at) OVER (PARTITION BY k.k ORDER BY p.n) AS before FROM unnest('{s,d,b,o,c,r,p,u}'::text[]) AS k (k),
                      leadanalytics.message_points(workspace, k.k::"char", q.starts, q.ends) WITH ORDINALITY AS p (lead, at, n)) AS o WHERE o.before > o.at
            UNION ALL SELECT 'counts', count(*) FROM ((SELECT * FROM pg_temp.counts(workspace, false, q.starts, q.ends) EXCEPT TABLE events)
                                                      UNION ALL (TABLE events EXCEPT SELECT * FROM pg_temp.counts(workspace, false, q.starts, q.ends))) AS d
            UNION ALL SELECT 'exact_counts', count(*) FROM ((SELECT * FROM pg_temp.counts(workspace, true, q.starts, q.ends) EXCEPT TABLE events)
                                                            UNION ALL (TABLE events EXCEPT SELECT * FROM pg_temp.counts(workspace, true, q.starts, q.ends))) AS d;
        DROP TABLE kept, plain, exact, events;
    END LOOP;
    RETURN QUERY SELECT bool_or(d.n > 500) FILTER (WHERE d.what = 'seen'), sum(d.n) FILTER (WHERE d.what = 'points')::bigint, sum(d.n) FILTER (WHERE d.what = 'exact_points')::bigint,
                        sum(d.n) FILTER (WHERE d.what = 'unordered')::bigint, sum(d.n) FILTER (WHERE d.what = 'counts')::bigint, sum(d.n) FILTER (WHERE d.what = 'exact_counts')::bigint FROM differ d;
    DROP TABLE differ;
END $$;
SELECT pg_temp.put(:w, 1, 1200) > 1000 AS put;
SELECT * FROM pg_temp.differences(:w);
SELECT leadanalytics.sum_messages(now()) > 1000 AS packed, leadanalytics.sum_messages(now()) AS again;
SELECT count(*) AS not_packed FROM leadanalytics.message_fresh_point WHERE workspace = :w;
SELECT * FROM pg_temp.differences(:w);
-- Some packed, some not, of which some take back what is; then all of it packed.
SELECT pg_temp.put(:w, 1201, 2600) > 1000 AS put;
SELECT bool_or(sign < 0) AS takes_back FROM leadanalytics.message_fresh_point WHERE workspace = :w;
SELECT * FROM pg_temp.differences(:w);
SELECT leadanalytics.sum_messages(now()) > 1000 AS packed;
SELECT * FROM pg_temp.differences(:w);
-- What is taken back is packed before what it takes back: rows have no order.
CREATE TEMP TABLE late (LIKE leadanalytics.message_fresh_point);
SELECT leadanalytics.put_message_events(:w, '{"message_id": "swap", "event": "replied", "lead_id": "lead 1", "timestamp": "2026-05-01T10:00:00Z"}') ->> 'accepted' AS accepted;
WITH taken AS (DELETE FROM leadanalytics.message_fresh_point WHERE workspace = :w RETURNING *) INSERT INTO late TABLE taken;
SELECT leadanalytics.put_message_events(:w, '{"message_id": "swap", "event": "replied", "lead_id": "lead 1", "timestamp": "2026-05-01T09:00:00Z"}') ->> 'accepted' AS accepted;
SELECT leadanalytics.pack_message_points(1000000) > 0 AS packed;
INSERT INTO leadanalytics.message_fresh_point TABLE late;
SELECT * FROM pg_temp.differences(:w);
-- Leads put late, and what comes afterwards.
SELECT count(leadanalytics.put_engagement_lead(:w, 'lead ' || n)) AS leads FROM generate_series(1, 40, 2) AS n;
SELECT pg_temp.put(:w, 2601, 3000) > 300 AS put;
SELECT * FROM pg_temp.differences(:w);
SELECT count(DISTINCT m.lead) = count(DISTINCT m.lead_number) AS one_number_a_lead, count(*) FILTER (WHERE m.lead_number IS NULL OR l.id <> m.lead_number) AS others, count(l.id) > 50 AS put
FROM leadanalytics.message m LEFT JOIN leadanalytics.lead l ON l.workspace = m.workspace AND l.external_id = m.lead WHERE m.workspace = :w AND m.lead IS NOT NULL;
-- More of one moment than are handed over at once, some of which are taken back.
CREATE FUNCTION pg_temp.open(workspace int, first int, last int, at timestamptz) RETURNS bigint LANGUAGE sql AS $$
    SELECT leadanalytics.append_message_events(workspace, array_agg(
        ROW(n, NULL, 'moment ' || n, 'o', NULL, at, false, NULL, NULL, NULL, NULL, 'm' || n % 100, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::leadanalytics.message_item))
    FROM generate_series(first, last) AS n $$;
SELECT pg_temp.open(:w, 1, 1500, '2026-05-02 12:00Z') AS opened, leadanalytics.sum_messages(now()) > 1500 AS packed;
SELECT pg_temp.open(:w, 1, 700, '2026-05-02 11:00Z') AS opened_before;
SELECT at, count(*), count(DISTINCT lead) AS leads FROM leadanalytics.message_points(:w, 'o', '2026-05-02 11:00Z', '2026-05-02 12:00:01Z') GROUP BY 1 HAVING count(*) > 100;
SELECT * FROM pg_temp.differences(:w);
-- Counted anew it is the same; and right, when somebody gave a lead its name past the function.
SELECT leadanalytics.recount_messages(:w) > 200 AS recounted;
SELECT * FROM pg_temp.differences(:w);
INSERT INTO leadanalytics.lead (workspace, external_id, enquiry_at) VALUES (:w, 'lead 2', now());
SELECT leadanalytics.recount_messages(:w) > 200 AS recounted, leadanalytics.recount_messages(:w) > 200 AS again;
SELECT * FROM pg_temp.differences(:w);
SELECT * FROM pg_temp.differences(:other);
-- Events that came past our functions.
INSERT INTO leadanalytics.message_event (at, received_at, message, workspace, kind, lead) SELECT '2026-04-30 12:00Z', now(), id, workspace, 'u', 'lead past' FROM leadanalytics.message WHERE workspace = :w AND id % 3 = 0;
SELECT * FROM pg_temp.differences(:w);
-- Without a worker somebody who puts events packs now and then: what is not packed yet is bounded.
SELECT sum(events) AS events FROM (SELECT leadanalytics.append_message_events(:w, array_agg(i)) AS events
FROM (SELECT b, ROW(n, NULL, 'many ' || n, 'o', NULL, timestamptz '2026-05-01 00:00Z' + n * interval '1 second', false, NULL, NULL, NULL, NULL, 'l' || n % 100, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::leadanalytics.message_item AS i
      FROM generate_series(1, 24) AS b, generate_series(b * 1000, b * 1000 + 999) AS n) AS b GROUP BY b) AS a;
SELECT sum(n) < 22000 AS bounded FROM leadanalytics.message_fresh_point WHERE workspace = :w;
SELECT count(*) AS points, count(DISTINCT lead) AS leads FROM leadanalytics.message_points(:w, 'o', '2026-05-01 00:16:40Z', '2026-05-02 00:00Z');
