/*
 * The dictionary: texts → numbers, one look-up and one INSERT a batch.
 *
 * Two tables stand before the statements. The batch's own: each distinct text once. The backend's: texts
 * whose number is known from earlier batches, so that a busy site's pages cost no statement at all.
 *
 * A number may be remembered only while its row is sure to stay: the row may be this transaction's own,
 * and this transaction may be rolled back, as a whole or to a savepoint. So whatever is aborted, and any
 * change of the table itself (DROP EXTENSION, TRUNCATE), makes the backend forget everything before its
 * next batch.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "core/query.h"
#include "track/track.h"

#define KEPT_ENTRIES 32768           /* places of the backend's table, half of them used at most */
#define KEPT_BYTES (4 * 1024 * 1024) /* of its texts; beyond either it starts over */

static LaQuery find_terms = {"SELECT u.n::int, t.id FROM unnest($2) WITH ORDINALITY AS u (digest, n) "
                             "CROSS JOIN LATERAL (SELECT t.id FROM leadanalytics.term t "
                             "WHERE t.workspace = $1 AND t.digest = u.digest OFFSET 0) AS t",
                             2,
                             {INT4OID, UUIDARRAYOID}};

/* Sorted, so that two batches with the same new texts wait for each other in one order. */
static LaQuery add_terms = {
    "INSERT INTO leadanalytics.term (workspace, id, digest, text) "
    "SELECT $1, nextval('leadanalytics.term_id'), u.digest, u.text "
    "FROM (SELECT * FROM unnest($2, $3) AS u (digest, text) ORDER BY digest) AS u ON CONFLICT DO NOTHING",
    3,
    {INT4OID, UUIDARRAYOID, TEXTARRAYOID}};

typedef struct Entry
{
	const char *text; /* NULL: a free place */
	int length;
	int workspace;
	uint32 hash;
	int id; /* 0: not known yet */
} Entry;

/* Open addressing; the size is a power of two, and no more than half is used. */
typedef struct Table
{
	Entry *entries;
	uint32 size;
	uint32 used;
} Table;

static Table kept;
static MemoryContext kept_memory = NULL;
static Size kept_bytes;
static Oid kept_relation = InvalidOid;
static bool stale = false;

static void
xact_ended(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		stale = true;
}

static void
subxact_ended(SubXactEvent event, SubTransactionId own, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		stale = true;
}

static void
relation_changed(Datum arg, Oid relation)
{
	if (relation == InvalidOid || relation == kept_relation)
		stale = true;
}

static void
kept_start(void)
{
	static bool watching = false;

	if (!watching)
	{
		RegisterXactCallback(xact_ended, NULL);
		RegisterSubXactCallback(subxact_ended, NULL);
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
		watching = true;
	}
	if (kept_memory != NULL && !stale && kept.used < kept.size / 2 && kept_bytes < KEPT_BYTES)
		return;
	if (kept_memory == NULL)
		kept_memory = AllocSetContextCreate(TopMemoryContext, "leadanalytics terms", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(kept_memory);
	kept.entries = MemoryContextAllocZero(kept_memory, KEPT_ENTRIES * sizeof(Entry));
	kept.size = KEPT_ENTRIES;
	kept.used = 0;
	kept_bytes = 0;
	kept_relation = get_relname_relid("term", get_namespace_oid("leadanalytics", false));
	stale = false;
}

/* The entry of that text, or the free one where it would be. */
static Entry *
seek(Table *table, int workspace, const char *text, int length, uint32 hash)
{
	uint32 at = hash & (table->size - 1);

	for (;; at = (at + 1) & (table->size - 1))
	{
		Entry *entry = &table->entries[at];

		if (entry->text == NULL || (entry->hash == hash && entry->length == length &&
		                            entry->workspace == workspace && memcmp(entry->text, text, length) == 0))
			return entry;
	}
}

/* Remember a text of the batch for the next ones. */
static void
keep(const Entry *known)
{
	Entry *entry;

	if (kept.used >= kept.size / 2 || kept_bytes >= KEPT_BYTES)
		return;
	entry = seek(&kept, known->workspace, known->text, known->length, known->hash);
	if (entry->text != NULL)
		return;
	*entry = *known;
	entry->text = MemoryContextStrdup(kept_memory, known->text);
	kept.used++;
	kept_bytes += known->length + 1;
}

/* Look up what has no number yet among the entries. */
static int
find(int workspace, Entry **entries, const pg_uuid_t *digests, int n)
{
	Datum *wanted = palloc(n * sizeof(Datum));
	int *place = palloc(n * sizeof(int));
	int missing = 0;
	uint64 found;

	for (int i = 0; i < n; i++)
	{
		if (entries[i]->id != 0)
			continue;
		wanted[missing] = UUIDPGetDatum(&digests[i]);
		place[missing++] = i;
	}
	if (missing == 0)
		return 0;
	found = la_query_run(
	    &find_terms,
	    (Datum[]){Int32GetDatum(workspace),
	              PointerGetDatum(construct_array(wanted, missing, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR))},
	    NULL, false, 0);
	for (uint64 row = 0; row < found; row++)
	{
		bool isnull;
		int at = DatumGetInt32(la_query_value(row, 1, &isnull)) - 1;

		entries[place[at]]->id = DatumGetInt32(la_query_value(row, 2, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	return missing - found;
}

static void
add(int workspace, Entry **entries, const pg_uuid_t *digests, int n)
{
	Datum *new_digests = palloc(n * sizeof(Datum));
	Datum *new_texts = palloc(n * sizeof(Datum));
	int missing = 0;

	for (int i = 0; i < n; i++)
	{
		if (entries[i]->id != 0)
			continue;
		new_digests[missing] = UUIDPGetDatum(&digests[i]);
		new_texts[missing++] =
		    PointerGetDatum(cstring_to_text_with_len(entries[i]->text, entries[i]->length));
	}
	la_query_run(
	    &add_terms,
	    (Datum[]){
	        Int32GetDatum(workspace),
	        PointerGetDatum(construct_array(new_digests, missing, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR)),
	        PointerGetDatum(construct_array(new_texts, missing, TEXTOID, -1, false, TYPALIGN_INT))},
	    NULL, false, 0);
}

void
track_terms(LaBatch *batch)
{
	Table distinct = {.size = pg_nextpower2_32(batch->n * LA_TEXTS * 2)};
	Entry **unknown = palloc(batch->n * LA_TEXTS * sizeof(Entry *));
	Entry **entry_of = palloc0(batch->n * LA_TEXTS * sizeof(Entry *));
	pg_uuid_t *digests;
	int nunknown = 0;

	kept_start();
	distinct.entries = palloc0(distinct.size * sizeof(Entry));
	for (int i = 0; i < batch->n * LA_TEXTS; i++)
	{
		const char *text = batch->events[i / LA_TEXTS]->text[i % LA_TEXTS];
		Entry *entry;
		int length;
		uint32 hash;

		if (text == NULL)
			continue;
		length = strlen(text);
		hash = hash_bytes((const unsigned char *) text, length) ^ (uint32) batch->workspace;
		entry = seek(&distinct, batch->workspace, text, length, hash);
		if (entry->text == NULL)
		{
			*entry = (Entry){text, length, batch->workspace, hash, 0};
			entry->id = seek(&kept, batch->workspace, text, length, hash)->id;
			if (entry->id == 0)
				unknown[nunknown++] = entry;
		}
		entry_of[i] = entry;
	}
	if (nunknown > 0)
	{
		digests = palloc(nunknown * sizeof(pg_uuid_t));
		for (int i = 0; i < nunknown; i++)
			digests[i] = track_digest(unknown[i]->text, unknown[i]->length);
		/* The second look sees our own rows and those another batch added meanwhile. */
		if (find(batch->workspace, unknown, digests, nunknown) > 0)
		{
			add(batch->workspace, unknown, digests, nunknown);
			if (find(batch->workspace, unknown, digests, nunknown) > 0)
				ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				                errmsg("a text was added by another transaction that this one cannot see"),
				                errhint("Try again.")));
		}
		for (int i = 0; i < nunknown; i++)
			keep(unknown[i]);
	}
	for (int i = 0; i < batch->n * LA_TEXTS; i++)
		batch->events[i / LA_TEXTS]->term[i % LA_TEXTS] = entry_of[i] ? entry_of[i]->id : 0;
}
