/*
 * The negative fold: everything that some visitors did, and some persons without a visitor, goes out of the
 * rows and of all that was made of them, in one transaction.
 *
 * The caller holds those visitors' rows, their sessions' and the workspace's row of
 * leadanalytics.rollup_state (src/rollup/erase.sql), so no fact of theirs is added meanwhile and nobody else
 * writes segments. What the ledgers still name was counted nowhere: their rows name fewer events. What is
 * folded is read, counted by the fold's own code, deleted, and taken off by unfold_segments.c.
 *
 * A session is its first event's visitor's, but others may have been its guests. Their events stay, in the
 * session they were in: it is nobody's then, and what it says is what the first of them would have made of
 * it. A session of somebody else whose guest goes is as the others' events make it. Either goes with its old
 * facts and comes with its new ones. Only one that nobody is left in goes altogether.
 */
#include "rollup/parts.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "core/export.h"
#include "rollup/unfold.h"

static int
by_number(const void *a, const void *b)
{
	const int64 left = *(const int64 *) a;
	const int64 right = *(const int64 *) b;

	return (left > right) - (left < right);
}

/* Ascending, each once. */
static LaNumbers
numbers_of(Datum datum)
{
	ArrayType *array = DatumGetArrayTypeP(datum);
	int n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	LaNumbers all = {palloc(Max(n, 1) * sizeof(int64)), 0};

	if (ARR_HASNULL(array))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a number is null")));
	for (int i = 0; i < n; i++)
		all.numbers[all.n++] = ((int *) ARR_DATA_PTR(array))[i];
	rollup_sort_numbers(&all);
	return all;
}

void
rollup_sort_numbers(LaNumbers *all)
{
	int n = 0;

	qsort(all->numbers, all->n, sizeof(int64), by_number);
	for (int i = 0; i < all->n; i++)
		if (n == 0 || all->numbers[n - 1] != all->numbers[i])
			all->numbers[n++] = all->numbers[i];
	all->n = n;
}

static uint32 *
as_members(const LaNumbers *all)
{
	uint32 *members = palloc(Max(all->n, 1) * sizeof *members);

	for (int i = 0; i < all->n; i++)
		members[i] = all->numbers[i];
	return members;
}

/* Sessions as they are now, those whose start or end is folded. */
typedef struct Counting
{
	LaUnfolding *of;
	LaTally *tally;
} Counting;

static void
count_session(const LaSessionFact *session, void *arg)
{
	Counting *counting = arg;
	const LaTail *tail = counting->of->tail;
	const LaQuarter *quarter = rollup_targets_at(counting->of->targets, session->started_at);

	for (int i = 0; i < quarter->n; i++)
	{
		if (!rollup_tail_has(tail->opened, tail->nopened, session->number))
			rollup_count_start(counting->tally, quarter->targets[i], session);
		if (session->is_complete && !rollup_tail_has(tail->closed, tail->nclosed, session->number))
			rollup_count_end(counting->tally, quarter->targets[i], session);
	}
}

static void
count_sessions(LaUnfolding *of, LaTally *tally, const LaSessions *sessions)
{
	Counting counting = {of, tally};

	for (int i = 0; i < sessions->n; i++)
		count_session(&sessions->facts[i], &counting);
}

/* Events that go, of those that are folded; and that sessions are still on the pages that others viewed in
 * them. */
static void
count_events(LaUnfolding *of, const LaLeaving *leaving)
{
	for (int64 i = 0; i < leaving->n; i++)
	{
		const LaEventFact *event = &leaving->events[i];
		const LaQuarter *quarter = rollup_targets_at(of->targets, event->at);

		if (leaving->rows[i] < 0)
			for (int k = 0; k < quarter->n; k++)
				rollup_count_event(of->gone, quarter->targets[k], event);
	}
	for (int64 i = 0; i < leaving->nviews; i++)
	{
		const LaView *view = &leaving->views[i];
		const LaQuarter *quarter = rollup_targets_at(of->targets, view->at);

		for (int k = 0; k < quarter->n; k++)
			if (rollup_entry_if(of->gone, quarter->targets[k], LA_PAGE_SESSION, view->page) != NULL)
				rollup_add_number(of->come,
				                  rollup_entry(of->come, quarter->targets[k], LA_PAGE_SESSION, view->page),
				                  view->session);
	}
}

static int64
erase_trail(int workspace, const LaLeaving *leaving, const LaNumbers *who, TimestampTz dropped_before)
{
	LaTrailDays days = {.before = rollup_day_of(dropped_before)};
	uint64 *keys = palloc_extended(Max(leaving->n, 1) * sizeof *keys, MCXT_ALLOC_HUGE);
	int *steps;
	DateADT *starts;
	LaNumbers all = {(int64 *) keys, 0};

	for (int64 i = 0; i < leaving->n; i++)
		if (leaving->rows[i] < 0 && rollup_trail_number(&leaving->events[i]) != 0)
			keys[all.n++] = (uint64) (uint32) rollup_day_of(leaving->events[i].at) << 32 |
			                (uint32) leaving->events[i].name;
	rollup_sort_numbers(&all);
	days.steps = steps = palloc_extended(Max(all.n, 1) * sizeof *steps, MCXT_ALLOC_HUGE);
	days.days = starts = palloc_extended(Max(all.n, 1) * sizeof *starts, MCXT_ALLOC_HUGE);
	for (; days.n < all.n; days.n++)
	{
		steps[days.n] = (int) (uint32) keys[days.n];
		starts[days.n] = (int32) (keys[days.n] >> 32);
	}
	return la_trail_erase(workspace, 'w', &days, who->numbers, who->n);
}

static void
put(ReturnSetInfo *result, const char *what, int64 n)
{
	Datum values[] = {CStringGetTextDatum(what), Int64GetDatum(n)};
	bool nulls[lengthof(values)] = {false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Who began with an older snapshot (REPEATABLE READ) does not see what was added since: it must not stay. */
static void
look_behind(int workspace, const LaTail *tail, const LaLeaving *leaving)
{
	LaLeaving latest = {.visitors = leaving->visitors, .persons = leaving->persons};

	if (!IsolationUsesXactSnapshot())
		return;
	PushActiveSnapshot(GetLatestSnapshot());
	rollup_find_leaving(workspace, tail, DT_NOBEGIN, &latest);
	PopActiveSnapshot();
	if (latest.n != leaving->n)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
		                errmsg("somebody added events of whom is to be erased"), errhint("Try again.")));
}

static void
unfold(int workspace, LaLeaving *leaving, ReturnSetInfo *result)
{
	LaUnfolding of = {.workspace = workspace, .dropped_before = rollup_dropped_before(workspace)};
	TimestampTz range[2] = {DT_NOEND, DT_NOBEGIN};
	LaRollupState state;
	LaNumbers who = {palloc((leaving->visitors.n + leaving->persons.n + 1) * sizeof(int64)), 0};
	LaSessions before;
	LaSessions after;
	int64 points;

	/* the caller holds it */
	if (!rollup_lock(workspace, &state))
		ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
		                errmsg("somebody else folds workspace %d", workspace), errhint("Try again.")));
	rollup_look_anew();
	of.tail = rollup_tail(workspace, PG_INT64_MAX, DT_NOBEGIN, DT_NOEND);
	rollup_find_leaving(workspace, of.tail, of.dropped_before, leaving);
	look_behind(workspace, of.tail, leaving);
	before = rollup_read_sessions(workspace, leaving->touched.numbers, leaving->touched.n);
	rollup_delete_leaving(workspace, of.tail, leaving);
	rollup_look_anew();
	after = rollup_read_sessions(workspace, leaving->touched.numbers, leaving->touched.n);

	rollup_widen(range, &before);
	rollup_widen(range, &after);
	for (int64 i = 0; i < leaving->n; i++)
	{
		range[0] = Min(range[0], leaving->events[i].at);
		range[1] = Max(range[1], leaving->events[i].at);
		if (leaving->rows[i] < 0 && rollup_day_of(leaving->events[i].at) == state.day)
			state.day_events = Max(state.day_events - 1, 0);
	}
	of.targets = rollup_targets(workspace, range[0], range[1]);
	of.gone = rollup_tally(rollup_all());
	of.come = rollup_tally(rollup_all());
	of.visitors = as_members(&leaving->visitors);
	of.nvisitors = leaving->visitors.n;
	of.persons = as_members(&leaving->persons);
	of.npersons = leaving->persons.n;
	of.sessions = as_members(&leaving->deleted);
	of.nsessions = leaving->deleted.n;
	count_sessions(&of, of.gone, &before);
	count_sessions(&of, of.come, &after);
	count_events(&of, leaving);
	rollup_unfold_segments(&of);

	memcpy(who.numbers, leaving->visitors.numbers, leaving->visitors.n * sizeof(int64));
	memcpy(who.numbers + leaving->visitors.n, leaving->persons.numbers, leaving->persons.n * sizeof(int64));
	who.n = leaving->visitors.n + leaving->persons.n;
	rollup_sort_numbers(&who);
	points = erase_trail(workspace, leaving, &who, of.dropped_before);
	rollup_keep_state(workspace, &state, DT_NOEND);
	put(result, "events", leaving->n);
	put(result, "sessions", leaving->deleted.n);
	put(result, "sessions left to others", leaving->kept.n);
	put(result, "points", points);
}

LA_FUNCTION(la_rollup_unfold)
{
	LaLeaving leaving = {.visitors = numbers_of(PG_GETARG_DATUM(1)),
	                     .persons = numbers_of(PG_GETARG_DATUM(2))};

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	unfold(PG_GETARG_INT32(0), &leaving, (ReturnSetInfo *) fcinfo->resultinfo);
	PopActiveSnapshot();
	SPI_finish();
	return (Datum) 0;
}
