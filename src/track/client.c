/*
 * Who sends a batch's events: an address and an agent, and what geo and agent know of them. Most batches
 * have one client, a log or a server's batch as many as it has visitors; each is asked about once a batch.
 *
 * An event says whom it was sent for only where the sender is trusted to (a key, SQL, an import): a page's
 * visitor is who the connection says he is.
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

#include "agent/agent.h"
#include "geo/geo.h"
#include "track/track.h"

typedef struct Slot
{
	uint64 hash; /* key: of address and agent */
	LaClient *client;
} Slot;

static inet *
read_address(const char *text)
{
	inet *ip = palloc0(sizeof(inet));

	if (inet_pton(AF_INET, text, ip_addr(ip)) == 1)
		ip_family(ip) = PGSQL_AF_INET;
	else if (inet_pton(AF_INET6, text, ip_addr(ip)) == 1)
		ip_family(ip) = PGSQL_AF_INET6;
	else
		return NULL;
	ip_bits(ip) = ip_maxbits(ip);
	SET_INET_VARSIZE(ip);
	return ip;
}

static void
locate(LaClient *client)
{
	LaGeo geo;

	if (!la_geo_find(DatumGetInetPP(client->ip), &geo))
		return;
	client->asn = geo.asn;
	client->is_hosting = geo.is_hosting;
	client->place = track_term(LA_TERM_PLACE, (const char *[]){geo.country, geo.region, geo.city}, 3);
	client->network =
	    track_term(LA_TERM_NETWORK,
	               (const char *[]){geo.asn != 0 ? psprintf("%u", geo.asn) : NULL, geo.network_name,
	                                geo.knows_anonymity ? (geo.is_anonymous ? "t" : "f") : NULL,
	                                geo.knows_anonymity ? (geo.is_hosting ? "t" : "f") : NULL,
	                                geo.knows_anonymity ? (geo.is_vpn ? "t" : "f") : NULL,
	                                geo.knows_anonymity ? (geo.is_proxy ? "t" : "f") : NULL,
	                                geo.knows_anonymity ? (geo.is_tor ? "t" : "f") : NULL},
	               7);
}

static void
recognize(LaClient *client)
{
	const LaAgent *agent = la_agent_parse(client->agent);
	int length = strlen(client->agent);
	char *text;

	client->is_bot = agent->is_bot;
	if (!pg_verify_mbstr(PG_UTF8, client->agent, length, true))
		return;
	text = pnstrdup(client->agent, pg_mbcliplen(client->agent, length, LA_AGENT_MAX));
	client->agent_term = track_term(LA_TERM_AGENT,
	                                (const char *[]){text, agent->browser, agent->browser_version, agent->os,
	                                                 agent->os_version, agent->device, agent->device_type,
	                                                 agent->known ? (agent->is_bot ? "t" : "f") : NULL},
	                                8);
}

static LaClient *
meet(const char *address, Datum ip, const char *agent)
{
	LaClient *client = palloc0(sizeof(LaClient));

	client->address = address;
	client->agent = agent != NULL && agent[0] != '\0' ? agent : NULL;
	client->ip = ip != 0 ? ip : address != NULL ? PointerGetDatum(read_address(address)) : (Datum) 0;
	client->place.kind = LA_TERM_PLACE;
	client->network.kind = LA_TERM_NETWORK;
	client->agent_term.kind = LA_TERM_AGENT;
	if (client->ip != 0)
		locate(client);
	if (client->agent != NULL)
		recognize(client);
	return client;
}

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static uint64
hash_of(const char *address, const char *agent)
{
	uint64 hash = address ? hash_bytes_extended((const unsigned char *) address, strlen(address), 0) : 0;

	return agent ? hash_bytes_extended((const unsigned char *) agent, strlen(agent), hash) : hash;
}

LaClient **
track_clients(LaBatch *batch, int *n)
{
	HASHCTL control = {.keysize = sizeof(uint64), .entrysize = sizeof(Slot), .hcxt = CurrentMemoryContext};
	LaClient **clients = palloc((batch->n + 1) * sizeof(LaClient *));
	LaClient *own = NULL;
	HTAB *others = NULL;

	*n = 0;
	for (int i = 0; i < batch->n; i++)
	{
		LaEvent *event = batch->events[i];
		const char *address = batch->relays ? event->client_ip : NULL;
		const char *agent = batch->relays ? event->user_agent : NULL;
		uint64 hash;
		bool found;
		Slot *slot;

		if (address == NULL && agent == NULL)
		{
			if (own == NULL)
				own = clients[(*n)++] = meet(NULL, batch->client_ip, batch->user_agent);
			event->client = own;
			continue;
		}
		if (others == NULL)
			others = hash_create("clients of a batch", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		hash = hash_of(address, agent);
		slot = hash_search(others, &hash, HASH_ENTER, &found);
		/* (two that share a hash are told apart, and asked about again) */
		if (!found || !same(slot->client->address, address) || !same(slot->client->agent, agent))
			slot->client = clients[(*n)++] = meet(address, (Datum) 0, agent);
		event->client = slot->client;
	}
	return clients;
}
