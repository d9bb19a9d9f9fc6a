-- Lists of events (S2-09, S2-11, S2-12).
--
-- A form submission is a web event of that name or a post of a lead, a page visit is a page view whatever its name, both not
-- a robot's; the others are what was said of mails, machines' opens and clicks too: a list shows what came.
--
-- Everything is of four ordered runs (mails, page views, form submissions, posts), which are merged by
-- leadanalytics.engagement_place: that order is total, and an event never moves in it. A page is found there, and only
-- what it shows is looked up.

CREATE FUNCTION leadanalytics.count_engagement(workspace int, starts timestamptz, ends timestamptz, types text[], now timestamptz)
RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    since CONSTANT timestamptz := greatest(starts, leadanalytics.rows_since(workspace)); -- of what is gone there is nothing to list
    kinds CONSTANT "char"[] := leadanalytics.message_kinds(types);
    n bigint := 0;
BEGIN
    IF types && '{page_visit,form_submission}' AND since < ends THEN
        IF 'page_visit' = ANY (types) THEN
            n := n + coalesce((SELECT sum(a.counts[2]) FROM leadanalytics.answer(workspace, '{total}', ARRAY[since, ends], now, false, false) a), 0);
        END IF;
        IF 'form_submission' = ANY (types) THEN
            n := n + coalesce((SELECT sum(a.counts[1]) FROM leadanalytics.answer(workspace, '{event_name}', ARRAY[since, ends], now, false, false, only_values => '{form_submission}') a), 0);
        END IF;
    END IF;
    IF 'form_submission' = ANY (types) THEN
        n := n + leadanalytics.count_lead_submissions(workspace, starts, ends);
    END IF;
    IF cardinality(kinds) > 0 THEN
        n := n + coalesce((SELECT sum(c.n) FROM leadanalytics.message_event_counts(workspace, starts, ends) c WHERE c.kind = ANY (kinds)), 0);
    END IF;
    RETURN n;
END
$$;
COMMENT ON FUNCTION leadanalytics.count_engagement(int, timestamptz, timestamptz, text[], timestamptz) IS
    'how many events of these types there are from starts until before ends: for functions that asked who calls';

-- The newest of all. What is not asked for is not read.
CREATE FUNCTION leadanalytics.newest_engagement(workspace int, starts timestamptz, ends timestamptz, types text[], most bigint)
RETURNS SETOF leadanalytics.engagement_place LANGUAGE plpgsql STABLE SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    kinds CONSTANT "char"[] := leadanalytics.message_kinds(types);
    form CONSTANT int := leadanalytics.text_term(workspace, 'form_submission');
BEGIN
    RETURN QUERY
    SELECT p.at, p.origin, p.number, coalesce(t.type, p.type)
    FROM ((SELECT e.at, 'm'::"char" AS origin, e.id AS number, e.kind, NULL AS type
           FROM leadanalytics.message_event e
           WHERE cardinality(kinds) > 0 AND e.workspace = newest_engagement.workspace AND e.at >= starts AND e.at < ends AND e.kind = ANY (kinds)
           ORDER BY e.at DESC, e.id DESC LIMIT most)
          UNION ALL
          (SELECT e.at, 'w', e.id, NULL, 'page_visit'
           FROM leadanalytics.event e
           WHERE 'page_visit' = ANY (types) AND e.workspace = newest_engagement.workspace AND e.at >= starts AND e.at < ends AND e.kind = 'p' AND NOT e.is_bot
           ORDER BY e.at DESC, e.id DESC LIMIT most)
          UNION ALL
          (SELECT e.at, 'w', e.id, NULL, 'form_submission'
           FROM leadanalytics.event e
           WHERE 'form_submission' = ANY (types) AND e.workspace = newest_engagement.workspace AND e.name = form AND e.kind = 'c' AND e.at >= starts AND e.at < ends AND NOT e.is_bot
           ORDER BY e.at DESC, e.id DESC LIMIT most)
          UNION ALL
          (SELECT s.submitted_at, 'f', s.id, NULL, 'form_submission'
           FROM leadanalytics.lead_submission s
           WHERE 'form_submission' = ANY (types) AND s.workspace = newest_engagement.workspace AND s.submitted_at >= starts AND s.submitted_at < ends
           ORDER BY s.submitted_at DESC, s.id DESC LIMIT most)) AS p
    LEFT JOIN leadanalytics.engagement_types() t ON t.kind = p.kind
    ORDER BY p.at DESC, p.origin, p.number DESC LIMIT most;
END
$$;
COMMENT ON FUNCTION leadanalytics.newest_engagement(int, timestamptz, timestamptz, text[], bigint) IS
    'events of these types from starts until before ends, the newest so many (null: all): for functions that asked who calls';

-- Of a lead, a message, a workflow's run: few, and found by that.
CREATE FUNCTION leadanalytics.engagement_of(
    workspace int, starts timestamptz, ends timestamptz, types text[], lead_id text, message_id text, workflow_execution_id text)
RETURNS SETOF leadanalytics.engagement_place LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    kinds CONSTANT "char"[] := leadanalytics.message_kinds(types);
    form CONSTANT int := leadanalytics.text_term(workspace, 'form_submission');
    messages bigint[];
    numbers int[];
BEGIN
    IF cardinality(kinds) > 0 THEN
        messages := CASE
            WHEN message_id IS NOT NULL THEN ARRAY(SELECT m.id FROM leadanalytics.message m WHERE m.workspace = engagement_of.workspace AND m.key = message_id AND m.key !~ '^ ')
            WHEN workflow_execution_id IS NOT NULL THEN ARRAY(SELECT m.id FROM leadanalytics.message m WHERE m.workspace = engagement_of.workspace AND m.workflow = workflow_execution_id)
            ELSE ARRAY(SELECT m.id FROM leadanalytics.message m WHERE m.workspace = engagement_of.workspace AND m.lead = lead_id) END;
        RETURN QUERY
        SELECT e.at, 'm'::"char", e.id, t.type
        FROM unnest(messages) AS u (id)
        CROSS JOIN LATERAL (SELECT n.lead, n.workflow FROM leadanalytics.message n WHERE n.workspace = engagement_of.workspace AND n.id = u.id OFFSET 0) AS m
        CROSS JOIN LATERAL (SELECT f.kind, f.at, f.id FROM leadanalytics.message_event f WHERE f.message = u.id AND f.at >= starts AND f.at < ends OFFSET 0) AS e
        JOIN leadanalytics.engagement_types() t ON t.kind = e.kind
        WHERE e.kind = ANY (kinds) AND (engagement_of.lead_id IS NULL OR m.lead = engagement_of.lead_id)
              AND (engagement_of.workflow_execution_id IS NULL OR m.workflow = engagement_of.workflow_execution_id);
    END IF;
    IF NOT (types && '{page_visit,form_submission}') THEN
        RETURN;
    END IF;
    IF lead_id IS NULL THEN
        RETURN QUERY
        SELECT e.at, 'w'::"char", e.id, CASE e.kind WHEN 'p' THEN 'page_visit' ELSE 'form_submission' END
        FROM leadanalytics.event e
        WHERE message_id IS NOT NULL AND e.workspace = engagement_of.workspace AND left(e.data ->> 'message_id', 128) = message_id AND e.at >= starts AND e.at < ends
              AND (engagement_of.workflow_execution_id IS NULL OR left(e.data ->> 'workflow_execution_id', 128) = engagement_of.workflow_execution_id)
              AND NOT e.is_bot AND (e.kind = 'p' AND 'page_visit' = ANY (types) OR e.name = form AND 'form_submission' = ANY (types))
        UNION ALL
        SELECT e.at, 'w', e.id, CASE e.kind WHEN 'p' THEN 'page_visit' ELSE 'form_submission' END
        FROM leadanalytics.event e
        WHERE message_id IS NULL AND e.workspace = engagement_of.workspace AND left(e.data ->> 'workflow_execution_id', 128) = workflow_execution_id AND e.at >= starts AND e.at < ends
              AND NOT e.is_bot AND (e.kind = 'p' AND 'page_visit' = ANY (types) OR e.name = form AND 'form_submission' = ANY (types));
        RETURN;
    END IF;
    numbers := leadanalytics.lead_numbers(workspace, lead_id);
    RETURN QUERY
    WITH place AS MATERIALIZED ( -- in the index of what somebody did
        SELECT s.number FROM leadanalytics.session s WHERE s.workspace = engagement_of.workspace AND s.visitor = ANY (numbers) AND s.events > 0
        UNION SELECT g.session FROM leadanalytics.guest g WHERE g.workspace = engagement_of.workspace AND g.number = ANY (numbers)
        UNION SELECT -n.number FROM unnest(numbers) AS n (number)
    )
    SELECT e.at, 'w'::"char", e.id, CASE e.kind WHEN 'p' THEN 'page_visit' ELSE 'form_submission' END
    FROM place p
    CROSS JOIN LATERAL (SELECT f.* FROM leadanalytics.event f
                        WHERE coalesce(f.session, -coalesce(f.visitor, f.person)) = p.number AND f.workspace = engagement_of.workspace AND f.at >= starts AND f.at < ends OFFSET 0) AS e
    WHERE coalesce(e.visitor, e.person) = ANY (numbers) AND NOT e.is_bot
          AND (e.kind = 'p' AND 'page_visit' = ANY (types) OR e.name = form AND 'form_submission' = ANY (types))
          AND (engagement_of.message_id IS NULL OR left(e.data ->> 'message_id', 128) = engagement_of.message_id)
          AND (engagement_of.workflow_execution_id IS NULL OR left(e.data ->> 'workflow_execution_id', 128) = engagement_of.workflow_execution_id)
    UNION ALL
    SELECT s.submitted_at, 'f', s.id, 'form_submission'
    FROM leadanalytics.lead_submission s
    WHERE 'form_submission' = ANY (types) AND coalesce(engagement_of.message_id, engagement_of.workflow_execution_id) IS NULL
          AND s.workspace = engagement_of.workspace AND s.lead = (SELECT leadanalytics.find_engagement_lead(engagement_of.workspace, engagement_of.lead_id))
          AND s.submitted_at >= starts AND s.submitted_at < ends;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_of(int, timestamptz, timestamptz, text[], text, text, text) IS
    'events of these types from starts until before ends of a lead (with all that its visitors and its person did), a message, a workflow''s run: for functions that asked who calls';

-- The other way round of leadanalytics.lead_numbers(), of many at once.
CREATE FUNCTION leadanalytics.leads_of_numbers(workspace int, numbers int[])
RETURNS TABLE (number int, lead text) LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH known AS MATERIALIZED (
        SELECT p.owner, p.number FROM leadanalytics.person_numbers(leads_of_numbers.workspace, leads_of_numbers.numbers) p
    ), one AS MATERIALIZED (
        SELECT k.owner, k.number FROM known k
        UNION SELECT n.number, n.number FROM unnest(leads_of_numbers.numbers) AS n (number) WHERE n.number IS NOT NULL AND NOT EXISTS (SELECT FROM known k WHERE k.number = n.number)
    ), name AS MATERIALIZED ( -- a visitor id comes before a user id
        SELECT o.owner, v.id FROM one o
        CROSS JOIN LATERAL (SELECT w.visitor_id AS id FROM leadanalytics.visitor w WHERE w.workspace = leads_of_numbers.workspace AND w.number = o.number OFFSET 0) AS v
        UNION ALL
        SELECT o.owner, p.id FROM one o
        CROSS JOIN LATERAL (SELECT q.user_id AS id FROM leadanalytics.person q WHERE q.workspace = leads_of_numbers.workspace AND q.number = o.number OFFSET 0) AS p
        WHERE NOT EXISTS (SELECT FROM leadanalytics.visitor w WHERE w.workspace = leads_of_numbers.workspace AND w.visitor_id = p.id OFFSET 0)
    ), found AS MATERIALIZED (
        SELECT n.owner, leadanalytics.find_engagement_lead(leads_of_numbers.workspace, n.id) AS id FROM name n
        UNION SELECT n.owner, l.id FROM name n
        CROSS JOIN LATERAL (SELECT m.id FROM leadanalytics.lead m WHERE m.workspace = leads_of_numbers.workspace AND m.visitor_id = n.id OFFSET 0) AS l
        UNION SELECT n.owner, s.lead FROM name n
        CROSS JOIN LATERAL (SELECT u.lead FROM leadanalytics.lead_submission u WHERE u.workspace = leads_of_numbers.workspace AND u.visitor_id = n.id OFFSET 0) AS s
    ), newest AS (
        SELECT DISTINCT ON (f.owner) f.owner, coalesce(l.external_id, l.id::text) AS lead
        FROM found f
        CROSS JOIN LATERAL (SELECT m.* FROM leadanalytics.lead m WHERE m.workspace = leads_of_numbers.workspace AND m.id = f.id OFFSET 0) AS l
        ORDER BY f.owner, l.enquiry_at DESC, l.id DESC
    )
    SELECT DISTINCT o.number, w.lead FROM one o JOIN newest w ON w.owner = o.owner WHERE o.number = ANY (leads_of_numbers.numbers);
END
$$;
COMMENT ON FUNCTION leadanalytics.leads_of_numbers(int, int[]) IS
    'the newest lead whose visitor or person each number is, as answers call it; those of nobody are left out. For functions that asked who calls';

-- What an event was stored for stands in it, where it also names the lead as its person: else any page could say so.
CREATE FUNCTION leadanalytics.show_engagement(workspace int, places leadanalytics.engagement_place[], lead_id text)
RETURNS SETOF leadanalytics.engagement_event LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    asked_lead CONSTANT text := (SELECT coalesce(l.external_id, l.id::text) FROM leadanalytics.lead l
                           WHERE l.workspace = show_engagement.workspace AND l.id = (SELECT leadanalytics.find_engagement_lead(show_engagement.workspace, show_engagement.lead_id)));
BEGIN
    RETURN QUERY
    WITH place AS MATERIALIZED (
        SELECT p.* FROM unnest(places) AS p
    ), web AS MATERIALIZED (
        SELECT p.number, e.event_id, coalesce(e.visitor, e.person) AS who, left(e.data ->> 'message_id', 128) AS message_id, left(e.data ->> 'workflow_execution_id', 128) AS workflow,
               CASE WHEN show_engagement.lead_id IS NULL THEN
                   (SELECT q.user_id FROM leadanalytics.person q
                    WHERE q.workspace = show_engagement.workspace AND q.number = e.person AND q.user_id = e.data ->> 'lead_id') END AS stored_for
        FROM place p
        CROSS JOIN LATERAL (SELECT f.event_id, f.visitor, f.person, f.data FROM leadanalytics.event f
                            WHERE f.workspace = show_engagement.workspace AND f.at = p.at AND f.id = p.number OFFSET 0) AS e
        WHERE p.origin = 'w'
    ), whose AS MATERIALIZED (
        SELECT l.number AS who, l.lead
        FROM leadanalytics.leads_of_numbers(show_engagement.workspace, ARRAY(SELECT DISTINCT w.who FROM web w WHERE w.stored_for IS NULL AND show_engagement.lead_id IS NULL)) l
    ), shown AS (
        SELECT p.*, coalesce(e.event_id, leadanalytics.text_digest('message event ' || p.number)) AS id, m.lead AS lead_id, CASE WHEN m.key !~ '^ ' THEN m.key END AS message_id, m.workflow
        FROM place p
        CROSS JOIN LATERAL (SELECT f.event_id, f.message FROM leadanalytics.message_event f
                            WHERE f.workspace = show_engagement.workspace AND f.at = p.at AND f.id = p.number OFFSET 0) AS e
        CROSS JOIN LATERAL (SELECT n.lead, n.key, n.workflow FROM leadanalytics.message n WHERE n.workspace = show_engagement.workspace AND n.id = e.message OFFSET 0) AS m
        WHERE p.origin = 'm'
        UNION ALL
        SELECT p.*, coalesce(w.event_id, leadanalytics.text_digest('event ' || p.number)), coalesce(asked_lead, show_engagement.lead_id, w.stored_for, o.lead), w.message_id, w.workflow
        FROM place p JOIN web w ON w.number = p.number LEFT JOIN whose o ON o.who = w.who
        WHERE p.origin = 'w'
        UNION ALL
        SELECT p.*, leadanalytics.text_digest('submission ' || p.number), coalesce(l.external_id, l.id::text), NULL, NULL
        FROM place p
        CROSS JOIN LATERAL (SELECT s.lead FROM leadanalytics.lead_submission s WHERE s.workspace = show_engagement.workspace AND s.id = p.number OFFSET 0) AS s
        CROSS JOIN LATERAL (SELECT m.external_id, m.id FROM leadanalytics.lead m WHERE m.workspace = show_engagement.workspace AND m.id = s.lead OFFSET 0) AS l
        WHERE p.origin = 'f'
    )
    SELECT s.id, s.type, s.lead_id, s.message_id, s.workflow, s.at FROM shown s ORDER BY s.at DESC, s.origin, s.number DESC;
END
$$;
COMMENT ON FUNCTION leadanalytics.show_engagement(int, leadanalytics.engagement_place[], text) IS
    'the events at these places, newest first; lead_id: the one lead they are known to be of, null: whoever''s. For functions that asked who calls';

CREATE FUNCTION leadanalytics.engagement_events_rows(
    workspace int, starts timestamptz, ends timestamptz, types text[] DEFAULT NULL, lead_id text DEFAULT NULL, message_id text DEFAULT NULL,
    workflow_execution_id text DEFAULT NULL, most bigint DEFAULT NULL)
RETURNS SETOF leadanalytics.engagement_event LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(engagement_events_rows.workspace);
    asked CONSTANT text[] := coalesce(types, ARRAY(SELECT t.type FROM leadanalytics.engagement_types() t));
    places leadanalytics.engagement_place[];
BEGIN
    IF coalesce(lead_id, message_id, workflow_execution_id) IS NULL THEN
        places := ARRAY(SELECT p FROM leadanalytics.newest_engagement(allowed, starts, ends, asked, most) p);
    ELSE
        places := ARRAY(SELECT p FROM leadanalytics.engagement_of(allowed, starts, ends, asked, lead_id, message_id, workflow_execution_id) p
                        ORDER BY p.at DESC, p.origin, p.number DESC LIMIT most);
    END IF;
    RETURN QUERY SELECT s.* FROM leadanalytics.show_engagement(allowed, places, lead_id) s;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_events_rows(int, timestamptz, timestamptz, text[], text, text, text, bigint) IS
    'events of mails, form submissions and page visits from starts until before ends, the newest so many (null: all), of some types (null: all), a lead, a message, a workflow''s run';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_events_rows(int, timestamptz, timestamptz, text[], text, text, text, bigint) TO leadanalytics_read;

-- Whoever reads deep is brought near by halving time and counting: each count is a few sums, and no row above the
-- page is read but the last 2 000 or those of an hour.
CREATE FUNCTION leadanalytics.engagement_page_time(
    workspace int, starts timestamptz, ends timestamptz, types text[], skip bigint, now timestamptz, near bigint DEFAULT 2000, OUT until timestamptz, OUT skipped bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    low timestamptz := starts;
    middle timestamptz;
    n bigint;
BEGIN
    until := ends;
    skipped := 0;
    WHILE skip - skipped > near AND until - low > interval '1 hour' LOOP
        middle := date_bin(CASE WHEN until - low > interval '48 hours' THEN interval '24 hours' ELSE interval '15 minutes' END, low + (until - low) / 2, '2000-01-01 00:00Z');
        n := leadanalytics.count_engagement(workspace, middle, until, types, now);
        IF skipped + n <= skip THEN
            skipped := skipped + n;
            until := middle;
        ELSE
            low := middle;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_page_time(int, timestamptz, timestamptz, text[], bigint, timestamptz, bigint) IS
    'a time before which the list goes on after as many events as are skipped, but for some (near) or those of an hour, and how many there are from it on: for functions that asked who calls';

CREATE FUNCTION leadanalytics.engagement_events(
    workspace int, event_type text DEFAULT NULL, lead_id text DEFAULT NULL, message_id text DEFAULT NULL, workflow_execution_id text DEFAULT NULL,
    "from" text DEFAULT NULL, "to" text DEFAULT NULL, page int DEFAULT 1, "limit" int DEFAULT 20, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(engagement_events.workspace);
    types CONSTANT text[] := ARRAY(SELECT t.type FROM leadanalytics.engagement_types() t WHERE event_type IS NULL OR t.type = event_type);
    range CONSTANT record := leadanalytics.engagement_period("from", "to", now);
    skip CONSTANT bigint := (page::bigint - 1) * "limit";
    page_time record;
    places leadanalytics.engagement_place[] := '{}';
    total bigint;
BEGIN
    IF coalesce(lead_id, message_id, workflow_execution_id) IS NULL THEN
        total := leadanalytics.count_engagement(allowed, range.starts, range.ends, types, now);
        IF skip < total THEN
            page_time := leadanalytics.engagement_page_time(allowed, range.starts, range.ends, types, skip, now);
            places := ARRAY(SELECT p FROM leadanalytics.newest_engagement(allowed, range.starts, page_time.until, types, skip - page_time.skipped + "limit") p
                            ORDER BY p.at DESC, p.origin, p.number DESC OFFSET skip - page_time.skipped);
        END IF;
    ELSE
        WITH found AS MATERIALIZED (
            SELECT f.* FROM leadanalytics.engagement_of(allowed, range.starts, range.ends, types, lead_id, message_id, workflow_execution_id) f
        )
        SELECT (SELECT count(*) FROM found), ARRAY(SELECT (f.at, f.origin, f.number, f.type)::leadanalytics.engagement_place FROM found f
                                                   ORDER BY f.at DESC, f.origin, f.number DESC OFFSET skip LIMIT "limit")
        INTO total, places;
    END IF;
    RETURN json_build_object(
        'data', (SELECT coalesce(json_agg(leadanalytics.engagement_event_json(allowed, s)), '[]') FROM leadanalytics.show_engagement(allowed, places, lead_id) s),
        'pagination', leadanalytics.engagement_page(total, page, "limit"));
END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_events(int, text, text, text, text, text, text, int, int, timestamptz) IS
    'S2-09: events, newest first, page by page; of a type, a lead, a message, a workflow''s run. Without a time the last 30 days (UTC)';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_events(int, text, text, text, text, text, text, int, int, timestamptz) TO leadanalytics_read;

-- For conditions of workflows ("if the mail was opened"): machines' opens and clicks are none. A message's row has the
-- first of each kind; only when that is before the time asked about are its other events looked at.
CREATE FUNCTION leadanalytics.has_engagement(
    workspace int, event_type text, lead_id text DEFAULT NULL, message_id text DEFAULT NULL, workflow_execution_id text DEFAULT NULL, since timestamptz DEFAULT NULL)
RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(has_engagement.workspace);
    of_all CONSTANT boolean := coalesce(lead_id, message_id, workflow_execution_id) IS NULL;
    asked record;
    touched record;
BEGIN
    SELECT t.* INTO asked FROM leadanalytics.engagement_types() t WHERE t.type = event_type;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no type of events "%"', event_type USING ERRCODE = 'invalid_parameter_value', HINT = 'See leadanalytics.engagement_types().';
    END IF;
    IF of_all AND (asked.kind IS NULL OR asked.kind IN ('s', 'r', 'b')) THEN
        RETURN EXISTS (SELECT FROM leadanalytics.newest_engagement(allowed, coalesce(since, '-infinity'), 'infinity', ARRAY[event_type], 1));
    ELSIF asked.kind IS NULL THEN
        RETURN EXISTS (SELECT FROM leadanalytics.engagement_of(allowed, coalesce(since, '-infinity'), 'infinity', ARRAY[event_type], lead_id, message_id, workflow_execution_id));
    END IF;
    FOR touched IN
        SELECT m.id, CASE asked.kind WHEN 's' THEN m.sent_at WHEN 'o' THEN m.opened_at WHEN 'c' THEN m.clicked_at WHEN 'r' THEN m.replied_at ELSE m.bounced_at END AS first_at
        FROM (SELECT e.message
              FROM leadanalytics.message_event e
              WHERE of_all AND e.workspace = allowed AND e.at >= coalesce(since, '-infinity') AND e.kind = asked.kind AND NOT e.is_machine
              UNION ALL
              SELECT e.message
              FROM leadanalytics.engagement_of(allowed, coalesce(since, '-infinity'), 'infinity', ARRAY[event_type], lead_id, message_id, workflow_execution_id) p
              CROSS JOIN LATERAL (SELECT f.message FROM leadanalytics.message_event f WHERE f.at = p.at AND f.id = p.number AND NOT f.is_machine OFFSET 0) AS e
              WHERE NOT of_all) AS e
        CROSS JOIN LATERAL (SELECT n.* FROM leadanalytics.message n WHERE n.workspace = allowed AND n.id = e.message OFFSET 0) AS m
    LOOP
        IF since IS NULL AND touched.first_at IS NOT NULL OR touched.first_at >= since
           OR touched.first_at < since AND EXISTS (SELECT FROM leadanalytics.marked_message_events(allowed, ARRAY[touched.id]) m
                                                   WHERE m.kind = asked.kind AND NOT m.is_machine AND m.at >= since) THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$$;
COMMENT ON FUNCTION leadanalytics.has_engagement(int, text, text, text, text, timestamptz) IS
    'whether there is an event of that type (not a machine''s open or click), of a lead, a message, a workflow''s run, since a time; null: any';
GRANT EXECUTE ON FUNCTION leadanalytics.has_engagement(int, text, text, text, text, timestamptz) TO leadanalytics_read;

-- Doors of events: one list and one way in, and the same of form submissions and of page visits alone (S2-01, S2-09, S2-11, S2-12).

INSERT INTO leadanalytics.route (method, path, function, family, roles, success, idempotent, paged, from_fold, message, summary, example, builtin)
SELECT m.method, '/v1/analytics/' || d.path, m.function, 'engagement', '{live,sandbox}', m.success, m.method = 'POST', m.method = 'GET', m.method = 'GET', m.message, format(m.summary, d.things),
       CASE m.method WHEN 'POST' THEN e.event ELSE json_build_object('data', json_build_array(e.event), 'pagination', leadanalytics.engagement_page(1, 1, 20)) END, true
FROM (VALUES ('events', 'events', 'email_open'), ('form-submissions', 'form submissions', 'form_submission'), ('page-visits', 'page visits', 'page_visit')) AS d (path, things, type)
CROSS JOIN (VALUES ('GET', 'leadanalytics.engagement_events', 200, 'OK', 'The %s of a time, newest first'),
                   ('POST', 'leadanalytics.add_engagement', 201, 'Event ingested', 'Tell of one of the %s')) AS m (method, function, success, message, summary)
CROSS JOIN LATERAL (SELECT json_build_object('id', 'evt_0b7c2d9e5f1a4c3e8d6f7a9b0c1d2e3f', 'tenantId', 'acme-corp', 'type', d.type, 'leadId', '6789abcdef012345', 'messageId', 'msg_001',
                                             'workflowExecutionId', 'exec_001', 'timestamp', '2026-02-09T10:30:00.000Z')) AS e (event);

-- Doors of one type take it, and no other, where it is said.
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, fallback, choices, position, example, summary)
SELECT r.method, r.path, 'eventType', CASE r.method WHEN 'GET' THEN 'query' ELSE 'body' END, 'event_type', 'text', r.method = 'POST' AND t.type IS NULL, t.type,
       CASE WHEN t.type IS NULL THEN ARRAY(SELECT e.type FROM leadanalytics.engagement_types() e) ELSE ARRAY[t.type] END, 0, coalesce(t.type, 'email_open'), 'what happened'
FROM leadanalytics.route r
CROSS JOIN LATERAL (SELECT CASE r.path WHEN '/v1/analytics/form-submissions' THEN 'form_submission' WHEN '/v1/analytics/page-visits' THEN 'page_visit' END) AS t (type)
WHERE r.function IN ('leadanalytics.add_engagement', 'leadanalytics.engagement_events');
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, min, max, position, example, summary)
SELECT r.method, r.path, p.*
FROM leadanalytics.route r
CROSS JOIN (VALUES
    ('leadId', 'body', 'lead_id', 'text', 1, 128, 1, '6789abcdef012345', 'your id of the lead, which need not be known yet'),
    ('messageId', 'body', 'message_id', 'text', 1, 128, 2, 'msg_001', 'your id of the message'),
    ('workflowExecutionId', 'body', 'workflow_execution_id', 'text', 1, 128, 3, 'exec_001', 'your id of the workflow''s run'),
    ('timestamp', 'body', 'timestamp', 'timestamp', NULL, NULL, 4, '2026-02-09T10:30:00.000Z', 'when it was, ISO 8601; default: now')) AS p
WHERE r.function = 'leadanalytics.add_engagement';
SELECT leadanalytics.engagement_takes('GET', r.path, 'leadId', 'messageId', 'workflowExecutionId', 'from', 'to', 'page', 'limit')
FROM leadanalytics.route r WHERE r.function = 'leadanalytics.engagement_events';
