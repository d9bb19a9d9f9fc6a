/*
 * Writing segments, and merging the parts of a bucket.
 */
#include "rollup/segment.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/rows.h"

#define MOST_PARTS 8

static LaQuery find_parts = {
    "SELECT s.part, s.weight FROM leadanalytics.segment s WHERE s.workspace = $1 AND s.grain = $2 "
    "AND s.zone = $3 AND s.dimension = 1 AND s.bucket = $4 ORDER BY s.weight",
    4,
    {INT4OID, CHAROID, TEXTOID, TIMESTAMPTZOID}};

static LaQuery delete_parts = {"DELETE FROM leadanalytics.segment WHERE ctid = ANY (ARRAY(" LA_OF_DIMENSIONS(
                                   "s.place", LA_PART_OF_BUCKET) "))",
                               6,
                               {LA_BUCKET_TYPES, INT4ARRAYOID}};

/* Of a bucket that has nothing else. */
static LaQuery delete_empty = {
    "DELETE FROM leadanalytics.segment t WHERE t.workspace = $1 AND t.grain = $2 AND t.zone = $3 "
    "AND t.dimension = 1 AND t.bucket = $5 AND NOT EXISTS (" LA_OF_DIMENSIONS("1", "s.bucket = $5") ")",
    5,
    {LA_BUCKET_TYPES}};

static LaQuery add_segments = {
    "INSERT INTO leadanalytics.segment (workspace, dimension, part, bucket, weight, grain, zone, directory, "
    "sets) "
    "SELECT workspace, dimension, part, bucket, weight, grain, zone, directory, sets FROM written"};

static const LaColumn written_columns[] = {
    {"workspace", INT4OID},     {"dimension", INT2OID},  {"part", INT4OID},
    {"bucket", TIMESTAMPTZOID}, {"weight", INT4OID},     {"grain", CHAROID},
    {"zone", TEXTOID},          {"directory", BYTEAOID}, {"sets", BYTEAOID},
};

static void
append_sum(StringInfo bytes, LaPlace *place, char column)
{
	uint32 sum;

	place->column = column;
	sum = rollup_segment_sum(bytes->data, bytes->len, place);
	appendBinaryStringInfo(bytes, (char *) &sum, sizeof sum);
}

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
	LaPlace place = {workspace, dimension, part, target->starts, target->grain, 0, target->zone};
	StringInfoData directory;
	StringInfoData sets;
	Datum values[lengthof(written_columns)];
	bool nulls[lengthof(written_columns)] = {false};

	initStringInfo(&directory);
	initStringInfo(&sets);
	appendStringInfoCharMacro(&directory, LA_SEGMENT_VERSION);
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

		rollup_read_parts(workspace, target, key, slot, tally);
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

/* The parts of a bucket, the last one's number behind the others', and what they weigh together. */
int
rollup_find_parts(int workspace, const LaTarget *target, int **parts, int64 *weight)
{
	uint64 n = la_query_run(&find_parts,
	                        (Datum[]){Int32GetDatum(workspace), CharGetDatum(target->grain),
	                                  CStringGetTextDatum(target->zone), TimestampTzGetDatum(target->starts)},
	                        NULL, true, 0);

	*parts = palloc(Max(n, 1) * sizeof(int));
	*weight = 0;
	for (uint64 row = 0; row < n; row++)
	{
		bool isnull;

		(*parts)[row] = DatumGetInt32(la_query_value(row, 1, &isnull));
		*weight += DatumGetInt32(la_query_value(row, 2, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	return n;
}

/*
 * Write the tally's only slot in the place of what these parts have of its dimensions: what counts nothing is
 * left out. LA_TOTAL is written last; when all that was left is its row without values, that goes, too.
 */
void
rollup_replace_segments(int workspace, const LaTarget *target, Datum *key, int part, int64 weight,
                        const LaTally *tally)
{
	LaRows *rows = la_rows("written", written_columns, lengthof(written_columns));
	bool with_total = (rollup_wanted(tally) & LA_BIT(LA_TOTAL)) != 0;
	int n;
	int left = 0;
	LaEntry **entries = rollup_entries(tally, &n);
	bool has_total;

	for (int i = 0; i < n; i++)
	{
		const LaEntry *entry = entries[i];

		if (entry->counts[0] != 0 || entry->counts[1] != 0 || entry->counts[2] != 0 || entry->at_most > 0)
			entries[left++] = entries[i];
	}
	la_query_run(&delete_parts, key, NULL, false, 0);
	has_total = left > 0 && rollup_dimension(entries[0]) == LA_TOTAL;
	if (with_total && !has_total)
		add_segment(rows, workspace, target, part, weight, LA_TOTAL, NULL, 0);
	for (int next = 0, first = 0; next < left; first = next)
	{
		while (next < left && entries[next]->key >> 32 == entries[first]->key >> 32)
			next++;
		add_segment(rows, workspace, target, part, weight, rollup_dimension(entries[first]), &entries[first],
		            next - first);
	}
	if (rows->n > 0)
		la_rows_run(rows, &add_segments);
	if (with_total && !has_total)
	{
		Datum lonely[] = {key[0], key[1], key[2], rollup_dimension_array(rollup_all() & ~LA_BIT(LA_TOTAL)),
		                  key[4]};

		la_query_run(&delete_empty, lonely, NULL, false, 0);
	}
}
