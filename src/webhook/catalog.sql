-- What webhooks can be told of, and whether anybody wants to be.

CREATE FUNCTION leadanalytics.is_wanted(workspace int, topic text)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM leadanalytics.webhook w
                   WHERE w.workspace = is_wanted.workspace AND w.active
                         AND CASE WHEN is_wanted.topic = 'conversion.postback' THEN w.platform IS NOT NULL
                                  ELSE is_wanted.topic = ANY (w.topics) OR ('*' = ANY (w.topics) AND w.platform IS NULL) END);
END
$$;
COMMENT ON FUNCTION leadanalytics.is_wanted(int, text) IS
    'whether an active webhook of the workspace is told of the topic (as leadanalytics.fan_out() has it): for rooms to which finding out what to tell is work';

CREATE FUNCTION leadanalytics.topic_example(name text)
RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT leadanalytics.webhook_envelope('evt_0123456789abcdef01234567', t.name, '2026-02-09 10:30Z', t.example)
            FROM leadanalytics.topic t WHERE t.name = topic_example.name);
END
$$;
COMMENT ON FUNCTION leadanalytics.topic_example(text) IS 'an envelope of a topic as webhooks get it';

CREATE FUNCTION leadanalytics.webhook_catalog()
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT coalesce(json_agg(json_build_object('event', t.name, 'summary', t.summary, 'example', leadanalytics.topic_example(t.name)) ORDER BY t.name), '[]')
            FROM leadanalytics.topic t);
END
$$;
COMMENT ON FUNCTION leadanalytics.webhook_catalog() IS 'S2-06: the topics of webhooks, each with what it is about and an envelope';
GRANT EXECUTE ON FUNCTION leadanalytics.webhook_catalog() TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, summary, example, open_members, builtin) VALUES
    ('GET', '/v1/integrations/webhooks/catalog', 'leadanalytics.webhook_catalog', 'engagement', '{live,sandbox}', 'What webhooks can be told of',
     '[{"event": "lead.status_changed", "summary": "a lead''s status changed", "example": {"id": "evt_0123456789abcdef01234567", "type": "lead.status_changed", "createdAt": "2026-02-09T10:30:00.000Z", '
     '"data": {"lead_id": 42, "external_id": null, "status": "contacted", "previous_status": "new", "changed_at": "2026-02-09T10:30:00.000Z"}}}]', '{[].example.data*}', true);
