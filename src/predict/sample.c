/*
 * Leads to learn from, and the terms to learn; the contract is in sample.h.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "predict/sample.h"

#define MOST_WORDS 30    /* a feature has as terms; */
#define FEWEST_LEADS 20  /* have a word that is one, */
#define FEWEST_SHARE 200 /* and one of so many of all */

static LaQuery examples = {"SELECT e.fold, e.converted, e.numbers, e.words "
                           "FROM leadanalytics.prediction_examples($1, $2, $3) e ORDER BY e.lead",
                           3,
                           {INT4OID, INTERVALOID, TIMESTAMPTZOID}};

static void *
grown(void *array, Size size)
{
	return array ? repalloc_huge(array, size) : MemoryContextAllocHuge(CurrentMemoryContext, size);
}

static void
make_room(LaSample *sample)
{
	sample->room = Max(1024, sample->room * 2);
	sample->numbers = grown(sample->numbers, sample->room * sample->nnumbers * sizeof(double));
	sample->words = grown(sample->words, sample->room * sample->nwords * sizeof(char *));
	sample->happened = grown(sample->happened, sample->room * sizeof(bool));
	sample->folds = grown(sample->folds, sample->room * sizeof(uint8));
}

static char *
interned(LaSample *sample, int feature, char *word)
{
	bool found;
	LaWord *known;

	if (word == NULL)
		return NULL;
	if (sample->dictionary[feature] == NULL)
		sample->dictionary[feature] = la_words_create(CurrentMemoryContext, 64, NULL);
	known = la_words_insert(sample->dictionary[feature], word, &found);
	if (!found)
	{
		known->word = pstrdup(word);
		known->leads = 0;
	}
	known->leads++;
	return known->word;
}

static void
take_example(TupleTableSlot *slot, void *arg)
{
	LaSample *sample = arg;
	double numbers[LA_PREDICT_FEATURES];
	char *words[LA_PREDICT_FEATURES];
	MemoryContext before = MemoryContextSwitchTo(sample->row);

	la_predict_read(slot->tts_values[2], slot->tts_values[3], numbers, &sample->nnumbers, words,
	                &sample->nwords);
	MemoryContextSwitchTo(before);
	if (sample->n >= sample->room)
		make_room(sample);
	for (int i = 0; i < sample->nnumbers; i++)
		sample->numbers[(int64) sample->n * sample->nnumbers + i] = numbers[i];
	for (int i = 0; i < sample->nwords; i++)
		sample->words[(int64) sample->n * sample->nwords + i] = interned(sample, i, words[i]);
	sample->folds[sample->n] = DatumGetInt32(slot->tts_values[0]) % LA_PREDICT_FOLDS;
	sample->happened[sample->n] = DatumGetBool(slot->tts_values[1]);
	sample->converted += sample->happened[sample->n];
	sample->n++;
	MemoryContextReset(sample->row);
}

LaSample *
la_predict_sample(int workspace, Interval *horizon, TimestampTz now)
{
	Datum values[] = {Int32GetDatum(workspace), IntervalPGetDatum(horizon), TimestampTzGetDatum(now)};
	LaSample *sample = palloc0(sizeof(LaSample));

	sample->row = AllocSetContextCreate(CurrentMemoryContext, "leadanalytics lead", ALLOCSET_SMALL_SIZES);
	la_query_each(&examples, values, NULL, take_example, sample);
	return sample;
}

static LaTerm *
add_term(LaTerm *terms, int *nterms, char part, int feature, double mean, double scale)
{
	LaTerm *term = &terms[(*nterms)++];

	term->part = part;
	term->feature = feature;
	term->mean = mean;
	term->scale = scale;
	return term;
}

/* Two passes: the difference of two large sums would tell little of a small spread. */
static void
lay_number(const LaSample *sample, int feature, LaTerm *terms, int *nterms)
{
	double sum = 0;
	double squares = 0;
	int known = 0;

	for (int i = 0; i < sample->n; i++)
	{
		double x = sample->numbers[(int64) i * sample->nnumbers + feature];

		if (!isnan(x))
		{
			sum += x;
			known++;
		}
	}
	if (known == 0)
		return;
	for (int i = 0; i < sample->n; i++)
	{
		double x = sample->numbers[(int64) i * sample->nnumbers + feature];

		if (!isnan(x))
			squares += (x - sum / known) * (x - sum / known);
	}
	if (squares / known > 1e-12)
		add_term(terms, nterms, 'n', feature, sum / known, sqrt(squares / known));
	if (known < sample->n)
		add_term(terms, nterms, 'm', feature, 0, 1);
}

static int
by_leads(const void *a, const void *b)
{
	const LaWord *x = *(LaWord *const *) a;
	const LaWord *y = *(LaWord *const *) b;

	return x->leads != y->leads ? (x->leads > y->leads ? -1 : 1) : strcmp(x->word, y->word);
}

/* The mean of a word's term is the share that has it: weights are made relative to it when they are known. */
static void
lay_words(const LaSample *sample, int word, LaTerm *terms, int *nterms)
{
	int feature = sample->nnumbers + word;
	la_words_hash *dictionary = sample->dictionary[word];
	LaWord **words;
	la_words_iterator at;
	int fewest = Max(FEWEST_LEADS, sample->n / FEWEST_SHARE);
	int n = 0;
	int rest = 0;
	int known = 0;

	if (dictionary == NULL)
		return;
	words = palloc_extended(dictionary->members * sizeof *words, MCXT_ALLOC_HUGE);
	la_words_start_iterate(dictionary, &at);
	for (LaWord *entry; (entry = la_words_iterate(dictionary, &at)) != NULL;)
	{
		words[n++] = entry;
		known += entry->leads;
	}
	qsort(words, n, sizeof *words, by_leads);
	if (words[0]->leads == sample->n) /* all the same */
		return;
	for (int i = 0; i < n; i++)
		if (i < MOST_WORDS && words[i]->leads >= fewest)
			add_term(terms, nterms, 'w', feature, (double) words[i]->leads / sample->n, 1)->word =
			    words[i]->word;
		else
			rest += words[i]->leads;
	if (rest > 0 && rest < sample->n)
		add_term(terms, nterms, 'o', feature, (double) rest / sample->n, 1);
	if (known < sample->n)
		add_term(terms, nterms, 'm', feature, (double) (sample->n - known) / sample->n, 1);
}

LaTerm *
la_predict_layout(const LaSample *sample, int *nterms)
{
	LaTerm *terms = palloc0((1 + 2 * sample->nnumbers + (MOST_WORDS + 2) * sample->nwords) * sizeof(LaTerm));

	*nterms = 0;
	add_term(terms, nterms, 'i', -1, 0, 1);
	for (int i = 0; i < sample->nnumbers; i++)
		lay_number(sample, i, terms, nterms);
	for (int i = 0; i < sample->nwords; i++)
		lay_words(sample, i, terms, nterms);
	return terms;
}
