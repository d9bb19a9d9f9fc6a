/*
 * Posts that carry no key (D-69): whose workspace they go to, and which origins may send them.
 *
 * What a request names is binding: an unknown slug or site key is refused instead of falling through
 * to the default workspace, which would quietly get somebody else's events. Only what a browser adds by
 * itself (Origin, Referer) may be unknown. A refusal is 403, not 400: clients drop what got a 400.
 *
 * A site's domain covers that host and its www. twin, on every port. Not its other subdomains: pages of
 * strangers stand on those of github.io or of a shop builder.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/formatting.h"

#include "core/error.h"
#include "core/export.h"
#include "core/query.h"
#include "tenant/tenant.h"

static LaQuery by_slug = {
    "SELECT id, true FROM leadanalytics.workspace WHERE slug = $1 AND sandbox_of IS NULL "
    "AND closed_at IS NULL",
    1,
    {TEXTOID}};

static LaQuery by_site = {
    "SELECT workspace, enabled FROM leadanalytics.site WHERE site_key = $1", 1, {TEXTOID}};

static LaQuery by_host = {
    "SELECT workspace, enabled FROM leadanalytics.site WHERE domains && $1 ORDER BY enabled DESC, workspace",
    1,
    {TEXTARRAYOID}};

static LaQuery by_default = {
    "SELECT id, true FROM leadanalytics.workspace WHERE is_default AND closed_at IS NULL", 0, {0}};

/*
 * $1 workspace (null: any but sandboxes, which no page posts to), $2 site (null: all of the workspace),
 * $3 the origin's hosts, $4 the origin. "Nothing listed" counts disabled sites too: switching off the
 * only site that lists domains must not open the workspace to every origin.
 */
static LaQuery allows = {
    "SELECT FROM leadanalytics.workspace w"
    " WHERE (w.id = $1 OR ($1 IS NULL AND w.sandbox_of IS NULL))"
    " AND (w.allowed_origins @> ARRAY[$4]"
    " OR EXISTS (SELECT FROM leadanalytics.site s WHERE s.workspace = w.id AND s.enabled"
    " AND (s.site_key = $2 OR $2 IS NULL) AND s.domains && $3)"
    " OR (w.allowed_origins = '{}' AND NOT EXISTS (SELECT FROM leadanalytics.site s WHERE s.workspace = w.id"
    " AND (s.site_key = $2 OR $2 IS NULL) AND s.domains <> '{}')))",
    4,
    {INT4OID, TEXTOID, TEXTARRAYOID, TEXTOID}};

static bool
is_host_char(char c, bool bracketed)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
	       (bracketed ? c == ':' : c == '_');
}

static bool
is_scheme_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '.' || c == '-';
}

/*
 * The host of a URL, in lower case and without a final dot, or NULL when it has none. With whole, the
 * URL must end after host and port, as an Origin does.
 */
static char *
host_of(const char *url, bool whole)
{
	char *lower = asc_tolower(url, strlen(url));
	char *at;
	char *host;
	char *end;
	bool bracketed;
	bool more;

	at = strstr(lower, "://");
	if (at == NULL || at == lower)
		return NULL;
	for (const char *c = lower; c < at; c++)
		if (!is_scheme_char(*c))
			return NULL;
	host = at + 3;
	bracketed = *host == '[';
	end = host + (bracketed ? 1 : 0);
	while (is_host_char(*end, bracketed))
		end++;
	if (bracketed && *end++ != ']')
		return NULL;
	for (at = end; *at == ':' || (at > end && *at >= '0' && *at <= '9'); at++)
		;
	more = *at == '/' || *at == '?' || *at == '#';
	if (end == host || (*at != '\0' && (whole || !more)))
		return NULL;
	if (end > host + 1 && end[-1] == '.')
		end--;
	*end = '\0';
	return host;
}

/* The host and its www. twin as text[]; an empty array for no host. */
static Datum
hosts(const char *host)
{
	Datum twins[2];

	if (host == NULL)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	twins[0] = CStringGetTextDatum(host);
	twins[1] = CStringGetTextDatum(strncmp(host, "www.", 4) == 0 ? host + 4 : psprintf("www.%s", host));
	return PointerGetDatum(construct_array(twins, 2, TEXTOID, -1, false, TYPALIGN_INT));
}

/* SPI connected. workspace 0: is there any that allows it? site: NULL for all of the workspace's. */
static bool
origin_allowed(const char *origin, int workspace, text *site)
{
	char *host = host_of(origin, true);
	Datum values[4] = {Int32GetDatum(workspace), PointerGetDatum(site), hosts(host),
	                   CStringGetTextDatum(asc_tolower(origin, strlen(origin)))};
	char nulls[] = {workspace == 0 ? 'n' : ' ', site == NULL ? 'n' : ' ', ' ', ' ', '\0'};

	/* "null" is what sandboxed frames and files send. Anything else that is no origin is nobody's. */
	if (host == NULL && strcmp(origin, "null") != 0)
		return false;
	return la_query_run(&allows, values, nulls, true, 1) == 1;
}

LA_FUNCTION(la_tenant_origin_allowed)
{
	bool answer;

	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(false);
	/* A real workspace's id is positive: 0 and below are nobody's, not "any". */
	if (!PG_ARGISNULL(1) && PG_GETARG_INT32(1) <= 0)
		PG_RETURN_BOOL(false);
	SPI_connect();
	answer =
	    origin_allowed(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1), NULL);
	SPI_finish();
	PG_RETURN_BOOL(answer);
}

/* The workspace of the statement's first row, 0 for no row; a disabled site is an error. */
static int
resolve(LaQuery *query, Datum value)
{
	bool isnull;

	if (la_query_run(query, &value, NULL, true, 1) == 0)
		return 0;
	if (!DatumGetBool(la_query_value(0, 2, &isnull)))
		ereport(ERROR, (errcode(LA_FORBIDDEN), errmsg("Forbidden"),
		                errhint("The site is disabled; leadanalytics.enable_site() enables it.")));
	return DatumGetInt32(la_query_value(0, 1, &isnull));
}

/* An argument as text, NULL when null or empty: forms post empty fields for what they do not know. */
static text *
argument(FunctionCallInfo fcinfo, int number)
{
	text *value;

	if (PG_ARGISNULL(number))
		return NULL;
	value = PG_GETARG_TEXT_PP(number);
	return VARSIZE_ANY_EXHDR(value) == 0 ? NULL : value;
}

LA_FUNCTION(la_tenant_public_workspace)
{
	text *slug = argument(fcinfo, 0);
	text *site = argument(fcinfo, 1);
	char *origin = argument(fcinfo, 2) ? text_to_cstring(argument(fcinfo, 2)) : NULL;
	char *referer = argument(fcinfo, 3) ? text_to_cstring(argument(fcinfo, 3)) : NULL;
	char *host = origin ? host_of(origin, true) : referer ? host_of(referer, false) : NULL;
	int workspace = 0;

	SPI_connect();
	if (slug != NULL || site != NULL)
	{
		if (site != NULL)
			workspace = resolve(&by_site, PointerGetDatum(site));
		if (slug != NULL && (site == NULL || workspace != 0))
		{
			int named = resolve(&by_slug, PointerGetDatum(slug));

			workspace = site == NULL || named == workspace ? named : 0;
		}
	}
	else
	{
		if (host != NULL)
			workspace = resolve(&by_host, hosts(host));
		if (workspace == 0)
			workspace = resolve(&by_default, (Datum) 0);
	}
	if (workspace == 0)
		ereport(ERROR, (errcode(LA_FORBIDDEN), errmsg("Unknown workspace"),
		                errhint("Name one by its slug or a site key, list the page's domain with a site, or "
		                        "mark a workspace as default.")));
	if (origin != NULL && !origin_allowed(origin, workspace, site))
		ereport(
		    ERROR,
		    (errcode(LA_FORBIDDEN), errmsg("Forbidden"),
		     errhint(
		         "The origin is neither a domain of the workspace's sites nor among its allowed_origins.")));
	SPI_finish();

	/* From here on the request speaks for it. A second call cannot speak for another one. */
	if (la_tenant_current() == LA_TENANT_PUBLIC)
		la_tenant_enter(workspace, NULL);
	PG_RETURN_INT32(workspace);
}

/* A link that we signed names its workspace, and no key that comes along says more. In SQL the caller's
 * rights decide. */
LA_FUNCTION(la_tenant_signed_workspace)
{
	const int workspace = PG_GETARG_INT32(0);

	if (la_tenant_current() != LA_TENANT_NOBODY)
		la_tenant_enter(workspace, NULL);
	PG_RETURN_INT32(workspace);
}
