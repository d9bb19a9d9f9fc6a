/*
 * What ad platforms are to be told of a batch of events.
 *
 * Most workspaces have no rules, and most events trigger none: that is known here, per backend and workspace,
 * until leadanalytics.conversion_rule changes (a trigger sends a relation-cache invalidation), so that
 * ingestion pays a look into a table of its own. What does trigger is written by
 * leadanalytics.write_postbacks().
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "conversion/conversion.h"
#include "core/export.h"
#include "core/query.h"
#include "track/track.h"

#define MOST_KNOWN 10000 /* workspaces; beyond, it starts over */

static LaQuery read_triggers = {"SELECT DISTINCT r.trigger_event FROM leadanalytics.conversion_rule r "
                                "WHERE r.workspace = $1 AND r.active",
                                1,
                                {INT4OID}};

static LaQuery write_postbacks = {"SELECT leadanalytics.write_postbacks($1, $2, $3, $4)",
                                  4,
                                  {INT4OID, INT8ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

typedef struct Triggers
{
	int workspace; /* key */
	int n;
	char **names;
} Triggers;

static MemoryContext memory = NULL;
static HTAB *known = NULL;
static bool stale = true;
static Oid rules = InvalidOid;

static void
relation_changed(Datum arg, Oid relation)
{
	if (relation == InvalidOid || relation == rules)
		stale = true;
}

static void
forget(void)
{
	HASHCTL control = {.keysize = sizeof(int), .entrysize = sizeof(Triggers)};

	if (memory == NULL)
		memory =
		    AllocSetContextCreate(TopMemoryContext, "leadanalytics conversion rules", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(memory);
	control.hcxt = memory;
	known =
	    hash_create("leadanalytics conversion rules", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	rules = get_relname_relid("conversion_rule", get_namespace_oid("leadanalytics", false));
	stale = false;
}

/* Read with a snapshot of its own: what was committed before the invalidation came is seen. */
static Triggers *
triggers_of(int workspace)
{
	Triggers *triggers;
	bool found;
	uint64 n;

	if (stale || hash_get_num_entries(known) > MOST_KNOWN)
		forget();
	triggers = hash_search(known, &workspace, HASH_FIND, NULL);
	if (triggers != NULL)
		return triggers;
	n = la_query_run(&read_triggers, (Datum[]){Int32GetDatum(workspace)}, NULL, false, 0);
	if (stale)
		forget();
	triggers = hash_search(known, &workspace, HASH_ENTER, &found);
	triggers->n = 0;
	triggers->names = MemoryContextAlloc(memory, Max(n, 1) * sizeof(char *));
	for (uint64 row = 0; row < n; row++)
		triggers->names[triggers->n++] = MemoryContextStrdup(memory, la_query_text(row, 1));
	SPI_freetuptable(SPI_tuptable);
	/* A snapshot that is older than the invalidation is no knowledge for the next transaction. */
	if (IsolationUsesXactSnapshot())
		stale = true;
	return triggers;
}

static bool
is_trigger(const Triggers *triggers, const LaEvent *event)
{
	if (event->is_start || event->client->is_bot || event->text[LA_TEXT_NAME] == NULL)
		return false;
	for (int i = 0; i < triggers->n; i++)
		if (strcmp(triggers->names[i], event->text[LA_TEXT_NAME]) == 0)
			return true;
	return false;
}

static void
hear(const LaBatch *batch)
{
	const Triggers *triggers = triggers_of(batch->workspace);
	TimestampTz first = DT_NOEND;
	TimestampTz last = DT_NOBEGIN;
	int64 *ids;
	int n = 0;

	if (triggers->n == 0)
		return;
	ids = palloc(Max(batch->n, 1) * sizeof(int64));
	for (int i = 0; i < batch->n; i++)
	{
		const LaEvent *event = batch->events[i];

		if (!is_trigger(triggers, event))
			continue;
		ids[n++] = event->id;
		first = Min(first, event->at);
		last = Max(last, event->at);
	}
	if (n == 0)
		return;
	la_query_run(&write_postbacks,
	             (Datum[]){Int32GetDatum(batch->workspace), la_query_array(ids, n, INT8OID),
	                       TimestampTzGetDatum(first), TimestampTzGetDatum(last)},
	             NULL, false, 0);
	SPI_freetuptable(SPI_tuptable);
}

void
la_conversion_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	la_track_tell(hear);
}

LA_FUNCTION(la_conversion_rule_changed)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
		        (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
		         errmsg("la_conversion_rule_changed is a trigger function"), errhint("Do not call it.")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	return PointerGetDatum(NULL); /* of a trigger: no row, not a null */
}
