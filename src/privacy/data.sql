-- Everything that is kept of a person, row by row and readable: what export_person() hands out, what a dry run counts,
-- and what erase() counts.

-- The tables there are. A test compares it with the catalogue: a table that is new must say here what it holds.
CREATE FUNCTION leadanalytics.personal_data()
RETURNS TABLE (relation text, kind text, holds text[]) LANGUAGE sql IMMUTABLE AS $$
    VALUES
        ('visitor', 'visitors', '{visitor_id,email}'::text[]),
        ('person', 'users', '{user_id,email}'),
        ('identity', 'identities', '{visitor,person,at}'),
        ('session', 'sessions', '{visitor,started_at,last_seen,entry_page,referrer,campaign,place,network,agent,fingerprint,device,last_page,ip,session_id}'),
        ('guest', 'sessions', '{number,session}'),
        ('event', 'events', '{visitor,person,session,at,name,title,referrer,source,page,campaign,place,agent,fingerprint,device,screen_width,screen_height,tags,data,event_id}'),
        ('term', 'events', '{parts}'),
        ('lead', 'leads', '{external_id,status,name,email,phone,project,location,source,country,city,visitor_id,session_id,contact_ip,score,suspicion,owner_id,team_id,haystack}'),
        ('lead_submission', 'submissions', '{name,email,phone,project,source,referer,cta_name,visitor_id,session_id,contact_ip,time_to_submit,payload}'),
        ('lead_status_change', 'status_changes', '{lead,from_status,to_status,at}'),
        ('lead_assignment', 'assignments', '{lead,owner_id,team_id,at}'),
        ('named_lead', 'named_leads', '{lead_id}'),
        ('crm_lead', 'crm_leads', '{crm_id,lead,status,status_at}'),
        ('crm_event', 'crm_events', '{lead,crm_id,event_id,event_type,status,at}'),
        ('lead_fact', 'predictions', '{lead,at,session_seconds,pageviews,engagement_score,suspicion,earlier_leads,mails_opened,email,source,project,country,device}'),
        ('lead_prediction', 'predictions', '{lead,version,log_odds}'),
        ('rejected_lead', 'rejected_posts', '{ip,email,name,phone,project,source,referer,payload}'),
        ('message', 'messages', '{key,lead,recipient,campaign,sent_at,opened_at,clicked_at,replied_at}'),
        ('message_event', 'message_events', '{message,at,lead,recipient,ip,url,agent,bounce_code,reason}'),
        ('message_text', 'message_events', '{text}'),
        ('contact', 'contacts', '{email,name}'),
        ('contact_event', 'contact_events', '{event_type,at,room,booking_page,metadata}'),
        ('outbox', 'outbox', '{body}'),
        ('delivery', 'deliveries', '{recipient,subject,body,answer}'),
        ('idempotency', 'stored_answers', '{answer,headers}'),
        ('export', 'exports', '{options}'),
        ('export_chunk', 'exports', '{data}'),
        ('listed_ip', 'listed_ips', '{ip,country,referer}'),
        -- Numbers, by numbers that are nobody's once the rows above are gone.
        ('segment', NULL, '{}'), ('bucket', NULL, '{}'), ('trail', NULL, '{}'), ('ledger', NULL, '{}'), ('session_ledger', NULL, '{}'), ('rollup_state', NULL, '{}'),
        ('lead_tally', NULL, '{}'), ('lead_submission_tally', NULL, '{}'), ('activity_tally', NULL, '{}'), ('activity_fresh_tally', NULL, '{}'),
        ('message_tally', NULL, '{}'), ('message_fresh_tally', NULL, '{}'), ('message_fresh_point', NULL, '{}'), ('usage_month', NULL, '{}'), ('erasure', NULL, '{}'),
        ('lead_unpredicted', NULL, '{}'), ('prediction_model', NULL, '{}'), ('prediction_weight', NULL, '{}'), ('anomaly_told', NULL, '{}'), ('lead_drought_alert', NULL, '{}'),
        ('erased_term', NULL, '{}'), ('dropped', NULL, '{}'), ('retention_run', NULL, '{}'),
        -- What the workspace is and has, its own people among it: they are not whom this is about.
        ('workspace', NULL, '{}'), ('platform', NULL, '{}'), ('site', NULL, '{}'), ('form', NULL, '{}'), ('member', NULL, '{}'), ('key', NULL, '{}'), ('workspace_role', NULL, '{}'),
        ('team', NULL, '{}'), ('team_member', NULL, '{}'), ('link_secret', NULL, '{}'), ('webhook', NULL, '{}'), ('import', NULL, '{}'),
        ('retention', NULL, '{}'), ('crm', NULL, '{}'), ('lead_drought_rule', NULL, '{}'), ('report', NULL, '{}'), ('report_schedule', NULL, '{}'), ('report_run', NULL, '{}'),
        ('campaign', NULL, '{}'), ('sending_domain', NULL, '{}'), ('mailbox', NULL, '{}'), ('sending_ip', NULL, '{}'), ('room', NULL, '{}'), ('recording', NULL, '{}'),
        ('booking_page', NULL, '{}'), ('lead_rule', NULL, '{}'), ('dropdown_option', NULL, '{}'), ('event_category', NULL, '{}'), ('fx_rate', NULL, '{}'),
        ('conversion_rule', NULL, '{}'), ('ad_object', NULL, '{}'), ('ad_figure', NULL, '{}')
$$;
COMMENT ON FUNCTION leadanalytics.personal_data() IS
    'the tables of workspaces'' data: under which kind of leadanalytics.person_rows() they are handed out, and which columns of theirs tell of people; none: kind null';
GRANT EXECUTE ON FUNCTION leadanalytics.personal_data() TO leadanalytics_read;

CREATE FUNCTION leadanalytics.events_of(who leadanalytics.subject)
RETURNS SETOF leadanalytics.event LANGUAGE plpgsql STABLE SET jit = off AS $$
DECLARE
    numbers CONSTANT int[] := who.visitors || who.persons;
    place CONSTANT bigint[] := ARRAY( -- in the index of what somebody did
        SELECT unnest(who.sessions)
        UNION SELECT g.session FROM leadanalytics.guest g WHERE g.workspace = who.workspace AND g.number = ANY (numbers)
        UNION SELECT -n.number FROM unnest(numbers) AS n (number));
BEGIN
    RETURN QUERY
    SELECT e.* FROM unnest(place) AS p (number)
    CROSS JOIN LATERAL (SELECT f.* FROM leadanalytics.event f
                        WHERE coalesce(f.session, -coalesce(f.visitor, f.person)) = p.number AND f.workspace = who.workspace OFFSET 0) AS e
    WHERE coalesce(e.visitor, e.person) = ANY (numbers) OR coalesce(e.visitor, e.person) IS NULL AND e.session = ANY (who.sessions);
END
$$;
COMMENT ON FUNCTION leadanalytics.events_of(leadanalytics.subject) IS 'the events of a person''s visitors, and those that name the person and no visitor';

CREATE FUNCTION leadanalytics.person_web_rows(who leadanalytics.subject)
RETURNS TABLE (kind text, data json) LANGUAGE plpgsql STABLE SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT 'visitors', json_build_object('visitor_id', v.visitor_id, 'email', v.email, 'sessions', v.sessions)
    FROM leadanalytics.visitor v WHERE v.workspace = who.workspace AND v.number = ANY (who.visitors) ORDER BY v.number;
    RETURN QUERY
    SELECT 'users', json_build_object('user_id', p.user_id, 'email', p.email, 'alias_of', r.user_id)
    FROM leadanalytics.person p LEFT JOIN leadanalytics.person r ON r.workspace = p.workspace AND r.number = p.alias_of
    WHERE p.workspace = who.workspace AND p.number = ANY (who.persons) ORDER BY p.number;
    RETURN QUERY -- in a browser that is somebody else's now: not whose
    SELECT 'identities', json_build_object('user_id', p.user_id, 'visitor_id', CASE WHEN i.visitor = ANY (who.visitors) THEN v.visitor_id END, 'since', leadanalytics.utc_milliseconds(i.at))
    FROM leadanalytics.identity i
    LEFT JOIN leadanalytics.visitor v ON v.workspace = i.workspace AND v.number = i.visitor
    LEFT JOIN leadanalytics.person p ON p.workspace = i.workspace AND p.number = i.person AND p.number = ANY (who.persons)
    WHERE i.workspace = who.workspace AND (i.visitor = ANY (who.visitors) OR i.person = ANY (who.persons)) ORDER BY i.at, i.visitor, i.person;
    RETURN QUERY
    SELECT 'sessions', json_build_object(
        'session_id', coalesce(s.session_id, s.number::text), 'visitor_id', v.visitor_id, 'started_at', leadanalytics.utc_milliseconds(s.started_at),
        'last_seen', leadanalytics.utc_milliseconds(s.last_seen), 'ended_at', leadanalytics.utc_milliseconds(s.ended_at), 'events', s.events, 'pageviews', s.pageviews,
        'clicks', s.clicks, 'scroll_percent', s.scroll_percent, 'returns', s.returns, 'vpn_score', s.vpn_score, 'ip', host(s.ip),
        'entry_url', coalesce(entry.parts[1], entry.parts[2]), 'exit_url', coalesce(last.parts[1], last.parts[2]), 'referrer', referrer.parts[1], 'campaign', campaign.parts,
        'country', place.parts[1], 'region', place.parts[2], 'city', place.parts[3], 'network', network.parts[2], 'user_agent', agent.parts[1],
        'fingerprint', fingerprint.parts[1], 'device', device.parts)
    FROM leadanalytics.session s
    LEFT JOIN leadanalytics.visitor v ON v.workspace = s.workspace AND v.number = s.visitor
    LEFT JOIN leadanalytics.term entry ON entry.workspace = s.workspace AND entry.id = s.entry_page
    LEFT JOIN leadanalytics.term last ON last.workspace = s.workspace AND last.id = s.last_page
    LEFT JOIN leadanalytics.term referrer ON referrer.workspace = s.workspace AND referrer.id = s.referrer
    LEFT JOIN leadanalytics.term campaign ON campaign.workspace = s.workspace AND campaign.id = s.campaign
    LEFT JOIN leadanalytics.term place ON place.workspace = s.workspace AND place.id = s.place
    LEFT JOIN leadanalytics.term network ON network.workspace = s.workspace AND network.id = s.network
    LEFT JOIN leadanalytics.term agent ON agent.workspace = s.workspace AND agent.id = s.agent
    LEFT JOIN leadanalytics.term fingerprint ON fingerprint.workspace = s.workspace AND fingerprint.id = s.fingerprint
    LEFT JOIN leadanalytics.term device ON device.workspace = s.workspace AND device.id = s.device
    WHERE s.workspace = who.workspace AND s.number = ANY (who.sessions) ORDER BY s.started_at, s.number;
    RETURN QUERY
    SELECT 'events', json_build_object(
        'event_id', coalesce(e.event_id::text, 'evt_' || e.id), 'event_name', name.parts[1], 'at', leadanalytics.utc_milliseconds(e.at),
        'received_at', leadanalytics.utc_milliseconds(e.received_at), 'visitor_id', v.visitor_id, 'user_id', p.user_id, 'session_id', coalesce(s.session_id, e.session::text),
        'page_url', coalesce(page.parts[1], page.parts[2]), 'page_title', title.parts[1], 'referrer', referrer.parts[1], 'source', source.parts[1], 'campaign', campaign.parts,
        'country', place.parts[1], 'region', place.parts[2], 'city', place.parts[3], 'user_agent', agent.parts[1], 'fingerprint', fingerprint.parts[1], 'device', device.parts,
        'screen_width', e.screen_width, 'screen_height', e.screen_height,
        'tags', (SELECT json_agg(t.parts[1] ORDER BY t.parts[1]) FROM leadanalytics.term t WHERE t.workspace = who.workspace AND t.id = ANY (e.tags)), 'event_data', coalesce(e.data, '{}'))
    FROM leadanalytics.events_of(who) e
    JOIN leadanalytics.term name ON name.workspace = who.workspace AND name.id = e.name
    LEFT JOIN leadanalytics.visitor v ON v.workspace = who.workspace AND v.number = e.visitor
    LEFT JOIN leadanalytics.person p ON p.workspace = who.workspace AND p.number = e.person
    LEFT JOIN leadanalytics.session s ON s.workspace = who.workspace AND s.number = e.session
    LEFT JOIN leadanalytics.term page ON page.workspace = who.workspace AND page.id = e.page
    LEFT JOIN leadanalytics.term title ON title.workspace = who.workspace AND title.id = e.title
    LEFT JOIN leadanalytics.term referrer ON referrer.workspace = who.workspace AND referrer.id = e.referrer
    LEFT JOIN leadanalytics.term source ON source.workspace = who.workspace AND source.id = e.source
    LEFT JOIN leadanalytics.term campaign ON campaign.workspace = who.workspace AND campaign.id = e.campaign
    LEFT JOIN leadanalytics.term place ON place.workspace = who.workspace AND place.id = e.place
    LEFT JOIN leadanalytics.term agent ON agent.workspace = who.workspace AND agent.id = e.agent
    LEFT JOIN leadanalytics.term fingerprint ON fingerprint.workspace = who.workspace AND fingerprint.id = e.fingerprint
    LEFT JOIN leadanalytics.term device ON device.workspace = who.workspace AND device.id = e.device
    ORDER BY e.at, e.id;
END
$$;
COMMENT ON FUNCTION leadanalytics.person_web_rows(leadanalytics.subject) IS 'what leadanalytics.person_rows() has of the web';

CREATE FUNCTION leadanalytics.person_lead_rows(who leadanalytics.subject)
RETURNS TABLE (kind text, data json) LANGUAGE plpgsql STABLE SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT 'leads', json_build_object(
        'lead_id', l.id, 'external_id', l.external_id, 'enquiry_at', leadanalytics.utc_milliseconds(l.enquiry_at), 'status', l.status, 'name', l.name, 'email', l.email,
        'phone', l.phone, 'dial_code', l.dial_code, 'project', l.project, 'location', l.location, 'source', l.source, 'country', l.country, 'city', l.city,
        'visitor_id', l.visitor_id, 'session_id', l.session_id, 'ip', host(l.contact_ip), 'score', l.score, 'suspicion', l.suspicion, 'form_submit_count', l.form_submit_count,
        'follow_ups_count', l.follow_ups_count, 'owner_id', l.owner_id, 'team_id', l.team_id)
    FROM leadanalytics.lead l WHERE l.workspace = who.workspace AND l.id = ANY (who.leads) ORDER BY l.id;
    RETURN QUERY
    SELECT 'submissions', json_build_object(
        'lead_id', s.lead, 'submitted_at', leadanalytics.utc_milliseconds(s.submitted_at), 'name', s.name, 'email', s.email, 'phone', s.phone, 'project', s.project,
        'source', s.source, 'referer', s.referer, 'cta_name', s.cta_name, 'visitor_id', s.visitor_id, 'session_id', s.session_id, 'ip', host(s.contact_ip), 'score', s.score,
        'suspicion', s.suspicion, 'time_to_submit', s.time_to_submit, 'payload', s.payload)
    FROM leadanalytics.lead_submission s WHERE s.workspace = who.workspace AND s.lead = ANY (who.leads) ORDER BY s.submitted_at, s.id;
    RETURN QUERY
    SELECT 'status_changes', json_build_object('lead_id', c.lead, 'from', c.from_status, 'to', c.to_status, 'at', leadanalytics.utc_milliseconds(c.at))
    FROM leadanalytics.lead_status_change c WHERE c.workspace = who.workspace AND c.lead = ANY (who.leads) ORDER BY c.at, c.id;
    RETURN QUERY
    SELECT 'assignments', json_build_object('lead_id', a.lead, 'owner_id', a.owner_id, 'team_id', a.team_id, 'at', leadanalytics.utc_milliseconds(a.at))
    FROM leadanalytics.lead_assignment a WHERE a.workspace = who.workspace AND a.lead = ANY (who.leads) ORDER BY a.at, a.id;
    RETURN QUERY
    SELECT 'named_leads', json_build_object('lead_id', n.lead_id)
    FROM leadanalytics.named_lead n WHERE n.workspace = who.workspace AND n.id = ANY (who.leads) ORDER BY n.lead_id;
    RETURN QUERY
    SELECT 'crm_leads', json_build_object('lead_id', c.lead, 'crm_id', c.crm_id, 'status', c.status, 'status_at', leadanalytics.utc_milliseconds(c.status_at))
    FROM leadanalytics.crm_lead c WHERE c.workspace = who.workspace AND c.lead = ANY (who.leads) ORDER BY c.lead;
    RETURN QUERY
    SELECT 'crm_events', json_build_object('lead_id', c.lead, 'crm_id', c.crm_id, 'event_id', c.event_id, 'event_type', c.event_type, 'status', c.status, 'at', leadanalytics.utc_milliseconds(c.at))
    FROM leadanalytics.crm_event c WHERE c.workspace = who.workspace AND c.lead = ANY (who.leads) ORDER BY c.at, c.id;
    RETURN QUERY
    SELECT 'predictions', json_build_object('lead_id', f.lead, 'facts', to_jsonb(f) - '{workspace,lead}'::text[], 'version', p.version, 'log_odds', p.log_odds)
    FROM leadanalytics.lead_fact f LEFT JOIN leadanalytics.lead_prediction p ON p.workspace = f.workspace AND p.lead = f.lead
    WHERE f.workspace = who.workspace AND f.lead = ANY (who.leads) ORDER BY f.lead;
    RETURN QUERY
    SELECT 'rejected_posts', json_build_object(
        'list', r.list, 'received_at', leadanalytics.utc_milliseconds(r.received_at), 'ip', host(r.ip), 'email', r.email, 'name', r.name, 'phone', r.phone, 'dial_code', r.dial_code,
        'project', r.project, 'source', r.source, 'referer', r.referer, 'payload', r.payload)
    FROM leadanalytics.rejected_lead r WHERE r.workspace = who.workspace AND r.id = ANY (who.rejected) ORDER BY r.received_at, r.id;
    RETURN QUERY
    SELECT 'messages', json_build_object(
        'message_id', m.key, 'campaign', c.name, 'lead_id', m.lead, 'recipient', m.recipient, 'workflow_execution_id', m.workflow,
        'sent_at', leadanalytics.utc_milliseconds(m.sent_at), 'delivered_at', leadanalytics.utc_milliseconds(m.delivered_at), 'bounced_at', leadanalytics.utc_milliseconds(m.bounced_at),
        'opened_at', leadanalytics.utc_milliseconds(m.opened_at), 'clicked_at', leadanalytics.utc_milliseconds(m.clicked_at), 'replied_at', leadanalytics.utc_milliseconds(m.replied_at),
        'complained_at', leadanalytics.utc_milliseconds(m.complained_at), 'unsubscribed_at', leadanalytics.utc_milliseconds(m.unsubscribed_at))
    FROM leadanalytics.message m LEFT JOIN leadanalytics.campaign c ON c.workspace = m.workspace AND c.id = m.campaign
    WHERE m.workspace = who.workspace AND m.id = ANY (who.messages) ORDER BY m.id;
    RETURN QUERY
    SELECT 'message_events', json_build_object(
        'message_id', m.key, 'event', k.name, 'at', leadanalytics.utc_milliseconds(e.at), 'lead_id', e.lead, 'recipient', e.recipient, 'workflow_execution_id', e.workflow,
        'url', url.text, 'user_agent', agent.text, 'ip', host(e.ip), 'bounce_code', e.bounce_code, 'reason', reason.text)
    FROM leadanalytics.message m
    JOIN leadanalytics.message_event e ON e.message = m.id AND e.workspace = m.workspace
    JOIN (VALUES ('s'::"char", 'sent'), ('d', 'delivered'), ('b', 'bounced'), ('o', 'opened'), ('c', 'clicked'), ('r', 'replied'), ('p', 'complained'), ('u', 'unsubscribed')) AS k (kind, name)
      ON k.kind = e.kind
    LEFT JOIN leadanalytics.message_text url ON url.workspace = e.workspace AND url.id = e.url
    LEFT JOIN leadanalytics.message_text agent ON agent.workspace = e.workspace AND agent.id = e.agent
    LEFT JOIN leadanalytics.message_text reason ON reason.workspace = e.workspace AND reason.id = e.reason
    WHERE m.workspace = who.workspace AND m.id = ANY (who.messages) ORDER BY e.at, e.id;
    RETURN QUERY
    SELECT 'contacts', json_build_object('email', c.email, 'name', c.name, 'created_at', leadanalytics.utc_milliseconds(c.created_at))
    FROM leadanalytics.contact c WHERE c.workspace = who.workspace AND c.id = ANY (who.contacts) ORDER BY c.id;
    RETURN QUERY
    SELECT 'contact_events', json_build_object('event_type', e.event_type, 'at', leadanalytics.utc_milliseconds(e.at), 'room', r.name, 'booking_page', b.slug,
                                               'event_id', e.event_id, 'metadata', e.metadata)
    FROM leadanalytics.contact_event e
    LEFT JOIN leadanalytics.room r ON r.workspace = e.workspace AND r.id = e.room
    LEFT JOIN leadanalytics.booking_page b ON b.workspace = e.workspace AND b.id = e.booking_page
    WHERE e.workspace = who.workspace AND e.contact = ANY (who.contacts) ORDER BY e.at, e.id;
END
$$;
COMMENT ON FUNCTION leadanalytics.person_lead_rows(leadanalytics.subject) IS 'what leadanalytics.person_rows() has of leads, mail and activity';

-- What was or will be told of them, and is kept apart from the facts. Of the files of exports the day is said, not what is
-- in them: they are of many, and all go.
CREATE FUNCTION leadanalytics.person_copy_rows(who leadanalytics.subject)
RETURNS TABLE (kind text, data json) LANGUAGE plpgsql STABLE SET jit = off AS $$
#variable_conflict use_column
DECLARE
    needles CONSTANT text[] := leadanalytics.needles(who);
    marks CONSTANT text[] := leadanalytics.marks(who, needles);
BEGIN
    RETURN QUERY
    SELECT 'outbox', json_build_object('topic', o.topic, 'created_at', leadanalytics.utc_milliseconds(o.created_at), 'body', o.body)
    FROM leadanalytics.outbox o WHERE o.workspace = who.workspace AND leadanalytics.tells_of_person(o.body::text, who, needles, marks) ORDER BY o.id;
    RETURN QUERY
    SELECT 'deliveries', json_build_object('topic', d.topic, 'webhook', d.webhook, 'recipient', d.recipient, 'subject', d.subject, 'body', d.body, 'status', d.status,
                                           'created_at', leadanalytics.utc_milliseconds(d.created_at))
    FROM leadanalytics.delivery d
    WHERE d.workspace = who.workspace AND leadanalytics.delivery_tells(d, who, needles, marks) ORDER BY d.id;
    RETURN QUERY
    SELECT 'stored_answers', json_build_object('route', i.route, 'at', leadanalytics.utc_milliseconds(i.at), 'answer', convert_from(i.answer, 'UTF8'))
    FROM leadanalytics.idempotency i WHERE i.workspace = who.workspace AND leadanalytics.answer_tells(i, who, needles, marks) ORDER BY i.at, i.digest;
    RETURN QUERY
    SELECT 'exports', json_build_object('export_id', e.key, 'type', e.type, 'created_at', leadanalytics.utc_milliseconds(e.created_at), 'options', e.options)
    FROM leadanalytics.export e
    WHERE e.workspace = who.workspace AND leadanalytics.tells_of_person(e.options::text, who, needles, marks) ORDER BY e.created_at, e.key;
    RETURN QUERY
    SELECT 'listed_ips', json_build_object('ip', abbrev(i.ip), 'policy', i.policy, 'listed_at', leadanalytics.utc_milliseconds(i.listed_at))
    FROM leadanalytics.listed_ip i WHERE i.workspace = who.workspace AND i.ip = ANY (who.ips) ORDER BY i.ip;
END
$$;
COMMENT ON FUNCTION leadanalytics.person_copy_rows(leadanalytics.subject) IS 'what leadanalytics.person_rows() has of what is told to others, and lists of addresses';
