-- What a workspace's CRM says of leads (L9).

CREATE TABLE leadanalytics.crm (
    workspace int PRIMARY KEY REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    statuses jsonb NOT NULL CHECK (jsonb_typeof(statuses) = 'object'),
    active boolean NOT NULL
);
COMMENT ON TABLE leadanalytics.crm IS 'workspaces whose CRM may tell of leads';
COMMENT ON COLUMN leadanalytics.crm.statuses IS 'what the CRM calls a status, in lower case, and which of ours that is; our own names need not be here';

-- Beside the lead, not in it: most leads have none, and the lead's row is read by lists.
CREATE TABLE leadanalytics.crm_lead (
    workspace int NOT NULL,
    crm_id text COLLATE "C" NOT NULL CHECK (char_length(crm_id) BETWEEN 1 AND 128),
    lead bigint NOT NULL,
    status text,
    status_at timestamptz,
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, crm_id),
    UNIQUE (workspace, lead),
    FOREIGN KEY (workspace, lead) REFERENCES leadanalytics.lead (workspace, id) ON DELETE CASCADE
);
COMMENT ON TABLE leadanalytics.crm_lead IS 'what the CRM calls a lead';
COMMENT ON COLUMN leadanalytics.crm_lead.status IS 'the newest status that the CRM reported, in its own words';
COMMENT ON COLUMN leadanalytics.crm_lead.status_at IS 'when it was so; what is reported of before changes nothing';

CREATE SEQUENCE leadanalytics.crm_event_id;
CREATE TABLE leadanalytics.crm_event (
    workspace int NOT NULL,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.crm_event_id'),
    lead bigint NOT NULL,
    crm_id text COLLATE "C" NOT NULL,
    event_id text COLLATE "C",
    event_type text COLLATE "C" NOT NULL,
    status text,
    applied boolean NOT NULL,
    at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id),
    FOREIGN KEY (workspace, lead) REFERENCES leadanalytics.lead (workspace, id) ON DELETE CASCADE
);
COMMENT ON TABLE leadanalytics.crm_event IS 'what the CRM reported of leads';
COMMENT ON COLUMN leadanalytics.crm_event.event_id IS 'what it is known by when it comes again: its id, else what happened to which lead when; null: nothing tells it from another';
COMMENT ON COLUMN leadanalytics.crm_event.status IS 'as the CRM calls it';
COMMENT ON COLUMN leadanalytics.crm_event.applied IS 'it is one of ours, and the newest: the lead has it';
CREATE UNIQUE INDEX crm_event_known ON leadanalytics.crm_event (event_id, workspace) WHERE event_id IS NOT NULL;
CREATE INDEX crm_event_of_lead ON leadanalytics.crm_event (workspace, lead, at, id);

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.crm', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.crm_lead', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.crm_event_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.crm_event', '');
