/*
 * Idempotency-Key: work that was done once is not done again, its answer is given again.
 *
 * A request claims its key before it takes any other lock, by a row in leadanalytics.idempotency, in the
 * transaction of the work. Another one with the key waits at that row for the first to end, holding
 * nothing that the first could want; then it finds the answer, or no row and does the work. An error
 * rolls the row back with the work: only successes are remembered.
 *
 * What the same request is: with an API key the same workspace, role, method, path and Idempotency-Key,
 * whatever the body. Without one anybody can say anything, also somebody else's "1": there the query, the
 * page's origin and the body belong to it.
 */
#ifndef LA_IDEMPOTENCY_H
#define LA_IDEMPOTENCY_H

#include "utils/uuid.h"

#include "http/answer.h"
#include "http/request.h"
#include "http/route.h"
#include "tenant/tenant.h"

/*
 * The answer to the request's key when there is one, else NULL: the caller holds the claim, and either
 * hands the answer to la_idempotency_remember() or rolls back. key: NULL without an API key. The body is
 * the plain one. Connected to SPI, in a transaction that writes.
 */
extern LaAnswer *la_idempotency_claim(const LaRoute *route, const LaRequest *request, const LaKey *key,
                                      pg_uuid_t *claim);

extern void la_idempotency_remember(const pg_uuid_t *claim, const LaAnswer *answer);

#endif
