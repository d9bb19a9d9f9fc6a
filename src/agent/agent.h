/*
 * What a User-Agent header says: browser, operating system, device, and whether it is a robot.
 *
 * The words are those of uap-core's regexes (Debian package uap-core), for the project to be right
 * about new browsers whenever the package is. What this room adds stands in two tables of its own:
 * names.c says how some operating systems are written, and which type a device is of.
 */
#ifndef LA_AGENT_H
#define LA_AGENT_H

#define LA_AGENT_MAX 512     /* bytes of an agent that are looked at, cut before a character */
#define LA_AGENT_MEMORY 1024 /* agents a session remembers: more than a batch of events has */

/* A member that is NULL: nothing is known about it. */
typedef struct LaAgent
{
	bool known; /* the regexes could be read, and went through it within their limits; else all is NULL */
	bool is_bot;
	const char *browser;
	const char *browser_version;
	const char *os;
	const char *os_version;
	const char *device; /* uap-core's family */
	const char *device_brand;
	const char *device_model;
	const char *device_type; /* desktop, mobile, tablet, tv, console, bot */
} LaAgent;

/*
 * Read a User-Agent; NULL is one that says nothing. Never NULL, never raises for what the text holds:
 * bytes that are no UTF-8 make an agent that is not known. Each text is matched once and remembered.
 * The answer holds for the statement, until LA_AGENT_MEMORY other agents were read.
 */
extern const LaAgent *la_agent_parse(const char *text);

#endif
