/*
 * One event out of the JSON of an SDK. The shapes (web SDK, server SDK, single event) differ in names
 * and places only, so all of them are one table: where a member stands, what it is called there, and
 * which member of the event it is. A member with several names takes the one that stands first here.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/json.h"
#include "core/settings.h"
#include "track/track.h"

#define MAX_DATA (64 * 1024) /* bytes of event_data as stored */

typedef enum Place
{
	EVENT,   /* the event itself */
	DATA,    /* its event_data or properties */
	CONTEXT, /* the server SDK's context */
	PAGE,    /* the context's page */
} Place;

typedef enum Member
{
	NAME,
	VISITOR,
	FINGERPRINT,
	SESSION,
	EVENT_ID,
	WORKSPACE,
	TIMESTAMP,
	URL,
	PATH,
	TITLE,
	REFERRER,
	UTM_SOURCE,
	UTM_MEDIUM,
	UTM_CAMPAIGN,
	SOURCE,
	SCROLL,
	OBJECT_DATA,
	OBJECT_CONTEXT,
	OBJECT_PAGE,
	MEMBERS,
} Member;

typedef struct Field
{
	const char *name;
	Place place;
	Member member;
} Field;

static const Field fields[] = {
    {"event_name", EVENT, NAME},
    {"event", EVENT, NAME},
    {"visitor_id", EVENT, VISITOR},
    {"anonymous_id", EVENT, VISITOR},
    {"distinct_id", EVENT, VISITOR},
    {"anonymousId", EVENT, VISITOR},
    {"userId", EVENT, VISITOR},
    {"fingerprint_id", EVENT, FINGERPRINT},
    {"device_fingerprint", EVENT, FINGERPRINT},
    {"fingerprint_id", DATA, FINGERPRINT},
    {"device_fingerprint", DATA, FINGERPRINT},
    {"session_id", EVENT, SESSION},
    {"sessionId", EVENT, SESSION},
    {"session_id", CONTEXT, SESSION},
    {"sessionId", CONTEXT, SESSION},
    {"event_id", EVENT, EVENT_ID},
    {"eventId", EVENT, EVENT_ID},
    {"workspace_id", EVENT, WORKSPACE},
    {"timestamp", EVENT, TIMESTAMP},
    {"url", DATA, URL},
    {"page_url", EVENT, URL},
    {"url", PAGE, URL},
    {"path", DATA, PATH},
    {"page_path", EVENT, PATH},
    {"path", PAGE, PATH},
    {"title", DATA, TITLE},
    {"page_title", EVENT, TITLE},
    {"title", PAGE, TITLE},
    {"referrer", DATA, REFERRER},
    {"referrer", EVENT, REFERRER},
    {"referrer", PAGE, REFERRER},
    {"utm_source", EVENT, UTM_SOURCE},
    {"utm_source", DATA, UTM_SOURCE},
    {"utm_medium", EVENT, UTM_MEDIUM},
    {"utm_medium", DATA, UTM_MEDIUM},
    {"utm_campaign", EVENT, UTM_CAMPAIGN},
    {"utm_campaign", DATA, UTM_CAMPAIGN},
    {"source", EVENT, SOURCE},
    {"scroll_percent", DATA, SCROLL},
    {"scroll_percent", EVENT, SCROLL},
    {"event_data", EVENT, OBJECT_DATA},
    {"properties", EVENT, OBJECT_DATA},
    {"context", EVENT, OBJECT_CONTEXT},
    {"page", CONTEXT, OBJECT_PAGE},
};

/* How a member that is a text is taken: its length in characters, and where it goes. */
typedef struct TextRule
{
	int max;
	size_t offset;
	bool column; /* shown as a column of the event: not kept in its data a second time */
} TextRule;

#define TERM(which) offsetof(LaEvent, text) + sizeof(char *) * LA_TEXT_##which

static const TextRule texts[MEMBERS] = {
    [NAME] = {200, TERM(NAME)},
    [VISITOR] = {128, offsetof(LaEvent, visitor_id)},
    [FINGERPRINT] = {128, offsetof(LaEvent, fingerprint), true},
    [SESSION] = {128, offsetof(LaEvent, session_id)},
    [WORKSPACE] = {128, offsetof(LaEvent, workspace_id)},
    [PATH] = {2048, TERM(PAGE), true},
    [URL] = {2048, TERM(PAGE), true}, /* after PATH in taking order: see take_order */
    [TITLE] = {1024, TERM(TITLE), true},
    [REFERRER] = {2048, TERM(REFERRER), true},
    [UTM_SOURCE] = {256, TERM(UTM_SOURCE), true},
    [UTM_MEDIUM] = {256, TERM(UTM_MEDIUM), true},
    [UTM_CAMPAIGN] = {256, TERM(UTM_CAMPAIGN), true},
    [SOURCE] = {128, TERM(SOURCE)},
};

/* The address of a page beats its path. */
static const Member take_order[] = {NAME,  VISITOR,  FINGERPRINT, SESSION,    WORKSPACE,    PATH,  URL,
                                    TITLE, REFERRER, UTM_SOURCE,  UTM_MEDIUM, UTM_CAMPAIGN, SOURCE};

typedef struct Found
{
	const LaJson *node[MEMBERS];
	int rank[MEMBERS];
} Found;

/* D-63; every other name with a $ is auto too. */
static const struct
{
	const char *name;
	char kind;
} kinds[] = {
    {"page_view", 'p'}, {"pageview", 'p'},  {"$pageview", 'p'},  {"page_visit", 'p'},        {"scroll", 'a'},
    {"click", 'a'},     {"mousemove", 'a'}, {"navigation", 'a'}, {"visibility_change", 'a'},
};

char
track_kind(const char *name)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(name, kinds[i].name) == 0)
			return kinds[i].kind;
	return name[0] == '$' ? 'a' : 'c';
}

pg_uuid_t
track_digest(const char *text, int length)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	uint8 digest[PG_SHA256_DIGEST_LENGTH];
	pg_uuid_t result;

	if (pg_cryptohash_init(hash) < 0 || pg_cryptohash_update(hash, (const uint8 *) text, length) < 0 ||
	    pg_cryptohash_final(hash, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(hash));
	pg_cryptohash_free(hash);
	memcpy(result.data, digest, UUID_LEN);
	return result;
}

/* The row of fields[] for a name at a place, or -1. Names hash to chains made at the first call. */
#define BUCKETS 128

static int
field_of(Place place, const char *name)
{
	static short first[BUCKETS];
	static short next[lengthof(fields)];
	static bool ready = false;
	uint32 hash = 5381 + place;

	if (!ready)
	{
		memset(first, -1, sizeof(first));
		for (int i = 0; i < lengthof(fields); i++)
		{
			uint32 own = 5381 + fields[i].place;

			for (const char *c = fields[i].name; *c; c++)
				own = own * 33 + (unsigned char) *c;
			next[i] = first[own % BUCKETS];
			first[own % BUCKETS] = i;
		}
		ready = true;
	}
	for (const char *c = name; *c; c++)
		hash = hash * 33 + (unsigned char) *c;
	for (int i = first[hash % BUCKETS]; i >= 0; i = next[i])
		if (fields[i].place == place && strcmp(fields[i].name, name) == 0)
			return i;
	return -1;
}

LaMember
track_member(const char *name)
{
	int row = field_of(EVENT, name);
	LaMember member = {.of_event = row >= 0};

	if (row < 0)
		row = field_of(DATA, name);
	if (row >= 0)
		member.is_text = texts[fields[row].member].max > 0 || fields[row].member == EVENT_ID ||
		                 fields[row].member == TIMESTAMP;
	return member;
}

/* Note the members of an object; an absent one, a null and an empty text are the same. */
static void
gather(const LaJson *object, Place place, Found *found)
{
	if (object == NULL || object->type != LA_JSON_OBJECT)
		return;
	la_json_foreach (child, object)
	{
		int row = field_of(place, child->key);
		Member member;

		if (row < 0 || child->type == LA_JSON_NULL || (child->type == LA_JSON_STRING && child->length == 0))
			continue;
		member = fields[row].member;
		if (found->node[member] == NULL || row <= found->rank[member])
		{
			found->node[member] = child;
			found->rank[member] = row;
		}
	}
}

static bool
object_or_absent(const Found *found, Member member, LaEvent *event)
{
	const LaJson *node = found->node[member];

	if (node != NULL && node->type != LA_JSON_OBJECT)
		event->error = psprintf("%s must be an object", node->key);
	return event->error == NULL;
}

static bool
take_text(const LaJson *node, const TextRule *rule, LaEvent *event)
{
	if (node->type != LA_JSON_STRING)
		event->error = psprintf("%s must be a text", node->key);
	else if (node->length > rule->max && pg_mbstrlen_with_len(node->text, node->length) > rule->max)
		event->error = psprintf("%s must have at most %d characters", node->key, rule->max);
	else
		*(const char **) ((char *) event + rule->offset) = node->text;
	return event->error == NULL;
}

/* A uuid as it is written (8-4-4-4-12), any other text by its digest. */
static pg_uuid_t
event_id_of(const char *text, int length)
{
	pg_uuid_t id;
	int nibble = 0;

	if (length != 36)
		return track_digest(text, length);
	for (int i = 0; i < 36; i++)
	{
		char c = text[i];
		int digit = (c >= '0' && c <= '9')   ? c - '0'
		            : (c >= 'a' && c <= 'f') ? c - 'a' + 10
		            : (c >= 'A' && c <= 'F') ? c - 'A' + 10
		                                     : -1;

		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (c != '-')
				return track_digest(text, length);
			continue;
		}
		if (digit < 0)
			return track_digest(text, length);
		if (nibble % 2 == 0)
			id.data[nibble / 2] = digit << 4;
		else
			id.data[nibble / 2] |= digit;
		nibble++;
	}
	return id;
}

static bool
take_event_id(const LaJson *node, LaEvent *event)
{
	static const TextRule rule = {.max = 1024};

	if (node == NULL)
		return true;
	if (node->type != LA_JSON_STRING)
		event->error = psprintf("%s must be a text", node->key);
	else if (node->length > rule.max)
		event->error = psprintf("%s must have at most %d bytes", node->key, rule.max);
	else
	{
		event->has_event_id = true;
		event->event_id = event_id_of(node->text, node->length);
	}
	return event->error == NULL;
}

/* D-70: the client's time when it is believable, else the receipt's. */
static bool
take_timestamp(const LaJson *node, TimestampTz now, LaEvent *event)
{
	TimestampTz at;

	event->at = now;
	event->at_receipt = true;
	if (node == NULL)
		return true;
	if ((node->type != LA_JSON_STRING && node->type != LA_JSON_NUMBER) || !track_when(node->text, &at))
	{
		event->error = psprintf("%s must be an ISO 8601 time or a Unix time", node->key);
		return false;
	}
	if (at >= now - la_track_past_s * USECS_PER_SEC && at <= now + la_track_future_s * USECS_PER_SEC)
	{
		event->at = at;
		event->at_receipt = false;
	}
	return true;
}

/* What of event_data has no column of its own. */
static bool
take_data(const Found *found, LaEvent *event)
{
	const LaJson *node = found->node[OBJECT_DATA];
	LaJson kept = {.type = LA_JSON_OBJECT};
	const char *reason;

	if (node == NULL)
		return true;
	la_json_foreach (child, node)
	{
		int row = field_of(DATA, child->key);
		LaJson *copy;

		/* what was read from here into a column is not kept twice; a path that is part of the page's address
		 * is */
		if (row >= 0 && texts[fields[row].member].column)
		{
			Member member = fields[row].member;

			if (found->node[member] == child &&
			    (member != PATH || strstr(event->text[LA_TEXT_PAGE], child->text)))
				continue;
			if (child->type == LA_JSON_NULL || (child->type == LA_JSON_STRING && child->length == 0))
				continue;
		}
		copy = palloc(sizeof(LaJson));
		*copy = *child;
		copy->next = NULL;
		if (kept.last)
			kept.last->next = copy;
		else
			kept.first = copy;
		kept.last = copy;
		kept.count++;
	}
	if (kept.count == 0)
		return true;
	event->data = la_json_to_jsonb(&kept, &reason);
	if (event->data == NULL)
		event->error = psprintf("%s holds a %s", node->key, reason);
	else if (VARSIZE(event->data) > MAX_DATA)
		event->error = psprintf("%s must have at most %d bytes", node->key, MAX_DATA);
	return event->error == NULL;
}

void
track_read(const LaJson *object, TimestampTz now, LaEvent *event)
{
	Found found;

	memset(event, 0, sizeof(LaEvent));
	event->scroll_percent = -1;
	if (object->type != LA_JSON_OBJECT)
	{
		event->error = "event must be an object";
		return;
	}
	memset(&found.node, 0, sizeof(found.node));
	gather(object, EVENT, &found);
	if (!object_or_absent(&found, OBJECT_DATA, event) || !object_or_absent(&found, OBJECT_CONTEXT, event))
		return;
	gather(found.node[OBJECT_DATA], DATA, &found);
	gather(found.node[OBJECT_CONTEXT], CONTEXT, &found);
	gather(found.node[OBJECT_PAGE], PAGE, &found);

	for (int i = 0; i < lengthof(take_order); i++)
	{
		Member member = take_order[i];

		if (found.node[member] != NULL && !take_text(found.node[member], &texts[member], event))
			return;
	}
	if (event->text[LA_TEXT_NAME] == NULL)
	{
		event->error = "event_name is required";
		return;
	}
	event->kind = track_kind(event->text[LA_TEXT_NAME]);
	if (!take_event_id(found.node[EVENT_ID], event) || !take_timestamp(found.node[TIMESTAMP], now, event))
		return;
	if (found.node[SCROLL] != NULL)
	{
		double percent;

		if (!la_json_float(found.node[SCROLL], &percent) || percent < 0 || percent > 100)
		{
			event->error = psprintf("%s must be a number from 0 to 100", found.node[SCROLL]->key);
			return;
		}
		event->scroll_percent = percent;
	}
	take_data(&found, event);
}
