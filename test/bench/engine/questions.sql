-- What is asked, of the engine and of the rows in plain SQL: the same columns from both, so that they can be compared.
--
-- plain is what somebody would write who knows PostgreSQL, over the leaves with the indexes they have: rows grouped by
-- value and visitor, then by value, which beats count(DISTINCT), and numbers of the dictionary made texts at the end. Its
-- tables are named without a schema: other databases are asked the same text.

CREATE TABLE bench.question (
    place int PRIMARY KEY, name text UNIQUE, dimension text, bar_ms float8,
    engine text[], -- what is measured, statement by statement
    same text,     -- the answer, from the engine's functions; of a breakdown without its limit
    plain text,
    plain_all text -- a breakdown without its limit
);
CREATE TABLE bench.figure (name text, way text, round int, ms float8);
COMMENT ON COLUMN bench.question.dimension IS 'of a breakdown; null: a series';

INSERT INTO bench.question
SELECT 1, format('overview of %s days, by day', :days), NULL, 3,
       ARRAY[format('SELECT * FROM leadanalytics.summary(%s, %L, %L, ''day'', now => %L)', workspace, starts, now, now)],
       format('SELECT bucket, events, pageviews, custom_events, visitors, sessions FROM leadanalytics.summary(%s, %L, %L, ''day'', now => %L)',
              workspace, starts, now, now),
       format($$
WITH met AS MATERIALIZED (
    SELECT date_bin('1 day', at, '2000-01-01Z') AS day, visitor, count(*) AS events, count(*) FILTER (WHERE kind = 'p') AS pageviews, count(*) FILTER (WHERE kind = 'c') AS custom_events
    FROM event WHERE workspace = %s AND at >= %L AND at < %L AND NOT is_bot GROUP BY 1, 2
), opened AS MATERIALIZED (
    SELECT date_bin('1 day', started_at, '2000-01-01Z') AS day, count(*) AS sessions
    FROM session WHERE workspace = %s AND started_at >= %L AND started_at < %L GROUP BY 1
)
SELECT day AS bucket, sum(events)::bigint AS events, sum(pageviews)::bigint AS pageviews, sum(custom_events)::bigint AS custom_events, count(visitor) AS visitors,
       coalesce((SELECT sessions FROM opened o WHERE o.day = met.day), 0) AS sessions
FROM met GROUP BY day
UNION ALL SELECT NULL, sum(events)::bigint, sum(pageviews)::bigint, sum(custom_events)::bigint, count(DISTINCT visitor), (SELECT sum(sessions)::bigint FROM opened) FROM met$$,
              workspace, starts, now, workspace, starts, now),
       NULL
FROM (SELECT workspace, now - :days * interval '1 day' AS starts, now FROM bench.fact) AS f;

-- Referrers and campaigns are the sessions', pages the pageviews'; who has none is a value, too.
INSERT INTO bench.question
SELECT d.place, d.name, d.dimension, d.bar,
       ARRAY[format('SELECT * FROM leadanalytics.breakdown(%s, %L, %L, %L, 20, ''visitors'', now => %L)', workspace, d.dimension, starts, now, now)],
       format('SELECT value, count, visitors FROM leadanalytics.breakdown(%s, %L, %L, %L, 20, ''visitors'', now => %L)', workspace, d.dimension, starts, now, now),
       format('SELECT %s AS value, n AS count, visitors FROM (%s ORDER BY 3 DESC, 2 DESC LIMIT 20) AS top LEFT JOIN term t ON t.workspace = %s AND t.id = top.id ORDER BY 3 DESC, 2 DESC',
              d.text, grouped, workspace),
       format('SELECT %s AS value, n AS count, visitors FROM (%s) AS every LEFT JOIN term t ON t.workspace = %s AND t.id = every.id', d.text, grouped, workspace)
FROM (SELECT workspace, now - :days * interval '1 day' AS starts, now FROM bench.fact) AS f,
     (VALUES (2, 'breakdown, 200 values', 'referrer', 5, 'referrer', 'session', 'started_at', 'true', $$regexp_replace(t.parts[1], '^https?://(www\.)?([^/]*).*$', '\2')$$),
             (3, 'breakdown, 200 uniform values', 'utm_campaign', 25, 'campaign', 'session', 'started_at', 'true', 't.parts[3]'),
             (4, 'breakdown, 2 000 values', 'page', 10, 'page', 'event', 'at', $$kind = 'p' AND NOT is_bot AND page IS NOT NULL$$, 't.parts[1]'))
         AS d (place, name, dimension, bar, field, relation, at, condition, text),
     LATERAL (SELECT format('SELECT %1$s AS id, sum(n)::bigint AS n, count(visitor) AS visitors FROM (SELECT %1$s, visitor, count(*) AS n FROM %2$s '
                            'WHERE workspace = %3$s AND %4$s >= %5$L AND %4$s < %6$L AND %7$s GROUP BY 1, 2) AS met GROUP BY 1',
                            d.field, d.relation, workspace, d.at, starts, now, d.condition) AS grouped) AS g;

-- The dashboard's questions, whose reference answer is that from the rows.
CREATE TABLE bench.dashboard (place int PRIMARY KEY, name text UNIQUE, call text);
INSERT INTO bench.dashboard
SELECT n, split_part(call, '(', 1), format('SELECT leadanalytics.' || call, workspace, now)
FROM bench.fact, unnest(ARRAY['overview(%s, %L)', 'daily_sessions(%s, 30, %L)', 'top_pages(%s, 20)', 'geo_distribution(%s)', 'engagement_distribution(%s, %L)',
                              'traffic_sources(%s)', 'realtime(%s, %L)', 'anomalies(%s, 7, %L)', 'storage(%s)']) WITH ORDINALITY AS c (call, n);
