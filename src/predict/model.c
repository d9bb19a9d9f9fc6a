/*
 * A model in memory; the contract is in model.h.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "predict/model.h"

#define SH_PREFIX la_words
#define SH_ELEMENT_TYPE LaWord
#define SH_KEY_TYPE char *
#define SH_KEY word
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key), strlen(key))
#define SH_EQUAL(table, a, b) (strcmp((a), (b)) == 0)
#define SH_SCOPE extern
#define SH_DEFINE
#include "lib/simplehash.h"

LaModel *
la_predict_model(int nnumbers, int nwords, LaTerm *terms, int nterms)
{
	LaModel *model = palloc0(sizeof(LaModel));

	model->nnumbers = nnumbers;
	model->nwords = nwords;
	model->nterms = nterms;
	model->terms = terms;
	for (int i = 1; i < nterms; i++)
	{
		const LaTerm *term = &terms[i];
		bool found;

		switch (term->part)
		{
			case 'n':
				model->value[term->feature] = i;
				break;
			case 'm':
				model->missing[term->feature] = i;
				break;
			case 'o':
				model->other[term->feature] = i;
				break;
			default:
				if (model->words[term->feature] == NULL)
					model->words[term->feature] = la_words_create(CurrentMemoryContext, 16, NULL);
				la_words_insert(model->words[term->feature], term->word, &found)->term = i;
		}
	}
	return model;
}

static int
word_term(const LaModel *model, int feature, char *word)
{
	LaWord *known;

	if (word == NULL)
		return model->missing[feature];
	known = model->words[feature] ? la_words_lookup(model->words[feature], word) : NULL;
	return known ? known->term : model->other[feature];
}

int
la_predict_terms(const LaModel *model, const double *numbers, char *const *words, LaHas *has)
{
	int n = 0;

	for (int i = 0; i < model->nnumbers; i++)
	{
		int term = isnan(numbers[i]) ? model->missing[i] : model->value[i];

		if (term == 0)
			continue;
		has[n].term = term;
		has[n].x = isnan(numbers[i]) ? 1 : (numbers[i] - model->terms[term].mean) / model->terms[term].scale;
		n++;
	}
	for (int i = 0; i < model->nwords; i++)
	{
		int term = word_term(model, model->nnumbers + i, words[i]);

		if (term == 0)
			continue;
		has[n].term = term;
		has[n].x = 1;
		n++;
	}
	return n;
}

double
la_predict_log_odds(const LaModel *model, const double *numbers, char *const *words)
{
	LaHas has[LA_PREDICT_FEATURES];
	int n = la_predict_terms(model, numbers, words, has);
	double sum = model->terms[0].weight;

	for (int i = 0; i < n; i++)
		sum += model->terms[has[i].term].weight * has[i].x;
	return sum;
}

double
la_predict_probability(double log_odds)
{
	return 1 / (1 + exp(-log_odds));
}

void
la_predict_read(Datum numbers, Datum words, double *number, int *nnumbers, char **word, int *nwords)
{
	Datum *values;
	bool *nulls;

	deconstruct_array(DatumGetArrayTypeP(numbers), FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL,
	                  TYPALIGN_DOUBLE, &values, &nulls, nnumbers);
	if (*nnumbers > LA_PREDICT_FEATURES)
		elog(ERROR, "too many features");
	for (int i = 0; i < *nnumbers; i++)
		number[i] = nulls[i] ? NAN : DatumGetFloat8(values[i]);
	deconstruct_array(DatumGetArrayTypeP(words), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, nwords);
	if (*nwords + *nnumbers > LA_PREDICT_FEATURES)
		elog(ERROR, "too many features");
	for (int i = 0; i < *nwords; i++)
		word[i] = nulls[i] ? NULL : TextDatumGetCString(values[i]);
}
