/*
 * Leads whose end is known: what models learn from. Private to this room.
 */
#ifndef LA_PREDICT_SAMPLE_H
#define LA_PREDICT_SAMPLE_H

#include "datatype/timestamp.h"

#include "predict/model.h"

#define LA_PREDICT_FOLDS 5

typedef struct LaSample
{
	int n;
	int converted;
	int nnumbers;
	int nwords;
	double *numbers; /* n * nnumbers */
	char **words;    /* n * nwords; equal ones of a feature are one pointer */
	bool *happened;
	uint8 *folds;
	la_words_hash *dictionary[LA_PREDICT_FEATURES]; /* of each word feature, by its number among the words */
	/* while it is read */
	int64 room;
	MemoryContext row;
} LaSample;

/* The leads of leadanalytics.prediction_examples(), in the order of their ids. SPI connected. */
extern LaSample *la_predict_sample(int workspace, Interval *horizon, TimestampTz now);

/*
 * The terms that a model of such leads has, with means and scales and no weights. A number has one unless all
 * are the same; words that are rare share one; what somebody lacks is one. They are chosen without a look at
 * who converted.
 */
extern LaTerm *la_predict_layout(const LaSample *sample, int *nterms);

#endif
