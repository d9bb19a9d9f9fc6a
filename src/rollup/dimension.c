/*
 * What a fact counts for, and by which names it is asked for: the only place that knows the dimensions.
 *
 * A value is a number of the dictionary, 0 where the fact has none; segments know no texts, so what a text
 * means (a page's path, a referrer's host, an agent's browser) is told when it is asked for. Settings
 * likewise apply at reading and never to what is stored.
 */
#include "rollup/parts.h"

#include "catalog/pg_type.h"

/* What segments keep of each: what is counted, and whose members are kept. */
static const struct
{
	const char *counts[LA_COUNTS];
	const char *members;
} kept[LA_DIMENSIONS] = {
    [LA_TOTAL] = {{"events", "pageviews", "custom events"}, "visitors"},
    [LA_FINGERPRINT] = {{NULL}, "fingerprints"},
    [LA_NAME] = {{"events"}, "visitors"},
    [LA_PAGE] = {{"pageviews"}, "visitors"},
    [LA_PAGE_SESSION] = {{NULL}, "sessions"},
    [LA_EVENT_PAGE] = {{"events"}, NULL},
    [LA_EVENT_CAMPAIGN] = {{"events"}, NULL},
    [LA_EVENT_PLACE] = {{"events"}, NULL},
    [LA_TAG] = {{"events"}, NULL},
    [LA_PERSON] = {{"events"}, "persons"},
    [LA_ORIGIN] = {{"events"}, NULL},
    [LA_SESSION] = {{"sessions"}, NULL},
    [LA_SUSPECTED] = {{"sessions"}, "fingerprints"},
    [LA_ENTRY] = {{"sessions"}, "visitors"},
    [LA_REFERRER] = {{"sessions"}, "visitors"},
    [LA_CAMPAIGN] = {{"sessions"}, "visitors"},
    [LA_PLACE] = {{"sessions"}, "visitors"},
    [LA_AGENT] = {{"sessions"}, "visitors"},
    [LA_SCORE] = {{"complete sessions"}, NULL},
    [LA_COMPLETE] = {{"complete sessions", "microseconds", "score"}, NULL},
};

#define TEXT(expression)                                                                                     \
	{                                                                                                        \
		"SELECT t.id, " expression " FROM leadanalytics.term t WHERE t.workspace = $1 AND t.id = ANY ($2)",  \
		    2,                                                                                               \
		{                                                                                                    \
			INT4OID, INT4ARRAYOID                                                                            \
		}                                                                                                    \
	}

/* A page with an address of its own is that, whatever its path. */
#define ADDRESS "coalesce(t.parts[1], t.parts[2])"

/* Places of one name in two countries are two: US/Paris. */
#define IN_COUNTRY(place) "coalesce(t.parts[1], '') || '/' || " place

static LaAsked asked[] = {
    {"total", LA_TOTAL},
    {"fingerprint", LA_FINGERPRINT},
    {"event_name", LA_NAME, TEXT("t.parts[1]")},
    {"custom_event", LA_NAME, TEXT("CASE leadanalytics.event_kind(t.parts[1]) WHEN 'c' THEN t.parts[1] END"),
     true},
    {"page", LA_PAGE, TEXT(ADDRESS)},
    {"path", LA_PAGE, TEXT("t.parts[2]")},
    {"page_session", LA_PAGE_SESSION, TEXT(ADDRESS)},
    {"event_path", LA_EVENT_PAGE, TEXT("t.parts[2]")},
    {"event_page", LA_EVENT_PAGE, .is_number = true},
    {"event_campaign", LA_EVENT_CAMPAIGN, .is_number = true},
    {"event_place", LA_EVENT_PLACE, .is_number = true},
    {"event_utm_source", LA_EVENT_CAMPAIGN, TEXT("t.parts[1]")},
    {"event_utm_medium", LA_EVENT_CAMPAIGN, TEXT("t.parts[2]")},
    {"event_utm_campaign", LA_EVENT_CAMPAIGN, TEXT("t.parts[3]")},
    {"event_country", LA_EVENT_PLACE, TEXT("t.parts[1]")},
    {"event_region", LA_EVENT_PLACE, TEXT("t.parts[2]")},
    {"event_city", LA_EVENT_PLACE, TEXT("t.parts[3]")},
    {"tag", LA_TAG, TEXT("t.parts[1]")},
    {"tag_source", LA_TAG, TEXT("t.parts[1] || chr(1) || t.id")},
    {"person", LA_PERSON},
    {"source", LA_ORIGIN, TEXT("t.parts[1]")},
    {"origin", LA_ORIGIN, TEXT("t.id::text")},
    {"session", LA_SESSION},
    {"suspected", LA_SUSPECTED},
    {"entry_page", LA_ENTRY, TEXT(ADDRESS)},
    {"entry_path", LA_ENTRY, TEXT("t.parts[2]")},
    {"referrer", LA_REFERRER, TEXT("leadanalytics.host_of(t.parts[1])")},
    {"utm_source", LA_CAMPAIGN, TEXT("t.parts[1]")},
    {"utm_medium", LA_CAMPAIGN, TEXT("t.parts[2]")},
    {"utm_campaign", LA_CAMPAIGN, TEXT("t.parts[3]")},
    {"touch", LA_CAMPAIGN, TEXT("leadanalytics.touch_of(t.parts)")},
    {"country", LA_PLACE, TEXT("t.parts[1]")},
    {"region", LA_PLACE, TEXT("t.parts[2]")},
    {"city", LA_PLACE, TEXT("t.parts[3]")},
    {"country_region", LA_PLACE, TEXT(IN_COUNTRY("t.parts[2]"))},
    {"country_city", LA_PLACE, TEXT(IN_COUNTRY("t.parts[3]"))},
    {"browser", LA_AGENT, TEXT("t.parts[2]")},
    {"os", LA_AGENT, TEXT("t.parts[4]")},
    {"device_type", LA_AGENT, TEXT("t.parts[7]")},
    {"score", LA_SCORE, .is_number = true},
    {"complete", LA_COMPLETE},
};

LaAsked *
rollup_asked(const char *name)
{
	for (int i = 0; i < lengthof(asked); i++)
		if (strcmp(asked[i].name, name) == 0)
			return &asked[i];
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("there is no dimension \"%s\"", name),
	                errhint("See leadanalytics.dimensions().")));
}

const LaAsked *
rollup_all_asked(int *n)
{
	*n = lengthof(asked);
	return asked;
}

const char *
rollup_members(int dimension)
{
	return kept[dimension % LA_ROBOTS].members;
}

const char *
rollup_count_name(int dimension, int count)
{
	return kept[dimension % LA_ROBOTS].counts[count];
}

bool
rollup_has_set(int dimension)
{
	return rollup_members(dimension) != NULL;
}

int
rollup_ncounts(int dimension)
{
	int n = 0;

	while (n < LA_COUNTS && rollup_count_name(dimension, n) != NULL)
		n++;
	return n;
}

LaDimensions
rollup_all(void)
{
	LaDimensions all = 0;

	for (int dimension = 0; dimension < LA_DIMENSIONS; dimension++)
		if (rollup_ncounts(dimension) > 0 || rollup_has_set(dimension))
			all |= LA_BIT(dimension) | (dimension < LA_SESSION ? LA_BIT(LA_ROBOTS + dimension) : 0);
	return all;
}

/* One fact of a value: what it adds to the first count, and the member. */
static void
add(LaTally *tally, int slot, int dimension, int value, int64 count, int64 member)
{
	LaEntry *entry;

	if ((rollup_wanted(tally) & LA_BIT(dimension)) == 0 || !rollup_takes(tally, value))
		return;
	entry = rollup_entry(tally, slot, dimension, value);
	entry->counts[0] += count;
	if (member == 0)
		return;
	if (member > PG_UINT32_MAX)
		ereport(ERROR,
		        (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		         errmsg("session number " INT64_FORMAT " is beyond what a set of sessions takes", member),
		         errhint("A database takes 4 294 967 295 sessions.")));
	rollup_add_number(tally, entry, member);
}

void
rollup_count_event(LaTally *tally, int slot, const LaEventFact *event)
{
	int robots = event->is_bot ? LA_ROBOTS : 0;

	if (rollup_wanted(tally) & LA_BIT(robots + LA_TOTAL))
	{
		LaEntry *total = rollup_entry(tally, slot, robots + LA_TOTAL, 0);

		total->counts[0]++;
		total->counts[1] += event->kind == 'p';
		total->counts[2] += event->kind == 'c';
		if (event->visitor != 0)
			rollup_add_number(tally, total, event->visitor);
	}
	if (event->visitor == 0 && event->person != 0)
		add(tally, slot, robots + LA_PERSON, event->name, 1, event->person);
	if (event->fingerprint != 0)
		add(tally, slot, robots + LA_FINGERPRINT, 0, 0, event->fingerprint);
	add(tally, slot, robots + LA_NAME, event->name, 1, event->visitor);
	if (event->source != 0)
		add(tally, slot, robots + LA_ORIGIN, event->source, 1, 0);
	if (event->campaign != 0)
		add(tally, slot, robots + LA_EVENT_CAMPAIGN, event->campaign, 1, 0);
	if (event->place != 0)
		add(tally, slot, robots + LA_EVENT_PLACE, event->place, 1, 0);
	for (int i = 0; i < event->ntags; i++)
		add(tally, slot, robots + LA_TAG, event->tags[i], 1, 0);
	if (event->page == 0)
		return;
	add(tally, slot, robots + LA_EVENT_PAGE, event->page, 1, 0);
	if (event->kind != 'p')
		return;
	add(tally, slot, robots + LA_PAGE, event->page, 1, event->visitor);
	if (event->session != 0)
		add(tally, slot, robots + LA_PAGE_SESSION, event->page, 0, event->session);
}

/* A session that started without an event has shown its fingerprint, too. */
void
rollup_count_start(LaTally *tally, int slot, const LaSessionFact *session)
{
	add(tally, slot, LA_SESSION, 0, 1, 0);
	if (session->is_suspected)
		add(tally, slot, LA_SUSPECTED, 0, 1, session->fingerprint);
	if (session->fingerprint != 0)
		add(tally, slot, LA_FINGERPRINT, 0, 0, session->fingerprint);
	add(tally, slot, LA_ENTRY, session->entry, 1, session->visitor);
	add(tally, slot, LA_REFERRER, session->referrer, 1, session->visitor);
	add(tally, slot, LA_CAMPAIGN, session->campaign, 1, session->visitor);
	add(tally, slot, LA_PLACE, session->place, 1, session->visitor);
	add(tally, slot, LA_AGENT, session->agent, 1, session->visitor);
}

void
rollup_count_end(LaTally *tally, int slot, const LaSessionFact *session)
{
	LaEntry *entry;

	add(tally, slot, LA_SCORE, session->score, 1, 0);
	if ((rollup_wanted(tally) & LA_BIT(LA_COMPLETE)) == 0)
		return;
	entry = rollup_entry(tally, slot, LA_COMPLETE, 0);
	entry->counts[0]++;
	entry->counts[1] += session->duration;
	entry->counts[2] += session->score;
}
