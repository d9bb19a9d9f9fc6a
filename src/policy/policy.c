/*
 * Looking addresses up; the contract is in policy.h.
 *
 * inet sorts as a walk through a tree of networks: a network comes before all that lies in it, and what
 * lies in it comes before its next neighbour. So the last listed network at or before an address is the
 * answer when it contains the address. When it does not, every network that contains the address contains
 * that one too, hence is no longer than what the two have in common: the next probe asks for the last one
 * at or before the address cut to that length. Each probe cuts at least a bit off, and mostly many, however
 * many networks there are. Single addresses are asked for first and are not walked over.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inet.h"

#include "core/error.h"
#include "core/export.h"
#include "core/query.h"
#include "core/settings.h"
#include "policy/policy.h"
#include "tenant/tenant.h"

static const char *const names[] = {
    [LA_POLICY_NONE] = NULL,
    [LA_POLICY_BLOCKED] = "blocked",
    [LA_POLICY_TEST] = "test",
    [LA_POLICY_INTERNAL] = "internal",
};

static LaQuery listed = {
    "SELECT ip, policy FROM leadanalytics.listed_ip WHERE workspace = $1 AND ip = $2", 2, {INT4OID, INETOID}};

/* Ordered by both columns: no other plan than the index backwards gives the first row without sorting. */
static LaQuery last_network_before = {
    "SELECT ip, policy FROM leadanalytics.listed_ip "
    "WHERE workspace = $1 AND ip <= $2 AND masklen(ip) < CASE family(ip) WHEN 4 THEN 32 ELSE 128 END "
    "ORDER BY workspace DESC, ip DESC LIMIT 1",
    2,
    {INT4OID, INETOID}};

static bool
is_network(const inet *ip)
{
	return ip_bits(ip) < ip_maxbits(ip);
}

/* The network of that many bits an address lies in. */
static inet *
cut(const inet *ip, int bits)
{
	inet *network = palloc0(sizeof(inet));
	int whole = bits / 8;

	ip_family(network) = ip_family(ip);
	ip_bits(network) = bits;
	memcpy(ip_addr(network), ip_addr(ip), whole);
	if (bits % 8 != 0)
		ip_addr(network)[whole] = ip_addr(ip)[whole] & (0xff << (8 - bits % 8));
	SET_INET_VARSIZE(network);
	return network;
}

/* The one way to write an address or network: IPv4 in IPv6 clothes is IPv4, a network has no host. */
static inet *
canonical(const inet *ip)
{
	inet *v4;

	if (ip_family(ip) == PGSQL_AF_INET || ip_bits(ip) < 96 ||
	    memcmp(ip_addr(ip), "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) != 0)
		return cut(ip, ip_bits(ip));
	v4 = palloc0(sizeof(inet));
	ip_family(v4) = PGSQL_AF_INET;
	ip_bits(v4) = ip_bits(ip) - 96;
	memcpy(ip_addr(v4), ip_addr(ip) + 12, 4);
	return cut(v4, ip_bits(v4));
}

static LaPolicy
policy_named(char *name)
{
	for (int i = 0; i < lengthof(names); i++)
		if (names[i] != NULL && strcmp(names[i], name) == 0)
			return i;
	elog(ERROR, "unknown policy \"%s\"", name);
}

/* Run it for (workspace, ip); with a row: its address and policy. Leaves nothing behind: batches ask often.
 */
static bool
probe(LaQuery *query, int workspace, inet *ip, inet *found, LaPolicy *policy)
{
	Datum values[] = {Int32GetDatum(workspace), InetPGetDatum(ip)};
	bool isnull;
	inet *row;

	if (la_query_run(query, values, NULL, true, 1) == 0)
		return false;
	row = DatumGetInetPP(la_query_value(0, 1, &isnull));
	memset(found, 0, sizeof(inet));
	memcpy(VARDATA(found), VARDATA_ANY(row), VARSIZE_ANY_EXHDR(row));
	SET_INET_VARSIZE(found);
	*policy = policy_named(TextDatumGetCString(la_query_value(0, 2, &isnull)));
	SPI_freetuptable(SPI_tuptable);
	return true;
}

LaPolicy
la_policy_find(int workspace, Datum ip)
{
	inet *address = canonical(DatumGetInetPP(ip));
	inet *last = address;
	inet found;
	LaPolicy policy;

	if (probe(&listed, workspace, address, &found, &policy))
		return policy;
	while (probe(&last_network_before, workspace, last, &found, &policy) &&
	       ip_family(&found) == ip_family(address))
	{
		int common = bitncommon(ip_addr(&found), ip_addr(address), Min(ip_bits(&found), ip_bits(address)));

		if (common == ip_bits(&found))
			return policy;
		last = cut(address, common);
	}
	return LA_POLICY_NONE;
}

/* What the three functions for SQL callers share: arguments workspace, ip. */
static LaPolicy
ask(FunctionCallInfo fcinfo)
{
	LaPolicy policy = LA_POLICY_NONE;

	SPI_connect();
	la_tenant_require(PG_ARGISNULL(0) ? LA_TENANT_NOBODY : PG_GETARG_INT32(0));
	if (!PG_ARGISNULL(1))
		policy = la_policy_find(PG_GETARG_INT32(0), PG_GETARG_DATUM(1));
	SPI_finish();
	return policy;
}

LA_FUNCTION(la_policy_ip_policy)
{
	LaPolicy policy = ask(fcinfo);

	if (policy == LA_POLICY_NONE)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(names[policy]));
}

LA_FUNCTION(la_policy_is_blocked)
{
	PG_RETURN_BOOL(ask(fcinfo) == LA_POLICY_BLOCKED);
}

LA_FUNCTION(la_policy_is_whitelisted)
{
	LaPolicy policy = ask(fcinfo);

	PG_RETURN_BOOL(policy == LA_POLICY_TEST || policy == LA_POLICY_INTERNAL);
}

LA_FUNCTION(la_policy_listed_ip_policy)
{
	LaPolicy policy;

	SPI_connect();
	policy = la_policy_find(PG_GETARG_INT32(0), PG_GETARG_DATUM(1));
	SPI_finish();
	if (policy == LA_POLICY_NONE)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(names[policy]));
}

LA_FUNCTION(la_policy_canonical_ip)
{
	PG_RETURN_INET_P(canonical(PG_GETARG_INET_PP(0)));
}

LA_FUNCTION(la_policy_checked_ip)
{
	inet *ip;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(LA_BAD_REQUEST), errmsg("ip is required")));
	ip = canonical(PG_GETARG_INET_PP(0));
	if (is_network(ip) && !la_policy_cidr)
		ereport(ERROR, (errcode(LA_BAD_REQUEST), errmsg("Invalid ip"),
		                errhint("A network can be listed where leadanalytics.policy_cidr is on.")));
	PG_RETURN_INET_P(ip);
}
