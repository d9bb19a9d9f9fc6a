/*
 * What a batch's events make of their sessions, and the writing of it: new ones before the events, which
 * carry their numbers, those that were open already afterwards.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "core/rows.h"
#include "rollup/rollup.h"
#include "track/track.h"

static LaQuery draw_numbers = {
    "SELECT nextval('leadanalytics.session_number') FROM generate_series(1, $1)", 1, {INT4OID}};

static LaQuery open_sessions = {
    "INSERT INTO leadanalytics.session (workspace, visitor, number, started_at, entry_page, referrer, "
    "campaign, "
    "place, network, agent, fingerprint, device, returns, vpn_score, ip, session_id, last_seen, last_page, "
    "events, "
    "pageviews, clicks, scroll_percent, import) "
    "SELECT workspace, visitor, number, started_at, entry_page, referrer, campaign, place, network, agent, "
    "fingerprint, device, returns, vpn_score, ip, session_id, last_seen, last_page, events, pageviews, "
    "clicks, "
    "scroll_percent, import FROM opened"};

static LaQuery move_sessions = {
    "UPDATE leadanalytics.session s SET last_seen = m.last_seen, last_page = m.last_page, events = m.events, "
    "pageviews = m.pageviews, clicks = m.clicks, scroll_percent = m.scroll_percent, "
    "import = coalesce(m.import, s.import) "
    "FROM moved m WHERE s.ctid = m.place"};

static const LaColumn opened_columns[] = {
    {"workspace", INT4OID},
    {"visitor", INT4OID},
    {"number", INT8OID},
    {"started_at", TIMESTAMPTZOID},
    {"entry_page", INT4OID},
    {"referrer", INT4OID},
    {"campaign", INT4OID},
    {"place", INT4OID},
    {"network", INT4OID},
    {"agent", INT4OID},
    {"fingerprint", INT4OID},
    {"device", INT4OID},
    {"returns", INT4OID},
    {"vpn_score", INT2OID},
    {"ip", INETOID},
    {"session_id", TEXTOID},
    {"last_seen", TIMESTAMPTZOID},
    {"last_page", INT4OID},
    {"events", INT4OID},
    {"pageviews", INT4OID},
    {"clicks", INT4OID},
    {"scroll_percent", FLOAT4OID},
    {"import", INT4OID},
};

static const LaColumn moved_columns[] = {
    {"place", TIDOID},      {"last_seen", TIMESTAMPTZOID}, {"last_page", INT4OID},        {"events", INT4OID},
    {"pageviews", INT4OID}, {"clicks", INT4OID},           {"scroll_percent", FLOAT4OID}, {"import", INT4OID},
};

/* Set value and null of the next column. */
static void
put_or_null(Datum *values, bool *nulls, int *column, Datum value, bool isnull)
{
	values[*column] = value;
	nulls[(*column)++] = isnull;
}

static void
put(Datum *values, bool *nulls, int *column, Datum value)
{
	put_or_null(values, nulls, column, value, false);
}

/* A number of the dictionary or of a visitor, where 0 is none. */
static void
put_term(Datum *values, bool *nulls, int *column, int term)
{
	put_or_null(values, nulls, column, Int32GetDatum(term), term == 0);
}

/* The columns that move while a session is open, which both statements end with. */
static void
put_progress(Datum *values, bool *nulls, int *column, const LaSessionRow *row, int import)
{
	put(values, nulls, column, TimestampTzGetDatum(row->last_seen));
	put_term(values, nulls, column, row->last_page);
	put(values, nulls, column, Int32GetDatum(row->events));
	put(values, nulls, column, Int32GetDatum(row->pageviews));
	put(values, nulls, column, Int32GetDatum(row->clicks));
	put(values, nulls, column, Float4GetDatum(row->scroll_percent));
	put_term(values, nulls, column, import);
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
	row->events += !event->is_start;
	row->pageviews += event->kind == 'p';
	row->clicks += strcmp(event->text[LA_TEXT_NAME], "click") == 0;
	row->scroll_percent = Max(row->scroll_percent, event->scroll_percent);
	if (event->at >= row->last_seen)
	{
		row->last_seen = event->at;
		if (event->term[LA_SLOT_PAGE].id != 0)
			row->last_page = event->term[LA_SLOT_PAGE].id;
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

/* Count the events; returns the new sessions that have any, in their order. */
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
		if (batch->walk[i]->session != NULL)
			count(batch->walk[i]->session, batch->walk[i]);
	*n = 0;
	for (int i = 0; i < batch->nsessions; i++)
		if (!batch->sessions[i]->loaded && batch->sessions[i]->first != NULL)
			opened[(*n)++] = batch->sessions[i];
	qsort(opened, *n, sizeof(LaSession *), batch->own_clock ? by_line : by_start);
	return opened;
}

/* Draw the numbers of the new sessions, in the order they were opened. */
static void
draw(LaBatch *batch)
{
	if (batch->nopened == 0)
		return;
	la_query_run(&draw_numbers, (Datum[]){Int32GetDatum(batch->nopened)}, NULL, false, 0);
	for (int i = 0; i < batch->nopened; i++)
	{
		bool isnull;

		batch->opened[i]->number = DatumGetInt64(la_query_value(i, 1, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * What the new session makes of its visitor. His next event without a session_id may belong to the
 * server-made session that reaches furthest.
 */
static void
open_for(LaBatch *batch, LaSession *session, LaVisitor *visitor)
{
	session->returns = visitor->sessions++;
	visitor->changed = true;
	if (session->session_id == NULL && (visitor->candidate == NULL || batch->own_clock ||
	                                    session->after.last_seen >= visitor->candidate->reach_to))
	{
		visitor->candidate = session;
		visitor->last_session = session->number;
	}
}

void
track_sessions_reckon(LaBatch *batch)
{
	batch->opened = tally(batch, &batch->nopened);
	draw(batch);
	for (int i = 0; i < batch->nopened; i++)
	{
		batch->opened[i]->returns = 0;
		if (batch->opened[i]->first->visitor != NULL)
			open_for(batch, batch->opened[i], batch->opened[i]->first->visitor);
	}
}

/* In the order of the batch, named ones by name: batches that take the same names wait for each other. */
void
track_sessions_open(LaBatch *batch)
{
	LaRows *rows = la_rows("opened", opened_columns, lengthof(opened_columns));
	int64 *numbers = palloc(Max(batch->nopened, 1) * sizeof(int64));

	if (batch->nopened == 0)
		return;
	track_vpn(batch, batch->opened, batch->nopened);
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
		put_term(values, nulls, &at, first->visitor ? first->visitor->number : 0);
		put(values, nulls, &at, Int64GetDatum(session->number));
		put(values, nulls, &at, TimestampTzGetDatum(session->after.started_at));
		put_term(values, nulls, &at, first->term[LA_SLOT_PAGE].id);
		put_term(values, nulls, &at, first->term[LA_SLOT_REFERRER].id);
		put_term(values, nulls, &at, first->term[LA_SLOT_CAMPAIGN].id);
		put_term(values, nulls, &at, first->client->place.id);
		put_term(values, nulls, &at, first->client->network.id);
		put_term(values, nulls, &at, first->client->agent_term.id);
		put_term(values, nulls, &at, first->term[LA_SLOT_FINGERPRINT].id);
		put_term(values, nulls, &at, first->term[LA_SLOT_DEVICE].id);
		put(values, nulls, &at, Int32GetDatum(session->returns));
		put_or_null(values, nulls, &at, Int16GetDatum(session->vpn_score), session->vpn_score < 0);
		put_or_null(values, nulls, &at, first->client->ip, first->client->ip == 0);
		put_or_null(values, nulls, &at, session->session_id ? CStringGetTextDatum(session->session_id) : 0,
		            session->session_id == NULL);
		put_progress(values, nulls, &at, &session->after, batch->import);
		la_rows_add(rows, values, nulls);
	}
	la_rows_run(rows, &open_sessions);
	for (int i = 0; i < batch->nopened; i++)
		numbers[i] = batch->opened[i]->number;
	la_rollup_sessions(batch->workspace, numbers, batch->nopened, false);
}

void
track_sessions_move(LaBatch *batch)
{
	LaRows *rows = la_rows("moved", moved_columns, lengthof(moved_columns));

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
		la_rows_add(rows, values, nulls);
	}
	if (rows->n > 0)
		la_rows_run(rows, &move_sessions);
}
