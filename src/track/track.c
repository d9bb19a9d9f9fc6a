/*
 * leadanalytics.track(): a batch of an SDK, or one event, as JSON.
 *
 * It is taken event by event: what is wrong with one is told in the answer and keeps no other from being
 * stored. An SDK throws away what is answered with 4xx, so only a body that is no JSON object is.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "core/error.h"
#include "core/export.h"
#include "core/json.h"
#include "core/query.h"
#include "track/post.h"

/* Every event too many is told in the answer, up to here: a megabyte of "0," would be answered with 30. */
#define MOST_ANSWERED 10000

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
	LaPost post;
	LaBatch *batch = &post.batch;
	const LaJson *list;
	LaEvent *events;
	int n;
	int wanted;
	int accepted;
	int i = 0;
	text *result;

	SPI_connect();
	track_post_read(fcinfo, &post);
	track_allowance_require(batch->workspace, batch->now);
	list = la_json_get(post.body, "events");
	n = list == NULL || list->type != LA_JSON_ARRAY ? 1 : list->count;
	if (n > MOST_ANSWERED)
		ereport(ERROR, (errcode(LA_BAD_REQUEST), errmsg("a batch has at most %d events", LA_TRACK_MAX_EVENTS),
		                errhint("Send the events in several batches.")));
	events = track_post_events(&post, n);

	if (list == NULL)
		track_read(post.body, batch->now, post.oldest, LA_SHAPE_SDK, &events[i++]);
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
				track_read(element, batch->now, post.oldest, LA_SHAPE_SDK, &events[i]);
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
		if (event->error == NULL && post.slug != NULL && event->workspace_id != NULL &&
		    strcmp(event->workspace_id, post.slug) != 0)
			event->error = "workspace_id is of another workspace";
		if (event->error == NULL)
			batch->events[batch->n++] = event;
	}
	wanted = batch->n;
	accepted = la_track_append(batch);
	track_allowance_spend(batch);

	MemoryContextSwitchTo(caller);
	result = cstring_to_text(answer(events, n, accepted, wanted - accepted));
	SPI_finish();
	PG_RETURN_TEXT_P(result);
}
