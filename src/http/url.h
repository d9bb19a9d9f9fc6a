/*
 * Parts of a URI, percent-decoded once. Pure functions of bytes: no state, no catalogue.
 */
#ifndef LA_URL_H
#define LA_URL_H

#include "nodes/pg_list.h"

/* A name and its value, as in a query string or a list of headers. */
typedef struct LaPair
{
	const char *name;
	const char *value;
} LaPair;

/*
 * length bytes decoded into a palloc'd string, or NULL when an escape is broken, or the result is no
 * UTF-8 or holds a NUL. plus: '+' stands for a space (query strings and forms, not paths).
 */
extern char *la_url_decode(const char *text, int length, bool plus);

/* The decoded segments of "/a/b" ("a", "b") as a List of char *; false when one cannot be decoded. */
extern bool la_url_segments(const char *path, int length, List **segments);

/*
 * "a=1&b" as a List of LaPair, in order. A pair that cannot be decoded keeps its name where that
 * can be read and has a NULL value: an error only for whom the name concerns.
 */
extern List *la_url_query(const char *query);

/* The last value of that name; *given tells an unreadable value (NULL, true) from none (NULL, false). */
extern const char *la_url_last(List *pairs, const char *name, bool *given);

#endif
