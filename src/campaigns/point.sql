-- Which lead has which fact of a mail when: the trail, with what is not packed into it yet (point.h). For questions that
-- go by the lead, at any size.

CREATE FUNCTION leadanalytics.pack_message_points(at_once bigint)
RETURNS bigint LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'la_campaigns_pack_message_points';
COMMENT ON FUNCTION leadanalytics.pack_message_points(bigint) IS
    'pack so many points of messages into the trail, or some more, and return how many it were: for leadanalytics.sum_messages(), which lets nobody else';

CREATE FUNCTION leadanalytics.message_points(workspace int, fact "char", starts timestamptz, ends timestamptz)
RETURNS TABLE (lead bigint, at timestamptz) LANGUAGE c STABLE STRICT ROWS 10000 AS 'MODULE_PATHNAME', 'la_campaigns_message_points';
COMMENT ON FUNCTION leadanalytics.message_points(int, "char", timestamptz, timestamptz) IS
    'the messages of leads that have a fact (s sent, d delivered, b bounced, o opened, c clicked, r replied, p complained, u unsubscribed) from starts until before ends, in the order of time: '
    'the lead''s id, or the one kept for it; for functions that asked who calls';

-- The second way: every message and the name of its lead.
CREATE FUNCTION leadanalytics.exact_message_points(workspace int, fact "char", starts timestamptz, ends timestamptz)
RETURNS TABLE (lead bigint, at timestamptz) LANGUAGE plpgsql STABLE AS $$
DECLARE
    names CONSTANT text[] := ARRAY(SELECT DISTINCT m.lead FROM leadanalytics.message m WHERE m.workspace = exact_message_points.workspace AND m.lead IS NOT NULL);
BEGIN
    RETURN QUERY
    SELECT l.id, f.at
    FROM leadanalytics.message m
    JOIN unnest(names, leadanalytics.known_leads(exact_message_points.workspace, names)) AS l (name, id) ON l.name = m.lead
    CROSS JOIN LATERAL (SELECT CASE exact_message_points.fact WHEN 's' THEN m.sent_at WHEN 'd' THEN m.delivered_at WHEN 'b' THEN m.bounced_at WHEN 'o' THEN m.opened_at
                                                              WHEN 'c' THEN m.clicked_at WHEN 'r' THEN m.replied_at WHEN 'p' THEN m.complained_at
                                                              WHEN 'u' THEN m.unsubscribed_at END AS at) AS f
    WHERE m.workspace = exact_message_points.workspace AND f.at >= starts AND f.at < ends
    ORDER BY f.at;
END
$$;
COMMENT ON FUNCTION leadanalytics.exact_message_points(int, "char", timestamptz, timestamptz) IS 'leadanalytics.message_points() from the messages alone';
