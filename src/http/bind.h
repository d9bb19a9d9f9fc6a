/*
 * Binding: the values a request gives to the parameters of its route. Only listed names bind; unknown
 * ones are ignored; a repeated one counts as its last.
 */
#ifndef LA_BIND_H
#define LA_BIND_H

#include "http/request.h"
#include "http/route.h"

typedef struct LaBound
{
	int count;
	Datum values[LA_ROUTE_MAX_ARGS];
	char nulls[LA_ROUTE_MAX_ARGS + 1]; /* as SPI_execute_plan wants them */
	Oid types[LA_ROUTE_MAX_ARGS];
} LaBound;

/* The workspace in the path, which the door judges whatever is wrong with the rest; NULL: none. */
extern const char *la_bind_workspace(const LaRoute *route, const LaRequest *request);

/*
 * Append the route's parameters to bound. Returns NULL, or what is wrong in the words of the family:
 * the first fault, or all of them where the family lists errors.
 */
extern const LaProblem *la_bind(const LaRoute *route, const LaRequest *request, LaBound *bound);

#endif
