-- What a lead looked like when it came, the models that were learned from what became of leads, and what the
-- latest one says of each lead.

-- Written once, soon after the lead came, and never changed by what happens later: nothing that a model learns
-- from lies after the moment at which it will be asked. None of it names a person.
CREATE TABLE leadanalytics.lead_fact (
    workspace int NOT NULL,
    lead bigint NOT NULL,
    at timestamptz NOT NULL,
    session_seconds real,
    scroll_percent real,
    clicks int,
    pageviews int,
    returns int,
    engagement_score smallint,
    suspicion smallint,
    seconds_to_submit real,
    vpn_score smallint,
    earlier_leads int,
    project_leads int,
    mails_sent int,
    mails_opened int,
    mails_clicked int,
    has_phone boolean,
    email text,
    source text,
    medium text,
    campaign text,
    project text,
    country text,
    device text,
    browser text,
    os text,
    weekday text,
    hour text,
    PRIMARY KEY (workspace, lead),
    FOREIGN KEY (workspace, lead) REFERENCES leadanalytics.lead (workspace, id) ON DELETE CASCADE
);
COMMENT ON TABLE leadanalytics.lead_fact IS 'what was known of a lead when it came; leadanalytics.prediction_features() says what each column means; null: not known';
COMMENT ON COLUMN leadanalytics.lead_fact.at IS 'its enquiry_at when this was reckoned: nothing here is later';
CREATE INDEX lead_fact_by_time ON leadanalytics.lead_fact (workspace, at);

CREATE TABLE leadanalytics.prediction_model (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    version int NOT NULL CHECK (version > 0),
    trained_at timestamptz NOT NULL,
    horizon interval NOT NULL,
    leads int NOT NULL,
    conversions int NOT NULL,
    c float8 NOT NULL,
    auc float8 NOT NULL,
    log_loss float8 NOT NULL,
    brier float8 NOT NULL,
    calibration json NOT NULL,
    PRIMARY KEY (workspace, version)
);
COMMENT ON TABLE leadanalytics.prediction_model IS 'logistic regressions of whether a lead converts within a horizon, with how well each told leads it had not learned from; the highest version is the one in use';
COMMENT ON COLUMN leadanalytics.prediction_model.c IS 'what an error costs against the size of the weights (liblinear''s C): the best of a few in cross-validation';
COMMENT ON COLUMN leadanalytics.prediction_model.calibration IS '[{"predicted": mean probability, "observed": share that converted, "n": leads}] of tenths of the leads, by probability';

CREATE TABLE leadanalytics.prediction_weight (
    workspace int NOT NULL,
    version int NOT NULL,
    number int NOT NULL,
    part "char" NOT NULL CHECK (part IN ('i', 'n', 'm', 'w', 'o')),
    feature text COLLATE "C",
    word text COLLATE "C",
    mean float8 NOT NULL,
    scale float8 NOT NULL,
    weight float8 NOT NULL,
    PRIMARY KEY (workspace, version, number),
    FOREIGN KEY (workspace, version) REFERENCES leadanalytics.prediction_model (workspace, version) ON DELETE CASCADE
);
COMMENT ON TABLE leadanalytics.prediction_weight IS 'the terms of a model: the log-odds of a lead are the sum of those that it has, each weight × (x − mean) / scale';
COMMENT ON COLUMN leadanalytics.prediction_weight.part IS 'i: always there; n: a number; m: x = 1 when the feature is not known; w: when it is this word; o: when it is a word that has no term';

CREATE TABLE leadanalytics.lead_prediction (
    workspace int NOT NULL,
    lead bigint NOT NULL,
    version int NOT NULL,
    log_odds float8 NOT NULL,
    PRIMARY KEY (workspace, lead),
    -- (of what is ours: so that a hundred thousand of them lock no row of leadanalytics.lead)
    FOREIGN KEY (workspace, lead) REFERENCES leadanalytics.lead_fact (workspace, lead) ON DELETE CASCADE
);
COMMENT ON TABLE leadanalytics.lead_prediction IS 'what a model says of a lead; what is missing here, or of another version, is reckoned by whoever asks';
CREATE INDEX lead_prediction_best ON leadanalytics.lead_prediction (workspace, version, log_odds DESC, lead DESC);

-- Not dumped: the leads of a restore write it anew. No key: nobody who writes a lead may wait here for anybody.
CREATE TABLE leadanalytics.lead_unpredicted (
    workspace int NOT NULL,
    lead bigint NOT NULL
);
CREATE INDEX lead_unpredicted_of ON leadanalytics.lead_unpredicted (workspace, lead);
COMMENT ON TABLE leadanalytics.lead_unpredicted IS 'leads that came, or came at another time than was said before, since the worker last looked';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead_fact', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.prediction_model', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.prediction_weight', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead_prediction', '');
