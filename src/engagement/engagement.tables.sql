-- Teams, who works on which lead since when, and what links in mails are signed with.

CREATE TABLE leadanalytics.team (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    key text COLLATE "C" NOT NULL CHECK (char_length(key) BETWEEN 1 AND 128),
    name text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, key)
);
COMMENT ON TABLE leadanalytics.team IS 'people who work on leads together, called by a key of their own';

CREATE TABLE leadanalytics.team_member (
    workspace int NOT NULL,
    team text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL CHECK (char_length(user_id) BETWEEN 1 AND 128),
    PRIMARY KEY (workspace, team, user_id),
    FOREIGN KEY (workspace, team) REFERENCES leadanalytics.team (workspace, key) ON DELETE CASCADE
);
COMMENT ON TABLE leadanalytics.team_member IS 'who is in a team; somebody may be in several';

CREATE SEQUENCE leadanalytics.lead_assignment_id;
CREATE TABLE leadanalytics.lead_assignment (
    workspace int NOT NULL,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.lead_assignment_id'),
    lead bigint NOT NULL,
    owner_id text COLLATE "C",
    team_id text COLLATE "C",
    at timestamptz NOT NULL,
    key bigint,
    PRIMARY KEY (workspace, id),
    FOREIGN KEY (workspace, lead) REFERENCES leadanalytics.lead (workspace, id) ON DELETE CASCADE
);
COMMENT ON TABLE leadanalytics.lead_assignment IS 'who worked on each lead since when: a row for each change of lead.owner_id or team_id';
COMMENT ON COLUMN leadanalytics.lead_assignment.key IS 'the key that changed it; null: SQL';
CREATE INDEX lead_assignment_of_lead ON leadanalytics.lead_assignment (workspace, lead, at, id) INCLUDE (owner_id, team_id);
CREATE INDEX lead_assignment_by_time ON leadanalytics.lead_assignment (workspace, at) INCLUDE (id, lead, owner_id, team_id);

-- Dumped: links stand in mails that were sent long ago.
CREATE TABLE leadanalytics.link_secret (
    workspace int PRIMARY KEY REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    secret text NOT NULL
);
COMMENT ON TABLE leadanalytics.link_secret IS 'what the links and pixels in a workspace''s mails are signed with';

CREATE INDEX message_of_lead ON leadanalytics.message (workspace, lead) WHERE lead IS NOT NULL;
CREATE INDEX message_to ON leadanalytics.message (workspace, lower(btrim(recipient))) WHERE recipient IS NOT NULL; -- see leadanalytics.messages_to()
CREATE INDEX message_of_workflow ON leadanalytics.message (workspace, workflow) WHERE workflow IS NOT NULL;

CREATE TYPE leadanalytics.engagement_event AS (
    id uuid,
    type text,
    lead_id text,
    message_id text,
    workflow_execution_id text,
    at timestamptz
);
COMMENT ON TYPE leadanalytics.engagement_event IS 'an event of the engagement family: of a mail, or of the web';

CREATE TYPE leadanalytics.engagement_place AS (
    at timestamptz,
    origin "char",
    number bigint,
    type text
);
COMMENT ON TYPE leadanalytics.engagement_place IS
    'where an event stands in lists, newest first, then by origin (m message_event, w event, f lead_submission), then by its number there, highest first';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.team', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.team_member', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead_assignment_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead_assignment', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.link_secret', '');
