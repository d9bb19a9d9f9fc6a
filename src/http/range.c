/*
 * Ranges of bytes; the contract is in range.h.
 */
#include "postgres.h"

#include "http/range.h"

static const char *
skip_blanks(const char *c)
{
	return c + strspn(c, " ");
}

/* Digits, at least one; NULL when there are none. */
static const char *
read_number(const char *c, uint64 *number)
{
	char *end;

	if (*c < '0' || *c > '9')
		return NULL;
	errno = 0;
	*number = strtou64(c, &end, 10);
	return errno == 0 && *number <= PG_INT64_MAX ? end : NULL;
}

/* As ngx_http_range_filter_module.c reads it. More than one range is none: the file comes whole. */
bool
la_range_fits(const char *range, int64 size)
{
	uint64 start = 0;
	uint64 end = PG_INT64_MAX;
	bool suffix;

	if (range == NULL || pg_strncasecmp(range, "bytes=", 6) != 0 || strchr(range, ',') != NULL)
		return true;
	range = skip_blanks(range + 6);
	suffix = *range == '-';
	if (!suffix && (range = read_number(range, &start)) == NULL)
		return false;
	range = skip_blanks(range);
	if (*range++ != '-')
		return false;
	range = skip_blanks(range);
	if ((suffix || *range != '\0') && (range = read_number(range, &end)) == NULL)
		return false;
	if (*skip_blanks(range) != '\0')
		return false;
	if (suffix)
		return end > 0;
	return start <= end && (size < 0 || start < size);
}

int64
la_range_size(const LaAnswer *answer)
{
	ListCell *cell;
	long long size = -1;

	foreach (cell, answer->headers)
	{
		const LaPair *header = lfirst(cell);

		if (pg_strcasecmp(header->name, "Content-Range") == 0)
			(void) sscanf(header->value, "bytes %*d-%*d/%lld", &size);
	}
	return size;
}
