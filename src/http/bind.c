/*
 * Binding values; the contract is in bind.h.
 *
 * A lenient parameter never fails: what cannot be read is the fallback, what is out of range is the
 * nearest bound. A strict one says which name is wrong. Absent, empty (in a query) and JSON null are
 * the same: the fallback, or null.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/json.h"
#include "http/bind.h"
#include "http/form.h"

typedef enum Outcome
{
	BOUND,
	ABSENT,
	UNREADABLE,
} Outcome;

typedef struct Faults
{
	int count;
	const char *first;
	StringInfoData list; /* [{"field","message"}…] */
} Faults;

typedef struct Body
{
	const char *document;  /* all of it as JSON text, for a route that binds it whole */
	const LaJson *members; /* an object, for a route that binds members of it */
} Body;

static void
add_fault(Faults *faults, const LaParam *param, bool missing)
{
	const char *message = param->error ? param->error
	                      : missing    ? psprintf("%s is required", param->name)
	                                   : psprintf("Invalid %s", param->name);

	if (faults->count++ == 0)
	{
		faults->first = message;
		initStringInfo(&faults->list);
	}
	appendStringInfoString(&faults->list, faults->count > 1 ? ",{\"field\":" : "[{\"field\":");
	la_json_quote(&faults->list, param->name);
	appendStringInfoString(&faults->list, ",\"message\":");
	la_json_quote(&faults->list, message);
	appendStringInfoChar(&faults->list, '}');
}

static bool
is_choice(const LaParam *param, const char *text)
{
	ListCell *cell;

	foreach (cell, param->choices)
		if (strcmp(lfirst(cell), text) == 0)
			return true;
	return param->choices == NIL;
}

/* Whether a value is between min and max; text is measured in characters, numbers by size. */
static bool
in_range(const LaParam *param, const char *text)
{
	double size;

	switch (param->type->oid)
	{
		case TEXTOID:
			size = pg_mbstrlen(text);
			break;
		case INT4OID:
		case INT8OID:
		case FLOAT8OID:
			size = strtod(text, NULL);
			break;
		default:
			return true;
	}
	return !(param->has_min && size < param->min) && !(param->has_max && size > param->max);
}

/* An integer too small or too large, at the bound; NULL when it cannot be mended so. */
static const char *
clamped(const LaParam *param, const char *text)
{
	int64 value;

	if ((param->type->oid != INT4OID && param->type->oid != INT8OID) || !la_value_integer(text, &value))
		return NULL;
	if (param->has_max && value > param->max)
		return psprintf(INT64_FORMAT, (int64) param->max);
	if (param->has_min && value < param->min)
		return psprintf(INT64_FORMAT, (int64) param->min);
	return param->type->oid == INT4OID ? psprintf("%d", value > 0 ? PG_INT32_MAX : PG_INT32_MIN) : NULL;
}

static Outcome
read_value(const LaParam *param, const char *text, Datum *value)
{
	if (is_choice(param, text) && in_range(param, text) && param->type->read(text, value))
		return BOUND;
	if (param->lenient)
	{
		const char *mended = clamped(param, text);

		return mended != NULL && param->type->read(mended, value) ? BOUND : ABSENT;
	}
	return UNREADABLE;
}

/* 4.0 and 4e2 are integers too, as JSON counts: written as one, where the number is small enough to be exact.
 */
static const char *
whole_number(const LaJson *node)
{
	double value;

	if (node->type != LA_JSON_NUMBER || strpbrk(node->text, ".eE") == NULL || !la_json_float(node, &value) ||
	    value != floor(value) || fabs(value) > 9007199254740992.0)
		return node->text;
	return psprintf("%.0f", value);
}

/* A JSON value as the text its type reads: a string's characters, a number as written, else JSON. */
static Outcome
read_member(const LaParam *param, const LaJson *node, Datum *value)
{
	if (node == NULL || node->type == LA_JSON_NULL)
		return ABSENT;
	if (param->type->oid == JSONOID)
		return la_value_json(node, value) ? BOUND : UNREADABLE;
	if (node->type == LA_JSON_ARRAY || node->type == LA_JSON_OBJECT)
		return param->lenient ? ABSENT : UNREADABLE;
	if (param->type->oid == INT4OID || param->type->oid == INT8OID)
		return read_value(param, whole_number(node), value);
	return read_value(param, node->text, value);
}

static Outcome
read_query(const LaParam *param, List *query, Datum *value)
{
	bool given;
	const char *text = la_url_last(query, param->name, &given);

	if (!given || (text != NULL && *text == '\0'))
		return ABSENT;
	if (text == NULL)
		return param->lenient ? ABSENT : UNREADABLE;
	return read_value(param, text, value);
}

static Outcome
read_param(const LaParam *param, const LaRequest *request, const Body *body, Datum *value)
{
	switch (param->place)
	{
		case LA_PLACE_PATH:
			return read_value(param, list_nth(request->segments, param->segment), value);
		case LA_PLACE_QUERY:
			return read_query(param, request->query, value);
		case LA_PLACE_BODY:
			return read_member(param, la_json_get(body->members, param->name), value);
		case LA_PLACE_DOCUMENT:
			if (body->document == NULL)
				return ABSENT;
			*value = CStringGetTextDatum(body->document);
			return BOUND;
	}
	pg_unreachable();
}

static const LaProblem *
problem_with_body(const LaRoute *route, const char *why)
{
	LaProblem *problem = palloc0(sizeof(LaProblem));

	problem->status = la_family_lists_errors(route->family) ? 422 : 400;
	problem->message = la_family_lists_errors(route->family) ? "Validation failed" : "Invalid request body";
	problem->errors = psprintf("[{\"field\":\"body\",\"message\":\"%s\"}]", why);
	return problem;
}

static const LaProblem *
problem_with_params(const LaRoute *route, const Faults *faults)
{
	LaProblem *problem = palloc0(sizeof(LaProblem));
	bool all = la_family_lists_errors(route->family);

	problem->status = all ? 422 : 400;
	problem->message = all ? "Validation failed" : faults->first;
	problem->errors = psprintf("%s]", faults->list.data);
	return problem;
}

/*
 * Read what the route needs of the body: the tree for its members, or the text for a function that
 * takes all of it and refuses only what is wrong inside. NULL, or why it cannot be read.
 */
static const char *
read_body(const LaRoute *route, const LaRequest *request, Body *body)
{
	const char *why = NULL;

	if (request->body_length == 0)
		return NULL;
	if (route->has_form)
		body->document = la_form_json(request->content_type, request->body, request->body_length, &why);
	else if (route->has_document)
		body->document = la_json_heal(request->body, request->body_length, &why);
	if (route->has_members && why == NULL)
	{
		body->members = la_json_parse(request->body, request->body_length, &why);
		if (body->members != NULL && body->members->type != LA_JSON_OBJECT)
			why = "not an object";
	}
	return why;
}

static bool
is_workspace(const LaParam *param)
{
	return strcmp(param->type->name, "workspace") == 0;
}

const char *
la_bind_workspace(const LaRoute *route, const LaRequest *request)
{
	ListCell *cell;

	foreach (cell, route->params)
	{
		LaParam *param = lfirst(cell);

		if (is_workspace(param))
			return list_nth(request->segments, param->segment);
	}
	return NULL;
}

const LaProblem *
la_bind(const LaRoute *route, const LaRequest *request, LaBound *bound)
{
	Faults faults = {0};
	Body body = {0};
	const char *why = read_body(route, request, &body);
	ListCell *cell;

	if (why != NULL)
		return problem_with_body(route, why);
	foreach (cell, route->params)
	{
		LaParam *param = lfirst(cell);
		Datum value = (Datum) 0;
		Outcome outcome;

		if (is_workspace(param))
			continue;
		outcome = read_param(param, request, &body, &value);
		if (outcome == ABSENT && param->fallback != NULL && param->type->read(param->fallback, &value))
			outcome = BOUND;
		if (outcome == ABSENT && param->required && param->place == LA_PLACE_DOCUMENT)
			return problem_with_body(route, "missing");
		if (outcome == UNREADABLE || (outcome == ABSENT && param->required))
			add_fault(&faults, param, outcome == ABSENT);

		bound->values[bound->count] = value;
		bound->nulls[bound->count] = outcome == BOUND ? ' ' : 'n';
		bound->types[bound->count] = param->type->oid;
		bound->count++;
	}
	return faults.count > 0 ? problem_with_params(route, &faults) : NULL;
}
