-- Listed IPs. Both lists are one table, keyed by the address: that no address stands on both is a fact of
-- the key, whoever writes at the same time.
CREATE TABLE leadanalytics.listed_ip (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    ip inet NOT NULL CHECK (ip = network(ip)),
    policy text COLLATE "C" NOT NULL CHECK (policy IN ('blocked', 'test', 'internal')),
    listed_at timestamptz NOT NULL,
    reason text,
    country text,
    referer text,
    note text,
    PRIMARY KEY (workspace, ip) INCLUDE (policy)
);
COMMENT ON TABLE leadanalytics.listed_ip IS 'blocked and whitelisted addresses and networks; leadanalytics.ip_policy() says what holds for an address';
COMMENT ON COLUMN leadanalytics.listed_ip.ip IS 'as leadanalytics.canonical_ip() writes it: what the same address is, is the same value';
COMMENT ON COLUMN leadanalytics.listed_ip.policy IS 'blocked, or the usage of a whitelisted one: test or internal';
COMMENT ON COLUMN leadanalytics.listed_ip.listed_at IS 'when it was last put on its list';

-- Networks alone: what an address that is not listed itself is looked up in. An index on an expression needs
-- its function before: it stands here.
CREATE FUNCTION leadanalytics.ip_key(workspace int, ip inet)
RETURNS inet LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_policy_ip_key';
COMMENT ON FUNCTION leadanalytics.ip_key(int, inet) IS
    'workspace, family and the first 96 bits of a canonical address as one value: it contains another''s when the workspace is the same and the network does';
CREATE INDEX listed_ip_network ON leadanalytics.listed_ip
    USING spgist (leadanalytics.ip_key(workspace, ip)) INCLUDE (workspace, ip, policy)
    WHERE masklen(ip) < CASE family(ip) WHEN 4 THEN 32 ELSE 128 END;
-- A list, newest first.
CREATE INDEX listed_ip_newest ON leadanalytics.listed_ip (workspace, (policy = 'blocked'), listed_at DESC, ip);

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.listed_ip', '');
