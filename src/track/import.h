/*
 * A chunk of a file on its way in: import.c does what all formats share, a format (log.c, csv.c) makes an
 * event of each text.
 *
 * A chunk's transaction adds its events and moves leadanalytics.import.lines on, so an import that was cut
 * off anywhere goes on behind its last committed chunk and ends as if it never was. Two sessions never
 * import one source at the same time. Chunks of any size make the same events and sessions: a text's
 * event_id is made of the source, its number and itself, and sessions go by the file's own clock.
 */
#ifndef LA_TRACK_IMPORT_H
#define LA_TRACK_IMPORT_H

#include "fmgr.h"

#include "track/track.h"

typedef struct LaImport
{
	int workspace;
	int id;
	const char *source;
	TimestampTz now;        /* of this chunk */
	TimestampTz started_at; /* of the whole import */
	TimestampTz last_at;    /* the latest event so far; DT_NOBEGIN: none */
	int64 lines;            /* the number of the last text taken */
	pg_uuid_t digest;       /* of the texts taken: md5(that of those before, text) */
} LaImport;

/* Make an event of a text; what is wrong with it is told in ->error. */
typedef void (*LaReadText)(const LaImport *import, const void *format, const char *text, int length,
                           int64 number, LaEvent *event);

/*
 * Take a chunk: workspace and source are arguments 0 and 1 of the call, the number of its first text and
 * the texts those at first_arg and after it. Returns the answer, a text of JSON. Not connected to SPI.
 */
extern Datum track_import(FunctionCallInfo fcinfo, const char *format_name, int first_arg, LaReadText read,
                          const void *format);

/* The event_id of a text that brings none. */
extern void track_import_event_id(const LaImport *import, const char *text, int length, int64 number,
                                  LaEvent *event);

/* The start of a text, for a message. */
extern const char *track_import_shown(const char *text);

/* Whether a file may say that something happened then. */
extern bool track_import_believable(const LaImport *import, TimestampTz at);

/* An IPv4 or IPv6 address as it is written, without a prefix length. */
extern bool track_import_is_address(const char *text);

#endif
