-- Anomalies (S1-15) are told: those of today, which become visible hour by hour, and of yesterday, which is whole now.

CREATE FUNCTION leadanalytics.tell_anomalies_of(workspace int, now timestamptz)
RETURNS int LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    told int;
BEGIN
    -- Of two that look at once the second waits for the first, and finds that it is told.
    WITH found AS MATERIALIZED (
        SELECT a.* FROM leadanalytics.anomalies_rows(tell_anomalies_of.workspace, 2, tell_anomalies_of.now) a
    ), news AS (
        INSERT INTO leadanalytics.anomaly_told AS t (workspace, date, type, severity)
        SELECT tell_anomalies_of.workspace, f.date, f.type, f.severity FROM found f ORDER BY f.date, f.type
        ON CONFLICT (workspace, date, type) DO UPDATE SET severity = excluded.severity WHERE t.severity = 'low' AND excluded.severity = 'high'
        RETURNING t.date, t.type
    )
    INSERT INTO leadanalytics.outbox (workspace, topic, created_at, body)
    SELECT tell_anomalies_of.workspace, 'anomaly.detected', tell_anomalies_of.now,
           json_build_object('type', f.type, 'date', f.date, 'value', f.value, 'expected', f.expected, 'severity', f.severity)
    FROM news n JOIN found f ON f.date = n.date AND f.type = n.type
    ORDER BY f.date, f.type;
    GET DIAGNOSTICS told = ROW_COUNT;
    RETURN told;
END
$$;
COMMENT ON FUNCTION leadanalytics.tell_anomalies_of(int, timestamptz) IS
    'tell webhooks of a workspace''s anomalies of today and yesterday (UTC): each once, and again when it has become severe; how many: for functions that asked who calls';

CREATE FUNCTION leadanalytics.tell_anomalies(now timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    watched int;
    told int := 0;
BEGIN
    DELETE FROM leadanalytics.anomaly_told t WHERE t.date < leadanalytics.utc_date(tell_anomalies.now) - 31;
    FOR watched IN
        SELECT w.id FROM leadanalytics.workspace w WHERE leadanalytics.is_wanted(w.id, 'anomaly.detected') ORDER BY w.id
    LOOP
        BEGIN
            told := told + leadanalytics.tell_anomalies_of(watched, tell_anomalies.now);
        EXCEPTION WHEN OTHERS THEN -- the others are told all the same
            RAISE WARNING 'leadanalytics: the anomalies of workspace % were not told: %', watched, SQLERRM;
        END;
    END LOOP;
    RETURN told;
END
$$;
COMMENT ON FUNCTION leadanalytics.tell_anomalies(timestamptz) IS
    'tell webhooks that want anomaly.detected what was not as usual today and yesterday: the worker''s unit; how many anomalies were told';
INSERT INTO leadanalytics.unit (name, function, every, builtin, summary) VALUES
    ('tell_anomalies', 'leadanalytics.tell_anomalies', '15 minutes', true, 'tell webhooks what is not as usual');
INSERT INTO leadanalytics.topic (name, summary, example, builtin) VALUES
    ('anomaly.detected', 'a day is not as usual: traffic_spike, submission_drop or vpn_ratio; once a day and type, and again when it becomes severe',
     '{"type": "traffic_spike", "date": "2026-02-22", "value": 410, "expected": 120.5, "severity": "high"}', true);
