/*
 * What a batch's events make of their sessions, and the writing of it.
 *
 * New sessions are written before the events as if every event were added; that is almost always so. When
 * some turn out to be duplicates, the new ones are written again from what was really added.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "track/rows.h"
#include "track/track.h"

static LaQuery draw_numbers = {
    "SELECT nextval('leadanalytics.session_number') FROM generate_series(1, $1)", 1, {INT4OID}};

static LaQuery open_sessions = {
    "INSERT INTO leadanalytics.session (workspace, number, visitor, session_id, started_at, entry_page, "
    "referrer, "
    "utm_source, utm_medium, utm_campaign, returns, last_seen, last_page, events, pageviews, clicks, "
    "scroll_percent, import) "
    "SELECT workspace, number, visitor, session_id, started_at, entry_page, referrer, "
    "utm_source, utm_medium, utm_campaign, returns, last_seen, last_page, events, pageviews, clicks, "
    "scroll_percent, import "
    "FROM opened ON CONFLICT DO NOTHING"};

static LaQuery move_sessions = {
    "UPDATE leadanalytics.session s SET last_seen = m.last_seen, last_page = m.last_page, events = m.events, "
    "pageviews = m.pageviews, clicks = m.clicks, scroll_percent = m.scroll_percent, "
    "import = coalesce(m.import, s.import) "
    "FROM moved m WHERE s.ctid = m.place"};

static LaQuery drop_sessions = {
    "DELETE FROM leadanalytics.session WHERE workspace = $1 AND number = ANY ($2)",
    2,
    {INT4OID, INT8ARRAYOID}};

static const LaColumn opened_columns[] = {
    {"workspace", INT4OID},         {"number", INT8OID},
    {"visitor", INT8OID},           {"session_id", TEXTOID},
    {"started_at", TIMESTAMPTZOID}, {"entry_page", INT4OID},
    {"referrer", INT4OID},          {"utm_source", INT4OID},
    {"utm_medium", INT4OID},        {"utm_campaign", INT4OID},
    {"returns", INT4OID},           {"last_seen", TIMESTAMPTZOID},
    {"last_page", INT4OID},         {"events", INT4OID},
    {"pageviews", INT4OID},         {"clicks", INT4OID},
    {"scroll_percent", FLOAT4OID},  {"import", INT4OID},
};

static const LaColumn moved_columns[] = {
    {"place", TIDOID},      {"last_seen", TIMESTAMPTZOID}, {"last_page", INT4OID},        {"events", INT4OID},
    {"pageviews", INT4OID}, {"clicks", INT4OID},           {"scroll_percent", FLOAT4OID}, {"import", INT4OID},
};

/* Set value and null of the next column: a number, where 0 is none. */
static void
put_number(Datum *values, bool *nulls, int *column, int number)
{
	values[*column] = Int32GetDatum(number);
	nulls[(*column)++] = number == 0;
}

static void
put(Datum *values, bool *nulls, int *column, Datum value)
{
	values[*column] = value;
	nulls[(*column)++] = false;
}

/* The columns that move while a session is open, which both statements end with. */
static void
put_progress(Datum *values, bool *nulls, int *column, const LaSessionRow *row, int import)
{
	put(values, nulls, column, TimestampTzGetDatum(row->last_seen));
	put_number(values, nulls, column, row->last_page);
	put(values, nulls, column, Int32GetDatum(row->events));
	put(values, nulls, column, Int32GetDatum(row->pageviews));
	put(values, nulls, column, Int32GetDatum(row->clicks));
	put(values, nulls, column, Float4GetDatum(row->scroll_percent));
	put_number(values, nulls, column, import);
}

static void
count(LaSession *session, LaEvent *event)
{
	LaSessionRow *row = &session->after;

	if (session->first == NULL)
	{
		session->first = event;
		if (!session->loaded)
			row->started_at = row->last_seen = event->at;
	}
	row->events++;
	row->pageviews += event->kind == 'p';
	row->clicks += strcmp(event->text[LA_TEXT_NAME], "click") == 0;
	row->scroll_percent = Max(row->scroll_percent, event->scroll_percent);
	if (event->at >= row->last_seen)
	{
		row->last_seen = event->at;
		if (event->term[LA_TEXT_PAGE] != 0)
			row->last_page = event->term[LA_TEXT_PAGE];
	}
}

/* Opened earlier first; a visitor's sessions are numbered, and count as returns, in this order. */
static int
by_start(const void *a, const void *b)
{
	const LaSession *left = *(LaSession *const *) a;
	const LaSession *right = *(LaSession *const *) b;
	int order = (left->after.started_at > right->after.started_at) -
	            (left->after.started_at < right->after.started_at);

	return order != 0 ? order : left->first->index - right->first->index;
}

/* Lines of a log are their own order. */
static int
by_line(const void *a, const void *b)
{
	return (*(LaSession *const *) a)->first->index - (*(LaSession *const *) b)->first->index;
}

/* Count the events that were added; returns the new sessions that have any, in their order. */
static LaSession **
tally(LaBatch *batch, int *n)
{
	LaSession **opened = palloc(Max(batch->nsessions, 1) * sizeof(LaSession *));

	for (int i = 0; i < batch->nsessions; i++)
	{
		batch->sessions[i]->after = batch->sessions[i]->before;
		batch->sessions[i]->first = NULL;
	}
	for (int i = 0; i < batch->nwalk; i++)
		if (batch->walk[i]->session != NULL && batch->walk[i]->added)
			count(batch->walk[i]->session, batch->walk[i]);
	*n = 0;
	for (int i = 0; i < batch->nsessions; i++)
		if (!batch->sessions[i]->loaded && batch->sessions[i]->first != NULL)
			opened[(*n)++] = batch->sessions[i];
	qsort(opened, *n, sizeof(LaSession *), batch->own_clock ? by_line : by_start);
	return opened;
}

/*
 * Write new sessions, given in the order they were opened; returns how many were written. They are written
 * in the order of the batch, named ones by name: batches that take the same names wait for each other.
 */
static uint64
write_opened(LaBatch *batch, LaSession **opened, int n)
{
	LaRows *rows = track_rows("opened", opened_columns, lengthof(opened_columns));

	for (int i = 0; i < batch->nvisitors; i++)
		batch->visitors[i].opening = 0;
	for (int i = 0; i < n; i++)
	{
		LaVisitor *visitor = opened[i]->first->visitor;

		opened[i]->returns = visitor ? visitor->sessions + visitor->opening++ : 0;
	}
	for (int i = 0; i < batch->nsessions; i++)
	{
		LaSession *session = batch->sessions[i];
		const LaEvent *first = session->first;
		Datum values[lengthof(opened_columns)];
		bool nulls[lengthof(opened_columns)];
		int at = 0;

		if (session->loaded || first == NULL)
			continue;
		put(values, nulls, &at, Int32GetDatum(batch->workspace));
		put(values, nulls, &at, Int64GetDatum(session->number));
		values[at] = Int64GetDatum(first->visitor ? first->visitor->number : 0);
		nulls[at++] = first->visitor == NULL;
		values[at] = session->session_id ? CStringGetTextDatum(session->session_id) : (Datum) 0;
		nulls[at++] = session->session_id == NULL;
		put(values, nulls, &at, TimestampTzGetDatum(session->after.started_at));
		put_number(values, nulls, &at, first->term[LA_TEXT_PAGE]);
		put_number(values, nulls, &at, first->term[LA_TEXT_REFERRER]);
		put_number(values, nulls, &at, first->term[LA_TEXT_UTM_SOURCE]);
		put_number(values, nulls, &at, first->term[LA_TEXT_UTM_MEDIUM]);
		put_number(values, nulls, &at, first->term[LA_TEXT_UTM_CAMPAIGN]);
		put(values, nulls, &at, Int32GetDatum(session->returns));
		put_progress(values, nulls, &at, &session->after, batch->import);
		track_rows_add(rows, values, nulls);
	}
	return track_rows_run(rows, &open_sessions);
}

/* Another batch has taken some of the names first: those sessions are loaded ones after all. */
static LaSession **
yield_names(LaBatch *batch, LaSession **opened, int *n)
{
	LaSession **named = palloc(*n * sizeof(LaSession *));
	int64 *numbers = palloc(*n * sizeof(int64));
	int nnamed = 0;

	for (int i = 0; i < *n; i++)
		if (opened[i]->session_id != NULL)
			named[nnamed++] = opened[i];
	qsort(named, nnamed, sizeof(LaSession *), track_by_session_id);
	for (int i = 0; i < nnamed; i++)
		numbers[i] = named[i]->number;
	track_sessions_load(batch, named, nnamed);
	for (int i = 0; i < nnamed; i++)
	{
		if (named[i]->number == numbers[i])
		{
			named[i]->loaded = false; /* our own row */
			memset(&named[i]->before, 0, sizeof(LaSessionRow));
		}
	}
	return tally(batch, n);
}

static Datum
numbers_of(LaSession **sessions, int n)
{
	Datum *numbers = palloc(Max(n, 1) * sizeof(Datum));

	for (int i = 0; i < n; i++)
		numbers[i] = Int64GetDatum(sessions[i]->number);
	return PointerGetDatum(construct_array(numbers, n, INT8OID, 8, true, TYPALIGN_DOUBLE));
}

static void
rewrite_opened(LaBatch *batch)
{
	if (batch->nopened > 0)
		la_query_run(&drop_sessions,
		             (Datum[]){Int32GetDatum(batch->workspace), numbers_of(batch->opened, batch->nopened)},
		             NULL, false, 0);
	batch->opened = tally(batch, &batch->nopened);
	if (batch->nopened > 0)
		write_opened(batch, batch->opened, batch->nopened);
}

void
track_sessions_open(LaBatch *batch)
{
	batch->opened = tally(batch, &batch->nopened);
	if (batch->nopened == 0)
		return;
	la_query_run(&draw_numbers, (Datum[]){Int32GetDatum(batch->nopened)}, NULL, false, 0);
	for (int i = 0; i < batch->nopened; i++)
	{
		bool isnull;

		batch->opened[i]->number = DatumGetInt64(la_query_value(i, 1, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	if (write_opened(batch, batch->opened, batch->nopened) < batch->nopened)
	{
		batch->opened = yield_names(batch, batch->opened, &batch->nopened);
		rewrite_opened(batch); /* those that are left are returns of fewer */
	}
}

static void
write_moved(LaBatch *batch)
{
	LaRows *rows = track_rows("moved", moved_columns, lengthof(moved_columns));

	for (int i = 0; i < batch->nsessions; i++)
	{
		LaSession *session = batch->sessions[i];
		Datum values[lengthof(moved_columns)];
		bool nulls[lengthof(moved_columns)];
		int at = 0;

		if (!session->loaded || session->first == NULL)
			continue;
		put(values, nulls, &at, PointerGetDatum(&session->place));
		put_progress(values, nulls, &at, &session->after, batch->import);
		track_rows_add(rows, values, nulls);
	}
	if (rows->n > 0)
		track_rows_run(rows, &move_sessions);
}

void
track_sessions_write(LaBatch *batch, bool all_added)
{
	if (!all_added)
		rewrite_opened(batch);
	write_moved(batch);

	for (int i = 0; i < batch->nopened; i++)
	{
		LaVisitor *visitor = batch->opened[i]->first->visitor;

		if (visitor != NULL)
		{
			visitor->sessions++;
			visitor->changed = true;
		}
	}
	/* The next event without a session_id may belong to the server-made session that reaches furthest. */
	for (int i = 0; i < batch->nopened; i++)
	{
		LaSession *session = batch->opened[i];
		LaVisitor *visitor = session->first->visitor;
		LaSession *best;

		if (session->session_id != NULL)
			continue;
		best = visitor->candidate;
		if (best == NULL || batch->own_clock || session->after.last_seen >= best->reach_to)
		{
			visitor->candidate = session;
			visitor->last_session = session->number;
		}
	}
	track_visitors_write(batch);
}
