-- Models, as they are stored (S2-19).

CREATE VIEW leadanalytics.prediction_models WITH (security_barrier) AS
SELECT m.workspace, m.version, m.trained_at, m.horizon, m.leads, m.conversions, m.c, m.auc, m.log_loss, m.brier, m.calibration
FROM leadanalytics.prediction_model m
WHERE m.workspace IN (SELECT w.id FROM leadanalytics.workspace w WHERE leadanalytics.may(w.id));
COMMENT ON VIEW leadanalytics.prediction_models IS
    'the last models of each workspace: learned from so many leads, how well they told those they had not seen (auc, log_loss, brier, calibration); the highest version is in use';
GRANT SELECT ON leadanalytics.prediction_models TO leadanalytics_read;

CREATE VIEW leadanalytics.prediction_weights WITH (security_barrier) AS
SELECT w.workspace, w.version, w.number, w.part, w.feature, w.word, w.mean, w.scale, w.weight
FROM leadanalytics.prediction_weight w
WHERE w.workspace IN (SELECT n.id FROM leadanalytics.workspace n WHERE leadanalytics.may(n.id));
COMMENT ON VIEW leadanalytics.prediction_weights IS
    'the terms of models; part i: the intercept; n: weight × (x − mean) / scale of a number; w: the feature is this word; o: another word; m: it is not known';
GRANT SELECT ON leadanalytics.prediction_weights TO leadanalytics_read;

CREATE FUNCTION leadanalytics.prediction_model(workspace int, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(prediction_model.workspace);
    horizon interval := leadanalytics.prediction_horizon();
    used leadanalytics.prediction_model;
    features json;
BEGIN
    SELECT m.* INTO used FROM leadanalytics.prediction_model m WHERE m.workspace = allowed AND m.version = leadanalytics.model_version(allowed);
    IF used.version IS NULL THEN
        SELECT count(*), count(*) FILTER (WHERE e.converted) INTO used.leads, used.conversions
        FROM leadanalytics.prediction_examples(allowed, horizon, prediction_model.now) e;
    ELSE
        horizon := used.horizon;
        SELECT json_agg(json_build_object('name', w.feature, 'word', w.word, 'part', CASE w.part WHEN 'i' THEN 'intercept' WHEN 'n' THEN 'number' WHEN 'w' THEN 'word' WHEN 'o' THEN 'other' ELSE 'missing' END,
                                          'mean', w.mean, 'scale', w.scale, 'weight', w.weight) ORDER BY w.number) INTO features
        FROM leadanalytics.prediction_weight w WHERE w.workspace = allowed AND w.version = used.version;
    END IF;
    RETURN json_build_object(
        'version', used.version, 'status', CASE WHEN used.version IS NULL THEN 'not enough data' ELSE 'trained' END, 'trainedAt', leadanalytics.utc_milliseconds(used.trained_at),
        'horizonDays', round(extract(epoch FROM horizon) / 86400, 2)::float8, 'leads', used.leads, 'conversions', used.conversions,
        'required', json_build_object('converted', leadanalytics.prediction_minimum(), 'notConverted', leadanalytics.prediction_minimum()),
        'auc', round(used.auc::numeric, 6), 'logLoss', round(used.log_loss::numeric, 6), 'brier', round(used.brier::numeric, 6),
        'calibration', coalesce(used.calibration, '[]'), 'features', coalesce(features, '[]'));
END
$$;
COMMENT ON FUNCTION leadanalytics.prediction_model(int, timestamptz) IS
    'the model in use: what it was learned from, how well it told leads it had not seen, and its terms; version null, status "not enough data": there is none yet, and leads and conversions say how many there are with an end';
GRANT EXECUTE ON FUNCTION leadanalytics.prediction_model(int, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, message, summary, example, builtin) VALUES
    ('GET', '/v1/analytics/predictions/model', 'leadanalytics.prediction_model', 'engagement', '{live,sandbox}', 'Model retrieved', 'The model behind predictions, and how good it is',
     '{"version": 3, "status": "trained", "trainedAt": "2026-02-09T10:30:00.000Z", "horizonDays": 90, "leads": 4200, "conversions": 310, "required": {"converted": 50, "notConverted": 50},
       "auc": 0.783412, "logLoss": 0.221874, "brier": 0.061042, "calibration": [{"predicted": 0.011873, "observed": 0.014286, "n": 420}],
       "features": [{"name": "session_seconds", "word": null, "part": "number", "mean": 4.21, "scale": 1.3, "weight": 0.57}]}', true);
