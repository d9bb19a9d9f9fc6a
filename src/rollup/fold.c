/*
 * The fold: what the ledgers name goes into the segments of every bucket that stands for its time, and into
 * the trail, and the ledgers' rows go away, in one transaction that holds the workspace's row (state.c).
 *
 * A day that grows large gets its quarters of an hour here; other buckets are made as they are due (build.c).
 */
#include "rollup/parts.h"

#include "catalog/pg_type.h"
#include "utils/snapmgr.h"

#include "core/export.h"
#include "core/settings.h"

/*
 * Quarters of an hour cost about a hundred bytes for each of them and dimension: a day with so many times the
 * events that a bucket must have is read quickly enough from its rows.
 */
#define QUARTERS_FACTOR 25

static LaQuery delete_ledger = {
    "WITH gone AS (DELETE FROM leadanalytics.ledger WHERE workspace = $1 AND id_from = ANY ($2) RETURNING "
    "used_in, used) INSERT INTO leadanalytics.usage_month AS u (workspace, month, events) "
    "SELECT $1, g.used_in, sum(g.used) FROM gone g WHERE g.used > 0 GROUP BY g.used_in ORDER BY g.used_in "
    "ON CONFLICT (workspace, month) DO UPDATE SET events = u.events + excluded.events",
    2,
    {INT4OID, INT8ARRAYOID}};

static LaQuery delete_session_ledger = {
    "DELETE FROM leadanalytics.session_ledger WHERE workspace = $1 AND id = ANY ($2)",
    2,
    {INT4OID, INT8ARRAYOID}};

static LaQuery count_events = {
    "SELECT count(*) FROM (SELECT FROM leadanalytics.event e WHERE e.workspace = $1 "
    "AND e.at >= $2 AND e.at < $3 LIMIT $4) AS e",
    4,
    {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID}};

static int64
day_of(TimestampTz at)
{
	return rollup_floor(at, USECS_PER_DAY) / USECS_PER_DAY;
}

/* Events of days that have no quarters. */
typedef struct Day
{
	int64 day;
	int64 events;
} Day;

typedef struct Folding
{
	int workspace;
	LaTally *tally;
	LaTargets *targets;
	Day *days;
	int ndays;
	TimestampTz earliest;
	LaPoints points; /* for the trail */
} Folding;

static void
count_day(Folding *folding, int64 day)
{
	int i = folding->ndays - 1;

	while (i >= 0 && folding->days[i].day != day)
		i--;
	if (i < 0)
	{
		i = folding->ndays++;
		folding->days = i == 0 ? palloc(sizeof(Day)) : repalloc(folding->days, (i + 1) * sizeof(Day));
		folding->days[i] = (Day){day, 0};
	}
	folding->days[i].events++;
}

static void
fold_event(const LaEventFact *event, void *arg)
{
	Folding *folding = arg;
	const LaQuarter *quarter = rollup_targets_at(folding->targets, event->at);

	for (int i = 0; i < quarter->n; i++)
		rollup_count_event(folding->tally, quarter->targets[i], event);
	rollup_add_event_point(&folding->points, event);
	count_day(folding, day_of(event->at));
	folding->earliest = Min(folding->earliest, event->at);
}

static void
fold_start(const LaSessionFact *session, Folding *folding)
{
	const LaQuarter *quarter = rollup_targets_at(folding->targets, session->started_at);

	for (int i = 0; i < quarter->n; i++)
		rollup_count_start(folding->tally, quarter->targets[i], session);
}

static void
fold_end(const LaSessionFact *session, Folding *folding)
{
	const LaQuarter *quarter = rollup_targets_at(folding->targets, session->started_at);

	for (int i = 0; i < quarter->n; i++)
		rollup_count_end(folding->tally, quarter->targets[i], session);
}

/* Its rows of the ledgers; what they say of use is kept. */
void
rollup_delete_tail(int workspace, const LaTail *tail)
{
	if (tail->n > 0)
		la_query_run(&delete_ledger,
		             (Datum[]){Int32GetDatum(workspace), la_query_array(tail->id_from, tail->n, INT8OID)},
		             NULL, false, 0);
	if (tail->nrows > 0)
		la_query_run(&delete_session_ledger,
		             (Datum[]){Int32GetDatum(workspace), la_query_array(tail->rows, tail->nrows, INT8OID)},
		             NULL, false, 0);
}

static int64
count_rows(int workspace, int64 day, int64 most)
{
	bool isnull;
	int64 n;

	la_query_run(&count_events,
	             (Datum[]){Int32GetDatum(workspace), TimestampTzGetDatum(day * USECS_PER_DAY),
	                       TimestampTzGetDatum((day + 1) * USECS_PER_DAY), Int64GetDatum(most)},
	             NULL, false, 1);
	n = DatumGetInt64(la_query_value(0, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return n;
}

static bool
has_quarters(const Folding *folding, int64 day)
{
	const LaTargets *targets = folding->targets;

	for (int i = 0; i < targets->nbuckets; i++)
		if (targets->buckets[i].grain == 'q' && targets->buckets[i].starts == day * USECS_PER_DAY)
			return true;
	return false;
}

/* A day that has become large enough gets quarters of an hour; the latest day is counted as it grows. */
static void
build_quarters(const Folding *folding, LaRollupState *state, TimestampTz now)
{
	int64 enough = (int64) la_segment_events * QUARTERS_FACTOR;
	TimestampTz rows_since = rollup_dropped_before(folding->workspace);
	bool anew = false;

	for (int i = 0; i < folding->ndays; i++)
	{
		const Day *day = &folding->days[i];
		int64 events = 0;

		if (day->day > state->day)
		{
			state->day = day->day;
			state->day_events = 0;
		}
		if (day->day == state->day)
			events = state->day_events += day->events;
		if (day->day * USECS_PER_DAY < now - la_quarters_keep_s * USECS_PER_SEC ||
		    day->day * USECS_PER_DAY < rows_since || has_quarters(folding, day->day))
			continue;
		if (events < enough &&
		    (day->day == state->day || count_rows(folding->workspace, day->day, enough) < enough))
			continue;
		if (!anew)
			rollup_look_anew();
		anew = true;
		rollup_build(folding->workspace, 'q', "", day->day * USECS_PER_DAY, (day->day + 1) * USECS_PER_DAY);
	}
}

/* Every bucket that any of the facts may lie in. */
static LaTargets *
find_targets(int workspace, const LaTail *tail, const LaSessions *opened, const LaSessions *closed)
{
	TimestampTz range[2] = {DT_NOEND, DT_NOBEGIN};

	for (int i = 0; i < tail->n; i++)
	{
		range[0] = Min(range[0], tail->at_min[i]);
		range[1] = Max(range[1], tail->at_max[i]);
	}
	rollup_widen(range, opened);
	rollup_widen(range, closed);
	return rollup_targets(workspace, range[0], range[1]);
}

/* Fold about that many events; how many facts it were, -1: somebody else is at it. */
static int64
fold(int workspace, int64 most, TimestampTz now)
{
	Folding folding = {.workspace = workspace, .earliest = DT_NOEND};
	LaRollupState state;
	LaTail *tail;
	LaSessions opened;
	LaSessions closed;

	if (!rollup_lock(workspace, &state))
		return -1;
	rollup_look_anew();
	tail = rollup_tail(workspace, most, DT_NOBEGIN, DT_NOEND);
	if (tail->n == 0 && tail->nrows == 0)
		return 0;
	folding.tally = rollup_tally(rollup_all());
	opened = rollup_read_sessions(workspace, tail->opened, tail->nopened);
	closed = rollup_read_sessions(workspace, tail->closed, tail->nclosed);
	folding.targets = find_targets(workspace, tail, &opened, &closed);
	rollup_events_of_tail(tail, fold_event, &folding);
	for (int i = 0; i < opened.n; i++)
		fold_start(&opened.facts[i], &folding);
	for (int i = 0; i < closed.n; i++)
		fold_end(&closed.facts[i], &folding);
	rollup_write_segments(workspace, folding.targets->targets, folding.targets->ntargets, folding.tally,
	                      NULL);
	la_trail_add(workspace, 'w', folding.points.points, folding.points.n);
	rollup_delete_tail(workspace, tail);
	build_quarters(&folding, &state, now);
	rollup_keep_state(workspace, &state, folding.earliest);
	return tail->events + tail->nopened + tail->nclosed;
}

LA_FUNCTION(la_rollup_fold)
{
	int64 folded;

	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	folded = fold(PG_GETARG_INT32(0), PG_GETARG_INT64(1), PG_GETARG_TIMESTAMPTZ(2));
	PopActiveSnapshot();
	SPI_finish();
	if (folded < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(folded);
}
