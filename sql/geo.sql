-- IP addresses and places, without any file: test/geo/geo.t has files.
\pset null -
SET client_min_messages = warning;
SET leadanalytics.geo_city = '';
SET leadanalytics.geo_asn = '';
SET leadanalytics.geo_anonymous = '';
-- D-71 without files everything is unknown, and nothing fails
SELECT * FROM leadanalytics.geo('192.0.2.1');
SELECT * FROM leadanalytics.geo('2001:db8::1/64');
SELECT * FROM leadanalytics.geo(NULL);
SELECT part, state, hint FROM leadanalytics.status() WHERE part LIKE 'geo %';
-- a file that is not there is no error either; the setting takes effect at once
SET leadanalytics.geo_city = '/nonexistent/city.mmdb';
SELECT country FROM leadanalytics.geo('192.0.2.1');
SELECT part, state, hint FROM leadanalytics.status() WHERE part = 'geo city';
SET leadanalytics.geo_city = '/dev/null';
SELECT country FROM leadanalytics.geo('192.0.2.1');
SELECT country FROM leadanalytics.geo('192.0.2.1');
SELECT setting, path, database_type, built, trouble FROM leadanalytics.geo_files();
SET leadanalytics.geo_city = '';
SET leadanalytics.geo_asn = 'relative.mmdb';
-- D-64 one table of names
SELECT code, leadanalytics.country_name(code)
FROM unnest('{US,GB,DE,de,IN,CI,CD,KR,TR,XK,ZZ,"",USA,NULL}'::text[]) AS code;
SELECT count(*), count(DISTINCT name), min(code), max(code) FROM leadanalytics.country;
SELECT code FROM leadanalytics.country WHERE code !~ '^[A-Z]{2}$' OR name <> btrim(name) OR name ~ ', .* of$';
-- who may
SET ROLE leadanalytics_read;
SELECT country, leadanalytics.country_name('US') FROM leadanalytics.geo('192.0.2.1');
SET leadanalytics.geo_city = '/etc/passwd';
SELECT count(*) FROM leadanalytics.geo_files();
RESET ROLE;
