/*
 * What those who add facts say to the engine.
 */
#include "rollup/rollup.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "rollup/parts.h"
#include "worker/worker.h"

#define LOOK_EVERY 64 /* blocks of ids: a statement's, or up to 1 024 events */
#define MUCH 20000    /* unfolded events of a workspace that make a writer help */
#define HELP 5000     /* and as many as it folds then, about */

static LaQuery add_sessions = {
    "INSERT INTO leadanalytics.session_ledger (workspace, closed, numbers) VALUES ($1, $2, $3)",
    3,
    {INT4OID, BOOLOID, INT8ARRAYOID}};

static LaQuery help = {
    "SELECT leadanalytics.fold_workspace($1, $2, now()) FROM leadanalytics.ledger l WHERE l.workspace = $1 "
    "HAVING sum(l.n) > $3",
    3,
    {INT4OID, INT8OID, INT8OID}};

void
la_rollup_sessions(int workspace, const int64 *numbers, int n, bool closed)
{
	if (n == 0)
		return;
	la_query_run(
	    &add_sessions,
	    (Datum[]){Int32GetDatum(workspace), BoolGetDatum(closed), la_query_array(numbers, n, INT8OID)}, NULL,
	    false, 0);
}

/* The events are what matters: when the fold fails they stay unfolded, and are answered for all the same. */
void
la_rollup_help(int workspace, int64 block)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	if ((block >> 10) % LOOK_EVERY != 0 || la_worker_acts())
		return;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		la_query_run(&help, (Datum[]){Int32GetDatum(workspace), Int64GetDatum(HELP), Int64GetDatum(MUCH)},
		             NULL, false, 0);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		ereport(LOG, (errmsg("leadanalytics: events of workspace %d stay unfolded: %s", workspace,
		                     error->message)));
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}
