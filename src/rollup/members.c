/*
 * The members of an entry: distinct numbers among single ones and stored sets.
 *
 * Few are written out and sorted; many are put into a bitmap that is kept from one entry to the next.
 */
#include "rollup/parts.h"

#include "bitmap/bitmap.h"

#define FEW 2048 /* numbers that are sorted rather than put into pages of bits */

static LaBitmap *
open_members(const LaEntry *entry)
{
	LaBitmap *all = la_bitmap_create();

	for (const LaStoredSet *set = entry->sets; set != NULL; set = set->next)
		la_bitmap_or(all, set->bytes, set->length);
	for (int i = 0; i < entry->n; i++)
		la_bitmap_add(all, entry->numbers[i]);
	return all;
}

static uint32 *
list_members(const LaEntry *entry, int *n)
{
	uint32 *numbers = palloc(Max(entry->at_most, 1) * sizeof *numbers);

	memcpy(numbers, entry->numbers, entry->n * sizeof *numbers);
	*n = entry->n;
	for (const LaStoredSet *set = entry->sets; set != NULL; set = set->next)
		*n += la_bitmap_stored_numbers(set->bytes, set->length, numbers + *n, entry->at_most - *n);
	return numbers;
}

int64
rollup_count_members(const LaEntry *entry)
{
	int64 count;

	if (entry->at_most == 0)
		return 0;
	if (entry->n == 0 && entry->sets->next == NULL)
		return entry->sets->count;
	if (entry->at_most <= FEW)
	{
		int n;
		uint32 *numbers = list_members(entry, &n);

		count = la_bitmap_distinct(numbers, n);
		pfree(numbers);
	}
	else
	{
		LaBitmap *all = open_members(entry);

		count = la_bitmap_count(all);
		la_bitmap_free(all);
	}
	return count;
}

/* Append them to out, stored; returns the length, and how many there are. */
int
rollup_store_members(StringInfo out, const LaEntry *entry, int64 *count)
{
	int length;

	if (entry->n == 0 && entry->sets != NULL && entry->sets->next == NULL)
	{
		*count = entry->sets->count;
		appendBinaryStringInfo(out, entry->sets->bytes, entry->sets->length);
		return entry->sets->length;
	}
	if (entry->sets == NULL || entry->at_most <= FEW)
	{
		int n;
		uint32 *numbers = list_members(entry, &n);

		*count = la_bitmap_distinct(numbers, n);
		length = la_bitmap_store_numbers(out, numbers, *count);
		pfree(numbers);
	}
	else
	{
		LaBitmap *all = open_members(entry);

		*count = la_bitmap_count(all);
		length = la_bitmap_store(out, all);
		la_bitmap_free(all);
	}
	return length;
}
