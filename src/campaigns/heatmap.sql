-- S4-04: when mail that was sent is answered, by hour of the week in any zone.

CREATE FUNCTION leadanalytics.engagement_score(sent numeric, opened numeric, clicked numeric, replied numeric)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT leadanalytics.ratio((opened * 0.3 + clicked * 0.4 + replied * 0.3) * 100, sent)
$$;
COMMENT ON FUNCTION leadanalytics.engagement_score(numeric, numeric, numeric, numeric) IS 'opens, clicks and replies of so many messages sent, weighed: 0 to 100, two decimals';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_score(numeric, numeric, numeric, numeric) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.time_period(hour int)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN hour < 6 THEN 'nighttime' WHEN hour < 9 THEN 'early_morning' WHEN hour < 17 THEN 'office_hours' ELSE 'evening' END
$$;
COMMENT ON FUNCTION leadanalytics.time_period(int) IS 'the part of the day that an hour belongs to';
GRANT EXECUTE ON FUNCTION leadanalytics.time_period(int) TO leadanalytics_read;

-- Wall-clock hours: one that comes twice when clocks are put back is one, one that they leap over has nothing. A quarter
-- of an hour of UTC lies in one hour of every zone's.
CREATE FUNCTION leadanalytics.heatmap_hours(workspace int, starts timestamptz, ends timestamptz, campaigns int[], zone text)
RETURNS TABLE (weekday int, day_of_week text, hour int, time_period text, emails_sent bigint, emails_opened bigint, emails_clicked bigint, emails_replied bigint,
               open_rate numeric, engagement_score numeric)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    names CONSTANT text[] := '{Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday}';
BEGIN
    RETURN QUERY
    WITH slots AS MATERIALIZED ( -- several of one bucket are one clock's reading
        SELECT t.bucket AT TIME ZONE zone AS at, sum(t.sent) AS sent, sum(t.opened) AS opened, sum(t.clicked) AS clicked, sum(t.replied) AS replied
        FROM leadanalytics.message_tallies_of(heatmap_hours.workspace, CASE WHEN campaigns IS NULL THEN 'w'::"char" ELSE 's' END, starts, ends, campaigns) t
        GROUP BY t.bucket
    ), hours AS MATERIALIZED (
        SELECT extract(isodow FROM s.at)::int AS weekday, extract(hour FROM s.at)::int AS hour,
               sum(s.sent)::bigint AS sent, sum(s.opened)::bigint AS opened, sum(s.clicked)::bigint AS clicked, sum(s.replied)::bigint AS replied
        FROM slots s
        GROUP BY 1, 2
    )
    SELECT d.weekday, names[d.weekday], h.hour, leadanalytics.time_period(h.hour), n.sent, n.opened, n.clicked, n.replied,
           leadanalytics.percent(n.opened, n.sent), leadanalytics.engagement_score(n.sent, n.opened, n.clicked, n.replied)
    FROM generate_series(1, 7) AS d (weekday)
    CROSS JOIN generate_series(0, 23) AS h (hour)
    LEFT JOIN hours k ON k.weekday = d.weekday AND k.hour = h.hour
    CROSS JOIN LATERAL (SELECT coalesce(k.sent, 0) AS sent, coalesce(k.opened, 0) AS opened, coalesce(k.clicked, 0) AS clicked, coalesce(k.replied, 0) AS replied) AS n
    ORDER BY d.weekday, h.hour;
END
$$;
COMMENT ON FUNCTION leadanalytics.heatmap_hours(int, timestamptz, timestamptz, int[], text) IS 'leadanalytics.heatmap_rows() of who may ask, of some campaigns (null: all), in a zone that exists';

CREATE FUNCTION leadanalytics.heatmap_cells(workspace int, starts timestamptz, ends timestamptz, campaigns int[], zone text)
RETURNS TABLE (weekday int, day_of_week text, hour int, time_period text, emails_sent bigint, emails_opened bigint, emails_clicked bigint, emails_replied bigint,
               open_rate numeric, engagement_score numeric, best_hour int)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT c.weekday, c.day_of_week, c.hour, c.time_period, c.sent, c.opened, c.clicked, c.replied,
           leadanalytics.percent(c.opened, c.sent), leadanalytics.engagement_score(c.sent, c.opened, c.clicked, c.replied), c.best
    FROM (SELECT h.weekday, h.day_of_week, h.time_period, min(h.hour) AS hour, sum(h.emails_sent)::bigint AS sent, sum(h.emails_opened)::bigint AS opened,
                 sum(h.emails_clicked)::bigint AS clicked, sum(h.emails_replied)::bigint AS replied,
                 (array_agg(h.hour ORDER BY h.engagement_score DESC, h.emails_sent DESC, h.hour) FILTER (WHERE h.emails_sent > 0))[1] AS best
          FROM leadanalytics.heatmap_hours(heatmap_cells.workspace, starts, ends, campaigns, zone) h
          GROUP BY h.weekday, h.day_of_week, h.time_period) AS c
    ORDER BY c.weekday, c.hour;
END
$$;
COMMENT ON FUNCTION leadanalytics.heatmap_cells(int, timestamptz, timestamptz, int[], text) IS
    'leadanalytics.heatmap_hours() by part of the day: hour, its first; best_hour, that with the highest score (null: nothing was sent)';

CREATE FUNCTION leadanalytics.heatmap_rows(workspace int, starts timestamptz, ends timestamptz, campaign text DEFAULT NULL, timezone text DEFAULT NULL)
RETURNS TABLE (weekday int, day_of_week text, hour int, time_period text, emails_sent bigint, emails_opened bigint, emails_clicked bigint, emails_replied bigint,
               open_rate numeric, engagement_score numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(heatmap_rows.workspace);
BEGIN
    RETURN QUERY SELECT * FROM leadanalytics.heatmap_hours(
        allowed, starts, ends,
        CASE WHEN campaign IS NOT NULL THEN ARRAY[leadanalytics.campaign_number(allowed, campaign)] END,
        CASE WHEN timezone IS NOT NULL THEN leadanalytics.checked_timezone(timezone) ELSE (SELECT w.timezone FROM leadanalytics.workspace w WHERE w.id = allowed) END);
END
$$;
COMMENT ON FUNCTION leadanalytics.heatmap_rows(int, timestamptz, timestamptz, text, text) IS
    'messages sent in [starts, ends), by hour of the week (1: Monday) in a zone, by default the workspace''s, and what came of them whenever it came: all 168 hours; campaign: a key; LA404 CAMPAIGN_NOT_FOUND';
GRANT EXECUTE ON FUNCTION leadanalytics.heatmap_rows(int, timestamptz, timestamptz, text, text) TO leadanalytics_read;

-- All 28 cells, empty ones too: a map is drawn of all of a week, and what was never tried shows as such (the document's
-- example leaves cells out, as it does rows elsewhere).
CREATE FUNCTION leadanalytics.heatmap(workspace int, time_range text DEFAULT '30d', campaign text DEFAULT NULL, timezone text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(heatmap.workspace);
    enough CONSTANT bigint := current_setting('leadanalytics.heatmap_sends');
    campaigns int[];
    range record;
    zone text := (SELECT w.timezone FROM leadanalytics.workspace w WHERE w.id = allowed);
BEGIN
    BEGIN
        IF btrim(heatmap.timezone) <> '' THEN
            zone := leadanalytics.checked_timezone(btrim(heatmap.timezone));
        END IF;
    EXCEPTION WHEN invalid_parameter_value THEN
        PERFORM leadanalytics.fail(400, 'Invalid timezone', 'VALIDATION_ERROR');
    END;
    SELECT * INTO range FROM leadanalytics.campaign_period(heatmap.time_range, NULL, NULL, heatmap.now);
    IF heatmap.campaign <> '' THEN
        campaigns := ARRAY[leadanalytics.campaign_number(allowed, heatmap.campaign)];
    END IF;
    RETURN (
        WITH cells AS MATERIALIZED (
            SELECT * FROM leadanalytics.heatmap_cells(allowed, range.starts, range.ends, campaigns, zone)
        )
        SELECT json_build_object(
            'workspace_id', (SELECT w.slug FROM leadanalytics.workspace w WHERE w.id = allowed),
            'timezone', zone,
            'optimal_send_time', (
                SELECT json_build_object('day_of_week', c.day_of_week, 'hour', c.best_hour, 'engagement_score', c.engagement_score)
                FROM cells c WHERE c.emails_sent >= enough ORDER BY c.engagement_score DESC, c.emails_sent DESC, c.weekday, c.hour LIMIT 1),
            'heatmap', (
                SELECT json_agg(json_build_object('day_of_week', c.day_of_week, 'time_period', c.time_period, 'emails_sent', c.emails_sent, 'emails_opened', c.emails_opened,
                                                  'open_rate', c.open_rate, 'engagement_score', c.engagement_score) ORDER BY c.weekday, c.hour)
                FROM cells c)));
END
$$;
COMMENT ON FUNCTION leadanalytics.heatmap(int, text, text, text, timestamptz) IS
    'messages by weekday and part of the day they were sent, Monday first, and the best time to send: that with the highest score of those with leadanalytics.heatmap_sends messages, and its best hour; '
    'null: none has so many';
GRANT EXECUTE ON FUNCTION leadanalytics.heatmap(int, text, text, text, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, rate_class, from_fold, open_members, summary, example, builtin) VALUES
    ('GET', '/api/v1/workspaces/:workspaceId/analytics/engagement-heatmap', 'leadanalytics.heatmap', 'campaigns', '{tenant}', 'campaign_heatmap', true, '{optimal_send_time?}',
     'When mail that was sent is answered, by weekday and part of the day',
     '{"workspace_id": "ws_xyz789", "timezone": "America/New_York", "optimal_send_time": {"day_of_week": "Tuesday", "hour": 10, "engagement_score": 85.5}, '
     '"heatmap": [{"day_of_week": "Monday", "time_period": "office_hours", "emails_sent": 500, "emails_opened": 150, "open_rate": 30.0, "engagement_score": 75.5}, '
     '{"day_of_week": "Tuesday", "time_period": "office_hours", "emails_sent": 600, "emails_opened": 210, "open_rate": 35.0, "engagement_score": 85.5}]}', true);

INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, fallback, choices, position, example, summary)
SELECT 'GET', '/api/v1/workspaces/:workspaceId/analytics/engagement-heatmap', p.*
FROM (VALUES
    ('workspaceId', 'path', 'workspace_slug', 'workspace', false, NULL, NULL::text[], 0, 'acme', 'the workspace''s slug'),
    ('timeRange', 'query', 'time_range', 'text', false, '30d', '{30d,90d}', 1, '30d', 'today and that many days before, in UTC'),
    ('campaignId', 'query', 'campaign', 'text', false, NULL, NULL, 2, 'cmp_abc123', 'only of this campaign'),
    ('timezone', 'query', 'timezone', 'text', false, NULL, NULL, 3, 'America/New_York', 'of the hours (IANA); default: the workspace''s'))
    AS p (name, place, arg, type, required, fallback, choices, position, example, summary);
