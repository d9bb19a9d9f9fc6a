/*
 * Time, cut into what answers for it: the coarsest bucket that fits, quarters of an hour where a day has
 * them, the rows themselves for the rest.
 *
 * Buckets are taken as they lie, whatever their zone: days of Kolkata serve where they fit, days of UTC serve
 * the middle of a week of Kolkata. So a workspace's zone may change at any time.
 */
#include "rollup/parts.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

static LaQuery find_buckets = {"SELECT b.grain, b.zone, b.starts, b.ends FROM leadanalytics.bucket b "
                               "WHERE b.workspace = $1 AND b.ends > $2 AND b.starts < $3 AND b.starts > $2 - "
                               "interval '32 days' ORDER BY b.starts",
                               3,
                               {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

/* Coarse ones first. */
static const char grains[] = {'m', 'w', 'd', 'q'};

typedef struct Cutter
{
	const LaBucket *buckets; /* by start */
	int nbuckets;
	LaSpan *spans;
	int n;
	int room;
	int slot;
} Cutter;

LaBucket *
rollup_buckets(int workspace, TimestampTz from, TimestampTz to, int *n)
{
	LaBucket *buckets;

	*n = la_query_run(&find_buckets,
	                  (Datum[]){Int32GetDatum(workspace), TimestampTzGetDatum(from), TimestampTzGetDatum(to)},
	                  NULL, true, 0);
	buckets = palloc(Max(*n, 1) * sizeof *buckets);
	for (int i = 0; i < *n; i++)
	{
		bool isnull;

		buckets[i].grain = DatumGetChar(la_query_value(i, 1, &isnull));
		buckets[i].zone = TextDatumGetCString(la_query_value(i, 2, &isnull));
		buckets[i].starts = DatumGetTimestampTz(la_query_value(i, 3, &isnull));
		buckets[i].ends = DatumGetTimestampTz(la_query_value(i, 4, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	return buckets;
}

TimestampTz
rollup_dropped_before(int workspace)
{
	static LaQuery rows_since = {"SELECT leadanalytics.rows_since($1)", 1, {INT4OID}};
	TimestampTz before;
	bool isnull;

	la_query_run(&rows_since, (Datum[]){Int32GetDatum(workspace)}, NULL, true, 1);
	before = DatumGetTimestampTz(la_query_value(0, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return before;
}

static void
put_span(Cutter *cutter, TimestampTz from, TimestampTz to, LaSource source, const LaBucket *bucket)
{
	if (from >= to)
		return;
	if (cutter->n == cutter->room)
		cutter->spans = repalloc_huge(cutter->spans, (Size) (cutter->room *= 2) * sizeof(LaSpan));
	cutter->spans[cutter->n++] = (LaSpan){.from = from,
	                                      .to = to,
	                                      .source = source,
	                                      .grain = bucket ? bucket->grain : 0,
	                                      .zone = bucket ? bucket->zone : NULL,
	                                      .slot = cutter->slot};
}

/* The first bucket that starts at or behind the time; of quarters, that ends behind it. */
static int
first_bucket(const Cutter *cutter, TimestampTz at)
{
	int low = 0;
	int high = cutter->nbuckets;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (cutter->buckets[middle].starts < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Cut from … to by buckets of the grain, what lies between by the next finer one. */
static void
cut(Cutter *cutter, int grain, TimestampTz from, TimestampTz to)
{
	bool quarters = grain < lengthof(grains) && grains[grain] == 'q';

	if (from >= to)
		return;
	if (grain == lengthof(grains))
	{
		put_span(cutter, from, to, LA_FROM_ROWS, NULL);
		return;
	}
	/* days that quarters are of may begin before */
	for (int i = first_bucket(cutter, quarters && from != DT_NOBEGIN ? from - USECS_PER_DAY + 1 : from);
	     i < cutter->nbuckets && cutter->buckets[i].starts < to; i++)
	{
		const LaBucket *bucket = &cutter->buckets[i];
		TimestampTz starts = bucket->starts;
		TimestampTz ends = bucket->ends;

		if (bucket->grain != grains[grain])
			continue;
		if (quarters)
		{
			starts = rollup_floor(Max(starts, from) + LA_QUARTER - 1, LA_QUARTER);
			ends = rollup_floor(Min(ends, to), LA_QUARTER);
		}
		if (starts < from || ends > to || starts >= ends)
			continue;
		cut(cutter, grain + 1, from, starts);
		put_span(cutter, starts, ends, quarters ? LA_FROM_QUARTERS : LA_FROM_BUCKET, bucket);
		from = ends;
	}
	cut(cutter, grain + 1, from, to);
}

LaSpan *
rollup_spans(const LaBucket *buckets, int nbuckets, const TimestampTz *bounds, int nslots, char coarsest,
             int *n)
{
	Cutter cutter = {.buckets = buckets, .nbuckets = nbuckets, .room = 64};
	int grain = 0;

	while (grain < lengthof(grains) && grains[grain] != coarsest)
		grain++;
	cutter.spans = palloc(cutter.room * sizeof(LaSpan));
	for (cutter.slot = 0; cutter.slot < nslots; cutter.slot++)
		cut(&cutter, grain, bounds[cutter.slot], bounds[cutter.slot + 1]);
	*n = cutter.n;
	return cutter.spans;
}

char
rollup_finer(char grain)
{
	for (int i = 0; i + 1 < lengthof(grains); i++)
		if (grains[i] == grain)
			return grains[i + 1];
	return '\0';
}

/* The span that holds the time; NULL: it lies in none. */
LaSpan *
rollup_span_at(LaSpan *spans, int n, TimestampTz at)
{
	int low = 0;
	int high = n;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (spans[middle].to <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && spans[low].from <= at ? &spans[low] : NULL;
}
