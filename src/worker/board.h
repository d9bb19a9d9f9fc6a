/*
 * The board: the shared memory of launcher, workers and the backends that stop or poke them. Private
 * to this room.
 *
 * A slot is a database where workers act, should act, or must not act for a while. It has seats: the
 * first is the fold worker's, the last one the send worker's, those between are for job workers. A seat is
 * in one of these states:
 *
 *	UNWANTED ──look──▶ WANTED ──launcher registers a worker──▶ STARTED ──it attaches──▶ LOOKING ──▶ ACTIVE
 *	  ▲                  ▲                                        │                        │           │
 *	  │                  └──────── failed, stopped or killed ─────┴────────────────────────┴───────────┤
 *	  │                  └──────── rests: the first of a lane but the fold, until a unit is due ◀──────┤
 *	  └──────────────────────────── nothing to do here: no extension, not started, other version ◀─────┘
 *
 * A slot whose seats are all unwanted is free, unless a hold keeps it. Databases with nothing to do
 * have neither process nor slot.
 *
 * The fold worker finds out whether there is something to do; if so it wants the first worker of each other
 * lane that has units, and another one (la_board_help) when a unit waits although all that are here are busy.
 *
 * Who may change what, always under board->lock, exclusively (but for the atomics):
 *	launcher	WANTED → STARTED (a new launch number), STARTED → WANTED when the worker never attached,
 *				seats of databases that are gone, denied, jobs_denied, scarce, launcher_*
 *	worker		its own seat from STARTED on, as long as seat->launch is the number it was given: a worker
 *				of an earlier launch leaves at once and touches nothing. Its exit callback takes pid away
 *				before anything else could get that pid, so whoever reads pid under the lock may signal it.
 *				Of its slot: pokes, memory; seats of other lanes that have no process, UNWANTED ↔ WANTED.
 *	backend		holds (its own, given back at the end of its transaction, whatever the end), look_again,
 *				seats without a process → WANTED
 *	poked		atomic: set by any backend under the shared lock, taken by a worker of that lane
 *
 * A unit runs in one worker at a time: to claim it is to write its name into one's seat, where no other
 * seat of the slot has it. When it ran last is remembered in the slot, for job workers come and go.
 *
 * No pointer, descriptor or handle is in here: processes are a pid and a PGPROC number. After a crash
 * the postmaster makes it all anew, and the launcher looks into every database again.
 */
#ifndef LA_WORKER_BOARD_H
#define LA_WORKER_BOARD_H

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "core/settings.h"
#include "utils/timestamp.h"

/* Databases that act at once; max_worker_processes is the tighter limit anywhere. */
#define LA_WORKER_SLOTS 128
#define LA_WORKER_FOLD 0                        /* the fold worker's seat */
#define LA_WORKER_SEND (1 + LA_WORKER_MAX_JOBS) /* the send worker's; all between are job workers' */
#define LA_WORKER_SEATS (LA_WORKER_SEND + 1)
#define LA_WORKER_NAME 64
#define LA_WORKER_MAX_PAUSE_S 300

/* Units whose last run is remembered, a database; beyond, it is written into unit_state. */
#define LA_WORKER_UNITS 64

typedef enum LaSeatState
{
	LA_SEAT_UNWANTED,
	LA_SEAT_WANTED,
	LA_SEAT_STARTED,
	LA_SEAT_LOOKING,
	LA_SEAT_ACTIVE,
} LaSeatState;

/* Lanes, and what leadanalytics.unit calls them. */
typedef enum LaLane
{
	LA_LANE_FOLD,
	LA_LANE_JOB,
	LA_LANE_SEND,
} LaLane;

#define LA_LANES 3

extern const char *const la_lane_names[LA_LANES];

typedef struct LaSeat
{
	LaSeatState state;
	uint32 launch;             /* which launch the worker belongs to */
	pid_t pid;                 /* 0: no process attached */
	int procno;                /* of its PGPROC, valid with pid */
	int failures;              /* launches that ended badly since the last good round */
	bool denied;               /* max_worker_processes left no place */
	TimestampTz start_at;      /* WANTED: not before */
	TimestampTz beat;          /* when it last looked for due units */
	char unit[LA_WORKER_NAME]; /* what it runs now, or "" */
} LaSeat;

/* What a unit's last run said about the next one. */
typedef struct LaMemory
{
	char name[LA_WORKER_NAME]; /* "": free */
	TimestampTz next_run;
	bool died; /* its worker ended in the middle of it, and nobody has written that down yet */
} LaMemory;

typedef struct LaSlot
{
	Oid database; /* InvalidOid: the slot is free */
	int holds;    /* transactions that want no worker here */
	bool
	    look_again; /* start() committed while the fold worker made up its mind that there is nothing to do */
	bool pokes[LA_LANES]; /* there are units of the lane to poke */
	bool jobs_denied;     /* no place for a job worker: the fold worker runs its units meanwhile */
	pg_atomic_uint32 poked[LA_LANES]; /* by lane */
	LaSeat seats[LA_WORKER_SEATS];
	LaMemory memory[LA_WORKER_UNITS];
} LaSlot;

typedef struct LaBoard
{
	LWLock *lock;              /* in shared memory at the same address everywhere */
	ConditionVariable stopped; /* broadcast when a worker has left its seat */
	pid_t launcher_pid;
	int launcher_procno;
	bool look_everywhere; /* a database could not get a slot: look into all again */
	bool scarce;          /* a fold worker waits for a place: no job worker is started, idle ones leave */
	LaSlot slots[LA_WORKER_SLOTS];
} LaBoard;

extern LaBoard *la_board; /* NULL when the library is not preloaded */

extern void la_board_init(void);

/* The slot of a database; with make, a free one is taken for it. NULL: none. The lock is held. */
extern LaSlot *la_board_slot(Oid database, bool make);

/* The lane of a seat, the first seat of a lane, and the last one that may be taken now. */
extern LaLane la_board_lane(int seat);
extern int la_board_first(LaLane lane);
extern int la_board_last(LaLane lane);

/* Want workers there as soon as may be, and have those that are there look. The lock is held exclusively. */
extern void la_board_want(Oid database);

/*
 * Have somebody see to a lane other than the fold: an idle worker that is there, else one that is started for
 * it, if another may be. The lock is held exclusively.
 */
extern void la_board_help(LaSlot *slot, LaLane lane);

/* Forget a slot nobody needs: unwanted and not held. The lock is held exclusively. */
extern void la_board_tidy(LaSlot *slot);

/* The seat that runs the unit now, NULL: none. The lock is held. */
extern LaSeat *la_board_runner(LaSlot *slot, const char *unit);

/*
 * What is remembered of a unit, NULL: nothing. With make, room is made for it by forgetting what is past;
 * NULL then: there is none. The lock is held, with make exclusively.
 */
extern LaMemory *la_board_memory(LaSlot *slot, const char *unit, bool make);

/* The pause after so many failures in a row: leadanalytics.worker_restart, doubled each time, up to 5 min. */
extern int la_board_pause_s(int failures);

/* Wake the launcher, if there is one; wake a seat's worker, if there is one. The lock is held. */
extern void la_board_wake_launcher(void);
extern void la_board_wake(const LaSeat *seat);

extern void la_guard_init(void); /* guard.c: statements that need workers away, and commits that want them */

#endif
