/*
 * Windows that count requests, in shared memory. Private to this room; the protocol is in limit_window.c.
 */
#ifndef LA_LIMIT_WINDOW_H
#define LA_LIMIT_WINDOW_H

#include "port/atomics.h"

/* Whose window. Compared as bytes: made from zeroes, and without padding. */
typedef struct LaWindowOwner
{
	uint64 class; /* number of the class, 0: none */
	int64 key;    /* 0: not a key's */
	uint8 ip[16]; /* zeroes: not an address's; IPv4 as ::ffff:a.b.c.d, of IPv6 the /64 */
	Oid database;
	int32 workspace; /* 0: not a workspace's */
	uint32 seconds;  /* windows of another length are other windows */
	uint32 of_an_ip; /* 1, or 0 */
} LaWindowOwner;

typedef struct LaWindow
{
	LaWindowOwner owner;
	int64 ends;     /* Unix seconds; 0: never used */
	uint32 count;   /* requests taken, not above the limit it was asked with */
	uint32 refused; /* requests refused */
} LaWindow;

extern void la_window_init(void);

/* Whether the library was preloaded: without it every window is empty and stays so. */
extern bool la_window_shared(void);

/*
 * Count a request at a moment (Unix seconds) if the window that runs then has taken fewer than limit; false:
 * it has not, and the request is refused. With look nothing is counted and nothing refused. *window is how
 * it is then. Exact: of requests at the same time no more than limit are counted. Never raises.
 */
extern bool la_window_count(const LaWindowOwner *owner, int64 now, uint32 limit, bool look, LaWindow *window);

/* A copy (palloc'd) of the database's windows that run at that moment; *count of them. */
extern LaWindow *la_window_list(Oid database, int64 now, int *count);

/* Since the server started: requests refused, and let through uncounted as no window was free. */
extern void la_window_totals(uint64 *refused, uint64 *uncounted);

#endif
