-- The events of ninety days that end at bench.now, as ingestion would have written them, written straight into the
-- tables: 1 of 5 events opens a session, a visitor has four sessions in all the time there is, pages, referrers,
-- User-Agents and places are as Zipf has them; every session has one of 200 campaigns, each as often as any other; a quarter of
-- the custom events has one of 40 tags.
--
-- Everything is told by hashes (../draw.sql). Three steps: the dictionary, all sessions (who, when, with what), and the
-- events, a day at a time, so that no step holds more than all sessions (40 bytes each) or a day's events.

CREATE TABLE bench.fact (workspace int, starts timestamptz, now timestamptz, days int, robots_from int);
INSERT INTO bench.fact VALUES (:workspace, :'ends'::timestamptz - interval '90 days', :'ends', 90);

-- The dictionary. An entry's number is that of its kind's first one and of its own place: nothing looks it up.
CREATE TABLE bench.entry (kind text, what text, n int, parts text[] COLLATE "C", PRIMARY KEY (what, n));
CREATE FUNCTION bench.digest(kind text, parts text[]) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT encode(substring(sha256(convert_to(kind, 'UTF8') || '\x00' || (
        SELECT string_agg(convert_to(coalesce(part, ''), 'UTF8') || '\x00', '' ORDER BY place) FROM unnest(parts) WITH ORDINALITY AS p (part, place)))
        FOR 16), 'hex')::uuid
$$;
COMMENT ON FUNCTION bench.digest(text, text[]) IS 'as src/track/term.c makes it: what ingestion adds later is found';

INSERT INTO bench.entry
SELECT 'text', 'name', n, ARRAY[name] FROM unnest('{page_view,scroll,click,visibility_change,view_item,add_to_cart,search,share,begin_checkout,sign_up,purchase,download}'::text[])
    WITH ORDINALITY AS t (name, n)
UNION ALL SELECT 'text', 'title', n, ARRAY['Article ' || n || ' and what goes with it | The Shop'] FROM generate_series(1, 2000) AS n
UNION ALL SELECT 'text', 'referrer', n, ARRAY[CASE n WHEN 1 THEN 'https://www.google.com/' ELSE 'https://www.site-' || n || '.example/articles/' END] FROM generate_series(1, 200) AS n
UNION ALL SELECT 'source', 'source', n, ARRAY['web', name] FROM unnest('{page_view,scroll,click,visibility_change,view_item,add_to_cart,search,share,begin_checkout,sign_up,purchase,download}'::text[])
    WITH ORDINALITY AS t (name, n)
UNION ALL SELECT 'page', 'page', n, ARRAY['https://www.shop.example' || path, path] FROM generate_series(1, 2000) AS n,
    LATERAL (SELECT format('/%s/article-%s.html', (ARRAY['shop', 'blog', 'help', 'catalogue'])[1 + n % 4], n) AS path) AS p
UNION ALL SELECT 'campaign', 'campaign', n, ARRAY[(ARRAY['google', 'facebook', 'newsletter', 'linkedin', 'bing', 'partner'])[1 + n % 6],
    (ARRAY['cpc', 'social', 'email', 'referral'])[1 + n % 4], 'campaign-' || n, NULL, NULL, NULL] FROM generate_series(1, 200) AS n
UNION ALL SELECT 'place', 'place', n, ARRAY[country[1 + (n - 1) % 60], 'Region ' || (n - 1) / 60 % 4, 'City ' || n]
    FROM generate_series(1, 400) AS n,
         string_to_array('US,DE,IN,GB,BR,FR,CA,JP,ES,IT,AU,NL,MX,PL,ID,TR,SE,CH,KR,AR,ZA,BE,AT,NO,DK,FI,PT,IE,CZ,GR,RO,HU,UA,IL,AE,SG,MY,TH,VN,PH,'
                         'CN,HK,TW,NZ,CL,CO,PE,EG,NG,KE,MA,SA,PK,BD,LK,NP,BG,HR,SK,LT', ',') AS country
UNION ALL SELECT 'tag', 'tag', n, ARRAY['tag-' || n, 'web'] FROM generate_series(1, 40) AS n
UNION ALL SELECT 'network', 'network', n, ARRAY[(64500 + n)::text, 'Network ' || n, 'f', CASE WHEN n > 180 THEN 't' ELSE 'f' END, 'f', 'f', 'f'] FROM generate_series(1, 200) AS n
UNION ALL SELECT 'agent', 'agent', row_number() OVER (ORDER BY a.is_bot, n), ARRAY[text, a.browser, a.browser_version, a.os, a.os_version, a.device, a.device_type, CASE WHEN a.is_bot THEN 't' ELSE 'f' END]
    FROM bench.agent, LATERAL leadanalytics.agent(text) AS a;
UPDATE bench.fact SET robots_from = (SELECT min(n) FROM bench.entry WHERE what = 'agent' AND parts[8] = 't');

CREATE TABLE bench.first AS
SELECT what, coalesce(sum(max(n)) OVER (ORDER BY what ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::int
             + (SELECT last_value + is_called::int FROM leadanalytics.term_id)::int AS id
FROM bench.entry GROUP BY what;
INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts)
SELECT :workspace, f.id + n - 1, bench.digest(kind, parts), kind, parts FROM bench.entry JOIN bench.first f USING (what) ORDER BY 2;
SELECT setval('leadanalytics.term_id', max(id)) FROM leadanalytics.term;

CREATE FUNCTION bench.term(what text, n int) RETURNS int LANGUAGE sql STABLE AS $$ SELECT f.id + n - 1 FROM bench.first f WHERE f.what = term.what $$;

-- All sessions. s and v are what hashes are drawn for; number is the session's own, none of a robot's.
CREATE UNLOGGED TABLE bench.session (number bigint, s int, v int, visitor int, person int, starts timestamptz, returns int);
CREATE UNLOGGED TABLE bench.visitor (v int, number int, person int, first timestamptz, sessions int, last_session bigint, last_named boolean);

CREATE FUNCTION bench.is_named(v int) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT bench.u(v, 10) < 0.7 $$;
COMMENT ON FUNCTION bench.is_named(int) IS 'whether the visitor''s pages send a session_id';

CREATE TABLE bench.day (day int PRIMARY KEY, block bigint NOT NULL, blocks bigint NOT NULL);
CREATE FUNCTION bench.events_of(s int) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT least(50, 1 + floor(ln(1 - bench.u(s, 2)) / ln(0.8)))::int $$;

CREATE PROCEDURE bench.make_sessions(events bigint, visitors bigint) LANGUAGE plpgsql SET work_mem = '256MB' SET jit = off AS $$
DECLARE
    fact bench.fact;
BEGIN
    SELECT * INTO fact FROM bench.fact;
    -- In the middle of a day (UTC) comes four times as much as at its ends. Ids are drawn when somebody is met first.
    CREATE UNLOGGED TABLE bench.visit AS
    SELECT s::int AS s, 1 + floor(visitors * bench.u(s, 9) ^ 1.5)::int AS v,
           date_trunc('milliseconds', fact.starts + (floor(fact.days * bench.u(s, 1)) + d + 0.6 * sin(2 * pi() * d) / (2 * pi())) * interval '1 day') AS starts
    FROM generate_series(1, events / 5) AS s, LATERAL (SELECT bench.u(s, 20) AS d) AS t;
    INSERT INTO bench.visitor
    SELECT v, sum(1 + (v % 10 = 0)::int) OVER (ORDER BY starts, v) - (v % 10 = 0)::int, NULL, starts, n
    FROM (SELECT v, min(starts) AS starts, count(*) AS n FROM bench.visit GROUP BY v) AS met;
    UPDATE bench.visitor SET person = number + 1 WHERE v % 10 = 0;
    UPDATE bench.visitor SET sessions = 0 WHERE bench.zipf(bench.u(v, 16), 300) >= fact.robots_from;
    ANALYZE bench.visitor;
    INSERT INTO bench.session
    SELECT CASE WHEN NOT robot THEN row_number() OVER (PARTITION BY robot ORDER BY starts, s) END, s, v, visitor, person, starts, returns
    FROM (SELECT s, v, b.number AS visitor, b.person, t.starts, row_number() OVER (PARTITION BY v ORDER BY t.starts, s) - 1 AS returns, b.sessions = 0 AS robot
          FROM bench.visit t JOIN bench.visitor b USING (v)) AS known
    ORDER BY starts, s;
    DROP TABLE bench.visit;
    CREATE INDEX ON bench.session USING brin (starts) WITH (pages_per_range = 8);
    ANALYZE bench.session;
    -- Ids come in blocks of 1 024, of which a batch takes 1 000.
    INSERT INTO bench.day
    SELECT day, sum(blocks) OVER (ORDER BY day) - blocks + (SELECT last_value + 1 FROM leadanalytics.event_block), blocks
    FROM (SELECT floor(extract(epoch FROM s.starts - fact.starts) / 86400)::int AS day, sum(bench.events_of(s.s)) / 1000 + 1 AS blocks FROM bench.session s GROUP BY 1) AS d;
    PERFORM setval('leadanalytics.event_block', max(block + blocks)) FROM bench.day;
    PERFORM setval('leadanalytics.visitor_number', max(greatest(number, person))) FROM bench.visitor;
    PERFORM setval('leadanalytics.session_number', max(number)) FROM bench.session;
END
$$;

CREATE PROCEDURE bench.write_visitors() LANGUAGE plpgsql SET work_mem = '256MB' SET jit = off AS $$
DECLARE
    of_workspace int := (SELECT workspace FROM bench.fact);
    first_id int := (SELECT last_value + 1 FROM leadanalytics.term_id);
BEGIN
    INSERT INTO leadanalytics.visitor (workspace, number, sessions, person, last_session, visitor_id)
    SELECT of_workspace, b.number, b.sessions, b.person, l.number, md5('visitor ' || v)::uuid::text
    FROM bench.visitor b
    LEFT JOIN (SELECT v, max(number) AS number FROM bench.session WHERE NOT bench.is_named(v) GROUP BY v) AS l USING (v)
    ORDER BY b.number;
    INSERT INTO leadanalytics.person (workspace, number, user_id) SELECT of_workspace, person, 'customer-' || v FROM bench.visitor WHERE person IS NOT NULL ORDER BY person;
    INSERT INTO leadanalytics.identity (workspace, visitor, person, at) SELECT of_workspace, number, person, first FROM bench.visitor WHERE person IS NOT NULL ORDER BY number;
    -- A quarter of the visitors have a fingerprint, and so a device: two entries each.
    INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts)
    SELECT of_workspace, first_id + v / 4 * 2 + device, bench.digest(kind, parts), kind, parts
    FROM bench.visitor, LATERAL (SELECT md5('fingerprint ' || v) AS fp) AS f,
         LATERAL (VALUES (0, 'fingerprint', ARRAY[fp]),
                         (1, 'device', ARRAY[md5('device ' || v), fp, 'en-US', (ARRAY['Win32', 'MacIntel', 'iPhone', 'Linux armv8l'])[1 + v / 4 % 4], '8', '8', '24', '2'])) AS t (device, kind, parts)
    WHERE v % 4 = 1 ORDER BY 2;
    INSERT INTO bench.first VALUES ('fingerprint', first_id), ('device', first_id + 1);
    PERFORM setval('leadanalytics.term_id', max(id)) FROM leadanalytics.term;
END
$$;

-- A day's sessions with their events. The trigger on leadanalytics.event writes a ledger row for each block of ids.
CREATE FUNCTION bench.write_day(day int) RETURNS bigint LANGUAGE plpgsql SET work_mem = '256MB' SET jit = off SET enable_seqscan = off AS $$
DECLARE
    fact bench.fact;
    block bigint := (SELECT b.block FROM bench.day b WHERE b.day = write_day.day);
    seed bigint := current_setting('bench.seed')::bigint;
    pages int := bench.term('page', 0);
    titles int := bench.term('title', 0);
    names int := bench.term('name', 0);
    referrers int := bench.term('referrer', 0);
    campaigns int := bench.term('campaign', 0);
    places int := bench.term('place', 0);
    networks int := bench.term('network', 0);
    agents int := bench.term('agent', 0);
    tags int := bench.term('tag', 0);
    sources int := bench.term('source', 0);
    fingerprints int := bench.term('fingerprint', 1);
    devices int := bench.term('device', 1);
    written bigint;
BEGIN
    SELECT * INTO fact FROM bench.fact;
    WITH visit AS MATERIALIZED (
        SELECT s.*, bench.events_of(s) AS n, least(600, 5 - 40 * ln(1 - bench.u(s, 3))) AS pause,
               CASE WHEN bench.u(s, 4) < 0.6 THEN referrers + bench.zipf(bench.u(s, 5), 200) END AS referrer,
               campaigns + 1 + floor(200 * bench.u(s, 7))::int AS campaign,
               places + bench.zipf(bench.u(v, 11), 400) AS place,
               CASE WHEN bench.u(v, 12) < 0.95 THEN bench.zipf(bench.u(v, 13), 200) END AS network,
               agents + bench.zipf(bench.u(v, 16), 300) AS agent,
               bench.zipf(bench.u(v, 15), 10) AS screen,
               CASE WHEN v % 4 = 1 THEN fingerprints + v / 4 * 2 END AS fingerprint,
               CASE WHEN v % 4 = 1 THEN devices + v / 4 * 2 END AS device
        FROM bench.session s
        WHERE s.starts >= fact.starts + day * interval '1 day' AND s.starts < fact.starts + (day + 1) * interval '1 day'
    ), drawn AS (
        SELECT visit.*, e, CASE WHEN e = 1 THEN starts ELSE date_trunc('milliseconds', starts + (e - 1 + (h & 1048575) / 1048576.0::float8) * pause * interval '1 s') END AS at,
               -- two events a page
               bench.zipf((hashint8extended(s * 64::bigint + e / 2, seed + 7) & 4194303) / 4194304.0::float8, 2000) AS page,
               CASE WHEN e = 1 THEN 0 ELSE (h >> 20 & 1048575) / 1048576.0::float8 END AS what, h >> 40 & 1048575 AS h
        FROM visit, generate_series(1, n) AS e, LATERAL (SELECT hashint8extended(s * 64::bigint + e, seed) AS h) AS t
    ), event AS MATERIALIZED (
        SELECT *, CASE WHEN what < 0.5 THEN 1 WHEN what < 0.68 THEN 2 WHEN what < 0.86 THEN 3 WHEN what < 0.9 THEN 4
                  ELSE 4 + bench.zipf((what - 0.9) * 10, 8) END AS name,
               row_number() OVER (ORDER BY at, s, e) - 1 AS place_in_day
        FROM drawn WHERE at < fact.now
    ), opened AS (
        INSERT INTO leadanalytics.session (workspace, visitor, number, started_at, entry_page, referrer, campaign, place, network, agent, fingerprint, device,
            returns, vpn_score, last_page, last_seen, events, pageviews, clicks, scroll_percent, ended_at, is_ended, ip, session_id)
        SELECT fact.workspace, visitor, number, starts, pages + first_page, referrer, campaign, place, networks + network, agent, fingerprint, device,
               returns, CASE WHEN network IS NULL AND fingerprint IS NULL THEN NULL WHEN bench.u(v, 21) < 0.02 THEN 54 WHEN network > 180 THEN 13 ELSE 0 END,
               pages + last_page, last_seen, events, pageviews, clicks, scroll,
               CASE WHEN last_seen < fact.now - interval '1 hour' THEN last_seen END,
               last_seen < fact.now - interval '1 hour' AND bench.u(s, 22) < 0.1,
               '16.0.0.0'::inet + (hashint8extended(v, 14) & ((1 << 30) - 1)),
               CASE WHEN bench.is_named(v) THEN md5('session ' || s)::uuid::text END
        FROM visit
        JOIN (SELECT number, min(page) FILTER (WHERE e = 1) AS first_page, max(at) AS last_seen, count(*) AS events,
                     (max(e * 4096::bigint + page) & 4095)::int AS last_page,
                     count(*) FILTER (WHERE name = 1) AS pageviews, count(*) FILTER (WHERE name = 3) AS clicks,
                     coalesce(max(10 * (1 + h % 10)) FILTER (WHERE name = 2), 0) AS scroll
              FROM event WHERE number IS NOT NULL GROUP BY number) AS of_session USING (number)
        ORDER BY number
    )
    INSERT INTO leadanalytics.event (at, received_at, id, session, workspace, visitor, person, name, title, referrer, source, page, campaign, place, agent,
        fingerprint, device, screen_width, screen_height, kind, is_bot, event_id, tags, data)
    SELECT at, at + interval '2 s', (block + place_in_day / 1000) << 10 | place_in_day % 1000, number, fact.workspace, visitor, person,
           names + name, titles + page, referrer, sources + name, pages + page, campaign, place, agent, fingerprint, device,
           (ARRAY[1920, 390, 1366, 1536, 412, 360, 2560, 1440, 768, 3840])[screen], (ARRAY[1080, 844, 768, 864, 915, 800, 1440, 900, 1024, 2160])[screen],
           (CASE WHEN name = 1 THEN 'p' WHEN name <= 4 THEN 'a' ELSE 'c' END)::"char", number IS NULL, md5(s || '-' || e || '-' || seed)::uuid,
           CASE WHEN name > 4 AND h % 4 = 0 THEN ARRAY[tags + 1 + (h / 4 % 40)::int] END,
           CASE WHEN name = 2 THEN jsonb_build_object('scroll_percent', 10 * (1 + h % 10))
                WHEN name = 3 THEN jsonb_build_object('x', h % 1200, 'y', h % 700, 'element', 'button.buy-' || h % 20)
                WHEN name > 4 AND h % 4 = 0 THEN jsonb_build_object('value', h % 300, 'tag', 'tag-' || 1 + h / 4 % 40)
                WHEN name > 4 THEN jsonb_build_object('value', h % 300) END
    FROM event ORDER BY place_in_day;
    GET DIAGNOSTICS written = ROW_COUNT;
    -- as batches of 1 000 events open and close them
    INSERT INTO leadanalytics.session_ledger (workspace, closed, numbers)
    SELECT fact.workspace, closed, array_agg(number ORDER BY number)
    FROM leadanalytics.session s, unnest('{false,true}'::boolean[]) AS closed
    WHERE s.workspace = fact.workspace AND s.number IN (
              SELECT b.number FROM bench.session b WHERE b.starts >= fact.starts + day * interval '1 day' AND b.starts < fact.starts + (day + 1) * interval '1 day')
      AND (NOT closed OR s.ended_at IS NOT NULL)
    GROUP BY closed, s.number / 200
    ORDER BY min(s.number), closed;
    RETURN written;
END
$$;

CREATE PROCEDURE bench.write_days(from_day int, to_day int) LANGUAGE plpgsql AS $$
BEGIN
    FOR day IN from_day .. to_day LOOP
        PERFORM bench.write_day(day);
        COMMIT;
    END LOOP;
END
$$;
