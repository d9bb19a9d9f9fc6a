-- What people did with mail and on the web, in numbers: one function for whoever shows them.

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
               + leadanalytics.count_lead_submissions(allowed, starts, ends),
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
