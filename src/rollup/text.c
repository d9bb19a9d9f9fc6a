/*
 * What the numbers of the dictionary mean, remembered by the backend: entries of the dictionary never change,
 * but for words of somebody who is erased.
 *
 * A number of a rolled back entry may be remembered: sequences do not give it out again. Whatever changes the
 * table itself (DROP EXTENSION, TRUNCATE), or an entry (which invalidates the table's cache entry, see
 * privacy/erase.sql), makes the backend forget, and so does having remembered a lot.
 */
#include "rollup/parts.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define KEPT_BYTES (16 * 1024 * 1024)

typedef struct Key
{
	int workspace;
	int id;
	const LaAsked *asked;
} Key;

typedef struct Kept
{
	Key key;
	char status;
	const char *text; /* NULL: none */
} Kept;

static inline uint32
hash_of(Key key)
{
	return hash_combine(murmurhash32(key.id), hash_combine(murmurhash32(key.workspace),
	                                                       murmurhash32((uint32) (uintptr_t) key.asked)));
}

#define SH_PREFIX kept
#define SH_ELEMENT_TYPE Kept
#define SH_KEY_TYPE Key
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_of(key)
#define SH_EQUAL(table, a, b) ((a).id == (b).id && (a).workspace == (b).workspace && (a).asked == (b).asked)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static kept_hash *kept = NULL;
static MemoryContext kept_memory = NULL;
static Oid kept_relation = InvalidOid;
static bool stale = false;

static void
relation_changed(Datum arg, Oid relation)
{
	if (relation == InvalidOid || relation == kept_relation)
		stale = true;
}

static void
start(void)
{
	if (kept_memory == NULL)
	{
		kept_memory = AllocSetContextCreate(TopMemoryContext, "leadanalytics values", ALLOCSET_DEFAULT_SIZES);
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	}
	if (kept != NULL && !stale && MemoryContextMemAllocated(kept_memory, true) < KEPT_BYTES)
		return;
	kept = NULL;
	MemoryContextReset(kept_memory);
	kept_relation = get_relname_relid("term", get_namespace_oid("leadanalytics", false));
	stale = false;
	kept = kept_create(kept_memory, 1024, NULL);
}

/* Look up those that are not known. */
static void
learn(LaAsked *asked, int workspace, Datum *ids, int n)
{
	uint64 found;

	if (n == 0)
		return;
	found = la_query_run(&asked->text,
	                     (Datum[]){Int32GetDatum(workspace),
	                               PointerGetDatum(construct_array(ids, n, INT4OID, 4, true, TYPALIGN_INT))},
	                     NULL, true, 0);
	for (uint64 row = 0; row < found; row++)
	{
		bool isnull;
		bool known;
		Key key = {workspace, DatumGetInt32(la_query_value(row, 1, &isnull)), asked};
		Datum found_text = la_query_value(row, 2, &isnull);
		Kept *entry = kept_insert(kept, key, &known);

		entry->text = NULL;
		if (!isnull)
		{
			char *copy = TextDatumGetCString(found_text);

			entry->text = MemoryContextStrdup(kept_memory, copy);
			pfree(copy);
		}
	}
	SPI_freetuptable(SPI_tuptable);
}

/* The texts of values, NULL where there is none; they stay until the backend's next question. */
void
rollup_texts(LaAsked *asked, int workspace, const int *values, int n, const char **texts)
{
	Datum *unknown = palloc(Max(n, 1) * sizeof(Datum));
	int asking = 0;

	start();
	for (int i = 0; i < n; i++)
		if (values[i] != 0 && kept_lookup(kept, (Key){workspace, values[i], asked}) == NULL)
			unknown[asking++] = Int32GetDatum(values[i]);
	learn(asked, workspace, unknown, asking);
	for (int i = 0; i < n; i++)
	{
		const Kept *entry = values[i] == 0 ? NULL : kept_lookup(kept, (Key){workspace, values[i], asked});

		texts[i] = entry == NULL ? NULL : entry->text;
	}
	pfree(unknown);
}
