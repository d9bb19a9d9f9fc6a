/*
 * JSON of requests: what is asked of a tree, and the writer's verbs. The contract is in json.h, the
 * reading in json_parse.c.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "core/json.h"

/* jsonb takes larger numbers; nothing that a web page measures needs them, and their digits cost memory. */
#define MAX_NUMBER_LENGTH 400
#define MAX_NUMBER_EXPONENT 400

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
push(JsonbParseState **state, const LaJson *node, JsonbIteratorToken token, int depth, const char **error)
{
	JsonbValue value;

	if (depth >= LA_JSON_MAX_KEPT && (node->type == LA_JSON_ARRAY || node->type == LA_JSON_OBJECT))
	{
		*error = "value nested too deep";
		return NULL;
	}

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
				push(state, child, WJB_ELEM, depth + 1, error);
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
				push(state, child, WJB_VALUE, depth + 1, error);
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
		root = push(&state, node, WJB_VALUE, 0, error);
	else
	{
		/* jsonb keeps a lone scalar as an array of one that remembers it is none */
		JsonbValue array = {.type = jbvArray, .val.array.rawScalar = true};

		array.val.array.nElems = 1;
		pushJsonbValue(&state, WJB_BEGIN_ARRAY, &array);
		push(&state, node, WJB_ELEM, 0, error);
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
