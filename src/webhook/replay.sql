-- What can be seen of deliveries, and trying those anew that were given up.

-- What is told of people has their contacts in it, and a receiver may answer with what it was told.
CREATE VIEW leadanalytics.deliveries WITH (security_barrier) AS
    SELECT d.workspace, d.id, d.webhook, CASE WHEN s.contacts THEN d.recipient ELSE leadanalytics.masked_email(d.recipient) END AS recipient, d.occurrence, d.topic, d.subject,
           CASE WHEN s.contacts THEN d.body END AS body, d.attachment, d.status, d.attempts, d.next_at, d.leased_until, d.answer_status, CASE WHEN s.contacts THEN d.answer END AS answer,
           d.error, d.created_at, d.delivered_at, d.ended_at
    FROM leadanalytics.delivery d
    CROSS JOIN LATERAL (SELECT leadanalytics.sees_contacts(d.workspace) AS contacts OFFSET 0) AS s
    WHERE leadanalytics.may(d.workspace);
COMMENT ON VIEW leadanalytics.deliveries IS
    'the deliveries of the workspaces the caller may ask about; who sees contacts masked is shown neither bodies nor answers (null)';
GRANT SELECT ON leadanalytics.deliveries TO leadanalytics_read;

CREATE FUNCTION leadanalytics.replay_delivery(workspace int, delivery bigint, now timestamptz DEFAULT now())
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old leadanalytics.delivery;
BEGIN
    SELECT * INTO old FROM leadanalytics.delivery d
    WHERE d.workspace = leadanalytics.permitted(replay_delivery.workspace) AND d.id = replay_delivery.delivery FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Delivery not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.deliveries.';
    ELSIF old.leased_until > replay_delivery.now THEN
        RETURN false;
    END IF;
    UPDATE leadanalytics.delivery d
    SET status = 'waiting', attempts_before = d.attempts, next_at = replay_delivery.now, tried_at = replay_delivery.now, leased_until = NULL, ended_at = NULL
    WHERE d.workspace = old.workspace AND d.id = old.id;
    PERFORM leadanalytics.worker_poke_send();
    RETURN true;
END
$$;
COMMENT ON FUNCTION leadanalytics.replay_delivery(int, bigint, timestamptz) IS
    'send a delivery anew, whatever became of it: the same bytes with the same id, and as many attempts as a new one has; false when it is being sent just now';

CREATE FUNCTION leadanalytics.replay_dead(workspace int, webhook text DEFAULT NULL, since timestamptz DEFAULT '-infinity', now timestamptz DEFAULT now())
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n bigint;
BEGIN
    UPDATE leadanalytics.delivery d
    SET status = 'waiting', attempts_before = d.attempts, next_at = replay_dead.now, tried_at = replay_dead.now, ended_at = NULL
    WHERE d.workspace = leadanalytics.permitted(replay_dead.workspace) AND d.status = 'dead' AND d.ended_at >= replay_dead.since
          AND (replay_dead.webhook IS NULL OR d.webhook = replay_dead.webhook);
    GET DIAGNOSTICS n = ROW_COUNT;
    PERFORM leadanalytics.worker_poke_send();
    RETURN n;
END
$$;
COMMENT ON FUNCTION leadanalytics.replay_dead(int, text, timestamptz, timestamptz) IS
    'send anew what was given up since then: of a webhook, or (null) of all of them and mails too; how many';
GRANT EXECUTE ON FUNCTION leadanalytics.replay_delivery(int, bigint, timestamptz), leadanalytics.replay_dead(int, text, timestamptz, timestamptz)
    TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.has_mail_server()
RETURNS boolean LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'la_webhook_has_mail_server';
COMMENT ON FUNCTION leadanalytics.has_mail_server() IS 'whether leadanalytics.smtp_url and leadanalytics.smtp_from are set, which only superusers can read';

CREATE FUNCTION leadanalytics.webhook_lines()
RETURNS SETOF leadanalytics.status_line LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'deliveries', format('%s waiting%s, %s dead', w.n, ', the oldest since ' || leadanalytics.utc_seconds(w.oldest), d.n),
           CASE WHEN d.n > 0 THEN 'See leadanalytics.deliveries; SELECT leadanalytics.replay_dead(workspace) sends them anew.' END
    FROM (SELECT count(*) AS n, min(created_at) AS oldest FROM leadanalytics.delivery WHERE status = 'waiting') AS w,
         (SELECT count(*) AS n FROM leadanalytics.delivery WHERE status = 'dead') AS d
    WHERE w.n > 0 OR d.n > 0
    UNION ALL
    SELECT 'mail', format('%s wait for a mail server', m.n), 'Set leadanalytics.smtp_url and leadanalytics.smtp_from.'
    FROM (SELECT count(*) AS n FROM leadanalytics.delivery WHERE status = 'waiting' AND webhook IS NULL) AS m
    WHERE m.n > 0 AND NOT leadanalytics.has_mail_server()
$$;
COMMENT ON FUNCTION leadanalytics.webhook_lines() IS 'deliveries, as leadanalytics.status() has them: what waits, and what was given up';
INSERT INTO leadanalytics.status_source VALUES ('webhook', 'leadanalytics.webhook_lines');
