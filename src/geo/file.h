/*
 * A MaxMind DB file named by a setting: mapped when first asked for, once a backend, and looked at again
 * at most once a second.
 *
 * A version of a file is its device, inode, size and times. Another version is opened and the old one
 * unmapped, so nothing may point into a file after the lookup that found it. A version found to be damaged
 * is not used again, even where it could be read: an address's place is written down once, and unknown is
 * better than wrong.
 *
 * Files must be replaced by rename, as geoipupdate does: one that is truncated in place under its mapping
 * ends the backend that reads it with SIGBUS, and PostgreSQL then restarts.
 */
#ifndef LA_GEO_FILE_H
#define LA_GEO_FILE_H

#include <maxminddb.h>
#include <sys/stat.h>

typedef struct LaGeoFile
{
	/* What it is for. */
	const char *setting;
	char **value;             /* of the setting: a path, or "" */
	const char *wanted;       /* what to set it to, in words */
	const char *const *types; /* the database types that will do contain one of these */

	/* How it is. */
	char *path;   /* as of the last look, in TopMemoryContext; NULL before the first */
	int64 looked; /* when: a second of the monotonic clock */
	bool open;
	bool damaged; /* this version is */
	struct stat version;
	MMDB_s mmdb;       /* while open */
	char type[64];     /* what it calls itself, while open */
	char trouble[512]; /* why it is not open; "" when it is */
	const char *remedy;
	char warned[512]; /* the trouble last warned about, with this version */
} LaGeoFile;

#define GEO_FILES 3
extern LaGeoFile *const geo_files[GEO_FILES];

/* The file ready for lookups, or NULL. */
extern MMDB_s *geo_file_use(LaGeoFile *file);

/* A lookup met damage: warn and use this version no more. */
extern void geo_file_damaged(LaGeoFile *file, int status);

#endif
