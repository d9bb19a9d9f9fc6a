/*
 * Requests of a month (UTC) by workspace (S2-03): how many a plan takes, and how many there were.
 *
 * They are counted in shared memory, as a request that only reads may write nothing, and saved to
 * leadanalytics.usage_month by a unit of the worker (leadanalytics.save_requests(), every ten seconds). The
 * first request of a workspace after a start reads what was saved. So a crash, or a stop, loses at most the
 * requests since the last save, and nobody is ever told more than there were. A standby tells what was saved
 * on its primary and what itself counted since it started; that it saves when it is promoted.
 *
 * Without preloading nothing is counted: what was saved is told.
 */
#ifndef LA_USAGE_H
#define LA_USAGE_H

#include "utils/date.h"

/* What a request is told of its workspace's use. */
typedef struct LaUsage
{
	bool told;    /* else the rest is nothing */
	bool refused; /* the plan's are used up, and leadanalytics.enforce_limits is on */
	int64 used;   /* with this one, unless it is refused */
	int64 limit;
	int64 remaining;
	int wait; /* until the month ends, s */
} LaUsage;

/*
 * Count a request of the workspace, against its plan's limit. With look it was counted before, and is only
 * told. Connected to SPI.
 */
extern LaUsage la_usage_spend(int workspace, int64 limit, TimestampTz now, bool look);

extern void la_usage_init(void);

#endif
