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

static int
by_number(const void *a, const void *b)
{
	const uint32 left = *(const uint32 *) a;
	const uint32 right = *(const uint32 *) b;

	return (left > right) - (left < right);
}

static bool
has_member(const LaEntry *entry, const uint32 *numbers, int n)
{
	for (const LaStoredSet *set = entry->sets; set != NULL; set = set->next)
		for (int i = 0; i < n; i++)
			if (la_bitmap_stored_has(set->bytes, set->length, numbers[i]))
				return true;
	return false;
}

/* Take these numbers, ascending, out of an entry that was read; whether it had any. */
bool
rollup_remove_members(LaTally *tally, LaEntry *entry, const uint32 *gone, int ngone)
{
	StringInfoData kept;
	int64 count = 0;
	int length;

	Assert(entry->n == 0);
	if (!has_member(entry, gone, ngone))
		return false;
	initStringInfo(&kept);
	if (entry->at_most <= FEW)
	{
		int n;
		uint32 *numbers = list_members(entry, &n);

		for (int i = 0; i < n; i++)
			if (bsearch(&numbers[i], gone, ngone, sizeof *gone, by_number) == NULL)
				numbers[count++] = numbers[i];
		count = la_bitmap_distinct(numbers, count);
		length = la_bitmap_store_numbers(&kept, numbers, count);
		pfree(numbers);
	}
	else
	{
		LaBitmap *all = open_members(entry);
		uint32 *numbers = palloc(ngone * sizeof *numbers);
		StringInfoData out;

		memcpy(numbers, gone, ngone * sizeof *numbers);
		initStringInfo(&out);
		la_bitmap_store_numbers(&out, numbers, ngone);
		la_bitmap_andnot(all, out.data, out.len);
		count = la_bitmap_count(all);
		length = la_bitmap_store(&kept, all);
		la_bitmap_free(all);
		pfree(out.data);
		pfree(numbers);
	}
	entry->sets = NULL;
	entry->at_most = 0;
	if (count > 0)
		rollup_add_set(tally, entry, kept.data, length, count);
	return true;
}
