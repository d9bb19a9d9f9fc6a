/*
 * Reading values; the contract is in value.h. PostgreSQL's own input functions raise for bad input, so
 * each text is checked to be readable first and only then given to them.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "http/value.h"

bool
la_value_integer(const char *text, int64 *value)
{
	const char *digits = text + (*text == '-' || *text == '+');
	char *end;

	if (*digits == '\0' || digits[strspn(digits, "0123456789")] != '\0')
		return false;
	errno = 0;
	*value = strtoll(text, &end, 10); /* saturates */
	return true;
}

static bool
read_text(const char *text, Datum *value)
{
	*value = CStringGetTextDatum(text);
	return true;
}

static bool
read_int(const char *text, Datum *value)
{
	int64 whole;

	if (!la_value_integer(text, &whole) || whole < PG_INT32_MIN || whole > PG_INT32_MAX)
		return false;
	*value = Int32GetDatum((int32) whole);
	return true;
}

static bool
read_bigint(const char *text, Datum *value)
{
	int64 whole;

	if (!la_value_integer(text, &whole) || errno == ERANGE)
		return false;
	*value = Int64GetDatum(whole);
	return true;
}

static bool
read_number(const char *text, Datum *value)
{
	char *end;
	double number;

	/* strtod also takes hexadecimal, "inf", "nan" and leading blanks */
	if (text[strspn(text, "+-.0123456789eE")] != '\0' || *text == '\0')
		return false;
	errno = 0;
	number = strtod(text, &end);
	if (*end != '\0' || errno == ERANGE || !isfinite(number))
		return false;
	*value = Float8GetDatum(number);
	return true;
}

static bool
read_boolean(const char *text, Datum *value)
{
	bool yes = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;

	if (!yes && strcmp(text, "false") != 0 && strcmp(text, "0") != 0)
		return false;
	*value = BoolGetDatum(yes);
	return true;
}

/* YYYY-MM-DD at the start of text: its Julian day in *day. */
static bool
leading_date(const char *text, int *day)
{
	int y, m, d, check_y, check_m, check_d;

	for (int i = 0; i < 10; i++)
		if ((i == 4 || i == 7) ? text[i] != '-' : (text[i] < '0' || text[i] > '9'))
			return false;
	y = atoi(text);
	m = atoi(text + 5);
	d = atoi(text + 8);
	if (y < 1 || m < 1 || m > 12 || d < 1 || d > 31)
		return false;
	*day = date2j(y, m, d);
	j2date(*day, &check_y, &check_m, &check_d);
	return check_m == m && check_d == d;
}

static bool
read_date(const char *text, Datum *value)
{
	int day;

	if (!leading_date(text, &day) || text[10] != '\0')
		return false;
	*value = DateADTGetDatum(day - POSTGRES_EPOCH_JDATE);
	return true;
}

static bool
two_digits(const char **text, int most, int *value)
{
	const char *c = *text;

	if (c[0] < '0' || c[0] > '9' || c[1] < '0' || c[1] > '9')
		return false;
	*value = (c[0] - '0') * 10 + c[1] - '0';
	*text = c + 2;
	return *value <= most;
}

/* ISO 8601: 2026-03-16T14:30:45.123Z, …+05:30, or without seconds, fraction, offset (then UTC) or time. */
static bool
read_timestamp(const char *text, Datum *value)
{
	int day, hour = 0, minute = 0, second = 0, offset = 0;
	int64 fraction = 0;
	const char *c = text + 10;

	if (!leading_date(text, &day))
		return false;
	if (*c == 'T' || *c == 't' || *c == ' ')
	{
		c++;
		if (!two_digits(&c, 23, &hour) || *c++ != ':' || !two_digits(&c, 59, &minute))
			return false;
		if (*c == ':')
		{
			c++;
			if (!two_digits(&c, 60, &second))
				return false;
			if (*c == '.' || *c == ',')
			{
				int64 unit = USECS_PER_SEC;

				if (c[1] < '0' || c[1] > '9')
					return false;
				for (c++; *c >= '0' && *c <= '9'; c++)
					fraction += (*c - '0') * (unit /= 10);
			}
		}
		if (*c == 'Z' || *c == 'z')
			c++;
		else if (*c == '+' || *c == '-' || *c == ' ') /* a '+' in a query string that nobody encoded */
		{
			int sign = *c == '-' ? -1 : 1;
			int hours, minutes = 0;

			c++;
			if (!two_digits(&c, 15, &hours))
				return false;
			if (*c == ':')
				c++;
			if (*c != '\0' && !two_digits(&c, 59, &minutes))
				return false;
			offset = sign * (hours * 60 + minutes);
		}
	}
	if (*c != '\0')
		return false;
	*value = TimestampTzGetDatum(((int64) (day - POSTGRES_EPOCH_JDATE) * SECS_PER_DAY + hour * SECS_PER_HOUR +
	                              (minute - offset) * SECS_PER_MINUTE + second) *
	                                 USECS_PER_SEC +
	                             fraction);
	return true;
}

static bool
read_uuid(const char *text, Datum *value)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (int i = 0; i < lengthof(shape); i++)
		if (shape[i] == 'x' ? !isxdigit((unsigned char) text[i]) : text[i] != shape[i])
			return false;
	*value = DirectFunctionCall1(uuid_in, CStringGetDatum(text));
	return true;
}

/* An address, or with a slash a network; IPv4 in IPv6 clothes (::ffff:1.2.3.4) is IPv4. */
static bool
read_ip(const char *text, Datum *value)
{
	char address[INET6_ADDRSTRLEN + 1];
	const char *slash = strchr(text, '/');
	size_t length = slash ? slash - text : strlen(text);
	unsigned char bytes[16];
	bool v4;
	int64 bits = -1;

	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	v4 = inet_pton(AF_INET, address, bytes) == 1;
	if (!v4 && inet_pton(AF_INET6, address, bytes) != 1)
		return false;
	if (slash &&
	    (!la_value_integer(slash + 1, &bits) || slash[1] == '-' || slash[1] == '+' || bits > (v4 ? 32 : 128)))
		return false;
	if (!v4 && memcmp(bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0 && (bits == -1 || bits >= 96))
	{
		inet_ntop(AF_INET, bytes + 12, address, sizeof(address));
		bits = bits == -1 ? -1 : bits - 96;
	}
	*value = DirectFunctionCall1(
	    inet_in, CStringGetDatum(bits == -1 ? address : psprintf("%s/%d", address, (int) bits)));
	return true;
}

/* Written anew: what a function may do with it, cast it to jsonb, cannot fail then. */
bool
la_value_json(const LaJson *node, Datum *value)
{
	const char *error;
	Jsonb *tree = la_json_to_jsonb(node, &error);

	if (tree == NULL)
		return false;
	*value = CStringGetTextDatum(JsonbToCString(NULL, &tree->root, VARSIZE(tree)));
	return true;
}

static bool
read_json(const char *text, Datum *value)
{
	const char *error;
	LaJson *node = la_json_parse(text, strlen(text), &error);

	return node != NULL && la_value_json(node, value);
}

static const LaValueType types[] = {
    {"text", TEXTOID, read_text},
    {"int", INT4OID, read_int},
    {"bigint", INT8OID, read_bigint},
    {"number", FLOAT8OID, read_number},
    {"boolean", BOOLOID, read_boolean},
    {"date", DATEOID, read_date},
    {"timestamp", TIMESTAMPTZOID, read_timestamp},
    {"uuid", UUIDOID, read_uuid},
    {"ip", INETOID, read_ip},
    {"json", JSONOID, read_json},
    {"form", JSONOID, read_json},      /* of whatever content type, see form.h */
    {"workspace", TEXTOID, read_text}, /* compared with the key's by the door, not passed on */
};

const LaValueType *
la_value_type(const char *name)
{
	for (int i = 0; i < lengthof(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	elog(ERROR, "no parameter type \"%s\"", name);
}
