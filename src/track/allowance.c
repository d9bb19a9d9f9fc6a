/*
 * What is left of a month's events, where leadanalytics.enforce_limits is on.
 *
 * Counting costs more than taking an event does, so a backend believes for five seconds what it counted,
 * less what it took itself: several backends together may take more by what they take in five seconds, and
 * a batch is never split. That nothing is left is not believed but counted each time: a raised limit holds
 * at once, and a refused request has nothing else to do.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "core/error.h"
#include "core/month.h"
#include "core/query.h"
#include "core/settings.h"
#include "track/track.h"

#define BELIEVED (5 * USECS_PER_SEC)
#define LONGEST_WAIT 3600 /* s; the month may be long, and the plan changed meanwhile */
#define PLACES 1024

static LaQuery count_left = {"SELECT a.events, least(extract(epoch FROM a.until - $2), $3)::int "
                             "FROM leadanalytics.allowance($1, $2) a",
                             3,
                             {INT4OID, TIMESTAMPTZOID, INT4OID}};

static struct Allowance
{
	int workspace;
	DateADT month;
	TimestampTz counted_at;
	int64 left;
} known[PLACES];

static struct Allowance *
place_of(int workspace)
{
	return &known[(uint32) workspace % PLACES];
}

void
track_allowance_require(int workspace, TimestampTz now)
{
	struct Allowance *place = place_of(workspace);
	TimestampTz clock = GetCurrentTransactionStartTimestamp();
	bool isnull;
	int wait;

	if (!la_enforce_limits)
		return;
	if (place->workspace == workspace && place->month == la_month_of(now) && place->left > 0 &&
	    clock - place->counted_at < BELIEVED && clock >= place->counted_at)
		return;
	la_query_run(&count_left,
	             (Datum[]){Int32GetDatum(workspace), TimestampTzGetDatum(now), Int32GetDatum(LONGEST_WAIT)},
	             NULL, false, 1);
	place->workspace = workspace;
	place->month = la_month_of(now);
	place->counted_at = clock;
	place->left = DatumGetInt64(la_query_value(0, 1, &isnull));
	if (isnull)
		place->left = PG_INT64_MAX;
	wait = DatumGetInt32(la_query_value(0, 2, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (place->left <= 0)
		ereport(ERROR, (errcode(LA_TOO_MANY), errmsg("Event limit of your plan reached"),
		                errdetail("{\"retry_after\": \"%d\"}", Max(wait, 1)),
		                errhint("Raise the limit, or turn leadanalytics.enforce_limits off.")));
}

void
track_allowance_spend(const LaBatch *batch)
{
	struct Allowance *place = place_of(batch->workspace);

	if (!la_enforce_limits || place->workspace != batch->workspace || place->left == PG_INT64_MAX)
		return;
	for (int i = 0; i < batch->n; i++)
		place->left -= track_is_use(batch, batch->events[i]);
}
