-- A post becomes a lead, or a follow-up of one.

-- Two posts of one person at once must make one lead: each holds a lock of every identity it carries, taken in
-- one order, until it is committed; the second then sees the first's lead.
CREATE FUNCTION leadanalytics.lock_identities(post leadanalytics.lead_post)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(i.lock) FROM (
        SELECT DISTINCT hashtextextended(
            format('leadanalytics lead %s %s %L %L', post.workspace, kind, lower(coalesce(post.project, '')), value), 0) AS lock
        FROM (VALUES ('visitor', post.visitor_id), ('email', lower(post.email)), ('phone', post.phone_key),
                     ('ip', CASE WHEN coalesce(post.visitor_id, post.email, post.phone_key) IS NULL THEN host(post.ip) END)) AS v (kind, value)
        WHERE value IS NOT NULL
        ORDER BY lock) AS i;
END
$$;
COMMENT ON FUNCTION leadanalytics.lock_identities(leadanalytics.lead_post) IS 'wait for posts of the same person for the same project that are not committed yet';

CREATE FUNCTION leadanalytics.find_lead(post leadanalytics.lead_post)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found_lead bigint;
    wanted text := lower(coalesce(post.project, ''));
    address CONSTANT text := lower(post.email);
BEGIN
    -- The surer sign first; of several that match, for a follow-up may bring another's number, the oldest. Found by the
    -- sign's own index whenever this was planned: in the order of ids an empty table's plan looks at every lead.
    SELECT min(f.id) INTO found_lead FROM (
        SELECT l.id FROM leadanalytics.lead l
        WHERE l.workspace = post.workspace AND l.visitor_id = post.visitor_id AND lower(coalesce(l.project, '')) = wanted OFFSET 0) AS f;
    IF found_lead IS NULL AND post.email IS NOT NULL THEN
        SELECT min(f.id) INTO found_lead FROM (
            SELECT l.id FROM leadanalytics.lead l
            WHERE l.workspace = post.workspace AND lower(l.email) = address AND lower(coalesce(l.project, '')) = wanted OFFSET 0) AS f;
    END IF;
    IF found_lead IS NULL AND post.phone_key IS NOT NULL THEN
        SELECT min(f.id) INTO found_lead FROM (
            SELECT l.id FROM leadanalytics.lead l
            WHERE l.workspace = post.workspace AND l.phone_key = post.phone_key AND lower(coalesce(l.project, '')) = wanted OFFSET 0) AS f;
    END IF;
    IF coalesce(post.visitor_id, post.email, post.phone_key) IS NULL AND post.ip IS NOT NULL THEN
        SELECT min(f.id) INTO found_lead FROM (
            SELECT l.id FROM leadanalytics.lead l
            WHERE l.workspace = post.workspace AND l.contact_ip = post.ip AND lower(coalesce(l.project, '')) = wanted OFFSET 0) AS f;
    END IF;
    RETURN found_lead;
END
$$;
COMMENT ON FUNCTION leadanalytics.find_lead(leadanalytics.lead_post) IS
    'the lead a post belongs to: the same project and the same visitor, else e-mail address, else number; by the address alone only for a post that has none of these';

CREATE FUNCTION leadanalytics.store_lead(post leadanalytics.lead_post)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    stored leadanalytics.lead;
    submission leadanalytics.lead_submission;
    session record;
    known bigint;
    posts int;
    since CONSTANT timestamptz := post.received_at - current_setting('leadanalytics.lead_reengage')::interval;
BEGIN
    PERFORM leadanalytics.lock_identities(post);
    posts := 1 + leadanalytics.recent_posts(post.workspace, post.visitor_id, post.ip, post.received_at);
    known := leadanalytics.find_lead(post);
    session := leadanalytics.latest_session(post.workspace, post.visitor_id, post.ip);
    submission.score := coalesce(session.score, 0);
    submission.suspicion := leadanalytics.suspicion_score(
        post.honeypot, post.time_to_submit, session.score, session.vpn_score, posts,
        leadanalytics.is_competitor(post.workspace, post.email));

    -- The row may have changed since it was found (PATCH), so everything is said relative to it.
    UPDATE leadanalytics.lead l
    SET score = submission.score,
        suspicion = submission.suspicion,
        form_submit_count = posts,
        session_id = coalesce(session.session_id, l.session_id),
        follow_ups_count = l.follow_ups_count + 1,
        last_follow_up_at = greatest(l.last_follow_up_at, post.received_at),
        -- Whoever looked while this post was on its way has not seen it.
        last_viewed_at = CASE WHEN l.last_viewed_at >= post.received_at THEN post.received_at - interval '1 microsecond' ELSE l.last_viewed_at END,
        name = coalesce(l.name, post.name),
        email = coalesce(l.email, post.email),
        phone = coalesce(l.phone, post.phone),
        phone_key = CASE WHEN l.phone IS NULL THEN post.phone_key ELSE l.phone_key END,
        dial_code = CASE WHEN l.phone IS NULL THEN post.dial_code ELSE l.dial_code END,
        country = coalesce(l.country, post.country),
        city = coalesce(l.city, post.city)
    WHERE l.workspace = post.workspace AND l.id = known
    RETURNING l.* INTO stored;
    submission.is_primary := NOT FOUND;
    IF submission.is_primary THEN
        INSERT INTO leadanalytics.lead AS l (
            workspace, enquiry_at, name, email, phone, phone_key, dial_code, project, location, source, country, city,
            visitor_id, session_id, contact_ip, score, suspicion, form_submit_count)
        VALUES (post.workspace, post.received_at, post.name, post.email, post.phone, post.phone_key, post.dial_code,
                post.project, post.location, post.source, post.country, post.city, post.visitor_id, session.session_id, post.ip,
                submission.score, submission.suspicion, posts)
        RETURNING l.* INTO stored;
        INSERT INTO leadanalytics.lead_status_change (workspace, lead, from_status, to_status, at)
        VALUES (stored.workspace, stored.id, NULL, stored.status, post.received_at);
    END IF;

    -- Now that we hold the lead: posts that came by other signs of the same person are committed.
    submission.is_duplicate_window := EXISTS (
        SELECT FROM leadanalytics.lead_submission s
        WHERE s.workspace = post.workspace AND s.lead = stored.id AND s.submitted_at > since);
    INSERT INTO leadanalytics.lead_submission (
        workspace, lead, submitted_at, is_primary, is_duplicate_window, is_bot, name, email, phone, project, source, referer,
        cta_name, visitor_id, session_id, contact_ip, score, suspicion, time_to_submit, site_key, form_id, payload)
    VALUES (post.workspace, stored.id, post.received_at, submission.is_primary, submission.is_duplicate_window, post.honeypot,
            post.name, post.email, post.phone, stored.project, post.source, post.referer, post.cta_name, post.visitor_id,
            session.session_id, post.ip, submission.score, submission.suspicion, post.time_to_submit, post.site_key, post.form_id,
            post.payload);
    IF NOT submission.is_duplicate_window THEN
        PERFORM leadanalytics.announce_lead(
            post, CASE WHEN submission.is_primary THEN 'lead.captured' ELSE 'lead.reengaged' END, stored, session.vpn_score);
    END IF;
    RETURN stored.id;
END
$$;
COMMENT ON FUNCTION leadanalytics.store_lead(leadanalytics.lead_post) IS
    'the lead of a post: a new one, or the person''s earlier one with a follow-up more (D-78), announced unless it is within leadanalytics.lead_reengage of the last';

-- L9. Groups of members, as the receiver's forms have them.
CREATE FUNCTION leadanalytics.announce_lead(post leadanalytics.lead_post, topic text, lead leadanalytics.lead, vpn_score int)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    address CONSTANT text := lower(post.email);
BEGIN
    INSERT INTO leadanalytics.outbox (workspace, topic, created_at, body)
    SELECT post.workspace, announce_lead.topic, post.received_at, json_build_object(
        'contact', json_build_object('name', post.name, 'email', post.email, 'phone', post.phone, 'country_code', post.dial_code, 'message', post.message),
        'project', json_build_object('name', post.project, 'location', post.location, 'source', post.source, 'team', post.team, 'domain', post.domain, 'cta_name', post.cta_name),
        'geo', json_build_object('country', post.country, 'region', post.region, 'city', post.city),
        'scoring', json_build_object('engagement_score', (lead).score, 'engagement_label', leadanalytics.engagement_label((lead).score)),
        'fraud', json_build_object('suspicion_score', (lead).suspicion, 'vpn_score', announce_lead.vpn_score, 'form_submit_count', (lead).form_submit_count,
            'time_to_submit', post.time_to_submit),
        'identity', json_build_object('lead_id', (lead).id, 'visitor_id', post.visitor_id, 'session_id', (lead).session_id),
        'context', json_build_object(
            'related_projects', (
                SELECT coalesce(json_agg(r.project ORDER BY r.project COLLATE "C"), '[]') FROM (
                    SELECT DISTINCT l.project FROM (
                        SELECT v.project FROM leadanalytics.lead v WHERE v.workspace = post.workspace AND v.visitor_id = post.visitor_id
                        UNION ALL
                        SELECT e.project FROM leadanalytics.lead e WHERE e.workspace = post.workspace AND lower(e.email) = address
                        UNION ALL
                        SELECT p.project FROM leadanalytics.lead p WHERE p.workspace = post.workspace AND p.phone_key = post.phone_key
                        OFFSET 0) AS l
                    WHERE lower(l.project) <> lower(coalesce(post.project, ''))
                    LIMIT 50) AS r),
            'page_url', post.page_url, 'referer', post.referer, 'keyword', post.keyword,
            'utm_source', post.utm_source, 'utm_medium', post.utm_medium, 'utm_campaign', post.utm_campaign, 'utm_term', post.utm_term, 'utm_content', post.utm_content,
            'user_agent', post.user_agent, 'ip', host(post.ip)),
        'status', json_build_object('status', (lead).status, 'is_duplicate', announce_lead.topic = 'lead.reengaged',
            'is_bot_lead', post.honeypot, 'test_lead', CASE announce_lead.topic WHEN 'lead.test' THEN 'yes' ELSE 'no' END));
END
$$;
COMMENT ON FUNCTION leadanalytics.announce_lead(leadanalytics.lead_post, text, leadanalytics.lead, int) IS
    'write what webhooks say of a lead into the outbox, in the same transaction';

INSERT INTO leadanalytics.topic (name, summary, example, builtin)
SELECT t.name, t.summary, replace(replace(replace(
    '{"contact": {"name": "Rahul Sharma", "email": "rahul@example.com", "phone": "9876543210", "country_code": "+91", "message": "Please call me"},
      "project": {"name": "Sky Towers", "location": "Pune", "source": "WebSite", "team": "Sales", "domain": "example.com", "cta_name": "Enquire"},
      "geo": {"country": "IN", "region": "Maharashtra", "city": "Pune"},
      "scoring": {"engagement_score": $score, "engagement_label": "Very Hot"},
      "fraud": {"suspicion_score": 10, "vpn_score": 0, "form_submit_count": 1, "time_to_submit": 42.5},
      "identity": {"lead_id": $lead, "visitor_id": "abc123", "session_id": "session_123"},
      "context": {"related_projects": ["River Park"], "page_url": "https://example.com/sky-towers", "referer": "https://example.com/", "keyword": "flats in pune",
                  "utm_source": "google", "utm_medium": "cpc", "utm_campaign": "spring", "utm_term": "flats", "utm_content": "banner",
                  "user_agent": "Mozilla/5.0", "ip": "198.51.100.20"},
      "status": $status}', '$status', t.status), '$score', t.score), '$lead', t.lead)::json, true
FROM (VALUES
    ('lead.captured', 'a form became a new lead', '{"status": "new", "is_duplicate": false, "is_bot_lead": false, "test_lead": "no"}', '74', '42'),
    ('lead.reengaged', 'somebody who is a lead already posted a form again, after leadanalytics.lead_reengage (a day)',
     '{"status": "contacted", "is_duplicate": true, "is_bot_lead": false, "test_lead": "no"}', '74', '42'),
    ('lead.test', 'a form was posted as a test, and is no lead', '{"status": null, "is_duplicate": false, "is_bot_lead": false, "test_lead": "yes"}', 'null', 'null')
) AS t (name, summary, status, score, lead);

-- Kept counters.
CREATE FUNCTION leadanalytics.tally_leads()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO leadanalytics.lead_tally (workspace, class, n)
        SELECT f.workspace, f.class, count(*) FROM fresh f GROUP BY f.workspace, f.class;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO leadanalytics.lead_tally (workspace, class, n)
        SELECT c.workspace, c.class, sum(c.n)
        FROM (SELECT s.workspace, s.class, -1 AS n FROM stale s UNION ALL SELECT f.workspace, f.class, 1 FROM fresh f) AS c
        GROUP BY c.workspace, c.class HAVING sum(c.n) <> 0;
    ELSE
        INSERT INTO leadanalytics.lead_tally (workspace, class, n)
        SELECT s.workspace, s.class, -count(*) FROM stale s GROUP BY s.workspace, s.class;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.tally_leads() IS 'note what a statement changed in the number of leads of each class';
CREATE TRIGGER tally_inserted AFTER INSERT ON leadanalytics.lead
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_leads();
CREATE TRIGGER tally_updated AFTER UPDATE ON leadanalytics.lead
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_leads();
CREATE TRIGGER tally_deleted AFTER DELETE ON leadanalytics.lead
    REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_leads();

CREATE FUNCTION leadanalytics.tally_lead_submissions()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO leadanalytics.lead_submission_tally (workspace, day, n)
        SELECT f.workspace, (f.submitted_at AT TIME ZONE 'UTC')::date, count(*) FROM fresh f GROUP BY 1, 2;
    ELSE
        INSERT INTO leadanalytics.lead_submission_tally (workspace, day, n)
        SELECT s.workspace, (s.submitted_at AT TIME ZONE 'UTC')::date, -count(*) FROM stale s GROUP BY 1, 2;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION leadanalytics.tally_lead_submissions() IS 'note what a statement changed in the number of submissions of each day';
CREATE TRIGGER tally_inserted AFTER INSERT ON leadanalytics.lead_submission
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_lead_submissions();
CREATE TRIGGER tally_deleted AFTER DELETE ON leadanalytics.lead_submission
    REFERENCING OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION leadanalytics.tally_lead_submissions();

CREATE FUNCTION leadanalytics.sum_tallies(now timestamptz)
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    summed int;
    more int;
BEGIN
    -- Rows that somebody else sums up meanwhile are gone when this comes to them: each is added once.
    WITH gone AS (DELETE FROM leadanalytics.lead_tally t
                  WHERE (t.workspace, t.class) IN (SELECT d.workspace, d.class FROM leadanalytics.lead_tally d
                                                   GROUP BY d.workspace, d.class HAVING count(*) > 1)
                  RETURNING t.*)
    INSERT INTO leadanalytics.lead_tally (workspace, class, n)
    SELECT g.workspace, g.class, sum(g.n) FROM gone g
    GROUP BY g.workspace, g.class HAVING sum(g.n) <> 0;
    GET DIAGNOSTICS summed = ROW_COUNT;
    WITH gone AS (DELETE FROM leadanalytics.lead_submission_tally t
                  WHERE (t.workspace, t.day) IN (SELECT d.workspace, d.day FROM leadanalytics.lead_submission_tally d
                                                 GROUP BY d.workspace, d.day HAVING count(*) > 1)
                  RETURNING t.*)
    INSERT INTO leadanalytics.lead_submission_tally (workspace, day, n)
    SELECT g.workspace, g.day, sum(g.n) FROM gone g
    GROUP BY g.workspace, g.day HAVING sum(g.n) <> 0;
    GET DIAGNOSTICS more = ROW_COUNT;
    RETURN summed + more;
END
$$;
COMMENT ON FUNCTION leadanalytics.sum_tallies(timestamptz) IS 'sum up the kept counters of leads and submissions: the worker''s unit; totals are the same before and after';
INSERT INTO leadanalytics.unit (name, function, every, builtin, summary) VALUES
    ('sum_tallies', 'leadanalytics.sum_tallies', '1 minute', true, 'sum up the counters of leads');
