/*
 * The shared memory of the live counts (live.h has the protocol): slots, one a workspace that is counted,
 * and a pool that their logs and tables are taken from. Private to this room.
 *
 * Locks, taken in this order:
 *	registry	which workspace a slot is of. Shared for all work on a slot, exclusive to give slots out and
 *back. state		a slot's state: built, busy, from_xid, state. Exclusive: who asks folds first.
 *	log			a slot's log and its length; held for a few pointers.
 * Building reads rows and holds none of them: slot->builder keeps the slot its own meanwhile, the state is
 * made aside and put in under the state's lock. The rest is atomic.
 *
 * The pool is an area of fixed size (DSA in place) that makes no segments of its own. A workspace takes no
 *more of it than leadanalytics.live_workspace_memory, so none can take another's. No pointer, descriptor or
 * handle is in here, only places in the area.
 */
#ifndef LA_LIVE_POOL_H
#define LA_LIVE_POOL_H

#include "access/transam.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "utils/dsa.h"
#include "utils/snapshot.h"

#include "realtime/live.h"

#define LA_LIVE_SLOTS 128
#define LA_LIVE_RING 8192                       /* seconds: an hour and a bit, and an hour ahead */
#define LA_LIVE_AHEAD_S 3600                    /* what is dated further ahead is not counted */
#define LA_LIVE_KEPT (63 * USECS_PER_MINUTE)    /* how far back counts reach: an hour, and some patience */
#define LA_LIVE_CLOCK USECS_PER_MINUTE          /* how far the asked now may be from the clock */
#define LA_LIVE_UNASKED (10 * USECS_PER_MINUTE) /* after which nobody is interested any more */
#define LA_LIVE_PAUSE (5 * USECS_PER_MINUTE)    /* before what did not fit is tried again */
#define LA_LIVE_LOG 8192                        /* facts; a longer log is folded by who writes */

typedef enum LiveLoss
{
	LIVE_KEPT,
	LIVE_OVERFLOW, /* it did not fit */
	LIVE_CHANGED,  /* something was written that was not told */
	LIVE_AHEAD,    /* an event told as too far ahead is no more */
	LIVE_BROKEN,   /* who folded died of an error */
	LIVE_UNASKED,
} LiveLoss;

/* A hash table: entries of one kind, all zeros where there is none. */
typedef struct LiveTable
{
	dsa_pointer entries;
	uint32 capacity;
	uint32 used;
} LiveTable;

typedef enum LiveTables
{
	LIVE_VISITORS,
	LIVE_SESSIONS,
	LIVE_PAGES,
	LIVE_VIEWS,
	LIVE_TABLES,
} LiveTables;

typedef struct LiveVisitor
{
	int visitor;
	int referrer; /* of the latest event's session */
	int place;
	TimestampTz at; /* of the latest event, */
	int64 id;       /* and its id */
	uint64
	    minutes[2]; /* in which of the 128 minutes up to the latest event's he was seen: bit minute % 128 */
} LiveVisitor;

typedef struct LiveSession
{
	int64 session;
	TimestampTz at;    /* of the latest event, or the start */
	TimestampTz ended; /* by its client; DT_NOEND */
} LiveSession;

typedef struct LivePage
{
	pg_uuid_t path;
	uint32 number; /* from 1 on, never given twice */
	int term;      /* one of the dictionary's that has the path */
	uint32 minute; /* of the latest view */
} LivePage;

typedef struct LiveView
{
	uint32 page;
	int visitor;
	uint32 minute;
} LiveView;

typedef struct LiveSecond
{
	uint32 events;
	uint32 pageviews;
	uint32 custom;
} LiveSecond;

typedef struct LiveState
{
	TimestampTz floor;  /* all since then is counted */
	TimestampTz newest; /* event counted */
	TimestampTz beyond; /* the earliest event that was too far ahead to be counted; DT_NOEND */
	uint32 next_page;
	dsa_pointer ring; /* LiveSecond[LA_LIVE_RING], a second's at second % LA_LIVE_RING */
	LiveTable table[LIVE_TABLES];
	/* the snapshot that folded last: what was running, and what was not there yet */
	TransactionId xmax;
	uint32 xcnt;
	dsa_pointer xip;
} LiveState;

/* What one call told, in the log. */
typedef struct LiveChunk
{
	dsa_pointer next;
	TransactionId xid;
	int n;
	LaLiveFact facts[FLEXIBLE_ARRAY_MEMBER];
} LiveChunk;

typedef struct LiveSlot
{
	/* registry */
	Oid database; /* InvalidOid: free */
	Oid relation; /* its table of events: another one is another extension's */
	int workspace;
	TimestampTz retry_at; /* of a lost one: not before; 0: not asked yet */
	/* state */
	bool built;
	bool busy;              /* somebody folds: seen under the lock, it died of it */
	TransactionId from_xid; /* invalid: not known yet */
	LiveState state;
	/* log */
	dsa_pointer log_first;
	dsa_pointer log_last;
	uint64 logged;
	/* atomic */
	pg_atomic_uint32 loss;    /* LiveLoss: set by whoever sees it, taken back when the slot begins anew */
	pg_atomic_uint32 builder; /* pid, 0: none */
	pg_atomic_uint64 bytes;
	pg_atomic_uint64 asked_at;
	pg_atomic_uint64 served;
	pg_atomic_uint64 from_rows;
	pg_atomic_uint64 times_built;
	pg_atomic_uint64 overflowed;
	pg_atomic_uint32 refusal; /* why the rows answered last */
} LiveSlot;

typedef struct LivePool
{
	pg_atomic_uint32 slots_used;
	pg_atomic_uint64 bytes;
	LiveSlot slots[LA_LIVE_SLOTS];
} LivePool;

extern LivePool *live_pool; /* NULL: there is none */

extern LWLock *live_registry_lock(void);
extern LWLock *live_state_lock(const LiveSlot *slot);
extern LWLock *live_log_lock(const LiveSlot *slot);

/* This database's slot of the workspace, or NULL; registry held. relation: of leadanalytics.event. */
extern LiveSlot *live_slot(Oid relation, int workspace);
extern Oid live_relation(void);

/* Zeroed memory for the slot, or invalid when there is no more for it. */
extern dsa_pointer live_take(LiveSlot *slot, Size size);
extern void live_give(LiveSlot *slot, dsa_pointer place, Size size);
extern void *live_at(dsa_pointer place);

extern void live_lose(LiveSlot *slot, LiveLoss loss);
/* Give back all that the slot has; state held, and nobody builds. */
extern void live_release(LiveSlot *slot);
extern void live_release_state(LiveSlot *slot, LiveState *state);

/* live_fold.c: facts into counts. */
extern bool live_state_begin(LiveSlot *slot, LiveState *state, TimestampTz clock);
/* The fact's part in the counts; false: it does not fit. Facts at or before the limit count. */
extern bool live_count(LiveSlot *slot, LiveState *state, const LaLiveFact *fact, TimestampTz limit);
extern void live_see(LiveState *state, Snapshot snapshot);
/* Whether the snapshot sees all that the state has counted. */
extern bool live_sees(const LiveState *state, Snapshot snapshot);
/* Fold what the snapshot sees of the log; state held. Returns whether the own transaction told some of it. */
extern bool live_fold(LiveSlot *slot, Snapshot snapshot, TimestampTz clock, bool count);

/* live_table.c: the entry with the key's key, added when there is none; NULL: there is no room. */
extern void *live_entry(LiveSlot *slot, LiveState *state, LiveTables table, const void *key, bool *found);
extern Size live_entry_size(LiveTables table);

/* live_build.c: the state from rows, as the active snapshot sees them; slot->builder is us. */
extern void live_build(LiveSlot *slot);

static inline int64
live_minute(TimestampTz at)
{
	return at / USECS_PER_MINUTE;
}

#endif
