/*
 * The board as rows, for leadanalytics.worker_status(): copied under the lock, made rows after it.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "core/export.h"
#include "worker/board.h"
#include "worker/worker.h"

/* What the worker of a slot does, in words. */
static const char *
words(const LaSlot *slot)
{
	switch (slot->state)
	{
		case LA_SLOT_UNWANTED:
			return "held";
		case LA_SLOT_WANTED:
			return slot->holds > 0      ? "held"
			       : slot->denied       ? "waits for a free background worker"
			       : slot->failures > 0 ? "failed"
			                            : "starts";
		case LA_SLOT_STARTED:
		case LA_SLOT_LOOKING:
			return "starts";
		case LA_SLOT_ACTIVE:
			return "active";
	}
	return NULL;
}

bool
la_worker_acts(void)
{
	bool acts = false;

	if (la_board == NULL)
		return false;
	LWLockAcquire(la_board->lock, LW_SHARED);
	for (int i = 0; i < LA_WORKER_SLOTS; i++)
		if (la_board->slots[i].database == MyDatabaseId)
			acts = la_board->slots[i].state == LA_SLOT_ACTIVE;
	LWLockRelease(la_board->lock);
	return acts;
}

/* One row a slot in use: database, pid, state, unit, failures, start_at, beat. None without preloading. */
LA_FUNCTION(la_worker_slots)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	LaSlot *slots;
	int count = 0;

	InitMaterializedSRF(fcinfo, 0);
	if (la_board == NULL)
		return (Datum) 0;
	slots = palloc(sizeof(LaSlot) * LA_WORKER_SLOTS);
	LWLockAcquire(la_board->lock, LW_SHARED);
	for (int i = 0; i < LA_WORKER_SLOTS; i++)
		if (la_board->slots[i].database != InvalidOid)
			slots[count++] = la_board->slots[i];
	LWLockRelease(la_board->lock);

	for (int i = 0; i < count; i++)
	{
		LaSlot *slot = &slots[i];
		Datum values[] = {
		    ObjectIdGetDatum(slot->database), Int32GetDatum(slot->pid),
		    CStringGetTextDatum(words(slot)), CStringGetTextDatum(slot->unit),
		    Int32GetDatum(slot->failures),    TimestampTzGetDatum(slot->start_at),
		    TimestampTzGetDatum(slot->beat),
		};
		bool nulls[] = {
		    false, slot->pid == 0, false, slot->unit[0] == '\0', false, slot->start_at == 0, slot->beat == 0,
		};

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
