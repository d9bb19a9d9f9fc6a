/*
 * What the files of room leads share, and what other rooms ask it.
 */
#ifndef LA_LEADS_H
#define LA_LEADS_H

#include "postgres.h"

/* Classes of leads there can be: see leadanalytics.lead_class(). */
#define LA_LEADS_CLASSES 64

/* Somebody whom something names as another system does (D-73). */
typedef struct LaLeadName
{
	const char *text;
	int length;
	int64 id;
} LaLeadName;

/*
 * Who they are: sorts the names, drops those that repeat, and tells each one's id, which is that of the lead
 * so named, or one that is kept for it from now on. Returns how many they are. SPI connected; of two who keep
 * ids for the same names one waits.
 */
extern int la_lead_ids(int workspace, LaLeadName *names, int n);

/* The id of one of names that la_lead_ids() has seen. */
extern int64 la_lead_id(const LaLeadName *names, int n, const char *text, int length);

#endif
