/*
 * Contract families: whose prefix a path has, and the shapes of their answers. One row each in family.c.
 */
#ifndef LA_FAMILY_H
#define LA_FAMILY_H

#include "lib/stringinfo.h"

#include "nodes/pg_list.h"

typedef struct LaProblem
{
	int status;
	const char *message; /* NULL: the family's text for the status */
	const char *code;    /* campaigns: instead of the code of the status; else NULL */
	const char *errors;  /* engagement: [{"field","message"}] as JSON; else NULL */
	int wait;            /* seconds until another try may succeed, for Retry-After; 0: not known */
} LaProblem;

typedef struct LaFamily LaFamily;

/* The family of a decoded path by its longest prefix; never NULL ("plain" outside all prefixes). */
extern const LaFamily *la_family_of_path(List *segments);

extern const char *la_family_name(const LaFamily *family);
extern const LaFamily *la_family_by_name(const char *name);

/*
 * A function's JSON text in the family's envelope. message: the route's, for families that show one; paged:
 * it is
 * {"data", "pagination"}, which the engagement family shows side by side.
 */
extern void la_family_success(const LaFamily *family, StringInfo out, int status, const char *message,
                              const char *json, int length, bool paged);

extern void la_family_error(const LaFamily *family, StringInfo out, const LaProblem *problem);

/* Whether the family has a text of its own for the status, which then is its only one. */
extern bool la_family_has_text(const LaFamily *family, int status);

/* What is wrong with a parameter: engagement lists all in a 422, the others say the first in a 400. */
extern bool la_family_lists_errors(const LaFamily *family);

/* What the family says to a key whose workspace is not the path's: the same for a foreign one and none. */
extern const LaProblem *la_family_no_workspace(const LaFamily *family);

#endif
