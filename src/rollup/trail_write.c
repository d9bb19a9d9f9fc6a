/*
 * Writing the trail, and merging the parts of a day of a step.
 *
 * A part is merged with what is new unless it is much larger: every point is written again a logarithmic
 * number of times, and a day has a handful of parts. One that is damaged is left to those who read: nobody
 * who writes waits for somebody to mend it.
 */
#include "rollup/points.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/array.h"

#include "core/query.h"
#include "core/rows.h"

#define MOST_PARTS 8
#define MOST_POINTS (4 * 1024 * 1024) /* of a part: it is written at once */

/* Days of steps, and parts of them: a stretch of the primary key for each. */
static LaQuery find_parts = {
    "SELECT s.key, p.part, p.n, p.points FROM unnest($3, $4) WITH ORDINALITY AS s (step, day, key) "
    "CROSS JOIN LATERAL (SELECT t.part, t.n, t.points FROM leadanalytics.trail t WHERE t.workspace = $1 "
    "AND t.kind = $2 AND t.step = s.step AND t.day = s.day OFFSET 0) AS p ORDER BY s.key, p.n, p.part",
    4,
    {INT4OID, CHAROID, INT4ARRAYOID, DATEARRAYOID}};

static LaQuery delete_parts = {
    "DELETE FROM leadanalytics.trail WHERE ctid = ANY (ARRAY(SELECT p.place FROM unnest($3, $4, $5) AS s "
    "(step, day, part) CROSS JOIN LATERAL (SELECT t.ctid AS place FROM leadanalytics.trail t "
    "WHERE t.workspace = $1 AND t.kind = $2 AND t.step = s.step AND t.day = s.day AND t.part = s.part OFFSET "
    "0) AS p))",
    5,
    {INT4OID, CHAROID, INT4ARRAYOID, DATEARRAYOID, INT4ARRAYOID}};

static LaQuery add_parts = {"INSERT INTO leadanalytics.trail (workspace, kind, step, day, part, n, points) "
                            "SELECT workspace, kind, step, day, part, n, points FROM written "
                            "ON CONFLICT DO NOTHING"};

static const LaColumn written_columns[] = {
    {"workspace", INT4OID}, {"kind", CHAROID}, {"step", INT4OID},    {"day", DATEOID},
    {"part", INT4OID},      {"n", INT4OID},    {"points", BYTEAOID},
};

/* What is new of a day of a step. */
typedef struct Stretch
{
	LaPartKey key;
	const LaPoint *points;
	int64 n;
} Stretch;

typedef struct Numbers
{
	Datum *values;
	int n;
} Numbers;

static Datum
array_of(const Numbers *numbers, Oid type)
{
	return PointerGetDatum(construct_array(numbers->values, numbers->n, type, 4, true, TYPALIGN_INT));
}

/* The end of the day of the step, of sorted points. */
static int64
stretch_end(const LaPoint *points, int64 n, int64 first)
{
	TimestampTz day_ends = rollup_day_starts(rollup_day_of(points[first].at) + 1);
	int64 end = first;

	while (end < n && points[end].step == points[first].step && points[end].at < day_ends)
	{
		if (points[end].number < 0)
			elog(ERROR, "a point's number is negative");
		end++;
	}
	return end;
}

/* Points and a part's, in order; what cancels out is gone. NULL: the part is damaged. */
static LaPoint *
merge_part(const LaPoint *points, int64 *n, const LaPartKey *key, Datum value)
{
	LaPoint *merged;
	Datum bytes = PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
	LaPartReader reader;
	int64 all = 0;
	int64 i = 0;

	if (rollup_points_fault(key, bytes) != NULL)
		return NULL;
	merged = palloc_extended((*n + key->n) * sizeof(LaPoint), MCXT_ALLOC_HUGE);
	rollup_open_points(&reader, key, bytes);
	while (rollup_next_point(&reader))
	{
		const LaPoint *old = &reader.point;

		while (i < *n &&
		       (points[i].at < old->at || (points[i].at == old->at && points[i].number < old->number)))
			merged[all++] = points[i++];
		merged[all++] = *old;
	}
	while (i < *n)
		merged[all++] = points[i++];
	if (bytes != value)
		pfree(DatumGetPointer(bytes));
	*n = rollup_cancel_points(merged, all);
	return merged;
}

static void
add_rows(LaRows *rows, LaPartKey key, const LaPoint *points, int64 n)
{
	for (int64 done = 0; done < n; done += key.n, key.part++)
	{
		Datum values[lengthof(written_columns)];
		bool nulls[lengthof(written_columns)] = {false};

		key.n = Min(n - done, MOST_POINTS);
		values[0] = Int32GetDatum(key.workspace);
		values[1] = CharGetDatum(key.kind);
		values[2] = Int32GetDatum(key.step);
		values[3] = DateADTGetDatum(key.day);
		values[4] = Int32GetDatum(key.part);
		values[5] = Int32GetDatum(key.n);
		values[6] = rollup_pack_points(key, points + done);
		la_rows_add(rows, values, nulls);
		pfree(DatumGetPointer(values[6]));
	}
}

/* The rows from the first on are the parts of the stretch, the smallest first. Returns the row behind them.
 */
static uint64
write_stretch(const Stretch *stretch, int64 number, uint64 row, uint64 nrows, LaRows *rows, Numbers *deleted)
{
	LaPartKey key = stretch->key;
	const LaPoint *points = stretch->points;
	int64 n = stretch->n;
	uint64 first = row;
	uint64 end = row;
	int last = 0;
	bool isnull;

	while (end < nrows && DatumGetInt64(la_query_value(end, 1, &isnull)) == number)
		end++;
	for (; row < end; row++)
		last = Max(last, DatumGetInt32(la_query_value(row, 2, &isnull)));
	for (row = first; row < end; row++)
	{
		LaPoint *merged;

		key.part = DatumGetInt32(la_query_value(row, 2, &isnull));
		key.n = DatumGetInt32(la_query_value(row, 3, &isnull));
		if ((key.n > 2 * n && end - row < MOST_PARTS) || n + key.n > MOST_POINTS)
			break;
		merged = merge_part(points, &n, &key, la_query_value(row, 4, &isnull));
		if (merged == NULL)
			continue;
		if (points != stretch->points)
			pfree(unconstify(LaPoint *, points));
		points = merged;
		deleted[0].values[deleted[0].n++] = Int32GetDatum(key.step);
		deleted[1].values[deleted[1].n++] = DateADTGetDatum(key.day);
		deleted[2].values[deleted[2].n++] = Int32GetDatum(key.part);
	}
	key.part = last + 1;
	add_rows(rows, key, points, n);
	if (points != stretch->points)
		pfree(unconstify(LaPoint *, points));
	return end;
}

void
la_trail_add(int workspace, char kind, LaPoint *points, int64 n)
{
	Stretch *stretches = NULL;
	int nstretches = 0;
	int room = 0;
	Numbers steps = {NULL, 0};
	Numbers days = {NULL, 0};
	Numbers deleted[3] = {{NULL, 0}};
	LaRows *rows;
	SPITupleTable *found;
	uint64 nrows;
	uint64 nadded;
	uint64 row = 0;

	rollup_sort_points(points, n);
	n = rollup_cancel_points(points, n);
	for (int64 first = 0, end; first < n; first = end)
	{
		end = stretch_end(points, n, first);
		if (nstretches == room)
			stretches = room == 0 ? palloc((room = 64) * sizeof(Stretch))
			                      : repalloc_huge(stretches, (Size) (room *= 2) * sizeof(Stretch));
		stretches[nstretches++] =
		    (Stretch){{workspace, points[first].step, rollup_day_of(points[first].at), 0, 0, kind},
		              points + first,
		              end - first};
	}
	if (nstretches == 0)
		return;
	steps.values = palloc(nstretches * sizeof(Datum));
	days.values = palloc(nstretches * sizeof(Datum));
	for (int i = 0; i < nstretches; i++)
	{
		steps.values[steps.n++] = Int32GetDatum(stretches[i].key.step);
		days.values[days.n++] = DateADTGetDatum(stretches[i].key.day);
	}
	nrows = la_query_run(&find_parts,
	                     (Datum[]){Int32GetDatum(workspace), CharGetDatum(kind), array_of(&steps, INT4OID),
	                               array_of(&days, DATEOID)},
	                     NULL, false, 0);
	found = SPI_tuptable;
	for (int i = 0; i < lengthof(deleted); i++)
		deleted[i].values = palloc(Max(nrows, 1) * sizeof(Datum));
	rows = la_rows("written", written_columns, lengthof(written_columns));
	for (int i = 0; i < nstretches; i++)
		row = write_stretch(&stretches[i], i + 1, row, nrows, rows, deleted);
	SPI_freetuptable(found);
	nadded = rows->n;
	/* One who sees less than there is by now (REPEATABLE READ) may give a part a number that is taken. */
	if ((deleted[0].n > 0 &&
	     la_query_run(&delete_parts,
	                  (Datum[]){Int32GetDatum(workspace), CharGetDatum(kind), array_of(&deleted[0], INT4OID),
	                            array_of(&deleted[1], DATEOID), array_of(&deleted[2], INT4OID)},
	                  NULL, false, 0) != deleted[0].n) ||
	    (nadded > 0 && la_rows_run(rows, &add_parts) != nadded))
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
		                errmsg("somebody else has written to the trail of workspace %d", workspace),
		                errhint("Try again.")));
}
