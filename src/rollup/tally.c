/*
 * Counts and members by slot, dimension and value, while facts and segments are added up.
 */
#include "rollup/parts.h"

#define SH_PREFIX entry
#define SH_ELEMENT_TYPE LaEntry
#define SH_KEY_TYPE uint64
#define SH_KEY key
#define SH_HASH_KEY(table, key) rollup_hash(key)
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define FEW_ENTRIES 1024 /* without growing */

struct LaTally
{
	entry_hash *entries;
	MemoryContext context;
	LaDimensions wanted;
	int *only; /* ascending; NULL: all values */
	int nonly;
};

LaTally *
rollup_tally(LaDimensions wanted)
{
	LaTally *tally = palloc(sizeof *tally);

	tally->context = CurrentMemoryContext;
	tally->entries = entry_create(tally->context, wanted == 0 ? FEW_ENTRIES / 16 : FEW_ENTRIES, NULL);
	tally->wanted = wanted;
	tally->only = NULL;
	return tally;
}

LaDimensions
rollup_wanted(const LaTally *tally)
{
	return tally->wanted;
}

static int
by_value(const void *a, const void *b)
{
	const int left = *(const int *) a;
	const int right = *(const int *) b;

	return (left > right) - (left < right);
}

void
rollup_take_only(LaTally *tally, const int *values, int n)
{
	tally->only = MemoryContextAlloc(tally->context, Max(n, 1) * sizeof(int));
	memcpy(tally->only, values, n * sizeof(int));
	tally->nonly = n;
	qsort(tally->only, n, sizeof(int), by_value);
}

bool
rollup_takes(const LaTally *tally, int value)
{
	return tally->only == NULL || bsearch(&value, tally->only, tally->nonly, sizeof(int), by_value) != NULL;
}

/* Stays where it is until the next one is asked for. */
LaEntry *
rollup_entry(LaTally *tally, int slot, int dimension, int value)
{
	bool found;
	LaEntry *entry =
	    entry_insert(tally->entries, (uint64) slot << 40 | (uint64) dimension << 32 | (uint32) value, &found);

	if (!found)
	{
		memset(entry->counts, 0, sizeof entry->counts);
		entry->numbers = NULL;
		entry->n = entry->room = 0;
		entry->sets = NULL;
		entry->at_most = 0;
	}
	return entry;
}

/* NULL: there is none. */
LaEntry *
rollup_entry_if(const LaTally *tally, int slot, int dimension, int value)
{
	return entry_lookup(tally->entries, (uint64) slot << 40 | (uint64) dimension << 32 | (uint32) value);
}

void
rollup_add_number(LaTally *tally, LaEntry *entry, uint32 number)
{
	if (entry->n > 0 && entry->numbers[entry->n - 1] == number)
		return;
	if (entry->numbers == NULL)
		entry->numbers = MemoryContextAlloc(tally->context, (entry->room = 4) * sizeof *entry->numbers);
	else if (entry->n == entry->room)
		entry->numbers = repalloc_huge(entry->numbers, (Size) (entry->room *= 2) * sizeof *entry->numbers);
	entry->numbers[entry->n++] = number;
	entry->at_most++;
}

void
rollup_add_set(LaTally *tally, LaEntry *entry, const char *bytes, int length, int64 count)
{
	LaStoredSet *set = MemoryContextAlloc(tally->context, sizeof *set);

	set->bytes = bytes;
	set->length = length;
	set->count = count;
	set->next = entry->sets;
	entry->sets = set;
	entry->at_most += count;
}

void
rollup_move_entry(LaTally *tally, LaEntry *to, const LaEntry *from)
{
	for (int k = 0; k < LA_COUNTS; k++)
		to->counts[k] += from->counts[k];
	if (to->at_most == 0)
	{
		to->numbers = from->numbers;
		to->n = from->n;
		to->room = from->room;
		to->sets = from->sets;
		to->at_most = from->at_most;
		return;
	}
	for (int i = 0; i < from->n; i++)
		rollup_add_number(tally, to, from->numbers[i]);
	for (LaStoredSet *set = from->sets, *next; set != NULL; set = next)
	{
		next = set->next;
		set->next = to->sets;
		to->sets = set;
		to->at_most += set->count;
	}
}

void
rollup_copy_entry(LaTally *tally, LaEntry *to, const LaEntry *from)
{
	for (int k = 0; k < LA_COUNTS; k++)
		to->counts[k] += from->counts[k];
	for (int i = 0; i < from->n; i++)
		rollup_add_number(tally, to, from->numbers[i]);
	for (const LaStoredSet *set = from->sets; set != NULL; set = set->next)
		rollup_add_set(tally, to, set->bytes, set->length, set->count);
}

typedef LaEntry *EntryPointer;

#define ST_SORT sort_entries
#define ST_ELEMENT_TYPE EntryPointer
#define ST_COMPARE(a, b) ((*(a))->key < (*(b))->key ? -1 : (*(a))->key > (*(b))->key)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

LaEntry **
rollup_entries_of(const LaTally *tally, LaDimensions dimensions, int *n)
{
	LaEntry **entries = palloc(Max(tally->entries->members, 1) * sizeof *entries);
	entry_iterator at;
	LaEntry *entry;

	*n = 0;
	entry_start_iterate(tally->entries, &at);
	while ((entry = entry_iterate(tally->entries, &at)) != NULL)
		if (dimensions & LA_BIT(rollup_dimension(entry)))
			entries[(*n)++] = entry;
	return entries;
}

LaEntry **
rollup_entries(const LaTally *tally, int *n)
{
	LaEntry **entries = rollup_entries_of(tally, ~UINT64CONST(0), n);

	sort_entries(entries, *n);
	return entries;
}
