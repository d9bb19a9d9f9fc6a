/*
 * The launcher: the one background worker the postmaster itself restarts. It starts a worker in every
 * database that wants one and starts it again when it failed, with growing pauses.
 *
 * It is connected to no database, so it cannot know where the extension is: once at its start it sends
 * a worker into every database that takes connections and is no template; a worker that finds nothing
 * to do leaves again and the database costs nothing from then on. Later ones announce themselves:
 * leadanalytics.start() pokes at commit. Nothing is polled; with nothing to start the launcher sleeps
 * without a timeout.
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

static BackgroundWorkerHandle *handles[LA_WORKER_SLOTS];

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
	for (int i = 0; i < LA_WORKER_SLOTS; i++)
	{
		LaSlot *slot = &la_board->slots[i];

		if (slot->database != InvalidOid && slot->state == LA_SLOT_STARTED)
		{
			slot->state = LA_SLOT_WANTED;
			slot->launch++;
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

/* Take note of databases that want a worker, and drop slots of databases that are gone. */
static void
compare(List *databases)
{
	ListCell *cell;

	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	for (int i = 0; i < LA_WORKER_SLOTS; i++)
	{
		LaSlot *slot = &la_board->slots[i];

		if (slot->database != InvalidOid && slot->state == LA_SLOT_WANTED && slot->holds == 0 &&
		    !list_member_oid(databases, slot->database))
		{
			slot->state = LA_SLOT_UNWANTED;
			la_board_tidy(slot);
		}
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
			else if (slot->state == LA_SLOT_UNWANTED)
				slot->state = LA_SLOT_WANTED;
		}
	}
	LWLockRelease(la_board->lock);
}

/* A worker that ended before it attached has left its slot STARTED; only the handle knows. */
static void
reap(void)
{
	for (int i = 0; i < LA_WORKER_SLOTS; i++)
	{
		LaSlot *slot = &la_board->slots[i];
		pid_t pid;

		if (handles[i] == NULL || GetBackgroundWorkerPid(handles[i], &pid) != BGWH_STOPPED)
			continue;
		pfree(handles[i]);
		handles[i] = NULL;
		LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
		if (slot->state == LA_SLOT_STARTED)
		{
			slot->state = LA_SLOT_WANTED;
			slot->launch++;
			slot->failures++;
			slot->start_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
			                                             la_board_pause_s(slot->failures) * INT64CONST(1000));
		}
		LWLockRelease(la_board->lock);
	}
}

static bool
wants_start(const LaSlot *slot)
{
	return slot->database != InvalidOid && slot->state == LA_SLOT_WANTED && slot->holds == 0;
}

/* Milliseconds until the slot may start; a clock set back does not make it wait longer than any pause. */
static long
wait_ms(const LaSlot *slot, TimestampTz now)
{
	long wait = TimestampDifferenceMilliseconds(now, slot->start_at);

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

/* Register the slot's worker. The slot is already STARTED, so a worker faster than us finds it so. */
static void
start(int index, Oid database, uint32 launch)
{
	LaSlot *slot = &la_board->slots[index];
	BackgroundWorker worker = {
	    .bgw_type = "leadanalytics worker",
	    .bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
	    .bgw_start_time = BgWorkerStart_RecoveryFinished,
	    .bgw_restart_time = BGW_NEVER_RESTART, /* the launcher does that: the postmaster knows no back-off */
	    .bgw_library_name = "leadanalytics",
	    .bgw_function_name = "la_worker_main",
	    .bgw_main_arg = Int32GetDatum(index),
	    .bgw_notify_pid = MyProcPid,
	};
	bool registered;

	snprintf(worker.bgw_name, BGW_MAXLEN, "leadanalytics worker of database %u", database);
	memcpy(worker.bgw_extra, &launch, sizeof(launch));
	if (handles[index] != NULL)
	{
		pfree(handles[index]);
		handles[index] = NULL;
	}
	registered = RegisterDynamicBackgroundWorker(&worker, &handles[index]);

	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	slot->denied = !registered;
	if (!registered)
	{
		slot->state = LA_SLOT_WANTED;
		slot->start_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), DENIED_RETRY_S * 1000);
	}
	LWLockRelease(la_board->lock);
	if (!registered)
	{
		handles[index] = NULL;
		log_denied();
	}
}

/* Start what is due; returns how long nothing else will be, in ms, or -1: until somebody sets the latch. */
static long
start_due(void)
{
	TimestampTz now = GetCurrentTimestamp();
	int looking = 0;
	long next = -1;

	LWLockAcquire(la_board->lock, LW_SHARED);
	for (int i = 0; i < LA_WORKER_SLOTS; i++)
	{
		LaSlot *slot = &la_board->slots[i];

		if (slot->database != InvalidOid &&
		    (slot->state == LA_SLOT_STARTED || slot->state == LA_SLOT_LOOKING))
			looking++;
	}
	if (la_board->look_everywhere)
		next = 60 * 1000;
	LWLockRelease(la_board->lock);

	for (int i = 0; i < LA_WORKER_SLOTS; i++)
	{
		LaSlot *slot = &la_board->slots[i];
		Oid database = InvalidOid;
		uint32 launch = 0;
		long wait;

		LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
		if (wants_start(slot))
		{
			wait = wait_ms(slot, now);
			if (wait > 0)
				next = next < 0 ? wait : Min(next, wait);
			else if (looking < LOOKING_AT_ONCE)
			{
				looking++;
				slot->state = LA_SLOT_STARTED;
				slot->look_again = false;
				database = slot->database;
				launch = ++slot->launch;
			}
		}
		LWLockRelease(la_board->lock);
		if (OidIsValid(database))
			start(i, database, launch);
	}

	/* what was denied just now waits for its own retry */
	LWLockAcquire(la_board->lock, LW_SHARED);
	for (int i = 0; i < LA_WORKER_SLOTS; i++)
	{
		LaSlot *slot = &la_board->slots[i];

		if (wants_start(slot) && slot->denied)
			next = next < 0 ? DENIED_RETRY_S * 1000 : Min(next, DENIED_RETRY_S * 1000);
	}
	LWLockRelease(la_board->lock);
	return next;
}

/* Whether there is a reason to read pg_database. */
static bool
anything_wanted(void)
{
	bool wanted;

	LWLockAcquire(la_board->lock, LW_SHARED);
	wanted = la_board->look_everywhere;
	for (int i = 0; i < LA_WORKER_SLOTS && !wanted; i++)
		wanted = wants_start(&la_board->slots[i]);
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
		timeout = start_due();
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
