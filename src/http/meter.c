/*
 * Rate limits at the door; the contract is in meter.h.
 *
 * Whether an address is whitelisted is asked only when its window is spent: the usual request pays for the
 * window alone. Without a key that takes the workspace, which is told by the body as a post of events or of a
 * form tells it (D-69); one that is nobody's is refused with 403 there as it would be by the route's
 * function.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "core/json.h"
#include "core/query.h"
#include "http/body.h"
#include "http/form.h"
#include "http/meter.h"
#include "policy/policy.h"

static LaQuery public_workspace = {
    "SELECT leadanalytics.public_workspace($1, $2, $3, $4)", 4, {TEXTOID, TEXTOID, TEXTOID, TEXTOID}};

/* An inet, or 0. */
static Datum
address_of(const LaRequest *request)
{
	Datum ip;

	return request->client_ip && la_value_type("ip")->read(request->client_ip, &ip) ? ip : (Datum) 0;
}

/* It was counted then: nginx sent it on. */
static bool
came_before(const LaRequest *request, bool writing)
{
	bool is_get = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;

	return request->slice != NULL || (writing && is_get);
}

LaRate
la_meter_spend(const LaFamily *family, const LaRoute *route, const LaRequest *request, const LaKey *key,
               bool writing)
{
	const LaRateClass *class = route ? route->rate : la_route_family_rate(family, request->method);
	LaRate rate =
	    la_rate_spend(class, key, address_of(request), GetCurrentTimestamp(), came_before(request, writing));

	if (request->slice != NULL)
		rate.refused = false; /* a file that was begun is sent to its end */
	return rate;
}

LaUsage
la_meter_use(const LaFamily *family, const LaRequest *request, const LaKey *key, const LaRate *rate,
             bool writing)
{
	if (key == NULL || !la_family_tells_usage(family))
		return (LaUsage){0};
	return la_usage_spend(key->workspace, key->api_limit, GetCurrentTimestamp(),
	                      rate->refused || came_before(request, writing));
}

/* The body as an object, or NULL. */
static const LaJson *
read_body(const LaRoute *route, LaRequest *request)
{
	const char *body;
	const char *why = NULL;
	const LaJson *object;
	int length;

	if (la_body_decode(request) != NULL || request->body_length == 0)
		return NULL;
	body = request->body;
	length = request->body_length;
	if (route->has_form)
	{
		body = la_form_json(request->content_type, body, length, &why);
		length = body ? strlen(body) : 0;
	}
	object = body ? la_json_parse(body, length, &why) : NULL;
	return object != NULL && object->type == LA_JSON_OBJECT ? object : NULL;
}

/* A text of the object by its name in any case, NULL when there is none or it is empty. */
static const char *
text_named(const LaJson *object, const char *name)
{
	if (object == NULL || object->type != LA_JSON_OBJECT)
		return NULL;
	la_json_foreach (member, object)
		if (member->type == LA_JSON_STRING && pg_strcasecmp(member->key, name) == 0 && *member->text != '\0')
			return member->text;
	return NULL;
}

static int
workspace_of_post(const LaRoute *route, LaRequest *request)
{
	const LaJson *body = read_body(route, request);
	const LaJson *events = body ? la_json_get(body, "events") : NULL;
	const char *slug = text_named(body, "workspace_id");
	const char *texts[4] = {slug, text_named(body, "siteKey"), request->origin, request->referer};
	Datum values[4] = {0};
	char nulls[5] = "nnnn";
	bool isnull;

	if (slug == NULL && events != NULL && events->type == LA_JSON_ARRAY)
		texts[0] = text_named(events->first, "workspace_id");
	for (int i = 0; i < lengthof(texts); i++)
		if (texts[i] != NULL)
		{
			values[i] = CStringGetTextDatum(texts[i]);
			nulls[i] = ' ';
		}
	la_query_run(&public_workspace, values, nulls, true, 1);
	return DatumGetInt32(la_query_value(0, 1, &isnull));
}

bool
la_meter_spares(const LaRoute *route, LaRequest *request, const LaKey *key)
{
	Datum ip = address_of(request);
	LaPolicy policy;

	if (route->rate == NULL || !route->rate->spares_whitelisted || (key && key->per_minute >= 0) || ip == 0)
		return false;
	policy = la_policy_find(key ? key->workspace : workspace_of_post(route, request), ip);
	return policy == LA_POLICY_TEST || policy == LA_POLICY_INTERNAL;
}

void
la_meter_mark(LaAnswer *answer, const LaRate *rate, const LaUsage *usage)
{
	if (rate->limited)
	{
		la_answer_header(answer, "X-RateLimit-Limit", psprintf("%d", rate->limit));
		la_answer_header(answer, "X-RateLimit-Remaining", psprintf("%d", rate->remaining));
		la_answer_header(answer, "X-RateLimit-Reset", psprintf(INT64_FORMAT, rate->reset));
	}
	if (usage->told)
	{
		la_answer_header(answer, "X-API-Usage-Used", psprintf(INT64_FORMAT, usage->used));
		la_answer_header(answer, "X-API-Usage-Limit", psprintf(INT64_FORMAT, usage->limit));
		la_answer_header(answer, "X-API-Usage-Remaining", psprintf(INT64_FORMAT, usage->remaining));
	}
}
