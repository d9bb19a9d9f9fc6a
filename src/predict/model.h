/*
 * A model: its terms, and which of them a lead has. Private to this room.
 *
 * A lead is a vector of numbers and a vector of words in the order of leadanalytics.prediction_features();
 *NaN and NULL: not known. Of each feature it has one term at most:
 *
 *	number	known: (x - mean) / scale; not known: the feature's missing term, x = 1
 *	word	one of the model's words: its term; another: the feature's other term; not known: its missing
 *term; x = 1
 *
 * A term that the model does not have weighs nothing. The log-odds of a lead are the intercept and the sum of
 * weight * x over its terms, added in the order of the features: the same lead has the same ones to the bit.
 */
#ifndef LA_PREDICT_MODEL_H
#define LA_PREDICT_MODEL_H

#define LA_PREDICT_FEATURES 64 /* more than there are */

typedef struct LaTerm
{
	char part;   /* i, n, m, w, o: see leadanalytics.prediction_weight */
	int feature; /* from 0: numbers, then words; of the intercept -1 */
	char *word;  /* of part w, else NULL */
	double mean;
	double scale;
	double weight;
} LaTerm;

typedef struct LaWord
{
	char *word;
	char status; /* of the hash */
	int term;    /* in a model */
	int leads;   /* in a sample: how many have it */
} LaWord;

#define SH_PREFIX la_words
#define SH_ELEMENT_TYPE LaWord
#define SH_KEY_TYPE char *
#define SH_SCOPE extern
#define SH_DECLARE
#include "lib/simplehash.h"

typedef struct LaModel
{
	int nnumbers;
	int nwords;
	int nterms;
	LaTerm *terms;                             /* the first is the intercept */
	int value[LA_PREDICT_FEATURES];            /* a feature's term of part n, 0: none; */
	int missing[LA_PREDICT_FEATURES];          /* of m; */
	int other[LA_PREDICT_FEATURES];            /* of o; */
	la_words_hash *words[LA_PREDICT_FEATURES]; /* those of w */
} LaModel;

typedef struct LaHas
{
	int term;
	double x;
} LaHas;

/* A model of these terms, which must outlive it, in the current memory context. */
extern LaModel *la_predict_model(int nnumbers, int nwords, LaTerm *terms, int nterms);

/* The terms of a lead but the intercept, in the order of the features; returns how many. */
extern int la_predict_terms(const LaModel *model, const double *numbers, char *const *words, LaHas *has);

extern double la_predict_log_odds(const LaModel *model, const double *numbers, char *const *words);

extern double la_predict_probability(double log_odds);

/* A lead out of a float8[] and a text[]; returns how many numbers there are, and words. */
extern void la_predict_read(Datum numbers, Datum words, double *number, int *nnumbers, char **word,
                            int *nwords);

#endif
