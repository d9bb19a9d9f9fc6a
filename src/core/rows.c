/*
 * Rows on their way into a table; the contract is in rows.h.
 *
 * PostgreSQL calls such a set an ephemeral named relation: it is what a trigger's transition table is.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/rows.h"

LaRows *
la_rows(const char *name, const LaColumn *columns, int n)
{
	LaRows *rows = palloc0(sizeof(LaRows));

	rows->columns = CreateTemplateTupleDesc(n);
	for (int i = 0; i < n; i++)
		TupleDescInitEntry(rows->columns, i + 1, columns[i].name, columns[i].type, -1, 0);
	rows->store = tuplestore_begin_heap(false, false, work_mem);
	rows->relation.md.name = pstrdup(name);
	rows->relation.md.tupdesc = rows->columns;
	rows->relation.md.enrtype = ENR_NAMED_TUPLESTORE;
	rows->relation.reldata = rows->store;
	return rows;
}

void
la_rows_add(LaRows *rows, Datum *values, bool *nulls)
{
	tuplestore_putvalues(rows->store, rows->columns, values, nulls);
	rows->n++;
}

uint64
la_rows_run(LaRows *rows, LaQuery *query)
{
	uint64 processed;

	rows->relation.md.enrtuples = rows->n;
	SPI_unregister_relation(rows->relation.md.name); /* a statement that failed has left its own there */
	if (SPI_register_relation(&rows->relation) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register rows \"%s\"", rows->relation.md.name);
	processed = la_query_run(query, NULL, NULL, false, 0);
	SPI_unregister_relation(rows->relation.md.name);
	tuplestore_end(rows->store);
	return processed;
}
