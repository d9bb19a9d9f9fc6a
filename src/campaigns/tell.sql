-- What is told of mails: facts that somebody has to act on. Opens and clicks are too many, and often a machine's.

CREATE FUNCTION leadanalytics.tell_message_events()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Mostly nobody wants to know: then this is all that it costs.
    IF NOT EXISTS (SELECT FROM leadanalytics.webhook w
                   WHERE w.active AND w.topics && '{email.replied,email.bounced,email.complained,email.unsubscribed,*}') THEN
        RETURN NULL;
    END IF;
    -- History that is loaded is no news.
    INSERT INTO leadanalytics.outbox (workspace, topic, created_at, body)
    SELECT f.workspace, t.topic, f.received_at, json_build_object(
        'message_id', CASE WHEN m.key !~ '^ ' THEN m.key END, 'lead_id', coalesce(f.lead, m.lead), 'recipient', coalesce(f.recipient, m.recipient),
        'campaign_id', c.key, 'workflow_execution_id', coalesce(f.workflow, m.workflow),
        'bounce_type', CASE f.is_hard WHEN true THEN 'hard' WHEN false THEN 'soft' END, 'reason', r.text,
        'timestamp', leadanalytics.utc_milliseconds(f.at))
    FROM fresh f
    JOIN (VALUES ('r'::"char", 'email.replied'), ('b', 'email.bounced'), ('p', 'email.complained'), ('u', 'email.unsubscribed')) AS t (kind, topic) ON t.kind = f.kind
    CROSS JOIN LATERAL (SELECT n.* FROM leadanalytics.message n WHERE n.workspace = f.workspace AND n.id = f.message OFFSET 0) AS m
    LEFT JOIN LATERAL (SELECT k.key FROM leadanalytics.campaign k WHERE k.workspace = f.workspace AND k.id = coalesce(f.campaign, m.campaign) OFFSET 0) AS c ON true
    LEFT JOIN LATERAL (SELECT x.text FROM leadanalytics.message_text x WHERE x.workspace = f.workspace AND x.id = f.reason OFFSET 0) AS r ON true
    WHERE f.at > f.received_at - interval '168 hours' AND leadanalytics.is_wanted(f.workspace, t.topic)
    ORDER BY f.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.tell_message_events() IS 'tell webhooks of replies, bounces, complaints and unsubscriptions that a statement added, where they want to know; what is a week old when it comes is history';
-- (after settle_added: triggers of a statement run by name)
CREATE TRIGGER tell_added AFTER INSERT ON leadanalytics.message_event
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tell_message_events();
INSERT INTO leadanalytics.topic (name, summary, example, builtin)
SELECT t.name, t.summary, replace(replace('{"message_id": "msg_001", "lead_id": "6789abcdef012345", "recipient": "ann@example.com", "campaign_id": "cmp_abc123", "workflow_execution_id": "exec_001",
    "bounce_type": $type, "reason": $reason, "timestamp": "2026-02-09T10:30:00.000Z"}', '$type', t.type), '$reason', t.reason)::json, true
FROM (VALUES
    ('email.replied', 'somebody replied to a mail', 'null', 'null'),
    ('email.bounced', 'a mail bounced: hard, for good, or soft', '"hard"', '"Invalid recipient"'),
    ('email.complained', 'somebody called a mail spam', 'null', 'null'),
    ('email.unsubscribed', 'somebody wants no more mails', 'null', 'null')) AS t (name, summary, type, reason);
