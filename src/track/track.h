/*
 * A batch of web events on its way in. Every door makes LaEvents from what it is given (track.c and
 * tracker.c: JSON, import.c: lines of files) and hands them to la_track_append(), which is the same for all:
 *
 *	clients   addresses and agents → place, network, browser, robot  client.c
 *	terms     what repeats → numbers of the dictionary               spell.c, term.c
 *	persons   user ids → numbers                                     person.c
 *	visitors  ids → numbers; their rows stay locked                  visitor.c
 *	sessions  loaded and locked, assigned in memory                  session.c
 *	sessions  what the events make of them                           settle.c
 *	events    one INSERT a leaf, and its row in the ledger           leaf.c
 *	guests    who is in a session of another                         guest.c
 *	live      what the live counts in shared memory need to know     live.c
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
#include "utils/date.h"
#include "utils/inet.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

#define LA_TRACK_MAX_EVENTS 1000 /* of a batch; an id block has room for 1 024 */
#define LA_TRACK_MAX_TAGS 20     /* of an event */

/* An entry of the dictionary. Its kind says what its parts are: see the views in track.sql. */
typedef enum LaTermKind
{
	LA_TERM_TEXT,
	LA_TERM_PAGE,
	LA_TERM_CAMPAIGN,
	LA_TERM_PLACE,
	LA_TERM_NETWORK,
	LA_TERM_AGENT,
	LA_TERM_FINGERPRINT,
	LA_TERM_DEVICE,
	LA_TERM_TAG,
	LA_TERM_SOURCE,
} LaTermKind;

typedef struct LaTerm
{
	LaTermKind kind;
	const char *parts; /* each closed by a NUL, an empty one is not known; NULL: no entry */
	int length;        /* of all of them */
	int id;            /* filled by track_terms; 0: no entry */
	bool other;        /* the dictionary is full: id is the entry "(other)" of its kind */
} LaTerm;

/* Texts an event may say. */
typedef enum LaText
{
	LA_TEXT_NAME,
	LA_TEXT_TITLE,
	LA_TEXT_REFERRER,
	LA_TEXT_SOURCE,
	LA_TEXT_URL,
	LA_TEXT_PATH,
	LA_TEXT_UTM_SOURCE,
	LA_TEXT_UTM_MEDIUM,
	LA_TEXT_UTM_CAMPAIGN,
	LA_TEXT_UTM_TERM,
	LA_TEXT_UTM_CONTENT,
	LA_TEXTS,
} LaText;

/* What of them, and of the rest, are entries of the dictionary; spell.c says how. */
typedef enum LaSlot
{
	LA_SLOT_NAME,
	LA_SLOT_TITLE,
	LA_SLOT_REFERRER,
	LA_SLOT_SOURCE,
	LA_SLOT_PAGE,
	LA_SLOT_CAMPAIGN,
	LA_SLOT_FINGERPRINT,
	LA_SLOT_DEVICE,
	LA_SLOTS,
} LaSlot;

/* Facts of a device that the tracker tells when a session starts, in the order of the dictionary's parts. */
typedef enum LaDevice
{
	LA_DEVICE_LANGUAGE,
	LA_DEVICE_PLATFORM,
	LA_DEVICE_CORES,
	LA_DEVICE_MEMORY,
	LA_DEVICE_COLOR_DEPTH,
	LA_DEVICE_PIXEL_RATIO,
	LA_DEVICES,
} LaDevice;

/* Who sends: an address and an agent, and what is known of them. */
typedef struct LaClient
{
	const char *address; /* as text; NULL: not known */
	const char *agent;   /* the User-Agent; NULL: not known */
	Datum ip;            /* the address as inet; 0: none */
	LaTerm place;
	LaTerm network;
	LaTerm agent_term;
	int64 asn; /* 0: not known */
	bool is_hosting;
	bool is_bot;
} LaClient;

typedef struct LaPerson
{
	const char *user_id;
	const char *email; /* told by the batch, NULL: none */
	int number;
} LaPerson;

typedef struct LaVisitor
{
	const char *visitor_id;
	int number;
	ItemPointerData place;       /* its row, which is locked */
	int sessions;                /* opened so far, the batch's included once they are reckoned */
	int64 last_session;          /* server-made; 0: none */
	int person;                  /* 0: nobody */
	const char *email;           /* told by the batch without a user id, NULL: none */
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
	int visitor;            /* of a loaded one: its visitor's number, 0: none */
	int referrer;           /* likewise: of the dictionary */
	int place_term;
	TimestampTz ended_at;   /* of a loaded one; DT_NOEND: not ended */
	LaSessionRow before;    /* of a loaded one */
	TimestampTz reach_from; /* started_at, and the last moment while events are assigned; 0: none yet */
	TimestampTz reach_to;

	/* made by counting the events that were added */
	LaSessionRow after;
	struct LaEvent *first; /* NULL: no event was added */
	int returns;
	int vpn_score; /* below 0: not known */
} LaSession;

typedef struct LaEvent
{
	int index;                  /* what the caller numbers it by */
	const char *error;          /* why it is not taken, or NULL */
	const char *text[LA_TEXTS]; /* NULL: absent, as with all texts here */
	const char *workspace_id;
	const char *visitor_id;
	const char *session_id;
	const char *user_id;
	const char *email;       /* of an identifying event */
	const char *previous_id; /* of an event that says an id is another name of user_id */
	const char *fingerprint;
	const char *device_agent; /* the agent as the page's script knows it */
	const char *device[LA_DEVICES];
	const char *click_id;   /* which of the click ids it has, by name */
	const char *client_ip;  /* when the event was sent for somebody else */
	const char *user_agent; /* likewise */
	bool has_event_id;
	pg_uuid_t event_id;
	TimestampTz at;
	DateADT month;    /* of at: its leaf */
	bool at_receipt;  /* its own time was missing or not believable */
	bool is_start;    /* no event, only the start of its session */
	char kind;        /* p pageview, a auto, c custom */
	int screen_width; /* 0: not known */
	int screen_height;
	double scroll_percent; /* below 0: none */
	Jsonb *data;           /* NULL: none */
	const char **tags;     /* ntags of them, each once */
	int ntags;

	/* filled by la_track_append */
	LaTerm term[LA_SLOTS];
	LaTerm *tag_terms;
	LaClient *client;
	LaVisitor *visitor;
	LaPerson *person;
	LaSession *session;
	int64 id; /* 0: it was not added */
} LaEvent;

typedef struct LaBatch
{
	int workspace;
	TimestampTz now;
	bool own_clock;         /* an import: its events are their own now, and come in the order of its lines */
	int import;             /* its id, 0: none */
	Datum client_ip;        /* inet of the connection; 0: not known */
	const char *user_agent; /* of the connection */
	bool relays;      /* the sender may say whom it sends for: client_ip and user_agent of events count */
	LaEvent **events; /* those to take, no more than LA_TRACK_MAX_EVENTS */
	int n;
	LaVisitor *visitors;
	int nvisitors;
	LaPerson *persons;
	int npersons;
	LaSession **sessions; /* those that events of the batch belong to */
	int nsessions;
	LaSession **opened; /* those of them that are new */
	int nopened;
	LaEvent **walk; /* the events that may belong to one, in the order they were assigned */
	int nwalk;
} LaBatch;

/* Whether the event is use of the workspace's plan. */
extern bool track_is_use(const LaBatch *batch, const LaEvent *event);

/*
 * allowance.c: with leadanalytics.enforce_limits, raise 429 when the plan's events of the month of now are
 * used up; and note what the batch used of them.
 */
extern void track_allowance_require(int workspace, TimestampTz now);
extern void track_allowance_spend(const LaBatch *batch);

/* Who is to hear of events that were added, in their transaction; of imports nobody is. One room may. */
typedef void (*LaHear)(const LaBatch *batch);
extern void la_track_tell(LaHear hear);

/* Take the events; returns how many were added. The rest are duplicates, and no longer among the batch's. */
extern int la_track_append(LaBatch *batch);

/* Steps of la_track_append, in this order; those from locking on are taken again when another batch
 * interferes. */
extern LaClient **track_clients(LaBatch *batch, int *n); /* every event's client; the distinct ones */
extern void track_spell(LaBatch *batch);                 /* clients and terms */
/* An entry of these parts (NULL: not known), or none when nothing is known. */
extern LaTerm track_term(LaTermKind kind, const char *const *parts, int n);
extern void track_terms(int workspace, LaTerm **terms, int n);
extern void track_persons(LaBatch *batch);
extern void track_visitors(LaBatch *batch);        /* every event's visitor */
extern void track_visitors_lock(LaBatch *batch);   /* read and lock those that are stored */
extern void track_sessions_assign(LaBatch *batch); /* load, lock, and give every event its session */
extern void track_sessions_reckon(LaBatch *batch); /* what the events make of sessions and visitors */
extern void track_visitors_add(LaBatch *batch);    /* write new ones */
extern void track_sessions_open(LaBatch *batch);   /* write new ones */
extern void track_vpn(LaBatch *batch, LaSession **opened, int n); /* their vpn_score */
extern void track_leaves_make(LaBatch *batch);    /* every event's leaf, which is there then */
extern void track_leaves_write(LaBatch *batch);   /* the events, and the ledger */
extern void track_sessions_move(LaBatch *batch);  /* write the others */
extern void track_guests(LaBatch *batch);         /* who is in a session of another */
extern void track_persons_meet(LaBatch *batch);   /* visitors are known as persons from now on */
extern void track_visitors_write(LaBatch *batch); /* write the others */
extern void track_persons_alias(LaBatch *batch);  /* two ids are one */
extern void track_live(const LaBatch *batch);     /* tell the live counts */

/*
 * The closing rule (D-04), the only one there is: when the session ended, as seen at now; DT_NOEND when
 * it is still open. It ended when its client said so (ended_at), or at last_seen when it has been idle
 * for longer than the limit for its kind.
 */
extern TimestampTz la_session_end(bool named, TimestampTz last_seen, TimestampTz ended_at, TimestampTz now);

/* Whose shape an event has. */
typedef enum LaShape
{
	LA_SHAPE_SDK,     /* the web or server SDK's */
	LA_SHAPE_TRACKER, /* the tracker's: some names of its own, and what else it says stands in the event
	                     itself */
	LA_SHAPE_START,   /* the tracker's start of a session, which is no event */
} LaShape;

/*
 * An event of this JSON object, received now; what is wrong with it is told in ->error. A timestamp before
 * the oldest that is believed is no timestamp.
 */
struct LaJson;
extern void track_read(const struct LaJson *object, TimestampTz now, TimestampTz oldest, LaShape shape,
                       LaEvent *event);

/* How track_read takes a member of that name, of an event or else of its event_data. */
typedef struct LaMember
{
	bool of_event;
	bool is_text; /* whatever it looks like; else a number, or what event_data keeps as it is */
} LaMember;
extern LaMember track_member(const char *name);

/* The path of a page's address, without query and fragment. */
extern const char *track_path(const char *url);

/* Campaign and click id out of a page's address, for an event that says neither itself. */
extern void track_campaign(const char *url, LaEvent *event);

/* The name under which a click id is known, or NULL for a name that is none (D-55). */
extern const char *track_click_id(const char *name);

/* The number of the event's visitor, 0: none. An event that names none is of its session's. */
extern int track_visitor_of(const LaEvent *event);
/* qsort of LaEvent *: those without an event_id first, in the order they came. */
extern int track_by_event_id(const void *a, const void *b);

/* 128 bits of a text that nobody can make collide. */
extern pg_uuid_t track_digest(const char *text, int length);

/* An event's id: a uuid as it is written (8-4-4-4-12), any other text by its digest. */
extern pg_uuid_t track_event_id(const char *text, int length);

/* device_id: what a browser is known by when its agent and fingerprint are (T1). */
extern char *track_device_id(const char *agent, const char *fingerprint);
/* visitor_id of a browser that says none (T1). */
extern char *track_visitor_id(const char *fingerprint);

/* ISO 8601 (no zone: UTC), or Unix seconds or milliseconds as text. */
extern bool track_when(const char *text, TimestampTz *at);

/* [day/Mon/year:hour:minute:second ±hhmm], as web servers log it, without the brackets. */
extern bool track_when_logged(const char *text, TimestampTz *at);

#define LA_TRACK_EPOCH ((1995 - 2000) * INT64CONST(365) * USECS_PER_DAY) /* nobody logged the Web before */

/* The workspace, when the caller may write to it; raises LA404 otherwise. */
extern int track_permitted(int workspace);

#endif
