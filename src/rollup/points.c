/*
 * Points: their order, and how they become bytes. points.h says what those are.
 */
#include "rollup/points.h"

#include "port/pg_crc32c.h"

#define SUM_BYTES ((int) sizeof(uint32))

static inline int
compare_points(const LaPoint *a, const LaPoint *b)
{
	if (a->step != b->step)
		return a->step < b->step ? -1 : 1;
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return a->sign - b->sign;
}

#define ST_SORT sort_points
#define ST_ELEMENT_TYPE LaPoint
#define ST_COMPARE(a, b) compare_points(a, b)
#define ST_SCOPE static
#define ST_DECLARE
#define ST_DEFINE
#define ST_CHECK_FOR_INTERRUPTS
#include "miscadmin.h"
#include "lib/sort_template.h"

void
rollup_sort_points(LaPoint *points, int64 n)
{
	sort_points(points, n);
}

/* Of points that are alike the signs are added up. */
int64
rollup_cancel_points(LaPoint *points, int64 n)
{
	int64 left = 0;

	for (int64 i = 0; i < n;)
	{
		LaPoint point = points[i];
		int64 sum = 0;

		for (; i < n && points[i].step == point.step && points[i].at == point.at &&
		       points[i].number == point.number;
		     i++)
			sum += points[i].sign;
		point.sign = sum < 0 ? -1 : 1;
		for (; sum != 0; sum -= point.sign)
			points[left++] = point;
	}
	return left;
}

void
rollup_points_damaged(const char *what)
{
	ereport(ERROR,
	        (errcode(ERRCODE_DATA_CORRUPTED), errmsg("damaged trail: %s", what),
	         errhint("SELECT leadanalytics.rebuild_trail(workspace) makes that of the web again from the "
	                 "events that are kept, leadanalytics.recount_messages(workspace) that of mails.")));
	pg_unreachable();
}

static uint32
sum_of(const LaPartKey *key, const char *bytes, Size length)
{
	pg_crc32c sum;

	INIT_CRC32C(sum);
	COMP_CRC32C(sum, &key->workspace, sizeof key->workspace);
	COMP_CRC32C(sum, &key->kind, sizeof key->kind);
	COMP_CRC32C(sum, &key->step, sizeof key->step);
	COMP_CRC32C(sum, &key->day, sizeof key->day);
	COMP_CRC32C(sum, &key->part, sizeof key->part);
	COMP_CRC32C(sum, &key->n, sizeof key->n);
	COMP_CRC32C(sum, bytes, length);
	FIN_CRC32C(sum);
	return sum;
}

static void
pack(StringInfo out, uint64 number)
{
	for (; number >= 0x80; number >>= 7)
		appendStringInfoCharMacro(out, (char) (number | 0x80));
	appendStringInfoCharMacro(out, (char) number);
}

Datum
rollup_pack_points(LaPartKey key, const LaPoint *points)
{
	StringInfoData bytes;
	TimestampTz before = rollup_day_starts(key.day);
	bool with_signs = false;
	uint32 sum;

	for (int i = 0; i < key.n; i++)
		with_signs |= points[i].sign < 0;
	initStringInfo(&bytes);
	appendStringInfoSpaces(&bytes, VARHDRSZ);
	appendStringInfoCharMacro(&bytes, LA_POINTS_VERSION | (with_signs ? LA_POINTS_SIGNS : 0));
	for (int i = 0; i < key.n; i++)
	{
		uint64 number = points[i].number;

		pack(&bytes, points[i].at - before);
		pack(&bytes, with_signs ? number << 1 | (points[i].sign < 0) : number);
		before = points[i].at;
	}
	sum = sum_of(&key, bytes.data + VARHDRSZ, bytes.len - VARHDRSZ);
	appendBinaryStringInfo(&bytes, (char *) &sum, sizeof sum);
	SET_VARSIZE(bytes.data, bytes.len);
	return PointerGetDatum(bytes.data);
}

const char *
rollup_points_fault(const LaPartKey *key, Datum value)
{
	const bytea *bytes = (bytea *) DatumGetPointer(value);
	const char *data = VARDATA_ANY(bytes);
	int length = VARSIZE_ANY_EXHDR(bytes) - SUM_BYTES;
	uint32 sum;

	if (length < 1)
		return "they are cut off";
	memcpy(&sum, data + length, sizeof sum);
	if (sum != sum_of(key, data, length))
		return "the checksum does not agree";
	if (((uint8) data[0] & ~LA_POINTS_SIGNS) != LA_POINTS_VERSION || key->n < 0)
		return "they are of another version";
	return NULL;
}

void
rollup_open_points(LaPartReader *reader, const LaPartKey *key, Datum value)
{
	const bytea *bytes = (bytea *) DatumGetPointer(value);
	const char *data = VARDATA_ANY(bytes);
	int length = VARSIZE_ANY_EXHDR(bytes) - SUM_BYTES;
	const char *fault = rollup_points_fault(key, value);

	if (fault != NULL)
		rollup_points_damaged(fault);
	*reader = (LaPartReader){.point = {rollup_day_starts(key->day), 0, key->step, 1},
	                         .next = (const uint8 *) data + 1,
	                         .end = (const uint8 *) data + length,
	                         .left = key->n,
	                         .with_signs = ((uint8) data[0] & LA_POINTS_SIGNS) != 0};
}
