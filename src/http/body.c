/*
 * Undoing Content-Encoding; the contract is in body.h.
 *
 * zlib's memory is the memory context's, so that an error or a cancelled statement on the way frees it.
 */
#include "postgres.h"

#include <zlib.h>

#include "miscadmin.h"

#include "http/body.h"

/* When nginx does not say: what it lets pass on most paths. */
#define USUAL_LIMIT (1024 * 1024)
/* Whatever nginx says: what the tree of a body needs is a multiple of it. */
#define HIGHEST_LIMIT (64 * 1024 * 1024)
/* Input and output between two looks at whether the statement was cancelled. */
#define STEP (256 * 1024)

/* zlib's windowBits */
#define ZLIB_STREAM 15
#define RAW_STREAM (-15)
#define GZIP_STREAM (15 + 16)

typedef enum Outcome
{
	DONE,
	DAMAGED,
	TOO_LARGE,
} Outcome;

typedef struct Plain
{
	char *bytes; /* with room for a NUL */
	int length;
	int room;
} Plain;

static voidpf
allocate(voidpf unused, uInt count, uInt size)
{
	return palloc((Size) count * size);
}

static void
release(voidpf unused, voidpf address)
{
	pfree(address);
}

/* RFC 1950: the method is 8, and the first two bytes are a multiple of 31. */
static bool
has_zlib_header(const char *bytes, int length)
{
	const unsigned char *c = (const unsigned char *) bytes;

	return length >= 2 && (c[0] & 0x0f) == 8 && (c[0] >> 4) <= 7 && (c[0] * 256 + c[1]) % 31 == 0;
}

static void
make_room(Plain *plain, int limit)
{
	int wanted = Min((int64) plain->room * 2, limit + 1);

	plain->bytes = repalloc(plain->bytes, wanted + 1);
	plain->room = wanted;
}

/* The stream, and those that follow it in a gzip body. One byte more than limit is TOO_LARGE. */
static Outcome
run_streams(z_stream *stream, int left, bool gzip, int limit, Plain *plain)
{
	for (;;)
	{
		int room = Min(plain->room - plain->length, STEP);
		int result;

		CHECK_FOR_INTERRUPTS();
		if (stream->avail_in == 0)
		{
			stream->avail_in = Min(left, STEP);
			left -= stream->avail_in;
		}
		stream->next_out = (Bytef *) plain->bytes + plain->length;
		stream->avail_out = room;
		result = inflate(stream, Z_NO_FLUSH);
		plain->length += room - stream->avail_out;
		if (plain->length > limit)
			return TOO_LARGE;
		if (result == Z_STREAM_END)
		{
			if (stream->avail_in == 0 && left == 0)
				return DONE;
			if (!gzip || inflateReset(stream) != Z_OK)
				return DAMAGED;
		}
		else if (result != Z_OK || (stream->avail_in == 0 && left == 0 && stream->avail_out > 0))
			return DAMAGED; /* or it ends early */
		if (plain->length == plain->room)
			make_room(plain, limit);
	}
}

static Outcome
decompress(const char *bytes, int length, bool gzip, int limit, Plain *plain)
{
	z_stream stream = {.zalloc = allocate, .zfree = release, .next_in = (z_const Bytef *) bytes};
	int kind = gzip ? GZIP_STREAM : has_zlib_header(bytes, length) ? ZLIB_STREAM : RAW_STREAM;
	Outcome outcome;

	if (inflateInit2(&stream, kind) != Z_OK)
		elog(ERROR, "zlib %s cannot be used", zlibVersion());
	plain->room = Min(Max((int64) length * 4, 8192), limit + 1);
	plain->bytes = palloc(plain->room + 1);
	plain->length = 0;
	outcome = run_streams(&stream, length, gzip, limit, plain);
	inflateEnd(&stream);
	return outcome;
}

static const LaProblem *
problem(int status, const char *message)
{
	LaProblem *problem = palloc0(sizeof(LaProblem));

	problem->status = status;
	problem->message = message;
	return problem;
}

static int
limit_of(const LaRequest *request)
{
	long limit = request->body_limit ? strtol(request->body_limit, NULL, 10) : 0;

	return limit > 0 ? Min(limit, HIGHEST_LIMIT) : USUAL_LIMIT;
}

const LaProblem *
la_body_decode(LaRequest *request)
{
	const char *coding = request->encoding;
	bool gzip;
	Plain plain;

	if (coding == NULL || request->body_length == 0 || pg_strcasecmp(coding, "identity") == 0)
		return NULL;
	gzip = pg_strcasecmp(coding, "gzip") == 0 || pg_strcasecmp(coding, "x-gzip") == 0;
	if (!gzip && pg_strcasecmp(coding, "deflate") != 0)
		return problem(415, NULL);
	switch (decompress(request->body, request->body_length, gzip, limit_of(request), &plain))
	{
		case DAMAGED:
			return problem(400, "Invalid request body");
		case TOO_LARGE:
			return problem(413, NULL);
		case DONE:
			break;
	}
	plain.bytes[plain.length] = '\0';
	request->body = plain.bytes;
	request->body_length = plain.length;
	request->encoding = NULL; /* a second try finds it done */
	return NULL;
}
