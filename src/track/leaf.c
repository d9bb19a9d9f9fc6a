/*
 * Leaves: the months that events lie in, and the writing of events into them.
 *
 * The batch writes into the leaf itself and writes the ledger's row beside it. An INSERT into the parent
 * would do both (its trigger is there for everybody else's), at a tenth more of a batch's time: it finds the
 * leaf anew for every row and keeps every row a second time for the trigger.
 *
 * Events are added in the order of their own time, then of event_id: two batches with the same events meet
 * them in one order and do not deadlock, and indexes by time and id grow at their right edge. What has
 * only the receipt's time comes last, by event_id.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/month.h"
#include "core/query.h"
#include "core/rows.h"
#include "track/track.h"

#define COLUMNS                                                                                              \
	"at, received_at, id, session, workspace, visitor, person, name, title, referrer, source, page, "        \
	"campaign, place, agent, fingerprint, device, screen_width, screen_height, kind, is_bot, event_id, "     \
	"tags, data"

typedef struct Leaf
{
	DateADT month;
	LaQuery add;
} Leaf;

static LaQuery make_leaf = {"SELECT leadanalytics.make_leaf('event', $1)", 1, {DATEOID}};

static LaQuery draw_block = {"SELECT nextval('leadanalytics.event_block') << 10"};

static LaQuery add_ledger = {
    "INSERT INTO leadanalytics.ledger (workspace, leaf, id_from, id_to, n, at_min, at_max, used_in, used) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    9,
    {INT4OID, DATEOID, INT8OID, INT8OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, DATEOID, INT4OID}};

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
    {"tags", INT4ARRAYOID},
    {"data", JSONBOID},
};

static int
by_date(const void *a, const void *b)
{
	const DateADT left = *(const DateADT *) a;
	const DateADT right = *(const DateADT *) b;

	return (left > right) - (left < right);
}

/* The distinct months of the batch, the earliest first: two batches with the same new ones wait in one order.
 */
static DateADT *
months_of(const LaBatch *batch, int *n)
{
	DateADT *months = palloc(Max(batch->n, 1) * sizeof(DateADT));
	int all = batch->n;

	for (int i = 0; i < all; i++)
		months[i] = batch->events[i]->month;
	qsort(months, all, sizeof(DateADT), by_date);
	*n = 0;
	for (int i = 0; i < all; i++)
		if (*n == 0 || months[i] != months[*n - 1])
			months[(*n)++] = months[i];
	return months;
}

/* The name of a month's leaf, as leadanalytics.make_leaf() gives it. */
static char *
name_of(DateADT month)
{
	int year;
	int number;
	int day;

	j2date(month + POSTGRES_EPOCH_JDATE, &year, &number, &day);
	return psprintf("event_%04d_%02d", year, number);
}

void
track_leaves_make(LaBatch *batch)
{
	Oid schema = get_namespace_oid("leadanalytics", false);
	DateADT *months;
	int n;

	for (int i = 0; i < batch->n; i++)
		batch->events[i]->month = la_month_of(batch->events[i]->at);
	months = months_of(batch, &n);
	for (int i = 0; i < n; i++)
	{
		if (OidIsValid(get_relname_relid(name_of(months[i]), schema)))
			continue;
		la_query_run(&make_leaf, (Datum[]){DateADTGetDatum(months[i])}, NULL, false, 1);
		SPI_freetuptable(SPI_tuptable);
	}
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

int
track_by_event_id(const void *a, const void *b)
{
	const LaEvent *left = *(LaEvent *const *) a;
	const LaEvent *right = *(LaEvent *const *) b;
	int order;

	if (left->has_event_id != right->has_event_id)
		return left->has_event_id ? 1 : -1;
	order = left->has_event_id ? memcmp(left->event_id.data, right->event_id.data, UUID_LEN) : 0;
	return order != 0 ? order : left->index - right->index;
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
	return track_by_event_id(a, b);
}

int
track_visitor_of(const LaEvent *event)
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

/* The statement that adds to the leaf; a leaf's name is made of its month alone. */
static LaQuery *
add_to(DateADT month)
{
	static Leaf leaves[16];
	static int next = 0;
	Leaf *leaf;

	for (int i = 0; i < lengthof(leaves); i++)
		if (leaves[i].add.sql != NULL && leaves[i].month == month)
			return &leaves[i].add;
	leaf = &leaves[next++ % lengthof(leaves)];
	if (leaf->add.plan != NULL)
		SPI_freeplan(leaf->add.plan);
	if (leaf->add.sql != NULL)
		pfree(unconstify(char *, leaf->add.sql));
	leaf->month = month;
	leaf->add.plan = NULL;
	leaf->add.sql = MemoryContextStrdup(
	    TopMemoryContext,
	    psprintf("INSERT INTO leadanalytics.%s (" COLUMNS ") SELECT " COLUMNS " FROM fresh", name_of(month)));
	return &leaf->add;
}

/* Ascending, each once: several are one where the dictionary is full. */
static Datum
tags_array(const LaEvent *event)
{
	Datum tags[LA_TRACK_MAX_TAGS];
	int n = 0;

	for (int i = 0; i < event->ntags; i++)
	{
		int id = event->tag_terms[i].id;
		int at = n;

		while (at > 0 && DatumGetInt32(tags[at - 1]) > id)
			at--;
		if (at > 0 && DatumGetInt32(tags[at - 1]) == id)
			continue;
		memmove(&tags[at + 1], &tags[at], (n++ - at) * sizeof(Datum));
		tags[at] = Int32GetDatum(id);
	}
	return n == 0 ? 0 : PointerGetDatum(construct_array(tags, n, INT4OID, 4, true, TYPALIGN_INT));
}

static void
add_row(LaRows *rows, const LaBatch *batch, const LaEvent *event)
{
	int visitor = track_visitor_of(event);
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
	    tags_array(event),
	    PointerGetDatum(event->data),
	};
	bool nulls[lengthof(event_columns)] = {false};

	StaticAssertStmt(lengthof(values) == lengthof(event_columns), "one value a column");
	nulls[3] = event->session == NULL;
	for (int column = 5; column <= 18; column++) /* the numbers, where 0 is none */
		nulls[column] = values[column] == 0;
	nulls[21] = !event->has_event_id;
	nulls[22] = event->ntags == 0;
	nulls[23] = event->data == NULL;
	la_rows_add(rows, values, nulls);
}

/* D-74, D-76; and what was imported is history. */
bool
track_is_use(const LaBatch *batch, const LaEvent *event)
{
	return batch->import == 0 && !event->is_start && !event->client->is_bot &&
	       (event->kind == 'p' || event->kind == 'c');
}

/* The events of a month, and their row in the ledger. */
static void
write_leaf(LaBatch *batch, DateADT month)
{
	LaRows *rows = la_rows("fresh", event_columns, lengthof(event_columns));
	int64 id_from = PG_INT64_MAX;
	int64 id_to = 0;
	TimestampTz at_min = DT_NOEND;
	TimestampTz at_max = DT_NOBEGIN;
	int used = 0;

	for (int i = 0; i < batch->n; i++)
	{
		const LaEvent *event = batch->events[i];

		if (event->month != month || event->is_start)
			continue;
		add_row(rows, batch, event);
		id_from = Min(id_from, event->id);
		id_to = Max(id_to, event->id);
		at_min = Min(at_min, event->at);
		at_max = Max(at_max, event->at);
		used += track_is_use(batch, event);
	}
	if (rows->n == 0)
		return;
	la_query_run(&add_ledger,
	             (Datum[]){Int32GetDatum(batch->workspace), DateADTGetDatum(month), Int64GetDatum(id_from),
	                       Int64GetDatum(id_to), Int32GetDatum(rows->n), TimestampTzGetDatum(at_min),
	                       TimestampTzGetDatum(at_max), DateADTGetDatum(la_month_of(batch->now)),
	                       Int32GetDatum(used)},
	             NULL, false, 0);
	la_rows_run(rows, add_to(month));
}

void
track_leaves_write(LaBatch *batch)
{
	DateADT *months;
	int n;

	if (batch->n == 0)
		return;
	draw_ids(batch);
	qsort(batch->events, batch->n, sizeof(LaEvent *), in_writing_order);
	months = months_of(batch, &n);
	for (int i = 0; i < n; i++)
		write_leaf(batch, months[i]);
}
