/*
 * Who leads are on the web, many leads at once: what leadanalytics.lead_numbers() says of one.
 */
#ifndef LA_LEAD_NAME_H
#define LA_LEAD_NAME_H

#include "postgres.h"

typedef struct LaLeadNames LaLeadNames;

/* For about so many names. In CurrentMemoryContext, which holds all that is put in. */
extern LaLeadNames *la_lead_names_create(int64 nnames);

/* A text that the lead is known by: its key, or a visitor id of its posts. */
extern void la_lead_names_add(LaLeadNames *names, Datum text, void *lead);

/* Read all visitors and persons of the workspace and hand each lead's numbers to take, some maybe twice. SPI
 * connected. */
typedef void (*LaTakeNumber)(void *lead, uint32 number, void *arg);
extern void la_lead_names_resolve(LaLeadNames *names, int workspace, LaTakeNumber take, void *arg);

/* As directly as it is said: with the number of the visitor, or of the person, that has that id. */
extern void la_lead_names_visitors(const LaLeadNames *names, int workspace, LaTakeNumber take, void *arg);
extern void la_lead_names_persons(const LaLeadNames *names, int workspace, LaTakeNumber take, void *arg);

/* Whether leads are so many that reading all is the cheaper way. SPI connected. */
extern bool la_lead_names_are_many(int64 nleads);

#endif
