/*
 * Reading a post; the contract is in post.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/error.h"
#include "core/json.h"
#include "core/query.h"
#include "core/settings.h"
#include "tenant/tenant.h"
#include "track/post.h"

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
workspace_of(FunctionCallInfo fcinfo, const LaJson *body, const char **slug)
{
	const LaJson *list = la_json_get(body, "events");
	const LaJson *first = list == NULL || list->type != LA_JSON_ARRAY ? body : list->first;
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

void
track_post_read(FunctionCallInfo fcinfo, LaPost *post)
{
	LaBatch *batch = &post->batch;

	memset(post, 0, sizeof(LaPost));
	post->body = read_body(fcinfo);
	batch->now = PG_ARGISNULL(6) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(6);
	if (batch->now < EARLIEST || batch->now > LATEST)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("now is not a time of the Web"),
		                errhint("Name a time from 1990 to 9990, or leave it out.")));
	post->oldest = batch->now - la_track_past_s * USECS_PER_SEC;
	if (PG_NARGS() > 7 && !PG_ARGISNULL(7) && strcmp(text_to_cstring(PG_GETARG_TEXT_PP(7)), "admin") == 0)
		post->oldest = LA_TRACK_EPOCH;
	batch->relays = !PG_ARGISNULL(0);
	batch->client_ip = PG_ARGISNULL(4) ? (Datum) 0 : PG_GETARG_DATUM(4);
	batch->user_agent = PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5));
	batch->workspace = workspace_of(fcinfo, post->body, &post->slug);
}

LaEvent *
track_post_events(LaPost *post, int n)
{
	post->batch.events = palloc(Max(n, 1) * sizeof(LaEvent *));
	return palloc(Max(n, 1) * sizeof(LaEvent));
}
