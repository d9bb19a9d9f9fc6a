-- What a workspace uses of its plan (D-74): GET /api/v1/usage (S5-14).
--
-- An event is of the month (UTC) it was received in, whatever its own time: what was told once does not change
-- when somebody delivers late. It is counted with its ledger's row and moves from there into the month's count
-- with the fold, so that the two together are the number in any snapshot.

CREATE FUNCTION leadanalytics.events_used(workspace int, month date)
RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce((SELECT u.events FROM leadanalytics.usage_month u WHERE u.workspace = events_used.workspace AND u.month = events_used.month), 0)
        + (SELECT coalesce(sum(l.used), 0) FROM leadanalytics.ledger l WHERE l.workspace = events_used.workspace AND l.used_in = events_used.month);
END
$$;
COMMENT ON FUNCTION leadanalytics.events_used(int, date) IS 'how many events of a month (UTC) are use of the workspace''s plan, folded or not';

CREATE FUNCTION leadanalytics.usage_rows(workspace int, now timestamptz DEFAULT now())
RETURNS TABLE (events_used bigint, events_limit bigint, postbacks_used bigint, postbacks_limit bigint,
               period_start timestamptz, period_end timestamptz, plan text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(usage_rows.workspace);
    this CONSTANT date := date_trunc('month', usage_rows.now AT TIME ZONE 'UTC');
BEGIN
    RETURN QUERY
    SELECT leadanalytics.events_used(allowed, this),
           coalesce(w.events_limit, p.events_limit), coalesce(u.postbacks, 0), coalesce(w.postbacks_limit, p.postbacks_limit),
           this::timestamp AT TIME ZONE 'UTC', (this + interval '1 month') AT TIME ZONE 'UTC', p.name
    FROM leadanalytics.workspace w
    JOIN leadanalytics.plan p ON p.name = w.plan
    LEFT JOIN leadanalytics.usage_month u ON u.workspace = w.id AND u.month = this
    WHERE w.id = allowed;
END
$$;
COMMENT ON FUNCTION leadanalytics.usage_rows(int, timestamptz) IS
    'what a workspace used of its plan in the month (UTC) of now: pageviews and custom events received then (duplicates, robots and imports are free), and postbacks '
    'that a platform took; a limit that is null is none; period_end is excluded';
GRANT EXECUTE ON FUNCTION leadanalytics.usage_rows(int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.usage(workspace int, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT json_build_object(
        'events_used', u.events_used,
        -- Numbers stay numbers: the largest whole one that JavaScript takes, so that "used < limit" and "used / limit" are right.
        'events_limit', coalesce(u.events_limit, 9007199254740991),
        'postbacks_used', u.postbacks_used,
        'postbacks_limit', coalesce(u.postbacks_limit, 9007199254740991),
        'period_start', leadanalytics.utc_seconds(u.period_start),
        'period_end', leadanalytics.utc_seconds(u.period_end - interval '1 second'),
        'plan', u.plan)
        FROM leadanalytics.usage_rows(usage.workspace, usage.now) u);
END
$$;
COMMENT ON FUNCTION leadanalytics.usage(int, timestamptz) IS 'leadanalytics.usage_rows() as GET /api/v1/usage answers (S5-14); no limit is 9007199254740991';
GRANT EXECUTE ON FUNCTION leadanalytics.usage(int, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, summary, example, builtin) VALUES
    ('GET', '/api/v1/usage', 'leadanalytics.usage', 'public', '{sdk,agent}', 'What the workspace used of its plan this month (UTC); no limit is 9007199254740991',
     '{"events_used": 45000, "events_limit": 100000, "postbacks_used": 1200, "postbacks_limit": 5000, "period_start": "2026-03-01T00:00:00Z", "period_end": "2026-03-31T23:59:59Z", "plan": "growth_plan"}', true);

CREATE FUNCTION leadanalytics.allowance(workspace int, now timestamptz, OUT events bigint, OUT until timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    this CONSTANT date := date_trunc('month', allowance.now AT TIME ZONE 'UTC');
BEGIN
    until := (this + interval '1 month') AT TIME ZONE 'UTC';
    SELECT coalesce(w.events_limit, p.events_limit) INTO events
    FROM leadanalytics.workspace w JOIN leadanalytics.plan p ON p.name = w.plan WHERE w.id = allowance.workspace;
    IF events IS NOT NULL THEN
        events := events - leadanalytics.events_used(allowance.workspace, this);
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.allowance(int, timestamptz) IS 'how many events are left of the month (null: it has no limit), and when the next one begins; for ingestion, whose caller is no reader';

CREATE FUNCTION leadanalytics.count_postbacks(workspace int, n bigint, now timestamptz DEFAULT now())
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO leadanalytics.usage_month AS u (workspace, month, postbacks)
    VALUES (workspace, date_trunc('month', now AT TIME ZONE 'UTC'), n)
    ON CONFLICT ON CONSTRAINT usage_month_pkey DO UPDATE SET postbacks = u.postbacks + excluded.postbacks
$$;
COMMENT ON FUNCTION leadanalytics.count_postbacks(int, bigint, timestamptz) IS 'note that a platform took so many postbacks: for whoever delivers the outbox, in the transaction that notes the delivery';
