-- Learning from what became of leads.

CREATE FUNCTION leadanalytics.prediction_minimum()
RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 50 $$;
COMMENT ON FUNCTION leadanalytics.prediction_minimum() IS 'so many leads that converted, and so many that did not, make a model';
GRANT EXECUTE ON FUNCTION leadanalytics.prediction_minimum() TO leadanalytics_read;

-- (Days would be those of the session's zone. A session that has not loaded the library has no such setting yet.)
CREATE FUNCTION leadanalytics.prediction_horizon()
RETURNS interval LANGUAGE sql STABLE AS $$
    SELECT make_interval(secs => extract(epoch FROM coalesce(current_setting('leadanalytics.predict_horizon', true), '90 days')::interval)::float8)
$$;
COMMENT ON FUNCTION leadanalytics.prediction_horizon() IS 'how long after it came a lead that is won has converted: leadanalytics.predict_horizon';
GRANT EXECUTE ON FUNCTION leadanalytics.prediction_horizon() TO leadanalytics_read;

-- A lead has converted when it is won as its horizon ends; what was never said to have an end has not. Leads whose
-- horizon is not over are left out even if they have an end: of the leads of last week those that are won by now are
-- known and those that will be are not, so that taking the former would teach that the young convert more often than
-- others, or less, as fast as ends are told. Folds are of the lead's id alone.
CREATE FUNCTION leadanalytics.prediction_examples(workspace int, horizon interval, now timestamptz)
RETURNS TABLE (lead bigint, fold int, converted boolean, numbers float8[], words text[]) LANGUAGE sql STABLE AS $$
    SELECT f.lead, (hashint8extended(f.lead, 0) & 1023)::int % 5, coalesce(s.status = 'won', false), leadanalytics.fact_numbers(f), leadanalytics.fact_words(f)
    FROM (SELECT * FROM leadanalytics.lead_fact k
          WHERE k.workspace = prediction_examples.workspace AND k.at <= prediction_examples.now - prediction_examples.horizon
          ORDER BY k.at DESC, k.lead DESC LIMIT 200000) AS f
    LEFT JOIN (SELECT DISTINCT ON (c.lead) c.lead, c.to_status AS status
               FROM leadanalytics.lead_status_change c
               JOIN leadanalytics.lead_fact k ON k.workspace = c.workspace AND k.lead = c.lead
               WHERE c.workspace = prediction_examples.workspace AND k.workspace = prediction_examples.workspace AND c.at <= k.at + prediction_examples.horizon
               ORDER BY c.lead, c.at DESC, c.id DESC) AS s ON s.lead = f.lead
$$;
COMMENT ON FUNCTION leadanalytics.prediction_examples(int, interval, timestamptz) IS
    'leads whose horizon was over at now, the latest 200 000: whether they were won when it ended, their features, and one of five folds: for functions that asked who calls';

CREATE FUNCTION leadanalytics.fit_prediction(
    workspace int, horizon interval, minimum int, now timestamptz,
    OUT leads int, OUT conversions int, OUT c float8, OUT auc float8, OUT log_loss float8, OUT brier float8,
    OUT predicted float8[], OUT observed float8[], OUT counts float8[],
    OUT parts "char"[], OUT features int[], OUT words text[], OUT means float8[], OUT scales float8[], OUT weights float8[])
LANGUAGE c STABLE STRICT SET jit = off AS 'MODULE_PATHNAME', 'la_predict_fit';
COMMENT ON FUNCTION leadanalytics.fit_prediction(int, interval, int, timestamptz) IS
    'logistic regression over leadanalytics.prediction_examples(): how well it tells leads it has not seen, in five folds, and the terms of one learned from all; without enough of both kinds only how many there are';

CREATE FUNCTION leadanalytics.prediction_metrics(
    probabilities float8[], happened boolean[],
    OUT auc float8, OUT log_loss float8, OUT brier float8, OUT predicted float8[], OUT observed float8[], OUT counts int[])
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_predict_metrics';
COMMENT ON FUNCTION leadanalytics.prediction_metrics(float8[], boolean[]) IS
    'how well probabilities told what happened: area under the ROC curve, mean logarithmic loss, mean squared error, and tenths by probability: their mean, the share that happened, how many';
GRANT EXECUTE ON FUNCTION leadanalytics.prediction_metrics(float8[], boolean[]) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.prediction_log_odds(workspace int, version int, numbers float8[], words text[])
RETURNS float8 LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'la_predict_log_odds_of';
COMMENT ON FUNCTION leadanalytics.prediction_log_odds(int, int, float8[], text[]) IS 'what a model says of a lead with these features: for functions that asked who calls';

CREATE FUNCTION leadanalytics.model_version(workspace int)
RETURNS int LANGUAGE sql STABLE AS $$
    SELECT max(m.version) FROM leadanalytics.prediction_model m WHERE m.workspace = model_version.workspace
$$;
COMMENT ON FUNCTION leadanalytics.model_version(int) IS 'the model in use, null: none yet';

CREATE FUNCTION leadanalytics.learn_model(workspace int, now timestamptz)
RETURNS int LANGUAGE plpgsql SET jit = off AS $$
#variable_conflict use_column
DECLARE
    horizon CONSTANT interval := leadanalytics.prediction_horizon();
    keep CONSTANT int := 5;
    fit record;
    learned int;
BEGIN
    -- (No lock yet: this is what takes long.)
    SELECT * INTO fit FROM leadanalytics.fit_prediction(learn_model.workspace, horizon, leadanalytics.prediction_minimum(), learn_model.now);
    IF fit.weights IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM leadanalytics.lock_predictions(learn_model.workspace);
    learned := coalesce(leadanalytics.model_version(learn_model.workspace), 0) + 1;
    INSERT INTO leadanalytics.prediction_model (workspace, version, trained_at, horizon, leads, conversions, c, auc, log_loss, brier, calibration)
    VALUES (learn_model.workspace, learned, learn_model.now, horizon, fit.leads, fit.conversions, fit.c, fit.auc, fit.log_loss, fit.brier,
            (SELECT json_agg(json_build_object('predicted', round(u.predicted::numeric, 6), 'observed', round(u.observed::numeric, 6), 'n', u.n::int) ORDER BY u.bin)
             FROM unnest(fit.predicted, fit.observed, fit.counts) WITH ORDINALITY AS u (predicted, observed, n, bin)));
    INSERT INTO leadanalytics.prediction_weight (workspace, version, number, part, feature, word, mean, scale, weight)
    SELECT learn_model.workspace, learned, u.number - 1, u.part, f.name, u.word, u.mean, u.scale, u.weight
    FROM unnest(fit.parts, fit.features, fit.words, fit.means, fit.scales, fit.weights) WITH ORDINALITY AS u (part, feature, word, mean, scale, weight, number)
    LEFT JOIN leadanalytics.prediction_features() f ON f.place = u.feature;
    DELETE FROM leadanalytics.lead_prediction p WHERE p.workspace = learn_model.workspace;
    INSERT INTO leadanalytics.lead_prediction (workspace, lead, version, log_odds)
    SELECT f.workspace, f.lead, learned, leadanalytics.prediction_log_odds(f.workspace, learned, leadanalytics.fact_numbers(f), leadanalytics.fact_words(f))
    FROM (SELECT * FROM leadanalytics.lead_fact k WHERE k.workspace = learn_model.workspace FOR KEY SHARE) AS f;
    DELETE FROM leadanalytics.prediction_model m WHERE m.workspace = learn_model.workspace AND m.version <= learned - keep;
    RETURN learned;
END
$$;
COMMENT ON FUNCTION leadanalytics.learn_model(int, timestamptz) IS
    'learn a model from what is kept of leads, use it from now on, and keep the last five; its version, null: there are not enough outcomes';

CREATE FUNCTION leadanalytics.train_model(workspace int, now timestamptz DEFAULT now())
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(train_model.workspace);
BEGIN
    WHILE EXISTS (SELECT FROM leadanalytics.lead_unpredicted u WHERE u.workspace = allowed) LOOP
        PERFORM leadanalytics.keep_facts(allowed);
    END LOOP;
    RETURN leadanalytics.learn_model(allowed, now);
END
$$;
COMMENT ON FUNCTION leadanalytics.train_model(int, timestamptz) IS
    'learn a model of a workspace''s leads at once, whatever has changed since the last one; its version, null: there are not enough outcomes';
GRANT EXECUTE ON FUNCTION leadanalytics.train_model(int, timestamptz) TO leadanalytics_admin;

-- The worker's units. A day's outcomes are few against all of them: a model is learned anew once a twentieth changed.
CREATE FUNCTION leadanalytics.training_due(workspace int, now timestamptz)
RETURNS boolean LANGUAGE plpgsql STABLE SET jit = off AS $$
DECLARE
    horizon CONSTANT interval := leadanalytics.prediction_horizon();
    last leadanalytics.prediction_model;
    here record;
BEGIN
    SELECT m.* INTO last FROM leadanalytics.prediction_model m WHERE m.workspace = training_due.workspace ORDER BY m.version DESC LIMIT 1;
    SELECT count(*) AS leads, count(*) FILTER (WHERE e.converted) AS conversions INTO here
    FROM leadanalytics.prediction_examples(training_due.workspace, horizon, training_due.now) e;
    RETURN least(here.conversions, here.leads - here.conversions) >= leadanalytics.prediction_minimum()
       AND (last.version IS NULL OR last.horizon <> horizon OR abs(here.leads - last.leads) > last.leads / 20 OR abs(here.conversions - last.conversions) > last.conversions / 20);
END
$$;
COMMENT ON FUNCTION leadanalytics.training_due(int, timestamptz) IS 'whether there is enough to learn from, and a twentieth of it is new since the last model, or its horizon is another';

-- One workspace's trouble is not another's: it is told when all have had their turn.
CREATE PROCEDURE leadanalytics.predict_leads(now timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    workspaces CONSTANT int[] := ARRAY(SELECT DISTINCT u.workspace FROM leadanalytics.lead_unpredicted u ORDER BY 1);
    next int;
    trouble text;
BEGIN
    FOREACH next IN ARRAY workspaces LOOP
        WHILE EXISTS (SELECT FROM leadanalytics.lead_unpredicted u WHERE u.workspace = next) LOOP
            BEGIN
                PERFORM leadanalytics.keep_facts(next);
            EXCEPTION WHEN OTHERS THEN
                trouble := format('workspace %s: %s (SQLSTATE %s)', next, SQLERRM, SQLSTATE);
                EXIT;
            END;
            COMMIT;
        END LOOP;
    END LOOP;
    IF trouble IS NOT NULL THEN
        RAISE EXCEPTION 'leads were not looked at: %', trouble;
    END IF;
END
$$;
COMMENT ON PROCEDURE leadanalytics.predict_leads(timestamptz) IS 'write down what is known of leads that came, and what models say of them: the worker''s unit';

CREATE PROCEDURE leadanalytics.train_models(now timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    workspaces CONSTANT int[] := ARRAY(SELECT w.id FROM leadanalytics.workspace w ORDER BY w.id);
    next int;
    trouble text;
BEGIN
    CALL leadanalytics.predict_leads(now);
    FOREACH next IN ARRAY workspaces LOOP
        BEGIN
            IF leadanalytics.training_due(next, now) THEN
                PERFORM leadanalytics.learn_model(next, now);
            END IF;
        EXCEPTION WHEN OTHERS THEN
            trouble := format('workspace %s: %s (SQLSTATE %s)', next, SQLERRM, SQLSTATE);
        END;
        COMMIT;
    END LOOP;
    IF trouble IS NOT NULL THEN
        RAISE EXCEPTION 'a model was not learned: %', trouble;
    END IF;
END
$$;
COMMENT ON PROCEDURE leadanalytics.train_models(timestamptz) IS 'learn models anew where enough leads have got an end since: the worker''s unit';

INSERT INTO leadanalytics.unit (name, function, kind, every, on_poke, timeout_ms, builtin, summary) VALUES
    ('predict_leads', 'leadanalytics.predict_leads', 'procedure', '1 minute', true, 600000, true, 'writes down what is known of new leads, and how likely they convert'),
    ('predict_train', 'leadanalytics.train_models', 'procedure', '1 day', false, 3600000, true, 'learns who converts');
