/*
 * The way of facts: told into the log, folded into counts by the snapshot of who asks.
 *
 * All that is counted may come in any order: the latest of a time, a bit of a minute, a sum.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/bytes.h"
#include "core/settings.h"
#include "realtime/live_pool.h"

#define MOST_PAGES (1 << 22) /* numbers: after so many new ones the state begins anew */

static Size
chunk_size(int n)
{
	return offsetof(LiveChunk, facts) + n * sizeof(LaLiveFact);
}

TimestampTz
la_live_horizon(void)
{
	return GetCurrentTimestamp() - 2 * LA_LIVE_KEPT; /* twice: a clock may be set back */
}

pg_uuid_t
la_live_path(const char *path)
{
	uint8 digest[LA_SHA256_LENGTH];
	pg_uuid_t out;

	la_sha256(path, strlen(path), digest);
	memcpy(out.data, digest, sizeof(out.data));
	return out;
}

bool
la_live_wanted(int workspace)
{
	LiveSlot *slot;
	Oid relation;
	bool wanted;

	if (live_pool == NULL || pg_atomic_read_u32(&live_pool->slots_used) == 0)
		return false;
	relation = live_relation();
	LWLockAcquire(live_registry_lock(), LW_SHARED);
	slot = live_slot(relation, workspace);
	wanted = slot != NULL && pg_atomic_read_u32(&slot->loss) == LIVE_KEPT;
	LWLockRelease(live_registry_lock());
	return wanted;
}

/* A long log is folded by who made it so, unless somebody is at it; and nobody counts for nobody. */
static void
tend(LiveSlot *slot, Snapshot snapshot)
{
	TimestampTz clock = GetCurrentTimestamp();

	if (clock - (TimestampTz) pg_atomic_read_u64(&slot->asked_at) > LA_LIVE_UNASKED)
		live_lose(slot, LIVE_UNASKED);
	if (pg_atomic_read_u32(&slot->builder) != 0)
		return;
	if (pg_atomic_read_u32(&slot->loss) == LIVE_KEPT && snapshot == NULL)
		return;
	if (!LWLockConditionalAcquire(live_state_lock(slot), LW_EXCLUSIVE))
		return;
	if (pg_atomic_read_u32(&slot->builder) == 0)
	{
		if (pg_atomic_read_u32(&slot->loss) != LIVE_KEPT)
			live_release(slot);
		else if (slot->built && !slot->busy && live_sees(&slot->state, snapshot))
			live_fold(slot, snapshot, clock, true);
	}
	LWLockRelease(live_state_lock(slot));
}

static void
tell(LiveSlot *slot, const LaLiveFact *facts, int n, Snapshot snapshot)
{
	dsa_pointer place = live_take(slot, chunk_size(n));
	LiveChunk *chunk;

	if (!DsaPointerIsValid(place))
	{
		live_lose(slot, LIVE_OVERFLOW);
		tend(slot, NULL);
		return;
	}
	chunk = live_at(place);
	chunk->next = InvalidDsaPointer;
	chunk->xid = GetCurrentTransactionId();
	chunk->n = n;
	memcpy(chunk->facts, facts, n * sizeof(LaLiveFact));
	LWLockAcquire(live_log_lock(slot), LW_EXCLUSIVE);
	if (DsaPointerIsValid(slot->log_last))
		((LiveChunk *) live_at(slot->log_last))->next = place;
	else
		slot->log_first = place;
	slot->log_last = place;
	slot->logged += n;
	LWLockRelease(live_log_lock(slot));
	tend(slot, snapshot);
}

void
la_live_tell(int workspace, const LaLiveFact *facts, int n)
{
	Oid relation;
	Snapshot snapshot = NULL;
	bool all = workspace == 0;

	if (live_pool == NULL || n == 0 || pg_atomic_read_u32(&live_pool->slots_used) == 0)
		return;
	relation = live_relation();
	GetCurrentTransactionId();
	/* not made where it may be needed: that could fail, and pins nothing as nothing else happens before its
	 * use */
	if (!all && !IsInParallelMode())
		snapshot = GetLatestSnapshot();
	LWLockAcquire(live_registry_lock(), LW_SHARED);
	for (int i = 0; i < LA_LIVE_SLOTS; i++)
	{
		LiveSlot *slot = &live_pool->slots[i];

		if (slot->database != MyDatabaseId || slot->relation != relation ||
		    (!all && slot->workspace != workspace) || pg_atomic_read_u32(&slot->loss) != LIVE_KEPT)
			continue;
		tell(slot, facts, n, slot->logged > LA_LIVE_LOG ? snapshot : NULL);
	}
	LWLockRelease(live_registry_lock());
}

/* Move the floor up: a second's place in the ring is used again. */
static void
raise_floor(LiveState *state, TimestampTz floor)
{
	LiveSecond *ring = live_at(state->ring);
	int64 from = state->floor / USECS_PER_SEC;
	int64 to = floor / USECS_PER_SEC;

	if (floor <= state->floor)
		return;
	if (to - from >= LA_LIVE_RING)
		memset(ring, 0, LA_LIVE_RING * sizeof(LiveSecond));
	else
		for (int64 second = from; second < to; second++)
			memset(&ring[second % LA_LIVE_RING], 0, sizeof(LiveSecond));
	state->floor = to * USECS_PER_SEC;
}

bool
live_state_begin(LiveSlot *slot, LiveState *state, TimestampTz clock)
{
	memset(state, 0, sizeof(LiveState));
	state->ring = live_take(slot, LA_LIVE_RING * sizeof(LiveSecond));
	state->xip = live_take(slot, GetMaxSnapshotXidCount() * sizeof(TransactionId));
	state->floor = (clock - LA_LIVE_KEPT) / USECS_PER_SEC * USECS_PER_SEC;
	state->newest = DT_NOBEGIN;
	state->beyond = DT_NOEND;
	state->next_page = 1;
	return DsaPointerIsValid(state->ring) && DsaPointerIsValid(state->xip);
}

static bool
count_visitor(LiveSlot *slot, LiveState *state, const LaLiveFact *fact)
{
	LiveVisitor key = {.visitor = fact->visitor, .at = DT_NOBEGIN};
	int64 minute = live_minute(fact->at);
	bool found;
	LiveVisitor *visitor = live_entry(slot, state, LIVE_VISITORS, &key, &found);

	if (visitor == NULL)
		return false;
	if (!found)
		visitor->minutes[minute / 64 % 2] = UINT64CONST(1) << (minute % 64);
	else
	{
		int64 latest = live_minute(visitor->at);

		if (minute >= latest + 128)
			visitor->minutes[0] = visitor->minutes[1] = 0;
		else
			for (int64 m = latest + 1; m < minute; m++)
				visitor->minutes[m / 64 % 2] &= ~(UINT64CONST(1) << (m % 64));
		if (minute > latest - 128)
			visitor->minutes[minute / 64 % 2] |= UINT64CONST(1) << (minute % 64);
	}
	if (fact->at > visitor->at || (fact->at == visitor->at && fact->id > visitor->id))
	{
		visitor->at = fact->at;
		visitor->id = fact->id;
		visitor->referrer = fact->referrer;
		visitor->place = fact->place;
	}
	return true;
}

static bool
count_view(LiveSlot *slot, LiveState *state, const LaLiveFact *fact)
{
	uint32 minute = live_minute(fact->at);
	LivePage page_key = {
	    .path = fact->path, .number = state->next_page, .term = fact->page, .minute = minute};
	LiveView view_key = {.visitor = fact->visitor, .minute = minute};
	bool found;
	LivePage *page = live_entry(slot, state, LIVE_PAGES, &page_key, &found);
	LiveView *view;

	if (page == NULL)
		return false;
	if (!found && ++state->next_page > MOST_PAGES)
		return false;
	page->minute = Max(page->minute, minute);
	view_key.page = page->number;
	view = live_entry(slot, state, LIVE_VIEWS, &view_key, &found);
	if (view == NULL)
		return false;
	view->minute = Max(view->minute, minute);
	return true;
}

static bool
count_session(LiveSlot *slot, LiveState *state, const LaLiveFact *fact)
{
	LiveSession key = {.session = fact->session, .at = DT_NOBEGIN, .ended = DT_NOEND};
	bool found;
	LiveSession *session = live_entry(slot, state, LIVE_SESSIONS, &key, &found);

	if (session == NULL)
		return false;
	if (fact->what == LA_LIVE_END)
		session->ended = fact->at;
	else
		session->at = Max(session->at, fact->at);
	return true;
}

bool
live_count(LiveSlot *slot, LiveState *state, const LaLiveFact *fact, TimestampTz limit)
{
	if (fact->what == LA_LIVE_END)
		return count_session(slot, state, fact);
	if (fact->at < state->floor)
		return true;
	if (fact->at > limit)
	{
		state->beyond = Min(state->beyond, fact->at);
		return true;
	}
	state->newest = Max(state->newest, fact->at);
	if (fact->what == LA_LIVE_EVENT)
	{
		LiveSecond *ring = live_at(state->ring);
		LiveSecond *second = &ring[fact->at / USECS_PER_SEC % LA_LIVE_RING];

		second->events++;
		second->pageviews += fact->kind == 'p';
		second->custom += fact->kind == 'c';
		if (fact->visitor != 0 && !count_visitor(slot, state, fact))
			return false;
		if (fact->visitor != 0 && fact->kind == 'p' && fact->page != 0 && !count_view(slot, state, fact))
			return false;
	}
	return fact->session == 0 || count_session(slot, state, fact);
}

void
live_see(LiveState *state, Snapshot snapshot)
{
	Assert(snapshot->xcnt <= GetMaxSnapshotXidCount());
	state->xmax = snapshot->xmax;
	state->xcnt = snapshot->xcnt;
	memcpy(live_at(state->xip), snapshot->xip, snapshot->xcnt * sizeof(TransactionId));
}

/*
 * What the state has seen had ended before xmax and was not running then. It has ended for the other
 * snapshot, too, if that one reaches as far, and what it has running was running then. (Subtransactions end
 * with their parents, which are in these lists.)
 */
bool
live_sees(const LiveState *state, Snapshot snapshot)
{
	const TransactionId *running = live_at(state->xip);

	if (TransactionIdPrecedes(snapshot->xmax, state->xmax))
		return false;
	for (uint32 i = 0; i < snapshot->xcnt; i++)
	{
		TransactionId xid = snapshot->xip[i];
		bool known = TransactionIdFollowsOrEquals(xid, state->xmax);

		for (uint32 j = 0; j < state->xcnt && !known; j++)
			known = running[j] == xid;
		if (!known)
			return false;
	}
	return true;
}

/* Count a chunk's facts. */
static void
count_chunk(LiveSlot *slot, const LiveChunk *chunk, TimestampTz limit)
{
	for (int i = 0; i < chunk->n && pg_atomic_read_u32(&slot->loss) == LIVE_KEPT; i++)
	{
		if (chunk->facts[i].what == LA_LIVE_CHANGE)
			live_lose(slot, LIVE_CHANGED);
		else if (!live_count(slot, &slot->state, &chunk->facts[i], limit))
			live_lose(slot, LIVE_OVERFLOW);
	}
}

/* Whether the chunk is still to come as the snapshot sees it; the order of the questions is that of rows. */
static bool
is_pending(const LiveChunk *chunk, Snapshot snapshot, bool *own)
{
	if (TransactionIdIsCurrentTransactionId(chunk->xid))
	{
		*own = true;
		return true;
	}
	return XidInMVCCSnapshot(chunk->xid, snapshot);
}

bool
live_fold(LiveSlot *slot, Snapshot snapshot, TimestampTz clock, bool count)
{
	TimestampTz limit = clock + Min(la_track_future_s, LA_LIVE_AHEAD_S) * USECS_PER_SEC;
	dsa_pointer kept_first = InvalidDsaPointer;
	dsa_pointer kept_last = InvalidDsaPointer;
	dsa_pointer place;
	uint64 kept = 0;
	bool own = false;
	bool any = false;

	slot->busy = true; /* an error on the way (the commit log may not be readable) leaves it so */
	raise_floor(&slot->state, clock - LA_LIVE_KEPT);
	LWLockAcquire(live_log_lock(slot), LW_EXCLUSIVE);
	place = slot->log_first;
	slot->log_first = slot->log_last = InvalidDsaPointer;
	slot->logged = 0;
	LWLockRelease(live_log_lock(slot));
	while (DsaPointerIsValid(place))
	{
		LiveChunk *chunk = live_at(place);
		dsa_pointer next = chunk->next;

		if (is_pending(chunk, snapshot, &own))
		{
			chunk->next = InvalidDsaPointer;
			if (DsaPointerIsValid(kept_last))
				((LiveChunk *) live_at(kept_last))->next = place;
			else
				kept_first = place;
			kept_last = place;
			kept += chunk->n;
		}
		else
		{
			any = true;
			if (count && TransactionIdDidCommit(chunk->xid))
				count_chunk(slot, chunk, limit);
			live_give(slot, place, chunk_size(chunk->n));
		}
		place = next;
	}
	if (DsaPointerIsValid(kept_last))
	{
		LWLockAcquire(live_log_lock(slot), LW_EXCLUSIVE);
		((LiveChunk *) live_at(kept_last))->next = slot->log_first;
		if (!DsaPointerIsValid(slot->log_last))
			slot->log_last = kept_last;
		slot->log_first = kept_first;
		slot->logged += kept;
		LWLockRelease(live_log_lock(slot));
	}
	if (any && count)
		live_see(&slot->state, snapshot);
	slot->busy = false;
	return own;
}
