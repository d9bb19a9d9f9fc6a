/*
 * Funnels: how many got how far on a way of steps, in its order and within a time.
 *
 * All matches of all steps are gone through once, in the order of time and, of one time, of steps. Of
 * everybody is kept, for each step reached, the chain that began last: whatever it can still become, a chain
 * that began before cannot more, for it runs out of time first. A match takes the chain of the step before
 * on, if there is time; it replaces one of its own step only if it began later. How far somebody got is noted
 * when it is reached first. Of those who did but the first step, which may be everybody, only its time is
 * kept.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "campaigns/point.h"
#include "core/export.h"
#include "core/query.h"
#include "engagement/subject.h"

#define NEVER PG_INT64_MIN
#define MOST_STEPS 10

static LaQuery read_statuses = {
    "SELECT c.lead, c.at, c.from_status IS NULL, c.to_status FROM leadanalytics.lead_status_change c "
    "WHERE c.workspace = $1 AND c.at >= $2 AND c.at < $3",
    3,
    {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

static LaQuery read_submissions = {"SELECT s.lead, s.submitted_at FROM leadanalytics.lead_submission s "
                                   "WHERE s.workspace = $1 AND s.submitted_at >= $2 AND s.submitted_at < $3",
                                   3,
                                   {INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID}};

/* What is a match of a step: w a web event's name, m a mail's fact (both are in the trail), s a lead's status
 * (none: its creation), f a post of a form. */
typedef struct Source
{
	int level;
	char kind;
	int number;       /* of w: the term of the name; of m: the fact */
	const char *text; /* of s; NULL: none */
} Source;

typedef struct Subject
{
	TimestampTz start; /* the latest match of the first step */
	int further;       /* of those who got further: which, from 1 on */
} Subject;

typedef struct Funnel
{
	int workspace;
	TimestampTz starts;
	TimestampTz ends;
	TimestampTz until;
	int64 window;
	int nlevels;
	const Source *sources;
	int nsources;
	bool of_people;
	LaSubjects *who;
	Subject *subjects;
	int nsubjects;
	int room;
	int64 started;
	/* Of each who got further: how far, the times of that chain, and of each level from 2 on its chain. */
	int64 *further;
	int nfurther;
	int further_room;
	int stride;
	int chain_at[MOST_STEPS + 1];
	LaPoint *points; /* matches that are no trail's */
	int64 npoints;
	int64 points_room;
} Funnel;

/* ----- Matches --------------------------------------------------------------------------------------- */

/* A tag is a level, and whether the number is a lead's: see engagement_is_lead(). */
#define TAG(level, who) (2 * (level) + ((who) == LA_LEAD))

static void
add_match(Funnel *funnel, int level, int64 lead, TimestampTz at)
{
	if (level == 1 && at >= funnel->ends)
		return;
	if (funnel->npoints == funnel->points_room)
	{
		Size size = (funnel->points_room = Max(1024, 2 * funnel->points_room)) * sizeof(LaPoint);

		funnel->points = funnel->points == NULL ? palloc_extended(size, MCXT_ALLOC_HUGE)
		                                        : repalloc_huge(funnel->points, size);
	}
	funnel->points[funnel->npoints++] = (LaPoint){at, lead, TAG(level, LA_LEAD), 1};
}

static bool
is_text(Datum value, const char *text)
{
	const struct varlena *bytes = (struct varlena *) DatumGetPointer(value);

	return VARSIZE_ANY_EXHDR(bytes) == strlen(text) && memcmp(VARDATA_ANY(bytes), text, strlen(text)) == 0;
}

static void
take_status(TupleTableSlot *row, void *arg)
{
	Funnel *funnel = arg;

	for (int i = 0; i < funnel->nsources; i++)
	{
		const Source *source = &funnel->sources[i];

		if (source->kind != 's')
			continue;
		if (source->text == NULL ? DatumGetBool(row->tts_values[2])
		                         : is_text(row->tts_values[3], source->text))
			add_match(funnel, source->level, DatumGetInt64(row->tts_values[0]),
			          DatumGetTimestampTz(row->tts_values[1]));
	}
}

static void
take_submission(TupleTableSlot *row, void *arg)
{
	Funnel *funnel = arg;

	for (int i = 0; i < funnel->nsources; i++)
		if (funnel->sources[i].kind == 'f')
			add_match(funnel, funnel->sources[i].level, DatumGetInt64(row->tts_values[0]),
			          DatumGetTimestampTz(row->tts_values[1]));
}

static bool
has_source(const Funnel *funnel, char kind)
{
	for (int i = 0; i < funnel->nsources; i++)
		if (funnel->sources[i].kind == kind)
			return true;
	return false;
}

static void
read_leads(Funnel *funnel)
{
	Datum values[] = {Int32GetDatum(funnel->workspace), TimestampTzGetDatum(funnel->starts),
	                  TimestampTzGetDatum(funnel->until)};

	if (has_source(funnel, 's'))
		la_query_each(&read_statuses, values, NULL, take_status, funnel);
	if (has_source(funnel, 'f'))
		la_query_each(&read_submissions, values, NULL, take_submission, funnel);
}

/* ----- Chains ---------------------------------------------------------------------------------------- */

static void
add_subjects(Funnel *funnel)
{
	int n = engagement_nsubjects(funnel->who);

	if (n > funnel->room)
	{
		Size size = (funnel->room = Max(1024, 2 * n)) * sizeof(Subject);

		funnel->subjects = funnel->subjects == NULL ? palloc_extended(size, MCXT_ALLOC_HUGE)
		                                            : repalloc_huge(funnel->subjects, size);
	}
	for (; funnel->nsubjects < n; funnel->nsubjects++)
		funnel->subjects[funnel->nsubjects] = (Subject){NEVER, 0};
}

static int64 *
further_of(Funnel *funnel, Subject *subject)
{
	if (subject->further == 0)
	{
		int64 *all = funnel->further;

		if (funnel->nfurther == funnel->further_room)
		{
			Size size = (Size) (funnel->further_room = Max(256, 2 * funnel->further_room)) * funnel->stride *
			            sizeof(int64);

			all = all == NULL ? palloc_extended(size, MCXT_ALLOC_HUGE) : repalloc_huge(all, size);
			funnel->further = all;
		}
		all += (Size) funnel->nfurther * funnel->stride;
		all[0] = 1;
		for (int level = 2; level <= funnel->nlevels; level++)
			all[funnel->chain_at[level]] = NEVER;
		subject->further = ++funnel->nfurther;
	}
	return funnel->further + (Size) (subject->further - 1) * funnel->stride;
}

static inline void
walk(Funnel *funnel, Subject *subject, int level, TimestampTz at)
{
	int64 *further;
	const int64 *before;
	int64 *chain;

	if (level == 1)
	{
		funnel->started += subject->start == NEVER;
		subject->start = at;
		return;
	}
	if (subject->start == NEVER || at - subject->start > funnel->window ||
	    (level > 2 && subject->further == 0))
		return;
	further = further_of(funnel, subject);
	before = level == 2 ? &subject->start : further + funnel->chain_at[level - 1];
	chain = further + funnel->chain_at[level];
	if (*before == NEVER || at - *before > funnel->window || *chain >= *before)
		return;
	memcpy(chain, before, (level - 1) * sizeof(int64));
	chain[level - 1] = at;
	if (further[0] < level)
	{
		further[0] = level;
		memcpy(further + 1, chain, level * sizeof(int64));
	}
}

static void
take_points(const LaPoint *points, int64 n, void *arg)
{
	Funnel *funnel = arg;
	int numbers[LA_SUBJECTS_AT_ONCE];

	for (; n > 0; points += LA_SUBJECTS_AT_ONCE, n -= LA_SUBJECTS_AT_ONCE)
	{
		int some = Min(n, LA_SUBJECTS_AT_ONCE);

		engagement_subjects_of(funnel->who, points, some, numbers);
		add_subjects(funnel);
		for (int i = 0; i < some; i++)
			__builtin_prefetch(&funnel->subjects[numbers[i]], 1);
		for (int i = 0; i < some; i++)
		{
			const Subject *subject = &funnel->subjects[numbers[i]];

			if (points[i].step / 2 > 1 && subject->further > 0)
				__builtin_prefetch(funnel->further + (Size) (subject->further - 1) * funnel->stride, 1);
		}
		for (int i = 0; i < some; i++)
			walk(funnel, &funnel->subjects[numbers[i]], points[i].step / 2, points[i].at);
	}
}

/* ----- Who can get further --------------------------------------------------------------------------- */

typedef struct Sieve
{
	Funnel *funnel;
	LaBitmap *subjects;
} Sieve;

static void
take_candidates(const LaPoint *points, int64 n, void *arg)
{
	Sieve *sieve = arg;
	int numbers[LA_SUBJECTS_AT_ONCE];

	for (; n > 0; points += LA_SUBJECTS_AT_ONCE, n -= LA_SUBJECTS_AT_ONCE)
	{
		int some = Min(n, LA_SUBJECTS_AT_ONCE);

		engagement_subjects_of(sieve->funnel->who, points, some, numbers);
		for (int i = 0; i < some; i++)
			la_bitmap_add(sieve->subjects, numbers[i]);
	}
}

/* Trails in the order of their levels: those of a level, *n of them. */
static const LaTrail *
trails_of_level(const LaTrail *trails, int ntrails, int level, int *n)
{
	const LaTrail *first = trails;

	while (first < trails + ntrails && first->tag / 2 < level)
		first++;
	for (*n = 0; first + *n < trails + ntrails && first[*n].tag / 2 == level;)
		++*n;
	return first;
}

/*
 * Who took not both of the first two steps gets nowhere: of the web, only points of those who took the rarer
 * of them are gone through. Of the others it is enough that they were met, if it was the first step.
 */
static LaBitmap *
sift(Funnel *funnel, LaTrail *trails, int ntrails)
{
	Sieve sieve = {funnel, la_bitmap_create()};
	LaBitmap *met = la_bitmap_create();
	int n[2];
	const LaTrail *of[] = {trails_of_level(trails, ntrails, 1, &n[0]),
	                       trails_of_level(trails, ntrails, 2, &n[1])};
	int rarer =
	    la_trail_size(funnel->workspace, of[0], n[0]) >= la_trail_size(funnel->workspace, of[1], n[1]);
	LaBitmap *only;

	la_message_trail_read(funnel->workspace, of[rarer], n[rarer], NULL, 0, take_candidates, &sieve);
	for (int64 i = 0; i < funnel->npoints; i++)
		if (funnel->points[i].step / 2 == rarer + 1)
			take_candidates(&funnel->points[i], 1, &sieve);
	only = engagement_web_numbers(funnel->who, sieve.subjects);
	for (int i = 0; i < ntrails; i++)
		if (trails[i].kind == 'w' && trails[i].tag / 2 != rarer + 1)
		{
			trails[i].only = only;
			trails[i].met = trails[i].tag / 2 == 1 ? met : NULL;
		}
	return met;
}

static void
count_met(Funnel *funnel, const LaBitmap *met)
{
	LaPoint points[LA_SUBJECTS_AT_ONCE];
	uint64 cursor = 0;
	uint32 number;
	int n = 0;

	while (la_bitmap_next(met, &cursor, &number))
	{
		points[n++] = (LaPoint){funnel->starts, number, TAG(1, LA_WEB), 1};
		if (n == lengthof(points))
		{
			take_points(points, n, funnel);
			n = 0;
		}
	}
	take_points(points, n, funnel);
}

static void
read_matches(Funnel *funnel)
{
	LaTrail *trails = palloc((funnel->nsources + 1) * sizeof(LaTrail));
	LaBitmap *met;
	int n = 0;

	for (int level = 1; level <= funnel->nlevels; level++)
		for (int i = 0; i < funnel->nsources; i++)
		{
			const Source *source = &funnel->sources[i];

			if (source->level == level && (source->kind == 'w' || source->kind == LA_TRAIL_MESSAGES))
				trails[n++] = (LaTrail){.kind = source->kind,
				                        .step = source->number,
				                        .from = funnel->starts,
				                        .to = level == 1 ? funnel->ends : funnel->until,
				                        .tag = TAG(level, source->kind == 'w' ? LA_WEB : LA_LEAD)};
		}
	met = sift(funnel, trails, n);
	la_message_trail_read(funnel->workspace, trails, n, funnel->points, funnel->npoints, take_points, funnel);
	count_met(funnel, met);
}

/* ----- What came of it ------------------------------------------------------------------------------- */

/* Put the time that is the k-th in order into its place, none that is greater before it. */
static void
select_time(int64 *times, int64 n, int64 k)
{
	int64 low = 0;
	int64 high = n - 1;

	while (low < high)
	{
		int64 pivot = times[low + (high - low) / 2];
		int64 i = low;
		int64 j = high;

		CHECK_FOR_INTERRUPTS();
		while (i <= j)
		{
			while (times[i] < pivot)
				i++;
			while (times[j] > pivot)
				j--;
			if (i <= j)
			{
				int64 swapped = times[i];

				times[i++] = times[j];
				times[j--] = swapped;
			}
		}
		if (k <= j)
			high = j;
		else if (k >= i)
			low = i;
		else
			return;
	}
}

/* As percentile_cont(0.5) has it, in seconds. */
static double
median_of(int64 *times, int64 n)
{
	double place = 0.5 * (n - 1);
	double low;
	double high;

	select_time(times, n, ceil(place));
	if (floor(place) < ceil(place))
		select_time(times, ceil(place), floor(place)); /* the greatest of those before */
	low = (double) times[(int64) floor(place)] / USECS_PER_SEC;
	high = (double) times[(int64) ceil(place)] / USECS_PER_SEC;
	return low + (place - floor(place)) * (high - low);
}

static void
tell(Funnel *funnel, ReturnSetInfo *result)
{
	int64 *times = palloc_extended(Max(funnel->nfurther, 1) * sizeof(int64), MCXT_ALLOC_HUGE);

	for (int level = 1; level <= funnel->nlevels; level++)
	{
		Datum values[3];
		bool nulls[3] = {false};
		int64 n = 0;

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; level > 1 && i < funnel->nfurther; i++)
		{
			const int64 *one = funnel->further + (Size) i * funnel->stride;

			if (one[0] >= level)
				times[n++] = one[level] - one[level - 1];
		}
		values[0] = Int32GetDatum(level);
		values[1] = Int64GetDatum(level == 1 ? funnel->started : n);
		nulls[2] = n == 0;
		values[2] = Float8GetDatum(n == 0 ? 0 : median_of(times, n));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

static const Source *
get_sources(ArrayType *levels, ArrayType *kinds, ArrayType *numbers, ArrayType *texts, int *n)
{
	Datum *columns[4];
	bool *nulls[4];
	Source *sources;

	deconstruct_array(levels, INT4OID, 4, true, TYPALIGN_INT, &columns[0], &nulls[0], n);
	deconstruct_array(kinds, CHAROID, 1, true, TYPALIGN_CHAR, &columns[1], &nulls[1], n);
	deconstruct_array(numbers, INT4OID, 4, true, TYPALIGN_INT, &columns[2], &nulls[2], n);
	deconstruct_array(texts, TEXTOID, -1, false, TYPALIGN_INT, &columns[3], &nulls[3], n);
	sources = palloc(Max(*n, 1) * sizeof(Source));
	for (int i = 0; i < *n; i++)
		sources[i] =
		    (Source){DatumGetInt32(columns[0][i]), DatumGetChar(columns[1][i]), DatumGetInt32(columns[2][i]),
		             nulls[3][i] ? NULL : TextDatumGetCString(columns[3][i])};
	return sources;
}

LA_FUNCTION(la_engagement_funnel)
{
	Funnel funnel = {.workspace = PG_GETARG_INT32(0),
	                 .starts = PG_GETARG_TIMESTAMPTZ(1),
	                 .ends = PG_GETARG_TIMESTAMPTZ(2),
	                 .window = PG_GETARG_INT32(3) * USECS_PER_DAY,
	                 .nlevels = PG_GETARG_INT32(4),
	                 .of_people = PG_GETARG_BOOL(5)};
	int place;

	if (funnel.nlevels < 1 || funnel.nlevels > MOST_STEPS)
		elog(ERROR, "a funnel of %d steps", funnel.nlevels);
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	funnel.sources = get_sources(PG_GETARG_ARRAYTYPE_P(6), PG_GETARG_ARRAYTYPE_P(7), PG_GETARG_ARRAYTYPE_P(8),
	                             PG_GETARG_ARRAYTYPE_P(9), &funnel.nsources);
	funnel.until = TIMESTAMP_NOT_FINITE(funnel.ends) ? funnel.ends : funnel.ends + funnel.window;
	place = 1 + funnel.nlevels;
	for (int level = 2; level <= funnel.nlevels; place += level++)
		funnel.chain_at[level] = place;
	funnel.stride = place;
	funnel.who = engagement_subjects();
	if (funnel.of_people)
	{
		engagement_join_web(funnel.who, funnel.workspace);
		if (has_source(&funnel, 's') || has_source(&funnel, 'f') || has_source(&funnel, 'm'))
			engagement_join_leads(funnel.who, funnel.workspace);
	}
	read_leads(&funnel);
	engagement_settle(funnel.who);
	read_matches(&funnel);
	tell(&funnel, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}
