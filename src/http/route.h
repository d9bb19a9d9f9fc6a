/*
 * The routes of leadanalytics.route, compiled once a session and again after the table, a rate limit or a
 * function changed. A trigger on the tables sends a relation-cache invalidation, which every session receives
 * before its next transaction: looking at a route costs no query.
 */
#ifndef LA_ROUTE_H
#define LA_ROUTE_H

#include "executor/spi.h"
#include "nodes/pg_list.h"

#include "http/family.h"
#include "http/value.h"
#include "realtime/limit.h"

#define LA_ROUTE_MAX_ARGS 40

typedef enum LaPlace
{
	LA_PLACE_PATH,
	LA_PLACE_QUERY,
	LA_PLACE_BODY,
	LA_PLACE_DOCUMENT,
} LaPlace;

typedef struct LaParam
{
	const char *name;
	LaPlace place;
	int segment; /* of the path, for LA_PLACE_PATH */
	const char *arg;
	const LaValueType *type;
	bool required;
	bool lenient;
	const char *fallback;  /* NULL: otherwise */
	const char *otherwise; /* the SQL expression of the function's own default; NULL: null */
	bool has_min, has_max;
	double min, max;
	List *choices;     /* of char *; NIL: any */
	const char *error; /* NULL: the usual text */
} LaParam;

/* What the door knows about a request and passes to a function that asks for it by argument name. */
typedef enum LaContext
{
	LA_CONTEXT_WORKSPACE,
	LA_CONTEXT_AS_ROLE,
	LA_CONTEXT_ACTOR_KEY,
	LA_CONTEXT_CLIENT_IP,
	LA_CONTEXT_USER_AGENT,
	LA_CONTEXT_ORIGIN,
	LA_CONTEXT_REFERER,
	LA_CONTEXT_REQUEST_ID,
	LA_CONTEXT_IDEMPOTENCY_KEY,
	LA_CONTEXT_SLICE,
	LA_CONTEXT_NOW,
	LA_CONTEXT_COUNT,
} LaContext;

typedef struct LaRoute
{
	const char *method;
	const char *path;
	List *segments; /* of char *; a parameter starts with ':' */
	const LaFamily *family;
	List *roles; /* of char * */
	bool public;
	int success;
	bool writes;
	bool sliced;
	bool paged;
	bool cors;
	bool idempotent;
	bool from_fold;
	const char *feature; /* what the plan of the key's workspace must have; NULL: nothing */
	int timeout_ms;
	const LaRateClass *rate; /* its own, else its family's; NULL: none */
	const char *message;
	const char *call; /* NULL: there is no such function, or none that could be called */
	const char *function;
	bool replies;       /* returns leadanalytics.reply, not JSON */
	List *params;       /* LaParam, in order */
	bool has_document;  /* the body is bound whole */
	bool has_form;      /* … as the fields of a form in any of its content types */
	bool has_members;   /* members of the body are bound */
	bool has_workspace; /* a segment of the path names the workspace */
	int ncontext;       /* the function's arguments: the context first, then the parameters */
	LaContext context[LA_CONTEXT_COUNT];
	SPIPlanPtr plan; /* made at the first call */
} LaRoute;

/* All routes of the best matching path, or NIL. Connected to SPI. Valid until the end of the request. */
extern List *la_route_match(List *segments);

/* The one of them for a method (HEAD is GET's), or NULL. */
extern LaRoute *la_route_for_method(List *routes, const char *method);

/* The rate class of paths and methods of the family that have no route, or NULL. After la_route_match(). */
extern const LaRateClass *la_route_family_rate(const LaFamily *family, const char *method);

/*
 * The GET route of exactly this path, parameters by their names, or NULL: for a question that is asked inside
 * of other work. Valid until that asks the next one.
 */
extern LaRoute *la_route_named(const char *path);

/* Have the statement that calls the route's function planned, for arguments of these types. */
extern void la_route_prepare(LaRoute *route, int count, Oid *types);

/* Whether keys of a role may call it. */
extern bool la_route_opens_to(const LaRoute *route, const char *role);

/* "GET, HEAD, OPTIONS": what the path allows. */
extern const char *la_route_methods(List *routes);

extern Oid la_context_type(LaContext context);

extern void la_route_init(void);

#endif
