-- L10: whoever gets leads all day wants to know when none comes any more. Forms break silently.

CREATE FUNCTION leadanalytics.lead_drought(
    workspace int, now timestamptz DEFAULT now(), OUT last_lead_at timestamptz, OUT minutes int, OUT threshold_minutes int, OUT is_drought boolean, OUT alerted_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(lead_drought.workspace);
BEGIN
    SELECT max(l.enquiry_at) INTO last_lead_at FROM leadanalytics.lead l WHERE l.workspace = allowed AND l.enquiry_at <= lead_drought.now;
    minutes := floor(extract(epoch FROM lead_drought.now - last_lead_at) / 60);
    threshold_minutes := coalesce((SELECT r.minutes FROM leadanalytics.lead_drought_rule r WHERE r.workspace = allowed), 30);
    is_drought := coalesce(minutes >= threshold_minutes, false);
    SELECT a.told_at INTO alerted_at FROM leadanalytics.lead_drought_alert a WHERE a.workspace = allowed;
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_drought(int, timestamptz) IS
    'L10: when the last new lead came, how many whole minutes ago, and whether that is a drought (30 minutes, or as leadanalytics.set_lead_drought() has it); '
    'where no lead ever came there is none. alerted_at: when that was told the last time';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_drought(int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.set_lead_drought(
    workspace int, minutes int DEFAULT 30, cooldown_minutes int DEFAULT 120, recipients text[] DEFAULT '{}', active boolean DEFAULT true)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(set_lead_drought.workspace);
BEGIN
    IF EXISTS (SELECT FROM unnest(recipients) AS r (address) WHERE r.address IS NULL OR r.address !~ '^[!-~]+@[A-Za-z0-9.-]+$' OR char_length(r.address) > 254) THEN
        RAISE EXCEPTION 'invalid recipient' USING ERRCODE = 'invalid_parameter_value', HINT = 'E-mail addresses, at most 20.';
    END IF;
    INSERT INTO leadanalytics.lead_drought_rule AS r (workspace, minutes, cooldown_minutes, recipients, active)
    VALUES (allowed, set_lead_drought.minutes, set_lead_drought.cooldown_minutes, set_lead_drought.recipients, set_lead_drought.active)
    ON CONFLICT (workspace) DO UPDATE SET minutes = excluded.minutes, cooldown_minutes = excluded.cooldown_minutes, recipients = excluded.recipients, active = excluded.active;
EXCEPTION WHEN check_violation OR not_null_violation THEN
    RAISE EXCEPTION 'invalid rule' USING ERRCODE = 'invalid_parameter_value',
        HINT = 'minutes and cooldown_minutes: from 1 to 43200 (30 days); recipients: at most 20 addresses; active: true or false.';
END
$$;
COMMENT ON FUNCTION leadanalytics.set_lead_drought(int, int, int, text[], boolean) IS
    'what a drought is (so many minutes without a new lead), how long after an alert there is none, who gets a mail beside the webhooks that want lead.drought; active false: nobody is told';
GRANT EXECUTE ON FUNCTION leadanalytics.set_lead_drought(int, int, int, text[], boolean) TO leadanalytics_admin;

-- Of two that look at once the second waits here for the first and finds that it is told. An alert ahead of now is from
-- before the clock was set back: it counts, unless it is further ahead than alerts are apart.
CREATE FUNCTION leadanalytics.take_drought_alert(workspace int, cooldown interval, now timestamptz)
RETURNS boolean LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO leadanalytics.lead_drought_alert AS a (workspace, told_at) VALUES (take_drought_alert.workspace, take_drought_alert.now)
    ON CONFLICT (workspace) DO UPDATE SET told_at = excluded.told_at
        WHERE a.told_at <= excluded.told_at - take_drought_alert.cooldown OR a.told_at > excluded.told_at + take_drought_alert.cooldown;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION leadanalytics.take_drought_alert(int, interval, timestamptz) IS 'whether it is for this transaction to tell of a drought: noted with it; false: somebody did within the cooldown';

CREATE FUNCTION leadanalytics.tell_lead_droughts(now timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    watched record;
    drought record;
    told int := 0;
BEGIN
    FOR watched IN
        SELECT w.id, w.slug, h.wanted, coalesce(r.recipients, '{}') AS recipients, make_interval(mins => coalesce(r.cooldown_minutes, 120)) AS cooldown
        FROM leadanalytics.workspace w
        LEFT JOIN leadanalytics.lead_drought_rule r ON r.workspace = w.id
        CROSS JOIN LATERAL (SELECT leadanalytics.is_wanted(w.id, 'lead.drought') AS wanted) AS h
        WHERE coalesce(r.active, true) AND (h.wanted OR cardinality(r.recipients) > 0)
        ORDER BY w.id -- so that two that run at once never wait for each other
    LOOP
        drought := leadanalytics.lead_drought(watched.id, tell_lead_droughts.now);
        CONTINUE WHEN NOT drought.is_drought OR NOT leadanalytics.take_drought_alert(watched.id, watched.cooldown, tell_lead_droughts.now);
        told := told + 1;
        IF watched.wanted THEN
            PERFORM leadanalytics.tell(watched.id, 'lead.drought', json_build_object(
                'last_lead_at', leadanalytics.utc_milliseconds(drought.last_lead_at), 'minutes', drought.minutes, 'threshold_minutes', drought.threshold_minutes,
                'previous_alert_at', leadanalytics.utc_milliseconds(drought.alerted_at)), tell_lead_droughts.now);
        END IF;
        PERFORM leadanalytics.send_mail(
            watched.id, r.address, format('No new lead of %s for %s minutes', watched.slug, drought.minutes),
            format(E'The last new lead of %s came at %s (UTC), %s minutes ago.\n\nYou are told after %s minutes without one, and then at most every %s minutes while it lasts.\n',
                   watched.slug, to_char(drought.last_lead_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), drought.minutes, drought.threshold_minutes, extract(epoch FROM watched.cooldown)::int / 60),
            'lead.drought', format('drought_%s_%s', watched.id, extract(epoch FROM tell_lead_droughts.now)::bigint), NULL, tell_lead_droughts.now)
        FROM unnest(watched.recipients) AS r (address);
    END LOOP;
    RETURN told;
END
$$;
COMMENT ON FUNCTION leadanalytics.tell_lead_droughts(timestamptz) IS
    'tell of droughts (L10): webhooks that want lead.drought, and recipients of mails; each workspace at most once in its cooldown, whoever looks: the worker''s unit; how many workspaces were told';
INSERT INTO leadanalytics.unit (name, function, every, builtin, summary) VALUES
    ('tell_lead_droughts', 'leadanalytics.tell_lead_droughts', '10 minutes', true, 'alert when no lead comes any more');
INSERT INTO leadanalytics.topic (name, summary, example, builtin) VALUES
    ('lead.drought', 'no new lead came for half an hour (leadanalytics.set_lead_drought()); again every two hours while it lasts',
     '{"last_lead_at": "2026-02-09T09:55:00.000Z", "minutes": 35, "threshold_minutes": 30, "previous_alert_at": null}', true);
