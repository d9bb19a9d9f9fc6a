/*
 * SHA-256 and HMAC-SHA256; the contract is in bytes.h.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/hmac.h"
#include "common/sha2.h"

#include "core/bytes.h"
#include "core/export.h"

void
la_sha256(const void *bytes, Size length, uint8 digest[LA_SHA256_LENGTH])
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);

	StaticAssertStmt(LA_SHA256_LENGTH == PG_SHA256_DIGEST_LENGTH, "a SHA-256 has 32 bytes");
	if (pg_cryptohash_init(hash) < 0 || pg_cryptohash_update(hash, bytes, length) < 0 ||
	    pg_cryptohash_final(hash, digest, LA_SHA256_LENGTH) < 0)
		elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(hash));
	pg_cryptohash_free(hash);
}

void
la_hmac_sha256(const void *key, Size key_length, const void *bytes, Size length,
               uint8 digest[LA_SHA256_LENGTH])
{
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);

	if (pg_hmac_init(hmac, key, key_length) < 0 || pg_hmac_update(hmac, bytes, length) < 0 ||
	    pg_hmac_final(hmac, digest, LA_SHA256_LENGTH) < 0)
		elog(ERROR, "could not compute HMAC-SHA256: %s", pg_hmac_error(hmac));
	pg_hmac_free(hmac);
}

LA_FUNCTION(la_core_hmac_sha256)
{
	bytea *bytes = PG_GETARG_BYTEA_PP(0);
	bytea *key = PG_GETARG_BYTEA_PP(1);
	bytea *digest = palloc(VARHDRSZ + LA_SHA256_LENGTH);

	la_hmac_sha256(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes),
	               (uint8 *) VARDATA(digest));
	SET_VARSIZE(digest, VARHDRSZ + LA_SHA256_LENGTH);
	PG_RETURN_BYTEA_P(digest);
}

/* How long it takes tells nothing of where they differ. */
LA_FUNCTION(la_core_same_secret)
{
	bytea *a = PG_GETARG_BYTEA_PP(0);
	bytea *b = PG_GETARG_BYTEA_PP(1);

	PG_RETURN_BOOL(VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
	               timingsafe_bcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0);
}
