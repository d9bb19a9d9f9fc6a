/*
 * regexes.yaml → rules. The file is a mapping of lists; those that agent_lists names are taken, each a
 * sequence of mappings of scalars; others are skipped, since later editions of uap-core may have more.
 *
 * A rule that cannot be compiled spoils the whole file: without it the rules below it would answer
 * what is its to answer, and nobody would see that.
 *
 * libyaml allocates with malloc: whatever is raised here, its parser and event are given back.
 */
#include "postgres.h"

#include <yaml.h>

#include "agent/regexes.h"

#define MAX_RULES 20000

const AgentListKind agent_lists[AGENT_LISTS] = {
    [AGENT_BROWSER] = {"user_agent_parsers",
                       4,
                       {"family_replacement", "v1_replacement", "v2_replacement", "v3_replacement"},
                       {1, 2, 3, 4}},
    [AGENT_OS] = {"os_parsers",
                  5,
                  {"os_replacement", "os_v1_replacement", "os_v2_replacement", "os_v3_replacement",
                   "os_v4_replacement"},
                  {1, 2, 3, 4, 5}},
    [AGENT_DEVICE] = {"device_parsers",
                      3,
                      {"device_replacement", "brand_replacement", "model_replacement"},
                      {1, 0, 1}},
};

typedef struct Reader
{
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	AgentRegexes *regexes;
} Reader;

static bool
fail(Reader *reader, size_t line, const char *what)
{
	if (reader->regexes->problem == NULL)
		reader->regexes->problem = psprintf("line %zu: %s", line + 1, what);
	return false;
}

static bool
fail_here(Reader *reader, const char *what)
{
	return fail(reader, reader->event.start_mark.line, what);
}

static bool
next(Reader *reader)
{
	yaml_event_delete(&reader->event);
	if (!yaml_parser_parse(&reader->parser, &reader->event))
		return fail(reader, reader->parser.problem_mark.line,
		            reader->parser.problem != NULL ? reader->parser.problem : "cannot be parsed");
	/* An alias may name its own anchor, or ten of them a hundred each. uap-core has none. */
	if (reader->event.type == YAML_ALIAS_EVENT)
		return fail_here(reader, "aliases are not read");
	return true;
}

static bool
expect(Reader *reader, yaml_event_type_t type, const char *what)
{
	return next(reader) && (reader->event.type == type || fail_here(reader, what));
}

/* The current scalar's text; libyaml ends it with a zero byte. */
static const char *
scalar(const Reader *reader)
{
	return (const char *) reader->event.data.scalar.value;
}

/* Go past the value that comes next, whatever it holds. */
static bool
skip(Reader *reader)
{
	int depth = 0;

	do
	{
		if (!next(reader))
			return false;
		if (reader->event.type == YAML_SEQUENCE_START_EVENT || reader->event.type == YAML_MAPPING_START_EVENT)
			depth++;
		else if (reader->event.type == YAML_SEQUENCE_END_EVENT ||
		         reader->event.type == YAML_MAPPING_END_EVENT)
			depth--;
	} while (depth > 0);
	return true;
}

static bool
compile(Reader *reader, AgentRule *rule, const char *regex, bool caseless, size_t line)
{
	pcre2_compile_context *context = pcre2_compile_context_create(reader->regexes->general);
	int error;
	PCRE2_SIZE offset;

	if (context == NULL)
		return fail(reader, line, "out of memory");
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	rule->code = pcre2_compile((PCRE2_SPTR) regex, PCRE2_ZERO_TERMINATED,
	                           PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | (caseless ? PCRE2_CASELESS : 0), &error,
	                           &offset, context);
	pcre2_compile_context_free(context);
	if (rule->code == NULL)
	{
		PCRE2_UCHAR words[256];

		pcre2_get_error_message(error, words, sizeof(words));
		return fail(reader, line, psprintf("regex, at byte %zu: %s", offset, (char *) words));
	}
	/* Where it cannot be (no JIT built in, or memory may not be executed) the interpreter matches. */
	pcre2_jit_compile(rule->code, PCRE2_JIT_COMPLETE);
	return true;
}

static AgentRule *
new_rule(AgentRegexes *regexes, AgentList list)
{
	if (regexes->count[list] == regexes->room[list])
	{
		Size room = regexes->room[list] == 0 ? 512 : regexes->room[list] * 2;

		regexes->rules[list] = regexes->room[list] == 0
		                           ? palloc(room * sizeof(AgentRule))
		                           : repalloc(regexes->rules[list], room * sizeof(AgentRule));
		regexes->room[list] = room;
	}
	/* Counted before it is compiled: what is counted is freed. */
	return memset(&regexes->rules[list][regexes->count[list]++], 0, sizeof(AgentRule));
}

static bool
read_rule(Reader *reader, AgentList list)
{
	const AgentListKind *kind = &agent_lists[list];
	size_t line = reader->event.start_mark.line;
	AgentRule *rule = new_rule(reader->regexes, list);
	char *regex = NULL;
	bool caseless = false;

	while (next(reader) && reader->event.type == YAML_SCALAR_EVENT)
	{
		const char **place = NULL;
		bool is_regex = strcmp(scalar(reader), "regex") == 0;
		bool is_flag = strcmp(scalar(reader), "regex_flag") == 0;

		for (int i = 0; i < kind->fields; i++)
			if (strcmp(scalar(reader), kind->replacement[i]) == 0)
				place = &rule->replacement[i];
		if (place == NULL && !is_regex && !is_flag)
		{
			if (!skip(reader))
				return false;
			continue;
		}
		if (!expect(reader, YAML_SCALAR_EVENT, "a rule's value must be a text"))
			return false;
		if (is_regex)
			regex = pstrdup(scalar(reader));
		else if (place != NULL)
			*place = pstrdup(scalar(reader));
		else if (strcmp(scalar(reader), "i") == 0)
			caseless = true;
		else
			return fail_here(reader, "regex_flag must be i");
	}
	if (reader->regexes->problem != NULL)
		return false;
	if (reader->event.type != YAML_MAPPING_END_EVENT)
		return fail_here(reader, "a rule's key must be a text");
	if (regex == NULL)
		return fail(reader, line, "a rule without regex");
	return compile(reader, rule, regex, caseless, line);
}

static bool
read_list(Reader *reader, AgentList list)
{
	if (reader->regexes->count[list] > 0)
		return fail_here(reader, "a second list of that name");
	if (!expect(reader, YAML_SEQUENCE_START_EVENT, "a list of rules must be a sequence"))
		return false;
	while (next(reader) && reader->event.type == YAML_MAPPING_START_EVENT)
	{
		if (reader->regexes->count[list] == MAX_RULES)
			return fail_here(reader, "too many rules");
		if (!read_rule(reader, list))
			return false;
	}
	if (reader->regexes->problem != NULL)
		return false;
	return reader->event.type == YAML_SEQUENCE_END_EVENT || fail_here(reader, "a rule must be a mapping");
}

static bool
read_file(Reader *reader)
{
	if (!expect(reader, YAML_STREAM_START_EVENT, "no stream") ||
	    !expect(reader, YAML_DOCUMENT_START_EVENT, "it is empty") ||
	    !expect(reader, YAML_MAPPING_START_EVENT, "it must be a mapping of lists"))
		return false;
	while (next(reader) && reader->event.type == YAML_SCALAR_EVENT)
	{
		int list = 0;

		while (list < AGENT_LISTS && strcmp(scalar(reader), agent_lists[list].name) != 0)
			list++;
		if (!(list < AGENT_LISTS ? read_list(reader, list) : skip(reader)))
			return false;
	}
	if (reader->regexes->problem != NULL)
		return false;
	for (int list = 0; list < AGENT_LISTS; list++)
		if (reader->regexes->count[list] == 0)
			return fail_here(reader, psprintf("no rules under %s", agent_lists[list].name));
	return true;
}

void
agent_load(AgentRegexes *regexes, const char *yaml, size_t length)
{
	MemoryContext before = MemoryContextSwitchTo(regexes->context);
	Reader reader = {.regexes = regexes};

	if (!yaml_parser_initialize(&reader.parser))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
		                errhint("Give the server more memory, or fewer connections.")));
	PG_TRY();
	{
		yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
		yaml_parser_set_input_string(&reader.parser, (const unsigned char *) yaml, length);
		read_file(&reader);
	}
	PG_FINALLY();
	{
		yaml_event_delete(&reader.event);
		yaml_parser_delete(&reader.parser);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(before);
}
