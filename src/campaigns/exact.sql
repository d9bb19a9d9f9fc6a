-- The same from the events alone, in plain SQL: the second way to every number of this room, and what shows which
-- opens and clicks were taken for machines'. Change message.c with it.

CREATE FUNCTION leadanalytics.marked_message_events(workspace int, only_messages bigint[] DEFAULT NULL)
RETURNS TABLE (message bigint, id bigint, at timestamptz, kind "char", is_machine boolean, is_hard boolean, url int, reason int,
               campaign int, domain int, mailbox int, lead text, recipient text, workflow text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    soon CONSTANT interval := current_setting('leadanalytics.machine_time');
    links CONSTANT int := current_setting('leadanalytics.machine_links');
BEGIN
    RETURN QUERY
    WITH said AS MATERIALIZED (
        SELECT e.*, min(e.at) FILTER (WHERE e.kind = 's') OVER m AS sent, min(e.at) FILTER (WHERE e.kind = 'd') OVER m AS delivered
        FROM leadanalytics.message_event e
        WHERE e.workspace = marked_message_events.workspace AND (only_messages IS NULL OR e.message = ANY (only_messages))
        WINDOW m AS (PARTITION BY e.message)
    ), sweep AS MATERIALIZED (
        -- A time that begins with a click and has that many links.
        SELECT c.message, c.at
        FROM said c JOIN said d ON d.message = c.message AND d.kind = 'c' AND d.at BETWEEN c.at AND c.at + soon
        WHERE c.kind = 'c' AND c.url IS NOT NULL
        GROUP BY c.message, c.at HAVING count(DISTINCT d.url) >= links
    ), swept AS MATERIALIZED (
        SELECT DISTINCT d.id
        FROM sweep w JOIN said d ON d.message = w.message AND d.kind = 'c' AND d.url IS NOT NULL AND d.at BETWEEN w.at AND w.at + soon
    )
    SELECT s.message, s.id, s.at, s.kind,
           s.kind IN ('o', 'c') AND (s.is_machine OR (s.at >= s.sent AND s.at - s.sent < soon) IS TRUE OR (s.at >= s.delivered AND s.at - s.delivered < soon) IS TRUE
                                     OR w.id IS NOT NULL),
           s.is_hard, s.url, s.reason, s.campaign, s.domain, s.mailbox, s.lead, s.recipient, s.workflow
    FROM said s LEFT JOIN swept w ON w.id = s.id;
END
$$;
COMMENT ON FUNCTION leadanalytics.marked_message_events(int, bigint[]) IS 'the events of a workspace''s messages, or of some, with machines'' opens and clicks marked: for functions that asked who calls';

CREATE FUNCTION leadanalytics.exact_message_states(workspace int)
RETURNS TABLE (id bigint, campaign int, domain int, mailbox int, sent_at timestamptz, delivered_at timestamptz, bounced_at timestamptz, is_hard boolean, reason int,
               opened_at timestamptz, clicked_at timestamptz, replied_at timestamptz, complained_at timestamptz, unsubscribed_at timestamptz)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT e.message,
           (array_agg(e.campaign ORDER BY e.kind <> 's', e.at, e.id) FILTER (WHERE e.campaign IS NOT NULL))[1],
           (array_agg(e.domain ORDER BY e.kind <> 's', e.at, e.id) FILTER (WHERE e.domain IS NOT NULL))[1],
           (array_agg(e.mailbox ORDER BY e.kind <> 's', e.at, e.id) FILTER (WHERE e.mailbox IS NOT NULL))[1],
           min(e.at) FILTER (WHERE e.kind = 's'),
           CASE WHEN NOT bool_or(e.kind = 'b') THEN coalesce(min(e.at) FILTER (WHERE e.kind = 'd'), min(e.at) FILTER (WHERE e.kind = 's')) END,
           min(e.at) FILTER (WHERE e.kind = 'b'),
           bool_or(e.is_hard) FILTER (WHERE e.kind = 'b'),
           (array_agg(e.reason ORDER BY e.is_hard DESC, e.at, e.id) FILTER (WHERE e.kind = 'b'))[1],
           min(e.at) FILTER (WHERE e.kind = 'o' AND NOT e.is_machine), min(e.at) FILTER (WHERE e.kind = 'c' AND NOT e.is_machine), min(e.at) FILTER (WHERE e.kind = 'r'),
           min(e.at) FILTER (WHERE e.kind = 'p'), min(e.at) FILTER (WHERE e.kind = 'u')
    FROM leadanalytics.marked_message_events(workspace) e
    GROUP BY e.message;
END
$$;
COMMENT ON FUNCTION leadanalytics.exact_message_states(int) IS 'what follows from the events of all messages of a workspace';

CREATE FUNCTION leadanalytics.exact_message_tallies(workspace int, series "char", starts timestamptz, ends timestamptz, campaign int)
RETURNS SETOF leadanalytics.message_tally LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind CONSTANT record := (SELECT k FROM leadanalytics.message_series() k WHERE k.series = exact_message_tallies.series);
BEGIN
    IF kind.of_events THEN
        RETURN QUERY SELECT t.* FROM leadanalytics.message_tallies_of_rows(workspace, series, starts, ends) t;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT exact_message_tallies.workspace, exact_message_tallies.series, date_bin(kind.length, f.bucket_of, '2000-01-01 00:00Z'), CASE WHEN kind.by_campaign THEN coalesce(s.campaign, 0) ELSE 0 END,
           CASE WHEN kind.by_sender THEN coalesce(s.domain, 0) ELSE 0 END, CASE WHEN kind.by_sender THEN coalesce(s.mailbox, 0) ELSE 0 END,
           CASE WHEN kind.by_sender AND f.fact = 'bounced' THEN coalesce(s.reason, 0) ELSE 0 END,
           count(*) FILTER (WHERE f.fact = 'sent'), count(*) FILTER (WHERE f.fact = 'delivered'), count(*) FILTER (WHERE f.fact = 'bounced' AND s.is_hard),
           count(*) FILTER (WHERE f.fact = 'bounced' AND NOT s.is_hard), count(*) FILTER (WHERE f.fact = 'opened'), count(*) FILTER (WHERE f.fact = 'clicked'),
           count(*) FILTER (WHERE f.fact = 'replied'), count(*) FILTER (WHERE f.fact = 'complained'), count(*) FILTER (WHERE f.fact = 'unsubscribed')
    FROM leadanalytics.exact_message_states(workspace) s
    CROSS JOIN LATERAL (SELECT v.fact, CASE WHEN kind.by_sending THEN s.sent_at ELSE v.at END AS bucket_of
                        FROM (VALUES ('sent', s.sent_at), ('delivered', s.delivered_at), ('bounced', s.bounced_at), ('opened', s.opened_at), ('clicked', s.clicked_at),
                                     ('replied', s.replied_at), ('complained', s.complained_at), ('unsubscribed', s.unsubscribed_at)) AS v (fact, at)
                        WHERE v.at IS NOT NULL) AS f
    WHERE f.bucket_of >= starts AND f.bucket_of < ends AND (exact_message_tallies.campaign IS NULL OR s.campaign = exact_message_tallies.campaign)
    GROUP BY 3, 4, 5, 6, 7;
END
$$;
COMMENT ON FUNCTION leadanalytics.exact_message_tallies(int, "char", timestamptz, timestamptz, int) IS 'leadanalytics.message_tallies() from the events alone';
