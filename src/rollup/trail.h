/*
 * The trail: who did what when, in columns. What is asked of it is asked step by step, in the order of time:
 * how far somebody got in a funnel, say.
 *
 * A point says that a number did a step at a time. Numbers of kind 'w' (events of the web that are no
 * robots') are visitors, else persons, and their step is the term of the event's name. Those are written by
 * the fold alone, and whoever reads them gets those of events that are not folded yet, too: what is read is
 * exact at every moment. What the steps and numbers of other kinds are is known to the room that writes them.
 *
 * A point that is taken back is one with sign -1: it cancels its like, whichever of them was written first.
 */
#ifndef LA_ROLLUP_TRAIL_H
#define LA_ROLLUP_TRAIL_H

#include "postgres.h"

#include "bitmap/bitmap.h"
#include "datatype/timestamp.h"
#include "utils/date.h"

typedef struct LaPoint
{
	TimestampTz at;
	int64 number; /* not negative */
	int step;
	int sign; /* 1 or -1 */
} LaPoint;

/*
 * Write points, which are sorted here. The caller lets nobody else write points of the kind and workspace
 * until its transaction ends: of two who do, one fails with 40001. SPI connected.
 */
extern void la_trail_add(int workspace, char kind, LaPoint *points, int64 n);

/*
 * Take all points of these numbers, ascending, out of a kind's trail; returns how many. Of days before the
 * time, and of the days (number of days since 2000) of steps in steps and days. Whoever else writes to it
 * waits, as with la_trail_add(). SPI connected.
 */
typedef struct LaTrailDays
{
	DateADT before; /* DATEVAL_NOBEGIN: of no others */
	const int *steps;
	const DateADT *days;
	int n;
} LaTrailDays;
extern int64 la_trail_erase(int workspace, char kind, const LaTrailDays *days, const int64 *numbers, int n);

/*
 * Which points are asked for: those of a step in [from, to), who are given the tag for their step.
 *
 * Of kind 'w' they may be those of some numbers alone (only; NULL: of all); whoever is met then, asked for or
 * not, is put into met, if there is such a set. Points that are not folded yet come in any case.
 */
typedef struct LaTrail
{
	char kind;
	int step;
	TimestampTz from;
	TimestampTz to;
	int tag;
	const LaBitmap *only;
	LaBitmap *met;
} LaTrail;

/* About how many points there are of them: on all days that touch a time. SPI connected. */
extern int64 la_trail_size(int workspace, const LaTrail *trails, int ntrails);

typedef void (*LaTakePoints)(const LaPoint *points, int64 n, void *arg);

/*
 * Hand over the points of all these trails and the caller's own (more; they are sorted), in the order of time
 * and of tags, some hundreds at once. As of the active snapshot, SPI connected; take may not run statements.
 */
extern void la_trail_read(int workspace, const LaTrail *trails, int ntrails, LaPoint *more, int64 nmore,
                          LaTakePoints take, void *arg);

#endif
