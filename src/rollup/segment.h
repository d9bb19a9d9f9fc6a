/*
 * Segments: how they are written. Private to segment_read.c and segment_write.c.
 *
 * A row of leadanalytics.segment is a part of a dimension of a bucket. Its directory:
 *
 *	byte	version (3): other dimensions are another version, for a bucket without rows of one has none of
 *its values byte	dimension n	how many values then, of each value in ascending order: 4 bytes	the value, the
 *low one first n, …	its counts, as many as the dimension has n, n	members and bytes of its set, when the
 *dimension has sets 4 bytes	CRC-32C of the row's key, the column's letter and all before
 *
 * n is a number of 7 bits a byte, the low ones first, the top bit set on all but the last. The column
 * sets has those of the values one behind the other (src/bitmap/bitmap.h says how a set is written), and
 * a CRC-32C likewise. Nothing of it is believed before the sums agree, and no length even then. Every
 * part has a row of the first dimension, LA_TOTAL, if need be without values: by those the parts of a
 * bucket are found.
 *
 * Parts of a bucket add up. Writing merges those that are not much larger than what is new, so that
 * every fact is written again a logarithmic number of times and a bucket has a handful of parts.
 */
#ifndef LA_ROLLUP_SEGMENT_H
#define LA_ROLLUP_SEGMENT_H

#include "rollup/parts.h"

#define LA_SEGMENT_VERSION 3

/*
 * A stretch of the primary key for each dimension. Written as dimension = ANY (…), it would be looked for
 * among all segments of the grain.
 */
#define LA_OF_DIMENSIONS(columns, condition)                                                                 \
	"SELECT " columns " FROM unnest($4) AS d (dimension) CROSS JOIN LATERAL (SELECT s.*, s.ctid AS place "   \
	"FROM leadanalytics.segment s WHERE s.workspace = $1 AND s.grain = $2 AND s.zone = $3 "                  \
	"AND s.dimension = d.dimension AND " condition " OFFSET 0) AS s"
#define LA_PART_OF_BUCKET "s.bucket = $5 AND s.part = ANY ($6)"
#define LA_BUCKET_TYPES INT4OID, CHAROID, TEXTOID, INT2ARRAYOID, TIMESTAMPTZOID

/* Where bytes stand. Sums are of that, too: what got another row's or column's bytes is damaged. */
typedef struct LaPlace
{
	int workspace;
	int dimension;
	int part;
	TimestampTz bucket;
	char grain;
	char column; /* d or s */
	const char *zone;
} LaPlace;

extern uint32 rollup_segment_sum(const char *bytes, Size length, const LaPlace *place);

/* Parts of a target's segments into a slot. key: the parameters of LA_PART_OF_BUCKET. */
extern void rollup_read_parts(int workspace, const LaTarget *target, Datum *key, int slot, LaTally *tally);

/* Writing a bucket's parts anew, as one: unfold_segments.c. key as above, of the tally's dimensions. */
extern int rollup_find_parts(int workspace, const LaTarget *target, int **parts, int64 *weight);
extern void rollup_replace_segments(int workspace, const LaTarget *target, Datum *key, int part, int64 weight,
                                    const LaTally *tally);
extern void rollup_segment_damaged(const char *what) pg_attribute_noreturn();

#endif
