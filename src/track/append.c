/*
 * The one way of an event into the table; the steps are listed in track.h.
 *
 * Dedupe: the leaf's UNIQUE (workspace, event_id) decides, and ON CONFLICT DO NOTHING names no index, as
 * it cannot on a partitioned table; no other index of a leaf is unique, so nothing else can conflict. A
 * second delivery carries the same timestamp and meets the first in the same leaf. Only where a time was
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

#define WORTH_A_SAVEPOINT 32            /* events */
#define REMEMBERED (6 * USECS_PER_HOUR) /* how long an event_id is remembered at the least (D-70) */

static LaQuery make_leaf = {"SELECT leadanalytics.make_leaf('event', $1)", 1, {DATEOID}};

static LaQuery draw_block = {"SELECT nextval('leadanalytics.event_block') << 10"};

/*
 * The range picks the leaves; the event_id must pick the row. Written as two plain comparisons the range
 * looks so narrow to a plan made on an empty table that it reads all of it, once for every event.
 */
static LaQuery known_events = {
    "SELECT u.n::int FROM unnest($2) WITH ORDINALITY AS u (event_id, n) "
    "WHERE EXISTS (SELECT FROM leadanalytics.event e WHERE e.workspace = $1 "
    "AND e.event_id = u.event_id AND e.at >= $3 AND e.at < ANY (ARRAY[$4]) OFFSET 0)",
    4,
    {INT4OID, UUIDARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

#define ADD_EVENTS                                                                                           \
	"INSERT INTO leadanalytics.event (at, received_at, id, visitor, session, event_id, workspace, name, "    \
	"page, title, "                                                                                          \
	"referrer, utm_source, utm_medium, utm_campaign, source, kind, data) "                                   \
	"SELECT at, received_at, id, visitor, session, event_id, workspace, name, page, title, "                 \
	"referrer, utm_source, utm_medium, utm_campaign, source, kind, data FROM fresh"

static LaQuery add_events = {ADD_EVENTS};
static LaQuery add_new_events = {ADD_EVENTS " ON CONFLICT DO NOTHING"};

static LaQuery added_events = {
    "SELECT id FROM leadanalytics.event WHERE id >= $1 AND id < $1 + 1024 AND at >= $2 AND at <= $3",
    3,
    {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static const LaColumn event_columns[] = {
    {"at", TIMESTAMPTZOID},
    {"received_at", TIMESTAMPTZOID},
    {"id", INT8OID},
    {"visitor", INT8OID},
    {"session", INT8OID},
    {"event_id", UUIDOID},
    {"workspace", INT4OID},
    /* the terms, in the order of LaText */
    {"name", INT4OID},
    {"page", INT4OID},
    {"title", INT4OID},
    {"referrer", INT4OID},
    {"utm_source", INT4OID},
    {"utm_medium", INT4OID},
    {"utm_campaign", INT4OID},
    {"source", INT4OID},
    {"kind", CHAROID},
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
 * Look up event_ids that the leaf's index might not meet, in [from, to). A log is looked up as a whole:
 * its lines are judged by the lines before them, and those of an earlier import are not lines of this one.
 */
static void
drop_known(LaBatch *batch)
{
	Datum *ids = palloc(Max(batch->n, 1) * sizeof(Datum));
	int *place = palloc(Max(batch->n, 1) * sizeof(int));
	TimestampTz from = batch->now - la_track_past_s * USECS_PER_SEC - REMEMBERED;
	TimestampTz edge = month_of(batch->now) * USECS_PER_DAY;
	TimestampTz next_edge = month_of(edge + 31 * USECS_PER_DAY) * USECS_PER_DAY;
	TimestampTz to = edge;
	bool near = batch->now < edge + REMEMBERED;
	int asked = 0;
	int n = 0;
	uint64 known;

	if (batch->own_clock)
		from = DT_NOEND;
	for (int i = 0; i < batch->n; i++)
	{
		const LaEvent *event = batch->events[i];

		/* a clock that is ahead: the first delivery was too far ahead to be believed, and lies in this month
		 */
		bool ahead = !batch->own_clock && event->at >= next_edge;

		if (!event->has_event_id ||
		    !(batch->own_clock || ahead || (from < edge && (near || event->at_receipt))))
			continue;
		if (ahead)
			to = next_edge;
		if (batch->own_clock)
		{
			from = Min(from, event->at);
			to = asked == 0 ? event->at + 1 : Max(to, event->at + 1);
		}
		place[asked] = i;
		ids[asked++] = UUIDPGetDatum(&event->event_id);
	}
	if (asked == 0)
		return;
	known = la_query_run(
	    &known_events,
	    (Datum[]){Int32GetDatum(batch->workspace),
	              PointerGetDatum(construct_array(ids, asked, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR)),
	              TimestampTzGetDatum(from), TimestampTzGetDatum(to)},
	    NULL, false, 0);
	for (uint64 row = 0; row < known; row++)
	{
		bool isnull;

		batch->events[place[DatumGetInt32(la_query_value(row, 1, &isnull)) - 1]] = NULL;
	}
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < batch->n; i++)
		if (batch->events[i] != NULL)
			batch->events[n++] = batch->events[i];
	batch->n = n;
}

static int
by_index(const void *a, const void *b)
{
	return (*(LaEvent *const *) a)->index - (*(LaEvent *const *) b)->index;
}

/* Ids follow the order in which the client sent the events. */
static int64
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
	return block;
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

static LaRows *
rows_of(LaBatch *batch)
{
	LaRows *rows = track_rows("fresh", event_columns, lengthof(event_columns));

	qsort(batch->events, batch->n, sizeof(LaEvent *), in_writing_order);

	for (int i = 0; i < batch->n; i++)
	{
		LaEvent *event = batch->events[i];
		Datum values[lengthof(event_columns)] = {
		    TimestampTzGetDatum(event->at),
		    TimestampTzGetDatum(batch->now),
		    Int64GetDatum(event->id),
		    Int64GetDatum(event->visitor ? event->visitor->number : 0),
		    Int64GetDatum(event->session ? event->session->number : 0),
		    UUIDPGetDatum(&event->event_id),
		    Int32GetDatum(batch->workspace),
		};
		bool nulls[lengthof(event_columns)] = {false};
		int at = 7;

		nulls[3] = event->visitor == NULL;
		nulls[4] = event->session == NULL;
		nulls[5] = !event->has_event_id;
		for (int term = 0; term < LA_TEXTS; term++, at++)
		{
			values[at] = Int32GetDatum(event->term[term]);
			nulls[at] = event->term[term] == 0;
		}
		values[at++] = CharGetDatum(event->kind);
		nulls[at] = event->data == NULL;
		values[at] = PointerGetDatum(event->data);
		track_rows_add(rows, values, nulls);
	}
	return rows;
}

/*
 * ON CONFLICT looks every event up before it adds it, which is a tenth of a batch's time; a batch is
 * hardly ever a second delivery. So a large one is added without, under a savepoint, and with it once
 * a duplicate was met.
 */
static uint64
write_events(LaBatch *batch)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile uint64 added = 0;
	volatile bool met = false;

	if (batch->n < WORTH_A_SAVEPOINT)
		return track_rows_run(rows_of(batch), &add_new_events);

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		added = track_rows_run(rows_of(batch), &add_events);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_UNIQUE_VIOLATION)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		SPI_unregister_relation("fresh");
		met = true;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	return met ? track_rows_run(rows_of(batch), &add_new_events) : added;
}

/* Which of them went in, when not all did. */
static void
mark_added(LaBatch *batch, int64 block)
{
	TimestampTz from = DT_NOEND;
	TimestampTz to = DT_NOBEGIN;
	bool added[1024] = {false};
	uint64 found;

	for (int i = 0; i < batch->n; i++)
	{
		from = Min(from, batch->events[i]->at);
		to = Max(to, batch->events[i]->at);
	}
	found = la_query_run(&added_events,
	                     (Datum[]){Int64GetDatum(block), TimestampTzGetDatum(from), TimestampTzGetDatum(to)},
	                     NULL, false, 0);
	for (uint64 row = 0; row < found; row++)
	{
		bool isnull;

		added[DatumGetInt64(la_query_value(row, 1, &isnull)) - block] = true;
	}
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < batch->n; i++)
		batch->events[i]->added = added[batch->events[i]->id - block];
}

int
la_track_append(LaBatch *batch)
{
	int64 block;
	uint64 added;

	Assert(batch->n <= LA_TRACK_MAX_EVENTS);
	drop_repeated(batch);
	if (batch->n == 0)
		return 0;
	make_leaves(batch);
	track_terms(batch);
	track_visitors(batch);
	drop_known(batch);
	if (batch->n == 0)
		return 0;
	for (int i = 0; i < batch->n; i++)
		batch->events[i]->added = true; /* until the table says otherwise */
	track_sessions_assign(batch);
	track_sessions_open(batch);
	block = draw_ids(batch);
	added = write_events(batch);
	if (added < batch->n)
		mark_added(batch, block);
	track_sessions_write(batch, added == batch->n);
	return added;
}
