/*
 * The rows of those who go: which they are, and their deletion. Private to unfold*.c.
 */
#ifndef LA_ROLLUP_UNFOLD_H
#define LA_ROLLUP_UNFOLD_H

#include "rollup/parts.h"
#include "rollup/points.h"

typedef struct LaNumbers /* ascending, each once */
{
	int64 *numbers;
	int n;
} LaNumbers;

/* A folded pageview that stays, in a session that somebody leaves. */
typedef struct LaView
{
	TimestampTz at;
	int64 session;
	int page;
} LaView;

typedef struct LaLeaving
{
	LaNumbers visitors;
	LaNumbers persons; /* of events without a visitor */

	/* unfold_rows.c */
	LaEventFact *events;
	int *rows; /* of the ledger, that name them; -1: they are folded */
	int64 n;
	int64 room;
	LaView *views;
	int64 nviews;
	int64 views_room;
	LaNumbers sessions; /* that they took part in */
	LaNumbers touched;  /* those of them that go, or change */
	LaNumbers deleted;
	LaNumbers kept; /* the others of them */
	LaNumbers anew; /* of those: whose first event goes */
} LaLeaving;

extern void rollup_sort_numbers(LaNumbers *all);
extern void rollup_find_leaving(int workspace, const LaTail *tail, TimestampTz dropped_before,
                                LaLeaving *leaving);
/* And what stays is written as it is without them. */
extern void rollup_delete_leaving(int workspace, const LaTail *tail, const LaLeaving *leaving);

#endif
