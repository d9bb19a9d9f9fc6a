/*
 * CORS; the contract is in cors.h. The origin is echoed, never "*": credentials are allowed.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/query.h"
#include "http/cors.h"

static LaQuery origin_allowed = {"SELECT leadanalytics.origin_allowed($1, $2)", 2, {TEXTOID, INT4OID}};

bool
la_cors_allowed(const LaRequest *request, int workspace)
{
	Datum values[2] = {(Datum) 0, Int32GetDatum(workspace)};
	bool isnull;
	Datum value;

	if (request->origin == NULL)
		return false;
	values[0] = CStringGetTextDatum(request->origin);
	la_query_run(&origin_allowed, values, workspace > 0 ? NULL : " n", true, 1);
	value = la_query_value(0, 1, &isnull);
	return !isnull && DatumGetBool(value);
}

void
la_cors_mark(LaAnswer *answer, const LaRequest *request, bool allowed)
{
	la_answer_header(answer, "Vary", "Origin");
	if (!allowed)
		return;
	la_answer_header(answer, "Access-Control-Allow-Origin", request->origin);
	la_answer_header(answer, "Access-Control-Allow-Credentials", "true");
	la_answer_header(answer, "Access-Control-Expose-Headers",
	                 "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-API-Usage-Used, "
	                 "X-API-Usage-Limit, X-API-Usage-Remaining, X-Request-Id, "
	                 "X-Data-As-Of, Retry-After");
}

LaAnswer *
la_cors_preflight(const LaRequest *request, List *routes)
{
	LaAnswer *answer = la_answer_make(204);
	LaRoute *wanted = request->wanted_method ? la_route_for_method(routes, request->wanted_method) : NULL;
	bool allowed;

	answer->content_type = NULL;
	if (routes != NIL)
		la_answer_header(answer, "Allow", la_route_methods(routes));
	if (wanted == NULL || !wanted->cors)
		return answer;
	allowed = la_cors_allowed(request, 0);
	la_cors_mark(answer, request, allowed);
	if (!allowed)
		return answer;
	la_answer_header(answer, "Access-Control-Allow-Methods", la_route_methods(routes));
	la_answer_header(answer, "Access-Control-Allow-Headers",
	                 "Authorization, X-API-Key, Content-Type, X-Batch-Size, Idempotency-Key");
	la_answer_header(answer, "Access-Control-Max-Age", "600");
	return answer;
}
