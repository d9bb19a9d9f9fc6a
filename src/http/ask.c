/*
 * A question of the interface asked from SQL: the route's own function, with the values read as the door
 * reads them, so that what is asked by the way of a saved report is what a request would be told.
 *
 * Who asks has a role, as a key has: what it opens and what it sees of people is the same. Whoever calls this
 * says which, so nobody but the extension's own functions may call it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "core/error.h"
#include "core/export.h"
#include "core/query.h"
#include "http/bind.h"
#include "http/route.h"
#include "tenant/tenant.h"

typedef struct Question
{
	int workspace;
	const char *role;
	TimestampTz now;
	LaRoute *route;
	const LaJson *given; /* values of parameters by name */
	List *faults;        /* LaPair: parameter, what is wrong with it */
} Question;

static void
add_fault(Question *question, const char *name, const char *message)
{
	LaPair *fault = palloc(sizeof(LaPair));
	ListCell *cell;

	foreach (cell, question->faults)
		if (strcmp(((LaPair *) lfirst(cell))->name, name) == 0)
			return;
	fault->name = name;
	fault->value = message;
	question->faults = lappend(question->faults, fault);
}

static void
raise_faults(const Question *question)
{
	StringInfoData errors;
	ListCell *cell;

	if (question->faults == NIL)
		return;
	initStringInfo(&errors);
	foreach (cell, question->faults)
	{
		const LaPair *fault = lfirst(cell);

		appendStringInfoString(&errors, errors.len > 0 ? ", " : "{\"errors\": [");
		appendStringInfoString(&errors, "{\"field\": ");
		la_json_quote(&errors, psprintf("parameters.%s", fault->name));
		appendStringInfoString(&errors, ", \"message\": ");
		la_json_quote(&errors, fault->value);
		appendStringInfoChar(&errors, '}');
	}
	appendStringInfoString(&errors, "]}");
	ereport(ERROR,
	        (errcode(LA_UNPROCESSABLE), errmsg("Validation failed"), errdetail_internal("%s", errors.data)));
}

/* The text a value would be in a path or query; NULL: none, or with a fault, none that is one. */
static const char *
text_of(Question *question, const LaJson *value)
{
	if (value == NULL || value->type == LA_JSON_NULL)
		return NULL;
	if (value->type != LA_JSON_ARRAY && value->type != LA_JSON_OBJECT)
		return value->text;
	add_fault(question, value->key, psprintf("Invalid %s", value->key));
	return NULL;
}

static bool
takes(const LaRoute *route, const char *name)
{
	ListCell *cell;

	foreach (cell, route->params)
	{
		const LaParam *param = lfirst(cell);

		if (strcmp(param->name, name) == 0 && strcmp(param->type->name, "workspace") != 0 &&
		    (param->place == LA_PLACE_PATH || param->place == LA_PLACE_QUERY))
			return true;
	}
	return false;
}

/* The request that would ask this. */
static LaRequest *
request_of(Question *question)
{
	LaRequest *request = palloc0(sizeof(LaRequest));
	ListCell *cell;

	request->method = "GET";
	request->path = question->route->path;
	foreach (cell, question->route->segments)
	{
		const char *segment = lfirst(cell);

		if (segment[0] == ':' && takes(question->route, segment + 1))
		{
			const char *value = text_of(question, la_json_get(question->given, segment + 1));

			if (value == NULL || *value == '\0')
				add_fault(question, segment + 1, psprintf("%s is required", segment + 1));
			else
				segment = value;
		}
		request->segments = lappend(request->segments, (void *) segment);
	}
	la_json_foreach (member, question->given)
	{
		LaPair *pair = palloc(sizeof(LaPair));

		if (!takes(question->route, member->key))
			add_fault(question, member->key, "Not a parameter of this report");
		pair->name = member->key;
		pair->value = text_of(question, member);
		if (pair->value != NULL)
			request->query = lappend(request->query, pair);
	}
	return request;
}

static void
bind_context(const Question *question, LaBound *bound)
{
	for (; bound->count < question->route->ncontext; bound->count++)
	{
		LaContext context = question->route->context[bound->count];
		Datum *value = &bound->values[bound->count];

		bound->types[bound->count] = la_context_type(context);
		bound->nulls[bound->count] = ' ';
		if (context == LA_CONTEXT_WORKSPACE)
			*value = Int32GetDatum(question->workspace);
		else if (context == LA_CONTEXT_AS_ROLE)
			*value = CStringGetTextDatum(question->role);
		else if (context == LA_CONTEXT_NOW)
			*value = TimestampTzGetDatum(question->now);
		else
			bound->nulls[bound->count] = 'n';
	}
}

static void
bind(Question *question, LaBound *bound)
{
	const LaRequest *request = request_of(question);
	const LaProblem *problem;

	bind_context(question, bound);
	problem = la_bind(question->route, request, bound);
	if (problem != NULL)
	{
		const char *why;
		const LaJson *errors = la_json_parse(problem->errors, strlen(problem->errors), &why);

		la_json_foreach (fault, errors)
			add_fault(question, la_json_string(fault, "field"), la_json_string(fault, "message"));
	}
	raise_faults(question);
}

static void
find_route(Question *question, const char *path)
{
	static LaQuery plan_of = {"SELECT p.features FROM leadanalytics.plan p WHERE p.name = "
	                          "(SELECT w.plan FROM leadanalytics.workspace w WHERE w.id = $1)",
	                          1,
	                          {INT4OID}};
	Datum workspace = Int32GetDatum(question->workspace);
	LaKey key = {.workspace = question->workspace, .role = question->role};
	bool isnull = true;
	Datum features;

	question->route = la_route_named(path);
	if (question->route == NULL || question->route->writes || question->route->sliced ||
	    question->route->call == NULL)
		ereport(ERROR, (errcode(LA_NOT_FOUND), errmsg("No such report"),
		                errhint("See leadanalytics.list_report_types().")));
	if (la_query_run(&plan_of, &workspace, NULL, true, 1) == 1)
	{
		features = la_query_value(0, 1, &isnull);
		key.features = isnull ? NULL : DatumGetArrayTypePCopy(features);
	}
	if (!la_route_opens_to(question->route, question->role))
		ereport(ERROR, (errcode(LA_FORBIDDEN), errmsg("Forbidden"),
		                errhint("Keys of role %s do not open %s.", question->role, path)));
	if (!la_key_has_feature(&key, question->route->feature))
		ereport(ERROR, (errcode(LA_FORBIDDEN), errmsg("Feature not available on your plan"),
		                errhint("leadanalytics.set_plan() gives the workspace another.")));
}

/* What the function says, as JSON text; NULL: null. */
static char *
answer_of(LaRoute *route)
{
	bool isnull;
	Datum value;

	if (!route->replies)
		return la_query_text(0, 1);
	(void) la_query_value(0, 1, &isnull);
	if (!isnull)
		ereport(ERROR, (errcode(LA_UNPROCESSABLE), errmsg("The answer is a file and no report"),
		                errhint("Ask for JSON.")));
	value = la_query_value(0, 4, &isnull);
	return isnull ? NULL : TextDatumGetCString(value); /* bytes are stored as text is */
}

static char *
ask(const Question *question, LaBound *bound)
{
	LaRoute *route = question->route;
	MemoryContext outside = CurrentMemoryContext;
	LaTenant before;
	volatile int result = 0;

	la_route_prepare(route, bound->count, bound->types);
	la_tenant_within(question->workspace, question->role, &before);
	PG_TRY();
	{
		result = SPI_execute_plan(route->plan, bound->values, bound->nulls, true, 1);
	}
	PG_FINALLY();
	{
		la_tenant_back(&before);
	}
	PG_END_TRY();
	if (result != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "function %s answered no row", route->function);
	MemoryContextSwitchTo(outside);
	return answer_of(route);
}

/* (workspace, path, parameters, role, now) → json */
LA_FUNCTION(la_http_ask_route)
{
	Question question = {.workspace = PG_GETARG_INT32(0),
	                     .role = text_to_cstring(PG_GETARG_TEXT_PP(3)),
	                     .now = PG_GETARG_TIMESTAMPTZ(4)};
	Jsonb *parameters = PG_GETARG_JSONB_P(2);
	char *given = JsonbToCString(NULL, &parameters->root, VARSIZE(parameters));
	LaBound *bound = palloc0(sizeof(LaBound));
	MemoryContext outside = CurrentMemoryContext;
	StringInfoData said;
	const char *why;
	char *answer;

	question.given = la_json_parse(given, strlen(given), &why);
	if (question.given == NULL || question.given->type != LA_JSON_OBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("parameters must be a JSON object"),
		                errhint("For example {\"from\": \"2026-02-01\"}.")));
	SPI_connect();
	MemoryContextSwitchTo(outside); /* the answer outlives SPI */
	la_tenant_require(question.workspace);
	find_route(&question, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	bind(&question, bound);
	answer = ask(&question, bound);
	SPI_finish();
	initStringInfo(&said);
	la_json_compact(&said, answer ? answer : "null", answer ? strlen(answer) : 4);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(said.data, said.len));
}
