/*
 * Reading points of messages: those of the trail, with those that are not packed yet; see point.h.
 *
 * A point not packed yet may take back one that is, and one that is packed may take back one that is not:
 * rows are packed in no order. Points come in the order of time: those of the same moment and tag are held
 * until all are there, and what cancels out is left away.
 */
#include "campaigns/point.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "core/query.h"
#include "core/settings.h"

static LaQuery fresh_points = {
    "SELECT p.fact, p.sign, p.leads, p.times FROM leadanalytics.message_fresh_point p WHERE p.workspace = $1",
    1,
    {INT4OID}};

static LaQuery exact_points = {
    "SELECT p.lead, p.at FROM leadanalytics.exact_message_points($1, $2, $3, $4) p",
    4,
    {INT4OID, CHAROID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

#define AT_ONCE 512 /* as the trail hands them over */

typedef struct Reading
{
	const LaTrail *trails;
	int ntrails;
	LaMessagePoints fresh;
	bool is_split; /* some asked for are not packed */

	LaMessagePoints moment; /* points of one time and tag */
	LaPoint *out;
	int64 nout;
	LaTakePoints take;
	void *arg;
} Reading;

static void
take_fresh(TupleTableSlot *row, void *arg)
{
	Reading *reading = arg;
	const char fact = DatumGetChar(row->tts_values[0]);
	const int sign = DatumGetInt16(row->tts_values[1]);
	ArrayType *leads, *times;
	int n;

	for (int t = 0; t < reading->ntrails; t++)
	{
		const LaTrail *trail = &reading->trails[t];

		if (trail->kind != LA_TRAIL_MESSAGES || trail->step != fact)
			continue;
		leads = DatumGetArrayTypeP(row->tts_values[2]);
		times = DatumGetArrayTypeP(row->tts_values[3]);
		n = Min(ArrayGetNItems(ARR_NDIM(leads), ARR_DIMS(leads)),
		        ArrayGetNItems(ARR_NDIM(times), ARR_DIMS(times)));
		for (int i = 0; i < n; i++)
		{
			const TimestampTz at = ((TimestampTz *) ARR_DATA_PTR(times))[i];

			if (at >= trail->from && at < trail->to)
				campaigns_add_point(&reading->fresh, (LaPoint){.at = at,
				                                               .number = ((int64 *) ARR_DATA_PTR(leads))[i],
				                                               .step = trail->tag,
				                                               .sign = sign});
		}
		reading->is_split = true;
	}
}

static int
by_number(const void *a, const void *b)
{
	const LaPoint *left = a;
	const LaPoint *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

static void
hand_over(Reading *reading)
{
	if (reading->nout > 0)
		reading->take(reading->out, reading->nout, reading->arg);
	reading->nout = 0;
}

/* All points of the moment are there. */
static void
finish_moment(Reading *reading)
{
	LaPoint *points = reading->moment.points;
	const int64 n = reading->moment.n;

	if (n > 1)
		qsort(points, n, sizeof(LaPoint), by_number);
	for (int64 from = 0, to = 0; from < n; from = to)
	{
		LaPoint point = points[from];
		int64 sum = 0;

		for (; to < n && points[to].number == point.number; to++)
			sum += points[to].sign;
		for (point.sign = 1; sum > 0; sum--)
		{
			reading->out[reading->nout++] = point;
			if (reading->nout == AT_ONCE)
				hand_over(reading);
		}
	}
	reading->moment.n = 0;
}

static void
hold_moment(const LaPoint *points, int64 n, void *arg)
{
	Reading *reading = arg;
	LaMessagePoints *moment = &reading->moment;

	for (int64 i = 0; i < n; i++)
	{
		if (moment->n > 0 &&
		    (moment->points[0].at != points[i].at || moment->points[0].step != points[i].step))
			finish_moment(reading);
		campaigns_add_point(moment, points[i]);
	}
}

void
la_message_trail_read(int workspace, const LaTrail *trails, int ntrails, LaPoint *more, int64 nmore,
                      LaTakePoints take, void *arg)
{
	/* what take gets is allocated for a while only, and so would be a moment's first points */
	LaMessagePoints moment = {.points = palloc(64 * sizeof(LaPoint)), .room = 64};
	Reading reading = {.trails = trails,
	                   .ntrails = ntrails,
	                   .moment = moment,
	                   .out = palloc(AT_ONCE * sizeof(LaPoint)),
	                   .take = take,
	                   .arg = arg};

	for (int64 i = 0; i < nmore; i++)
		campaigns_add_point(&reading.fresh, more[i]);
	la_query_each(&fresh_points, (Datum[]){Int32GetDatum(workspace)}, NULL, take_fresh, &reading);
	la_trail_read(workspace, trails, ntrails, reading.fresh.points, reading.fresh.n,
	              reading.is_split ? hold_moment : take, reading.is_split ? &reading : arg);
	finish_moment(&reading);
	hand_over(&reading);
}

static void
put_points(const LaPoint *points, int64 n, void *arg)
{
	ReturnSetInfo *result = arg;

	for (int64 i = 0; i < n; i++)
		tuplestore_putvalues(result->setResult, result->setDesc,
		                     (Datum[]){Int64GetDatum(points[i].number), TimestampTzGetDatum(points[i].at)},
		                     (bool[]){false, false});
}

static void
put_row(TupleTableSlot *row, void *arg)
{
	ReturnSetInfo *result = arg;

	tuplestore_puttupleslot(result->setResult, row);
}

LA_FUNCTION(la_campaigns_message_points)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const LaTrail trail = {.kind = LA_TRAIL_MESSAGES,
	                       .step = PG_GETARG_CHAR(1),
	                       .from = PG_GETARG_TIMESTAMPTZ(2),
	                       .to = PG_GETARG_TIMESTAMPTZ(3)};

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	if (la_exact)
		la_query_each(
		    &exact_points,
		    (Datum[]){PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2), PG_GETARG_DATUM(3)}, NULL,
		    put_row, result);
	else
		la_message_trail_read(PG_GETARG_INT32(0), &trail, 1, NULL, 0, put_points, result);
	SPI_finish();
	return (Datum) 0;
}
