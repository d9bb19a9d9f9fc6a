/*
 * Handing an answer to PostgREST.
 *
 * PostgREST reads response.status and response.headers after the transaction has committed: a value it
 * cannot read becomes a 500 for work that was done. So both are made here only, from checked parts.
 *
 * Every error travels with its body in the header X-LA-Body, and nginx puts it back (nginx.conf): so an
 * answer that PostgREST made up itself, which has no such header, is never taken for ours. A 503 also
 * makes PostgREST drop its connections and reload its schema, whoever said it, so it leaves as 590; and a
 * 500 as 591.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/guc.h"

#include "core/json.h"
#include "http/answer.h"

/* nginx gives up on an answer whose head is larger than its proxy_buffer_size, 64 kB. */
#define MAX_VALUE 4096
#define MAX_TRAVELLING_BODY 32768

LaAnswer *
la_answer_make(int status)
{
	LaAnswer *answer = palloc0(sizeof(LaAnswer));

	answer->status = status;
	answer->content_type = "application/json";
	initStringInfo(&answer->body);
	return answer;
}

void
la_answer_header(LaAnswer *answer, const char *name, const char *value)
{
	LaPair *pair = palloc(sizeof(LaPair));

	pair->name = name;
	pair->value = value;
	answer->headers = lappend(answer->headers, pair);
}

static void
check_value(const char *name, const char *value)
{
	const char *c;

	for (c = value; *c >= ' ' && *c <= '~'; c++)
		;
	if (*c != '\0' || c - value > MAX_VALUE)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid value of header \"%s\"", name),
		         errhint("Use printable ASCII, at most %d characters; encode anything else.", MAX_VALUE)));
}

void
la_answer_function_header(LaAnswer *answer, const char *name, const char *value)
{
	static const char *const reserved[] = {
	    "X-Accel-",   "X-LA",       "Content-Length", "Content-Type", "Transfer-Encoding",
	    "Connection", "Set-Cookie", "Server",         "X-RateLimit-", "X-API-Usage-"};
	const char *c;

	for (int i = 0; i < lengthof(reserved); i++)
		if (pg_strncasecmp(name, reserved[i], strlen(reserved[i])) == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			                errmsg("a reply cannot set the header \"%s\"", name),
			                errhint("The content type is an argument of leadanalytics.reply() of its own.")));
	for (c = name;
	     (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-'; c++)
		;
	if (c == name || *c != '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid header name \"%s\"", name),
		                errhint("Use letters, digits and hyphens.")));
	check_value(name, value);
	la_answer_header(answer, name, value);
}

void
la_answer_function_type(LaAnswer *answer, const char *type)
{
	if (type != NULL)
		check_value("Content-Type", type);
	answer->content_type = type;
}

/* The settings die with the transaction, as PostgREST's own do. */
static void
set_local(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

static void
append_header(StringInfo list, const char *name, const char *value)
{
	appendStringInfoString(list, list->len > 1 ? ",{" : "{");
	la_json_quote(list, name);
	appendStringInfoChar(list, ':');
	la_json_quote(list, value);
	appendStringInfoChar(list, '}');
}

bytea *
la_answer_send(LaAnswer *answer)
{
	StringInfoData list;
	ListCell *cell;
	int status = answer->status;

	initStringInfo(&list);
	appendStringInfoChar(&list, '[');
	append_header(&list, "X-LA", "1");
	if (status >= 400)
	{
		if (status == 503 || status == 500)
			status = status == 503 ? 590 : 591;
		if (answer->body.len <= MAX_TRAVELLING_BODY) /* else nginx says the family's usual text */
			append_header(&list, "X-LA-Body", answer->body.data);
		resetStringInfo(&answer->body);
	}
	/* without any, PostgREST would call it application/octet-stream; nginx drops an empty one */
	append_header(&list, "Content-Type", answer->content_type ? answer->content_type : "");
	foreach (cell, answer->headers)
	{
		LaPair *pair = lfirst(cell);

		append_header(&list, pair->name, pair->value);
	}
	appendStringInfoChar(&list, ']');
	set_local("response.headers", list.data);
	set_local("response.status", psprintf("%d", status));
	return (bytea *) cstring_to_text_with_len(answer->body.data, answer->body.len);
}
