/*
 * leadanalytics.import_csv(): rows of a CSV file (RFC 4180) as events.
 *
 * A row becomes the JSON object that an SDK would have sent and is read by the same table (read.c): a
 * column whose name is a member of an event is that member, any other is a member of event_data, where
 * read.c finds url, title and the like. So a new member of the table is a new column here. What only a
 * file says stands in the tables below. Its chunks are import.c's.
 *
 * The parser is our own: PostgreSQL's needs a table to read for and raises an error where a row is to be
 * told as bad, and libcsv would be one more library for the sixty lines of split().
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "core/error.h"
#include "core/export.h"
#include "core/json.h"
#include "track/import.h"

#define MAX_ROW 262144
#define MAX_COLUMNS 1000
#define MAX_AGENT 512 /* characters */
#define MAX_NUMBER 24 /* digits of a cell that is a number and not a text of digits */

typedef enum Goes
{
	NOWHERE, /* a column without a name: some tools number the rows there */
	MEMBER,  /* of the event */
	DATA,    /* of its event_data */
	OBJECT,  /* JSON: members of its event_data */
	CONTEXT, /* JSON: the server SDK's context */
	CLIENT_IP,
	USER_AGENT,
} Goes;

typedef struct Column
{
	const char *name;
	Goes goes;
	bool is_text;
	bool is_time;
} Column;

typedef struct Header
{
	int n;
	Column *columns;
} Header;

/* What other tools, and our own view leadanalytics.events, call a member. */
static const struct
{
	const char *name;
	const char *member;
} aliases[] = {
    {"at", "timestamp"},
    {"time", "timestamp"},
};

/* What does not go where its name says. */
static const struct
{
	const char *name;
	Goes goes;
} places[] = {
    {"event_data", OBJECT},    {"properties", OBJECT},    {"context", CONTEXT},
    {"ip", CLIENT_IP},         {"client_ip", CLIENT_IP},  {"user_agent", USER_AGENT},
    {"userAgent", USER_AGENT}, {"workspace_id", NOWHERE},
};

/*
 * The fields of a row, which is taken apart in place; their number, or -1 with *error. A quote inside a
 * field that does not begin with one is a character like others.
 */
static int
split(char *row, int length, char **fields, int max, const char *too_many, const char **error)
{
	char *rest = row;
	char *end = row + length;
	int n = 0;

	for (;;)
	{
		char *out = rest;

		if (n == max)
		{
			*error = too_many;
			return -1;
		}
		fields[n++] = rest;
		if (rest < end && *rest == '"')
		{
			for (rest++;; rest++)
			{
				if (rest == end)
				{
					*error = "has a quote that is not closed";
					return -1;
				}
				if (*rest == '"' && *++rest != '"')
					break;
				*out++ = *rest;
			}
			if (rest < end && *rest != ',')
			{
				*error = "has text behind a closing quote";
				return -1;
			}
		}
		else
		{
			for (; rest < end && *rest != ','; rest++)
			{
				if (*rest == '\n')
				{
					*error = "has a line break outside of quotes";
					return -1;
				}
			}
			out = rest;
		}
		if (rest == end)
		{
			*out = '\0';
			return n;
		}
		rest++; /* the comma, before its place may be taken */
		*out = '\0';
	}
}

/* A copy of the row that may be written to, without a line break at its end. */
static char *
copy_row(const char *text, int *length)
{
	if (*length > 0 && text[*length - 1] == '\n')
		(*length)--;
	if (*length > 0 && text[*length - 1] == '\r')
		(*length)--;
	return pnstrdup(text, *length);
}

static Column
column_of(const char *name)
{
	Column column = {.name = name, .goes = DATA};
	LaMember member;

	for (int i = 0; i < lengthof(aliases); i++)
		if (strcmp(name, aliases[i].name) == 0)
			column.name = aliases[i].member;
	member = track_member(column.name);
	if (member.of_event)
		column.goes = MEMBER;
	column.is_text = member.is_text;
	column.is_time = strcmp(column.name, "timestamp") == 0;
	for (int i = 0; i < lengthof(places); i++)
		if (strcmp(name, places[i].name) == 0)
			column.goes = places[i].goes;
	if (name[0] == '\0')
		column.goes = NOWHERE;
	return column;
}

static void
read_header(text *line, Header *header)
{
	const char *content = VARDATA_ANY(line);
	int length = VARSIZE_ANY_EXHDR(line);
	const char *error = NULL;
	char **names;
	bool named = false;

	if (length >= 3 && memcmp(content, "\xEF\xBB\xBF", 3) == 0)
	{
		content += 3;
		length -= 3;
	}
	names = palloc(MAX_COLUMNS * sizeof(char *));
	header->n = -1;
	if (length <= MAX_ROW)
	{
		char *row = copy_row(content, &length);

		header->n = split(row, length, names, MAX_COLUMNS, "names more columns than can be taken", &error);
	}
	else
		error = psprintf("is longer than %d bytes", MAX_ROW);
	if (header->n < 0)
		ereport(ERROR, (errcode(LA_UNPROCESSABLE), errmsg("the header %s", error),
		                errhint("The first line of a CSV file names its columns, with commas between.")));
	header->columns = palloc(header->n * sizeof(Column));
	for (int i = 0; i < header->n; i++)
	{
		header->columns[i] = column_of(names[i]);
		named = named || strcmp(names[i], "event_name") == 0 || strcmp(names[i], "event") == 0;
		for (int j = 0; j < i; j++)
			if (names[i][0] != '\0' && strcmp(header->columns[i].name, header->columns[j].name) == 0)
				ereport(ERROR, (errcode(LA_UNPROCESSABLE),
				                errmsg("the header names %s twice", header->columns[i].name),
				                errhint("Rename or remove one of the columns.")));
	}
	if (!named)
		ereport(ERROR, (errcode(LA_UNPROCESSABLE), errmsg("the header names no column event_name"),
		                errhint("Commas separate the names, which are those of an event's members.")));
}

/* Whether a cell is a number whose digits jsonb gives back as they are. */
static bool
is_number(const char *cell, int length)
{
	bool negative = *cell == '-';
	const char *c = cell + negative;
	size_t digits = strspn(c, "0123456789");

	if (length > MAX_NUMBER || digits == 0 || (*c == '0' && digits > 1))
		return false;
	c += digits;
	if (*c == '.')
	{
		digits = strspn(c + 1, "0123456789");
		if (digits == 0)
			return false;
		c += 1 + digits;
	}
	return *c == '\0' && !(negative && strpbrk(cell, "123456789") == NULL);
}

/* Hang the node below the parent. */
static void
attach(LaJson *parent, const char *key, LaJson *node)
{
	node->key = key;
	node->next = NULL;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	parent->count++;
}

static LaJson *
leaf(char *cell, bool is_text)
{
	LaJson *node = palloc0(sizeof(LaJson));

	node->text = cell;
	node->length = strlen(cell);
	node->type = LA_JSON_STRING;
	if (!is_text && is_number(cell, node->length))
		node->type = LA_JSON_NUMBER;
	else if (!is_text && (strcmp(cell, "true") == 0 || strcmp(cell, "false") == 0))
		node->type = LA_JSON_BOOL;
	return node;
}

/* The JSON object of a cell; NULL with the event's error. */
static LaJson *
object(const Column *column, const char *cell, LaEvent *event)
{
	const char *reason;
	LaJson *parsed = la_json_parse(cell, strlen(cell), &reason);

	if (parsed != NULL && parsed->type == LA_JSON_OBJECT)
		return parsed;
	event->error = psprintf("%s must be a JSON object", column->name);
	return NULL;
}

/* Put a cell that is not empty where its column goes. */
static void
put_cell(const Column *column, char *cell, LaJson *whole, LaJson *data, LaEvent *event)
{
	LaJson *parsed;

	switch (column->goes)
	{
		case NOWHERE:
			break;
		case MEMBER:
			attach(whole, column->name, leaf(cell, column->is_text));
			break;
		case DATA:
			attach(data, column->name, leaf(cell, column->is_text));
			break;
		case OBJECT:
			parsed = object(column, cell, event);
			for (LaJson *child = parsed ? parsed->first : NULL, *next; child != NULL; child = next)
			{
				next = child->next;
				attach(data, child->key, child);
			}
			break;
		case CONTEXT:
			parsed = object(column, cell, event);
			if (parsed != NULL)
				attach(whole, column->name, parsed);
			break;
		case CLIENT_IP:
			if (track_import_is_address(cell))
				event->client_ip = cell;
			else
				event->error = psprintf("%s must be an address", column->name);
			break;
		case USER_AGENT:
			if (strlen(cell) > MAX_AGENT)
				cell[pg_mbcliplen(cell, strlen(cell), MAX_AGENT)] = '\0';
			event->user_agent = cell;
			break;
	}
}

static void
read_row(const LaImport *import, const void *format, const char *row, int length, int64 number,
         LaEvent *event)
{
	const Header *header = format;
	char **cells = palloc(header->n * sizeof(char *));
	LaJson whole = {.type = LA_JSON_OBJECT};
	LaJson data = {.type = LA_JSON_OBJECT};
	LaEvent seen = {0}; /* what track_read does not know of */
	const char *time = NULL;
	int given = length;
	int n;

	memset(event, 0, sizeof(LaEvent));
	if (length > MAX_ROW)
	{
		event->error = psprintf("row is longer than %d bytes", MAX_ROW);
		return;
	}
	n = split(copy_row(row, &given), given, cells, header->n, "has more fields than the header",
	          &event->error);
	if (n == header->n)
		event->error = NULL;
	else if (n >= 0)
		event->error = psprintf("has %d fields, and the header %d", n, header->n);
	if (event->error != NULL)
	{
		event->error = psprintf("row %s", event->error);
		return;
	}
	for (int i = 0; i < n; i++)
	{
		if (cells[i][0] == '\0')
			continue;
		put_cell(&header->columns[i], cells[i], &whole, &data, &seen);
		if (header->columns[i].is_time)
			time = cells[i];
	}
	if (seen.error != NULL)
	{
		event->error = seen.error;
		return;
	}
	if (data.count > 0)
		attach(&whole, "event_data", &data);
	track_read(&whole, import->started_at, LA_TRACK_EPOCH, LA_SHAPE_SDK, event);
	if (event->error != NULL)
		return;
	event->client_ip = seen.client_ip;
	event->user_agent = seen.user_agent;
	if (time != NULL)
	{
		/* as given: history is older than what a page may say */
		if (!track_when(time, &event->at) || !track_import_believable(import, event->at))
		{
			event->error = psprintf("timestamp cannot be believed: %s", track_import_shown(time));
			return;
		}
		event->at_receipt = false;
	}
	if (!event->has_event_id)
		track_import_event_id(import, row, length, number, event);
}

LA_FUNCTION(la_track_import_csv)
{
	Header header;

	if (PG_ARGISNULL(2))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("header must not be null"),
		                errhint("It is the first line of the file.")));
	read_header(PG_GETARG_TEXT_PP(2), &header);
	return track_import(fcinfo, "csv", 3, read_row, &header);
}
