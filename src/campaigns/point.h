/*
 * Points of messages in the trail (rollup/trail.h): kind 'm', the step is the kind of a fact
 * (campaigns_facts: 's' sent, 'b' bounced, …), the number the lead's. Messages that name no lead have none.
 *
 * Writers add theirs to leadanalytics.message_fresh_point, a row for each kind of fact of a statement; the
 * unit sum_messages packs them into the trail. The points there are is both together.
 */
#ifndef LA_CAMPAIGNS_POINT_H
#define LA_CAMPAIGNS_POINT_H

#include "rollup/trail.h"

#define LA_TRAIL_MESSAGES 'm'

/* What a statement changes. */
typedef struct LaMessagePoints
{
	LaPoint *points;
	int64 n;
	int64 room;
} LaMessagePoints;

extern void campaigns_add_point(LaMessagePoints *points, LaPoint point);

/* SPI connected. */
extern void campaigns_write_points(int workspace, LaMessagePoints *points);

/*
 * la_trail_read(), with the points of messages that are not packed yet: whoever asks for kind 'm' reads this
 * way. Points that were taken back are not handed over.
 */
extern void la_message_trail_read(int workspace, const LaTrail *trails, int ntrails, LaPoint *more,
                                  int64 nmore, LaTakePoints take, void *arg);

#endif
