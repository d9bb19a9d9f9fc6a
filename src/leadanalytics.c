/*
 * The table of contents: one line a room, in the order of ROOMS in pgxs.mk.
 *
 * The library works with and without shared_preload_libraries. What needs
 * preloading (workers; core/shared.h for memory) checks for it itself and says in
 * leadanalytics.status() what is off without it.
 */
#include "postgres.h"

#include "fmgr.h"

#include "conversion/conversion.h"
#include "core/core.h"
#include "http/http.h"
#include "realtime/limit.h"
#include "realtime/usage.h"
#include "realtime/live.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	la_core_init();
	la_worker_init();
	la_limit_init();
	la_usage_init();
	la_live_init();
	la_conversion_init();
	la_http_init();
}
