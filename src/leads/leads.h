/*
 * What the files of room leads share.
 */
#ifndef LA_LEADS_H
#define LA_LEADS_H

/* Classes of leads there can be: see leadanalytics.lead_class(). */
#define LA_LEADS_CLASSES 64

#endif
