-- Where an address is, whose network it belongs to, and what hides behind it.

CREATE FUNCTION leadanalytics.geo(
    ip inet,
    OUT country text,
    OUT region text,
    OUT city text,
    OUT asn bigint,
    OUT network_name text,
    OUT is_anonymous boolean,
    OUT is_hosting boolean,
    OUT is_vpn boolean,
    OUT is_proxy boolean,
    OUT is_tor boolean)
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_geo_geo';
COMMENT ON FUNCTION leadanalytics.geo(inet) IS
    'place (ISO 3166 country, English names), network and anonymity of an address, by the files of the settings leadanalytics.geo_city, geo_asn and geo_anonymous; null is unknown. One row: SELECT * FROM leadanalytics.geo(…)';
GRANT EXECUTE ON FUNCTION leadanalytics.geo(inet) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.country_name(code text)
RETURNS text LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT c.name FROM leadanalytics.country c WHERE c.code = upper(country_name.code));
END
$$;
COMMENT ON FUNCTION leadanalytics.country_name(text) IS
    'the English name of an ISO 3166 alpha-2 code in either case, null when there is none';
GRANT EXECUTE ON FUNCTION leadanalytics.country_name(text) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.geo_files()
RETURNS TABLE (setting text, path text, database_type text, built timestamptz, trouble text, remedy text)
LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'la_geo_files';
COMMENT ON FUNCTION leadanalytics.geo_files() IS
    'the geo settings and their files: type and build time, or why a file is not used and what to do';
GRANT EXECUTE ON FUNCTION leadanalytics.geo_files() TO leadanalytics_admin;

CREATE FUNCTION leadanalytics.geo_status()
RETURNS SETOF leadanalytics.status_line LANGUAGE sql STABLE SET timezone = 'UTC' AS $$
    SELECT 'geo ' || replace(setting, 'leadanalytics.geo_', ''),
           coalesce(trouble, format('%s: %s, built %s', path, database_type, coalesce(built::date::text, 'nobody knows when'))), remedy
    FROM leadanalytics.geo_files()
$$;
COMMENT ON FUNCTION leadanalytics.geo_status() IS 'the geo files, for leadanalytics.status()';
INSERT INTO leadanalytics.status_source VALUES ('geo', 'leadanalytics.geo_status');
