/*
 * Sessions: which one an event belongs to, and what the events of a batch change in it.
 *
 * The client's session_id is trusted; an event without one belongs to the session that the server made
 * for its visitor, or opens one (D-56). A stored session takes events only while it is open as seen at
 * the receipt: closed is final, and every reader applies the same rule (la_session_end). An event that
 * comes later opens a new session when the server makes them, and belongs to none when the client named
 * the one it no longer fits. Events of one batch that open a session together are judged by their own
 * times alone: nobody has seen that session closed yet. Robots make no sessions.
 *
 * A log (own_clock) is walked in the order of its lines with the visitor's latest session as only
 * candidate, so that what is stored after any line is all that the next one depends on: chunks of any
 * size make the same sessions.
 *
 * What is loaded is locked until commit, in the order of numbers, then of names; so what is written are
 * plain values. New sessions are written before the events: a name that another batch takes at the same
 * time must be known to be taken before an event carries the number.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "core/query.h"
#include "core/settings.h"
#include "track/track.h"

#define STORED "(SELECT s.*, s.ctid AS line FROM leadanalytics.session s WHERE s.workspace = $1 AND "
#define STORED_COLUMNS                                                                                       \
	"SELECT s.number, s.session_id, s.started_at, s.last_seen, s.ended_at, s.last_page, s.events, "          \
	"s.pageviews, s.clicks, s.scroll_percent::float8, s.line, s.visitor, s.referrer, s.place "

/* The arrays are sorted: that is the order in which the rows are locked. */
static LaQuery load_by_number = {STORED_COLUMNS "FROM unnest($2) AS u (number) CROSS JOIN LATERAL " STORED
                                                "s.number = u.number FOR NO KEY UPDATE) AS s",
                                 2,
                                 {INT4OID, INT8ARRAYOID}};

static LaQuery load_by_name = {STORED_COLUMNS "FROM unnest($2) AS u (session_id) CROSS JOIN LATERAL " STORED
                                              "s.session_id = u.session_id FOR NO KEY UPDATE) AS s",
                               2,
                               {INT4OID, TEXTARRAYOID}};

/* The idle limit in microseconds. */
static int64
session_limit(bool named)
{
	return (named ? la_session_client_s : la_session_server_s) * USECS_PER_SEC;
}

TimestampTz
la_session_end(bool named, TimestampTz last_seen, TimestampTz ended_at, TimestampTz now)
{
	if (ended_at != DT_NOEND)
		return ended_at;
	return now - last_seen > session_limit(named) ? last_seen : DT_NOEND;
}

LA_FUNCTION(la_track_session_end)
{
	TimestampTz end;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
		PG_RETURN_NULL();
	end = la_session_end(PG_GETARG_BOOL(0), PG_GETARG_TIMESTAMPTZ(1),
	                     PG_ARGISNULL(2) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(2), PG_GETARG_TIMESTAMPTZ(3));
	if (end == DT_NOEND)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(end);
}

/* Read the row a load returned into the session. */
static void
take_loaded(LaSession *session, uint64 row)
{
	bool isnull;

	session->loaded = true;
	session->number = DatumGetInt64(la_query_value(row, 1, &isnull));
	session->before.started_at = DatumGetTimestampTz(la_query_value(row, 3, &isnull));
	session->before.last_seen = DatumGetTimestampTz(la_query_value(row, 4, &isnull));
	session->ended_at = DatumGetTimestampTz(la_query_value(row, 5, &isnull));
	if (isnull)
		session->ended_at = DT_NOEND;
	session->before.last_page = DatumGetInt32(la_query_value(row, 6, &isnull));
	if (isnull)
		session->before.last_page = 0;
	session->before.events = DatumGetInt32(la_query_value(row, 7, &isnull));
	session->before.pageviews = DatumGetInt32(la_query_value(row, 8, &isnull));
	session->before.clicks = DatumGetInt32(la_query_value(row, 9, &isnull));
	session->before.scroll_percent = DatumGetFloat8(la_query_value(row, 10, &isnull));
	ItemPointerCopy((ItemPointer) DatumGetPointer(la_query_value(row, 11, &isnull)), &session->place);
	session->visitor = DatumGetInt32(la_query_value(row, 12, &isnull));
	if (isnull)
		session->visitor = 0;
	session->referrer = DatumGetInt32(la_query_value(row, 13, &isnull));
	if (isnull)
		session->referrer = 0;
	session->place_term = DatumGetInt32(la_query_value(row, 14, &isnull));
	if (isnull)
		session->place_term = 0;
	session->reach_from = session->before.started_at;
	session->reach_to = session->before.last_seen;
}

static int
by_last_session(const void *a, const void *b)
{
	const LaVisitor *left = *(LaVisitor *const *) a;
	const LaVisitor *right = *(LaVisitor *const *) b;

	return (left->last_session > right->last_session) - (left->last_session < right->last_session);
}

/* The server-made sessions that events without a session_id may belong to. */
static void
load_candidates(LaBatch *batch)
{
	LaVisitor **asking = palloc(Max(batch->nvisitors, 1) * sizeof(LaVisitor *));
	int64 *numbers = palloc(Max(batch->nvisitors, 1) * sizeof(int64));
	int n = 0;
	uint64 found;

	for (int i = 0; i < batch->nwalk; i++)
	{
		LaVisitor *visitor = batch->walk[i]->visitor;

		if (batch->walk[i]->session_id != NULL || visitor->last_session == 0 || visitor->candidate != NULL)
			continue;
		visitor->candidate = palloc0(sizeof(LaSession));
		asking[n++] = visitor;
	}
	if (n == 0)
		return;
	qsort(asking, n, sizeof(LaVisitor *), by_last_session);
	for (int i = 0; i < n; i++)
		numbers[i] = asking[i]->last_session;
	found = la_query_run(&load_by_number,
	                     (Datum[]){Int32GetDatum(batch->workspace), la_query_array(numbers, n, INT8OID)},
	                     NULL, false, 0);
	for (uint64 row = 0; row < found; row++)
	{
		bool isnull;
		LaVisitor wanted = {.last_session = DatumGetInt64(la_query_value(row, 1, &isnull))};
		LaVisitor *key = &wanted;
		LaVisitor **at = bsearch(&key, asking, n, sizeof(LaVisitor *), by_last_session);

		take_loaded((*at)->candidate, row);
	}
	SPI_freetuptable(SPI_tuptable);
	/* a session that is gone (erased) is no candidate */
	for (int i = 0; i < n; i++)
		if (!asking[i]->candidate->loaded)
			asking[i]->candidate = NULL;
}

static int
by_session_id(const void *a, const void *b)
{
	return strcmp((*(LaSession *const *) a)->session_id, (*(LaSession *const *) b)->session_id);
}

/* Sorted by name, those that are stored. */
static void
load_named(LaBatch *batch, LaSession **sessions, int n)
{
	Datum *names = palloc(Max(n, 1) * sizeof(Datum));
	uint64 found;

	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
		names[i] = CStringGetTextDatum(sessions[i]->session_id);
	found =
	    la_query_run(&load_by_name,
	                 (Datum[]){Int32GetDatum(batch->workspace),
	                           PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT))},
	                 NULL, false, 0);
	for (uint64 row = 0; row < found; row++)
	{
		bool isnull;
		LaSession wanted = {.session_id = TextDatumGetCString(la_query_value(row, 2, &isnull))};
		LaSession *key = &wanted;
		LaSession **at = bsearch(&key, sessions, n, sizeof(LaSession *), by_session_id);

		take_loaded(*at, row);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* Give the event to the session. */
static void
give(LaBatch *batch, LaSession *session, LaEvent *event)
{
	if (!session->listed)
	{
		session->listed = true;
		batch->sessions[batch->nsessions++] = session;
	}
	if (!session->loaded && session->reach_to == 0)
		session->reach_from = session->reach_to = event->at;
	session->reach_to = Max(session->reach_to, event->at);
	event->session = session;
}

/* Whether the event belongs to the session, which is stored or has an event of the batch. */
static bool
fits(const LaBatch *batch, const LaSession *session, const LaEvent *event)
{
	bool named = session->session_id != NULL;
	int64 limit = session_limit(named);

	/* On a log's own clock only its own gaps end a session, whatever the time is here. */
	if (session->loaded &&
	    la_session_end(named, session->before.last_seen, session->ended_at,
	                   batch->own_clock ? session->before.last_seen : batch->now) != DT_NOEND)
		return false;
	return event->at - session->reach_to <= limit && (named || session->reach_from - event->at <= limit);
}

static void
assign_named(LaBatch *batch, LaSession *session, LaEvent *event)
{
	if ((!session->loaded && !session->listed) || fits(batch, session, event))
		give(batch, session, event);
}

static void
assign_unnamed(LaBatch *batch, LaEvent *event)
{
	LaVisitor *visitor = event->visitor;

	if (visitor->candidate != NULL && !(batch->own_clock && visitor->opened != NULL) &&
	    fits(batch, visitor->candidate, event))
		give(batch, visitor->candidate, event);
	else
	{
		if (visitor->opened == NULL || !fits(batch, visitor->opened, event))
		{
			visitor->opened = palloc0(sizeof(LaSession));
			visitor->opened->ended_at = DT_NOEND;
		}
		give(batch, visitor->opened, event);
	}
}

/* Named ones first, by name; the others by visitor; inside either by time, or by line. */
static int
in_walking_order(const void *a, const void *b, void *batch)
{
	const LaEvent *left = *(LaEvent *const *) a;
	const LaEvent *right = *(LaEvent *const *) b;
	int order;

	if ((left->session_id == NULL) != (right->session_id == NULL))
		return left->session_id == NULL ? 1 : -1;
	if (left->session_id != NULL)
		order = strcmp(left->session_id, right->session_id);
	else
		order = (left->visitor > right->visitor) - (left->visitor < right->visitor);
	if (order == 0 && !((LaBatch *) batch)->own_clock)
		order = (left->at > right->at) - (left->at < right->at);
	return order != 0 ? order : left->index - right->index;
}

void
track_sessions_assign(LaBatch *batch)
{
	LaSession **named = palloc(Max(batch->n, 1) * sizeof(LaSession *));
	LaSession **named_of = palloc0(Max(batch->n, 1) * sizeof(LaSession *));
	int n = 0;

	batch->walk = palloc(Max(batch->n, 1) * sizeof(LaEvent *));
	batch->nwalk = 0;
	for (int i = 0; i < batch->nvisitors; i++)
		batch->visitors[i].candidate = batch->visitors[i].opened = NULL;
	for (int i = 0; i < batch->n; i++)
	{
		LaEvent *event = batch->events[i];

		event->session = NULL;
		if ((event->session_id != NULL || event->visitor != NULL) && !event->client->is_bot)
			batch->walk[batch->nwalk++] = event;
	}
	qsort_arg(batch->walk, batch->nwalk, sizeof(LaEvent *), in_walking_order, batch);

	for (int i = 0; i < batch->nwalk && batch->walk[i]->session_id != NULL; i++)
	{
		if (n == 0 || strcmp(named[n - 1]->session_id, batch->walk[i]->session_id) != 0)
		{
			named[n] = palloc0(sizeof(LaSession));
			named[n]->session_id = batch->walk[i]->session_id;
			named[n++]->ended_at = DT_NOEND;
		}
		named_of[i] = named[n - 1];
	}
	load_candidates(batch);
	load_named(batch, named, n);

	batch->sessions = palloc(Max(batch->nwalk, 1) * sizeof(LaSession *));
	batch->nsessions = 0;
	for (int i = 0; i < batch->nwalk; i++)
	{
		if (named_of[i] != NULL)
			assign_named(batch, named_of[i], batch->walk[i]);
		else
			assign_unnamed(batch, batch->walk[i]);
	}
}
