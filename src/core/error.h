/*
 * SQLSTATEs of class LA: errors meant for the client, whose last three digits are the HTTP status
 * the door answers with. Message and (where given) detail reach the client; the hint is for the
 * SQL caller. Every other SQLSTATE that leaves a route's function is a server fault: the client
 * sees its family's 500 and the log the rest.
 *
 * From SQL: RAISE EXCEPTION 'Lead not found' USING ERRCODE = 'LA404', or leadanalytics.fail(…).
 * The detail, when it is a JSON object, carries what some families add to the text:
 * {"code": "CAMPAIGN_NOT_FOUND"} (campaigns), {"errors": [{"field": …, "message": …}]} (engagement);
 * {"retry_after": "60"} becomes the header.
 */
#ifndef LA_ERROR_H
#define LA_ERROR_H

#define LA_SQLSTATE(a, b, c) MAKE_SQLSTATE('L', 'A', a, b, c)

#define LA_BAD_REQUEST LA_SQLSTATE('4', '0', '0')
#define LA_UNAUTHORIZED LA_SQLSTATE('4', '0', '1')
#define LA_FORBIDDEN LA_SQLSTATE('4', '0', '3')
#define LA_NOT_FOUND LA_SQLSTATE('4', '0', '4')
#define LA_CONFLICT LA_SQLSTATE('4', '0', '9')
#define LA_UNPROCESSABLE LA_SQLSTATE('4', '2', '2')
#define LA_TOO_MANY LA_SQLSTATE('4', '2', '9')
#define LA_UNAVAILABLE LA_SQLSTATE('5', '0', '3')

/* Whether an SQLSTATE is of class LA with a status, so that the client may read the message. */
extern bool la_is_for_client(int sqlstate);

/*
 * The HTTP status of an SQLSTATE: that of class LA (of the 5xx only 503 and 500), 503 for what a retry
 * may cure, else 500.
 */
extern int la_http_status(int sqlstate);

#endif
