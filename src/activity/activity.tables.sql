-- Rooms, their recordings, booking pages, contacts, and what contacts did.
--
-- Who adds events locks nobody out: it reads the rows that it names under FOR KEY SHARE, which a change of
-- a title passes, and writes only rows of its own. Only removing waits for it, and it for removing.

CREATE SEQUENCE leadanalytics.room_id;
CREATE TABLE leadanalytics.room (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.room_id'),
    name text COLLATE "C" NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    display_name text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, name)
);
COMMENT ON TABLE leadanalytics.room IS 'a meeting room, called by its name';

CREATE SEQUENCE leadanalytics.recording_id;
CREATE TABLE leadanalytics.recording (
    workspace int NOT NULL,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.recording_id'),
    key text COLLATE "C" NOT NULL CHECK (char_length(key) BETWEEN 1 AND 200),
    room bigint NOT NULL,
    duration_seconds int NOT NULL CHECK (duration_seconds >= 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, key),
    FOREIGN KEY (workspace, room) REFERENCES leadanalytics.room (workspace, id) ON DELETE CASCADE
);
COMMENT ON TABLE leadanalytics.recording IS 'a recording of a room, called by a key of its maker''s; it goes with its room';
CREATE INDEX recording_of_room ON leadanalytics.recording (workspace, room);

CREATE SEQUENCE leadanalytics.booking_page_id;
CREATE TABLE leadanalytics.booking_page (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.booking_page_id'),
    slug text COLLATE "C" NOT NULL CHECK (char_length(slug) BETWEEN 1 AND 200),
    title text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, slug)
);
COMMENT ON TABLE leadanalytics.booking_page IS 'a page where a meeting can be booked, called by its slug';

CREATE SEQUENCE leadanalytics.contact_id;
CREATE TABLE leadanalytics.contact (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.contact_id'),
    email text COLLATE "C" NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    name text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, email)
);
COMMENT ON TABLE leadanalytics.contact IS 'a person who books or joins, called by an e-mail address';
COMMENT ON COLUMN leadanalytics.contact.email IS 'as leadanalytics.contact_email() writes it: what the same address is, is the same text';

CREATE SEQUENCE leadanalytics.contact_event_id;
CREATE TABLE leadanalytics.contact_event (
    workspace int NOT NULL,
    contact bigint NOT NULL,
    id bigint NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.contact_event_id'),
    at timestamptz NOT NULL CHECK (at BETWEEN '1970-01-01 00:00Z' AND '9999-12-31 23:59:59Z'),
    room bigint,
    booking_page bigint,
    event_type text COLLATE "C" NOT NULL CHECK (char_length(event_type) BETWEEN 1 AND 100),
    event_id text COLLATE "C" CHECK (char_length(event_id) BETWEEN 1 AND 128),
    metadata json,
    PRIMARY KEY (workspace, contact, id),
    FOREIGN KEY (workspace, contact) REFERENCES leadanalytics.contact (workspace, id) ON DELETE CASCADE,
    FOREIGN KEY (workspace, room) REFERENCES leadanalytics.room (workspace, id) ON DELETE SET NULL (room),
    FOREIGN KEY (workspace, booking_page) REFERENCES leadanalytics.booking_page (workspace, id) ON DELETE SET NULL (booking_page)
);
COMMENT ON TABLE leadanalytics.contact_event IS
    'what a contact did: booking, room_join, or any other type; it goes with its contact, and stays without its room or page';
COMMENT ON COLUMN leadanalytics.contact_event.event_id IS 'the sender''s id of it: what comes again with the same one is the same event';
CREATE INDEX contact_event_in_room ON leadanalytics.contact_event (workspace, room) WHERE room IS NOT NULL;
CREATE INDEX contact_event_on_page ON leadanalytics.contact_event (workspace, booking_page) WHERE booking_page IS NOT NULL;
CREATE UNIQUE INDEX contact_event_sent ON leadanalytics.contact_event (workspace, event_id) WHERE event_id IS NOT NULL;

-- Kept counts. Writers add rows to activity_fresh_tally, each its own; leadanalytics.sum_activity() adds them
-- to activity_tally, one row a count. A count is the sum of both, and no writer waits for another's.
-- Not dumped: the rows of a restore write them anew.
CREATE TABLE leadanalytics.activity_tally (
    workspace int NOT NULL,
    metric text COLLATE "C" NOT NULL,
    label text COLLATE "C" NOT NULL,
    ref bigint NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (workspace, metric, label, ref)
) WITH (fillfactor = 80);
COMMENT ON TABLE leadanalytics.activity_tally IS 'counts of a workspace''s activity, together with leadanalytics.activity_fresh_tally';
COMMENT ON COLUMN leadanalytics.activity_tally.metric IS
    'event: of a type (label); day: of a type on a UTC day (ref, days since 1970); in_room: joins of a room (ref); on_page: bookings of a page; '
    'contact; contact_day; room; recording; recording_seconds';
CREATE INDEX activity_tally_top ON leadanalytics.activity_tally (workspace, metric, n DESC, ref) WHERE metric IN ('in_room', 'on_page');

CREATE TABLE leadanalytics.activity_fresh_tally (
    workspace int NOT NULL,
    metric text COLLATE "C" NOT NULL,
    label text COLLATE "C" NOT NULL,
    ref bigint NOT NULL,
    n bigint NOT NULL
);
COMMENT ON TABLE leadanalytics.activity_fresh_tally IS 'what statements changed in the counts of leadanalytics.activity_tally and nobody has summed up yet';
CREATE INDEX activity_fresh_tally_metric ON leadanalytics.activity_fresh_tally (workspace, metric, label, ref) INCLUDE (n);

-- What functions hand each other.
CREATE TYPE leadanalytics.contact_event_item AS (
    index int,
    email text,
    event_type text,
    room text,
    booking_page text,
    at timestamptz,
    event_id text,
    metadata json,
    error text
);
COMMENT ON TYPE leadanalytics.contact_event_item IS 'an event of a contact as it was sent, and what is wrong with it';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.room_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.room', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.recording_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.recording', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.booking_page_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.booking_page', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.contact_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.contact', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.contact_event_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.contact_event', '');
