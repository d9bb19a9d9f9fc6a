/*
 * The launcher: the one background worker the postmaster itself restarts. It starts the workers of every
 * database that wants some and starts them again when they failed, with growing pauses.
 *
 * It is connected to no database, so it cannot know where the extension is: once at its start it sends
 * a worker into every database that takes connections and is no template; a worker that finds nothing
 * to do leaves again and the database costs nothing from then on. Later ones announce themselves:
 * leadanalytics.start() pokes at commit. Nothing is polled; the launcher sleeps until the next start is
 * due (a job worker's that rests, or one that failed), and with nothing to start without a timeout.
 *
 * Fold workers come first: while one finds no place (max_worker_processes), no job worker is started, and
 * those that are idle leave theirs. A database whose job worker finds none has its units run by its fold
 * worker until there is one.
 *
 * Handles of started workers live in the launcher's own memory: they are needed only to see that a
 * worker ended before it attached to its slot (fork failed, library missing). A new launcher treats a
 * slot that is STARTED as failed at once; should that worker still come, its launch number is stale.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
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
#include "utils/snapmgr.h"

#include "core/settings.h"
#include "worker/board.h"
#include "worker/worker.h"

/* So many workers may be finding out whether there is something to do; the others wait for their turn. */
#define LOOKING_AT_ONCE 3
#define DENIED_RETRY_S 5
#define DENIED_LOG_S 60

PGDLLEXPORT void la_launcher_main(Datum unused);

/* Seats by number, all of a slot one after the other. */
#define PLACES (LA_WORKER_SLOTS * LA_WORKER_SEATS)

static BackgroundWorkerHandle *handles[PLACES];

static LaSlot *
slot_of(int place)
{
	return &la_board->slots[place / LA_WORKER_SEATS];
}

static LaSeat *
seat_of(int place)
{
	return &slot_of(place)->seats[place % LA_WORKER_SEATS];
}

void
la_worker_init(void)
{
	BackgroundWorker launcher = {
	    .bgw_name = "leadanalytics launcher",
	    .bgw_type = "leadanalytics launcher",
	    .bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
	    .bgw_start_time = BgWorkerStart_RecoveryFinished, /* never on a standby; at its promotion */
	    .bgw_library_name = "leadanalytics",
	    .bgw_function_name = "la_launcher_main",
	};

	/* pg_upgrade must find databases that nobody is connected to */
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	launcher.bgw_restart_time = la_worker_restart_s;
	la_board_init();
	la_guard_init();
	RegisterBackgroundWorker(&launcher);
}

static void
leave(int code, Datum unused)
{
	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	if (la_board->launcher_pid == MyProcPid)
		la_board->launcher_pid = 0;
	LWLockRelease(la_board->lock);
}

static void
enter(void)
{
	before_shmem_exit(leave, 0);
	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	la_board->launcher_pid = MyProcPid;
	la_board->launcher_procno = MyProc->pgprocno;
	la_board->look_everywhere = true;
	for (int i = 0; i < PLACES; i++)
	{
		LaSeat *seat = seat_of(i);

		if (seat->state == LA_SEAT_STARTED)
		{
			seat->state = LA_SEAT_WANTED;
			seat->launch++;
		}
	}
	LWLockRelease(la_board->lock);
}

/* Databases a worker may connect to, in context. Templates are left alone: CREATE DATABASE copies them. */
static List *
connectable_databases(MemoryContext context)
{
	List *databases = NIL;
	Relation catalog;
	TableScanDesc scan;
	HeapTuple tuple;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	catalog = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(catalog, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext before;

		if (!database->datallowconn || database->datistemplate || database_is_invalid_form(database))
			continue; /* invalid: what an interrupted DROP DATABASE left */
		before = MemoryContextSwitchTo(context);
		databases = lappend_oid(databases, database->oid);
		MemoryContextSwitchTo(before);
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return databases;
}

/* Take note of databases that want workers, and drop slots of databases that are gone. */
static void
compare(List *databases)
{
	ListCell *cell;

	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	for (int i = 0; i < LA_WORKER_SLOTS; i++)
	{
		LaSlot *slot = &la_board->slots[i];

		if (slot->database == InvalidOid || slot->holds > 0 || list_member_oid(databases, slot->database))
			continue;
		for (int j = 0; j < LA_WORKER_SEATS; j++)
			if (slot->seats[j].state == LA_SEAT_WANTED)
				slot->seats[j].state = LA_SEAT_UNWANTED;
		la_board_tidy(slot);
	}
	if (la_board->look_everywhere)
	{
		la_board->look_everywhere = false;
		foreach (cell, databases)
		{
			LaSlot *slot = la_board_slot(lfirst_oid(cell), true);

			if (slot == NULL)
				la_board->look_everywhere =
				    true; /* all taken: again when one is free, at the latest in a minute */
			else if (slot->seats[LA_WORKER_FOLD].state == LA_SEAT_UNWANTED)
				slot->seats[LA_WORKER_FOLD].state = LA_SEAT_WANTED;
		}
	}
	LWLockRelease(la_board->lock);
}

/* A worker that ended before it attached has left its seat STARTED; only the handle knows. */
static void
reap(void)
{
	for (int i = 0; i < PLACES; i++)
	{
		LaSeat *seat = seat_of(i);
		pid_t pid;

		if (handles[i] == NULL || GetBackgroundWorkerPid(handles[i], &pid) != BGWH_STOPPED)
			continue;
		pfree(handles[i]);
		handles[i] = NULL;
		LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
		if (seat->state == LA_SEAT_STARTED)
		{
			seat->state = LA_SEAT_WANTED;
			seat->launch++;
			seat->failures++;
			seat->start_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
			                                             la_board_pause_s(seat->failures) * INT64CONST(1000));
		}
		LWLockRelease(la_board->lock);
	}
}

static LaLane
lane_of(int place)
{
	return la_board_lane(place % LA_WORKER_SEATS);
}

static bool
is_fold(int place)
{
	return lane_of(place) == LA_LANE_FOLD;
}

static bool
wants_start(int place)
{
	const LaSlot *slot = slot_of(place);

	return slot->database != InvalidOid && seat_of(place)->state == LA_SEAT_WANTED && slot->holds == 0 &&
	       place % LA_WORKER_SEATS <= la_board_last(lane_of(place));
}

/* Milliseconds until the seat may start; a clock set back does not make it wait longer than any pause. */
static long
wait_ms(int place, TimestampTz now)
{
	const LaSeat *seat = seat_of(place);
	long wait = TimestampDifferenceMilliseconds(now, seat->start_at);

	/* a first worker that only rests is awake at a poke; one that failed or found no place is not */
	if (place % LA_WORKER_SEATS == la_board_first(lane_of(place)) && !is_fold(place) && seat->failures == 0 &&
	    !seat->denied && pg_atomic_read_u32(&slot_of(place)->poked[lane_of(place)]) != 0)
		return 0;
	return wait > LA_WORKER_MAX_PAUSE_S * 1000L ? 0 : wait;
}

static void
log_denied(void)
{
	static TimestampTz logged = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (logged != 0 && now >= logged && !TimestampDifferenceExceeds(logged, now, DENIED_LOG_S * 1000))
		return;
	logged = now;
	ereport(LOG,
	        (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
	         errmsg("leadanalytics cannot start a background worker: all are in use"),
	         errhint("Raise max_worker_processes. It is tried again every %d seconds.", DENIED_RETRY_S)));
}

/* Under the lock. */
static void
deny(int place)
{
	LaSeat *seat = seat_of(place);

	seat->denied = true;
	seat->state = LA_SEAT_WANTED;
	seat->start_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), DENIED_RETRY_S * 1000);
	if (lane_of(place) == LA_LANE_JOB)
		slot_of(place)->jobs_denied = true;
}

/* Register the seat's worker. The seat is already STARTED, so a worker faster than us finds it so. */
static void
start(int place, Oid database, uint32 launch)
{
	BackgroundWorker worker = {
	    .bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
	    .bgw_start_time = BgWorkerStart_RecoveryFinished,
	    .bgw_restart_time = BGW_NEVER_RESTART, /* the launcher does that: the postmaster knows no back-off */
	    .bgw_library_name = "leadanalytics",
	    .bgw_function_name = "la_worker_main",
	    .bgw_main_arg = Int32GetDatum(place),
	    .bgw_notify_pid = MyProcPid,
	};
	bool registered;

	snprintf(worker.bgw_type, BGW_MAXLEN, "leadanalytics %s", la_lane_names[lane_of(place)]);
	snprintf(worker.bgw_name, BGW_MAXLEN, "%s worker of database %u", worker.bgw_type, database);
	memcpy(worker.bgw_extra, &launch, sizeof(launch));
	if (handles[place] != NULL)
	{
		pfree(handles[place]);
		handles[place] = NULL;
	}
	registered = RegisterDynamicBackgroundWorker(&worker, &handles[place]);

	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	seat_of(place)->denied = false;
	if (!registered)
		deny(place);
	LWLockRelease(la_board->lock);
	if (!registered)
	{
		handles[place] = NULL;
		log_denied();
	}
}

/* Workers that make up their minds whether there is something to do, or are on their way. */
static int
looking(void)
{
	int count = 0;

	for (int i = 0; i < PLACES; i++)
		if (seat_of(i)->state == LA_SEAT_STARTED || seat_of(i)->state == LA_SEAT_LOOKING)
			count++;
	return count;
}

/* Start those of one kind that are due. */
static void
start_kind(bool fold)
{
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < PLACES; i++)
	{
		Oid database = InvalidOid;
		uint32 launch = 0;

		if (is_fold(i) != fold)
			continue;
		LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
		if (wants_start(i) && wait_ms(i, now) <= 0)
		{
			if (!fold && la_board->scarce)
				deny(i);
			else if (looking() < LOOKING_AT_ONCE)
			{
				LaSeat *seat = seat_of(i);

				seat->state = LA_SEAT_STARTED;
				if (fold)
					slot_of(i)->look_again = false;
				database = slot_of(i)->database;
				launch = ++seat->launch;
			}
		}
		LWLockRelease(la_board->lock);
		if (OidIsValid(database))
			start(i, database, launch);
	}
}

/* Whether a fold worker waits for a place; idle job workers then have to hear of it. */
static void
tell_scarcity(void)
{
	bool scarce = false;

	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	for (int i = 0; i < PLACES; i++)
		scarce |= is_fold(i) && wants_start(i) && seat_of(i)->denied;
	for (int i = 0; i < PLACES; i++)
		if (scarce && !la_board->scarce && !is_fold(i))
			la_board_wake(seat_of(i));
	la_board->scarce = scarce;
	LWLockRelease(la_board->lock);
}

/* How long nothing will be due, in ms, or -1: until somebody sets the latch. */
static long
next_start(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long next = -1;

	LWLockAcquire(la_board->lock, LW_SHARED);
	if (la_board->look_everywhere)
		next = 60 * 1000;
	for (int i = 0; i < PLACES; i++)
	{
		long wait = wants_start(i) ? wait_ms(i, now) : 0;

		/* what is due and was not started waits for one that looks, which will wake us */
		if (wait > 0)
			next = next < 0 ? wait : Min(next, wait);
	}
	LWLockRelease(la_board->lock);
	return next;
}

/* Whether there is a reason to read pg_database. */
static bool
anything_wanted(void)
{
	TimestampTz now = GetCurrentTimestamp();
	bool wanted;

	LWLockAcquire(la_board->lock, LW_SHARED);
	wanted = la_board->look_everywhere;
	for (int i = 0; i < PLACES && !wanted; i++)
		wanted = wants_start(i) && wait_ms(i, now) <= 0;
	LWLockRelease(la_board->lock);
	return wanted;
}

void
la_launcher_main(Datum unused)
{
	MemoryContext round;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	enter();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	SetConfigOption("application_name", "leadanalytics launcher", PGC_USERSET, PGC_S_SESSION);

	/* handles outlive a round, and RegisterDynamicBackgroundWorker allocates them where we are */
	MemoryContextSwitchTo(TopMemoryContext);
	round = AllocSetContextCreate(TopMemoryContext, "leadanalytics launcher", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		long timeout;

		reap();
		if (anything_wanted())
		{
			compare(connectable_databases(round));
			MemoryContextSwitchTo(TopMemoryContext);
			MemoryContextReset(round);
		}
		start_kind(true);
		tell_scarcity();
		start_kind(false);
		timeout = next_start();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout >= 0 ? WL_TIMEOUT : 0),
		                 timeout, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		/* Exit code 1, and quietly: the postmaster starts us again, unless it is it who stops us. */
		if (ProcDiePending)
			proc_exit(1);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
}
