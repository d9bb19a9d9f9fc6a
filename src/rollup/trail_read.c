/*
 * Reading the trail: day by day, the parts of a day merged as they are unpacked.
 *
 * Points of few trails come in runs: the part whose point is the next one is gone through until another's is.
 */
#include "rollup/points.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/memutils.h"

#include "core/query.h"
#include "rollup/parts.h"

#define AT_ONCE 512
#define SIFTED 128

/* A stretch of the primary key for each trail. */
#define PARTS                                                                                                \
	"FROM unnest($2, $3, $4, $5) WITH ORDINALITY AS s (kind, step, first, last, key) "                       \
	"CROSS JOIN LATERAL (SELECT t.day, t.part, t.n, t.points FROM leadanalytics.trail t "                    \
	"WHERE t.workspace = $1 AND t.kind = s.kind AND t.step = s.step AND t.day BETWEEN s.first AND s.last "   \
	"OFFSET 0) AS p"
#define OF_PARTS                                                                                             \
	5,                                                                                                       \
	{                                                                                                        \
		INT4OID, CHARARRAYOID, INT4ARRAYOID, DATEARRAYOID, DATEARRAYOID                                      \
	}

static LaQuery read_trails = {"SELECT p.day, s.key, p.part, p.n, p.points " PARTS " ORDER BY p.day",
                              OF_PARTS};

static LaQuery size_of_trails = {"SELECT coalesce(sum(p.n), 0)::bigint " PARTS, OF_PARTS};

static inline int
compare_times(const LaPoint *a, const LaPoint *b)
{
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return (a->step > b->step) - (a->step < b->step);
}

#define ST_SORT sort_times
#define ST_ELEMENT_TYPE LaPoint
#define ST_COMPARE(a, b) compare_times(a, b)
#define ST_SCOPE static
#define ST_DECLARE
#define ST_DEFINE
#define ST_CHECK_FOR_INTERRUPTS
#include "lib/sort_template.h"

/* Points in order: a part, or some in memory. */
typedef struct Stream
{
	LaPoint point;
	LaPartReader reader;
	const LaPoint *next; /* NULL: it is a part */
	const LaPoint *end;
	LaPoint *sifted; /* of a part, some points of the numbers asked for; NULL: all are */
	const LaTrail *of;
	TimestampTz to;
} Stream;

typedef struct Part
{
	LaPartKey key;
	Datum bytes;
	int trail;
} Part;

typedef struct Reading
{
	int workspace;
	const LaTrail *trails;
	int ntrails;
	LaPoints more;
	int64 more_done;
	DateADT day; /* of the parts */
	Part *parts;
	int nparts;
	int room;
	MemoryContext of_day;
	MemoryContext caller; /* where take is called */
	LaPoint *out;
	int64 nout;
	LaTakePoints take;
	void *arg;
} Reading;

/* The next ones of the numbers that are asked for. Whether it is one cannot be guessed, so nothing branches
 * on it; all that there are have been met. */
static bool
sift(Stream *stream)
{
	LaPartReader *reader = &stream->reader;
	const LaTrail *of = stream->of;
	int n = 0;

	while (n < SIFTED && rollup_next_point(reader) && reader->point.at < of->to)
	{
		if (reader->point.at < of->from)
			continue;
		stream->sifted[n] = (LaPoint){reader->point.at, reader->point.number, of->tag, 1};
		n += la_bitmap_has(of->only, reader->point.number);
		if (of->met != NULL)
			la_bitmap_add(of->met, reader->point.number);
	}
	stream->next = stream->sifted;
	stream->end = stream->sifted + n;
	return n > 0;
}

/* Of a part, a point may be long after the last one asked for: the rest is left alone. */
static inline bool
advance(Stream *stream)
{
	if (stream->next != NULL)
	{
		if (stream->next == stream->end && (stream->sifted == NULL || !sift(stream)))
			return false;
		stream->point = *stream->next++;
	}
	else
	{
		if (!rollup_next_point(&stream->reader))
			return false;
		stream->point.at = stream->reader.point.at;
		stream->point.number = stream->reader.point.number;
	}
	return stream->point.at < stream->to;
}

static void
hand_over(Reading *reading)
{
	MemoryContext before = MemoryContextSwitchTo(reading->caller);

	CHECK_FOR_INTERRUPTS();
	if (reading->nout > 0)
		reading->take(reading->out, reading->nout, reading->arg);
	reading->nout = 0;
	MemoryContextSwitchTo(before);
}

/* The first one's point may have become later than others'. */
static inline void
move_down(Stream **streams, int n)
{
	Stream *first = streams[0];
	int i = 1;

	for (; i < n && compare_times(&streams[i]->point, &first->point) < 0; i++)
		streams[i - 1] = streams[i];
	streams[i - 1] = first;
}

static void
merge(Reading *reading, Stream **streams, int n)
{
	static const LaPoint never = {.at = DT_NOEND, .step = PG_INT32_MAX};

	for (int i = n - 1; i > 0; i--)
		move_down(streams + i - 1, n - i + 1);
	while (n > 0)
	{
		Stream *first = streams[0];
		LaPoint until = n > 1 ? streams[1]->point : never;
		bool more;

		do
		{
			reading->out[reading->nout++] = first->point;
			if (reading->nout == AT_ONCE)
				hand_over(reading);
			more = advance(first);
		} while (more && compare_times(&first->point, &until) <= 0);
		if (!more)
			memmove(streams, streams + 1, --n * sizeof(Stream *));
		else
			move_down(streams, n);
	}
}

/* A stream of points, unless there are none of the time asked for. */
static int
add_stream(Stream **streams, int n, Stream stream, TimestampTz from)
{
	do
		if (!advance(&stream))
			return n;
	while (stream.point.at < from);
	streams[n] = palloc(sizeof(Stream));
	*streams[n] = stream;
	return n + 1;
}

/* The parts of a trail, some of which take back what others have. */
static int
add_sum(Reading *reading, int trail, Stream **streams, int n)
{
	const LaTrail *of = &reading->trails[trail];
	LaPoints all = {NULL, 0, 0};

	for (int i = 0; i < reading->nparts; i++)
	{
		LaPartReader reader;

		if (reading->parts[i].trail != trail)
			continue;
		rollup_open_points(&reader, &reading->parts[i].key, reading->parts[i].bytes);
		reader.point.step = of->tag;
		while (rollup_next_point(&reader))
			rollup_add_point(&all, reader.point);
	}
	rollup_sort_points(all.points, all.n);
	all.n = rollup_cancel_points(all.points, all.n);
	if (all.n == 0)
		return n;
	return add_stream(streams, n, (Stream){.next = all.points, .end = all.points + all.n, .to = of->to},
	                  of->from);
}

static bool
takes_back(const Reading *reading, int trail)
{
	for (int i = 0; i < reading->nparts; i++)
	{
		LaPartReader reader;

		if (reading->parts[i].trail != trail)
			continue;
		rollup_open_points(&reader, &reading->parts[i].key, reading->parts[i].bytes);
		if (reader.with_signs)
			return true;
	}
	return false;
}

/* What is before the end of the day, of the parts at hand and of the points in memory. */
static void
read_day(Reading *reading, TimestampTz day_ends)
{
	Stream **streams = palloc((reading->nparts + 1) * sizeof(Stream *));
	int n = 0;
	int64 end = reading->more_done;

	for (int trail = 0; trail < reading->ntrails; trail++)
	{
		const LaTrail *of = &reading->trails[trail];

		if (of->kind != 'w' && takes_back(reading, trail))
		{
			n = add_sum(reading, trail, streams, n);
			continue;
		}
		for (int i = 0; i < reading->nparts; i++)
		{
			Stream stream = {.point = {.step = of->tag, .sign = 1}, .of = of, .to = of->to};

			if (reading->parts[i].trail != trail)
				continue;
			rollup_open_points(&stream.reader, &reading->parts[i].key, reading->parts[i].bytes);
			if (of->only != NULL)
				stream.next = stream.end = stream.sifted = palloc(SIFTED * sizeof(LaPoint));
			n = add_stream(streams, n, stream, of->from);
		}
	}
	while (end < reading->more.n && reading->more.points[end].at < day_ends)
		end++;
	if (end > reading->more_done)
		n = add_stream(streams, n,
		               (Stream){.next = reading->more.points + reading->more_done,
		                        .end = reading->more.points + end,
		                        .to = DT_NOEND},
		               DT_NOBEGIN);
	reading->more_done = end;
	merge(reading, streams, n);
	reading->nparts = 0;
	MemoryContextReset(reading->of_day);
}

static void
take_part(TupleTableSlot *row, void *arg)
{
	Reading *reading = arg;
	MemoryContext caller = MemoryContextSwitchTo(reading->of_day);
	DateADT day = DatumGetDateADT(row->tts_values[0]);
	int trail = DatumGetInt64(row->tts_values[1]) - 1;
	struct varlena *bytes;

	if (reading->nparts > 0 && day != reading->day)
		read_day(reading, rollup_day_starts(reading->day + 1));
	reading->day = day;
	bytes = PG_DETOAST_DATUM_PACKED(row->tts_values[4]);
	if (bytes == (struct varlena *) DatumGetPointer(row->tts_values[4]))
		bytes = memcpy(palloc(VARSIZE_ANY(bytes)), bytes, VARSIZE_ANY(bytes));
	MemoryContextSwitchTo(caller);
	if (reading->nparts == reading->room)
		reading->parts = reading->room == 0
		                     ? palloc((reading->room = 64) * sizeof(Part))
		                     : repalloc_huge(reading->parts, (Size) (reading->room *= 2) * sizeof(Part));
	reading->parts[reading->nparts++] =
	    (Part){{reading->workspace, reading->trails[trail].step, day, DatumGetInt32(row->tts_values[2]),
	            DatumGetInt32(row->tts_values[3]), reading->trails[trail].kind},
	           PointerGetDatum(bytes),
	           trail};
}

/* Events that are not folded yet. */
static void
take_event(const LaEventFact *event, void *arg)
{
	Reading *reading = arg;
	int number = rollup_trail_number(event);

	for (int i = 0; i < reading->ntrails; i++)
	{
		const LaTrail *of = &reading->trails[i];

		if (number != 0 && of->kind == 'w' && of->step == event->name && event->at >= of->from &&
		    event->at < of->to)
			rollup_add_point(&reading->more, (LaPoint){event->at, number, of->tag, 1});
	}
}

typedef struct Stretches /* what PARTS is asked with */
{
	Datum values[5];
} Stretches;

static Stretches
stretches_of(int workspace, const LaTrail *trails, int n)
{
	Datum *columns[4];

	for (int i = 0; i < lengthof(columns); i++)
		columns[i] = palloc(n * sizeof(Datum));
	for (int i = 0; i < n; i++)
	{
		columns[0][i] = CharGetDatum(trails[i].kind);
		columns[1][i] = Int32GetDatum(trails[i].step);
		columns[2][i] = DateADTGetDatum(rollup_day_of(trails[i].from));
		columns[3][i] = DateADTGetDatum(rollup_day_of(trails[i].to));
	}
	return (Stretches){{Int32GetDatum(workspace),
	                    PointerGetDatum(construct_array(columns[0], n, CHAROID, 1, true, TYPALIGN_CHAR)),
	                    PointerGetDatum(construct_array(columns[1], n, INT4OID, 4, true, TYPALIGN_INT)),
	                    PointerGetDatum(construct_array(columns[2], n, DATEOID, 4, true, TYPALIGN_INT)),
	                    PointerGetDatum(construct_array(columns[3], n, DATEOID, 4, true, TYPALIGN_INT))}};
}

int64
la_trail_size(int workspace, const LaTrail *trails, int ntrails)
{
	Stretches stretches;
	bool isnull;

	if (ntrails == 0)
		return 0;
	stretches = stretches_of(workspace, trails, ntrails);
	la_query_run(&size_of_trails, stretches.values, NULL, true, 1);
	return DatumGetInt64(la_query_value(0, 1, &isnull));
}

void
la_trail_read(int workspace, const LaTrail *trails, int ntrails, LaPoint *more, int64 nmore,
              LaTakePoints take, void *arg)
{
	Reading reading = {.workspace = workspace,
	                   .trails = trails,
	                   .ntrails = ntrails,
	                   .more = {more, nmore, nmore},
	                   .take = take,
	                   .arg = arg,
	                   .caller = CurrentMemoryContext};
	TimestampTz from = DT_NOEND;
	TimestampTz to = DT_NOBEGIN;

	reading.of_day =
	    AllocSetContextCreate(CurrentMemoryContext, "leadanalytics trail", ALLOCSET_DEFAULT_SIZES);
	reading.out = palloc(AT_ONCE * sizeof(LaPoint));
	for (int i = 0; i < ntrails; i++)
		if (trails[i].kind == 'w' && trails[i].from < trails[i].to)
		{
			from = Min(from, trails[i].from);
			to = Max(to, trails[i].to);
		}
	if (from < to)
		rollup_events_of_tail(rollup_tail_of_events(workspace, from, to), take_event, &reading);
	sort_times(reading.more.points, reading.more.n);
	if (ntrails > 0)
		la_query_each(&read_trails, stretches_of(workspace, trails, ntrails).values, NULL, take_part,
		              &reading);
	read_day(&reading, DT_NOEND);
	hand_over(&reading);
	MemoryContextDelete(reading.of_day);
}
