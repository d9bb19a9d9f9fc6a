/*
 * The board in shared memory; its protocol is in board.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"

#include "core/settings.h"
#include "worker/board.h"

#define TRANCHE "leadanalytics_worker"

LaBoard *la_board = NULL;

static shmem_request_hook_type earlier_request = NULL;
static shmem_startup_hook_type earlier_startup = NULL;

static void
request(void)
{
	if (earlier_request)
		earlier_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(LaBoard)));
	RequestNamedLWLockTranche(TRANCHE, 1);
}

static void
startup(void)
{
	bool found;

	if (earlier_startup)
		earlier_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	la_board = ShmemInitStruct("leadanalytics worker board", sizeof(LaBoard), &found);
	if (!found)
	{
		memset(la_board, 0, sizeof(LaBoard));
		la_board->lock = &GetNamedLWLockTranche(TRANCHE)->lock;
		ConditionVariableInit(&la_board->stopped);
		for (int i = 0; i < LA_WORKER_SLOTS; i++)
			pg_atomic_init_u32(&la_board->slots[i].poked, 0);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
la_board_init(void)
{
	earlier_request = shmem_request_hook;
	shmem_request_hook = request;
	earlier_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

LaSlot *
la_board_slot(Oid database, bool make)
{
	LaSlot *free_slot = NULL;

	for (int i = 0; i < LA_WORKER_SLOTS; i++)
	{
		LaSlot *slot = &la_board->slots[i];

		if (slot->database == database)
			return slot;
		if (free_slot == NULL && slot->database == InvalidOid)
			free_slot = slot;
	}
	if (!make || free_slot == NULL)
		return NULL;
	free_slot->database = database;
	free_slot->state = LA_SLOT_UNWANTED;
	free_slot->holds = 0;
	free_slot->look_again = false;
	free_slot->pid = 0;
	free_slot->failures = 0;
	free_slot->denied = false;
	free_slot->start_at = 0;
	free_slot->beat = 0;
	free_slot->unit[0] = '\0';
	pg_atomic_write_u32(&free_slot->poked, 0);
	return free_slot;
}

void
la_board_want(Oid database)
{
	LaSlot *slot = la_board_slot(database, true);

	if (slot == NULL)
		la_board->look_everywhere = true;
	else if (slot->state <= LA_SLOT_WANTED)
	{
		slot->state = LA_SLOT_WANTED;
		slot->failures = 0;
		slot->start_at = 0;
	}
	else
		slot->look_again = true;
	la_board_wake_launcher();
}

void
la_board_tidy(LaSlot *slot)
{
	if (slot->state == LA_SLOT_UNWANTED && slot->holds == 0)
		slot->database = InvalidOid;
}

int
la_board_pause_s(int failures)
{
	int pause = la_worker_restart_s;

	while (--failures > 0 && pause < LA_WORKER_MAX_PAUSE_S)
		pause *= 2;
	return Max(la_worker_restart_s, Min(pause, LA_WORKER_MAX_PAUSE_S));
}

void
la_board_wake_launcher(void)
{
	if (la_board->launcher_pid != 0)
		SetLatch(&ProcGlobal->allProcs[la_board->launcher_procno].procLatch);
}
