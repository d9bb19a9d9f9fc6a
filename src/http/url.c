/*
 * Percent-decoding; the contract is in url.h.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "core/bytes.h"
#include "http/url.h"

char *
la_url_decode(const char *text, int length, bool plus)
{
	char *decoded = palloc(length + 1);
	char *out = decoded;

	for (int i = 0; i < length; i++)
	{
		if (text[i] == '%')
		{
			int high = i + 2 < length ? la_hex_digit(text[i + 1]) : -1;
			int low = high >= 0 ? la_hex_digit(text[i + 2]) : -1;

			if (low < 0 || (high == 0 && low == 0))
				return NULL;
			*out++ = high * 16 + low;
			i += 2;
		}
		else
			*out++ = plus && text[i] == '+' ? ' ' : text[i];
	}
	*out = '\0';
	return pg_verify_mbstr(PG_UTF8, decoded, out - decoded, true) ? decoded : NULL;
}

bool
la_url_segments(const char *path, int length, List **segments)
{
	const char *end = path + length;

	*segments = NIL;
	while (path < end)
	{
		const char *from = path + 1; /* behind the slash */
		const char *to = memchr(from, '/', end - from);
		char *segment;

		if (to == NULL)
			to = end;
		segment = la_url_decode(from, to - from, false);
		if (segment == NULL)
			return false;
		*segments = lappend(*segments, segment);
		path = to;
	}
	return true;
}

List *
la_url_query(const char *query)
{
	List *pairs = NIL;

	while (*query != '\0')
	{
		int length = strcspn(query, "&");
		const char *equals = memchr(query, '=', length);
		int name_length = equals ? equals - query : length;
		char *name = la_url_decode(query, name_length, true);

		if (name != NULL && *name != '\0')
		{
			LaPair *pair = palloc(sizeof(LaPair));

			pair->name = name;
			pair->value = equals ? la_url_decode(equals + 1, query + length - equals - 1, true) : "";
			pairs = lappend(pairs, pair);
		}
		query += length;
		if (*query == '&')
			query++;
	}
	return pairs;
}

const char *
la_url_last(List *pairs, const char *name, bool *given)
{
	const char *value = NULL;
	ListCell *cell;

	*given = false;
	foreach (cell, pairs)
	{
		LaPair *pair = lfirst(cell);

		if (strcmp(pair->name, name) == 0)
		{
			value = pair->value;
			*given = true;
		}
	}
	return value;
}
