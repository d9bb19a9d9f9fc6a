/*
 * The board: the shared memory of launcher, workers and the backends that stop or poke them. Private
 * to this room.
 *
 * A slot is a database where a worker acts, should act, or must not act for a while:
 *
 *	FREE ──look──▶ WANTED ──launcher registers a worker──▶ STARTED ──it attaches──▶ LOOKING ──▶ ACTIVE
 *	  ▲              ▲                                        │                        │           │
 *	  │              └──────── failed, stopped or killed ─────┴────────────────────────┴───────────┤
 *	  └──────────────────────── nothing to do here: no extension, not started, other version ◀─────┘
 *
 * FREE is a slot without a database; one kept only by a hold is UNWANTED. Databases with nothing to do
 * have neither process nor slot.
 *
 * Who may change what, always under board->lock, exclusively (but for the two atomics):
 *	launcher	WANTED → STARTED (a new launch number), STARTED → WANTED when the worker never attached,
 *				FREE of databases that are gone, denied, launcher_*
 *	worker		its own slot from STARTED on, as long as slot->launch is the number it was given: a worker
 *				of an earlier launch leaves at once and touches nothing. Its exit callback takes pid away
 *				before anything else could get that pid, so whoever reads pid under the lock may signal it.
 *	backend		holds (its own, given back at the end of its transaction, whatever the end), look_again,
 *				FREE or UNWANTED → WANTED
 *	poked		atomic: set by any backend under the shared lock, taken by the worker
 *
 * No pointer, descriptor or handle is in here: processes are a pid and a PGPROC number. After a crash
 * the postmaster makes it all anew, and the launcher looks into every database again.
 */
#ifndef LA_WORKER_BOARD_H
#define LA_WORKER_BOARD_H

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

/* Databases that act at once; max_worker_processes is the tighter limit anywhere. */
#define LA_WORKER_SLOTS 128
#define LA_WORKER_NAME 64
#define LA_WORKER_MAX_PAUSE_S 300

typedef enum LaSlotState
{
	LA_SLOT_UNWANTED,
	LA_SLOT_WANTED,
	LA_SLOT_STARTED,
	LA_SLOT_LOOKING,
	LA_SLOT_ACTIVE,
} LaSlotState;

typedef struct LaSlot
{
	Oid database; /* InvalidOid: the slot is free */
	LaSlotState state;
	int holds;       /* transactions that want no worker here */
	bool look_again; /* start() committed while the worker made up its mind that there is nothing to do */
	uint32 launch;   /* which launch the worker belongs to */
	pid_t pid;       /* 0: no process attached */
	int procno;      /* of its PGPROC, valid with pid */
	int failures;    /* launches that ended badly since the last good round */
	bool denied;     /* max_worker_processes left no place */
	TimestampTz start_at;      /* WANTED: not before */
	TimestampTz beat;          /* when it last looked for due units */
	char unit[LA_WORKER_NAME]; /* what it runs now, or "" */
	pg_atomic_uint32 poked;
} LaSlot;

typedef struct LaBoard
{
	LWLock *lock;              /* in shared memory at the same address everywhere */
	ConditionVariable stopped; /* broadcast when a worker has left its slot */
	pid_t launcher_pid;
	int launcher_procno;
	bool look_everywhere; /* a database could not get a slot: look into all again */
	LaSlot slots[LA_WORKER_SLOTS];
} LaBoard;

extern LaBoard *la_board; /* NULL when the library is not preloaded */

extern void la_board_init(void);

/* The slot of a database; with make, a free one is taken for it. NULL: none. The lock is held. */
extern LaSlot *la_board_slot(Oid database, bool make);

/* Want a worker there as soon as may be. The lock is held exclusively. */
extern void la_board_want(Oid database);

/* Forget a slot nobody needs: unwanted and not held. The lock is held exclusively. */
extern void la_board_tidy(LaSlot *slot);

/* The pause after so many failures in a row: leadanalytics.worker_restart, doubled each time, up to 5 min. */
extern int la_board_pause_s(int failures);

/* Wake the launcher, if there is one. The lock is held. */
extern void la_board_wake_launcher(void);

extern void la_guard_init(void); /* guard.c: statements that need the worker away, and commits that want it */

#endif
