/*
 * What backends do to workers: hold them off while a statement needs a database or the extension for
 * itself, and look or poke at commit.
 *
 * PostgreSQL refuses DROP DATABASE, CREATE DATABASE … TEMPLATE, RENAME and SET TABLESPACE while anybody
 * is connected, and these come from another database, where the extension may not even exist: so the
 * hook is in every backend of the cluster. DROP and ALTER EXTENSION would wait for the worker's locks,
 * and the worker for theirs.
 *
 * A hold stops the worker (SIGTERM: whatever it does is interrupted, its transaction aborts) and keeps
 * it away until the holder's transaction ends. It ends by commit, abort or prepare, also when the
 * backend dies of FATAL; then the launcher looks again, so a DROP that failed or was rolled back
 * brings the worker back, and one that happened leaves nothing.
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
#include "worker/board.h"
#include "worker/worker.h"

/* How long the holder waits for the worker to leave; PostgreSQL itself waits 5 s after that. */
#define STOP_MS 4000

static ProcessUtility_hook_type earlier_utility = NULL;

/* What this transaction owes at its end. */
static List *held = NIL; /* databases, in TopMemoryContext */
static bool look_here = false;
static bool poke_here = false;

static bool
worker_left(Oid database)
{
	LaSlot *slot;
	bool left;

	LWLockAcquire(la_board->lock, LW_SHARED);
	slot = la_board_slot(database, false);
	left = slot == NULL || slot->pid == 0 || slot->pid == MyProcPid;
	LWLockRelease(la_board->lock);
	return left;
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

	LWLockAcquire(la_board->lock, LW_SHARED);
	slot = la_board_slot(database, false);
	if (slot != NULL && slot->pid != 0 && slot->pid != MyProcPid)
		kill(slot->pid, SIGTERM);
	LWLockRelease(la_board->lock);

	ConditionVariablePrepareToSleep(&la_board->stopped);
	while (!worker_left(database))
	{
		long left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

		if (left <= 0 || ConditionVariableTimedSleep(&la_board->stopped, left, PG_WAIT_EXTENSION))
			break;
	}
	ConditionVariableCancelSleep();
}

/* Only who may do the statement stops the worker: others are about to be refused. */
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
	if (poke_here && committed)
	{
		LaSlot *slot;

		LWLockAcquire(la_board->lock, LW_SHARED);
		slot = la_board_slot(MyDatabaseId, false);
		if (slot != NULL && slot->state == LA_SLOT_ACTIVE && slot->pid != MyProcPid &&
		    pg_atomic_exchange_u32(&slot->poked, 1) == 0)
			SetLatch(&ProcGlobal->allProcs[slot->procno].procLatch);
		LWLockRelease(la_board->lock);
	}
	look_here = poke_here = false;
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
	poke_here = la_board != NULL;
}

LA_FUNCTION(la_worker_poke_call)
{
	la_worker_poke();
	PG_RETURN_VOID();
}

/*
 * Trigger of leadanalytics.home (start() was called) and leadanalytics.unit: at commit a worker is wanted
 * here, and one that is here and sleeps for lack of work reads the units again.
 */
LA_FUNCTION(la_worker_look)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
		                errmsg("la_worker_look is the trigger of leadanalytics.home and leadanalytics.unit"),
		                errhint("Call leadanalytics.start().")));
	/* The install script adds units too, for start() to find; after an update the guard looks. */
	if (!creating_extension)
		look_here = poke_here = la_board != NULL;
	PG_RETURN_POINTER(NULL);
}
