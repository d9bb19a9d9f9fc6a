/*
 * The door: handle_ro for requests that only read, handle_rw for the others.
 *
 * One request is one call. Everything that may fail runs in a subtransaction, so that an error of a
 * route's function undoes its work and still leaves as a well-formed answer; status and headers are set
 * after it ended. The order of the checks is the contract's: OPTIONS, 401, 404 path, 405, 403 (role, plan),
 * 429, 400/422, 404 object. Without a valid key a spent window is told before the 401, or it would stop
 * nobody.
 *
 * - A deadlock or serialization failure is tried again here, three times in all. It must not get out:
 *   PostgREST would repeat a 40001 for ever.
 * - A GET of a route marked "writes" comes to handle_ro first, as every GET, and is sent on by nginx
 *   (X-Accel-Redirect) into handle_rw. A HEAD of it is the same GET, undone; so is one that a browser
 *   sends ahead of anybody's asking.
 * - A GET of a route marked "sliced" is sent on likewise, and comes back once for each slice of its file, of
 *   which nginx makes one answer: so no process holds more than a slice. Counted is the first coming.
 * - handle_ro is STABLE and its transaction read-only, so that it also answers on a standby.
 * - A statement timeout of its own for each route, for all tries together: the running one is armed anew.
 * - Which side a request is on is nginx's choice by method; a route is called from any side.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "core/core.h"
#include "core/error.h"
#include "core/export.h"
#include "core/query.h"
#include "http/answer.h"
#include "http/bind.h"
#include "http/body.h"
#include "http/cors.h"
#include "http/family.h"
#include "http/http.h"
#include "http/idempotency.h"
#include "http/meter.h"
#include "http/range.h"
#include "http/request.h"
#include "http/route.h"
#include "tenant/tenant.h"

#define TRIES 3

static const char unsatisfiable[] = "Range not satisfiable";
static const char no_key[] = "API key required. Use Authorization: Bearer <key> or X-API-Key header.";

typedef struct Visit
{
	LaRequest *request;
	TimestampTz came_at;    /* all tries together have the route's time */
	bool writing;           /* in handle_rw */
	const LaFamily *family; /* the route's once it is known, before that the path's */
	LaRoute *route;         /* NULL until found */
	bool has_key;
	LaKey key;
	bool metered; /* rate is known: a request is counted once, however often it is tried */
	LaRate rate;
	LaUsage usage;
	bool readable; /* a page of the request's origin may read the answer (CORS) */
	bool undo;     /* the work was done to learn the answer's headers only */
} Visit;

static LaAnswer *
problem_answer(const Visit *visit, const LaProblem *problem)
{
	LaAnswer *answer = la_answer_make(problem->status);

	la_family_error(visit->family, &answer->body, problem);
	if (problem->status == 503 || problem->wait > 0)
		la_answer_header(answer, "Retry-After", psprintf("%d", Max(problem->wait, 1)));
	if (problem->status == 415)
		la_answer_header(answer, "Accept-Encoding", "gzip, deflate");
	if (problem->status == 401)
		la_answer_header(answer, "WWW-Authenticate", "Bearer");
	return answer;
}

static LaAnswer *
refuse(const Visit *visit, int status, const char *message)
{
	LaProblem problem = {.status = status, .message = message};

	return problem_answer(visit, &problem);
}

static LaAnswer *
refuse_key(const Visit *visit, const char *message)
{
	return refuse(visit, 401, la_family_has_text(visit->family, 401) ? NULL : message);
}

static LaAnswer *
refuse_rate(const Visit *visit)
{
	LaAnswer *answer = refuse(visit, 429, NULL);

	la_answer_header(answer, "Retry-After", psprintf("%d", visit->rate.wait));
	return answer;
}

static LaAnswer *
refuse_usage(const Visit *visit)
{
	LaProblem problem = {
	    .status = 429, .message = "Request limit of your plan reached", .wait = visit->usage.wait};

	return problem_answer(visit, &problem);
}

static bool
all_public(List *routes)
{
	ListCell *cell;

	foreach (cell, routes)
		if (!((LaRoute *) lfirst(cell))->public)
			return false;
	return routes != NIL;
}

static const LaKey *
key_of(const Visit *visit)
{
	return visit->has_key ? &visit->key : NULL;
}

static bool
may_call(const Visit *visit)
{
	if (!visit->has_key)
		return visit->route->public;
	return la_route_opens_to(visit->route, visit->key.role) ||
	       (visit->key.manages && la_route_opens_to(visit->route, "manager"));
}

static void
bind_text(LaBound *bound, const char *text)
{
	bound->nulls[bound->count] = text ? ' ' : 'n';
	bound->values[bound->count] = text ? CStringGetTextDatum(text) : (Datum) 0;
}

/* What a function asks for by argument name: from the key and the connection, never from the request. */
static void
bind_context(const Visit *visit, LaBound *bound)
{
	const LaRequest *request = visit->request;

	for (int i = 0; i < visit->route->ncontext; i++)
	{
		LaContext context = visit->route->context[i];
		Datum *value = &bound->values[bound->count];
		char *null = &bound->nulls[bound->count];

		bound->types[bound->count] = la_context_type(context);
		*null = ' ';
		switch (context)
		{
			case LA_CONTEXT_WORKSPACE:
				*null = visit->has_key ? ' ' : 'n';
				*value = Int32GetDatum(visit->key.workspace);
				break;
			case LA_CONTEXT_AS_ROLE:
				bind_text(bound, visit->has_key ? visit->key.role : "public");
				break;
			case LA_CONTEXT_ACTOR_KEY:
				*null = visit->has_key ? ' ' : 'n';
				*value = Int64GetDatum(visit->key.id);
				break;
			case LA_CONTEXT_CLIENT_IP:
				*null =
				    request->client_ip && la_value_type("ip")->read(request->client_ip, value) ? ' ' : 'n';
				break;
			case LA_CONTEXT_USER_AGENT:
				bind_text(bound, request->user_agent);
				break;
			case LA_CONTEXT_ORIGIN:
				bind_text(bound, request->origin);
				break;
			case LA_CONTEXT_REFERER:
				bind_text(bound, request->referer);
				break;
			case LA_CONTEXT_REQUEST_ID:
				bind_text(bound, request->request_id);
				break;
			case LA_CONTEXT_IDEMPOTENCY_KEY:
				bind_text(bound, request->idempotency_key);
				break;
			case LA_CONTEXT_SLICE:
				bind_text(bound, request->slice);
				break;
			case LA_CONTEXT_NOW:
				*value = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
				break;
			case LA_CONTEXT_COUNT:
				pg_unreachable();
		}
		bound->count++;
	}
}

/* Whether the workspace in the path is the key's own; every other one looks as if it did not exist. */
static bool
is_own_workspace(const Visit *visit, const char *slug)
{
	static LaQuery own = {
	    "SELECT true FROM leadanalytics.workspace WHERE id = $1 AND slug = $2", 2, {INT4OID, TEXTOID}};
	Datum values[2] = {Int32GetDatum(visit->key.workspace), CStringGetTextDatum(slug ? slug : "")};

	return visit->has_key && la_query_run(&own, values, NULL, true, 1) == 1;
}

static LaAnswer *
json_answer(const Visit *visit, int column)
{
	LaAnswer *answer = la_answer_make(visit->route->success);
	bool isnull;
	Datum value = la_query_value(0, column, &isnull);
	text *json = isnull ? cstring_to_text("null") : DatumGetTextPP(value);

	la_family_success(visit->family, &answer->body, answer->status, visit->route->message, VARDATA_ANY(json),
	                  VARSIZE_ANY_EXHDR(json), visit->route->paged);
	return answer;
}

static LaAnswer *
reply_answer(const Visit *visit)
{
	bool isnull;
	Datum value;
	int status = DatumGetInt32(la_query_value(0, 1, &isnull));
	char *headers = la_query_text(0, 2);
	LaAnswer *answer;
	const char *error;

	if (isnull)
	{
		value = la_query_value(0, 4, &isnull);
		if (!isnull && VARSIZE_ANY_EXHDR(DatumGetByteaPP(value)) > 0)
			return json_answer(visit, 4); /* bytes are stored as text is */
		status = 0;
	}
	if (status < 200 || status > 399)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a reply's status must be from 200 to 399"),
		         errhint("Use leadanalytics.fail() for errors.")));
	answer = la_answer_make(status);
	la_answer_function_type(answer, la_query_text(0, 3));
	if (headers != NULL)
	{
		LaJson *object = la_json_parse(headers, strlen(headers), &error);

		if (object == NULL || object->type != LA_JSON_OBJECT)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			                errmsg("a reply's headers must be a JSON object"),
			                errhint("For example {\"Location\": \"/there\"}.")));
		la_json_foreach (header, object)
			la_answer_function_header(answer, header->key, header->text ? header->text : "");
	}
	if (answer->content_type != NULL)
		value = la_query_value(0, 4, &isnull);
	if (answer->content_type != NULL && !isnull)
	{
		bytea *body = DatumGetByteaPP(value);

		appendBinaryStringInfo(&answer->body, VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body));
	}
	return answer;
}

/* Deferred constraints fail here, where an answer can be made of it, and not when PostgREST commits. */
static void
check_deferred(void)
{
	ConstraintsSetStmt *all_immediate = makeNode(ConstraintsSetStmt);

	AfterTriggerSetState(all_immediate);
}

/* Run the route's function. */
static LaAnswer *
call_function(const Visit *visit, LaBound *bound)
{
	LaRoute *route = visit->route;
	MemoryContext outside = CurrentMemoryContext;
	int result;

	la_route_prepare(route, bound->count, bound->types);
	disable_timeout(STATEMENT_TIMEOUT, false);
	enable_timeout_at(STATEMENT_TIMEOUT, TimestampTzPlusMilliseconds(visit->came_at, route->timeout_ms));
	la_tenant_enter(visit->has_key ? visit->key.workspace : LA_TENANT_PUBLIC,
	                visit->has_key ? visit->key.role : NULL);
	result = SPI_execute_plan(route->plan, bound->values, bound->nulls, !visit->writing, 1);
	if (visit->writing)
		check_deferred();
	la_tenant_leave();
	disable_timeout(STATEMENT_TIMEOUT, false);
	if (result != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "function %s answered no row", route->function);

	MemoryContextSwitchTo(outside); /* SPI left us in its own, which ends with the visit */
	return route->replies ? reply_answer(visit) : json_answer(visit, 1);
}

/* Have nginx ask again, from another location of its own. */
static LaAnswer *
send_on(const char *location)
{
	LaAnswer *answer = la_answer_make(200);

	la_answer_header(answer, "X-Accel-Redirect", location);
	return answer;
}

/* First nginx is told to ask for slices, then each of them is one. */
static LaAnswer *
call_for_slice(const Visit *visit, LaBound *bound)
{
	const LaRequest *request = visit->request;
	LaAnswer *answer;

	if (request->slice == NULL)
		return la_range_fits(request->range, -1) ? send_on("@sliced") : refuse(visit, 416, unsatisfiable);
	answer = call_function(visit, bound);
	return la_range_fits(request->range, la_range_size(answer)) ? answer : refuse(visit, 416, unsatisfiable);
}

/* The request is one for its route's function: bind its values and run it. */
static LaAnswer *
call(Visit *visit)
{
	LaBound *bound = palloc0(sizeof(LaBound));
	const LaProblem *problem;

	bind_context(visit, bound);
	problem = la_bind(visit->route, visit->request, bound);
	if (problem != NULL)
		return problem_answer(visit, problem);
	if (visit->route->writes && strcmp(visit->route->method, "GET") == 0)
	{
		if (!visit->writing)
			return send_on("@rw");
		visit->undo = strcmp(visit->request->method, "HEAD") == 0 || visit->request->ahead != NULL;
	}
	return visit->route->sliced ? call_for_slice(visit, bound) : call_function(visit, bound);
}

/* The same, unless it was done before: then its answer. */
static LaAnswer *
call_once(Visit *visit)
{
	pg_uuid_t claim;
	LaAnswer *answer = la_idempotency_claim(visit->route, visit->request, key_of(visit), &claim);

	if (answer != NULL)
		return answer;
	answer = call(visit);
	if (answer->status < 400)
		la_idempotency_remember(&claim, answer);
	else
		visit->undo = true; /* with the claim */
	return answer;
}

/* The checks in their order, then the call. */
static LaAnswer *
pass(Visit *visit)
{
	LaRequest *request = visit->request;
	const char *key_text = la_request_key(request);
	const LaProblem *problem = NULL;
	List *routes;

	visit->family = la_family_of_path(request->segments);
	visit->route = NULL;
	visit->has_key = false;
	visit->readable = false;
	if (request->bad_path)
		return refuse(visit, 400, NULL);

	routes = la_route_match(request->segments);
	if (strcmp(request->method, "OPTIONS") == 0)
		return la_cors_preflight(request, routes);
	if (routes == NIL && strcmp(la_family_name(visit->family), "plain") == 0)
		return refuse(visit, 404, NULL);
	if (routes != NIL)
		visit->family = ((LaRoute *) linitial(routes))->family;
	visit->route = la_route_for_method(routes, request->method);
	if (visit->route != NULL)
		visit->family = visit->route->family;

	if (key_text != NULL)
		visit->has_key = la_key_find(key_text, &visit->key);
	if (visit->route != NULL && visit->route->cors)
		visit->readable = la_cors_allowed(request, visit->has_key ? visit->key.workspace : 0);
	if (!visit->metered)
	{
		visit->rate = la_meter_spend(visit->family, visit->route, request, key_of(visit), visit->writing);
		visit->usage = la_meter_use(visit->family, request, key_of(visit), &visit->rate, visit->writing);
	}
	visit->metered = true;
	if (key_text != NULL && !visit->has_key)
		return visit->rate.refused ? refuse_rate(visit) : refuse_key(visit, NULL);
	if (key_text == NULL && !(visit->route ? visit->route->public : all_public(routes)))
		return visit->rate.refused ? refuse_rate(visit) : refuse_key(visit, no_key);
	if (routes == NIL)
		return refuse(visit, 404, NULL);
	if (visit->route == NULL)
	{
		LaAnswer *answer = refuse(visit, 405, NULL);

		la_answer_header(answer, "Allow", la_route_methods(routes));
		return answer;
	}
	if (!may_call(visit))
		return refuse(visit, 403, NULL);
	if (visit->has_key && !la_key_has_feature(&visit->key, visit->route->feature))
		return refuse(visit, 403, "Feature not available on your plan");
	if (visit->rate.refused && !la_meter_spares(visit->route, request, key_of(visit)))
		return refuse_rate(visit);
	if (visit->usage.refused)
		return refuse_usage(visit);

	if (visit->route->call == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
		                errmsg("route %s %s cannot call %s", visit->route->method, visit->route->path,
		                       visit->route->function),
		                errdetail("The function does not exist, is overloaded, is not ours, returns no JSON, "
		                          "or would get more than "
		                          "%d arguments.",
		                          LA_ROUTE_MAX_ARGS),
		                errhint("See leadanalytics.status().")));
	if (visit->route->has_workspace && !is_own_workspace(visit, la_bind_workspace(visit->route, request)))
		return problem_answer(visit, la_family_no_workspace(visit->family));
	if (visit->route->has_document || visit->route->has_members)
		problem = la_body_decode(request);
	if (problem != NULL)
		return problem_answer(visit, problem);
	if (!visit->writing || !visit->route->idempotent)
		return call(visit);
	if (request->bad_idempotency_key)
		return refuse(visit, 400, "Invalid Idempotency-Key");
	return request->idempotency_key ? call_once(visit) : call(visit);
}

/* What the client is told of an error, and what the log keeps of one that is ours. */
static LaAnswer *
error_answer(const Visit *visit, const ErrorData *error)
{
	LaProblem problem = {.status = la_http_status(error->sqlerrcode)};
	const char *why;
	const LaJson *detail;

	if (!la_is_for_client(error->sqlerrcode))
	{
		ereport(LOG, (errcode(error->sqlerrcode),
		              errmsg("request %s failed: %s", visit->request->request_id, error->message),
		              errdetail("%s %s: SQLSTATE %s%s%s", visit->request->method, visit->request->path,
		                        unpack_sql_state(error->sqlerrcode), error->detail ? "; " : "",
		                        error->detail ? error->detail : ""),
		              error->context ? errcontext("%s", error->context) : 0, errhidestmt(true)));
		return problem_answer(visit, &problem);
	}
	problem.message = error->message;
	detail = error->detail ? la_json_parse(error->detail, strlen(error->detail), &why) : NULL;
	problem.code = la_json_string(detail, "code");
	if (la_json_string(detail, "retry_after") != NULL)
		problem.wait = atoi(la_json_string(detail, "retry_after"));
	if (la_json_get(detail, "errors") != NULL)
	{
		Jsonb *errors = la_json_to_jsonb(la_json_get(detail, "errors"), &why);

		problem.errors = errors ? JsonbToCString(NULL, &errors->root, VARSIZE(errors)) : NULL;
	}
	return problem_answer(visit, &problem);
}

/* Until when all is folded, beside an answer that stands on it (D-46). */
static void
mark_fold(LaAnswer *answer, const LaFamily *family, int workspace)
{
	static LaQuery as_of = {
	    "SELECT leadanalytics.utc_milliseconds(leadanalytics.as_of($1, $2))", 2, {INT4OID, TEXTOID}};

	la_query_run(&as_of, (Datum[]){Int32GetDatum(workspace), CStringGetTextDatum(la_family_name(family))},
	             NULL, true, 1);
	la_answer_header(answer, "X-Data-As-Of", la_query_text(0, 1));
	SPI_freetuptable(SPI_tuptable);
}

/* One try in a subtransaction. *again: it failed in a way that another try may cure. */
static LaAnswer *
try_pass(Visit *visit, bool *again)
{
	MemoryContext outside = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	LaAnswer *volatile answer = NULL;

	*again = false;
	visit->undo = false;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(outside);
	PG_TRY();
	{
		SPI_connect();
		MemoryContextSwitchTo(outside); /* the answer outlives SPI */
		la_require_version();
		answer = pass(visit);
		if (visit->route != NULL && visit->route->from_fold && visit->has_key &&
		    answer->status == visit->route->success)
			mark_fold(answer, visit->family, visit->key.workspace);
		SPI_finish();
		if (visit->undo)
			RollbackAndReleaseCurrentSubTransaction();
		else
			ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(outside);
		error = CopyErrorData();
		FlushErrorState();
		la_tenant_leave();
		RollbackAndReleaseCurrentSubTransaction();
		disable_timeout(STATEMENT_TIMEOUT, false);
		*again = error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		         error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
		answer = error_answer(visit, error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(outside);
	CurrentResourceOwner = owner;
	if (visit->route != NULL && visit->route->cors)
		la_cors_mark(answer, visit->request, visit->readable);
	/* What a key may see depends on its role, and bodies have the documents' fields alone (D-80). */
	if (visit->has_key && strcmp(la_family_name(visit->family), "dashboard") == 0)
		la_answer_header(answer, "X-Key-Role", visit->key.role);
	la_meter_mark(answer, &visit->rate, &visit->usage);
	return answer;
}

static Datum
handle(bytea *body, bool writing)
{
	Visit visit = {.came_at = GetCurrentTimestamp(), .writing = writing};
	LaAnswer *answer;
	bool again = true;

	visit.request = la_request_read(body);
	visit.family = la_family_of_path(visit.request->segments);
	for (int i = 0; i < TRIES && again; i++)
	{
		CHECK_FOR_INTERRUPTS();
		answer = try_pass(&visit, &again);
	}
	PG_RETURN_BYTEA_P(la_answer_send(answer));
}

LA_FUNCTION(la_http_handle_ro)
{
	return handle(PG_GETARG_BYTEA_PP(0), false);
}

LA_FUNCTION(la_http_handle_rw)
{
	return handle(PG_GETARG_BYTEA_PP(0), true);
}

void
la_http_init(void)
{
	la_route_init();
}
