/*
 * All facts of some stretches of time, from whatever has them: segments, rows, the tail.
 *
 * One snapshot makes it exact: a fact is in a segment, or in a ledger's row that the snapshot sees, and never
 * in both. Where rows answer for a stretch they have the tail's facts, too; so the tail counts only where
 * segments answer, and who writes segments from rows leaves out what the ledgers still name.
 */
#include "rollup/parts.h"

typedef struct Gathering
{
	const LaGather *gather;
	LaTally *tally;
	LaSpan *spans;
	int nspans;
	LaTail *tail;
	LaSpan *last; /* where the fact before lay: most lie there, too */
} Gathering;

static LaSpan *
span_of(Gathering *of, TimestampTz at)
{
	if (of->last == NULL || at < of->last->from || at >= of->last->to)
		of->last = rollup_span_at(of->spans, of->nspans, at);
	return of->last;
}

/* Events of rows. */
static void
event_of_rows(const LaEventFact *event, void *arg)
{
	Gathering *of = arg;

	if (!of->gather->with_tail && rollup_tail_has_event(of->tail, event->id, event->at))
		return;
	rollup_count_event(of->tally, span_of(of, event->at)->slot, event);
}

/* Where a fact of the tail counts: its span, if segments answer for it. */
static LaSpan *
span_of_tail(Gathering *of, TimestampTz at)
{
	LaSpan *span = span_of(of, at);

	return span != NULL && span->source != LA_FROM_ROWS ? span : NULL;
}

static void
event_of_tail(const LaEventFact *event, void *arg)
{
	Gathering *of = arg;
	LaSpan *span = span_of_tail(of, event->at);

	if (span != NULL)
		rollup_count_event(of->tally, span->slot, event);
}

static void
session_of_rows(const LaSessionFact *session, void *arg)
{
	Gathering *of = arg;
	int slot = span_of(of, session->started_at)->slot;
	const LaTail *tail = of->tail;

	if (of->gather->with_tail || !rollup_tail_has(tail->opened, tail->nopened, session->number))
		rollup_count_start(of->tally, slot, session);
	if (session->is_complete &&
	    (of->gather->with_tail || !rollup_tail_has(tail->closed, tail->nclosed, session->number)))
		rollup_count_end(of->tally, slot, session);
}

static void
start_of_tail(const LaSessionFact *session, void *arg)
{
	Gathering *of = arg;
	LaSpan *span = span_of_tail(of, session->started_at);

	if (span != NULL)
		rollup_count_start(of->tally, span->slot, session);
}

/* Ends of the tail, and those that only the time since tells. */
static void
end_of_tail(const LaSessionFact *session, void *arg)
{
	Gathering *of = arg;
	LaSpan *span = span_of_tail(of, session->started_at);

	if (span != NULL)
		rollup_count_end(of->tally, span->slot, session);
}

static bool
wants_events(const LaTally *tally)
{
	return (rollup_wanted(tally) & (LA_OF_EVENTS | LA_OF_EVENTS << LA_ROBOTS)) != 0;
}

static bool
wants_starts(const LaTally *tally)
{
	return (rollup_wanted(tally) & (LA_BIT(LA_FINGERPRINT) | (LA_BIT(LA_SCORE) - LA_BIT(LA_SESSION)))) != 0;
}

static bool
wants_ends(const LaTally *tally)
{
	return (rollup_wanted(tally) & (LA_BIT(LA_SCORE) | LA_BIT(LA_COMPLETE))) != 0;
}

static void
gather_rows(Gathering *of)
{
	const LaGather *gather = of->gather;

	for (int i = 0; i < of->nspans; i++)
	{
		TimestampTz from = of->spans[i].from;

		if (of->spans[i].source != LA_FROM_ROWS)
			continue;
		while (i + 1 < of->nspans && of->spans[i + 1].source == LA_FROM_ROWS &&
		       of->spans[i + 1].from == of->spans[i].to)
			i++;
		if (wants_events(of->tally))
			rollup_events_between(gather->workspace, from, of->spans[i].to, event_of_rows, of);
		if (wants_starts(of->tally) || wants_ends(of->tally))
			rollup_sessions_between(gather->workspace, from, of->spans[i].to, gather->now, session_of_rows,
			                        of);
	}
}

static void
gather_tail(Gathering *of)
{
	const LaGather *gather = of->gather;
	const LaTail *tail = of->tail;

	if (wants_events(of->tally))
		rollup_events_of_tail(tail, event_of_tail, of);
	if (wants_starts(of->tally))
		rollup_sessions_of(gather->workspace, tail->opened, tail->nopened, start_of_tail, of);
	if (wants_ends(of->tally))
	{
		rollup_sessions_of(gather->workspace, tail->closed, tail->nclosed, end_of_tail, of);
		rollup_sessions_idle(gather->workspace, gather->now, end_of_tail, of);
	}
}

/* Whether a day of segments begins or ends inside time that only rows could answer for, and they are gone. */
static bool
is_lost(const Gathering *of, const LaBucket *buckets, int nbuckets, TimestampTz dropped_before)
{
	for (int i = 0; i < of->nspans; i++)
	{
		const LaSpan *span = &of->spans[i];

		if (span->source != LA_FROM_ROWS || span->from >= dropped_before)
			continue;
		for (int k = 0; k < nbuckets && buckets[k].starts < Min(span->to, dropped_before); k++)
			if (buckets[k].grain == 'd' && buckets[k].ends > span->from)
				return true;
	}
	return false;
}

/* To the days of UTC, which all have segments when rows are dropped: the last bound to the end of its day. */
static void
move_bounds(LaGather *gather, TimestampTz dropped_before)
{
	for (int i = 0; i <= gather->nslots; i++)
	{
		TimestampTz *bound = &gather->bounds[i];
		TimestampTz day = rollup_floor(*bound, USECS_PER_DAY);

		if (*bound == DT_NOBEGIN || *bound >= dropped_before || *bound == day)
			continue;
		*bound = day + (i == gather->nslots ? USECS_PER_DAY : 0);
		gather->moved = true;
	}
}

/* Only those of UTC, and quarters; returns how many. */
static int
keep_utc(LaBucket *buckets, int n)
{
	int kept = 0;

	for (int i = 0; i < n; i++)
		if (buckets[i].grain == 'q' || strcmp(buckets[i].zone, "UTC") == 0)
			buckets[kept++] = buckets[i];
	return kept;
}

/* The tail of the time that rows answer for. */
static LaTail *
tail_of_rows(const Gathering *of)
{
	TimestampTz from = DT_NOEND;
	TimestampTz to = DT_NOBEGIN;

	for (int i = 0; i < of->nspans; i++)
		if (of->spans[i].source == LA_FROM_ROWS)
		{
			from = Min(from, of->spans[i].from);
			to = Max(to, of->spans[i].to);
		}
	return from < to ? rollup_tail_between(of->gather->workspace, from, to) : palloc0(sizeof(LaTail));
}

void
rollup_gather(LaGather *gather, LaTally *tally)
{
	Gathering of = {.gather = gather, .tally = tally};
	TimestampTz dropped_before = gather->with_tail ? rollup_dropped_before(gather->workspace) : DT_NOBEGIN;
	int nbuckets;
	LaBucket *buckets =
	    rollup_buckets(gather->workspace, gather->bounds[0], gather->bounds[gather->nslots], &nbuckets);

	of.spans = rollup_spans(buckets, nbuckets, gather->bounds, gather->nslots, gather->coarsest, &of.nspans);
	if (is_lost(&of, buckets, nbuckets, dropped_before))
	{
		move_bounds(gather, dropped_before);
		buckets =
		    rollup_buckets(gather->workspace, gather->bounds[0], gather->bounds[gather->nslots], &nbuckets);
		nbuckets = keep_utc(buckets, nbuckets);
		of.spans =
		    rollup_spans(buckets, nbuckets, gather->bounds, gather->nslots, gather->coarsest, &of.nspans);
	}
	of.tail = gather->with_tail ? rollup_tail(gather->workspace, PG_INT64_MAX, gather->bounds[0],
	                                          gather->bounds[gather->nslots])
	                            : tail_of_rows(&of);
	rollup_read_segments(gather->workspace, of.spans, of.nspans, rollup_wanted(tally), gather->with_sets,
	                     tally);
	gather_rows(&of);
	if (gather->with_tail)
		gather_tail(&of);
}

void
rollup_tell_moved(const LaGather *gather)
{
	if (!gather->moved)
		return;
	ereport(NOTICE, (errmsg("some events are no longer kept as rows: the answer is for whole days (UTC)"),
	                 errdetail("It is from %s to before %s.", pstrdup(timestamptz_to_str(gather->bounds[0])),
	                           pstrdup(timestamptz_to_str(gather->bounds[gather->nslots]))),
	                 errhint("Events are kept for as long as leadanalytics.set_retention() or "
	                         "leadanalytics.event_retention says.")));
}
