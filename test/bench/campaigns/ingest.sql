-- What an event costs to take in, by CPU of the session: the largest workspace goes on, its 50 000 new messages being sent,
-- delivered, opened and clicked over a day, in the order of time; and among them as many who were sent long ago.
SELECT workspace AS w FROM bench.asked LIMIT 1 \gset
CREATE TABLE bench.batch AS
SELECT n / 1000 AS batch, json_agg(event ORDER BY n) AS body
FROM (
    SELECT row_number() OVER (ORDER BY e.at, i, e.kind) - 1 AS n, json_strip_nulls(json_build_object('message_id', CASE WHEN i % 4 = 0 AND e.kind <> 'sent' THEN 'message-' || 2 * i ELSE 'late-' || i END, 'event', e.kind,
        'event_id', md5('late' || i || e.kind || e.again)::uuid, 'timestamp', e.at, 'campaign_id', 'campaign-' || 1 + i % 14, 'domain_id', CASE e.kind WHEN 'sent' THEN 'domain-' || 1 + i % 4 END,
        'mailbox_id', CASE e.kind WHEN 'sent' THEN 'domain-' || 1 + i % 4 || '-box-' || 1 + i % 8 END, 'sending_ip', CASE e.kind WHEN 'sent' THEN '192.0.2.1' END, 'lead_id', CASE e.kind WHEN 'sent' THEN 'lead-' || i END,
        'recipient', CASE e.kind WHEN 'sent' THEN 'lead' || i || '@example.com' END, 'url', CASE e.kind WHEN 'clicked' THEN 'https://example.com/offer/' || 1 + i % 100 END,
        'user_agent', CASE WHEN e.kind IN ('opened', 'clicked') THEN 'Mozilla/5.0 (X11; Linux x86_64) Chrome/' || 1 + i % 100 END, 'ip', CASE WHEN e.kind IN ('opened', 'clicked') THEN '198.51.100.7' END)) AS event
    FROM generate_series(1, 50000) AS i
    CROSS JOIN LATERAL (
        SELECT 'sent' AS kind, 0 AS again, now() - interval '1 day' + bench.chance(i, 11) * interval '4 hours' AS at
        UNION ALL SELECT 'delivered', 0, now() - interval '1 day' + bench.chance(i, 11) * interval '4 hours' + interval '20 seconds'
        UNION ALL SELECT 'opened', k, now() - interval '1 day' + bench.chance(i, 11) * interval '4 hours' + interval '10 minutes' + bench.chance(i * 7 + k, 12) * interval '16 hours' FROM generate_series(1, (bench.chance(i, 13) * 5)::int) AS k
        UNION ALL SELECT 'clicked', 0, now() - interval '1 day' + bench.chance(i, 11) * interval '4 hours' + interval '11 minutes' + bench.chance(i, 12) * interval '16 hours' WHERE bench.chance(i, 13) > 0.8) AS e) AS e
GROUP BY 1;
CREATE PROCEDURE bench.take_in(workspace int, what text, first int, last int) LANGUAGE plpgsql AS $$
DECLARE
    taken record;
    items leadanalytics.message_item[];
    one json;
    begun float8;
    cpu float8 := 0;
    summing float8 := 0;
    n int := 0;
BEGIN
    FOR taken IN SELECT b.* FROM bench.batch b WHERE b.batch BETWEEN first AND last ORDER BY b.batch LOOP
        items := ARRAY(SELECT i FROM leadanalytics.message_items(taken.body, now()) i);
        begun := bench.cpu_us();
        CASE what
            WHEN 'rows' THEN PERFORM leadanalytics.append_message_events(workspace, items);
            WHEN 'json' THEN PERFORM leadanalytics.put_message_events(workspace, taken.body);
            WHEN 'single' THEN
                FOR one IN SELECT * FROM json_array_elements(taken.body) LOOP
                    PERFORM leadanalytics.put_message_events(workspace, one);
                    COMMIT;
                END LOOP;
        END CASE;
        COMMIT;
        cpu := cpu + bench.cpu_us() - begun;
        n := n + json_array_length(taken.body);
        begun := bench.cpu_us();
        IF what = 'single' OR taken.batch % 10 = 9 THEN
            PERFORM leadanalytics.sum_messages(now());
            COMMIT;
        END IF;
        summing := summing + bench.cpu_us() - begun;
    END LOOP;
    RAISE WARNING '% % %.. %', what, round((cpu / n)::numeric, 1), round((summing / n)::numeric, 1), n;
END
$$;
\echo taking in: how, µs of CPU an event, and to sum up, events
\o /dev/null
CALL bench.take_in(:w, 'json', 0, 4);
CALL bench.take_in(:w, 'json', 5, 49);
CALL bench.take_in(:w, 'rows', 50, 94);
CALL bench.take_in(:w, 'json', 95, 139);
CALL bench.take_in(:w, 'rows', 140, 184);
CALL bench.take_in(:w, 'single', 185, 188);
