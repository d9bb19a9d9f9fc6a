-- Droughts (L10): a workspace that leads came to, and none comes any more.

CREATE TABLE leadanalytics.lead_drought_rule (
    workspace int PRIMARY KEY REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    minutes int NOT NULL CHECK (minutes BETWEEN 1 AND 43200),
    cooldown_minutes int NOT NULL CHECK (cooldown_minutes BETWEEN 1 AND 43200),
    recipients text[] NOT NULL CHECK (cardinality(recipients) <= 20),
    active boolean NOT NULL
);
COMMENT ON TABLE leadanalytics.lead_drought_rule IS 'what a workspace says about droughts; without a row: 30 minutes, at most one alert in two hours, to webhooks only';
COMMENT ON COLUMN leadanalytics.lead_drought_rule.minutes IS 'so long without a lead is a drought';
COMMENT ON COLUMN leadanalytics.lead_drought_rule.cooldown_minutes IS 'after an alert there is none for so long';
COMMENT ON COLUMN leadanalytics.lead_drought_rule.recipients IS 'addresses that get a mail, beside the webhooks that want lead.drought';

CREATE TABLE leadanalytics.lead_drought_alert (
    workspace int PRIMARY KEY REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    told_at timestamptz NOT NULL
);
COMMENT ON TABLE leadanalytics.lead_drought_alert IS 'when a workspace was told of a drought the last time';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead_drought_rule', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead_drought_alert', '');
