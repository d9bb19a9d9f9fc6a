/*
 * Reading segments. Nothing of one is believed before its sums agree, and no length even then.
 */
#include "rollup/segment.h"

#include "catalog/pg_type.h"
#include "port/pg_crc32c.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define SUM_BYTES ((int) sizeof(uint32))
#define READ_COLUMNS "s.dimension, s.bucket, s.directory, s.sets, s.part"

static LaQuery read_range = {
    LA_OF_DIMENSIONS(READ_COLUMNS, "s.bucket >= $5 AND s.bucket < $6"), 6, {LA_BUCKET_TYPES, TIMESTAMPTZOID}};

static LaQuery read_parts = {
    LA_OF_DIMENSIONS(READ_COLUMNS, LA_PART_OF_BUCKET), 6, {LA_BUCKET_TYPES, INT4ARRAYOID}};

typedef struct Reader
{
	const uint8 *at;
	const uint8 *end;
} Reader;

void
rollup_segment_damaged(const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("damaged segment: %s", what),
	                errhint("SELECT leadanalytics.forget_segments(workspace) has them made again from the "
	                        "events that are kept.")));
	pg_unreachable();
}

uint32
rollup_segment_sum(const char *bytes, Size length, const LaPlace *place)
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

/* The bytes of a column without their sum, which agrees. */
static Reader
open_column(Datum value, LaPlace *place, char column)
{
	bytea *bytes = DatumGetByteaPP(value);
	const char *data = VARDATA_ANY(bytes);
	int length = VARSIZE_ANY_EXHDR(bytes) - SUM_BYTES;
	uint32 sum;

	if (length < 0)
		rollup_segment_damaged("it is cut off");
	memcpy(&sum, data + length, sizeof sum);
	place->column = column;
	if (sum != rollup_segment_sum(data, length, place))
		rollup_segment_damaged("its checksum does not agree");
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
			rollup_segment_damaged("its directory is cut off");
		byte = *reader->at++;
		number |= (uint64) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return number;
	}
	rollup_segment_damaged("its directory has a number that is none");
	pg_unreachable();
}

static int
read_value(Reader *reader)
{
	uint32 value;

	if (reader->end - reader->at < (ptrdiff_t) sizeof value)
		rollup_segment_damaged("its directory is cut off");
	memcpy(&value, reader->at, sizeof value);
	reader->at += sizeof value;
	return value;
}

typedef struct Reading
{
	LaPlace place; /* what they have in common */
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
	LaPlace place = reading->place;
	Reader directory;
	Reader sets = {NULL, NULL};
	int slot = reading->slot;
	uint64 n;

	place.dimension = dimension;
	place.part = DatumGetInt32(row->tts_values[4]);
	place.bucket = bucket;
	directory = open_column(row->tts_values[2], &place, 'd');
	if (directory.end - directory.at < 2 || *directory.at++ != LA_SEGMENT_VERSION ||
	    *directory.at++ != dimension)
		rollup_segment_damaged("its directory is of another version or dimension");
	if (reading->spans != NULL)
		slot = rollup_span_at(reading->spans, reading->nspans, bucket)->slot;
	if (has_set && reading->with_sets)
	{
		if (row->tts_isnull[3])
			rollup_segment_damaged("its sets are missing");
		sets = open_column(keep(row->tts_values[3]), &place, 's');
	}
	n = read_number(&directory);
	for (uint64 i = 0; i < n; i++)
	{
		int value = read_value(&directory);
		bool taken = rollup_takes(reading->tally, value);
		LaEntry other = {0};
		LaEntry *entry = taken ? rollup_entry(reading->tally, slot, dimension, value) : &other;
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
			rollup_segment_damaged("its sets are cut off");
		if (taken)
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

void
rollup_read_parts(int workspace, const LaTarget *target, Datum *key, int slot, LaTally *tally)
{
	Reading reading = {.place = {.workspace = workspace, .grain = target->grain, .zone = target->zone},
	                   .with_sets = true,
	                   .tally = tally,
	                   .slot = slot};

	la_query_each(&read_parts, key, NULL, take_segment, &reading);
}
