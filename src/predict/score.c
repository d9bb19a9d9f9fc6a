/*
 * What a stored model says of a lead: leadanalytics.prediction_log_odds(). The model is read once a
 * statement.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/error.h"
#include "core/export.h"
#include "core/query.h"
#include "predict/model.h"

typedef struct Loaded
{
	int workspace;
	int version;
	MemoryContext context;
	LaModel *model;
} Loaded;

static LaQuery weights = {
    "SELECT w.part, coalesce(f.place, -1), w.word, w.mean, w.scale, w.weight "
    "FROM leadanalytics.prediction_weight w "
    "LEFT JOIN leadanalytics.prediction_features() f ON f.name = w.feature "
    "WHERE w.workspace = $1 AND w.version = $2 AND (w.part = 'i' OR f.name IS NOT NULL) "
    "ORDER BY w.number",
    2,
    {INT4OID, INT4OID}};

static LaModel *
load(int workspace, int version, int nnumbers, int nwords)
{
	Datum values[] = {Int32GetDatum(workspace), Int32GetDatum(version)};
	LaModel *model;
	LaTerm *terms;
	uint64 n;
	bool isnull;

	SPI_connect();
	n = la_query_run(&weights, values, NULL, true, 0);
	if (n == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
		                errmsg("workspace %d has no model %d", workspace, version),
		                errhint("See leadanalytics.prediction_models.")));
	terms = SPI_palloc(n * sizeof *terms);
	for (uint64 row = 0; row < n; row++)
	{
		terms[row].part = DatumGetChar(la_query_value(row, 1, &isnull));
		terms[row].feature = DatumGetInt32(la_query_value(row, 2, &isnull));
		terms[row].word = la_query_text(row, 3);
		terms[row].mean = DatumGetFloat8(la_query_value(row, 4, &isnull));
		terms[row].scale = DatumGetFloat8(la_query_value(row, 5, &isnull));
		terms[row].weight = DatumGetFloat8(la_query_value(row, 6, &isnull));
		if (terms[row].feature >= nnumbers + nwords || (terms[row].part == 'i') != (row == 0))
			elog(ERROR, "model %d of workspace %d is of other features", version, workspace);
	}
	SPI_finish();
	model = la_predict_model(nnumbers, nwords, terms, (int) n);
	return model;
}

/* leadanalytics.prediction_log_odds(workspace int, version int, numbers float8[], words text[]) */
LA_FUNCTION(la_predict_log_odds_of)
{
	Loaded *loaded = fcinfo->flinfo->fn_extra;
	double numbers[LA_PREDICT_FEATURES];
	char *words[LA_PREDICT_FEATURES];
	int nnumbers;
	int nwords;

	la_predict_read(PG_GETARG_DATUM(2), PG_GETARG_DATUM(3), numbers, &nnumbers, words, &nwords);
	if (loaded == NULL)
	{
		loaded = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof *loaded);
		loaded->context =
		    AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "leadanalytics model", ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = loaded;
	}
	if (loaded->model == NULL || loaded->workspace != PG_GETARG_INT32(0) ||
	    loaded->version != PG_GETARG_INT32(1) || loaded->model->nnumbers != nnumbers ||
	    loaded->model->nwords != nwords)
	{
		MemoryContext before;

		loaded->model = NULL;
		MemoryContextReset(loaded->context);
		before = MemoryContextSwitchTo(loaded->context);
		loaded->model = load(PG_GETARG_INT32(0), PG_GETARG_INT32(1), nnumbers, nwords);
		MemoryContextSwitchTo(before);
		loaded->workspace = PG_GETARG_INT32(0);
		loaded->version = PG_GETARG_INT32(1);
	}
	PG_RETURN_FLOAT8(la_predict_log_odds(loaded->model, numbers, words));
}
