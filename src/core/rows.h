/*
 * Rows on their way into a table: a named set that a statement can read ("… SELECT … FROM fresh"),
 * filled in C. One tuplestore instead of one array per column.
 *
 *	LaRows *fresh = la_rows("fresh", columns, lengthof(columns));
 *	la_rows_add(fresh, values, nulls);
 *	n = la_rows_run(fresh, &add_events);	// the set is gone afterwards
 */
#ifndef LA_CORE_ROWS_H
#define LA_CORE_ROWS_H

#include "access/tupdesc.h"
#include "utils/queryenvironment.h"
#include "utils/tuplestore.h"

#include "core/query.h"

typedef struct LaColumn
{
	const char *name;
	Oid type;
} LaColumn;

typedef struct LaRows
{
	EphemeralNamedRelationData relation;
	TupleDesc columns;
	Tuplestorestate *store;
	int64 n;
} LaRows;

extern LaRows *la_rows(const char *name, const LaColumn *columns, int n);
extern void la_rows_add(LaRows *rows, Datum *values, bool *nulls);
extern uint64 la_rows_run(LaRows *rows, LaQuery *query);

#endif
