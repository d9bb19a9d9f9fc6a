/*
 * The body of a request as it was before the client compressed it.
 *
 * Content-Encoding is one of identity, gzip (x-gzip) and deflate, in any case; deflate is RFC 1950's or,
 * as many clients have it, without that header. A gzip body may have several members, and nothing after
 * the last. What it becomes is bounded by what nginx lets a plain body be: memory never exceeds that
 * bound, and no byte beyond it is made.
 */
#ifndef LA_BODY_H
#define LA_BODY_H

#include "http/family.h"
#include "http/request.h"

/*
 * Put the plain body in place of the one sent; nothing happens to one that is plain already. Returns NULL
 * or what is wrong: 413, 415, or 400 for a stream that is damaged or ends early.
 */
extern const LaProblem *la_body_decode(LaRequest *request);

#endif
