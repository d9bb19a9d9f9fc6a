/*
 * Visitors: ids → numbers.
 *
 * The rows of a batch's visitors stay locked until it commits, which is what puts the batches of one
 * visitor in a line: the next one sees the sessions this one made. Those that are stored are locked, then
 * the new ones are added, each step sorted by id: two batches wait for each other only when visitors that
 * both know are added by a third while they run, which PostgreSQL ends as a deadlock. What is locked stays
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
#include "track/rows.h"
#include "track/track.h"

static LaQuery add_visitors = {"INSERT INTO leadanalytics.visitor AS v (workspace, number, visitor_id) "
                               "SELECT $1, nextval('leadanalytics.visitor_number'), u.visitor_id "
                               "FROM unnest($2) AS u (visitor_id) ON CONFLICT DO NOTHING "
                               "RETURNING v.visitor_id, v.number, v.ctid",
                               2,
                               {INT4OID, TEXTARRAYOID}};

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

/* The distinct visitors of the batch, sorted. */
static void
collect(LaBatch *batch)
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

/* Lock those of the visitors, sorted by id, that have no number yet and are stored; returns how many are not.
 */
static int
lock(int workspace, LaVisitor **visitors, int n)
{
	LaVisitor **asked = palloc(n * sizeof(LaVisitor *));
	Datum *ids = palloc(n * sizeof(Datum));
	int missing = 0;
	uint64 locked;

	for (int i = 0; i < n; i++)
	{
		if (visitors[i]->number != 0)
			continue;
		asked[missing] = visitors[i];
		ids[missing++] = CStringGetTextDatum(visitors[i]->visitor_id);
	}
	if (missing == 0)
		return 0;
	locked = la_query_run(
	    &lock_visitors,
	    (Datum[]){Int32GetDatum(workspace),
	              PointerGetDatum(construct_array(ids, missing, TEXTOID, -1, false, TYPALIGN_INT))},
	    NULL, false, 0);
	for (uint64 row = 0; row < locked; row++)
	{
		bool isnull;
		LaVisitor *visitor = asked[DatumGetInt32(la_query_value(row, 1, &isnull)) - 1];

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
	return missing - locked;
}

static int
by_id(const void *a, const void *b)
{
	return strcmp((*(LaVisitor *const *) a)->visitor_id, (*(LaVisitor *const *) b)->visitor_id);
}

/* Add those that have no number; one that another batch adds first is left without. */
static void
add(int workspace, LaVisitor **visitors, int n)
{
	LaVisitor **missing = palloc(n * sizeof(LaVisitor *));
	Datum *ids = palloc(n * sizeof(Datum));
	int nmissing = 0;
	uint64 added;

	for (int i = 0; i < n; i++)
	{
		if (visitors[i]->number != 0)
			continue;
		ids[nmissing] = CStringGetTextDatum(visitors[i]->visitor_id);
		missing[nmissing++] = visitors[i];
	}
	added = la_query_run(
	    &add_visitors,
	    (Datum[]){Int32GetDatum(workspace),
	              PointerGetDatum(construct_array(ids, nmissing, TEXTOID, -1, false, TYPALIGN_INT))},
	    NULL, false, 0);
	for (uint64 row = 0; row < added; row++)
	{
		bool isnull;
		LaVisitor wanted = {.visitor_id = TextDatumGetCString(la_query_value(row, 1, &isnull))};
		LaVisitor *key = &wanted;
		LaVisitor *visitor = *(LaVisitor **) bsearch(&key, missing, nmissing, sizeof(LaVisitor *), by_id);

		visitor->number = DatumGetInt32(la_query_value(row, 2, &isnull));
		ItemPointerCopy((ItemPointer) DatumGetPointer(la_query_value(row, 3, &isnull)), &visitor->place);
	}
	SPI_freetuptable(SPI_tuptable);
}

void
track_visitors(LaBatch *batch)
{
	LaVisitor **visitors;
	int n;

	collect(batch);
	n = batch->nvisitors;
	if (n == 0)
		return;
	visitors = palloc(n * sizeof(LaVisitor *));
	for (int i = 0; i < n; i++)
		visitors[i] = &batch->visitors[i];
	if (lock(batch->workspace, visitors, n) == 0)
		return;
	add(batch->workspace, visitors, n);
	if (lock(batch->workspace, visitors, n) > 0)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
		                errmsg("a visitor was added by another transaction that this one cannot see"),
		                errhint("Try again.")));
}

void
track_visitors_write(LaBatch *batch)
{
	LaRows *rows = track_rows("changed", changed_columns, lengthof(changed_columns));

	for (int i = 0; i < batch->nvisitors; i++)
	{
		LaVisitor *visitor = &batch->visitors[i];

		if (!visitor->changed)
			continue;
		track_rows_add(
		    rows,
		    (Datum[]){PointerGetDatum(&visitor->place), Int32GetDatum(visitor->sessions),
		              Int64GetDatum(visitor->last_session), Int32GetDatum(visitor->person),
		              visitor->email ? CStringGetTextDatum(visitor->email) : (Datum) 0},
		    (bool[]){false, false, visitor->last_session == 0, visitor->person == 0, visitor->email == NULL});
	}
	if (rows->n > 0)
		track_rows_run(rows, &write_visitors);
}
