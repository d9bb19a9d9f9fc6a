/*
 * Searches for a part of a text: see grams.c.
 */
#ifndef LA_CORE_GRAMS_H
#define LA_CORE_GRAMS_H

/* Characters of the longest sequence that the index has. */
#define LA_GRAM 3

#endif
