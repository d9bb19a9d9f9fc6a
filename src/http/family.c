/*
 * The five contract families and the plain one.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "core/json.h"
#include "http/family.h"

typedef struct Text
{
	int status;
	const char *text;
	const char *code;
} Text;

typedef struct Envelope
{
	void (*success)(StringInfo out, int status, const char *message, const char *json, int length,
	                bool paged);
	void (*error)(StringInfo out, const LaProblem *problem);
} Envelope;

struct LaFamily
{
	const char *name;
	const char *prefixes[4];
	const Envelope *envelope;
	bool lists_errors;
	bool tells_usage;
	LaProblem no_workspace;
	Text own[4]; /* texts that differ from the common ones */
};

/* 401 is said by the door itself: it has two texts. */
static const Text common[] = {
    {400, "Bad request", "VALIDATION_ERROR"},
    {401, "Invalid API key", "UNAUTHORIZED"},
    {403, "Forbidden", "FORBIDDEN"},
    {404, "Not found", "NOT_FOUND"},
    {405, "Method not allowed", "METHOD_NOT_ALLOWED"},
    {409, "Conflict", "CONFLICT"},
    {413, "Request body too large", "VALIDATION_ERROR"},
    {415, "Unsupported Content-Encoding", "VALIDATION_ERROR"},
    {422, "Validation failed", "VALIDATION_ERROR"},
    {429, "Rate limit exceeded", "RATE_LIMITED"},
    {500, "Internal server error", "INTERNAL_ERROR"},
    {503, "Service temporarily unavailable", "SERVICE_UNAVAILABLE"},
};

static void
bare_success(StringInfo out, int status, const char *message, const char *json, int length, bool paged)
{
	la_json_compact(out, json, length);
}

static void
bare_error(StringInfo out, const LaProblem *problem)
{
	appendStringInfoString(out, "{\"error\":");
	la_json_quote(out, problem->message);
	appendStringInfoChar(out, '}');
}

/* "meta":{…}} with the time of the answer in UTC, as the engagement family writes times */
static void
engagement_meta(StringInfo out)
{
	TimestampTz now = GetCurrentTimestamp();
	pg_time_t whole = timestamptz_to_time_t(now);
	int ms = (int) ((now % USECS_PER_SEC) / 1000);
	char seconds[32];

	pg_strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", pg_gmtime(&whole));
	appendStringInfo(out, ",\"meta\":{\"timestamp\":\"%s.%03dZ\",\"version\":\"v1\"}}", seconds, ms);
}

static void
engagement_success(StringInfo out, int status, const char *message, const char *json, int length, bool paged)
{
	appendStringInfo(out, "{\"success\":true,\"status\":%d,\"message\":", status);
	la_json_quote(out, message ? message : "OK");
	appendStringInfoString(out, paged ? "," : ",\"data\":");
	if (paged)
	{
		/* {"data":…,"pagination":…} without its braces */
		const int opened = out->len;

		la_json_compact(out, json, length);
		if (out->data[opened] != '{')
			elog(ERROR, "a page is {\"data\": …, \"pagination\": …}");
		memmove(out->data + opened, out->data + opened + 1, out->len - opened - 2);
		out->len -= 2;
		out->data[out->len] = '\0';
	}
	else
		la_json_compact(out, json, length);
	engagement_meta(out);
}

static void
engagement_error(StringInfo out, const LaProblem *problem)
{
	appendStringInfo(out, "{\"success\":false,\"status\":%d,\"message\":", problem->status);
	la_json_quote(out, problem->message);
	if (problem->errors)
	{
		appendStringInfoString(out, ",\"errors\":");
		la_json_compact(out, problem->errors, strlen(problem->errors));
	}
	engagement_meta(out);
}

static void
campaigns_success(StringInfo out, int status, const char *message, const char *json, int length, bool paged)
{
	appendStringInfoString(out, "{\"success\":true,\"data\":");
	la_json_compact(out, json, length);
	appendStringInfoChar(out, '}');
}

static void
campaigns_error(StringInfo out, const LaProblem *problem)
{
	appendStringInfoString(out, "{\"success\":false,\"error\":{\"code\":");
	la_json_quote(out, problem->code);
	appendStringInfoString(out, ",\"message\":");
	la_json_quote(out, problem->message);
	appendStringInfoString(out, "}}");
}

static const Envelope bare = {bare_success, bare_error};
static const Envelope engagement = {engagement_success, engagement_error};
static const Envelope campaigns = {campaigns_success, campaigns_error};

static const LaFamily families[] = {
    {.name = "dashboard",
     .prefixes = {"/analytics", "/track", "/lead.capture", "/webhooks"},
     .envelope = &bare,
     .no_workspace = {404, "Workspace not found"},
     .own = {{500, "Analytics query failed"}}},
    {.name = "engagement",
     .prefixes = {"/v1"},
     .envelope = &engagement,
     .lists_errors = true,
     .tells_usage = true,
     .no_workspace = {404, "Workspace not found"}},
    {.name = "activity",
     .prefixes = {"/api/workspaces"},
     .envelope = &bare,
     .no_workspace = {403, "Forbidden"},
     .own = {{401, "Unauthorized"}}},
    {.name = "campaigns",
     .prefixes = {"/api/v1/workspaces"},
     .envelope = &campaigns,
     .no_workspace = {404, "Workspace not found", "WORKSPACE_NOT_FOUND"}},
    {.name = "public",
     .prefixes = {"/api/v1"},
     .envelope = &bare,
     .no_workspace = {404, "Workspace not found"}},
    {.name = "plain", .prefixes = {""}, .envelope = &bare, .no_workspace = {404, "Workspace not found"}},
};

/* How many segments of the path a prefix covers, -1 when it is not its prefix. */
static int
covered(const char *prefix, List *segments)
{
	int count = 0;
	ListCell *cell;

	foreach (cell, segments)
	{
		const char *segment = lfirst(cell);
		int length = strlen(segment);

		if (*prefix == '\0')
			return count;
		if (prefix[0] != '/' || strncmp(prefix + 1, segment, length) != 0 ||
		    (prefix[1 + length] != '/' && prefix[1 + length] != '\0'))
			return -1;
		prefix += 1 + length;
		count++;
	}
	return *prefix == '\0' ? count : -1;
}

const LaFamily *
la_family_of_path(List *segments)
{
	const LaFamily *best = NULL;
	int most = -1;

	for (int i = 0; i < lengthof(families); i++)
		for (int j = 0; j < lengthof(families[i].prefixes) && families[i].prefixes[j]; j++)
		{
			int count = covered(families[i].prefixes[j], segments);

			if (count > most)
			{
				most = count;
				best = &families[i];
			}
		}
	return best;
}

const char *
la_family_name(const LaFamily *family)
{
	return family->name;
}

const LaFamily *
la_family_by_name(const char *name)
{
	for (int i = 0; i < lengthof(families); i++)
		if (strcmp(families[i].name, name) == 0)
			return &families[i];
	elog(ERROR, "no contract family \"%s\"", name);
}

void
la_family_success(const LaFamily *family, StringInfo out, int status, const char *message, const char *json,
                  int length, bool paged)
{
	family->envelope->success(out, status, message, json, length, paged);
}

static const Text *
find_text(const Text *texts, int count, int status)
{
	for (int i = 0; i < count; i++)
		if (texts[i].status == status)
			return &texts[i];
	return NULL;
}

void
la_family_error(const LaFamily *family, StringInfo out, const LaProblem *problem)
{
	LaProblem whole = *problem;
	const Text *usual = find_text(common, lengthof(common), problem->status);
	const Text *own = find_text(family->own, lengthof(family->own), problem->status);

	if (usual == NULL)
		usual = find_text(common, lengthof(common), problem->status < 500 ? 400 : 500);
	if (whole.message == NULL)
		whole.message = own ? own->text : usual->text;
	if (whole.code == NULL)
		whole.code = usual->code;
	family->envelope->error(out, &whole);
}

bool
la_family_has_text(const LaFamily *family, int status)
{
	return find_text(family->own, lengthof(family->own), status) != NULL;
}

bool
la_family_lists_errors(const LaFamily *family)
{
	return family->lists_errors;
}

bool
la_family_tells_usage(const LaFamily *family)
{
	return family->tells_usage;
}

const LaProblem *
la_family_no_workspace(const LaFamily *family)
{
	return &family->no_workspace;
}
