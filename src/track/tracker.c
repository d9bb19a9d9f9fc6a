/*
 * The tracker's doors (T1 to T4): the start of a session, one event, up to a hundred, the end.
 *
 * They are the same events as everybody's, in a few words of their own. A start opens a session under an
 * id made here; an unknown id on an event opens one too (a tracker must not lose events because its start
 * got lost), on an end it is 404.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "core/error.h"
#include "core/export.h"
#include "core/query.h"
#include "realtime/live.h"
#include "rollup/rollup.h"
#include "track/post.h"

#define MOST_EVENTS 100

static const char *const event_types[] = {"page_view", "scroll",     "click",
                                          "mousemove", "navigation", "visibility_change"};

static LaQuery stored_event = {
    "SELECT max(id) FROM leadanalytics.event WHERE workspace = $1 AND event_id = $2", 2, {INT4OID, UUIDOID}};

static LaQuery lock_session = {
    "SELECT s.ctid, s.last_seen, s.ended_at, s.number FROM leadanalytics.session s "
    "WHERE s.workspace = $1 AND s.session_id = $2 FOR NO KEY UPDATE",
    2,
    {INT4OID, TEXTOID}};

static LaQuery end_session = {
    "UPDATE leadanalytics.session SET ended_at = $2, is_ended = $3, last_page = coalesce($4, last_page) "
    "WHERE ctid = $1",
    4,
    {TIDOID, TIMESTAMPTZOID, BOOLOID, INT4OID}};

static int64
milliseconds(TimestampTz at)
{
	return (at + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY) / 1000;
}

static void
refuse(const char *error)
{
	ereport(ERROR, (errcode(LA_BAD_REQUEST), errmsg("%s", error),
	                errhint("See /openapi.json for what the tracker sends.")));
}

static void
demand(const void *value, const char *name)
{
	if (value == NULL)
		refuse(psprintf("%s is required", name));
}

static bool
is_event_type(const char *name)
{
	for (int i = 0; i < lengthof(event_types); i++)
		if (strcmp(event_types[i], name) == 0)
			return true;
	return false;
}

/* Read one; what is wrong with it is told in ->error. */
static void
read_event(const LaJson *object, LaPost *post, LaShape shape, LaEvent *event)
{
	track_read(object, post->batch.now, post->oldest, shape, event);
	if (event->error == NULL && shape == LA_SHAPE_TRACKER && !is_event_type(event->text[LA_TEXT_NAME]))
		event->error = "Invalid event_type";
	if (event->error == NULL && post->slug != NULL && event->workspace_id != NULL &&
	    strcmp(event->workspace_id, post->slug) != 0)
		event->error = "workspace_id is of another workspace";
}

/* The post as one event, which must be right. */
static LaEvent *
only_event(LaPost *post, LaShape shape)
{
	LaEvent *event = track_post_events(post, 1);

	read_event(post->body, post, shape, event);
	if (event->error != NULL)
		refuse(event->error);
	post->batch.events[post->batch.n++] = event;
	return event;
}

static Datum
finish(MemoryContext caller, const char *json)
{
	text *result;

	MemoryContextSwitchTo(caller);
	result = cstring_to_text(json);
	SPI_finish();
	PG_RETURN_TEXT_P(result);
}

LA_FUNCTION(la_track_session_start)
{
	MemoryContext caller = CurrentMemoryContext;
	LaPost post;
	LaEvent *event;
	StringInfoData out;

	SPI_connect();
	track_post_read(fcinfo, &post);
	event = only_event(&post, LA_SHAPE_START);
	demand(event->fingerprint, "fingerprint_id");
	demand(event->text[LA_TEXT_URL], "page");
	if (event->visitor_id == NULL)
		event->visitor_id = track_visitor_id(event->fingerprint);
	event->session_id =
	    DatumGetCString(DirectFunctionCall1(uuid_out, DirectFunctionCall1(gen_random_uuid, (Datum) 0)));
	la_track_append(&post.batch);

	initStringInfo(&out);
	appendStringInfo(&out, "{\"session_id\":\"%s\",\"visitor_id\":", event->session_id);
	la_json_quote(&out, event->visitor_id);
	appendStringInfo(&out, ",\"device_id\":\"%s\",\"timestamp\":" INT64_FORMAT "}",
	                 track_device_id(event->device_agent ? event->device_agent : post.batch.user_agent,
	                                 event->fingerprint),
	                 milliseconds(post.batch.now));
	return finish(caller, out.data);
}

/* The number of an event that was stored before. */
static int64
stored_id(const LaPost *post, const LaEvent *event)
{
	bool isnull;
	int64 id;

	la_query_run(&stored_event,
	             (Datum[]){Int32GetDatum(post->batch.workspace), UUIDPGetDatum(&event->event_id)}, NULL,
	             false, 1);
	id = DatumGetInt64(la_query_value(0, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return id;
}

LA_FUNCTION(la_track_event)
{
	MemoryContext caller = CurrentMemoryContext;
	LaPost post;
	LaEvent *event;

	SPI_connect();
	track_post_read(fcinfo, &post);
	demand(la_json_string(post.body, "session_id"), "session_id");
	event = only_event(&post, LA_SHAPE_TRACKER);
	demand(event->session_id, "session_id");
	if (la_track_append(&post.batch) == 0)
		event->id = stored_id(&post, event);
	return finish(caller, psprintf("{\"event_id\":\"evt_" INT64_FORMAT "\",\"timestamp\":" INT64_FORMAT "}",
	                               event->id, milliseconds(event->at)));
}

LA_FUNCTION(la_track_events)
{
	MemoryContext caller = CurrentMemoryContext;
	LaPost post;
	const char *session_id;
	const char *visitor_id;
	const LaJson *list;
	LaEvent *events;
	int accepted;
	int i = 0;

	SPI_connect();
	track_post_read(fcinfo, &post);
	session_id = la_json_string(post.body, "session_id");
	visitor_id = la_json_string(post.body, "visitor_id");
	list = la_json_get(post.body, "events");
	demand(session_id != NULL && session_id[0] != '\0' ? session_id : NULL, "session_id");
	demand(list, "events");
	if (list->type != LA_JSON_ARRAY || list->count < 1 || list->count > MOST_EVENTS)
		refuse(psprintf("events must be an array of 1 to %d events", MOST_EVENTS));
	if (strlen(session_id) > 128 || (visitor_id != NULL && strlen(visitor_id) > 128))
		refuse("session_id and visitor_id must have at most 128 bytes");
	events = track_post_events(&post, list->count);
	la_json_foreach (element, list)
	{
		LaEvent *event = &events[i];

		read_event(element, &post, LA_SHAPE_TRACKER, event);
		event->index = i++;
		event->session_id = session_id;
		if (event->visitor_id == NULL && visitor_id != NULL && visitor_id[0] != '\0')
			event->visitor_id = visitor_id;
		if (event->error == NULL)
			post.batch.events[post.batch.n++] = event;
	}
	accepted = la_track_append(&post.batch);
	return finish(caller, psprintf("{\"accepted\":%d,\"timestamp\":" INT64_FORMAT "}", accepted,
	                               milliseconds(post.batch.now)));
}

LA_FUNCTION(la_track_session_end_by_client)
{
	MemoryContext caller = CurrentMemoryContext;
	LaPost post;
	LaEvent *event;
	TimestampTz last_seen;
	TimestampTz ended_at;
	int64 number;
	bool open;
	bool ended;
	bool isnull;
	ItemPointerData line;

	SPI_connect();
	track_post_read(fcinfo, &post);
	demand(la_json_string(post.body, "session_id"), "session_id");
	event = only_event(&post, LA_SHAPE_START);
	demand(event->session_id, "session_id");
	track_spell(&post.batch);
	if (la_query_run(&lock_session,
	                 (Datum[]){Int32GetDatum(post.batch.workspace), CStringGetTextDatum(event->session_id)},
	                 NULL, false, 1) == 0)
		ereport(ERROR, (errcode(LA_NOT_FOUND), errmsg("Session not found"),
		                errhint("A session starts by /track/session/start or with its first event.")));
	ItemPointerCopy((ItemPointer) DatumGetPointer(la_query_value(0, 1, &isnull)), &line);
	last_seen = DatumGetTimestampTz(la_query_value(0, 2, &isnull));
	number = DatumGetInt64(la_query_value(0, 4, &isnull));
	ended_at = DatumGetTimestampTz(la_query_value(0, 3, &isnull));
	ended = !isnull;
	SPI_freetuptable(SPI_tuptable);

	/* Closed is final, by idleness too, whether or not that is written yet. */
	if (!ended)
	{
		ended_at = la_session_end(true, last_seen, DT_NOEND, post.batch.now);
		open = ended_at == DT_NOEND;
		if (open)
			ended_at = Max(last_seen, event->at);
		la_query_run(&end_session,
		             (Datum[]){PointerGetDatum(&line), TimestampTzGetDatum(ended_at), BoolGetDatum(open),
		                       Int32GetDatum(event->term[LA_SLOT_PAGE].id)},
		             open && event->term[LA_SLOT_PAGE].id != 0 ? "    " : "   n", false, 0);
		if (open && la_live_wanted(post.batch.workspace))
			la_live_tell(post.batch.workspace,
			             &(LaLiveFact){.what = LA_LIVE_END, .session = number, .at = ended_at}, 1);
		la_rollup_sessions(post.batch.workspace, &number, 1, true);
	}
	{
		StringInfoData out;

		initStringInfo(&out);
		appendStringInfoString(&out, "{\"session_id\":");
		la_json_quote(&out, event->session_id);
		appendStringInfo(&out, ",\"ended_at\":" INT64_FORMAT "}", milliseconds(ended_at));
		return finish(caller, out.data);
	}
}
