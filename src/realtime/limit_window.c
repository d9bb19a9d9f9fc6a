/*
 * The table of windows in shared memory.
 *
 * A fixed number of slots, one cache line each, in PARTITIONS parts with a lock each. Owner and seed say the
 * part and the place in it where the search begins; a window stands at that place or one of the next REACH -
 * 1, round the end of its part. The seed is drawn when the memory is made, so nobody outside can choose
 * addresses that meet in one place.
 *
 * Protocol: every slot of a part is read under the part's lock, shared or exclusive, and changed under it
 * exclusively. One request is one exclusive hold: find or take the slot, turn the window if it is over,
 * compare and count. So counting is exact whoever comes at the same time, and an owner has at most one slot:
 * it is looked for in all its places before a free one is taken. Under a lock there is no palloc, no ereport
 * and nothing that could wait; at most one lock is held. The totals are atomics.
 *
 * A window that runs is never evicted, so no flood of one owner's takes another's away. One that is over is
 * free for anybody. When all places of an owner are taken, its request is let through and counted as such.
 *
 * Time: a window is the second it ends. Clocks of two processors differ, a request may be late for the window
 * another opened, and clocks are set back: then the later window counts, so that no moment has two. Only a
 * window that ends more than twice its length from now was made by a clock that was wrong, and is over.
 *
 * After a crash the postmaster makes all of it anew, and every window begins empty.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lwlock.h"

#include "core/shared.h"
#include "realtime/limit_window.h"

#define TRANCHE "leadanalytics_limit"
#define MAGIC 0x4c615257 /* LaRW */
#define VERSION 1        /* of the structs below */
#define PARTITIONS 128
#define SLOTS 1024 /* of a part: 131 072 windows, 8 MB */
#define REACH 32

typedef struct Table
{
	uint32 magic;
	uint32 version;
	Size size;
	uint64 seed;
	LWLockPadded *locks; /* of the parts; in shared memory at the same address everywhere */
	pg_atomic_uint64 refused;
	pg_atomic_uint64 uncounted;
	LaWindow slots[PARTITIONS][SLOTS] pg_attribute_aligned(64);
} Table;

StaticAssertDecl(sizeof(LaWindowOwner) == 48, "owners are compared as bytes");
StaticAssertDecl(sizeof(LaWindow) == 64, "a window is a cache line");

static Table *table = NULL; /* NULL when the library is not preloaded */

static void
attach(void *place, bool found)
{
	table = place;
	if (!found)
	{
		memset(table, 0, sizeof(Table));
		if (!pg_strong_random(&table->seed, sizeof(table->seed)))
			table->seed = (uint64) MyStartTimestamp;
		table->locks = GetNamedLWLockTranche(TRANCHE);
		pg_atomic_init_u64(&table->refused, 0);
		pg_atomic_init_u64(&table->uncounted, 0);
		table->size = sizeof(Table);
		table->version = VERSION;
		table->magic = MAGIC;
	}
	else if (table->magic != MAGIC || table->version != VERSION || table->size != sizeof(Table))
		table = NULL; /* another library's: limits are off here */
}

void
la_window_init(void)
{
	static LaShared piece = {"leadanalytics rate limits", TRANCHE, sizeof(Table), PARTITIONS, attach};

	la_shared_register(&piece);
}

bool
la_window_shared(void)
{
	return table != NULL;
}

static bool
is_over(const LaWindow *window, int64 now)
{
	return window->ends <= now || window->ends > now + 2 * (int64) window->owner.seconds;
}

static bool
is_owned_by(const LaWindow *window, const LaWindowOwner *owner)
{
	return window->ends != 0 && memcmp(&window->owner, owner, sizeof(LaWindowOwner)) == 0;
}

/* An empty window of the owner's that runs at that moment. */
static void
begin(LaWindow *window, const LaWindowOwner *owner, int64 now)
{
	window->owner = *owner;
	window->ends = now - now % owner->seconds + owner->seconds;
	window->count = 0;
	window->refused = 0;
}

/* The owner's slot with a window that runs, or NULL when all are taken. The part's lock is held. */
static LaWindow *
find(LaWindow *part, uint32 first, const LaWindowOwner *owner, int64 now)
{
	LaWindow *free_slot = NULL;

	for (uint32 i = 0; i < REACH; i++)
	{
		LaWindow *slot = &part[(first + i) % SLOTS];

		if (is_owned_by(slot, owner))
		{
			if (is_over(slot, now))
				begin(slot, owner, now);
			return slot;
		}
		if (free_slot == NULL && is_over(slot, now))
			free_slot = slot;
	}
	if (free_slot != NULL)
		begin(free_slot, owner, now);
	return free_slot;
}

bool
la_window_count(const LaWindowOwner *owner, int64 now, uint32 limit, bool look, LaWindow *window)
{
	uint64 place;
	LWLock *lock;
	LaWindow *slot;
	bool taken = true;

	begin(window, owner, now);
	if (table == NULL)
		return true;
	place = hash_bytes_extended((const unsigned char *) owner, sizeof(LaWindowOwner), table->seed);
	lock = &table->locks[place % PARTITIONS].lock;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	slot = find(table->slots[place % PARTITIONS], place / PARTITIONS % SLOTS, owner, now);
	if (slot != NULL)
	{
		if (!look && slot->count < limit)
			slot->count++;
		else if (!look)
		{
			taken = false;
			slot->refused++;
		}
		*window = *slot;
	}
	LWLockRelease(lock);
	if (!taken)
		pg_atomic_fetch_add_u64(&table->refused, 1);
	if (slot == NULL && !look)
		pg_atomic_fetch_add_u64(&table->uncounted, 1);
	return taken;
}

LaWindow *
la_window_list(Oid database, int64 now, int *count)
{
	int room = SLOTS;
	LaWindow *list = palloc(room * sizeof(LaWindow));

	*count = 0;
	for (int part = 0; table != NULL && part < PARTITIONS; part++)
	{
		if (room - *count < SLOTS)
		{
			room = 2 * room + SLOTS;
			list = repalloc(list, room * sizeof(LaWindow));
		}
		LWLockAcquire(&table->locks[part].lock, LW_SHARED);
		for (int i = 0; i < SLOTS; i++)
		{
			const LaWindow *slot = &table->slots[part][i];

			if (slot->ends != 0 && slot->owner.database == database && !is_over(slot, now))
				list[(*count)++] = *slot;
		}
		LWLockRelease(&table->locks[part].lock);
	}
	return list;
}

void
la_window_totals(uint64 *refused, uint64 *uncounted)
{
	*refused = table ? pg_atomic_read_u64(&table->refused) : 0;
	*uncounted = table ? pg_atomic_read_u64(&table->uncounted) : 0;
}
