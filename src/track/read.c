/*
 * One event out of the JSON of an SDK; field.h has the names.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/bytes.h"
#include "core/json.h"
#include "core/kind.h"
#include "core/settings.h"
#include "track/field.h"
#include "track/track.h"

#define MAX_DATA (64 * 1024) /* bytes of event_data as stored */
#define MAX_SCREEN 32767     /* pixels */
#define MAX_TAG 100          /* characters */

/* How a member that is a text is taken: its length in characters, and where it goes. */
typedef struct TextRule
{
	Member member;
	int max;
	size_t offset;
	bool number; /* a number will do */
} TextRule;

#define EVENT_TEXT(which) offsetof(LaEvent, text) + sizeof(char *) * LA_TEXT_##which
#define DEVICE_TEXT(which) offsetof(LaEvent, device) + sizeof(char *) * LA_DEVICE_##which

/* The later of two with one place wins. */
static const TextRule texts[] = {
    {SERVER_NAME, 200, EVENT_TEXT(NAME)},
    {NAME, 200, EVENT_TEXT(NAME)},
    {DISTINCT, 128, offsetof(LaEvent, visitor_id)},
    {VISITOR, 128, offsetof(LaEvent, visitor_id)},
    {USER, 128, offsetof(LaEvent, user_id)},
    {FINGERPRINT, 128, offsetof(LaEvent, fingerprint)},
    {SESSION, 128, offsetof(LaEvent, session_id)},
    {WORKSPACE, 128, offsetof(LaEvent, workspace_id)},
    {URL, 2048, EVENT_TEXT(URL)},
    {PATH, 2048, EVENT_TEXT(PATH)},
    {TITLE, 1024, EVENT_TEXT(TITLE)},
    {REFERRER, 2048, EVENT_TEXT(REFERRER)},
    {UTM_SOURCE, 256, EVENT_TEXT(UTM_SOURCE)},
    {UTM_MEDIUM, 256, EVENT_TEXT(UTM_MEDIUM)},
    {UTM_CAMPAIGN, 256, EVENT_TEXT(UTM_CAMPAIGN)},
    {UTM_TERM, 256, EVENT_TEXT(UTM_TERM)},
    {UTM_CONTENT, 256, EVENT_TEXT(UTM_CONTENT)},
    {SOURCE, 128, EVENT_TEXT(SOURCE)},
    {CLIENT_IP, 64, offsetof(LaEvent, client_ip)},
    {USER_AGENT, 8192, offsetof(LaEvent, user_agent)},
    {DEVICE_AGENT, 8192, offsetof(LaEvent, device_agent)},
    {LANGUAGE, 64, DEVICE_TEXT(LANGUAGE), true},
    {PLATFORM, 64, DEVICE_TEXT(PLATFORM), true},
    {CORES, 64, DEVICE_TEXT(CORES), true},
    {MEMORY, 64, DEVICE_TEXT(MEMORY), true},
    {COLOR_DEPTH, 64, DEVICE_TEXT(COLOR_DEPTH), true},
    {PIXEL_RATIO, 64, DEVICE_TEXT(PIXEL_RATIO), true},
};

/* Only some events have these, and in others the names mean something else. */
static const TextRule identifying_texts[] = {
    {USER_IN_DATA, 128, offsetof(LaEvent, user_id)},
    {EMAIL, 320, offsetof(LaEvent, email)},
    {PREVIOUS, 128, offsetof(LaEvent, previous_id)},
};

/* Events that say who somebody is. */
static const char *const identifying[] = {"$identify", "identify", "$auto_identify", "$alias", "alias"};

static bool
is_identifying(const char *name)
{
	for (int i = 0; i < lengthof(identifying); i++)
		if (strcmp(name, identifying[i]) == 0)
			return true;
	return false;
}

LaMember
track_member(const char *name)
{
	Member member = track_field(EVENT, name);
	LaMember result = {.of_event = member != MEMBERS};

	if (member == MEMBERS)
		member = track_field(DATA, name);
	result.is_text =
	    member == EVENT_ID || member == TIMESTAMP || member == CLICK || member == TAG || member == TAGS;
	for (int i = 0; i < lengthof(texts); i++)
		result.is_text |= texts[i].member == member;
	for (int i = 0; i < lengthof(identifying_texts); i++)
		result.is_text |= identifying_texts[i].member == member;
	return result;
}

/* Whether a member of event_data is shown as a column of the event: it is not kept a second time. */
static bool
is_column(Member member)
{
	switch (member)
	{
		case FINGERPRINT:
		case URL:
		case PATH:
		case TITLE:
		case REFERRER:
		case UTM_SOURCE:
		case UTM_MEDIUM:
		case UTM_CAMPAIGN:
		case UTM_TERM:
		case UTM_CONTENT:
		case WIDTH:
		case HEIGHT:
			return true;
		default:
			return false;
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
take_texts(const Found *found, const TextRule *rules, int n, LaEvent *event)
{
	for (int i = 0; i < n; i++)
	{
		const LaJson *node = found->node[rules[i].member];

		if (node == NULL)
			continue;
		if (node->type != LA_JSON_STRING && !(rules[i].number && node->type == LA_JSON_NUMBER))
			event->error = psprintf("%s must be a text", node->key);
		else if (node->length > rules[i].max && pg_mbstrlen_with_len(node->text, node->length) > rules[i].max)
			event->error = psprintf("%s must have at most %d characters", node->key, rules[i].max);
		else
			*(const char **) ((char *) event + rules[i].offset) = node->text;
		if (event->error != NULL)
			return false;
	}
	return true;
}

pg_uuid_t
track_event_id(const char *text, int length)
{
	pg_uuid_t id;
	int nibble = 0;

	if (length != 36)
		return track_digest(text, length);
	for (int i = 0; i < 36; i++)
	{
		char c = text[i];
		int digit = la_hex_digit(c);

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
	if (node == NULL)
		return true;
	if (node->type != LA_JSON_STRING)
		event->error = psprintf("%s must be a text", node->key);
	else if (node->length > 1024)
		event->error = psprintf("%s must have at most %d bytes", node->key, 1024);
	else
	{
		event->has_event_id = true;
		event->event_id = track_event_id(node->text, node->length);
	}
	return event->error == NULL;
}

/* D-70: the client's time when it is believable, else the receipt's. */
static bool
take_timestamp(const LaJson *node, TimestampTz now, TimestampTz oldest, LaEvent *event)
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
	if (at >= oldest && at <= now + la_track_future_s * USECS_PER_SEC)
	{
		event->at = at;
		event->at_receipt = false;
	}
	return true;
}

static bool
take_scroll(const LaJson *node, LaEvent *event)
{
	double percent;

	if (node == NULL)
		return true;
	if (!la_json_float(node, &percent) || percent < 0 || percent > 100)
	{
		event->error = psprintf("%s must be a number from 0 to 100", node->key);
		return false;
	}
	event->scroll_percent = percent;
	return true;
}

/* Pixels, as a number or as a text of digits; what is neither stays in event_data. */
static void
take_pixels(Found *found, Member member, int *pixels)
{
	const LaJson *node = found->node[member];
	double value = 0;
	char *end;

	if (node == NULL)
		return;
	if (node->type == LA_JSON_NUMBER || node->type == LA_JSON_STRING)
		value = strtod(node->text, &end);
	if (value >= 1 && value <= MAX_SCREEN && *end == '\0' && value == (int) value)
		*pixels = value;
	else
		found->node[member] = NULL;
}

/* A text without the white space around it, when it can be a tag and is a new one; what cannot stays in
 * event_data alone. */
static void
take_tag(const LaJson *node, LaEvent *event)
{
	const char *text = node->text;
	int length = node->length;

	if (node->type != LA_JSON_STRING || event->ntags == LA_TRACK_MAX_TAGS)
		return;
	for (; length > 0 && scanner_isspace(*text); text++)
		length--;
	while (length > 0 && scanner_isspace(text[length - 1]))
		length--;
	if (length == 0 || (length > MAX_TAG && pg_mbstrlen_with_len(text, length) > MAX_TAG))
		return;
	for (int i = 0; i < event->ntags; i++)
		if (strncmp(event->tags[i], text, length) == 0 && event->tags[i][length] == '\0')
			return;
	if (event->tags == NULL)
		event->tags = palloc(LA_TRACK_MAX_TAGS * sizeof(char *));
	event->tags[event->ntags++] = pnstrdup(text, length);
}

/* D-72: one, or an array of them. */
static void
take_tags(const LaJson *node, LaEvent *event)
{
	if (node == NULL)
		return;
	if (node->type != LA_JSON_ARRAY)
		take_tag(node, event);
	else
		la_json_foreach (child, node)
			take_tag(child, event);
}

static void
keep(LaJson *list, const LaJson *node, const char *key)
{
	LaJson *copy = palloc(sizeof(LaJson));

	*copy = *node;
	copy->key = key;
	copy->next = NULL;
	la_json_append(list, copy);
}

/* Keep what was not read out of an object into a column. */
static void
keep_rest(LaJson *list, const LaJson *object, Place place, const Found *found)
{
	if (object == NULL)
		return;
	la_json_foreach (child, object)
	{
		Member member = track_field(place, child->key);
		bool empty = child->type == LA_JSON_NULL || (child->type == LA_JSON_STRING && child->length == 0);

		if (member == MEMBERS ||
		    (place == DATA && (!is_column(member) || (found->node[member] != child && !empty))))
			keep(list, child, child->key);
	}
}

/* What has no column of its own; $context is the rest of the server SDK's context. */
static bool
take_data(const LaJson *object, const Found *found, LaShape shape, LaEvent *event)
{
	LaJson kept = {.type = LA_JSON_OBJECT};
	LaJson context = {.type = LA_JSON_OBJECT};
	const LaJson *click = found->node[CLICK];
	const LaJson *data = found->node[OBJECT_DATA];
	const char *reason;

	keep_rest(&kept, data, DATA, found);
	if (shape != LA_SHAPE_SDK)
	{
		la_json_foreach (child, object)
		{
			Member member = track_field(EVENT, child->key);

			if (member == SCROLL || (member == MEMBERS && track_field(TRACKER, child->key) == MEMBERS))
				keep(&kept, child, child->key);
		}
	}
	if (click != NULL && la_json_get(data, click->key) == NULL)
		keep(&kept, click, click->key);
	keep_rest(&context, found->node[OBJECT_CONTEXT], CONTEXT, found);
	if (context.count > 0)
		keep(&kept, &context, "$context");
	if (kept.count == 0)
		return true;
	event->data = la_json_to_jsonb(&kept, &reason);
	if (event->data == NULL)
		event->error = psprintf("%s holds a %s", data ? data->key : "event", reason);
	else if (VARSIZE(event->data) > MAX_DATA)
		event->error = psprintf("%s must have at most %d bytes", data ? data->key : "event", MAX_DATA);
	return event->error == NULL;
}

/* An id that only names the user says nothing of the browser; other defaults. */
static void
complete(const Found *found, LaEvent *event)
{
	bool says_campaign = found->node[CLICK] != NULL;

	if (found->node[VISITOR] == NULL && found->node[USER] != NULL && event->visitor_id != NULL &&
	    strcmp(event->visitor_id, event->user_id) == 0)
		event->visitor_id = NULL;
	if (event->text[LA_TEXT_SOURCE] == NULL)
		event->text[LA_TEXT_SOURCE] =
		    found->node[SERVER_NAME] != NULL && found->node[NAME] == NULL ? "server" : "web";
	for (int i = LA_TEXT_UTM_SOURCE; i <= LA_TEXT_UTM_CONTENT; i++)
		says_campaign |= event->text[i] != NULL;
	if (found->node[CLICK] != NULL)
		event->click_id = track_click_id(found->node[CLICK]->key);
	else if (!says_campaign && event->text[LA_TEXT_URL] != NULL)
		track_campaign(event->text[LA_TEXT_URL], event);
}

void
track_read(const LaJson *object, TimestampTz now, TimestampTz oldest, LaShape shape, LaEvent *event)
{
	Found found;

	memset(event, 0, sizeof(LaEvent));
	event->scroll_percent = -1;
	event->is_start = shape == LA_SHAPE_START;
	if (object->type != LA_JSON_OBJECT)
	{
		event->error = "event must be an object";
		return;
	}
	memset(&found.node, 0, sizeof(found.node));
	track_gather(object, EVENT, &found);
	if (shape != LA_SHAPE_SDK)
		track_gather(object, TRACKER, &found);
	if (!object_or_absent(&found, OBJECT_DATA, event) || !object_or_absent(&found, OBJECT_CONTEXT, event))
		return;
	track_gather(found.node[OBJECT_DATA], DATA, &found);
	track_gather(found.node[OBJECT_CONTEXT], CONTEXT, &found);
	track_gather(found.node[OBJECT_PAGE], PAGE, &found);
	track_gather(found.node[OBJECT_SCREEN], SCREEN, &found);
	track_gather(found.node[OBJECT_DEVICE], DEVICE, &found);
	track_gather(found.node[OBJECT_TRAITS], TRAITS, &found);

	if (!take_texts(&found, texts, lengthof(texts), event))
		return;
	if (event->is_start)
		event->text[LA_TEXT_NAME] = "session_start"; /* it is not written */
	if (event->text[LA_TEXT_NAME] == NULL)
	{
		event->error = shape == LA_SHAPE_TRACKER ? "event_type is required" : "event_name is required";
		return;
	}
	if (is_identifying(event->text[LA_TEXT_NAME]) &&
	    !take_texts(&found, identifying_texts, lengthof(identifying_texts), event))
		return;
	event->kind = la_event_kind(event->text[LA_TEXT_NAME]);
	take_pixels(&found, WIDTH, &event->screen_width);
	take_pixels(&found, HEIGHT, &event->screen_height);
	take_tags(found.node[TAG], event);
	take_tags(found.node[TAGS], event);
	complete(&found, event);
	if (take_event_id(found.node[EVENT_ID], event) &&
	    take_timestamp(found.node[TIMESTAMP], now, oldest, event) && take_scroll(found.node[SCROLL], event))
		take_data(object, &found, shape, event);
}
