/*
 * The trail of events of the web: what of an event goes into it, whether all of it has, and how it is made
 * anew.
 */
#include "rollup/points.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "core/export.h"
#include "core/query.h"
#include "rollup/parts.h"

static LaQuery read_trail = {"SELECT t.step, t.day, t.part, t.n, t.points FROM leadanalytics.trail t "
                             "WHERE t.workspace = $1 AND t.kind = 'w' AND t.day >= $2 AND t.day < $3",
                             3,
                             {INT4OID, DATEOID, DATEOID}};

static LaQuery delete_trail = {"DELETE FROM leadanalytics.trail t "
                               "WHERE t.workspace = $1 AND t.kind = 'w' AND t.day >= $2 AND t.day < $3",
                               3,
                               {INT4OID, DATEOID, DATEOID}};

static LaQuery find_range = {"SELECT min(e.at), max(e.at) FROM leadanalytics.event e "
                             "WHERE e.workspace = $1 AND e.at >= $2 AND e.at < $3",
                             3,
                             {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

/* Whole days of which there are rows. */
typedef struct Days
{
	int workspace;
	TimestampTz from;
	TimestampTz to;
	const LaTail *tail; /* what is not folded */
} Days;

static Days
whole_days(int workspace, TimestampTz starts, TimestampTz ends)
{
	Days days = {.workspace = workspace};

	days.from = TIMESTAMP_NOT_FINITE(starts) ? starts : rollup_floor(starts, USECS_PER_DAY);
	days.to = TIMESTAMP_NOT_FINITE(ends) ? ends : rollup_floor(ends + USECS_PER_DAY - 1, USECS_PER_DAY);
	days.from = Max(days.from, rollup_dropped_before(workspace));
	days.tail = rollup_tail_of_events(workspace, days.from, days.to);
	return days;
}

void
rollup_add_point(LaPoints *points, LaPoint point)
{
	if (points->n == points->room)
	{
		Size size = (points->room = Max(1024, 2 * points->room)) * sizeof(LaPoint);

		points->points = points->points == NULL ? palloc_extended(size, MCXT_ALLOC_HUGE)
		                                        : repalloc_huge(points->points, size);
	}
	points->points[points->n++] = point;
}

void
rollup_add_event_point(LaPoints *points, const LaEventFact *event)
{
	int number = rollup_trail_number(event);

	if (number != 0)
		rollup_add_point(points, (LaPoint){event->at, number, event->name, 1});
}

/* What a step has of a day, in the trail (0) and in rows (1): how many points, and a sum that tells them
 * apart. */
typedef struct Compared
{
	uint64 key; /* step, day */
	char status;
	int64 n[2];
	uint64 sum[2];
} Compared;

#define SH_PREFIX compared
#define SH_ELEMENT_TYPE Compared
#define SH_KEY_TYPE uint64
#define SH_KEY key
#define SH_HASH_KEY(table, key) rollup_hash(key)
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct Comparing
{
	Days days;
	compared_hash *all;
} Comparing;

static void
count_point(Comparing *comparing, int step, TimestampTz at, int64 number, int side)
{
	int64 point[] = {at, number};
	bool found;
	Compared *compared =
	    compared_insert(comparing->all, (uint64) step << 32 | (uint32) rollup_day_of(at), &found);

	if (!found)
		memset(compared->n, 0, sizeof compared->n + sizeof compared->sum);
	compared->n[side]++;
	compared->sum[side] += hash_bytes_extended((unsigned char *) point, sizeof point, 0);
}

static void
compare_event(const LaEventFact *event, void *arg)
{
	Comparing *comparing = arg;
	int number = rollup_trail_number(event);

	if (number != 0 && !rollup_tail_has_event(comparing->days.tail, event->id, event->at))
		count_point(comparing, event->name, event->at, number, 1);
}

static void
compare_part(TupleTableSlot *row, void *arg)
{
	Comparing *comparing = arg;
	LaPartKey key = {comparing->days.workspace,           DatumGetInt32(row->tts_values[0]),
	                 DatumGetDateADT(row->tts_values[1]), DatumGetInt32(row->tts_values[2]),
	                 DatumGetInt32(row->tts_values[3]),   'w'};
	Datum bytes = PointerGetDatum(PG_DETOAST_DATUM_PACKED(row->tts_values[4]));
	LaPartReader reader;

	rollup_open_points(&reader, &key, bytes);
	while (rollup_next_point(&reader))
		count_point(comparing, key.step, reader.point.at, reader.point.number, 0);
	if (bytes != row->tts_values[4])
		pfree(DatumGetPointer(bytes));
}

LA_FUNCTION(la_trail_reconcile)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Comparing comparing;
	compared_iterator i;
	Compared *compared;
	Days *days = &comparing.days;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	*days = whole_days(PG_GETARG_INT32(0), PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2));
	comparing.all = compared_create(CurrentMemoryContext, 1024, NULL);
	rollup_events_between(days->workspace, days->from, days->to, compare_event, &comparing);
	la_query_each(&read_trail,
	              (Datum[]){Int32GetDatum(days->workspace), DateADTGetDatum(rollup_day_of(days->from)),
	                        DateADTGetDatum(rollup_day_of(days->to))},
	              NULL, compare_part, &comparing);
	compared_start_iterate(comparing.all, &i);
	while ((compared = compared_iterate(comparing.all, &i)) != NULL)
	{
		Datum values[] = {TimestampTzGetDatum(rollup_day_starts((int32) (uint32) compared->key)),
		                  Int32GetDatum((int32) (compared->key >> 32)),
		                  CStringGetTextDatum(compared->n[0] == compared->n[1] ? "other points" : "points"),
		                  Int64GetDatum(compared->n[0]), Int64GetDatum(compared->n[1])};
		bool nulls[lengthof(values)] = {false};

		if (compared->n[0] != compared->n[1] || compared->sum[0] != compared->sum[1])
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}

typedef struct Rebuilding
{
	Days days;
	LaPoints points;
} Rebuilding;

static void
rebuild_event(const LaEventFact *event, void *arg)
{
	Rebuilding *rebuilding = arg;

	if (!rollup_tail_has_event(rebuilding->days.tail, event->id, event->at))
		rollup_add_event_point(&rebuilding->points, event);
}

/* The caller holds the workspace's row. */
LA_FUNCTION(la_trail_rebuild)
{
	int workspace = PG_GETARG_INT32(0);
	Rebuilding rebuilding = {.points = {NULL, 0, 0}};
	Days *days = &rebuilding.days;
	Datum range[3];
	TimestampTz first;
	TimestampTz last;
	bool isnull;
	int64 n = 0;

	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	*days = whole_days(workspace, PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2));
	range[0] = Int32GetDatum(workspace);
	range[1] = DateADTGetDatum(rollup_day_of(days->from));
	range[2] = DateADTGetDatum(rollup_day_of(days->to));
	la_query_run(&delete_trail, range, NULL, false, 0);
	range[1] = TimestampTzGetDatum(days->from);
	range[2] = TimestampTzGetDatum(days->to);
	la_query_run(&find_range, range, NULL, true, 1);
	first = DatumGetTimestampTz(la_query_value(0, 1, &isnull));
	last = DatumGetTimestampTz(la_query_value(0, 2, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (!isnull)
		for (TimestampTz day = rollup_floor(first, USECS_PER_DAY); day <= last; day += USECS_PER_DAY)
		{
			rebuilding.points.n = 0;
			rollup_events_between(workspace, day, day + USECS_PER_DAY, rebuild_event, &rebuilding);
			la_trail_add(workspace, 'w', rebuilding.points.points, rebuilding.points.n);
			n += rebuilding.points.n;
		}
	PopActiveSnapshot();
	SPI_finish();
	PG_RETURN_INT64(n);
}

static void
show_points(const LaPoint *points, int64 n, void *arg)
{
	ReturnSetInfo *result = arg;

	for (int64 i = 0; i < n; i++)
	{
		Datum values[] = {TimestampTzGetDatum(points[i].at), Int64GetDatum(points[i].number)};
		bool nulls[lengthof(values)] = {false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

LA_FUNCTION(la_trail_points)
{
	LaTrail trail = {PG_GETARG_CHAR(1), PG_GETARG_INT32(2), PG_GETARG_TIMESTAMPTZ(3),
	                 PG_GETARG_TIMESTAMPTZ(4), 0};

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	la_trail_read(PG_GETARG_INT32(0), &trail, 1, NULL, 0, show_points, fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}
