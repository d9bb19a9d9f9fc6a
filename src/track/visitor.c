/*
 * Visitors: ids → numbers.
 *
 * The rows of a batch's visitors stay locked until it commits, which is what puts the batches of one
 * visitor in a line: the next one sees the sessions this one made. Those that are stored are locked, sorted
 * by id, before anything is looked at; the new ones are added, sorted too, when it is known what becomes of
 * them: one that another batch added meanwhile makes the batch start over and lock it. What is locked stays
 * where it is, so it is changed by its place in the table.
 *
 * Numbers are drawn for the new ones only: a sequence has no way to give one back.
 *
 * Look-ups, here and in the other steps, are LATERAL sub-selects on purpose: a probe of the index for each
 * element is all the planner can make of them. As a join, a plan made while the table was empty would go
 * through the whole workspace for the rest of the session.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/query.h"
#include "core/rows.h"
#include "track/track.h"

static LaQuery add_visitors = {
    "INSERT INTO leadanalytics.visitor AS v (workspace, number, visitor_id, sessions, last_session) "
    "SELECT workspace, nextval('leadanalytics.visitor_number'), visitor_id, sessions, last_session "
    "FROM strangers RETURNING v.visitor_id, v.number, v.ctid"};

static LaQuery lock_visitors = {
    "SELECT u.n::int, v.number, v.sessions, v.last_session, v.person, v.place "
    "FROM unnest($2) WITH ORDINALITY AS u (visitor_id, n) "
    "CROSS JOIN LATERAL (SELECT v.*, v.ctid AS place FROM leadanalytics.visitor v "
    "                    WHERE v.workspace = $1 AND v.visitor_id = u.visitor_id FOR NO KEY UPDATE) AS v",
    2,
    {INT4OID, TEXTARRAYOID}};

static LaQuery write_visitors = {
    "UPDATE leadanalytics.visitor v SET sessions = c.sessions, last_session = c.last_session, "
    "person = c.person, email = coalesce(c.email, v.email) "
    "FROM changed c WHERE v.ctid = c.place"};

static const LaColumn stranger_columns[] = {
    {"workspace", INT4OID}, {"visitor_id", TEXTOID}, {"sessions", INT4OID}, {"last_session", INT8OID}};

static const LaColumn changed_columns[] = {{"place", TIDOID},
                                           {"sessions", INT4OID},
                                           {"last_session", INT8OID},
                                           {"person", INT4OID},
                                           {"email", TEXTOID}};

static int
by_visitor_id(const void *a, const void *b)
{
	const LaEvent *left = *(LaEvent *const *) a;
	const LaEvent *right = *(LaEvent *const *) b;
	int order = strcmp(left->visitor_id, right->visitor_id);

	return order != 0 ? order : left->index - right->index;
}

void
track_visitors(LaBatch *batch)
{
	LaEvent **named = palloc(batch->n * sizeof(LaEvent *));
	LaVisitor *visitor = NULL;
	int n = 0;

	for (int i = 0; i < batch->n; i++)
		if (batch->events[i]->visitor_id != NULL)
			named[n++] = batch->events[i];
	qsort(named, n, sizeof(LaEvent *), by_visitor_id);
	batch->visitors = palloc0(Max(n, 1) * sizeof(LaVisitor));
	batch->nvisitors = 0;
	for (int i = 0; i < n; i++)
	{
		if (visitor == NULL || strcmp(visitor->visitor_id, named[i]->visitor_id) != 0)
		{
			visitor = &batch->visitors[batch->nvisitors++];
			visitor->visitor_id = named[i]->visitor_id;
		}
		named[i]->visitor = visitor;
	}
}

void
track_visitors_lock(LaBatch *batch)
{
	Datum *ids = palloc(Max(batch->nvisitors, 1) * sizeof(Datum));
	uint64 locked;

	if (batch->nvisitors == 0)
		return;
	for (int i = 0; i < batch->nvisitors; i++)
	{
		LaVisitor *visitor = &batch->visitors[i];

		*visitor = (LaVisitor){.visitor_id = visitor->visitor_id};
		ids[i] = CStringGetTextDatum(visitor->visitor_id);
	}
	locked = la_query_run(
	    &lock_visitors,
	    (Datum[]){Int32GetDatum(batch->workspace),
	              PointerGetDatum(construct_array(ids, batch->nvisitors, TEXTOID, -1, false, TYPALIGN_INT))},
	    NULL, false, 0);
	for (uint64 row = 0; row < locked; row++)
	{
		bool isnull;
		LaVisitor *visitor = &batch->visitors[DatumGetInt32(la_query_value(row, 1, &isnull)) - 1];

		visitor->number = DatumGetInt32(la_query_value(row, 2, &isnull));
		visitor->sessions = DatumGetInt32(la_query_value(row, 3, &isnull));
		visitor->last_session = DatumGetInt64(la_query_value(row, 4, &isnull));
		if (isnull)
			visitor->last_session = 0;
		visitor->person = DatumGetInt32(la_query_value(row, 5, &isnull));
		if (isnull)
			visitor->person = 0;
		ItemPointerCopy((ItemPointer) DatumGetPointer(la_query_value(row, 6, &isnull)), &visitor->place);
	}
	SPI_freetuptable(SPI_tuptable);
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const LaVisitor *) a)->visitor_id, ((const LaVisitor *) b)->visitor_id);
}

void
track_visitors_add(LaBatch *batch)
{
	LaRows *rows = la_rows("strangers", stranger_columns, lengthof(stranger_columns));
	uint64 added;

	for (int i = 0; i < batch->nvisitors; i++)
	{
		LaVisitor *visitor = &batch->visitors[i];

		if (visitor->number != 0)
			continue;
		la_rows_add(rows,
		            (Datum[]){Int32GetDatum(batch->workspace), CStringGetTextDatum(visitor->visitor_id),
		                      Int32GetDatum(visitor->sessions), Int64GetDatum(visitor->last_session)},
		            (bool[]){false, false, false, visitor->last_session == 0});
	}
	if (rows->n == 0)
		return;
	added = la_rows_run(rows, &add_visitors);
	for (uint64 row = 0; row < added; row++)
	{
		bool isnull;
		LaVisitor wanted = {.visitor_id = TextDatumGetCString(la_query_value(row, 1, &isnull))};
		LaVisitor *visitor = bsearch(&wanted, batch->visitors, batch->nvisitors, sizeof(LaVisitor), by_id);

		visitor->number = DatumGetInt32(la_query_value(row, 2, &isnull));
		ItemPointerCopy((ItemPointer) DatumGetPointer(la_query_value(row, 3, &isnull)), &visitor->place);
		visitor->changed = false; /* written as it is */
	}
	SPI_freetuptable(SPI_tuptable);
}

void
track_visitors_write(LaBatch *batch)
{
	LaRows *rows = la_rows("changed", changed_columns, lengthof(changed_columns));

	for (int i = 0; i < batch->nvisitors; i++)
	{
		LaVisitor *visitor = &batch->visitors[i];

		if (!visitor->changed)
			continue;
		la_rows_add(
		    rows,
		    (Datum[]){PointerGetDatum(&visitor->place), Int32GetDatum(visitor->sessions),
		              Int64GetDatum(visitor->last_session), Int32GetDatum(visitor->person),
		              visitor->email ? CStringGetTextDatum(visitor->email) : (Datum) 0},
		    (bool[]){false, false, visitor->last_session == 0, visitor->person == 0, visitor->email == NULL});
	}
	if (rows->n > 0)
		la_rows_run(rows, &write_visitors);
}
