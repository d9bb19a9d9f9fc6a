/*
 * leadanalytics.import_log(): lines of a web server's log in combined format, as events.
 *
 *	address identity user [time] "request" status bytes "referrer" "agent"
 *
 * Apache and nginx write a quote inside a quoted part as \" or \x22. Texts are kept as logged, escapes
 * included: what the caller's own tools find in the file, they find here.
 *
 * A line's event_id is made of the source, its number and the line itself, so a file may be imported
 * again, as a whole or after it has grown. The log's clock is the only one that sessions go by.
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "catalog/pg_type.h"
#include "common/md5.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/export.h"
#include "core/json.h"
#include "core/query.h"
#include "track/track.h"

#define MAX_LINE 65536
#define FIRST_BELIEVABLE ((1995 - 2000) * INT64CONST(365) * USECS_PER_DAY) /* no log is older */

/* What a page consists of, but is none itself; in lower case. */
static const char *const asset_extensions[] = {
    "css",  "js",   "mjs",  "map", "json", "wasm", "png",   "jpg", "jpeg", "gif",  "svg", "ico",
    "webp", "avif", "bmp",  "tif", "tiff", "woff", "woff2", "ttf", "otf",  "eot",  "mp3", "mp4",
    "m4a",  "m4v",  "webm", "ogg", "ogv",  "wav",  "avi",   "mov", "mpg",  "mpeg", "flv", "swf",
    "zip",  "gz",   "tgz",  "bz2", "xz",   "rar",  "7z",    "tar", "iso",  "exe",  "dmg", "deb",
    "rpm",  "jar",  "pdf",  "doc", "docx", "xls",  "xlsx",  "ppt", "pptx", "csv",  "txt", "xml",
};

/* The parts of a line; each points into a copy of it. */
typedef struct Parts
{
	char *address;
	char *time;
	char *request;
	int status;
	char *referrer;
	char *agent;
} Parts;

/* The part up to the separator, which ends it; *rest is moved behind. */
static char *
cut(char **rest, const char *separator)
{
	char *part = *rest;
	char *end = strstr(part, separator);

	if (end == NULL)
		return NULL;
	*end = '\0';
	*rest = end + strlen(separator);
	return part;
}

/* The part between quotes that *rest starts with; \" inside does not end it. */
static char *
cut_quoted(char **rest)
{
	char *part;

	if (**rest != '"')
		return NULL;
	part = ++*rest;
	while (**rest != '"')
	{
		if (**rest == '\\' && (*rest)[1] != '\0')
			(*rest)++;
		if (**rest == '\0')
			return NULL;
		(*rest)++;
	}
	*(*rest)++ = '\0';
	return part;
}

static bool
is_address(const char *text)
{
	unsigned char binary[16];

	return inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1;
}

/* Take the line apart; the reason when it is not in the format. */
static const char *
take_apart(char *line, Parts *parts)
{
	char *rest = line;
	char *status;
	char *bytes;
	char *end;

	parts->address = cut(&rest, " ");
	if (parts->address == NULL || !is_address(parts->address))
		return "does not start with an address";
	if (cut(&rest, " [") == NULL || (parts->time = cut(&rest, "] ")) == NULL)
		return "has no time in brackets";
	parts->request = cut_quoted(&rest);
	if (parts->request == NULL || *rest++ != ' ')
		return "has no request in quotes";
	status = cut(&rest, " ");
	if (status == NULL || strlen(status) != 3 || strspn(status, "0123456789") != 3)
		return "has no status of three digits";
	parts->status = atoi(status);
	bytes = cut(&rest, " ");
	if (bytes == NULL)
		return "has no referrer and agent: the format must be combined";
	strtoull(bytes, &end, 10);
	if (strcmp(bytes, "-") != 0 && (*end != '\0' || *bytes == '\0'))
		return "has no number of bytes";
	parts->referrer = cut_quoted(&rest);
	if (parts->referrer == NULL || *rest++ != ' ')
		return "has no referrer in quotes";
	parts->agent = cut_quoted(&rest);
	if (parts->agent == NULL || (*rest != '\0' && *rest != ' '))
		return "has no agent in quotes";
	return NULL;
}

static bool
is_asset(const char *page)
{
	int length = strcspn(page, "?#");
	char extension[8];
	int n = 0;

	while (n < length && n < (int) sizeof(extension) && page[length - 1 - n] != '.' &&
	       page[length - 1 - n] != '/')
		n++;
	/* a name that begins with the dot has no extension */
	if (n == 0 || n == (int) sizeof(extension) || n + 2 > length || page[length - 1 - n] != '.' ||
	    page[length - 2 - n] == '/')
		return false;
	for (int i = 0; i < n; i++)
		extension[i] = pg_ascii_tolower((unsigned char) page[length - n + i]);
	extension[n] = '\0';
	for (int i = 0; i < lengthof(asset_extensions); i++)
		if (strcmp(extension, asset_extensions[i]) == 0)
			return true;
	return false;
}

static void
md5(const char *text, int length, uint8 *digest)
{
	const char *error = NULL;

	if (!pg_md5_binary(text, length, digest, &error))
		elog(ERROR, "could not compute MD5: %s", error);
}

/* log:<md5 of "address agent">: what tells browsers apart in a log. */
static char *
visitor_of(const Parts *parts)
{
	StringInfoData text;
	uint8 digest[16];
	char *id = palloc(4 + 32 + 1);

	initStringInfo(&text);
	appendStringInfo(&text, "%s %s", parts->address, parts->agent);
	md5(text.data, text.len, digest);
	strcpy(id, "log:");
	for (int i = 0; i < 16; i++)
		sprintf(id + 4 + 2 * i, "%02x", digest[i]);
	return id;
}

/* A text of the log, shortened at a character to what an event takes; NULL for "-". */
static const char *
logged(char *text, int max)
{
	if (text[0] == '\0' || strcmp(text, "-") == 0)
		return NULL;
	if (strlen(text) > max)
		text[pg_mbcliplen(text, strlen(text), max)] = '\0';
	return text;
}

static void
read_line(const char *line, int length, const char *source, int64 number, TimestampTz now, LaEvent *event)
{
	Parts parts;
	char *identity;
	char *method;
	char *page = NULL;
	char *rest;

	memset(event, 0, sizeof(LaEvent));
	event->scroll_percent = -1;
	if (length > MAX_LINE)
	{
		event->error = psprintf("line is longer than %d bytes", MAX_LINE);
		return;
	}
	event->error = take_apart(pnstrdup(line, length), &parts);
	if (event->error != NULL)
	{
		event->error = psprintf("line %s", event->error);
		return;
	}
	if (!track_when_logged(parts.time, &event->at) || event->at < FIRST_BELIEVABLE ||
	    event->at > now + USECS_PER_DAY)
	{
		event->error = psprintf("line has a time that cannot be read or believed: %.40s", parts.time);
		return;
	}
	identity = psprintf("%s:" INT64_FORMAT ":%.*s", source, number, length, line);
	md5(identity, strlen(identity), event->event_id.data);
	event->has_event_id = true;
	event->visitor_id = visitor_of(&parts);
	event->text[LA_TEXT_REFERRER] = logged(parts.referrer, 2048);
	event->text[LA_TEXT_SOURCE] = "log";
	event->client_ip = parts.address;
	event->user_agent = logged(parts.agent, MAX_LINE);

	rest = parts.request;
	method = cut(&rest, " ");
	if (method != NULL)
	{
		char *end = strrchr(rest, ' ');

		if (end != NULL && strncmp(end, " HTTP/", 6) == 0)
			*end = '\0';
		page = rest;
		event->text[LA_TEXT_URL] = logged(page, 2048);
		if (event->text[LA_TEXT_URL] != NULL)
			track_campaign(page, event);
	}
	if (method != NULL && strcmp(method, "GET") == 0 &&
	    ((parts.status >= 200 && parts.status <= 299) || parts.status == 304) && !is_asset(page))
	{
		event->text[LA_TEXT_NAME] = "page_view";
		event->kind = 'p';
	}
	else
	{
		event->text[LA_TEXT_NAME] = "request";
		event->kind = 'a';
	}
}

/* Append the answer's entry of a line that is not taken. */
static void
reject(StringInfo rejected, int64 line, const char *error)
{
	appendStringInfo(rejected, "%s{\"line\":" INT64_FORMAT ",\"error\":", rejected->len > 0 ? "," : "", line);
	la_json_quote(rejected, error);
	appendStringInfoChar(rejected, '}');
}

LA_FUNCTION(la_track_import_log)
{
	MemoryContext caller = CurrentMemoryContext;
	LaBatch batch = {.own_clock = true, .relays = true, .now = GetCurrentTransactionStartTimestamp()};
	LaEvent *events = palloc(LA_TRACK_MAX_EVENTS * sizeof(LaEvent));
	LaEvent **taken = palloc(LA_TRACK_MAX_EVENTS * sizeof(LaEvent *));
	MemoryContext slice;
	StringInfoData rejected;
	char *source;
	int64 first_line;
	Datum *lines;
	bool *nulls;
	int nlines;
	int64 accepted = 0;
	int64 duplicates = 0;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("source, first_line and lines must not be null")));
	source = text_to_cstring(PG_GETARG_TEXT_PP(1));
	first_line = PG_GETARG_INT64(2);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(3), TEXTOID, -1, false, TYPALIGN_INT, &lines, &nulls, &nlines);
	initStringInfo(&rejected);

	for (int from = 0; from < nlines || from == 0; from += LA_TRACK_MAX_EVENTS)
	{
		int n = Min(nlines - from, LA_TRACK_MAX_EVENTS);
		int wanted;

		SPI_connect();
		slice = CurrentMemoryContext;
		if (from == 0)
			batch.workspace = track_permitted(PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0));
		batch.events = taken;
		batch.n = 0;
		for (int i = 0; i < n; i++)
		{
			LaEvent *event = &events[i];
			text *line = nulls[from + i] ? NULL : DatumGetTextPP(lines[from + i]);

			if (line == NULL)
			{
				memset(event, 0, sizeof(LaEvent));
				event->error = "line is null";
			}
			else
				read_line(VARDATA_ANY(line), VARSIZE_ANY_EXHDR(line), source, first_line + from + i,
				          batch.now, event);
			event->index = i;
			if (event->error == NULL)
				batch.events[batch.n++] = event;
			else
			{
				MemoryContextSwitchTo(caller);
				reject(&rejected, first_line + from + i, event->error);
				MemoryContextSwitchTo(slice);
			}
		}
		wanted = batch.n;
		batch.n = wanted;
		{
			int added = la_track_append(&batch);

			accepted += added;
			duplicates += wanted - added;
		}
		SPI_finish();
		MemoryContextSwitchTo(caller);
	}
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("{\"accepted\":" INT64_FORMAT ",\"duplicates\":" INT64_FORMAT
	                                          ",\"rejected\":[%s]}",
	                                          accepted, duplicates, rejected.data)));
}
