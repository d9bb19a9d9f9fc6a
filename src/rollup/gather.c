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

	if (!of->gather->with_tail && rollup_tail_has_event(of->tail, event->id))
		return;
	rollup_count_event(of->tally, span_of(of, event->at)->slot, event);
}

/* Events of the tail, where segments answer. */
static void
event_of_tail(const LaEventFact *event, void *arg)
{
	Gathering *of = arg;
	LaSpan *span = span_of(of, event->at);

	if (span != NULL && span->source != LA_FROM_ROWS)
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
	LaSpan *span = span_of(of, session->started_at);

	if (span != NULL && span->source != LA_FROM_ROWS)
		rollup_count_start(of->tally, span->slot, session);
}

/* Ends of the tail, and those that only the time since tells. */
static void
end_of_tail(const LaSessionFact *session, void *arg)
{
	Gathering *of = arg;
	LaSpan *span = span_of(of, session->started_at);

	if (span != NULL && span->source != LA_FROM_ROWS)
		rollup_count_end(of->tally, span->slot, session);
}

#define OF_EVENTS                                                                                            \
	(LA_BIT(LA_TOTAL) | LA_BIT(LA_FINGERPRINT) | LA_BIT(LA_NAME) | LA_BIT(LA_PAGE) | LA_BIT(LA_PAGE_SESSION))

static bool
wants_events(const LaTally *tally)
{
	return (rollup_wanted(tally) & (OF_EVENTS | OF_EVENTS << LA_ROBOTS)) != 0;
}

static bool
wants_starts(const LaTally *tally)
{
	return (rollup_wanted(tally) & (LA_BIT(LA_FINGERPRINT) | (LA_BIT(LA_SCORE) - LA_BIT(LA_SESSION)))) != 0;
}

static bool
wants_ends(const LaTally *tally)
{
	return (rollup_wanted(tally) & LA_BIT(LA_SCORE)) != 0;
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

void
rollup_gather(const LaGather *gather, LaTally *tally)
{
	Gathering of = {.gather = gather, .tally = tally};
	int nbuckets;
	LaBucket *buckets =
	    rollup_buckets(gather->workspace, gather->bounds[0], gather->bounds[gather->nslots], &nbuckets);

	of.spans = rollup_spans(buckets, nbuckets, gather->bounds, gather->nslots, gather->coarsest, &of.nspans);
	of.tail = rollup_tail(gather->workspace, PG_INT64_MAX, gather->bounds[0], gather->bounds[gather->nslots]);
	rollup_read_segments(gather->workspace, of.spans, of.nspans, rollup_wanted(tally), gather->with_sets,
	                     tally);
	gather_rows(&of);
	if (gather->with_tail)
		gather_tail(&of);
}
