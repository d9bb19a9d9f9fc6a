/*
 * The one way of an event into the table; the steps are listed in track.h.
 *
 * Dedupe: the leaf's UNIQUE (workspace, event_id) decides. A batch is hardly ever a second delivery, so
 * sessions and events are written under a savepoint as if all events were new; when one is not, they are
 * taken back, the events that are known are dropped, and the rest is tried again as if it had come alone.
 * A second delivery carries the same timestamp and meets the first in the same leaf. Only where a time was
 * not taken from the client, hardly any longer is, or hardly is yet, can two deliveries lie on both sides
 * of a month's edge: those are looked up before.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "core/month.h"
#include "core/query.h"
#include "core/settings.h"
#include "rollup/rollup.h"
#include "track/track.h"
#include "worker/worker.h"

#define REMEMBERED (6 * USECS_PER_HOUR) /* how long an event_id is remembered at the least (D-70) */
#define TRIES 20                        /* of a batch, while others write what it writes */

static LaHear teller = NULL;

/*
 * The range picks the leaves; the event_id must pick the row. Written as two plain comparisons the range
 * looks so narrow to a plan made on an empty table that it reads all of it, once for every event.
 */
static LaQuery known_events = {
    "SELECT u.n::int FROM unnest($2) WITH ORDINALITY AS u (event_id, n) "
    "WHERE EXISTS (SELECT FROM leadanalytics.event e WHERE e.workspace = $1 "
    "AND e.event_id = u.event_id AND e.at >= $3 AND e.at < ANY (ARRAY[$4]) OFFSET 0)",
    4,
    {INT4OID, UUIDARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

/* Sort by event_id and let go of all but the first of each. */
static void
drop_repeated(LaBatch *batch)
{
	int n = 0;

	qsort(batch->events, batch->n, sizeof(LaEvent *), track_by_event_id);
	for (int i = 0; i < batch->n; i++)
	{
		LaEvent *event = batch->events[i];

		if (n > 0 && event->has_event_id && batch->events[n - 1]->has_event_id &&
		    memcmp(batch->events[n - 1]->event_id.data, event->event_id.data, UUID_LEN) == 0)
			continue;
		batch->events[n++] = event;
	}
	batch->n = n;
}

/*
 * Drop those of the events, at places[], whose event_id is stored with a time in [from, to); returns how
 * many they were.
 */
static int
drop_stored(LaBatch *batch, const int *places, int asked, TimestampTz from, TimestampTz to)
{
	Datum *ids = palloc(Max(asked, 1) * sizeof(Datum));
	uint64 known;
	int n = 0;

	for (int i = 0; i < asked; i++)
		ids[i] = UUIDPGetDatum(&batch->events[places[i]]->event_id);
	if (asked == 0)
		return 0;
	known = la_query_run(
	    &known_events,
	    (Datum[]){Int32GetDatum(batch->workspace),
	              PointerGetDatum(construct_array(ids, asked, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR)),
	              TimestampTzGetDatum(from), TimestampTzGetDatum(to)},
	    NULL, false, 0);
	for (uint64 row = 0; row < known; row++)
	{
		bool isnull;

		batch->events[places[DatumGetInt32(la_query_value(row, 1, &isnull)) - 1]] = NULL;
	}
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < batch->n; i++)
		if (batch->events[i] != NULL)
			batch->events[n++] = batch->events[i];
	batch->n = n;
	return known;
}

/* Drop the known ones among those whose time lies in [from, to), where their duplicates would lie too. */
static int
drop_known(LaBatch *batch)
{
	int *places = palloc(Max(batch->n, 1) * sizeof(int));
	TimestampTz from = DT_NOEND;
	TimestampTz to = DT_NOBEGIN;
	int asked = 0;

	for (int i = 0; i < batch->n; i++)
	{
		const LaEvent *event = batch->events[i];

		if (!event->has_event_id)
			continue;
		from = Min(from, event->month * USECS_PER_DAY);
		to = Max(to, la_month_of((event->month + 31) * USECS_PER_DAY) * USECS_PER_DAY);
		places[asked++] = i;
	}
	return drop_stored(batch, places, asked, from, to);
}

/*
 * Drop known ones that the leaf's index might not meet: their first delivery may lie in another month. A
 * log is looked up as a whole: its lines are judged by the lines before them, and those of an earlier
 * import are not lines of this one.
 */
static void
drop_strayed(LaBatch *batch)
{
	int *places = palloc(Max(batch->n, 1) * sizeof(int));
	TimestampTz from = batch->now - la_track_past_s * USECS_PER_SEC - REMEMBERED;
	TimestampTz edge = la_month_of(batch->now) * USECS_PER_DAY;
	TimestampTz next_edge = la_month_of(edge + 31 * USECS_PER_DAY) * USECS_PER_DAY;
	TimestampTz to = edge;
	bool near = batch->now < edge + REMEMBERED;
	/* who began behind the edge may have been faster than who began just before it */
	bool overtaken = batch->now >= next_edge - USECS_PER_MINUTE;
	int asked = 0;

	if (batch->own_clock)
	{
		drop_known(batch);
		return;
	}
	for (int i = 0; i < batch->n; i++)
	{
		const LaEvent *event = batch->events[i];

		/* a clock that is ahead: the first delivery was too far ahead to be believed, and lies in this month
		 */
		bool ahead = event->at >= next_edge;

		bool passed = overtaken && event->at_receipt;

		if (!event->has_event_id || !(ahead || passed || (from < edge && (near || event->at_receipt))))
			continue;
		if (ahead)
			to = Max(to, next_edge);
		if (passed)
			to = next_edge + REMEMBERED;
		places[asked++] = i;
	}
	drop_stored(batch, places, asked, from, to);
}

/* Write it all; false, and nothing is written, when some of it was written by others: *error tells what. */
static bool
write_batch(LaBatch *batch, ErrorData **error)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	*error = NULL;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		track_visitors_lock(batch);
		/* what the batches before this one, in the visitors' line, have written is seen */
		drop_strayed(batch);
		track_sessions_assign(batch);
		track_sessions_reckon(batch);
		track_visitors_add(batch);
		track_sessions_open(batch);
		track_leaves_write(batch);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(memory);
		*error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (*error == NULL)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	if (*error != NULL && (*error)->sqlerrcode != ERRCODE_UNIQUE_VIOLATION)
		ReThrowError(*error);
	return *error == NULL;
}

void
la_track_tell(LaHear hear)
{
	teller = hear;
}

int
la_track_append(LaBatch *batch)
{
	ErrorData *error;
	int starts = 0;

	Assert(batch->n <= LA_TRACK_MAX_EVENTS);
	drop_repeated(batch);
	if (batch->n == 0)
		return 0;
	track_leaves_make(batch);
	track_spell(batch);
	track_persons(batch);
	track_visitors(batch);
	for (int try = 1; !write_batch(batch, &error); try++)
	{
		/* An event that is known, or a visitor or session that another batch made just now. */
		bool unseen = drop_known(batch) == 0 && IsolationUsesXactSnapshot();

		if (try == TRIES || unseen)
			ereport(ERROR,
			        (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			         errmsg("other transactions kept writing what this batch writes: %s", error->message),
			         errhint("Try again.")));
	}
	if (batch->n == 0)
		return 0;
	track_sessions_move(batch);
	track_guests(batch);
	track_persons_meet(batch);
	track_visitors_write(batch);
	track_persons_alias(batch);
	if (teller != NULL && batch->import == 0)
		teller(batch);
	track_live(batch);
	la_rollup_help(batch->workspace, batch->events[0]->id);
	la_worker_poke();
	for (int i = 0; i < batch->n; i++)
		starts += batch->events[i]->is_start;
	return batch->n - starts;
}
