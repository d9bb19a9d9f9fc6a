/*
 * The table of names; see field.h.
 */
#include "postgres.h"

#include "track/field.h"

typedef struct Field
{
	const char *name;
	Place place;
	Member member;
} Field;

#define CLICK_ID(name)                                                                                       \
	{name, EVENT, CLICK},                                                                                    \
	{                                                                                                        \
		name, DATA, CLICK                                                                                    \
	}

static const Field fields[] = {
    {"event_name", EVENT, NAME},
    {"event", EVENT, SERVER_NAME},
    {"event_type", TRACKER, NAME},
    {"visitor_id", EVENT, VISITOR},
    {"anonymous_id", EVENT, VISITOR},
    {"anonymousId", EVENT, VISITOR},
    {"distinct_id", EVENT, DISTINCT},
    {"user_id", EVENT, USER},
    {"userId", EVENT, USER},
    {"user_id", DATA, USER_IN_DATA},
    {"userId", DATA, USER_IN_DATA},
    {"email", DATA, EMAIL},
    {"email", TRAITS, EMAIL},
    {"email", EVENT, EMAIL},
    {"previousId", EVENT, PREVIOUS},
    {"previous_id", EVENT, PREVIOUS},
    {"alias", EVENT, PREVIOUS},
    {"previousId", DATA, PREVIOUS},
    {"previous_id", DATA, PREVIOUS},
    {"alias", DATA, PREVIOUS},
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
    {"page", TRACKER, URL},
    {"exit_page", TRACKER, URL},
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
    {"utm_term", EVENT, UTM_TERM},
    {"utm_term", DATA, UTM_TERM},
    {"utm_content", EVENT, UTM_CONTENT},
    {"utm_content", DATA, UTM_CONTENT},
    CLICK_ID("gclid"),
    CLICK_ID("gbraid"),
    CLICK_ID("wbraid"),
    CLICK_ID("dclid"),
    CLICK_ID("fbclid"),
    CLICK_ID("msclkid"),
    CLICK_ID("ttclid"),
    CLICK_ID("twclid"),
    CLICK_ID("li_fat_id"),
    CLICK_ID("sclid"),
    CLICK_ID("ScCid"),
    CLICK_ID("epik"),
    CLICK_ID("rdt_cid"),
    CLICK_ID("irclid"),
    CLICK_ID("irclickid"),
    CLICK_ID("obclid"),
    CLICK_ID("tblci"),
    CLICK_ID("qclid"),
    {"source", EVENT, SOURCE},
    {"tag", DATA, TAG},
    {"tags", DATA, TAGS},
    {"scroll_percent", DATA, SCROLL},
    {"scroll_percent", EVENT, SCROLL},
    {"screen_width", DATA, WIDTH},
    {"screen_width", EVENT, WIDTH},
    {"width", SCREEN, WIDTH},
    {"screen_height", DATA, HEIGHT},
    {"screen_height", EVENT, HEIGHT},
    {"height", SCREEN, HEIGHT},
    {"ip", CONTEXT, CLIENT_IP},
    {"ip", EVENT, CLIENT_IP},
    {"userAgent", CONTEXT, USER_AGENT},
    {"user_agent", CONTEXT, USER_AGENT},
    {"user_agent", EVENT, USER_AGENT},
    {"user_agent", DEVICE, DEVICE_AGENT},
    {"language", DEVICE, LANGUAGE},
    {"platform", DEVICE, PLATFORM},
    {"hardware_concurrency", DEVICE, CORES},
    {"device_memory", DEVICE, MEMORY},
    {"color_depth", SCREEN, COLOR_DEPTH},
    {"pixel_ratio", SCREEN, PIXEL_RATIO},
    {"event_data", EVENT, OBJECT_DATA},
    {"properties", EVENT, OBJECT_DATA},
    {"context", EVENT, OBJECT_CONTEXT},
    {"page", CONTEXT, OBJECT_PAGE},
    {"screen", CONTEXT, OBJECT_SCREEN},
    {"screen", TRACKER, OBJECT_SCREEN},
    {"device_info", TRACKER, OBJECT_DEVICE},
    {"traits", EVENT, OBJECT_TRAITS},
    {"traits", DATA, OBJECT_TRAITS},
    {"traits", CONTEXT, OBJECT_TRAITS},
};

/* Names hash to chains made at the first call. */
#define BUCKETS 256

static uint32
hash_of(Place place, const char *name)
{
	uint32 hash = 5381 + place;

	for (const char *c = name; *c; c++)
		hash = hash * 33 + (unsigned char) *c;
	return hash % BUCKETS;
}

/* The row for a name at a place, or -1. */
static int
row_of(Place place, const char *name)
{
	static short first[BUCKETS];
	static short next[lengthof(fields)];
	static bool ready = false;

	if (!ready)
	{
		memset(first, -1, sizeof(first));
		for (int i = 0; i < lengthof(fields); i++)
		{
			uint32 bucket = hash_of(fields[i].place, fields[i].name);

			next[i] = first[bucket];
			first[bucket] = i;
		}
		ready = true;
	}
	for (int i = first[hash_of(place, name)]; i >= 0; i = next[i])
		if (fields[i].place == place && strcmp(fields[i].name, name) == 0)
			return i;
	return -1;
}

Member
track_field(Place place, const char *name)
{
	int row = row_of(place, name);

	return row < 0 ? MEMBERS : fields[row].member;
}

void
track_gather(const LaJson *object, Place place, Found *found)
{
	if (object == NULL || object->type != LA_JSON_OBJECT)
		return;
	la_json_foreach (child, object)
	{
		int row = row_of(place, child->key);
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
