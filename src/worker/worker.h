/*
 * What other rooms may ask of the background workers. A unit of work is not registered here: it is a
 * row of leadanalytics.unit, see worker.tables.sql.
 */
#ifndef LA_WORKER_H
#define LA_WORKER_H

#include "datatype/timestamp.h"

extern void la_worker_init(void);

/*
 * When this transaction commits, have this database's workers run their units marked on_poke (at most
 * once a second; not those of lane send, which are poked for themselves). Cheap enough for every ingest:
 * nothing but a flag until the commit, and nothing at all when no worker acts here or the library is not
 * preloaded.
 */
extern void la_worker_poke(void);

/*
 * For the unit that runs in this process: have it run again at that time, if that is before its pause is
 * over; and whether its lane was poked since, which makes this call responsible for the work.
 */
extern void la_worker_again(TimestampTz when);
extern bool la_worker_poked(void);

/* Whether a fold worker acts in this database just now: if not, who leaves work may have to do some of it. */
extern bool la_worker_acts(void);

#endif
