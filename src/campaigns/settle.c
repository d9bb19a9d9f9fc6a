/*
 * What follows from the events of messages: leadanalytics.settle_messages(), see tally.sql.
 *
 * The rows of the messages are locked, their events read as they are then, and what follows is compared with
 * what the rows have. Of what differs, the rows are written, and each fact that is another is counted: the
 * old one off, the new one on. So are the points of leads, once it is known who they are.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "campaigns/message.h"
#include "campaigns/point.h"
#include "core/export.h"
#include "core/query.h"
#include "core/rows.h"
#include "leads/leads.h"

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
    {"lead_number", INT8OID},
};

/* A message's row as it was, and as it follows from the events. */
typedef struct Change
{
	HeapTuple old;
	HeapTuple new;
} Change;

typedef struct Settling
{
	MemoryContext context; /* of one message */
	Message message;
	SPITupleTable *kept; /* the messages' rows, in the order of their ids */
	uint64 next;         /* of them: those before are done */
	bool anew;           /* who the leads are may be told by now */
	Change *changes;
	int n;
	int room;
} Settling;

static LaQuery lock_messages = {
    "SELECT m.workspace, m.id, m.first_at, m.campaign, m.domain, m.mailbox, m.sending_ip, m.lead, "
    "m.recipient, m.workflow, "
    "m.sent_at, m.delivered_at, m.bounced_at, m.is_hard, m.reason, m.opened_at, m.clicked_at, m.replied_at, "
    "m.complained_at, m.unsubscribed_at, m.lead_number "
    "FROM (SELECT DISTINCT u.id FROM unnest($2) AS u (id) ORDER BY 1) AS u "
    "CROSS JOIN LATERAL (SELECT m.* FROM leadanalytics.message m WHERE m.workspace = $1 AND m.id = u.id "
    "AND NOT m.is_final OFFSET 0 FOR NO KEY UPDATE) AS m",
    2,
    {INT4OID, INT8ARRAYOID}};

static LaQuery write_messages = {
    "UPDATE leadanalytics.message m "
    "SET first_at = n.first_at, campaign = n.campaign, domain = n.domain, mailbox = n.mailbox, "
    "sending_ip = n.sending_ip, lead = n.lead, recipient = n.recipient, workflow = n.workflow, sent_at = "
    "n.sent_at, "
    "delivered_at = n.delivered_at, bounced_at = n.bounced_at, is_hard = n.is_hard, reason = n.reason, "
    "opened_at = n.opened_at, clicked_at = n.clicked_at, replied_at = n.replied_at, "
    "complained_at = n.complained_at, unsubscribed_at = n.unsubscribed_at, lead_number = n.lead_number "
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
static LaQuery events = {"SELECT " CAMPAIGNS_EVENT_COLUMNS " FROM leadanalytics.message_event e "
                         "WHERE e.message = ANY ($1) AND e.at >= $2 "
                         "ORDER BY e.message, e.at, e.id",
                         2,
                         {INT8ARRAYOID, TIMESTAMPTZOID}};

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

/* Its number stays with a lead. */
static bool
is_same_lead(const Row *old, Row *new, TupleDesc desc)
{
	if (!is_same(old, new, desc, LEAD, LEAD) || old->nulls[LEAD_NUMBER] != old->nulls[LEAD])
		return false;
	new->values[LEAD_NUMBER] = old->values[LEAD_NUMBER];
	new->nulls[LEAD_NUMBER] = old->nulls[LEAD_NUMBER];
	return true;
}

static void
settle(Settling *settling)
{
	const TupleDesc desc = settling->kept->tupdesc;
	MemoryContext before;
	HeapTuple kept;
	Row old;
	Row new;

	/* One whose row is gone is nobody's, one that is final stays as it is; one without events keeps what it
	 * has. */
	do
	{
		if (settling->next == settling->kept->numvals)
			return;
		kept = settling->kept->vals[settling->next];
		heap_deform_tuple(kept, desc, old.values, old.nulls);
		if (DatumGetInt64(old.values[ID]) > settling->message.id)
			return;
		settling->next++;
	} while (DatumGetInt64(old.values[ID]) < settling->message.id);
	campaigns_tell_row(&settling->message, DatumGetInt32(old.values[WORKSPACE]), &new);
	if (is_same_lead(&old, &new, desc) && !settling->anew &&
	    is_same(&old, &new, desc, FIRST_AT, UNSUBSCRIBED_AT))
		return;
	before = MemoryContextSwitchTo(GetMemoryChunkContext(settling->changes));
	if (settling->n == settling->room)
	{
		settling->room *= 2;
		settling->changes = repalloc_huge(settling->changes, settling->room * sizeof(Change));
	}
	settling->changes[settling->n++] = (Change){kept, heap_form_tuple(desc, new.values, new.nulls)};
	MemoryContextSwitchTo(before);
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
take_event(TupleTableSlot *row, void *arg)
{
	Settling *settling = arg;
	MemoryContext before;

	if (settling->message.n > 0 && settling->message.id != DatumGetInt64(row->tts_values[0]))
		finish_message(settling);
	before = MemoryContextSwitchTo(settling->context);
	campaigns_take_event(&settling->message, row);
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

/* Who they are whom messages name. */
typedef struct Leads
{
	LaLeadName *names;
	int n;
} Leads;

static LaLeadName
name_of(Datum lead)
{
	const text *name = DatumGetTextPP(lead);

	return (LaLeadName){.text = VARDATA_ANY(name), .length = VARSIZE_ANY_EXHDR(name)};
}

/* Of the rows that name one whose number is not known. */
static Leads
find_leads(const Settling *settling, int workspace)
{
	const TupleDesc desc = settling->kept->tupdesc;
	Leads leads = {palloc(Max(settling->n, 1) * sizeof(LaLeadName)), 0};

	for (int i = 0; i < settling->n; i++)
	{
		const HeapTuple row = settling->changes[i].new;
		bool names_none, is_unknown;
		const Datum name = heap_getattr(row, LEAD + 1, desc, &names_none);

		heap_getattr(row, LEAD_NUMBER + 1, desc, &is_unknown);
		if (!names_none && (is_unknown || settling->anew))
			leads.names[leads.n++] = name_of(name);
	}
	leads.n = la_lead_ids(workspace, leads.names, leads.n);
	return leads;
}

static Datum
number_of(const Leads *leads, Datum lead)
{
	const LaLeadName name = name_of(lead);

	return Int64GetDatum(la_lead_id(leads->names, leads->n, name.text, name.length));
}

static void
add_point(LaMessagePoints *points, int sign, Fact fact, const Row *row)
{
	if (!row->nulls[LEAD_NUMBER] && !row->nulls[fact.column])
		campaigns_add_point(points, (LaPoint){.at = DatumGetTimestampTz(row->values[fact.column]),
		                                      .number = DatumGetInt64(row->values[LEAD_NUMBER]),
		                                      .step = fact.kind,
		                                      .sign = sign});
}

static void
tell_changes(const Settling *settling, const Leads *leads, LaRows *settled, LaRows *changed,
             LaMessagePoints *points)
{
	const TupleDesc desc = settling->kept->tupdesc;

	for (int i = 0; i < settling->n; i++)
	{
		Row old, new;
		bool same_place, same_lead;

		heap_deform_tuple(settling->changes[i].old, desc, old.values, old.nulls);
		heap_deform_tuple(settling->changes[i].new, desc, new.values, new.nulls);
		if (!new.nulls[LEAD] && (new.nulls[LEAD_NUMBER] || settling->anew))
		{
			new.values[LEAD_NUMBER] = number_of(leads, new.values[LEAD]);
			new.nulls[LEAD_NUMBER] = false;
		}
		if (is_same(&old, &new, desc, FIRST_AT, LEAD_NUMBER))
			continue;
		la_rows_add(settled, new.values, new.nulls);
		same_place =
		    is_same(&old, &new, desc, CAMPAIGN, MAILBOX) && is_same(&old, &new, desc, SENT_AT, SENT_AT);
		same_lead = is_same(&old, &new, desc, LEAD_NUMBER, LEAD_NUMBER);
		for (int f = 0; f < FACTS; f++)
		{
			const Fact fact = campaigns_facts[f];

			if (!same_place ||
			    !is_same(&old, &new, desc, fact.column, fact.kind == 'b' ? REASON : fact.column))
			{
				count_fact(changed, -1, fact.kind, fact.column, &old);
				count_fact(changed, 1, fact.kind, fact.column, &new);
			}
			if (!same_lead || !is_same(&old, &new, desc, fact.column, fact.column))
			{
				add_point(points, -1, fact, &old);
				add_point(points, 1, fact, &new);
			}
		}
	}
}

LA_FUNCTION(la_campaigns_settle_messages)
{
	const int workspace = PG_GETARG_INT32(0);
	const Datum messages = PG_GETARG_DATUM(1);
	const bool counted = PG_GETARG_BOOL(3);
	Settling settling = {.anew = !counted, .room = 64};
	LaRows *settled, *changed;
	LaMessagePoints points = {0};
	TimestampTz since;
	Leads leads;

	SPI_connect();
	settling.context = AllocSetContextCreate(CurrentMemoryContext, "message", ALLOCSET_DEFAULT_SIZES);
	settling.changes = palloc(settling.room * sizeof(Change));
	la_query_run(&lock_messages, (Datum[]){Int32GetDatum(workspace), messages}, NULL, false, 0);
	settling.kept = SPI_tuptable;
	since = first_at(settling.kept, PG_GETARG_TIMESTAMPTZ(2));

	/* Whom the locks waited for may have added events: they are seen from here on, by a caller of one
	 * snapshot too (REPEATABLE READ): events that change nothing of a row raise no 40001. */
	PushActiveSnapshot(GetLatestSnapshot());
	la_query_each(&events, (Datum[]){messages, TimestampTzGetDatum(since)}, NULL, take_event, &settling);
	PopActiveSnapshot();
	finish_message(&settling);

	leads = find_leads(&settling, workspace);
	settled = la_rows("settled", columns, COLUMNS);
	changed = la_rows("changed", changed_columns, lengthof(changed_columns));
	tell_changes(&settling, &leads, settled, changed, &points);
	if (settled->n > 0)
		la_rows_run(settled, &write_messages);
	if (counted && changed->n > 0)
		la_rows_run(changed, &count_facts);
	if (counted)
		campaigns_write_points(workspace, &points);
	SPI_finish();
	PG_RETURN_VOID();
}
