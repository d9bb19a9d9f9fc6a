/*
 * Taking numbers out of the trail: the parts that have them are written again without.
 */
#include "rollup/points.h"

#include "catalog/pg_type.h"
#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/snapmgr.h"

#include "core/export.h"
#include "core/query.h"
#include "core/rows.h"
#include "rollup/parts.h"

#define COLUMNS "t.step, t.day, t.part, t.n, t.points, t.ctid AS place"

static LaQuery parts_before = {"SELECT " COLUMNS " FROM leadanalytics.trail t WHERE t.workspace = $1 "
                               "AND t.kind = $2 AND t.day < $3",
                               3,
                               {INT4OID, CHAROID, DATEOID}};

static LaQuery parts_of_days = {
    "SELECT t.* FROM unnest($4, $5) AS s (step, day) CROSS JOIN LATERAL (SELECT " COLUMNS
    " FROM leadanalytics.trail t WHERE t.workspace = $1 AND t.kind = $2 AND t.step = s.step AND t.day = "
    "s.day "
    "AND t.day >= $3 OFFSET 0) AS t",
    5,
    {INT4OID, CHAROID, DATEOID, INT4ARRAYOID, DATEARRAYOID}};

static LaQuery delete_parts = {"DELETE FROM leadanalytics.trail WHERE ctid = ANY ($1)", 1, {TIDARRAYOID}};

static LaQuery add_parts = {"INSERT INTO leadanalytics.trail (workspace, kind, step, day, part, n, points) "
                            "SELECT workspace, kind, step, day, part, n, points FROM written"};

static const LaColumn written_columns[] = {
    {"workspace", INT4OID}, {"kind", CHAROID}, {"step", INT4OID},    {"day", DATEOID},
    {"part", INT4OID},      {"n", INT4OID},    {"points", BYTEAOID},
};

typedef struct Erasing
{
	int workspace;
	char kind;
	const int64 *numbers;
	int n;
	LaRows *rows;
	ItemPointerData *places; /* of the parts that had some */
	int nplaces;
	int room;
	int64 erased;
} Erasing;

static void
keep_rest(Erasing *erasing, LaPartKey key, const LaPoint *points)
{
	Datum values[] = {Int32GetDatum(key.workspace),   CharGetDatum(key.kind),  Int32GetDatum(key.step),
	                  DateADTGetDatum(key.day),       Int32GetDatum(key.part), Int32GetDatum(key.n),
	                  rollup_pack_points(key, points)};
	bool nulls[lengthof(values)] = {false};

	la_rows_add(erasing->rows, values, nulls);
	pfree(DatumGetPointer(values[6]));
}

static void
take_part(TupleTableSlot *row, void *arg)
{
	Erasing *erasing = arg;
	LaPartKey key = {erasing->workspace,
	                 DatumGetInt32(row->tts_values[0]),
	                 DatumGetDateADT(row->tts_values[1]),
	                 DatumGetInt32(row->tts_values[2]),
	                 DatumGetInt32(row->tts_values[3]),
	                 erasing->kind};
	Datum bytes = PointerGetDatum(PG_DETOAST_DATUM_PACKED(row->tts_values[4]));
	LaPoint *kept = palloc_extended(key.n * sizeof(LaPoint), MCXT_ALLOC_HUGE);
	int before = key.n;
	LaPartReader reader;

	rollup_open_points(&reader, &key, bytes);
	key.n = 0;
	while (rollup_next_point(&reader))
		if (!rollup_tail_has(erasing->numbers, erasing->n, reader.point.number))
			kept[key.n++] = reader.point;
	if (key.n < before)
	{
		if (erasing->nplaces == erasing->room)
		{
			Size size = (erasing->room = Max(64, 2 * erasing->room)) * sizeof(ItemPointerData);

			erasing->places = erasing->places == NULL ? palloc(size) : repalloc_huge(erasing->places, size);
		}
		ItemPointerCopy((ItemPointer) DatumGetPointer(row->tts_values[5]),
		                &erasing->places[erasing->nplaces++]);
		erasing->erased += before - key.n;
		if (key.n > 0)
			keep_rest(erasing, key, kept);
	}
	pfree(kept);
	if (bytes != row->tts_values[4])
		pfree(DatumGetPointer(bytes));
}

/* Somebody else may have merged them since the snapshot was taken (REPEATABLE READ). */
static void
write_rest(Erasing *erasing)
{
	Datum *places = palloc(Max(erasing->nplaces, 1) * sizeof(Datum));
	ArrayType *array;

	for (int i = 0; i < erasing->nplaces; i++)
		places[i] = PointerGetDatum(&erasing->places[i]);
	array = construct_array(places, erasing->nplaces, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT);
	if (erasing->nplaces > 0 &&
	    la_query_run(&delete_parts, (Datum[]){PointerGetDatum(array)}, NULL, false, 0) != erasing->nplaces)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
		                errmsg("somebody else has written to the trail of workspace %d", erasing->workspace),
		                errhint("Try again.")));
	if (erasing->rows->n > 0)
		la_rows_run(erasing->rows, &add_parts);
}

int64
la_trail_erase(int workspace, char kind, const LaTrailDays *days, const int64 *numbers, int n)
{
	Erasing erasing = {.workspace = workspace, .kind = kind, .numbers = numbers, .n = n};
	Datum values[] = {Int32GetDatum(workspace), CharGetDatum(kind), DateADTGetDatum(days->before), 0, 0};

	erasing.rows = la_rows("written", written_columns, lengthof(written_columns));
	if (days->before != DATEVAL_NOBEGIN)
		la_query_each(&parts_before, values, NULL, take_part, &erasing);
	if (days->n > 0)
	{
		Datum *steps = palloc(days->n * sizeof(Datum));
		Datum *starts = palloc(days->n * sizeof(Datum));

		for (int i = 0; i < days->n; i++)
		{
			steps[i] = Int32GetDatum(days->steps[i]);
			starts[i] = DateADTGetDatum(days->days[i]);
		}
		values[3] = PointerGetDatum(construct_array(steps, days->n, INT4OID, 4, true, TYPALIGN_INT));
		values[4] = PointerGetDatum(construct_array(starts, days->n, DATEOID, 4, true, TYPALIGN_INT));
		la_query_each(&parts_of_days, values, NULL, take_part, &erasing);
	}
	write_rest(&erasing);
	return erasing.erased;
}

static int
by_number(const void *a, const void *b)
{
	const int64 left = *(const int64 *) a;
	const int64 right = *(const int64 *) b;

	return (left > right) - (left < right);
}

/* Of all days. The caller lets nobody else write points of the kind and workspace. */
LA_FUNCTION(la_trail_erase_numbers)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P_COPY(2);
	int n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	LaTrailDays all = {.before = DATEVAL_NOEND};
	int64 erased;

	if (ARR_HASNULL(array))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a number is null")));
	qsort(ARR_DATA_PTR(array), n, sizeof(int64), by_number);
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	erased = la_trail_erase(PG_GETARG_INT32(0), PG_GETARG_CHAR(1), &all, (int64 *) ARR_DATA_PTR(array), n);
	PopActiveSnapshot();
	SPI_finish();
	PG_RETURN_INT64(erased);
}
