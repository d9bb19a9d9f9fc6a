/*
 * Conversion rules: an event that is taken and triggers one writes a row of the outbox, in its transaction.
 */
#ifndef LA_CONVERSION_H
#define LA_CONVERSION_H

extern void la_conversion_init(void);

#endif
