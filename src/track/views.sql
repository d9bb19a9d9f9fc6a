-- Events and sessions as text, and the dictionary that holds it.

CREATE FUNCTION leadanalytics.text_term(workspace int, text text)
RETURNS int LANGUAGE sql STABLE AS $$
    SELECT t.id FROM leadanalytics.term t
    WHERE t.workspace = text_term.workspace AND t.digest = encode(substring(sha256('text\000'::bytea || convert_to(text, 'UTF8') || '\000'::bytea) FROM 1 FOR 16), 'hex')::uuid
$$;
COMMENT ON FUNCTION leadanalytics.text_term(int, text) IS 'the number of a text (an event''s name, a title) in the dictionary, null: no event ever had it; for reports';

CREATE VIEW leadanalytics.term_page AS
SELECT workspace, id, parts[1] AS url, parts[2] AS path FROM leadanalytics.term WHERE kind = 'page';
COMMENT ON VIEW leadanalytics.term_page IS 'pages: the address as sent (null: only a path was), and its path';

CREATE VIEW leadanalytics.term_campaign AS
SELECT workspace, id, parts[1] AS source, parts[2] AS medium, parts[3] AS name, parts[4] AS term, parts[5] AS content, parts[6] AS click_id
FROM leadanalytics.term WHERE kind = 'campaign';
COMMENT ON VIEW leadanalytics.term_campaign IS 'campaigns: the five utm parts, and which click id the page''s address had';

CREATE VIEW leadanalytics.term_place AS
SELECT workspace, id, parts[1] AS country, parts[2] AS region, parts[3] AS city FROM leadanalytics.term WHERE kind = 'place';
COMMENT ON VIEW leadanalytics.term_place IS 'places: ISO 3166 country, region and city in English';

CREATE VIEW leadanalytics.term_network AS
SELECT workspace, id, parts[1]::bigint AS asn, parts[2] AS name, parts[3]::boolean AS is_anonymous, parts[4]::boolean AS is_hosting,
       parts[5]::boolean AS is_vpn, parts[6]::boolean AS is_proxy, parts[7]::boolean AS is_tor
FROM leadanalytics.term WHERE kind = 'network';
COMMENT ON VIEW leadanalytics.term_network IS 'networks: autonomous system, whose it is, and what hides behind it';

CREATE VIEW leadanalytics.term_agent AS
SELECT workspace, id, parts[1] AS user_agent, parts[2] AS browser, parts[3] AS browser_version, parts[4] AS os, parts[5] AS os_version,
       parts[6] AS device, parts[7] AS device_type, parts[8]::boolean AS is_bot
FROM leadanalytics.term WHERE kind = 'agent';
COMMENT ON VIEW leadanalytics.term_agent IS 'User-Agents (their first 512 bytes) and what was known of them when they came';

CREATE VIEW leadanalytics.term_device AS
SELECT workspace, id, parts[1] AS device_id, parts[2] AS fingerprint_id, parts[3] AS language, parts[4] AS platform,
       parts[5] AS hardware_concurrency, parts[6] AS device_memory, parts[7] AS color_depth, parts[8] AS pixel_ratio
FROM leadanalytics.term WHERE kind = 'device';
COMMENT ON VIEW leadanalytics.term_device IS 'devices: the id made of agent and fingerprint, and what the tracker told of them';

CREATE VIEW leadanalytics.term_tag AS
SELECT workspace, id, parts[1] AS tag, parts[2] AS source FROM leadanalytics.term WHERE kind = 'tag';
COMMENT ON VIEW leadanalytics.term_tag IS 'tags of events, with the source of the events that carry them';
CREATE VIEW leadanalytics.term_source AS
SELECT workspace, id, parts[1] AS source, parts[2] AS event_name FROM leadanalytics.term WHERE kind = 'source';
COMMENT ON VIEW leadanalytics.term_source IS 'where events came from, each with a name of theirs';

CREATE VIEW leadanalytics.dictionary WITH (security_barrier) AS
SELECT t.workspace, t.id, t.kind, t.parts
FROM leadanalytics.term t
WHERE t.workspace IN (SELECT w.id FROM leadanalytics.workspace w WHERE leadanalytics.may(w.id));
COMMENT ON VIEW leadanalytics.dictionary IS 'what events repeat, by number, of the workspaces the caller may ask about';
COMMENT ON COLUMN leadanalytics.dictionary.parts IS
    'text: itself; page: url, path; campaign: source, medium, name, term, content, click id; place: country, region, city; '
    'network: asn, name, anonymous, hosting, vpn, proxy, tor; agent: user agent, browser, version, os, version, device, type, bot; '
    'fingerprint: itself; device: device id, fingerprint, language, platform, cores, memory, color depth, pixel ratio; tag: itself, source; source: itself, event name; null: not known';
GRANT SELECT ON leadanalytics.dictionary TO leadanalytics_read;

CREATE VIEW leadanalytics.events WITH (security_barrier) AS
SELECT e.workspace, e.id, e.at, e.received_at, name.parts[1] AS event_name, e.kind, v.visitor_id,
       coalesce(s.session_id, s.number::text) AS session_id, coalesce(root.user_id, p.user_id) AS user_id, e.event_id,
       page.parts[1] AS page_url, page.parts[2] AS page_path, title.parts[1] AS page_title, referrer.parts[1] AS referrer,
       place.parts[1] AS geo_country, place.parts[2] AS geo_region, place.parts[3] AS geo_city,
       campaign.parts[1] AS utm_source, campaign.parts[2] AS utm_medium, campaign.parts[3] AS utm_campaign,
       campaign.parts[4] AS utm_term, campaign.parts[5] AS utm_content, campaign.parts[6] AS click_id,
       agent.parts[2] AS browser, agent.parts[4] AS os, agent.parts[7] AS device_type,
       e.screen_width, e.screen_height, device.parts[1] AS device_id, fingerprint.parts[1] AS fingerprint_id,
       source.parts[1] AS source, e.is_bot, coalesce(e.data, '{}') AS event_data
FROM leadanalytics.event e
JOIN leadanalytics.term name ON name.workspace = e.workspace AND name.id = e.name
LEFT JOIN leadanalytics.visitor v ON v.workspace = e.workspace AND v.number = e.visitor
LEFT JOIN leadanalytics.person p ON p.workspace = e.workspace AND p.number = coalesce(e.person, v.person)
LEFT JOIN leadanalytics.person root ON root.workspace = p.workspace AND root.number = p.alias_of
LEFT JOIN leadanalytics.session s ON s.workspace = e.workspace AND s.number = e.session
LEFT JOIN leadanalytics.term page ON page.workspace = e.workspace AND page.id = e.page
LEFT JOIN leadanalytics.term title ON title.workspace = e.workspace AND title.id = e.title
LEFT JOIN leadanalytics.term referrer ON referrer.workspace = e.workspace AND referrer.id = e.referrer
LEFT JOIN leadanalytics.term campaign ON campaign.workspace = e.workspace AND campaign.id = e.campaign
LEFT JOIN leadanalytics.term place ON place.workspace = e.workspace AND place.id = e.place
LEFT JOIN leadanalytics.term agent ON agent.workspace = e.workspace AND agent.id = e.agent
LEFT JOIN leadanalytics.term fingerprint ON fingerprint.workspace = e.workspace AND fingerprint.id = e.fingerprint
LEFT JOIN leadanalytics.term device ON device.workspace = e.workspace AND device.id = e.device
LEFT JOIN leadanalytics.term source ON source.workspace = e.workspace AND source.id = e.source
WHERE e.workspace IN (SELECT w.id FROM leadanalytics.workspace w WHERE leadanalytics.may(w.id));
COMMENT ON VIEW leadanalytics.events IS 'web events as text, of the workspaces the caller may ask about';
COMMENT ON COLUMN leadanalytics.events.session_id IS 'as the client named it, else the number of the session the server made';
COMMENT ON COLUMN leadanalytics.events.user_id IS 'whom the event named, else who its visitor is known as';
COMMENT ON COLUMN leadanalytics.events.event_data IS 'what has no column of its own';
GRANT SELECT ON leadanalytics.events TO leadanalytics_read;

CREATE VIEW leadanalytics.sessions WITH (security_barrier) AS
SELECT s.workspace, s.number, coalesce(s.session_id, s.number::text) AS session_id, v.visitor_id, coalesce(root.user_id, p.user_id) AS user_id,
       s.started_at, s.last_seen, s.ended_at, s.events, s.pageviews, s.clicks, s.scroll_percent, s.returns, s.vpn_score, s.ip,
       entry.parts[1] AS entry_url, entry.parts[2] AS entry_path, last.parts[1] AS exit_url, last.parts[2] AS exit_path,
       referrer.parts[1] AS referrer, campaign.parts[1] AS utm_source, campaign.parts[2] AS utm_medium,
       campaign.parts[3] AS utm_campaign, campaign.parts[6] AS click_id,
       place.parts[1] AS geo_country, place.parts[2] AS geo_region, place.parts[3] AS geo_city,
       network.parts[1]::bigint AS asn, network.parts[2] AS network_name,
       agent.parts[2] AS browser, agent.parts[4] AS os, agent.parts[7] AS device_type,
       device.parts[1] AS device_id, fingerprint.parts[1] AS fingerprint_id
FROM leadanalytics.session s
LEFT JOIN leadanalytics.visitor v ON v.workspace = s.workspace AND v.number = s.visitor
LEFT JOIN leadanalytics.person p ON p.workspace = v.workspace AND p.number = v.person
LEFT JOIN leadanalytics.person root ON root.workspace = p.workspace AND root.number = p.alias_of
LEFT JOIN leadanalytics.term entry ON entry.workspace = s.workspace AND entry.id = s.entry_page
LEFT JOIN leadanalytics.term last ON last.workspace = s.workspace AND last.id = s.last_page
LEFT JOIN leadanalytics.term referrer ON referrer.workspace = s.workspace AND referrer.id = s.referrer
LEFT JOIN leadanalytics.term campaign ON campaign.workspace = s.workspace AND campaign.id = s.campaign
LEFT JOIN leadanalytics.term place ON place.workspace = s.workspace AND place.id = s.place
LEFT JOIN leadanalytics.term network ON network.workspace = s.workspace AND network.id = s.network
LEFT JOIN leadanalytics.term agent ON agent.workspace = s.workspace AND agent.id = s.agent
LEFT JOIN leadanalytics.term fingerprint ON fingerprint.workspace = s.workspace AND fingerprint.id = s.fingerprint
LEFT JOIN leadanalytics.term device ON device.workspace = s.workspace AND device.id = s.device
WHERE s.workspace IN (SELECT w.id FROM leadanalytics.workspace w WHERE leadanalytics.may(w.id));
COMMENT ON VIEW leadanalytics.sessions IS 'sessions as text, of the workspaces the caller may ask about; for the end of idle ones see leadanalytics.session_end()';
GRANT SELECT ON leadanalytics.sessions TO leadanalytics_read;
