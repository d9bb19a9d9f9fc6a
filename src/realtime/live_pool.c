/*
 * The pool and its slots; the locks are in live_pool.h.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "core/settings.h"
#include "core/shared.h"
#include "realtime/live_pool.h"

#define TRANCHE "leadanalytics_live"
#define LOCKS (1 + 2 * LA_LIVE_SLOTS)

LivePool *live_pool = NULL;

static char *area_place = NULL;
static dsa_area *area = NULL;

static Size
area_size(void)
{
	return (Size) la_live_memory_mb * 1024 * 1024;
}

static void
attach(void *place, bool found)
{
	dsa_area *made;

	live_pool = place;
	area_place = (char *) place + MAXALIGN(sizeof(LivePool));
	if (found)
		return;
	memset(live_pool, 0, sizeof(LivePool));
	pg_atomic_init_u32(&live_pool->slots_used, 0);
	pg_atomic_init_u64(&live_pool->bytes, 0);
	for (int i = 0; i < LA_LIVE_SLOTS; i++)
	{
		LiveSlot *slot = &live_pool->slots[i];

		pg_atomic_init_u32(&slot->loss, LIVE_KEPT);
		pg_atomic_init_u32(&slot->builder, 0);
		pg_atomic_init_u32(&slot->refusal, 0);
		pg_atomic_init_u64(&slot->bytes, 0);
		pg_atomic_init_u64(&slot->asked_at, 0);
		pg_atomic_init_u64(&slot->served, 0);
		pg_atomic_init_u64(&slot->from_rows, 0);
		pg_atomic_init_u64(&slot->times_built, 0);
		pg_atomic_init_u64(&slot->overflowed, 0);
	}
	made = dsa_create_in_place(area_place, area_size(), GetNamedLWLockTranche(TRANCHE)->lock.tranche, NULL);
	dsa_pin(made);
	dsa_set_size_limit(made, area_size());
	dsa_detach(made);
}

void
la_live_init(void)
{
	static LaShared piece = {"leadanalytics live counts", TRANCHE, 0, LOCKS, attach};

	if (la_live_memory_mb > 0)
		piece.size = MAXALIGN(sizeof(LivePool)) + area_size();
	la_shared_register(&piece);
}

LWLock *
live_registry_lock(void)
{
	return &GetNamedLWLockTranche(TRANCHE)[0].lock;
}

LWLock *
live_state_lock(const LiveSlot *slot)
{
	return &GetNamedLWLockTranche(TRANCHE)[1 + 2 * (slot - live_pool->slots)].lock;
}

LWLock *
live_log_lock(const LiveSlot *slot)
{
	return &GetNamedLWLockTranche(TRANCHE)[2 + 2 * (slot - live_pool->slots)].lock;
}

Oid
live_relation(void)
{
	return get_relname_relid("event", get_namespace_oid("leadanalytics", true));
}

LiveSlot *
live_slot(Oid relation, int workspace)
{
	for (int i = 0; i < LA_LIVE_SLOTS; i++)
	{
		LiveSlot *slot = &live_pool->slots[i];

		if (slot->database == MyDatabaseId && slot->workspace == workspace && slot->relation == relation)
			return slot;
	}
	return NULL;
}

/* The area as this process has it; no segment is ever mapped for it. */
static dsa_area *
attached(void)
{
	if (area == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

		area = dsa_attach_in_place(area_place, NULL);
		dsa_pin_mapping(area);
		MemoryContextSwitchTo(caller);
	}
	return area;
}

dsa_pointer
live_take(LiveSlot *slot, Size size)
{
	dsa_pointer place;

	if (pg_atomic_read_u64(&slot->bytes) + size > (Size) la_live_workspace_memory_mb * 1024 * 1024)
		return InvalidDsaPointer;
	place = dsa_allocate_extended(attached(), size, DSA_ALLOC_HUGE | DSA_ALLOC_NO_OOM | DSA_ALLOC_ZERO);
	if (DsaPointerIsValid(place))
	{
		pg_atomic_fetch_add_u64(&slot->bytes, size);
		pg_atomic_fetch_add_u64(&live_pool->bytes, size);
	}
	return place;
}

void
live_give(LiveSlot *slot, dsa_pointer place, Size size)
{
	dsa_free(attached(), place);
	pg_atomic_fetch_sub_u64(&slot->bytes, size);
	pg_atomic_fetch_sub_u64(&live_pool->bytes, size);
}

void *
live_at(dsa_pointer place)
{
	return dsa_get_address(attached(), place);
}

void
live_lose(LiveSlot *slot, LiveLoss loss)
{
	uint32 kept = LIVE_KEPT;

	if (pg_atomic_compare_exchange_u32(&slot->loss, &kept, loss) && loss == LIVE_OVERFLOW)
		pg_atomic_fetch_add_u64(&slot->overflowed, 1);
}

void
live_release_state(LiveSlot *slot, LiveState *state)
{
	for (int i = 0; i < LIVE_TABLES; i++)
		if (state->table[i].capacity > 0)
			live_give(slot, state->table[i].entries, (Size) state->table[i].capacity * live_entry_size(i));
	if (DsaPointerIsValid(state->ring))
		live_give(slot, state->ring, LA_LIVE_RING * sizeof(LiveSecond));
	if (DsaPointerIsValid(state->xip))
		live_give(slot, state->xip, GetMaxSnapshotXidCount() * sizeof(TransactionId));
	memset(state, 0, sizeof(LiveState));
}

void
live_release(LiveSlot *slot)
{
	dsa_pointer place;

	LWLockAcquire(live_log_lock(slot), LW_EXCLUSIVE);
	place = slot->log_first;
	slot->log_first = slot->log_last = InvalidDsaPointer;
	slot->logged = 0;
	LWLockRelease(live_log_lock(slot));
	while (DsaPointerIsValid(place))
	{
		LiveChunk *chunk = live_at(place);
		dsa_pointer next = chunk->next;

		live_give(slot, place, offsetof(LiveChunk, facts) + chunk->n * sizeof(LaLiveFact));
		place = next;
	}
	live_release_state(slot, &slot->state);
	slot->built = false;
	slot->busy = false;
	slot->from_xid = InvalidTransactionId;
}
