/*
 * Segments beside the rows they were made of, and the tables of what there is, for SQL.
 */
#include "rollup/parts.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/export.h"

typedef struct Comparing
{
	ReturnSetInfo *result;
	const LaBucket *bucket;
	const TimestampTz *bounds;
} Comparing;

static void
differ(const Comparing *of, uint64 key, const char *what, int64 in_segments, int64 in_rows)
{
	LaEntry entry = {.key = key};
	Datum values[] = {
	    CharGetDatum(of->bucket->grain),
	    CStringGetTextDatum(of->bucket->zone),
	    TimestampTzGetDatum(of->bounds[rollup_slot(&entry)]),
	    Int32GetDatum(rollup_dimension(&entry)),
	    Int32GetDatum(rollup_value(&entry)),
	    CStringGetTextDatum(what),
	    Int64GetDatum(in_segments),
	    Int64GetDatum(in_rows),
	};
	bool nulls[lengthof(values)] = {false};

	tuplestore_putvalues(of->result->setResult, of->result->setDesc, values, nulls);
}

/* Two entries of one key; one of them may have nothing. */
static void
compare_entries(const Comparing *of, const LaEntry *segments, const LaEntry *rows)
{
	static const char *const counts[LA_COUNTS] = {"count 1", "count 2", "count 3"};
	StringInfoData left;
	StringInfoData right;
	int64 nleft;
	int64 nright;

	for (int k = 0; k < LA_COUNTS; k++)
		if (segments->counts[k] != rows->counts[k])
			differ(of, segments->key, counts[k], segments->counts[k], rows->counts[k]);
	initStringInfo(&left);
	initStringInfo(&right);
	rollup_store_members(&left, segments, &nleft);
	rollup_store_members(&right, rows, &nright);
	if (nleft != nright)
		differ(of, segments->key, "members", nleft, nright);
	else if (left.len != right.len || memcmp(left.data, right.data, left.len) != 0)
		differ(of, segments->key, "other members", nleft, nright);
}

/* Both are in the order of keys. */
static void
compare(const Comparing *of, const LaTally *segments, const LaTally *rows)
{
	int nleft;
	int nright;
	LaEntry **left = rollup_entries(segments, &nleft);
	LaEntry **right = rollup_entries(rows, &nright);

	for (int i = 0, k = 0; i < nleft || k < nright;)
	{
		LaEntry nothing = {0};

		CHECK_FOR_INTERRUPTS();
		if (k == nright || (i < nleft && left[i]->key < right[k]->key))
		{
			nothing.key = left[i]->key;
			compare_entries(of, left[i++], &nothing);
		}
		else if (i == nleft || right[k]->key < left[i]->key)
		{
			nothing.key = right[k]->key;
			compare_entries(of, &nothing, right[k++]);
		}
		else
			compare_entries(of, left[i++], right[k++]);
	}
}

static void
compare_bucket(ReturnSetInfo *result, int workspace, const LaBucket *bucket)
{
	bool quarters = bucket->grain == 'q';
	int nslots = quarters ? (bucket->ends - bucket->starts) / LA_QUARTER : 1;
	TimestampTz *bounds = palloc((nslots + 1) * sizeof(TimestampTz));
	LaSpan *spans = palloc(nslots * sizeof(LaSpan));
	LaTally *segments = rollup_tally(rollup_all());
	LaTally *rows = rollup_tally(rollup_all());
	LaGather gather = {
	    .workspace = workspace, .bounds = bounds, .nslots = nslots, .with_sets = true, .coarsest = '\0'};
	Comparing of = {result, bucket, bounds};

	for (int i = 0; i < nslots; i++)
		bounds[i] = bucket->starts + i * LA_QUARTER;
	bounds[nslots] = bucket->ends;
	for (int i = 0; i < nslots; i++)
		spans[i] = (LaSpan){bounds[i],     bounds[i + 1], quarters ? LA_FROM_QUARTERS : LA_FROM_BUCKET,
		                    bucket->grain, bucket->zone,  i};
	rollup_read_segments(workspace, spans, nslots, rollup_all(), true, segments);
	rollup_gather(&gather, rows);
	compare(&of, segments, rows);
}

LA_FUNCTION(la_rollup_reconcile)
{
	int workspace = PG_GETARG_INT32(0);
	int n;
	LaBucket *buckets;
	TimestampTz dropped_before;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	buckets = rollup_buckets(workspace, PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2), &n);
	dropped_before = rollup_dropped_before(workspace);
	for (int i = 0; i < n; i++)
	{
		MemoryContext one;
		MemoryContext caller;

		if (buckets[i].starts < dropped_before) /* all there is of its time */
			continue;
		one = AllocSetContextCreate(CurrentMemoryContext, "leadanalytics bucket", ALLOCSET_DEFAULT_SIZES);
		caller = MemoryContextSwitchTo(one);

		compare_bucket((ReturnSetInfo *) fcinfo->resultinfo, workspace, &buckets[i]);
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(one);
	}
	SPI_finish();
	return (Datum) 0;
}

LA_FUNCTION(la_rollup_stored)
{
	PG_RETURN_DATUM(rollup_dimension_array(rollup_all()));
}

LA_FUNCTION(la_rollup_dimensions)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int n;
	const LaAsked *asked = rollup_all_asked(&n);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		Datum counts[LA_COUNTS];
		int ncounts = rollup_ncounts(asked[i].dimension);
		const char *members = rollup_members(asked[i].dimension);
		Datum values[3];
		bool nulls[3] = {false, false, members == NULL};

		for (int k = 0; k < ncounts; k++)
			counts[k] = CStringGetTextDatum(rollup_count_name(asked[i].dimension, k));
		values[0] = CStringGetTextDatum(asked[i].name);
		values[1] = PointerGetDatum(construct_array(counts, ncounts, TEXTOID, -1, false, TYPALIGN_INT));
		values[2] = members == NULL ? 0 : CStringGetTextDatum(members);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
