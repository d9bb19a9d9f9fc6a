/*
 * The shared memory of the rooms: pieces of a size that is known when the library is loaded.
 *
 * Protocol: a room registers its piece in its init, while the library is preloaded; otherwise registering
 * does nothing, attach is never called, and the room's pointer stays NULL. The postmaster then asks for the
 * memory and the locks of all pieces, and calls every attach with its piece's place, in the order they were
 * registered. It does so again after a crash, with memory that is new. Attach is called under
 * AddinShmemInitLock: found false is whoever is first, and makes the piece (its memory is not zeroed); found
 * true takes it as it is. The piece's locks are GetNamedLWLockTranche(tranche)'s.
 */
#ifndef LA_SHARED_H
#define LA_SHARED_H

typedef struct LaShared
{
	const char *name;    /* as pg_shmem_allocations shows it */
	const char *tranche; /* of its locks, as pg_stat_activity shows it */
	Size size;           /* 0: nothing is made and attach is not called */
	int locks;
	void (*attach)(void *place, bool found);
	struct LaShared *next; /* core's own */
} LaShared;

/* The piece stays where it is: it is static. Once for each. */
extern void la_shared_register(LaShared *piece);

#endif
