/*
 * IP address → place, network, anonymity, out of up to three MaxMind DB files that the operator brings
 * (settings leadanalytics.geo_city, .geo_asn, .geo_anonymous; GeoLite2, GeoIP2 and DB-IP schemas).
 *
 * No file, a missing, foreign or damaged one: the values are unknown, leadanalytics.status() says why,
 * and nothing fails. A file replaced by rename is picked up within a second or two.
 */
#ifndef LA_GEO_H
#define LA_GEO_H

#include "utils/inet.h"

#define LA_GEO_TEXT_MAX 200 /* bytes of a name; longer ones are cut at a character */

typedef struct LaGeo
{
	char country[3];          /* ISO 3166 alpha-2; "" unknown */
	const char *region;       /* the largest subdivision's English name; NULL unknown */
	const char *city;         /* English; NULL unknown */
	uint32 asn;               /* autonomous system; 0 unknown */
	const char *network_name; /* whose it is; NULL unknown */
	bool knows_anonymity;     /* an anonymity file was asked: the flags below mean something */
	bool is_anonymous;        /* in any way, as the file sees it */
	bool is_hosting;          /* a hosting provider's */
	bool is_vpn;
	bool is_proxy; /* public or residential */
	bool is_tor;   /* a Tor exit */
} LaGeo;

/*
 * What is known of an address (its netmask does not matter; ::ffff:192.0.2.1 is 192.0.2.1). Fills *geo
 * and returns whether anything is known: for private and reserved addresses nothing is. Texts are
 * palloc'd, verified UTF-8. Never raises for what is in a file or wrong with it: WARNING at most, once
 * per version of a file. It costs microseconds; it may run outside a transaction.
 */
extern bool la_geo_find(const inet *address, LaGeo *geo);

#endif
