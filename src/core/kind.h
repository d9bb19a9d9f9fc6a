/*
 * What an event is by its name (D-63): nothing else knows the names.
 */
#ifndef LA_KIND_H
#define LA_KIND_H

/* 'p' pageview, 'a' auto, 'c' custom. */
extern char la_event_kind(const char *name);

#endif
