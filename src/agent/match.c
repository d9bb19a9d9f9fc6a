/*
 * Rules → facts.
 *
 * Matching is in UTF-8, so that {0,200} counts characters and no capture ends inside one. Whoever calls
 * has verified the text, once for all rules.
 *
 * Bounded: an agent is at most LA_AGENT_MAX bytes, and a rule gives up after MATCH_LIMIT backtracks, or
 * past what the stack and the heap below hold. uap-core's rules come to none of these on any text we
 * found; a file of one's own may. The first rule that gives up ends the matching of that agent: a
 * thousand of them would each take their limit's time, and to go on would let a rule below answer.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "agent/regexes.h"

#define GROUPS 10          /* the whole match, and $1 to $9 */
#define MATCH_LIMIT 300000 /* over 512 * 513 / 2: ".*x" on a text that has none, by the interpreter */
#define DEPTH_LIMIT 10000
#define HEAP_LIMIT 2048 /* KiB */
#define JIT_STACK_MIN (32 * 1024)
#define JIT_STACK_MAX (512 * 1024)

typedef struct Match
{
	const char *text;
	int groups; /* that took part, as pcre2_match() returned it */
	PCRE2_SIZE *place;
} Match;

static void
append_group(StringInfo out, const Match *match, int group)
{
	if (group < match->groups && match->place[2 * group] != PCRE2_UNSET)
		appendBinaryStringInfo(out, match->text + match->place[2 * group],
		                       match->place[2 * group + 1] - match->place[2 * group]);
}

/* What a rule says of a field: NULL when that is nothing but white space. */
static const char *
field(const Match *match, const char *replacement, int group)
{
	StringInfoData out;
	char *start;

	initStringInfo(&out);
	if (replacement == NULL)
		append_group(&out, match, group);
	else
		for (const char *c = replacement; *c != '\0'; c++)
			if (c[0] == '$' && c[1] >= '1' && c[1] <= '9')
				append_group(&out, match, *++c - '0');
			else
				appendStringInfoChar(&out, *c);
	while (out.len > 0 && strchr(" \t\r\n", out.data[out.len - 1]) != NULL)
		out.data[--out.len] = '\0';
	start = out.data + strspn(out.data, " \t\r\n");
	return *start == '\0' ? NULL : start;
}

static bool
match_list(const AgentRegexes *regexes, AgentList list, const char *text, int length, const char **fields)
{
	const AgentListKind *kind = &agent_lists[list];

	for (int i = 0; i < regexes->count[list]; i++)
	{
		const AgentRule *rule = &regexes->rules[list][i];
		int found = pcre2_match(rule->code, (PCRE2_SPTR) text, length, 0, PCRE2_NO_UTF_CHECK, regexes->data,
		                        regexes->limits);
		Match match = {text, found == 0 ? GROUPS : found, pcre2_get_ovector_pointer(regexes->data)};

		if (found == PCRE2_ERROR_NOMATCH)
			continue;
		if (found < 0)
			return false;
		for (int f = 0; f < kind->fields; f++)
			if (rule->replacement[f] != NULL || kind->group[f] > 0)
				fields[f] = field(&match, rule->replacement[f], kind->group[f]);
		break;
	}
	if (fields[0] != NULL && strcmp(fields[0], "Other") == 0)
		fields[0] = NULL;
	return true;
}

bool
agent_match_init(AgentRegexes *regexes)
{
	regexes->data = pcre2_match_data_create(GROUPS, regexes->general);
	regexes->limits = pcre2_match_context_create(regexes->general);
	regexes->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, regexes->general);
	if (regexes->data == NULL || regexes->limits == NULL)
		return false;
	pcre2_set_match_limit(regexes->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(regexes->limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(regexes->limits, HEAP_LIMIT);
	pcre2_jit_stack_assign(regexes->limits, NULL, regexes->stack); /* NULL, without JIT, is fine */
	return true;
}

bool
agent_match(const AgentRegexes *regexes, const char *text, int length, AgentFacts *facts)
{
	bool done = true;

	memset(facts, 0, sizeof(AgentFacts));
	for (int list = 0; done && list < AGENT_LISTS; list++)
		done = match_list(regexes, list, text, length, facts->field[list]);
	if (!done)
		memset(facts, 0, sizeof(AgentFacts));
	return done;
}
