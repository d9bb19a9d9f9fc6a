/*
 * What of a batch are entries of the dictionary: every event's and every client's, looked up together.
 *
 * What no longer fits in a full dictionary is kept whole in the event's data, as $other; for the
 * dictionary it is "(other)".
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "core/bytes.h"
#include "core/json.h"
#include "track/track.h"

static const char *const slot_names[LA_SLOTS] = {
    [LA_SLOT_NAME] = "event_name",   [LA_SLOT_TITLE] = "page_title",
    [LA_SLOT_REFERRER] = "referrer", [LA_SLOT_SOURCE] = "source",
    [LA_SLOT_PAGE] = "page",         [LA_SLOT_CAMPAIGN] = "campaign",
    [LA_SLOT_DEVICE] = "device",     [LA_SLOT_FINGERPRINT] = "fingerprint_id",
};

static LaTerm
text_term(LaTermKind kind, const char *text)
{
	return (LaTerm){.kind = kind, .parts = text, .length = text != NULL ? strlen(text) + 1 : 0};
}

static char *
sha256_text(const char *text)
{
	uint8 digest[LA_SHA256_LENGTH];
	char *out = palloc(2 * sizeof(digest) + 1);

	la_sha256(text, strlen(text), digest);
	out[hex_encode((const char *) digest, sizeof(digest), out)] = '\0';
	return out;
}

char *
track_device_id(const char *agent, const char *fingerprint)
{
	return sha256_text(psprintf("device:%s|%s", agent ? agent : "", fingerprint));
}

char *
track_visitor_id(const char *fingerprint)
{
	return sha256_text(psprintf("visitor:%s", fingerprint));
}

static void
spell_device(LaEvent *event)
{
	const char *agent = event->device_agent ? event->device_agent : event->client->agent;
	const char *parts[2 + LA_DEVICES];

	parts[0] = track_device_id(agent, event->fingerprint);
	parts[1] = event->fingerprint;
	memcpy(&parts[2], event->device, sizeof(event->device));
	event->term[LA_SLOT_DEVICE] = track_term(LA_TERM_DEVICE, parts, lengthof(parts));
	event->term[LA_SLOT_FINGERPRINT] = text_term(LA_TERM_FINGERPRINT, event->fingerprint);
}

static void
spell(LaEvent *event)
{
	const char *url = event->text[LA_TEXT_URL];
	const char *path = event->text[LA_TEXT_PATH];

	if (!event->is_start)
	{
		event->term[LA_SLOT_NAME] = text_term(LA_TERM_TEXT, event->text[LA_TEXT_NAME]);
		event->term[LA_SLOT_TITLE] = text_term(LA_TERM_TEXT, event->text[LA_TEXT_TITLE]);
		/* with the name: which names come from where is told without the events */
		event->term[LA_SLOT_SOURCE] = track_term(
		    LA_TERM_SOURCE, (const char *[]){event->text[LA_TEXT_SOURCE], event->text[LA_TEXT_NAME]}, 2);
	}
	event->term[LA_SLOT_REFERRER] = text_term(LA_TERM_TEXT, event->text[LA_TEXT_REFERRER]);
	event->term[LA_SLOT_PAGE] = track_term(
	    LA_TERM_PAGE, (const char *[]){url, path == NULL && url != NULL ? track_path(url) : path}, 2);
	event->term[LA_SLOT_CAMPAIGN] =
	    track_term(LA_TERM_CAMPAIGN,
	               (const char *[]){event->text[LA_TEXT_UTM_SOURCE], event->text[LA_TEXT_UTM_MEDIUM],
	                                event->text[LA_TEXT_UTM_CAMPAIGN], event->text[LA_TEXT_UTM_TERM],
	                                event->text[LA_TEXT_UTM_CONTENT], event->click_id},
	               6);
	if (event->fingerprint != NULL)
		spell_device(event);
	if (event->ntags > 0)
		event->tag_terms = palloc(event->ntags * sizeof(LaTerm));
	for (int i = 0; i < event->ntags; i++)
		event->tag_terms[i] =
		    track_term(LA_TERM_TAG, (const char *[]){event->tags[i], event->text[LA_TEXT_SOURCE]}, 2);
}

/* The parts of an entry as a JSON array, to keep with the event. */
static void
append_parts(StringInfo out, const LaTerm *term)
{
	const char *separator = "[";

	for (const char *part = term->parts; part < term->parts + term->length; part += strlen(part) + 1)
	{
		appendStringInfoString(out, separator);
		la_json_quote(out, part[0] != '\0' ? part : NULL);
		separator = ",";
	}
	appendStringInfoChar(out, ']');
}

/* Keep what the dictionary did not take. */
static void
keep_others(LaEvent *event)
{
	StringInfoData others;
	Datum kept;

	initStringInfo(&others);
	for (int slot = 0; slot < LA_SLOTS; slot++)
	{
		if (!event->term[slot].other)
			continue;
		appendStringInfo(&others, "%s\"%s\":", others.len > 0 ? "," : "{\"$other\":{", slot_names[slot]);
		append_parts(&others, &event->term[slot]);
	}
	if (others.len == 0)
		return;
	appendStringInfoString(&others, "}}");
	kept = DirectFunctionCall1(jsonb_in, CStringGetDatum(others.data));
	if (event->data != NULL)
		kept = DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(event->data), kept);
	event->data = DatumGetJsonbP(kept);
}

void
track_spell(LaBatch *batch)
{
	int nclients;
	LaClient **clients = track_clients(batch, &nclients);
	LaTerm **terms;
	int most = batch->n * LA_SLOTS + nclients * 3;
	int n = 0;

	for (int i = 0; i < batch->n; i++)
		most += batch->events[i]->ntags;
	terms = palloc(most * sizeof(LaTerm *));

	for (int i = 0; i < nclients; i++)
	{
		LaTerm *own[] = {&clients[i]->place, &clients[i]->network, &clients[i]->agent_term};

		for (int j = 0; j < lengthof(own); j++)
			if (own[j]->parts != NULL)
				terms[n++] = own[j];
	}
	for (int i = 0; i < batch->n; i++)
	{
		spell(batch->events[i]);
		for (int slot = 0; slot < LA_SLOTS; slot++)
			if (batch->events[i]->term[slot].parts != NULL)
				terms[n++] = &batch->events[i]->term[slot];
		for (int tag = 0; tag < batch->events[i]->ntags; tag++)
			terms[n++] = &batch->events[i]->tag_terms[tag];
	}
	track_terms(batch->workspace, terms, n);
	for (int i = 0; i < batch->n; i++)
		keep_others(batch->events[i]);
}
