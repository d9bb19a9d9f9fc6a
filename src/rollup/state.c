/*
 * The workspace's row of leadanalytics.rollup_state: who holds it is the one writer of the workspace's
 * segments.
 *
 * It is held from before the first look until the end of the transaction, so a workspace's segments have one
 * writer at a time; different workspaces do not meet. The row's version is counted up: a transaction that
 * began with an older snapshot (REPEATABLE READ) fails with 40001 instead of writing segments by what it saw.
 */
#include "rollup/parts.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/snapmgr.h"

/*
 * Nobody waits for somebody else's first fold of a workspace, either: it may be part of a long transaction.
 * To add a row that is there is to wait for who changes it. Of a workspace that is being deleted there is none.
 */
static LaQuery make_state = {
    "INSERT INTO leadanalytics.rollup_state (workspace) "
    "SELECT w.id FROM leadanalytics.workspace w WHERE w.id = $1 AND w.closed_at IS NULL "
    "AND NOT EXISTS (SELECT FROM leadanalytics.rollup_state s WHERE s.workspace = $1) "
    "AND pg_try_advisory_xact_lock(hashtext('leadanalytics.rollup_state'), $1) ON CONFLICT DO NOTHING",
    1,
    {INT4OID}};

static LaQuery lock_state = {
    "SELECT s.day, s.day_events FROM leadanalytics.rollup_state s WHERE s.workspace = $1 "
    "FOR NO KEY UPDATE SKIP LOCKED",
    1,
    {INT4OID}};

static LaQuery write_state = {
    "UPDATE leadanalytics.rollup_state SET version = version + 1, day = $2, day_events = $3, "
    "built_to = least(built_to, $4), fold_failures = 0, fold_after = NULL, fold_error = NULL WHERE workspace "
    "= $1",
    4,
    {INT4OID, DATEOID, INT8OID, TIMESTAMPTZOID}};

bool
rollup_lock(int workspace, LaRollupState *state)
{
	Datum values[] = {Int32GetDatum(workspace)};
	bool isnull;
	bool held;

	held = la_query_run(&lock_state, values, NULL, false, 1) == 1;
	if (!held)
	{
		la_query_run(&make_state, values, NULL, false, 0);
		held = la_query_run(&lock_state, values, NULL, false, 1) == 1;
	}
	if (!held)
		return false;
	state->day = DatumGetDateADT(la_query_value(0, 1, &isnull));
	if (isnull)
		state->day = PG_INT64_MIN;
	state->day_events = DatumGetInt64(la_query_value(0, 2, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return true;
}

void
rollup_keep_state(int workspace, const LaRollupState *state, TimestampTz earliest)
{
	const char nulls[] = {' ', state->day == PG_INT64_MIN ? 'n' : ' ', ' ', earliest == DT_NOEND ? 'n' : ' ',
	                      '\0'};

	la_query_run(&write_state,
	             (Datum[]){Int32GetDatum(workspace), DateADTGetDatum(state->day),
	                       Int64GetDatum(state->day_events), TimestampTzGetDatum(earliest)},
	             nulls, false, 0);
}

void
rollup_look_anew(void)
{
	CommandCounterIncrement();
	PopActiveSnapshot();
	PushActiveSnapshot(GetTransactionSnapshot());
}
