/*
 * What follows from the events of messages: leadanalytics.settle_messages(), see tally.sql.
 *
 * The rows of the messages are locked, their events read as they are then, and what follows is compared with
 * what the rows have. Of what differs, the rows are written, and each fact that is another is counted: the
 * old one off, the new one on.
 *
 * A message's events come in the order of their time. Two things can be told only with all of them at hand:
 * which opens and clicks are machines', and what a fact is: the first of its kind that is not.
 * leadanalytics.exact has the same in SQL (exact.sql); change both.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "core/query.h"
#include "core/rows.h"
#include "core/settings.h"

typedef struct Event
{
	TimestampTz at;
	int url; /* 0: none */
	char kind;
	bool is_machine;
} Event;

/* The columns of a message's row. Attributes it has from the event that told them first; what its sending
 * said counts before all else. */
enum
{
	WORKSPACE,
	ID,
	FIRST_AT,
	CAMPAIGN,
	DOMAIN,
	MAILBOX,
	SENDING_IP,
	LEAD,
	RECIPIENT,
	WORKFLOW,
	SENT_AT,
	DELIVERED_AT,
	BOUNCED_AT,
	IS_HARD,
	REASON,
	OPENED_AT,
	CLICKED_AT,
	REPLIED_AT,
	COMPLAINED_AT,
	UNSUBSCRIBED_AT,
	COLUMNS
};
#define ATTRIBUTES (SENT_AT - CAMPAIGN)

static const LaColumn columns[COLUMNS] = {
    {"workspace", INT4OID},
    {"id", INT8OID},
    {"first_at", TIMESTAMPTZOID},
    {"campaign", INT4OID},
    {"domain", INT4OID},
    {"mailbox", INT4OID},
    {"sending_ip", INETOID},
    {"lead", TEXTOID},
    {"recipient", TEXTOID},
    {"workflow", TEXTOID},
    {"sent_at", TIMESTAMPTZOID},
    {"delivered_at", TIMESTAMPTZOID},
    {"bounced_at", TIMESTAMPTZOID},
    {"is_hard", BOOLOID},
    {"reason", INT4OID},
    {"opened_at", TIMESTAMPTZOID},
    {"clicked_at", TIMESTAMPTZOID},
    {"replied_at", TIMESTAMPTZOID},
    {"complained_at", TIMESTAMPTZOID},
    {"unsubscribed_at", TIMESTAMPTZOID},
};

/* The facts, by the kind of their events. */
static const struct
{
	char kind;
	int column;
} facts[] = {{'s', SENT_AT},    {'d', DELIVERED_AT}, {'b', BOUNCED_AT},    {'o', OPENED_AT},
             {'c', CLICKED_AT}, {'r', REPLIED_AT},   {'p', COMPLAINED_AT}, {'u', UNSUBSCRIBED_AT}};

typedef struct Row
{
	Datum values[COLUMNS];
	bool nulls[COLUMNS];
} Row;

typedef struct Attribute
{
	Datum value;
	bool is_told;
	bool is_of_sending;
} Attribute;

typedef struct Message
{
	int64 id;
	Event *events;
	int n;
	int room;
	Attribute attributes[ATTRIBUTES];
	bool is_hard;
	int reason; /* 0: none */
	bool bounced;
} Message;

typedef struct Settling
{
	MemoryContext context; /* of one message */
	Message message;
	SPITupleTable *kept; /* the messages' rows, in the order of their ids */
	uint64 next;         /* of them: those before are done */
	LaRows *settled;     /* rows to be written */
	LaRows *changed;     /* facts to be counted on or off */
} Settling;

static LaQuery lock_messages = {
    "SELECT m.workspace, m.id, m.first_at, m.campaign, m.domain, m.mailbox, m.sending_ip, m.lead, "
    "m.recipient, m.workflow, "
    "m.sent_at, m.delivered_at, m.bounced_at, m.is_hard, m.reason, m.opened_at, m.clicked_at, m.replied_at, "
    "m.complained_at, m.unsubscribed_at "
    "FROM (SELECT DISTINCT u.id FROM unnest($2) AS u (id) ORDER BY 1) AS u "
    "CROSS JOIN LATERAL (SELECT m.* FROM leadanalytics.message m WHERE m.workspace = $1 AND m.id = u.id "
    "OFFSET 0 FOR NO KEY UPDATE) AS m",
    2,
    {INT4OID, INT8ARRAYOID}};

static LaQuery write_messages = {
    "UPDATE leadanalytics.message m "
    "SET first_at = n.first_at, campaign = n.campaign, domain = n.domain, mailbox = n.mailbox, "
    "sending_ip = n.sending_ip, lead = n.lead, recipient = n.recipient, workflow = n.workflow, sent_at = "
    "n.sent_at, "
    "delivered_at = n.delivered_at, bounced_at = n.bounced_at, is_hard = n.is_hard, reason = n.reason, "
    "opened_at = n.opened_at, clicked_at = n.clicked_at, replied_at = n.replied_at, "
    "complained_at = n.complained_at, unsubscribed_at = n.unsubscribed_at "
    "FROM settled n WHERE m.workspace = n.workspace AND m.id = n.id"};

static const LaColumn changed_columns[] = {
    {"sign", INT4OID},           {"fact", CHAROID},      {"at", TIMESTAMPTZOID},
    {"sent_at", TIMESTAMPTZOID}, {"workspace", INT4OID}, {"campaign", INT4OID},
    {"domain", INT4OID},         {"mailbox", INT4OID},   {"reason", INT4OID}};

/* What moved within its bucket comes to nothing before it is counted in each series. */
static LaQuery count_facts = {
    "INSERT INTO leadanalytics.message_fresh_tally (workspace, series, bucket, campaign, domain, mailbox, "
    "reason, "
    "sent, delivered, hard, soft, opened, clicked, replied, complained, unsubscribed) "
    "SELECT c.workspace, b.series, b.bucket, b.campaign, b.domain, b.mailbox, b.reason, "
    "sum(k.sent), sum(k.delivered), sum(k.hard), sum(k.soft), sum(k.opened), sum(k.clicked), sum(k.replied), "
    "sum(k.complained), sum(k.unsubscribed) "
    "FROM (SELECT f.workspace, f.fact, date_bin('1 hour', f.at, '2000-01-01 00:00Z') AS hour, "
    "date_bin('15 minutes', f.sent_at, '2000-01-01 00:00Z') AS slot, f.campaign, f.domain, f.mailbox, "
    "f.reason, "
    "sum(f.sign) AS n FROM changed f GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(f.sign) <> 0) AS c, "
    "leadanalytics.message_buckets(c.hour, c.slot, c.campaign, c.domain, c.mailbox, c.reason) b, "
    "leadanalytics.message_count(c.fact, c.n) k "
    "GROUP BY c.workspace, b.series, b.bucket, b.campaign, b.domain, b.mailbox, b.reason"};

/* No two workspaces share a number: only the index by message helps. */
static LaQuery events = {"SELECT e.message, e.at, e.kind, e.is_machine, e.is_hard, e.url, e.reason, "
                         "e.campaign, e.domain, e.mailbox, e.sending_ip, e.lead, e.recipient, e.workflow "
                         "FROM leadanalytics.message_event e WHERE e.message = ANY ($1) AND e.at >= $2 "
                         "ORDER BY e.message, e.at, e.id",
                         2,
                         {INT8ARRAYOID, TIMESTAMPTZOID}};

static bool
is_soon_after(TimestampTz at, const TimestampTz *since)
{
	return since != NULL && at >= *since && at - *since < la_machine_s * USECS_PER_SEC;
}

static const TimestampTz *
first_of(const Message *message, char kind)
{
	for (int i = 0; i < message->n; i++)
		if (message->events[i].kind == kind && !message->events[i].is_machine)
			return &message->events[i].at;
	return NULL;
}

/* Nobody reads a mail in the moment it is sent or arrives; scanners do. */
static void
mark_hasty(Message *message)
{
	const TimestampTz *sent = first_of(message, 's');
	const TimestampTz *delivered = first_of(message, 'd');

	for (int i = 0; i < message->n; i++)
	{
		Event *event = &message->events[i];

		if ((event->kind == 'o' || event->kind == 'c') &&
		    (is_soon_after(event->at, sent) || is_soon_after(event->at, delivered)))
			event->is_machine = true;
	}
}

static int
by_value(const void *a, const void *b)
{
	const int left = *(const int *) a;
	const int right = *(const int *) b;

	return (left > right) - (left < right);
}

/*
 * Nobody follows so many links at once. A window slides over the clicks; how often each address is in it is
 * counted under its place among the addresses of the message.
 */
static void
mark_sweeping(Message *message)
{
	Event **clicks = palloc(message->n * sizeof *clicks);
	int *urls = palloc(message->n * sizeof *urls);
	int *inside = palloc0(message->n * sizeof *inside);
	int n = 0;
	int distinct = 0;
	int marked = 0;

	for (int i = 0; i < message->n; i++)
		if (message->events[i].kind == 'c' && message->events[i].url != 0)
		{
			clicks[n] = &message->events[i];
			urls[n++] = message->events[i].url;
		}
	if (n < la_machine_links)
		return;
	qsort(urls, n, sizeof *urls, by_value);
	for (int from = 0, to = 0; to < n; to++)
	{
#define COUNT_OF(click) inside[(int *) bsearch(&clicks[click]->url, urls, n, sizeof *urls, by_value) - urls]
		distinct += COUNT_OF(to)++ == 0;
		for (; clicks[to]->at - clicks[from]->at > la_machine_s * USECS_PER_SEC; from++)
			distinct -= --COUNT_OF(from) == 0;
#undef COUNT_OF
		if (distinct < la_machine_links)
			continue;
		for (marked = Max(marked, from); marked <= to; marked++)
			clicks[marked]->is_machine = true;
	}
}

static void
put(Row *row, int column, Datum value)
{
	row->values[column] = value;
	row->nulls[column] = false;
}

static void
put_state(Message *message, int workspace, Row *row)
{
	memset(row->nulls, true, sizeof row->nulls);
	mark_hasty(message);
	mark_sweeping(message);
	put(row, WORKSPACE, Int32GetDatum(workspace));
	put(row, ID, Int64GetDatum(message->id));
	put(row, FIRST_AT, TimestampTzGetDatum(message->events[0].at));
	for (int i = 0; i < ATTRIBUTES; i++)
		if (message->attributes[i].is_told)
			put(row, CAMPAIGN + i, message->attributes[i].value);
	for (int i = 0; i < lengthof(facts); i++)
	{
		const TimestampTz *at = first_of(message, facts[i].kind);

		if (at != NULL)
			put(row, facts[i].column, TimestampTzGetDatum(*at));
	}
	/* D-65 */
	if (row->nulls[DELIVERED_AT] && !row->nulls[SENT_AT])
		put(row, DELIVERED_AT, row->values[SENT_AT]);
	if (!message->bounced)
		return;
	row->nulls[DELIVERED_AT] = true;
	put(row, IS_HARD, BoolGetDatum(message->is_hard));
	if (message->reason != 0)
		put(row, REASON, Int32GetDatum(message->reason));
}

static bool
is_same(const Row *a, const Row *b, TupleDesc desc, int from, int to)
{
	for (int i = from; i <= to; i++)
	{
		const Form_pg_attribute column = TupleDescAttr(desc, i);

		if (a->nulls[i] != b->nulls[i] ||
		    (!a->nulls[i] && !datum_image_eq(a->values[i], b->values[i], column->attbyval, column->attlen)))
			return false;
	}
	return true;
}

/* Each row of changed_columns is a fact and all that its place among the counts depends on. */
static void
count_fact(LaRows *changed, int sign, char kind, int column, Row *row)
{
	static const int of_row[] = {SENT_AT, WORKSPACE, CAMPAIGN, DOMAIN, MAILBOX};
	const char fact = kind != 'b' ? kind : DatumGetBool(row->values[IS_HARD]) ? 'h' : 'f';
	Datum values[lengthof(changed_columns)] = {Int32GetDatum(sign), CharGetDatum(fact), row->values[column]};
	bool nulls[lengthof(changed_columns)] = {false};

	if (row->nulls[column])
		return;
	for (int i = 0; i < lengthof(of_row); i++)
	{
		values[3 + i] = row->values[of_row[i]];
		nulls[3 + i] = row->nulls[of_row[i]];
	}
	values[8] = row->values[REASON];
	nulls[8] = row->nulls[REASON] || kind != 'b';
	la_rows_add(changed, values, nulls);
}

static void
settle(Settling *settling)
{
	const TupleDesc desc = settling->kept->tupdesc;
	Row old;
	Row new;
	bool same_place;

	/* One whose row is gone is nobody's; one without events keeps what it has. */
	do
	{
		if (settling->next == settling->kept->numvals)
			return;
		heap_deform_tuple(settling->kept->vals[settling->next], desc, old.values, old.nulls);
		if (DatumGetInt64(old.values[ID]) > settling->message.id)
			return;
		settling->next++;
	} while (DatumGetInt64(old.values[ID]) < settling->message.id);
	put_state(&settling->message, DatumGetInt32(old.values[WORKSPACE]), &new);
	if (is_same(&old, &new, desc, FIRST_AT, UNSUBSCRIBED_AT))
		return;
	la_rows_add(settling->settled, new.values, new.nulls);
	same_place = is_same(&old, &new, desc, CAMPAIGN, MAILBOX) && is_same(&old, &new, desc, SENT_AT, SENT_AT);
	for (int i = 0; i < lengthof(facts); i++)
	{
		const int column = facts[i].column;

		if (same_place && is_same(&old, &new, desc, column, facts[i].kind == 'b' ? REASON : column))
			continue;
		count_fact(settling->changed, -1, facts[i].kind, column, &old);
		count_fact(settling->changed, 1, facts[i].kind, column, &new);
	}
}

/* The message is told: settle it, and forget it. */
static void
finish_message(Settling *settling)
{
	MemoryContext before = MemoryContextSwitchTo(settling->context);

	if (settling->message.n > 0)
		settle(settling);
	MemoryContextSwitchTo(before);
	MemoryContextReset(settling->context);
	settling->message = (Message){0};
}

static void
take_attributes(Message *message, TupleTableSlot *row, bool is_of_sending)
{
	for (int i = 0; i < ATTRIBUTES; i++)
	{
		Attribute *attribute = &message->attributes[i];
		const int column = 7 + i;
		Form_pg_attribute form = TupleDescAttr(row->tts_tupleDescriptor, column);

		if (row->tts_isnull[column] || (attribute->is_told && attribute->is_of_sending >= is_of_sending))
			continue;
		attribute->value = datumCopy(row->tts_values[column], form->attbyval, form->attlen);
		attribute->is_told = true;
		attribute->is_of_sending = is_of_sending;
	}
}

/* A hard bounce wins over soft ones. */
static void
take_bounce(Message *message, bool is_hard, int reason)
{
	if (!message->bounced || (is_hard && !message->is_hard))
		message->reason = reason;
	message->is_hard |= is_hard;
	message->bounced = true;
}

static void
take_event(TupleTableSlot *row, void *arg)
{
	Settling *settling = arg;
	Message *message = &settling->message;
	const Datum *values = row->tts_values;
	const int64 id = DatumGetInt64(values[0]);
	MemoryContext before;
	Event *event;

	if (message->n > 0 && message->id != id)
		finish_message(settling);
	before = MemoryContextSwitchTo(settling->context);
	message->id = id;
	if (message->n == message->room)
	{
		message->room = Max(8, message->room * 2);
		message->events = message->events == NULL
		                      ? palloc(message->room * sizeof(Event))
		                      : repalloc_huge(message->events, message->room * sizeof(Event));
	}
	event = &message->events[message->n++];
	event->at = DatumGetTimestampTz(values[1]);
	event->kind = DatumGetChar(values[2]);
	event->is_machine = (event->kind == 'o' || event->kind == 'c') && DatumGetBool(values[3]);
	event->url = row->tts_isnull[5] ? 0 : DatumGetInt32(values[5]);
	if (event->kind == 'b')
		take_bounce(message, !row->tts_isnull[4] && DatumGetBool(values[4]),
		            row->tts_isnull[6] ? 0 : DatumGetInt32(values[6]));
	take_attributes(message, row, event->kind == 's');
	MemoryContextSwitchTo(before);
}

/* When the first of all events was; none is earlier that the rows do not know of than since. */
static TimestampTz
first_at(const SPITupleTable *kept, TimestampTz since)
{
	for (uint64 i = 0; i < kept->numvals; i++)
	{
		bool isnull;
		Datum at = heap_getattr(kept->vals[i], FIRST_AT + 1, kept->tupdesc, &isnull);

		if (!isnull)
			since = Min(since, DatumGetTimestampTz(at));
	}
	return since;
}

LA_FUNCTION(la_campaigns_settle_messages)
{
	const Datum messages = PG_GETARG_DATUM(1);
	Settling settling = {0};
	TimestampTz since;

	SPI_connect();
	settling.context = AllocSetContextCreate(CurrentMemoryContext, "message", ALLOCSET_DEFAULT_SIZES);
	settling.settled = la_rows("settled", columns, COLUMNS);
	settling.changed = la_rows("changed", changed_columns, lengthof(changed_columns));
	la_query_run(&lock_messages, (Datum[]){PG_GETARG_DATUM(0), messages}, NULL, false, 0);
	settling.kept = SPI_tuptable;
	since = first_at(settling.kept, PG_GETARG_TIMESTAMPTZ(2));

	/* Whom the locks waited for may have added events: they are seen from here on, by a caller of one
	 * snapshot too (REPEATABLE READ): events that change nothing of a row raise no 40001. */
	PushActiveSnapshot(GetLatestSnapshot());
	la_query_each(&events, (Datum[]){messages, TimestampTzGetDatum(since)}, NULL, take_event, &settling);
	PopActiveSnapshot();
	finish_message(&settling);

	if (settling.settled->n > 0)
		la_rows_run(settling.settled, &write_messages);
	if (settling.changed->n > 0)
		la_rows_run(settling.changed, &count_facts);
	SPI_finish();
	PG_RETURN_VOID();
}
