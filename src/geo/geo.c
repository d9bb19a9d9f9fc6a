/*
 * Lookups: which addresses have a place, and which file to ask for what. See geo.h.
 */
#include "postgres.h"

#include <sys/socket.h>
#include <netinet/in.h>

#include "core/settings.h"
#include "geo/file.h"
#include "geo/geo.h"
#include "geo/record.h"

static const char *const city_types[] = {"City", "Country", "Enterprise", NULL};
static const char *const asn_types[] = {"ASN", "ISP", "Enterprise", NULL};
static const char *const anonymous_types[] = {"Anonymous", "Enterprise", NULL};

static LaGeoFile city_file = {
    .setting = "leadanalytics.geo_city",
    .value = &la_geo_city,
    .wanted = "Set leadanalytics.geo_city to a GeoLite2, GeoIP2 or DB-IP file of cities or countries.",
    .types = city_types,
};
static LaGeoFile asn_file = {
    .setting = "leadanalytics.geo_asn",
    .value = &la_geo_asn,
    .wanted = "Set leadanalytics.geo_asn to a GeoLite2, GeoIP2 or DB-IP file of ASNs or ISPs.",
    .types = asn_types,
};
static LaGeoFile anonymous_file = {
    .setting = "leadanalytics.geo_anonymous",
    .value = &la_geo_anonymous,
    .wanted = "Set leadanalytics.geo_anonymous to a GeoIP2 Anonymous IP file.",
    .types = anonymous_types,
};
LaGeoFile *const geo_files[GEO_FILES] = {&city_file, &asn_file, &anonymous_file};

typedef struct Range
{
	uint8 first[16];
	uint8 bits;
} Range;

/*
 * Private, link-local, loopback, multicast and reserved ones have none, whatever a file says. The ranges
 * for documentation are not here: files are silent about them, but for those of our tests.
 */
static const Range reserved4[] = {
    {{0}, 8},         {{10}, 8},       {{100, 64}, 10},  {{127}, 8},
    {{169, 254}, 16}, {{172, 16}, 12}, {{192, 168}, 16}, {{224}, 3},
};
static const Range reserved6[] = {
    {{0}, 96}, {{0xfc}, 7}, {{0xfe, 0x80}, 9}, {{0xff}, 8}, /* ::1 too; fe80::/10 and fec0::/10 */
};

static bool
is_in(const uint8 *address, const Range *ranges, int count)
{
	for (int i = 0; i < count; i++)
	{
		int bytes = ranges[i].bits / 8;
		int rest = ranges[i].bits % 8;

		if (memcmp(address, ranges[i].first, bytes) == 0 &&
		    (rest == 0 || (address[bytes] ^ ranges[i].first[bytes]) >> (8 - rest) == 0))
			return true;
	}
	return false;
}

/* As a socket address; false when it has no place. */
static bool
place_able(const inet *address, struct sockaddr_storage *socket)
{
	static const uint8 mapped[12] = {[10] = 0xff, [11] = 0xff};
	const uint8 *bytes = ip_addr(address);

	memset(socket, 0, sizeof(*socket));
	if (ip_family(address) == PGSQL_AF_INET6 && memcmp(bytes, mapped, sizeof(mapped)) != 0)
	{
		struct sockaddr_in6 *six = (struct sockaddr_in6 *) socket;

		six->sin6_family = AF_INET6;
		memcpy(&six->sin6_addr, bytes, 16);
		return !is_in(bytes, reserved6, lengthof(reserved6));
	}
	else
	{
		struct sockaddr_in *four = (struct sockaddr_in *) socket;

		if (ip_family(address) == PGSQL_AF_INET6)
			bytes += sizeof(mapped);
		four->sin_family = AF_INET;
		memcpy(&four->sin_addr, bytes, 4);
		return !is_in(bytes, reserved4, lengthof(reserved4));
	}
}

/* Ask a file; false when it could not be asked. */
static bool
ask(LaGeoFile *file, const struct sockaddr_storage *address, int (*reader)(MMDB_entry_s *, LaGeo *),
    LaGeo *geo)
{
	MMDB_s *mmdb = geo_file_use(file);
	MMDB_lookup_result_s found;
	LaGeo answer = *geo;
	int status = MMDB_SUCCESS;

	if (mmdb == NULL)
		return false;
	found = MMDB_lookup_sockaddr(mmdb, (const struct sockaddr *) address, &status);
	if (status == MMDB_IPV6_LOOKUP_IN_IPV4_DATABASE_ERROR)
		return true;
	if (status == MMDB_SUCCESS && found.found_entry)
		status = reader(&found.entry, &answer);
	if (status != MMDB_SUCCESS)
	{
		geo_file_damaged(file, status);
		return false;
	}
	*geo = answer; /* all of a file's answer or none of it */
	return true;
}

bool
la_geo_find(const inet *address, LaGeo *geo)
{
	struct sockaddr_storage socket;

	memset(geo, 0, sizeof(*geo));
	if (!place_able(address, &socket))
		return false;
	ask(&city_file, &socket, geo_read_city, geo);
	ask(&asn_file, &socket, geo_read_asn, geo);
	geo->knows_anonymity = ask(&anonymous_file, &socket, geo_read_anonymous, geo);
	return geo->country[0] != '\0' || geo->region != NULL || geo->city != NULL || geo->asn != 0 ||
	       geo->network_name != NULL || geo->knows_anonymity;
}
