/*
 * Fingerprints that go with somebody, but were shown by others of the same time, too: they stay.
 *
 * Sessions are asked by their index. Events have none by fingerprint, so rows are read only of time that no
 * finer bucket answers for, and not before sessions have not told; each day once, whichever buckets ask.
 */
#include "rollup/segment.h"
#include "rollup/unfold.h"

#include "bitmap/bitmap.h"
#include "catalog/pg_type.h"

static LaQuery sessions_with = {
    "SELECT s.number, s.fingerprint, coalesce(s.vpn_score > 50, false) FROM unnest($2) AS f (fingerprint) "
    "CROSS JOIN LATERAL (SELECT * FROM leadanalytics.session s WHERE s.workspace = $1 "
    "AND s.fingerprint = f.fingerprint AND s.started_at >= $3 AND s.started_at < $4 OFFSET 0) AS s",
    4,
    {INT4OID, INT8ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static LaQuery events_with = {
    "SELECT e.id, e.at, e.fingerprint, e.is_bot FROM leadanalytics.event e WHERE e.workspace = $1 "
    "AND e.at >= $3 AND e.at < $4 AND e.fingerprint = ANY ($2)",
    4,
    {INT4OID, INT8ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static const LaDimension asked_of[] = {LA_FINGERPRINT, LA_ROBOTS + LA_FINGERPRINT, LA_SUSPECTED};

/* An event of a fingerprint that goes. */
typedef struct Shown
{
	TimestampTz at;
	int fingerprint;
	bool is_bot;
} Shown;

struct LaShownDays
{
	LaNumbers fingerprints; /* all that go */
	int64 *days;            /* of UTC, that were read */
	int ndays;
	int days_room;
	Shown *shown;
	int n;
	int room;
	const LaTail *tail;
	MemoryContext context;
};

/* Those that go of a target, by dimension. */
typedef struct Asking
{
	LaUnfolding *of;
	const LaTarget *target;
	int slot;
	int64 *numbers[lengthof(asked_of)]; /* ascending */
	int n[lengthof(asked_of)];
} Asking;

/* Somebody else has shown it: it comes back, and is no longer asked for. */
static void
come_back(Asking *asking, int which, int64 number)
{
	LaTally *come = asking->of->come;
	int64 *numbers = asking->numbers[which];
	int at = 0;

	while (at < asking->n[which] && numbers[at] != number)
		at++;
	if (at == asking->n[which])
		return;
	memmove(&numbers[at], &numbers[at + 1], (--asking->n[which] - at) * sizeof *numbers);
	rollup_add_number(come, rollup_entry(come, asking->slot, asked_of[which], 0), number);
}

static void
take_session(TupleTableSlot *row, void *arg)
{
	Asking *asking = arg;
	const LaTail *tail = asking->of->tail;
	int64 fingerprint = DatumGetInt32(row->tts_values[1]);

	if (rollup_tail_has(tail->opened, tail->nopened, DatumGetInt64(row->tts_values[0])))
		return;
	come_back(asking, 0, fingerprint);
	if (DatumGetBool(row->tts_values[2]))
		come_back(asking, 2, fingerprint);
}

static void
take_event(TupleTableSlot *row, void *arg)
{
	struct LaShownDays *all = arg;
	TimestampTz at = DatumGetTimestampTz(row->tts_values[1]);

	if (rollup_tail_has_event(all->tail, DatumGetInt64(row->tts_values[0]), at))
		return;
	if (all->n == all->room)
	{
		Size size = (all->room = Max(256, 2 * all->room)) * sizeof(Shown);

		all->shown =
		    all->n == 0 ? MemoryContextAllocHuge(all->context, size) : repalloc_huge(all->shown, size);
	}
	all->shown[all->n++] = (Shown){at, DatumGetInt32(row->tts_values[2]), DatumGetBool(row->tts_values[3])};
}

static void
ask_sessions(Asking *asking, int which)
{
	Datum values[] = {Int32GetDatum(asking->of->workspace),
	                  la_query_array(asking->numbers[which], asking->n[which], INT8OID),
	                  TimestampTzGetDatum(asking->target->starts), TimestampTzGetDatum(asking->target->ends)};

	if (asking->n[which] > 0)
		la_query_each(&sessions_with, values, NULL, take_session, asking);
}

/* Read the day's events of all fingerprints that go, unless that was done. */
static void
read_day(const LaUnfolding *of, int64 day)
{
	struct LaShownDays *all = of->shown;

	for (int i = all->ndays - 1; i >= 0; i--)
		if (all->days[i] == day)
			return;
	if (all->ndays == all->days_room)
	{
		Size size = (all->days_room = Max(64, 2 * all->days_room)) * sizeof(int64);

		all->days = all->ndays == 0 ? MemoryContextAlloc(all->context, size) : repalloc(all->days, size);
	}
	all->days[all->ndays++] = day;
	la_query_each(&events_with,
	              (Datum[]){Int32GetDatum(of->workspace),
	                        la_query_array(all->fingerprints.numbers, all->fingerprints.n, INT8OID),
	                        TimestampTzGetDatum(day * USECS_PER_DAY),
	                        TimestampTzGetDatum((day + 1) * USECS_PER_DAY)},
	              NULL, take_event, all);
}

static void
ask_rows(Asking *asking, TimestampTz from, TimestampTz to)
{
	const struct LaShownDays *all = asking->of->shown;

	for (TimestampTz day = rollup_floor(from, USECS_PER_DAY); day < to; day += USECS_PER_DAY)
		read_day(asking->of, day / USECS_PER_DAY);
	for (int i = 0; i < all->n; i++)
		if (all->shown[i].at >= from && all->shown[i].at < to)
			come_back(asking, all->shown[i].is_bot ? 1 : 0, all->shown[i].fingerprint);
}

/* What finer buckets have, which are as they will be. */
static void
ask_segments(Asking *asking, LaSpan *spans, int nspans)
{
	LaTally *tally = rollup_tally(LA_BIT(LA_FINGERPRINT) | LA_BIT(LA_ROBOTS + LA_FINGERPRINT));

	rollup_read_segments(asking->of->workspace, spans, nspans, rollup_wanted(tally), true, tally);
	for (int which = 0; which < 2; which++)
	{
		const LaEntry *entry = rollup_entry(tally, 0, asked_of[which], 0);

		for (int i = asking->n[which] - 1; i >= 0; i--)
			for (const LaStoredSet *set = entry->sets; set != NULL; set = set->next)
				if (la_bitmap_stored_has(set->bytes, set->length, asking->numbers[which][i]))
				{
					come_back(asking, which, asking->numbers[which][i]);
					break;
				}
	}
}

static void
ask_events(Asking *asking)
{
	TimestampTz bounds[] = {asking->target->starts, asking->target->ends};
	int nbuckets;
	int nspans;
	LaBucket *buckets = rollup_buckets(asking->of->workspace, bounds[0], bounds[1], &nbuckets);
	LaSpan *spans = rollup_spans(buckets, nbuckets, bounds, 1, rollup_finer(asking->target->grain), &nspans);

	ask_segments(asking, spans, nspans);
	for (int i = 0; i < nspans && asking->n[0] + asking->n[1] > 0; i++)
		if (spans[i].source == LA_FROM_ROWS)
			ask_rows(asking, spans[i].from, spans[i].to);
}

/* All fingerprints that go: rollup_unfold_shared() asks for those of a target. */
void
rollup_unfold_shown(LaUnfolding *of)
{
	struct LaShownDays *all = of->shown = palloc0(sizeof *all);
	LaNumbers *numbers = &all->fingerprints;
	int n;
	LaEntry **gone =
	    rollup_entries_of(of->gone, LA_BIT(LA_FINGERPRINT) | LA_BIT(LA_ROBOTS + LA_FINGERPRINT), &n);
	int room = 0;

	all->tail = of->tail;
	all->context = CurrentMemoryContext;
	for (int i = 0; i < n; i++)
		room += gone[i]->n;
	numbers->numbers = palloc(Max(room, 1) * sizeof(int64));
	for (int i = 0; i < n; i++)
		for (int k = 0; k < gone[i]->n; k++)
			numbers->numbers[numbers->n++] = gone[i]->numbers[k];
	rollup_sort_numbers(numbers);
}

void
rollup_unfold_shared(LaUnfolding *of, int slot)
{
	Asking asking = {of, &of->targets->targets[slot], slot};

	SPI_connect();
	for (int which = 0; which < lengthof(asked_of); which++)
	{
		const LaEntry *gone = rollup_entry_if(of->gone, slot, asked_of[which], 0);

		if (gone == NULL || gone->n == 0)
			continue;
		asking.numbers[which] = palloc(gone->n * sizeof(int64));
		for (int i = 0; i < gone->n; i++)
			asking.numbers[which][asking.n[which]++] = gone->numbers[i];
	}
	/* whose events were dropped cannot be known: that they were shown stays */
	if (asking.target->starts < of->dropped_before)
		for (int which = 0; which < 2; which++)
			while (asking.n[which] > 0)
				come_back(&asking, which, asking.numbers[which][0]);
	ask_sessions(&asking, 0);
	ask_sessions(&asking, 2);
	if (asking.n[0] + asking.n[1] > 0)
		ask_events(&asking);
	SPI_finish();
}
