/*
 * Persons: user ids → numbers, and what identifying events make of visitors.
 *
 * A visitor is known as the person that was named last; every pair of the two is kept in identity. Only
 * what was really added counts: a second delivery must not bring an earlier name back.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "core/rows.h"
#include "track/track.h"

static LaQuery find_persons = {"SELECT u.n::int, p.number FROM unnest($2) WITH ORDINALITY AS u (user_id, n) "
                               "CROSS JOIN LATERAL (SELECT p.number FROM leadanalytics.person p "
                               "WHERE p.workspace = $1 AND p.user_id = u.user_id OFFSET 0) AS p",
                               2,
                               {INT4OID, TEXTARRAYOID}};

static LaQuery add_persons = {"INSERT INTO leadanalytics.person (workspace, number, user_id) "
                              "SELECT $1, nextval('leadanalytics.visitor_number'), u.user_id "
                              "FROM unnest($2) AS u (user_id) ON CONFLICT DO NOTHING",
                              2,
                              {INT4OID, TEXTARRAYOID}};

static LaQuery write_email = {"UPDATE leadanalytics.person SET email = $3 WHERE workspace = $1 AND user_id = "
                              "$2 AND email IS DISTINCT FROM $3",
                              3,
                              {INT4OID, TEXTOID, TEXTOID}};

static LaQuery add_identities = {"INSERT INTO leadanalytics.identity (workspace, visitor, person, at) "
                                 "SELECT workspace, visitor, person, at FROM met ON CONFLICT DO NOTHING"};

static LaQuery alias_person = {
    "SELECT leadanalytics.alias_person($1, $2, $3, $4)", 4, {INT4OID, INT4OID, TEXTOID, TIMESTAMPTZOID}};

/* Whoever tells of persons is in nobody's way but that of one who makes two of them one. */
static LaQuery share_persons = {
    "SELECT pg_advisory_xact_lock_shared(hashtextextended('leadanalytics.person', $1))", 1, {INT8OID}};
/* And of one who erases somebody, who is somebody new from then on. */
static LaQuery share_erasing = {
    "SELECT pg_advisory_xact_lock_shared(hashtextextended('leadanalytics.erase', $1))", 1, {INT8OID}};
static LaQuery lock_persons = {
    "SELECT pg_advisory_xact_lock(hashtextextended('leadanalytics.person', $1))", 1, {INT8OID}};

static const LaColumn met_columns[] = {
    {"workspace", INT4OID}, {"visitor", INT4OID}, {"person", INT4OID}, {"at", TIMESTAMPTZOID}};

static int
by_user_id(const void *a, const void *b)
{
	const LaEvent *left = *(LaEvent *const *) a;
	const LaEvent *right = *(LaEvent *const *) b;
	int order = strcmp(left->user_id, right->user_id);

	return order != 0 ? order : left->index - right->index;
}

/* The distinct persons of the batch, sorted. */
static void
collect(LaBatch *batch)
{
	LaEvent **named = palloc(batch->n * sizeof(LaEvent *));
	LaPerson *person = NULL;
	int n = 0;

	for (int i = 0; i < batch->n; i++)
		if (batch->events[i]->user_id != NULL)
			named[n++] = batch->events[i];
	if (n == 0)
		return;
	qsort(named, n, sizeof(LaEvent *), by_user_id);
	batch->persons = palloc0(n * sizeof(LaPerson));
	for (int i = 0; i < n; i++)
	{
		if (person == NULL || strcmp(person->user_id, named[i]->user_id) != 0)
		{
			person = &batch->persons[batch->npersons++];
			person->user_id = named[i]->user_id;
		}
		named[i]->person = person;
	}
}

/* The user ids of those without a number, and which they are. */
static Datum
unknown(LaBatch *batch, LaPerson **asked, int *n)
{
	Datum *ids = palloc(batch->npersons * sizeof(Datum));

	*n = 0;
	for (int i = 0; i < batch->npersons; i++)
	{
		if (batch->persons[i].number != 0)
			continue;
		asked[*n] = &batch->persons[i];
		ids[(*n)++] = CStringGetTextDatum(batch->persons[i].user_id);
	}
	return PointerGetDatum(construct_array(ids, *n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Look up those without a number; returns how many are left without. */
static int
find(LaBatch *batch)
{
	LaPerson **asked = palloc(batch->npersons * sizeof(LaPerson *));
	int n;
	Datum ids = unknown(batch, asked, &n);
	uint64 found =
	    la_query_run(&find_persons, (Datum[]){Int32GetDatum(batch->workspace), ids}, NULL, false, 0);

	for (uint64 row = 0; row < found; row++)
	{
		bool isnull;

		asked[DatumGetInt32(la_query_value(row, 1, &isnull)) - 1]->number =
		    DatumGetInt32(la_query_value(row, 2, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	return n - found;
}

/*
 * An alias changes persons that its event does not name: all that were known as one of the two. Nobody else
 * of the workspace writes persons meanwhile. Locked before visitors and sessions are: who waits here holds
 * new words at most.
 */
static void
lock(LaBatch *batch)
{
	bool tells = false;
	bool aliases = false;

	if (batch->npersons == 0)
		return;
	la_query_run(&share_erasing, (Datum[]){Int64GetDatum(batch->workspace)}, NULL, false, 1);
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < batch->n; i++)
	{
		const LaEvent *event = batch->events[i];

		tells |= event->user_id != NULL && event->email != NULL;
		aliases |= event->user_id != NULL && event->previous_id != NULL;
	}
	if (!tells && !aliases)
		return;
	la_query_run(aliases ? &lock_persons : &share_persons, (Datum[]){Int64GetDatum(batch->workspace)}, NULL,
	             false, 1);
	SPI_freetuptable(SPI_tuptable);
}

void
track_persons(LaBatch *batch)
{
	batch->npersons = 0;
	collect(batch);
	lock(batch);
	if (batch->npersons == 0 || find(batch) == 0)
		return;
	{
		LaPerson **asked = palloc(batch->npersons * sizeof(LaPerson *));
		int n;
		Datum ids = unknown(batch, asked, &n);

		la_query_run(&add_persons, (Datum[]){Int32GetDatum(batch->workspace), ids}, NULL, false, 0);
	}
	if (find(batch) > 0)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
		                errmsg("a person was added by another transaction that this one cannot see"),
		                errhint("Try again.")));
}

static int
by_time(const void *a, const void *b)
{
	const LaEvent *left = *(LaEvent *const *) a;
	const LaEvent *right = *(LaEvent *const *) b;
	int order = (left->at > right->at) - (left->at < right->at);

	return order != 0 ? order : left->index - right->index;
}

static void
meet(LaBatch *batch, const LaEvent *event, LaRows *met)
{
	LaVisitor *visitor = event->visitor;

	if (event->email != NULL && event->person != NULL)
		event->person->email = event->email;
	else if (event->email != NULL && visitor != NULL)
	{
		visitor->email = event->email;
		visitor->changed = true;
	}
	if (event->person == NULL || visitor == NULL || visitor->person == event->person->number)
		return;
	visitor->person = event->person->number;
	visitor->changed = true;
	la_rows_add(met,
	            (Datum[]){Int32GetDatum(batch->workspace), Int32GetDatum(visitor->number),
	                      Int32GetDatum(visitor->person), TimestampTzGetDatum(event->at)},
	            (bool[lengthof(met_columns)]){false});
}

void
track_persons_meet(LaBatch *batch)
{
	LaEvent **telling = palloc(batch->n * sizeof(LaEvent *));
	LaRows *met;
	int n = 0;

	for (int i = 0; i < batch->n; i++)
		if (batch->events[i]->person != NULL || batch->events[i]->email != NULL)
			telling[n++] = batch->events[i];
	if (n == 0)
		return;
	qsort(telling, n, sizeof(LaEvent *), by_time);
	met = la_rows("met", met_columns, lengthof(met_columns));
	for (int i = 0; i < n; i++)
		meet(batch, telling[i], met);
	if (met->n > 0)
		la_rows_run(met, &add_identities);
	for (int i = 0; i < batch->npersons; i++)
		if (batch->persons[i].email != NULL)
			la_query_run(&write_email,
			             (Datum[]){Int32GetDatum(batch->workspace),
			                       CStringGetTextDatum(batch->persons[i].user_id),
			                       CStringGetTextDatum(batch->persons[i].email)},
			             NULL, false, 0);
}

/* After the visitors are written: an alias may change the row of one of them, which then has another place.
 */
void
track_persons_alias(LaBatch *batch)
{
	LaEvent **telling = palloc(batch->n * sizeof(LaEvent *));
	int n = 0;

	for (int i = 0; i < batch->n; i++)
		if (batch->events[i]->person != NULL && batch->events[i]->previous_id != NULL)
			telling[n++] = batch->events[i];
	qsort(telling, n, sizeof(LaEvent *), by_time);
	for (int i = 0; i < n; i++)
		la_query_run(&alias_person,
		             (Datum[]){Int32GetDatum(batch->workspace), Int32GetDatum(telling[i]->person->number),
		                       CStringGetTextDatum(telling[i]->previous_id),
		                       TimestampTzGetDatum(telling[i]->at)},
		             NULL, false, 0);
}
