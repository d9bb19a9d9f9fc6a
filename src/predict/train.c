/*
 * Learning who converts: leadanalytics.fit_prediction().
 *
 *	leadanalytics.prediction_examples() ─▶ sample ─▶ terms ─▶ liblinear ─▶ weights
 *	                                                  └─ 5 times without a fifth ─▶ metrics of that fifth
 *
 * L2-regularised logistic regression (liblinear's solver 0, R.-E. Fan et al., "LIBLINEAR: A Library for Large
 * Linear Classification", JMLR 9 (2008), 1871-1874). That solver draws no random numbers, leads come in the
 * order of their ids and their folds are of their ids: the same leads make the same model.
 *
 * liblinear knows nothing of us: what it allocates is malloc'd, so between train() and freeing its model
 * nothing of ours may raise an error, and it cannot be interrupted: we look between the trainings, which are
 * short.
 */
#include "postgres.h"

#include <math.h>
#include <linear.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "core/query.h"
#include "predict/metrics.h"
#include "predict/sample.h"

/*
 * The intercept is a weight like others to liblinear, and kept small like others. Its x is so large that this
 * costs nothing.
 */
#define INTERCEPT_X 10.0

/* With many leads the size of weights hardly matters, and trainings take long: then the last one alone. */
static const double costs[] = {0.01, 0.1, 1};
#define MANY_LEADS 20000

typedef struct Trainer
{
	const LaSample *sample;
	LaModel *model;
	struct feature_node **leads; /* the terms of each, 1 to nterms - 1, then the intercept's as nterms */
	struct feature_node **x;     /* of a training */
	double *y;
	double *weights; /* of the last training, by term */
} Trainer;

static void
say_nothing(const char *text)
{
}

static void
write_leads(Trainer *trainer)
{
	const LaSample *sample = trainer->sample;
	int features = sample->nnumbers + sample->nwords;
	struct feature_node *node =
	    MemoryContextAllocHuge(CurrentMemoryContext, (Size) sample->n * (features + 2) * sizeof *node);

	trainer->leads = palloc_extended(sample->n * sizeof *trainer->leads, MCXT_ALLOC_HUGE);
	trainer->x = palloc_extended(sample->n * sizeof *trainer->x, MCXT_ALLOC_HUGE);
	trainer->y = palloc_extended(sample->n * sizeof *trainer->y, MCXT_ALLOC_HUGE);
	trainer->weights = palloc(trainer->model->nterms * sizeof(double));
	for (int i = 0; i < sample->n; i++)
	{
		LaHas has[LA_PREDICT_FEATURES];
		int n = la_predict_terms(trainer->model, &sample->numbers[(int64) i * sample->nnumbers],
		                         &sample->words[(int64) i * sample->nwords], has);

		trainer->leads[i] = node;
		for (int j = 0; j < n; j++, node++)
		{
			node->index = has[j].term;
			node->value = has[j].x;
		}
		node->index = trainer->model->nterms;
		node->value = INTERCEPT_X;
		node++;
		node->index = -1;
		node++;
	}
}

/* Learn from the leads of all folds but one (-1: of all). */
static void
learn(Trainer *trainer, int but, double cost)
{
	const LaSample *sample = trainer->sample;
	struct problem problem = {.n = trainer->model->nterms, .y = trainer->y, .x = trainer->x, .bias = -1};
	struct parameter how = {.solver_type = L2R_LR, .eps = 0.00001, .C = cost};
	struct model *learned;
	bool is_finite = true;

	for (int i = 0; i < sample->n; i++)
		if (sample->folds[i] != but)
		{
			problem.x[problem.l] = trainer->leads[i];
			problem.y[problem.l] = sample->happened[i] ? 1 : -1;
			problem.l++;
		}
	set_print_string_function(say_nothing);
	learned = train(&problem, &how);
	/* Of the two classes +1 is the first; were there one only, nothing is learned. */
	for (int i = 0; i < trainer->model->nterms; i++)
	{
		double weight = learned->nr_class == 2 ? learned->w[i == 0 ? trainer->model->nterms - 1 : i - 1] : 0;

		trainer->weights[i] = i == 0 ? weight * INTERCEPT_X : weight;
		is_finite = is_finite && isfinite(weight);
	}
	free_and_destroy_model(&learned);
	CHECK_FOR_INTERRUPTS();
	if (!is_finite)
		elog(ERROR, "the regression did not converge");
}

static double
tell(const Trainer *trainer, int lead)
{
	double sum = trainer->weights[0];

	for (const struct feature_node *node = trainer->leads[lead]; node->index < trainer->model->nterms; node++)
		sum += trainer->weights[node->index] * node->value;
	return la_predict_probability(sum);
}

/* Each lead as a model tells it that has not seen it. */
static void
cross_validate(Trainer *trainer, double cost, LaTold *told, LaMetrics *metrics)
{
	int n = 0;

	for (int fold = 0; fold < LA_PREDICT_FOLDS; fold++)
	{
		learn(trainer, fold, cost);
		for (int i = 0; i < trainer->sample->n; i++)
			if (trainer->sample->folds[i] == fold)
			{
				told[n].probability = tell(trainer, i);
				told[n++].happened = trainer->sample->happened[i];
			}
	}
	la_predict_measure(told, n, metrics);
}

/*
 * A lead has one of a feature's words (or another, or none): what the average lead's adds goes to the
 * intercept, and a word's weight says how it differs from that.
 */
static void
centre(LaModel *model)
{
	for (int feature = model->nnumbers; feature < model->nnumbers + model->nwords; feature++)
	{
		double average = 0;

		for (int i = 1; i < model->nterms; i++)
			if (model->terms[i].feature == feature)
				average += model->terms[i].mean * model->terms[i].weight;
		for (int i = 1; i < model->nterms; i++)
			if (model->terms[i].feature == feature)
			{
				model->terms[i].weight -= average;
				model->terms[i].mean = 0;
			}
		model->terms[0].weight += average;
	}
}

static Datum
doubles(const double *values, int n)
{
	Datum *datums = palloc(n * sizeof(Datum));

	for (int i = 0; i < n; i++)
		datums[i] = Float8GetDatum(values[i]);
	return PointerGetDatum(
	    construct_array(datums, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

enum
{
	LEADS,
	CONVERSIONS,
	COST,
	AUC,
	LOG_LOSS,
	BRIER,
	PREDICTED,
	OBSERVED,
	COUNTS,
	PARTS,
	FEATURES,
	WORDS,
	MEANS,
	SCALES,
	WEIGHTS,
	COLUMNS
};

static void
put_metrics(const LaMetrics *metrics, Datum *values)
{
	double predicted[LA_PREDICT_BINS];
	double observed[LA_PREDICT_BINS];
	double counts[LA_PREDICT_BINS];

	for (int i = 0; i < LA_PREDICT_BINS; i++)
	{
		predicted[i] = metrics->bins[i].predicted;
		observed[i] = metrics->bins[i].observed;
		counts[i] = metrics->bins[i].n;
	}
	values[AUC] = Float8GetDatum(metrics->auc);
	values[LOG_LOSS] = Float8GetDatum(metrics->log_loss);
	values[BRIER] = Float8GetDatum(metrics->brier);
	values[PREDICTED] = doubles(predicted, LA_PREDICT_BINS);
	values[OBSERVED] = doubles(observed, LA_PREDICT_BINS);
	values[COUNTS] = doubles(counts, LA_PREDICT_BINS);
}

static void
put_terms(const LaModel *model, Datum *values)
{
	int n = model->nterms;
	Datum *parts = palloc(n * sizeof(Datum));
	Datum *features = palloc(n * sizeof(Datum));
	Datum *words = palloc(n * sizeof(Datum));
	bool *none = palloc(n * sizeof(bool));
	double *means = palloc(n * sizeof(double));
	double *scales = palloc(n * sizeof(double));
	double *weights = palloc(n * sizeof(double));
	int bounds[] = {1};

	for (int i = 0; i < n; i++)
	{
		parts[i] = CharGetDatum(model->terms[i].part);
		features[i] = Int32GetDatum(model->terms[i].feature);
		none[i] = model->terms[i].word == NULL;
		words[i] = none[i] ? (Datum) 0 : CStringGetTextDatum(model->terms[i].word);
		means[i] = model->terms[i].mean;
		scales[i] = model->terms[i].scale;
		weights[i] = model->terms[i].weight;
	}
	values[PARTS] = PointerGetDatum(construct_array(parts, n, CHAROID, 1, true, TYPALIGN_CHAR));
	values[FEATURES] =
	    PointerGetDatum(construct_array(features, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	values[WORDS] =
	    PointerGetDatum(construct_md_array(words, none, 1, &n, bounds, TEXTOID, -1, false, TYPALIGN_INT));
	values[MEANS] = doubles(means, n);
	values[SCALES] = doubles(scales, n);
	values[WEIGHTS] = doubles(weights, n);
}

static void
fit(const LaSample *sample, Datum *values)
{
	Trainer trainer = {.sample = sample};
	int nterms;
	LaTerm *terms = la_predict_layout(sample, &nterms);
	LaTold *told = palloc_extended(sample->n * sizeof *told, MCXT_ALLOC_HUGE);
	LaMetrics best = {0};
	double cost = 0;

	trainer.model = la_predict_model(sample->nnumbers, sample->nwords, terms, nterms);
	write_leads(&trainer);
	for (int i = sample->n > MANY_LEADS ? lengthof(costs) - 1 : 0; i < lengthof(costs); i++)
	{
		LaMetrics metrics;

		cross_validate(&trainer, costs[i], told, &metrics);
		if (cost == 0 || metrics.log_loss < best.log_loss)
		{
			best = metrics;
			cost = costs[i];
		}
	}
	learn(&trainer, -1, cost);
	for (int i = 0; i < nterms; i++)
		terms[i].weight = trainer.weights[i];
	centre(trainer.model);
	values[COST] = Float8GetDatum(cost);
	put_metrics(&best, values);
	put_terms(trainer.model, values);
}

/* leadanalytics.fit_prediction(workspace int, horizon interval, minimum int, now timestamptz) */
LA_FUNCTION(la_predict_fit)
{
	LaSample *sample;
	Datum values[COLUMNS] = {0};
	bool none[COLUMNS];
	TupleDesc row;
	HeapTuple answer;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(caller, "leadanalytics training", ALLOCSET_DEFAULT_SIZES);

	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE || row->natts != COLUMNS)
		elog(ERROR, "return type must be the row of leadanalytics.fit_prediction()");
	SPI_connect();
	MemoryContextSwitchTo(work); /* what SPI has goes with SPI_finish() */
	sample = la_predict_sample(PG_GETARG_INT32(0), PG_GETARG_INTERVAL_P(1), PG_GETARG_TIMESTAMPTZ(3));
	SPI_finish();
	MemoryContextSwitchTo(work);
	memset(none, true, sizeof none);
	none[LEADS] = none[CONVERSIONS] = false;
	values[LEADS] = Int32GetDatum(sample->n);
	values[CONVERSIONS] = Int32GetDatum(sample->converted);
	if (sample->converted >= PG_GETARG_INT32(2) && sample->n - sample->converted >= PG_GETARG_INT32(2))
	{
		fit(sample, values);
		memset(none, false, sizeof none);
	}
	MemoryContextSwitchTo(caller);
	answer = heap_form_tuple(BlessTupleDesc(row), values, none);
	MemoryContextDelete(work);
	PG_RETURN_DATUM(HeapTupleGetDatum(answer));
}
