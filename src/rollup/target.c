/*
 * Where a fact counts: the buckets that have been made of its time, which are targets of who folds.
 */
#include "rollup/parts.h"

#define SH_PREFIX quarter
#define SH_ELEMENT_TYPE LaQuarter
#define SH_KEY_TYPE int64
#define SH_KEY number
#define SH_HASH_KEY(table, key) rollup_hash(key)
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* For facts from the first time to the last one; behind each other, there are none. */
LaTargets *
rollup_targets(int workspace, TimestampTz first, TimestampTz last)
{
	LaTargets *all = palloc0(sizeof *all);

	all->quarters = quarter_create(CurrentMemoryContext, 256, NULL);
	if (first > last)
		return all;
	all->buckets = rollup_buckets(workspace, first, last + 1, &all->nbuckets);
	all->target_of = palloc(Max(all->nbuckets, 1) * sizeof(int));
	for (int i = 0; i < all->nbuckets; i++)
		all->target_of[i] = -1;
	return all;
}

static int
add_target(LaTargets *all, const LaBucket *bucket, TimestampTz starts)
{
	if (all->ntargets == all->room)
		all->targets = all->room == 0
		                   ? palloc((all->room = 64) * sizeof(LaTarget))
		                   : repalloc_huge(all->targets, (Size) (all->room *= 2) * sizeof(LaTarget));
	all->targets[all->ntargets] = (LaTarget){bucket->grain, bucket->grain == 'q' ? "" : bucket->zone, starts,
	                                         bucket->grain == 'q' ? starts + LA_QUARTER : bucket->ends};
	return all->ntargets++;
}

/* The buckets around a quarter of an hour: no zone's day begins inside one. */
static void
find_around(LaTargets *all, LaQuarter *quarter)
{
	TimestampTz starts = quarter->number * LA_QUARTER;

	quarter->n = 0;
	quarter->targets = NULL;
	for (int i = 0; i < all->nbuckets && all->buckets[i].starts <= starts; i++)
	{
		const LaBucket *bucket = &all->buckets[i];
		int target;

		if (bucket->ends <= starts)
			continue;
		if (bucket->grain == 'q')
			target = add_target(all, bucket, starts);
		else
		{
			if (all->target_of[i] < 0)
				all->target_of[i] = add_target(all, bucket, bucket->starts);
			target = all->target_of[i];
		}
		quarter->targets = quarter->n == 0 ? palloc(sizeof(int))
		                                   : repalloc(quarter->targets, (quarter->n + 1) * sizeof(int));
		quarter->targets[quarter->n++] = target;
	}
}

/* Of the quarter of an hour that the time lies in. Stays where it is until the next one is asked for. */
const LaQuarter *
rollup_targets_at(LaTargets *all, TimestampTz at)
{
	int64 number = rollup_floor(at, LA_QUARTER) / LA_QUARTER;
	bool found;

	if (all->last != NULL && all->last->number == number)
		return all->last;
	all->last = quarter_insert(all->quarters, number, &found);
	if (!found)
		find_around(all, all->last);
	return all->last;
}

void
rollup_targets_add(LaTargets *all, const LaBucket *bucket, TimestampTz starts)
{
	for (int i = 0; i < all->ntargets; i++)
	{
		const LaTarget *target = &all->targets[i];

		if (target->starts == starts && target->grain == bucket->grain &&
		    (bucket->grain == 'q' || strcmp(target->zone, bucket->zone) == 0))
			return;
	}
	add_target(all, bucket, starts);
}
