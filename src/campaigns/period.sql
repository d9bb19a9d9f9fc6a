-- What the questions of this family have in common: ranges of days (D-02), campaigns by key, and the rates.

-- Thirty days are today and the thirty before (D-02).
CREATE FUNCTION leadanalytics.campaign_period(
    time_range text, start_date text, end_date text, now timestamptz, OUT starts timestamptz, OUT ends timestamptz, OUT last timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    today CONSTANT timestamptz := date_bin('1 day', now, '2000-01-01 00:00Z');
BEGIN
    IF coalesce(time_range, '30d') NOT IN ('7d', '30d', '90d', 'custom') THEN
        PERFORM leadanalytics.fail(400, 'Invalid timeRange', 'VALIDATION_ERROR');
    ELSIF time_range = 'custom' THEN
        IF coalesce(btrim(start_date), '') = '' OR coalesce(btrim(end_date), '') = '' THEN
            PERFORM leadanalytics.fail(400, 'startDate and endDate are required for a custom range', 'VALIDATION_ERROR');
        END IF;
        SELECT i.at INTO starts FROM leadanalytics.instant(start_date, 'UTC') i;
        SELECT i.after, CASE WHEN i.after - i.at = interval '1 day' THEN i.after - interval '1 second' ELSE i.at END INTO ends, last
        FROM leadanalytics.instant(end_date, 'UTC') i;
        IF starts IS NULL OR ends IS NULL THEN
            PERFORM leadanalytics.fail(400, CASE WHEN starts IS NULL THEN 'Invalid startDate' ELSE 'Invalid endDate' END, 'VALIDATION_ERROR');
        ELSIF starts >= last THEN
            PERFORM leadanalytics.fail(400, 'Start date must be before end date', 'INVALID_TIME_RANGE');
        END IF;
    ELSE
        -- Days of UTC have 24 hours; those that PostgreSQL adds are the session's zone's.
        starts := today - interval '24 hours' * CASE time_range WHEN '7d' THEN 7 WHEN '90d' THEN 90 ELSE 30 END;
        ends := today + interval '24 hours';
        last := ends - interval '1 second';
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.campaign_period(text, text, text, timestamptz) IS
    'a range of the campaigns family: 7d, 30d or 90d (today and that many days before, in UTC) or custom (both ends inclusive, a date is its whole day): [starts, ends), and the end as answers say it; '
    'LA400: INVALID_TIME_RANGE "Start date must be before end date", VALIDATION_ERROR';

CREATE FUNCTION leadanalytics.campaign_period_json(
    time_range json, now timestamptz, OUT starts timestamptz, OUT ends timestamptz, OUT last timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    type CONSTANT text := coalesce(json_typeof(time_range), 'null');
    bound text;
BEGIN
    IF type = 'object' THEN
        FOREACH bound IN ARRAY '{start,end}'::text[] LOOP
            IF coalesce(json_typeof(time_range -> bound), 'null') = 'null' OR btrim(time_range ->> bound) = '' THEN
                PERFORM leadanalytics.fail(400, format('time_range.%s is required', bound), 'VALIDATION_ERROR');
            ELSIF json_typeof(time_range -> bound) <> 'string' OR NOT EXISTS (SELECT FROM leadanalytics.instant(time_range ->> bound, 'UTC') i WHERE i.at IS NOT NULL) THEN
                PERFORM leadanalytics.fail(400, format('Invalid time_range.%s', bound), 'VALIDATION_ERROR');
            END IF;
        END LOOP;
        SELECT p.* INTO starts, ends, last FROM leadanalytics.campaign_period('custom', time_range ->> 'start', time_range ->> 'end', now) p;
    ELSIF type = 'null' OR (type = 'string' AND time_range #>> '{}' IN ('7d', '30d', '90d')) THEN
        SELECT p.* INTO starts, ends, last FROM leadanalytics.campaign_period(coalesce(time_range #>> '{}', '30d'), NULL, NULL, now) p;
    ELSE
        PERFORM leadanalytics.fail(400, 'time_range must be one of 7d, 30d, 90d or an object with start and end', 'VALIDATION_ERROR');
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.campaign_period_json(json, timestamptz) IS
    'leadanalytics.campaign_period() of a body''s time_range: 7d, 30d (none is that) or 90d, or {"start", "end"}; LA400: INVALID_TIME_RANGE, VALIDATION_ERROR';

CREATE FUNCTION leadanalytics.time_range_json(starts timestamptz, last timestamptz, period text DEFAULT NULL)
RETURNS json LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN period IS NULL THEN json_build_object('start', leadanalytics.utc_seconds(starts), 'end', leadanalytics.utc_seconds(last))
                ELSE json_build_object('start', leadanalytics.utc_seconds(starts), 'end', leadanalytics.utc_seconds(last), 'period', period) END
$$;
COMMENT ON FUNCTION leadanalytics.time_range_json(timestamptz, timestamptz, text) IS 'a range as answers of the campaigns family say it';

CREATE FUNCTION leadanalytics.fail_unknown(workspace int, what text, id text)
RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM leadanalytics.fail(404, format('%s with ID %s not found in workspace %s', what, id,
        (SELECT w.slug FROM leadanalytics.workspace w WHERE w.id = fail_unknown.workspace)), upper(what) || '_NOT_FOUND');
END
$$;
COMMENT ON FUNCTION leadanalytics.fail_unknown(int, text, text) IS 'LA404 CAMPAIGN_NOT_FOUND, DOMAIN_NOT_FOUND, EXPORT_NOT_FOUND: "Campaign with ID … not found in workspace …"';

CREATE FUNCTION leadanalytics.campaign_number(workspace int, campaign text)
RETURNS int LANGUAGE plpgsql STABLE AS $$
DECLARE
    number CONSTANT int := (SELECT c.id FROM leadanalytics.campaign c WHERE c.workspace = campaign_number.workspace AND c.key = campaign_number.campaign);
BEGIN
    IF number IS NULL THEN
        PERFORM leadanalytics.fail_unknown(workspace, 'Campaign', campaign);
    END IF;
    RETURN number;
END
$$;
COMMENT ON FUNCTION leadanalytics.campaign_number(int, text) IS 'the number of a campaign; LA404 CAMPAIGN_NOT_FOUND';

CREATE FUNCTION leadanalytics.is_active_campaign(status text, sent bigint)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(status IN ('active', 'sending'), sent > 0)
$$;
COMMENT ON FUNCTION leadanalytics.is_active_campaign(text, bigint) IS 'whether a campaign is active: by its status, and where none was told by what it sent (D-47)';

-- Opens of earlier sends may lie in a short range: no rate is more than all (D-42).
CREATE FUNCTION leadanalytics.percent(part numeric, whole numeric)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT least(100, leadanalytics.ratio(part * 100, whole))
$$;
COMMENT ON FUNCTION leadanalytics.percent(numeric, numeric) IS 'a rate in per cent, two decimals, at most 100; 0 where the whole is';

-- The eight rates and their bases (D-40): how mail travelled is a part of what was sent, what people did with it of what
-- was delivered, and clicks once more of what was opened. Where mail ended (deliverability) and when to send it
-- (heatmap) have no others: what they show is of sent, and they say so themselves.
CREATE FUNCTION leadanalytics.rate_parts(
    sent numeric, delivered numeric, bounced numeric, opened numeric, clicked numeric, replied numeric, complained numeric, unsubscribed numeric)
RETURNS TABLE (metric text, part numeric, basis text, whole numeric) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES ('delivery_rate', delivered, 'sent', sent),
           ('open_rate', opened, 'delivered', delivered),
           ('click_rate', clicked, 'delivered', delivered),
           ('click_to_open_rate', clicked, 'opened', opened),
           ('reply_rate', replied, 'delivered', delivered),
           ('bounce_rate', bounced, 'sent', sent),
           ('spam_rate', complained, 'delivered', delivered),
           ('unsubscribe_rate', unsubscribed, 'delivered', delivered)
$$;
COMMENT ON FUNCTION leadanalytics.rate_parts(numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
    'the eight rates of so many messages, in the documents'' order: what each is a part of, and both numbers';
GRANT EXECUTE ON FUNCTION leadanalytics.rate_parts(numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.rate_basis(metric text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT p.basis FROM leadanalytics.rate_parts(0, 0, 0, 0, 0, 0, 0, 0) p WHERE p.metric = rate_basis.metric
$$;
COMMENT ON FUNCTION leadanalytics.rate_basis(text) IS 'what a rate of campaigns is a part of: messages sent, delivered or opened; null: there is no such rate';
GRANT EXECUTE ON FUNCTION leadanalytics.rate_basis(text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.campaign_rates(
    sent numeric, delivered numeric, bounced numeric, opened numeric, clicked numeric, replied numeric, complained numeric, unsubscribed numeric)
RETURNS TABLE (delivery_rate numeric, open_rate numeric, click_rate numeric, click_to_open_rate numeric, reply_rate numeric, bounce_rate numeric,
               spam_rate numeric, unsubscribe_rate numeric)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1 AS $$
    SELECT r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8]
    FROM (SELECT ARRAY(SELECT leadanalytics.percent(p.part, p.whole)
                       FROM leadanalytics.rate_parts(sent, delivered, bounced, opened, clicked, replied, complained, unsubscribed) p) AS r
          OFFSET 0) AS rates -- else all eight are worked out for each of them
$$;
COMMENT ON FUNCTION leadanalytics.campaign_rates(numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
    'the eight rates of so many messages, in per cent, two decimals, 0 to 100';
GRANT EXECUTE ON FUNCTION leadanalytics.campaign_rates(numeric, numeric, numeric, numeric, numeric, numeric, numeric, numeric) TO leadanalytics_read;
