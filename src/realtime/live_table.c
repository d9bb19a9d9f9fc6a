/*
 * Hash tables in the pool: open addressing, no removal. A full one is copied without what is older than the
 * state's floor, into as much room as the rest needs.
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "realtime/live_pool.h"

#define SMALLEST 512

typedef struct Kind
{
	Size size;
	uint32 (*hash)(const void *entry);
	bool (*same)(const void *a, const void *b);
	bool (*empty)(const void *entry);
	bool (*dead)(const void *entry, TimestampTz floor);
} Kind;

static uint32
visitor_hash(const void *entry)
{
	return murmurhash32(((const LiveVisitor *) entry)->visitor);
}

static bool
visitor_same(const void *a, const void *b)
{
	return ((const LiveVisitor *) a)->visitor == ((const LiveVisitor *) b)->visitor;
}

static bool
visitor_empty(const void *entry)
{
	return ((const LiveVisitor *) entry)->visitor == 0;
}

static bool
visitor_dead(const void *entry, TimestampTz floor)
{
	return ((const LiveVisitor *) entry)->at < floor;
}

static uint32
session_hash(const void *entry)
{
	const LiveSession *session = entry;

	return murmurhash32((uint32) session->session ^ (uint32) (session->session >> 32));
}

static bool
session_same(const void *a, const void *b)
{
	return ((const LiveSession *) a)->session == ((const LiveSession *) b)->session;
}

static bool
session_empty(const void *entry)
{
	return ((const LiveSession *) entry)->session == 0;
}

/* An end is kept like an event: what was told before it may be counted after it. */
static bool
session_dead(const void *entry, TimestampTz floor)
{
	const LiveSession *session = entry;

	return session->at < floor && (session->ended == DT_NOEND || session->ended < floor);
}

static uint32
page_hash(const void *entry)
{
	uint32 hash;

	memcpy(&hash, ((const LivePage *) entry)->path.data, sizeof(hash));
	return hash;
}

static bool
page_same(const void *a, const void *b)
{
	return memcmp(&((const LivePage *) a)->path, &((const LivePage *) b)->path, sizeof(pg_uuid_t)) == 0;
}

static bool
page_empty(const void *entry)
{
	return ((const LivePage *) entry)->number == 0;
}

static bool
page_dead(const void *entry, TimestampTz floor)
{
	return ((const LivePage *) entry)->minute < live_minute(floor);
}

static uint32
view_hash(const void *entry)
{
	const LiveView *view = entry;

	return hash_combine(murmurhash32(view->page), murmurhash32(view->visitor));
}

static bool
view_same(const void *a, const void *b)
{
	const LiveView *left = a;
	const LiveView *right = b;

	return left->page == right->page && left->visitor == right->visitor;
}

static bool
view_empty(const void *entry)
{
	return ((const LiveView *) entry)->visitor == 0;
}

static bool
view_dead(const void *entry, TimestampTz floor)
{
	return ((const LiveView *) entry)->minute < live_minute(floor);
}

static const Kind kinds[LIVE_TABLES] = {
    [LIVE_VISITORS] = {sizeof(LiveVisitor), visitor_hash, visitor_same, visitor_empty, visitor_dead},
    [LIVE_SESSIONS] = {sizeof(LiveSession), session_hash, session_same, session_empty, session_dead},
    [LIVE_PAGES] = {sizeof(LivePage), page_hash, page_same, page_empty, page_dead},
    [LIVE_VIEWS] = {sizeof(LiveView), view_hash, view_same, view_empty, view_dead},
};

Size
live_entry_size(LiveTables table)
{
	return kinds[table].size;
}

/* The key's entry, or the empty one where it belongs. */
static char *
place_of(const Kind *kind, char *entries, uint32 capacity, const void *key)
{
	uint32 place = ((uint64) kind->hash(key) * capacity) >> 32;

	for (;;)
	{
		char *entry = entries + (Size) place * kind->size;

		if (kind->empty(entry) || kind->same(entry, key))
			return entry;
		if (++place == capacity)
			place = 0;
	}
}

/* Copy what is alive; the old entries stay as they are when there is no room. */
static bool
make_room(LiveSlot *slot, LiveTable *table, const Kind *kind, TimestampTz floor)
{
	char *old = table->capacity > 0 ? live_at(table->entries) : NULL;
	uint32 alive = 0;
	uint32 capacity;
	dsa_pointer place;
	char *entries;

	for (uint32 i = 0; i < table->capacity; i++)
	{
		const char *entry = old + (Size) i * kind->size;

		alive += !kind->empty(entry) && !kind->dead(entry, floor);
	}
	if (alive > UINT32_MAX / 4)
		return false;
	capacity = Max(SMALLEST, alive * 2);
	place = live_take(slot, (Size) capacity * kind->size);
	if (!DsaPointerIsValid(place))
		return false;
	entries = live_at(place);
	for (uint32 i = 0; i < table->capacity; i++)
	{
		const char *entry = old + (Size) i * kind->size;

		if (!kind->empty(entry) && !kind->dead(entry, floor))
			memcpy(place_of(kind, entries, capacity, entry), entry, kind->size);
	}
	if (old != NULL)
		live_give(slot, table->entries, (Size) table->capacity * kind->size);
	*table = (LiveTable){.entries = place, .capacity = capacity, .used = alive};
	return true;
}

void *
live_entry(LiveSlot *slot, LiveState *state, LiveTables which, const void *key, bool *found)
{
	const Kind *kind = &kinds[which];
	LiveTable *table = &state->table[which];
	char *entry;

	if (table->capacity > 0)
	{
		entry = place_of(kind, live_at(table->entries), table->capacity, key);
		*found = !kind->empty(entry);
		if (*found)
			return entry;
	}
	if (table->used >= table->capacity / 4 * 3)
	{
		if (!make_room(slot, table, kind, state->floor))
			return NULL;
	}
	entry = place_of(kind, live_at(table->entries), table->capacity, key);
	memcpy(entry, key, kind->size);
	table->used++;
	*found = false;
	return entry;
}
