/*
 * Bytes: their SHA-256, and the digits they are written in.
 */
#ifndef LA_BYTES_H
#define LA_BYTES_H

#define LA_SHA256_LENGTH 32

/* The SHA-256 of so many bytes. */
extern void la_sha256(const void *bytes, Size length, uint8 digest[LA_SHA256_LENGTH]);

/* Their HMAC-SHA256 with a key. */
extern void la_hmac_sha256(const void *key, Size key_length, const void *bytes, Size length,
                           uint8 digest[LA_SHA256_LENGTH]);

/* What a hexadecimal digit stands for, -1 for what is none. */
static inline int
la_hex_digit(char c)
{
	return (c >= '0' && c <= '9')   ? c - '0'
	       : (c >= 'a' && c <= 'f') ? c - 'a' + 10
	       : (c >= 'A' && c <= 'F') ? c - 'A' + 10
	                                : -1;
}

#endif
