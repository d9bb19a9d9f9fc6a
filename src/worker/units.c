/*
 * What there is to do in this database; the contract is in run.h.
 *
 * Each round of a worker begins with the questions whether the extension is here, of the library's
 * version, and whether leadanalytics.start() was called here. What could change the answer (start(),
 * ALTER EXTENSION, a restart) makes the launcher look again.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "core/core.h"
#include "core/query.h"
#include "worker/board.h"
#include "worker/run.h"

/*
 * Whether there is something to do here. In a transaction. The lock on leadanalytics.unit is taken
 * only if it is free: who holds it against us alters or restores the extension, and is not to be
 * waited for with other locks in hand.
 */
static LaSituation
look(void)
{
	/* leadanalytics.started(), without reading the control file each second */
	static LaQuery started = {
	    "SELECT EXISTS (SELECT FROM leadanalytics.home WHERE system_identifier = $1 AND database = $2)",
	    2,
	    {INT8OID, OIDOID}};
	Datum home[] = {Int64GetDatum(GetSystemIdentifier()), ObjectIdGetDatum(MyDatabaseId)};
	static bool warned = false;
	char *version = la_installed_version();
	Oid units;
	bool isnull;

	if (version == NULL)
		return LA_NOTHING_TO_DO;
	if (strcmp(version, LA_VERSION) != 0)
	{
		if (!warned)
			ereport(LOG,
			        (errmsg("leadanalytics does nothing in database \"%s\": its SQL there is version %s, the "
			                "preloaded library is version %s",
			                get_database_name(MyDatabaseId), version, LA_VERSION),
			         errhint("Run ALTER EXTENSION leadanalytics UPDATE there, or restart PostgreSQL to load "
			                 "the installed library.")));
		warned = true;
		return LA_NOTHING_TO_DO;
	}
	units = get_relname_relid("unit", get_namespace_oid("leadanalytics", true));
	if (!OidIsValid(units))
		return LA_NOTHING_TO_DO;
	if (!ConditionalLockRelationOid(units, AccessShareLock))
		return LA_LOCKED_OUT;
	la_query_run(&started, home, NULL, true, 1);
	return DatumGetBool(la_query_value(0, 1, &isnull)) ? LA_READY : LA_NOTHING_TO_DO;
}

static LaLane
lane_called(Datum name)
{
	LaLane lane = LA_LANES - 1;

	while (lane > 0 && strcmp(TextDatumGetCString(name), la_lane_names[lane]) != 0)
		lane--;
	return lane;
}

/* The enabled units as the tables have them. */
static List *
enabled_units(TimestampTz now, MemoryContext context)
{
	static LaQuery enabled = {"SELECT name, lane, kind = 'procedure', on_poke, timeout_ms, keep, failing, "
	                          "next_run, following FROM leadanalytics.unit_plan($1)",
	                          1,
	                          {TIMESTAMPTZOID}};
	Datum values[] = {TimestampTzGetDatum(now)};
	uint64 rows = la_query_run(&enabled, values, NULL, true, 0);
	List *units = NIL;

	for (uint64 row = 0; row < rows; row++)
	{
		MemoryContext before = MemoryContextSwitchTo(context);
		LaUnit *unit = palloc0(sizeof(LaUnit));
		bool isnull;

		text_to_cstring_buffer(DatumGetTextPP(la_query_value(row, 1, &isnull)), unit->name, LA_WORKER_NAME);
		unit->lane = lane_called(la_query_value(row, 2, &isnull));
		unit->procedure = DatumGetBool(la_query_value(row, 3, &isnull));
		unit->on_poke = DatumGetBool(la_query_value(row, 4, &isnull));
		unit->timeout_ms = DatumGetInt32(la_query_value(row, 5, &isnull));
		unit->keep = DatumGetBool(la_query_value(row, 6, &isnull));
		unit->failing = DatumGetBool(la_query_value(row, 7, &isnull));
		unit->next_run = DatumGetTimestampTz(la_query_value(row, 8, &isnull));
		unit->following = DatumGetTimestampTz(la_query_value(row, 9, &isnull));
		units = lappend(units, unit);
		MemoryContextSwitchTo(before);
	}
	return units;
}

static void
recall(LaSlot *slot, List *units)
{
	ListCell *cell;

	LWLockAcquire(la_board->lock, LW_SHARED);
	foreach (cell, units)
	{
		LaUnit *unit = lfirst(cell);
		LaMemory *memory = la_board_memory(slot, unit->name, false);

		unit->busy = la_board_runner(slot, unit->name) != NULL;
		if (memory == NULL)
			continue;
		unit->died = memory->died;
		unit->remembered = memory->next_run;
		/* after "following" lies nothing we could have remembered: the clock was set back */
		if (memory->next_run <= unit->following)
			unit->next_run = Max(unit->next_run, memory->next_run);
	}
	LWLockRelease(la_board->lock);
}

LaSituation
la_units_read(LaSlot *slot, TimestampTz now, MemoryContext context, List **units)
{
	LaSituation situation;

	*units = NIL;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	situation = look();
	if (situation == LA_READY)
		*units = enabled_units(now, context);
	PopActiveSnapshot();
	SPI_finish();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	recall(slot, *units);
	return situation;
}
