/*
 * Writing points of messages, and packing them into the trail; see point.h.
 */
#include "campaigns/point.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "core/query.h"
#include "core/rows.h"

static const LaColumn columns[] = {{"workspace", INT4OID},  {"fact", CHAROID},
                                   {"sign", INT2OID},       {"n", INT4OID},
                                   {"leads", INT8ARRAYOID}, {"times", TIMESTAMPTZARRAYOID}};

static LaQuery add_points = {
    "INSERT INTO leadanalytics.message_fresh_point (workspace, fact, sign, n, leads, times) "
    "SELECT p.workspace, p.fact, p.sign, p.n, p.leads, p.times FROM pointed p"};

/* One row at least, and so many more as there are points for. */
static LaQuery take_points = {
    "WITH taken AS (DELETE FROM leadanalytics.message_fresh_point f WHERE f.ctid = ANY (ARRAY("
    "SELECT p.ctid FROM (SELECT q.ctid, sum(q.n) OVER (ROWS UNBOUNDED PRECEDING) - q.n AS before "
    "FROM (SELECT g.ctid, g.n FROM leadanalytics.message_fresh_point g LIMIT $1) AS q) AS p "
    "WHERE p.before < $1)) RETURNING f.*) "
    "SELECT t.workspace, t.fact, t.sign, t.leads, t.times FROM taken t ORDER BY t.workspace",
    1,
    {INT8OID}};

void
campaigns_add_point(LaMessagePoints *points, LaPoint point)
{
	if (points->n == points->room)
	{
		points->room = Max(64, points->room * 2);
		points->points = points->points == NULL
		                     ? palloc(points->room * sizeof(LaPoint))
		                     : repalloc_huge(points->points, points->room * sizeof(LaPoint));
	}
	points->points[points->n++] = point;
}

static int
by_row(const void *a, const void *b)
{
	const LaPoint *left = a;
	const LaPoint *right = b;

	return left->step != right->step ? left->step - right->step : right->sign - left->sign;
}

void
campaigns_write_points(int workspace, LaMessagePoints *points)
{
	LaRows *rows;
	int64 *leads, *times;

	if (points->n == 0)
		return;
	qsort(points->points, points->n, sizeof(LaPoint), by_row);
	leads = palloc(points->n * sizeof *leads);
	times = palloc(points->n * sizeof *times);
	rows = la_rows("pointed", columns, lengthof(columns));
	for (int64 from = 0, to = 0; from < points->n; from = to)
	{
		const LaPoint *first = &points->points[from];
		Datum values[lengthof(columns)];
		bool nulls[lengthof(columns)] = {false};

		for (; to < points->n && by_row(first, &points->points[to]) == 0; to++)
		{
			leads[to - from] = points->points[to].number;
			times[to - from] = points->points[to].at;
		}
		values[0] = Int32GetDatum(workspace);
		values[1] = CharGetDatum((char) first->step);
		values[2] = Int16GetDatum((int16) first->sign);
		values[3] = Int32GetDatum((int) (to - from));
		values[4] = la_query_array(leads, (int) (to - from), INT8OID);
		values[5] = la_query_array(times, (int) (to - from), TIMESTAMPTZOID);
		la_rows_add(rows, values, nulls);
	}
	la_rows_run(rows, &add_points);
}

/* The points of a row of take_points. */
static void
add_row(LaMessagePoints *points, uint64 row)
{
	LaPoint point;
	bool isnull;
	Datum *leads, *times;
	int n, ntimes;

	point.step = DatumGetChar(la_query_value(row, 2, &isnull));
	point.sign = DatumGetInt16(la_query_value(row, 3, &isnull));
	deconstruct_array(DatumGetArrayTypeP(la_query_value(row, 4, &isnull)), INT8OID, sizeof(int64), true,
	                  TYPALIGN_DOUBLE, &leads, NULL, &n);
	deconstruct_array(DatumGetArrayTypeP(la_query_value(row, 5, &isnull)), TIMESTAMPTZOID, sizeof(int64),
	                  true, TYPALIGN_DOUBLE, &times, NULL, &ntimes);
	for (int i = 0; i < Min(n, ntimes); i++)
	{
		point.number = DatumGetInt64(leads[i]);
		point.at = DatumGetTimestampTz(times[i]);
		campaigns_add_point(points, point);
	}
}

LA_FUNCTION(la_campaigns_pack_message_points)
{
	SPITupleTable *taken;
	int64 packed = 0;
	uint64 rows;

	SPI_connect();
	rows = la_query_run(&take_points, (Datum[]){PG_GETARG_DATUM(0)}, NULL, false, 0);
	taken = SPI_tuptable;
	for (uint64 from = 0, to = 0; from < rows; from = to)
	{
		LaMessagePoints points = {0};
		bool isnull;
		int workspace;

		SPI_tuptable = taken; /* what is added below has its own */
		workspace = DatumGetInt32(la_query_value(from, 1, &isnull));
		for (; to < rows && DatumGetInt32(la_query_value(to, 1, &isnull)) == workspace; to++)
			add_row(&points, to);
		packed += points.n;
		la_trail_add(workspace, LA_TRAIL_MESSAGES, points.points, points.n);
	}
	SPI_finish();
	PG_RETURN_INT64(packed);
}
