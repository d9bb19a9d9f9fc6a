/*
 * Running one unit of work. Private to this room.
 */
#ifndef LA_WORKER_RUN_H
#define LA_WORKER_RUN_H

#include "datatype/timestamp.h"

#include "worker/board.h"

typedef struct LaUnit
{
	char name[LA_WORKER_NAME];
	bool procedure; /* called at top level, may commit; else a function, one transaction */
	bool on_poke;
	bool failing; /* its last run failed: it waits for next_run, poked or not */
	bool keep;    /* write unit_state even if the run changed nothing */
	int timeout_ms;
	TimestampTz next_run;
	TimestampTz following; /* the run after one that begins now */
} LaUnit;

/*
 * Run the unit in transactions of its own, outside any other, and write down how it ended. An error in
 * it is logged and kept in unit_state with its back-off, and does not leave this function. Returns when
 * it is due next.
 */
extern TimestampTz la_unit_run(const LaUnit *unit, TimestampTz now);

#endif
