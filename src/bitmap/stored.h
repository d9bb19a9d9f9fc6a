/*
 * The stored form of a set, inside room bitmap: reading that trusts nothing, and writing. Plain C without
 * PostgreSQL, so that test/fuzz/stored.c can run it under sanitizers.
 *
 * Form 1, the portable form of Roaring bitmaps (https://github.com/RoaringBitmap/RoaringFormatSpec).
 * Form 2, for up to LIST_MAX numbers where it is shorter by a quarter (a number of it takes longer to read):
 * byte 1, then numbers of 7 bits a byte, the low ones first, the top bit set on all but a number's last byte:
 * how many there are; the first; and of each further one how much more it is than the one before plus one.
 * The first byte tells the forms apart: Roaring's is 58 or 59.
 */
#ifndef LA_BITMAP_STORED_H
#define LA_BITMAP_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_NUMBERS 65536             /* numbers of a page, or container: those with equal upper halves */
#define PAGE_WORDS (PAGE_NUMBERS / 64) /* as bits */
#define ARRAY_MAX 4096                 /* more numbers of a container than that are bits */
#define LIST_MAX 4096                  /* numbers that are written as a list */
#define LIST_PART 512                  /* numbers of a list that are read at a time */

typedef enum PartKind
{
	PART_END,
	PART_DAMAGED, /* the reader says why */
	PART_LIST,    /* count numbers in reader->numbers, ascending */
	PART_ARRAY,   /* count uint16, ascending, in data: the lower halves */
	PART_BITS,    /* PAGE_WORDS uint64 in data */
	PART_RUNS,    /* runs pairs of uint16 in data: first, and how many follow it */
} PartKind;

/* One part of a stored set: whole and sound, so that what uses it need check nothing. */
typedef struct StoredPart
{
	uint16_t key; /* the upper half of a container's numbers */
	uint32_t count;
	uint32_t runs;
	const uint8_t *data; /* inside the stored bytes, unaligned, little-endian */
} StoredPart;

typedef struct StoredReader
{
	const uint8_t *at; /* what comes next */
	const uint8_t *end;
	const uint8_t *begin;
	const uint8_t *keys;      /* of containers: key and count less one, uint16 each */
	const uint8_t *run_flags; /* NULL: no container has runs */
	const uint8_t *offsets;   /* where containers begin; NULL: not said */
	uint32_t containers;
	uint32_t container; /* the next one */
	bool is_list;
	uint32_t left;  /* numbers of a list to come */
	uint64_t least; /* the next number of a list is at least that */
	const char *damage;
	uint32_t numbers[LIST_PART];
} StoredReader;

/* Begin with bytes; false: they are damaged, the reader says why. */
extern bool stored_open(StoredReader *reader, const void *bytes, size_t length);

/* What comes next. */
extern PartKind stored_next(StoredReader *reader, StoredPart *part);

/*
 * Go to the container with that key, where the header says where it is: others are then not looked at. False:
 * there is none. Without such a header, and in a list, nothing is skipped.
 */
extern bool stored_seek(StoredReader *reader, uint16_t key);

/* The count that the header of an opened reader claims. */
extern uint64_t stored_claims(const StoredReader *reader);

/* Bytes that a set takes, from its numbers ascending without repeats, and writing that many. */
extern size_t stored_size(const uint32_t *numbers, size_t count);
extern void stored_write(uint8_t *out, const uint32_t *numbers, size_t count);

/* Bits set in so many words, aligned or not. */
extern uint32_t count_bits(const uint8_t *words, uint32_t count);

#endif
