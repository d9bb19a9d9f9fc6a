/*
 * Which values are shown, and in which order.
 *
 * A value has at most as many members as its sets have together, so in the order of that bound the first n by
 * members are found as soon as no other value can have more than the n-th.
 */
#include "rollup/parts.h"

#include "miscadmin.h"

static int
compare_texts(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (b != NULL) - (a != NULL);
	return strcmp(a, b);
}

static int
by_count(const void *a, const void *b)
{
	const LaShown *left = a;
	const LaShown *right = b;

	if (left->counts[0] != right->counts[0])
		return left->counts[0] < right->counts[0] ? 1 : -1;
	return compare_texts(left->text, right->text);
}

static int
by_bound(const void *a, const void *b)
{
	const LaShown *left = a;
	const LaShown *right = b;

	return (left->whole->at_most < right->whole->at_most) - (left->whole->at_most > right->whole->at_most);
}

static int
by_members(const void *a, const void *b)
{
	const LaShown *left = a;
	const LaShown *right = b;

	if (left->members != right->members)
		return left->members < right->members ? 1 : -1;
	return by_count(a, b);
}

int
rollup_rank(LaShown *groups, int n, int top, bool members)
{
	int best = 0;

	if (!members)
	{
		qsort(groups, n, sizeof(LaShown), by_count);
		return top == 0 ? n : Min(n, top);
	}
	qsort(groups, n, sizeof(LaShown), by_bound);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (top > 0 && best == top && groups[i].whole->at_most < groups[best - 1].members)
			break;
		groups[i].members = rollup_count_members(groups[i].whole);
		/* the best so far stand first, in their order */
		if (top > 0)
		{
			LaShown one = groups[i];
			int at = best < top ? best : best - 1;

			if (best == top && by_members(&one, &groups[at]) > 0)
				continue;
			groups[i] = groups[at];
			if (best < top)
				best++;
			for (; at > 0 && by_members(&one, &groups[at - 1]) < 0; at--)
				groups[at] = groups[at - 1];
			groups[at] = one;
		}
	}
	if (top > 0)
		return best;
	qsort(groups, n, sizeof(LaShown), by_members);
	return n;
}
