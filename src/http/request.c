/*
 * Reading a request. The headers are what nginx listed (see nginx.conf): nothing else of the client's
 * reaches us. A caller that is not PostgREST may set request.headers to anything, and gains nothing by
 * it: whom a request speaks for comes from a key that must be in it.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "core/json.h"
#include "http/request.h"

typedef struct HeaderField
{
	const char *name;
	size_t offset;
} HeaderField;

#define FIELD(header, member)                                                                                \
	{                                                                                                        \
		header, offsetof(LaRequest, member)                                                                  \
	}

static const HeaderField fields[] = {
    FIELD("x-la-method", method),      FIELD("x-la-auth", authorization), FIELD("x-la-key", api_key),
    FIELD("x-la-ip", client_ip),       FIELD("x-la-rid", request_id),     FIELD("x-la-agent", user_agent),
    FIELD("x-la-origin", origin),      FIELD("x-la-referer", referer),    FIELD("x-la-idem", idempotency_key),
    FIELD("x-la-acrm", wanted_method), FIELD("x-la-encoding", encoding),  FIELD("x-la-limit", body_limit),
    FIELD("x-la-type", content_type),  FIELD("x-la-slice", slice),        FIELD("x-la-range", range),
    FIELD("x-la-ahead", ahead),
};

LaRequest *
la_request_read(bytea *body)
{
	LaRequest *request = palloc0(sizeof(LaRequest));
	const char *text = GetConfigOption("request.headers", true, false);
	const char *error;
	const LaJson *headers = text ? la_json_parse(text, strlen(text), &error) : NULL;
	const char *uri = la_json_string(headers, "x-la-uri");
	const char *question;

	for (int i = 0; i < lengthof(fields); i++)
		*(const char **) ((char *) request + fields[i].offset) = la_json_string(headers, fields[i].name);
	if (uri == NULL || request->method == NULL || uri[0] != '/')
		/* not of class 08: for that PostgREST would drop its connections and reload its schema */
		ereport(
		    ERROR,
		    (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
		     errmsg("this is not a request that nginx sent"),
		     errhint("The functions of schema leadanalytics_door are called by PostgREST behind nginx, as "
		             "configured by ./leadanalytics up.")));
	if (request->request_id == NULL)
		request->request_id = "-";

	if (request->idempotency_key != NULL && strcmp(request->idempotency_key, "!") == 0)
	{
		request->idempotency_key = NULL;
		request->bad_idempotency_key = true;
	}
	if (request->idempotency_key != NULL && *request->idempotency_key == '\0')
		request->idempotency_key = NULL;

	question = strchr(uri, '?');
	request->path = question ? pnstrdup(uri, question - uri) : uri;
	request->bad_path = !la_url_segments(request->path, strlen(request->path), &request->segments);
	request->query = question ? la_url_query(question + 1) : NIL;
	request->body = VARDATA_ANY(body);
	request->body_length = VARSIZE_ANY_EXHDR(body);
	return request;
}

const char *
la_request_key(const LaRequest *request)
{
	const char *bearer = request->authorization;

	if (bearer != NULL && pg_strncasecmp(bearer, "Bearer", 6) == 0 && (bearer[6] == ' ' || bearer[6] == '\0'))
	{
		bearer += 6;
		bearer += strspn(bearer, " ");
		if (*bearer != '\0')
			return bearer;
	}
	return request->api_key != NULL && *request->api_key != '\0' ? request->api_key : NULL;
}
