/*
 * Points as bytes. Private to the files of the trail.
 *
 * A row of leadanalytics.trail is a part of a day (UTC) of a step. Its points, in the order of time, number,
 * sign:
 *
 *	byte	version and flags: 1, or 3 when signs are written
 *	n ×	the time since the point before, the first one's since the day began, in µs
 *		the number; with signs twice that, and one more when it is taken back
 *	4 bytes	CRC-32C of the row's key, n and all before
 *
 * Both are numbers of 7 bits a byte, the low ones first, the top bit set on all but the last. Nothing of it
 *is believed before the sum agrees, and no length even then. Parts of a day add up, as those of segments do.
 */
#ifndef LA_ROLLUP_POINTS_H
#define LA_ROLLUP_POINTS_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "port/pg_bitutils.h"
#include "utils/date.h"

#include "rollup/trail.h"

typedef struct LaPartKey
{
	int workspace;
	int step;
	DateADT day;
	int part;
	int n;
	char kind;
} LaPartKey;

/* Where a reader of a part stands: at its point, of which left say how many follow. */
typedef struct LaPartReader
{
	LaPoint point;
	const uint8 *next;
	const uint8 *end;
	int left;
	bool with_signs;
} LaPartReader;

#define LA_POINTS_VERSION 1
#define LA_POINTS_SIGNS 2

extern Datum rollup_pack_points(LaPartKey key, const LaPoint *points);
/* What is wrong with a part's bytes (detoasted), NULL: nothing that shows before they are read. */
extern const char *rollup_points_fault(const LaPartKey *key, Datum value);
/* Before the first point. The value is detoasted; its bytes are read from there. */
extern void rollup_open_points(LaPartReader *reader, const LaPartKey *key, Datum value);
extern void rollup_points_damaged(const char *what) pg_attribute_noreturn();

extern void rollup_sort_points(LaPoint *points, int64 n); /* by step, time, number, sign */
/* Without those that cancel each other out; returns how many are left. */
extern int64 rollup_cancel_points(LaPoint *points, int64 n);

static inline TimestampTz
rollup_day_starts(DateADT day)
{
	return day * USECS_PER_DAY;
}

/* The day that a time lies in. */
static inline DateADT
rollup_day_of(TimestampTz at)
{
	if (TIMESTAMP_NOT_FINITE(at))
		return at < 0 ? DATEVAL_NOBEGIN : DATEVAL_NOEND;
	return at / USECS_PER_DAY - (at % USECS_PER_DAY < 0);
}

static inline uint64
rollup_unpack_slowly(LaPartReader *reader)
{
	uint64 number = 0;

	for (int shift = 0; shift < 64; shift += 7)
	{
		uint8 byte;

		if (reader->next == reader->end)
			rollup_points_damaged("they are cut off");
		byte = *reader->next++;
		number |= (uint64) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	rollup_points_damaged("there is a number that is none");
}

/* Numbers of up to 8 bytes at once: how many there are cannot be guessed, and a loop would guess. */
static inline uint64
rollup_unpack(LaPartReader *reader)
{
#ifndef WORDS_BIGENDIAN
	if (likely(reader->end - reader->next >= (ptrdiff_t) sizeof(uint64)))
	{
		uint64 bytes;
		uint64 last;

		memcpy(&bytes, reader->next, sizeof bytes);
		last = ~bytes & UINT64CONST(0x8080808080808080);
		if (likely(last != 0))
		{
			int bits = pg_rightmost_one_pos64(last) + 1;

			reader->next += bits / 8;
			bytes &= ~UINT64CONST(0) >> (64 - bits);
			bytes =
			    (bytes & UINT64CONST(0x007f007f007f007f)) | (bytes & UINT64CONST(0x7f007f007f007f00)) >> 1;
			bytes =
			    (bytes & UINT64CONST(0x00003fff00003fff)) | (bytes & UINT64CONST(0x3fff00003fff0000)) >> 2;
			return (bytes & UINT64CONST(0x0fffffff)) | (bytes & UINT64CONST(0x0fffffff00000000)) >> 4;
		}
	}
#endif
	return rollup_unpack_slowly(reader);
}

/* On to the next point; false: that was the last. */
static inline bool
rollup_next_point(LaPartReader *reader)
{
	uint64 number;

	if (reader->left == 0)
	{
		if (reader->next != reader->end)
			rollup_points_damaged("there are too many");
		return false;
	}
	reader->left--;
	reader->point.at += rollup_unpack(reader);
	number = rollup_unpack(reader);
	if (reader->with_signs)
	{
		reader->point.sign = number & 1 ? -1 : 1;
		number >>= 1;
	}
	reader->point.number = number;
	return true;
}

#endif
