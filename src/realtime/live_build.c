/*
 * A state made from rows: those of the last hour, told as facts one after the other.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "core/settings.h"
#include "realtime/live_pool.h"

#define AT_ONCE 10000

static LaQuery read_pages = {
    "SELECT t.id, t.parts[2] FROM leadanalytics.term t WHERE t.workspace = $1 AND t.parts[2] IS NOT NULL "
    "AND t.id IN (SELECT e.page FROM leadanalytics.event e "
    "WHERE e.workspace = $1 AND e.at >= $2 AND e.kind = 'p' AND NOT e.is_bot)",
    2,
    {INT4OID, TIMESTAMPTZOID}};

static LaQuery read_sessions = {
    "SELECT s.number, s.started_at, CASE WHEN s.is_ended THEN s.ended_at END FROM leadanalytics.session s "
    "WHERE s.workspace = $1 AND (s.started_at >= $2 OR s.is_ended AND s.ended_at >= $2)",
    2,
    {INT4OID, TIMESTAMPTZOID}};

static const char read_events[] =
    "SELECT e.at, e.id, e.session, e.visitor, e.page, e.kind, "
    "CASE WHEN s.number IS NULL THEN e.referrer ELSE s.referrer END, "
    "CASE WHEN s.number IS NULL THEN e.place ELSE s.place END "
    "FROM leadanalytics.event e "
    "LEFT JOIN leadanalytics.session s ON s.workspace = $1 AND s.number = e.session "
    "WHERE e.workspace = $1 AND e.at >= $2 AND NOT e.is_bot";

typedef struct Path
{
	int term;
	pg_uuid_t path;
} Path;

/* What is made, and for whom; given back by fail() unless it was put in. */
typedef struct Building
{
	LiveSlot *slot;
	LiveState state;
} Building;

static void
fail(int code, Datum arg)
{
	Building *building = (Building *) DatumGetPointer(arg);

	live_release_state(building->slot, &building->state);
	pg_atomic_write_u32(&building->slot->builder, 0);
}

/* A number of the row, 0 for null. */
static int64
number(uint64 row, int column)
{
	bool isnull;
	Datum value = la_query_value(row, column, &isnull);

	if (isnull)
		return 0;
	return SPI_gettypeid(SPI_tuptable->tupdesc, column) == INT8OID ? DatumGetInt64(value)
	                                                               : DatumGetInt32(value);
}

static HTAB *
paths(int workspace, Datum *args)
{
	HASHCTL shape = {.keysize = sizeof(int), .entrysize = sizeof(Path), .hcxt = CurrentMemoryContext};
	HTAB *table = hash_create("paths", 1024, &shape, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	uint64 n = la_query_run(&read_pages, args, NULL, true, 0);

	for (uint64 row = 0; row < n; row++)
	{
		int term = number(row, 1);
		Path *path = hash_search(table, &term, HASH_ENTER, NULL);

		path->path = la_live_path(la_query_text(row, 2));
	}
	SPI_freetuptable(SPI_tuptable);
	return table;
}

static bool
count_sessions(Building *building, Datum *args, TimestampTz limit)
{
	uint64 n = la_query_run(&read_sessions, args, NULL, true, 0);
	bool fits = true;

	for (uint64 row = 0; row < n && fits; row++)
	{
		bool open;
		bool isnull;
		LaLiveFact fact = {.what = LA_LIVE_START, .session = number(row, 1)};
		LaLiveFact end = {.what = LA_LIVE_END, .session = fact.session};

		fact.at = DatumGetTimestampTz(la_query_value(row, 2, &isnull));
		end.at = DatumGetTimestampTz(la_query_value(row, 3, &open));
		fits = live_count(building->slot, &building->state, &fact, limit) &&
		       (open || live_count(building->slot, &building->state, &end, limit));
	}
	SPI_freetuptable(SPI_tuptable);
	return fits;
}

static bool
count_events(Building *building, Datum *args, TimestampTz limit, HTAB *pages)
{
	Portal portal = SPI_cursor_open_with_args(NULL, read_events, 2, (Oid[]){INT4OID, TIMESTAMPTZOID}, args,
	                                          NULL, true, CURSOR_OPT_NO_SCROLL);
	bool fits = true;

	do
	{
		SPI_cursor_fetch(portal, true, AT_ONCE);
		for (uint64 row = 0; row < SPI_processed && fits; row++)
		{
			bool isnull;
			LaLiveFact fact = {
			    .what = LA_LIVE_EVENT,
			    .at = DatumGetTimestampTz(la_query_value(row, 1, &isnull)),
			    .id = number(row, 2),
			    .session = number(row, 3),
			    .visitor = number(row, 4),
			    .page = number(row, 5),
			    .kind = DatumGetChar(la_query_value(row, 6, &isnull)),
			    .referrer = number(row, 7),
			    .place = number(row, 8),
			};
			const Path *path = fact.page == 0 ? NULL : hash_search(pages, &fact.page, HASH_FIND, NULL);

			if (path != NULL)
				fact.path = path->path;
			else
				fact.page = 0;
			fits = live_count(building->slot, &building->state, &fact, limit);
		}
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	} while (SPI_processed > 0 && fits);
	SPI_cursor_close(portal);
	return fits;
}

/* Make the state aside. */
static bool
make(Building *building, Snapshot snapshot, TimestampTz clock)
{
	TimestampTz limit = clock + Min(la_track_future_s, LA_LIVE_AHEAD_S) * USECS_PER_SEC;
	bool fits = live_state_begin(building->slot, &building->state, clock);
	Datum args[] = {Int32GetDatum(building->slot->workspace), TimestampTzGetDatum(building->state.floor)};

	if (!fits)
		return false;
	SPI_connect();
	live_see(&building->state, snapshot);
	fits = count_sessions(building, args, limit) &&
	       count_events(building, args, limit, paths(building->slot->workspace, args));
	SPI_finish();
	return fits;
}

void
live_build(LiveSlot *slot)
{
	Snapshot snapshot = GetActiveSnapshot();
	TimestampTz clock = GetCurrentTimestamp();
	Building building = {.slot = slot};

	PG_ENSURE_ERROR_CLEANUP(fail, PointerGetDatum(&building));
	{
		bool fits = make(&building, snapshot, clock);

		LWLockAcquire(live_registry_lock(), LW_SHARED);
		LWLockAcquire(live_state_lock(slot), LW_EXCLUSIVE);
		if (!fits)
			live_lose(slot, LIVE_OVERFLOW);
		if (pg_atomic_read_u32(&slot->loss) == LIVE_KEPT)
		{
			live_release_state(slot, &slot->state);
			slot->state = building.state;
			memset(&building.state, 0, sizeof(LiveState));
			live_fold(slot, snapshot, clock, false);
			slot->built = true;
			pg_atomic_fetch_add_u64(&slot->times_built, 1);
		}
		else
			live_release_state(slot, &building.state);
		pg_atomic_write_u32(&slot->builder, 0);
		LWLockRelease(live_state_lock(slot));
		LWLockRelease(live_registry_lock());
	}
	PG_END_ENSURE_ERROR_CLEANUP(fail, PointerGetDatum(&building));
}
