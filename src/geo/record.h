/*
 * Readers of records: each fills its part of *geo and returns MMDB_SUCCESS, or the status that says the
 * file is damaged. What a record does not have, or has in another type, stays as it was.
 */
#ifndef LA_GEO_RECORD_H
#define LA_GEO_RECORD_H

#include <maxminddb.h>

#include "geo/geo.h"

extern int geo_read_city(MMDB_entry_s *entry, LaGeo *geo);
extern int geo_read_asn(MMDB_entry_s *entry, LaGeo *geo);
extern int geo_read_anonymous(MMDB_entry_s *entry, LaGeo *geo);

#endif
