/*
 * leadanalytics.track(): a batch of an SDK, or one event, as JSON.
 *
 * It is taken event by event: what is wrong with one is told in the answer and keeps no other from being
 * stored. An SDK throws away what is answered with 4xx, so only a body that is no JSON object is.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/error.h"
#include "core/export.h"
#include "core/json.h"
#include "core/query.h"
#include "tenant/tenant.h"
#include "track/track.h"

/* Every event too many is told in the answer, up to here: a megabyte of "0," would be answered with 30. */
#define MOST_ANSWERED 10000

/* Leaves have a year of four digits in their names, and nothing here reckons with infinity. */
#define EARLIEST ((1990 - 2000) * INT64CONST(365) * USECS_PER_DAY)
#define LATEST ((9990 - 2000) * INT64CONST(365) * USECS_PER_DAY)

static LaQuery permitted = {"SELECT leadanalytics.permitted($1)", 1, {INT4OID}};

static LaQuery public_workspace = {
    "SELECT w.id, w.slug "
    "FROM (SELECT leadanalytics.public_workspace($1, $2, $3, $4) AS id OFFSET 0) AS p "
    "JOIN leadanalytics.workspace w ON w.id = p.id",
    4,
    {TEXTOID, TEXTOID, TEXTOID, TEXTOID}};

int
track_permitted(int workspace)
{
	bool isnull;

	la_query_run(&permitted, (Datum[]){Int32GetDatum(workspace)}, NULL, false, 1);
	workspace = DatumGetInt32(la_query_value(0, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return workspace;
}

static LaJson *
read_body(FunctionCallInfo fcinfo)
{
	const char *reason;
	LaJson *body = NULL;

	if (!PG_ARGISNULL(1))
	{
		text *json = PG_GETARG_TEXT_PP(1);

		body = la_json_parse(VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json), &reason);
	}
	if (body == NULL || body->type != LA_JSON_OBJECT)
		ereport(ERROR, (errcode(LA_BAD_REQUEST), errmsg("Invalid request body"),
		                errhint("The body is an object: an event, or {\"events\": [...]}.")));
	return body;
}

/* Without a key, the body and the page it came from say whose it is (D-69). *slug is that workspace's. */
static int
workspace_of(FunctionCallInfo fcinfo, const LaJson *body, const LaJson *first, const char **slug)
{
	const char *named = la_json_string(body, "workspace_id");
	const char *site_key = la_json_string(body, "siteKey");
	Datum values[4] = {0};
	char nulls[5] = "nnnn";
	bool isnull;
	int workspace;

	*slug = NULL;
	if (!PG_ARGISNULL(0))
		return track_permitted(PG_GETARG_INT32(0));
	if (named == NULL)
		named = la_json_string(first, "workspace_id");
	if (named != NULL && named[0] != '\0')
	{
		values[0] = CStringGetTextDatum(named);
		nulls[0] = ' ';
	}
	if (site_key != NULL && site_key[0] != '\0')
	{
		values[1] = CStringGetTextDatum(site_key);
		nulls[1] = ' ';
	}
	for (int i = 0; i < 2; i++)
	{
		if (PG_ARGISNULL(2 + i))
			continue;
		values[2 + i] = PG_GETARG_DATUM(2 + i);
		nulls[2 + i] = ' ';
	}
	if (la_query_run(&public_workspace, values, nulls, false, 1) == 0)
		ereport(ERROR, (errcode(LA_FORBIDDEN), errmsg("Forbidden"),
		                errhint("Name a workspace, or make one the default.")));
	workspace = DatumGetInt32(la_query_value(0, 1, &isnull));
	*slug = la_query_text(0, 2);
	SPI_freetuptable(SPI_tuptable);
	/* Who came past the door is no stranger: a database role writes where it may, whatever it names. */
	return la_tenant_current() == LA_TENANT_NOBODY ? track_permitted(workspace) : workspace;
}

static char *
answer(const LaEvent *events, int n, int accepted, int duplicates)
{
	StringInfoData out;
	const char *separator = "";

	initStringInfo(&out);
	appendStringInfo(&out, "{\"success\":true,\"accepted\":%d,\"duplicates\":%d,\"rejected\":[", accepted,
	                 duplicates);
	for (int i = 0; i < n; i++)
	{
		if (events[i].error == NULL)
			continue;
		appendStringInfo(&out, "%s{\"index\":%d,\"error\":", separator, events[i].index);
		la_json_quote(&out, events[i].error);
		appendStringInfoChar(&out, '}');
		separator = ",";
	}
	appendStringInfoString(&out, "]}");
	return out.data;
}

LA_FUNCTION(la_track_track)
{
	MemoryContext caller = CurrentMemoryContext;
	LaBatch batch = {0};
	LaJson *body;
	const LaJson *list;
	LaEvent *events;
	const char *slug;
	int n;
	int wanted;
	int accepted;
	int i = 0;
	text *result;

	SPI_connect();
	body = read_body(fcinfo);
	list = la_json_get(body, "events");
	n = list == NULL || list->type != LA_JSON_ARRAY ? 1 : list->count;
	if (n > MOST_ANSWERED)
		ereport(ERROR, (errcode(LA_BAD_REQUEST), errmsg("a batch has at most %d events", LA_TRACK_MAX_EVENTS),
		                errhint("Send the events in several batches.")));
	events = palloc(Max(n, 1) * sizeof(LaEvent));
	batch.events = palloc(Max(n, 1) * sizeof(LaEvent *));
	batch.now = PG_ARGISNULL(6) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(6);
	if (batch.now < EARLIEST || batch.now > LATEST)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("now is not a time of the Web"),
		                errhint("Name a time from 1990 to 9990, or leave it out.")));
	batch.workspace = workspace_of(fcinfo, body, list == NULL ? body : list->first, &slug);

	if (list == NULL)
		track_read(body, batch.now, &events[i++]);
	else if (list->type != LA_JSON_ARRAY)
	{
		memset(&events[i], 0, sizeof(LaEvent));
		events[i++].error = "events must be an array";
	}
	else
	{
		la_json_foreach (element, list)
		{
			if (i < LA_TRACK_MAX_EVENTS)
				track_read(element, batch.now, &events[i]);
			else
			{
				memset(&events[i], 0, sizeof(LaEvent));
				events[i].error = psprintf("a batch has at most %d events", LA_TRACK_MAX_EVENTS);
			}
			i++;
		}
	}
	for (i = 0; i < n; i++)
	{
		LaEvent *event = &events[i];

		event->index = i;
		if (event->error == NULL && slug != NULL && event->workspace_id != NULL &&
		    strcmp(event->workspace_id, slug) != 0)
			event->error = "workspace_id is of another workspace";
		if (event->error == NULL)
			batch.events[batch.n++] = event;
	}
	wanted = batch.n;
	accepted = la_track_append(&batch);

	MemoryContextSwitchTo(caller);
	result = cstring_to_text(answer(events, n, accepted, wanted - accepted));
	SPI_finish();
	PG_RETURN_TEXT_P(result);
}
