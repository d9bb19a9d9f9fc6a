/*
 * Statements prepared once a session.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "core/core.h"
#include "core/query.h"

uint64
la_query_run(LaQuery *query, Datum *values, const char *nulls, bool read_only, long limit)
{
	MemoryContext caller = CurrentMemoryContext; /* SPI would leave us in its own */
	int result;

	la_require_version();
	if (query->plan == NULL)
	{
		SPIPlanPtr plan = SPI_prepare(query->sql, query->nargs, query->types);

		if (plan == NULL)
			elog(ERROR, "could not prepare \"%s\": %s", query->sql, SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		query->plan = plan;
	}
	result = SPI_execute_plan(query->plan, values, nulls, read_only, limit);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", query->sql, SPI_result_code_string(result));
	MemoryContextSwitchTo(caller);
	return SPI_processed;
}

Datum
la_query_value(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
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
