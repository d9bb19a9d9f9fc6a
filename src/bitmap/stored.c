/*
 * Reading and writing stored sets; the forms and the contract are in stored.h.
 *
 * Of a container everything is checked that its use relies on, once, as it comes by: that it lies inside
 * the bytes, that keys ascend, that arrays ascend, that runs ascend and end inside the container, that the
 * count said in the header is the one there is. So one set has one reading, and a flipped bit that leaves
 * a sound set is all that goes unseen.
 */
#include "bitmap/stored.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "stored sets are read as the little-endian words they are"
#endif

#define COOKIE_PLAIN 12346 /* no container has runs; the number of containers follows */
#define COOKIE_RUNS 12347  /* the upper half is the number of containers less one; a bit each follows */
#define OFFSETS_FROM 4     /* with runs, offsets are left out below that many containers */
#define LIST_MARK 1

static uint16_t
get16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

static uint32_t
get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

/* GCC makes a second copy that uses the instruction, and the loader chooses. Static: a chosen one is
 * exported. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("popcnt", "default")))
#endif
static uint32_t
count_words(const uint8_t *words, uint32_t count)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < count; i++)
	{
		uint64_t word;

		memcpy(&word, words + 8 * (size_t) i, sizeof word);
		bits += __builtin_popcountll(word);
	}
	return bits;
}

uint32_t
count_bits(const uint8_t *words, uint32_t count)
{
	return count_words(words, count);
}

static bool
damaged(StoredReader *reader, const char *why)
{
	reader->damage = why;
	return false;
}

static PartKind
damaged_part(StoredReader *reader, const char *why)
{
	reader->damage = why;
	return PART_DAMAGED;
}

/* Take so many bytes of a header. */
static const uint8_t *
take(StoredReader *reader, size_t bytes)
{
	const uint8_t *taken = reader->at;

	if ((size_t) (reader->end - reader->at) < bytes)
		return NULL;
	reader->at += bytes;
	return taken;
}

/* A number of a list: at most five bytes, of which the last is not 0 unless it is the only one. */
static bool
take_number(StoredReader *reader, uint64_t *number)
{
	uint64_t value = 0;

	for (int shift = 0; shift < 35; shift += 7)
	{
		uint8_t byte;

		if (reader->at == reader->end)
			return false;
		byte = *reader->at++;
		value |= (uint64_t) (byte & 0x7f) << shift;
		if (byte < 0x80)
		{
			*number = value;
			return byte != 0 || shift == 0;
		}
	}
	return false;
}

bool
stored_open(StoredReader *reader, const void *bytes, size_t length)
{
	const uint8_t *at;
	uint32_t cookie;

	reader->begin = reader->at = bytes;
	reader->end = reader->begin + length;
	reader->keys = reader->run_flags = reader->offsets = NULL;
	reader->containers = reader->container = 0;
	reader->is_list = length > 0 && reader->begin[0] == LIST_MARK;
	reader->left = 0;
	reader->least = 0;
	reader->damage = NULL;
	if (reader->is_list)
	{
		uint64_t count;

		reader->at++;
		/* Each takes a byte at least: a large count in few bytes makes nobody allocate anything. */
		if (!take_number(reader, &count) || count > (size_t) (reader->end - reader->at))
			return damaged(reader, "its count is wrong");
		reader->left = count;
		return true;
	}
	at = take(reader, 4);
	if (at == NULL)
		return damaged(reader, "it is too short");
	cookie = get32(at);
	if ((cookie & 0xffff) == COOKIE_RUNS)
	{
		reader->containers = (cookie >> 16) + 1;
		reader->run_flags = take(reader, (reader->containers + 7) / 8);
		if (reader->run_flags == NULL)
			return damaged(reader, "its header is cut off");
	}
	else if (cookie == COOKIE_PLAIN)
	{
		at = take(reader, 4);
		if (at == NULL || get32(at) > 65536)
			return damaged(reader, "its number of containers is wrong");
		reader->containers = get32(at);
	}
	else
		return damaged(reader, "it begins like none");
	reader->keys = take(reader, 4 * (size_t) reader->containers);
	if (reader->keys == NULL)
		return damaged(reader, "its header is cut off");
	if (reader->run_flags == NULL || reader->containers >= OFFSETS_FROM)
	{
		reader->offsets = take(reader, 4 * (size_t) reader->containers);
		if (reader->offsets == NULL)
			return damaged(reader, "its header is cut off");
	}
	return true;
}

uint64_t
stored_claims(const StoredReader *reader)
{
	uint64_t count = 0;

	if (reader->is_list)
		return reader->left;
	for (uint32_t i = 0; i < reader->containers; i++)
		count += get16(reader->keys + 4 * (size_t) i + 2) + 1;
	return count;
}

static PartKind
next_of_list(StoredReader *reader, StoredPart *part)
{
	uint32_t count = reader->left < LIST_PART ? reader->left : LIST_PART;
	uint64_t least = reader->least;
	uint32_t overlong = 0;

	for (uint32_t i = 0; i < count; i++)
	{
		uint64_t more;
		uint32_t next;

		/* One byte or two, told apart without a branch: nobody could foretell it. */
		if (reader->end - reader->at >= 2 && ((next = get16(reader->at)) & 0x8080) != 0x8080)
		{
			uint32_t two = next >> 7 & 1;

			more = (next & 0x7f) | ((next >> 1 & 0x3f80) & -two);
			overlong |= two & (more < 0x80);
			reader->at += 1 + two;
		}
		else if (!take_number(reader, &more))
			return damaged_part(reader, "a number is cut off");
		if (least + more > UINT32_MAX)
			return damaged_part(reader, "a number is too large");
		reader->numbers[i] = least + more;
		least += more + 1;
	}
	if (overlong)
		return damaged_part(reader, "a number is longer than need be");
	reader->least = least;
	reader->left -= count;
	part->count = count;
	if (count > 0)
		return PART_LIST;
	if (reader->at == reader->end)
		return PART_END;
	return damaged_part(reader, "bytes follow its end");
}

static bool
array_ascends(const uint8_t *data, uint32_t count)
{
	uint32_t wrong = 0;

	for (uint32_t i = 1; i < count; i++)
		wrong |= get16(data + 2 * (size_t) i - 2) >= get16(data + 2 * (size_t) i);
	return wrong == 0;
}

/* Runs ascend without touching, end inside the container, and have so many numbers together. */
static bool
runs_are_sound(const uint8_t *data, uint32_t runs, uint32_t count)
{
	uint32_t free = 0;
	uint32_t found = 0;

	for (uint32_t i = 0; i < runs; i++)
	{
		uint32_t first = get16(data + 4 * (size_t) i);
		uint32_t more = get16(data + 4 * (size_t) i + 2);

		if (first < free || first + more >= PAGE_NUMBERS)
			return false;
		free = first + more + 2;
		found += more + 1;
	}
	return found == count;
}

PartKind
stored_next(StoredReader *reader, StoredPart *part)
{
	uint32_t i = reader->container;
	const uint8_t *entry;
	PartKind kind;
	size_t size;

	if (reader->is_list)
		return next_of_list(reader, part);
	if (i == reader->containers)
	{
		if (reader->at == reader->end)
			return PART_END;
		damaged(reader, "bytes follow its end");
		return PART_DAMAGED;
	}
	entry = reader->keys + 4 * (size_t) i;
	part->key = get16(entry);
	part->count = get16(entry + 2) + 1;
	part->runs = 0;
	if (i > 0 && get16(entry - 4) >= part->key)
		return damaged_part(reader, "its containers do not ascend");
	if (reader->offsets != NULL &&
	    get32(reader->offsets + 4 * (size_t) i) != (uint64_t) (reader->at - reader->begin))
		return damaged_part(reader, "a container is not where its header says");
	if (reader->run_flags != NULL && (reader->run_flags[i / 8] >> (i % 8) & 1))
	{
		part->data = take(reader, 2);
		part->runs = part->data == NULL ? 0 : get16(part->data);
		size = 4 * (size_t) part->runs;
		kind = PART_RUNS;
	}
	else if (part->count <= ARRAY_MAX)
	{
		size = 2 * (size_t) part->count;
		kind = PART_ARRAY;
	}
	else
	{
		size = PAGE_NUMBERS / 8;
		kind = PART_BITS;
	}
	part->data = take(reader, size);
	if (part->data == NULL)
		return damaged_part(reader, "a container is cut off");
	if (!(kind == PART_ARRAY  ? array_ascends(part->data, part->count)
	      : kind == PART_RUNS ? runs_are_sound(part->data, part->runs, part->count)
	                          : count_bits(part->data, PAGE_WORDS) == part->count))
		return damaged_part(reader, "a container is not what its header says");
	reader->container++;
	return kind;
}

bool
stored_seek(StoredReader *reader, uint16_t key)
{
	uint32_t from = 0;
	uint32_t to = reader->containers;

	if (reader->is_list || reader->offsets == NULL)
		return true;
	while (from < to)
	{
		uint32_t middle = (from + to) / 2;

		if (get16(reader->keys + 4 * (size_t) middle) < key)
			from = middle + 1;
		else
			to = middle;
	}
	if (from == reader->containers || get16(reader->keys + 4 * (size_t) from) != key)
		return false;
	reader->container = from;
	if (get32(reader->offsets + 4 * (size_t) from) <= (size_t) (reader->end - reader->begin))
		reader->at = reader->begin + get32(reader->offsets + 4 * (size_t) from);
	return true; /* a wrong offset is seen by stored_next() */
}

/* Writing. */

/* A container to be: numbers[0 … count) share their upper half. */
typedef struct Container
{
	size_t count;
	size_t runs;
	PartKind kind;
	size_t size;
} Container;

static Container
container_of(const uint32_t *numbers, size_t left)
{
	Container c = {.count = 1, .runs = 1};
	size_t plain;

	while (c.count < left && (numbers[c.count] ^ numbers[0]) >> 16 == 0)
	{
		c.runs += numbers[c.count] != numbers[c.count - 1] + 1;
		c.count++;
	}
	c.kind = c.count <= ARRAY_MAX ? PART_ARRAY : PART_BITS;
	plain = c.kind == PART_ARRAY ? 2 * c.count : PAGE_NUMBERS / 8;
	c.size = 2 + 4 * c.runs;
	if (c.size < plain)
		c.kind = PART_RUNS;
	else
		c.size = plain;
	return c;
}

/* What a set's bytes will be. */
typedef struct Plan
{
	bool is_list;
	bool has_runs;
	uint32_t containers;
	size_t header;
	size_t size;
} Plan;

static size_t
number_size(uint32_t number)
{
	return 1 + (number >= 1u << 7) + (number >= 1u << 14) + (number >= 1u << 21) + (number >= 1u << 28);
}

static Plan
plan_for(const uint32_t *numbers, size_t count)
{
	Plan plan = {0};
	size_t containers = 0;
	size_t list = 1 + number_size(count);

	for (size_t i = 0; i < count;)
	{
		Container c = container_of(numbers + i, count - i);

		plan.containers++;
		plan.has_runs |= c.kind == PART_RUNS;
		containers += c.size;
		i += c.count;
	}
	plan.header = 4 + 4 * (size_t) plan.containers;
	plan.header += plan.has_runs ? (plan.containers + 7) / 8 : 4;
	if (!plan.has_runs || plan.containers >= OFFSETS_FROM)
		plan.header += 4 * (size_t) plan.containers;
	plan.size = plan.header + containers;
	if (count > LIST_MAX)
		return plan;
	for (size_t i = 0; i < count; i++)
		list += number_size(i == 0 ? numbers[0] : numbers[i] - numbers[i - 1] - 1);
	plan.is_list = 4 * list <= 3 * plan.size;
	if (plan.is_list)
		plan.size = list;
	return plan;
}

size_t
stored_size(const uint32_t *numbers, size_t count)
{
	return plan_for(numbers, count).size;
}

static uint8_t *
put16(uint8_t *out, uint16_t value)
{
	memcpy(out, &value, sizeof value);
	return out + sizeof value;
}

static uint8_t *
put32(uint8_t *out, uint32_t value)
{
	memcpy(out, &value, sizeof value);
	return out + sizeof value;
}

static uint8_t *
put_number(uint8_t *out, uint32_t value)
{
	for (; value >= 0x80; value >>= 7)
		*out++ = value | 0x80;
	*out++ = value;
	return out;
}

static uint8_t *
put_container(uint8_t *out, const uint32_t *numbers, Container c)
{
	if (c.kind == PART_ARRAY)
		for (size_t i = 0; i < c.count; i++)
			out = put16(out, numbers[i]);
	else if (c.kind == PART_BITS)
	{
		memset(out, 0, PAGE_NUMBERS / 8);
		for (size_t i = 0; i < c.count; i++)
			out[(numbers[i] & 0xffff) / 8] |= 1 << numbers[i] % 8;
		out += PAGE_NUMBERS / 8;
	}
	else
	{
		out = put16(out, c.runs);
		for (size_t i = 0; i < c.count;)
		{
			size_t first = i;

			while (++i < c.count && numbers[i] == numbers[i - 1] + 1)
				;
			out = put16(out, numbers[first]);
			out = put16(out, i - first - 1);
		}
	}
	return out;
}

static void
write_containers(uint8_t *out, const uint32_t *numbers, size_t count, Plan plan)
{
	uint8_t *flags = NULL;
	uint8_t *keys;
	uint8_t *offsets = NULL;
	uint8_t *at = out;

	if (plan.has_runs)
	{
		flags = put32(at, COOKIE_RUNS | (plan.containers - 1) << 16);
		keys = flags + (plan.containers + 7) / 8;
		memset(flags, 0, keys - flags);
	}
	else
		keys = put32(put32(at, COOKIE_PLAIN), plan.containers);
	if (!plan.has_runs || plan.containers >= OFFSETS_FROM)
		offsets = keys + 4 * (size_t) plan.containers;
	at = out + plan.header;
	for (size_t i = 0, n = 0; i < count; n++)
	{
		Container c = container_of(numbers + i, count - i);

		put16(put16(keys + 4 * n, numbers[i] >> 16), c.count - 1);
		if (offsets != NULL)
			put32(offsets + 4 * n, at - out);
		if (c.kind == PART_RUNS)
			flags[n / 8] |= 1 << n % 8;
		at = put_container(at, numbers + i, c);
		i += c.count;
	}
}

void
stored_write(uint8_t *out, const uint32_t *numbers, size_t count)
{
	Plan plan = plan_for(numbers, count);

	if (!plan.is_list)
	{
		write_containers(out, numbers, count, plan);
		return;
	}
	*out++ = LIST_MARK;
	out = put_number(out, count);
	for (size_t i = 0; i < count; i++)
		out = put_number(out, i == 0 ? numbers[0] : numbers[i] - numbers[i - 1] - 1);
}
