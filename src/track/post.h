/*
 * What the doors of tracking have in common: the arguments (workspace, body, origin, referer, client_ip,
 * user_agent, now, and as_role or none), and whose workspace a post without a key goes to.
 */
#ifndef LA_TRACK_POST_H
#define LA_TRACK_POST_H

#include "fmgr.h"

#include "core/json.h"
#include "track/track.h"

typedef struct LaPost
{
	LaJson *body;       /* an object */
	const char *slug;   /* of the workspace, when the request named or came from it; NULL: a key decides */
	TimestampTz oldest; /* a client's timestamp that is believed: any since there are logs for an admin's */
	LaBatch batch;      /* without events yet */
} LaPost;

/* Read the arguments; raises for a body that is no object and a workspace that may not be written to. SPI
 * connected. */
extern void track_post_read(FunctionCallInfo fcinfo, LaPost *post);

/* Take room in the batch for so many events. */
extern LaEvent *track_post_events(LaPost *post, int n);

#endif
