/*
 * Cross-origin requests: which pages of other origins may read an answer, and what a preflight is told.
 */
#ifndef LA_CORS_H
#define LA_CORS_H

#include "http/answer.h"
#include "http/request.h"
#include "http/route.h"

/* The answer to OPTIONS: 204 and, for a route that a browser on another origin may call, its terms. */
extern LaAnswer *la_cors_preflight(const LaRequest *request, List *routes);

/*
 * Whether a page of the request's origin may read answers of a workspace; 0: none is known, and every
 * workspace's origins may. false without an origin. Connected to SPI.
 */
extern bool la_cors_allowed(const LaRequest *request, int workspace);

/* Mark an answer of a cors route, as readable by the request's origin or not. */
extern void la_cors_mark(LaAnswer *answer, const LaRequest *request, bool allowed);

#endif
