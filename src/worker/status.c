/*
 * The board as rows, for leadanalytics.worker_status(): a slot is copied under the lock, made rows after it.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "core/export.h"
#include "worker/board.h"
#include "worker/worker.h"

/* What the worker of a seat does, in words. */
static const char *
words(const LaSlot *slot, const LaSeat *seat)
{
	switch (seat->state)
	{
		case LA_SEAT_UNWANTED:
			return "held";
		case LA_SEAT_WANTED:
			return slot->holds > 0      ? "held"
			       : seat->denied       ? "waits for a free background worker"
			       : seat->failures > 0 ? "failed"
			       : seat->start_at > 0 ? "rests"
			                            : "starts";
		case LA_SEAT_STARTED:
		case LA_SEAT_LOOKING:
			return "starts";
		case LA_SEAT_ACTIVE:
			return "active";
	}
	return NULL;
}

bool
la_worker_acts(void)
{
	LaSlot *slot;
	bool acts;

	if (la_board == NULL)
		return false;
	LWLockAcquire(la_board->lock, LW_SHARED);
	slot = la_board_slot(MyDatabaseId, false);
	acts = slot != NULL && slot->seats[LA_WORKER_FOLD].state == LA_SEAT_ACTIVE;
	LWLockRelease(la_board->lock);
	return acts;
}

static void
put_seat(ReturnSetInfo *result, const LaSlot *slot, int number)
{
	const LaSeat *seat = &slot->seats[number];
	LaLane lane = la_board_lane(number);
	char *name = lane == LA_LANE_JOB ? psprintf("job %d", number) : unconstify(char *, la_lane_names[lane]);
	Datum values[] = {
	    ObjectIdGetDatum(slot->database),
	    CStringGetTextDatum(name),
	    Int32GetDatum(seat->pid),
	    CStringGetTextDatum(words(slot, seat)),
	    CStringGetTextDatum(seat->unit),
	    Int32GetDatum(seat->failures),
	    TimestampTzGetDatum(seat->start_at),
	    TimestampTzGetDatum(seat->beat),
	};
	bool nulls[] = {
	    false,           false, seat->pid == 0, false, seat->unit[0] == '\0', false, seat->start_at == 0,
	    seat->beat == 0,
	};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* One row a seat in use: database, worker, pid, state, unit, failures, start_at, beat. None without
 * preloading. */
LA_FUNCTION(la_worker_slots)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	LaSlot *slot = palloc(sizeof(LaSlot));

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; la_board != NULL && i < LA_WORKER_SLOTS; i++)
	{
		LWLockAcquire(la_board->lock, LW_SHARED);
		*slot = la_board->slots[i];
		LWLockRelease(la_board->lock);
		for (int j = 0; slot->database != InvalidOid && j < LA_WORKER_SEATS; j++)
			if (j == LA_WORKER_FOLD || slot->seats[j].state != LA_SEAT_UNWANTED)
				put_seat(result, slot, j);
	}
	return (Datum) 0;
}

/* When units of this database run next, as far as the workers remember: unit, next_run. */
LA_FUNCTION(la_worker_memory)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	LaSlot *slot = palloc0(sizeof(LaSlot));

	InitMaterializedSRF(fcinfo, 0);
	if (la_board != NULL)
	{
		LaSlot *here;

		LWLockAcquire(la_board->lock, LW_SHARED);
		here = la_board_slot(MyDatabaseId, false);
		if (here != NULL)
			*slot = *here;
		LWLockRelease(la_board->lock);
	}
	for (int i = 0; i < LA_WORKER_UNITS; i++)
	{
		LaMemory *memory = &slot->memory[i];
		Datum values[] = {CStringGetTextDatum(memory->name), TimestampTzGetDatum(memory->next_run)};
		bool nulls[] = {false, false};

		if (memory->name[0] != '\0' && memory->next_run != 0)
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* The launcher's pid; null when it is not running now, or the library is not preloaded. */
LA_FUNCTION(la_worker_launcher)
{
	pid_t pid = 0;

	if (la_board != NULL)
	{
		LWLockAcquire(la_board->lock, LW_SHARED);
		pid = la_board->launcher_pid;
		LWLockRelease(la_board->lock);
	}
	if (pid == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(pid);
}
