/*
 * SHA-256; the contract is in bytes.h.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"

#include "core/bytes.h"

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
