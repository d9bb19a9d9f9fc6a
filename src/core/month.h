/*
 * Months, which are UTC's wherever use of a plan or a partition of facts is meant.
 */
#ifndef LA_MONTH_H
#define LA_MONTH_H

#include "utils/date.h"

/* The first day of the month (UTC). */
extern DateADT la_month_of(TimestampTz at);

#endif
