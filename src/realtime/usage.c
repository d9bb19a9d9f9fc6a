/*
 * The table of months in shared memory; what it is for is in usage.h.
 *
 * A slot is a workspace's month: what is saved, as far as it is known, and what is pending. Slots stand in
 * parts with a lock each, at one of REACH places, as windows do (limit_window.c). A slot is read and changed
 * under its part's lock, exclusively: there is no palloc, no ereport and nothing that waits under it. One
 * with nothing pending is free for another owner, who loses nothing: what was saved is read again. When all
 * places have something pending, the request is not counted.
 *
 * Saving: pending requests are marked as being saved, added to the month's row, and taken off when the
 * transaction commits, or unmarked when it or a subtransaction of it does not. Several may save at once: each
 * has its own. A month's row only grows, so of two numbers read from it the larger is the later one, whoever
 * comes first.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "core/month.h"
#include "core/query.h"
#include "core/settings.h"
#include "core/shared.h"
#include "realtime/usage.h"

#define TRANCHE "leadanalytics_usage"
#define PARTITIONS 16
#define SLOTS 512 /* of a part: 8 192 workspaces with something pending, 0.5 MB */
#define REACH 32

typedef struct Owner
{
	Oid database;
	int32 workspace; /* 0: never used */
	DateADT month;
} Owner;

typedef struct Slot
{
	Owner owner;
	bool known;    /* saved was read */
	int64 saved;   /* the row's number, as last seen */
	int64 pending; /* not in it */
	int64 saving;  /* of those, in a transaction that runs */
} Slot;

typedef struct Table
{
	LWLockPadded *locks;
	Slot slots[PARTITIONS][SLOTS];
} Table;

/* What this transaction saves. */
typedef struct Saving
{
	SubTransactionId since;
	Owner owner;
	int64 requests;
	int64 saved; /* the row's number with them */
} Saving;

static Table *table = NULL; /* NULL when the library is not preloaded */
static List *savings = NIL; /* in TopTransactionContext */

static LaQuery read_saved = {
    "SELECT requests FROM leadanalytics.usage_month WHERE workspace = $1 AND month = $2",
    2,
    {INT4OID, DATEOID}};

static LaQuery add_saved = {"INSERT INTO leadanalytics.usage_month AS u (workspace, month, requests) "
                            "SELECT w.id, $2, $3 FROM leadanalytics.workspace w WHERE w.id = $1 "
                            "ON CONFLICT ON CONSTRAINT usage_month_pkey DO UPDATE "
                            "SET requests = u.requests + excluded.requests RETURNING requests",
                            3,
                            {INT4OID, DATEOID, INT8OID}};

static void
attach(void *place, bool found)
{
	table = place;
	if (!found)
	{
		memset(table, 0, sizeof(Table));
		table->locks = GetNamedLWLockTranche(TRANCHE);
	}
}

static Owner
owner_of(int workspace, DateADT month)
{
	Owner owner;

	memset(&owner, 0, sizeof(owner));
	owner.database = MyDatabaseId;
	owner.workspace = workspace;
	owner.month = month;
	return owner;
}

/* Lock the owner's part and find its slot; NULL: it has none, and with take, none is free. */
static Slot *
lock_slot(const Owner *owner, bool take, LWLock **lock)
{
	uint32 place = hash_bytes((const unsigned char *) owner, sizeof(Owner));
	Slot *part = table->slots[place % PARTITIONS];
	Slot *free_slot = NULL;

	*lock = &table->locks[place % PARTITIONS].lock;
	LWLockAcquire(*lock, LW_EXCLUSIVE);
	for (int i = 0; i < REACH; i++)
	{
		Slot *slot = &part[(place / PARTITIONS + i) % SLOTS];

		if (memcmp(&slot->owner, owner, sizeof(Owner)) == 0)
			return slot;
		if (slot->pending == 0 &&
		    (free_slot == NULL || (slot->owner.workspace == 0 && free_slot->owner.workspace != 0)))
			free_slot = slot;
	}
	if (!take || free_slot == NULL)
		return NULL;
	memset(free_slot, 0, sizeof(Slot));
	free_slot->owner = *owner;
	return free_slot;
}

static int64
saved_in_row(const Owner *owner)
{
	bool isnull;
	int64 saved = 0;

	if (la_query_run(&read_saved, (Datum[]){Int32GetDatum(owner->workspace), DateADTGetDatum(owner->month)},
	                 NULL, true, 1) == 1)
		saved = DatumGetInt64(la_query_value(0, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return saved;
}

/*
 * How many there were, with one more if that is below the limit and look is false; *counted: it was. saved:
 * what the row says, -1: not looked up yet. false: it has to be.
 */
static bool
count(const Owner *owner, int64 saved, int64 limit, bool look, int64 *used, bool *counted)
{
	LWLock *lock;
	Slot *slot;
	bool known;

	*used = Max(saved, 0);
	*counted = false;
	if (table == NULL)
		return saved >= 0;
	slot = lock_slot(owner, true, &lock);
	if (slot != NULL && saved >= 0)
	{
		slot->saved = Max(slot->saved, saved);
		slot->known = true;
	}
	/* A standby's memory does not hear of what its primary saves. */
	known = saved >= 0 || (slot != NULL && slot->known && !RecoveryInProgress());
	if (slot != NULL && known)
	{
		*counted = !look && slot->saved + slot->pending < limit;
		slot->pending += *counted;
		*used = slot->saved + slot->pending;
	}
	LWLockRelease(lock);
	return known;
}

LaUsage
la_usage_spend(int workspace, int64 limit, TimestampTz now, bool look)
{
	LaUsage usage = {.told = true, .limit = limit};
	Owner owner = owner_of(workspace, la_month_of(now));
	int64 most = la_enforce_limits ? limit : PG_INT64_MAX;
	bool counted;

	if (!count(&owner, -1, most, look, &usage.used, &counted))
		count(&owner, saved_in_row(&owner), most, look, &usage.used, &counted);
	usage.refused = !look && !counted && usage.used >= most;
	usage.remaining = Max(limit - usage.used, 0);
	usage.wait = (la_month_of((owner.month + 31) * USECS_PER_DAY) * USECS_PER_DAY - now) / USECS_PER_SEC + 1;
	return usage;
}

/* What began with that subtransaction or in it, and is saved or not. */
static void
end_saving(SubTransactionId since, bool committed)
{
	while (savings != NIL)
	{
		const Saving *saving = llast(savings);
		LWLock *lock;
		Slot *slot;

		if (saving->since < since)
			return;
		slot = lock_slot(&saving->owner, false, &lock); /* pending, so it is there */
		slot->saving -= saving->requests;
		if (committed)
		{
			slot->pending -= saving->requests;
			slot->saved = Max(slot->saved, saving->saved);
		}
		LWLockRelease(lock);
		savings = list_delete_last(savings);
	}
}

static void
at_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_PREPARE && savings != NIL)
		ereport(ERROR,
		        (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
		         errmsg("a transaction that saved requests cannot be prepared"), errhint("Commit it.")));
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT)
		end_saving(0, event == XACT_EVENT_COMMIT);
}

static void
at_sub_end(SubXactEvent event, SubTransactionId subtransaction, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		end_saving(subtransaction, false);
}

/* Mark what is pending in this database as being saved by this transaction. */
static void
mark_all(void)
{
	MemoryContext before = MemoryContextSwitchTo(TopTransactionContext);

	for (int part = 0; table != NULL && part < PARTITIONS; part++)
		for (int i = 0; i < SLOTS; i++)
		{
			Slot *slot = &table->slots[part][i];
			Saving *saving;

			if (slot->pending == slot->saving) /* a glance; it is looked at again */
				continue;
			saving = palloc0(sizeof(Saving));
			savings = lappend(savings, saving);
			LWLockAcquire(&table->locks[part].lock, LW_EXCLUSIVE);
			saving->since = GetCurrentSubTransactionId();
			saving->owner = slot->owner;
			if (slot->owner.database == MyDatabaseId)
			{
				saving->requests = slot->pending - slot->saving;
				slot->saving = slot->pending;
			}
			LWLockRelease(&table->locks[part].lock);
			if (saving->requests == 0)
				savings = list_delete_last(savings);
		}
	MemoryContextSwitchTo(before);
}

/* () → how many requests */
LA_FUNCTION(la_usage_save)
{
	static bool registered = false;
	int64 all = 0;
	int earlier = list_length(savings);

	if (!registered)
	{
		RegisterXactCallback(at_end, NULL);
		RegisterSubXactCallback(at_sub_end, NULL);
	}
	registered = true;
	mark_all();
	SPI_connect();
	for (int i = earlier; i < list_length(savings); i++)
	{
		Saving *saving = list_nth(savings, i);
		bool isnull;

		if (la_query_run(&add_saved,
		                 (Datum[]){Int32GetDatum(saving->owner.workspace),
		                           DateADTGetDatum(saving->owner.month), Int64GetDatum(saving->requests)},
		                 NULL, false, 0) == 1) /* else its workspace is gone */
			saving->saved = DatumGetInt64(la_query_value(0, 1, &isnull));
		SPI_freetuptable(SPI_tuptable);
		all += saving->requests;
	}
	SPI_finish();
	PG_RETURN_INT64(all);
}

/* (workspace, now) → requests of the month */
LA_FUNCTION(la_usage_used)
{
	LaUsage usage;

	SPI_connect();
	usage = la_usage_spend(PG_GETARG_INT32(0), PG_INT64_MAX, PG_GETARG_TIMESTAMPTZ(1), true);
	SPI_finish();
	PG_RETURN_INT64(usage.used);
}

void
la_usage_init(void)
{
	static LaShared piece = {"leadanalytics usage", TRANCHE, sizeof(Table), PARTITIONS, attach};

	la_shared_register(&piece);
}
