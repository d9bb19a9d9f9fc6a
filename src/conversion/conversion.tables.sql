-- What of a workspace's events is worth money, and how much.

CREATE TABLE leadanalytics.event_category (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    event_name text COLLATE "C" NOT NULL CHECK (char_length(event_name) BETWEEN 1 AND 200),
    category text COLLATE "C" NOT NULL CHECK (category ~ '^[a-z][a-z0-9_]{0,62}$'),
    PRIMARY KEY (workspace, event_name)
);
COMMENT ON TABLE leadanalytics.event_category IS 'what a workspace says its events are, where leadanalytics.default_category() is wrong; conversion: it counts as one';

CREATE TABLE leadanalytics.fx_rate (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    currency text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    day date NOT NULL,
    rate numeric NOT NULL CHECK (rate > 0 AND rate < 1e9),
    PRIMARY KEY (workspace, currency, day)
);
COMMENT ON TABLE leadanalytics.fx_rate IS 'rates of exchange: one unit of the currency in the workspace''s own, on a day of its zone and the six after it without a rate of their own';

CREATE TABLE leadanalytics.conversion_rule (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    trigger_event text COLLATE "C" NOT NULL CHECK (char_length(trigger_event) BETWEEN 1 AND 200),
    platform text COLLATE "C" NOT NULL CHECK (platform ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    platform_event text NOT NULL CHECK (char_length(platform_event) BETWEEN 1 AND 200),
    value_path text CHECK (value_path ~ '^[^.]+(\.[^.]+)*$' AND char_length(value_path) <= 200),
    active boolean NOT NULL DEFAULT true,
    PRIMARY KEY (workspace, name)
);
COMMENT ON TABLE leadanalytics.conversion_rule IS 'which events an ad platform is told of: each that is taken writes a row of leadanalytics.outbox';
COMMENT ON COLUMN leadanalytics.conversion_rule.trigger_event IS 'the event''s name';
COMMENT ON COLUMN leadanalytics.conversion_rule.platform_event IS 'what the platform calls it';
COMMENT ON COLUMN leadanalytics.conversion_rule.value_path IS 'where event_data says what it is worth: order.total; null: leadanalytics.conversion_value()';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.conversion_rule', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.event_category', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.fx_rate', '');
