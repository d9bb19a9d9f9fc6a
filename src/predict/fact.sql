-- What was known of leads when they came, and keeping it.

-- Nothing counts that is later than the lead: of a session that goes on, only the events until then; of what was
-- identified, opened or clicked, only what was by then. What a post said is read from the post, which never changes.
-- Where its rows are gone (leadanalytics.event_retention) nothing is known of a session that went on.
CREATE FUNCTION leadanalytics.reckon_facts(workspace int, leads bigint[])
RETURNS SETOF leadanalytics.lead_fact LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan SET jit = off SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    zone CONSTANT text := (SELECT w.timezone FROM leadanalytics.workspace w WHERE w.id = reckon_facts.workspace);
    click CONSTANT int := leadanalytics.text_term(workspace, 'click');
BEGIN
    RETURN QUERY
    WITH asked AS MATERIALIZED (
        SELECT l.id, l.enquiry_at AS at, l.external_id, l.country, coalesce(l.external_id, l.id::text) AS named, l.phone_key,
               s.score, s.suspicion, s.time_to_submit,
               CASE WHEN s.id IS NULL THEN l.visitor_id ELSE s.visitor_id END AS visitor_id, CASE WHEN s.id IS NULL THEN l.email ELSE s.email END AS email,
               CASE WHEN s.id IS NULL THEN l.phone ELSE s.phone END AS phone, CASE WHEN s.id IS NULL THEN l.project ELSE s.project END AS project,
               CASE WHEN s.id IS NULL THEN l.source ELSE s.source END AS source
        FROM unnest(leads) AS u (id)
        CROSS JOIN LATERAL (SELECT k.* FROM leadanalytics.lead k WHERE k.workspace = reckon_facts.workspace AND k.id = u.id OFFSET 0) AS l
        LEFT JOIN LATERAL (SELECT p.* FROM leadanalytics.lead_submission p
                           WHERE p.workspace = reckon_facts.workspace AND p.lead = l.id AND p.is_primary ORDER BY p.submitted_at, p.id LIMIT 1) AS s ON true
    ), browser AS MATERIALIZED ( -- its visitor, and who was known as it
        SELECT a.id, a.at, v.number
        FROM asked a
        CROSS JOIN LATERAL (SELECT w.number FROM leadanalytics.visitor w WHERE w.workspace = reckon_facts.workspace AND w.visitor_id IN (a.visitor_id, a.external_id) OFFSET 0) AS v
        UNION
        SELECT a.id, a.at, v.number
        FROM asked a
        CROSS JOIN LATERAL (SELECT q.number FROM leadanalytics.person q WHERE q.workspace = reckon_facts.workspace AND q.user_id = a.external_id OFFSET 0) AS p
        CROSS JOIN LATERAL (SELECT w.number FROM leadanalytics.visitor w
                            JOIN leadanalytics.identity i ON i.workspace = w.workspace AND i.visitor = w.number AND i.person = p.number AND i.at <= a.at
                            WHERE w.workspace = reckon_facts.workspace AND w.person = p.number OFFSET 0) AS v
        WHERE a.external_id IS NOT NULL
    ), visit AS MATERIALIZED (
        SELECT DISTINCT ON (b.id) b.id, b.at, s.*, count(*) OVER (PARTITION BY b.id) - 1 AS before
        FROM browser b
        CROSS JOIN LATERAL (SELECT t.number AS session, t.started_at, t.last_seen, t.clicks, t.pageviews, t.scroll_percent, t.vpn_score, t.campaign, t.place, t.agent
                            FROM leadanalytics.session t
                            WHERE t.workspace = reckon_facts.workspace AND t.visitor = b.number AND t.started_at <= b.at OFFSET 0) AS s
        ORDER BY b.id, s.started_at DESC, s.session DESC
    ), done AS MATERIALIZED (
        SELECT v.id, v.before, v.vpn_score, v.campaign, v.place, v.agent,
               extract(epoch FROM CASE WHEN v.last_seen <= v.at THEN v.last_seen ELSE e.last END - v.started_at)::real AS seconds,
               CASE WHEN v.last_seen <= v.at THEN v.clicks WHEN e.last IS NOT NULL THEN e.clicks END AS clicks,
               CASE WHEN v.last_seen <= v.at THEN v.pageviews WHEN e.last IS NOT NULL THEN e.pageviews END AS pageviews,
               CASE WHEN v.last_seen <= v.at THEN v.scroll_percent WHEN e.last IS NOT NULL THEN coalesce(e.scroll_percent, 0) END AS scroll_percent
        FROM visit v
        LEFT JOIN LATERAL (
            SELECT max(e.at) AS last, (count(*) FILTER (WHERE e.name = click))::int AS clicks, (count(*) FILTER (WHERE e.kind = 'p'))::int AS pageviews,
                   max(CASE WHEN jsonb_typeof(e.data -> 'scroll_percent') = 'number' THEN (e.data ->> 'scroll_percent')::real END) AS scroll_percent
            FROM leadanalytics.event e
            WHERE coalesce(e.session, -coalesce(e.visitor, e.person)) = v.session AND e.workspace = reckon_facts.workspace AND e.at BETWEEN v.started_at AND v.at
        ) AS e ON v.last_seen > v.at
    ), around AS MATERIALIZED (
        -- (those of one moment taken off: EXCLUDE GROUP would count anew for each lead)
        SELECT l.id, count(*) OVER (PARTITION BY lower(coalesce(l.project, '')) ORDER BY l.enquiry_at RANGE BETWEEN interval '720 hours' PRECEDING AND CURRENT ROW)
                     - count(*) OVER (PARTITION BY lower(coalesce(l.project, '')), l.enquiry_at) AS n
        FROM leadanalytics.lead l
        WHERE l.workspace = reckon_facts.workspace AND l.enquiry_at >= (SELECT min(a.at) FROM asked a) - interval '720 hours' AND l.enquiry_at <= (SELECT max(a.at) FROM asked a)
    )
    SELECT reckon_facts.workspace, a.id, a.at,
           d.seconds, d.scroll_percent, d.clicks, d.pageviews, d.before::int,
           coalesce(a.score, leadanalytics.engagement_score(d.seconds, d.scroll_percent, d.clicks, d.before::int), 0)::smallint, a.suspicion, a.time_to_submit, d.vpn_score,
           e.n::int, r.n::int, m.sent::int, m.opened::int, m.clicked::int, a.phone IS NOT NULL,
           leadanalytics.email_kind(a.email), f.words[1], f.words[2], f.words[3], f.words[4], f.words[5], f.words[6], f.words[7], f.words[8],
           to_char(a.at AT TIME ZONE zone, 'ID'), to_char(a.at AT TIME ZONE zone, 'HH24')
    FROM asked a
    LEFT JOIN done d ON d.id = a.id
    LEFT JOIN around r ON r.id = a.id
    LEFT JOIN LATERAL (SELECT t.parts FROM leadanalytics.term t WHERE t.workspace = reckon_facts.workspace AND t.id = d.campaign OFFSET 0) AS c ON true
    LEFT JOIN LATERAL (SELECT t.parts FROM leadanalytics.term t WHERE t.workspace = reckon_facts.workspace AND t.id = d.place OFFSET 0) AS p ON true
    LEFT JOIN LATERAL (SELECT t.parts FROM leadanalytics.term t WHERE t.workspace = reckon_facts.workspace AND t.id = d.agent OFFSET 0) AS g ON true
    CROSS JOIN LATERAL (
        SELECT ARRAY(SELECT nullif(left(lower(btrim(w.word)), 100), '') FROM unnest(ARRAY[
                         coalesce(a.source, c.parts[1]), c.parts[2], c.parts[3], a.project, coalesce(p.parts[1], a.country), g.parts[7], g.parts[2], g.parts[4]
                     ]) WITH ORDINALITY AS w (word, n) ORDER BY w.n) AS words OFFSET 0) AS f
    CROSS JOIN LATERAL (
        SELECT count(*) AS n FROM (
            (SELECT o.id FROM leadanalytics.lead o
             WHERE o.workspace = reckon_facts.workspace AND o.visitor_id = a.visitor_id AND o.enquiry_at < a.at LIMIT 100)
            UNION
            (SELECT o.id FROM leadanalytics.lead o
             WHERE o.workspace = reckon_facts.workspace AND lower(o.email) = lower(a.email) AND o.email IS NOT NULL AND o.enquiry_at < a.at LIMIT 100)
            UNION
            (SELECT o.id FROM leadanalytics.lead o
             WHERE o.workspace = reckon_facts.workspace AND o.phone_key = a.phone_key AND a.phone IS NOT NULL AND o.enquiry_at < a.at LIMIT 100)) AS o) AS e
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE n.sent_at <= a.at) AS sent, count(*) FILTER (WHERE n.opened_at <= a.at) AS opened, count(*) FILTER (WHERE n.clicked_at <= a.at) AS clicked
        FROM leadanalytics.message n WHERE n.workspace = reckon_facts.workspace AND n.lead = a.named) AS m;
END
$$;
COMMENT ON FUNCTION leadanalytics.reckon_facts(int, bigint[]) IS 'what was known of these leads when they came: for functions that asked who calls';

-- The facts of leads that the worker has looked at, reckoned now for those it has not.
CREATE FUNCTION leadanalytics.facts_of(workspace int, leads bigint[])
RETURNS SETOF leadanalytics.lead_fact LANGUAGE plpgsql STABLE SET jit = off AS $$
DECLARE
    kept CONSTANT bigint[] := ARRAY(
        SELECT f.lead FROM unnest(leads) AS u (id)
        CROSS JOIN LATERAL (SELECT k.lead, k.at FROM leadanalytics.lead_fact k WHERE k.workspace = facts_of.workspace AND k.lead = u.id OFFSET 0) AS f
        CROSS JOIN LATERAL (SELECT n.enquiry_at FROM leadanalytics.lead n WHERE n.workspace = facts_of.workspace AND n.id = u.id OFFSET 0) AS l
        WHERE l.enquiry_at = f.at);
BEGIN
    RETURN QUERY
    SELECT f.* FROM unnest(kept) AS u (id)
    CROSS JOIN LATERAL (SELECT k.* FROM leadanalytics.lead_fact k WHERE k.workspace = facts_of.workspace AND k.lead = u.id OFFSET 0) AS f;
    IF cardinality(kept) < cardinality(leads) THEN
        RETURN QUERY
        SELECT r.* FROM leadanalytics.reckon_facts(facts_of.workspace, ARRAY(SELECT u.id FROM unnest(leads) AS u (id) EXCEPT SELECT k.id FROM unnest(kept) AS k (id))) AS r;
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.facts_of(int, bigint[]) IS 'what was known of these leads when they came, kept or reckoned: for functions that asked who calls';

-- Two that keep facts of one workspace, or say what its model says of them, come after one another. No lead waits.
CREATE FUNCTION leadanalytics.lock_predictions(workspace int)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(format('leadanalytics predictions %s', workspace), 0));
END
$$;
COMMENT ON FUNCTION leadanalytics.lock_predictions(int) IS 'wait for whoever writes the facts and predictions of a workspace';

CREATE FUNCTION leadanalytics.keep_facts(workspace int, most int DEFAULT 20000)
RETURNS int LANGUAGE plpgsql SET jit = off AS $$
#variable_conflict use_column
DECLARE
    taken bigint[];
BEGIN
    PERFORM leadanalytics.lock_predictions(keep_facts.workspace);
    taken := ARRAY(SELECT DISTINCT u.lead FROM leadanalytics.lead_unpredicted u WHERE u.workspace = keep_facts.workspace ORDER BY u.lead LIMIT keep_facts.most);
    DELETE FROM leadanalytics.lead_unpredicted u WHERE u.workspace = keep_facts.workspace AND u.lead = ANY (taken);
    -- A lead that is being erased is waited for, and passed over.
    taken := ARRAY(SELECT l.id FROM leadanalytics.lead l
                   WHERE l.workspace = keep_facts.workspace AND l.id = ANY (taken)
                         AND NOT EXISTS (SELECT FROM leadanalytics.lead_fact f WHERE f.workspace = l.workspace AND f.lead = l.id AND f.at = l.enquiry_at)
                   FOR KEY SHARE);
    DELETE FROM leadanalytics.lead_fact f WHERE f.workspace = keep_facts.workspace AND f.lead = ANY (taken);
    INSERT INTO leadanalytics.lead_fact SELECT r.* FROM leadanalytics.reckon_facts(keep_facts.workspace, taken) r;
    INSERT INTO leadanalytics.lead_prediction (workspace, lead, version, log_odds)
    SELECT f.workspace, f.lead, m.version, leadanalytics.prediction_log_odds(f.workspace, m.version, leadanalytics.fact_numbers(f), leadanalytics.fact_words(f))
    FROM (SELECT leadanalytics.model_version(keep_facts.workspace) AS version) AS m
    JOIN leadanalytics.lead_fact f ON f.workspace = keep_facts.workspace AND f.lead = ANY (taken)
    WHERE m.version IS NOT NULL;
    RETURN cardinality(taken);
END
$$;
COMMENT ON FUNCTION leadanalytics.keep_facts(int, int) IS
    'write down what was known of leads that came since it last looked, the oldest so many, and what the workspace''s model says of them; how many';

CREATE FUNCTION leadanalytics.note_unpredicted()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO leadanalytics.lead_unpredicted (workspace, lead) SELECT f.workspace, f.id FROM fresh f;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.note_unpredicted() IS 'note that leads came';
CREATE TRIGGER predict_inserted AFTER INSERT ON leadanalytics.lead
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.note_unpredicted();
CREATE FUNCTION leadanalytics.note_moved()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO leadanalytics.lead_unpredicted (workspace, lead) VALUES (NEW.workspace, NEW.id);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.note_moved() IS 'note that a lead came at another time than was said before';
CREATE TRIGGER predict_moved AFTER UPDATE OF enquiry_at ON leadanalytics.lead
    FOR EACH ROW WHEN (NEW.enquiry_at <> OLD.enquiry_at) EXECUTE FUNCTION leadanalytics.note_moved();
