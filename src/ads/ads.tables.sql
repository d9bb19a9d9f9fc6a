-- What advertising cost and brought, as the platforms report it: figures of a day and a campaign, ad set or ad.
--
-- A campaign, ad set or ad is an object with a number; figures refer to it by that. Its name and status are the
-- object's, as the latest day said them; what a figure belongs to (its campaign, its ad set) is the figure's.

CREATE SEQUENCE leadanalytics.ad_object_id AS int;
CREATE TABLE leadanalytics.ad_object (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    id int NOT NULL DEFAULT pg_catalog.nextval('leadanalytics.ad_object_id'),
    platform text COLLATE "C" NOT NULL CHECK (platform IN ('meta', 'google', 'tiktok')),
    account_id text COLLATE "C" NOT NULL,
    level text COLLATE "C" NOT NULL CHECK (level IN ('campaign', 'adset', 'ad')),
    key text COLLATE "C" NOT NULL,
    name text,
    named_on date,
    status text,
    status_on date,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, platform, account_id, level, key)
);
COMMENT ON TABLE leadanalytics.ad_object IS 'campaigns, ad sets and ads of the ad platforms';
COMMENT ON COLUMN leadanalytics.ad_object.key IS 'its id on the platform: one of its kind in the account';
COMMENT ON COLUMN leadanalytics.ad_object.named_on IS 'the day of the figure that said the name: an earlier one does not change it';

CREATE TABLE leadanalytics.ad_figure (
    workspace int NOT NULL REFERENCES leadanalytics.workspace (id) ON DELETE CASCADE,
    day date NOT NULL,
    object int NOT NULL,
    depth smallint NOT NULL CHECK (depth BETWEEN 1 AND 3),
    campaign int NOT NULL,
    adset int,
    currency text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    spend numeric(18, 6) NOT NULL,
    impressions bigint NOT NULL,
    clicks bigint NOT NULL,
    conversions numeric(18, 6) NOT NULL,
    revenue numeric(18, 6) NOT NULL,
    PRIMARY KEY (workspace, day, object),
    CONSTRAINT ad_figure_parents CHECK (CASE depth WHEN 1 THEN object = campaign AND adset IS NULL
                                                   WHEN 2 THEN object = adset ELSE adset IS NOT NULL END)
);
-- What may stand for finer ones: most figures are of ads.
CREATE INDEX ad_figure_coarse ON leadanalytics.ad_figure (workspace, day, object) WHERE depth < 3;
COMMENT ON TABLE leadanalytics.ad_figure IS 'figures of a day, of a campaign (depth 1), ad set (2) or ad (3); objects are numbers of leadanalytics.ad_object';
COMMENT ON COLUMN leadanalytics.ad_figure.day IS 'as the platform dates it';

CREATE TYPE leadanalytics.ad_item AS (
    index int, error text, day date, platform text, account_id text, depth smallint, keys text[], ids int[], names text[], status text,
    currency text, spend numeric, impressions bigint, clicks bigint, conversions numeric, revenue numeric
);
COMMENT ON TYPE leadanalytics.ad_item IS 'a figure as it was sent, and what is wrong with it; keys, ids, names: of its campaign, ad set and ad, as deep as it is';

SELECT pg_catalog.pg_extension_config_dump('leadanalytics.ad_object_id', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.ad_object', '');
SELECT pg_catalog.pg_extension_config_dump('leadanalytics.ad_figure', '');
