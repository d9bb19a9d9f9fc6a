/*
 * What a search finds rows by: the sequences of one, two and three characters of a text, as 64-bit hashes
 * in a GIN index of bigint[], which PostgreSQL has built in (pg_trgm would be one more extension, and knows
 * nothing of two characters or of workspaces: the workspace is in the hash, so a search reads its own rows
 * alone). Whether a row really contains the text is asked of the row again.
 *
 * A change of the hash is a change of the index: REINDEX in the update script.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/qunique.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/export.h"
#include "core/grams.h"
#include "core/query.h"

static int
compare(const void *a, const void *b)
{
	int64 left = *(const int64 *) a, right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}

static int64
hash(int workspace, const char *from, const char *to)
{
	return DatumGetInt64(hash_any_extended((const unsigned char *) from, to - from, (uint32) workspace));
}

/* Each once, as bigint[]. */
static Datum
set_of(int64 *hashes, int count)
{
	qsort(hashes, count, sizeof(int64), compare);
	return la_query_array(hashes, qunique(hashes, count, sizeof(int64), compare), INT8OID);
}

/* The end of count characters from c, at the latest the end. */
static const char *
after(const char *c, const char *end, int count)
{
	while (count-- > 0 && c < end)
		c += Min(pg_mblen(c), end - c);
	return c;
}

LA_FUNCTION(la_core_grams)
{
	text *haystack = PG_GETARG_TEXT_PP(1);
	const char *c = VARDATA_ANY(haystack);
	const char *end = c + VARSIZE_ANY_EXHDR(haystack);
	int64 *hashes = palloc(sizeof(int64) * LA_GRAM * (end - c + 1));
	int count = 0;

	for (; c < end; c = after(c, end, 1))
		for (const char *to = after(c, end, 1); to <= end; to = after(to, end, 1))
		{
			hashes[count++] = hash(PG_GETARG_INT32(0), c, to);
			if (to == end || to == after(c, end, LA_GRAM))
				break;
		}
	PG_RETURN_DATUM(set_of(hashes, count));
}

/*
 * What every row containing the text has: its grams side by side and its last one. All that overlap would
 * find hardly fewer rows, and cost a list of the index each.
 */
LA_FUNCTION(la_core_needle_grams)
{
	text *needle = PG_GETARG_TEXT_PP(1);
	const char *c = VARDATA_ANY(needle);
	const char *end = c + VARSIZE_ANY_EXHDR(needle);
	const char *last = c; /* where the last gram begins */
	int64 *hashes = palloc(sizeof(int64) * (end - c + 2));
	int count = 0;

	while (after(last, end, LA_GRAM) < end)
		last = after(last, end, 1);
	for (; c < last; c = after(c, end, LA_GRAM))
		hashes[count++] = hash(PG_GETARG_INT32(0), c, after(c, end, LA_GRAM));
	hashes[count++] = hash(PG_GETARG_INT32(0), last, end);
	PG_RETURN_DATUM(set_of(hashes, count));
}
