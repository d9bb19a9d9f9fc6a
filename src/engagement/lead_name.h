/*
 * Who leads are on the web, many leads at once: what leadanalytics.lead_numbers() says of one.
 */
#ifndef LA_LEAD_NAME_H
#define LA_LEAD_NAME_H

#include "postgres.h"

typedef struct LaLeadNames LaLeadNames;

/* In CurrentMemoryContext, which holds all that is put in. */
extern LaLeadNames *la_lead_names_create(void);

/* A text that the lead is known by: its key, or a visitor id of its posts. */
extern void la_lead_names_add(LaLeadNames *names, Datum text, void *lead);

/*
 * Read all visitors and persons of the workspace and hand each lead's numbers to take, some maybe twice:
 * cheaper than looking the names up when there are more than a twentieth as many. SPI connected.
 */
typedef void (*LaTakeNumber)(void *lead, uint32 number, void *arg);
extern void la_lead_names_resolve(LaLeadNames *names, int workspace, LaTakeNumber take, void *arg);

#endif
