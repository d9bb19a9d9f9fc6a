-- Which days a run is about. A period moves with the run: last_week of a report that runs every Monday is another week
-- each time. Its days are those of a zone, whole ones, and a run for a due time is about what was the period then,
-- however late it comes.

CREATE FUNCTION leadanalytics.report_periods()
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '{today,yesterday,last_7_days,last_30_days,last_90_days,this_week,last_week,this_month,last_month}'::text[]
$$;
COMMENT ON FUNCTION leadanalytics.report_periods() IS 'the periods a report can have';

CREATE FUNCTION leadanalytics.report_period(period text, today date, OUT first date, OUT last date)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE period
               WHEN 'today' THEN today WHEN 'yesterday' THEN today - 1
               WHEN 'last_7_days' THEN today - 7 WHEN 'last_30_days' THEN today - 30 WHEN 'last_90_days' THEN today - 90
               WHEN 'this_week' THEN date_trunc('week', today::timestamp)::date WHEN 'last_week' THEN date_trunc('week', today::timestamp)::date - 7
               WHEN 'this_month' THEN date_trunc('month', today::timestamp)::date
               WHEN 'last_month' THEN (date_trunc('month', today::timestamp) - interval '1 month')::date END,
           CASE WHEN period IN ('today', 'this_week', 'this_month') THEN today
                WHEN period = 'last_week' THEN date_trunc('week', today::timestamp)::date - 1
                WHEN period = 'last_month' THEN date_trunc('month', today::timestamp)::date - 1
                WHEN period = ANY (leadanalytics.report_periods()) THEN today - 1 END
$$;
COMMENT ON FUNCTION leadanalytics.report_period(text, date) IS
    'first and last day of a period, both inclusive: last_… are whole days, ISO weeks and months that are over, this_… go until today; nulls: it is none';

-- A question has its range in one of these ways; the last counts days back from now.
CREATE FUNCTION leadanalytics.report_range(path text)
RETURNS text[] LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT k.names
    FROM (VALUES (1, '{from,to}'::text[]), (2, '{start_date,end_date}'), (3, '{startDate,endDate,timeRange}'), (4, '{date_from,date_to,period}'), (5, '{days}')) AS k (place, names)
    WHERE k.names <@ ARRAY(SELECT p.name FROM leadanalytics.route_param p WHERE p.method = 'GET' AND p.path = report_range.path AND p.place = 'query')
    ORDER BY k.place LIMIT 1
$$;
COMMENT ON FUNCTION leadanalytics.report_range(text) IS 'the parameters by which a question is told its range; null: it has none';
GRANT EXECUTE ON FUNCTION leadanalytics.report_range(text) TO leadanalytics_admin; -- a view asks as its reader

-- Times are written in UTC and to the second, which every family understands: what is after the last day begins a
-- second later. A question that counts days counts those of UTC: it gets the period's dates as such, and a now at
-- their end.
CREATE FUNCTION leadanalytics.report_range_values(path text, period text, zone text, now timestamptz, OUT parameters jsonb, OUT as_of timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    names CONSTANT text[] := leadanalytics.report_range(path);
    day record;
    most int;
BEGIN
    parameters := '{}';
    as_of := now;
    IF period IS NULL THEN
        RETURN;
    ELSIF names IS NULL THEN
        PERFORM leadanalytics.fail_field('period', 'This report has no range of time');
    END IF;
    SELECT * INTO day FROM leadanalytics.report_period(period, (now AT TIME ZONE zone)::date);
    IF names = '{days}' THEN
        as_of := least(now, (day.last + 1)::timestamp AT TIME ZONE 'UTC' - interval '1 microsecond');
        parameters := jsonb_build_object('days', greatest((as_of AT TIME ZONE 'UTC')::date - day.first + 1, 1));
        SELECT p.max INTO most FROM leadanalytics.route_param p WHERE p.method = 'GET' AND p.path = report_range_values.path AND p.name = 'days';
        IF (parameters ->> 'days')::int > most THEN
            PERFORM leadanalytics.fail_field('period', format('This report has %s days at most', most));
        END IF;
        RETURN;
    END IF;
    parameters := jsonb_build_object(names[1], leadanalytics.utc_seconds(day.first::timestamp AT TIME ZONE zone),
                                     names[2], leadanalytics.utc_seconds((day.last + 1)::timestamp AT TIME ZONE zone - interval '1 second'));
    IF names[3] IS NOT NULL THEN
        parameters := parameters || jsonb_build_object(names[3], CASE names[3] WHEN 'period' THEN 'range' ELSE 'custom' END);
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.report_range_values(text, text, text, timestamptz) IS
    'the parameters that tell a question a period as it is at that time in a zone, and the time the question is asked for; LA422 when it cannot be told';

CREATE FUNCTION leadanalytics.period_text(period text, zone text, now timestamptz)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN d.first = d.last THEN to_char(d.first, 'YYYY-MM-DD') ELSE to_char(d.first, 'YYYY-MM-DD') || ' – ' || to_char(d.last, 'YYYY-MM-DD') END
    FROM leadanalytics.report_period(period, (now AT TIME ZONE zone)::date) d
$$;
COMMENT ON FUNCTION leadanalytics.period_text(text, text, timestamptz) IS 'the days of a period for people; null: it is none';
