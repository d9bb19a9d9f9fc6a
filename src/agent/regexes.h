/*
 * uap-core's regexes.yaml, read and compiled: three lists of rules, each asked from its top until one
 * matches. https://github.com/ua-parser/uap-core/blob/master/docs/specification.md
 */
#ifndef LA_AGENT_REGEXES_H
#define LA_AGENT_REGEXES_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

typedef enum AgentList
{
	AGENT_BROWSER, /* family, major, minor, patch */
	AGENT_OS,      /* family, major, minor, patch, patch minor */
	AGENT_DEVICE,  /* family, brand, model */
	AGENT_LISTS,
} AgentList;

#define AGENT_FIELDS 5 /* of a list, at most */

/* A list of the file and the keys that a rule of it may have besides regex and regex_flag. */
typedef struct AgentListKind
{
	const char *name;
	int fields;
	const char *replacement[AGENT_FIELDS];
	int group[AGENT_FIELDS]; /* what the field is without a replacement; 0: nothing */
} AgentListKind;

extern const AgentListKind agent_lists[AGENT_LISTS];

typedef struct AgentRule
{
	pcre2_code *code;
	const char *replacement[AGENT_FIELDS]; /* NULL: the group; $1 to $9 are what the groups matched */
} AgentRule;

/* Everything is in the context and goes with it, code that PCRE2 compiled to the machine's included. */
typedef struct AgentRegexes
{
	MemoryContext context;
	pcre2_general_context *general;
	pcre2_match_data *data; /* these three: agent_match_init() */
	pcre2_match_context *limits;
	pcre2_jit_stack *stack;
	AgentRule *rules[AGENT_LISTS];
	int count[AGENT_LISTS];
	int room[AGENT_LISTS];
	const char *problem; /* why there are none, NULL when there are */
} AgentRegexes;

/* What the three lists say, palloc'd. NULL: nothing; a family that is not known is NULL, not "Other". */
typedef struct AgentFacts
{
	const char *field[AGENT_LISTS][AGENT_FIELDS];
} AgentFacts;

/* Parse the text of the file into regexes, whose context and general context are there. */
extern void agent_load(AgentRegexes *regexes, const char *yaml, size_t length);

/*
 * The regexes of the file leadanalytics.agent_regexes names. Looked for once a statement: *changed when
 * they were loaded, because the session had none or the file is another one now.
 */
extern const AgentRegexes *agent_regexes(bool *changed);

/* Make what matching needs and may be made once; false when memory ran out. */
extern bool agent_match_init(AgentRegexes *regexes);

/* Ask all lists. False when a rule went beyond its limits: nothing is known then. Text is valid UTF-8. */
extern bool agent_match(const AgentRegexes *regexes, const char *text, int length, AgentFacts *facts);

/* names.c */
extern const char *agent_os_name(const char *family);
extern const char *agent_device_type(const char *text, const AgentFacts *facts);

#endif
