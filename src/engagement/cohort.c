/*
 * How many leads of each cohort did something in each period since: leadanalytics.cohort_counts(), see
 *cohort.sql.
 *
 *	leads ─▶ cohorts ──────────────────────────────┐
 *	their numbers ─▶ which of them the web's sets have ─┤
 *	submissions, facts of mails, wins ─▶ (lead, time) ─┴─▶ a bit for each lead and period ─▶ counts
 *
 * A lead may have many numbers and a number may be of many leads; the bits count each lead once.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "campaigns/point.h"
#include "core/export.h"
#include "core/query.h"
#include "engagement/lead_name.h"
#include "rollup/rollup.h"

#define MAX_PERIODS 120
#define WORDS 2 /* of 64 bits: MAX_PERIODS fit */

typedef struct Lead
{
	int64 id;
	char status; /* of the hash */
	int cohort;
	TimestampTz won_at; /* DT_NOEND: never */
	uint64 periods[WORDS];
} Lead;

#define SH_PREFIX lead
#define SH_ELEMENT_TYPE Lead
#define SH_KEY_TYPE int64
#define SH_KEY id
#define SH_HASH_KEY(table, key) murmurhash32((uint32) (key))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct Link /* a number of the web, and a lead that is it */
{
	Lead *lead;
	uint32 number;
} Link;

typedef struct Cohorts
{
	int workspace;
	TimestampTz *bounds; /* of the periods, the first of which are the cohorts */
	int nperiods;
	int begun; /* periods that have */
	lead_hash *leads;
	LaLeadNames *names;
	Link *links;
	int64 nlinks;
	int64 room;
} Cohorts;

#define OF_LEADS                                                                                             \
	"FROM leadanalytics.lead l WHERE l.workspace = $1 AND l.enquiry_at >= $2 AND l.enquiry_at < $3"

static LaQuery leads = {"SELECT l.id, l.enquiry_at " OF_LEADS, 3, {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static LaQuery names = {"SELECT l.id, coalesce(l.external_id, l.id::text), l.visitor_id " OF_LEADS,
                        3,
                        {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static LaQuery posts = {"SELECT s.lead, s.submitted_at, s.visitor_id FROM leadanalytics.lead_submission s "
                        "WHERE s.workspace = $1",
                        1,
                        {INT4OID}};

static LaQuery posts_of_leads = {
    "SELECT s.lead, s.submitted_at, s.visitor_id FROM (SELECT l.id " OF_LEADS " OFFSET 0) AS l "
    "CROSS JOIN LATERAL (SELECT p.lead, p.submitted_at, p.visitor_id FROM leadanalytics.lead_submission p "
    "WHERE p.workspace = $1 AND p.lead = l.id OFFSET 0) AS s",
    3,
    {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static LaQuery wins = {"SELECT c.lead, c.at FROM leadanalytics.lead_status_change c "
                       "WHERE c.workspace = $1 AND c.to_status = 'won'",
                       1,
                       {INT4OID}};

/* The other way to the numbers. */
static LaQuery numbers = {"SELECT n.lead, n.number FROM leadanalytics.lead_web_numbers($1, $2, $3) n",
                          3,
                          {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static LaQuery nleads = {
    "SELECT c.reltuples::bigint FROM pg_catalog.pg_class c WHERE c.oid = 'leadanalytics.lead'::regclass",
    0,
    {0}};

/* The period of a time, -1: none. */
static int
period_of(const Cohorts *cohorts, TimestampTz at)
{
	int low = 0;
	int high = cohorts->nperiods;

	if (at < cohorts->bounds[0] || at >= cohorts->bounds[high])
		return -1;
	while (low < high - 1)
	{
		int middle = (low + high) / 2;

		if (cohorts->bounds[middle] <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void
mark(Lead *lead, int period)
{
	int index = period - lead->cohort;

	if (period >= 0 && index >= 0 && index < MAX_PERIODS)
		lead->periods[index / 64] |= UINT64CONST(1) << index % 64;
}

static void
take_lead(TupleTableSlot *row, void *arg)
{
	Cohorts *cohorts = arg;
	bool found;
	Lead *lead = lead_insert(cohorts->leads, DatumGetInt64(row->tts_values[0]), &found);

	lead->cohort = period_of(cohorts, DatumGetTimestampTz(row->tts_values[1]));
	lead->won_at = DT_NOEND;
	memset(lead->periods, 0, sizeof lead->periods);
}

static void
take_mails(const LaPoint *points, int64 n, void *arg)
{
	Cohorts *cohorts = arg;

	for (int64 i = 0; i < n; i++)
	{
		Lead *lead = lead_lookup(cohorts->leads, points[i].number);

		if (lead != NULL)
			mark(lead, period_of(cohorts, points[i].at));
	}
}

static void
take_win(TupleTableSlot *row, void *arg)
{
	Cohorts *cohorts = arg;
	Lead *lead = lead_lookup(cohorts->leads, DatumGetInt64(row->tts_values[0]));

	if (lead != NULL)
		lead->won_at = Min(lead->won_at, DatumGetTimestampTz(row->tts_values[1]));
}

static void
add_link(void *lead, uint32 number, void *arg)
{
	Cohorts *cohorts = arg;

	if (cohorts->nlinks == cohorts->room)
		cohorts->links = repalloc_huge(cohorts->links, (cohorts->room *= 2) * sizeof(Link));
	cohorts->links[cohorts->nlinks++] = (Link){lead, number};
}

static void
take_number(TupleTableSlot *row, void *arg)
{
	Cohorts *cohorts = arg;

	add_link(lead_lookup(cohorts->leads, DatumGetInt64(row->tts_values[0])),
	         DatumGetInt32(row->tts_values[1]), cohorts);
}

static void
take_names(TupleTableSlot *row, void *arg)
{
	Cohorts *cohorts = arg;
	Lead *lead = lead_lookup(cohorts->leads, DatumGetInt64(row->tts_values[0]));

	for (int i = 1; i < 3; i++)
		if (!row->tts_isnull[i])
			la_lead_names_add(cohorts->names, row->tts_values[i], lead);
}

static void
take_post(TupleTableSlot *row, void *arg)
{
	Cohorts *cohorts = arg;
	Lead *lead = lead_lookup(cohorts->leads, DatumGetInt64(row->tts_values[0]));

	if (lead == NULL)
		return;
	mark(lead, period_of(cohorts, DatumGetTimestampTz(row->tts_values[1])));
	if (cohorts->names != NULL && !row->tts_isnull[2])
		la_lead_names_add(cohorts->names, row->tts_values[2], lead);
}

static void
take_set(int period, const LaBitmap *set, void *arg)
{
	Cohorts *cohorts = arg;

	for (int64 i = 0; i < cohorts->nlinks; i++)
		if (cohorts->links[i].lead->cohort <= period && la_bitmap_has(set, cohorts->links[i].number))
			mark(cohorts->links[i].lead, period);
}

#define ST_SORT sort_links
#define ST_ELEMENT_TYPE Link
#define ST_COMPARE(a, b) ((a)->number < (b)->number ? -1 : (a)->number > (b)->number)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* Whether the leads are so many of all that all posts are read, and theirs are found among them. */
static bool
are_most(const Cohorts *cohorts)
{
	bool isnull;

	la_query_run(&nleads, NULL, NULL, true, 1);
	return (int64) cohorts->leads->members * 4 > DatumGetInt64(la_query_value(0, 1, &isnull));
}

/* Their opens, clicks and answers. */
static void
find_mails(Cohorts *cohorts)
{
	LaTrail trails[] = {{.step = 'o'}, {.step = 'c'}, {.step = 'r'}};

	for (int i = 0; i < lengthof(trails); i++)
	{
		trails[i].kind = LA_TRAIL_MESSAGES;
		trails[i].from = cohorts->bounds[0];
		trails[i].to = cohorts->bounds[cohorts->begun];
		trails[i].tag = i;
	}
	la_message_trail_read(cohorts->workspace, trails, lengthof(trails), NULL, 0, take_mails, cohorts);
}

static void
find_engaged(Cohorts *cohorts, Datum *range, const int *events, int nevents)
{
	bool by_reading = la_lead_names_are_many(cohorts->leads->members);

	if (nevents > 0 && by_reading)
	{
		cohorts->names = la_lead_names_create(cohorts->leads->members * INT64CONST(2));
		la_query_each(&names, range, NULL, take_names, cohorts);
	}
	la_query_each(are_most(cohorts) ? &posts : &posts_of_leads, range, NULL, take_post, cohorts);
	find_mails(cohorts);
	if (nevents == 0)
		return;
	cohorts->links = palloc((cohorts->room = 1024) * sizeof(Link));
	if (by_reading)
		la_lead_names_resolve(cohorts->names, cohorts->workspace, add_link, cohorts);
	else
		la_query_each(&numbers, range, NULL, take_number, cohorts);
	sort_links(cohorts->links, cohorts->nlinks); /* sets are asked page by page */
	la_rollup_active(cohorts->workspace, cohorts->bounds, cohorts->begun, events, nevents, take_set, cohorts);
}

static void
find_converted(Cohorts *cohorts, Datum *range)
{
	lead_iterator at;
	Lead *lead;

	la_query_each(&wins, range, NULL, take_win, cohorts);
	lead_start_iterate(cohorts->leads, &at);
	while ((lead = lead_iterate(cohorts->leads, &at)) != NULL)
		mark(lead, period_of(cohorts, lead->won_at));
}

static void
put_cohorts(const Cohorts *cohorts, ReturnSetInfo *result)
{
	int64 *sizes = palloc0(cohorts->nperiods * sizeof(int64));
	int64(*counts)[MAX_PERIODS] = palloc0(cohorts->nperiods * sizeof *counts);
	lead_iterator at;
	Lead *lead;

	lead_start_iterate(cohorts->leads, &at);
	while ((lead = lead_iterate(cohorts->leads, &at)) != NULL)
	{
		sizes[lead->cohort]++;
		for (int word = 0; word < WORDS; word++)
			for (uint64 left = lead->periods[word]; left != 0; left &= left - 1)
				counts[lead->cohort][word * 64 + pg_rightmost_one_pos64(left)]++;
	}
	for (int i = 0; i < cohorts->nperiods; i++)
	{
		int shown = Max(Min(cohorts->begun - i, MAX_PERIODS), 0);

		if (sizes[i] > 0)
			tuplestore_putvalues(result->setResult, result->setDesc,
			                     (Datum[]){TimestampTzGetDatum(cohorts->bounds[i]), Int64GetDatum(sizes[i]),
			                               la_query_array(counts[i], shown, INT8OID)},
			                     (bool[]){false, false, false});
	}
}

LA_FUNCTION(la_engagement_cohorts)
{
	Cohorts cohorts = {.workspace = PG_GETARG_INT32(0), .begun = PG_GETARG_INT32(4)};
	ArrayType *bounds = PG_GETARG_ARRAYTYPE_P(3);
	ArrayType *events = PG_GETARG_ARRAYTYPE_P(6);
	Datum range[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};

	InitMaterializedSRF(fcinfo, 0);
	cohorts.bounds = (TimestampTz *) ARR_DATA_PTR(bounds);
	cohorts.nperiods = ArrayGetNItems(ARR_NDIM(bounds), ARR_DIMS(bounds)) - 1;
	if (cohorts.nperiods < 1 || cohorts.begun < 0 || cohorts.begun > cohorts.nperiods ||
	    array_contains_nulls(bounds) || array_contains_nulls(events) ||
	    PG_GETARG_TIMESTAMPTZ(1) < cohorts.bounds[0] ||
	    PG_GETARG_TIMESTAMPTZ(2) > cohorts.bounds[cohorts.nperiods])
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the bounds do not hold the range"),
		                errhint("Ask leadanalytics.cohorts_rows().")));
	SPI_connect();
	cohorts.leads = lead_create(CurrentMemoryContext, 1024, NULL);
	la_query_each(&leads, range, NULL, take_lead, &cohorts);
	if (PG_GETARG_BOOL(5))
		find_converted(&cohorts, range);
	else if (cohorts.begun > 0 && cohorts.leads->members > 0)
		find_engaged(&cohorts, range, (int *) ARR_DATA_PTR(events),
		             ArrayGetNItems(ARR_NDIM(events), ARR_DIMS(events)));
	put_cohorts(&cohorts, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}
