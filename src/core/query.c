/*
 * Statements prepared once a session.
 */
#include "postgres.h"

#include "nodes/params.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/core.h"
#include "core/query.h"

static void
prepare(LaQuery *query)
{
	SPIPlanPtr plan;

	la_require_version();
	if (query->plan != NULL)
		return;
	plan = SPI_prepare(query->sql, query->nargs, query->types);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", query->sql, SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	query->plan = plan;
}

static void
check_result(const LaQuery *query, int result)
{
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", query->sql, SPI_result_code_string(result));
}

uint64
la_query_run(LaQuery *query, Datum *values, const char *nulls, bool read_only, long limit)
{
	MemoryContext caller = CurrentMemoryContext; /* SPI would leave us in its own */

	prepare(query);
	check_result(query, SPI_execute_plan(query->plan, values, nulls, read_only, limit));
	MemoryContextSwitchTo(caller);
	return SPI_processed;
}

/* Where la_query_each()'s rows go. */
typedef struct Taker
{
	DestReceiver receiver;
	MemoryContext context;
	LaTake take;
	void *arg;
} Taker;

static bool
taker_row(TupleTableSlot *row, DestReceiver *self)
{
	Taker *taker = (Taker *) self;
	MemoryContext executor = MemoryContextSwitchTo(taker->context);

	slot_getallattrs(row);
	taker->take(row, taker->arg);
	MemoryContextSwitchTo(executor);
	return true;
}

static void
taker_start(DestReceiver *self, int operation, TupleDesc columns)
{
}

static void
taker_end(DestReceiver *self)
{
}

uint64
la_query_each(LaQuery *query, Datum *values, const char *nulls, LaTake take, void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	Taker taker = {.receiver = {.receiveSlot = taker_row,
	                            .rStartup = taker_start,
	                            .rShutdown = taker_end,
	                            .rDestroy = taker_end,
	                            .mydest = DestNone},
	               .context = caller,
	               .take = take,
	               .arg = arg};
	SPIExecuteOptions options = {
	    .params = makeParamList(query->nargs), .read_only = true, .dest = &taker.receiver};

	prepare(query);
	for (int i = 0; i < query->nargs; i++)
	{
		options.params->params[i].value = values[i];
		options.params->params[i].isnull = nulls != NULL && nulls[i] == 'n';
		options.params->params[i].pflags = PARAM_FLAG_CONST;
		options.params->params[i].ptype = query->types[i];
	}
	check_result(query, SPI_execute_plan_extended(query->plan, &options));
	MemoryContextSwitchTo(caller);
	return SPI_processed;
}

Datum
la_query_value(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

Datum
la_query_array(const int64 *numbers, int n, Oid type)
{
	return PointerGetDatum(construct_array((Datum *) unconstify(int64 *, numbers), n, type, sizeof(int64),
	                                       true, TYPALIGN_DOUBLE));
}

char *
la_query_text(uint64 row, int column)
{
	char *inside = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
	char *outside;

	if (inside == NULL)
		return NULL;
	outside = SPI_palloc(strlen(inside) + 1);
	strcpy(outside, inside);
	return outside;
}
