/*
 * A batch of web events on its way in. Every door makes LaEvents from what it is given (track.c: JSON,
 * import.c: lines of files) and hands them to la_track_append(), which is the same for all:
 *
 *	terms     texts → numbers of the dictionary                  term.c
 *	visitors  ids → numbers; their rows stay locked              visitor.c
 *	sessions  loaded and locked, assigned in memory              session.c
 *	events    one INSERT; its trigger writes the ledger          append.c
 *	sessions  what the events that were really added changed     session.c
 *
 * One statement per table and batch, never one per event. Locks are taken in that order and sorted
 * inside each step, so that batches wait for each other and do not deadlock.
 *
 * Everything lives in the memory context that SPI_connect() made; the caller is connected.
 */
#ifndef LA_TRACK_H
#define LA_TRACK_H

#include "datatype/timestamp.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

#define LA_TRACK_MAX_EVENTS 1000 /* of a batch; an id block has room for 1 024 */

/* What an event says as a text and keeps as a number of the dictionary. */
typedef enum LaText
{
	LA_TEXT_NAME,
	LA_TEXT_PAGE,
	LA_TEXT_TITLE,
	LA_TEXT_REFERRER,
	LA_TEXT_UTM_SOURCE,
	LA_TEXT_UTM_MEDIUM,
	LA_TEXT_UTM_CAMPAIGN,
	LA_TEXT_SOURCE,
	LA_TEXTS,
} LaText;

typedef struct LaVisitor
{
	const char *visitor_id;
	const char *fingerprint; /* of the batch, NULL: none sent */
	int64 number;
	ItemPointerData place;       /* its row, which is locked */
	int sessions;                /* opened so far */
	int64 last_session;          /* server-made; 0: none */
	int opening;                 /* by the batch, while they are written */
	bool changed;                /* its row must be written */
	struct LaSession *candidate; /* its last_session, while an event may belong to it */
	struct LaSession *opened;    /* the server-made one the batch opened last */
} LaVisitor;

/* What is stored of a session, as far as ingestion needs it. */
typedef struct LaSessionRow
{
	TimestampTz started_at;
	TimestampTz last_seen;
	int last_page;
	int events;
	int pageviews;
	int clicks;
	double scroll_percent;
} LaSessionRow;

typedef struct LaSession
{
	int64 number;           /* 0: not drawn yet */
	const char *session_id; /* NULL: made by the server */
	ItemPointerData place;  /* of a loaded one: its row, which is locked */
	bool loaded;            /* opened before this batch */
	bool listed;            /* among the batch's */
	TimestampTz ended_at;   /* of a loaded one; DT_NOEND: not ended */
	LaSessionRow before;    /* of a loaded one */
	TimestampTz reach_from; /* started_at, and the last moment while events are assigned; 0: none yet */
	TimestampTz reach_to;

	/* made by counting the events that were added */
	LaSessionRow after;
	struct LaEvent *first; /* NULL: no event was added */
	int returns;
} LaSession;

typedef struct LaEvent
{
	int index;                  /* what the caller numbers it by */
	const char *error;          /* why it is not taken, or NULL */
	const char *text[LA_TEXTS]; /* NULL: absent */
	const char *workspace_id;
	const char *visitor_id;
	const char *session_id;
	const char *fingerprint;
	const char *client_ip;  /* of an imported event: a valid address */
	const char *user_agent; /* of an imported event */
	bool has_event_id;
	pg_uuid_t event_id;
	TimestampTz at;
	bool at_receipt;       /* its own time was missing or not believable */
	char kind;             /* p pageview, a auto, c custom */
	double scroll_percent; /* below 0: none */
	Jsonb *data;           /* NULL: none */

	/* filled by la_track_append */
	int term[LA_TEXTS]; /* 0: absent */
	LaVisitor *visitor;
	LaSession *session;
	int64 id;
	bool added; /* false: a duplicate */
} LaEvent;

typedef struct LaBatch
{
	int workspace;
	TimestampTz now;
	bool own_clock;   /* an import: its events are their own now, and come in the order of its lines */
	int import;       /* its id, 0: none */
	LaEvent **events; /* those to take, no more than LA_TRACK_MAX_EVENTS */
	int n;
	LaVisitor *visitors;
	int nvisitors;
	LaSession **sessions; /* those that events of the batch belong to */
	int nsessions;
	LaSession **opened; /* those of them that are new */
	int nopened;
	LaEvent **walk; /* the events that may belong to one, in the order they were assigned */
	int nwalk;
} LaBatch;

/* Take the events; returns how many were added (their member added is set), the rest are duplicates. */
extern int la_track_append(LaBatch *batch);

/* Steps of la_track_append. */
extern void track_terms(LaBatch *batch);
extern void track_visitors(LaBatch *batch);
extern void track_visitors_write(LaBatch *batch);
extern void track_sessions_assign(LaBatch *batch); /* load, lock, and give every event its session */
extern void track_sessions_load(LaBatch *batch, LaSession **sessions,
                                int n);                       /* sorted by name, those that are stored */
extern int track_by_session_id(const void *a, const void *b); /* qsort of LaSession * */
extern void track_sessions_open(LaBatch *batch); /* write the new ones, as if every event were added */
extern void track_sessions_write(LaBatch *batch, bool all_added);

/*
 * The closing rule (D-04), the only one there is: when the session ended, as seen at now; DT_NOEND when
 * it is still open. It ended when its client said so (ended_at), or at last_seen when it has been idle
 * for longer than the limit for its kind.
 */
extern TimestampTz la_session_end(bool named, TimestampTz last_seen, TimestampTz ended_at, TimestampTz now);
extern int64 la_session_limit(bool named); /* the idle limit in microseconds */

/* An event of this JSON object; what is wrong with it is told in ->error. */
struct LaJson;
extern void track_read(const struct LaJson *object, TimestampTz now, LaEvent *event);

/* How track_read takes a member of that name, of an event or else of its event_data. */
typedef struct LaMember
{
	bool of_event;
	bool is_text; /* whatever it looks like; else a number, or what event_data keeps as it is */
} LaMember;
extern LaMember track_member(const char *name);

/* p, a or c: the kind of an event of that name (D-63). */
extern char track_kind(const char *name);

/* 128 bits of a text that nobody can make collide. */
extern pg_uuid_t track_digest(const char *text, int length);

/* ISO 8601 (no zone: UTC), or Unix seconds or milliseconds as text. */
extern bool track_when(const char *text, TimestampTz *at);

/* [day/Mon/year:hour:minute:second ±hhmm], as web servers log it, without the brackets. */
extern bool track_when_logged(const char *text, TimestampTz *at);

/* The workspace, when the caller may write to it; raises LA404 otherwise. */
extern int track_permitted(int workspace);

#endif
