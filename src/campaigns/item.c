/*
 * Events of messages out of the JSON of a sender: leadanalytics.message_items(), see message.sql.
 *
 * Members are looked at in the order of the table below; the first that is wrong is what is wrong with the
 * event. Absent, null and (where a text may be left out) empty are the same.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "campaigns/item.h"
#include "core/error.h"
#include "core/export.h"
#include "core/json.h"
#include "core/query.h"
#include "core/settings.h"
#include "track/track.h"

#define MOST_ITEMS 1000
#define MOST_AGENT 512 /* characters of it that are kept */

typedef struct SaidEvent
{
	Datum values[ITEM_COLUMNS];
	bool nulls[ITEM_COLUMNS];
	bool has_time;           /* that was said */
	const char *bounce_type; /* NULL: not said */
} SaidEvent;

typedef struct Member
{
	const char *name;
	int column; /* 0: none */
	int longest;
	bool required;
	/* What is made of the text as it was written; false: it is wrong. Without, a column takes the text. */
	bool (*read)(const char *text, int column, SaidEvent *item);
} Member;

static void
put(SaidEvent *item, int column, Datum value)
{
	item->values[column] = value;
	item->nulls[column] = false;
}

/* The events, and their kinds in leadanalytics.message_event. */
static const struct
{
	const char *name;
	char kind;
} kinds[] = {{"sent", 's'},    {"delivered", 'd'}, {"bounced", 'b'},    {"opened", 'o'},
             {"clicked", 'c'}, {"replied", 'r'},   {"complained", 'p'}, {"unsubscribed", 'u'}};

/* Keys that begin with a blank are ours: those of mails that nobody named. */
static bool
read_key(const char *text, int column, SaidEvent *item)
{
	put(item, column, CStringGetTextDatum(text));
	return *text != '\0' && *text != ' ';
}

static bool
read_kind(const char *text, int column, SaidEvent *item)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(text, kinds[i].name) == 0)
			put(item, column, CharGetDatum(kinds[i].kind));
	return !item->nulls[column];
}

static bool
read_time(const char *text, int column, SaidEvent *item)
{
	TimestampTz at;

	item->has_time = track_when(text, &at) && at >= LA_OLDEST_MESSAGE;
	if (item->has_time)
		put(item, column, TimestampTzGetDatum(at));
	return item->has_time;
}

/* As the type inet reads it; a network is none. */
static bool
read_ip(const char *text, int column, SaidEvent *item)
{
	inet *ip = palloc0(sizeof(inet));

	if (*text == '\0')
		return true;
	ip_family(ip) = strchr(text, ':') != NULL ? PGSQL_AF_INET6 : PGSQL_AF_INET;
	ip_bits(ip) = ip_maxbits(ip);
	SET_INET_VARSIZE(ip);
	put(item, column, InetPGetDatum(ip));
	return pg_inet_net_pton(ip_family(ip), text, ip_addr(ip), -1) == ip_maxbits(ip);
}

static bool
read_bounce_type(const char *text, int column, SaidEvent *item)
{
	if (*text != '\0')
		item->bounce_type = text;
	return *text == '\0' || strcmp(text, "hard") == 0 || strcmp(text, "soft") == 0;
}

static const Member members[] = {
    {"message_id", KEY, 200, true, read_key},
    {"event", KIND, 20, true, read_kind},
    {"event_id", EVENT_ID, 200},
    {"timestamp", AT, 1000, false, read_time},
    {"campaign_id", CAMPAIGN, 200},
    {"domain_id", DOMAIN, 200},
    {"mailbox_id", MAILBOX, 200},
    {"sending_ip", SENDING_IP, 100, false, read_ip},
    {"lead_id", LEAD, 128},
    {"recipient", RECIPIENT, 320},
    {"workflow_execution_id", WORKFLOW, 128},
    {"bounce_type", 0, 4, false, read_bounce_type},
    {"bounce_code", BOUNCE_CODE, 100},
    {"reason", REASON, 500},
    {"url", URL, 2048},
    {"user_agent", AGENT, 2000},
    {"ip", IP, 100, false, read_ip},
};

/* Without the blanks around it; nothing is left of one that is nothing else. */
static void
read_text(const LaJson *node, int column, SaidEvent *item)
{
	const char *text = node->text;
	int length = column == AGENT ? pg_mbcharcliplen(text, node->length, MOST_AGENT) : node->length;

	for (; length > 0 && *text == ' '; text++)
		length--;
	while (length > 0 && text[length - 1] == ' ')
		length--;
	if (length > 0)
		put(item, column, PointerGetDatum(cstring_to_text_with_len(text, length)));
}

/* NULL: nothing is wrong with it. */
static const char *
read_member(const Member *member, const LaJson *object, SaidEvent *item)
{
	const LaJson *node = la_json_get(object, member->name);

	if (node == NULL || node->type == LA_JSON_NULL)
		return member->required ? psprintf("%s is required", member->name) : NULL;
	if (node->type == LA_JSON_STRING || (node->type == LA_JSON_NUMBER && member->read == read_time))
	{
		bool is_good = node->length <= member->longest ||
		               pg_mbstrlen_with_len(node->text, node->length) <= member->longest;

		if (is_good && member->read != NULL)
			is_good = member->read(node->text, member->column, item);
		else if (is_good)
			read_text(node, member->column, item);
		if (is_good && !(member->required && item->nulls[member->column]))
			return NULL;
	}
	return psprintf("Invalid %s", member->name);
}

/* An event that comes without an id is known again by all that it says, if it says when it was: two opens of
 * one second may be a scanner's and a person's, two bounces a soft and a hard one. */
static void
put_event_id(const LaJson *object, SaidEvent *item)
{
	pg_uuid_t *id = palloc(sizeof *id);

	if (!item->nulls[EVENT_ID])
		*id = track_event_id(VARDATA_ANY(item->values[EVENT_ID]), VARSIZE_ANY_EXHDR(item->values[EVENT_ID]));
	else if (item->has_time)
	{
		StringInfoData said;

		initStringInfo(&said);
		appendStringInfo(&said, INT64_FORMAT, DatumGetTimestampTz(item->values[AT]));
		for (int i = 0; i < lengthof(members); i++)
		{
			const LaJson *node = la_json_get(object, members[i].name);

			if (node != NULL && node->type == LA_JSON_STRING && node->length > 0 && members[i].column != AT)
				appendStringInfo(&said, "\1%s\1%s", members[i].name, node->text);
		}
		*id = track_digest(said.data, said.len);
	}
	else
		return;
	put(item, EVENT_ID, UUIDPGetDatum(id));
}

/* A server says when things happened, however long ago: other than a browser's, its past is believed. Its
 * future is not. */
static void
put_time(SaidEvent *item, TimestampTz now)
{
	const bool at_receipt =
	    !item->has_time || DatumGetTimestampTz(item->values[AT]) > now + la_track_future_s * USECS_PER_SEC;

	put(item, AT_RECEIPT, BoolGetDatum(at_receipt));
	if (at_receipt)
		put(item, AT, TimestampTzGetDatum(now));
}

static void
put_bounce(SaidEvent *item)
{
	static LaQuery judge = {
	    "SELECT leadanalytics.bounce_is_hard($1, $2, $3), coalesce($3, leadanalytics.bounce_reason($2))",
	    3,
	    {TEXTOID, TEXTOID, TEXTOID}};
	const char nulls[] = {item->bounce_type == NULL ? 'n' : ' ', item->nulls[BOUNCE_CODE] ? 'n' : ' ',
	                      item->nulls[REASON] ? 'n' : ' '};
	bool isnull;

	la_query_run(&judge,
	             (Datum[]){item->bounce_type == NULL ? 0 : CStringGetTextDatum(item->bounce_type),
	                       item->values[BOUNCE_CODE], item->values[REASON]},
	             nulls, true, 1);
	put(item, IS_HARD, la_query_value(0, 1, &isnull));
	put(item, REASON, CStringGetTextDatum(la_query_text(0, 2)));
	SPI_freetuptable(SPI_tuptable);
}

static void
forget(SaidEvent *item, int column)
{
	item->nulls[column] = true;
}

static void
read_item(const LaJson *object, TimestampTz now, SaidEvent *item)
{
	const char *fault = object->type == LA_JSON_OBJECT ? NULL : "Not an object";
	char kind;

	for (int i = 0; i < lengthof(members) && fault == NULL; i++)
		fault = read_member(&members[i], object, item);
	if (fault != NULL)
	{
		memset(&item->nulls[KEY], true, ITEM_COLUMNS - KEY);
		put(item, FAULT, CStringGetTextDatum(fault));
		return;
	}
	kind = DatumGetChar(item->values[KIND]);
	put_event_id(object, item);
	put_time(item, now);
	if (kind == 'b')
		put_bounce(item);
	else
	{
		forget(item, BOUNCE_CODE);
		forget(item, REASON);
	}
	if (kind != 'c')
		forget(item, URL);
	if (kind != 'o' && kind != 'c')
	{
		forget(item, AGENT);
		forget(item, IP);
	}
}

LA_FUNCTION(la_campaigns_message_items)
{
	text *body = PG_ARGISNULL(0) ? cstring_to_text("") : PG_GETARG_TEXT_PP(0);
	const TimestampTz now = PG_GETARG_TIMESTAMPTZ(1);
	const char *reason;
	const LaJson *tree = la_json_parse(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), &reason);
	ReturnSetInfo *result;
	int index = 0;

	if (tree == NULL ||
	    (tree->type != LA_JSON_OBJECT && (tree->type != LA_JSON_ARRAY || tree->count > MOST_ITEMS)))
		ereport(ERROR, (errcode(LA_BAD_REQUEST), errmsg("Invalid request body"),
		                errhint("The body is an object, or an array of at most 1 000.")));
	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	SPI_connect();
	for (const LaJson *object = tree->type == LA_JSON_OBJECT ? tree : tree->first; object != NULL;
	     object = object->next)
	{
		SaidEvent item = {0};

		memset(item.nulls, true, sizeof item.nulls);
		put(&item, INDEX, Int32GetDatum(index++));
		read_item(object, now, &item);
		tuplestore_putvalues(result->setResult, result->setDesc, item.values, item.nulls);
	}
	SPI_finish();
	return (Datum) 0;
}

LA_FUNCTION(la_campaigns_kind_name)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (kinds[i].kind == PG_GETARG_CHAR(0))
			PG_RETURN_TEXT_P(cstring_to_text(kinds[i].name));
	PG_RETURN_NULL();
}
