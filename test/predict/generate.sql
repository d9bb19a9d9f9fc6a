-- Leads of a known model: psql -v slug=… -v n=… -v days=… -v seed=… -v ends='2026-06-01Z' -f generate.sql
--
-- n leads of a workspace, spread over the days before ends. Whether one converts is drawn with the probability
-- 1 / (1 + exp(-log_odds)) of public.truth, which knows what this file writes. Of every second lead the session goes on
-- after its post, and of those that convert far longer: whoever looks there knows too much.
SELECT setseed(:seed);
SELECT leadanalytics.create_workspace(:'slug', :'slug', 'UTC') AS w \gset
CREATE TABLE public.truth AS
SELECT :w AS workspace, d.*, 1 / (1 + exp(-d.log_odds)) AS p, random() < 1 / (1 + exp(-d.log_odds)) AS converts,
       least(-20 * ln(1 - random() * 0.98), 89) AS took, random() AS luck
FROM (SELECT r.*, -3.6 + 0.55 * ln(1 + r.seconds) + 0.012 * r.scroll + 0.5 * ln(1 + r.clicks) - 0.02 * r.suspicion
             + CASE r.medium WHEN 'cpc' THEN -0.7 WHEN 'email' THEN 0.9 WHEN 'organic' THEN 0 ELSE -0.3 END
             + CASE r.device WHEN 'mobile' THEN -0.5 WHEN 'desktop' THEN 0.4 ELSE 0 END
             + CASE r.mail WHEN 'company' THEN 0.7 WHEN 'free' THEN -0.2 ELSE -0.9 END - 1.2 AS log_odds
      FROM (SELECT i, nextval('leadanalytics.lead_id') AS lead, nextval('leadanalytics.visitor_number')::int AS visitor, nextval('leadanalytics.session_number') AS session,
                   timestamptz :'ends' - make_interval(secs => 86400 * :days * (1 - i / (:n)::float8)) AS at,
                   round((-90 * ln(1 - random()))::numeric, 0)::float8 AS seconds, floor(random() * 101) AS scroll, floor(-4 * ln(1 - random()))::int AS clicks, 10 * floor(random() * 6)::int AS suspicion,
                   (ARRAY['cpc', 'email', 'organic', NULL])[1 + floor(random() * 4)] AS medium, (ARRAY['mobile', 'desktop', 'tablet'])[1 + floor(random() * 3)] AS device,
                   (ARRAY['company', 'free', 'none'])[1 + floor(random() * 3)] AS mail, i % 2 = 1 AS goes_on
            FROM generate_series(1, :n) AS i) AS r) AS d;
INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts)
SELECT :w, nextval('leadanalytics.term_id'), md5(:w || kind || parts::text)::uuid, kind, parts
FROM (VALUES ('campaign', ARRAY['s', 'cpc', 'c', NULL, NULL, NULL]), ('campaign', ARRAY['s', 'email', 'c', NULL, NULL, NULL]), ('campaign', ARRAY['s', 'organic', 'c', NULL, NULL, NULL]),
             ('agent', ARRAY['a', 'Firefox', '1', 'Linux', '1', 'x', 'mobile', 'false']), ('agent', ARRAY['b', 'Firefox', '1', 'Linux', '1', 'x', 'desktop', 'false']),
             ('agent', ARRAY['c', 'Firefox', '1', 'Linux', '1', 'x', 'tablet', 'false'])) AS t (kind, parts);
SELECT leadanalytics.make_leaf('event', m::date) FROM generate_series(date_trunc('month', timestamptz :'ends' - make_interval(days => :days + 1), 'UTC'), timestamptz :'ends', interval '1 month') AS m \g /dev/null
INSERT INTO leadanalytics.visitor (workspace, number, sessions, last_session, visitor_id) SELECT :w, t.visitor, 1, t.session, 'v' || t.i FROM public.truth t;
INSERT INTO leadanalytics.session (workspace, visitor, number, started_at, campaign, agent, last_seen, ended_at, events, pageviews, clicks, scroll_percent)
SELECT :w, t.visitor, t.session, t.at - make_interval(secs => t.seconds), c.id, a.id, e.at, e.at, 9, CASE WHEN e.at > t.at THEN 40 ELSE 3 END,
       CASE WHEN t.goes_on THEN t.clicks + CASE WHEN t.converts THEN 50 ELSE 2 END ELSE t.clicks END, CASE WHEN t.goes_on AND t.converts THEN 100 ELSE t.scroll END
FROM public.truth t
CROSS JOIN LATERAL (SELECT CASE WHEN NOT t.goes_on THEN t.at WHEN t.converts THEN t.at + interval '2 hours' ELSE t.at + interval '1 minute' END AS at) AS e
LEFT JOIN leadanalytics.term c ON c.workspace = :w AND c.kind = 'campaign' AND c.parts[2] = t.medium
JOIN leadanalytics.term a ON a.workspace = :w AND a.kind = 'agent' AND a.parts[7] = t.device;
-- Of those that go on: three pages, the clicks and the scrolling until the post, and as much again after it.
INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts)
SELECT :w, nextval('leadanalytics.term_id'), substring(encode(sha256(convert_to('text', 'UTF8') || '\x00' || convert_to(name, 'UTF8') || '\x00'), 'hex') FOR 32)::uuid, 'text', ARRAY[name]
FROM unnest('{click,page_view,scroll}'::text[]) AS name;
INSERT INTO leadanalytics.event (at, received_at, session, workspace, visitor, name, kind, data)
SELECT e.at, e.at, t.session, :w, t.visitor, (SELECT n.id FROM leadanalytics.term n WHERE n.workspace = :w AND n.kind = 'text' AND n.parts[1] = e.name), e.kind, e.data
FROM public.truth t
CROSS JOIN LATERAL (
    SELECT t.at - make_interval(secs => t.seconds) AS at, 'page_view' AS name, 'p'::"char" AS kind, NULL::jsonb AS data FROM generate_series(1, 3)
    UNION ALL SELECT t.at - make_interval(secs => t.seconds / 2), 'click', 'a', NULL FROM generate_series(1, t.clicks)
    UNION ALL SELECT t.at, 'scroll', 'a', jsonb_build_object('scroll_percent', t.scroll)
    UNION ALL SELECT t.at + interval '30 seconds', 'click', 'a', NULL FROM generate_series(1, 2)
    UNION ALL SELECT t.at + interval '40 seconds', 'scroll', 'a', jsonb_build_object('scroll_percent', 100) WHERE t.converts) AS e
WHERE t.goes_on;
INSERT INTO leadanalytics.lead (workspace, id, enquiry_at, status, name, email, project, source, visitor_id, session_id, score, suspicion)
SELECT :w, t.lead, t.at, CASE WHEN t.converts THEN 'won' WHEN t.luck < 0.6 THEN 'lost' ELSE 'contacted' END, 'n' || t.i,
       CASE t.mail WHEN 'company' THEN 'n' || t.i || '@firm.example' WHEN 'free' THEN 'n' || t.i || '@gmail.com' END, 'Tower', 'website', 'v' || t.i, t.session::text, 0, t.suspicion
FROM public.truth t;
INSERT INTO leadanalytics.lead_submission (workspace, lead, submitted_at, is_primary, is_duplicate_window, name, email, project, source, visitor_id, score, suspicion, payload)
SELECT :w, l.id, l.enquiry_at, true, false, l.name, l.email, l.project, l.source, l.visitor_id, l.score, l.suspicion, '{}' FROM leadanalytics.lead l WHERE l.workspace = :w;
INSERT INTO leadanalytics.lead_status_change (workspace, lead, from_status, to_status, at)
SELECT :w, t.lead, s.was, s.status, t.at + make_interval(secs => 86400 * s.days)
FROM public.truth t
CROSS JOIN LATERAL (SELECT NULL, 'new', 0
                    UNION ALL SELECT 'new', 'contacted', least(1, t.took / 2) WHERE t.i % 3 > 0
                    UNION ALL SELECT 'contacted', 'won', t.took WHERE t.converts
                    UNION ALL SELECT 'contacted', 'lost', 5 + 100 * t.luck WHERE NOT t.converts AND t.luck < 0.6) AS s (was, status, days);
ANALYZE leadanalytics.lead, leadanalytics.lead_submission, leadanalytics.lead_status_change, leadanalytics.session, leadanalytics.visitor, leadanalytics.event, leadanalytics.term, public.truth;
