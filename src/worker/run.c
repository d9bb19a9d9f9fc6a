/*
 * Running one unit of work; the contract is in run.h.
 *
 * The command goes through a portal, as a client's would: only so can a procedure commit inside (its
 * next statement needs a portal to keep its snapshot in).
 *
 * Who runs it: leadanalytics_owner. A function runs with both restrictions, so code it comes across
 * (a trigger, an operator) cannot SET ROLE back to the superuser this process is. A procedure that
 * commits cannot have them: they must not be set while a transaction starts. Hence a unit must be
 * owned by leadanalytics_owner or a superuser (leadanalytics.unit_command() checks), and whoever can
 * write rows into leadanalytics.unit could do as much himself.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "worker/run.h"
#include "worker/worker.h"

/* When the unit that runs now wants to run again, 0: it did not say. */
static TimestampTz again = 0;

static void
begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
finish(void)
{
	PopActiveSnapshot();
	SPI_finish();
}

static void
in_unit(void *unit)
{
	errcontext("leadanalytics unit \"%s\"", ((const LaUnit *) unit)->name);
}

/* What to run, checked, in the given context. */
static char *
find_command(const LaUnit *unit, TimestampTz now, MemoryContext context)
{
	static LaQuery find = {
	    "SELECT leadanalytics.unit_command(u, $2) FROM leadanalytics.unit u WHERE name = $1",
	    2,
	    {TEXTOID, TIMESTAMPTZOID}};
	Datum values[] = {CStringGetTextDatum(unit->name), TimestampTzGetDatum(now)};
	char *command = NULL;

	if (la_query_run(&find, values, NULL, true, 1) == 1)
		command = MemoryContextStrdup(context, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	return command;
}

/* Returns when the unit is due next. */
static TimestampTz
write_down(const LaUnit *unit, TimestampTz now, const char *error)
{
	static LaQuery ended = {"SELECT leadanalytics.unit_ended($1, $2, $3, $4)",
	                        4,
	                        {TEXTOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID}};
	Datum values[] = {CStringGetTextDatum(unit->name), TimestampTzGetDatum(now),
	                  error ? CStringGetTextDatum(error) : (Datum) 0, TimestampTzGetDatum(again)};
	char nulls[] = {' ', ' ', error ? ' ' : 'n', again != 0 ? ' ' : 'n', '\0'};
	Datum next;
	bool isnull;

	la_query_run(&ended, values, nulls, false, 1);
	next = la_query_value(0, 1, &isnull);
	return isnull ? unit->following : DatumGetTimestampTz(next); /* null: the unit's row is gone */
}

static void
run_command(const char *command)
{
	RawStmt *statement = linitial_node(RawStmt, pg_parse_query(command));
	DestReceiver *nowhere = CreateDestReceiver(DestNone);
	List *plans;
	Portal portal;
	QueryCompletion completion;

	PushActiveSnapshot(GetTransactionSnapshot());
	plans = pg_plan_queries(pg_analyze_and_rewrite_fixedparams(statement, command, NULL, 0, NULL), command, 0,
	                        NULL);
	PopActiveSnapshot();

	portal = CreatePortal("", true, true);
	portal->visible = false;
	PortalDefineQuery(portal, NULL, command, CreateCommandTag(statement->stmt), plans, NULL);
	PortalStart(portal, NULL, 0, InvalidSnapshot);
	(void) PortalRun(portal, FETCH_ALL, true, true, nowhere, nowhere, &completion);
	nowhere->rDestroy(nowhere);
	PortalDrop(portal, false);
}

void
la_worker_again(TimestampTz when)
{
	again = when;
}

TimestampTz
la_unit_failed(const LaUnit *unit, TimestampTz now, const char *error)
{
	TimestampTz next;

	begin();
	next = write_down(unit, now, error);
	finish();
	CommitTransactionCommand();
	return next;
}

TimestampTz
la_unit_run(const LaUnit *unit, TimestampTz now)
{
	MemoryContext context =
	    AllocSetContextCreate(TopMemoryContext, "leadanalytics unit", ALLOCSET_DEFAULT_SIZES);
	ErrorContextCallback naming = {.callback = in_unit, .arg = unconstify(LaUnit *, unit)};
	int64 wal_before = pgWalUsage.wal_records;
	volatile TimestampTz next = unit->following;
	char *volatile error = NULL;
	Oid superuser;
	int security;

	again = 0;
	GetUserIdAndSecContext(&superuser, &security);
	PG_TRY();
	{
		char *command;

		naming.previous = error_context_stack;
		error_context_stack = &naming;
		begin();
		command = find_command(unit, now, context);
		finish();
		if (command != NULL)
		{
			MemoryContextSwitchTo(context);
			debug_query_string = command;
			pgstat_report_activity(STATE_RUNNING, command);
			SetUserIdAndSecContext(
			    get_role_oid("leadanalytics_owner", false),
			    unit->procedure ? 0 : SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
			/* a worker has no statements whose timeout PostgreSQL would watch, so this is the whole unit's */
			enable_timeout_after(STATEMENT_TIMEOUT, unit->timeout_ms);
			run_command(command);
			disable_timeout(STATEMENT_TIMEOUT, false);
			SetUserIdAndSecContext(superuser, security);
		}
		CommitTransactionCommand();
		if (again != 0)
			next = Min(next, again);
		/* unless that is what the table says already, or the board can remember */
		if (unit->keep || pgWalUsage.wal_records != wal_before || (again != 0 && again < unit->next_run))
		{
			begin();
			next = write_down(unit, now, NULL);
			finish();
			CommitTransactionCommand();
		}
	}
	PG_CATCH();
	{
		ErrorData *data;

		HOLD_INTERRUPTS();
		disable_all_timeouts(false);
		QueryCancelPending = false;
		MemoryContextSwitchTo(context);
		data = CopyErrorData();
		error = psprintf("%s (SQLSTATE %s)", data->message, unpack_sql_state(data->sqlerrcode));
		EmitErrorReport();
		AbortCurrentTransaction();
		PortalErrorCleanup();
		/* aborting went back to the user the transaction began with: in a procedure that committed, not ours
		 */
		SetUserIdAndSecContext(superuser, security);
		FlushErrorState();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	debug_query_string = NULL;

	again = 0;
	if (error != NULL)
		next = la_unit_failed(unit, now, error);
	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(context);
	return next;
}
