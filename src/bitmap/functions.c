/*
 * Sets for SQL: looking into stored ones, and making and uniting them where the engine does not.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "bitmap/bitmap.h"
#include "core/export.h"

/* A StringInfo whose text will be a bytea's. */
static void
begin_bytea(StringInfo out)
{
	initStringInfo(out);
	appendStringInfoSpaces(out, VARHDRSZ);
}

static bytea *
end_bytea(StringInfo out)
{
	SET_VARSIZE(out->data, out->len);
	return (bytea *) out->data;
}

static bytea *
bytea_of(const LaBitmap *set)
{
	StringInfoData out;

	begin_bytea(&out);
	la_bitmap_store(&out, set);
	return end_bytea(&out);
}

static void
or_bytea(LaBitmap *set, const bytea *stored)
{
	la_bitmap_or(set, VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored));
}

static LaBitmap *
open_bytea(const bytea *stored)
{
	LaBitmap *set = la_bitmap_create();

	or_bytea(set, stored);
	return set;
}

LA_FUNCTION(la_bitmap_make)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(0);
	int count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	uint32 *numbers;
	StringInfoData out;

	if (array_contains_nulls(array))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a set of numbers has no null"),
		                errhint("array_remove(numbers, NULL) takes nulls out of an array.")));
	numbers = palloc(Max(count, 1) * sizeof *numbers);
	memcpy(numbers, ARR_DATA_PTR(array), count * sizeof *numbers);
	for (int i = 0; i < count; i++)
		if ((int32) numbers[i] < 0)
			ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			                errmsg("a set of numbers has no negative number: %d", (int32) numbers[i]),
			                errhint("Numbers of visitors and sessions are 0 to 2147483647.")));
	begin_bytea(&out);
	la_bitmap_store_numbers(&out, numbers, count);
	PG_RETURN_BYTEA_P(end_bytea(&out));
}

LA_FUNCTION(la_bitmap_cardinality)
{
	PG_RETURN_INT64(la_bitmap_count(open_bytea(PG_GETARG_BYTEA_PP(0))));
}

LA_FUNCTION(la_bitmap_contains)
{
	const bytea *stored = PG_GETARG_BYTEA_PP(0);
	int32 number = PG_GETARG_INT32(1);

	PG_RETURN_BOOL(number >= 0 &&
	               la_bitmap_stored_has(VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored), number));
}

LA_FUNCTION(la_bitmap_or_two)
{
	LaBitmap *set = open_bytea(PG_GETARG_BYTEA_PP(0));

	or_bytea(set, PG_GETARG_BYTEA_PP(1));
	PG_RETURN_BYTEA_P(bytea_of(set));
}

LA_FUNCTION(la_bitmap_and_two)
{
	LaBitmap *set = open_bytea(PG_GETARG_BYTEA_PP(0));
	bytea *other = PG_GETARG_BYTEA_PP(1);

	la_bitmap_and(set, VARDATA_ANY(other), VARSIZE_ANY_EXHDR(other));
	PG_RETURN_BYTEA_P(bytea_of(set));
}

LA_FUNCTION(la_bitmap_andnot_two)
{
	LaBitmap *set = open_bytea(PG_GETARG_BYTEA_PP(0));
	bytea *other = PG_GETARG_BYTEA_PP(1);

	la_bitmap_andnot(set, VARDATA_ANY(other), VARSIZE_ANY_EXHDR(other));
	PG_RETURN_BYTEA_P(bytea_of(set));
}

LA_FUNCTION(la_bitmap_and_cardinality)
{
	LaBitmap *set = open_bytea(PG_GETARG_BYTEA_PP(0));

	PG_RETURN_INT64(la_bitmap_count_both(set, open_bytea(PG_GETARG_BYTEA_PP(1))));
}

typedef struct Walk
{
	LaBitmap *set;
	uint64 cursor;
} Walk;

LA_FUNCTION(la_bitmap_numbers)
{
	FuncCallContext *call;
	Walk *walk;
	uint32 number;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext before;

		call = SRF_FIRSTCALL_INIT();
		before = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		walk = palloc(sizeof *walk);
		walk->set = open_bytea(PG_GETARG_BYTEA_PP(0));
		walk->cursor = 0;
		call->user_fctx = walk;
		MemoryContextSwitchTo(before);
	}
	call = SRF_PERCALL_SETUP();
	walk = call->user_fctx;
	if (!la_bitmap_next(walk->set, &walk->cursor, &number))
		SRF_RETURN_DONE(call);
	if (number > PG_INT32_MAX)
		ereport(ERROR,
		        (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("number %u of a set is no int", number),
		         errhint("leadanalytics writes no such set: another program did.")));
	SRF_RETURN_NEXT(call, Int32GetDatum(number));
}

/* The aggregate: its state is an open set; NULL until a set came. */

/* The state to add the other argument to, made if need be; NULL: there is neither. */
static LaBitmap *
state_of(FunctionCallInfo fcinfo)
{
	MemoryContext aggregate;
	MemoryContext before;
	LaBitmap *set;

	if (!PG_ARGISNULL(0))
		return (LaBitmap *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(1))
		return NULL;
	if (!AggCheckCallContext(fcinfo, &aggregate))
		elog(ERROR, "called outside an aggregate");
	before = MemoryContextSwitchTo(aggregate);
	set = la_bitmap_create();
	MemoryContextSwitchTo(before);
	return set;
}

static Datum
result_of(FunctionCallInfo fcinfo, LaBitmap *state)
{
	fcinfo->isnull = state == NULL;
	return PointerGetDatum(state);
}

LA_FUNCTION(la_bitmap_union_add)
{
	LaBitmap *set = state_of(fcinfo);

	if (!PG_ARGISNULL(1))
		or_bytea(set, PG_GETARG_BYTEA_PP(1));
	return result_of(fcinfo, set);
}

LA_FUNCTION(la_bitmap_union_combine)
{
	LaBitmap *set = state_of(fcinfo);

	if (!PG_ARGISNULL(1))
		la_bitmap_merge(set, (const LaBitmap *) PG_GETARG_POINTER(1));
	return result_of(fcinfo, set);
}

/* Between workers a state travels as it is stored. */
LA_FUNCTION(la_bitmap_union_finish)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(bytea_of((const LaBitmap *) PG_GETARG_POINTER(0)));
}

LA_FUNCTION(la_bitmap_union_receive)
{
	PG_RETURN_POINTER(open_bytea(PG_GETARG_BYTEA_PP(0)));
}

LA_FUNCTION(la_bitmap_union_count)
{
	PG_RETURN_INT64(PG_ARGISNULL(0) ? 0 : la_bitmap_count((const LaBitmap *) PG_GETARG_POINTER(0)));
}
