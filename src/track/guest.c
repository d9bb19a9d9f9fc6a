/*
 * Guests: who does something in a session that is not his (leadanalytics.guest). What a visitor ever did is
 * then found without an index of events by visitor: by his sessions, by those he was a guest of, and by his
 * events outside of sessions.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "core/query.h"
#include "core/rows.h"
#include "track/track.h"

static LaQuery add_guests = {"INSERT INTO leadanalytics.guest (workspace, number, session) "
                             "SELECT workspace, number, session FROM come ON CONFLICT DO NOTHING"};

static const LaColumn come_columns[] = {{"workspace", INT4OID}, {"number", INT4OID}, {"session", INT8OID}};

/* Whose session it is, 0: nobody's. */
static int
host_of(const LaSession *session)
{
	if (session->loaded)
		return session->visitor;
	return session->first->visitor ? session->first->visitor->number : 0;
}

void
track_guests(LaBatch *batch)
{
	LaRows *rows = NULL;

	for (int i = 0; i < batch->n; i++)
	{
		const LaEvent *event = batch->events[i];
		int number;

		if (event->session == NULL || event->is_start)
			continue;
		number = track_visitor_of(event);
		if (number == 0 && event->person != NULL)
			number = event->person->number;
		if (number == 0 || number == host_of(event->session))
			continue;
		if (rows == NULL)
			rows = la_rows("come", come_columns, lengthof(come_columns));
		la_rows_add(rows,
		            (Datum[]){Int32GetDatum(batch->workspace), Int32GetDatum(number),
		                      Int64GetDatum(event->session->number)},
		            (bool[lengthof(come_columns)]){false});
	}
	if (rows != NULL)
		la_rows_run(rows, &add_guests);
}
