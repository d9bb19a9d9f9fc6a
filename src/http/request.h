/*
 * A request as nginx hands it over: the whitelisted headers, renamed to X-LA-*, and the raw body.
 */
#ifndef LA_REQUEST_H
#define LA_REQUEST_H

#include "http/url.h"

typedef struct LaRequest
{
	const char *method; /* of the client: GET, HEAD, … */
	const char *path;   /* raw, without the query string */
	List *segments;     /* of the path, decoded; NIL with bad_path */
	bool bad_path;      /* an escape in the path cannot be decoded */
	List *query;        /* LaPair */
	const char *body;   /* as sent, until la_body_decode() */
	int body_length;
	const char *content_type; /* NULL when not sent, as the rest */

	const char *authorization; /* these are NULL when not sent */
	const char *api_key;
	const char *client_ip;
	const char *request_id; /* never NULL */
	const char *user_agent;
	const char *origin;
	const char *referer;
	const char *encoding;   /* Content-Encoding of the body */
	const char *body_limit; /* how large nginx lets a plain body be, in bytes; only with an encoding */
	const char *idempotency_key;
	bool bad_idempotency_key;  /* one was sent, but no key can be read from it */
	const char *wanted_method; /* Access-Control-Request-Method */
	const char *ahead;         /* "1": loaded before anybody asked for it (Sec-Purpose: prefetch) */
	const char *range;         /* Range */
	const char *slice;         /* of a file: "bytes=0-1048575"; nginx says it, never the client */
} LaRequest;

/* Read the request of this transaction from PostgREST's setting request.headers and the body. */
extern LaRequest *la_request_read(bytea *body);

/*
 * The key the request carries, or NULL. Bearer wins over X-API-Key; the scheme's name is
 * case-insensitive; another scheme is no key.
 */
extern const char *la_request_key(const LaRequest *request);

#endif
