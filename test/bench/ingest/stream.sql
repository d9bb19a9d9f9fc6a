-- Made-up traffic of a shop, the same in every run: what is drawn comes from hashes of the seed, of the number of the
-- session or visitor, and of what it is drawn for, so that no plan and no order of rows changes it.
--
-- Five events a session, four sessions a visitor; pages, referrers, User-Agents and campaigns as Zipf has them.

-- What the web SDK knows of an event.
CREATE UNLOGGED TABLE bench.stream (
    kind text, n int,
    event_id uuid, event_name text, visitor_id text, user_id text, session_id text, at timestamptz,
    url text, path text, title text, referrer text, screen_width int, screen_height int,
    utm_source text, utm_medium text, utm_campaign text, utm_term text, utm_content text, gclid text, source text, data jsonb,
    visitor bigint, ip inet, user_agent text
);

-- events in the order of their time, 1.29 a second (ten millions in ninety days) as long as they fit into 25 days.
-- live: the times are pressed into the last ten minutes, in the same order; a visitor whose sessions the server makes
-- comes once, for his sessions would be one.
CREATE FUNCTION bench.make_stream(kind text, events int, live boolean) RETURNS void LANGUAGE sql
SET work_mem = '256MB' AS $$
    INSERT INTO bench.stream
    WITH size AS (
        SELECT least(events / 1.29, 25 * 86400.0) AS span, (events / 5 * 1.02 + 20)::int AS sessions, ceil(events / 20.0) AS visitors,
               abs(hashtext(kind)) % 1000000 * 10000000::bigint AS base
    ), session AS (
        SELECT base + s AS s, visitor, '2025-03-02 UTC'::timestamptz + bench.u(base + s, 1) * span * interval '1 s' AS starts,
               least(50, 1 + floor(ln(1 - bench.u(base + s, 2)) / ln(0.8)))::int AS events,
               least(600, 5 - 40 * ln(1 - bench.u(base + s, 3))) AS pause,
               bench.u(base + s, 4) < 0.6 AS referred, bench.zipf(bench.u(base + s, 5), 200) AS referrer,
               bench.u(base + s, 6) AS campaigned, bench.zipf(bench.u(base + s, 7), 40) AS campaign,
               bench.zipf(bench.u(base + s, 8), 100) AS term, named
        FROM size, generate_series(1, sessions) AS s,
             LATERAL (SELECT 1 + floor(visitors * bench.u(base + s, 9) ^ 1.5)::bigint AS usual) AS v,
             LATERAL (SELECT bench.u(usual, 10) < 0.7 AS named) AS n,
             LATERAL (SELECT CASE WHEN live AND NOT named THEN base + s ELSE usual END AS visitor) AS w
    ), event AS (
        SELECT s.*, e, s.starts + (e - 1 + bench.u(id, 11)) * s.pause * interval '1 s' AS at, id,
               bench.zipf(bench.u(s.s * 64 + e / 2, 12), 2000) AS page, -- two events a page
               bench.u(id, 13) AS what
        FROM session s, generate_series(1, s.events) AS e, LATERAL (SELECT s.s * 64 + e AS id) AS i
    ), ordered AS (
        SELECT *, row_number() OVER (ORDER BY at, id)::int AS n FROM event
    )
    SELECT make_stream.kind, ordered.n,
           md5(kind || id || current_setting('bench.seed'))::uuid,
           CASE WHEN e = 1 OR what < 0.5 THEN 'page_view' WHEN what < 0.7 THEN 'scroll' WHEN what < 0.9 THEN 'click'
                ELSE 'step_' || bench.zipf((what - 0.9) * 10, 30) END,
           md5('visitor ' || visitor)::uuid::text,
           CASE WHEN visitor % 10 = 0 THEN 'customer-' || visitor END,
           CASE WHEN named THEN md5('session ' || s)::uuid::text END,
           date_trunc('milliseconds', CASE WHEN live THEN now() - interval '10 min' * (1 - least(1, extract(epoch FROM at - '2025-03-02 UTC') / span)::float8) ELSE at END),
           'https://www.shop.example' || place.path, place.path, 'Article ' || page || ' and what goes with it | The Shop',
           CASE WHEN referred THEN CASE referrer WHEN 1 THEN 'https://www.google.com/' ELSE 'https://www.site-' || referrer || '.example/articles/' END END,
           (ARRAY[1920, 390, 1366, 1536, 412, 360, 2560, 1440, 768, 3840])[screen], (ARRAY[1080, 844, 768, 864, 915, 800, 1440, 900, 1024, 2160])[screen],
           CASE WHEN campaigned < 0.2 THEN (ARRAY['google', 'facebook', 'newsletter', 'linkedin', 'bing', 'partner'])[1 + campaign % 6] END,
           CASE WHEN campaigned < 0.2 THEN (ARRAY['cpc', 'social', 'email', 'referral'])[1 + campaign % 4] END,
           CASE WHEN campaigned < 0.2 THEN 'campaign-' || campaign END,
           CASE WHEN campaigned < 0.1 THEN 'keyword ' || term END,
           CASE WHEN campaigned < 0.1 THEN 'banner-' || campaign % 7 END,
           CASE WHEN campaigned < 0.05 THEN 'Cj0KCQiA' || md5('click ' || s) || md5('id ' || s) END,
           'web',
           CASE WHEN e = 1 OR what < 0.5 THEN NULL WHEN what < 0.7 THEN jsonb_build_object('scroll_percent', 10 * (1 + id % 10))
                WHEN what < 0.9 THEN jsonb_build_object('x', id % 1200, 'y', id % 700, 'element', 'button.buy-' || id % 20)
                ELSE jsonb_build_object('value', id % 300) END,
           visitor, '16.0.0.0'::inet + (hashint8extended(visitor, 14) & ((1 << 30) - 1)), agent.text
    FROM ordered, size,
         LATERAL (SELECT format('/%s/article-%s.html', (ARRAY['shop', 'blog', 'help', 'catalogue'])[1 + page % 4], page) AS path) AS place,
         LATERAL (SELECT bench.zipf(bench.u(visitor, 15), 10) AS screen, bench.zipf(bench.u(visitor, 16), 300) AS agent_n) AS d
    JOIN bench.agent ON agent.n = agent_n
    WHERE ordered.n <= make_stream.events
    ORDER BY ordered.n
$$;

-- The event as the web SDK sends it, and as a row of a table of texts.
CREATE FUNCTION bench.as_event(e bench.stream) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_strip_nulls(json_build_object(
        'event_id', e.event_id, 'event_name', e.event_name, 'distinct_id', coalesce(e.user_id, e.visitor_id), 'anonymous_id', e.visitor_id,
        'visitor_id', e.visitor_id, 'user_id', e.user_id, 'session_id', e.session_id,
        'timestamp', to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'event_data', jsonb_build_object('url', e.url, 'path', e.path, 'title', e.title, 'referrer', e.referrer,
                                         'screen_width', e.screen_width, 'screen_height', e.screen_height) || coalesce(e.data, '{}'),
        'utm_source', e.utm_source, 'utm_medium', e.utm_medium, 'utm_campaign', e.utm_campaign, 'utm_term', e.utm_term,
        'utm_content', e.utm_content, 'gclid', e.gclid, 'source', e.source, 'sdk_name', 'web', 'sdk_version', '2.3.1'))
$$;
CREATE FUNCTION bench.as_plain(e bench.stream) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_strip_nulls(json_build_object(
        'event_id', e.event_id, 'event_name', e.event_name, 'visitor_id', e.visitor_id, 'user_id', e.user_id, 'session_id', e.session_id,
        'at', e.at, 'url', e.url, 'path', e.path, 'title', e.title, 'referrer', e.referrer,
        'screen_width', e.screen_width, 'screen_height', e.screen_height,
        'utm_source', e.utm_source, 'utm_medium', e.utm_medium, 'utm_campaign', e.utm_campaign, 'utm_term', e.utm_term,
        'utm_content', e.utm_content, 'gclid', e.gclid, 'source', e.source, 'data', e.data))
$$;

-- Batches. share: which part of a round's events goes into batches of that size. lanes: that many senders, each of
-- whom has visitors of his own; batches go round them, and those that do not fill are left out.
CREATE UNLOGGED TABLE bench.batch (
    kind text, round int, size int, k int, n int, now timestamptz, ip inet, user_agent text, workspace int, body json, plain json,
    PRIMARY KEY (kind, round, size, k)
);
ALTER TABLE bench.batch ALTER body SET STORAGE EXTERNAL, ALTER plain SET STORAGE EXTERNAL;

CREATE FUNCTION bench.make_batches(kind text, events int, rounds int, share jsonb, lanes int) RETURNS void LANGUAGE sql SET work_mem = '256MB' AS $$
    INSERT INTO bench.batch
    WITH segment AS (
        SELECT round, size, greatest(size, floor(events / (rounds + 1.0) * part / size) * size)::int AS events
        FROM generate_series(0, rounds) AS round, jsonb_each_text(share) AS s (key, value),
             LATERAL (SELECT key::int AS size, value::float8 AS part) AS t
    ), placed AS (
        SELECT *, sum(events) OVER (ORDER BY round, size) - events AS before FROM segment
    ), member AS (
        SELECT p.round, p.size, s AS e, s.n,
               (row_number() OVER (PARTITION BY p.round, p.size, s.visitor % lanes ORDER BY s.n) - 1) / p.size * lanes + s.visitor % lanes + 1 AS k
        FROM placed p JOIN bench.stream s ON s.kind = make_batches.kind AND s.n > p.before AND s.n <= p.before + p.events
    )
    SELECT make_batches.kind, round, size, k, count(*), max((e).at) + k * interval '1 us' + interval '1 s',
           (array_agg((e).ip ORDER BY n))[1], (array_agg((e).user_agent ORDER BY n))[1], NULL,
           json_build_object('batchId', round || '-' || size || '-' || k, 'events', json_agg(bench.as_event(e) ORDER BY n)),
           CASE WHEN make_batches.kind = 'http' THEN json_agg(bench.as_plain(e) ORDER BY n) END
    FROM member
    GROUP BY round, size, k
    HAVING count(*) = size
$$;
