/*
 * leadanalytics.members(): who it is that answers only count, as one set.
 */
#include "rollup/parts.h"

#include "utils/builtins.h"

#include "core/export.h"

/* Leave out the values that do not count for want of a text; how many are left. */
static int
keep_texts(LaAsked *asked, int workspace, LaEntry **entries, int n)
{
	int *values = palloc(Max(n, 1) * sizeof(int));
	const char **texts = palloc0(Max(n, 1) * sizeof(char *));
	int kept = 0;

	for (int i = 0; i < n; i++)
		values[i] = rollup_value(entries[i]);
	rollup_texts(asked, workspace, values, n, texts);
	for (int i = 0; i < n; i++)
		if (texts[i] != NULL)
			entries[kept++] = entries[i];
	return kept;
}

LA_FUNCTION(la_rollup_members)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	LaAsked *asked = rollup_asked(name);
	LaDimension dimension = asked->dimension;
	LaDimensions wanted = LA_BIT(dimension);
	TimestampTz bounds[] = {PG_GETARG_TIMESTAMPTZ(2), PG_GETARG_TIMESTAMPTZ(3)};
	LaGather gather = {.workspace = PG_GETARG_INT32(0),
	                   .bounds = bounds,
	                   .nslots = 1,
	                   .now = PG_GETARG_TIMESTAMPTZ(4),
	                   .with_tail = true,
	                   .with_sets = true,
	                   .coarsest = 'm'};
	LaTally *tally;
	LaEntry *all;
	LaEntry **entries;
	int n;
	int64 count;
	StringInfoData out; /* made before SPI_connect(): outlives it */

	if (!rollup_has_set(dimension))
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("dimension \"%s\" has no members", name),
		         errhint("See leadanalytics.dimensions().")));
	if (PG_GETARG_BOOL(5))
		wanted |= (LA_BIT(dimension) << LA_ROBOTS) & rollup_all();
	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	SPI_connect();
	tally = rollup_tally(wanted);
	if (bounds[0] < bounds[1])
	{
		rollup_gather(&gather, tally);
		rollup_tell_moved(&gather);
	}
	entries = rollup_entries(tally, &n);
	if (asked->texts_only)
		n = keep_texts(asked, gather.workspace, entries, n);
	if (n == 1)
		all = entries[0];
	else
	{
		all = rollup_entry(rollup_tally(0), 0, dimension, 0);
		for (int i = 0; i < n; i++)
			rollup_move_entry(tally, all, entries[i]);
	}
	rollup_store_members(&out, all, &count);
	SPI_finish();
	SET_VARSIZE(out.data, out.len);
	PG_RETURN_BYTEA_P(out.data);
}
