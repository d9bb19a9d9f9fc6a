/*
 * How well probabilities told what happened; the contract is in metrics.h.
 *
 * The area under the ROC curve is the Mann-Whitney statistic: J. A. Hanley and B. J. McNeil, "The Meaning and
 * Use of the Area under a Receiver Operating Characteristic (ROC) Curve", Radiology 143 (1982), 29-36.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"

#include "core/export.h"
#include "predict/metrics.h"

#define LEAST 1e-15 /* a probability in a logarithm */

static int
by_probability(const void *a, const void *b)
{
	const LaTold *x = a;
	const LaTold *y = b;

	if (x->probability != y->probability)
		return x->probability < y->probability ? -1 : 1;
	return (int) x->happened - (int) y->happened;
}

static double
area(const LaTold *told, int n)
{
	double ranks = 0; /* of those that happened: the sum of their places, of equals the middle one */
	double positives = 0;

	for (int from = 0, to; from < n; from = to)
	{
		int happened = 0;

		for (to = from; to < n && told[to].probability == told[from].probability; to++)
			happened += told[to].happened;
		ranks += happened * ((from + 1 + to) / 2.0);
		positives += happened;
	}
	return (ranks - positives * (positives + 1) / 2) / (positives * (n - positives));
}

static double
logarithm(double probability)
{
	return log(Max(probability, LEAST));
}

void
la_predict_measure(LaTold *told, int n, LaMetrics *metrics)
{
	double loss = 0;
	double squares = 0;

	memset(metrics, 0, sizeof *metrics);
	qsort(told, n, sizeof *told, by_probability);
	for (int i = 0; i < n; i++)
	{
		int bin = (int) ((int64) i * LA_PREDICT_BINS / n);

		loss -= logarithm(told[i].happened ? told[i].probability : 1 - told[i].probability);
		squares += pow(told[i].probability - told[i].happened, 2);
		metrics->bins[bin].predicted += told[i].probability;
		metrics->bins[bin].observed += told[i].happened;
		metrics->bins[bin].n++;
	}
	metrics->auc = area(told, n);
	metrics->log_loss = loss / n;
	metrics->brier = squares / n;
	for (int bin = 0; bin < LA_PREDICT_BINS; bin++)
		if (metrics->bins[bin].n > 0)
		{
			metrics->bins[bin].predicted /= metrics->bins[bin].n;
			metrics->bins[bin].observed /= metrics->bins[bin].n;
		}
}

/* leadanalytics.prediction_metrics(probabilities float8[], happened boolean[]) */
LA_FUNCTION(la_predict_metrics)
{
	Datum *probabilities;
	Datum *happened;
	bool *nulls[2];
	int n[2];
	LaTold *told;
	LaMetrics metrics;
	Datum predicted[LA_PREDICT_BINS];
	Datum observed[LA_PREDICT_BINS];
	Datum counts[LA_PREDICT_BINS];
	Datum values[6];
	bool none[6] = {false};
	TupleDesc row;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
	                  &probabilities, &nulls[0], &n[0]);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), BOOLOID, 1, true, TYPALIGN_CHAR, &happened, &nulls[1], &n[1]);
	if (n[0] != n[1] || n[0] == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		                errmsg("there must be as many outcomes as probabilities, and one at least")));
	told = palloc(n[0] * sizeof *told);
	for (int i = 0; i < n[0]; i++)
	{
		if (nulls[0][i] || nulls[1][i] || !(DatumGetFloat8(probabilities[i]) >= 0) ||
		    !(DatumGetFloat8(probabilities[i]) <= 1))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			                errmsg("a probability is 0 to 1, an outcome true or false")));
		told[i].probability = DatumGetFloat8(probabilities[i]);
		told[i].happened = DatumGetBool(happened[i]);
	}
	la_predict_measure(told, n[0], &metrics);
	for (int bin = 0; bin < LA_PREDICT_BINS; bin++)
	{
		predicted[bin] = Float8GetDatum(metrics.bins[bin].predicted);
		observed[bin] = Float8GetDatum(metrics.bins[bin].observed);
		counts[bin] = Int32GetDatum(metrics.bins[bin].n);
	}
	values[0] = Float8GetDatum(metrics.auc);
	none[0] = isnan(metrics.auc);
	values[1] = Float8GetDatum(metrics.log_loss);
	values[2] = Float8GetDatum(metrics.brier);
	values[3] = PointerGetDatum(construct_array(predicted, LA_PREDICT_BINS, FLOAT8OID, sizeof(float8),
	                                            FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[4] = PointerGetDatum(construct_array(observed, LA_PREDICT_BINS, FLOAT8OID, sizeof(float8),
	                                            FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	values[5] =
	    PointerGetDatum(construct_array(counts, LA_PREDICT_BINS, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, none)));
}
