/*
 * The header Range, for files that nginx puts together from slices. It would answer one that it cannot serve
 * with 416 after it began to answer otherwise, with headers of both: so the door does before.
 */
#ifndef LA_RANGE_H
#define LA_RANGE_H

#include "http/answer.h"

/* Whether nginx could serve the range (NULL: none, which it can) of a file of so many bytes; -1: not known
 * yet. */
extern bool la_range_fits(const char *range, int64 size);

/* How large the file is that an answer is a slice of, by its Content-Range; -1: it does not say. */
extern int64 la_range_size(const LaAnswer *answer);

#endif
