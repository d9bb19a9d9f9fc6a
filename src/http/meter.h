/*
 * Rate limits at the door: which class a request is of, what its answer says of the window, and whom a spent
 * window does not stop.
 */
#ifndef LA_METER_H
#define LA_METER_H

#include "http/answer.h"
#include "http/request.h"
#include "http/route.h"
#include "realtime/limit.h"
#include "realtime/usage.h"

/*
 * Count the request, which is for the route, or with NULL for a path or method of the family that has none.
 * key NULL: without a valid one. A GET that nginx sent on to the writing side was counted on the reading one.
 */
extern LaRate la_meter_spend(const LaFamily *family, const LaRoute *route, const LaRequest *request,
                             const LaKey *key, bool writing);

/* Whether a request that is one too many goes on all the same: it comes from a whitelisted address. */
extern bool la_meter_spares(const LaRoute *route, LaRequest *request, const LaKey *key);

/*
 * Count it as use of the workspace's plan, in a family that tells how much that is; with no valid key,
 * elsewhere, and where its window refused it nothing is used. The same GET is counted once, too.
 */
extern LaUsage la_meter_use(const LaFamily *family, const LaRequest *request, const LaKey *key,
                            const LaRate *rate, bool writing);

/* X-RateLimit-*, when there is a limit, and X-API-Usage-*, when use is told. */
extern void la_meter_mark(LaAnswer *answer, const LaRate *rate, const LaUsage *usage);

#endif
