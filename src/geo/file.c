/*
 * The file of a setting: opened, watched, complained of. See file.h.
 */
#include "postgres.h"

#include <errno.h>
#include <time.h>

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "geo/file.h"

#define FETCH_AGAIN "Fetch it again, and put it in place by rename."
#define LET_READ "Let the server's user read it, and enter the folders above it."

static int64
second(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

/* A change of rights alone changes st_ctim, and may be what was waited for. */
static bool
is_same_version(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void
close_file(LaGeoFile *file)
{
	if (file->open)
		MMDB_close(&file->mmdb);
	file->open = false;
}

/* Remember what is wrong, for leadanalytics.status(). */
static void trouble(LaGeoFile *file, const char *remedy, const char *format, ...) pg_attribute_printf(3, 4);

static void
trouble(LaGeoFile *file, const char *remedy, const char *format, ...)
{
	va_list args;

	close_file(file);
	va_start(args, format);
	vsnprintf(file->trouble, sizeof(file->trouble), format, args);
	va_end(args);
	file->trouble[pg_mbcliplen(file->trouble, strlen(file->trouble), sizeof(file->trouble) - 1)] = '\0';
	file->remedy = remedy;
}

/* Say it in the log too, unless it was said of this version. What is not there yet needs no warning. */
static void
warn(LaGeoFile *file)
{
	if (strcmp(file->warned, file->trouble) == 0)
		return;
	strlcpy(file->warned, file->trouble, sizeof(file->warned));
	ereport(WARNING,
	        (errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg("%s is not used: %s", file->setting, file->trouble),
	         errhint("%s", file->remedy)));
}

static bool
is_of_type(const LaGeoFile *file)
{
	for (const char *const *word = file->types; *word != NULL; word++)
	{
		if (strstr(file->type, *word) != NULL)
			return true;
	}
	return false;
}

/* What the file calls itself, as printable ASCII: it goes to the log and to status(). */
static void
note_type(LaGeoFile *file)
{
	strlcpy(file->type, file->mmdb.metadata.database_type, sizeof(file->type));
	for (char *c = file->type; *c != '\0'; c++)
	{
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
}

static void
open_file(LaGeoFile *file)
{
	int status = MMDB_open(file->path, MMDB_MODE_MMAP, &file->mmdb);

	if (status == MMDB_FILE_OPEN_ERROR || status == MMDB_IO_ERROR || status == MMDB_OUT_OF_MEMORY_ERROR)
		trouble(file, LET_READ, "%s: %s", file->path, strerror(errno));
	else if (status != MMDB_SUCCESS)
		trouble(file, FETCH_AGAIN, "%s is no whole MaxMind DB file: %s", file->path, MMDB_strerror(status));
	else
	{
		file->open = true;
		note_type(file);
		if (is_of_type(file))
		{
			file->trouble[0] = '\0';
			file->remedy = NULL;
			file->warned[0] = '\0';
			return;
		}
		trouble(file, file->wanted, "%s is a database of type %s", file->path, file->type);
	}
	warn(file);
}

/*
 * The stat comes before the opening: should the file be replaced in between, the next look sees another
 * version than the one noted, and opens again. It also keeps a FIFO from being opened, which would wait
 * for a writer.
 */
static void
look(LaGeoFile *file)
{
	struct stat now;

	if (file->path[0] == '\0')
	{
		trouble(file, file->wanted, "off: no file is set");
		return;
	}
	if (stat(file->path, &now) != 0)
	{
		int error = errno;

		memset(&file->version, 0, sizeof(file->version));
		if (error == ENOENT || error == ENOTDIR)
			trouble(file, "Put the file there (geoipupdate does), or reset the setting.", "%s does not exist",
			        file->path);
		else
		{
			trouble(file, LET_READ, "%s: %s", file->path, strerror(error));
			warn(file);
		}
		return;
	}
	if (is_same_version(&now, &file->version))
	{
		/* What could not be opened is tried again: there may have been no memory or no descriptor. */
		if (file->open || file->damaged)
			return;
	}
	else
	{
		file->version = now;
		file->damaged = false;
		file->warned[0] = '\0';
	}
	close_file(file);
	if (S_ISREG(now.st_mode) && now.st_size > 0)
	{
		open_file(file);
		return;
	}
	if (S_ISREG(now.st_mode))
		trouble(file, FETCH_AGAIN, "%s is empty", file->path);
	else
		trouble(file, file->wanted, "%s is no regular file", file->path);
	warn(file);
}

MMDB_s *
geo_file_use(LaGeoFile *file)
{
	int64 now = second();

	if (file->path == NULL || strcmp(file->path, *file->value) != 0)
	{
		char *path = MemoryContextStrdup(TopMemoryContext, *file->value);

		close_file(file);
		if (file->path != NULL)
			pfree(file->path);
		file->path = path;
		memset(&file->version, 0, sizeof(file->version));
		file->damaged = false;
		file->warned[0] = '\0';
	}
	else if (now == file->looked)
		return file->open ? &file->mmdb : NULL;
	file->looked = now;
	look(file);
	return file->open ? &file->mmdb : NULL;
}

void
geo_file_damaged(LaGeoFile *file, int status)
{
	file->damaged = true;
	trouble(file, FETCH_AGAIN, "%s is damaged: %s", file->path, MMDB_strerror(status));
	warn(file);
}
