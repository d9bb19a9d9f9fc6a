-- The report on leads (S2-07): the rows of leadanalytics.lead_counts_rows() as JSON, or as a file of CSV.

CREATE FUNCTION leadanalytics.lead_report(
    workspace int, "from" text DEFAULT NULL, "to" text DEFAULT NULL, group_by text DEFAULT 'day', format text DEFAULT 'json', now timestamptz DEFAULT now())
RETURNS leadanalytics.reply LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(lead_report.workspace);
    asked CONSTANT record := leadanalytics.engagement_series_period("from", "to", coalesce(group_by, 'day'), lead_report.now);
    records CONSTANT json[] := ARRAY(
        SELECT json_build_object('date', r.date, 'leads', r.leads, 'contacted', r.contacted, 'qualified', r.qualified, 'converted', r.converted, 'lost', r.lost, 'conversionRate', r.conversion_rate)
        FROM leadanalytics.lead_counts_rows(allowed, asked.starts, asked.ends, coalesce(group_by, 'day')) WITH ORDINALITY
            AS r (date, leads, new, contacted, qualified, unqualified, converted, lost, conversion_rate, place)
        ORDER BY r.place);
BEGIN
    IF format = 'csv' THEN
        RETURN leadanalytics.reply(200, '{"Content-Disposition": "attachment; filename=\"leads.csv\""}', 'text/csv; charset=utf-8',
            convert_to((SELECT leadanalytics.csv_line(records[1], header => true) || string_agg(leadanalytics.csv_line(r.record), '' ORDER BY r.place)
                        FROM unnest(records) WITH ORDINALITY AS r (record, place)), 'UTF8'));
    END IF;
    RETURN leadanalytics.reply(NULL, body => convert_to(array_to_json(records)::text, 'UTF8'));
END
$$;
COMMENT ON FUNCTION leadanalytics.lead_report(int, text, text, text, text, timestamptz) IS
    'leads of a range by day, week or month, with their statuses and how many of a hundred are converted, as JSON or as a file of CSV; LA422';
GRANT EXECUTE ON FUNCTION leadanalytics.lead_report(int, text, text, text, text, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, message, summary, example, builtin) VALUES
    ('GET', '/v1/reports/leads', 'leadanalytics.lead_report', 'engagement', '{live,sandbox}', 'Report generated', 'Leads of a range by day, week or month, as JSON or CSV',
     '[{"date": "2026-02-09", "leads": 7, "contacted": 2, "qualified": 1, "converted": 1, "lost": 0, "conversionRate": 14.29}]', true);
SELECT leadanalytics.engagement_takes('GET', '/v1/reports/leads', 'from', 'to', 'groupBy');
INSERT INTO leadanalytics.route_param (method, path, name, arg, fallback, choices, position, example, summary) VALUES
    ('GET', '/v1/reports/leads', 'format', 'format', 'json', '{json,csv}', 4, 'json', 'csv: a file with a line for each row');
