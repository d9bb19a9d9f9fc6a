/*
 * multipart/form-data (RFC 7578, RFC 2046):
 *
 *	[preamble CRLF] --boundary CRLF  headers CRLF CRLF  content  CRLF --boundary CRLF … CRLF --boundary--
 *[epilogue]
 *
 * Everything is a pointer pair from..end inside the body, which ends with a NUL that is not part of it, so
 * string functions stop there at the latest.
 */
#include "postgres.h"

#include "http/form_part.h"

#define MAX_BOUNDARY 70

/*
 * The value of a parameter of a header ("; name=value", "; name=\"value\""), or NULL. In quotes a
 * backslash takes the next character as it is; browsers write a quote as %22, which stays.
 */
static char *
parameter(const char *from, const char *end, const char *name)
{
	int length = strlen(name);
	const char *c = from;

	while (c < end)
	{
		char *value;
		char *out;
		bool wanted;

		c = memchr(c, ';', end - c);
		if (c == NULL)
			return NULL;
		for (c++; c < end && (*c == ' ' || *c == '\t'); c++)
			;
		wanted = end - c > length && pg_strncasecmp(c, name, length) == 0 && c[length] == '=';
		while (c < end && *c != '=' && *c != ';')
			c++;
		if (c == end || *c == ';')
			continue;
		c++;
		out = value = palloc(end - c + 1);
		if (c < end && *c == '"')
		{
			for (c++; c < end && *c != '"'; c++)
			{
				if (*c == '\\' && c + 1 < end)
					c++;
				*out++ = *c;
			}
			if (c == end)
				return NULL; /* never closed */
			c++;
		}
		else
			while (c < end && *c != ';' && *c != ' ' && *c != '\t')
				*out++ = *c++;
		*out = '\0';
		if (wanted)
			return value;
	}
	return NULL;
}

/*
 * The next delimiter line at or after from, where a line begins at from or after a CRLF. *end is where the
 * content before it ends, *after where its line does; *last: it is the closing one. false: there is none.
 */
static bool
find_delimiter(const char *from, const char *start, const char *stop, const char *delimiter, const char **end,
               const char **after, bool *last)
{
	int length = strlen(delimiter);
	const char *c = from;

	while ((c = strstr(c, delimiter)) != NULL && c + length <= stop)
	{
		bool begins = c == start || (c - start >= 2 && c[-2] == '\r' && c[-1] == '\n');
		const char *rest = c + length;

		*last = strncmp(rest, "--", 2) == 0;
		if (*last)
			rest += 2;
		rest += strspn(rest, " \t");
		/* the closing one may be followed by anything on a line of its own, or by nothing */
		if (begins && ((rest[0] == '\r' && rest[1] == '\n') || (*last && rest == stop)))
		{
			*end = c == start ? c : c - 2;
			*after = rest == stop ? rest : rest + 2;
			return true;
		}
		c++;
	}
	return false;
}

/* The part's line "Content-Disposition: …" as from..end, or false. */
static bool
find_disposition(const char *headers, const char *stop, const char **from, const char **end)
{
	static const char name[] = "Content-Disposition:";
	const char *line = headers;

	while (line < stop)
	{
		const char *eol = strstr(line, "\r\n");

		if (eol == NULL || eol > stop)
			eol = stop;
		if (eol - line > (int) strlen(name) && pg_strncasecmp(line, name, strlen(name)) == 0)
		{
			*from = line + strlen(name);
			*end = eol;
			*from += strspn(*from, " \t");
			return pg_strncasecmp(*from, "form-data", 9) == 0;
		}
		line = eol == stop ? stop : eol + 2;
	}
	return false;
}

/* from..end: a part's headers, an empty line, its content. */
static bool
read_part(const char *from, const char *end, List **fields, const char **error)
{
	/* Without headers the empty line comes at once, and then there is no name either. */
	const char *blank = strstr(from, "\r\n\r\n");
	const char *line, *eol;
	char *name, *file;

	*error = "a part without a name";
	if (blank == NULL || blank + 4 > end || !find_disposition(from, blank, &line, &eol))
		return false;
	name = parameter(line, eol, "name");
	if (name == NULL)
		return false;
	file = parameter(line, eol, "filename");
	return la_form_add(fields, name, file ? file : pnstrdup(blank + 4, end - blank - 4), error);
}

bool
la_form_parts(const char *content_type, const char *body, int length, List **fields, const char **error)
{
	char *boundary = parameter(content_type, content_type + strlen(content_type), "boundary");
	const char *stop = body + length;
	const char *part, *end, *after;
	char *delimiter;
	bool last;

	*error = "no boundary";
	if (boundary == NULL || *boundary == '\0' || strlen(boundary) > MAX_BOUNDARY)
		return false;
	delimiter = psprintf("--%s", boundary);
	*error = "the boundary is not in the body";
	if (!find_delimiter(body, body, stop, delimiter, &end, &after, &last))
		return false;
	while (!last)
	{
		part = after;
		*error = "the last part has no end";
		/* from one line before: a part may be empty, and then its delimiter's CRLF is the one before */
		if (!find_delimiter(part, body, stop, delimiter, &end, &after, &last))
			return false;
		if (!read_part(part, Max(part, end), fields, error))
			return false;
	}
	return true;
}
