/*
 * What holds for an address: the listed address or network with the longest prefix that contains it
 * decides. A network is never listed twice, so nothing is left to decide between the two lists, and an
 * address listed itself beats every network.
 */
#ifndef LA_POLICY_H
#define LA_POLICY_H

typedef enum LaPolicy
{
	LA_POLICY_NONE, /* not listed */
	LA_POLICY_BLOCKED,
	LA_POLICY_TEST,     /* whitelisted: what it sends is for testing */
	LA_POLICY_INTERNAL, /* whitelisted: it sends real things and skips rate limit and block */
} LaPolicy;

/*
 * The policy for an address (an inet; IPv4 in IPv6 clothes is IPv4). The caller is connected to SPI and
 * has seen to it that the workspace may be asked about; reads in the caller's snapshot.
 */
extern LaPolicy la_policy_find(int workspace, Datum ip);

#endif
