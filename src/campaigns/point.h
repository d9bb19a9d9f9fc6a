/*
 * Points of messages in the trail (rollup/trail.h): kind 'm', the step is the kind of a fact (of message.h:
 * 's' sent, …), the number the lead's. Those of messages that name no lead are not there.
 *
 * Writers add theirs to leadanalytics.message_fresh_point, a row for each kind of fact of a statement; the
 * unit sum_messages packs them into the trail. The points there are is both together.
 */
#ifndef LA_CAMPAIGNS_POINT_H
#define LA_CAMPAIGNS_POINT_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* What a statement changes. */
typedef struct FactPoint
{
	int64 lead;
	TimestampTz at;
	int fact; /* its place among campaigns_facts */
	int sign; /* 1: it is there now, -1: no more */
} FactPoint;

typedef struct FactPoints
{
	FactPoint *points;
	int n;
	int room;
} FactPoints;

extern void campaigns_add_point(FactPoints *points, int fact, int sign, int64 lead, TimestampTz at);

/* SPI connected. */
extern void campaigns_write_points(int workspace, FactPoints *points);

#endif
