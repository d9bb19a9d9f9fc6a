-- How interested, and how suspect: what a lead's visitor did (L4, L5), and how its form was posted (L6).

-- The only place of leads that knows the layout of sessions, with leadanalytics.sessions_of_lead().
CREATE FUNCTION leadanalytics.latest_session(
    workspace int,
    visitor_id text,
    ip inet,
    OUT session bigint,
    OUT session_id text,
    OUT score int,
    OUT vpn_score int)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT s.number, coalesce(s.session_id, s.number::text), s.vpn_score,
           leadanalytics.engagement_score(extract(epoch FROM coalesce(s.ended_at, s.last_seen) - s.started_at)::float8,
                                          s.scroll_percent, s.clicks, s.returns)
    INTO latest_session.session, latest_session.session_id, latest_session.vpn_score, latest_session.score
    FROM leadanalytics.visitor v
    JOIN leadanalytics.session s ON s.workspace = v.workspace AND s.visitor = v.number
    WHERE v.workspace = latest_session.workspace AND v.visitor_id = latest_session.visitor_id
    ORDER BY s.started_at DESC, s.number DESC
    LIMIT 1;
    -- An address is shared by many: it only stands in for a visitor who is named and has no session.
    IF latest_session.session IS NULL AND visitor_id IS NOT NULL AND ip IS NOT NULL THEN
        SELECT s.number, coalesce(s.session_id, s.number::text), s.vpn_score,
               leadanalytics.engagement_score(extract(epoch FROM coalesce(s.ended_at, s.last_seen) - s.started_at)::float8,
                                              s.scroll_percent, s.clicks, s.returns)
        INTO latest_session.session, latest_session.session_id, latest_session.vpn_score, latest_session.score
        FROM leadanalytics.session s
        WHERE s.workspace = latest_session.workspace AND s.ip = latest_session.ip
        ORDER BY s.started_at DESC, s.number DESC
        LIMIT 1;
    END IF;
END
$$;
COMMENT ON FUNCTION leadanalytics.latest_session(int, text, inet) IS
    'the latest session of a visitor, else of the address when a visitor is named, its engagement score and how likely it hides behind a VPN (0 to 100); nulls without one';

CREATE FUNCTION leadanalytics.suspicion_score(
    honeypot boolean,
    time_to_submit real,
    session_score int,
    vpn_score int,
    submissions int,
    competitor boolean)
RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT least(100,
        CASE WHEN honeypot THEN 40 ELSE 0 END
        + CASE WHEN time_to_submit < 5 THEN 30 WHEN time_to_submit <= 10 THEN 10 ELSE 0 END
        + CASE WHEN session_score IS NULL THEN 15 WHEN session_score = 0 THEN 10 ELSE 0 END
        + CASE WHEN vpn_score > 50 THEN 15 WHEN vpn_score > 20 THEN 5 ELSE 0 END
        + CASE WHEN submissions >= 3 THEN 20 WHEN submissions = 2 THEN 10 ELSE 0 END
        + CASE WHEN competitor THEN 25 ELSE 0 END)
$$;
COMMENT ON FUNCTION leadanalytics.suspicion_score(boolean, real, int, int, int, boolean) IS
    '0 to 100: 40 for a filled honeypot; 30 when sent within 5 s, 10 within 10 s; 15 without a session, 10 when its score is 0; 15 above a VPN score of 50, 5 above 20; 20 for the third post in 24 hours, 10 for the second; 25 for a competitor''s address';
GRANT EXECUTE ON FUNCTION leadanalytics.suspicion_score(boolean, real, int, int, int, boolean) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.recent_posts(workspace int, visitor_id text, ip inet, now timestamptz)
RETURNS int LANGUAGE plpgsql STABLE AS $$
DECLARE
    since CONSTANT timestamptz := now - interval '24 hours';
BEGIN
    -- Of a flood nobody needs the exact number. One look by each index: a plan that was made while there were no posts
    -- would read a day's posts of everybody to find either.
    RETURN (SELECT count(*) FROM (
        (SELECT FROM leadanalytics.lead_submission s
         WHERE s.workspace = recent_posts.workspace AND s.visitor_id = recent_posts.visitor_id AND s.submitted_at > since LIMIT 999)
        UNION ALL
        SELECT FROM (SELECT s.visitor_id FROM leadanalytics.lead_submission s
                     WHERE s.workspace = recent_posts.workspace AND s.contact_ip = recent_posts.ip AND s.submitted_at > since OFFSET 0) AS o
        WHERE (o.visitor_id = recent_posts.visitor_id) IS NOT TRUE
        LIMIT 999) AS r);
END
$$;
COMMENT ON FUNCTION leadanalytics.recent_posts(int, text, inet, timestamptz) IS 'posts of that visitor or address in the 24 hours before now, counted up to 999';
