/*
 * The board in shared memory; its protocol is in board.h.
 */
#include "postgres.h"

#include "storage/latch.h"
#include "storage/proc.h"

#include "core/settings.h"
#include "core/shared.h"
#include "worker/board.h"

#define TRANCHE "leadanalytics_worker"

LaBoard *la_board = NULL;

const char *const la_lane_names[LA_LANES] = {"fold", "job", "send"};

static void
attach(void *place, bool found)
{
	la_board = place;
	if (found)
		return;
	memset(la_board, 0, sizeof(LaBoard));
	la_board->lock = &GetNamedLWLockTranche(TRANCHE)->lock;
	ConditionVariableInit(&la_board->stopped);
	for (int i = 0; i < LA_WORKER_SLOTS; i++)
		for (int lane = 0; lane < LA_LANES; lane++)
			pg_atomic_init_u32(&la_board->slots[i].poked[lane], 0);
}

void
la_board_init(void)
{
	static LaShared piece = {"leadanalytics worker board", TRANCHE, sizeof(LaBoard), 1, attach};

	la_shared_register(&piece);
}

LaLane
la_board_lane(int seat)
{
	return seat == LA_WORKER_FOLD ? LA_LANE_FOLD : seat == LA_WORKER_SEND ? LA_LANE_SEND : LA_LANE_JOB;
}

int
la_board_first(LaLane lane)
{
	return lane == LA_LANE_FOLD ? LA_WORKER_FOLD : lane == LA_LANE_SEND ? LA_WORKER_SEND : LA_WORKER_FOLD + 1;
}

int
la_board_last(LaLane lane)
{
	return lane == LA_LANE_JOB ? LA_WORKER_FOLD + la_worker_jobs : la_board_first(lane);
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
	free_slot->holds = 0;
	free_slot->look_again = free_slot->jobs_denied = false;
	memset(free_slot->pokes, 0, sizeof(free_slot->pokes));
	for (int lane = 0; lane < LA_LANES; lane++)
		pg_atomic_write_u32(&free_slot->poked[lane], 0);
	for (int i = 0; i < LA_WORKER_SEATS; i++)
	{
		uint32 launch = free_slot->seats[i].launch; /* a worker of an earlier launch may still come */

		memset(&free_slot->seats[i], 0, sizeof(LaSeat));
		free_slot->seats[i].launch = launch;
	}
	memset(free_slot->memory, 0, sizeof(free_slot->memory));
	return free_slot;
}

void
la_board_want(Oid database)
{
	LaSlot *slot = la_board_slot(database, true);
	LaSeat *fold = slot ? &slot->seats[LA_WORKER_FOLD] : NULL;

	if (slot == NULL)
		la_board->look_everywhere = true;
	else if (fold->state <= LA_SEAT_WANTED)
	{
		fold->state = LA_SEAT_WANTED;
		fold->failures = 0;
		fold->start_at = 0;
	}
	else
	{
		slot->look_again = true;
		for (int lane = 0; lane < LA_LANES; lane++)
			pg_atomic_write_u32(&slot->poked[lane], 1);
		la_board_wake(fold);
		for (LaLane lane = LA_LANE_JOB; lane < LA_LANES; lane++)
			la_board_help(slot, lane);
	}
	la_board_wake_launcher();
}

void
la_board_help(LaSlot *slot, LaLane lane)
{
	for (int i = la_board_first(lane); i < LA_WORKER_SEATS && la_board_lane(i) == lane; i++)
	{
		LaSeat *seat = &slot->seats[i];

		if (seat->state > LA_SEAT_WANTED && seat->unit[0] == '\0')
		{
			la_board_wake(seat);
			return; /* idle, or on its way */
		}
	}
	for (int i = la_board_first(lane); i <= la_board_last(lane); i++)
	{
		LaSeat *seat = &slot->seats[i];

		if (seat->state <= LA_SEAT_WANTED && seat->failures == 0 && !seat->denied)
		{
			seat->state = LA_SEAT_WANTED;
			seat->start_at = 0;
			la_board_wake_launcher();
			return;
		}
	}
}

void
la_board_tidy(LaSlot *slot)
{
	if (slot->holds > 0)
		return;
	for (int i = 0; i < LA_WORKER_SEATS; i++)
		if (slot->seats[i].state != LA_SEAT_UNWANTED)
			return;
	slot->database = InvalidOid;
}

LaSeat *
la_board_runner(LaSlot *slot, const char *unit)
{
	for (int i = 0; i < LA_WORKER_SEATS; i++)
		if (strcmp(slot->seats[i].unit, unit) == 0)
			return &slot->seats[i];
	return NULL;
}

LaMemory *
la_board_memory(LaSlot *slot, const char *unit, bool make)
{
	TimestampTz now = make ? GetCurrentTimestamp() : 0;
	LaMemory *room = NULL;

	for (int i = 0; i < LA_WORKER_UNITS; i++)
	{
		LaMemory *memory = &slot->memory[i];

		if (strcmp(memory->name, unit) == 0)
			return memory;
		/* a unit whose next run is past is due whether one remembers it or not */
		if (make && !memory->died && memory->next_run <= now &&
		    (memory->name[0] == '\0' || la_board_runner(slot, memory->name) == NULL) &&
		    (room == NULL || room->name[0] != '\0'))
			room = memory;
	}
	if (room != NULL)
	{
		strlcpy(room->name, unit, LA_WORKER_NAME);
		room->next_run = 0;
		room->died = false;
	}
	return room;
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

void
la_board_wake(const LaSeat *seat)
{
	if (seat->pid != 0)
		SetLatch(&ProcGlobal->allProcs[seat->procno].procLatch);
}
