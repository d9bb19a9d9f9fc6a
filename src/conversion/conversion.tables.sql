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

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.event_category', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.fx_rate', '');
