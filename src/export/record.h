/*
 * Records as the bytes of a file. Private to this room.
 *
 * A record is a JSON object of texts, numbers, booleans and nulls. CSV is that of RFC 4180: lines end in
 * CRLF, a cell with a comma, quote or line break is quoted, quotes in it are doubled. A null is an empty
 * cell, an empty text a quoted one. What a spreadsheet would take for a formula, a text that begins with = +
 * - @, TAB, CR or LF, gets an apostrophe before it; numbers are no texts and stay what they are.
 */
#ifndef LA_EXPORT_RECORD_H
#define LA_EXPORT_RECORD_H

#include "lib/stringinfo.h"

#include "core/json.h"

typedef struct LaFileFormat
{
	const char *name;
	const char *begin; /* before the first record */
	const char *between;
	const char *end;
	bool csv;    /* records are lines of cells, after a line of their members' names; else they are JSON */
	bool pieces; /* records are no objects, but JSON strings: their characters are the file */
} LaFileFormat;

/* The format of that name; raises when there is none. */
extern const LaFileFormat *la_file_format(const char *name);

/* Parse a record; raises unless it is one. In the current memory context. */
extern LaJson *la_record_parse(const char *text, int length);

/* The characters of a piece; raises unless the record is one. */
extern const LaJson *la_record_piece(const char *text, int length);

/* Append a record as a line of CSV, or its members' names. */
extern void la_record_csv(StringInfo out, const LaJson *record, bool names);

#endif
