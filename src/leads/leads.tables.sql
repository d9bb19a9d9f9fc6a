-- Leads: a person's enquiry for a project, its posts, its history, and what was kept apart.
--
-- A lead is kept as its lists ask for it: what only its detail shows (message, campaign, page) stands in its
-- first submission's payload.

-- Indexes on expressions need their functions before: it stands here.
CREATE FUNCTION leadanalytics.lead_class(
    status text,
    follow_ups_count int,
    first_seen_at timestamptz,
    last_viewed_at timestamptz,
    last_follow_up_at timestamptz)
RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (8 * (pg_catalog.array_position('{new,contacted,qualified,proposal,won,lost,fake,unqualified}', status) - 1)
            + CASE WHEN follow_ups_count > 0 THEN 4 ELSE 0 END
            + CASE WHEN first_seen_at IS NOT NULL THEN 2 ELSE 0 END
            + CASE WHEN last_viewed_at IS NULL OR last_follow_up_at > last_viewed_at THEN 1 ELSE 0 END)::smallint
$$;
COMMENT ON FUNCTION leadanalytics.lead_class(text, int, timestamptz, timestamptz, timestamptz) IS
    'all that lists filter by, as one number: 8 × place of the status, 4: has follow-ups, 2: was seen, 1: needs review (D-11, D-12)';

CREATE SEQUENCE leadanalytics.lead_id;
CREATE TABLE leadanalytics.lead (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.lead_id'),
    enquiry_at timestamptz NOT NULL,
    -- first what a search looks at in every row it finds: what stands before a column costs time
    class smallint NOT NULL GENERATED ALWAYS AS
        (leadanalytics.lead_class(status, follow_ups_count, first_seen_at, last_viewed_at, last_follow_up_at)) STORED,
    haystack text NOT NULL GENERATED ALWAYS AS
        (lower(coalesce(name, '') || E'\n' || coalesce(email, '') || E'\n' || coalesce(phone, '') || E'\n' || coalesce(project, '') || E'\n'
               || coalesce(visitor_id, '') COLLATE pg_catalog."default")) STORED,
    external_id text COLLATE "C",
    status text COLLATE "C" NOT NULL DEFAULT 'new'
        CHECK (status IN ('new', 'contacted', 'qualified', 'proposal', 'won', 'lost', 'fake', 'unqualified')),
    name text,
    email text,
    phone text,
    phone_key text COLLATE "C",
    dial_code text,
    project text,
    location text,
    source text,
    country text,
    city text,
    visitor_id text COLLATE "C",
    session_id text COLLATE "C",
    contact_ip inet,
    score smallint NOT NULL DEFAULT 0 CHECK (score BETWEEN 0 AND 100),
    suspicion smallint NOT NULL DEFAULT 0 CHECK (suspicion BETWEEN 0 AND 100),
    form_submit_count int NOT NULL DEFAULT 0,
    follow_ups_count int NOT NULL DEFAULT 0,
    last_follow_up_at timestamptz,
    first_seen_at timestamptz,
    last_viewed_at timestamptz,
    owner_id text,
    team_id text,
    CHECK ((first_seen_at IS NULL) = (last_viewed_at IS NULL)),
    CHECK ((follow_ups_count = 0) = (last_follow_up_at IS NULL))
) WITH (fillfactor = 90);
COMMENT ON TABLE leadanalytics.lead IS 'a person''s enquiry for a project; later posts of the same person for it are its follow-ups';
COMMENT ON COLUMN leadanalytics.lead.external_id IS 'its id in another system, which knows it by that';
COMMENT ON COLUMN leadanalytics.lead.phone_key IS 'the digits of the number with its dial code: what the same number is, is the same text';
COMMENT ON COLUMN leadanalytics.lead.contact_ip IS 'the address of its first post';
COMMENT ON COLUMN leadanalytics.lead.form_submit_count IS 'posts of this visitor or address in the 24 hours up to its latest one, that one included';
COMMENT ON COLUMN leadanalytics.lead.owner_id IS 'who works on it';
COMMENT ON COLUMN leadanalytics.lead.class IS 'what lists filter by: see leadanalytics.lead_class()';
COMMENT ON COLUMN leadanalytics.lead.haystack IS 'what a search looks in';

-- The lists: an order within each class, so that any filter is a merge of a few ordered runs (page.c). Ties by
-- id, newest first: a B-tree read backwards turns that round too, hence two of score and risk.
CREATE INDEX lead_newest ON leadanalytics.lead (workspace, class, enquiry_at, id);
CREATE INDEX lead_followed ON leadanalytics.lead (workspace, class, last_follow_up_at DESC NULLS LAST, enquiry_at DESC, id DESC);
CREATE INDEX lead_score_desc ON leadanalytics.lead (workspace, class, score, id);
CREATE INDEX lead_score_asc ON leadanalytics.lead (workspace, class, score, id DESC);
CREATE INDEX lead_risk_desc ON leadanalytics.lead (workspace, class, suspicion, id);
CREATE INDEX lead_risk_asc ON leadanalytics.lead (workspace, class, suspicion, id DESC);
CREATE INDEX lead_name ON leadanalytics.lead (workspace, class, lower(name) COLLATE "C", id DESC);
-- What reports count: how many came, from where, and how far they are.
CREATE INDEX lead_by_enquiry ON leadanalytics.lead (workspace, enquiry_at) INCLUDE (id, status, source, owner_id, team_id);
CREATE INDEX lead_project ON leadanalytics.lead (workspace, project) WHERE project IS NOT NULL;
CREATE INDEX lead_source ON leadanalytics.lead (workspace, source) WHERE source IS NOT NULL;
-- No pending list: a list's reader would go through all of it.
CREATE INDEX lead_search ON leadanalytics.lead USING gin (leadanalytics.grams(workspace, haystack)) WITH (fastupdate = off);
-- These in the end: of indexes that cost the same, as all do that begin with the workspace while the table is empty, the
-- planner takes the one made last, and a session goes on with that plan: posts' lookups, foreign keys.
ALTER TABLE leadanalytics.lead ADD PRIMARY KEY (workspace, id);
CREATE UNIQUE INDEX lead_external ON leadanalytics.lead (external_id, workspace) WHERE external_id IS NOT NULL;
-- Who is it? By visitor, e-mail address, number, IP, within a project.
CREATE INDEX lead_by_visitor ON leadanalytics.lead (workspace, visitor_id, lower(coalesce(project, ''))) WHERE visitor_id IS NOT NULL;
CREATE INDEX lead_by_email ON leadanalytics.lead (workspace, lower(email), lower(coalesce(project, ''))) WHERE email IS NOT NULL;
CREATE INDEX lead_by_phone ON leadanalytics.lead (workspace, phone_key, lower(coalesce(project, ''))) WHERE phone_key IS NOT NULL;
CREATE INDEX lead_by_ip ON leadanalytics.lead (workspace, contact_ip, lower(coalesce(project, ''))) WHERE contact_ip IS NOT NULL;

-- Mails name leads that nobody has put yet, and are counted by number: the lead takes it when it comes. An entry stays,
-- so that what a text names never changes.
CREATE TABLE leadanalytics.named_lead (
    workspace int NOT NULL,
    lead_id text COLLATE "C" NOT NULL,
    id bigint NOT NULL,
    UNIQUE (lead_id, workspace)
);
CREATE INDEX named_lead_of ON leadanalytics.named_lead (workspace, id);
COMMENT ON TABLE leadanalytics.named_lead IS 'ids kept for leads that were named by their id in another system before they were there';

-- How many there are of each class is the sum of the rows: writers add, the worker sums up. Not dumped: the
-- leads of a restore write it anew.
CREATE TABLE leadanalytics.lead_tally (
    workspace int NOT NULL,
    class smallint NOT NULL,
    n bigint NOT NULL
);
CREATE INDEX lead_tally_class ON leadanalytics.lead_tally (workspace, class) INCLUDE (n);
COMMENT ON TABLE leadanalytics.lead_tally IS 'leads of each class: the sum of n; kept by triggers on leadanalytics.lead, summed up by leadanalytics.sum_tallies()';

CREATE SEQUENCE leadanalytics.lead_submission_id;
CREATE TABLE leadanalytics.lead_submission (
    workspace int NOT NULL,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.lead_submission_id'),
    lead bigint NOT NULL,
    submitted_at timestamptz NOT NULL,
    is_primary boolean NOT NULL,
    is_duplicate_window boolean NOT NULL,
    is_bot boolean NOT NULL DEFAULT false,
    name text,
    email text,
    phone text,
    project text,
    source text,
    referer text,
    cta_name text,
    visitor_id text COLLATE "C",
    session_id text COLLATE "C",
    contact_ip inet,
    score smallint NOT NULL,
    suspicion smallint NOT NULL,
    time_to_submit real,
    site_key text COLLATE "C",
    form_id text COLLATE "C",
    payload json NOT NULL,
    PRIMARY KEY (workspace, id),
    FOREIGN KEY (workspace, lead) REFERENCES leadanalytics.lead (workspace, id) ON DELETE CASCADE
);
COMMENT ON TABLE leadanalytics.lead_submission IS 'a post of a form: a lead''s first one, or a follow-up; never changed';
COMMENT ON COLUMN leadanalytics.lead_submission.is_duplicate_window IS 'an earlier one of the lead lies within leadanalytics.lead_reengage: told to no webhook';
COMMENT ON COLUMN leadanalytics.lead_submission.is_bot IS 'its honeypot was filled, and leadanalytics.bot_lead_detection was off';
COMMENT ON COLUMN leadanalytics.lead_submission.payload IS 'its fields as they were posted';
CREATE INDEX lead_submission_newest ON leadanalytics.lead_submission (workspace, submitted_at, id) INCLUDE (lead);
CREATE INDEX lead_submission_of_lead ON leadanalytics.lead_submission (workspace, lead, submitted_at, id) INCLUDE (visitor_id); -- whose visitors leads are; made after lead_submission_newest, as lead's
CREATE INDEX lead_submission_by_visitor ON leadanalytics.lead_submission (workspace, visitor_id, submitted_at) WHERE visitor_id IS NOT NULL;
CREATE INDEX lead_submission_by_email ON leadanalytics.lead_submission (workspace, lower(btrim(email))) WHERE email IS NOT NULL; -- see leadanalytics.leads_posted_by()
CREATE INDEX lead_submission_by_ip ON leadanalytics.lead_submission (workspace, contact_ip, submitted_at) WHERE contact_ip IS NOT NULL;

CREATE TABLE leadanalytics.lead_submission_tally (
    workspace int NOT NULL,
    day date NOT NULL,
    n bigint NOT NULL
);
CREATE INDEX lead_submission_tally_day ON leadanalytics.lead_submission_tally (workspace, day) INCLUDE (n);
COMMENT ON TABLE leadanalytics.lead_submission_tally IS 'submissions of each day (UTC): the sum of n; as leadanalytics.lead_tally';

CREATE SEQUENCE leadanalytics.lead_status_change_id;
CREATE TABLE leadanalytics.lead_status_change (
    workspace int NOT NULL,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.lead_status_change_id'),
    lead bigint NOT NULL,
    from_status text COLLATE "C",
    to_status text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    key bigint,
    PRIMARY KEY (workspace, id),
    FOREIGN KEY (workspace, lead) REFERENCES leadanalytics.lead (workspace, id) ON DELETE CASCADE
);
COMMENT ON TABLE leadanalytics.lead_status_change IS 'the way of each lead through the pipeline, from its creation (from null) on';
COMMENT ON COLUMN leadanalytics.lead_status_change.key IS 'the key that changed it; null: a post, or SQL';
CREATE INDEX lead_status_change_of_lead ON leadanalytics.lead_status_change (workspace, lead, at, id) INCLUDE (from_status, to_status);
CREATE INDEX lead_status_change_by_time ON leadanalytics.lead_status_change (workspace, at) INCLUDE (lead, from_status, to_status);

-- What never became a lead. Two lists, one shape.
CREATE SEQUENCE leadanalytics.rejected_lead_id;
CREATE TABLE leadanalytics.rejected_lead (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.rejected_lead_id'),
    list text COLLATE "C" NOT NULL CHECK (list IN ('blocked', 'testing')),
    received_at timestamptz NOT NULL,
    ip inet,
    email text,
    name text,
    phone text,
    dial_code text,
    project text,
    source text,
    referer text,
    site_key text COLLATE "C",
    form_id text COLLATE "C",
    payload json NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (workspace, id)
);
COMMENT ON TABLE leadanalytics.rejected_lead IS 'posts kept apart: of blocked addresses and bots (blocked), of addresses and people that test (testing)';
COMMENT ON COLUMN leadanalytics.rejected_lead.deleted_at IS 'when somebody deleted it: no list shows it any more';
CREATE INDEX rejected_lead_newest ON leadanalytics.rejected_lead (workspace, list, received_at, id) WHERE deleted_at IS NULL;

CREATE TABLE leadanalytics.lead_rule (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('test_text', 'competitor_domain')),
    value text COLLATE "C" NOT NULL CHECK (value <> '' AND value = lower(value) AND char_length(value) <= 200),
    PRIMARY KEY (workspace, kind, value)
);
COMMENT ON TABLE leadanalytics.lead_rule IS 'test_text: a post whose name, address, project or location contains it is a test; competitor_domain: addresses there are suspect';

CREATE SEQUENCE leadanalytics.dropdown_option_id;
CREATE TABLE leadanalytics.dropdown_option (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.dropdown_option_id'),
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('source', 'country', 'project', 'city')),
    value text COLLATE "C" NOT NULL,
    label text NOT NULL,
    sort_order int NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, kind, value)
);
COMMENT ON TABLE leadanalytics.dropdown_option IS 'choices that forms and filters offer';

-- What functions hand each other.
CREATE TYPE leadanalytics.lead_post AS (
    workspace int,
    received_at timestamptz,
    ip inet,
    user_agent text,
    referer text,
    country text,
    region text,
    city text,
    site_key text,
    form_id text,
    name text,
    email text,
    phone text,
    phone_key text,
    dial_code text,
    project text,
    location text,
    team text,
    domain text,
    page_url text,
    source text,
    keyword text,
    message text,
    cta_name text,
    utm_source text,
    utm_medium text,
    utm_campaign text,
    utm_term text,
    utm_content text,
    visitor_id text,
    time_to_submit real,
    honeypot boolean,
    payload json
);
COMMENT ON TYPE leadanalytics.lead_post IS 'a posted form: whose and when, from where, and what its fields say';

CREATE TYPE leadanalytics.lead_row AS (
    lead_id bigint,
    enquiry_at timestamptz,
    contact_name text,
    contact_email text,
    contact_phone text,
    project_name text,
    project_location text,
    project_source text,
    contact_country_name text,
    contact_city text,
    visitor_id text,
    session_id text,
    engagement_score int,
    engagement_label text,
    form_submit_count int,
    suspicion_score int,
    follow_ups_count int,
    last_follow_up_at timestamptz,
    status text,
    seen_at timestamptz,
    needs_review boolean,
    contact_ip inet,
    is_ip_blocked boolean
);
COMMENT ON TYPE leadanalytics.lead_row IS 'a lead as lists and its detail show it';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.named_lead', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead_submission_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead_submission', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead_status_change_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead_status_change', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.rejected_lead_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.rejected_lead', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.lead_rule', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.dropdown_option_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.dropdown_option', '');
