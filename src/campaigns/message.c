/*
 * What follows from the events of messages: leadanalytics.message_states(), see message.sql.
 *
 * A message's events come in the order of their time. Two things can be told only with all of them at hand:
 * which opens and clicks are machines', and what a fact is: the first of its kind that is not.
 * leadanalytics.exact has the same in SQL (exact.sql); change both.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/inet.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "core/query.h"
#include "core/settings.h"

typedef struct Event
{
	TimestampTz at;
	int url; /* 0: none */
	char kind;
	bool is_machine;
} Event;

/* What a message has from the event that told it first; what its sending said counts before all else. */
enum
{
	CAMPAIGN,
	DOMAIN,
	MAILBOX,
	SENDING_IP,
	LEAD,
	RECIPIENT,
	WORKFLOW,
	ATTRIBUTES
};

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
	ReturnSetInfo *result;
} Settling;

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
put_time(Datum *value, bool *isnull, const TimestampTz *at)
{
	*isnull = at == NULL;
	if (at != NULL)
		*value = TimestampTzGetDatum(*at);
}

static void
put_state(Settling *settling)
{
	/* the columns after id, first_at and the attributes */
	static const char times[] = {'s', 'd', 'b', 0, 0, 'o', 'c', 'r', 'p', 'u'};
	Message *message = &settling->message;
	Datum values[2 + ATTRIBUTES + lengthof(times)] = {0};
	bool nulls[lengthof(values)] = {0};
	Datum *facts = values + 2 + ATTRIBUTES;
	bool *no_facts = nulls + 2 + ATTRIBUTES;

	mark_hasty(message);
	mark_sweeping(message);
	values[0] = Int64GetDatum(message->id);
	values[1] = TimestampTzGetDatum(message->events[0].at);
	for (int i = 0; i < ATTRIBUTES; i++)
	{
		values[2 + i] = message->attributes[i].value;
		nulls[2 + i] = !message->attributes[i].is_told;
	}
	for (int i = 0; i < lengthof(times); i++)
		if (times[i] != 0)
			put_time(&facts[i], &no_facts[i], first_of(message, times[i]));
	/* D-65 */
	if (message->bounced)
		no_facts[1] = true;
	else if (no_facts[1])
		put_time(&facts[1], &no_facts[1], first_of(message, 's'));
	facts[3] = BoolGetDatum(message->is_hard);
	no_facts[3] = !message->bounced;
	facts[4] = Int32GetDatum(message->reason);
	no_facts[4] = message->reason == 0;
	tuplestore_putvalues(settling->result->setResult, settling->result->setDesc, values, nulls);
}

/* The message is told: put what follows, and forget it. */
static void
finish_message(Settling *settling)
{
	MemoryContext before = MemoryContextSwitchTo(settling->context);

	if (settling->message.n > 0)
		put_state(settling);
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

LA_FUNCTION(la_campaigns_message_states)
{
	Settling settling = {0};

	InitMaterializedSRF(fcinfo, 0);
	settling.result = (ReturnSetInfo *) fcinfo->resultinfo;
	SPI_connect();
	settling.context = AllocSetContextCreate(CurrentMemoryContext, "message", ALLOCSET_DEFAULT_SIZES);
	la_query_each(&events, (Datum[]){PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)}, NULL, take_event, &settling);
	finish_message(&settling);
	SPI_finish();
	return (Datum) 0;
}
