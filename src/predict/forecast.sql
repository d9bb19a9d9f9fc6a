-- How many leads will convert in the days to come (S2-19).
--
-- Two sums. Of each open lead of age a, younger than the horizon H, with probability p to convert within H: the chance
-- that it converts within the next d, given that until now it has neither converted nor been lost,
--     q = p (F(min(a + d, H)) - F(a)) / (p (1 - F(a)) + (1 - p) (1 - G(a))),
-- where F(t) is the share of conversions that had happened t after the lead came (F(H) = 1), and G(t) the share of the
-- others that had been lost by then (competing risks, by Bayes' rule; both as leads whose horizon is over had it).
-- And leads that are still to come, at the rate of the last 28 days and with their mean p: one that comes s before the
-- end converts until then with p F(s), so that there are m = rate p ∫₀ᵈ F(s) ds = rate p mean(max(0, d - T)), where T are the
-- times that conversions took.
--
-- The variance of the first sum is that of a Poisson binomial distribution, Σ q (1 - q); of the second, a random part of
-- a random number (law of total variance), m (1 + r (φ - 1)), where r is the part and φ the variance of the leads of a
-- week over their mean, of the last twelve weeks, 1 at the least. What is estimated errs too: the rate by a share of
-- √(φ / leads), the level of the model by one of 1 / √conversions; both are added as their squares. The interval is
-- the normal distribution's, from 0 up.

CREATE FUNCTION leadanalytics.outcome_days(workspace int, horizon interval, now timestamptz, OUT won float8[], OUT lost float8[], OUT not_won int)
LANGUAGE plpgsql STABLE SET jit = off AS $$
BEGIN
    SELECT coalesce(array_agg(e.days ORDER BY e.days) FILTER (WHERE e.status = 'won'), '{}'), coalesce(array_agg(e.days ORDER BY e.days) FILTER (WHERE e.status IN ('lost', 'fake', 'unqualified')), '{}'),
           count(*) FILTER (WHERE e.status IS DISTINCT FROM 'won')
    INTO won, lost, not_won
    FROM (SELECT DISTINCT ON (f.lead) f.lead, c.to_status AS status, extract(epoch FROM c.at - f.at)::float8 / 86400 AS days
          FROM leadanalytics.lead_fact f
          LEFT JOIN leadanalytics.lead_status_change c ON c.workspace = f.workspace AND c.lead = f.lead AND c.at <= f.at + outcome_days.horizon
          WHERE f.workspace = outcome_days.workspace AND f.at <= outcome_days.now - outcome_days.horizon
          ORDER BY f.lead, c.at DESC, c.id DESC) AS e;
END
$$;
COMMENT ON FUNCTION leadanalytics.outcome_days(int, interval, timestamptz) IS
    'of leads whose horizon was over at now: how many days those took that were won when it ended, how many those that were lost, the fewest first, and how many were not won: for functions that asked who calls';

-- How much of something had happened by a day: an array of the days it happened on, in order, of so many.
CREATE FUNCTION leadanalytics.happened_by(day float8, days float8[], n bigint)
RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN n > 0 AND cardinality(days) > 0 THEN width_bucket(day, days)::float8 / n ELSE 0 END $$;
COMMENT ON FUNCTION leadanalytics.happened_by(float8, float8[], bigint) IS 'the share of n that lies at or before a day';

CREATE FUNCTION leadanalytics.forecast_rows(workspace int, days int DEFAULT 30, confidence int DEFAULT 80, now timestamptz DEFAULT now())
RETURNS TABLE (expected float8, low float8, high float8, from_open_leads float8, from_new_leads float8, model_version int)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(forecast_rows.workspace);
    z CONSTANT float8 := CASE forecast_rows.confidence WHEN 80 THEN 1.2815515655446004 WHEN 95 THEN 1.959963984540054 END; -- of the normal distribution
    ahead CONSTANT float8 := forecast_rows.days;
    used leadanalytics.prediction_model;
    ends record;
    took float8[];
    horizon float8; -- days
    open record;
    recent record;
    weeks record;
    coming float8;
    spread float8;
BEGIN
    SELECT m.* INTO used FROM leadanalytics.prediction_model m WHERE m.workspace = allowed AND m.version = leadanalytics.model_version(allowed);
    IF used.version IS NULL THEN
        RETURN QUERY SELECT NULL::float8, NULL::float8, NULL::float8, NULL::float8, NULL::float8, NULL::int;
        RETURN;
    END IF;
    SELECT o.* INTO ends FROM leadanalytics.outcome_days(allowed, used.horizon, forecast_rows.now) o;
    took := ends.won;
    horizon := extract(epoch FROM used.horizon) / 86400;
    WITH fresh AS MATERIALIZED (
        SELECT f.lead, f.log_odds FROM leadanalytics.fresh_predictions(allowed, used.version) f
    ), young AS MATERIALIZED (
        SELECT l.id, leadanalytics.odds_probability(coalesce(f.log_odds, p.log_odds)) AS p, extract(epoch FROM forecast_rows.now - l.enquiry_at)::float8 / 86400 AS age
        FROM leadanalytics.lead l
        LEFT JOIN leadanalytics.lead_prediction p ON p.workspace = allowed AND p.lead = l.id AND p.version = used.version
        LEFT JOIN fresh f ON f.lead = l.id
        WHERE l.workspace = allowed AND l.enquiry_at > forecast_rows.now - greatest(used.horizon, interval '672 hours') AND l.enquiry_at <= forecast_rows.now
    ), status AS MATERIALIZED ( -- as it was then
        SELECT DISTINCT ON (c.lead) c.lead, c.to_status
        FROM young y JOIN leadanalytics.lead_status_change c ON c.workspace = allowed AND c.lead = y.id AND c.at <= forecast_rows.now
        ORDER BY c.lead, c.at DESC, c.id DESC
    ), chance AS (
        SELECT y.p * (f.until - f.won) / nullif(y.p * (1 - f.won) + (1 - y.p) * (1 - f.lost), 0) AS q
        FROM young y
        LEFT JOIN status s ON s.lead = y.id
        CROSS JOIN LATERAL (SELECT leadanalytics.happened_by(y.age, took, cardinality(took)) AS won, leadanalytics.happened_by(least(y.age + ahead, horizon), took, cardinality(took)) AS until,
                                   leadanalytics.happened_by(y.age, ends.lost, ends.not_won) AS lost) AS f
        WHERE y.age < horizon AND coalesce(s.to_status, 'new') IN ('new', 'contacted', 'qualified', 'proposal')
    )
    SELECT (SELECT coalesce(sum(c.q), 0) FROM chance c) AS n, (SELECT coalesce(sum(c.q * (1 - c.q)), 0) FROM chance c) AS variance,
           count(*) AS leads, coalesce(sum(y.p), 0) AS p
    INTO open
    FROM young y WHERE y.age < 28;
    -- A workspace that has begun to have leads since has fewer days to tell.
    SELECT least(28, greatest(1, extract(epoch FROM forecast_rows.now - min(l.enquiry_at))::float8 / 86400)) AS days INTO recent
    FROM leadanalytics.lead l WHERE l.workspace = allowed;
    SELECT CASE WHEN count(*) >= 4 AND avg(w.n) > 0 THEN greatest(1, var_samp(w.n) / avg(w.n)) ELSE 1 END::float8 AS phi INTO weeks
    FROM (SELECT i, count(l.id) AS n
          FROM generate_series(0, 11) AS i
          LEFT JOIN leadanalytics.lead l ON l.workspace = allowed AND l.enquiry_at > forecast_rows.now - (i + 1) * interval '168 hours' AND l.enquiry_at <= forecast_rows.now - i * interval '168 hours'
          WHERE forecast_rows.now - (i + 1) * interval '168 hours' >= (SELECT min(k.enquiry_at) FROM leadanalytics.lead k WHERE k.workspace = allowed)
          GROUP BY i) AS w;
    coming := open.p / recent.days * (SELECT coalesce(avg(greatest(0, ahead - t)), 0) FROM unnest(took) AS t);
    spread := sqrt(open.variance
                   + CASE WHEN open.leads > 0 THEN coming * (1 + coming / (open.leads / recent.days * ahead) * (weeks.phi - 1)) + coming ^ 2 * weeks.phi / open.leads ELSE 0 END
                   + (open.n + coming) ^ 2 / greatest(cardinality(took), 1));
    RETURN QUERY
    SELECT open.n + coming, greatest(0, open.n + coming - z * spread), open.n + coming + z * spread, open.n, coming, used.version;
END
$$;
COMMENT ON FUNCTION leadanalytics.forecast_rows(int, int, int, timestamptz) IS
    'one row: how many leads are expected to convert in the next days (1 to 365), of those there are and of those to come, and from where to where their number lies with a confidence of 80 or 95 percent; nulls without a model';
GRANT EXECUTE ON FUNCTION leadanalytics.forecast_rows(int, int, int, timestamptz) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.forecast(workspace int, days int DEFAULT 30, confidence int DEFAULT 80, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed CONSTANT int := leadanalytics.permitted(forecast.workspace);
BEGIN
    IF confidence NOT IN (80, 95) THEN
        PERFORM leadanalytics.fail_field('confidence', 'Must be 80 or 95');
    END IF;
    RETURN (SELECT json_build_object('days', forecast.days, 'expected', round(r.expected::numeric, 2), 'low', round(r.low::numeric, 2), 'high', round(r.high::numeric, 2), 'confidence', forecast.confidence,
                                     'fromOpenLeads', round(r.from_open_leads::numeric, 2), 'fromNewLeads', round(r.from_new_leads::numeric, 2), 'modelVersion', r.model_version)
            FROM leadanalytics.forecast_rows(allowed, forecast.days, forecast.confidence, forecast.now) r);
END
$$;
COMMENT ON FUNCTION leadanalytics.forecast(int, int, int, timestamptz) IS 'how many leads are expected to convert in the next days, with an interval; nulls without a model; LA422';
GRANT EXECUTE ON FUNCTION leadanalytics.forecast(int, int, int, timestamptz) TO leadanalytics_read;

INSERT INTO leadanalytics.route (method, path, function, family, roles, message, summary, example, builtin) VALUES
    ('GET', '/v1/analytics/predictions/forecast', 'leadanalytics.forecast', 'engagement', '{live,sandbox}', 'Forecast retrieved', 'How many leads will convert in the next days',
     '{"days": 30, "expected": 41.27, "low": 32.05, "high": 50.49, "confidence": 80, "fromOpenLeads": 29.80, "fromNewLeads": 11.47, "modelVersion": 3}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, min, max, fallback, position, example, summary) VALUES
    ('GET', '/v1/analytics/predictions/forecast', 'days', 'query', 'days', 'int', 1, 365, '30', 1, '30', 'how many days ahead'),
    ('GET', '/v1/analytics/predictions/forecast', 'confidence', 'query', 'confidence', 'int', 80, 95, '80', 2, '80', 'how sure the interval is, in percent: 80 or 95');
