/*
 * The worker of one database: rounds of looking for due units and running them, one by one.
 *
 * Each round begins with the questions whether the extension is here, of the library's version, and
 * whether leadanalytics.start() was called here. If not, there is nothing to do and the process ends:
 * what could change the answer (start(), ALTER EXTENSION, a restart) makes the launcher look again.
 *
 * When a unit runs next is in leadanalytics.unit_state only if its last run wrote something, failed, or
 * is rare; else this process remembers it. So a database where nothing happens gets no WAL.
 *
 * An error inside a unit is the unit's (run.c). Any other error ends the process: the launcher starts
 * it again after a pause that doubles, so a lasting trouble neither stops anything for good nor fills
 * the log.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "core/core.h"
#include "core/query.h"
#include "worker/board.h"
#include "worker/run.h"

#define MIN_SLEEP_MS 1000L
#define MAX_SLEEP_MS 60000L
#define LOCKED_SLEEP_MS 2000L

PGDLLEXPORT void la_worker_main(Datum arg);

/* What a unit's last run said about the next one; by name, since rows come and go. */
typedef struct Memory
{
	char name[LA_WORKER_NAME];
	TimestampTz next_run;
} Memory;

static LaSlot *slot;
static uint32 launch;
static bool nothing_to_do = false; /* how leave() tells an orderly end */
static HTAB *memory;

static void
leave(int code, Datum unused)
{
	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	if (slot->launch == launch && slot->pid == MyProcPid)
	{
		slot->pid = 0;
		slot->unit[0] = '\0';
		if (nothing_to_do && !slot->look_again)
		{
			slot->state = LA_SLOT_UNWANTED;
			la_board_tidy(slot);
		}
		else
		{
			slot->state = LA_SLOT_WANTED;
			slot->start_at = 0;
			if (!nothing_to_do && slot->holds == 0)
			{
				slot->failures++;
				slot->start_at = TimestampTzPlusMilliseconds(
				    GetCurrentTimestamp(), la_board_pause_s(slot->failures) * INT64CONST(1000));
			}
		}
		la_board_wake_launcher();
	}
	LWLockRelease(la_board->lock);
	ConditionVariableBroadcast(&la_board->stopped);
}

/* Take the slot this process was started for; InvalidOid: no longer wanted. */
static Oid
enter(int index)
{
	Oid database = InvalidOid;

	slot = &la_board->slots[index];
	memcpy(&launch, MyBgworkerEntry->bgw_extra, sizeof(launch));
	before_shmem_exit(leave, 0);
	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	if (slot->launch == launch && slot->state == LA_SLOT_STARTED)
	{
		if (slot->holds > 0)
			slot->state = LA_SLOT_WANTED;
		else
		{
			slot->state = LA_SLOT_LOOKING;
			slot->pid = MyProcPid;
			slot->procno = MyProc->pgprocno;
			database = slot->database;
		}
	}
	LWLockRelease(la_board->lock);
	return database;
}

static void
say(LaSlotState state, const char *unit)
{
	LWLockAcquire(la_board->lock, LW_EXCLUSIVE);
	slot->state = state;
	strlcpy(slot->unit, unit, LA_WORKER_NAME);
	if (unit[0] == '\0')
	{
		slot->failures = 0;
		slot->beat = GetCurrentTimestamp();
	}
	LWLockRelease(la_board->lock);
}

/*
 * Values of ALTER DATABASE … SET and the like must not change what units do. Limits on the time are
 * each unit's own.
 */
static void
settle(void)
{
	static const char *const settings[][2] = {
	    {"application_name", "leadanalytics worker"},
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
}

typedef enum Situation
{
	NOTHING,
	LOCKED,
	READY,
} Situation;

/*
 * Whether there is something to do here. In a transaction. The lock on leadanalytics.unit is taken
 * only if it is free: who holds it against us alters or restores the extension, and is not to be
 * waited for with other locks in hand.
 */
static Situation
look(void)
{
	static LaQuery started = {"SELECT leadanalytics.started()", 0, {0}};
	static bool warned = false;
	char *version = la_installed_version();
	Oid units;
	bool isnull;

	if (version == NULL)
		return NOTHING;
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
		return NOTHING;
	}
	units = get_relname_relid("unit", get_namespace_oid("leadanalytics", true));
	if (!OidIsValid(units))
		return NOTHING;
	if (!ConditionalLockRelationOid(units, AccessShareLock))
		return LOCKED;
	la_query_run(&started, NULL, NULL, true, 1);
	return DatumGetBool(la_query_value(0, 1, &isnull)) ? READY : NOTHING;
}

/* The enabled units, with what the table and this process know about their next run. */
static List *
read_units(MemoryContext context, TimestampTz now)
{
	static LaQuery enabled = {"SELECT name, kind, on_poke, timeout_ms, keep, failing, next_run, following "
	                          "FROM leadanalytics.unit_plan($1)",
	                          1,
	                          {TIMESTAMPTZOID}};
	Datum values[] = {TimestampTzGetDatum(now)};
	uint64 rows = la_query_run(&enabled, values, NULL, true, 0);
	List *units = NIL;

	for (uint64 row = 0; row < rows; row++)
	{
		MemoryContext before = MemoryContextSwitchTo(context);
		LaUnit *unit = palloc0(sizeof(LaUnit));
		Memory *remembered;
		bool isnull;

		strlcpy(unit->name, SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1), LA_WORKER_NAME);
		unit->procedure =
		    strcmp(SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 2), "procedure") == 0;
		unit->on_poke = DatumGetBool(la_query_value(row, 3, &isnull));
		unit->timeout_ms = DatumGetInt32(la_query_value(row, 4, &isnull));
		unit->keep = DatumGetBool(la_query_value(row, 5, &isnull));
		unit->failing = DatumGetBool(la_query_value(row, 6, &isnull));
		unit->next_run = DatumGetTimestampTz(la_query_value(row, 7, &isnull));
		unit->following = DatumGetTimestampTz(la_query_value(row, 8, &isnull));
		/* after "following" lies nothing we could have remembered: the clock was set back */
		remembered = hash_search(memory, unit->name, HASH_FIND, NULL);
		if (remembered != NULL && remembered->next_run <= unit->following)
			unit->next_run = Max(unit->next_run, remembered->next_run);
		units = lappend(units, unit);
		MemoryContextSwitchTo(before);
	}
	return units;
}

/* One round; returns how long to sleep, in ms. */
static long
tick(MemoryContext round)
{
	TimestampTz now = GetCurrentTimestamp();
	bool poked = pg_atomic_exchange_u32(&slot->poked, 0) != 0;
	long sleep = MAX_SLEEP_MS;
	Situation situation;
	List *units = NIL;
	ListCell *cell;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	situation = look();
	if (situation == READY)
		units = read_units(round, now);
	PopActiveSnapshot();
	SPI_finish();
	CommitTransactionCommand();
	MemoryContextSwitchTo(round);

	if (situation == NOTHING)
	{
		nothing_to_do = true;
		proc_exit(0); /* for good only as far as the postmaster knows: see leave() */
	}
	say(LA_SLOT_ACTIVE, "");
	if (situation == LOCKED)
		return LOCKED_SLEEP_MS;

	foreach (cell, units)
	{
		LaUnit *unit = lfirst(cell);

		if (unit->next_run <= now || (poked && unit->on_poke && !unit->failing))
		{
			Memory *remembered;

			say(LA_SLOT_ACTIVE, unit->name);
			unit->next_run = la_unit_run(unit, GetCurrentTimestamp());
			remembered = hash_search(memory, unit->name, HASH_ENTER, NULL);
			remembered->next_run = unit->next_run;
			say(LA_SLOT_ACTIVE, "");
		}
		sleep = Min(sleep, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), unit->next_run));
	}
	return Max(sleep, MIN_SLEEP_MS);
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

	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		long left;

		if (pg_atomic_read_u32(&slot->poked) != 0)
			until = Min(until, TimestampTzPlusMilliseconds(begun, MIN_SLEEP_MS));
		left = TimestampDifferenceMilliseconds(now, until);
		if (left <= 0 || now < begun)
			return;
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

void
la_worker_main(Datum arg)
{
	HASHCTL control = {.keysize = LA_WORKER_NAME, .entrysize = sizeof(Memory)};
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

	memory = hash_create("leadanalytics units", 32, &control, HASH_ELEM | HASH_STRINGS);
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
