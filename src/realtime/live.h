/*
 * Live counts: what happened in the last hour, kept in shared memory for workspaces where the rows take
 * long to tell. They are a cache that is exact for the snapshot of whoever asks, or not used at all.
 *
 * The protocol. Whoever writes events tells them (la_live_tell) while its transaction still runs, marked
 * with the xid of the running (sub)transaction: they wait in a log. Nothing happens at commit. Who asks
 * folds, under the state's lock, what its own snapshot sees of the log: a chunk whose xid the snapshot has as
 * running stays, a committed one is counted, an aborted one is thrown away. It is the rule by which the
 *snapshot sees the rows themselves, so the counts are those of the rows, whatever the transaction was: one
 *with savepoints, a prepared one, one whose backend was killed. What only the commit would tell (a callback
 *may run after others saw the rows, or in another backend) is not needed.
 *
 *	exact	The state remembers the snapshot that folded last. A later asker whose snapshot does not see
 *			all that this one saw is answered from rows, as is one whose own transaction has told something.
 *	begin	A state begins with a log alone; then the next xid is read: X. Transactions from X on find the
 *			log. The state is built from the rows of the first snapshot for which every xid before X has ended
 *			(xmin >= X), and what this snapshot sees in the log is thrown away: the rows had it. A prepared
 *			transaction from before X keeps it from being built, no longer.
 *	lost	Whatever does not fit (memory, a time too far ahead), or was written past la_live_append, loses
 *the state: rows answer, and it begins anew. Events written by plain SQL are told as such by a trigger, with
 *their xid.
 *
 * So no number depends on the processes that keep it: after a crash shared memory is empty, a standby and a
 * server without preloading never use it. What is told past the hour, or by robots, is not kept: who
 * asks for it asks the rows.
 */
#ifndef LA_LIVE_H
#define LA_LIVE_H

#include "datatype/timestamp.h"
#include "utils/uuid.h"

typedef enum LaLiveWhat
{
	LA_LIVE_EVENT,
	LA_LIVE_START,  /* a session started, at */
	LA_LIVE_END,    /* its client ended it, at */
	LA_LIVE_CHANGE, /* something was written that is not told in full: count anew */
} LaLiveWhat;

/* Numbers are those of the tables, 0: none. */
typedef struct LaLiveFact
{
	TimestampTz at;
	int64 id;
	int64 session;
	int visitor;
	int referrer; /* of the session, else of the event itself; so place */
	int place;
	int page;       /* viewed, */
	pg_uuid_t path; /* and the digest of its path */
	char what;      /* LaLiveWhat */
	char kind;      /* of the event */
} LaLiveFact;

extern void la_live_init(void);

/* Whether somebody counts the workspace. The transaction must have an xid: who gets false need not tell. */
extern bool la_live_wanted(int workspace);

/* Tell what the running (sub)transaction writes, once it has an xid; facts older than an hour may be left
 * out. */
extern void la_live_tell(int workspace, const LaLiveFact *facts, int n);

/* Facts before this time are too old to be told. */
extern TimestampTz la_live_horizon(void);

/* 128 bits of a path that nobody can make collide. */
extern pg_uuid_t la_live_path(const char *path);

#endif
