/*
 * A statement prepared once a session. Each is a static LaQuery at the top of the file that runs it:
 *
 *	static LaQuery find_key = {"SELECT … WHERE prefix = $1", 1, {TEXTOID}};
 *	n = la_query_run(&find_key, values, NULL, true, 1);
 *
 * The caller is connected to SPI. Parameters only: nothing is ever pasted into the text.
 */
#ifndef LA_QUERY_H
#define LA_QUERY_H

#include "executor/spi.h"

#define LA_QUERY_MAX_ARGS 48

typedef struct LaQuery
{
	const char *sql;
	int nargs;
	Oid types[LA_QUERY_MAX_ARGS];
	SPIPlanPtr plan; /* made at the first run */
} LaQuery;

/*
 * Run it and return SPI_processed; rows, if any, are in SPI_tuptable. nulls as in SPI_execute_plan
 * (NULL: no null among the values). read_only: see the caller's snapshot and write nothing; every
 * answering function passes true, so that all its statements see one state of the database. The
 * current memory context is the same before and after.
 */
extern uint64 la_query_run(LaQuery *query, Datum *values, const char *nulls, bool read_only, long limit);

/*
 * Run it as of the caller's snapshot and hand every row to take as it comes: for many rows, which are
 * nowhere kept. take may not run statements; what it keeps it copies.
 */
typedef void (*LaTake)(TupleTableSlot *row, void *arg);
extern uint64 la_query_each(LaQuery *query, Datum *values, const char *nulls, LaTake take, void *arg);

/* The column of the row, or the given default when null. */
extern Datum la_query_value(uint64 row, int column, bool *isnull);

/* Numbers as an array of a type of 8 bytes: bigint, timestamptz. */
extern Datum la_query_array(const int64 *numbers, int n, Oid type);

/* A text column copied into the memory context outside SPI, NULL when null. */
extern char *la_query_text(uint64 row, int column);

#endif
