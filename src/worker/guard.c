/*
 * What backends do to workers: hold them off while a statement needs a database or the extension for
 * itself, and look or poke at commit.
 *
 * PostgreSQL refuses DROP DATABASE, CREATE DATABASE … TEMPLATE, RENAME and SET TABLESPACE while anybody
 * is connected, and these come from another database, where the extension may not even exist: so the
 * hook is in every backend of the cluster. DROP and ALTER EXTENSION would wait for the workers' locks,
 * and the workers for theirs.
 *
 * A hold stops the workers (SIGTERM: whatever they do is interrupted, their transactions abort) and keeps
 * them away until the holder's transaction ends. It ends by commit, abort or prepare, also when the
 * backend dies of FATAL; then the launcher looks again, so a DROP that failed or was rolled back
 * brings the workers back, and one that happened leaves nothing.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "core/settings.h"
#include "worker/board.h"
#include "worker/worker.h"

/* How long the holder waits for workers to leave; PostgreSQL itself waits 5 s after that. */
#define STOP_MS 4000

static ProcessUtility_hook_type earlier_utility = NULL;

/* What this transaction owes at its end. */
static List *held = NIL; /* databases, in TopMemoryContext */
static bool look_here = false;
static bool poke_here[LA_LANES] = {false};

/* Signal (0: only ask for) the workers of a database but ourselves; whether there are any. */
static bool
signal_workers(Oid database, int signal)
{
	LaSlot *slot;
	bool any = false;

	LWLockAcquire(la_board->lock, LW_SHARED);
	slot = la_board_slot(database, false);
	for (int i = 0; slot != NULL && i < LA_WORKER_SEATS; i++)
	{
		pid_t pid = slot->seats[i].pid;

		if (pid == 0 || pid == MyProcPid)
			continue;
		any = true;
		if (signal != 0)
			kill(pid, signal);
	}
	LWLockRelease(la_board->lock);
	return any;
}

static void
hold(Oid database)
{
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), STOP_MS);
	MemoryContext before;
	LaSlot *slot;

	if (!list_member_oid(held, database))
	{
		/* room in the list first: once counted in the board, a hold must not be forgotten */
		before = MemoryContextSwitchTo(TopMemoryContext);
		held = lappend_oid(held, database);
		MemoryContextSwitchTo(before);

		LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
		slot = la_board_slot(database, true);
		if (slot != NULL)
			slot->holds++;
		LWLockRelease(la_board->lock);
		if (slot == NULL)
		{
			/* All slots are taken by others, so no worker is here; one could come, and PostgreSQL would say
			 * so. */
			held = list_delete_oid(held, database);
			return;
		}
	}

	(void) signal_workers(database, SIGTERM);
	ConditionVariablePrepareToSleep(&la_board->stopped);
	while (signal_workers(database, 0))
	{
		long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

		if (left <= 0 || ConditionVariableTimedSleep(&la_board->stopped, left, PG_WAIT_EXTENSION))
			break;
	}
	ConditionVariableCancelSleep();
}

/* Only who may do the statement stops the workers: others are about to be refused. */
static void
hold_database(const char *name, bool copying)
{
	Oid database = name ? get_database_oid(name, true) : InvalidOid;

	if (OidIsValid(database) &&
	    (pg_database_ownercheck(database, GetUserId()) || (copying && have_createdb_privilege())))
		hold(database);
}

static void
hold_extension(const char *name)
{
	Oid extension;

	if (strcmp(name, "leadanalytics") != 0)
		return;
	extension = get_extension_oid(name, true);
	if (OidIsValid(extension) && pg_extension_ownercheck(extension, GetUserId()))
	{
		hold(MyDatabaseId);
		look_here = true; /* a worker that left because of the version has no slot to come back to */
	}
}

static const char *
option_text(List *options, const char *name)
{
	ListCell *cell;

	foreach (cell, options)
	{
		DefElem *option = lfirst(cell);

		if (strcmp(option->defname, name) == 0 && option->arg != NULL)
			return defGetString(option);
	}
	return NULL;
}

static void
hold_for(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_DropdbStmt:
			hold_database(((DropdbStmt *) statement)->dbname, false);
			break;
		case T_CreatedbStmt:
			hold_database(option_text(((CreatedbStmt *) statement)->options, "template"), true);
			break;
		case T_RenameStmt:
			if (((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
				hold_database(((RenameStmt *) statement)->subname, false);
			break;
		case T_AlterDatabaseStmt:
			if (option_text(((AlterDatabaseStmt *) statement)->options, "tablespace"))
				hold_database(((AlterDatabaseStmt *) statement)->dbname, false);
			break;
		case T_AlterExtensionStmt:
			hold_extension(((AlterExtensionStmt *) statement)->extname);
			break;
		case T_AlterExtensionContentsStmt:
			hold_extension(((AlterExtensionContentsStmt *) statement)->extname);
			break;
		case T_DropStmt:
			if (((DropStmt *) statement)->removeType == OBJECT_EXTENSION)
			{
				ListCell *cell;

				foreach (cell, ((DropStmt *) statement)->objects)
					hold_extension(strVal(lfirst(cell)));
			}
			break;
		default:
			break;
	}
}

static void
utility(PlannedStmt *planned, const char *query, bool read_only_tree, ProcessUtilityContext context,
        ParamListInfo params, QueryEnvironment *environment, DestReceiver *receiver,
        QueryCompletion *completion)
{
	/* in an aborted transaction nothing may be looked up, and nothing will be done */
	if (IsTransactionState())
		hold_for(planned->utilityStmt);
	(earlier_utility ? earlier_utility : standard_ProcessUtility)(planned, query, read_only_tree, context,
	                                                              params, environment, receiver, completion);
}

/* The lane of the worker this process is, LA_LANES: it is none. The lock is held. */
static LaLane
own_lane(const LaSlot *slot)
{
	for (int i = 0; i < LA_WORKER_SEATS; i++)
		if (slot->seats[i].pid == MyProcPid)
			return la_board_lane(i);
	return LA_LANES;
}

/*
 * Wake whoever has units to poke. A worker's own commits are no news to its lane: else two of its units
 * could poke each other for ever.
 */
static void
poke(Oid database, const bool *lanes)
{
	bool help[LA_LANES] = {false};
	bool any = false;
	LaSlot *slot;

	LWLockAcquire(la_board->lock, LW_SHARED);
	slot = la_board_slot(database, false);
	if (slot != NULL)
	{
		LaLane own = own_lane(slot);

		if (lanes[LA_LANE_FOLD] && own != LA_LANE_FOLD &&
		    pg_atomic_exchange_u32(&slot->poked[LA_LANE_FOLD], 1) == 0)
			la_board_wake(&slot->seats[LA_WORKER_FOLD]);
		for (LaLane lane = LA_LANE_JOB; lane < LA_LANES; lane++)
		{
			if (!lanes[lane] || !slot->pokes[lane] || own == lane ||
			    (own == LA_LANE_FOLD && lane == LA_LANE_JOB && (slot->jobs_denied || la_worker_jobs == 0)))
				continue;
			help[lane] = pg_atomic_exchange_u32(&slot->poked[lane], 1) == 0;
			any |= help[lane];
		}
	}
	LWLockRelease(la_board->lock);
	if (!any)
		return;

	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	slot = la_board_slot(database, false);
	if (slot != NULL)
	{
		if (help[LA_LANE_JOB] && (slot->jobs_denied || la_worker_jobs == 0))
			la_board_wake(&slot->seats[LA_WORKER_FOLD]);
		for (LaLane lane = LA_LANE_JOB; lane < LA_LANES; lane++)
			if (help[lane])
				la_board_help(slot, lane);
	}
	LWLockRelease(la_board->lock);
}

/* Runs when the transaction is past its point of no return: nothing in here can fail. */
static void
at_end(XactEvent event, void *unused)
{
	bool committed = event == XACT_EVENT_COMMIT;

	if (!committed && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	if (held != NIL || (look_here && committed))
	{
		ListCell *cell;

		LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
		foreach (cell, held)
		{
			LaSlot *slot = la_board_slot(lfirst_oid(cell), false);

			if (slot == NULL)
				continue;
			slot->holds--;
			la_board_tidy(slot);
		}
		if (look_here)
			la_board_want(MyDatabaseId);
		la_board_wake_launcher();
		LWLockRelease(la_board->lock);
		list_free(held);
		held = NIL;
	}
	for (LaLane lane = 0; lane < LA_LANES && committed; lane++)
		if (poke_here[lane])
		{
			poke(MyDatabaseId, poke_here);
			break;
		}
	look_here = false;
	memset(poke_here, 0, sizeof(poke_here));
}

void
la_guard_init(void)
{
	earlier_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
	RegisterXactCallback(at_end, NULL);
}

void
la_worker_poke(void)
{
	poke_here[LA_LANE_FOLD] = poke_here[LA_LANE_JOB] = la_board != NULL;
}

LA_FUNCTION(la_worker_poke_call)
{
	la_worker_poke();
	PG_RETURN_VOID();
}

LA_FUNCTION(la_worker_poke_send)
{
	poke_here[LA_LANE_SEND] = la_board != NULL;
	PG_RETURN_VOID();
}

/*
 * Trigger of leadanalytics.home (start() was called) and leadanalytics.unit: at commit workers are wanted
 * here, and those that are here and sleep for lack of work read the units again.
 */
LA_FUNCTION(la_worker_look)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
		                errmsg("la_worker_look is the trigger of leadanalytics.home and leadanalytics.unit"),
		                errhint("Call leadanalytics.start().")));
	/* The install script adds units too, for start() to find; after an update the guard looks. */
	if (!creating_extension)
	{
		look_here = la_board != NULL;
		for (LaLane lane = 0; lane < LA_LANES; lane++)
			poke_here[lane] = look_here;
	}
	PG_RETURN_POINTER(NULL);
}
