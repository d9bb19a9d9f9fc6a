/*
 * Remembered answers; the contract is in idempotency.h.
 *
 * An answer is kept as it left the route's function and its envelope, with the function's own headers;
 * what the door adds to each request (CORS) is added to the second one anew.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "core/json.h"
#include "core/query.h"
#include "core/settings.h"
#include "http/idempotency.h"

#define SWEPT_AT_ONCE 50000

static LaQuery insert_row = {
    "INSERT INTO leadanalytics.idempotency (digest, at, workspace, route) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (digest) DO NOTHING",
    4,
    {UUIDOID, TIMESTAMPTZOID, INT4OID, TEXTOID}};

static LaQuery find_row = {"SELECT at, status::int, content_type, headers::text, answer "
                           "FROM leadanalytics.idempotency WHERE digest = $1",
                           1,
                           {UUIDOID}};

static LaQuery delete_old_row = {"DELETE FROM leadanalytics.idempotency "
                                 "WHERE digest = $1 AND (at <= $2 OR status IS NULL)",
                                 2,
                                 {UUIDOID, TIMESTAMPTZOID}};

static LaQuery finish_row = {
    "UPDATE leadanalytics.idempotency SET status = $2, content_type = $3, headers = $4::json, answer = $5 "
    "WHERE digest = $1",
    5,
    {UUIDOID, INT4OID, TEXTOID, TEXTOID, BYTEAOID}};

/* Locked in any order, as nobody waits for one with another in hand. */
static LaQuery sweep_rows = {"DELETE FROM leadanalytics.idempotency WHERE ctid = ANY (ARRAY("
                             "    SELECT ctid FROM leadanalytics.idempotency WHERE at <= $1 "
                             "    ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))",
                             2,
                             {TIMESTAMPTZOID, INT4OID}};

static TimestampTz
kept_since(TimestampTz now)
{
	return now - (int64) la_idempotency_keep_s * USECS_PER_SEC;
}

/* Parts with their lengths: no two lists of parts are the same bytes. */
static void
add_part(pg_cryptohash_ctx *hash, const char *bytes, int length)
{
	uint32 size = bytes ? length : PG_UINT32_MAX;

	if (pg_cryptohash_update(hash, (const uint8 *) &size, sizeof(size)) < 0 ||
	    (bytes && pg_cryptohash_update(hash, (const uint8 *) bytes, length) < 0))
		elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(hash));
}

static void
add_text(pg_cryptohash_ctx *hash, const char *text)
{
	add_part(hash, text, text ? strlen(text) : 0);
}

static void
digest_of(const LaRoute *route, const LaRequest *request, const LaKey *key, pg_uuid_t *digest)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	uint8 whole[PG_SHA256_DIGEST_LENGTH];
	ListCell *cell;

	if (pg_cryptohash_init(hash) < 0)
		elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(hash));
	add_text(hash, key ? psprintf("%d", key->workspace) : NULL);
	add_text(hash, key ? key->role : NULL);
	add_text(hash, route->method);
	foreach (cell, request->segments)
		add_text(hash, lfirst(cell));
	add_text(hash, NULL);
	add_text(hash, request->idempotency_key);
	if (key == NULL)
	{
		foreach (cell, request->query)
		{
			const LaPair *pair = lfirst(cell);

			add_text(hash, pair->name);
			add_text(hash, pair->value);
		}
		add_text(hash, NULL);
		add_text(hash, request->origin ? request->origin : request->referer);
		add_part(hash, request->body, request->body_length);
	}
	if (pg_cryptohash_final(hash, whole, sizeof(whole)) < 0)
		elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(hash));
	pg_cryptohash_free(hash);
	memcpy(digest->data, whole, UUID_LEN);
}

/* False for a row that nobody's work wrote. */
static bool
is_answered(void)
{
	bool isnull;

	(void) la_query_value(0, 2, &isnull);
	return !isnull;
}

/* The answer in the row found. */
static LaAnswer *
found_answer(void)
{
	bool isnull;
	LaAnswer *answer = la_answer_make(DatumGetInt32(la_query_value(0, 2, &isnull)));
	char *headers = la_query_text(0, 4);
	bytea *body = DatumGetByteaPP(la_query_value(0, 5, &isnull));
	const char *error;

	answer->content_type = la_query_text(0, 3);
	appendBinaryStringInfo(&answer->body, VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body));
	if (headers != NULL)
		la_json_foreach (header, la_json_parse(headers, strlen(headers), &error))
			la_answer_header(answer, header->key, header->text);
	la_answer_header(answer, "Idempotency-Replayed", "true");
	return answer;
}

LaAnswer *
la_idempotency_claim(const LaRoute *route, const LaRequest *request, const LaKey *key, pg_uuid_t *claim)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Datum digest = UUIDPGetDatum(claim);
	Datum row[4] = {digest, TimestampTzGetDatum(now), Int32GetDatum(key ? key->workspace : 0),
	                CStringGetTextDatum(psprintf("%s %s", route->method, route->path))};
	Datum old[2] = {digest, TimestampTzGetDatum(kept_since(now))};

	digest_of(route, request, key, claim);
	for (;;)
	{
		bool isnull;

		/* waits for whoever holds the claim */
		if (la_query_run(&insert_row, row, key ? NULL : "  n ", false, 0) == 1)
			return NULL;
		/* no row: it was swept just now; an old one should have been */
		if (la_query_run(&find_row, &digest, NULL, false, 1) == 1)
		{
			if (DatumGetTimestampTz(la_query_value(0, 1, &isnull)) > kept_since(now) && is_answered())
				return found_answer();
			la_query_run(&delete_old_row, old, NULL, false, 0);
		}
	}
}

/* The function's own headers as a JSON object, NULL without any. */
static char *
headers_of(const LaAnswer *answer)
{
	StringInfoData object;
	ListCell *cell;

	if (answer->headers == NIL)
		return NULL;
	initStringInfo(&object);
	foreach (cell, answer->headers)
	{
		const LaPair *pair = lfirst(cell);

		appendStringInfoChar(&object, object.len > 0 ? ',' : '{');
		la_json_quote(&object, pair->name);
		appendStringInfoChar(&object, ':');
		la_json_quote(&object, pair->value);
	}
	appendStringInfoChar(&object, '}');
	return object.data;
}

void
la_idempotency_remember(const pg_uuid_t *claim, const LaAnswer *answer)
{
	char *headers = headers_of(answer);
	char nulls[] = "     ";
	Datum values[5] = {UUIDPGetDatum(claim), Int32GetDatum(answer->status)};

	if (answer->content_type != NULL)
		values[2] = CStringGetTextDatum(answer->content_type);
	else
		nulls[2] = 'n';
	if (headers != NULL)
		values[3] = CStringGetTextDatum(headers);
	else
		nulls[3] = 'n';
	values[4] = PointerGetDatum(cstring_to_text_with_len(answer->body.data, answer->body.len));
	la_query_run(&finish_row, values, nulls, false, 0);
}

LA_FUNCTION(la_http_sweep_idempotency)
{
	Datum values[2] = {TimestampTzGetDatum(kept_since(PG_GETARG_TIMESTAMPTZ(0))),
	                   Int32GetDatum(SWEPT_AT_ONCE)};
	uint64 swept;

	SPI_connect();
	swept = la_query_run(&sweep_rows, values, NULL, false, 0);
	SPI_finish();
	PG_RETURN_INT32((int32) swept);
}
