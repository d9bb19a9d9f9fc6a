-- What the questions of the engagement family have in common, whichever room answers: what is wrong with a request (422),
-- ranges of time, pages of lists.

CREATE FUNCTION leadanalytics.fail_field(field text, message text)
RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM leadanalytics.fail(422, 'Validation failed', errors => json_build_array(json_build_object('field', field, 'message', message)));
END
$$;
COMMENT ON FUNCTION leadanalytics.fail_field(text, text) IS 'LA422 "Validation failed" with one error, of a field of the request';

CREATE FUNCTION leadanalytics.check_engagement_time(field text, at timestamptz, now timestamptz)
RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF at > now + interval '24 hours' OR at < '2000-01-01 00:00Z' THEN
        PERFORM leadanalytics.fail_field(field, CASE WHEN at > now THEN 'Must not be more than 24 hours ahead' ELSE 'Must not be before 2000' END);
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.check_engagement_time(text, timestamptz, timestamptz) IS 'LA422 unless a time that was told lies from 2000 to a day ahead of now (D-30); null is none';

-- Thirty whole days (UTC) when nothing is said; a date that ends a range is all its day (D-03).
CREATE FUNCTION leadanalytics.engagement_period("from" text, "to" text, now timestamptz, OUT starts timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF coalesce(btrim("to"), '') = '' THEN
        ends := date_bin('24 hours', now, '2000-01-01 00:00Z') + interval '24 hours';
    ELSE
        SELECT i.after INTO ends FROM leadanalytics.instant("to", 'UTC') i;
    END IF;
    IF coalesce(btrim("from"), '') = '' THEN
        starts := ends - interval '24 hours' * 30;
    ELSE
        SELECT i.at INTO starts FROM leadanalytics.instant("from", 'UTC') i;
    END IF;
    IF starts IS NULL AND ends IS NOT NULL THEN
        PERFORM leadanalytics.fail_field('from', 'Must be a date or time in ISO 8601');
    ELSIF ends IS NULL THEN
        PERFORM leadanalytics.fail_field('to', 'Must be a date or time in ISO 8601');
    ELSIF starts >= ends THEN
        PERFORM leadanalytics.fail_field('from', 'Must not be after to');
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_period(text, text, timestamptz) IS
    'a range of the engagement family as [starts, ends): from and to are ISO 8601 (UTC where they name no offset), both inclusive; without to until the end of today (UTC), without from 30 days; LA422';

CREATE FUNCTION leadanalytics.engagement_page(total bigint, page int, "limit" int)
RETURNS json LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT json_build_object('page', page, 'limit', "limit", 'total', total, 'totalPages', (total + "limit" - 1) / "limit",
                             'hasNext', page::bigint * "limit" < total, 'hasPrev', page > 1 AND total > 0)
$$;
COMMENT ON FUNCTION leadanalytics.engagement_page(bigint, int, int) IS 'where a page of a list is (S2-02)';

-- Parameters that routes of this family have in common, each with one meaning.
CREATE FUNCTION leadanalytics.engagement_takes(method text, path text, VARIADIC names text[])
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, min, max, fallback, choices, position, example, summary)
    SELECT engagement_takes.method, engagement_takes.path, ltrim(p.name, ':'), p.place, p.arg, p.type, p.place = 'path', p.min, p.max, p.fallback, p.choices, n.position, p.example, p.summary
    FROM unnest(names) WITH ORDINALITY AS n (name, position)
    JOIN (VALUES
        ('from', 'query', 'from', 'text', NULL::bigint, NULL::bigint, NULL, NULL::text[], '2026-02-01', 'ISO 8601, in UTC without an offset; default: 30 days before to'),
        ('to', 'query', 'to', 'text', NULL, NULL, NULL, NULL, '2026-02-28', 'ISO 8601, inclusive, a date all its day; default: today'),
        ('page', 'query', 'page', 'int', 1, 1000000, '1', NULL, '1', 'which page of the list'),
        ('limit', 'query', 'limit', 'int', 1, 100, '20', NULL, '20', 'how many a page has'),
        ('groupBy', 'query', 'group_by', 'text', NULL, NULL, 'day', '{day,week,month}', 'day', 'how long the pieces of the series are: UTC days, ISO weeks, months'),
        ('leadId', 'query', 'lead_id', 'text', 1, 128, NULL, NULL, '6789abcdef012345', 'only of this lead'),
        (':leadId', 'path', 'lead_id', 'text', 1, 128, NULL, NULL, '6789abcdef012345', 'your id of the lead, or the number of one that came by a form'),
        ('messageId', 'query', 'message_id', 'text', 1, 128, NULL, NULL, 'msg_001', 'only of this message'),
        ('workflowExecutionId', 'query', 'workflow_execution_id', 'text', 1, 128, NULL, NULL, 'exec_001', 'only of this run of a workflow')
    ) AS p (name, place, arg, type, min, max, fallback, choices, example, summary) ON p.name = n.name;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_takes(text, text, text[]) IS
    'a route takes these of the family''s common parameters, in this order: from, to, page, limit, groupBy, leadId (:leadId in the path), messageId, workflowExecutionId; for a room''s SQL';
