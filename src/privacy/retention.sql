-- Retention: each night at 03:00 UTC, or as soon after it as a worker is there, what is older than its workspace keeps it
-- goes, in steps of some thousands with a commit behind each. A workspace that fails does not stop the others.

INSERT INTO leadanalytics.retention_kind (name, place, function, relation, condition, action, setting, summary) VALUES
    ('events', 1, 'leadanalytics.expire_events', NULL, NULL, NULL, 'leadanalytics.event_retention', 'web events; what whole days (UTC) count stays'),
    ('sessions', 2, 'leadanalytics.expire_sessions', NULL, NULL, NULL, NULL, 'sessions that lost their events; what whole days (UTC) count stays'),
    ('message_events', 3, 'leadanalytics.expire_message_events', NULL, NULL, NULL, NULL, 'events of messages that have none younger; the messages and all counts stay'),
    ('lead_payloads', 4, NULL, 'lead_submission', 't.submitted_at < $2 AND pg_column_size(t.payload) > 3', 'payload = ''{}''', NULL,
     'the fields of posts of leads as they were posted; the leads stay'),
    ('leads', 5, NULL, 'lead',
     't.status IN (''won'', ''lost'', ''fake'', ''unqualified'') AND t.enquiry_at < $2 AND coalesce(t.last_follow_up_at, t.enquiry_at) < $2 '
     'AND NOT EXISTS (SELECT FROM leadanalytics.lead_status_change c WHERE c.workspace = t.workspace AND c.lead = t.id AND c.at >= $2)', NULL, NULL,
     'closed leads (won, lost, fake, unqualified) that nothing happened to since, with their posts and history; they are counted no more'),
    ('kept_apart', 6, NULL, 'rejected_lead', 't.received_at < $2', NULL, NULL, 'posts that were kept apart'),
    ('activity', 7, NULL, 'contact_event', 't.at < $2', NULL, NULL, 'events of contacts; they are counted no more'),
    ('exports', 8, NULL, 'export', 't.created_at < $2 AND t.status IN (''completed'', ''failed'', ''expired'')', NULL, NULL, 'exports that are done, with their files'),
    ('deliveries', 9, NULL, 'delivery', 't.ended_at < $2', NULL, NULL, 'deliveries to webhooks, and mails, that are done'),
    ('idempotency', 10, NULL, 'idempotency', 't.at < $2', NULL, NULL, 'answers to requests with an Idempotency-Key');

-- How long what is kept, and how it was said.
CREATE FUNCTION leadanalytics.retention_of(workspace int)
RETURNS TABLE (kind text, keep interval, is_own boolean, summary text, place int) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT k.name, nullif(coalesce(r.keep, current_setting(k.setting)::interval), '0'), r.keep IS NOT NULL, k.summary, k.place
    FROM leadanalytics.retention_kind k
    LEFT JOIN leadanalytics.retention r ON r.workspace = retention_of.workspace AND r.kind = k.name
    ORDER BY k.place
$$;
COMMENT ON FUNCTION leadanalytics.retention_of(int) IS 'how long a workspace keeps what (null: for ever), and whether it says so itself: for functions that asked who calls';

CREATE VIEW leadanalytics.retentions WITH (security_barrier) AS
    SELECT w.id AS workspace, r.kind, r.keep, r.is_own, n.night AS done_at, n.error, r.summary
    FROM leadanalytics.workspace w
    CROSS JOIN LATERAL leadanalytics.retention_of(w.id) r
    LEFT JOIN leadanalytics.retention_run n ON n.workspace = w.id AND n.kind = r.kind
    WHERE leadanalytics.may(w.id);
COMMENT ON VIEW leadanalytics.retentions IS
    'how long workspaces keep what (null: for ever), whether they say so themselves, the day at whose 03:00 UTC it last went, and why it could not since; of those the caller may ask about';
GRANT SELECT ON leadanalytics.retentions TO leadanalytics_admin;

-- The night that has begun.
CREATE FUNCTION leadanalytics.retention_night(now timestamptz)
RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT (now AT TIME ZONE 'UTC' - interval '3 hours')::date
$$;
COMMENT ON FUNCTION leadanalytics.retention_night(timestamptz) IS 'the day (UTC) of the last 03:00';

CREATE FUNCTION leadanalytics.set_retention(workspace int, kind text, keep interval DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(set_retention.workspace);
BEGIN
    IF NOT EXISTS (SELECT FROM leadanalytics.retention_kind k WHERE k.name = set_retention.kind) THEN
        RAISE EXCEPTION 'Unknown kind of data' USING ERRCODE = 'LA400',
            HINT = format('Kinds: %s.', (SELECT string_agg(k.name, ', ' ORDER BY k.place) FROM leadanalytics.retention_kind k));
    END IF;
    IF set_retention.keep IS NULL THEN
        DELETE FROM leadanalytics.retention r WHERE r.workspace = allowed AND r.kind = set_retention.kind;
    ELSE
        INSERT INTO leadanalytics.retention (workspace, kind, keep) VALUES (allowed, set_retention.kind, set_retention.keep)
        ON CONFLICT ON CONSTRAINT retention_pkey DO UPDATE SET keep = excluded.keep;
    END IF;
    -- Not before the next 03:00: whoever was wrong has until then.
    INSERT INTO leadanalytics.retention_run (workspace, kind, night) VALUES (allowed, set_retention.kind, leadanalytics.retention_night(set_retention.now))
    ON CONFLICT ON CONSTRAINT retention_run_pkey DO UPDATE SET night = excluded.night, tried_at = NULL, error = NULL;
EXCEPTION WHEN check_violation OR interval_field_overflow THEN
    RAISE EXCEPTION 'Invalid retention' USING ERRCODE = 'LA400', HINT = 'From 1 to 36500 days, by whole ones; 0: for ever; null: as the settings have it.';
END
$$;
COMMENT ON FUNCTION leadanalytics.set_retention(int, text, interval, timestamptz) IS
    'say how long a workspace keeps its data of a kind: whole days, 0: for ever, null: as everybody does who does not say. What is older goes from the next 03:00 UTC on, for good';
GRANT EXECUTE ON FUNCTION leadanalytics.set_retention(int, text, interval, timestamptz) TO leadanalytics_admin;

-- What is due. A workspace's own word is kept to the day, everybody's setting by whole months, which can be dropped.
CREATE FUNCTION leadanalytics.retention_due(now timestamptz)
RETURNS TABLE (workspace int, kind text, before timestamptz) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT w.id, r.kind, date_trunc(CASE WHEN r.is_own THEN 'day' ELSE 'month' END, retention_due.now AT TIME ZONE 'UTC' - r.keep) AT TIME ZONE 'UTC'
    FROM leadanalytics.workspace w
    CROSS JOIN LATERAL leadanalytics.retention_of(w.id) r
    LEFT JOIN leadanalytics.retention_run n ON n.workspace = w.id AND n.kind = r.kind
    WHERE w.closed_at IS NULL AND r.keep IS NOT NULL
      AND (n.night IS NULL OR n.night < leadanalytics.retention_night(retention_due.now))
      -- a clock that was set back must not make the pause longer
      AND (n.tried_at IS NULL OR n.tried_at <= retention_due.now - interval '1 hour' OR n.tried_at > retention_due.now)
    ORDER BY r.place, w.id
$$;
COMMENT ON FUNCTION leadanalytics.retention_due(timestamptz) IS 'workspaces and kinds whose old data are to go, and before when they are old';

CREATE FUNCTION leadanalytics.expire_rows(workspace int, kind text, before timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    at_once CONSTANT int := 5000;
    what CONSTANT leadanalytics.retention_kind := (SELECT k FROM leadanalytics.retention_kind k WHERE k.name = expire_rows.kind);
    gone bigint;
BEGIN
    IF what.function IS NOT NULL THEN
        EXECUTE format('SELECT %s($1, $2)', what.function::regproc) INTO gone USING expire_rows.workspace, expire_rows.before;
        RETURN gone;
    END IF;
    EXECUTE format(CASE WHEN what.action IS NULL THEN 'DELETE FROM leadanalytics.%1$I' ELSE 'UPDATE leadanalytics.%1$I SET %3$s' END
                   || ' WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM leadanalytics.%1$I t WHERE t.workspace = $1 AND %2$s LIMIT $3))',
                   what.relation, what.condition, what.action) USING expire_rows.workspace, expire_rows.before, at_once;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION leadanalytics.expire_rows(int, text, timestamptz) IS
    'take out some thousands of a workspace''s data of a kind that are older than a midnight (UTC): how many, 0: none is left, null: some cannot go yet';

CREATE FUNCTION leadanalytics.try_expire(workspace int, kind text, before timestamptz, now timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    gone bigint;
    why text;
BEGIN
    -- Two at once would only wait for each other.
    IF leadanalytics.is_closed(try_expire.workspace) OR NOT pg_try_advisory_xact_lock(hashtext('leadanalytics.retention'), try_expire.workspace) THEN
        RETURN 0;
    END IF;
    BEGIN
        gone := leadanalytics.expire_rows(try_expire.workspace, try_expire.kind, try_expire.before);
    EXCEPTION WHEN OTHERS THEN
        why := format('%s (SQLSTATE %s)', SQLERRM, SQLSTATE);
    END;
    IF coalesce(gone, 0) = 0 THEN
        INSERT INTO leadanalytics.retention_run AS n (workspace, kind, night, tried_at, error)
        SELECT w.id, try_expire.kind, CASE WHEN gone = 0 THEN leadanalytics.retention_night(try_expire.now) END, CASE WHEN gone IS NULL THEN try_expire.now END, why
        FROM leadanalytics.workspace w WHERE w.id = try_expire.workspace
        ON CONFLICT ON CONSTRAINT retention_run_pkey DO UPDATE SET night = coalesce(excluded.night, n.night), tried_at = excluded.tried_at, error = excluded.error;
    END IF;
    RETURN coalesce(gone, 0);
END
$$;
COMMENT ON FUNCTION leadanalytics.try_expire(int, text, timestamptz, timestamptz) IS
    'leadanalytics.expire_rows(); when nothing is left that is written down, and when it fails why; 0: nothing more to do tonight, or not now';

CREATE PROCEDURE leadanalytics.expire_due(now timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    due record;
BEGIN
    FOR due IN SELECT d.* FROM leadanalytics.retention_due(expire_due.now) d LOOP
        WHILE leadanalytics.try_expire(due.workspace, due.kind, due.before, expire_due.now) > 0 LOOP
            COMMIT;
        END LOOP;
        COMMIT;
    END LOOP;
    CALL leadanalytics.sweep_dropped(expire_due.now);
END
$$;
COMMENT ON PROCEDURE leadanalytics.expire_due(timestamptz) IS
    'what is older than its workspace keeps it goes, once after each 03:00 UTC: the worker''s unit; see leadanalytics.retentions';
GRANT EXECUTE ON PROCEDURE leadanalytics.expire_due(timestamptz) TO leadanalytics_admin;
INSERT INTO leadanalytics.unit (name, function, kind, every, timeout_ms, builtin, summary)
VALUES ('retention', 'leadanalytics.expire_due', 'procedure', '5 minutes', 3600000, true, 'what is older than its workspace keeps it, each night at 03:00 UTC');

CREATE FUNCTION leadanalytics.retention_lines()
RETURNS SETOF leadanalytics.status_line LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('retention of workspace %s', n.workspace), format('%s failed at %s: %s', n.kind, date_trunc('second', n.tried_at), n.error),
           'Mend the cause; it is tried again each hour. What is old is kept meanwhile.'
    FROM leadanalytics.retention_run n WHERE n.error IS NOT NULL ORDER BY n.workspace, n.kind
$$;
COMMENT ON FUNCTION leadanalytics.retention_lines() IS 'workspaces whose old data could not go, for leadanalytics.status()';
INSERT INTO leadanalytics.status_source VALUES ('retention', 'leadanalytics.retention_lines');
