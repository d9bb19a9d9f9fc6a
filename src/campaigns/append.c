/*
 * Adding events of messages: leadanalytics.append_message_events(), see message.sql.
 *
 * What a batch names (campaigns, domains, mailboxes, texts, messages) is looked up once, whatever number of
 * events name it, and made where it is not there yet. Then the events are added in one statement, after which
 * a trigger settles their messages.
 *
 * Two batches at once wait for each other and never in a circle: campaigns and the like are made in the order
 * of their keys, so are messages, and only then are messages locked, in the order of their keys too: whoever
 * adds to a message holds it until the end.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "campaigns/item.h"
#include "core/error.h"
#include "core/export.h"
#include "core/month.h"
#include "core/query.h"
#include "core/rows.h"
#include "track/track.h"

#define MOST_NEW_LEAVES 60

typedef struct ToldEvent
{
	Datum values[ITEM_COLUMNS];
	bool nulls[ITEM_COLUMNS];
} ToldEvent;

typedef struct Batch
{
	int workspace;
	TimestampTz received;
	ToldEvent *events;
	int n;
} Batch;

/* Something that events name, and what is known of it. */
typedef struct Term
{
	const char *text;
	int length;
	int64 id;   /* 0: not known */
	int domain; /* of a mailbox; 0: none */
} Term;

/* Each once, in the order of their bytes. */
typedef struct Terms
{
	Term *names;
	int n;
} Terms;

/* Every look-up is a probe of its own (OFFSET 0): joined, a plan made while tables were small would read all
 * of a workspace. $1 workspace, $2 names, $3 the receipt. */
#define NAMED_ARGS                                                                                           \
	3,                                                                                                       \
	{                                                                                                        \
		INT4OID, TEXTARRAYOID, TIMESTAMPTZOID                                                                \
	}
#define FIND(table, columns)                                                                                 \
	"SELECT u.n::int, k.* FROM unnest($2) WITH ORDINALITY AS u (key, n) "                                    \
	"CROSS JOIN LATERAL (SELECT " columns " FROM leadanalytics." table " k "                                 \
	"WHERE k.workspace = $1 AND k.key = u.key OFFSET 0) AS k"
#define ADD(table, columns, values)                                                                          \
	"INSERT INTO leadanalytics." table " (workspace, " columns ") SELECT $1, " values " "                    \
	"FROM (SELECT u.key FROM unnest($2) AS u (key) WHERE NOT EXISTS (SELECT FROM leadanalytics." table " k " \
	"WHERE k.workspace = $1 AND k.key = u.key OFFSET 0) ORDER BY u.key COLLATE \"C\") AS u ON CONFLICT DO "  \
	"NOTHING"
#define DIGESTS                                                                                              \
	"FROM (SELECT u.n, u.text, leadanalytics.text_digest(u.text) AS digest "                                 \
	"FROM unnest($2) WITH ORDINALITY AS u (text, n) OFFSET 0) AS u "

static LaQuery find_campaigns = {FIND("campaign", "k.id::bigint, 0"), NAMED_ARGS};
static LaQuery add_campaigns = {ADD("campaign", "key, name, created_at", "u.key, u.key, $3"), NAMED_ARGS};
static LaQuery find_domains = {FIND("sending_domain", "k.id::bigint, 0"), NAMED_ARGS};
static LaQuery add_domains = {ADD("sending_domain", "key, name, created_at", "u.key, u.key, $3"), NAMED_ARGS};
static LaQuery find_mailboxes = {FIND("mailbox", "k.id::bigint, coalesce(k.domain, 0)"), NAMED_ARGS};
static LaQuery add_mailboxes = {ADD("mailbox", "key, created_at", "u.key, $3"), NAMED_ARGS};
static LaQuery find_texts = {"SELECT u.n::int, k.id, 0 " DIGESTS
                             "CROSS JOIN LATERAL (SELECT k.id::bigint FROM leadanalytics.message_text k "
                             "WHERE k.workspace = $1 AND k.digest = u.digest OFFSET 0) AS k",
                             NAMED_ARGS};
static LaQuery add_texts = {"INSERT INTO leadanalytics.message_text (workspace, digest, text) "
                            "SELECT $1, u.digest, u.text " DIGESTS
                            "WHERE NOT EXISTS (SELECT FROM leadanalytics.message_text k "
                            "WHERE k.workspace = $1 AND k.digest = u.digest OFFSET 0) "
                            "ORDER BY u.n ON CONFLICT DO NOTHING",
                            NAMED_ARGS};
static LaQuery judge_agents = {"SELECT u.n::int, leadanalytics.is_machine_agent(u.agent)::int::bigint, 0 "
                               "FROM unnest($2) WITH ORDINALITY AS u (agent, n)",
                               NAMED_ARGS};
static LaQuery add_messages = {ADD("message", "id, key", "nextval('leadanalytics.message_number'), u.key"),
                               NAMED_ARGS};
static LaQuery lock_messages = {FIND("message", "k.id, 0") " FOR NO KEY UPDATE", NAMED_ARGS};

/* Who counts anew locks the table before the messages, and so do we: else each would wait for the other. */
static LaQuery lock_events = {"LOCK TABLE leadanalytics.message_event IN ROW EXCLUSIVE MODE"};
static LaQuery make_leaf = {"SELECT leadanalytics.make_leaf('message_event', $1)", 1, {DATEOID}};

/* The columns of message_event, and what the statement below goes by. */
enum
{
	TOLD_INDEX,
	TOLD_MAY_STRAY,
	TOLD_AT,
	TOLD_RECEIVED_AT,
	TOLD_MESSAGE,
	TOLD_WORKSPACE,
	TOLD_CAMPAIGN,
	TOLD_DOMAIN,
	TOLD_MAILBOX,
	TOLD_URL,
	TOLD_AGENT,
	TOLD_REASON,
	TOLD_KIND,
	TOLD_IS_MACHINE,
	TOLD_IS_HARD,
	TOLD_EVENT_ID,
	TOLD_SENDING_IP,
	TOLD_IP,
	TOLD_LEAD,
	TOLD_RECIPIENT,
	TOLD_WORKFLOW,
	TOLD_BOUNCE_CODE,
	TOLD_COLUMNS
};
static const LaColumn told_columns[TOLD_COLUMNS] = {
    {"index", INT4OID},      {"may_stray", BOOLOID},  {"at", TIMESTAMPTZOID}, {"received_at", TIMESTAMPTZOID},
    {"message", INT8OID},    {"workspace", INT4OID},  {"campaign", INT4OID},  {"domain", INT4OID},
    {"mailbox", INT4OID},    {"url", INT4OID},        {"agent", INT4OID},     {"reason", INT4OID},
    {"kind", CHAROID},       {"is_machine", BOOLOID}, {"is_hard", BOOLOID},   {"event_id", UUIDOID},
    {"sending_ip", INETOID}, {"ip", INETOID},         {"lead", TEXTOID},      {"recipient", TEXTOID},
    {"workflow", TEXTOID},   {"bounce_code", TEXTOID}};

/* A month's leaf knows nothing of the one before: what comes without a time may come again on the other side.
 */
static LaQuery add_events = {
    "INSERT INTO leadanalytics.message_event (at, received_at, message, workspace, campaign, domain, "
    "mailbox, url, agent, "
    "reason, kind, is_machine, is_hard, event_id, sending_ip, ip, lead, recipient, workflow, bounce_code) "
    "SELECT t.at, t.received_at, t.message, t.workspace, t.campaign, t.domain, t.mailbox, t.url, t.agent, "
    "t.reason, t.kind, t.is_machine, t.is_hard, t.event_id, t.sending_ip, t.ip, t.lead, t.recipient, "
    "t.workflow, t.bounce_code "
    "FROM told t WHERE NOT (t.may_stray AND EXISTS (SELECT FROM leadanalytics.message_event e "
    "WHERE e.workspace = t.workspace AND e.event_id = t.event_id "
    "AND e.at BETWEEN t.received_at - interval '1 day' AND t.received_at + interval '1 minute' OFFSET 0)) "
    "ORDER BY t.event_id, t.index ON CONFLICT DO NOTHING"};

static int
by_bytes(const void *a, const void *b)
{
	const Term *left = a;
	const Term *right = b;
	const int order = memcmp(left->text, right->text, Min(left->length, right->length));

	return order != 0 ? order : left->length - right->length;
}

static Term
name_of(const ToldEvent *event, int column)
{
	const text *name = DatumGetTextPP(event->values[column]);

	return (Term){.text = VARDATA_ANY(name), .length = VARSIZE_ANY_EXHDR(name)};
}

static Terms
names_in(const Batch *batch, const int *columns, int ncolumns)
{
	Term *names = palloc(Max(batch->n, 1) * ncolumns * sizeof *names);
	int found = 0;
	int n = 0;

	for (int i = 0; i < batch->n; i++)
		for (int c = 0; c < ncolumns; c++)
			if (!batch->events[i].nulls[columns[c]])
				names[found++] = name_of(&batch->events[i], columns[c]);
	qsort(names, found, sizeof *names, by_bytes);
	for (int i = 0; i < found; i++)
		if (n == 0 || by_bytes(&names[n - 1], &names[i]) != 0)
			names[n++] = names[i];
	return (Terms){names, n};
}

static void
run(const Batch *batch, Terms *names, LaQuery *query)
{
	Datum *texts = palloc(Max(names->n, 1) * sizeof *texts);
	uint64 rows;

	for (int i = 0; i < names->n; i++)
		texts[i] = PointerGetDatum(cstring_to_text_with_len(names->names[i].text, names->names[i].length));
	rows = la_query_run(
	    query,
	    (Datum[]){Int32GetDatum(batch->workspace),
	              PointerGetDatum(construct_array(texts, names->n, TEXTOID, -1, false, TYPALIGN_INT)),
	              TimestampTzGetDatum(batch->received)},
	    NULL, false, 0);
	if (SPI_tuptable == NULL)
		return;
	for (uint64 row = 0; row < rows; row++)
	{
		bool isnull;
		Term *name = &names->names[DatumGetInt32(la_query_value(row, 1, &isnull)) - 1];

		name->id = DatumGetInt64(la_query_value(row, 2, &isnull));
		name->domain = DatumGetInt32(la_query_value(row, 3, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
}

static bool
all_known(const Terms *names)
{
	for (int i = 0; i < names->n; i++)
		if (names->names[i].id == 0)
			return false;
	return true;
}

static Terms
look_up(const Batch *batch, const int *columns, int ncolumns, LaQuery *find, LaQuery *add)
{
	Terms names = names_in(batch, columns, ncolumns);

	if (names.n == 0)
		return names;
	run(batch, &names, find);
	if (all_known(&names) || add == NULL)
		return names;
	run(batch, &names, add);
	run(batch, &names, find);
	return names;
}

/* NULL: the event names none. */
static const Term *
find(const Terms *names, const ToldEvent *event, int column)
{
	Term name;

	if (event->nulls[column])
		return NULL;
	name = name_of(event, column);
	return bsearch(&name, names->names, names->n, sizeof name, by_bytes);
}

static void
put(Datum *values, bool *nulls, int column, Datum value)
{
	values[column] = value;
	nulls[column] = false;
}

static void
put_number(Datum *values, bool *nulls, int column, const Term *name)
{
	if (name != NULL)
		put(values, nulls, column, Int32GetDatum((int) name->id));
}

static Batch
batch_of(int workspace, ArrayType *items, TimestampTz received)
{
	const TupleDesc desc = lookup_rowtype_tupdesc(ARR_ELEMTYPE(items), -1);
	Batch batch = {.workspace = workspace, .received = received};
	Datum *elements;
	bool *nulls;
	int n;

	deconstruct_array(items, ARR_ELEMTYPE(items), -1, false, TYPALIGN_DOUBLE, &elements, &nulls, &n);
	batch.events = palloc(Max(n, 1) * sizeof *batch.events);
	for (int i = 0; i < n; i++)
	{
		ToldEvent *event = &batch.events[batch.n];
		HeapTupleHeader row;
		HeapTupleData tuple = {0};

		if (nulls[i])
			continue;
		row = DatumGetHeapTupleHeader(elements[i]);
		tuple.t_len = HeapTupleHeaderGetDatumLength(row);
		tuple.t_data = row;
		heap_deform_tuple(&tuple, desc, event->values, event->nulls);
		if (!event->nulls[FAULT])
			continue;
		if (event->nulls[KEY] || event->nulls[KIND] || event->nulls[AT])
			ereport(ERROR,
			        (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("an event has no key, kind or time"),
			         errhint("These three of leadanalytics.message_item are required.")));
		if (DatumGetTimestampTz(event->values[AT]) < LA_OLDEST_MESSAGE ||
		    TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(event->values[AT])))
			ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			                errmsg("an event of a message is older than 2000 or at no time"),
			                errhint("Correct \"at\" of leadanalytics.message_item.")));
		batch.n++;
	}
	ReleaseTupleDesc(desc);
	return batch;
}

static int
by_month(const void *a, const void *b)
{
	return *(const DateADT *) a - *(const DateADT *) b;
}

/* By its name, as leadanalytics.leaf_name() has it: asking SQL costs a tenth of taking in a single event. */
static bool
leaf_is_there(DateADT first)
{
	int year, month, day;

	j2date(first + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return OidIsValid(get_relname_relid(psprintf("message_event_%04d_%02d", year, month),
	                                    get_namespace_oid("leadanalytics", false)));
}

static void
make_leaves(const Batch *batch)
{
	DateADT *months = palloc(Max(batch->n, 1) * sizeof *months);
	int made = 0;

	for (int i = 0; i < batch->n; i++)
		months[i] = la_month_of(DatumGetTimestampTz(batch->events[i].values[AT]));
	qsort(months, batch->n, sizeof *months, by_month);
	for (int i = 0; i < batch->n; i++)
	{
		if ((i > 0 && months[i] == months[i - 1]) || leaf_is_there(months[i]))
			continue;
		/* each is a table: made all at once, a request runs out of time, and would again */
		if (++made > MOST_NEW_LEAVES)
			ereport(ERROR, (errcode(LA_BAD_REQUEST), errmsg("Too many new months at once"),
			                errhint("Events of at most %d months in which there are none yet are taken at "
			                        "once: send those of a few years at a time.",
			                        MOST_NEW_LEAVES)));
		la_query_run(&make_leaf, (Datum[]){DateADTGetDatum(months[i])}, NULL, false, 0);
	}
}

LA_FUNCTION(la_campaigns_append_message_events)
{
	/* what of an item becomes an event as it is */
	static const struct
	{
		int column;
		int told;
	} same[] = {{INDEX, TOLD_INDEX},
	            {AT, TOLD_AT},
	            {KIND, TOLD_KIND},
	            {IS_HARD, TOLD_IS_HARD},
	            {EVENT_ID, TOLD_EVENT_ID},
	            {SENDING_IP, TOLD_SENDING_IP},
	            {IP, TOLD_IP},
	            {LEAD, TOLD_LEAD},
	            {RECIPIENT, TOLD_RECIPIENT},
	            {WORKFLOW, TOLD_WORKFLOW},
	            {BOUNCE_CODE, TOLD_BOUNCE_CODE}};
	static const int campaign[] = {CAMPAIGN}, domain[] = {DOMAIN}, mailbox[] = {MAILBOX},
	                 text[] = {URL, AGENT, REASON}, agent[] = {AGENT}, message[] = {KEY};
	const TimestampTz received = PG_GETARG_TIMESTAMPTZ(2);
	const bool by_the_edge =
	    la_month_of(received + USECS_PER_MINUTE) != la_month_of(received - USECS_PER_DAY);
	Terms campaigns, domains, mailboxes, texts, agents, messages;
	Batch batch;
	LaRows *told;
	uint64 added;

	SPI_connect();
	batch = batch_of(track_permitted(PG_GETARG_INT32(0)), PG_GETARG_ARRAYTYPE_P(1), received);
	la_query_run(&lock_events, NULL, NULL, false, 0);
	campaigns = look_up(&batch, campaign, 1, &find_campaigns, &add_campaigns);
	domains = look_up(&batch, domain, 1, &find_domains, &add_domains);
	mailboxes = look_up(&batch, mailbox, 1, &find_mailboxes, &add_mailboxes);
	texts = look_up(&batch, text, lengthof(text), &find_texts, &add_texts);
	agents = look_up(&batch, agent, 1, &judge_agents, NULL);
	make_leaves(&batch);
	messages = names_in(&batch, message, 1);
	/* One that was there may be erased while its lock is waited for: then it is a new one. */
	do
	{
		run(&batch, &messages, &add_messages);
		run(&batch, &messages, &lock_messages);
		CHECK_FOR_INTERRUPTS();
	} while (!all_known(&messages));

	told = la_rows("told", told_columns, TOLD_COLUMNS);
	for (int i = 0; i < batch.n; i++)
	{
		const ToldEvent *event = &batch.events[i];
		const Term *box = find(&mailboxes, event, MAILBOX);
		const char kind = DatumGetChar(event->values[KIND]);
		const Term *machine = kind == 'o' || kind == 'c' ? find(&agents, event, AGENT) : NULL;
		Datum values[TOLD_COLUMNS];
		bool nulls[TOLD_COLUMNS];

		memset(nulls, true, sizeof nulls);
		for (int c = 0; c < lengthof(same); c++)
		{
			values[same[c].told] = event->values[same[c].column];
			nulls[same[c].told] = event->nulls[same[c].column];
		}
		put(values, nulls, TOLD_WORKSPACE, Int32GetDatum(batch.workspace));
		put(values, nulls, TOLD_RECEIVED_AT, TimestampTzGetDatum(received));
		put(values, nulls, TOLD_MESSAGE, Int64GetDatum(find(&messages, event, KEY)->id));
		put(values, nulls, TOLD_MAY_STRAY,
		    BoolGetDatum(by_the_edge && !event->nulls[AT_RECEIPT] &&
		                 DatumGetBool(event->values[AT_RECEIPT])));
		put(values, nulls, TOLD_IS_MACHINE, BoolGetDatum(machine != NULL && machine->id != 0));
		if (box != NULL && box->domain != 0)
			put(values, nulls, TOLD_DOMAIN, Int32GetDatum(box->domain));
		put_number(values, nulls, TOLD_CAMPAIGN, find(&campaigns, event, CAMPAIGN));
		put_number(values, nulls, TOLD_DOMAIN, find(&domains, event, DOMAIN));
		put_number(values, nulls, TOLD_MAILBOX, box);
		put_number(values, nulls, TOLD_URL, find(&texts, event, URL));
		put_number(values, nulls, TOLD_AGENT, find(&texts, event, AGENT));
		put_number(values, nulls, TOLD_REASON, find(&texts, event, REASON));
		la_rows_add(told, values, nulls);
	}
	added = la_rows_run(told, &add_events);
	SPI_finish();
	PG_RETURN_INT64(added);
}
