/*
 * The two hooks for all pieces of shared memory; the protocol is in shared.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "core/shared.h"

static shmem_request_hook_type earlier_request = NULL;
static shmem_startup_hook_type earlier_startup = NULL;
static LaShared *first = NULL;
static LaShared **last = &first;

static void
request(void)
{
	if (earlier_request)
		earlier_request();
	for (const LaShared *piece = first; piece != NULL; piece = piece->next)
	{
		RequestAddinShmemSpace(MAXALIGN(piece->size));
		RequestNamedLWLockTranche(piece->tranche, piece->locks);
	}
}

static void
startup(void)
{
	if (earlier_startup)
		earlier_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (const LaShared *piece = first; piece != NULL; piece = piece->next)
	{
		bool found;
		void *place = ShmemInitStruct(piece->name, piece->size, &found);

		piece->attach(place, found);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
la_shared_register(LaShared *piece)
{
	if (!process_shared_preload_libraries_in_progress || piece->size == 0)
		return;
	if (first == NULL)
	{
		earlier_request = shmem_request_hook;
		shmem_request_hook = request;
		earlier_startup = shmem_startup_hook;
		shmem_startup_hook = startup;
	}
	*last = piece;
	last = &piece->next;
}
