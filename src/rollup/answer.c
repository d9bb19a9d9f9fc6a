/*
 * leadanalytics.answer(): counts and distinct members of dimensions' values, over a range and its stretches.
 *
 * Values of the dictionary become texts, and those with one text are one. Members are counted for the values
 * that are shown, and only for them (rank.c).
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
	bool taken; /* there is nothing else */
	ReturnSetInfo *result;
} Question;

typedef struct Grouping
{
	const Question *question;
	const LaAsked *asked;
	LaTally *tally; /* (slot, 0, group) */
	LaShown *groups;
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
			texts[i] = asked->is_number ? psprintf("%d", values[i]) : NULL;
	grouping->groups = palloc0(Max(n, 1) * sizeof(LaShown));
	for (int i = 0; i < n; i++)
	{
		bool found;
		int *at;
		int slot = question->nslots == 1 ? 0 : rollup_slot(entries[i]) + 1;
		LaEntry *to;

		if (texts[i] == NULL && asked->texts_only)
			continue;
		if (among(question->none, question->nnone, texts[i]))
			texts[i] = NULL;
		if (question->nonly > 0 &&
		    (texts[i] == NULL || (!question->taken && !among(question->only, question->nonly, texts[i]))))
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
			rollup_copy_entry(grouping->tally, rollup_entry(grouping->tally, 0, 0, *at), entries[i]);
		to = rollup_entry(grouping->tally, slot, 0, *at);
		if (again)
			rollup_copy_entry(grouping->tally, to, entries[i]);
		else
			rollup_move_entry(grouping->tally, to, entries[i]);
	}
}

static void
put_row(const Grouping *grouping, int slot, const LaShown *shown, const LaEntry *entry, int64 members)
{
	const Question *question = grouping->question;
	Datum values[5];
	bool nulls[5] = {false};

	values[0] = CStringGetTextDatum(grouping->asked->name);
	values[1] = Int32GetDatum(slot);
	nulls[2] = shown->text == NULL;
	values[2] = nulls[2] ? 0 : CStringGetTextDatum(shown->text);
	values[3] = la_query_array(entry->counts, rollup_ncounts(grouping->asked->dimension), INT8OID);
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
	shown = rollup_rank(grouping->groups, grouping->n, question->top, question->by_members);
	for (int i = 0; i < grouping->n; i++)
		rank_of[rollup_value(grouping->groups[i].whole)] = i < shown ? i : -1;
	for (int i = 0; i < shown; i++)
	{
		LaShown *one = &grouping->groups[i];

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
		rollup_move_entry(tally,
		                  rollup_entry(tally, rollup_slot(&robots[i]),
		                               rollup_dimension(&robots[i]) - LA_ROBOTS, rollup_value(&robots[i])),
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

/* What is asked for by number is found by number: the rest is not even counted. */
static void
take_numbers(Question *question, LaTally *tally)
{
	int *values = palloc(question->nonly * sizeof(int));
	int n = 0;

	for (int i = 0; i < question->nonly; i++)
	{
		int value = strtol(question->only[i], NULL, 10);

		if (strcmp(psprintf("%d", value), question->only[i]) == 0) /* as it would be shown */
			values[n++] = value;
	}
	rollup_take_only(tally, values, n);
	question->taken = true;
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
	if (nasked == 1 && rollup_asked(names[0])->is_number && question.nonly > 0)
		take_numbers(&question, tally);
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
