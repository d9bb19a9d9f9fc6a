/*
 * JSON of requests: a tree that knows what was written, and the writer's few verbs.
 *
 * The reading is of RFC 8259 and takes what PostgreSQL's json takes, with differences that a public door
 * needs: the text must be valid UTF-8, arrays and objects nest LA_JSON_MAX_DEPTH deep, there are at most
 * LA_JSON_MAX_NODES values, and U+0000 and lone surrogates written as escapes are replaced by U+FFFD
 * (PostgreSQL's text cannot hold them, and one such escape must not lose a batch of a thousand events).
 * Numbers stay text until somebody asks: 1e999999 is legal JSON, and only the member that uses it is in
 * error; so is only the member that nests deeper than jsonb is made of.
 *
 * Everything is allocated in the current memory context and freed with it. A tree's texts are slices of one
 * copy of what was read, so none of its parts can be freed alone, and the text it came from may go.
 */
#ifndef LA_JSON_H
#define LA_JSON_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#define LA_JSON_MAX_DEPTH 1000
#define LA_JSON_MAX_NODES 1000000 /* 64 MB of them */
#define LA_JSON_MAX_KEPT 64       /* how deep what becomes jsonb nests */

typedef enum LaJsonType
{
	LA_JSON_NULL,
	LA_JSON_BOOL,
	LA_JSON_NUMBER,
	LA_JSON_STRING,
	LA_JSON_ARRAY,
	LA_JSON_OBJECT,
} LaJsonType;

typedef struct LaJson
{
	LaJsonType type;
	const char *key;  /* its name, for a member of an object */
	const char *text; /* string: its characters; number, bool, null: as written; all NUL-terminated */
	int length;       /* of text, in bytes */
	int count;        /* members or elements */
	struct LaJson *first;
	struct LaJson *last;
	struct LaJson *next; /* the sibling after this one */
} LaJson;

#define la_json_foreach(child, parent)                                                                       \
	for (const LaJson *child = (parent)->first; child != NULL; child = child->next)

/*
 * The tree of a text, which need not end in NUL. NULL for a bad one, and never an error raised: *error is
 * "not valid UTF-8", "nested too deep" or "not valid JSON", whichever is met first (UTF-8 before the others).
 */
extern LaJson *la_json_parse(const char *text, int length, const char **error);

/* A copy of a text for functions that take json: escapes that text cannot hold are replaced. NULL with *error
 * as above, for exactly the texts that la_json_parse refuses. */
extern char *la_json_heal(const char *text, int length, const char **error);

/* The member of that name (the last, if repeated), or NULL; NULL too when object is NULL or no object. */
extern const LaJson *la_json_get(const LaJson *object, const char *name);

/* The characters of a string member that is there and is a string, else NULL. */
extern const char *la_json_string(const LaJson *object, const char *name);

/* A number as float8: false when it is no number or outside float8. */
extern bool la_json_float(const LaJson *node, double *value);

/* The tree as jsonb; NULL with *error when it holds something jsonb should not (a number too large, nesting
 * too deep). */
extern Jsonb *la_json_to_jsonb(const LaJson *node, const char **error);

/* Append JSON text without the white space between tokens. The text must be valid JSON. */
extern void la_json_compact(StringInfo out, const char *text, int length);

/* Append a quoted JSON string; NULL appends null. */
extern void la_json_quote(StringInfo out, const char *text);

#endif
