/*
 * What other rooms may ask of the background workers. A unit of work is not registered here: it is a
 * row of leadanalytics.unit, see worker.tables.sql.
 */
#ifndef LA_WORKER_H
#define LA_WORKER_H

extern void la_worker_init(void);

/*
 * When this transaction commits, have this database's worker run its units marked on_poke (at most
 * once a second). Cheap enough for every ingest: nothing but a flag until the commit, and nothing at
 * all when no worker acts here or the library is not preloaded.
 */
extern void la_worker_poke(void);

/* Whether a worker acts in this database just now: if not, who leaves work may have to do some of it. */
extern bool la_worker_acts(void);

#endif
