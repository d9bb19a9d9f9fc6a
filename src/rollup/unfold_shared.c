/*
 * Fingerprints that go with somebody, but were shown by others of the same time, too: they stay.
 *
 * Sessions are asked by their index. Events have none by fingerprint, so rows are read only of time that no
 * finer bucket answers for, and not before sessions have not told.
 */
#include "rollup/segment.h"

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
	Asking *asking = arg;

	if (!rollup_tail_has_event(asking->of->tail, DatumGetInt64(row->tts_values[0]),
	                           DatumGetTimestampTz(row->tts_values[1])))
		come_back(asking, DatumGetBool(row->tts_values[3]) ? 1 : 0, DatumGetInt32(row->tts_values[2]));
}

static void
ask_rows(Asking *asking, LaQuery *query, int which, TimestampTz from, TimestampTz to, LaTake take)
{
	Datum values[] = {Int32GetDatum(asking->of->workspace),
	                  la_query_array(asking->numbers[which], asking->n[which], INT8OID),
	                  TimestampTzGetDatum(from), TimestampTzGetDatum(to)};

	if (asking->n[which] > 0)
		la_query_each(query, values, NULL, take, asking);
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
	for (int i = 0; i < nspans; i++)
		for (int which = 0; which < 2 && spans[i].source == LA_FROM_ROWS; which++)
			ask_rows(asking, &events_with, which, spans[i].from, spans[i].to, take_event);
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
	ask_rows(&asking, &sessions_with, 0, asking.target->starts, asking.target->ends, take_session);
	ask_rows(&asking, &sessions_with, 2, asking.target->starts, asking.target->ends, take_session);
	if (asking.n[0] + asking.n[1] > 0)
		ask_events(&asking);
	SPI_finish();
}
