/*
 * Who did some named things, stretch by stretch: see rollup.h.
 */
#include "rollup/rollup.h"

#include "miscadmin.h"

#include "rollup/parts.h"

static void
unite(LaBitmap *all, const LaEntry *entry)
{
	for (const LaStoredSet *set = entry->sets; set != NULL; set = set->next)
		la_bitmap_or(all, set->bytes, set->length);
	for (int i = 0; i < entry->n; i++)
		la_bitmap_add(all, entry->numbers[i]);
}

void
la_rollup_active(int workspace, TimestampTz *bounds, int nstretches, const int *names, int nnames,
                 LaTakeSet take, void *arg)
{
	LaTally *tally = rollup_tally(LA_BIT(LA_NAME) | LA_BIT(LA_PERSON));
	LaGather gather = {.workspace = workspace,
	                   .bounds = bounds,
	                   .nslots = nstretches,
	                   .with_tail = true,
	                   .with_sets = true,
	                   .coarsest = 'm'};
	LaBitmap *all = la_bitmap_create();
	LaEntry **entries;
	int n;

	rollup_take_only(tally, names, nnames);
	rollup_gather(&gather, tally);
	rollup_tell_moved(&gather);
	entries = rollup_entries(tally, &n);
	for (int i = 0; i < n;)
	{
		int stretch = rollup_slot(entries[i]);

		CHECK_FOR_INTERRUPTS();
		la_bitmap_clear(all);
		for (; i < n && rollup_slot(entries[i]) == stretch; i++)
			unite(all, entries[i]);
		take(stretch, all, arg);
	}
	la_bitmap_free(all);
}
