-- S2-19: predictions. Generated leads of a known model, R beside it: test/predict/. The worker, which learns from what is
-- over by its clock, finds nothing here: all of this is in 2050. It may write down what it finds of leads at any time.
\set VERBOSITY terse
SELECT leadanalytics.create_workspace('predict', 'Predict', 'Asia/Kolkata') AS w \gset
SELECT leadanalytics.create_workspace('predict-other') AS other \gset
CREATE FUNCTION pg_temp.data(answer json) RETURNS text LANGUAGE sql AS $$ SELECT (answer -> 'data')::text $$;

-- The list of features is the columns of lead_fact, and what models take has a place for each.
(SELECT name FROM leadanalytics.prediction_features()) EXCEPT (SELECT attname::text FROM pg_attribute WHERE attrelid = 'leadanalytics.lead_fact'::regclass AND attnum > 3);
(SELECT attname::text FROM pg_attribute WHERE attrelid = 'leadanalytics.lead_fact'::regclass AND attnum > 3 AND NOT attisdropped) EXCEPT (SELECT name FROM leadanalytics.prediction_features());
SELECT bool_and(f.place = row.place) AS "in the columns' order", bool_and((f.kind = 'word') = (f.place >= cardinality(leadanalytics.fact_numbers(NULL::leadanalytics.lead_fact)))) AS "words last",
       count(*) = cardinality(leadanalytics.fact_numbers(NULL::leadanalytics.lead_fact)) + cardinality(leadanalytics.fact_words(NULL::leadanalytics.lead_fact)) AS "all of them"
FROM leadanalytics.prediction_features() f
JOIN (SELECT attname::text AS name, row_number() OVER (ORDER BY attnum) - 1 AS place FROM pg_attribute WHERE attrelid = 'leadanalytics.lead_fact'::regclass AND attnum > 3 AND NOT attisdropped) AS row USING (name);
-- Each feature's value is in its own place: a fact with one thing known has that one there, and nothing elsewhere.
SELECT f.name, (leadanalytics.fact_numbers(r))[f.place + 1] IS NOT NULL OR (leadanalytics.fact_words(r))[f.place + 1 - 15] IS NOT NULL AS there
FROM leadanalytics.prediction_features() f
CROSS JOIN LATERAL json_populate_record(NULL::leadanalytics.lead_fact, json_build_object(f.name, CASE f.kind WHEN 'word' THEN 'x' WHEN 'flag' THEN 'true' ELSE '1' END)) AS r
WHERE num_nonnulls(VARIADIC leadanalytics.fact_numbers(r)) + num_nonnulls(VARIADIC leadanalytics.fact_words(r)) <> 1
   OR ((leadanalytics.fact_numbers(r))[f.place + 1] IS NULL AND (leadanalytics.fact_words(r))[f.place + 1 - 15] IS NULL);

-- How good probabilities are, beside plain SQL, with ties.
SELECT setseed(0.5);
CREATE TEMP TABLE told AS SELECT i, round(random()::numeric, 2)::float8 AS p, random() < 0.3 AS y FROM generate_series(1, 333) AS i;
SELECT abs(m.auc - (SELECT avg(CASE WHEN a.p > b.p THEN 1 WHEN a.p = b.p THEN 0.5 ELSE 0 END) FROM told a, told b WHERE a.y AND NOT b.y)) < 1e-12 AS auc,
       abs(m.log_loss - (SELECT -avg(ln(greatest(1e-15, CASE WHEN y THEN p ELSE 1 - p END))) FROM told)) < 1e-12 AS log_loss,
       abs(m.brier - (SELECT avg((p - y::int) ^ 2) FROM told)) < 1e-12 AS brier,
       m.counts,
       (SELECT bool_and(abs(m.predicted[b.bin] - b.predicted) < 1e-12) FROM (SELECT (o.n * 10 / 333 + 1) AS bin, avg(o.p) AS predicted FROM (SELECT p, row_number() OVER (ORDER BY p) - 1 AS n FROM told) AS o GROUP BY 1) AS b) AS predicted,
       (SELECT bool_and(abs(m.observed[b.bin] - b.observed) < 1e-12) FROM (SELECT (o.n * 10 / 333 + 1) AS bin, avg(o.y::int) AS observed FROM (SELECT y, row_number() OVER (ORDER BY p, y) - 1 AS n FROM told) AS o GROUP BY 1) AS b) AS observed
FROM (SELECT (leadanalytics.prediction_metrics(array_agg(p), array_agg(y))).* FROM told) AS m;
SELECT auc, log_loss, brier, counts FROM leadanalytics.prediction_metrics('{0,1}', '{false,true}');
SELECT auc, round(log_loss::numeric, 6) AS log_loss FROM leadanalytics.prediction_metrics('{0.5}', '{true}');
SELECT leadanalytics.prediction_metrics('{}', '{}');
SELECT leadanalytics.prediction_metrics('{0.5,NULL}', '{true,true}');
SELECT leadanalytics.prediction_metrics('{1.5}', '{true}');

-- Scores and chances.
SELECT s AS log_odds, leadanalytics.odds_probability(s), leadanalytics.odds_score(s), leadanalytics.engagement_label(leadanalytics.odds_score(s)) FROM unnest('{-1000,-2,0,1,1000}'::float8[]) AS s;
SELECT leadanalytics.email_kind(e) FROM unnest(ARRAY[NULL, ' ', 'a@GMAIL.com', 'a@firm.example', '"a@gmail.com"@firm.example']) AS e;

-- Nothing to learn from: the rules. Many leads, in both orders, beside plain SQL.
SELECT leadanalytics.create_workspace('predict-rules') AS rules \gset
INSERT INTO leadanalytics.lead (workspace, enquiry_at, status, score, external_id) SELECT :rules, '2050-01-01Z', (ARRAY['new', 'contacted', 'won'])[1 + i % 3], i * 7 % 101, 'r' || i FROM generate_series(1, 300) AS i;
SELECT o.descending, (SELECT array_agg(r.lead) FROM leadanalytics.predictions_rows(:rules, 10, 90, o.descending, 50, 100) r) = (SELECT array_agg(l.id) FROM (SELECT l.id FROM leadanalytics.lead l WHERE l.workspace = :rules AND l.score BETWEEN 10 AND 90
           ORDER BY CASE WHEN o.descending THEN -l.score ELSE l.score END, CASE WHEN o.descending THEN -l.id ELSE l.id END LIMIT 50 OFFSET 100) AS l) AS same
FROM (VALUES (true), (false)) AS o (descending);
SELECT count(*), min(r.total), max(r.total), min(r.score), max(r.score) FROM leadanalytics.predictions_rows(:rules) r;
SELECT count(*) = min(r.total) AS total, count(*) = (SELECT count(*) FROM leadanalytics.lead l WHERE l.workspace = :rules AND l.score BETWEEN 21 AND 45) AS same FROM leadanalytics.predictions_rows(:rules, 21, 45) r;
SELECT leadanalytics.track(:w, '{"events": [
    {"event_name": "page_view", "visitor_id": "v1", "session_id": "s1", "timestamp": "2050-03-01T09:58:00Z", "event_data": {"url": "https://x.example/?utm_source=Ads&utm_medium=CPC&utm_campaign=spring"}},
    {"event_name": "click", "visitor_id": "v1", "session_id": "s1", "timestamp": "2050-03-01T09:59:00Z"},
    {"event_name": "scroll", "visitor_id": "v1", "session_id": "s1", "timestamp": "2050-03-01T10:00:00Z", "event_data": {"scroll_percent": 50}}]}', now => '2050-03-01T10:00:00Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.capture_lead(:w, '{"FIRSTNAME": "Ann", "EMAIL": "ann@gmail.com", "PHONE": "9876543210", "PROJECT": "Tower ", "__visitor_id": "v1", "__pg_tts": "12"}', now => '2050-03-01T10:00:30Z') IS NOT NULL AS taken;
SELECT id AS ann FROM leadanalytics.lead WHERE workspace = :w \gset
CREATE TEMP TABLE first AS SELECT * FROM leadanalytics.reckon_facts(:w, ARRAY[:ann]);
SELECT jsonb_pretty(to_jsonb(f) - '{workspace,lead,at}'::text[]) AS facts FROM first f;
SELECT pg_temp.data(leadanalytics.predictions(:w)) = format('[%s]', leadanalytics.prediction(:w, :'ann')) AS "list = detail";
SELECT a -> 'score' AS score, a -> 'probability' AS probability, a -> 'label' AS label, a -> 'modelVersion' AS version, jsonb_pretty((a -> 'factors')::jsonb) AS factors FROM leadanalytics.prediction(:w, :'ann') AS a;
SELECT leadanalytics.prediction_model(:w, '2050-06-30Z');
SELECT leadanalytics.forecast(:w, now => '2050-03-02Z');
SELECT leadanalytics.train_model(:w, '2050-06-30Z') IS NULL AS "not enough";

-- What happens afterwards changes nothing of it: not what the session goes on to do, a follow-up, a later identity, or a mail.
SELECT leadanalytics.track(:w, '{"events": [
    {"event_name": "click", "visitor_id": "v1", "session_id": "s1", "timestamp": "2050-03-01T10:01:00Z"},
    {"event_name": "page_view", "visitor_id": "v1", "session_id": "s1", "timestamp": "2050-03-01T10:02:00Z", "event_data": {"url": "https://x.example/b"}},
    {"event_name": "$identify", "visitor_id": "v1", "session_id": "s1", "user_id": "u1", "timestamp": "2050-03-01T10:02:00Z"},
    {"event_name": "scroll", "visitor_id": "v1", "session_id": "s1", "timestamp": "2050-03-01T10:03:00Z", "event_data": {"scroll_percent": 100}}]}', now => '2050-03-01T10:03:00Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.capture_lead(:w, '{"EMAIL": "ann@firm.example", "PROJECT": "Tower", "SOURCE": "later", "__visitor_id": "v1"}', now => '2050-03-01T10:04:00Z') IS NOT NULL AS taken;
SELECT leadanalytics.put_message_events(:w, json_build_array(json_build_object('message_id', 'm1', 'event', 'sent', 'lead_id', :'ann', 'timestamp', '2050-03-01T10:05:00Z'),
    json_build_object('message_id', 'm1', 'event', 'opened', 'timestamp', '2050-03-01T11:05:00Z')), now => '2050-03-01T12:00:00Z') ->> 'accepted' AS accepted;
SELECT leadanalytics.set_lead_status(:w, :ann, 'won', now => '2050-03-05Z') IS NOT NULL AS won;
(SELECT to_jsonb(f)::text FROM leadanalytics.reckon_facts(:w, ARRAY[:ann]) f) EXCEPT (SELECT to_jsonb(f)::text FROM first f);
-- (What was before is looked at: a lead of half a minute later knows of all that.)
SELECT leadanalytics.put_engagement_lead(:w, 'u1', email => 'ANN@gmail.com', project => 'tower', created_at => '2050-03-01T12:00:00Z', now => '2050-03-01T12:00:00Z') IS NOT NULL AS put;
SELECT r.clicks, r.scroll_percent, r.pageviews, r.session_seconds, r.earlier_leads, r.project_leads, r.email, r.has_phone, r.source, r.suspicion
FROM leadanalytics.lead l, leadanalytics.reckon_facts(:w, ARRAY[l.id]) r WHERE l.workspace = :w AND l.external_id = 'u1';

-- Kept by the worker: the same, and nothing waits any more. A lead that is said to have come at another time is looked at again.
CREATE TEMP TABLE before AS SELECT r.* FROM leadanalytics.lead l, leadanalytics.reckon_facts(:w, ARRAY[l.id]) r WHERE l.workspace = :w;
SELECT leadanalytics.keep_facts(:w) IS NOT NULL AS kept;
SELECT count(*) AS waiting FROM leadanalytics.lead_unpredicted WHERE workspace = :w;
(SELECT to_jsonb(f)::text FROM leadanalytics.lead_fact f WHERE f.workspace = :w) EXCEPT (SELECT to_jsonb(b)::text FROM before b);
SELECT count(*) FROM leadanalytics.lead_fact f WHERE f.workspace = :w;
BEGIN; -- (so that nobody else sees it)
SELECT leadanalytics.put_engagement_lead(:w, 'u1', created_at => '2050-02-01T12:00:00Z', now => '2050-03-01T12:00:00Z') IS NOT NULL AS put;
SELECT r.at = '2050-02-01T12:00:00Z' AS moved, r.earlier_leads, r.clicks FROM leadanalytics.lead l, leadanalytics.facts_of(:w, ARRAY[l.id]) r WHERE l.workspace = :w AND l.external_id = 'u1';
SELECT leadanalytics.keep_facts(:w) AS kept, leadanalytics.keep_facts(:w) AS again;
COMMIT;
SELECT f.at = l.enquiry_at AS moved FROM leadanalytics.lead l JOIN leadanalytics.lead_fact f ON f.workspace = l.workspace AND f.lead = l.id WHERE l.workspace = :w AND l.external_id = 'u1';
DELETE FROM leadanalytics.lead WHERE workspace = :w;
SELECT count(*) FROM leadanalytics.lead_fact f WHERE f.workspace = :w;

-- Enough of both: 300 leads, of "good" most are won, of "bad" few; those of the last 90 days teach nothing.
SELECT count(leadanalytics.put_engagement_lead(:w, 'p' || i, email => CASE i % 2 WHEN 0 THEN 'p' || i || '@firm.example' END, source => CASE WHEN i % 3 = 0 THEN 'Good' ELSE 'bad' END,
    created_at => timestamptz '2050-01-01Z' + i * interval '6 hours', now => timestamptz '2050-01-01Z' + i * interval '6 hours')) FROM generate_series(1, 600) AS i;
SELECT count(leadanalytics.patch_engagement_lead(:w, 'p' || i, status => CASE WHEN (i % 3 = 0) = (i % 10 > 1) THEN 'converted' ELSE 'lost' END, now => timestamptz '2050-01-01Z' + i * interval '6 hours' + (i % 20) * interval '24 hours'))
FROM generate_series(1, 300) AS i;
-- Won after the horizon is not won within it; won and lost again is lost.
SELECT leadanalytics.patch_engagement_lead(:w, 'p1', status => 'lost', now => '2050-01-30Z') IS NOT NULL, leadanalytics.patch_engagement_lead(:w, 'p2', status => 'lost', now => '2050-01-30Z') IS NOT NULL,
       leadanalytics.patch_engagement_lead(:w, 'p2', status => 'converted', now => '2050-05-30Z') IS NOT NULL;
SELECT leadanalytics.keep_facts(:w) IS NOT NULL AS kept;
SELECT leadanalytics.training_due(:w, '2050-06-14T12:00Z'), leadanalytics.training_due(:w, '2050-02-01Z') AS "too early", leadanalytics.training_due(:other, '2050-06-14T12:00Z') AS "none";
SELECT leadanalytics.train_model(:w, '2050-06-14T12:00Z') AS version, leadanalytics.training_due(:w, '2050-06-14T12:00Z') AS "due again";
SELECT version, trained_at = '2050-06-14T12:00Z' AS at, horizon, leads, conversions, auc > 0.7 AND auc < 0.9 AS auc, json_array_length(calibration) AS bins FROM leadanalytics.prediction_models WHERE workspace = :w;
SELECT count(*) AS leads, count(*) FILTER (WHERE l.converted) AS conversions FROM (
    SELECT l.id, (SELECT c.to_status FROM leadanalytics.lead_status_change c WHERE c.workspace = :w AND c.lead = l.id AND c.at <= l.enquiry_at + interval '2160 hours' ORDER BY c.at DESC, c.id DESC LIMIT 1) = 'won' AS converted
    FROM leadanalytics.lead l WHERE l.workspace = :w AND l.enquiry_at <= timestamptz '2050-06-14T12:00Z' - interval '2160 hours') AS l;
SELECT feature, part, word, sign(weight) FROM leadanalytics.prediction_weights WHERE workspace = :w AND feature = 'source' ORDER BY number;
SELECT leadanalytics.prediction_model(:w, '2050-06-15Z')::jsonb - '{features,auc,logLoss,brier,calibration}'::text[] AS model;

-- A third way: the log-odds of each lead by plain SQL, from what is stored.
CREATE TEMP TABLE plain AS
SELECT f.lead, (SELECT sum(w.weight * CASE w.part
           WHEN 'i' THEN 1
           WHEN 'n' THEN coalesce((x.number - w.mean) / w.scale, 0)
           WHEN 'w' THEN (x.word IS NOT DISTINCT FROM w.word)::int
           WHEN 'm' THEN (x.number IS NULL AND x.word IS NULL)::int
           WHEN 'o' THEN (x.word IS NOT NULL AND NOT EXISTS (SELECT FROM leadanalytics.prediction_weight o WHERE o.workspace = :w AND o.version = 1 AND o.feature = w.feature AND o.word = x.word))::int END)
        FROM leadanalytics.prediction_weight w
        LEFT JOIN leadanalytics.prediction_features() d ON d.name = w.feature
        CROSS JOIN LATERAL (SELECT CASE WHEN d.kind = 'count' THEN ln(1 + (to_jsonb(f) ->> d.name)::float8) WHEN d.kind = 'flag' THEN (to_jsonb(f) ->> d.name)::boolean::int WHEN d.kind = 'number' THEN (to_jsonb(f) ->> d.name)::float8 END AS number,
                                   CASE d.kind WHEN 'word' THEN to_jsonb(f) ->> d.name END AS word) AS x
        WHERE w.workspace = :w AND w.version = 1) AS log_odds
FROM leadanalytics.lead_fact f WHERE f.workspace = :w;
SELECT count(*), count(*) FILTER (WHERE abs(p.log_odds - k.log_odds) < 1e-9) AS kept, count(*) FILTER (WHERE abs(p.log_odds - r.log_odds) < 1e-9) AS listed,
       count(*) FILTER (WHERE abs(p.log_odds - e.log_odds) < 1e-9) AS "by factors", count(DISTINCT round(p.log_odds::numeric, 6)) > 20 AS "not all the same"
FROM plain p
JOIN leadanalytics.lead_prediction k ON k.workspace = :w AND k.lead = p.lead
JOIN leadanalytics.predictions_rows(:w) r ON r.lead = p.lead
JOIN leadanalytics.lead l ON l.workspace = :w AND l.id = p.lead
CROSS JOIN LATERAL (SELECT sum(f.effect) + (SELECT weight FROM leadanalytics.prediction_weight WHERE workspace = :w AND version = 1 AND part = 'i') AS log_odds FROM leadanalytics.prediction_factors_rows(:w, l.external_id) f) AS e;
-- What the list shows is what the detail shows, in the order of plain SQL.
SELECT bool_and(d.value::text = leadanalytics.prediction(:w, d.value ->> 'leadId')::text) AS "list = detail", json_agg(d.value -> 'leadId' ORDER BY d.n)::text = (
           SELECT json_agg(o.external_id)::text FROM (SELECT l.external_id FROM leadanalytics.lead_prediction p JOIN leadanalytics.lead l ON l.workspace = p.workspace AND l.id = p.lead WHERE p.workspace = :w
                                                      ORDER BY p.log_odds DESC, p.lead DESC LIMIT 50 OFFSET 50) AS o) AS "in order"
FROM json_array_elements(leadanalytics.predictions(:w, 2, 50) -> 'data') WITH ORDINALITY AS d (value, n);
SELECT leadanalytics.predictions(:w, 1, 1) -> 'pagination' AS page, leadanalytics.predictions(:w, 601, 1) -> 'pagination' AS beyond;
SELECT leadanalytics.predictions(:w, 2000000000, 100) #>> '{pagination,total}' AS "far beyond";
SELECT s.label, (leadanalytics.predictions(:w, label => s.label) #>> '{pagination,total}')::int = (SELECT count(*) FROM leadanalytics.lead_prediction p WHERE p.workspace = :w AND leadanalytics.engagement_label(round(100 / (1 + exp(-p.log_odds)))::int) = s.label) AS total
FROM unnest('{Cold,Warm,Hot,Very Hot}'::text[]) AS s (label);
SELECT leadanalytics.predictions(:w, min_score => 71, label => 'Hot') #>> '{pagination,total}' AS "none both";
SELECT (leadanalytics.predictions(:w, sort => 'score_asc', "limit" => 1) #> '{data,0}')::text = (leadanalytics.predictions(:w, 600, 1) #> '{data,0}')::text AS "the other way round";

-- A lead that nobody has looked at is told all the same, the same as once somebody has; words that no model knows are others.
BEGIN;
SELECT leadanalytics.put_engagement_lead(:w, 'new', source => 'good', created_at => '2050-06-15T12:00Z', now => '2050-06-15T12:00Z') IS NOT NULL AS put, leadanalytics.put_engagement_lead(:w, 'odd', source => 'never heard', created_at => '2050-06-15T12:00Z', now => '2050-06-15T12:00Z') IS NOT NULL AS put;
CREATE TEMP TABLE unseen AS SELECT leadanalytics.prediction(:w, l)::text AS detail, (SELECT r.log_odds FROM leadanalytics.predictions_rows(:w) r WHERE r.lead_id = l) AS odds FROM unnest('{new,odd}'::text[]) AS l;
COMMIT;
SELECT leadanalytics.keep_facts(:w) IS NOT NULL AS kept;
SELECT count(*) AS kept FROM leadanalytics.lead_prediction p JOIN leadanalytics.lead l ON l.workspace = p.workspace AND l.id = p.lead WHERE p.workspace = :w AND l.external_id IN ('new', 'odd');
SELECT count(*) FROM unseen u JOIN unnest('{new,odd}'::text[]) AS l ON leadanalytics.prediction(:w, l)::text = u.detail AND (SELECT r.log_odds FROM leadanalytics.predictions_rows(:w) r WHERE r.lead_id = l) = u.odds;
-- A moved lead stands in the list once, with what is true of it now.
BEGIN;
SELECT leadanalytics.put_engagement_lead(:w, 'p5', created_at => '2050-06-16T12:00Z', now => '2050-06-16T12:00Z') IS NOT NULL AS put;
SELECT count(*) AS once, bool_and(r.log_odds <> (SELECT p.log_odds FROM leadanalytics.lead_prediction p WHERE p.workspace = :w AND p.lead = r.lead)) AS another FROM leadanalytics.predictions_rows(:w) r WHERE r.lead_id = 'p5';
COMMIT;

-- The last five are kept, and the same leads make the same model.
SELECT leadanalytics.train_model(:w, '2050-06-14T12:00Z') FROM generate_series(1, 6);
SELECT array_agg(version ORDER BY version) AS versions FROM leadanalytics.prediction_models WHERE workspace = :w;
(SELECT number, part, feature, word, mean, scale, weight FROM leadanalytics.prediction_weight WHERE workspace = :w AND version = 6) EXCEPT (SELECT number, part, feature, word, mean, scale, weight FROM leadanalytics.prediction_weight WHERE workspace = :w AND version = 7);
SELECT count(DISTINCT version) AS versions, min(version) AS version, count(*) FROM leadanalytics.lead_prediction WHERE workspace = :w;

-- The forecast: the parts add up, more days have more, the surer the wider.
SELECT abs(a.expected - a.from_open_leads - a.from_new_leads) < 1e-9 AS sum, a.low < a.expected AND a.expected < a.high AND a.low >= 0 AS inside, b.low <= a.low AND a.high < b.high AS wider, c.expected > a.expected AS more, a.from_open_leads > 0 AS open
FROM leadanalytics.forecast_rows(:w, 30, 80, '2050-06-14T12:00Z') a, leadanalytics.forecast_rows(:w, 30, 95, '2050-06-14T12:00Z') b, leadanalytics.forecast_rows(:w, 60, 80, '2050-06-14T12:00Z') c;
SELECT leadanalytics.forecast(:w, 30, 90);
SELECT leadanalytics.prediction(:w, 'nobody');
SELECT leadanalytics.prediction_factors_rows(:w, 'nobody');

-- Others see nothing of it.
SELECT pg_temp.data(leadanalytics.predictions(:other));
SELECT leadanalytics.prediction(:other, 'p7');
SELECT leadanalytics.train_model(-1);
CREATE ROLE predict_reader; GRANT leadanalytics_read TO predict_reader;
SELECT leadanalytics.grant_workspace(:other, 'predict_reader');
SET ROLE predict_reader;
SELECT count(*) FROM leadanalytics.prediction_models;
SELECT leadanalytics.predictions(:w);
SELECT leadanalytics.train_model(:other);
RESET ROLE;
DROP OWNED BY predict_reader; DROP ROLE predict_reader;
SELECT leadanalytics.fit_prediction(:w, '90 days', 100000, '2051-01-01Z');
