/*
 * Open sets; the contract is in bitmap.h.
 *
 * The pages of a set hang in one array, as long as its highest number asks for. A union of stored sets goes
 * straight from their bytes into the pages: nothing is made of a stored set on the way.
 *
 * That is why no Roaring library is used. The one of Debian 12 (libroaring 0.2.66) does not look into the
 * containers that it reads, so all of stored.c's reading would stand before it anyway; it aborts the process
 * when malloc fails, or goes on past the end of what it has, where we must raise an error; its sets have to
 * be tied to a memory context each; and it unites no faster (test/bench/bitmap.sh has both). It is the second
 * opinion of test/fuzz/bitmap.t instead: it reads what we write, and we what it writes.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "bitmap/bitmap.h"
#include "bitmap/stored.h"

struct LaBitmap
{
	MemoryContext context;
	uint32 room;   /* pages that fit the array */
	uint32 end;    /* behind the last page there is */
	uint64 **page; /* PAGE_WORDS each, or NULL: none of its numbers */
};

#define ROOM_MIN 16

LaBitmap *
la_bitmap_create(void)
{
	LaBitmap *set = palloc(sizeof *set);

	set->context = CurrentMemoryContext;
	set->room = ROOM_MIN;
	set->end = 0;
	set->page = palloc0(ROOM_MIN * sizeof *set->page);
	return set;
}

void
la_bitmap_free(LaBitmap *set)
{
	for (uint32 key = 0; key < set->end; key++)
		if (set->page[key] != NULL)
			pfree(set->page[key]);
	pfree(set->page);
	pfree(set);
}

void
la_bitmap_clear(LaBitmap *set)
{
	for (uint32 key = 0; key < set->end; key++)
		if (set->page[key] != NULL)
			memset(set->page[key], 0, PAGE_WORDS * sizeof(uint64));
}

static void
make_room(LaBitmap *set, uint32 key)
{
	uint32 room = set->room;
	uint64 **page;

	while (room <= key)
		room *= 2;
	page = MemoryContextAllocZero(set->context, room * sizeof *page);
	memcpy(page, set->page, set->end * sizeof *page);
	pfree(set->page);
	set->page = page;
	set->room = room;
}

/* The page of a key, made when there is none. */
static uint64 *
page_for(LaBitmap *set, uint32 key)
{
	if (key >= set->room)
		make_room(set, key);
	if (set->page[key] == NULL)
		set->page[key] = MemoryContextAllocZero(set->context, PAGE_WORDS * sizeof(uint64));
	set->end = Max(set->end, key + 1);
	return set->page[key];
}

static const uint64 *
page_at(const LaBitmap *set, uint32 key)
{
	return key < set->end ? set->page[key] : NULL;
}

void
la_bitmap_add(LaBitmap *set, uint32 number)
{
	page_for(set, number >> 16)[number % PAGE_NUMBERS / 64] |= UINT64CONST(1) << number % 64;
}

bool
la_bitmap_has(const LaBitmap *set, uint32 number)
{
	const uint64 *page = page_at(set, number >> 16);

	return page != NULL && (page[number % PAGE_NUMBERS / 64] >> number % 64 & 1) != 0;
}

static uint32
page_count(const uint64 *page)
{
	return page == NULL ? 0 : count_bits((const uint8 *) page, PAGE_WORDS);
}

uint64
la_bitmap_count(const LaBitmap *set)
{
	uint64 count = 0;

	for (uint32 key = 0; key < set->end; key++)
		count += page_count(set->page[key]);
	return count;
}

uint64
la_bitmap_count_both(const LaBitmap *a, const LaBitmap *b)
{
	uint64 count = 0;
	uint64 both[PAGE_WORDS];

	for (uint32 key = 0; key < Min(a->end, b->end); key++)
	{
		if (a->page[key] == NULL || b->page[key] == NULL)
			continue;
		for (int i = 0; i < PAGE_WORDS; i++)
			both[i] = a->page[key][i] & b->page[key][i];
		count += page_count(both);
	}
	return count;
}

bool
la_bitmap_next(const LaBitmap *set, uint64 *cursor, uint32 *number)
{
	for (uint64 at = *cursor; at >> 16 < set->end;)
	{
		const uint64 *page = set->page[at >> 16];
		uint64 word;

		if (page == NULL)
		{
			at = ((at >> 16) + 1) << 16;
			continue;
		}
		word = page[at % PAGE_NUMBERS / 64] >> at % 64;
		if (word != 0)
		{
			at += __builtin_ctzll(word);
			*number = at;
			*cursor = at + 1;
			return true;
		}
		at = (at / 64 + 1) * 64;
	}
	*cursor = (uint64) set->end << 16;
	return false;
}

void
la_bitmap_merge(LaBitmap *set, const LaBitmap *other)
{
	for (uint32 key = 0; key < other->end; key++)
	{
		uint64 *page;

		if (other->page[key] == NULL)
			continue;
		page = page_for(set, key);
		for (int i = 0; i < PAGE_WORDS; i++)
			page[i] |= other->page[key][i];
	}
}

/* Stored sets into open ones. */

static void
raise_damage(const StoredReader *reader)
{
	ereport(ERROR,
	        (errcode(ERRCODE_DATA_CORRUPTED), errmsg("damaged set of numbers: %s", reader->damage),
	         errhint("The bytes are no set, or no longer the one that leadanalytics wrote: restore them, "
	                 "or have them made again from the rows they were made of.")));
}

static void
open_stored(StoredReader *reader, const void *bytes, Size length)
{
	if (!stored_open(reader, bytes, length))
		raise_damage(reader);
}

static PartKind
next_part(StoredReader *reader, StoredPart *part)
{
	PartKind kind = stored_next(reader, part);

	CHECK_FOR_INTERRUPTS();
	if (kind == PART_DAMAGED)
		raise_damage(reader);
	return kind;
}

static uint16
get16(const uint8 *at)
{
	uint16 value;

	memcpy(&value, at, sizeof value);
	return value;
}

/* Set bits first … last of a page. */
static void
set_run(uint64 *page, uint32 first, uint32 last)
{
	uint64 head = ~UINT64CONST(0) << first % 64;
	uint64 tail = ~UINT64CONST(0) >> (63 - last % 64);

	if (first / 64 == last / 64)
	{
		page[first / 64] |= head & tail;
		return;
	}
	page[first / 64] |= head;
	for (uint32 i = first / 64 + 1; i < last / 64; i++)
		page[i] = ~UINT64CONST(0);
	page[last / 64] |= tail;
}

/* A container into a page. */
static void
or_part(uint64 *page, PartKind kind, const StoredPart *part)
{
	if (kind == PART_BITS)
		for (int i = 0; i < PAGE_WORDS; i++)
		{
			uint64 word;

			memcpy(&word, part->data + 8 * i, sizeof word);
			page[i] |= word;
		}
	else if (kind == PART_ARRAY)
		for (uint32 i = 0; i < part->count; i++)
		{
			uint16 low = get16(part->data + 2 * i);

			page[low / 64] |= UINT64CONST(1) << low % 64;
		}
	else
		for (uint32 i = 0; i < part->runs; i++)
		{
			uint32 first = get16(part->data + 4 * i);

			set_run(page, first, first + get16(part->data + 4 * i + 2));
		}
}

/* Numbers ascend: most are of the page of the one before. */
static void
or_list(LaBitmap *set, const uint32 *numbers, uint32 count)
{
	for (uint32 i = 0; i < count;)
	{
		uint32 key = numbers[i] >> 16;
		uint64 *page = page_for(set, key);

		for (; i < count && numbers[i] >> 16 == key; i++)
			page[numbers[i] % PAGE_NUMBERS / 64] |= UINT64CONST(1) << numbers[i] % 64;
	}
}

void
la_bitmap_or(LaBitmap *set, const void *bytes, Size length)
{
	StoredReader reader;
	StoredPart part;
	PartKind kind;

	open_stored(&reader, bytes, length);
	while ((kind = next_part(&reader, &part)) != PART_END)
	{
		if (kind == PART_LIST)
			or_list(set, reader.numbers, part.count);
		else
			or_part(page_for(set, part.key), kind, &part);
	}
}

void
la_bitmap_andnot(LaBitmap *set, const void *bytes, Size length)
{
	StoredReader reader;
	StoredPart part;
	PartKind kind;

	open_stored(&reader, bytes, length);
	while ((kind = next_part(&reader, &part)) != PART_END)
	{
		uint64 out[PAGE_WORDS] = {0};

		if (kind == PART_LIST)
		{
			for (uint32 i = 0; i < part.count; i++)
				if (la_bitmap_has(set, reader.numbers[i]))
					page_for(set, reader.numbers[i] >> 16)[reader.numbers[i] % PAGE_NUMBERS / 64] &=
					    ~(UINT64CONST(1) << reader.numbers[i] % 64);
			continue;
		}
		if (page_at(set, part.key) == NULL)
			continue;
		or_part(out, kind, &part);
		for (int i = 0; i < PAGE_WORDS; i++)
			set->page[part.key][i] &= ~out[i];
	}
}

void
la_bitmap_and(LaBitmap *set, const void *bytes, Size length)
{
	LaBitmap *other = la_bitmap_create();

	la_bitmap_or(other, bytes, length);
	for (uint32 key = 0; key < set->end; key++)
	{
		const uint64 *page = page_at(other, key);

		if (set->page[key] == NULL)
			continue;
		for (int i = 0; i < PAGE_WORDS; i++)
			set->page[key][i] &= page == NULL ? 0 : page[i];
	}
	la_bitmap_free(other);
}

uint64
la_bitmap_stored_count(const void *bytes, Size length)
{
	StoredReader reader;

	open_stored(&reader, bytes, length);
	return stored_claims(&reader);
}

static bool
part_has(const StoredReader *reader, PartKind kind, const StoredPart *part, uint32 number)
{
	const uint16 low = number;
	uint32 from = 0;
	uint32 to = kind == PART_RUNS ? part->runs : part->count;
	const int width = kind == PART_RUNS ? 4 : 2;

	if (kind == PART_LIST)
	{
		for (uint32 i = 0; i < part->count; i++)
			if (reader->numbers[i] == number)
				return true;
		return false;
	}
	if (kind == PART_BITS)
		return part->data[low / 8] >> (low % 8) & 1;
	/* the last one that begins at the number or before it */
	while (from < to)
	{
		uint32 middle = (from + to) / 2;
		uint16 first;

		memcpy(&first, part->data + width * (Size) middle, sizeof first);
		if (first <= low)
			from = middle + 1;
		else
			to = middle;
	}
	if (from == 0)
		return false;
	{
		uint16 first;
		uint16 more = 0;

		memcpy(&first, part->data + width * (Size) (from - 1), sizeof first);
		if (kind == PART_RUNS)
			memcpy(&more, part->data + width * (Size) (from - 1) + 2, sizeof more);
		return low - first <= more;
	}
}

bool
la_bitmap_stored_has(const void *bytes, Size length, uint32 number)
{
	StoredReader reader;
	StoredPart part;
	PartKind kind;

	open_stored(&reader, bytes, length);
	if (!stored_seek(&reader, number >> 16))
		return false;
	while ((kind = next_part(&reader, &part)) != PART_END)
	{
		if (kind == PART_LIST)
		{
			if (part_has(&reader, kind, &part, number))
				return true;
		}
		else if (part.key >= number >> 16)
			return part.key == number >> 16 && part_has(&reader, kind, &part, number);
	}
	return false;
}

/* Where numbers are written out. */
typedef struct Written
{
	uint32 *numbers;
	Size n;
	Size room;
} Written;

static void
write_number(Written *out, uint32 number)
{
	if (out->n == out->room)
		ereport(ERROR,
		        (errcode(ERRCODE_DATA_CORRUPTED),
		         errmsg("damaged set of numbers: it has more than the %zu it should have", out->room)));
	out->numbers[out->n++] = number;
}

static void
write_part(Written *out, PartKind kind, const StoredPart *part)
{
	uint32 high = (uint32) part->key << 16;

	if (kind == PART_ARRAY)
		for (uint32 i = 0; i < part->count; i++)
			write_number(out, high | get16(part->data + 2 * i));
	else if (kind == PART_RUNS)
		for (uint32 i = 0; i < part->runs; i++)
			for (uint32 k = 0; k <= get16(part->data + 4 * i + 2); k++)
				write_number(out, high | (get16(part->data + 4 * i) + k));
	else
		for (uint32 i = 0; i < PAGE_WORDS; i++)
		{
			uint64 word;

			memcpy(&word, part->data + 8 * i, sizeof word);
			for (; word != 0; word &= word - 1)
				write_number(out, high | (64 * i + __builtin_ctzll(word)));
		}
}

Size
la_bitmap_stored_numbers(const void *bytes, Size length, uint32 *numbers, Size room)
{
	Written out = {numbers, 0, room};
	StoredReader reader;
	StoredPart part;
	PartKind kind;

	open_stored(&reader, bytes, length);
	while ((kind = next_part(&reader, &part)) != PART_END)
	{
		if (kind != PART_LIST)
			write_part(&out, kind, &part);
		else
			for (uint32 i = 0; i < part.count; i++)
				write_number(&out, reader.numbers[i]);
	}
	return out.n;
}

/* Storing. */

static int
store_sorted(StringInfo out, const uint32 *numbers, Size count)
{
	Size size = stored_size(numbers, count);

	if (size >= MaxAllocSize)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		                errmsg("a set of %zu numbers is too large to be stored", count),
		                errhint("Stored, a set may have 1 GB.")));
	enlargeStringInfo(out, size);
	stored_write((uint8 *) out->data + out->len, numbers, count);
	out->len += size;
	out->data[out->len] = '\0';
	return size;
}

#define ST_SORT sort_numbers
#define ST_ELEMENT_TYPE uint32
#define ST_COMPARE(a, b) (*(a) < *(b) ? -1 : *(a) > *(b))
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

Size
la_bitmap_distinct(uint32 *numbers, Size count)
{
	Size kept = 0;

	sort_numbers(numbers, count);
	for (Size i = 0; i < count; i++)
		if (i == 0 || numbers[i] != numbers[kept - 1])
			numbers[kept++] = numbers[i];
	return kept;
}

int
la_bitmap_store_numbers(StringInfo out, uint32 *numbers, Size count)
{
	return store_sorted(out, numbers, la_bitmap_distinct(numbers, count));
}

int
la_bitmap_store(StringInfo out, const LaBitmap *set)
{
	Size count = la_bitmap_count(set);
	uint32 *numbers = MemoryContextAllocHuge(CurrentMemoryContext, Max(count, 1) * sizeof *numbers);
	Size n = 0;
	int size;

	for (uint32 key = 0; key < set->end; key++)
		for (int i = 0; set->page[key] != NULL && i < PAGE_WORDS; i++)
			for (uint64 word = set->page[key][i]; word != 0; word &= word - 1)
				numbers[n++] = key << 16 | (64 * i + __builtin_ctzll(word));
	CHECK_FOR_INTERRUPTS();
	size = store_sorted(out, numbers, count);
	pfree(numbers);
	return size;
}
