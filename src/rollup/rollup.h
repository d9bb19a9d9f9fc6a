/*
 * What other rooms may ask of the engine. Most of its questions are SQL: leadanalytics.answer() and what
 * stands on it.
 */
#ifndef LA_ROLLUP_H
#define LA_ROLLUP_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "bitmap/bitmap.h"

/*
 * Tell the ledger that the caller's transaction opened (or closed) these sessions; it must be the one that
 * wrote their rows. SPI connected.
 */
extern void la_rollup_sessions(int workspace, const int64 *numbers, int n, bool closed);

/*
 * Where nobody folds, whoever adds does: fold a little of the workspace when much of it lies unfolded and no
 * worker acts here. Looks only once in a while; block is the block of ids the caller drew. SPI connected.
 */
extern void la_rollup_help(int workspace, int64 block);

/*
 * Who did one of the named things, robots apart: for each stretch from one of the ascending bounds to the
 * next the numbers of visitors, and of persons named by events without a visitor, handed to take until it
 * returns. names are the dictionary's. Exact and current whatever is folded. SPI connected.
 */
typedef void (*LaTakeSet)(int stretch, const LaBitmap *numbers, void *arg);
extern void la_rollup_active(int workspace, TimestampTz *bounds, int nstretches, const int *names, int nnames,
                             LaTakeSet take, void *arg);

#endif
