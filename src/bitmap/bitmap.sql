-- Sets of numbers, as segments keep them: looking into them, and making and uniting them.

CREATE FUNCTION leadanalytics.bitmap(numbers int[])
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_make';
COMMENT ON FUNCTION leadanalytics.bitmap(int[]) IS
    'the set of these numbers (0 to 2147483647, in any order, repeats count once), in the bytes that segments keep sets in';
GRANT EXECUTE ON FUNCTION leadanalytics.bitmap(int[]) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.bitmap_cardinality(bitmap bytea)
RETURNS bigint LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_cardinality';
COMMENT ON FUNCTION leadanalytics.bitmap_cardinality(bytea) IS 'how many numbers a set has; all of its bytes are checked';
GRANT EXECUTE ON FUNCTION leadanalytics.bitmap_cardinality(bytea) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.bitmap_numbers(bitmap bytea)
RETURNS SETOF int LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_numbers';
COMMENT ON FUNCTION leadanalytics.bitmap_numbers(bytea) IS 'the numbers of a set, ascending';
GRANT EXECUTE ON FUNCTION leadanalytics.bitmap_numbers(bytea) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.bitmap_contains(bitmap bytea, number int)
RETURNS boolean LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_contains';
COMMENT ON FUNCTION leadanalytics.bitmap_contains(bytea, int) IS 'whether a number is in a set';
GRANT EXECUTE ON FUNCTION leadanalytics.bitmap_contains(bytea, int) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.bitmap_or(a bytea, b bytea)
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_or_two';
COMMENT ON FUNCTION leadanalytics.bitmap_or(bytea, bytea) IS 'the numbers that are in either set';
GRANT EXECUTE ON FUNCTION leadanalytics.bitmap_or(bytea, bytea) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.bitmap_and(a bytea, b bytea)
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_and_two';
COMMENT ON FUNCTION leadanalytics.bitmap_and(bytea, bytea) IS 'the numbers that are in both sets';
GRANT EXECUTE ON FUNCTION leadanalytics.bitmap_and(bytea, bytea) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.bitmap_andnot(a bytea, b bytea)
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_andnot_two';
COMMENT ON FUNCTION leadanalytics.bitmap_andnot(bytea, bytea) IS 'the numbers of a that are not in b';
GRANT EXECUTE ON FUNCTION leadanalytics.bitmap_andnot(bytea, bytea) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.bitmap_and_cardinality(a bytea, b bytea)
RETURNS bigint LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_and_cardinality';
COMMENT ON FUNCTION leadanalytics.bitmap_and_cardinality(bytea, bytea) IS 'how many numbers two sets share';
GRANT EXECUTE ON FUNCTION leadanalytics.bitmap_and_cardinality(bytea, bytea) TO leadanalytics_read;

-- The aggregate and its parts.
CREATE FUNCTION leadanalytics.bitmap_union_add(state internal, bitmap bytea)
RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_union_add';
COMMENT ON FUNCTION leadanalytics.bitmap_union_add(internal, bytea) IS 'a step of leadanalytics.bitmap_union()';

CREATE FUNCTION leadanalytics.bitmap_union_combine(state internal, other internal)
RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_union_combine';
COMMENT ON FUNCTION leadanalytics.bitmap_union_combine(internal, internal) IS 'two workers'' parts of leadanalytics.bitmap_union() as one';

CREATE FUNCTION leadanalytics.bitmap_union_finish(state internal)
RETURNS bytea LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_union_finish';
COMMENT ON FUNCTION leadanalytics.bitmap_union_finish(internal) IS 'the end of leadanalytics.bitmap_union(), and of a worker''s part';

CREATE FUNCTION leadanalytics.bitmap_union_receive(part bytea, state internal)
RETURNS internal LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_union_receive';
COMMENT ON FUNCTION leadanalytics.bitmap_union_receive(bytea, internal) IS 'a worker''s part of leadanalytics.bitmap_union(), arrived';

CREATE FUNCTION leadanalytics.bitmap_union_send(state internal)
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_union_finish';
COMMENT ON FUNCTION leadanalytics.bitmap_union_send(internal) IS 'a worker''s part of leadanalytics.bitmap_union(), sent';

CREATE AGGREGATE leadanalytics.bitmap_union(bitmap bytea) (
    SFUNC = leadanalytics.bitmap_union_add,
    STYPE = internal,
    FINALFUNC = leadanalytics.bitmap_union_finish,
    COMBINEFUNC = leadanalytics.bitmap_union_combine,
    SERIALFUNC = leadanalytics.bitmap_union_send,
    DESERIALFUNC = leadanalytics.bitmap_union_receive,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE leadanalytics.bitmap_union(bytea) IS 'the numbers that are in any of the sets; null when there is no set';
GRANT EXECUTE ON FUNCTION leadanalytics.bitmap_union(bytea) TO leadanalytics_read;

CREATE FUNCTION leadanalytics.bitmap_union_count(state internal)
RETURNS bigint LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'la_bitmap_union_count';
COMMENT ON FUNCTION leadanalytics.bitmap_union_count(internal) IS 'the end of leadanalytics.bitmap_union_cardinality()';

CREATE AGGREGATE leadanalytics.bitmap_union_cardinality(bitmap bytea) (
    SFUNC = leadanalytics.bitmap_union_add,
    STYPE = internal,
    FINALFUNC = leadanalytics.bitmap_union_count,
    COMBINEFUNC = leadanalytics.bitmap_union_combine,
    SERIALFUNC = leadanalytics.bitmap_union_send,
    DESERIALFUNC = leadanalytics.bitmap_union_receive,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE leadanalytics.bitmap_union_cardinality(bytea) IS 'how many numbers are in any of the sets; 0 when there is no set';
GRANT EXECUTE ON FUNCTION leadanalytics.bitmap_union_cardinality(bytea) TO leadanalytics_read;
