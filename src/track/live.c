/*
 * What a batch tells the live counts (realtime/live.h): its events as they were written, and the sessions it
 * opened. Robots and what is past the hour are not counted there.
 */
#include "postgres.h"

#include "realtime/live.h"
#include "track/track.h"

/* Digests of a batch: its events are of few pages, mostly. */
typedef struct Paths
{
	int page[64];
	pg_uuid_t path[64];
} Paths;

/* The path as the dictionary has it: the second part of a page. */
static bool
path_of(const LaTerm *page, Paths *paths, pg_uuid_t *path)
{
	int place = page->id % lengthof(paths->page);
	const char *text;

	if (page->id == 0)
		return false;
	if (paths->page[place] != page->id)
	{
		text = page->other ? "(other)" : page->parts + strlen(page->parts) + 1;
		if (text[0] == '\0')
			return false;
		paths->page[place] = page->id;
		paths->path[place] = la_live_path(text);
	}
	*path = paths->path[place];
	return true;
}

static LaLiveFact
fact_of(const LaEvent *event, Paths *paths)
{
	const LaSession *session = event->session;
	LaLiveFact fact = {
	    .what = LA_LIVE_EVENT,
	    .at = event->at,
	    .id = event->id,
	    .visitor = track_visitor_of(event),
	    .kind = event->kind,
	    .referrer = event->term[LA_SLOT_REFERRER].id,
	    .place = event->client->place.id,
	};

	if (session != NULL)
	{
		fact.session = session->number;
		fact.referrer = session->loaded ? session->referrer : session->first->term[LA_SLOT_REFERRER].id;
		fact.place = session->loaded ? session->place_term : session->first->client->place.id;
	}
	if (event->kind == 'p' && path_of(&event->term[LA_SLOT_PAGE], paths, &fact.path))
		fact.page = event->term[LA_SLOT_PAGE].id;
	return fact;
}

void
track_live(const LaBatch *batch)
{
	LaLiveFact *facts;
	TimestampTz horizon;
	Paths paths = {0};
	int n = 0;

	if (!la_live_wanted(batch->workspace))
		return;
	horizon = la_live_horizon();
	facts = palloc((batch->n + batch->nopened) * sizeof(LaLiveFact));
	for (int i = 0; i < batch->n; i++)
	{
		const LaEvent *event = batch->events[i];

		if (!event->is_start && !event->client->is_bot && event->at >= horizon)
			facts[n++] = fact_of(event, &paths);
	}
	for (int i = 0; i < batch->nopened; i++)
	{
		const LaSession *session = batch->opened[i];

		if (session->after.started_at >= horizon)
			facts[n++] = (LaLiveFact){
			    .what = LA_LIVE_START, .session = session->number, .at = session->after.started_at};
	}
	la_live_tell(batch->workspace, facts, n);
}
