-- Retention of events of messages. What follows from a message's events follows from all of them: so those of a message
-- go together, when the youngest is old enough, and from there on the message is final: what is said of it later is
-- kept, and counted as an event, and changes nothing in what is known of it.
CREATE FUNCTION leadanalytics.expire_message_events(workspace int, before timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    at_once CONSTANT int := 5000;
    leaf record;
    old bigint[];
    over bigint[];
    gone bigint;
BEGIN
    FOR leaf IN
        SELECT l.* FROM leadanalytics.leaves_before('message_event', expire_message_events.before) l
    LOOP
        IF leaf.ends = (leaf.month + interval '1 month')::timestamp AT TIME ZONE 'UTC' THEN
            PERFORM leadanalytics.drop_empty_leaf('message_event', leaf.month);
        END IF;
        SELECT array_agg(DISTINCT o.message) INTO old
        FROM (SELECT e.message FROM leadanalytics.message_event e
              WHERE e.workspace = expire_message_events.workspace AND e.at >= leaf.starts AND e.at < leaf.ends
                AND NOT EXISTS (SELECT FROM leadanalytics.message_event l WHERE l.message = e.message AND l.at >= expire_message_events.before)
              LIMIT at_once) AS o;
        CONTINUE WHEN old IS NULL;
        -- Of these times no count of events can be made anew.
        INSERT INTO leadanalytics.dropped AS d (workspace, parent, before, swept)
        VALUES (expire_message_events.workspace, 'message_event', (expire_message_events.before AT TIME ZONE 'UTC')::date, true)
        ON CONFLICT ON CONSTRAINT dropped_pkey DO UPDATE SET before = excluded.before WHERE d.before < excluded.before;
        -- Whoever adds events to one of them settles it under the same lock: before, or not any more.
        PERFORM FROM leadanalytics.message m WHERE m.workspace = expire_message_events.workspace AND m.id = ANY (old) ORDER BY m.key, m.id FOR NO KEY UPDATE;
        over := ARRAY(SELECT u.id FROM unnest(old) AS u (id)
                      WHERE NOT EXISTS (SELECT FROM leadanalytics.message_event l WHERE l.message = u.id AND l.at >= expire_message_events.before));
        UPDATE leadanalytics.message m SET is_final = true WHERE m.workspace = expire_message_events.workspace AND m.id = ANY (over) AND NOT m.is_final;
        DELETE FROM leadanalytics.message_event e WHERE e.message = ANY (over) AND e.at < expire_message_events.before;
        GET DIAGNOSTICS gone = ROW_COUNT;
        RETURN nullif(gone, 0);
    END LOOP;
    RETURN 0;
END
$$;
COMMENT ON FUNCTION leadanalytics.expire_message_events(int, timestamptz) IS
    'delete some thousands of a workspace''s events of messages that have none from a midnight (UTC) on: how many, 0: none is left';
