-- What people did with mail and on the web, in numbers: one function for whoever shows them.

-- Posts of forms: whole days as they were counted when they were written, ragged ends from the rows.
CREATE FUNCTION leadanalytics.form_posts(workspace int, starts timestamptz, ends timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE SET jit = off AS $$
DECLARE
    is_exact CONSTANT boolean := current_setting('leadanalytics.exact');
    day CONSTANT interval := '24 hours';
    origin CONSTANT timestamptz := '2000-01-01 00:00Z';
    last_day CONSTANT timestamptz := CASE WHEN is_exact THEN starts ELSE date_bin(day, ends, origin) END;
    first_day CONSTANT timestamptz := CASE WHEN is_exact THEN starts ELSE least(date_bin(day, starts + day - interval '1 microsecond', origin), greatest(last_day, starts)) END;
BEGIN
    RETURN coalesce((SELECT sum(t.n) FROM leadanalytics.lead_submission_tally t
                     WHERE t.workspace = form_posts.workspace AND t.day >= (first_day AT TIME ZONE 'UTC')::date AND t.day < (last_day AT TIME ZONE 'UTC')::date AND first_day < last_day), 0)
           + (SELECT count(*) FROM leadanalytics.lead_submission s
              WHERE s.workspace = form_posts.workspace AND s.submitted_at >= starts AND s.submitted_at < least(first_day, ends))
           + (SELECT count(*) FROM leadanalytics.lead_submission s
              WHERE s.workspace = form_posts.workspace AND s.submitted_at >= greatest(last_day, first_day) AND s.submitted_at < ends);
END
$$;
COMMENT ON FUNCTION leadanalytics.form_posts(int, timestamptz, timestamptz) IS 'how many forms of leads were posted from starts until before ends: for functions that asked who calls';

-- Mail: messages with a fact, dated by the fact (D-42), machines left out. Rates are of those sent that did not bounce.
CREATE FUNCTION leadanalytics.engagement_numbers(workspace int, starts timestamptz, ends timestamptz)
RETURNS TABLE (emails_sent bigint, bounces bigint, opens bigint, clicks bigint, replies bigint, open_rate numeric, click_rate numeric, reply_rate numeric,
               form_submissions bigint, page_visits bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(engagement_numbers.workspace);
    range CONSTANT timestamptz[] := ARRAY[starts, ends];
BEGIN
    RETURN QUERY
    SELECT m.sent, m.bounced, m.opened, m.clicked, m.replied,
           leadanalytics.percent(m.opened, m.arrived), leadanalytics.percent(m.clicked, m.arrived), leadanalytics.percent(m.replied, m.arrived),
           (SELECT coalesce(sum(a.counts[1]), 0)::bigint FROM leadanalytics.answer(allowed, '{event_name}', range, uniques => false, only_values => '{form_submission}') a
            WHERE starts < ends)
               + leadanalytics.form_posts(allowed, starts, ends),
           (SELECT coalesce(sum(a.counts[2]), 0)::bigint FROM leadanalytics.answer(allowed, '{total}', range, uniques => false) a WHERE starts < ends)
    FROM (SELECT s.*, greatest(s.sent - s.bounced, 0) AS arrived
          FROM (SELECT coalesce(sum(t.sent), 0)::bigint AS sent, coalesce(sum(t.hard + t.soft), 0)::bigint AS bounced, coalesce(sum(t.opened), 0)::bigint AS opened,
                       coalesce(sum(t.clicked), 0)::bigint AS clicked, coalesce(sum(t.replied), 0)::bigint AS replied
                FROM leadanalytics.message_tallies(allowed, 'd', starts, ends) t) AS s) AS m;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_numbers(int, timestamptz, timestamptz) IS
    'one row: messages sent, bounced, opened, clicked, replied to from starts until before ends, three rates (of those sent that did not bounce, at most 100), '
    'submissions of forms (events of that name and posts of leads'' forms), page views';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_numbers(int, timestamptz, timestamptz) TO leadanalytics_read;
