/*
 * Agents read so far, and the functions SQL calls.
 *
 * A few hundred agents make all of a site's traffic, so each is matched once a session: a table of
 * LA_AGENT_MEMORY texts, the longest unused of which makes room. An entry is one block, at most some
 * 3 kB; the table lives in a context of its own and is thrown away with the regexes that filled it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "lib/ilist.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "agent/agent.h"
#include "agent/regexes.h"
#include "core/export.h"
#include "core/settings.h"

typedef struct Memory
{
	dlist_node node; /* of recent */
	LaAgent agent;
	int length;
	char text[FLEXIBLE_ARRAY_MEMBER]; /* the key; the agent's strings follow it */
} Memory;

typedef struct Key
{
	const char *text;
	int length;
} Key;

typedef struct Slot
{
	Key key; /* in the memory's block */
	Memory *memory;
} Slot;

static MemoryContext context;
static HTAB *slots;
static dlist_head recent; /* the most recent first */
static int remembered;
static int64 parsed;
static int64 recalled;

static uint32
hash_key(const void *key, Size size)
{
	const Key *k = key;

	return hash_bytes((const unsigned char *) k->text, k->length);
}

static int
compare_keys(const void *a, const void *b, Size size)
{
	const Key *x = a;
	const Key *y = b;

	return x->length != y->length || memcmp(x->text, y->text, x->length) != 0;
}

static void
forget_all(void)
{
	HASHCTL control = {
	    .keysize = sizeof(Key), .entrysize = sizeof(Slot), .hash = hash_key, .match = compare_keys};

	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "leadanalytics agents", ALLOCSET_DEFAULT_SIZES);
	slots = NULL; /* should making it fail, it is made at the next agent */
	MemoryContextReset(context);
	remembered = 0;
	dlist_init(&recent);
	control.hcxt = context;
	slots = hash_create("leadanalytics agents", LA_AGENT_MEMORY, &control,
	                    HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

/* The parts up to the first that is missing, joined by dots; NULL when there is none. */
static const char *
version(const char *const *parts, int n)
{
	StringInfoData out;

	if (parts[0] == NULL)
		return NULL;
	initStringInfo(&out);
	for (int i = 0; i < n && parts[i] != NULL; i++)
		appendStringInfo(&out, "%s%s", i > 0 ? "." : "", parts[i]);
	return out.data;
}

/* Read an agent; the strings are in the current context. */
static LaAgent
read_agent(const AgentRegexes *regexes, const char *text, int length)
{
	LaAgent agent = {0};
	AgentFacts facts;
	const char *const *os = facts.field[AGENT_OS];
	const char *const *browser = facts.field[AGENT_BROWSER];
	const char *const *device = facts.field[AGENT_DEVICE];

	if (regexes->problem != NULL || !pg_verify_mbstr(PG_UTF8, text, length, true) ||
	    !agent_match(regexes, text, length, &facts))
		return agent;
	agent.known = true;
	agent.browser = browser[0];
	agent.browser_version = version(browser + 1, 3);
	agent.os = agent_os_name(os[0]);
	agent.os_version = version(os + 1, 4);
	agent.device = device[0];
	agent.device_brand = device[1];
	agent.device_model = device[2];
	agent.device_type = agent_device_type(text, &facts);
	agent.is_bot = device[0] != NULL && strcmp(device[0], "Spider") == 0;
	return agent;
}

/* Every string of an agent that is not a constant of names.c: what moves into the memory's block. */
#define STRINGS 7
static void
strings(LaAgent *agent, const char **out[STRINGS])
{
	out[0] = &agent->browser;
	out[1] = &agent->browser_version;
	out[2] = &agent->os;
	out[3] = &agent->os_version;
	out[4] = &agent->device;
	out[5] = &agent->device_brand;
	out[6] = &agent->device_model;
}

static Memory *
remember(const LaAgent *agent, const char *text, int length)
{
	LaAgent copy = *agent;
	const char **string[STRINGS];
	Size size = offsetof(Memory, text) + length + 1;
	Memory *memory;
	char *place;

	strings(&copy, string);
	for (int i = 0; i < STRINGS; i++)
		if (*string[i] != NULL)
			size += strlen(*string[i]) + 1;
	memory = MemoryContextAlloc(context, size);
	memory->length = length;
	memcpy(memory->text, text, length);
	memory->text[length] = '\0';
	place = memory->text + length + 1;
	for (int i = 0; i < STRINGS; i++)
		if (*string[i] != NULL)
		{
			Size bytes = strlen(*string[i]) + 1;

			memcpy(place, *string[i], bytes);
			*string[i] = place;
			place += bytes;
		}
	memory->agent = copy;
	return memory;
}

static void
make_room(void)
{
	Memory *oldest = dlist_tail_element(Memory, node, &recent);
	Key key = {oldest->text, oldest->length};

	hash_search(slots, &key, HASH_REMOVE, NULL);
	dlist_delete(&oldest->node);
	remembered--;
	pfree(oldest);
}

static Memory *
read_and_remember(const AgentRegexes *regexes, const char *text, int length)
{
	MemoryContext scratch =
	    AllocSetContextCreate(CurrentMemoryContext, "leadanalytics agent", ALLOCSET_SMALL_SIZES);
	MemoryContext before = MemoryContextSwitchTo(scratch);
	LaAgent agent;
	Memory *memory;
	Slot *slot;
	Key key;

	text = pnstrdup(text, length); /* cut, for those who look for its end */
	agent = read_agent(regexes, text, length);
	memory = remember(&agent, text, length);
	key = (Key){memory->text, length};
	slot = hash_search(slots, &key, HASH_ENTER, NULL);
	slot->memory = memory;
	dlist_push_head(&recent, &memory->node);
	remembered++;
	parsed++;
	MemoryContextSwitchTo(before);
	MemoryContextDelete(scratch);
	return memory;
}

const LaAgent *
la_agent_parse(const char *text)
{
	bool changed;
	const AgentRegexes *regexes = agent_regexes(&changed);
	Key key = {text != NULL ? text : "", 0};
	Slot *slot;

	if (slots == NULL || changed)
		forget_all();
	/* One byte more tells whether it must be cut: the rest of a long one is never looked at. */
	key.length = strnlen(key.text, LA_AGENT_MAX + 1);
	if (key.length > LA_AGENT_MAX)
		key.length = pg_encoding_mbcliplen(PG_UTF8, key.text, key.length, LA_AGENT_MAX);
	slot = hash_search(slots, &key, HASH_FIND, NULL);
	if (slot != NULL)
	{
		recalled++;
		dlist_move_head(&recent, &slot->memory->node);
		return &slot->memory->agent;
	}
	if (remembered == LA_AGENT_MEMORY)
		make_room();
	return &read_and_remember(regexes, key.text, key.length)->agent;
}

static Datum
record(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc shape;

	if (get_call_result_type(fcinfo, NULL, &shape) != TYPEFUNC_COMPOSITE)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("the function must return a record"),
		                errhint("Call it as the extension created it.")));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls));
}

/* agent(text) → browser, version, os, version, device type, device, brand, model, is_bot. */
LA_FUNCTION(la_agent_agent)
{
	const LaAgent *agent = la_agent_parse(PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0)));
	const char *words[] = {
	    agent->browser, agent->browser_version, agent->os,           agent->os_version,
	    agent->device,  agent->device_brand,    agent->device_model, agent->device_type,
	};
	Datum values[lengthof(words) + 1];
	bool nulls[lengthof(words) + 1];

	for (int i = 0; i < lengthof(words); i++)
	{
		nulls[i] = words[i] == NULL;
		values[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(words[i]);
	}
	nulls[lengthof(words)] = !agent->known;
	values[lengthof(words)] = BoolGetDatum(agent->is_bot);
	return record(fcinfo, values, nulls);
}

/* What this session remembers: agents, how many it would, how often it matched and how often it knew. */
LA_FUNCTION(la_agent_memory)
{
	Datum values[] = {Int32GetDatum(remembered), Int32GetDatum(LA_AGENT_MEMORY), Int64GetDatum(parsed),
	                  Int64GetDatum(recalled)};
	bool nulls[lengthof(values)] = {false};

	return record(fcinfo, values, nulls);
}

/* The regexes: where from, how many, and why there are none. */
LA_FUNCTION(la_agent_regexes_state)
{
	bool changed;
	const AgentRegexes *regexes = agent_regexes(&changed);
	Datum values[3] = {CStringGetTextDatum(la_agent_regexes), 0, 0};
	bool nulls[lengthof(values)] = {false};
	int count = 0;

	if (changed)
		forget_all();
	for (int list = 0; list < AGENT_LISTS; list++)
		count += regexes->count[list];
	values[1] = Int32GetDatum(regexes->problem == NULL ? count : 0);
	nulls[2] = regexes->problem == NULL;
	if (!nulls[2])
		values[2] = CStringGetTextDatum(regexes->problem);
	return record(fcinfo, values, nulls);
}
