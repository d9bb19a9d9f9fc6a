/*
 * API keys: making their secret, and finding one by its text.
 *
 * A key's text is its role's prefix and 64 hexadecimal digits (32 random bytes). Kept are the SHA-256
 * of the whole text and, to find the row, everything but the last 52 digits: the prefix and the first
 * 12. As the digits have a fixed number, the row is found without knowing the roles' prefixes, and a
 * prefix that begins another one (dk_, dk_agent_) needs no rule.
 *
 * A plain hash is enough, unlike for passwords: nobody guesses 256 random bits.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/bytes.h"
#include "core/export.h"
#include "core/query.h"
#include "tenant/tenant.h"

#define SECRET_BYTES 32
#define HIDDEN_DIGITS 52 /* of the 64, not part of what a key is found by */
#define MAX_TEXT 128     /* longer texts are no keys; hashing stops here */

static LaQuery by_prefix = {"SELECT k.workspace, k.id, k.role, k.member, k.per_minute, k.digest, "
                            "(SELECT m.role IN ('owner', 'admin') FROM leadanalytics.member m "
                            "WHERE m.workspace = k.workspace AND m.id = k.member), "
                            "q.features, q.api_limit FROM leadanalytics.key k CROSS JOIN LATERAL "
                            "(SELECT p.features, p.api_limit FROM leadanalytics.plan p WHERE p.name = "
                            "(SELECT w.plan FROM leadanalytics.workspace w WHERE w.id = k.workspace AND "
                            "w.closed_at IS NULL) OFFSET 0) q "
                            "WHERE k.prefix = $1 AND k.revoked_at IS NULL",
                            1,
                            {TEXTOID}};

/* The text's length, and in *plausible whether it may be a key at all: anything else never meets the
 * database. */
static int
measure(const char *text, bool *plausible)
{
	int length = 0;

	*plausible = true;
	while (length < MAX_TEXT && text[length] != '\0')
	{
		char c = text[length++];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
			*plausible = false;
	}
	if (text[length] != '\0' || length <= HIDDEN_DIGITS)
		*plausible = false;
	return length;
}

bool
la_key_find(const char *text, LaKey *key)
{
	uint8 given[LA_SHA256_LENGTH];
	uint8 kept[LA_SHA256_LENGTH] = {0};
	bool plausible;
	int length = measure(text, &plausible);
	Datum prefix;
	Datum features;
	bool found;
	bool isnull;

	la_sha256(text, length, given);
	/* An implausible text is looked for like any other, as a prefix that no key has. */
	prefix = PointerGetDatum(plausible ? cstring_to_text_with_len(text, length - HIDDEN_DIGITS)
	                                   : cstring_to_text("-"));
	found = la_query_run(&by_prefix, &prefix, NULL, true, 1) == 1;
	if (found)
	{
		bytea *digest = DatumGetByteaPP(la_query_value(0, 6, &isnull));

		Assert(VARSIZE_ANY_EXHDR(digest) == sizeof(kept));
		memcpy(kept, VARDATA_ANY(digest), sizeof(kept));
	}
	/* On a miss the comparison is with zeroes: the same work, and no text hashes to them. */
	if (timingsafe_bcmp(given, kept, sizeof(kept)) != 0 || !found)
		return false;

	key->workspace = DatumGetInt32(la_query_value(0, 1, &isnull));
	key->id = DatumGetInt64(la_query_value(0, 2, &isnull));
	key->role = la_query_text(0, 3);
	key->member = DatumGetInt64(la_query_value(0, 4, &isnull));
	if (isnull)
		key->member = 0;
	key->per_minute = DatumGetInt32(la_query_value(0, 5, &isnull));
	if (isnull)
		key->per_minute = -1;
	key->manages = DatumGetBool(la_query_value(0, 7, &isnull)) && !isnull;
	features = la_query_value(0, 8, &isnull);
	key->features = isnull ? NULL : DatumGetArrayTypePCopy(features);
	key->api_limit = DatumGetInt64(la_query_value(0, 9, &isnull));
	return true;
}

bool
la_key_has_feature(const LaKey *key, const char *feature)
{
	Datum *features;
	bool *nulls;
	int n;

	if (feature == NULL || key->features == NULL)
		return true;
	deconstruct_array(key->features, TEXTOID, -1, false, TYPALIGN_INT, &features, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i] && strcmp(TextDatumGetCString(features[i]), feature) == 0)
			return true;
	return false;
}

/* 64 hexadecimal digits from the operating system's generator. */
LA_FUNCTION(la_tenant_secret)
{
	char bytes[SECRET_BYTES];
	char digits[2 * SECRET_BYTES];

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values"),
		                errhint("The operating system's random generator did not answer; try again.")));
	hex_encode(bytes, sizeof(bytes), digits);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(digits, sizeof(digits)));
}

/* What la_key_find finds, for SQL: the same code answers the door and the tests. */
LA_FUNCTION(la_tenant_find_key)
{
	char *given = text_to_cstring(PG_GETARG_TEXT_PP(0));
	LaKey key;
	bool found;

	SPI_connect();
	found = la_key_find(given, &key);
	SPI_finish();
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_INT64(key.id);
}
