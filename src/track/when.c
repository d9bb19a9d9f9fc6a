/*
 * Points in time as clients write them. PostgreSQL's own reader takes far more ("yesterday", "J2451187",
 * month names in any order) and depends on settings; an event's time must mean the same in every session.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "track/track.h"

/* Unix times from here on are milliseconds: as seconds they would lie after the year 5000. */
#define MILLISECONDS_FROM 1e11

/* The fixed number of digits at *text, which is moved past them; -1 when there are fewer. */
static int
digits(const char **text, int count)
{
	int value = 0;

	for (int i = 0; i < count; i++)
	{
		char c = **text;

		if (c < '0' || c > '9')
			return -1;
		value = value * 10 + (c - '0');
		(*text)++;
	}
	return value;
}

static bool
skip(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* ±hh:mm, ±hhmm or ±hh, in seconds east of Greenwich. */
static bool
read_offset(const char **text, int *seconds)
{
	int sign = **text == '-' ? -1 : 1;
	int hours;
	int minutes = 0;

	if (**text != '+' && **text != '-')
		return false;
	(*text)++;
	hours = digits(text, 2);
	if (skip(text, ':') || **text != '\0')
		minutes = digits(text, 2);
	if (hours < 0 || hours > 15 || minutes < 0 || minutes > 59)
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool
assemble(int year, int month, int day, int hour, int minute, int second, int microsecond, int offset,
         TimestampTz *at)
{
	int64 days;

	if (year < 1 || month < 1 || month > 12 || day < 1 || day > day_tab[isleap(year)][month - 1] ||
	    hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return false;
	days = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	*at = ((days * 24 + hour) * 60 + minute) * INT64CONST(60000000) +
	      (second - offset) * INT64CONST(1000000) + microsecond;
	return true;
}

static bool
read_unix(const char *text, TimestampTz *at)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(value))
		return false;
	if (fabs(value) >= MILLISECONDS_FROM)
		value /= 1000;
	if (fabs(value) >= MILLISECONDS_FROM)
		return false;
	*at =
	    (TimestampTz) rint(value * 1e6) - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * INT64CONST(86400000000);
	return true;
}

bool
track_when(const char *text, TimestampTz *at)
{
	const char *rest = text;
	int year = digits(&rest, 4);
	int month;
	int day;
	int hour = 0;
	int minute = 0;
	int second = 0;
	int microsecond = 0;
	int offset = 0;

	if (year < 0 || !skip(&rest, '-'))
		return read_unix(text, at);
	month = digits(&rest, 2);
	if (month < 0 || !skip(&rest, '-'))
		return false;
	day = digits(&rest, 2);
	if (skip(&rest, 'T') || skip(&rest, 't') || skip(&rest, ' '))
	{
		hour = digits(&rest, 2);
		if (hour < 0 || !skip(&rest, ':'))
			return false;
		minute = digits(&rest, 2);
		if (skip(&rest, ':'))
		{
			second = digits(&rest, 2);
			if (skip(&rest, '.') || skip(&rest, ','))
			{
				int unit = 100000;

				if (*rest < '0' || *rest > '9')
					return false;
				for (; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
					microsecond += (*rest - '0') * unit;
			}
		}
		if (!skip(&rest, 'Z') && !skip(&rest, 'z') && *rest != '\0' && !read_offset(&rest, &offset))
			return false;
	}
	return *rest == '\0' && assemble(year, month, day, hour, minute, second, microsecond, offset, at);
}

bool
track_when_logged(const char *text, TimestampTz *at)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	int day = digits(&text, 2);
	int month = 0;
	int year;
	int hour;
	int minute;
	int second;
	int offset;

	if (day < 0 || !skip(&text, '/'))
		return false;
	for (int i = 0; i < lengthof(months); i++)
		if (strncmp(text, months[i], 3) == 0)
			month = i + 1;
	if (month == 0)
		return false;
	text += 3;
	if (!skip(&text, '/') || (year = digits(&text, 4)) < 0 || !skip(&text, ':') ||
	    (hour = digits(&text, 2)) < 0 || !skip(&text, ':') || (minute = digits(&text, 2)) < 0 ||
	    !skip(&text, ':') || (second = digits(&text, 2)) < 0 || !skip(&text, ' ') ||
	    !read_offset(&text, &offset))
		return false;
	return *text == '\0' && assemble(year, month, day, hour, minute, second, 0, offset, at);
}

LA_FUNCTION(la_track_moment)
{
	TimestampTz at;

	if (!track_when(text_to_cstring(PG_GETARG_TEXT_PP(0)), &at))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(at);
}
