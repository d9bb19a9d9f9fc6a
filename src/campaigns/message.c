/*
 * What follows from the events of a message; see message.h.
 *
 * A message's events come in the order of their time. Two things can be told only with all of them at hand:
 * which opens and clicks are machines', and what a fact is: the first of its kind that is not.
 * leadanalytics.exact has the same in SQL (exact.sql); change both.
 */
#include "postgres.h"

#include "utils/datum.h"
#include "utils/timestamp.h"

#include "campaigns/message.h"
#include "core/settings.h"

const Fact campaigns_facts[FACTS] = {{'s', SENT_AT},       {'d', DELIVERED_AT},   {'b', BOUNCED_AT},
                                     {'o', OPENED_AT},     {'c', CLICKED_AT},     {'r', REPLIED_AT},
                                     {'p', COMPLAINED_AT}, {'u', UNSUBSCRIBED_AT}};

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

void
campaigns_tell_row(Message *message, int workspace, Row *row)
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
	for (int i = 0; i < FACTS; i++)
	{
		const TimestampTz *at = first_of(message, campaigns_facts[i].kind);

		if (at != NULL)
			put(row, campaigns_facts[i].column, TimestampTzGetDatum(*at));
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

void
campaigns_take_event(Message *message, TupleTableSlot *row)
{
	const Datum *values = row->tts_values;
	Event *event;

	message->id = DatumGetInt64(values[0]);
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
}
