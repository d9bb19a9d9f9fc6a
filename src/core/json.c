/*
 * JSON of requests; the contract is in json.h.
 *
 * Before the parser runs, one pass over the text ("heal") counts the nesting and overwrites in place
 * the escapes that PostgreSQL's text cannot hold: \u0000 and lone surrogates become \ufffd, which has
 * the same length. The parser recurses, so the nesting must be known before it is called: a body of a
 * million brackets would otherwise cost a second and end in "stack depth limit exceeded".
 */
#include "postgres.h"

#include <math.h>

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "core/json.h"

/* jsonb takes larger numbers; nothing that a web page measures needs them, and their digits cost memory. */
#define MAX_NUMBER_LENGTH 400
#define MAX_NUMBER_EXPONENT 400

typedef struct Builder
{
	LaJson *root;
	LaJson *open[LA_JSON_MAX_DEPTH + 1]; /* arrays and objects not closed yet, outermost first */
	int depth;
	const char *name; /* of the member whose value comes next */
} Builder;

static int
hex4(const char *at, const char *end)
{
	int value = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++)
	{
		char c = at[i];
		int digit = (c >= '0' && c <= '9')   ? c - '0'
		            : (c >= 'a' && c <= 'f') ? c - 'a' + 10
		            : (c >= 'A' && c <= 'F') ? c - 'A' + 10
		                                     : -1;

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* Mend the escapes inside strings; false when the nesting is too deep. */
static bool
heal(char *text, int length)
{
	char *end = text + length;
	bool in_string = false;
	int depth = 0;

	for (char *c = text; c < end; c++)
	{
		if (!in_string)
		{
			if (*c == '"')
				in_string = true;
			else if (*c == '[' || *c == '{')
			{
				if (++depth > LA_JSON_MAX_DEPTH)
					return false;
			}
			else if (*c == ']' || *c == '}')
				depth--;
			continue;
		}
		if (*c == '"')
			in_string = false;
		else if (*c == '\\' && c + 1 < end)
		{
			c++;
			if (*c == 'u')
			{
				int code = hex4(c + 1, end);
				bool paired = false;

				if (code >= 0xD800 && code <= 0xDBFF && end - c > 10 && c[5] == '\\' && c[6] == 'u')
				{
					int low = hex4(c + 7, end);

					paired = low >= 0xDC00 && low <= 0xDFFF;
				}
				if (paired)
					c += 10;
				else if (code == 0 || (code >= 0xD800 && code <= 0xDFFF))
					memcpy(c + 1, "fffd", 4);
			}
		}
	}
	return true;
}

static LaJson *
add_node(Builder *builder, LaJsonType type)
{
	LaJson *node = palloc0(sizeof(LaJson));
	LaJson *parent = builder->depth > 0 ? builder->open[builder->depth - 1] : NULL;

	node->type = type;
	node->key = builder->name;
	builder->name = NULL;
	if (parent == NULL)
		builder->root = node;
	else
	{
		if (parent->last)
			parent->last->next = node;
		else
			parent->first = node;
		parent->last = node;
		parent->count++;
	}
	return node;
}

static void
open_object(void *state)
{
	Builder *builder = state;
	LaJson *node = add_node(builder, LA_JSON_OBJECT);

	builder->open[builder->depth++] = node;
}

static void
open_array(void *state)
{
	Builder *builder = state;
	LaJson *node = add_node(builder, LA_JSON_ARRAY);

	builder->open[builder->depth++] = node;
}

static void
close_container(void *state)
{
	((Builder *) state)->depth--;
}

static void
member(void *state, char *name, bool isnull)
{
	((Builder *) state)->name = name;
}

static void
scalar(void *state, char *token, JsonTokenType type)
{
	LaJson *node = add_node(state, type == JSON_TOKEN_STRING   ? LA_JSON_STRING
	                               : type == JSON_TOKEN_NUMBER ? LA_JSON_NUMBER
	                               : type == JSON_TOKEN_NULL   ? LA_JSON_NULL
	                                                           : LA_JSON_BOOL);

	node->text = token;
	node->length = strlen(token);
}

/* A copy that the parser may be given, or NULL with *error. */
static char *
healed_copy(const char *text, int length, const char **error)
{
	char *copy;

	*error = NULL;
	if (!pg_verify_mbstr(PG_UTF8, text, length, true))
	{
		*error = "not valid UTF-8";
		return NULL;
	}
	copy = pnstrdup(text, length);
	if (!heal(copy, length))
	{
		*error = "nested too deep";
		return NULL;
	}
	return copy;
}

LaJson *
la_json_parse(const char *text, int length, const char **error)
{
	Builder builder = {0};
	JsonSemAction actions = {
	    .semstate = &builder,
	    .object_start = open_object,
	    .object_end = close_container,
	    .array_start = open_array,
	    .array_end = close_container,
	    .object_field_start = member,
	    .scalar = scalar,
	};
	char *copy = healed_copy(text, length, error);

	if (copy == NULL)
		return NULL;
	if (pg_parse_json(makeJsonLexContextCstringLen(copy, length, PG_UTF8, true), &actions) != JSON_SUCCESS)
	{
		*error = "not valid JSON";
		return NULL;
	}
	return builder.root;
}

char *
la_json_heal(const char *text, int length, const char **error)
{
	char *copy = healed_copy(text, length, error);

	/* with the escapes, to refuse what a function that reads its strings would stumble over */
	if (copy != NULL && pg_parse_json(makeJsonLexContextCstringLen(copy, length, PG_UTF8, true),
	                                  &nullSemAction) != JSON_SUCCESS)
	{
		*error = "not valid JSON";
		return NULL;
	}
	return copy;
}

const LaJson *
la_json_get(const LaJson *object, const char *name)
{
	const LaJson *found = NULL;

	if (object == NULL || object->type != LA_JSON_OBJECT)
		return NULL;
	la_json_foreach (child, object)
	{
		if (strcmp(child->key, name) == 0)
			found = child;
	}
	return found;
}

const char *
la_json_string(const LaJson *object, const char *name)
{
	const LaJson *node = la_json_get(object, name);

	return node != NULL && node->type == LA_JSON_STRING ? node->text : NULL;
}

bool
la_json_float(const LaJson *node, double *value)
{
	char *end;

	if (node == NULL || node->type != LA_JSON_NUMBER)
		return false;
	errno = 0;
	*value = strtod(node->text, &end);
	return *end == '\0' && isfinite(*value);
}

/* Whether numeric takes the number without filling pages with digits. */
static bool
number_fits(const LaJson *node)
{
	const char *exponent = strpbrk(node->text, "eE");

	return node->length <= MAX_NUMBER_LENGTH &&
	       (exponent == NULL || (strlen(exponent) <= 6 && abs(atoi(exponent + 1)) <= MAX_NUMBER_EXPONENT));
}

static JsonbValue *
push(JsonbParseState **state, const LaJson *node, JsonbIteratorToken token, const char **error)
{
	JsonbValue value;

	switch (node->type)
	{
		case LA_JSON_NULL:
			value.type = jbvNull;
			break;
		case LA_JSON_BOOL:
			value.type = jbvBool;
			value.val.boolean = node->text[0] == 't';
			break;
		case LA_JSON_STRING:
			value.type = jbvString;
			value.val.string.val = unconstify(char *, node->text);
			value.val.string.len = node->length;
			break;
		case LA_JSON_NUMBER:
			if (!number_fits(node))
			{
				*error = "number out of range";
				return NULL;
			}
			value.type = jbvNumeric;
			value.val.numeric = DatumGetNumeric(DirectFunctionCall3(
			    numeric_in, CStringGetDatum(node->text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
			break;
		case LA_JSON_ARRAY:
			pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
			la_json_foreach (child, node)
			{
				push(state, child, WJB_ELEM, error);
				if (*error)
					return NULL;
			}
			return pushJsonbValue(state, WJB_END_ARRAY, NULL);
		case LA_JSON_OBJECT:
			pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
			la_json_foreach (child, node)
			{
				JsonbValue key;

				key.type = jbvString;
				key.val.string.val = unconstify(char *, child->key);
				key.val.string.len = strlen(child->key);
				pushJsonbValue(state, WJB_KEY, &key);
				push(state, child, WJB_VALUE, error);
				if (*error)
					return NULL;
			}
			return pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	return pushJsonbValue(state, token, &value);
}

Jsonb *
la_json_to_jsonb(const LaJson *node, const char **error)
{
	JsonbParseState *state = NULL;
	JsonbValue *root;

	*error = NULL;
	if (node->type == LA_JSON_ARRAY || node->type == LA_JSON_OBJECT)
		root = push(&state, node, WJB_VALUE, error);
	else
	{
		/* jsonb keeps a lone scalar as an array of one that remembers it is none */
		JsonbValue array = {.type = jbvArray, .val.array.rawScalar = true};

		array.val.array.nElems = 1;
		pushJsonbValue(&state, WJB_BEGIN_ARRAY, &array);
		push(&state, node, WJB_ELEM, error);
		root = *error ? NULL : pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	}
	return *error ? NULL : JsonbValueToJsonb(root);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void
la_json_compact(StringInfo out, const char *text, int length)
{
	const char *end = text + length;
	const char *from = text; /* the start of what is kept and not yet copied */
	bool in_string = false;

	for (const char *c = text; c < end; c++)
	{
		if (in_string)
		{
			if (*c == '\\')
				c++;
			else if (*c == '"')
				in_string = false;
		}
		else if (*c == '"')
			in_string = true;
		else if (is_space(*c))
		{
			appendBinaryStringInfo(out, from, c - from);
			from = c + 1;
		}
	}
	appendBinaryStringInfo(out, from, end - from);
}

void
la_json_quote(StringInfo out, const char *text)
{
	if (text == NULL)
		appendStringInfoString(out, "null");
	else
		escape_json(out, text);
}
