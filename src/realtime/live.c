/*
 * Asking the live counts: leadanalytics.live_memory(), live_hour(), and what keeps them going.
 *
 * Who asks folds and counts under the state's lock, into memory that was made before, and goes.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "core/settings.h"
#include "realtime/live_pool.h"

/* Why the rows answer. */
typedef enum Refusal
{
	NO_REFUSAL,
	IS_LOST,
	IS_BUILDING,
	TOO_EARLY, /* a transaction from before the state still runs */
	OLDER_SNAPSHOT,
	OWN_WRITES,
	OTHER_NOW, /* asked about another time than now, or something was dated ahead of it */
} Refusal;

static const char *const refusals[] = {
    [IS_LOST] = "lost",
    [IS_BUILDING] = "building",
    [TOO_EARLY] = "older transactions still run",
    [OLDER_SNAPSHOT] = "an older snapshot asked",
    [OWN_WRITES] = "the writing transaction itself asked",
    [OTHER_NOW] = "asked about another time",
};

static const char *const losses[] = {
    [LIVE_KEPT] = "kept",
    [LIVE_OVERFLOW] = "too much to keep",
    [LIVE_CHANGED] = "written past track()",
    [LIVE_AHEAD] = "dated ahead",
    [LIVE_BROKEN] = "broken by an error",
    [LIVE_UNASKED] = "not asked for",
};

/* The workspace that would be counted, were the rows slow: of the last question memory could not answer. */
static int missed = 0;

typedef struct Visit
{
	LiveSlot *slot;
	TimestampTz now;
	TimestampTz starts;
	TimestampTz clock;
	Snapshot snapshot;
	Refusal refusal;
} Visit;

/*
 * Whether memory may answer at all: the snapshot is one that live_sees() understands, nobody must know which
 * rows were read, and nobody asked for the rows themselves.
 */
static bool
may_answer(const Visit *visit)
{
	return live_pool != NULL && !RecoveryInProgress() && visit->snapshot != NULL &&
	       visit->snapshot->snapshot_type == SNAPSHOT_MVCC && !visit->snapshot->takenDuringRecovery &&
	       !IsolationIsSerializable() && !la_exact;
}

/* Nobody's clock but ours moves the state: a question about another day must not. */
static bool
is_now(const Visit *visit)
{
	return visit->now <= visit->clock + LA_LIVE_CLOCK && visit->now >= visit->clock - LA_LIVE_CLOCK &&
	       la_track_future_s <= LA_LIVE_AHEAD_S;
}

/* The state as the visit's snapshot sees it, or why not; the state is held. */
static Refusal
look(Visit *visit, bool *build)
{
	LiveSlot *slot = visit->slot;
	TimestampTz limit = visit->now + la_track_future_s * USECS_PER_SEC;

	if (slot->busy)
		live_lose(slot, LIVE_BROKEN);
	if (pg_atomic_read_u32(&slot->loss) != LIVE_KEPT)
		return IS_LOST;
	if (pg_atomic_read_u32(&slot->builder) != 0)
		return IS_BUILDING;
	if (!slot->built)
	{
		if (!TransactionIdIsValid(slot->from_xid) ||
		    TransactionIdPrecedes(visit->snapshot->xmin, slot->from_xid))
			return TOO_EARLY;
		pg_atomic_write_u32(&slot->builder, MyProcPid);
		*build = true;
		return IS_BUILDING;
	}
	if (!live_sees(&slot->state, visit->snapshot))
		return OLDER_SNAPSHOT;
	if (live_fold(slot, visit->snapshot, visit->clock, true))
		return OWN_WRITES;
	if (limit >= slot->state.beyond)
		live_lose(slot, LIVE_AHEAD);
	if (pg_atomic_read_u32(&slot->loss) != LIVE_KEPT)
		return IS_LOST;
	if (visit->starts < slot->state.floor || slot->state.newest > limit)
		return OTHER_NOW;
	return NO_REFUSAL;
}

static void
leave(Visit *visit)
{
	LWLockRelease(live_state_lock(visit->slot));
	LWLockRelease(live_registry_lock());
}

/* True: the state is exactly what the active snapshot sees, and held; leave() it. False: ask the rows. */
static bool
enter(Visit *visit, int workspace, TimestampTz starts, TimestampTz now)
{
	Oid relation;

	missed = 0;
	*visit = (Visit){.now = now,
	                 .starts = starts,
	                 .snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : NULL,
	                 .clock = GetCurrentTimestamp()};
	if (!may_answer(visit))
		return false;
	relation = live_relation();
	for (;;)
	{
		bool build = false;

		LWLockAcquire(live_registry_lock(), LW_SHARED);
		visit->slot = live_slot(relation, workspace);
		if (visit->slot == NULL)
		{
			LWLockRelease(live_registry_lock());
			missed = is_now(visit) ? workspace : 0;
			return false;
		}
		/* one that slept may hold xids from long ago */
		if (visit->clock - (TimestampTz) pg_atomic_exchange_u64(&visit->slot->asked_at, visit->clock) >
		    LA_LIVE_UNASKED)
			live_lose(visit->slot, LIVE_UNASKED);
		LWLockAcquire(live_state_lock(visit->slot), LW_EXCLUSIVE);
		visit->refusal = is_now(visit) ? look(visit, &build) : OTHER_NOW;
		if (visit->refusal == NO_REFUSAL)
			return true;
		if (visit->refusal == IS_LOST && pg_atomic_read_u32(&visit->slot->builder) == 0)
			live_release(visit->slot);
		if (!build)
		{
			pg_atomic_fetch_add_u64(&visit->slot->from_rows, 1);
			pg_atomic_write_u32(&visit->slot->refusal, visit->refusal);
		}
		leave(visit);
		missed = visit->refusal == IS_LOST ? workspace : 0;
		if (!build)
			return false;
		live_build(visit->slot);
	}
}

/* Counts by number, as they are met. */
typedef struct Count
{
	int term;
	uint32 n;
} Count;

typedef struct Found
{
	uint32 visitors;
	uint64 pageviews;
	uint64 custom;
	int nminutes;
	uint32 minutes[60];
	Size nplaces; /* referrer and place of everybody */
	Size places_room;
	int *referrers;
	int *places;
	Size pages_room;
	Count *pages; /* by a page's number */
} Found;

static void
find_visitors(const LiveState *state, const Visit *visit, Found *found)
{
	const LiveTable *table = &state->table[LIVE_VISITORS];
	const LiveVisitor *visitors = table->capacity > 0 ? live_at(table->entries) : NULL;
	int64 first = live_minute(visit->starts);
	uint64 window = (UINT64CONST(1) << found->nminutes) - 1; /* at most 60 */

	for (uint32 i = 0; i < table->capacity; i++)
	{
		const LiveVisitor *visitor = &visitors[i];
		int64 latest;
		uint64 seen;
		int shift = first % 64;

		if (visitor->visitor == 0 || visitor->at < visit->starts)
			continue;
		found->visitors++;
		found->referrers[found->nplaces] = visitor->referrer;
		found->places[found->nplaces++] = visitor->place;
		/* the 64 minutes from the first on; a bit past the latest is one of two hours ago */
		latest = live_minute(visitor->at) - first;
		seen = visitor->minutes[first / 64 % 2] >> shift;
		if (shift > 0)
			seen |= visitor->minutes[(first / 64 + 1) % 2] << (64 - shift);
		if (latest < 63)
			seen &= (UINT64CONST(1) << (latest + 1)) - 1;
		seen &= window >> 1;
		/* what is dated ahead happens now */
		if (latest >= found->nminutes - 1)
			seen |= UINT64CONST(1) << (found->nminutes - 1);
		for (; seen != 0; seen &= seen - 1)
			found->minutes[pg_rightmost_one_pos64(seen)]++;
	}
}

static void
find_pages(const LiveState *state, const Visit *visit, Found *found)
{
	const LiveTable *pages = &state->table[LIVE_PAGES];
	const LiveTable *views = &state->table[LIVE_VIEWS];
	const LivePage *page = pages->capacity > 0 ? live_at(pages->entries) : NULL;
	const LiveView *view = views->capacity > 0 ? live_at(views->entries) : NULL;
	uint32 first = live_minute(visit->starts);

	memset(found->pages, 0, state->next_page * sizeof(Count));
	for (uint32 i = 0; i < pages->capacity; i++)
		found->pages[page[i].number].term = page[i].term;
	for (uint32 i = 0; i < views->capacity; i++)
		if (view[i].visitor != 0 && view[i].minute >= first)
			found->pages[view[i].page].n++;
}

static void
find_sums(const LiveState *state, const Visit *visit, Found *found)
{
	const LiveSecond *ring = live_at(state->ring);

	for (int64 second = visit->starts / USECS_PER_SEC; second <= state->newest / USECS_PER_SEC; second++)
	{
		found->pageviews += ring[second % LA_LIVE_RING].pageviews;
		found->custom += ring[second % LA_LIVE_RING].custom;
	}
}

/* All the answer is made of; false: ask the rows. *next_page: how many pages' numbers there are. */
static bool
find(int workspace, TimestampTz starts, TimestampTz now, Found *found, uint32 *next_page)
{
	Visit visit;

	memset(found, 0, sizeof(Found));
	found->nminutes = live_minute(now) - live_minute(starts) + 1;
	if (found->nminutes < 1 || found->nminutes > 60)
		return false;
	while (enter(&visit, workspace, starts, now))
	{
		const LiveState *state = &visit.slot->state;
		Size visitors = state->table[LIVE_VISITORS].used;
		Size pages = state->next_page;

		if (visitors <= found->places_room && pages <= found->pages_room)
		{
			find_visitors(state, &visit, found);
			find_pages(state, &visit, found);
			find_sums(state, &visit, found);
			*next_page = pages;
			pg_atomic_fetch_add_u64(&visit.slot->served, 1);
			leave(&visit);
			return true;
		}
		leave(&visit);
		if (found->places_room > 0)
		{
			pfree(found->referrers);
			pfree(found->places);
			pfree(found->pages);
		}
		found->places_room = visitors + visitors / 4 + 1000;
		found->pages_room = pages + pages / 4 + 1000;
		found->referrers = palloc_extended(found->places_room * sizeof(int), MCXT_ALLOC_HUGE);
		found->places = palloc_extended(found->places_room * sizeof(int), MCXT_ALLOC_HUGE);
		found->pages = palloc_extended(found->pages_room * sizeof(Count), MCXT_ALLOC_HUGE);
	}
	return false;
}

static void
put(ReturnSetInfo *result, const char *what, TimestampTz minute, int term, int64 n)
{
	Datum values[] = {CStringGetTextDatum(what), TimestampTzGetDatum(minute), Int32GetDatum(term),
	                  Int64GetDatum(n)};
	bool nulls[] = {false, minute == 0, term == 0, false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static int
by_number(const void *a, const void *b)
{
	const int left = *(const int *) a;
	const int right = *(const int *) b;

	return (left > right) - (left < right);
}

/* How often each number is among them. */
static void
put_numbers(ReturnSetInfo *result, const char *what, int *numbers, Size n)
{
	Size run;

	qsort(numbers, n, sizeof(int), by_number);
	for (Size i = 0; i < n; i += run)
	{
		for (run = 1; i + run < n && numbers[i + run] == numbers[i]; run++)
			;
		put(result, what, 0, numbers[i], run);
	}
}

static int
by_count(const void *a, const void *b)
{
	const Count *left = a;
	const Count *right = b;

	return (left->n < right->n) - (left->n > right->n);
}

/* The pages that have visitors; with a limit those that nobody can leave out, whatever their names. */
static void
put_pages(ReturnSetInfo *result, Count *pages, uint32 n, int limit)
{
	qsort(pages, n, sizeof(Count), by_count);
	for (uint32 i = 0; i < n && pages[i].n > 0; i++)
	{
		if (limit >= 0 && i >= limit && (limit == 0 || pages[i].n < pages[limit - 1].n))
			break;
		put(result, "page", 0, pages[i].term, pages[i].n);
	}
}

LA_FUNCTION(la_live_memory)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	TimestampTz starts = PG_GETARG_TIMESTAMPTZ(1);
	Found found;
	uint32 next_page;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) ||
	    !find(PG_GETARG_INT32(0), starts, PG_GETARG_TIMESTAMPTZ(2), &found, &next_page))
		return (Datum) 0;
	put(result, "visitors", 0, 0, found.visitors);
	put(result, "pageviews", 0, 0, found.pageviews);
	put(result, "events", 0, 0, found.custom);
	for (int i = 0; i < found.nminutes; i++)
		put(result, "minute", starts + i * USECS_PER_MINUTE, 0, found.minutes[i]);
	put_numbers(result, "referrer", found.referrers, found.nplaces);
	put_numbers(result, "country", found.places, found.nplaces);
	put_pages(result, found.pages, next_page, PG_ARGISNULL(3) ? -1 : Max(PG_GETARG_INT32(3), 0));
	return (Datum) 0;
}

LA_FUNCTION(la_live_hour)
{
	TimestampTz now = PG_GETARG_TIMESTAMPTZ(1);
	TimestampTz hour_ago = now - USECS_PER_HOUR;
	TimestampTz since = (hour_ago + USECS_PER_SEC - 1) / USECS_PER_SEC * USECS_PER_SEC;
	uint64 events = 0;
	uint32 active = 0;
	TupleDesc columns;
	Visit visit;
	Datum values[3];
	bool nulls[3] = {true, true, true};

	get_call_result_type(fcinfo, NULL, &columns);
	if (!PG_ARGISNULL(0) && !PG_ARGISNULL(1) && enter(&visit, PG_GETARG_INT32(0), hour_ago, now))
	{
		const LiveState *state = &visit.slot->state;
		const LiveTable *table = &state->table[LIVE_SESSIONS];
		const LiveSession *sessions = table->capacity > 0 ? live_at(table->entries) : NULL;
		const LiveSecond *ring = live_at(state->ring);

		for (uint32 i = 0; i < table->capacity; i++)
			active += sessions[i].session != 0 && sessions[i].at >= hour_ago && sessions[i].ended > now;
		for (int64 second = since / USECS_PER_SEC; second <= state->newest / USECS_PER_SEC; second++)
			events += ring[second % LA_LIVE_RING].events;
		pg_atomic_fetch_add_u64(&visit.slot->served, 1);
		leave(&visit);
		values[0] = Int64GetDatum(active);
		values[1] = Int64GetDatum(events);
		values[2] = TimestampTzGetDatum(since);
		memset(nulls, false, sizeof(nulls));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}

/* A slot for the workspace: its own one, a free one, or one nobody asks for; registry held exclusively. */
static LiveSlot *
claim(Oid relation, int workspace, TimestampTz clock)
{
	LiveSlot *slot = live_slot(relation, workspace);

	for (int i = 0; i < LA_LIVE_SLOTS && slot == NULL; i++)
		if (live_pool->slots[i].database == InvalidOid)
			slot = &live_pool->slots[i];
	for (int i = 0; i < LA_LIVE_SLOTS && slot == NULL; i++)
	{
		LiveSlot *other = &live_pool->slots[i];

		if (pg_atomic_read_u32(&other->builder) == 0 &&
		    clock - (TimestampTz) pg_atomic_read_u64(&other->asked_at) > LA_LIVE_UNASKED)
			slot = other;
	}
	return slot;
}

/* Let the slot begin: what is told from now on is in its log. */
static void
begin(LiveSlot *slot, Oid relation, int workspace, TimestampTz clock)
{
	bool same = slot->database == MyDatabaseId && slot->relation == relation && slot->workspace == workspace;

	if (slot->database == InvalidOid)
		pg_atomic_fetch_add_u32(&live_pool->slots_used, 1);
	live_release(slot);
	slot->database = MyDatabaseId;
	slot->relation = relation;
	slot->workspace = workspace;
	slot->retry_at = 0;
	pg_atomic_write_u64(&slot->asked_at, clock);
	if (!same)
	{
		pg_atomic_write_u64(&slot->served, 0);
		pg_atomic_write_u64(&slot->from_rows, 0);
		pg_atomic_write_u64(&slot->times_built, 0);
		pg_atomic_write_u64(&slot->overflowed, 0);
		pg_atomic_write_u32(&slot->refusal, NO_REFUSAL);
	}
	pg_atomic_write_u32(&slot->loss, LIVE_KEPT);
}

/*
 * Give the workspace a slot that begins anew, unless another session was faster, or it is too early to
 * try again what did not fit.
 */
static LiveSlot *
try_begin(Oid relation, int workspace)
{
	TimestampTz clock = GetCurrentTimestamp();
	LiveSlot *slot = claim(relation, workspace, clock);
	bool same = slot != NULL && slot == live_slot(relation, workspace);
	LiveLoss loss;

	if (slot == NULL || pg_atomic_read_u32(&slot->builder) != 0)
		return NULL;
	loss = pg_atomic_read_u32(&slot->loss);
	if (same && (loss == LIVE_OVERFLOW || loss == LIVE_AHEAD) && slot->retry_at == 0)
		slot->retry_at = clock + LA_LIVE_PAUSE;
	if (same && (loss == LIVE_KEPT || clock < slot->retry_at))
		return NULL;
	LWLockAcquire(live_state_lock(slot), LW_EXCLUSIVE);
	begin(slot, relation, workspace, clock);
	LWLockRelease(live_state_lock(slot));
	return slot;
}

LA_FUNCTION(la_live_watch)
{
	LiveSlot *slot;
	Oid relation;
	TransactionId next;

	if (live_pool == NULL || PG_ARGISNULL(0) || PG_ARGISNULL(1) || missed == 0 ||
	    PG_GETARG_INT32(0) != missed || la_live_after_ms < 0 ||
	    GetCurrentTimestamp() - PG_GETARG_TIMESTAMPTZ(1) < la_live_after_ms * INT64CONST(1000))
		PG_RETURN_VOID();
	relation = live_relation();
	LWLockAcquire(live_registry_lock(), LW_EXCLUSIVE);
	slot = try_begin(relation, missed);
	LWLockRelease(live_registry_lock());
	if (slot == NULL)
		PG_RETURN_VOID();

	/* every transaction from here on finds the slot */
	next = XidFromFullTransactionId(ReadNextFullTransactionId());
	LWLockAcquire(live_registry_lock(), LW_SHARED);
	LWLockAcquire(live_state_lock(slot), LW_EXCLUSIVE);
	if (slot == live_slot(relation, missed) && !slot->built)
		slot->from_xid = next;
	LWLockRelease(live_state_lock(slot));
	LWLockRelease(live_registry_lock());
	PG_RETURN_VOID();
}

LA_FUNCTION(la_live_forget)
{
	LaLiveFact change = {.what = LA_LIVE_CHANGE};

	if (CALLED_AS_TRIGGER(fcinfo))
		la_live_tell(0, &change, 1);
	PG_RETURN_POINTER(NULL);
}

LA_FUNCTION(la_live_states)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid relation = live_relation();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; live_pool != NULL && i < LA_LIVE_SLOTS; i++)
	{
		LiveSlot *slot = &live_pool->slots[i];
		Datum values[8];
		bool nulls[8] = {false};
		LiveLoss loss;
		uint32 refusal;
		bool ours;
		bool built;
		int workspace;

		LWLockAcquire(live_registry_lock(), LW_SHARED);
		ours = slot->database == MyDatabaseId && slot->relation == relation;
		workspace = slot->workspace;
		loss = pg_atomic_read_u32(&slot->loss);
		built = slot->built;
		LWLockRelease(live_registry_lock());
		if (!ours)
			continue;
		refusal = pg_atomic_read_u32(&slot->refusal);
		values[0] = Int32GetDatum(workspace);
		values[1] = CStringGetTextDatum(loss != LIVE_KEPT ? losses[loss] : built ? "ready" : "collecting");
		values[2] = Int64GetDatum(pg_atomic_read_u64(&slot->bytes));
		values[3] = Int64GetDatum(pg_atomic_read_u64(&slot->served));
		values[4] = Int64GetDatum(pg_atomic_read_u64(&slot->from_rows));
		values[5] = Int64GetDatum(pg_atomic_read_u64(&slot->times_built));
		values[6] = Int64GetDatum(pg_atomic_read_u64(&slot->overflowed));
		nulls[7] = refusal == NO_REFUSAL;
		values[7] = nulls[7] ? 0 : CStringGetTextDatum(refusals[refusal]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

LA_FUNCTION(la_live_pool)
{
	TupleDesc columns;
	Datum values[3] = {0};
	bool nulls[3] = {true, true, true};

	get_call_result_type(fcinfo, NULL, &columns);
	if (live_pool != NULL)
	{
		values[0] = Int64GetDatum(la_live_memory_mb * INT64CONST(1048576));
		values[1] = Int64GetDatum(la_live_workspace_memory_mb * INT64CONST(1048576));
		values[2] = Int64GetDatum(pg_atomic_read_u64(&live_pool->bytes));
		memset(nulls, false, sizeof(nulls));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}
