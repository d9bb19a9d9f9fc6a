/*
 * Members of an event as SDKs write them. The shapes (web SDK, server SDK, tracker, single event) differ
 * in names and places only, so all of them are one table: where a member stands, what it is called there,
 * and which member of the event it is. A member with several names takes the one that stands first there.
 */
#ifndef LA_TRACK_FIELD_H
#define LA_TRACK_FIELD_H

#include "core/json.h"

typedef enum Place
{
	EVENT,   /* the event itself */
	TRACKER, /* the event itself, of the tracker (T1 to T3) */
	DATA,    /* its event_data or properties */
	CONTEXT, /* the server SDK's context */
	PAGE,    /* the context's page */
	SCREEN,  /* the context's or the tracker's screen */
	DEVICE,  /* the tracker's device_info */
	TRAITS,  /* what an identifying event says of the person */
} Place;

typedef enum Member
{
	NAME,
	SERVER_NAME, /* the name, as the server SDK says it */
	VISITOR,
	DISTINCT,
	USER,
	USER_IN_DATA,
	EMAIL,
	PREVIOUS,
	FINGERPRINT,
	SESSION,
	EVENT_ID,
	WORKSPACE,
	TIMESTAMP,
	URL,
	PATH,
	TITLE,
	REFERRER,
	UTM_SOURCE,
	UTM_MEDIUM,
	UTM_CAMPAIGN,
	UTM_TERM,
	UTM_CONTENT,
	CLICK, /* the id that an ad platform hung on the page's address */
	SOURCE,
	SCROLL,
	TAG,
	TAGS,
	WIDTH,
	HEIGHT,
	CLIENT_IP,
	USER_AGENT,
	DEVICE_AGENT,
	LANGUAGE,
	PLATFORM,
	CORES,
	MEMORY,
	COLOR_DEPTH,
	PIXEL_RATIO,
	OBJECT_DATA,
	OBJECT_CONTEXT,
	OBJECT_PAGE,
	OBJECT_SCREEN,
	OBJECT_DEVICE,
	OBJECT_TRAITS,
	MEMBERS,
} Member;

/* What was found of an event, at the place that counts. */
typedef struct Found
{
	const LaJson *node[MEMBERS];
	int rank[MEMBERS];
} Found;

/* The member that a name is at a place, or MEMBERS. */
extern Member track_field(Place place, const char *name);

/* Note the members of an object; an absent one, a null and an empty text are the same. */
extern void track_gather(const LaJson *object, Place place, Found *found);

#endif
