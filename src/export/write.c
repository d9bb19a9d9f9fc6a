/*
 * Writing a file: a cursor over the records of its type's function, and pieces of 1 MiB as they are full. No
 * more is held than a few records and one piece, however large the file is: the records of the function
 * themselves are PostgreSQL's to keep, within work_mem and beyond it on disk.
 *
 * All in the transaction of the caller, so a file is whole or not there.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/core.h"
#include "core/error.h"
#include "core/export.h"
#include "core/query.h"
#include "export/record.h"

#define CHUNK (1024 * 1024) /* as nginx.conf's slices */
#define FETCH 100           /* records at a time */

typedef struct Writer
{
	int workspace;
	text *key;
	const LaFileFormat *format;
	bytea *chunk;
	int filled; /* bytes of it */
	int chunks; /* written */
	int64 size;
	int64 records;
	List *names;         /* of the first record's members */
	MemoryContext lasts; /* as long as the writer */
	MemoryContext brief; /* as long as some records */
} Writer;

static LaQuery add_chunk = {
    "INSERT INTO leadanalytics.export_chunk (workspace, export, n, data) VALUES ($1, $2, $3, $4)",
    4,
    {INT4OID, TEXTOID, INT4OID, BYTEAOID}};

static void
put_chunk(Writer *writer)
{
	Datum values[] = {Int32GetDatum(writer->workspace), PointerGetDatum(writer->key),
	                  Int32GetDatum(writer->chunks), PointerGetDatum(writer->chunk)};

	SET_VARSIZE(writer->chunk, VARHDRSZ + writer->filled);
	la_query_run(&add_chunk, values, NULL, false, 0);
	writer->chunks++;
	writer->filled = 0;
}

static void
put(Writer *writer, const char *bytes, int length)
{
	writer->size += length;
	while (length > 0)
	{
		int fits = Min(length, CHUNK - writer->filled);

		memcpy(VARDATA(writer->chunk) + writer->filled, bytes, fits);
		writer->filled += fits;
		bytes += fits;
		length -= fits;
		if (writer->filled == CHUNK)
			put_chunk(writer);
	}
}

/* All records have the members of the first, in its order: else cells would stand under other names. */
static void
check_names(Writer *writer, const LaJson *record)
{
	ListCell *cell;
	const LaJson *member = record->first;

	if (writer->records == 0)
	{
		MemoryContext brief = MemoryContextSwitchTo(writer->lasts);

		la_json_foreach (named, record)
			writer->names = lappend(writer->names, pstrdup(named->key));
		MemoryContextSwitchTo(brief);
		return;
	}
	foreach (cell, writer->names)
	{
		if (member == NULL || strcmp(member->key, lfirst(cell)) != 0)
			break;
		member = member->next;
	}
	if (cell != NULL || member != NULL)
		ereport(ERROR,
		        (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
		         errmsg("record " INT64_FORMAT " has other members than the first", writer->records + 1),
		         errhint("Correct the function of the export's type.")));
}

static void
put_piece(Writer *writer, const char *json, int length)
{
	const LaJson *piece = la_record_piece(json, length);

	put(writer, piece->text, piece->length);
	writer->records++;
}

static void
put_record(Writer *writer, const char *json, int length)
{
	LaJson *record = la_record_parse(json, length);
	StringInfoData line;

	check_names(writer, record);
	initStringInfo(&line);
	appendStringInfoString(&line, writer->records == 0 ? writer->format->begin : writer->format->between);
	if (writer->format->csv && writer->records == 0)
		la_record_csv(&line, record, true);
	if (writer->format->csv)
		la_record_csv(&line, record, false);
	else
		la_json_compact(&line, json, length);
	put(writer, line.data, line.len);
	writer->records++;
}

static void
put_records(Writer *writer, Portal cursor)
{
	for (;;)
	{
		SPITupleTable *rows;
		MemoryContext outside;

		SPI_cursor_fetch(cursor, true, FETCH);
		rows = SPI_tuptable;
		if (SPI_processed == 0)
			break;
		outside = MemoryContextSwitchTo(writer->brief);
		for (uint64 row = 0; row < rows->numvals; row++)
		{
			bool isnull;
			Datum value = SPI_getbinval(rows->vals[row], rows->tupdesc, 1, &isnull);
			text *json = isnull ? cstring_to_text("null") : DatumGetTextPP(value);

			CHECK_FOR_INTERRUPTS();
			(writer->format->pieces ? put_piece : put_record)(writer, VARDATA_ANY(json),
			                                                  VARSIZE_ANY_EXHDR(json));
			MemoryContextReset(writer->brief);
		}
		MemoryContextSwitchTo(outside);
		SPI_freetuptable(rows);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* (query, workspace, key, format, options, now) → size, records */
LA_FUNCTION(la_export_write)
{
	char *query = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Writer writer = {.workspace = PG_GETARG_INT32(1),
	                 .key = PG_GETARG_TEXT_PP(2),
	                 .format = la_file_format(text_to_cstring(PG_GETARG_TEXT_PP(3))),
	                 .lasts = CurrentMemoryContext};
	Oid types[] = {INT4OID, JSONBOID, TIMESTAMPTZOID};
	Datum arguments[] = {PG_GETARG_DATUM(1), PG_GETARG_DATUM(4), PG_GETARG_DATUM(5)};
	bool nulls[2] = {false, false};
	Datum values[2];
	TupleDesc columns;
	Portal cursor;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "la_export_write returns a row");
	writer.chunk = palloc(VARHDRSZ + CHUNK);
	writer.brief =
	    AllocSetContextCreate(CurrentMemoryContext, "leadanalytics record", ALLOCSET_DEFAULT_SIZES);
	SPI_connect();
	cursor = SPI_cursor_open_with_args(NULL, query, lengthof(types), types, arguments, NULL, true,
	                                   CURSOR_OPT_NO_SCROLL);
	/* Anything else is no pointer to a text, and would be read as one. */
	if (cursor->tupDesc == NULL || cursor->tupDesc->natts != 1 ||
	    TupleDescAttr(cursor->tupDesc, 0)->atttypid != JSONOID)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("records must be one column of json"),
		                errhint("Correct the query.")));
	put_records(&writer, cursor);
	SPI_cursor_close(cursor);
	if (writer.records == 0)
		ereport(ERROR, (errcode(LA_UNPROCESSABLE), errmsg("insufficient data")));
	put(&writer, writer.format->end, strlen(writer.format->end));
	if (writer.filled > 0)
		put_chunk(&writer);
	SPI_finish();

	values[0] = Int64GetDatum(writer.size);
	values[1] = Int64GetDatum(writer.records);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}
