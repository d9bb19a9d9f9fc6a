/*
 * Inside the engine: what its files share.
 *
 *	facts.c    rows ─▶ facts ─┐
 *	                          ├─▶ tally: (slot, dimension, value) → counts, members ─▶ answer.c, or
 *	segment_read.c  bytes ────┘                                                   segment_write.c
 *
 * A slot is a piece of time that is counted by itself: a bucket that is written, a stretch of an
 * answer. What a fact counts for is told in dimension.c alone, so whoever folds and whoever reads cannot
 * differ.
 */
#ifndef LA_ROLLUP_PARTS_H
#define LA_ROLLUP_PARTS_H

#include "postgres.h"

#include "common/hashfn.h"
#include "utils/date.h"
#include "utils/timestamp.h"

#include "core/query.h"
#include "rollup/trail.h"

static inline uint32
rollup_hash(uint64 key)
{
	return hash_combine(murmurhash32((uint32) key), murmurhash32((uint32) (key >> 32)));
}

/* Dimensions that segments keep; the numbers are stored. Those of robots' events are kept apart, at +
 * LA_ROBOTS. */
typedef enum LaDimension
{
	LA_TOTAL = 1,    /* events: all, pageviews, custom; visitors */
	LA_FINGERPRINT,  /* none; fingerprints of events and sessions */
	LA_NAME,         /* events by name: how many; visitors */
	LA_PAGE,         /* pageviews by page: how many; visitors */
	LA_PAGE_SESSION, /* pageviews by page: none; sessions */
	LA_EVENT_PAGE,   /* events, of any kind, by their own page: how many; and so on */
	LA_EVENT_CAMPAIGN,
	LA_EVENT_PLACE,
	LA_TAG,          /* events by each of their tags: how many */
	LA_PERSON,       /* events that name a person and no visitor, by name: how many; persons */
	LA_ORIGIN,       /* events by source and name: how many */
	LA_SESSION = 16, /* sessions by their start: how many */
	LA_SUSPECTED,    /* suspected sessions: how many; fingerprints */
	LA_ENTRY,        /* sessions by entry page: how many; visitors; and so on */
	LA_REFERRER,
	LA_CAMPAIGN,
	LA_PLACE,
	LA_AGENT,
	LA_SCORE,    /* complete sessions by score: how many */
	LA_COMPLETE, /* complete sessions: how many, their microseconds, their scores */
	LA_DIMENSIONS,
	LA_ROBOTS = 32,
} LaDimension;

#define LA_COUNTS 3 /* of a value, at most */

/* A set of dimensions, as bits. */
typedef uint64 LaDimensions;
#define LA_BIT(dimension) (UINT64CONST(1) << (dimension))
#define LA_OF_EVENTS (LA_BIT(LA_SESSION) - LA_BIT(LA_TOTAL)) /* robots' apart */

typedef struct LaEventFact
{
	TimestampTz at;
	int64 id;
	int64 session; /* 0: none, as everywhere here */
	int visitor;
	int person; /* whom the event itself named */
	int name;
	int source;
	int page;
	int campaign;
	int place;
	int fingerprint;
	const int *tags; /* each once */
	int ntags;
	char kind;
	bool is_bot;
} LaEventFact;

typedef struct LaSessionFact
{
	TimestampTz started_at;
	int64 number;
	int visitor;
	int entry;
	int referrer;
	int campaign;
	int place;
	int agent;
	int fingerprint;
	bool is_suspected;
	bool is_complete;
	int score;
	int64 duration; /* µs */
} LaSessionFact;

/* A stored set among the members of an entry. */
typedef struct LaStoredSet
{
	const char *bytes;
	int length;
	int64 count; /* of its numbers, as its segment says */
	struct LaStoredSet *next;
} LaStoredSet;

typedef struct LaEntry
{
	uint64 key; /* slot, dimension, value */
	char status;
	int64 counts[LA_COUNTS];
	uint32 *numbers; /* members one by one, in any order, with repeats */
	int n;
	int room;
	LaStoredSet *sets;
	int64 at_most; /* members, counted once for each set and number */
} LaEntry;

typedef struct LaTally LaTally;

/* Empty, in CurrentMemoryContext, which holds all that is put in. */
extern LaTally *rollup_tally(LaDimensions wanted);
extern LaEntry *rollup_entry(LaTally *tally, int slot, int dimension, int value);
extern LaEntry *rollup_entry_if(const LaTally *tally, int slot, int dimension, int value);
extern void rollup_add_number(LaTally *tally, LaEntry *entry, uint32 number);
extern void rollup_add_set(LaTally *tally, LaEntry *entry, const char *bytes, int length, int64 count);
/* Add what an entry has, of the same tally or another one. Moved, it has no other use; copied, it stays. */
extern void rollup_move_entry(LaTally *tally, LaEntry *to, const LaEntry *from);
extern void rollup_copy_entry(LaTally *tally, LaEntry *to, const LaEntry *from);
extern LaEntry **rollup_entries_of(const LaTally *tally, LaDimensions dimensions, int *n); /* in any order */
extern LaEntry **rollup_entries(const LaTally *tally, int *n); /* in the order of slot, dimension, value */
extern LaDimensions rollup_wanted(const LaTally *tally);
/* Only these values, in any order, are put in from now on, whatever their dimension. */
extern void rollup_take_only(LaTally *tally, const int *values, int n);
extern bool rollup_takes(const LaTally *tally, int value);

static inline int
rollup_slot(const LaEntry *entry)
{
	return entry->key >> 40;
}

static inline int
rollup_dimension(const LaEntry *entry)
{
	return entry->key >> 32 & 0xff;
}

static inline int
rollup_value(const LaEntry *entry)
{
	return (int) (uint32) entry->key;
}

/* dimension.c: what a fact counts for, and what is asked for. */
extern void rollup_count_event(LaTally *tally, int slot, const LaEventFact *event);
extern void rollup_count_start(LaTally *tally, int slot, const LaSessionFact *session);
extern void rollup_count_end(LaTally *tally, int slot, const LaSessionFact *session);
extern const char *rollup_members(int dimension); /* whose; NULL: it has no sets */
extern const char *rollup_count_name(int dimension, int count);
extern bool rollup_has_set(int dimension);
extern int rollup_ncounts(int dimension);
extern LaDimensions rollup_all(void);
#define LA_OF_EVENTS (LA_BIT(LA_SESSION) - LA_BIT(LA_TOTAL)) /* robots' apart */

/* What can be asked for by name: a dimension, and its values grouped by a text. */
typedef struct LaAsked
{
	const char *name;
	LaDimension dimension;
	LaQuery text; /* id, text of the terms $2 of workspace $1; none: there is one value, or it is a number */
	bool texts_only; /* what has no text does not count */
	bool is_number;  /* which is what is shown */
} LaAsked;

extern LaAsked *rollup_asked(const char *name);
extern const LaAsked *rollup_all_asked(int *n);

/* text.c */
extern void rollup_texts(LaAsked *asked, int workspace, const int *values, int n, const char **texts);

/* facts.c: facts as of the active snapshot, with SPI connected. */
typedef struct LaTail
{
	int n; /* rows of the ledger, in the order of ids */
	int64 *id_from;
	int64 *id_to;
	TimestampTz *at_min;
	TimestampTz *at_max;
	int64 *events_of; /* how many each names */
	int64 events;
	int nopened; /* numbers of sessions, ascending */
	int64 *opened;
	int nclosed;
	int64 *closed;
	int nrows; /* of the session ledger */
	int64 *rows;
} LaTail;

/* Sessions that are looked at more than once. */
typedef struct LaSessions
{
	LaSessionFact *facts;
	int n;
} LaSessions;

typedef void (*LaTakeEvent)(const LaEventFact *event, void *arg);
typedef void (*LaTakeSession)(const LaSessionFact *session, void *arg);

extern LaTail *rollup_tail(int workspace, int64 most, TimestampTz from, TimestampTz to);
extern LaTail *rollup_tail_of_events(int workspace, TimestampTz from, TimestampTz to);
extern LaTail *rollup_tail_between(int workspace, TimestampTz from, TimestampTz to);
extern bool rollup_tail_has_event(const LaTail *tail, int64 id, TimestampTz at);
extern int rollup_tail_row(const LaTail *tail, int64 id, TimestampTz at); /* which row has it, -1: none */
extern bool rollup_tail_has(const int64 *numbers, int n, int64 number);
extern void rollup_events_of_tail(const LaTail *tail, LaTakeEvent take, void *arg);
extern void rollup_events_between(int workspace, TimestampTz from, TimestampTz to, LaTakeEvent take,
                                  void *arg);

/* All that was done in these sessions, or (minus) by these visitors and persons outside of any. */
extern void rollup_events_of_keys(int workspace, const int64 *keys, int n, LaTakeEvent take, void *arg);

/* Complete or not as seen at now; a now of 0 knows only those whose end is written. */
extern void rollup_sessions_of(int workspace, const int64 *numbers, int n, LaTakeSession take, void *arg);

/* The same, kept; one that was erased meanwhile is not among them. */
extern LaSessions rollup_read_sessions(int workspace, const int64 *numbers, int n);

/* Widen a range of times to all their starts. */
extern void rollup_widen(TimestampTz *range, const LaSessions *sessions);
extern void rollup_sessions_between(int workspace, TimestampTz from, TimestampTz to, TimestampTz now,
                                    LaTakeSession take, void *arg);
extern void rollup_sessions_idle(int workspace, TimestampTz now, LaTakeSession take, void *arg);

/* span.c: time, cut into what answers for it. */
typedef enum LaSource
{
	LA_FROM_ROWS,
	LA_FROM_QUARTERS,
	LA_FROM_BUCKET,
} LaSource;

typedef struct LaSpan
{
	TimestampTz from;
	TimestampTz to;
	LaSource source;
	char grain;
	const char *zone;
	int slot;
} LaSpan;

typedef struct LaBucket
{
	TimestampTz starts;
	TimestampTz ends;
	char grain;
	const char *zone;
} LaBucket;

/* Of time before, rows are gone; -infinity: of none. */
extern TimestampTz rollup_dropped_before(int workspace);

#define LA_QUARTER (15 * USECS_PER_MINUTE)

/* The last multiple of the unit (from 2000-01-01 UTC) that is not after the time. */
static inline TimestampTz
rollup_floor(TimestampTz at, int64 unit)
{
	int64 into = at % unit;

	return at - (into < 0 ? into + unit : into);
}

extern LaBucket *rollup_buckets(int workspace, TimestampTz from, TimestampTz to, int *n);
/* coarsest: the grain of buckets up to which they may be used: a bucket is not made of itself. */
extern LaSpan *rollup_spans(const LaBucket *buckets, int nbuckets, const TimestampTz *bounds, int nslots,
                            char coarsest, int *n);
extern char rollup_finer(char grain); /* of which buckets of the grain are made; '\0': of rows */
extern LaSpan *rollup_span_at(LaSpan *spans, int n, TimestampTz at);

/* segment_read.c, segment_write.c; segment.h has the format. */
extern void rollup_read_segments(int workspace, LaSpan *spans, int nspans, LaDimensions wanted,
                                 bool with_sets, LaTally *tally);

typedef struct LaTarget /* a bucket whose segments a tally's slot is to become */
{
	char grain;
	const char *zone;
	TimestampTz starts;
	TimestampTz ends;
} LaTarget;

/* target.c: the targets that a fact counts for. */
typedef struct LaQuarter /* of an hour: the targets around it */
{
	int64 number; /* key: since 2000 */
	char status;
	int n;
	int *targets;
} LaQuarter;

typedef struct LaTargets
{
	LaBucket *buckets;
	int nbuckets;
	int *target_of; /* of days, weeks and months: their target, -1: none yet */
	LaTarget *targets;
	int ntargets;
	int room;
	struct quarter_hash *quarters;
	LaQuarter *last;
} LaTargets;

extern LaTargets *rollup_targets(int workspace, TimestampTz first, TimestampTz last);
extern const LaQuarter *rollup_targets_at(LaTargets *all, TimestampTz at);
/* A bucket, or a quarter of an hour of one, whatever counts for it. */
extern void rollup_targets_add(LaTargets *all, const LaBucket *bucket, TimestampTz starts);

extern Datum rollup_dimension_array(LaDimensions dimensions); /* as smallint[] */
extern void rollup_write_segments(int workspace, const LaTarget *targets, int ntargets, LaTally *tally,
                                  int64 *built);

/* members.c */
extern int64 rollup_count_members(const LaEntry *entry);
extern int rollup_store_members(StringInfo out, const LaEntry *entry, int64 *count);
extern bool rollup_remove_members(LaTally *tally, LaEntry *entry, const uint32 *gone, int ngone);

/* rank.c */
typedef struct LaShown /* a text and what has it */
{
	const char *text;
	int64 counts[LA_COUNTS];
	LaEntry *whole; /* of the whole range */
	int64 members;  /* -1: not counted */
} LaShown;

/* Put the first ones first; returns how many are shown. top 0: all. */
extern int rollup_rank(LaShown *groups, int n, int top, bool by_members);

/* gather.c: all facts of the bounds' slots into the tally. */
typedef struct LaGather
{
	int workspace;
	TimestampTz *bounds; /* moved to whole days where rows are gone */
	bool moved;
	int nslots;
	TimestampTz now; /* idle sessions are complete as seen then; 0: not before their end is written */
	bool with_tail;  /* what is not folded yet, too */
	bool with_sets;
	char coarsest;
} LaGather;

extern void rollup_gather(LaGather *gather, LaTally *tally);
extern void rollup_tell_moved(const LaGather *gather); /* a notice, when the bounds were */

/* state.c: the workspace's row, held by who writes its segments. With SPI connected and a snapshot pushed. */
typedef struct LaRollupState
{
	int64 day; /* the latest with folded events, since 2000-01-01; PG_INT64_MIN: none yet */
	int64 day_events;
} LaRollupState;

/* False: somebody else holds it. */
extern bool rollup_lock(int workspace, LaRollupState *state);
/* What was written is seen from here on, and what others have committed. */
extern void rollup_look_anew(void);
/* Days from the earliest event on are looked at again for buckets that are due; DT_NOEND: there is none. */
extern void rollup_keep_state(int workspace, const LaRollupState *state, TimestampTz earliest);

/* trail_web.c: points of events, for the trail. */
typedef struct LaPoints
{
	LaPoint *points;
	int64 n;
	int64 room;
} LaPoints;

extern void rollup_add_point(LaPoints *points, LaPoint point);
extern void rollup_add_event_point(LaPoints *points, const LaEventFact *event);

/* Whose trail an event belongs to; 0: nobody's. */
static inline int
rollup_trail_number(const LaEventFact *event)
{
	return event->is_bot ? 0 : event->visitor != 0 ? event->visitor : event->person;
}

/* fold.c */
extern void rollup_delete_tail(int workspace, const LaTail *tail);

/* build.c: make a bucket of what is folded, as the snapshot sees it; the workspace's row is held. */
extern void rollup_build(int workspace, char grain, const char *zone, TimestampTz starts, TimestampTz ends);

/* unfold_segments.c: facts that go out of what is kept, and those that come in their place. */
typedef struct LaUnfolding
{
	int workspace;
	LaTargets *targets;
	LaTally *gone; /* by the targets' numbers */
	LaTally *come;
	const LaTail *tail;
	TimestampTz
	    dropped_before; /* of what is before nobody knows which facts had the numbers: all sets lose them */
	/* ascending, each once: who goes, and the sessions that go with them */
	uint32 *visitors;
	uint32 *persons;
	uint32 *sessions;
	int nvisitors;
	int npersons;
	int nsessions;
	struct LaShownDays *shown;
} LaUnfolding;

extern int64 rollup_unfold_segments(LaUnfolding *unfolding);
/* unfold_shared.c: what of a target's fingerprints that go somebody else has shown, too: it comes back. */
extern void rollup_unfold_shown(LaUnfolding *unfolding);
extern void rollup_unfold_shared(LaUnfolding *unfolding, int slot);

#endif
