-- What of anomalies was told, so that each is told once.
CREATE TABLE leadanalytics.anomaly_told (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    date date NOT NULL,
    type text COLLATE "C" NOT NULL,
    severity text COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace, date, type)
);
COMMENT ON TABLE leadanalytics.anomaly_told IS 'anomalies that webhooks were told of, and how severe they were then';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.anomaly_told', '');
