/*
 * Who speaks for which workspace.
 *
 * An HTTP request: the door finds its key, or learns that the route is public, and says so with
 * la_tenant_enter() for as long as the route's function runs. Meanwhile the request may touch that
 * workspace and no other, whatever database role the server runs it as.
 *
 * An SQL caller: what the database role may is decided by leadanalytics.may(), see may.c.
 */
#ifndef LA_TENANT_H
#define LA_TENANT_H

#include "utils/array.h"

#define LA_TENANT_NOBODY 0
#define LA_TENANT_PUBLIC (-1)

typedef struct LaKey
{
	int workspace;
	int64 id;
	const char *role;    /* palloc'd in the memory context SPI was connected in */
	int64 member;        /* 0: none */
	int per_minute;      /* -1: the route's limit; 0: none */
	bool manages;        /* its member is an owner or admin of the workspace */
	ArrayType *features; /* of the workspace's plan, palloc'd as role is; NULL: all */
	int64 api_limit;     /* of the plan, too: requests of the engagement family in a month */
} LaKey;

/*
 * Find a key by its text: true when it exists and is not revoked. The caller is connected to SPI;
 * nothing is written. Every text costs the same: one SHA-256, one index probe, one comparison.
 */
extern bool la_key_find(const char *text, LaKey *key);

/* Whether the plan of the key's workspace has the feature; NULL: every plan has it. */
extern bool la_key_has_feature(const LaKey *key, const char *feature);

/*
 * While the door runs a route's function: which workspace the request speaks for. LA_TENANT_PUBLIC on
 * a keyless route, until leadanalytics.public_workspace() resolved one. Held in a C static, so that no
 * setting can forge it; the end of the transaction clears it, should the door not come to it. role: the
 * key's, NULL without one.
 */
extern void la_tenant_enter(int workspace, const char *role);
extern void la_tenant_leave(void);

/*
 * The same for a question that is asked inside of other work, a request's or a worker's: *outside is what
 * held before, for la_tenant_back(), which must be called however the question ends.
 */
typedef struct LaTenant
{
	int workspace;
	bool sees_contacts;
} LaTenant;

extern void la_tenant_within(int workspace, const char *role, LaTenant *outside);
extern void la_tenant_back(const LaTenant *outside);

/* The workspace entered: its id, LA_TENANT_PUBLIC or LA_TENANT_NOBODY. */
extern int la_tenant_current(void);

/*
 * What leadanalytics.permitted() does: raise 404 "Workspace not found" unless the caller may ask about the
 * workspace and it exists. Connected to SPI.
 */
extern void la_tenant_require(int workspace);

#endif
