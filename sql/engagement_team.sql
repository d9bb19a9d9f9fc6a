-- Leads' owners and teams, how they do (S2-17, S2-07), and a lead's timeline, beside plain SQL from the rows.
\set VERBOSITY terse
SET timezone = 'America/New_York'; -- nothing depends on it
SELECT leadanalytics.create_workspace('teams') AS w \gset
SELECT leadanalytics.create_workspace('teams-random') AS r \gset

-- Nothing yet.
SELECT leadanalytics.team_performance(:w, now => '2021-03-20Z'), leadanalytics.team_leaderboard(:w, now => '2021-03-20Z');
\set ON_ERROR_STOP 0
SELECT leadanalytics.team_stats(:w, 't1', now => '2021-03-20Z');
SELECT leadanalytics.lead_timeline(:w, 'ann');
SELECT leadanalytics.patch_engagement_lead(:w, 'ann', owner_id => 'u1');
\set ON_ERROR_STOP 1

-- Doors: what is not said stays, '' is nobody, and each change is noted once.
SELECT leadanalytics.put_team(:w, 't1', 'Sales', '["u2", "u1", "u2"]', '2021-03-01Z'), leadanalytics.put_team(:w, 't1', 'Sales!', '["u3"]', '2021-03-02Z'), leadanalytics.put_team(:w, 't2', 'Idle');
SELECT leadanalytics.put_engagement_lead(:w, 'ann', email => 'ann@example.com', owner_id => 'u1', team_id => 't1', created_at => '2021-03-01 10:00Z', now => '2021-03-01 12:00Z') AS "D-73 made";
SELECT leadanalytics.put_engagement_lead(:w, 'ann', name => 'Ann', owner_id => 'u1', now => '2021-03-01 13:00Z') AS "D-73 told more";
SELECT leadanalytics.patch_engagement_lead(:w, 'ann', status => 'contacted', now => '2021-03-01 12:30Z') ->> 'status' AS "D-62", leadanalytics.patch_engagement_lead(:w, 'ann', owner_id => '', now => '2021-03-03Z') ->> 'ownerId' AS nobody,
       leadanalytics.patch_engagement_lead(:w, 'ann', owner_id => '', now => '2021-03-03 01:00Z') ->> 'teamId' AS team, leadanalytics.patch_engagement_lead(:w, 'ann', team_id => '', now => '2021-03-04Z') ->> 'teamId' AS none,
       leadanalytics.patch_engagement_lead(:w, 'ann', owner_id => 'u2', team_id => 't1', now => '2021-03-05Z') ->> 'ownerId' AS again;
SELECT owner_id, team_id, at AT TIME ZONE 'UTC' AS at FROM leadanalytics.lead_assignment WHERE workspace = :w ORDER BY id;
\set ON_ERROR_STOP 0
SELECT leadanalytics.patch_engagement_lead(:w, 'ann');
SELECT leadanalytics.put_engagement_lead(:w, 'bob', created_at => '1999-12-31Z');
SELECT leadanalytics.put_engagement_lead(:w, 'bob', created_at => '2021-03-03Z', now => '2021-03-01Z');
SELECT leadanalytics.put_team(:w, 't3', 'Sales', '{}'), leadanalytics.put_team(:w, 't3', 'Sales', '[1]');
\set ON_ERROR_STOP 1
-- The statuses between that this family does not tell apart (D-62).
SELECT leadanalytics.patch_engagement_lead(:w, 'ann', status => 'qualified', now => '2021-03-06Z') ->> 'status';
SELECT leadanalytics.change_status(:w, leadanalytics.find_engagement_lead(:w, 'ann'), 'proposal', NULL, '2021-03-07Z'), leadanalytics.change_status(:w, leadanalytics.find_engagement_lead(:w, 'ann'), 'won', NULL, '2021-03-08Z');
SELECT leadanalytics.add_engagement(:w, 'email_sent', 'ann', 'm1', 'x1', '2021-03-02 08:00Z', '2021-03-02 08:00Z') ->> 'type', leadanalytics.add_engagement(:w, 'page_visit', 'ann', NULL, NULL, '2021-03-02 09:00Z', '2021-03-02 09:00Z') ->> 'type';
SELECT t.type, t.at AT TIME ZONE 'UTC' AS at, t.data::jsonb - 'id' AS data FROM leadanalytics.lead_timeline_rows(:w, 'ann') t;
SELECT leadanalytics.put_engagement_lead(:w, 'eve', owner_id => 'u7', created_at => '2021-02-01Z', now => '2021-02-01Z') ->> 'ownerId' AS "another", (SELECT count(*) FROM leadanalytics.lead_timeline_rows(:w, 'ann')) AS "not in it";
SELECT p.page, t #> '{data,0,type}' AS first, json_array_length(t -> 'data') AS n, t -> 'pagination' AS "S2-07 pages" FROM generate_series(1, 4) AS p (page), LATERAL (SELECT leadanalytics.lead_timeline(:w, 'ann', p.page, 4) AS t) AS t;

-- By hand. The enquiry came at 10:00, was given to somebody at 12:00, and taken up at 12:30.
SELECT leadanalytics.team_performance(:w, '2021-03-01', '2021-03-31') AS "S2-17";
SELECT leadanalytics.team_performance(:w, '2021-03-01', '2021-03-02') AS "S2-17 who had it then";
SELECT leadanalytics.team_performance(:w, '2021-03-03', '2021-03-03') AS "S2-17 a team alone", leadanalytics.team_performance(:w, '2021-03-04', '2021-03-04') AS "S2-17 nobody";
SELECT leadanalytics.team_performance(:w, '2021-03-01', '2021-03-31', 't2') AS "S2-17 no lead", leadanalytics.team_performance(:w, now => '2021-04-03Z') AS "S2-17 thirty days", leadanalytics.team_performance(:w, now => '2021-04-04Z') AS "and one day later";
SELECT leadanalytics.put_engagement_lead(:w, 'cid', owner_id => 'u3', team_id => 't1', created_at => '2021-03-05 10:00Z', now => '2021-03-05 10:00Z') ->> 'status',
       leadanalytics.patch_engagement_lead(:w, 'cid', status => 'unqualified', now => '2021-03-05 10:00:01.5Z') ->> 'status',
       leadanalytics.put_engagement_lead(:w, 'dan', owner_id => 'u3', team_id => 't1', status => 'converted', created_at => '2021-03-05 10:00Z', now => '2021-03-05 10:00Z') ->> 'status';
SELECT leadanalytics.team_stats(:w, 't1', '2021-03-01', '2021-03-31') AS "S2-07 stats";
SELECT leadanalytics.team_leaderboard(:w, '2021-03-01', '2021-03-31') AS "S2-07 leaderboard";

-- At random: 300 leads that go from hand to hand.
CREATE FUNCTION team_hash(i int, what int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$SELECT ('x' || left(md5(what || ':' || i), 7))::bit(28)::int / 268435456.0$$;
CREATE FUNCTION team_pick(i int, what int, n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$SELECT floor(team_hash(i, what) * n)::int$$;
SELECT count(leadanalytics.put_team(:r, 't' || i, 'Team ' || i)) FROM generate_series(0, 4) AS i;
INSERT INTO leadanalytics.lead (workspace, external_id, enquiry_at, status)
SELECT :r, 'lead-' || i, timestamptz '2021-01-11Z' + team_hash(i, 2) * 60 * interval '24 hours', (ARRAY['new', 'contacted', 'proposal', 'won', 'lost', 'fake'])[1 + team_pick(i, 3, 6)] FROM generate_series(1, 300) AS i;
INSERT INTO leadanalytics.lead_status_change (workspace, lead, from_status, to_status, at)
SELECT :r, l.id, CASE WHEN n > 1 THEN (ARRAY['new', 'new', 'contacted', 'lost'])[1 + team_pick(l.i, 10 + n, 4)] END, (ARRAY['new', 'contacted', 'fake', 'won'])[1 + team_pick(l.i, 20 + n, 4)],
       date_trunc('minute', l.enquiry_at + (n - 2) * team_hash(l.i, 30 + n) * 20 * interval '24 hours')
FROM (SELECT l.id, l.enquiry_at, row_number() OVER (ORDER BY l.id)::int AS i FROM leadanalytics.lead l WHERE l.workspace = :r) AS l, generate_series(1, 5) AS n;
INSERT INTO leadanalytics.lead_assignment (workspace, lead, owner_id, team_id, at)
SELECT :r, l.id, CASE WHEN team_pick(l.i, 40 + n, 4) > 0 THEN 'u' || team_pick(l.i, 50 + n, 9) END, CASE WHEN team_pick(l.i, 60 + n, 4) > 0 THEN 't' || team_pick(l.i, 70 + n, 6) END,
       date_trunc('hour', l.enquiry_at + (n - 2) * interval '7 days') -- some at one time: the later row is the later one
FROM (SELECT l.id, l.enquiry_at, row_number() OVER (ORDER BY l.id)::int AS i FROM leadanalytics.lead l WHERE l.workspace = :r) AS l, generate_series(1, 6) AS n WHERE n <= team_pick(l.i, 39, 7)
ORDER BY l.i, n;
UPDATE leadanalytics.lead_assignment a SET at = timestamptz '2021-02-15 12:00Z' WHERE workspace = :r AND at > '2021-02-15Z' AND at < '2021-02-18Z';
CREATE FUNCTION plain(workspace int, starts timestamptz, ends timestamptz, of_team text)
RETURNS TABLE (user_id text, team_id text, assigned bigint, contacted bigint, converted bigint, response_time interval) LANGUAGE sql STABLE AS $$
    SELECT x.owner_id, x.team_id, count(*), count(*) FILTER (WHERE taken IS NOT NULL), count(*) FILTER (WHERE status = 'won'),
           sum(CASE WHEN taken < given OR taken < enquiry_at THEN interval '0' WHEN given > enquiry_at THEN taken - given ELSE taken - enquiry_at END) FILTER (WHERE taken IS NOT NULL)
    FROM (SELECT a.owner_id, a.team_id, l.status, l.enquiry_at,
                 (SELECT r.responded_at FROM leadanalytics.lead_first_responses($1, '-infinity', 'infinity') r WHERE r.lead = l.id) AS taken,
                 (SELECT min(b.at) FROM leadanalytics.lead_assignment b WHERE b.workspace = $1 AND b.lead = l.id AND (b.owner_id IS NOT NULL OR b.team_id IS NOT NULL)) AS given
          FROM leadanalytics.lead l
          JOIN leadanalytics.lead_assignment a ON a.workspace = l.workspace AND a.lead = l.id
          WHERE l.workspace = $1 AND a.at >= starts AND a.at < ends
                AND NOT EXISTS (SELECT FROM leadanalytics.lead_assignment n WHERE n.workspace = $1 AND n.lead = l.id AND n.at >= starts AND n.at < ends AND (n.at, n.id) > (a.at, a.id))) AS x
    WHERE (x.owner_id IS NOT NULL OR x.team_id IS NOT NULL) AND (of_team IS NULL OR x.team_id = of_team)
    GROUP BY 1, 2
$$;
SELECT g.starts::date AS "S2-17 from", coalesce(g.team, '') AS team, (SELECT count(*) > CASE WHEN g.team IS NULL THEN 30 ELSE 5 END FROM plain(:r, g.starts, g.ends, g.team)) AS enough,
       (SELECT sum(response_time) > interval '10 days' FROM plain(:r, g.starts, g.ends, g.team)) AS slow,
       (SELECT count(*) FROM ((SELECT * FROM plain(:r, g.starts, g.ends, g.team) EXCEPT ALL SELECT * FROM leadanalytics.team_performance_rows(:r, g.starts, g.ends, g.team))
                              UNION ALL (SELECT * FROM leadanalytics.team_performance_rows(:r, g.starts, g.ends, g.team) EXCEPT ALL SELECT * FROM plain(:r, g.starts, g.ends, g.team))) AS d) AS different
FROM (VALUES (timestamptz '2021-01-01Z', timestamptz '2021-05-01Z', NULL), ('2021-02-01Z', '2021-02-20Z', NULL), ('2021-02-15 12:00Z', '2021-03-01Z', 't3'), ('2021-01-20Z', '2021-03-02Z', 't1')) AS g (starts, ends, team);
SELECT count(*) AS "S2-07 different teams" FROM (
    SELECT t.team_id, t.assigned, t.contacted, t.converted, t.response_time FROM leadanalytics.teams_rows(:r, '2021-02-01Z', '2021-02-20Z') t
    EXCEPT SELECT p.team_id, sum(p.assigned), sum(p.contacted), sum(p.converted), sum(p.response_time) FROM plain(:r, '2021-02-01Z', '2021-02-20Z', NULL) p GROUP BY 1) AS d;
SELECT bool_and(a.t::text = b.t::text) AS "S2-07 stats are the leaderboard's" FROM json_array_elements(leadanalytics.team_leaderboard(:r, '2021-02-01', '2021-02-19')) AS a (t),
    LATERAL (SELECT leadanalytics.team_stats(:r, a.t ->> 'teamId', '2021-02-01', '2021-02-19') AS t) AS b;
SELECT bool_and(coalesce((converted, assigned) <= (before_converted, before_assigned), true)) AS "most converted first"
FROM (SELECT p.converted, p.assigned, lag(p.converted) OVER w AS before_converted, lag(p.assigned) OVER w AS before_assigned
      FROM leadanalytics.team_performance_rows(:r, '2021-02-01Z', '2021-02-20Z') WITH ORDINALITY AS p (user_id, team_id, assigned, contacted, converted, response_time, place) WINDOW w AS (ORDER BY p.place)) AS o;
DROP FUNCTION plain, team_hash, team_pick;
