/*
 * Reading JSON (RFC 8259); the contract is in json.h.
 *
 * One copy of the text is verified as UTF-8, and the tree points into it. What a node needs written is
 * written over what was read already: the NUL of a string over its closing quote, the characters of an
 * escape over the escape, which is never shorter. A number has no closing quote, and what follows it is
 * still to be read: it moves one byte to the left, onto a bracket, comma, colon or space that was read,
 * for which the copy begins with a byte that is no text.
 *
 * Verified UTF-8 holds no NUL, so the one behind the copy ends every loop: no pointer is compared with
 * the end. Behind it are zeros enough to look at eight bytes from any byte of the text.
 *
 * PostgreSQL's own parser, which this takes the place of, appends a string's characters one by one; with
 * it the reading of events was a sixth of what storing them costs. test/fuzz/json.t holds the two together.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"

#include "core/json.h"

#define FIRST_BLOCK 32
#define LARGEST_BLOCK 1024
#define REPLACEMENT 0xFFFD

/* A byte, eight times. */
#define EIGHT(byte) (~UINT64CONST(0) / 255 * (byte))

typedef struct Parser
{
	char *at; /* the next byte to read */
	const char *error;
	const char *name;                    /* of the member whose value comes next */
	LaJson *open[LA_JSON_MAX_DEPTH + 1]; /* arrays and objects not closed yet, outermost first … */
	int depth;                           /* … behind open[0], which only holds the root */
	LaJson *block;                       /* nodes not used yet */
	int left;
	int block_size;
	int nodes; /* in all blocks */
} Parser;

static LaJson *
add_node(Parser *parser, LaJsonType type)
{
	LaJson *parent = parser->open[parser->depth];
	LaJson *node;

	if (parser->left == 0)
	{
		parser->block_size = Min(Max(parser->block_size * 2, FIRST_BLOCK), LARGEST_BLOCK);
		parser->left = parser->block_size;
		parser->nodes += parser->block_size;
		parser->block = palloc(parser->block_size * sizeof(LaJson));
	}
	parser->left--;
	node = parser->block++;
	*node = (LaJson){.type = type, .key = parser->name};
	parser->name = NULL;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	parent->count++;
	return node;
}

static inline void
skip_space(Parser *parser)
{
	while (*parser->at == ' ' || *parser->at == '\n' || *parser->at == '\t' || *parser->at == '\r')
		parser->at++;
}

/* The first quote, backslash or control character (the NUL behind the text is one) from c on. */
static inline char *
end_of_run(char *c)
{
	for (;; c += 8)
	{
		uint64 bytes;
		uint64 quote;
		uint64 backslash;
		uint64 found;

		memcpy(&bytes, c, 8);
#ifdef WORDS_BIGENDIAN
		bytes = pg_bswap64(bytes);
#endif
		quote = bytes ^ EIGHT('"');
		backslash = bytes ^ EIGHT('\\');
		/* A byte below n borrows in "- n" and so sets its top bit, which the byte itself has not; a borrow
		 * may spoil only what comes after the first such byte. */
		found = ((quote - EIGHT(1)) & ~quote) | ((backslash - EIGHT(1)) & ~backslash) |
		        ((bytes - EIGHT(0x20)) & ~bytes);
		found &= EIGHT(0x80);
		if (found != 0)
			return c + pg_rightmost_one_pos64(found) / 8;
	}
}

/* The four digits of \u, or -1. */
static int
hex4(const char *c)
{
	int value = 0;

	for (int i = 0; i < 4; i++)
	{
		int digit = (c[i] >= '0' && c[i] <= '9')   ? c[i] - '0'
		            : (c[i] >= 'a' && c[i] <= 'f') ? c[i] - 'a' + 10
		            : (c[i] >= 'A' && c[i] <= 'F') ? c[i] - 'A' + 10
		                                           : -1;

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/*
 * The code point that an escape from "\u" on means, and how many bytes it takes; -1 when it is none. What
 * text cannot hold, U+0000 and half a surrogate pair, is the replacement character.
 */
static int
unicode_escape(const char *c, int *length)
{
	int code = hex4(c + 2);

	*length = 6;
	if (code >= 0 && is_utf16_surrogate_first(code) && c[6] == '\\' && c[7] == 'u')
	{
		int second = hex4(c + 8);

		if (second >= 0 && is_utf16_surrogate_second(second))
		{
			*length = 12;
			return surrogate_pair_to_codepoint(code, second);
		}
	}
	if (code == 0 || (code >= 0 && (is_utf16_surrogate_first(code) || is_utf16_surrogate_second(code))))
		return REPLACEMENT;
	return code;
}

/* Write what the escape at *from means to *to and step both; false when it is none. */
static bool
unescape(char **from, char **to)
{
	char simple;
	int length;
	int code;

	switch ((*from)[1])
	{
		case '"':
		case '\\':
		case '/':
			simple = (*from)[1];
			break;
		case 'b':
			simple = '\b';
			break;
		case 'f':
			simple = '\f';
			break;
		case 'n':
			simple = '\n';
			break;
		case 'r':
			simple = '\r';
			break;
		case 't':
			simple = '\t';
			break;
		case 'u':
			code = unicode_escape(*from, &length);
			if (code < 0)
				return false;
			*from += length;
			unicode_to_utf8(code, (unsigned char *) *to);
			*to += pg_utf_mblen((unsigned char *) *to);
			return true;
		default:
			return false;
	}
	*from += 2;
	*(*to)++ = simple;
	return true;
}

/* The characters of the string whose first quote is next, NUL-terminated; NULL when it is none. */
static char *
read_string(Parser *parser, int *length)
{
	char *start = parser->at + 1;
	char *from = end_of_run(start);
	char *to = from;

	while (*from != '"')
	{
		char *run;

		if (*from != '\\' || !unescape(&from, &to))
			return NULL;
		run = from;
		from = end_of_run(run);
		memmove(to, run, from - run);
		to += from - run;
	}
	parser->at = from + 1;
	*to = '\0';
	*length = to - start;
	return start;
}

/* A member's name and its colon. */
static bool
read_name(Parser *parser)
{
	int length;

	skip_space(parser);
	if (*parser->at != '"')
		return false;
	parser->name = read_string(parser, &length);
	if (parser->name == NULL)
		return false;
	skip_space(parser);
	return *parser->at++ == ':';
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
read_number(Parser *parser)
{
	char *start = parser->at;
	char *c = start;
	LaJson *node;

	if (*c == '-')
		c++;
	if (!is_digit(*c))
		return false;
	if (*c++ != '0')
		while (is_digit(*c))
			c++;
	if (*c == '.')
	{
		if (!is_digit(*++c))
			return false;
		while (is_digit(*c))
			c++;
	}
	if (*c == 'e' || *c == 'E')
	{
		c++;
		if (*c == '+' || *c == '-')
			c++;
		if (!is_digit(*c))
			return false;
		while (is_digit(*c))
			c++;
	}
	node = add_node(parser, LA_JSON_NUMBER);
	node->length = c - start;
	node->text = memmove(start - 1, start, node->length);
	c[-1] = '\0';
	parser->at = c;
	return true;
}

static bool
read_word(Parser *parser, LaJsonType type, const char *word)
{
	int length = strlen(word);
	LaJson *node;

	if (strncmp(parser->at, word, length) != 0)
		return false;
	node = add_node(parser, type);
	node->text = word;
	node->length = length;
	parser->at += length;
	return true;
}

/* A value to its end; of an array or object only its beginning. */
static bool
read_value(Parser *parser)
{
	LaJson *node;

	if (parser->nodes > LA_JSON_MAX_NODES)
	{
		parser->error = "too many values";
		return false;
	}
	skip_space(parser);
	switch (*parser->at)
	{
		case '"':
			node = add_node(parser, LA_JSON_STRING);
			node->text = read_string(parser, &node->length);
			return node->text != NULL;
		case '{':
		case '[':
			if (parser->depth == LA_JSON_MAX_DEPTH)
			{
				parser->error = "nested too deep";
				return false;
			}
			node = add_node(parser, *parser->at++ == '{' ? LA_JSON_OBJECT : LA_JSON_ARRAY);
			parser->open[++parser->depth] = node;
			return true;
		case 't':
			return read_word(parser, LA_JSON_BOOL, "true");
		case 'f':
			return read_word(parser, LA_JSON_BOOL, "false");
		case 'n':
			return read_word(parser, LA_JSON_NULL, "null");
		default:
			return read_number(parser);
	}
}

/* All of the text. Each turn stands in the innermost open array or object, before or behind a member. */
static bool
read_text(Parser *parser)
{
	for (;;)
	{
		LaJson *parent = parser->open[parser->depth];

		skip_space(parser);
		if (parser->depth == 0 && parent->count == 1)
			return *parser->at == '\0';
		if (parser->depth > 0 && *parser->at == (parent->type == LA_JSON_OBJECT ? '}' : ']'))
		{
			parser->at++;
			parser->depth--;
			continue;
		}
		if (parent->count > 0 && *parser->at++ != ',')
			return false;
		if (parent->type == LA_JSON_OBJECT && !read_name(parser))
			return false;
		if (!read_value(parser))
			return false;
	}
}

LaJson *
la_json_parse(const char *text, int length, const char **error)
{
	LaJson outside = {.type = LA_JSON_ARRAY}; /* holds the root alone */
	Parser parser = {.open = {&outside}, .error = "not valid JSON"};
	char *copy;

	*error = NULL;
	if (!pg_verify_mbstr(PG_UTF8, text, length, true))
	{
		*error = "not valid UTF-8";
		return NULL;
	}
	copy = palloc(1 + (Size) length + sizeof(uint64));
	memcpy(copy + 1, text, length);
	memset(copy + 1 + length, 0, sizeof(uint64));
	parser.at = copy + 1;
	if (!read_text(&parser))
	{
		*error = parser.error;
		return NULL;
	}
	return outside.first;
}

/* What is refused here and there is the same because it is the same reading: only its tree is not kept. */
char *
la_json_heal(const char *text, int length, const char **error)
{
	MemoryContext reading =
	    AllocSetContextCreate(CurrentMemoryContext, "JSON read once", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(reading);
	bool valid = la_json_parse(text, length, error) != NULL;
	char *copy;

	MemoryContextSwitchTo(caller);
	MemoryContextDelete(reading);
	if (!valid)
		return NULL;
	copy = pnstrdup(text, length);
	for (char *c = strchr(copy, '\\'); c != NULL; c = strchr(c, '\\'))
	{
		int bytes = 2;

		if (c[1] == 'u' && unicode_escape(c, &bytes) == REPLACEMENT)
			memcpy(c + 2, "fffd", 4);
		c += bytes;
	}
	return copy;
}
