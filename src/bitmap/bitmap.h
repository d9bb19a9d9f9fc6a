/*
 * Exact sets of 32-bit numbers (a visitor's, a session's number in its workspace): stored as few bytes,
 * united by the hundred.
 *
 * Stored, a set is bytes whose length is kept elsewhere (a bytea's, a segment's directory), in one of two
 * forms: the portable form of Roaring bitmaps, which every Roaring library reads, or, up to 4 096 numbers and
 * where that is shorter by a quarter, a list of differences. Stored bytes are never trusted: whatever takes
 * them raises ERRCODE_DATA_CORRUPTED for bytes that are no set, before it believes any of them. They need no
 * alignment.
 *
 * Open, a set is pages of bits, one of 8 kB for each 65 536 numbers that it touched: sets are of numbers
 * given out in sequence, and 5 million of those take 0.6 MB. All of it is palloc'd: an error leaks nothing,
 * and running out of memory is an error like any other.
 */
#ifndef LA_BITMAP_H
#define LA_BITMAP_H

#include "lib/stringinfo.h"

typedef struct LaBitmap LaBitmap;

/* Building without opening: what a fold does for each of many small sets. */

/*
 * Append the set of these numbers to out, stored; returns its length in bytes. They may come in any order
 * and repeat; the array is sorted in place and afterwards holds no meaning. None makes the empty set.
 */
extern int la_bitmap_store_numbers(StringInfo out, uint32 *numbers, Size count);

/* Sort numbers and drop those that repeat; returns how many are left. */
extern Size la_bitmap_distinct(uint32 *numbers, Size count);

/* Questions about stored bytes. */

/* Write the numbers of a stored set, ascending, where room for so many is; more are damage. */
extern Size la_bitmap_stored_numbers(const void *bytes, Size length, uint32 *numbers, Size room);

/*
 * How many numbers a stored set has. It costs a look at the header, nanoseconds a container, so of damage
 * inside the containers it sees nothing: for bytes that are opened anyway, or to bound them.
 */
extern uint64 la_bitmap_stored_count(const void *bytes, Size length);

/*
 * Whether a stored set has a number: a look at the one container that would have it, whose damage alone is
 * seen. For asking about a few thousand numbers; for more, open the set.
 */
extern bool la_bitmap_stored_has(const void *bytes, Size length, uint32 number);

/* Open sets. */

/* An empty set in CurrentMemoryContext, where all its memory will be taken; deleted with it, or freed. */
extern LaBitmap *la_bitmap_create(void);
extern void la_bitmap_free(LaBitmap *set);

/* Make it empty, and keep its pages for what comes next: cheaper than another one. */
extern void la_bitmap_clear(LaBitmap *set);

extern void la_bitmap_add(LaBitmap *set, uint32 number);

/*
 * Change an open set by a stored one: put in what it has, take out what it has, leave only what it has.
 * Interruptible. When one raises, the set is some set: clear it or drop it.
 */
extern void la_bitmap_or(LaBitmap *set, const void *bytes, Size length);
extern void la_bitmap_andnot(LaBitmap *set, const void *bytes, Size length);
extern void la_bitmap_and(LaBitmap *set, const void *bytes, Size length);

/* Put in what another open set has. */
extern void la_bitmap_merge(LaBitmap *set, const LaBitmap *other);

extern uint64 la_bitmap_count(const LaBitmap *set);
extern bool la_bitmap_has(const LaBitmap *set, uint32 number);

/* How many numbers two open sets share. */
extern uint64 la_bitmap_count_both(const LaBitmap *a, const LaBitmap *b);

/*
 * In order: the first number from *cursor on, and *cursor behind it; false when there is none.
 * Begin with 0.
 */
extern bool la_bitmap_next(const LaBitmap *set, uint64 *cursor, uint32 *number);

/* Append an open set to out, stored; returns its length. Takes 4 bytes a number while it works. */
extern int la_bitmap_store(StringInfo out, const LaBitmap *set);

#endif
