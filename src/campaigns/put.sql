-- Campaigns, sending domains, mailboxes and sending IPs: put by the key their sender calls them by (CONTRACT section 0).
--
-- Each has a function for many, {accepted, rejected:[{index, error}]}, and one for one, which the door calls and which
-- fails instead. What is omitted becomes what it is without being said; created_at stays as it was. Rows are written in
-- the order of their keys, a mailbox's domain before it, as events of messages do: who puts the same at once waits, and
-- never in a circle.

CREATE FUNCTION leadanalytics.key_fault(item json)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(leadanalytics.text_fault(item, 'key', true, 200), CASE WHEN btrim(item ->> 'key') = '' THEN 'Invalid key' END)
$$;
COMMENT ON FUNCTION leadanalytics.key_fault(json) IS 'what is wrong with the key of an item, or with the item, null when nothing is; events of messages name keys without blanks around them';

CREATE FUNCTION leadanalytics.put_campaigns(workspace int, campaigns json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    answer json;
    allowed CONSTANT int := leadanalytics.permitted(put_campaigns.workspace);
BEGIN
    WITH given AS MATERIALIZED (
        SELECT i.index, btrim(i.item ->> 'key') COLLATE "C" AS key, nullif(btrim(i.item ->> 'name'), '') AS name, nullif(i.item ->> 'status', '') AS status,
               coalesce(leadanalytics.key_fault(i.item), leadanalytics.text_fault(i.item, 'name', false, 500), leadanalytics.text_fault(i.item, 'status', false, 20),
                        CASE WHEN i.item ->> 'status' NOT IN ('draft', 'active', 'sending', 'paused', 'completed', '') THEN 'Invalid status' END) AS error
        FROM leadanalytics.items(put_campaigns.campaigns) i
    ), written AS (
        INSERT INTO leadanalytics.campaign AS c (workspace, key, name, status, created_at)
        SELECT DISTINCT ON (g.key) allowed, g.key, coalesce(g.name, g.key), g.status, put_campaigns.now
        FROM given g WHERE g.error IS NULL ORDER BY g.key, g.index DESC
        ON CONFLICT (key, workspace) DO UPDATE SET name = excluded.name, status = excluded.status
        WHERE (c.name, c.status) IS DISTINCT FROM (excluded.name, excluded.status)
    )
    SELECT leadanalytics.accepted(array_agg(g.error ORDER BY g.index)) INTO answer FROM given g;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.put_campaigns(int, json, timestamptz) IS
    'make campaigns, or write them anew: one {key, name (default: the key), status draft, active, sending, paused or completed}, or an array of at most 1 000';

CREATE FUNCTION leadanalytics.put_campaign(workspace int, key text, name text DEFAULT NULL, status text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE sql VOLATILE AS $$
    SELECT leadanalytics.accepted_one(leadanalytics.put_campaigns(workspace, json_build_object('key', key, 'name', name, 'status', status), now))
$$;
COMMENT ON FUNCTION leadanalytics.put_campaign(int, text, text, text, timestamptz) IS 'make a campaign, or write it anew';

CREATE FUNCTION leadanalytics.put_domains(workspace int, domains json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    answer json;
    allowed CONSTANT int := leadanalytics.permitted(put_domains.workspace);
BEGIN
    WITH given AS MATERIALIZED (
        SELECT i.index, btrim(i.item ->> 'key') COLLATE "C" AS key, nullif(btrim(i.item ->> 'name'), '') AS name,
               coalesce(leadanalytics.key_fault(i.item), leadanalytics.text_fault(i.item, 'name', false, 500)) AS error
        FROM leadanalytics.items(put_domains.domains) i
    ), written AS (
        INSERT INTO leadanalytics.sending_domain AS d (workspace, key, name, created_at)
        SELECT DISTINCT ON (g.key) allowed, g.key, coalesce(g.name, g.key), put_domains.now
        FROM given g WHERE g.error IS NULL ORDER BY g.key, g.index DESC
        ON CONFLICT (key, workspace) DO UPDATE SET name = excluded.name WHERE d.name <> excluded.name
    )
    SELECT leadanalytics.accepted(array_agg(g.error ORDER BY g.index)) INTO answer FROM given g;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.put_domains(int, json, timestamptz) IS
    'make sending domains, or write them anew: one {key, name (default: the key)}, or an array of at most 1 000';

CREATE FUNCTION leadanalytics.put_domain(workspace int, key text, name text DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE sql VOLATILE AS $$
    SELECT leadanalytics.accepted_one(leadanalytics.put_domains(workspace, json_build_object('key', key, 'name', name), now))
$$;
COMMENT ON FUNCTION leadanalytics.put_domain(int, text, text, timestamptz) IS 'make a sending domain, or write it anew';

CREATE FUNCTION leadanalytics.mailbox_items(body json)
RETURNS TABLE (index int, error text, key text, address text, domain text, health_score numeric) LANGUAGE sql IMMUTABLE AS $$
    SELECT i.index,
           coalesce(leadanalytics.key_fault(i.item), leadanalytics.text_fault(i.item, 'address', false, 320), leadanalytics.text_fault(i.item, 'domain_id', false, 200),
                    leadanalytics.number_fault(i.item -> 'health_score', 'health_score', 0, 100)),
           btrim(i.item ->> 'key') COLLATE "C", nullif(btrim(i.item ->> 'address'), ''), nullif(btrim(i.item ->> 'domain_id'), '') COLLATE "C",
           leadanalytics.number_value(i.item -> 'health_score')
    FROM leadanalytics.items(body) i
$$;
COMMENT ON FUNCTION leadanalytics.mailbox_items(json) IS 'the mailboxes of a body, each with what is wrong with it';

CREATE FUNCTION leadanalytics.put_mailboxes(workspace int, mailboxes json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    answer json;
    allowed CONSTANT int := leadanalytics.permitted(put_mailboxes.workspace);
BEGIN
    -- A domain nobody has put yet is made, as for events. In a statement of its own: who makes it at the same time is seen in the next.
    INSERT INTO leadanalytics.sending_domain (workspace, key, name, created_at)
    SELECT allowed, k.key, k.key, put_mailboxes.now
    FROM (SELECT DISTINCT m.domain AS key FROM leadanalytics.mailbox_items(put_mailboxes.mailboxes) m WHERE m.error IS NULL AND m.domain IS NOT NULL) AS k
    WHERE NOT EXISTS (SELECT FROM leadanalytics.sending_domain d WHERE d.workspace = allowed AND d.key = k.key OFFSET 0)
    ORDER BY k.key ON CONFLICT DO NOTHING;

    WITH given AS MATERIALIZED (
        SELECT m.* FROM leadanalytics.mailbox_items(put_mailboxes.mailboxes) m
    ), last AS MATERIALIZED (
        SELECT DISTINCT ON (g.key) g.* FROM given g WHERE g.error IS NULL ORDER BY g.key, g.index DESC
    ), written AS (
        INSERT INTO leadanalytics.mailbox AS b (workspace, key, address, domain, health_score, created_at)
        SELECT allowed, l.key, l.address, d.id, l.health_score, put_mailboxes.now
        FROM last l
        LEFT JOIN LATERAL (SELECT d.id FROM leadanalytics.sending_domain d WHERE d.workspace = allowed AND d.key = l.domain OFFSET 0) AS d ON true
        ORDER BY l.key
        ON CONFLICT (key, workspace) DO UPDATE SET address = excluded.address, domain = excluded.domain, health_score = excluded.health_score
        WHERE (b.address, b.domain, b.health_score) IS DISTINCT FROM (excluded.address, excluded.domain, excluded.health_score)
    )
    SELECT leadanalytics.accepted(array_agg(g.error ORDER BY g.index)) INTO answer FROM given g;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.put_mailboxes(int, json, timestamptz) IS
    'make mailboxes, or write them anew: one {key, address, domain_id, health_score from 0 to 100}, or an array of at most 1 000; a domain that is not there is made';

CREATE FUNCTION leadanalytics.put_mailbox(
    workspace int, key text, address text DEFAULT NULL, domain_id text DEFAULT NULL, health_score double precision DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE sql VOLATILE AS $$
    SELECT leadanalytics.accepted_one(leadanalytics.put_mailboxes(workspace,
        json_build_object('key', key, 'address', address, 'domain_id', domain_id, 'health_score', health_score), now))
$$;
COMMENT ON FUNCTION leadanalytics.put_mailbox(int, text, text, text, double precision, timestamptz) IS 'make a mailbox, or write it anew; a domain that is not there is made';

CREATE FUNCTION leadanalytics.put_ips(workspace int, ips json, now timestamptz DEFAULT now())
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    answer json;
    allowed CONSTANT int := leadanalytics.permitted(put_ips.workspace);
BEGIN
    WITH given AS MATERIALIZED (
        SELECT i.index, btrim(i.item ->> 'key') COLLATE "C" AS key, CASE WHEN f.error IS NULL THEN i.item ->> 'address' END::inet AS address,
               coalesce(CASE WHEN f.error IS NULL THEN i.item ->> 'blacklisted' END::boolean, false) AS blacklisted, f.checked_at, f.error
        FROM leadanalytics.items(put_ips.ips) i
        CROSS JOIN LATERAL (SELECT t.checked_at, coalesce(leadanalytics.key_fault(i.item), leadanalytics.text_fault(i.item, 'address', true, 45),
            leadanalytics.ip_value_fault(i.item -> 'address', 'address'),
            CASE WHEN json_typeof(i.item -> 'blacklisted') NOT IN ('boolean', 'null') THEN 'Invalid blacklisted' END,
            CASE WHEN json_typeof(i.item -> 'checked_at') <> 'null' AND t.checked_at IS NULL THEN 'Invalid checked_at' END) AS error
            FROM (SELECT leadanalytics.moment(i.item ->> 'checked_at') AS checked_at OFFSET 0) AS t) AS f
    ), written AS (
        INSERT INTO leadanalytics.sending_ip AS p (workspace, key, address, blacklisted, checked_at, created_at)
        SELECT DISTINCT ON (g.key) allowed, g.key, g.address, g.blacklisted, g.checked_at, put_ips.now
        FROM given g WHERE g.error IS NULL ORDER BY g.key, g.index DESC
        ON CONFLICT (key, workspace) DO UPDATE SET address = excluded.address, blacklisted = excluded.blacklisted, checked_at = excluded.checked_at
        WHERE (p.address, p.blacklisted, p.checked_at) IS DISTINCT FROM (excluded.address, excluded.blacklisted, excluded.checked_at)
    )
    SELECT leadanalytics.accepted(array_agg(g.error ORDER BY g.index)) INTO answer FROM given g;
    RETURN answer;
END
$$;
COMMENT ON FUNCTION leadanalytics.put_ips(int, json, timestamptz) IS
    'make sending IPs, or write them anew: one {key, address, blacklisted (default: false), checked_at}, or an array of at most 1 000';

CREATE FUNCTION leadanalytics.put_ip(
    workspace int, key text, address inet, blacklisted boolean DEFAULT false, checked_at timestamptz DEFAULT NULL, now timestamptz DEFAULT now())
RETURNS json LANGUAGE sql VOLATILE AS $$
    SELECT leadanalytics.accepted_one(leadanalytics.put_ips(workspace,
        json_build_object('key', key, 'address', address, 'blacklisted', blacklisted, 'checked_at', checked_at), now))
$$;
COMMENT ON FUNCTION leadanalytics.put_ip(int, text, inet, boolean, timestamptz, timestamptz) IS 'make a sending IP, or write it anew';

GRANT EXECUTE ON FUNCTION
    leadanalytics.put_campaigns(int, json, timestamptz), leadanalytics.put_campaign(int, text, text, text, timestamptz),
    leadanalytics.put_domains(int, json, timestamptz), leadanalytics.put_domain(int, text, text, timestamptz),
    leadanalytics.put_mailboxes(int, json, timestamptz), leadanalytics.put_mailbox(int, text, text, text, double precision, timestamptz),
    leadanalytics.put_ips(int, json, timestamptz), leadanalytics.put_ip(int, text, inet, boolean, timestamptz, timestamptz)
TO leadanalytics_write;
