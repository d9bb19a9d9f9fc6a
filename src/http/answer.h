/*
 * An answer on its way out: status, headers, body.
 */
#ifndef LA_ANSWER_H
#define LA_ANSWER_H

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "http/url.h"

typedef struct LaAnswer
{
	int status;
	List *headers; /* LaPair; no Content-Type */
	const char *content_type;
	StringInfoData body;
} LaAnswer;

/* An empty answer in the current memory context; JSON until said otherwise. */
extern LaAnswer *la_answer_make(int status);

extern void la_answer_header(LaAnswer *answer, const char *name, const char *value);

/*
 * Add a header that a route's function made. Raises for a name or value that would break the
 * response, and for names that belong to nginx and the door.
 */
extern void la_answer_function_header(LaAnswer *answer, const char *name, const char *value);

/*
 * Hand the answer to PostgREST (response.status, response.headers, the body). To be called outside any
 * subtransaction: settings made inside one roll back with it.
 */
extern bytea *la_answer_send(LaAnswer *answer);

#endif
