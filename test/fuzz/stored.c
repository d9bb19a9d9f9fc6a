/*
 * Stored sets under sanitizers, with libroaring as the second opinion. Three things, SEED and ROUNDS given:
 *
 * - random sets: what we write reads back; in Roaring's form libroaring reads it as the same set, and what
 *   libroaring writes of the set, with and without runs, we read as the same set;
 * - the same bytes cut off, lengthened, with bits flipped, bytes changed and swapped, words set to extremes: refused, or
 *   read as a set that ascends, has the count it claims, and (in Roaring's form) is what libroaring reads;
 * - bytes that begin well and go on at random.
 *
 * Every input lies in a block of just its length, so that AddressSanitizer sees a byte too many.
 */
#include "bitmap/stored.h"

#include <roaring/roaring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;
static unsigned long refused, taken, compared;

static uint32_t
draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % below;
}

static void
die(const char *what)
{
	printf("not ok: %s\n", what);
	exit(1);
}

static uint16_t
get16(const uint8_t *at)
{
	return at[0] | at[1] << 8;
}

/* Every number of the bytes, ascending; -1 when they are refused. The caller frees. */
static int64_t
read_numbers(const uint8_t *bytes, size_t length, uint32_t **numbers)
{
	StoredReader reader;
	StoredPart part;
	PartKind kind;
	uint64_t room = 0, count = 0;

	*numbers = NULL;
	if (!stored_open(&reader, bytes, length))
	{
		if (reader.damage == NULL)
			die("refused without a reason");
		return -1;
	}
	uint64_t claims = stored_claims(&reader);

	while ((kind = stored_next(&reader, &part)) != PART_END)
	{
		uint64_t before = count;

		if (kind == PART_DAMAGED)
		{
			if (reader.damage == NULL)
				die("refused without a reason");
			return -1;
		}
		if (part.count == 0)
			die("a part without numbers");
		if (count + part.count > room)
		{
			room = 2 * (count + part.count);
			*numbers = realloc(*numbers, room * sizeof **numbers);
		}
		if (kind == PART_LIST)
			for (uint32_t i = 0; i < part.count; i++)
				(*numbers)[count++] = reader.numbers[i];
		else if (kind == PART_ARRAY)
			for (uint32_t i = 0; i < part.count; i++)
				(*numbers)[count++] = (uint32_t) part.key << 16 | get16(part.data + 2 * i);
		else if (kind == PART_BITS)
		{
			for (uint32_t i = 0; i < PAGE_NUMBERS; i++)
				if (part.data[i / 8] >> i % 8 & 1)
				{
					if (count == before + part.count)
						die("more bits than counted");
					(*numbers)[count++] = (uint32_t) part.key << 16 | i;
				}
		}
		else
			for (uint32_t i = 0; i < part.runs; i++)
				for (uint32_t n = 0; n <= get16(part.data + 4 * i + 2); n++)
				{
					if (count == before + part.count || get16(part.data + 4 * i) + n >= PAGE_NUMBERS)
						die("a run too long");
					(*numbers)[count++] = (uint32_t) part.key << 16 | (get16(part.data + 4 * i) + n);
				}
		if (count != before + part.count)
			die("a part's count is wrong");
	}
	if (count != claims)
		die("the claimed count is wrong");
	for (uint64_t i = 1; i < count; i++)
		if ((*numbers)[i] <= (*numbers)[i - 1])
			die("numbers do not ascend");
	return count;
}

/* libroaring reads these sound bytes as these numbers. */
static void
compare_with_library(const uint8_t *bytes, size_t length, const uint32_t *numbers, uint64_t count)
{
	roaring_bitmap_t *set;
	uint32_t *theirs;

	set = roaring_bitmap_portable_deserialize_safe((const char *) bytes, length);
	if (set == NULL)
		die("libroaring cannot read it");
	if (roaring_bitmap_get_cardinality(set) != count)
		die("libroaring counts otherwise");
	theirs = malloc((count + 1) * sizeof *theirs);
	roaring_bitmap_to_uint32_array(set, theirs);
	if (count > 0 && memcmp(theirs, numbers, count * sizeof *theirs) != 0)
		die("libroaring reads other numbers");
	free(theirs);
	roaring_bitmap_free(set);
	compared++;
}

/* One input, in a block of its length. */
static void
feed(const uint8_t *bytes, size_t length, bool with_library)
{
	uint8_t *block = malloc(length);
	uint32_t *numbers;
	int64_t count;

	if (length > 0)
		memcpy(block, bytes, length);
	count = read_numbers(block, length, &numbers);
	if (count < 0)
		refused++;
	else
	{
		taken++;
		if (with_library && block[0] != 1)
			compare_with_library(block, length, numbers, count);
	}
	free(numbers);
	free(block);
}

static int
ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

	return x < y ? -1 : x > y;
}

static size_t
draw_set(uint32_t *numbers, size_t most)
{
	static const uint32_t domains[] = {16, 4096, 65536, 65537, 200000, 1000000, 5000000, 0x7fffffff, 0xffffffff};
	uint32_t domain = domains[draw(9)];
	size_t count = draw(4) == 0 ? draw(40) : draw(most);
	uint32_t base = draw(3) == 0 ? 0xffffffff - domain : 0;
	size_t kept = 0;

	for (size_t i = 0; i < count;)
	{
		uint32_t first = base + draw(domain);
		uint32_t run = draw(3) == 0 ? 1 + draw(3000) : 1;

		for (; run > 0 && i < count && first >= base; run--)
			numbers[i++] = first++;
	}
	qsort(numbers, count, sizeof *numbers, ascending);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || numbers[i] != numbers[kept - 1])
			numbers[kept++] = numbers[i];
	return kept;
}

static void
damage(const uint8_t *bytes, size_t length)
{
	static const uint32_t extremes[] = {0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 12346, 12347};
	uint8_t *copy = malloc(length + 64);
	size_t header = length < 40 ? length : 40;
	size_t at;

	for (int i = 0; i < 60; i++)
	{
		size_t longer = length;

		memcpy(copy, bytes, length);
		for (int n = 1 + draw(3); n > 0; n--)
		{
			at = draw(2) ? draw(header) : draw(length);
			switch (draw(7))
			{
				case 0:
				case 1:
					copy[at] ^= 1 << draw(8);
					break;
				case 2:
					copy[at] = draw(256);
					break;
				case 3:
					longer = draw(2) ? draw(longer + 1) : longer - (longer > 0);
					break;
				case 4:
					if (longer == length)
						for (int more = 1 + draw(64); more > 0; more--)
							copy[longer++] = draw(256);
					break;
				case 5:
					if (at + 4 <= length)
						memcpy(copy + at, &extremes[draw(9)], 4);
					break;
				default:
					if (at + 2 <= length)
					{
						uint8_t swapped = copy[at];

						copy[at] = copy[at + 1];
						copy[at + 1] = swapped;
					}
			}
		}
		feed(copy, longer, true);
	}
	free(copy);
}

int
main(int argc, char **argv)
{
	enum { MOST = 30000 };
	uint32_t *numbers = malloc(MOST * sizeof *numbers);
	long rounds = argc > 2 ? atol(argv[2]) : 1000;

	state = 88172645463325252 ^ (argc > 1 ? atol(argv[1]) : 1);
	for (long round = 0; round < rounds; round++)
	{
		size_t count = draw_set(numbers, round % 8 == 0 ? MOST : 3000);
		size_t size = stored_size(numbers, count);
		uint8_t *bytes = malloc(size);
		uint32_t *back;
		roaring_bitmap_t *set = roaring_bitmap_of_ptr(count, numbers);

		stored_write(bytes, numbers, count);
		if (read_numbers(bytes, size, &back) != count || (count > 0 && memcmp(back, numbers, count * sizeof *back) != 0))
			die("a set does not read back");
		free(back);
		if (bytes[0] != 1)
			compare_with_library(bytes, size, numbers, count);
		damage(bytes, size);
		for (int runs = 0; runs < 2; runs++)
		{
			size_t theirs = roaring_bitmap_portable_size_in_bytes(set);
			uint8_t *written = malloc(theirs);

			roaring_bitmap_portable_serialize(set, (char *) written);
			if (read_numbers(written, theirs, &back) != count || (count > 0 && memcmp(back, numbers, count * sizeof *back) != 0))
				die("a set of libroaring's reads otherwise");
			free(back);
			damage(written, theirs);
			free(written);
			roaring_bitmap_run_optimize(set);
		}
		roaring_bitmap_free(set);
		free(bytes);
		for (int i = 0; i < 20; i++)
		{
			uint8_t random[64];
			static const uint8_t begins[] = {1, 0x3a, 0x3b};

			for (int n = 0; n < 64; n++)
				random[n] = draw(2) ? draw(256) : draw(4);
			random[0] = begins[draw(3)];
			random[1] = random[0] == 1 ? draw(40) : 0x30;
			if (draw(2))
				random[2] = random[3] = random[5] = random[6] = random[7] = 0;
			feed(random, draw(65), true);
		}
	}
	free(numbers);
	printf("ok: %lu refused, %lu taken, %lu compared with libroaring\n", refused, taken, compared);
	return 0;
}
