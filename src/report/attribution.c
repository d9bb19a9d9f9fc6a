/*
 * Which touch each conversion is attributed to: leadanalytics.attribution_events(), see attribution.sql.
 *
 *	conversions ─▶ askers (visitors, persons) ─▶ journeys ─▶ their visitors ─▶ touches, sorted ─▶ one for each
 *
 * Whatever belongs together is looked up at once, in the order of numbers; a conversion finds its touch
 * among those of its journey by halving. So one busy journey costs no more than many. (In SQL, where sorted
 * rows cannot be searched, the same took twice as long.)
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "core/error.h"
#include "core/export.h"
#include "core/query.h"

#define MAX_DAYS 36500
#define AT_ONCE 50000 /* numbers that one statement is asked about */

typedef enum Model
{
	HYBRID,
	FIRST_TOUCH,
	LAST_TOUCH,
	SESSION,
	MODELS,
} Model;

static const char *const model_names[MODELS] = {"hybrid", "first_touch", "last_touch", "session"};

typedef struct Touch
{
	TimestampTz at;
	int64 session;
	int campaign;
	int journey;
} Touch;

typedef struct Conversion
{
	TimestampTz at;
	int64 id;
	Datum amount;
	Touch own; /* of the session it happened in, campaign 0: it has none; journey is not set */
	int name;
	int asker; /* its visitor, or a person without one; 0: nobody */
} Conversion;

/* A visitor or person that asks, then one that answers: the two share their numbers. */
typedef struct Member
{
	int number;
	int journey;
	bool is_person;
} Member;

typedef struct Rows
{
	void *items;
	int64 n;
	int64 room;
	size_t size;
} Rows;

typedef struct Attribution
{
	int workspace;
	TimestampTz starts;
	TimestampTz ends;
	int64 window; /* µs */
	Model model;
	Rows conversions;
	Rows askers;  /* Member, by number, each once */
	Rows persons; /* Member */
	Rows members; /* Member, by number: the visitors of all journeys */
	Rows touches; /* Touch, by journey, time, session */
} Attribution;

static LaQuery conversions = {
    "SELECT c.at, c.id, c.name, c.amount, coalesce(c.visitor, s.visitor, c.person), s.number, s.started_at, "
    "s.campaign "
    "FROM leadanalytics.conversion_events($1, $2, $3, $4) c "
    "LEFT JOIN LATERAL (SELECT s.number, s.visitor, s.started_at, s.campaign FROM leadanalytics.session s "
    "WHERE s.workspace = $1 AND s.number = c.session OFFSET 0) AS s ON true",
    4,
    {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, BOOLOID}};

/* Who is no visitor is a person. */
static LaQuery journeys = {
    "SELECT u.number, coalesce(p.alias_of, v.person, u.number), v.person IS NOT NULL OR v.number IS NULL "
    "FROM unnest($2) AS u (number) "
    "LEFT JOIN LATERAL (SELECT v.number, v.person FROM leadanalytics.visitor v "
    "WHERE v.workspace = $1 AND v.number = u.number OFFSET 0) AS v ON true "
    "LEFT JOIN LATERAL (SELECT p.alias_of FROM leadanalytics.person p "
    "WHERE p.workspace = $1 AND p.number = coalesce(v.person, u.number) OFFSET 0) AS p "
    "ON v.person IS NOT NULL OR v.number IS NULL",
    2,
    {INT4OID, INT4ARRAYOID}};

static LaQuery visitors = {
    "SELECT v.number, u.number FROM unnest($2) AS u (number) "
    "CROSS JOIN LATERAL (SELECT u.number UNION ALL SELECT o.number FROM leadanalytics.person o "
    "WHERE o.workspace = $1 AND o.alias_of = u.number OFFSET 0) AS n "
    "CROSS JOIN LATERAL (SELECT v.number FROM leadanalytics.visitor v "
    "WHERE v.workspace = $1 AND v.person = n.number OFFSET 0) AS v",
    2,
    {INT4OID, INT4ARRAYOID}};

static LaQuery touches = {
    "SELECT s.started_at, s.number, s.campaign, u.number FROM unnest($2) AS u (number) "
    "CROSS JOIN LATERAL (SELECT s.started_at, s.number, s.campaign FROM leadanalytics.session s "
    "WHERE s.workspace = $1 AND s.visitor = u.number AND s.campaign IS NOT NULL "
    "AND s.started_at >= $3 AND s.started_at < $4 OFFSET 0) AS s",
    4,
    {INT4OID, INT4ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static void *
add(Rows *list, size_t size)
{
	if (list->n == list->room)
	{
		list->room = Max(list->room * 2, 1024);
		list->items = list->items == NULL ? MemoryContextAllocHuge(CurrentMemoryContext, list->room * size)
		                                  : repalloc_huge(list->items, list->room * size);
		list->size = size;
	}
	return (char *) list->items + list->n++ * size;
}

static void
sort(Rows *list, int (*compare)(const void *, const void *))
{
	if (list->n > 1)
		qsort(list->items, list->n, list->size, compare);
}

static int
by_number(const void *a, const void *b)
{
	const Member *left = a;
	const Member *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

static int
by_journey(const void *a, const void *b)
{
	const Touch *left = a;
	const Touch *right = b;

	if (left->journey != right->journey)
		return left->journey < right->journey ? -1 : 1;
	if (left->at != right->at)
		return left->at < right->at ? -1 : 1;
	return (left->session > right->session) - (left->session < right->session);
}

/* Members of one number are one. */
static void
keep_distinct(Rows *list)
{
	Member *members = list->items;
	int64 n = 0;

	sort(list, by_number);
	for (int64 i = 0; i < list->n; i++)
		if (n == 0 || members[n - 1].number != members[i].number)
			members[n++] = members[i];
	list->n = n;
}

static Member *
member_of(const Rows *members, int number)
{
	Member sought = {.number = number};

	return members->n == 0 ? NULL : bsearch(&sought, members->items, members->n, sizeof(Member), by_number);
}

/* Ask the statement about all members' numbers, many at once; its parameters from the third on are times. */
static void
ask(LaQuery *query, const Attribution *attribution, const Rows *members, LaTake take)
{
	const Member *member = members->items;

	for (int64 from = 0; from < members->n; from += AT_ONCE)
	{
		int n = Min(members->n - from, AT_ONCE);
		Datum *numbers = palloc(n * sizeof(Datum));
		ArrayType *array;

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < n; i++)
			numbers[i] = Int32GetDatum(member[from + i].number);
		array = construct_array(numbers, n, INT4OID, sizeof(int32), true, TYPALIGN_INT);
		la_query_each(query,
		              (Datum[]){Int32GetDatum(attribution->workspace), PointerGetDatum(array),
		                        TimestampTzGetDatum(attribution->starts),
		                        TimestampTzGetDatum(attribution->ends)},
		              NULL, take, unconstify(Attribution *, attribution));
		pfree(numbers);
		pfree(array);
	}
}

static TimestampTz
window_of(const Attribution *attribution, TimestampTz at)
{
	return TIMESTAMP_NOT_FINITE(at) ? at : at - attribution->window;
}

static bool
asks(const Attribution *attribution, const Conversion *conversion)
{
	return conversion->asker != 0 && attribution->model != SESSION &&
	       (attribution->model != HYBRID || conversion->own.campaign == 0);
}

static void
take_conversion(TupleTableSlot *row, void *arg)
{
	Attribution *attribution = arg;
	Conversion *conversion = add(&attribution->conversions, sizeof(Conversion));
	const Datum *value = row->tts_values;

	*conversion = (Conversion){.at = DatumGetTimestampTz(value[0]),
	                           .id = DatumGetInt64(value[1]),
	                           .name = DatumGetInt32(value[2]),
	                           .amount = datumCopy(value[3], false, -1),
	                           .asker = row->tts_isnull[4] ? 0 : DatumGetInt32(value[4])};
	/* The session may have opened with a later event of it. */
	if (!row->tts_isnull[7] && DatumGetTimestampTz(value[6]) >= window_of(attribution, conversion->at))
		conversion->own = (Touch){.at = Min(DatumGetTimestampTz(value[6]), conversion->at),
		                          .session = DatumGetInt64(value[5]),
		                          .campaign = DatumGetInt32(value[7])};
	if (asks(attribution, conversion))
		*(Member *) add(&attribution->askers, sizeof(Member)) = (Member){.number = conversion->asker};
}

static void
take_journey(TupleTableSlot *row, void *arg)
{
	Attribution *attribution = arg;
	Member *asker = member_of(&attribution->askers, DatumGetInt32(row->tts_values[0]));

	asker->journey = DatumGetInt32(row->tts_values[1]);
	asker->is_person = DatumGetBool(row->tts_values[2]);
	if (asker->is_person)
		*(Member *) add(&attribution->persons, sizeof(Member)) = (Member){.number = asker->journey};
	else
		*(Member *) add(&attribution->members, sizeof(Member)) = *asker;
}

static void
take_visitor(TupleTableSlot *row, void *arg)
{
	Attribution *attribution = arg;

	*(Member *) add(&attribution->members, sizeof(Member)) =
	    (Member){.number = DatumGetInt32(row->tts_values[0]), .journey = DatumGetInt32(row->tts_values[1])};
}

static void
take_touch(TupleTableSlot *row, void *arg)
{
	Attribution *attribution = arg;
	Touch *touch = add(&attribution->touches, sizeof(Touch));

	*touch = (Touch){.at = DatumGetTimestampTz(row->tts_values[0]),
	                 .session = DatumGetInt64(row->tts_values[1]),
	                 .campaign = DatumGetInt32(row->tts_values[2]),
	                 .journey = member_of(&attribution->members, DatumGetInt32(row->tts_values[3]))->journey};
}

/* How many touches stand before this one. */
static int64
place_of(const Rows *list, const Touch *sought)
{
	const Touch *touch = list->items;
	int64 low = 0;
	int64 high = list->n;

	while (low < high)
	{
		int64 middle = (low + high) / 2;

		if (by_journey(&touch[middle], sought) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first or last touch of the conversion's journey inside its window, both ends of which belong to it. */
static const Touch *
found(const Attribution *attribution, const Conversion *conversion)
{
	const Rows *list = &attribution->touches;
	const Touch *touch = list->items;
	const Member *asker = member_of(&attribution->askers, conversion->asker);
	bool last = attribution->model == LAST_TOUCH;
	TimestampTz from = window_of(attribution, conversion->at);
	Touch edge = {.journey = asker->journey,
	              .at = last ? conversion->at : from,
	              .session = last ? PG_INT64_MAX : PG_INT64_MIN};
	int64 place = place_of(list, &edge) - (last ? 1 : 0);

	if (place < 0 || place >= list->n || touch[place].journey != asker->journey || touch[place].at < from ||
	    touch[place].at > conversion->at)
		return NULL;
	return &touch[place];
}

static const Touch *
touch_of(const Attribution *attribution, const Conversion *conversion)
{
	const Touch *own = conversion->own.campaign != 0 ? &conversion->own : NULL;
	const Touch *other = asks(attribution, conversion) ? found(attribution, conversion) : NULL;
	Touch moved;

	if (own == NULL || other == NULL)
		return own != NULL ? own : other;
	moved = *own;
	moved.journey = other->journey;
	return (by_journey(&moved, other) < 0) == (attribution->model == FIRST_TOUCH) ? own : other;
}

static void
put(const Attribution *attribution, const Conversion *conversion, ReturnSetInfo *result)
{
	const Touch *touch = touch_of(attribution, conversion);
	Datum values[7] = {TimestampTzGetDatum(conversion->at), Int64GetDatum(conversion->id),
	                   Int32GetDatum(conversion->name), conversion->amount};
	bool nulls[7] = {false, false, false, false, touch == NULL, touch == NULL, touch == NULL};

	if (touch != NULL)
	{
		values[4] = Int64GetDatum(touch->session);
		values[5] = TimestampTzGetDatum(touch->at);
		values[6] = Int32GetDatum(touch->campaign);
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static Model
model_of(FunctionCallInfo fcinfo, int argument)
{
	if (!PG_ARGISNULL(argument))
		for (Model model = 0; model < MODELS; model++)
			if (strcmp(text_to_cstring(PG_GETARG_TEXT_PP(argument)), model_names[model]) == 0)
				return model;
	ereport(ERROR, (errcode(LA_BAD_REQUEST), errmsg("Invalid model"),
	                errhint("hybrid, first_touch, last_touch or session.")));
}

LA_FUNCTION(la_report_attribution)
{
	Attribution attribution = {0};
	int days = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3);
	MemoryContext caller;

	if (days < 1 || days > MAX_DAYS)
		ereport(ERROR, (errcode(LA_BAD_REQUEST), errmsg("Invalid window_days"),
		                errhint("How many days before a conversion its touch may lie: 1 to %d.", MAX_DAYS)));
	attribution.model = model_of(fcinfo, 4);
	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return (Datum) 0;
	attribution.workspace = PG_GETARG_INT32(0);
	attribution.starts = PG_GETARG_TIMESTAMPTZ(1);
	attribution.ends = PG_GETARG_TIMESTAMPTZ(2);
	attribution.window = days * USECS_PER_DAY;

	SPI_connect();
	caller = MemoryContextSwitchTo(
	    AllocSetContextCreate(CurrentMemoryContext, "attribution", ALLOCSET_DEFAULT_SIZES));
	la_query_each(&conversions,
	              (Datum[]){Int32GetDatum(attribution.workspace), TimestampTzGetDatum(attribution.starts),
	                        TimestampTzGetDatum(attribution.ends),
	                        BoolGetDatum(!PG_ARGISNULL(5) && PG_GETARG_BOOL(5))},
	              NULL, take_conversion, &attribution);
	attribution.starts = window_of(&attribution, attribution.starts);
	keep_distinct(&attribution.askers);
	ask(&journeys, &attribution, &attribution.askers, take_journey);
	keep_distinct(&attribution.persons);
	ask(&visitors, &attribution, &attribution.persons, take_visitor);
	keep_distinct(&attribution.members);
	ask(&touches, &attribution, &attribution.members, take_touch);
	sort(&attribution.touches, by_journey);
	for (int64 i = 0; i < attribution.conversions.n; i++)
		put(&attribution, (Conversion *) attribution.conversions.items + i,
		    (ReturnSetInfo *) fcinfo->resultinfo);
	MemoryContextSwitchTo(caller);
	SPI_finish();
	return (Datum) 0;
}
