-- The batches of small sites: a visitor belongs to one of them, and ten of a site's events in the order of their sessions
-- are a batch; what does not fill one is left out. Round 1 has each site's first batch, round 2 the others, which meet
-- sites, visitors and pages that are known.
SET work_mem = '256MB';
INSERT INTO bench.batch
SELECT 'small', least(place, 2), 10, row_number() OVER (PARTITION BY least(place, 2) ORDER BY place, max(at), site), 10,
       max(at) + interval '1 s', (array_agg(ip))[1], (array_agg(user_agent))[1], site,
       json_build_object('batchId', site || '-' || place, 'events', json_agg(bench.as_event(e) ORDER BY at)), NULL
FROM (SELECT s AS e, at, ip, user_agent, visitor % :sites AS site,
             (row_number() OVER (PARTITION BY visitor % :sites ORDER BY at) - 1) / 10 + 1 AS place
      FROM bench.stream s WHERE s.kind = 'small') AS placed
GROUP BY site, place
HAVING count(*) = 10;
ANALYZE bench.batch;
