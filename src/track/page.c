/*
 * What the address of a page says: its path, and where the visit came from when the event does not say.
 *
 * The parts of a query are decoded as forms write them; what is no UTF-8 afterwards, or holds a control
 * character, says nothing.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/bytes.h"
#include "core/export.h"
#include "track/field.h"
#include "track/track.h"

#define MAX_PART 256 /* bytes of a part of a campaign */

/* Parts of a query that name a campaign. */
static const struct
{
	const char *name;
	LaText text;
} campaign_parts[] = {
    {"utm_source", LA_TEXT_UTM_SOURCE},     {"utm_medium", LA_TEXT_UTM_MEDIUM},
    {"utm_campaign", LA_TEXT_UTM_CAMPAIGN}, {"utm_term", LA_TEXT_UTM_TERM},
    {"utm_content", LA_TEXT_UTM_CONTENT},
};

/* Some platforms write one id in two ways (D-55). */
static const struct
{
	const char *name;
	const char *known_as;
} click_names[] = {{"ScCid", "sclid"}, {"irclickid", "irclid"}};

const char *
track_click_id(const char *name)
{
	if (track_field(DATA, name) != CLICK)
		return NULL;
	for (int i = 0; i < lengthof(click_names); i++)
		if (strcmp(click_names[i].name, name) == 0)
			return click_names[i].known_as;
	return name;
}

LA_FUNCTION(la_track_click_id_names)
{
	const char *type = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum names[1 + lengthof(click_names)] = {PG_GETARG_DATUM(0)};
	int n = 1;

	for (int i = 0; i < lengthof(click_names); i++)
		if (strcmp(click_names[i].known_as, type) == 0)
			names[n++] = CStringGetTextDatum(click_names[i].name);
	PG_RETURN_ARRAYTYPE_P(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}

const char *
track_path(const char *url)
{
	const char *scheme = strstr(url, "://");
	const char *from = url;
	int length;

	/* a scheme stands before any slash or query */
	if (scheme != NULL && strcspn(url, "/?#") == scheme + 1 - url)
		from = scheme + 3 + strcspn(scheme + 3, "/?#");
	length = strcspn(from, "?#");
	return length == 0 ? "/" : pnstrdup(from, length);
}

/* The decoded text, or NULL when it is empty, too long, or no text. */
static char *
decode(const char *from, int length)
{
	char *out = palloc(length + 1);
	int n = 0;

	for (int i = 0; i < length; i++)
	{
		char c = from[i] == '+' ? ' ' : from[i];

		if (c == '%' && i + 2 < length && la_hex_digit(from[i + 1]) >= 0 && la_hex_digit(from[i + 2]) >= 0)
		{
			c = la_hex_digit(from[i + 1]) * 16 + la_hex_digit(from[i + 2]);
			i += 2;
		}
		if ((unsigned char) c < ' ')
			return NULL;
		out[n++] = c;
	}
	out[n] = '\0';
	return n > 0 && n <= MAX_PART && pg_verify_mbstr(PG_UTF8, out, n, true) ? out : NULL;
}

void
track_campaign(const char *url, LaEvent *event)
{
	const char *part = url + strcspn(url, "?#");

	while (*part == '?' || *part == '&')
	{
		int name = strcspn(++part, "=&#");
		int length = strcspn(part, "&#");

		if (name < length && name <= 32)
		{
			char *key = pnstrdup(part, name);

			for (int i = 0; i < lengthof(campaign_parts); i++)
				if (strcmp(campaign_parts[i].name, key) == 0)
					event->text[campaign_parts[i].text] = decode(part + name + 1, length - name - 1);
			if (track_click_id(key) != NULL && length > name + 1)
				event->click_id = track_click_id(key);
		}
		part += length;
	}
}
