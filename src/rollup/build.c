/*
 * The making of buckets, of rows and of finer buckets.
 *
 * A bucket is made of what is folded: what the ledgers name is left out, and comes by the fold, which finds
 * the bucket made. So nothing waits for anything: a bucket may be made at any time, or never.
 */
#include "rollup/parts.h"

#include "catalog/pg_type.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "core/export.h"

static LaQuery find_bucket = {
    "SELECT FROM leadanalytics.bucket WHERE workspace = $1 AND grain = $2 AND zone = $3 AND starts = $4",
    4,
    {INT4OID, CHAROID, TEXTOID, TIMESTAMPTZOID}};

static LaQuery add_bucket = {
    "INSERT INTO leadanalytics.bucket (workspace, grain, zone, starts, ends) VALUES ($1, $2, $3, $4, $5)",
    5,
    {INT4OID, CHAROID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

void
rollup_build(int workspace, char grain, const char *zone, TimestampTz starts, TimestampTz ends)
{
	LaTarget target = {grain, grain == 'q' ? "" : zone, starts, ends};
	int ntargets = grain == 'q' ? (ends - starts) / LA_QUARTER : 1;
	LaTarget *targets = palloc(ntargets * sizeof(LaTarget));
	TimestampTz *bounds = palloc((ntargets + 1) * sizeof(TimestampTz));
	LaGather gather = {.workspace = workspace, .bounds = bounds, .nslots = ntargets, .with_sets = true};
	int64 built = 0;
	/* Weeks and months of a large site are made dimension by dimension: all at once may not fit. */
	LaDimensions left = rollup_all();

	gather.coarsest = rollup_finer(grain);
	for (int i = 0; i < ntargets; i++)
	{
		targets[i] = target;
		targets[i].starts = bounds[i] = starts + i * LA_QUARTER;
	}
	bounds[ntargets] = ends;
	while (left != 0)
	{
		LaDimensions wanted =
		    grain == 'm' || grain == 'w' ? UINT64CONST(1) << pg_leftmost_one_pos64(left) : left;
		LaTally *tally;

		SPI_connect(); /* what this takes is given back by SPI_finish() */
		tally = rollup_tally(wanted);
		rollup_gather(&gather, tally);
		rollup_write_segments(workspace, targets, ntargets, tally, &built);
		SPI_finish();
		left &= ~wanted;
	}
	la_query_run(&add_bucket,
	             (Datum[]){Int32GetDatum(workspace), CharGetDatum(grain), CStringGetTextDatum(target.zone),
	                       TimestampTzGetDatum(starts), TimestampTzGetDatum(ends)},
	             NULL, false, 0);
}

/* Somebody else may have made it since the caller looked. */
static bool
has_bucket(int workspace, char grain, Datum zone, TimestampTz starts)
{
	Datum values[] = {Int32GetDatum(workspace), CharGetDatum(grain), zone, TimestampTzGetDatum(starts)};

	return la_query_run(&find_bucket, values, NULL, true, 1) == 1;
}

LA_FUNCTION(la_rollup_build)
{
	int workspace = PG_GETARG_INT32(0);
	char grain = PG_GETARG_CHAR(1);
	TimestampTz starts = PG_GETARG_TIMESTAMPTZ(3);
	LaRollupState state;
	bool held;

	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	held = rollup_lock(workspace, &state);
	if (held)
		rollup_look_anew();
	if (held && !has_bucket(workspace, grain, PG_GETARG_DATUM(2), starts))
	{
		rollup_build(workspace, grain, text_to_cstring(PG_GETARG_TEXT_PP(2)), starts,
		             PG_GETARG_TIMESTAMPTZ(4));
		rollup_keep_state(workspace, &state, DT_NOEND);
	}
	PopActiveSnapshot();
	SPI_finish();
	PG_RETURN_BOOL(held);
}
