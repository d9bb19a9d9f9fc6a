/*
 * Units of work as a worker sees them: which there are, and running one. Private to this room.
 */
#ifndef LA_WORKER_RUN_H
#define LA_WORKER_RUN_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "worker/board.h"

typedef struct LaUnit
{
	char name[LA_WORKER_NAME];
	LaLane lane;
	bool procedure; /* called at top level, may commit; else a function, one transaction */
	bool on_poke;
	bool failing; /* its last run failed: it waits for next_run, poked or not */
	bool keep;    /* write unit_state even if the run changed nothing */
	bool busy;    /* another worker runs it now */
	bool died;    /* its worker ended in the middle of it */
	int timeout_ms;
	TimestampTz next_run;
	TimestampTz following;  /* the run after one that begins now */
	TimestampTz remembered; /* what the board said of its next run, 0: nothing */
} LaUnit;

typedef enum LaSituation
{
	LA_NOTHING_TO_DO,
	LA_LOCKED_OUT,
	LA_READY,
} LaSituation;

/*
 * Whether there is something to do in this database, and when there is: its enabled units, LaUnit each,
 * in the given context, with what unit_state and the slot remember of their next run. A transaction.
 */
extern LaSituation la_units_read(LaSlot *slot, TimestampTz now, MemoryContext context, List **units);

/*
 * Run the unit in transactions of its own, outside any other, and write down how it ended. An error in
 * it is logged and kept in unit_state with its back-off, and does not leave this function. Returns when
 * it is due next: after its pause, or as soon as it asked for itself (la_worker_again).
 */
extern TimestampTz la_unit_run(const LaUnit *unit, TimestampTz now);

/* Write down that a run failed. A transaction; returns when the unit is due next. */
extern TimestampTz la_unit_failed(const LaUnit *unit, TimestampTz now, const char *error);

#endif
