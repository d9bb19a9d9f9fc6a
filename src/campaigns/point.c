/*
 * Writing points of messages; see point.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "campaigns/message.h"
#include "campaigns/point.h"
#include "core/query.h"
#include "core/rows.h"

static const LaColumn columns[] = {{"workspace", INT4OID},  {"fact", CHAROID},
                                   {"sign", INT2OID},       {"n", INT4OID},
                                   {"leads", INT8ARRAYOID}, {"times", TIMESTAMPTZARRAYOID}};

static LaQuery add_points = {
    "INSERT INTO leadanalytics.message_fresh_point (workspace, fact, sign, n, leads, times) "
    "SELECT p.workspace, p.fact, p.sign, p.n, p.leads, p.times FROM pointed p"};

void
campaigns_add_point(FactPoints *points, int fact, int sign, int64 lead, TimestampTz at)
{
	if (points->n == points->room)
	{
		points->room = Max(64, points->room * 2);
		points->points = points->points == NULL
		                     ? palloc(points->room * sizeof(FactPoint))
		                     : repalloc_huge(points->points, points->room * sizeof(FactPoint));
	}
	points->points[points->n++] = (FactPoint){.fact = fact, .sign = sign, .lead = lead, .at = at};
}

static int
by_row(const void *a, const void *b)
{
	const FactPoint *left = a;
	const FactPoint *right = b;

	if (left->fact != right->fact)
		return left->fact - right->fact;
	return right->sign - left->sign;
}

void
campaigns_write_points(int workspace, FactPoints *points)
{
	LaRows *rows;
	int64 *leads, *times;

	if (points->n == 0)
		return;
	qsort(points->points, points->n, sizeof(FactPoint), by_row);
	leads = palloc(points->n * sizeof *leads);
	times = palloc(points->n * sizeof *times);
	rows = la_rows("pointed", columns, lengthof(columns));
	for (int from = 0, to = 0; from < points->n; from = to)
	{
		const FactPoint *first = &points->points[from];
		Datum values[lengthof(columns)];
		bool nulls[lengthof(columns)] = {false};

		for (; to < points->n && by_row(first, &points->points[to]) == 0; to++)
		{
			leads[to - from] = points->points[to].lead;
			times[to - from] = points->points[to].at;
		}
		values[0] = Int32GetDatum(workspace);
		values[1] = CharGetDatum(campaigns_facts[first->fact].kind);
		values[2] = Int16GetDatum((int16) first->sign);
		values[3] = Int32GetDatum(to - from);
		values[4] = la_query_array(leads, to - from, INT8OID);
		values[5] = la_query_array(times, to - from, TIMESTAMPTZOID);
		la_rows_add(rows, values, nulls);
	}
	la_rows_run(rows, &add_points);
}
