/*
 * A page of the leads list: the ids in order, and how many there are in all.
 *
 * Everything lists filter by is one number, the class of a lead (leads.tables.sql): a filter is a set of
 * classes. Each order has an index that starts with the class, so a page is a merge of the first rows of a
 * few ordered runs, and the total is the sum of kept counters: neither looks at more rows when there are more
 * leads. A page far behind reads what comes before it, from the index.
 *
 * A search looks rows up by their grams (core/grams.c). What finds few rows sorts them all. What finds many,
 * as a look at the newest rows tells, counts them and walks the order until the page is full: both answer the
 * same, only the time differs.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/export.h"
#include "core/grams.h"
#include "core/query.h"
#include "leads/leads.h"

/* Of the newest leads that many are looked at; more hits than one in DENSE are many. */
#define SAMPLE "500"
#define DENSE 5

/* $1 workspace, $2 classes, $3 text to find */
#define IN_CLASS "l.workspace = $1 AND l.class = c.class"
#define HAS_GRAMS "leadanalytics.grams(l.workspace, l.haystack) @> leadanalytics.needle_grams($1, $3)"
#define FOUND                                                                                                \
	"l.workspace + 0 = $1 AND l.class + 0 = ANY ($2) AND pg_catalog.strpos(l.haystack, $3) > 0 "             \
	"AND " HAS_GRAMS

/* $4 how many rows of each run can be on the page, $5 limit, $6 offset */
#define MERGE(keys, sort, more)                                                                              \
	{                                                                                                        \
		"SELECT ARRAY(SELECT r.id FROM pg_catalog.unnest($2) AS c (class), LATERAL (SELECT l.id, " keys      \
		" FROM leadanalytics.lead l WHERE " IN_CLASS more " ORDER BY " sort " LIMIT $4) AS r ORDER BY " sort \
		" LIMIT $5 OFFSET $6)",                                                                              \
		    6,                                                                                               \
		{                                                                                                    \
			INT4OID, INT2ARRAYOID, TEXTOID, INT8OID, INT8OID, INT8OID                                        \
		}                                                                                                    \
	}
#define SORT(keys, sort)                                                                                     \
	{                                                                                                        \
		"WITH found AS MATERIALIZED (SELECT l.id, " keys " FROM leadanalytics.lead l WHERE " FOUND           \
		") SELECT ARRAY(SELECT id FROM found ORDER BY " sort                                                 \
		" LIMIT $4 OFFSET $5), (SELECT pg_catalog.count(*) FROM found)",                                     \
		    5,                                                                                               \
		{                                                                                                    \
			INT4OID, INT2ARRAYOID, TEXTOID, INT8OID, INT8OID                                                 \
		}                                                                                                    \
	}
#define ORDER(name, keys, sort)                                                                              \
	{                                                                                                        \
		name, MERGE(keys, sort, ""), MERGE(keys, sort, " AND pg_catalog.strpos(l.haystack, $3) > 0"),        \
		    SORT(keys, sort)                                                                                 \
	}

typedef struct Order
{
	const char *name;
	LaQuery all;
	LaQuery many;
	LaQuery few;
} Order;

/* The first is what an unknown name means. */
static Order orders[] = {
    ORDER("newest", "l.enquiry_at", "enquiry_at DESC, id DESC"),
    ORDER("oldest", "l.enquiry_at", "enquiry_at, id DESC"),
    ORDER("last_follow_up", "l.last_follow_up_at, l.enquiry_at",
          "last_follow_up_at DESC NULLS LAST, enquiry_at DESC, id DESC"),
    ORDER("score_desc", "l.score", "score DESC, id DESC"),
    ORDER("score_asc", "l.score", "score, id DESC"),
    ORDER("risk_desc", "l.suspicion", "suspicion DESC, id DESC"),
    ORDER("risk_asc", "l.suspicion", "suspicion, id DESC"),
    ORDER("name_asc", "pg_catalog.lower(l.name) COLLATE \"C\" AS key", "key, id DESC"),
};

/* The classes of $2 that have leads, and how many leads that are. */
static LaQuery tally = {"SELECT pg_catalog.array_agg(t.class), pg_catalog.sum(t.n)::bigint"
                        " FROM (SELECT class, pg_catalog.sum(n) AS n FROM leadanalytics.lead_tally"
                        " WHERE workspace = $1 AND class = ANY ($2) GROUP BY class) AS t WHERE t.n > 0",
                        2,
                        {INT4OID, INT2ARRAYOID}};

static LaQuery sample = {
    "SELECT pg_catalog.count(*) FILTER (WHERE pg_catalog.strpos(s.haystack, $2) > 0)"
    " FROM (SELECT l.haystack FROM leadanalytics.lead l WHERE l.workspace = $1 ORDER BY l.id DESC "
    "LIMIT " SAMPLE ") AS s",
    2,
    {INT4OID, TEXTOID}};

/*
 * How many are found. A text that is one gram is found by the index alone, and without a filter not even the
 * rows are looked at: their workspace is in the gram.
 */
#define COUNT(condition)                                                                                     \
	{                                                                                                        \
		"SELECT pg_catalog.count(*) FROM leadanalytics.lead l WHERE " condition, 3,                          \
		{                                                                                                    \
			INT4OID, INT2ARRAYOID, TEXTOID                                                                   \
		}                                                                                                    \
	}
static LaQuery count = COUNT(FOUND);
static LaQuery count_gram = COUNT("l.workspace + 0 = $1 AND l.class + 0 = ANY ($2) AND " HAS_GRAMS);
static LaQuery count_gram_of_all = COUNT("$2 IS NOT NULL AND " HAS_GRAMS);

static Order *
order_named(const char *name)
{
	for (int i = 0; i < lengthof(orders) && name != NULL; i++)
		if (strcmp(orders[i].name, name) == 0)
			return &orders[i];
	return &orders[0];
}

/* A number of the statement's only row. */
static int64
number(LaQuery *query, Datum *values)
{
	bool isnull;

	la_query_run(query, values, NULL, true, 1);
	return DatumGetInt64(la_query_value(0, 1, &isnull));
}

static LaQuery *
how_to_count(Datum classes, Datum needle)
{
	text *t = DatumGetTextPP(needle);

	if (pg_mbstrlen_with_len(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)) > LA_GRAM)
		return &count;
	return ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(classes)), ARR_DIMS(DatumGetArrayTypeP(classes))) ==
	               LA_LEADS_CLASSES
	           ? &count_gram_of_all
	           : &count_gram;
}

/* An array of the statement's only row, copied out of SPI; an empty one for null. */
static Datum
array(int column, Oid element)
{
	bool isnull;
	Datum value = la_query_value(0, column, &isnull);

	if (isnull)
		return PointerGetDatum(construct_empty_array(element));
	return SPI_datumTransfer(value, false, -1);
}

/* $1 workspace, $2 classes, $3 text to find or null, $4 order, $5 limit, $6 offset → ids, total */
LA_FUNCTION(la_leads_page)
{
	Order *order = order_named(PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3)));
	int64 limit = PG_GETARG_INT32(4), offset = PG_GETARG_INT32(5);
	Datum asked[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	bool search = !PG_ARGISNULL(2);
	Datum ids, classes, answer[2];
	bool nulls[2] = {false, false};
	bool isnull;
	int64 total;
	TupleDesc shape;
	MemoryContext outside = CurrentMemoryContext;

	if (get_call_result_type(fcinfo, NULL, &shape) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "leadanalytics.lead_page() returns a row");
	SPI_connect();
	MemoryContextSwitchTo(outside); /* the answer outlives SPI */
	la_query_run(&tally, asked, NULL, true, 1);
	total = DatumGetInt64(la_query_value(0, 2, &isnull));
	if (isnull)
		total = 0;
	classes = array(1, INT2OID);

	if (total == 0)
		ids = PointerGetDatum(construct_empty_array(INT8OID));
	else
	{
		Datum text = search ? PG_GETARG_DATUM(2) : (Datum) 0;
		Datum probe[2] = {asked[0], text};
		Datum merge[6] = {asked[0],
		                  classes,
		                  text,
		                  Int64GetDatum(limit + offset),
		                  Int64GetDatum(limit),
		                  Int64GetDatum(offset)};
		Datum sort[5] = {asked[0], classes, text, Int64GetDatum(limit), Int64GetDatum(offset)};

		if (!search)
			la_query_run(&order->all, merge, "  n   ", true, 1);
		else if (number(&sample, probe) * DENSE >= Min(total, atoi(SAMPLE)))
		{
			total = number(how_to_count(asked[1], text), sort);
			la_query_run(&order->many, merge, NULL, true, 1);
		}
		else
		{
			la_query_run(&order->few, sort, NULL, true, 1);
			total = DatumGetInt64(la_query_value(0, 2, &isnull));
		}
		ids = array(1, INT8OID);
	}
	SPI_finish();
	answer[0] = ids;
	answer[1] = Int64GetDatum(total);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), answer, nulls)));
}
