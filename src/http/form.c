/*
 * Reading forms; the contract is in form.h. The multipart body (RFC 7578, in the grammar of RFC 2046) is
 * read in form_part.c.
 *
 * A text is bounded: what is longer than MAX_VALUE is cut, for a lead must not be lost because somebody
 * pasted a book. More fields than MAX_FIELDS, or a longer name, are no form of a page.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/error.h"
#include "core/export.h"
#include "core/json.h"
#include "http/form.h"
#include "http/form_part.h"
#include "http/url.h"

#define MAX_FIELDS 200
#define MAX_NAME 200
#define MAX_VALUE 16384 /* bytes, as MAX_NAME */

typedef enum Kind
{
	JSON,
	URLENCODED,
	MULTIPART,
	PLAIN,
} Kind;

/* Whether the type is that one, whatever its parameters. */
static bool
is_type(const char *content_type, const char *name)
{
	int length = strlen(name);

	return pg_strncasecmp(content_type, name, length) == 0 && strchr("; \t", content_type[length]) != NULL;
}

static Kind
kind_of(const char *content_type)
{
	if (content_type == NULL)
		return PLAIN;
	if (is_type(content_type, "application/json"))
		return JSON;
	if (is_type(content_type, "application/x-www-form-urlencoded"))
		return URLENCODED;
	if (is_type(content_type, "multipart/form-data"))
		return MULTIPART;
	return PLAIN;
}

/* The value cut to what we keep, at the end of a character. */
static const char *
bounded(const char *value)
{
	int length = strlen(value);

	if (length <= MAX_VALUE)
		return value;
	return pnstrdup(value, pg_mbcliplen(value, length, MAX_VALUE));
}

bool
la_form_add(List **fields, const char *name, const char *value, const char **error)
{
	LaPair *pair = NULL;
	ListCell *cell;

	if (*name == '\0')
		return true;
	foreach (cell, *fields)
		if (strcmp(((LaPair *) lfirst(cell))->name, name) == 0)
			pair = lfirst(cell);
	if (pair == NULL)
	{
		if (list_length(*fields) >= MAX_FIELDS || strlen(name) > MAX_NAME)
		{
			*error = "too many fields";
			return false;
		}
		pair = palloc(sizeof(LaPair));
		pair->name = name;
		*fields = lappend(*fields, pair);
	}
	pair->value = bounded(value);
	return true;
}

static bool
read_json(const char *body, int length, List **fields, const char **error)
{
	const LaJson *object = la_json_parse(body, length, error);

	if (object == NULL)
		return false;
	if (object->type != LA_JSON_OBJECT)
	{
		*error = "not an object";
		return false;
	}
	la_json_foreach (member, object)
	{
		const char *value = member->text;

		if (member->type == LA_JSON_NULL)
			continue;
		if (member->type == LA_JSON_ARRAY || member->type == LA_JSON_OBJECT)
		{
			Jsonb *tree = la_json_to_jsonb(member, error);

			if (tree == NULL)
				return false;
			value = JsonbToCString(NULL, &tree->root, VARSIZE(tree));
		}
		if (!la_form_add(fields, member->key, value, error))
			return false;
	}
	return true;
}

static bool
looks_like_json(const char *body)
{
	return body[strspn(body, " \t\r\n")] == '{';
}

static bool
read_urlencoded(const char *body, List **fields, const char **error)
{
	ListCell *cell;

	foreach (cell, la_url_query(body))
	{
		const LaPair *pair = lfirst(cell);

		if (pair->value == NULL)
		{
			*error = "not urlencoded";
			return false;
		}
		if (!la_form_add(fields, pair->name, pair->value, error))
			return false;
	}
	return true;
}

/* "name=value" lines, as a form of enctype text/plain; a line without "=" goes on with the value before. */
static bool
read_lines(char *body, List **fields, const char **error)
{
	while (body != NULL && *body != '\0')
	{
		char *line = body;
		char *end = strchr(body, '\n');
		char *equals;

		body = end ? end + 1 : NULL;
		if (end != NULL)
			*end = '\0';
		if (end != NULL && end > line && end[-1] == '\r')
			end[-1] = '\0';
		equals = strchr(line, '=');
		if (equals != NULL)
		{
			*equals = '\0';
			if (!la_form_add(fields, line, equals + 1, error))
				return false;
		}
		else if (*fields != NIL)
		{
			LaPair *last = llast(*fields);

			if (strlen(last->value) < MAX_VALUE)
				last->value = bounded(psprintf("%s\n%s", last->value, line));
		}
		else if (*line != '\0')
		{
			*error = "no name";
			return false;
		}
	}
	return true;
}

/* What no type tells is told by its looks. */
static bool
read_plain(char *body, int length, List **fields, const char **error)
{
	if (looks_like_json(body))
		return read_json(body, length, fields, error);
	if (strchr(body, '\n') == NULL)
		return read_urlencoded(body, fields, error);
	return read_lines(body, fields, error);
}

/* The fields as a List of LaPair; false with *error set. */
static bool
read_fields(const char *content_type, const char *body, int length, List **fields, const char **error)
{
	char *text;

	*error = "not UTF-8 without a byte 0";
	if (memchr(body, '\0', length) != NULL || !pg_verify_mbstr(PG_UTF8, body, length, true))
		return false;
	text = pnstrdup(body, length);
	switch (kind_of(content_type))
	{
		case JSON:
			return read_json(text, length, fields, error);
		case URLENCODED: /* what curl -d calls everything */
			return looks_like_json(text) ? read_json(text, length, fields, error)
			                             : read_urlencoded(text, fields, error);
		case MULTIPART:
			return la_form_parts(content_type, text, length, fields, error);
		case PLAIN:
			return read_plain(text, length, fields, error);
	}
	pg_unreachable();
}

char *
la_form_json(const char *content_type, const char *body, int length, const char **error)
{
	List *fields = NIL;
	const char *why;
	StringInfoData json;
	ListCell *cell;

	if (!read_fields(content_type, body, length, &fields, &why))
	{
		*error = why;
		return NULL;
	}
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	foreach (cell, fields)
	{
		const LaPair *pair = lfirst(cell);

		if (json.len > 1)
			appendStringInfoChar(&json, ',');
		la_json_quote(&json, pair->name);
		appendStringInfoChar(&json, ':');
		la_json_quote(&json, pair->value);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

LA_FUNCTION(la_http_form_fields)
{
	bytea *body = PG_ARGISNULL(1) ? cstring_to_text("") : PG_GETARG_BYTEA_PP(1);
	const char *why = NULL;
	char *json = la_form_json(PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0)),
	                          VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), &why);

	if (json == NULL)
		ereport(ERROR, (errcode(LA_BAD_REQUEST), errmsg("Invalid request body"), errhint("Cause: %s.", why)));
	PG_RETURN_TEXT_P(cstring_to_text(json));
}
