/*
 * How well probabilities told what happened.
 */
#ifndef LA_PREDICT_METRICS_H
#define LA_PREDICT_METRICS_H

#define LA_PREDICT_BINS 10

typedef struct LaTold
{
	double probability;
	bool happened;
} LaTold;

typedef struct LaMetrics
{
	double auc; /* of one that happened and one that did not, how often the first had the higher probability;
	               ties are halves */
	double
	    log_loss; /* mean of -ln(the probability of what became of it), which counts as 1e-15 at the least */
	double brier; /* mean of (probability - 0 or 1)² */
	struct
	{
		double predicted; /* mean probability */
		double observed;  /* share that happened */
		int n;
	} bins[LA_PREDICT_BINS]; /* tenths by probability, as equal in number as can be; those with n = 0 come
	                            last */
} LaMetrics;

/* Sorts told by probability. NaN where there is nothing to tell: no lead, or (auc) of one kind only. */
extern void la_predict_measure(LaTold *told, int n, LaMetrics *metrics);

#endif
