/*
 * The procedure that delivers: round and round in the functions of deliver.sql, and sending (send.h)
 * between them.
 *
 *	claim ── commit ── send ── record ── commit
 *
 * While anything is on its way there is a transaction only by name: it has no snapshot, no id and no lock,
 * so nobody waits for it and nothing is kept from vacuum, however slow receivers are. The attempt is
 * committed before a byte is sent. If this process ends before it recorded the answer, the lease runs out
 * and the same is sent once more; record_delivery() knows by the attempt's number whether it is still the
 * last one.
 *
 * A run ends when nothing is due and nothing on its way, and tells the worker when something will be due.
 * It begins nothing any more after some minutes (a unit's time is limited), or when settings changed, which
 * are read between runs: rarely, for meanwhile who hangs keeps everybody waiting.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "portability/instr_time.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "core/query.h"
#include "core/settings.h"
#include "webhook/send.h"
#include "worker/worker.h"

#define RUN_MS 450000 /* and the longest sending: less than the unit's timeout_ms */
#define LOOK_MS 2000  /* pauses end while others are waited for */
#define WAIT_MS 1000L
#define FAN_OUT 500

typedef struct Run
{
	MemoryContext context;
	LaSender *sender;
	List *sendings; /* on their way, LaSending */
	TimestampTz now;
	instr_time begun;
} Run;

/* By a clock that nobody sets. */
static int64
elapsed_ms(const Run *run)
{
	instr_time time;

	INSTR_TIME_SET_CURRENT(time);
	INSTR_TIME_SUBTRACT(time, run->begun);
	return INSTR_TIME_GET_MILLISEC(time);
}

static Datum
now_of(const Run *run)
{
	return TimestampTzGetDatum(TimestampTzPlusMilliseconds(run->now, elapsed_ms(run)));
}

/* What the query before this one answered goes: else it would all be kept until the procedure ends. */
static uint64
ask(LaQuery *query, Datum *values, const char *nulls, bool read_only, long limit)
{
	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = NULL;
	return la_query_run(query, values, nulls, read_only, limit);
}

static void
begin_step(void)
{
	PushActiveSnapshot(GetTransactionSnapshot());
}

/* What is left is a transaction that has done nothing. */
static void
end_step(Run *run)
{
	PopActiveSnapshot();
	SPI_commit();
	MemoryContextSwitchTo(run->context);
}

static void
require_started(Run *run)
{
	static LaQuery started = {"SELECT leadanalytics.started()", 0, {0}};
	bool isnull;

	begin_step();
	ask(&started, NULL, NULL, true, 1);
	if (!DatumGetBool(la_query_value(0, 1, &isnull)))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		                errmsg("leadanalytics is not started in this database"),
		                errhint("SELECT leadanalytics.start();")));
	end_step(run);
}

/* Whether there is more in the outbox than a step takes. */
static bool
fan_out(Run *run)
{
	static LaQuery mend = {"SELECT leadanalytics.mend_deliveries($1)", 1, {TIMESTAMPTZOID}};
	static LaQuery fan = {"SELECT leadanalytics.fan_out($1, $2)", 2, {INT4OID, TIMESTAMPTZOID}};
	Datum now = now_of(run);
	Datum values[] = {Int32GetDatum(FAN_OUT), now};
	bool isnull;
	int taken;

	begin_step();
	ask(&mend, &now, NULL, false, 1);
	ask(&fan, values, NULL, false, 1);
	taken = DatumGetInt32(la_query_value(0, 1, &isnull));
	end_step(run);
	return taken == FAN_OUT;
}

/* A column as text, NULL when null, in the current context: la_query_text()'s lives until the procedure ends.
 */
static char *
text_of(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

/* The file that goes with a mail, or why it does not. */
static void
attach(LaSending *sending, Datum now)
{
	static LaQuery find = {"SELECT file_name, file_type, data, note, fault, final FROM "
	                       "leadanalytics.mail_attachment($1, $2, $3)",
	                       3,
	                       {INT4OID, TEXTOID, TIMESTAMPTZOID}};
	Datum values[] = {Int32GetDatum(sending->workspace), CStringGetTextDatum(sending->export), now};
	char *fault;
	char *note;
	Datum data;
	bool isnull;

	ask(&find, values, NULL, true, 1);
	fault = text_of(0, 5);
	note = text_of(0, 4);
	sending->file_name = text_of(0, 1);
	sending->file_type = text_of(0, 2);
	data = la_query_value(0, 3, &isnull);
	if (!isnull)
		sending->file = DatumGetByteaPCopy(data);
	if (note != NULL)
		sending->body = psprintf("%s\n\n%s", sending->body, note);
	if (fault != NULL)
		la_send_fault(sending, DatumGetBool(la_query_value(0, 6, &isnull)), fault);
}

/* Rows of claim_deliveries() as sendings; attachments come after, for they ask again. */
static List *
read_claimed(Run *run, uint64 rows)
{
	List *claimed = NIL;

	for (uint64 row = 0; row < rows; row++)
	{
		LaSending *sending = la_sending_make(run->sender);
		bool isnull;

		MemoryContextSwitchTo(sending->context);
		sending->workspace = DatumGetInt32(la_query_value(row, 1, &isnull));
		sending->id = DatumGetInt64(la_query_value(row, 2, &isnull));
		sending->attempt = DatumGetInt32(la_query_value(row, 3, &isnull));
		sending->url = text_of(row, 4);
		sending->mark = text_of(row, 5);
		sending->recipient = text_of(row, 6);
		sending->subject = text_of(row, 7);
		sending->body = text_of(row, 8);
		sending->topic = text_of(row, 9);
		sending->occurrence = text_of(row, 10);
		sending->export = text_of(row, 11);
		MemoryContextSwitchTo(run->context);
		claimed = lappend(claimed, sending);
	}
	return claimed;
}

static void
claim(Run *run)
{
	static LaQuery claim = {"SELECT workspace, id, attempt, url, mark, recipient, subject, body, topic, "
	                        "occurrence, attachment FROM "
	                        "leadanalytics.claim_deliveries($1, $2, $3)",
	                        3,
	                        {INT4OID, INT8ARRAYOID, TIMESTAMPTZOID}};
	int busy = la_sender_busy(run->sender);
	int64 *ids = palloc(sizeof(int64) * Max(busy, 1));
	Datum values[] = {Int32GetDatum(la_webhook_at_once - busy), 0, now_of(run)};
	List *claimed;
	ListCell *cell;

	if (busy >= la_webhook_at_once)
		return;
	busy = 0;
	foreach (cell, run->sendings)
		ids[busy++] = ((LaSending *) lfirst(cell))->id;
	values[1] = la_query_array(ids, busy, INT8OID);

	begin_step();
	claimed = read_claimed(run, ask(&claim, values, NULL, false, 0));
	foreach (cell, claimed)
	{
		LaSending *sending = lfirst(cell);

		MemoryContextSwitchTo(sending->context);
		if (sending->export != NULL)
			attach(sending, values[2]);
	}
	end_step(run);

	foreach (cell, claimed)
		la_send(run->sender, lfirst(cell));
	run->sendings = list_concat(run->sendings, claimed);
	list_free(claimed);
	pfree(DatumGetPointer(values[1]));
	pfree(ids);
}

static void
record(const Run *run, const LaSending *sending)
{
	static LaQuery record = {
	    "SELECT leadanalytics.record_delivery($1, $2, $3, $4, $5, $6, $7, $8, $9)",
	    9,
	    {INT4OID, INT8OID, INT4OID, INT4OID, TEXTOID, TEXTOID, INT4OID, BOOLOID, TIMESTAMPTZOID}};
	Datum values[] = {
	    Int32GetDatum(sending->workspace),
	    Int64GetDatum(sending->id),
	    Int32GetDatum(sending->attempt),
	    Int32GetDatum(sending->status),
	    sending->answer ? CStringGetTextDatum(sending->answer) : (Datum) 0,
	    sending->error ? CStringGetTextDatum(sending->error) : (Datum) 0,
	    Int32GetDatum(sending->retry_after_s),
	    BoolGetDatum(sending->final),
	    now_of(run),
	};
	char nulls[] = "         ";

	nulls[3] = sending->status == 0 ? 'n' : ' ';
	nulls[4] = sending->answer == NULL ? 'n' : ' ';
	nulls[5] = sending->error == NULL ? 'n' : ' ';
	ask(&record, values, nulls, false, 1);
}

/* Record what is done; whether anything was. */
static bool
collect(Run *run)
{
	LaSending *sending = la_sender_done(run->sender);

	if (sending == NULL)
		return false;
	begin_step();
	for (; sending != NULL; sending = la_sender_done(run->sender))
	{
		MemoryContextSwitchTo(sending->context);
		record(run, sending);
		MemoryContextSwitchTo(run->context);
		run->sendings = list_delete_ptr(run->sendings, sending);
		MemoryContextDelete(sending->context);
	}
	end_step(run);
	return true;
}

/* Have the worker come back when something is due. */
static void
look_ahead(Run *run, bool at_once)
{
	static LaQuery next = {"SELECT leadanalytics.next_delivery($1)", 1, {TIMESTAMPTZOID}};
	Datum now = now_of(run);
	Datum due;
	bool isnull;

	begin_step();
	ask(&next, &now, NULL, true, 1);
	due = la_query_value(0, 1, &isnull);
	if (at_once || !isnull)
		la_worker_again(DatumGetTimestampTz(at_once ? now : due));
	end_step(run);
}

static void
deliver(Run *run)
{
	bool look = true;
	bool over = false;
	int64 looked = 0;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		ResetLatch(MyLatch);
		over = ConfigReloadPending || elapsed_ms(run) > RUN_MS;
		if (la_worker_poked() || elapsed_ms(run) - looked > LOOK_MS)
			look = true;
		if (look && !over)
		{
			looked = elapsed_ms(run);
			look = fan_out(run);
			claim(run);
		}
		if (la_sender_busy(run->sender) == 0 && (!look || over))
			break;
		la_sender_wait(run->sender, look ? 0 : WAIT_MS);
		look |= collect(run);
	}
	look_ahead(run, over);
}

LA_FUNCTION(la_webhook_deliver)
{
	Run run = {.now = PG_GETARG_TIMESTAMPTZ(0)};

	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
	    castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR, (errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
		                errmsg("leadanalytics.deliver() must be called outside of any transaction"),
		                errhint("CALL leadanalytics.deliver(now()) at top level: it commits as it goes.")));
	INSTR_TIME_SET_CURRENT(run.begun);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	run.context = AllocSetContextCreate(PortalContext, "leadanalytics deliver", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(run.context);
	run.sender = la_sender_make(run.context);
	require_started(&run);
	deliver(&run);
	MemoryContextDelete(run.context);
	SPI_finish();
	PG_RETURN_VOID();
}
