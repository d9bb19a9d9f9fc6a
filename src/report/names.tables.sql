-- What the list of event names passes between its parts.

CREATE TYPE leadanalytics.event_origin AS (name text COLLATE "C", source text COLLATE "C", events bigint);
COMMENT ON TYPE leadanalytics.event_origin IS 'a name of events with a source, and how many there were; see leadanalytics.event_origins()';
