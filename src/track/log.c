/*
 * leadanalytics.import_log(): lines of a web server's log in combined format, as events.
 *
 *	address identity user [time] "request" status bytes "referrer" "agent"
 *
 * Apache and nginx write a quote inside a quoted part as \" or \x22. Texts are kept as logged, escapes
 * included: what the caller's own tools find in the file, they find here.
 *
 * Its chunks are import.c's.
 */
#include "postgres.h"

#include "common/md5.h"
#include "mb/pg_wchar.h"

#include "core/export.h"
#include "track/import.h"

#define MAX_LINE 65536

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

/* Take the line apart; the reason when it is not in the format. */
static const char *
take_apart(char *line, Parts *parts)
{
	char *rest = line;
	char *status;
	char *bytes;
	char *end;

	parts->address = cut(&rest, " ");
	if (parts->address == NULL || !track_import_is_address(parts->address))
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

/* log:<md5 of "address agent">: what tells browsers apart in a log. */
static char *
visitor_of(const Parts *parts)
{
	StringInfoData text;
	char *id = palloc(4 + 32 + 1);
	const char *error = NULL;

	initStringInfo(&text);
	appendStringInfo(&text, "%s %s", parts->address, parts->agent);
	strcpy(id, "log:");
	if (!pg_md5_hash(text.data, text.len, id + 4, &error))
		elog(ERROR, "could not compute MD5: %s", error);
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
read_line(const LaImport *import, const void *format, const char *line, int length, int64 number,
          LaEvent *event)
{
	Parts parts;
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
	if (!track_when_logged(parts.time, &event->at) || !track_import_believable(import, event->at))
	{
		event->error =
		    psprintf("line has a time that cannot be read or believed: %s", track_import_shown(parts.time));
		return;
	}
	track_import_event_id(import, line, length, number, event);
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

LA_FUNCTION(la_track_import_log)
{
	return track_import(fcinfo, "log", 2, read_line, NULL);
}
