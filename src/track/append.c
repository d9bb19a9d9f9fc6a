/*
 * The one way of an event into the table; the steps are listed in track.h.
 *
 * Dedupe: the leaf's UNIQUE (workspace, event_id) decides. A batch is hardly ever a second delivery, so
 * sessions and events are written under a savepoint as if all events were new; when one is not, they are
 * taken back, the events that are known are dropped, and the rest is tried again as if it had come alone.
 * A second delivery carries the same timestamp and meets the first in the same leaf. Only where a time was
 * not taken from the client, hardly any longer is, or hardly is yet, can two deliveries lie on both sides
 * of a month's edge: those are looked up before.
 *
 * Events are added in the order of their own time, then of event_id: two batches with the same events meet
 * them in one order and do not deadlock, and indexes by time and id grow at their right edge. What has
 * only the receipt's time comes last, by event_id.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "core/settings.h"
#include "track/rows.h"
#include "track/track.h"

#define REMEMBERED (6 * USECS_PER_HOUR) /* how long an event_id is remembered at the least (D-70) */
#define TRIES 20                        /* of a batch, while others write what it writes */

static LaQuery make_leaf = {"SELECT leadanalytics.make_leaf('event', $1)", 1, {DATEOID}};

static LaQuery draw_block = {"SELECT nextval('leadanalytics.event_block') << 10"};

static LaQuery known_events = {"SELECT u.n::int FROM unnest($2) WITH ORDINALITY AS u (event_id, n) "
                               "WHERE EXISTS (SELECT FROM leadanalytics.event e WHERE e.workspace = $1 "
                               "AND e.event_id = u.event_id AND e.at >= $3 AND e.at < $4 OFFSET 0)",
                               4,
                               {INT4OID, UUIDARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static LaQuery add_events = {
    "INSERT INTO leadanalytics.event (at, received_at, id, session, workspace, visitor, person, name, title, "
    "referrer, source, page, campaign, place, agent, fingerprint, device, screen_width, screen_height, kind, "
    "is_bot, event_id, data) "
    "SELECT at, received_at, id, session, workspace, visitor, person, name, title, "
    "referrer, source, page, campaign, place, agent, fingerprint, device, screen_width, screen_height, kind, "
    "is_bot, event_id, data FROM fresh"};

static const LaColumn event_columns[] = {
    {"at", TIMESTAMPTZOID},
    {"received_at", TIMESTAMPTZOID},
    {"id", INT8OID},
    {"session", INT8OID},
    {"workspace", INT4OID},
    {"visitor", INT4OID},
    {"person", INT4OID},
    {"name", INT4OID},
    {"title", INT4OID},
    {"referrer", INT4OID},
    {"source", INT4OID},
    {"page", INT4OID},
    {"campaign", INT4OID},
    {"place", INT4OID},
    {"agent", INT4OID},
    {"fingerprint", INT4OID},
    {"device", INT4OID},
    {"screen_width", INT2OID},
    {"screen_height", INT2OID},
    {"kind", CHAROID},
    {"is_bot", BOOLOID},
    {"event_id", UUIDOID},
    {"data", JSONBOID},
};

static int
by_event_id(const void *a, const void *b)
{
	const LaEvent *left = *(LaEvent *const *) a;
	const LaEvent *right = *(LaEvent *const *) b;
	int order;

	if (left->has_event_id != right->has_event_id)
		return left->has_event_id ? 1 : -1;
	order = left->has_event_id ? memcmp(left->event_id.data, right->event_id.data, UUID_LEN) : 0;
	return order != 0 ? order : left->index - right->index;
}

/* Sort by event_id and let go of all but the first of each. */
static void
drop_repeated(LaBatch *batch)
{
	int n = 0;

	qsort(batch->events, batch->n, sizeof(LaEvent *), by_event_id);
	for (int i = 0; i < batch->n; i++)
	{
		LaEvent *event = batch->events[i];

		if (n > 0 && event->has_event_id && batch->events[n - 1]->has_event_id &&
		    memcmp(batch->events[n - 1]->event_id.data, event->event_id.data, UUID_LEN) == 0)
			continue;
		batch->events[n++] = event;
	}
	batch->n = n;
}

static DateADT
month_of(TimestampTz at)
{
	int day = DatumGetDateADT(DirectFunctionCall1(timestamp_date, TimestampGetDatum(at)));
	int year;
	int month;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return date2j(year, month, 1) - POSTGRES_EPOCH_JDATE;
}

static int
by_date(const void *a, const void *b)
{
	const DateADT left = *(const DateADT *) a;
	const DateADT right = *(const DateADT *) b;

	return (left > right) - (left < right);
}

/* The earliest first: two batches with the same new months wait for each other in one order. */
static void
make_leaves(LaBatch *batch)
{
	DateADT *months = palloc(batch->n * sizeof(DateADT));
	Oid schema = get_namespace_oid("leadanalytics", false);

	for (int i = 0; i < batch->n; i++)
		months[i] = month_of(batch->events[i]->at);
	qsort(months, batch->n, sizeof(DateADT), by_date);
	for (int i = 0; i < batch->n; i++)
	{
		DateADT month = months[i];
		char name[NAMEDATALEN];
		int year;
		int number;
		int day;

		if (i > 0 && month == months[i - 1])
			continue;
		j2date(month + POSTGRES_EPOCH_JDATE, &year, &number, &day);
		snprintf(name, sizeof(name), "event_%04d_%02d", year, number);
		if (!OidIsValid(get_relname_relid(name, schema)))
		{
			la_query_run(&make_leaf, (Datum[]){DateADTGetDatum(month)}, NULL, false, 1);
			SPI_freetuptable(SPI_tuptable);
		}
	}
}

/*
 * Drop those of the events, at places[], whose event_id is stored with a time in [from, to); returns how
 * many they were.
 */
static int
drop_stored(LaBatch *batch, const int *places, int asked, TimestampTz from, TimestampTz to)
{
	Datum *ids = palloc(Max(asked, 1) * sizeof(Datum));
	uint64 known;
	int n = 0;

	for (int i = 0; i < asked; i++)
		ids[i] = UUIDPGetDatum(&batch->events[places[i]]->event_id);
	if (asked == 0)
		return 0;
	known = la_query_run(
	    &known_events,
	    (Datum[]){Int32GetDatum(batch->workspace),
	              PointerGetDatum(construct_array(ids, asked, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR)),
	              TimestampTzGetDatum(from), TimestampTzGetDatum(to)},
	    NULL, false, 0);
	for (uint64 row = 0; row < known; row++)
	{
		bool isnull;

		batch->events[places[DatumGetInt32(la_query_value(row, 1, &isnull)) - 1]] = NULL;
	}
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < batch->n; i++)
		if (batch->events[i] != NULL)
			batch->events[n++] = batch->events[i];
	batch->n = n;
	return known;
}

/* Drop the known ones among those whose time lies in [from, to), where their duplicates would lie too. */
static int
drop_known(LaBatch *batch)
{
	int *places = palloc(Max(batch->n, 1) * sizeof(int));
	TimestampTz from = DT_NOEND;
	TimestampTz to = DT_NOBEGIN;
	int asked = 0;

	for (int i = 0; i < batch->n; i++)
	{
		const LaEvent *event = batch->events[i];

		if (!event->has_event_id)
			continue;
		from = Min(from, month_of(event->at) * USECS_PER_DAY);
		to = Max(to, month_of(month_of(event->at) * USECS_PER_DAY + 31 * USECS_PER_DAY) * USECS_PER_DAY);
		places[asked++] = i;
	}
	return drop_stored(batch, places, asked, from, to);
}

/*
 * Drop known ones that the leaf's index might not meet: their first delivery may lie in another month. A
 * log is looked up as a whole: its lines are judged by the lines before them, and those of an earlier
 * import are not lines of this one.
 */
static void
drop_strayed(LaBatch *batch)
{
	int *places = palloc(Max(batch->n, 1) * sizeof(int));
	TimestampTz from = batch->now - la_track_past_s * USECS_PER_SEC - REMEMBERED;
	TimestampTz edge = month_of(batch->now) * USECS_PER_DAY;
	TimestampTz next_edge = month_of(edge + 31 * USECS_PER_DAY) * USECS_PER_DAY;
	TimestampTz to = edge;
	bool near = batch->now < edge + REMEMBERED;
	/* who began behind the edge may have been faster than who began just before it */
	bool overtaken = batch->now >= next_edge - USECS_PER_MINUTE;
	int asked = 0;

	if (batch->own_clock)
	{
		drop_known(batch);
		return;
	}
	for (int i = 0; i < batch->n; i++)
	{
		const LaEvent *event = batch->events[i];

		/* a clock that is ahead: the first delivery was too far ahead to be believed, and lies in this month
		 */
		bool ahead = event->at >= next_edge;

		bool passed = overtaken && event->at_receipt;

		if (!event->has_event_id || !(ahead || passed || (from < edge && (near || event->at_receipt))))
			continue;
		if (ahead)
			to = Max(to, next_edge);
		if (passed)
			to = next_edge + REMEMBERED;
		places[asked++] = i;
	}
	drop_stored(batch, places, asked, from, to);
}

static int
by_index(const void *a, const void *b)
{
	return (*(LaEvent *const *) a)->index - (*(LaEvent *const *) b)->index;
}

/* Ids follow the order in which the client sent the events. */
static void
draw_ids(LaBatch *batch)
{
	LaEvent **sent = palloc(batch->n * sizeof(LaEvent *));
	bool isnull;
	int64 block;

	memcpy(sent, batch->events, batch->n * sizeof(LaEvent *));
	qsort(sent, batch->n, sizeof(LaEvent *), by_index);
	la_query_run(&draw_block, NULL, NULL, false, 1);
	block = DatumGetInt64(la_query_value(0, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < batch->n; i++)
		sent[i]->id = block + i;
}

static int
in_writing_order(const void *a, const void *b)
{
	const LaEvent *left = *(LaEvent *const *) a;
	const LaEvent *right = *(LaEvent *const *) b;

	if (left->at_receipt != right->at_receipt)
		return left->at_receipt ? 1 : -1;
	if (left->at != right->at)
		return left->at > right->at ? 1 : -1;
	return by_event_id(a, b);
}

/* An event that names no visitor is of its session's. */
static int
visitor_of(const LaEvent *event)
{
	const LaSession *session = event->session;

	if (event->visitor != NULL)
		return event->visitor->number;
	if (session == NULL)
		return 0;
	if (session->loaded)
		return session->visitor;
	return session->first->visitor ? session->first->visitor->number : 0;
}

static void
write_events(LaBatch *batch)
{
	LaRows *rows = track_rows("fresh", event_columns, lengthof(event_columns));

	qsort(batch->events, batch->n, sizeof(LaEvent *), in_writing_order);
	for (int i = 0; i < batch->n; i++)
	{
		LaEvent *event = batch->events[i];
		int visitor = visitor_of(event);
		Datum values[] = {
		    TimestampTzGetDatum(event->at),
		    TimestampTzGetDatum(batch->now),
		    Int64GetDatum(event->id),
		    Int64GetDatum(event->session ? event->session->number : 0),
		    Int32GetDatum(batch->workspace),
		    Int32GetDatum(visitor),
		    Int32GetDatum(event->person ? event->person->number : 0),
		    Int32GetDatum(event->term[LA_SLOT_NAME].id),
		    Int32GetDatum(event->term[LA_SLOT_TITLE].id),
		    Int32GetDatum(event->term[LA_SLOT_REFERRER].id),
		    Int32GetDatum(event->term[LA_SLOT_SOURCE].id),
		    Int32GetDatum(event->term[LA_SLOT_PAGE].id),
		    Int32GetDatum(event->term[LA_SLOT_CAMPAIGN].id),
		    Int32GetDatum(event->client->place.id),
		    Int32GetDatum(event->client->agent_term.id),
		    Int32GetDatum(event->term[LA_SLOT_FINGERPRINT].id),
		    Int32GetDatum(event->term[LA_SLOT_DEVICE].id),
		    Int16GetDatum(event->screen_width),
		    Int16GetDatum(event->screen_height),
		    CharGetDatum(event->kind),
		    BoolGetDatum(event->client->is_bot),
		    UUIDPGetDatum(&event->event_id),
		    PointerGetDatum(event->data),
		};
		bool nulls[lengthof(event_columns)] = {false};

		if (event->is_start)
			continue;
		StaticAssertStmt(lengthof(values) == lengthof(event_columns), "one value a column");
		nulls[3] = event->session == NULL;
		for (int column = 5; column <= 18; column++) /* the numbers, where 0 is none */
			nulls[column] = values[column] == 0;
		nulls[21] = !event->has_event_id;
		nulls[22] = event->data == NULL;
		track_rows_add(rows, values, nulls);
	}
	if (rows->n > 0)
		track_rows_run(rows, &add_events);
}

/* Write sessions and events; false, and nothing is written, when some of it was written by others. */
static bool
write_batch(LaBatch *batch, ErrorData **error)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool written = false;

	*error = NULL;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		track_sessions_assign(batch);
		if (track_sessions_open(batch))
		{
			draw_ids(batch);
			write_events(batch);
			written = true;
		}
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(memory);
		*error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (written)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	if (*error != NULL)
	{
		SPI_unregister_relation("fresh");
		if ((*error)->sqlerrcode != ERRCODE_UNIQUE_VIOLATION)
			ReThrowError(*error);
	}
	return written;
}

int
la_track_append(LaBatch *batch)
{
	ErrorData *error;
	int starts = 0;

	Assert(batch->n <= LA_TRACK_MAX_EVENTS);
	drop_repeated(batch);
	if (batch->n == 0)
		return 0;
	make_leaves(batch);
	track_spell(batch);
	track_persons(batch);
	track_visitors(batch);
	drop_strayed(batch);
	for (int try = 1; batch->n > 0 && !write_batch(batch, &error); try++)
	{
		bool dropped = error != NULL && drop_known(batch) > 0;

		if (error != NULL && !dropped && IsolationUsesXactSnapshot())
			ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			                errmsg("an event was added by another transaction that this one cannot see"),
			                errhint("Try again.")));
		if (error != NULL && !dropped)
			ReThrowError(error); /* what it met is no event of ours */
		if (try == TRIES)
			ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			                errmsg("other transactions kept writing the sessions and events of this batch"),
			                errhint("Try again.")));
	}
	if (batch->n == 0)
		return 0;
	track_sessions_write(batch);
	track_persons_meet(batch);
	track_visitors_write(batch);
	track_persons_alias(batch);
	for (int i = 0; i < batch->n; i++)
		starts += batch->events[i]->is_start;
	return batch->n - starts;
}
