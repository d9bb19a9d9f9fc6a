/*
 * What this room says in words of its own: names of operating systems, and the type of a device, which
 * uap-core does not tell.
 */
#include "postgres.h"

#include "agent/regexes.h"

static const struct
{
	const char *family;
	const char *name;
} os_names[] = {
    {"Mac OS X", "macOS"}, /* its name since 2016 */
    {"WatchOS", "watchOS"},
    {"ATV OS X", "tvOS"}, /* what it was called before it had a name */
};

const char *
agent_os_name(const char *family)
{
	for (int i = 0; family != NULL && i < lengthof(os_names); i++)
		if (strcmp(family, os_names[i].family) == 0)
			return os_names[i].name;
	return family;
}

typedef enum Where
{
	TEXT, /* the agent as it was sent */
	OS,
	DEVICE,
	BRAND,
} Where;

typedef enum How
{
	IS,
	BEGINS,
	CONTAINS, /* in capitals or not: SMART-TV, SmartTV, smartTV */
	KNOWN,
} How;

typedef struct TypeRule
{
	const char *type;
	Where where;
	How how;
	const char *what;
} TypeRule;

/* The first that holds decides; none: the type is not known (curl, a library, nothing). */
static const TypeRule rules[] = {
    /* What calls itself a robot is one, whatever phone it pretends to be. */
    {"bot", DEVICE, IS, "Spider"},

    /* Televisions and consoles run Android, Linux, Windows or Tizen: they are told by what they say besides.
     */
    {"console", TEXT, CONTAINS, "Nintendo"},
    {"console", TEXT, CONTAINS, "PlayStation"},
    {"console", TEXT, CONTAINS, "Xbox"},
    {"tv", BRAND, IS, "Generic_Inettv"}, /* Roku, GoogleTV and others */
    {"tv", DEVICE, IS, "AppleTV"},
    {"tv", OS, IS, "tvOS"},
    {"tv", OS, IS, "Chromecast"},
    {"tv", TEXT, CONTAINS, "HbbTV"},
    {"tv", TEXT, CONTAINS, "SMART-TV"},
    {"tv", TEXT, CONTAINS, "SmartTV"},
    {"tv", TEXT, CONTAINS, "Smart TV"},
    {"tv", TEXT, CONTAINS, "NetCast"},
    {"tv", TEXT, CONTAINS, "Web0S"}, /* with a zero: LG's televisions; webOS is Palm's phones */
    {"tv", TEXT, CONTAINS, "Android TV"},
    {"tv", TEXT, CONTAINS, "BRAVIA"},
    {"tv", TEXT, CONTAINS, "; AFT"}, /* Amazon's Fire TV: AFTB, AFTS, … */

    /* Before phones: an iPad says Mobile too. One with "desktop website" on is a Mac, word by word. */
    {"tablet", DEVICE, BEGINS, "iPad"},
    {"tablet", DEVICE, BEGINS, "Kindle"},
    {"tablet", DEVICE, IS, "HP TouchPad"},
    {"tablet", OS, IS, "BlackBerry Tablet OS"},
    {"tablet", BRAND, IS, "Generic_Android_Tablet"},

    {"mobile", TEXT, CONTAINS, "Windows CE"}, /* whose family is Windows */

    /* Before "Tablet": Internet Explorer lists "Tablet PC 2.0" among what is installed on a PC. */
    {"desktop", OS, IS, "Windows"},
    {"desktop", OS, IS, "Mac OS X"},
    {"desktop", OS, IS, "Mac OS"},
    {"desktop", OS, IS, "Chrome OS"},
    {"desktop", DEVICE, IS, "Mac"}, /* of Mac OS before X, whose name is not read */

    /* Android: Google asks phones to say Mobile and tablets not to; Firefox says Tablet. Opera Mini and
     * apps' own agents (Dalvik, okhttp) say neither, and there are many more phones. */
    {"tablet", TEXT, CONTAINS, "Tablet"},
    {"mobile", TEXT, CONTAINS, "Mobile"},
    {"mobile", TEXT, CONTAINS, "Opera M"}, /* Mini, Mobi */
    {"mobile", TEXT, BEGINS, "Dalvik/"},
    {"tablet", TEXT, CONTAINS, "; Android "}, /* (Linux; Android 12; SM-T870) */
    {"mobile", OS, IS, "Android"},

    /* Other systems, and devices of a known maker on no system that uap-core knows: phones, old ones mostly.
     */
    {"mobile", OS, IS, "iOS"},
    {"mobile", OS, IS, "WatchOS"},
    {"mobile", OS, BEGINS, "Windows "}, /* Phone, Mobile */
    {"mobile", OS, BEGINS, "BlackBerry"},
    {"mobile", OS, BEGINS, "Symbian"},
    {"mobile", OS, IS, "Brew MP"},
    {"mobile", OS, IS, "Tizen"},
    {"mobile", BRAND, KNOWN, NULL},

    /* What is left with a system: Linux and its distributions, the BSDs, Solaris. */
    {"desktop", OS, KNOWN, NULL},
};

static bool
contains(const char *text, const char *what)
{
	size_t length = strlen(what);

	for (; *text != '\0'; text++)
		if (pg_strncasecmp(text, what, length) == 0)
			return true;
	return false;
}

static bool
holds(const TypeRule *rule, const char *value)
{
	if (value == NULL)
		return false;
	switch (rule->how)
	{
		case IS:
			return strcmp(value, rule->what) == 0;
		case BEGINS:
			return strncmp(value, rule->what, strlen(rule->what)) == 0;
		case CONTAINS:
			return contains(value, rule->what);
		case KNOWN:
			return true;
	}
	return false;
}

const char *
agent_device_type(const char *text, const AgentFacts *facts)
{
	const char *values[] = {
	    [TEXT] = text,
	    [OS] = facts->field[AGENT_OS][0],
	    [DEVICE] = facts->field[AGENT_DEVICE][0],
	    [BRAND] = facts->field[AGENT_DEVICE][1],
	};

	for (int i = 0; i < lengthof(rules); i++)
		if (holds(&rules[i], values[rules[i].where]))
			return rules[i].type;
	return NULL;
}
