/*
 * A worker of one database: rounds of looking for due units and running them, one by one. The fold
 * worker has the units of lane fold, which nothing long may hold up; job workers share those of lane
 * job, and the send worker has lane send: units that wait for other machines. Where no job worker can be
 * (leadanalytics.worker_jobs is 0, or max_worker_processes leaves no place), the fold worker has its lane
 * too; never lane send, which would hold it up.
 *
 * The fold worker stays as long as there is something to do here (la_units_read). A worker of another lane
 * with nothing due for a while leaves: the seat of the first one of a lane then rests until a unit is due,
 * the others are wanted again when the fold worker sees a unit wait.
 *
 * When a unit runs next is in leadanalytics.unit_state only if its last run wrote something, failed, or
 * is rare; else the board remembers it. So a database where nothing happens gets no WAL.
 *
 * An error inside a unit is the unit's (run.c), and so is the end of its worker in the middle of it: the
 * next worker writes that down before anything else, so that a unit which ends its process does not
 * keep the others from their turn. Any other error ends the process: the launcher starts it again after
 * a pause that doubles, so a lasting trouble neither stops anything for good nor fills the log.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "core/settings.h"
#include "worker/board.h"
#include "worker/run.h"
#include "worker/worker.h"

#define MIN_SLEEP_MS 1000L
#define MAX_SLEEP_MS 60000L
#define LOCKED_SLEEP_MS 2000L

/* A unit of another lane that waits so long gets help: another worker. */
#define HELP_AFTER_MS 1000L

/*
 * A job worker idle for so long leaves, but not the first one when its next run is near: to come back
 * takes some 50 ms of CPU, and to stay some MB of memory and nothing else.
 */
#define LINGER_MS 10000L
#define NEAR_MS 60000L

PGDLLEXPORT void la_worker_main(Datum arg);

static LaSlot *slot;
static LaSeat *seat;
static uint32 launch;
static LaLane lane; /* the seat's */
static bool folds;  /* whether it is the fold worker's */
static enum {
	FAILED,
	RESTS,
	NOTHING_TO_DO,
} ending = FAILED;          /* how leave() tells an orderly end */
static TimestampTz due;     /* when a unit of ours is due next, 0: there is none */
static TimestampTz busy_at; /* when a unit of ours ran last */

/* What becomes of the seat. Under the lock. */
static void
vacate(void)
{
	bool poked = pg_atomic_read_u32(&slot->poked[lane]) != 0;
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = Min(due, TimestampTzPlusMilliseconds(now, LA_WORKER_MAX_PAUSE_S * INT64CONST(1000)));
	LaSeat *first = &slot->seats[la_board_first(lane)];
	LaMemory *memory;

	if (seat->unit[0] != '\0' && slot->holds == 0 &&
	    (memory = la_board_memory(slot, seat->unit, false)) != NULL)
		memory->died = true;
	seat->pid = 0;
	seat->unit[0] = '\0';
	seat->state = LA_SEAT_WANTED;
	seat->start_at = 0;
	if (ending == FAILED && slot->holds == 0)
	{
		seat->failures++;
		seat->start_at =
		    TimestampTzPlusMilliseconds(now, la_board_pause_s(seat->failures) * INT64CONST(1000));
	}
	else if (ending == RESTS && seat == first && due != 0)
		seat->start_at = poked ? 0 : next;
	else if (ending == RESTS)
	{
		seat->state = poked ? LA_SEAT_WANTED : LA_SEAT_UNWANTED;
		/* what the first one could not foresee, for we ran it */
		if (due != 0 && first->state == LA_SEAT_WANTED && first->failures == 0)
			first->start_at = Min(first->start_at, next);
	}
	else if (ending == NOTHING_TO_DO && !(folds && slot->look_again))
	{
		seat->state = LA_SEAT_UNWANTED;
		pg_atomic_write_u32(&slot->poked[lane], 0);
		for (LaLane other = LA_LANE_JOB; folds && other < LA_LANES; other++)
			pg_atomic_write_u32(&slot->poked[other], 1);
		for (LaSeat *other = seat + 1; folds && other < slot->seats + LA_WORKER_SEATS; other++)
		{
			if (other->state == LA_SEAT_WANTED)
				other->state = LA_SEAT_UNWANTED;
			la_board_wake(other); /* to find the same */
		}
		la_board_tidy(slot);
	}
}

static void
leave(int code, Datum unused)
{
	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	if (seat->launch == launch && seat->pid == MyProcPid)
	{
		vacate();
		la_board_wake_launcher();
	}
	LWLockRelease(la_board->lock);
	ConditionVariableBroadcast(&la_board->stopped);
}

/* Take the seat this process was started for; InvalidOid: no longer wanted. */
static Oid
enter(int place)
{
	Oid database = InvalidOid;

	slot = &la_board->slots[place / LA_WORKER_SEATS];
	seat = &slot->seats[place % LA_WORKER_SEATS];
	lane = la_board_lane(place % LA_WORKER_SEATS);
	folds = lane == LA_LANE_FOLD;
	memcpy(&launch, MyBgworkerEntry->bgw_extra, sizeof(launch));
	before_shmem_exit(leave, 0);
	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	if (seat->launch == launch && seat->state == LA_SEAT_STARTED)
	{
		if (slot->holds > 0)
			seat->state = LA_SEAT_WANTED;
		else
		{
			seat->state = LA_SEAT_LOOKING;
			seat->pid = MyProcPid;
			seat->procno = MyProc->pgprocno;
			if (lane == LA_LANE_JOB)
				slot->jobs_denied = false;
			database = slot->database;
		}
	}
	LWLockRelease(la_board->lock);
	return database;
}

/* The name in pg_stat_activity and the log. */
static void
call_oneself(const LaUnit *unit)
{
	char name[NAMEDATALEN];

	if (unit == NULL)
		snprintf(name, sizeof(name), "leadanalytics %s", la_lane_names[lane]);
	else
		snprintf(name, sizeof(name), "leadanalytics %s: %s", la_lane_names[unit->lane], unit->name);
	SetConfigOption("application_name", name, PGC_USERSET, PGC_S_SESSION);
}

/*
 * Values of ALTER DATABASE … SET and the like must not change what units do. Limits on the time are
 * each unit's own.
 */
static void
settle(void)
{
	static const char *const settings[][2] = {
	    {"search_path", "pg_catalog, pg_temp"},
	    {"timezone", "UTC"},
	    {"lock_timeout", "5s"},
	    {"idle_in_transaction_session_timeout", "60s"},
	    {"default_transaction_read_only", "off"},
	    {"default_transaction_isolation", "read committed"},
	    {"default_transaction_deferrable", "off"},
	    {"session_replication_role", "origin"},
	    {"check_function_bodies", "on"},
	    {"jit", "off"},
	};

	for (int i = 0; i < lengthof(settings); i++)
		SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_SESSION);
	call_oneself(NULL);
}

/* Read without the lock: a round sooner or later does no harm. */
static bool
fold_has_jobs(void)
{
	return la_worker_jobs == 0 || slot->jobs_denied;
}

static bool
ours(const LaUnit *unit)
{
	return unit->lane == lane || (folds && unit->lane == LA_LANE_JOB && fold_has_jobs());
}

/*
 * Make the unit ours to run. False: another worker runs it, or has since we read about it, or shall: the
 * first worker of the lane, when it is idle, so that the others leave when one is enough. Where the board has
 * no room to remember the unit, the table must.
 */
static bool
claim(LaUnit *unit, bool late)
{
	LaSeat *first = &slot->seats[la_board_first(lane)];
	bool claimed = false;
	LaMemory *memory;

	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	memory = la_board_memory(slot, unit->name, false);
	if ((seat <= first || late || first->state != LA_SEAT_ACTIVE || first->unit[0] != '\0') &&
	    la_board_runner(slot, unit->name) == NULL &&
	    (memory != NULL ? memory->next_run : 0) == unit->remembered)
	{
		memory = la_board_memory(slot, unit->name, true);
		if (memory != NULL)
			memory->died = false;
		else
			unit->keep = true;
		strlcpy(seat->unit, unit->name, LA_WORKER_NAME);
		claimed = true;
	}
	LWLockRelease(la_board->lock);
	return claimed;
}

static void
release(const LaUnit *unit)
{
	LaMemory *memory;

	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	memory = la_board_memory(slot, unit->name, false);
	if (memory != NULL)
		memory->next_run = unit->next_run;
	seat->unit[0] = '\0';
	seat->beat = GetCurrentTimestamp();
	LWLockRelease(la_board->lock);
}

static void
run(LaUnit *unit)
{
	call_oneself(unit);
	if (unit->died)
		unit->next_run = la_unit_failed(unit, GetCurrentTimestamp(), "its worker ended while it ran");
	else
		unit->next_run = la_unit_run(unit, GetCurrentTimestamp());
	release(unit);
	call_oneself(NULL);
	busy_at = GetCurrentTimestamp();
}

/* Have the first worker of a lane that has units, and another one when one of them waits. Under the lock. */
static void
tend(LaLane other, bool units, bool pokes, bool help)
{
	LaSeat *first = &slot->seats[la_board_first(other)];

	slot->pokes[other] = pokes;
	if (units && la_board_first(other) <= la_board_last(other) && first->state == LA_SEAT_UNWANTED)
	{
		first->state = LA_SEAT_WANTED;
		first->start_at = 0;
		la_board_wake_launcher();
	}
	else if (help)
		la_board_help(slot, other);
}

/* A round went well so far (units NIL: it is locked out). The fold worker also sees to it that the other
 * lanes have their workers. */
static void
report(List *units, const bool *help)
{
	bool any[LA_LANES] = {false};
	bool pokes[LA_LANES] = {false};
	ListCell *cell;

	foreach (cell, units)
	{
		LaUnit *unit = lfirst(cell);

		any[unit->lane] = true;
		pokes[unit->lane] |= unit->on_poke;
	}
	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	if (seat->state == LA_SEAT_LOOKING)
		la_board_wake_launcher(); /* the next one may look */
	seat->state = LA_SEAT_ACTIVE;
	seat->failures = 0;
	seat->beat = GetCurrentTimestamp();
	for (LaLane other = LA_LANE_JOB; folds && units != NIL && other < LA_LANES; other++)
		tend(other, any[other], pokes[other], help[other]);
	LWLockRelease(la_board->lock);
}

/* In which lanes the fold worker must see a unit wait, and when it will have to look for that. */
static void
find_waiting(List *units, TimestampTz now, bool *help, long *sleep)
{
	ListCell *cell;

	foreach (cell, units)
	{
		LaUnit *unit = lfirst(cell);
		TimestampTz late = TimestampTzPlusMilliseconds(unit->next_run, HELP_AFTER_MS);

		if (ours(unit) || unit->busy)
			continue;
		help[unit->lane] |= late <= now;
		*sleep = Min(*sleep, TimestampDifferenceMilliseconds(now, late));
	}
}

/* One round; returns how long to sleep, in ms. */
static long
tick(MemoryContext round)
{
	TimestampTz now = GetCurrentTimestamp();
	bool poked;
	long sleep = MAX_SLEEP_MS;
	bool help[LA_LANES] = {false};
	List *units;
	ListCell *cell;

	switch (la_units_read(slot, now, round, &units))
	{
		case LA_NOTHING_TO_DO:
			ending = NOTHING_TO_DO;
			proc_exit(0); /* for good only as far as the postmaster knows: see leave() */
		case LA_LOCKED_OUT:
			report(NIL, help);
			due = TimestampTzPlusMilliseconds(now, LOCKED_SLEEP_MS);
			return LOCKED_SLEEP_MS;
		case LA_READY:
			break;
	}
	/* taken now, and not before it is sure that the units will run */
	poked = pg_atomic_exchange_u32(&slot->poked[lane], 0) != 0;
	if (folds && fold_has_jobs())
		poked |= pg_atomic_exchange_u32(&slot->poked[LA_LANE_JOB], 0) != 0;
	if (folds)
		find_waiting(units, now, help, &sleep);
	report(units, help);

	due = 0;
	foreach (cell, units)
	{
		LaUnit *unit = lfirst(cell);
		bool wake = poked && unit->on_poke && !unit->failing;

		if (!ours(unit))
			continue;
		if (unit->died || unit->next_run <= now || wake)
		{
			if (!unit->busy &&
			    claim(unit, wake || TimestampDifferenceExceeds(unit->next_run, now, HELP_AFTER_MS)))
				run(unit);
			else if (wake) /* that run may have begun before there was work */
				pg_atomic_write_u32(&slot->poked[unit->lane], 1);
			if (unit->busy)
				continue; /* whoever runs it sees to the next time */
		}
		if (due == 0 || unit->next_run < due)
			due = unit->next_run;
	}
	if (due != 0)
		sleep = Min(sleep, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), due));
	return Max(sleep, MIN_SLEEP_MS);
}

/* Whether this process is of no use now, and for how long it still may be, in ms. */
static bool
idle(TimestampTz now, long *left)
{
	long rested = TimestampDifferenceMilliseconds(busy_at, now);
	long ahead = due == 0 ? NEAR_MS : TimestampDifferenceMilliseconds(now, due);

	if (folds)
		return false;
	if (la_board->scarce || seat > &slot->seats[la_board_last(lane)])
		return true;
	if (ahead < NEAR_MS && seat == &slot->seats[la_board_first(lane)])
		return false;
	*left = Min(*left, Max(LINGER_MS - rested, 1));
	return rested >= LINGER_MS || now < busy_at;
}

/*
 * Sleep that long, or until a poke, but never less than MIN_SLEEP_MS. When told to go it goes without a
 * FATAL: no unit is interrupted, and the log need not say so each time a database is copied. The exit
 * code decides nothing else, for the launcher starts us again, not the postmaster.
 */
static void
rest(long sleep)
{
	TimestampTz begun = GetCurrentTimestamp();
	TimestampTz until = TimestampTzPlusMilliseconds(begun, sleep);
	pg_atomic_uint32 *poked = slot->poked;

	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		long left;

		if (pg_atomic_read_u32(&poked[lane]) != 0 ||
		    (folds && fold_has_jobs() && pg_atomic_read_u32(&poked[LA_LANE_JOB]) != 0))
			until = Min(until, TimestampTzPlusMilliseconds(begun, MIN_SLEEP_MS));
		left = TimestampDifferenceMilliseconds(now, until);
		if (left <= 0 || now < begun)
			return;
		if (idle(now, &left))
		{
			ending = RESTS;
			proc_exit(0);
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		if (ProcDiePending)
			proc_exit(0);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
}

bool
la_worker_poked(void)
{
	return slot != NULL && pg_atomic_exchange_u32(&slot->poked[lane], 0) != 0;
}

void
la_worker_main(Datum arg)
{
	MemoryContext round;
	Oid database;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	database = enter(DatumGetInt32(arg));
	if (!OidIsValid(database))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	settle();

	busy_at = GetCurrentTimestamp();
	round = AllocSetContextCreate(TopMemoryContext, "leadanalytics round", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		long sleep = tick(round);

		MemoryContextSwitchTo(TopMemoryContext);
		MemoryContextReset(round);
		pgstat_report_stat(true);
		pgstat_report_activity(STATE_IDLE, NULL);
		rest(sleep);
	}
}
