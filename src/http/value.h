/*
 * Types of parameters: how the text of a request becomes a Datum, and what OpenAPI calls it.
 * None of these raises for bad input.
 */
#ifndef LA_VALUE_H
#define LA_VALUE_H

#include "core/json.h"

typedef struct LaValueType
{
	const char *name; /* as in route_param.type */
	Oid oid;          /* what is passed to the function */
	bool (*read)(const char *text, Datum *value);
} LaValueType;

/* The type of that name; raises when there is none. */
extern const LaValueType *la_value_type(const char *name);

/* A tree as json; false when it holds a number that jsonb cannot. */
extern bool la_value_json(const LaJson *node, Datum *value);

/*
 * An integer as people write it: an optional sign and digits. Too large for int64: *value is its end.
 * false when it is no integer.
 */
extern bool la_value_integer(const char *text, int64 *value);

#endif
