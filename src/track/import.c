/*
 * What the imports of all formats share; the contract is in import.h.
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "catalog/pg_type.h"
#include "common/md5.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/error.h"
#include "core/json.h"
#include "core/query.h"
#include "track/import.h"

/* The row, which nobody else imports into until the end of the transaction. */
static LaQuery open_import = {
    "SELECT id, lines, digest, started_at, last_at FROM leadanalytics.import_row($1, $2, $3)",
    3,
    {INT4OID, TEXTOID, TEXTOID}};

/* What adds something makes a finished one go on. */
static LaQuery move_import = {
    "UPDATE leadanalytics.import SET lines = $3, digest = $4, last_at = $5, touched_at = $6, "
    "accepted = accepted + $7, duplicates = duplicates + $8, rejected = rejected + $9, "
    "finished_at = CASE WHEN $7 > 0 OR $3 > lines THEN NULL ELSE finished_at END "
    "WHERE workspace = $1 AND id = $2",
    9,
    {INT4OID, INT4OID, INT8OID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID}};

typedef struct Counts
{
	int64 accepted;
	int64 duplicates;
	int64 rejected;
} Counts;

static void
md5(const char *text, int length, uint8 *digest)
{
	const char *error = NULL;

	if (!pg_md5_binary(text, length, digest, &error))
		elog(ERROR, "could not compute MD5: %s", error);
}

void
track_import_event_id(const LaImport *import, const char *text, int length, int64 number, LaEvent *event)
{
	StringInfoData identity;

	initStringInfo(&identity);
	appendStringInfo(&identity, "%s:" INT64_FORMAT ":", import->source, number);
	appendBinaryStringInfo(&identity, text, length);
	md5(identity.data, identity.len, event->event_id.data);
	event->has_event_id = true;
}

bool
track_import_believable(const LaImport *import, TimestampTz at)
{
	return at >= LA_TRACK_EPOCH && at <= import->now + USECS_PER_DAY;
}

const char *
track_import_shown(const char *text)
{
	int length = strlen(text);

	return pnstrdup(text, pg_mbcliplen(text, length, Min(length, 40)));
}

bool
track_import_is_address(const char *text)
{
	unsigned char binary[16];

	return inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1;
}

static void
load(LaImport *import, const char *format_name)
{
	bool isnull;

	la_query_run(&open_import,
	             (Datum[]){Int32GetDatum(import->workspace), CStringGetTextDatum(import->source),
	                       CStringGetTextDatum(format_name)},
	             NULL, false, 1);
	import->id = DatumGetInt32(la_query_value(0, 1, &isnull));
	import->lines = DatumGetInt64(la_query_value(0, 2, &isnull));
	import->digest = *DatumGetUUIDP(la_query_value(0, 3, &isnull));
	import->started_at = DatumGetTimestampTz(la_query_value(0, 4, &isnull));
	import->last_at = DatumGetTimestampTz(la_query_value(0, 5, &isnull));
	if (isnull)
		import->last_at = DT_NOBEGIN;
	SPI_freetuptable(SPI_tuptable);
}

static void
store(const LaImport *import, const Counts *fresh)
{
	char nulls[10] = "         ";

	if (import->last_at == DT_NOBEGIN)
		nulls[4] = 'n';
	la_query_run(&move_import,
	             (Datum[]){Int32GetDatum(import->workspace), Int32GetDatum(import->id),
	                       Int64GetDatum(import->lines), UUIDPGetDatum(&import->digest),
	                       TimestampTzGetDatum(import->last_at), TimestampTzGetDatum(import->now),
	                       Int64GetDatum(fresh->accepted), Int64GetDatum(fresh->duplicates),
	                       Int64GetDatum(fresh->rejected)},
	             nulls, false, 0);
}

/* Note that the text has been taken. */
static void
pass(LaImport *import, const char *text, int length, int64 number)
{
	StringInfoData chain;

	initStringInfo(&chain);
	appendBinaryStringInfo(&chain, (const char *) import->digest.data, UUID_LEN);
	appendBinaryStringInfo(&chain, text, length);
	md5(chain.data, chain.len, import->digest.data);
	pfree(chain.data);
	import->lines = number;
}

/* Append the answer's entry of a text that is not taken. */
static void
reject(StringInfo rejected, int64 number, const char *error)
{
	appendStringInfo(rejected, "%s{\"line\":" INT64_FORMAT ",\"error\":", rejected->len > 0 ? "," : "",
	                 number);
	la_json_quote(rejected, error);
	appendStringInfoChar(rejected, '}');
}

Datum
track_import(FunctionCallInfo fcinfo, const char *format_name, int first_arg, LaReadText read,
             const void *format)
{
	MemoryContext caller = CurrentMemoryContext;
	LaImport import = {.now = GetCurrentTransactionStartTimestamp()};
	LaBatch batch = {.own_clock = true, .relays = true, .now = import.now};
	LaEvent *events = palloc(LA_TRACK_MAX_EVENTS * sizeof(LaEvent));
	LaEvent **taken = palloc(LA_TRACK_MAX_EVENTS * sizeof(LaEvent *));
	Counts all = {0};
	Counts fresh = {0}; /* of texts that were not there yet: a repeated chunk counts once */
	StringInfoData rejected;
	int64 first;
	int64 known = 0;
	Datum *texts;
	bool *nulls;
	int n;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(first_arg) || PG_ARGISNULL(first_arg + 1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
		                errmsg("only the workspace may be null, which is none of them")));
	import.source = text_to_cstring(PG_GETARG_TEXT_PP(1));
	first = PG_GETARG_INT64(first_arg);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(first_arg + 1), TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls,
	                  &n);
	if (first < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("lines are numbered from 1")));
	initStringInfo(&rejected);

	/* Slice by slice, each with a memory context of its own. */
	for (int from = 0; from < n || from == 0; from += LA_TRACK_MAX_EVENTS)
	{
		int slice = Min(n - from, LA_TRACK_MAX_EVENTS);
		MemoryContext memory;

		SPI_connect();
		memory = CurrentMemoryContext;
		if (from == 0)
		{
			import.workspace = batch.workspace = track_permitted(PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0));
			load(&import, format_name);
			batch.import = import.id;
			known = import.lines;
			if (known > 0 && first > known + 1)
				ereport(ERROR, (errcode(LA_CONFLICT),
				                errmsg("the next line of this source is " INT64_FORMAT ", not " INT64_FORMAT,
				                       known + 1, first),
				                errhint("Chunks come in the order of the file, without gaps.")));
		}
		batch.events = taken;
		batch.n = 0;
		for (int i = 0; i < slice; i++)
		{
			LaEvent *event = &events[i];
			int64 number = first + from + i;
			text *line = nulls[from + i] ? NULL : DatumGetTextPP(texts[from + i]);
			const char *content = line == NULL ? "" : VARDATA_ANY(line);
			int length = line == NULL ? 0 : VARSIZE_ANY_EXHDR(line);

			if (line != NULL)
				read(&import, format, content, length, number, event);
			else
			{
				memset(event, 0, sizeof(LaEvent));
				event->error = "line is null";
			}
			event->index = i;
			if (number > known)
				pass(&import, content, length, number);
			if (event->error == NULL)
			{
				batch.events[batch.n++] = event;
				import.last_at = Max(import.last_at, event->at);
				continue;
			}
			fresh.rejected += number > known;
			MemoryContextSwitchTo(caller);
			reject(&rejected, number, event->error);
			MemoryContextSwitchTo(memory);
		}
		la_track_append(&batch);
		for (int i = 0; i < slice; i++)
		{
			bool new = first + from + i > known;
			bool added = events[i].id != 0;

			if (events[i].error != NULL)
				continue;
			all.accepted += added;
			fresh.accepted += added;
			all.duplicates += !added;
			fresh.duplicates += !added && new;
		}
		if (from + slice >= n)
			store(&import, &fresh);
		SPI_finish();
		MemoryContextSwitchTo(caller);
	}
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("{\"accepted\":" INT64_FORMAT ",\"duplicates\":" INT64_FORMAT
	                                          ",\"rejected\":[%s],\"lines\":" INT64_FORMAT "}",
	                                          all.accepted, all.duplicates, rejected.data, import.lines)));
}
