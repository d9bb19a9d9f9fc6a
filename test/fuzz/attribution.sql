-- A world of journeys, written straight into the tables, and a second reckoning of what its conversions are attributed to.
-- Variables: seed, journeys, step (seconds: the coarser, the more happens at once), from and to (a range to ask about),
-- windows (of which rows are compared, too).
--
-- Everything is told by hashes of the seed. Here every conversion is joined with every touch of its journey, and the
-- extreme one is taken; amounts come from what was drawn, not from the events' data.
CREATE FUNCTION pg_temp.u(what bigint, use int) RETURNS float8 LANGUAGE sql STABLE AS $$
    SELECT (hashint8extended(what * 64 + use, current_setting('fuzz.seed')::bigint) & 1048575) / 1048576.0::float8
$$;
SELECT set_config('fuzz.seed', :'seed', false);
SELECT leadanalytics.create_workspace('world-' || :seed, currency => 'USD', timezone => 'America/New_York') AS w \gset
SELECT leadanalytics.set_event_category(:w, 'trial', 'conversion'), leadanalytics.set_event_category(:w, '$install', 'conversion'), leadanalytics.set_event_category(:w, 'lead', 'custom');
SELECT leadanalytics.set_fx_rate(:w, 'EUR', date '2025-11-01' + 9 * n, 1 + n / 8.0) FROM generate_series(0, 40) AS n;

INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts)
SELECT :w, nextval('leadanalytics.term_id'), encode(substring(sha256('text\000'::bytea || convert_to(n, 'UTF8') || '\000'::bytea) FOR 16), 'hex')::uuid, 'text', ARRAY[n]
FROM unnest('{purchase,signup,trial,$install,lead,view_item,pageview}'::text[]) AS n;
CREATE TEMP TABLE campaign AS
SELECT n, nextval('leadanalytics.term_id')::int AS id,
       CASE WHEN pg_temp.u(n, 1) < 0.7 THEN (ARRAY['google', 'face"book', 'news,letter'])[1 + n % 3] END AS source, CASE WHEN pg_temp.u(n, 2) < 0.5 THEN 'email' END AS medium,
       CASE WHEN pg_temp.u(n, 3) < 0.5 THEN 'c' || n % 7 END AS name, CASE WHEN pg_temp.u(n, 4) < 0.3 THEN 'x' END AS term, (ARRAY['gclid', 'fbclid', 'li_fat_id', NULL, NULL, NULL])[1 + floor(6 * pg_temp.u(n, 5))::int] AS click
FROM generate_series(1, 60) AS n;
INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts) SELECT :w, id, md5(id::text)::uuid, 'campaign', ARRAY[source, medium, name, term, NULL, click] FROM campaign;

-- Journeys of nobody known (one visitor), of a person, and of one with a second name; some of their visitors never said who they are.
CREATE TEMP TABLE visitor AS
SELECT j, k, nextval('leadanalytics.visitor_number')::int AS number,
       CASE WHEN pg_temp.u(j, 6) >= 0.4 AND pg_temp.u(j * 4 + k, 7) < 0.9 THEN CASE WHEN pg_temp.u(j, 6) >= 0.8 AND pg_temp.u(j * 4 + k, 8) < 0.5 THEN 2 ELSE 1 END END AS slot
FROM generate_series(1, :journeys) AS j, generate_series(1, CASE WHEN pg_temp.u(j, 6) < 0.4 THEN 1 ELSE 1 + floor(3 * pg_temp.u(j, 9))::int END) AS k;
CREATE TEMP TABLE person AS
SELECT j, slot, nextval('leadanalytics.visitor_number')::int AS number FROM generate_series(1, :journeys) AS j, generate_series(1, 2) AS slot WHERE pg_temp.u(j, 6) >= CASE slot WHEN 1 THEN 0.4 ELSE 0.8 END;
INSERT INTO leadanalytics.person (workspace, number, alias_of, user_id)
SELECT :w, p.number, r.number, format('user-%s-%s', p.j, p.slot) FROM person p LEFT JOIN person r ON p.slot = 2 AND r.j = p.j AND r.slot = 1;
INSERT INTO leadanalytics.visitor (workspace, number, person, visitor_id)
SELECT :w, v.number, p.number, 'visitor-' || v.number FROM visitor v LEFT JOIN person p USING (j, slot);

CREATE TEMP TABLE visit AS
SELECT d.j, d.s, row_number() OVER (ORDER BY pg_temp.u(d.j * 8 + d.s, 10), d.j, d.s) + (SELECT last_value FROM leadanalytics.session_number) AS number, d.at, v.number AS visitor, c.id AS campaign
FROM (SELECT j, s, timestamptz '2026-01-01Z' + floor(140 * 86400 * pg_temp.u(j * 8 + s, 11) / :step) * :step * interval '1 s' AS at,
             1 + floor(n * pg_temp.u(j * 8 + s, 12) / 0.95)::int AS k, 1 + floor(130 * pg_temp.u(j * 8 + s, 13))::int AS campaign
      FROM (SELECT j, count(*) AS n FROM visitor GROUP BY j) AS n, generate_series(1, 1 + floor(6 * pg_temp.u(j, 14))::int) AS s) AS d
LEFT JOIN visitor v ON v.j = d.j AND v.k = d.k -- some sessions have no visitor
LEFT JOIN campaign c ON c.n = d.campaign;
SELECT setval('leadanalytics.session_number', max(number)) FROM visit;
INSERT INTO leadanalytics.session (workspace, number, visitor, started_at, last_seen, campaign, session_id, ended_at)
SELECT :w, number, visitor, at, at + interval '1 minute', campaign, 'session-' || number, at + interval '1 minute' FROM visit;
INSERT INTO leadanalytics.session_ledger (workspace, closed, numbers)
SELECT :w, closed, array_agg(number ORDER BY number) FROM visit, unnest('{false,true}'::boolean[]) AS closed GROUP BY closed, number / 500;

-- What happened in sessions (before their start, too), exactly a window after a touch or a moment later, at servers and by robots.
CREATE TEMP TABLE happened AS
SELECT row_number() OVER (ORDER BY d.at, d.j, d.s, d.i) - 1 AS n, d.at, d.bot, CASE WHEN d.who >= 0.1 THEN CASE WHEN d.who < 0.2 THEN o.number ELSE d.visitor END END AS visitor, p.number AS person,
       CASE WHEN d.i < 3 AND NOT d.bot AND d.named < 0.85 THEN d.session END AS session, d.name,
       CASE WHEN d.money < 0.8 THEN round((1000 * d.money - 100)::numeric, 2) END AS value,
       (ARRAY[NULL, NULL, 'USD', 'EUR', 'XXX'])[1 + floor(5 * d.paid)::int] AS currency
FROM (SELECT v.j, v.s, i, v.visitor, v.number AS session, pg_temp.u(key, 27) < 0.03 AS bot, pg_temp.u(key, 20) AS who, pg_temp.u(key, 21) AS named, pg_temp.u(key, 22) AS money, pg_temp.u(key, 23) AS paid,
             (ARRAY['purchase', 'purchase', 'signup', 'trial', '$install', 'lead', 'view_item', 'pageview'])[1 + floor(8 * pg_temp.u(key, 24))::int] AS name,
             1 + floor(3 * pg_temp.u(key, 26))::int AS k, CASE WHEN pg_temp.u(key, 28) < 0.3 THEN 1 WHEN pg_temp.u(key, 28) < 0.4 THEN 2 END AS slot,
             CASE WHEN i = 3 THEN v.at + (ARRAY[7, 30, 90])[1 + floor(3 * pg_temp.u(key, 25))::int] * interval '24 hours' + (pg_temp.u(key, 29) < 0.5)::int * interval '1 microsecond'
                  WHEN pg_temp.u(key, 25) < 0.1 THEN v.at - :step * interval '1 s' ELSE v.at + floor(7200 * pg_temp.u(key, 25) / :step) * :step * interval '1 s' END AS at
      FROM visit v, generate_series(1, 3) AS i, LATERAL (SELECT (v.j * 8 + v.s) * 4 + i AS key) AS d
      WHERE pg_temp.u(key, 30) < CASE i WHEN 1 THEN 0.4 WHEN 2 THEN 0.1 ELSE 0.2 END) AS d
LEFT JOIN visitor o ON o.j = d.j AND o.k = d.k
LEFT JOIN person p ON p.j = d.j AND p.slot = d.slot;
CREATE TEMP TABLE block AS SELECT last_value + 1 AS first FROM leadanalytics.event_block;
SELECT setval('leadanalytics.event_block', first + (SELECT max(n) / 1000 FROM happened)) FROM block;
SELECT leadanalytics.make_leaf('event', m::date) FROM generate_series(timestamp '2025-12-01', '2026-09-01', '1 month') AS m;
INSERT INTO leadanalytics.event (workspace, id, at, received_at, visitor, person, session, name, kind, is_bot, data)
SELECT :w, (first + n / 1000) << 10 | n % 1000, at, at, visitor, person, session, t.id, leadanalytics.event_kind(name), bot,
       jsonb_strip_nulls(jsonb_build_object((ARRAY['value', 'revenue', 'amount'])[1 + n % 3], CASE n % 2 WHEN 0 THEN to_jsonb(value) ELSE to_jsonb(value::text) END, 'currency', lower(currency)))
FROM happened CROSS JOIN block JOIN leadanalytics.term t ON t.workspace = :w AND t.parts = ARRAY[name] ORDER BY n;
ANALYZE leadanalytics.session, leadanalytics.visitor, leadanalytics.person, leadanalytics.event, visit, happened, visitor, person;

-- The second reckoning.
CREATE TEMP TABLE known AS
SELECT v.number AS visitor, CASE WHEN v.slot IS NULL THEN 'visitor ' || v.number ELSE 'journey ' || v.j END AS who FROM visitor v;
CREATE TEMP TABLE triple AS
SELECT id, CASE WHEN source IS NOT NULL THEN source WHEN click IS NULL THEN '' ELSE (jsonb '{"gclid": "google", "fbclid": "facebook", "li_fat_id": "linkedin"}') ->> click END AS source,
       CASE WHEN medium IS NOT NULL THEN medium WHEN click IS NULL THEN '' ELSE 'cpc' END AS medium, coalesce(name, '') AS campaign
FROM campaign;
CREATE TEMP TABLE touch AS SELECT k.who, v.number, v.at, v.campaign FROM visit v JOIN known k USING (visitor) WHERE v.campaign IS NOT NULL;
CREATE TEMP TABLE paid AS
SELECT (b.first + h.n / 1000) << 10 | h.n % 1000 AS id, h.at, h.name, h.bot,
       CASE WHEN h.value IS NULL THEN 0 WHEN h.currency IS NULL OR h.currency = 'USD' THEN h.value ELSE coalesce(h.value * r.rate, 0) END AS amount,
       CASE WHEN k.who IS NOT NULL THEN k.who WHEN p.j IS NOT NULL THEN 'journey ' || p.j END AS who, v.number AS session, v.at AS started_at, v.campaign
FROM happened h CROSS JOIN block b
LEFT JOIN visit v ON v.number = h.session
LEFT JOIN known k ON k.visitor = CASE WHEN h.visitor IS NULL THEN v.visitor ELSE h.visitor END
LEFT JOIN person p ON p.number = h.person
LEFT JOIN (SELECT d.day::date, r.currency, r.rate FROM leadanalytics.fx_rate r, generate_series(r.day, r.day + 6, '1 day') AS d (day) WHERE r.workspace = :w) AS r
    ON r.currency = h.currency AND r.day = date(timezone('America/New_York', h.at))
WHERE h.name IN ('purchase', 'signup', 'trial', '$install');
CREATE INDEX ON touch (who); ANALYZE touch, paid;
CREATE TEMP TABLE candidate AS
SELECT p.id, p.at - t.at AS age, t.at, t.number, t.campaign, t.number IS NOT DISTINCT FROM p.session AS own FROM paid p JOIN touch t USING (who) WHERE t.at <= p.at AND p.at - t.at <= interval '2160 hours'
UNION
SELECT p.id, greatest(p.at - p.started_at, '0'), least(p.at, p.started_at), p.session, p.campaign, true FROM paid p WHERE p.campaign IS NOT NULL;
ANALYZE candidate;
CREATE TEMP TABLE expected AS
SELECT DISTINCT ON (days, model, id) days, model, id, c.at, number, campaign
FROM unnest('{7,30,90}'::int[]) AS days CROSS JOIN unnest('{hybrid,first_touch,last_touch,session}'::text[]) AS model
JOIN candidate c ON c.age <= days * interval '24 hours' AND (own OR model <> 'session')
ORDER BY days, model, id, model = 'hybrid' AND own DESC, CASE model WHEN 'last_touch' THEN 0 ELSE 1 END * extract(epoch FROM c.at), CASE WHEN model <> 'last_touch' THEN number END, c.at DESC, number DESC;
ANALYZE expected;
SELECT format('made|%s journeys, %s sessions, %s conversions, %s of them with a touch', :journeys, (SELECT count(*) FROM visit), (SELECT count(*) FROM paid), (SELECT count(*) FROM expected WHERE days = 90 AND model = 'hybrid'));

-- Each conversion, and the rows of the answer, by each model and window.
CREATE FUNCTION pg_temp.conversions(w int, starts timestamptz, ends timestamptz, days int, model text, bots boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    WITH got AS MATERIALIZED (
        SELECT c.at, c.id, c.event_name, c.value, c.touched_at, c.session, c.utm_source, c.utm_medium, c.utm_campaign
        FROM leadanalytics.attribution_conversions(w, starts, ends, days, model, bots) c
    ), wanted AS MATERIALIZED (
        SELECT p.at, p.id, p.name, p.amount, e.at, e.number, t.source, t.medium, t.campaign
        FROM paid p LEFT JOIN expected e ON e.id = p.id AND e.days = conversions.days AND e.model = conversions.model LEFT JOIN triple t ON t.id = e.campaign
        WHERE p.at >= starts AND p.at < ends AND (bots OR NOT p.bot)
    )
    SELECT count(*) INTO wrong FROM ((TABLE got EXCEPT ALL TABLE wanted) UNION ALL (TABLE wanted EXCEPT ALL TABLE got)) AS d;
    RETURN wrong;
END
$$;
CREATE FUNCTION pg_temp.rows(w int, starts timestamptz, ends timestamptz, days int, model text, bots boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    WITH got AS MATERIALIZED (
        SELECT r.* FROM leadanalytics.attribution_rows(w, starts, ends, days, model, 'infinity', bots)
            WITH ORDINALITY AS r (source, medium, campaign, visitors, conversions, revenue, rate, average, place)
    ), counted AS (
        SELECT t.source, t.medium, t.campaign, count(DISTINCT v.visitor) AS visitors, 0 AS conversions, 0 AS revenue
        FROM visit v JOIN triple t ON t.id = v.campaign WHERE v.at >= starts AND v.at < ends GROUP BY 1, 2, 3
        UNION ALL
        SELECT t.source, t.medium, t.campaign, 0, count(*), sum(p.amount)
        FROM paid p JOIN expected e ON e.id = p.id AND e.days = rows.days AND e.model = rows.model JOIN triple t ON t.id = e.campaign
        WHERE p.at >= starts AND p.at < ends AND (bots OR NOT p.bot) GROUP BY 1, 2, 3
    ), summed AS (
        SELECT source, medium, campaign, max(visitors) AS visitors, max(conversions) AS conversions, sum(revenue) AS revenue FROM counted GROUP BY 1, 2, 3
    ), wanted AS MATERIALIZED (
        SELECT s.*, CASE visitors WHEN 0 THEN 0 ELSE round(100.0 * conversions / visitors, 2) END, CASE conversions WHEN 0 THEN 0 ELSE round(revenue / conversions, 2) END,
               row_number() OVER (ORDER BY revenue DESC, conversions DESC, visitors DESC, source COLLATE "C", medium COLLATE "C", campaign COLLATE "C")
        FROM summed s
    )
    SELECT count(*) INTO wrong FROM ((TABLE got EXCEPT ALL TABLE wanted) UNION ALL (TABLE wanted EXCEPT ALL TABLE got)) AS d;
    RETURN wrong;
END
$$;
SELECT format('conversions|%s days|%s|%s', days, model, pg_temp.conversions(:w, :'from', :'to', days, model, days = 7))
FROM unnest('{7,30,90}'::int[]) AS days, unnest('{hybrid,first_touch,last_touch,session}'::text[]) AS model;
SELECT format('rows before the fold|%s', pg_temp.rows(:w, :'from', :'to', 30, 'hybrid', false));
SELECT count(leadanalytics.fold(:w));
SELECT format('rows|%s days|%s|%s', days, model, pg_temp.rows(:w, :'from', :'to', days, model, days = 7))
FROM unnest(:'windows'::int[]) AS days, unnest('{hybrid,first_touch,last_touch,session}'::text[]) AS model;
SELECT format('rows of all time|%s', pg_temp.rows(:w, '-infinity', 'infinity', 90, 'last_touch', false));
DROP TABLE campaign, visitor, person, visit, happened, block, known, triple, touch, paid, candidate, expected;
DROP FUNCTION pg_temp.conversions, pg_temp.rows, pg_temp.u;
