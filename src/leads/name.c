/*
 * Which lead is meant by an id of another system; see leads.h, and name.sql for the rule.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/export.h"
#include "core/query.h"
#include "leads/leads.h"

static LaQuery find_ids = {"SELECT leadanalytics.known_leads($1, $2)", 2, {INT4OID, TEXTARRAYOID}};

/* In the order of the names: whoever keeps ids for the same waits, and never in a circle. */
static LaQuery keep_ids = {
    "INSERT INTO leadanalytics.named_lead (workspace, lead_id, id) "
    "SELECT $1, u.name, nextval('leadanalytics.lead_id') FROM unnest($2) WITH ORDINALITY AS u (name, n) "
    "ORDER BY u.n ON CONFLICT DO NOTHING",
    2,
    {INT4OID, TEXTARRAYOID}};

static int
by_bytes(const void *a, const void *b)
{
	const LaLeadName *left = a;
	const LaLeadName *right = b;
	const int order = memcmp(left->text, right->text, Min(left->length, right->length));

	return order != 0 ? order : left->length - right->length;
}

/* Ask for those that have no id. How many have none afterwards. */
static int
run(LaQuery *query, int workspace, LaLeadName *names, int n)
{
	Datum *texts = palloc(n * sizeof *texts);
	int unknown = 0;
	int still = 0;
	Datum *ids;
	bool *nulls;
	bool isnull;
	int found;

	for (int i = 0; i < n; i++)
		if (names[i].id == 0)
			texts[unknown++] = PointerGetDatum(cstring_to_text_with_len(names[i].text, names[i].length));
	la_query_run(query,
	             (Datum[]){Int32GetDatum(workspace), PointerGetDatum(construct_array(
	                                                     texts, unknown, TEXTOID, -1, false, TYPALIGN_INT))},
	             NULL, false, 0);
	if (SPI_tuptable == NULL)
		return unknown;
	deconstruct_array(DatumGetArrayTypeP(la_query_value(0, 1, &isnull)), INT8OID, sizeof(int64), true,
	                  TYPALIGN_DOUBLE, &ids, &nulls, &found);
	for (int i = 0, of = 0; i < n && of < found; i++)
	{
		if (names[i].id != 0)
			continue;
		names[i].id = nulls[of] ? 0 : DatumGetInt64(ids[of]);
		still += nulls[of++];
	}
	SPI_freetuptable(SPI_tuptable);
	return still;
}

int
la_lead_ids(int workspace, LaLeadName *names, int n)
{
	int distinct = 0;

	if (n == 0)
		return 0;
	qsort(names, n, sizeof *names, by_bytes);
	for (int i = 0; i < n; i++)
		if (distinct == 0 || by_bytes(&names[distinct - 1], &names[i]) != 0)
			names[distinct++] = names[i];
	for (int i = 0; i < distinct; i++)
		names[i].id = 0;
	if (run(&find_ids, workspace, names, distinct) > 0)
	{
		run(&keep_ids, workspace, names, distinct);
		run(&find_ids, workspace, names, distinct);
	}
	return distinct;
}

int64
la_lead_id(const LaLeadName *names, int n, const char *text, int length)
{
	const LaLeadName wanted = {.text = text, .length = length};

	return ((LaLeadName *) bsearch(&wanted, names, n, sizeof *names, by_bytes))->id;
}

LA_FUNCTION(la_leads_reserve_lead)
{
	const text *name = PG_GETARG_TEXT_PP(1);
	LaLeadName lead = {.text = VARDATA_ANY(name), .length = VARSIZE_ANY_EXHDR(name)};

	SPI_connect();
	la_lead_ids(PG_GETARG_INT32(0), &lead, 1);
	SPI_finish();
	PG_RETURN_INT64(lead.id);
}
