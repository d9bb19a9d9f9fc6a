/*
 * Facts, read from the rows as of the active snapshot: those of the ledgers, and those of a stretch of time.
 */
#include "rollup/parts.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#define ROWS_AT_ONCE 512

static LaQuery read_ledger = {
    "SELECT l.id_from, l.id_to, l.at_min, l.at_max, l.n FROM leadanalytics.ledger l "
    "WHERE l.workspace = $1 AND l.id_from > $2 AND l.at_max >= $3 AND l.at_min < $4 ORDER BY l.id_from",
    4,
    {INT4OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static LaQuery read_session_ledger = {
    "SELECT l.id, l.closed, l.numbers FROM leadanalytics.session_ledger l "
    "WHERE l.workspace = $1 AND l.id > $2 AND l.number_to >= $3 AND l.number_from <= $4 ORDER BY l.id",
    4,
    {INT4OID, INT8OID, INT8OID, INT8OID}};

/* By their time: for min(number) alone a plan would walk the numbers from the first on. */
static LaQuery numbers_between = {"SELECT min(s.number + 0), max(s.number + 0) FROM leadanalytics.session s "
                                  "WHERE s.workspace = $1 AND s.started_at >= $2 AND s.started_at < $3",
                                  3,
                                  {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

#define EVENT_COLUMNS                                                                                        \
	"e.at, e.id, e.session, e.visitor, e.person, e.name, e.page, e.campaign, e.place, e.fingerprint, "       \
	"e.kind, e.is_bot, e.tags, e.source"

/* By id alone: the ids of a ledger's row are one workspace's, and its times tell the leaf. */
static LaQuery events_of_ledger = {
    "SELECT " EVENT_COLUMNS " FROM unnest($1, $2, $3, $4) AS l (id_from, id_to, at_min, at_max) "
    "CROSS JOIN LATERAL (SELECT * FROM leadanalytics.event e WHERE e.id BETWEEN l.id_from AND l.id_to "
    "AND e.at BETWEEN l.at_min AND l.at_max OFFSET 0) AS e",
    4,
    {INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}};

static LaQuery events_between = {
    "SELECT " EVENT_COLUMNS " FROM leadanalytics.event e WHERE e.workspace = $1 AND e.at >= $2 AND e.at < $3",
    3,
    {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static LaQuery events_of_keys = {
    "SELECT " EVENT_COLUMNS
    " FROM unnest($2) AS k (key) CROSS JOIN LATERAL (SELECT * FROM leadanalytics.event e "
    "WHERE coalesce(e.session, -coalesce(e.visitor, e.person)) = k.key AND e.workspace = $1 OFFSET 0) AS e",
    2,
    {INT4OID, INT8ARRAYOID}};

#define SESSIONS(now)                                                                                        \
	"SELECT s.started_at, s.number, s.visitor, s.entry_page, s.referrer, s.campaign, s.place, s.agent, "     \
	"s.fingerprint, s.vpn_score > 50, c.at IS NOT NULL, leadanalytics.engagement_score("                     \
	"date_part('epoch', c.at - s.started_at), s.scroll_percent, s.clicks, s.returns), "                      \
	"(extract(epoch FROM c.at - s.started_at) * 1000000)::bigint "                                           \
	"FROM leadanalytics.session s CROSS JOIN LATERAL (SELECT leadanalytics.session_end("                     \
	"s.session_id IS NOT NULL, s.last_seen, s.ended_at, " now ") AS at) AS c WHERE s.workspace = $1 "

static LaQuery sessions_of = {SESSIONS("'2000-01-01'") "AND s.number = ANY ($2)", 2, {INT4OID, INT8ARRAYOID}};

static LaQuery sessions_between = {SESSIONS("$2") "AND s.started_at >= $3 AND s.started_at < $4",
                                   4,
                                   {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static LaQuery sessions_idle = {
    SESSIONS("$2") "AND s.ended_at IS NULL AND c.at IS NOT NULL", 2, {INT4OID, TIMESTAMPTZOID}};

static int
by_number(const void *a, const void *b)
{
	const int64 left = *(const int64 *) a;
	const int64 right = *(const int64 *) b;

	return (left > right) - (left < right);
}

/* An array of 8-byte numbers with room for so many. */
static int64 *
grown(int64 *numbers, int room)
{
	Size size = (Size) room * sizeof(int64);

	return numbers == NULL ? MemoryContextAllocHuge(CurrentMemoryContext, size)
	                       : repalloc_huge(numbers, size);
}

/* The column of a row, 0 where it is null. */
static Datum
column(uint64 row, int number)
{
	bool isnull;

	return la_query_value(row, number, &isnull);
}

/* Rows of the ledger about that time, until they name so many events. */
static void
read_events(LaTail *tail, int workspace, int64 most, TimestampTz from, TimestampTz to)
{
	int64 last = PG_INT64_MIN;
	int n;
	int room = 0;

	do
	{
		n = la_query_run(&read_ledger,
		                 (Datum[]){Int32GetDatum(workspace), Int64GetDatum(last), TimestampTzGetDatum(from),
		                           TimestampTzGetDatum(to)},
		                 NULL, true, ROWS_AT_ONCE);
		if (tail->n + n > room)
		{
			room = 2 * (tail->n + n);
			tail->id_from = grown(tail->id_from, room);
			tail->id_to = grown(tail->id_to, room);
			tail->at_min = grown(tail->at_min, room);
			tail->at_max = grown(tail->at_max, room);
			tail->events_of = grown(tail->events_of, room);
		}
		for (int row = 0; row < n && tail->events < most; row++)
		{
			tail->id_from[tail->n] = last = DatumGetInt64(column(row, 1));
			tail->id_to[tail->n] = DatumGetInt64(column(row, 2));
			tail->at_min[tail->n] = DatumGetTimestampTz(column(row, 3));
			tail->at_max[tail->n] = DatumGetTimestampTz(column(row, 4));
			tail->events += tail->events_of[tail->n++] = DatumGetInt32(column(row, 5));
		}
		SPI_freetuptable(SPI_tuptable);
	} while (n == ROWS_AT_ONCE && tail->events < most);
}

typedef struct Numbers
{
	int64 *numbers;
	int n;
	int room;
} Numbers;

static void
add_numbers(Numbers *all, Datum array)
{
	ArrayType *numbers = DatumGetArrayTypeP(array);
	int more = ArrayGetNItems(ARR_NDIM(numbers), ARR_DIMS(numbers));

	if (all->n + more > all->room)
		all->numbers = grown(all->numbers, all->room = 2 * (all->n + more));
	memcpy(all->numbers + all->n, ARR_DATA_PTR(numbers), more * sizeof(int64));
	all->n += more;
}

/* Rows of the session ledger that may name one of these sessions, until they name so many. */
static void
read_sessions(LaTail *tail, int workspace, int64 most, int64 from, int64 to)
{
	Numbers opened = {NULL, 0, 0};
	Numbers closed = {NULL, 0, 0};
	int64 last = PG_INT64_MIN;
	int n;
	int room = 0;

	do
	{
		n = la_query_run(
		    &read_session_ledger,
		    (Datum[]){Int32GetDatum(workspace), Int64GetDatum(last), Int64GetDatum(from), Int64GetDatum(to)},
		    NULL, true, ROWS_AT_ONCE);
		if (tail->nrows + n > room)
			tail->rows = grown(tail->rows, room = 2 * (tail->nrows + n));
		for (int row = 0; row < n && opened.n + closed.n < most; row++)
		{
			tail->rows[tail->nrows++] = last = DatumGetInt64(column(row, 1));
			add_numbers(DatumGetBool(column(row, 2)) ? &closed : &opened, column(row, 3));
		}
		SPI_freetuptable(SPI_tuptable);
	} while (n == ROWS_AT_ONCE && opened.n + closed.n < most);
	/* a batch's are in order, and mostly those of several: sorting looks for that first */
	qsort(opened.numbers, opened.n, sizeof(int64), by_number);
	qsort(closed.numbers, closed.n, sizeof(int64), by_number);
	tail->opened = opened.numbers;
	tail->nopened = opened.n;
	tail->closed = closed.numbers;
	tail->nclosed = closed.n;
}

/* What is not folded yet of that time, up to about so many events and sessions (those of any time). */
LaTail *
rollup_tail(int workspace, int64 most, TimestampTz from, TimestampTz to)
{
	LaTail *tail = palloc0(sizeof *tail);

	read_events(tail, workspace, most, from, to);
	read_sessions(tail, workspace, most, PG_INT64_MIN, PG_INT64_MAX);
	return tail;
}

/* Of events alone. */
LaTail *
rollup_tail_of_events(int workspace, TimestampTz from, TimestampTz to)
{
	LaTail *tail = palloc0(sizeof *tail);

	read_events(tail, workspace, PG_INT64_MAX, from, to);
	return tail;
}

/* The same of that time alone, for who reads its rows: sessions, too. */
LaTail *
rollup_tail_between(int workspace, TimestampTz from, TimestampTz to)
{
	LaTail *tail = palloc0(sizeof *tail);
	int64 first;
	int64 last;
	bool isnull;

	read_events(tail, workspace, PG_INT64_MAX, from, to);
	la_query_run(&numbers_between,
	             (Datum[]){Int32GetDatum(workspace), TimestampTzGetDatum(from), TimestampTzGetDatum(to)},
	             NULL, true, 1);
	first = DatumGetInt64(la_query_value(0, 1, &isnull));
	last = DatumGetInt64(la_query_value(0, 2, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (!isnull)
		read_sessions(tail, workspace, PG_INT64_MAX, first, last);
	return tail;
}

/*
 * The rows of a batch that lies in several months share a block of ids, and their ranges overlap; their times
 * do not.
 */
int
rollup_tail_row(const LaTail *tail, int64 id, TimestampTz at)
{
	int low = 0;
	int high = tail->n;

	while (low < high) /* to the first row that begins behind it */
	{
		int middle = (low + high) / 2;

		if (tail->id_from[middle] <= id)
			low = middle + 1;
		else
			high = middle;
	}
	while (--low >= 0 && tail->id_from[low] >> 10 == id >> 10)
		if (tail->id_to[low] >= id && tail->at_min[low] <= at && at <= tail->at_max[low])
			return low;
	return -1;
}

bool
rollup_tail_has_event(const LaTail *tail, int64 id, TimestampTz at)
{
	return rollup_tail_row(tail, id, at) >= 0;
}

bool
rollup_tail_has(const int64 *numbers, int n, int64 number)
{
	return n > 0 && bsearch(&number, numbers, n, sizeof(int64), by_number) != NULL;
}

/* A fact's number, 0 where the row has none. */
#define NUMBER(row, i) ((row)->tts_isnull[i] ? 0 : (row)->tts_values[i])

typedef struct EventTaker
{
	LaTakeEvent take;
	void *arg;
} EventTaker;

static void
take_event(TupleTableSlot *row, void *arg)
{
	EventTaker *taker = arg;
	ArrayType *tags = row->tts_isnull[12] ? NULL : DatumGetArrayTypeP(row->tts_values[12]);
	LaEventFact event = {
	    .at = DatumGetTimestampTz(row->tts_values[0]),
	    .id = DatumGetInt64(row->tts_values[1]),
	    .session = DatumGetInt64(NUMBER(row, 2)),
	    .visitor = DatumGetInt32(NUMBER(row, 3)),
	    .person = DatumGetInt32(NUMBER(row, 4)),
	    .name = DatumGetInt32(row->tts_values[5]),
	    .page = DatumGetInt32(NUMBER(row, 6)),
	    .campaign = DatumGetInt32(NUMBER(row, 7)),
	    .place = DatumGetInt32(NUMBER(row, 8)),
	    .fingerprint = DatumGetInt32(NUMBER(row, 9)),
	    .kind = DatumGetChar(row->tts_values[10]),
	    .is_bot = DatumGetBool(row->tts_values[11]),
	    .source = DatumGetInt32(NUMBER(row, 13)),
	};

	if (tags != NULL && !ARR_HASNULL(tags))
	{
		event.tags = (int *) ARR_DATA_PTR(tags);
		event.ntags = ArrayGetNItems(ARR_NDIM(tags), ARR_DIMS(tags));
	}

	taker->take(&event, taker->arg);
	if (tags != NULL && tags != (ArrayType *) DatumGetPointer(row->tts_values[12]))
		pfree(tags);
}

void
rollup_events_of_tail(const LaTail *tail, LaTakeEvent take, void *arg)
{
	EventTaker taker = {take, arg};

	if (tail->n == 0)
		return;
	la_query_each(&events_of_ledger,
	              (Datum[]){la_query_array(tail->id_from, tail->n, INT8OID),
	                        la_query_array(tail->id_to, tail->n, INT8OID),
	                        la_query_array(tail->at_min, tail->n, TIMESTAMPTZOID),
	                        la_query_array(tail->at_max, tail->n, TIMESTAMPTZOID)},
	              NULL, take_event, &taker);
}

void
rollup_events_between(int workspace, TimestampTz from, TimestampTz to, LaTakeEvent take, void *arg)
{
	EventTaker taker = {take, arg};

	la_query_each(&events_between,
	              (Datum[]){Int32GetDatum(workspace), TimestampTzGetDatum(from), TimestampTzGetDatum(to)},
	              NULL, take_event, &taker);
}

void
rollup_events_of_keys(int workspace, const int64 *keys, int n, LaTakeEvent take, void *arg)
{
	EventTaker taker = {take, arg};

	if (n == 0)
		return;
	la_query_each(&events_of_keys, (Datum[]){Int32GetDatum(workspace), la_query_array(keys, n, INT8OID)},
	              NULL, take_event, &taker);
}

typedef struct SessionTaker
{
	LaTakeSession take;
	void *arg;
} SessionTaker;

static void
take_session(TupleTableSlot *row, void *arg)
{
	SessionTaker *taker = arg;
	LaSessionFact session = {
	    .started_at = DatumGetTimestampTz(row->tts_values[0]),
	    .number = DatumGetInt64(row->tts_values[1]),
	    .visitor = DatumGetInt32(NUMBER(row, 2)),
	    .entry = DatumGetInt32(NUMBER(row, 3)),
	    .referrer = DatumGetInt32(NUMBER(row, 4)),
	    .campaign = DatumGetInt32(NUMBER(row, 5)),
	    .place = DatumGetInt32(NUMBER(row, 6)),
	    .agent = DatumGetInt32(NUMBER(row, 7)),
	    .fingerprint = DatumGetInt32(NUMBER(row, 8)),
	    .is_suspected = DatumGetBool(NUMBER(row, 9)),
	    .is_complete = DatumGetBool(row->tts_values[10]),
	    .score = DatumGetInt32(NUMBER(row, 11)),
	    .duration = DatumGetInt64(NUMBER(row, 12)),
	};

	taker->take(&session, taker->arg);
}

void
rollup_sessions_of(int workspace, const int64 *numbers, int n, LaTakeSession take, void *arg)
{
	SessionTaker taker = {take, arg};

	if (n == 0)
		return;
	la_query_each(&sessions_of, (Datum[]){Int32GetDatum(workspace), la_query_array(numbers, n, INT8OID)},
	              NULL, take_session, &taker);
}

void
rollup_sessions_between(int workspace, TimestampTz from, TimestampTz to, TimestampTz now, LaTakeSession take,
                        void *arg)
{
	SessionTaker taker = {take, arg};

	la_query_each(&sessions_between,
	              (Datum[]){Int32GetDatum(workspace), TimestampTzGetDatum(now), TimestampTzGetDatum(from),
	                        TimestampTzGetDatum(to)},
	              NULL, take_session, &taker);
}

void
rollup_sessions_idle(int workspace, TimestampTz now, LaTakeSession take, void *arg)
{
	SessionTaker taker = {take, arg};

	la_query_each(&sessions_idle, (Datum[]){Int32GetDatum(workspace), TimestampTzGetDatum(now)}, NULL,
	              take_session, &taker);
}

static void
keep_session(const LaSessionFact *session, void *arg)
{
	LaSessions *sessions = arg;

	sessions->facts[sessions->n++] = *session;
}

LaSessions
rollup_read_sessions(int workspace, const int64 *numbers, int n)
{
	LaSessions sessions = {palloc_extended(Max(n, 1) * sizeof(LaSessionFact), MCXT_ALLOC_HUGE), 0};

	rollup_sessions_of(workspace, numbers, n, keep_session, &sessions);
	return sessions;
}

void
rollup_widen(TimestampTz *range, const LaSessions *sessions)
{
	for (int i = 0; i < sessions->n; i++)
	{
		range[0] = Min(range[0], sessions->facts[i].started_at);
		range[1] = Max(range[1], sessions->facts[i].started_at);
	}
}
