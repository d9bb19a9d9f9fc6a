/*
 * Public addresses, by IANA's registries of special-purpose addresses; the contract is in address.h.
 *
 * An IPv6 address that carries an IPv4 one ends there, if the machine has the means: NAT64's well-known
 * prefix (all that a network without IPv4 has), 6to4 and ::ffff: are as public as what they carry.
 */
#include "postgres.h"

#include <netinet/in.h>

#include "utils/inet.h"

#include "core/export.h"
#include "webhook/address.h"

typedef struct Block4
{
	uint32 first;
	int bits;
} Block4;

#define V4(a, b, c, d) ((uint32) (a) << 24 | (uint32) (b) << 16 | (uint32) (c) << 8 | (uint32) (d))

static const Block4 special4[] = {
    {V4(0, 0, 0, 0), 8},       /* this network */
    {V4(10, 0, 0, 0), 8},      /* private */
    {V4(100, 64, 0, 0), 10},   /* shared by a provider's customers */
    {V4(127, 0, 0, 0), 8},     /* loopback */
    {V4(169, 254, 0, 0), 16},  /* link-local; clouds tell machines their secrets here */
    {V4(172, 16, 0, 0), 12},   /* private */
    {V4(192, 0, 0, 0), 24},    /* protocols */
    {V4(192, 0, 2, 0), 24},    /* documentation */
    {V4(192, 88, 99, 0), 24},  /* 6to4 relays */
    {V4(192, 168, 0, 0), 16},  /* private */
    {V4(198, 18, 0, 0), 15},   /* benchmarks */
    {V4(198, 51, 100, 0), 24}, /* documentation */
    {V4(203, 0, 113, 0), 24},  /* documentation */
    {V4(224, 0, 0, 0), 4},     /* multicast */
    {V4(240, 0, 0, 0), 4},     /* reserved, broadcast */
};

typedef struct Block6
{
	uint8 first[16];
	int bits;
	int carried; /* byte where the IPv4 address that decides begins; 0: the block is special as a whole */
} Block6;

/* The first one that fits decides. */
static const Block6 known6[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12}, /* ::ffff:a.b.c.d */
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12},                   /* NAT64 */
    {{0x20, 0x02}, 16, 2},                                /* 6to4 */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, 0},                    /* documentation */
    {{0x20, 0x01, 0x00, 0x00}, 23, 0},                    /* protocols, Teredo among them */
    {{0x3f, 0xff, 0x00, 0x00}, 20, 0},                    /* documentation */
};

static bool
public4(uint32 address)
{
	for (int i = 0; i < lengthof(special4); i++)
		if ((address ^ special4[i].first) >> (32 - special4[i].bits) == 0)
			return false;
	return true;
}

static bool
within(const uint8 *address, const Block6 *block)
{
	int whole = block->bits / 8;
	int rest = block->bits % 8;

	return memcmp(address, block->first, whole) == 0 &&
	       (rest == 0 || (address[whole] ^ block->first[whole]) >> (8 - rest) == 0);
}

static bool
public6(const uint8 *a)
{
	for (int i = 0; i < lengthof(known6); i++)
		if (within(a, &known6[i]))
		{
			const uint8 *v4 = a + known6[i].carried;

			return known6[i].carried != 0 && public4(V4(v4[0], v4[1], v4[2], v4[3]));
		}
	return (a[0] & 0xe0) == 0x20; /* of all others only 2000::/3 is given out */
}

bool
la_address_public(const struct sockaddr *address)
{
	switch (address->sa_family)
	{
		case AF_INET:
			return public4(ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr));
		case AF_INET6:
			return public6(((const struct sockaddr_in6 *) address)->sin6_addr.s6_addr);
		default:
			return false;
	}
}

LA_FUNCTION(la_webhook_address_public)
{
	inet *address = PG_GETARG_INET_PP(0);
	const unsigned char *a = ip_addr(address);

	PG_RETURN_BOOL(ip_family(address) == PGSQL_AF_INET ? public4(V4(a[0], a[1], a[2], a[3])) : public6(a));
}
