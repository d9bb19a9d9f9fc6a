/*
 * Months; the contract is in month.h.
 */
#include "postgres.h"

#include "utils/datetime.h"

#include "core/month.h"

DateADT
la_month_of(TimestampTz at)
{
	int day = at / USECS_PER_DAY - (at % USECS_PER_DAY < 0);
	int year;
	int month;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return date2j(year, month, 1) - POSTGRES_EPOCH_JDATE;
}
