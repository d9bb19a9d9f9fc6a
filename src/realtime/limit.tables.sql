-- Rate limits (D-75): how many requests of a class may come in one window of time.

CREATE TABLE leadanalytics.rate_class (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    per text COLLATE "C" NOT NULL CHECK (per IN ('key', 'workspace', 'ip', 'workspace_ip')),
    requests int NOT NULL CHECK (requests >= 0),
    seconds int NOT NULL DEFAULT 60 CHECK (seconds BETWEEN 1 AND 86400),
    family text COLLATE "C" UNIQUE
        CHECK (family IN ('dashboard', 'engagement', 'activity', 'campaigns', 'public', 'plain')),
    method text COLLATE "C" CHECK (method IN ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')),
    spares_whitelisted boolean NOT NULL DEFAULT false,
    summary text NOT NULL,
    builtin boolean NOT NULL DEFAULT false,
    CONSTRAINT method_is_of_a_family CHECK (method IS NULL OR family IS NOT NULL)
);
COMMENT ON TABLE leadanalytics.rate_class IS 'classes of requests that have a limit; leadanalytics.rate_limits shows what holds, leadanalytics.set_rate_limit() changes it';
COMMENT ON COLUMN leadanalytics.rate_class.per IS 'whose requests are counted together: those of a key, of a workspace, of an address, or of a workspace and an address; without a valid key those of the address';
COMMENT ON COLUMN leadanalytics.rate_class.requests IS 'how many a window takes; 0: any number';
COMMENT ON COLUMN leadanalytics.rate_class.seconds IS 'a window''s length; windows begin at multiples of it since 1970';
COMMENT ON COLUMN leadanalytics.rate_class.family IS 'the family whose routes and unknown paths are of this class unless they name another';
COMMENT ON COLUMN leadanalytics.rate_class.method IS 'of which method, when not of all of its family';
COMMENT ON COLUMN leadanalytics.rate_class.spares_whitelisted IS 'whether whitelisted addresses go on when the window is spent';

-- Apart from the classes, whose built-in rows come with the extension and not with a dump.
CREATE TABLE leadanalytics.rate_limit (
    class text COLLATE "C" PRIMARY KEY REFERENCES leadanalytics.rate_class (name) ON UPDATE CASCADE ON DELETE CASCADE,
    requests int NOT NULL CHECK (requests >= 0)
);
COMMENT ON TABLE leadanalytics.rate_limit IS 'limits that stand in place of their class''s own';

ALTER TABLE leadanalytics.route
    ADD CONSTRAINT rate_class_exists FOREIGN KEY (rate_class) REFERENCES leadanalytics.rate_class (name) ON UPDATE CASCADE;

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.rate_class', 'WHERE NOT builtin');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.rate_limit', '');
