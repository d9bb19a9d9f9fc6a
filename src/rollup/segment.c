/*
 * Segments: how they are written, and how they are read.
 *
 * A row of leadanalytics.segment is a part of a dimension of a bucket. Its directory:
 *
 *	byte	version (2): other dimensions are another version, for a bucket without one's rows has none of its
 *			values
 *	byte	dimension
 *	n	how many values
 *	then, of each value in ascending order:
 *	4 bytes	the value, the low one first
 *	n, …	its counts, as many as the dimension has
 *	n, n	members and bytes of its set, when the dimension has sets
 *	4 bytes	CRC-32C of the row's key, the column's letter and all before
 *
 * n is a number of 7 bits a byte, the low ones first, the top bit set on all but the last. sets has the
 *values' sets one behind the other (src/bitmap/bitmap.h says how a set is written), and a CRC-32C likewise.
 *Nothing of it is believed before the sums agree, and no length even then. Every part has a row of the first
 * dimension, LA_TOTAL, if need be without values: by those the parts of a bucket are found.
 *
 * Parts of a bucket add up. Writing merges those that are not much larger than what is new, so that every
 *fact is written again a logarithmic number of times and a bucket has a handful of parts.
 */
#include "rollup/parts.h"

#include "catalog/pg_type.h"
#include "port/pg_crc32c.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/rows.h"

#define VERSION 2
#define MOST_PARTS 8
#define SUM_BYTES ((int) sizeof(uint32))

/*
 * A stretch of the primary key for each dimension. Written as dimension = ANY (…), it would be looked for
 * among all segments of the grain.
 */
#define OF_DIMENSIONS(columns, condition)                                                                    \
	"SELECT " columns " FROM unnest($4) AS d (dimension) CROSS JOIN LATERAL (SELECT s.*, s.ctid AS place "   \
	"FROM leadanalytics.segment s WHERE s.workspace = $1 AND s.grain = $2 AND s.zone = $3 "                  \
	"AND s.dimension = d.dimension AND " condition " OFFSET 0) AS s"
#define READ_COLUMNS "s.dimension, s.bucket, s.directory, s.sets, s.part"
#define PART_OF_BUCKET "s.bucket = $5 AND s.part = ANY ($6)"
#define BUCKET_TYPES INT4OID, CHAROID, TEXTOID, INT2ARRAYOID, TIMESTAMPTZOID

static LaQuery read_range = {
    OF_DIMENSIONS(READ_COLUMNS, "s.bucket >= $5 AND s.bucket < $6"), 6, {BUCKET_TYPES, TIMESTAMPTZOID}};

static LaQuery find_parts = {
    "SELECT s.part, s.weight FROM leadanalytics.segment s WHERE s.workspace = $1 AND s.grain = $2 "
    "AND s.zone = $3 AND s.dimension = 1 AND s.bucket = $4 ORDER BY s.weight",
    4,
    {INT4OID, CHAROID, TEXTOID, TIMESTAMPTZOID}};

static LaQuery read_parts = {OF_DIMENSIONS(READ_COLUMNS, PART_OF_BUCKET), 6, {BUCKET_TYPES, INT4ARRAYOID}};

static LaQuery delete_parts = {"DELETE FROM leadanalytics.segment WHERE ctid = ANY (ARRAY(" OF_DIMENSIONS(
                                   "s.place", PART_OF_BUCKET) "))",
                               6,
                               {BUCKET_TYPES, INT4ARRAYOID}};

static LaQuery add_segments = {
    "INSERT INTO leadanalytics.segment (workspace, dimension, part, bucket, weight, grain, zone, directory, "
    "sets) "
    "SELECT workspace, dimension, part, bucket, weight, grain, zone, directory, sets FROM written"};

static const LaColumn written_columns[] = {
    {"workspace", INT4OID},     {"dimension", INT2OID},  {"part", INT4OID},
    {"bucket", TIMESTAMPTZOID}, {"weight", INT4OID},     {"grain", CHAROID},
    {"zone", TEXTOID},          {"directory", BYTEAOID}, {"sets", BYTEAOID},
};

/* Reading. */

typedef struct Reader
{
	const uint8 *at;
	const uint8 *end;
} Reader;

static void
raise_damage(const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("damaged segment: %s", what),
	                errhint("SELECT leadanalytics.forget_segments(workspace) has them made again from the "
	                        "events that are kept.")));
}

/* Where bytes stand. Sums are of that, too: what got another row's or column's bytes is damaged. */
typedef struct Place
{
	int workspace;
	int dimension;
	int part;
	TimestampTz bucket;
	char grain;
	char column; /* d or s */
	const char *zone;
} Place;

static uint32
sum_of(const char *bytes, Size length, const Place *place)
{
	pg_crc32c sum;

	INIT_CRC32C(sum);
	COMP_CRC32C(sum, &place->workspace, sizeof place->workspace);
	COMP_CRC32C(sum, &place->dimension, sizeof place->dimension);
	COMP_CRC32C(sum, &place->part, sizeof place->part);
	COMP_CRC32C(sum, &place->bucket, sizeof place->bucket);
	COMP_CRC32C(sum, &place->grain, sizeof place->grain);
	COMP_CRC32C(sum, &place->column, sizeof place->column);
	COMP_CRC32C(sum, place->zone, strlen(place->zone));
	COMP_CRC32C(sum, bytes, length);
	FIN_CRC32C(sum);
	return sum;
}

static void
append_sum(StringInfo bytes, Place *place, char column)
{
	uint32 sum;

	place->column = column;
	sum = sum_of(bytes->data, bytes->len, place);
	appendBinaryStringInfo(bytes, (char *) &sum, sizeof sum);
}

/* The bytes of a column without their sum, which agrees. */
static Reader
open_column(Datum value, Place *place, char column)
{
	bytea *bytes = DatumGetByteaPP(value);
	const char *data = VARDATA_ANY(bytes);
	int length = VARSIZE_ANY_EXHDR(bytes) - SUM_BYTES;
	uint32 sum;

	if (length < 0)
		raise_damage("it is cut off");
	memcpy(&sum, data + length, sizeof sum);
	place->column = column;
	if (sum != sum_of(data, length, place))
		raise_damage("its checksum does not agree");
	return (Reader){(const uint8 *) data, (const uint8 *) data + length};
}

/* Sets are used when the row is long gone: of a short one, whose bytes are the page's, they are a copy. */
static Datum
keep(Datum value)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);

	if (bytes == (struct varlena *) DatumGetPointer(value))
		bytes = memcpy(palloc(VARSIZE_ANY(bytes)), bytes, VARSIZE_ANY(bytes));
	return PointerGetDatum(bytes);
}

static uint64
read_number(Reader *reader)
{
	uint64 number = 0;

	for (int shift = 0; shift < 64; shift += 7)
	{
		uint8 byte;

		if (reader->at == reader->end)
			raise_damage("its directory is cut off");
		byte = *reader->at++;
		number |= (uint64) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	raise_damage("its directory has a number that is none");
	pg_unreachable();
}

static int
read_value(Reader *reader)
{
	uint32 value;

	if (reader->end - reader->at < (ptrdiff_t) sizeof value)
		raise_damage("its directory is cut off");
	memcpy(&value, reader->at, sizeof value);
	reader->at += sizeof value;
	return value;
}

typedef struct Reading
{
	Place place; /* what they have in common */
	bool with_sets;
	LaTally *tally;
	LaSpan *spans; /* where buckets lie; NULL: all are of the slot */
	int nspans;
	int slot;
} Reading;

static void
take_segment(TupleTableSlot *row, void *arg)
{
	Reading *reading = arg;
	int dimension = DatumGetInt16(row->tts_values[0]);
	TimestampTz bucket = DatumGetTimestampTz(row->tts_values[1]);
	bool has_set = rollup_has_set(dimension);
	Place place = reading->place;
	Reader directory;
	Reader sets = {NULL, NULL};
	int slot = reading->slot;
	uint64 n;

	place.dimension = dimension;
	place.part = DatumGetInt32(row->tts_values[4]);
	place.bucket = bucket;
	directory = open_column(row->tts_values[2], &place, 'd');
	if (directory.end - directory.at < 2 || *directory.at++ != VERSION || *directory.at++ != dimension)
		raise_damage("its directory is of another version or dimension");
	if (reading->spans != NULL)
		slot = rollup_span_at(reading->spans, reading->nspans, bucket)->slot;
	if (has_set && reading->with_sets)
	{
		if (row->tts_isnull[3])
			raise_damage("its sets are missing");
		sets = open_column(keep(row->tts_values[3]), &place, 's');
	}
	n = read_number(&directory);
	for (uint64 i = 0; i < n; i++)
	{
		LaEntry *entry = rollup_entry(reading->tally, slot, dimension, read_value(&directory));
		uint64 count;
		uint64 length;

		for (int k = 0; k < rollup_ncounts(dimension); k++)
			entry->counts[k] += read_number(&directory);
		if (!has_set)
			continue;
		count = read_number(&directory);
		length = read_number(&directory);
		if (!reading->with_sets || count == 0)
			continue;
		if (length > sets.end - sets.at || count > PG_UINT32_MAX)
			raise_damage("its sets are cut off");
		rollup_add_set(reading->tally, entry, (const char *) sets.at, length, count);
		sets.at += length;
	}
}

Datum
rollup_dimension_array(LaDimensions wanted)
{
	Datum dimensions[64];
	int n = 0;

	for (int dimension = 0; dimension < 64; dimension++)
		if (wanted & LA_BIT(dimension))
			dimensions[n++] = Int16GetDatum(dimension);
	return PointerGetDatum(construct_array(dimensions, n, INT2OID, 2, true, TYPALIGN_SHORT));
}

/* All segments that answer for the spans, into their slots. */
void
rollup_read_segments(int workspace, LaSpan *spans, int nspans, LaDimensions wanted, bool with_sets,
                     LaTally *tally)
{
	Reading reading = {{.workspace = workspace}, with_sets, tally, spans, nspans, 0};
	Datum dimensions = rollup_dimension_array(wanted);

	for (int i = 0; i < nspans; i++)
	{
		const LaSpan *first = &spans[i];

		if (first->source == LA_FROM_ROWS)
			continue;
		while (i + 1 < nspans && spans[i + 1].from == spans[i].to && spans[i + 1].source == first->source &&
		       spans[i + 1].grain == first->grain && strcmp(spans[i + 1].zone, first->zone) == 0)
			i++;
		reading.place.grain = first->grain;
		reading.place.zone = first->zone;
		la_query_each(&read_range,
		              (Datum[]){Int32GetDatum(workspace), CharGetDatum(first->grain),
		                        CStringGetTextDatum(first->zone), dimensions,
		                        TimestampTzGetDatum(first->from), TimestampTzGetDatum(spans[i].to)},
		              NULL, take_segment, &reading);
	}
}

/* Writing. */

static void
append_number(StringInfo out, uint64 number)
{
	for (; number >= 0x80; number >>= 7)
		appendStringInfoCharMacro(out, (char) (number | 0x80));
	appendStringInfoCharMacro(out, (char) number);
}

static Datum
bytea_of(const StringInfo bytes)
{
	bytea *value = palloc(VARHDRSZ + bytes->len);

	SET_VARSIZE(value, VARHDRSZ + bytes->len);
	memcpy(VARDATA(value), bytes->data, bytes->len);
	return PointerGetDatum(value);
}

/* The row of these entries, which are one dimension's of one slot; there may be none. */
static void
add_segment(LaRows *rows, int workspace, const LaTarget *target, int part, int64 weight, int dimension,
            LaEntry **entries, int n)
{
	Place place = {workspace, dimension, part, target->starts, target->grain, 0, target->zone};
	StringInfoData directory;
	StringInfoData sets;
	Datum values[lengthof(written_columns)];
	bool nulls[lengthof(written_columns)] = {false};

	initStringInfo(&directory);
	initStringInfo(&sets);
	appendStringInfoCharMacro(&directory, VERSION);
	appendStringInfoCharMacro(&directory, dimension);
	append_number(&directory, n);
	for (int i = 0; i < n; i++)
	{
		uint32 value = rollup_value(entries[i]);
		int64 count = 0;
		int length = 0;

		appendBinaryStringInfo(&directory, (char *) &value, sizeof value);
		for (int k = 0; k < rollup_ncounts(dimension); k++)
			append_number(&directory, entries[i]->counts[k]);
		if (!rollup_has_set(dimension))
			continue;
		if (entries[i]->at_most > 0)
			length = rollup_store_members(&sets, entries[i], &count);
		append_number(&directory, count);
		append_number(&directory, length);
	}
	append_sum(&directory, &place, 'd');
	append_sum(&sets, &place, 's');
	values[0] = Int32GetDatum(workspace);
	values[1] = Int16GetDatum(dimension);
	values[2] = Int32GetDatum(part);
	values[3] = TimestampTzGetDatum(target->starts);
	values[4] = Int32GetDatum(Min(weight, PG_INT32_MAX));
	values[5] = CharGetDatum(target->grain);
	values[6] = CStringGetTextDatum(target->zone);
	values[7] = bytea_of(&directory);
	nulls[8] = !rollup_has_set(dimension);
	values[8] = nulls[8] ? 0 : bytea_of(&sets);
	la_rows_add(rows, values, nulls);
	pfree(directory.data);
	pfree(sets.data);
}

/*
 * Take the parts that are to be merged with what is new out of the table, into the slot; returns the new
 * part.
 */
static int
merge_parts(int workspace, const LaTarget *target, int slot, int64 *weight, LaTally *tally)
{
	Datum zone = CStringGetTextDatum(target->zone);
	Reading reading = {.place = {.workspace = workspace, .grain = target->grain, .zone = target->zone},
	                   .with_sets = true,
	                   .tally = tally,
	                   .slot = slot};
	/* as of the snapshot that reads them */
	uint64 found = la_query_run(&find_parts,
	                            (Datum[]){Int32GetDatum(workspace), CharGetDatum(target->grain), zone,
	                                      TimestampTzGetDatum(target->starts)},
	                            NULL, true, 0);
	Datum *parts = palloc(Max(found, 1) * sizeof(Datum));
	int merged = 0;
	int last = 0;

	for (uint64 row = 0; row < found; row++) /* the lightest first */
	{
		bool isnull;
		int part = DatumGetInt32(la_query_value(row, 1, &isnull));
		int64 its = DatumGetInt32(la_query_value(row, 2, &isnull));

		last = Max(last, part);
		if (merged < row || (its > 2 * *weight && found - row < MOST_PARTS))
			continue;
		parts[merged++] = Int32GetDatum(part);
		*weight += its;
	}
	SPI_freetuptable(SPI_tuptable);
	if (merged > 0)
	{
		Datum key[] = {Int32GetDatum(workspace),
		               CharGetDatum(target->grain),
		               zone,
		               rollup_dimension_array(rollup_all()),
		               TimestampTzGetDatum(target->starts),
		               PointerGetDatum(construct_array(parts, merged, INT4OID, 4, true, TYPALIGN_INT))};

		la_query_each(&read_parts, key, NULL, take_segment, &reading);
		la_query_run(&delete_parts, key, NULL, false, 0);
	}
	return last + 1;
}

/*
 * Write what the tally has of its slots into the targets with the same numbers. The caller holds the
 * workspace's row of leadanalytics.rollup_state, and nobody else changes its segments. built: the targets
 * have no segments yet; one target's may be written dimension by dimension, LA_TOTAL the last, and built adds
 * up what they weigh.
 */
void
rollup_write_segments(int workspace, const LaTarget *targets, int ntargets, LaTally *tally, int64 *built)
{
	LaRows *rows = la_rows("written", written_columns, lengthof(written_columns));
	int64 *weights = palloc0(Max(ntargets, 1) * sizeof(int64));
	int *parts = palloc0(Max(ntargets, 1) * sizeof(int));
	bool with_total = (rollup_wanted(tally) & LA_BIT(LA_TOTAL)) != 0;
	int n;
	int next = 0;
	LaEntry **entries = rollup_entries(tally, &n);

	for (int i = 0; i < n; i++)
		weights[rollup_slot(entries[i])] += 1 + entries[i]->at_most;
	if (built != NULL && ntargets == 1)
		weights[0] = *built += weights[0];
	if (built == NULL)
	{
		for (int slot = 0; slot < ntargets; slot++)
			if (weights[slot] > 0)
				parts[slot] = merge_parts(workspace, &targets[slot], slot, &weights[slot], tally);
		pfree(entries);
		entries = rollup_entries(tally, &n);
	}
	for (int slot = 0; slot < ntargets; slot++)
	{
		uint64 total = (uint64) slot << 8 | LA_TOTAL;

		if (weights[slot] > 0 && with_total && (next == n || entries[next]->key >> 32 != total))
			add_segment(rows, workspace, &targets[slot], parts[slot], weights[slot], LA_TOTAL, NULL, 0);
		while (next < n && rollup_slot(entries[next]) == slot)
		{
			int first = next;

			while (next < n && entries[next]->key >> 32 == entries[first]->key >> 32)
				next++;
			add_segment(rows, workspace, &targets[slot], parts[slot], weights[slot],
			            rollup_dimension(entries[first]), &entries[first], next - first);
		}
	}
	if (rows->n > 0)
		la_rows_run(rows, &add_segments);
}
