-- Ingestion of web events: see src/track/track.h for the way an event takes.

INSERT INTO leadanalytics.partitioned (parent, indexes) VALUES ('event', ARRAY[
    'UNIQUE (workspace, event_id) WHERE event_id IS NOT NULL', -- dedupe; the only unique one: ON CONFLICT names none
    '(id)',                                                    -- the events of a ledger row
    '(workspace, at)',                                         -- ranges, lists
    -- What somebody did: by session, else (minus) by visitor, else by person. No two workspaces share a number,
    -- and no visitor shares one with a person. The events of a session stand together, so this one stays small.
    '((coalesce(session, -coalesce(visitor, person))))',
    -- Custom events by name: conversions are a few of all. 2.5 bytes an event where one of ten is custom; 8 000 conversions
    -- among the 340 000 events of a month are found in 22 ms, without it in 270.
    '(workspace, name, at) WHERE kind = ''c''',
    -- What came with a mail or a workflow's run, which lists and conditions ask for: few events have either. Anybody's
    -- event may say anything there: no more of it than an index takes.
    '(workspace, left(data ->> ''message_id'', 128)) WHERE left(data ->> ''message_id'', 128) IS NOT NULL',
    '(workspace, left(data ->> ''workflow_execution_id'', 128)) WHERE left(data ->> ''workflow_execution_id'', 128) IS NOT NULL'
]);

-- The ledger is written here and nowhere else, for our own INSERT and for anybody's. Who brings ids along
-- may bring some that a ledger row covers, or did before it was folded: such events would count twice.
CREATE FUNCTION leadanalytics.event_ledger()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    taken bigint;
BEGIN
    WITH written AS (
        INSERT INTO leadanalytics.ledger AS l (workspace, leaf, id_from, id_to, n, at_min, at_max, used_in, used)
        SELECT f.workspace, date_trunc('month', f.at AT TIME ZONE 'UTC')::date AS leaf,
               min(f.id), max(f.id), count(*), min(f.at), max(f.at), date_trunc('month', min(f.received_at) AT TIME ZONE 'UTC'),
               count(*) FILTER (WHERE f.kind IN ('p', 'c') AND NOT f.is_bot) -- D-74
        FROM fresh f
        GROUP BY f.workspace, leaf, f.id >> 10
        RETURNING l.*
    )
    SELECT w.id_from INTO taken
    FROM written w
    WHERE w.n <> (SELECT count(*) FROM leadanalytics.event e
                  WHERE e.id BETWEEN w.id_from AND w.id_to AND e.at BETWEEN w.at_min AND w.at_max);
    IF FOUND THEN
        RAISE EXCEPTION 'events from id % on share their block of ids with others', taken
            USING ERRCODE = 'unique_violation', HINT = 'Leave the column id to its default.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.event_ledger() IS 'write the ledger rows of the events a statement added';
CREATE TRIGGER event_ledger AFTER INSERT ON leadanalytics.event
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.event_ledger();

CREATE FUNCTION leadanalytics.track(
    workspace int DEFAULT NULL,
    body json DEFAULT NULL,
    origin text DEFAULT NULL,
    referer text DEFAULT NULL,
    client_ip inet DEFAULT NULL,
    user_agent text DEFAULT NULL,
    now timestamptz DEFAULT now(),
    as_role text DEFAULT NULL)
RETURNS json LANGUAGE c VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'la_track_track';
COMMENT ON FUNCTION leadanalytics.track(int, json, text, text, inet, text, timestamptz, text) IS
    'store web events: one event or {"events": [...]} (at most 1 000) in the shapes of the web and server SDKs; each is taken or rejected by itself; '
    'workspace null: a public post, whose workspace is told by the body, the site key, the origin or the referer; '
    'as_role admin: timestamps are believed however old they are';
GRANT EXECUTE ON FUNCTION leadanalytics.track(int, json, text, text, inet, text, timestamptz, text) TO leadanalytics_write;

INSERT INTO leadanalytics.route (method, path, function, family, roles, cors, idempotent, rate_class, success, summary, example, builtin) VALUES
    ('POST', '/api/v1/track', 'leadanalytics.track', 'public', '{public,sdk,admin}', true, true, 'track', 200,
     'Store web events: one event, or a batch of at most 1 000',
     '{"success": true, "accepted": 2, "duplicates": 0, "rejected": [{"index": 2, "error": "event_name is required"}]}', true);
INSERT INTO leadanalytics.route_param (method, path, name, place, arg, type, required, error, example, summary) VALUES
    ('POST', '/api/v1/track', 'body', 'document', 'body', 'json', true, 'Invalid request body',
     '{"events": [{"event_id": "7b9b…", "event_name": "page_view", "visitor_id": "v1", "session_id": "s1", "event_data": {"url": "https://example.com/"}}]}',
     'an event of the web SDK (event_name, visitor_id, session_id, event_data, …) or of the server SDK (event, userId, properties, …), or {"events": [...]}');

CREATE FUNCTION leadanalytics.click_id_names(type text)
RETURNS text[] LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_track_click_id_names';
COMMENT ON FUNCTION leadanalytics.click_id_names(text) IS
    'the names under which events and addresses say a type of click id: its own, then those a platform also writes (sclid: ScCid)';

CREATE FUNCTION leadanalytics.text_digest(text text)
RETURNS uuid LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_track_text_digest';
COMMENT ON FUNCTION leadanalytics.text_digest(text) IS 'the first 16 bytes of a text''s SHA-256';

CREATE FUNCTION leadanalytics.moment(text text)
RETURNS timestamptz LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_track_moment';
COMMENT ON FUNCTION leadanalytics.moment(text) IS
    'a point in time as clients write it: ISO 8601, UTC without an offset, or Unix seconds or milliseconds; null: it is none';

-- Sessions.
CREATE FUNCTION leadanalytics.session_end(named boolean, last_seen timestamptz, ended_at timestamptz, now timestamptz)
RETURNS timestamptz LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_track_session_end';
COMMENT ON FUNCTION leadanalytics.session_end(boolean, timestamptz, timestamptz, timestamptz) IS
    'when a session ended as seen at now, null while it is open: ended_at, else last_seen once it has been idle for longer than '
    'leadanalytics.session_idle_client (named by the client) or leadanalytics.session_idle_server';
GRANT EXECUTE ON FUNCTION leadanalytics.session_end(boolean, timestamptz, timestamptz, timestamptz) TO leadanalytics_read;

-- Tomorrow's log may go on with the visits that today's ends with.
CREATE FUNCTION leadanalytics.import_holds(finished_at timestamptz, touched_at timestamptz, last_at timestamptz, named boolean, last_seen timestamptz, now timestamptz)
RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT touched_at > now - interval '1 day' AND (finished_at IS NULL OR leadanalytics.session_end(named, last_seen, NULL, last_at) IS NULL)
$$;
COMMENT ON FUNCTION leadanalytics.import_holds(timestamptz, timestamptz, timestamptz, boolean, timestamptz, timestamptz) IS
    'whether a session of an import may not be closed by idleness: for a day after its last chunk, as long as it is unfinished, '
    'or when the session is open by the file''s own clock';

CREATE FUNCTION leadanalytics.engagement_score(duration_s float8, scroll_percent float8, clicks int, returns int)
RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (least(35, floor(greatest(duration_s, 0) / 10)) + least(30, floor(greatest(scroll_percent, 0) * 3 / 10))
        + least(20, greatest(clicks, 0)) + least(15, 5 * least(greatest(returns, 0), 3)))::int
$$;
COMMENT ON FUNCTION leadanalytics.engagement_score(float8, float8, int, int) IS
    '0 to 100: a point per 10 s (at most 35), per 3.33 % of scrolling (30), per click (20), five per earlier session (15)';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_score(float8, float8, int, int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.engagement_label(score int)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN score <= 20 THEN 'Cold' WHEN score <= 45 THEN 'Warm' WHEN score <= 70 THEN 'Hot' WHEN score <= 100 THEN 'Very Hot' END
$$;
COMMENT ON FUNCTION leadanalytics.engagement_label(int) IS 'Cold to 20, Warm to 45, Hot to 70, Very Hot to 100';
GRANT EXECUTE ON FUNCTION leadanalytics.engagement_label(int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.vpn_score(is_hosting boolean, ips int, asns int, sessions int, asn_changed boolean, is_bot boolean)
RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT round((CASE WHEN is_hosting THEN 3 ELSE 0 END + CASE WHEN ips > 3 THEN 5 ELSE 0 END
        + CASE WHEN asns > 2 THEN 5 ELSE 0 END + CASE WHEN sessions > 10 THEN 3 ELSE 0 END
        + CASE WHEN asn_changed THEN 5 ELSE 0 END + CASE WHEN is_bot THEN 3 ELSE 0 END) * 100 / 24.0)::int
$$;
COMMENT ON FUNCTION leadanalytics.vpn_score(boolean, int, int, int, boolean, boolean) IS
    '0 to 100, above 50 suspected: of 24 points, 3 for a hosting provider''s network, 5 for more than 3 addresses, 5 for more than 2 networks '
    'and 3 for more than 10 sessions of the fingerprint in 24 hours, 5 for another network than in its last session, 3 for a robot''s agent';
GRANT EXECUTE ON FUNCTION leadanalytics.vpn_score(boolean, int, int, int, boolean, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.close_idle(workspace int, now timestamptz DEFAULT now())
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed int := leadanalytics.permitted(workspace);
    closed int;
BEGIN
    -- Locked in the order ingestion locks them, server-made ones first; one that an event moves meanwhile is judged again as it is then.
    WITH idle AS (
        SELECT s.number FROM leadanalytics.session s
        WHERE s.workspace = allowed AND s.ended_at IS NULL
          AND leadanalytics.session_end(s.session_id IS NOT NULL, s.last_seen, NULL, close_idle.now) IS NOT NULL
           AND NOT EXISTS (SELECT FROM leadanalytics.import i WHERE i.workspace = s.workspace AND i.id = s.import
               AND leadanalytics.import_holds(i.finished_at, i.touched_at, i.last_at, s.session_id IS NOT NULL, s.last_seen, close_idle.now))
        ORDER BY s.session_id NULLS FIRST, s.number FOR NO KEY UPDATE
    ), ended AS (
        UPDATE leadanalytics.session s SET ended_at = s.last_seen
        FROM idle WHERE s.workspace = allowed AND s.number = idle.number
        RETURNING s.workspace, s.number
    ), noted AS (
        INSERT INTO leadanalytics.session_ledger (workspace, closed, numbers)
        SELECT e.workspace, true, array_agg(e.number ORDER BY e.number) FROM ended e GROUP BY e.workspace
    )
    SELECT count(*) INTO closed FROM ended;
    RETURN closed;
END
$$;
COMMENT ON FUNCTION leadanalytics.close_idle(int, timestamptz) IS
    'write the end of sessions that are idle as seen at now, and return how many; answers are the same before and after';
GRANT EXECUTE ON FUNCTION leadanalytics.close_idle(int, timestamptz) TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.sweep_sessions(now timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    closed int;
BEGIN
    -- What ingestion holds is not idle, or will be seen next time.
    WITH idle AS (
        SELECT s.workspace, s.number FROM leadanalytics.session s
        WHERE s.ended_at IS NULL
          AND leadanalytics.session_end(s.session_id IS NOT NULL, s.last_seen, NULL, sweep_sessions.now) IS NOT NULL
          AND NOT EXISTS (SELECT FROM leadanalytics.import i WHERE i.workspace = s.workspace AND i.id = s.import
              AND leadanalytics.import_holds(i.finished_at, i.touched_at, i.last_at, s.session_id IS NOT NULL, s.last_seen, sweep_sessions.now))
        LIMIT 10000 FOR NO KEY UPDATE SKIP LOCKED
    ), ended AS (
        UPDATE leadanalytics.session s SET ended_at = s.last_seen
        FROM idle WHERE s.workspace = idle.workspace AND s.number = idle.number
        RETURNING s.workspace, s.number
    ), noted AS (
        INSERT INTO leadanalytics.session_ledger (workspace, closed, numbers)
        SELECT e.workspace, true, array_agg(e.number ORDER BY e.number) FROM ended e GROUP BY e.workspace
    )
    SELECT count(*) INTO closed FROM ended;
    RETURN closed;
END
$$;
COMMENT ON FUNCTION leadanalytics.sweep_sessions(timestamptz) IS
    'leadanalytics.close_idle() for all workspaces, at most 10 000 sessions at a time: the worker''s unit';
INSERT INTO leadanalytics.unit (name, function, every, builtin, summary) VALUES
    ('sweep_sessions', 'leadanalytics.sweep_sessions', '1 minute', true, 'write the end of sessions that are idle');

