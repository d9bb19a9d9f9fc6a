/*
 * What a search finds leads by: the sequences of one, two and three characters of a text, as 64-bit hashes
 * in a GIN index of bigint[], which PostgreSQL has built in (pg_trgm would be one more extension, and knows
 * nothing of two characters or of workspaces: the workspace is in the hash, so a search reads its own rows
 * alone). Whether a row really contains the text is asked of the row again.
 *
 * A change of the hash is a change of the index: REINDEX in the update script.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/export.h"
#include "leads/leads.h"

static int
compare(const void *a, const void *b)
{
	int64 left = *(const int64 *) a, right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}

/* Of every sequence of shortest to LA_LEADS_GRAM characters, each once. */
static ArrayType *
grams(int workspace, text *haystack, int shortest)
{
	const char *c = VARDATA_ANY(haystack);
	const char *end = c + VARSIZE_ANY_EXHDR(haystack);
	int64 *hashes = palloc(sizeof(int64) * LA_LEADS_GRAM * (end - c + 1));
	Datum *values;
	int count = 0, kept = 0;

	for (; c < end; c += pg_mblen(c))
	{
		const char *to = c;

		for (int length = 1; length <= LA_LEADS_GRAM && to < end; length++)
		{
			to += Min(pg_mblen(to), end - to);
			if (length >= shortest)
				hashes[count++] =
				    DatumGetInt64(hash_any_extended((const unsigned char *) c, to - c, (uint32) workspace));
		}
	}
	qsort(hashes, count, sizeof(int64), compare);
	values = palloc(sizeof(Datum) * (count + 1));
	for (int i = 0; i < count; i++)
		if (i == 0 || hashes[i] != hashes[i - 1])
			values[kept++] = Int64GetDatum(hashes[i]);
	return construct_array(values, kept, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

LA_FUNCTION(la_leads_grams)
{
	PG_RETURN_ARRAYTYPE_P(grams(PG_GETARG_INT32(0), PG_GETARG_TEXT_PP(1), 1));
}

/* Those that every row containing the text has: the longest there are. */
LA_FUNCTION(la_leads_needle_grams)
{
	text *needle = PG_GETARG_TEXT_PP(1);
	int length = pg_mbstrlen_with_len(VARDATA_ANY(needle), VARSIZE_ANY_EXHDR(needle));

	PG_RETURN_ARRAYTYPE_P(grams(PG_GETARG_INT32(0), needle, Min(length, LA_LEADS_GRAM)));
}
