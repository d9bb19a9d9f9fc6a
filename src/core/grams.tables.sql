-- Searches for a part of a text. Indexes on expressions need their functions before: they stand here.

CREATE FUNCTION leadanalytics.grams(workspace int, haystack text)
RETURNS bigint[] LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_core_grams';
COMMENT ON FUNCTION leadanalytics.grams(int, text) IS
    'every sequence of one, two and three characters of a text, as numbers that another workspace does not share: what a search finds it by';

CREATE FUNCTION leadanalytics.needle_grams(workspace int, needle text)
RETURNS bigint[] LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_core_needle_grams';
COMMENT ON FUNCTION leadanalytics.needle_grams(int, text) IS 'those of leadanalytics.grams() that every text with the needle in it has';
