/*
 * Rate limits (D-75): how many requests of a class may come in a window of time.
 *
 * A class is a row of leadanalytics.rate_class. Its windows have a fixed length and begin at multiples of it
 * since 1970; they stand in shared memory (limit_window.c), so that counting needs no write to the database
 *and works on a standby, where it is the standby's own. Whose windows they are:
 *
 *	the request has				a class per key		per workspace	per ip	per workspace_ip
 *	a key with a limit of its own		that key's and class's, of a minute, with the key's limit
 *	another valid key			the key's		the workspace's	the ip's	workspace's and ip's
 *	none, or no valid one			the ip's		the ip's	the ip's	the ip's
 *
 * Without preloading nothing is counted: windows are shown full and no request is refused.
 */
#ifndef LA_LIMIT_H
#define LA_LIMIT_H

#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "tenant/tenant.h"

typedef enum LaRatePer
{
	LA_RATE_KEY,
	LA_RATE_WORKSPACE,
	LA_RATE_IP,
	LA_RATE_WORKSPACE_IP,
} LaRatePer;

typedef struct LaRateClass
{
	const char *name;
	uint64 number; /* stands for the name in the windows */
	LaRatePer per;
	int requests;       /* a window; 0: any number */
	int seconds;        /* the window's length */
	const char *family; /* whose class it is when a route names none; NULL: no family's */
	const char *method; /* … of this method; NULL: of all */
	bool spares_whitelisted;
} LaRateClass;

/* What a request is told of its window. */
typedef struct LaRate
{
	bool limited; /* else there is no limit, and the rest is nothing */
	bool refused; /* it is one too many */
	int limit;
	int remaining;
	int64 reset; /* when the window ends, Unix seconds */
	int wait;    /* until then, s; at least 1 */
} LaRate;

/* All classes with their limits (LaRateClass) in the current memory context. Connected to SPI. */
extern List *la_rate_classes(void);

/* The class of that name, and the one of a family's routes and paths that name none; NULL: none. */
extern const LaRateClass *la_rate_class_named(List *classes, const char *name);
extern const LaRateClass *la_rate_class_of_family(List *classes, const char *family, const char *method);

/*
 * Count a request. class NULL: it has none; key NULL: it has no valid one; ip: an inet, 0 when unknown. With
 * look it was counted before, and is only told.
 */
extern LaRate la_rate_spend(const LaRateClass *class, const LaKey *key, Datum ip, TimestampTz now, bool look);

extern void la_limit_init(void);

#endif
