/*
 * The negative fold of segments: counts of the facts that go are taken off, numbers that go are taken out of
 * the sets, and what counts nothing any more vanishes. Cost follows what is kept of the touched buckets, and
 * only their dimensions that change are written again; parts become one.
 *
 * All facts of a visitor go at once, so nothing has to be counted to take his number out of a set. Others may
 * have shown a fingerprint of his: unfold_shared.c. Finer buckets come first: coarser ones are asked what
 * those have left.
 *
 * Of time whose rows were dropped, counts stay as they are, sums that name nobody; sets lose the numbers.
 */
#include "rollup/segment.h"

#include "bitmap/bitmap.h"
#include "catalog/pg_type.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/builtins.h"

static LaQuery delete_buckets = {
    "DELETE FROM leadanalytics.bucket b WHERE b.workspace = $1 AND b.ends > $2 AND b.starts < $3 "
    "AND b.starts >= $4 AND NOT EXISTS (SELECT FROM leadanalytics.segment s WHERE s.workspace = $1 "
    "AND s.grain = b.grain AND s.zone = b.zone AND s.dimension = 1 "
    "AND s.bucket >= b.starts AND s.bucket < b.ends)",
    4,
    {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

/* What a slot has, among entries in the order of slots. */
typedef struct Stretch
{
	LaEntry **entries;
	int n;
} Stretch;

static Stretch
stretch_of(LaEntry **entries, int n, int slot)
{
	int low = 0;
	int high = n;
	int end;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (rollup_slot(entries[middle]) < slot)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < n && rollup_slot(entries[end]) == slot; end++)
		;
	return (Stretch){entries + low, end - low};
}

static LaDimensions
dimensions_of(const Stretch *stretch)
{
	LaDimensions all = 0;

	for (int i = 0; i < stretch->n; i++)
		all |= LA_BIT(rollup_dimension(stretch->entries[i]));
	return all;
}

static LaDimensions
with_sets(void)
{
	LaDimensions all = rollup_all();

	for (int dimension = 0; dimension < 64; dimension++)
		if ((all & LA_BIT(dimension)) && !rollup_has_set(dimension))
			all &= ~LA_BIT(dimension);
	return all;
}

static int64
weight_of(const LaTally *tally)
{
	int64 weight = 0;
	int n;
	LaEntry **entries = rollup_entries_of(tally, ~UINT64CONST(0), &n);

	for (int i = 0; i < n; i++)
		weight += 1 + entries[i]->at_most;
	pfree(entries);
	return weight;
}

/* Take who goes out of every set. */
static bool
scrub(const LaUnfolding *of, LaTally *tally)
{
	bool changed = false;
	int n;
	LaEntry **entries = rollup_entries_of(tally, with_sets(), &n);

	for (int i = 0; i < n; i++)
	{
		const char *whose = rollup_members(rollup_dimension(entries[i]));

		if (strcmp(whose, "visitors") == 0)
			changed |= rollup_remove_members(tally, entries[i], of->visitors, of->nvisitors);
		else if (strcmp(whose, "persons") == 0)
			changed |= rollup_remove_members(tally, entries[i], of->persons, of->npersons);
		else if (strcmp(whose, "sessions") == 0)
			changed |= rollup_remove_members(tally, entries[i], of->sessions, of->nsessions);
	}
	return changed;
}

/* Facts of which the tally wants the dimension, out of it. */
static bool
take_off(LaTally *tally, const Stretch *gone)
{
	bool changed = false;

	for (int i = 0; i < gone->n; i++)
	{
		LaEntry *from = gone->entries[i];
		LaEntry *entry;

		if ((rollup_wanted(tally) & LA_BIT(rollup_dimension(from))) == 0)
			continue;
		entry = rollup_entry(tally, rollup_slot(from), rollup_dimension(from), rollup_value(from));
		for (int k = 0; k < LA_COUNTS; k++)
			entry->counts[k] -= from->counts[k];
		if (from->n > 0)
			rollup_remove_members(tally, entry, from->numbers, from->n);
		changed = true;
	}
	return changed;
}

static bool
put_in(LaTally *tally, const Stretch *come)
{
	bool changed = false;

	for (int i = 0; i < come->n; i++)
	{
		const LaEntry *from = come->entries[i];

		if ((rollup_wanted(tally) & LA_BIT(rollup_dimension(from))) == 0)
			continue;
		rollup_copy_entry(
		    tally, rollup_entry(tally, rollup_slot(from), rollup_dimension(from), rollup_value(from)), from);
		changed = true;
	}
	return changed;
}

/* What the rows had must have been there; of dropped ones not all can be known. */
static void
check_counts(const LaTally *tally, bool is_dropped)
{
	int n;
	LaEntry **entries = rollup_entries_of(tally, ~UINT64CONST(0), &n);

	for (int i = 0; i < n; i++)
		for (int k = 0; k < LA_COUNTS; k++)
		{
			if (entries[i]->counts[k] >= 0)
				continue;
			if (!is_dropped)
				rollup_segment_damaged("it counts less than its rows are");
			entries[i]->counts[k] = 0;
		}
	pfree(entries);
}

static bool
unfold_target(const LaUnfolding *of, int slot, const Stretch *gone, const Stretch *come)
{
	const LaTarget *target = &of->targets->targets[slot];
	bool is_dropped = target->starts < of->dropped_before;
	bool any = false;
	int *parts;
	int64 weight;
	int n = rollup_find_parts(of->workspace, target, &parts, &weight);
	int last = 0;
	Datum *numbers;
	Datum array;
	LaDimensions left;

	if (n == 0)
	{
		if (gone->n + come->n > 0 && !is_dropped)
			rollup_segment_damaged("it is missing");
		return false;
	}
	numbers = palloc(n * sizeof(Datum));
	for (int i = 0; i < n; i++)
	{
		numbers[i] = Int32GetDatum(parts[i]);
		last = Max(last, parts[i]);
	}
	array = PointerGetDatum(construct_array(numbers, n, INT4OID, 4, true, TYPALIGN_INT));
	left = n > 1 ? rollup_all() : dimensions_of(gone) | dimensions_of(come) | LA_BIT(LA_TOTAL);
	if (is_dropped)
		left |= with_sets();
	while (left != 0) /* as buckets are built */
	{
		LaDimensions wanted = target->grain == 'm' || target->grain == 'w'
		                          ? UINT64CONST(1) << pg_leftmost_one_pos64(left)
		                          : left;
		Datum key[] = {Int32GetDatum(of->workspace),        CharGetDatum(target->grain),
		               CStringGetTextDatum(target->zone),   rollup_dimension_array(wanted),
		               TimestampTzGetDatum(target->starts), array};
		LaTally *tally;
		bool changed;

		SPI_connect();
		tally = rollup_tally(wanted);
		rollup_read_parts(of->workspace, target, key, slot, tally);
		weight -= weight_of(tally);
		changed = is_dropped && scrub(of, tally);
		changed |= take_off(tally, gone);
		changed |= put_in(tally, come);
		check_counts(tally, is_dropped);
		weight += weight_of(tally);
		any |= changed;
		/* LA_TOTAL comes last, with what all weigh then */
		if (changed || n > 1 || (any && (wanted & LA_BIT(LA_TOTAL))))
			rollup_replace_segments(of->workspace, target, key, last, Max(weight, 0), tally);
		SPI_finish();
		left &= ~wanted;
	}
	return any;
}

/* Numbers ascending, each once. */
static void
sort_members(const LaTally *tally)
{
	int n;
	LaEntry **entries = rollup_entries_of(tally, ~UINT64CONST(0), &n);

	for (int i = 0; i < n; i++)
		if (entries[i]->n > 0)
			entries[i]->at_most = entries[i]->n = la_bitmap_distinct(entries[i]->numbers, entries[i]->n);
	pfree(entries);
}

/* Every bucket of time whose rows were dropped, each quarter of an hour of those that have them. */
static void
add_dropped(LaUnfolding *of)
{
	int n;
	LaBucket *buckets;

	if (of->dropped_before == DT_NOBEGIN)
		return;
	buckets = rollup_buckets(of->workspace, DT_NOBEGIN, of->dropped_before, &n);
	for (int i = 0; i < n; i++)
		if (buckets[i].grain != 'q')
			rollup_targets_add(of->targets, &buckets[i], buckets[i].starts);
		else
			for (TimestampTz at = buckets[i].starts; at < buckets[i].ends; at += LA_QUARTER)
				rollup_targets_add(of->targets, &buckets[i], at);
}

/* How many buckets changed. The caller holds the workspace's row, and its rows are gone already. */
int64
rollup_unfold_segments(LaUnfolding *of)
{
	static const char grains[] = {'q', 'd', 'w', 'm'};
	TimestampTz from = DT_NOEND;
	TimestampTz to = DT_NOBEGIN;
	int64 changed = 0;

	add_dropped(of);
	sort_members(of->gone);
	rollup_unfold_shown(of);
	for (int grain = 0; grain < lengthof(grains); grain++)
	{
		LaEntry **gone;
		LaEntry **come;
		int ngone;
		int ncome;

		for (int slot = 0; slot < of->targets->ntargets; slot++)
			if (of->targets->targets[slot].grain == grains[grain])
				rollup_unfold_shared(of, slot);
		gone = rollup_entries(of->gone, &ngone);
		come = rollup_entries(of->come, &ncome);
		for (int slot = 0; slot < of->targets->ntargets; slot++)
		{
			const LaTarget *target = &of->targets->targets[slot];
			Stretch leaves = stretch_of(gone, ngone, slot);
			Stretch enters = stretch_of(come, ncome, slot);

			if (target->grain != grains[grain] || !unfold_target(of, slot, &leaves, &enters))
				continue;
			from = Min(from, target->starts);
			to = Max(to, target->ends);
			changed++;
		}
		rollup_look_anew();
	}
	if (from < to)
		la_query_run(&delete_buckets,
		             (Datum[]){Int32GetDatum(of->workspace), TimestampTzGetDatum(from),
		                       TimestampTzGetDatum(to), TimestampTzGetDatum(of->dropped_before)},
		             NULL, false, 0);
	return changed;
}
