/*
 * The compiled route table; the contract is in route.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/export.h"
#include "core/query.h"
#include "http/route.h"
#include "http/url.h"
#include "tenant/tenant.h"

static const struct
{
	const char *name;
	Oid type;
} contexts[LA_CONTEXT_COUNT] = {
    [LA_CONTEXT_WORKSPACE] = {"workspace", INT4OID},
    [LA_CONTEXT_AS_ROLE] = {"as_role", TEXTOID},
    [LA_CONTEXT_ACTOR_KEY] = {"actor_key", INT8OID},
    [LA_CONTEXT_CLIENT_IP] = {"client_ip", INETOID},
    [LA_CONTEXT_USER_AGENT] = {"user_agent", TEXTOID},
    [LA_CONTEXT_ORIGIN] = {"origin", TEXTOID},
    [LA_CONTEXT_REFERER] = {"referer", TEXTOID},
    [LA_CONTEXT_REQUEST_ID] = {"request_id", TEXTOID},
    [LA_CONTEXT_IDEMPOTENCY_KEY] = {"idempotency_key", TEXTOID},
    [LA_CONTEXT_SLICE] = {"slice", TEXTOID},
    [LA_CONTEXT_NOW] = {"now", TIMESTAMPTZOID},
};

static MemoryContext table_context = NULL; /* everything of the compiled table */
static List *table = NIL;                  /* LaRoute */
static bool table_valid = false;
static List *rates = NIL; /* LaRateClass */
static Oid route_oid = InvalidOid;

static LaQuery read_routes = {
    "SELECT r.method, r.path, r.family, r.roles, r.success, r.writes, r.cors, r.timeout_ms, r.message, "
    "r.function, "
    "       f.schema, f.name, f.arguments, f.answers, "
    "       'leadanalytics.route'::regclass::oid, r.rate_class, r.idempotent, f.id, r.from_fold, r.feature, "
    "r.sliced, r.paged "
    "FROM leadanalytics.route r, leadanalytics.route_function(r.function) f "
    "ORDER BY r.path, r.method"};

static LaQuery read_params = {
    "SELECT p.name, p.place, p.arg, p.type, p.required, p.lenient, p.fallback, p.min, p.max, p.choices, "
    "p.error, "
    "       pg_catalog.pg_get_function_arg_default(f.oid, pg_catalog.array_position(f.proargnames, p.arg)) "
    "FROM leadanalytics.route_param p LEFT JOIN pg_catalog.pg_proc f ON f.oid = $3 "
    "WHERE p.method = $1 AND p.path = $2 ORDER BY p.position, p.name",
    3,
    {TEXTOID, TEXTOID, OIDOID}};

Oid
la_context_type(LaContext context)
{
	return contexts[context].type;
}

/* A text array as a List of char * in the current context; NIL for null. */
static List *
text_list(uint64 row, int column)
{
	bool isnull;
	Datum value = la_query_value(row, column, &isnull);
	List *list = NIL;
	Datum *texts;
	bool *nulls;
	int count;

	if (isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls, &count);
	for (int i = 0; i < count; i++)
		list = lappend(list, nulls[i] ? pstrdup("") : TextDatumGetCString(texts[i]));
	return list;
}

static bool
is_true(uint64 row, int column)
{
	bool isnull;
	Datum value = la_query_value(row, column, &isnull);

	return !isnull && DatumGetBool(value);
}

static int
integer(uint64 row, int column)
{
	bool isnull;

	return DatumGetInt32(la_query_value(row, column, &isnull));
}

static bool
number(uint64 row, int column, double *value)
{
	bool isnull;
	Datum datum = la_query_value(row, column, &isnull);

	if (!isnull)
		*value = DatumGetFloat8(DirectFunctionCall1(numeric_float8, datum));
	return !isnull;
}

static char *
text_of(uint64 row, int column)
{
	char *inside = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);

	return inside ? MemoryContextStrdup(table_context, inside) : NULL;
}

static LaPlace
place_by_name(const char *name)
{
	return strcmp(name, "path") == 0    ? LA_PLACE_PATH
	       : strcmp(name, "query") == 0 ? LA_PLACE_QUERY
	       : strcmp(name, "body") == 0  ? LA_PLACE_BODY
	                                    : LA_PLACE_DOCUMENT;
}

/* Which segment of the path is :name, -1 for none. */
static int
segment_of(const LaRoute *route, const char *name)
{
	ListCell *cell;

	foreach (cell, route->segments)
	{
		const char *segment = lfirst(cell);

		if (segment[0] == ':' && strcmp(segment + 1, name) == 0)
			return foreach_current_index(cell);
	}
	return -1;
}

static void
load_params(LaRoute *route, Oid id)
{
	Datum values[3] = {CStringGetTextDatum(route->method), CStringGetTextDatum(route->path),
	                   ObjectIdGetDatum(id)};
	uint64 count = la_query_run(&read_params, values, NULL, true, 0);
	SPITupleTable *rows = SPI_tuptable;
	MemoryContext outside = MemoryContextSwitchTo(table_context);

	for (uint64 row = 0; row < count; row++)
	{
		LaParam *param = palloc0(sizeof(LaParam));

		param->name = text_of(row, 1);
		param->place = place_by_name(text_of(row, 2));
		param->arg = text_of(row, 3);
		param->type = la_value_type(text_of(row, 4));
		param->required = is_true(row, 5);
		param->lenient = is_true(row, 6);
		param->fallback = text_of(row, 7);
		param->has_min = number(row, 8, &param->min);
		param->has_max = number(row, 9, &param->max);
		param->choices = text_list(row, 10);
		param->error = text_of(row, 11);
		param->otherwise = param->fallback ? NULL : text_of(row, 12);
		param->segment = param->place == LA_PLACE_PATH ? segment_of(route, param->name) : -1;
		if (param->place == LA_PLACE_DOCUMENT)
			route->has_document = true;
		if (strcmp(param->type->name, "form") == 0)
			route->has_form = true;
		if (param->place == LA_PLACE_BODY)
			route->has_members = true;
		if (strcmp(param->type->name, "workspace") == 0)
			route->has_workspace = true;
		route->params = lappend(route->params, param);
	}
	MemoryContextSwitchTo(outside);
	SPI_freetuptable(rows);
}

/*
 * The statement that calls the route's function, from names of the catalogue alone: the context it asks
 * for, then its parameters, as $1 … $n by name. A workspace in the path is checked, not passed. A default
 * of the function's stands in the statement and not in the table: it may be current_date.
 */
static void
compose_call(LaRoute *route, const char *schema, const char *function, List *arguments)
{
	StringInfoData call;
	int n = 0;
	ListCell *cell;

	initStringInfo(&call);
	appendStringInfo(&call,
	                 route->replies
	                     ? "SELECT status, headers::pg_catalog.text, content_type, body FROM %s.%s("
	                     : "SELECT %s.%s(",
	                 quote_identifier(schema), quote_identifier(function));
	for (int context = 0; context < LA_CONTEXT_COUNT; context++)
		foreach (cell, arguments)
			if (strcmp(lfirst(cell), contexts[context].name) == 0)
			{
				route->context[n++] = context;
				appendStringInfo(&call, "%s%s => $%d", n > 1 ? ", " : "", contexts[context].name, n);
			}
	route->ncontext = n;
	foreach (cell, route->params)
	{
		LaParam *param = lfirst(cell);

		if (strcmp(param->type->name, "workspace") == 0)
			continue;
		n++;
		appendStringInfo(&call, "%s%s => ", n > 1 ? ", " : "", quote_identifier(param->arg));
		if (param->otherwise)
			appendStringInfo(&call, "coalesce($%d, %s)", n, param->otherwise);
		else
			appendStringInfo(&call, "$%d", n);
	}
	appendStringInfoString(&call, route->replies ? ")" : ")::pg_catalog.text");
	if (n <= LA_ROUTE_MAX_ARGS) /* else it cannot be called; the others go on */
		route->call = call.data;
}

static LaRoute *
load_route(uint64 row, char **schema, char **name, List **arguments)
{
	LaRoute *route = palloc0(sizeof(LaRoute));
	const char *answers;
	const char *rate_class;
	ListCell *cell;

	route->method = text_of(row, 1);
	route->path = text_of(row, 2);
	route->family = la_family_by_name(text_of(row, 3));
	route->roles = text_list(row, 4);
	route->success = integer(row, 5);
	route->writes = is_true(row, 6);
	route->cors = is_true(row, 7);
	route->idempotent = is_true(row, 17);
	route->from_fold = is_true(row, 19);
	route->feature = text_of(row, 20);
	route->sliced = is_true(row, 21);
	route->paged = is_true(row, 22);
	route->timeout_ms = integer(row, 8);
	rate_class = text_of(row, 16);
	route->rate = rate_class ? la_rate_class_named(rates, rate_class)
	                         : la_route_family_rate(route->family, route->method);
	route->message = text_of(row, 9);
	route->function = text_of(row, 10);
	*schema = text_of(row, 11);
	*name = text_of(row, 12);
	*arguments = text_list(row, 13);
	answers = text_of(row, 14);
	route->replies = answers != NULL && strcmp(answers, "reply") == 0;
	if (answers == NULL)
		*name = NULL; /* nothing we could send on */
	(void) la_url_segments(route->path, strlen(route->path), &route->segments);
	foreach (cell, route->roles)
		if (strcmp(lfirst(cell), "public") == 0)
			route->public = true;
	return route;
}

static void
forget_table(void)
{
	ListCell *cell;

	foreach (cell, table)
	{
		LaRoute *route = lfirst(cell);

		if (route->plan)
			SPI_freeplan(route->plan);
	}
	table = NIL;
	rates = NIL;
	if (table_context)
		MemoryContextReset(table_context);
	else
		table_context =
		    AllocSetContextCreate(TopMemoryContext, "leadanalytics routes", ALLOCSET_DEFAULT_SIZES);
}

static List *
read_table(void)
{
	List *routes = NIL;
	MemoryContext context = MemoryContextSwitchTo(table_context);
	uint64 count;
	SPITupleTable *rows;

	rates = la_rate_classes();
	MemoryContextSwitchTo(context);
	count = la_query_run(&read_routes, NULL, NULL, true, 0);
	rows = SPI_tuptable;
	for (uint64 row = 0; row < count; row++)
	{
		MemoryContext outside = MemoryContextSwitchTo(table_context);
		char *schema, *name;
		List *arguments;
		LaRoute *route;
		bool isnull;
		Datum id;

		SPI_tuptable = rows;
		route_oid = DatumGetObjectId(la_query_value(row, 15, &isnull));
		route = load_route(row, &schema, &name, &arguments);
		id = la_query_value(row, 18, &isnull);
		load_params(route, isnull ? InvalidOid : DatumGetObjectId(id));
		if (name != NULL)
			compose_call(route, schema, name, arguments);
		routes = lappend(routes, route);
		MemoryContextSwitchTo(outside);
	}
	SPI_freetuptable(rows);
	return routes;
}

static void
load_table(void)
{
	forget_table();
	table_valid = true; /* first, so that a change while we read makes it invalid again */
	PG_TRY();
	{
		table = read_table();
	}
	PG_CATCH();
	{
		table_valid = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/*
 * How well a route's path fits: -1 not at all, else one bit a segment from the left, set where it is a
 * literal. The largest wins, so a literal segment beats a parameter at the first place they differ.
 */
static int64
fit(const LaRoute *route, List *segments)
{
	int64 score = 0;
	ListCell *pattern, *given;

	if (list_length(route->segments) != list_length(segments) || list_length(segments) > 60)
		return -1;
	forboth(pattern, route->segments, given, segments)
	{
		const char *segment = lfirst(pattern);
		bool literal = segment[0] != ':';

		if (literal ? strcmp(segment, lfirst(given)) != 0 : *(const char *) lfirst(given) == '\0')
			return -1;
		score = score * 2 + literal;
	}
	return score;
}

List *
la_route_match(List *segments)
{
	List *best = NIL;
	int64 most = -1;
	ListCell *cell;

	if (!table_valid)
		load_table();
	foreach (cell, table)
	{
		int64 score = fit(lfirst(cell), segments);

		if (score < 0 || score < most)
			continue;
		best = score > most ? list_make1(lfirst(cell)) : lappend(best, lfirst(cell));
		most = score;
	}
	return best;
}

/*
 * Within a request the table stays what it was when the request came: the door still holds a route of it.
 */
LaRoute *
la_route_named(const char *path)
{
	ListCell *cell;

	if (!table_valid && (table == NIL || la_tenant_current() == LA_TENANT_NOBODY))
		load_table();
	foreach (cell, table)
	{
		LaRoute *route = lfirst(cell);

		if (strcmp(route->path, path) == 0 && strcmp(route->method, "GET") == 0)
			return route;
	}
	return NULL;
}

void
la_route_prepare(LaRoute *route, int count, Oid *types)
{
	SPIPlanPtr plan;

	if (route->plan != NULL)
		return;
	plan = SPI_prepare(route->call, count, types);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", route->call, SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	route->plan = plan;
}

bool
la_route_opens_to(const LaRoute *route, const char *role)
{
	ListCell *cell;

	if (strcmp(role, "admin") == 0)
		return true;
	foreach (cell, route->roles)
		if (strcmp(lfirst(cell), role) == 0)
			return true;
	return false;
}

const LaRateClass *
la_route_family_rate(const LaFamily *family, const char *method)
{
	return la_rate_class_of_family(rates, la_family_name(family),
	                               strcmp(method, "HEAD") == 0 ? "GET" : method);
}

LaRoute *
la_route_for_method(List *routes, const char *method)
{
	ListCell *cell;

	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	foreach (cell, routes)
	{
		LaRoute *route = lfirst(cell);

		if (strcmp(route->method, method) == 0)
			return route;
	}
	return NULL;
}

const char *
la_route_methods(List *routes)
{
	StringInfoData list;
	ListCell *cell;

	initStringInfo(&list);
	foreach (cell, routes)
	{
		LaRoute *route = lfirst(cell);

		appendStringInfo(&list, "%s, ", route->method);
		if (strcmp(route->method, "GET") == 0)
			appendStringInfoString(&list, "HEAD, ");
	}
	appendStringInfoString(&list, "OPTIONS");
	return list.data;
}

static void
relation_changed(Datum unused, Oid relation)
{
	if (relation == InvalidOid || relation == route_oid)
		table_valid = false;
}

static void
function_changed(Datum unused, int cache, uint32 hash)
{
	table_valid = false;
}

void
la_route_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, function_changed, (Datum) 0);
}

/* Of whichever table of the compiled ones: the table of routes stands for all of them. */
LA_FUNCTION(la_http_route_changed)
{
	Relation changed;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
		                errmsg("la_http_route_changed is a trigger function"), errhint("Do not call it.")));
	changed = ((TriggerData *) fcinfo->context)->tg_relation;
	CacheInvalidateRelcacheByRelid(get_relname_relid("route", RelationGetNamespace(changed)));
	return PointerGetDatum(NULL); /* of a trigger: no row, not a null */
}
