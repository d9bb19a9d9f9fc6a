/*
 * The dictionary: entries → numbers, one look-up and one INSERT a batch.
 *
 * Two tables stand before the statements. The batch's own: each distinct entry once. The backend's: entries
 * whose number is known from earlier batches, so that a busy site's pages cost no statement at all.
 *
 * A number may be remembered only while its row is sure to stay: the row may be this transaction's own,
 * and this transaction may be rolled back, as a whole or to a savepoint. So whatever is aborted, and any
 * change of the table itself (DROP EXTENSION, TRUNCATE) or of an entry (privacy/erase.sql), makes the backend
 * forget everything before its next batch.
 *
 * A workspace's dictionary is bounded (leadanalytics.track_dictionary): addresses made of random digits must
 * not fill the disk. Beyond it an entry is "(other)". How many there are is counted now and then: backends
 * that add at the same time may pass the limit by a sixteenth each.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "core/bytes.h"
#include "core/export.h"
#include "core/query.h"
#include "core/settings.h"
#include "core/rows.h"
#include "track/track.h"

#define KEPT_ENTRIES 32768           /* places of the backend's table, half of them used at most */
#define KEPT_BYTES (4 * 1024 * 1024) /* of its texts; beyond either it starts over */
#define MOST_PARTS 16

static const char *const kind_names[] = {
    [LA_TERM_TEXT] = "text",
    [LA_TERM_PAGE] = "page",
    [LA_TERM_CAMPAIGN] = "campaign",
    [LA_TERM_PLACE] = "place",
    [LA_TERM_NETWORK] = "network",
    [LA_TERM_AGENT] = "agent",
    [LA_TERM_FINGERPRINT] = "fingerprint",
    [LA_TERM_DEVICE] = "device",
    [LA_TERM_TAG] = "tag",
    [LA_TERM_SOURCE] = "source",
};

static LaQuery find_terms = {"SELECT u.n::int, t.id FROM unnest($2) WITH ORDINALITY AS u (digest, n) "
                             "CROSS JOIN LATERAL (SELECT t.id FROM leadanalytics.term t "
                             "WHERE t.workspace = $1 AND t.digest = u.digest OFFSET 0) AS t",
                             2,
                             {INT4OID, UUIDARRAYOID}};

static LaQuery add_terms = {"INSERT INTO leadanalytics.term (workspace, id, digest, kind, parts) "
                            "SELECT workspace, nextval('leadanalytics.term_id'), digest, kind, parts FROM "
                            "terms ON CONFLICT DO NOTHING"};

static LaQuery count_terms = {
    "SELECT count(*) FROM (SELECT FROM leadanalytics.term WHERE workspace = $1 LIMIT $2) AS t",
    2,
    {INT4OID, INT8OID}};

static const LaColumn term_columns[] = {
    {"workspace", INT4OID}, {"digest", UUIDOID}, {"kind", TEXTOID}, {"parts", TEXTARRAYOID}};

typedef struct Entry
{
	const char *parts; /* NULL: a free place */
	int length;
	LaTermKind kind;
	int workspace;
	uint32 hash;
	int id; /* 0: not known yet */
	bool other;
	pg_uuid_t digest; /* of one that was not known */
} Entry;

/* Open addressing; the size is a power of two, and no more than half is used. */
typedef struct Table
{
	Entry *entries;
	uint32 size;
	uint32 used;
} Table;

/* How many entries a workspace has, as far as this backend knows. */
typedef struct Count
{
	int workspace; /* key */
	int64 n;
	int64 added; /* by this backend since it counted */
} Count;

static Table kept;
static MemoryContext kept_memory = NULL;
static Size kept_bytes;
static HTAB *counts;
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
	HASHCTL control = {.keysize = sizeof(int), .entrysize = sizeof(Count)};

	if (!watching)
	{
		RegisterXactCallback(xact_ended, NULL);
		RegisterSubXactCallback(subxact_ended, NULL);
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
		watching = true;
	}
	AcceptInvalidationMessages();
	if (kept_memory != NULL && !stale && kept.used < kept.size / 2 && kept_bytes < KEPT_BYTES)
		return;
	if (kept_memory == NULL)
		kept_memory = AllocSetContextCreate(TopMemoryContext, "leadanalytics terms", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(kept_memory);
	kept.entries = MemoryContextAllocZero(kept_memory, KEPT_ENTRIES * sizeof(Entry));
	kept.size = KEPT_ENTRIES;
	kept.used = 0;
	kept_bytes = 0;
	control.hcxt = kept_memory;
	counts = hash_create("leadanalytics dictionaries", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	kept_relation = get_relname_relid("term", get_namespace_oid("leadanalytics", false));
	stale = false;
}

/* The entry like this one, or the free one where it would be. */
static Entry *
seek(Table *table, const Entry *like)
{
	uint32 at = like->hash & (table->size - 1);

	for (;; at = (at + 1) & (table->size - 1))
	{
		Entry *entry = &table->entries[at];

		if (entry->parts == NULL ||
		    (entry->hash == like->hash && entry->length == like->length && entry->kind == like->kind &&
		     entry->workspace == like->workspace && memcmp(entry->parts, like->parts, like->length) == 0))
			return entry;
	}
}

/* Remember an entry of the batch for the next ones. */
static void
keep(const Entry *known)
{
	Entry *entry;
	char *parts;

	if (kept.used >= kept.size / 2 || kept_bytes >= KEPT_BYTES || known->other)
		return;
	entry = seek(&kept, known);
	if (entry->parts != NULL)
		return;
	*entry = *known;
	parts = MemoryContextAlloc(kept_memory, known->length);
	memcpy(parts, known->parts, known->length);
	entry->parts = parts;
	kept.used++;
	kept_bytes += known->length;
}

LaTerm
track_term(LaTermKind kind, const char *const *parts, int n)
{
	int lengths[MOST_PARTS];
	int all = 0;
	char *joined;
	char *at;

	Assert(n <= lengthof(lengths));
	for (int i = 0; i < n; i++)
		all += lengths[i] = parts[i] ? strlen(parts[i]) + 1 : 1;
	if (all == n)
		return (LaTerm){.kind = kind};
	at = joined = palloc(all);
	for (int i = 0; i < n; at += lengths[i++])
		memcpy(at, parts[i] ? parts[i] : "", lengths[i]);
	return (LaTerm){.kind = kind, .parts = joined, .length = all};
}

pg_uuid_t
track_digest(const char *text, int length)
{
	uint8 digest[LA_SHA256_LENGTH];
	pg_uuid_t result;

	la_sha256(text, length, digest);
	memcpy(result.data, digest, UUID_LEN);
	return result;
}

LA_FUNCTION(la_track_text_digest)
{
	text *said = PG_GETARG_TEXT_PP(0);
	pg_uuid_t *digest = palloc(sizeof *digest);

	*digest = track_digest(VARDATA_ANY(said), VARSIZE_ANY_EXHDR(said));
	PG_RETURN_UUID_P(digest);
}

static pg_uuid_t
digest_of(const Entry *entry)
{
	int kind = strlen(kind_names[entry->kind]) + 1;
	char *all = palloc(kind + entry->length);

	memcpy(all, kind_names[entry->kind], kind);
	memcpy(all + kind, entry->parts, entry->length);
	return track_digest(all, kind + entry->length);
}

static int
by_digest(const void *a, const void *b)
{
	return memcmp((*(Entry *const *) a)->digest.data, (*(Entry *const *) b)->digest.data, UUID_LEN);
}

/* Look up those of the entries that have no number yet; returns how many are left without. */
static int
find(int workspace, Entry **entries, int n)
{
	Datum *wanted = palloc(n * sizeof(Datum));
	int *place = palloc(n * sizeof(int));
	int missing = 0;
	uint64 found;

	for (int i = 0; i < n; i++)
	{
		if (entries[i]->id != 0)
			continue;
		wanted[missing] = UUIDPGetDatum(&entries[i]->digest);
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

/* The parts as text[]. */
static Datum
parts_array(const Entry *entry)
{
	Datum values[MOST_PARTS];
	bool nulls[MOST_PARTS];
	int n = 0;
	int one = 1;

	for (const char *part = entry->parts; part < entry->parts + entry->length; part += strlen(part) + 1)
	{
		Assert(n < MOST_PARTS);
		nulls[n] = part[0] == '\0';
		values[n++] = CStringGetTextDatum(part);
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &one, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Add those without a number. Sorted: two batches with the same new ones wait for each other in one order. */
static void
add(int workspace, Entry **entries, int n)
{
	LaRows *rows = la_rows("terms", term_columns, lengthof(term_columns));
	bool nulls[lengthof(term_columns)] = {false};

	for (int i = 0; i < n; i++)
	{
		if (entries[i]->id == 0)
			la_rows_add(rows,
			            (Datum[]){Int32GetDatum(workspace), UUIDPGetDatum(&entries[i]->digest),
			                      CStringGetTextDatum(kind_names[entries[i]->kind]), parts_array(entries[i])},
			            nulls);
	}
	la_rows_run(rows, &add_terms);
}

/* Look up or add; the second look sees our own rows and those another batch added meanwhile. */
static void
resolve(int workspace, Entry **entries, int n)
{
	if (find(workspace, entries, n) == 0)
		return;
	add(workspace, entries, n);
	if (find(workspace, entries, n) > 0)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
		                errmsg("an entry of the dictionary was added by another transaction that this one "
		                       "cannot see"),
		                errhint("Try again.")));
}

/* How many of n new entries the workspace's dictionary has room for. */
static int
room_for(int workspace, int n)
{
	bool found;
	Count *count = hash_search(counts, &workspace, HASH_ENTER, &found);

	if (!found || count->added > la_track_dictionary / 16)
	{
		bool isnull;

		la_query_run(&count_terms, (Datum[]){Int32GetDatum(workspace), Int64GetDatum(la_track_dictionary)},
		             NULL, false, 1);
		count->n = DatumGetInt64(la_query_value(0, 1, &isnull));
		count->added = 0;
		SPI_freetuptable(SPI_tuptable);
	}
	n = Max(0, Min(n, la_track_dictionary - count->n - count->added));
	count->added += n;
	return n;
}

/* Those of the entries that are not known and for which there is no room become "(other)". */
static void
make_others(int workspace, Entry **entries, int n, int room)
{
	Entry others[lengthof(kind_names)];
	Entry *asked[lengthof(kind_names)];

	for (int kind = 0; kind < lengthof(others); kind++)
	{
		static const char first[] = "(other)";
		static const char second[] = "\0(other)"; /* of a page: the path */

		others[kind] = (Entry){.kind = kind, .workspace = workspace};
		others[kind].parts = kind == LA_TERM_PAGE ? second : first;
		others[kind].length = kind == LA_TERM_PAGE ? sizeof(second) : sizeof(first);
		others[kind].digest = digest_of(&others[kind]);
		asked[kind] = &others[kind];
	}
	qsort(asked, lengthof(asked), sizeof(Entry *), by_digest);
	resolve(workspace, asked, lengthof(asked));
	for (int i = 0; i < n; i++)
	{
		if (entries[i]->id != 0 || room-- > 0)
			continue;
		entries[i]->id = others[entries[i]->kind].id;
		entries[i]->other = true;
	}
}

/* Give numbers to entries that this backend does not know. */
static void
learn(int workspace, Entry **entries, int n)
{
	int missing;
	int room;

	for (int i = 0; i < n; i++)
		entries[i]->digest = digest_of(entries[i]);
	qsort(entries, n, sizeof(Entry *), by_digest);
	missing = find(workspace, entries, n);
	if (missing > 0)
	{
		room = room_for(workspace, missing);
		if (room < missing)
			make_others(workspace, entries, n, room);
		resolve(workspace, entries, n);
	}
	for (int i = 0; i < n; i++)
		keep(entries[i]);
}

void
track_terms(int workspace, LaTerm **terms, int n)
{
	Table distinct = {.size = pg_nextpower2_32(Max(n, 1) * 2)};
	Entry **unknown = palloc(Max(n, 1) * sizeof(Entry *));
	Entry **entry_of = palloc(Max(n, 1) * sizeof(Entry *));
	int nunknown = 0;

	kept_start();
	distinct.entries = palloc0(distinct.size * sizeof(Entry));
	for (int i = 0; i < n; i++)
	{
		Entry wanted = {.parts = terms[i]->parts,
		                .length = terms[i]->length,
		                .kind = terms[i]->kind,
		                .workspace = workspace};
		Entry *entry;

		wanted.hash = hash_bytes((const unsigned char *) wanted.parts, wanted.length) ^ (uint32) workspace ^
		              (uint32) wanted.kind << 24;
		entry = seek(&distinct, &wanted);
		if (entry->parts == NULL)
		{
			*entry = wanted;
			entry->id = seek(&kept, &wanted)->id;
			if (entry->id == 0)
				unknown[nunknown++] = entry;
		}
		entry_of[i] = entry;
	}
	if (nunknown > 0)
		learn(workspace, unknown, nunknown);
	for (int i = 0; i < n; i++)
	{
		terms[i]->id = entry_of[i]->id;
		terms[i]->other = entry_of[i]->other;
	}
}

/* Of this cluster's backends: each looks before its next batch (kept_start). */
LA_FUNCTION(la_track_forget_terms)
{
	CacheInvalidateRelcacheByRelid(get_relname_relid("term", get_namespace_oid("leadanalytics", false)));
	PG_RETURN_VOID();
}
