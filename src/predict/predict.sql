-- What is predicted of leads (S2-19).
--
-- A score is the probability in percent, rounded, with the labels of engagement scores. Without a model it is the
-- engagement score, the probability and modelVersion are null, and the factors are the points of its rules.

CREATE FUNCTION leadanalytics.odds_probability(log_odds float8)
RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 1 / (1 + exp(CASE WHEN log_odds < -700 THEN 700 WHEN log_odds > 700 THEN -700 ELSE -log_odds END)) $$;
COMMENT ON FUNCTION leadanalytics.odds_probability(float8) IS 'a probability, 0 to 1, of its log-odds';

CREATE FUNCTION leadanalytics.odds_score(log_odds float8)
RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT floor(100 * leadanalytics.odds_probability(log_odds) + 0.5)::int $$;
COMMENT ON FUNCTION leadanalytics.odds_score(float8) IS 'a probability in percent, rounded, of its log-odds';

-- The log-odds of a probability. (None are those of 0 and 1.)
CREATE FUNCTION leadanalytics.probability_odds(probability float8)
RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN probability <= 0 THEN '-infinity' WHEN probability >= 1 THEN 'infinity' ELSE ln(probability / (1 - probability)) END
$$;
COMMENT ON FUNCTION leadanalytics.probability_odds(float8) IS 'the log-odds of a probability; beyond 0 and 1 they are infinite';

-- Leads that came, or were moved, since the worker last looked: what the model says of them is reckoned now.
CREATE FUNCTION leadanalytics.fresh_predictions(workspace int, version int)
RETURNS TABLE (lead bigint, log_odds float8) LANGUAGE plpgsql STABLE SET jit = off AS $$
#variable_conflict use_column
DECLARE
    fresh CONSTANT bigint[] := ARRAY(
        SELECT u.lead
        FROM (SELECT DISTINCT n.lead FROM leadanalytics.lead_unpredicted n WHERE n.workspace = fresh_predictions.workspace) AS u
        JOIN leadanalytics.lead l ON l.workspace = fresh_predictions.workspace AND l.id = u.lead
        LEFT JOIN leadanalytics.lead_fact f ON f.workspace = l.workspace AND f.lead = l.id AND f.at = l.enquiry_at
        LEFT JOIN leadanalytics.lead_prediction p ON p.workspace = l.workspace AND p.lead = l.id AND p.version = fresh_predictions.version
        WHERE f.lead IS NULL OR p.lead IS NULL);
BEGIN
    IF cardinality(fresh) > 0 THEN
        RETURN QUERY
        SELECT f.lead, leadanalytics.prediction_log_odds(fresh_predictions.workspace, fresh_predictions.version, leadanalytics.fact_numbers(f), leadanalytics.fact_words(f))
        FROM leadanalytics.facts_of(fresh_predictions.workspace, fresh) f;
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.fresh_predictions(int, int) IS 'log-odds of leads that the worker has not looked at: for functions that asked who calls';

-- Both orders are an index's: of a hundred thousand leads a page is read, and the rest counted there.
CREATE FUNCTION leadanalytics.predictions_rows(
    workspace int, min_score int DEFAULT NULL, max_score int DEFAULT NULL, descending boolean DEFAULT true, "limit" int DEFAULT NULL, "offset" int DEFAULT 0)
RETURNS TABLE (lead bigint, lead_id text, score int, probability float8, label text, model_version int, log_odds float8, total bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(predictions_rows.workspace);
    used CONSTANT int := leadanalytics.model_version(allowed);
    low CONSTANT int := coalesce(predictions_rows.min_score, 0);
    high CONSTANT int := coalesce(predictions_rows.max_score, 100);
    -- a little wider than the scores: those decide
    least_odds CONSTANT float8 := leadanalytics.probability_odds((low - 0.500001) / 100);
    most_odds CONSTANT float8 := leadanalytics.probability_odds((high + 0.500001) / 100);
    turn CONSTANT int := CASE WHEN descending THEN 1 ELSE -1 END;
    first CONSTANT int := predictions_rows."limit" + predictions_rows."offset";
    every CONSTANT boolean := low <= 0 AND high >= 100;
    leads CONSTANT bigint := coalesce((SELECT sum(t.n) FROM leadanalytics.lead_tally t WHERE t.workspace = allowed), 0);
    fresh bigint[];
    fresh_odds float8[];
BEGIN
    IF used IS NULL THEN
        RETURN QUERY
        SELECT l.id, coalesce(l.external_id, l.id::text), p.score::int, NULL::float8, leadanalytics.engagement_label(p.score), NULL::int, NULL::float8,
               CASE WHEN every THEN leads
                    ELSE (SELECT count(*) FROM leadanalytics.lead n WHERE n.workspace = allowed AND n.score BETWEEN low AND high) END
        FROM (SELECT u.id, u.score
              FROM generate_series(0, 63) AS class (i)
              CROSS JOIN LATERAL ((SELECT k.id, k.score FROM leadanalytics.lead k WHERE descending AND k.workspace = allowed AND k.class = class.i::smallint AND k.score BETWEEN low AND high
                                   ORDER BY k.score DESC, k.id DESC LIMIT first)
                                  UNION ALL
                                  (SELECT k.id, k.score FROM leadanalytics.lead k WHERE NOT descending AND k.workspace = allowed AND k.class = class.i::smallint AND k.score BETWEEN low AND high
                                   ORDER BY k.score, k.id LIMIT first)) AS u
              ORDER BY u.score * -turn, u.id * -turn LIMIT predictions_rows."limit" OFFSET predictions_rows."offset") AS p
        CROSS JOIN LATERAL (SELECT n.id, n.external_id FROM leadanalytics.lead n WHERE n.workspace = allowed AND n.id = p.id OFFSET 0) AS l
        ORDER BY p.score * -turn, p.id * -turn;
        RETURN;
    END IF;
    SELECT coalesce(array_agg(f.lead), '{}'), coalesce(array_agg(f.log_odds), '{}') INTO fresh, fresh_odds FROM leadanalytics.fresh_predictions(allowed, used) f;
    RETURN QUERY
    WITH kept AS NOT MATERIALIZED (
        SELECT p.lead, p.log_odds FROM leadanalytics.lead_prediction p
        WHERE p.workspace = allowed AND p.version = used AND p.log_odds BETWEEN least_odds AND most_odds
              AND (every OR leadanalytics.odds_score(p.log_odds) BETWEEN low AND high)
              AND p.lead <> ALL (fresh)
    ), late AS MATERIALIZED (
        SELECT f.lead, f.log_odds FROM unnest(fresh, fresh_odds) AS f (lead, log_odds) WHERE leadanalytics.odds_score(f.log_odds) BETWEEN low AND high
    ), page AS (
        SELECT u.* FROM (
            (SELECT k.* FROM kept k WHERE descending ORDER BY k.log_odds DESC, k.lead DESC LIMIT first)
            UNION ALL
            (SELECT k.* FROM kept k WHERE NOT descending ORDER BY k.log_odds, k.lead LIMIT first)
            UNION ALL
            SELECT l.* FROM late l) AS u
        ORDER BY u.log_odds * -turn, u.lead * -turn LIMIT predictions_rows."limit" OFFSET predictions_rows."offset"
    )
    SELECT p.lead, coalesce(l.external_id, l.id::text), leadanalytics.odds_score(p.log_odds), leadanalytics.odds_probability(p.log_odds),
           leadanalytics.engagement_label(leadanalytics.odds_score(p.log_odds)), used, p.log_odds,
           CASE WHEN every THEN leads ELSE (SELECT count(*) FROM kept) + (SELECT count(*) FROM late) END
    FROM page p
    CROSS JOIN LATERAL (SELECT n.id, n.external_id FROM leadanalytics.lead n WHERE n.workspace = allowed AND n.id = p.lead OFFSET 0) AS l
    ORDER BY p.log_odds * -turn, p.lead * -turn;
END
$$;
COMMENT ON FUNCTION leadanalytics.predictions_rows(int, int, int, boolean, int, int) IS
    'leads by how likely they convert: probability, score (in percent, rounded), label; without a model by engagement score, probability null; of scores from min_score to max_score; total: of all pages';
GRANT EXECUTE ON FUNCTION leadanalytics.predictions_rows(int, int, int, boolean, int, int) TO leadanalytics_read;

-- Every feature of a lead, and what it adds to the log-odds of the average one.
CREATE FUNCTION leadanalytics.fact_effects(version int, f leadanalytics.lead_fact)
RETURNS TABLE (name text, value json, effect float8) LANGUAGE sql STABLE AS $$
    SELECT x.name, coalesce((to_json(f) -> x.name), 'null'), coalesce(w.weight * CASE w.part WHEN 'n' THEN (x.number - w.mean) / w.scale ELSE 1 END, 0)
    FROM (SELECT d.name, d.kind, n.numbers[d.place + 1] AS number, n.words[d.place + 1 - cardinality(n.numbers)] AS word
          FROM leadanalytics.prediction_features() d,
               (SELECT leadanalytics.fact_numbers(f) AS numbers, leadanalytics.fact_words(f) AS words OFFSET 0) AS n) AS x
    LEFT JOIN LATERAL (
        SELECT t.part, t.mean, t.scale, t.weight
        FROM leadanalytics.prediction_weight t
        WHERE t.workspace = (f).workspace AND t.version = fact_effects.version AND t.feature = x.name
              AND CASE WHEN coalesce(x.number::text, x.word) IS NULL THEN t.part = 'm' WHEN x.kind = 'word' THEN t.part = 'w' AND t.word = x.word OR t.part = 'o' ELSE t.part = 'n' END
        ORDER BY t.part = 'o' LIMIT 1) AS w ON true
$$;
COMMENT ON FUNCTION leadanalytics.fact_effects(int, leadanalytics.lead_fact) IS
    'each feature of a lead, its value and its effect on the log-odds of a model: with the intercept they sum up to those: for functions that asked who calls';

CREATE FUNCTION leadanalytics.fact_points(f leadanalytics.lead_fact)
RETURNS TABLE (name text, value json, effect float8) LANGUAGE sql STABLE AS $$
    SELECT p.name, to_json(f) -> p.name, p.points
    FROM (VALUES ('session_seconds', leadanalytics.engagement_score((f).session_seconds, 0, 0, 0)), ('scroll_percent', leadanalytics.engagement_score(0, (f).scroll_percent, 0, 0)),
                 ('clicks', leadanalytics.engagement_score(0, 0, (f).clicks, 0)), ('returns', leadanalytics.engagement_score(0, 0, 0, (f).returns))) AS p (name, points)
    WHERE p.points IS NOT NULL
$$;
COMMENT ON FUNCTION leadanalytics.fact_points(leadanalytics.lead_fact) IS 'the points of a lead''s engagement score as they stood when it came: what its score without a model is made of';

CREATE FUNCTION leadanalytics.prediction_factors_rows(workspace int, lead_id text)
RETURNS TABLE (name text, value json, effect float8) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(prediction_factors_rows.workspace);
    version CONSTANT int := leadanalytics.model_version(allowed);
    lead CONSTANT bigint := leadanalytics.find_engagement_lead(allowed, lead_id);
BEGIN
    IF lead IS NULL THEN
        RAISE EXCEPTION 'Lead not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.leads.';
    END IF;
    RETURN QUERY
    SELECT e.* FROM leadanalytics.facts_of(allowed, ARRAY[lead]) f
    CROSS JOIN LATERAL (SELECT * FROM leadanalytics.fact_effects(version, f) WHERE version IS NOT NULL
                        UNION ALL SELECT * FROM leadanalytics.fact_points(f) WHERE version IS NULL) AS e
    ORDER BY abs(e.effect) DESC, e.name COLLATE "C";
END
$$;
COMMENT ON FUNCTION leadanalytics.prediction_factors_rows(int, text) IS
    'every feature of a lead with its effect on the log-odds, the strongest first; with the model''s intercept they sum up to the lead''s; without a model the points of its engagement score';
GRANT EXECUTE ON FUNCTION leadanalytics.prediction_factors_rows(int, text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.prediction_json(lead_id text, score int, probability float8, label text, model_version int, f leadanalytics.lead_fact)
RETURNS json LANGUAGE plpgsql STABLE SET jit = off AS $$
DECLARE
    factors json;
BEGIN
    SELECT coalesce(json_agg(json_build_object('name', e.name, 'value', e.value, 'effect', round(e.effect::numeric, 4), 'direction', CASE WHEN e.effect > 0 THEN 'up' ELSE 'down' END)
                             ORDER BY abs(e.effect) DESC, e.name COLLATE "C"), '[]')
    INTO factors
    FROM (SELECT * FROM (SELECT * FROM leadanalytics.fact_effects(model_version, f) WHERE model_version IS NOT NULL
                         UNION ALL SELECT * FROM leadanalytics.fact_points(f) WHERE model_version IS NULL) AS a
          WHERE round(a.effect::numeric, 4) <> 0 ORDER BY abs(a.effect) DESC, a.name COLLATE "C" LIMIT 5) AS e;
    RETURN json_build_object('leadId', lead_id, 'score', score, 'probability', round(probability::numeric, 4), 'label', label, 'factors', factors, 'modelVersion', model_version);
END
$$;
COMMENT ON FUNCTION leadanalytics.prediction_json(text, int, float8, text, int, leadanalytics.lead_fact) IS 'a prediction as its doors answer: with the five strongest factors';

CREATE FUNCTION leadanalytics.predictions(
    workspace int, page int DEFAULT 1, "limit" int DEFAULT 20, sort text DEFAULT 'score_desc', min_score int DEFAULT NULL, label text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(predictions.workspace);
    low int := coalesce(min_score, 0);
    high int := 100;
    shown record;
    data json;
    total bigint;
BEGIN
    IF label IS NOT NULL THEN
        SELECT greatest(low, min(s)), max(s) INTO low, high FROM generate_series(0, 100) AS s WHERE leadanalytics.engagement_label(s) = predictions.label;
    END IF;
    WITH page AS MATERIALIZED (
        SELECT r.* FROM leadanalytics.predictions_rows(allowed, low, high, sort = 'score_desc', predictions."limit",
                                             least((predictions.page - 1)::bigint * predictions."limit", 2000000000)::int)
            WITH ORDINALITY AS r (lead, lead_id, score, probability, label, model_version, log_odds, total, n)
    ), fact AS MATERIALIZED (
        SELECT f AS row FROM leadanalytics.facts_of(allowed, ARRAY(SELECT p.lead FROM page p)) f
    )
    SELECT coalesce(json_agg(leadanalytics.prediction_json(p.lead_id, p.score, p.probability, p.label, p.model_version, f.row) ORDER BY p.n), '[]'), max(p.total)
    INTO data, total
    FROM page p JOIN fact f ON (f.row).lead = p.lead;
    -- (A page beyond the end has no row to tell.)
    IF total IS NULL AND predictions.page > 1 THEN
        SELECT r.total INTO total FROM leadanalytics.predictions_rows(allowed, low, high, true, 1) r;
    END IF;
    RETURN json_build_object('data', data, 'pagination', leadanalytics.engagement_page(coalesce(total, 0), predictions.page, predictions."limit"));
END
$$;
COMMENT ON FUNCTION leadanalytics.predictions(int, int, int, text, int, text, timestamptz) IS
    'leads by how likely they convert, page by page; sort: score_desc, score_asc; label: Cold, Warm, Hot, Very Hot';
GRANT EXECUTE ON FUNCTION leadanalytics.predictions(int, int, int, text, int, text, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.prediction(workspace int, lead_id text, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(prediction.workspace);
    version CONSTANT int := leadanalytics.model_version(allowed);
    stored leadanalytics.lead;
    fact leadanalytics.lead_fact;
    log_odds float8;
    score int;
BEGIN
    SELECT l.* INTO stored FROM leadanalytics.lead l WHERE l.workspace = allowed AND l.id = (SELECT leadanalytics.find_engagement_lead(allowed, prediction.lead_id));
    IF stored.id IS NULL THEN
        RAISE EXCEPTION 'Lead not found' USING ERRCODE = 'LA404', HINT = 'See leadanalytics.leads.';
    END IF;
    SELECT f.* INTO fact FROM leadanalytics.facts_of(allowed, ARRAY[stored.id]) f;
    log_odds := leadanalytics.prediction_log_odds(allowed, version, leadanalytics.fact_numbers(fact), leadanalytics.fact_words(fact));
    score := coalesce(leadanalytics.odds_score(log_odds), stored.score);
    RETURN leadanalytics.prediction_json(coalesce(stored.external_id, stored.id::text), score, leadanalytics.odds_probability(log_odds), leadanalytics.engagement_label(score), version, fact);
END
$$;
COMMENT ON FUNCTION leadanalytics.prediction(int, text, timestamptz) IS 'how likely a lead converts, and the five strongest reasons; LA404: Lead not found';
GRANT EXECUTE ON FUNCTION leadanalytics.prediction(int, text, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, paged, message, summary, example, builtin) VALUES
    ('GET', '/v1/analytics/predictions/leads', 'leadanalytics.predictions', 'engagement', '{live,sandbox}', true, 'Predictions retrieved', 'Leads by how likely they convert',
     '{"data": [{"leadId": "6789abcdef012345", "score": 62, "probability": 0.6182, "label": "Hot",
                 "factors": [{"name": "session_seconds", "value": 310, "effect": 0.9134, "direction": "up"}, {"name": "email", "value": "free", "effect": -0.2218, "direction": "down"}], "modelVersion": 3}],
       "pagination": {"page": 1, "limit": 20, "total": 1, "totalPages": 1, "hasNext": false, "hasPrev": false}}', true),
    ('GET', '/v1/analytics/predictions/leads/:leadId', 'leadanalytics.prediction', 'engagement', '{live,sandbox}', false, 'Prediction retrieved', 'How likely a lead converts, and why',
     '{"leadId": "6789abcdef012345", "score": 62, "probability": 0.6182, "label": "Hot", "factors": [{"name": "session_seconds", "value": 310, "effect": 0.9134, "direction": "up"}], "modelVersion": 3}', true);
SELECT leadanalytics.engagement_takes('GET', '/v1/analytics/predictions/leads', 'page', 'limit');
SELECT leadanalytics.engagement_takes('GET', '/v1/analytics/predictions/leads/:leadId', ':leadId');
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, min, max, fallback, choices, position, example, summary) VALUES
    ('GET', '/v1/analytics/predictions/leads', 'sort', 'query', 'sort', 'text', NULL, NULL, 'score_desc', '{score_desc,score_asc}', 3, 'score_desc', 'the likeliest first, or last'),
    ('GET', '/v1/analytics/predictions/leads', 'minScore', 'query', 'min_score', 'int', 0, 100, NULL, NULL, 4, '0', 'only leads with this score or a higher one'),
    ('GET', '/v1/analytics/predictions/leads', 'label', 'query', 'label', 'text', NULL, NULL, NULL, '{Cold,Warm,Hot,"Very Hot"}', 5, 'Cold', 'only leads so labelled: Cold to 20, Warm to 45, Hot to 70, Very Hot');
