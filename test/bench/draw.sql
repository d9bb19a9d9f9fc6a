-- What made-up traffic is drawn by: hashes of bench.seed, of the number of what is drawn for, and of what it is for, so that
-- no plan and no order of rows changes it.

CREATE FUNCTION bench.u(of bigint, what int) RETURNS float8 LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT ((hashint8extended(of, what + 1000 * current_setting('bench.seed')::int) >> 11) & 4503599627370495) / '4503599627370496'::float8
$$;
COMMENT ON FUNCTION bench.u(bigint, int) IS 'from 0 to 1';
CREATE FUNCTION bench.zipf(u float8, n int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT floor(exp(u * ln(n + 1)))::int
$$;
COMMENT ON FUNCTION bench.zipf(float8, int) IS '1 to n, k about as often as 1/k';

-- The User-Agents of test/agent/agents.txt that a browser could send, with other versions up to 300. Robots come last:
-- about one event in a hundred is theirs.
CREATE TABLE bench.agent_line (n serial, line text);
\copy bench.agent_line (line) FROM PROGRAM 'grep -E "^[A-Za-z][][A-Za-z0-9 ./;:,()_+=|@*-]+$" "$LA_SOURCE/test/agent/agents.txt"' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
CREATE TABLE bench.agent AS
SELECT row_number() OVER (ORDER BY robot, version, n)::int AS n, text
FROM (SELECT *, row_number() OVER (PARTITION BY robot ORDER BY version, n) AS place
      FROM (SELECT DISTINCT ON (text) version, n, robot, text
            FROM bench.agent_line, generate_series(0, 19) AS version,
                 LATERAL (SELECT line ~* 'bot|facebookexternalhit|curl|wget|requests|http|headless|postman' AS robot,
                                 CASE WHEN version = 0 THEN line
                                      ELSE regexp_replace(line, '(Chrome|CriOS|Firefox|OPR)/\d+', '\1/' || 120 - version) END AS text) AS t
            WHERE version = 0 OR NOT robot
            ORDER BY text, version) AS variant) AS placed
WHERE robot OR place <= 284;
ALTER TABLE bench.agent ADD PRIMARY KEY (n);
