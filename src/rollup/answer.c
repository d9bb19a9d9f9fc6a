/*
 * leadanalytics.answer(): counts and distinct members of dimensions' values, over a range and its stretches.
 *
 * Values of the dictionary become texts, and those with one text are one. Members are counted for the values
 * that are shown, and only for them: a value has at most as many as its sets have together, so in the order
 * of that bound the first n by members are found as soon as no other value can have more than the n-th.
 */
#include "rollup/parts.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/export.h"

typedef struct Question
{
	int workspace;
	TimestampTz *bounds;
	int nslots;
	bool robots;
	bool uniques;
	int top; /* 0: all */
	bool by_members;
	char **none; /* texts that count as none */
	int nnone;
	char **only; /* texts that are asked for; nonly 0: all */
	int nonly;
	ReturnSetInfo *result;
} Question;

/* A text and what has it: slot 0 is the whole range. */
typedef struct Shown
{
	const char *text;
	int64 counts[LA_COUNTS];
	LaEntry *whole;
	int64 members; /* -1: not counted */
} Shown;

typedef struct Grouping
{
	const Question *question;
	const LaAsked *asked;
	LaTally *tally; /* (slot, 0, group) */
	Shown *groups;
	int n;
} Grouping;

static bool
among(char *const *texts, int n, const char *text)
{
	for (int i = 0; i < n; i++)
		if (text != NULL && strcmp(texts[i], text) == 0)
			return true;
	return false;
}

typedef struct TextGroup
{
	const char *text;
	char status;
	int group;
} TextGroup;

#define SH_PREFIX textgroup
#define SH_ELEMENT_TYPE TextGroup
#define SH_KEY_TYPE const char *
#define SH_KEY text
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key), strlen(key))
#define SH_EQUAL(table, a, b) (strcmp((a), (b)) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Move what an entry has to another: what it had has no other use. */
static void
move_entry(LaTally *tally, LaEntry *to, const LaEntry *from)
{
	for (int k = 0; k < LA_COUNTS; k++)
		to->counts[k] += from->counts[k];
	if (to->at_most == 0)
	{
		to->numbers = from->numbers;
		to->n = from->n;
		to->room = from->room;
		to->sets = from->sets;
		to->at_most = from->at_most;
		return;
	}
	for (int i = 0; i < from->n; i++)
		rollup_add_number(tally, to, from->numbers[i]);
	for (LaStoredSet *set = from->sets, *next; set != NULL; set = next)
	{
		next = set->next;
		set->next = to->sets;
		to->sets = set;
		to->at_most += set->count;
	}
}

/* The entries of the asked dimension, by the group that each value belongs to; again: they are needed once
 * more. */
static void
group(Grouping *grouping, LaAsked *asked, LaEntry **entries, int n, bool again)
{
	const Question *question = grouping->question;
	int *values = palloc(Max(n, 1) * sizeof(int));
	const char **texts = palloc0(Max(n, 1) * sizeof(char *));
	textgroup_hash *known = textgroup_create(CurrentMemoryContext, 64, NULL);
	int none = -1;

	for (int i = 0; i < n; i++)
		values[i] = rollup_value(entries[i]);
	if (asked->text.sql != NULL)
		rollup_texts(asked, question->workspace, values, n, texts);
	else
		for (int i = 0; i < n; i++)
			texts[i] = asked->dimension == LA_SCORE ? psprintf("%d", values[i]) : NULL;
	grouping->groups = palloc0(Max(n, 1) * sizeof(Shown));
	for (int i = 0; i < n; i++)
	{
		bool found;
		int *at;
		int slot = question->nslots == 1 ? 0 : rollup_slot(entries[i]) + 1;

		if (among(question->none, question->nnone, texts[i]))
			texts[i] = NULL;
		if (question->nonly > 0 && !among(question->only, question->nonly, texts[i]))
			continue;
		if (texts[i] == NULL)
		{
			at = &none;
			found = none >= 0;
		}
		else
			at = &textgroup_insert(known, texts[i], &found)->group;
		if (!found)
		{
			*at = grouping->n++;
			grouping->groups[*at].text = texts[i];
			grouping->groups[*at].members = -1;
		}
		if (slot > 0)
			rollup_join(grouping->tally, rollup_entry(grouping->tally, 0, 0, *at), entries[i]);
		(again ? rollup_join : move_entry)(grouping->tally, rollup_entry(grouping->tally, slot, 0, *at),
		                                   entries[i]);
	}
}

static int
compare_texts(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return (b != NULL) - (a != NULL);
	return strcmp(a, b);
}

static int
by_count(const void *a, const void *b)
{
	const Shown *left = a;
	const Shown *right = b;

	if (left->counts[0] != right->counts[0])
		return left->counts[0] < right->counts[0] ? 1 : -1;
	return compare_texts(left->text, right->text);
}

static int
by_bound(const void *a, const void *b)
{
	const Shown *left = a;
	const Shown *right = b;

	return (left->whole->at_most < right->whole->at_most) - (left->whole->at_most > right->whole->at_most);
}

static int
by_members(const void *a, const void *b)
{
	const Shown *left = a;
	const Shown *right = b;

	if (left->members != right->members)
		return left->members < right->members ? 1 : -1;
	return by_count(a, b);
}

/* Put the first ones first; returns how many are shown. */
static int
rank(const Question *question, Shown *groups, int n)
{
	int best = 0;

	if (!question->by_members)
	{
		qsort(groups, n, sizeof(Shown), by_count);
		return question->top == 0 ? n : Min(n, question->top);
	}
	qsort(groups, n, sizeof(Shown), by_bound);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (question->top > 0 && best == question->top && groups[i].whole->at_most < groups[best - 1].members)
			break;
		groups[i].members = rollup_count_members(groups[i].whole);
		/* the best so far stand first, in their order */
		if (question->top > 0)
		{
			Shown one = groups[i];
			int at = best < question->top ? best : best - 1;

			if (best == question->top && by_members(&one, &groups[at]) > 0)
				continue;
			groups[i] = groups[at];
			if (best < question->top)
				best++;
			for (; at > 0 && by_members(&one, &groups[at - 1]) < 0; at--)
				groups[at] = groups[at - 1];
			groups[at] = one;
		}
	}
	if (question->top > 0)
		return best;
	qsort(groups, n, sizeof(Shown), by_members);
	return n;
}

static void
put_row(const Grouping *grouping, int slot, const Shown *shown, const LaEntry *entry, int64 members)
{
	const Question *question = grouping->question;
	int ncounts = rollup_ncounts(grouping->asked->dimension);
	Datum counts[LA_COUNTS];
	Datum values[5];
	bool nulls[5] = {false};

	for (int k = 0; k < ncounts; k++)
		counts[k] = Int64GetDatum(entry->counts[k]);
	values[0] = CStringGetTextDatum(grouping->asked->name);
	values[1] = Int32GetDatum(slot);
	nulls[2] = shown->text == NULL;
	values[2] = nulls[2] ? 0 : CStringGetTextDatum(shown->text);
	values[3] = PointerGetDatum(construct_array(counts, ncounts, INT8OID, 8, true, TYPALIGN_DOUBLE));
	nulls[4] = !question->uniques || !rollup_has_set(grouping->asked->dimension);
	values[4] = Int64GetDatum(members);
	tuplestore_putvalues(question->result->setResult, question->result->setDesc, values, nulls);
}

static void
put_groups(Grouping *grouping)
{
	const Question *question = grouping->question;
	int nentries = 0;
	LaEntry **entries = question->nslots == 1 ? NULL : rollup_entries(grouping->tally, &nentries);
	int *rank_of = palloc(Max(grouping->n, 1) * sizeof(int));
	int shown;

	for (int i = 0; i < grouping->n; i++)
	{
		LaEntry *whole = rollup_entry(grouping->tally, 0, 0, i);

		grouping->groups[i].whole = whole;
		memcpy(grouping->groups[i].counts, whole->counts, sizeof whole->counts);
	}
	shown = rank(question, grouping->groups, grouping->n);
	for (int i = 0; i < grouping->n; i++)
		rank_of[rollup_value(grouping->groups[i].whole)] = i < shown ? i : -1;
	for (int i = 0; i < shown; i++)
	{
		Shown *one = &grouping->groups[i];

		if (one->members < 0 && question->uniques)
			one->members = rollup_count_members(one->whole);
		put_row(grouping, 0, one, one->whole, one->members);
	}
	for (int i = grouping->n; i < nentries; i++) /* those of slot 0 stand first */
	{
		int of = rank_of[rollup_value(entries[i])];

		CHECK_FOR_INTERRUPTS();
		if (of >= 0)
			put_row(grouping, rollup_slot(entries[i]), &grouping->groups[of], entries[i],
			        question->uniques ? rollup_count_members(entries[i]) : 0);
	}
}

/* Robots' entries count as everybody's. */
static void
join_robots(LaTally *tally)
{
	int n;
	LaEntry **entries = rollup_entries_of(tally, ~UINT64CONST(0), &n);
	LaEntry *robots = palloc(Max(n, 1) * sizeof(LaEntry));
	int nrobots = 0;

	for (int i = 0; i < n; i++)
		if (rollup_dimension(entries[i]) > LA_ROBOTS)
			robots[nrobots++] = *entries[i];
	for (int i = 0; i < nrobots; i++)
		move_entry(tally,
		           rollup_entry(tally, rollup_slot(&robots[i]), rollup_dimension(&robots[i]) - LA_ROBOTS,
		                        rollup_value(&robots[i])),
		           &robots[i]);
	pfree(entries);
}

static void
answer_dimension(const Question *question, LaTally *tally, LaAsked *asked, bool again)
{
	Grouping grouping = {.question = question, .asked = asked, .tally = rollup_tally(0)};
	int n;
	LaEntry **entries = rollup_entries_of(tally, LA_BIT(asked->dimension), &n);

	group(&grouping, asked, entries, n, again);
	put_groups(&grouping);
}

/* The texts of an array without nulls. */
static char **
texts_of(ArrayType *array, int *n)
{
	Datum *datums;
	char **texts;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &datums, NULL, n);
	texts = palloc(Max(*n, 1) * sizeof(char *));
	for (int i = 0; i < *n; i++)
		texts[i] = TextDatumGetCString(datums[i]);
	return texts;
}

static TimestampTz *
bounds_of(ArrayType *array, int *nslots)
{
	Datum *datums;
	TimestampTz *bounds;
	int n;

	deconstruct_array(array, TIMESTAMPTZOID, 8, true, TYPALIGN_DOUBLE, &datums, NULL, &n);
	bounds = palloc(Max(n, 1) * sizeof(TimestampTz));
	for (int i = 0; i < n; i++)
	{
		bounds[i] = DatumGetTimestampTz(datums[i]);
		if (i > 0 && bounds[i] <= bounds[i - 1])
			ereport(
			    ERROR,
			    (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("bounds must ascend"),
			     errhint("Slot n is from the n-th bound to the one behind it, which is not part of it.")));
	}
	if (n < 2 || n > 1000001)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("there must be 2 to 1000001 bounds, not %d", n),
		         errhint("Slot n is from the n-th bound to the one behind it, which is not part of it.")));
	*nslots = n - 1;
	return bounds;
}

LA_FUNCTION(la_rollup_answer)
{
	Question question = {.workspace = PG_GETARG_INT32(0)};
	int nasked;
	char **names = texts_of(PG_GETARG_ARRAYTYPE_P(1), &nasked);
	LaDimensions wanted = 0;
	LaGather gather;
	LaTally *tally;

	InitMaterializedSRF(fcinfo, 0);
	question.result = (ReturnSetInfo *) fcinfo->resultinfo;
	question.bounds = bounds_of(PG_GETARG_ARRAYTYPE_P(2), &question.nslots);
	question.robots = PG_GETARG_BOOL(4);
	question.uniques = PG_GETARG_BOOL(5);
	question.top = PG_GETARG_INT32(6);
	question.by_members = PG_GETARG_BOOL(7) && question.uniques;
	question.none = texts_of(PG_GETARG_ARRAYTYPE_P(8), &question.nnone);
	question.only = texts_of(PG_GETARG_ARRAYTYPE_P(9), &question.nonly);
	for (int i = 0; i < nasked; i++)
	{
		LaDimension dimension = rollup_asked(names[i])->dimension;

		wanted |= LA_BIT(dimension);
		if (question.robots)
			wanted |= (LA_BIT(dimension) << LA_ROBOTS) & rollup_all();
	}
	gather = (LaGather){.workspace = question.workspace,
	                    .bounds = question.bounds,
	                    .nslots = question.nslots,
	                    .now = PG_GETARG_TIMESTAMPTZ(3),
	                    .with_tail = true,
	                    .with_sets = question.uniques,
	                    .coarsest = 'm'};
	SPI_connect();
	tally = rollup_tally(wanted);
	rollup_gather(&gather, tally);
	rollup_tell_moved(&gather);
	if (question.robots)
		join_robots(tally);
	for (int i = 0; i < nasked; i++)
	{
		LaAsked *asked = rollup_asked(names[i]);
		bool again = false;

		for (int k = i + 1; k < nasked; k++)
			again |= rollup_asked(names[k])->dimension == asked->dimension;
		answer_dimension(&question, tally, asked, again);
	}
	SPI_finish();
	return (Datum) 0;
}
